//! Who may change whose membership.
//!
//! Invariant: only who reaches everyone touches an owner, and no rule lets the last owner go.

use crate::{
    base::{ids::UserId, permission::Role},
    domain::tenancy::{Owners, Reach, TenancyRefusal},
};

/// Whether somebody with this reach may touch a role at all, be it that a person has it or is to get it.
const fn check_reach(reach: Reach, touches_an_owner: bool) -> Result<(), TenancyRefusal> {
    match (reach, touches_an_owner) {
        (Reach::Nobody, _) => Err(TenancyRefusal::MayNotManage),
        (Reach::NonOwners, true) => Err(TenancyRefusal::OwnersOnly),
        (Reach::NonOwners, false) | (Reach::Everyone, _) => Ok(()),
    }
}

/// Whether the person may be given another role. `present` is the role they had when last read.
///
/// # Errors
/// Why not.
pub fn check_role_change(
    reach: Reach,
    user: UserId,
    present: Role,
    wanted: Role,
    owners: &Owners,
) -> Result<(), TenancyRefusal> {
    let is_owner = present == Role::Owner || owners.include(user);
    check_reach(reach, is_owner || wanted == Role::Owner)?;
    if is_owner && wanted != Role::Owner && owners.would_be_none_without(user) {
        return Err(TenancyRefusal::LastOwner);
    }
    Ok(())
}

/// Whether somebody else may remove the person. `present` is the role they had when last read.
///
/// # Errors
/// Why not.
pub fn check_removal(
    reach: Reach,
    user: UserId,
    present: Role,
    owners: &Owners,
) -> Result<(), TenancyRefusal> {
    check_reach(reach, present == Role::Owner || owners.include(user))?;
    check_leaving(user, owners)
}

/// Whether the person may leave of their own will.
///
/// # Errors
/// When they are the last owner.
pub fn check_leaving(user: UserId, owners: &Owners) -> Result<(), TenancyRefusal> {
    if owners.include(user) && owners.would_be_none_without(user) {
        return Err(TenancyRefusal::LastOwner);
    }
    Ok(())
}

/// Whether an owner may hand ownership to `heir` and become an admin.
///
/// # Errors
/// When they are no owner, or hand it to themselves.
pub fn check_transfer(
    reach: Reach,
    owner: UserId,
    heir: UserId,
    owners: &Owners,
) -> Result<(), TenancyRefusal> {
    if reach != Reach::Everyone || !owners.include(owner) {
        return Err(TenancyRefusal::OwnersOnly);
    }
    if owner == heir { Err(TenancyRefusal::HeirIsSelf) } else { Ok(()) }
}

/// Whether an invitation to this role may be sent or sent again; asked once more when it is accepted.
///
/// # Errors
/// Why not.
pub fn check_invitation(reach: Reach, role: Role) -> Result<(), TenancyRefusal> {
    check_reach(reach, role == Role::Owner)
}

