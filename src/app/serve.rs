//! `portreeve serve`: from settings to an open door, and back to a clean stop.

use std::{
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, middleware, routing::get};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Mutex, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::catch_panic::CatchPanicLayer;
use url::Url;

use crate::{
    app::{
        announce,
        doors::Opened,
        faults::{Fault, FaultKind},
        health::{self, Check, Readiness},
        keyring,
        metrics::Metrics,
        observe::{self, Spans},
        postgres::{self, Postgres},
        replica,
        server::{self, Behind, Watched},
        telemetry::Telemetry,
    },
    base::{
        clock::Clock,
        config::{Config, MasterKey},
        ids::ReplicaId,
    },
    io::db::{
        Db, PoolSettings,
        builtin::{DataDir, PostgresState},
        migrate::{self, SchemaError},
    },
};

/// How long running requests may take to end once we were told to stop.
const DRAIN: Duration = Duration::from_secs(25);

/// Every long-lived thing of one replica.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The address people use.
    pub base_url: Url,
    /// Where the main listener is.
    pub bound: SocketAddr,
    /// Which replica this is.
    pub replica: ReplicaId,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// The keys that seal data keys; the first seals.
    pub master_keys: Vec<MasterKey>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// All background work; it is waited for when we stop.
    pub tasks: TaskTracker,
    /// Cancelled when we are told to stop.
    pub stopping: CancellationToken,
}

/// Serves until told to stop, or until the built-in Postgres cannot be kept running.
///
/// # Errors
/// Whatever keeps us from serving.
pub fn serve<F>(config: Config, open: impl FnOnce(Arc<App>) -> F) -> Result<(), Fault>
where
    F: Future<Output = Result<Opened, Fault>>,
{
    let replica = ReplicaId::fresh();
    let runtime = postgres::runtime()?;
    let telemetry = Telemetry::start(&config.telemetry, replica, runtime.handle())?;
    let outcome = hold_postgres(config, replica, &runtime, open);
    telemetry.finish();
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}

/// The order gives the clearest fault first: who holds the folder, then the ports, then keys, then Postgres.
fn hold_postgres<F>(
    config: Config,
    replica: ReplicaId,
    runtime: &tokio::runtime::Runtime,
    open: impl FnOnce(Arc<App>) -> F,
) -> Result<(), Fault>
where
    F: Future<Output = Result<Opened, Fault>>,
{
    let data_dir = if config.is_production() { None } else { Some(DataDir::open(&config.data_dir)?) };
    let listeners = Listeners::bind(&config)?;
    let master_keys = keyring::keys(&config, data_dir.as_ref())?;
    let postgres = match (data_dir, &config.database.url) {
        (Some(dir), _) => Postgres::start(&config, dir)?,
        (None, Some(url)) => Postgres::of_operator(&config, url)?,
        (None, None) => {
            return Err(Fault::new(FaultKind::Settings, "no database is named", "Set DATABASE_URL."));
        }
    };
    let outcome = runtime.block_on(async {
        let start = Start { config, replica, master_keys, listeners };
        start.run(&postgres, open).await
    });
    postgres.stop();
    outcome
}

struct Listeners {
    main: TcpListener,
    bound: SocketAddr,
    metrics: Option<TcpListener>,
}

impl Listeners {
    fn bind(config: &Config) -> Result<Self, Fault> {
        let address = config.web.listen;
        let main =
            TcpListener::bind(address).map_err(|error| Fault::cannot_listen(address, "--listen", &error))?;
        let bound = main.local_addr().map_err(|error| Fault::cannot_listen(address, "--listen", &error))?;
        let metrics = match config.web.metrics_listen.map(|address| (address, TcpListener::bind(address))) {
            None => None,
            Some((_, Ok(listener))) => Some(listener),
            Some((address, Err(error))) if config.web.is_metrics_listen_given => {
                return Err(Fault::cannot_listen(address, "--metrics-listen", &error));
            }
            Some((address, Err(error))) => {
                tracing::warn!(%address, %error, "there is no room for /metrics; name another with --metrics-listen");
                None
            }
        };
        Ok(Self { main, bound, metrics })
    }
}

struct Start {
    config: Config,
    replica: ReplicaId,
    master_keys: Vec<MasterKey>,
    listeners: Listeners,
}

impl Start {
    async fn run<F>(self, postgres: &Postgres, open: impl FnOnce(Arc<App>) -> F) -> Result<(), Fault>
    where
        F: Future<Output = Result<Opened, Fault>>,
    {
        let mut signals = Signals::listen()?;
        let app = Arc::new(self.app(postgres));
        let opened = {
            let opening = pin!(open_doors(&app, postgres, open));
            tokio::select! {
                opened = opening => opened?,
                () = signals.next() => {
                    app.db.close().await;
                    return Ok(());
                }
            }
        };
        let connections = TaskTracker::new();
        let first_run = opened.first_run.clone();
        let (main, metrics) = routers(&app, postgres, opened);
        if let Some(listener) = self.listeners.metrics {
            app.tasks.spawn(server::serve(listener, metrics, connections.clone(), app.stopping.clone()));
        }
        app.tasks.spawn(server::serve(self.listeners.main, main, connections.clone(), app.stopping.clone()));
        app.tasks.spawn(replica::keep_alive(Arc::clone(&app)));
        announce::ready(&app.base_url, first_run.as_ref());
        let outcome = tokio::select! {
            () = signals.next() => Ok(()),
            fault = lost_postgres(postgres) => Err(fault),
        };
        stop(&app, &connections, &mut signals).await;
        outcome
    }

