//! API keys: what scripts carry, on behalf of a person or a service account.
//!
//! Keys are managed by owners and admins of the organization only, also a person's own: whoever may not write API keys
//! has none. What a key may is its scopes cut down to its owner's role, both as they are at each request, so a smaller
//! role lowers a key at once and leaving the organization ends it.
//!
//! Invariant: nobody makes a key that acts in another person's name, or one that may what they may not themselves.

mod listing;
mod rotation;

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    base::{
        actor::{Actor, KeyOwner},
        ids::{ApiKeyId, UserId},
        page::PageRequest,
        permission::{Permission, Role},
        secret::Secret,
        update::Change,
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        automation::{
            ApiKey, ApiKeyEntry, ApiKeyForm, Expiry, IssuedKey, KeyName, KeyState, NewApiKey, Scopes,
            ServiceAccountEntry, store,
        },
        tenancy,
    },
    flow::{
        actions::{members::unposted, service_accounts::named},
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
        letters::{ApiKeyCreated, Letter},
    },
    io::db::{DbError, OrgTx, Tx},
};

pub use listing::{KeyListFilter, KeysOverview, list, overview};
pub use rotation::{LONGEST_OVERLAP, rotatable, rotate};

/// Whom a new key is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OwnerInput {
    /// The person who asks, or the owner of the key that asks.
    #[default]
    Me,
    /// A service account, by id or slug.
    ServiceAccount(String),
}

/// What a new key is to carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopesInput {
    /// Whatever the owner may see and the caller too.
    ReadOnly,
    /// These scopes; `*` alone for everything the owner may.
    These(Vec<String>),
}

