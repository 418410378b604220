//! What requests to a server carry: written, never read.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    base::{ids::CredentialId, permission::Permission, secret::Secret},
    domain::{
        secrets::Scope,
        servers::{Credential, Server},
    },
    flow::actions::servers::{
        self, CredentialFate, CredentialInput, CredentialsPreview, ForeseenNeed, Wanted,
    },
    web::{
        api::servers::TAG,
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Body, IfMatch, Versioned},
            openapi::Operation,
            routes::{Effect, Routes},
        },
    },
};

const ALL: &str = "/orgs/{org}/servers/{server}/credentials";

pub(super) fn routes() -> Routes {
    Routes::default()
        .api(
            Operation::get(ALL, "listServerCredentials")
                .about(TAG, "List what requests to a server carry; values are never shown")
                .needs(Permission::ServersRead)
                .gives::<CredentialsView>(StatusCode::OK),
            list,
        )
        .api(
            Operation::put(ALL, "replaceServerCredentials", Effect::Records(&["server.credentials_changed"]))
                .about(TAG, "Replace what requests to a server carry; without a value, the stored one stays")
                .needs(Permission::ServersWrite)
                .takes::<Vec<CredentialBody>>()
                .gives::<CredentialsView>(StatusCode::OK),
            replace,
        )
        .api(
            Operation::post(
                "/orgs/{org}/servers/{server}/credentials/preview",
                "previewServerCredentials",
                Effect::Unrecorded("nothing is changed and no server is asked"),
            )
            .about(TAG, "Say what other credentials would change, and who would lack what; nothing is stored")
            .needs(Permission::ServersWrite)
            .versioned()
            .takes::<Vec<CredentialBody>>()
            .gives::<PreviewView>(StatusCode::OK),
            preview,
        )
}

/// One header or query parameter that requests carry.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewServerCredential")]
pub(super) struct CredentialBody {
    /// `header` or `query`.
    target: String,
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// `static`, `oauth`, `org_secret`, `team_secret` or `user_secret`; `static` when left out.
    #[serde(default)]
    source: String,
    /// The secret's name, where the value is that of one: of the organization, of the first team by slug of whoever calls
    /// that has one, or of the person who calls.
    #[serde(default)]
    #[schemars(length(max = 100))]
    secret: String,
    /// The provider, by slug or id, where the value is the token of an account there: of whoever the agent acts for.
    #[serde(default)]
    #[schemars(length(max = 100))]
    provider: String,
    /// The text around the value, such as `Bearer {value}`; only the value when left out.
    #[serde(default)]
    #[schemars(length(max = 500))]
    template: String,
    /// The value of a static one; left out, the one stored under this name stays.
    value: Option<Secret<String>>,
}

impl From<CredentialBody> for CredentialInput {
    fn from(body: CredentialBody) -> Self {
        Self {
            target: body.target,
            name: body.name,
            source: body.source,
            secret: body.secret,
            provider: body.provider,
            template: body.template,
            value: body.value,
        }
    }
}

/// One header or query parameter that requests carry.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerCredential")]
struct CredentialView {
    id: CredentialId,
    target: &'static str,
    name: String,
    source: &'static str,
    /// The short name of the provider, for a connected account.
    provider: Option<String>,
    secret: Option<String>,
    template: String,
    /// Whether a value is stored here; it is never shown.
    has_value: bool,
}

impl From<Credential> for CredentialView {
    fn from(credential: Credential) -> Self {
        Self {
            id: credential.id,
            target: credential.target.as_str(),
            name: credential.name,
            source: credential.source.as_str(),
            provider: credential.provider.map(|provider| provider.slug),
            secret: credential.secret,
            template: credential.template,
            has_value: credential.value.is_some(),
        }
    }
}

/// Everything that requests to a server carry, in order.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerCredentials")]
struct CredentialsView {
    items: Vec<CredentialView>,
    /// Always null: a server has at most 20 of them.
    next_cursor: Option<String>,
    /// The server's version.
    version: i64,
}

