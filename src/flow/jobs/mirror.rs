//! Auth events: written to the instance's chain with what they speak of, told to each organization of the person.
//!
//! A sign-in belongs to no organization, and the one who signs in may not even exist; so it stands in the instance's
//! chain. A job repeats it in the chain of every organization the person is in, whose auditors must see it.
//!
//! Invariant: an event is repeated once per organization, however often the job runs: it is known by its request.
//! Invariant: the same statements run whether there is such a person or not, so that time does not tell.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        actor::{Actor, Origin},
        ids::{RequestId, SessionId, UserId},
        page::PageRequest,
    },
    domain::{
        audit::{self, Entry, EventFilter, Who},
        identity::users::User,
        jobs::{NewJob, store as jobs},
        tenancy::store as tenancy,
    },
    flow::{
        cx::Ports,
        jobs::{JobError, JobRun},
    },
    io::db::{DbResult, OrgScope, OrgTx, PersonScope, PersonTx, Tx},
};

/// The kind of job that tells a person's organizations what happened.
pub const MIRROR_AUTH_EVENT: &str = "mirror_auth_event";

/// What can happen around a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthAction {
    /// Somebody signed in.
    SessionStarted,
    /// Somebody was not let in.
    SessionRefused,
    /// The password was right, the code was not.
    SecondFactorRefused,
    /// Somebody signed out.
    SessionEnded,
    /// A signed-in person proved again that it is them.
    SessionProven,
    /// A signed-in person did not prove it.
    ProofRefused,
    /// Somebody asked for an account.
    SignUpAsked,
    /// Somebody made an account.
    AccountCreated,
    /// Somebody proved their address.
    AccountVerified,
    /// Somebody asked for a link to choose a new password.
    PasswordResetAsked,
    /// A new password was chosen by such a link.
    PasswordReset,
}

impl AuthAction {
    /// The action's name in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SessionStarted => "session.started",
            Self::SessionRefused => "session.refused",
            Self::SecondFactorRefused => "second_factor.refused",
            Self::SessionEnded => "session.ended",
            Self::SessionProven => "session.proven",
            Self::ProofRefused => "session.proof_refused",
            Self::SignUpAsked => "account.sign_up_asked",
            Self::AccountCreated => "account.created",
            Self::AccountVerified => "account.verified",
            Self::PasswordResetAsked => "password.reset_asked",
            Self::PasswordReset => "password.reset",
        }
    }

    const fn is_refusal(self) -> bool {
        matches!(self, Self::SessionRefused | Self::SecondFactorRefused | Self::ProofRefused)
    }
}

/// One thing that happened around a sign-in; also the payload of the job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthEvent {
    action: AuthAction,
    /// Who acted, where they are signed in.
    actor: Option<(UserId, SessionId)>,
    name: String,
    /// Whom it is about; nobody, where the address is unknown here.
    user: Option<UserId>,
    /// Their name, where they are not the one who acts.
    #[serde(default)]
    person: Option<String>,
    session: Option<(SessionId, String)>,
    note: Option<String>,
    request: Option<RequestId>,
    ip: Option<IpAddr>,
    agent: Option<String>,
}

impl AuthEvent {
    /// Something that `who` did.
    pub fn new(action: AuthAction, who: &Who) -> Self {
        let actor = match who.actor {
            Actor::User { user, session } => Some((user, session)),
            _ => None,
        };
        Self {
            action,
            actor,
            name: who.name.clone(),
            user: who.actor.user(),
            person: None,
            session: None,
            note: None,
            request: who.origin.as_ref().map(|origin| origin.request),
            ip: who.origin.as_ref().and_then(|origin| origin.ip),
            agent: who.origin.as_ref().and_then(|origin| origin.user_agent.clone()),
        }
    }

    /// The person it is about, where there is one.
    #[must_use]
    pub fn about(mut self, user: Option<&User>) -> Self {
        self.user = user.map(|user| user.id);
        self.person = user.map(|user| user.name.as_str().to_owned());
        self
    }

    /// The session it is about, with the device in words.
    #[must_use]
    pub fn session(mut self, session: SessionId, device: String) -> Self {
        self.session = Some((session, device));
        self
    }

    /// The code of a refusal, or how somebody proved themselves.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    fn entry(&self) -> Entry {
        let origin =
            self.request.map(|request| Origin { request, ip: self.ip, user_agent: self.agent.clone() });
        let actor = self.actor.map_or(Actor::Nobody, |(user, session)| Actor::User { user, session });
        let who = Who { actor, name: self.name.clone(), origin };
        let mut entry = Entry::auth(self.action.name(), &who);
        if let Some(user) = self.user {
            entry = entry.about(user);
            if let Some(person) = &self.person {
                entry = entry.target("user", user, person);
            }
        }
        if let Some((session, device)) = &self.session {
            entry = entry.target("session", session, device);
        }
        if let Some(note) = &self.note {
            entry = entry.note(note);
        }
        if self.action.is_refusal() { entry.refused() } else { entry }
    }

    /// Writes the event with the change it speaks of, keeps both, and lets the person's organizations be told.
    pub async fn commit<T: Tx>(self, tx: T, ports: &Ports, now: OffsetDateTime) -> DbResult<()> {
        self.commit_with(tx, ports, now, Vec::new()).await
    }

    /// The same, with other entries of the instance's chain before it.
    pub async fn commit_with<T: Tx>(
        self,
        mut tx: T,
        ports: &Ports,
        now: OffsetDateTime,
        mut entries: Vec<Entry>,
    ) -> DbResult<()> {
        let job = NewJob { kind: MIRROR_AUTH_EVENT, payload: &self, dedup_key: None, run_at: now };
        jobs::enqueue(&mut tx, now, job).await?;
        entries.push(self.entry());
        audit::commit(tx, now, entries).await?;
        ports.waker.wake();
        Ok(())
    }
}

/// The handler of [`MIRROR_AUTH_EVENT`].
pub(super) async fn mirror(ports: Arc<Ports>, run: JobRun) -> Result<(), JobError> {
    let event: AuthEvent = run.payload()?;
    let (Some(user), Some(request)) = (event.user, event.request) else { return Ok(()) };
    let mut tx = PersonTx::begin(&ports.db, PersonScope::proven(user)).await?;
    let orgs = tenancy::orgs::list_of_person(&mut tx).await?;
    tx.done().await?;
    for found in orgs {
        let mut tx = OrgTx::begin(&ports.db, OrgScope::proven(found.org.id)).await?;
        // Appending holds the chain until the end, so that of two runs the second sees what the first wrote.
        let appended = audit::append(&mut tx, ports.clock.now(), vec![event.entry()]).await?;
        let filter = EventFilter {
            action: Some(event.action.name().to_owned()),
            request: Some(request),
            ..EventFilter::default()
        };
        let same = audit::list(&mut tx, &filter, &PageRequest { limit: 2, after: None }).await?;
        if same.items.len() > 1 {
            tx.done().await?;
        } else {
            audit::commit_appended(tx, appended).await?;
        }
    }
    Ok(())
}
