//! All SQL of providers, of their clients' keys and of the accounts that people connect at them.
//!
//! Invariant: a pair of tokens is replaced only by whoever holds the lease on it, or by its owner connecting again.
//! Invariant: what ends a connection, or changes whose calls it serves, raises the organization's epoch in the same
//! transaction; a new pair of tokens does so only where the one before was far from its end, for calls may hold that one.

pub mod accounts;
pub mod endings;
pub mod held;
pub mod keys;
pub mod lapses;
pub mod leases;
pub mod noted;
pub mod reach;
pub mod requests;

use std::str::FromStr;

use serde_json::Value;
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use crate::{
    base::{
        ids::{DataKeyId, ProviderId, UserId},
        page::{Page, PageRequest},
        slug::Slug,
        update::{Change, Update, is_current},
    },
    domain::connections::{
        ClientParts, NewProvider, Provider, ProviderRef, ProviderSource, SealedSecret, TemplateParts,
    },
    io::db::{DbError, DbResult, OrgTx, Tx},
    protocol::oauth::{client::ClientAuth, document::Facts},
};

/// The rule that a second provider with the same slug breaks.
pub const SLUG_IS_FREE: &str = "providers_slug_is_free";
/// The rules that a second provider with the same id breaks.
pub const ID_IS_FREE: [&str; 2] = ["providers_pkey", "providers_by_id"];
/// The table and column whose cells hold the sealed secrets.
pub const SEALED_IN: (&str, &str) = ("providers", "sealed_secret");

struct Row {
    id: ProviderId,
    slug: String,
    name: String,
    kind: String,
    preset: Option<String>,
    preset_version: i32,
    variables: Value,
    authorize_url: Option<String>,
    token_url: Option<String>,
    revoke_url: Option<String>,
    userinfo_url: Option<String>,
    issuer: Option<String>,
    names_itself: bool,
    client_auth: Option<String>,
    pkce: Option<String>,
    resource: Option<String>,
    audience: Option<String>,
    enrolment: String,
    callback_id: Option<ProviderId>,
    shares_with: Option<ProviderId>,
    client_id: String,
    sealed_secret: Option<Vec<u8>>,
    data_key_id: Option<DataKeyId>,
    secret_changed_at: Option<OffsetDateTime>,
    scopes: Vec<String>,
    user_scopes: Vec<String>,
    created_by: Option<UserId>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    disabled_at: Option<OffsetDateTime>,
    version: i64,
}

