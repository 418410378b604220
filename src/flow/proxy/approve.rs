//! Calls that need a human's agreement: it is found, or asked for.
//!
//! Only calls that policies ask about come here, so only they pay for a look at the database. That an approval is used
//! once is held by the statement that records the call.

use std::borrow::Cow;

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        actor::Principal,
        crypto::digest,
        ids::{ApprovalId, GrantId},
        risk::Class,
        unprinted::Unprinted,
    },
    domain::{
        approvals::{Approval, ApprovalState, Exact, NewApproval, WrittenNeed, store},
        audit::{self, PolicyPart, Unrecorded},
        policy::redact::{Side, redact, redact_within},
        vault::{Cell, Sealed},
    },
    flow::{
        approvers::{self, Desk},
        decision::Asked,
        fault::{ActionError, ActionResult},
        proxy::{
            admit::Admitted,
            ask::Ask,
            gateway::Gateway,
            judge::Permit,
            plight::{Plight, reasons},
            refusal::{Refusal, Refused},
            route::Call,
            state::State,
            tasks::{self, Begun},
        },
    },
    io::db::{OrgTx, Tx},
    protocol::mcp::{
        canonical::{canonical, canonical_without},
        params::Params,
        strict::{self, Limits},
        version::Era,
    },
};

/// A call that waits for a human, or that one did not agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The approval.
    pub id: ApprovalId,
    /// Whose call it is.
    pub grant: GrantId,
    /// What was called.
    pub subject: String,
    /// Who may agree, in words.
    pub approvers: String,
    /// Why it is asked and what stands in the way of an answer, as sentences; empty where nothing is to be said.
    pub notes: String,
    /// Until when it may be decided.
    pub expires_at: OffsetDateTime,
    /// What was decided.
    pub word: Word,
    /// The short name of the policy.
    pub policy: String,
    /// The part of it that asks.
    pub part: PolicyPart,
    /// Where a person sees it.
    pub page: String,
    /// How the agent waits.
    pub way: Way,
}

/// What humans said of exactly this call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Nothing yet.
    None,
    /// That it may not be made, and why.
    Denied {
        /// What they said; empty where nothing.
        reason: String,
    },
    /// That it may be made with other arguments.
    Otherwise {
        /// With exactly these, as JSON.
        arguments: Unprinted<String>,
        /// What they said; empty where nothing.
        reason: String,
        /// Until when.
        until: Option<OffsetDateTime>,
    },
    /// What they said, or did not say, holds no longer.
    Over {
        /// Why.
        why: &'static str,
    },
}

impl Word {
    /// The stable code of a call that stops at it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::None => "approval_needed",
            Self::Denied { .. } => "approval_denied",
            Self::Otherwise { .. } => "approval_narrowed",
            Self::Over { .. } => "approval_over",
        }
    }

    /// With what its text for a model begins.
    pub const fn mark(&self) -> &'static str {
        match self {
            Self::None | Self::Otherwise { .. } | Self::Over { .. } => "[APPROVAL NEEDED]",
            Self::Denied { .. } => "[PORTREEVE DENIED]",
        }
    }

    /// The arguments that were agreed to in place of those of the call.
    pub fn arguments(&self) -> Option<&str> {
        match self {
            Self::Otherwise { arguments, .. } => Some(arguments),
            Self::None | Self::Denied { .. } | Self::Over { .. } => None,
        }
    }
}

/// How an agent waits for a human.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is told to call again.
    Later,
    /// It asks now and then what became of the task.
    Task(Begun),
    /// It leads its person to the page, and calls again with the state, where its era has one.
    Link {
        /// The state.
        state: Option<String>,
    },
    /// It came back from the page, and waits for a moment.
    Moment,
    /// It listens for progress under its own token, as it was written.
    Progress {
        /// The token.
        token: String,
    },
}

impl Way {
    /// The best that a client says it can.
    async fn of(
        gateway: &Gateway,
        ask: &Ask,
        admitted: &Admitted,
        permit: &Permit<'_>,
        approval: &Approval,
    ) -> Self {
        // A call that waited as a task is made behind its agent.
        if ask.waited.is_some() {
            return Self::Later;
        }
        if may_be_kept(permit) {
            match tasks::begin(gateway, ask, admitted, permit, approval).await {
                Ok(Some(begun)) => return Self::Task(begun),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a call cannot be kept, and waits in another way"),
            }
        }
        Self::without_task(gateway, ask, admitted, permit.call(), approval.id)
    }

