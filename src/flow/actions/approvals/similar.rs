//! What the same tool was called for before: how often, by whom, with these arguments or others, and what came of it.
//!
//! Who may read the audit log sees all calls; others see those in their own name, as everywhere.

use std::collections::{HashMap, HashSet};

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        ids::{EventId, RequestId},
        permission::Permission,
    },
    domain::{
        approvals::Approval,
        audit::{self, Decision, PastEvent},
    },
    flow::{cx::OrgCx, decision::names, fault::ActionResult},
    io::db::OrgTx,
};

/// How many days back calls are looked for.
pub const DAYS: i64 = 30;
/// How many events of a tool are looked through at the most, for one approval and for each of several.
pub(super) const FOR_ONE: i64 = 1000;
pub(super) const FOR_EACH: i64 = 200;
/// How many calls are shown.
const MOST_SHOWN: usize = 10;

/// Calls of the same tool before.
#[derive(Clone, Debug)]
pub struct Similar {
    /// The latest, those of the same agent first, then those of the same person.
    pub calls: Vec<SimilarCall>,
    /// How many the same agent made.
    pub by_agent: Tally,
    /// How many all others made.
    pub by_others: usize,
    /// How many events were looked through, where there may be more.
    pub cut_at: Option<i64>,
    /// Whether calls of everybody are among them, or the viewer's own alone.
    pub is_of_everybody: bool,
}

/// How many calls there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub calls: usize,
    /// With the same arguments.
    pub same: usize,
    /// Which a policy or a human denied.
    pub denied: usize,
}

/// A call of the same tool.
#[derive(Clone, Debug)]
pub struct SimilarCall {
    /// The event.
    pub event: EventId,
    /// The request.
    pub request: Option<RequestId>,
    /// When.
    pub at: OffsetDateTime,
    /// The person in whose name, while they are a member.
    pub person: Option<String>,
    /// The agent's name at that moment.
    pub agent: String,
    /// Whether it is the agent that asks.
    pub is_same_agent: bool,
    /// Whether it had the same arguments; none where the record does not say.
    pub has_same_arguments: Option<bool>,
    /// What came of it.
    pub outcome: PastOutcome,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastOutcome {
    /// It was made and answered.
    Made,
    /// It was made and failed.
    Failed,
    /// It was made, and no end is on record.
    Open,
    /// A human was asked.
    Asked,
    /// A limit had no room.
    Limited,
    /// It was denied.
    Denied,
}

impl PastOutcome {
    /// The word for it outside.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Failed => "failed",
            Self::Open => "open",
            Self::Asked => "asked",
            Self::Limited => "limited",
            Self::Denied => "denied",
        }
    }

    fn of_refusal(code: Option<&str>) -> Self {
        match code {
            Some("approval_needed" | "approval_narrowed" | "approval_over") => Self::Asked,
            Some("limit_reached") => Self::Limited,
            _ => Self::Denied,
        }
    }

    const fn of_end(decision: Decision) -> Self {
        match decision {
            Decision::Done => Self::Made,
            Decision::Unknown | Decision::Allowed => Self::Open,
            Decision::Refused | Decision::Failed => Self::Failed,
        }
    }
}

