//! OAuth providers of an organization: registering, changing, another secret or key, switching, deleting.

mod change;
mod discover;
mod enrol;
mod keys;
mod of_server;
mod preset_version;
mod protection;
mod register;
mod way_back;

use std::collections::BTreeMap;

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use crate::{
    base::{
        ids::{ProviderId, ServerId},
        page::{Page, PageRequest},
        permission::Permission,
        secret::Secret,
        update::Change,
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        connections::{
            Elsewhere, Obtaining, Preset, Provider, ProviderRef, ProviderSource, SealedSecret, Trouble,
            elsewhere, presets, store,
            store::{noted, reach},
        },
        servers::store as servers,
        tenancy,
        vault::Cell,
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{DbError, OrgTx, Tx},
    protocol::oauth::{client::ClientAuth, document::Facts},
};

pub use change::{ProviderChange, delete, disable, enable, rotate, update};
pub use enrol::client_document;
pub use keys::{client_keys, keys_of};
pub use of_server::{Found, OfServerInput, rediscover, register_for_server};
pub use preset_version::take_preset;
pub use register::{ProviderInput, register};
pub(in crate::flow::actions) use way_back::way_back;

/// What a provider's page shows.
#[derive(Debug)]
pub struct ProviderSheet {
    /// The provider.
    pub provider: Provider,
    /// The name of who registered it, while they are a member.
    pub created_by: Option<String>,
    /// The address that the provider sends browsers back to.
    pub callback: String,
    /// The address at which it reads the keys of a client that signs.
    pub keys: Option<String>,
    /// Scopes that tools need of its accounts, each with one of the tools, and whether it is asked for.
    pub needs: Vec<Need>,
    /// How its accounts fare, for who may see them.
    pub accounts: Option<Standing>,
}

/// A scope that tools need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The scope.
    pub scope: String,
    /// One of the tools.
    pub tool: String,
    /// Its server's short name.
    pub server: String,
    /// Whether people are asked for it when they connect.
    pub is_asked: bool,
}

/// How the accounts at a provider fare.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// How many there are.
    pub all: i64,
    /// How many have to be connected again.
    pub broken: i64,
    /// How many rest after a failure.
    pub resting: i64,
    /// What last went wrong.
    pub troubles: Vec<Trouble>,
}

/// How many troubles a page shows.
const TROUBLES: i64 = 5;

/// What the record keeps of a provider: everything but the secret.
#[derive(Serialize)]
struct ProviderRecord<'a> {
    slug: &'a str,
    name: &'a str,
    kind: &'static str,
    preset: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preset_version: Option<i32>,
    variables: Option<&'a Facts>,
    authorize_url: Option<&'a str>,
    token_url: Option<&'a str>,
    revoke_url: Option<&'a str>,
    userinfo_url: Option<&'a str>,
    issuer: Option<&'a str>,
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_auth: Option<&'static str>,
    enrolment: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    shares_client_of: Option<ProviderId>,
    client_id: &'a str,
    scopes: &'a [String],
    user_scopes: &'a [String],
    /// Changes with the secret, or with the key.
    secret_changed_at: Option<String>,
    disabled: bool,
}

impl<'a> From<&'a Provider> for ProviderRecord<'a> {
    fn from(provider: &'a Provider) -> Self {
        let (parts, places) = (provider.source.parts(), provider.source.places());
        let (preset, preset_version) = provider.preset_version().unzip();
        let variables = match &provider.source {
            ProviderSource::Preset { variables, .. } => Some(variables),
            _ => None,
        };
        let secret_changed_at =
            provider.secret.as_ref().and_then(|secret| secret.changed_at.format(&Rfc3339).ok());
        Self {
            slug: provider.slug.as_str(),
            name: &provider.name,
            kind: provider.source.kind(),
            preset,
            preset_version,
            variables,
            authorize_url: places.authorize.map(Url::as_str),
            token_url: places.token.map(Url::as_str),
            revoke_url: places.revoke.map(Url::as_str),
            userinfo_url: parts.and_then(|parts| Some(parts.userinfo.as_ref()?.as_str())),
            issuer: parts.and_then(|parts| parts.issuer.as_deref()),
            resource: provider.source.resource(),
            audience: places.audience,
            client_auth: provider.source.client_auth().map(ClientAuth::as_str),
            enrolment: provider.enrolment.as_str(),
            shares_client_of: provider.shares_with,
            client_id: &provider.client_id,
            scopes: &provider.scopes,
            user_scopes: &provider.user_scopes,
            secret_changed_at,
            disabled: provider.disabled_at.is_some(),
        }
    }
}

/// Why nobody can connect through a provider, and what to do; nothing where people can.
pub fn unusable(provider: &Provider) -> Option<(String, &'static str)> {
    let name = &provider.name;
    if provider.template().is_none() && provider.obtaining() != Obtaining::Key {
        return Some((
            format!("This version knows no preset that fits {name}."),
            "Add it again by its addresses.",
        ));
    }
    if provider.disabled_at.is_some() {
        return Some((format!("{name} is switched off, so nobody can connect."), "Enable it."));
    }
    let is_public = provider.source.client_auth() == Some(ClientAuth::None);
    let lacks_secret = provider.secret.is_none() && !is_public && provider.obtaining() != Obtaining::Key;
    lacks_secret.then(|| (format!("{name} asks for a client secret, and none is stored."), "Enter it."))
}

/// The address that providers send browsers back to whose clients were registered with this id. It stays the same for as long
/// as the client does, as it is registered there.
pub fn callback_of(cx: &OrgCx, id: ProviderId) -> String {
    cx.ports.site.url(&format!("/oauth/callback/{id}"))
}

