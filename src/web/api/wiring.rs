//! `wiring` of the JSON API: whether everything is in place, and how one account fares link by link.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    base::{ids::ConnectionId, permission::Permission, trace::Fixer},
    flow::actions::{
        connections,
        findings::Finding,
        wiring::{self, Lacking, Wired},
    },
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult},
        openapi::Operation,
        routes::Routes,
    },
};

/// The operations.
pub fn routes() -> Routes {
    Routes::default()
        .api(
            Operation::get("/orgs/{org}/wiring", "getWiring")
                .about("Wiring", "Look whether servers, providers, secrets and people are ready for agents")
                .needs(Permission::ConnectionsRead)
                .gives::<WiringView>(StatusCode::OK),
            show,
        )
        .api(
            Operation::get("/orgs/{org}/connections/{connection}/diagnosis", "diagnoseConnection")
                .about("Connections", "Look at an account link by link; nobody outside is asked")
                .needs(Permission::ConnectionsOwn)
                .gives::<DiagnosisView>(StatusCode::OK),
            diagnose,
        )
}

/// One thing that was looked at.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Finding")]
struct FindingView {
    /// What was looked at.
    name: &'static str,
    /// `fine`, `look`, `broken` or `not_reached`.
    state: &'static str,
    /// What was found, as a sentence.
    found: String,
    /// What to do; empty where nothing is.
    fix: String,
    /// Who can; null where nothing is to be done.
    fixer: Option<Fixer>,
    /// The page where that is done; empty where there is none.
    page: String,
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        Self {
            name: finding.name,
            state: finding.stand.as_str(),
            found: finding.found,
            fix: finding.fix,
            fixer: finding.fixer,
            page: finding.page,
        }
    }
}

/// A server.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WiredServer")]
struct ServerView {
    slug: String,
    name: String,
    /// Whether calls can go through.
    ready: bool,
    findings: Vec<FindingView>,
}

impl From<Wired> for ServerView {
    fn from(server: Wired) -> Self {
        Self {
            ready: server.is_ready(),
            slug: server.slug,
            name: server.name,
            findings: server.findings.into_iter().map(FindingView::from).collect(),
        }
    }
}

/// What some people still have to do.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WiringLack")]
struct LackView {
    what: String,
    /// The page where each of them does it.
    page: String,
    /// How many people lack it.
    people: i64,
    /// The first of them by name.
    first: Vec<String>,
}

impl From<Lacking> for LackView {
    fn from(lack: Lacking) -> Self {
        Self { what: lack.what, page: lack.page, people: lack.count, first: lack.first }
    }
}

/// Whether everything is in place.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Wiring")]
struct WiringView {
    /// How many servers are ready.
    ready: usize,
    servers: Vec<ServerView>,
    lacks: Vec<LackView>,
    site: Vec<FindingView>,
    /// What to tell people.
    announcement: String,
    /// Whether there are more servers than are looked at here: the first 200 by slug.
    cut: bool,
}

/// How an account fares.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Diagnosis")]
struct DiagnosisView {
    connection: ConnectionId,
    /// Each link, from who asks to the servers.
    links: Vec<FindingView>,
}

async fn show(cx: KeyAsk) -> ApiResult {
    let wiring = wiring::wiring(&cx).await?;
    let view = WiringView {
        ready: wiring.ready(),
        servers: wiring.servers.into_iter().map(ServerView::from).collect(),
        lacks: wiring.lacks.into_iter().map(LackView::from).collect(),
        site: wiring.site.into_iter().map(FindingView::from).collect(),
        announcement: wiring.announcement,
        cut: wiring.is_cut,
    };
    Ok(json::plain(StatusCode::OK, &view))
}

async fn diagnose(cx: KeyAsk, Path((_, id)): Path<(String, String)>) -> ApiResult {
    let found = connections::diagnose(&cx, &id).await?;
    let view = DiagnosisView {
        connection: found.sheet.connection.id,
        links: found.links.into_iter().map(FindingView::from).collect(),
    };
    Ok(json::plain(StatusCode::OK, &view))
}
