//! What a server says unasked, on the stream of a session of ours: changes of its lists, and of the resources that the
//! session follows, as far as the server tells of them.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval, timeout},
};

use crate::{
    domain::servers::Declared,
    flow::proxy::{
        bridge::{
            Way,
            dress::{self, Sender},
            followed::Followed,
            job,
            listen::{self, Wanted},
            sessions::{self, Session},
            talk::{Line, Messages, Silent, VERSION},
            to_modern::METHOD,
        },
        dispatch,
        edit::Editor,
        pieces::{LASTS, Piece, humming},
    },
    protocol::mcp::{
        message::{self, Message},
        method::Method,
        strict::Limits,
        version::Version,
    },
};

/// How often is looked which resources the session follows.
const LOOK: Duration = Duration::from_secs(3);
/// How long the server may take to agree to what it is to tell of.
const AGREED_WITHIN: Duration = Duration::from_secs(30);

/// What a server says unasked.
pub(super) struct Unasked {
    line: Line,
    source: Source,
    /// What is listened for.
    wanted: Wanted,
    /// Where it comes; none while there is nothing to be heard.
    messages: Option<Messages>,
    /// Which resources the session follows; none where the server tells of none.
    followed: Option<Followed>,
}

/// How a server is asked to tell.
enum Source {
    /// By one subscription for all of it.
    Modern(Sender),
    /// In a session of its own.
    Legacy(Session),
}

impl Unasked {
    /// Begins to listen; nothing where the server has nothing of the kind.
    pub(super) async fn of(
        line: Line,
        sender: Sender,
        declared: &Declared,
        way: Way,
        followed: Option<Followed>,
    ) -> Result<Option<Self>, Silent> {
        let wanted = Wanted::told_by(declared.capabilities.as_deref());
        if wanted.is_empty() && followed.is_none() {
            return Ok(None);
        }
        let (source, messages) = match way {
            Way::ToModern => {
                let messages = at_modern(&line, &sender, &wanted).await?;
                // A server that tells of nothing but resources is asked once one is followed.
                if messages.is_none() && !wanted.is_empty() {
                    return Ok(None);
                }
                (Source::Modern(sender), messages)
            }
            Way::ToLegacy => {
                let silent = Sender { capabilities: "{}".to_owned(), client: sender.client };
                let session = sessions::open(&line, &silent, declared.protocol_version.as_deref()).await?;
                let Some(messages) = session.unasked(&line, None).await? else {
                    session.end(&line).await;
                    return Ok(None);
                };
                (Source::Legacy(session), Some(messages))
            }
        };
        Ok(Some(Self { line, source, wanted, messages, followed }))
    }

    /// Passes it on until either side ends it.
    pub(super) async fn pass_on(mut self, editor: Editor, pieces: mpsc::Sender<Piece>) {
        if let Some(followed) = &self.followed
            && let Err(error) = followed.touch().await
        {
            tracing::warn!(%error, "it cannot be noted that a session listens");
        }
        let (ends, mut hum, mut looks) = (Instant::now() + LASTS, humming(), looks());
        while Instant::now() < ends {
            let text = tokio::select! {
                () = pieces.closed() => break,
                text = next(&mut self.messages) => text,
                _ = looks.tick(), if self.followed.is_some() => {
                    let is_followed = tokio::select! {
                        came = timeout(AGREED_WITHIN, self.follow()) => matches!(came, Ok(Ok(()))),
                        () = pieces.closed() => false,
                    };
                    if is_followed { continue } else { break }
                }
                _ = hum.tick() => {
                    let _ = pieces.try_send(Piece::Quiet);
                    continue;
                }
            };
            let Ok(Some(text)) = text else { break };
            match message::parse(&text, &Limits::of(text.len())) {
                Ok(Message::Notification(told)) if self.is_wanted(told.method()) => {
                    let Some(told) = listen::untagged(&text) else { continue };
                    let shown = editor.edit(&told).ok().flatten().unwrap_or(told);
                    if pieces.send(Piece::Told(shown)).await.is_err() {
                        break;
                    }
                }
                Ok(Message::Notification(_) | Message::Request(_)) => {}
                // The answer ends the subscription.
                Ok(Message::Response(_)) | Err(_) => break,
            }
        }
        if let Source::Legacy(session) = self.source {
            session.end(&self.line).await;
        }
    }

    /// Whether it is a change of a list, or of what the session follows. The rest belongs to requests.
    fn is_wanted(&self, method: Method<'_>) -> bool {
        match method {
            Method::ToolsListChanged | Method::PromptsListChanged | Method::ResourcesListChanged => true,
            Method::ResourcesUpdated => !self.wanted.addresses.is_empty(),
            _ => false,
        }
    }

    /// Has the server tell of what the session follows now.
    async fn follow(&mut self) -> Result<(), Silent> {
        let Some(followed) = &mut self.followed else { return Ok(()) };
        let addresses = match followed.addresses().await {
            Ok(addresses) => addresses,
            // The database may be there again at the next look.
            Err(error) => {
                tracing::warn!(%error, "it cannot be seen which resources a session follows");
                return Ok(());
            }
        };
        if addresses == self.wanted.addresses {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.wanted.addresses, addresses);
        match &self.source {
            // The new subscription begins before the old one ends, so that nothing is missed between.
            Source::Modern(sender) => {
                self.messages = at_modern(&self.line, sender, &self.wanted).await?;
                let is_refused = self.messages.is_none() && !self.wanted.is_empty();
                if is_refused { Err(unfollowed()) } else { Ok(()) }
            }
            Source::Legacy(session) => {
                let (now, line) = (&self.wanted.addresses, &self.line);
                for address in now.iter().filter(|address| !before.contains(address)) {
                    listen::is_agreed(session, line, Method::ResourcesSubscribe, address).await?;
                }
                for address in before.iter().filter(|address| !now.contains(address)) {
                    listen::is_agreed(session, line, Method::ResourcesUnsubscribe, address).await?;
                }
                Ok(())
            }
        }
    }
}

fn looks() -> Interval {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// The next message; none comes while there is nothing to be heard.
async fn next(messages: &mut Option<Messages>) -> Result<Option<bytes::Bytes>, Silent> {
    match messages {
        Some(messages) => messages.next().await,
        None => std::future::pending().await,
    }
}

fn unfollowed() -> Silent {
    let sentence = "the server does not tell of the resources that are followed".to_owned();
    Silent::of("upstream_answer_invalid", sentence)
}

/// Subscribes at a modern server; nothing where it has no stream for it, or there is nothing to subscribe to.
async fn at_modern(line: &Line, sender: &Sender, wanted: &Wanted) -> Result<Option<Messages>, Silent> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let request = json!({
        "jsonrpc": "2.0", "id": 1, "method": Method::SubscriptionsListen.name(),
        "params": { "notifications": wanted.filter() },
    });
    let request = request.to_string();
    let Some(asked) = job::request(request.as_bytes()) else { return Ok(None) };
    let body = dress::request_to_modern(request.as_bytes(), &asked, "1", sender, None);
    let Ok(body) = body else { return Ok(None) };
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(VERSION, HeaderValue::from_static(Version::LATEST.name()));
    headers.insert(METHOD, HeaderValue::from_static(Method::SubscriptionsListen.name()));
    let reply = line.post(&headers, body).await?;
    if reply.status != StatusCode::OK || !dispatch::is_event_stream(&reply.headers) {
        return Ok(None);
    }
    Messages::of(reply).map(Some)
}