    fn app(&self, postgres: &Postgres) -> App {
        let pool = PoolSettings { max: self.config.database.max_connections, ..PoolSettings::default() };
        App {
            base_url: self.config.web.url_when_bound(self.listeners.bound),
            config: self.config.clone(),
            bound: self.listeners.bound,
            replica: self.replica,
            clock: Clock::system(),
            db: Db::lazy(postgres.app.clone(), pool),
            master_keys: self.master_keys.clone(),
            metrics: Arc::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }
    }
}

async fn open_doors<F>(
    app: &Arc<App>,
    postgres: &Postgres,
    open: impl FnOnce(Arc<App>) -> F,
) -> Result<Opened, Fault>
where
    F: Future<Output = Result<Opened, Fault>>,
{
    postgres.prepare(app.config.database.auto_migrate || !app.config.is_production()).await?;
    let role = app.db.check_role().await.map_err(|error| Fault::of_db(&postgres.label, &error))?;
    role.map_err(|role| Fault::of_role(&role))?;
    if app.config.is_production() && app.base_url.scheme() == "http" {
        tracing::warn!("base_url is not https: sign-in and tokens can be read on the way");
    }
    open(Arc::clone(app)).await
}

fn routers(app: &Arc<App>, postgres: &Postgres, doors: Opened) -> (Behind, Behind) {
    let mut checks = vec![("database", database_check(app)), ("migrations", migrations_check(postgres))];
    checks.extend(doors.checks);
    let readiness = Readiness::new(checks, app.stopping.clone());
    let main = doors
        .router
        .merge(health::router(readiness))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn_with_state(Arc::clone(&app.metrics), observe::observe));
    let shown = Arc::clone(app);
    let metrics = Router::new().route(
        "/metrics",
        get(async move || {
            (
                [(http::header::CONTENT_TYPE, "text/plain; version=0.0.4")],
                shown.metrics.render(shown.db.gauge()),
            )
        }),
    );
    let is_asked_for =
        app.config.telemetry.otlp_endpoint.is_some() || tracing::enabled!(tracing::Level::DEBUG);
    let spans = if is_asked_for { Spans::Whole } else { Spans::Brief };
    let agents = doors.agents.map(|agents| Watched { agents, metrics: Arc::clone(&app.metrics), spans });
    (Behind { router: main, agents }, Behind { router: metrics, agents: None })
}

fn database_check(app: &Arc<App>) -> Check {
    let db = app.db.clone();
    Arc::new(move || {
        let db = db.clone();
        Box::pin(async move { db.ping().await.map_err(|_| "cannot be reached") })
    })
}

/// A newer schema is fine while we run: migrations leave room for the version before (expand, then contract).
/// What was once right is not asked again for a while: it takes a connection of its own.
fn migrations_check(postgres: &Postgres) -> Check {
    const RIGHT_FOR: Duration = Duration::from_secs(60);
    let options = postgres.app.clone();
    let last_right: Arc<Mutex<Option<std::time::Instant>>> = Arc::default();
    Arc::new(move || {
        let (options, last_right) = (options.clone(), Arc::clone(&last_right));
        Box::pin(async move {
            let mut last_right = last_right.lock().await;
            if last_right.is_some_and(|at| at.elapsed() < RIGHT_FOR) {
                return Ok(());
            }
            match migrate::check(&options).await {
                Ok(()) | Err(SchemaError::Newer(_)) => *last_right = Some(std::time::Instant::now()),
                Err(SchemaError::Away(_)) => return Err("cannot be read"),
                Err(_) => return Err("missing"),
            }
            Ok(())
        })
    })
}

/// Resolves when the built-in Postgres cannot be kept running; never for the operator's own.
async fn lost_postgres(postgres: &Postgres) -> Fault {
    let Some(built_in) = &postgres.built_in else {
        return std::future::pending().await;
    };
    let mut state: watch::Receiver<PostgresState> = built_in.state();
    let is_lost = |state: &PostgresState| matches!(state, PostgresState::Failed { .. });
    match state.wait_for(is_lost).await.as_deref() {
        Ok(PostgresState::Failed { why, disk_full: true }) => Fault::disk_full(why.clone()),
        Ok(PostgresState::Failed { why, .. }) => {
            let log = built_in.data_dir().log();
            Fault::new(FaultKind::Database, why.clone(), format!("The end of {} says more.", log.display()))
        }
        _ => Fault::new(FaultKind::Database, "the built-in database's keeper is gone", "Start again."),
    }
}

/// Lets running requests and tasks end, at most for a while; a second signal ends the wait.
async fn stop(app: &App, connections: &TaskTracker, signals: &mut Signals) {
    tracing::info!("stopping: running requests may end");
    app.stopping.cancel();
    app.tasks.close();
    connections.close();
    let drained = async {
        connections.wait().await;
        app.tasks.wait().await;
    };
    tokio::select! {
        outcome = timeout(DRAIN, drained) => {
            if outcome.is_err() {
                tracing::warn!(seconds = DRAIN.as_secs(), "some requests did not end in time and are cut off");
            }
        }
        () = signals.next() => tracing::warn!("told twice: running requests are cut off"),
    }
    // A connection that a cut-off request still holds must not hold us.
    let _ = timeout(Duration::from_secs(2), app.db.close()).await;
    tracing::info!("stopped");
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Fault> {
        let on = |kind| {
            signal(kind).map_err(|error| {
                let sentence = format!("the system gives no signals: {}", crate::app::faults::reason(&error));
                Fault::new(FaultKind::Other, sentence, "Raise this user's limits.")
            })
        };
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
