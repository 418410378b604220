//! SQL of connected accounts as people and calls see them.

use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{
    base::{
        ids::{ConnectionId, ProviderId, TeamId, UserId},
        page::{Page, PageRequest},
        update::Update,
    },
    domain::connections::{
        AccountLabel, AccountOwner, Blocked, Connection, ConnectionFilter, ConnectionState, LastError,
        NewConnection, NewTokens, SwitchedOffBy, TELL_FOR,
        store::{
            bump_epoch, decode,
            endings::{self, Ending},
        },
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// The column of the tokens.
pub const SEALED_TOKENS: &str = "sealed_tokens";

struct Row {
    id: ConnectionId,
    provider_id: ProviderId,
    provider_slug: String,
    provider_name: String,
    user_id: Option<UserId>,
    team_id: Option<TeamId>,
    owner_name: Option<String>,
    name: String,
    account_id: String,
    account_name: String,
    account_email: String,
    workspace: String,
    is_default: bool,
    account_if: String,
    state: String,
    is_leased: bool,
    state_reason: String,
    state_since: OffsetDateTime,
    scopes: Vec<String>,
    wanted_scopes: Vec<String>,
    has_refresh: bool,
    expires_at: Option<OffsetDateTime>,
    last_ok_at: Option<OffsetDateTime>,
    retry_at: Option<OffsetDateTime>,
    trouble: String,
    last_error_at: Option<OffsetDateTime>,
    last_error: String,
    last_error_words: String,
    connected_by: Option<UserId>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i64,
}

impl Row {
    fn read(self) -> DbResult<Connection> {
        let state = self.state.parse().map_err(decode)?;
        Ok(Connection {
            id: self.id,
            provider: self.provider_id,
            provider_slug: self.provider_slug,
            provider_name: self.provider_name,
            owner: AccountOwner::of(self.user_id, self.team_id),
            owner_name: self.owner_name.unwrap_or_default(),
            name: self.name,
            label: AccountLabel {
                id: self.account_id,
                name: self.account_name,
                email: self.account_email,
                workspace: self.workspace,
            },
            is_default: self.is_default,
            account_if: self.account_if,
            state: match state {
                ConnectionState::Active | ConnectionState::ErrorBackoff if self.is_leased => {
                    ConnectionState::Refreshing
                }
                state => state,
            },
            blocked: Blocked::of(&self.trouble, &self.state_reason),
            reason: self.state_reason,
            since: self.state_since,
            scopes: self.scopes,
            wanted: self.wanted_scopes,
            has_refresh: self.has_refresh,
            expires_at: self.expires_at,
            last_ok_at: self.last_ok_at,
            retry_at: self.retry_at,
            last_error: self.last_error_at.map(|at| LastError {
                at,
                code: self.last_error,
                words: self.last_error_words,
            }),
            connected_by: self.connected_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        })
    }
}

/// Connections, the newest first; those that were ended only where they are asked for. The page's key is the id.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    filter: &ConnectionFilter,
    page: &PageRequest<ConnectionId>,
) -> DbResult<Page<Connection>> {
    let items = rows(tx, None, filter, page).await?;
    Ok(Page::cut(items, page.limit, |connection| connection.id))
}

/// One connection, also one that was ended.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, id: ConnectionId) -> DbResult<Option<Connection>> {
    let page = PageRequest { limit: 1, after: None };
    Ok(rows(tx, Some(id), &ConnectionFilter::default(), &page).await?.into_iter().next())
}

