//! Browser sessions: who is signed in where, how they proved themselves, and until when.
//!
//! The choice of own rows over a session crate is `docs/decisions/0004-sessions.md`.

use std::net::IpAddr;

use time::{Duration, OffsetDateTime};

use crate::{
    base::ids::{SessionId, UserId},
    domain::identity::devices,
};

/// How long a session lives at the most.
pub const ABSOLUTE_TTL: Duration = Duration::hours(12);
/// How long a session lives without a request.
pub const IDLE_TTL: Duration = Duration::minutes(90);
/// For how long a proof lets its person do sensitive things.
pub const FRESH_TTL: Duration = Duration::minutes(10);
/// How far the clocks of two replicas may be apart.
const CLOCKS_DIFFER: Duration = Duration::minutes(1);
/// How exactly the last request is remembered; more often would be a write for each request.
pub const TOUCH_EVERY: Duration = Duration::seconds(60);

/// How a person proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Their password.
    Password,
    /// A code of their authenticator app.
    Totp,
    /// A recovery code.
    RecoveryCode,
    /// A passkey, which verifies its person too.
    Passkey,
    /// The link printed at the first start.
    SetUp,
}

impl Method {
    const ALL: [Self; 5] = [Self::Password, Self::Totp, Self::RecoveryCode, Self::Passkey, Self::SetUp];

    /// The name in the database and the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Passkey => "passkey",
            Self::SetUp => "set_up",
        }
    }

    /// The name on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Password => "Password",
            Self::Totp => "Authenticator code",
            Self::RecoveryCode => "Recovery code",
            Self::Passkey => "Passkey",
            Self::SetUp => "Set-up link",
        }
    }

    /// Reads a name the database's rule lets through.
    pub(super) fn stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }
}

/// What is needed to sign a person in.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The person.
    pub user: UserId,
    /// How they proved it, at least one way.
    pub methods: Vec<Method>,
    /// From which address.
    pub ip: Option<IpAddr>,
    /// With which software, as it names itself.
    pub user_agent: Option<String>,
}

/// A session as stored.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who is signed in.
    pub user: UserId,
    /// Since when.
    pub created_at: OffsetDateTime,
    /// When the last request came, to the minute.
    pub last_seen_at: OffsetDateTime,
    /// When it ends whatever happens.
    pub expires_at: OffsetDateTime,
    /// Where the last request came from.
    pub ip: Option<IpAddr>,
    /// The software, as it names itself.
    pub user_agent: Option<String>,
    /// How the person proved themselves since signing in.
    pub methods: Vec<Method>,
    /// When they last did.
    pub proven_at: OffsetDateTime,
}

impl Session {
    /// Whether the session still opens doors.
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        now < self.expires_at && now < self.last_seen_at + IDLE_TTL
    }

    /// Whether the last request should be written down.
    pub fn is_touch_due(&self, now: OffsetDateTime) -> bool {
        now >= self.last_seen_at + TOUCH_EVERY
    }

    /// Whether the last proof is recent enough for a sensitive act.
    ///
    /// A proof from the future is none: the clock was set back, and it would count for longer than it should.
    pub fn is_fresh(&self, now: OffsetDateTime) -> bool {
        self.proven_at <= now + CLOCKS_DIFFER && now < self.proven_at + FRESH_TTL
    }

    /// Whether the person showed more than a password.
    pub fn is_two_factor(&self) -> bool {
        self.methods.iter().any(|m| matches!(m, Method::Totp | Method::RecoveryCode | Method::Passkey))
    }

    /// The device in words, such as `Firefox on Linux`.
    pub fn device(&self) -> String {
        devices::describe(self.user_agent.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(now: OffsetDateTime) -> Session {
        Session {
            id: SessionId::fresh(),
            user: UserId::fresh(),
            created_at: now,
            last_seen_at: now,
            expires_at: now + ABSOLUTE_TTL,
            ip: None,
            user_agent: None,
            methods: vec![Method::Password],
            proven_at: now,
        }
    }

    #[test]
    fn a_session_ends_by_idleness_or_by_age() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let mut session = session(start);
        let instant = Duration::microseconds(1);
        assert!(session.is_live(start + IDLE_TTL - instant));
        assert!(!session.is_live(start + IDLE_TTL));
        session.last_seen_at = start + ABSOLUTE_TTL - instant;
        assert!(session.is_live(start + ABSOLUTE_TTL - instant));
        assert!(!session.is_live(start + ABSOLUTE_TTL));
    }

    #[test]
    fn a_proof_is_fresh_for_ten_minutes_and_a_request_is_noted_each_minute() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let session = session(start);
        assert!(session.is_fresh(start + Duration::seconds(599)));
        assert!(!session.is_fresh(start + Duration::seconds(600)));
        assert!(
            session.is_fresh(start - Duration::seconds(30)),
            "another replica's clock may be a little ahead"
        );
        assert!(!session.is_fresh(start - Duration::hours(1)), "the clock was set back");
        assert!(!session.is_touch_due(start + Duration::seconds(59)));
        assert!(session.is_touch_due(start + Duration::seconds(60)));
    }

    #[test]
    fn a_passkey_or_a_code_makes_two_factors_and_a_password_does_not() {
        let mut session = session(OffsetDateTime::UNIX_EPOCH);
        assert!(!session.is_two_factor());
        for second in [Method::Totp, Method::RecoveryCode, Method::Passkey] {
            session.methods = vec![Method::Password, second];
            assert!(session.is_two_factor(), "{second:?}");
        }
    }

    #[test]
    fn a_method_reads_back_as_it_is_written() {
        for method in Method::ALL {
            assert_eq!(Method::stored(method.as_str()), Some(method));
        }
        assert_eq!(Method::stored("magic"), None);
    }
}
