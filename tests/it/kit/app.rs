//! The app in process: a database of its own, a clock that the test moves, a loopback address.

use std::{future::IntoFuture, net::SocketAddr, sync::Arc};

use portreeve::{
    base::{clock::Clock, config::EgressRule},
    domain::{
        identity::{
            attempts::Limits,
            password::{Cost, Hasher},
            relying::Relying,
        },
        vault::{MasterRing, Vault},
    },
    flow::{
        cx::{Ports, Site},
        jobs::{Runner, RunnerParts, Waker, table},
        letters::Post,
        proxy::gateway::{Gateway, GatewayParts},
        tokens::{Tokens, TokensParts},
    },
    io::{
        db::Db,
        mail::{Mailer, Postbox},
        net::{
            address::AddressPolicy,
            client::{Egress, EgressSettings},
        },
    },
    web::{self, Doors},
};
use time::macros::datetime;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::kit::{
    database::TestDatabase,
    http::{Script, Visitor},
};

/// Not a secret: it seals what tests make up.
pub(crate) const MASTER_KEYS: &str = "t1:q0pLx3Vd9m2sYb7TfKcWz5RhJ8nGuE1aQ4oI6tXvSgM=";

/// A vault over the tests' own ring.
pub(crate) fn vault(clock: &Clock) -> Vault {
    Vault::new(MasterRing::parse(MASTER_KEYS).unwrap(), clock.clone())
}

/// What a test of the doors stands on: the real router over a real database, served on a loopback address.
pub(crate) struct TestApp {
    /// Dropped with the app.
    pub(crate) database: Arc<TestDatabase>,
    /// What actions work with.
    pub(crate) ports: Arc<Ports>,
    /// Stands still until the test moves it.
    pub(crate) clock: Clock,
    /// What was sent by mail.
    pub(crate) postbox: Postbox,
    runner: Runner<Arc<Ports>>,
    origin: String,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl TestApp {
    /// An empty installation with generous limits.
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// An empty installation whose ports `change` may alter before anything is served.
    pub(crate) async fn with(change: impl FnOnce(&mut Ports)) -> Self {
        Self::over(TestDatabase::fresh().await, change).await
    }

    /// The app over a database that may have rows already.
    pub(crate) async fn over(database: TestDatabase, change: impl FnOnce(&mut Ports)) -> Self {
        Self::of(Arc::new(database), Clock::settable(datetime!(2026-11-21 12:00 UTC)), change).await
    }

    /// Another replica over the same database, with a memory of its own.
    pub(crate) async fn beside(other: &Self) -> Self {
        Self::of(Arc::clone(&other.database), other.clock.clone(), |_| ()).await
    }

    async fn of(database: Arc<TestDatabase>, clock: Clock, change: impl FnOnce(&mut Ports)) -> Self {
        let db = database.db();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // A browser takes `localhost`, and no address, for the name of a passkey's keeper.
        let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let (mailer, postbox) = Mailer::memory();
        let mut ports = ports(&db, &clock, mailer, &origin);
        change(&mut ports);
        let ports = Arc::new(ports);
        let parts = RunnerParts {
            db,
            clock: clock.clone(),
            replica: portreeve::base::ids::ReplicaId::fresh(),
            workers: 1,
            waker: ports.waker.clone(),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let runner = Runner::new(parts, table::registry(), Arc::clone(&ports));
        let stop = CancellationToken::new();
        let gateway = Gateway::new(GatewayParts {
            db: ports.db.clone(),
            clock: ports.clock.clone(),
            vault: ports.vault.clone(),
            post: ports.post.clone(),
            egress: ports.egress.clone(),
            tokens: ports.tokens.clone(),
            base_url: origin.clone(),
            replica: portreeve::base::ids::ReplicaId::fresh(),
            tasks: TaskTracker::new(),
            stop: stop.clone(),
            waker: ports.waker.clone(),
        });
        let doors = Doors::new(Arc::clone(&ports), Arc::new(gateway), Vec::new());
        let router = web::router(Arc::new(doors));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move {
            axum::serve(listener, service).into_future().await.ok();
        });
        Self { database, ports, clock, postbox, runner, origin, task, stop }
    }

    /// The application's pool.
    pub(crate) fn db(&self) -> &Db {
        &self.ports.db
    }

    /// Tells the app's background work that the process is to end; what it serves goes on.
    pub(crate) fn wind_down(&self) {
        self.stop.cancel();
    }

    /// Where the app is reached, without a slash at the end.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Ends the app and gives its database, to which nobody is connected any more.
    pub(crate) async fn stop(self) -> Arc<TestDatabase> {
        self.task.abort();
        self.ports.db.close().await;
        Arc::clone(&self.database)
    }

    /// Runs the jobs that are due, here and now.
    pub(crate) async fn run_jobs(&self) {
        self.runner.run_due().await.unwrap();
    }

    /// Somebody at the console who has not signed in.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::new(self.origin())
    }

    /// A script with a key, or without one.
    pub(crate) fn script(&self, bearer: Option<&str>) -> Script {
        Script::new(self.origin(), bearer)
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn ports(db: &Db, clock: &Clock, mailer: Mailer, origin: &str) -> Ports {
    let vault = vault(clock);
    let site = origin.to_owned();
    let post = Post { db: db.clone(), clock: clock.clone(), mailer, vault: vault.clone(), site };
    let egress = egress();
    let tokens = Tokens::new(TokensParts {
        db: db.clone(),
        clock: clock.clone(),
        vault: vault.clone(),
        egress: egress.clone(),
        post: post.clone(),
        base_url: origin.to_owned(),
        tasks: TaskTracker::new(),
    });
    Ports {
        db: db.clone(),
        clock: clock.clone(),
        data_dir: None,
        hasher: Hasher::new(Cost { memory: 64, passes: 1, lanes: 1 }, 2),
        relying: Relying::new(&origin.parse().unwrap()).ok(),
        limits: Limits::generous(),
        waker: Waker::default(),
        site: Site { base_url: origin.to_owned(), sends_mail: true, production: false, anchor_file: None },
        post,
        vault,
        egress,
        tokens,
    }
}

/// The upstreams of tests listen on loopback.
fn egress() -> Egress {
    let allow = ["127.0.0.0/8", "::1/128"]
        .map(|network| EgressRule { network: network.parse().unwrap(), port: None });
    Egress::new(EgressSettings::new(AddressPolicy::new(&allow, &[])))
}
