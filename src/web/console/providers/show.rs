//! One provider, and another secret or key for its client.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{permission::Permission, secret::Secret},
    domain::connections::{NewerPreset, Obtaining, Places, Preset, Provider, ProviderSource, TemplateParts},
    flow::actions::{
        connections::meaning,
        providers::{self, Need, ProviderSheet, Standing},
    },
    web::{
        console::{
            providers::{crumb, href, words},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            parts::Crumb,
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/providers/show.html")]
struct ProviderPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
    /// Where an account is connected.
    connect: String,
    delete_title: String,
    delete_action: String,
    provider: Provider,
    created_by: String,
    callback: String,
    /// Where the keys of a client that signs are read.
    keys: Option<String>,
    kind: String,
    /// How the client came to be known there.
    enrolment: &'static str,
    variables: Vec<(String, String)>,
    secret_age: String,
    preset: Option<&'static Preset>,
    doubts: String,
    /// The present version of the preset, where the provider goes by an older one.
    newer: Option<NewerPreset>,
    /// Scopes, asked for or needed.
    scopes: Vec<ScopeRow>,
    /// How its accounts fare; none for who may not see them.
    accounts: Option<Standing>,
    faults: FormFaults,
    can_write: bool,
}

/// A scope.
struct ScopeRow {
    scope: String,
    is_asked: bool,
    /// One of the tools that need it; empty where none is known to.
    tool: String,
    /// The tool's page.
    href: String,
}

impl ProviderPage {
    const fn parts(&self) -> Option<&TemplateParts> {
        self.provider.source.parts()
    }

    fn is_of_server(&self) -> bool {
        self.parts().is_some_and(|parts| parts.resource.is_some())
    }

    fn is_lost(&self) -> bool {
        self.provider.template().is_none() && !self.is_key()
    }

    fn is_key(&self) -> bool {
        self.provider.obtaining() == Obtaining::Key
    }

    /// Whether somebody signs in there and comes back.
    fn has_callback(&self) -> bool {
        self.provider.obtaining() == Obtaining::SignIn
    }

    fn places(&self) -> Places<'_> {
        self.provider.source.places()
    }

    fn has_notes(&self) -> bool {
        self.preset.is_some_and(|preset| !preset.notes.is_empty() || !preset.unconfirmed.is_empty())
            || !self.doubts.is_empty()
    }

    /// What a trouble means, who can help and how.
    fn means(&self, code: &str) -> Option<String> {
        meaning(&self.provider.name, code)
    }

    fn lifetime(&self) -> String {
        words::lifetime(self.preset.and_then(|preset| preset.lifetime))
    }

    fn ends_there(&self) -> &'static str {
        let can = self.provider.template().is_some_and(|template| template.can_revoke());
        if can { "yes, when somebody disconnects" } else { "no; its owner does so at the provider" }
    }
}

