//! One throw-away Postgres cluster for the whole test process.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use nix::unistd::{User, geteuid};
use sqlx::postgres::PgConnectOptions;

use crate::kit::keeper::{kept, own_folder};

/// The superuser of the cluster.
pub(crate) const SUPER: &str = "super";

const PATIENCE: Duration = Duration::from_secs(60);

/// A running cluster, reached through a Unix socket.
pub(crate) struct Cluster {
    socket: PathBuf,
    /// Dropping it would end the cluster.
    _keeper: Option<Child>,
}

static CLUSTER: OnceLock<Cluster> = OnceLock::new();

/// The cluster of this process: the one that `TEST_PG_SOCKET` names (its superuser is [`SUPER`], it trusts
/// everybody), or a private one started by the first who asks.
pub(crate) fn cluster() -> &'static Cluster {
    CLUSTER.get_or_init(|| match env::var_os("TEST_PG_SOCKET") {
        Some(socket) => Cluster { socket: socket.into(), _keeper: None },
        None => Cluster::start(),
    })
}

impl Cluster {
    /// How `role` reaches `database`.
    pub(crate) fn options(&self, role: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket)
            .port(5432)
            .username(role)
            .database(database)
    }

    /// The folder of the Unix socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    fn start() -> Self {
        let user = database_user();
        let place = if user.is_some() { PathBuf::from("/tmp") } else { env::temp_dir() };
        let root = own_folder(&place, "pg");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
        if let Some(user) = &user {
            chown(&root, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        let binaries = binaries();
        initialize(&binaries, &root, user.as_ref());
        let keeper = run(&binaries, &root, user.as_ref());
        wait_until_ready(&root);
        Self { socket: root, _keeper: Some(keeper) }
    }
}

/// The newest Postgres on this machine.
fn binaries() -> PathBuf {
    let mut folders: Vec<PathBuf> =
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).map(|folder| resolve(&folder)).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    folders
        .into_iter()
        .filter(|folder| folder.join("postgres").is_file() && folder.join("initdb").is_file())
        .filter_map(|folder| Some((major_version(&folder)?, folder)))
        .max()
        .map(|(_, folder)| folder)
        .expect("no Postgres server binaries: apt-get install -y --no-install-recommends postgresql")
}

/// Debian puts only links into `PATH`.
fn resolve(folder: &Path) -> PathBuf {
    let linked = fs::canonicalize(folder.join("postgres"));
    linked.ok().and_then(|file| Some(file.parent()?.to_owned())).unwrap_or_else(|| folder.to_owned())
}

fn major_version(folder: &Path) -> Option<u32> {
    let answer = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let answer = String::from_utf8(answer.stdout).ok()?;
    answer.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
}

/// Whom Postgres runs as when we are root, whom it refuses.
fn database_user() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    let known = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
    Some(known.expect("running as root, and neither a user postgres nor a user nobody exists"))
}

fn as_user<'a>(command: &'a mut Command, user: Option<&User>) -> &'a mut Command {
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn initialize(binaries: &Path, root: &Path, user: Option<&User>) {
    let mut command = Command::new(binaries.join("initdb"));
    command
        .args([
            "-A",
            "trust",
            "--no-sync",
            "--no-instructions",
            "--locale=C",
            "-E",
            "UTF8",
            "-U",
            SUPER,
            "-D",
        ])
        .arg(root.join("data"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(root)
        .stdin(Stdio::null());
    let made = as_user(&mut command, user).output().unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
}

fn run(binaries: &Path, root: &Path, user: Option<&User>) -> Child {
    let settings = [
        "listen_addresses=",
        "unix_socket_permissions=0777",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "autovacuum=off",
        "max_connections=300",
        "max_parallel_workers_per_gather=0",
    ];
    let data = root.join("data");
    let mut args = vec!["-D".as_ref(), data.as_os_str(), "-k".as_ref(), root.as_os_str()];
    args.extend(settings.iter().flat_map(|setting| ["-c", setting].map(OsStr::new)));
    let log = fs::File::create(root.join("log")).unwrap();
    let mut command = kept(&binaries.join("postgres"), args, "QUIT", root);
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(root);
    command.stdout(log.try_clone().unwrap()).stderr(log);
    as_user(&mut command, user).spawn().unwrap()
}

/// Line 8 of `postmaster.pid` says `ready` once connections are taken.
fn wait_until_ready(root: &Path) {
    let asked = Instant::now();
    let file = root.join("data/postmaster.pid");
    while !fs::read_to_string(&file)
        .is_ok_and(|text| text.lines().nth(7).is_some_and(|l| l.trim() == "ready"))
    {
        let log = || fs::read_to_string(root.join("log")).unwrap_or_default();
        assert!(asked.elapsed() < PATIENCE, "Postgres did not start: {}", log());
        thread::sleep(Duration::from_millis(10));
    }
}
