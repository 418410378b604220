//! What decisions read, and what they count.

use std::collections::BTreeSet;

use portreeve::{
    base::{
        actor::Principal,
        ids::{GrantId, ServerId},
        page::PageRequest,
        risk::Class,
    },
    domain::grants::{
        GrantChange, GrantCount, GrantFilter, GrantForm, GrantState, NewGrant, ServersOf, TokenState,
        store::{glance, grants, reach, stops, tokens},
    },
};
use time::Duration;

use crate::rooms::{
    NOW, World, drop_it,
    grants::{account_of, form, grant, server_of, snapshot, stop, team_of, token},
    keep,
};

#[tokio::test]
async fn a_snapshot_holds_what_decisions_rest_on() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    let ada = world.member(org, "Ada", "member").await;
    let (team, bot) = (team_of(&world, org).await, account_of(&world, org).await);
    let eve = world.member(other, "Eve", "member").await;
    grant(&world, other, Principal::User(eve), "theirs").await;
    let mine = grant(&world, org, Principal::User(ada), "mine").await;
    let shared = grant(&world, org, Principal::Team(team), "shared").await;
    let robot = grant(&world, org, Principal::ServiceAccount(bot), "robot").await;
    let (kept, carried) = token(&world, org, &mine, 30).await;
    let only = server_of(&world, org, "github").await;
    let mut tx = world.org_tx(org).await;
    let some = GrantForm {
        cidrs: &["192.0.2.0/24".to_owned()],
        clients: &["claude-code".to_owned()],
        ..form("mine", ServersOf::Some(BTreeSet::from([only])))
    };
    let change = GrantChange::parse(&mine, some, NOW).expect("good");
    let _ = grants::update(&mut tx, mine.id, &change, None, NOW).await.expect("changed");
    let _ = stops::suspend(&mut tx, shared.id, &stop(Some(ada), "leak"), None).await.expect("suspended");
    let _ = stops::revoke(&mut tx, robot.id, &stop(None, ""), None).await.expect("revoked");
    keep(tx).await;

    let loaded = snapshot(&world, org, NOW).await;
    assert_eq!(loaded.len(), 3);
    let of = |id| loaded.iter().find(|grant| grant.id == id).expect("loaded");
    let first = of(mine.id);
    assert_eq!((first.state(NOW), first.ceiling), (GrantState::Active, Class::Write));
    assert!(first.covers(only) && !first.covers(ServerId::fresh()));
    assert_eq!(first.bindings.clients(), ["claude-code"]);
    assert_eq!(first.bindings.cidr_texts(), ["192.0.2.0/24"]);
    assert_eq!((first.tokens.len(), first.tokens[0].id), (1, kept.id));
    assert!(first.tokens[0].matches(&carried.hash()));
    assert_eq!(of(shared.id).state(NOW), GrantState::Suspended);
    assert_eq!(of(shared.id).suspension.as_ref().map(|stop| stop.reason.as_str()), Some("leak"));
    assert_eq!((of(shared.id).principal_name.as_str(), of(shared.id).covers(only)), ("Platform", true));
    assert_eq!(of(robot.id).state(NOW), GrantState::Revoked);

    let later = snapshot(&world, org, NOW + Duration::days(31)).await;
    assert_eq!(later.len(), 2, "what was revoked a month ago is forgotten");
    let first = later.iter().find(|grant| grant.id == mine.id).expect("loaded");
    assert_eq!(first.tokens[0].state(NOW + Duration::days(31)), TokenState::Expired);
    let later = snapshot(&world, org, NOW + Duration::days(61)).await;
    assert!(later.iter().all(|grant| grant.tokens.is_empty()));
}

#[tokio::test]
async fn a_disabled_principal_is_a_fact_at_decision_time() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "member").await;
    let bot = account_of(&world, org).await;
    let mine = grant(&world, org, Principal::User(ada), "mine").await;
    grant(&world, org, Principal::ServiceAccount(bot), "robot").await;
    world.sql("update users set disabled_at = now(); update service_accounts set disabled_at = now()").await;
    let states: Vec<_> = snapshot(&world, org, NOW).await.iter().map(|grant| grant.state(NOW)).collect();
    assert_eq!(states, [GrantState::PrincipalGone; 2]);
    let mut tx = world.org_tx(org).await;
    let entry = grants::find_entry(&mut tx, mine.id, NOW).await.expect("an answer").expect("there");
    assert_eq!(entry.state, GrantState::PrincipalGone);
    let filter = GrantFilter { state: Some(GrantState::PrincipalGone), ..GrantFilter::default() };
    let page = grants::list(&mut tx, &filter, &PageRequest::first(), NOW).await.expect("a page");
    assert_eq!(page.items.len(), 2);
    drop_it(tx).await;
}

