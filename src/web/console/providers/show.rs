//! One provider, and another secret for its client.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{permission::Permission, secret::Secret},
    domain::connections::{
        Obtaining, Places, Preset, Provider, ProviderSource, TemplateParts, presets_checked_on,
    },
    flow::actions::providers::{self, ProviderSheet},
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
    delete_title: String,
    delete_action: String,
    provider: Provider,
    created_by: String,
    callback: String,
    kind: String,
    /// How the client came to be known there.
    enrolment: &'static str,
    variables: Vec<(String, String)>,
    secret_age: String,
    preset: Option<&'static Preset>,
    doubts: String,
    checked_on: &'static str,
    faults: FormFaults,
    can_write: bool,
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
            let text = format!("The new secret of {} is in use. Nobody was disconnected.", provider.name);
            Ok(go_saying(&href(&ask, &provider), Toast::say(text)))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            let sheet = providers::sheet(&ask.cx, &name).await?;
            render(&ask, StatusCode::UNPROCESSABLE_ENTITY, sheet, faults).await
        }
    }
}

async fn render(ask: &OrgPage, status: StatusCode, sheet: ProviderSheet, faults: FormFaults) -> PageResult {
    let ProviderSheet { provider, created_by, callback } = sheet;
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
        href,
        created_by: created_by.unwrap_or_default(),
        callback,
        kind: words::kind(&provider),
        enrolment: words::enrolment(provider.enrolment),
        variables: variables(&provider),
        secret_age: age.map(words::age).unwrap_or_default(),
        doubts: preset.map(words::unverified).unwrap_or_default(),
        preset,
        checked_on: presets_checked_on(),
        provider,
        faults,
        can_write: ask.cx.may(Permission::ProvidersWrite),
    };
    page_with(status, &page)
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
    use crate::web::console::providers::samples::{all_wrong, client, key, of_preset, own, provider};
    use crate::web::kit::{
        samples::{LONG, SHARP, sample, shell},
        shell::Base,
    };

    let one = |provider: Provider, faults, can_write| {
        let preset = provider.preset();
        ProviderPage {
            shell: shell(Base::Organization, "GitLab"),
            crumbs: vec![Crumb::to("Providers", "/o/acme/providers")],
            href: "/o/acme/providers/gitlab".into(),
            delete_title: "Delete GitLab?".into(),
            delete_action: "/o/acme/providers/gitlab/delete".into(),
            created_by: LONG.into(),
            callback: format!("https://portreeve.example/oauth/callback/{}", provider.id),
            kind: words::kind(&provider),
            enrolment: words::enrolment(provider.enrolment),
            variables: variables(&provider),
            secret_age: words::age(400),
            doubts: preset.map(words::unverified).unwrap_or_default(),
            preset,
            checked_on: presets_checked_on(),
            provider,
            faults,
            can_write,
        }
    };
    let usual = provider(of_preset("gitlab"), "GitLab", false);
    let lost = provider(of_preset("gone"), SHARP, true);
    vec![
        sample("provider: of a preset", &one(usual, FormFaults::default(), true)),
        sample("provider: refused", &one(provider(own(), LONG, false), all_wrong(), true)),
        sample("provider: off, to read", &one(lost, FormFaults::default(), false)),
        sample("provider: client", &one(provider(client(), LONG, false), FormFaults::default(), true)),
        sample("provider: key", &one(provider(key(), SHARP, false), FormFaults::default(), true)),
    ]
}
