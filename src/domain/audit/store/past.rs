//! The latest calls of one tool, for whoever decides about another.

use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::ids::{ApprovalId, EventId, GrantId, RequestId, UserId},
    domain::audit::{call::ArgumentsPart, entry::Decision, store::unreadable},
    io::db::{DbResult, OrgTx, Tx},
};

/// Something that was recorded of calls of a tool: an intent, a refusal or an outcome.
#[derive(Clone, Debug)]
pub struct PastEvent {
    /// The event.
    pub id: EventId,
    /// When.
    pub at: OffsetDateTime,
    /// Within which request.
    pub request: Option<RequestId>,
    /// The person in whose name.
    pub user: Option<UserId>,
    /// Their name, while they are a member.
    pub user_name: Option<String>,
    /// The agent's name at that moment.
    pub actor_name: String,
    /// What happened.
    pub action: String,
    /// How it ended.
    pub decision: Decision,
    /// What was called, as far as it stands in the record.
    pub call: PastCall,
}

/// What was called, as far as it stands in the record.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PastCall {
    /// The approval that it used, or waited for.
    pub approval: Option<ApprovalId>,
    /// The arguments, without their values.
    pub arguments: Option<ArgumentsPart>,
    /// The code of a refusal or failure.
    pub code: Option<String>,
    /// The grant.
    pub grant: Option<GrantId>,
    /// The intent of which it is the outcome.
    pub intent: Option<EventId>,
    /// The method of the protocol.
    pub method: Option<String>,
}

/// The part of a record that is read here; the rest is passed over.
#[derive(Deserialize)]
struct Sketch {
    #[serde(default)]
    call: Option<PastCall>,
}

/// The latest events about a tool by its target's id, the newest first: of the last `limit` those that are not too old. So
/// what is read is bounded however often the tool is called.
///
/// # Errors
/// When the database is away, or a record is none.
pub async fn past_events(
    tx: &mut OrgTx,
    target: &str,
    from: OffsetDateTime,
    limit: i64,
) -> DbResult<Vec<PastEvent>> {
    let org = tx.chain();
    let rows = sqlx::query!(
        r#"select e.id as "id: EventId", e.at, e.request_id as "request: RequestId", e.user_id as "user: UserId",
            u.name as "user_name?", e.actor_name, e.action, e.decision, e.record
        from (select l.org_id, l.seq, l.id, l.at, l.kind, l.request_id, l.user_id, l.actor_name, l.action, l.decision,
                l.record
            from events l where l.org_id = $1 and l.target_id = $2 order by l.seq desc limit $4) e
        left join memberships m on m.org_id = e.org_id and m.user_id = e.user_id
        left join users u on u.id = m.user_id
        where e.kind = 'call' and e.at >= $3
        order by e.seq desc"#,
        org,
        target,
        from,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    let events = rows.into_iter().map(|row| {
        let sketch: Sketch =
            serde_json::from_slice(&row.record).map_err(|_| unreadable("the record of a call"))?;
        Ok(PastEvent {
            id: row.id,
            at: row.at,
            request: row.request,
            user: row.user,
            user_name: row.user_name,
            actor_name: row.actor_name,
            action: row.action,
            decision: Decision::parse(&row.decision).ok_or_else(|| unreadable("a decision"))?,
            call: sketch.call.unwrap_or_default(),
        })
    });
    events.collect()
}
