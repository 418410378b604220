use std::net::IpAddr;

use portreeve::{
    base::{
        actor::KeyOwner,
        crypto::token::{Token, TokenKind},
        ids::ApiKeyId,
        page::PageRequest,
        permission::{Permission, Role},
        update::{Change, Update},
    },
    domain::automation::{
        ApiKeyForm, Expiry, IssuedKey, KeyFilter, KeyState, NewApiKey,
        store::{accounts, keys},
    },
};
use time::Duration;

use crate::rooms::{
    NOW, World,
    automation::{account, key, present},
    drop_it, keep,
};

#[tokio::test]
async fn a_presented_key_has_the_role_and_state_of_its_owner_now() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "admin").await;
    let (made, token) = key(&world, org, KeyOwner::User(ada), &["gate:write", "audit:read"]).await;
    let presented = present(&world, &token, NOW).await.expect("known");
    assert_eq!((presented.org, presented.key.id, presented.owner_role), (org, made.id, Role::Admin));
    assert_eq!((presented.state, presented.owner_name.as_str()), (KeyState::Live, "Ada"));
    assert!(presented.may(Permission::GateWrite) && !presented.may(Permission::OrgRead));

    world.sql("update memberships set role = 'auditor'").await;
    let presented = present(&world, &token, NOW).await.expect("known");
    assert!(!presented.may(Permission::GateWrite) && presented.may(Permission::AuditRead));

    let state = async |now| present(&world, &token, now).await.map(|p| p.state);
    assert_eq!(state(NOW + Duration::days(30)).await, Some(KeyState::Expired));
    world.sql("update orgs set suspended_at = now(), suspended_reason = 'unpaid'").await;
    assert_eq!(state(NOW).await, Some(KeyState::OrgClosed));
    world.sql("update users set disabled_at = now()").await;
    assert_eq!(state(NOW).await, Some(KeyState::OwnerDisabled));
    world.sql("delete from memberships").await;
    assert_eq!(state(NOW).await, None);
}

#[tokio::test]
async fn a_guessed_secret_for_a_known_key_is_nobody() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "admin").await;
    let (made, _) = key(&world, org, KeyOwner::User(ada), &["*"]).await;
    assert!(present(&world, &Token::issue(TokenKind::ApiKey, made.id), NOW).await.is_none());
    assert!(present(&world, &Token::issue(TokenKind::ApiKey, ApiKeyId::fresh()), NOW).await.is_none());
}

#[tokio::test]
async fn a_service_accounts_key_follows_the_account() {
    let world = World::fresh().await;
    let org = world.org().await;
    let bot = account(&world, org, "bot", "policy_manager").await;
    let (_, token) = key(&world, org, KeyOwner::ServiceAccount(bot.id), &["*"]).await;
    let presented = present(&world, &token, NOW).await.expect("known");
    assert_eq!((presented.owner_role, presented.owner_name.as_str()), (Role::PolicyManager, "Nightly Build"));
    let mut tx = world.org_tx(org).await;
    let _ = accounts::disable(&mut tx, bot.id, None, NOW).await.expect("disabled");
    keep(tx).await;
    assert_eq!(present(&world, &token, NOW).await.map(|p| p.state), Some(KeyState::OwnerDisabled));
    let mut tx = world.org_tx(org).await;
    let _ = accounts::delete(&mut tx, bot.id, None).await.expect("deleted");
    keep(tx).await;
    assert!(present(&world, &token, NOW).await.is_none());
}

#[tokio::test]
async fn a_key_needs_an_owner_of_its_own_organization() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    let stranger = world.member(other, "Eve", "owner").await;
    let bot = account(&world, other, "bot", "admin").await;
    for (owner, rule) in [
        (KeyOwner::User(stranger), keys::PERSON_IS_HERE),
        (KeyOwner::ServiceAccount(bot.id), keys::ACCOUNT_IS_HERE),
    ] {
        let form = ApiKeyForm { name: "k", scopes: &["*".to_owned()], expiry: Expiry::Default };
        let new = NewApiKey::parse(form, owner, Role::Admin, NOW).expect("a good form");
        let mut tx = world.org_tx(org).await;
        let refused = keys::insert(&mut tx, &new, &IssuedKey::fresh(), None, NOW).await;
        assert!(refused.expect_err("refused").broke(rule));
        drop_it(tx).await;
    }
}