impl Row {
    fn read(self) -> DbResult<Provider> {
        let url = |text: Option<String>| text.as_deref().map(read::<Url>).transpose();
        let source = match (self.preset, self.kind.as_str()) {
            (Some(slug), _) => {
                let variables = serde_json::from_value::<Facts>(self.variables).map_err(unreadable)?;
                ProviderSource::Preset { slug, version: self.preset_version, variables }
            }
            (None, "api_key") => ProviderSource::Key { page: url(self.authorize_url)? },
            (None, "client_credentials") => ProviderSource::Client(Box::new(ClientParts {
                token: read(self.token_url.as_deref().unwrap_or_default())?,
                revoke: url(self.revoke_url)?,
                client_auth: read(self.client_auth.as_deref().unwrap_or_default())?,
                resource: self.resource,
                audience: self.audience,
            })),
            (None, _) => ProviderSource::Own(Box::new(TemplateParts {
                authorize: read(self.authorize_url.as_deref().unwrap_or_default())?,
                token: read(self.token_url.as_deref().unwrap_or_default())?,
                revoke: url(self.revoke_url)?,
                userinfo: url(self.userinfo_url)?,
                issuer: self.issuer,
                names_itself: self.names_itself,
                client_auth: read(self.client_auth.as_deref().unwrap_or_default())?,
                pkce: read(self.pkce.as_deref().unwrap_or_default())?,
                is_openid: self.kind == "oidc",
                resource: self.resource,
            })),
        };
        let sealed = self.sealed_secret.zip(self.data_key_id).zip(self.secret_changed_at);
        Ok(Provider {
            id: self.id,
            slug: read::<Slug>(&self.slug)?,
            name: self.name,
            source,
            enrolment: read(&self.enrolment)?,
            callback: self.callback_id,
            shares_with: self.shares_with,
            client_id: self.client_id,
            secret: sealed.map(|((bytes, key), changed_at)| SealedSecret { key, bytes, changed_at }),
            scopes: self.scopes,
            user_scopes: self.user_scopes,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            disabled_at: self.disabled_at,
            version: self.version,
        })
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> DbError {
    DbError::from(sqlx::Error::Decode(Box::new(error)))
}

/// Reads a text that the schema's rules keep well-formed.
fn read<T>(text: &str) -> DbResult<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(unreadable)
}

/// A text to search by, without what no row can hold.
fn sought(text: Option<&str>) -> Option<String> {
    text.map(|text| text.replace('\0', ""))
}

/// Stores a new provider.
///
/// # Errors
/// [`SLUG_IS_FREE`] where the slug is taken, one of [`ID_IS_FREE`] where the id is; or when the database refuses.
pub async fn insert(tx: &mut OrgTx, provider: &Provider) -> DbResult<()> {
    let parts = provider.source.parts();
    let (preset, preset_version, variables) = match &provider.source {
        ProviderSource::Preset { slug, version, variables } => {
            (Some(slug.as_str()), *version, variables.clone())
        }
        _ => (None, 0, Facts::new()),
    };
    let places = provider.source.places();
    let sealed = provider.secret.as_ref();
    let url = |url: &Url| url.as_str().to_owned();
    sqlx::query!(
        "insert into providers
            (org_id, id, slug, name, kind, preset, variables, authorize_url, token_url, revoke_url, userinfo_url,
            issuer, names_itself, client_auth, pkce, client_id, sealed_secret, data_key_id, secret_changed_at,
            scopes, user_scopes, created_by, created_at, updated_at, resource, enrolment, audience, preset_version,
            callback_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
            $23, $23, $24, $25, $26, $27, $28)",
        tx.org().uuid(),
        provider.id.uuid(),
        provider.slug.as_str(),
        provider.name,
        provider.source.kind(),
        preset,
        serde_json::to_value(&variables).map_err(unreadable)?,
        places.authorize.map(url),
        places.token.map(url),
        places.revoke.map(url),
        parts.and_then(|parts| parts.userinfo.as_ref()).map(url),
        parts.and_then(|parts| parts.issuer.as_deref()),
        parts.is_some_and(|parts| parts.names_itself),
        provider.source.client_auth().map(ClientAuth::as_str),
        parts.map(|parts| parts.pkce.as_str()),
        provider.client_id,
        sealed.map(|sealed| sealed.bytes.as_slice()),
        sealed.map(|sealed| sealed.key.uuid()),
        sealed.map(|sealed| sealed.changed_at),
        &provider.scopes,
        &provider.user_scopes,
        provider.created_by.map(UserId::uuid),
        provider.created_at,
        provider.source.resource(),
        provider.enrolment.as_str(),
        places.audience,
        preset_version,
        provider.callback.map(ProviderId::uuid)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Providers by slug; `search` finds part of a name or slug. The page's key is the slug.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    search: Option<&str>,
    page: &PageRequest<String>,
) -> DbResult<Page<Provider>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id as "id: ProviderId", slug, name, kind, preset, preset_version, variables, authorize_url, token_url,
            revoke_url, userinfo_url, issuer, names_itself, client_auth, pkce, resource, audience, enrolment,
            callback_id as "callback_id: ProviderId",
            (select o.id from providers o where o.org_id = $1 and o.id <> providers.id and o.issuer = providers.issuer
                and o.client_id = providers.client_id
                and coalesce(o.callback_id, o.id) = coalesce(providers.callback_id, providers.id)
                order by o.created_at, o.id limit 1) as "shares_with?: ProviderId",
            client_id, sealed_secret,
            data_key_id as "data_key_id: DataKeyId", secret_changed_at, scopes, user_scopes,
            created_by as "created_by: UserId", created_at, updated_at, disabled_at, version
        from providers
        where org_id = $1 and ($2::text is null or slug > $2)
            and ($3::text is null or position(lower($3) in lower(name)) > 0 or position(lower($3) in slug) > 0)
        order by slug limit $4"#,
        tx.org().uuid(),
        sought(page.after.as_deref()),
        sought(search),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let providers: DbResult<Vec<_>> = rows.into_iter().map(Row::read).collect();
    Ok(Page::cut(providers?, page.limit, |provider| provider.slug.as_str().to_owned()))
}

/// One provider, by id or slug.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, which: &ProviderRef) -> DbResult<Option<Provider>> {
    let id: Option<Uuid> = which.id().map(ProviderId::uuid);
    sqlx::query_as!(
        Row,
        r#"select id as "id: ProviderId", slug, name, kind, preset, preset_version, variables, authorize_url, token_url,
            revoke_url, userinfo_url, issuer, names_itself, client_auth, pkce, resource, audience, enrolment,
            callback_id as "callback_id: ProviderId",
            (select o.id from providers o where o.org_id = $1 and o.id <> providers.id and o.issuer = providers.issuer
                and o.client_id = providers.client_id
                and coalesce(o.callback_id, o.id) = coalesce(providers.callback_id, providers.id)
                order by o.created_at, o.id limit 1) as "shares_with?: ProviderId",
            client_id, sealed_secret,
            data_key_id as "data_key_id: DataKeyId", secret_changed_at, scopes, user_scopes,
            created_by as "created_by: UserId", created_at, updated_at, disabled_at, version
        from providers where org_id = $1 and (id = $2 or slug = $3)"#,
        tx.org().uuid(),
        id,
        which.slug()
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Row::read)
    .transpose()
}

