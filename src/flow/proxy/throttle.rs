//! How many unknown tokens one network may try: whoever guesses is answered without a look into the database.
//!
//! Each network has a store of attempts that fills up again evenly. A token that has to be looked up takes one and gives
//! it back when it turns out to be a token of ours. Whoever finds the store empty while look-ups are under way waits for
//! them: behind one address there may be hundreds of agents, which all come to a new replica at once. Each replica counts
//! for itself: this protects the replica, no contract.
//!
//! Invariant: a token that is known from memory is never asked to take an attempt.
//! Invariant: no network has more look-ups under way than its store holds.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use time::{Duration, OffsetDateTime};
use tokio::sync::{Notify, futures::OwnedNotified};

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

/// One attempt that was taken from a network's store. Dropped without a word, as when the caller goes away meanwhile, it
/// stays taken.
#[derive(Debug)]
#[must_use = "say whether the token was one of ours"]
pub struct Attempt<'a> {
    throttle: &'a Throttle,
    network: Option<IpAddr>,
    is_ours: bool,
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

    /// Takes an attempt from the store of a caller's network; where it is empty, as soon as a look-up that is under way
    /// gives one back.
    ///
    /// # Errors
    /// When the store is empty and nothing is under way, with the time to wait.
    pub async fn take(&self, ip: Option<IpAddr>) -> Result<Attempt<'_>, Refusal> {
        let network = ip.map(network_of);
        loop {
            let taken = self.networks().take(network, self.clock.now());
            match taken {
                Ok(()) => return Ok(Attempt { throttle: self, network, is_ours: false }),
                Err(Empty { ended: Some(ended), .. }) => ended.await,
                Err(Empty { ended: None, wait }) => return Err(self.limited(wait)),
            }
        }
    }

    /// Answers a token that is none without a look: it costs an attempt, and nobody waits for one.
    pub fn turn_away(&self, ip: Option<IpAddr>) -> Refusal {
        let network = ip.map(network_of);
        let taken = self.networks().take(network, self.clock.now());
        match taken {
            Ok(()) => Attempt { throttle: self, network, is_ours: false }.failed(),
            Err(Empty { wait, .. }) => self.limited(wait),
        }
    }

    fn limited(&self, wait: Duration) -> Refusal {
        self.gauges.limited.fetch_add(1, Relaxed);
        // Rounded up, for whoever comes a moment too early is turned away again.
        let seconds = wait.whole_seconds() + i64::from(wait.subsec_nanoseconds() > 0);
        Refusal::TooManyUnknown { retry_after: u32::try_from(seconds).unwrap_or(1) }
    }

    fn networks(&self) -> std::sync::MutexGuard<'_, Networks> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The token was none of ours.
    pub fn failed(self) -> Refusal {
        self.throttle.gauges.refused.fetch_add(1, Relaxed);
        Refusal::UnknownToken
    }

    /// The token was one of ours, or it could not be found out: the attempt goes back.
    pub fn give_back(mut self) {
        self.is_ours = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.throttle.networks().end(self.network, self.is_ours);
    }
}

/// What a network is counted as: whoever has one address of IPv6 has its whole /64.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Why no attempt was taken.
struct Empty {
    /// In how long there is one again.
    wait: Duration,
    /// When a look-up ends that is under way; none where there is none.
    ended: Option<OwnedNotified>,
}

/// The attempts of one network.
#[derive(Debug)]
struct Store {
    /// When it will be full again.
    full_at: OffsetDateTime,
    under_way: u32,
    ended: Arc<Notify>,
}

/// Whoever waits for a store that is forgotten looks again.
impl Drop for Store {
    fn drop(&mut self) {
        self.ended.notify_waiters();
    }
}

/// The stores of networks that took attempts lately.
#[derive(Debug, Default)]
struct Networks(HashMap<Option<IpAddr>, Store>);

