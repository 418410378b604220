//! Single events, and what is read of each.

use std::net::IpAddr;

use time::{OffsetDateTime, PrimitiveDateTime};

use crate::{
    base::ids::{EventId, RequestId, UserId},
    domain::audit::{
        canon::Record,
        entry::{Decision, EventKind},
        store::unreadable,
    },
    io::db::{DbResult, Tx},
};

/// One event in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its place in the chain.
    pub seq: i64,
    /// Its id.
    pub id: EventId,
    /// When.
    pub at: OffsetDateTime,
    /// Which kind.
    pub kind: EventKind,
    /// What was done.
    pub action: String,
    /// `nobody`, `user`, `api_key` or `system`.
    pub actor_kind: String,
    /// The outside id of the one who did it.
    pub actor_id: Option<String>,
    /// Their name at that moment.
    pub actor_name: String,
    /// The person it is about.
    pub user: Option<UserId>,
    /// The noun of what it was done to.
    pub target_kind: Option<String>,
    /// Its outside id.
    pub target_id: Option<String>,
    /// Its name at that moment.
    pub target_name: Option<String>,
    /// How it ended.
    pub decision: Decision,
    /// Within which request.
    pub request: Option<RequestId>,
    /// From which address.
    pub ip: Option<IpAddr>,
}

impl EventRow {
    /// The columns as the record says they must be.
    pub(super) fn rebuilt(record: &Record) -> Self {
        let target = record.target.as_ref();
        let origin = record.origin.as_ref();
        Self {
            seq: record.seq,
            id: record.id,
            at: record.at,
            kind: record.kind,
            action: record.action.clone(),
            actor_kind: record.actor.kind.clone(),
            actor_id: record.actor.id.clone(),
            actor_name: record.actor.name.clone(),
            user: record.user,
            target_kind: target.map(|t| t.kind.clone()),
            target_id: target.map(|t| t.id.clone()),
            target_name: target.map(|t| t.name.clone()),
            decision: record.decision,
            request: origin.map(|o| o.request),
            ip: origin.and_then(|o| o.ip),
        }
    }
}

/// One event with all that was recorded.
#[derive(Clone, Debug)]
pub struct EventDetail {
    /// The columns.
    pub row: EventRow,
    /// The record; absent when the stored bytes no longer read, which [`proof`] then says.
    pub record: Option<Record>,
}

/// The events beside one, for going through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbors {
    /// The one before.
    pub older: Option<EventId>,
    /// The one after.
    pub newer: Option<EventId>,
}

/// A row of the two statements that read columns.
pub(super) struct Columns {
    pub(super) seq: i64,
    pub(super) id: EventId,
    pub(super) at: OffsetDateTime,
    pub(super) kind: String,
    pub(super) action: String,
    pub(super) actor_kind: String,
    pub(super) actor_id: Option<String>,
    pub(super) actor_name: String,
    pub(super) user: Option<UserId>,
    pub(super) target_kind: Option<String>,
    pub(super) target_id: Option<String>,
    pub(super) target_name: Option<String>,
    pub(super) decision: String,
    pub(super) request: Option<RequestId>,
    pub(super) ip: Option<String>,
}

impl Columns {
    pub(super) fn read(self) -> DbResult<EventRow> {
        Ok(EventRow {
            seq: self.seq,
            id: self.id,
            at: self.at,
            kind: EventKind::parse(&self.kind).ok_or_else(|| unreadable("a kind"))?,
            action: self.action,
            actor_kind: self.actor_kind,
            actor_id: self.actor_id,
            actor_name: self.actor_name,
            user: self.user,
            target_kind: self.target_kind,
            target_id: self.target_id,
            target_name: self.target_name,
            decision: Decision::parse(&self.decision).ok_or_else(|| unreadable("a decision"))?,
            request: self.request,
            ip: self.ip.map(|ip| ip.parse()).transpose().map_err(|_| unreadable("an address"))?,
        })
    }
}

/// The moment that a clock on the wall of a time zone shows; in a zone's repeated hour the later one.
///
/// # Errors
/// When the database is away or does not know the zone.
pub async fn moment_in_zone(
    tx: &mut impl Tx,
    wall: PrimitiveDateTime,
    zone: &str,
) -> DbResult<OffsetDateTime> {
    Ok(sqlx::query_scalar!(r#"select $1::timestamp at time zone $2 as "moment!""#, wall, zone)
        .fetch_one(tx.conn())
        .await?)
}

/// The event with this id, in the transaction's chain.
///
/// # Errors
/// When the database is away.
pub async fn find(tx: &mut impl Tx, id: EventId) -> DbResult<Option<EventDetail>> {
    let org = tx.chain();
    let seq = sqlx::query_scalar!("select seq from events where org_id = $1 and id = $2", org, id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    match seq {
        Some(seq) => find_by_seq(tx, seq).await,
        None => Ok(None),
    }
}

/// The event at this place of the transaction's chain.
///
/// # Errors
/// When the database is away.
pub async fn find_by_seq(tx: &mut impl Tx, seq: i64) -> DbResult<Option<EventDetail>> {
    let org = tx.chain();
    let row = sqlx::query!(
        r#"select seq, id as "id: EventId", at, kind, action, actor_kind, actor_id, actor_name,
            user_id as "user: UserId", target_kind, target_id, target_name, decision,
            request_id as "request: RequestId", host(ip) as ip, record
        from events where org_id = $1 and seq = $2"#,
        org,
        seq
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let columns = Columns {
            seq: row.seq,
            id: row.id,
            at: row.at,
            kind: row.kind,
            action: row.action,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            actor_name: row.actor_name,
            user: row.user,
            target_kind: row.target_kind,
            target_id: row.target_id,
            target_name: row.target_name,
            decision: row.decision,
            request: row.request,
            ip: row.ip,
        };
        Ok(EventDetail { row: columns.read()?, record: Record::from_bytes(&row.record).ok() })
    })
    .transpose()
}

/// The events beside the one at this place.
///
/// # Errors
/// When the database is away.
pub async fn neighbors(tx: &mut impl Tx, seq: i64) -> DbResult<Neighbors> {
    let org = tx.chain();
    let row = sqlx::query!(
        r#"select
            (select id from events where org_id = $1 and seq < $2
                order by seq desc limit 1) as "older: EventId",
            (select id from events where org_id = $1 and seq > $2
                order by seq limit 1) as "newer: EventId""#,
        org,
        seq
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Neighbors { older: row.older, newer: row.newer })
}
