//! The few places of a message where something of ours stands for something of the server's.
//!
//! Towards the server a sealed handle is opened; towards the agent the server's own is sealed, and a list shows what this
//! agent may call. All other bytes stay as they are.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use bytes::Bytes;

use crate::{
    base::ids::{CallTaskId, ConnectionId, ServerId},
    domain::audit::ClientPart,
    flow::{
        decision::{Caller, ServerFacts},
        proxy::{
            admit::Admitted,
            gateway::Gateway,
            handles::{Handles, Holder, Task},
            judge::Permit,
            lists,
            merged::{cursor::Cursor, places},
            record::OpenCall,
            refusal::Refusal,
            route::Merged,
            state::{Round, State},
            tasks,
            watch::Watch,
        },
    },
    io::db::OrgScope,
    protocol::mcp::{
        headers,
        list::Listing,
        message::{self, Message, Outcome, Request, Response},
        method::{ListKind, Method, Target},
        params::BadParam,
        raw::Raw,
        splice::{Change, Edits},
        strict::Limits,
        version::Era,
    },
};

/// The handles of a request, opened.
#[derive(Debug, Default)]
pub struct Opened {
    /// The body with its handles opened; none where it has none.
    pub body: Option<Bytes>,
    /// What the header that repeats the task's id is to say.
    pub renamed: Option<String>,
    /// The account that the task it is about was begun with, where a rule chose that.
    pub account: Option<ConnectionId>,
    /// What the state stands for that it carries.
    pub state: Option<State>,
    /// The task of ours that it asks about; then no server hears of it.
    pub task: Option<CallTaskId>,
}

/// Opens the handles that a request carries.
///
/// # Errors
/// Where one is none of this holder's.
pub fn open(
    body: &[u8],
    request: &Request<'_>,
    era: Era,
    handles: &Handles,
    holder: Holder,
) -> Result<Opened, Refusal> {
    let wrong = |bad: BadParam| Refusal::BadParams { what: bad.to_string() };
    let (mut edits, mut opened) = (Edits::of(body), Opened::default());
    if let (Some(task), Some(raw)) = (request.params.task_id().map_err(wrong)?, request.params.get("taskId"))
    {
        // A modern server asks for the declaration before it looks at the id, and so must whoever knows the ids.
        if era == Era::Modern && !tasks::are_declared(&request.params) {
            return Err(Refusal::TasksUndeclared);
        }
        let theirs = match handles.open_task(holder, &task) {
            Err(_) if request.method().target() == Target::Task => {
                let ours = tasks::open(handles, holder, &task, era).map_err(|_| Refusal::HandleUnknown)?;
                opened.task = Some(ours);
                return Ok(opened);
            }
            theirs => theirs.map_err(|_| Refusal::HandleUnknown)?,
        };
        opened.renamed = Some(headers::encode(&theirs.upstream).into_owned());
        opened.account = theirs.account;
        edits.replace_string(raw, &theirs.upstream);
    }
    let state = request.params.request_state().map_err(wrong)?;
    if let (Some(state), Some(raw)) = (state, request.params.get("requestState")) {
        let state = State::open(handles, holder, &state).map_err(|_| Refusal::HandleUnknown)?;
        match (&state, request.params.raw()) {
            (State::Server { text, .. }, _) => edits.replace_string(raw, text),
            // The question was ours, and so is the answer.
            (State::Asked { .. } | State::Missing, Some(params)) => {
                edits.change(params, &[Change::Remove("requestState"), Change::Remove("inputResponses")]);
            }
            (State::Asked { .. } | State::Missing, None) => {}
        }
        opened.state = Some(state);
    }
    if !edits.is_empty() {
        opened.body = Some(Bytes::from(edits.apply().map_err(|_| Refusal::HandleUnknown)?));
    }
    Ok(opened)
}

/// What a server says cannot be read, where it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer cannot be read")]
pub struct Unreadable;

/// Changes what a server says on its way to the agent.
#[derive(Clone, Debug)]
pub struct Editor {
    handles: Handles,
    holder: Holder,
    era: Era,
    /// The list that was asked for, and by what it is filtered.
    list: Option<(ListKind, Visible)>,
    /// Whether the answer tells what the server can do.
    is_opening: bool,
    /// Whether it tells so to an agent whose calls may wait as tasks.
    offers_tasks: bool,
    /// How the server's things are called, where it is reached through the merged endpoint.
    merged: Option<Merged>,
    /// The account that a task in the answer belongs to, where a rule chose that.
    account: Option<ConnectionId>,
    /// The round that a state in the answer stands for.
    round: Option<Round>,
    scope: OrgScope,
    server: ServerId,
    watch: Arc<Watch>,
}

