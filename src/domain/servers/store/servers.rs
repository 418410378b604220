//! All SQL of the servers themselves.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::{
        ids::{OrgId, ServerId, UserId},
        page::{Page, PageRequest},
        update::{Change, Update, is_current},
    },
    domain::servers::{
        Declared, NewServer, Refreshed, Server, ServerCount, ServerEntry, ServerFilter, ServerRef,
        store::{read, read_some, sought},
        texts::{clipped, storable},
    },
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// The rule that a second server with the same slug breaks.
pub const SLUG_IS_FREE: &str = "servers_slug_is_free";

const LONGEST_VERSION: usize = 40;
const LONGEST_NAME: usize = 200;
const LONGEST_ERROR: usize = 1000;
const LONGEST_INSTRUCTIONS: usize = 100_000;

struct Row {
    id: ServerId,
    slug: String,
    name: String,
    description: String,
    transport: String,
    url: String,
    enabled: bool,
    created_by: Option<UserId>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
    era: Option<String>,
    protocol_version: Option<String>,
    server_name: Option<String>,
    server_version: Option<String>,
    capabilities: Option<String>,
    instructions: Option<String>,
    refreshed_at: Option<OffsetDateTime>,
    refresh_tried_at: Option<OffsetDateTime>,
    refresh_error: Option<String>,
    refresh_error_since: Option<OffsetDateTime>,
    refresh_failures: i32,
}

impl Row {
    fn read(self) -> DbResult<Server> {
        Ok(Server {
            id: self.id,
            slug: read(&self.slug)?,
            name: self.name,
            description: self.description,
            transport: read(&self.transport)?,
            url: self.url,
            is_enabled: self.enabled,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
            declared: Declared {
                era: read_some(self.era.as_deref())?,
                protocol_version: self.protocol_version,
                name: self.server_name,
                version: self.server_version,
                capabilities: self.capabilities.map(Into::into),
                instructions: self.instructions.map(Into::into),
            },
            refreshed: Refreshed {
                at: self.refreshed_at,
                tried_at: self.refresh_tried_at,
                error: self.refresh_error,
                error_since: self.refresh_error_since,
                failures: self.refresh_failures,
            },
        })
    }
}

/// Stores a new server, whose catalogue is due at once.
///
/// # Errors
/// [`SLUG_IS_FREE`] where the slug is taken; or when the database refuses.
pub async fn insert(
    tx: &mut OrgTx,
    new: &NewServer,
    is_enabled: bool,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<Server> {
    let server = Server {
        id: ServerId::fresh(),
        slug: new.slug.clone(),
        name: new.name.clone(),
        description: new.description.clone(),
        transport: new.transport,
        url: new.url.as_str().to_owned(),
        is_enabled,
        created_by: by,
        created_at: now,
        updated_at: now,
        version: 1,
        declared: Declared::default(),
        refreshed: Refreshed::default(),
    };
    sqlx::query!(
        "insert into servers
            (org_id, id, slug, name, description, transport, url, enabled, created_by, created_at, updated_at,
            refresh_due_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10)",
        tx.org().uuid(),
        server.id.uuid(),
        server.slug.as_str(),
        server.name,
        server.description,
        server.transport.as_str(),
        server.url,
        is_enabled,
        by.map(UserId::uuid),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(server)
}

/// Servers by slug. The page's key is the slug.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    filter: &ServerFilter,
    page: &PageRequest<String>,
) -> DbResult<Page<ServerEntry>> {
    let rows = sqlx::query!(
        r#"select s.id as "id: ServerId", s.slug, s.name, s.description, s.transport, s.url, s.enabled,
            s.created_by as "created_by: UserId", s.created_at, s.updated_at, s.version, s.era,
            s.protocol_version, s.server_name, s.server_version, s.capabilities, s.instructions, s.refreshed_at,
            s.refresh_tried_at, s.refresh_error, s.refresh_error_since, s.refresh_failures,
            t.offered as "offered!", t.waiting as "waiting!",
            (select count(*) from server_credentials c where c.org_id = s.org_id and c.server_id = s.id)
                as "credentials!"
        from servers s cross join lateral (
            select count(*) filter (where state <> 'gone') as offered,
                count(*) filter (where state in ('new', 'changed')) as waiting
            from tools where org_id = s.org_id and server_id = s.id) t
        where s.org_id = $1 and ($2::text is null or s.slug > $2)
            and ($3::text is null or position(lower($3) in lower(s.name)) > 0
                or position(lower($3) in s.slug) > 0 or position(lower($3) in lower(s.url)) > 0)
            and ($4::boolean is null or s.enabled = $4)
            and ($5::boolean is null or (s.refresh_error is not null) = $5)
            and (not $6 or t.waiting > 0)
        order by s.slug limit $7"#,
        tx.org().uuid(),
        sought(page.after.as_deref()),
        sought(filter.search.as_deref()),
        filter.enabled,
        filter.failing,
        filter.unreviewed,
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
            transport: r.transport,
            url: r.url,
            enabled: r.enabled,
            created_by: r.created_by,
            created_at: r.created_at,
            updated_at: r.updated_at,
            version: r.version,
            era: r.era,
            protocol_version: r.protocol_version,
            server_name: r.server_name,
            server_version: r.server_version,
            capabilities: r.capabilities,
            instructions: r.instructions,
            refreshed_at: r.refreshed_at,
            refresh_tried_at: r.refresh_tried_at,
            refresh_error: r.refresh_error,
            refresh_error_since: r.refresh_error_since,
            refresh_failures: r.refresh_failures,
        };
        Ok(ServerEntry {
            server: row.read()?,
            tools: r.offered,
            unreviewed: r.waiting,
            credentials: r.credentials,
        })
    });
    Ok(Page::cut(items.collect::<DbResult<_>>()?, page.limit, |e| e.server.slug.as_str().to_owned()))
}

