//! `secrets` of the JSON API: named values that servers are sent, written and never read.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        ids::{SecretId, TeamId},
        permission::Permission,
        secret::Secret,
    },
    domain::secrets::{Scope, SecretFilter, StoredSecret},
    flow::actions::secrets::{self, Confirmed, SecretChange, SecretInput, Whose},
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Body, IfMatch, Listed, Params, Versioned},
        listing::{PageQuery, search},
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

const ALL: &str = "/orgs/{org}/secrets";
const ONE: &str = "/orgs/{org}/secrets/{secret_id}";
const ROTATE: &str = "/orgs/{org}/secrets/{secret_id}/rotate";
const TAG: &str = "Secrets";

/// The operations.
pub fn routes() -> Routes {
    // Each needs one of two scopes, by whose secret it is; the document names the one that a person's own asks for.
    let own = Permission::SecretsOwn;
    Routes::default()
        .api(
            Operation::get(ALL, "listSecrets")
                .about(TAG, "List secrets by name: your own, and with secrets:read those of the organization and its teams")
                .needs(own)
                .query::<SecretQuery>()
                .gives::<Listed<SecretView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(ALL, "createSecret", Effect::Records(&["secret.created"]))
                .about(TAG, "Add a secret; one that is not your own needs secrets:write")
                .needs(own)
                .takes::<SecretBody>()
                .gives::<SecretView>(StatusCode::CREATED),
            create,
        )
        .api(
            Operation::get(ONE, "getSecret")
                .about(TAG, "Read what is known of a secret; its value is never shown")
                .needs(own)
                .gives::<SecretView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::patch(ONE, "changeSecret", Effect::Records(&["secret.changed"]))
                .about(TAG, "Change a secret's name and description; fields left out stay")
                .needs(own)
                .takes::<SecretChangeBody>()
                .gives::<SecretView>(StatusCode::OK),
            change,
        )
        .api(
            Operation::post(ROTATE, "rotateSecret", Effect::Records(&["secret.rotated"]))
                .about(TAG, "Give a secret a new value; the next call carries it, and the old one is gone")
                .needs(own)
                .takes::<RotateBody>()
                .gives::<SecretView>(StatusCode::OK),
            rotate,
        )
        .api(
            Operation::delete(ONE, "deleteSecret", Effect::Records(&["secret.deleted"]))
                .about(TAG, "Destroy a secret; one that servers ask for only with confirm=true")
                .needs(own)
                .query::<DeleteQuery>()
                .gives_nothing(),
            remove,
        )
}

/// Whose a secret is.
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum ScopeView {
    /// The organization's.
    Org,
    /// A team's.
    Team,
    /// A person's own.
    User,
}

impl From<ScopeView> for Scope {
    fn from(view: ScopeView) -> Self {
        match view {
            ScopeView::Org => Self::Org,
            ScopeView::Team => Self::Team,
            ScopeView::User => Self::User,
        }
    }
}

impl From<Scope> for ScopeView {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Org => Self::Org,
            Scope::Team => Self::Team,
            Scope::User => Self::User,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct SecretQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only secrets of this scope.
    #[serde(default)]
    scope: Option<ScopeView>,
    /// Only secrets of this team, by slug or id.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    team: Option<String>,
    /// Only secrets whose name contains this.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct DeleteQuery {
    /// That you know that servers ask for it, and that calls which need it will be refused.
    #[serde(default)]
    confirm: bool,
}

/// A new secret.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewSecret")]
struct SecretBody {
    scope: ScopeView,
    /// The team, by slug or id, where the scope is `team`.
    #[serde(default)]
    #[schemars(length(max = 100))]
    team: String,
    /// What credential maps call it.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    #[serde(default)]
    #[schemars(length(max = 500))]
    description: String,
    /// After how many days it should get a new value; then it is `overdue`.
    #[serde(default)]
    #[schemars(range(min = 1, max = 3650))]
    rotate_after_days: Option<i32>,
    /// Printable characters of ASCII, at most 8000 of them.
    value: Secret<String>,
}

/// Changes to a secret.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretChange")]
struct SecretChangeBody {
    /// One that servers ask for keeps its name.
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    #[schemars(length(max = 500))]
    description: Option<String>,
    /// After how many days it should get a new value; null for no such time.
    #[serde(default, deserialize_with = "json::maybe_null")]
    #[schemars(with = "Option<i32>", range(min = 1, max = 3650))]
    rotate_after_days: Option<Option<i32>>,
}

