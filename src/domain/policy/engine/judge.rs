//! From a call and the documents of its layers to a verdict.

use std::ops::ControlFlow;

use serde::Serialize;

use crate::{
    domain::policy::{
        document::{Action, Ask, AskRule, Checks, Increment, Limit, Mode, Rule, ToolRules, Unreviewed},
        engine::{
            compile::Program,
            condition::{all_hold, find, has_case_variant, key_of},
            facts::{Facts, Tool},
            subject::{Arguments, Subject, Truth},
            trace::{Effect, LayerTrace, List, Part, Reason, Trace},
            verdict::{Blocked, Need, Open, Outcome, Reservation, Slots, Verdict},
        },
        number::Number,
        path::Path,
    },
    protocol::mcp::raw::{Kind, Raw},
};

/// A call that is to be decided about.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The tool.
    pub tool: Tool<'a>,
    /// The arguments, where there are any.
    pub arguments: Option<Raw<'a>>,
    /// What else is known.
    pub facts: Facts<'a>,
}

/// Whose document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerName {
    /// The organization's guardrail.
    Org,
    /// The team's.
    Team,
    /// The server's baseline.
    Server,
    /// The grant's.
    Grant,
}

impl LayerName {
    /// All layers, the highest first.
    pub const ALL: [Self; 4] = [Self::Org, Self::Team, Self::Server, Self::Grant];

    /// The name in records and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Org => "org",
            Self::Team => "team",
            Self::Server => "server",
            Self::Grant => "grant",
        }
    }
}

impl std::fmt::Display for LayerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose org, team, server or grant")]
pub struct NotALayer;

impl std::str::FromStr for LayerName {
    type Err = NotALayer;

    fn from_str(text: &str) -> Result<Self, NotALayer> {
        Self::ALL.into_iter().find(|layer| layer.as_str() == text).ok_or(NotALayer)
    }
}

/// A document that has a say.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Whose it is.
    pub name: LayerName,
    /// The document.
    pub program: &'a Program,
}

/// Decides about a call. Without any document nothing may be called.
pub fn decide(call: &Call<'_>, layers: &[Layer<'_>]) -> Verdict {
    let Call { tool, arguments, facts } = *call;
    judge(&Subject { tool, arguments: Arguments::Sent(arguments), facts }, layers)
}

/// Decides about a call, or about what holds for all calls of a tool.
pub(super) fn judge(subject: &Subject<'_>, layers: &[Layer<'_>]) -> Verdict {
    let mut verdict = Verdict {
        outcome: Outcome::Allow,
        reservations: Vec::new(),
        slots: Vec::new(),
        open: Vec::new(),
        trace: Trace { layers: Vec::with_capacity(layers.len()) },
    };
    let mut needs = Vec::new();
    for (seat, layer) in layers.iter().enumerate() {
        let trace = LayerTrace::new(layer.name, layer.mode());
        let mut found = Found { subject, seat, layer, trace, verdict: &mut verdict };
        found.judge(&mut needs);
        let trace = found.trace;
        verdict.trace.layers.push(trace);
    }
    verdict.outcome = outcome(&verdict.trace, needs, layers.is_empty());
    if !matches!(verdict.outcome, Outcome::Allow | Outcome::Ask(_)) {
        verdict.reservations.clear();
        verdict.slots.clear();
    }
    verdict
}

fn outcome(trace: &Trace, needs: Vec<Need>, is_lawless: bool) -> Outcome {
    if is_lawless {
        return Outcome::Deny(Blocked { layer: None, part: Part::NoPolicy, name: None, words: None });
    }
    let blocked = || {
        let (layer, reason) = trace.decisive()?;
        let Reason { part, name, words, .. } = reason.clone();
        Some(Blocked { layer: Some(layer), part, name, words })
    };
    let unknown = || Blocked { layer: None, part: Part::NoPolicy, name: None, words: None };
    match trace.outcome() {
        Effect::Allow => Outcome::Allow,
        Effect::RequireApproval => Outcome::Ask(needs),
        Effect::Deny => Outcome::Deny(blocked().unwrap_or_else(unknown)),
        Effect::Hide => Outcome::Hidden(blocked().unwrap_or_else(unknown)),
    }
}

impl Layer<'_> {
    fn mode(&self) -> Mode {
        self.program.document().mode
    }
}

