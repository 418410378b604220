//! The values that a server's requests carry, opened for one request and for nobody else.
//!
//! Of secrets those are carried that serve whoever the agent acts for: the organization's, one of a team of theirs, their
//! own. Where one is not there nothing is sent, and the agent is told who can add it.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    base::{actor::Principal, ids::SecretId, secret::Secret, trace::Fixer},
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
            admit::Admitted,
            gateway::Gateway,
            judge::Permit,
            refusal::{Refusal, Refused},
            route::Call,
            state::State,
            unconnected::{Lack, Link, Places, Unconnected},
        },
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
    let stored = &permit.call().server.server.credentials;
    if stored.is_empty() {
        return Ok(Credential::default());
    }
    let server = permit.call().server.server.name.to_string();
    let unreadable = |error: ActionError| {
        tracing::warn!(%error, server = %permit.call().server.server.id, "a server's credential does not open");
        permit.call().refused(admitted, Refusal::CredentialMissing { server: server.clone() })
    };
    // Most keys and secrets are in memory; only where one is not is the database asked.
    let mut tx: Option<OrgTx> = None;
    let (mut found, mut lacks) = (Vec::with_capacity(stored.len()), Vec::new());
    for one in stored {
        let (Some(scope), Some(name)) = (scope_of(one.source), one.secret.as_deref()) else {
            found.push(Found { of: one, secret: None });
            continue;
        };
        match serving(gateway, admitted, &mut tx, scope, name).await.map_err(unreadable)? {
            Some(secret) => found.push(Found { of: one, secret: Some(secret) }),
            None => lacks.push(Lack { scope, name }),
        }
    }
    if !lacks.is_empty() {
        let unconnected = Box::new(unconnected(gateway, admitted, permit.call(), server, &lacks));
        return Err(permit.call().refused(admitted, Refusal::Unconnected(unconnected)));
    }
    let opened = opened(gateway, admitted, &mut tx, &found).await.map_err(unreadable)?;
    if let Some(tx) = tx {
        tx.done().await.map_err(|error| unreadable(error.into()))?;
    }
    Ok(opened)
}

fn unconnected(
    gateway: &Gateway,
    admitted: &Admitted,
    call: &Call<'_>,
    server: String,
    lacks: &[Lack<'_>],
) -> Unconnected {
    let at = Places { base_url: &gateway.base_url, org: &admitted.snapshot.slug };
    let principal = admitted.grant.principal;
    let first = lacks.first();
    let theirs = first.filter(|first| first.fixer(principal) == Fixer::Person);
    Unconnected {
        fixer: first.map_or(Fixer::Admin, |first| first.fixer(principal)),
        lacks: lacks.iter().map(|lack| lack.sentence(&server, &admitted.grant, at)).collect(),
        link: theirs.and_then(|lack| link(gateway, admitted, call, lack.page(at))),
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
    for Found { of: one, secret } in found {
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
        let value = one.filled(&Secret::new(text));
        match one.target {
            CredentialTarget::Header => {
                let name = HeaderName::try_from(one.name.as_str());
                let value = HeaderValue::from_str(value.expose());
                let (name, mut value) =
                    (name.map_err(ActionError::defect)?, value.map_err(ActionError::defect)?);
                value.set_sensitive(true);
                credential.headers.push((name, value));
            }
            CredentialTarget::Query => credential.query.push((one.name.clone(), value)),
            CredentialTarget::Env => {}
        }
    }
    Ok(credential)
}
