//! From a call to a [`Permit`], or a [`Refusal`]: the same judgment for a call and for what a list shows.

use time::OffsetDateTime;

use crate::{
    base::{
        ids::{ApprovalId, ConnectionId},
        risk::Class,
    },
    domain::{
        audit::Lack,
        limits::{Claim, Counted},
        policy::engine::Tool,
        servers::{DecisionTool, Fingerprint, ToolState},
    },
    flow::{
        decision::{Absence, Caller, Claimed, Ruling, ServerFacts, Stopped, as_policies_see, names},
        proxy::{
            admit::Admitted,
            ask::Ask,
            credential::UsedAccount,
            reached::Reached,
            refusal::{Refusal, Refused},
            route::{Call, Payload},
            state::{Round, State},
        },
    },
    protocol::mcp::{
        headers::{self, Mirror},
        message::{Message, Request},
        method::{ListKind, Method, Target},
        version::Era,
    },
};

/// A call that may be made. Only [`judge`] makes one.
#[derive(Debug)]
pub struct Permit<'a> {
    /// Boxed, for a permit is handed on from step to step.
    call: Box<Call<'a>>,
    name: Option<String>,
    class: Option<Class>,
    fingerprint: Option<Fingerprint>,
    ruling: Ruling,
    approval: Option<ApprovalId>,
    /// The account whose token it carries.
    account: Option<UsedAccount>,
    round: Option<Round>,
    /// What it does not count because the round before did.
    spared: Vec<Claimed>,
}

impl<'a> Permit<'a> {
    /// The call.
    pub fn call(&self) -> &Call<'a> {
        &self.call
    }

    /// What policies call what is called, where that is no tool.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What the tool does at worst.
    pub const fn class(&self) -> Option<Class> {
        self.class
    }

    /// The tool that is called; none where something else is.
    pub fn tool(&self) -> Option<&DecisionTool> {
        let request = self.call.request().filter(|request| request.method().target() == Target::Tool)?;
        self.call.server.tool(&request.params.name().ok()??)
    }

    /// The definition that was judged.
    pub const fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// What the policies say of it.
    pub const fn ruling(&self) -> &Ruling {
        &self.ruling
    }

    /// The approval that it uses.
    pub const fn approval(&self) -> Option<ApprovalId> {
        self.approval
    }

    /// The account whose token it carries.
    pub fn account(&self) -> Option<ConnectionId> {
        self.account.map(|account| account.id)
    }

    /// The same, where a rule chose it, for this call or for the one that began the task that it is about.
    pub fn ruled_account(&self) -> Option<ConnectionId> {
        let by_rule = self.account.filter(|account| account.is_by_rule).map(|account| account.id);
        self.call.opened.account.or(by_rule)
    }

    /// The same with the account whose token it is to carry.
    #[must_use]
    pub(super) fn carrying(mut self, account: Option<UsedAccount>) -> Self {
        self.account = account;
        self
    }

    /// The round that it goes on from.
    pub const fn goes_on(&self) -> Option<Round> {
        self.round
    }

    /// Whether humans agreed to it, now or when it was first made.
    pub fn is_agreed(&self) -> bool {
        self.approval.is_some() || self.round.is_some_and(|round| round.is_agreed)
    }

    /// The same as another round of a call that is on record, where it is one: then it counts nothing, and nobody is asked
    /// anew, but calls under way are counted as ever.
    fn going_on(mut self, now: OffsetDateTime) -> Self {
        let Some(State::Server { round: Some(round), .. }) = self.call.opened.state else { return self };
        let is_agreed = round.is_agreed || self.ruling.needs.is_empty();
        if is_agreed && round.goes_on(&self.call, self.fingerprint, &self.ruling.policies, now) {
            let claims = std::mem::take(&mut self.ruling.claims);
            let (held, spared) =
                claims.into_iter().partition(|one| matches!(one.claim.counted, Counted::Place));
            (self.ruling.claims, self.spared) = (held, spared);
            self.round = Some(round);
        }
        self
    }

    /// The same with the approval that it is to use.
    #[must_use]
    pub(super) fn approved_by(mut self, approval: ApprovalId) -> Self {
        self.approval = Some(approval);
        self
    }

    /// Has a human asked beyond a limit that says so; otherwise why the call is not made.
    pub(super) fn beyond(mut self, admitted: &Admitted, lack: Lack) -> Result<Self, Box<Refused>> {
        match lack {
            // It was used, or its time was over: another one is asked for.
            Lack::Approval => {
                self.approval = None;
                Ok(self)
            }
            // Somebody went on from that round before: this is another call.
            Lack::Round => {
                self.round = None;
                self.ruling.claims.append(&mut self.spared);
                Ok(self)
            }
            Lack::Limit { at, .. } if self.ruling.ask_beyond(at) => Ok(self),
            Lack::Limit { at, used, retry_after } => {
                let reached =
                    self.ruling.claims.get(at).map(|claimed| Reached::of(claimed, used, retry_after));
                let refusal =
                    reached.map_or(Refusal::RecordAway, |reached| Refusal::Limit(Box::new(reached)));
                Err(self.call.refused(admitted, refusal))
            }
        }
    }

    /// What the call counts in limits.
    pub fn claims(&self) -> Vec<Claim> {
        self.ruling.claims.iter().map(|claimed| claimed.claim.clone()).collect()
    }
}

