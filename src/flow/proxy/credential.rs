//! The values that a server's requests carry, opened for one request and for nobody else.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    base::secret::Secret,
    domain::{
        servers::{Credential as Stored, CredentialTarget},
        vault::{Cell, Sealed},
    },
    flow::{
        fault::{ActionError, ActionResult},
        proxy::{
            admit::Admitted,
            gateway::Gateway,
            judge::Permit,
            refusal::{Refusal, Refused},
        },
    },
    io::{
        db::{OrgTx, Tx},
        net::target::Target,
    },
};

/// What a request to the server carries besides the message.
#[derive(Default)]
pub struct Credential {
    headers: Vec<(HeaderName, HeaderValue)>,
    query: Vec<(String, Secret<String>)>,
}

/// Says what it holds of, never the values.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Credential").field("headers", &names).finish_non_exhaustive()
    }
}

impl Credential {
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

/// Opens what the permitted call's server asks for.
///
/// # Errors
/// Where a value cannot be read.
pub async fn open(
    gateway: &Gateway,
    admitted: &Admitted,
    permit: &Permit<'_>,
) -> Result<Credential, Box<Refused>> {
    let stored = &permit.call().server.server.credentials;
    if stored.is_empty() {
        return Ok(Credential::default());
    }
    opened(gateway, admitted, stored).await.map_err(|error| {
        tracing::warn!(%error, server = %permit.call().server.server.id, "a server's credential does not open");
        let server = permit.call().server.server.name.to_string();
        permit.call().refused(admitted, Refusal::CredentialMissing { server })
    })
}

async fn opened(gateway: &Gateway, admitted: &Admitted, stored: &[Stored]) -> ActionResult<Credential> {
    let mut credential = Credential::default();
    let scope = admitted.snapshot.scope;
    // Most keys are in memory; only where one is not is the database asked.
    let mut tx: Option<OrgTx> = None;
    for one in stored {
        let Some(sealed) = &one.value else { continue };
        let cell = Cell::new("server_credentials", "sealed_value", one.id);
        let sealed = Sealed { key: sealed.key, bytes: sealed.bytes.clone() };
        let plain = match gateway.vault.open_held(scope.org(), cell, &sealed) {
            Some(plain) => plain?,
            None => {
                let tx = match &mut tx {
                    Some(tx) => tx,
                    none => none.insert(OrgTx::begin(&gateway.db, scope).await?),
                };
                gateway.vault.open(tx, cell, &sealed).await?
            }
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
    if let Some(tx) = tx {
        tx.done().await?;
    }
    Ok(credential)
}