#[tokio::test]
async fn a_grant_names_servers_of_its_own_organization_and_loses_one_that_is_deleted() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    let ada = world.member(org, "Ada", "member").await;
    let (ours, theirs) = (server_of(&world, org, "github").await, server_of(&world, other, "slack").await);
    for (servers, is_good) in [(BTreeSet::from([ours]), true), (BTreeSet::from([theirs]), false)] {
        let some = form("x", ServersOf::Some(servers));
        let new = NewGrant::parse(Principal::User(ada), some, NOW).expect("a good form");
        let mut tx = world.org_tx(org).await;
        let made = grants::insert(&mut tx, GrantId::fresh(), &new, None, NOW).await;
        assert_eq!(made.is_ok(), is_good, "{made:?}");
        if is_good {
            keep(tx).await;
        } else {
            drop_it(tx).await;
        }
    }
    let mut tx = world.org_tx(org).await;
    let slugs = ["github".to_owned(), "slack".to_owned()];
    let found = reach::find(&mut tx, &[theirs], &slugs).await.expect("an answer");
    assert_eq!(found.iter().map(|server| server.id).collect::<Vec<_>>(), [ours]);
    drop_it(tx).await;
    world.sql("delete from servers").await;
    assert_eq!(snapshot(&world, org, NOW).await[0].servers, ServersOf::Some(BTreeSet::new()));
}

#[tokio::test]
async fn tools_are_counted_by_class_and_by_whether_they_may_be_called() {
    let world = World::fresh().await;
    let org = world.org().await;
    let server = server_of(&world, org, "github").await;
    for (name, class, state, enabled) in [
        ("list", "read", "reviewed", true),
        ("get", "read", "reviewed", true),
        ("create", "write", "reviewed", true),
        ("secret", "write", "reviewed", false),
        ("fresh", "write", "new", true),
        ("old", "read", "gone", true),
    ] {
        let digest = "00".repeat(32);
        let (accepted, accepted_digest) = if state == "reviewed" {
            ("'{}'", format!("'\\x{digest}'"))
        } else {
            ("null", "null".to_owned())
        };
        world
            .sql(&format!(
                "insert into tools (org_id, server_id, name, definition, fingerprint, accepted_definition,
                    accepted_fingerprint, state, class, severity, class_reason, class_by, enabled, first_seen_at,
                    seen_at)
                values ('{}', '{}', '{name}', '{{}}', '\\x{digest}', {accepted}, {accepted_digest}, '{state}',
                    '{class}', 'low', 'x', 'rule', {enabled}, now(), now())",
                org.uuid(),
                server.uuid()
            ))
            .await;
    }
    let mut tx = world.org_tx(org).await;
    let mut counts = reach::tools(&mut tx, &[server]).await.expect("counts");
    counts.sort_by_key(|count| (count.class, !count.is_callable));
    let counts: Vec<_> = counts.iter().map(|count| (count.class, count.is_callable, count.tools)).collect();
    assert_eq!(counts, [(Class::Read, true, 2), (Class::Write, true, 1), (Class::Write, false, 2)]);
    drop_it(tx).await;
}

#[tokio::test]
async fn the_overview_counts_what_works_and_what_ends_soon() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    let ada = world.member(org, "Ada", "member").await;
    let eve = world.member(other, "Eve", "member").await;
    let theirs = grant(&world, other, Principal::User(eve), "theirs").await;
    token(&world, other, &theirs, 5).await;
    let mine = grant(&world, org, Principal::User(ada), "mine").await;
    let over = grant(&world, org, Principal::User(ada), "over").await;
    let (used, _) = token(&world, org, &mine, 5).await;
    token(&world, org, &mine, 50).await;
    token(&world, org, &over, 5).await;
    let mut tx = world.org_tx(org).await;
    let _ = stops::revoke(&mut tx, over.id, &stop(None, ""), None).await.expect("revoked");
    tokens::touch_token(&mut tx, used.id, None, None, NOW).await.expect("noted");
    let count = glance::count(&mut tx, NOW, NOW + Duration::days(14)).await.expect("counts");
    assert_eq!(count, GrantCount { made: 2, active: 1, expiring_tokens: 1, used_tokens: 1 });
    drop_it(tx).await;
}
