//! Why the private Postgres does not run, in one sentence each.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the data directory or the private Postgres cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BuiltInError {
    /// Another process holds the data directory.
    #[error("another Portreeve{} is using the data directory {}", by(.pid), .path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// Who, as far as it has said.
        pid: Option<u32>,
    },
    /// The folder holds something else.
    #[error("{} holds other files ({found}), so it is not taken as a data directory", .path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// One of the files.
        found: String,
    },
    /// A later version has written here.
    #[error(
        "the data directory {} was written by a newer version of Portreeve (format {found}, this version knows {known})",
        .path.display()
    )]
    NewerFormat {
        /// The data directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The format marker makes no sense.
    #[error("the file {} does not say a data directory's format", .0.display())]
    UnreadableFormat(PathBuf),
    /// Made by another user.
    #[error("the data directory {} belongs to the user {owner}", .path.display())]
    BelongsToOther {
        /// The data directory.
        path: PathBuf,
        /// Its owner.
        owner: String,
    },
    /// The database's user cannot reach the cluster.
    #[error("as root, the database runs as the user {user}, who cannot enter {}", .folder.display())]
    NotEnterable {
        /// The folder that keeps them out.
        folder: PathBuf,
        /// The user.
        user: String,
    },
    /// There is no user to run Postgres as.
    #[error(
        "Postgres refuses to run as root, and there is neither a user postgres nor a user nobody to run it as"
    )]
    NoAccount,
    /// A private file is open to others.
    #[error("the file {} can be read by other users", .0.display())]
    Exposed(PathBuf),
    /// The cluster is there but its passwords are not.
    #[error("the database's passwords are missing: there is no usable file {}", .0.display())]
    PasswordsMissing(PathBuf),
    /// No Postgres on this machine, or none that fits.
    #[error("{}", no_binaries(*.wanted, .found, .looked_in.as_deref()))]
    NoBinaries {
        /// The major version the existing cluster needs.
        wanted: Option<u32>,
        /// The major versions that were found.
        found: Vec<u32>,
        /// The only folder that was searched, when one was named.
        looked_in: Option<PathBuf>,
    },
    /// The disk is full.
    #[error("the disk that holds {} is full", .0.display())]
    DiskFull(PathBuf),
    /// No folder for the socket.
    #[error("the database's socket cannot be placed in {}: {why}", .path.display())]
    SocketFolder {
        /// The folder.
        path: PathBuf,
        /// The reason.
        why: &'static str,
    },
    /// `initdb` failed.
    #[error("the database could not be created: {said}")]
    Create {
        /// What `initdb` said last.
        said: String,
    },
    /// Postgres ended while starting.
    #[error("Postgres stopped while starting: {said}")]
    Start {
        /// What it said last.
        said: String,
        /// Where it says more.
        log: PathBuf,
    },
    /// Postgres does not become ready.
    #[error("Postgres is not ready after {minutes} minutes")]
    Slow {
        /// How long we waited.
        minutes: u64,
        /// Where it says more.
        log: PathBuf,
    },
    /// Postgres stops again and again.
    #[error("Postgres stopped {times} times within a short while; the last time: {last}")]
    KeepsStopping {
        /// How often.
        times: u32,
        /// The last reason.
        last: String,
        /// Where it says more.
        log: PathBuf,
    },
    /// Processes of an earlier run do not end.
    #[error("processes of an earlier run ({pids:?}) still use the database in {}", .path.display())]
    StillRunning {
        /// The cluster's folder.
        path: PathBuf,
        /// The processes.
        pids: Vec<i32>,
    },
    /// The roles could not be created.
    #[error("the database's roles could not be set up")]
    Roles(#[source] sqlx::Error),
    /// A file operation failed.
    #[error("{} cannot be used: {source}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl BuiltInError {
    /// Names the file an error belongs to.
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(path),
            _ => Self::File { path, source },
        }
    }

    /// Whether what a program said means that the disk is full.
    pub(super) fn speaks_of_full_disk(said: &str) -> bool {
        ["No space left on device", "Disk quota exceeded", "wrote only"]
            .iter()
            .any(|words| said.contains(words))
    }
}

fn by(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

fn no_binaries(wanted: Option<u32>, found: &[u32], looked_in: Option<&Path>) -> String {
    let place = looked_in.map_or("on this machine".to_owned(), |dir| format!("in {}", dir.display()));
    match (wanted, found) {
        (Some(wanted), []) => {
            format!("the database needs Postgres {wanted}, and no Postgres was found {place}")
        }
        (Some(wanted), found) => {
            format!(
                "the database was made by Postgres {wanted}, but {place} there is only Postgres {}",
                list(found)
            )
        }
        (None, []) => format!("no Postgres server was found {place}"),
        (None, found) => {
            format!("{place} there is only Postgres {}, and Portreeve needs a later one", list(found))
        }
    }
}

fn list(majors: &[u32]) -> String {
    majors.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
