//! Records of calls: many at once, in one round trip.

use std::collections::HashMap;

use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::ids::{ApprovalId, EventId, OrgId, ReplicaId},
    domain::audit::{
        canon::{Numbered, Record},
        chain::{ChainHead, Hash, link},
        entry::Entry,
        store::checkpoints::hash_of,
    },
    io::db::{Db, DbResult, OrgScope, OrgStatement, OrgTx, SystemTx, Tx},
};

/// One record of a call on its way into the chain.
#[derive(Clone, Debug)]
pub struct CallEntry {
    /// The event's id, made before, so that the outcome can name the intent.
    pub id: EventId,
    /// When it happened.
    pub at: OffsetDateTime,
    /// What happened.
    pub entry: Entry,
    /// The epoch it was judged at, where it may stand only while that is still the organization's.
    pub epoch: Option<i64>,
    /// Whether an outcome will follow.
    pub opens: bool,
    /// The intent of which this is the outcome.
    pub closes: Option<EventId>,
    /// Whether it was handed in before and nobody knows whether it stands.
    pub again: bool,
    /// What the call counts in limits, as `reserve_limits` reads it: it stands only where all of them have room.
    pub limits: Option<String>,
    /// The approval that it uses: it stands only where that may still be used.
    pub approval: Option<ApprovalId>,
    /// Where the ended call held something of limits: whether it is given back.
    pub settles: Option<bool>,
}

impl CallEntry {
    /// A record on its own: no call begins or ends with it, and it stands at any epoch.
    pub const fn new(id: EventId, at: OffsetDateTime, entry: Entry) -> Self {
        Self {
            id,
            at,
            entry,
            epoch: None,
            opens: false,
            closes: None,
            again: false,
            limits: None,
            approval: None,
            settles: None,
        }
    }
}

/// Why a record does not stand that was judged at the right epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A limit has no room.
    Limit {
        /// Its place among those of the call.
        at: usize,
        /// How much is used, as a decimal.
        used: String,
        /// In how many seconds there may be room.
        retry_after: u32,
    },
    /// The approval is used, over or gone.
    Approval,
    /// The round that it goes on from was gone on from before.
    Round,
}

#[derive(Deserialize)]
struct WrittenLack {
    at: Option<usize>,
    used: Option<String>,
    retry: Option<f64>,
    #[serde(default)]
    round: bool,
}

impl Lack {
    /// What cannot be read is no permission either.
    fn read(text: &str) -> Self {
        match serde_json::from_str(text) {
            Ok(WrittenLack { round: true, .. }) => Self::Round,
            Ok(WrittenLack { at: Some(at), used: Some(used), retry, .. }) => {
                let seconds = retry.unwrap_or(1.0).clamp(1.0, f64::from(u32::MAX));
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "clamped to what fits"
                )]
                Self::Limit { at, used, retry_after: seconds as u32 }
            }
            _ => Self::Approval,
        }
    }
}

/// What became of records handed in together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The organization's epoch; none where the organization is gone.
    pub epoch: Option<i64>,
    /// For each record, in order, whether it stands. One that does not was judged at another epoch, or lacks something.
    pub stands: Vec<bool>,
    /// For each record, in order, what it lacks.
    pub lacks: Vec<Option<Lack>>,
    /// Where the chain ends now.
    pub head: ChainHead,
}

/// A record of a call, written down; only its place in the chain is still to come.
#[derive(Clone, Debug)]
pub struct CallRow {
    /// Without what stands in the bytes alone.
    record: Record,
    ip: Option<String>,
    written: Numbered,
    epoch: Option<i64>,
    opens: bool,
    closes: Option<EventId>,
    again: bool,
    limits: Option<String>,
    approval: Option<ApprovalId>,
    settles: Option<bool>,
}

impl CallEntry {
    /// Writes it down.
    pub fn written(self, org: OrgId) -> CallRow {
        let mut record = self.entry.at_place(org, 0, self.id, self.at);
        let written = record.to_numbered();
        record.call = None;
        CallRow {
            ip: record.origin.as_ref().and_then(|origin| origin.ip).map(|ip| ip.to_string()),
            record,
            written,
            epoch: self.epoch,
            opens: self.opens,
            closes: self.closes,
            again: self.again,
            limits: self.limits,
            approval: self.approval,
            settles: self.settles,
        }
    }
}

impl CallRow {
    /// The same, handed in once more.
    pub const fn once_more(mut self) -> Self {
        self.again = true;
        self
    }
}

/// What records that are handed in together count in limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sum {
    /// This altogether, as `reserve_limits` reads it: where it has room, each of them has. Nothing where none counts.
    Known(Option<String>),
    /// It cannot be said beforehand: each is looked at by itself.
    Unknown,
}

