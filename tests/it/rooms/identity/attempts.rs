use futures_util::future::join_all;
use portreeve::{
    base::ids::UserId,
    domain::identity::{
        attempts::{Key, Limits},
        store::attempts,
    },
};
use time::Duration;

use crate::rooms::{NOW, World, drop_it, keep};

#[tokio::test]
async fn a_budget_refills_one_by_one() {
    let world = World::fresh().await;
    let (budget, key) = (Limits::default().sign_in, Key::codes(UserId::fresh()));
    let mut tx = world.system_tx().await;
    // After so many seconds, whether one more may come: three at once, one more every twenty seconds.
    let tries = [(0, true), (1, true), (2, true), (3, false), (19, false), (20, true), (21, false)];
    let later = [(1000, true), (1000, true), (1000, true), (1000, false)];
    for (seconds, may) in tries.into_iter().chain(later) {
        let now = NOW + Duration::seconds(seconds);
        let answer = attempts::spend(&mut tx, &key, budget, now).await.unwrap();
        assert_eq!(answer.is_ok(), may, "after {seconds} s: {answer:?}");
        if seconds == 3 {
            assert_eq!(answer.unwrap_err().seconds(), 17);
        }
    }
    drop_it(tx).await;
}

#[tokio::test]
async fn each_wrong_try_beyond_the_free_ones_waits_longer_until_a_day_has_passed() {
    let world = World::fresh().await;
    let (backoff, key) = (Limits::default().sign_in_to_account, Key::codes(UserId::fresh()));
    let mut tx = world.system_tx().await;
    let mut now = NOW;
    for wait in [0, 0, 0, 2, 8, 32, 128, 512, 900, 900] {
        assert_eq!(attempts::try_once(&mut tx, &key, backoff, now).await.unwrap(), Ok(()));
        let wait = Duration::seconds(wait);
        if wait.is_positive() {
            let early = attempts::try_once(&mut tx, &key, backoff, now).await.unwrap();
            assert_eq!(early.unwrap_err().retry_after, wait);
        }
        now += wait;
    }
    now += Duration::DAY;
    for _ in 0..2 {
        assert_eq!(attempts::try_once(&mut tx, &key, backoff, now).await.unwrap(), Ok(()));
    }
    attempts::forget(&mut tx, &key).await.unwrap();
    assert_eq!(
        attempts::sweep(&mut tx, backoff, now + Duration::DAY * 2).await.unwrap(),
        0,
        "it was forgotten"
    );
    drop_it(tx).await;
}

#[tokio::test]
async fn many_at_once_get_no_more_than_one_after_the_other() {
    let world = World::fresh().await;
    let limits = Limits::default();
    let (spent, tried) = (Key::codes(UserId::fresh()), Key::codes(UserId::fresh()));
    let spend = async || {
        let mut tx = world.system_tx().await;
        let answer = attempts::spend(&mut tx, &spent, limits.sign_in, NOW).await.unwrap();
        keep(tx).await;
        answer.is_ok()
    };
    let passed = join_all((0..20).map(|_| spend())).await.into_iter().filter(|passed| *passed).count();
    assert_eq!(passed, 3);
    let attempt = async || {
        let mut tx = world.system_tx().await;
        let answer = attempts::try_once(&mut tx, &tried, limits.sign_in_to_account, NOW).await.unwrap();
        keep(tx).await;
        answer.is_ok()
    };
    let passed = join_all((0..20).map(|_| attempt())).await.into_iter().filter(|passed| *passed).count();
    assert_eq!(passed, 4);
}
