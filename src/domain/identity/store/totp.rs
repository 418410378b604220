//! Sealed secrets of authenticator apps.

use time::OffsetDateTime;

use crate::{
    base::ids::{DataKeyId, UserId},
    domain::identity::totp::{SealedTotp, Step},
    io::db::{DbResult, Tx},
};

/// Keeps a new secret that opens no door yet, in place of an earlier unconfirmed one.
///
/// `false` when the person has a confirmed one: that must be deleted first, which is a sensitive act of its
/// own.
pub async fn insert(
    tx: &mut impl Tx,
    user: UserId,
    sealed_secret: &[u8],
    data_key: DataKeyId,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "insert into totp_secrets as old (user_id, sealed_secret, data_key_id, created_at)
            values ($1, $2, $3, $4)
            on conflict (user_id) do update
                set sealed_secret = excluded.sealed_secret, data_key_id = excluded.data_key_id,
                    created_at = excluded.created_at, last_step = 0
                where old.confirmed_at is null",
        user.uuid(),
        sealed_secret,
        data_key.uuid(),
        now
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Finds a person's secret, confirmed or not.
pub async fn find(tx: &mut impl Tx, user: UserId) -> DbResult<Option<SealedTotp>> {
    let row = sqlx::query_as!(
        SealedTotp,
        r#"select sealed_secret, data_key_id as "data_key: DataKeyId", confirmed_at
            from totp_secrets where user_id = $1"#,
        user.uuid()
    );
    Ok(row.fetch_optional(tx.conn()).await?)
}

/// Confirms a secret by a first code; from now on it is asked for. `false` when it was confirmed already.
pub async fn confirm(tx: &mut impl Tx, user: UserId, step: Step, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update totp_secrets set confirmed_at = $3, last_step = $2
            where user_id = $1 and confirmed_at is null",
        user.uuid(),
        step.number(),
        now
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Spends the step of a code; `false` when it or a later one was spent before, and the code is then not good.
pub async fn spend(tx: &mut impl Tx, user: UserId, step: Step) -> DbResult<bool> {
    let done = sqlx::query!(
        "update totp_secrets set last_step = $2
            where user_id = $1 and confirmed_at is not null and last_step < $2",
        user.uuid(),
        step.number()
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Forgets a person's secret; `false` when there was none.
pub async fn delete(tx: &mut impl Tx, user: UserId) -> DbResult<bool> {
    let done = sqlx::query!("delete from totp_secrets where user_id = $1", user.uuid());
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}