    fn without_task(
        gateway: &Gateway,
        ask: &Ask,
        admitted: &Admitted,
        call: &Call<'_>,
        approval: ApprovalId,
    ) -> Self {
        let Some(request) = call.request() else { return Self::Later };
        if let Some(State::Asked { .. }) = call.opened.state {
            let responses = request.params.input_responses().ok().flatten();
            let is_accepted = responses
                .and_then(|said| said.reach(&[QUESTION, "action"]))
                .is_some_and(|action| action.says("accept"));
            return if is_accepted { Self::Moment } else { Self::Later };
        }
        if call.takes_links() {
            let state = State::Asked { approval };
            let seal = || state.seal(&gateway.handles, admitted.holder(&call.server));
            return Self::Link { state: (call.era == Era::Modern).then(seal) };
        }
        let token = request.params.progress_token().ok().flatten();
        match token {
            Some(token) if ask.takes_events() => Self::Progress { token: token.raw().text().to_owned() },
            _ => Self::Later,
        }
    }
}

/// By what name the client is asked to lead its person to the page.
pub const QUESTION: &str = "approval";

impl Waiting {
    fn of(
        found: Found,
        needs: &[Asked],
        part: PolicyPart,
        page: String,
        way: Way,
        now: OffsetDateTime,
    ) -> Self {
        let Found { approval, instead, plight } = found;
        let approvers: Vec<_> = approval.needs.iter().map(WrittenNeed::in_words).collect();
        let word = match (instead, approval.state) {
            (Some(arguments), _) => {
                Word::Otherwise { arguments, reason: approval.reason, until: approval.valid_until }
            }
            (None, ApprovalState::Denied) => Word::Denied { reason: approval.reason },
            (None, _) => match approval.state_at(now) {
                ApprovalState::Pending => Word::None,
                ApprovalState::Expired => Word::Over { why: "nobody decided in time" },
                ApprovalState::Withdrawn if approval.revoked_at.is_some() => {
                    Word::Over { why: "what was agreed to was revoked" }
                }
                ApprovalState::Withdrawn => Word::Over { why: "it was taken back" },
                ApprovalState::Approved | ApprovalState::Denied => {
                    Word::Over { why: "what was agreed to was used, or its time is over" }
                }
            },
        };
        Self {
            id: approval.id,
            grant: approval.grant,
            subject: approval.tool,
            approvers: approvers.join(" and "),
            notes: format!("{}{}", reasons(needs), plight.sentences()),
            expires_at: approval.expires_at,
            word,
            policy: needs.first().map(|asked| asked.policy.clone()).unwrap_or_default(),
            part,
            page,
            way,
        }
    }

    /// One sentence for the agent: why, and what to do.
    pub fn sentence(&self) -> String {
        let Self { subject, approvers, policy, notes, .. } = self;
        match &self.word {
            Word::Denied { reason } if reason.is_empty() => {
                format!("This call of {subject} was asked for, and it was denied. Do not ask for it again.")
            }
            Word::Denied { reason } => format!(
                "This call of {subject} was asked for, and it was denied: {reason} Do not ask for it again as it is."
            ),
            Word::Otherwise { arguments, reason, until } => {
                let reason =
                    if reason.is_empty() { String::new() } else { format!(" Reason given: {reason}") };
                let until = until.map(|until| format!(" They may be used until {}.", clock(until)));
                format!(
                    "A human approved a call of {subject}, but with other arguments than these, and only with them.{reason} \
                     Call it again with exactly these arguments: {}{}",
                    **arguments,
                    until.unwrap_or_default()
                )
            }
            Word::Over { why } => format!(
                "A human was asked about this call of {subject}, and {why}. Call it again with exactly the same arguments to \
                 ask anew."
            ),
            Word::None => format!(
                "The policy {policy} asks a human before {subject} is called with these arguments: {approvers}.{notes} They \
                 may decide until {}. Call it again with exactly the same arguments when they have agreed.",
                clock(self.expires_at)
            ),
        }
    }
}

/// The time of the day, as agents are told it.
pub(super) fn clock(at: OffsetDateTime) -> String {
    format!("{:02}:{:02} UTC", at.hour(), at.minute())
}

