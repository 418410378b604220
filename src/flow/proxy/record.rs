//! The durable record: before a call leaves, and where one is refused. Only here is a [`Pass`] made.

use std::{borrow::Cow, sync::Arc, time::Instant};

use time::OffsetDateTime;

use crate::{
    base::{
        crypto::digest::{self, Digest},
        ids::EventId,
        trace::{Finding, Fixer, Step, Trace},
    },
    domain::{
        audit::{
            ArgumentsPart, CallEntry, CallPart, ClientPart, Decision, Entry, Hex, Lack, UpstreamPart, Who,
        },
        limits,
    },
    flow::proxy::{
        admit::Admitted,
        arguments,
        ask::{Answer, Ask},
        gateway::Gateway,
        judge::Permit,
        recorder::{Answered, Away, Recorder, Stand},
        refusal::{Form, Refusal, Refused},
        reply,
        route::{self, Call},
        state::Round,
        strangers::Carried,
        tasks::Poll,
    },
    io::db::OrgScope,
    protocol::mcp::{canonical::canonical, message::Request, method::Method},
};

/// What became of a round.
#[derive(Debug)]
pub enum Recorded {
    /// The agent's answer.
    Answer(Box<Answer>),
    /// It was judged by what is no longer so; the organization's epoch is this, or the organization is gone.
    Stale(Option<i64>),
    /// It asks about a task of ours.
    Polled(Box<Poll>),
}

/// A call that is on record and may leave. Only [`admit`] makes one.
#[derive(Debug)]
pub struct Pass<'a> {
    permit: Permit<'a>,
    open: Option<OpenCall>,
}

impl<'a> Pass<'a> {
    /// The call and its record, which whoever carries it out has to close.
    pub fn into_parts(self) -> (Permit<'a>, Option<OpenCall>) {
        (self.permit, self.open)
    }
}

/// A call on record whose outcome is not. Whoever carries it out closes it; where it is dropped instead, as with the request
/// of an agent that hung up, it is closed as given up, so that it holds no place for ever.
#[derive(Debug)]
pub struct OpenCall {
    recorder: Arc<Recorder>,
    scope: OrgScope,
    intent: EventId,
    who: Who,
    /// What the record of its outcome repeats, and what tells it from other calls.
    part: CallPart,
    target: Target,
    sent: usize,
    began: Instant,
    at: OffsetDateTime,
    /// Whether it holds something of limits until it ends.
    holds: bool,
    /// Of the policies that let it pass.
    policies: Digest,
    /// Whether humans agreed to it.
    is_agreed: bool,
    /// Whether its intent stands, so that an outcome has to follow.
    is_owed: bool,
}

/// A call on its way to the record. Its agent may go away meanwhile: then nobody carries the call out, and where it comes to
/// stand it is closed all the same.
#[derive(Debug)]
struct Entering {
    open: Option<OpenCall>,
    answered: Option<Answered>,
}

#[derive(Clone, Debug)]
struct Target {
    kind: &'static str,
    id: String,
    name: String,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The server answered.
    Answered,
    /// The agent went away before all of the answer was there.
    Abandoned,
    /// The server was not reached, or did not answer to the end: the code and a sentence.
    Failed(Cow<'static, str>, String),
}

/// What came of putting a permitted call on record.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly every call passes, and a box would be made for each")]
pub enum Admission<'a> {
    /// It is, and may leave.
    Pass(Pass<'a>),
    /// It was judged by what is no longer so, and must be judged anew.
    Stale(Recorded),
    /// It lacks room in a limit, or its approval is used or over.
    Lacking(Permit<'a>, Lack),
}

/// Puts a permitted call on record.
///
/// # Errors
/// Where the record could not be made: then the call must not leave.
pub async fn admit<'a>(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    permit: Permit<'a>,
) -> Result<Admission<'a>, Box<Refused>> {
    if !is_recorded(permit.call()) {
        return unrecorded(gateway, admitted, permit).await;
    }
    let (open, part) = OpenCall::of(gateway, ask, admitted, &permit);
    let (intent, allowed) = (open.intent, open.entry("call.allowed", part).ended(Decision::Allowed));
    let entry = CallEntry {
        epoch: Some(admitted.snapshot.epoch),
        opens: true,
        approval: permit.approval(),
        ..CallEntry::new(intent, open.at, allowed)
    };
    let taking = limits::write(permit.claims(), permit.goes_on().map(|round| round.intent));
    let answered = gateway.recorder.hand_in(admitted.snapshot.scope, entry, taking);
    let mut entering = Entering { open: Some(open), answered: Some(answered) };
    match entering.stand().await {
        Ok(Stand::Kept) => {
            gateway.seen.note(admitted, ask.origin.ip, permit.call().client.as_ref());
            // Boxed, so that what few organizations want makes no call larger.
            if admitted.snapshot.argument_days > 0 {
                Box::pin(arguments::keep(gateway, admitted, &permit, intent)).await;
            }
            Ok(Admission::Pass(Pass { permit, open: entering.open.take() }))
        }
        Ok(Stand::Stale(epoch)) => Ok(Admission::Stale(Recorded::Stale(epoch))),
        Ok(Stand::Lacks(lack)) => Ok(Admission::Lacking(permit, lack)),
        Ok(Stand::Doubtful) | Err(Away) => Err(permit.call().refused(admitted, Refusal::RecordAway)),
    }
}

