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

<<<<<<< HEAD
/// By name.
const PHRASES: &[Phrase] = &[
    phrase("account.created", "Account created", "create", "created", "an account[ for {target}]"),
    phrase("account.sign_up_asked", "Account asked for", "create", "asked for", "an account[ for {target}]"),
    phrase("account.verified", "Address confirmed", "confirm", "confirmed", "the address of their account"),
    phrase("api_key.changed", "API key changed", "change", "changed", "the API key {target}"),
    phrase("api_key.created", "API key created", "create", "created", "the API key {target}"),
    phrase("api_key.revoked", "API key revoked", "revoke", "revoked", "the API key {target}"),
    phrase("api_key.rotated", "API key replaced", "replace", "replaced", "the API key {target}"),
    phrase("audit.exported", "Audit log exported", "export", "exported", "the audit log[ as {after.format}]"),
    phrase(
        "email.change_asked",
        "New address asked for",
        "ask for",
        "asked for",
        "a new e-mail address for their account",
    ),
    phrase("email.changed", "Address changed", "change", "changed", "the e-mail address of their account"),
    phrase("gate.closed", "Gate closed", "close", "closed", "the gate for all agents"),
    phrase("gate.opened", "Gate opened", "open", "opened", "the gate for all agents"),
    phrase("instance.set_up", "Installation set up", "set up", "set up", "this installation"),
    phrase(
        "instance.sign_up_changed",
        "Sign-up changed",
        "change",
        "changed",
        "who may sign up here[ from {before.sign_up} to {after.sign_up}]",
    ),
    phrase(
        "invitation.accepted",
        "Invitation accepted",
        "accept",
        "accepted",
        "the invitation[ for {target}]",
    ),
    phrase("invitation.created", "Invitation sent", "invite", "invited", "{target}[ as {after.role}]"),
    phrase(
        "invitation.refused",
        "Invitation refused",
        "accept",
        "was refused",
        "the invitation[ for {target}]",
    ),
    phrase("invitation.resent", "Invitation sent again", "send", "sent", "the invitation for {target} again"),
    phrase(
        "invitation.restored",
        "Invitation restored",
        "restore",
        "restored",
        "the invitation for {target}",
    ),
    phrase(
        "invitation.revoked",
        "Invitation withdrawn",
        "withdraw",
        "withdrew",
        "the invitation for {target}",
    ),
    phrase("job.retried", "Job tried again", "start", "started", "the job {target} again"),
    phrase("keys.rotated", "Keys moved", "move", "moved", "all data keys to the master key {target}"),
    phrase(
        "keys.rotation_started",
        "Key rotation started",
        "start",
        "started",
        "moving all data keys to the master key {target}",
    ),
    phrase("letter.opened", "Letter read", "read", "read", "a letter in the outbox ({target})"),
    phrase("letter.resent", "Letter sent again", "send", "sent", "a letter again ({target})"),
    phrase("letter.test_sent", "Test letter sent", "send", "sent", "a test letter"),
    phrase("member.added", "Member added", "add", "added", "{target} to the organization[ as {after.role}]"),
    phrase("member.left", "Member left", "leave", "left", "the organization"),
    phrase("member.offboarded", "Member off-boarded", "off-board", "off-boarded", "{target}"),
    phrase(
        "member.role_changed",
        "Role changed",
        "change",
        "changed",
        "the role of {target}[ from {before.role} to {after.role}]",
    ),
    phrase(
        "member.stopped",
        "Everything of theirs stopped",
        "stop",
        "stopped",
        "everything of theirs in this organization",
    ),
    phrase("operator.named", "Operator named", "make", "made", "{target} an operator of this installation"),
    phrase("operator.removed", "Operator removed", "take", "took", "the rank of an operator from {target}"),
    phrase("org.changed", "Settings changed", "change", "changed", "the settings of {target}"),
    phrase("org.created", "Organization created", "create", "created", "the organization {target}"),
    phrase("org.deleted", "Organization deleted", "delete", "deleted", "the organization {target}"),
    phrase("org.deletion_asked", "Deletion asked for", "ask for", "asked for", "the deletion of {target}"),
    phrase(
        "org.deletion_canceled",
        "Deletion called off",
        "call off",
        "called off",
        "the deletion of {target}",
    ),
    phrase("org.resumed", "Organization resumed", "resume", "resumed", "the organization {target}"),
    phrase("org.suspended", "Organization suspended", "suspend", "suspended", "the organization {target}"),
    phrase(
        "ownership.transferred",
        "Ownership handed over",
        "hand",
        "handed",
        "the ownership over to {target}",
    ),
    phrase("passkey.added", "Passkey added", "add", "added", "the passkey {target}"),
    phrase("passkey.removed", "Passkey removed", "remove", "removed", "the passkey {target}"),
    phrase(
        "passkey.renamed",
        "Passkey renamed",
        "rename",
        "renamed",
        "a passkey[ from {before.name} to {after.name}]",
    ),
    phrase("password.changed", "Password changed", "change", "changed", "their password"),
    phrase("password.reset", "Password reset", "reset", "reset", "their password by a letter"),
    phrase("person.stopped", "Everything of theirs stopped", "stop", "stopped", "everything of theirs"),
    phrase("profile.changed", "Profile changed", "change", "changed", "their profile"),
    phrase("recovery_codes.made", "Recovery codes made", "make", "made", "new recovery codes"),
    phrase("second_factor.refused", "Second factor refused", "show", "was refused", "a second factor"),
    phrase(
        "server.catalogue_changed",
        "Catalogue changed",
        "read",
        "noticed",
        "changes in what the server {target} offers",
    ),
    phrase("server.changed", "Server changed", "change", "changed", "the server {target}"),
    phrase("server.created", "Server added", "add", "added", "the server {target}[ at {after.url}]"),
    phrase(
        "server.credentials_changed",
        "Credentials changed",
        "change",
        "changed",
        "what requests to the server {target} carry",
    ),
    phrase("server.deleted", "Server deleted", "delete", "deleted", "the server {target}"),
    phrase("server.disabled", "Server disabled", "disable", "disabled", "the server {target}"),
    phrase("server.enabled", "Server enabled", "enable", "enabled", "the server {target}"),
    phrase("server.probed", "Server tried", "try", "tried", "a server[ at {after.host}]"),
    phrase("server.refreshed", "Catalogue read", "read", "read", "what the server {target} offers"),
    phrase(
        "server.tool_changed",
        "Tool changed",
        "change",
        "changed",
        "the tool {target}[ to {after.class}]",
    ),
    phrase("server.tools_accepted", "Tools accepted", "accept", "accepted", "tools of the server {target}"),
    phrase("server.tools_refused", "Tools refused", "refuse", "refused", "tools of the server {target}"),
    phrase(
        "service_account.changed",
        "Service account changed",
        "change",
        "changed",
        "the service account {target}",
    ),
    phrase(
        "service_account.created",
        "Service account created",
        "create",
        "created",
        "the service account {target}",
    ),
    phrase(
        "service_account.deleted",
        "Service account deleted",
        "delete",
        "deleted",
        "the service account {target}",
    ),
    phrase(
        "service_account.disabled",
        "Service account disabled",
        "disable",
        "disabled",
        "the service account {target}",
    ),
    phrase(
        "service_account.enabled",
        "Service account enabled",
        "enable",
        "enabled",
        "the service account {target}",
    ),
    phrase("session.ended", "Session ended", "end", "ended", "a session[ on {target}]"),
    phrase(
        "session.proof_refused",
        "Confirmation refused",
        "confirm",
        "failed to confirm",
        "that it is them",
    ),
    phrase("session.proven", "Confirmed", "confirm", "confirmed", "that it is them"),
    phrase("session.refused", "Sign-in refused", "sign in", "was refused at sign-in", ""),
    phrase("session.started", "Signed in", "sign in", "signed in", ""),
    phrase("sessions.ended", "Sessions ended", "end", "ended", "their other sessions"),
    phrase("team.changed", "Team changed", "change", "changed", "the team {target}"),
    phrase("team.created", "Team created", "create", "created", "the team {target}"),
    phrase("team.deleted", "Team deleted", "delete", "deleted", "the team {target}"),
    phrase(
        "team.member_added",
        "Team member added",
        "add",
        "added",
        "[{after.name} to ]the team {target}[ as {after.role}]",
    ),
    phrase(
        "team.member_changed",
        "Team role changed",
        "change",
        "changed",
        "the role[ of {after.name}] in the team {target}[ from {before.role} to {after.role}]",
    ),
    phrase(
        "team.member_removed",
        "Team member removed",
        "remove",
        "removed",
        "[{before.name} from ]the team {target}",
    ),
    phrase(
        "totp.disabled",
        "Codes turned off",
        "turn off",
        "turned off",
        "codes from an app as second factor",
    ),
    phrase("totp.enabled", "Codes turned on", "turn on", "turned on", "codes from an app as second factor"),
];

=======
>>>>>>> main
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
        "nobody" if row.actor_name == "nobody" || row.actor_name.is_empty() => {
            "Somebody not signed in".to_owned()
        }
        _ => row.actor_name.clone(),
    }
}

/// What stands beside the name of who did it, where that is no person.
pub(in crate::web::console) fn actor_note(row: &EventRow) -> &'static str {
    match row.actor_kind.as_str() {
        "api_key" => "API key",
        "grant" => "agent",
        "system" => "by itself",
        "nobody" => "not signed in",
        _ => "",
    }
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
