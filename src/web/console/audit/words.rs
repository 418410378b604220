//! What happened, in words.
//!
//! Invariant: a test finds every action that a route says it records among the phrases.

mod phrases;

use std::borrow::Cow;

use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    base::{
        ids::EventId,
        permission::{Permission, Role},
    },
    domain::audit::{Decision, EventRow, Record},
    web::console::audit::words::phrases::{PHRASES, Phrase},
};

/// One event as other pages list it.
pub(in crate::web::console) struct Line {
    pub(in crate::web::console) id: EventId,
    pub(in crate::web::console) at: OffsetDateTime,
    pub(in crate::web::console) who: String,
    /// What they did: "created the team Platform".
    pub(in crate::web::console) deed: String,
}

impl From<&EventRow> for Line {
    fn from(row: &EventRow) -> Self {
        Self { id: row.id, at: row.at, who: actor(row), deed: deed(row, None) }
    }
}

/// A heading for an action.
pub(in crate::web::console) fn title(action: &str) -> Cow<'static, str> {
    find(action).map_or_else(|| Cow::Owned(label(&action.replace('.', " "))), |phrase| phrase.title.into())
}

/// What happened, without who did it: "created the team Platform".
pub(in crate::web::console) fn deed(row: &EventRow, record: Option<&Record>) -> String {
    let Some(phrase) = find(&row.action) else {
        let on = row.target_name.as_ref().map(|name| format!(": {name}")).unwrap_or_default();
        return format!("{}{on}", row.action.replace(['.', '_'], " "));
    };
    let rest = fill(phrase.rest, |name| value_of(name, row, record));
    let rest = if rest.is_empty() { rest } else { format!(" {rest}") };
    match row.decision {
        Decision::Allowed | Decision::Done => format!("{}{rest}", phrase.past),
        Decision::Refused => format!("tried to {}{rest}; this was refused", phrase.verb),
        Decision::Failed => format!("tried to {}{rest}; this failed", phrase.verb),
        Decision::Unknown => format!("tried to {}{rest}; how it ended is not known", phrase.verb),
    }
}

/// The whole sentence.
pub(in crate::web::console) fn sentence(row: &EventRow, record: Option<&Record>) -> String {
    let deed = deed(row, record);
    if find(&row.action).is_some() {
        format!("{} {deed}.", actor(row))
    } else {
        format!("{}: {deed}.", actor(row))
    }
}

/// Who did it, at the head of a sentence.
pub(in crate::web::console) fn actor(row: &EventRow) -> String {
    match row.actor_kind.as_str() {
        "api_key" => format!("The API key {}", row.actor_name),
        "system" => "Portreeve".to_owned(),
        "nobody" if is_nameless(row) => "Somebody not signed in".to_owned(),
        _ => row.actor_name.clone(),
    }
}

/// What stands beside the name of who did it, where that is no person and [`actor`] does not say so already.
pub(in crate::web::console) fn actor_note(row: &EventRow) -> &'static str {
    match row.actor_kind.as_str() {
        "grant" => "agent",
        "system" => "by itself",
        "nobody" if !is_nameless(row) => "not signed in",
        _ => "",
    }
}

/// Whether nobody knows the name of who did it.
fn is_nameless(row: &EventRow) -> bool {
    row.actor_kind == "nobody" && matches!(row.actor_name.as_str(), "" | "nobody")
}

/// The name of a field, as people write it.
pub(in crate::web::console) fn label(field: &str) -> String {
    let words = field.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A recorded value, as people write it.
pub(in crate::web::console) fn value(field: &str, value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) if field.ends_with("role") => {
            text.parse::<Role>().map_or_else(|_| label(text), |role| role.label().to_owned())
        }
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => {
            let said = |item: &Value| match item.as_str().and_then(|text| text.parse::<Permission>().ok()) {
                Some(scope) => scope.label().to_owned(),
                None => self::value(field, item),
            };
            items.iter().map(said).collect::<Vec<_>>().join(", ")
        }
        Value::Object(fields) if fields.is_empty() => "none".to_owned(),
        Value::Object(fields) => {
            let said = |(name, inner): (&String, &Value)| {
                format!("{}: {}", name.replace('_', " "), self::value(name, inner))
            };
            fields.iter().map(said).collect::<Vec<_>>().join(", ")
        }
        Value::Number(number) => number.to_string(),
    }
}

fn find(action: &str) -> Option<&'static Phrase> {
    PHRASES.iter().find(|phrase| phrase.action == action)
}

fn value_of(name: &str, row: &EventRow, record: Option<&Record>) -> Option<String> {
    let side = |side: Option<&Value>, field: &str| side?.get(field).map(|found| value(field, found));
    match name.split_once('.') {
        Some(("before", field)) => side(record?.before.as_ref(), field),
        Some(("after", field)) => side(record?.after.as_ref(), field),
        _ => row.target_name.clone().or_else(|| row.target_id.clone()),
    }
}

/// Fills the places in braces; a stretch in brackets falls away where one of its places stays empty.
fn fill(template: &str, of: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once('[') {
        let (inner, after) = tail.split_once(']').unwrap_or((tail, ""));
        text.push_str(&filled(before, &of).unwrap_or_else(|| without_places(before)));
        text.push_str(&filled(inner, &of).unwrap_or_default());
        rest = after;
    }
    text.push_str(&filled(rest, &of).unwrap_or_else(|| without_places(rest)));
    text
}

