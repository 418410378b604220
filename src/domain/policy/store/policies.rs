//! SQL of policies themselves: their names, drafts and what is in force of them.

use time::OffsetDateTime;

use crate::{
    base::{
        ids::{PolicyId, ServerId, UserId},
        page::{Page, PageRequest},
        update::{Change, Update, is_current},
    },
    domain::policy::{
        document::Document,
        kept::{Draft, NewVersion, Places, Policy, PolicyFilter, PolicyRef, PolicyTerms, Proposal},
        store::{bump_epoch, sought},
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// The rule that a second policy with the same slug breaks.
pub const SLUG_IS_FREE: &str = "policies_slug_is_free";

struct Row {
    id: PolicyId,
    slug: String,
    name: String,
    description: String,
    server_id: Option<ServerId>,
    live: Option<i32>,
    draft: Option<String>,
    draft_from: Option<i32>,
    draft_by: Option<UserId>,
    draft_by_name: Option<String>,
    draft_at: Option<OffsetDateTime>,
    proposed_by: Option<UserId>,
    proposed_by_name: Option<String>,
    proposed_at: Option<OffsetDateTime>,
    proposed_note: String,
    is_org: bool,
    teams: i64,
    servers: i64,
    grants: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
}

impl From<Row> for Policy {
    fn from(row: Row) -> Self {
        let draft = row.draft.zip(row.draft_at).map(|(document, at)| Draft {
            document,
            from: row.draft_from,
            by: row.draft_by,
            by_name: row.draft_by_name,
            at,
        });
        let proposal = row.proposed_by_name.zip(row.proposed_at).map(|(by_name, at)| Proposal {
            by: row.proposed_by,
            by_name,
            at,
            note: row.proposed_note,
        });
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            description: row.description,
            server: row.server_id,
            live: row.live,
            draft,
            proposal,
            places: Places { is_org: row.is_org, teams: row.teams, servers: row.servers, grants: row.grants },
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

/// The organization's policies, by name.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    filter: &PolicyFilter,
    page: &PageRequest<(String, PolicyId)>,
) -> DbResult<Page<Policy>> {
    let items = rows(tx, None, filter, page).await?;
    Ok(Page::cut(items, page.limit, |policy| (policy.name.clone(), policy.id)))
}

/// One policy.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, policy: &PolicyRef) -> DbResult<Option<Policy>> {
    let page = PageRequest { limit: 1, after: None };
    Ok(rows(tx, Some(policy), &PolicyFilter::default(), &page).await?.into_iter().next())
}

async fn rows(
    tx: &mut OrgTx,
    only: Option<&PolicyRef>,
    filter: &PolicyFilter,
    page: &PageRequest<(String, PolicyId)>,
) -> DbResult<Vec<Policy>> {
    let after = page.after.as_ref().map(|(name, id)| (name.replace('\0', ""), id.uuid()));
    let (after_name, after_id) = after.unzip();
    let rows = sqlx::query_as!(
        Row,
        r#"select p.id as "id: PolicyId", p.slug, p.name, p.description, p.server_id as "server_id: ServerId",
            p.live, p.draft, p.draft_from, p.draft_by as "draft_by: UserId", p.draft_at,
            p.proposed_by as "proposed_by: UserId", p.proposed_by_name, p.proposed_at, p.proposed_note,
            (select u.name from memberships m join users u on u.id = m.user_id
                where m.org_id = p.org_id and m.user_id = p.draft_by) as "draft_by_name?",
            exists(select from policy_layers l
                where l.org_id = p.org_id and l.policy_id = p.id and l.layer = 'org') as "is_org!",
            (select count(*) from policy_layers l
                where l.org_id = p.org_id and l.policy_id = p.id and l.layer = 'team') as "teams!",
            (select count(*) from policy_layers l
                where l.org_id = p.org_id and l.policy_id = p.id and l.layer = 'server') as "servers!",
            (select count(*) from grants g
                where g.org_id = p.org_id and g.policy_id = p.id and g.revoked_at is null) as "grants!",
            p.created_at, p.updated_at, p.version
        from policies p
        where p.org_id = $1 and ($2::uuid is null or p.id = $2) and ($3::text is null or p.slug = $3)
            and ($4::text is null or strpos(lower(p.name), lower($4)) > 0 or strpos(p.slug, lower($4)) > 0)
            and ($5::uuid is null or p.server_id = $5)
            and ($6::text is null or (lower(p.name), p.id) > (lower($6), $7::uuid))
            and ($9::boolean is null or $9 = (
                exists (select from grants g join access_requests a on a.org_id = g.org_id and a.grant_id = g.id
                    where g.org_id = p.org_id and g.policy_id = p.id)
                and not exists (select from grants g where g.org_id = p.org_id and g.policy_id = p.id
                    and g.revoked_at is null and (g.expires_at is null or g.expires_at > $10))
                and not exists (select from policy_layers l where l.org_id = p.org_id and l.policy_id = p.id)))
        order by lower(p.name), p.id limit $8"#,
        tx.org().uuid(),
        only.and_then(PolicyRef::id).map(PolicyId::uuid),
        only.and_then(PolicyRef::slug),
        sought(filter.q.as_deref()),
        filter.server.map(ServerId::uuid),
        after_name,
        after_id,
        page.fetch(),
        filter.over.map(|(_, is_over)| is_over),
        filter.over.map(|(at, _)| at)
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Policy::from).collect())
}

/// Keeps a new policy; nothing of it is in force.
///
/// # Errors
/// [`SLUG_IS_FREE`] when the slug is taken; or when the database refuses.
pub async fn insert(
    tx: &mut OrgTx,
    terms: &PolicyTerms,
    draft: Option<&Document>,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<PolicyId> {
    let id = PolicyId::fresh();
    sqlx::query!(
        "insert into policies (org_id, id, slug, name, description, server_id, draft, draft_by, draft_at,
            created_by, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, case when $7::text is null then null else $8::uuid end,
            case when $7::text is null then null else $9::timestamptz end, $8, $9, $9)",
        tx.org().uuid(),
        id.uuid(),
        terms.slug.as_str(),
        terms.name,
        terms.description,
        terms.server.map(ServerId::uuid),
        draft.map(Document::canonical),
        by.map(UserId::uuid),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// Gives a policy another name, and raises the epoch, for records and answers name it.
///
/// # Errors
/// [`SLUG_IS_FREE`] when the slug is taken; or when the database refuses.
pub async fn update(
    tx: &mut OrgTx,
    id: PolicyId,
    terms: &PolicyTerms,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Policy>>> {
    let before = match lock(tx, id, expected).await? {
        Ok(before) => *before,
        Err(answer) => return Ok(*answer),
    };
    let is_same = before.name == terms.name
        && before.slug == terms.slug.as_str()
        && before.description == terms.description
        && before.server == terms.server;
    if is_same {
        return Ok(Update::Done(Change::none(before)));
    }
    sqlx::query!(
        "update policies set slug = $3, name = $4, description = $5, server_id = $6, updated_at = $7,
            version = version + 1
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        terms.slug.as_str(),
        terms.name,
        terms.description,
        terms.server.map(ServerId::uuid),
        now
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await?;
    settle(tx, before).await
}

/// Keeps what is being written; without a document, drops it. Nothing that is in force changes.
///
/// # Errors
/// When the database refuses.
pub async fn set_draft(
    tx: &mut OrgTx,
    id: PolicyId,
    document: Option<&Document>,
    by: Option<UserId>,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Policy>>> {
    let before = match lock(tx, id, expected).await? {
        Ok(before) => *before,
        Err(answer) => return Ok(*answer),
    };
    let text = document.map(Document::canonical);
    if before.draft.as_ref().map(|draft| &draft.document) == text.as_ref() {
        return Ok(Update::Done(Change::none(before)));
    }
    // A draft stays one of the version it was begun from, whatever was published meanwhile.
    let from = before.draft.as_ref().map_or(before.live, |draft| draft.from);
    sqlx::query!(
        "update policies set draft = $3, updated_at = $6, version = version + 1,
            draft_from = case when $3::text is null then null else $4::integer end,
            draft_by = case when $3::text is null then null else $5::uuid end,
            draft_at = case when $3::text is null then null else $6::timestamptz end,
            proposed_by = null, proposed_by_name = null, proposed_at = null, proposed_note = ''
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        text,
        from,
        by.map(UserId::uuid),
        now
    )
    .execute(tx.conn())
    .await?;
    settle(tx, before).await
}

/// Says that the draft takes the version in force into account.
///
/// # Errors
/// When the database refuses.
pub async fn rebase_draft(
    tx: &mut OrgTx,
    id: PolicyId,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Policy>>> {
    let before = match lock(tx, id, expected).await? {
        Ok(before) => *before,
        Err(answer) => return Ok(*answer),
    };
    if !before.is_draft_stale() {
        return Ok(Update::Done(Change::none(before)));
    }
    sqlx::query!(
        "update policies set draft_from = live, updated_at = $3, version = version + 1,
            proposed_by = null, proposed_by_name = null, proposed_at = null, proposed_note = ''
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    settle(tx, before).await
}

/// Notes that somebody asks for the draft to be published; without a proposal, that nobody does any longer.
///
/// # Errors
/// When the database refuses.
pub async fn propose(
    tx: &mut OrgTx,
    id: PolicyId,
    proposal: Option<&Proposal>,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Policy>>> {
    let before = match lock(tx, id, expected).await? {
        Ok(before) => *before,
        Err(answer) => return Ok(*answer),
    };
    sqlx::query!(
        "update policies set proposed_by = $3, proposed_by_name = $4, proposed_at = $5, proposed_note = $6,
            updated_at = $7, version = version + 1
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        proposal.and_then(|proposal| proposal.by).map(UserId::uuid),
        proposal.map(|proposal| proposal.by_name.as_str()),
        proposal.map(|proposal| proposal.at),
        proposal.map_or("", |proposal| proposal.note.as_str()),
        now
    )
    .execute(tx.conn())
    .await?;
    settle(tx, before).await
}

/// Puts a document in force as the next version and raises the epoch. The draft that became it is gone; one that is being
/// written while somebody goes back to an earlier version stays.
///
/// # Errors
/// When the database refuses.
pub async fn publish(
    tx: &mut OrgTx,
    id: PolicyId,
    new: &NewVersion<'_>,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Policy>>> {
    let before = match lock(tx, id, expected).await? {
        Ok(before) => *before,
        Err(answer) => return Ok(*answer),
    };
    let number = sqlx::query_scalar!(
        r#"insert into policy_versions (org_id, policy_id, number, document, note, author_id, author_name, created_at,
            restores)
        select $1, $2, coalesce(max(v.number), 0) + 1, $3, $4, $5, $6, $7, $8
        from policy_versions v where v.org_id = $1 and v.policy_id = $2 returning number"#,
        tx.org().uuid(),
        id.uuid(),
        new.document.canonical(),
        new.note,
        new.author.map(UserId::uuid),
        new.author_name,
        now,
        new.restores
    )
    .fetch_one(tx.conn())
    .await?;
    sqlx::query!(
        "update policies set live = $3, updated_at = $4, version = version + 1,
            draft = case when $5 then draft end, draft_from = case when $5 then draft_from end,
            draft_by = case when $5 then draft_by end, draft_at = case when $5 then draft_at end,
            proposed_by = null, proposed_by_name = null, proposed_at = null, proposed_note = ''
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        number,
        now,
        // Whoever goes back drops no work of others: their draft stays, and is stale.
        new.restores.is_some()
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await?;
    settle(tx, before).await
}

/// Deletes a policy that is in force nowhere, with its versions.
///
/// # Errors
/// When it is in force somewhere, or the database refuses.
pub async fn delete(tx: &mut OrgTx, id: PolicyId, expected: Option<i64>) -> DbResult<Update<Policy>> {
    let before = match lock(tx, id, expected).await? {
        Ok(before) => *before,
        Err(answer) => return Ok(answer.map(|change| change.before)),
    };
    // A grant that was revoked needs no policy any more.
    sqlx::query!(
        "update grants set policy_id = null where org_id = $1 and policy_id = $2 and revoked_at is not null",
        tx.org().uuid(),
        id.uuid()
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("delete from policies where org_id = $1 and id = $2", tx.org().uuid(), id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(Update::Done(before))
}

/// A policy that waits to be changed, or why it cannot be.
type Locked = Result<Box<Policy>, Box<Update<Change<Policy>>>>;

async fn lock(tx: &mut OrgTx, id: PolicyId, expected: Option<i64>) -> DbResult<Locked> {
    sqlx::query!(
        "select id from policies where org_id = $1 and id = $2 for update",
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(match find(tx, &PolicyRef::Id(id)).await? {
        None => Err(Box::new(Update::NotFound)),
        Some(current) if !is_current(expected, current.version) => Err(Box::new(Update::Conflict)),
        Some(current) => Ok(Box::new(current)),
    })
}

async fn settle(tx: &mut OrgTx, before: Policy) -> DbResult<Update<Change<Policy>>> {
    Ok(match find(tx, &PolicyRef::Id(before.id)).await? {
        Some(after) => Update::Done(Change { before, after }),
        None => Update::NotFound,
    })
}
