//! All SQL of servers, one file for each table.

pub mod catalogue;
pub mod checks;
pub mod credentials;
pub mod decisions;
mod merge;
pub mod servers;
pub mod tools;

use std::str::FromStr;

use crate::{
    domain::servers::Fingerprint,
    io::db::{DbError, DbResult},
};

/// Reads a text that the schema's rules keep well-formed.
fn read<T>(text: &str) -> DbResult<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| DbError::from(sqlx::Error::Decode(Box::new(error))))
}

/// Reads a text that may be absent.
fn read_some<T>(text: Option<&str>) -> DbResult<Option<T>>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.map(read).transpose()
}

/// A digest that the schema keeps at 32 bytes.
fn digest(bytes: &[u8]) -> DbResult<Fingerprint> {
    Fingerprint::from_bytes(bytes)
        .ok_or_else(|| DbError::from(sqlx::Error::Decode("a fingerprint of another length".into())))
}

/// A text to look for; Postgres cannot be asked for the null character, and no row holds it.
fn sought(text: Option<&str>) -> Option<String> {
    text.map(|text| text.replace('\0', "")).filter(|text| !text.is_empty())
}
