//! Judges recorded calls by what is in force and by what is tried; equal calls are judged once.

use std::{collections::HashMap, sync::Arc};

use time::OffsetDateTime;

use crate::{
    base::{
        ids::{GrantId, PolicyId, ServerId},
        risk::Class,
    },
    domain::{
        audit::Attempt,
        grants::{DecisionGrant, GrantState},
        policy::{
            document::Limit,
            engine::{Effect, LayerName, Part, Tool},
            path::Field,
        },
    },
    flow::{
        actions::policies::replay::{
            LimitNote, Outcome,
            attempt::{Given, Key, LeftOut, Regards, Thing},
            kept::Kept,
        },
        cx::OrgCx,
        decision::{
            Absence, ByArguments, Caller, Decision, InForce, OrgSnapshot, Programs, Say, ServerFacts,
            as_policies_see,
        },
        fault::{ActionError, ActionResult},
    },
    protocol::mcp::{
        raw::Raw,
        strict::{self, Limits},
    },
};

/// What becomes of a call under some documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// `allow`, `require_approval`, `deny` or `hide`.
    pub verdict: &'static str,
    /// In which layer.
    pub layer: Option<LayerName>,
    /// The part that decided, as a JSON pointer into its document.
    pub rule: String,
}

/// What was found of a call.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// It could not be made now.
    Left(LeftOut),
    /// The policy has no say about it.
    Outside,
    /// The same becomes of it.
    Same,
    /// That depends on its arguments.
    Unknown,
    /// Something else becomes of it.
    Changed(Arc<Change>),
}

/// What would change about a call.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) outcome: Outcome,
    pub(super) before: Side,
    pub(super) after: Side,
    pub(super) class: Class,
}

/// Judges recorded calls.
pub(super) struct Bench {
    snapshot: OrgSnapshot,
    grants: HashMap<GrantId, Arc<DecisionGrant>>,
    live: Option<Arc<InForce>>,
    tried: Arc<InForce>,
    policy: PolicyId,
    now: OffsetDateTime,
    regards: Regards,
    /// What was found of each kind of call.
    memo: HashMap<Key, Found>,
    /// Whether what is tried and what is in force say the same of a tool.
    alike: HashMap<(ServerId, Thing), bool>,
}

impl Bench {
    /// The organization as it is.
    pub(super) async fn of(cx: &OrgCx, policy: PolicyId, tried: Arc<InForce>) -> ActionResult<Self> {
        let address = cx.ports.egress.policy();
        let programs = Programs::default();
        let snapshot = OrgSnapshot::load(&cx.ports.db, cx.scope, address, &programs, cx.now()).await?;
        let snapshot = snapshot.ok_or(ActionError::NotFound)?;
        let grants = snapshot.grants().map(|grant| (grant.id, Arc::clone(grant))).collect();
        let live = snapshot.policy(policy).cloned();
        let looks = |field| snapshot.policies().chain([&tried]).any(|one| one.program.looks_at(field));
        let regards = Regards {
            client: looks(Field::ClientName) || looks(Field::ClientVersion),
            ip: looks(Field::Ip),
            time: looks(Field::Time),
        };
        let (memo, alike) = (HashMap::new(), HashMap::new());
        Ok(Self { grants, live, tried, policy, now: cx.now(), regards, memo, alike, snapshot })
    }

    /// The limits of what is tried, and those of them that are not in force.
    pub(super) fn limits(&self) -> LimitNote {
        fn of(policy: &InForce) -> Vec<(String, &Limit)> {
            let document = policy.program.document();
            let all = document.all_tools.limits.iter().map(|limit| (String::new(), limit));
            let own = document
                .tools
                .iter()
                .flat_map(|(key, rules)| rules.checks.limits.iter().map(|limit| (key.to_string(), limit)));
            all.chain(own).collect()
        }
        let tried = of(&self.tried);
        let live = self.live.as_deref().map(of).unwrap_or_default();
        let new = tried.iter().filter(|limit| !live.contains(limit)).count();
        LimitNote { all: tried.len(), new }
    }

    /// The grant of a call, as it is now.
    pub(super) fn grant(&self, id: GrantId) -> Option<&DecisionGrant> {
        self.grants.get(&id).map(Arc::as_ref)
    }

    /// The server of a call, as it is now.
    pub(super) fn server(&self, id: ServerId) -> Option<&ServerFacts> {
        self.snapshot.server_by_id(id).map(Arc::as_ref)
    }