/// The columns, as `unnest` takes them.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    ats: Vec<OffsetDateTime>,
    epochs: Vec<Option<i64>>,
    opens: Vec<bool>,
    closes: Vec<Uuid>,
    actions: Vec<&'a str>,
    actor_kinds: Vec<&'a str>,
    actor_ids: Vec<Option<&'a str>>,
    actor_names: Vec<&'a str>,
    user_ids: Vec<Option<Uuid>>,
    target_kinds: Vec<Option<&'a str>>,
    target_ids: Vec<Option<&'a str>>,
    target_names: Vec<Option<&'a str>>,
    decisions: Vec<&'static str>,
    request_ids: Vec<Option<Uuid>>,
    ips: Vec<Option<&'a str>>,
    records: Vec<&'a [u8]>,
    befores: Vec<i32>,
    throughs: Vec<i32>,
    agains: Vec<bool>,
    limits: Vec<&'a str>,
    limit_places: Vec<Option<i32>>,
    approvals: Vec<Option<Uuid>>,
    settled: Vec<Uuid>,
    backs: Vec<bool>,
}

impl<'a> Columns<'a> {
    fn of(rows: &'a [CallRow]) -> Self {
        let mut columns = Self::default();
        let mut places = HashMap::new();
        for row in rows {
            let limits = row.limits.as_deref();
            let place = limits.map(|text| {
                *places.entry(text).or_insert_with(|| {
                    columns.limits.push(text);
                    length(columns.limits.len())
                })
            });
            columns.limit_places.push(place);
            columns.push(row);
        }
        columns
    }

    fn push(&mut self, row: &'a CallRow) {
        let record = &row.record;
        let target = record.target.as_ref();
        self.ids.push(record.id.uuid());
        self.ats.push(record.at);
        self.epochs.push(row.epoch);
        self.opens.push(row.opens);
        self.closes.extend(row.closes.map(EventId::uuid));
        self.actions.push(&record.action);
        self.actor_kinds.push(&record.actor.kind);
        self.actor_ids.push(record.actor.id.as_deref());
        self.actor_names.push(&record.actor.name);
        self.user_ids.push(record.user.map(|user| user.uuid()));
        self.target_kinds.push(target.map(|target| target.kind.as_str()));
        self.target_ids.push(target.map(|target| target.id.as_str()));
        self.target_names.push(target.map(|target| target.name.as_str()));
        self.decisions.push(record.decision.name());
        self.request_ids.push(record.origin.as_ref().map(|origin| origin.request.uuid()));
        self.ips.push(row.ip.as_deref());
        self.records.push(&row.written.bytes);
        self.befores.push(length(row.written.number.start));
        self.throughs.push(length(row.written.number.end));
        self.agains.push(row.again);
        self.approvals.push(row.approval.map(ApprovalId::uuid));
        if let Some((intent, is_back)) = row.closes.zip(row.settles) {
            self.settled.push(intent.uuid());
            self.backs.push(is_back);
        }
    }
}

/// Lengths of records and of batches, which are far below what fits.
fn length(of: usize) -> i32 {
    i32::try_from(of).unwrap_or(i32::MAX)
}

/// Whether none of the records has to be looked at by itself; then the epoch at which they were judged.
fn plain(rows: &[CallRow]) -> (bool, Option<i64>) {
    let epoch = rows.iter().find_map(|row| row.epoch);
    let is_plain =
        |row: &CallRow| !row.again && row.approval.is_none() && (row.epoch.is_none() || row.epoch == epoch);
    (rows.iter().all(is_plain), epoch)
}

/// Gives the records their numbers behind a place of the chain; returns their hashes.
fn linked(rows: &mut [CallRow], behind: &ChainHead) -> Vec<Hash> {
    let (mut seq, mut last) = (behind.seq, behind.head);
    let links = rows.iter_mut().map(|row| {
        seq += 1;
        row.written.renumber(seq);
        last = link(behind.org, seq, last, &row.written.bytes);
        last
    });
    links.collect()
}

/// Puts records of calls into the organization's chain, in their order; a transaction of its own.
///
/// # Errors
/// When the database refuses or is away; then none of them stands.
pub async fn record_calls(
    db: &Db,
    scope: OrgScope,
    replica: ReplicaId,
    calls: Vec<CallEntry>,
) -> DbResult<Kept> {
    let mut rows: Vec<_> = calls.into_iter().map(|call| call.written(scope.org())).collect();
    CallKeeper::begin(db, scope).await?.keep(replica, &mut rows, None, Sum::Unknown).await
}

/// A connection over which records of an organization's calls are put into its chain.
#[derive(Debug)]
pub struct CallKeeper(OrgStatement);

