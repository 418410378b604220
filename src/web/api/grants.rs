//! `grants` of the JSON API.

mod tokens;
mod views;

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;

use crate::{
    base::{permission::Permission, risk::Class},
    domain::grants::GrantState,
    flow::actions::grants::{
        self, GrantFound, GrantInput, GrantListFilter, GrantPatch, PrincipalInput, ServersInput,
    },
    web::{
        api::grants::views::{GrantView, State},
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Body, IfMatch, Listed, MaybeBody, Params},
            listing::{PageQuery, search},
            openapi::Operation,
            routes::{Effect, Routes},
        },
    },
};

const ALL: &str = "/orgs/{org}/grants";
const ONE: &str = "/orgs/{org}/grants/{grant}";
const TAG: &str = "Grants";

/// The operations.
pub fn routes() -> Routes {
    let write = Permission::GrantsWrite;
    let step = |path, id, effect, about| {
        Operation::post(path, id, effect)
            .about(TAG, about)
            .needs(write)
            .versioned()
            .may_take::<StopBody>()
            .gives::<GrantView>(StatusCode::OK)
    };
    Routes::default()
        .api(
            Operation::get(ALL, "listGrants")
                .about(TAG, "List grants, the newest first")
                .needs(Permission::GrantsRead)
                .query::<GrantQuery>()
                .gives::<Listed<GrantView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(ALL, "createGrant", Effect::Records(&["grant.created"]))
                .about(TAG, "Create a grant; give it a token next")
                .needs(write)
                .takes::<GrantBody>()
                .gives::<GrantView>(StatusCode::CREATED),
            create,
        )
        .api(
            Operation::get(ONE, "getGrant")
                .about(TAG, "Read a grant")
                .needs(Permission::GrantsRead)
                .gives::<GrantView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::patch(ONE, "changeGrant", Effect::Records(&["grant.changed"]))
                .about(TAG, "Change what a grant may do; in whose name it acts stays")
                .needs(write)
                .takes::<GrantChangeBody>()
                .gives::<GrantView>(StatusCode::OK),
            change,
        )
        .api(
            step(
                "/orgs/{org}/grants/{grant}/suspend",
                "suspendGrant",
                Effect::Records(&["grant.suspended"]),
                "Refuse the tokens of a grant until it is resumed",
            ),
            suspend,
        )
        .api(
            Operation::post(
                "/orgs/{org}/grants/{grant}/resume",
                "resumeGrant",
                Effect::Records(&["grant.resumed"]),
            )
            .about(TAG, "Put a suspended grant in force again")
            .needs(write)
            .versioned()
            .gives::<GrantView>(StatusCode::OK),
            resume,
        )
        .api(
            step(
                "/orgs/{org}/grants/{grant}/revoke",
                "revokeGrant",
                Effect::Records(&["grant.revoked"]),
                "End a grant with all its tokens, for good",
            ),
            revoke,
        )
        .and(tokens::routes())
}

#[derive(Deserialize, JsonSchema)]
struct GrantQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only grants of this one: `me`, or the id of a person, a team or a service account.
    #[serde(default)]
    #[schemars(length(max = 100))]
    principal: Option<String>,
    /// Only grants that reach this server, by id or slug.
    #[serde(default)]
    #[schemars(length(max = 100))]
    server: Option<String>,
    /// Only grants in this state.
    #[serde(default)]
    state: Option<State>,
    /// Only grants whose label, or whose principal's name, contains this.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
}

