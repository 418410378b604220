//! Streams that stay open, and the authority they were opened by: one ends with the other.
//!
//! A call is judged when it begins, and its answer may come whenever it does. A stream of what a server says unasked has
//! no end of its own, so while one is open this replica looks every few seconds at what its organization has in force:
//! one look for all streams of an organization, and none where nobody listens.

use std::{
    collections::HashMap,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    base::{clock::Clock, ids::OrgId},
    domain::audit::ClientPart,
    flow::{
        decision::{Caller, OrgSnapshot},
        fault::ActionResult,
        proxy::{
            admit::Admitted,
            ask::{Answer, AnswerBody, Ask, Endpoint},
            route::{Call, Payload},
            snapshots::Snapshots,
        },
    },
    io::{
        db::OrgScope,
        net::{client::Egress, error::EgressError},
    },
    protocol::mcp::method::Method,
};

/// How often is looked.
const EVERY: Duration = Duration::from_secs(2);
/// After so many looks in vain, because the database is away, nobody is known to be allowed any longer.
const PATIENCE: usize = 5;

/// What the organization has in force at the last look; none where nothing is.
type InForce = Option<Arc<OrgSnapshot>>;

/// What watching over streams takes.
#[derive(Debug)]
pub struct TetherParts {
    /// What each organization has in force.
    pub snapshots: Arc<Snapshots>,
    /// Where servers may be.
    pub egress: Egress,
    /// The time.
    pub clock: Clock,
    /// Where background work belongs.
    pub tasks: TaskTracker,
    /// Ends when the process is to end, and no stream is to keep it from that.
    pub stop: CancellationToken,
}

/// Watches over open streams.
#[derive(Debug)]
pub struct Tethers {
    parts: TetherParts,
    orgs: Mutex<HashMap<OrgId, watch::Sender<InForce>>>,
}

/// By what a stream is held.
#[derive(Debug)]
pub struct Tether {
    admitted: Admitted,
    endpoint: Endpoint,
    ip: Option<IpAddr>,
    client: Option<ClientPart>,
}

impl Tether {
    /// For a call that opens a stream without an end of its own; none for all others.
    pub fn of(ask: &Ask, admitted: &Admitted, call: &Call<'_>) -> Option<Self> {
        let is_endless = matches!(call.payload, Payload::Listen)
            || call.request().is_some_and(|request| request.method() == Method::SubscriptionsListen);
        is_endless.then(|| Self::new(ask, admitted, call.client.clone()))
    }

    /// For a stream that this software opens.
    pub fn new(ask: &Ask, admitted: &Admitted, client: Option<ClientPart>) -> Self {
        let (endpoint, ip) = (ask.endpoint.clone(), ask.origin.ip);
        Self { admitted: admitted.clone(), endpoint, ip, client }
    }

    /// Who listens, by what is in force for them.
    pub fn caller<'a>(&'a self, admitted: &'a Admitted) -> Caller<'a> {
        admitted.caller(self.client.as_ref(), self.ip)
    }

    /// The agent by what is in force now, where that would still let the stream be opened.
    fn renewed(&self, by: Arc<OrgSnapshot>, clock: &Clock) -> Option<Admitted> {
        let admitted = self.admitted.renewed(by, clock.now())?;
        admitted.check(&self.endpoint, self.ip).ok()?;
        admitted.check_client(self.client.as_ref()).ok()?;
        if !matches!(self.endpoint, Endpoint::All { .. }) {
            admitted.server(&self.endpoint).ok()?;
        }
        Some(admitted)
    }
}

impl Tethers {
    /// Nobody listens yet.
    pub fn new(parts: TetherParts) -> Arc<Self> {
        Arc::new(Self { parts, orgs: Mutex::default() })
    }

    /// The answer, whose stream ends with what it is held by.
    pub fn hold(self: &Arc<Self>, tether: Option<Tether>, answer: Answer) -> Answer {
        match (tether, answer) {
            (Some(tether), Answer { status, headers, body: AnswerBody::Stream(body) }) => {
                let severed = Box::pin(Self::severed(Arc::clone(self), tether));
                Answer { status, headers, body: AnswerBody::stream(Held { body: Some(body), severed }) }
            }
            (_, answer) => answer,
        }
    }

    /// Waits until a tether no longer holds.
    async fn severed(self: Arc<Self>, tether: Tether) {
        let mut looks = self.looks(tether.admitted.snapshot.scope);
        while looks.changed().await.is_ok() {
            let in_force = looks.borrow_and_update().clone();
            if in_force.is_none_or(|by| self.still(&tether, by).is_none()) {
                return;
            }
        }
    }

    /// The agent by what is in force now, where a stream of it may stay open.
    pub fn still(&self, tether: &Tether, by: Arc<OrgSnapshot>) -> Option<Admitted> {
        tether.renewed(by, &self.parts.clock)
    }

    /// Where the work of a stream belongs.
    pub fn tasks(&self) -> &TaskTracker {
        &self.parts.tasks
    }

    /// The looks at an organization; they begin with whoever is the first to want them. Nothing in force ends streams.
    pub fn looks(self: &Arc<Self>, scope: OrgScope) -> watch::Receiver<InForce> {
        let mut orgs = self.orgs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(looks) = orgs.get(&scope.org()) {
            return looks.subscribe();
        }
        let (sender, looks) = watch::channel(None);
        orgs.insert(scope.org(), sender);
        let tethers = Arc::clone(self);
        self.parts.tasks.spawn(async move { tethers.look(scope).await });
        looks
    }

    async fn look(&self, scope: OrgScope) {
        let mut in_vain = 0;
        loop {
            let _ = tokio::time::timeout(EVERY, self.parts.stop.cancelled()).await;
            let in_force = match self.in_force(scope).await {
                _ if self.parts.stop.is_cancelled() => None,
                Ok(in_force) => in_force,
                Err(_) if in_vain < PATIENCE => {
                    in_vain += 1;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "open streams end, for nobody can tell who may still listen");
                    None
                }
            };
            in_vain = 0;
            let mut orgs = self.orgs.lock().unwrap_or_else(PoisonError::into_inner);
            // Behind the lock, so that nobody begins to wait for looks that end in this moment.
            if orgs.get(&scope.org()).is_none_or(|looks| looks.send(in_force).is_err()) {
                orgs.remove(&scope.org());
                return;
            }
        }
    }

    async fn in_force(&self, scope: OrgScope) -> ActionResult<InForce> {
        let Some(epoch) = self.parts.snapshots.epoch_now(scope).await? else { return Ok(None) };
        self.parts.snapshots.get(scope, Some(epoch), self.parts.egress.policy()).await
    }
}

/// A stream that ends with what it is held by.
struct Held<B> {
    body: Option<B>,
    severed: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<B: Body<Data = Bytes, Error = EgressError> + Unpin> Body for Held<B> {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        if this.severed.as_mut().poll(cx).is_ready() {
            this.body = None;
            return Poll::Ready(None);
        }
        Pin::new(body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }
}
