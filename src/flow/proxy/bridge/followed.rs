//! The resources that a session of an agent's follows, where the session is ours: every replica sees them, wherever the
//! agent said so and wherever it listens.

use std::collections::HashMap;

use http::StatusCode;
use serde_json::json;

use crate::{
    base::{
        crypto::digest::{self, Digest},
        ids::SealedId,
    },
    domain::{
        audit::{self, Unrecorded},
        subscriptions::{
            SessionOf, Subscription,
            store::{self, MOST, MOST_OF_GRANT, SEALED_ADDRESS, TABLE},
        },
        vault::{Cell, Sealed, Vault},
    },
    flow::{
        fault::ActionResult,
        proxy::{
            admit::Admitted,
            ask::{Answer, Ask},
            bridge::{absent, listen, own, sessions},
            gateway::Gateway,
            record::{Ending, OpenCall},
            reply,
            route::Call,
        },
    },
    io::db::{Db, OrgScope, OrgTx, Tx},
    protocol::mcp::{
        error::{self, Code},
        message::Request,
        method::Method,
        version::Era,
    },
};

/// How many bytes the address of a resource has at the most that is followed.
const LONGEST: usize = 4096;

/// What one session follows.
pub(super) struct Followed {
    db: Db,
    vault: Vault,
    scope: OrgScope,
    of: SessionOf,
    /// The addresses that were opened, by their digests.
    known: HashMap<Vec<u8>, String>,
}

impl Followed {
    /// Of the session that a request belongs to; none where it has none, or its server tells of no resources.
    pub(super) fn of(gateway: &Gateway, ask: &Ask, admitted: &Admitted, call: &Call<'_>) -> Option<Self> {
        let is_ours = call.session.as_ref().is_some_and(|session| session.bridged.is_some());
        // The stream of the merged endpoint promises nothing of resources.
        if !is_ours
            || call.merged.is_some()
            || !listen::tells_of_resources(call.server.server.declared.capabilities.as_deref())
        {
            return None;
        }
        let session = sessions::of_agent(ask, call.era)?;
        Some(Self {
            db: gateway.db.clone(),
            vault: gateway.vault.clone(),
            scope: admitted.snapshot.scope,
            of: SessionOf { grant: admitted.grant.id, server: call.server.server.id, session },
            known: HashMap::new(),
        })
    }

    /// The addresses that it follows now.
    ///
    /// # Errors
    /// When the database or the vault refuses.
    pub(super) async fn addresses(&mut self) -> ActionResult<Vec<String>> {
        let mut tx = OrgTx::begin(&self.db, self.scope).await?;
        let rows = store::list(&mut tx, &self.of).await?;
        let mut known = HashMap::with_capacity(rows.len());
        for row in rows {
            let address = match self.known.remove(&row.address) {
                Some(address) => address,
                None => {
                    let sealed = Sealed { key: row.key, bytes: row.bytes };
                    let opened = self.vault.open(&mut tx, Cell::new(TABLE, SEALED_ADDRESS, row.id), &sealed);
                    String::from_utf8_lossy(opened.await?.expose()).into_owned()
                }
            };
            known.insert(row.address, address);
        }
        tx.done().await?;
        self.known = known;
        let mut addresses: Vec<_> = self.known.values().cloned().collect();
        addresses.sort_unstable();
        Ok(addresses)
    }

    /// Notes that the session listens.
    ///
    /// # Errors
    /// When the database refuses.
    pub(super) async fn touch(&self) -> ActionResult<()> {
        let mut tx = OrgTx::begin(&self.db, self.scope).await?;
        store::touch(&mut tx, &self.of).await?;
        audit::commit_unrecorded(tx, Unrecorded::LastSeen).await?;
        Ok(())
    }

    /// Forgets all of it with the session.
    pub(super) async fn end(&self) {
        let ended: ActionResult<()> = async {
            let mut tx = OrgTx::begin(&self.db, self.scope).await?;
            store::delete_all(&mut tx, &self.of).await?;
            audit::commit_unrecorded(tx, Unrecorded::Subscription).await?;
            Ok(())
        }
        .await;
        if let Err(error) = ended {
            tracing::warn!(%error, "what a session followed stays noted until it is swept");
        }
    }

    async fn add(&self, address: &str) -> ActionResult<bool> {
        let id = SealedId::fresh();
        let mut tx = OrgTx::begin(&self.db, self.scope).await?;
        let cell = Cell::new(TABLE, SEALED_ADDRESS, id);
        let Sealed { key, bytes } = self.vault.seal(&mut tx, cell, address.as_bytes()).await?;
        let new = Subscription { id, address: of(address).to_vec(), key, bytes };
        let is_followed = store::insert(&mut tx, &self.of, &new).await?;
        audit::commit_unrecorded(tx, Unrecorded::Subscription).await?;
        Ok(is_followed)
    }

    async fn remove(&self, address: &str) -> ActionResult<bool> {
        let mut tx = OrgTx::begin(&self.db, self.scope).await?;
        store::delete(&mut tx, &self.of, &of(address)).await?;
        audit::commit_unrecorded(tx, Unrecorded::Subscription).await?;
        Ok(true)
    }
}

fn of(address: &str) -> Digest {
    digest::sha256(address.as_bytes())
}

/// Answers an agent that wants to follow a resource, or to follow it no longer.
pub(super) async fn answer(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    call: &Call<'_>,
    request: &Request<'_>,
    open: Option<OpenCall>,
) -> Answer {
    let address = request.params.uri().ok().flatten();
    let (Some(followed), Some(address)) = (Followed::of(gateway, ask, admitted, call), address) else {
        return absent(request, call.era, open);
    };
    if address.len() > LONGEST {
        let message = format!("The address of a resource that is followed has at most {LONGEST} bytes.");
        return refused(request, Code::InvalidParams, &message, &Ending::Answered, open);
    }
    let done = match request.method() {
        Method::ResourcesSubscribe => followed.add(&address).await,
        _ => followed.remove(&address).await,
    };
    match done {
        Ok(true) => own(request, json!({}), open),
        Ok(false) => {
            let message = format!(
                "A session follows at most {MOST} resources, and all sessions of a grant {MOST_OF_GRANT}."
            );
            refused(request, Code::InvalidParams, &message, &Ending::Answered, open)
        }
        Err(error) => {
            tracing::warn!(%error, "what an agent wants to follow cannot be noted");
            let message = "What a session follows cannot be noted right now. Try again soon.";
            let ending = Ending::Failed("subscription_not_kept".into(), message.to_owned());
            refused(request, Code::InternalError, message, &ending, open)
        }
    }
}

fn refused(
    request: &Request<'_>,
    code: Code,
    message: &str,
    ending: &Ending,
    open: Option<OpenCall>,
) -> Answer {
    let body = error::error(Era::Legacy, Some(request.id), code, message, None);
    if let Some(open) = open {
        open.close(ending, None, body.len());
    }
    reply::json_answer(StatusCode::OK, body)
}