/// Requests are recorded. What belongs to one that was (its progress, its cancellation, an answer to the server), the
/// stream of a session and its keep-alive are not, yet leave only while what they were judged by is still so.
fn is_recorded(call: &Call<'_>) -> bool {
    call.request().is_some_and(|request| request.method() != Method::Ping)
}

async fn unrecorded<'a>(
    gateway: &Gateway,
    admitted: &Admitted,
    permit: Permit<'a>,
) -> Result<Admission<'a>, Box<Refused>> {
    match in_force(gateway, admitted).await {
        Ok(None) => Ok(Admission::Pass(Pass { permit, open: None })),
        Ok(Some(stale)) => Ok(Admission::Stale(stale)),
        Err(refusal) => Err(permit.call().refused(admitted, refusal)),
    }
}

/// Whether what the agent was admitted by is still so; if not, at which epoch it is to be judged anew.
///
/// # Errors
/// Where that cannot be told.
pub async fn in_force(gateway: &Gateway, admitted: &Admitted) -> Result<Option<Recorded>, Refusal> {
    match gateway.snapshots.epoch_now(admitted.snapshot.scope).await {
        Ok(epoch) if epoch == Some(admitted.snapshot.epoch) => Ok(None),
        Ok(epoch) => Ok(Some(Recorded::Stale(epoch))),
        Err(error) => {
            tracing::warn!(%error, "the epoch cannot be read");
            Err(Refusal::Away)
        }
    }
}

/// Puts on record what is answered here, without a server; where it was judged by what is no longer so, it is to be
/// judged anew.
///
/// # Errors
/// Where the record could not be made: then it must not be answered.
pub async fn answered(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    method: Method<'_>,
    client: Option<&ClientPart>,
) -> Result<Option<Recorded>, Refusal> {
    let known = admitted.known();
    let part = CallPart {
        client: client.cloned(),
        grant: known.grant,
        method: Some(method.name().to_owned()),
        token: known.token,
        traceparent: ask.header("traceparent").map(str::to_owned),
        ..CallPart::new(Trace::passed(Step::Outcome))
    };
    let entry = Entry::call("call.answered", &known.who, part);
    let entry = entry.target("server", "", method.name()).ended(Decision::Done);
    let call = CallEntry {
        epoch: Some(admitted.snapshot.epoch),
        ..CallEntry::new(EventId::fresh(), gateway.clock.now(), entry)
    };
    match gateway.recorder.record(known.scope, call, None).await {
        Ok(Stand::Kept) => {
            gateway.seen.note(admitted, ask.origin.ip, client);
            Ok(None)
        }
        Ok(Stand::Stale(epoch)) => Ok(Some(Recorded::Stale(epoch))),
        Ok(Stand::Lacks(_) | Stand::Doubtful) | Err(Away) => Err(Refusal::RecordAway),
    }
}

