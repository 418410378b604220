use portreeve::{
    base::{actor::KeyOwner, email::Email, ids::TeamId, page::PageRequest, permission::Role, update::Update},
    domain::tenancy::{
        Accepted, CarriedInvitation, InvitationFilter, InvitationState, Invited, Issue, Joined,
        NewInvitation, Reach, TenancyRefusal, Visitor,
        rules::acceptance,
        store::{invitations, members, orgs, teams},
    },
    io::db::OrgTx,
};
use time::{Duration, OffsetDateTime};

use crate::rooms::{NOW, drop_it, keep, tenancy::Acme};

/// Beyond the days that an invitation is good for.
const LATER: OffsetDateTime = time::macros::datetime!(2027-11-21 12:00 UTC);

impl Acme {
    /// Ada invites Cyd as approver.
    async fn invite(&self, team: Option<TeamId>) -> Issue {
        let mut tx = self.world.org_tx(self.org).await;
        let issue = issue(&mut tx, "Cyd@x.test", team, KeyOwner::User(self.ada), NOW).await;
        keep(tx).await;
        issue
    }

    async fn carried(&self, issue: &Issue) -> Option<CarriedInvitation> {
        let mut tx = self.world.system_tx().await;
        let carried = invitations::find_by_token(&mut tx, &issue.token, NOW).await.unwrap();
        drop_it(tx).await;
        carried
    }
}

async fn issue(
    tx: &mut OrgTx,
    email: &str,
    team: Option<TeamId>,
    by: KeyOwner,
    now: OffsetDateTime,
) -> Issue {
    let new = NewInvitation::parse(email, "approver", None).unwrap();
    match invitations::issue(tx, &new, team, by, now).await.unwrap() {
        Invited::Issued(issue) => issue,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whoever_is_invited_or_a_member_is_not_invited_again() {
    let acme = Acme::fresh().await;
    let first = acme.invite(None).await;
    let by = KeyOwner::User(acme.ada);
    let mut tx = acme.world.org_tx(acme.org).await;
    let again = NewInvitation::parse("cyd@x.test", "member", None).unwrap();
    let invited = invitations::issue(&mut tx, &again, None, by, NOW).await.unwrap();
    assert!(matches!(invited, Invited::AlreadyInvited(id) if id == first.id), "{invited:?}");
    let bob = NewInvitation::parse("BOB@x.test", "member", None).unwrap();
    let invited = invitations::issue(&mut tx, &bob, None, by, NOW).await.unwrap();
    assert!(matches!(invited, Invited::AlreadyMember(id) if id == acme.bob), "{invited:?}");
    drop_it(tx).await;
}

#[tokio::test]
async fn an_expired_invitation_makes_room_for_a_new_one() {
    let acme = Acme::fresh().await;
    let first = acme.invite(None).await;
    let mut tx = acme.world.org_tx(acme.org).await;
    let org = orgs::find(&mut tx).await.unwrap().unwrap();
    assert!(first.expires_at > NOW && first.expires_at < LATER, "{org:?}");
    let second = issue(&mut tx, "cyd@x.test", None, KeyOwner::User(acme.ada), LATER).await;
    assert_ne!(first.id, second.id);
    let state = async |tx: &mut OrgTx, id| invitations::find(tx, id).await.unwrap().unwrap().state(LATER);
    assert_eq!(state(&mut tx, first.id).await, InvitationState::Revoked);
    assert_eq!(state(&mut tx, second.id).await, InvitationState::Open);
    drop_it(tx).await;
}

#[tokio::test]
async fn a_link_that_was_sent_again_voids_the_one_before() {
    let acme = Acme::fresh().await;
    let first = acme.invite(None).await;
    let mut tx = acme.world.org_tx(acme.org).await;
    let by = KeyOwner::User(acme.bob);
    assert!(matches!(
        invitations::reissue(&mut tx, first.id, by, Some(7), NOW).await.unwrap(),
        Update::Conflict
    ));
    let Update::Done(second) = invitations::reissue(&mut tx, first.id, by, Some(1), NOW).await.unwrap()
    else {
        panic!("it was open");
    };
    assert_eq!((second.id, second.version), (first.id, 2));
    let found = invitations::find(&mut tx, first.id).await.unwrap().unwrap();
    assert_eq!((found.inviter(), found.inviter_name.as_deref()), (by, Some("bob")));
    keep(tx).await;
    assert!(acme.carried(&first).await.is_none());
    assert!(acme.carried(&second).await.is_some());
}

#[tokio::test]
async fn the_list_is_filtered_by_state_and_address() {
    let acme = Acme::fresh().await;
    let first = acme.invite(Some(acme.team("platform").await)).await;
    let mut tx = acme.world.org_tx(acme.org).await;
    let second = issue(&mut tx, "dee@x.test", None, KeyOwner::User(acme.ada), NOW).await;
    let revoked = invitations::revoke(&mut tx, second.id, None, NOW).await.unwrap();
    assert!(matches!(revoked, Update::Done(_)));
    assert_eq!(invitations::revoke(&mut tx, second.id, None, NOW).await.unwrap(), Update::Conflict);
    for (q, state, expected) in [
        ("cyd", Some(InvitationState::Open), vec![first.id]),
        ("x.test", Some(InvitationState::Revoked), vec![second.id]),
        ("x.test", Some(InvitationState::Accepted), vec![]),
        ("dee", None, vec![second.id]),
    ] {
        let filter = InvitationFilter { q: Some(q.into()), state };
        let page = invitations::list(&mut tx, &filter, &PageRequest::first(), NOW).await.unwrap();
        let found: Vec<_> = page.items.iter().map(|item| item.id).collect();
        assert_eq!(found, expected, "{q} {state:?}");
    }
    let expired = InvitationFilter { q: None, state: Some(InvitationState::Expired) };
    let page = invitations::list(&mut tx, &expired, &PageRequest::first(), LATER).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].team_name.as_deref()), (1, Some("platform")));
    drop_it(tx).await;
}

