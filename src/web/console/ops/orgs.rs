//! Organizations: how many, how large, and whether they may be used.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
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
            listing::{Asked, Listing, with_query},
            page::{PageResult, go_saying, page_with},
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
    list: Listing,
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

#[derive(Clone, Default, Deserialize)]
struct SuspendForm {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    version: String,
}

async fn list(ask: OperatorPage, mut asked: Asked) -> PageResult {
    let (q, sought) = asked.search();
    let (_, state) = asked.one_of("state", OrgState::ALL.map(|state| (state.as_str(), state)));
    let request = asked.page();
    let filter = OrgFilter { q: sought, state };
    let Page { items, next } = orgs::list(&ask.cx, &filter, &request).await?;
    let word = state.map_or("", OrgState::as_str);
    let list = asked.listing(next.as_deref());
    let page = OrgsPage {
        shell: shell_of::operator(&ask, "Organizations").await?.with_faults(!list.faults.is_empty()),
        tabs: tabs(&q, word),
        is_filtered: filter.q.is_some() || state.is_some(),
        state: word.to_owned(),
        q,
        orgs: items,
        list,
    };
    page_with(page.list.status(), &page)
}

fn tabs(q: &str, current: &str) -> Vec<Tab> {
    let tab = |label: &str, state: &str| {
        Tab::new(label, with_query("/ops/orgs", [("q", q), ("state", state)]), state == current)
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
