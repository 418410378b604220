//! Why does it not work: every step on the way to the catalogue, and the looks of the last days.

use askama::Template;
use axum::extract::Path;

use crate::{
    base::{page::Page, permission::Permission},
    domain::servers::{Check, Checked, Server, ToolName},
    flow::{
        actions::servers,
        catalogue::{Onlooker, Refresh, StepName, StepReport},
    },
    web::{
        console::{
            servers::{
                crumb, href,
                needs::NeedRow,
                show::missing,
                words::{StepRow, rows_under_way, shown, step_rows},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            faults::PageError,
            form::Form,
            listing::{Asked, Listing},
            live::{self, Live},
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
    /// Secrets that are asked for and not there for whoever looks.
    needs: Vec<NeedRow>,
    checked: Outcome,
    can_write: bool,
}

/// What a check found, alone.
#[derive(Template)]
#[template(path = "console/servers/checked.html")]
struct CheckedPiece {
    checked: Outcome,
}

/// What a check found, and the checks of the last days.
struct Outcome {
    href: String,
    server: Server,
    steps: Vec<StepRow>,
    is_ok: bool,
    changes: Vec<(&'static str, String)>,
    rows: Vec<CheckRow>,
    list: Listing,
    is_piece: bool,
}

impl Outcome {
    const fn title(&self) -> &'static str {
        if self.is_ok { "The catalogue was read" } else { "The way ends before its tools" }
    }
}

/// The steps of a check while it goes on, for this page and for the one that adds a server.
#[derive(Template)]
#[template(path = "console/servers/under_way.html")]
struct UnderWay {
    steps: Vec<StepRow>,
    said: String,
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
    live: Live,
    Form(RunForm {}): Form<RunForm>,
) -> PageResult {
    if live.is_wanted {
        return run_watched(ask, name, asked).await;
    }
    let refresh = servers::refresh(&ask.cx, &name, Onlooker::default()).await?;
    render(&ask, refresh.server.clone(), asked, Some(refresh)).await
}

/// Runs the check while the page shows each step.
async fn run_watched(ask: OrgPage, name: String, asked: Asked) -> PageResult {
    ask.cx.require(Permission::ServersWrite)?;
    servers::find(&ask.cx, &name).await?;
    let (onlooker, seen) = Onlooker::watching();
    let work = async move {
        let last = async {
            let refresh = servers::refresh(&ask.cx, &name, onlooker).await?;
            let server = refresh.server.clone();
            let checked = Outcome { is_piece: true, ..outcome(&ask, server, asked, Some(refresh)).await? };
            live::piece(&CheckedPiece { checked })
        };
        last.await.unwrap_or_else(|error| live::broken_off(error, ask.cx.origin.request))
    };
    Ok(live::pieces(seen, |taken: &Vec<StepReport>| under_way(taken), Box::pin(work)))
}

async fn render(ask: &OrgPage, server: Server, asked: Asked, refresh: Option<Refresh>) -> PageResult {
    let mut shell = shell_of::org(ask, format!("Check of {}", server.name)).await?;
    let checked = outcome(ask, server, asked, refresh).await?;
    shell.has_faults = !checked.list.faults.is_empty();
    let crumbs = vec![crumb(ask), Crumb::to(checked.server.name.clone(), checked.href.clone())];
    let can_write = ask.cx.may(Permission::ServersWrite);
    let (_, needs) = servers::needs(&ask.cx, checked.server.slug.as_str()).await?;
    let needs = missing(ask, needs);
    page_with(checked.list.status(), &CheckPage { shell, crumbs, needs, checked, can_write })
}

async fn outcome(
    ask: &OrgPage,
    server: Server,
    mut asked: Asked,
    refresh: Option<Refresh>,
) -> Result<Outcome, PageError> {
    let request = asked.page();
    let Page { items, next } = servers::health(&ask.cx, server.slug.as_str(), &request).await?;
    Ok(Outcome {
        href: href(ask, server.slug.as_str()),
        steps: refresh.as_ref().map(|refresh| step_rows(&refresh.steps)).unwrap_or_default(),
        is_ok: refresh.as_ref().is_some_and(|refresh| refresh.change.is_some()),
        changes: refresh.as_ref().map(changes).unwrap_or_default(),
        rows: items.into_iter().map(CheckRow::from).collect(),
        server,
        list: asked.listing(next.as_deref()),
        is_piece: false,
    })
}

impl From<Check> for CheckRow {
    fn from(check: Check) -> Self {
        let (is_ok, step, cause) = match check.outcome {
            Checked::Well => (true, String::new(), String::new()),
            Checked::Failed { step, cause } => {
                let label = StepName::parse(&step).map(|name| name.label().to_owned());
                (false, label.unwrap_or(step), shown(&cause))
            }
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

/// The piece that shows how far a check has come.
pub(super) fn under_way(taken: &[StepReport]) -> String {
    let steps = rows_under_way(taken);
    let last = taken.len().checked_sub(1).and_then(|at| steps.get(at));
    let said = last.map(|step| format!("{}: {}", step.label, step.text));
    UnderWay { said: said.unwrap_or_default(), steps }.render().unwrap_or_default()
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::console::servers::samples::{server, steps};
    use crate::web::kit::{
        samples::{AT, LONG, SHARP, list, sample, shell},
        shell::Base,
    };

    let row = |n: usize| CheckRow {
        at: AT,
        is_ok: n.is_multiple_of(2),
        latency: "12 ms".into(),
        step: "Connection".into(),
        cause: if n.is_multiple_of(2) { String::new() } else { LONG.into() },
    };
    let page = |steps: Vec<StepRow>, is_ok: bool, rows: usize, list| CheckPage {
        shell: shell(Base::Organization, LONG),
        crumbs: vec![Crumb::to("Servers", "/o/acme/servers")],
        needs: (0..rows.min(3)).map(NeedRow::sample).collect(),
        checked: Outcome {
            href: "/o/acme/servers/github".into(),
            server: server(LONG),
            steps,
            is_ok,
            changes: if rows > 3 { vec![("New", SHARP.repeat(9))] } else { Vec::new() },
            rows: (0..rows).map(row).collect(),
            list,
            is_piece: false,
        },
        can_write: true,
    };
    let failed = || step_rows(&steps(Some(StepName::Tls)));
    vec![
        sample("server, check: never", &page(Vec::new(), false, 0, Listing::default())),
        sample("server, check: failed", &page(failed(), false, 2, Listing::default())),
        sample("server, check: well", &page(step_rows(&steps(None)), true, 3, Listing::default())),
        sample("server, check: many", &page(step_rows(&steps(None)), true, 50, list())),
    ]
}
