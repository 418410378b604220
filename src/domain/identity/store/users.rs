//! People.

use time::OffsetDateTime;

use crate::{
    base::{
        email::Email,
        ids::{OrgId, UserId},
    },
    domain::identity::{
        password::PasswordHash,
        store::decoded,
        users::{EmailStanding, NewUser, Profile, Rank, User},
    },
    io::db::{DbResult, SystemTx, Tx},
};

/// Adds a person and gives their id; `None` when the address is another's.
pub async fn insert(
    tx: &mut SystemTx,
    new: &NewUser,
    password: Option<&PasswordHash>,
    now: OffsetDateTime,
) -> DbResult<Option<UserId>> {
    let verified_at = (new.standing == EmailStanding::Verified).then_some(now);
    let inserted = sqlx::query_scalar!(
        r#"insert into users (id, email, email_key, name, email_verified_at, password_hash,
                password_changed_at, is_operator, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, case when $6::text is not null then $8::timestamptz end,
                $7, $8, $8)
            on conflict (email_key) do nothing
            returning id as "id: UserId""#,
        UserId::fresh().uuid(),
        new.email.as_str(),
        new.email.key(),
        new.name.as_str(),
        verified_at,
        password.map(PasswordHash::expose),
        new.rank == Rank::Operator,
        now,
    );
    Ok(inserted.fetch_optional(tx.conn()).await?)
}

/// Finds a person.
pub async fn find(tx: &mut impl Tx, user: UserId) -> DbResult<Option<User>> {
    let row = sqlx::query_as!(
        UserRow,
        r#"select id as "id: UserId", email, name, email_verified_at,
                password_hash is not null as "has_password!", password_changed_at, is_operator, theme,
                time_zone, shortcuts, last_org_id as "last_org: OrgId", disabled_at, created_at,
                updated_at, version
            from users where id = $1"#,
        user.uuid()
    );
    row.fetch_optional(tx.conn()).await?.map(UserRow::read).transpose()
}

/// Finds a person by their address, whatever its case.
pub async fn find_by_email(tx: &mut SystemTx, email: &Email) -> DbResult<Option<User>> {
    let row = sqlx::query_as!(
        UserRow,
        r#"select id as "id: UserId", email, name, email_verified_at,
                password_hash is not null as "has_password!", password_changed_at, is_operator, theme,
                time_zone, shortcuts, last_org_id as "last_org: OrgId", disabled_at, created_at,
                updated_at, version
            from users where email_key = $1"#,
        email.key()
    );
    row.fetch_optional(tx.conn()).await?.map(UserRow::read).transpose()
}

/// The hash a person's password is verified against.
pub async fn find_password_hash(tx: &mut impl Tx, user: UserId) -> DbResult<Option<PasswordHash>> {
    let hash = sqlx::query_scalar!("select password_hash from users where id = $1", user.uuid());
    Ok(hash.fetch_optional(tx.conn()).await?.flatten().map(PasswordHash::stored))
}