impl CallKeeper {
    /// Takes a connection.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn begin(db: &Db, scope: OrgScope) -> DbResult<Self> {
        Ok(Self(OrgStatement::begin(db, scope).await?))
    }

    /// Puts records into the chain, in their order; a transaction of its own. It costs least where the end of the chain is
    /// known and what they count is summed up. A wrong guess of the end does no harm: then the database links them.
    ///
    /// # Errors
    /// When the database refuses or is away; then none of them stands.
    pub async fn keep(
        &mut self,
        replica: ReplicaId,
        rows: &mut [CallRow],
        behind: Option<ChainHead>,
        sum: Sum,
    ) -> DbResult<Kept> {
        keep(&mut self.0, replica, rows, behind, sum).await
    }
}

async fn keep(
    statement: &mut OrgStatement,
    replica: ReplicaId,
    rows: &mut [CallRow],
    behind: Option<ChainHead>,
    sum: Sum,
) -> DbResult<Kept> {
    let org = statement.org();
    let (is_plain, epoch) = plain(rows);
    let (is_plain, sum) = match sum {
        Sum::Known(sum) => (is_plain, sum.filter(|_| is_plain)),
        Sum::Unknown => (false, None),
    };
    let behind = behind.filter(|behind| is_plain && behind.org == org);
    let links = behind.map_or_else(Vec::new, |behind| linked(rows, &behind));
    let hashes: Vec<&[u8]> = links.iter().map(|link| link.0.as_slice()).collect();
    let columns = Columns::of(rows);
    let kept = sqlx::query!(
        r#"select epoch, seqs, lacks as "lacks: Vec<Option<String>>", seq as "seq!", hash as "hash!"
        from keep_calls($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
            $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33)"#,
        org.uuid(),
        replica.uuid(),
        behind.map(|behind| behind.seq),
        behind.as_ref().map(|behind| behind.head.0.as_slice()),
        is_plain,
        epoch,
        sum,
        &columns.ids,
        &columns.ats,
        &columns.actions as _,
        &columns.actor_kinds as _,
        &columns.actor_ids as _,
        &columns.actor_names as _,
        &columns.user_ids as _,
        &columns.target_kinds as _,
        &columns.target_ids as _,
        &columns.target_names as _,
        &columns.decisions as _,
        &columns.request_ids as _,
        &columns.ips as _,
        &columns.records as _,
        &hashes as _,
        &columns.befores,
        &columns.throughs,
        &columns.opens,
        &columns.closes,
        &columns.epochs as _,
        &columns.agains,
        &columns.limits as _,
        &columns.limit_places as _,
        &columns.approvals as _,
        &columns.settled,
        &columns.backs,
    )
    .fetch_one(statement.conn())
    .await?;
    let head = ChainHead { head: hash_of(&kept.hash)?, org, seq: kept.seq };
    // Where all of them stand, that is all there is to say.
    let stands =
        kept.seqs.map_or_else(|| vec![true; rows.len()], |seqs| seqs.iter().map(|seq| *seq > 0).collect());
    let lacks = kept.lacks.map_or_else(
        || vec![None; rows.len()],
        |lacks| lacks.iter().map(|lack| lack.as_deref().map(Lack::read)).collect(),
    );
    Ok(Kept { epoch: kept.epoch, stands, lacks, head })
}

/// Whether an intent stands whose outcome does not.
///
/// # Errors
/// When the database is away.
pub async fn is_open(tx: &mut OrgTx, intent: EventId) -> DbResult<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from open_calls c where c.org_id = $1 and c.id = $2) as "is!""#,
        tx.org().uuid(),
        intent.uuid()
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Organizations in which calls stand open that began before a moment on replicas that are no longer there.
///
/// # Errors
/// When the database is away.
pub async fn orgs_with_abandoned_calls(tx: &mut SystemTx, before: OffsetDateTime) -> DbResult<Vec<OrgId>> {
    Ok(sqlx::query_scalar!(
        r#"select distinct c.org_id as "org: OrgId" from open_calls c
        where c.org_id is not null and c.at < $1
            and not exists (select from replicas r where r.id = c.replica_id)
        limit 1000"#,
        before
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Intents of the organization that began before a moment and that no replica of these will close.
///
/// # Errors
/// When the database is away.
pub async fn list_abandoned_calls(
    tx: &mut OrgTx,
    before: OffsetDateTime,
    alive: &[ReplicaId],
) -> DbResult<Vec<EventId>> {
    let alive: Vec<Uuid> = alive.iter().map(|replica| replica.uuid()).collect();
    Ok(sqlx::query_scalar!(
        r#"select c.id as "id: EventId" from open_calls c
        where c.org_id = $1 and c.at < $2 and c.replica_id <> all ($3) order by c.at limit 500"#,
        tx.org().uuid(),
        before,
        &alive
    )
    .fetch_all(tx.conn())
    .await?)
}
