//! All SQL of the room, one file per noun.
//!
//! Functions over `impl Tx` serve a person's own transaction and the system's alike: row-level security holds
//! the first to the person's rows, and every statement names the person as well.

pub mod attempts;
pub mod ceremonies;
pub mod factors;
pub mod mail_tokens;
pub mod passkeys;
pub mod recovery;
pub mod sessions;
pub mod totp;
pub mod users;

use std::error::Error;

use crate::io::db::DbResult;

/// A value of ours read back from the database; failing is a defect, since it was checked when it was
/// written.
fn decoded<T, E: Error + Send + Sync + 'static>(read: Result<T, E>) -> DbResult<T> {
    read.map_err(|error| sqlx::Error::Decode(Box::new(error)).into())
}
