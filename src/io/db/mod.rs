//! The only way to Postgres.
//!
//! Owns the pool, the three transaction types, and migrations.
//! Invariant: no connection leaves this room except inside a transaction that has named whose rows it may see;
//! the database enforces that name by forced row-level security.
//! Invariant: what a transaction wrote is kept only by `commit`, which takes the audit room's word ([`Audited`]).

pub mod builtin;
mod error;
pub mod migrate;
mod pool;
mod tx;

pub use error::{DbError, DbResult};
pub use pool::{Db, PoolSettings, UnsafeRole};
pub use tx::{Audited, OrgScope, OrgStatement, OrgTx, PersonScope, PersonTx, SystemTx, Tx};
