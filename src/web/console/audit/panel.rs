//! One event, with all that is known of it, as the list's side panel and the event's own page show it.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::{
    base::permission::Permission,
    domain::audit::{CallPart, Decision, EventDetail, PolicyPart, Proof},
    flow::actions::events::Seen,
    web::{
        console::{
            audit::{outcome_of, words},
            policies::observed::would,
            traces::{self, Reader, TraceLine},
        },
        kit::pretty::pretty,
    },
};

/// One event.
pub(super) struct Panel {
    /// Its own page.
    pub(super) href: String,
    /// Its neighbors and the list without it; empty where there is none.
    pub(super) newer: String,
    pub(super) older: String,
    pub(super) close: String,
    pub(super) title: String,
    pub(super) sentence: String,
    pub(super) note: String,
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) outcome: &'static str,
    pub(super) at: OffsetDateTime,
    pub(super) changes: Vec<Change>,
    /// The steps of a call's decision.
    pub(super) steps: Vec<TraceLine>,
    /// The arguments of a call, where they are kept and may be shown; else empty.
    pub(super) arguments: String,
    pub(super) facts: Vec<Fact>,
    pub(super) checks: Vec<Check>,
    pub(super) proof: Vec<Fact>,
    /// What parts of policies that are only tried would have done with a call.
    pub(super) observed: Vec<Would>,
    /// The call in the simulator of the policy that stopped it; empty for all other events.
    pub(super) simulate: String,
    /// When the checkpoint that covers it was made.
    pub(super) sealed_at: Option<OffsetDateTime>,
}

/// One field that the event set, changed or took away.
pub(super) struct Change {
    pub(super) field: String,
    /// What was there; nothing where the event made the thing.
    pub(super) before: Option<String>,
    /// What is there now; nothing where the event took it away.
    pub(super) after: Option<String>,
}

/// What a part of a policy that is only tried would have done.
pub(super) struct Would {
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) word: &'static str,
    /// Whose policy it is.
    pub(super) says: String,
    pub(super) rule: String,
    /// The policy; empty for who may not read it.
    pub(super) href: String,
}

/// A fact, and where the events are that share it.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) text: String,
    pub(super) is_code: bool,
    pub(super) href: String,
}

/// Something that was just checked.
pub(super) struct Check {
    pub(super) class: &'static str,
    pub(super) glyph: &'static str,
    pub(super) says: String,
}

