//! A draft, or a document that is sent, tried on the calls that agents really made in the last week.
//!
//! Each call is judged twice by the code that judges real calls, with everything else as it is now: once by what is in force
//! and once by what is tried. What is compared are those two, not what became of the call then.
//!
//! Lacks on purpose: limits. What they had counted at a moment of last week is not known any more.
//!
//! Invariant: what cannot be told is counted as such and never guessed.
//! Invariant: no transaction is open while calls are judged.

mod attempt;
mod bench;
mod kept;
mod tally;

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::{
    base::{
        page::{Page, PageRequest},
        permission::Permission,
    },
    domain::{
        audit::{self, Attempt, Reach},
        policy::kept::Policy,
    },
    flow::{
        actions::policies::{
            named, read,
            replay::{bench::Bench, tally::Tally},
            simulate::next_version,
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

pub use attempt::LeftOut;
pub use bench::Side;
pub use tally::{Affected, Counts, Noticed, Replayed};

/// How far back calls are tried.
pub(super) const SPAN: time::Duration = time::Duration::days(7);
/// How long a replay takes at the most.
pub(super) const MOST_TIME: Duration = Duration::from_secs(3);
/// How many calls it tries at the most.
pub(super) const MOST_CALLS: u32 = 50_000;
/// How many calls are read at once: judging them takes a few thousandths of a second.
const STRETCH: i64 = 1_000;

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It may or might be made now, and would not be.
    NewlyDenied,
    /// A human would be asked, and is not now.
    NewlyAsked,
    /// It would be made without asking anybody, and is not now.
    NewlyAllowed,
    /// The same becomes of it.
    Unchanged,
    /// What becomes of it depends on arguments that nobody knows any more.
    Unknown,
    /// It could not be made now, whatever policies say.
    LeftOut,
}

impl Outcome {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 6] = [
        Self::NewlyDenied,
        Self::NewlyAsked,
        Self::NewlyAllowed,
        Self::Unchanged,
        Self::Unknown,
        Self::LeftOut,
    ];

    /// The name in the API and in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewlyDenied => "newly_denied",
            Self::NewlyAsked => "newly_asked",
            Self::NewlyAllowed => "newly_allowed",
            Self::Unchanged => "unchanged",
            Self::Unknown => "unknown",
            Self::LeftOut => "left_out",
        }
    }

    /// Whether something would change.
    pub const fn is_change(self) -> bool {
        matches!(self, Self::NewlyDenied | Self::NewlyAsked | Self::NewlyAllowed)
    }
}

/// Why a replay ended before the week did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its time was over.
    Time,
    /// It had tried as many calls as it may.
    Calls,
}

impl Ended {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Calls => "calls",
        }
    }
}

/// Limits of the document that is tried: they are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitNote {
    /// How many it has.
    pub all: usize,
    /// How many of them are not in force now.
    pub new: usize,
}

/// What is tried, and which calls are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplayInput<'a> {
    /// The document; without one, the draft.
    pub document: Option<&'a str>,
    /// Only calls that come to this; without it, those for which something would change.
    pub outcome: Option<Outcome>,
}

/// Where a list of calls goes on: the newest call that was tried, and the last that was shown.
pub type Place = (i64, i64);

/// What would have become of last week's calls.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The policy.
    pub policy: Policy,
    /// Whether its draft was tried; otherwise a document that was sent.
    pub is_draft: bool,
    /// From when.
    pub from: OffsetDateTime,
    /// Until when.
    pub to: OffsetDateTime,
    /// How many calls were tried.
    pub calls: u32,
    /// Why it ended before the week did.
    pub ended: Option<Ended>,
    /// When the oldest call was made that was tried, where it ended before.
    pub reaches: Option<OffsetDateTime>,
    /// What they came to.
    pub counts: Counts,
    /// Limits, which are not counted.
    pub limits: LimitNote,
    /// Whom it is about; for those who may read the audit log.
    pub affected: Option<Affected>,
    /// The calls, the newest first; for those who may read the audit log.
    pub items: Option<Page<Replayed>>,
}