/// A new value.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretValue")]
struct RotateBody {
    /// Printable characters of ASCII, at most 8000 of them.
    #[serde(default)]
    #[schemars(required)]
    value: Secret<String>,
}

/// A secret, without its value.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Secret")]
struct SecretView {
    id: SecretId,
    scope: ScopeView,
    /// The team's slug, where it is a team's.
    team: Option<String>,
    team_id: Option<TeamId>,
    name: String,
    description: String,
    rotate_after_days: Option<i32>,
    /// Whether the present value is older than it should get.
    overdue: bool,
    /// Whether no server asks for it, or none was sent it for 90 days.
    unused: bool,
    /// The slugs of the servers that ask for a secret of this scope and name.
    used_by: Vec<String>,
    /// When a call last carried it, to a few minutes.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    last_used_at: Option<OffsetDateTime>,
    /// When the present value came.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    rotated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: OffsetDateTime,
    version: i64,
}

impl SecretView {
    fn of(secret: StoredSecret, now: OffsetDateTime) -> Self {
        Self {
            id: secret.id,
            scope: secret.owner.scope().into(),
            team_id: secret.owner.team(),
            overdue: secret.is_overdue(now),
            unused: secret.is_unused(now),
            team: secret.team.map(|team| team.slug),
            name: secret.name,
            description: secret.description,
            rotate_after_days: secret.rotate_after_days,
            used_by: secret.used_by,
            last_used_at: secret.last_used_at,
            rotated_at: secret.rotated_at,
            created_at: secret.created_at,
            updated_at: secret.updated_at,
            version: secret.version,
        }
    }
}

impl Versioned for SecretView {
    fn version(&self) -> i64 {
        self.version
    }
}

async fn list(cx: KeyAsk, Params(query): Params<SecretQuery>) -> ApiResult {
    let filter = SecretFilter { q: search(query.q)?, scope: query.scope.map(Scope::from), team: None };
    let page = query.page.parse()?;
    let found = secrets::list(&cx, Whose::All, &filter, query.team.as_deref(), &page).await?;
    let now = cx.now();
    Ok(json::plain(StatusCode::OK, &Listed::from(found.map(|secret| SecretView::of(secret, now)))))
}

async fn create(cx: KeyAsk, Body(body): Body<SecretBody>) -> ApiResult {
    let input = SecretInput {
        scope: Scope::from(body.scope).as_str().to_owned(),
        team: body.team,
        name: body.name,
        description: body.description,
        rotate_after_days: body.rotate_after_days,
        value: body.value,
    };
    let secret = secrets::create(&cx, Whose::All, &input).await?;
    Ok(json::one(StatusCode::CREATED, &SecretView::of(secret, cx.now())))
}

async fn read(cx: KeyAsk, Path((_, id)): Path<(String, String)>) -> ApiResult {
    let sheet = secrets::find(&cx, Whose::All, &id).await?;
    Ok(json::one(StatusCode::OK, &SecretView::of(sheet.secret, cx.now())))
}

async fn change(
    cx: KeyAsk,
    Path((_, id)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<SecretChangeBody>,
) -> ApiResult {
    let change = SecretChange {
        name: body.name,
        description: body.description,
        rotate_after_days: body.rotate_after_days,
    };
    let secret = secrets::update(&cx, Whose::All, &id, change, seen).await?;
    Ok(json::one(StatusCode::OK, &SecretView::of(secret, cx.now())))
}

async fn rotate(
    cx: KeyAsk,
    Path((_, id)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<RotateBody>,
) -> ApiResult {
    let secret = secrets::rotate(&cx, Whose::All, &id, &body.value, seen).await?;
    Ok(json::one(StatusCode::OK, &SecretView::of(secret, cx.now())))
}

async fn remove(
    cx: KeyAsk,
    Path((_, id)): Path<(String, String)>,
    Params(query): Params<DeleteQuery>,
    IfMatch(seen): IfMatch,
) -> ApiResult {
    let confirmed = if query.confirm { Confirmed::Yes } else { Confirmed::No };
    secrets::delete(&cx, Whose::All, &id, confirmed, seen).await?;
    Ok(json::nothing())
}
