use portreeve::{
    base::ids::DataKeyId,
    domain::identity::{
        recovery::RecoveryCode,
        store::{recovery, totp as store},
        totp::{Step, TotpSecret},
    },
};
use time::{Duration, OffsetDateTime};

use crate::rooms::{
    NOW, World, drop_it,
    identity::{person_tx, user},
};

/// The step of the code that an authenticator shows at a moment.
fn step(secret: &TotpSecret, now: OffsetDateTime) -> Step {
    let app = totp_rs::Builder::new().with_secret(secret.expose().to_vec()).build().unwrap();
    let code = app.generate(u64::try_from(now.unix_timestamp()).unwrap()).to_string();
    secret.check(&code, now).unwrap()
}

#[tokio::test]
async fn a_code_counts_once_and_only_after_the_secret_was_confirmed() {
    let world = World::fresh().await;
    let ada = user(&world, "ada@x.test").await;
    let mut tx = person_tx(&world, ada).await;
    let (secret, key) = (TotpSecret::fresh(), DataKeyId::fresh());
    for _ in 0..2 {
        assert!(store::insert(&mut tx, ada, secret.expose(), key, NOW).await.unwrap(), "not confirmed yet");
    }
    let first = step(&secret, NOW);
    assert!(!store::spend(&mut tx, ada, first).await.unwrap());
    assert!(store::confirm(&mut tx, ada, first, NOW).await.unwrap());
    assert!(!store::spend(&mut tx, ada, first).await.unwrap());
    let second = step(&secret, NOW + Duration::seconds(30));
    for spent in [true, false] {
        assert_eq!(store::spend(&mut tx, ada, second).await.unwrap(), spent);
    }
    assert!(!store::insert(&mut tx, ada, secret.expose(), key, NOW).await.unwrap(), "it is confirmed");
    assert!(store::find(&mut tx, ada).await.unwrap().unwrap().confirmed_at.is_some());
    assert!(store::delete(&mut tx, ada).await.unwrap());
    drop_it(tx).await;
}

#[tokio::test]
async fn a_recovery_code_is_spent_once() {
    let world = World::fresh().await;
    let ada = user(&world, "ada@x.test").await;
    let mut tx = person_tx(&world, ada).await;
    let (codes, newer) = (RecoveryCode::fresh_set(), RecoveryCode::fresh_set());
    recovery::replace(&mut tx, ada, &codes, NOW).await.unwrap();
    for left in [Some(9), None] {
        assert_eq!(recovery::spend(&mut tx, ada, &codes[3], NOW).await.unwrap(), left);
    }
    assert_eq!(recovery::count_left(&mut tx, ada).await.unwrap(), 9);
    recovery::replace(&mut tx, ada, &newer, NOW).await.unwrap();
    assert_eq!(recovery::spend(&mut tx, ada, &codes[4], NOW).await.unwrap(), None, "a new set voids the old");
    assert_eq!(recovery::count_left(&mut tx, ada).await.unwrap(), 10);
    drop_it(tx).await;
}
