//! The overview: what is done, what needs somebody, how much there is, what happened last.

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        page::PageRequest,
        permission::{Permission, Role},
    },
    domain::{
        audit::{self, EventFilter, EventRow},
        automation::{AutomationCount, store as automation},
        gate::{self, Gate},
        grants::{GrantCount, store as grants},
        outbox::{LetterState, store as outbox},
        servers::{ServerCount, store::servers},
        tenancy::{MemberFilter, PeopleCount, StepMark, store},
    },
    flow::{
        actions::{
            first_steps::{self, Facts, StepState},
            orgs,
        },
        cx::OrgCx,
        fault::ActionResult,
    },
    io::db::Tx,
};

/// From when on a key's end is worth a word.
const KEY_SOON: Duration = Duration::days(14);
/// From when on an invitation's end is worth a word.
const INVITATION_SOON: Duration = Duration::hours(24);
/// How many events the page shows.
const EVENTS: u16 = 8;

/// Something that needs somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// The gate is closed, since then.
    GateClosed(Option<OffsetDateTime>),
    /// The deletion of the organization was asked for, then.
    DeletionAsked(OffsetDateTime),
    /// People cannot come in before they set up a second factor.
    LockedOut(usize),
    /// Keys expire within two weeks.
    KeysExpire(i64),
    /// Tokens of agents expire within two weeks.
    TokensExpire(i64),
    /// Invitations end within a day.
    InvitationsEnd(i64),
    /// Invitations have run out.
    InvitationsExpired(i64),
    /// Tools wait for review.
    ToolsUnreviewed(i64),
    /// The catalogues of servers cannot be read.
    ServersFail(i64),
    /// There is only one owner.
    OneOwner,
    /// Letters of the installation could not be sent.
    LettersFailed(i64),
}

/// The whole page.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The first steps; nothing where they are behind.
    pub steps: Vec<StepState>,
    /// Whether steps were skipped or put away, and can be brought back.
    pub has_skipped: bool,
    /// What needs somebody, the most urgent first.
    pub attention: Vec<Attention>,
    /// People and teams.
    pub people: PeopleCount,
    /// Scripts.
    pub automation: AutomationCount,
    /// Servers and what waits there.
    pub servers: ServerCount,
    /// Agents.
    pub grants: GrantCount,
    /// The emergency stop.
    pub gate: Gate,
    /// The latest events; nothing for those who may not read the log.
    pub events: Vec<EventRow>,
}

/// Where somebody begins who may not see the overview.
pub fn first_place(cx: &OrgCx) -> Option<String> {
    if cx.may(Permission::OrgRead) {
        None
    } else if cx.may(Permission::AuditRead) {
        Some(format!("/o/{}/audit", cx.org.slug))
    } else if cx.may(Permission::ApprovalsRead) {
        Some(format!("/o/{}/approvals", cx.org.slug))
    } else {
        Some("/me".to_owned())
    }
}

/// Reads the overview.
pub async fn read(cx: &OrgCx) -> ActionResult<Overview> {
    cx.require(Permission::OrgRead)?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let people = store::glance::count(&mut tx, now, now + INVITATION_SOON).await?;
    let automation = automation::glance::count(&mut tx, now, now + KEY_SOON).await?;
    let grants = grants::glance::count(&mut tx, now, now + KEY_SOON).await?;
    let marks = store::glance::step_marks(&mut tx).await?;
    let gate = gate::find(&mut tx).await?;
    let servers = servers::count(&mut tx).await?;
    let owners = MemberFilter { role: Some(Role::Owner), ..MemberFilter::default() };
    let owners =
        store::members::list(&mut tx, &owners, &PageRequest { limit: 2, after: None }).await?.items.len();
    let events = if cx.may(Permission::AuditRead) {
        let page = PageRequest { limit: EVENTS, after: None };
        audit::list(&mut tx, &EventFilter::default(), &page).await?.items
    } else {
        Vec::new()
    };
    tx.done().await?;
    let facts = Facts {
        has_second_factor: has_second_factor(cx).await?,
        members: people.members,
        invited: people.invited,
        keys: automation.keys,
        servers: servers.servers,
        moved_gate: gate.changed_at.is_some(),
        grants: grants.made,
        used_tokens: grants.used_tokens,
    };
    let mut attention = of_org(cx, &gate, &people, &automation);
    attention.extend((servers.failing > 0).then_some(Attention::ServersFail(servers.failing)));
    attention.extend((servers.unreviewed > 0).then_some(Attention::ToolsUnreviewed(servers.unreviewed)));
    attention.extend((grants.expiring_tokens > 0).then_some(Attention::TokensExpire(grants.expiring_tokens)));
    if cx.org.require_second_factor {
        let without = orgs::without_second_factor(cx).await?.len();
        attention.extend((without > 0).then_some(Attention::LockedOut(without)));
    }
    attention.extend((owners == 1 && people.members > 1).then_some(Attention::OneOwner));
    attention.extend(failed_letters(cx).await?);
    Ok(Overview {
        steps: first_steps::judge(cx, &facts, &marks),
        has_skipped: marks.iter().any(|(_, mark)| *mark == StepMark::Skipped),
        attention,
        people,
        automation,
        servers,
        grants,
        gate,
        events,
    })
}

async fn has_second_factor(cx: &OrgCx) -> ActionResult<bool> {
    match &cx.person {
        Some(person) if person.session.is_two_factor() => Ok(true),
        Some(person) => Ok(!orgs::holders(cx, &[person.id()]).await?.is_empty()),
        None => Ok(false),
    }
}

fn of_org(cx: &OrgCx, gate: &Gate, people: &PeopleCount, automation: &AutomationCount) -> Vec<Attention> {
    let mut attention = Vec::new();
    attention.extend((!gate.is_open()).then_some(Attention::GateClosed(gate.changed_at)));
    attention.extend(cx.org.deletion_asked_at.map(Attention::DeletionAsked));
    attention
        .extend((automation.expiring_keys > 0).then_some(Attention::KeysExpire(automation.expiring_keys)));
    attention.extend((people.ending > 0).then_some(Attention::InvitationsEnd(people.ending)));
    attention.extend((people.expired > 0).then_some(Attention::InvitationsExpired(people.expired)));
    attention
}

/// The installation's letters that could not be sent; only an operator can do something about them.
async fn failed_letters(cx: &OrgCx) -> ActionResult<Option<Attention>> {
    if !cx.person.as_ref().is_some_and(|person| person.user.is_operator) {
        return Ok(None);
    }
    let mut tx = cx.system_tx().await?;
    let counts = outbox::count(&mut tx).await?;
    tx.done().await?;
    let failed =
        counts.into_iter().find(|(state, _)| *state == LetterState::Failed).map_or(0, |(_, count)| count);
    Ok((failed > 0).then_some(Attention::LettersFailed(failed)))
}
