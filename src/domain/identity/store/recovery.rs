//! Recovery codes.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::ids::{RecoveryCodeId, UserId},
    domain::identity::recovery::RecoveryCode,
    io::db::{DbResult, Tx},
};

/// Keeps a new set in place of the old one.
pub async fn replace(
    tx: &mut impl Tx,
    user: UserId,
    codes: &[RecoveryCode],
    now: OffsetDateTime,
) -> DbResult<()> {
    delete(tx, user).await?;
    let ids: Vec<Uuid> = codes.iter().map(|_| RecoveryCodeId::fresh().uuid()).collect();
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| code.hash().to_vec()).collect();
    sqlx::query!(
        "insert into recovery_codes (id, user_id, code_hash, created_at)
            select id, $1, hash, $4 from unnest($2::uuid[], $3::bytea[]) as new (id, hash)",
        user.uuid(),
        &ids,
        &hashes,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Spends a code and says how many are left; `None` when it is not one of the person's unspent codes.
pub async fn spend(
    tx: &mut impl Tx,
    user: UserId,
    code: &RecoveryCode,
    now: OffsetDateTime,
) -> DbResult<Option<usize>> {
    let rows = sqlx::query!(
        r#"select id as "id: RecoveryCodeId", code_hash from recovery_codes
            where user_id = $1 and used_at is null"#,
        user.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    // All are compared, so that the time does not tell which one matched.
    let found =
        rows.iter().fold(None, |found, row| if code.matches(&row.code_hash) { Some(row.id) } else { found });
    let Some(id) = found else { return Ok(None) };
    let done = sqlx::query!(
        "update recovery_codes set used_at = $3 where id = $1 and user_id = $2 and used_at is null",
        id.uuid(),
        user.uuid(),
        now
    );
    Ok((done.execute(tx.conn()).await?.rows_affected() == 1).then_some(rows.len() - 1))
}

/// How many codes a person has left.
pub async fn count_left(tx: &mut impl Tx, user: UserId) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from recovery_codes where user_id = $1 and used_at is null"#,
        user.uuid()
    );
    Ok(count.fetch_one(tx.conn()).await?)
}

/// Forgets all codes of a person and says how many there were, spent ones included.
pub async fn delete(tx: &mut impl Tx, user: UserId) -> DbResult<u64> {
    let done = sqlx::query!("delete from recovery_codes where user_id = $1", user.uuid());
    Ok(done.execute(tx.conn()).await?.rows_affected())
}
