//! SQL of what servers are sent: whose value, and who lacks one.

use crate::{
    base::ids::{DataKeyId, SecretId, TeamId, UserId},
    domain::secrets::{Lacking, Scope, SealedSecret, SecretOwner, Wanted},
    io::db::{DbResult, OrgTx, Tx},
};

/// How many names of people a list of those who lack something holds.
const FIRST: i64 = 20;

struct Sealed {
    id: SecretId,
    data_key_id: DataKeyId,
    sealed_value: Vec<u8>,
}

impl From<Sealed> for SealedSecret {
    fn from(row: Sealed) -> Self {
        Self { id: row.id, key: row.data_key_id, bytes: row.sealed_value }
    }
}

/// The secrets of the organization and its teams that some server asks for.
///
/// # Errors
/// When the database refuses.
pub async fn shared(tx: &mut OrgTx) -> DbResult<Vec<(SecretOwner, String, SealedSecret)>> {
    let rows = sqlx::query!(
        r#"select s.id as "id: SecretId", s.team_id as "team: TeamId", s.name,
            s.data_key_id as "data_key_id: DataKeyId", s.sealed_value
        from secrets s where s.org_id = $1 and s.scope <> 'user' and exists (select from server_credentials c
            where c.org_id = $1 and c.secret = s.name and c.source = s.scope || '_secret')"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let all = rows.into_iter().map(|r| {
        let sealed = SealedSecret { id: r.id, key: r.data_key_id, bytes: r.sealed_value };
        (r.team.map_or(SecretOwner::Org, SecretOwner::Team), r.name, sealed)
    });
    Ok(all.collect())
}

/// The secrets of a person's own that some server asks for.
///
/// # Errors
/// When the database refuses.
pub async fn of_person(tx: &mut OrgTx, user: UserId) -> DbResult<Vec<(String, SealedSecret)>> {
    let rows = sqlx::query!(
        r#"select s.id as "id: SecretId", s.name, s.data_key_id as "data_key_id: DataKeyId", s.sealed_value
        from secrets s where s.org_id = $1 and s.scope = 'user' and s.user_id = $2 and exists (
            select from server_credentials c
            where c.org_id = $1 and c.secret = s.name and c.source = 'user_secret')"#,
        tx.org().uuid(),
        user.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let sealed = |id, key, bytes| SealedSecret { id, key, bytes };
    Ok(rows.into_iter().map(|r| (r.name, sealed(r.id, r.data_key_id, r.sealed_value))).collect())
}

/// The secret of a scope and name that serves somebody: of their teams the first by slug that has one.
///
/// # Errors
/// When the database refuses.
pub async fn find_for(
    tx: &mut OrgTx,
    scope: Scope,
    name: &str,
    user: Option<UserId>,
) -> DbResult<Option<SealedSecret>> {
    let found = sqlx::query_as!(
        Sealed,
        r#"select s.id as "id: SecretId", s.data_key_id as "data_key_id: DataKeyId", s.sealed_value
        from secrets s left join teams t on t.org_id = s.org_id and t.id = s.team_id
        where s.org_id = $1 and s.scope = $2 and s.name = $3 and (case s.scope when 'org' then true
            when 'user' then s.user_id = $4::uuid
            else exists (select from team_members m
                where m.org_id = s.org_id and m.team_id = s.team_id and m.user_id = $4::uuid) end)
        order by t.slug collate "C" limit 1"#,
        tx.org().uuid(),
        scope.as_str(),
        name,
        user.map(UserId::uuid)
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.map(SealedSecret::from))
}

/// Whether the organization keeps a secret of this name.
///
/// # Errors
/// When the database refuses.
pub async fn is_kept_by_org(tx: &mut OrgTx, name: &str) -> DbResult<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists(select from secrets where org_id = $1 and scope = 'org' and name = $2) as "is_there!""#,
        tx.org().uuid(),
        name
    )
    .fetch_one(tx.conn())
    .await?)
}

/// The names of secrets that a map can ask for, each once: those of the organization and its teams, and those of people
/// that some server asks for already.
///
/// # Errors
/// When the database refuses.
pub async fn names(tx: &mut OrgTx) -> DbResult<Vec<String>> {
    Ok(sqlx::query_scalar!(
        r#"select name as "name!" from secrets where org_id = $1 and scope <> 'user'
        union select secret from server_credentials where org_id = $1 and secret is not null
        order by 1 limit 200"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The members who have no secret of this name, of their own or through a team.
///
/// # Errors
/// When the database refuses.
pub async fn lacking(tx: &mut OrgTx, scope: Scope, name: &str) -> DbResult<Lacking> {
    let rows = sqlx::query!(
        r#"select u.name, count(*) over () as "count!" from memberships m join users u on u.id = m.user_id
        where m.org_id = $1 and not exists (select from secrets s
            where s.org_id = m.org_id and s.scope = $2 and s.name = $3 and (case s.scope when 'user'
                then s.user_id = m.user_id else exists (select from team_members p
                    where p.org_id = s.org_id and p.team_id = s.team_id and p.user_id = m.user_id) end))
        order by lower(u.name), u.id limit $4"#,
        tx.org().uuid(),
        scope.as_str(),
        name,
        FIRST
    )
    .fetch_all(tx.conn())
    .await?;
    let count = rows.first().map_or(0, |row| row.count);
    Ok(Lacking { count, first: rows.into_iter().map(|row| row.name).collect() })
}

/// What servers ask a person for that they do not have, by name.
///
/// # Errors
/// When the database refuses.
pub async fn wanted_of(tx: &mut OrgTx, user: UserId) -> DbResult<Vec<Wanted>> {
    let rows = sqlx::query!(
        r#"select c.secret as "name!", array_agg(distinct v.name) as "servers!"
        from server_credentials c join servers v on v.org_id = c.org_id and v.id = c.server_id
        where c.org_id = $1 and c.source = 'user_secret' and v.enabled and not exists (select from secrets s
            where s.org_id = c.org_id and s.scope = 'user' and s.user_id = $2 and s.name = c.secret)
        group by c.secret order by c.secret limit 50"#,
        tx.org().uuid(),
        user.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| Wanted { name: row.name, servers: row.servers }).collect())
}
