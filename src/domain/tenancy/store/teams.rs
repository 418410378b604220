//! SQL of teams and who is in them.

use time::OffsetDateTime;

use crate::{
    base::{
        ids::{TeamId, UserId},
        page::{Page, PageRequest},
        permission::{Role, TeamRole},
        slug::Slug,
        update::Update,
    },
    domain::tenancy::{
        NewTeam, PersonsTeam, Team, TeamAddition, TeamFilter, TeamMember, TeamRef,
        store::{Stored, by_name, orgs, outcome, sought},
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// The database rule that refuses a slug which another team of the organization has.
pub const SLUG_IS_FREE: &str = "teams_slug_is_free";

/// The organization's teams, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut OrgTx,
    filter: &TeamFilter,
    page: &PageRequest<(String, TeamId)>,
) -> DbResult<Page<Team>> {
    let (name, id) = by_name(page.after.as_ref());
    let teams = sqlx::query_as!(
        Team,
        r#"select t.id as "id: TeamId", t.slug as "slug: Stored<Slug>", t.name, t.description,
            (select count(*) from team_members m
                where m.org_id = t.org_id and m.team_id = t.id) as "members!",
            t.created_at, t.updated_at, t.version
        from teams t
        where t.org_id = $1
            and ($2::text is null or strpos(lower(t.name), lower($2)) > 0 or strpos(t.slug, lower($2)) > 0)
            and ($3::uuid is null or exists(select from team_members m
                where m.org_id = t.org_id and m.team_id = t.id and m.user_id = $3))
            and ($4::text is null or (lower(t.name), t.id) > (lower($4), $5::uuid))
        order by lower(t.name), t.id limit $6"#,
        tx.org().uuid(),
        sought(filter.q.as_deref()),
        filter.of.map(UserId::uuid),
        name,
        id.map(TeamId::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::cut(teams, page.limit, |team| (team.name.clone(), team.id)))
}

/// The teams that a member is in, by name, with their role in each.
///
/// # Errors
/// When the database fails.
pub async fn list_of_person(tx: &mut OrgTx, user: UserId) -> DbResult<Vec<PersonsTeam>> {
    let teams = sqlx::query_as!(
        PersonsTeam,
        r#"select t.id as "id: TeamId", t.slug as "slug: Stored<Slug>", t.name,
            m.role as "role: Stored<TeamRole>"
        from team_members m join teams t on t.org_id = m.org_id and t.id = m.team_id
        where m.org_id = $1 and m.user_id = $2 order by lower(t.name), t.id"#,
        tx.org().uuid(),
        user.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(teams)
}

/// One team.
///
/// # Errors
/// When the database fails.
pub async fn find(tx: &mut OrgTx, team: &TeamRef) -> DbResult<Option<Team>> {
    let team = sqlx::query_as!(
        Team,
        r#"select t.id as "id: TeamId", t.slug as "slug: Stored<Slug>", t.name, t.description,
            (select count(*) from team_members m
                where m.org_id = t.org_id and m.team_id = t.id) as "members!",
            t.created_at, t.updated_at, t.version
        from teams t where t.org_id = $1 and (t.id = $2 or t.slug = $3)"#,
        tx.org().uuid(),
        team.id().map(TeamId::uuid),
        team.slug()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(team)
}

/// Makes a team with nobody in it and raises the epoch.
///
/// # Errors
/// [`SLUG_IS_FREE`] when the slug is taken.
pub async fn insert(tx: &mut OrgTx, new: &NewTeam, now: OffsetDateTime) -> DbResult<TeamId> {
    let id = TeamId::fresh();
    sqlx::query!(
        "insert into teams (org_id, id, slug, name, description, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $6)",
        tx.org().uuid(),
        id.uuid(),
        new.slug.as_str(),
        new.name.as_str(),
        new.description.as_str(),
        now
    )
    .execute(tx.conn())
    .await?;
    orgs::bump_epoch(tx).await?;
    Ok(id)
}

/// Changes name, slug and description and raises the epoch.
///
/// # Errors
/// [`SLUG_IS_FREE`] when the slug is taken.
pub async fn update(
    tx: &mut OrgTx,
    team: TeamId,
    new: &NewTeam,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<i64>> {
    let version = sqlx::query_scalar!(
        "update teams set slug = $4, name = $5, description = $6, updated_at = $7, version = version + 1
        where org_id = $1 and id = $2 and ($3::bigint is null or version = $3) returning version",
        tx.org().uuid(),
        team.uuid(),
        expected,
        new.slug.as_str(),
        new.name.as_str(),
        new.description.as_str(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    if version.is_some() {
        orgs::bump_epoch(tx).await?;
    }
    Ok(outcome(version, is_there(tx, team).await?))
}

/// Deletes a team and raises the epoch; invitations into it stay and lead to the organization alone.
///
/// # Errors
/// When the database fails, or another room's rule keeps the team.
pub async fn delete(tx: &mut OrgTx, team: TeamId, expected: Option<i64>) -> DbResult<Update> {
    let deleted = sqlx::query!(
        "delete from teams where org_id = $1 and id = $2 and ($3::bigint is null or version = $3)",
        tx.org().uuid(),
        team.uuid(),
        expected
    )
    .execute(tx.conn())
    .await?;
    if deleted.rows_affected() > 0 {
        orgs::bump_epoch(tx).await?;
        return Ok(Update::Done(()));
    }
    Ok(outcome(None, is_there(tx, team).await?))
}

async fn is_there(tx: &mut OrgTx, team: TeamId) -> DbResult<bool> {
    let is_there = sqlx::query_scalar!(
        r#"select exists(select from teams where org_id = $1 and id = $2) as "is_there!""#,
        tx.org().uuid(),
        team.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(is_there)
}

/// Who is in a team, by name; `q` finds part of a name or address.
///
/// # Errors
/// When the database fails.
pub async fn list_members(
    tx: &mut OrgTx,
    team: TeamId,
    q: Option<&str>,
    page: &PageRequest<(String, UserId)>,
) -> DbResult<Page<TeamMember>> {
    let (name, user) = by_name(page.after.as_ref());
    let members = sqlx::query_as!(
        TeamMember,
        r#"select u.id as "user: UserId", u.name, u.email, t.role as "role: Stored<TeamRole>",
            m.role as "org_role: Stored<Role>", t.created_at, t.updated_at, t.version
        from team_members t
            join memberships m on m.org_id = t.org_id and m.user_id = t.user_id
            join users u on u.id = t.user_id
        where t.org_id = $1 and t.team_id = $2
            and ($3::text is null or (lower(u.name), u.id) > (lower($3), $4::uuid))
            and ($6::text is null or strpos(lower(u.name), lower($6)) > 0
                or strpos(lower(u.email), lower($6)) > 0)
        order by lower(u.name), u.id limit $5"#,
        tx.org().uuid(),
        team.uuid(),
        name,
        user.map(UserId::uuid),
        page.fetch(),
        sought(q)
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::cut(members, page.limit, |member| (member.name.clone(), member.user)))
}

/// One person's place in a team.
///
/// # Errors
/// When the database fails.
pub async fn find_member(tx: &mut OrgTx, team: TeamId, user: UserId) -> DbResult<Option<TeamMember>> {
    let member = sqlx::query_as!(
        TeamMember,
        r#"select u.id as "user: UserId", u.name, u.email, t.role as "role: Stored<TeamRole>",
            m.role as "org_role: Stored<Role>", t.created_at, t.updated_at, t.version
        from team_members t
            join memberships m on m.org_id = t.org_id and m.user_id = t.user_id
            join users u on u.id = t.user_id
        where t.org_id = $1 and t.team_id = $2 and t.user_id = $3"#,
        tx.org().uuid(),
        team.uuid(),
        user.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(member)
}

/// Puts a member of the organization into a team and raises the epoch; who is in it already keeps their role.
///
/// # Errors
/// When the database fails.
pub async fn add_member(
    tx: &mut OrgTx,
    team: TeamId,
    user: UserId,
    role: TeamRole,
    now: OffsetDateTime,
) -> DbResult<TeamAddition> {
    let added = sqlx::query!(
        "insert into team_members (org_id, team_id, user_id, role, created_at, updated_at)
        select t.org_id, t.id, m.user_id, $4, $5, $5 from teams t join memberships m on m.org_id = t.org_id
        where t.org_id = $1 and t.id = $2 and m.user_id = $3
        on conflict (org_id, team_id, user_id) do nothing",
        tx.org().uuid(),
        team.uuid(),
        user.uuid(),
        role.as_str(),
        now
    )
    .execute(tx.conn())
    .await?;
    if added.rows_affected() > 0 {
        orgs::bump_epoch(tx).await?;
        return Ok(TeamAddition::Added);
    }
    let there = sqlx::query!(
        r#"select exists(select from teams where org_id = $1 and id = $2) as "team!",
            exists(select from memberships where org_id = $1 and user_id = $3) as "member!""#,
        tx.org().uuid(),
        team.uuid(),
        user.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(match (there.team, there.member) {
        (false, _) => TeamAddition::NoSuchTeam,
        (true, false) => TeamAddition::NotAMember,
        (true, true) => TeamAddition::AlreadyThere,
    })
}

/// Gives somebody another role in a team and raises the epoch.
///
/// # Errors
/// When the database fails.
pub async fn change_member_role(
    tx: &mut OrgTx,
    team: TeamId,
    user: UserId,
    role: TeamRole,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<i64>> {
    let version = sqlx::query_scalar!(
        "update team_members set role = $5, updated_at = $6, version = version + 1
        where org_id = $1 and team_id = $2 and user_id = $3 and ($4::bigint is null or version = $4)
        returning version",
        tx.org().uuid(),
        team.uuid(),
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
    Ok(outcome(version, is_member_there(tx, team, user).await?))
}

/// Takes somebody out of a team and raises the epoch.
///
/// # Errors
/// When the database fails.
pub async fn remove_member(
    tx: &mut OrgTx,
    team: TeamId,
    user: UserId,
    expected: Option<i64>,
) -> DbResult<Update> {
    let removed = sqlx::query!(
        "delete from team_members
        where org_id = $1 and team_id = $2 and user_id = $3 and ($4::bigint is null or version = $4)",
        tx.org().uuid(),
        team.uuid(),
        user.uuid(),
        expected
    )
    .execute(tx.conn())
    .await?;
    if removed.rows_affected() > 0 {
        orgs::bump_epoch(tx).await?;
        return Ok(Update::Done(()));
    }
    Ok(outcome(None, is_member_there(tx, team, user).await?))
}

async fn is_member_there(tx: &mut OrgTx, team: TeamId, user: UserId) -> DbResult<bool> {
    let is_there = sqlx::query_scalar!(
        r#"select exists(select from team_members where org_id = $1 and team_id = $2 and user_id = $3)
            as "is_there!""#,
        tx.org().uuid(),
        team.uuid(),
        user.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(is_there)
}