impl From<(Server, Vec<Credential>)> for CredentialsView {
    fn from((server, credentials): (Server, Vec<Credential>)) -> Self {
        let items = credentials.into_iter().map(CredentialView::from).collect();
        Self { items, next_cursor: None, version: server.version }
    }
}

impl Versioned for CredentialsView {
    fn version(&self) -> i64 {
        self.version
    }
}

/// What would become of a header or query parameter.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerCredentialChange")]
struct FateView {
    target: &'static str,
    name: String,
    /// `added`, `changed`, `kept` or `removed`.
    change: &'static str,
}

impl From<(&Credential, CredentialFate)> for FateView {
    fn from((credential, fate): (&Credential, CredentialFate)) -> Self {
        Self { target: credential.target.as_str(), name: credential.name.clone(), change: fate.as_str() }
    }
}

/// A secret or an account that requests would ask for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerCredentialNeed")]
struct NeedView {
    /// The secret's name, or that of the provider where the account is.
    name: String,
    /// `org_secret`, `team_secret`, `user_secret` or `account`.
    kind: &'static str,
    /// The provider's short name, for an account.
    provider: Option<String>,
    /// Whether requests do not ask for it yet.
    new: bool,
    /// Whether there is one for the key's owner.
    met: bool,
    /// How many members have none; a secret of the organization is there for all or for none, and none is counted.
    lacking: i64,
    /// The first of them by name; empty without `members:read`.
    first: Vec<String>,
}

impl From<ForeseenNeed> for NeedView {
    fn from(ForeseenNeed { need, is_new }: ForeseenNeed) -> Self {
        let (kind, provider) = match need.what {
            Wanted::Secret(Scope::Org) => ("org_secret", None),
            Wanted::Secret(Scope::Team) => ("team_secret", None),
            Wanted::Secret(Scope::User) => ("user_secret", None),
            Wanted::Account { provider, .. } => ("account", Some(provider)),
        };
        Self {
            name: need.name,
            kind,
            provider,
            new: is_new,
            met: need.is_met,
            lacking: need.lacking.count,
            first: need.lacking.first,
        }
    }
}

/// What other credentials would bring.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerCredentialsPreview")]
struct PreviewView {
    /// Each credential that would be carried, in order, then those that would go.
    changes: Vec<FateView>,
    /// What requests would ask for, and who lacks it; agents of teams and service accounts are not counted.
    needs: Vec<NeedView>,
    /// The server's version, which stays.
    version: i64,
}

impl From<CredentialsPreview> for PreviewView {
    fn from(preview: CredentialsPreview) -> Self {
        Self {
            changes: preview.fates().into_iter().map(FateView::from).collect(),
            needs: preview.needs.into_iter().map(NeedView::from).collect(),
            version: preview.server.version,
        }
    }
}

async fn list(cx: KeyAsk, Path((_, server)): Path<(String, String)>) -> ApiResult {
    let found = servers::credentials_of(&cx, &server).await?;
    Ok(json::one(StatusCode::OK, &CredentialsView::from(found)))
}

async fn replace(
    cx: KeyAsk,
    Path((_, server)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<Vec<CredentialBody>>,
) -> ApiResult {
    let inputs: Vec<CredentialInput> = body.into_iter().map(CredentialInput::from).collect();
    let found = servers::replace_credentials(&cx, &server, &inputs, seen).await?;
    Ok(json::one(StatusCode::OK, &CredentialsView::from(found)))
}

async fn preview(
    cx: KeyAsk,
    Path((_, server)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<Vec<CredentialBody>>,
) -> ApiResult {
    let inputs: Vec<CredentialInput> = body.into_iter().map(CredentialInput::from).collect();
    let found = servers::preview_credentials(&cx, &server, &inputs, seen).await?;
    Ok(json::plain(StatusCode::OK, &PreviewView::from(found)))
}