/// What of a server an agent may see.
#[derive(Clone, Debug)]
pub struct Visible {
    /// The server as it was judged by.
    pub server: Arc<ServerFacts>,
    /// The agent.
    pub admitted: Admitted,
    /// The software that calls.
    pub client: Option<ClientPart>,
    /// From where.
    pub ip: Option<IpAddr>,
}

impl Visible {
    /// Who asks.
    pub fn caller(&self) -> Caller<'_> {
        self.admitted.caller(self.client.as_ref(), self.ip)
    }
}

/// Without one of these words there is nothing to change in a message that is no list.
const MARKS: [&[u8]; 3] = [b"\"requestState\"", b"\"taskId\"", b"list_changed\""];

impl Editor {
    /// For the answer to a permitted call.
    pub fn of(gateway: &Gateway, admitted: &Admitted, permit: &Permit<'_>, open: Option<&OpenCall>) -> Self {
        let call = permit.call();
        let list = call.request().and_then(|request| match request.method().target() {
            Target::List(kind) => Some(kind),
            _ => None,
        });
        let visible = || Visible {
            server: Arc::clone(&call.server),
            admitted: admitted.clone(),
            client: call.client.clone(),
            ip: admitted.ip(),
        };
        let is = |method| call.request().is_some_and(|request| request.method() == method);
        Self {
            handles: gateway.handles.clone(),
            holder: admitted.holder(&call.server),
            era: call.era,
            list: list.map(|kind| (kind, visible())),
            is_opening: is(Method::Initialize),
            offers_tasks: is(Method::ServerDiscover) && visible().caller().may_wait(&call.server),
            merged: call.merged.clone(),
            account: permit.ruled_account(),
            round: open.and_then(OpenCall::round),
            scope: admitted.snapshot.scope,
            server: call.server.server.id,
            watch: Arc::clone(&gateway.watch),
        }
    }

    /// The message as the agent is to see it; none where it is to see it as it is.
    ///
    /// # Errors
    /// Where it shows a list and cannot be read: then it must not be passed on.
    pub fn edit(&self, body: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        if let Some((kind, visible)) = &self.list {
            return self.edit_list(body, *kind, visible);
        }
        if !self.is_opening
            && !self.offers_tasks
            && self.merged.is_none()
            && !MARKS.iter().any(|mark| memchr::memmem::find(body, mark).is_some())
        {
            return Ok(None);
        }
        // A handle in what cannot be read stays the server's own, and opens nothing when it comes back.
        let message = message::parse(body, &Limits::of(body.len()));
        Ok(message.ok().and_then(|message| self.pass(body, &message)))
    }

    fn edit_list(
        &self,
        body: &[u8],
        kind: ListKind,
        visible: &Visible,
    ) -> Result<Option<Vec<u8>>, Unreadable> {
        let message = message::parse(body, &Limits::of(body.len())).map_err(|_| Unreadable)?;
        match &message {
            Message::Response(response) => match response.outcome {
                Outcome::Result(result) => match &self.merged {
                    Some(merged) => self.merge_list(body, result, kind, visible, merged).map(Some),
                    None => self.filter(body, result, kind, visible),
                },
                Outcome::Error(_) => Ok(None),
            },
            _ => Ok(self.pass(body, &message)),
        }
    }

    fn filter(
        &self,
        body: &[u8],
        result: Raw<'_>,
        kind: ListKind,
        visible: &Visible,
    ) -> Result<Option<Vec<u8>>, Unreadable> {
        let (filtered, otherwise) = lists::filter(body, result, kind, self.era, visible)?;
        if !otherwise.is_empty() {
            self.watch.shown_otherwise(self.scope, self.server, otherwise);
        }
        Ok(filtered)
    }

