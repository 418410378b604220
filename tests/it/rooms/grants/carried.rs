//! What agents carry.

use std::net::IpAddr;

use portreeve::{
    base::{
        actor::Principal,
        crypto::token::{Token, TokenKind},
        ids::GrantTokenId,
        page::PageRequest,
    },
    domain::grants::{
        ClientSeen, Overlap, TokenState,
        store::{grants, tokens},
    },
};
use time::Duration;

use crate::rooms::{
    NOW, World, drop_it,
    grants::{epoch, grant, token},
    keep,
};

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