/// Puts a refusal on record and says what the agent is answered.
pub async fn refuse(gateway: &Gateway, ask: &Ask, mut refused: Refused) -> Recorded {
    route::describe(ask, &mut refused);
    let Some(known) = refused.known.clone() else {
        match refused.refusal {
            Refusal::NoToken => gateway.strangers.came(ask, Carried::Nothing),
            Refusal::UnknownToken => gateway.strangers.came(ask, Carried::Unknown),
            Refusal::TooManyUnknown { .. } => gateway.strangers.came_again(ask),
            _ => {}
        }
        return Recorded::Answer(Box::new(reply::refusal(gateway, ask, &refused)));
    };
    if refused.refusal == Refusal::ForeignEndpoint {
        gateway.strangers.came(ask, Carried::Unknown);
    }
    let mut part = refused.part.clone();
    part.code = Some(refused.refusal.code().to_owned());
    part.grant = known.grant;
    part.token = known.token;
    let target = Target::of(&part, refused.server.as_deref());
    let entry = Entry::call("call.refused", &known.who, part);
    let entry = entry.target(target.kind, target.id, target.name).refused();
    let call = CallEntry {
        epoch: refused.refusal.depends_on_epoch().then_some(known.epoch),
        ..CallEntry::new(EventId::fresh(), gateway.clock.now(), entry)
    };
    if refused.refusal.form() == Form::Unavailable {
        // The record is what is away; it is tried again behind the agent's back.
        gateway.recorder.record_soon(known.scope, call);
        return Recorded::Answer(Box::new(reply::refusal(gateway, ask, &refused)));
    }
    match gateway.recorder.record(known.scope, call, None).await {
        Ok(Stand::Stale(epoch)) => Recorded::Stale(epoch),
        Ok(Stand::Kept) => Recorded::Answer(Box::new(reply::refusal(gateway, ask, &refused))),
        Ok(Stand::Lacks(_) | Stand::Doubtful) | Err(Away) => {
            let refused = Refused { refusal: Refusal::RecordAway, ..refused };
            Recorded::Answer(Box::new(reply::refusal(gateway, ask, &refused)))
        }
    }
}

impl Target {
    /// What a call is for: a tool, prompt or resource of a server, or the server. `slug` is the server's, where that is known.
    fn of(part: &CallPart, slug: Option<&str>) -> Self {
        let server = part.server.map(|server| server.to_string()).unwrap_or_default();
        match (&part.subject, slug) {
            (Some(subject), Some(slug)) => {
                Self { kind: "tool", id: format!("{server}/{subject}"), name: format!("{slug}/{subject}") }
            }
            (Some(subject), None) => {
                Self { kind: "tool", id: format!("{server}/{subject}"), name: subject.clone() }
            }
            (None, Some(slug)) => Self { kind: "server", id: server, name: slug.to_owned() },
            (None, None) => {
                Self { kind: "server", id: server, name: part.method.clone().unwrap_or_default() }
            }
        }
    }
}

impl Entering {
    /// Waits until it is known whether the call stands.
    async fn stand(&mut self) -> Result<Stand, Away> {
        let Some(answered) = &mut self.answered else { return Err(Away) };
        let stand = answered.await.unwrap_or(Err(Away));
        self.answered = None;
        match (&stand, &mut self.open) {
            (Ok(Stand::Kept), Some(open)) => open.is_owed = true,
            (Ok(stand @ Stand::Doubtful), open) => {
                open.take().into_iter().for_each(|open| open.forsaken(stand))
            }
            _ => {}
        }
        stand
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        if let (Some(open), Some(answered)) = (self.open.take(), self.answered.take()) {
            let recorder = Arc::clone(&open.recorder);
            recorder.see_to(answered, move |stand| open.forsaken(stand));
        }
    }
}

impl OpenCall {
    /// The call, and what of it stands in the record of its intent.
    fn of(gateway: &Gateway, ask: &Ask, admitted: &Admitted, permit: &Permit<'_>) -> (Self, CallPart) {
        let call = permit.call();
        let request = call.request();
        let known = admitted.known();
        let part = CallPart {
            arguments: request.and_then(arguments),
            approval: permit.approval(),
            class: permit.class(),
            decided: permit.ruling().decided.clone(),
            observed: permit.ruling().observed.clone(),
            client: call.client.clone(),
            connection: permit.account(),
            fingerprint: permit.fingerprint().map(|fingerprint| Hex(fingerprint.0)),
            grant: known.grant,
            method: request.map(|request| request.method().name().to_owned()),
            server: Some(call.server.server.id),
            session: call
                .session
                .as_ref()
                .filter(|session| session.bridged.is_none())
                .map(|session| Hex(digest::sha256(session.upstream.as_bytes()))),
            subject: call.subject().map(Cow::into_owned),
            token: known.token,
            traceparent: ask.header("traceparent").map(str::to_owned),
            ..CallPart::new(Trace::passed(Step::Record))
        };
        let target = Target::of(&part, Some(call.server.server.slug.as_str()));
        let open = Self {
            recorder: Arc::clone(&gateway.recorder),
            scope: known.scope,
            intent: EventId::fresh(),
            who: known.who,
            part: repeated(&part),
            target,
            sent: ask.body.len(),
            began: Instant::now(),
            at: gateway.clock.now(),
            holds: permit.ruling().claims.iter().any(|one| one.claim.is_held()),
            policies: permit.ruling().policies,
            is_agreed: permit.is_agreed(),
            is_owed: false,
        };
        (open, part)
    }