async fn rows(
    tx: &mut OrgTx,
    only: Option<ConnectionId>,
    filter: &ConnectionFilter,
    page: &PageRequest<ConnectionId>,
) -> DbResult<Vec<Connection>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select c.id as "id: ConnectionId", c.provider_id as "provider_id: ProviderId", p.slug as provider_slug,
            p.name as provider_name, c.user_id as "user_id: UserId", c.team_id as "team_id: TeamId",
            coalesce((select u.name from memberships m join users u on u.id = m.user_id
                    where m.org_id = c.org_id and m.user_id = c.user_id),
                (select t.name from teams t where t.org_id = c.org_id and t.id = c.team_id)) as "owner_name?",
            c.name, c.account_id, c.account_name, c.account_email, c.workspace, c.is_default, c.account_if, c.state,
            coalesce(c.lease_until > clock_timestamp(), false) as "is_leased!", c.state_reason, c.state_since, c.scopes, c.wanted_scopes,
            c.has_refresh, c.expires_at, c.last_ok_at, c.retry_at, c.trouble, c.last_error_at, c.last_error, c.last_error_words,
            c.connected_by as "connected_by: UserId", c.created_at, c.updated_at, c.version
        from connections c join providers p on p.org_id = c.org_id and p.id = c.provider_id
        where c.org_id = $1 and ($2::uuid is null or c.id = $2) and ($3::uuid is null or c.id < $3)
            and ($4::uuid is null or c.user_id = $4) and ($5::uuid is null or c.provider_id = $5)
            and (c.state = $6 or $6::text is null and (c.state <> 'revoked' or $2::uuid is not null))
            and (not $7::boolean or c.user_id is null)
        order by c.id desc limit $8"#,
        tx.org().uuid(),
        only.map(ConnectionId::uuid),
        page.after.map(ConnectionId::uuid),
        filter.user.map(UserId::uuid),
        filter.provider.map(ProviderId::uuid),
        filter.state.map(ConnectionState::as_str),
        filter.is_shared,
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// The connection of this owner at this provider to this account, where there is one that was not ended.
///
/// # Errors
/// When the database refuses.
pub async fn find_of_account(
    tx: &mut OrgTx,
    provider: ProviderId,
    owner: AccountOwner,
    account: &str,
) -> DbResult<Option<ConnectionId>> {
    let found = sqlx::query_scalar!(
        r#"select id as "id: ConnectionId" from connections
        where org_id = $1 and provider_id = $2 and user_id is not distinct from $3 and team_id is not distinct from $4
            and account_id = $5 and account_id <> '' and state <> 'revoked'"#,
        tx.org().uuid(),
        provider.uuid(),
        owner.user().map(UserId::uuid),
        owner.team().map(TeamId::uuid),
        account
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found)
}

/// The rules that a second connection of the same account, or a second default, breaks.
pub const IS_ONE: [&str; 2] = ["connections_once", "connections_one_default"];

/// The rule that a connection of somebody breaks who is no member any more.
pub const IS_OF_A_MEMBER: &str = "connections_person_is_member";

/// How many connections an owner has at a provider.
///
/// # Errors
/// When the database refuses.
pub async fn count_for(tx: &mut OrgTx, provider: ProviderId, owner: AccountOwner) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from connections where org_id = $1 and provider_id = $2 and state <> 'revoked'
            and user_id is not distinct from $3 and team_id is not distinct from $4"#,
        tx.org().uuid(),
        provider.uuid(),
        owner.user().map(UserId::uuid),
        owner.team().map(TeamId::uuid)
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// Stores a new connection and raises the epoch. The first of its owner at a provider is the default there.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut OrgTx, new: &NewConnection, now: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "insert into connections (org_id, id, provider_id, user_id, team_id, account_id, account_name, account_email,
            workspace, is_default, state, state_since, scopes, facts, sealed_tokens, data_key_id, has_refresh, expires_at,
            refresh_expires_at, issued_at, last_ok_at, connected_by, created_at, updated_at, ending_told_for)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9,
            not exists (select from connections d where d.org_id = $1 and d.provider_id = $3
                and d.user_id is not distinct from $4 and d.team_id is not distinct from $5
                and d.is_default and d.state <> 'revoked'),
            'active', $10, $11, $12, $13, $14, $15, $16, $17, $10, $10, $18, $10, $10, $19)",
        tx.org().uuid(),
        new.id.uuid(),
        new.provider.uuid(),
        new.owner.user().map(UserId::uuid),
        new.owner.team().map(TeamId::uuid),
        new.label.id,
        new.label.name,
        new.label.email,
        new.label.workspace,
        now,
        &new.tokens.scopes,
        Json(&new.tokens.facts) as _,
        new.tokens.sealed.bytes,
        new.tokens.sealed.key.uuid(),
        new.tokens.has_refresh,
        new.tokens.expires_at,
        new.tokens.refresh_expires_at,
        new.by.uuid(),
        new.tokens.no_news(now)
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await
}

