//! What calls that are held while they wait have to know: whether somebody decided, and whether their agents called them
//! off. Calls that are being made have to know the latter too.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::{
        crypto::digest::Digest,
        ids::{ApprovalId, GrantId},
    },
    domain::approvals::{ApprovalState, store::decode},
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// A call that is held.
#[derive(Clone, Copy, Debug)]
pub struct HeldCall {
    /// For what it waits.
    pub approval: ApprovalId,
    /// Whose it is.
    pub grant: GrantId,
    /// Of the agent's session and the id that it gave the call.
    pub call: Digest,
    /// How long ago it came. Ids may come again, so what was called off before that was another call.
    pub since: Duration,
}

/// How many calls of one grant are noted at once that may be under way at another replica.
const MOST_OF_GRANT: i64 = 1_000;

/// A call that is being made.
#[derive(Clone, Copy, Debug)]
pub struct MadeCall {
    /// Whose it is.
    pub grant: GrantId,
    /// As of a held call.
    pub call: Digest,
    /// As of a held call.
    pub since: Duration,
}

/// Where the approval of a held call stands; withdrawn where its agent called it off.
///
/// # Errors
/// When the database refuses.
pub async fn look(tx: &mut OrgTx, held: &HeldCall, now: OffsetDateTime) -> DbResult<Option<ApprovalState>> {
    let state = sqlx::query_scalar!(
        r#"select case
                when exists (select from calls_off o where o.org_id = a.org_id and o.grant_id = $4 and o.call = $5
                    and o.at >= clock_timestamp() - make_interval(secs => $6)) then 'withdrawn'
                when a.state = 'pending' and a.expires_at <= $3 then 'expired'
                else a.state end as "state!"
        from approvals a where a.org_id = $1 and a.id = $2"#,
        tx.org().uuid(),
        held.approval.uuid(),
        now,
        held.grant.uuid(),
        held.call.as_slice(),
        held.since.as_secs_f64()
    )
    .fetch_optional(tx.conn())
    .await?;
    state.map(|state| state.parse().map_err(decode)).transpose()
}

/// Notes that an agent called a call off, where one of its grant can be waiting; whoever calls off what never waited
/// fills no table.
///
/// # Errors
/// When the database refuses.
pub async fn call_off(tx: &mut OrgTx, grant: GrantId, call: Digest, now: OffsetDateTime) -> DbResult<bool> {
    let noted = sqlx::query!(
        "insert into calls_off as o (org_id, grant_id, call)
        select $1, $2, $3 where exists (select from approvals a where a.org_id = $1 and a.grant_id = $2
            and (a.state = 'pending' and a.expires_at > $4 or a.state = 'approved' and a.valid_until > $4))
        on conflict (org_id, grant_id, call) do update set at = clock_timestamp()",
        tx.org().uuid(),
        grant.uuid(),
        call.as_slice(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(noted.rows_affected() > 0)
}

/// Notes that an agent called a call off that another replica may be making; not beyond as many as a grant may note.
///
/// # Errors
/// When the database refuses.
pub async fn call_off_made(tx: &mut OrgTx, grant: GrantId, call: Digest) -> DbResult<bool> {
    let noted = sqlx::query!(
        "insert into calls_off as o (org_id, grant_id, call)
        select $1, $2, $3 where (select count(*) from calls_off n where n.org_id = $1 and n.grant_id = $2) < $4
        on conflict (org_id, grant_id, call) do update set at = clock_timestamp()",
        tx.org().uuid(),
        grant.uuid(),
        call.as_slice(),
        MOST_OF_GRANT
    )
    .execute(tx.conn())
    .await?;
    Ok(noted.rows_affected() > 0)
}

/// Which of these calls their agents called off: their places.
///
/// # Errors
/// When the database refuses.
pub async fn called_off(tx: &mut OrgTx, made: &[MadeCall]) -> DbResult<Vec<usize>> {
    let grants: Vec<Uuid> = made.iter().map(|one| one.grant.uuid()).collect();
    let calls: Vec<&[u8]> = made.iter().map(|one| one.call.as_slice()).collect();
    let since: Vec<f64> = made.iter().map(|one| one.since.as_secs_f64()).collect();
    let places = sqlx::query_scalar!(
        r#"select c.place as "place!"
        from unnest($2::uuid[], $3::bytea[], $4::float8[]) with ordinality as c (grant_id, call, since, place)
        join calls_off o on o.org_id = $1 and o.grant_id = c.grant_id and o.call = c.call
        where o.at >= clock_timestamp() - make_interval(secs => c.since)"#,
        tx.org().uuid(),
        &grants,
        &calls as _,
        &since
    )
    .fetch_all(tx.conn())
    .await?;
    // Places count from one.
    Ok(places.into_iter().filter_map(|place| usize::try_from(place - 1).ok()).collect())
}

/// Forgets what was called off longer ago than any call is held, in all organizations.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(tx: &mut SystemTx) -> DbResult<u64> {
    let swept = sqlx::query!(
        "delete from calls_off where org_id is not null and at < clock_timestamp() - interval '1 hour'"
    )
    .execute(tx.conn())
    .await?;
    Ok(swept.rows_affected())
}
