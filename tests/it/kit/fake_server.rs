//! A server of somebody else, on a loopback port, that answers as a test wants, also in ways no honest server would.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

const LOOPBACK: &str = "127.0.0.1:0";
const PATIENCE: Duration = Duration::from_secs(10);

/// A request as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// In their order, names as they were written.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Which connection it came over, counted from one.
    pub(crate) connection: usize,
}

impl Asked {
    /// The header of a name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// One thing that a server does for an answer.
pub(crate) enum Act {
    /// Writes bytes.
    Write(Vec<u8>),
    /// Writes what comes through the channel, as it comes, until nobody can send any more.
    Follow(mpsc::UnboundedReceiver<Vec<u8>>),
    /// Writes the same bytes again and again.
    Forever(Vec<u8>),
    /// Stops sending, and waits for the caller to hang up.
    Hang,
    /// Hangs up.
    Close,
}

/// All that a server does for one answer; then it waits for the next request.
pub(crate) struct Script(Vec<Act>);

impl Script {
    /// Acts of the test's own.
    pub(crate) fn acts(acts: impl IntoIterator<Item = Act>) -> Self {
        Self(acts.into_iter().collect())
    }

    /// Exactly these bytes.
    pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::acts([Act::Write(bytes.as_ref().to_vec())])
    }

    /// A whole answer.
    pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let length = body.len().to_string();
        let mut bytes = head(status, headers.iter().copied().chain([("content-length", length.as_str())]));
        bytes.extend_from_slice(body);
        Self::raw(bytes)
    }

    /// 200 with a text.
    pub(crate) fn text(body: &str) -> Self {
        Self::answer("200 OK", &[("content-type", "text/plain")], body)
    }

    /// 200 with JSON.
    pub(crate) fn json(body: &str) -> Self {
        Self::answer("200 OK", &[("content-type", "application/json")], body)
    }

    /// To another place.
    pub(crate) fn redirect(to: &str) -> Self {
        Self::answer("307 Temporary Redirect", &[("location", to)], "")
    }

    /// An event stream whose frames the test sends; dropping the sender ends it.
    pub(crate) fn events() -> (Self, Frames) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let head = head(
            "200 OK",
            [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")].into_iter(),
        );
        let script = Self::acts([Act::Write(head), Act::Follow(receiver), Act::Write(b"0\r\n\r\n".to_vec())]);
        (script, Frames(sender))
    }

    /// An answer that comes when the test sends it, if ever.
    pub(crate) fn later() -> (Self, mpsc::UnboundedSender<Vec<u8>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self::acts([Act::Follow(receiver)]), sender)
    }

    /// Nothing at all.
    pub(crate) fn silence() -> Self {
        Self::acts([Act::Hang])
    }
}

fn head<'a>(status: &str, headers: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\n");
    headers.for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    head.into_bytes()
}

/// The frames of an event stream, each a chunk of its own.
pub(crate) struct Frames(mpsc::UnboundedSender<Vec<u8>>);

impl Frames {
    /// Sends one.
    pub(crate) fn send(&self, frame: &str) {
        self.0.send(format!("{:x}\r\n{frame}\r\n", frame.len()).into_bytes()).ok();
    }

    /// Whether whoever listened has hung up.
    pub(crate) fn are_left(&self) -> bool {
        self.0.is_closed()
    }
}

type Answerer = dyn Fn(&Asked) -> Script + Send + Sync;

struct Stage {
    answerer: Box<Answerer>,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    open: watch::Sender<usize>,
}

/// How a server begins with whoever connects.
#[derive(Clone)]
enum Manner {
    Http,
    Tls(TlsAcceptor),
    Greet(&'static [u8]),
}

/// The server.
pub(crate) struct FakeServer {
    address: SocketAddr,
    scheme: &'static str,
    stage: Arc<Stage>,
    task: JoinHandle<()>,
}

impl FakeServer {
    /// Answers request after request with these scripts, and anything beyond with 500.
    pub(crate) async fn scripted(scripts: impl IntoIterator<Item = Script>) -> Self {
        let scripts = Mutex::new(scripts.into_iter().collect::<VecDeque<Script>>());
        let next = move |_: &Asked| {
            let next = scripts.lock().unwrap().pop_front();
            next.unwrap_or_else(|| Script::answer("500 Out Of Scripts", &[], ""))
        };
        Self::answering(next).await
    }

    /// Answers each request as it deserves.
    pub(crate) async fn answering(answerer: impl Fn(&Asked) -> Script + Send + Sync + 'static) -> Self {
        Self::start(LOOPBACK, Manner::Http, Box::new(answerer)).await
    }

