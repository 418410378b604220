//! The canonical bytes of a record.
//!
//! Canonical JSON after RFC 8785, in a profile that leaves nothing to a reader's judgment: members in order
//! of their UTF-16 code units, no white space, whole numbers within 2^53 only, absent parts left out, times
//! as RFC 3339 in UTC with six digits. JSON rather than a binary layout of our own, because the same bytes
//! stand in the export, where anybody can read them with common tools and check the hashes in twenty lines
//! of any language. Lengths need not be prefixed inside: one JSON text has one reading, and the chain
//! prefixes the whole.
//!
//! Every field is inside, also the organization, the number and the id, so the columns of the table can be
//! rebuilt from the record and compared. Ids are UUIDs made by us, which no restore renumbers.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    base::ids::{EventId, OrgId, RequestId, SessionId, UserId},
    domain::audit::{
        call::CallPart,
        change,
        entry::{Decision, EventKind},
    },
};

/// The version of this layout; a record of another version is never guessed at.
pub(super) const VERSION: u8 = 1;

/// A record. Members are declared in canonical order; a test holds them to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What was done, as noun and past participle: `team.created`.
    pub action: String,
    /// Who did it.
    pub actor: ActorPart,
    /// What is there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// When, to the microsecond.
    #[serde(with = "micros")]
    pub at: OffsetDateTime,
    /// What was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The facts of a tool call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<CallPart>>,
    /// How it ended.
    pub decision: Decision,
    /// The event's id.
    pub id: EventId,
    /// Which kind of event.
    pub kind: EventKind,
    /// A sentence for the reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whose chain it stands in; nil is the instance's.
    pub org: OrgId,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<OriginPart>,
    /// The place in the chain, from 1.
    pub seq: i64,
    /// What it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetPart>,
    /// The person it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The version of this layout.
    pub v: u8,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorPart {
    /// The outside id of the person, key or grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `nobody`, `user`, `api_key`, `grant` or `system`.
    pub kind: String,
    /// The name at that moment.
    pub name: String,
    /// The person, team or service account a key or grant belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The browser session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// From where something was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginPart {
    /// The caller's software, as it names itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The caller's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The request.
    pub request: RequestId,
}

/// What something was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetPart {
    /// Its outside id.
    pub id: String,
    /// Its noun.
    pub kind: String,
    /// Its name at that moment.
    pub name: String,
}

/// The bytes of a record whose number can be exchanged.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// Where in them the decimal digits of the number are.
    pub(super) number: std::ops::Range<usize>,
}

impl Numbered {
    /// Gives the record another number.
    pub(super) fn renumber(&mut self, seq: i64) {
        let digits = seq.to_string();
        self.bytes.splice(self.number.clone(), digits.bytes());
        self.number.end = self.number.start + digits.len();
    }
}

/// The bytes are no record in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no record of version {VERSION} in canonical form")]
pub struct NotCanonical;

impl Record {
    /// The bytes that the chain covers.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Most records are of about this size; one that grows as it is written would be copied again and again.
        let mut bytes = Vec::with_capacity(1536);
        serde_json::to_writer(&mut bytes, self).expect("a record of texts and whole numbers serializes");
        bytes
    }

    /// The bytes that the chain covers, and where in them the number stands: for records whose place in the chain is
    /// known only later.
    pub(super) fn to_numbered(&self) -> Numbered {
        let bytes = self.to_bytes();
        // Behind the number follow only texts, in which a quotation mark is escaped: the last match is the member.
        let mark = b",\"seq\":";
        let at = memchr::memmem::rfind(&bytes, mark);
        let start = at.expect("a record has a number") + mark.len();
        let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        Numbered { number: start..start + digits, bytes }
    }

    /// Reads a record and holds it to the canonical form.
    ///
    /// # Errors
    /// When the bytes are not exactly those that [`Record::to_bytes`] makes of some record.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let record: Self = serde_json::from_slice(bytes).map_err(|_| NotCanonical)?;
        let values_in_order = record.before.iter().chain(&record.after).all(is_canonical);
        if record.v == VERSION && values_in_order && record.to_bytes() == bytes {
            Ok(record)
        } else {
            Err(NotCanonical)
        }
    }
}

