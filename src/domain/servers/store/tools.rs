//! All SQL of single tools.

use std::{collections::HashMap, sync::Arc};

use time::OffsetDateTime;

use crate::{
    base::{
        ids::{ProviderId, ServerId, UserId},
        page::{Page, PageRequest},
        risk::Class,
        update::{Change, Update, is_current},
    },
    domain::servers::{
        ClassBy, Classified, Fingerprint, Severity, Tool, ToolChange, ToolFilter, ToolName, ToolState,
        classify,
        store::{digest, read, sought},
    },
    io::db::{DbResult, OrgTx, Tx},
};

struct Row {
    name: String,
    title: Option<String>,
    definition: String,
    fingerprint: Vec<u8>,
    accepted_definition: Option<String>,
    accepted_fingerprint: Option<Vec<u8>>,
    variant_fingerprint: Option<Vec<u8>>,
    variant_seen_at: Option<OffsetDateTime>,
    state: String,
    class: String,
    severity: String,
    class_reason: String,
    class_by: String,
    enabled: bool,
    required_scopes: Vec<String>,
    first_seen_at: OffsetDateTime,
    seen_at: OffsetDateTime,
    reviewed_at: Option<OffsetDateTime>,
    reviewed_by: Option<UserId>,
    version: i64,
}

impl Row {
    fn read(self) -> DbResult<Tool> {
        let variant = self.variant_fingerprint.as_deref().map(digest).transpose()?;
        Ok(Tool {
            name: read(&self.name)?,
            title: self.title,
            definition: self.definition.into(),
            fingerprint: digest(&self.fingerprint)?,
            accepted_definition: self.accepted_definition.map(Arc::from),
            accepted_fingerprint: self.accepted_fingerprint.as_deref().map(digest).transpose()?,
            variant: variant.zip(self.variant_seen_at),
            state: read(&self.state)?,
            class: read(&self.class)?,
            severity: read(&self.severity)?,
            class_reason: self.class_reason,
            class_by: read(&self.class_by)?,
            is_enabled: self.enabled,
            required_scopes: self.required_scopes,
            first_seen_at: self.first_seen_at,
            seen_at: self.seen_at,
            reviewed_at: self.reviewed_at,
            reviewed_by: self.reviewed_by,
            version: self.version,
        })
    }
}

/// The tools of a server by name. The page's key is the name.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    server: ServerId,
    filter: &ToolFilter,
    page: &PageRequest<String>,
) -> DbResult<Page<Tool>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select name, title, definition, fingerprint, accepted_definition, accepted_fingerprint,
            variant_fingerprint, variant_seen_at, state, class, severity, class_reason, class_by, enabled,
            required_scopes, first_seen_at, seen_at, reviewed_at, reviewed_by as "reviewed_by: UserId", version
        from tools
        where org_id = $1 and server_id = $2 and ($3::text is null or name > $3)
            and ($4::text is null or position(lower($4) in lower(name)) > 0
                or position(lower($4) in lower(title)) > 0)
            and ($5::text is null or state = $5) and ($6::text is null or class = $6)
        order by name limit $7"#,
        tx.org().uuid(),
        server.uuid(),
        sought(page.after.as_deref()),
        sought(filter.search.as_deref()),
        filter.state.map(|state| state.as_str()),
        filter.class.map(Class::as_str),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(Row::read).collect::<DbResult<_>>()?;
    Ok(Page::cut(items, page.limit, |tool: &Tool| tool.name.as_str().to_owned()))
}

/// One tool.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, server: ServerId, name: &ToolName) -> DbResult<Option<Tool>> {
    sqlx::query_as!(
        Row,
        r#"select name, title, definition, fingerprint, accepted_definition, accepted_fingerprint,
            variant_fingerprint, variant_seen_at, state, class, severity, class_reason, class_by, enabled,
            required_scopes, first_seen_at, seen_at, reviewed_at, reviewed_by as "reviewed_by: UserId", version
        from tools where org_id = $1 and server_id = $2 and name = $3"#,
        tx.org().uuid(),
        server.uuid(),
        name.as_str()
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Row::read)
    .transpose()
}

