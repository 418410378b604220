//! ChromeDriver, once per test process, and the sessions it keeps: one fresh Chromium per test.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::Method;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::kit::{
    http::client,
    keeper::{kept, own_folder},
};

const FLAGS: [&str; 11] = [
    "--headless=new",
    // Root needs it, and nothing but our own pages is opened.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1440,900",
    // The browser ends when the pipe does, so it cannot outlive ChromeDriver.
    "--remote-debugging-pipe",
];

/// How many browsers run at once; more only wait for the processor.
static SEATS: Semaphore = Semaphore::const_new(3);
static DRIVER: OnceLock<Option<Driver>> = OnceLock::new();
static NEXT: AtomicU32 = AtomicU32::new(0);

struct Driver {
    port: u16,
    folder: PathBuf,
    /// Dropping it would end the driver.
    _keeper: Child,
}

/// A browser of one's own, closed when dropped.
pub(super) struct Session {
    id: String,
    port: u16,
    profile: PathBuf,
    client: reqwest::Client,
    _seat: SemaphorePermit<'static>,
}

impl Session {
    /// A fresh browser, or `None` where there is none and nobody insists.
    pub(super) async fn open() -> Option<Self> {
        let driver = DRIVER.get_or_init(Driver::start).as_ref()?;
        let seat = SEATS.acquire().await.expect("nobody closes the semaphore");
        let profile = driver.folder.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        let mut flags: Vec<_> = FLAGS.iter().map(ToString::to_string).collect();
        flags.push(format!("--user-data-dir={}", profile.display()));
        let wishes = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": flags},
            "timeouts": {"implicit": 5000, "script": 30000, "pageLoad": 30000},
        }}});
        let client = client();
        let url = format!("http://127.0.0.1:{}/session", driver.port);
        let answer: Value = client.post(url).json(&wishes).send().await.unwrap().json().await.unwrap();
        let id = answer["value"]["sessionId"].as_str();
        let id =
            id.unwrap_or_else(|| panic!("Chromium does not start: {}", brief(&answer["value"]))).to_owned();
        Some(Self { id, port: driver.port, profile, client, _seat: seat })
    }

    /// One WebDriver command.
    ///
    /// # Errors
    /// What the driver said, such as `no such element`.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{}/session/{}{path}", self.port, self.id);
        let request = self.client.request(method, url);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
        match answer["value"].take() {
            value if value.get("error").is_some() => Err(brief(&value)),
            value => Ok(value),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Not through the asynchronous client: a failing test's runtime may be gone.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            stream.set_read_timeout(Some(Duration::from_secs(10))).ok();
            let request = format!(
                "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
                self.id
            );
            stream.write_all(request.as_bytes()).ok();
            // The answer comes when the browser is gone; the driver keeps the connection open after it.
            stream.read_exact(&mut [0; 12]).ok();
        }
        fs::remove_dir_all(&self.profile).ok();
    }
}

impl Driver {
    fn start() -> Option<Self> {
        let Some(program) = find("chromedriver").filter(|_| find("chromium").is_some()) else {
            let is_demanded = env::var_os("BROWSER_TESTS").is_some() || env::var_os("CI").is_some();
            let missing = "no chromium and chromedriver: \
                apt-get install -y --no-install-recommends chromium chromium-driver";
            assert!(!is_demanded, "{missing}");
            eprintln!("browser tests are skipped: {missing}");
            return None;
        };
        let folder = own_folder(&env::temp_dir(), "browser");
        let mut keeper = kept(&program, ["--port=0"], "TERM", &folder)
            .env("TMPDIR", &folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(keeper.stdout.take().expect("the output was asked for")).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok()
        });
        let port = port.expect("ChromeDriver says its port when it has started");
        // What else it says is read, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { port, folder, _keeper: keeper })
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| Path::is_file(file))
}

/// The words without the stack trace.
fn brief(value: &Value) -> String {
    let message = value["message"].as_str().unwrap_or_default();
    format!("{}: {}", value["error"].as_str().unwrap_or_default(), message.lines().next().unwrap_or_default())
}
