//! SQL of the layers above the grants.

use crate::{
    base::ids::{PolicyId, ServerId, TeamId},
    domain::policy::{kept::Layers, store::bump_epoch},
    io::db::{DbResult, OrgTx, Tx},
};

/// Which policy stands in which layer.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx) -> DbResult<Layers> {
    let rows = sqlx::query!(
        r#"select team_id as "team: TeamId", server_id as "server: ServerId", policy_id as "policy: PolicyId"
        from policy_layers where org_id = $1"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let mut layers = Layers::default();
    for row in rows {
        match (row.team, row.server) {
            (Some(team), _) => drop(layers.teams.insert(team, row.policy)),
            (None, Some(server)) => drop(layers.servers.insert(server, row.policy)),
            (None, None) => layers.org = Some(row.policy),
        }
    }
    Ok(layers)
}

/// Lets one change of the layers come after the other.
///
/// # Errors
/// When the database refuses.
pub async fn lock(tx: &mut OrgTx) -> DbResult<()> {
    sqlx::query!("select epoch from orgs where id = $1 for update", tx.org().uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(())
}

/// Puts policies into the layers in place of those that stood there, and raises the epoch.
///
/// # Errors
/// When a policy, team or server is gone, or the database refuses.
pub async fn set(tx: &mut OrgTx, layers: &Layers) -> DbResult<()> {
    let org = tx.org().uuid();
    sqlx::query!("delete from policy_layers where org_id = $1", org).execute(tx.conn()).await?;
    let (teams, of_teams): (Vec<_>, Vec<_>) =
        layers.teams.iter().map(|(team, policy)| (team.uuid(), policy.uuid())).unzip();
    let (servers, of_servers): (Vec<_>, Vec<_>) =
        layers.servers.iter().map(|(server, policy)| (server.uuid(), policy.uuid())).unzip();
    sqlx::query!(
        "insert into policy_layers (org_id, layer, team_id, server_id, policy_id)
        select $1::uuid, 'org', null::uuid, null::uuid, $2::uuid where $2::uuid is not null
        union all select $1, 'team', t.team, null, t.policy from unnest($3::uuid[], $4::uuid[]) as t (team, policy)
        union all select $1, 'server', null, s.server, s.policy
            from unnest($5::uuid[], $6::uuid[]) as s (server, policy)",
        org,
        layers.org.map(PolicyId::uuid),
        &teams,
        &of_teams,
        &servers,
        &of_servers
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await
}
