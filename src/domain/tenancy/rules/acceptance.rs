//! Who may accept an invitation.
//!
//! Invariant: an invitation is accepted only by a signed-in person who has proven the invited address,
//! through the latest link, on the page of that very invitation, while whoever sent it could send it still.
//!
//! Nothing here looks at how the person came by their account: an invitation makes no account, so there is
//! none to be claimed, and one that somebody signs up with the invited address counts only once the address
//! is proven.

use crate::{
    base::ids::InvitationId,
    domain::tenancy::{
        CarriedInvitation, InvitationState, OrgState, Reach, TenancyRefusal, Visitor, rules::people,
    },
};

/// Whether the link is good at all, whoever carries it: what its page needs to know before anybody signs in.
/// `None` is a link that no invitation has, or has no longer.
///
/// # Errors
/// Why it is not; nothing about the invitation may be shown then.
pub fn check_link(carried: Option<&CarriedInvitation>) -> Result<&CarriedInvitation, TenancyRefusal> {
    let invitation = carried.ok_or(TenancyRefusal::InvitationUnknown)?;
    match invitation.state {
        InvitationState::Accepted => return Err(TenancyRefusal::InvitationUsed),
        InvitationState::Revoked => return Err(TenancyRefusal::InvitationRevoked),
        InvitationState::Expired => return Err(TenancyRefusal::InvitationExpired),
        InvitationState::Open => {}
    }
    match invitation.org_state {
        OrgState::Active => Ok(invitation),
        OrgState::Suspended => Err(TenancyRefusal::OrgSuspended),
        OrgState::Deleted => Err(TenancyRefusal::OrgDeleted),
    }
}

