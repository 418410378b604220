//! A subscription of the modern era at a server of the old one, and what either side calls what it is about.
//!
//! A subscription of the modern era has a session of its own at an old server, so that what it subscribed to ends with it.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    flow::proxy::{
        bridge::{
            dress::Sender,
            job::{Cut, Job},
            sessions::{self, Session},
            talk::{Line, Silent},
        },
        pieces::{LASTS, Piece, SUBSCRIPTION, humming},
    },
    protocol::mcp::{
        message::{self, Message, Notification, Request},
        method::Method,
        raw::{Kind, Raw},
        splice::{Change, Edits},
        strict::{self, Limits},
    },
};

/// How many streams this replica keeps open; beyond, nobody gets another.
pub(super) const MOST: usize = 10_000;
/// How many resources one subscription follows; the rest is not acknowledged.
const MOST_ADDRESSES: usize = 100;
/// How often a stream that broke off is taken up.
const TAKEN_UP: usize = 100;
/// How long to wait before that, where the server does not say, and at the most, in milliseconds.
const PAUSE: (u64, u64) = (1000, 30_000);

/// What a subscription asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    tools: bool,
    prompts: bool,
    resources: bool,
    /// The resources that it follows.
    pub(super) addresses: Vec<String>,
}

impl Wanted {
    /// What a request asks for; the member that is wrong where one is.
    pub(super) fn of(request: &Request<'_>) -> Result<Self, &'static str> {
        let filter = request.params.get("notifications").filter(|raw| raw.kind() == Kind::Object);
        filter.ok_or("params.notifications must be an object")?;
        let flag = |key| match request.params.listens(key) {
            None => Ok(false),
            Some(raw) => raw.boolean().ok_or("a member of params.notifications is of another kind"),
        };
        let addresses = request.params.listens("resourceSubscriptions");
        let addresses = match addresses {
            Some(raw) if raw.kind() != Kind::Array => Err("resourceSubscriptions must be a list"),
            raw => Ok(raw.iter().flat_map(Raw::elements).filter_map(|raw| raw.string()).collect::<Vec<_>>()),
        }?;
        Ok(Self {
            tools: flag("toolsListChanged")?,
            prompts: flag("promptsListChanged")?,
            resources: flag("resourcesListChanged")?,
            addresses: addresses.into_iter().take(MOST_ADDRESSES).map(std::borrow::Cow::into_owned).collect(),
        })
    }

    /// Every change of a list that a server tells of.
    pub(super) fn told_by(capabilities: Option<&str>) -> Self {
        Self { tools: true, prompts: true, resources: true, addresses: Vec::new() }.within(capabilities)
    }

    /// What of it a server tells.
    fn within(self, capabilities: Option<&str>) -> Self {
        let said: Value = capabilities.and_then(|said| serde_json::from_str(said).ok()).unwrap_or_default();
        let tells = |path: &str| said.pointer(path) == Some(&Value::Bool(true));
        Self {
            tools: self.tools && tells("/tools/listChanged"),
            prompts: self.prompts && tells("/prompts/listChanged"),
            resources: self.resources && tells("/resources/listChanged"),
            addresses: if tells_of_resources(capabilities) { self.addresses } else { Vec::new() },
        }
    }

    /// Whether it asks for nothing.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn wants(&self, told: &Notification<'_>) -> bool {
        match told.method() {
            Method::ToolsListChanged => self.tools,
            Method::PromptsListChanged => self.prompts,
            Method::ResourcesListChanged => self.resources,
            // A server may tell of what lies below an address that was subscribed to.
            Method::ResourcesUpdated => !self.addresses.is_empty(),
            _ => false,
        }
    }

    /// As a request says it.
    pub(super) fn filter(&self) -> Value {
        let flags = [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ];
        let mut filter: Map<String, Value> =
            flags.into_iter().filter(|flag| flag.1).map(|(key, _)| (key.to_owned(), json!(true))).collect();
        if !self.addresses.is_empty() {
            filter.insert("resourceSubscriptions".to_owned(), json!(self.addresses));
        }
        Value::Object(filter)
    }
}

