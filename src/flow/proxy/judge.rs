//! From a call to a [`Permit`], or a [`Refusal`]: the same judgment for a call and for what a list shows.

use crate::{
    base::risk::Class,
    domain::servers::{DecisionTool, Fingerprint, ToolState},
    flow::proxy::{
        admit::Admitted,
        ask::Ask,
        refusal::{Absence, Refusal, Refused},
        route::{Call, Payload},
        snapshot::ServerFacts,
    },
    protocol::mcp::{
        headers::{self, Mirror},
        message::{Message, Request},
        method::{Method, Target},
        version::Era,
    },
};

/// A call that may be made. Only [`judge`] makes one.
#[derive(Debug)]
pub struct Permit<'a> {
    call: Call<'a>,
    class: Option<Class>,
    fingerprint: Option<Fingerprint>,
}

impl<'a> Permit<'a> {
    /// The call.
    pub const fn call(&self) -> &Call<'a> {
        &self.call
    }

    /// What the tool does at worst.
    pub const fn class(&self) -> Option<Class> {
        self.class
    }

    /// The definition that was judged.
    pub const fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }
}

/// Judges a call.
///
/// # Errors
/// Why it may not be made.
pub fn judge<'a>(admitted: &Admitted, ask: &Ask, call: Call<'a>) -> Result<Permit<'a>, Box<Refused>> {
    match weigh(admitted, ask, &call) {
        Ok((class, fingerprint)) => Ok(Permit { call, class, fingerprint }),
        Err(refusal) => Err(call.refused(admitted, refusal)),
    }
}

type Weighed = Result<(Option<Class>, Option<Fingerprint>), Refusal>;

fn weigh(admitted: &Admitted, ask: &Ask, call: &Call<'_>) -> Weighed {
    let request = match &call.payload {
        Payload::Message(Message::Request(request)) => request,
        Payload::Message(Message::Notification(note)) => return note_of(note.method()),
        Payload::Message(Message::Response(_)) | Payload::Listen | Payload::End => return Ok((None, None)),
    };
    let name = request.params.name().map_err(|bad| Refusal::BadParams { what: bad.to_string() })?;
    if call.era == Era::Modern {
        let mirrors = name.as_deref().map(|name| call.server.mirrors(name)).unwrap_or_default();
        check_modern(ask, request, mirrors)?;
    }
    match request.method().target() {
        Target::Tool => {
            let name = name.ok_or_else(|| missing("name"))?;
            let tool = tool(admitted, &call.server, &name)?;
            Ok((Some(tool.class), tool.accepted_fingerprint))
        }
        Target::Unknown => unknown_method(admitted, request),
        Target::Prompt | Target::Resource | Target::Reference | Target::List(_) => {
            Ok((Some(Class::Read), None))
        }
        // Behind one credential a server cannot tell whose tasks are whose, so a list would show those of others.
        Target::Tasks => Err(Refusal::MethodUnserved { method: request.method().name().to_owned() }),
        Target::Task | Target::Changes | Target::Nothing => Ok((None, None)),
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
        return Ok((None, None));
    }
    Err(Refusal::BadParams { what: format!("{} is a request and needs an id", method.name()) })
}

/// A method of an extension may do anything, so it asks for more than the mildest grant.
fn unknown_method(admitted: &Admitted, request: &Request<'_>) -> Weighed {
    let is_reaching_for_the_agent = matches!(request.method(), Method::Other(_));
    if is_reaching_for_the_agent && !Class::Write.is_within(admitted.grant.ceiling) {
        return Err(Refusal::MethodUnserved { method: request.method().name().to_owned() });
    }
    Ok((Some(Class::Write), None))
}

fn missing(key: &str) -> Refusal {
    Refusal::BadParams { what: format!("params.{key} is missing") }
}

/// The tool, where this agent may call it.
///
/// # Errors
/// Why it may not.
pub fn tool<'s>(
    admitted: &Admitted,
    server: &'s ServerFacts,
    name: &str,
) -> Result<&'s DecisionTool, Refusal> {
    let absent = |why| Refusal::ToolUnknown { tool: name.to_owned(), why };
    let tool = server.tool(name).ok_or_else(|| absent(Absence::Nowhere))?;
    let ceiling = admitted.grant.ceiling;
    if !tool.class.is_within(ceiling) {
        return Err(absent(Absence::AboveCeiling(tool.class, ceiling)));
    }
    match tool.state {
        ToolState::Reviewed if tool.is_enabled => Ok(tool),
        ToolState::Reviewed => Err(absent(Absence::Disabled)),
        ToolState::New => Err(absent(Absence::New)),
        ToolState::Refused => Err(absent(Absence::Refused)),
        ToolState::Gone => Err(absent(Absence::Gone)),
        ToolState::Changed => Err(Refusal::ToolChanged { tool: name.to_owned() }),
    }
}
