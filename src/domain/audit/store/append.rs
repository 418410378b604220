//! Appending, and the only makers of [`Audited`].

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::ids::{EventId, OrgId},
    domain::audit::{
        canon::{Record, to_micros},
        chain::{ChainHead, Hash, link},
        entry::Entry,
        store::lock_head,
    },
    io::db::{Audited, DbResult, Tx},
};

/// Why a change needs no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrecorded {
    /// Removal of what had expired.
    Housekeeping,
    /// When and from where a session or key was last used.
    LastSeen,
    /// A letter's way through the outbox.
    MailQueue,
    /// A job's way through the queue.
    JobQueue,
    /// A sign-in or passkey ceremony that is not finished; its end is recorded.
    Ceremony,
    /// Counting towards a protective limit.
    AttemptCount,
    /// The kept answer to a repeated request.
    IdempotentAnswer,
    /// A checkpoint or signing key, which belong to the record itself.
    Checkpoint,
    /// A replica says that it lives.
    Replica,
    /// A new token of a connected account, or one more try for it; what its owner has to mend is recorded.
    TokenRefresh,
    /// One batch of re-wrapped or re-sealed keys; start and end of a rotation are recorded.
    Resealing,
    /// What is being written and puts nothing in force; its publication is recorded.
    Draft,
    /// A call that waits for a human; the record of the call names it.
    Asked,
    /// A call that its agent called off while it waited; what comes of the call is recorded.
    CalledOff,
    /// The way of a call that waits as a task; what comes of the call is recorded.
    Task,
    /// A server's question, or the answer to it, on its way between replicas; what comes of the call is recorded.
    Question,
    /// The arguments of a call whose intent is recorded.
    Arguments,
    /// What an agent wants to hear of, or no longer; that it said so is recorded.
    Subscription,
    /// A person's own view: theme, dismissed hints, the organization last visited.
    Preference,
    /// The request turned out to change nothing.
    NothingChanged,
}

/// The proof that [`append`] ran, for [`commit_appended`].
#[derive(Debug)]
#[must_use = "end the transaction with audit::commit_appended"]
pub struct Appended {
    events: Vec<EventId>,
}

impl Appended {
    /// The ids of the events, in the order of the entries.
    pub fn events(&self) -> &[EventId] {
        &self.events
    }
}

/// Records what happened and keeps it together with the change.
///
/// An empty list keeps nothing: what is not recorded is not done.
///
/// # Errors
/// When the database refuses or is away; then neither change nor record stand.
pub async fn commit<T: Tx>(mut tx: T, now: OffsetDateTime, entries: Vec<Entry>) -> DbResult<Vec<EventId>> {
    debug_assert!(!entries.is_empty(), "a change without a record ends in commit_unrecorded and says why");
    if entries.is_empty() {
        tx.done().await?;
        return Ok(Vec::new());
    }
    let appended = append(&mut tx, now, entries).await?;
    commit_appended(tx, appended).await
}

/// Keeps a transaction whose events [`append`] has written.
///
/// # Errors
/// When the database refuses or is away; then neither change nor record stand.
pub async fn commit_appended<T: Tx>(tx: T, appended: Appended) -> DbResult<Vec<EventId>> {
    tx.commit(Audited::decided_by_the_audit_room()).await?;
    Ok(appended.events)
}

/// Keeps a change that needs no record, for a named reason.
///
/// # Errors
/// When the database refuses or is away; then the change does not stand.
pub async fn commit_unrecorded<T: Tx>(tx: T, why: Unrecorded) -> DbResult<()> {
    tracing::trace!(?why, "kept without a record");
    tx.commit(Audited::decided_by_the_audit_room()).await
}

/// Appends to the transaction's chain and leaves the transaction open.
///
/// The chain's head stays locked until the transaction ends, so call it as late as possible.
///
/// # Errors
/// When the database refuses or is away.
pub async fn append(tx: &mut impl Tx, now: OffsetDateTime, entries: Vec<Entry>) -> DbResult<Appended> {
    let org = OrgId::from_uuid(tx.chain());
    append_to(tx.conn(), org, now, entries).await
}

async fn append_to(
    conn: &mut PgConnection,
    org: OrgId,
    now: OffsetDateTime,
    entries: Vec<Entry>,
) -> DbResult<Appended> {
    let head = lock_head(conn, org).await?;
    let (rows, head) = Rows::of(head.chain, to_micros(now), entries);
    insert(conn, &rows, head).await?;
    Ok(Appended { events: rows.ids.into_iter().map(EventId::from_uuid).collect() })
}

