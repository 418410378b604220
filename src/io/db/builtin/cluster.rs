//! The cluster on disk: its folders, its creation, and one start of Postgres on it.

use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    },
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{fcntl::OFlag, unistd::geteuid};

use crate::{
    base::{
        crypto::{digest, random},
        secret::Secret,
    },
    io::db::builtin::{
        Binaries, BuiltInError, DataDir, Progress, Surroundings, account::Account, child, folder, leftovers,
        roles,
    },
};

/// The longest path that fits into a socket's address on every system we know, less the file's own name.
const LONGEST_SOCKET_DIR: usize = 103 - "/.s.PGSQL.5432.lock".len();
/// Recovery after a crash may replay much; more than this means that something is wrong.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
const LOG_LIMIT: u64 = 8 * 1024 * 1024;

/// Durable, private, modest. Nothing a statement holds may reach the log: hence the three `log_` settings.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "password_encryption=scram-sha-256",
    "shared_buffers=64MB",
    "max_connections=100",
    // Containers often have a /dev/shm too small for parallel workers.
    "max_parallel_workers_per_gather=0",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "lc_messages=C",
    "logging_collector=off",
    "log_statement=none",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "cluster_name=portreeve",
];

/// A cluster's folders and the binaries and account that run it.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    home: PathBuf,
    cluster: PathBuf,
    sockets: PathBuf,
    log: PathBuf,
    binaries: Binaries,
    account: Option<Account>,
}

impl Cluster {
    /// Chooses binaries and account and makes the folders.
    pub(super) fn prepare(dir: &DataDir, surroundings: &Surroundings) -> Result<Self, BuiltInError> {
        let cluster = folder::cluster(dir.path());
        let binaries = Binaries::find(surroundings, Binaries::wanted_by(&cluster))?;
        let account = Account::choose(&cluster)?;
        let home = folder::postgres(dir.path());
        let sockets = socket_dir_of(dir.path(), surroundings);
        let this = Self { home, cluster, sockets, log: dir.log(), binaries, account };
        if let Some(account) = &this.account {
            account.can_enter_parents_of(&this.home)?;
            account.can_enter_parents_of(&this.sockets)?;
        }
        this.make_folder(&this.home)?;
        this.make_folder(&this.sockets)?;
        Ok(this)
    }

    pub(super) fn socket_dir(&self) -> &Path {
        &self.sockets
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// A folder for the database's user alone. One that somebody else put there first is not taken.
    fn make_folder(&self, path: &Path) -> Result<(), BuiltInError> {
        let _ = fs::DirBuilder::new().mode(0o700).create(path);
        // From here on by descriptor: the database's user could swap a name while root works on it.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY;
        let folder = File::options()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)
            .map_err(BuiltInError::at(path))?;
        let found = folder.metadata().map_err(BuiltInError::at(path))?.uid();
        let ours = geteuid().as_raw();
        let owner = self.account.as_ref().map_or(ours, |account| account.uid);
        if found != owner && found != ours {
            let why = "a folder of another user is in its place";
            return Err(BuiltInError::SocketFolder { path: path.to_owned(), why });
        }
        if let Some(account) = &self.account {
            fchown(&folder, Some(account.uid), Some(account.gid)).map_err(BuiltInError::at(path))?;
        }
        folder.set_permissions(Permissions::from_mode(0o700)).map_err(BuiltInError::at(path))
    }

    /// Makes the cluster where there is none: under another name, which it loses when it is whole and synced.
    pub(super) fn create(&self, password: &Secret<String>, progress: &Progress) -> Result<(), BuiltInError> {
        self.sweep();
        if self.cluster.is_dir() {
            return Ok(());
        }
        progress(&format!(
            "Creating the database with Postgres {} (first start only) …",
            self.binaries.major
        ));
        let name = data_encoding::HEXLOWER.encode(&random::bytes::<8>());
        let half = self.home.join(format!("init-{name}"));
        let password_file = self.home.join(format!("init-{name}.password"));
        let made = self.initdb(&half, &password_file, password);
        let _ = fs::remove_file(&password_file);
        if let Err(error) = made {
            let _ = fs::remove_dir_all(&half);
            return Err(error);
        }
        fs::rename(&half, &self.cluster).map_err(BuiltInError::at(&self.cluster))?;
        File::open(&self.home).and_then(|dir| dir.sync_all()).map_err(BuiltInError::at(&self.home))
    }