/// What a layer has found so far.
struct Found<'f, 'c> {
    subject: &'f Subject<'c>,
    seat: usize,
    layer: &'f Layer<'f>,
    trace: LayerTrace,
    verdict: &'f mut Verdict,
}

impl Found<'_, '_> {
    /// The steps in their order; the first that stops the call ends them.
    fn judge(&mut self, needs: &mut Vec<Need>) {
        let (program, tool) = (self.layer.program, self.subject.tool);
        let document = program.document();
        if let Some(at) = program.hidden_at(&tool) {
            return self.because(Reason::new(Part::Hide(at), Effect::Hide));
        }
        if !tool.is_reviewed && document.unreviewed == Unreviewed::Deny {
            return self.because(Reason::new(Part::Unreviewed, Effect::Deny));
        }
        let named = program.rules_of(&tool);
        let key = named.map(|(pattern, _)| pattern.to_string());
        self.trace.key.clone_from(&key);
        let (action, part, words) = match (named, &key) {
            (Some((_, rules)), Some(key)) => (rules.action, Part::Action(key.clone()), rules.reason.clone()),
            _ => (document.default, Part::Default, None),
        };
        match action {
            Action::Allow => {}
            Action::Deny => return self.because(Reason::new(part, Effect::Deny).saying(words)),
            Action::RequireApproval => {
                let reason = Reason::new(part, Effect::RequireApproval).saying(words);
                self.ask(reason, &Ask::default(), needs);
            }
        }
        let none = ToolRules::default();
        let own = named.map_or(&none, |(_, rules)| rules);
        for (key, checks) in [(None, &document.all_tools), (key.as_deref(), &own.checks)] {
            if let Some((list, at)) = self.ambiguous(checks) {
                let words = "An argument's name differs only in case from one that the policy looks at.";
                let part = Part::Check(key.map(str::to_owned), list, at);
                return self.because(Reason::new(part, Effect::Deny).saying(Some(words.to_owned())));
            }
        }
        for (key, checks) in [(None, &document.all_tools), (key.as_deref(), &own.checks)] {
            if self.stops(key, checks).is_break() {
                return;
            }
        }
        for (key, checks) in [(None, &document.all_tools), (key.as_deref(), &own.checks)] {
            self.asks(key, &checks.ask_if, needs);
        }
        if let (Some(most), Some(key)) = (own.concurrency, &key) {
            let part = Part::Concurrency(key.clone());
            self.verdict.slots.push(Slots {
                seat: self.seat,
                layer: self.layer.name,
                part,
                most,
                is_observed: self.trace.is_observed,
            });
        }
    }

    fn because(&mut self, reason: Reason) {
        self.trace.reasons.push(reason);
    }

    /// Notes a rule of which nobody can tell yet whether it holds; what only observes asks for nothing.
    fn leave_open(&mut self, rule: &Rule, part: Part, effect: Effect) {
        if !self.trace.is_observed && rule.mode == Mode::Enforce {
            self.verdict.open.push(Open { seat: self.seat, part, effect, name: rule.name.clone() });
        }
    }

    fn ask(&mut self, reason: Reason, ask: &Ask, needs: &mut Vec<Need>) {
        if !self.trace.is_observed && !reason.is_observed {
            let (part, name) = (reason.part.clone(), reason.name.clone());
            needs.push(Need { seat: self.seat, layer: self.layer.name, part, name, ask: ask.clone() });
        }
        self.because(reason);
    }

    /// The first rule or limit that looks at an argument which the call has in another case. What only observes refuses
    /// nothing for that either.
    fn ambiguous(&self, checks: &Checks) -> Option<(List, usize)> {
        let varies = |path: &Path| match self.subject.arguments {
            Arguments::Worst => matches!(path, Path::Args(_)),
            arguments => has_case_variant(arguments.sent(), path),
        };
        let rule = |rule: &Rule| {
            rule.mode == Mode::Enforce && rule.conditions.iter().any(|condition| varies(&condition.path))
        };
        let limit = |limit: &Limit| {
            let increment = match &limit.increment {
                Increment::From(path) => Some(path),
                Increment::By(_) => None,
            };
            limit.mode == Mode::Enforce && increment.into_iter().chain(&limit.distinct).any(varies)
        };
        let asks = || checks.ask_if.iter().position(|one| rule(&one.rule));
        let require = checks.require.iter().position(rule).map(|at| (List::Require, at));
        require
            .or_else(|| checks.deny_if.iter().position(rule).map(|at| (List::DenyIf, at)))
            .or_else(|| asks().map(|at| (List::AskIf, at)))
            .or_else(|| checks.limits.iter().position(limit).map(|at| (List::Limits, at)))
    }

