//! Links sent by mail.

use time::OffsetDateTime;

use crate::{
    base::{
        crypto::token::{Token, TokenKind},
        email::Email,
        ids::{MailTokenId, UserId},
    },
    domain::identity::{
        mail_tokens::{MailToken, Purpose},
        store::decoded,
    },
    io::db::{DbResult, SystemTx, Tx},
};

/// Makes a link for a letter to `email`; older ones of the same purpose stop working.
pub async fn issue(
    tx: &mut impl Tx,
    user: UserId,
    purpose: Purpose,
    email: &Email,
    now: OffsetDateTime,
) -> DbResult<Token> {
    void(tx, user, purpose).await?;
    let id = MailTokenId::fresh();
    let token = Token::issue(TokenKind::Mail, id);
    sqlx::query!(
        "insert into mail_tokens (id, user_id, purpose, email, token_hash, created_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7)",
        id.uuid(),
        user.uuid(),
        purpose.as_str(),
        email.as_str(),
        &token.hash(),
        now,
        now + purpose.ttl()
    )
    .execute(tx.conn())
    .await?;
    Ok(token)
}

/// Makes all links of one purpose stop working and says how many did.
pub async fn void(tx: &mut impl Tx, user: UserId, purpose: Purpose) -> DbResult<u64> {
    let done = sqlx::query!(
        "delete from mail_tokens where user_id = $1 and purpose = $2",
        user.uuid(),
        purpose.as_str()
    );
    Ok(done.execute(tx.conn()).await?.rows_affected())
}

/// Finds a link that works without using it up, to show its page.
pub async fn find(
    tx: &mut SystemTx,
    purpose: Purpose,
    token: &Token,
    now: OffsetDateTime,
) -> DbResult<Option<MailToken>> {
    let row = sqlx::query!(
        r#"select id as "id: MailTokenId", user_id as "user: UserId", email, token_hash, expires_at
            from mail_tokens where id = $1 and purpose = $2 and used_at is null and expires_at > $3"#,
        token.row::<()>().uuid(),
        purpose.as_str(),
        now
    );
    let row = row.fetch_optional(tx.conn()).await?.filter(|row| token.matches(&row.token_hash));
    row.map(|row| {
        let email = decoded(row.email.parse())?;
        Ok(MailToken { id: row.id, user: row.user, email, expires_at: row.expires_at })
    })
    .transpose()
}

/// Uses a link up; of several at once only one gets it.
pub async fn redeem(
    tx: &mut SystemTx,
    purpose: Purpose,
    token: &Token,
    now: OffsetDateTime,
) -> DbResult<Option<MailToken>> {
    let Some(found) = find(tx, purpose, token, now).await? else {
        return Ok(None);
    };
    let done = sqlx::query!(
        "update mail_tokens set used_at = $2 where id = $1 and used_at is null",
        found.id.uuid(),
        now
    );
    Ok((done.execute(tx.conn()).await?.rows_affected() == 1).then_some(found))
}

/// Deletes what no longer works by its age and says how many.
pub async fn sweep(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<u64> {
    let done = sqlx::query!("delete from mail_tokens where expires_at <= $1", now);
    Ok(done.execute(tx.conn()).await?.rows_affected())
}
