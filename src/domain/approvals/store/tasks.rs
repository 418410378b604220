//! All SQL of calls that wait as tasks.

use std::time::Duration;

use time::OffsetDateTime;

use crate::{
    base::ids::{ApprovalId, CallTaskId, DataKeyId},
    domain::approvals::{CallTask, NewCallTask, SealedPart, TaskOf, TaskState, store::decode},
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// The table, as its sealed values are bound to it.
pub const TABLE: &str = "call_tasks";
/// The column of the request.
pub const SEALED_CALL: &str = "sealed_call";
/// The column of what came of it.
pub const SEALED_OUTCOME: &str = "sealed_outcome";

/// How many tasks of one grant are kept; beyond, its calls wait in another way.
const MOST: i64 = 200;
/// For how long a replica that makes a call may say nothing before it is taken for dead.
const SILENCE: Duration = Duration::from_secs(60);

struct Row {
    id: CallTaskId,
    approval_id: ApprovalId,
    state: String,
    is_led: bool,
    round: i32,
    sealed_outcome: Option<Vec<u8>>,
    outcome_key_id: Option<DataKeyId>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    is_silent: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("no state of a task")]
struct NoState;

impl Row {
    fn read(self) -> DbResult<CallTask> {
        let states =
            [TaskState::Waiting, TaskState::Calling, TaskState::Asking, TaskState::Over, TaskState::Canceled];
        let state = states.into_iter().find(|state| state.as_str() == self.state);
        let outcome = self.outcome_key_id.zip(self.sealed_outcome);
        Ok(CallTask {
            id: self.id,
            approval: self.approval_id,
            state: state.ok_or_else(|| decode(NoState))?,
            is_led: self.is_led,
            round: self.round,
            outcome: outcome.map(|(key, bytes)| SealedPart { key, bytes }),
            created_at: self.created_at,
            updated_at: self.updated_at,
            expires_at: self.expires_at,
            is_silent: self.is_silent,
        })
    }
}

/// Keeps a call that is to wait, where its grant has room; where the same call waits already, nothing is kept.
///
/// # Errors
/// When the database refuses.
pub async fn keep(tx: &mut OrgTx, new: &NewCallTask<'_>, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "insert into call_tasks (org_id, id, approval_id, grant_id, server_id, era, state, sealed_call, call_key_id,
            created_at, updated_at, expires_at)
        select $1, $2, $3, $4, $5, $6, 'waiting', $7, $8, $9, $9, $10
        where (select count(*) from call_tasks t where t.org_id = $1 and t.grant_id = $4 and t.state <> 'canceled'
            and t.expires_at > $9) < $11
        on conflict (org_id, approval_id, era) where state = 'waiting' do nothing",
        tx.org().uuid(),
        new.of.id.uuid(),
        new.approval.uuid(),
        new.of.grant.uuid(),
        new.of.server.uuid(),
        new.era,
        new.call.bytes,
        new.call.key.uuid(),
        now,
        new.expires_at,
        MOST
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The task as which a call waits for an approval.
///
/// # Errors
/// When the database refuses.
pub async fn find_waiting(
    tx: &mut OrgTx,
    approval: ApprovalId,
    era: &'static str,
) -> DbResult<Option<CallTask>> {
    let row = sqlx::query_as!(
        Row,
        r#"select id as "id: CallTaskId", approval_id as "approval_id: ApprovalId", state, is_led, round,
            sealed_outcome, outcome_key_id as "outcome_key_id: DataKeyId", created_at, updated_at, expires_at,
            false as "is_silent!"
        from call_tasks where org_id = $1 and approval_id = $2 and era = $3 and state = 'waiting'"#,
        tx.org().uuid(),
        approval.uuid(),
        era
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Row::read).transpose()
}

/// A task that its agent may still ask about.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, of: TaskOf, now: OffsetDateTime) -> DbResult<Option<CallTask>> {
    let row = sqlx::query_as!(
        Row,
        r#"select id as "id: CallTaskId", approval_id as "approval_id: ApprovalId", state, is_led, round,
            sealed_outcome, outcome_key_id as "outcome_key_id: DataKeyId", created_at, updated_at, expires_at,
            state = 'calling' and coalesce(alive_at < clock_timestamp() - make_interval(secs => $6), true)
                as "is_silent!"
        from call_tasks where org_id = $1 and id = $2 and grant_id = $3 and server_id = $4 and expires_at > $5"#,
        tx.org().uuid(),
        of.id.uuid(),
        of.grant.uuid(),
        of.server.uuid(),
        now,
        SILENCE.as_secs_f64()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Row::read).transpose()
}

