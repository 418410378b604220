//! SQL of organizations.

use time::OffsetDateTime;

use crate::{
    base::{
        ids::{OrgId, UserId},
        page::{Page, PageRequest},
        permission::Role,
        slug::Slug,
        update::Update,
    },
    domain::tenancy::{
        NewOrg, OperatorOrg, Org, OrgFilter, OrgRef, OrgSettings, PersonsOrg, Reason,
        orgs::tombstone,
        store::{Stored, by_name, outcome, sought},
    },
    io::db::{DbResult, OrgTx, PersonTx, SystemTx, Tx},
};

/// The database rule that refuses a slug which another organization has.
pub const SLUG_IS_FREE: &str = "orgs_slug_is_free";

/// Makes the organization that the transaction is of; it has no owner yet.
///
/// # Errors
/// [`SLUG_IS_FREE`] when the slug is taken.
pub async fn insert(tx: &mut OrgTx, new: &NewOrg, now: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "insert into orgs (id, slug, name, created_at, updated_at) values ($1, $2, $3, $4, $4)",
        tx.org().uuid(),
        new.slug.as_str(),
        new.name.as_str(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The organization that the transaction is of, unless it is deleted.
///
/// # Errors
/// When the database fails.
pub async fn find(tx: &mut OrgTx) -> DbResult<Option<Org>> {
    let org = sqlx::query_as!(
        Org,
        r#"select id as "id: OrgId", slug as "slug: Stored<Slug>", name, epoch, require_second_factor,
            invitation_hours, publishing_takes_two, self_approval, argument_days, created_at, updated_at,
            suspended_at, suspended_reason, deletion_asked_at, deletion_asked_by as "deletion_asked_by: UserId", version
        from orgs where id = $1 and deleted_at is null"#,
        tx.org().uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(org)
}

/// The organizations that the person is in, by name.
///
/// # Errors
/// When the database fails.
pub async fn list_of_person(tx: &mut PersonTx) -> DbResult<Vec<PersonsOrg>> {
    select_of_person(tx, None, None).await
}

/// The organization of that name, if the person is in it.
///
/// # Errors
/// When the database fails.
pub async fn find_of_person(tx: &mut PersonTx, org: &OrgRef) -> DbResult<Option<PersonsOrg>> {
    Ok(select_of_person(tx, org.id(), org.slug()).await?.pop())
}

async fn select_of_person(
    tx: &mut PersonTx,
    id: Option<OrgId>,
    slug: Option<&str>,
) -> DbResult<Vec<PersonsOrg>> {
    let rows = sqlx::query!(
        r#"select o.id as "id: OrgId", o.slug as "slug: Stored<Slug>", o.name, o.epoch,
            o.require_second_factor, o.invitation_hours, o.publishing_takes_two, o.self_approval, o.argument_days, o.created_at,
            o.updated_at, o.suspended_at, o.suspended_reason, o.deletion_asked_at,
            o.deletion_asked_by as "deletion_asked_by: UserId", o.version,
            m.role as "role: Stored<Role>", m.last_seen_at,
            case when m.suspended_at is not null then m.suspended_reason end as "kept_out?"
        from memberships m join orgs o on o.id = m.org_id
        where m.user_id = $1 and o.deleted_at is null
            and ($2::uuid is null or m.org_id = $2) and ($3::text is null or o.slug = $3)
        order by lower(o.name), o.id"#,
        tx.user().uuid(),
        id.map(OrgId::uuid),
        slug
    )
    .fetch_all(tx.conn())
    .await?;
    let orgs = rows.into_iter().map(|row| PersonsOrg {
        org: Org {
            id: row.id,
            slug: row.slug.into(),
            name: row.name,
            epoch: row.epoch,
            require_second_factor: row.require_second_factor,
            invitation_hours: row.invitation_hours,
            publishing_takes_two: row.publishing_takes_two,
            self_approval: row.self_approval,
            argument_days: row.argument_days,
            created_at: row.created_at,
            updated_at: row.updated_at,
            suspended_at: row.suspended_at,
            suspended_reason: row.suspended_reason,
            deletion_asked_at: row.deletion_asked_at,
            deletion_asked_by: row.deletion_asked_by,
            version: row.version,
        },
        role: row.role.into(),
        last_seen_at: row.last_seen_at,
        suspended: row.kept_out,
    });
    Ok(orgs.collect())
}

/// Changes the settings and raises the epoch.
///
/// # Errors
/// [`SLUG_IS_FREE`] when the slug is taken.
pub async fn update(
    tx: &mut OrgTx,
    settings: &OrgSettings,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<i64>> {
    let version = sqlx::query_scalar!(
        "update orgs set name = $3, slug = $4, require_second_factor = $5, invitation_hours = $6,
            publishing_takes_two = $8, self_approval = $9, argument_days = $10, updated_at = $7,
            version = version + 1, epoch = epoch + 1
        where id = $1 and deleted_at is null and ($2::bigint is null or version = $2) returning version",
        tx.org().uuid(),
        expected,
        settings.name.as_str(),
        settings.slug.as_str(),
        settings.require_second_factor,
        settings.invitation_hours,
        now,
        settings.publishing_takes_two,
        settings.self_approval,
        settings.argument_days
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(outcome(version, find(tx).await?.is_some()))
}

/// Raises the epoch, so that no decision rests on what was true before; tells the new one.
///
/// The functions of this room do it themselves; other rooms' changes call it.
///
/// # Errors
/// When the database fails or the organization is deleted.
pub async fn bump_epoch(tx: &mut OrgTx) -> DbResult<i64> {
    let epoch = sqlx::query_scalar!(
        "update orgs set epoch = epoch + 1 where id = $1 returning epoch",
        tx.org().uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(epoch)
}

/// Notes that an owner asked for deletion; `rules::deletion` has said that they may.
///
/// # Errors
/// When the database fails.
pub async fn ask_deletion(
    tx: &mut OrgTx,
    asker: UserId,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<i64>> {
    let version = sqlx::query_scalar!(
        "update orgs set deletion_asked_at = $3, deletion_asked_by = $4, updated_at = $3,
            version = version + 1
        where id = $1 and deleted_at is null and deletion_asked_at is null
            and ($2::bigint is null or version = $2) returning version",
        tx.org().uuid(),
        expected,
        now,
        asker.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(outcome(version, find(tx).await?.is_some()))
}

/// Forgets that deletion was asked for.
///
/// # Errors
/// When the database fails.
pub async fn cancel_deletion(
    tx: &mut OrgTx,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<i64>> {
    let version = sqlx::query_scalar!(
        "update orgs set deletion_asked_at = null, deletion_asked_by = null, updated_at = $3,
            version = version + 1
        where id = $1 and deleted_at is null and deletion_asked_at is not null
            and ($2::bigint is null or version = $2) returning version",
        tx.org().uuid(),
        expected,
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(outcome(version, find(tx).await?.is_some()))
}

/// Deletes: a tombstone stays, its slug is free, nobody is a member any more, open invitations are withdrawn.
///
/// The names of people and what other rooms hold have to be read and ended before.
///
/// # Errors
/// When the database fails.
pub async fn delete(tx: &mut OrgTx, expected: Option<i64>, now: OffsetDateTime) -> DbResult<Update> {
    let org = tx.org();
    let version = sqlx::query_scalar!(
        "update orgs set deleted_at = $3, slug = $4, updated_at = $3, version = version + 1, epoch = epoch + 1
        where id = $1 and deleted_at is null and ($2::bigint is null or version = $2) returning version",
        org.uuid(),
        expected,
        now,
        tombstone(org)
    )
    .fetch_optional(tx.conn())
    .await?;
    if version.is_none() {
        return Ok(outcome(None, find(tx).await?.is_some()));
    }
    sqlx::query!(
        "update invitations set revoked_at = $2, updated_at = $2, version = version + 1
        where org_id = $1 and accepted_at is null and revoked_at is null",
        org.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("delete from memberships where org_id = $1", org.uuid()).execute(tx.conn()).await?;
    Ok(Update::Done(()))
}

/// Organizations whose deletion was asked for at or before a moment, oldest first; for the job that deletes.
///
/// # Errors
/// When the database fails.
pub async fn list_deletion_asked(
    tx: &mut SystemTx,
    until: OffsetDateTime,
    limit: i64,
) -> DbResult<Vec<OrgId>> {
    let orgs = sqlx::query_scalar!(
        r#"select id as "id: OrgId" from orgs where deleted_at is null and deletion_asked_at <= $1
        order by deletion_asked_at, id limit $2"#,
        until,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(orgs)
}

/// Suspends an organization, or changes the reason; the epoch rises.
///
/// # Errors
/// When the database fails.
pub async fn suspend(
    tx: &mut SystemTx,
    org: OrgId,
    reason: &Reason,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<i64>> {
    let version = sqlx::query_scalar!(
        "update orgs set suspended_at = coalesce(suspended_at, $3), suspended_reason = $4, updated_at = $3,
            version = version + 1, epoch = epoch + 1
        where id = $1 and deleted_at is null and ($2::bigint is null or version = $2) returning version",
        org.uuid(),
        expected,
        now,
        reason.as_str()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(outcome(version, is_there(tx, org).await?))
}

/// Ends a suspension; the epoch rises.
///
/// # Errors
/// When the database fails.
pub async fn resume(
    tx: &mut SystemTx,
    org: OrgId,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<i64>> {
    let version = sqlx::query_scalar!(
        "update orgs set suspended_at = null, suspended_reason = null, updated_at = $3,
            version = version + 1, epoch = epoch + 1
        where id = $1 and deleted_at is null and ($2::bigint is null or version = $2) returning version",
        org.uuid(),
        expected,
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(outcome(version, is_there(tx, org).await?))
}

async fn is_there(tx: &mut SystemTx, org: OrgId) -> DbResult<bool> {
    let is_there = sqlx::query_scalar!(
        r#"select exists(select from orgs where id = $1 and deleted_at is null) as "is_there!""#,
        org.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(is_there)
}

/// All organizations for the operator, by name, each with its size.
///
/// # Errors
/// When the database fails.
pub async fn list_for_operator(
    tx: &mut SystemTx,
    filter: &OrgFilter,
    page: &PageRequest<(String, OrgId)>,
) -> DbResult<Page<OperatorOrg>> {
    let (name, id) = by_name(page.after.as_ref());
    let orgs = sqlx::query_as!(
        OperatorOrg,
        r#"select o.id as "id: OrgId", o.slug as "slug: Stored<Slug>", o.name,
            (select count(*) from memberships m where m.org_id = o.id) as "members!",
            (select count(*) from memberships m where m.org_id = o.id and m.role = 'owner') as "owners!",
            o.created_at, o.suspended_at, o.suspended_reason, o.deletion_asked_at, o.deleted_at, o.version
        from orgs o
        where ($1::text is null or strpos(lower(o.name), lower($1)) > 0 or strpos(o.slug, lower($1)) > 0)
            and ($2::text is null or $2 = case when o.deleted_at is not null then 'deleted'
                when o.suspended_at is not null then 'suspended' else 'active' end)
            and ($3::text is null or (lower(o.name), o.id) > (lower($3), $4::uuid))
        order by lower(o.name), o.id limit $5"#,
        sought(filter.q.as_deref()),
        filter.state.map(|state| state.as_str()),
        name,
        id.map(OrgId::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::cut(orgs, page.limit, |org| (org.name.clone(), org.id)))
}

/// One organization for the operator, deleted or not.
///
/// # Errors
/// When the database fails.
pub async fn find_for_operator(tx: &mut SystemTx, org: &OrgRef) -> DbResult<Option<OperatorOrg>> {
    let org = sqlx::query_as!(
        OperatorOrg,
        r#"select o.id as "id: OrgId", o.slug as "slug: Stored<Slug>", o.name,
            (select count(*) from memberships m where m.org_id = o.id) as "members!",
            (select count(*) from memberships m where m.org_id = o.id and m.role = 'owner') as "owners!",
            o.created_at, o.suspended_at, o.suspended_reason, o.deletion_asked_at, o.deleted_at, o.version
        from orgs o where o.id = $1 or o.slug = $2"#,
        org.id().map(OrgId::uuid),
        org.slug()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(org)
}

/// How many organizations there are, deleted ones not counted.
///
/// # Errors
/// When the database fails.
pub async fn count(tx: &mut SystemTx) -> DbResult<i64> {
    let count = sqlx::query_scalar!(r#"select count(*) as "count!" from orgs where deleted_at is null"#)
        .fetch_one(tx.conn())
        .await?;
    Ok(count)
}