fn is_canonical(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            map.keys().is_sorted_by(|a, b| change::key_order(a, b).is_lt()) && map.values().all(is_canonical)
        }
        Value::Array(items) => items.iter().all(is_canonical),
        Value::Number(number) => change::is_whole(number),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// The moment as Postgres keeps it: in UTC, to the microsecond.
pub(super) fn to_micros(at: OffsetDateTime) -> OffsetDateTime {
    let at = at.to_offset(time::UtcOffset::UTC);
    at.replace_microsecond(at.microsecond()).unwrap_or(at)
}

/// Times as `2026-11-21T08:30:00.000000Z`, in this one form.
pub(super) mod micros {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use time::{OffsetDateTime, PrimitiveDateTime, format_description::StaticFormatDescription, macros};

    const FORM: StaticFormatDescription =
        macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

    pub(in crate::domain::audit) fn text(at: OffsetDateTime) -> String {
        at.to_offset(time::UtcOffset::UTC).format(FORM).unwrap_or_else(|_| at.to_string())
    }

    pub(in crate::domain::audit) fn serialize<S: Serializer>(
        at: &OffsetDateTime,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.serialize_str(&text(*at))
    }

    pub(in crate::domain::audit) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<OffsetDateTime, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        PrimitiveDateTime::parse(&text, FORM).map(PrimitiveDateTime::assume_utc).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{
            actor::{Actor, Origin},
            ids::{ApprovalId, ConnectionId, GrantId, GrantTokenId, PolicyId, ServerId},
            risk::Class,
            trace::{Finding, Fixer, Step, Trace},
        },
        domain::audit::{
            call::{ArgumentsPart, ClientPart, PolicyPart, UpstreamPart},
            chain::Hex,
            entry::{Entry, Who},
        },
    };
    use proptest::prelude::*;
    use serde_json::json;
    use time::macros::datetime;

    fn full(name: &str, after: &Value) -> Record {
        let origin = Origin {
            request: RequestId::from_uuid(uuid::Uuid::from_u128(4)),
            ip: Some(IpAddr::from([192, 0, 2, 1])),
            user_agent: Some("curl".to_owned()),
        };
        let user = UserId::from_uuid(uuid::Uuid::from_u128(3));
        let actor = Actor::User { user, session: SessionId::from_uuid(uuid::Uuid::from_u128(5)) };
        Entry::admin("team.updated", &Who::asking(actor, name, origin))
            .target("team", "tem_1", name)
            .changed(&json!({"a": 1}), after)
            .note(name)
            .at_place(
                OrgId::from_uuid(uuid::Uuid::from_u128(1)),
                7,
                EventId::from_uuid(uuid::Uuid::from_u128(2)),
                datetime!(2026-11-21 8:30:00.1234567 UTC),
            )
    }

    fn policy(effect: &'static str) -> PolicyPart {
        PolicyPart {
            effect: effect.into(),
            layer: "grant".into(),
            policy: PolicyId::from_uuid(uuid::Uuid::from_u128(10)),
            rule: "/default".to_owned(),
            version: 3,
        }
    }

    fn full_call() -> CallPart {
        let digest = Hex([7; 32]);
        CallPart {
            approval: Some(ApprovalId::from_uuid(uuid::Uuid::from_u128(11))),
            arguments: Some(ArgumentsPart { digest, keys: vec!["title".to_owned()] }),
            class: Some(Class::Write),
            client: Some(ClientPart { name: "curl".to_owned(), version: Some("8".to_owned()) }),
            code: Some("class_above_ceiling".to_owned()),
            connection: Some(ConnectionId::from_uuid(uuid::Uuid::from_u128(12))),
            decided: Some(policy("deny")),
            fingerprint: Some(digest),
            grant: Some(GrantId::from_uuid(uuid::Uuid::from_u128(6))),
            intent: Some(EventId::from_uuid(uuid::Uuid::from_u128(7))),
            method: Some("tools/call".to_owned()),
            observed: vec![policy("ask")],
            server: Some(ServerId::from_uuid(uuid::Uuid::from_u128(8))),
            session: Some(digest),
            subject: Some("create_issue".to_owned()),
            token: Some(GrantTokenId::from_uuid(uuid::Uuid::from_u128(9))),
            trace: Trace::decided(Step::Role, Finding::new("write", "read", Fixer::Admin)),
            traceparent: Some("00-1-2-01".to_owned()),
            upstream: Some(UpstreamPart { micros: 1, received: 2, sent: 3, status: Some(200) }),
        }
    }

    #[test]
    fn the_bytes_are_these() {
        assert_eq!(
            String::from_utf8(full("Ada", &json!({"b": "x"})).to_bytes()).expect("UTF-8"),
            concat!(
                r#"{"action":"team.updated","actor":{"id":"usr_00000000000000000000000003","#,
                r#""kind":"user","name":"Ada","#,
                r#""session":"ses_00000000000000000000000005"},"after":{"b":"x"},"#,
                r#""at":"2026-11-21T08:30:00.123456Z","#,
                r#""before":{"a":1},"decision":"done","id":"evt_00000000000000000000000002","#,
                r#""kind":"admin","note":"Ada","#,
                r#""org":"org_00000000000000000000000001","origin":{"agent":"curl","ip":"192.0.2.1","#,
                r#""request":"req_00000000000000000000000004"},"seq":7,"#,
                r#""target":{"id":"tem_1","kind":"team","#,
                r#""name":"Ada"},"user":"usr_00000000000000000000000003","v":1}"#
            )
        );
    }

    #[test]
    fn members_are_declared_in_canonical_order() {
        let mut record = full("Ada", &json!({"b": "x"}));
        record.actor.owner = Some("usr_1".to_owned());
        record.call = Some(Box::new(full_call()));
        let value: Value = serde_json::from_slice(&record.to_bytes()).expect("JSON");
        assert!(is_canonical(&value));
        assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }

    #[test]
    fn another_writing_of_the_same_record_is_refused() {
        let text = String::from_utf8(full("Ada", &json!({"b": 1, "c": 2})).to_bytes()).expect("UTF-8");
        for (from, to) in [
            (r#""v":1"#, r#""v":1 "#),
            (r#""v":1"#, r#""v":2"#),
            (r#""v":1"#, r#""v":1,"w":1"#),
            (r#""b":1,"c":2"#, r#""c":2,"b":1"#),
            (r#""b":1,"c":2"#, r#""b":9,"b":1,"c":2"#),
            (r#""b":1,"c":2"#, r#""b":1.0,"c":2"#),
            (r#""seq":7"#, r#""seq":7,"seq":7"#),
            ("Ada", "\\u0041da"),
            (".123456Z", ".123456+00:00"),
        ] {
            let other = text.replace(from, to);
            assert_ne!(other, text);
            assert_eq!(Record::from_bytes(other.as_bytes()), Err(NotCanonical), "{from} -> {to}");
        }
    }

    proptest! {
        #[test]
        fn every_record_reads_back_to_the_same_bytes(
            name in any::<String>(), members: std::collections::HashMap<String, (i64, f64, String)>,
        ) {
            let record = full(&name, &json!(members));
            let bytes = record.to_bytes();
            let again = Record::from_bytes(&bytes).expect("our own bytes");
            prop_assert_eq!(again.to_bytes(), bytes);
            prop_assert_eq!(again, record);
        }

        #[test]
        fn a_record_with_another_number_is_the_record_of_that_number(name in any::<String>(), seq in 1..i64::MAX) {
            let mut record = full(&name, &json!({ "seq": 1, ",\"seq\":7": ",\"seq\":7," }));
            let mut numbered = record.to_numbered();
            numbered.renumber(seq);
            record.seq = seq;
            prop_assert_eq!(&numbered.bytes, &record.to_bytes());
            let digits = seq.to_string();
            prop_assert_eq!(&numbered.bytes[numbered.number], digits.as_bytes());
        }

        #[test]
        fn reading_never_panics(bytes: Vec<u8>) {
            let _ = Record::from_bytes(&bytes);
        }
    }
}
