//! Find or jump: things of an organization by a part of their name, as far as the person may see them.

use crate::{
    base::{page::PageRequest, permission::Permission},
    domain::{
        automation::{NamedKey, ServiceAccount, store as automation},
        connections::{Provider, store as providers},
        grants::{GrantEntry, GrantFilter, store as grants},
        policy::{
            kept::{Policy, PolicyFilter},
            store::policies,
        },
        secrets::{SecretFilter, StoredSecret},
        servers::{Server, ServerFilter, store as servers},
        tenancy::{Member, MemberFilter, Team, TeamFilter, store},
    },
    flow::{
        actions::secrets::{self, Whose},
        cx::OrgCx,
        fault::ActionResult,
    },
    io::db::Tx,
};

/// How many of one kind are found at the most.
const MOST: u16 = 5;
/// The longest text that is looked for.
const LONGEST: usize = 100;

/// What was found, by kind.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// People, by name or address.
    pub members: Vec<Member>,
    /// Teams.
    pub teams: Vec<Team>,
    /// Service accounts.
    pub accounts: Vec<ServiceAccount>,
    /// Live API keys.
    pub keys: Vec<NamedKey>,
    /// Grants of agents.
    pub grants: Vec<GrantEntry>,
    /// Policies.
    pub policies: Vec<Policy>,
    /// Servers.
    pub servers: Vec<Server>,
    /// Providers of accounts.
    pub providers: Vec<Provider>,
    /// Secrets of the organization and of teams.
    pub secrets: Vec<StoredSecret>,
}

/// Finds things whose name holds the words; nothing for no words.
pub async fn find(cx: &OrgCx, words: &str) -> ActionResult<Found> {
    let words: String = words.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    let mut found = Found::default();
    if words.is_empty() {
        return Ok(found);
    }
    let q = Some(words.clone());
    let mut tx = cx.tx().await?;
    if cx.may(Permission::MembersRead) {
        let filter = MemberFilter { q: q.clone(), ..MemberFilter::default() };
        found.members =
            store::members::list(&mut tx, &filter, &PageRequest { limit: MOST, after: None }).await?.items;
    }
    if cx.may(Permission::TeamsRead) {
        let filter = TeamFilter { q, of: None };
        found.teams =
            store::teams::list(&mut tx, &filter, &PageRequest { limit: MOST, after: None }).await?.items;
    }
    if cx.may(Permission::ServiceAccountsRead) {
        let page = PageRequest { limit: MOST, after: None };
        let accounts = automation::accounts::list(&mut tx, Some(&words), &page, cx.now()).await?.items;
        found.accounts = accounts.into_iter().map(|entry| entry.account).collect();
    }
    if cx.may(Permission::GrantsRead) {
        let filter = GrantFilter { q: Some(words.clone()), ..GrantFilter::default() };
        let page = PageRequest { limit: MOST, after: None };
        found.grants = grants::grants::list(&mut tx, &filter, &page, cx.now()).await?.items;
    }
    if cx.may(Permission::PoliciesRead) {
        let filter = PolicyFilter { q: Some(words.clone()), ..PolicyFilter::default() };
        let page = PageRequest { limit: MOST, after: None };
        found.policies = policies::list(&mut tx, &filter, &page).await?.items;
    }
    if cx.may(Permission::ApiKeysRead) {
        found.keys = automation::glance::keys_named(&mut tx, &words, cx.now(), i64::from(MOST)).await?;
    }
    if cx.may(Permission::ServersRead) {
        let filter = ServerFilter { search: Some(words.clone()), ..ServerFilter::default() };
        let page = PageRequest { limit: MOST, after: None };
        let entries = servers::servers::list(&mut tx, &filter, &page).await?.items;
        found.servers = entries.into_iter().map(|entry| entry.server).collect();
    }
    if cx.may(Permission::ProvidersRead) {
        let page = PageRequest { limit: MOST, after: None };
        found.providers = providers::list(&mut tx, Some(&words), &page).await?.items;
    }
    tx.done().await?;
    if cx.may(Permission::SecretsRead) {
        let filter = SecretFilter { q: Some(words), ..SecretFilter::default() };
        let page = PageRequest { limit: MOST, after: None };
        found.secrets = secrets::list(cx, Whose::Shared, &filter, None, &page).await?.items;
    }
    Ok(found)
}