fn filled(template: &str, of: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once('{') {
        let (name, after) = tail.split_once('}')?;
        text.push_str(before);
        text.push_str(&of(name)?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

fn without_places(template: &str) -> String {
    filled(template, &|_| Some("something".to_owned())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::{
        domain::audit::EventKind,
        web::{self, kit::routes::Effect},
    };

    fn row(action: &str, decision: Decision) -> EventRow {
        EventRow {
            seq: 1,
            id: EventId::fresh(),
            at: OffsetDateTime::UNIX_EPOCH,
            kind: EventKind::Admin,
            action: action.to_owned(),
            actor_kind: "user".to_owned(),
            actor_id: None,
            actor_name: "Mara Lindqvist".to_owned(),
            user: None,
            target_kind: None,
            target_id: None,
            target_name: Some("Tomás Ferreira".to_owned()),
            decision,
            request: None,
            ip: None,
        }
    }

    #[test]
    fn every_action_that_a_route_records_has_its_words() {
        let mut without: BTreeSet<&str> = BTreeSet::new();
        for route in web::routes().list() {
            if let Effect::Records(actions) = route.effect {
                without.extend(actions.iter().copied().filter(|action| find(action).is_none()));
            }
        }
        assert!(without.is_empty(), "add to PHRASES: {without:?}");
    }

    #[test]
    fn phrases_stand_by_name_once_each_and_can_be_filled() {
        assert!(PHRASES.is_sorted_by(|a, b| a.action < b.action), "sort PHRASES by action, without doubles");
        for phrase in PHRASES {
            let text = fill(phrase.rest, |_| Some("x".to_owned()));
            assert!(!text.contains(['{', '}', '[', ']']), "{}: {text}", phrase.action);
        }
    }

    #[test]
    fn a_sentence_says_who_did_what_and_how_it_ended() {
        let say = |action, decision| sentence(&row(action, decision), None);
        assert_eq!(say("team.created", Decision::Done), "Mara Lindqvist created the team Tomás Ferreira.");
        assert_eq!(
            say("operator.named", Decision::Refused),
            "Mara Lindqvist tried to make Tomás Ferreira an operator of this installation; this was refused."
        );
        assert_eq!(say("never.heard_of", Decision::Done), "Mara Lindqvist: never heard of: Tomás Ferreira.");
    }

    #[test]
    fn every_phrase_reads_well_in_a_list_where_before_and_after_are_not_known() {
        for phrase in PHRASES {
            let text = deed(&row(phrase.action, Decision::Done), None);
            assert!(!text.contains("something"), "put what may be missing in brackets: {text}");
            assert!(!text.contains("  ") && !text.contains(" ,") && !text.ends_with(' '), "{text:?}");
        }
    }

    #[test]
    fn who_did_it_is_said_once() {
        let by = |kind: &str, name: &str| {
            let row = EventRow {
                actor_kind: kind.to_owned(),
                actor_name: name.to_owned(),
                ..row("session.refused", Decision::Refused)
            };
            (actor(&row), actor_note(&row))
        };
        assert_eq!(by("nobody", "nobody"), ("Somebody not signed in".to_owned(), ""));
        assert_eq!(by("nobody", "Ada"), ("Ada".to_owned(), "not signed in"));
        assert_eq!(by("api_key", "nightly export"), ("The API key nightly export".to_owned(), ""));
        assert_eq!(by("grant", "Claude Code"), ("Claude Code".to_owned(), "agent"));
        assert_eq!(by("user", "Ada"), ("Ada".to_owned(), ""));
    }

    #[test]
    fn a_refused_sign_in_names_the_account() {
        let mut refused = row("session.refused", Decision::Refused);
        assert_eq!(
            deed(&refused, None),
            "tried to sign in to the account of Tomás Ferreira; this was refused"
        );
        refused.target_name = None;
        assert_eq!(deed(&refused, None), "tried to sign in; this was refused");
    }

    #[test]
    fn a_stretch_in_brackets_falls_away_where_a_field_is_unknown() {
        let template = "the role of {target}[ from {before.role} to {after.role}]";
        let known = |name: &str| Some(name.to_owned());
        assert_eq!(fill(template, known), "the role of target from before.role to after.role");
        let partly = |name: &str| (name != "after.role").then(|| "x".to_owned());
        assert_eq!(fill(template, partly), "the role of x");
        assert_eq!(fill(template, |_| None), "the role of something");
    }

    #[test]
    fn values_read_like_words() {
        assert_eq!(value("role", &json!("policy_manager")), "Policy manager");
        assert_eq!(value("scopes", &json!(["teams:read"])), Permission::TeamsRead.label());
        assert_eq!(value("x", &json!(true)), "yes");
        assert_eq!(value("x", &json!([])), "none");
        assert_eq!(value("ended", &json!({"api_keys": 1, "sessions": 2})), "api keys: 1, sessions: 2");
        assert_eq!(label("require_second_factor"), "Require second factor");
    }
}
