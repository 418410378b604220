//! All SQL of the instance's row and of the replicas.

use time::OffsetDateTime;

use crate::{
    base::{
        crypto::digest::Digest,
        ids::ReplicaId,
        update::{Change, Update, is_current},
    },
    domain::instance::{DatabaseFigures, Instance, Replica, SILENCE, SignUp},
    io::db::{DbResult, SystemTx, Tx},
};

struct Row {
    set_up_token_hash: Option<Vec<u8>>,
    set_up_at: Option<OffsetDateTime>,
    sign_up: String,
    updated_at: OffsetDateTime,
    version: i64,
}

impl From<Row> for Instance {
    fn from(row: Row) -> Self {
        Self {
            // Anything but 32 bytes is no hash of ours, and then no link works.
            set_up_token_hash: row.set_up_token_hash.and_then(|hash| Digest::try_from(hash).ok()),
            set_up_at: row.set_up_at,
            // A mode that a later version knows is not one to be generous with.
            sign_up: row.sign_up.parse().unwrap_or(SignUp::Closed),
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

/// What is true of the whole installation.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut impl Tx) -> DbResult<Instance> {
    let row = sqlx::query_as!(
        Row,
        "select set_up_token_hash, set_up_at, sign_up, updated_at, version from instance"
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(row.into())
}

/// Gives out a new set-up link in place of the last one; returns whether the installation still waits for
/// one.
///
/// # Errors
/// When the database refuses.
pub async fn set_set_up_token(tx: &mut SystemTx, hash: &Digest, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update instance set set_up_token_hash = $1, updated_at = $2, version = version + 1
        where set_up_at is null",
        hash.as_slice(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that the installation is set up; returns whether it was this call that did it.
///
/// A second caller waits for the first one's transaction, so exactly one gets `true`.
///
/// # Errors
/// When the database refuses.
pub async fn mark_set_up(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update instance set set_up_at = $1, set_up_token_hash = null, updated_at = $1, version = version + 1
        where set_up_at is null",
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Sets who may sign up.
///
/// # Errors
/// When the database refuses.
pub async fn update_sign_up(
    tx: &mut SystemTx,
    mode: SignUp,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Instance>>> {
    let row = sqlx::query_as!(
        Row,
        "select set_up_token_hash, set_up_at, sign_up, updated_at, version from instance for update"
    )
    .fetch_one(tx.conn())
    .await?;
    let before = Instance::from(row);
    if !is_current(expected, before.version) {
        return Ok(Update::Conflict);
    }
    let row = sqlx::query_as!(
        Row,
        "update instance set sign_up = $1, updated_at = $2, version = version + 1
        returning set_up_token_hash, set_up_at, sign_up, updated_at, version",
        mode.as_str(),
        now
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Update::Done(Change { before, after: row.into() }))
}

/// Enters a replica that has just started.
///
/// # Errors
/// When the database refuses.
pub async fn insert_replica(tx: &mut SystemTx, replica: &Replica) -> DbResult<()> {
    sqlx::query!(
        "insert into replicas (id, version, listen, started_at, seen_at) values ($1, $2, $3, $4, $5)",
        replica.id.uuid(),
        replica.version,
        replica.listen,
        replica.started_at,
        replica.seen_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes a sign of life; returns whether the replica is still listed. One that was taken for dead enters
/// itself again.
///
/// # Errors
/// When the database refuses.
pub async fn mark_seen(tx: &mut SystemTx, id: ReplicaId, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!("update replicas set seen_at = $2 where id = $1", id.uuid(), now)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// All replicas, the longest running first.
///
/// # Errors
/// When the database refuses.
pub async fn list_replicas(tx: &mut SystemTx) -> DbResult<Vec<Replica>> {
    Ok(sqlx::query_as!(
        Replica,
        r#"select id as "id: ReplicaId", version, listen, started_at, seen_at from replicas
        order by started_at, id limit 200"#
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Removes a replica that stops in good order.
///
/// # Errors
/// When the database refuses.
pub async fn delete_replica(tx: &mut SystemTx, id: ReplicaId) -> DbResult<()> {
    sqlx::query!("delete from replicas where id = $1", id.uuid()).execute(tx.conn()).await?;
    Ok(())
}

/// Removes replicas that have been silent ten times as long as makes them dead; returns how many.
///
/// Until then the operator sees them as dead, which says more than their absence.
///
/// # Errors
/// When the database refuses.
pub async fn delete_stale_replicas(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<u64> {
    let long_ago: OffsetDateTime = now - SILENCE * 10;
    let done = sqlx::query!("delete from replicas where seen_at < $1", long_ago).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}

/// What the database says of itself.
///
/// # Errors
/// When the database refuses.
pub async fn database(tx: &mut impl Tx) -> DbResult<DatabaseFigures> {
    Ok(sqlx::query_as!(
        DatabaseFigures,
        r#"select current_setting('server_version') as "version!",
            pg_database_size(current_database()) as "bytes!",
            (select count(*) from pg_stat_activity where datname = current_database()) as "connections!",
            current_setting('max_connections')::bigint as "max_connections!",
            (select count(*) from _sqlx_migrations) as "migrations!",
            (select coalesce(max(version), 0) from _sqlx_migrations) as "newest_migration!""#
    )
    .fetch_one(tx.conn())
    .await?)
}