/// Tries a policy's draft, or a document that is sent, on the calls of the last week.
///
/// Names and calls are there only for those who may read the audit log; and only they may send a document, which could ask
/// the record one question after the other. Arguments that are kept with approvals are used for those who may read them.
///
/// # Errors
/// All that is wrong with the document; a refusal where there is neither a document nor a draft.
pub async fn replay(
    cx: &OrgCx,
    name: &str,
    input: ReplayInput<'_>,
    page: &PageRequest<Place>,
) -> ActionResult<Replay> {
    cx.require(Permission::PoliciesRead)?;
    let began = Instant::now();
    let sees_calls = cx.may(Permission::AuditRead);
    if input.document.is_some() {
        cx.require(Permission::AuditRead)?;
    }
    let sent = input.document.map(read).transpose()?;
    let from = cx.now() - SPAN;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let mut reach = audit::reach(&mut tx, from).await?;
    tx.done().await?;
    let draft = policy.draft.as_ref().map(|draft| read(&draft.document)).transpose()?;
    let is_draft = sent.is_none();
    let document = sent.or(draft).ok_or_else(|| {
        ActionError::refused("no_draft", "There is no draft to try. Save one, or send a document.")
    })?;
    if let Some((newest, _)) = page.after {
        reach.below = reach.below.min(newest.saturating_add(1));
    }
    let newest = reach.below.saturating_sub(1);
    let mut bench = Bench::of(cx, policy.id, next_version(&policy, document)).await?;
    let mut tally = Tally::new(input.outcome, page.after.map(|(_, after)| after), page.limit, sees_calls);
    let ended = run(cx, &mut reach, &mut bench, &mut tally, began).await?;
    let limits = bench.limits();
    let reaches = ended.and(tally.oldest);
    let calls = tally.counts.calls;
    let (counts, affected, items) = tally.into_parts(&bench);
    Ok(Replay {
        policy,
        is_draft,
        from,
        to: cx.now(),
        calls,
        ended,
        reaches,
        counts,
        limits,
        affected: sees_calls.then_some(affected),
        items: sees_calls.then(|| Page::cut(items, page.limit, |item| (newest, item.seq))),
    })
}

/// Tries one stretch of calls after the other, until there are no more or it has been enough.
async fn run(
    cx: &OrgCx,
    reach: &mut Reach,
    bench: &mut Bench,
    tally: &mut Tally,
    began: Instant,
) -> ActionResult<Option<Ended>> {
    let may_open = cx.may(Permission::ApprovalsRead) && cx.may(Permission::AuditRead);
    loop {
        if began.elapsed() >= MOST_TIME {
            return Ok(Some(Ended::Time));
        }
        let Some(attempts) = stretch(cx, reach).await? else { return Ok(None) };
        let wanted = bench.weigh(&attempts);
        if may_open && !wanted.is_empty() {
            let kept = kept::open(cx, &wanted).await?;
            bench.weigh_with(kept);
        }
        for attempt in &attempts {
            if tally.counts.calls == MOST_CALLS {
                return Ok(Some(Ended::Calls));
            }
            if let Some((thing, found)) = bench.found(attempt) {
                tally.count(attempt, &thing, found, bench);
            }
        }
        // Judging does not wait for anything, and others want to go on.
        tokio::task::yield_now().await;
    }
}

/// The next calls, the newest first, behind which it then goes on; nothing where there are no more.
pub(super) async fn stretch(cx: &OrgCx, reach: &mut Reach) -> ActionResult<Option<Vec<Attempt>>> {
    let mut tx = cx.tx().await?;
    let attempts = audit::attempts(&mut tx, reach, STRETCH).await?;
    tx.done().await?;
    let Some(last) = attempts.last() else { return Ok(None) };
    reach.below = last.seq;
    Ok(Some(attempts))
}
