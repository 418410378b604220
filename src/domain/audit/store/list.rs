//! Lists of events.

use crate::{
    base::{
        ids::{EventId, RequestId, UserId},
        page::{Page, PageRequest},
    },
    domain::audit::{
        entry::{Decision, EventKind},
        store::{
            filter::EventFilter,
            read::{Columns, EventRow},
        },
    },
    io::db::{DbResult, Tx},
};

/// Between which places of a chain something is looked for, these left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between {
    pub(super) above: i64,
    pub(super) below: i64,
}

/// The events that a filter lets through on one side of a place, in one direction. Written once, because the two
/// directions differ in two words that no parameter can stand for.
///
/// A chain grows with time, but the clocks of replicas differ a little and one may be set back. So a span of time is
/// looked for only between the places of a day before and a day after it, and not in the whole chain.
///
/// The two actions that nearly all events are of are in no index by action. What may be of them is found by reading the
/// newest events; a list of others says that it leaves them out, which is all that it takes to use the index.
macro_rules! listed {
    ($tx:expr, $filter:expr, $place:expr, $limit:expr, $beyond:literal, $order:literal, $bounds:literal $(, $bound:expr)*) => {{
        let (filter, except, org) = ($filter, &$filter.except, $tx.chain());
        let rows = sqlx::query_as!(
            Columns,
            r#"select seq, id as "id: EventId", at, kind, action, actor_kind, actor_id, actor_name,
                user_id as "user: UserId", target_kind, target_id, target_name, decision,
                request_id as "request: RequestId", host(ip) as ip
            from events
            where org_id = $1
                and ($2::bigint is null or "#
                + $beyond
                + r#")
                and ($3::text is null or kind = $3)
                and ($4::text is null or starts_with(action, $4))
                and ($27::boolean or action not in ('call.allowed', 'call.answered'))
                and ($6::text is null or user_id = $5 or actor_id = $6)
                and ($7::text is null or target_id = $7)
                and ($8::text is null or decision = $8)
                and ($9::uuid is null or request_id = $9)
                and ($10::timestamptz is null or at >= $10)
                and ($11::timestamptz is null or at < $11)
                and seq > coalesce((select events_before($1, $10::timestamptz - interval '1 day')), 0)
                and seq <= coalesce((select events_before($1, $11::timestamptz + interval '1 day')),
                    9223372036854775807)
                and ($12::text is null or position(lower($12) in lower(actor_name)) > 0
                    or position(lower($12) in lower(target_name)) > 0)
                and ($13::text is null or position(lower($13) in lower(actor_name)) > 0)
                and ($14::text is null or position(lower($14) in lower(target_name)) > 0)
                and ($15::text is null or ip <<= $15::text::inet)
                and ($16::text is null or not starts_with(action, $16))
                and ($17::uuid is null or user_id is distinct from $17)
                and ($18::text is null or actor_id is distinct from $18)
                and ($19::text is null or target_id is distinct from $19)
                and ($20::text is null or decision <> $20)
                and ($21::text is null or position(lower($21) in lower(actor_name)) = 0)
                and ($22::text is null or target_name is null
                    or position(lower($22) in lower(target_name)) = 0)
                and ($23::text is null or ip is null or not ip <<= $23::text::inet)
                and ($24::text is null or starts_with(target_id, $24))
                and ($25::text is null or target_kind = 'tool' and right(target_id, length($25)) = $25)
                "#
                + $bounds
                + " order by "
                + $order
                + " limit $26",
            org,
            $place,
            filter.kind.map(EventKind::name),
            filter.action,
            filter.user.map(|user| user.uuid()),
            filter.user.map(|user| user.to_string()).or_else(|| filter.actor.clone()),
            filter.target,
            filter.decision.map(Decision::name),
            filter.request.map(|request| request.uuid()),
            filter.from,
            filter.to,
            filter.text,
            filter.actor_name,
            filter.target_name,
            filter.ip.map(|net| net.to_string()),
            except.action,
            except.user.map(|user| user.uuid()),
            except.user.map(|user| user.to_string()).or_else(|| except.actor.clone()),
            except.target,
            except.decision.map(Decision::name),
            except.actor_name,
            except.target_name,
            except.ip.map(|net| net.to_string()),
            filter.server.map(|server| server.to_string()),
            filter.tool.as_ref().map(|tool| format!("/{tool}")),
            $limit,
            filter.may_be_usual()
            $(, $bound)*
        )
        .fetch_all($tx.conn())
        .await?;
        rows.into_iter().map(Columns::read).collect::<DbResult<Vec<EventRow>>>()?
    }};
}

/// Events of the transaction's chain, newest first.
///
/// # Errors
/// When the database is away.
pub async fn list(
    tx: &mut impl Tx,
    filter: &EventFilter,
    page: &PageRequest<i64>,
) -> DbResult<Page<EventRow>> {
    let rows = listed!(tx, filter, page.after, page.fetch(), "seq < $2", "seq desc", "");
    Ok(Page::cut(rows, page.limit, |row| row.seq))
}

/// The rows that come right after a place and one more, oldest first.
///
/// # Errors
/// When the database is away.
pub(super) async fn newer(
    tx: &mut impl Tx,
    filter: &EventFilter,
    after: i64,
    limit: u16,
) -> DbResult<Vec<EventRow>> {
    Ok(listed!(tx, filter, Some(after), i64::from(limit) + 1, "seq > $2", "seq", ""))
}

/// The newest rows between two places, and one more than a page has. A statement of its own: bounds that are not known
/// when a statement is planned look narrow, and would have the others read by place what an index has by name.
///
/// # Errors
/// When the database is away.
pub(super) async fn newest_between(
    tx: &mut impl Tx,
    filter: &EventFilter,
    between: Between,
    limit: u16,
) -> DbResult<Vec<EventRow>> {
    let (limit, Between { above, below }) = (i64::from(limit) + 1, between);
    Ok(listed!(
        tx,
        filter,
        None::<i64>,
        limit,
        "seq < $2",
        "seq desc",
        "and seq > $28 and seq < $29",
        above,
        below
    ))
}

/// The oldest rows between two places, and one more than a page has.
///
/// # Errors
/// When the database is away.
pub(super) async fn oldest_between(
    tx: &mut impl Tx,
    filter: &EventFilter,
    between: Between,
    limit: u16,
) -> DbResult<Vec<EventRow>> {
    let (limit, Between { above, below }) = (i64::from(limit) + 1, between);
    Ok(listed!(
        tx,
        filter,
        None::<i64>,
        limit,
        "seq > $2",
        "seq",
        "and seq > $28 and seq < $29",
        above,
        below
    ))
}
