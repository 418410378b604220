use futures_util::future::join_all;
use portreeve::{
    base::{
        actor::KeyOwner,
        crypto::digest::sha256,
        ids::{DataKeyId, OrgId},
        update::Update,
    },
    domain::automation::{
        ANSWER_TTL, Answer, Claim,
        store::{idempotency, keys},
    },
};
use time::{Duration, OffsetDateTime};

use crate::rooms::{NOW, World, automation::key, keep, quoted};

async fn claim(world: &World, org: OrgId, actor: &str, request: &[u8], now: OffsetDateTime) -> Claim {
    let mut tx = world.org_tx(org).await;
    let claim = idempotency::claim(&mut tx, actor, "abc", &sha256(request), now).await.expect("an answer");
    keep(tx).await;
    claim
}

#[tokio::test]
async fn a_repeated_request_gets_the_answer_of_the_first() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    let Claim::New(row) = claim(&world, org, "key_1", b"a", NOW).await else { panic!("the key is free") };
    assert_eq!(claim(&world, org, "key_1", b"a", NOW).await, Claim::InProgress { since: NOW });
    assert_eq!(claim(&world, org, "key_1", b"b", NOW).await, Claim::Mismatch);
    let answer = Answer { row, status: 201, data_key: DataKeyId::fresh(), sealed: b"sealed".to_vec() };
    let mut tx = world.org_tx(org).await;
    assert!(idempotency::finish(&mut tx, &answer).await.expect("kept"));
    assert!(!idempotency::finish(&mut tx, &answer).await.expect("an answer"), "an answer is never replaced");
    idempotency::release(&mut tx, row).await.expect("nothing to release");
    keep(tx).await;
    let day = NOW + ANSWER_TTL - Duration::SECOND;
    assert_eq!(claim(&world, org, "key_1", b"a", day).await, Claim::Replay(answer));
    assert_eq!(claim(&world, org, "key_1", b"b", day).await, Claim::Mismatch);
    assert!(matches!(claim(&world, org, "key_2", b"a", day).await, Claim::New(_)), "another actor");
    assert!(matches!(claim(&world, other, "key_1", b"a", day).await, Claim::New(_)), "another organization");
    assert!(
        matches!(claim(&world, org, "key_1", b"c", NOW + ANSWER_TTL).await, Claim::New(new) if new != row)
    );
}

#[tokio::test]
async fn a_released_claim_is_free_again_and_expired_ones_are_swept() {
    let world = World::fresh().await;
    let org = world.org().await;
    let Claim::New(row) = claim(&world, org, "key_1", b"a", NOW).await else { panic!("the key is free") };
    let mut tx = world.org_tx(org).await;
    idempotency::release(&mut tx, row).await.expect("released");
    keep(tx).await;
    assert!(matches!(claim(&world, org, "key_1", b"b", NOW).await, Claim::New(_)));
    let sweep = async |now| {
        let mut tx = world.system_tx().await;
        let swept = idempotency::delete_expired(&mut tx, now, 100).await.expect("swept");
        keep(tx).await;
        swept
    };
    assert_eq!(sweep(NOW + ANSWER_TTL - Duration::SECOND).await, 0);
    assert_eq!(sweep(NOW + ANSWER_TTL).await, 1);
}

#[tokio::test]
async fn of_many_claims_at_once_one_is_new() {
    let world = World::fresh().await;
    let org = world.org().await;
    let claims = join_all((0..10).map(|_| claim(&world, org, "key_1", b"a", NOW))).await;
    let new = claims.iter().filter(|c| matches!(c, Claim::New(_))).count();
    let busy = claims.iter().filter(|c| matches!(c, Claim::InProgress { .. })).count();
    assert_eq!((new, busy), (1, 9));
}

#[tokio::test]
async fn one_organization_never_reaches_anothers_rows() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    let ada = world.member(org, "Ada", "admin").await;
    let (made, _) = key(&world, org, KeyOwner::User(ada), &["*"]).await;
    let Claim::New(row) = claim(&world, org, "key_1", b"a", NOW).await else { panic!("the key is free") };
    let mut tx = world.org_tx(other).await;
    assert_eq!(keys::find(&mut tx, made.id).await.expect("an answer"), None);
    assert_eq!(keys::revoke(&mut tx, made.id, None, None, NOW).await.expect("an answer"), Update::NotFound);
    assert_eq!(keys::revoke_all_of(&mut tx, KeyOwner::User(ada), None, NOW).await.expect("an answer"), []);
    assert!(!keys::touch(&mut tx, made.id, None, NOW).await.expect("an answer"));
    idempotency::release(&mut tx, row).await.expect("nothing");
    keep(tx).await;
    assert_eq!(claim(&world, org, "key_1", b"a", NOW).await, Claim::InProgress { since: NOW });
    let used = format!(
        "select count(*) from api_keys where id = {} and last_used_at is null",
        quoted(made.id.uuid())
    );
    assert_eq!(world.number(&used).await, 1);
}
