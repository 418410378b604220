//! Service accounts: whom scripts run as when they run for no person.

use serde::Serialize;

use crate::{
    base::{
        actor::{KeyOwner, Principal},
        ids::ApiKeyId,
        page::{Page, PageRequest},
        permission::Permission,
        slug::Slug,
        update::Change,
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        automation::{
            ApiKeyEntry, KeyFilter, KeyState, NewServiceAccount, ServiceAccount, ServiceAccountEntry,
            ServiceAccountForm, ServiceAccountRef, store,
        },
        grants::store as grants,
        tenancy,
    },
    flow::{
        actions::grants::end_all,
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{DbError, OrgTx, Tx},
};

/// What a person types about a service account.
#[derive(Clone, Debug, Default)]
pub struct AccountInput {
    /// Its name.
    pub name: String,
    /// Its short name for addresses; made from the name when left empty.
    pub slug: String,
    /// What it is for.
    pub description: String,
    /// What its keys may at the most.
    pub role: String,
}

/// Changes to a service account; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// Its name.
    pub name: Option<String>,
    /// Its short name.
    pub slug: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What its keys may at the most.
    pub role: Option<String>,
}

impl AccountChange {
    fn onto(self, account: &ServiceAccount) -> AccountInput {
        AccountInput {
            name: self.name.unwrap_or_else(|| account.name.clone()),
            slug: self.slug.unwrap_or_else(|| account.slug.to_string()),
            description: self.description.unwrap_or_else(|| account.description.clone()),
            role: self.role.unwrap_or_else(|| account.role.to_string()),
        }
    }
}

/// What a service account's page shows.
#[derive(Debug)]
pub struct AccountOverview {
    /// The account.
    pub account: ServiceAccount,
    /// The name of who made it, while they are a member.
    pub created_by: Option<String>,
    /// Its keys, the newest first; none where the caller may not see keys.
    pub keys: Page<ApiKeyEntry>,
    /// Those of its keys that are neither revoked nor expired, up to a page of them.
    pub live: Vec<ApiKeyEntry>,
    /// How many grants of agents act in its name.
    pub grants: i64,
}

/// What the record keeps of a service account.
#[derive(Serialize)]
struct AccountRecord<'a> {
    name: &'a str,
    slug: &'a str,
    description: &'a str,
    role: &'a str,
    disabled: bool,
}

impl<'a> From<&'a ServiceAccount> for AccountRecord<'a> {
    fn from(account: &'a ServiceAccount) -> Self {
        Self {
            name: &account.name,
            slug: account.slug.as_str(),
            description: &account.description,
            role: account.role.as_str(),
            disabled: account.disabled_at.is_some(),
        }
    }
}

/// The organization's service accounts, by short name.
pub async fn list(
    cx: &OrgCx,
    q: Option<&str>,
    page: &PageRequest<String>,
) -> ActionResult<Page<ServiceAccountEntry>> {
    cx.require(Permission::ServiceAccountsRead)?;
    let q = q.map(str::trim).filter(|q| !q.is_empty());
    let mut tx = cx.tx().await?;
    let accounts = store::accounts::list(&mut tx, q, page, cx.now()).await?;
    tx.done().await?;
    Ok(accounts)
}

/// One service account, by id or slug.
pub async fn find(cx: &OrgCx, name: &str) -> ActionResult<ServiceAccount> {
    cx.require(Permission::ServiceAccountsRead)?;
    let mut tx = cx.tx().await?;
    let account = named(&mut tx, name).await?;
    tx.done().await?;
    Ok(account)
}

/// One service account with its keys.
pub async fn overview(cx: &OrgCx, name: &str, page: &PageRequest<ApiKeyId>) -> ActionResult<AccountOverview> {
    cx.require(Permission::ServiceAccountsRead)?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let account = named(&mut tx, name).await?;
    let owner = Some(KeyOwner::ServiceAccount(account.id));
    let (mut keys, mut live) = (Page { items: Vec::new(), next: None }, Vec::new());
    if cx.may(Permission::ApiKeysRead) {
        keys = store::keys::list(&mut tx, KeyFilter { owner, state: None }, page, now).await?;
        let filter = KeyFilter { owner, state: Some(KeyState::Live) };
        live = store::keys::list(&mut tx, filter, &PageRequest::first(), now).await?.items;
    }
    let created_by = match account.created_by {
        Some(user) => tenancy::store::members::find(&mut tx, user).await?.map(|member| member.name),
        None => None,
    };
    let grants = grants::grants::count_of(&mut tx, Principal::ServiceAccount(account.id), now).await?;
    tx.done().await?;
    Ok(AccountOverview { account, created_by, keys, live, grants })
}

