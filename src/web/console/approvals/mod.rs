//! Approvals: what waits for a human, one call with its arguments, and the decision.

mod cards;
mod inbox;
mod past;

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{page::Page, permission::Permission},
    domain::approvals::{ApprovalFilter, ApprovalState},
    flow::{
        actions::approvals::{self, ApprovalSheet, DecisionInput, Terms},
        fault::ActionError,
    },
    web::{
        console::{
            approvals::{cards::VoteLine, past::Past},
            policies::diff::{DiffLine, compared},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            faults::PageError,
            flash::Toast,
            form::{Form, FormFaults, LongForm, faults_of},
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb, Fault, Tab},
            pretty::pretty,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(in crate::web::console) use cards::Card;
#[cfg(test)]
pub(in crate::web::console) use cards::sample_card;

/// The routes.
pub fn routes() -> Routes {
    let access = Access::Org(Permission::ApprovalsDecide);
    let one = "/o/{org}/approvals/{approval}";
    Routes::default()
        .page("/o/{org}/approvals", access, list)
        .page(one, access, show)
        .form(
            &format!("{one}/decide"),
            access,
            Effect::Records(&["approval.approved", "approval.denied", "approval.voted"]),
            decide,
        )
        .form(&format!("{one}/nudge"), access, Effect::Records(&["approval.nudged"]), nudge)
        .form(&format!("{one}/withdraw"), access, Effect::Records(&["approval.withdrawn"]), withdraw)
        .form(&format!("{one}/revoke"), access, Effect::Records(&["approval.revoked"]), revoke)
}

/// The list.
#[derive(Template)]
#[template(path = "console/approvals/list.html")]
struct ApprovalsPage {
    shell: Shell,
    views: Vec<Tab>,
    cards: Vec<Card>,
    list: Listing,
}

/// One call.
#[derive(Template)]
#[template(path = "console/approvals/show.html")]
struct ApprovalPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    card: Card,
    arguments: String,
    /// Whether something of them is masked.
    is_masked: bool,
    /// What was agreed to in place of that.
    instead: Option<Instead>,
    past: Option<Past>,
    votes: Vec<VoteLine>,
    /// Where its decision is posted; empty for who may not decide.
    decide: String,
    /// Why the viewer may not decide; empty where they may, or nobody can.
    refusal: String,
    /// Where whoever asks reminds of it or takes it back; empty for all others.
    own: String,
    /// Where what was agreed to is revoked; empty for who may not, and where there is nothing to.
    revoke: String,
    /// Whether the viewer decides about an agent of their own.
    is_own: bool,
    /// Of whom too few are here to agree at present, as a sentence has it; empty where there are enough.
    unmet: String,
    spans: Vec<Choice>,
    /// Whether agreeing asks for a proof.
    is_grave: bool,
    /// Where the viewer proves that it is them before what they wrote is lost; empty where nothing would be.
    prove: String,
    narrow: Narrow,
    form: DecisionForm,
    faults: FormFaults,
}

/// Arguments that were agreed to in place of those that were asked.
struct Instead {
    arguments: String,
    /// What differs, line by line.
    lines: Vec<DiffLine>,
    /// Why not all of it is shown; empty where it is.
    cut: &'static str,
}

/// Agreeing to other arguments.
#[derive(Default)]
struct Narrow {
    /// What is in the field; none where the viewer may not.
    text: Option<String>,
    /// Why they may not, though they decide; empty where they may.
    refusal: String,
    rows: usize,
    is_open: bool,
}

#[derive(Clone, Default, Deserialize)]
struct DecisionForm {
    /// The arguments that were shown, or what became of them.
    #[serde(default)]
    arguments: Option<String>,
    #[serde(default)]
    decision: String,
    #[serde(default)]
    minutes: String,
    #[serde(default)]
    reason: String,
}

/// A button and nothing else.
#[derive(Deserialize)]
struct Press {}

