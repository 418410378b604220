//! Texts, and who may do what with a grant.

use std::str::FromStr;

use crate::{
    base::{
        actor::Principal,
        ids::UserId,
        wording::{self, BadDescription},
    },
    domain::grants::{Grant, Stop},
};

const LONGEST_LABEL: usize = 100;

/// Why a text is no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLabel {
    /// Nothing is there.
    #[error("enter a name, such as the client and what it is for")]
    Empty,
    /// It is too long.
    #[error("use at most 100 characters")]
    TooLong,
    /// It holds something that cannot be shown on one line.
    #[error("leave out line breaks and control characters")]
    Control,
}

/// A label of 1 to 100 characters on one line, without spaces around it.
pub(super) fn parse_label(text: &str) -> Result<String, BadLabel> {
    let text = text.trim();
    if text.is_empty() {
        return Err(BadLabel::Empty);
    }
    if text.chars().count() > LONGEST_LABEL {
        return Err(BadLabel::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(BadLabel::Control);
    }
    Ok(text.to_owned())
}

/// Why a grant is suspended or revoked; may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = BadDescription;

    fn from_str(text: &str) -> Result<Self, BadDescription> {
        wording::parse_description(text).map(Self)
    }
}

/// By what right somebody does something with a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They hold the right over all grants of the organization; nobody where a service account does.
    Admin(Option<UserId>),
    /// They are a member, and it is about what is theirs.
    Member(UserId),
}

/// What may be done with a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// See it with its tokens.
    See,
    /// Give it other terms.
    Change,
    /// Make, replace or revoke a token.
    Tokens,
    /// Let it rest.
    Suspend,
    /// Put it in force again.
    Resume,
    /// End it for good.
    Revoke,
}

/// Why something is not done with a grant; the text is a sentence for the person who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// It acts in another's name, so they may not know of it.
    #[error("There is no such grant among yours.")]
    NotYours,
    /// Only admins change terms.
    #[error("Only an owner or admin of the organization changes what a grant may do. Ask one of them.")]
    AdminsOnly,
    /// Somebody else suspended it.
    #[error(
        "Somebody else suspended this grant, so only an owner or admin of the organization can resume it."
    )]
    SuspendedByAnother,
    /// It is revoked.
    #[error("This grant is revoked, which is final. Make a new one.")]
    Revoked,
    /// Its time is over.
    #[error(
        "This grant has expired, so it cannot have new tokens. An owner or admin can give it a later end."
    )]
    Expired,
    /// The token is revoked or expired.
    #[error("This token no longer works, so it cannot be replaced. Make a new one.")]
    TokenOver,
}

impl GrantRefusal {
    /// The stable code for programs and the record.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotYours => "grant_not_yours",
            Self::AdminsOnly => "grant_admins_only",
            Self::SuspendedByAnother => "grant_suspended_by_another",
            Self::Revoked => "grant_revoked",
            Self::Expired => "grant_expired",
            Self::TokenOver => "grant_token_over",
        }
    }
}

impl Standing {
    /// The person, for the row.
    pub const fn by(self) -> Option<UserId> {
        match self {
            Self::Admin(by) => by,
            Self::Member(user) => Some(user),
        }
    }

    /// Whether they may do this with a grant: an admin everything, a member only what narrows their own.
    ///
    /// # Errors
    /// The reason against it.
    pub fn check(self, deed: Deed, grant: &Grant) -> Result<(), GrantRefusal> {
        if let Self::Member(user) = self {
            if grant.principal != Principal::User(user) {
                return Err(GrantRefusal::NotYours);
            }
            if deed == Deed::Change {
                return Err(GrantRefusal::AdminsOnly);
            }
            let is_theirs = grant.suspension.as_ref().is_none_or(|stop| stop.by == Some(user));
            if deed == Deed::Resume && !is_theirs {
                return Err(GrantRefusal::SuspendedByAnother);
            }
        }
        let is_final = grant.revocation.is_some() && !matches!(deed, Deed::See | Deed::Revoke);
        if is_final { Err(GrantRefusal::Revoked) } else { Ok(()) }
    }
}

/// Whether a suspension takes the place of an earlier one. It does where the person themselves suspended their grant
/// and now somebody else does: then the person may no longer resume it.
pub(super) fn takes_over(grant: &Grant, earlier: &Stop, later: &Stop) -> bool {
    earlier.by.is_some() && grant.principal.user() == earlier.by && later.by != earlier.by
}

