//! The real program, started as its users start it.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        statvfs::statvfs,
    },
    unistd::Pid,
};
use portreeve::io::db::builtin::{Access, Surroundings};
use sqlx::{Connection, PgConnection};

use crate::kit::http::client;

const PATIENCE: Duration = Duration::from_secs(90);

/// A folder that is removed with the value.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = place().join(format!("portreeve-start-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The process id of the database in it, as Postgres wrote it down.
    pub(super) fn postmaster(&self) -> Option<i32> {
        let text = fs::read_to_string(self.0.join("postgres/cluster/postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    pub(super) async fn owner(&self) -> PgConnection {
        let access =
            Access::of_running(&self.0, &Surroundings::default()).expect("readable").expect("a database");
        PgConnection::connect_with(&access.owner_options()).await.expect("the owner gets in")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// In memory where there is room: the built-in Postgres waits for the disk at each commit and after each crash, and the
/// end of a process loses no page of a file either way.
fn place() -> PathBuf {
    const ROOM: u64 = 2 << 30;
    let memory = Path::new("/dev/shm");
    let room = statvfs(memory).map_or(0, |found| found.blocks_available() * found.fragment_size());
    if room > ROOM { memory.to_owned() } else { std::env::temp_dir() }
}

/// The program with these arguments and nothing of our environment but the way to programs.
pub(super) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.args(arguments).env_clear().stdin(Stdio::null()).current_dir(std::env::temp_dir());
    if let Some(path) = std::env::vars_os().find(|(name, _)| name == "PATH") {
        command.env(path.0, path.1);
    }
    command
}

/// What a command said, and how it ended.
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) said: String,
}

impl Ended {
    /// One sentence and one remedy, and nothing of our insides.
    pub(super) fn assert_plain(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "“{word}” is not in: {}", self.said);
        }
        for inside in ["panicked", "RUST_BACKTRACE", "Error {", "Some(", "kind:"] {
            assert!(!self.said.contains(inside), "{}", self.said);
        }
        assert!(self.said.lines().count() <= 4, "{}", self.said);
    }
}

pub(super) fn run(command: &mut Command) -> Ended {
    let output = command.output().expect("the program runs");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Ended { code: output.status.code(), said }
}

/// A running `portreeve serve`; killed with the value.
pub(super) struct Served {
    child: Child,
    lines: Receiver<String>,
    /// What was read of its lines.
    heard: Vec<String>,
    pub(super) base: String,
}

impl Served {
    /// Starts on a free port and waits until it says that it is ready.
    pub(super) fn start(folder: &Folder) -> Self {
        Self::spawn(folder).ready()
    }

    /// Waits until it says that it is ready.
    pub(super) fn ready(mut self) -> Self {
        let line = self.line("Portreeve is ready");
        let (_, address) = line.rsplit_once("http://").expect("an address");
        self.base = format!(
            "http://{}",
            address.split('/').next().expect("a host").replace("localhost", "127.0.0.1")
        );
        self
    }

    /// Waits until it says that it is ready, at an address that it was told to listen on.
    pub(super) fn ready_at(mut self, listen: &str) -> Self {
        self.line("Portreeve is ready");
        self.base = format!("http://{listen}");
        self
    }

    /// Starts and waits for nothing.
    pub(super) fn spawn(folder: &Folder) -> Self {
        let dir = folder.path().to_str().expect("a path in UTF-8");
        let arguments = ["serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--metrics-listen", "off"];
        Self::launch(&mut program(&arguments))
    }

    /// Starts a command that serves, and waits for nothing.
    pub(super) fn launch(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
        let (sender, lines) = mpsc::channel();
        let streams: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|s| Box::new(s) as _), child.stderr.take().map(|s| Box::new(s) as _)];
        for stream in streams.into_iter().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
        }
        Self { child, lines, heard: Vec::new(), base: String::new() }
    }

    /// The first line with these words; waits for it where it has not been said yet.
    pub(super) fn line(&mut self, words: &str) -> String {
        if let Some(line) = self.heard.iter().find(|line| line.contains(words)) {
            return line.clone();
        }
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.heard.push(line),
                Err(_) => panic!("“{words}” was not said, but: {:#?}", self.heard),
            }
            if let Some(line) = self.heard.last().filter(|line| line.contains(words)) {
                return line.clone();
            }
        }
    }

    /// Everything it said, once it has ended.
    pub(super) fn said(&mut self) -> String {
        self.heard.extend(self.lines.iter());
        self.heard.join("\n")
    }

    pub(super) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    pub(super) fn signal(&self, signal: Signal) {
        signal_to(self.pid(), signal);
    }

    pub(super) fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        until("the program ends", || {
            ended = self.child.try_wait().expect("a child of ours");
            ended.is_some()
        });
        ended.expect("it has ended")
    }

    pub(super) async fn status(&self, path: &str) -> Option<u16> {
        let asked = client().get(format!("{}{path}", self.base)).timeout(Duration::from_secs(20));
        Some(asked.send().await.ok()?.status().as_u16())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

pub(super) fn signal_to(pid: i32, signal: Signal) {
    assert!(has_signaled(pid, signal), "the process is there");
}

/// Sends a signal; whether the process was there to get it.
pub(super) fn has_signaled(pid: i32, signal: Signal) -> bool {
    kill(Pid::from_raw(pid), signal).is_ok()
}

/// Whether a process runs; a zombie does not.
pub(super) fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

/// Looks again and again until something holds.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}