/// The presets that a search for these words finds, by short name.
pub fn choices(cx: &OrgCx, q: Option<&str>) -> ActionResult<Vec<&'static Preset>> {
    cx.require(Permission::ProvidersRead)?;
    let q = q.unwrap_or_default();
    Ok(presets().iter().filter(|preset| preset.is_found_by(q)).collect())
}

/// Providers that a search for these words means and that cannot be presets.
pub fn not_here(cx: &OrgCx, q: &str) -> ActionResult<Vec<&'static Elsewhere>> {
    cx.require(Permission::ProvidersRead)?;
    let q = q.trim().to_lowercase();
    let is_meant = |one: &&Elsewhere| !q.is_empty() && one.name.to_lowercase().contains(&q);
    Ok(elsewhere().iter().filter(is_meant).collect())
}

/// The organization's providers, by short name.
pub async fn list(cx: &OrgCx, q: Option<&str>, page: &PageRequest<String>) -> ActionResult<Page<Provider>> {
    cx.require(Permission::ProvidersRead)?;
    let mut tx = cx.tx().await?;
    let providers = store::list(&mut tx, q.map(str::trim).filter(|q| !q.is_empty()), page).await?;
    tx.done().await?;
    Ok(providers)
}

/// One provider, by id or slug.
pub async fn find(cx: &OrgCx, name: &str) -> ActionResult<Provider> {
    cx.require(Permission::ProvidersRead)?;
    let mut tx = cx.tx().await?;
    let provider = named(&mut tx, name).await?;
    tx.done().await?;
    Ok(provider)
}

/// One provider with what its page shows beside it.
pub async fn sheet(cx: &OrgCx, name: &str) -> ActionResult<ProviderSheet> {
    cx.require(Permission::ProvidersRead)?;
    let mut tx = cx.tx().await?;
    let provider = named(&mut tx, name).await?;
    let created_by = match provider.created_by {
        Some(user) => tenancy::store::members::find(&mut tx, user).await?.map(|member| member.name),
        None => None,
    };
    let needs = if cx.may(Permission::ServersRead) { needs(&mut tx, &provider).await? } else { Vec::new() };
    let accounts = match cx.may(Permission::ConnectionsRead) {
        true => {
            let (all, broken, resting) = reach::standing(&mut tx, provider.id).await?;
            let troubles = noted::troubles(&mut tx, provider.id, TROUBLES).await?;
            Some(Standing { all, broken, resting, troubles })
        }
        false => None,
    };
    tx.done().await?;
    let callback = callback_of(cx, provider.callback_id());
    let keys = provider.signs().then(|| keys_of(cx, provider.id));
    Ok(ProviderSheet { provider, created_by, callback, keys, needs, accounts })
}

/// What tools of servers that carry its accounts need.
async fn needs(tx: &mut OrgTx, provider: &Provider) -> ActionResult<Vec<Need>> {
    let mut scopes = servers::tools::scopes_needed(tx).await?;
    if scopes.is_empty() {
        return Ok(Vec::new());
    }
    let carried = servers::decisions::credentials(tx).await?;
    let carries = |id: &ServerId| {
        carried.get(id).is_some_and(|all| {
            all.iter().any(|one| one.provider.as_ref().is_some_and(|of| of.id == provider.id))
        })
    };
    scopes.retain(|id, _| carries(id));
    let mut found: BTreeMap<String, Need> = BTreeMap::new();
    for (id, needed) in scopes {
        let Some(server) = servers::servers::find(tx, &id.into()).await? else { continue };
        for (scope, tool) in needed {
            let is_asked = provider.scopes.contains(&scope);
            let need = Need { scope: scope.clone(), tool, server: server.slug.to_string(), is_asked };
            found.entry(scope).or_insert(need);
        }
    }
    Ok(found.into_values().collect())
}

/// The provider that a path or a body names.
pub(in crate::flow::actions) async fn named(tx: &mut OrgTx, name: &str) -> ActionResult<Provider> {
    let name: ProviderRef = name.parse().map_err(|_| ActionError::NotFound)?;
    store::find(tx, &name).await?.ok_or(ActionError::NotFound)
}

/// A client's secret, sealed for its provider.
async fn sealed(
    cx: &OrgCx,
    tx: &mut OrgTx,
    id: ProviderId,
    secret: &Secret<String>,
    now: OffsetDateTime,
) -> ActionResult<SealedSecret> {
    let (table, column) = store::SEALED_IN;
    let sealed = cx.ports.vault.seal(tx, Cell::new(table, column, id), secret.expose().as_bytes()).await?;
    Ok(SealedSecret { key: sealed.key, bytes: sealed.bytes, changed_at: now })
}

/// Keeps a change of a provider with its record.
async fn record(
    cx: &OrgCx,
    tx: OrgTx,
    action: &'static str,
    Change { before, after }: Change<Provider>,
) -> ActionResult<Provider> {
    let entry = Entry::admin(action, &cx.who())
        .target("provider", after.id, &after.name)
        .changed(&ProviderRecord::from(&before), &ProviderRecord::from(&after));
    if entry.has_change() {
        audit::commit(tx, cx.now(), vec![entry]).await?;
    } else {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
    }
    Ok(after)
}

fn registered() -> ActionError {
    ActionError::refused(
        "provider_was_registered",
        "This form was sent before, and its provider was registered then. Look for it in the list of providers.",
    )
}

fn taken(error: DbError) -> ActionError {
    if error.broke(store::SLUG_IS_FREE) {
        ActionError::field("slug", "another provider has this short name; choose another")
    } else if store::ID_IS_FREE.iter().any(|rule| error.broke(rule)) {
        registered()
    } else {
        error.into()
    }
}