    /// Judges what was not judged yet without arguments; those of which it should know them.
    pub(super) fn weigh<'a>(&mut self, attempts: &'a [Attempt]) -> Vec<(Key, &'a Attempt)> {
        let mut wanted = Vec::new();
        for attempt in attempts {
            let Some(key) = Key::of(attempt, self.regards) else { continue };
            if self.memo.contains_key(&key) {
                continue;
            }
            let known = (key.given == Given::Nothing).then_some(None);
            let found = self.judge(&key, attempt, known);
            if matches!(found, Found::Unknown) && key.given != Given::Unseen(None) {
                wanted.push((key.clone(), attempt));
            }
            self.memo.insert(key, found);
        }
        wanted
    }

    /// Judges calls whose arguments were kept.
    pub(super) fn weigh_with(&mut self, kept: Vec<Kept<'_>>) {
        for Kept { key, attempt, arguments } in kept {
            let limits = Limits::of(arguments.expose().len());
            // What does not read stays unknown.
            let Ok(raw) = strict::check(arguments.expose(), &limits) else { continue };
            let found = self.judge(&key, attempt, Some(Some(raw)));
            self.memo.insert(key, found);
        }
    }

    /// What was called and what was found of it; nothing where no policy has a say about such calls.
    pub(super) fn found(&self, attempt: &Attempt) -> Option<(Thing, Found)> {
        let key = Key::of(attempt, self.regards)?;
        let found = self.memo.get(&key).cloned()?;
        Some((key.thing, found))
    }

    /// Judges a call; `arguments` are none where nobody knows them.
    fn judge(&mut self, key: &Key, attempt: &Attempt, arguments: Option<Option<Raw<'_>>>) -> Found {
        let (grant, server) = match self.place(key) {
            Ok(place) => place,
            Err(why) => return Found::Left(why),
        };
        let tool = match &key.thing {
            Thing::Tool(name) => match server.callable(name, grant.ceiling) {
                Ok(tool) => as_policies_see(tool),
                Err(why) => return Found::Left(LeftOut::Tool(why)),
            },
            Thing::Read(name) => Tool { name, class: Class::Read, is_reviewed: true },
            Thing::Method(_) if !Class::Write.is_within(grant.ceiling) => {
                return Found::Left(LeftOut::Tool(Absence::AboveCeiling(Class::Write, grant.ceiling)));
            }
            Thing::Method(name) => Tool { name, class: Class::Write, is_reviewed: true },
        };
        let caller = Caller {
            snapshot: &self.snapshot,
            grant: &grant,
            client: attempt.call.client.as_ref(),
            ip: attempt.ip,
            now: attempt.at,
        };
        let before = caller.says(&server);
        let mut after = before.clone();
        let mut has_say = false;
        for say in after.iter_mut().filter(|say| say.id == self.policy) {
            (say.policy, has_say) = (Some(&self.tried), true);
        }
        if !has_say {
            return Found::Outside;
        }
        let of_tool = (server.server.id, key.thing.clone());
        let (live, tried) = (&self.live, &self.tried);
        let is_alike = *self.alike.entry(of_tool).or_insert_with(|| {
            live.as_ref().is_some_and(|live| live.program.says_the_same_as(&tried.program, &tool))
        });
        if is_alike {
            return Found::Same;
        }
        let decide = |says| match arguments {
            Some(arguments) => Ok(caller.decide_by(says, &server, tool, arguments)),
            None => caller.decide_unseen_by(says, &server, &tool),
        };
        compare(decide, before, after, tool.class)
    }

    /// The grant and the server, where such a call may be made now as far as they are concerned.
    fn place(&self, key: &Key) -> Result<(Arc<DecisionGrant>, Arc<ServerFacts>), LeftOut> {
        let grant = self.grants.get(&key.grant).ok_or(LeftOut::GrantGone)?;
        let state = grant.state(self.now);
        if state != GrantState::Active {
            return Err(LeftOut::Grant(state));
        }
        let server = key.server.ok_or(LeftOut::Nowhere)?;
        let server = self.snapshot.server_by_id(server).ok_or(LeftOut::ServerGone)?;
        if !server.server.is_enabled {
            return Err(LeftOut::ServerDisabled);
        }
        if !grant.covers(server.server.id) {
            return Err(LeftOut::ServerBeyondGrant);
        }
        Ok((Arc::clone(grant), Arc::clone(server)))
    }
}

/// Compares what becomes of a call under two sets of documents.
fn compare<'s>(
    decide: impl Fn(Vec<Say<'s>>) -> Result<Option<Decision<'s>>, ByArguments>,
    before: Vec<Say<'s>>,
    after: Vec<Say<'s>>,
    class: Class,
) -> Found {
    let (Ok(before), Ok(after)) = (decide(before), decide(after)) else { return Found::Unknown };
    let effects = (effect(before.as_ref()), effect(after.as_ref()));
    let outcome = match effects {
        (Effect::Allow | Effect::RequireApproval, Effect::Deny | Effect::Hide) => Outcome::NewlyDenied,
        (Effect::Allow | Effect::Deny | Effect::Hide, Effect::RequireApproval) => Outcome::NewlyAsked,
        (Effect::RequireApproval | Effect::Deny | Effect::Hide, Effect::Allow) => Outcome::NewlyAllowed,
        _ => return Found::Same,
    };
    let (before, after) = (side(before.as_ref()), side(after.as_ref()));
    Found::Changed(Arc::new(Change { outcome, before, after, class }))
}

/// What a decision comes to; without one, no policy has a say and nothing may be called.
fn effect(decision: Option<&Decision<'_>>) -> Effect {
    decision.map_or(Effect::Deny, |decision| decision.verdict.trace.outcome())
}

fn side(decision: Option<&Decision<'_>>) -> Side {
    let verdict = match effect(decision) {
        Effect::Allow => "allow",
        Effect::RequireApproval => "require_approval",
        Effect::Deny => "deny",
        Effect::Hide => "hide",
    };
    let decided = decision.and_then(|decision| {
        let trace = &decision.verdict.trace;
        let by_reason = trace.decisive().map(|(layer, reason)| (layer, reason.part.to_string()));
        // What passes everywhere passes by the lowest layer's key, or by what it says of tools that are not named.
        let by_key = || {
            let layer = trace.layers.last()?;
            let part = layer.key.clone().map_or(Part::Default, Part::Action);
            Some((layer.layer, part.to_string()))
        };
        by_reason.or_else(by_key)
    });
    let (layer, rule) = decided.map_or((None, String::new()), |(layer, rule)| (Some(layer), rule));
    Side { verdict, layer, rule }
}
