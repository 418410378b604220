//! The values that a server's requests carry, opened for one request and for nobody else.
//!
//! Of secrets those are carried that serve whoever the agent acts for: the organization's, one of a team of theirs, their
//! own. Where one is not there nothing is sent, and the agent is told who can add it.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    base::{
        actor::Principal,
        ids::{ConnectionId, SecretId},
        secret::Secret,
        trace::Fixer,
    },
    domain::{
        secrets::{
            Scope, SealedSecret,
            store::{SEALED_IN, served},
        },
        servers::{Credential as Stored, CredentialTarget},
        vault::{Cell, Sealed},
    },
    flow::{
        decision::scope_of,
        fault::{ActionError, ActionResult},
        proxy::{
            accounts::{self, Asked, Serving},
            admit::Admitted,
            gateway::Gateway,
            judge::Permit,
            refusal::{Refusal, Refused},
            route::Call,
            state::State,
            unconnected::{Lack, Link, Missing, Places, Told, Unconnected},
        },
        tokens::LiveToken,
    },
    io::{
        db::{OrgTx, Tx},
        net::target::Target,
    },
    protocol::mcp::version::Era,
};

/// What a request to the server carries besides the message.
#[derive(Default)]
pub struct Credential {
    headers: Vec<(HeaderName, HeaderValue)>,
    query: Vec<(String, Secret<String>)>,
    secrets: Vec<SecretId>,
    /// The account whose token it holds, and which pair it is of.
    account: Option<UsedAccount>,
}

/// An account whose token a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedAccount {
    /// The connection.
    pub id: ConnectionId,
    /// The pair's number.
    pub version: i64,
    /// Whether a rule chose it in place of the one that serves else.
    pub is_by_rule: bool,
}

/// Says what it holds of, never the values.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Credential").field("headers", &names).finish_non_exhaustive()
    }
}

impl Credential {
    /// The secrets whose values it holds.
    pub fn secrets(&self) -> &[SecretId] {
        &self.secrets
    }

    /// The account whose token it holds.
    pub const fn account(&self) -> Option<UsedAccount> {
        self.account
    }

    /// Puts a whole value in its place.
    fn put(&mut self, one: &Stored, value: &Secret<String>) -> ActionResult<()> {
        match one.target {
            CredentialTarget::Header => {
                let name = HeaderName::try_from(one.name.as_str());
                let value = HeaderValue::from_str(value.expose());
                let (name, mut value) =
                    (name.map_err(ActionError::defect)?, value.map_err(ActionError::defect)?);
                value.set_sensitive(true);
                self.headers.push((name, value));
            }
            CredentialTarget::Query => self.query.push((one.name.clone(), value.clone())),
            CredentialTarget::Env => {}
        }
        Ok(())
    }

    /// Puts the values into a request.
    pub fn attach(self, headers: &mut HeaderMap, target: &Target) -> Target {
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        if self.query.is_empty() {
            return target.clone();
        }
        let pairs = self.query.iter().map(|(name, value)| (name.as_str(), value.expose().as_str()));
        target.with_query(pairs)
    }
}

/// A credential, and where its sealed value is: in its own row, or in a secret's.
struct Found<'s> {
    of: &'s Stored,
    secret: Option<Arc<SealedSecret>>,
    /// The token of an account.
    token: Option<Serving>,
}

/// Whether a session at the server was opened with another account than the one that a call is to be made with: its server may
/// take whoever opened it for who calls.
///
/// # Errors
/// That the session is unknown, so that its client opens another; or, where that would be opened with the same account again,
/// what to do instead.
pub fn fits(admitted: &Admitted, permit: &Permit<'_>, credential: &Credential) -> Result<(), Box<Refused>> {
    let call = permit.call();
    let opened_with =
        call.session.as_ref().filter(|session| session.bridged.is_none()).and_then(|one| one.account);
    let (Some(opened_with), Some(used)) = (opened_with, credential.account) else { return Ok(()) };
    if opened_with == used.id {
        return Ok(());
    }
    let refusal = match used.is_by_rule {
        true => Refusal::SessionOfOther { server: call.server.server.name.to_string() },
        false => Refusal::HandleUnknown,
    };
    Err(call.refused(admitted, refusal))
}

