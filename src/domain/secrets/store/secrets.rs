//! SQL of secrets as people keep them.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::{
        ids::{SecretId, TeamId, UserId},
        page::{Page, PageRequest},
        update::Update,
    },
    domain::secrets::{
        Scope, SealedSecret, SecretFilter, SecretOwner, SecretTerms, Sight, StoredSecret, TeamOfSecret,
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// The rule that a second secret of one owner with the same name breaks.
pub const NAME_IS_FREE: &str = "secrets_name_is_free";

struct Row {
    id: SecretId,
    team_id: Option<TeamId>,
    user_id: Option<UserId>,
    team_slug: Option<String>,
    team_name: Option<String>,
    name: String,
    description: String,
    rotate_after_days: Option<i32>,
    used_by: Vec<String>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    rotated_at: OffsetDateTime,
    last_used_at: Option<OffsetDateTime>,
    version: i64,
}

impl From<Row> for StoredSecret {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            owner: match (row.team_id, row.user_id) {
                (Some(team), _) => SecretOwner::Team(team),
                (None, Some(user)) => SecretOwner::User(user),
                (None, None) => SecretOwner::Org,
            },
            team: row.team_slug.zip(row.team_name).map(|(slug, name)| TeamOfSecret { slug, name }),
            name: row.name,
            description: row.description,
            rotate_after_days: row.rotate_after_days,
            used_by: row.used_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            rotated_at: row.rotated_at,
            last_used_at: row.last_used_at,
            version: row.version,
        }
    }
}

/// Secrets that somebody may know of, by name.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    sight: &Sight,
    filter: &SecretFilter,
    page: &PageRequest<(String, SecretId)>,
) -> DbResult<Page<StoredSecret>> {
    let items = rows(tx, None, sight, filter, page).await?;
    Ok(Page::cut(items, page.limit, |secret| (secret.name.clone(), secret.id)))
}

/// One secret, where somebody may know of it.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, id: SecretId, sight: &Sight) -> DbResult<Option<StoredSecret>> {
    let page = PageRequest { limit: 1, after: None };
    Ok(rows(tx, Some(id), sight, &SecretFilter::default(), &page).await?.into_iter().next())
}

