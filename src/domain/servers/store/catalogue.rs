//! All SQL of reading a catalogue into its tables.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use time::OffsetDateTime;

use crate::{
    base::{
        ids::ServerId,
        page::{Page, PageRequest},
    },
    domain::servers::{
        CatalogueChange, CatalogueItem, Fingerprint, ItemKind, SeenItem, SeenTool, Server, Snapshot,
        ToolName, is_alike, known_at,
        store::{
            digest,
            merge::{self, Kept, Merged},
            read, servers, sought,
        },
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// Puts what was read in place of what was there, tool by tool: what a person accepted stays accepted as long as it
/// looks the same. Nothing happens, and `None` is returned, where the server is gone.
///
/// # Errors
/// When the database refuses.
pub async fn apply(
    tx: &mut OrgTx,
    server: ServerId,
    snapshot: &Snapshot,
    due_at: OffsetDateTime,
    now: OffsetDateTime,
) -> DbResult<Option<CatalogueChange>> {
    let Some(before) = servers::lock(tx, server).await? else {
        return Ok(None);
    };
    let kept = kept(tx, server).await?;
    let tools = as_accepted(tx, server, &kept, &snapshot.tools).await?;
    let Merged { rows, mut change } = merge::merge(kept, &tools);
    store_tools(tx, &before, &rows, now).await?;
    let gone: Vec<String> = change.gone.iter().map(|name| name.as_str().to_owned()).collect();
    sqlx::query!(
        "update tools set state = 'gone', version = version + 1
        where org_id = $1 and server_id = $2 and name = any($3)",
        tx.org().uuid(),
        server.uuid(),
        &gone
    )
    .execute(tx.conn())
    .await?;
    change.items_changed = store_items(tx, server, &snapshot.items, now).await?;
    servers::note_success(tx, server, &snapshot.declared, due_at, now).await?;
    change.is_decisive = change.is_decisive || speaks_otherwise(&before, snapshot);
    Ok(Some(change))
}

/// The prompts, resources or templates of a server by key. The page's key is that key.
///
/// # Errors
/// When the database refuses.
pub async fn list_items(
    tx: &mut OrgTx,
    server: ServerId,
    kind: ItemKind,
    page: &PageRequest<String>,
) -> DbResult<Page<CatalogueItem>> {
    let rows = sqlx::query!(
        "select key, definition, fingerprint, seen_at from catalogue_items
        where org_id = $1 and server_id = $2 and kind = $3 and ($4::text is null or key > $4)
        order by key limit $5",
        tx.org().uuid(),
        server.uuid(),
        kind.as_str(),
        sought(page.after.as_deref()),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(|r| {
        Ok(CatalogueItem {
            key: r.key,
            definition: Arc::from(r.definition),
            fingerprint: digest(&r.fingerprint)?,
            seen_at: r.seen_at,
        })
    });
    Ok(Page::cut(items.collect::<DbResult<_>>()?, page.limit, |item: &CatalogueItem| item.key.clone()))
}

/// Whether the server is to be spoken to in another way than before.
fn speaks_otherwise(before: &Server, snapshot: &Snapshot) -> bool {
    let (was, is) = (&before.declared, &snapshot.declared);
    was.era != is.era
        || was.protocol_version != is.protocol_version
        || was.capabilities != is.capabilities
        || was.instructions != is.instructions
        || was.name != is.name
        || was.version != is.version
}

async fn kept(tx: &mut OrgTx, server: ServerId) -> DbResult<Vec<Kept>> {
    let rows = sqlx::query!(
        "select name, state, fingerprint, accepted_fingerprint, refused_fingerprint, class, class_by
        from tools where org_id = $1 and server_id = $2",
        tx.org().uuid(),
        server.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = rows.into_iter().map(|r| {
        Ok(Kept {
            name: read(&r.name)?,
            state: read(&r.state)?,
            fingerprint: digest(&r.fingerprint)?,
            accepted: r.accepted_fingerprint.as_deref().map(digest).transpose()?,
            refused: r.refused_fingerprint.as_deref().map(digest).transpose()?,
            class: read(&r.class)?,
            class_by: read(&r.class_by)?,
        })
    });
    rows.collect()
}

/// The tools as they were read; but one that differs from what was accepted only in what one era says of it, and the
/// other does not, as it was accepted. A server that answers in its other era has not changed its tools.
async fn as_accepted<'a>(
    tx: &mut OrgTx,
    server: ServerId,
    kept: &[Kept],
    seen: &'a [SeenTool],
) -> DbResult<Cow<'a, [SeenTool]>> {
    let accepted: HashMap<&ToolName, Fingerprint> =
        kept.iter().filter_map(|tool| Some((&tool.name, tool.accepted?))).collect();
    let is_other = |tool: &&SeenTool| accepted.get(&tool.name).is_some_and(|was| *was != tool.fingerprint);
    let others: Vec<&str> = seen.iter().filter(is_other).map(|tool| tool.name.as_str()).collect();
    if others.is_empty() {
        return Ok(Cow::Borrowed(seen));
    }
    let rows = sqlx::query_scalar!(
        r#"select accepted_definition as "text!" from tools
        where org_id = $1 and server_id = $2 and name = any($3) and accepted_definition is not null"#,
        tx.org().uuid(),
        server.uuid(),
        &others as _
    )
    .fetch_all(tx.conn())
    .await?;
    let accepted: HashMap<ToolName, SeenTool> = rows
        .iter()
        .filter_map(|text| SeenTool::read(text).ok())
        .map(|tool| (tool.name.clone(), tool))
        .collect();
    let tools = seen.iter().map(|tool| {
        let was = accepted.get(&tool.name).filter(|was| is_alike(&was.definition, &tool.definition));
        was.unwrap_or(tool).clone()
    });
    Ok(Cow::Owned(tools.collect()))
}

/// Writes the tools that are new or differ; of all others only that they were seen. What was accepted goes along,
/// for the rules of the schema are asked before it turns out that the row is there.
async fn store_tools(
    tx: &mut OrgTx,
    before: &Server,
    rows: &[merge::Row<'_>],
    now: OffsetDateTime,
) -> DbResult<()> {
    let server = before.id;
    let (differ, same): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.differs);
    let seen: Vec<&str> = same.iter().map(|row| row.tool.name.as_str()).collect();
    sqlx::query!(
        "update tools set seen_at = $4 where org_id = $1 and server_id = $2 and name = any($3)",
        tx.org().uuid(),
        server.uuid(),
        &seen as _,
        now
    )
    .execute(tx.conn())
    .await?;
    let of = |text: fn(&merge::Row<'_>) -> String| differ.iter().map(|row| text(row)).collect::<Vec<_>>();
    let titles: Vec<Option<String>> = differ.iter().map(|row| row.tool.title.clone()).collect();
    // What is known of what a tool needs stands with it from the first; from then on people say it.
    let known = known_at(&before.url, &before.slug);
    let scopes = differ.iter().map(|row| known.map(|known| known.scopes_of(&row.tool.name).join(" ")));
    let scopes: Vec<String> = scopes.map(Option::unwrap_or_default).collect();
    let digests: Vec<Vec<u8>> = differ.iter().map(|row| row.tool.fingerprint.0.to_vec()).collect();
    sqlx::query!(
        "insert into tools (org_id, server_id, name, title, definition, fingerprint, state, class, severity,
            class_reason, class_by, first_seen_at, seen_at, accepted_definition, accepted_fingerprint, required_scopes)
        select $1, $2, t.name, t.title, t.definition, t.fingerprint, t.state, t.class, t.severity, t.reason, t.by,
            $12, $12, k.accepted_definition, k.accepted_fingerprint, string_to_array(t.scopes, ' ')
        from unnest($3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::text[], $13::text[])
            as t (name, title, definition, fingerprint, state, class, severity, reason, by, scopes)
        left join tools k on k.org_id = $1 and k.server_id = $2 and k.name = t.name
        on conflict (org_id, server_id, name) do update set
            title = excluded.title, definition = excluded.definition, fingerprint = excluded.fingerprint,
            state = excluded.state, seen_at = excluded.seen_at, version = tools.version + 1,
            class = case when tools.class_by = 'admin' then tools.class else excluded.class end,
            severity = case when tools.class_by = 'admin' then tools.severity else excluded.severity end,
            class_reason = case when tools.class_by = 'admin' then tools.class_reason else excluded.class_reason end,
            class_by = case when tools.class_by = 'admin' then tools.class_by else excluded.class_by end",
        tx.org().uuid(),
        server.uuid(),
        &of(|row| row.tool.name.as_str().to_owned()),
        &titles as _,
        &of(|row| row.tool.definition.to_string()),
        &digests,
        &of(|row| row.state.as_str().to_owned()),
        &of(|row| row.tool.classified.class.as_str().to_owned()),
        &of(|row| row.tool.classified.severity.as_str().to_owned()),
        &of(|row| row.tool.classified.reason.clone()),
        &of(|row| row.tool.classified.by.as_str().to_owned()),
        now,
        &scopes
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes the items; whether any came, went or changed.
async fn store_items(
    tx: &mut OrgTx,
    server: ServerId,
    items: &[SeenItem],
    now: OffsetDateTime,
) -> DbResult<bool> {
    let kinds: Vec<&str> = items.iter().map(|item| item.kind.as_str()).collect();
    let keys: Vec<&str> = items.iter().map(|item| item.key.as_str()).collect();
    let definitions: Vec<&str> = items.iter().map(|item| &*item.definition).collect();
    let digests: Vec<Vec<u8>> = items.iter().map(|item| item.fingerprint.0.to_vec()).collect();
    let removed = sqlx::query!(
        "delete from catalogue_items where org_id = $1 and server_id = $2
            and (kind, key) not in (select * from unnest($3::text[], $4::text[]))",
        tx.org().uuid(),
        server.uuid(),
        &kinds as _,
        &keys as _
    )
    .execute(tx.conn())
    .await?;
    let changed = sqlx::query_scalar!(
        r#"with seen as (
            select * from unnest($3::text[], $4::text[], $5::text[], $6::bytea[])
                as s (kind, key, definition, fingerprint)),
        differing as (
            select s.kind, s.key from seen s left join catalogue_items c
                on c.org_id = $1 and c.server_id = $2 and c.kind = s.kind and c.key = s.key
            where c.fingerprint is distinct from s.fingerprint),
        written as (
            insert into catalogue_items (org_id, server_id, kind, key, definition, fingerprint, seen_at)
            select $1, $2, s.kind, s.key, s.definition, s.fingerprint, $7 from seen s
            on conflict (org_id, server_id, kind, key) do update
                set definition = excluded.definition, fingerprint = excluded.fingerprint, seen_at = excluded.seen_at)
        select count(*) as "count!" from differing"#,
        tx.org().uuid(),
        server.uuid(),
        &kinds as _,
        &keys as _,
        &definitions as _,
        &digests,
        now
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(removed.rows_affected() > 0 || changed > 0)
}
