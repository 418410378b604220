//! How long it takes to read a message, to filter a list and to split a stream: `cargo bench --bench envelope`.
//!
//! Prints nanoseconds, the best of several rounds, so that a figure is of the code and not of what else the machine
//! does. For comparison it also reads each message with `serde_json` into a tree.

mod timing;

use std::{
    hint::black_box,
    io::{self, Write},
};

use bytes::Bytes;
use portreeve::protocol::mcp::{
    list::Listing,
    message::{self, Message, Outcome},
    method::ListKind,
    sse::Splitter,
    strict::Limits,
    version::Era,
};

use timing::time;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{:<28}{:>10}{:>14}{:>14}{:>10}", "message", "bytes", "ns envelope", "ns tree", "MB/s")?;
    for (name, body) in [
        ("tools/call", call()),
        ("tools/list of 200 tools", list(200)),
        ("tools/call result, one text", text_result(1 << 20)),
        ("tools/call result, numbers", number_result(60_000)),
    ] {
        let limits = Limits::of(body.len());
        let envelope = time(|| drop(black_box(message::parse(black_box(&body), &limits))));
        let tree = time(|| drop(black_box(serde_json::from_slice::<serde_json::Value>(black_box(&body)))));
        let speed = body.len() as f64 / envelope * 1e3;
        writeln!(out, "{name:<28}{:>10}{envelope:>14.0}{tree:>14.0}{speed:>10.0}", body.len())?;
    }
    let page = list(500);
    writeln!(out, "{:<28}{:>10}{:>14.0}", "half of 500 tools kept", page.len(), time(|| filter(&page)))?;
    let stream = Bytes::from(stream(100, 10_000));
    writeln!(out, "{:<28}{:>10}{:>14.0}", "stream of 100 events", stream.len(), time(|| split(&stream)))?;
    Ok(())
}

/// Reads a page and writes one with every other tool.
fn filter(body: &[u8]) {
    let Ok(Message::Response(response)) = message::parse(body, &Limits::of(body.len())) else { return };
    let Outcome::Result(result) = response.outcome else { return };
    let Ok(page) = Listing::read(ListKind::Tools, result) else { return };
    drop(black_box(page.filter(body, Era::Modern, |item| item.name.ends_with(['0', '2', '4', '6', '8']))));
}

/// Takes the events out of a stream that comes in chunks of 16 kB.
fn split(stream: &Bytes) {
    let mut splitter = Splitter::new(1 << 20);
    for start in (0..stream.len()).step_by(16 << 10) {
        let mut chunk = stream.slice(start..stream.len().min(start + (16 << 10)));
        while let Ok(Some(event)) = splitter.next(&mut chunk) {
            black_box(event);
        }
    }
}

/// A modern call as clients send it, of some 600 bytes.
fn call() -> Vec<u8> {
    let text = r#"{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"create_issue","arguments":{"owner":"acme","repository":"rockets","title":"The second stage separates late","body":"Seen twice in the last three runs:\n\n- 2026-10-02, 12 ms late\n- 2026-10-05, 31 ms late\n","labels":["bug","stage-2"],"assignee":"wile"},"_meta":{"progressToken":"p-17","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{},"url":{}},"extensions":{}},"io.modelcontextprotocol/clientInfo":{"name":"some-agent","version":"2.1.0"}}}}"#;
    text.as_bytes().to_vec()
}

fn list(count: usize) -> Vec<u8> {
    let tools: Vec<_> = (0..count)
        .map(|n| {
            format!(
                r#"{{"name":"tool_{n}","title":"Tool {n}","description":"Finds what the query asks for and says \"nothing\" where there is none.","inputSchema":{{"type":"object","properties":{{"query":{{"type":"string","description":"What to look for"}},"limit":{{"type":"integer","minimum":1,"maximum":100}},"order":{{"enum":["newest","oldest"]}}}},"required":["query"]}},"annotations":{{"readOnlyHint":true,"openWorldHint":false}}}}"#
            )
        })
        .collect();
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{}],"ttlMs":0}}}}"#, tools.join(",")).into_bytes()
}

fn text_result(length: usize) -> Vec<u8> {
    let text = "All is well that ends well, said the line before the next one.\\n".repeat(length / 64);
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#)
        .into_bytes()
}

fn number_result(count: usize) -> Vec<u8> {
    let rows: Vec<_> = (0..count).map(|n| format!(r#"{{"x":{n},"y":{}.5}}"#, n * 7)).collect();
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"structuredContent":[{}]}}}}"#, rows.join(","))
        .into_bytes()
}

fn stream(count: usize, length: usize) -> Vec<u8> {
    format!("id: 1\ndata: {}\n\n", "x".repeat(length)).repeat(count).into_bytes()
}
