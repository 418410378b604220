//! Changing, switching and deleting a provider.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::permission::Permission,
    domain::connections::{Obtaining, Provider},
    flow::actions::providers::{self, ProviderChange},
    web::{
        console::{
            providers::{crumb, href, list_href, words},
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

/// The form.
#[derive(Template)]
#[template(path = "console/providers/form.html")]
struct EditPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
    tells_apart: bool,
    /// Whether there is no client, for people make keys.
    is_key: bool,
    form: EditForm,
    faults: FormFaults,
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct EditForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    scopes: String,
    #[serde(default)]
    user_scopes: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
pub(super) struct StepForm {
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    version: String,
}

pub(super) async fn edit(ask: OrgPage, Path((_, name)): Path<(String, String)>) -> PageResult {
    ask.cx.require(Permission::ProvidersWrite)?;
    let provider = providers::find(&ask.cx, &name).await?;
    let form = EditForm {
        name: provider.name.clone(),
        slug: provider.slug.to_string(),
        client_id: provider.client_id.clone(),
        scopes: words::typed(&provider.scopes),
        user_scopes: words::typed(&provider.user_scopes),
        version: provider.version.to_string(),
    };
    render(&ask, &provider, StatusCode::OK, form, FormFaults::default()).await
}

pub(super) async fn save(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(mut form): Form<EditForm>,
) -> PageResult {
    let change = ProviderChange {
        slug: Some(form.slug.clone()),
        name: Some(form.name.clone()),
        client_id: Some(form.client_id.clone()),
        scopes: Some(words::scopes(&form.scopes)),
        user_scopes: Some(words::scopes(&form.user_scopes)),
    };
    match providers::update(&ask.cx, &name, change, form::version(&form.version)).await {
        Ok(provider) => Ok(go_saying(&href(&ask, &provider), Toast::say("Saved."))),
        Err(error) => {
            let faults = form::faults_of(error)?;
            let provider = providers::find(&ask.cx, &name).await?;
            // Saving again now replaces what the other person wrote, as the message says.
            form.version = provider.version.to_string();
            render(&ask, &provider, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

pub(super) async fn disable(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let provider = providers::disable(&ask.cx, &name, form::version(&form.version)).await?;
    let href = href(&ask, &provider);
    let text = format!("{} is disabled. Nobody can connect through it from now on.", provider.name);
    let undo = Toast::with_undo(text, format!("{href}/enable"), [("version", provider.version.to_string())]);
    Ok(go_saying(&href, undo))
}

pub(super) async fn enable(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let provider = providers::enable(&ask.cx, &name, form::version(&form.version)).await?;
    let href = href(&ask, &provider);
    let text = format!("{} is enabled. People can connect through it again.", provider.name);
    let undo = Toast::with_undo(text, format!("{href}/disable"), [("version", provider.version.to_string())]);
    Ok(go_saying(&href, undo))
}

pub(super) async fn delete(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    ask.cx.require(Permission::ProvidersWrite)?;
    let provider = providers::find(&ask.cx, &name).await?;
    form::confirmed(&form.confirm, provider.slug.as_str())?;
    let provider = providers::delete(&ask.cx, &name, form::version(&form.version)).await?;
    let toast = Toast::say(format!("{} and its secret were deleted.", provider.name));
    Ok(go_saying(&list_href(&ask), toast))
}

async fn render(
    ask: &OrgPage,
    provider: &Provider,
    status: StatusCode,
    form: EditForm,
    faults: FormFaults,
) -> PageResult {
    let href = href(ask, provider);
    let mut shell = shell_of::org(ask, format!("Change {}", provider.name)).await?;
    shell.has_faults = !faults.is_empty();
    let crumbs = vec![crumb(ask), Crumb::to(provider.name.clone(), href.clone())];
    let tells_apart = provider.preset().is_some_and(|preset| preset.user_scope_parameter.is_some());
    let is_key = provider.obtaining() == Obtaining::Key;
    page_with(status, &EditPage { shell, crumbs, href, tells_apart, is_key, form, faults })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::console::providers::samples::all_wrong;
    use crate::web::kit::{
        samples::{SHARP, sample, shell},
        shell::Base,
    };

    let edit = |name: &str, faults| EditPage {
        shell: shell(Base::Organization, "Change GitLab"),
        crumbs: Vec::new(),
        href: "/o/acme/providers/gitlab".into(),
        tells_apart: !name.is_empty(),
        is_key: false,
        form: EditForm { name: name.into(), scopes: name.into(), ..EditForm::default() },
        faults,
    };
    vec![
        sample("provider, change: empty", &edit("", FormFaults::default())),
        sample("provider, change: refused", &edit(SHARP, all_wrong())),
    ]
}
