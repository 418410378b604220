//! Passkeys.

use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{
    base::ids::{PasskeyId, UserId},
    domain::identity::{
        passkeys::{Credential, PasskeyName, StoredPasskey},
        store::decoded,
    },
    io::db::{DbResult, SystemTx, Tx},
};

/// Adds a passkey; `None` when this credential is known already, to this person or another.
pub async fn insert(
    tx: &mut impl Tx,
    user: UserId,
    name: &PasskeyName,
    credential: &Credential,
    now: OffsetDateTime,
) -> DbResult<Option<PasskeyId>> {
    let inserted = sqlx::query_scalar!(
        r#"insert into passkeys (id, user_id, name, credential_id, credential, created_at)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (credential_id) do nothing
            returning id as "id: PasskeyId""#,
        PasskeyId::fresh().uuid(),
        user.uuid(),
        name.as_str(),
        credential.id(),
        decoded(serde_json::to_value(credential))?,
        now
    );
    Ok(inserted.fetch_optional(tx.conn()).await?)
}

/// A person's passkeys, the oldest first.
pub async fn list(tx: &mut impl Tx, user: UserId) -> DbResult<Vec<StoredPasskey>> {
    let rows = sqlx::query_as!(
        PasskeyRow,
        r#"select id as "id: PasskeyId", user_id as "user: UserId", name,
                credential as "credential: Json<Credential>", created_at, last_used_at
            from passkeys where user_id = $1 order by id"#,
        user.uuid()
    );
    Ok(rows.fetch_all(tx.conn()).await?.into_iter().map(PasskeyRow::read).collect())
}

/// Finds a passkey by the authenticator's name for it, and holds it until the transaction ends, so that of
/// two answers with one counter only one is taken.
pub async fn find_by_credential(tx: &mut SystemTx, credential_id: &[u8]) -> DbResult<Option<StoredPasskey>> {
    let row = sqlx::query_as!(
        PasskeyRow,
        r#"select id as "id: PasskeyId", user_id as "user: UserId", name,
                credential as "credential: Json<Credential>", created_at, last_used_at
            from passkeys where credential_id = $1 for update"#,
        credential_id
    );
    Ok(row.fetch_optional(tx.conn()).await?.map(PasskeyRow::read))
}

/// Stores the counter after a passkey opened a door; `false` when it was deleted meanwhile, and the door
/// stays shut.
pub async fn mark_used(tx: &mut impl Tx, used: &StoredPasskey, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update passkeys set credential = $3, last_used_at = $4 where id = $1 and user_id = $2",
        used.id.uuid(),
        used.user.uuid(),
        decoded(serde_json::to_value(&used.credential))?,
        now
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Renames a passkey; `false` when the person has no such passkey.
pub async fn rename(
    tx: &mut impl Tx,
    user: UserId,
    passkey: PasskeyId,
    name: &PasskeyName,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update passkeys set name = $3 where id = $1 and user_id = $2",
        passkey.uuid(),
        user.uuid(),
        name.as_str()
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Forgets a passkey; `false` when the person has no such passkey.
pub async fn delete(tx: &mut impl Tx, user: UserId, passkey: PasskeyId) -> DbResult<bool> {
    let done =
        sqlx::query!("delete from passkeys where id = $1 and user_id = $2", passkey.uuid(), user.uuid());
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

struct PasskeyRow {
    id: PasskeyId,
    user: UserId,
    name: String,
    credential: Json<Credential>,
    created_at: OffsetDateTime,
    last_used_at: Option<OffsetDateTime>,
}

impl PasskeyRow {
    fn read(self) -> StoredPasskey {
        let Self { id, user, name, credential: Json(credential), created_at, last_used_at } = self;
        StoredPasskey { id, user, name, credential, created_at, last_used_at }
    }
}
