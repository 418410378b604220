//! Access requests: what people ask for that their agents may not do yet, and what is decided about it.
//!
//! Whoever asks names tools, and is told nothing of whether they are there. What is given is a grant of its own, in the name
//! of who asked, with an end, and with a policy that allows exactly that; whatever stands above grants still counts.
//!
//! Invariant: nobody decides about their own request, but for the only one who could decide at all.
//! Invariant: whoever decides never sees a token; the person makes it themselves.

mod decide;
mod outlook;

use serde::Serialize;

use crate::{
    base::{
        ids::{AccessRequestId, RequestId, UserId},
        page::{Page, PageRequest},
        permission::{Permission, Role},
    },
    domain::{
        access::{
            self, AccessFilter, AccessForm, AccessRefusal, AccessRequest, AccessState, MOST_PENDING,
            NewAccess, PENDING_FOR, store,
        },
        approvals::store as approvals,
        audit::{self, Entry, EventFilter, EventKind, Unrecorded},
        servers::{Server, ServerRef, store as servers},
        tenancy::store as tenancy,
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult},
        letters::{AccessAsked, Letter, Line},
    },
    io::db::{OrgTx, Tx},
};

pub use decide::{AccessDecision, decide};
pub use outlook::{Outlook, Prospect};

/// How many requests stand in the inbox; the list of requests has all.
const MOST_CARDS: u16 = 10;

/// What a person types about a request.
#[derive(Clone, Debug, Default)]
pub struct AccessInput {
    /// The server, by slug or id.
    pub server: String,
    /// The tools, by name.
    pub tools: Vec<String>,
    /// The name of a class, where all of its tools are meant.
    pub class: String,
    /// Why.
    pub why: String,
    /// For how many hours.
    pub hours: i32,
    /// The call that was denied, by the id of its request.
    pub request: Option<String>,
}

/// A request with all that its page shows.
#[derive(Clone, Debug)]
pub struct AccessSheet {
    /// The request.
    pub request: AccessRequest,
    /// Where it stands now.
    pub state: AccessState,
    /// Whether the viewer is one of those who may give access.
    pub is_decider: bool,
    /// Why the viewer may not decide about this one; none where they may.
    pub refusal: Option<AccessRefusal>,
    /// What would become of each tool, for whoever decides.
    pub outlook: Vec<Outlook>,
}

/// What the record keeps of a request.
#[derive(Serialize)]
struct AccessRecord<'a> {
    state: &'static str,
    server: &'a str,
    tools: &'a [String],
    class: Option<&'static str>,
    hours: i32,
    why: &'a str,
}

impl<'a> From<&'a AccessRequest> for AccessRecord<'a> {
    fn from(request: &'a AccessRequest) -> Self {
        Self {
            state: request.state.as_str(),
            server: &request.server_slug,
            tools: request.asked.tools(),
            class: request.asked.class().map(|class| class.as_str()),
            hours: request.hours,
            why: &request.why,
        }
    }
}

/// Whether somebody may give access: it makes a policy and a grant.
pub(in crate::flow::actions) fn is_decider(cx: &OrgCx) -> bool {
    cx.may(Permission::GrantsWrite) && cx.may(Permission::PoliciesWrite)
}

/// Whether a role carries that.
fn may_give(role: Role) -> bool {
    role.may(Permission::GrantsWrite) && role.may(Permission::PoliciesWrite)
}

/// Requests, the newest first: all of them for who may see all grants, otherwise the caller's own.
pub async fn list(
    cx: &OrgCx,
    state: Option<AccessState>,
    page: &PageRequest<AccessRequestId>,
) -> ActionResult<Page<AccessRequest>> {
    cx.require(Permission::AccessAsk)?;
    let user = if cx.may(Permission::GrantsRead) { None } else { Some(person(cx)?) };
    listed(cx, AccessFilter { state, user }, page).await
}

pub(super) async fn listed(
    cx: &OrgCx,
    filter: AccessFilter,
    page: &PageRequest<AccessRequestId>,
) -> ActionResult<Page<AccessRequest>> {
    let mut tx = cx.tx().await?;
    let found = store::list(&mut tx, &filter, page, cx.now()).await?;
    tx.done().await?;
    Ok(found)
}

/// How many requests wait for whoever may give access.
pub async fn count_waiting(cx: &OrgCx) -> ActionResult<i64> {
    cx.require(Permission::GrantsRead)?;
    let mut tx = cx.tx().await?;
    let count = store::count_waiting(&mut tx, None, cx.now()).await?;
    tx.done().await?;
    Ok(count)
}