/// The permit with the approval that the call is to use, where it needs one.
///
/// # Errors
/// That it waits, or that somebody did not agree.
pub async fn agreed<'a>(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    permit: Permit<'a>,
) -> Result<Permit<'a>, Box<Refused>> {
    if permit.goes_on().is_some() {
        return Ok(permit);
    }
    let needs = permit.ruling().needs.as_slice();
    let Some(part) = needs.first().map(part_of) else { return Ok(permit) };
    match find_or_ask(gateway, ask, admitted, &permit).await {
        Ok(Found { approval, instead: None, .. }) if approval.is_usable(gateway.clock.now()) => {
            Ok(permit.approved_by(approval.id))
        }
        Ok(found) => {
            let approval = &found.approval;
            let id = approval.id;
            let page = format!("{}/o/{}/approvals/{id}", gateway.base_url, admitted.snapshot.slug);
            let way = match (&found.instead, approval.state) {
                (None, ApprovalState::Pending) => Way::of(gateway, ask, admitted, &permit, approval).await,
                _ => Way::Later,
            };
            let waiting = Waiting::of(found, needs, part, page, way, gateway.clock.now());
            Err(permit.call().refused(admitted, Refusal::Approval(Box::new(waiting))))
        }
        Err(error) => {
            tracing::warn!(%error, "an approval can be neither found nor asked for");
            Err(permit.call().refused(admitted, Refusal::Away))
        }
    }
}

pub(super) fn part_of(asked: &Asked) -> PolicyPart {
    PolicyPart {
        effect: "ask".into(),
        layer: asked.need.layer.as_str().into(),
        policy: asked.id,
        rule: asked.need.part.to_string(),
        version: asked.version,
    }
}

/// The latest word about a call.
struct Found {
    approval: Approval,
    /// The arguments that it is for, where they are others than those of the call: then the call cannot use it.
    instead: Option<Unprinted<String>>,
    plight: Plight,
}

impl Found {
    async fn of(
        gateway: &Gateway,
        tx: &mut OrgTx,
        approval: Approval,
        exact: &Exact<'_>,
    ) -> ActionResult<Self> {
        if approval.is_for(&exact.arguments) {
            let plight = Plight::of(tx, &approval, exact).await?;
            return Ok(Self { approval, instead: None, plight });
        }
        let cell = Cell::new("approvals", store::SEALED_ARGUMENTS, approval.id);
        let sealed = Sealed { key: approval.arguments.key, bytes: approval.arguments.sealed.clone() };
        let plain = gateway.vault.open(tx, cell, &sealed).await?;
        let instead = Some(String::from_utf8_lossy(plain.expose()).into_owned().into());
        Ok(Self { approval, instead, plight: Plight::default() })
    }
}

