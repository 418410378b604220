//! Connected accounts: connecting one, seeing how it fares, trying it, calling it otherwise, ending it.
//!
//! Invariant: an account is connected by a signed-in person in the browser session that asked for it, and for nobody else.
//! Invariant: who is neither its owner nor may see all connections does not learn of one.

mod arrived;
mod begin;
mod direct;
mod doctor;
mod end;
mod finish;
mod meanings;
mod probe;
mod sharing;
mod switch;
mod trial;
mod unkept;
mod words;

use serde::Serialize;

use crate::{
    base::{
        faults::Faults,
        ids::ConnectionId,
        page::{MAX_LIMIT, Page, PageRequest},
        permission::Permission,
        reference::Ref,
        wording,
    },
    domain::{
        audit::{self, Entry},
        connections::{
            AccountOwner, Connection, ConnectionFilter, ConnectionState, Obtaining, Provider,
            store::{self as providers, accounts, reach},
        },
        policy::{path::argument_paths, selector::Selector},
        servers::store::tools,
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{OrgTx, Tx},
};

pub use begin::{BeginInput, Begun, Offer, begin, offer};
pub use direct::{connect_client, connect_key};
pub use doctor::{Diagnosis, diagnose};
pub use end::{Ended, disconnect};
pub use finish::{Finished, Returned, finish};
pub use meanings::meaning;
pub use probe::{Probed, probe};
pub use sharing::Sharing;
pub use switch::{switch_off, switch_on};
pub use trial::{Trial, begin_trial, try_client};

/// How many places in arguments are offered.
const MOST_PLACES: usize = 200;

/// A connection with all that its page shows.
#[derive(Clone, Debug)]
pub struct ConnectionSheet {
    /// The connection.
    pub connection: Connection,
    /// Its provider.
    pub provider: Provider,
    /// Whether the caller may change it: it is theirs, or they look after it.
    pub may_change: bool,
    /// Whether it is shared, and yet the account of one person: what agents of others do shows up there as theirs.
    pub is_somebodys: bool,
    /// Whether the same account is connected here another time, so that ending one may end both.
    pub is_elsewhere: bool,
}

/// A provider that a person can connect an account at, and those they have there.
#[derive(Clone, Debug)]
pub struct Connectable {
    /// The provider.
    pub provider: Provider,
    /// The person's accounts there.
    pub accounts: Vec<Connection>,
    /// Shared ones there that the person looks after.
    pub shared: Vec<Connection>,
}

/// A connection as the record keeps it.
#[derive(Serialize)]
struct ConnectionRecord<'a> {
    provider: &'a str,
    owner: &'static str,
    account: &'a str,
    account_id: &'a str,
    name: &'a str,
    is_default: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    account_if: &'a str,
    scopes: &'a [String],
}

impl<'a> ConnectionRecord<'a> {
    fn of(connection: &'a Connection) -> Self {
        Self {
            provider: &connection.provider_slug,
            owner: connection.owner.kind(),
            account: connection.title(),
            account_id: &connection.label.id,
            name: &connection.name,
            is_default: connection.is_default,
            account_if: &connection.account_if,
            scopes: &connection.scopes,
        }
    }
}

/// Connections, the newest first: all of them for who may see all, otherwise the caller's own.
pub async fn list(
    cx: &OrgCx,
    filter: &ConnectionFilter,
    page: &PageRequest<ConnectionId>,
) -> ActionResult<Page<Connection>> {
    cx.require(Permission::ConnectionsOwn)?;
    let mut filter = *filter;
    if !cx.may(Permission::ConnectionsRead) {
        filter.user = Some(cx.user().ok_or(ActionError::Forbidden(Permission::ConnectionsRead))?);
    }
    let mut tx = cx.tx().await?;
    let found = accounts::list(&mut tx, &filter, page).await?;
    tx.done().await?;
    Ok(found)
}