/// A call that is this caller's to make.
#[derive(Debug)]
pub struct Claimed {
    /// Which time it is; whoever comes later with another has lost it.
    pub round: i32,
    /// The request, sealed.
    pub call: SealedPart,
}

/// Takes a call that is to be made, so that nobody else does; none where somebody was faster.
///
/// # Errors
/// When the database refuses.
pub async fn claim(
    tx: &mut OrgTx,
    task: &CallTask,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> DbResult<Option<Claimed>> {
    let row = sqlx::query!(
        r#"update call_tasks set state = 'calling', round = round + 1, alive_at = clock_timestamp(), updated_at = $4,
            expires_at = greatest(expires_at, $5), sealed_outcome = null, outcome_key_id = null
        where org_id = $1 and id = $2 and state = $3 and round = $6
        returning round, sealed_call as "bytes!", call_key_id as "key!: DataKeyId""#,
        tx.org().uuid(),
        task.id.uuid(),
        task.state.as_str(),
        now,
        expires_at,
        task.round
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Claimed { round: row.round, call: SealedPart { key: row.key, bytes: row.bytes } }))
}

/// Says that the replica that makes a call lives; whether the call is still its to make.
///
/// # Errors
/// When the database refuses.
pub async fn beat(tx: &mut OrgTx, id: CallTaskId, round: i32, expires_at: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update call_tasks set alive_at = clock_timestamp(), expires_at = greatest(expires_at, $4)
        where org_id = $1 and id = $2 and state = 'calling' and round = $3",
        tx.org().uuid(),
        id.uuid(),
        round,
        expires_at
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What a call that was made came to.
#[derive(Clone, Copy, Debug)]
pub struct Came<'a> {
    /// Which time it was.
    pub round: i32,
    /// The outcome, sealed.
    pub outcome: &'a SealedPart,
    /// Whether its server asks for something first; else it is over.
    pub state: TaskState,
    /// Until when its agent may ask.
    pub expires_at: OffsetDateTime,
}

/// Keeps what came of a call; not where it was called off, or given up as lost, meanwhile.
///
/// # Errors
/// When the database refuses.
pub async fn end(tx: &mut OrgTx, id: CallTaskId, came: &Came<'_>, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update call_tasks set state = $4, sealed_outcome = $5, outcome_key_id = $6, updated_at = $7, expires_at = $8,
            sealed_call = case when $4 = 'over' then null else sealed_call end,
            call_key_id = case when $4 = 'over' then null else call_key_id end
        where org_id = $1 and id = $2 and state = 'calling' and round = $3",
        tx.org().uuid(),
        id.uuid(),
        came.round,
        came.state.as_str(),
        came.outcome.bytes,
        came.outcome.key.uuid(),
        now,
        came.expires_at
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Calls a task off that is not over, and destroys what was kept for it.
///
/// # Errors
/// When the database refuses.
pub async fn cancel(tx: &mut OrgTx, id: CallTaskId, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update call_tasks set state = 'canceled', sealed_call = null, call_key_id = null, sealed_outcome = null,
            outcome_key_id = null, updated_at = $3
        where org_id = $1 and id = $2 and state in ('waiting', 'calling', 'asking')",
        tx.org().uuid(),
        id.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that an agent has led its person to the page.
///
/// # Errors
/// When the database refuses.
pub async fn lead(tx: &mut OrgTx, id: CallTaskId, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update call_tasks set is_led = true, updated_at = $3
        where org_id = $1 and id = $2 and state = 'waiting' and not is_led",
        tx.org().uuid(),
        id.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets tasks that nobody may ask about any more, in all organizations.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<u64> {
    let swept = sqlx::query!("delete from call_tasks where org_id is not null and expires_at < $1", now)
        .execute(tx.conn())
        .await?;
    Ok(swept.rows_affected())
}
