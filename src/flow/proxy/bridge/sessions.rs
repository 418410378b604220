//! Sessions that this replica holds at servers of the old era, in the name of agents that bring none of their own.
//!
//! One for each grant, server, client, account and session of the agent's own, where it has such: what a server keeps in a
//! session is seen by nobody else. A session that the server has forgotten is opened anew, and one whose agent ends its own
//! is ended.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        crypto::digest::{self, Digest},
        ids::ConnectionId,
    },
    flow::proxy::{
        ask::Ask,
        bridge::{
            dress::{self, Sender},
            old::Stream,
            talk::{Line, Messages, SESSION, Silent, VERSION},
        },
        dispatch,
        handles::Holder,
    },
    protocol::mcp::version::{Era, Version},
};

/// How long a session rests unused before it is forgotten.
const REST: Duration = Duration::minutes(15);
/// How many are held; beyond, those that rest longest go.
const MOST: usize = 10_000;

/// The id under which what nobody asked for is waited for; no request has a larger one.
const UNASKED: u64 = u64::MAX;

/// Whose session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    holder: Holder,
    /// Whose token opens it: a server may take whoever opened a session for who calls.
    account: Option<ConnectionId>,
    /// Of the client and what it can do.
    client: Digest,
    /// The agent's own session.
    agents: Option<Digest>,
}

impl Key {
    pub(super) fn of(
        holder: Holder,
        account: Option<ConnectionId>,
        sender: &Sender,
        agents: Option<Digest>,
    ) -> Self {
        let client = [sender.capabilities.as_str(), sender.client.as_deref().unwrap_or_default()].join("\n");
        Self { holder, account, client: digest::sha256(client.as_bytes()), agents }
    }
}

/// The session of an agent's own that a request belongs to; the modern era has none.
pub(super) fn of_agent(ask: &Ask, era: Era) -> Option<Digest> {
    let handle = ask.header(SESSION.as_str()).filter(|_| era == Era::Legacy)?;
    Some(digest::sha256(handle.as_bytes()))
}

/// A session at a server.
#[derive(Debug)]
pub(super) struct Session {
    id: Option<HeaderValue>,
    version: HeaderValue,
    next: AtomicU64,
    /// Where everything is heard, on the transport of 2024.
    stream: Option<Arc<Stream>>,
}

impl Session {
    /// An id that no other request of the session has.
    pub(super) fn fresh_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// What every request of the session carries.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(VERSION, self.version.clone());
        if let Some(id) = &self.id {
            headers.insert(SESSION, id.clone());
        }
        headers
    }

    /// Sends a request under an id of this session; what is heard of it, or nothing where the server has forgotten the
    /// session.
    pub(super) async fn ask(&self, line: &Line, id: u64, body: Vec<u8>) -> Result<Option<Messages>, Silent> {
        if let Some(stream) = &self.stream {
            return Ok(stream.ask(line, &self.headers(), id, body).await?.map(Messages::heard));
        }
        let reply = line.post(&self.headers(), body).await?;
        if self.id.is_some() && reply.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Messages::of(reply).map(Some)
    }

    /// Sends what is not answered.
    pub(super) async fn tell(&self, line: &Line, body: Vec<u8>) -> Result<(), Silent> {
        match &self.stream {
            Some(stream) => drop(stream.post(line, &self.headers(), body).await?),
            None => drop(line.post(&self.headers(), body).await?),
        }
        Ok(())
    }

    /// What the server says unasked, behind this event where one is named; nothing where it has no stream for it.
    pub(super) async fn unasked(
        &self,
        line: &Line,
        last: Option<&HeaderValue>,
    ) -> Result<Option<Messages>, Silent> {
        if let Some(stream) = &self.stream {
            return Ok(stream.listen(UNASKED).map(Messages::heard));
        }
        let reply = line.listen(&self.headers(), last).await?;
        if reply.status.is_success() && dispatch::is_event_stream(&reply.headers) {
            return Messages::of(reply).map(Some);
        }
        Ok(None)
    }

    /// Ends it, where the server knows how to.
    pub(super) async fn end(&self, line: &Line) {
        if self.id.is_none() {
            return;
        }
        if let Err(error) = line.end(&self.headers()).await {
            tracing::debug!(%error, "a session was not ended");
        }
    }

    fn is_over(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.is_over())
    }
}

#[derive(Debug)]
struct Slot {
    used: OffsetDateTime,
    /// Whoever comes while it is being opened waits for that.
    session: Arc<tokio::sync::Mutex<Option<Arc<Session>>>>,
}

/// All sessions of this replica.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    slots: Mutex<HashMap<Key, Slot>>,
}

