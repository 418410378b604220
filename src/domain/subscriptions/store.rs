//! All SQL of subscriptions.

use crate::{
    base::ids::{DataKeyId, SealedId},
    domain::subscriptions::{SessionOf, Subscription},
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// The table, as its sealed values are bound to it.
pub const TABLE: &str = "resource_subscriptions";
/// The column of the address.
pub const SEALED_ADDRESS: &str = "sealed_address";
/// How many resources one session follows.
pub const MOST: i64 = 100;
/// How many all sessions of one grant follow; those that ended without a word count until they are swept.
pub const MOST_OF_GRANT: i64 = 5_000;

/// Has a session follow a resource; not where it, or its grant, follows as many as it may.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut OrgTx, of: &SessionOf, new: &Subscription) -> DbResult<bool> {
    let done = sqlx::query!(
        "insert into resource_subscriptions
            (org_id, id, grant_id, server_id, session, address, sealed_address, key_id)
        select $1, $2, $3, $4, $5, $6, $7, $8 where (select count(*) from resource_subscriptions o
            where o.org_id = $1 and o.grant_id = $3 and o.server_id = $4 and o.session = $5 and o.address <> $6) < $9
            and (select count(*) from resource_subscriptions o where o.org_id = $1 and o.grant_id = $3
                and (o.server_id, o.session, o.address) <> ($4, $5, $6)) < $10
        on conflict (org_id, grant_id, server_id, session, address) do update set at = clock_timestamp()",
        tx.org().uuid(),
        new.id.uuid(),
        of.grant.uuid(),
        of.server.uuid(),
        of.session.as_slice(),
        new.address,
        new.bytes,
        new.key.uuid(),
        MOST,
        MOST_OF_GRANT
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Has a session follow a resource no longer.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut OrgTx, of: &SessionOf, address: &[u8]) -> DbResult<()> {
    sqlx::query!(
        "delete from resource_subscriptions
        where org_id = $1 and grant_id = $2 and server_id = $3 and session = $4 and address = $5",
        tx.org().uuid(),
        of.grant.uuid(),
        of.server.uuid(),
        of.session.as_slice(),
        address
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Has a session that ends follow nothing.
///
/// # Errors
/// When the database refuses.
pub async fn delete_all(tx: &mut OrgTx, of: &SessionOf) -> DbResult<()> {
    sqlx::query!(
        "delete from resource_subscriptions
        where org_id = $1 and grant_id = $2 and server_id = $3 and session = $4",
        tx.org().uuid(),
        of.grant.uuid(),
        of.server.uuid(),
        of.session.as_slice()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What a session follows.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut OrgTx, of: &SessionOf) -> DbResult<Vec<Subscription>> {
    let rows = sqlx::query_as!(
        Subscription,
        r#"select id as "id: SealedId", address, key_id as "key: DataKeyId", sealed_address as bytes
        from resource_subscriptions
        where org_id = $1 and grant_id = $2 and server_id = $3 and session = $4 order by id"#,
        tx.org().uuid(),
        of.grant.uuid(),
        of.server.uuid(),
        of.session.as_slice()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// Notes that a session listens, so that what it follows is kept.
///
/// # Errors
/// When the database refuses.
pub async fn touch(tx: &mut OrgTx, of: &SessionOf) -> DbResult<()> {
    sqlx::query!(
        "update resource_subscriptions set at = clock_timestamp()
        where org_id = $1 and grant_id = $2 and server_id = $3 and session = $4",
        tx.org().uuid(),
        of.grant.uuid(),
        of.server.uuid(),
        of.session.as_slice()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets what sessions follow that have not listened for a day, in all organizations.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(tx: &mut SystemTx) -> DbResult<u64> {
    let swept = sqlx::query!(
        "delete from resource_subscriptions where org_id is not null and at < clock_timestamp() - interval '1 day'"
    )
    .execute(tx.conn())
    .await?;
    Ok(swept.rows_affected())
}
