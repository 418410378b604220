//! From bearer to [`Admitted`]: whose token it is, whether it is in force, and whether it may be used here.

use std::{net::IpAddr, sync::Arc};

use time::OffsetDateTime;

use crate::{
    base::{
        actor::Actor,
        crypto::token::{Token, TokenKind},
        ids::{GrantId, GrantTokenId},
    },
    domain::{
        audit::{CallPart, ClientPart, Who},
        grants::{DecisionGrant, GrantState, Stop, TokenState},
        servers::Transport,
    },
    flow::{
        decision::{Caller, OrgSnapshot, ServerFacts},
        fault::{ActionError, ActionResult},
        proxy::{
            ask::{Ask, Endpoint},
            gateway::Gateway,
            handles::Holder,
            refusal::{Refusal, Refused},
        },
    },
    io::db::OrgScope,
};

/// Who called, as far as the record wants to know.
#[derive(Clone, Debug)]
pub struct Known {
    /// The organization in whose chain it stands.
    pub scope: OrgScope,
    /// The epoch it was judged at.
    pub epoch: i64,
    /// The agent; nobody where the token is none of a grant.
    pub who: Who,
    /// The grant.
    pub grant: Option<GrantId>,
    /// The token.
    pub token: Option<GrantTokenId>,
}

/// An agent that may be here.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// What its calls are judged by.
    pub snapshot: Arc<OrgSnapshot>,
    /// Its grant.
    pub grant: Arc<DecisionGrant>,
    /// Its token.
    pub token: GrantTokenId,
    /// When it came.
    pub now: OffsetDateTime,
    who: Who,
}

impl Admitted {
    /// Who calls, for the record.
    pub fn known(&self) -> Known {
        Known {
            scope: self.snapshot.scope,
            epoch: self.snapshot.epoch,
            who: self.who.clone(),
            grant: Some(self.grant.id),
            token: Some(self.token),
        }
    }

    /// The agent as policies may look at it.
    pub fn caller<'a>(&'a self, client: Option<&'a ClientPart>, ip: Option<IpAddr>) -> Caller<'a> {
        Caller { snapshot: &self.snapshot, grant: &self.grant, client, ip, now: self.now }
    }

    /// From where it called.
    pub fn ip(&self) -> Option<IpAddr> {
        self.who.origin.as_ref().and_then(|origin| origin.ip)
    }

    /// To whom a handle for a server belongs.
    pub fn holder(&self, server: &ServerFacts) -> Holder {
        Holder { org: self.snapshot.org(), grant: self.grant.id, server: Some(server.server.id) }
    }

    /// To whom a handle of the merged endpoint belongs.
    pub fn holder_of_all(&self) -> Holder {
        Holder { org: self.snapshot.org(), grant: self.grant.id, server: None }
    }

    /// A refusal of which nothing but the agent is known.
    pub fn refused(&self, refusal: Refusal) -> Box<Refused> {
        Box::new(Refused {
            part: CallPart {
                approval: refusal.approval(),
                decided: refusal.policy_part().cloned(),
                ..CallPart::new(refusal.trace())
            },
            known: Some(self.known()),
            server: None,
            id: match &refusal {
                Refusal::Malformed { id, .. } => id.clone(),
                _ => None,
            },
            is_tool_call: false,
            is_modern: false,
            refusal,
        })
    }

    /// Refuses where the grant is bound to other software than this.
    pub fn check_client(&self, client: Option<&ClientPart>) -> Result<(), Refusal> {
        let name = client.map(|client| client.name.as_str());
        if self.grant.bindings.admit_client(name) {
            Ok(())
        } else {
            Err(Refusal::ClientNotBound { client: name.map(str::to_owned) })
        }
    }
}

/// Finds out who calls, by a snapshot of at least this epoch where one is named.
///
/// # Errors
/// Why the agent may not be here.
pub async fn admit(gateway: &Gateway, ask: &Ask, newest: Option<i64>) -> Result<Admitted, Box<Refused>> {
    let Some(bearer) = ask.bearer() else { return Err(unknown(Refusal::NoToken)) };
    let Some(token) = Token::parse(TokenKind::Grant, bearer) else { return Err(turned_away(gateway, ask)) };
    let admitted = match gateway.snapshots.kept_grant(token.row(), ask.endpoint.org()) {
        Some((snapshot, grant)) => {
            let known = Admitted::of(snapshot, grant, &token, ask, gateway.clock.now());
            renew(gateway, known.ok_or_else(|| turned_away(gateway, ask))?, newest).await?
        }
        None => look_up(gateway, ask, &token, newest).await?,
    };
    admitted.check(&ask.endpoint, ask.origin.ip).map_err(|refusal| admitted.refused(refusal))?;
    Ok(admitted)
}

