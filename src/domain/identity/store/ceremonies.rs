//! Ceremonies.

use serde::{Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

use crate::{
    base::{
        crypto::token::{Token, TokenKind},
        ids::{CeremonyId, UserId},
    },
    domain::identity::{
        ceremonies::{Ceremony, Purpose, TTL},
        store::decoded,
    },
    io::db::{DbResult, SystemTx, Tx},
};

/// Begins a ceremony; the token goes into a cookie.
pub async fn begin<S: Serialize + Sync>(
    tx: &mut SystemTx,
    purpose: Purpose,
    user: Option<UserId>,
    state: &S,
    now: OffsetDateTime,
) -> DbResult<Token> {
    let id = CeremonyId::fresh();
    let token = Token::issue(TokenKind::Ceremony, id);
    sqlx::query!(
        "insert into ceremonies (id, token_hash, purpose, user_id, state, created_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7)",
        id.uuid(),
        &token.hash(),
        purpose.as_str(),
        user.map(|user| user.uuid()),
        decoded(serde_json::to_value(state))?,
        now,
        now + TTL
    )
    .execute(tx.conn())
    .await?;
    Ok(token)
}

/// Finds a ceremony under way without using it up, for a step that may be tried again.
pub async fn find<S: DeserializeOwned>(
    tx: &mut SystemTx,
    purpose: Purpose,
    token: &Token,
    now: OffsetDateTime,
) -> DbResult<Option<Ceremony<S>>> {
    let row = sqlx::query!(
        r#"select id as "id: CeremonyId", token_hash, user_id as "user: UserId", state, expires_at
            from ceremonies where id = $1 and purpose = $2 and expires_at > $3"#,
        token.row::<()>().uuid(),
        purpose.as_str(),
        now
    );
    let row = row.fetch_optional(tx.conn()).await?.filter(|row| token.matches(&row.token_hash));
    // A state that an earlier version left and this one cannot read is as good as none: its person starts
    // again.
    Ok(row.and_then(|row| {
        let state = serde_json::from_value(row.state).ok()?;
        Some(Ceremony { id: row.id, user: row.user, state, expires_at: row.expires_at })
    }))
}

/// Uses a ceremony up; of several at once only one gets `true`, and only that one may go on.
pub async fn finish(tx: &mut SystemTx, ceremony: CeremonyId) -> DbResult<bool> {
    let done = sqlx::query!("delete from ceremonies where id = $1", ceremony.uuid());
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Finds a ceremony and uses it up, for a step that has one try.
pub async fn take<S: DeserializeOwned>(
    tx: &mut SystemTx,
    purpose: Purpose,
    token: &Token,
    now: OffsetDateTime,
) -> DbResult<Option<Ceremony<S>>> {
    let Some(ceremony) = find(tx, purpose, token, now).await? else {
        return Ok(None);
    };
    Ok(finish(tx, ceremony.id).await?.then_some(ceremony))
}

/// Ends everything a person has under way, for a changed password.
pub async fn delete_all(tx: &mut SystemTx, user: UserId) -> DbResult<u64> {
    let done = sqlx::query!("delete from ceremonies where user_id = $1", user.uuid());
    Ok(done.execute(tx.conn()).await?.rows_affected())
}

/// Deletes what nobody finished in time and says how many.
pub async fn sweep(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<u64> {
    let done = sqlx::query!("delete from ceremonies where expires_at <= $1", now);
    Ok(done.execute(tx.conn()).await?.rows_affected())
}
