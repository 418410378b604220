//! Changing, switching and deleting a server.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::permission::Permission,
    domain::servers::Server,
    flow::actions::servers::{self, ServerChange},
    web::{
        console::{
            servers::{crumb, href, list_href},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            shell::Shell,
        },
    },
};

/// The form.
#[derive(Template)]
#[template(path = "console/servers/form.html")]
struct ServerFormPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
    transports: Vec<Choice>,
    form: ServerForm,
    faults: FormFaults,
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct ServerForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    transport: String,
    #[serde(default)]
    url: String,
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
    ask.cx.require(Permission::ServersWrite)?;
    let server = servers::find(&ask.cx, &name).await?;
    let form = ServerForm {
        name: server.name.clone(),
        slug: server.slug.to_string(),
        description: server.description.clone(),
        transport: server.transport.as_str().to_owned(),
        url: server.url.clone(),
        version: server.version.to_string(),
    };
    render(&ask, &server, StatusCode::OK, form, FormFaults::default()).await
}

pub(super) async fn save(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(mut form): Form<ServerForm>,
) -> PageResult {
    let change = ServerChange {
        name: Some(form.name.clone()),
        slug: Some(form.slug.clone()),
        description: Some(form.description.clone()),
        transport: Some(form.transport.clone()),
        url: Some(form.url.clone()),
        enabled: None,
    };
    match servers::update(&ask.cx, &name, change, form::version(&form.version)).await {
        Ok(server) => Ok(go_saying(&href(&ask, server.slug.as_str()), Toast::say("Saved."))),
        Err(error) => {
            let faults = form::faults_of(error)?;
            let server = servers::find(&ask.cx, &name).await?;
            // Saving again now replaces what the other person wrote, as the message says.
            form.version = server.version.to_string();
            render(&ask, &server, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

pub(super) async fn disable(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let server = servers::disable(&ask.cx, &name, form::version(&form.version)).await?;
    let href = href(&ask, server.slug.as_str());
    let text = format!("{} is disabled. Agents cannot reach it from now on.", server.name);
    let undo = Toast::with_undo(text, format!("{href}/enable"), [("version", server.version.to_string())]);
    Ok(go_saying(&href, undo))
}

pub(super) async fn enable(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let server = servers::enable(&ask.cx, &name, form::version(&form.version)).await?;
    let href = href(&ask, server.slug.as_str());
    let text = format!("{} is enabled. Agents may reach it again.", server.name);
    let undo = Toast::with_undo(text, format!("{href}/disable"), [("version", server.version.to_string())]);
    Ok(go_saying(&href, undo))
}

pub(super) async fn delete(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    ask.cx.require(Permission::ServersWrite)?;
    let server = servers::find(&ask.cx, &name).await?;
    form::confirmed(&form.confirm, server.slug.as_str())?;
    let server = servers::delete(&ask.cx, &name, form::version(&form.version)).await?;
    let toast = Toast::say(format!("{} and its catalogue were deleted.", server.name));
    Ok(go_saying(&list_href(&ask), toast))
}

async fn render(
    ask: &OrgPage,
    server: &Server,
    status: StatusCode,
    form: ServerForm,
    faults: FormFaults,
) -> PageResult {
    let href = href(ask, server.slug.as_str());
    let mut shell = shell_of::org(ask, format!("Change {}", server.name)).await?;
    shell.has_faults = !faults.is_empty();
    let crumbs = vec![crumb(ask), Crumb::to(server.name.clone(), href.clone())];
    let transports = [("http", "Streamable HTTP"), ("sse", "HTTP with SSE")]
        .into_iter()
        .map(|(value, label)| Choice::new(value, label).chosen_by(&form.transport))
        .collect();
    page_with(status, &ServerFormPage { shell, crumbs, href, transports, form, faults })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let page = |form, faults| ServerFormPage {
        shell: shell(Base::Organization, LONG),
        crumbs: vec![Crumb::to("Servers", "/o/acme/servers")],
        href: "/o/acme/servers/github".into(),
        transports: vec![Choice::new("http", "Streamable HTTP")],
        form,
        faults,
    };
    let full = || ServerForm {
        name: SHARP.into(),
        slug: SHARP.into(),
        description: LONG.repeat(5),
        transport: "http".into(),
        url: "https://mcp.example.com/mcp".into(),
        version: "7".into(),
    };
    let all = faults(&[("", "no"), ("name", "no"), ("slug", "no"), ("url", "no"), ("description", "no")]);
    vec![
        sample("server, change: empty", &page(ServerForm::default(), FormFaults::default())),
        sample("server, change", &page(full(), FormFaults::default())),
        sample("server, change: refused", &page(full(), all)),
    ]
}
