//! Why does it not work: every step on the way to the catalogue, and the looks of the last days.

use askama::Template;
use axum::extract::Path;

use crate::{
    base::{page::Page, permission::Permission},
    domain::servers::{Check, Checked, Server, ToolName},
    flow::{actions::servers, catalogue::Refresh},
    web::{
        console::{
            servers::{
                crumb, href,
                words::{StepRow, shown, step_rows},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            form::Form,
            listing::{Asked, Listing},
            page::{PageResult, page_with},
            parts::Crumb,
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/servers/check.html")]
struct CheckPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
    server: Server,
    steps: Vec<StepRow>,
    is_ok: bool,
    changes: Vec<(&'static str, String)>,
    rows: Vec<CheckRow>,
    list: Listing,
    can_write: bool,
}

struct CheckRow {
    at: time::OffsetDateTime,
    is_ok: bool,
    latency: String,
    step: String,
    cause: String,
}

#[derive(serde::Deserialize)]
pub(super) struct RunForm {}

pub(super) async fn show(ask: OrgPage, Path((_, name)): Path<(String, String)>, asked: Asked) -> PageResult {
    let server = servers::find(&ask.cx, &name).await?;
    render(&ask, server, asked, None).await
}

pub(super) async fn run(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    asked: Asked,
    Form(RunForm {}): Form<RunForm>,
) -> PageResult {
    let refresh = servers::refresh(&ask.cx, &name).await?;
    render(&ask, refresh.server.clone(), asked, Some(refresh)).await
}

async fn render(ask: &OrgPage, server: Server, mut asked: Asked, refresh: Option<Refresh>) -> PageResult {
    let request = asked.page();
    let Page { items, next } = servers::health(&ask.cx, server.slug.as_str(), &request).await?;
    let href = href(ask, server.slug.as_str());
    let list = asked.listing(next.as_deref());
    let mut shell = shell_of::org(ask, format!("Check of {}", server.name)).await?;
    shell.has_faults = !list.faults.is_empty();
    page_with(
        list.status(),
        &CheckPage {
            shell,
            crumbs: vec![crumb(ask), Crumb::to(server.name.clone(), href.clone())],
            steps: refresh.as_ref().map(|refresh| step_rows(&refresh.steps)).unwrap_or_default(),
            is_ok: refresh.as_ref().is_some_and(|refresh| refresh.change.is_some()),
            changes: refresh.as_ref().map(changes).unwrap_or_default(),
            rows: items.into_iter().map(CheckRow::from).collect(),
            href,
            server,
            list,
            can_write: ask.cx.may(Permission::ServersWrite),
        },
    )
}

impl From<Check> for CheckRow {
    fn from(check: Check) -> Self {
        let (is_ok, step, cause) = match check.outcome {
            Checked::Well => (true, String::new(), String::new()),
            Checked::Failed { step, cause } => (false, step, shown(&cause)),
        };
        Self { at: check.at, is_ok, latency: format!("{} ms", check.latency_ms), step, cause }
    }
}

/// What changed, by the names of tools.
fn changes(refresh: &Refresh) -> Vec<(&'static str, String)> {
    let Some(change) = &refresh.change else { return Vec::new() };
    let names = |list: &[ToolName]| {
        let mut names: Vec<String> = list.iter().take(20).map(|name| shown(name.as_str())).collect();
        if list.len() > 20 {
            names.push(format!("and {} more", list.len() - 20));
        }
        names.join(", ")
    };
    [
        ("New", names(&change.new)),
        ("Changed", names(&change.changed)),
        ("As accepted again", names(&change.restored)),
        ("Gone", names(&change.gone)),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .collect()
}
