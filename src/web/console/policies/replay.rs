//! What a draft would change about the calls of the last week: the strip of figures, and the calls behind each.
//!
//! Asked for by script, the same address gives the strip alone, for other pages to hold a place for it.

use askama::Template;
use axum::{extract::Path, http::HeaderMap};
use time::OffsetDateTime;

use crate::{
    base::{
        page::{Page, PageRequest},
        permission::Permission,
    },
    flow::{
        actions::policies::{self, Affected, Replay, ReplayInput, ReplayOutcome, Replayed, Side},
        fault::{ActionError, Refused},
    },
    web::{
        console::{
            policies::{Head, impact::Impact},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            listing::{Asked, Listing},
            page::{PageResult, page, page_with},
            routes::{Access, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub(super) fn routes() -> Routes {
    Routes::default().page("/o/{org}/policies/{policy}/replay", Access::Org(Permission::PoliciesRead), show)
}

/// The page.
#[derive(Template)]
#[template(path = "console/policies/replay.html")]
struct ReplayPage {
    shell: Shell,
    head: Head,
    impact: Impact,
    /// Whether the viewer may see names and calls.
    sees_calls: bool,
    agents: Vec<AgentRow>,
    more_agents: usize,
    title: &'static str,
    rows: Vec<CallRow>,
    /// Why calls were left out.
    left_out: Vec<(u32, &'static str)>,
    list: Listing,
}

/// The strip alone.
#[derive(Template)]
#[template(path = "console/policies/impact.html")]
struct StripPiece {
    impact: Impact,
}

/// An agent that would notice.
struct AgentRow {
    href: String,
    label: String,
    person: String,
    denied: u32,
    asked: u32,
    allowed: u32,
}

/// A call.
struct CallRow {
    href: String,
    tool: String,
    class: &'static str,
    agent: String,
    person: String,
    client: String,
    at: OffsetDateTime,
    before: Option<Verdict>,
    after: Option<Verdict>,
    rule: String,
    note: &'static str,
    is_flagged: bool,
}

/// A verdict as a page shows it.
struct Verdict {
    tone: &'static str,
    glyph: &'static str,
    word: &'static str,
}

async fn show(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
    mut asked: Asked,
) -> PageResult {
    let words = ReplayOutcome::ALL.map(|outcome| (outcome.as_str(), outcome));
    let (_, outcome) = asked.one_of("outcome", words);
    let request = asked.page();
    let sheet = policies::find(&ask.cx, &id).await?;
    let slug = sheet.policy.slug.clone();
    let base = format!("/o/{}/policies/{slug}/replay", ask.cx.org.slug);
    if headers.contains_key("hx-request") {
        let found = tried(&ask, &slug, outcome, &PageRequest { limit: 1, after: None }).await?;
        return page(&StripPiece { impact: Impact::of(&base, found.as_ref(), outcome) });
    }
    let found = tried(&ask, &slug, outcome, &request).await?;
    let impact = Impact::of(&base, found.as_ref(), outcome);
    let org = format!("/o/{}", ask.cx.org.slug);
    let (mut rows, mut agents, mut more_agents, mut left_out, mut next) =
        (Vec::new(), Vec::new(), 0, Vec::new(), None);
    if let Some(replay) = found {
        left_out = replay.counts.left_out.into_values().collect();
        if let Some(Affected { agents: count, named, .. }) = replay.affected {
            more_agents = count.saturating_sub(named.len());
            let may_look = ask.cx.may(Permission::GrantsRead);
            agents = named.into_iter().map(|one| AgentRow::of(&org, may_look, one)).collect();
        }
        if let Some(Page { items, next: cursor }) = replay.items {
            rows = items.into_iter().map(|call| CallRow::of(&org, call)).collect();
            next = cursor;
        }
    }
    let list = asked.listing(next.as_deref());
    let shell = shell_of::org(&ask, format!("{}: last week's calls", sheet.policy.name)).await?;
    let page = ReplayPage {
        shell: shell.with_faults(!list.faults.is_empty()),
        head: Head::of(&ask, &sheet.policy, "/replay"),
        impact,
        sees_calls: ask.cx.may(Permission::AuditRead),
        agents,
        more_agents,
        title: title(outcome),
        rows,
        left_out: if outcome == Some(ReplayOutcome::LeftOut) { left_out } else { Vec::new() },
        list,
    };
    page_with(page.list.status(), &page)
}

/// What comes of the draft; nothing where there is none.
async fn tried(
    ask: &OrgPage,
    slug: &str,
    outcome: Option<ReplayOutcome>,
    page: &PageRequest<policies::ReplayPlace>,
) -> Result<Option<Replay>, ActionError> {
    let input = ReplayInput { document: None, outcome };
    match policies::replay(&ask.cx, slug, input, page).await {
        Ok(replay) => Ok(Some(replay)),
        Err(ActionError::Refused(Refused { code: "no_draft", .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

const fn title(outcome: Option<ReplayOutcome>) -> &'static str {
    match outcome {
        None => "Calls that would change",
        Some(ReplayOutcome::NewlyDenied) => "Newly denied",
        Some(ReplayOutcome::NewlyAsked) => "Will need approval",
        Some(ReplayOutcome::NewlyAllowed) => "Newly allowed",
        Some(ReplayOutcome::Unchanged) => "Unchanged",
        Some(ReplayOutcome::Unknown) => "Cannot be told",
        Some(ReplayOutcome::LeftOut) => "Left out",
    }
}

impl AgentRow {
    fn of(org: &str, may_look: bool, one: policies::Noticed) -> Self {
        Self {
            href: if may_look { format!("{org}/agents/{}", one.grant) } else { String::new() },
            label: one.label,
            person: one.principal,
            denied: one.denied,
            asked: one.asked,
            allowed: one.allowed,
        }
    }
}

impl CallRow {
    fn of(org: &str, call: Replayed) -> Self {
        let server = if call.server.is_empty() { String::new() } else { format!("{}/", call.server) };
        Self {
            href: format!("{org}/audit/{}", call.event),
            tool: format!("{server}{}", call.tool),
            class: call.class.map_or("", |class| class.label()),
            agent: call.agent,
            person: call.person,
            client: call.client,
            at: call.at,
            rule: rule_words(call.outcome, call.before.as_ref(), call.after.as_ref()),
            before: call.before.as_ref().map(Verdict::from),
            after: call.after.as_ref().map(Verdict::from),
            note: call.left_out.map_or("", |why| why.words()),
            is_flagged: call.is_flagged,
        }
    }
}

/// The rule that makes the difference: the new one, or the one that falls away.
fn rule_words(outcome: ReplayOutcome, before: Option<&Side>, after: Option<&Side>) -> String {
    let named = |side: &Side| match side.layer {
        Some(layer) => format!("{} of the {layer}", side.rule),
        None => "no policy speaks for the grant".to_owned(),
    };
    match (outcome, before, after) {
        (ReplayOutcome::NewlyAllowed, Some(before), _) => format!("was {}", named(before)),
        (_, _, Some(after)) => named(after),
        _ => String::new(),
    }
}

impl From<&Side> for Verdict {
    fn from(side: &Side) -> Self {
        let (tone, glyph, word) = match side.verdict {
            "allow" => ("allow", "ok", "Allowed"),
            "require_approval" => ("ask", "ask", "Asked"),
            "deny" => ("deny", "deny", "Denied"),
            _ => ("deny", "hide", "Hidden"),
        };
        Self { tone, glyph, word }
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::policies::sample_head,
        kit::{
            samples::{AT, LONG, list, refused_list, sample, shell},
            shell::Base,
        },
    };

    let row = |text: &str, verdict: &'static str, is_flagged| {
        let side = |verdict| Side { verdict, layer: None, rule: String::new() };
        CallRow {
            href: "/o/acme/audit/x".into(),
            tool: text.into(),
            class: "Destructive",
            agent: text.into(),
            person: text.into(),
            client: text.into(),
            at: AT,
            before: Some(Verdict::from(&side("deny"))),
            after: Some(Verdict::from(&side(verdict))),
            rule: text.into(),
            note: "",
            is_flagged,
        }
    };
    let agent = |text: &str| AgentRow {
        href: "/o/acme/agents/x".into(),
        label: text.into(),
        person: text.into(),
        denied: 31,
        asked: 21,
        allowed: 0,
    };
    let page = |impact, agents: Vec<AgentRow>, rows, list| ReplayPage {
        shell: shell(Base::Organization, "GitHub: last week's calls"),
        head: sample_head("GitHub", true, true),
        impact,
        sees_calls: !agents.is_empty(),
        more_agents: agents.len(),
        agents,
        title: title(None),
        rows,
        left_out: vec![(3, "The grant was revoked.")],
        list,
    };
    let full = Impact::sample([31, 21, 7, 4_760, 12, 3]);
    vec![
        sample("replay: no draft", &page(Impact::of("/o/acme", None, None), Vec::new(), Vec::new(), list())),
        sample("replay: nothing changes", &page(Impact::sample([0; 6]), Vec::new(), Vec::new(), list())),
        sample(
            "replay",
            &page(full.clone(), vec![agent("Claude Code")], vec![row("get_issue", "deny", false)], list()),
        ),
        sample(
            "replay: many",
            &page(
                Impact::sample([4_000_000; 6]),
                (0..40).map(|_| agent(LONG)).collect(),
                (0..40).map(|_| row(LONG, "allow", true)).collect(),
                refused_list("outcome"),
            ),
        ),
    ]
}