/// Requests that wait, the newest first, as many as stand in the inbox of who may give access; none for all others.
pub async fn inbox(cx: &OrgCx) -> ActionResult<Page<AccessSheet>> {
    cx.require(Permission::AccessAsk)?;
    if !is_decider(cx) {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let filter = AccessFilter { state: Some(AccessState::Pending), user: None };
    let page = PageRequest { limit: MOST_CARDS, after: None };
    let mut tx = cx.tx().await?;
    let Page { items, next } = store::list(&mut tx, &filter, &page, cx.now()).await?;
    let deciders = if items.is_empty() { Vec::new() } else { deciders(&mut tx).await? };
    tx.done().await?;
    let ids: Vec<_> = deciders.iter().map(|decider| decider.user).collect();
    let requests: Vec<_> = items.iter().collect();
    let outlooks = outlook::of(cx, &requests).await?;
    let sheet = |(request, outlook): (AccessRequest, Vec<Outlook>)| AccessSheet {
        state: request.state_at(cx.now()),
        is_decider: true,
        refusal: access::may_decide(&request, cx.user(), &ids, cx.now()).err(),
        outlook,
        request,
    };
    Ok(Page { items: items.into_iter().zip(outlooks).map(sheet).collect(), next })
}

/// One request.
///
/// # Errors
/// `NotFound` for who may neither see all grants nor asked for it.
pub async fn find(cx: &OrgCx, id: &str) -> ActionResult<AccessSheet> {
    cx.require(Permission::AccessAsk)?;
    let mut tx = cx.tx().await?;
    let request = seen(cx, &mut tx, id).await?;
    let deciders = deciders(&mut tx).await?;
    tx.done().await?;
    sheet(cx, request, &deciders).await
}

async fn sheet(cx: &OrgCx, request: AccessRequest, deciders: &[Decider]) -> ActionResult<AccessSheet> {
    let ids: Vec<_> = deciders.iter().map(|decider| decider.user).collect();
    let is_decider = is_decider(cx);
    let state = request.state_at(cx.now());
    // What is said of tools is for those who manage them: others would learn by it what is there.
    let outlook = if is_decider && state == AccessState::Pending {
        outlook::of(cx, &[&request]).await?.pop().unwrap_or_default()
    } else {
        Vec::new()
    };
    Ok(AccessSheet {
        state,
        is_decider,
        refusal: access::may_decide(&request, cx.user(), &ids, cx.now()).err(),
        outlook,
        request,
    })
}

/// A request that the caller may see.
async fn seen(cx: &OrgCx, tx: &mut OrgTx, id: &str) -> ActionResult<AccessRequest> {
    let id: AccessRequestId = id.parse().map_err(|_| ActionError::NotFound)?;
    let request = store::find(tx, id).await?.ok_or(ActionError::NotFound)?;
    let is_own = Some(request.user) == cx.user();
    if is_own || cx.may(Permission::GrantsRead) { Ok(request) } else { Err(ActionError::NotFound) }
}

/// The person who asks.
fn person(cx: &OrgCx) -> ActionResult<UserId> {
    cx.user().ok_or_else(|| {
        ActionError::refused(
            "access_person",
            "Only a person asks for access, in a browser or with a key of their own.",
        )
    })
}

/// Asks for access in the caller's own name. What waits already is not asked for twice: the request that waits is the answer.
///
/// # Errors
/// Every fault with its field; a refusal where so many of the caller's requests wait that they should be decided first.
pub async fn ask(cx: &OrgCx, input: &AccessInput) -> ActionResult<AccessRequest> {
    cx.require(Permission::AccessAsk)?;
    let user = person(cx)?;
    let mut tx = cx.tx().await?;
    let member = tenancy::members::find(&mut tx, user).await?.ok_or(ActionError::NotFound)?;
    let form = AccessForm { tools: &input.tools, class: &input.class, why: &input.why, hours: input.hours };
    let server = server(&mut tx, &input.server).await?;
    let (server, asked, why) = match (server, form.parse()) {
        (Some(server), Ok((asked, why))) => (server, asked, why),
        (server, parsed) => {
            let mut faults = parsed.err().unwrap_or_default();
            if server.is_none() {
                faults.add("server", "there is no server of this name; choose one of the list");
            }
            return Err(faults.into());
        }
    };
    store::lock_person(&mut tx, user).await?;
    let new = NewAccess {
        id: AccessRequestId::fresh(),
        user,
        requester_name: member.name,
        server: server.id,
        server_slug: server.slug.to_string(),
        asked,
        why,
        hours: input.hours,
        request: denied_call(cx, &mut tx, user, input.request.as_deref()).await?,
        expires_at: cx.now() + PENDING_FOR,
    };
    let waiting = store::count_waiting(&mut tx, Some(user), cx.now()).await?;
    let inserted = store::insert(&mut tx, &new, cx.now()).await?;
    let Some(request) = inserted else {
        let same = store::find_same(&mut tx, &new).await?.ok_or(ActionError::Changed)?;
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
        return Ok(same);
    };
    if waiting >= MOST_PENDING {
        let sentence = format!(
            "{MOST_PENDING} of your requests wait already. Take one back, or ask again when some are decided."
        );
        return Err(ActionError::refused("access_many", sentence));
    }
    tell(cx, &mut tx, &request).await?;
    let entry =
        about(Entry::admin("access.requested", &cx.who()), &request).after(&AccessRecord::from(&request));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(request)
}

/// A server that agents may reach.
async fn server(tx: &mut OrgTx, name: &str) -> ActionResult<Option<Server>> {
    let Some(named) = ServerRef::parse(name.trim()) else { return Ok(None) };
    Ok(servers::servers::find(tx, &named).await?.filter(|server| server.is_enabled))
}

/// The request of a call that was made in this person's name; another's is passed over.
async fn denied_call(
    cx: &OrgCx,
    tx: &mut OrgTx,
    user: UserId,
    request: Option<&str>,
) -> ActionResult<Option<RequestId>> {
    let Some(request) = request.and_then(|request| request.trim().parse::<RequestId>().ok()) else {
        return Ok(None);
    };
    let filter = EventFilter {
        kind: Some(EventKind::Call),
        request: Some(request),
        from: Some(cx.now() - time::Duration::days(90)),
        ..EventFilter::default()
    };
    let calls = audit::list(tx, &filter, &PageRequest { limit: 5, after: None }).await?;
    Ok(calls.items.iter().any(|call| call.user == Some(user)).then_some(request))
}

/// Takes back a request of the caller's.
///
/// # Errors
/// A refusal where it was decided already.
pub async fn withdraw(cx: &OrgCx, id: &str) -> ActionResult<AccessRequest> {
    cx.require(Permission::AccessAsk)?;
    let mut tx = cx.tx().await?;
    let request = seen(cx, &mut tx, id).await?;
    if Some(request.user) != cx.user() {
        return Err(ActionError::NotFound);
    }
    let to = store::Settled { state: AccessState::Withdrawn, given: None, reason: "", by: cx.user() };
    let is_open = request.state_at(cx.now()) == AccessState::Pending;
    if !is_open || !store::settle(&mut tx, request.id, &to, cx.now()).await? {
        return Err(refused(AccessRefusal::Decided));
    }
    let after = store::find(&mut tx, request.id).await?.ok_or(ActionError::NotFound)?;
    let entry = about(Entry::admin("access.withdrawn", &cx.who()), &after)
        .changed(&AccessRecord::from(&request), &AccessRecord::from(&after));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(after)
}

/// Somebody who may give access.
struct Decider {
    user: UserId,
    email: String,
}

/// Everybody who may give access.
async fn deciders(tx: &mut OrgTx) -> ActionResult<Vec<Decider>> {
    let judges = approvals::judges(tx).await?.into_iter();
    let deciders = judges.filter(|judge| may_give(judge.role));
    Ok(deciders.map(|judge| Decider { user: judge.user, email: judge.email }).collect())
}

/// Writes to those who may decide.
async fn tell(cx: &OrgCx, tx: &mut OrgTx, request: &AccessRequest) -> ActionResult<()> {
    let deciders = deciders(tx).await?;
    let others = deciders.iter().filter(|decider| decider.user != request.user);
    let letter = Letter::AccessAsked(AccessAsked {
        org: Line::of(&cx.org.name),
        person: Line::of(&request.requester_name),
        what: Line::of(format!("{} on {}", request.asked.words(), request.server_slug)),
        span: Line::of(hours_words(request.hours)),
        expires_at: request.expires_at.into(),
        page: cx.ports.site.url(&format!("/o/{}/access/{}", cx.org.slug, request.id)),
    });
    Ok(cx.ports.post.queue_for(tx, others.map(|decider| decider.email.as_str()), &letter).await?)
}

/// A span of hours in words.
pub fn hours_words(hours: i32) -> String {
    match hours {
        1 => "1 hour".to_owned(),
        24 => "1 day".to_owned(),
        hours if hours % 24 == 0 => format!("{} days", hours / 24),
        hours => format!("{hours} hours"),
    }
}

fn about(entry: Entry, request: &AccessRequest) -> Entry {
    let name = format!("{} on {}", request.asked.words(), request.server_slug);
    entry.target("access_request", request.id, &name).about(request.user)
}

fn refused(refusal: AccessRefusal) -> ActionError {
    ActionError::refused(refusal.code(), refusal.to_string())
}
