//! Approvals: seeing what waits, deciding it, reminding of it, taking it back, before or after somebody agreed.
//!
//! Who may decide follows from the rules that ask, not from a role alone. Who may neither decide nor see all, sees what
//! agents asked in their name.
//!
//! Invariant: only a person decides: in a browser, or by a key of their own.

mod decide;
mod narrow;
mod revoke;
mod similar;

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        actor::{Actor, KeyOwner},
        crypto::digest,
        ids::{ApprovalId, UserId},
        page::{Page, PageRequest},
        permission::{Permission, Role},
        secret::Secret,
    },
    domain::{
        approvals::{
            self, Approval, ApprovalFilter, ApprovalRefusal, ApprovalState, Judge, Kept, NarrowRefusal,
            RevokeRefusal, Vote, WrittenNeed, store,
        },
        audit::{self, Entry},
        vault::{Cell, Sealed},
    },
    flow::{
        approvers::{self, Desk},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
};

pub use decide::{DecisionInput, Terms, decide};
pub use revoke::revoke;
pub use similar::{DAYS, PastOutcome, Similar, SimilarCall, Tally};

/// How many cards stand on one page.
const MOST_CARDS: u16 = 20;
/// How often whoever asks may remind of it.
const NUDGES: Duration = Duration::minutes(5);

/// An approval with all that its page shows.
#[derive(Debug)]
pub struct ApprovalSheet {
    /// The approval.
    pub approval: Approval,
    /// Where it stands now.
    pub state: ApprovalState,
    /// The arguments as they were asked, as JSON; masked where a policy says that they are not kept.
    pub arguments: Secret<String>,
    /// Whether something of them is masked.
    pub is_masked: bool,
    /// The arguments that it is for, where somebody agreed to others than were asked.
    pub instead: Option<Secret<String>>,
    /// What was said.
    pub votes: Vec<Vote>,
    /// Why the viewer may not decide; none where they may.
    pub refusal: Option<ApprovalRefusal>,
    /// Whether an agent asks it in the viewer's name.
    pub is_own: bool,
    /// Whether the viewer may remind of it, and take it back while it waits.
    pub can_withdraw: bool,
    /// Why the viewer may not take back what was agreed to; none where they may.
    pub irrevocable: Option<RevokeRefusal>,
    /// Of whom too few are here to agree at present, in words; nobody where it does not wait.
    pub unmet: Vec<String>,
    /// Why the viewer may not agree to other arguments, were they to decide.
    pub bound: Option<NarrowRefusal>,
    /// Calls of the same tool before; only where one approval of a tool is read.
    pub similar: Option<Similar>,
}

/// What waits, or waited, for a human, the newest first: all of it for who may see all, otherwise what agents asked in
/// the caller's name and what they may decide.
pub async fn list(
    cx: &OrgCx,
    filter: &ApprovalFilter,
    page: &PageRequest<ApprovalId>,
) -> ActionResult<Page<Approval>> {
    cx.require(Permission::ApprovalsDecide)?;
    let sees_all = cx.may(Permission::ApprovalsRead);
    let mut tx = cx.tx().await?;
    if !sees_all {
        let judges = Judges::of(cx, &mut tx).await?;
        let judge = judges.me().ok_or(ActionError::Forbidden(Permission::ApprovalsRead))?;
        let found = store::list(&mut tx, filter, page, cx.now()).await?;
        tx.done().await?;
        let Page { items, next } = found;
        let is_theirs = |approval: &Approval| approval.user == Some(judge.user) || is_judge(approval, judge);
        return Ok(Page { items: items.into_iter().filter(is_theirs).collect(), next });
    }
    let found = store::list(&mut tx, filter, page, cx.now()).await?;
    tx.done().await?;
    Ok(found)
}

fn is_judge(approval: &Approval, judge: &Judge) -> bool {
    approvals::may_decide(approval, judge, OffsetDateTime::UNIX_EPOCH)
        != Err(ApprovalRefusal::NotAmongApprovers)
}

/// What waits now, the newest first, each with all that its card shows: whoever may decide, decides there.
///
/// # Errors
/// As [`list`].
pub async fn inbox(cx: &OrgCx, page: &PageRequest<ApprovalId>) -> ActionResult<Page<ApprovalSheet>> {
    let filter = ApprovalFilter { state: Some(ApprovalState::Pending), ..ApprovalFilter::default() };
    let page = PageRequest { limit: page.limit.min(MOST_CARDS), after: page.after };
    let found = list(cx, &filter, &page).await?;
    let mut tx = cx.tx().await?;
    let judges = Judges::of(cx, &mut tx).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for approval in found.items {
        let mut sheet = opened_sheet(cx, &mut tx, approval, &judges).await?;
        sheet.similar = similar::of(cx, &mut tx, &sheet.approval, similar::FOR_EACH).await?;
        items.push(sheet);
    }
    tx.done().await?;
    Ok(Page { items, next: found.next })
}