    /// What a state in the answer stands for; none where no answer can have one.
    pub fn round(&self) -> Option<Round> {
        let method = Method::parse(self.part.method.as_deref()?);
        method
            .may_require_input()
            .then(|| Round::of(self.intent, self.at, &self.part, &self.policies, self.is_agreed))
    }

    fn entry(&self, action: &'static str, part: CallPart) -> Entry {
        Entry::call(action, &self.who, part).target(self.target.kind, &self.target.id, &self.target.name)
    }

    /// Puts the outcome on record, soon.
    pub fn close(mut self, ending: &Ending, status: Option<u16>, received: usize) {
        self.is_owed = false;
        self.end(ending, status, received);
    }

    /// Nobody carries it out; where its intent stands, or is found to, it is closed.
    fn forsaken(mut self, stand: &Stand) {
        self.is_owed = *stand == Stand::Kept;
        if *stand == Stand::Doubtful {
            let (recorder, scope, intent) = (Arc::clone(&self.recorder), self.scope, self.intent);
            recorder.ask_after(scope, intent, move |stand| self.forsaken(stand));
        }
    }

    fn end(&self, ending: &Ending, status: Option<u16>, received: usize) {
        let elapsed = self.began.elapsed();
        let micros = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        let (trace, action, decision, code) = match ending {
            Ending::Answered => (Trace::passed(Step::Outcome), "call.answered", Decision::Done, None),
            Ending::Abandoned => {
                let actual = "the agent went away, or may no longer listen";
                let finding = Finding::new(actual, "the agent waits for the end of the answer", Fixer::Agent);
                (Trace::failed(Step::Outcome, finding), "call.abandoned", Decision::Failed, Some("abandoned"))
            }
            Ending::Failed(code, sentence) => {
                let finding = Finding::new(sentence.clone(), "an answer", Fixer::Upstream);
                let step = if status.is_some() { Step::Outcome } else { Step::Forward };
                (Trace::failed(step, finding), "call.failed", Decision::Failed, Some(code.as_ref()))
            }
        };
        let length = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        let upstream = UpstreamPart { micros, received: length(received), sent: length(self.sent), status };
        let part = CallPart {
            code: code.map(str::to_owned),
            grant: self.part.grant,
            intent: Some(self.intent),
            method: self.part.method.clone(),
            server: self.part.server,
            subject: self.part.subject.clone(),
            upstream: Some(upstream),
            ..CallPart::new(trace)
        };
        // Of a call that the agent went away from nobody knows that it failed; else going away would be for free.
        let is_error = matches!(ending, Ending::Failed(..)) || status.is_some_and(|status| status >= 400);
        let call = CallEntry {
            closes: Some(self.intent),
            settles: self.holds.then_some(is_error),
            ..CallEntry::new(EventId::fresh(), self.at + elapsed, self.entry(action, part).ended(decision))
        };
        self.recorder.record_soon(self.scope, call);
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if self.is_owed {
            self.end(&Ending::Abandoned, None, 0);
        }
    }
}

fn repeated(part: &CallPart) -> CallPart {
    CallPart {
        arguments: part.arguments.as_ref().map(|one| ArgumentsPart { digest: one.digest, keys: Vec::new() }),
        fingerprint: part.fingerprint,
        grant: part.grant,
        method: part.method.clone(),
        server: part.server,
        subject: part.subject.clone(),
        ..CallPart::new(Trace::passed(Step::Record))
    }
}

/// The arguments of a call without their values.
pub(super) fn arguments(request: &Request<'_>) -> Option<ArgumentsPart> {
    let raw = request.params.arguments().ok().flatten()?;
    let keys = raw.members().filter_map(|member| member.key.string().map(Cow::into_owned)).collect();
    Some(ArgumentsPart { digest: Hex(digest::sha256(&canonical(raw))), keys })
}
