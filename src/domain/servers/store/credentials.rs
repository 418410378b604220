//! All SQL of what requests carry.

use uuid::Uuid;

use crate::{
    base::ids::{CredentialId, DataKeyId, ProviderId, ServerId},
    domain::servers::{Credential, NamedProvider, SealedValue, store::read},
    io::db::{DbResult, OrgTx, Tx},
};

/// The table and column whose cells hold the sealed values.
pub const SEALED_IN: (&str, &str) = ("server_credentials", "sealed_value");

pub(super) struct Row {
    pub(super) id: CredentialId,
    pub(super) server_id: ServerId,
    pub(super) target: String,
    pub(super) name: String,
    pub(super) source: String,
    pub(super) provider_id: Option<ProviderId>,
    pub(super) provider_slug: Option<String>,
    pub(super) provider_name: Option<String>,
    pub(super) provider_resource: Option<String>,
    pub(super) provider_kind: Option<String>,
    pub(super) secret: Option<String>,
    pub(super) template: String,
    pub(super) sealed_value: Option<Vec<u8>>,
    pub(super) data_key_id: Option<DataKeyId>,
}

impl Row {
    pub(super) fn read(self) -> DbResult<Credential> {
        let value = self.sealed_value.zip(self.data_key_id).map(|(bytes, key)| SealedValue { key, bytes });
        let named = self.provider_id.zip(self.provider_slug.zip(self.provider_name));
        let provider = named.map(|(id, (slug, name))| NamedProvider {
            id,
            slug,
            name,
            resource: self.provider_resource,
            is_shared_only: self.provider_kind.as_deref() == Some("client_credentials"),
            tells_scopes: self.provider_kind.as_deref() != Some("api_key"),
        });
        Ok(Credential {
            id: self.id,
            target: read(&self.target)?,
            name: self.name,
            source: read(&self.source)?,
            provider,
            secret: self.secret,
            template: self.template,
            value,
        })
    }
}

/// What a server's requests carry, in order.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut OrgTx, server: ServerId) -> DbResult<Vec<Credential>> {
    sqlx::query_as!(
        Row,
        r#"select c.id as "id: CredentialId", c.server_id as "server_id: ServerId", c.target, c.name, c.source,
            c.provider_id as "provider_id: ProviderId", p.slug as "provider_slug?", p.name as "provider_name?", p.resource as provider_resource, p.kind as "provider_kind?",
            c.secret,
            c.template, c.sealed_value, c.data_key_id as "data_key_id: DataKeyId"
        from server_credentials c left join providers p on p.org_id = c.org_id and p.id = c.provider_id
        where c.org_id = $1 and c.server_id = $2 order by c.position, c.id"#,
        tx.org().uuid(),
        server.uuid()
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(Row::read)
    .collect()
}

/// Puts these credentials, in this order, in place of the server's.
///
/// # Errors
/// When the database refuses.
pub async fn replace(tx: &mut OrgTx, server: ServerId, credentials: &[Credential]) -> DbResult<()> {
    let (org, server) = (tx.org().uuid(), server.uuid());
    sqlx::query!("delete from server_credentials where org_id = $1 and server_id = $2", org, server)
        .execute(tx.conn())
        .await?;
    for (position, credential) in (0i32..).zip(credentials) {
        let (bytes, key): (Option<&[u8]>, Option<Uuid>) = match &credential.value {
            Some(sealed) => (Some(&sealed.bytes), Some(sealed.key.uuid())),
            None => (None, None),
        };
        sqlx::query!(
            "insert into server_credentials
                (org_id, id, server_id, position, target, name, source, provider_id, secret, template, sealed_value,
                data_key_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            org,
            credential.id.uuid(),
            server,
            position,
            credential.target.as_str(),
            credential.name,
            credential.source.as_str(),
            credential.provider.as_ref().map(|provider| provider.id.uuid()),
            credential.secret,
            credential.template,
            bytes,
            key
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// The addresses of servers whose requests carry accounts of a provider, by slug; the first hundred.
///
/// # Errors
/// When the database refuses.
pub async fn servers_of(tx: &mut OrgTx, provider: ProviderId) -> DbResult<Vec<String>> {
    let urls = sqlx::query_scalar!(
        "select s.url from servers s where s.org_id = $1 and exists (select from server_credentials c
            where c.org_id = s.org_id and c.server_id = s.id and c.provider_id = $2)
        order by s.slug limit 100",
        tx.org().uuid(),
        provider.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(urls)
}
