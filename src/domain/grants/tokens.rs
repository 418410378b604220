//! Tokens of a grant: what an agent carries.

use std::net::IpAddr;

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        crypto::token::{Token, TokenKind},
        faults::Faults,
        ids::{GrantId, GrantTokenId, UserId},
        secret::Secret,
    },
    domain::grants::{Grant, rules},
};

/// How long a token lives when nobody says, unless its grant ends before.
pub const DEFAULT_TOKEN_TTL: Duration = Duration::days(90);
/// How long a token lives at the most.
pub const LONGEST_TOKEN_TTL: Duration = Duration::days(365);
/// How long a replaced token may live on at the most.
pub const LONGEST_OVERLAP: Duration = Duration::days(7);

/// How often the last use is written down at the most: a busy agent must not become a row updated all day.
pub(super) const TOUCH_EVERY: Duration = Duration::minutes(1);

const LONGEST_CLIENT_NAME: usize = 200;
const LONGEST_CLIENT_VERSION: usize = 100;

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantToken {
    /// Its id.
    pub id: GrantTokenId,
    /// The grant.
    pub grant: GrantId,
    /// Its name.
    pub label: String,
    /// The last letters of the token.
    pub tail: String,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// Their name, while they are a member.
    pub created_by_name: Option<String>,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// By whom.
    pub revoked_by: Option<UserId>,
    /// The last call with it, to the minute.
    pub last_use: Option<LastUse>,
}

impl GrantToken {
    /// Whether it works, as far as the token itself says.
    pub fn state(&self, now: OffsetDateTime) -> TokenState {
        TokenState::of(self.revoked_at, self.expires_at, now)
    }
}

/// Whether a token works, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It works while its grant does.
    Live,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl TokenState {
    /// The state that follows from the facts.
    pub(super) fn of(
        revoked_at: Option<OffsetDateTime>,
        expires_at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Self {
        if revoked_at.is_some() {
            Self::Revoked
        } else if expires_at <= now {
            Self::Expired
        } else {
            Self::Live
        }
    }

    /// The name in the API and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// When a token was last used, from where and by which software.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When, to the minute.
    pub at: OffsetDateTime,
    /// From where.
    pub ip: Option<IpAddr>,
    /// The client, as it names itself.
    pub client: Option<ClientSeen>,
}

/// The software that made a call, as it names itself: nothing to rely on, much to recognize it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSeen {
    /// Its name.
    pub name: String,
    /// Its version, where it says one.
    pub version: Option<String>,
}

impl ClientSeen {
    /// Takes what a client said, cut to what can be shown; `None` where nothing is left of the name.
    pub fn of(name: &str, version: Option<&str>) -> Option<Self> {
        let name = shown(name, LONGEST_CLIENT_NAME);
        let version = version.map(|text| shown(text, LONGEST_CLIENT_VERSION)).filter(|text| !text.is_empty());
        (!name.is_empty()).then_some(Self { name, version })
    }
}

fn shown(text: &str, most: usize) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(most).collect();
    text.trim().to_owned()
}

/// When a token is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenExpiry {
    /// Nobody said.
    #[default]
    Default,
    /// After so many days, or with its grant where that ends before.
    Days(u16),
    /// At a moment.
    At(OffsetDateTime),
}

/// A token as somebody asked for it.
#[derive(Clone, Copy, Debug)]
pub struct TokenForm<'a> {
    /// The name.
    pub label: &'a str,
    /// When it is to end.
    pub expiry: TokenExpiry,
}

/// Why a token cannot end then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum BadExpiry {
    #[error("choose a time in the future")]
    Past,
    #[error("choose at most 365 days from now; an agent that runs longer gets a new token")]
    TooFar,
    #[error("the grant itself ends before; choose an earlier time")]
    AfterGrant,
}

