//! What callers type about grants, and what becomes of it.

use time::OffsetDateTime;

use crate::{
    base::{
        actor::Principal,
        faults::Faults,
        ids::{GrantId, PolicyId, ServerId},
    },
    domain::{
        grants::{Grant, GrantChange, GrantFilter, GrantForm, GrantState, NewGrant, ServersOf},
        policy::store::policies,
    },
    flow::{
        actions::grants::{principals, reach},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::OrgTx,
};

/// In whose name a new grant is to act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalInput {
    /// A member, by id or address.
    User(String),
    /// A team, by id or slug.
    Team(String),
    /// A service account, by id or slug.
    ServiceAccount(String),
    /// Whichever of them has this name.
    Named(String),
}

/// On which servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServersInput {
    /// All of them, also those that are added later.
    All,
    /// These, by id or slug.
    Some(Vec<String>),
}

/// What a person types about a new grant.
#[derive(Clone, Debug)]
pub struct GrantInput {
    /// The id that the form was given, so that sending it twice makes one grant.
    pub id: Option<GrantId>,
    /// Its name on pages.
    pub label: String,
    /// In whose name.
    pub principal: PrincipalInput,
    /// On which servers.
    pub servers: ServersInput,
    /// The name of the strongest class of tools.
    pub class_ceiling: String,
    /// Its policy, by id or slug.
    pub policy: Option<String>,
    /// When it ends; never, where nobody says.
    pub expires_at: Option<OffsetDateTime>,
    /// Networks.
    pub cidrs: Vec<String>,
    /// Names of clients.
    pub clients: Vec<String>,
}

/// Changes to a grant; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct GrantPatch {
    /// Its name on pages.
    pub label: Option<String>,
    /// On which servers.
    pub servers: Option<ServersInput>,
    /// The name of the strongest class of tools.
    pub class_ceiling: Option<String>,
    /// Its policy, by id or slug; `Some(None)` for none of its own.
    pub policy: Option<Option<String>>,
    /// When it ends; `Some(None)` for never.
    pub expires_at: Option<Option<OffsetDateTime>>,
    /// Networks.
    pub cidrs: Option<Vec<String>>,
    /// Names of clients.
    pub clients: Option<Vec<String>>,
}

/// Which grants a list shows.
#[derive(Clone, Debug, Default)]
pub struct GrantListFilter {
    /// `me`, or the id of a person, team or service account.
    pub principal: Option<String>,
    /// A server's id or slug.
    pub server: Option<String>,
    /// Only those in this state.
    pub state: Option<GrantState>,
    /// A part of the label, or of the principal's name.
    pub q: Option<String>,
}

/// The grant that somebody asks for, with all its faults at once.
pub(super) async fn new_grant(cx: &OrgCx, tx: &mut OrgTx, input: &GrantInput) -> ActionResult<NewGrant> {
    let mut faults = Faults::default();
    let principal = principals::find(tx, &input.principal, &mut faults).await?;
    let servers = reach::find(tx, &input.servers, &mut faults).await?;
    let policy = policy(tx, input.policy.as_deref(), &mut faults).await?;
    let form = GrantForm {
        label: &input.label,
        servers: servers.unwrap_or(ServersOf::All),
        class_ceiling: &input.class_ceiling,
        policy,
        expires_at: input.expires_at,
        cidrs: &input.cidrs,
        clients: &input.clients,
    };
    match principal {
        Some(principal) if faults.is_empty() => Ok(NewGrant::parse(principal, form, cx.now())?),
        _ => {
            NewGrant::faults(form, cx.now()).iter().for_each(|fault| faults.add(fault.field, &fault.message));
            Err(faults.into())
        }
    }
}

/// The terms that a change makes of a grant's.
pub(super) async fn change(
    cx: &OrgCx,
    tx: &mut OrgTx,
    grant: &Grant,
    patch: GrantPatch,
) -> ActionResult<GrantChange> {
    let mut faults = Faults::default();
    let servers = match &patch.servers {
        Some(servers) => {
            reach::find(tx, servers, &mut faults).await?.unwrap_or_else(|| grant.servers.clone())
        }
        None => grant.servers.clone(),
    };
    let policy = match &patch.policy {
        Some(named) => policy(tx, named.as_deref(), &mut faults).await?,
        None => grant.policy,
    };
    let cidrs = patch.cidrs.unwrap_or_else(|| grant.bindings.cidr_texts());
    let clients = patch.clients.unwrap_or_else(|| grant.bindings.clients().to_vec());
    let form = GrantForm {
        label: patch.label.as_deref().unwrap_or(&grant.label),
        servers,
        class_ceiling: patch.class_ceiling.as_deref().unwrap_or_else(|| grant.ceiling.as_str()),
        policy,
        expires_at: patch.expires_at.unwrap_or(grant.expires_at),
        cidrs: &cidrs,
        clients: &clients,
    };
    match GrantChange::parse(grant, form, cx.now()) {
        Ok(change) => Ok(faults.into_result(change)?),
        Err(bad) => {
            bad.iter().for_each(|fault| faults.add(fault.field, &fault.message));
            Err(faults.into())
        }
    }
}

/// The policy that somebody names; a published one, for one that never was would deny everything.
async fn policy(tx: &mut OrgTx, named: Option<&str>, faults: &mut Faults) -> ActionResult<Option<PolicyId>> {
    let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) else { return Ok(None) };
    let found = match named.parse() {
        Ok(named) => policies::find(tx, &named).await?,
        Err(_) => None,
    };
    match found {
        None => faults.add("policy", "there is no policy of this name; use its slug or its id"),
        Some(policy) if policy.live.is_none() => {
            faults.add("policy", "this policy was never published; publish it first");
        }
        Some(policy) => return Ok(Some(policy.id)),
    }
    Ok(None)
}

/// What the store filters by.
pub(super) async fn filter(
    cx: &OrgCx,
    tx: &mut OrgTx,
    filter: &GrantListFilter,
) -> ActionResult<GrantFilter> {
    let given =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    let principal = match given(&filter.principal) {
        None => None,
        Some(text) => Some(principal_of(cx, &text)?),
    };
    let server = match given(&filter.server) {
        None => None,
        Some(name) => Some(server_of(tx, &name).await?),
    };
    Ok(GrantFilter { principal, server, state: filter.state, q: given(&filter.q) })
}

fn principal_of(cx: &OrgCx, text: &str) -> ActionResult<Principal> {
    let me = || cx.user().filter(|_| text == "me").map(Principal::User);
    let named = || {
        let user = text.parse().map(Principal::User).ok();
        let team = || text.parse().map(Principal::Team).ok();
        user.or_else(team).or_else(|| text.parse().map(Principal::ServiceAccount).ok())
    };
    me().or_else(named).ok_or_else(|| {
        ActionError::field("principal", "name the id of a person, a team or a service account, or say me")
    })
}

async fn server_of(tx: &mut OrgTx, name: &str) -> ActionResult<ServerId> {
    let names = [name.to_owned()];
    let found = reach::by_name(tx, &names).await?.into_iter().next();
    found.map(|server| server.id).ok_or_else(|| {
        ActionError::field("server", "there is no server of this name; use its slug or its id")
    })
}
