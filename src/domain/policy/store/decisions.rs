//! SQL that loads what the proxy decides by.

use std::collections::HashMap;

use uuid::Uuid;

use crate::{
    base::ids::{PolicyId, TeamId, UserId},
    io::db::{DbResult, OrgTx, Tx},
};

/// A policy that is in force somewhere, without its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivePolicy {
    /// Its id.
    pub id: PolicyId,
    /// Its short name.
    pub slug: String,
    /// The version in force.
    pub number: i32,
}

/// The policies of which a version is in force.
///
/// # Errors
/// When the database refuses.
pub async fn live(tx: &mut OrgTx) -> DbResult<Vec<LivePolicy>> {
    Ok(sqlx::query_as!(
        LivePolicy,
        r#"select id as "id: PolicyId", slug, live as "number!" from policies
        where org_id = $1 and live is not null"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The documents of these versions.
///
/// # Errors
/// When the database refuses.
pub async fn documents(tx: &mut OrgTx, of: &[(PolicyId, i32)]) -> DbResult<HashMap<(PolicyId, i32), String>> {
    let (policies, numbers): (Vec<Uuid>, Vec<i32>) =
        of.iter().map(|(policy, number)| (policy.uuid(), *number)).unzip();
    let rows = sqlx::query!(
        r#"select v.policy_id as "policy: PolicyId", v.number, v.document
        from unnest($2::uuid[], $3::integer[]) as n (policy, number)
        join policy_versions v on v.org_id = $1 and v.policy_id = n.policy and v.number = n.number"#,
        tx.org().uuid(),
        &policies,
        &numbers
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| ((row.policy, row.number), row.document)).collect())
}

/// The teams of everybody in whose name an agent acts, with their slugs, in the order of these.
///
/// # Errors
/// When the database refuses.
pub async fn teams_of_principals(tx: &mut OrgTx) -> DbResult<HashMap<UserId, Vec<(TeamId, String)>>> {
    let rows = sqlx::query!(
        r#"select m.user_id as "user: UserId", t.id as "team: TeamId", t.slug
        from team_members m join teams t on t.org_id = m.org_id and t.id = m.team_id
        where m.org_id = $1 and exists (select from grants g where g.org_id = $1 and g.user_id = m.user_id
            and g.revoked_at is null)
        order by t.slug"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let mut teams: HashMap<UserId, Vec<_>> = HashMap::new();
    for row in rows {
        teams.entry(row.user).or_default().push((row.team, row.slug));
    }
    Ok(teams)
}