/// Whether a server tells of single resources.
pub(super) fn tells_of_resources(capabilities: Option<&str>) -> bool {
    let said: Value = capabilities.and_then(|said| serde_json::from_str(said).ok()).unwrap_or_default();
    said.pointer("/resources/subscribe") == Some(&Value::Bool(true))
}

/// A subscription of the modern era at a server of the old one, to its end.
pub(super) async fn to_legacy(mut job: Job, wanted: Wanted) {
    let came = subscribe(&mut job, wanted).await;
    job.settle(came).await;
}

async fn subscribe(job: &mut Job, wanted: Wanted) -> Result<(), Cut> {
    let version = job.server.server.declared.protocol_version.clone();
    // Nobody is there to answer what the server might ask in this session.
    let sender = Sender { capabilities: "{}".to_owned(), client: job.sender.client.clone() };
    let session = job.wait(sessions::open(&job.line, &sender, version.as_deref())).await?;
    let came = follow(job, &session, wanted).await;
    session.end(&job.line).await;
    came
}

async fn follow(job: &mut Job, session: &Session, wanted: Wanted) -> Result<(), Cut> {
    let mut messages = job.wait(session.unasked(&job.line, None)).await?;
    // Without a stream there is nothing to hear, whatever the server promises.
    let mut honored = match messages {
        Some(_) => wanted.within(job.server.server.declared.capabilities.as_deref()),
        None => Wanted::default(),
    };
    let mut followed = Vec::new();
    for address in std::mem::take(&mut honored.addresses) {
        let asked = is_agreed(session, &job.line, Method::ResourcesSubscribe, &address);
        if job.wait(asked).await? {
            followed.push(address);
        }
    }
    honored.addresses = followed;
    let acknowledged = json!({
        "jsonrpc": "2.0", "method": Method::SubscriptionsAcknowledged.name(),
        "params": { "notifications": honored.filter(), "_meta": {} },
    });
    let id = job.agent.mouth.id.clone();
    if let Some(told) = tagged(acknowledged.to_string().as_bytes(), &id) {
        job.agent.tell(told).await?;
    }
    let (mut taken_up, ends, mut hum) = (0, Instant::now() + LASTS, humming());
    while let Some(heard) = &mut messages
        && !honored.is_empty()
        && Instant::now() < ends
    {
        let text = tokio::select! {
            text = job.wait(heard.next()) => text?,
            _ = hum.tick() => {
                let _ = job.agent.mouth.pieces.try_send(Piece::Quiet);
                continue;
            }
        };
        match text {
            Some(text) => pass(job, session, &honored, &text, &id).await?,
            None if taken_up < TAKEN_UP => {
                taken_up += 1;
                let pause = heard.retry.unwrap_or(PAUSE.0).min(PAUSE.1);
                let last = heard.last.take();
                job.wait(rest(pause)).await?;
                messages = job.wait(session.unasked(&job.line, last.as_ref())).await?;
            }
            None => break,
        }
    }
    let ended = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete","_meta":{{"{SUBSCRIPTION}":{id}}}}}}}"#
    );
    job.agent.end(ended.into_bytes(), false).await;
    Ok(())
}

async fn pass(job: &mut Job, session: &Session, honored: &Wanted, text: &[u8], id: &str) -> Result<(), Cut> {
    match message::parse(text, &Limits::of(text.len())) {
        Ok(Message::Notification(told)) if honored.wants(&told) => {
            if let Some(told) = tagged(text, id) {
                job.agent.tell(told).await?;
            }
        }
        Ok(Message::Request(asked)) => {
            let id = asked.id.raw().text();
            let outcome = match asked.method() {
                Method::Ping => r#""result":{}"#,
                _ => r#""error":{"code":-32601,"message":"Nobody answers this in this session."}"#,
            };
            let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},{outcome}}}"#);
            job.wait(session.tell(&job.line, answer.into_bytes())).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Subscribes to a resource at an old server, or no longer; whether the server agreed.
pub(super) async fn is_agreed(
    session: &Session,
    line: &Line,
    method: Method<'_>,
    address: &str,
) -> Result<bool, Silent> {
    let id = session.fresh_id();
    let request = json!({
        "jsonrpc": "2.0", "id": id, "method": method.name(), "params": { "uri": address },
    });
    let Some(mut messages) = session.ask(line, id, request.to_string().into_bytes()).await? else {
        return Ok(false);
    };
    while let Some(text) = messages.next().await? {
        let said: Value = serde_json::from_slice(&text).unwrap_or_default();
        if said["id"] == id {
            return Ok(said["result"].is_object());
        }
    }
    Ok(false)
}

