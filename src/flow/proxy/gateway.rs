//! What the proxy works with; built once by the app.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    base::{
        clock::Clock,
        ids::{ReplicaId, RequestId},
    },
    domain::vault::Vault,
    flow::{
        jobs::Waker,
        letters::Post,
        proxy::{
            bridge::Bridge,
            handles::Handles,
            hold,
            recorder::Recorder,
            seen::Seen,
            snapshots::Snapshots,
            strangers::Strangers,
            tether::{TetherParts, Tethers},
            throttle::Throttle,
            used::Used,
            watch::Watch,
        },
        tokens::Tokens,
    },
    io::{db::Db, net::client::Egress},
};

/// What the proxy works with.
#[derive(Debug)]
pub struct Gateway {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Sealed values.
    pub vault: Vault,
    /// Letters to those who have to agree to a call.
    pub post: Post,
    /// The way out.
    pub egress: Egress,
    /// Tokens of connected accounts.
    pub tokens: Tokens,
    /// The address agents use, without a slash at the end.
    pub base_url: String,
    /// What each organization's calls are judged by.
    pub snapshots: Arc<Snapshots>,
    /// Ends streams with the authority they were opened by.
    pub tethers: Arc<Tethers>,
    /// Puts calls on record.
    pub recorder: Arc<Recorder>,
    /// Counts who comes with a token that is none, or without any.
    pub strangers: Arc<Strangers>,
    /// Holds back who tries many such tokens.
    pub throttle: Throttle,
    /// Notes the use of tokens.
    pub seen: Arc<Seen>,
    /// Notes the use of secrets.
    pub used: Arc<Used>,
    /// Follows what servers say of their catalogues.
    pub watch: Arc<Watch>,
    /// Carries calls between the eras.
    pub bridge: Bridge,
    /// Seals what stands for an upstream's sessions and states.
    pub handles: Handles,
    /// Room for calls that wait for a human while their agent listens.
    pub held: Arc<Semaphore>,
    /// Where background work belongs.
    pub tasks: TaskTracker,
    /// Ends when the process is to end.
    pub stop: CancellationToken,
}

/// What a gateway is built from.
#[derive(Debug)]
pub struct GatewayParts {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Sealed values.
    pub vault: Vault,
    /// Letters to those who have to agree to a call.
    pub post: Post,
    /// The way out.
    pub egress: Egress,
    /// Tokens of connected accounts.
    pub tokens: Tokens,
    /// The address agents use, without a slash at the end.
    pub base_url: String,
    /// This process.
    pub replica: ReplicaId,
    /// Where background work belongs.
    pub tasks: TaskTracker,
    /// Ends when the process is to end.
    pub stop: CancellationToken,
    /// Tells this replica's workers that there is work.
    pub waker: Waker,
}

impl Gateway {
    /// A gateway that has judged nothing yet.
    pub fn new(parts: GatewayParts) -> Self {
        let GatewayParts { db, clock, vault, post, egress, tokens, base_url, replica, tasks, stop, waker } =
            parts;
        let snapshots = Arc::new(Snapshots::new(db.clone(), clock.clone()));
        let recorder = Recorder::new(db.clone(), replica, tasks.clone());
        let tethers = TetherParts {
            snapshots: Arc::clone(&snapshots),
            egress: egress.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
        };
        let strangers =
            Strangers::new(db.clone(), clock.clone(), Arc::clone(&recorder), tasks.clone(), stop.clone());
        Self {
            tethers: Tethers::new(tethers),
            snapshots,
            seen: Seen::new(db.clone(), tasks.clone()),
            used: Used::new(db.clone(), tasks.clone()),
            watch: Watch::new(db.clone(), clock.clone(), waker, tasks.clone()),
            bridge: Bridge::new(tasks.clone()),
            held: Arc::new(Semaphore::new(hold::MOST)),
            tasks,
            stop,
            strangers,
            throttle: Throttle::new(clock.clone()),
            recorder,
            handles: Handles::new(vault.clone()),
            db,
            clock,
            vault,
            post,
            egress,
            tokens,
            base_url,
        }
    }

    /// The address at which a person reads why a call ended as it did.
    pub fn explanation(&self, request: RequestId) -> String {
        format!("{}/c/{request}", self.base_url)
    }
}