/// One server, by id or slug.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, which: &ServerRef) -> DbResult<Option<Server>> {
    let (id, slug): (Option<Uuid>, Option<&str>) = match which {
        ServerRef::Id(id) => (Some(id.uuid()), None),
        ServerRef::Slug(slug) => (None, Some(slug.as_str())),
    };
    sqlx::query_as!(
        Row,
        r#"select id as "id: ServerId", slug, name, description, transport, url, enabled,
            created_by as "created_by: UserId", created_at, updated_at, version, era, protocol_version,
            server_name, server_version, capabilities, instructions, refreshed_at, refresh_tried_at,
            refresh_error, refresh_error_since, refresh_failures
        from servers where org_id = $1 and (id = $2 or slug = $3)"#,
        tx.org().uuid(),
        id,
        slug
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Row::read)
    .transpose()
}

/// Counts for the overview.
///
/// # Errors
/// When the database refuses.
pub async fn count(tx: &mut OrgTx) -> DbResult<ServerCount> {
    Ok(sqlx::query_as!(
        ServerCount,
        r#"select count(*) as "servers!", count(*) filter (where enabled and refresh_error is not null) as "failing!",
            (select count(*) from tools where org_id = $1 and state in ('new', 'changed')) as "unreviewed!"
        from servers where org_id = $1"#,
        tx.org().uuid()
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Puts a new state in place of a server's. Its catalogue is due at once where its address changed.
///
/// # Errors
/// [`SLUG_IS_FREE`] where the slug is taken; or when the database refuses.
pub async fn update(
    tx: &mut OrgTx,
    id: ServerId,
    new: &NewServer,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Server>>> {
    let Some(before) = lock(tx, id).await? else {
        return Ok(Update::NotFound);
    };
    if !is_current(expected, before.version) {
        return Ok(Update::Conflict);
    }
    let is_same = before.slug == new.slug
        && before.name == new.name
        && before.description == new.description
        && before.transport == new.transport
        && before.url == new.url.as_str();
    if is_same {
        return Ok(Update::Done(Change::none(before)));
    }
    sqlx::query!(
        "update servers set slug = $3, name = $4, description = $5, transport = $6, url = $7, updated_at = $8,
            version = version + 1,
            refresh_due_at = case when url = $7 and transport = $6 then refresh_due_at else $8 end
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        new.slug.as_str(),
        new.name,
        new.description,
        new.transport.as_str(),
        new.url.as_str(),
        now
    )
    .execute(tx.conn())
    .await?;
    found(tx, before).await
}

/// Lets agents reach the server, or not. A server that stands so already stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn set_enabled(
    tx: &mut OrgTx,
    id: ServerId,
    is_enabled: bool,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Server>>> {
    let Some(before) = lock(tx, id).await? else {
        return Ok(Update::NotFound);
    };
    if !is_current(expected, before.version) {
        return Ok(Update::Conflict);
    }
    if before.is_enabled == is_enabled {
        return Ok(Update::Done(Change::none(before)));
    }
    sqlx::query!(
        "update servers set enabled = $3, updated_at = $4, version = version + 1,
            refresh_due_at = case when $3 then $4 else refresh_due_at end
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        is_enabled,
        now
    )
    .execute(tx.conn())
    .await?;
    found(tx, before).await
}

/// Raises the version after a change of what belongs to the server, such as its credentials.
///
/// # Errors
/// When the database refuses.
pub async fn touch(
    tx: &mut OrgTx,
    id: ServerId,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Server>>> {
    let Some(before) = lock(tx, id).await? else {
        return Ok(Update::NotFound);
    };
    if !is_current(expected, before.version) {
        return Ok(Update::Conflict);
    }
    sqlx::query!(
        "update servers set updated_at = $3, version = version + 1, refresh_due_at = $3
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    found(tx, before).await
}

/// Deletes a server with its credentials, catalogue and history.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut OrgTx, id: ServerId, expected: Option<i64>) -> DbResult<Update<Server>> {
    let Some(was) = lock(tx, id).await? else {
        return Ok(Update::NotFound);
    };
    if !is_current(expected, was.version) {
        return Ok(Update::Conflict);
    }
    sqlx::query!("delete from servers where org_id = $1 and id = $2", tx.org().uuid(), id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(Update::Done(was))
}

/// Notes that reading the catalogue failed; the last good one stays.
///
/// # Errors
/// When the database refuses.
pub async fn note_failure(
    tx: &mut OrgTx,
    id: ServerId,
    cause: &str,
    due_at: OffsetDateTime,
    now: OffsetDateTime,
) -> DbResult<()> {
    sqlx::query!(
        "update servers set refresh_tried_at = $4, refresh_error = $3,
            refresh_error_since = coalesce(refresh_error_since, $4), refresh_failures = refresh_failures + 1,
            refresh_due_at = $5
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        clipped(cause, LONGEST_ERROR),
        now,
        due_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes what a server says of itself, and that its catalogue was read.
pub(super) async fn note_success(
    tx: &mut OrgTx,
    id: ServerId,
    declared: &Declared,
    due_at: OffsetDateTime,
    now: OffsetDateTime,
) -> DbResult<()> {
    let short = |text: &Option<String>, longest| text.as_deref().map(|text| clipped(text, longest));
    sqlx::query!(
        "update servers set era = $3, protocol_version = $4, server_name = $5, server_version = $6,
            capabilities = $7, instructions = $8, refreshed_at = $9, refresh_tried_at = $9, refresh_error = null,
            refresh_error_since = null, refresh_failures = 0, refresh_due_at = $10
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        declared.era.map(|era| era.as_str()),
        short(&declared.protocol_version, LONGEST_VERSION),
        short(&declared.name, LONGEST_NAME),
        short(&declared.version, LONGEST_NAME),
        declared.capabilities.as_deref().map(|text| storable(text, usize::MAX)),
        declared.instructions.as_deref().map(|text| storable(text, LONGEST_INSTRUCTIONS)),
        now,
        due_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets the catalogue be read at the next opportunity.
///
/// # Errors
/// When the database refuses.
pub async fn make_due(tx: &mut OrgTx, id: ServerId, now: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "update servers set refresh_due_at = least(refresh_due_at, $3) where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets the catalogue be read no sooner than this, and says nothing of how the server does.
///
/// # Errors
/// When the database refuses.
pub async fn postpone(tx: &mut OrgTx, id: ServerId, due_at: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "update servers set refresh_due_at = $3 where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        due_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Enabled servers of organizations at work whose catalogue is due, the longest waiting first.
///
/// # Errors
/// When the database refuses.
pub async fn list_due(tx: &mut SystemTx, now: OffsetDateTime, most: i64) -> DbResult<Vec<(OrgId, ServerId)>> {
    let rows = sqlx::query!(
        r#"select s.org_id as "org: OrgId", s.id as "id: ServerId" from servers s join orgs o on o.id = s.org_id
        where s.enabled and s.refresh_due_at <= $1 and o.deleted_at is null and o.suspended_at is null
        order by s.refresh_due_at limit $2"#,
        now,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|r| (r.org, r.id)).collect())
}

/// Locks the server's row until the transaction ends.
///
/// # Errors
/// When the database refuses.
pub async fn lock(tx: &mut OrgTx, id: ServerId) -> DbResult<Option<Server>> {
    sqlx::query!("select from servers where org_id = $1 and id = $2 for update", tx.org().uuid(), id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    find(tx, &id.into()).await
}

async fn found(tx: &mut OrgTx, before: Server) -> DbResult<Update<Change<Server>>> {
    Ok(match find(tx, &before.id.into()).await? {
        Some(after) => Update::Done(Change { before, after }),
        None => Update::NotFound,
    })
}

/// Whose a server is.
///
/// # Errors
/// When the database refuses.
pub async fn org_of(tx: &mut SystemTx, server: ServerId) -> DbResult<Option<OrgId>> {
    sqlx::query_scalar!(r#"select org_id as "org: OrgId" from servers where id = $1"#, server.uuid())
        .fetch_optional(tx.conn())
        .await
        .map_err(Into::into)
}
