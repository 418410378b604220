//! `providers` of the JSON API.

mod views;

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    base::{permission::Permission, secret::Secret},
    domain::connections::{Provider, ProviderForm},
    flow::actions::providers::{self, OfServerInput, ProviderChange, ProviderInput},
    protocol::oauth::document::Facts,
    web::{
        api::providers::views::{PresetView, ProviderView},
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Body, IfMatch, Listed, Params},
            listing::{PageQuery, search},
            openapi::Operation,
            routes::{Effect, Routes},
        },
    },
};

const ALL: &str = "/orgs/{org}/providers";
const ONE: &str = "/orgs/{org}/providers/{provider}";
const TAG: &str = "Providers";

/// The operations.
pub fn routes() -> Routes {
    let read = Permission::ProvidersRead;
    let write = Permission::ProvidersWrite;
    let act = |path, id, records| Operation::post(path, id, Effect::Records(records)).needs(write);
    Routes::default()
        .api(
            Operation::get(ALL, "listProviders")
                .about(TAG, "List OAuth providers by slug")
                .needs(read)
                .query::<ProviderQuery>()
                .gives::<Listed<ProviderView>>(StatusCode::OK),
            list,
        )
        .api(
            act(ALL, "registerProvider", &["provider.created"])
                .about(TAG, "Register an OAuth provider: of a preset, by its issuer, or by its addresses")
                .takes::<ProviderBody>()
                .gives::<ProviderView>(StatusCode::CREATED),
            create,
        )
        .api(
            Operation::get("/orgs/{org}/providers/presets", "listProviderPresets")
                .about(TAG, "List the providers that can be registered by filling in a client")
                .needs(read)
                .query::<PresetQuery>()
                .gives::<Listed<PresetView>>(StatusCode::OK),
            presets,
        )
        .api(
            Operation::get(ONE, "getProvider")
                .about(TAG, "Read an OAuth provider; its secret or key is never shown")
                .needs(read)
                .gives::<ProviderView>(StatusCode::OK),
            one,
        )
        .api(
            Operation::patch(ONE, "changeProvider", Effect::Records(&["provider.changed"]))
                .about(TAG, "Change an OAuth provider; its addresses stay for life")
                .needs(write)
                .takes::<ProviderChangeBody>()
                .gives::<ProviderView>(StatusCode::OK),
            change,
        )
        .api(
            act(
                "/orgs/{org}/providers/{provider}/rotate",
                "rotateProviderSecret",
                &["provider.secret_rotated", "provider.key_rotated"],
            )
            .about(TAG, "Put another secret or key in place of the client's; connections stay")
            .versioned()
            .takes::<SecretBody>()
            .gives::<ProviderView>(StatusCode::OK),
            rotate,
        )
        .api(
            act("/orgs/{org}/providers/{provider}/preset", "takeProviderPreset", &["provider.preset_taken"])
                .about(TAG, "Have a provider go by the present version of its preset; accounts stay connected")
                .versioned()
                .takes::<PresetBody>()
                .gives::<ProviderView>(StatusCode::OK),
            take_preset,
        )
        .api(
            act("/orgs/{org}/providers/{provider}/disable", "disableProvider", &["provider.disabled"])
                .about(TAG, "Let nobody connect through a provider until it is enabled again")
                .versioned()
                .gives::<ProviderView>(StatusCode::OK),
            disable,
        )
        .api(
            act("/orgs/{org}/providers/{provider}/enable", "enableProvider", &["provider.enabled"])
                .about(TAG, "Let people connect through a provider again")
                .versioned()
                .gives::<ProviderView>(StatusCode::OK),
            enable,
        )
        .api(
            act(
                "/orgs/{org}/servers/{server}/provider",
                "registerServerProvider",
                &["provider.created", "server.credentials_changed"],
            )
            .about(TAG, "Find the provider that protects a server, register there, and have calls carry its accounts' tokens")
            .takes::<OfServerBody>()
            .gives::<ProviderView>(StatusCode::CREATED),
            of_server,
        )
        .api(
            act("/orgs/{org}/providers/{provider}/rediscover", "rediscoverProvider", &["provider.moved"])
                .about(TAG, "Ask the server that named a provider whether it takes another one's tokens now")
                .gives::<ProviderView>(StatusCode::OK),
            rediscover,
        )
        .api(
            Operation::delete(ONE, "deleteProvider", Effect::Records(&["provider.deleted"]))
                .about(TAG, "Delete an OAuth provider with its secret")
                .needs(write)
                .gives_nothing(),
            remove,
        )
}

