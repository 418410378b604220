//! All SQL of idempotency keys.

use time::OffsetDateTime;

use crate::{
    base::{
        crypto::digest::{self, Digest},
        ids::{DataKeyId, SealedId},
    },
    domain::automation::{ANSWER_TTL, Answer, Claim},
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// Claims a key for a request, or says what became of the request that claimed it before.
///
/// Commit the claim before carrying the request out: two requests at once are told apart by the row, and
/// the second one answers at once instead of waiting. A key belongs to one actor (`actor` is the outside
/// form of an id), so nobody can be given another's answer.
///
/// # Errors
/// When the database refuses.
pub async fn claim(
    tx: &mut OrgTx,
    actor: &str,
    key: &str,
    request: &Digest,
    now: OffsetDateTime,
) -> DbResult<Claim> {
    let id = SealedId::fresh();
    let taken = sqlx::query!(
        "insert into idempotency_keys as i (org_id, id, actor, key, request_digest, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (org_id, actor, key) do update set id = excluded.id,
            request_digest = excluded.request_digest, created_at = excluded.created_at,
            expires_at = excluded.expires_at,
            status = null, sealed_answer = null, data_key_id = null
        where i.expires_at <= excluded.created_at and i.org_id = excluded.org_id",
        tx.org().uuid(),
        id.uuid(),
        actor,
        key,
        request.as_slice(),
        now,
        now + ANSWER_TTL
    )
    .execute(tx.conn())
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(Claim::New(id));
    }
    let earlier = sqlx::query!(
        r#"select id as "id: SealedId", request_digest, created_at, status, sealed_answer,
            data_key_id as "data_key_id: DataKeyId"
        from idempotency_keys where org_id = $1 and actor = $2 and key = $3"#,
        tx.org().uuid(),
        actor,
        key
    )
    .fetch_optional(tx.conn())
    .await?;
    // Released or swept between the two statements: the caller's next attempt will find the key free.
    let Some(earlier) = earlier else {
        return Ok(Claim::InProgress { since: now });
    };
    if !digest::same(&earlier.request_digest, request) {
        return Ok(Claim::Mismatch);
    }
    Ok(match (earlier.status, earlier.sealed_answer, earlier.data_key_id) {
        (Some(status), Some(sealed), Some(data_key)) => {
            Claim::Replay(Answer { row: earlier.id, status: status.unsigned_abs(), data_key, sealed })
        }
        _ => Claim::InProgress { since: earlier.created_at },
    })
}

/// Keeps the answer of a claimed request; returns whether the claim was still ours to finish.
///
/// # Errors
/// When the database refuses.
pub async fn finish(tx: &mut OrgTx, answer: &Answer) -> DbResult<bool> {
    let done = sqlx::query!(
        "update idempotency_keys set status = $3, sealed_answer = $4, data_key_id = $5
        where org_id = $1 and id = $2 and status is null",
        tx.org().uuid(),
        answer.row.uuid(),
        answer.status.cast_signed(),
        answer.sealed,
        answer.data_key.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a claim back where the request failed and changed nothing, so that the same key may try again.
///
/// # Errors
/// When the database refuses.
pub async fn release(tx: &mut OrgTx, claim: SealedId) -> DbResult<()> {
    sqlx::query!(
        "delete from idempotency_keys where org_id = $1 and id = $2 and status is null",
        tx.org().uuid(),
        claim.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Deletes up to `at_most` answers whose time is over; returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_expired(tx: &mut SystemTx, now: OffsetDateTime, at_most: i64) -> DbResult<u64> {
    let done = sqlx::query!(
        "delete from idempotency_keys i using (
            select org_id, actor, key from idempotency_keys where expires_at <= $1 limit $2) old
        where i.org_id = old.org_id and i.actor = old.actor and i.key = old.key and i.expires_at <= $1",
        now,
        at_most
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
