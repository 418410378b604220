//! The vault: values at rest that only the process can read.
//!
//! Owns the master keys in memory, the data keys (table `data_keys`) and how values are sealed. A value is
//! sealed under the data key of its chain (an organization, or the instance itself); the data key is
//! wrapped by a master key that never enters the database. Why so: `docs/decisions/0003-vault.md`.
//!
//! Lacks on purpose: the sealed values. They stand in the tables of the rooms that own them, as bytes
//! beside the id of the data key.
//!
//! Invariant: a sealed value opens only for its own chain, table, column and row.
//! Invariant: no key and no plain value is ever printed, logged or written to the database unsealed.
//! Invariant: once a chain's keys are destroyed, nothing it sealed opens again on any replica after
//! 60 seconds, and nothing new is sealed for it after that.
//! Invariant: a key that was made in a transaction seals for others only after that transaction was kept.

mod cache;
mod keys;
mod ring;
mod rotate;
mod rules;
mod self_test;
mod store;

use uuid::Uuid;

use crate::{
    base::{
        crypto::seal::Place,
        ids::{DataKeyId, Id},
    },
    io::db::DbError,
};

pub use keys::Vault;
pub use ring::{BadRing, MasterId, MasterRing, NotAMasterId};
pub use rotate::{MasterState, MasterStatus, REWRAP_KEYS, Rewrap, RingStatus, Unreadable, status};
pub use rules::{LONGEST_AGE, MOST_SEALS, is_worn};
pub use self_test::self_test;

/// A sealed value, as the two columns of the row that keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The data key that opens it.
    pub key: DataKeyId,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// Where a sealed value stands; the chain is that of the transaction.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    table: &'static str,
    column: &'static str,
    row: Uuid,
}

impl Cell {
    /// The cell of a table where a row keeps its sealed value.
    pub fn new<K>(table: &'static str, column: &'static str, row: Id<K>) -> Self {
        Self { table, column, row: row.uuid() }
    }

    fn of(self, org: Uuid) -> Place<'static> {
        Place { org, table: self.table, column: self.column, row: self.row }
    }
}

/// Why a value is not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The keys' rows cannot be read or written.
    #[error("the vault cannot use its table")]
    Db(#[from] DbError),
    /// A data key is wrapped by a master key that is not in the ring.
    #[error("the master key {master} is not in the ring, and values are sealed under it")]
    MasterMissing {
        /// Its name.
        master: String,
    },
    /// The ring's key of that name is not the one that wrapped.
    #[error("the master key {master} is not the key that this database was sealed with")]
    MasterWrong {
        /// Its name.
        master: String,
    },
    /// The chain's keys were destroyed.
    #[error("the keys of this organization were destroyed; what they sealed cannot be read again")]
    Destroyed,
    /// The chain has no such data key.
    #[error("the data key {0} is not known here")]
    KeyUnknown(DataKeyId),
    /// The bytes were changed, or belong to another place.
    #[error("the sealed value in {table}.{column} was changed or moved and does not open")]
    DoesNotOpen {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
}

/// What a vault function returns.
pub type VaultResult<T> = Result<T, VaultError>;

impl VaultError {
    /// What the operator can do about it, as one sentence; `None` where the database's own error says more.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::Db(_) => return None,
            Self::MasterMissing { master } => format!(
                "Put `{master}:…` back into PORTREEVE_MASTER_KEYS (or into the key file), \
                 after the sealing key."
            ),
            Self::MasterWrong { master } => format!(
                "Give back the key that was named {master} when this database was written, \
                 or connect the database that this key belongs to; a restore needs the keys of its own time."
            ),
            Self::Destroyed => "Nothing brings it back; that is what destroying keys is for.".to_owned(),
            Self::KeyUnknown(_) => {
                "Restore the table data_keys from the same backup as the table that names the key.".to_owned()
            }
            Self::DoesNotOpen { table, .. } => format!(
                "Enter the value again, and find out who wrote to the table {table} other than Portreeve."
            ),
        })
    }
}