/// The names of all tools that servers of the organization offer, for finding look-alikes.
///
/// # Errors
/// When the database refuses.
pub async fn names(tx: &mut OrgTx) -> DbResult<Vec<(ServerId, String)>> {
    let rows = sqlx::query!(
        r#"select server_id as "server: ServerId", name from tools
        where org_id = $1 and state <> 'gone' order by server_id, name"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|r| (r.server, r.name)).collect())
}

/// The definitions of tools that are in use of servers whose requests carry accounts of a provider; the first two hundred.
///
/// # Errors
/// When the database refuses.
pub async fn definitions_at(tx: &mut OrgTx, provider: ProviderId) -> DbResult<Vec<String>> {
    let definitions = sqlx::query_scalar!(
        "select definition from tools where org_id = $1 and state <> 'gone' and enabled and server_id in (
            select c.server_id from server_credentials c where c.org_id = $1 and c.provider_id = $2)
        order by server_id, name limit 200",
        tx.org().uuid(),
        provider.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(definitions)
}

/// How many tools of a server there are in each state.
///
/// # Errors
/// When the database refuses.
pub async fn count_by_state(tx: &mut OrgTx, server: ServerId) -> DbResult<Vec<(ToolState, i64)>> {
    let rows = sqlx::query!(
        r#"select state, count(*) as "count!" from tools where org_id = $1 and server_id = $2
        group by state order by state"#,
        tx.org().uuid(),
        server.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|r| Ok((read(&r.state)?, r.count))).collect()
}

/// The tools that wait for a look, with the digests of what is offered.
///
/// # Errors
/// When the database refuses.
pub async fn waiting(tx: &mut OrgTx, server: ServerId) -> DbResult<Vec<(ToolName, Fingerprint)>> {
    let rows = sqlx::query!(
        "select name, fingerprint from tools
        where org_id = $1 and server_id = $2 and state in ('new', 'changed') order by name",
        tx.org().uuid(),
        server.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|r| Ok((read(&r.name)?, digest(&r.fingerprint)?))).collect()
}

/// Which tools a review is about.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// All that wait for a look.
    Waiting,
    /// These, whatever their state; those that are gone are passed over.
    Named(&'a [ToolName]),
}

/// Accepts tools as they are now; returns those that were not accepted before, with their digests.
///
/// # Errors
/// When the database refuses.
pub async fn accept(
    tx: &mut OrgTx,
    server: ServerId,
    which: Which<'_>,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<Vec<(ToolName, Fingerprint)>> {
    let names = names_of(which);
    let rows = sqlx::query!(
        "update tools set state = 'reviewed', accepted_definition = definition, accepted_fingerprint = fingerprint,
            refused_fingerprint = null, variant_fingerprint = null, variant_seen_at = null, reviewed_at = $4,
            reviewed_by = $5, version = version + 1
        where org_id = $1 and server_id = $2 and state not in ('gone', 'reviewed')
            and case when $3::text[] is null then state in ('new', 'changed') else name = any($3) end
        returning name, fingerprint",
        tx.org().uuid(),
        server.uuid(),
        names.as_deref(),
        now,
        by.map(UserId::uuid)
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|r| Ok((read(&r.name)?, digest(&r.fingerprint)?))).collect()
}

/// Refuses tools as they are now; returns those that were not refused before, with their digests.
///
/// # Errors
/// When the database refuses.
pub async fn refuse(
    tx: &mut OrgTx,
    server: ServerId,
    which: Which<'_>,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<Vec<(ToolName, Fingerprint)>> {
    let names = names_of(which);
    let rows = sqlx::query!(
        "update tools set state = 'refused', refused_fingerprint = fingerprint, reviewed_at = $4, reviewed_by = $5,
            version = version + 1
        where org_id = $1 and server_id = $2 and state not in ('gone', 'refused')
            and case when $3::text[] is null then state in ('new', 'changed') else name = any($3) end
        returning name, fingerprint",
        tx.org().uuid(),
        server.uuid(),
        names.as_deref(),
        now,
        by.map(UserId::uuid)
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|r| Ok((read(&r.name)?, digest(&r.fingerprint)?))).collect()
}

/// Changes what people set about a tool.
///
/// # Errors
/// When the database refuses.
pub async fn update(
    tx: &mut OrgTx,
    server: ServerId,
    name: &ToolName,
    change: &ToolChange,
    expected: Option<i64>,
) -> DbResult<Update<Change<Tool>>> {
    sqlx::query!(
        "select from tools where org_id = $1 and server_id = $2 and name = $3 for update",
        tx.org().uuid(),
        server.uuid(),
        name.as_str()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(before) = find(tx, server, name).await? else {
        return Ok(Update::NotFound);
    };
    if !is_current(expected, before.version) {
        return Ok(Update::Conflict);
    }
    let after = changed(before.clone(), change);
    if after == before {
        return Ok(Update::Done(Change { before, after }));
    }
    sqlx::query!(
        "update tools set class = $4, severity = $5, class_reason = $6, class_by = $7, enabled = $8,
            required_scopes = $9, version = version + 1
        where org_id = $1 and server_id = $2 and name = $3",
        tx.org().uuid(),
        server.uuid(),
        name.as_str(),
        after.class.as_str(),
        after.severity.as_str(),
        after.class_reason,
        after.class_by.as_str(),
        after.is_enabled,
        &after.required_scopes
    )
    .execute(tx.conn())
    .await?;
    Ok(match find(tx, server, name).await? {
        Some(after) => Update::Done(Change { before, after }),
        None => Update::NotFound,
    })
}

/// Notes that a caller was shown another definition of a tool than the catalogue holds; whether that is news.
///
/// # Errors
/// When the database refuses.
pub async fn note_variant(
    tx: &mut OrgTx,
    server: ServerId,
    name: &ToolName,
    shown: Fingerprint,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update tools set variant_fingerprint = $4, variant_seen_at = $5, version = version + 1
        where org_id = $1 and server_id = $2 and name = $3 and state <> 'gone' and fingerprint <> $4
            and variant_fingerprint is distinct from $4",
        tx.org().uuid(),
        server.uuid(),
        name.as_str(),
        &shown.0,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets what callers were shown where it is what the server shows everybody by now; the names of the other tools
/// that somebody was shown differently since the moment named.
///
/// # Errors
/// When the database refuses.
pub async fn settle_variants(
    tx: &mut OrgTx,
    server: ServerId,
    since: Option<OffsetDateTime>,
) -> DbResult<Vec<ToolName>> {
    sqlx::query!(
        "update tools set variant_fingerprint = null, variant_seen_at = null, version = version + 1
        where org_id = $1 and server_id = $2 and variant_fingerprint = fingerprint",
        tx.org().uuid(),
        server.uuid()
    )
    .execute(tx.conn())
    .await?;
    let names = sqlx::query_scalar!(
        "select name from tools where org_id = $1 and server_id = $2 and state <> 'gone'
            and variant_seen_at >= coalesce($3, '-infinity'::timestamptz) order by name",
        tx.org().uuid(),
        server.uuid(),
        since
    )
    .fetch_all(tx.conn())
    .await?;
    names.iter().map(|name| read(name)).collect()
}

fn changed(mut tool: Tool, change: &ToolChange) -> Tool {
    if change.resets_class {
        let definition = serde_json::from_str(&tool.definition).unwrap_or_default();
        let Classified { class, severity, reason, by } = classify(&tool.name, &definition);
        (tool.class, tool.severity, tool.class_reason, tool.class_by) = (class, severity, reason, by);
    }
    if let Some((class, reason)) = &change.class {
        tool.class = *class;
        tool.severity = Severity::of(*class);
        tool.class_reason.clone_from(reason);
        tool.class_by = ClassBy::Admin;
    }
    if let Some(is_enabled) = change.enabled {
        tool.is_enabled = is_enabled;
    }
    if let Some(scopes) = &change.required_scopes {
        tool.required_scopes.clone_from(scopes);
    }
    tool
}

fn names_of(which: Which<'_>) -> Option<Vec<String>> {
    match which {
        Which::Waiting => None,
        Which::Named(names) => Some(names.iter().map(|name| name.as_str().to_owned()).collect()),
    }
}

/// Every scope that some tool of the organization needs.
///
/// # Errors
/// When the database refuses.
pub async fn required_scopes(tx: &mut OrgTx) -> DbResult<Vec<String>> {
    let scopes = sqlx::query_scalar!(
        r#"select distinct unnest(required_scopes) as "scope!" from tools where org_id = $1 and state <> 'gone'"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(scopes)
}

/// Which scopes the tools of each server need, with the tool that needs each.
///
/// # Errors
/// When the database refuses.
pub async fn scopes_needed(tx: &mut OrgTx) -> DbResult<HashMap<ServerId, Vec<(String, String)>>> {
    let rows = sqlx::query!(
        r#"select server_id as "server: ServerId", unnest(required_scopes) as "scope!", min(name) as "tool!"
        from tools where org_id = $1 and state <> 'gone' group by 1, 2 order by 1, 2"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        found.entry(row.server).or_default().push((row.scope, row.tool));
    }
    Ok(found)
}