/// How many people there are.
pub async fn count(tx: &mut SystemTx) -> DbResult<i64> {
    Ok(sqlx::query_scalar!(r#"select count(*) as "count!" from users"#).fetch_one(tx.conn()).await?)
}

/// Changes what a person chose about themselves; `None` when somebody changed them since `expected` was read.
pub async fn update_profile(
    tx: &mut impl Tx,
    user: UserId,
    profile: &Profile,
    expected: i64,
    now: OffsetDateTime,
) -> DbResult<Option<User>> {
    let row = sqlx::query_as!(
        UserRow,
        r#"update users set name = $3, theme = $4, time_zone = $5, shortcuts = $6, updated_at = $7,
                version = version + 1
            where id = $1 and version = $2
            returning id as "id: UserId", email, name, email_verified_at,
                password_hash is not null as "has_password!", password_changed_at, is_operator, theme,
                time_zone, shortcuts, last_org_id as "last_org: OrgId", disabled_at, created_at,
                updated_at, version"#,
        user.uuid(),
        expected,
        profile.name.as_str(),
        profile.theme.as_str(),
        profile.time_zone.as_str(),
        profile.shortcuts.is_on(),
        now,
    );
    row.fetch_optional(tx.conn()).await?.map(UserRow::read).transpose()
}

/// Remembers the organization a person looked at last; no change that anybody must be told of.
pub async fn remember_org(tx: &mut impl Tx, user: UserId, org: OrgId) -> DbResult<()> {
    sqlx::query!("update users set last_org_id = $2 where id = $1", user.uuid(), org.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Sets the password that the person chose. Whether there was such a person.
pub async fn set_password(
    tx: &mut impl Tx,
    user: UserId,
    hash: &PasswordHash,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update users set password_hash = $2, password_changed_at = $3, updated_at = $3, version = version + 1
            where id = $1",
        user.uuid(),
        hash.expose(),
        now
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Stores the same password hashed anew, unless it was changed since `old` was read.
pub async fn replace_hash(
    tx: &mut impl Tx,
    user: UserId,
    old: &PasswordHash,
    new: &PasswordHash,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update users set password_hash = $3 where id = $1 and password_hash = $2",
        user.uuid(),
        old.expose(),
        new.expose()
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Marks an address as proven; `false` when the person has another one by now.
pub async fn mark_verified(
    tx: &mut impl Tx,
    user: UserId,
    email: &Email,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update users set email_verified_at = coalesce(email_verified_at, $3), updated_at = $3,
                version = version + 1
            where id = $1 and email_key = $2",
        user.uuid(),
        email.key(),
        now
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Moves a person to an address they have proven; `false` when it is another's.
///
/// When two people take one address at the same moment, the later gets the rule `users_email_is_free`.
pub async fn change_email(
    tx: &mut SystemTx,
    user: UserId,
    email: &Email,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update users set email = $2, email_key = $3, email_verified_at = $4, updated_at = $4,
                version = version + 1
            where id = $1
                and not exists (select from users other where other.email_key = $3 and other.id <> $1)",
        user.uuid(),
        email.as_str(),
        email.key(),
        now
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Shuts a person out of the installation; `false` when they were already. Their sessions are ended apart.
pub async fn disable(tx: &mut SystemTx, user: UserId, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update users set disabled_at = $2, updated_at = $2, version = version + 1
            where id = $1 and disabled_at is null",
        user.uuid(),
        now
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Lets a person in again; `false` when they were never shut out.
pub async fn enable(tx: &mut SystemTx, user: UserId, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update users set disabled_at = null, updated_at = $2, version = version + 1
            where id = $1 and disabled_at is not null",
        user.uuid(),
        now
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Makes a person an operator, or one no longer; `false` when nothing changed.
pub async fn set_rank(tx: &mut SystemTx, user: UserId, rank: Rank, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update users set is_operator = $2, updated_at = $3, version = version + 1
            where id = $1 and is_operator <> $2",
        user.uuid(),
        rank == Rank::Operator,
        now
    );
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// The people who run this installation, by name.
pub async fn list_operators(tx: &mut SystemTx) -> DbResult<Vec<User>> {
    let rows = sqlx::query_as!(
        UserRow,
        r#"select id as "id: UserId", email, name, email_verified_at,
                password_hash is not null as "has_password!", password_changed_at, is_operator, theme,
                time_zone, shortcuts, last_org_id as "last_org: OrgId", disabled_at, created_at,
                updated_at, version
            from users where is_operator order by lower(name), id"#
    );
    rows.fetch_all(tx.conn()).await?.into_iter().map(UserRow::read).collect()
}

/// The same people, locked, so that of two who leave at once the second sees that the first left.
pub async fn lock_operators(tx: &mut SystemTx) -> DbResult<Vec<User>> {
    let rows = sqlx::query_as!(
        UserRow,
        r#"select id as "id: UserId", email, name, email_verified_at,
                password_hash is not null as "has_password!", password_changed_at, is_operator, theme,
                time_zone, shortcuts, last_org_id as "last_org: OrgId", disabled_at, created_at,
                updated_at, version
            from users where is_operator order by id for update"#
    );
    rows.fetch_all(tx.conn()).await?.into_iter().map(UserRow::read).collect()
}

struct UserRow {
    id: UserId,
    email: String,
    name: String,
    email_verified_at: Option<OffsetDateTime>,
    has_password: bool,
    password_changed_at: Option<OffsetDateTime>,
    is_operator: bool,
    theme: String,
    time_zone: String,
    shortcuts: bool,
    last_org: Option<OrgId>,
    disabled_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
}

impl UserRow {
    fn read(self) -> DbResult<User> {
        Ok(User {
            id: self.id,
            email: decoded(self.email.parse())?,
            name: decoded(self.name.parse())?,
            email_verified_at: self.email_verified_at,
            has_password: self.has_password,
            password_changed_at: self.password_changed_at,
            is_operator: self.is_operator,
            theme: decoded(self.theme.parse())?,
            // A zone may leave the list with a later release; its person then reads universal time.
            time_zone: self.time_zone.parse().unwrap_or_default(),
            shortcuts: self.shortcuts.into(),
            last_org: self.last_org,
            disabled_at: self.disabled_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        })
    }
}
