//! Grants: made, listed, changed, stopped.

use std::collections::BTreeSet;

use portreeve::{
    base::{
        actor::Principal,
        ids::{GrantId, ServerId},
        page::PageRequest,
        update::{Change, Update},
    },
    domain::grants::{
        GrantChange, GrantFilter, GrantForm, GrantState, NewGrant, ServersOf,
        store::{grants, stops},
    },
};
use time::Duration;

use crate::rooms::{
    NOW, World, drop_it,
    grants::{account_of, epoch, form, grant, server_of, stop, team_of, token},
    keep,
};

#[tokio::test]
async fn a_grant_reads_back_as_it_was_stored() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "member").await;
    let servers =
        BTreeSet::from([server_of(&world, org, "github").await, server_of(&world, org, "slack").await]);
    let form = GrantForm {
        class_ceiling: "destructive",
        policy: None,
        expires_at: Some(NOW + Duration::days(500)),
        cidrs: &["192.0.2.0/24".to_owned(), "2001:db8::/32".to_owned()],
        clients: &["Claude-Code".to_owned()],
        ..form("Claude Code", ServersOf::Some(servers))
    };
    let new = NewGrant::parse(Principal::User(ada), form, NOW).expect("a good form");
    let mut tx = world.org_tx(org).await;
    let made = grants::insert(&mut tx, GrantId::fresh(), &new, Some(ada), NOW).await.expect("inserted");
    assert_eq!(grants::find(&mut tx, made.id).await.expect("an answer"), Some(made.clone()));
    let entry = grants::find_entry(&mut tx, made.id, NOW).await.expect("an answer").expect("there");
    assert_eq!((entry.state, entry.principal_name.as_str()), (GrantState::Active, "Ada"));
    assert_eq!((entry.created_by_name.as_deref(), entry.live_tokens), (Some("Ada"), 0));
    assert_eq!(grants::find(&mut tx, GrantId::fresh()).await.expect("an answer"), None);
    drop_it(tx).await;
}

#[tokio::test]
async fn a_grant_needs_a_principal_of_its_own_organization() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    let (eve, team, bot) = (
        world.member(other, "Eve", "owner").await,
        team_of(&world, other).await,
        account_of(&world, other).await,
    );
    for (principal, rule) in [
        (Principal::User(eve), grants::PERSON_IS_HERE),
        (Principal::Team(team), grants::TEAM_IS_HERE),
        (Principal::ServiceAccount(bot), grants::ACCOUNT_IS_HERE),
    ] {
        let new = NewGrant::parse(principal, form("x", ServersOf::All), NOW).expect("a good form");
        let mut tx = world.org_tx(org).await;
        let refused = grants::insert(&mut tx, GrantId::fresh(), &new, None, NOW).await;
        assert!(refused.expect_err("refused").broke(rule), "{principal:?}");
        drop_it(tx).await;
    }
}

#[tokio::test]
async fn grants_are_listed_newest_first_with_filters() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "member").await;
    let (team, bot) = (team_of(&world, org).await, account_of(&world, org).await);
    let mine = grant(&world, org, Principal::User(ada), "Claude Code").await;
    let shared = grant(&world, org, Principal::Team(team), "Cursor").await;
    let robot = grant(&world, org, Principal::ServiceAccount(bot), "CI").await;
    let only = server_of(&world, org, "github").await;
    let mut tx = world.org_tx(org).await;
    let some = form("CI", ServersOf::Some(BTreeSet::from([only])));
    let change = GrantChange::parse(&robot, some, NOW).expect("good");
    let _ = grants::update(&mut tx, robot.id, &change, None, NOW).await.expect("changed");
    let _ = stops::suspend(&mut tx, shared.id, &stop(None, ""), None).await.expect("suspended");
    let page = grants::list(&mut tx, &GrantFilter::default(), &PageRequest { limit: 2, after: None }, NOW)
        .await
        .expect("a page");
    assert_eq!(page.items.iter().map(|e| e.grant.id).collect::<Vec<_>>(), [robot.id, shared.id]);
    let next = PageRequest::parse(Some(2), page.next.as_deref()).expect("our own cursor");
    let page = grants::list(&mut tx, &GrantFilter::default(), &next, NOW).await.expect("a page");
    assert_eq!((page.items[0].grant.id, page.next), (mine.id, None));
    let filter = GrantFilter::default;
    for (filter, wanted) in [
        (GrantFilter { principal: Some(Principal::User(ada)), ..filter() }, vec![mine.id]),
        (GrantFilter { principal: Some(Principal::Team(team)), ..filter() }, vec![shared.id]),
        (GrantFilter { principal: Some(Principal::ServiceAccount(bot)), ..filter() }, vec![robot.id]),
        (GrantFilter { server: Some(only), ..filter() }, vec![robot.id, shared.id, mine.id]),
        (GrantFilter { server: Some(ServerId::fresh()), ..filter() }, vec![shared.id, mine.id]),
        (GrantFilter { state: Some(GrantState::Active), ..filter() }, vec![robot.id, mine.id]),
        (GrantFilter { state: Some(GrantState::Suspended), ..filter() }, vec![shared.id]),
        (GrantFilter { state: Some(GrantState::Expired), ..filter() }, vec![]),
        (GrantFilter { q: Some("claude".to_owned()), ..filter() }, vec![mine.id]),
        (GrantFilter { q: Some("PLATFORM\0".to_owned()), ..filter() }, vec![shared.id]),
        (GrantFilter { q: Some("  ".to_owned()), ..filter() }, vec![robot.id, shared.id, mine.id]),
    ] {
        let page = grants::list(&mut tx, &filter, &PageRequest::first(), NOW).await.expect("a page");
        assert_eq!(page.items.iter().map(|e| e.grant.id).collect::<Vec<_>>(), wanted, "{filter:?}");
    }
    drop_it(tx).await;
}

