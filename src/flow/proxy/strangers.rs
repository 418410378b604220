//! Requests with a token that is none, or without any: on record in the chain of the organization at whose door they came,
//! so that it sees who tries.
//!
//! The first of an address is recorded at once, all others of the same minute together: whoever tries a million tokens
//! fills nobody's log. Whoever carries nothing is counted apart, for that costs nothing to try, and in fewer places.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    base::{
        actor::Origin,
        clock::Clock,
        ids::EventId,
        trace::{Finding, Fixer, Step, Trace},
    },
    domain::audit::{CallEntry, CallPart, Entry, Who},
    flow::{
        fault::ActionResult,
        proxy::{
            ask::{Ask, Endpoint},
            recorder::Recorder,
            refusal::Refusal,
            snapshots::{self, Door},
        },
    },
    io::db::Db,
};

/// How long requests are counted before they are recorded together.
const EVERY: Duration = Duration::from_secs(60);
/// How many doors and addresses are counted apart; what comes beyond is counted without its address.
const MOST: usize = 2_000;
/// The same for those who carry no token.
const MOST_BARE: usize = 200;

/// What somebody carried who is no agent of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// No token.
    Nothing,
    /// A token that is not known where it came.
    Unknown,
}

impl Carried {
    const fn refusal(self) -> Refusal {
        match self {
            Self::Nothing => Refusal::NoToken,
            Self::Unknown => Refusal::UnknownToken,
        }
    }

    /// What so many did.
    fn did(self, count: u64) -> String {
        match (self, count) {
            (Self::Nothing, 1) => "no token".to_owned(),
            (Self::Unknown, 1) => "a token that is not known here".to_owned(),
            (Self::Nothing, count) => format!("{count} requests within a minute, without a token"),
            (Self::Unknown, count) => {
                format!("{count} requests within a minute, with tokens that are not known here")
            }
        }
    }

    const fn with(self) -> &'static str {
        match self {
            Self::Nothing => "without a token",
            Self::Unknown => "with an unknown token",
        }
    }
}

/// Counts strangers.
#[derive(Debug)]
pub struct Strangers {
    db: Db,
    clock: Clock,
    recorder: Arc<Recorder>,
    tasks: TaskTracker,
    stop: CancellationToken,
    unknown: Mutex<Counts>,
    bare: Mutex<Counts>,
}

/// Where somebody came, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    door: Door,
    ip: Option<IpAddr>,
}

impl Place {
    /// What names neither an organization nor a server is nobody's door.
    fn of(ask: &Ask) -> Option<Self> {
        let door = match &ask.endpoint {
            Endpoint::All { org } | Endpoint::Server { org, .. } => Door::Org(org.parse().ok()?),
            Endpoint::ServerById { server } => Door::Server(server.parse().ok()?),
            Endpoint::Within { server, .. } => Door::Server(*server),
        };
        Some(Self { door, ip: ask.origin.ip })
    }
}

/// How many came to each place since its last record.
#[derive(Debug)]
struct Counts {
    places: HashMap<Place, u64>,
    most: usize,
}

impl Counts {
    fn of(most: usize) -> Mutex<Self> {
        Mutex::new(Self { places: HashMap::new(), most })
    }

    /// Counts one more; where this is the first, the place that is to be recorded and followed.
    fn add(&mut self, mut place: Place) -> Option<Place> {
        if self.places.len() >= self.most && !self.places.contains_key(&place) {
            place.ip = None;
        }
        if let Some(count) = self.places.get_mut(&place) {
            *count += 1;
            return None;
        }
        if self.places.len() >= 2 * self.most {
            return None;
        }
        self.places.insert(place.clone(), 0);
        Some(place)
    }

    /// Counts one more where a place is followed already.
    fn add_again(&mut self, place: &Place) {
        let any = Place { ip: None, ..place.clone() };
        let followed = if self.places.contains_key(place) { place } else { &any };
        if let Some(count) = self.places.get_mut(followed) {
            *count += 1;
        }
    }

    /// How many came since the last time; a place where nobody did is forgotten.
    fn take(&mut self, place: &Place) -> u64 {
        let count = self.places.get_mut(place).map(std::mem::take).unwrap_or_default();
        if count == 0 {
            self.places.remove(place);
        }
        count
    }
}

