//! From an admitted agent's message to a [`Call`]: which server, which tool, with which arguments.

use std::{borrow::Cow, sync::Arc};

use crate::{
    base::ids::ServerId,
    domain::audit::{ArgumentsPart, CallPart, ClientPart},
    flow::{
        decision::ServerFacts,
        proxy::{
            admit::Admitted,
            ask::{Ask, Endpoint, MAX_BODY, Verb},
            bridge::{self, Bridged},
            edit::{self, Opened},
            gateway::Gateway,
            handles::Session,
            record,
            refusal::{Refusal, Refused},
        },
    },
    protocol::mcp::{
        message::{self, Message, Request},
        method::Method,
        params::Params,
        raw::Raw,
        strict::Limits,
        version::{self, Era, Spoken, Version},
    },
};

/// A message on its way to one server.
#[derive(Debug)]
pub struct Call<'a> {
    /// The server.
    pub server: Arc<ServerFacts>,
    /// What is sent.
    pub payload: Payload<'a>,
    /// The era that it speaks.
    pub era: Era,
    /// The session it belongs to, as the upstream knows it.
    pub session: Option<Session>,
    /// The software that calls, as it names itself.
    pub client: Option<ClientPart>,
    /// Its handles, opened.
    pub opened: Opened,
    /// How the server's things are called, where it was reached through the merged endpoint.
    pub merged: Option<Merged>,
}

/// A server seen through the merged endpoint.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Its short name.
    pub slug: Arc<str>,
    /// The server that its list goes on with.
    pub then: Option<ServerId>,
}

impl Merged {
    fn of(endpoint: &Endpoint, server: &ServerFacts) -> Option<Self> {
        let Endpoint::Within { then, .. } = endpoint else { return None };
        Some(Self { slug: server.server.slug.as_str().into(), then: *then })
    }
}

/// What is sent.
#[derive(Debug)]
pub enum Payload<'a> {
    /// A message.
    Message(Message<'a>),
    /// Nothing but the wish for a session's stream.
    Listen,
    /// Nothing but the end of a session.
    End,
}

const SESSION: &str = "mcp-session-id";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";

impl<'a> Call<'a> {
    /// What a posted message asks for.
    ///
    /// # Errors
    /// Why it leads nowhere.
    pub fn of(
        gateway: &Gateway,
        admitted: &Admitted,
        ask: &Ask,
        message: Message<'a>,
    ) -> Result<Self, Box<Refused>> {
        let header = ask.header("mcp-protocol-version").map(str::as_bytes);
        let spoken = version::spoken(&message, header);
        let era = spoken.era;
        let unserved = unserved(&message, &spoken);
        let facts = |refusal| Facts::of(&message, era).refused(admitted, refusal);
        let server = admitted.server(&ask.endpoint).map_err(facts)?;
        let session = session(gateway, admitted, ask, &server, era).map_err(facts)?;
        let client =
            client_of(&message).or_else(|| session.as_ref().and_then(|session| session.client.clone()));
        let opened = match &message {
            // What the era does not know is nothing whose handles could be opened.
            Message::Request(request) if !request.method().exists_in(era) => {
                Err(Refusal::MethodUnserved { method: request.method().name().to_owned() })
            }
            Message::Request(request) => {
                edit::open(&ask.body, request, era, &gateway.handles, admitted.holder(&server))
            }
            Message::Notification(_) | Message::Response(_) => Ok(Opened::default()),
        };
        let opened = opened.map_err(facts)?;
        let merged = Merged::of(&ask.endpoint, &server);
        let call = Self { server, payload: Payload::Message(message), era, session, client, opened, merged };
        call.check_version(admitted, unserved)?;
        admitted.check_client(call.client.as_ref()).map_err(|refusal| call.refused(admitted, refusal))?;
        Ok(call)
    }

