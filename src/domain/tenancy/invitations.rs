//! Invitations: what they are, in which state, and reading new ones from text.

use std::str::FromStr;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::{
        actor::KeyOwner,
        crypto::{digest::Digest, token::Token},
        email::Email,
        faults::Faults,
        ids::{InvitationId, OrgId, ServiceAccountId, TeamId, UserId},
        permission::Role,
    },
    domain::tenancy::{Joined, OrgState, TeamRef},
};

/// What has become of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvitationState {
    /// It can be accepted.
    Open,
    /// Its time has run out; sending it again opens it.
    Expired,
    /// Somebody has accepted it.
    Accepted,
    /// It was withdrawn.
    Revoked,
}

impl InvitationState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Open, Self::Expired, Self::Accepted, Self::Revoked];

    /// The name in the API and in filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Expired => "expired",
            Self::Accepted => "accepted",
            Self::Revoked => "revoked",
        }
    }

    /// Judges by the three times that a row holds; it is good up to, and not at, the moment it expires.
    pub fn of(
        expires_at: OffsetDateTime,
        accepted_at: Option<OffsetDateTime>,
        revoked_at: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Self {
        match (accepted_at, revoked_at) {
            (Some(_), _) => Self::Accepted,
            (None, Some(_)) => Self::Revoked,
            (None, None) if expires_at > now => Self::Open,
            (None, None) => Self::Expired,
        }
    }
}

/// Which kind of principal sent an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InviterKind {
    /// A person.
    User,
    /// A service account.
    ServiceAccount,
}

impl InviterKind {
    /// The name in the database.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ServiceAccount => "service_account",
        }
    }
}

/// The text names no kind of inviter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected user or service_account")]
pub(super) struct NotAnInviterKind;

impl FromStr for InviterKind {
    type Err = NotAnInviterKind;

    fn from_str(text: &str) -> Result<Self, NotAnInviterKind> {
        [Self::User, Self::ServiceAccount]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(NotAnInviterKind)
    }
}

/// Takes an inviter apart into the two columns.
pub(super) const fn inviter_columns(inviter: KeyOwner) -> (Uuid, InviterKind) {
    match inviter {
        KeyOwner::User(user) => (user.uuid(), InviterKind::User),
        KeyOwner::ServiceAccount(account) => (account.uuid(), InviterKind::ServiceAccount),
    }
}

/// Puts together what the two columns say.
pub(super) const fn inviter(id: Uuid, kind: InviterKind) -> KeyOwner {
    match kind {
        InviterKind::User => KeyOwner::User(UserId::from_uuid(id)),
        InviterKind::ServiceAccount => KeyOwner::ServiceAccount(ServiceAccountId::from_uuid(id)),
    }
}

/// An invitation as the organization sees it.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Whom it is for.
    pub email: Email,
    /// The role they get.
    pub role: Role,
    /// The team they join.
    pub team: Option<TeamId>,
    /// That team's name.
    pub team_name: Option<String>,
    pub(super) inviter_id: Uuid,
    pub(super) inviter_kind: InviterKind,
    /// The name of the person who sent it, while they are here.
    pub inviter_name: Option<String>,
    /// When it was first sent.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// When it was last sent.
    pub sent_at: OffsetDateTime,
    /// Until when it is good.
    pub expires_at: OffsetDateTime,
    /// When it was accepted.
    pub accepted_at: Option<OffsetDateTime>,
    /// By whom.
    pub accepted_by: Option<UserId>,
    /// When it was withdrawn.
    pub revoked_at: Option<OffsetDateTime>,
    /// Rises with every change.
    pub version: i64,
}

impl Invitation {
    /// Who sent it last.
    pub const fn inviter(&self) -> KeyOwner {
        inviter(self.inviter_id, self.inviter_kind)
    }

    /// What has become of it.
    pub fn state(&self, now: OffsetDateTime) -> InvitationState {
        InvitationState::of(self.expires_at, self.accepted_at, self.revoked_at, now)
    }
}

#[cfg(test)]
impl Invitation {
    /// An open invitation of a moment, for pages that show one.
    pub fn sample(email: &str, at: OffsetDateTime) -> Self {
        Self {
            id: InvitationId::fresh(),
            email: email.parse().expect("an address"),
            role: crate::base::permission::Role::Member,
            team: None,
            team_name: None,
            inviter_id: Uuid::nil(),
            inviter_kind: InviterKind::User,
            inviter_name: None,
            created_at: at,
            updated_at: at,
            sent_at: at,
            expires_at: at,
            accepted_at: None,
            accepted_by: None,
            revoked_at: None,
            version: 1,
        }
    }
}