/// Judges a call.
///
/// # Errors
/// Why it may not be made.
pub fn judge<'a>(admitted: &Admitted, ask: &Ask, call: Call<'a>) -> Result<Permit<'a>, Box<Refused>> {
    match weigh(admitted, ask, &call) {
        Ok(Weight { name, class, fingerprint, ruling }) => {
            let permit = Permit {
                call: Box::new(call),
                name,
                class,
                fingerprint,
                ruling,
                approval: None,
                account: None,
                round: None,
                spared: Vec::new(),
            };
            Ok(permit.going_on(admitted.now))
        }
        Err(refusal) => Err(call.refused(admitted, refusal)),
    }
}

/// What was found of a call that may be made.
#[derive(Default)]
struct Weight {
    name: Option<String>,
    class: Option<Class>,
    fingerprint: Option<Fingerprint>,
    ruling: Ruling,
}

type Weighed = Result<Weight, Refusal>;

fn weigh(admitted: &Admitted, ask: &Ask, call: &Call<'_>) -> Weighed {
    let request = match &call.payload {
        Payload::Message(Message::Request(request)) => request,
        Payload::Message(Message::Notification(note)) => return note_of(note.method()),
        Payload::Message(Message::Response(_)) | Payload::Listen | Payload::End => {
            return Ok(Weight::default());
        }
    };
    let name = request.params.name().map_err(|bad| Refusal::BadParams { what: bad.to_string() })?;
    if call.era == Era::Modern {
        let mirrors = name.as_deref().map(|name| call.server.mirrors(name)).unwrap_or_default();
        check_modern(ask, request, mirrors)?;
    }
    let caller = admitted.caller(call.client.as_ref(), ask.origin.ip);
    match request.method().target() {
        Target::Tool => called(&caller, &call.server, request, name.ok_or_else(|| missing("name"))?.as_ref()),
        Target::Unknown => unknown_method(&caller, &call.server, request),
        Target::Prompt => read(&caller, &call.server, ListKind::Prompts, name.as_deref(), "name"),
        Target::Resource => {
            let uri = request.params.uri().map_err(|bad| Refusal::BadParams { what: bad.to_string() })?;
            read(&caller, &call.server, ListKind::Resources, uri.as_deref(), "uri")
        }
        Target::Reference => {
            let (key, named) =
                request.params.reference().map_err(|bad| Refusal::BadParams { what: bad.to_string() })?;
            let kind = if key == "name" { ListKind::Prompts } else { ListKind::Templates };
            read(&caller, &call.server, kind, Some(&named), "ref")
        }
        // What a list shows is decided for each of its items.
        Target::List(_) => Ok(Weight { class: Some(Class::Read), ..Weight::default() }),
        // Behind one credential a server cannot tell whose tasks are whose, so a list would show those of others.
        Target::Tasks => Err(Refusal::MethodUnserved { method: request.method().name().to_owned() }),
        Target::Task | Target::Changes | Target::Nothing => Ok(Weight::default()),
    }
}

