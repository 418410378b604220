//! SQL of memberships.

use time::OffsetDateTime;

use crate::{
    base::{
        email::Email,
        ids::{TeamId, UserId},
        leaver::LeaverItem,
        page::{Page, PageRequest},
        permission::Role,
        update::Update,
    },
    domain::tenancy::{
        Joined, Member, MemberFilter, Owners,
        store::{Stored, by_name, orgs, outcome, sought},
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// The organization's people, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut OrgTx,
    filter: &MemberFilter,
    page: &PageRequest<(String, UserId)>,
) -> DbResult<Page<Member>> {
    let (name, user) = by_name(page.after.as_ref());
    let members = sqlx::query_as!(
        Member,
        r#"select u.id as "user: UserId", u.name, u.email, m.role as "role: Stored<Role>",
            (select count(*) from team_members t
                where t.org_id = m.org_id and t.user_id = m.user_id) as "teams!",
            m.created_at, m.updated_at, m.last_seen_at, m.version
        from memberships m join users u on u.id = m.user_id
        where m.org_id = $1
            and ($2::text is null or strpos(lower(u.name), lower($2)) > 0
                or strpos(lower(u.email), lower($2)) > 0)
            and ($3::text is null or m.role = $3)
            and ($4::uuid is null or exists(select from team_members t
                where t.org_id = m.org_id and t.user_id = m.user_id and t.team_id = $4))
            and ($5::text is null or (lower(u.name), u.id) > (lower($5), $6::uuid))
        order by lower(u.name), u.id limit $7"#,
        tx.org().uuid(),
        sought(filter.q.as_deref()),
        filter.role.map(Role::as_str),
        filter.team.map(TeamId::uuid),
        name,
        user.map(UserId::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::cut(members, page.limit, |member| (member.name.clone(), member.user)))
}

/// One member.
///
/// # Errors
/// When the database fails.
pub async fn find(tx: &mut OrgTx, user: UserId) -> DbResult<Option<Member>> {
    let member = sqlx::query_as!(
        Member,
        r#"select u.id as "user: UserId", u.name, u.email, m.role as "role: Stored<Role>",
            (select count(*) from team_members t
                where t.org_id = m.org_id and t.user_id = m.user_id) as "teams!",
            m.created_at, m.updated_at, m.last_seen_at, m.version
        from memberships m join users u on u.id = m.user_id
        where m.org_id = $1 and m.user_id = $2"#,
        tx.org().uuid(),
        user.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(member)
}

/// The member whose account has this address.
///
/// # Errors
/// When the database fails.
pub async fn find_by_email(tx: &mut OrgTx, email: &Email) -> DbResult<Option<UserId>> {
    let user = sqlx::query_scalar!(
        r#"select u.id as "user: UserId" from memberships m join users u on u.id = m.user_id
        where m.org_id = $1 and u.email_key = $2"#,
        tx.org().uuid(),
        email.key()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(user)
}

/// How many members there are.
///
/// # Errors
/// When the database fails.
pub async fn count(tx: &mut OrgTx) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from memberships where org_id = $1"#,
        tx.org().uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// Locks the owners until the transaction ends and tells who they are.
///
/// Of two that run at once the second waits, and then no longer counts whom the first took away. An owner
/// whom the first has named may be missing from its answer: it can be too careful, never too bold.
///
/// # Errors
/// When the database fails, or the wait for the lock was too long.
pub async fn lock_owners(tx: &mut OrgTx) -> DbResult<Owners> {
    let owners = sqlx::query_scalar!(
        r#"select user_id as "user: UserId" from memberships where org_id = $1 and role = 'owner'
        order by user_id for update"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Owners::locked(owners))
}

/// The role that a person has now and keeps until the transaction ends; for rules about somebody's present
/// right.
///
/// # Errors
/// When the database fails, or the wait for the lock was too long.
pub async fn lock_role(tx: &mut OrgTx, user: UserId) -> DbResult<Option<Role>> {
    let role = sqlx::query_scalar!(
        r#"select role as "role: Stored<Role>" from memberships
        where org_id = $1 and user_id = $2 for share"#,
        tx.org().uuid(),
        user.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(role.map(Into::into))
}

/// Makes a person a member and raises the epoch; who is one already keeps their role.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    tx: &mut OrgTx,
    user: UserId,
    role: Role,
    invited_by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<Joined> {
    let inserted = sqlx::query!(
        "insert into memberships (org_id, user_id, role, invited_by, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $5) on conflict (org_id, user_id) do nothing",
        tx.org().uuid(),
        user.uuid(),
        role.as_str(),
        invited_by.map(UserId::uuid),
        now
    )
    .execute(tx.conn())
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(Joined::AlreadyMember);
    }
    orgs::bump_epoch(tx).await?;
    Ok(Joined::Joined)
}

/// Gives a member another role and raises the epoch. Ask `rules::people` before; handing over the owners
/// shows that they are locked.
///
/// # Errors
/// When the database fails.
pub async fn change_role(
    tx: &mut OrgTx,
    _locked: &Owners,
    user: UserId,
    role: Role,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<i64>> {
    let version = sqlx::query_scalar!(
        "update memberships set role = $4, updated_at = $5, version = version + 1
        where org_id = $1 and user_id = $2 and ($3::bigint is null or version = $3) returning version",
        tx.org().uuid(),
        user.uuid(),
        expected,
        role.as_str(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    if version.is_some() {
        orgs::bump_epoch(tx).await?;
    }
    Ok(outcome(version, is_there(tx, user).await?))
}

/// Hands ownership over: `heir` becomes an owner, `owner` an admin. `expected` is the version of the heir's
/// membership. Ask `rules::people` before; keep nothing unless the outcome is `Changed`.
///
/// # Errors
/// When the database fails.
pub async fn transfer_ownership(
    tx: &mut OrgTx,
    locked: &Owners,
    owner: UserId,
    heir: UserId,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<i64>> {
    match change_role(tx, locked, heir, Role::Owner, expected, now).await? {
        Update::Done(version) => {
            Ok(change_role(tx, locked, owner, Role::Admin, None, now).await?.map(|_| version))
        }
        other => Ok(other),
    }
}

/// Ends a membership with its places in teams, and raises the epoch. Ask `rules::people` before. From here on
/// the transaction no longer sees the person.
///
/// # Errors
/// When the database fails.
pub async fn remove(
    tx: &mut OrgTx,
    _locked: &Owners,
    user: UserId,
    expected: Option<i64>,
) -> DbResult<Update> {
    let removed = sqlx::query!(
        "delete from memberships where org_id = $1 and user_id = $2 and ($3::bigint is null or version = $3)",
        tx.org().uuid(),
        user.uuid(),
        expected
    )
    .execute(tx.conn())
    .await?;
    if removed.rows_affected() > 0 {
        orgs::bump_epoch(tx).await?;
        return Ok(Update::Done(()));
    }
    Ok(outcome(None, is_there(tx, user).await?))
}

async fn is_there(tx: &mut OrgTx, user: UserId) -> DbResult<bool> {
    let is_there = sqlx::query_scalar!(
        r#"select exists(select from memberships where org_id = $1 and user_id = $2) as "is_there!""#,
        tx.org().uuid(),
        user.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(is_there)
}

/// Notes that a member was seen, at most once in five minutes; neither version nor epoch rises.
///
/// `is_touch_due` tells beforehand whether a transaction is worth its while.
///
/// # Errors
/// When the database fails.
pub async fn touch(tx: &mut OrgTx, user: UserId, now: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "update memberships set last_seen_at = $3 where org_id = $1 and user_id = $2
            and (last_seen_at is null or last_seen_at <= $3::timestamptz - interval '5 minutes')",
        tx.org().uuid(),
        user.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What of this room ends when the person leaves. [`remove`] ends the places in teams,
/// `invitations::revoke_all_of` the invitations.
///
/// # Errors
/// When the database fails.
pub async fn leaver_items(tx: &mut OrgTx, user: UserId, now: OffsetDateTime) -> DbResult<[LeaverItem; 2]> {
    let counts = sqlx::query!(
        r#"select (select count(*) from team_members where org_id = $1 and user_id = $2) as "teams!",
            (select count(*) from invitations
                where org_id = $1 and invited_by = $2 and invited_by_kind = 'user'
                    and accepted_at is null and revoked_at is null and expires_at > $3) as "invitations!""#,
        tx.org().uuid(),
        user.uuid(),
        now
    )
    .fetch_one(tx.conn())
    .await?;
    Ok([
        LeaverItem { noun: "places in teams", count: counts.teams, what_happens: "end" },
        LeaverItem {
            noun: "open invitations they sent",
            count: counts.invitations,
            what_happens: "are withdrawn",
        },
    ])
}
