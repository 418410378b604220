//! SQL that reads servers and tools by name, for grants that reach them.

use uuid::Uuid;

use crate::{
    base::ids::ServerId,
    domain::grants::{NamedServer, ToolCount, store::read},
    io::db::{DbResult, OrgTx, Tx},
};

/// How many servers a page names at the most.
const MOST: i64 = 1000;

/// All servers of the organization, by slug, the first thousand.
///
/// # Errors
/// When the database refuses.
pub async fn all(tx: &mut OrgTx) -> DbResult<Vec<NamedServer>> {
    let servers = sqlx::query_as!(
        NamedServer,
        r#"select id as "id: ServerId", slug, name, enabled as is_enabled from servers
        where org_id = $1 order by slug limit $2"#,
        tx.org().uuid(),
        MOST
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(servers)
}

/// Servers by id, in the order of their slugs; those that are gone are left out.
///
/// # Errors
/// When the database refuses.
pub async fn named(tx: &mut OrgTx, ids: &[ServerId]) -> DbResult<Vec<NamedServer>> {
    find(tx, ids, &[]).await
}

/// Servers by id or slug, in the order of their slugs.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, ids: &[ServerId], slugs: &[String]) -> DbResult<Vec<NamedServer>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let servers = sqlx::query_as!(
        NamedServer,
        r#"select id as "id: ServerId", slug, name, enabled as is_enabled from servers
        where org_id = $1 and (id = any($2) or slug = any($3)) order by slug"#,
        tx.org().uuid(),
        &ids,
        slugs
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(servers)
}

/// How many tools these servers offer, by class and by whether they may be called at all.
///
/// # Errors
/// When the database refuses.
pub async fn tools(tx: &mut OrgTx, servers: &[ServerId]) -> DbResult<Vec<ToolCount>> {
    let ids: Vec<Uuid> = servers.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select server_id as "server: ServerId", class, (state = 'reviewed' and enabled) as "is_callable!",
            count(*) as "tools!"
        from tools where org_id = $1 and server_id = any($2) and state <> 'gone'
        group by server_id, class, (state = 'reviewed' and enabled)"#,
        tx.org().uuid(),
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    let counts = rows.into_iter().map(|r| {
        Ok(ToolCount { server: r.server, class: read(&r.class)?, is_callable: r.is_callable, tools: r.tools })
    });
    counts.collect()
}
