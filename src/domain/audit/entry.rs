//! What a flow says happened.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    base::{
        actor::{Actor, KeyOwner, Origin},
        ids::{EventId, OrgId, UserId},
    },
    domain::audit::{
        call::CallPart,
        canon::{ActorPart, OriginPart, Record, TargetPart, VERSION, to_micros},
        change,
    },
};

/// The three kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A change to what Portreeve keeps.
    Admin,
    /// A sign-in, its failure, or a change of how somebody signs in.
    Auth,
    /// A tool call.
    Call,
}

impl EventKind {
    /// The word for it, in the database and outside.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Auth => "auth",
            Self::Call => "call",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Auth, Self::Call].into_iter().find(|kind| kind.name() == text)
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It may be done and is about to be.
    Allowed,
    /// It was done.
    Done,
    /// We refused it.
    Refused,
    /// It was allowed, but did not succeed.
    Failed,
    /// It was allowed, and nobody can say how it ended.
    Unknown,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Allowed, Self::Done, Self::Refused, Self::Failed, Self::Unknown];

    /// The word for it, in the database and outside.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.name() == text)
    }
}

/// Who does something, under which name, and from where.
#[derive(Clone, Debug)]
pub struct Who {
    /// The one who acts.
    pub actor: Actor,
    /// Their name at this moment; names change, the record does not.
    pub name: String,
    /// The request; jobs and the command line have none.
    pub origin: Option<Origin>,
}

impl Who {
    /// Somebody who sent a request.
    pub fn asking(actor: Actor, name: impl Into<String>, origin: Origin) -> Self {
        Self { actor, name: name.into(), origin: Some(origin) }
    }

    /// Somebody not signed in.
    pub fn nobody(origin: Origin) -> Self {
        Self::asking(Actor::Nobody, "nobody", origin)
    }

    /// Portreeve itself, by the name of the job or command.
    pub fn system(name: impl Into<String>) -> Self {
        Self { actor: Actor::System, name: name.into(), origin: None }
    }
}

/// One event, before it has its place in a chain.
#[derive(Clone, Debug)]
#[must_use = "an entry is recorded by audit::commit"]
pub struct Entry {
    kind: EventKind,
    action: &'static str,
    actor: ActorPart,
    origin: Option<OriginPart>,
    target: Option<TargetPart>,
    user: Option<UserId>,
    before: Option<Value>,
    after: Option<Value>,
    note: Option<String>,
    call: Option<Box<CallPart>>,
    decision: Decision,
}

impl Entry {
    /// An administrative change, such as `team.created`.
    pub fn admin(action: &'static str, who: &Who) -> Self {
        Self::of_kind(EventKind::Admin, action, who)
    }

    /// A sign-in or what belongs to it, such as `session.revoked`.
    pub fn auth(action: &'static str, who: &Who) -> Self {
        Self::of_kind(EventKind::Auth, action, who)
    }

    /// A tool call with its facts, such as `call.allowed`.
    pub fn call(action: &'static str, who: &Who, call: CallPart) -> Self {
        Self { call: Some(Box::new(call.plain())), ..Self::of_kind(EventKind::Call, action, who) }
    }

    fn of_kind(kind: EventKind, action: &'static str, who: &Who) -> Self {
        let (owner, session) = match who.actor {
            Actor::User { session, .. } => (None, Some(session)),
            Actor::ApiKey { owner: KeyOwner::User(user), .. } => (Some(user.to_string()), None),
            Actor::ApiKey { owner: KeyOwner::ServiceAccount(account), .. } => {
                (Some(account.to_string()), None)
            }
            Actor::Grant { principal, .. } => (Some(principal.to_string()), None),
            Actor::Nobody | Actor::System => (None, None),
        };
        let actor = ActorPart {
            id: who.actor.id_text(),
            kind: who.actor.kind().to_owned(),
            name: change::plain_text(&who.name),
            owner,
            session,
        };
        let origin = who.origin.as_ref().map(|origin| OriginPart {
            agent: origin.user_agent.as_deref().map(change::plain_text),
            ip: origin.ip,
            request: origin.request,
        });
        Self {
            kind,
            action,
            actor,
            origin,
            target: None,
            user: who.actor.user(),
            before: None,
            after: None,
            note: None,
            call: None,
            decision: Decision::Done,
        }
    }

