use portreeve::{
    base::{
        ids::UserId,
        page::PageRequest,
        permission::{Role, TeamRole},
        update::Update,
    },
    domain::tenancy::{
        Joined, MemberFilter, Reach,
        rules::people,
        store::{members, teams},
    },
};
use time::Duration;

use crate::rooms::{
    NOW, drop_it, keep,
    tenancy::{Acme, one},
};

#[tokio::test]
async fn nobody_joins_twice() {
    let acme = Acme::fresh().await;
    let mut tx = acme.world.org_tx(acme.org).await;
    let mut join = async |user| members::insert(&mut tx, user, Role::Member, None, NOW).await.unwrap();
    assert_eq!(join(acme.bob).await, Joined::AlreadyMember);
    assert_eq!(join(acme.cyd).await, Joined::Joined);
    assert_eq!(members::lock_role(&mut tx, acme.bob).await.unwrap(), Some(Role::Owner));
    drop_it(tx).await;
}

#[tokio::test]
async fn being_here_is_noted_every_few_minutes_only() {
    let acme = Acme::fresh().await;
    let mut tx = acme.world.org_tx(acme.org).await;
    for (minutes, noted) in [(0, 0), (1, 0), (5, 5)] {
        members::touch(&mut tx, acme.ada, NOW + Duration::minutes(minutes)).await.unwrap();
        let seen = members::find(&mut tx, acme.ada).await.unwrap().unwrap().last_seen_at;
        assert_eq!(seen, Some(NOW + Duration::minutes(noted)));
    }
    drop_it(tx).await;
}

#[tokio::test]
async fn of_two_owners_who_step_down_at_once_one_stays() {
    let acme = Acme::fresh().await;
    let step_down = async |user: UserId| {
        let mut tx = acme.world.org_tx(acme.org).await;
        let owners = members::lock_owners(&mut tx).await.unwrap();
        let rule = people::check_role_change(Reach::Everyone, user, Role::Owner, Role::Admin, &owners);
        if rule.is_ok() {
            let _ = members::change_role(&mut tx, &owners, user, Role::Admin, None, NOW).await.unwrap();
        }
        keep(tx).await;
        rule.is_ok()
    };
    let (ada, bob) = tokio::join!(step_down(acme.ada), step_down(acme.bob));
    assert!(ada != bob);
    let mut tx = acme.world.org_tx(acme.org).await;
    let owners = members::lock_owners(&mut tx).await.unwrap();
    assert_eq!((owners.count(), owners.include(acme.bob)), (1, ada));
    drop_it(tx).await;
}

#[tokio::test]
async fn ownership_goes_to_a_member_or_nowhere() {
    let acme = Acme::fresh().await;
    let mut tx = acme.world.org_tx(acme.org).await;
    let owners = members::lock_owners(&mut tx).await.unwrap();
    let _ = members::change_role(&mut tx, &owners, acme.bob, Role::Admin, None, NOW).await.unwrap();
    let given = members::transfer_ownership(&mut tx, &owners, acme.ada, acme.bob, None, NOW).await.unwrap();
    assert!(matches!(given, Update::Done(_)));
    let given = members::transfer_ownership(&mut tx, &owners, acme.bob, acme.cyd, None, NOW).await.unwrap();
    assert_eq!(given, Update::NotFound);
    let owners = members::lock_owners(&mut tx).await.unwrap();
    assert_eq!((owners.count(), owners.include(acme.bob)), (1, true));
    assert_eq!(members::lock_role(&mut tx, acme.ada).await.unwrap(), Some(Role::Admin));
    drop_it(tx).await;
}

#[tokio::test]
async fn members_are_listed_by_name_and_found_by_part_of_it() {
    let acme = Acme::fresh().await;
    let team = acme.team("platform").await;
    let mut tx = acme.world.org_tx(acme.org).await;
    let _ = teams::add_member(&mut tx, team, acme.ada, TeamRole::Owner, NOW).await.unwrap();
    let page = members::list(&mut tx, &MemberFilter::default(), &one()).await.unwrap();
    assert_eq!((page.items[0].name.as_str(), page.items[0].teams), ("Ada", 1));
    let next = PageRequest::parse(Some(1), page.next.as_deref()).unwrap();
    let page = members::list(&mut tx, &MemberFilter::default(), &next).await.unwrap();
    assert_eq!((page.items[0].name.as_str(), page.next), ("bob", None));
    for (q, role, found) in [("ADA", None, 1), ("bob", None, 0), ("ada", Some(Role::Member), 0)] {
        let filter = MemberFilter { q: Some(q.into()), role, team: Some(team) };
        let page = members::list(&mut tx, &filter, &PageRequest::first()).await.unwrap();
        assert_eq!(page.items.len(), found, "{q}");
    }
    assert_eq!(members::count(&mut tx).await.unwrap(), 2);
    drop_it(tx).await;
}

#[tokio::test]
async fn who_is_removed_leaves_the_teams_too() {
    let acme = Acme::fresh().await;
    let team = acme.team("platform").await;
    let mut tx = acme.world.org_tx(acme.org).await;
    let _ = members::insert(&mut tx, acme.cyd, Role::Member, None, NOW).await.unwrap();
    let _ = teams::add_member(&mut tx, team, acme.cyd, TeamRole::Member, NOW).await.unwrap();
    let owners = members::lock_owners(&mut tx).await.unwrap();
    let expected = [(Some(5), Update::Conflict), (Some(1), Update::Done(())), (None, Update::NotFound)];
    for (seen, outcome) in expected {
        assert_eq!(members::remove(&mut tx, &owners, acme.cyd, seen).await.unwrap(), outcome);
    }
    assert!(teams::list_members(&mut tx, team, None, &PageRequest::first()).await.unwrap().items.is_empty());
    assert_eq!(teams::remove_member(&mut tx, team, acme.cyd, None).await.unwrap(), Update::NotFound);
    drop_it(tx).await;
}

#[tokio::test]
async fn a_role_is_changed_only_by_who_saw_it() {
    let acme = Acme::fresh().await;
    let mut tx = acme.world.org_tx(acme.org).await;
    let owners = members::lock_owners(&mut tx).await.unwrap();
    for (user, seen, outcome) in [(acme.cyd, None, Update::NotFound), (acme.ada, Some(7), Update::Conflict)] {
        let changed = members::change_role(&mut tx, &owners, user, Role::Admin, seen, NOW).await.unwrap();
        assert_eq!(changed, outcome);
    }
    drop_it(tx).await;
}
