//! All SQL of automation, one file for each table.

pub mod accounts;
pub mod glance;
pub mod idempotency;
pub mod keys;

use std::str::FromStr;

use crate::io::db::{DbError, DbResult};

/// Reads a text that the schema's rules keep well-formed.
fn read<T>(text: &str) -> DbResult<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| DbError::from(sqlx::Error::Decode(Box::new(error))))
}
