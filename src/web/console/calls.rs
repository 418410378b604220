//! Why did my call fail: one call, step by step, for the person it belongs to.

use askama::Template;
use axum::extract::Path;
use time::OffsetDateTime;

use crate::{
    base::ids::{RequestId, UserId},
    domain::audit::{CallPart, Decision, EventDetail, Record},
    flow::{
        actions::calls::{self, Explained},
        fault::ActionError,
    },
    web::{
        console::{
            audit::{self, is_asked, outcome_of},
            me::ask_for_access,
            shell_of,
            traces::{self, Reader, TraceLine},
        },
        kit::{
            ask::PersonPage,
            page::{PageResult, page},
            routes::{Access, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    Routes::default().page("/c/{request}", Access::Person, show)
}

/// Codes of refusals that a grant of its own could mend.
const MENDED_BY_ACCESS: [&str; 8] = [
    "policy_denied",
    "no_policy",
    "tool_hidden",
    "tool_unknown",
    "class_above_ceiling",
    "server_unknown",
    "name_unknown",
    "grant_expired",
];

/// The page.
#[derive(Template)]
#[template(path = "console/calls/show.html")]
struct CallPage {
    shell: Shell,
    sentence: String,
    tone: &'static str,
    glyph: &'static str,
    outcome: &'static str,
    at: OffsetDateTime,
    org: String,
    advice: &'static str,
    lines: Vec<TraceLine>,
    facts: Vec<(&'static str, String)>,
    /// The call in the audit log, for whoever may read it.
    log: String,
    /// The call in the simulator of the policy that stopped it, for whoever may read policies.
    simulate: String,
    /// Where access is asked for, where the call was denied to the reader's own agent.
    ask: String,
    /// Where the reader adds what the call of an agent of theirs lacked, and what is done there.
    mend: Option<(String, &'static str)>,
}

async fn show(ask: PersonPage, Path(request): Path<String>) -> PageResult {
    let request: RequestId = request.parse().map_err(|_| ActionError::NotFound)?;
    let explained = calls::explain(&ask.cx, request).await?;
    let shell = shell_of::person(&ask, "Why a call ended as it did").await?;
    let ask_for = ask_for(&explained, request, ask.cx.id());
    page(&CallPage { ask: ask_for, ..CallPage::of(shell, &explained) })
}

/// Where access to a tool is asked for that was denied to an agent of this person's; empty for all other calls.
fn ask_for(explained: &Explained, request: RequestId, user: UserId) -> String {
    let row = &explained.intent.row;
    let call = explained.intent.record.as_ref().and_then(|record| record.call.as_deref());
    let is_theirs = row.user == Some(user) && row.decision == Decision::Refused;
    let Some(call) = call.filter(|call| is_theirs && call.method.as_deref() == Some("tools/call")) else {
        return String::new();
    };
    let is_denied = call.code.as_deref().is_some_and(|code| MENDED_BY_ACCESS.contains(&code));
    if !is_denied {
        return String::new();
    }
    let server = call.server.map(|server| server.to_string()).unwrap_or_default();
    let tool = call.subject.as_deref().unwrap_or_default();
    ask_for_access(&explained.slug, &server, tool, &request.to_string())
}

impl CallPage {
    fn of(shell: Shell, explained: &Explained) -> Self {
        let last = explained.outcome.as_ref().unwrap_or(&explained.intent);
        let (tone, glyph, word) = outcome_of(last);
        let call = last.record.as_ref().and_then(|record| record.call.as_deref());
        let reader = Reader { slug: &explained.slug, role: explained.role, is_theirs: explained.is_theirs };
        let log = format!("/o/{}/audit/{}", explained.slug, explained.intent.row.id);
        Self {
            shell,
            sentence: sentence(&explained.intent, last),
            tone,
            glyph,
            outcome: word,
            at: explained.intent.row.at,
            org: explained.org.clone(),
            advice: advice(last.row.decision),
            lines: call.map(|call| traces::of_call(call, reader)).unwrap_or_default(),
            facts: facts(explained),
            log: if explained.may_read_log { log } else { String::new() },
            simulate: if explained.may_read_log {
                audit::simulate(&explained.intent, reader)
            } else {
                String::new()
            },
            ask: String::new(),
            mend: call.filter(|_| explained.is_theirs).and_then(mend),
        }
    }
}

/// Where somebody adds what a call of their agent's lacked, and what is done there.
fn mend(call: &CallPart) -> Option<(String, &'static str)> {
    let page = traces::own_page(&call.trace.finding.as_ref()?.actual)?;
    let deed = match call.code.as_deref()? {
        "account_not_connected" => "Connect the account",
        "account_needs_reauth" => "Connect it again",
        "account_lacks_scopes" => "Grant what is missing",
        "account_switched_off" => "Switch it on",
        "secret_missing" => "Add the secret",
        _ => return None,
    };
    Some((page, deed))
}

fn sentence(intent: &EventDetail, last: &EventDetail) -> String {
    let what = intent.row.target_name.as_deref().filter(|name| !name.is_empty()).unwrap_or("a server");
    let who = &intent.row.actor_name;
    if is_asked(last) {
        return format!("{who} asked for {what}, which waits for a human to agree.");
    }
    match last.row.decision {
        Decision::Allowed => format!("{who} called {what}; the answer is not on record yet."),
        Decision::Done => format!("{who} called {what}, and the server answered."),
        Decision::Refused => format!("{who} asked for {what}, and the call was denied."),
        Decision::Failed => format!("{who} called {what}; the call was allowed and failed."),
        Decision::Unknown => format!("{who} called {what}; how it ended is not known."),
    }
}

const fn advice(decision: Decision) -> &'static str {
    match decision {
        Decision::Refused => "Nothing was sent to the server.",
        Decision::Unknown => "The server may have acted. Look there before you repeat the call.",
        _ => "",
    }
}

fn facts(explained: &Explained) -> Vec<(&'static str, String)> {
    let row = &explained.intent.row;
    let record: Option<&Record> = explained.intent.record.as_ref();
    let call = record.and_then(|record| record.call.as_deref());
    let upstream =
        explained.outcome.as_ref().and_then(|detail| detail.record.as_ref()?.call.as_ref()?.upstream);
    let mut facts = vec![("Agent", row.actor_name.clone())];
    let mut add = |name, text: Option<String>| facts.extend(text.map(|text| (name, text)));
    add("Server", explained.server.clone());
    add("Tool", call.and_then(|call| call.subject.clone()));
    add("Method", call.and_then(|call| call.method.clone()));
    add("Class", call.and_then(|call| call.class).map(|class| class.label().to_owned()));
    let client = call.and_then(|call| call.client.as_ref());
    add(
        "Client",
        client.map(|client| format!("{} {}", client.name, client.version.as_deref().unwrap_or_default())),
    );
    add(
        "Arguments",
        call.and_then(|call| call.arguments.as_ref())
            .filter(|arguments| !arguments.keys.is_empty())
            .map(|arguments| arguments.keys.join(", ")),
    );
    add("Code", call.and_then(|call| call.code.clone()));
    add("From", row.ip.map(|ip| ip.to_string()));
    add("Server's status", upstream.and_then(|upstream| upstream.status).map(|status| status.to_string()));
    add("Took", upstream.map(|upstream| format!("{:.1} ms", upstream.micros as f64 / 1000.0)));
    add("Request", row.request.map(|request| request.to_string()));
    facts
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{AT, LONG, SHARP, sample, shell},
        shell::Base,
    };

    let page = |decision: Decision, lines: Vec<TraceLine>, text: &str| {
        let (tone, glyph, outcome) = audit::outcome(decision);
        CallPage {
            shell: shell(Base::Account, "Why a call ended as it did"),
            sentence: text.into(),
            tone,
            glyph,
            outcome,
            at: AT,
            org: text.into(),
            advice: advice(decision),
            facts: lines.iter().map(|_| ("Tool", text.into())).collect(),
            lines,
            log: "/o/acme/audit/x".into(),
            simulate: "/o/acme/policies/crew/simulate?event=x".into(),
            ask: "/me/access/acme/new".into(),
            mend: Some(("/me/accounts/acme/connect/github".into(), "Connect the account")),
        }
    };
    vec![
        sample("call: nothing known", &page(Decision::Allowed, Vec::new(), "")),
        sample("call: refused", &page(Decision::Refused, traces::sample_lines(), LONG)),
        sample("call: unknown", &page(Decision::Unknown, traces::sample_lines(), SHARP)),
    ]
}