impl Panel {
    /// `like` makes the address of the list with one more filter.
    pub(super) fn of(
        seen: &Seen,
        reader: Reader<'_>,
        base: &str,
        like: impl Fn(&'static str, String) -> String,
    ) -> Self {
        let (row, record) = (&seen.detail.row, seen.detail.record.as_ref());
        let (tone, glyph, outcome) = outcome_of(&seen.detail);
        Self {
            href: format!("{base}/{}", row.id),
            newer: String::new(),
            older: String::new(),
            close: String::new(),
            title: words::title(&row.action).into_owned(),
            sentence: words::sentence(row, record),
            note: record.and_then(|record| record.note.clone()).unwrap_or_default(),
            tone,
            glyph,
            outcome,
            at: row.at,
            changes: record
                .map(|record| changes(record.before.as_ref(), record.after.as_ref()))
                .unwrap_or_default(),
            steps: record
                .and_then(|record| record.call.as_ref())
                .map(|call| traces::of_call(call, reader))
                .unwrap_or_default(),
            observed: observed(&seen.detail, reader),
            arguments: seen.arguments.as_ref().map(|kept| pretty(kept)).unwrap_or_default(),
            facts: facts(&seen.detail, like),
            checks: checks(&seen.proof),
            proof: vec![
                Fact::code("Event", row.id.to_string()),
                Fact::code("Place", row.seq.to_string()),
                Fact::code("Hash", seen.proof.hash.to_string()),
                Fact::code("Follows", seen.proof.prev_hash.to_string()),
            ],
            simulate: simulate(&seen.detail, reader),
            sealed_at: seen.proof.checkpoint.as_ref().map(|checkpoint| checkpoint.at),
        }
    }
}

/// Where a change of the policy that stopped a call can be tried with it; empty where none did, or for who may not.
pub(in crate::web::console) fn simulate(detail: &EventDetail, reader: Reader<'_>) -> String {
    let call = detail.record.as_ref().and_then(|record| record.call.as_deref());
    let call = call.filter(|call| call.method.as_deref() == Some("tools/call"));
    let is_stopped = detail.row.decision == Decision::Refused;
    match call.and_then(|call| call.decided.as_ref()) {
        Some(part) if is_stopped && reader.role.may(Permission::PoliciesRead) => {
            format!("/o/{}/policies/{}/simulate?event={}", reader.slug, part.policy, detail.row.id)
        }
        _ => String::new(),
    }
}

fn observed(detail: &EventDetail, reader: Reader<'_>) -> Vec<Would> {
    let call = detail.record.as_ref().and_then(|record| record.call.as_deref());
    let parts = call.map(|call| call.observed.as_slice()).unwrap_or_default();
    let one = |part: &PolicyPart| {
        let (tone, glyph, word) = would(&part.effect);
        let of = if part.layer == "org" { "organization" } else { &*part.layer };
        let may_look = reader.role.may(Permission::PoliciesRead);
        Would {
            tone,
            glyph,
            word,
            says: format!("by the policy of the {of}, version {}, which is only tried there", part.version),
            rule: part.rule.clone(),
            href: if may_look {
                format!("/o/{}/policies/{}", reader.slug, part.policy)
            } else {
                String::new()
            },
        }
    };
    parts.iter().map(one).collect()
}

impl Fact {
    const fn code(name: &'static str, text: String) -> Self {
        Self { name, text, is_code: true, href: String::new() }
    }
}

fn facts(detail: &EventDetail, like: impl Fn(&'static str, String) -> String) -> Vec<Fact> {
    let row = &detail.row;
    let origin = detail.record.as_ref().and_then(|record| record.origin.as_ref());
    let mut facts = Vec::new();
    let mut add = |name, text: String, is_code, href| facts.push(Fact { name, text, is_code, href });
    let who = match row.actor_kind.as_str() {
        "user" => row.actor_id.clone().unwrap_or_else(|| row.actor_name.clone()),
        _ => row.actor_name.clone(),
    };
    let note = words::actor_note(row);
    let named = if note.is_empty() || note == "not signed in" {
        words::actor(row)
    } else {
        format!("{} ({note})", row.actor_name)
    };
    add("Who", named, false, like("person", who));
    if let Some(kind) = &row.target_kind {
        let id = row.target_id.clone().unwrap_or_default();
        let name = row.target_name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| id.clone());
        let href = if id.is_empty() { String::new() } else { like("target", id) };
        add("To what", format!("{name} ({})", kind.replace('_', " ")), false, href);
    }
    add("Action", row.action.clone(), true, like("action", row.action.clone()));
    add("Outcome", outcome_of(detail).2.to_owned(), false, like("decision", row.decision.name().to_owned()));
    if let Some(ip) = row.ip {
        add("From", ip.to_string(), true, like("ip", ip.to_string()));
    }
    if let Some(agent) = origin.and_then(|origin| origin.agent.clone()) {
        add("With", agent, false, String::new());
    }
    let call = detail.record.as_ref().and_then(|record| record.call.as_deref());
    for (name, text, is_code) in call.map(call_facts).unwrap_or_default() {
        add(name, text, is_code, String::new());
    }
    if let Some(request) = row.request {
        add("Request", request.to_string(), true, like("request", request.to_string()));
    }
    facts
}

/// What a call's record says besides.
fn call_facts(call: &CallPart) -> Vec<(&'static str, String, bool)> {
    let mut facts = Vec::new();
    let mut add = |name, text: Option<String>, is_code| facts.extend(text.map(|text| (name, text, is_code)));
    add("Method", call.method.clone(), true);
    add("Class", call.class.map(|class| class.label().to_owned()), false);
    add("Code", call.code.clone(), true);
    let client = call.client.as_ref();
    let said = |name: &str, version: Option<&str>| format!("{name} {}", version.unwrap_or_default());
    add("Client", client.map(|client| said(&client.name, client.version.as_deref())), false);
    add("Arguments", call.arguments.as_ref().map(|arguments| arguments.keys.join(", ")), true);
    add("Arguments' digest", call.arguments.as_ref().map(|arguments| arguments.digest.to_string()), true);
    add("Definition", call.fingerprint.map(|fingerprint| fingerprint.to_string()), true);
    add("Account", call.connection.map(|connection| connection.to_string()), true);
    add("Intent", call.intent.map(|intent| intent.to_string()), true);
    let upstream = call.upstream.as_ref();
    add(
        "Server's status",
        upstream.and_then(|upstream| upstream.status).map(|status| status.to_string()),
        true,
    );
    add("Took", upstream.map(|upstream| format!("{:.1} ms", upstream.micros as f64 / 1000.0)), false);
    add("Sent and received", upstream.map(|one| format!("{} and {} bytes", one.sent, one.received)), false);
    add("Traced as", call.traceparent.clone(), true);
    facts
}

fn checks(proof: &Proof) -> Vec<Check> {
    let check = |is_good: bool, good: &str, bad: &str| Check {
        class: if is_good { "ok" } else { "no" },
        glyph: if is_good { "ok" } else { "deny" },
        says: if is_good { good } else { bad }.to_owned(),
    };
    let mut checks = vec![
        check(
            proof.recomputes,
            "The hash recomputes from the record",
            "The record does not give its hash: it was altered",
        ),
        check(
            proof.follows,
            "It follows the event before it",
            "It does not follow the event before it: the chain is broken here",
        ),
        check(
            proof.columns_agree,
            "What you read here is what was recorded",
            "What you read here is not what was recorded: the columns were altered",
        ),
    ];
    checks.push(match &proof.checkpoint {
        None => Check {
            class: "off",
            glyph: "clock",
            says: "No checkpoint covers it yet; one is made within a minute".to_owned(),
        },
        Some(checkpoint) => check(
            proof.checkpoint_holds,
            &format!("Signed checkpoint {} covers it", checkpoint.number),
            &format!("Checkpoint {} should cover it and does not hold", checkpoint.number),
        ),
    });
    checks
}

/// The fields of both sides, in the order of the record.
fn changes(before: Option<&Value>, after: Option<&Value>) -> Vec<Change> {
    let empty = Map::new();
    let fields = |side: Option<&Value>| match side {
        Some(Value::Object(map)) => map.clone(),
        Some(other) => Map::from_iter([("value".to_owned(), other.clone())]),
        None => empty.clone(),
    };
    let (old, new) = (fields(before), fields(after));
    let mut names: Vec<&String> = old.keys().collect();
    names.extend(new.keys().filter(|name| !old.contains_key(*name)));
    let said = |side: &Map<String, Value>, name: &str| side.get(name).map(|value| words::value(name, value));
    names
        .into_iter()
        .map(|name| Change { field: words::label(name), before: said(&old, name), after: said(&new, name) })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_name_what_was_and_what_is() {
        let (before, after) = (json!({"role": "member", "name": "A"}), json!({"role": "admin", "slug": "a"}));
        let changes = changes(Some(&before), Some(&after));
        let read: Vec<_> =
            changes.iter().map(|c| (c.field.as_str(), c.before.as_deref(), c.after.as_deref())).collect();
        assert_eq!(
            read,
            [("Role", Some("Member"), Some("Admin")), ("Name", Some("A"), None), ("Slug", None, Some("a"))]
        );
        assert!(super::changes(None, None).is_empty());
    }
}