/// Which invitations a caller wants to see.
#[derive(Clone, Debug, Default)]
pub struct InvitationFilter {
    /// A part of the address.
    pub q: Option<String>,
    /// Only those in this state.
    pub state: Option<InvitationState>,
}

/// An invitation as found by the link that somebody carries, before it is known who they are.
///
/// That it exists proves that the link is the latest one; everything else is for the acceptance rule to
/// judge.
#[derive(Clone, Debug)]
pub struct CarriedInvitation {
    /// Its id.
    pub id: InvitationId,
    /// The organization it leads to.
    pub org: OrgId,
    /// That organization's name.
    pub org_name: String,
    /// Whether that organization can be used.
    pub org_state: OrgState,
    /// Whom it is for.
    pub email: Email,
    /// The role they get.
    pub role: Role,
    /// The team they join.
    pub team: Option<TeamId>,
    /// Who sent it last.
    pub inviter: KeyOwner,
    /// The name of the person who sent it.
    pub inviter_name: Option<String>,
    /// Until when it is good.
    pub expires_at: OffsetDateTime,
    /// What had become of it when it was read.
    pub state: InvitationState,
    pub(super) token_hash: Digest,
}

/// Who stands at the door with an invitation's link.
#[derive(Clone, Copy, Debug)]
pub enum Visitor<'a> {
    /// Nobody has signed in.
    Nobody,
    /// A person who has not proven that the address of their account is theirs.
    Unproven(&'a Email),
    /// A person who has.
    Proven(&'a Email),
}

/// What an accepted invitation gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The role that the invitation named.
    pub role: Role,
    /// The team that was joined.
    pub team: Option<TeamId>,
    /// Whether the person is new here; who was a member before keeps their role.
    pub joined: Joined,
}

/// An invitation with its new link, which is shown or sent once.
#[derive(Debug)]
pub struct Issue {
    /// Its id.
    pub id: InvitationId,
    /// Until when it is good.
    pub expires_at: OffsetDateTime,
    /// Its version.
    pub version: i64,
    /// The link's token.
    pub token: Token,
}

/// Whether an invitation was made.
#[derive(Debug)]
#[must_use]
pub enum Invited {
    /// It was.
    Issued(Issue),
    /// The address has an open invitation; it can be sent again or withdrawn.
    AlreadyInvited(InvitationId),
    /// The address belongs to somebody who is here.
    AlreadyMember(UserId),
}

/// An invitation to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvitation {
    /// Whom it is for.
    pub email: Email,
    /// The role they get.
    pub role: Role,
    /// The team they join, as it was named; whether it exists is not known yet.
    pub team: Option<TeamRef>,
}

impl NewInvitation {
    /// Reads the fields `email`, `role` and `team`; a missing or empty team means none.
    ///
    /// # Errors
    /// A fault for each field that cannot be used.
    pub fn parse(email: &str, role: &str, team: Option<&str>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let email = faults.check("email", email.parse());
        let role = faults.check("role", role.parse());
        let team = match team.map(str::trim) {
            None | Some("") => Some(None),
            Some(text) => faults.check("team", text.parse().map_err(|_| "choose one of the teams")).map(Some),
        };
        match (email, role, team) {
            (Some(email), Some(role), Some(team)) => Ok(Self { email, role, team }),
            _ => Err(faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::{Duration, macros::datetime};

    #[test]
    fn every_bad_field_of_a_new_invitation_is_named_at_once() {
        let faults = NewInvitation::parse("nobody", "king", Some("No Team")).expect_err("all are bad");
        let fields: Vec<_> = faults.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["email", "role", "team"]);
    }

    #[test]
    fn an_invitation_needs_no_team() {
        for team in [None, Some(""), Some(" ")] {
            assert_eq!(NewInvitation::parse("a@b.co", "member", team).expect("good").team, None);
        }
        let named = NewInvitation::parse("a@b.co", "member", Some("platform")).expect("good");
        assert_eq!(named.team.and_then(|team| team.slug().map(str::to_owned)).as_deref(), Some("platform"));
    }

    #[test]
    fn an_invitation_expires_at_its_moment_and_the_end_it_had_stays() {
        let at = datetime!(2026-11-21 12:00 UTC);
        let early = at - Duration::seconds(1);
        assert_eq!(InvitationState::of(at, None, None, early), InvitationState::Open);
        assert_eq!(InvitationState::of(at, None, None, at), InvitationState::Expired);
        assert_eq!(InvitationState::of(at, Some(early), None, at), InvitationState::Accepted);
        assert_eq!(InvitationState::of(at, None, Some(early), at), InvitationState::Revoked);
    }
}