/// Creates a service account.
pub async fn create(cx: &OrgCx, input: &AccountInput) -> ActionResult<ServiceAccount> {
    cx.require(Permission::ServiceAccountsWrite)?;
    let new = parse(input)?;
    let mut tx = cx.tx().await?;
    let account = store::accounts::insert(&mut tx, &new, cx.user(), cx.now()).await.map_err(slug_taken)?;
    let entry = Entry::admin("service_account.created", &cx.who())
        .target("service_account", account.id, &account.name)
        .after(&AccountRecord::from(&account));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(account)
}

/// Changes a service account; a smaller role lowers its keys at once.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn update(
    cx: &OrgCx,
    name: &str,
    change: AccountChange,
    seen: Option<i64>,
) -> ActionResult<ServiceAccount> {
    cx.require(Permission::ServiceAccountsWrite)?;
    let mut tx = cx.tx().await?;
    let before = named(&mut tx, name).await?;
    let new = parse(&change.onto(&before))?;
    let outcome =
        store::accounts::update(&mut tx, before.id, &new, seen, cx.now()).await.map_err(slug_taken)?;
    record(cx, tx, "service_account.changed", settled(outcome)?).await
}

/// Refuses the account's keys from now on, until it is enabled again.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn disable(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<ServiceAccount> {
    cx.require(Permission::ServiceAccountsWrite)?;
    let mut tx = cx.tx().await?;
    let account = named(&mut tx, name).await?;
    let outcome = store::accounts::disable(&mut tx, account.id, seen, cx.now()).await?;
    // Whether an account is enabled is a fact that decisions about its agents' calls rest on.
    tenancy::store::orgs::bump_epoch(&mut tx).await?;
    record(cx, tx, "service_account.disabled", settled(outcome)?).await
}

/// Lets the account's keys work again.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn enable(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<ServiceAccount> {
    cx.require(Permission::ServiceAccountsWrite)?;
    let mut tx = cx.tx().await?;
    let account = named(&mut tx, name).await?;
    let outcome = store::accounts::enable(&mut tx, account.id, seen, cx.now()).await?;
    tenancy::store::orgs::bump_epoch(&mut tx).await?;
    record(cx, tx, "service_account.enabled", settled(outcome)?).await
}

/// Deletes a service account; its keys and grants stop at once and are recorded as revoked.
///
/// # Errors
/// `NeedsProof`; `Changed` where someone else was faster than the version seen.
pub async fn delete(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<ServiceAccount> {
    cx.require(Permission::ServiceAccountsWrite)?;
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let account = named(&mut tx, name).await?;
    let owner = KeyOwner::ServiceAccount(account.id);
    let ended = store::keys::revoke_all_of(&mut tx, owner, cx.user(), cx.now()).await?;
    let principal = Principal::ServiceAccount(account.id);
    let grants = end_all(cx, &mut tx, principal, "Its service account was deleted.").await?;
    settled(store::accounts::delete(&mut tx, account.id, seen).await?)?;
    let mut entries: Vec<Entry> = ended
        .iter()
        .map(|key| {
            Entry::admin("api_key.revoked", &cx.who())
                .target("api_key", key.id, &key.name)
                .note("Its service account was deleted.")
        })
        .collect();
    entries.extend(grants);
    entries.push(
        Entry::admin("service_account.deleted", &cx.who())
            .target("service_account", account.id, &account.name)
            .before(&AccountRecord::from(&account)),
    );
    audit::commit(tx, cx.now(), entries).await?;
    Ok(account)
}

/// The account that a path or a body names.
pub(super) async fn named(tx: &mut OrgTx, name: &str) -> ActionResult<ServiceAccount> {
    let name = ServiceAccountRef::parse(name).ok_or(ActionError::NotFound)?;
    store::accounts::find(tx, &name).await?.ok_or(ActionError::NotFound)
}

async fn record(
    cx: &OrgCx,
    tx: OrgTx,
    action: &'static str,
    Change { before, after }: Change<ServiceAccount>,
) -> ActionResult<ServiceAccount> {
    let entry = Entry::admin(action, &cx.who())
        .target("service_account", after.id, &after.name)
        .changed(&AccountRecord::from(&before), &AccountRecord::from(&after));
    if entry.has_change() {
        audit::commit(tx, cx.now(), vec![entry]).await?;
    } else {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
    }
    Ok(after)
}

fn parse(input: &AccountInput) -> ActionResult<NewServiceAccount> {
    let slug = match input.slug.trim() {
        "" => Slug::suggest(&input.name, "robot"),
        slug => slug.to_owned(),
    };
    let form = ServiceAccountForm {
        slug: &slug,
        name: &input.name,
        description: &input.description,
        role: &input.role,
    };
    Ok(NewServiceAccount::parse(form)?)
}

fn slug_taken(error: DbError) -> ActionError {
    if error.broke(store::accounts::SLUG_IS_FREE) {
        ActionError::field("slug", "another service account has this short name; choose another")
    } else {
        error.into()
    }
}
