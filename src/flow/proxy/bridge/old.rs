//! The transport of 2024: messages go to one address, and all that the server says comes on one stream from another.
//!
//! An answer goes to whoever asked. What the server says unasked does not tell to which request it belongs, so it goes to
//! the one that began last. Nobody reads while nobody waits; whoever waits reads for all.
//!
//! Invariant: messages go to the server's own origin alone, whatever its stream says.

use std::{
    collections::BTreeMap,
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::{
    flow::proxy::{
        bridge::talk::{Line, MAX_MESSAGE, Silent},
        dispatch,
    },
    io::net::{
        body::ReplyBody,
        error::{EgressError, Part},
        target::Target,
    },
    protocol::mcp::{
        message::{self, Message},
        method::Method,
        sse::Splitter,
        strict::Limits,
    },
};

/// How much of the stream is read in search of the address for messages.
const OPENING_CAP: usize = 64 * 1024;
/// How long the server may take to say it.
const OPENED_WITHIN: Duration = Duration::from_secs(20);
/// How many messages may wait for one request; a request that does not take them is given up.
const AHEAD: usize = 64;

/// The stream of one session.
pub(super) struct Stream {
    /// Where messages go.
    endpoint: Target,
    reader: tokio::sync::Mutex<Reader>,
    ears: Mutex<Ears>,
}

struct Reader {
    body: ReplyBody,
    splitter: Splitter,
}

#[derive(Default)]
struct Ears {
    /// By the ids of the requests, which grow.
    waiting: BTreeMap<u64, mpsc::Sender<Bytes>>,
    is_over: bool,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Whoever waits for what comes of a request.
pub(super) struct Ear {
    id: u64,
    stream: Arc<Stream>,
    heard: mpsc::Receiver<Bytes>,
}

impl Ear {
    /// The next message; none where the stream has ended.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let stream = Arc::clone(&self.stream);
        tokio::select! {
            biased;
            heard = self.heard.recv() => heard,
            () = stream.read_on() => self.heard.recv().await,
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.stream.ears().waiting.remove(&self.id);
    }
}

impl Stream {
    /// Opens a stream and waits for the server to say where messages go.
    pub(super) async fn open(line: &Line) -> Result<Arc<Self>, Silent> {
        let opened = tokio::time::timeout(OPENED_WITHIN, open(line)).await;
        opened.unwrap_or_else(|_| Err(no_stream("the server did not say in time where messages go")))
    }

    /// Whether the server has ended it.
    pub(super) fn is_over(&self) -> bool {
        self.ears().is_over
    }

    /// Sends a request and waits for what comes of it; none where the server has forgotten the session.
    pub(super) async fn ask(
        self: &Arc<Self>,
        line: &Line,
        headers: &HeaderMap,
        id: u64,
        body: Vec<u8>,
    ) -> Result<Option<Ear>, Silent> {
        let Some(ear) = self.listen(id) else { return Ok(None) };
        match self.post(line, headers, body).await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, _) if status.is_success() => Ok(Some(ear)),
            (status, headers) => Err(refused(status, &headers)),
        }
    }

    /// Sends what is not answered.
    pub(super) async fn post(
        &self,
        line: &Line,
        headers: &HeaderMap,
        body: Vec<u8>,
    ) -> Result<(StatusCode, HeaderMap), Silent> {
        let posting = async {
            let reply = line.post_to(&self.endpoint, headers, body).await?;
            let head = (reply.status, reply.headers.clone());
            // What stands in it is of no use, but the connection is.
            drop(reply.read(OPENING_CAP).await);
            Ok::<_, EgressError>(head)
        };
        let mut posting = pin!(posting);
        // A server may say more than fits on its way before it takes the next message.
        let posted = tokio::select! {
            biased;
            posted = &mut posting => posted,
            () = self.read_on() => posting.await,
        };
        Ok(posted?)
    }

    /// Waits for what comes under an id; nobody can where the stream has ended.
    pub(super) fn listen(self: &Arc<Self>, id: u64) -> Option<Ear> {
        let (sender, heard) = mpsc::channel(AHEAD);
        let mut ears = self.ears();
        if ears.is_over {
            return None;
        }
        ears.waiting.insert(id, sender);
        Some(Ear { id, stream: Arc::clone(self), heard })
    }

    /// Reads for all who wait, until the stream ends.
    async fn read_on(&self) {
        let mut reader = self.reader.lock().await;
        while !self.is_over() {
            let read = reader.read(|message| self.pass(message)).await;
            if !matches!(read, Ok(true)) {
                let mut ears = self.ears();
                ears.is_over = true;
                ears.waiting.clear();
            }
        }
    }

    /// Gives a message to whoever it is for.
    fn pass(&self, message: Bytes) {
        let mut ears = self.ears();
        let id = match about(&message) {
            About::Request(id) => Some(id),
            About::Nothing => ears.waiting.last_key_value().map(|(id, _)| *id),
        };
        if let Some(id) = id
            && ears.waiting.get(&id).is_some_and(|ear| ear.try_send(message).is_err())
        {
            ears.waiting.remove(&id);
        }
    }

    fn ears(&self) -> MutexGuard<'_, Ears> {
        self.ears.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// Reads once; whether there may be more. To be dropped only before it has read.
    async fn read(&mut self, mut pass: impl FnMut(Bytes)) -> Result<bool, EgressError> {
        let Some(frame) = self.body.frame().await else { return Ok(false) };
        let Ok(mut bytes) = frame?.into_data() else { return Ok(true) };
        while let Some(event) =
            self.splitter.next(&mut bytes).map_err(|_| EgressError::TooLarge(Part::Body))?
        {
            let is_message = event.kind().is_none_or(|kind| kind == b"message");
            if let Some(data) = event.data().filter(|data| is_message && !data.is_empty()) {
                pass(Bytes::from(data.into_owned()));
            }
        }
        Ok(true)
    }
}

