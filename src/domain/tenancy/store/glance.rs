//! SQL of the overview: counts, names and first steps.

use time::OffsetDateTime;

use crate::{
    base::{ids::UserId, permission::Role},
    domain::tenancy::{MemberName, PeopleCount, StepMark, store::Stored},
    io::db::{DbResult, OrgTx, Tx},
};

/// Counts people, teams and invitations; an invitation ends soon when it does before `soon`.
///
/// # Errors
/// When the database fails.
pub async fn count(tx: &mut OrgTx, now: OffsetDateTime, soon: OffsetDateTime) -> DbResult<PeopleCount> {
    let count = sqlx::query_as!(
        PeopleCount,
        r#"select (select count(*) from memberships where org_id = $1) as "members!",
            (select count(*) from teams where org_id = $1) as "teams!",
            count(*) filter (where accepted_at is null and revoked_at is null and expires_at > $2) as "open!",
            count(*) filter (where accepted_at is null and revoked_at is null and expires_at > $2
                and expires_at <= $3) as "ending!",
            count(*) filter (where accepted_at is null and revoked_at is null and expires_at <= $2) as "expired!",
            count(*) as "invited!"
        from invitations where org_id = $1"#,
        tx.org().uuid(),
        now,
        soon
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// Everybody in the organization, by name.
///
/// # Errors
/// When the database fails.
pub async fn names(tx: &mut OrgTx) -> DbResult<Vec<MemberName>> {
    let names = sqlx::query_as!(
        MemberName,
        r#"select m.user_id as "user: UserId", u.name, m.role as "role: Stored<Role>"
        from memberships m join users u on u.id = m.user_id
        where m.org_id = $1 order by lower(u.name), m.user_id"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(names)
}

/// The steps that were put behind.
///
/// # Errors
/// When the database fails.
pub async fn step_marks(tx: &mut OrgTx) -> DbResult<Vec<(String, StepMark)>> {
    let rows = sqlx::query!(
        r#"select step, mark as "mark: Stored<StepMark>" from first_steps where org_id = $1 order by step"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.step, row.mark.into())).collect())
}

/// Puts a step behind; the later word counts.
///
/// # Errors
/// When the database fails.
pub async fn mark_step(tx: &mut OrgTx, step: &str, mark: StepMark, now: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "insert into first_steps (org_id, step, mark, marked_at) values ($1, $2, $3, $4)
        on conflict (org_id, step) do update set mark = excluded.mark, marked_at = excluded.marked_at",
        tx.org().uuid(),
        step,
        mark.as_str(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Brings back every step that was skipped.
///
/// # Errors
/// When the database fails.
pub async fn resume_steps(tx: &mut OrgTx) -> DbResult<()> {
    sqlx::query!("delete from first_steps where org_id = $1 and mark = 'skipped'", tx.org().uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}
