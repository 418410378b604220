//! The thread that keeps Postgres running: it starts it, starts it again when it dies, and stops it.
//!
//! One thread does all of it, because the kernel ties the child's life to the thread that forked it.

use std::{
    process::Child,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::sync::watch;

use crate::io::db::builtin::{Access, BuiltInError, Progress, cluster::Cluster};

const LOOK: Duration = Duration::from_millis(100);
/// Postgres that dies this often within [`SHORT_WHILE`] is not started again.
const MOST_STARTS: u32 = 5;
const SHORT_WHILE: Duration = Duration::from_secs(60);

/// How the private Postgres is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresState {
    /// It takes connections.
    Running,
    /// It died and is being started again.
    Restarting,
    /// It was stopped on purpose.
    Stopped,
    /// It died and cannot be started again.
    Failed {
        /// Why, in one sentence.
        why: String,
        /// Whether a full disk is the reason.
        disk_full: bool,
    },
}

/// Holds the thread; dropping it stops Postgres.
#[derive(Debug)]
pub(super) struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    state: watch::Receiver<PostgresState>,
}

impl Keeper {
    /// Starts the thread and waits until Postgres is ready and its roles are there.
    pub(super) fn start(cluster: Cluster, access: Access, progress: Progress) -> Result<Self, BuiltInError> {
        let (stop, orders) = mpsc::channel();
        let (ready, first) = mpsc::sync_channel(1);
        let (report, state) = watch::channel(PostgresState::Restarting);
        let log = cluster.log().to_owned();
        let thread = thread::Builder::new()
            .name("postgres".into())
            .spawn(move || {
                let watchman = Watchman { cluster, access, progress, orders, report };
                watchman.run(&ready);
            })
            .map_err(BuiltInError::at(&log))?;
        let mut keeper = Self { stop: Some(stop), thread: Some(thread), state };
        match first.recv() {
            Ok(Ok(())) => Ok(keeper),
            Ok(Err(error)) => {
                keeper.stop();
                Err(error)
            }
            Err(_) => Err(BuiltInError::Start { said: "its keeper ended".to_owned(), log }),
        }
    }

    pub(super) fn state(&self) -> watch::Receiver<PostgresState> {
        self.state.clone()
    }

    pub(super) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Watchman {
    cluster: Cluster,
    access: Access,
    progress: Progress,
    orders: Receiver<()>,
    report: watch::Sender<PostgresState>,
}

impl Watchman {
    fn run(self, ready: &SyncSender<Result<(), BuiltInError>>) {
        let child = match self.first_start() {
            Ok(child) => child,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        self.report.send_replace(PostgresState::Running);
        let _ = ready.send(Ok(()));
        self.keep(child);
    }

    fn first_start(&self) -> Result<Child, BuiltInError> {
        self.cluster.create(self.access.keeper_password(), &self.progress)?;
        let mut child = self.cluster.launch(&self.progress)?;
        if let Err(error) = self.set_up_roles() {
            end(&mut child);
            return Err(error);
        }
        Ok(child)
    }

    fn set_up_roles(&self) -> Result<(), BuiltInError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(BuiltInError::at(self.cluster.socket_dir()))?;
        runtime.block_on(self.access.set_up()).map_err(|error| match &error {
            sqlx::Error::Database(db) if db.code().as_deref() == Some("53100") => {
                BuiltInError::DiskFull(self.cluster.socket_dir().to_owned())
            }
            _ => BuiltInError::Roles(error),
        })
    }

    fn keep(&self, mut child: Child) {
        let mut log_from = self.cluster.log_length();
        let mut deaths: Vec<Instant> = Vec::new();
        loop {
            match self.orders.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                    end(&mut child);
                    self.cluster.tidy();
                    self.report.send_replace(PostgresState::Stopped);
                    return;
                }
            }
            let Ok(Some(status)) = child.try_wait() else {
                continue;
            };
            self.report.send_replace(PostgresState::Restarting);
            tracing::warn!(%status, "Postgres ended by itself; starting it again");
            let mut last = self.cluster.why_it_ended(log_from);
            child = loop {
                deaths.retain(|death| death.elapsed() < SHORT_WHILE);
                deaths.push(Instant::now());
                if deaths.len() as u32 > MOST_STARTS {
                    return self.give_up(&last);
                }
                log_from = self.cluster.log_length();
                match self.cluster.launch(&self.progress) {
                    Ok(child) => break child,
                    Err(error) => {
                        tracing::warn!(%error, "Postgres does not start");
                        last = error;
                    }
                }
                // Back off, but hear an order to stop at once.
                let pause = Duration::from_millis(200 << deaths.len().min(5));
                if !matches!(self.orders.recv_timeout(pause), Err(RecvTimeoutError::Timeout)) {
                    self.report.send_replace(PostgresState::Stopped);
                    return;
                }
            };
            tracing::info!("Postgres is running again");
            self.report.send_replace(PostgresState::Running);
        }
    }

    fn give_up(&self, last: &BuiltInError) {
        let disk_full = matches!(last, BuiltInError::DiskFull(_));
        let why = if disk_full {
            last.to_string()
        } else {
            let log = self.cluster.log().to_owned();
            BuiltInError::KeepsStopping { times: MOST_STARTS + 1, last: last.to_string(), log }.to_string()
        };
        self.report.send_replace(PostgresState::Failed { why, disk_full });
    }
}

/// A fast shutdown, then ever harder ones. SIGTERM would wait for clients, our own pool among them.
fn end(child: &mut Child) {
    for (signal, patience) in [(Signal::SIGINT, 60), (Signal::SIGQUIT, 10), (Signal::SIGKILL, 10)] {
        let Ok(pid) = i32::try_from(child.id()) else {
            return;
        };
        let _ = kill(Pid::from_raw(pid), signal);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(patience) {
            match child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(10)),
                _ => return,
            }
        }
    }
}