    /// What it was done to: its noun, its outside id and its name at this moment.
    pub fn target(mut self, kind: &'static str, id: impl Display, name: impl AsRef<str>) -> Self {
        let (mut id, kind) = (id.to_string(), kind.to_owned());
        change::make_plain(&mut id);
        self.target = Some(TargetPart { id, kind, name: change::plain_text(name.as_ref()) });
        self
    }

    /// The person it is about, where that is not the one who acts.
    pub fn about(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// What was there and no longer is.
    pub fn before(mut self, view: &impl Serialize) -> Self {
        self.before = change::view(view);
        self
    }

    /// What is there now and was not.
    pub fn after(mut self, view: &impl Serialize) -> Self {
        self.after = change::view(view);
        self
    }

    /// Two views of one thing, of which only the fields that differ are kept.
    pub fn changed(mut self, before: &impl Serialize, after: &impl Serialize) -> Self {
        (self.before, self.after) = change::difference(change::view(before), change::view(after));
        self
    }

    /// Whether anything stands in before or after; an update that changed nothing needs no record.
    pub const fn has_change(&self) -> bool {
        self.before.is_some() || self.after.is_some()
    }

    /// A sentence for the reader: a reason given, or the code of a refusal.
    pub fn note(mut self, text: impl AsRef<str>) -> Self {
        self.note = Some(change::plain_text(text.as_ref()));
        self
    }

    /// We refused it.
    pub const fn refused(mut self) -> Self {
        self.decision = Decision::Refused;
        self
    }

    /// It was allowed, but did not succeed.
    pub const fn failed(mut self) -> Self {
        self.decision = Decision::Failed;
        self
    }

    /// How it ended.
    pub const fn ended(mut self, decision: Decision) -> Self {
        self.decision = decision;
        self
    }

    /// The record, once its place in a chain is known.
    pub(super) fn at_place(self, org: OrgId, seq: i64, id: EventId, at: OffsetDateTime) -> Record {
        Record {
            action: self.action.to_owned(),
            actor: self.actor,
            after: self.after,
            at: to_micros(at),
            before: self.before,
            call: self.call,
            decision: self.decision,
            id,
            kind: self.kind,
            note: self.note,
            org,
            origin: self.origin,
            seq,
            target: self.target,
            user: self.user,
            v: VERSION,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{ApiKeyId, RequestId, ServiceAccountId, SessionId, TeamId};

    fn person() -> (UserId, Who) {
        let user = UserId::fresh();
        let origin = Origin {
            request: RequestId::fresh(),
            ip: Some([192, 0, 2, 7].into()),
            user_agent: Some("Firefox".to_owned()),
        };
        (user, Who::asking(Actor::User { user, session: SessionId::fresh() }, "Ada", origin))
    }

    #[test]
    fn an_entry_says_who_what_to_whom_and_from_where() {
        let (user, who) = person();
        let team = TeamId::fresh();
        let entry = Entry::admin("team.created", &who)
            .target("team", team, "Platform")
            .after(&serde_json::json!({"name": "Platform"}));
        let record = entry.at_place(OrgId::fresh(), 1, EventId::fresh(), OffsetDateTime::UNIX_EPOCH);
        assert_eq!(record.actor.name, "Ada");
        assert_eq!(record.user, Some(user));
        assert_eq!(record.target.map(|t| (t.kind, t.id)), Some(("team".to_owned(), team.to_string())));
        assert_eq!(record.after, Some(serde_json::json!({"name": "Platform"})));
        assert_eq!(record.origin.and_then(|o| o.ip), who.origin.and_then(|o| o.ip));
        assert_eq!(record.decision, Decision::Done);
    }

    #[test]
    fn a_key_of_a_service_account_names_its_owner_and_no_person() {
        let (key, account) = (ApiKeyId::fresh(), ServiceAccountId::fresh());
        let actor = Actor::ApiKey { key, owner: KeyOwner::ServiceAccount(account) };
        let who = Who { actor, name: "deploy".to_owned(), origin: None };
        let record = Entry::admin("team.deleted", &who).refused().at_place(
            OrgId::fresh(),
            1,
            EventId::fresh(),
            OffsetDateTime::UNIX_EPOCH,
        );
        assert_eq!(record.actor.id, Some(key.to_string()));
        assert_eq!(record.actor.owner, Some(account.to_string()));
        assert_eq!(record.user, None);
        assert_eq!(record.decision, Decision::Refused);
    }

    #[test]
    fn an_update_without_difference_has_no_change() {
        let (_, who) = person();
        let view = serde_json::json!({"name": "Platform"});
        assert!(!Entry::admin("team.updated", &who).changed(&view, &view).has_change());
    }
}