/// Gives a connection the tokens of its owner's connecting again, whatever state it was in, and raises the epoch. One that an
/// admin switched off stays so.
///
/// # Errors
/// When the database refuses.
pub async fn renew(
    tx: &mut OrgTx,
    id: ConnectionId,
    label: &AccountLabel,
    tokens: &NewTokens,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update connections set account_id = $14, account_name = $3, account_email = $4, workspace = $5,
            state = case when state = 'disabled' and state_reason <> $15 then state else 'active' end,
            state_reason = case when state = 'disabled' and state_reason <> $15 then state_reason else '' end,
            state_since = $6, scopes = $7, facts = $8, sealed_tokens = $9, data_key_id = $10, has_refresh = $11,
            expires_at = $12, refresh_expires_at = $13, issued_at = $6, token_version = token_version + 1,
            lease_by = null, lease_until = null, presented = 0, failures = 0, retry_at = null, last_ok_at = $6, last_error_at = null, last_error = '',
            last_error_words = '', trouble = '', ending_told_for = $16, wanted_scopes = '{}', updated_at = $6, version = version + 1
        where org_id = $1 and id = $2 and state <> 'revoked'",
        tx.org().uuid(),
        id.uuid(),
        label.name,
        label.email,
        label.workspace,
        now,
        &tokens.scopes,
        Json(&tokens.facts) as _,
        tokens.sealed.bytes,
        tokens.sealed.key.uuid(),
        tokens.has_refresh,
        tokens.expires_at,
        tokens.refresh_expires_at,
        label.id,
        SwitchedOffBy::Owner.as_str(),
        tokens.no_news(now)
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await?;
    Ok(done.rows_affected() > 0)
}

/// Switches a connection off that serves calls, and raises the epoch. Whoever fetches a new token for it stores that all the same:
/// the one before may be of no use any more.
///
/// # Errors
/// When the database refuses.
pub async fn switch_off(
    tx: &mut OrgTx,
    id: ConnectionId,
    by: SwitchedOffBy,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update connections set state = 'disabled', state_reason = $3, state_since = $4, updated_at = $4, version = version + 1
        where org_id = $1 and id = $2 and state in ('active', 'error_backoff')",
        tx.org().uuid(),
        id.uuid(),
        by.as_str(),
        now
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await?;
    Ok(done.rows_affected() > 0)
}

/// Switches a connection on again, and raises the epoch; one whose tokens are gone meanwhile has to be connected again.
///
/// # Errors
/// When the database refuses.
pub async fn switch_on(tx: &mut OrgTx, id: ConnectionId, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update connections set state = case when sealed_tokens is null then 'needs_reauth' else 'active' end,
            state_reason = case when sealed_tokens is null then 'provider_moved' else '' end, state_since = $3, failures = 0,
            retry_at = null, updated_at = $3, version = version + 1
        where org_id = $1 and id = $2 and state = 'disabled'",
        tx.org().uuid(),
        id.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await?;
    Ok(done.rows_affected() > 0)
}

/// Ends a connection: its tokens are gone with the commit, and no call is made with it any more.
///
/// # Errors
/// When the database refuses.
pub async fn end(tx: &mut OrgTx, id: ConnectionId, reason: &str, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update connections set state = 'revoked', state_reason = $3, state_since = $4, sealed_tokens = null,
            data_key_id = null, lease_by = null, lease_until = null, has_refresh = false, is_default = false, facts = '{}', retry_at = null, updated_at = $4,
            version = version + 1
        where org_id = $1 and id = $2 and state <> 'revoked'",
        tx.org().uuid(),
        id.uuid(),
        reason,
        now
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await?;
    Ok(done.rows_affected() > 0)
}