/// How long calls usually waited in the last weeks; none where nobody decided about any, or for who may not see them all.
pub async fn usual_wait(cx: &OrgCx) -> ActionResult<Option<Duration>> {
    if !cx.may(Permission::ApprovalsRead) {
        return Ok(None);
    }
    let mut tx = cx.tx().await?;
    let wait = store::usual_wait(&mut tx, cx.now() - Duration::days(DAYS)).await?;
    tx.done().await?;
    Ok(wait)
}

/// How many calls wait; nothing for who may not see them all.
pub async fn count_waiting(cx: &OrgCx) -> ActionResult<i64> {
    cx.require(Permission::ApprovalsRead)?;
    let mut tx = cx.tx().await?;
    let count = store::count_waiting(&mut tx, cx.now()).await?;
    tx.done().await?;
    Ok(count)
}

/// One approval with its arguments.
///
/// # Errors
/// `NotFound` for who may neither decide it nor see all, and in whose name no agent asks it.
pub async fn find(cx: &OrgCx, id: &str) -> ActionResult<ApprovalSheet> {
    cx.require(Permission::ApprovalsDecide)?;
    let mut tx = cx.tx().await?;
    let mut sheet = sheet(cx, &mut tx, id).await?;
    sheet.similar = similar::of(cx, &mut tx, &sheet.approval, similar::FOR_ONE).await?;
    tx.done().await?;
    Ok(sheet)
}

async fn sheet(cx: &OrgCx, tx: &mut OrgTx, id: &str) -> ActionResult<ApprovalSheet> {
    let id: ApprovalId = id.parse().map_err(|_| ActionError::NotFound)?;
    let approval = store::find(tx, id).await?.ok_or(ActionError::NotFound)?;
    let judges = Judges::of(cx, tx).await?;
    let sheet = opened_sheet(cx, tx, approval, &judges).await?;
    let is_judge = sheet.refusal != Some(ApprovalRefusal::NotAmongApprovers);
    let may_see =
        is_judge || sheet.is_own || sheet.irrevocable.is_none() || cx.may(Permission::ApprovalsRead);
    if may_see { Ok(sheet) } else { Err(ActionError::NotFound) }
}

/// An approval that the caller may see, opened.
async fn opened_sheet(
    cx: &OrgCx,
    tx: &mut OrgTx,
    approval: Approval,
    judges: &Judges,
) -> ActionResult<ApprovalSheet> {
    let id = approval.id;
    let judge = judges.me();
    let refusal = match judge {
        Some(judge) => approvals::may_decide(&approval, judge, cx.now()).err(),
        None => Some(ApprovalRefusal::NotAmongApprovers),
    };
    let is_narrowed = approval.asked.is_some();
    let column = if is_narrowed { store::SEALED_ASKED } else { store::SEALED_ARGUMENTS };
    let arguments = opened(cx, tx, column, (id, approval.as_asked())).await?;
    let instead = match is_narrowed {
        true => Some(opened(cx, tx, store::SEALED_ARGUMENTS, (id, &approval.arguments)).await?),
        false => None,
    };
    let votes = store::votes(tx, id).await?;
    // The digest is that of what the agent sent.
    let is_masked = digest::sha256(arguments.expose().as_bytes())[..] != approval.as_asked().digest[..];
    let bound = judge.and_then(|judge| narrow::refusal(&approval, is_masked, judge, &votes));
    let state = approval.state_at(cx.now());
    let unmet = match state {
        ApprovalState::Pending => approvals::unmet(&approval.needs, judges.all(), approval.user),
        _ => Vec::new(),
    };
    Ok(ApprovalSheet {
        state,
        is_own: judge.is_some_and(|judge| approval.user == Some(judge.user)),
        can_withdraw: state == ApprovalState::Pending && may_withdraw(cx, &approval),
        irrevocable: revoke::check(cx, &approval, judge, &votes).err(),
        unmet: unmet.into_iter().map(WrittenNeed::in_words).collect(),
        approval,
        arguments,
        is_masked,
        instead,
        votes,
        refusal,
        bound,
        similar: None,
    })
}