#[tokio::test]
async fn an_invitation_is_accepted_once_even_at_the_same_moment() {
    let acme = Acme::fresh().await;
    let team = acme.team("platform").await;
    let issue = acme.invite(Some(team)).await;
    let carried = acme.carried(&issue).await;
    let email: Email = "cyd@x.test".parse().unwrap();
    let may =
        acceptance::check_acceptance(carried.as_ref(), issue.id, Visitor::Proven(&email), Reach::Everyone);
    assert_eq!(may, Ok(()));
    let carried = carried.unwrap();
    let accept = async || {
        let mut tx = acme.world.org_tx(acme.org).await;
        members::lock_role(&mut tx, acme.ada).await.unwrap();
        let accepted = invitations::accept(&mut tx, &carried, acme.cyd, NOW).await.unwrap();
        keep(tx).await;
        accepted
    };
    let (one, other) = tokio::join!(accept(), accept());
    assert!(one.is_some() != other.is_some());
    let expected = Accepted { role: Role::Approver, team: Some(team), joined: Joined::Joined };
    assert_eq!(one.or(other), Some(expected));
    let used = acme.carried(&issue).await;
    assert_eq!(acceptance::check_link(used.as_ref()).err(), Some(TenancyRefusal::InvitationUsed));
}

#[tokio::test]
async fn an_invitation_outlives_its_team_but_not_its_inviters_leave() {
    let acme = Acme::fresh().await;
    let team = acme.team("platform").await;
    let issue = acme.invite(Some(team)).await;
    let mut tx = acme.world.org_tx(acme.org).await;
    assert_eq!(teams::delete(&mut tx, team, None).await.unwrap(), Update::Done(()));
    assert_eq!(invitations::find(&mut tx, issue.id).await.unwrap().unwrap().team, None);
    let items = members::leaver_items(&mut tx, acme.ada, NOW).await.unwrap();
    assert_eq!((items[0].count, items[1].count), (0, 1));
    let by = KeyOwner::User(acme.ada);
    for revoked in [1, 0] {
        assert_eq!(invitations::revoke_all_of(&mut tx, by, NOW).await.unwrap(), revoked);
    }
    drop_it(tx).await;
}

#[tokio::test]
async fn open_invitations_of_an_address_are_counted_until_they_expire() {
    let acme = Acme::fresh().await;
    let issue = acme.invite(None).await;
    let email: Email = "CYD@x.test".parse().unwrap();
    let mut tx = acme.world.system_tx().await;
    for (now, count) in [(NOW, 1), (issue.expires_at - Duration::SECOND, 1), (issue.expires_at, 0)] {
        assert_eq!(invitations::count_pending(&mut tx, &email, now).await.unwrap(), count);
    }
    drop_it(tx).await;
}
