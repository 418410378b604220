//! Organizations: how many, how large, and whether they may be used.

use askama::Template;
use axum::{
    extract::{Path, Query},
    http::StatusCode,
};
use serde::Deserialize;

use crate::{
    base::page::Page,
    domain::tenancy::{OperatorOrg, OrgFilter, OrgState},
    flow::actions::ops::orgs,
    web::{
        console::shell_of,
        kit::{
            ask::OperatorPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            listing::{PageQuery, next_href},
            page::{PageResult, go_saying, page, page_with},
            parts::{Crumb, Tab},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    let suspends = Effect::Records(&["org.suspended"]);
    let resumes = Effect::Records(&["org.resumed"]);
    Routes::default()
        .page("/ops/orgs", Access::Operator, list)
        .page("/ops/orgs/{org}", Access::Operator, show)
        .form("/ops/orgs/{org}/suspend", Access::Operator, suspends, suspend)
        .form("/ops/orgs/{org}/resume", Access::Operator, resumes, resume)
}

/// The list.
#[derive(Template)]
#[template(path = "console/ops/orgs.html")]
struct OrgsPage {
    shell: Shell,
    q: String,
    state: String,
    tabs: Vec<Tab>,
    orgs: Vec<OperatorOrg>,
    is_filtered: bool,
    first: String,
    next: String,
}

/// One organization.
#[derive(Template)]
#[template(path = "console/ops/org.html")]
struct OrgPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    org: OperatorOrg,
    is_active: bool,
    is_suspended: bool,
    suspend: String,
    resume: String,
    reason: String,
    faults: FormFaults,
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
struct SuspendForm {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    version: String,
}

async fn list(ask: OperatorPage, Query(query): Query<ListQuery>) -> PageResult {
    let request = PageQuery { limit: None, cursor: query.cursor.clone() }.parse()?;
    let state = OrgState::ALL.into_iter().find(|state| state.as_str() == query.state);
    let filter = OrgFilter { q: Some(query.q.clone()).filter(|q| !q.is_empty()), state };
    let Page { items, next } = orgs::list(&ask.cx, &filter, &request).await?;
    let word = state.map_or("", OrgState::as_str);
    let filters = [("q", query.q.as_str()), ("state", word)];
    let (first, next) = next_href("/ops/orgs", &filters, query.cursor.as_deref(), next.as_deref());
    page(&OrgsPage {
        shell: shell_of::operator(&ask, "Organizations").await?,
        tabs: tabs(&query.q, word),
        is_filtered: !query.q.is_empty() || state.is_some(),
        state: word.to_owned(),
        q: query.q,
        orgs: items,
        first,
        next,
    })
}

fn tabs(q: &str, current: &str) -> Vec<Tab> {
    let tab = |label: &str, state: &str| {
        let (_, href) = next_href("/ops/orgs", &[("q", q), ("state", state)], None, Some(""));
        Tab::new(label, href.trim_end_matches("cursor=").trim_end_matches(['?', '&']), state == current)
    };
    vec![tab("All", ""), tab("Active", "active"), tab("Suspended", "suspended"), tab("Deleted", "deleted")]
}

async fn show(ask: OperatorPage, Path(name): Path<String>) -> PageResult {
    let org = orgs::find(&ask.cx, &name).await?;
    org_page(&ask, StatusCode::OK, org, String::new(), FormFaults::default()).await
}

async fn suspend(ask: OperatorPage, Path(name): Path<String>, Form(form): Form<SuspendForm>) -> PageResult {
    match orgs::suspend(&ask.cx, &name, &form.reason, form::version(&form.version)).await {
        Ok(org) => {
            let said =
                format!("{} is suspended. Its people see the reason, and its keys are refused.", org.name);
            Ok(go_saying(&href(&org), Toast::say(said)))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            let org = orgs::find(&ask.cx, &name).await?;
            org_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, org, form.reason, faults).await
        }
    }
}

async fn resume(ask: OperatorPage, Path(name): Path<String>, Form(form): Form<SuspendForm>) -> PageResult {
    let org = orgs::resume(&ask.cx, &name, form::version(&form.version)).await?;
    Ok(go_saying(&href(&org), Toast::say(format!("{} is in use again.", org.name))))
}

async fn org_page(
    ask: &OperatorPage,
    status: StatusCode,
    org: OperatorOrg,
    reason: String,
    faults: FormFaults,
) -> PageResult {
    let mut shell = shell_of::operator(ask, org.name.clone()).await?;
    shell.has_faults = !faults.is_empty();
    let href = href(&org);
    page_with(
        status,
        &OrgPage {
            shell,
            crumbs: vec![Crumb::to("Organizations", "/ops/orgs")],
            is_active: org.state() == OrgState::Active,
            is_suspended: org.state() == OrgState::Suspended,
            suspend: format!("{href}/suspend"),
            resume: format!("{href}/resume"),
            org,
            reason,
            faults,
        },
    )
}

/// By id: a slug may be given up and taken by another organization.
fn href(org: &OperatorOrg) -> String {
    format!("/ops/orgs/{}", org.id)
}
