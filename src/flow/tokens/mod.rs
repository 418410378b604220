//! Tokens of connected accounts: traded for a code, kept fresh, and ended.
//!
//! A refresh token is sent by one process at a time, whoever asks for a new token and on however many replicas: within the
//! process by a turn for each connection, between them by a lease in the connection's row. What came is stored before anybody
//! gets it, and a token is never asked for in a transaction.
//!
//! Invariant: a refresh token is sent once, and again only where nobody can know whether it arrived before: once more at once,
//! then with pauses. Only what the provider says ends an account.
//! Invariant: a token leaves this room for one request only; no error and no record holds one.

mod armed;
mod due;
mod end;
mod farewell;
mod keep;
mod lapse;
mod pair;
mod refresh;
mod send;
mod trouble;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_util::task::TaskTracker;

use crate::{
    base::{
        clock::Clock,
        ids::{ConnectionId, ProviderId, ReplicaId},
        secret::Secret,
    },
    domain::{connections::Blocked, vault::Vault},
    flow::letters::Post,
    io::{db::Db, net::client::Egress},
};

pub use armed::{Armed, Recognized};
pub use end::{END_TOKEN, END_TOKENS, UpstreamEnd, end_due, end_one, end_upstream};
pub use farewell::Farewell;
pub use keep::{RENEW_TOKEN, RENEW_TOKENS, renew_due, renew_one};
pub use lapse::{LAPSE_TOKEN, LAPSE_TOKENS, lapse_due, lapse_one};
pub use pair::{Pair, stored};
pub use send::send;

/// What this room works with; built once by the app.
#[derive(Debug)]
pub struct TokensParts {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Sealed values.
    pub vault: Vault,
    /// The way out.
    pub egress: Egress,
    /// Letters to those whose account has to be connected again.
    pub post: Post,
    /// The address people use, without a slash at the end.
    pub base_url: String,
    /// Where background work belongs: what providers answer has to be stored before the process ends.
    pub tasks: TaskTracker,
}

/// Hands out tokens of connected accounts.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: TokensParts,
    /// Tells this process's leases from those of others.
    process: ReplicaId,
    /// One at a time for each connection; whoever waits takes what the one before brought.
    turns: Mutex<HashMap<ConnectionId, Arc<tokio::sync::Mutex<()>>>>,
}

/// An access token, and which pair it is of.
#[derive(Clone, Debug)]
pub struct LiveToken {
    /// The connection.
    pub connection: ConnectionId,
    /// The token.
    pub access: Secret<String>,
    /// The pair's number.
    pub version: i64,
}

impl LiveToken {
    /// Whether it came after another of the same connection.
    pub fn is_after(&self, other: &Self) -> bool {
        self.connection == other.connection && self.version > other.version
    }
}

/// Why a connection gives no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// Only its owner can help, by connecting again.
    #[error("the account has to be connected again")]
    Reauth,
    /// The provider does not answer as it should, for now.
    #[error("the provider gives no new token for now")]
    Away,
    /// The provider refuses the client that an admin registered.
    #[error("the provider refuses the registered client")]
    Broken,
    /// The rules of this installation refuse the provider's address.
    #[error("the provider's address may not be called from here")]
    Barred,
    /// It was switched off.
    #[error("the account is switched off")]
    Off,
    /// It was ended.
    #[error("the account is not connected any more")]
    Gone,
}

impl NoToken {
    /// Of an account that rests after a failure.
    const fn resting(blocked: Option<Blocked>) -> Self {
        match blocked {
            Some(Blocked::Client) => Self::Broken,
            Some(Blocked::Address) => Self::Barred,
            None => Self::Away,
        }
    }
}

impl Tokens {
    /// With nothing under way.
    pub fn new(parts: TokensParts) -> Self {
        Self(Arc::new(Inner { parts, process: ReplicaId::fresh(), turns: Mutex::default() }))
    }

    fn parts(&self) -> &TokensParts {
        &self.0.parts
    }

    fn turn(&self, id: ConnectionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Turns that nobody has or waits for are forgotten.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(id).or_default())
    }

    /// The address that providers send browsers back to whose clients were registered with this id.
    pub fn redirect_uri(&self, provider: ProviderId) -> String {
        format!("{}/oauth/callback/{provider}", self.parts().base_url)
    }
}