#[tokio::test]
async fn keys_are_listed_newest_first_with_names_and_filters() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    let ada = world.member(org, "Ada", "admin").await;
    let eve = world.member(other, "Eve", "admin").await;
    key(&world, other, KeyOwner::User(eve), &["*"]).await;
    let bot = account(&world, org, "bot", "admin").await;
    let (old, _) = key(&world, org, KeyOwner::User(ada), &["*"]).await;
    let (new, _) = key(&world, org, KeyOwner::ServiceAccount(bot.id), &["org:read"]).await;
    let mut tx = world.org_tx(org).await;
    let _ = keys::revoke(&mut tx, old.id, Some(ada), None, NOW).await.expect("revoked");
    let one = PageRequest { limit: 1, after: None };
    let page = keys::list(&mut tx, KeyFilter::default(), &one, NOW).await.expect("a page");
    assert_eq!((page.items[0].key.clone(), page.items[0].state), (new.clone(), KeyState::Live));
    assert_eq!(
        (page.items[0].owner_name.as_str(), page.items[0].owner_handle.as_str()),
        ("Nightly Build", "bot")
    );
    let next = PageRequest::parse(Some(1), page.next.as_deref()).expect("our own cursor");
    let page = keys::list(&mut tx, KeyFilter::default(), &next, NOW).await.expect("a page");
    assert_eq!((page.items[0].key.id, page.items[0].state, page.next), (old.id, KeyState::Revoked, None));
    assert_eq!(page.items[0].owner_name, "Ada");
    for (filter, wanted) in [
        (KeyFilter { owner: Some(KeyOwner::User(ada)), state: None }, vec![old.id]),
        (KeyFilter { owner: Some(KeyOwner::ServiceAccount(bot.id)), state: None }, vec![new.id]),
        (KeyFilter { owner: None, state: Some(KeyState::Live) }, vec![new.id]),
        (KeyFilter { owner: None, state: Some(KeyState::Revoked) }, vec![old.id]),
        (KeyFilter { owner: None, state: Some(KeyState::Expired) }, vec![]),
    ] {
        let page = keys::list(&mut tx, filter, &PageRequest::first(), NOW).await.expect("a page");
        assert_eq!(page.items.iter().map(|e| e.key.id).collect::<Vec<_>>(), wanted, "{filter:?}");
    }
    drop_it(tx).await;
}

#[tokio::test]
async fn revoking_is_final_and_reaches_only_the_named_owner() {
    let world = World::fresh().await;
    let org = world.org().await;
    let (ada, bob) = (world.member(org, "Ada", "admin").await, world.member(org, "Bob", "admin").await);
    let (first, token) = key(&world, org, KeyOwner::User(ada), &["*"]).await;
    let (second, _) = key(&world, org, KeyOwner::User(ada), &["*"]).await;
    let (other, _) = key(&world, org, KeyOwner::User(bob), &["*"]).await;
    let mut tx = world.org_tx(org).await;
    let late = keys::revoke(&mut tx, first.id, Some(bob), Some(9), NOW).await.expect("an answer");
    assert_eq!(late, Update::Conflict);
    let done = keys::revoke(&mut tx, first.id, Some(bob), Some(1), NOW).await.expect("an answer");
    let Update::Done(Change { after, .. }) = done else { panic!("{done:?}") };
    assert_eq!((after.revoked_at, after.revoked_by, after.version), (Some(NOW), Some(bob), 2));
    assert_eq!(keys::find(&mut tx, first.id).await.expect("an answer"), Some(after.clone()));
    let again =
        keys::revoke(&mut tx, first.id, Some(ada), None, NOW + Duration::HOUR).await.expect("an answer");
    assert_eq!(again, Update::Done(Change::none(after)));
    assert_eq!(
        keys::revoke(&mut tx, ApiKeyId::fresh(), None, None, NOW).await.expect("an answer"),
        Update::NotFound
    );
    let ended = keys::revoke_all_of(&mut tx, KeyOwner::User(ada), None, NOW).await.expect("revoked");
    assert_eq!(ended.iter().map(|k| k.id).collect::<Vec<_>>(), [second.id]);
    assert_eq!(keys::find(&mut tx, other.id).await.expect("an answer"), Some(other));
    keep(tx).await;
    assert_eq!(present(&world, &token, NOW).await.map(|p| p.state), Some(KeyState::Revoked));
}

#[tokio::test]
async fn use_is_noted_once_a_minute_and_is_no_change() {
    let world = World::fresh().await;
    let org = world.org().await;
    let ada = world.member(org, "Ada", "admin").await;
    let (made, _) = key(&world, org, KeyOwner::User(ada), &["*"]).await;
    let ip: IpAddr = "2001:db8::1".parse().expect("an address");
    let mut tx = world.org_tx(org).await;
    assert!(keys::touch(&mut tx, made.id, Some(ip), NOW).await.expect("an answer"));
    assert!(!keys::touch(&mut tx, made.id, None, NOW + Duration::seconds(59)).await.expect("an answer"));
    let used = keys::find(&mut tx, made.id).await.expect("an answer").expect("there");
    assert_eq!((used.last_used_at, used.last_used_ip, used.version), (Some(NOW), Some(ip), 1));
    assert!(keys::touch(&mut tx, made.id, None, NOW + Duration::minutes(1)).await.expect("an answer"));
    keep(tx).await;
}