#[tokio::test]
async fn a_change_counts_the_version_and_raises_the_epoch_only_where_something_changed() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "member").await;
    let made = grant(&world, org, Principal::User(ada), "Claude Code").await;
    let first = epoch(&world, org).await;
    let one = server_of(&world, org, "github").await;
    let some = form("Claude", ServersOf::Some(BTreeSet::from([one])));
    let change = GrantChange::parse(&made, some, NOW).expect("good");
    let mut tx = world.org_tx(org).await;
    let late = grants::update(&mut tx, made.id, &change, Some(9), NOW).await.expect("an answer");
    assert_eq!(late, Update::Conflict);
    let done = grants::update(&mut tx, made.id, &change, Some(1), NOW).await.expect("an answer");
    let Update::Done(Change { before, after }) = done else { panic!("{done:?}") };
    assert_eq!((before, after.version, after.label.as_str()), (made.clone(), 2, "Claude"));
    assert!(after.servers.covers(one) && !after.servers.covers(ServerId::fresh()));
    let again = grants::update(&mut tx, made.id, &change, Some(2), NOW).await.expect("an answer");
    assert_eq!(again, Update::Done(Change { before: after.clone(), after }));
    let gone = grants::update(&mut tx, GrantId::fresh(), &change, None, NOW).await.expect("an answer");
    assert_eq!(gone, Update::NotFound);
    keep(tx).await;
    assert_eq!(epoch(&world, org).await, first + 1);
}

#[tokio::test]
async fn suspending_keeps_the_first_reason_unless_an_admin_takes_over() {
    let world = World::fresh().await;
    let org = world.org().await;
    let (ada, bob) = (world.member(org, "Ada", "member").await, world.member(org, "Bob", "admin").await);
    let made = grant(&world, org, Principal::User(ada), "Claude Code").await;
    let first = epoch(&world, org).await;
    let mut tx = world.org_tx(org).await;
    let mut suspend = async |by, reason: &str| {
        let done = stops::suspend(&mut tx, made.id, &stop(by, reason), None).await.expect("an answer");
        let Update::Done(Change { after, .. }) = done else { panic!("{done:?}") };
        after.suspension.map(|stop| (stop.by, stop.reason))
    };
    assert_eq!(suspend(Some(ada), "lunch").await, Some((Some(ada), "lunch".to_owned())));
    assert_eq!(suspend(Some(ada), "again").await, Some((Some(ada), "lunch".to_owned())));
    assert_eq!(suspend(Some(bob), "leak").await, Some((Some(bob), "leak".to_owned())));
    assert_eq!(suspend(Some(ada), "mine").await, Some((Some(bob), "leak".to_owned())));
    let entry = grants::find_entry(&mut tx, made.id, NOW).await.expect("an answer").expect("there");
    assert_eq!((entry.state, entry.suspended_by_name.as_deref()), (GrantState::Suspended, Some("Bob")));
    let done = stops::resume(&mut tx, made.id, None, NOW).await.expect("an answer");
    let Update::Done(Change { after, .. }) = done else { panic!("{done:?}") };
    assert_eq!((after.suspension, after.version), (None, 4));
    keep(tx).await;
    assert_eq!(epoch(&world, org).await, first + 3);
}

#[tokio::test]
async fn revoking_is_final_and_reaches_only_the_named_principal() {
    let world = World::fresh().await;
    let org = world.org().await;
    let (ada, bob) = (world.member(org, "Ada", "member").await, world.member(org, "Bob", "admin").await);
    let first = grant(&world, org, Principal::User(ada), "one").await;
    let second = grant(&world, org, Principal::User(ada), "two").await;
    let other = grant(&world, org, Principal::User(bob), "three").await;
    let mut tx = world.org_tx(org).await;
    let done = stops::revoke(&mut tx, first.id, &stop(Some(bob), "lost"), Some(1)).await.expect("an answer");
    let Update::Done(Change { after, .. }) = done else { panic!("{done:?}") };
    assert_eq!(after.revocation, Some(stop(Some(bob), "lost")));
    for again in [
        stops::revoke(&mut tx, first.id, &stop(Some(ada), "again"), None).await,
        stops::suspend(&mut tx, first.id, &stop(Some(ada), "again"), None).await,
        stops::resume(&mut tx, first.id, None, NOW).await,
    ] {
        assert_eq!(
            again.expect("an answer"),
            Update::Done(Change { before: after.clone(), after: after.clone() })
        );
    }
    assert_eq!(grants::count_of(&mut tx, Principal::User(ada), NOW).await.expect("a count"), 1);
    let ended = stops::revoke_all_of(&mut tx, Principal::User(ada), &stop(None, "left")).await;
    assert_eq!(ended.expect("revoked"), [(second.id, "two".to_owned())]);
    assert_eq!(grants::find(&mut tx, other.id).await.expect("an answer"), Some(other));
    assert_eq!(grants::count_of(&mut tx, Principal::User(ada), NOW).await.expect("a count"), 0);
    keep(tx).await;
}

#[tokio::test]
async fn a_grant_goes_with_the_one_in_whose_name_it_is() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "member").await;
    let (team, bot) = (team_of(&world, org).await, account_of(&world, org).await);
    for principal in [Principal::User(ada), Principal::Team(team), Principal::ServiceAccount(bot)] {
        let made = grant(&world, org, principal, "x").await;
        token(&world, org, &made, 30).await;
    }
    world.sql("delete from memberships; delete from teams; delete from service_accounts").await;
    assert_eq!(world.number("select count(*) from grants").await, 0);
    assert_eq!(world.number("select count(*) from grant_tokens").await, 0);
}