/// Calls a connection otherwise.
///
/// # Errors
/// When the database refuses.
pub async fn rename(
    tx: &mut OrgTx,
    id: ConnectionId,
    name: &str,
    seen: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<()>> {
    let done = sqlx::query!(
        "update connections set name = $3, updated_at = $5, version = version + 1
        where org_id = $1 and id = $2 and state <> 'revoked' and ($4::bigint is null or version = $4)",
        tx.org().uuid(),
        id.uuid(),
        name,
        seen,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(if done.rows_affected() > 0 { Update::Done(()) } else { Update::Conflict })
}

/// Says for which calls a connection is used all the same; empty for none. Raises the epoch.
///
/// # Errors
/// When the database refuses.
pub async fn choose_if(
    tx: &mut OrgTx,
    id: ConnectionId,
    account_if: &str,
    seen: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<()>> {
    let done = sqlx::query!(
        "update connections set account_if = $3, updated_at = $4, version = version + 1
        where org_id = $1 and id = $2 and state <> 'revoked' and ($5::bigint is null or version = $5)",
        tx.org().uuid(),
        id.uuid(),
        account_if,
        now,
        seen
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await?;
    Ok(if done.rows_affected() > 0 { Update::Done(()) } else { Update::Conflict })
}

/// Makes a connection the one of its owner's at its provider that agents use.
///
/// # Errors
/// When the database refuses.
pub async fn prefer(tx: &mut OrgTx, id: ConnectionId, now: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "update connections o set is_default = false, updated_at = $3, version = o.version + 1
        from connections c
        where c.org_id = $1 and c.id = $2 and o.org_id = $1 and o.id <> $2 and o.provider_id = c.provider_id
            and o.user_id is not distinct from c.user_id and o.team_id is not distinct from c.team_id and o.is_default",
        tx.org().uuid(),
        id.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "update connections set is_default = true, updated_at = $3, version = version + 1
        where org_id = $1 and id = $2 and state <> 'revoked' and not is_default",
        tx.org().uuid(),
        id.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await
}

/// Ends all connections of a person, and tells how many there were; their tokens are kept until their providers are told.
///
/// # Errors
/// When the database refuses.
pub async fn end_all_of(tx: &mut OrgTx, user: UserId, now: OffsetDateTime) -> DbResult<i64> {
    endings::keep(tx, Ending::Person(user), now, now + TELL_FOR).await?;
    let done = sqlx::query!(
        "update connections set state = 'revoked', state_reason = 'owner_left', state_since = $3, sealed_tokens = null,
            data_key_id = null, lease_by = null, lease_until = null, has_refresh = false, is_default = false, facts = '{}', retry_at = null, updated_at = $3,
            version = version + 1
        where org_id = $1 and user_id = $2 and state <> 'revoked'",
        tx.org().uuid(),
        user.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}

/// Forgets the tokens of all accounts at a provider that is another one now; each has to be connected again.
///
/// # Errors
/// When the database refuses.
pub async fn forget_tokens_at(tx: &mut OrgTx, provider: ProviderId, now: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "update connections set state = case when state = 'disabled' then state else 'needs_reauth' end,
            state_reason = case when state = 'disabled' then state_reason else 'provider_moved' end, state_since = $3,
            sealed_tokens = null, data_key_id = null, has_refresh = false, lease_by = null, lease_until = null,
            retry_at = null, updated_at = $3, version = version + 1
        where org_id = $1 and provider_id = $2 and state <> 'revoked'",
        tx.org().uuid(),
        provider.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await
}

/// Forgets what is left of accounts at a provider that were ended.
///
/// # Errors
/// When the database refuses.
pub async fn forget_ended(tx: &mut OrgTx, provider: ProviderId) -> DbResult<()> {
    sqlx::query!(
        "delete from connections where org_id = $1 and provider_id = $2 and state = 'revoked'",
        tx.org().uuid(),
        provider.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
