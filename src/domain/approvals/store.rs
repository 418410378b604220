//! All SQL of approvals but their use, which is part of the record.

mod kept;
pub mod revoked;
pub mod tasks;
pub mod waiting;

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        email::Email,
        ids::{ApprovalId, DataKeyId, GrantId, RequestId, ServerId, UserId},
        page::{Page, PageRequest},
        permission::Role,
    },
    domain::approvals::{
        Approval, ApprovalFilter, ApprovalState, Exact, Judge, Kept, NewApproval, Verdict, Vote, WrittenNeed,
    },
    io::db::{DbError, DbResult, OrgTx, Tx},
};

pub use kept::{Narrowed, SEALED_ARGUMENTS, SEALED_ASKED, SealedArguments, Wanted, narrow, sealed_arguments};

struct Row {
    id: ApprovalId,
    state: String,
    grant_id: GrantId,
    grant_label: String,
    user_id: Option<UserId>,
    requester_name: String,
    client_name: Option<String>,
    server_id: ServerId,
    server_slug: String,
    tool: String,
    class: String,
    fingerprint: Vec<u8>,
    policies_digest: Vec<u8>,
    arguments_digest: Vec<u8>,
    sealed_arguments: Vec<u8>,
    data_key_id: DataKeyId,
    asked_digest: Option<Vec<u8>>,
    sealed_asked: Option<Vec<u8>>,
    asked_key_id: Option<DataKeyId>,
    needs: serde_json::Value,
    request_id: RequestId,
    asked_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    nudged_at: Option<OffsetDateTime>,
    is_single: bool,
    valid_until: Option<OffsetDateTime>,
    reason: String,
    decided_at: Option<OffsetDateTime>,
    decided_by_name: Option<String>,
    revoked_at: Option<OffsetDateTime>,
    revoked_by_name: Option<String>,
    uses: i32,
    version: i64,
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> DbError {
    DbError::from(sqlx::Error::Decode(Box::new(error)))
}

impl Row {
    fn read(self) -> DbResult<Approval> {
        let asked = self.asked_digest.zip(self.sealed_asked).zip(self.asked_key_id);
        Ok(Approval {
            id: self.id,
            state: self.state.parse().map_err(decode)?,
            grant: self.grant_id,
            grant_label: self.grant_label,
            user: self.user_id,
            requester_name: self.requester_name,
            client_name: self.client_name,
            server: self.server_id,
            server_slug: self.server_slug,
            tool: self.tool,
            class: self.class,
            fingerprint: self.fingerprint,
            policies_digest: self.policies_digest,
            arguments: Kept {
                digest: self.arguments_digest,
                sealed: self.sealed_arguments,
                key: self.data_key_id,
            },
            asked: asked.map(|((digest, sealed), key)| Kept { digest, sealed, key }),
            needs: serde_json::from_value::<Vec<WrittenNeed>>(self.needs).map_err(decode)?,
            request: self.request_id,
            asked_at: self.asked_at,
            expires_at: self.expires_at,
            nudged_at: self.nudged_at,
            is_single: self.is_single,
            valid_until: self.valid_until,
            reason: self.reason,
            decided_at: self.decided_at,
            decided_by_name: self.decided_by_name,
            revoked_at: self.revoked_at,
            revoked_by_name: self.revoked_by_name,
            uses: self.uses,
            version: self.version,
        })
    }
}

/// Approvals, the newest first. The page's key is the id.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    filter: &ApprovalFilter,
    page: &PageRequest<ApprovalId>,
    now: OffsetDateTime,
) -> DbResult<Page<Approval>> {
    let items = rows(tx, None, filter, page, now).await?;
    Ok(Page::cut(items, page.limit, |approval| approval.id))
}

/// One approval.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, id: ApprovalId) -> DbResult<Option<Approval>> {
    let page = PageRequest { limit: 1, after: None };
    let filter = ApprovalFilter::default();
    Ok(rows(tx, Some(id), &filter, &page, OffsetDateTime::UNIX_EPOCH).await?.into_iter().next())
}

