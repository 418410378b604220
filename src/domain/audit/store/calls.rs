//! Records of calls: many at once, in one round trip.

use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::ids::{ApprovalId, EventId, OrgId, ReplicaId},
    domain::audit::{canon::to_micros, entry::Entry},
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
}

/// The columns, as `unnest` takes them.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    ats: Vec<OffsetDateTime>,
    epochs: Vec<Option<i64>>,
    opens: Vec<bool>,
    closes: Vec<Uuid>,
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
    heads: Vec<Vec<u8>>,
    tails: Vec<Vec<u8>>,
    agains: Vec<bool>,
    limits: Vec<Option<String>>,
    approvals: Vec<Option<Uuid>>,
    settled: Vec<Uuid>,
    backs: Vec<bool>,
}

impl Columns {
    fn push(&mut self, org: OrgId, call: CallEntry) {
        let record = call.entry.at_place(org, 0, call.id, call.at);
        let (head, tail) = record.to_parts();
        let target = record.target.map_or((None, None, None), |t| (Some(t.kind), Some(t.id), Some(t.name)));
        self.ids.push(record.id.uuid());
        self.ats.push(to_micros(call.at));
        self.epochs.push(call.epoch);
        self.opens.push(call.opens);
        self.closes.extend(call.closes.map(EventId::uuid));
        self.actions.push(record.action);
        self.actor_kinds.push(record.actor.kind);
        self.actor_ids.push(record.actor.id);
        self.actor_names.push(record.actor.name);
        self.user_ids.push(record.user.map(|user| user.uuid()));
        self.target_kinds.push(target.0);
        self.target_ids.push(target.1);
        self.target_names.push(target.2);
        self.decisions.push(record.decision.name());
        self.request_ids.push(record.origin.as_ref().map(|origin| origin.request.uuid()));
        self.ips.push(record.origin.and_then(|origin| origin.ip).map(|ip| ip.to_string()));
        self.heads.push(head);
        self.tails.push(tail);
        self.agains.push(call.again);
        self.limits.push(call.limits);
        self.approvals.push(call.approval.map(ApprovalId::uuid));
        if let Some((intent, is_back)) = call.closes.zip(call.settles) {
            self.settled.push(intent.uuid());
            self.backs.push(is_back);
        }
    }
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
    let mut columns = Columns::default();
    for call in calls {
        columns.push(scope.org(), call);
    }
    let mut statement = OrgStatement::begin(db, scope).await?;
    let org = statement.org().uuid();
    let kept = sqlx::query!(
        r#"select epoch, seqs as "seqs!", lacks as "lacks!: Vec<Option<String>>"
        from record_calls($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
            $21, $22, $23, $24, $25)"#,
        org,
        replica.uuid(),
        &columns.ids,
        &columns.ats,
        &columns.epochs as _,
        &columns.opens,
        &columns.closes,
        &columns.actions,
        &columns.actor_kinds,
        &columns.actor_ids as _,
        &columns.actor_names,
        &columns.user_ids as _,
        &columns.target_kinds as _,
        &columns.target_ids as _,
        &columns.target_names as _,
        &columns.decisions as _,
        &columns.request_ids as _,
        &columns.ips as _,
        &columns.heads,
        &columns.tails,
        &columns.agains,
        &columns.limits as _,
        &columns.approvals as _,
        &columns.settled,
        &columns.backs,
    )
    .fetch_one(statement.conn())
    .await?;
    let lacks = kept.lacks.iter().map(|lack| lack.as_deref().map(Lack::read)).collect();
    Ok(Kept { epoch: kept.epoch, stands: kept.seqs.iter().map(|seq| *seq > 0).collect(), lacks })
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
