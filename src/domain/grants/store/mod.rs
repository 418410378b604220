//! All SQL of grants.
//!
//! Invariant: whatever a call's decision depends on raises the organization's epoch here, in the same transaction.

pub mod decisions;
pub mod glance;
pub mod grants;
pub mod reach;
pub mod servers;
pub mod stops;
pub mod tokens;

use std::{net::IpAddr, str::FromStr};

use time::OffsetDateTime;

use crate::{
    base::{
        actor::Principal,
        ids::{ServiceAccountId, TeamId, UserId},
    },
    domain::grants::{Bindings, ClientSeen, LastUse, Stop},
    io::db::{DbError, DbResult, OrgTx, Tx},
};

/// Raises the epoch. The one column of another room's table that is written here: without it no change would be in
/// force.
async fn bump_epoch(tx: &mut OrgTx) -> DbResult<()> {
    sqlx::query!("update orgs set epoch = epoch + 1 where id = $1", tx.org().uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Reads a text that the schema's rules keep well-formed.
fn read<T>(text: &str) -> DbResult<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| DbError::from(sqlx::Error::Decode(Box::new(error))))
}

fn principal(
    user: Option<UserId>,
    team: Option<TeamId>,
    account: Option<ServiceAccountId>,
) -> DbResult<Principal> {
    match (user, team, account) {
        (Some(user), None, None) => Ok(Principal::User(user)),
        (None, Some(team), None) => Ok(Principal::Team(team)),
        (None, None, Some(account)) => Ok(Principal::ServiceAccount(account)),
        _ => Err(sqlx::Error::Decode("a grant without one principal".into()).into()),
    }
}

fn bindings(cidrs: &[String], clients: Vec<String>) -> DbResult<Bindings> {
    let cidrs = cidrs.iter().map(|text| read(text)).collect::<DbResult<_>>()?;
    Ok(Bindings::stored(cidrs, clients))
}

fn stop(at: Option<OffsetDateTime>, by: Option<UserId>, reason: Option<String>) -> Option<Stop> {
    at.map(|at| Stop { at, by, reason: reason.unwrap_or_default() })
}

fn last_use(
    at: Option<OffsetDateTime>,
    ip: Option<&str>,
    name: Option<String>,
    version: Option<String>,
) -> DbResult<Option<LastUse>> {
    let Some(at) = at else {
        return Ok(None);
    };
    let ip = ip.map(read::<IpAddr>).transpose()?;
    Ok(Some(LastUse { at, ip, client: name.map(|name| ClientSeen { name, version }) }))
}