fn parse_expiry(
    expiry: TokenExpiry,
    grant_ends: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, BadExpiry> {
    let within_grant = |at: OffsetDateTime| grant_ends.map_or(at, |end| end.min(at));
    let at = match expiry {
        TokenExpiry::Default => within_grant(now + DEFAULT_TOKEN_TTL),
        TokenExpiry::Days(days) if i64::from(days) > LONGEST_TOKEN_TTL.whole_days() => {
            return Err(BadExpiry::TooFar);
        }
        TokenExpiry::Days(days) => within_grant(now + Duration::days(i64::from(days))),
        TokenExpiry::At(at) => at,
    };
    if at <= now {
        Err(BadExpiry::Past)
    } else if at - now > LONGEST_TOKEN_TTL {
        Err(BadExpiry::TooFar)
    } else if grant_ends.is_some_and(|end| at > end) {
        Err(BadExpiry::AfterGrant)
    } else {
        Ok(at)
    }
}

/// A token that may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    pub(super) grant: GrantId,
    pub(super) label: String,
    pub(super) expires_at: OffsetDateTime,
}

impl NewToken {
    /// Takes what somebody asked for; whether the grant may have new tokens is decided before.
    ///
    /// # Errors
    /// Every fault with its field: `label`, `expires_at`.
    pub fn parse(form: TokenForm<'_>, grant: &Grant, now: OffsetDateTime) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let label = faults.check("label", rules::parse_label(form.label));
        let expires_at = faults.check("expires_at", parse_expiry(form.expiry, grant.expires_at, now));
        match (label, expires_at) {
            (Some(label), Some(expires_at)) => Ok(Self { grant: grant.id, label, expires_at }),
            _ => Err(faults),
        }
    }

    /// The one that takes a token's place: the same name, and as long a life, as far as the grant's end allows.
    pub fn replacing(old: &GrantToken, grant: &Grant, now: OffsetDateTime) -> Self {
        let ttl = (old.expires_at - old.created_at).clamp(Duration::MINUTE, LONGEST_TOKEN_TTL);
        let ends = now + ttl;
        let expires_at = grant.expires_at.map_or(ends, |end| end.min(ends));
        Self { grant: grant.id, label: old.label.clone(), expires_at }
    }
}

/// Why a replaced token cannot live on so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose 0 to 10080 minutes, which is 7 days")]
pub struct BadOverlap;

/// How long a replaced token lives on, so that agents can be given the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap(Duration);

impl Overlap {
    /// Takes a number of minutes.
    ///
    /// # Errors
    /// When it is negative or more than 7 days.
    pub fn minutes(minutes: i64) -> Result<Self, BadOverlap> {
        let most = LONGEST_OVERLAP.whole_minutes();
        if (0..=most).contains(&minutes) { Ok(Self(Duration::minutes(minutes))) } else { Err(BadOverlap) }
    }

    /// The moment at which the old token ends.
    pub fn end(self, now: OffsetDateTime) -> OffsetDateTime {
        now + self.0
    }

    /// Whether the old token ends at once.
    pub const fn is_none(self) -> bool {
        self.0.is_zero()
    }
}

impl Default for Overlap {
    fn default() -> Self {
        Self(Duration::DAY)
    }
}

/// A token's id and secret, between its making and the one time it is shown.
#[derive(Debug)]
pub struct IssuedToken {
    pub(super) id: GrantTokenId,
    pub(super) token: Token,
}

impl IssuedToken {
    /// A new one.
    pub fn fresh() -> Self {
        Self::of(GrantTokenId::fresh())
    }

    /// One whose id a form was given before it was sent, so that sending it twice makes one token.
    pub fn of(id: GrantTokenId) -> Self {
        Self { id, token: Token::issue(TokenKind::Grant, id) }
    }

    /// The token's id.
    pub const fn id(&self) -> GrantTokenId {
        self.id
    }

    /// The text that the agent carries.
    pub fn text(&self) -> Secret<String> {
        self.token.text()
    }