/// Whether a client was registered with the callback of this id, in whose name so ever.
///
/// # Errors
/// When the database refuses.
pub async fn is_callback_known(tx: &mut OrgTx, id: ProviderId) -> DbResult<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists(select from providers where org_id = $1 and callback_id = $2) as "is_known!""#,
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_one(tx.conn())
    .await?)
}

/// The ids of providers whose client became known at an authorization server without an admin, the oldest first. One that is
/// switched off lends its client to nobody.
///
/// # Errors
/// When the database refuses.
pub async fn enrolled_at(tx: &mut OrgTx, issuer: &str) -> DbResult<Vec<ProviderId>> {
    Ok(sqlx::query_scalar!(
        r#"select id as "id: ProviderId" from providers
        where org_id = $1 and issuer = $2 and enrolment <> 'entered' and disabled_at is null
        order by created_at, id limit 20"#,
        tx.org().uuid(),
        issuer
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Whether a provider still is as it was at this version, and stays so until the transaction ends.
///
/// # Errors
/// When the database refuses.
pub async fn is_version(tx: &mut OrgTx, id: ProviderId, version: i64) -> DbResult<bool> {
    let now = sqlx::query_scalar!(
        "select version from providers where org_id = $1 and id = $2 for share",
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(now == Some(version))
}

/// Puts a new state in place of a provider's. Where it is stays. Another client is one that somebody entered.
///
/// # Errors
/// [`SLUG_IS_FREE`] where the slug is taken; or when the database refuses.
pub async fn update(
    tx: &mut OrgTx,
    id: ProviderId,
    new: &NewProvider,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Provider>>> {
    let before = match current(tx, id, expected).await? {
        Update::Done(before) => before,
        Update::Conflict => return Ok(Update::Conflict),
        Update::NotFound => return Ok(Update::NotFound),
    };
    let scopes = new.scopes.as_ref().unwrap_or(&before.scopes);
    let is_same = before.slug == new.slug
        && before.name == new.name
        && before.client_id == new.client_id
        && before.scopes == *scopes
        && before.user_scopes == new.user_scopes;
    if is_same {
        return Ok(Update::Done(Change::none(before)));
    }
    sqlx::query!(
        "update providers set slug = $3, name = $4, client_id = $5, scopes = $6, user_scopes = $7, updated_at = $8,
            enrolment = case when client_id = $5 then enrolment else 'entered' end, version = version + 1
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        new.slug.as_str(),
        new.name,
        new.client_id,
        scopes,
        &new.user_scopes,
        now
    )
    .execute(tx.conn())
    .await?;
    changed(tx, before).await
}

/// Puts another secret in place of the client's.
///
/// # Errors
/// When the database refuses.
pub async fn set_secret(
    tx: &mut OrgTx,
    id: ProviderId,
    secret: &SealedSecret,
    expected: Option<i64>,
) -> DbResult<Update<Change<Provider>>> {
    let before = match current(tx, id, expected).await? {
        Update::Done(before) => before,
        Update::Conflict => return Ok(Update::Conflict),
        Update::NotFound => return Ok(Update::NotFound),
    };
    sqlx::query!(
        "update providers set sealed_secret = $3, data_key_id = $4, secret_changed_at = $5, updated_at = $5,
            version = version + 1
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        secret.bytes,
        secret.key.uuid(),
        secret.changed_at
    )
    .execute(tx.conn())
    .await?;
    changed(tx, before).await
}

/// Has a provider go by another version of its preset.
///
/// # Errors
/// When the database refuses.
pub async fn set_preset_version(
    tx: &mut OrgTx,
    id: ProviderId,
    version: i32,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Provider>>> {
    let before = match current(tx, id, expected).await? {
        Update::Done(before) => before,
        Update::Conflict => return Ok(Update::Conflict),
        Update::NotFound => return Ok(Update::NotFound),
    };
    sqlx::query!(
        "update providers set preset_version = $3, updated_at = $4, version = version + 1
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        version,
        now
    )
    .execute(tx.conn())
    .await?;
    changed(tx, before).await
}

/// Puts what another authorization server says in place of what the one before said, the client included. False where it
/// was changed since this version.
///
/// # Errors
/// When the database refuses.
pub async fn relocate(
    tx: &mut OrgTx,
    after: &Provider,
    expected: i64,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let Some(parts) = after.source.parts() else { return Ok(false) };
    let sealed = after.secret.as_ref();
    let done = sqlx::query!(
        "update providers set authorize_url = $4, token_url = $5, revoke_url = $6, userinfo_url = $7, issuer = $8,
            names_itself = $9, client_auth = $10, pkce = $11, client_id = $12, sealed_secret = $13, data_key_id = $14,
            secret_changed_at = $15, scopes = $16, resource = $17, enrolment = $18, updated_at = $19,
            callback_id = $20, version = version + 1
        where org_id = $1 and id = $2 and version = $3",
        tx.org().uuid(),
        after.id.uuid(),
        expected,
        parts.authorize.as_str(),
        parts.token.as_str(),
        parts.revoke.as_ref().map(Url::as_str),
        parts.userinfo.as_ref().map(Url::as_str),
        parts.issuer,
        parts.names_itself,
        parts.client_auth.as_str(),
        parts.pkce.as_str(),
        after.client_id,
        sealed.map(|sealed| sealed.bytes.as_slice()),
        sealed.map(|sealed| sealed.key.uuid()),
        sealed.map(|sealed| sealed.changed_at),
        &after.scopes,
        parts.resource,
        after.enrolment.as_str(),
        now,
        after.callback.map(ProviderId::uuid)
    )
    .execute(tx.conn())
    .await?;
    // What its tokens are for is among what calls are judged by.
    bump_epoch(tx).await?;
    Ok(done.rows_affected() > 0)
}

/// Lets people connect through a provider, or not. One that stands so already stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn set_disabled_at(
    tx: &mut OrgTx,
    id: ProviderId,
    at: Option<OffsetDateTime>,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Provider>>> {
    let before = match current(tx, id, expected).await? {
        Update::Done(before) => before,
        Update::Conflict => return Ok(Update::Conflict),
        Update::NotFound => return Ok(Update::NotFound),
    };
    if before.disabled_at.is_some() == at.is_some() {
        return Ok(Update::Done(Change::none(before)));
    }
    sqlx::query!(
        "update providers set disabled_at = $3, updated_at = $4, version = version + 1
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        at,
        now
    )
    .execute(tx.conn())
    .await?;
    changed(tx, before).await
}

/// Deletes a provider.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut OrgTx, id: ProviderId, expected: Option<i64>) -> DbResult<Update<Provider>> {
    let was = current(tx, id, expected).await?;
    if matches!(was, Update::Done(_)) {
        sqlx::query!("delete from providers where org_id = $1 and id = $2", tx.org().uuid(), id.uuid())
            .execute(tx.conn())
            .await?;
    }
    Ok(was)
}

/// Locks a provider, where it is as the caller saw it.
async fn current(tx: &mut OrgTx, id: ProviderId, expected: Option<i64>) -> DbResult<Update<Provider>> {
    let version = sqlx::query_scalar!(
        "select version from providers where org_id = $1 and id = $2 for update",
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    match version {
        None => Ok(Update::NotFound),
        Some(version) if !is_current(expected, version) => Ok(Update::Conflict),
        Some(_) => Ok(find(tx, &ProviderRef::Id(id)).await?.map_or(Update::NotFound, Update::Done)),
    }
}

/// The provider as it is after a change.
async fn changed(tx: &mut OrgTx, before: Provider) -> DbResult<Update<Change<Provider>>> {
    let after = find(tx, &ProviderRef::Id(before.id)).await?;
    Ok(after.map_or(Update::NotFound, |after| Update::Done(Change { before, after })))
}

/// Raises the epoch. The one column of another room's table that is written here: without it no change would be in
/// force.
async fn bump_epoch(tx: &mut OrgTx) -> DbResult<()> {
    sqlx::query!("update orgs set epoch = epoch + 1 where id = $1", tx.org().uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> DbError {
    DbError::from(sqlx::Error::Decode(Box::new(error)))
}
