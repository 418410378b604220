//! SQL of the public halves of the keys that clients sign with.

use time::OffsetDateTime;

use crate::{
    base::{crypto::ecdsa::EcPublic, ids::ProviderId},
    domain::connections::store::decode,
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// What is stored is no public half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored public key does not have 64 bytes")]
struct NotAPublicKey;

/// Shows another key of a provider, whose client has the callback of the other id, from now on. Those before are shown until a
/// moment, and what was shown for long enough is forgotten.
///
/// # Errors
/// When the database refuses.
pub async fn publish(
    tx: &mut OrgTx,
    (provider, callback): (ProviderId, ProviderId),
    public: &EcPublic,
    now: OffsetDateTime,
    others_until: OffsetDateTime,
) -> DbResult<()> {
    retire(tx, provider, now, others_until).await?;
    sqlx::query!(
        "insert into provider_keys (org_id, provider_id, callback_id, public_key, created_at) values ($1, $2, $3, $4, $5)",
        tx.org().uuid(),
        provider.uuid(),
        callback.uuid(),
        &public[..],
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Has no key of a provider sign any more: they are shown until a moment.
///
/// # Errors
/// When the database refuses.
pub async fn retire(
    tx: &mut OrgTx,
    provider: ProviderId,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> DbResult<()> {
    sqlx::query!(
        "delete from provider_keys where org_id = $1 and provider_id = $2 and listed_until <= $3",
        tx.org().uuid(),
        provider.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "update provider_keys set listed_until = $3 where org_id = $1 and provider_id = $2 and listed_until is null",
        tx.org().uuid(),
        provider.uuid(),
        until
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The keys of a provider's client that are shown now, the one that signs first; none for a client that never signed,
/// and for a provider that is not there.
///
/// # Errors
/// When the database refuses.
pub async fn shown(tx: &mut SystemTx, provider: ProviderId, now: OffsetDateTime) -> DbResult<Vec<EcPublic>> {
    let keys = sqlx::query_scalar!(
        "select k.public_key from provider_keys k join orgs o on o.id = k.org_id and o.deleted_at is null
        where k.provider_id = $1 and (k.listed_until is null or k.listed_until > $2)
        order by k.listed_until desc nulls first, k.created_at desc, k.public_key",
        provider.uuid(),
        now
    )
    .fetch_all(tx.conn())
    .await?;
    keys.into_iter().map(|key| EcPublic::try_from(key).map_err(|_| decode(NotAPublicKey))).collect()
}

/// The provider whose client has the callback of this id and has keys that are shown now.
///
/// # Errors
/// When the database refuses.
pub async fn signing_as(
    tx: &mut SystemTx,
    callback: ProviderId,
    now: OffsetDateTime,
) -> DbResult<Option<ProviderId>> {
    let provider = sqlx::query_scalar!(
        r#"select k.provider_id as "provider: ProviderId"
        from provider_keys k join orgs o on o.id = k.org_id and o.deleted_at is null
        where k.callback_id = $1 and (k.listed_until is null or k.listed_until > $2) limit 1"#,
        callback.uuid(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(provider)
}