    /// What stops the call, or counts it.
    fn stops(&mut self, key: Option<&str>, checks: &Checks) -> ControlFlow<()> {
        let part = |list, at| Part::Check(key.map(str::to_owned), list, at);
        let stopping =
            [(List::Require, &checks.require, Truth::No), (List::DenyIf, &checks.deny_if, Truth::Yes)];
        for (list, rules, truth) in stopping {
            for (at, rule) in rules.iter().enumerate() {
                let found = all_hold(&rule.conditions, self.subject);
                if self.subject.arguments.stop(found, truth) {
                    self.because(Reason::of(rule, part(list, at), Effect::Deny));
                    stop(rule.mode)?;
                } else if found == Truth::Unknown {
                    self.leave_open(rule, part(list, at), Effect::Deny);
                }
            }
        }
        for (at, limit) in checks.limits.iter().enumerate() {
            if let Some(amount) = self.amount(limit) {
                let reservation = self.reservation(limit, part(List::Limits, at), amount);
                self.verdict.reservations.push(reservation);
            } else {
                let words = "What is to be counted is no number that is not negative.".to_owned();
                self.because(Reason {
                    name: Some(limit.counter.clone()),
                    is_observed: limit.mode == Mode::Observe,
                    ..Reason::new(part(List::Limits, at), Effect::Deny).saying(Some(words))
                });
                stop(limit.mode)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn asks(&mut self, key: Option<&str>, rules: &[AskRule], needs: &mut Vec<Need>) {
        for (at, AskRule { rule, ask }) in rules.iter().enumerate() {
            let part = || Part::Check(key.map(str::to_owned), List::AskIf, at);
            let found = all_hold(&rule.conditions, self.subject);
            if self.subject.arguments.stop(found, Truth::Yes) {
                self.ask(Reason::of(rule, part(), Effect::RequireApproval), ask, needs);
            } else if found == Truth::Unknown {
                self.leave_open(rule, part(), Effect::RequireApproval);
            }
        }
    }

    /// How much the call counts; nothing where it says no amount.
    fn amount(&self, limit: &Limit) -> Option<Number> {
        match &limit.increment {
            Increment::By(number) => Some(number.clone()),
            Increment::From(path) => {
                let arguments = match self.subject.arguments {
                    Arguments::Sent(arguments) => arguments,
                    Arguments::Unknown | Arguments::Anything => return Some(Number::ZERO),
                    Arguments::Worst => return None,
                };
                let raw = find(arguments, path).filter(|raw| raw.kind() == Kind::Number)?;
                Number::parse(raw.text()).ok().filter(|number| !number.is_negative())
            }
        }
    }

    fn reservation(&self, limit: &Limit, part: Part, amount: Number) -> Reservation {
        let value =
            |path| find(self.subject.arguments.sent(), path).and_then(key_of).unwrap_or_default().into();
        Reservation {
            seat: self.seat,
            layer: self.layer.name,
            part,
            counter: limit.counter.clone(),
            window: limit.window,
            kind: limit.kind,
            max: limit.max.clone(),
            scope: limit.scope,
            amount,
            distinct: limit.distinct.as_ref().map(value),
            count_errors: limit.count_errors,
            on_exceed: limit.on_exceed,
            words: limit.on_deny.clone(),
            is_observed: self.trace.is_observed || limit.mode == Mode::Observe,
        }
    }
}

/// What enforces ends the steps.
const fn stop(mode: Mode) -> ControlFlow<()> {
    match mode {
        Mode::Enforce => ControlFlow::Break(()),
        Mode::Observe => ControlFlow::Continue(()),
    }
}

impl Reason {
    const fn new(part: Part, effect: Effect) -> Self {
        Self { part, effect, name: None, words: None, is_observed: false }
    }

    fn of(rule: &Rule, part: Part, effect: Effect) -> Self {
        let (name, words) = (rule.name.clone(), rule.on_deny.clone());
        Self { part, effect, name, words, is_observed: rule.mode == Mode::Observe }
    }

    fn saying(self, words: Option<String>) -> Self {
        Self { words, ..self }
    }
}