async fn find_or_ask(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    permit: &Permit<'_>,
) -> ActionResult<Found> {
    let call = permit.call();
    // Now, and not when the call came: the record will look at the same clock.
    let now = gateway.clock.now();
    let (subject, arguments) = what_is_asked(permit);
    let exact = Exact {
        grant: admitted.grant.id,
        server: call.server.server.id,
        tool: &subject,
        fingerprint: permit.fingerprint().map(|fingerprint| fingerprint.0).unwrap_or_default(),
        arguments: digest::sha256(&arguments),
        policies: permit.ruling().policies,
    };
    let scope = admitted.snapshot.scope;
    let mut tx = OrgTx::begin(&gateway.db, scope).await?;
    if let Some(found) = store::find_exact(&mut tx, &exact, now).await? {
        let found = Found::of(gateway, &mut tx, found, &exact).await?;
        tx.done().await?;
        return Ok(found);
    }
    if let Some(over) = waited_for(&mut tx, ask, &exact).await? {
        tx.done().await?;
        return Ok(Found { approval: over, instead: None, plight: Plight::default() });
    }
    let id = ApprovalId::fresh();
    let cell = Cell::new("approvals", store::SEALED_ARGUMENTS, id);
    let sealed = gateway.vault.seal(&mut tx, cell, &kept(permit, &arguments)).await?;
    let needs: Vec<_> = permit.ruling().needs.iter().map(Asked::written).collect();
    let within = permit.ruling().needs.iter().map(|asked| asked.need.ask.within).min().unwrap_or_default();
    let new = NewApproval {
        id,
        exact,
        grant_label: &admitted.grant.label,
        user: match admitted.grant.principal {
            Principal::User(user) => Some(user),
            Principal::Team(_) | Principal::ServiceAccount(_) => None,
        },
        requester_name: &admitted.grant.principal_name,
        client_name: call.client.as_ref().map(|client| client.name.as_str()),
        server_slug: call.server.server.slug.as_str(),
        class: permit.class().map_or("", Class::as_str),
        sealed_arguments: &sealed.bytes,
        key: sealed.key,
        needs: &needs,
        request: ask.origin.request,
        expires_at: now + Duration::seconds(within.into()),
    };
    let is_new = store::insert(&mut tx, &new, now).await?;
    let found = if is_new { store::find(&mut tx, id).await? } else { None };
    if let Some(new) = &found {
        let desk =
            Desk { post: &gateway.post, base_url: &gateway.base_url, org: &admitted.snapshot.slug, now };
        approvers::tell(desk, &mut tx, new).await?;
    }
    let found = match found {
        Some(found) => Some(found),
        // Somebody asked the same a moment ago.
        None => store::find_exact(&mut tx, &exact, now).await?,
    };
    let found = Found::of(gateway, &mut tx, found.ok_or(ActionError::Changed)?, &exact).await?;
    // The refused call, which names the approval, is the event of the request.
    audit::commit_unrecorded(tx, Unrecorded::Asked).await?;
    Ok(found)
}

/// The approval for which a task waited, where it was for this call under these policies and holds no longer: then nobody
/// is asked anew behind an agent that was not told. Under other policies it is another question.
async fn waited_for(tx: &mut OrgTx, ask: &Ask, exact: &Exact<'_>) -> ActionResult<Option<Approval>> {
    let Some(id) = ask.waited else { return Ok(None) };
    let found = store::find(tx, id).await?;
    Ok(found.filter(|one| one.fingerprint == exact.fingerprint && one.policies_digest == exact.policies))
}

/// Whether all that a call is made of may be kept until somebody decides, and all that it comes to.
fn may_be_kept(permit: &Permit<'_>) -> bool {
    if permit.ruling().masks.iter().any(|mask| mask.side == Side::Result) {
        return false;
    }
    let (_, asked) = what_is_asked(permit);
    kept(permit, &asked).as_ref() == asked.as_slice()
}

/// What is kept of what is asked: all but what a policy says is never stored. The digest stays that of the whole,
/// so that what is agreed to is still exactly this call.
pub(super) fn kept<'a>(permit: &Permit<'_>, asked: &'a [u8]) -> Cow<'a, [u8]> {
    let masks = permit.ruling().masks.as_slice();
    if masks.is_empty() {
        return Cow::Borrowed(asked);
    }
    match (strict::check(asked, &Limits::of(asked.len())), permit.name()) {
        (Ok(raw), None) => Cow::Owned(redact(raw, Side::Args, masks).into_bytes()),
        // What is no tool has its arguments within what is said of it.
        (Ok(raw), Some(_)) => Cow::Owned(redact_within(raw, "arguments", masks).into_bytes()),
        // It was read once, so it can be read again; and if not, nothing is kept.
        (Err(_), _) => Cow::Borrowed(b"{}"),
    }
}

/// Members of the parameters that are about the exchange alone.
const EXCHANGE: [&str; 3] = ["_meta", "requestState", "inputResponses"];

/// What is called and with what, canonically: the arguments of a tool; of anything else all that is said of it but what is
/// about the exchange alone.
pub(super) fn what_is_asked<'p>(permit: &'p Permit<'_>) -> (Cow<'p, str>, Vec<u8>) {
    let call = permit.call();
    let params = call.request().map(|request| &request.params);
    let (subject, written) = match permit.name() {
        Some(name) => {
            let all = params.and_then(Params::raw);
            (name.into(), all.map(|all| canonical_without(all, &EXCHANGE)))
        }
        None => {
            let arguments = params.and_then(|params| params.arguments().ok().flatten());
            (call.subject().unwrap_or_default(), arguments.map(canonical))
        }
    };
    (subject, written.unwrap_or_else(|| b"{}".to_vec()))
}
