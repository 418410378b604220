use std::{collections::BTreeSet, net::IpAddr};

use portreeve::{
    base::{
        actor::Principal,
        crypto::token::{Token, TokenKind},
        ids::{GrantId, GrantTokenId, OrgId, ServerId, ServiceAccountId, TeamId, UserId},
        page::PageRequest,
        risk::Class,
        update::{Change, Update},
    },
    domain::grants::{
        ClientSeen, DecisionGrant, Grant, GrantChange, GrantCount, GrantFilter, GrantForm, GrantState,
        GrantToken, IssuedToken, NewGrant, NewToken, Overlap, ServersOf, Stop, TokenExpiry, TokenForm,
        TokenState,
        store::{decisions, glance, grants, reach, tokens},
    },
};
use time::{Duration, OffsetDateTime};

use crate::rooms::{NOW, World, drop_it, keep};

fn form(label: &str, servers: ServersOf) -> GrantForm<'_> {
    GrantForm { label, servers, class_ceiling: "write", expires_at: None, cidrs: &[], clients: &[] }
}

fn stop(by: Option<UserId>, reason: &str) -> Stop {
    Stop { at: NOW, by, reason: reason.to_owned() }
}

async fn grant(world: &World, org: OrgId, principal: Principal, label: &str) -> Grant {
    let new = NewGrant::parse(principal, form(label, ServersOf::All), NOW).expect("a good form");
    let mut tx = world.org_tx(org).await;
    let grant = grants::insert(&mut tx, GrantId::fresh(), &new, None, NOW).await.expect("inserted");
    keep(tx).await;
    grant
}

async fn token(world: &World, org: OrgId, grant: &Grant, days: u16) -> (GrantToken, Token) {
    let form = TokenForm { label: "laptop", expiry: TokenExpiry::Days(days) };
    let new = NewToken::parse(form, grant, NOW).expect("a good form");
    let issued = IssuedToken::fresh();
    let mut tx = world.org_tx(org).await;
    let token = tokens::insert(&mut tx, &new, &issued, None, NOW).await.expect("inserted");
    keep(tx).await;
    (token, Token::parse(TokenKind::Grant, issued.text().expose()).expect("our own token"))
}

async fn epoch(world: &World, org: OrgId) -> i64 {
    world.number(&format!("select epoch from orgs where id = '{}'", org.uuid())).await
}

async fn snapshot(world: &World, org: OrgId, now: OffsetDateTime) -> Vec<DecisionGrant> {
    let mut tx = world.org_tx(org).await;
    let loaded = decisions::load_for_decisions(&mut tx, now).await.expect("loaded");
    drop_it(tx).await;
    loaded
}

async fn team_of(world: &World, org: OrgId) -> TeamId {
    let team = TeamId::fresh();
    world
        .sql(&format!(
            "insert into teams (org_id, id, slug, name, created_at, updated_at)
            values ('{}', '{}', 'platform', 'Platform', now(), now())",
            org.uuid(),
            team.uuid()
        ))
        .await;
    team
}

async fn account_of(world: &World, org: OrgId) -> ServiceAccountId {
    let account = ServiceAccountId::fresh();
    world
        .sql(&format!(
            "insert into service_accounts (org_id, id, slug, name, role, created_at, updated_at)
            values ('{}', '{}', 'nightly', 'Nightly', 'member', now(), now())",
            org.uuid(),
            account.uuid()
        ))
        .await;
    account
}

async fn server_of(world: &World, org: OrgId, slug: &str) -> ServerId {
    let server = ServerId::fresh();
    world
        .sql(&format!(
            "insert into servers (org_id, id, slug, name, transport, url, created_at, updated_at, refresh_due_at)
            values ('{}', '{}', '{slug}', '{slug}', 'http', 'https://{slug}.test/mcp', now(), now(), now())",
            org.uuid(),
            server.uuid()
        ))
        .await;
    server
}

