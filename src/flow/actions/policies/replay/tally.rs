//! What a replay has counted so far, and the calls that are shown.

use std::collections::{BTreeMap, HashMap};

use time::OffsetDateTime;

use crate::{
    base::{
        actor::Principal,
        ids::{EventId, GrantId, UserId},
        risk::Class,
    },
    domain::audit::Attempt,
    flow::actions::policies::replay::{
        Outcome,
        attempt::{LeftOut, Thing},
        bench::{Bench, Found, Side},
    },
};

/// How many people and agents are named; the others are counted.
const MOST_NAMED: usize = 100;

/// How many calls came to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub calls: u32,
    /// By what they came to, in the order of [`Outcome::ALL`].
    by_outcome: [u32; Outcome::ALL.len()],
    /// Newly allowed calls of tools that do more than look.
    pub flagged: u32,
    /// Unchanged ones about which the policy has no say.
    pub outside: u32,
    /// Those that could not be made now, by code: how many, and why in words.
    pub left_out: BTreeMap<&'static str, (u32, &'static str)>,
}

impl Counts {
    /// How many came to this.
    pub fn of(&self, outcome: Outcome) -> u32 {
        self.by_outcome[outcome as usize]
    }

    #[cfg(test)]
    pub(crate) fn sample(by_outcome: [u32; Outcome::ALL.len()]) -> Self {
        let calls = by_outcome.iter().sum();
        let left_out = BTreeMap::from([("grant_revoked", (by_outcome[5], "The grant was revoked."))]);
        Self { calls, by_outcome, flagged: by_outcome[2], outside: 0, left_out }
    }
}

/// Whom a change is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// How many people there are.
    pub people: usize,
    /// How many agents there are.
    pub agents: usize,
    /// Those with the most changed calls first; of very many, these only.
    pub named: Vec<Noticed>,
}

/// An agent that would notice a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// The grant.
    pub grant: GrantId,
    /// Its name.
    pub label: String,
    /// The person in whose name it acts.
    pub user: Option<UserId>,
    /// The name of the person, team or service account.
    pub principal: String,
    /// How many of its calls would newly be denied.
    pub denied: u32,
    /// How many would newly be asked about.
    pub asked: u32,
    /// How many would newly be allowed.
    pub allowed: u32,
}

/// A call and what would become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Its place in the record.
    pub seq: i64,
    /// The event.
    pub event: EventId,
    /// When it was made.
    pub at: OffsetDateTime,
    /// The grant.
    pub grant: Option<GrantId>,
    /// The grant's name.
    pub agent: String,
    /// Whom it acts for; empty where that is not known any more.
    pub person: String,
    /// How the software calls itself.
    pub client: String,
    /// The server's short name; empty where it is gone.
    pub server: String,
    /// The tool, or what policies call the prompt, resource or method.
    pub tool: String,
    /// What the tool does at worst; none where that was not looked at.
    pub class: Option<Class>,
    /// What it comes to.
    pub outcome: Outcome,
    /// Under what is in force, where that changes.
    pub before: Option<Side>,
    /// Under what is tried, where that changes.
    pub after: Option<Side>,
    /// Why it could not be made now.
    pub left_out: Option<LeftOut>,
    /// Whether it would be allowed and does more than look.
    pub is_flagged: bool,
}

/// What was counted so far.
pub(super) struct Tally {
    pub(super) counts: Counts,
    /// When the oldest call was made.
    pub(super) oldest: Option<OffsetDateTime>,
    noticed: HashMap<GrantId, [u32; 3]>,
    items: Vec<Replayed>,
    outcome: Option<Outcome>,
    after: Option<i64>,
    most: usize,
}

impl Tally {
    /// Nothing counted. Only calls behind a place that come to an outcome are kept, one more than the page shows.
    pub(super) fn new(outcome: Option<Outcome>, after: Option<i64>, limit: u16, keeps_calls: bool) -> Self {
        Self {
            counts: Counts::default(),
            oldest: None,
            noticed: HashMap::new(),
            items: Vec::new(),
            outcome,
            after,
            most: if keeps_calls { usize::from(limit) + 1 } else { 0 },
        }
    }