/// The roles that somebody may hand out, strongest first, for a choice on a page.
pub fn roles_to_give(reach: Reach) -> impl Iterator<Item = Role> {
    Role::ALL.into_iter().filter(move |role| check_invitation(reach, *role).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, sample::select};
    use uuid::Uuid;

    const ADA: UserId = UserId::from_uuid(Uuid::from_u128(1));
    const BOB: UserId = UserId::from_uuid(Uuid::from_u128(2));
    const CYD: UserId = UserId::from_uuid(Uuid::from_u128(3));

    fn owners(users: &[UserId]) -> Owners {
        Owners::locked(users.to_vec())
    }

    /// One line for each actor's role, one letter for each present role and wanted role:
    /// `+` may, `o` owners only, `-` may not manage.
    fn table() -> String {
        let two = owners(&[ADA, BOB]);
        let mut table = String::new();
        for actor in Role::ALL {
            table.push_str(actor.as_str());
            for present in Role::ALL {
                table.push(' ');
                let user = if present == Role::Owner { BOB } else { CYD };
                for wanted in Role::ALL {
                    table.push(match check_role_change(Reach::of_role(actor), user, present, wanted, &two) {
                        Ok(()) => '+',
                        Err(TenancyRefusal::OwnersOnly) => 'o',
                        Err(_) => '-',
                    });
                }
            }
            table.push('\n');
        }
        table
    }

    #[test]
    fn who_may_change_whom_is_this_table() {
        assert_eq!(
            table(),
            "owner ++++++ ++++++ ++++++ ++++++ ++++++ ++++++\n\
             admin oooooo o+++++ o+++++ o+++++ o+++++ o+++++\n\
             policy_manager ------ ------ ------ ------ ------ ------\n\
             approver ------ ------ ------ ------ ------ ------\n\
             auditor ------ ------ ------ ------ ------ ------\n\
             member ------ ------ ------ ------ ------ ------\n"
        );
    }

    #[test]
    fn the_last_owner_stays_whoever_asks() {
        let one = owners(&[ADA]);
        let all = Reach::Everyone;
        assert_eq!(check_leaving(ADA, &one), Err(TenancyRefusal::LastOwner));
        assert_eq!(check_removal(all, ADA, Role::Owner, &one), Err(TenancyRefusal::LastOwner));
        assert_eq!(
            check_role_change(all, ADA, Role::Owner, Role::Admin, &one),
            Err(TenancyRefusal::LastOwner)
        );
        assert_eq!(check_role_change(all, ADA, Role::Owner, Role::Owner, &one), Ok(()));
        let two = owners(&[ADA, BOB]);
        assert_eq!(check_leaving(ADA, &two), Ok(()));
        assert_eq!(check_removal(all, ADA, Role::Owner, &two), Ok(()));
    }

    #[test]
    fn a_role_read_before_the_lock_does_not_open_a_way_to_an_owner() {
        let two = owners(&[ADA, BOB]);
        assert_eq!(check_removal(Reach::NonOwners, BOB, Role::Member, &two), Err(TenancyRefusal::OwnersOnly));
        assert_eq!(
            check_role_change(Reach::Everyone, ADA, Role::Member, Role::Admin, &owners(&[ADA])),
            Err(TenancyRefusal::LastOwner)
        );
    }

    #[test]
    fn ownership_passes_from_an_owner_to_somebody_else() {
        let one = owners(&[ADA]);
        assert_eq!(check_transfer(Reach::Everyone, ADA, BOB, &one), Ok(()));
        assert_eq!(check_transfer(Reach::Everyone, ADA, ADA, &one), Err(TenancyRefusal::HeirIsSelf));
        assert_eq!(check_transfer(Reach::Everyone, BOB, CYD, &one), Err(TenancyRefusal::OwnersOnly));
        assert_eq!(check_transfer(Reach::NonOwners, ADA, BOB, &one), Err(TenancyRefusal::OwnersOnly));
    }

    #[test]
    fn an_admin_invites_to_every_role_but_owner() {
        assert_eq!(roles_to_give(Reach::Everyone).count(), 6);
        assert_eq!(roles_to_give(Reach::NonOwners).collect::<Vec<_>>(), Role::ALL[1..]);
        assert_eq!(roles_to_give(Reach::Nobody).count(), 0);
    }

    /// One thing somebody tries: who, on whom, what.
    #[derive(Clone, Debug)]
    enum Attempt {
        Change(usize, usize, Role),
        Remove(usize, usize),
        Leave(usize),
        Transfer(usize, usize),
    }

    fn attempts() -> impl Strategy<Value = Attempt> {
        let who = 0usize..5;
        prop_oneof![
            (who.clone(), who.clone(), select(&Role::ALL[..])).prop_map(|(a, b, r)| Attempt::Change(a, b, r)),
            (who.clone(), who.clone()).prop_map(|(a, b)| Attempt::Remove(a, b)),
            who.clone().prop_map(Attempt::Leave),
            (who.clone(), who).prop_map(|(a, b)| Attempt::Transfer(a, b)),
        ]
    }

    /// Does what was tried if the rules let it; tells the actor's role and whether an owner was touched.
    fn attempt(people: &mut [Option<Role>; 5], attempt: &Attempt) -> Option<(Role, bool)> {
        let id = |n: usize| UserId::from_uuid(Uuid::from_u128(n as u128 + 1));
        let owners = owners(&(0..5).filter(|n| people[*n] == Some(Role::Owner)).map(id).collect::<Vec<_>>());
        match *attempt {
            Attempt::Change(actor, target, wanted) => {
                let (role, present) = (people[actor]?, people[target]?);
                check_role_change(Reach::of_role(role), id(target), present, wanted, &owners).ok()?;
                people[target] = Some(wanted);
                Some((role, present == Role::Owner || wanted == Role::Owner))
            }
            Attempt::Remove(actor, target) => {
                let (role, present) = (people[actor]?, people[target]?);
                check_removal(Reach::of_role(role), id(target), present, &owners).ok()?;
                people[target] = None;
                Some((role, present == Role::Owner))
            }
            Attempt::Leave(actor) => {
                let role = people[actor]?;
                check_leaving(id(actor), &owners).ok()?;
                people[actor] = None;
                Some((role, role == Role::Owner))
            }
            Attempt::Transfer(actor, heir) => {
                let role = people[actor]?;
                people[heir]?;
                check_transfer(Reach::of_role(role), id(actor), id(heir), &owners).ok()?;
                people[heir] = Some(Role::Owner);
                people[actor] = Some(Role::Admin);
                Some((role, true))
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_people_try_an_owner_remains_and_only_owners_touch_owners(
            tries in prop::collection::vec(attempts(), 0..60)
        ) {
            use Role::{Admin, Member, Owner};
            let mut people = [Owner, Owner, Admin, Admin, Member].map(Some);
            for tried in &tries {
                if let Some((actor, touched_an_owner)) = attempt(&mut people, tried) {
                    prop_assert!(!touched_an_owner || actor == Role::Owner, "{tried:?}");
                }
                prop_assert!(people.contains(&Some(Role::Owner)), "{tried:?}");
            }
        }
    }
}