#[tokio::test]
async fn a_grant_reads_back_as_it_was_stored() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "member").await;
    let servers =
        BTreeSet::from([server_of(&world, org, "github").await, server_of(&world, org, "slack").await]);
    let form = GrantForm {
        class_ceiling: "destructive",
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
    let _ = grants::suspend(&mut tx, shared.id, &stop(None, ""), None).await.expect("suspended");
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
        let done = grants::suspend(&mut tx, made.id, &stop(by, reason), None).await.expect("an answer");
        let Update::Done(Change { after, .. }) = done else { panic!("{done:?}") };
        after.suspension.map(|stop| (stop.by, stop.reason))
    };
    assert_eq!(suspend(Some(ada), "lunch").await, Some((Some(ada), "lunch".to_owned())));
    assert_eq!(suspend(Some(ada), "again").await, Some((Some(ada), "lunch".to_owned())));
    assert_eq!(suspend(Some(bob), "leak").await, Some((Some(bob), "leak".to_owned())));
    assert_eq!(suspend(Some(ada), "mine").await, Some((Some(bob), "leak".to_owned())));
    let entry = grants::find_entry(&mut tx, made.id, NOW).await.expect("an answer").expect("there");
    assert_eq!((entry.state, entry.suspended_by_name.as_deref()), (GrantState::Suspended, Some("Bob")));
    let done = grants::resume(&mut tx, made.id, None, NOW).await.expect("an answer");
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
    let done = grants::revoke(&mut tx, first.id, &stop(Some(bob), "lost"), Some(1)).await.expect("an answer");
    let Update::Done(Change { after, .. }) = done else { panic!("{done:?}") };
    assert_eq!(after.revocation, Some(stop(Some(bob), "lost")));
    for again in [
        grants::revoke(&mut tx, first.id, &stop(Some(ada), "again"), None).await,
        grants::suspend(&mut tx, first.id, &stop(Some(ada), "again"), None).await,
        grants::resume(&mut tx, first.id, None, NOW).await,
    ] {
        assert_eq!(
            again.expect("an answer"),
            Update::Done(Change { before: after.clone(), after: after.clone() })
        );
    }
    assert_eq!(grants::count_of(&mut tx, Principal::User(ada), NOW).await.expect("a count"), 1);
    let ended = grants::revoke_all_of(&mut tx, Principal::User(ada), &stop(None, "left")).await;
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

#[tokio::test]
async fn a_carried_token_names_its_organization_and_a_guess_names_nothing() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "member").await;
    let made = grant(&world, org, Principal::User(ada), "x").await;
    let (kept, carried) = token(&world, org, &made, 30).await;
    let mut tx = world.system_tx().await;
    let mut find = async |token: &Token| tokens::find_by_token(&mut tx, token).await.expect("an answer");
    assert_eq!(find(&carried).await, Some((org, kept.id)));
    assert_eq!(find(&Token::issue(TokenKind::Grant, kept.id)).await, None);
    assert_eq!(find(&Token::issue(TokenKind::Grant, GrantTokenId::fresh())).await, None);
    drop_it(tx).await;
}

#[tokio::test]
async fn tokens_are_listed_newest_first_and_belong_to_one_grant() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "member").await;
    let (one, other) = (
        grant(&world, org, Principal::User(ada), "one").await,
        grant(&world, org, Principal::User(ada), "other").await,
    );
    let (old, _) = token(&world, org, &one, 30).await;
    let (new, _) = token(&world, org, &one, 60).await;
    token(&world, org, &other, 60).await;
    let mut tx = world.org_tx(org).await;
    let page = tokens::list(&mut tx, one.id, &PageRequest { limit: 1, after: None }).await.expect("a page");
    assert_eq!(page.items, [new]);
    let next = PageRequest::parse(Some(1), page.next.as_deref()).expect("our own cursor");
    let page = tokens::list(&mut tx, one.id, &next).await.expect("a page");
    assert_eq!((page.items, page.next), (vec![old.clone()], None));
    assert_eq!(tokens::find(&mut tx, other.id, old.id).await.expect("an answer"), None);
    assert_eq!(tokens::revoke(&mut tx, other.id, old.id, None, NOW).await.expect("an answer"), None);
    drop_it(tx).await;
}

