//! Access requests: what people ask for, and the decision.

mod cards;
mod waiting;

use askama::Template;
use axum::{extract::Path, http::StatusCode};

use crate::{
    base::{page::Page, permission::Permission},
    domain::access::{AccessRequest, AccessState},
    flow::actions::access_requests::{self, AccessDecision, AccessSheet},
    web::{
        console::{access::cards::OutlookLine, shell_of},
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of},
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb, Tab},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) use cards::{Card, spans};
pub(super) use waiting::WaitingAccess;

/// The routes.
pub fn routes() -> Routes {
    let one = "/o/{org}/access/{access}";
    let read = Access::Org(Permission::GrantsRead);
    let records = Effect::Records(&[
        "access.approved",
        "access.refused",
        "policy.created",
        "policy.published",
        "grant.created",
    ]);
    Routes::default().page("/o/{org}/access", read, list).page(one, read, show).form(
        &format!("{one}/decide"),
        Access::Org(Permission::GrantsWrite),
        records,
        decide,
    )
}

/// The list.
#[derive(Template)]
#[template(path = "console/access/list.html")]
struct AccessListPage {
    shell: Shell,
    views: Vec<Tab>,
    state: String,
    cards: Vec<Card>,
    list: Listing,
}

/// One request.
#[derive(Template)]
#[template(path = "console/access/show.html")]
struct AccessPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    card: Card,
    outlook: Vec<OutlookLine>,
    /// Where its decision is posted; empty for who may not decide.
    decide: String,
    /// Why the viewer may not decide; empty where they may, or nobody can.
    refusal: String,
    /// The tools that may be given; none where a class was asked for.
    tools: Vec<Choice>,
    spans: Vec<Choice>,
    reason: String,
    /// Whether giving asks for a proof.
    is_grave: bool,
    faults: FormFaults,
}

/// What was typed; several tools share one name, so the form is read pair by pair.
#[derive(Default)]
struct DecisionForm {
    decision: String,
    tools: Vec<String>,
    hours: String,
    reason: String,
    /// Whether the form had tools to choose from.
    chooses: bool,
    /// Whether it stood in the inbox of approvals.
    is_of_inbox: bool,
}

impl From<Vec<(String, String)>> for DecisionForm {
    fn from(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "decision" => form.decision = value,
                "tools" => form.tools.push(value),
                "hours" => form.hours = value,
                "reason" => form.reason = value,
                "chooses" => form.chooses = true,
                "inbox" => form.is_of_inbox = true,
                _ => {}
            }
        }
        form
    }
}

const VIEWS: [(&str, &str, Option<AccessState>); 4] = [
    ("Waiting", "pending", Some(AccessState::Pending)),
    ("Given", "approved", Some(AccessState::Approved)),
    ("Refused", "refused", Some(AccessState::Refused)),
    ("All", "all", None),
];

async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (chosen, state) = asked.one_of("state", VIEWS.map(|(_, word, state)| (word, state)));
    let state = if chosen.is_empty() { Some(AccessState::Pending) } else { state.flatten() };
    let Page { items, next } = access_requests::list(&ask.cx, state, &asked.page()).await?;
    let list = asked.listing(next.as_deref());
    let base = base_of(&ask);
    let current = if chosen.is_empty() { "pending" } else { chosen.as_str() };
    let waiting = access_requests::count_waiting(&ask.cx).await?;
    let view = |(label, word, _): &(&str, &str, _)| {
        let tab = Tab::new(*label, format!("{base}?state={word}"), *word == current);
        if *word == "pending" && waiting > 0 { tab.with(waiting) } else { tab }
    };
    let now = ask.cx.now();
    let page = AccessListPage {
        shell: shell_of::org(&ask, "Access requests").await?.with_faults(!list.faults.is_empty()),
        views: VIEWS.iter().map(view).collect(),
        state: current.to_owned(),
        cards: items.into_iter().map(|request| card(&base, request, now)).collect(),
        list,
    };
    page_with(page.list.status(), &page)
}

fn card(base: &str, request: AccessRequest, now: time::OffsetDateTime) -> Card {
    let href = format!("{base}/{}", request.id);
    Card::of(href, request, now)
}

async fn show(ask: OrgPage, Path((_, id)): Path<(String, String)>) -> PageResult {
    let sheet = access_requests::find(&ask.cx, &id).await?;
    shown(&ask, StatusCode::OK, sheet, &DecisionForm::default(), FormFaults::default()).await
}

