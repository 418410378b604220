use portreeve::{
    base::{
        crypto::token::{Token, TokenKind},
        ids::{ReplicaId, SealedId},
        update::{Change, Update},
    },
    domain::instance::{self, Replica, SILENCE, SignUp},
};
use time::Duration;

use crate::rooms::{NOW, World, drop_it, keep};

#[tokio::test]
async fn the_set_up_link_works_once() {
    let world = World::fresh().await;
    let (first, second) = (
        Token::issue(TokenKind::SetUp, SealedId::fresh()),
        Token::issue(TokenKind::SetUp, SealedId::fresh()),
    );
    for token in [&first, &second] {
        let mut tx = world.system_tx().await;
        assert!(instance::set_set_up_token(&mut tx, &token.hash(), NOW).await.expect("stored"));
        keep(tx).await;
    }
    let mut tx = world.org_tx(world.org().await).await;
    let found = instance::find(&mut tx).await.expect("the row");
    drop_it(tx).await;
    assert!(found.admits(&second) && !found.admits(&first) && !found.is_set_up());
    let set_up = async || {
        let mut tx = world.system_tx().await;
        let won = instance::mark_set_up(&mut tx, NOW).await.expect("an answer");
        keep(tx).await;
        won
    };
    let (a, b) = tokio::join!(set_up(), set_up());
    assert!(a != b, "exactly one sets it up");
    let mut tx = world.system_tx().await;
    assert!(!instance::set_set_up_token(&mut tx, &first.hash(), NOW).await.expect("an answer"));
    let found = instance::find(&mut tx).await.expect("the row");
    drop_it(tx).await;
    assert!(found.is_set_up() && !found.admits(&second) && !found.admits(&first));
}

#[tokio::test]
async fn the_second_writer_of_the_sign_up_mode_is_told() {
    let world = World::fresh().await;
    let mut tx = world.system_tx().await;
    let version = instance::find(&mut tx).await.expect("the row").version;
    let set = instance::update_sign_up(&mut tx, SignUp::Open, Some(version), NOW).await.expect("an answer");
    let Update::Done(Change { before, after }) = set else { panic!("{set:?}") };
    assert_eq!(
        (before.sign_up, after.sign_up, after.version),
        (SignUp::Invitation, SignUp::Open, version + 1)
    );
    let set = instance::update_sign_up(&mut tx, SignUp::Closed, Some(version), NOW).await.expect("an answer");
    assert_eq!(set, Update::Conflict);
    keep(tx).await;
}

#[tokio::test]
async fn replicas_come_beat_and_go() {
    let world = World::fresh().await;
    let replica = |listen: &str| Replica {
        id: ReplicaId::fresh(),
        version: "0.1.0".to_owned(),
        listen: listen.to_owned(),
        started_at: NOW,
        seen_at: NOW,
    };
    let (quiet, lively) = (replica("a:1"), replica("b:1"));
    let later = NOW + SILENCE * 10 + Duration::SECOND;
    let mut tx = world.system_tx().await;
    for replica in [&quiet, &lively] {
        instance::insert_replica(&mut tx, replica).await.expect("entered");
    }
    assert!(instance::mark_seen(&mut tx, lively.id, later).await.expect("seen"));
    let listed = instance::list_replicas(&mut tx).await.expect("a list");
    assert_eq!(listed.iter().map(|r| r.is_alive(later)).collect::<Vec<_>>(), [false, true]);
    assert_eq!(instance::delete_stale_replicas(&mut tx, later).await.expect("deleted"), 1);
    assert!(!instance::mark_seen(&mut tx, quiet.id, later).await.expect("gone"));
    instance::delete_replica(&mut tx, lively.id).await.expect("deleted");
    assert_eq!(instance::list_replicas(&mut tx).await.expect("a list"), []);
    keep(tx).await;
}
