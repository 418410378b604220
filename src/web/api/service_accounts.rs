//! `service-accounts` of the JSON API.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        ids::{ServiceAccountId, UserId},
        permission::{Permission, Role},
    },
    domain::automation::{ServiceAccount, ServiceAccountEntry},
    flow::actions::service_accounts::{self, AccountChange, AccountInput},
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Body, IfMatch, Listed, Params, Versioned},
        listing::{PageQuery, search},
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

const ALL: &str = "/orgs/{org}/service-accounts";
const ONE: &str = "/orgs/{org}/service-accounts/{account}";
const TAG: &str = "Service accounts";

/// The operations.
pub fn routes() -> Routes {
    let write = Permission::ServiceAccountsWrite;
    Routes::default()
        .api(
            Operation::get(ALL, "listServiceAccounts")
                .about(TAG, "List service accounts by slug")
                .needs(Permission::ServiceAccountsRead)
                .query::<AccountQuery>()
                .gives::<Listed<AccountView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(ALL, "createServiceAccount", Effect::Records(&["service_account.created"]))
                .about(TAG, "Create a service account")
                .needs(write)
                .takes::<AccountBody>()
                .gives::<AccountView>(StatusCode::CREATED),
            create,
        )
        .api(
            Operation::get(ONE, "getServiceAccount")
                .about(TAG, "Read a service account")
                .needs(Permission::ServiceAccountsRead)
                .gives::<AccountView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::patch(ONE, "changeServiceAccount", Effect::Records(&["service_account.changed"]))
                .about(TAG, "Change a service account; a smaller role lowers its keys at once")
                .needs(write)
                .takes::<AccountChangeBody>()
                .gives::<AccountView>(StatusCode::OK),
            change,
        )
        .api(
            Operation::post(
                "/orgs/{org}/service-accounts/{account}/disable",
                "disableServiceAccount",
                Effect::Records(&["service_account.disabled"]),
            )
            .about(TAG, "Refuse the keys of a service account until it is enabled again")
            .needs(write)
            .versioned()
            .gives::<AccountView>(StatusCode::OK),
            disable,
        )
        .api(
            Operation::post(
                "/orgs/{org}/service-accounts/{account}/enable",
                "enableServiceAccount",
                Effect::Records(&["service_account.enabled"]),
            )
            .about(TAG, "Let the keys of a service account work again")
            .needs(write)
            .versioned()
            .gives::<AccountView>(StatusCode::OK),
            enable,
        )
        .api(
            Operation::delete(
                ONE,
                "deleteServiceAccount",
                Effect::Records(&["service_account.deleted", "api_key.revoked", "grant.revoked"]),
            )
            .about(TAG, "Delete a service account and its keys")
            .needs(write)
            .gives_nothing(),
            remove,
        )
}

/// A service account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServiceAccount")]
struct AccountView {
    id: ServiceAccountId,
    slug: String,
    name: String,
    description: String,
    /// What its keys may at the most.
    role: Role,
    /// Whether its keys are refused.
    disabled: bool,
    /// The person who made it; null where a service account did.
    created_by: Option<UserId>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: OffsetDateTime,
    version: i64,
}

impl From<ServiceAccount> for AccountView {
    fn from(account: ServiceAccount) -> Self {
        Self {
            id: account.id,
            slug: account.slug.to_string(),
            name: account.name,
            description: account.description,
            role: account.role,
            disabled: account.disabled_at.is_some(),
            created_by: account.created_by,
            created_at: account.created_at,
            updated_at: account.updated_at,
            version: account.version,
        }
    }
}

impl From<ServiceAccountEntry> for AccountView {
    fn from(entry: ServiceAccountEntry) -> Self {
        entry.account.into()
    }
}

impl Versioned for AccountView {
    fn version(&self) -> i64 {
        self.version
    }
}

#[derive(Deserialize, JsonSchema)]
struct AccountQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only service accounts whose name or slug contains this.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
}

/// A new service account.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewServiceAccount")]
struct AccountBody {
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// Made from the name when left out.
    #[serde(default)]
    #[schemars(length(max = 40))]
    slug: String,
    #[serde(default)]
    #[schemars(length(max = 500))]
    description: String,
    /// Any role but owner.
    role: Role,
}

/// Changes to a service account.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServiceAccountChange")]
struct AccountChangeBody {
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    #[schemars(length(min = 2, max = 40))]
    slug: Option<String>,
    #[schemars(length(max = 500))]
    description: Option<String>,
    /// Any role but owner.
    role: Option<Role>,
}

async fn list(cx: KeyAsk, Params(query): Params<AccountQuery>) -> ApiResult {
    let page = service_accounts::list(&cx, search(query.q)?.as_deref(), &query.page.parse()?).await?;
    Ok(json::listed::<ServiceAccountEntry, AccountView>(page))
}

async fn create(cx: KeyAsk, Body(body): Body<AccountBody>) -> ApiResult {
    let input = AccountInput {
        name: body.name,
        slug: body.slug,
        description: body.description,
        role: body.role.to_string(),
    };
    let account = service_accounts::create(&cx, &input).await?;
    Ok(json::one(StatusCode::CREATED, &AccountView::from(account)))
}

async fn read(cx: KeyAsk, Path((_, account)): Path<(String, String)>) -> ApiResult {
    let account = service_accounts::find(&cx, &account).await?;
    Ok(json::one(StatusCode::OK, &AccountView::from(account)))
}

async fn change(
    cx: KeyAsk,
    Path((_, account)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<AccountChangeBody>,
) -> ApiResult {
    let change = AccountChange {
        name: body.name,
        slug: body.slug,
        description: body.description,
        role: body.role.map(|role| role.to_string()),
    };
    let account = service_accounts::update(&cx, &account, change, seen).await?;
    Ok(json::one(StatusCode::OK, &AccountView::from(account)))
}

async fn disable(
    cx: KeyAsk,
    Path((_, account)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
) -> ApiResult {
    let account = service_accounts::disable(&cx, &account, seen).await?;
    Ok(json::one(StatusCode::OK, &AccountView::from(account)))
}

async fn enable(cx: KeyAsk, Path((_, account)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    let account = service_accounts::enable(&cx, &account, seen).await?;
    Ok(json::one(StatusCode::OK, &AccountView::from(account)))
}

async fn remove(cx: KeyAsk, Path((_, account)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    service_accounts::delete(&cx, &account, seen).await?;
    Ok(json::nothing())
}
