//! SQL of tokens that are still to be ended at their providers.

use sqlx::types::Json;
use time::OffsetDateTime;
use url::Url;

use crate::{
    base::ids::{ConnectionId, DataKeyId, OrgId, ProviderId, TeamId, UserId},
    domain::connections::{FormerPlace, Provider, SealedTokens, TokenEnding, store::read},
    io::db::{DbResult, OrgTx, SystemTx, Tx},
    protocol::oauth::document::Facts,
};

/// Whose connections end.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    /// This one.
    One(ConnectionId),
    /// All of a person.
    Person(UserId),
    /// All of a team.
    Team(TeamId),
}

impl Ending {
    fn columns(self) -> (Option<uuid::Uuid>, Option<uuid::Uuid>, Option<uuid::Uuid>) {
        match self {
            Self::One(id) => (Some(id.uuid()), None, None),
            Self::Person(user) => (None, Some(user.uuid()), None),
            Self::Team(team) => (None, None, Some(team.uuid())),
        }
    }
}

/// Keeps the tokens of connections that are about to end here, until their providers are told. Until the transaction ends, none
/// of these providers moves: what is kept is of where it stands.
///
/// # Errors
/// When the database refuses.
pub async fn keep(
    tx: &mut OrgTx,
    ending: Ending,
    next_at: OffsetDateTime,
    until: OffsetDateTime,
) -> DbResult<()> {
    let (one, user, team) = ending.columns();
    // A statement of its own, so that the next one sees what a move that was waited for left.
    sqlx::query!(
        "select id from providers where org_id = $1 and id in (select c.provider_id from connections c
            where c.org_id = $1 and c.state <> 'revoked' and (c.id = $2 or c.user_id = $3 or c.team_id = $4))
        order by id for share",
        tx.org().uuid(),
        one,
        user,
        team
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query!(
        "insert into token_endings (org_id, id, provider_id, user_id, title, facts, sealed_tokens, data_key_id, next_at, until)
        select org_id, id, provider_id, user_id,
            coalesce(nullif(name, ''), nullif(account_name, ''), nullif(account_email, ''), account_id), facts, sealed_tokens,
            data_key_id, $5, $6
        from connections where org_id = $1 and state <> 'revoked' and sealed_tokens is not null
            and (id = $2 or user_id = $3 or team_id = $4)
        on conflict do nothing",
        tx.org().uuid(),
        one,
        user,
        team,
        next_at,
        until
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps all tokens of accounts at a provider that is about to be another, so that they are ended where they came from. Those
/// that it is to be told of already are told there too; where that place has no way to end a token, they are forgotten.
///
/// # Errors
/// When the database refuses.
pub async fn keep_former(
    tx: &mut OrgTx,
    before: &Provider,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> DbResult<()> {
    let (org, provider) = (tx.org().uuid(), before.id.uuid());
    let Some(place) = FormerPlace::of(before) else {
        sqlx::query!(
            "delete from token_endings where org_id = $1 and provider_id = $2 and former = 0",
            org,
            provider
        )
        .execute(tx.conn())
        .await?;
        return Ok(());
    };
    let (secret, token) = (place.secret.as_ref(), place.token.as_ref().map(Url::as_str));
    sqlx::query!(
        "update token_endings set former = $3, revoke_url = $4, client_auth = $5, client_id = $6, sealed_secret = $7,
            secret_key_id = $8, token_url = $9
        where org_id = $1 and provider_id = $2 and former = 0",
        org,
        provider,
        place.version,
        place.revoke.as_str(),
        place.client_auth.as_str(),
        place.client_id,
        secret.map(|secret| secret.bytes.as_slice()),
        secret.map(|secret| secret.key.uuid()),
        token
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "insert into token_endings (org_id, id, provider_id, user_id, title, facts, sealed_tokens, data_key_id, next_at, until,
            former, revoke_url, client_auth, client_id, sealed_secret, secret_key_id, token_url)
        select org_id, id, provider_id, user_id,
            coalesce(nullif(name, ''), nullif(account_name, ''), nullif(account_email, ''), account_id), facts, sealed_tokens,
            data_key_id, $3, $4, $5, $6, $7, $8, $9, $10, $11
        from connections where org_id = $1 and provider_id = $2 and state <> 'revoked' and sealed_tokens is not null
        on conflict do nothing",
        org,
        provider,
        now,
        until,
        place.version,
        place.revoke.as_str(),
        place.client_auth.as_str(),
        place.client_id,
        secret.map(|secret| secret.bytes.as_slice()),
        secret.map(|secret| secret.key.uuid()),
        token
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What is still to be ended at its provider; what is due first, where its provider has moved meanwhile. Until the transaction
/// ends it does not move again.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, id: ConnectionId) -> DbResult<Option<TokenEnding>> {
    // A statement of its own, so that the next one sees what a move that was waited for left.
    sqlx::query!(
        "select id from providers where org_id = $1
            and id in (select e.provider_id from token_endings e where e.org_id = $1 and e.id = $2) for share",
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let row = sqlx::query!(
        r#"select provider_id as "provider_id: ProviderId", user_id as "user_id: UserId", title, facts as "facts: Json<Facts>",
            sealed_tokens, data_key_id as "data_key_id: DataKeyId", attempts, until, former, revoke_url, client_auth, client_id,
            sealed_secret, secret_key_id as "secret_key_id: DataKeyId", token_url
        from token_endings where org_id = $1 and id = $2 order by next_at, former limit 1"#,
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let place = [row.revoke_url, row.token_url, row.client_auth, row.client_id];
    let former = place_of(row.former, place, row.sealed_secret.zip(row.secret_key_id))?;
    Ok(Some(TokenEnding {
        id,
        provider: row.provider_id,
        user: row.user_id,
        title: row.title,
        facts: row.facts.0,
        tokens: SealedTokens { key: row.data_key_id, bytes: row.sealed_tokens },
        attempts: row.attempts,
        until: row.until,
        former,
    }))
}

/// The place that a row of the table names; nothing where the provider stands where it did.
fn place_of(
    former: i64,
    [revoke, token, client_auth, client_id]: [Option<String>; 4],
    secret: Option<(Vec<u8>, DataKeyId)>,
) -> DbResult<Option<FormerPlace>> {
    let (Some(revoke), Some(client_auth), Some(client_id)) = (revoke, client_auth, client_id) else {
        return Ok(None);
    };
    if former == 0 {
        return Ok(None);
    }
    Ok(Some(FormerPlace {
        version: former,
        revoke: read(&revoke)?,
        token: token.as_deref().map(read).transpose()?,
        client_auth: read(&client_auth)?,
        client_id,
        secret: secret.map(|(bytes, key)| SealedTokens { key, bytes }),
    }))
}

/// Puts off what a provider did not do.
///
/// # Errors
/// When the database refuses.
pub async fn put_off(tx: &mut OrgTx, ending: &TokenEnding, next_at: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "update token_endings set attempts = attempts + 1, next_at = $4
        where org_id = $1 and id = $2 and former = $3",
        tx.org().uuid(),
        ending.id.uuid(),
        ending.former_version(),
        next_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets the tokens of a connection that were kept for a provider in this version, zero for one that did not move, whatever
/// became of them there; false where somebody else did.
///
/// # Errors
/// When the database refuses.
pub async fn forget(tx: &mut OrgTx, id: ConnectionId, former: i64) -> DbResult<bool> {
    let done = sqlx::query!(
        "delete from token_endings where org_id = $1 and id = $2 and former = $3",
        tx.org().uuid(),
        id.uuid(),
        former
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What is due in every organization.
///
/// # Errors
/// When the database refuses.
pub async fn due(tx: &mut SystemTx, now: OffsetDateTime, limit: i64) -> DbResult<Vec<(OrgId, ConnectionId)>> {
    let rows = sqlx::query!(
        r#"select org_id as "org: OrgId", id as "id: ConnectionId" from token_endings where next_at <= $1
        order by next_at limit $2"#,
        now,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.org, row.id)).collect())
}

/// Tokens as they are kept, with what is needed to end them at their provider.
#[derive(Clone, Debug)]
pub struct Held {
    /// The connection that they are, or were, of.
    pub id: ConnectionId,
    /// The provider.
    pub provider: ProviderId,
    /// What the provider said beside them.
    pub facts: Facts,
    /// The tokens.
    pub tokens: SealedTokens,
    /// Where they are to be ended, where their provider has moved since: nowhere else.
    pub former: Option<FormerPlace>,
}

/// All tokens of an organization, those included that their providers are still to be told of.
///
/// # Errors
/// When the database refuses.
pub async fn everything(tx: &mut OrgTx, first: i64) -> DbResult<Vec<Held>> {
    let rows = sqlx::query!(
        r#"select id as "id!: ConnectionId", provider_id as "provider!: ProviderId", facts as "facts!: Json<Facts>",
            sealed_tokens as "tokens!", data_key_id as "key!: DataKeyId", former as "former!", revoke_url as "revoke_url?",
            token_url as "token_url?", client_auth as "client_auth?", client_id as "client_id?",
            sealed_secret as "sealed_secret?", secret_key_id as "secret_key_id?: DataKeyId"
        from (select id, provider_id, facts, sealed_tokens, data_key_id, 0::bigint as former, null::text as revoke_url,
                null::text as token_url, null::text as client_auth, null::text as client_id,
                null::bytea as sealed_secret, null::uuid as secret_key_id
                from connections where org_id = $1 and state <> 'revoked' and sealed_tokens is not null
            union all select id, provider_id, facts, sealed_tokens, data_key_id, former, revoke_url, token_url,
                client_auth, client_id, sealed_secret, secret_key_id from token_endings where org_id = $1) as kept
        order by id limit $2"#,
        tx.org().uuid(),
        first
    )
    .fetch_all(tx.conn())
    .await?;
    let held = rows.into_iter().map(|row| -> DbResult<Held> {
        let place = [row.revoke_url, row.token_url, row.client_auth, row.client_id];
        Ok(Held {
            id: row.id,
            provider: row.provider,
            facts: row.facts.0,
            tokens: SealedTokens { key: row.key, bytes: row.tokens },
            former: place_of(row.former, place, row.sealed_secret.zip(row.secret_key_id))?,
        })
    });
    held.collect()
}
