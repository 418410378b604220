//! All SQL of API keys.

mod changes;

use std::net::IpAddr;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::{
        actor::KeyOwner,
        crypto::token::Token,
        ids::{ApiKeyId, OrgId, ServiceAccountId, UserId},
        page::{Page, PageRequest},
    },
    domain::automation::{
        ApiKey, ApiKeyEntry, IssuedKey, KeyFilter, KeyOwnerFacts, KeyState, NewApiKey, PresentedKey, Scopes,
        keys::TOUCH_EVERY, store::read,
    },
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

pub use changes::{end_by, rename, revoke, revoke_all_of};

/// The rule that a key for somebody who is not a member breaks.
pub const PERSON_IS_HERE: &str = "api_keys_person_is_here";
/// The rules that a second key with the same id breaks.
pub const ID_IS_FREE: [&str; 2] = ["api_keys_pkey", "api_keys_by_id"];
/// The rule that a key for an unknown service account breaks.
pub const ACCOUNT_IS_HERE: &str = "api_keys_account_is_here";

struct Row {
    id: ApiKeyId,
    name: String,
    user_id: Option<UserId>,
    service_account_id: Option<ServiceAccountId>,
    scopes: Vec<String>,
    tail: String,
    created_by: Option<UserId>,
    created_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    last_used_at: Option<OffsetDateTime>,
    last_used_ip: Option<String>,
    revoked_at: Option<OffsetDateTime>,
    revoked_by: Option<UserId>,
    version: i64,
}

impl Row {
    fn read(self) -> DbResult<ApiKey> {
        let owner = match (self.user_id, self.service_account_id) {
            (Some(user), _) => KeyOwner::User(user),
            (None, Some(account)) => KeyOwner::ServiceAccount(account),
            (None, None) => return Err(sqlx::Error::Decode("an API key without an owner".into()).into()),
        };
        Ok(ApiKey {
            id: self.id,
            name: self.name,
            owner,
            scopes: Scopes::read(&self.scopes),
            tail: self.tail,
            created_by: self.created_by,
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
            last_used_ip: self.last_used_ip.as_deref().map(read::<IpAddr>).transpose()?,
            revoked_at: self.revoked_at,
            revoked_by: self.revoked_by,
            version: self.version,
        })
    }
}

fn columns(owner: KeyOwner) -> (Option<Uuid>, Option<Uuid>) {
    match owner {
        KeyOwner::User(user) => (Some(user.uuid()), None),
        KeyOwner::ServiceAccount(account) => (None, Some(account.uuid())),
    }
}

/// Stores a new key.
///
/// # Errors
/// [`PERSON_IS_HERE`] or [`ACCOUNT_IS_HERE`] where the owner is unknown; or when the database refuses.
pub async fn insert(
    tx: &mut OrgTx,
    new: &NewApiKey,
    issued: &IssuedKey,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<ApiKey> {
    let (user, account) = columns(new.owner);
    let hash = issued.token.hash();
    let row = sqlx::query_as!(
        Row,
        r#"insert into api_keys (org_id, id, name, user_id, service_account_id, scopes, token_hash, tail,
            created_by, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        returning id as "id: ApiKeyId", name, user_id as "user_id: UserId",
            service_account_id as "service_account_id: ServiceAccountId", scopes, tail,
            created_by as "created_by: UserId", created_at, expires_at, last_used_at,
            host(last_used_ip) as "last_used_ip?", revoked_at, revoked_by as "revoked_by: UserId", version"#,
        tx.org().uuid(),
        issued.id.uuid(),
        new.name,
        user,
        account,
        &new.scopes.texts(),
        hash.as_slice(),
        issued.tail(),
        by.map(UserId::uuid),
        now,
        new.expires_at
    )
    .fetch_one(tx.conn())
    .await?;
    row.read()
}

/// Keys, the newest first. The page's key is the id.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    filter: KeyFilter,
    page: &PageRequest<ApiKeyId>,
    now: OffsetDateTime,
) -> DbResult<Page<ApiKeyEntry>> {
    entries(tx, None, filter, page, now).await
}