impl Default for ScopesInput {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

/// What a person types about a new key.
#[derive(Clone, Debug, Default)]
pub struct KeyInput {
    /// The id that the form was given, so that sending it twice makes one key.
    pub id: Option<ApiKeyId>,
    /// Its name.
    pub name: String,
    /// Whom it is for.
    pub owner: OwnerInput,
    /// What it may at the most.
    pub scopes: ScopesInput,
    /// When it ends.
    pub expiry: Expiry,
}

/// A key that was just made, with the text that is shown once.
#[derive(Debug)]
pub struct MadeKey {
    /// The key.
    pub entry: ApiKeyEntry,
    /// What the script carries.
    pub token: Secret<String>,
    /// The key that it replaces, as it is now.
    pub replaced: Option<ApiKey>,
}

/// What the form for a new key offers.
#[derive(Debug)]
pub struct KeyOffer {
    /// Service accounts that it may be for.
    pub accounts: Vec<ServiceAccountEntry>,
    /// The service account it is for; otherwise the person who asks.
    pub account: Option<(String, String)>,
    /// The owner's role.
    pub role: Role,
    /// The scopes that the owner's role carries and the caller may hand out.
    pub permissions: Vec<Permission>,
}

/// What the record keeps of a key.
#[derive(Serialize)]
struct KeyRecord {
    name: String,
    owner: String,
    scopes: Vec<String>,
    expires_at: Option<String>,
    revoked: bool,
}

impl From<&ApiKey> for KeyRecord {
    fn from(key: &ApiKey) -> Self {
        Self {
            name: key.name.clone(),
            owner: owner_text(key.owner),
            scopes: key.scopes.texts(),
            expires_at: key.expires_at.and_then(|at| at.format(&Rfc3339).ok()),
            revoked: key.revoked_at.is_some(),
        }
    }
}

fn owner_text(owner: KeyOwner) -> String {
    match owner {
        KeyOwner::User(user) => user.to_string(),
        KeyOwner::ServiceAccount(account) => account.to_string(),
    }
}

/// The service accounts that a choice on a page offers.
async fn accounts(cx: &OrgCx, tx: &mut OrgTx) -> ActionResult<Vec<ServiceAccountEntry>> {
    if !cx.may(Permission::ServiceAccountsRead) {
        return Ok(Vec::new());
    }
    let page = PageRequest { limit: crate::base::page::MAX_LIMIT, after: None };
    Ok(store::accounts::list(tx, None, &page, cx.now()).await?.items)
}

/// One key.
pub async fn find(cx: &OrgCx, id: &str) -> ActionResult<ApiKeyEntry> {
    cx.require(Permission::ApiKeysRead)?;
    let mut tx = cx.tx().await?;
    let entry = entry_of(cx, &mut tx, id).await?;
    tx.done().await?;
    Ok(entry)
}

/// What the form for a new key offers to an owner.
///
/// # Errors
/// `NeedsProof`, so that nobody types a form in vain; a field error where there is no such service account.
pub async fn offer(cx: &OrgCx, owner: &OwnerInput) -> ActionResult<KeyOffer> {
    cx.require(Permission::ApiKeysWrite)?;
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let (account, role) = match owner {
        OwnerInput::Me => (None, cx.role),
        OwnerInput::ServiceAccount(name) => {
            let account = named(&mut tx, name).await?;
            (Some((account.slug.to_string(), account.name)), account.role)
        }
    };
    let accounts = accounts(cx, &mut tx).await?;
    tx.done().await?;
    let permissions = Permission::ALL.iter().copied().filter(|p| role.may(*p) && cx.may(*p)).collect();
    Ok(KeyOffer { accounts, account, role, permissions })
}

/// Makes a key; its text is in the answer and never again.
///
/// # Errors
/// `NeedsProof`; field errors; a refusal where the same form was sent before.
pub async fn create(cx: &OrgCx, input: &KeyInput) -> ActionResult<MadeKey> {
    cx.require(Permission::ApiKeysWrite)?;
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let (owner, role) = match &input.owner {
        OwnerInput::Me => (own(cx)?, cx.role),
        OwnerInput::ServiceAccount(name) => match named(&mut tx, name).await {
            Ok(account) => (KeyOwner::ServiceAccount(account.id), account.role),
            Err(ActionError::NotFound) => {
                return Err(ActionError::field(
                    "service_account",
                    "there is no service account of this name",
                ));
            }
            Err(error) => return Err(error),
        },
    };
    let scopes = match &input.scopes {
        ScopesInput::These(scopes) => scopes.clone(),
        ScopesInput::ReadOnly => reading(cx, role)?,
    };
    let form = ApiKeyForm { name: &input.name, scopes: &scopes, expiry: input.expiry };
    let new = NewApiKey::parse(form, owner, role, cx.now())?;
    check_reach(cx, new.scopes(), role)?;
    let issued = input.id.map_or_else(IssuedKey::fresh, IssuedKey::of);
    let key = store::keys::insert(&mut tx, &new, &issued, cx.user(), cx.now()).await.map_err(sent_before)?;
    let entry = Entry::admin("api_key.created", &cx.who())
        .target("api_key", key.id, &key.name)
        .after(&KeyRecord::from(&key));
    let entry = match owner {
        KeyOwner::User(user) => entry.about(user),
        KeyOwner::ServiceAccount(_) => entry,
    };
    finish(cx, tx, &key, issued, vec![entry], None).await
}

/// Gives a key another name; left out, it stays.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn rename(
    cx: &OrgCx,
    id: &str,
    name: Option<&str>,
    seen: Option<i64>,
) -> ActionResult<ApiKeyEntry> {
    cx.require(Permission::ApiKeysWrite)?;
    let mut tx = cx.tx().await?;
    let entry = entry_of(cx, &mut tx, id).await?;
    let name: KeyName = name
        .unwrap_or(&entry.key.name)
        .parse()
        .map_err(|bad| ActionError::field("name", format!("{bad}")))?;
    let Change { before, after } = settled(store::keys::rename(&mut tx, entry.key.id, &name, seen).await?)?;
    record(cx, tx, "api_key.changed", &before, &after).await?;
    Ok(ApiKeyEntry { key: after, ..entry })
}

/// Ends a key at once; it stays in the list. Needs no proof, for in an emergency it must be quick.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn revoke(cx: &OrgCx, id: &str, seen: Option<i64>) -> ActionResult<ApiKeyEntry> {
    cx.require(Permission::ApiKeysWrite)?;
    let mut tx = cx.tx().await?;
    let entry = entry_of(cx, &mut tx, id).await?;
    let outcome = store::keys::revoke(&mut tx, entry.key.id, cx.user(), seen, cx.now()).await?;
    let Change { before, after } = settled(outcome)?;
    record(cx, tx, "api_key.revoked", &before, &after).await?;
    Ok(ApiKeyEntry { key: after, state: KeyState::Revoked, ..entry })
}

/// The owner of what the caller makes for themselves.
fn own(cx: &OrgCx) -> ActionResult<KeyOwner> {
    match cx.who().actor {
        Actor::User { user, .. } => Ok(KeyOwner::User(user)),
        Actor::ApiKey { owner, .. } => Ok(owner),
        Actor::Nobody | Actor::Grant { .. } | Actor::System => Err(ActionError::NotSignedIn),
    }
}

