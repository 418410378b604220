//! What requests to a server carry: names and templates are shown, values never; and whom it would lack.

use askama::Template;
use axum::{
    extract::{Path, Query},
    http::StatusCode,
};
use serde::Deserialize;

use crate::{
    base::{permission::Permission, secret::Secret},
    domain::servers::{Credential, CredentialSource, Server},
    flow::actions::servers::{self, CredentialEdit, CredentialInput, CredentialsPreview, Need},
    web::{
        console::{
            servers::{
                credential_preview::PreviewCard,
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
            listing::with_query,
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
    /// What would change, once somebody asked.
    preview: Option<PreviewCard>,
    credentials: Vec<CarriedRow>,
    /// Whether one of the rows is open to be changed.
    is_changing: bool,
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

/// A credential, where it is changed, and the dialog that removes it.
struct CarriedRow {
    name: String,
    target: &'static str,
    source: String,
    is_sealed: bool,
    template: String,
    change: String,
    is_open: bool,
    dialog: String,
    title: String,
}

impl CarriedRow {
    fn of(href: &str, form: &CredentialForm, (at, credential): (usize, Credential)) -> Self {
        Self {
            change: with_query(&format!("{href}/credentials"), [("change", &*credential.id.to_string())]),
            is_open: form.changes(&credential),
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
pub(super) fn source_words(credential: &Credential) -> String {
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
    /// Place and name of the one that is changed; empty for a new one.
    #[serde(default)]
    was_target: String,
    #[serde(default)]
    was_name: String,
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
    /// The sealed value of an earlier preview.
    #[serde(default)]
    draft: String,
    #[serde(default)]
    version: String,
}

impl CredentialForm {
    fn fresh() -> Self {
        Self {
            target: "header".to_owned(),
            name: "Authorization".to_owned(),
            template: "Bearer {value}".to_owned(),
            ..Self::default()
        }
    }

    /// The form that changes a credential: all of it but the value.
    fn of(credential: &Credential) -> Self {
        let provider = credential.provider.as_ref().map(|provider| provider.slug.clone());
        Self {
            was_target: credential.target.as_str().to_owned(),
            was_name: credential.name.clone(),
            target: credential.target.as_str().to_owned(),
            name: credential.name.clone(),
            source: credential.source.as_str().to_owned(),
            which: provider.or_else(|| credential.secret.clone()).unwrap_or_default(),
            template: credential.template.clone(),
            ..Self::default()
        }
    }

    fn changes(&self, credential: &Credential) -> bool {
        (self.was_target.as_str(), &self.was_name) == (credential.target.as_str(), &credential.name)
    }

    /// Whether a stored credential is the one that this takes the place of.
    pub(super) fn starts_from(&self, credential: &Credential) -> bool {
        if self.was_name.is_empty() { self.leads_to(credential) } else { self.changes(credential) }
    }

    /// Whether a credential is what comes of this.
    pub(super) fn leads_to(&self, credential: &Credential) -> bool {
        self.target.trim() == credential.target.as_str()
            && self.name.trim().eq_ignore_ascii_case(&credential.name)
    }

    fn edit(&self) -> CredentialEdit {
        let which = |is_asked: bool| if is_asked { self.which.clone() } else { String::new() };
        CredentialEdit {
            was: Some((self.was_target.clone(), self.was_name.clone())).filter(|(_, name)| !name.is_empty()),
            input: CredentialInput {
                target: self.target.clone(),
                name: self.name.clone(),
                source: self.source.clone(),
                secret: which(self.source != OAUTH),
                provider: which(self.source == OAUTH),
                template: self.template.clone(),
                value: Some(self.value.clone()).filter(|value| !value.expose().is_empty()),
            },
            draft: self.draft.clone(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct ChangeQuery {
    /// The id of the one that is to be changed.
    #[serde(default)]
    change: String,
}

pub(super) async fn show(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<ChangeQuery>,
) -> PageResult {
    let mut form = CredentialForm::fresh();
    if !query.change.is_empty() && ask.cx.may(Permission::ServersWrite) {
        let (_, stored) = servers::credentials_of(&ask.cx, &name).await?;
        let asked = stored.iter().find(|one| one.id.to_string() == query.change);
        form = asked.map_or(form, CredentialForm::of);
    }
    render(&ask, &name, StatusCode::OK, form, FormFaults::default(), None).await
}

/// Shows what a new or another credential would bring, and saves nothing.
pub(super) async fn preview(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<CredentialForm>,
) -> PageResult {
    ask.cx.require(Permission::ServersWrite)?;
    let seen = form::version(&form.version);
    match servers::preview_credential(&ask.cx, &name, &form.edit(), seen).await {
        Ok((found, draft)) => {
            let form = CredentialForm { draft, ..form };
            render(&ask, &name, StatusCode::OK, form, FormFaults::default(), Some(found)).await
        }
        Err(error) => {
            let faults = beside_fields(&form::faults_of(error)?);
            render(&ask, &name, StatusCode::UNPROCESSABLE_ENTITY, form, faults, None).await
        }
    }
}

/// Adds a credential, or changes the one that was opened or has that name.
pub(super) async fn save(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<CredentialForm>,
) -> PageResult {
    ask.cx.require(Permission::ServersWrite)?;
    match servers::save_credential(&ask.cx, &name, &form.edit(), form::version(&form.version)).await {
        Ok(server) => {
            let toast =
                Toast::say(format!("Requests to {} carry {} from now on.", server.name, form.name.trim()));
            Ok(go_saying(&format!("{}/credentials", href(&ask, server.slug.as_str())), toast))
        }
        Err(error) => {
            let faults = beside_fields(&form::faults_of(error)?);
            render(&ask, &name, StatusCode::UNPROCESSABLE_ENTITY, form, faults, None).await
        }
    }
}

pub(super) async fn remove(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<CredentialForm>,
) -> PageResult {
    ask.cx.require(Permission::ServersWrite)?;
    let seen = form::version(&form.version);
    let server =
        servers::remove_credential(&ask.cx, &name, (form.target.as_str(), form.name.as_str()), seen).await?;
    let toast = Toast::say(format!("Requests to {} no longer carry {}.", server.name, form.name));
    Ok(go_saying(&format!("{}/credentials", href(&ask, server.slug.as_str())), toast))
}

/// The name of a secret or a provider is typed into a field that is called otherwise: no secret stands in it. What is wrong
/// with the list as a whole comes of the name.
fn beside_fields(faults: &FormFaults) -> FormFaults {
    let renamed = faults.list().iter().map(|fault| Fault {
        field: match fault.field.as_str() {
            "secret" | "provider" => "which".to_owned(),
            "credentials" => "name".to_owned(),
            field => field.to_owned(),
        },
        message: fault.message.clone(),
    });
    FormFaults::from_list(renamed.collect())
}

async fn render(
    ask: &OrgPage,
    name: &str,
    status: StatusCode,
    mut form: CredentialForm,
    faults: FormFaults,
    found: Option<CredentialsPreview>,
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
    let is_changing = credentials.iter().any(|one| form.changes(one));
    if !is_changing {
        // What was to be changed is gone; what was typed can still be added.
        (form.was_target, form.was_name) = (String::new(), String::new());
    }
    let preview = found.map(|found| PreviewCard::of(ask.cx.org.slug.as_str(), found, &form));
    let row = |one| CarriedRow::of(&href, &form, one);
    let credential_rows = credentials.iter().cloned().enumerate().map(row).collect();
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
            credentials: credential_rows,
            preview,
            is_changing,
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
        change: format!("/o/acme/servers/github/credentials?change={n}"),
        is_open: false,
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
        preview: None,
        credentials: (0..rows).map(row).collect(),
        is_changing: false,
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
    let mut changing = page(3, FormFaults::default(), true);
    changing.credentials[1].is_open = true;
    (changing.is_changing, changing.preview) = (true, Some(PreviewCard::sample()));
    vec![
        sample("server, credentials: none", &page(0, FormFaults::default(), true)),
        sample("server, credentials: to read", &page(1, FormFaults::default(), false)),
        sample("server, credentials: many", &page(20, all, true)),
        sample("server, credentials: one is changed", &changing),
    ]
}
