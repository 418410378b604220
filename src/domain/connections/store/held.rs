//! SQL of connections as calls need them.

use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{
    base::ids::{ConnectionId, DataKeyId, ProviderId, TeamId, UserId},
    domain::connections::{AccountOwner, Blocked, HeldAccount, SealedTokens, store::decode},
    io::db::{DbResult, OrgTx, Tx},
    protocol::oauth::document::Facts,
};

struct HeldRow {
    id: ConnectionId,
    provider_id: ProviderId,
    user_id: Option<UserId>,
    team_id: Option<TeamId>,
    is_default: bool,
    account_if: String,
    state: String,
    state_reason: String,
    scopes: Vec<String>,
    withheld_scopes: Vec<String>,
    facts: Json<Facts>,
    sealed_tokens: Option<Vec<u8>>,
    data_key_id: Option<DataKeyId>,
    token_version: i64,
    has_refresh: bool,
    issued_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    refresh_expires_at: Option<OffsetDateTime>,
    ending_told_for: Option<OffsetDateTime>,
    trouble: String,
    retry_at: Option<OffsetDateTime>,
    presented: i32,
    failures: i32,
    last_ok_at: Option<OffsetDateTime>,
}

impl HeldRow {
    fn read(self) -> DbResult<HeldAccount> {
        Ok(HeldAccount {
            id: self.id,
            provider: self.provider_id,
            owner: AccountOwner::of(self.user_id, self.team_id),
            is_default: self.is_default,
            account_if: self.account_if,
            state: self.state.parse().map_err(decode)?,
            blocked: Blocked::of(&self.trouble, &self.state_reason),
            reason: self.state_reason,
            scopes: self.scopes,
            withheld: self.withheld_scopes,
            facts: self.facts.0,
            tokens: self.sealed_tokens.zip(self.data_key_id).map(|(bytes, key)| SealedTokens { key, bytes }),
            token_version: self.token_version,
            has_refresh: self.has_refresh,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            refresh_expires_at: self.refresh_expires_at,
            ending_told_for: self.ending_told_for,
            retry_at: self.retry_at,
            presented: self.presented,
            failures: self.failures,
            last_ok_at: self.last_ok_at,
        })
    }
}

/// Whose accounts may serve a call, besides those of everybody.
#[derive(Clone, Copy, Debug)]
pub enum Holders<'a> {
    /// Those of a person, where one calls, and of these teams.
    These {
        /// The person.
        user: Option<UserId>,
        /// The teams.
        teams: &'a [TeamId],
    },
    /// Those of this person, where there is one, and of their teams.
    Member(Option<UserId>),
}

/// A connection as calls need it; none where it was ended.
///
/// # Errors
/// When the database refuses.
pub async fn one(tx: &mut OrgTx, id: ConnectionId) -> DbResult<Option<HeldAccount>> {
    Ok(rows(tx, Some(id), None, Holders::Member(None)).await?.into_iter().next())
}

/// The connections at a provider that may serve a call: a person's own first, then teams', then everybody's, the default
/// before others. Those that were ended are not among them.
///
/// # Errors
/// When the database refuses.
pub async fn serving(
    tx: &mut OrgTx,
    provider: ProviderId,
    holders: Holders<'_>,
) -> DbResult<Vec<HeldAccount>> {
    rows(tx, None, Some(provider), holders).await
}

async fn rows(
    tx: &mut OrgTx,
    only: Option<ConnectionId>,
    provider: Option<ProviderId>,
    holders: Holders<'_>,
) -> DbResult<Vec<HeldAccount>> {
    let (user, teams, member) = match holders {
        Holders::These { user, teams } => (user, teams, None),
        Holders::Member(user) => (user, [].as_slice(), user),
    };
    let teams: Vec<_> = teams.iter().map(|team| team.uuid()).collect();
    let rows = sqlx::query_as!(
        HeldRow,
        r#"select id as "id: ConnectionId", provider_id as "provider_id: ProviderId", user_id as "user_id: UserId",
            team_id as "team_id: TeamId", is_default, account_if, state, state_reason, scopes, withheld_scopes, facts as "facts: Json<Facts>", sealed_tokens,
            data_key_id as "data_key_id: DataKeyId", token_version, has_refresh, issued_at, expires_at, refresh_expires_at, ending_told_for, trouble, retry_at, presented,
            failures, last_ok_at
        from connections
        where org_id = $1 and state <> 'revoked' and (id = $2 or $2::uuid is null and provider_id = $3
            and (user_id = $4 or team_id = any ($5) or user_id is null and team_id is null
                or team_id in (select m.team_id from team_members m where m.org_id = $1 and m.user_id = $6)))
        order by user_id is null, team_id is null, not is_default, id limit 50"#,
        tx.org().uuid(),
        only.map(ConnectionId::uuid),
        provider.map(ProviderId::uuid),
        user.map(UserId::uuid),
        &teams,
        member.map(UserId::uuid)
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(HeldRow::read).collect()
}