/// Longer arguments are not edited on a page; a script may send others.
const MOST_EDITED: usize = 256 * 1024;

const VIEWS: [(&str, &str, Option<ApprovalState>); 4] = [
    ("Waiting", "pending", Some(ApprovalState::Pending)),
    ("Approved", "approved", Some(ApprovalState::Approved)),
    ("Denied", "denied", Some(ApprovalState::Denied)),
    ("All", "all", None),
];

async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (chosen, state) = asked.one_of("state", VIEWS.map(|(_, word, state)| (word, state)));
    let base = base_of(&ask);
    let current = if chosen.is_empty() { "pending" } else { chosen.as_str() };
    let views: Vec<_> = VIEWS
        .iter()
        .map(|(label, word, _)| Tab::new(*label, format!("{base}?state={word}"), *word == current))
        .collect();
    if current == "pending" {
        return inbox::page_of(&ask, views, asked).await;
    }
    let state = state.flatten();
    let filter = ApprovalFilter { state, ..ApprovalFilter::default() };
    let Page { items, next } = approvals::list(&ask.cx, &filter, &asked.page()).await?;
    let list = asked.listing(next.as_deref());
    let now = ask.cx.now();
    let page = ApprovalsPage {
        shell: shell_of::org(&ask, "Approvals").await?.with_faults(!list.faults.is_empty()),
        views,
        cards: items.into_iter().map(|approval| Card::of(&base, "", approval, now)).collect(),
        list,
    };
    page_with(page.list.status(), &page)
}

async fn show(ask: OrgPage, Path((_, id)): Path<(String, String)>) -> PageResult {
    let sheet = approvals::find(&ask.cx, &id).await?;
    shown(&ask, StatusCode::OK, sheet, DecisionForm::default(), FormFaults::default()).await
}

async fn shown(
    ask: &OrgPage,
    status: StatusCode,
    sheet: ApprovalSheet,
    form: DecisionForm,
    faults: FormFaults,
) -> PageResult {
    page_with(status, &approval_page(ask, sheet, form, faults).await?)
}

async fn approval_page(
    ask: &OrgPage,
    sheet: ApprovalSheet,
    form: DecisionForm,
    faults: FormFaults,
) -> Result<ApprovalPage, PageError> {
    let base = base_of(ask);
    let is_open = sheet.state == ApprovalState::Pending;
    let where_may = |permission, page: &str| match ask.cx.may(permission) {
        true => format!("/o/{}/{page}", ask.cx.org.slug),
        false => String::new(),
    };
    let policies = where_may(Permission::PoliciesRead, "policies");
    let log = where_may(Permission::AuditRead, "audit");
    let card = Card::of(&base, &policies, sheet.approval, ask.cx.now());
    let arguments = pretty(sheet.arguments.expose());
    let may_narrow = sheet.refusal.is_none() && sheet.bound.is_none();
    let narrow = match sheet.bound {
        Some(bound) if sheet.refusal.is_none() => Narrow { refusal: bound.to_string(), ..Narrow::default() },
        _ if may_narrow && arguments.len() <= MOST_EDITED => Narrow::of(&arguments, &form, &faults),
        _ => Narrow::default(),
    };
    Ok(ApprovalPage {
        shell: shell_of::org(ask, "Approval").await?.with_faults(!faults.is_empty()),
        crumbs: vec![Crumb::to("Approvals", &base)],
        instead: sheet.instead.map(|instead| Instead::of(&arguments, pretty(instead.expose()))),
        past: sheet.similar.map(|similar| Past::of(&log, similar)),
        arguments,
        is_masked: sheet.is_masked,
        votes: sheet.votes.into_iter().map(VoteLine::from).collect(),
        decide: if sheet.refusal.is_none() { format!("{}/decide", card.href) } else { String::new() },
        refusal: sheet
            .refusal
            .filter(|_| is_open)
            .map(|refusal| approvals::refusal_words(&ask.cx, refusal))
            .unwrap_or_default(),
        own: if sheet.can_withdraw { card.href.clone() } else { String::new() },
        revoke: if sheet.irrevocable.is_none() { format!("{}/revoke", card.href) } else { String::new() },
        is_own: sheet.is_own && sheet.refusal.is_none(),
        unmet: sheet.unmet.join(" and "),
        spans: spans(&form.minutes),
        is_grave: card.is_grave,
        prove: String::new(),
        narrow,
        card,
        form,
        faults,
    })
}