/// There is no room for one more.
pub(super) fn too_many() -> Silent {
    let sentence = "too many streams are open here; try again later".to_owned();
    Silent::of("bridge_full", sentence)
}

async fn rest(milliseconds: u64) -> Result<(), Silent> {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    Ok(())
}

/// A notification that says to which subscription it belongs.
fn tagged(text: &[u8], id: &str) -> Option<Vec<u8>> {
    changed(text, |params, edits, root| {
        let tag = [Change::Set(SUBSCRIPTION, id.as_bytes())];
        let meta = format!(r#"{{"{SUBSCRIPTION}":{id}}}"#);
        match params.and_then(|params| params.get("_meta")).filter(|meta| meta.kind() == Kind::Object) {
            Some(has) => edits.change(has, &tag),
            None => match params {
                Some(params) => edits.change(params, &[Change::Set("_meta", meta.as_bytes())]),
                None => {
                    let params = format!(r#"{{"_meta":{meta}}}"#);
                    edits.change(root, &[Change::Set("params", params.as_bytes())]);
                }
            },
        }
    })
}

/// A notification without the word to which subscription it belongs.
pub(super) fn untagged(text: &[u8]) -> Option<Vec<u8>> {
    changed(text, |params, edits, _| {
        if let Some(meta) = params.and_then(|params| params.get("_meta")) {
            edits.change(meta, &[Change::Remove(SUBSCRIPTION)]);
        }
    })
}

fn changed(text: &[u8], change: impl FnOnce(Option<Raw<'_>>, &mut Edits<'_>, Raw<'_>)) -> Option<Vec<u8>> {
    let root = strict::check(text, &Limits::of(text.len())).ok()?;
    let mut edits = Edits::of(text);
    change(root.get("params"), &mut edits, root);
    edits.apply().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::proxy::bridge::job;

    fn wanted(filter: &str) -> Result<Wanted, &'static str> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{filter}}}}}"#
        );
        Wanted::of(&job::request(body.as_bytes()).expect("a request"))
    }

    #[test]
    fn a_subscription_gets_what_it_asks_for_and_the_server_tells() {
        let asked =
            wanted(r#"{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a"]}"#);
        let asked = asked.expect("a good filter");
        let some = r#"{"tools":{"listChanged":true},"resources":{"listChanged":true}}"#;
        assert_eq!(asked.clone().within(Some(some)).filter(), json!({ "toolsListChanged": true }));
        assert!(asked.clone().within(None).is_empty() && asked.clone().within(Some("[]")).is_empty());
        let all = r#"{"prompts":{"listChanged":true},"resources":{"subscribe":true}}"#;
        let filter = json!({ "promptsListChanged": true, "resourceSubscriptions": ["a"] });
        assert_eq!(asked.within(Some(all)).filter(), filter);
        for bad in ["[]", r#"{"toolsListChanged":1}"#, r#"{"resourceSubscriptions":"a"}"#] {
            assert!(wanted(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_notification_is_tagged_with_its_subscription_and_freed_of_it() {
        for (plain, with) in [
            (r#"{"jsonrpc":"2.0","method":"x"}"#, json!({})),
            (r#"{"jsonrpc":"2.0","method":"x","params":{"a":1.0}}"#, json!({ "a": 1.0 })),
            (r#"{"jsonrpc":"2.0","method":"x","params":{"_meta":{"b":2}}}"#, json!({ "b": 2 })),
        ] {
            let tagged = tagged(plain.as_bytes(), "\"s-1\"").expect("an object");
            let said: Value = serde_json::from_slice(&tagged).expect("JSON");
            assert_eq!(said["params"]["_meta"][SUBSCRIPTION], "s-1", "{with}");
            let freed: Value = serde_json::from_slice(&untagged(&tagged).expect("an object")).expect("JSON");
            assert_eq!(freed["params"]["_meta"].get(SUBSCRIPTION), None);
        }
    }
}
