//! How many unknown tokens one network may try: whoever guesses is answered without a look into the database.
//!
//! Each network has a store of attempts that fills up again evenly. A token that has to be looked up takes one and gives
//! it back when it turns out to be a token of ours. Each replica counts for itself: this protects the replica, no contract.
//!
//! Invariant: a token that is known from memory is never asked to take an attempt.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use time::{Duration, OffsetDateTime};

use crate::{base::clock::Clock, flow::proxy::refusal::Refusal};

/// How many attempts a network has in store at the most.
const BURST: i32 = 60;
/// How long one attempt takes to be there again.
const EVERY: Duration = Duration::SECOND;
/// How many networks are kept in mind at the most.
const MOST: usize = 20_000;

/// Counts, for whoever watches this replica.
#[derive(Debug, Default)]
pub struct StrangerGauges {
    /// Unknown tokens that were looked for in vain.
    pub refused: AtomicU64,
    /// Requests that were turned away without a look.
    pub limited: AtomicU64,
}

/// Holds back networks that try many unknown tokens.
#[derive(Debug)]
pub struct Throttle {
    clock: Clock,
    networks: Mutex<Networks>,
    gauges: Arc<StrangerGauges>,
}

/// One attempt that was taken from a network's store.
#[derive(Debug)]
#[must_use = "say whether the token was one of ours"]
pub struct Attempt<'a> {
    throttle: &'a Throttle,
    network: Option<IpAddr>,
}

impl Throttle {
    /// Nobody tried anything yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, networks: Mutex::default(), gauges: Arc::default() }
    }

    /// The counts of this replica.
    pub fn gauges(&self) -> Arc<StrangerGauges> {
        Arc::clone(&self.gauges)
    }

    /// Takes an attempt from the store of a caller's network.
    ///
    /// # Errors
    /// When the store is empty, with the time to wait.
    pub fn take(&self, ip: Option<IpAddr>) -> Result<Attempt<'_>, Refusal> {
        let network = ip.map(network_of);
        let taken = self.networks().take(network, self.clock.now());
        taken.map(|()| Attempt { throttle: self, network }).map_err(|wait| {
            self.gauges.limited.fetch_add(1, Relaxed);
            // Rounded up, for whoever comes a moment too early is turned away again.
            let seconds = wait.whole_seconds() + i64::from(wait.subsec_nanoseconds() > 0);
            Refusal::TooManyUnknown { retry_after: u32::try_from(seconds).unwrap_or(1) }
        })
    }

    fn networks(&self) -> std::sync::MutexGuard<'_, Networks> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Dropped without a word, as when the caller goes away meanwhile, it stays taken.
impl Attempt<'_> {
    /// The token was none of ours.
    pub fn failed(self) -> Refusal {
        self.throttle.gauges.refused.fetch_add(1, Relaxed);
        Refusal::UnknownToken
    }

    /// The token was one of ours, or it could not be found out: the attempt goes back.
    pub fn give_back(self) {
        self.throttle.networks().give_back(self.network);
    }
}

/// What a network is counted as: whoever has one address of IPv6 has its whole /64.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// For each network that took attempts lately, when its store will be full again.
#[derive(Debug, Default)]
struct Networks(HashMap<Option<IpAddr>, OffsetDateTime>);

impl Networks {
    fn take(&mut self, network: Option<IpAddr>, now: OffsetDateTime) -> Result<(), Duration> {
        let whole = EVERY * BURST;
        if !self.0.contains_key(&network) {
            self.make_room(now);
        }
        let full_at = self.0.entry(network).or_insert(now);
        // Within these bounds whichever way somebody sets the clock.
        *full_at = (*full_at).clamp(now, now + whole);
        let then = *full_at + EVERY;
        if then > now + whole {
            return Err(then - now - whole);
        }
        *full_at = then;
        Ok(())
    }

