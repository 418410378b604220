//! All SQL of access requests.

use time::OffsetDateTime;

use crate::{
    base::{
        ids::{AccessRequestId, GrantId, RequestId, ServerId, UserId},
        page::{Page, PageRequest},
        risk::Class,
    },
    domain::access::{AccessFilter, AccessRequest, AccessState, Asked, Given, NewAccess},
    io::db::{DbError, DbResult, OrgTx, Tx},
};

struct Row {
    id: AccessRequestId,
    state: String,
    user_id: UserId,
    requester_name: String,
    server_id: ServerId,
    server_slug: String,
    tools: Vec<String>,
    class: Option<String>,
    why: String,
    hours: i32,
    request_id: Option<RequestId>,
    asked_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    decided_at: Option<OffsetDateTime>,
    decided_by_name: Option<String>,
    reason: String,
    given_tools: Vec<String>,
    given_hours: Option<i32>,
    grant_id: Option<GrantId>,
    version: i64,
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> DbError {
    DbError::from(sqlx::Error::Decode(Box::new(error)))
}

impl Row {
    fn read(self) -> DbResult<AccessRequest> {
        let class = self.class.as_deref().map(str::parse::<Class>).transpose().map_err(decode)?;
        Ok(AccessRequest {
            id: self.id,
            state: self.state.parse().map_err(decode)?,
            user: self.user_id,
            requester_name: self.requester_name,
            server: self.server_id,
            server_slug: self.server_slug,
            asked: class.map_or(Asked::Tools(self.tools), Asked::Class),
            why: self.why,
            hours: self.hours,
            request: self.request_id,
            asked_at: self.asked_at,
            expires_at: self.expires_at,
            decided_at: self.decided_at,
            decided_by_name: self.decided_by_name,
            reason: self.reason,
            given_tools: self.given_tools,
            given_hours: self.given_hours,
            grant: self.grant_id,
            version: self.version,
        })
    }
}

/// Requests, the newest first. The page's key is the id.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    filter: &AccessFilter,
    page: &PageRequest<AccessRequestId>,
    now: OffsetDateTime,
) -> DbResult<Page<AccessRequest>> {
    let items = rows(tx, None, filter, page, now).await?;
    Ok(Page::cut(items, page.limit, |request| request.id))
}

/// One request.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, id: AccessRequestId) -> DbResult<Option<AccessRequest>> {
    let page = PageRequest { limit: 1, after: None };
    let filter = AccessFilter::default();
    Ok(rows(tx, Some(id), &filter, &page, OffsetDateTime::UNIX_EPOCH).await?.into_iter().next())
}

