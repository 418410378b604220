//! The queue and its workers on a real database.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration as Wait,
};

use portreeve::{
    base::{
        clock::Clock,
        ids::{JobId, OrgId, ReplicaId},
        page::PageRequest,
    },
    domain::{
        audit::{self, Unrecorded},
        jobs::{ClaimedJob, JobFilter, JobRow, JobState, NewJob, Reclaimed, rules, store},
    },
    flow::jobs::{JobError, Registry, Runner, RunnerParts, SWEEP_JOBS, Waker, sweep_jobs},
    io::db::{Db, OrgScope, OrgTx, SystemTx, Tx},
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::kit::database::TestDatabase;

#[derive(Serialize, Deserialize)]
struct Greeting {
    name: String,
}

struct Trial {
    _database: TestDatabase,
    db: Db,
    clock: Clock,
    waker: Waker,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Trial {
    async fn new() -> Self {
        let database = TestDatabase::fresh().await;
        Self {
            db: database.db(),
            _database: database,
            clock: Clock::settable(datetime!(2026-11-21 14:05 UTC)),
            waker: Waker::default(),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    fn runner(&self, registry: Registry<()>) -> Runner<()> {
        let parts = RunnerParts {
            db: self.db.clone(),
            clock: self.clock.clone(),
            replica: ReplicaId::fresh(),
            workers: 2,
            waker: self.waker.clone(),
            tracker: self.tracker.clone(),
            stop: self.stop.clone(),
        };
        Runner::new(parts, registry, ())
    }

    /// Enqueues as the application does, which may insert and nothing else.
    async fn enqueue(&self, kind: &str, dedup_key: Option<&str>) -> Option<JobId> {
        let mut tx = OrgTx::begin(&self.db, OrgScope::proven(OrgId::fresh())).await.unwrap();
        let now = self.clock.now();
        let payload = Greeting { name: "Ada".to_owned() };
        let job = NewJob { kind, payload, dedup_key: dedup_key.map(str::to_owned), run_at: now };
        let id = store::enqueue(&mut tx, now, job).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::JobQueue).await.unwrap();
        id
    }

    async fn system(&self) -> SystemTx {
        SystemTx::begin(&self.db).await.unwrap()
    }

    async fn claim(&self, tx: &mut SystemTx, replica: ReplicaId, now: OffsetDateTime) -> Option<ClaimedJob> {
        store::claim(tx, now, replica, &["greet".to_owned()], 1).await.unwrap().pop()
    }

    async fn rows(&self) -> Vec<JobRow> {
        let mut tx = self.system().await;
        store::list(&mut tx, &JobFilter::default(), &PageRequest::first()).await.unwrap().items
    }

    async fn row(&self) -> JobRow {
        self.rows().await.pop().expect("a job")
    }
}

/// A handler that counts its runs and fails the first so many times.
fn failing(times: u32) -> (Registry<()>, Arc<AtomicU32>) {
    let runs = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&runs);
    let registry = Registry::default().on("greet", move |(), run| {
        let counter = Arc::clone(&counter);
        async move {
            let greeting: Greeting = run.payload()?;
            assert_eq!(greeting.name, "Ada");
            if counter.fetch_add(1, Ordering::SeqCst) < times {
                return Err(JobError::again("no answer"));
            }
            Ok(())
        }
    });
    (registry, runs)
}

#[tokio::test]
async fn a_job_runs_once_and_is_finished() {
    let trial = Trial::new().await;
    let (registry, runs) = failing(0);
    let runner = trial.runner(registry);
    let id = trial.enqueue("greet", None).await.unwrap();
    assert_eq!(runner.run_due().await.unwrap(), 1);
    assert_eq!(runner.run_due().await.unwrap(), 0);
    let row = trial.row().await;
    assert_eq!((row.id, row.state, row.attempts, row.locked_by), (id, JobState::Finished, 1, None));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(runner.gauges().finished.load(Ordering::SeqCst), 1);
    assert_eq!(runner.gauges().running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_failed_job_rests_before_it_runs_again() {
    let trial = Trial::new().await;
    let (registry, runs) = failing(1);
    let runner = trial.runner(registry);
    trial.enqueue("greet", None).await;
    runner.run_due().await.unwrap();
    let row = trial.row().await;
    assert_eq!((row.state, row.last_error.as_deref()), (JobState::Waiting, Some("no answer")));
    let pause = row.run_at - trial.clock.now();
    assert!(pause >= Duration::seconds(5) && pause <= Duration::seconds(7), "{pause}");
    assert_eq!(runner.run_due().await.unwrap(), 0, "it is not due yet");
    trial.clock.advance(Duration::seconds(7));
    assert_eq!(runner.run_due().await.unwrap(), 1);
    assert_eq!((trial.row().await.state, runs.load(Ordering::SeqCst)), (JobState::Finished, 2));
}

#[tokio::test]
async fn a_job_that_keeps_failing_is_kept_until_the_operator_retries_it() {
    let trial = Trial::new().await;
    let (registry, _) = failing(10);
    let runner = trial.runner(registry);
    let id = trial.enqueue("greet", Some("one")).await.unwrap();
    for _ in 0..20 {
        runner.run_due().await.unwrap();
        trial.clock.advance(Duration::hours(2));
    }
    let row = trial.row().await;
    assert_eq!((row.state, row.attempts), (JobState::Failed, rules::MAX_ATTEMPTS));

    let now = trial.clock.now();
    let waiting = trial.enqueue("greet", Some("one")).await.expect("a failed job does not block its key");
    let mut tx = trial.system().await;
    assert!(!store::retry(&mut tx, now, id).await.unwrap(), "another one waits under its key");
    tx.done().await.unwrap();
    runner.run_due().await.unwrap();
    let mut tx = trial.system().await;
    assert!(store::retry(&mut tx, now, id).await.unwrap());
    assert!(!store::retry(&mut tx, now, waiting).await.unwrap(), "a finished job is not retried");
    audit::commit_unrecorded(tx, Unrecorded::JobQueue).await.unwrap();
    assert_eq!(runner.run_due().await.unwrap(), 1);
    assert!(trial.rows().await.iter().all(|row| row.state == JobState::Finished));
}

#[tokio::test]
async fn a_job_that_gives_up_is_kept_at_once() {
    let trial = Trial::new().await;
    let runner = trial.runner(Registry::default().on("greet", |(), run| async move {
        let number: u32 = run.payload()?;
        panic!("the payload is no number, not even {number}")
    }));
    trial.enqueue("greet", None).await;
    runner.run_due().await.unwrap();
    let row = trial.row().await;
    assert_eq!((row.state, row.attempts), (JobState::Failed, 1));
    assert_eq!(row.last_error.as_deref(), Some("the payload has an unexpected shape"));
}

#[tokio::test]
async fn a_panic_fails_its_job_only_and_its_words_are_not_kept() {
    let trial = Trial::new().await;
    let (registry, runs) = failing(0);
    let runner = trial.runner(registry.on("burst", |(), run| async move {
        let greeting: Greeting = run.payload()?;
        panic!("{}", greeting.name)
    }));
    trial.enqueue("burst", None).await;
    trial.enqueue("greet", None).await;
    assert_eq!(runner.run_due().await.unwrap(), 2);
    let rows = trial.rows().await;
    let burst = rows.iter().find(|row| row.kind == "burst").unwrap();
    assert_eq!(burst.state, JobState::Waiting);
    assert!(!burst.last_error.as_ref().unwrap().contains("Ada"), "{burst:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(runner.gauges().panicked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn at_most_one_unfinished_job_carries_a_key() {
    let trial = Trial::new().await;
    let (registry, _) = failing(0);
    let runner = trial.runner(registry.on("other", |(), _| async { Ok(()) }));
    assert!(trial.enqueue("greet", Some("one")).await.is_some());
    assert!(trial.enqueue("greet", Some("one")).await.is_none());
    assert!(trial.enqueue("greet", Some("two")).await.is_some());
    assert!(trial.enqueue("other", Some("one")).await.is_some());
    assert!(trial.enqueue("greet", None).await.is_some());
    assert_eq!(runner.run_due().await.unwrap(), 4);
    assert!(trial.enqueue("greet", Some("one")).await.is_some(), "the key is free again");
}

#[tokio::test]
async fn two_replicas_never_hold_the_same_job() {
    let trial = Trial::new().await;
    trial.enqueue("greet", None).await;
    trial.enqueue("greet", None).await;
    let now = trial.clock.now();
    let (mut one, mut two) = (trial.system().await, trial.system().await);
    let first = trial.claim(&mut one, ReplicaId::fresh(), now).await.unwrap();
    let second = trial.claim(&mut two, ReplicaId::fresh(), now).await.unwrap();
    assert_ne!(first.id, second.id);
    assert!(trial.claim(&mut two, ReplicaId::fresh(), now).await.is_none());
}

#[tokio::test]
async fn a_killed_replicas_job_runs_again_and_its_late_word_does_not_count() {
    let trial = Trial::new().await;
    let id = trial.enqueue("greet", None).await.unwrap();
    let now = trial.clock.now();
    let mut tx = trial.system().await;
    let lost = trial.claim(&mut tx, ReplicaId::fresh(), now).await.unwrap();
    let half = now + rules::LEASE_TTL / 2;
    assert!(store::renew(&mut tx, half, &lost).await.unwrap());
    let end = now + rules::LEASE_TTL + Duration::SECOND;
    assert_eq!(store::reclaim(&mut tx, end).await.unwrap(), Reclaimed::default(), "it was renewed");
    let end = half + rules::LEASE_TTL + Duration::SECOND;
    assert_eq!(store::reclaim(&mut tx, end).await.unwrap(), Reclaimed { again: 1, given_up: 0 });
    let again = trial.claim(&mut tx, ReplicaId::fresh(), end).await.unwrap();
    assert_eq!((again.id, again.attempt), (id, 2));
    assert!(!store::renew(&mut tx, end, &lost).await.unwrap());
    assert!(!store::finish(&mut tx, end, &lost).await.unwrap());
    assert!(!store::fail(&mut tx, end, &lost, "late", None).await.unwrap());
    assert!(store::finish(&mut tx, end, &again).await.unwrap());
}

#[tokio::test]
async fn a_job_that_kills_every_replica_is_kept_for_the_operator() {
    let trial = Trial::new().await;
    trial.enqueue("greet", None).await;
    let mut now = trial.clock.now();
    let mut tx = trial.system().await;
    for attempt in 1..=rules::MAX_ATTEMPTS {
        let job = trial.claim(&mut tx, ReplicaId::fresh(), now).await.unwrap();
        assert_eq!(job.attempt, attempt);
        now += rules::LEASE_TTL + Duration::SECOND;
        let given_up = u64::from(attempt == rules::MAX_ATTEMPTS);
        let reclaimed = store::reclaim(&mut tx, now).await.unwrap();
        assert_eq!(reclaimed, Reclaimed { again: 1 - given_up, given_up });
    }
    assert!(trial.claim(&mut tx, ReplicaId::fresh(), now).await.is_none());
}

#[tokio::test]
async fn a_replica_leaves_kinds_that_it_does_not_know() {
    let trial = Trial::new().await;
    let (registry, _) = failing(0);
    trial.enqueue("from_a_newer_version", None).await;
    assert_eq!(trial.runner(registry).run_due().await.unwrap(), 0);
    assert_eq!(trial.row().await.state, JobState::Waiting);
}

#[tokio::test]
async fn a_job_that_comes_round_runs_once_per_turn_for_all_replicas() {
    let trial = Trial::new().await;
    let runs = Arc::new(AtomicU32::new(0));
    let runners: Vec<Runner<()>> = (0..3)
        .map(|_| {
            let runs = Arc::clone(&runs);
            trial.runner(Registry::default().every(Wait::from_secs(3600), "chore", move |(), _| {
                let runs = Arc::clone(&runs);
                async move {
                    runs.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                }
            }))
        })
        .collect();
    for turn in 1..=3 {
        for runner in &runners {
            runner.run_due().await.unwrap();
            runner.run_due().await.unwrap();
        }
        assert_eq!(runs.load(Ordering::SeqCst), turn);
        trial.clock.advance(Duration::HOUR);
    }
}

#[tokio::test]
async fn finished_jobs_are_swept_after_a_week_and_failed_ones_are_not() {
    let trial = Trial::new().await;
    let (db, clock) = (trial.db.clone(), trial.clock.clone());
    let (registry, _) = failing(0);
    let registry = registry.on("hopeless", |(), _| async { Err(JobError::give_up("hopeless")) }).on(
        SWEEP_JOBS,
        move |(), _| {
            let (db, clock) = (db.clone(), clock.clone());
            async move { sweep_jobs(&db, &clock).await }
        },
    );
    let runner = trial.runner(registry);
    trial.enqueue("greet", None).await;
    trial.enqueue("hopeless", None).await;
    runner.run_due().await.unwrap();
    trial.clock.advance(rules::FINISHED_TTL + Duration::SECOND);
    trial.enqueue("greet", None).await;
    trial.enqueue(SWEEP_JOBS, None).await;
    runner.run_due().await.unwrap();
    let mut tx = trial.system().await;
    let counts = store::count(&mut tx).await.unwrap();
    let counts: Vec<_> = counts.iter().map(|c| (c.kind.as_str(), c.state, c.count)).collect();
    let expected = [
        ("greet", JobState::Finished, 1),
        ("hopeless", JobState::Failed, 1),
        (SWEEP_JOBS, JobState::Finished, 1),
    ];
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn the_list_filters_and_pages_newest_first() {
    let trial = Trial::new().await;
    let mut ids = Vec::new();
    for kind in ["greet", "other", "greet"] {
        ids.push(trial.enqueue(kind, None).await.unwrap());
    }
    let mut tx = trial.system().await;
    trial.claim(&mut tx, ReplicaId::fresh(), trial.clock.now()).await.unwrap();
    let state = |state| JobFilter { state: Some(state), kind: None };
    let mut listed = async |filter: &JobFilter, page: &PageRequest<JobId>| {
        let page = store::list(&mut tx, filter, page).await.unwrap();
        (page.items.iter().map(|row| row.id).collect::<Vec<_>>(), page.next)
    };
    let (first, next) = listed(&JobFilter::default(), &PageRequest { limit: 2, after: None }).await;
    assert_eq!(first, [ids[2], ids[1]]);
    let next = PageRequest::parse(Some(2), next.as_deref()).unwrap();
    assert_eq!(listed(&JobFilter::default(), &next).await, (vec![ids[0]], None));
    assert_eq!(listed(&state(JobState::Running), &PageRequest::first()).await.0.len(), 1);
    assert_eq!(listed(&state(JobState::Waiting), &PageRequest::first()).await.0.len(), 2);
    assert_eq!(listed(&state(JobState::Failed), &PageRequest::first()).await.0, []);
    let greet = JobFilter { state: None, kind: Some("greet".to_owned()) };
    assert_eq!(listed(&greet, &PageRequest::first()).await.0, [ids[2], ids[0]]);
}

#[tokio::test]
async fn workers_run_jobs_side_by_side_wake_at_once_and_drain_before_they_end() {
    let trial = Trial::new().await;
    let (reached, mut reaches) = tokio::sync::mpsc::unbounded_channel();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let done = Arc::new(Mutex::new(Vec::new()));
    let (door, finished) = (Arc::clone(&gate), Arc::clone(&done));
    let runner = trial.runner(Registry::default().on("greet", move |(), run| {
        let (reached, door, finished) = (reached.clone(), Arc::clone(&door), Arc::clone(&finished));
        async move {
            reached.send(run.id).unwrap();
            door.acquire().await.unwrap().forget();
            finished.lock().unwrap().push(run.id);
            Ok(())
        }
    }));
    runner.start();
    for _ in 0..3 {
        trial.enqueue("greet", None).await;
        trial.waker.wake();
    }
    let (first, second) = (reaches.recv().await.unwrap(), reaches.recv().await.unwrap());
    assert_ne!(first, second, "two run side by side");
    assert!(reaches.try_recv().is_err(), "and the third waits for a free worker");
    assert_eq!(runner.gauges().running.load(Ordering::SeqCst), 2);

    trial.stop.cancel();
    trial.tracker.close();
    gate.add_permits(2);
    trial.tracker.wait().await;
    assert_eq!(done.lock().unwrap().len(), 2, "what was begun is done");
    let mut states: Vec<_> = trial.rows().await.iter().map(|row| row.state).collect();
    states.sort();
    assert_eq!(states, [JobState::Waiting, JobState::Finished, JobState::Finished]);
}
