//! What the parts of a policy that are only observed would have done to the calls of the last week.
//!
//! Nothing is judged anew: with each call that went on, the record keeps what the strictest observed part of every layer
//! would have done.
//!
//! Lacks on purpose: limits. One that is only observed counts, and the record says nothing of what it would have stopped.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    time::Instant,
};

use time::OffsetDateTime;

use crate::{
    base::{
        ids::{EventId, GrantId, PolicyId, ServerId},
        page::{Page, PageRequest},
        permission::Permission,
    },
    domain::{
        audit::{self, Attempt, Reach},
        policy::kept::Policy,
        servers::{ServerRef, store as servers},
    },
    flow::{
        actions::policies::{
            named,
            replay::{Ended, MOST_CALLS, MOST_TIME, Place, SPAN, stretch},
        },
        cx::OrgCx,
        fault::ActionResult,
    },
    io::db::Tx,
};

/// Which calls are shown; what is not set does not narrow them.
#[derive(Clone, Copy, Debug, Default)]
pub struct ObservedInput<'a> {
    /// Only those to which this part would have done something, as a JSON pointer into its document.
    pub rule: Option<&'a str>,
    /// Only those to which a part of this version would have.
    pub version: Option<i32>,
}

/// What a part would have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedRule {
    /// The part, as a JSON pointer into its document.
    pub rule: String,
    /// The version whose document that is.
    pub version: i32,
    /// How many calls it would have denied or hidden.
    pub denied: u32,
    /// About how many a human would have been asked.
    pub asked: u32,
}

/// A call that was made, and what would have been done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedCall {
    /// Its place in the record.
    pub seq: i64,
    /// The event.
    pub event: EventId,
    /// When it was made.
    pub at: OffsetDateTime,
    /// The grant.
    pub grant: Option<GrantId>,
    /// The agent's name at that moment.
    pub agent: String,
    /// How the software calls itself.
    pub client: String,
    /// The server's short name; empty where it is gone.
    pub server: String,
    /// The tool, prompt or resource.
    pub tool: String,
    /// `ask`, `deny` or `hide`.
    pub effect: Cow<'static, str>,
    /// The part, as a JSON pointer into its document.
    pub rule: String,
    /// The version whose document that is.
    pub version: i32,
}

/// What observed parts would have done to the calls of the last week.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The policy.
    pub policy: Policy,
    /// From when.
    pub from: OffsetDateTime,
    /// Until when.
    pub to: OffsetDateTime,
    /// How many calls were looked at, the newest first.
    pub calls: u32,
    /// Why it ended before the week did.
    pub ended: Option<Ended>,
    /// When the oldest call was made that was looked at, where it ended before.
    pub reaches: Option<OffsetDateTime>,
    /// The parts, those of the newest version first, and of these the ones with the most calls.
    pub rules: Vec<ObservedRule>,
    /// The calls, the newest first; for those who may read the audit log.
    pub items: Option<Page<ObservedCall>>,
}

/// What observed parts of a policy would have done to the calls of the last week.
pub async fn observed(
    cx: &OrgCx,
    name: &str,
    input: ObservedInput<'_>,
    page: &PageRequest<Place>,
) -> ActionResult<Observed> {
    cx.require(Permission::PoliciesRead)?;
    let began = Instant::now();
    let sees_calls = cx.may(Permission::AuditRead);
    let from = cx.now() - SPAN;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let mut reach = audit::reach(&mut tx, from).await?;
    tx.done().await?;
    if let Some((newest, _)) = page.after {
        reach.below = reach.below.min(newest.saturating_add(1));
    }
    let newest = reach.below.saturating_sub(1);
    let mut tally = Tally {
        policy: policy.id,
        input,
        after: page.after.map(|(_, after)| after),
        most: if sees_calls { usize::from(page.limit) + 1 } else { 0 },
        calls: 0,
        oldest: None,
        rules: BTreeMap::new(),
        items: Vec::new(),
    };
    let ended = run(cx, &mut reach, &mut tally, began).await?;
    let reaches = ended.and(tally.oldest);
    let calls = tally.calls;
    let (rules, items) = tally.into_parts();
    let items = if sees_calls {
        let items = with_servers(cx, items).await?;
        Some(Page::cut(items, page.limit, |item| (newest, item.seq)))
    } else {
        None
    };
    Ok(Observed { policy, from, to: cx.now(), calls, ended, reaches, rules, items })
}