    /// Counts a call.
    pub(super) fn count(&mut self, attempt: &Attempt, thing: &Thing, found: Found, bench: &Bench) {
        let outcome = match &found {
            Found::Left(_) => Outcome::LeftOut,
            Found::Outside | Found::Same => Outcome::Unchanged,
            Found::Unknown => Outcome::Unknown,
            Found::Changed(change) => change.outcome,
        };
        self.oldest = Some(attempt.at);
        self.counts.calls += 1;
        self.counts.by_outcome[outcome as usize] += 1;
        match &found {
            Found::Left(why) => self.counts.left_out.entry(why.code()).or_insert((0, why.words())).0 += 1,
            Found::Outside => self.counts.outside += 1,
            Found::Changed(change) => {
                self.counts.flagged += u32::from(is_flagged(outcome, change.class));
                if let Some(grant) = attempt.call.grant {
                    self.noticed.entry(grant).or_default()[outcome as usize] += 1;
                }
            }
            Found::Same | Found::Unknown => {}
        }
        let is_asked_for = self.outcome.map_or(outcome.is_change(), |wanted| wanted == outcome);
        let is_behind = self.after.is_none_or(|after| attempt.seq < after);
        if is_asked_for && is_behind && self.items.len() < self.most {
            self.items.push(item(attempt, thing, outcome, found, bench));
        }
    }

    /// What was counted, whom it is about, and the calls.
    pub(super) fn into_parts(self, bench: &Bench) -> (Counts, Affected, Vec<Replayed>) {
        let mut named: Vec<_> = self
            .noticed
            .into_iter()
            .filter_map(|(id, [denied, asked, allowed])| {
                let grant = bench.grant(id)?;
                let user = match grant.principal {
                    Principal::User(user) => Some(user),
                    Principal::Team(_) | Principal::ServiceAccount(_) => None,
                };
                let (label, principal) = (grant.label.clone(), grant.principal_name.clone());
                Some(Noticed { grant: id, label, user, principal, denied, asked, allowed })
            })
            .collect();
        let weight = |one: &Noticed| one.denied + one.asked + one.allowed;
        named.sort_by(|a, b| {
            weight(b).cmp(&weight(a)).then_with(|| a.label.cmp(&b.label)).then(a.grant.cmp(&b.grant))
        });
        let mut people: Vec<_> = named.iter().filter_map(|one| one.user).collect();
        people.sort_unstable();
        people.dedup();
        let affected = Affected { people: people.len(), agents: named.len(), named };
        let affected = Affected { named: affected.named.into_iter().take(MOST_NAMED).collect(), ..affected };
        (self.counts, affected, self.items)
    }
}

/// Whether a call would be allowed that does more than look.
fn is_flagged(outcome: Outcome, class: Class) -> bool {
    outcome == Outcome::NewlyAllowed && class != Class::Read
}

fn item(attempt: &Attempt, thing: &Thing, outcome: Outcome, found: Found, bench: &Bench) -> Replayed {
    let call = &attempt.call;
    let grant = call.grant.and_then(|id| bench.grant(id));
    let server = call.server.and_then(|id| bench.server(id));
    let class = match (&found, thing) {
        (Found::Changed(change), _) => Some(change.class),
        (_, Thing::Tool(name)) => server.and_then(|server| server.tool(name)).map(|tool| tool.class),
        _ => None,
    };
    let (before, after) = match &found {
        Found::Changed(change) => (Some(change.before.clone()), Some(change.after.clone())),
        _ => (None, None),
    };
    Replayed {
        seq: attempt.seq,
        event: attempt.id,
        at: attempt.at,
        grant: call.grant,
        agent: grant.map_or_else(|| attempt.actor_name.clone(), |grant| grant.label.clone()),
        person: grant.map(|grant| grant.principal_name.clone()).unwrap_or_default(),
        client: call.client.as_ref().map(|client| client.name.clone()).unwrap_or_default(),
        server: server.map(|server| server.server.slug.as_str().to_owned()).unwrap_or_default(),
        tool: thing.name().to_owned(),
        class,
        outcome,
        before,
        after,
        left_out: match found {
            Found::Left(why) => Some(why),
            _ => None,
        },
        is_flagged: class.is_some_and(|class| is_flagged(outcome, class)),
    }
}
