//! SQL of the overview.

use time::OffsetDateTime;

use crate::{
    domain::grants::GrantCount,
    io::db::{DbResult, OrgTx, Tx},
};

/// Counts grants and tokens; a token expires soon when it does before `soon`.
///
/// # Errors
/// When the database refuses.
pub async fn count(tx: &mut OrgTx, now: OffsetDateTime, soon: OffsetDateTime) -> DbResult<GrantCount> {
    let count = sqlx::query_as!(
        GrantCount,
        r#"select count(*) as "made!",
            count(*) filter (where revoked_at is null and suspended_at is null
                and (expires_at is null or expires_at > $2)) as "active!",
            (select count(*) from grant_tokens k join grants g on g.org_id = k.org_id and g.id = k.grant_id
                where k.org_id = $1 and k.revoked_at is null and k.expires_at > $2 and k.expires_at <= $3
                    and g.revoked_at is null and (g.expires_at is null or g.expires_at > $3)) as "expiring_tokens!",
            (select count(*) from grant_tokens where org_id = $1 and last_used_at is not null)
                as "used_tokens!"
        from grants where org_id = $1"#,
        tx.org().uuid(),
        now,
        soon
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}