/// Opens what the permitted call's server asks for.
///
/// # Errors
/// Where a value is not there, or cannot be read.
pub async fn open(
    gateway: &Gateway,
    admitted: &Admitted,
    permit: &Permit<'_>,
) -> Result<Credential, Box<Refused>> {
    open_with(gateway, admitted, permit, None).await
}

/// The same with a newer token than the snapshot knows of, for its account.
///
/// # Errors
/// As [`open`].
pub async fn open_with(
    gateway: &Gateway,
    admitted: &Admitted,
    permit: &Permit<'_>,
    newer: Option<&LiveToken>,
) -> Result<Credential, Box<Refused>> {
    let stored = &permit.call().server.server.credentials;
    if stored.is_empty() {
        return Ok(Credential::default());
    }
    let server = permit.call().server.server.name.to_string();
    let unreadable = |error: ActionError| {
        tracing::warn!(%error, server = %permit.call().server.server.id, "a server's credential does not open");
        permit.call().refused(admitted, Refusal::CredentialMissing { server: server.clone() })
    };
    let (mut found, mut lacks) = (Vec::with_capacity(stored.len()), Vec::new());
    let at = Places { base_url: &gateway.base_url, org: &admitted.snapshot.slug };
    // First what may have to be asked of a provider: no transaction is open while it answers.
    for (one, provider) in stored.iter().filter_map(|one| Some((one, one.provider.as_ref()?))) {
        // A token is sent nowhere but where its provider gives it for, whatever was stored.
        if !provider.is_for(&permit.call().server.server.url) {
            tracing::warn!(server = %permit.call().server.server.id, provider = %provider.id, "tokens are for elsewhere");
            let (provider, resource) = (provider.name.clone(), provider.resource.clone().unwrap_or_default());
            return Err(permit
                .call()
                .refused(admitted, Refusal::ForElsewhere { server, provider, resource }));
        }
        let asked = Asked { provider, scopes: required_scopes(permit), by: permit };
        match accounts::serving(gateway, admitted, asked).await.map_err(unreadable)? {
            Ok(mut serving) => {
                if let Some(newer) = newer.filter(|newer| newer.is_after(&serving.token)) {
                    serving.token = newer.clone();
                }
                found.push(Found { of: one, secret: None, token: Some(serving) });
            }
            Err(lack) => lacks.push(lack.told(&server, &admitted.grant, at)),
        }
    }
    // Most keys and secrets are in memory; only where one is not is the database asked.
    let mut tx: Option<OrgTx> = None;
    for one in stored.iter().filter(|one| one.provider.is_none()) {
        let (Some(scope), Some(name)) = (scope_of(one.source), one.secret.as_deref()) else {
            found.push(Found { of: one, secret: None, token: None });
            continue;
        };
        match serving(gateway, admitted, &mut tx, scope, name).await.map_err(unreadable)? {
            Some(secret) => found.push(Found { of: one, secret: Some(secret), token: None }),
            None => lacks.push(Lack { scope, name }.told(&server, &admitted.grant, at)),
        }
    }
    if !lacks.is_empty() {
        let unconnected = Box::new(unconnected(gateway, admitted, permit.call(), server, lacks));
        return Err(permit.call().refused(admitted, Refusal::Unconnected(unconnected)));
    }
    let opened = opened(gateway, admitted, &mut tx, &found).await.map_err(unreadable)?;
    if let Some(tx) = tx {
        tx.done().await.map_err(|error| unreadable(error.into()))?;
    }
    Ok(opened)
}

/// What an account has to have been granted for the tool that is called.
fn required_scopes<'p>(permit: &'p Permit<'_>) -> &'p [String] {
    permit.tool().map_or(&[], |tool| tool.required_scopes.as_slice())
}

/// What is told of what a call lacks, with the way to the page where the client leads its person.
pub fn unconnected(
    gateway: &Gateway,
    admitted: &Admitted,
    call: &Call<'_>,
    server: String,
    lacks: Vec<Told>,
) -> Unconnected {
    let first = lacks.first();
    Unconnected {
        missing: first.map_or(Missing::Secret, |first| first.missing),
        fixer: first.map_or(Fixer::Admin, |first| first.fixer),
        link: first.and_then(|first| link(gateway, admitted, call, first.page.clone()?)),
        lacks: lacks.into_iter().map(|lack| lack.sentence).collect(),
        server,
    }
}