impl Similar {
    /// The counts in words.
    pub fn sentence(&self) -> String {
        let Tally { calls, same, denied } = self.by_agent;
        let mut words = match calls {
            0 => format!("Not called by this agent in {DAYS} days"),
            _ => format!(
                "Called {} in {DAYS} days by this agent, {} with these arguments",
                times(calls),
                if same == 0 { "none".to_owned() } else { same.to_string() }
            ),
        };
        match denied {
            0 => {}
            1 => words.push_str("; 1 was denied"),
            _ => words.push_str(&format!("; {denied} were denied")),
        }
        match self.by_others {
            0 => words.push('.'),
            others => words.push_str(&format!(". Others called it {}.", times(others))),
        }
        if let Some(most) = self.cut_at {
            words.push_str(&format!(" Only the latest {most} events of the tool were looked through."));
        }
        words
    }
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// Calls of the same tool before, as far as the viewer may know of them; none for what is no tool.
pub(super) async fn of(
    cx: &OrgCx,
    tx: &mut OrgTx,
    approval: &Approval,
    most: i64,
) -> ActionResult<Option<Similar>> {
    if names::is_reserved(&approval.tool) {
        return Ok(None);
    }
    let is_of_everybody = cx.may(Permission::AuditRead);
    let target = format!("{}/{}", approval.server, approval.tool);
    let from = cx.now() - Duration::days(DAYS);
    let mut events = audit::past_events(tx, &target, from, most).await?;
    let is_cut = i64::try_from(events.len()).is_ok_and(|read| read >= most);
    let viewer = cx.user();
    events.retain(|event| is_of_everybody || event.user.is_some() && event.user == viewer);
    // A prompt may have the name of a tool.
    events.retain(|event| event.call.method.as_deref() == Some("tools/call"));
    Ok(Some(Similar { cut_at: is_cut.then_some(most), is_of_everybody, ..gathered(events, approval) }))
}

/// What events come to as calls, the newest first in both.
fn gathered(events: Vec<PastEvent>, approval: &Approval) -> Similar {
    let mut ends = HashMap::new();
    let mut questions = HashSet::new();
    let (mut by_agent, mut by_others) = (Tally::default(), 0);
    let mut ranked = Vec::new();
    for event in events {
        let call = &event.call;
        if let Some(intent) = call.intent {
            ends.insert(intent, PastOutcome::of_end(event.decision));
            continue;
        }
        let outcome = match event.action.as_str() {
            "call.allowed" => ends.remove(&event.id).unwrap_or(PastOutcome::Open),
            "call.refused" => PastOutcome::of_refusal(call.code.as_deref()),
            _ => continue,
        };
        // However often an agent asks, it is one question; where its call was made in the end, it is that call.
        let is_told = call.approval.is_some_and(|asked| !questions.insert(asked));
        let is_this = call.approval == Some(approval.id);
        if is_this || is_told && matches!(outcome, PastOutcome::Asked | PastOutcome::Denied) {
            continue;
        }
        let is_same_agent = call.grant == Some(approval.grant);
        let arguments = call.arguments.as_ref();
        let has_same_arguments =
            arguments.map(|arguments| arguments.digest.0[..] == approval.as_asked().digest[..]);
        if is_same_agent {
            by_agent.calls += 1;
            by_agent.same += usize::from(has_same_arguments == Some(true));
            by_agent.denied += usize::from(outcome == PastOutcome::Denied);
        } else {
            by_others += 1;
        }
        let is_same_person = event.user.is_some() && event.user == approval.user;
        let rank = if is_same_agent { 0 } else { 1 + u8::from(!is_same_person) };
        let call = SimilarCall {
            event: event.id,
            request: event.request,
            at: event.at,
            person: event.user_name,
            agent: event.actor_name,
            is_same_agent,
            has_same_arguments,
            outcome,
        };
        ranked.push((rank, call));
    }
    // A steady order: within a rank the newest stay first.
    ranked.sort_by_key(|(rank, _)| *rank);
    let calls = ranked.into_iter().map(|(_, call)| call).take(MOST_SHOWN).collect();
    Similar { calls, by_agent, by_others, cut_at: None, is_of_everybody: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn similar(by_agent: Tally, by_others: usize) -> Similar {
        Similar { calls: Vec::new(), by_agent, by_others, cut_at: None, is_of_everybody: true }
    }

    #[test]
    fn counts_are_said_in_one_sentence() {
        let tally = |calls, same, denied| Tally { calls, same, denied };
        for (found, words) in [
            (similar(tally(0, 0, 0), 0), "Not called by this agent in 30 days."),
            (
                similar(tally(14, 2, 1), 0),
                "Called 14 times in 30 days by this agent, 2 with these arguments; 1 was denied.",
            ),
            (
                similar(tally(1, 0, 0), 1),
                "Called once in 30 days by this agent, none with these arguments. Others called it once.",
            ),
            (
                Similar { cut_at: Some(FOR_ONE), ..similar(tally(5, 5, 2), 3) },
                "Called 5 times in 30 days by this agent, 5 with these arguments; 2 were denied. Others called it \
                 3 times. Only the latest 1000 events of the tool were looked through.",
            ),
        ] {
            assert_eq!(found.sentence(), words);
        }
    }
}