async fn entries(
    tx: &mut OrgTx,
    only: Option<ApiKeyId>,
    filter: KeyFilter,
    page: &PageRequest<ApiKeyId>,
    now: OffsetDateTime,
) -> DbResult<Page<ApiKeyEntry>> {
    let (user, account) = filter.owner.map_or((None, None), columns);
    let rows = sqlx::query!(
        r#"select k.id as "id: ApiKeyId", k.name, k.user_id as "user_id: UserId",
            k.service_account_id as "service_account_id: ServiceAccountId", k.scopes, k.tail,
            k.created_by as "created_by: UserId", k.created_at, k.expires_at,
            k.last_used_at, host(k.last_used_ip) as "last_used_ip?", k.revoked_at,
            k.revoked_by as "revoked_by: UserId", k.version,
            coalesce(u.name, a.name, '') as "owner_name!", coalesce(u.email, a.slug, '') as "owner_handle!",
            (coalesce(u.disabled_at, a.disabled_at) is not null or exists (select from memberships s
                where s.org_id = k.org_id and s.user_id = k.user_id and s.suspended_at is not null)) as "is_disabled!", c.name as "created_by_name?"
        from api_keys k
        left join users u on u.id = k.user_id
        left join service_accounts a on a.org_id = k.org_id and a.id = k.service_account_id
        left join memberships m on m.org_id = k.org_id and m.user_id = k.created_by
        left join users c on c.id = m.user_id
        where k.org_id = $1 and ($2::uuid is null or k.id < $2)
            and ($3::uuid is null or k.user_id = $3) and ($4::uuid is null or k.service_account_id = $4)
            and ($5::text is null or $5 = case when k.revoked_at is not null then 'revoked'
                when k.expires_at <= $6 then 'expired' else 'live' end)
            and ($8::uuid is null or k.id = $8)
        order by k.id desc limit $7"#,
        tx.org().uuid(),
        page.after.map(ApiKeyId::uuid),
        user,
        account,
        filter.state.map(KeyState::as_str),
        now,
        page.fetch(),
        only.map(ApiKeyId::uuid)
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(|r| {
        let facts = KeyOwnerFacts { is_disabled: r.is_disabled, is_org_closed: false };
        let row = Row {
            id: r.id,
            name: r.name,
            user_id: r.user_id,
            service_account_id: r.service_account_id,
            scopes: r.scopes,
            tail: r.tail,
            created_by: r.created_by,
            created_at: r.created_at,
            expires_at: r.expires_at,
            last_used_at: r.last_used_at,
            last_used_ip: r.last_used_ip,
            revoked_at: r.revoked_at,
            revoked_by: r.revoked_by,
            version: r.version,
        };
        let key = row.read()?;
        Ok(ApiKeyEntry {
            state: key.state(&facts, now),
            key,
            owner_name: r.owner_name,
            owner_handle: r.owner_handle,
            created_by_name: r.created_by_name,
        })
    });
    Ok(Page::cut(items.collect::<DbResult<_>>()?, page.limit, |entry| entry.key.id))
}

/// One key as a list shows it.
///
/// # Errors
/// When the database refuses.
pub async fn find_entry(tx: &mut OrgTx, id: ApiKeyId, now: OffsetDateTime) -> DbResult<Option<ApiKeyEntry>> {
    let page =
        entries(tx, Some(id), KeyFilter::default(), &PageRequest { limit: 1, after: None }, now).await?;
    Ok(page.items.into_iter().next())
}

/// One key.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, id: ApiKeyId) -> DbResult<Option<ApiKey>> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: ApiKeyId", name, user_id as "user_id: UserId",
            service_account_id as "service_account_id: ServiceAccountId", scopes, tail,
            created_by as "created_by: UserId", created_at, expires_at, last_used_at,
            host(last_used_ip) as "last_used_ip?", revoked_at, revoked_by as "revoked_by: UserId", version
        from api_keys where org_id = $1 and id = $2"#,
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Row::read)
    .transpose()
}

/// The key that a carried token belongs to, in whatever state; `None` where the token was never ours, or
/// its key is gone with its owner.
///
/// # Errors
/// When the database refuses.
pub async fn find_by_token(
    tx: &mut SystemTx,
    token: &Token,
    now: OffsetDateTime,
) -> DbResult<Option<PresentedKey>> {
    let found = sqlx::query!(
        r#"select k.org_id as "org: OrgId", k.token_hash, k.id as "id: ApiKeyId", k.name,
            k.user_id as "user_id: UserId", k.service_account_id as "service_account_id: ServiceAccountId",
            k.scopes, k.tail, k.created_by as "created_by: UserId", k.created_at, k.expires_at,
            k.last_used_at, host(k.last_used_ip) as "last_used_ip?", k.revoked_at,
            k.revoked_by as "revoked_by: UserId", k.version,
            coalesce(m.role, a.role) as "role!", coalesce(u.name, a.name) as "owner_name!",
            coalesce(u.disabled_at, a.disabled_at, m.suspended_at) is not null as "is_disabled!",
            coalesce(o.suspended_at, o.deleted_at) is not null as "is_org_closed!"
        from api_keys k
        join orgs o on o.id = k.org_id
        left join memberships m on m.org_id = k.org_id and m.user_id = k.user_id
        left join users u on u.id = m.user_id
        left join service_accounts a on a.org_id = k.org_id and a.id = k.service_account_id
        where k.id = $1 and num_nonnulls(m.role, a.role) = 1"#,
        token.row::<crate::base::ids::ApiKey>().uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(r) = found.filter(|r| token.matches(&r.token_hash)) else {
        return Ok(None);
    };
    let facts = KeyOwnerFacts { is_disabled: r.is_disabled, is_org_closed: r.is_org_closed };
    let row = Row {
        id: r.id,
        name: r.name,
        user_id: r.user_id,
        service_account_id: r.service_account_id,
        scopes: r.scopes,
        tail: r.tail,
        created_by: r.created_by,
        created_at: r.created_at,
        expires_at: r.expires_at,
        last_used_at: r.last_used_at,
        last_used_ip: r.last_used_ip,
        revoked_at: r.revoked_at,
        revoked_by: r.revoked_by,
        version: r.version,
    };
    let key = row.read()?;
    Ok(Some(PresentedKey {
        org: r.org,
        state: key.state(&facts, now),
        key,
        owner_role: read(&r.role)?,
        owner_name: r.owner_name,
    }))
}

/// Notes a use, at most once a minute; returns whether it was noted. Who finds another request of the same key at it
/// leaves it to that one and does not wait.
///
/// # Errors
/// When the database refuses.
pub async fn touch(tx: &mut OrgTx, id: ApiKeyId, ip: Option<IpAddr>, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update api_keys set last_used_at = $3, last_used_ip = $4::text::inet
        where org_id = $1 and id = (select id from api_keys
            where org_id = $1 and id = $2 and (last_used_at is null or last_used_at <= $5)
            for update skip locked)",
        tx.org().uuid(),
        id.uuid(),
        now,
        ip.map(|ip| ip.to_string()),
        now - TOUCH_EVERY
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