#[derive(Deserialize, JsonSchema)]
struct ProviderQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only providers whose name or slug contains this.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct PresetQuery {
    /// Only presets that all of these words are about.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
}

/// A new OAuth provider: of a `preset`, by its `issuer`, by `authorize_url` and `token_url`, or of a `kind` at which nobody signs in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewProvider")]
struct ProviderBody {
    /// Made from the preset's or the name when left out.
    #[serde(default)]
    #[schemars(length(max = 40))]
    slug: String,
    /// The preset's or the host's when left out.
    #[serde(default)]
    #[schemars(length(max = 100))]
    name: String,
    /// The slug of a preset.
    #[serde(default)]
    #[schemars(length(max = 40))]
    preset: String,
    /// What fills the preset's variables.
    #[serde(default)]
    variables: Facts,
    /// `client_credentials`, with `token_url` and a client that asks for tokens in its own name, or `api_key`, where people make a
    /// key and enter it when they connect. Left out where people sign in.
    #[serde(default)]
    #[schemars(length(max = 40))]
    kind: String,
    /// The one resource that tokens of `client_credentials` are asked for (RFC 8707).
    #[serde(default)]
    #[schemars(length(max = 2000))]
    resource: String,
    /// The same in the word that some providers want.
    #[serde(default)]
    #[schemars(length(max = 2000))]
    audience: String,
    /// The page where people make an `api_key`.
    #[serde(default)]
    #[schemars(length(max = 2000))]
    keys_url: String,
    /// The issuer of a provider that describes itself (OpenID Connect Discovery or RFC 8414).
    #[serde(default)]
    #[schemars(length(max = 2000))]
    issuer: String,
    #[serde(default)]
    #[schemars(length(max = 2000))]
    authorize_url: String,
    #[serde(default)]
    #[schemars(length(max = 2000))]
    token_url: String,
    /// Where a token is ended (RFC 7009).
    #[serde(default)]
    #[schemars(length(max = 2000))]
    revoke_url: String,
    /// Where it says whose account it is.
    #[serde(default)]
    #[schemars(length(max = 2000))]
    userinfo_url: String,
    /// How the client authenticates: `post`, `basic`, `private_key_jwt` or `none`. With `private_key_jwt` a key is made,
    /// and its public half shown at the provider's `jwks_url`.
    #[serde(default)]
    client_auth: String,
    /// Whether PKCE is `sent`, `required` or `off`.
    #[serde(default)]
    pkce: String,
    /// Left out only where there is no client, with `api_key`.
    #[serde(default)]
    #[schemars(length(max = 500))]
    client_id: String,
    /// Left out only for a public client, and for one that signs.
    client_secret: Option<Secret<String>>,
    /// What is asked for; the preset's when left out.
    scopes: Option<Vec<String>>,
    /// What is asked for in the person's own name, where the preset tells the two apart.
    #[serde(default)]
    user_scopes: Vec<String>,
}

/// What is said about the provider of a server; all of it may be left out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServerProvider")]
struct OfServerBody {
    /// Made from the server's when left out.
    #[serde(default)]
    #[schemars(length(max = 40))]
    slug: String,
    /// A client that somebody registered there; left out, Portreeve registers by itself where that is possible.
    #[serde(default)]
    #[schemars(length(max = 500))]
    client_id: String,
    client_secret: Option<Secret<String>>,
    /// `private_key_jwt` for a client that signs with a key; left out, as the authorization server takes it.
    #[serde(default)]
    client_auth: String,
}

/// Changes to an OAuth provider.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ProviderChange")]
struct ProviderChangeBody {
    #[schemars(length(min = 2, max = 40))]
    slug: Option<String>,
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    #[schemars(length(min = 1, max = 500))]
    client_id: Option<String>,
    scopes: Option<Vec<String>>,
    user_scopes: Option<Vec<String>>,
}

/// The version of a preset that a provider is to go by.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TakenPreset")]
struct PresetBody {
    /// The present one, as the provider's `newer_preset` tells it.
    version: i32,
}

/// Another secret of a client.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ProviderSecret")]
struct SecretBody {
    /// The new one; left out for a client that signs, for which another key is made.
    client_secret: Option<Secret<String>>,
}