/// The providers at which the caller can connect accounts, each with those they have.
///
/// # Errors
/// `Forbidden` for a service account, which has no accounts.
pub async fn mine(cx: &OrgCx) -> ActionResult<Vec<Connectable>> {
    cx.require(Permission::ConnectionsOwn)?;
    let user = cx.user().ok_or(ActionError::Forbidden(Permission::ConnectionsRead))?;
    let mut tx = cx.tx().await?;
    let all = PageRequest { limit: MAX_LIMIT, after: None };
    let filter = ConnectionFilter { user: Some(user), ..ConnectionFilter::default() };
    let own = accounts::list(&mut tx, &filter, &all).await?.items;
    let sharing = Sharing::of(cx, &mut tx).await?;
    let filter = ConnectionFilter { is_shared: true, ..ConnectionFilter::default() };
    let mut shared = match sharing.is_any() {
        true => accounts::list(&mut tx, &filter, &all).await?.items,
        false => Vec::new(),
    };
    shared.retain(|one| sharing.covers(one.owner));
    let all = PageRequest { limit: MAX_LIMIT, after: None };
    let providers = providers::list(&mut tx, None, &all).await?.items;
    tx.done().await?;
    let at = |all: &[Connection], provider: &Provider| -> Vec<Connection> {
        all.iter().filter(|one| one.provider == provider.id).cloned().collect()
    };
    let mut found: Vec<_> = providers
        .into_iter()
        .map(|provider| Connectable {
            accounts: at(&own, &provider),
            shared: at(&shared, &provider),
            provider,
        })
        .collect();
    let may_connect = |provider: &Provider| {
        provider.disabled_at.is_none() && (provider.obtaining() != Obtaining::Client || sharing.is_any())
    };
    found.retain(|one| may_connect(&one.provider) || !one.accounts.is_empty() || !one.shared.is_empty());
    Ok(found)
}

/// One connection.
///
/// # Errors
/// `NotFound` for who is neither its owner, nor looks after it, nor may see all.
pub async fn find(cx: &OrgCx, id: &str) -> ActionResult<ConnectionSheet> {
    cx.require(Permission::ConnectionsOwn)?;
    let mut tx = cx.tx().await?;
    let sheet = seen(cx, &mut tx, id).await?;
    tx.done().await?;
    Ok(sheet)
}

async fn seen(cx: &OrgCx, tx: &mut OrgTx, id: &str) -> ActionResult<ConnectionSheet> {
    let id: ConnectionId = id.parse().map_err(|_| ActionError::NotFound)?;
    let connection = accounts::find(tx, id).await?.ok_or(ActionError::NotFound)?;
    let may_change = is_own(cx, &connection) || looks_after(cx, tx, connection.owner).await?;
    if !may_change && !cx.may(Permission::ConnectionsRead) {
        return Err(ActionError::NotFound);
    }
    let provider = providers::find(tx, &Ref::Id(connection.provider)).await?.ok_or(ActionError::NotFound)?;
    let is_somebodys = connection.owner.user().is_none() && reach::is_somebodys(tx, connection.id).await?;
    let is_elsewhere = reach::is_elsewhere(tx, connection.id).await?;
    Ok(ConnectionSheet { connection, provider, may_change, is_somebodys, is_elsewhere })
}

/// Whether the caller looks after the shared accounts of this owner.
async fn looks_after(cx: &OrgCx, tx: &mut OrgTx, owner: AccountOwner) -> ActionResult<bool> {
    Ok(owner.user().is_none() && Sharing::of(cx, tx).await?.covers(owner))
}

fn is_own(cx: &OrgCx, connection: &Connection) -> bool {
    matches!(connection.owner, AccountOwner::User(user) if cx.user() == Some(user))
}

/// A connection that the caller may change: their own, or one that they look after. An admin ends a person's account, and does
/// nothing else with it.
async fn changeable(cx: &OrgCx, tx: &mut OrgTx, id: &str) -> ActionResult<ConnectionSheet> {
    let sheet = seen(cx, tx, id).await?;
    let connection = &sheet.connection;
    if !sheet.may_change {
        return match connection.owner {
            AccountOwner::User(_) => Err(ActionError::NotFound),
            AccountOwner::Team(_) | AccountOwner::Org => {
                Err(ActionError::Forbidden(Permission::ConnectionsWrite))
            }
        };
    }
    if connection.state == ConnectionState::Revoked {
        return Err(ended());
    }
    Ok(sheet)
}

fn ended() -> ActionError {
    ActionError::refused("connection_ended", "This account was disconnected. Connect it again to use it.")
}

