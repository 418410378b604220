//! Lists of keys, by owner and state.

use crate::{
    base::{
        actor::KeyOwner,
        ids::{ApiKeyId, UserId},
        page::{Page, PageRequest},
        permission::Permission,
    },
    domain::automation::{ApiKeyEntry, KeyFilter, KeyState, ServiceAccountEntry, store},
    flow::{
        actions::{
            api_keys::{accounts, own},
            service_accounts::named,
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
};

/// Whose keys a list shows.
#[derive(Clone, Debug, Default)]
pub struct KeyListFilter {
    /// `me`, a person's id, or a service account's id or slug.
    pub owner: Option<String>,
    /// Only live, expired or revoked ones.
    pub state: Option<KeyState>,
}

/// What the page of keys shows.
#[derive(Debug)]
pub struct KeysOverview {
    /// The keys, the newest first.
    pub keys: Page<ApiKeyEntry>,
    /// Service accounts to filter by; none where the caller may not see them.
    pub accounts: Vec<ServiceAccountEntry>,
}

/// The organization's keys, the newest first.
pub async fn list(
    cx: &OrgCx,
    filter: &KeyListFilter,
    page: &PageRequest<ApiKeyId>,
) -> ActionResult<Page<ApiKeyEntry>> {
    cx.require(Permission::ApiKeysRead)?;
    let mut tx = cx.tx().await?;
    let keys = filtered(cx, &mut tx, filter, page).await?;
    tx.done().await?;
    Ok(keys)
}

/// The organization's keys with the service accounts to filter by.
pub async fn overview(
    cx: &OrgCx,
    filter: &KeyListFilter,
    page: &PageRequest<ApiKeyId>,
) -> ActionResult<KeysOverview> {
    cx.require(Permission::ApiKeysRead)?;
    let mut tx = cx.tx().await?;
    let keys = filtered(cx, &mut tx, filter, page).await?;
    let accounts = accounts(cx, &mut tx).await?;
    tx.done().await?;
    Ok(KeysOverview { keys, accounts })
}

async fn filtered(
    cx: &OrgCx,
    tx: &mut OrgTx,
    filter: &KeyListFilter,
    page: &PageRequest<ApiKeyId>,
) -> ActionResult<Page<ApiKeyEntry>> {
    let owner = match filter.owner.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
        None => None,
        Some("me") => Some(own(cx)?),
        Some(name) => match name.parse::<UserId>() {
            Ok(user) => Some(KeyOwner::User(user)),
            Err(_) => match named(tx, name).await {
                Ok(account) => Some(KeyOwner::ServiceAccount(account.id)),
                Err(ActionError::NotFound) => {
                    return Err(ActionError::field("owner", "name a member's id or a service account"));
                }
                Err(error) => return Err(error),
            },
        },
    };
    let filter = KeyFilter { owner, state: filter.state };
    Ok(store::keys::list(tx, filter, page, cx.now()).await?)
}
