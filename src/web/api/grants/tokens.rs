//! Tokens of a grant, over the API.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        ids::{GrantId, GrantTokenId, UserId},
        permission::Permission,
    },
    domain::grants::{GrantToken, Overlap, TokenExpiry, TokenState},
    flow::{
        actions::grants::tokens::{self, MadeToken, TokenInput},
        fault::ActionError,
    },
    web::{
        api::grants::{TAG, views::LastUseView},
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Body, Listed, MaybeBody, Params},
            listing::PageQuery,
            openapi::Operation,
            routes::{Effect, Routes},
        },
    },
};

const ALL: &str = "/orgs/{org}/grants/{grant}/tokens";
const ONE: &str = "/orgs/{org}/grants/{grant}/tokens/{grant_token}";

pub(super) fn routes() -> Routes {
    let write = Permission::GrantsWrite;
    let rotated = Effect::Records(&["grant_token.created", "grant_token.rotated"]);
    Routes::default()
        .api(
            Operation::get(ALL, "listGrantTokens")
                .about(TAG, "List the tokens of a grant, the newest first")
                .needs(Permission::GrantsRead)
                .query::<PageQuery>()
                .gives::<Listed<TokenView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(ALL, "createGrantToken", Effect::Records(&["grant_token.created"]))
                .about(TAG, "Make a token; the answer holds its text, which is shown only now")
                .needs(write)
                .takes::<TokenBody>()
                .gives::<MadeView>(StatusCode::CREATED),
            create,
        )
        .api(
            Operation::post(
                "/orgs/{org}/grants/{grant}/tokens/{grant_token}/rotate",
                "rotateGrantToken",
                rotated,
            )
            .about(TAG, "Replace a token by a new one; the old one ends after an overlap")
            .needs(write)
            .may_take::<RotateBody>()
            .gives::<MadeView>(StatusCode::CREATED),
            rotate,
        )
        .api(
            Operation::delete(ONE, "revokeGrantToken", Effect::Records(&["grant_token.revoked"]))
                .about(TAG, "Revoke a token at once; it stays in the list as revoked")
                .needs(write)
                .unversioned()
                .gives_nothing(),
            revoke,
        )
}

/// A token of a grant, without its text.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GrantToken")]
struct TokenView {
    id: GrantTokenId,
    grant: GrantId,
    label: String,
    /// The last letters of its text.
    tail: String,
    /// `live`, `expired` or `revoked`; whether its grant is in force is the grant's to say.
    state: &'static str,
    created_by: Option<UserId>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    revoked_at: Option<OffsetDateTime>,
    revoked_by: Option<UserId>,
    last_use: Option<LastUseView>,
}

impl TokenView {
    fn of(token: GrantToken, state: TokenState) -> Self {
        Self {
            id: token.id,
            grant: token.grant,
            label: token.label,
            tail: token.tail,
            state: state.as_str(),
            created_by: token.created_by,
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            revoked_by: token.revoked_by,
            last_use: token.last_use.map(Into::into),
        }
    }
}

/// A token that was just made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewGrantToken")]
struct MadeView {
    #[serde(flatten)]
    view: TokenView,
    /// What the agent carries as `Authorization: Bearer …`. It is shown only now.
    token: String,
}

impl From<MadeToken> for MadeView {
    fn from(made: MadeToken) -> Self {
        Self { view: TokenView::of(made.token, TokenState::Live), token: made.text.expose().clone() }
    }
}

/// What a token is to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GrantTokenRequest")]
struct TokenBody {
    #[serde(default)]
    #[schemars(length(min = 1, max = 100), required)]
    label: String,
    /// When it ends: within 365 days and not after its grant; 90 days, or with its grant, when left out.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<OffsetDateTime>,
}

/// How a token is replaced.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GrantTokenRotation")]
struct RotateBody {
    /// For how many minutes the old token lives on, at most 7 days; a day when left out, and 0 ends it at once.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_080))]
    overlap_minutes: Option<i64>,
}

async fn list(
    cx: KeyAsk,
    Path((_, grant)): Path<(String, String)>,
    Params(query): Params<PageQuery>,
) -> ApiResult {
    let now = cx.now();
    let page = tokens::list(&cx, &grant, &query.parse()?).await?;
    let view = |token: GrantToken| {
        let state = token.state(now);
        TokenView::of(token, state)
    };
    Ok(json::plain(StatusCode::OK, &Listed::from(page.map(view))))
}

async fn create(
    cx: KeyAsk,
    Path((_, grant)): Path<(String, String)>,
    Body(body): Body<TokenBody>,
) -> ApiResult {
    let expiry = body.expires_at.map_or(TokenExpiry::Default, TokenExpiry::At);
    let made = tokens::mint(&cx, &grant, &TokenInput { id: None, label: body.label, expiry }).await?;
    Ok(json::plain(StatusCode::CREATED, &MadeView::from(made)))
}

async fn rotate(
    cx: KeyAsk,
    Path((_, grant, token)): Path<(String, String, String)>,
    MaybeBody(body): MaybeBody<RotateBody>,
) -> ApiResult {
    let overlap = match body.overlap_minutes {
        None => Overlap::default(),
        Some(minutes) => Overlap::minutes(minutes)
            .map_err(|bad| ActionError::field("overlap_minutes", format!("{bad}")))?,
    };
    let made = tokens::rotate(&cx, &grant, &token, None, overlap).await?;
    Ok(json::plain(StatusCode::CREATED, &MadeView::from(made)))
}

async fn revoke(cx: KeyAsk, Path((_, grant, token)): Path<(String, String, String)>) -> ApiResult {
    tokens::revoke(&cx, &grant, &token).await?;
    Ok(json::nothing())
}