/// What somebody is answered whose token is none, as can be told without a look into the database.
fn turned_away(gateway: &Gateway, ask: &Ask) -> Box<Refused> {
    unknown(gateway.throttle.turn_away(ask.origin.ip))
}

/// The same agent by a snapshot that is new enough.
async fn renew(gateway: &Gateway, known: Admitted, newest: Option<i64>) -> Result<Admitted, Box<Refused>> {
    if newest.is_none_or(|newest| known.snapshot.epoch >= newest) {
        return Ok(known);
    }
    let fresh = gateway.snapshots.get(known.snapshot.scope, newest, gateway.egress.policy()).await;
    let renewed = fresh.map_err(away)?.and_then(|fresh| known.renewed(fresh, known.now));
    renewed.ok_or_else(|| unknown(Refusal::UnknownToken))
}

/// Looks for a token that nobody here has in mind. Whoever tries many in vain is not looked for at last.
async fn look_up(
    gateway: &Gateway,
    ask: &Ask,
    token: &Token,
    newest: Option<i64>,
) -> Result<Admitted, Box<Refused>> {
    let attempt = gateway.throttle.take(ask.origin.ip).await.map_err(unknown)?;
    let found = match find(gateway, token, newest).await {
        Ok(found) => found,
        Err(error) => {
            attempt.give_back();
            return Err(away(error));
        }
    };
    let now = gateway.clock.now();
    match found.and_then(|(snapshot, grant)| Admitted::of(snapshot, grant, token, ask, now)) {
        Some(admitted) => {
            attempt.give_back();
            Ok(admitted)
        }
        None => Err(unknown(attempt.failed())),
    }
}

/// The token's organization and grant; read anew where the token is younger than what is kept.
async fn find(
    gateway: &Gateway,
    token: &Token,
    newest: Option<i64>,
) -> ActionResult<Option<(Arc<OrgSnapshot>, Arc<DecisionGrant>)>> {
    let policy = gateway.egress.policy();
    let Some(scope) = gateway.snapshots.org_of(token).await? else { return Ok(None) };
    let Some(kept) = gateway.snapshots.get(scope, newest, policy).await? else { return Ok(None) };
    if let Some(grant) = kept.grant_of(token.row()) {
        return Ok(Some((Arc::clone(&kept), Arc::clone(grant))));
    }
    // Who carries a token that ended long ago is not to have everything read anew each time.
    let epoch = gateway.snapshots.epoch_now(scope).await?;
    if epoch == Some(kept.epoch) {
        return Ok(None);
    }
    let Some(fresh) = gateway.snapshots.get(scope, epoch, policy).await? else { return Ok(None) };
    Ok(fresh.grant_of(token.row()).map(|grant| (Arc::clone(&fresh), Arc::clone(grant))))
}

fn unknown(refusal: Refusal) -> Box<Refused> {
    Box::new(Refused {
        part: CallPart::new(refusal.trace()),
        refusal,
        known: None,
        server: None,
        id: None,
        is_tool_call: false,
        is_modern: false,
    })
}

fn away(error: ActionError) -> Box<Refused> {
    tracing::warn!(%error, "calls cannot be judged");
    unknown(Refusal::Away)
}

impl Admitted {
    /// The agent that carries a token of this grant; none where it only knows which there are.
    fn of(
        snapshot: Arc<OrgSnapshot>,
        grant: Arc<DecisionGrant>,
        token: &Token,
        ask: &Ask,
        now: OffsetDateTime,
    ) -> Option<Self> {
        let carried = grant.tokens.iter().find(|one| one.id == token.row());
        // The secret decides whether the caller is who the row says; before, nothing of the grant is known of them.
        if !carried.is_some_and(|one| one.matches(&token.hash())) {
            return None;
        }
        let actor = Actor::Grant { grant: grant.id, principal: grant.principal };
        let who = Who::asking(actor, grant.label.as_str(), ask.origin.clone());
        Some(Self { token: token.row(), snapshot, grant, now, who })
    }

