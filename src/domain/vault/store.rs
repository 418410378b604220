//! All SQL of the vault.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{base::ids::DataKeyId, domain::vault::ring::Wrapped, io::db::DbResult};

/// The row of a data key that seals.
pub(super) struct ActiveRow {
    pub(super) id: DataKeyId,
    pub(super) wrapped: Wrapped,
    pub(super) created_at: OffsetDateTime,
    pub(super) seals: i64,
    /// Whether this very transaction wrote it, so that it may yet be undone.
    pub(super) is_own: bool,
}

/// The row of any data key.
pub(super) enum KeyRow {
    Whole(Wrapped),
    Destroyed,
}

/// A data key on its way to another master key.
pub(super) struct Movable {
    pub(super) org: Uuid,
    pub(super) id: DataKeyId,
    pub(super) wrapped: Wrapped,
}

/// How many data keys a master key wraps.
pub(super) struct MasterCount {
    pub(super) master: String,
    pub(super) data_keys: i64,
    pub(super) chains: i64,
    pub(super) orgs: i64,
    pub(super) since: Option<OffsetDateTime>,
}

pub(super) async fn find_active(conn: &mut PgConnection, org: Uuid) -> DbResult<Option<ActiveRow>> {
    let row = sqlx::query!(
        r#"select id as "id: DataKeyId", master_key_id, wrapped as "wrapped!", created_at, seals,
            coalesce(xmin = pg_current_xact_id_if_assigned()::xid, false) as "is_own!"
        from data_keys where org_id = $1 and retired_at is null and destroyed_at is null"#,
        org
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| ActiveRow {
        id: r.id,
        wrapped: Wrapped { master: r.master_key_id, bytes: r.wrapped },
        created_at: r.created_at,
        seals: r.seals,
        is_own: r.is_own,
    }))
}

pub(super) async fn find(conn: &mut PgConnection, org: Uuid, id: DataKeyId) -> DbResult<Option<KeyRow>> {
    let row = sqlx::query!(
        "select master_key_id, wrapped from data_keys where org_id = $1 and id = $2",
        org,
        id.uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| match r.wrapped {
        Some(bytes) => KeyRow::Whole(Wrapped { master: r.master_key_id, bytes }),
        None => KeyRow::Destroyed,
    }))
}

/// Lets one transaction at a time give a chain a new key or destroy its keys.
pub(super) async fn lock_chain(conn: &mut PgConnection, org: Uuid) -> DbResult<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('portreeve data keys ' || $1::uuid::text, 0))",
        org
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

pub(super) async fn is_destroyed(conn: &mut PgConnection, org: Uuid) -> DbResult<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists(select from data_keys where org_id = $1 and destroyed_at is not null) as "is!""#,
        org
    )
    .fetch_one(conn)
    .await?)
}

pub(super) async fn insert(
    conn: &mut PgConnection,
    org: Uuid,
    id: DataKeyId,
    wrapped: &Wrapped,
    now: OffsetDateTime,
) -> DbResult<()> {
    sqlx::query!(
        "insert into data_keys (org_id, id, master_key_id, wrapped, created_at) values ($1, $2, $3, $4, $5)",
        org,
        id.uuid(),
        wrapped.master,
        wrapped.bytes,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn retire(
    conn: &mut PgConnection,
    org: Uuid,
    id: DataKeyId,
    now: OffsetDateTime,
) -> DbResult<()> {
    sqlx::query!("update data_keys set retired_at = $3 where org_id = $1 and id = $2", org, id.uuid(), now)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn count(conn: &mut PgConnection, org: Uuid, id: DataKeyId, seals: i64) -> DbResult<()> {
    sqlx::query!(
        "update data_keys set seals = seals + $3 where org_id = $1 and id = $2",
        org,
        id.uuid(),
        seals
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Empties every key of a chain and leaves a mark even where there was none.
pub(super) async fn destroy(
    conn: &mut PgConnection,
    org: Uuid,
    tombstone: DataKeyId,
    master: &str,
    now: OffsetDateTime,
) -> DbResult<u64> {
    let emptied = sqlx::query!(
        "update data_keys set wrapped = null, destroyed_at = $2 where org_id = $1 and destroyed_at is null",
        org,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into data_keys (org_id, id, master_key_id, created_at, retired_at, destroyed_at)
        select $1, $2, $3, $4, $4, $4 where not exists (select from data_keys where org_id = $1)",
        org,
        tombstone.uuid(),
        master,
        now
    )
    .execute(conn)
    .await?;
    Ok(emptied.rows_affected())
}

/// The next data keys that another master key than `active` wraps; rows that somebody else holds are left
/// out.
pub(super) async fn lock_movable(
    conn: &mut PgConnection,
    active: &str,
    after: (Uuid, Uuid),
    at_most: i64,
) -> DbResult<Vec<Movable>> {
    let rows = sqlx::query!(
        r#"select org_id, id as "id: DataKeyId", master_key_id, wrapped as "wrapped!" from data_keys
        where wrapped is not null and master_key_id <> $1 and (org_id, id) > ($2, $3)
        order by org_id, id limit $4 for update skip locked"#,
        active,
        after.0,
        after.1,
        at_most
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Movable {
            org: r.org_id,
            id: r.id,
            wrapped: Wrapped { master: r.master_key_id, bytes: r.wrapped },
        })
        .collect())
}

pub(super) async fn update_wrapped(
    conn: &mut PgConnection,
    master: &str,
    moved: &[Movable],
) -> DbResult<u64> {
    let orgs: Vec<Uuid> = moved.iter().map(|m| m.org).collect();
    let ids: Vec<Uuid> = moved.iter().map(|m| m.id.uuid()).collect();
    let bytes: Vec<Vec<u8>> = moved.iter().map(|m| m.wrapped.bytes.clone()).collect();
    let done = sqlx::query!(
        "update data_keys d set master_key_id = $1, wrapped = m.wrapped
        from unnest($2::uuid[], $3::uuid[], $4::bytea[]) as m (org_id, id, wrapped)
        where d.org_id = m.org_id and d.id = m.id and d.wrapped is not null",
        master,
        &orgs,
        &ids,
        &bytes
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

pub(super) async fn count_by_master(conn: &mut PgConnection) -> DbResult<Vec<MasterCount>> {
    Ok(sqlx::query_as!(
        MasterCount,
        r#"select d.master_key_id as master, count(*) as "data_keys!", count(distinct d.org_id) as "chains!",
            count(distinct d.org_id) filter (where d.org_id <> instance_scope()) as "orgs!",
            coalesce((select min(e.at) from events e where e.org_id = instance_scope()
                and e.action in ('keys.rotation_started', 'keys.rotated') and e.target_id = d.master_key_id),
                min(d.created_at)) as since
        from data_keys d where d.wrapped is not null group by d.master_key_id order by d.master_key_id"#
    )
    .fetch_all(conn)
    .await?)
}

/// The oldest and the newest data key of every master key.
pub(super) async fn sample(conn: &mut PgConnection) -> DbResult<Vec<Movable>> {
    let rows = sqlx::query!(
        r#"(select distinct on (master_key_id) org_id as "org_id!", id as "id!: DataKeyId",
                master_key_id as "master_key_id!", wrapped as "wrapped!"
            from data_keys where wrapped is not null order by master_key_id, created_at, id)
        union
        (select distinct on (master_key_id) org_id, id, master_key_id, wrapped
            from data_keys where wrapped is not null order by master_key_id, created_at desc, id desc)"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Movable {
            org: r.org_id,
            id: r.id,
            wrapped: Wrapped { master: r.master_key_id, bytes: r.wrapped },
        })
        .collect())
}