    /// What the opening of a stream, or the end of a session, asks for.
    ///
    /// # Errors
    /// Why it leads nowhere.
    pub fn of_session(gateway: &Gateway, admitted: &Admitted, ask: &Ask) -> Result<Self, Box<Refused>> {
        let server = admitted.server(&ask.endpoint).map_err(|refusal| admitted.refused(refusal))?;
        let session = session(gateway, admitted, ask, &server, Era::Legacy)
            .map_err(|refusal| admitted.refused(refusal))?;
        let client = session.as_ref().and_then(|session| session.client.clone());
        let payload = if ask.verb == Verb::Delete { Payload::End } else { Payload::Listen };
        let (era, opened, merged) = (Era::Legacy, Opened::default(), None);
        let call = Self { server, payload, era, session, client, opened, merged };
        call.check_version(admitted, unserved_header(ask))?;
        admitted.check_client(call.client.as_ref()).map_err(|refusal| call.refused(admitted, refusal))?;
        Ok(call)
    }

    /// A revision is for whoever answers to judge: the server, or this software in its place.
    fn check_version(&self, admitted: &Admitted, unserved: Option<Refusal>) -> Result<(), Box<Refused>> {
        match unserved.filter(|_| bridge::way(self).is_some()) {
            Some(refusal) => Err(self.refused(admitted, refusal)),
            None => Ok(()),
        }
    }

    /// The request, where it is one.
    pub fn request(&self) -> Option<&Request<'a>> {
        match &self.payload {
            Payload::Message(Message::Request(request)) => Some(request),
            _ => None,
        }
    }

    /// The name of the tool, prompt or resource it is about.
    pub fn subject(&self) -> Option<Cow<'_, str>> {
        let params = &self.request()?.params;
        subject_of(params)
    }

    /// Whether the client leads its person to an address where it is asked to.
    pub fn takes_links(&self) -> bool {
        let declared =
            |raw: Option<Raw<'_>>| raw.and_then(|raw| raw.reach(&["elicitation", "url"])).is_some();
        let Some(request) = self.request() else { return false };
        if self.era == Era::Modern {
            return request.method().may_require_input() && declared(request.params.meta(CAPABILITIES));
        }
        if request.method() == Method::Initialize {
            return declared(request.params.capabilities().ok().flatten());
        }
        self.session.as_ref().is_some_and(|session| {
            session.takes_links || session.bridged.as_ref().is_some_and(Bridged::takes_links)
        })
    }

    /// A refusal with all that is known of the call.
    pub fn refused(&self, admitted: &Admitted, refusal: Refusal) -> Box<Refused> {
        let facts = match &self.payload {
            Payload::Message(message) => Facts::of(message, self.era),
            Payload::Listen | Payload::End => Facts::default(),
        };
        let mut refused = facts.refused(admitted, refusal);
        refused.part.server = Some(self.server.server.id);
        refused.server = Some(self.server.server.slug.to_string());
        refused.part.client.clone_from(&self.client);
        refused
    }
}

/// What is said of a message whose revision nobody here speaks. A handshake may propose any.
pub fn unserved(message: &Message<'_>, spoken: &Spoken<'_>) -> Option<Refusal> {
    let is_handshake = spoken.era == Era::Legacy
        && matches!(message, Message::Request(request) if request.method() == Method::Initialize);
    let is_unserved = !is_handshake && spoken.version().is_err();
    is_unserved.then(|| version_unserved(spoken.said.as_deref().unwrap_or_default()))
}

/// The same of what has no body, and so speaks by its header alone.
pub fn unserved_header(ask: &Ask) -> Option<Refusal> {
    let said = ask.header("mcp-protocol-version").map(str::trim)?;
    Version::parse(said).is_none().then(|| version_unserved(said))
}

fn version_unserved(said: &str) -> Refusal {
    Refusal::VersionUnserved { version: said.chars().take(40).collect() }
}