async fn rows(
    tx: &mut OrgTx,
    only: Option<SecretId>,
    sight: &Sight,
    filter: &SecretFilter,
    page: &PageRequest<(String, SecretId)>,
) -> DbResult<Vec<StoredSecret>> {
    let teams: Vec<Uuid> = sight.teams.iter().map(|team| team.uuid()).collect();
    // Postgres refuses the null character in a text, and cursors and searches come from outside.
    let plain = |text: &str| text.replace('\0', "");
    let (name, id) = page.after.as_ref().map(|(name, id)| (plain(name), *id)).unzip();
    let rows = sqlx::query_as!(
        Row,
        r#"select s.id as "id: SecretId", s.team_id as "team_id: TeamId", s.user_id as "user_id: UserId",
            t.slug as "team_slug?", t.name as "team_name?", s.name, s.description, s.rotate_after_days,
            array(select v.slug from server_credentials c join servers v on v.org_id = c.org_id and v.id = c.server_id
                where c.org_id = s.org_id and c.secret = s.name and c.source = s.scope || '_secret'
                group by v.slug order by v.slug) as "used_by!",
            s.created_at, s.updated_at, s.rotated_at, s.last_used_at, s.version
        from secrets s left join teams t on t.org_id = s.org_id and t.id = s.team_id
        where s.org_id = $1 and ($2::uuid is null or s.id = $2)
            and (case s.scope when 'user' then s.user_id = $3::uuid
                when 'team' then $4::boolean or s.team_id = any($5::uuid[]) else $4::boolean end)
            and ($6::text is null or s.scope = $6) and ($7::uuid is null or s.team_id = $7)
            and ($8::text is null or strpos(s.name, lower($8)) > 0)
            and ($9::text is null or (s.name, s.id) > ($9, $10::uuid))
        order by s.name, s.id limit $11"#,
        tx.org().uuid(),
        only.map(SecretId::uuid),
        sight.own.map(UserId::uuid),
        sight.is_wide,
        &teams,
        filter.scope.map(Scope::as_str),
        filter.team.map(TeamId::uuid),
        filter.q.as_deref().map(|q| plain(q.trim())).filter(|q| !q.is_empty()),
        name,
        id.map(SecretId::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(StoredSecret::from).collect())
}

/// How many secrets an owner keeps.
///
/// # Errors
/// When the database refuses.
pub async fn count_of(tx: &mut OrgTx, owner: SecretOwner) -> DbResult<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from secrets
        where org_id = $1 and scope = $2 and team_id is not distinct from $3 and user_id is not distinct from $4"#,
        tx.org().uuid(),
        owner.scope().as_str(),
        owner.team().map(TeamId::uuid),
        owner.user().map(UserId::uuid)
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Keeps a secret.
///
/// # Errors
/// [`NAME_IS_FREE`] when the owner has one of this name.
pub async fn insert(
    tx: &mut OrgTx,
    owner: SecretOwner,
    terms: &SecretTerms,
    sealed: &SealedSecret,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<()> {
    sqlx::query!(
        "insert into secrets (org_id, id, scope, team_id, user_id, name, description, sealed_value, data_key_id,
            rotate_after_days, created_by, created_at, updated_at, rotated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $12)",
        tx.org().uuid(),
        sealed.id.uuid(),
        owner.scope().as_str(),
        owner.team().map(TeamId::uuid),
        owner.user().map(UserId::uuid),
        terms.name.as_str(),
        terms.description,
        sealed.bytes,
        sealed.key.uuid(),
        terms.rotate_after_days,
        by.map(UserId::uuid),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Changes everything but the value.
///
/// # Errors
/// [`NAME_IS_FREE`] when the owner has one of this name.
pub async fn update(
    tx: &mut OrgTx,
    id: SecretId,
    terms: &SecretTerms,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update> {
    let done = sqlx::query!(
        "update secrets set name = $4, description = $5, rotate_after_days = $6, updated_at = $7, version = version + 1
        where org_id = $1 and id = $2 and ($3::bigint is null or version = $3)",
        tx.org().uuid(),
        id.uuid(),
        expected,
        terms.name.as_str(),
        terms.description,
        terms.rotate_after_days,
        now
    )
    .execute(tx.conn())
    .await?;
    outcome(tx, id, done.rows_affected()).await
}

/// Puts a new value in place of the old one.
///
/// # Errors
/// When the database refuses.
pub async fn rotate(
    tx: &mut OrgTx,
    sealed: &SealedSecret,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update> {
    let done = sqlx::query!(
        "update secrets set sealed_value = $4, data_key_id = $5, rotated_at = $6, updated_at = $6, version = version + 1
        where org_id = $1 and id = $2 and ($3::bigint is null or version = $3)",
        tx.org().uuid(),
        sealed.id.uuid(),
        expected,
        sealed.bytes,
        sealed.key.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    outcome(tx, sealed.id, done.rows_affected()).await
}

/// Destroys a secret.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut OrgTx, id: SecretId, expected: Option<i64>) -> DbResult<Update> {
    let done = sqlx::query!(
        "delete from secrets where org_id = $1 and id = $2 and ($3::bigint is null or version = $3)",
        tx.org().uuid(),
        id.uuid(),
        expected
    )
    .execute(tx.conn())
    .await?;
    outcome(tx, id, done.rows_affected()).await
}

/// Destroys what a person keeps for themselves; how much it was.
///
/// # Errors
/// When the database refuses.
pub async fn delete_all_of(tx: &mut OrgTx, user: UserId) -> DbResult<u64> {
    let done = sqlx::query!(
        "delete from secrets where org_id = $1 and scope = 'user' and user_id = $2",
        tx.org().uuid(),
        user.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Notes when these were last sent, where that was noted before `since`.
///
/// # Errors
/// When the database refuses.
pub async fn touch(
    tx: &mut OrgTx,
    ids: &[SecretId],
    now: OffsetDateTime,
    since: OffsetDateTime,
) -> DbResult<()> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    // Rows that somebody else writes are being noted or changed by them; nobody waits for a note.
    sqlx::query!(
        "update secrets set last_used_at = $3 where org_id = $1 and id in (
            select id from secrets where org_id = $1 and id = any($2) and (last_used_at is null or last_used_at <= $4)
            for update skip locked)",
        tx.org().uuid(),
        &ids,
        now,
        since
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Sorts out why a change found no row with the expected version.
async fn outcome(tx: &mut OrgTx, id: SecretId, changed: u64) -> DbResult<Update> {
    if changed > 0 {
        return Ok(Update::Done(()));
    }
    let is_there = sqlx::query_scalar!(
        r#"select exists(select from secrets where org_id = $1 and id = $2) as "is_there!""#,
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(if is_there { Update::Conflict } else { Update::NotFound })
}