impl From<ProviderBody> for ProviderForm {
    fn from(body: ProviderBody) -> Self {
        Self {
            slug: body.slug,
            name: body.name,
            preset: body.preset,
            variables: body.variables,
            kind: body.kind,
            resource: body.resource,
            audience: body.audience,
            keys_url: body.keys_url,
            issuer: body.issuer,
            authorize_url: body.authorize_url,
            token_url: body.token_url,
            revoke_url: body.revoke_url,
            userinfo_url: body.userinfo_url,
            client_auth: body.client_auth,
            pkce: body.pkce,
            client_id: body.client_id,
            client_secret: body.client_secret,
            scopes: body.scopes,
            user_scopes: body.user_scopes,
        }
    }
}

async fn list(cx: KeyAsk, Params(query): Params<ProviderQuery>) -> ApiResult {
    let page = providers::list(&cx, search(query.q)?.as_deref(), &query.page.parse()?).await?;
    let items = page.items.into_iter().map(|provider| ProviderView::of(&cx, provider)).collect();
    Ok(json::plain(StatusCode::OK, &Listed { items, next_cursor: page.next }))
}

async fn presets(cx: KeyAsk, Params(query): Params<PresetQuery>) -> ApiResult {
    let found = providers::choices(&cx, search(query.q)?.as_deref())?;
    let items = found.into_iter().map(PresetView::from).collect();
    Ok(json::plain(StatusCode::OK, &Listed { items, next_cursor: None }))
}

async fn create(cx: KeyAsk, Body(body): Body<ProviderBody>) -> ApiResult {
    let input = ProviderInput { id: None, form: body.into() };
    let provider = providers::register(&cx, &input).await?;
    Ok(json::one(StatusCode::CREATED, &ProviderView::of(&cx, provider)))
}

async fn of_server(
    cx: KeyAsk,
    Path((_, server)): Path<(String, String)>,
    Body(body): Body<OfServerBody>,
) -> ApiResult {
    let input = OfServerInput {
        id: None,
        slug: body.slug,
        client_id: body.client_id,
        client_secret: body.client_secret,
        client_auth: body.client_auth,
    };
    let (_, provider) = providers::register_for_server(&cx, &server, &input).await?;
    Ok(json::one(StatusCode::CREATED, &ProviderView::of(&cx, provider)))
}

async fn rediscover(cx: KeyAsk, Path((_, provider)): Path<(String, String)>) -> ApiResult {
    let (provider, _) = providers::rediscover(&cx, &provider).await?;
    Ok(shown(&cx, provider))
}

async fn one(cx: KeyAsk, Path((_, provider)): Path<(String, String)>) -> ApiResult {
    Ok(shown(&cx, providers::find(&cx, &provider).await?))
}

async fn change(
    cx: KeyAsk,
    Path((_, provider)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<ProviderChangeBody>,
) -> ApiResult {
    let change = ProviderChange {
        slug: body.slug,
        name: body.name,
        client_id: body.client_id,
        scopes: body.scopes,
        user_scopes: body.user_scopes,
    };
    Ok(shown(&cx, providers::update(&cx, &provider, change, seen).await?))
}

async fn rotate(
    cx: KeyAsk,
    Path((_, provider)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<SecretBody>,
) -> ApiResult {
    let secret = body.client_secret.unwrap_or_default();
    Ok(shown(&cx, providers::rotate(&cx, &provider, &secret, seen).await?))
}

async fn take_preset(
    cx: KeyAsk,
    Path((_, provider)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<PresetBody>,
) -> ApiResult {
    Ok(shown(&cx, providers::take_preset(&cx, &provider, Some(body.version), seen).await?))
}

async fn disable(
    cx: KeyAsk,
    Path((_, provider)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
) -> ApiResult {
    Ok(shown(&cx, providers::disable(&cx, &provider, seen).await?))
}

async fn enable(
    cx: KeyAsk,
    Path((_, provider)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
) -> ApiResult {
    Ok(shown(&cx, providers::enable(&cx, &provider, seen).await?))
}

async fn remove(
    cx: KeyAsk,
    Path((_, provider)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
) -> ApiResult {
    providers::delete(&cx, &provider, seen).await?;
    Ok(json::nothing())
}

fn shown(cx: &KeyAsk, provider: Provider) -> axum::response::Response {
    json::one(StatusCode::OK, &ProviderView::of(cx, provider))
}
