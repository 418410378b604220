//! From a request to all servers to the same request to one of them.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::{
    base::page::PageRequest,
    domain::servers::{self, ItemKind},
    flow::{
        decision::{Absence, ServerFacts},
        fault::ActionResult,
        proxy::{
            admit::Admitted,
            ask::{Ask, Endpoint, Verb},
            gateway::Gateway,
            handles::HandleKind,
            merged::{heard::Heard, names, places},
            refusal::{Refusal, Refused},
            tasks,
        },
    },
    io::db::{OrgTx, Tx},
    protocol::mcp::{headers, message::Request, method::Target, params::BadParam, raw::Raw, splice::Edits},
};

const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// How many prompts of one server are looked through for one whose name was cut.
const MOST_PROMPTS: u16 = 1000;

/// A request to one of the servers.
pub(super) struct Within {
    /// As that server's own way takes it.
    pub(super) ask: Ask,
    /// The tool, where one is called: as the server names it, and as it was asked for.
    tool: Option<(String, String)>,
}

impl Within {
    /// Finds out which server a request is about.
    pub(super) async fn of(
        gateway: &Gateway,
        ask: &Ask,
        admitted: &Admitted,
        heard: &Heard,
        request: &Request<'_>,
    ) -> Result<Self, Refusal> {
        let params = &request.params;
        match request.method().target() {
            Target::Tool => {
                let (name, raw) = said(params.name(), params.get("name"), "name")?;
                let unknown = || Refusal::ToolUnknown { tool: name.clone(), why: Absence::Nowhere };
                let server = by_slug(admitted, names::split(&name)).ok_or_else(unknown)?;
                let all = server.server.tools.iter().map(|tool| tool.name.as_str());
                let slug = server.server.slug.as_str();
                let own =
                    names::own(slug, &name, |own| server.tool(own).is_some(), all).ok_or_else(unknown)?;
                let mut within = Self::named(ask, heard, server, raw, &own);
                within.tool = Some((own.into_owned(), name.clone()));
                Ok(within)
            }
            Target::Prompt => {
                let (name, raw) = said(params.name(), params.get("name"), "name")?;
                let (server, own) = prompt(gateway, admitted, &name).await?;
                Ok(Self::named(ask, heard, server, raw, &own))
            }
            Target::Reference => reference(gateway, ask, admitted, heard, request).await,
            Target::Task => task(gateway, ask, admitted, heard, request),
            _ => {
                let (address, raw) = said(params.uri(), params.get("uri"), "uri")?;
                let (server, own) = resource(admitted, &address)?;
                Ok(Self::named(ask, heard, server, raw, &own))
            }
        }
    }

    /// The request with another name in its body and in the header that repeats it.
    fn named(ask: &Ask, heard: &Heard, server: &ServerFacts, place: Raw<'_>, own: &str) -> Self {
        let mut edits = Edits::of(&ask.body);
        edits.replace_string(place, own);
        let body = edits.apply().map_or_else(|_| ask.body.clone(), Bytes::from);
        let mut within = Self { ask: request(ask, heard, server, body), tool: None };
        if within.ask.headers.contains_key(NAME)
            && let Ok(value) = HeaderValue::from_str(&headers::encode(own))
        {
            within.ask.headers.insert(NAME, value);
        }
        within
    }

    /// A refusal with the tool named as the agent knows it.
    pub(super) fn named_as_asked(&self, mut refused: Box<Refused>) -> Box<Refused> {
        if let (Some((_, asked)), Refusal::ToolUnknown { tool, .. } | Refusal::ToolChanged { tool }) =
            (&self.tool, &mut refused.refusal)
        {
            tool.clone_from(asked);
        }
        refused
    }
}

/// A request to one of the servers, with nothing of the merged endpoint about it.
pub(super) fn request(ask: &Ask, heard: &Heard, server: &ServerFacts, body: Bytes) -> Ask {
    let session = heard.session.clone().map(Box::new);
    let endpoint = Endpoint::Within { server: server.server.id, then: None, session };
    Ask {
        verb: Verb::Post,
        endpoint,
        headers: ask.headers.clone(),
        body,
        origin: ask.origin.clone(),
        waited: ask.waited,
    }
}