impl Instead {
    fn of(asked: &str, arguments: String) -> Self {
        let (lines, cut) = compared(asked, &arguments);
        Self { arguments, lines, cut }
    }
}

impl Narrow {
    /// What was typed, else what was asked.
    fn of(asked: &str, form: &DecisionForm, faults: &FormFaults) -> Self {
        let text = form.arguments.clone().unwrap_or_else(|| asked.to_owned());
        let is_open = text.trim().replace("\r\n", "\n") != asked || !faults.of("arguments").is_empty();
        Self { rows: text.lines().count().clamp(4, 24), text: Some(text), refusal: String::new(), is_open }
    }
}

fn spans(chosen: &str) -> Vec<Choice> {
    let spans = [("15", "15 minutes"), ("60", "1 hour"), ("240", "4 hours"), ("1440", "1 day")];
    let chosen = if chosen.is_empty() { "60" } else { chosen };
    spans.into_iter().map(|(value, label)| Choice::new(value, label).chosen_by(chosen)).collect()
}

async fn decide(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    LongForm(form): LongForm<DecisionForm>,
) -> PageResult {
    let input = form.input();
    let is_narrowing = matches!(input.terms, Terms::Instead(_));
    match approvals::decide(&ask.cx, &id, &input).await {
        Ok(sheet) => {
            let said = match sheet.state {
                ApprovalState::Approved if sheet.instead.is_some() => {
                    "Approved with other arguments. The agent is told which, and let through when it calls with them."
                }
                ApprovalState::Approved => {
                    "Approved. A call that still waits goes on; else the agent is let through when it calls again."
                }
                ApprovalState::Denied => "Denied. The agent is told so, with your reason.",
                _ => "Noted. More people have to agree before the agent is let through.",
            };
            Ok(go_saying(&base_of(&ask), Toast::say(said)))
        }
        // What was written stays on the page, and would be lost on the way to the proof.
        Err(ActionError::NeedsProof) if is_narrowing => {
            let sheet = approvals::find(&ask.cx, &id).await?;
            let page = approval_page(&ask, sheet, form, FormFaults::default()).await?;
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &ApprovalPage { prove: "/prove".to_owned(), ..page })
        }
        Err(error) => {
            let faults = faults_of_decision(error, is_narrowing)?;
            let sheet = approvals::find(&ask.cx, &id).await?;
            shown(&ask, StatusCode::UNPROCESSABLE_ENTITY, sheet, form, faults).await
        }
    }
}

impl DecisionForm {
    /// Two buttons agree to what is in the field, all others to what was asked.
    fn input(&self) -> DecisionInput {
        let (decision, is_instead) = match self.decision.as_str() {
            "narrow_once" => ("approve_once", true),
            "narrow_for" => ("approve_for", true),
            other => (other, false),
        };
        let text = self.arguments.clone().map(Into::into);
        DecisionInput {
            decision: decision.to_owned(),
            minutes: self.minutes.parse().ok(),
            reason: self.reason.clone(),
            terms: match (text, is_instead) {
                (text, true) => Terms::Instead(text.unwrap_or_default()),
                (Some(text), false) => Terms::AsShown(text),
                (None, false) => Terms::AsAsked,
            },
        }
    }
}