async fn run(
    cx: &OrgCx,
    reach: &mut Reach,
    tally: &mut Tally<'_>,
    began: Instant,
) -> ActionResult<Option<Ended>> {
    loop {
        if began.elapsed() >= MOST_TIME {
            return Ok(Some(Ended::Time));
        }
        let Some(attempts) = stretch(cx, reach).await? else { return Ok(None) };
        for attempt in &attempts {
            if tally.calls == MOST_CALLS {
                return Ok(Some(Ended::Calls));
            }
            tally.count(attempt);
        }
    }
}

/// Names the servers of the calls that are shown.
async fn with_servers(
    cx: &OrgCx,
    items: Vec<(ObservedCall, Option<ServerId>)>,
) -> ActionResult<Vec<ObservedCall>> {
    let mut tx = cx.tx().await?;
    let mut slugs: BTreeMap<ServerId, String> = BTreeMap::new();
    let mut named = Vec::with_capacity(items.len());
    for (mut call, server) in items {
        if let Some(server) = server {
            if let Entry::Vacant(place) = slugs.entry(server) {
                let found = servers::servers::find(&mut tx, &ServerRef::from(server)).await?;
                place.insert(found.map(|server| server.slug.to_string()).unwrap_or_default());
            }
            call.server = slugs.get(&server).cloned().unwrap_or_default();
        }
        named.push(call);
    }
    tx.done().await?;
    Ok(named)
}

/// What was counted so far.
struct Tally<'a> {
    policy: PolicyId,
    input: ObservedInput<'a>,
    after: Option<i64>,
    most: usize,
    calls: u32,
    oldest: Option<OffsetDateTime>,
    /// Denied and asked, by version and part.
    rules: BTreeMap<(i32, String), (u32, u32)>,
    items: Vec<(ObservedCall, Option<ServerId>)>,
}

impl Tally<'_> {
    fn count(&mut self, attempt: &Attempt) {
        self.calls += 1;
        self.oldest = Some(attempt.at);
        let policy = self.policy;
        let mut seen: Vec<(i32, &str)> = Vec::new();
        let mut is_shown = self.after.is_some_and(|after| attempt.seq >= after);
        for part in attempt.call.observed.iter().filter(|part| part.policy == policy) {
            // A policy may stand in several layers; each of its parts counts once for a call.
            if seen.contains(&(part.version, part.rule.as_str())) {
                continue;
            }
            seen.push((part.version, part.rule.as_str()));
            let (denied, asked) = self.rules.entry((part.version, part.rule.clone())).or_default();
            let counter = if part.effect == "ask" { asked } else { denied };
            *counter += 1;
            let is_wanted = self.input.rule.is_none_or(|rule| rule == part.rule)
                && self.input.version.is_none_or(|version| version == part.version);
            if !is_shown && is_wanted && self.items.len() < self.most {
                is_shown = true;
                let call = &attempt.call;
                let client = call.client.as_ref().map(|client| client.name.clone());
                let shown = ObservedCall {
                    seq: attempt.seq,
                    event: attempt.id,
                    at: attempt.at,
                    grant: call.grant,
                    agent: attempt.actor_name.clone(),
                    client: client.unwrap_or_default(),
                    server: String::new(),
                    tool: call.subject.clone().or_else(|| call.method.clone()).unwrap_or_default(),
                    effect: part.effect.clone(),
                    rule: part.rule.clone(),
                    version: part.version,
                };
                self.items.push((shown, call.server));
            }
        }
    }

    fn into_parts(self) -> (Vec<ObservedRule>, Vec<(ObservedCall, Option<ServerId>)>) {
        let rule = |((version, rule), (denied, asked))| ObservedRule { rule, version, denied, asked };
        let mut rules: Vec<_> = self.rules.into_iter().map(rule).collect();
        rules.sort_by(|a, b| {
            let weight = |one: &ObservedRule| one.denied + one.asked;
            b.version.cmp(&a.version).then(weight(b).cmp(&weight(a))).then_with(|| a.rule.cmp(&b.rule))
        });
        (rules, self.items)
    }
}
