//! `api-keys` of the JSON API.

use std::net::IpAddr;

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        actor::KeyOwner,
        ids::{ApiKeyId, UserId},
        permission::Permission,
    },
    domain::automation::{ApiKeyEntry, Expiry, KeyState},
    flow::{
        actions::api_keys::{self, KeyInput, KeyListFilter, MadeKey, OwnerInput, ScopesInput},
        fault::ActionError,
    },
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Body, IfMatch, Listed, Params, Versioned},
        listing::PageQuery,
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

const ALL: &str = "/orgs/{org}/api-keys";
const ONE: &str = "/orgs/{org}/api-keys/{key}";
const TAG: &str = "API keys";

/// The operations.
pub fn routes() -> Routes {
    let write = Permission::ApiKeysWrite;
    Routes::default()
        .api(
            Operation::get(ALL, "listApiKeys")
                .about(TAG, "List API keys, the newest first")
                .needs(Permission::ApiKeysRead)
                .query::<KeyQuery>()
                .gives::<Listed<KeyView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(ALL, "createApiKey", Effect::Records(&["api_key.created"]))
                .about(TAG, "Create an API key; the answer holds its token, which is shown only now")
                .needs(write)
                .takes::<KeyBody>()
                .gives::<MadeView>(StatusCode::CREATED),
            create,
        )
        .api(
            Operation::get(ONE, "getApiKey")
                .about(TAG, "Read an API key, without its token")
                .needs(Permission::ApiKeysRead)
                .gives::<KeyView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::patch(ONE, "changeApiKey", Effect::Records(&["api_key.changed"]))
                .about(TAG, "Give an API key another name")
                .needs(write)
                .takes::<KeyChangeBody>()
                .gives::<KeyView>(StatusCode::OK),
            change,
        )
        .api(
            Operation::post(
                "/orgs/{org}/api-keys/{key}/rotate",
                "rotateApiKey",
                Effect::Records(&["api_key.created", "api_key.rotated"]),
            )
            .about(TAG, "Replace an API key by a new one with the same facts; the answer holds its token")
            .needs(write)
            .versioned()
            .takes::<RotateBody>()
            .gives::<MadeView>(StatusCode::CREATED),
            rotate,
        )
        .api(
            Operation::delete(ONE, "revokeApiKey", Effect::Records(&["api_key.revoked"]))
                .about(TAG, "Revoke an API key; it stays in the list as revoked")
                .needs(write)
                .gives_nothing(),
            revoke,
        )
}

/// Whom a key belongs to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiKeyOwner")]
struct OwnerView {
    /// `user` or `service_account`.
    kind: &'static str,
    id: String,
    name: String,
}

/// An API key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
struct KeyView {
    id: ApiKeyId,
    name: String,
    owner: OwnerView,
    /// What it may at the most; its owner's role bounds it again at each request.
    scopes: Vec<String>,
    /// The last letters of the token.
    tail: String,
    /// `live`, `expired`, `revoked` or `owner_disabled`.
    state: &'static str,
    created_by: Option<UserId>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<OffsetDateTime>,
    /// To the minute.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    last_used_at: Option<OffsetDateTime>,
    last_used_ip: Option<IpAddr>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    revoked_at: Option<OffsetDateTime>,
    revoked_by: Option<UserId>,
    version: i64,
}

impl From<ApiKeyEntry> for KeyView {
    fn from(entry: ApiKeyEntry) -> Self {
        let (kind, id) = match entry.key.owner {
            KeyOwner::User(user) => ("user", user.to_string()),
            KeyOwner::ServiceAccount(account) => ("service_account", account.to_string()),
        };
        Self {
            id: entry.key.id,
            name: entry.key.name,
            owner: OwnerView { kind, id, name: entry.owner_name },
            scopes: entry.key.scopes.texts(),
            tail: entry.key.tail,
            state: entry.state.as_str(),
            created_by: entry.key.created_by,
            created_at: entry.key.created_at,
            expires_at: entry.key.expires_at,
            last_used_at: entry.key.last_used_at,
            last_used_ip: entry.key.last_used_ip,
            revoked_at: entry.key.revoked_at,
            revoked_by: entry.key.revoked_by,
            version: entry.key.version,
        }
    }
}

impl Versioned for KeyView {
    fn version(&self) -> i64 {
        self.version
    }
}

/// A new API key with its token.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewApiKey")]
struct MadeView {
    #[serde(flatten)]
    key: KeyView,
    /// What the script carries as `Authorization: Bearer …`. It is shown only now.
    token: String,
}

