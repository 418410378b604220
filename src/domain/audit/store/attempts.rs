//! Calls that agents tried to make, as far as it takes to judge them anew.

use std::net::IpAddr;

use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::ids::{ApprovalId, EventId, GrantId, ServerId, UserId},
    domain::audit::{
        call::{ArgumentsPart, ClientPart, PolicyPart},
        store::unreadable,
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// A call that an agent tried to make.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its place in the chain.
    pub seq: i64,
    /// The event.
    pub id: EventId,
    /// When.
    pub at: OffsetDateTime,
    /// The person in whose name.
    pub user: Option<UserId>,
    /// The agent's name at that moment.
    pub actor_name: String,
    /// From which address.
    pub ip: Option<IpAddr>,
    /// Whether it was let through then.
    pub is_allowed: bool,
    /// What was called.
    pub call: AttemptedCall,
}

/// What was called, as far as it stands in the record.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AttemptedCall {
    /// The approval that it used, or waited for.
    pub approval: Option<ApprovalId>,
    /// The arguments, without their values.
    pub arguments: Option<ArgumentsPart>,
    /// The software that called, as it names itself.
    pub client: Option<ClientPart>,
    /// The grant.
    pub grant: Option<GrantId>,
    /// The method of the protocol.
    pub method: Option<String>,
    /// What parts of policies that are only observed would have done with it.
    #[serde(default)]
    pub observed: Vec<PolicyPart>,
    /// The server.
    pub server: Option<ServerId>,
    /// The tool, prompt or resource.
    pub subject: Option<String>,
}

/// The part of a record that is read here; the rest, such as its trace, is passed over.
#[derive(Deserialize)]
struct Sketch {
    #[serde(default)]
    call: Option<AttemptedCall>,
}

/// Between which places of the chain calls are looked for, these left out, and not before when.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// Above this place.
    pub above: i64,
    /// Below this place.
    pub below: i64,
    /// Not before.
    pub from: OffsetDateTime,
}

/// How far back a span of time reaches in the chain. A chain grows with time, but the clocks of replicas differ a little and
/// one may be set back: a day is to spare.
///
/// # Errors
/// When the database is away.
pub async fn reach(tx: &mut OrgTx, from: OffsetDateTime) -> DbResult<Reach> {
    let org = tx.chain();
    let row = sqlx::query!(
        r#"select
            coalesce(events_before($1, $2::timestamptz - interval '1 day'), 0) as "above!",
            coalesce((select e.seq + 1 from events e where e.org_id = $1 order by e.seq desc limit 1), 1) as "below!""#,
        org,
        from
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Reach { above: row.above, below: row.below, from })
}

/// The next calls that agents tried to make, the newest first: what was let through and what was refused, but not how it ended.
///
/// # Errors
/// When the database is away, or a record is none.
pub async fn attempts(tx: &mut OrgTx, reach: &Reach, limit: i64) -> DbResult<Vec<Attempt>> {
    let org = tx.chain();
    let rows = sqlx::query!(
        r#"select seq, id as "id: EventId", at, user_id as "user: UserId", actor_name, host(ip) as ip, action, record
        from events
        where org_id = $1 and kind = 'call' and action in ('call.allowed', 'call.refused')
            and seq < $2 and seq > $3 and at >= $4
        order by seq desc limit $5"#,
        org,
        reach.below,
        reach.above,
        reach.from,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    let attempts = rows.into_iter().map(|row| {
        let sketch: Sketch =
            serde_json::from_slice(&row.record).map_err(|_| unreadable("the record of a call"))?;
        Ok(Attempt {
            seq: row.seq,
            id: row.id,
            at: row.at,
            user: row.user,
            actor_name: row.actor_name,
            ip: row.ip.map(|ip| ip.parse()).transpose().map_err(|_| unreadable("an address"))?,
            is_allowed: row.action == "call.allowed",
            call: sketch.call.unwrap_or_default(),
        })
    });
    attempts.collect()
}
