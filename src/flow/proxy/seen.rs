//! When a token was last used, by which client and from where: noted behind the call, at most once a minute.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime};
use tokio_util::task::TaskTracker;

use crate::{
    base::ids::GrantTokenId,
    domain::{
        audit::{self, ClientPart, Unrecorded},
        grants::{ClientSeen, store::tokens},
    },
    flow::{fault::ActionResult, proxy::admit::Admitted},
    io::db::{Db, OrgScope, OrgTx},
};

/// How often the use of a token is noted at the most.
const EVERY: Duration = Duration::MINUTE;
/// How many tokens are kept in mind; beyond, all are forgotten, and some are noted once more than they need to be.
const MAX_KEPT: usize = 100_000;

/// Notes the use of tokens.
#[derive(Debug)]
pub struct Seen {
    db: Db,
    tasks: TaskTracker,
    noted: Mutex<HashMap<GrantTokenId, OffsetDateTime>>,
}

/// One use.
struct Use {
    scope: OrgScope,
    token: GrantTokenId,
    ip: Option<std::net::IpAddr>,
    client: Option<ClientSeen>,
    at: OffsetDateTime,
}

impl Seen {
    /// Nothing was noted yet.
    pub fn new(db: Db, tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { db, tasks, noted: Mutex::default() })
    }

    /// Notes a call, where none of this token was noted within the last minute.
    pub fn note(
        self: &Arc<Self>,
        admitted: &Admitted,
        ip: Option<std::net::IpAddr>,
        client: Option<&ClientPart>,
    ) {
        if !self.is_due(admitted.token, admitted.now) {
            return;
        }
        let client = client.and_then(|client| ClientSeen::of(&client.name, client.version.as_deref()));
        let scope = admitted.snapshot.scope;
        let used = Use { scope, token: admitted.token, ip, client, at: admitted.now };
        let seen = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(error) = seen.write(used).await {
                tracing::debug!(%error, "the use of a token was not noted");
            }
        });
    }

    fn is_due(&self, token: GrantTokenId, now: OffsetDateTime) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&token).is_some_and(|at| now - *at < EVERY) {
            return false;
        }
        if noted.len() >= MAX_KEPT {
            noted.clear();
        }
        noted.insert(token, now);
        true
    }

    async fn write(&self, used: Use) -> ActionResult<()> {
        let mut tx = OrgTx::begin(&self.db, used.scope).await?;
        tokens::touch_token(&mut tx, used.token, used.ip, used.client.as_ref(), used.at).await?;
        audit::commit_unrecorded(tx, Unrecorded::LastSeen).await?;
        Ok(())
    }
}