/// A member that has to be there, and where it stands.
fn said<'a>(
    member: Result<Option<std::borrow::Cow<'_, str>>, BadParam>,
    place: Option<Raw<'a>>,
    key: &str,
) -> Result<(String, Raw<'a>), Refusal> {
    let member = member.map_err(|bad| Refusal::BadParams { what: bad.to_string() })?;
    let missing = || Refusal::BadParams { what: format!("params.{key} is missing") };
    Ok((member.ok_or_else(missing)?.into_owned(), place.ok_or_else(missing)?))
}

/// The server behind a name that was taken apart.
fn by_slug<'s>(admitted: &'s Admitted, parts: Option<(&str, &str)>) -> Option<&'s ServerFacts> {
    let (slug, _) = parts?;
    admitted.servers().into_iter().find(|facts| facts.server.slug.as_str() == slug).map(AsRef::as_ref)
}

fn resource<'s>(admitted: &'s Admitted, address: &str) -> Result<(&'s ServerFacts, String), Refusal> {
    let parts = places::split(address);
    let server = by_slug(admitted, parts);
    let found = server.zip(parts.map(|(_, own)| own.to_owned()));
    found.ok_or_else(|| Refusal::Unlisted { kind: "resource", name: address.to_owned() })
}

async fn prompt<'s>(
    gateway: &Gateway,
    admitted: &'s Admitted,
    name: &str,
) -> Result<(&'s ServerFacts, String), Refusal> {
    let unknown = || Refusal::Unlisted { kind: "prompt", name: name.to_owned() };
    let parts = names::split(name);
    let server = by_slug(admitted, parts).ok_or_else(unknown)?;
    let slug = server.server.slug.as_str();
    let known = if names::looks_cut(name) {
        prompts(gateway, admitted, server).await.map_err(|error| {
            tracing::warn!(%error, "the names of prompts cannot be read");
            Refusal::Away
        })?
    } else {
        Vec::new()
    };
    // A server may have prompts that were not read yet, so a name that says itself is believed.
    let own = names::own(
        slug,
        name,
        |own| !known.iter().any(|one| names::merged(slug, one) == name && one != own),
        known.iter().map(String::as_str),
    );
    Ok((server, own.ok_or_else(unknown)?.into_owned()))
}

/// The names of a server's prompts, as they were last read.
async fn prompts(gateway: &Gateway, admitted: &Admitted, server: &ServerFacts) -> ActionResult<Vec<String>> {
    let mut tx = OrgTx::begin(&gateway.db, admitted.snapshot.scope).await?;
    let page = PageRequest { limit: MOST_PROMPTS, after: None };
    let items =
        servers::store::catalogue::list_items(&mut tx, server.server.id, ItemKind::Prompt, &page).await?;
    tx.done().await?;
    Ok(items.items.into_iter().map(|item| item.key).collect())
}

/// A completion is about a prompt or about a template.
async fn reference(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    heard: &Heard,
    request: &Request<'_>,
) -> Result<Within, Refusal> {
    let params = &request.params;
    let (key, said) = params.reference().map_err(|bad| Refusal::BadParams { what: bad.to_string() })?;
    let (server, own) = match key {
        "name" => prompt(gateway, admitted, &said).await?,
        _ => resource(admitted, &said)?,
    };
    let place = params.get("ref").and_then(|reference| reference.get(key));
    let place = place.ok_or_else(|| Refusal::BadParams { what: format!("params.ref.{key} is missing") })?;
    Ok(Within::named(ask, heard, server, place, &own))
}

/// The handle of a task opens for the server that it is of, and for no other.
fn task(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    heard: &Heard,
    request: &Request<'_>,
) -> Result<Within, Refusal> {
    let (handle, _) = said(request.params.task_id(), request.params.get("taskId"), "taskId")?;
    let is_of = |facts: &ServerFacts| {
        let (handles, holder) = (&gateway.handles, admitted.holder(facts));
        handles.open(HandleKind::Task, holder, &handle).is_ok() || tasks::is_of(handles, holder, &handle)
    };
    let server = admitted.servers().into_iter().find(|facts| is_of(facts)).ok_or(Refusal::HandleUnknown)?;
    Ok(Within { ask: self::request(ask, heard, server, ask.body.clone()), tool: None })
}
