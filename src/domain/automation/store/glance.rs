//! SQL of the overview and of find-or-jump.

use time::OffsetDateTime;

use crate::{
    base::ids::ApiKeyId,
    domain::automation::{AutomationCount, NamedKey},
    io::db::{DbResult, OrgTx, Tx},
};

/// Counts service accounts and keys; a key expires soon when it does before `soon`.
///
/// # Errors
/// When the database refuses.
pub async fn count(tx: &mut OrgTx, now: OffsetDateTime, soon: OffsetDateTime) -> DbResult<AutomationCount> {
    let count = sqlx::query_as!(
        AutomationCount,
        r#"select (select count(*) from service_accounts where org_id = $1) as "accounts!",
            count(*) filter (where revoked_at is null and (expires_at is null or expires_at > $2)) as "live_keys!",
            count(*) filter (where revoked_at is null and expires_at > $2 and expires_at <= $3)
                as "expiring_keys!",
            count(*) as "keys!"
        from api_keys where org_id = $1"#,
        tx.org().uuid(),
        now,
        soon
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// Live keys whose name holds the words, by name.
///
/// # Errors
/// When the database refuses.
pub async fn keys_named(
    tx: &mut OrgTx,
    words: &str,
    now: OffsetDateTime,
    limit: i64,
) -> DbResult<Vec<NamedKey>> {
    let keys = sqlx::query_as!(
        NamedKey,
        r#"select id as "id: ApiKeyId", name, tail from api_keys
        where org_id = $1 and revoked_at is null and (expires_at is null or expires_at > $3)
            and strpos(lower(name), lower($2)) > 0
        order by lower(name), id limit $4"#,
        tx.org().uuid(),
        words.replace('\0', ""),
        now,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(keys)
}