    /// Removes what an interrupted creation left.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.home).into_iter().flatten().flatten() {
            if entry.file_name().as_bytes().starts_with(b"init-") {
                let path = entry.path();
                let _ = fs::remove_file(&path);
                let _ = fs::remove_dir_all(&path);
            }
        }
    }

    fn initdb(
        &self,
        half: &Path,
        password_file: &Path,
        password: &Secret<String>,
    ) -> Result<(), BuiltInError> {
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(password_file)
            .map_err(BuiltInError::at(password_file))?;
        file.write_all(password.expose().as_bytes()).map_err(BuiltInError::at(password_file))?;
        if let Some(account) = &self.account {
            fchown(&file, Some(account.uid), Some(account.gid)).map_err(BuiltInError::at(password_file))?;
        }
        let said = self
            .command("initdb")?
            .arg("-D")
            .arg(half)
            .args(["-U", roles::KEEPER, "-A", "scram-sha-256", "--locale=C", "-E", "UTF8"])
            .args(["--data-checksums", "--no-instructions"])
            .arg(format!("--pwfile={}", password_file.display()))
            .output()
            .map_err(BuiltInError::at(&self.binaries.folder))?;
        if said.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&said.stderr);
        if BuiltInError::speaks_of_full_disk(&text) {
            return Err(BuiltInError::DiskFull(self.home.clone()));
        }
        let error = text.lines().rfind(|line| line.contains("error:") || line.contains("FATAL"));
        let said = error.or(text.lines().last()).unwrap_or("it gave no reason").trim().to_owned();
        Err(BuiltInError::Create { said })
    }

    fn command(&self, program: &str) -> Result<std::process::Command, BuiltInError> {
        child::command(&self.binaries.folder.join(program), self.account.as_ref(), &self.home)
            .map_err(BuiltInError::at(&self.binaries.folder))
    }

    /// Starts Postgres and waits until it takes connections. Only the keeper's thread may call this.
    pub(super) fn launch(&self, progress: &Progress) -> Result<Child, BuiltInError> {
        leftovers::clear(&self.cluster, &self.sockets)?;
        let mut log = self.open_log()?;
        let from = log.seek(SeekFrom::End(0)).map_err(BuiltInError::at(&self.log))?;
        let mut arguments: Vec<OsString> =
            vec!["-D".into(), self.cluster.clone().into(), "-k".into(), self.sockets.clone().into()];
        for setting in SETTINGS {
            arguments.extend(["-c".into(), (*setting).into()]);
        }
        let mut child = self
            .command("postgres")?
            .args(arguments)
            .stdout(log.try_clone().map_err(BuiltInError::at(&self.log))?)
            .stderr(Stdio::from(log))
            .spawn()
            .map_err(BuiltInError::at(&self.binaries.folder))?;
        match self.wait_until_ready(&mut child, from, progress) {
            Ok(()) => Ok(child),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn wait_until_ready(
        &self,
        child: &mut Child,
        log_from: u64,
        progress: &Progress,
    ) -> Result<(), BuiltInError> {
        let began = Instant::now();
        let mut told = began;
        loop {
            if let Ok(Some(_)) = child.try_wait() {
                return Err(self.why_it_ended(log_from));
            }
            if self.is_ready(child.id()) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                let minutes = PATIENCE.as_secs() / 60;
                return Err(BuiltInError::Slow { minutes, log: self.log.clone() });
            }
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                progress("Waiting for the database to recover what an interrupted run left …");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// A stale pid file says `ready` as well, so it must also name our child (Postgres manual, `postmaster.pid`).
    fn is_ready(&self, pid: u32) -> bool {
        fs::read_to_string(self.cluster.join("postmaster.pid")).is_ok_and(|text| {
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            lines.first().and_then(|line| line.parse().ok()) == Some(pid) && lines.get(7) == Some(&"ready")
        })
    }

    /// What Postgres said last, as far as it is a reason to end.
    pub(super) fn why_it_ended(&self, log_from: u64) -> BuiltInError {
        let mut text = String::new();
        if let Ok(mut log) = File::open(&self.log)
            && log.seek(SeekFrom::Start(log_from)).is_ok()
        {
            let mut bytes = Vec::new();
            let _ = log.take(LOG_LIMIT).read_to_end(&mut bytes);
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        if BuiltInError::speaks_of_full_disk(&text) {
            return BuiltInError::DiskFull(self.home.clone());
        }
        let grave =
            |line: &&str| ["FATAL:", "PANIC:", "cannot be run"].iter().any(|mark| line.contains(mark));
        let line = text.lines().rfind(grave).or_else(|| text.lines().last()).unwrap_or("it gave no reason");
        let said =
            line.split_once("FATAL:").or_else(|| line.split_once("PANIC:")).map_or(line, |(_, why)| why);
        BuiltInError::Start { said: said.trim().to_owned(), log: self.log.clone() }
    }

    /// Removes a socket folder outside the data directory; the next start makes it again.
    pub(super) fn tidy(&self) {
        if !self.sockets.starts_with(&self.home) {
            let _ = fs::remove_dir(&self.sockets);
        }
    }

    /// How long the log is now; [`Cluster::why_it_ended`] reads on from there.
    pub(super) fn log_length(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |found| found.len())
    }

    fn open_log(&self) -> Result<File, BuiltInError> {
        if self.log_length() > LOG_LIMIT {
            let _ = fs::rename(&self.log, self.log.with_extension("log.1"));
        }
        let log = File::options().create(true).append(true).mode(0o600).open(&self.log);
        log.map_err(BuiltInError::at(&self.log))
    }
}

/// Where the socket lies: in the data directory, or in a place with a shorter path that is the same every time.
pub(super) fn socket_dir_of(root: &Path, surroundings: &Surroundings) -> PathBuf {
    let usual = folder::postgres(root).join("run");
    if usual.as_os_str().len() <= LONGEST_SOCKET_DIR {
        return usual;
    }
    let digest = digest::sha256(root.as_os_str().as_bytes());
    let name = format!("portreeve-{}", data_encoding::HEXLOWER.encode(&digest[..8]));
    let runtime = surroundings.runtime_dir.as_ref().filter(|dir| !geteuid().is_root() && dir.is_dir());
    match runtime {
        Some(dir) if dir.as_os_str().len() + 1 + name.len() <= LONGEST_SOCKET_DIR => dir.join(name),
        _ => Path::new("/tmp").join(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_data_directory_gets_a_short_socket_folder_that_stays_the_same() {
        let short = Path::new("/var/lib/portreeve");
        assert_eq!(socket_dir_of(short, &Surroundings::default()), short.join("postgres/run"));
        let long = PathBuf::from(format!("/srv/{}", "x".repeat(90)));
        let first = socket_dir_of(&long, &Surroundings::default());
        assert!(first.as_os_str().len() <= LONGEST_SOCKET_DIR);
        assert_eq!(first, socket_dir_of(&long, &Surroundings::default()));
        let other = PathBuf::from(format!("/srv/{}", "y".repeat(90)));
        assert_ne!(first, socket_dir_of(&other, &Surroundings::default()));
    }
}