/// The new rows, column by column as `unnest` takes them.
#[derive(Default)]
struct Rows {
    seqs: Vec<i64>,
    ids: Vec<Uuid>,
    ats: Vec<OffsetDateTime>,
    kinds: Vec<&'static str>,
    actions: Vec<String>,
    actor_kinds: Vec<String>,
    actor_ids: Vec<Option<String>>,
    actor_names: Vec<String>,
    user_ids: Vec<Option<Uuid>>,
    target_kinds: Vec<Option<String>>,
    target_ids: Vec<Option<String>>,
    target_names: Vec<Option<String>>,
    decisions: Vec<&'static str>,
    request_ids: Vec<Option<Uuid>>,
    ips: Vec<Option<String>>,
    records: Vec<Vec<u8>>,
    prev_hashes: Vec<Vec<u8>>,
    hashes: Vec<Vec<u8>>,
}

impl Rows {
    /// Links the entries behind the head; returns the rows and the new head.
    fn of(mut head: ChainHead, at: OffsetDateTime, entries: Vec<Entry>) -> (Self, ChainHead) {
        let mut rows = Self::default();
        for entry in entries {
            let seq = head.seq + 1;
            let record = entry.at_place(head.org, seq, EventId::fresh(), at);
            let bytes = record.to_bytes();
            let hash = link(head.org, seq, head.head, &bytes);
            rows.push(record, bytes, head.head, hash);
            head = ChainHead { head: hash, seq, ..head };
        }
        (rows, head)
    }

    fn push(&mut self, record: Record, bytes: Vec<u8>, prev: Hash, hash: Hash) {
        let (target_kind, target_id, target_name) =
            record.target.map_or((None, None, None), |t| (Some(t.kind), Some(t.id), Some(t.name)));
        self.seqs.push(record.seq);
        self.ids.push(record.id.uuid());
        self.ats.push(record.at);
        self.kinds.push(record.kind.name());
        self.actions.push(record.action);
        self.actor_kinds.push(record.actor.kind);
        self.actor_ids.push(record.actor.id);
        self.actor_names.push(record.actor.name);
        self.user_ids.push(record.user.map(|user| user.uuid()));
        self.target_kinds.push(target_kind);
        self.target_ids.push(target_id);
        self.target_names.push(target_name);
        self.decisions.push(record.decision.name());
        self.request_ids.push(record.origin.as_ref().map(|origin| origin.request.uuid()));
        self.ips.push(record.origin.and_then(|origin| origin.ip).map(|ip| ip.to_string()));
        self.records.push(bytes);
        self.prev_hashes.push(prev.0.to_vec());
        self.hashes.push(hash.0.to_vec());
    }
}

/// Inserts the rows and moves the head in one statement.
async fn insert(conn: &mut PgConnection, rows: &Rows, head: ChainHead) -> DbResult<()> {
    sqlx::query!(
        "with moved as (update audit_heads set seq = $2, hash = $3 where org_id = $1)
        insert into events (org_id, seq, id, at, kind, action, actor_kind, actor_id, actor_name, user_id,
            target_kind, target_id, target_name, decision, request_id, ip, record, prev_hash, hash)
        select $1, new.seq, new.id, new.at, new.kind, new.action, new.actor_kind, new.actor_id,
            new.actor_name, new.user_id, new.target_kind, new.target_id, new.target_name, new.decision,
            new.request_id, new.ip::inet, new.record, new.prev_hash, new.hash
        from unnest($4::bigint[], $5::uuid[], $6::timestamptz[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::text[], $12::uuid[], $13::text[], $14::text[], $15::text[], $16::text[],
            $17::uuid[], $18::text[], $19::bytea[], $20::bytea[], $21::bytea[])
        as new (seq, id, at, kind, action, actor_kind, actor_id, actor_name, user_id, target_kind, target_id,
            target_name, decision, request_id, ip, record, prev_hash, hash)",
        head.org.uuid(),
        head.seq,
        &head.head.0,
        &rows.seqs,
        &rows.ids,
        &rows.ats,
        &rows.kinds as _,
        &rows.actions,
        &rows.actor_kinds,
        &rows.actor_ids as _,
        &rows.actor_names,
        &rows.user_ids as _,
        &rows.target_kinds as _,
        &rows.target_ids as _,
        &rows.target_names as _,
        &rows.decisions as _,
        &rows.request_ids as _,
        &rows.ips as _,
        &rows.records,
        &rows.prev_hashes,
        &rows.hashes,
    )
    .execute(conn)
    .await?;
    Ok(())
}