#[cfg(test)]
mod tests {
    use time::{OffsetDateTime, macros::datetime};

    use super::*;
    use crate::{
        base::{actor::Principal, ids::GrantId, risk::Class},
        domain::grants::{Bindings, ServersOf},
    };

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);
    const DEEDS: [Deed; 6] =
        [Deed::See, Deed::Change, Deed::Tokens, Deed::Suspend, Deed::Resume, Deed::Revoke];

    fn grant(principal: Principal) -> Grant {
        Grant {
            id: GrantId::fresh(),
            label: "x".to_owned(),
            principal,
            servers: ServersOf::All,
            ceiling: Class::Read,
            policy: None,
            expires_at: None,
            bindings: Bindings::default(),
            created_by: None,
            created_at: NOW,
            updated_at: NOW,
            suspension: None,
            revocation: None,
            version: 1,
        }
    }

    fn stop(by: Option<UserId>) -> Stop {
        Stop { at: NOW, by, reason: String::new() }
    }

    #[test]
    fn a_member_narrows_their_own_and_touches_no_other() {
        let (me, other) = (UserId::fresh(), UserId::fresh());
        let mine = grant(Principal::User(me));
        for deed in DEEDS {
            assert_eq!(Standing::Admin(Some(other)).check(deed, &mine), Ok(()));
            assert_eq!(Standing::Member(other).check(deed, &mine), Err(GrantRefusal::NotYours));
            let wanted = if deed == Deed::Change { Err(GrantRefusal::AdminsOnly) } else { Ok(()) };
            assert_eq!(Standing::Member(me).check(deed, &mine), wanted, "{deed:?}");
        }
    }

    #[test]
    fn a_member_resumes_only_what_they_suspended() {
        let (me, admin) = (UserId::fresh(), UserId::fresh());
        let resume = |by| {
            let grant = Grant { suspension: Some(stop(by)), ..grant(Principal::User(me)) };
            Standing::Member(me).check(Deed::Resume, &grant)
        };
        assert_eq!(resume(Some(me)), Ok(()));
        assert_eq!(resume(Some(admin)), Err(GrantRefusal::SuspendedByAnother));
        assert_eq!(resume(None), Err(GrantRefusal::SuspendedByAnother));
    }

    #[test]
    fn an_admins_suspension_takes_over_a_members_and_not_the_other_way() {
        let (me, admin) = (UserId::fresh(), UserId::fresh());
        let mine = grant(Principal::User(me));
        assert!(takes_over(&mine, &stop(Some(me)), &stop(Some(admin))));
        assert!(takes_over(&mine, &stop(Some(me)), &stop(None)));
        assert!(!takes_over(&mine, &stop(Some(admin)), &stop(Some(me))));
        assert!(!takes_over(&mine, &stop(None), &stop(Some(me))));
        assert!(!takes_over(&mine, &stop(Some(me)), &stop(Some(me))));
    }

    #[test]
    fn a_revoked_grant_is_only_looked_at() {
        let over = Grant { revocation: Some(stop(None)), ..grant(Principal::User(UserId::fresh())) };
        for deed in DEEDS {
            let wanted =
                if matches!(deed, Deed::See | Deed::Revoke) { Ok(()) } else { Err(GrantRefusal::Revoked) };
            assert_eq!(Standing::Admin(None).check(deed, &over), wanted, "{deed:?}");
        }
    }

    #[test]
    fn texts_have_bounds() {
        assert_eq!(parse_label("  Claude Code "), Ok("Claude Code".to_owned()));
        assert_eq!(parse_label(" \t "), Err(BadLabel::Empty));
        assert_eq!(parse_label(&"ü".repeat(101)), Err(BadLabel::TooLong));
        assert_eq!(parse_label("a\nb"), Err(BadLabel::Control));
        assert_eq!("".parse::<Reason>().map(|reason| reason.0), Ok(String::new()));
        assert_eq!(" a\r\nb ".parse::<Reason>().map(|reason| reason.0), Ok("a\nb".to_owned()));
        assert_eq!("ü".repeat(501).parse::<Reason>(), Err(BadDescription::TooLong));
        assert_eq!("\0".parse::<Reason>(), Err(BadDescription::Control));
    }
}
