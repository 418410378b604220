//! How a policy is called, what it is about, where it is in force, and its end.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::permission::Permission,
    flow::{
        actions::policies::{self, PolicyChange, PolicySheet},
        fault::ActionError,
    },
    web::{
        console::{
            policies::{Head, href, list_href, new::choices, place_words},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            parts::Choice,
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/policies/settings.html")]
struct SettingsPage {
    shell: Shell,
    head: Head,
    slug: String,
    /// The slug of the server whose tools it is about; empty for any.
    server: String,
    /// Where it is in force; empty for nowhere.
    places: String,
    servers: Vec<Choice>,
    delete_action: String,
    delete_title: String,
    form: SettingsForm,
    faults: FormFaults,
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct SettingsForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    server: String,
    #[serde(default)]
    version: String,
}

impl SettingsForm {
    fn of(sheet: &PolicySheet) -> Self {
        Self {
            name: sheet.policy.name.clone(),
            slug: sheet.policy.slug.clone(),
            description: sheet.policy.description.clone(),
            server: sheet.server.clone().unwrap_or_default(),
            version: sheet.policy.version.to_string(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct DeleteForm {
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    version: String,
}

pub(super) async fn show(ask: OrgPage, Path((_, name)): Path<(String, String)>) -> PageResult {
    let sheet = policies::find(&ask.cx, &name).await?;
    let form = SettingsForm::of(&sheet);
    render(&ask, StatusCode::OK, &sheet, form, FormFaults::default()).await
}

pub(super) async fn save(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(mut form): Form<SettingsForm>,
) -> PageResult {
    let change = PolicyChange {
        name: Some(form.name.clone()),
        slug: Some(form.slug.clone()),
        description: Some(form.description.clone()),
        server: Some(Some(form.server.clone())),
    };
    match policies::update(&ask.cx, &name, change, form::version(&form.version)).await {
        Ok(sheet) => {
            Ok(go_saying(&format!("{}/settings", href(&ask, &sheet.policy.slug)), Toast::say("Saved.")))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            let sheet = policies::find(&ask.cx, &name).await?;
            // Saving again now replaces what the other person wrote, as the message says.
            form.version = sheet.policy.version.to_string();
            render(&ask, StatusCode::UNPROCESSABLE_ENTITY, &sheet, form, faults).await
        }
    }
}

pub(super) async fn delete(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<DeleteForm>,
) -> PageResult {
    ask.cx.require(Permission::PoliciesWrite)?;
    let sheet = policies::find(&ask.cx, &name).await?;
    form::confirmed(&form.confirm, &sheet.policy.slug)?;
    match policies::delete(&ask.cx, &name, form::version(&form.version)).await {
        Ok(policy) => {
            let toast = Toast::say(format!("{} and its versions were deleted.", policy.name));
            Ok(go_saying(&list_href(&ask), toast))
        }
        Err(ActionError::Refused(refused)) => {
            let faults = form::faults_of(ActionError::field("", refused.sentence))?;
            render(&ask, StatusCode::CONFLICT, &sheet, SettingsForm::of(&sheet), faults).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn render(
    ask: &OrgPage,
    status: StatusCode,
    sheet: &PolicySheet,
    form: SettingsForm,
    faults: FormFaults,
) -> PageResult {
    let head = Head::of(ask, &sheet.policy, "/settings");
    let servers = if head.can_write { policies::server_choices(&ask.cx).await? } else { Vec::new() };
    let page = SettingsPage {
        shell: shell_of::org(ask, sheet.policy.name.clone()).await?.with_faults(!faults.is_empty()),
        delete_action: format!("{}/delete", head.href),
        delete_title: format!("Delete {}?", head.name),
        head,
        slug: sheet.policy.slug.clone(),
        server: sheet.server.clone().unwrap_or_default(),
        places: place_words(sheet.policy.places),
        servers: choices(&servers, &form.server),
        form,
        faults,
    };
    page_with(status, &page)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::policies::sample_head,
        kit::{
            samples::{LONG, SHARP, faults, sample, shell},
            shell::Base,
        },
    };

    let page = |name: &str, can_write: bool, places: &str, faults| SettingsPage {
        shell: shell(Base::Organization, name),
        head: sample_head(name, false, can_write),
        slug: "engineering-on-github".into(),
        server: if can_write { "github".into() } else { String::new() },
        places: places.into(),
        servers: vec![Choice::new("", "Tools of any server"), Choice::new("github", LONG)],
        delete_action: "/x".into(),
        delete_title: name.into(),
        form: SettingsForm { name: name.into(), description: LONG.repeat(5), ..SettingsForm::default() },
        faults,
    };
    let all = faults(&[("", "no"), ("name", "no"), ("slug", "no"), ("description", "no"), ("server", "no")]);
    vec![
        sample("policy, settings", &page("Locked", true, "", FormFaults::default())),
        sample("policy, settings: read", &page(SHARP, false, "the organization", FormFaults::default())),
        sample("policy, settings: refused", &page(LONG, true, "the organization, 9 grants", all)),
    ]
}