async fn entry_of(cx: &OrgCx, tx: &mut OrgTx, id: &str) -> ActionResult<ApiKeyEntry> {
    let id: ApiKeyId = id.parse().map_err(|_| ActionError::NotFound)?;
    store::keys::find_entry(tx, id, cx.now()).await?.ok_or(ActionError::NotFound)
}

/// The scopes of a key that only reads.
fn reading(cx: &OrgCx, owner_role: Role) -> ActionResult<Vec<String>> {
    let held = Permission::ALL.iter().filter(|p| owner_role.may(**p) && cx.may(**p));
    let scopes: Vec<String> =
        held.map(|p| p.scope()).filter(|s| s.ends_with(":read")).map(str::to_owned).collect();
    if scopes.is_empty() {
        let message =
            format!("the role {owner_role} sees nothing over the API; give the owner another role first");
        return Err(ActionError::field("scopes", message));
    }
    Ok(scopes)
}

/// Refuses scopes that the caller does not hold: a key of few scopes must not make one of many.
fn check_reach(cx: &OrgCx, scopes: &Scopes, owner_role: Role) -> ActionResult<()> {
    let given = Permission::ALL.iter().copied().filter(|p| scopes.cover(*p) && owner_role.may(*p));
    let beyond: Vec<&str> = given.filter(|p| !cx.may(*p)).map(Permission::scope).collect();
    if beyond.is_empty() {
        return Ok(());
    }
    Err(ActionError::field("scopes", format!("you do not hold {} yourself; leave it out", beyond.join(", "))))
}

fn sent_before(error: DbError) -> ActionError {
    if store::keys::ID_IS_FREE.iter().any(|rule| error.broke(rule)) {
        ActionError::refused(
            "key_was_made",
            "This form was sent before, and its key was made and shown then. It cannot be shown again; if you did not \
             copy it, revoke it and make another.",
        )
    } else {
        error.into()
    }
}

async fn record(
    cx: &OrgCx,
    tx: OrgTx,
    action: &'static str,
    before: &ApiKey,
    after: &ApiKey,
) -> ActionResult<()> {
    let entry = Entry::admin(action, &cx.who())
        .target("api_key", after.id, &after.name)
        .changed(&KeyRecord::from(before), &KeyRecord::from(after));
    if entry.has_change() {
        audit::commit(tx, cx.now(), vec![entry]).await?;
    } else {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
    }
    Ok(())
}

/// Tells the person in whose name the key acts, and keeps everything.
async fn finish(
    cx: &OrgCx,
    mut tx: OrgTx,
    key: &ApiKey,
    issued: IssuedKey,
    entries: Vec<Entry>,
    replaced: Option<ApiKey>,
) -> ActionResult<MadeKey> {
    if let KeyOwner::User(user) = key.owner {
        announce(cx, &mut tx, key, user, cx.now()).await?;
    }
    let found = store::keys::find_entry(&mut tx, key.id, cx.now()).await?;
    let entry = found.ok_or(ActionError::NotFound)?;
    audit::commit(tx, cx.now(), entries).await?;
    cx.ports.waker.wake();
    Ok(MadeKey { entry, token: issued.text(), replaced })
}

async fn announce(
    cx: &OrgCx,
    tx: &mut OrgTx,
    key: &ApiKey,
    user: UserId,
    at: OffsetDateTime,
) -> ActionResult<()> {
    let Some(member) = tenancy::store::members::find(tx, user).await? else {
        return Ok(());
    };
    let Ok(to) = member.email.parse() else {
        return Ok(());
    };
    let scopes = match &key.scopes {
        Scopes::All => vec!["Everything that you may"],
        Scopes::Only(permissions) => permissions.iter().map(|p| p.label()).collect(),
    };
    let letter = Letter::ApiKeyCreated(ApiKeyCreated {
        name: member.name.into(),
        org: cx.org.name.as_str().into(),
        key: key.name.as_str().into(),
        tail: key.tail.as_str().into(),
        scopes,
        at: at.into(),
        expires_at: key.expires_at.map(Into::into),
        keys_page: cx.ports.site.url(&format!("/o/{}/api-keys", cx.org.slug)),
    });
    cx.ports.post.queue(tx, &to, &letter).await.map_err(unposted)?;
    Ok(())
}