/// Why other arguments cannot be agreed to is said beside them, where they can be written anew; else above the form.
fn faults_of_decision(error: ActionError, is_narrowing: bool) -> Result<FormFaults, PageError> {
    let field = match &error {
        ActionError::Refused(refused) if is_narrowing => match refused.code {
            "approval_narrow_others" | "approval_outdated" => "arguments",
            "approval_narrow_voted" | "approval_narrow_quorum" | "approval_narrow_no_tool" => "",
            _ => return faults_of(error),
        },
        _ => return faults_of(error),
    };
    Ok(FormFaults::from_list(vec![Fault { field: field.to_owned(), message: error.to_string() }]))
}

async fn nudge(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    approvals::nudge(&ask.cx, &id).await?;
    Ok(go_saying(&format!("{}/{id}", base_of(&ask)), Toast::say("Those who may decide were reminded.")))
}

async fn withdraw(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    approvals::withdraw(&ask.cx, &id).await?;
    Ok(go_saying(&base_of(&ask), Toast::say("Taken back. The agent may ask again.")))
}

async fn revoke(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    approvals::revoke(&ask.cx, &id).await?;
    let said = "Revoked. From its next call on the agent has to ask anew.";
    Ok(go_saying(&format!("{}/{id}", base_of(&ask)), Toast::say(said)))
}

fn base_of(ask: &OrgPage) -> String {
    format!("/o/{}/approvals", ask.cx.org.slug)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, list, sample, shell},
        shell::Base,
    };

    let page = |cards: Vec<Card>| ApprovalsPage {
        shell: shell(Base::Organization, "Approvals"),
        views: vec![Tab::new("All", "/o/acme/approvals?state=all", true)],
        cards,
        list: list(),
    };
    let one = |text: &str, state, decide: &str, own: &str, faults| ApprovalPage {
        shell: shell(Base::Organization, "Approval"),
        crumbs: vec![Crumb::to("Approvals", "/o/acme/approvals")],
        card: cards::sample_card(text, state),
        arguments: pretty(&format!("{{\"title\":\"{}\"}}", text.len())),
        is_masked: true,
        votes: vec![cards::sample_vote(text)],
        decide: decide.into(),
        refusal: if decide.is_empty() { text.into() } else { String::new() },
        own: own.into(),
        revoke: if state == ApprovalState::Approved { "/r".into() } else { String::new() },
        is_own: text == SHARP,
        unmet: if own.is_empty() { String::new() } else { text.into() },
        spans: spans(""),
        is_grave: true,
        prove: String::new(),
        instead: (state == ApprovalState::Approved)
            .then(|| Instead::of("{\n  \"title\": 12\n}", "{\n  \"title\": 7\n}".to_owned())),
        past: Some(past::sample_past(text, if own.is_empty() { 10 } else { 0 })),
        narrow: Narrow {
            text: (!decide.is_empty()).then(|| text.to_owned()),
            refusal: String::new(),
            rows: 4,
            is_open: true,
        },
        form: DecisionForm { reason: text.into(), ..DecisionForm::default() },
        faults,
    };
    let (open, path) = (ApprovalState::Pending, "/o/acme/approvals/x");
    let mut all = vec![
        sample("approvals: none", &page(Vec::new())),
        sample("approvals", &page(vec![cards::sample_card("create_issue", open)])),
        sample("approvals: many", &page((0..50).map(|_| cards::sample_card(LONG, open)).collect())),
        sample(
            "approval",
            &one("create_issue", open, "/o/acme/approvals/x/decide", "", FormFaults::default()),
        ),
        sample("approval: own", &one(SHARP, open, "", path, FormFaults::default())),
        sample("approval: narrowed", &one(SHARP, ApprovalState::Approved, "", "", FormFaults::default())),
        sample("approval: revoked", &one(LONG, ApprovalState::Withdrawn, "", "", FormFaults::default())),
        sample("approval: denied", &one(LONG, ApprovalState::Denied, "", "", FormFaults::default())),
        sample(
            "approval: refused",
            &one(LONG, open, "/d", "", faults(&[("reason", "use fewer characters"), ("arguments", LONG)])),
        ),
    ];
    all.extend(inbox::samples());
    all
}
