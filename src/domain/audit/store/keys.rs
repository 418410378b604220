//! The keys that sign checkpoints; their private halves are sealed by the vault and opaque here.

use time::OffsetDateTime;

use crate::{
    base::ids::{DataKeyId, SigningKeyId},
    domain::audit::{
        chain::{Hex, PublicKey},
        store::unreadable,
    },
    io::db::{DbResult, SystemTx, Tx},
};

/// A signing key to be stored.
#[derive(Clone, Debug)]
pub struct NewSigningKey {
    /// Its id, to which the private half was sealed.
    pub id: SigningKeyId,
    /// The public half.
    pub public: [u8; 32],
    /// The private half, sealed.
    pub sealed_private: Vec<u8>,
    /// The data key that sealed it.
    pub data_key: DataKeyId,
}

/// A signing key as stored, for the vault to open.
#[derive(Clone, Debug)]
pub struct SealedSigningKey {
    /// Its id.
    pub id: SigningKeyId,
    /// The private half, sealed.
    pub sealed_private: Vec<u8>,
    /// The data key that sealed it.
    pub data_key: DataKeyId,
}

/// A signing key, as pages show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningKeyRow {
    /// Its id.
    pub id: SigningKeyId,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it signed last; nothing while it signs.
    pub retired_at: Option<OffsetDateTime>,
}

/// All keys that ever signed, newest first.
///
/// # Errors
/// When the database is away.
pub async fn list_signing_keys(tx: &mut SystemTx) -> DbResult<Vec<SigningKeyRow>> {
    Ok(sqlx::query_as!(
        SigningKeyRow,
        r#"select id as "id: SigningKeyId", created_at, retired_at from signing_keys
        order by created_at desc, id desc"#
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Stores a key; it signs from now on.
///
/// # Errors
/// When the database refuses or is away.
pub async fn insert_signing_key(tx: &mut SystemTx, now: OffsetDateTime, key: &NewSigningKey) -> DbResult<()> {
    sqlx::query!(
        "insert into signing_keys (id, public_key, sealed_private, data_key_id, created_at)
        values ($1, $2, $3, $4, $5)",
        key.id.uuid(),
        &key.public,
        key.sealed_private,
        key.data_key.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The newest key that is not retired.
///
/// # Errors
/// When the database is away.
pub async fn find_signing_key(tx: &mut SystemTx) -> DbResult<Option<SealedSigningKey>> {
    Ok(sqlx::query_as!(
        SealedSigningKey,
        r#"select id as "id: SigningKeyId", sealed_private, data_key_id as "data_key: DataKeyId"
        from signing_keys where retired_at is null order by created_at desc, id desc limit 1"#
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// The public halves of all keys that ever signed, oldest first.
///
/// # Errors
/// When the database is away.
pub async fn list_public_keys(tx: &mut impl Tx) -> DbResult<Vec<PublicKey>> {
    let rows = sqlx::query!(
        r#"select id as "id: SigningKeyId", public_key from signing_keys order by created_at, id"#
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let public = Hex::from_slice(&row.public_key).ok_or_else(|| unreadable("a public key"))?;
            Ok(PublicKey { id: row.id, public })
        })
        .collect()
}

/// Replaces the sealing of a key's private half; `false` when another data key than `from` seals it by now.
///
/// # Errors
/// When the database refuses or is away.
pub async fn reseal_signing_key(
    tx: &mut SystemTx,
    key: &SealedSigningKey,
    from: DataKeyId,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update signing_keys set sealed_private = $2, data_key_id = $3 where id = $1 and data_key_id = $4",
        key.id.uuid(),
        key.sealed_private,
        key.data_key.uuid(),
        from.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a key's signing; what it signed stays valid.
///
/// # Errors
/// When the database refuses or is away.
pub async fn retire_signing_key(tx: &mut SystemTx, now: OffsetDateTime, id: SigningKeyId) -> DbResult<()> {
    sqlx::query!(
        "update signing_keys set retired_at = $2 where id = $1 and retired_at is null",
        id.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
