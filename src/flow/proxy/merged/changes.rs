//! The streams of the merged endpoint, on which an agent hears that its tools are others now.
//!
//! The list of tools is made here, of what was reviewed, so it is also known here when it changes: no server is asked.
//! Prompts and resources are listed by their servers, and of their changes nothing is promised.

use std::sync::Arc;

use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{
    base::crypto::digest::{self, Digest},
    flow::{
        decision::OrgSnapshot,
        proxy::{
            admit::Admitted,
            ask::{Answer, Ask},
            gateway::Gateway,
            merged::{heard::Heard, own},
            pieces::{self, LASTS, Piece, SUBSCRIPTION, humming},
            tether::{Tether, Tethers},
        },
    },
    protocol::mcp::{message::Request, method::Method, raw::Kind},
};

/// Whether a subscription asks for changes of the tools.
///
/// # Errors
/// The member that is wrong.
pub(super) fn wants_tools(request: &Request<'_>) -> Result<bool, &'static str> {
    let filter = request.params.get("notifications").filter(|raw| raw.kind() == Kind::Object);
    filter.ok_or("params.notifications must be an object")?;
    match request.params.listens("toolsListChanged") {
        None => Ok(false),
        Some(raw) => raw.boolean().ok_or("params.notifications.toolsListChanged must be true or false"),
    }
}

/// The stream of a session.
pub(super) fn of_session(gateway: &Gateway, ask: &Ask, admitted: &Admitted, heard: &Heard) -> Answer {
    begin(gateway, ask, admitted, heard, None)
}

/// A subscription, with the id of its request as it was written.
pub(super) fn subscription(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    heard: &Heard,
    asked: (&Request<'_>, bool),
) -> Answer {
    let (request, wants_tools) = asked;
    let subscription = Subscription { id: request.id.raw().text().to_owned(), wants_tools };
    begin(gateway, ask, admitted, heard, Some(subscription))
}

fn begin(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    heard: &Heard,
    subscription: Option<Subscription>,
) -> Answer {
    let (outlet, pieces) = pieces::channel();
    let tether = Tether::new(ask, admitted, heard.client.clone());
    let stream = Stream {
        looks: gateway.tethers.looks(admitted.snapshot.scope),
        tethers: Arc::clone(&gateway.tethers),
        last: digest_of(admitted, &tether),
        tether,
        subscription,
        outlet,
    };
    gateway.tethers.tasks().spawn(stream.run());
    pieces::stream(None, pieces)
}

/// What a subscription of the modern era is about.
struct Subscription {
    id: String,
    wants_tools: bool,
}

impl Subscription {
    fn acknowledged(&self) -> String {
        let honored = if self.wants_tools { json!({ "toolsListChanged": true }) } else { json!({}) };
        let method = Method::SubscriptionsAcknowledged.name();
        format!(
            r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"notifications":{honored},"_meta":{}}}}}"#,
            self.tag()
        )
    }

    fn ended(&self) -> String {
        let (id, tag) = (&self.id, self.tag());
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete","_meta":{tag}}}}}"#)
    }

    fn tag(&self) -> String {
        format!(r#"{{"{SUBSCRIPTION}":{}}}"#, self.id)
    }
}

struct Stream {
    looks: watch::Receiver<Option<Arc<OrgSnapshot>>>,
    tethers: Arc<Tethers>,
    tether: Tether,
    subscription: Option<Subscription>,
    outlet: mpsc::Sender<Piece>,
    last: Digest,
}

impl Stream {
    async fn run(mut self) {
        if let Some(subscription) = &self.subscription
            && self.say(subscription.acknowledged()).await.is_err()
        {
            return;
        }
        let is_deaf = self.subscription.as_ref().is_some_and(|subscription| !subscription.wants_tools);
        let (ends, mut hum) = (Instant::now() + LASTS, humming());
        while !is_deaf && Instant::now() < ends {
            tokio::select! {
                () = self.outlet.closed() => return,
                _ = hum.tick() => drop(self.outlet.try_send(Piece::Quiet)),
                looked = self.looks.changed() => {
                    let by = self.looks.borrow_and_update().clone();
                    let by = by.filter(|_| looked.is_ok());
                    let Some(admitted) = by.and_then(|by| self.tethers.still(&self.tether, by)) else { break };
                    if self.tell(&admitted).await.is_err() {
                        return;
                    }
                }
            }
        }
        if let Some(subscription) = &self.subscription {
            let ended = Piece::Ended(http::StatusCode::OK, subscription.ended().into_bytes());
            let _ = self.outlet.send(ended).await;
        }
    }

    /// Says that the tools are others, where they are.
    async fn tell(&mut self, admitted: &Admitted) -> Result<(), Gone> {
        let now = digest_of(admitted, &self.tether);
        if std::mem::replace(&mut self.last, now) == now {
            return Ok(());
        }
        let params = match &self.subscription {
            Some(subscription) => format!(r#","params":{{"_meta":{}}}"#, subscription.tag()),
            None => String::new(),
        };
        let method = Method::ToolsListChanged.name();
        self.say(format!(r#"{{"jsonrpc":"2.0","method":"{method}"{params}}}"#)).await
    }

    async fn say(&self, message: String) -> Result<(), Gone> {
        self.outlet.send(Piece::Told(message.into_bytes())).await.map_err(|_| Gone)
    }
}

/// The agent is gone.
struct Gone;

/// Of all that the list of tools shows the agent.
fn digest_of(admitted: &Admitted, tether: &Tether) -> Digest {
    let mut all = Vec::new();
    for (name, _, definition) in own::callable(admitted, &tether.caller(admitted)) {
        all.extend_from_slice(&digest::sha256(name.as_bytes()));
        all.extend_from_slice(&digest::sha256(definition.as_bytes()));
    }
    digest::sha256(&all)
}