impl From<MadeKey> for MadeView {
    fn from(made: MadeKey) -> Self {
        Self { key: made.entry.into(), token: made.token.expose().clone() }
    }
}

impl Versioned for MadeView {
    fn version(&self) -> i64 {
        self.key.version
    }
}

/// Which keys to list.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ApiKeyStanding")]
enum Standing {
    /// Neither revoked nor expired.
    Live,
    /// Their time is over.
    Expired,
    /// They were revoked.
    Revoked,
}

impl From<Standing> for KeyState {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Live => Self::Live,
            Standing::Expired => Self::Expired,
            Standing::Revoked => Self::Revoked,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct KeyQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only keys of this owner: `me`, a person's id, or a service account's id or slug.
    #[serde(default)]
    #[schemars(length(max = 100))]
    owner: Option<String>,
    /// Only keys of this state.
    #[serde(default)]
    state: Option<Standing>,
}

/// What an API key is to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ApiKeyRequest")]
struct KeyBody {
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// The id or slug of the service account it is for; left out, it belongs to the owner of the key that asks.
    #[serde(default)]
    #[schemars(length(min = 2, max = 40))]
    service_account: Option<String>,
    /// What it may at the most; `["*"]` for everything its owner may.
    #[schemars(length(min = 1, max = 100))]
    scopes: Vec<String>,
    /// When it ends: within 365 days, 90 days when left out.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<OffsetDateTime>,
    /// The same in days from now; only one of the two.
    #[serde(default)]
    #[schemars(range(min = 1, max = 365))]
    expires_in_days: Option<u16>,
}

impl KeyBody {
    fn input(self) -> Result<KeyInput, ActionError> {
        let expiry = match (self.expires_at, self.expires_in_days) {
            (None, None) => Expiry::Default,
            (Some(at), None) => Expiry::At(at),
            (None, Some(days @ 1..=365)) => Expiry::Days(days),
            (None, Some(_)) => return Err(ActionError::field("expires_in_days", "choose 1 to 365 days")),
            (Some(_), Some(_)) => {
                return Err(ActionError::field("expires_in_days", "send this or expires_at, not both"));
            }
        };
        let owner = self.service_account.map_or(OwnerInput::Me, OwnerInput::ServiceAccount);
        Ok(KeyInput { id: None, name: self.name, owner, scopes: ScopesInput::These(self.scopes), expiry })
    }
}

/// Changes to an API key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ApiKeyChange")]
struct KeyChangeBody {
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
}

/// How an API key is rotated.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ApiKeyRotation")]
struct RotateBody {
    /// For how many hours the old key lives on; 0 ends it at once.
    #[serde(default = "a_day")]
    #[schemars(range(min = 0, max = 168))]
    overlap_hours: u16,
}

const fn a_day() -> u16 {
    24
}

async fn list(cx: KeyAsk, Params(query): Params<KeyQuery>) -> ApiResult {
    let filter = KeyListFilter { owner: query.owner, state: query.state.map(Into::into) };
    let page = api_keys::list(&cx, &filter, &query.page.parse()?).await?;
    Ok(json::listed::<ApiKeyEntry, KeyView>(page))
}

async fn create(cx: KeyAsk, Body(body): Body<KeyBody>) -> ApiResult {
    let made = api_keys::create(&cx, &body.input()?).await?;
    Ok(json::one(StatusCode::CREATED, &MadeView::from(made)))
}

async fn read(cx: KeyAsk, Path((_, key)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &KeyView::from(api_keys::find(&cx, &key).await?)))
}

async fn change(
    cx: KeyAsk,
    Path((_, key)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<KeyChangeBody>,
) -> ApiResult {
    let entry = api_keys::rename(&cx, &key, body.name.as_deref(), seen).await?;
    Ok(json::one(StatusCode::OK, &KeyView::from(entry)))
}

async fn rotate(
    cx: KeyAsk,
    Path((_, key)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<RotateBody>,
) -> ApiResult {
    let overlap = Duration::hours(body.overlap_hours.into());
    let made = api_keys::rotate(&cx, &key, None, overlap, seen).await?;
    Ok(json::one(StatusCode::CREATED, &MadeView::from(made)))
}

async fn revoke(cx: KeyAsk, Path((_, key)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    api_keys::revoke(&cx, &key, seen).await?;
    Ok(json::nothing())
}
