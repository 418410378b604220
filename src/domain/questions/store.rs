//! All SQL of questions that wait. Their times are the database's, for replicas have to agree on them.

use std::time::Duration;

use crate::{
    base::ids::{CallQuestionId, DataKeyId, GrantId, ServerId},
    domain::questions::{NewQuestion, Open, SealedWords, Stand},
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// The table of questions, as its sealed values are bound to it.
pub const TABLE: &str = "call_questions";
/// The column of what an agent said.
pub const SEALED_WORDS: &str = "sealed_words";
/// The table of pieces.
pub const PIECES: &str = "call_pieces";
/// The column of one piece.
pub const SEALED_PIECE: &str = "sealed_piece";

/// For how long a replica that goes on with a call may say nothing before it is taken for dead.
const SILENCE: Duration = Duration::from_secs(30);
/// How many pieces are read at once.
const AT_ONCE: i64 = 16;
/// How many pieces may lie unread; beyond, whoever leaves them waits, and reads no more of its server.
const ROOM: i64 = 32;

/// Notes that an agent is asked something, for so long.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut OrgTx, new: &NewQuestion<'_>, waits: Duration) -> DbResult<()> {
    sqlx::query!(
        "insert into call_questions (org_id, id, grant_id, server_id, call, wanted, expires_at)
        values ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7))",
        tx.org().uuid(),
        new.id.uuid(),
        new.grant.uuid(),
        new.server.uuid(),
        new.call.map(|call| call.as_slice()),
        new.wanted,
        waits.as_secs_f64()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A question that this grant may answer still, of this server where one is named.
///
/// # Errors
/// When the database refuses.
pub async fn find_open(
    tx: &mut OrgTx,
    id: CallQuestionId,
    grant: GrantId,
    server: Option<ServerId>,
) -> DbResult<Option<Open>> {
    let row = sqlx::query_as!(
        Open,
        "select call, wanted from call_questions where org_id = $1 and id = $2 and grant_id = $3
            and ($4::uuid is null or server_id = $4) and sealed_words is null and expires_at > clock_timestamp()",
        tx.org().uuid(),
        id.uuid(),
        grant.uuid(),
        server.map(ServerId::uuid)
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// Leaves what an agent said for the replica that asked, and waits for so long for what comes of it; not where somebody
/// was faster.
///
/// # Errors
/// When the database refuses.
pub async fn answer(
    tx: &mut OrgTx,
    id: CallQuestionId,
    words: &SealedWords,
    waits: Duration,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update call_questions set sealed_words = $3, words_key_id = $4,
            expires_at = clock_timestamp() + make_interval(secs => $5)
        where org_id = $1 and id = $2 and sealed_words is null and expires_at > clock_timestamp()",
        tx.org().uuid(),
        id.uuid(),
        words.bytes,
        words.key.uuid(),
        waits.as_secs_f64()
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes what agents said elsewhere to any of these questions, once.
///
/// # Errors
/// When the database refuses.
pub async fn take(tx: &mut OrgTx, ids: &[CallQuestionId]) -> DbResult<Vec<(CallQuestionId, SealedWords)>> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"update call_questions set alive_at = clock_timestamp()
        where org_id = $1 and id = any($2) and sealed_words is not null and alive_at is null
        returning id as "id: CallQuestionId", sealed_words as "bytes!", words_key_id as "key!: DataKeyId""#,
        tx.org().uuid(),
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, SealedWords { key: row.key, bytes: row.bytes })).collect())
}