    /// What a list shows of it.
    pub(super) fn tail(&self) -> String {
        self.token.tail()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::{
        base::{actor::Principal, risk::Class},
        domain::grants::{Bindings, ServersOf},
    };

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn grant(expires_at: Option<OffsetDateTime>) -> Grant {
        Grant {
            id: GrantId::fresh(),
            label: "x".to_owned(),
            principal: Principal::User(UserId::fresh()),
            servers: ServersOf::All,
            ceiling: Class::Read,
            policy: None,
            expires_at,
            bindings: Bindings::default(),
            created_by: None,
            created_at: NOW,
            updated_at: NOW,
            suspension: None,
            revocation: None,
            version: 1,
        }
    }

    fn ends(expiry: TokenExpiry, grant_ends: Option<Duration>) -> Result<Duration, Vec<&'static str>> {
        let grant = grant(grant_ends.map(|after| NOW + after));
        NewToken::parse(TokenForm { label: "laptop", expiry }, &grant, NOW)
            .map(|new| new.expires_at - NOW)
            .map_err(|faults| faults.iter().map(|fault| fault.field).collect())
    }

    #[test]
    fn a_token_lives_ninety_days_by_default_and_a_year_at_most() {
        assert_eq!(ends(TokenExpiry::Default, None), Ok(Duration::days(90)));
        assert_eq!(ends(TokenExpiry::Days(365), None), Ok(Duration::days(365)));
        for bad in [TokenExpiry::Days(366), TokenExpiry::Days(0), TokenExpiry::At(NOW)] {
            assert_eq!(ends(bad, None), Err(vec!["expires_at"]), "{bad:?}");
        }
        assert_eq!(ends(TokenExpiry::At(NOW + Duration::SECOND), None), Ok(Duration::SECOND));
    }

    #[test]
    fn a_token_never_outlives_its_grant() {
        let day = Some(Duration::DAY);
        assert_eq!(ends(TokenExpiry::Default, day), Ok(Duration::DAY));
        assert_eq!(ends(TokenExpiry::Days(30), day), Ok(Duration::DAY));
        assert_eq!(ends(TokenExpiry::Days(366), day), Err(vec!["expires_at"]));
        assert_eq!(ends(TokenExpiry::At(NOW + Duration::days(2)), day), Err(vec!["expires_at"]));
        assert_eq!(ends(TokenExpiry::Default, Some(-Duration::DAY)), Err(vec!["expires_at"]));
    }

    #[test]
    fn a_replacement_lives_as_long_as_its_predecessor_did() {
        let old = GrantToken {
            id: GrantTokenId::fresh(),
            grant: GrantId::fresh(),
            label: "laptop".to_owned(),
            tail: "wxyz".to_owned(),
            created_by: None,
            created_by_name: None,
            created_at: NOW - Duration::days(20),
            expires_at: NOW + Duration::days(10),
            revoked_at: None,
            revoked_by: None,
            last_use: None,
        };
        let new = NewToken::replacing(&old, &grant(None), NOW);
        assert_eq!((new.label.as_str(), new.expires_at), ("laptop", NOW + Duration::days(30)));
        let new = NewToken::replacing(&old, &grant(Some(NOW + Duration::DAY)), NOW);
        assert_eq!(new.expires_at, NOW + Duration::DAY);
    }

    #[test]
    fn an_overlap_is_a_day_by_default_and_a_week_at_most() {
        assert_eq!(Overlap::default().end(NOW), NOW + Duration::DAY);
        assert!(Overlap::minutes(0).is_ok_and(Overlap::is_none));
        assert_eq!(Overlap::minutes(10_080).map(|overlap| overlap.end(NOW)), Ok(NOW + Duration::WEEK));
        assert_eq!(Overlap::minutes(10_081), Err(BadOverlap));
        assert_eq!(Overlap::minutes(-1), Err(BadOverlap));
    }

    #[test]
    fn what_a_client_says_of_itself_is_cut_to_what_can_be_shown() {
        let seen =
            ClientSeen::of(&format!(" a\u{1b}[31m{}", "x".repeat(300)), Some("1.0\n")).expect("a name");
        assert_eq!(seen.name.chars().count(), 199);
        assert!(seen.name.starts_with("a[31mx"));
        assert_eq!(seen.version.as_deref(), Some("1.0"));
        assert_eq!(ClientSeen::of(" \n ", Some("1")), None);
    }

    #[test]
    fn the_tail_is_the_end_of_the_token() {
        let issued = IssuedToken::fresh();
        assert!(issued.text().expose().starts_with("prg_"));
        assert!(issued.text().expose().ends_with(&issued.tail()));
        assert!(!format!("{issued:?}").contains(&issued.tail()));
    }
}