impl Sessions {
    /// The session of an agent, opened where there is none.
    pub(super) async fn get(
        &self,
        key: Key,
        line: &Line,
        sender: &Sender,
        version: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Arc<Session>, Silent> {
        let slot = self.slot(key, now);
        let mut held = slot.lock().await;
        if let Some(session) = held.as_ref().filter(|session| !session.is_over()) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(open(line, sender, version).await?);
        *held = Some(Arc::clone(&session));
        Ok(session)
    }

    /// A session that its server has forgotten.
    pub(super) async fn forget(&self, key: Key, gone: &Arc<Session>, now: OffsetDateTime) {
        let slot = self.slot(key, now);
        let mut held = slot.lock().await;
        if held.as_ref().is_some_and(|session| Arc::ptr_eq(session, gone)) {
            *held = None;
        }
    }

    /// Whether something is held for a session of an agent's own.
    pub(super) fn holds(&self, holder: Holder, agents: Option<Digest>) -> bool {
        agents.is_some() && self.slots().keys().any(|key| key.holder == holder && key.agents == agents)
    }

    /// Takes away what is held for a session of an agent's own, to be ended with this account's token. What another account
    /// opened is left to its server to forget.
    pub(super) async fn take(
        &self,
        holder: Holder,
        agents: Option<Digest>,
        account: Option<ConnectionId>,
    ) -> Vec<Arc<Session>> {
        if agents.is_none() {
            return Vec::new();
        }
        let taken: Vec<_> = {
            let mut slots = self.slots();
            let is_of = |key: &&Key| key.holder == holder && key.agents == agents;
            let keys: Vec<_> = slots.keys().filter(is_of).copied().collect();
            keys.into_iter().filter_map(|key| slots.remove(&key).map(|slot| (key, slot))).collect()
        };
        let mut sessions = Vec::with_capacity(taken.len());
        for (_, slot) in taken.into_iter().filter(|(key, _)| key.account == account) {
            sessions.extend(slot.session.lock().await.take());
        }
        sessions
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, key: Key, now: OffsetDateTime) -> Arc<tokio::sync::Mutex<Option<Arc<Session>>>> {
        let mut slots = self.slots();
        if !slots.contains_key(&key) {
            slots.retain(|_, slot| now - slot.used < REST);
            if slots.len() >= MOST
                && let Some(oldest) = slots.iter().min_by_key(|(_, slot)| slot.used).map(|(key, _)| *key)
            {
                slots.remove(&oldest);
            }
        }
        let slot = slots.entry(key).or_insert_with(|| Slot { used: now, session: Arc::default() });
        slot.used = now;
        Arc::clone(&slot.session)
    }
}

/// Opens a session as the agent would.
pub(super) async fn open(line: &Line, sender: &Sender, version: Option<&str>) -> Result<Session, Silent> {
    let wanted = version.and_then(Version::parse).filter(|version| !version.is_modern());
    let wanted = wanted.unwrap_or(Version::LATEST_LEGACY);
    let us = || json!({ "name": "portreeve", "version": env!("CARGO_PKG_VERSION") });
    let client = sender.client.as_deref().and_then(|client| serde_json::from_str(client).ok());
    let body = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": wanted.name(),
            "capabilities": dress::client_capabilities(&sender.capabilities),
            "clientInfo": client.unwrap_or_else(us),
        },
    });
    let (id, stream, mut messages) = begin(line, body.to_string().into_bytes()).await?;
    let version = loop {
        let Some(text) = messages.next().await? else { return Err(no_session()) };
        let said: Value = serde_json::from_slice(&text).map_err(|_| no_session())?;
        if said["id"] == 0 {
            let version = said["result"]["protocolVersion"].as_str().and_then(Version::parse);
            break version.filter(|version| !version.is_modern()).ok_or_else(no_session)?;
        }
    };
    let version = HeaderValue::from_static(version.name());
    let session = Session { id, version, next: AtomicU64::new(1), stream };
    session.tell(line, br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_vec()).await?;
    Ok(session)
}

type Begun = (Option<HeaderValue>, Option<Arc<Stream>>, Messages);

/// Sends the first request of a session.
async fn begin(line: &Line, body: Vec<u8>) -> Result<Begun, Silent> {
    if line.is_old {
        let stream = Stream::open(line).await?;
        let ear = stream.ask(line, &HeaderMap::new(), 0, body).await?.ok_or_else(no_session)?;
        return Ok((None, Some(stream), Messages::heard(ear)));
    }
    let reply = line.post(&HeaderMap::new(), body).await?;
    let id = reply.headers.get(SESSION).cloned();
    Ok((id, None, Messages::of(reply)?))
}

fn no_session() -> Silent {
    let sentence = "the server did not open a session".to_owned();
    Silent::of("upstream_answer_invalid", sentence)
}
