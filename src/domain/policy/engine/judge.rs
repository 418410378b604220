//! From a call and the documents of its layers to a verdict.

use std::ops::ControlFlow;

use serde::Serialize;

use crate::{
    domain::policy::{
        document::{Action, Ask, AskRule, Checks, Increment, Limit, Mode, Rule, ToolRules, Unreviewed},
        engine::{
            budget::{Budget, Exhausted},
            compile::Program,
            condition::{all_hold, find, key_of},
            facts::{Facts, Tool},
            guard::Guard,
            subject::{Arguments, Subject, Truth},
            trace::{Effect, LayerTrace, List, Part, Reason, Trace},
            verdict::{Blocked, Need, Open, Outcome, Reservation, Slots, Verdict},
        },
        number::Number,
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
        let steps = Steps { deciding: Budget::full(), observing: Budget::full() };
        let mut found = Found { subject, seat, layer, steps, trace, verdict: &mut verdict };
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

/// What is said where the arguments are too large.
const TOO_LARGE: &str = "The arguments are too large for the rules to be judged.";

/// The steps that a layer has left for a call. What only observes takes none of those that decide.
struct Steps {
    deciding: Budget,
    observing: Budget,
}

impl Steps {
    const fn of(&self, mode: Mode) -> &Budget {
        match mode {
            Mode::Enforce => &self.deciding,
            Mode::Observe => &self.observing,
        }
    }
}

/// What a layer has found so far.
struct Found<'f, 'c> {
    subject: &'f Subject<'c>,
    seat: usize,
    layer: &'f Layer<'f>,
    steps: Steps,
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
                self.ask(reason, &Ask::default(), None, needs);
            }
        }
        let none = ToolRules::default();
        let own = named.map_or(&none, |(_, rules)| rules);
        let (for_all, of_key) = program.guards_of(&tool);
        for (key, guard) in [(None, Some(for_all)), (key.as_deref(), of_key)] {
            if let Some(reason) = guard.and_then(|guard| self.ambiguous(key, guard)) {
                return self.because(reason);
            }
        }
        for (key, checks) in [(None, &document.all_tools), (key.as_deref(), &own.checks)] {
            if self.stops(key, checks).is_break() {
                return;
            }
        }
        let why = own.reason.as_deref();
        for (key, checks, why) in [(None, &document.all_tools, None), (key.as_deref(), &own.checks, why)] {
            if self.asks(key, &checks.ask_if, why, needs).is_break() {
                return;
            }
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

    /// `why` is what is said of the tool, where nothing is said of the rule.
    fn ask(&mut self, reason: Reason, ask: &Ask, why: Option<&str>, needs: &mut Vec<Need>) {
        if !self.trace.is_observed && !reason.is_observed {
            needs.push(Need {
                seat: self.seat,
                layer: self.layer.name,
                part: reason.part.clone(),
                name: reason.name.clone(),
                words: reason.words.clone().or_else(|| why.map(str::to_owned)),
                ask: ask.clone(),
            });
        }
        self.because(reason);
    }

    /// Whether a rule or limit looks at an argument which the call has under another form of its name. What only observes
    /// refuses nothing for that either.
    fn ambiguous(&self, key: Option<&str>, guard: &Guard) -> Option<Reason> {
        let place = |(list, at)| (key.map(str::to_owned), list, at);
        let varied = match self.subject.arguments {
            Arguments::Worst => Ok(guard.first()),
            Arguments::Sent(Some(arguments)) => guard.varied(arguments, &self.steps.deciding),
            Arguments::Sent(None) | Arguments::Unknown | Arguments::Anything => Ok(None),
        };
        let (part, words) = match varied {
            Ok(found) => {
                let (key, list, at) = place(found?);
                let words =
                    "An argument's name differs only in case or form from one that the policy looks at.";
                (Part::Check(key, list, at), words)
            }
            Err(Exhausted) => {
                let (key, list, at) = place(guard.first()?);
                (Part::Beyond(key, list, at), TOO_LARGE)
            }
        };
        Some(Reason::new(part, Effect::Deny).saying(Some(words.to_owned())))
    }

    /// Notes a rule or limit that is not judged, for there are no steps left. One that only observes is noted once, and the
    /// others behind it are passed over.
    fn exhausted(&mut self, mode: Mode, name: Option<&String>, part: Part) -> ControlFlow<()> {
        let is_observed = mode == Mode::Observe;
        let is_told = |reason: &Reason| reason.is_observed && matches!(reason.part, Part::Beyond(..));
        if !(is_observed && self.trace.reasons.iter().any(is_told)) {
            let name = name.cloned();
            let reason = Reason::new(part, Effect::Deny).saying(Some(TOO_LARGE.to_owned()));
            self.because(Reason { name, is_observed, ..reason });
        }
        stop(mode)
    }

    /// What stops the call, or counts it.
    fn stops(&mut self, key: Option<&str>, checks: &Checks) -> ControlFlow<()> {
        let stopping =
            [(List::Require, &checks.require, Truth::No), (List::DenyIf, &checks.deny_if, Truth::Yes)];
        for (list, rules, truth) in stopping {
            for (at, rule) in rules.iter().enumerate() {
                let key = || key.map(str::to_owned);
                match all_hold(&rule.conditions, self.subject, self.steps.of(rule.mode)) {
                    Ok(found) if self.subject.arguments.stop(found, truth) => {
                        self.because(Reason::of(rule, Part::Check(key(), list, at), Effect::Deny));
                        stop(rule.mode)?;
                    }
                    Ok(Truth::Unknown) => {
                        self.leave_open(rule, Part::Check(key(), list, at), Effect::Deny);
                    }
                    Ok(Truth::Yes | Truth::No) => {}
                    Err(Exhausted) => {
                        self.exhausted(rule.mode, rule.name.as_ref(), Part::Beyond(key(), list, at))?;
                    }
                }
            }
        }
        for (at, limit) in checks.limits.iter().enumerate() {
            self.counts(key, at, limit)?;
        }
        ControlFlow::Continue(())
    }

    /// What the call counts in a limit, or that it counts nothing that could be counted.
    fn counts(&mut self, key: Option<&str>, at: usize, limit: &Limit) -> ControlFlow<()> {
        let part = || Part::Check(key.map(str::to_owned), List::Limits, at);
        let counted = self.amount(limit).and_then(|amount| {
            let Some(amount) = amount else { return Ok(None) };
            self.reservation(limit, part(), amount).map(Some)
        });
        match counted {
            Ok(Some(reservation)) => {
                self.verdict.reservations.push(reservation);
                ControlFlow::Continue(())
            }
            Ok(None) => {
                let words = "What is to be counted has to be a number, zero or more.".to_owned();
                self.because(Reason {
                    name: Some(limit.counter.clone()),
                    is_observed: limit.mode == Mode::Observe,
                    ..Reason::new(part(), Effect::Deny).saying(Some(words))
                });
                stop(limit.mode)
            }
            Err(Exhausted) => {
                let part = Part::Beyond(key.map(str::to_owned), List::Limits, at);
                self.exhausted(limit.mode, Some(&limit.counter), part)
            }
        }
    }

    fn asks(
        &mut self,
        key: Option<&str>,
        rules: &[AskRule],
        why: Option<&str>,
        needs: &mut Vec<Need>,
    ) -> ControlFlow<()> {
        for (at, AskRule { rule, ask }) in rules.iter().enumerate() {
            let key = || key.map(str::to_owned);
            match all_hold(&rule.conditions, self.subject, self.steps.of(rule.mode)) {
                Ok(found) if self.subject.arguments.stop(found, Truth::Yes) => {
                    let part = Part::Check(key(), List::AskIf, at);
                    self.ask(Reason::of(rule, part, Effect::RequireApproval), ask, why, needs);
                }
                Ok(Truth::Unknown) => {
                    self.leave_open(rule, Part::Check(key(), List::AskIf, at), Effect::RequireApproval);
                }
                Ok(Truth::Yes | Truth::No) => {}
                Err(Exhausted) => {
                    self.exhausted(rule.mode, rule.name.as_ref(), Part::Beyond(key(), List::AskIf, at))?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// How much the call counts; nothing where it says no amount.
    fn amount(&self, limit: &Limit) -> Result<Option<Number>, Exhausted> {
        let path = match &limit.increment {
            Increment::By(number) => return Ok(Some(number.clone())),
            Increment::From(path) => path,
        };
        let arguments = match self.subject.arguments {
            Arguments::Sent(arguments) => arguments,
            Arguments::Unknown | Arguments::Anything => return Ok(Some(Number::ZERO)),
            Arguments::Worst => return Ok(None),
        };
        let found = find(arguments, path, self.steps.of(limit.mode))?;
        let number = found.filter(|raw| raw.kind() == Kind::Number);
        let number = number.and_then(|raw| Number::parse(raw.text()).ok());
        Ok(number.filter(|number| !number.is_negative()))
    }

    fn reservation(&self, limit: &Limit, part: Part, amount: Number) -> Result<Reservation, Exhausted> {
        let budget = self.steps.of(limit.mode);
        let distinct = match &limit.distinct {
            Some(path) => {
                let found = find(self.subject.arguments.sent(), path, budget)?;
                let key = found.map(|raw| key_of(raw, budget)).transpose()?.flatten();
                Some(key.unwrap_or_default().into())
            }
            None => None,
        };
        Ok(Reservation {
            seat: self.seat,
            layer: self.layer.name,
            part,
            counter: limit.counter.clone(),
            window: limit.window,
            kind: limit.kind,
            max: limit.max.clone(),
            scope: limit.scope,
            amount,
            distinct,
            count_errors: limit.count_errors,
            on_exceed: limit.on_exceed,
            words: limit.on_deny.clone(),
            is_observed: self.trace.is_observed || limit.mode == Mode::Observe,
        })
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
