//! Browser sessions.

use std::net::IpAddr;

use time::OffsetDateTime;

use crate::{
    base::{
        crypto::token::{Token, TokenKind},
        ids::{SessionId, UserId},
    },
    domain::identity::{
        sessions::{ABSOLUTE_TTL, IDLE_TTL, Method, NewSession, Session},
        store::{decoded, users},
        users::User,
    },
    io::db::{DbResult, SystemTx, Tx},
};

/// Signs a person in; the token goes into their cookie.
pub async fn insert(tx: &mut impl Tx, new: &NewSession, now: OffsetDateTime) -> DbResult<(Token, Session)> {
    let id = SessionId::fresh();
    let token = Token::issue(TokenKind::Session, id);
    let session = Session {
        id,
        user: new.user,
        created_at: now,
        last_seen_at: now,
        expires_at: now + ABSOLUTE_TTL,
        ip: new.ip,
        user_agent: new.user_agent.clone(),
        methods: new.methods.clone(),
        proven_at: now,
    };
    sqlx::query!(
        "insert into sessions (id, user_id, token_hash, created_at, last_seen_at, expires_at, ip, user_agent,
                methods, proven_at)
            values ($1, $2, $3, $4, $4, $5, ($6::text)::inet, $7, $8, $4)",
        id.uuid(),
        new.user.uuid(),
        &token.hash(),
        now,
        session.expires_at,
        new.ip.map(|ip| ip.to_string()),
        new.user_agent,
        &names(&new.methods),
    )
    .execute(tx.conn())
    .await?;
    Ok((token, session))
}

/// Recognizes who a cookie belongs to: the live session and its person, where the person is not shut out.
pub async fn recognize(
    tx: &mut SystemTx,
    token: &Token,
    now: OffsetDateTime,
) -> DbResult<Option<(Session, User)>> {
    let row = sqlx::query_as!(
        SessionRow,
        r#"select id as "id: SessionId", user_id as "user: UserId", token_hash, created_at, last_seen_at,
                expires_at, host(ip) as ip, user_agent, methods, proven_at
            from sessions where id = $1"#,
        token.row::<()>().uuid()
    );
    let Some(row) = row.fetch_optional(tx.conn()).await? else {
        return Ok(None);
    };
    if !token.matches(&row.token_hash) {
        return Ok(None);
    }
    let session = row.read()?;
    if !session.is_live(now) {
        return Ok(None);
    }
    let user = users::find(tx, session.user).await?;
    Ok(user.filter(|user| !user.is_disabled()).map(|user| (session, user)))
}

/// Writes down the last request; call it where [`Session::is_touch_due`].
pub async fn touch(
    tx: &mut impl Tx,
    session: &Session,
    ip: Option<IpAddr>,
    now: OffsetDateTime,
) -> DbResult<()> {
    sqlx::query!(
        "update sessions set last_seen_at = $3, ip = coalesce(($4::text)::inet, ip)
            where id = $1 and user_id = $2 and last_seen_at < $3",
        session.id.uuid(),
        session.user.uuid(),
        now,
        ip.map(|ip| ip.to_string())
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives a session a new token, for a change of rights; the old cookie is dead. `None` when the session is
/// gone.
pub async fn rotate(tx: &mut impl Tx, user: UserId, session: SessionId) -> DbResult<Option<Token>> {
    let token = Token::issue(TokenKind::Session, session);
    let done = sqlx::query!(
        "update sessions set token_hash = $3 where id = $1 and user_id = $2",
        session.uuid(),
        user.uuid(),
        &token.hash()
    );
    Ok((done.execute(tx.conn()).await?.rows_affected() == 1).then_some(token))
}

/// Notes that the person proved themselves again, and gives the session a new token. `None` when it is gone.
pub async fn prove(
    tx: &mut impl Tx,
    user: UserId,
    session: SessionId,
    method: Method,
    now: OffsetDateTime,
) -> DbResult<Option<Token>> {
    let token = Token::issue(TokenKind::Session, session);
    let done = sqlx::query!(
        "update sessions set token_hash = $3, proven_at = $4,
                methods = case when $5 = any(methods) then methods else methods || $5::text end
            where id = $1 and user_id = $2",
        session.uuid(),
        user.uuid(),
        &token.hash(),
        now,
        method.as_str()
    );
    Ok((done.execute(tx.conn()).await?.rows_affected() == 1).then_some(token))
}

/// A person's live sessions, the latest used first.
pub async fn list(tx: &mut impl Tx, user: UserId, now: OffsetDateTime) -> DbResult<Vec<Session>> {
    let rows = sqlx::query_as!(
        SessionRow,
        r#"select id as "id: SessionId", user_id as "user: UserId", token_hash, created_at, last_seen_at,
                expires_at, host(ip) as ip, user_agent, methods, proven_at
            from sessions where user_id = $1 and expires_at > $2 and last_seen_at > $3
            order by last_seen_at desc, id desc"#,
        user.uuid(),
        now,
        now - IDLE_TTL
    );
    rows.fetch_all(tx.conn()).await?.into_iter().map(SessionRow::read).collect()
}

/// Ends one session of a person; `false` when they have no such session.
pub async fn delete(tx: &mut impl Tx, user: UserId, session: SessionId) -> DbResult<bool> {
    let done =
        sqlx::query!("delete from sessions where id = $1 and user_id = $2", session.uuid(), user.uuid());
    Ok(done.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Ends all sessions of a person and says how many.
pub async fn delete_all(tx: &mut impl Tx, user: UserId) -> DbResult<u64> {
    let done = sqlx::query!("delete from sessions where user_id = $1", user.uuid());
    Ok(done.execute(tx.conn()).await?.rows_affected())
}

/// Ends all sessions of a person but one and says how many.
pub async fn delete_others(tx: &mut impl Tx, user: UserId, keep: SessionId) -> DbResult<u64> {
    let done = sqlx::query!("delete from sessions where user_id = $1 and id <> $2", user.uuid(), keep.uuid());
    Ok(done.execute(tx.conn()).await?.rows_affected())
}

/// Deletes what no longer opens any door and says how many.
pub async fn sweep(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<u64> {
    let done = sqlx::query!(
        "delete from sessions where expires_at <= $1 or last_seen_at <= $2",
        now,
        now - IDLE_TTL
    );
    Ok(done.execute(tx.conn()).await?.rows_affected())
}

fn names(methods: &[Method]) -> Vec<String> {
    methods.iter().map(|method| method.as_str().to_owned()).collect()
}

struct SessionRow {
    id: SessionId,
    user: UserId,
    token_hash: Vec<u8>,
    created_at: OffsetDateTime,
    last_seen_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    ip: Option<String>,
    user_agent: Option<String>,
    methods: Vec<String>,
    proven_at: OffsetDateTime,
}

impl SessionRow {
    fn read(self) -> DbResult<Session> {
        Ok(Session {
            id: self.id,
            user: self.user,
            created_at: self.created_at,
            last_seen_at: self.last_seen_at,
            expires_at: self.expires_at,
            ip: decoded(self.ip.map(|ip| ip.parse()).transpose())?,
            user_agent: self.user_agent,
            methods: self.methods.iter().filter_map(|name| Method::stored(name)).collect(),
            proven_at: self.proven_at,
        })
    }
}