impl Strangers {
    /// Nobody came yet.
    pub fn new(
        db: Db,
        clock: Clock,
        recorder: Arc<Recorder>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let (unknown, bare) = (Counts::of(MOST), Counts::of(MOST_BARE));
        Arc::new(Self { db, clock, recorder, tasks, stop, unknown, bare })
    }

    /// Somebody came to an organization's door with a token that is none of its own, or without any.
    pub fn came(self: &Arc<Self>, ask: &Ask, carried: Carried) {
        let place = Place::of(ask).and_then(|place| self.counts(carried).add(place));
        let Some(place) = place else { return };
        let (strangers, origin) = (Arc::clone(self), Origin { ip: place.ip, ..ask.origin.clone() });
        self.tasks.spawn(async move { strangers.follow(&place, &origin, carried).await });
    }

    /// Somebody came who was turned away unheard: counted where they are on record already, and nothing is begun for it.
    pub fn came_again(&self, ask: &Ask) {
        if let Some(place) = Place::of(ask) {
            self.counts(Carried::Unknown).add_again(&place);
        }
    }

    fn counts(&self, carried: Carried) -> MutexGuard<'_, Counts> {
        let counts = match carried {
            Carried::Nothing => &self.bare,
            Carried::Unknown => &self.unknown,
        };
        counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the first, and what came since, as long as somebody comes.
    async fn follow(&self, place: &Place, origin: &Origin, carried: Carried) {
        let mut count = 1;
        while count > 0 {
            if let Err(error) = self.record(place, origin, carried, count).await {
                tracing::warn!(%error, "requests of strangers are not on record");
            }
            // Whoever shuts down waits for no minute: what was counted is recorded at once.
            let _ = tokio::time::timeout(EVERY, self.stop.cancelled()).await;
            count = self.counts(carried).take(place);
        }
    }

    async fn record(&self, place: &Place, origin: &Origin, carried: Carried, count: u64) -> ActionResult<()> {
        let Some(scope) = snapshots::org_at(&self.db, &place.door).await? else { return Ok(()) };
        let expected = "a token of a grant of this organization";
        let finding = Finding::new(carried.did(count), expected, Fixer::Agent);
        let part = CallPart {
            code: Some(carried.refusal().code().to_owned()),
            ..CallPart::new(Trace::decided(Step::Credential, finding))
        };
        let who = Who::nobody(origin.clone());
        let entry = Entry::call("call.refused", &who, part).target("server", "", carried.with());
        let call = CallEntry::new(EventId::fresh(), self.clock.now(), entry.refused());
        self.recorder.record_soon(scope, call);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(n: u32) -> Place {
        Place { door: Door::Org("acme".parse().unwrap()), ip: Some(IpAddr::from(n.to_be_bytes())) }
    }

    fn counts(most: usize) -> Counts {
        Counts::of(most).into_inner().unwrap()
    }

    #[test]
    fn the_first_of_a_place_is_followed_and_the_others_are_counted_until_nobody_comes() {
        let mut counts = counts(MOST);
        assert_eq!(counts.add(place(1)), Some(place(1)));
        assert_eq!((counts.add(place(1)), counts.add(place(1))), (None, None));
        assert_eq!(counts.add(place(2)), Some(place(2)));
        counts.add_again(&place(1));
        counts.add_again(&place(3));
        assert_eq!((counts.take(&place(1)), counts.take(&place(2))), (3, 0));
        assert_eq!(counts.take(&place(3)), 0, "nobody is followed who was turned away unheard");
        assert_eq!(counts.add(place(2)), Some(place(2)), "a forgotten place begins anew");
        assert_eq!(counts.add(place(1)), None, "a place that is followed does not");
        assert_eq!((counts.take(&place(1)), counts.take(&place(1))), (1, 0));
    }

    #[test]
    fn addresses_without_end_are_counted_together() {
        let mut counts = counts(MOST);
        let most = u32::try_from(MOST).unwrap();
        for n in 0..most {
            assert!(counts.add(place(n)).is_some());
        }
        let any = Place { ip: None, ..place(0) };
        assert_eq!(counts.add(place(most)), Some(any.clone()));
        assert_eq!((counts.add(place(most + 1)), counts.add(place(3))), (None, None));
        assert_eq!((counts.take(&any), counts.take(&place(3))), (1, 1));
    }
}