/// Arguments of an approval, as JSON.
async fn opened(
    cx: &OrgCx,
    tx: &mut OrgTx,
    column: &'static str,
    (id, kept): (ApprovalId, &Kept),
) -> ActionResult<Secret<String>> {
    let sealed = Sealed { key: kept.key, bytes: kept.sealed.clone() };
    let plain = cx.ports.vault.open(tx, Cell::new("approvals", column, id), &sealed).await?;
    Ok(Secret::new(String::from_utf8_lossy(plain.expose()).into_owned()))
}

/// Everybody by whom something can be decided.
struct Judges {
    all: Vec<Judge>,
    /// The one who asks; a service account is none.
    me: Option<UserId>,
}

impl Judges {
    async fn of(cx: &OrgCx, tx: &mut OrgTx) -> ActionResult<Self> {
        let me = match cx.who().actor {
            Actor::User { user, .. } | Actor::ApiKey { owner: KeyOwner::User(user), .. } => Some(user),
            _ => None,
        };
        Ok(Self { all: store::judges(tx).await?, me })
    }

    fn all(&self) -> &[Judge] {
        &self.all
    }

    fn me(&self) -> Option<&Judge> {
        self.all.iter().find(|judge| Some(judge.user) == self.me)
    }
}

/// Takes a request back that nobody decided yet: by the person in whose name it is asked, or, where it is in no person's
/// name, by who may revoke its grant.
///
/// # Errors
/// A refusal where it was decided already.
pub async fn withdraw(cx: &OrgCx, id: &str) -> ActionResult<ApprovalSheet> {
    cx.require(Permission::ApprovalsDecide)?;
    let mut tx = cx.tx().await?;
    let seen = own(cx, &mut tx, id).await?;
    let to = store::Settled {
        state: ApprovalState::Withdrawn,
        is_single: true,
        valid_until: None,
        reason: "",
        by: cx.user(),
    };
    if !store::settle(&mut tx, seen.id, &to, cx.now()).await? {
        return Err(refused(cx, ApprovalRefusal::Decided));
    }
    let entry = Entry::admin("approval.withdrawn", &cx.who()).target("approval", seen.id, &seen.tool);
    let sheet = sheet(cx, &mut tx, id).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(sheet)
}

/// Reminds those who may decide; every few minutes at the most.
///
/// # Errors
/// `TooMany` where somebody reminded of it a moment ago.
pub async fn nudge(cx: &OrgCx, id: &str) -> ActionResult<ApprovalSheet> {
    cx.require(Permission::ApprovalsDecide)?;
    let mut tx = cx.tx().await?;
    let seen = own(cx, &mut tx, id).await?;
    if seen.state_at(cx.now()) != ApprovalState::Pending {
        return Err(refused(cx, ApprovalRefusal::Decided));
    }
    if !store::nudge(&mut tx, seen.id, cx.now() - NUDGES, cx.now()).await? {
        return Err(ActionError::TooMany { retry_after: NUDGES });
    }
    let desk = Desk {
        post: &cx.ports.post,
        base_url: &cx.ports.site.base_url,
        org: cx.org.slug.as_str(),
        now: cx.now(),
    };
    approvers::tell(desk, &mut tx, &seen).await?;
    let entry = Entry::admin("approval.nudged", &cx.who()).target("approval", seen.id, &seen.tool);
    let sheet = sheet(cx, &mut tx, id).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(sheet)
}

/// An approval whose request is the caller's to take back; another's is unknown to them.
async fn own(cx: &OrgCx, tx: &mut OrgTx, id: &str) -> ActionResult<Approval> {
    let seen = sheet(cx, tx, id).await?.approval;
    if may_withdraw(cx, &seen) { Ok(seen) } else { Err(ActionError::NotFound) }
}

/// Nobody speaks for a service account or a team but those who could end all that its agents ask.
fn may_withdraw(cx: &OrgCx, approval: &Approval) -> bool {
    match approval.user {
        Some(user) => cx.user() == Some(user),
        None => cx.may(Permission::GrantsWrite),
    }
}

/// Why somebody may not decide, in words for them: owners are told what they could change.
pub fn refusal_words(cx: &OrgCx, refusal: ApprovalRefusal) -> String {
    match refusal {
        ApprovalRefusal::Own if cx.role == Role::Owner => {
            format!("{refusal} Under Settings, Policies you can let people decide about their own agents.")
        }
        _ => refusal.to_string(),
    }
}

fn refused(cx: &OrgCx, refusal: ApprovalRefusal) -> ActionError {
    ActionError::refused(refusal.code(), refusal_words(cx, refusal))
}
