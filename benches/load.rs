//! The two ends of a measurement of the gate: a fast server that is called, and callers that wait for each answer.
//! `benches/gate.py` puts what is measured between them.
//!
//! `load stub` listens on a free port, prints it, and answers until it is ended. `load drive URL HOST TOKEN TOOL CALLERS
//! SECONDS` keeps as many calls under way as there are callers, each on a connection of its own, and prints one line of
//! JSON. `TOKEN` is `-` where none is carried, `HOST` what the Host header says.

#![expect(clippy::disallowed_methods, reason = "there is no app here whose tracker the work could belong to")]

use std::{
    convert::Infallible,
    env,
    error::Error,
    io::{self, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, client, header, server, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

type Fault = Box<dyn Error + Send + Sync>;

/// How many tools the server has; the first few answer in the ways that are measured.
const TOOLS: usize = 30;
const SMALL: &str = "small";
const SMALL_STREAM: &str = "small_stream";
const LARGE: &str = "large";
const LARGE_STREAM: &str = "large_stream";

fn main() -> Result<(), Fault> {
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let workers = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match words.as_slice() {
        ["stub"] => workers.block_on(stub()),
        ["drive", url, host, token, tool, callers, seconds] => {
            let plan = Plan {
                target: url.parse()?,
                host: (*host).to_owned(),
                token: (*token).to_owned(),
                tool: (*tool).to_owned(),
            };
            workers.block_on(drive(plan, callers.parse()?, Duration::from_secs_f64(seconds.parse()?)))
        }
        _ => {
            writeln!(
                io::stderr(),
                "benches/gate.py runs this: stub | drive URL HOST TOKEN TOOL CALLERS SECONDS"
            )?;
            Ok(())
        }
    }
}

// The server

async fn stub() -> Result<(), Fault> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "{}", listener.local_addr()?.port())?;
    let answers: &'static Answers = Box::leak(Box::new(Answers::new()));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(answers, request));
            let _ = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Results, written once; only the id of a request is put before them.
struct Answers {
    small: String,
    large: String,
}

impl Answers {
    fn new() -> Self {
        let result = |text: &str| {
            json!({ "content": [{ "type": "text", "text": text }], "resultType": "complete" }).to_string()
        };
        Self { small: result("done"), large: result(&"0123456789abcdef".repeat(100 * 1024 / 16)) }
    }
}

async fn answer(answers: &Answers, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let Ok(body) = request.into_body().collect().await else { return Ok(Response::default()) };
    let body = body.to_bytes();
    let Ok(message) = serde_json::from_slice::<Asked<'_>>(&body) else { return Ok(Response::default()) };
    let Some(id) = message.id else { return Ok(Response::default()) };
    let name = message.params.and_then(|params| params.name).unwrap_or_default();
    let whole = |result: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    let (kind, text) = match (message.method.as_str(), name.as_str()) {
        ("tools/call", SMALL_STREAM) => ("text/event-stream", format!("data: {}\n\n", whole(&answers.small))),
        ("tools/call", LARGE_STREAM) => ("text/event-stream", format!("data: {}\n\n", whole(&answers.large))),
        ("tools/call", LARGE) => ("application/json", whole(&answers.large)),
        ("tools/call", _) => ("application/json", whole(&answers.small)),
        (method, _) => ("application/json", whole(&described(method).to_string())),
    };
    let mut response = Response::new(Full::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    Ok(response)
}

#[derive(serde::Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    id: Option<&'a serde_json::value::RawValue>,
    method: String,
    params: Option<Params>,
}

#[derive(serde::Deserialize)]
struct Params {
    name: Option<String>,
}

/// What a server says of itself and its tools.
fn described(method: &str) -> Value {
    let mut result = match method {
        "tools/list" => json!({ "tools": tools() }),
        "server/discover" => {
            json!({ "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} } })
        }
        _ => json!({}),
    };
    result["resultType"] = json!("complete");
    result["ttlMs"] = json!(60_000);
    result["cacheScope"] = json!("public");
    result
}

fn tools() -> Vec<Value> {
    let measured = [SMALL, SMALL_STREAM, LARGE, LARGE_STREAM].map(str::to_owned);
    let others = (measured.len()..TOOLS).map(|number| format!("tool_{number}"));
    let tool = |name: String| {
        json!({
            "name": name, "description": "Looks an order up by its number and says where it is.",
            "inputSchema": { "type": "object", "properties": { "order": { "type": "string" } } },
            "annotations": { "readOnlyHint": true },
        })
    };
    measured.into_iter().chain(others).map(tool).collect()
}

// The callers

struct Plan {
    target: http::Uri,
    host: String,
    token: String,
    tool: String,
}

impl Plan {
    /// A call of about 600 bytes.
    fn body(&self) -> Bytes {
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {
                "name": self.tool,
                "arguments": { "order": "A-2024-000017", "note": "n".repeat(200) },
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": { "name": "load", "version": "1" },
                },
            },
        });
        Bytes::from(body.to_string())
    }

    fn request(&self, body: &Bytes) -> Result<Request<Full<Bytes>>, Fault> {
        let mut request = Request::post(self.target.path())
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", &self.tool);
        if self.token != "-" {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        Ok(request.body(Full::new(body.clone()))?)
    }
}

async fn drive(plan: Plan, callers: usize, span: Duration) -> Result<(), Fault> {
    let plan: &'static Plan = Box::leak(Box::new(plan));
    let began = Instant::now();
    let end = began + span;
    let callers: Vec<_> = (0..callers).map(|_| tokio::spawn(call_until(plan, end))).collect();
    let (mut times, mut failed) = (Vec::new(), 0);
    for caller in callers {
        let (some, unanswered) = caller.await??;
        times.extend(some);
        failed += unanswered;
    }
    let seconds = began.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    let line = json!({
        "calls": times.len(), "failed": failed, "seconds": seconds,
        "p50_us": at(0.5).as_secs_f64() * 1e6, "p99_us": at(0.99).as_secs_f64() * 1e6,
    });
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}

/// How long each call took, and how many were not answered as they should be.
async fn call_until(plan: &Plan, end: Instant) -> Result<(Vec<Duration>, usize), Fault> {
    let authority = plan.target.authority().ok_or("the address names no host")?.as_str();
    let address: SocketAddr = authority.parse()?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut link, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let body = plan.body();
    let (mut times, mut failed) = (Vec::new(), 0);
    while Instant::now() < end {
        let began = Instant::now();
        link.ready().await?;
        let answer = link.send_request(plan.request(&body)?).await?;
        let is_fine = answer.status() == 200;
        let text = answer.into_body().collect().await?.to_bytes();
        if is_fine
            && memchr::memmem::find(&text, br#""resultType":"complete""#).is_some()
            && !is_denied(&text)
        {
            times.push(began.elapsed());
        } else {
            failed += 1;
        }
    }
    Ok((times, failed))
}

fn is_denied(text: &[u8]) -> bool {
    memchr::memmem::find(&text[..text.len().min(400)], br#""isError":true"#).is_some()
}