async fn rows(
    tx: &mut OrgTx,
    only: Option<AccessRequestId>,
    filter: &AccessFilter,
    page: &PageRequest<AccessRequestId>,
    now: OffsetDateTime,
) -> DbResult<Vec<AccessRequest>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select a.id as "id: AccessRequestId", a.state, a.user_id as "user_id: UserId", a.requester_name,
            a.server_id as "server_id: ServerId", a.server_slug, a.tools, a.class, a.why, a.hours,
            a.request_id as "request_id: RequestId", a.asked_at, a.expires_at, a.decided_at, a.reason, a.given_tools,
            a.given_hours, a.grant_id as "grant_id: GrantId", a.version,
            (select u.name from memberships m join users u on u.id = m.user_id
                where m.org_id = a.org_id and m.user_id = a.decided_by) as "decided_by_name?"
        from access_requests a
        where a.org_id = $1 and ($2::uuid is null or a.id = $2) and ($3::uuid is null or a.id < $3)
            and ($4::text is null or $4 = case when a.state = 'pending' and a.expires_at <= $5 then 'expired'
                else a.state end)
            and ($6::uuid is null or a.user_id = $6)
        order by a.id desc limit $7"#,
        tx.org().uuid(),
        only.map(AccessRequestId::uuid),
        page.after.map(AccessRequestId::uuid),
        filter.state.map(AccessState::as_str),
        now,
        filter.user.map(UserId::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// The request of this person for the same that waits already.
///
/// # Errors
/// When the database refuses.
pub async fn find_same(tx: &mut OrgTx, new: &NewAccess) -> DbResult<Option<AccessRequest>> {
    let id = sqlx::query_scalar!(
        r#"select id as "id: AccessRequestId" from access_requests
        where org_id = $1 and user_id = $2 and server_id = $3 and tools = $4 and coalesce(class, '') = $5
            and state = 'pending'"#,
        tx.org().uuid(),
        new.user.uuid(),
        new.server.uuid(),
        new.asked.tools(),
        new.asked.class().map_or("", Class::as_str)
    )
    .fetch_optional(tx.conn())
    .await?;
    match id {
        Some(id) => find(tx, id).await,
        None => Ok(None),
    }
}

/// Keeps a request. Where the same waits already, nothing is kept and nothing returned.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut OrgTx, new: &NewAccess, now: OffsetDateTime) -> DbResult<Option<AccessRequest>> {
    // What nobody decided in time makes room for the same question.
    sqlx::query!(
        "update access_requests set state = 'expired', version = version + 1
        where org_id = $1 and user_id = $2 and state = 'pending' and expires_at <= $3",
        tx.org().uuid(),
        new.user.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    let done = sqlx::query!(
        "insert into access_requests (org_id, id, state, user_id, requester_name, server_id, server_slug, tools, class, why,
            hours, request_id, asked_at, expires_at)
        values ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        on conflict do nothing",
        tx.org().uuid(),
        new.id.uuid(),
        new.user.uuid(),
        new.requester_name,
        new.server.uuid(),
        new.server_slug,
        new.asked.tools(),
        new.asked.class().map(Class::as_str),
        new.why,
        new.hours,
        new.request.map(RequestId::uuid),
        now,
        new.expires_at
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    find(tx, new.id).await
}

/// Holds back whoever else asks in the name of this person until the transaction ends, so that their requests are counted
/// one after the other.
///
/// # Errors
/// When the database refuses.
pub async fn lock_person(tx: &mut OrgTx, user: UserId) -> DbResult<()> {
    sqlx::query!(
        "select user_id from memberships where org_id = $1 and user_id = $2 for update",
        tx.org().uuid(),
        user.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(())
}

/// Locks a request, so that of two who decide the second sees what the first did.
///
/// # Errors
/// When the database refuses.
pub async fn lock(tx: &mut OrgTx, id: AccessRequestId) -> DbResult<Option<AccessRequest>> {
    sqlx::query!(
        "select id from access_requests where org_id = $1 and id = $2 for update",
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    find(tx, id).await
}

/// What comes of a request.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    /// Where it stands now.
    pub state: AccessState,
    /// What was given, and the grant that came of it.
    pub given: Option<(&'a Given, GrantId)>,
    /// What was said with it.
    pub reason: &'a str,
    /// Who decided.
    pub by: Option<UserId>,
}

/// Decides a request that waits; whether it did.
///
/// # Errors
/// When the database refuses.
pub async fn settle(
    tx: &mut OrgTx,
    id: AccessRequestId,
    to: &Settled<'_>,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let tools = to.given.map_or(&[][..], |(given, _)| given.asked.tools());
    let done = sqlx::query!(
        "update access_requests set state = $3, given_tools = $4, given_hours = $5, grant_id = $6, reason = $7,
            decided_by = $8, decided_at = $9, version = version + 1
        where org_id = $1 and id = $2 and state = 'pending'",
        tx.org().uuid(),
        id.uuid(),
        to.state.as_str(),
        tools,
        to.given.map(|(given, _)| given.hours),
        to.given.map(|(_, grant)| grant.uuid()),
        to.reason,
        to.by.map(UserId::uuid),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// How many requests wait: of one person, or of all.
///
/// # Errors
/// When the database refuses.
pub async fn count_waiting(tx: &mut OrgTx, user: Option<UserId>, now: OffsetDateTime) -> DbResult<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from access_requests
        where org_id = $1 and state = 'pending' and expires_at > $2 and ($3::uuid is null or user_id = $3)"#,
        tx.org().uuid(),
        now,
        user.map(UserId::uuid)
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Takes back what somebody asked for, for they are leaving; how many waited.
///
/// # Errors
/// When the database refuses.
pub async fn withdraw_all_of(tx: &mut OrgTx, user: UserId, now: OffsetDateTime) -> DbResult<u64> {
    let done = sqlx::query!(
        "update access_requests set state = 'withdrawn', decided_at = $3, version = version + 1
        where org_id = $1 and user_id = $2 and state = 'pending'",
        tx.org().uuid(),
        user.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