    /// A page of one server's list as a page of the merged one.
    fn merge_list(
        &self,
        body: &[u8],
        result: Raw<'_>,
        kind: ListKind,
        visible: &Visible,
        merged: &Merged,
    ) -> Result<Vec<u8>, Unreadable> {
        let filtered = self.filter(body, result, kind, visible)?;
        let Some(body) = filtered.as_deref() else { return self.rename_list(body, result, kind, merged) };
        let message = message::parse(body, &Limits::of(body.len())).map_err(|_| Unreadable)?;
        match &message {
            Message::Response(Response { outcome: Outcome::Result(result), .. }) => {
                self.rename_list(body, *result, kind, merged)
            }
            _ => Err(Unreadable),
        }
    }

    fn rename_list(
        &self,
        body: &[u8],
        result: Raw<'_>,
        kind: ListKind,
        merged: &Merged,
    ) -> Result<Vec<u8>, Unreadable> {
        let listing = Listing::read(kind, result).map_err(|_| Unreadable)?;
        let next = match (listing.next_cursor(), merged.then) {
            (Some(own), _) => Some(Cursor::new(kind, Some(self.server), Some(own.into_owned()))),
            (None, Some(then)) => Some(Cursor::new(kind, Some(then), None)),
            (None, None) => None,
        };
        let next = next.map(|cursor| cursor.seal(&self.handles, self.holder));
        let mut edits = Edits::of(body);
        places::rename(&mut edits, &merged.slug, kind, &listing);
        places::close(&mut edits, result, next.as_deref(), self.era);
        edits.apply().map_err(|_| Unreadable)
    }

    /// A message that is no list: what it says of the catalogue is followed, and what stands in it is changed.
    fn pass(&self, body: &[u8], message: &Message<'_>) -> Option<Vec<u8>> {
        let Message::Notification(notification) = message else { return self.seal(body, message) };
        if matches!(
            notification.method(),
            Method::ToolsListChanged | Method::PromptsListChanged | Method::ResourcesListChanged
        ) {
            self.watch.catalogue_changed(self.scope, self.server);
        }
        self.seal(body, message)
    }

    fn seal(&self, body: &[u8], message: &Message<'_>) -> Option<Vec<u8>> {
        let mut edits = Edits::of(body);
        let seal = |edits: &mut Edits<'_>, raw| {
            if let Some((raw, text)) = told(raw) {
                let task = Task { upstream: text, account: self.account };
                edits.replace_string(raw, &self.handles.seal_task(self.holder, &task));
            }
        };
        match message {
            Message::Response(response) if self.is_opening => {
                // The list of tasks is refused, so nobody is to be told that there is one.
                let tasks = response.result("capabilities").and_then(|all| all.get("tasks"));
                if let Some(tasks) = tasks {
                    edits.change(tasks, &[Change::Remove("list")]);
                }
            }
            Message::Response(response) if self.offers_tasks => {
                if let Some(capabilities) = response.result("capabilities") {
                    let added = tasks::declared_in(capabilities.get("extensions"));
                    let added = added.as_ref().map(|all| Change::Set("extensions", all.as_bytes()));
                    edits.change(capabilities, added.as_slice());
                }
            }
            Message::Response(response) => {
                if let Some((raw, text)) = told(response.result("requestState")) {
                    let state = State::Server { text: text.into_owned(), round: self.round };
                    edits.replace_string(raw, &state.seal(&self.handles, self.holder));
                }
                seal(&mut edits, response.result("taskId"));
                seal(&mut edits, response.result("task").and_then(|task| task.get("taskId")));
                if let Some(tasks) = response.result("tasks") {
                    tasks.elements().for_each(|task| seal(&mut edits, task.get("taskId")));
                }
                seal(&mut edits, related_task(response.meta(RELATED)));
            }
            Message::Notification(notification) => {
                if matches!(notification.method(), Method::TasksStatus | Method::TaskChanged) {
                    seal(&mut edits, notification.params.get("taskId"));
                }
                seal(&mut edits, related_task(notification.params.meta(RELATED)));
            }
            Message::Request(request) => seal(&mut edits, related_task(request.params.meta(RELATED))),
        }
        if let Some(merged) = &self.merged {
            places::relocate(&mut edits, &merged.slug, message);
        }
        if edits.is_empty() { None } else { edits.apply().ok() }
    }
}

fn told(raw: Option<Raw<'_>>) -> Option<(Raw<'_>, Cow<'_, str>)> {
    let raw = raw?;
    Some((raw, raw.string()?))
}

const RELATED: &str = "io.modelcontextprotocol/related-task";

fn related_task(meta: Option<Raw<'_>>) -> Option<Raw<'_>> {
    meta.and_then(|meta| meta.get("taskId"))
}
