//! All SQL of the outbox.

use time::OffsetDateTime;

use crate::{
    base::{
        ids::{DataKeyId, LetterId},
        page::{Page, PageRequest},
    },
    domain::outbox::{
        ClaimedLetter, KeptLetter, LetterRow, LetterState, NewLetter, NotALetterState, SealedContent, rules,
    },
    io::db::{DbResult, SystemTx, Tx},
};

/// Queues a letter with the change that asks for it: both are kept or neither.
///
/// # Errors
/// When the database is away.
pub async fn insert(tx: &mut impl Tx, now: OffsetDateTime, letter: NewLetter<'_>) -> DbResult<()> {
    sqlx::query!(
        "insert into letters (id, recipient, kind, chain_id, sealed_content, data_key_id, state, next_attempt_at, created_at)
         values ($1, $2, $3, $4, $5, $6, 'queued', $7, $7)",
        letter.id as LetterId,
        letter.recipient.as_str(),
        letter.kind,
        letter.content.chain,
        letter.content.bytes,
        letter.content.key as DataKeyId,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes the letter that is due longest; replicas that claim at once get different letters.
///
/// # Errors
/// When the database is away.
pub async fn claim(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<Option<ClaimedLetter>> {
    let row = sqlx::query!(
        r#"with due as (
            select id from letters where state = 'queued' and next_attempt_at <= $1
            order by next_attempt_at limit 1 for update skip locked)
        update letters set attempts = attempts + 1, next_attempt_at = $2
        from due where letters.id = due.id
        returning letters.id as "id: LetterId", recipient, kind, chain_id, sealed_content,
            data_key_id as "data_key_id: DataKeyId", attempts, created_at"#,
        now,
        now + rules::LEASE_TTL,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| ClaimedLetter {
        id: r.id,
        recipient: r.recipient,
        kind: r.kind,
        content: SealedContent { chain: r.chain_id, key: r.data_key_id, bytes: r.sealed_content },
        attempt: r.attempts,
        created_at: r.created_at,
    }))
}

/// Marks a letter as sent and wipes what it said; false where the claim has lapsed.
///
/// # Errors
/// When the database is away.
pub async fn mark_sent(tx: &mut SystemTx, now: OffsetDateTime, letter: &ClaimedLetter) -> DbResult<bool> {
    let marked = sqlx::query!(
        "update letters set state = 'sent', sent_at = $3, sealed_content = '', last_error = null
         where id = $1 and attempts = $2 and state = 'queued'",
        letter.id as LetterId,
        letter.attempt,
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(marked == 1)
}

/// Records a failed attempt: the letter is tried again at `again_at`, or kept for the operator where that is nothing.
///
/// False where the claim has lapsed.
///
/// # Errors
/// When the database is away.
pub async fn mark_failed(
    tx: &mut SystemTx,
    letter: &ClaimedLetter,
    error: &str,
    again_at: Option<OffsetDateTime>,
) -> DbResult<bool> {
    let marked = sqlx::query!(
        "update letters set last_error = $3, next_attempt_at = coalesce($4, next_attempt_at),
            state = case when $4::timestamptz is null then 'failed' else 'queued' end
         where id = $1 and attempts = $2 and state = 'queued'",
        letter.id as LetterId,
        letter.attempt,
        rules::shorten(error),
        again_at,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(marked == 1)
}

/// Keeps every due letter for the operator, because no mail server is set.
///
/// # Errors
/// When the database is away.
pub async fn hold_due(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<u64> {
    let held = sqlx::query!(
        "update letters set state = 'held' where state = 'queued' and next_attempt_at <= $1",
        now
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(held)
}

/// When the next queued letter is due.
///
/// # Errors
/// When the database is away.
pub async fn next_due(tx: &mut SystemTx) -> DbResult<Option<OffsetDateTime>> {
    Ok(sqlx::query_scalar!("select min(next_attempt_at) from letters where state = 'queued'")
        .fetch_one(tx.conn())
        .await?)
}

/// Lists letters for the operator, newest first; without a state, all of them.
///
/// # Errors
/// When the database is away.
pub async fn list(
    tx: &mut SystemTx,
    state: Option<LetterState>,
    page: &PageRequest<LetterId>,
) -> DbResult<Page<LetterRow>> {
    let rows = sqlx::query!(
        r#"select id as "id: LetterId", recipient, kind, state, attempts, next_attempt_at, last_error, created_at,
            sent_at
        from letters
        where ($1::text is null or state = $1) and ($2::uuid is null or id < $2)
        order by id desc limit $3"#,
        state.map(LetterState::as_str),
        page.after as Option<LetterId>,
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut letters = Vec::with_capacity(rows.len());
    for r in rows {
        letters.push(LetterRow {
            id: r.id,
            recipient: r.recipient,
            kind: r.kind,
            state: parse_state(&r.state)?,
            attempts: r.attempts,
            next_attempt_at: r.next_attempt_at,
            last_error: r.last_error,
            created_at: r.created_at,
            sent_at: r.sent_at,
        });
    }
    Ok(Page::cut(letters, page.limit, |row| row.id))
}

/// Finds one letter with what it says.
///
/// # Errors
/// When the database is away.
pub async fn find(tx: &mut SystemTx, id: LetterId) -> DbResult<Option<KeptLetter>> {
    let row = sqlx::query!(
        r#"select recipient, kind, chain_id, sealed_content, data_key_id as "data_key_id: DataKeyId", state, attempts,
            next_attempt_at, last_error, created_at, sent_at
        from letters where id = $1"#,
        id as LetterId,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(r) = row else { return Ok(None) };
    let content = SealedContent { chain: r.chain_id, key: r.data_key_id, bytes: r.sealed_content };
    Ok(Some(KeptLetter {
        row: LetterRow {
            id,
            recipient: r.recipient,
            kind: r.kind,
            state: parse_state(&r.state)?,
            attempts: r.attempts,
            next_attempt_at: r.next_attempt_at,
            last_error: r.last_error,
            created_at: r.created_at,
            sent_at: r.sent_at,
        },
        content: (!content.bytes.is_empty()).then_some(content),
    }))
}

/// Queues a held or failed letter again from its first attempt; false where it is neither.
///
/// # Errors
/// When the database is away.
pub async fn resend(tx: &mut SystemTx, now: OffsetDateTime, id: LetterId) -> DbResult<bool> {
    let queued = sqlx::query!(
        "update letters set state = 'queued', attempts = 0, next_attempt_at = $2
         where id = $1 and state in ('held', 'failed')",
        id as LetterId,
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(queued == 1)
}

/// How many letters are in each state.
///
/// # Errors
/// When the database is away.
pub async fn count(tx: &mut SystemTx) -> DbResult<Vec<(LetterState, i64)>> {
    let rows =
        sqlx::query!(r#"select state, count(*) as "count!" from letters group by state order by state"#)
            .fetch_all(tx.conn())
            .await?;
    rows.into_iter().map(|r| Ok((parse_state(&r.state)?, r.count))).collect()
}

/// Deletes letters sent before `sent`, and held or failed ones made before `kept`, a few thousand at a time.
///
/// # Errors
/// When the database is away.
pub async fn sweep(tx: &mut SystemTx, sent: OffsetDateTime, kept: OffsetDateTime) -> DbResult<u64> {
    let swept = sqlx::query!(
        "delete from letters where id in (
            select id from letters
            where (state = 'sent' and sent_at < $1) or (state in ('held', 'failed') and created_at < $2)
            limit 5000)",
        sent,
        kept,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(swept)
}

fn parse_state(text: &str) -> DbResult<LetterState> {
    Ok(text.parse().map_err(|e: NotALetterState| sqlx::Error::Decode(e.into()))?)
}
