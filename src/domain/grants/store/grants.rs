//! SQL of grants themselves.

use std::collections::BTreeSet;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::{
        actor::Principal,
        ids::{GrantId, PolicyId, ServerId, ServiceAccountId, TeamId, UserId},
        page::{Page, PageRequest},
        update::{Change, Update, is_current},
    },
    domain::grants::{
        Grant, GrantChange, GrantEntry, GrantFilter, GrantState, NewGrant, ServersOf,
        new_grant::Terms,
        store::{bindings, bump_epoch, last_use, principal, read, stop},
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// The rule that a grant for somebody who is not a member breaks.
pub const PERSON_IS_HERE: &str = "grants_person_is_here";
/// The rule that a grant for an unknown team breaks.
pub const TEAM_IS_HERE: &str = "grants_team_is_here";
/// The rule that a grant for an unknown service account breaks.
pub const ACCOUNT_IS_HERE: &str = "grants_account_is_here";
/// The rule that a grant under an unknown policy breaks.
pub const POLICY_IS_HERE: &str = "grants_policy_is_here";
/// The rule that a second grant with the same id breaks.
pub const ID_IS_FREE: &str = "grants_pkey";

/// The columns `user_id`, `team_id` and `service_account_id`.
pub(super) fn columns(principal: Option<Principal>) -> (Option<Uuid>, Option<Uuid>, Option<Uuid>) {
    match principal {
        Some(Principal::User(id)) => (Some(id.uuid()), None, None),
        Some(Principal::Team(id)) => (None, Some(id.uuid()), None),
        Some(Principal::ServiceAccount(id)) => (None, None, Some(id.uuid())),
        None => (None, None, None),
    }
}

/// Stores a new grant under an id and raises the epoch.
///
/// # Errors
/// [`PERSON_IS_HERE`], [`TEAM_IS_HERE`] or [`ACCOUNT_IS_HERE`] where the principal is unknown; [`ID_IS_FREE`] where the
/// id is taken; or when the database refuses.
pub async fn insert(
    tx: &mut OrgTx,
    id: GrantId,
    new: &NewGrant,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<Grant> {
    let (user, team, account) = columns(Some(new.principal));
    let terms = &new.terms;
    sqlx::query!(
        "insert into grants (org_id, id, label, user_id, team_id, service_account_id, all_servers, class_ceiling,
            expires_at, cidrs, clients, created_by, created_at, updated_at, policy_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text[]::cidr[], $11, $12, $13, $13, $14)",
        tx.org().uuid(),
        id.uuid(),
        terms.label,
        user,
        team,
        account,
        terms.servers == ServersOf::All,
        terms.ceiling.as_str(),
        terms.expires_at,
        &terms.bindings.cidr_texts(),
        terms.bindings.clients(),
        by.map(UserId::uuid),
        now,
        terms.policy.map(PolicyId::uuid)
    )
    .execute(tx.conn())
    .await?;
    set_servers(tx, id, &terms.servers).await?;
    bump_epoch(tx).await?;
    Ok(Grant {
        id,
        label: terms.label.clone(),
        principal: new.principal,
        servers: terms.servers.clone(),
        ceiling: terms.ceiling,
        policy: terms.policy,
        expires_at: terms.expires_at,
        bindings: terms.bindings.clone(),
        created_by: by,
        created_at: now,
        updated_at: now,
        suspension: None,
        revocation: None,
        version: 1,
    })
}

async fn set_servers(tx: &mut OrgTx, id: GrantId, servers: &ServersOf) -> DbResult<()> {
    let ids: Vec<Uuid> = match servers {
        ServersOf::All => Vec::new(),
        ServersOf::Some(servers) => servers.iter().map(|server| server.uuid()).collect(),
    };
    sqlx::query!(
        "delete from grant_servers where org_id = $1 and grant_id = $2 and server_id <> all($3)",
        tx.org().uuid(),
        id.uuid(),
        &ids
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "insert into grant_servers (org_id, grant_id, server_id) select $1, $2, unnest($3::uuid[])
        on conflict (org_id, grant_id, server_id) do nothing",
        tx.org().uuid(),
        id.uuid(),
        &ids
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Grants, the newest first. The page's key is the id.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    filter: &GrantFilter,
    page: &PageRequest<GrantId>,
    now: OffsetDateTime,
) -> DbResult<Page<GrantEntry>> {
    entries(tx, None, filter, page, now).await
}

/// One grant as a list shows it.
///
/// # Errors
/// When the database refuses.
pub async fn find_entry(tx: &mut OrgTx, id: GrantId, now: OffsetDateTime) -> DbResult<Option<GrantEntry>> {
    let page = PageRequest { limit: 1, after: None };
    Ok(entries(tx, Some(id), &GrantFilter::default(), &page, now).await?.items.into_iter().next())
}

/// One grant.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, id: GrantId) -> DbResult<Option<Grant>> {
    // The moment only decides the entry's state, which is dropped.
    Ok(find_entry(tx, id, OffsetDateTime::UNIX_EPOCH).await?.map(|entry| entry.grant))
}

async fn entries(
    tx: &mut OrgTx,
    only: Option<GrantId>,
    filter: &GrantFilter,
    page: &PageRequest<GrantId>,
    now: OffsetDateTime,
) -> DbResult<Page<GrantEntry>> {
    let (user, team, account) = columns(filter.principal);
    let q = filter.q.as_deref().map(|q| q.trim().replace('\0', "")).filter(|q| !q.is_empty());
    let rows = sqlx::query_as!(
        Row,
        r#"select g.id as "id: GrantId", g.label, g.user_id as "user_id: UserId", g.team_id as "team_id: TeamId",
            g.service_account_id as "service_account_id: ServiceAccountId", g.all_servers, g.class_ceiling,
            g.expires_at, g.cidrs::text[] as "cidrs!", g.clients, g.created_by as "created_by: UserId",
            g.created_at, g.updated_at, g.suspended_at, g.suspended_by as "suspended_by: UserId",
            g.suspended_reason, g.revoked_at, g.revoked_by as "revoked_by: UserId", g.revoked_reason, g.version,
            array(select s.server_id from grant_servers s where s.org_id = g.org_id and s.grant_id = g.id)
                as "servers!",
            coalesce(u.name, t.name, a.name, '') as "principal_name!",
            coalesce(u.email, t.slug, a.slug, '') as "principal_handle!",
            g.policy_id as "policy_id: PolicyId", p.slug as "policy_slug?", p.name as "policy_name?",
            (coalesce(u.disabled_at, a.disabled_at) is null and not exists (select from memberships s
                where s.org_id = g.org_id and s.user_id = g.user_id and s.suspended_at is not null)) as "is_principal_active!",
            (select c.name from memberships m join users c on c.id = m.user_id
                where m.org_id = g.org_id and m.user_id = g.created_by) as "created_by_name?",
            (select c.name from memberships m join users c on c.id = m.user_id
                where m.org_id = g.org_id and m.user_id = g.suspended_by) as "suspended_by_name?",
            (select c.name from memberships m join users c on c.id = m.user_id
                where m.org_id = g.org_id and m.user_id = g.revoked_by) as "revoked_by_name?",
            (select count(*) from grant_tokens k where k.org_id = g.org_id and k.grant_id = g.id
                and k.revoked_at is null and k.expires_at > $2) as "live_tokens!",
            l.last_used_at as "last_used_at?", host(l.last_used_ip) as "last_used_ip?",
            l.last_client_name as "last_client_name?", l.last_client_version as "last_client_version?"
        from grants g
        left join users u on u.id = g.user_id
        left join teams t on t.org_id = g.org_id and t.id = g.team_id
        left join service_accounts a on a.org_id = g.org_id and a.id = g.service_account_id
        left join policies p on p.org_id = g.org_id and p.id = g.policy_id
        left join lateral (select k.last_used_at, k.last_used_ip, k.last_client_name, k.last_client_version
            from grant_tokens k where k.org_id = g.org_id and k.grant_id = g.id and k.last_used_at is not null
            order by k.last_used_at desc limit 1) l on true
        where g.org_id = $1 and ($3::uuid is null or g.id < $3) and ($4::uuid is null or g.id = $4)
            and ($5::uuid is null or g.user_id = $5) and ($6::uuid is null or g.team_id = $6)
            and ($7::uuid is null or g.service_account_id = $7)
            and ($8::uuid is null or g.all_servers or exists (select from grant_servers s
                where s.org_id = g.org_id and s.grant_id = g.id and s.server_id = $8))
            and ($9::text is null or $9 = case when g.revoked_at is not null then 'revoked'
                when g.expires_at <= $2 then 'expired'
                when coalesce(u.disabled_at, a.disabled_at) is not null then 'principal_gone'
                when g.suspended_at is not null then 'suspended' else 'active' end)
            and ($10::text is null or strpos(lower(g.label), lower($10)) > 0
                or strpos(lower(coalesce(u.name, t.name, a.name)), lower($10)) > 0)
        order by g.id desc limit $11"#,
        tx.org().uuid(),
        now,
        page.after.map(GrantId::uuid),
        only.map(GrantId::uuid),
        user,
        team,
        account,
        filter.server.map(ServerId::uuid),
        filter.state.map(GrantState::as_str),
        q,
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(|row| row.read(now)).collect::<DbResult<_>>()?;
    Ok(Page::cut(items, page.limit, |entry| entry.grant.id))
}

/// Gives a grant other terms and raises the epoch.
///
/// # Errors
/// When the database refuses.
pub async fn update(
    tx: &mut OrgTx,
    id: GrantId,
    change: &GrantChange,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Grant>>> {
    let before = match lock(tx, id, expected).await? {
        Ok(before) => *before,
        Err(answer) => return Ok(*answer),
    };
    if Terms::of(&before) == change.terms {
        return Ok(Update::Done(Change::none(before)));
    }
    let terms = &change.terms;
    sqlx::query!(
        "update grants set label = $3, all_servers = $4, class_ceiling = $5, expires_at = $6,
            cidrs = $7::text[]::cidr[], clients = $8, updated_at = $9, policy_id = $10, version = version + 1
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        terms.label,
        terms.servers == ServersOf::All,
        terms.ceiling.as_str(),
        terms.expires_at,
        &terms.bindings.cidr_texts(),
        terms.bindings.clients(),
        now,
        terms.policy.map(PolicyId::uuid)
    )
    .execute(tx.conn())
    .await?;
    set_servers(tx, id, &terms.servers).await?;
    settle(tx, before).await
}

/// How many grants of a principal are neither revoked nor expired.
///
/// # Errors
/// When the database refuses.
pub async fn count_of(tx: &mut OrgTx, principal: Principal, now: OffsetDateTime) -> DbResult<i64> {
    let (user, team, account) = columns(Some(principal));
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from grants
        where org_id = $1 and (user_id = $2 or team_id = $3 or service_account_id = $4) and revoked_at is null
            and (expires_at is null or expires_at > $5)"#,
        tx.org().uuid(),
        user,
        team,
        account,
        now
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// How many grants in the name of each of these people are neither revoked nor expired; those without any are left out.
///
/// # Errors
/// When the database refuses.
pub async fn count_of_users(
    tx: &mut OrgTx,
    users: &[UserId],
    now: OffsetDateTime,
) -> DbResult<Vec<(UserId, i64)>> {
    let users: Vec<_> = users.iter().map(|user| user.uuid()).collect();
    let counts = sqlx::query!(
        r#"select user_id as "user!: UserId", count(*) as "count!" from grants
        where org_id = $1 and user_id = any($2) and revoked_at is null
            and (expires_at is null or expires_at > $3)
        group by user_id"#,
        tx.org().uuid(),
        &users,
        now
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(counts.into_iter().map(|row| (row.user, row.count)).collect())
}

/// A grant that waits to be changed, or why it cannot be.
pub(super) type Locked = Result<Box<Grant>, Box<Update<Change<Grant>>>>;

pub(super) async fn lock(tx: &mut OrgTx, id: GrantId, expected: Option<i64>) -> DbResult<Locked> {
    sqlx::query!(
        "select id from grants where org_id = $1 and id = $2 for update",
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(match find(tx, id).await? {
        None => Err(Box::new(Update::NotFound)),
        Some(current) if !is_current(expected, current.version) => Err(Box::new(Update::Conflict)),
        Some(current) => Ok(Box::new(current)),
    })
}

/// Puts a change in force and reads what became of the row.
pub(super) async fn settle(tx: &mut OrgTx, before: Grant) -> DbResult<Update<Change<Grant>>> {
    bump_epoch(tx).await?;
    Ok(match find(tx, before.id).await? {
        Some(after) => Update::Done(Change { before, after }),
        None => Update::NotFound,
    })
}

impl Terms {
    fn of(grant: &Grant) -> Self {
        Self {
            label: grant.label.clone(),
            servers: grant.servers.clone(),
            ceiling: grant.ceiling,
            policy: grant.policy,
            expires_at: grant.expires_at,
            bindings: grant.bindings.clone(),
        }
    }
}

struct Row {
    id: GrantId,
    label: String,
    user_id: Option<UserId>,
    team_id: Option<TeamId>,
    service_account_id: Option<ServiceAccountId>,
    all_servers: bool,
    class_ceiling: String,
    policy_id: Option<PolicyId>,
    policy_slug: Option<String>,
    policy_name: Option<String>,
    expires_at: Option<OffsetDateTime>,
    cidrs: Vec<String>,
    clients: Vec<String>,
    created_by: Option<UserId>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    suspended_at: Option<OffsetDateTime>,
    suspended_by: Option<UserId>,
    suspended_reason: Option<String>,
    revoked_at: Option<OffsetDateTime>,
    revoked_by: Option<UserId>,
    revoked_reason: Option<String>,
    version: i64,
    servers: Vec<Uuid>,
    principal_name: String,
    principal_handle: String,
    is_principal_active: bool,
    created_by_name: Option<String>,
    suspended_by_name: Option<String>,
    revoked_by_name: Option<String>,
    live_tokens: i64,
    last_used_at: Option<OffsetDateTime>,
    last_used_ip: Option<String>,
    last_client_name: Option<String>,
    last_client_version: Option<String>,
}

impl Row {
    fn read(self, now: OffsetDateTime) -> DbResult<GrantEntry> {
        let servers = self.servers.into_iter().map(ServerId::from_uuid).collect::<BTreeSet<_>>();
        let grant = Grant {
            id: self.id,
            label: self.label,
            principal: principal(self.user_id, self.team_id, self.service_account_id)?,
            servers: if self.all_servers { ServersOf::All } else { ServersOf::Some(servers) },
            ceiling: read(&self.class_ceiling)?,
            policy: self.policy_id,
            expires_at: self.expires_at,
            bindings: bindings(&self.cidrs, self.clients)?,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            suspension: stop(self.suspended_at, self.suspended_by, self.suspended_reason),
            revocation: stop(self.revoked_at, self.revoked_by, self.revoked_reason),
            version: self.version,
        };
        Ok(GrantEntry {
            state: grant.state(self.is_principal_active, now),
            grant,
            principal_name: self.principal_name,
            principal_handle: self.principal_handle,
            created_by_name: self.created_by_name,
            suspended_by_name: self.suspended_by_name,
            revoked_by_name: self.revoked_by_name,
            live_tokens: self.live_tokens,
            policy_slug: self.policy_slug,
            policy_name: self.policy_name,
            last_use: last_use(
                self.last_used_at,
                self.last_used_ip.as_deref(),
                self.last_client_name,
                self.last_client_version,
            )?,
        })
    }
}
