//! All SQL of the gate.

use time::OffsetDateTime;

use crate::{
    base::{
        ids::UserId,
        update::{Change, Update, is_current},
    },
    domain::gate::{Gate, GateChange, GateState},
    io::db::{DbResult, OrgTx, Tx},
};

/// The gate of the transaction's organization.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx) -> DbResult<Gate> {
    let row = sqlx::query!(
        r#"select g.open, g.reason, g.changed_at, g.changed_by as "changed_by: UserId", g.version,
            u.name as "changed_by_name?"
        from gates g
        left join memberships m on m.org_id = g.org_id and m.user_id = g.changed_by
        left join users u on u.id = m.user_id
        where g.org_id = $1 and g.version > 0"#,
        tx.org().uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map_or_else(Gate::untouched, |row| Gate {
        state: GateState::of(row.open),
        reason: row.reason,
        changed_at: Some(row.changed_at),
        changed_by: row.changed_by,
        changed_by_name: row.changed_by_name,
        version: row.version,
    }))
}

/// Opens or closes the gate and raises the organization's epoch; never answers [`Update::NotFound`].
///
/// # Errors
/// When the database refuses.
pub async fn set(
    tx: &mut OrgTx,
    change: &GateChange,
    by: Option<UserId>,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Gate>>> {
    let org = tx.org().uuid();
    // A row to lock, also for the first change: of two people who close at once, the second is told.
    sqlx::query!(
        "insert into gates (org_id, changed_at, version) values ($1, $2, 0) on conflict (org_id) do nothing",
        org,
        now
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("select version from gates where org_id = $1 for update", org).fetch_one(tx.conn()).await?;
    let before = find(tx).await?;
    if !is_current(expected, before.version) {
        return Ok(Update::Conflict);
    }
    sqlx::query!(
        "update gates set open = $2, reason = $3, changed_at = $4, changed_by = $5, version = version + 1
        where org_id = $1",
        org,
        change.state() == GateState::Open,
        change.reason(),
        now,
        by.map(UserId::uuid)
    )
    .execute(tx.conn())
    .await?;
    // The one column of another room's table that is written here: without it the change would not be in
    // force.
    sqlx::query!("update orgs set epoch = epoch + 1 where id = $1", org).execute(tx.conn()).await?;
    Ok(Update::Done(Change { before, after: find(tx).await? }))
}
