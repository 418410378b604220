//! Enqueues the jobs that come round, once per turn for all replicas together.

use time::OffsetDateTime;

use crate::{
    base::{crypto::digest, ids::JobId},
    domain::jobs::Turn,
    flow::jobs::registry::Periodic,
};

/// Which turn of a periodic job a moment belongs to, counted from 1970.
pub(super) fn turn_number(periodic: Periodic, now: OffsetDateTime) -> i64 {
    now.unix_timestamp().div_euclid(seconds(periodic))
}

/// The turn of that number.
///
/// Its id is made from kind and number instead of chance, so that all replicas come to the same one and the primary
/// key lets a single one of them enqueue it, even after it was done. Its time is the start of the turn, so that it
/// sorts among other jobs.
pub(super) fn turn(periodic: Periodic, number: i64) -> Turn {
    let name = format!("portreeve/turn/1 {} {} {number}", periodic.kind, seconds(periodic));
    let digest = digest::sha256(name.as_bytes());
    let mut tail = [0; 10];
    tail.copy_from_slice(&digest[..10]);
    let millis = number.saturating_mul(seconds(periodic)).saturating_mul(1000);
    let uuid = uuid::Builder::from_unix_timestamp_millis(millis.unsigned_abs(), &tail).into_uuid();
    Turn { kind: periodic.kind, id: JobId::from_uuid(uuid) }
}

fn seconds(periodic: Periodic) -> i64 {
    i64::try_from(periodic.every.as_secs()).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOURLY: Periodic = Periodic { kind: "sweep", every: Duration::from_secs(3600) };

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).expect("in range")
    }

    #[test]
    fn a_turn_lasts_as_long_as_its_span() {
        assert_eq!(turn_number(HOURLY, at(7200)), 2);
        assert_eq!(turn_number(HOURLY, at(10_799)), 2);
        assert_eq!(turn_number(HOURLY, at(10_800)), 3);
    }

    #[test]
    fn every_replica_comes_to_the_same_id_and_no_two_turns_share_one() {
        assert_eq!(turn(HOURLY, 500_000).id, turn(HOURLY, 500_000).id);
        let others = [
            turn(HOURLY, 500_001),
            turn(Periodic { kind: "other", ..HOURLY }, 500_000),
            turn(Periodic { every: Duration::from_secs(60), ..HOURLY }, 500_000),
        ];
        assert!(others.iter().all(|other| other.id != turn(HOURLY, 500_000).id));
    }

    #[test]
    fn later_turns_sort_after_earlier_ones() {
        assert!((1..200).all(|n| turn(HOURLY, n).id < turn(HOURLY, n + 1).id));
    }
}
