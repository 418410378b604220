//! `usage` of the JSON API: what is used of limits.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::permission::Permission,
    flow::{
        actions::usage::{self, UsageFound, UsageInput},
        fault::ActionError,
    },
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Listed, Params},
        listing::PageQuery,
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

/// The operations.
pub fn routes() -> Routes {
    Routes::default()
        .api(
            Operation::get("/orgs/{org}/usage", "listUsage")
                .about("Usage", "List what is used of limits whose span is not over, by counter")
                .needs(Permission::PoliciesRead)
                .query::<UsageQuery>()
                .gives::<Listed<UsageView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(
                "/orgs/{org}/usage/{count}/reset",
                "resetUsage",
                Effect::Records(&["limit.reset"]),
            )
            .about("Usage", "Forget what was counted; the next call finds all the room there is")
            .needs(Permission::PoliciesWrite)
            .gives_nothing(),
            reset,
        )
}

#[derive(Deserialize, JsonSchema)]
struct UsageQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only counts of this policy, by slug or id.
    #[serde(default)]
    #[schemars(length(max = 100))]
    policy: Option<String>,
    /// Only counts of this grant, person, team or server, by id, or of this client, by name.
    #[serde(default)]
    #[schemars(length(max = 200))]
    of: Option<String>,
}

/// What is used of one count.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Usage")]
struct UsageView {
    /// What a reset names.
    key: String,
    /// The slug of the policy.
    policy: String,
    counter: String,
    /// Whose count it is: `grant`, `user`, `team`, `client`, `server` or `org`.
    scope: String,
    /// Which of them.
    of: String,
    /// `minute`, `hour`, `day`, `month`, or seconds such as `90s`.
    window: String,
    /// How much is used, as a decimal.
    used: String,
    /// How much is allowed, as the latest call had it.
    max: String,
    /// When all that is counted is over.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    ends_at: OffsetDateTime,
}

impl From<UsageFound> for UsageView {
    fn from(found: UsageFound) -> Self {
        let UsageFound { usage, policy } = found;
        Self {
            key: usage::key_text(&usage.key),
            policy,
            counter: usage.counter,
            scope: usage.scope,
            of: usage.scope_id,
            window: usage.span,
            used: usage.used,
            max: usage.most,
            ends_at: usage.ends_at,
        }
    }
}

async fn list(cx: KeyAsk, Params(query): Params<UsageQuery>) -> ApiResult {
    if query.of.as_ref().is_some_and(|of| of.chars().count() > 200) {
        return Err(ActionError::field("of", "use at most 200 characters").into());
    }
    let input = UsageInput { policy: query.policy, scope_id: query.of };
    let page = usage::list(&cx, &input, &query.page.parse()?).await?;
    Ok(json::listed::<UsageFound, UsageView>(page))
}

async fn reset(cx: KeyAsk, Path((_, count)): Path<(String, String)>) -> ApiResult {
    usage::reset(&cx, &count).await?;
    Ok(json::nothing())
}
