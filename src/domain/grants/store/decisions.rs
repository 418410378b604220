//! SQL that loads what the proxy decides by.

use std::collections::{BTreeSet, HashMap};

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        crypto::digest::Digest,
        ids::{GrantId, GrantTokenId, PolicyId, ServerId, ServiceAccountId, TeamId, UserId},
        permission::Role,
    },
    domain::grants::{
        DecisionGrant, DecisionToken, ServersOf,
        store::{bindings, principal, read, stop},
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// How long what has ended is kept in mind, so that an agent hears that it ended rather than that it is unknown.
const KEPT_AFTER_END: Duration = Duration::days(30);

/// Everything that decisions about the organization's grants rest on, in three statements. What ended more than 30 days
/// ago is left out, so that a snapshot does not grow with the years. Read the epoch before: a change that commits
/// meanwhile then has a newer one, and whoever compares notices.
///
/// # Errors
/// When the database refuses.
pub async fn load_for_decisions(tx: &mut OrgTx, now: OffsetDateTime) -> DbResult<Vec<DecisionGrant>> {
    let since = now - KEPT_AFTER_END;
    let mut servers = servers(tx).await?;
    let mut tokens = tokens(tx, since).await?;
    let rows = sqlx::query!(
        r#"select g.id as "id: GrantId", g.label, g.user_id as "user_id: UserId", g.team_id as "team_id: TeamId",
            g.service_account_id as "service_account_id: ServiceAccountId", g.all_servers, g.class_ceiling,
            g.policy_id as "policy_id: PolicyId", m.role as "role?", g.expires_at, g.cidrs::text[] as "cidrs!", g.clients, g.suspended_at,
            g.suspended_by as "suspended_by: UserId", g.suspended_reason, g.revoked_at,
            g.revoked_by as "revoked_by: UserId", g.revoked_reason,
            coalesce(u.name, t.name, a.name, '') as "principal_name!",
            coalesce(u.email, t.slug, a.slug, '') as "principal_handle!",
            (u.id is not null and u.disabled_at is null and m.suspended_at is null or t.id is not null
                or a.id is not null and a.disabled_at is null) as "is_principal_active!"
        from grants g
        left join memberships m on m.org_id = g.org_id and m.user_id = g.user_id
        left join users u on u.id = m.user_id
        left join teams t on t.org_id = g.org_id and t.id = g.team_id
        left join service_accounts a on a.org_id = g.org_id and a.id = g.service_account_id
        where g.org_id = $1 and (g.revoked_at is null or g.revoked_at > $2)
            and (g.expires_at is null or g.expires_at > $2)"#,
        tx.org().uuid(),
        since
    )
    .fetch_all(tx.conn())
    .await?;
    let grants = rows.into_iter().map(|r| {
        let some = servers.remove(&r.id).unwrap_or_default();
        Ok(DecisionGrant {
            id: r.id,
            label: r.label,
            principal: principal(r.user_id, r.team_id, r.service_account_id)?,
            principal_name: r.principal_name,
            principal_handle: r.principal_handle,
            is_principal_active: r.is_principal_active,
            servers: if r.all_servers { ServersOf::All } else { ServersOf::Some(some) },
            ceiling: read(&r.class_ceiling)?,
            policy: r.policy_id,
            role: r.role.as_deref().map(read::<Role>).transpose()?,
            expires_at: r.expires_at,
            suspension: stop(r.suspended_at, r.suspended_by, r.suspended_reason),
            revocation: stop(r.revoked_at, r.revoked_by, r.revoked_reason),
            bindings: bindings(&r.cidrs, r.clients)?,
            tokens: tokens.remove(&r.id).unwrap_or_default(),
        })
    });
    grants.collect()
}

async fn servers(tx: &mut OrgTx) -> DbResult<HashMap<GrantId, BTreeSet<ServerId>>> {
    let rows = sqlx::query!(
        r#"select grant_id as "grant: GrantId", server_id as "server: ServerId" from grant_servers
        where org_id = $1"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let mut servers: HashMap<_, BTreeSet<_>> = HashMap::new();
    for row in rows {
        servers.entry(row.grant).or_default().insert(row.server);
    }
    Ok(servers)
}

async fn tokens(tx: &mut OrgTx, since: OffsetDateTime) -> DbResult<HashMap<GrantId, Vec<DecisionToken>>> {
    let rows = sqlx::query!(
        r#"select grant_id as "grant: GrantId", id as "id: GrantTokenId", token_hash, expires_at, revoked_at
        from grant_tokens
        where org_id = $1 and expires_at > $2 and (revoked_at is null or revoked_at > $2)
        order by id"#,
        tx.org().uuid(),
        since
    )
    .fetch_all(tx.conn())
    .await?;
    let mut tokens: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        let hash = Digest::try_from(row.token_hash)
            .map_err(|_| sqlx::Error::Decode("a token's hash that is no SHA-256".into()))?;
        let token =
            DecisionToken { id: row.id, hash, expires_at: row.expires_at, revoked_at: row.revoked_at };
        tokens.entry(row.grant).or_default().push(token);
    }
    Ok(tokens)
}
