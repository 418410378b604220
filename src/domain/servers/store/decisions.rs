//! What decisions need, in three statements whatever the number of servers.

use std::{collections::HashMap, sync::Arc};

use crate::{
    base::ids::{CredentialId, DataKeyId, ProviderId, ServerId},
    domain::servers::{
        Credential, DecisionServer, DecisionTool, Declared,
        store::{credentials::Row as CredentialRow, digest, read, read_some},
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// All servers of the organization with what a decision about a call needs.
///
/// # Errors
/// When the database refuses.
pub async fn load_for_decisions(tx: &mut OrgTx) -> DbResult<Vec<DecisionServer>> {
    let mut credentials = credentials(tx).await?;
    let mut tools = tools(tx).await?;
    let rows = sqlx::query!(
        r#"select id as "id: ServerId", slug, name, transport, url, enabled, era, protocol_version, server_name,
            server_version, capabilities, instructions
        from servers where org_id = $1 order by slug"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let servers = rows.into_iter().map(|r| {
        let mut tools = tools.remove(&r.id).unwrap_or_default();
        // By bytes, as `DecisionServer::tool` looks for them; the database may sort by its own rules.
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(DecisionServer {
            id: r.id,
            slug: read(&r.slug)?,
            name: r.name.into(),
            is_enabled: r.enabled,
            transport: read(&r.transport)?,
            url: r.url.into(),
            credentials: credentials.remove(&r.id).unwrap_or_default(),
            declared: Declared {
                era: read_some(r.era.as_deref())?,
                protocol_version: r.protocol_version,
                name: r.server_name,
                version: r.server_version,
                capabilities: r.capabilities.map(Into::into),
                instructions: r.instructions.map(Into::into),
            },
            tools,
        })
    });
    servers.collect()
}

/// What the requests of each server carry, in order.
///
/// # Errors
/// When the database refuses.
pub async fn credentials(tx: &mut OrgTx) -> DbResult<HashMap<ServerId, Vec<Credential>>> {
    let rows = sqlx::query_as!(
        CredentialRow,
        r#"select c.id as "id: CredentialId", c.server_id as "server_id: ServerId", c.target, c.name, c.source,
            c.provider_id as "provider_id: ProviderId", p.slug as "provider_slug?", p.name as "provider_name?", p.resource as provider_resource, p.kind as "provider_kind?",
            c.secret,
            c.template, c.sealed_value, c.data_key_id as "data_key_id: DataKeyId"
        from server_credentials c left join providers p on p.org_id = c.org_id and p.id = c.provider_id
        where c.org_id = $1 order by c.server_id, c.position, c.id"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        found.entry(row.server_id).or_default().push(row.read()?);
    }
    Ok(found)
}

async fn tools(tx: &mut OrgTx) -> DbResult<HashMap<ServerId, Vec<DecisionTool>>> {
    let rows = sqlx::query!(
        r#"select server_id as "server: ServerId", name, state, enabled, class, fingerprint,
            case when state = 'reviewed' and enabled then accepted_definition end as accepted_definition,
            required_scopes
        from tools where org_id = $1 and state <> 'gone'"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for r in rows {
        found.entry(r.server).or_default().push(DecisionTool {
            name: read(&r.name)?,
            state: read(&r.state)?,
            is_enabled: r.enabled,
            class: read(&r.class)?,
            fingerprint: digest(&r.fingerprint)?,
            accepted_definition: r.accepted_definition.map(Arc::from),
            required_scopes: r.required_scopes,
        });
    }
    Ok(found)
}
