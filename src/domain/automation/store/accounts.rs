//! All SQL of service accounts.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::{
        ids::{ServiceAccountId, UserId},
        page::{Page, PageRequest},
        update::{Change, Update, is_current},
    },
    domain::automation::{
        NewServiceAccount, ServiceAccount, ServiceAccountEntry, ServiceAccountRef, store::read,
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// The rule that a second account with the same slug breaks.
pub const SLUG_IS_FREE: &str = "service_accounts_slug_is_free";

struct Row {
    id: ServiceAccountId,
    slug: String,
    name: String,
    description: String,
    role: String,
    created_by: Option<UserId>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    disabled_at: Option<OffsetDateTime>,
    version: i64,
}

impl Row {
    fn read(self) -> DbResult<ServiceAccount> {
        Ok(ServiceAccount {
            id: self.id,
            slug: read(&self.slug)?,
            name: self.name,
            description: self.description,
            role: read(&self.role)?,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            disabled_at: self.disabled_at,
            version: self.version,
        })
    }
}

/// Stores a new account.
///
/// # Errors
/// [`SLUG_IS_FREE`] where the slug is taken; or when the database refuses.
pub async fn insert(
    tx: &mut OrgTx,
    new: &NewServiceAccount,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<ServiceAccount> {
    let account = ServiceAccount {
        id: ServiceAccountId::fresh(),
        slug: new.slug.clone(),
        name: new.name.clone(),
        description: new.description.clone(),
        role: new.role,
        created_by: by,
        created_at: now,
        updated_at: now,
        disabled_at: None,
        version: 1,
    };
    sqlx::query!(
        "insert into service_accounts
            (org_id, id, slug, name, description, role, created_by, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        tx.org().uuid(),
        account.id.uuid(),
        account.slug.as_str(),
        account.name,
        account.description,
        account.role.as_str(),
        by.map(UserId::uuid),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(account)
}

/// Accounts by slug; `search` finds part of a name or slug. The page's key is the slug.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    search: Option<&str>,
    page: &PageRequest<String>,
    now: OffsetDateTime,
) -> DbResult<Page<ServiceAccountEntry>> {
    let rows = sqlx::query!(
        r#"select a.id as "id: ServiceAccountId", a.slug, a.name, a.description, a.role,
            a.created_by as "created_by: UserId", a.created_at, a.updated_at, a.disabled_at, a.version,
            k.live as "live!", k.last_used_at as "last_used_at?"
        from service_accounts a cross join lateral (
            select count(*) filter (where revoked_at is null and (expires_at is null or expires_at > $2))
                    as live,
                max(last_used_at) as last_used_at
            from api_keys where org_id = a.org_id and service_account_id = a.id) k
        where a.org_id = $1 and ($3::text is null or a.slug > $3)
            and ($4::text is null or position(lower($4) in lower(a.name)) > 0
                or position(lower($4) in a.slug) > 0)
        order by a.slug limit $5"#,
        tx.org().uuid(),
        now,
        page.after.as_deref().map(|slug| slug.replace('\0', "")),
        search.map(|text| text.replace('\0', "")),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(|r| {
        let row = Row {
            id: r.id,
            slug: r.slug,
            name: r.name,
            description: r.description,
            role: r.role,
            created_by: r.created_by,
            created_at: r.created_at,
            updated_at: r.updated_at,
            disabled_at: r.disabled_at,
            version: r.version,
        };
        Ok(ServiceAccountEntry { account: row.read()?, live_keys: r.live, last_used_at: r.last_used_at })
    });
    Ok(Page::cut(items.collect::<DbResult<_>>()?, page.limit, |e| e.account.slug.as_str().to_owned()))
}

/// One account, by id or slug.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, which: &ServiceAccountRef) -> DbResult<Option<ServiceAccount>> {
    let (id, slug): (Option<Uuid>, Option<&str>) = match which {
        ServiceAccountRef::Id(id) => (Some(id.uuid()), None),
        ServiceAccountRef::Slug(slug) => (None, Some(slug.as_str())),
    };
    sqlx::query_as!(
        Row,
        r#"select id as "id: ServiceAccountId", slug, name, description, role,
            created_by as "created_by: UserId", created_at, updated_at, disabled_at, version
        from service_accounts where org_id = $1 and (id = $2 or slug = $3)"#,
        tx.org().uuid(),
        id,
        slug
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Row::read)
    .transpose()
}

/// Puts a new state in place of an account's.
///
/// # Errors
/// [`SLUG_IS_FREE`] where the slug is taken; or when the database refuses.
pub async fn update(
    tx: &mut OrgTx,
    id: ServiceAccountId,
    new: &NewServiceAccount,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<ServiceAccount>>> {
    let Some(before) = lock(tx, id).await? else {
        return Ok(Update::NotFound);
    };
    if !is_current(expected, before.version) {
        return Ok(Update::Conflict);
    }
    let row = sqlx::query_as!(
        Row,
        r#"update service_accounts set slug = $3, name = $4, description = $5, role = $6, updated_at = $7,
            version = version + 1
        where org_id = $1 and id = $2
        returning id as "id: ServiceAccountId", slug, name, description, role,
            created_by as "created_by: UserId", created_at, updated_at, disabled_at, version"#,
        tx.org().uuid(),
        id.uuid(),
        new.slug.as_str(),
        new.name,
        new.description,
        new.role.as_str(),
        now
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Update::Done(Change { before, after: row.read()? }))
}

/// Refuses the account's keys from now on. An account that is disabled stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn disable(
    tx: &mut OrgTx,
    id: ServiceAccountId,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<ServiceAccount>>> {
    set_disabled_at(tx, id, Some(now), expected, now).await
}

/// Lets the account's keys work again. An account that is enabled stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn enable(
    tx: &mut OrgTx,
    id: ServiceAccountId,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<ServiceAccount>>> {
    set_disabled_at(tx, id, None, expected, now).await
}

/// Deletes an account and its keys.
///
/// # Errors
/// When the database refuses.
pub async fn delete(
    tx: &mut OrgTx,
    id: ServiceAccountId,
    expected: Option<i64>,
) -> DbResult<Update<ServiceAccount>> {
    let Some(was) = lock(tx, id).await? else {
        return Ok(Update::NotFound);
    };
    if !is_current(expected, was.version) {
        return Ok(Update::Conflict);
    }
    sqlx::query!("delete from service_accounts where org_id = $1 and id = $2", tx.org().uuid(), id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(Update::Done(was))
}

async fn set_disabled_at(
    tx: &mut OrgTx,
    id: ServiceAccountId,
    at: Option<OffsetDateTime>,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<ServiceAccount>>> {
    let Some(before) = lock(tx, id).await? else {
        return Ok(Update::NotFound);
    };
    if !is_current(expected, before.version) {
        return Ok(Update::Conflict);
    }
    if before.disabled_at.is_some() == at.is_some() {
        return Ok(Update::Done(Change::none(before)));
    }
    let row = sqlx::query_as!(
        Row,
        r#"update service_accounts set disabled_at = $3, updated_at = $4, version = version + 1
        where org_id = $1 and id = $2
        returning id as "id: ServiceAccountId", slug, name, description, role,
            created_by as "created_by: UserId", created_at, updated_at, disabled_at, version"#,
        tx.org().uuid(),
        id.uuid(),
        at,
        now
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Update::Done(Change { before, after: row.read()? }))
}

async fn lock(tx: &mut OrgTx, id: ServiceAccountId) -> DbResult<Option<ServiceAccount>> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: ServiceAccountId", slug, name, description, role,
            created_by as "created_by: UserId", created_at, updated_at, disabled_at, version
        from service_accounts where org_id = $1 and id = $2 for update"#,
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Row::read)
    .transpose()
}
