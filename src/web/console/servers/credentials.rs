//! What requests to a server carry: names and templates are shown, values never; and whom it would lack.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{permission::Permission, secret::Secret},
    domain::servers::{Credential, CredentialSource, Server},
    flow::actions::servers::{self, CredentialInput, Need},
    web::{
        console::{
            servers::{
                crumb, href,
                needs::{NeedRow, rows},
                show::tabs,
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb, Fault, Tab},
            shell::Shell,
        },
    },
};

/// The source for which a provider is named, and no secret.
const OAUTH: &str = CredentialSource::Oauth.as_str();

/// The page.
#[derive(Template)]
#[template(path = "console/servers/credentials.html")]
struct CredentialsPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
    tabs: Vec<Tab>,
    server: Server,
    credentials: Vec<CarriedRow>,
    remove_action: String,
    needs: Vec<NeedRow>,
    targets: Vec<Choice>,
    sources: Vec<Choice>,
    /// Names of secrets that can be asked for.
    names: Vec<String>,
    form: CredentialForm,
    faults: FormFaults,
    can_write: bool,
    /// Whether the provider that protects the server can be looked for.
    can_sign_in: bool,
}

/// A credential, and the dialog that removes it.
struct CarriedRow {
    name: String,
    target: &'static str,
    source: String,
    is_sealed: bool,
    template: String,
    dialog: String,
    title: String,
}

impl CarriedRow {
    fn of((at, credential): (usize, Credential)) -> Self {
        Self {
            title: format!("Remove {}?", credential.name),
            dialog: format!("remove-{at}"),
            target: credential.target.as_str(),
            source: source_words(&credential),
            is_sealed: credential.source == CredentialSource::Static,
            template: credential.template,
            name: credential.name,
        }
    }
}