/// What changes about a connection; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct ConnectionChange {
    /// What its owner calls it; empty for what the provider calls the account.
    pub name: Option<String>,
    /// Whether it is the one of its owner's at its provider that agents use.
    pub is_default: Option<bool>,
    /// For which calls agents use it all the same: a list of conditions as JSON; an empty one for none.
    pub account_if: Option<String>,
}

/// Changes a connection.
///
/// # Errors
/// A fault of `name`, `is_default` or `account_if`; `Changed` where it is not as the caller saw it.
pub async fn change(
    cx: &OrgCx,
    id: &str,
    change: &ConnectionChange,
    seen: Option<i64>,
) -> ActionResult<ConnectionSheet> {
    cx.require(Permission::ConnectionsOwn)?;
    let mut faults = Faults::default();
    let name = match change.name.as_deref().map(str::trim) {
        Some(name) if !name.is_empty() => faults.check("name", wording::parse_name(name)),
        other => other.map(str::to_owned),
    };
    if change.is_default == Some(false) {
        faults.add("is_default", "say so of the account that agents are to use in its place");
    }
    let account_if = change.account_if.as_deref().map(|text| canonical(text, &mut faults));
    faults.into_result(())?;
    let mut tx = cx.tx().await?;
    let before = changeable(cx, &mut tx, id).await?;
    let id = before.connection.id;
    let mut actions = Vec::new();
    if let Some(name) = name.filter(|name| *name != before.connection.name) {
        settled(accounts::rename(&mut tx, id, &name, seen, cx.now()).await?)?;
        actions.push("connection.renamed");
    } else if seen.is_some_and(|seen| seen != before.connection.version) {
        return Err(ActionError::Changed);
    }
    if change.is_default == Some(true) && !before.connection.is_default {
        accounts::prefer(&mut tx, id, cx.now()).await?;
        actions.push("connection.preferred");
    }
    if let Some(account_if) = account_if.filter(|account_if| *account_if != before.connection.account_if) {
        // What was renamed above has another version by now.
        let seen = seen.filter(|_| actions.is_empty());
        settled(accounts::choose_if(&mut tx, id, &account_if, seen, cx.now()).await?)?;
        actions.push("connection.rule_changed");
    }
    if actions.is_empty() {
        tx.done().await?;
        return Ok(before);
    }
    let after = accounts::find(&mut tx, id).await?.ok_or(ActionError::Changed)?;
    let entry = |action| {
        about(Entry::admin(action, &cx.who()), &after)
            .changed(&ConnectionRecord::of(&before.connection), &ConnectionRecord::of(&after))
    };
    audit::commit(tx, cx.now(), actions.into_iter().map(entry).collect()).await?;
    Ok(ConnectionSheet { connection: after, ..before })
}

/// Conditions as they are stored; empty where there are none.
fn canonical(text: &str, faults: &mut Faults) -> String {
    if text.trim() == "[]" {
        return String::new();
    }
    match Selector::read(text) {
        Ok(selector) => selector.canonical(),
        Err(found) => {
            for fault in found {
                let place = if fault.path.is_empty() { String::new() } else { format!("{}: ", fault.path) };
                let suggestion = fault.suggestion.map(|text| format!(" {text}")).unwrap_or_default();
                faults.add("account_if", format!("{place}{}{suggestion}", fault.reason));
            }
            String::new()
        }
    }
}

/// Places in the arguments of tools whose servers' requests carry accounts of a connection's provider, for whoever says for
/// which calls it is used.
pub async fn argument_places(cx: &OrgCx, connection: &Connection) -> ActionResult<Vec<String>> {
    cx.require(Permission::ConnectionsOwn)?;
    // What servers offer is for those who may see servers; whoever may not types what they know.
    if !cx.may(Permission::ServersRead) {
        return Ok(Vec::new());
    }
    let mut tx = cx.tx().await?;
    let definitions = tools::definitions_at(&mut tx, connection.provider).await?;
    tx.done().await?;
    let mut places: Vec<_> = definitions.iter().flat_map(|text| argument_paths(text, MOST_PLACES)).collect();
    places.sort();
    places.dedup();
    places.truncate(MOST_PLACES);
    Ok(places)
}

fn about(entry: Entry, connection: &Connection) -> Entry {
    let entry = entry.target("connection", connection.id, connection.title());
    match connection.owner.user() {
        Some(user) => entry.about(user),
        None => entry,
    }
}