async fn shown(
    ask: &OrgPage,
    status: StatusCode,
    sheet: AccessSheet,
    form: &DecisionForm,
    faults: FormFaults,
) -> PageResult {
    let base = base_of(ask);
    let AccessSheet { request, state, is_decider, refusal, outlook } = sheet;
    let is_open = state == AccessState::Pending;
    let may_decide = is_decider && refusal.is_none();
    let is_chosen = |tool: &String| !form.chooses || form.tools.contains(tool);
    let tools = request.asked.tools().iter().map(|tool| Choice::new(tool, tool).chosen(is_chosen(tool)));
    let is_grave =
        outlook.iter().any(cards::is_grave) || request.asked.class().is_some_and(cards::is_grave_class);
    let page = AccessPage {
        shell: shell_of::org(ask, "Access request").await?.with_faults(!faults.is_empty()),
        crumbs: vec![Crumb::to("Access requests", &base)],
        decide: if may_decide { format!("{base}/{}/decide", request.id) } else { String::new() },
        refusal: refusal.filter(|_| is_open && is_decider).map(|why| why.to_string()).unwrap_or_default(),
        tools: tools.collect(),
        spans: spans(request.hours, &form.hours),
        outlook: outlook.into_iter().map(OutlookLine::from).collect(),
        reason: form.reason.clone(),
        is_grave,
        card: card(&base, request, ask.cx.now()),
        faults,
    };
    page_with(status, &page)
}

async fn decide(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let form = DecisionForm::from(pairs);
    let input = AccessDecision {
        decision: form.decision.clone(),
        tools: form.chooses.then(|| form.tools.clone()),
        hours: form.hours.parse().ok(),
        reason: form.reason.clone(),
    };
    match access_requests::decide(&ask.cx, &id, &input).await {
        Ok(sheet) => {
            let said = match sheet.state {
                AccessState::Approved => "Given. They were told, and make the token themselves.",
                _ => "Refused. They were told so, with your reason.",
            };
            let inbox = || format!("/o/{}/approvals", ask.cx.org.slug);
            let back = if form.is_of_inbox { inbox() } else { base_of(&ask) };
            Ok(go_saying(&back, Toast::say(said)))
        }
        Err(error) => {
            let faults = faults_of(error)?;
            let sheet = access_requests::find(&ask.cx, &id).await?;
            shown(&ask, StatusCode::UNPROCESSABLE_ENTITY, sheet, &form, faults).await
        }
    }
}

fn base_of(ask: &OrgPage) -> String {
    format!("/o/{}/access", ask.cx.org.slug)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, list, sample, shell},
        shell::Base,
    };

    let page = |cards: Vec<Card>| AccessListPage {
        shell: shell(Base::Organization, "Access requests"),
        views: vec![Tab::new("Waiting", "/o/acme/access?state=pending", true).with(3)],
        state: "pending".into(),
        cards,
        list: list(),
    };
    let one = |text: &str, state, decide: &str, count: usize, faults| AccessPage {
        shell: shell(Base::Organization, "Access request"),
        crumbs: vec![Crumb::to("Access requests", "/o/acme/access")],
        card: Card::sample(text, state),
        outlook: (0..count).map(|n| OutlookLine::sample(text, n)).collect(),
        decide: decide.into(),
        refusal: if decide.is_empty() { text.into() } else { String::new() },
        tools: (0..count).map(|n| Choice::new(format!("{text}-{n}"), text).chosen(true)).collect(),
        spans: spans(72, ""),
        reason: text.into(),
        is_grave: count > 1,
        faults,
    };
    let open = AccessState::Pending;
    vec![
        sample("access: none", &page(Vec::new())),
        sample("access", &page(vec![Card::sample("create_issue", open)])),
        sample("access: many", &page((0..50).map(|_| Card::sample(LONG, open)).collect())),
        sample("access request", &one("create_issue", open, "/decide", 1, FormFaults::default())),
        sample("access request: own", &one(SHARP, open, "", 0, FormFaults::default())),
        sample("access request: given", &one(LONG, AccessState::Approved, "", 5, FormFaults::default())),
        sample("access request: faults", &one(LONG, open, "/d", 30, faults(&[("reason", "say why")]))),
    ]
}
