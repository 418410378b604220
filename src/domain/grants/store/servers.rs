//! What grants have to do with one server: who reaches it, and what goes with it.

use time::OffsetDateTime;

use crate::{
    base::ids::ServerId,
    io::db::{DbResult, OrgTx, Tx},
};

/// Labels of grants in force that reach a server because they name it, and how many reach every server.
///
/// # Errors
/// When the database refuses.
pub async fn dependents(
    tx: &mut OrgTx,
    server: ServerId,
    now: OffsetDateTime,
) -> DbResult<(Vec<String>, usize)> {
    let rows = sqlx::query!(
        "select label, all_servers from grants g
        where org_id = $1 and revoked_at is null and (expires_at is null or expires_at > $3)
            and (all_servers or exists (select from grant_servers s
                where s.org_id = g.org_id and s.grant_id = g.id and s.server_id = $2))
        order by label",
        tx.org().uuid(),
        server.uuid(),
        now
    )
    .fetch_all(tx.conn())
    .await?;
    let everywhere = rows.iter().filter(|r| r.all_servers).count();
    Ok((rows.into_iter().filter(|r| !r.all_servers).map(|r| r.label).collect(), everywhere))
}

/// Takes a server that is deleted out of every grant that names it.
///
/// # Errors
/// When the database refuses.
pub async fn forget(tx: &mut OrgTx, server: ServerId) -> DbResult<()> {
    sqlx::query!(
        "delete from grant_servers where org_id = $1 and server_id = $2",
        tx.org().uuid(),
        server.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
