//! Built-in Postgres: a private cluster under the data directory, run as our own child.
//!
//! Owns the data directory (lock, format, private files), the choice of binaries, the cluster and its three
//! roles, and the thread that keeps Postgres running. Lacks on purpose: any schema; that is `migrate`'s.
//!
//! Invariant: one process at a time holds a data directory.
//! Invariant: Postgres never outlives us: the kernel sends it a fast shutdown when its keeper thread ends, and
//! a later start first waits for whatever still runs in the cluster's folder.
//! Invariant: a step that is cut short leaves either nothing or something the next start completes; the
//! cluster gets its name only after `initdb` has finished and synced.
//! Invariant: the database's user can read neither the master key nor the passwords, and Postgres listens on
//! a Unix socket only.

mod account;
mod binaries;
mod child;
mod cluster;
mod error;
mod folder;
mod keeper;
mod leftovers;
mod passwords;
mod roles;

use std::{path::PathBuf, sync::Arc};

use tokio::sync::watch;

pub use binaries::{Binaries, OLDEST_MAJOR};
pub use child::become_child;
pub use error::BuiltInError;
pub use folder::{DataDir, DirUse};
pub use keeper::PostgresState;
pub use roles::Access;

use crate::io::db::builtin::{cluster::Cluster, keeper::Keeper, passwords::Passwords};

/// The hidden subcommand under which this program becomes Postgres; see [`become_child`].
pub const CHILD_SUBCOMMAND: &str = "__postgres";

/// Told what takes long, in words for the person who waits.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// Where to look for Postgres and where to put its socket.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The folder that must hold the binaries; nothing else is searched when it is set.
    pub pg_bin_dir: Option<PathBuf>,
    /// Folders to search before the usual places: those of `PATH`.
    pub search_path: Vec<PathBuf>,
    /// Where the socket goes when the data directory's path is too long for one.
    pub runtime_dir: Option<PathBuf>,
}

/// Everything that [`BuiltIn::start`] needs besides the data directory.
#[derive(Clone)]
pub struct BuiltInSettings {
    /// Where to look.
    pub surroundings: Surroundings,
    /// Told what takes long.
    pub progress: Progress,
}

impl std::fmt::Debug for BuiltInSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuiltInSettings").field("surroundings", &self.surroundings).finish_non_exhaustive()
    }
}

/// The running private Postgres; dropping it stops it.
#[derive(Debug)]
pub struct BuiltIn {
    keeper: Keeper,
    access: Access,
    data_dir: DataDir,
}

impl BuiltIn {
    /// Starts Postgres, creating the cluster and its roles where they are missing; blocks until it is ready.
    ///
    /// # Errors
    /// See [`BuiltInError`]; nothing is left running then.
    pub fn start(data_dir: DataDir, settings: BuiltInSettings) -> Result<Self, BuiltInError> {
        let passwords = Passwords::of(&data_dir, data_dir.has_cluster())?;
        let cluster = Cluster::prepare(&data_dir, &settings.surroundings)?;
        let access = Access::new(cluster.socket_dir().to_owned(), passwords);
        let keeper = Keeper::start(cluster, access.clone(), settings.progress)?;
        Ok(Self { keeper, access, data_dir })
    }

    /// How to connect, as owner and as application.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The data directory this Postgres lives in.
    pub fn data_dir(&self) -> &DataDir {
        &self.data_dir
    }

    /// Whether Postgres answers at this moment.
    pub fn is_running(&self) -> bool {
        matches!(*self.keeper.state().borrow(), PostgresState::Running)
    }

    /// Follows Postgres: running, being started again, or given up.
    pub fn state(&self) -> watch::Receiver<PostgresState> {
        self.keeper.state()
    }

    /// Asks Postgres to finish and waits until it has; call it after the last connection is closed.
    pub fn stop(mut self) {
        self.keeper.stop();
    }
}