    fn give_back(&mut self, network: Option<IpAddr>) {
        if let Some(full_at) = self.0.get_mut(&network) {
            *full_at -= EVERY;
        }
    }

    /// Forgets whose store is full again. Where that is not enough, all are forgotten: so many networks at once are not
    /// held back by counting each, and whoever is honest must not be turned away for them.
    fn make_room(&mut self, now: OffsetDateTime) {
        if self.0.len() < MOST {
            return;
        }
        self.0.retain(|_, full_at| *full_at > now);
        if self.0.len() > MOST / 2 {
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn throttle() -> Throttle {
        Throttle::new(Clock::settable(NOON))
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    /// How many attempts an address has before it is turned away.
    fn in_store(throttle: &Throttle, ip: Option<IpAddr>) -> usize {
        std::iter::from_fn(|| throttle.take(ip).ok()).count()
    }

    #[test]
    fn a_network_has_sixty_attempts_and_one_more_each_second() {
        let throttle = throttle();
        assert_eq!(in_store(&throttle, ip("192.0.2.1")), 60);
        assert_eq!(throttle.take(ip("192.0.2.1")).err(), Some(Refusal::TooManyUnknown { retry_after: 1 }));
        assert_eq!(in_store(&throttle, ip("192.0.2.2")), 60, "its neighbor is not held back");
        throttle.clock.advance(Duration::seconds(3));
        assert_eq!(in_store(&throttle, ip("192.0.2.1")), 3);
        throttle.clock.advance(Duration::days(1));
        assert_eq!(in_store(&throttle, ip("192.0.2.1")), 60, "the store has a bottom and a brim");
        assert_eq!(throttle.gauges.limited.load(Relaxed), 5);
    }

    #[test]
    fn what_is_given_back_is_there_again_and_what_is_dropped_is_not() {
        let throttle = throttle();
        for _ in 0..200 {
            throttle.take(ip("192.0.2.1")).expect("nothing is used up").give_back();
        }
        drop(throttle.take(ip("192.0.2.1")));
        assert_eq!(throttle.take(ip("192.0.2.1")).map(Attempt::failed), Ok(Refusal::UnknownToken));
        assert_eq!(in_store(&throttle, ip("192.0.2.1")), 58);
        assert_eq!(throttle.gauges.refused.load(Relaxed), 1);
    }

    #[test]
    fn addresses_of_one_network_share_its_store_however_they_are_written() {
        let throttle = throttle();
        assert_eq!(in_store(&throttle, ip("2001:db8:1:2::1")), 60);
        assert_eq!(in_store(&throttle, ip("2001:db8:1:2:ffff::")), 0);
        assert_eq!(in_store(&throttle, ip("2001:db8:1:3::1")), 60);
        assert_eq!(in_store(&throttle, ip("::ffff:192.0.2.1")), 60);
        assert_eq!(in_store(&throttle, ip("192.0.2.1")), 0);
        assert_eq!(in_store(&throttle, None), 60);
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_a_network_out_for_no_longer_than_an_empty_store() {
        let throttle = throttle();
        assert_eq!(in_store(&throttle, ip("192.0.2.1")), 60);
        throttle.clock.advance(-Duration::days(1));
        assert_eq!(in_store(&throttle, ip("192.0.2.1")), 0);
        throttle.clock.advance(Duration::seconds(60));
        assert!(in_store(&throttle, ip("192.0.2.1")) >= 1);
    }

    #[test]
    fn networks_without_end_take_no_memory_without_end_and_lock_nobody_out() {
        let mut networks = Networks::default();
        for n in 0..3 * MOST {
            let network = IpAddr::from(u32::try_from(n).expect("few").to_be_bytes());
            assert_eq!(networks.take(Some(network), NOON), Ok(()));
            assert!(networks.0.len() <= MOST);
        }
        assert_eq!(networks.take(ip("192.0.2.1"), NOON), Ok(()));
    }
}