/// To which request a message belongs.
enum About {
    Request(u64),
    Nothing,
}

fn about(message: &[u8]) -> About {
    let id = match message::parse(message, &Limits::of(message.len())) {
        Ok(Message::Response(response)) => response.id,
        Ok(Message::Notification(told)) if told.method() == Method::Progress => {
            told.params.progress_token().ok().flatten()
        }
        _ => None,
    };
    let id = id.and_then(|id| id.raw().integer()).and_then(|id| u64::try_from(id).ok());
    id.map_or(About::Nothing, About::Request)
}

async fn open(line: &Line) -> Result<Arc<Stream>, Silent> {
    let reply = line.listen(&HeaderMap::new(), None).await?;
    if !reply.status.is_success() {
        return Err(refused(reply.status, &reply.headers));
    }
    if !dispatch::is_event_stream(&reply.headers) {
        return Err(no_stream("the server did not open a stream"));
    }
    let (mut body, mut splitter, mut read) = (reply.body, Splitter::new(MAX_MESSAGE), 0);
    while read <= OPENING_CAP
        && let Some(frame) = body.frame().await
    {
        let Ok(mut bytes) = frame?.into_data() else { continue };
        read += bytes.len();
        while let Some(event) = splitter.next(&mut bytes).map_err(|_| EgressError::TooLarge(Part::Body))? {
            if event.kind() == Some(b"endpoint") {
                let said = String::from_utf8_lossy(&event.data().unwrap_or_default()).into_owned();
                let endpoint = endpoint(line, said.trim())?;
                let reader = tokio::sync::Mutex::new(Reader { body, splitter });
                return Ok(Arc::new(Stream { endpoint, reader, ears: Mutex::default() }));
            }
        }
    }
    Err(no_stream("the server did not say where messages go"))
}

/// The address for messages: on the same origin, or the server's credential would go to somebody else.
fn endpoint(line: &Line, said: &str) -> Result<Target, Silent> {
    let foreign = || {
        let sentence = "the server asks for messages to be sent to another host".to_owned();
        Silent::of("upstream_address_refused", sentence)
    };
    let base = line.target.url();
    let url = base.join(said).map_err(|_| foreign())?;
    if url.origin() != base.origin() {
        return Err(foreign());
    }
    Target::of(url, line.egress.policy()).map_err(|_| foreign())
}

fn refused(status: StatusCode, headers: &HeaderMap) -> Silent {
    let failed = || ("upstream_failed", format!("the server answered with HTTP {}", status.as_u16()));
    Silent::by_status(dispatch::refused_by_server(status).unwrap_or_else(failed), status, headers)
}

fn no_stream(sentence: &str) -> Silent {
    Silent::of("upstream_answer_invalid", sentence.to_owned())
}