/// Where a value comes from, in words.
fn source_words(credential: &Credential) -> String {
    let secret = credential.secret.as_deref().unwrap_or_default();
    match credential.source {
        CredentialSource::Static => "Sealed value".to_owned(),
        CredentialSource::Oauth => {
            let provider = credential.provider.as_ref().map(|provider| provider.name.as_str());
            format!("Account at {}", provider.unwrap_or_default())
        }
        CredentialSource::OrgSecret => format!("{secret} of the organization"),
        CredentialSource::TeamSecret => format!("{secret} of a team"),
        CredentialSource::UserSecret => format!("{secret} of the person"),
    }
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct CredentialForm {
    #[serde(default)]
    target: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    source: String,
    /// The name of a secret or of a provider.
    #[serde(default)]
    which: String,
    #[serde(default)]
    template: String,
    #[serde(default)]
    value: Secret<String>,
    #[serde(default)]
    version: String,
}

pub(super) async fn show(ask: OrgPage, Path((_, name)): Path<(String, String)>) -> PageResult {
    let form = CredentialForm {
        target: "header".to_owned(),
        name: "Authorization".to_owned(),
        template: "Bearer {value}".to_owned(),
        ..CredentialForm::default()
    };
    render(&ask, &name, StatusCode::OK, form, FormFaults::default()).await
}

/// Adds a credential, or gives the one of that name another template or value.
pub(super) async fn save(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<CredentialForm>,
) -> PageResult {
    ask.cx.require(Permission::ServersWrite)?;
    let (_, stored) = servers::credentials_of(&ask.cx, &name).await?;
    let is_same =
        |c: &Credential| c.target.as_str() == form.target && c.name.eq_ignore_ascii_case(form.name.trim());
    let mut inputs: Vec<CredentialInput> = stored.iter().filter(|c| !is_same(c)).map(kept).collect();
    // In front, so that a fault that names a place in the list names this one.
    inputs.insert(
        0,
        CredentialInput {
            target: form.target.clone(),
            name: form.name.clone(),
            source: form.source.clone(),
            secret: if form.source == OAUTH { String::new() } else { form.which.clone() },
            provider: if form.source == OAUTH { form.which.clone() } else { String::new() },
            template: form.template.clone(),
            value: Some(form.value.clone()).filter(|value| !value.expose().is_empty()),
        },
    );
    match servers::replace_credentials(&ask.cx, &name, &inputs, form::version(&form.version)).await {
        Ok((server, _)) => {
            let toast =
                Toast::say(format!("Requests to {} carry {} from now on.", server.name, form.name.trim()));
            Ok(go_saying(&format!("{}/credentials", href(&ask, server.slug.as_str())), toast))
        }
        Err(error) => {
            let faults = beside_fields(&form::faults_of(error)?);
            render(&ask, &name, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

pub(super) async fn remove(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<CredentialForm>,
) -> PageResult {
    ask.cx.require(Permission::ServersWrite)?;
    let (_, stored) = servers::credentials_of(&ask.cx, &name).await?;
    let is_same = |c: &&Credential| c.target.as_str() == form.target && c.name == form.name;
    let inputs: Vec<CredentialInput> = stored.iter().filter(|c| !is_same(c)).map(kept).collect();
    let (server, _) =
        servers::replace_credentials(&ask.cx, &name, &inputs, form::version(&form.version)).await?;
    let toast = Toast::say(format!("Requests to {} no longer carry {}.", server.name, form.name));
    Ok(go_saying(&format!("{}/credentials", href(&ask, server.slug.as_str())), toast))
}

/// The name of a secret or a provider is typed into a field that is called otherwise: no secret stands in it.
fn beside_fields(faults: &FormFaults) -> FormFaults {
    let renamed = faults.list().iter().map(|fault| Fault {
        field: match fault.field.as_str() {
            "secret" | "provider" => "which".to_owned(),
            field => field.to_owned(),
        },
        message: fault.message.clone(),
    });
    FormFaults::from_list(renamed.collect())
}

fn kept(credential: &Credential) -> CredentialInput {
    CredentialInput {
        target: credential.target.as_str().to_owned(),
        name: credential.name.clone(),
        source: credential.source.as_str().to_owned(),
        secret: credential.secret.clone().unwrap_or_default(),
        provider: credential.provider.as_ref().map(|provider| provider.slug.clone()).unwrap_or_default(),
        template: credential.template.clone(),
        value: None,
    }
}

async fn render(
    ask: &OrgPage,
    name: &str,
    status: StatusCode,
    form: CredentialForm,
    faults: FormFaults,
) -> PageResult {
    let (server, credentials) = servers::credentials_of(&ask.cx, name).await?;
    let (_, needs) = servers::needs(&ask.cx, name).await?;
    let names = if ask.cx.may(Permission::ServersWrite) {
        servers::nameable_secrets(&ask.cx).await?
    } else {
        Vec::new()
    };
    let href = href(ask, server.slug.as_str());
    let mut shell = shell_of::org(ask, server.name.clone()).await?;
    shell.has_faults = !faults.is_empty();
    let has_account = credentials.iter().any(|one| one.source == CredentialSource::Oauth);
    let may_register = ask.cx.may(Permission::ProvidersWrite) && ask.cx.may(Permission::ServersWrite);
    page_with(
        status,
        &CredentialsPage {
            shell,
            crumbs: vec![crumb(ask)],
            tabs: tabs(&href, "/credentials", None),
            remove_action: format!("{href}/credentials/remove"),
            href,
            server,
            credentials: credentials.into_iter().enumerate().map(CarriedRow::of).collect(),
            needs: need_rows(ask, needs),
            names,
            sources: sources(&form.source),
            targets: [("header", "Header"), ("query", "Query parameter")]
                .into_iter()
                .map(|(value, label)| Choice::new(value, label).chosen_by(&form.target))
                .collect(),
            form,
            faults,
            can_write: ask.cx.may(Permission::ServersWrite),
            can_sign_in: may_register && !has_account,
        },
    )
}

fn need_rows(ask: &OrgPage, needs: Vec<Need>) -> Vec<NeedRow> {
    rows(ask.cx.org.slug.as_str(), needs)
}

fn sources(chosen: &str) -> Vec<Choice> {
    let all = [
        (CredentialSource::Static, "A value given here"),
        (CredentialSource::Oauth, "An account of whoever calls, connected at a provider"),
        (CredentialSource::OrgSecret, "A secret of the organization"),
        (CredentialSource::TeamSecret, "A secret of a team of whoever calls"),
        (CredentialSource::UserSecret, "A secret of whoever calls"),
    ];
    let choices = all.into_iter().map(|(source, label)| Choice::new(source.as_str(), label));
    Choice::chosen_of(choices, if chosen.is_empty() { CredentialSource::Static.as_str() } else { chosen })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::console::servers::samples::server;
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let row = |n: usize| CarriedRow {
        name: format!("X-{SHARP}-{n}"),
        target: "header",
        source: format!("{LONG} of the person"),
        is_sealed: n.is_multiple_of(2),
        template: LONG.repeat(3),
        dialog: format!("remove-{n}"),
        title: format!("Remove {SHARP}?"),
    };
    let page = |rows: usize, faults, can_write| CredentialsPage {
        shell: shell(Base::Organization, LONG),
        crumbs: vec![Crumb::to("Servers", "/o/acme/servers")],
        remove_action: "/o/acme/servers/github/credentials/remove".into(),
        href: "/o/acme/servers/github".into(),
        tabs: tabs("/o/acme/servers/github", "/credentials", None),
        server: server(LONG),
        credentials: (0..rows).map(row).collect(),
        needs: (0..rows.min(3)).map(NeedRow::sample).collect(),
        names: vec![SHARP.into(); rows],
        sources: sources("user_secret"),
        targets: vec![Choice::new("header", "Header")],
        form: CredentialForm { name: SHARP.into(), template: SHARP.into(), ..CredentialForm::default() },
        faults,
        can_sign_in: can_write,
        can_write,
    };
    let all = faults(&[
        ("target", "no"),
        ("name", "no"),
        ("source", "no"),
        ("which", "no"),
        ("template", "no"),
        ("value", "no"),
    ]);
    vec![
        sample("server, credentials: none", &page(0, FormFaults::default(), true)),
        sample("server, credentials: to read", &page(1, FormFaults::default(), false)),
        sample("server, credentials: many", &page(20, all, true)),
    ]
}