/// The way to the page for a client that leads its person there; whoever comes back from it and lacks it still is told so.
fn link(gateway: &Gateway, admitted: &Admitted, call: &Call<'_>, page: String) -> Option<Link> {
    let may_ask = call.request().is_some_and(|request| request.method().may_require_input());
    if !may_ask || !call.takes_links() || call.opened.state == Some(State::Missing) {
        return None;
    }
    let seal = || State::Missing.seal(&gateway.handles, admitted.holder(&call.server));
    Some(Link { page, state: (call.era == Era::Modern).then(seal) })
}

/// The secret of a name that serves whoever the agent acts for.
async fn serving(
    gateway: &Gateway,
    admitted: &Admitted,
    tx: &mut Option<OrgTx>,
    scope: Scope,
    name: &str,
) -> ActionResult<Option<Arc<SealedSecret>>> {
    let (snapshot, principal) = (&admitted.snapshot, admitted.grant.principal);
    Ok(match (scope, principal) {
        (Scope::Org, _) => snapshot.secrets.of_org(name),
        (Scope::Team, Principal::Team(team)) => snapshot.secrets.of_teams([(team, "")], name),
        (Scope::Team, Principal::User(_)) => {
            let teams = snapshot.teams_of(principal).iter().map(|(team, slug)| (*team, slug.as_str()));
            snapshot.secrets.of_teams(teams, name)
        }
        (Scope::User, Principal::User(user)) => match snapshot.secrets.kept_of(user) {
            Some(own) => own.get(name).cloned(),
            None => {
                let tx = begun(gateway, admitted, tx).await?;
                let own = served::of_person(tx, user).await?;
                snapshot.secrets.keep(user, own).get(name).cloned()
            }
        },
        (Scope::Team, Principal::ServiceAccount(_))
        | (Scope::User, Principal::Team(_) | Principal::ServiceAccount(_)) => None,
    })
}

/// The transaction of this call, which begins where it is first needed.
async fn begun<'t>(
    gateway: &Gateway,
    admitted: &Admitted,
    tx: &'t mut Option<OrgTx>,
) -> ActionResult<&'t mut OrgTx> {
    Ok(match tx {
        Some(tx) => tx,
        none => none.insert(OrgTx::begin(&gateway.db, admitted.snapshot.scope).await?),
    })
}

async fn opened(
    gateway: &Gateway,
    admitted: &Admitted,
    tx: &mut Option<OrgTx>,
    found: &[Found<'_>],
) -> ActionResult<Credential> {
    let mut credential = Credential::default();
    let org = admitted.snapshot.org();
    for Found { of: one, secret, token } in found {
        if let Some(Serving { token, usual }) = token {
            let is_by_rule = *usual != Some(token.connection);
            credential.account =
                Some(UsedAccount { id: token.connection, version: token.version, is_by_rule });
            credential.put(one, &one.filled(&token.access))?;
            continue;
        }
        let (cell, sealed) = match (secret, &one.value) {
            (Some(secret), _) => {
                credential.secrets.push(secret.id);
                let cell = Cell::new(SEALED_IN.0, SEALED_IN.1, secret.id);
                (cell, Sealed { key: secret.key, bytes: secret.bytes.clone() })
            }
            (None, Some(value)) => {
                let cell = Cell::new("server_credentials", "sealed_value", one.id);
                (cell, Sealed { key: value.key, bytes: value.bytes.clone() })
            }
            (None, None) => continue,
        };
        let plain = match gateway.vault.open_held(org, cell, &sealed) {
            Some(plain) => plain?,
            None => gateway.vault.open(begun(gateway, admitted, tx).await?, cell, &sealed).await?,
        };
        let text = String::from_utf8(plain.expose().clone()).map_err(ActionError::defect)?;
        credential.put(one, &one.filled(&Secret::new(text)))?;
    }
    Ok(credential)
}