/// Fills in what the message says of itself where it was refused before anybody read it: an agent whose gate is closed
/// is answered in the form that a model reads.
pub fn describe(ask: &Ask, refused: &mut Refused) {
    let is_told = refused.known.is_some() && refused.part.method.is_none();
    if !is_told || ask.verb != Verb::Post {
        return;
    }
    let Ok(message) = message::parse(&ask.body, &Limits::of(MAX_BODY)) else { return };
    let header = ask.header("mcp-protocol-version").map(str::as_bytes);
    let facts = Facts::of(&message, version::spoken(&message, header).era);
    refused.part.method = facts.method;
    refused.part.subject = facts.subject;
    refused.part.client = facts.client;
    refused.id = facts.id;
    refused.is_tool_call = facts.is_tool_call;
    refused.is_modern = facts.is_modern;
}

/// A refusal of a message that was not told to which server it goes.
pub fn refused(admitted: &Admitted, message: &Message<'_>, era: Era, refusal: Refusal) -> Box<Refused> {
    Facts::of(message, era).refused(admitted, refusal)
}

/// What a refusal repeats of a message.
#[derive(Default)]
struct Facts {
    method: Option<String>,
    subject: Option<String>,
    /// The arguments of a tool, without their values.
    arguments: Option<ArgumentsPart>,
    id: Option<String>,
    is_tool_call: bool,
    is_modern: bool,
    client: Option<ClientPart>,
}

impl Facts {
    fn of(message: &Message<'_>, era: Era) -> Self {
        let is_modern = era == Era::Modern;
        match message {
            Message::Request(request) => Self {
                method: Some(request.method().name().to_owned()),
                subject: subject_of(&request.params).map(Cow::into_owned),
                arguments: (request.method() == Method::ToolsCall)
                    .then(|| record::arguments(request))
                    .flatten(),
                id: Some(request.id.raw().text().to_owned()),
                is_tool_call: request.method() == Method::ToolsCall,
                is_modern,
                client: client_of(message),
            },
            Message::Notification(notification) => {
                Self { method: Some(notification.method().name().to_owned()), is_modern, ..Self::default() }
            }
            Message::Response(_) => Self { is_modern, ..Self::default() },
        }
    }

    fn refused(self, admitted: &Admitted, refusal: Refusal) -> Box<Refused> {
        let mut refused = admitted.refused(refusal);
        refused.part = CallPart {
            approval: refused.part.approval,
            arguments: self.arguments,
            decided: refused.part.decided,
            method: self.method,
            subject: self.subject,
            client: self.client,
            ..CallPart::new(refused.refusal.trace())
        };
        refused.id = self.id;
        refused.is_tool_call = self.is_tool_call;
        refused.is_modern = self.is_modern;
        refused
    }
}

fn subject_of<'p>(params: &'p Params<'_>) -> Option<Cow<'p, str>> {
    params.name().ok().flatten().or_else(|| params.uri().ok().flatten())
}

/// The session that a header names, opened; none where no header does.
fn session(
    gateway: &Gateway,
    admitted: &Admitted,
    ask: &Ask,
    server: &ServerFacts,
    era: Era,
) -> Result<Option<Session>, Refusal> {
    if let Endpoint::Within { session, .. } = &ask.endpoint {
        let session = || session.as_deref().cloned().unwrap_or_else(Session::of_nobody);
        return Ok((era == Era::Legacy).then(session));
    }
    // The modern era has no sessions; a header left over from the other means nothing there.
    if era == Era::Modern || !ask.headers.contains_key(SESSION) {
        return Ok(None);
    }
    let handle = ask.header(SESSION).ok_or(Refusal::HandleUnknown)?;
    let holder = admitted.holder(server);
    gateway.handles.open_session(holder, handle).map(Some).map_err(|_| Refusal::HandleUnknown)
}

/// The software that a message says it comes from.
pub fn client_of(message: &Message<'_>) -> Option<ClientPart> {
    let params = match message {
        Message::Request(request) => &request.params,
        Message::Notification(notification) => &notification.params,
        Message::Response(_) => return None,
    };
    let info = params.meta(CLIENT_INFO).or_else(|| params.client().ok().flatten())?;
    let text = |key| info.get(key).and_then(|raw| raw.string()).map(|text| text.chars().take(100).collect());
    Some(ClientPart { name: text("name")?, version: text("version") })
}