    /// The same agent by a newer snapshot and a later moment; none where its grant or token is not in it.
    pub fn renewed(&self, snapshot: Arc<OrgSnapshot>, now: OffsetDateTime) -> Option<Self> {
        let grant = Arc::clone(snapshot.grant_of(self.token)?);
        Some(Self { token: self.token, who: self.who.clone(), snapshot, grant, now })
    }

    /// Steps 1 to 4, in their order, for an endpoint and an address.
    ///
    /// # Errors
    /// Why the agent may not be here.
    pub fn check(&self, endpoint: &Endpoint, ip: Option<IpAddr>) -> Result<(), Refusal> {
        self.check_gate()?;
        self.check_token()?;
        if endpoint.org().is_some_and(|org| !self.snapshot.is_named(org)) {
            return Err(Refusal::ForeignEndpoint);
        }
        if !self.grant.bindings.admit_ip(ip) {
            return Err(Refusal::NetworkNotBound);
        }
        self.check_grant()
    }

    fn check_gate(&self) -> Result<(), Refusal> {
        if self.snapshot.is_suspended {
            return Err(Refusal::OrgSuspended);
        }
        if self.snapshot.gate.is_open() {
            return Ok(());
        }
        Err(Refusal::GateClosed { reason: self.snapshot.gate.reason.clone() })
    }

    fn check_token(&self) -> Result<(), Refusal> {
        let carried = self.grant.tokens.iter().find(|one| one.id == self.token);
        match carried.map(|one| one.state(self.now)) {
            Some(TokenState::Live) => Ok(()),
            Some(TokenState::Expired) => Err(Refusal::TokenExpired),
            Some(TokenState::Revoked) => Err(Refusal::TokenRevoked),
            None => Err(Refusal::UnknownToken),
        }
    }

    fn check_grant(&self) -> Result<(), Refusal> {
        let reason = |stop: &Option<Stop>| {
            stop.as_ref().map(|stop| stop.reason.clone()).filter(|reason| !reason.is_empty())
        };
        match self.grant.state(self.now) {
            GrantState::Active => Ok(()),
            GrantState::Suspended => Err(Refusal::GrantSuspended { reason: reason(&self.grant.suspension) }),
            GrantState::Expired => Err(Refusal::GrantExpired),
            GrantState::Revoked => Err(Refusal::GrantRevoked { reason: reason(&self.grant.revocation) }),
            GrantState::PrincipalGone => Err(Refusal::PrincipalGone),
        }
    }

    /// The server that the endpoint names, where it is the grant's and can be called.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn server(&self, endpoint: &Endpoint) -> Result<Arc<ServerFacts>, Refusal> {
        let found = match endpoint {
            Endpoint::Server { server, .. } => self.snapshot.server(server),
            Endpoint::ServerById { server } => {
                self.snapshot.server(server).filter(|facts| *server == facts.server.id.to_string())
            }
            Endpoint::Within { server, .. } => self.snapshot.server_by_id(*server),
            Endpoint::All { .. } => None,
        };
        let facts = found.filter(|facts| self.grant.covers(facts.server.id)).ok_or(Refusal::ServerUnknown)?;
        Self::check_served(facts)?;
        Ok(Arc::clone(facts))
    }

    /// The servers that the merged endpoint offers, in the order of their short names.
    pub fn servers(&self) -> Vec<&Arc<ServerFacts>> {
        let is_offered = |facts: &&Arc<ServerFacts>| {
            self.grant.covers(facts.server.id) && Self::check_served(facts).is_ok()
        };
        let mut servers: Vec<_> = self.snapshot.servers().filter(is_offered).collect();
        servers.sort_by(|a, b| a.server.slug.as_str().cmp(b.server.slug.as_str()));
        servers
    }

    fn check_served(facts: &ServerFacts) -> Result<(), Refusal> {
        let name = || facts.server.name.to_string();
        if !facts.server.is_enabled {
            return Err(Refusal::ServerDisabled { server: name() });
        }
        let is_spoken = matches!(facts.server.transport, Transport::Http | Transport::Sse);
        if !is_spoken || facts.target.is_none() {
            return Err(Refusal::TransportUnserved { server: name() });
        }
        Ok(())
    }
}