/// Checks what a modern request says of itself, and that its headers repeat it.
///
/// # Errors
/// What it lacks, or which header says something else.
pub fn check_modern(ask: &Ask, request: &Request<'_>, mirrors: &[Mirror]) -> Result<(), Refusal> {
    // Without a description in the body there is nothing for headers to repeat.
    request.params.self_description().map_err(|bad| Refusal::BadParams { what: bad.to_string() })?;
    let pairs = ask.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    headers::verify(pairs, request, mirrors).map_err(Refusal::HeaderMismatch)
}

/// A notification asks for nothing. One that names a request is a request without an id, which a careless server would
/// carry out unseen.
fn note_of(method: Method<'_>) -> Weighed {
    if method.name().starts_with("notifications/") {
        return Ok(Weight::default());
    }
    Err(Refusal::BadParams { what: format!("{} is a request and needs an id", method.name()) })
}

/// A tool that is called: by its state, its class, and by what the policies say.
fn called(caller: &Caller<'_>, server: &ServerFacts, request: &Request<'_>, name: &str) -> Weighed {
    let tool = server
        .callable(name, caller.grant.ceiling)
        .map_err(|why| Refusal::ToolUnknown { tool: name.to_owned(), why })?;
    let arguments = request.params.arguments().map_err(|bad| Refusal::BadParams { what: bad.to_string() })?;
    let ruling = caller
        .rule(server, as_policies_see(tool), arguments)
        .map_err(|what| stopped(what, name, tool.state))?;
    Ok(Weight { class: Some(tool.class), fingerprint: Some(tool.fingerprint), ruling, name: None })
}

/// Something that is read, and named by a list of this kind.
fn read(caller: &Caller<'_>, server: &ServerFacts, kind: ListKind, name: Option<&str>, key: &str) -> Weighed {
    let name = names::name_in(kind, name.ok_or_else(|| missing(key))?);
    let tool = Tool { name: &name, class: Class::Read, is_reviewed: true };
    let ruling = caller.rule(server, tool, None).map_err(|what| stopped(what, &name, ToolState::Reviewed))?;
    Ok(Weight { name: Some(name.into_owned()), class: Some(Class::Read), ruling, fingerprint: None })
}

/// A method of an extension may do anything, so it asks for more than the mildest grant.
fn unknown_method(caller: &Caller<'_>, server: &ServerFacts, request: &Request<'_>) -> Weighed {
    let method = request.method().name();
    let is_reaching_for_the_agent = matches!(request.method(), Method::Other(_));
    if is_reaching_for_the_agent && !Class::Write.is_within(caller.grant.ceiling) {
        return Err(Refusal::MethodUnserved { method: method.to_owned() });
    }
    let name = format!("method:{method}");
    let tool = Tool { name: &name, class: Class::Write, is_reviewed: true };
    let ruling = caller.rule(server, tool, None).map_err(|what| stopped(what, &name, ToolState::Reviewed))?;
    Ok(Weight { name: Some(name), class: Some(Class::Write), ruling, fingerprint: None })
}

/// Why a call does not go on that something stops.
pub(super) fn stopped(stopped: Stopped, name: &str, state: ToolState) -> Refusal {
    match stopped {
        Stopped::Unreviewed if state == ToolState::New => {
            Refusal::ToolUnknown { tool: name.to_owned(), why: Absence::New }
        }
        Stopped::Unreviewed => Refusal::ToolChanged { tool: name.to_owned() },
        Stopped::Denied(denial) => Refusal::Denied(denial),
        Stopped::Hidden(denial) => Refusal::Hidden(denial),
    }
}

fn missing(key: &str) -> Refusal {
    Refusal::BadParams { what: format!("params.{key} is missing") }
}