#[derive(Deserialize)]
pub(super) struct SecretForm {
    #[serde(default)]
    client_secret: Secret<String>,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
pub(super) struct PresetForm {
    /// The version of the preset that was looked at.
    #[serde(default)]
    to: String,
    #[serde(default)]
    version: String,
}

pub(super) async fn show(ask: OrgPage, Path((_, name)): Path<(String, String)>) -> PageResult {
    let sheet = providers::sheet(&ask.cx, &name).await?;
    render(&ask, StatusCode::OK, sheet, FormFaults::default()).await
}

pub(super) async fn rotate(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<SecretForm>,
) -> PageResult {
    match providers::rotate(&ask.cx, &name, &form.client_secret, form::version(&form.version)).await {
        Ok(provider) => {
            let name = &provider.name;
            let text = match provider.signs() {
                true => format!("The new key of {name} signs from now on. Nobody was disconnected."),
                false => format!("The new secret of {name} is in use. Nobody was disconnected."),
            };
            Ok(go_saying(&href(&ask, &provider), Toast::say(text)))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            let sheet = providers::sheet(&ask.cx, &name).await?;
            render(&ask, StatusCode::UNPROCESSABLE_ENTITY, sheet, faults).await
        }
    }
}

/// Has the provider go by the present version of its preset, as the page showed it.
pub(super) async fn take_preset(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<PresetForm>,
) -> PageResult {
    let (to, seen) = (form.to.parse().ok(), form::version(&form.version));
    let provider = providers::take_preset(&ask.cx, &name, to, seen).await?;
    let said = match provider.preset() {
        Some(preset) => {
            format!("{} goes by version {} of {} now.", provider.name, preset.version, preset.name)
        }
        None => "Saved.".to_owned(),
    };
    Ok(go_saying(&href(&ask, &provider), Toast::say(said)))
}

async fn render(ask: &OrgPage, status: StatusCode, sheet: ProviderSheet, faults: FormFaults) -> PageResult {
    let ProviderSheet { provider, created_by, callback, keys, needs, accounts } = sheet;
    let href = href(ask, &provider);
    let mut shell = shell_of::org(ask, provider.name.clone()).await?;
    shell.has_faults = !faults.is_empty();
    let preset = provider.preset();
    let age = provider.secret.as_ref().map(|secret| (ask.cx.now() - secret.changed_at).whole_days());
    let page = ProviderPage {
        shell,
        crumbs: vec![crumb(ask)],
        delete_title: format!("Delete {}?", provider.name),
        delete_action: format!("{href}/delete"),
        connect: format!("/me/accounts/{}/connect/{}", ask.cx.org.slug, provider.slug),
        href,
        created_by: created_by.unwrap_or_default(),
        callback,
        keys,
        kind: words::kind(&provider),
        enrolment: words::enrolment(provider.enrolment),
        variables: variables(&provider),
        secret_age: age.map(words::age).unwrap_or_default(),
        doubts: preset.map(words::unverified).unwrap_or_default(),
        preset,
        newer: provider.newer_preset(),
        scopes: scope_rows(&provider, needs, &format!("/o/{}/servers", ask.cx.org.slug)),
        accounts,
        provider,
        faults,
        can_write: ask.cx.may(Permission::ProvidersWrite),
    };
    page_with(status, &page)
}

/// What is asked for, with a tool that needs it, and below it what tools need beyond.
fn scope_rows(provider: &Provider, needs: Vec<Need>, servers: &str) -> Vec<ScopeRow> {
    let href = |need: &Need| format!("{servers}/{}/tools/{}", need.server, need.tool);
    let asked = provider.scopes.iter().map(|scope| {
        let need = needs.iter().find(|need| need.scope == *scope);
        ScopeRow {
            scope: scope.clone(),
            is_asked: true,
            tool: need.map(|need| need.tool.clone()).unwrap_or_default(),
            href: need.map(href).unwrap_or_default(),
        }
    });
    let beyond = needs.iter().filter(|need| !need.is_asked).map(|need| ScopeRow {
        scope: need.scope.clone(),
        is_asked: false,
        tool: need.tool.clone(),
        href: href(need),
    });
    asked.chain(beyond).collect()
}

fn variables(provider: &Provider) -> Vec<(String, String)> {
    let ProviderSource::Preset { variables, .. } = &provider.source else { return Vec::new() };
    let label = |name: &String| {
        let known =
            provider.preset().and_then(|preset| preset.variables.iter().find(|one| one.name == *name));
        known.map_or_else(|| name.clone(), |variable| words::capital(&variable.label))
    };
    variables.iter().map(|(name, value)| (label(name), value.clone())).collect()
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use time::OffsetDateTime;

    use crate::base::ids::ConnectionId;
    use crate::domain::connections::{PresetDifference, Trouble, preset};
    use crate::web::console::providers::samples::{
        all_wrong, client, key, of_preset, own, provider, signing,
    };
    use crate::web::kit::{
        samples::{LONG, SHARP, sample, shell},
        shell::Base,
    };

    let needs = || {
        let need = |scope: &str, is_asked| Need {
            scope: scope.into(),
            tool: LONG.into(),
            server: "github".into(),
            is_asked,
        };
        vec![need("GitLab", true), need(LONG, false), need(SHARP, false)]
    };
    let troubles = || {
        let trouble = |text: &str| Trouble {
            connection: ConnectionId::fresh(),
            title: text.into(),
            at: OffsetDateTime::UNIX_EPOCH,
            code: "invalid_client".into(),
            words: text.into(),
        };
        vec![trouble(LONG), trouble(""), trouble(SHARP)]
    };
    let one = |provider: Provider, faults, can_write: bool| {
        let preset = provider.preset();
        ProviderPage {
            shell: shell(Base::Organization, "GitLab"),
            crumbs: vec![Crumb::to("Providers", "/o/acme/providers")],
            href: "/o/acme/providers/gitlab".into(),
            connect: "/me/accounts/acme/connect/gitlab".into(),
            delete_title: "Delete GitLab?".into(),
            delete_action: "/o/acme/providers/gitlab/delete".into(),
            created_by: LONG.into(),
            callback: format!("https://portreeve.example/oauth/callback/{}", provider.id),
            keys: provider
                .signs()
                .then(|| format!("https://portreeve.example/oauth/clients/{}/jwks.json", provider.id)),
            kind: words::kind(&provider),
            enrolment: words::enrolment(provider.enrolment),
            variables: variables(&provider),
            secret_age: words::age(400),
            doubts: preset.map(words::unverified).unwrap_or_default(),
            preset,
            newer: None,
            scopes: scope_rows(&provider, needs(), "/o/acme/servers"),
            accounts: can_write.then(|| Standing {
                all: 12,
                broken: i64::from(provider.disabled_at.is_none()),
                resting: 1,
                troubles: troubles(),
            }),
            provider,
            faults,
            can_write,
        }
    };
    let usual = provider(of_preset("gitlab"), "GitLab", false);
    let newer = |is_fitting| {
        let differs = |what| PresetDifference { what, now: LONG.into(), then: SHARP.into() };
        let differences = vec![differs("Where it gives tokens"), differs("PKCE")];
        NewerPreset { to: preset("gitlab").expect("a preset"), differences, is_fitting }
    };
    let aged = |is_fitting| ProviderPage {
        newer: Some(newer(is_fitting)),
        ..one(usual.clone(), FormFaults::default(), true)
    };
    let lost = provider(of_preset("gone"), SHARP, true);
    vec![
        sample("provider: of an older preset", &aged(true)),
        sample("provider: of a preset that asks for more", &aged(false)),
        sample("provider: of a preset", &one(usual, FormFaults::default(), true)),
        sample("provider: refused", &one(provider(own(), LONG, false), all_wrong(), true)),
        sample("provider: off, to read", &one(lost, FormFaults::default(), false)),
        sample("provider: client", &one(provider(client(), LONG, false), FormFaults::default(), true)),
        sample("provider: client that signs", &one(provider(signing(), LONG, false), all_wrong(), true)),
        sample("provider: key", &one(provider(key(), SHARP, false), FormFaults::default(), true)),
    ]
}