/// Whether the visitor may accept. `shown` is the invitation that the page described; `inviter` is how far
/// whoever sent it reaches now, [`Reach::Nobody`] where they are gone.
///
/// # Errors
/// Why not.
pub fn check_acceptance(
    carried: Option<&CarriedInvitation>,
    shown: InvitationId,
    visitor: Visitor<'_>,
    inviter: Reach,
) -> Result<(), TenancyRefusal> {
    let invitation = check_link(carried)?;
    if invitation.id != shown {
        return Err(TenancyRefusal::OtherInvitation);
    }
    match visitor {
        Visitor::Nobody => return Err(TenancyRefusal::SignInFirst),
        Visitor::Unproven(email) | Visitor::Proven(email) if *email != invitation.email => {
            return Err(TenancyRefusal::OtherEmail);
        }
        Visitor::Unproven(_) => return Err(TenancyRefusal::EmailUnproven),
        Visitor::Proven(_) => {}
    }
    people::check_invitation(inviter, invitation.role).map_err(|_| TenancyRefusal::InviterLostRight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{
        actor::KeyOwner,
        email::Email,
        ids::{OrgId, UserId},
        permission::Role,
    };
    use proptest::{prelude::*, sample::select};
    use time::macros::datetime;
    use uuid::Uuid;

    const ID: InvitationId = InvitationId::from_uuid(Uuid::from_u128(9));
    const OTHER: InvitationId = InvitationId::from_uuid(Uuid::from_u128(10));

    fn email(text: &str) -> Email {
        text.parse().expect("an address")
    }

    fn invitation() -> CarriedInvitation {
        CarriedInvitation {
            id: ID,
            org: OrgId::from_uuid(Uuid::from_u128(1)),
            org_name: "Acme".to_owned(),
            org_state: OrgState::Active,
            email: email("Bea@example.com"),
            role: Role::Member,
            team: None,
            inviter: KeyOwner::User(UserId::from_uuid(Uuid::from_u128(2))),
            inviter_name: Some("Ada".to_owned()),
            expires_at: datetime!(2026-11-24 12:00 UTC),
            state: InvitationState::Open,
            token_hash: [0; 32],
        }
    }

    #[test]
    fn each_rule_refuses_by_its_own_name() {
        let (bea, eve) = (email("bea@EXAMPLE.com"), email("eve@example.com"));
        let usual = invitation();
        let with = |change: fn(&mut CarriedInvitation)| {
            let mut changed = invitation();
            change(&mut changed);
            changed
        };
        let used = with(|i| i.state = InvitationState::Accepted);
        let expired = with(|i| i.state = InvitationState::Expired);
        let revoked = with(|i| i.state = InvitationState::Revoked);
        let suspended = with(|i| i.org_state = OrgState::Suspended);
        let deleted = with(|i| i.org_state = OrgState::Deleted);
        let to_owner = with(|i| i.role = Role::Owner);
        let (proven, admin) = (Visitor::Proven(&bea), Reach::NonOwners);
        for (carried, shown, visitor, inviter, wanted) in [
            (Some(&usual), ID, proven, admin, Ok(())),
            (Some(&usual), ID, Visitor::Nobody, admin, Err(TenancyRefusal::SignInFirst)),
            (Some(&usual), ID, Visitor::Proven(&eve), admin, Err(TenancyRefusal::OtherEmail)),
            (Some(&usual), ID, Visitor::Unproven(&eve), admin, Err(TenancyRefusal::OtherEmail)),
            (Some(&used), ID, proven, admin, Err(TenancyRefusal::InvitationUsed)),
            (Some(&expired), ID, proven, admin, Err(TenancyRefusal::InvitationExpired)),
            (Some(&revoked), ID, proven, admin, Err(TenancyRefusal::InvitationRevoked)),
            (Some(&usual), OTHER, proven, admin, Err(TenancyRefusal::OtherInvitation)),
            (Some(&usual), ID, proven, Reach::Nobody, Err(TenancyRefusal::InviterLostRight)),
            (Some(&to_owner), ID, proven, admin, Err(TenancyRefusal::InviterLostRight)),
            (Some(&to_owner), ID, proven, Reach::Everyone, Ok(())),
            (Some(&usual), ID, Visitor::Unproven(&bea), admin, Err(TenancyRefusal::EmailUnproven)),
            (None, ID, proven, admin, Err(TenancyRefusal::InvitationUnknown)),
            (Some(&suspended), ID, proven, admin, Err(TenancyRefusal::OrgSuspended)),
            (Some(&deleted), ID, proven, admin, Err(TenancyRefusal::OrgDeleted)),
        ] {
            assert_eq!(check_acceptance(carried, shown, visitor, inviter), wanted);
        }
    }

    #[test]
    fn a_look_alike_address_is_another_address() {
        let mut invitation = invitation();
        invitation.email = email("k@example.com");
        let kelvin = email("\u{212a}@example.com");
        let refusal = check_acceptance(Some(&invitation), ID, Visitor::Proven(&kelvin), Reach::Everyone);
        assert_eq!(refusal, Err(TenancyRefusal::OtherEmail));
    }

    proptest! {
        #[test]
        fn an_acceptance_has_every_condition_met(
            state in select(&InvitationState::ALL[..]),
            org_state in select(&OrgState::ALL[..]),
            role in select(&Role::ALL[..]),
            inviter in select(&Role::ALL[..]),
            is_same_page: bool, is_proven: bool, is_signed_in: bool, is_same_address: bool,
        ) {
            let invitation = CarriedInvitation { state, org_state, role, ..invitation() };
            let address = email(if is_same_address { "BEA@example.com" } else { "bea@example.org" });
            let visitor = match (is_signed_in, is_proven) {
                (false, _) => Visitor::Nobody,
                (true, false) => Visitor::Unproven(&address),
                (true, true) => Visitor::Proven(&address),
            };
            let shown = if is_same_page { ID } else { OTHER };
            let may = check_acceptance(Some(&invitation), shown, visitor, Reach::of_role(inviter)).is_ok();
            let may_invite = inviter == Role::Owner || (inviter == Role::Admin && role != Role::Owner);
            let conditions = [
                state == InvitationState::Open, org_state == OrgState::Active, may_invite,
                is_same_page, is_proven, is_signed_in, is_same_address,
            ];
            prop_assert_eq!(may, conditions.into_iter().all(|condition| condition));
        }
    }
}
