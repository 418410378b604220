use portreeve::{
    base::{
        actor::KeyOwner,
        ids::ServiceAccountId,
        page::PageRequest,
        permission::Role,
        update::{Change, Update},
    },
    domain::automation::{ServiceAccountRef, store::accounts},
};
use time::Duration;

use crate::rooms::{
    NOW, World,
    automation::{account, key, new_account},
    drop_it, keep,
};

#[tokio::test]
async fn an_account_is_found_changed_and_deleted_and_a_late_writer_is_told() {
    let world = World::fresh().await;
    let org = world.org().await;
    let made = account(&world, org, "nightly", "auditor").await;
    let mut tx = world.org_tx(org).await;
    for which in [ServiceAccountRef::Id(made.id), ServiceAccountRef::parse("nightly").expect("a slug")] {
        assert_eq!(accounts::find(&mut tx, &which).await.expect("an answer"), Some(made.clone()));
    }
    let change = new_account("nightly-2", "admin");
    let later = NOW + Duration::HOUR;
    let done = accounts::update(&mut tx, made.id, &change, Some(1), later).await.expect("an answer");
    let Update::Done(Change { before, after }) = done else { panic!("{done:?}") };
    assert_eq!(before, made);
    assert_eq!(
        (after.slug.as_str(), after.role, after.version, after.updated_at),
        ("nightly-2", Role::Admin, 2, later)
    );
    let late = accounts::update(&mut tx, made.id, &change, Some(1), later).await.expect("an answer");
    assert_eq!(late, Update::Conflict);
    let none =
        accounts::update(&mut tx, ServiceAccountId::fresh(), &change, None, later).await.expect("an answer");
    assert_eq!(none, Update::NotFound);

    let off = accounts::disable(&mut tx, made.id, None, later).await.expect("an answer");
    assert!(
        matches!(off, Update::Done(Change { after, .. }) if after.disabled_at == Some(later) && after.version == 3)
    );
    let again = accounts::disable(&mut tx, made.id, None, later + Duration::HOUR).await.expect("an answer");
    assert!(matches!(again, Update::Done(Change { before, after }) if before == after));
    let on = accounts::enable(&mut tx, made.id, Some(3), later).await.expect("an answer");
    assert!(
        matches!(on, Update::Done(Change { after, .. }) if after.disabled_at.is_none() && after.version == 4)
    );

    let late = accounts::delete(&mut tx, made.id, Some(1)).await.expect("an answer");
    assert_eq!(late, Update::Conflict);
    assert!(matches!(accounts::delete(&mut tx, made.id, Some(4)).await, Ok(Update::Done(_))));
    assert_eq!(accounts::delete(&mut tx, made.id, None).await.expect("an answer"), Update::NotFound);
    keep(tx).await;
}

#[tokio::test]
async fn a_taken_slug_is_refused_by_its_rule_and_free_in_another_organization() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    account(&world, org, "nightly", "member").await;
    let elsewhere = account(&world, other, "nightly", "member").await;
    let mut tx = world.org_tx(org).await;
    let taken = accounts::insert(&mut tx, &new_account("nightly", "member"), None, NOW).await;
    assert!(taken.expect_err("taken").broke(accounts::SLUG_IS_FREE));
    drop_it(tx).await;
    let mut tx = world.org_tx(org).await;
    assert_eq!(accounts::find(&mut tx, &elsewhere.id.into()).await.expect("an answer"), None);
    assert_eq!(accounts::delete(&mut tx, elsewhere.id, None).await.expect("an answer"), Update::NotFound);
    drop_it(tx).await;
}

#[tokio::test]
async fn accounts_are_listed_by_slug_in_pages_with_their_live_keys() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    account(&world, other, "aa", "member").await;
    let mut ids = Vec::new();
    for slug in ["cc", "bb", "dd"] {
        ids.push(account(&world, org, slug, "admin").await.id);
    }
    key(&world, org, KeyOwner::ServiceAccount(ids[1]), &["*"]).await;
    let mut tx = world.org_tx(org).await;
    let page =
        accounts::list(&mut tx, None, &PageRequest { limit: 2, after: None }, NOW).await.expect("a page");
    let seen: Vec<_> = page.items.iter().map(|e| (e.account.slug.as_str(), e.live_keys)).collect();
    assert_eq!(seen, [("bb", 1), ("cc", 0)]);
    let next = PageRequest::parse(Some(2), page.next.as_deref()).expect("our own cursor");
    let page = accounts::list(&mut tx, None, &next, NOW).await.expect("a page");
    assert_eq!((page.items.len(), page.items[0].account.slug.as_str(), page.next), (1, "dd", None));
    let after = NOW + Duration::days(30);
    let found = accounts::list(&mut tx, Some("BB"), &PageRequest::first(), after).await.expect("a page");
    assert_eq!(found.items.iter().map(|e| e.live_keys).collect::<Vec<_>>(), [0]);
    let all = accounts::list(&mut tx, Some("nightly b"), &PageRequest::first(), NOW).await.expect("a page");
    assert_eq!(all.items.len(), 3);
    assert_eq!(
        accounts::list(&mut tx, Some("%"), &PageRequest::first(), NOW).await.expect("a page").items,
        []
    );
    drop_it(tx).await;
}