impl Networks {
    fn take(&mut self, network: Option<IpAddr>, now: OffsetDateTime) -> Result<(), Empty> {
        let whole = EVERY * BURST;
        if !self.0.contains_key(&network) {
            self.make_room(now);
        }
        let store = self.0.entry(network).or_insert_with(|| Store {
            full_at: now,
            under_way: 0,
            ended: Arc::default(),
        });
        // Within these bounds whichever way somebody sets the clock.
        store.full_at = store.full_at.clamp(now, now + whole);
        let then = store.full_at + EVERY;
        if then > now + whole {
            // Waited for from here on, while the lock is held: no end is missed.
            let ended = (store.under_way > 0).then(|| Arc::clone(&store.ended).notified_owned());
            return Err(Empty { wait: then - now - whole, ended });
        }
        store.full_at = then;
        store.under_way += 1;
        Ok(())
    }

    /// A look-up ended. One that gives its attempt back lets one go on who waits; the last one lets all look again.
    fn end(&mut self, network: Option<IpAddr>, is_ours: bool) {
        let Some(store) = self.0.get_mut(&network) else { return };
        store.under_way = store.under_way.saturating_sub(1);
        if is_ours {
            store.full_at -= EVERY;
            store.ended.notify_one();
        }
        if store.under_way == 0 {
            store.ended.notify_waiters();
        }
    }

    /// Forgets whose store is full again. Where that is not enough, all are forgotten: so many networks at once are not
    /// held back by counting each, and whoever is honest must not be turned away for them.
    fn make_room(&mut self, now: OffsetDateTime) {
        if self.0.len() < MOST {
            return;
        }
        self.0.retain(|_, store| store.full_at > now || store.under_way > 0);
        if self.0.len() > MOST / 2 {
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::pin::pin;
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
        (0..=BURST).take_while(|_| throttle.turn_away(ip) == Refusal::UnknownToken).count()
    }

    fn take(throttle: &Throttle, ip: Option<IpAddr>) -> Attempt<'_> {
        throttle.take(ip).now_or_never().expect("nobody waits").expect("an attempt")
    }

    #[test]
    fn a_network_has_sixty_attempts_and_one_more_each_second() {
        let throttle = throttle();
        assert_eq!(in_store(&throttle, ip("192.0.2.1")), 60);
        assert_eq!(throttle.turn_away(ip("192.0.2.1")), Refusal::TooManyUnknown { retry_after: 1 });
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
            take(&throttle, ip("192.0.2.1")).give_back();
        }
        drop(take(&throttle, ip("192.0.2.1")));
        assert_eq!(take(&throttle, ip("192.0.2.1")).failed(), Refusal::UnknownToken);
        assert_eq!(in_store(&throttle, ip("192.0.2.1")), 58);
        assert_eq!(throttle.gauges.refused.load(Relaxed), 59);
    }

    #[tokio::test]
    async fn whoever_finds_an_empty_store_waits_for_the_look_ups_that_are_under_way() {
        let (throttle, network) = (throttle(), ip("192.0.2.1"));
        let mut under_way: Vec<_> = (0..BURST).map(|_| take(&throttle, network)).collect();
        let (mut first, mut second) = (pin!(throttle.take(network)), pin!(throttle.take(network)));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        under_way.remove(0).give_back();
        first.await.expect("what was given back").give_back();
        let third = second.await.expect("what was given back again");
        let mut fourth = pin!(throttle.take(network));
        assert!(fourth.as_mut().now_or_never().is_none());
        under_way.into_iter().for_each(|attempt| drop(attempt.failed()));
        assert!(fourth.as_mut().now_or_never().is_none(), "one is under way");
        drop(third);
        assert_eq!(fourth.await.err(), Some(Refusal::TooManyUnknown { retry_after: 1 }));
    }

    #[tokio::test]
    async fn whoever_waits_for_a_network_that_is_forgotten_looks_again() {
        let (throttle, network) = (throttle(), ip("192.0.2.1"));
        let under_way: Vec<_> = (0..BURST).map(|_| take(&throttle, network)).collect();
        let mut waiting = pin!(throttle.take(network));
        assert!(waiting.as_mut().now_or_never().is_none());
        throttle.networks().0.clear();
        waiting.await.expect("a new store").give_back();
        drop(under_way);
        assert!(in_store(&throttle, network) >= 60 - 1);
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
            assert!(networks.take(Some(network), NOON).is_ok());
            assert!(networks.0.len() <= MOST);
        }
        assert!(networks.take(ip("192.0.2.1"), NOON).is_ok());
    }
}
