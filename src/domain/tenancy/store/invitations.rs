//! SQL of invitations.

use time::OffsetDateTime;

use crate::{
    base::{
        actor::KeyOwner,
        crypto::token::{Token, TokenKind},
        email::Email,
        ids::{InvitationId, OrgId, TeamId, UserId},
        page::{Page, PageRequest},
        permission::{Role, TeamRole},
        update::Update,
    },
    domain::tenancy::{
        Accepted, CarriedInvitation, Invitation, InvitationFilter, InvitationState, Invited, Issue,
        NewInvitation, OrgState, TeamAddition,
        invitations::{InviterKind, inviter, inviter_columns},
        store::{Stored, members, outcome, sought, teams},
    },
    io::db::{DbError, DbResult, OrgTx, SystemTx, Tx},
};

/// Makes an invitation with its token, unless the address has an open one or belongs to a member.
///
/// `team` is what `new.team` was found to name. One that has expired for the same address is withdrawn.
///
/// # Errors
/// When the database fails.
pub async fn issue(
    tx: &mut OrgTx,
    new: &NewInvitation,
    team: Option<TeamId>,
    inviter: KeyOwner,
    now: OffsetDateTime,
) -> DbResult<Invited> {
    if let Some(user) = members::find_by_email(tx, &new.email).await? {
        return Ok(Invited::AlreadyMember(user));
    }
    revoke_expired(tx, &new.email, now).await?;
    let id = InvitationId::fresh();
    let token = Token::issue(TokenKind::Invitation, id);
    let (inviter_id, inviter_kind) = inviter_columns(inviter);
    let made = sqlx::query!(
        "insert into invitations (org_id, id, email, email_key, role, team_id, token_hash, invited_by,
            invited_by_kind, created_at, updated_at, sent_at, expires_at)
        select o.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10,
            $10::timestamptz + make_interval(hours => o.invitation_hours)
        from orgs o where o.id = $1
        on conflict (org_id, email_key) where accepted_at is null and revoked_at is null do nothing
        returning expires_at, version",
        tx.org().uuid(),
        id.uuid(),
        new.email.as_str(),
        new.email.key(),
        new.role.as_str(),
        team.map(TeamId::uuid),
        &token.hash()[..],
        inviter_id,
        inviter_kind.as_str(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    match made {
        Some(row) => {
            Ok(Invited::Issued(Issue { id, expires_at: row.expires_at, version: row.version, token }))
        }
        None => Ok(Invited::AlreadyInvited(find_open(tx, &new.email).await?)),
    }
}

async fn revoke_expired(tx: &mut OrgTx, email: &Email, now: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "update invitations set revoked_at = $3, updated_at = $3, version = version + 1
        where org_id = $1 and email_key = $2
            and accepted_at is null and revoked_at is null and expires_at <= $3",
        tx.org().uuid(),
        email.key(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn find_open(tx: &mut OrgTx, email: &Email) -> DbResult<InvitationId> {
    sqlx::query_scalar!(
        r#"select id as "id: InvitationId" from invitations
        where org_id = $1 and email_key = $2 and accepted_at is null and revoked_at is null"#,
        tx.org().uuid(),
        email.key()
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| match error {
        // It stood in the way a moment ago and has been accepted or withdrawn since.
        sqlx::Error::RowNotFound => DbError::Busy(error),
        other => other.into(),
    })
}

/// Sends an open or expired invitation again: same row, new token, new expiry, new sender; the old link is
/// dead. An accepted or withdrawn one is [`Update::Conflict`].
///
/// # Errors
/// When the database fails.
pub async fn reissue(
    tx: &mut OrgTx,
    id: InvitationId,
    inviter: KeyOwner,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Issue>> {
    let token = Token::issue(TokenKind::Invitation, id);
    let (inviter_id, inviter_kind) = inviter_columns(inviter);
    let made = sqlx::query!(
        "update invitations i set token_hash = $4, invited_by = $5, invited_by_kind = $6, sent_at = $7,
            updated_at = $7, expires_at = $7::timestamptz + make_interval(hours => o.invitation_hours),
            version = i.version + 1
        from orgs o
        where i.org_id = $1 and i.id = $2 and o.id = i.org_id and ($3::bigint is null or i.version = $3)
            and i.accepted_at is null and i.revoked_at is null
        returning i.expires_at, i.version",
        tx.org().uuid(),
        id.uuid(),
        expected,
        &token.hash()[..],
        inviter_id,
        inviter_kind.as_str(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    let made = made.map(|row| (row.expires_at, row.version));
    Ok(outcome(made, is_there(tx, id).await?).map(|(expires_at, version)| Issue {
        id,
        expires_at,
        version,
        token,
    }))
}

/// Withdraws an open or expired invitation; an accepted or withdrawn one is [`Update::Conflict`].
///
/// # Errors
/// When the database fails.
pub async fn revoke(
    tx: &mut OrgTx,
    id: InvitationId,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<i64>> {
    let version = sqlx::query_scalar!(
        "update invitations set revoked_at = $4, updated_at = $4, version = version + 1
        where org_id = $1 and id = $2 and ($3::bigint is null or version = $3)
            and accepted_at is null and revoked_at is null
        returning version",
        tx.org().uuid(),
        id.uuid(),
        expected,
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(outcome(version, is_there(tx, id).await?))
}

/// The database rule that an address has one open invitation.
pub const ONE_OPEN: &str = "invitations_one_open";

/// Takes a withdrawal back: the link that was sent works again. Whoever withdrew it a moment ago may find that
/// somebody else was faster, which is [`Update::Conflict`], as is one that has run out meanwhile.
///
/// # Errors
/// [`ONE_OPEN`] when the address has been invited again.
pub async fn restore(
    tx: &mut OrgTx,
    id: InvitationId,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<i64>> {
    let version = sqlx::query_scalar!(
        "update invitations set revoked_at = null, updated_at = $4, version = version + 1
        where org_id = $1 and id = $2 and ($3::bigint is null or version = $3)
            and accepted_at is null and revoked_at is not null and expires_at > $4
        returning version",
        tx.org().uuid(),
        id.uuid(),
        expected,
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(outcome(version, is_there(tx, id).await?))
}

/// Withdraws everything that a leaver has sent and nobody has accepted; tells how many.
///
/// # Errors
/// When the database fails.
pub async fn revoke_all_of(tx: &mut OrgTx, inviter: KeyOwner, now: OffsetDateTime) -> DbResult<u64> {
    let (inviter_id, inviter_kind) = inviter_columns(inviter);
    let revoked = sqlx::query!(
        "update invitations set revoked_at = $4, updated_at = $4, version = version + 1
        where org_id = $1 and invited_by = $2 and invited_by_kind = $3
            and accepted_at is null and revoked_at is null",
        tx.org().uuid(),
        inviter_id,
        inviter_kind.as_str(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(revoked.rows_affected())
}

async fn is_there(tx: &mut OrgTx, id: InvitationId) -> DbResult<bool> {
    let is_there = sqlx::query_scalar!(
        r#"select exists(select from invitations where org_id = $1 and id = $2) as "is_there!""#,
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(is_there)
}

/// The organization's invitations, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut OrgTx,
    filter: &InvitationFilter,
    page: &PageRequest<InvitationId>,
    now: OffsetDateTime,
) -> DbResult<Page<Invitation>> {
    let invitations = sqlx::query_as!(
        Invitation,
        r#"select i.id as "id: InvitationId", i.email as "email: Stored<Email>",
            i.role as "role: Stored<Role>", i.team_id as "team: TeamId", t.name as "team_name?",
            i.invited_by as inviter_id,
            i.invited_by_kind as "inviter_kind: Stored<InviterKind>", u.name as "inviter_name?",
            i.created_at, i.updated_at, i.sent_at, i.expires_at, i.accepted_at,
            i.accepted_by as "accepted_by: UserId", i.revoked_at, i.version
        from invitations i
            left join teams t on t.org_id = i.org_id and t.id = i.team_id
            left join users u on u.id = i.invited_by and i.invited_by_kind = 'user'
        where i.org_id = $1
            and ($2::text is null or strpos(lower(i.email), lower($2)) > 0)
            and ($3::text is null or $3 = case when i.accepted_at is not null then 'accepted'
                when i.revoked_at is not null then 'revoked'
                when i.expires_at > $4 then 'open' else 'expired' end)
            and ($5::uuid is null or i.id < $5)
        order by i.id desc limit $6"#,
        tx.org().uuid(),
        sought(filter.q.as_deref()),
        filter.state.map(InvitationState::as_str),
        now,
        page.after.map(InvitationId::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::cut(invitations, page.limit, |invitation| invitation.id))
}

/// One invitation.
///
/// # Errors
/// When the database fails.
pub async fn find(tx: &mut OrgTx, id: InvitationId) -> DbResult<Option<Invitation>> {
    let invitation = sqlx::query_as!(
        Invitation,
        r#"select i.id as "id: InvitationId", i.email as "email: Stored<Email>",
            i.role as "role: Stored<Role>", i.team_id as "team: TeamId", t.name as "team_name?",
            i.invited_by as inviter_id,
            i.invited_by_kind as "inviter_kind: Stored<InviterKind>", u.name as "inviter_name?",
            i.created_at, i.updated_at, i.sent_at, i.expires_at, i.accepted_at,
            i.accepted_by as "accepted_by: UserId", i.revoked_at, i.version
        from invitations i
            left join teams t on t.org_id = i.org_id and t.id = i.team_id
            left join users u on u.id = i.invited_by and i.invited_by_kind = 'user'
        where i.org_id = $1 and i.id = $2"#,
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(invitation)
}

/// The invitation whose latest link carries this token, in whichever organization and state it is.
///
/// # Errors
/// When the database fails.
pub async fn find_by_token(
    tx: &mut SystemTx,
    token: &Token,
    now: OffsetDateTime,
) -> DbResult<Option<CarriedInvitation>> {
    let id: InvitationId = token.row();
    let row = sqlx::query!(
        r#"select i.org_id as "org: OrgId", o.name as org_name, o.suspended_at, o.deleted_at,
            i.email as "email: Stored<Email>", i.role as "role: Stored<Role>", i.team_id as "team: TeamId",
            i.invited_by, i.invited_by_kind as "invited_by_kind: Stored<InviterKind>",
            u.name as "inviter_name?", i.token_hash, i.expires_at, i.accepted_at, i.revoked_at
        from invitations i
            join orgs o on o.id = i.org_id
            left join users u on u.id = i.invited_by and i.invited_by_kind = 'user'
        where i.id = $1"#,
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.filter(|row| token.matches(&row.token_hash)).map(|row| CarriedInvitation {
        id,
        org: row.org,
        org_name: row.org_name,
        org_state: OrgState::of(row.suspended_at, row.deleted_at),
        email: row.email.into(),
        role: row.role.into(),
        team: row.team,
        inviter: inviter(row.invited_by, row.invited_by_kind.into()),
        inviter_name: row.inviter_name,
        expires_at: row.expires_at,
        state: InvitationState::of(row.expires_at, row.accepted_at, row.revoked_at, now),
        token_hash: token.hash(),
    }))
}

/// Accepts an invitation, once: the person becomes a member and joins the team. Call `rules::acceptance`
/// before, in the same transaction as `members::lock_role` of the inviter.
///
/// `None` when it has been used, withdrawn or sent again, or has run out, since the link was looked up; look
/// it up again to learn which.
///
/// # Errors
/// When the database fails.
pub async fn accept(
    tx: &mut OrgTx,
    invitation: &CarriedInvitation,
    user: UserId,
    now: OffsetDateTime,
) -> DbResult<Option<Accepted>> {
    let row = sqlx::query!(
        r#"update invitations set accepted_at = $4, accepted_by = $5, updated_at = $4, version = version + 1
        where org_id = $1 and id = $2 and token_hash = $3
            and accepted_at is null and revoked_at is null and expires_at > $4
        returning role as "role: Stored<Role>", team_id as "team: TeamId""#,
        tx.org().uuid(),
        invitation.id.uuid(),
        &invitation.token_hash[..],
        now,
        user.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let role = row.role.into();
    let invited_by = match invitation.inviter {
        KeyOwner::User(inviter) => Some(inviter),
        KeyOwner::ServiceAccount(_) => None,
    };
    let joined = members::insert(tx, user, role, invited_by, now).await?;
    let team = match row.team {
        None => None,
        Some(team) => match teams::add_member(tx, team, user, TeamRole::Member, now).await? {
            TeamAddition::Added => Some(team),
            TeamAddition::AlreadyThere | TeamAddition::NotAMember | TeamAddition::NoSuchTeam => None,
        },
    };
    Ok(Some(Accepted { role, team, joined }))
}

/// How many open invitations of usable organizations an address has; sign-up by invitation asks.
///
/// # Errors
/// When the database fails.
pub async fn count_pending(tx: &mut SystemTx, email: &Email, now: OffsetDateTime) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from invitations i join orgs o on o.id = i.org_id
        where i.email_key = $1 and i.accepted_at is null and i.revoked_at is null and i.expires_at > $2
            and o.suspended_at is null and o.deleted_at is null"#,
        email.key(),
        now
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}
