use portreeve::{
    base::{ids::TeamId, page::PageRequest, permission::TeamRole, update::Update},
    domain::tenancy::{NewTeam, TeamAddition, TeamFilter, store::teams},
};

use crate::rooms::{
    NOW, drop_it,
    tenancy::{Acme, one},
};

#[tokio::test]
async fn a_team_takes_members_of_its_organization_once() {
    let acme = Acme::fresh().await;
    let team = acme.team("platform").await;
    let mut tx = acme.world.org_tx(acme.org).await;
    for (team, user, added) in [
        (team, acme.ada, TeamAddition::Added),
        (team, acme.ada, TeamAddition::AlreadyThere),
        (team, acme.cyd, TeamAddition::NotAMember),
        (TeamId::fresh(), acme.bob, TeamAddition::NoSuchTeam),
    ] {
        assert_eq!(teams::add_member(&mut tx, team, user, TeamRole::Owner, NOW).await.unwrap(), added);
    }
    assert_eq!(teams::list_of_person(&mut tx, acme.ada).await.unwrap().len(), 1);
    assert!(teams::list_of_person(&mut tx, acme.bob).await.unwrap().is_empty());
    drop_it(tx).await;
}

#[tokio::test]
async fn of_two_changes_to_a_place_in_a_team_the_second_is_told() {
    let acme = Acme::fresh().await;
    let team = acme.team("platform").await;
    let mut tx = acme.world.org_tx(acme.org).await;
    let _ = teams::add_member(&mut tx, team, acme.ada, TeamRole::Owner, NOW).await.unwrap();
    for outcome in [Update::Done(2), Update::Conflict] {
        let changed = teams::change_member_role(&mut tx, team, acme.ada, TeamRole::Admin, Some(1), NOW).await;
        assert_eq!(changed.unwrap(), outcome);
    }
    let page = teams::list_members(&mut tx, team, None, &PageRequest::first()).await.unwrap();
    assert_eq!(page.items[0].role, TeamRole::Admin);
    assert_eq!(teams::find_member(&mut tx, team, acme.ada).await.unwrap().unwrap().version, 2);
    drop_it(tx).await;
}

#[tokio::test]
async fn teams_are_listed_by_name_page_by_page() {
    let acme = Acme::fresh().await;
    let (platform, abc) = (acme.team("platform").await, acme.team("abc").await);
    let mut tx = acme.world.org_tx(acme.org).await;
    let _ = teams::add_member(&mut tx, platform, acme.ada, TeamRole::Owner, NOW).await.unwrap();
    let page = teams::list(&mut tx, &TeamFilter::default(), &one()).await.unwrap();
    assert_eq!(page.items[0].id, abc);
    let next = PageRequest::parse(Some(1), page.next.as_deref()).unwrap();
    let page = teams::list(&mut tx, &TeamFilter::default(), &next).await.unwrap();
    assert_eq!((page.items[0].id, page.items[0].members, page.next), (platform, 1, None));
    let filter = TeamFilter { q: Some("PLAT".into()), of: Some(acme.ada) };
    assert_eq!(teams::list(&mut tx, &filter, &PageRequest::first()).await.unwrap().items.len(), 1);
    let filter = TeamFilter { of: Some(acme.bob), ..filter };
    assert!(teams::list(&mut tx, &filter, &PageRequest::first()).await.unwrap().items.is_empty());
    drop_it(tx).await;
}

#[tokio::test]
async fn a_team_is_changed_and_deleted_only_by_who_saw_its_latest_version() {
    let acme = Acme::fresh().await;
    let team = acme.team("abc").await;
    let mut tx = acme.world.org_tx(acme.org).await;
    assert_eq!(teams::find(&mut tx, &"abc".parse().unwrap()).await.unwrap().unwrap().id, team);
    let new = NewTeam::parse("d", "de", "").unwrap();
    for outcome in [Update::Done(2), Update::Conflict] {
        assert_eq!(teams::update(&mut tx, team, &new, Some(1), NOW).await.unwrap(), outcome);
    }
    let tries = [
        (team, Some(1), Update::Conflict),
        (team, Some(2), Update::Done(())),
        (team, None, Update::NotFound),
    ];
    for (team, seen, outcome) in tries {
        assert_eq!(teams::delete(&mut tx, team, seen).await.unwrap(), outcome);
    }
    drop_it(tx).await;
}