    /// The same over TLS.
    pub(crate) async fn protected(
        config: ServerConfig,
        answerer: impl Fn(&Asked) -> Script + Send + Sync + 'static,
    ) -> Self {
        let manner = Manner::Tls(TlsAcceptor::from(Arc::new(config)));
        Self::start(LOOPBACK, manner, Box::new(answerer)).await
    }

    /// Nobody should ever call it.
    pub(crate) async fn canary() -> Self {
        Self::canary_at(LOOPBACK).await
    }

    /// Nobody should ever call it, at an address of its own.
    pub(crate) async fn canary_at(address: &str) -> Self {
        Self::start(address, Manner::Http, Box::new(|_| Script::text("a secret of the inside"))).await
    }

    /// Says something before it has read all that was asked, and nothing after it.
    pub(crate) async fn greeting(greeting: &'static [u8]) -> Self {
        Self::start(LOOPBACK, Manner::Greet(greeting), Box::new(|_| Script::silence())).await
    }

    async fn start(address: &str, manner: Manner, answerer: Box<Answerer>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if matches!(manner, Manner::Tls(_)) { "https" } else { "http" };
        let stage = Arc::new(Stage {
            answerer,
            asked: Mutex::default(),
            connections: AtomicUsize::default(),
            open: watch::Sender::new(0),
        });
        let task = tokio::spawn(listen(listener, manner, Arc::clone(&stage)));
        Self { address, scheme, stage, task }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.address.port()
    }

    /// The full URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Every request so far that came whole.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.stage.asked.lock().unwrap().clone()
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        self.stage.connections.load(Ordering::SeqCst)
    }

    /// Waits until no connection is open.
    pub(crate) async fn is_left(&self) {
        let mut open = self.stage.open.subscribe();
        let left = timeout(PATIENCE, open.wait_for(|open| *open == 0)).await;
        left.expect("somebody is still connected after ten seconds").expect("the server is here");
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A port of 127.0.0.1 on which nothing listens.
pub(crate) async fn closed_port() -> u16 {
    TcpListener::bind(LOOPBACK).await.unwrap().local_addr().unwrap().port()
}

async fn listen(listener: TcpListener, manner: Manner, stage: Arc<Stage>) {
    while let Ok((stream, _)) = listener.accept().await {
        let number = stage.connections.fetch_add(1, Ordering::SeqCst) + 1;
        stage.open.send_modify(|open| *open += 1);
        let (manner, stage) = (manner.clone(), Arc::clone(&stage));
        tokio::spawn(async move {
            meet(stream, manner, &stage, number).await.ok();
            stage.open.send_modify(|open| *open -= 1);
        });
    }
}

async fn meet(mut stream: TcpStream, manner: Manner, stage: &Stage, number: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match manner {
        Manner::Http => converse(stream, stage, number).await,
        Manner::Tls(tls) => converse(tls.accept(stream).await?, stage, number).await,
        Manner::Greet(greeting) => {
            let _ = stream.read(&mut [0; 4096]).await?;
            write(&mut stream, greeting).await?;
            stream.shutdown().await?;
            hang(&mut stream).await;
            Ok(())
        }
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    stage: &Stage,
    number: usize,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(asked) = next_request(&mut stream, &mut buffer, number).await? {
        let script = (stage.answerer)(&asked);
        stage.asked.lock().unwrap().push(asked);
        for act in script.0 {
            match act {
                Act::Write(bytes) => write(&mut stream, &bytes).await?,
                Act::Follow(mut bytes) => follow(&mut stream, &mut bytes).await?,
                Act::Forever(bytes) => loop {
                    write(&mut stream, &bytes).await?;
                },
                Act::Hang => {
                    hang(&mut stream).await;
                    return Ok(());
                }
                Act::Close => return stream.shutdown().await,
            }
        }
    }
    Ok(())
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Writes what comes, and notices a caller who hangs up meanwhile.
async fn follow(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    bytes: &mut mpsc::UnboundedReceiver<Vec<u8>>,
) -> io::Result<()> {
    loop {
        let mut beyond = [0];
        tokio::select! {
            next = bytes.recv() => match next {
                Some(bytes) => write(stream, &bytes).await?,
                None => return Ok(()),
            },
            read = stream.read(&mut beyond) => {
                read?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
    }
}

async fn hang(stream: &mut (impl AsyncRead + Unpin)) {
    let mut beyond = [0; 1024];
    while stream.read(&mut beyond).await.is_ok_and(|read| read > 0) {}
}

async fn next_request(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    connection: usize,
) -> io::Result<Option<Asked>> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let header =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let mut asked =
        Asked { method, path, headers: lines.filter_map(header).collect(), body: Vec::new(), connection };
    let length: usize = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    buffer.drain(..end + 4);
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    asked.body = buffer.drain(..length).collect();
    Ok(Some(asked))
}