/// In whose name the agent acts; exactly one of the three.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PrincipalName")]
enum PrincipalBody {
    /// A member's id or e-mail address.
    User(#[schemars(length(min = 1, max = 254))] String),
    /// A team's id or slug.
    Team(#[schemars(length(min = 1, max = 100))] String),
    /// A service account's id or slug.
    ServiceAccount(#[schemars(length(min = 1, max = 100))] String),
}

impl From<PrincipalBody> for PrincipalInput {
    fn from(body: PrincipalBody) -> Self {
        match body {
            PrincipalBody::User(name) => Self::User(name),
            PrincipalBody::Team(name) => Self::Team(name),
            PrincipalBody::ServiceAccount(name) => Self::ServiceAccount(name),
        }
    }
}

/// The word for all servers.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum All {
    All,
}

/// On which servers: `"all"`, or a list of slugs or ids.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "send \"all\" or a list of slugs or ids of servers")]
#[schemars(rename = "GrantServers")]
enum ServersBody {
    /// Every server, also one that is added later.
    All(All),
    /// These.
    Some(#[schemars(length(min = 1, max = 1000), inner(length(min = 1, max = 100)))] Vec<String>),
}

impl From<ServersBody> for ServersInput {
    fn from(body: ServersBody) -> Self {
        match body {
            ServersBody::All(All::All) => Self::All,
            ServersBody::Some(names) => Self::Some(names),
        }
    }
}

/// From where and with which software a grant may be used; an empty list binds to nothing.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GrantBindings")]
struct BindingsBody {
    /// Networks such as `192.0.2.0/24`.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(max = 60)))]
    cidrs: Vec<String>,
    /// Names that clients declare; compared without regard to case.
    #[serde(default)]
    #[schemars(length(max = 20), inner(length(max = 100)))]
    clients: Vec<String>,
}

/// A new grant.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewGrant")]
struct GrantBody {
    #[schemars(length(min = 1, max = 100))]
    label: String,
    principal: PrincipalBody,
    servers: ServersBody,
    /// Its policy, by slug or id; without one, what the layers above allow, and nothing where there is none.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    policy: Option<String>,
    /// The strongest class of tools that may be called.
    class_ceiling: Class,
    /// When it ends; never, when left out or null.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<OffsetDateTime>,
    #[serde(default)]
    bindings: BindingsBody,
}

impl GrantBody {
    fn input(self) -> GrantInput {
        GrantInput {
            id: None,
            label: self.label,
            principal: self.principal.into(),
            servers: self.servers.into(),
            class_ceiling: self.class_ceiling.to_string(),
            policy: self.policy,
            expires_at: self.expires_at,
            cidrs: self.bindings.cidrs,
            clients: self.bindings.clients,
        }
    }
}

/// Changes to a grant; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GrantChange")]
struct GrantChangeBody {
    #[schemars(length(min = 1, max = 100))]
    label: Option<String>,
    servers: Option<ServersBody>,
    /// Its policy, by slug or id; null for none of its own.
    #[serde(default, deserialize_with = "json::maybe_null")]
    #[schemars(with = "Option<String>", length(min = 1, max = 100))]
    policy: Option<Option<String>>,
    class_ceiling: Option<Class>,
    /// When it ends; null for never.
    #[serde(default, deserialize_with = "maybe_moment")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<Option<OffsetDateTime>>,
    /// In place of the ones it has, both lists.
    bindings: Option<BindingsBody>,
}

/// A moment that was given, even where it is null.
fn maybe_moment<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<OffsetDateTime>>, D::Error> {
    time::serde::rfc3339::option::deserialize(value).map(Some)
}

impl GrantChangeBody {
    fn patch(self) -> GrantPatch {
        let (cidrs, clients) = self.bindings.map(|bindings| (bindings.cidrs, bindings.clients)).unzip();
        GrantPatch {
            label: self.label,
            servers: self.servers.map(Into::into),
            class_ceiling: self.class_ceiling.map(|class| class.to_string()),
            policy: self.policy,
            expires_at: self.expires_at,
            cidrs,
            clients,
        }
    }
}

/// Why a grant is suspended or revoked.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GrantStop")]
struct StopBody {
    /// For the person whose agent stops, and for the record.
    #[serde(default)]
    #[schemars(length(max = 500))]
    reason: String,
}

async fn list(cx: KeyAsk, Params(query): Params<GrantQuery>) -> ApiResult {
    let filter = GrantListFilter {
        principal: query.principal,
        server: query.server,
        state: query.state.map(GrantState::from),
        q: search(query.q)?,
    };
    let page = grants::list(&cx, &filter, &query.page.parse()?).await?;
    Ok(json::listed::<GrantFound, GrantView>(page))
}

async fn create(cx: KeyAsk, Body(body): Body<GrantBody>) -> ApiResult {
    let found = grants::create(&cx, &body.input()).await?;
    Ok(json::one(StatusCode::CREATED, &GrantView::from(found)))
}

async fn read(cx: KeyAsk, Path((_, grant)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &GrantView::from(grants::find(&cx, &grant).await?)))
}

async fn change(
    cx: KeyAsk,
    Path((_, grant)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<GrantChangeBody>,
) -> ApiResult {
    let found = grants::update(&cx, &grant, body.patch(), seen).await?;
    Ok(json::one(StatusCode::OK, &GrantView::from(found)))
}

async fn suspend(
    cx: KeyAsk,
    Path((_, grant)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    MaybeBody(body): MaybeBody<StopBody>,
) -> ApiResult {
    let found = grants::suspend(&cx, &grant, &body.reason, seen).await?;
    Ok(json::one(StatusCode::OK, &GrantView::from(found)))
}

async fn resume(cx: KeyAsk, Path((_, grant)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    Ok(json::one(StatusCode::OK, &GrantView::from(grants::resume(&cx, &grant, seen).await?)))
}

async fn revoke(
    cx: KeyAsk,
    Path((_, grant)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    MaybeBody(body): MaybeBody<StopBody>,
) -> ApiResult {
    let found = grants::revoke(&cx, &grant, &body.reason, seen).await?;
    Ok(json::one(StatusCode::OK, &GrantView::from(found)))
}