/// Says that the replica that took the words lives; whether anybody still waits for what the call comes to.
///
/// # Errors
/// When the database refuses.
pub async fn beat(tx: &mut OrgTx, id: CallQuestionId) -> DbResult<bool> {
    let done = sqlx::query!(
        "update call_questions set alive_at = clock_timestamp()
        where org_id = $1 and id = $2 and expires_at > clock_timestamp()",
        tx.org().uuid(),
        id.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Says that the agent still waits for what the call comes to, and for how long nobody has to hear it again.
///
/// # Errors
/// When the database refuses.
pub async fn wait(tx: &mut OrgTx, id: CallQuestionId, waits: Duration) -> DbResult<()> {
    sqlx::query!(
        "update call_questions set expires_at = clock_timestamp() + make_interval(secs => $3)
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        waits.as_secs_f64()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Leaves one more piece of what the call comes to; not where nobody waits for it any longer, or too much lies unread. One
/// that is left again, because it is not known whether it was, lies there once.
///
/// # Errors
/// When the database refuses.
pub async fn leave(tx: &mut OrgTx, id: CallQuestionId, number: i32, piece: &SealedWords) -> DbResult<bool> {
    let done = sqlx::query!(
        "insert into call_pieces (org_id, question_id, number, sealed_piece, key_id)
        select q.org_id, q.id, $3, $4, $5 from call_questions q
        where q.org_id = $1 and q.id = $2 and q.expires_at > clock_timestamp()
            and (select count(*) from call_pieces p
                where p.org_id = $1 and p.question_id = $2 and p.number <> $3) < $6
        on conflict (org_id, question_id, number)
            do update set sealed_piece = excluded.sealed_piece, key_id = excluded.key_id",
        tx.org().uuid(),
        id.uuid(),
        number,
        piece.bytes,
        piece.key.uuid(),
        ROOM
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets the pieces before this number: the agent has them.
///
/// # Errors
/// When the database refuses.
pub async fn delete_pieces(tx: &mut OrgTx, id: CallQuestionId, before: i32) -> DbResult<()> {
    sqlx::query!(
        "delete from call_pieces where org_id = $1 and question_id = $2 and number < $3",
        tx.org().uuid(),
        id.uuid(),
        before
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The next pieces, from this number on, in their order.
///
/// # Errors
/// When the database refuses.
pub async fn list_pieces(tx: &mut OrgTx, id: CallQuestionId, from: i32) -> DbResult<Vec<SealedWords>> {
    let rows = sqlx::query_as!(
        SealedWords,
        r#"select key_id as "key: DataKeyId", sealed_piece as bytes from call_pieces
        where org_id = $1 and question_id = $2 and number >= $3 order by number limit $4"#,
        tx.org().uuid(),
        id.uuid(),
        from,
        AT_ONCE
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// Where an answered question stands; none where it is forgotten.
///
/// # Errors
/// When the database refuses.
pub async fn stand(tx: &mut OrgTx, id: CallQuestionId) -> DbResult<Option<Stand>> {
    let row = sqlx::query!(
        r#"select alive_at is null as "is_left!",
            coalesce(alive_at < clock_timestamp() - make_interval(secs => $3), false) as "is_silent!"
        from call_questions where org_id = $1 and id = $2"#,
        tx.org().uuid(),
        id.uuid(),
        SILENCE.as_secs_f64()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| match (row.is_left, row.is_silent) {
        (true, _) => Stand::Left,
        (false, true) => Stand::Silent,
        (false, false) => Stand::Taken,
    }))
}

/// Forgets a question whose words nobody took; not where somebody did, who goes on with the call.
///
/// # Errors
/// When the database refuses.
pub async fn delete_untaken(tx: &mut OrgTx, id: CallQuestionId) -> DbResult<bool> {
    let done = sqlx::query!(
        "delete from call_questions where org_id = $1 and id = $2 and alive_at is null",
        tx.org().uuid(),
        id.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets questions, with all that was said to them.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut OrgTx, ids: &[CallQuestionId]) -> DbResult<()> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query!("delete from call_questions where org_id = $1 and id = any($2)", tx.org().uuid(), &ids)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Forgets the questions of replicas that went away, in all organizations.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(tx: &mut SystemTx) -> DbResult<u64> {
    let swept = sqlx::query!(
        "delete from call_questions where org_id is not null and expires_at < clock_timestamp() - interval '1 hour'"
    )
    .execute(tx.conn())
    .await?;
    Ok(swept.rows_affected())
}
