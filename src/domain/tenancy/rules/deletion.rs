//! When an organization goes: two owners agree, or its only owner waits.
//!
//! Invariant: no single person deletes at once, and none deletes what others own. The grace period counts
//! only where the one who asked is the one owner there is; removing the other owners meanwhile does not
//! shorten it.

use time::{Duration, OffsetDateTime};

use crate::{
    base::ids::UserId,
    domain::tenancy::{Org, Owners, TenancyRefusal},
};

/// How long a sole owner waits.
pub const GRACE: Duration = Duration::hours(72);

/// Whether the person may ask for deletion.
///
/// # Errors
/// Why not.
pub fn check_asking(org: &Org, asker: UserId, owners: &Owners) -> Result<(), TenancyRefusal> {
    if !owners.include(asker) {
        return Err(TenancyRefusal::DeletionOwnersOnly);
    }
    if org.deletion_asked_at.is_some() { Err(TenancyRefusal::DeletionAsked) } else { Ok(()) }
}

/// Whether the person may take the question back, whoever asked it.
///
/// # Errors
/// Why not.
pub fn check_cancelling(org: &Org, user: UserId, owners: &Owners) -> Result<(), TenancyRefusal> {
    if !owners.include(user) {
        return Err(TenancyRefusal::DeletionOwnersOnly);
    }
    if org.deletion_asked_at.is_none() { Err(TenancyRefusal::DeletionNotAsked) } else { Ok(()) }
}

/// Whether the person, as a second owner, may have the organization deleted at once.
///
/// # Errors
/// Why not.
pub fn check_confirming(org: &Org, user: UserId, owners: &Owners) -> Result<(), TenancyRefusal> {
    let asker = org.deletion_asked_by.ok_or(TenancyRefusal::DeletionNotAsked)?;
    if !owners.include(user) {
        Err(TenancyRefusal::DeletionOwnersOnly)
    } else if !owners.include(asker) {
        Err(TenancyRefusal::DeletionAskerLeft)
    } else if user == asker {
        Err(TenancyRefusal::DeletionNeedsAnother)
    } else {
        Ok(())
    }
}

/// When the organization goes by itself: set only while the one who asked is its only owner.
pub fn due_at(org: &Org, owners: &Owners) -> Option<OffsetDateTime> {
    let (asked_at, asker) = (org.deletion_asked_at?, org.deletion_asked_by?);
    (owners.include(asker) && owners.count() == 1).then(|| asked_at + GRACE)
}

/// Whether the grace period has ended, so that the job may delete.
///
/// # Errors
/// Why it may not.
pub fn check_due(org: &Org, owners: &Owners, now: OffsetDateTime) -> Result<(), TenancyRefusal> {
    let asker = org.deletion_asked_by.ok_or(TenancyRefusal::DeletionNotAsked)?;
    match due_at(org, owners) {
        Some(due) if due <= now => Ok(()),
        Some(_) => Err(TenancyRefusal::DeletionTooEarly),
        None if owners.include(asker) => Err(TenancyRefusal::DeletionNeedsAnother),
        None => Err(TenancyRefusal::DeletionAskerLeft),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tenancy::orgs::tests::acme;
    use time::macros::datetime;
    use uuid::Uuid;

    const ADA: UserId = UserId::from_uuid(Uuid::from_u128(1));
    const BOB: UserId = UserId::from_uuid(Uuid::from_u128(2));
    const ASKED: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn asked_by(user: UserId) -> Org {
        Org { deletion_asked_at: Some(ASKED), deletion_asked_by: Some(user), ..acme() }
    }
    fn owners(users: &[UserId]) -> Owners {
        Owners::locked(users.to_vec())
    }

    #[test]
    fn a_second_owner_confirms_at_once_and_the_asker_cannot() {
        let two = owners(&[ADA, BOB]);
        assert_eq!(check_confirming(&asked_by(ADA), BOB, &two), Ok(()));
        assert_eq!(check_confirming(&asked_by(ADA), ADA, &two), Err(TenancyRefusal::DeletionNeedsAnother));
        assert_eq!(check_confirming(&acme(), BOB, &two), Err(TenancyRefusal::DeletionNotAsked));
        let one = owners(&[ADA]);
        assert_eq!(check_confirming(&asked_by(ADA), BOB, &one), Err(TenancyRefusal::DeletionOwnersOnly));
    }

    #[test]
    fn a_sole_owner_waits_three_days() {
        let (org, one) = (asked_by(ADA), owners(&[ADA]));
        let early = ASKED + GRACE - Duration::seconds(1);
        assert_eq!(check_due(&org, &one, early), Err(TenancyRefusal::DeletionTooEarly));
        assert_eq!(check_due(&org, &one, ASKED + GRACE), Ok(()));
        assert_eq!(check_due(&acme(), &one, ASKED + GRACE), Err(TenancyRefusal::DeletionNotAsked));
    }

    #[test]
    fn the_grace_period_deletes_nothing_that_another_owns() {
        let late = ASKED + GRACE * 10;
        let two = owners(&[ADA, BOB]);
        assert_eq!(check_due(&asked_by(ADA), &two, late), Err(TenancyRefusal::DeletionNeedsAnother));
        let other = owners(&[BOB]);
        assert_eq!(check_due(&asked_by(ADA), &other, late), Err(TenancyRefusal::DeletionAskerLeft));
        assert_eq!(due_at(&asked_by(ADA), &other), None);
    }

    #[test]
    fn who_is_no_longer_an_owner_does_not_count_as_one_of_two() {
        let refusal = check_confirming(&asked_by(ADA), BOB, &owners(&[BOB]));
        assert_eq!(refusal, Err(TenancyRefusal::DeletionAskerLeft));
    }

    #[test]
    fn deletion_is_asked_once_by_an_owner_and_cancelled_by_any() {
        let two = owners(&[ADA, BOB]);
        assert_eq!(check_asking(&acme(), ADA, &two), Ok(()));
        assert_eq!(check_asking(&asked_by(ADA), BOB, &two), Err(TenancyRefusal::DeletionAsked));
        assert_eq!(check_asking(&acme(), BOB, &owners(&[ADA])), Err(TenancyRefusal::DeletionOwnersOnly));
        assert_eq!(check_cancelling(&asked_by(ADA), BOB, &two), Ok(()));
        assert_eq!(check_cancelling(&acme(), BOB, &two), Err(TenancyRefusal::DeletionNotAsked));
        assert_eq!(
            check_cancelling(&asked_by(ADA), BOB, &owners(&[ADA])),
            Err(TenancyRefusal::DeletionOwnersOnly)
        );
    }
}