#[tokio::test]
async fn a_replaced_token_ends_after_the_overlap_and_a_revoked_one_at_once() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "member").await;
    let made = grant(&world, org, Principal::User(ada), "x").await;
    let (old, _) = token(&world, org, &made, 30).await;
    let (short, _) = token(&world, org, &made, 1).await;
    let first = epoch(&world, org).await;
    let mut tx = world.org_tx(org).await;
    let week = Overlap::minutes(10_080).expect("a week").end(NOW);
    let (before, after) =
        tokens::end_by(&mut tx, made.id, old.id, week).await.expect("an answer").expect("there");
    assert_eq!((before, after.expires_at), (old.clone(), NOW + Duration::WEEK));
    let (_, after) =
        tokens::end_by(&mut tx, made.id, short.id, week).await.expect("an answer").expect("there");
    assert_eq!(after.expires_at, short.expires_at, "one that ends earlier anyway keeps its end");
    let (_, after) =
        tokens::revoke(&mut tx, made.id, old.id, Some(ada), NOW).await.expect("an answer").expect("there");
    assert_eq!((after.state(NOW), after.revoked_by), (TokenState::Revoked, Some(ada)));
    let later = NOW + Duration::HOUR;
    let (before, again) =
        tokens::revoke(&mut tx, made.id, old.id, None, later).await.expect("an answer").expect("there");
    assert_eq!((before, again), (after.clone(), after));
    keep(tx).await;
    assert_eq!(epoch(&world, org).await, first + 3);
}

#[tokio::test]
async fn a_call_is_noted_once_a_minute_and_is_no_change() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "member").await;
    let made = grant(&world, org, Principal::User(ada), "x").await;
    let (kept, _) = token(&world, org, &made, 30).await;
    let first = epoch(&world, org).await;
    let ip: IpAddr = "2001:db8::1".parse().expect("an address");
    let client = ClientSeen::of("claude-code", Some("2.1.0")).expect("a name");
    let mut tx = world.org_tx(org).await;
    let touched = tokens::touch_token(&mut tx, kept.id, Some(ip), Some(&client), NOW).await;
    assert!(touched.expect("an answer"));
    let soon = NOW + Duration::seconds(59);
    assert!(!tokens::touch_token(&mut tx, kept.id, None, None, soon).await.expect("an answer"));
    let used = tokens::find(&mut tx, made.id, kept.id).await.expect("an answer").expect("there");
    let last = used.last_use.expect("used");
    assert_eq!((last.at, last.ip, last.client.clone()), (NOW, Some(ip), Some(client)));
    let entry = grants::find_entry(&mut tx, made.id, NOW).await.expect("an answer").expect("there");
    assert_eq!((entry.last_use, entry.live_tokens), (Some(last), 1));
    let later = NOW + Duration::minutes(1);
    assert!(tokens::touch_token(&mut tx, kept.id, None, None, later).await.expect("an answer"));
    keep(tx).await;
    assert_eq!(epoch(&world, org).await, first);
}

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
    let _ = grants::suspend(&mut tx, shared.id, &stop(Some(ada), "leak"), None).await.expect("suspended");
    let _ = grants::revoke(&mut tx, robot.id, &stop(None, ""), None).await.expect("revoked");
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
    let _ = grants::revoke(&mut tx, over.id, &stop(None, ""), None).await.expect("revoked");
    tokens::touch_token(&mut tx, used.id, None, None, NOW).await.expect("noted");
    let count = glance::count(&mut tx, NOW, NOW + Duration::days(14)).await.expect("counts");
    assert_eq!(count, GrantCount { made: 2, active: 1, expiring_tokens: 1, used_tokens: 1 });
    drop_it(tx).await;
}