async fn rows(
    tx: &mut OrgTx,
    only: Option<ApprovalId>,
    filter: &ApprovalFilter,
    page: &PageRequest<ApprovalId>,
    now: OffsetDateTime,
) -> DbResult<Vec<Approval>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select a.id as "id: ApprovalId", a.state, a.grant_id as "grant_id: GrantId", a.grant_label,
            a.user_id as "user_id: UserId", a.requester_name, a.client_name, a.server_id as "server_id: ServerId",
            a.server_slug, a.tool, a.class, a.fingerprint, a.policies_digest, a.arguments_digest, a.sealed_arguments,
            a.data_key_id as "data_key_id: DataKeyId", a.asked_digest, a.sealed_asked,
            a.asked_key_id as "asked_key_id: DataKeyId", a.needs, a.request_id as "request_id: RequestId", a.asked_at,
            a.expires_at, a.nudged_at, a.is_single, a.valid_until, a.reason, a.decided_at, a.revoked_at, a.uses,
            a.version,
            (select u.name from memberships m join users u on u.id = m.user_id
                where m.org_id = a.org_id and m.user_id = a.decided_by) as "decided_by_name?",
            (select u.name from memberships m join users u on u.id = m.user_id
                where m.org_id = a.org_id and m.user_id = a.revoked_by) as "revoked_by_name?"
        from approvals a
        where a.org_id = $1 and ($2::uuid is null or a.id = $2) and ($3::uuid is null or a.id < $3)
            and ($4::text is null or $4 = case when a.state = 'pending' and a.expires_at <= $5 then 'expired'
                else a.state end)
            and ($6::uuid is null or a.user_id = $6) and ($7::uuid is null or a.grant_id = $7)
        order by a.id desc limit $8"#,
        tx.org().uuid(),
        only.map(ApprovalId::uuid),
        page.after.map(ApprovalId::uuid),
        filter.state.map(ApprovalState::as_str),
        now,
        filter.user.map(UserId::uuid),
        filter.grant.map(GrantId::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// The latest word about exactly this call: one that may be used, one that waits, one that was denied and whose time is
/// not over, or one by which other arguments may be used in place of these.
///
/// # Errors
/// When the database refuses.
pub async fn find_exact(
    tx: &mut OrgTx,
    exact: &Exact<'_>,
    now: OffsetDateTime,
) -> DbResult<Option<Approval>> {
    let id = sqlx::query_scalar!(
        r#"select x.id as "id!: ApprovalId" from (
            select a.id, a.state = 'approved' as is_usable from approvals a
            where a.org_id = $1 and a.grant_id = $2 and a.server_id = $3 and a.tool = $4 and a.arguments_digest = $5
                and a.fingerprint = $6 and a.policies_digest = $7
                and (a.state = 'approved' and a.valid_until > $8 and (not a.is_single or a.uses = 0)
                    or a.state = 'pending' and a.expires_at > $8 or a.state = 'denied' and a.expires_at > $8)
            union all
            select a.id, false from approvals a
            where a.org_id = $1 and a.grant_id = $2 and a.server_id = $3 and a.tool = $4 and a.asked_digest = $5
                and a.fingerprint = $6 and a.policies_digest = $7
                and a.state = 'approved' and a.valid_until > $8 and (not a.is_single or a.uses = 0)) x
        order by x.is_usable desc, x.id desc limit 1"#,
        tx.org().uuid(),
        exact.grant.uuid(),
        exact.server.uuid(),
        exact.tool,
        exact.arguments.as_slice(),
        exact.fingerprint.as_slice(),
        exact.policies.as_slice(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    match id {
        Some(id) => find(tx, id).await,
        None => Ok(None),
    }
}

/// Keeps a request. Where the same call waits already, nothing is kept and nothing returned.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut OrgTx, new: &NewApproval<'_>, now: OffsetDateTime) -> DbResult<bool> {
    let exact = &new.exact;
    // What nobody decided in time makes room for the same question.
    sqlx::query!(
        "update approvals set state = 'expired', version = version + 1
        where org_id = $1 and grant_id = $2 and state = 'pending' and expires_at <= $3",
        tx.org().uuid(),
        exact.grant.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    let done = sqlx::query!(
        "insert into approvals (org_id, id, state, grant_id, grant_label, user_id, requester_name, client_name,
            server_id, server_slug, tool, class, fingerprint, arguments_digest, policies_digest, sealed_arguments,
            data_key_id, needs, request_id, asked_at, expires_at)
        values ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
        on conflict do nothing",
        tx.org().uuid(),
        new.id.uuid(),
        exact.grant.uuid(),
        new.grant_label,
        new.user.map(UserId::uuid),
        new.requester_name,
        new.client_name,
        exact.server.uuid(),
        new.server_slug,
        exact.tool,
        new.class,
        exact.fingerprint.as_slice(),
        exact.arguments.as_slice(),
        exact.policies.as_slice(),
        new.sealed_arguments,
        new.key.uuid(),
        serde_json::to_value(new.needs).map_err(decode)?,
        new.request.uuid(),
        now,
        new.expires_at
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Locks an approval, so that of two who decide the second sees what the first did.
///
/// # Errors
/// When the database refuses.
pub async fn lock(tx: &mut OrgTx, id: ApprovalId) -> DbResult<Option<Approval>> {
    sqlx::query!(
        "select id from approvals where org_id = $1 and id = $2 for update",
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    find(tx, id).await
}

/// What somebody says of an approval.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Who.
    pub user: UserId,
    /// What.
    pub verdict: Verdict,
    /// Why.
    pub reason: &'a str,
}

/// Keeps what somebody says; the latest word of each counts.
///
/// # Errors
/// When the database refuses.
pub async fn vote(tx: &mut OrgTx, id: ApprovalId, said: &Said<'_>, now: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "insert into approval_votes (org_id, approval_id, user_id, is_approved, minutes, reason, at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (org_id, approval_id, user_id) do update set is_approved = excluded.is_approved,
            minutes = excluded.minutes, reason = excluded.reason, at = excluded.at",
        tx.org().uuid(),
        id.uuid(),
        said.user.uuid(),
        said.verdict != Verdict::Deny,
        said.verdict.minutes().map(u32::cast_signed),
        said.reason,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What was said, the earliest first.
///
/// # Errors
/// When the database refuses.
pub async fn votes(tx: &mut OrgTx, id: ApprovalId) -> DbResult<Vec<Vote>> {
    let rows = sqlx::query!(
        r#"select v.user_id as "user: UserId", u.name as "name?", v.is_approved, v.minutes, v.reason, v.at
        from approval_votes v
        left join memberships m on m.org_id = v.org_id and m.user_id = v.user_id
        left join users u on u.id = m.user_id
        where v.org_id = $1 and v.approval_id = $2 order by v.at, v.user_id"#,
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let votes = rows.into_iter().map(|row| Vote {
        user: row.user,
        name: row.name,
        is_approved: row.is_approved,
        minutes: row.minutes.and_then(|minutes| u32::try_from(minutes).ok()),
        reason: row.reason,
        at: row.at,
    });
    Ok(votes.collect())
}

/// Everybody of the organization by whom something can be decided: all members with role and teams.
///
/// # Errors
/// When the database refuses.
pub async fn judges(tx: &mut OrgTx) -> DbResult<Vec<Judge>> {
    let rows = sqlx::query!(
        r#"select m.user_id as "user: UserId", u.email, m.role,
            array(select t.slug from team_members x join teams t on t.org_id = x.org_id and t.id = x.team_id
                where x.org_id = m.org_id and x.user_id = m.user_id) as "teams!",
            o.self_approval
        from memberships m join users u on u.id = m.user_id join orgs o on o.id = m.org_id
        where m.org_id = $1 and u.disabled_at is null and m.suspended_at is null"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let judges = rows.into_iter().map(|row| {
        let email = row.email.parse::<Email>().map_or(row.email, |email| email.to_string());
        Ok(Judge {
            user: row.user,
            email: email.to_lowercase(),
            role: row.role.parse::<Role>().map_err(decode)?,
            teams: row.teams,
            decides_own: row.self_approval,
        })
    });
    judges.collect()
}

/// What comes of an approval.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    /// Where it stands now.
    pub state: ApprovalState,
    /// Whether it is for one call only.
    pub is_single: bool,
    /// Until when it may be used, where it was approved.
    pub valid_until: Option<OffsetDateTime>,
    /// What was said with it.
    pub reason: &'a str,
    /// Who decided last.
    pub by: Option<UserId>,
}

/// Decides an approval that waits.
///
/// # Errors
/// When the database refuses.
pub async fn settle(tx: &mut OrgTx, id: ApprovalId, to: &Settled<'_>, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update approvals set state = $3, is_single = $4, valid_until = $5, reason = $6, decided_by = $7,
            decided_at = $8, version = version + 1
        where org_id = $1 and id = $2 and state = 'pending'",
        tx.org().uuid(),
        id.uuid(),
        to.state.as_str(),
        to.is_single,
        to.valid_until,
        to.reason,
        to.by.map(UserId::uuid),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that whoever asks reminded of it; no more than once in a while.
///
/// # Errors
/// When the database refuses.
pub async fn nudge(
    tx: &mut OrgTx,
    id: ApprovalId,
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update approvals set nudged_at = $4, version = version + 1
        where org_id = $1 and id = $2 and state = 'pending' and (nudged_at is null or nudged_at <= $3)",
        tx.org().uuid(),
        id.uuid(),
        since,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Whose requests are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Those of a grant.
    Grant(GrantId),
    /// Those in the name of a person.
    User(UserId),
}

impl Of {
    const fn columns(self) -> (Option<GrantId>, Option<UserId>) {
        match self {
            Self::Grant(grant) => (Some(grant), None),
            Self::User(user) => (None, Some(user)),
        }
    }
}

/// How many of somebody wait.
///
/// # Errors
/// When the database refuses.
pub async fn count_of(tx: &mut OrgTx, of: Of, now: OffsetDateTime) -> DbResult<i64> {
    let (grant, user) = of.columns();
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from approvals
        where org_id = $1 and state = 'pending' and expires_at > $2 and (grant_id = $3 or user_id = $4)"#,
        tx.org().uuid(),
        now,
        grant.map(GrantId::uuid),
        user.map(UserId::uuid)
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Takes back what somebody's agents asked, for they may do nothing any more; how many waited.
///
/// # Errors
/// When the database refuses.
pub async fn withdraw_all_of(tx: &mut OrgTx, of: Of, now: OffsetDateTime) -> DbResult<u64> {
    let (grant, user) = of.columns();
    let done = sqlx::query!(
        "update approvals set state = 'withdrawn', decided_at = $2, version = version + 1
        where org_id = $1 and state = 'pending' and (grant_id = $3 or user_id = $4)",
        tx.org().uuid(),
        now,
        grant.map(GrantId::uuid),
        user.map(UserId::uuid)
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// How long half of those that were decided since a moment waited at the most; none where none was.
///
/// # Errors
/// When the database refuses.
pub async fn usual_wait(tx: &mut OrgTx, since: OffsetDateTime) -> DbResult<Option<Duration>> {
    let seconds = sqlx::query_scalar!(
        "select percentile_cont(0.5) within group (order by extract(epoch from decided_at - asked_at)::float8)
        from approvals where org_id = $1 and decided_at > $2 and state in ('approved', 'denied')",
        tx.org().uuid(),
        since
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(seconds.map(Duration::seconds_f64))
}

/// How many wait.
///
/// # Errors
/// When the database refuses.
pub async fn count_waiting(tx: &mut OrgTx, now: OffsetDateTime) -> DbResult<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from approvals
        where org_id = $1 and state = 'pending' and expires_at > $2"#,
        tx.org().uuid(),
        now
    )
    .fetch_one(tx.conn())
    .await?)
}
