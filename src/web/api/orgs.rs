//! `orgs` of the JSON API: the organization itself.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{ids::OrgId, permission::Permission},
    domain::tenancy::Org,
    flow::actions::orgs::{self, OrgChange},
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Body, IfMatch, Versioned},
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

/// The operations.
pub fn routes() -> Routes {
    Routes::default()
        .api(
            Operation::get("/orgs/{org}", "getOrg")
                .about("Organization", "Read the organization and its settings")
                .needs(Permission::OrgRead)
                .gives::<OrgView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::patch("/orgs/{org}", "changeOrg", Effect::Records(&["org.changed"]))
                .about("Organization", "Change settings; fields left out stay")
                .needs(Permission::OrgWrite)
                .takes::<OrgChangeBody>()
                .gives::<OrgView>(StatusCode::OK),
            change,
        )
}

/// An organization.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Org")]
struct OrgView {
    id: OrgId,
    slug: String,
    name: String,
    /// Whether people must show a second factor to come in.
    require_second_factor: bool,
    /// How many hours a new invitation is good.
    invitation_hours: i32,
    /// Whether a policy comes into force only when a second person says so.
    publishing_takes_two: bool,
    /// Whether people may decide what agents in their own name ask, where a rule names them.
    self_approval: bool,
    /// For how many days the arguments of calls are kept, sealed and beside the record; 0 where they are not.
    argument_days: i32,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: OffsetDateTime,
    /// When an owner asked for its deletion; null where nobody did.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    deletion_asked_at: Option<OffsetDateTime>,
    version: i64,
}

impl From<Org> for OrgView {
    fn from(org: Org) -> Self {
        Self {
            id: org.id,
            slug: org.slug.to_string(),
            name: org.name,
            require_second_factor: org.require_second_factor,
            invitation_hours: org.invitation_hours,
            publishing_takes_two: org.publishing_takes_two,
            self_approval: org.self_approval,
            argument_days: org.argument_days,
            created_at: org.created_at,
            updated_at: org.updated_at,
            deletion_asked_at: org.deletion_asked_at,
            version: org.version,
        }
    }
}

impl Versioned for OrgView {
    fn version(&self) -> i64 {
        self.version
    }
}

/// Changes to an organization.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OrgChange")]
struct OrgChangeBody {
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    /// Addresses with the old one stop working at once.
    #[schemars(length(min = 2, max = 40))]
    slug: Option<String>,
    /// Refused while the key's owner has no second factor.
    require_second_factor: Option<bool>,
    #[schemars(range(min = 1, max = 720))]
    invitation_hours: Option<i32>,
    /// Refused while only one person may publish; switched off by owners alone.
    publishing_takes_two: Option<bool>,
    /// Whether people may decide what agents in their own name ask; switched on by owners alone.
    self_approval: Option<bool>,
    /// For how many days the arguments of calls are kept; owners alone may lengthen it. What is kept for longer is forgotten.
    #[schemars(range(min = 0, max = 365))]
    argument_days: Option<i32>,
}

async fn read(cx: KeyAsk) -> ApiResult {
    Ok(json::one(StatusCode::OK, &OrgView::from(orgs::read(&cx).await?)))
}

async fn change(cx: KeyAsk, IfMatch(seen): IfMatch, Body(body): Body<OrgChangeBody>) -> ApiResult {
    let change = OrgChange {
        name: body.name,
        slug: body.slug,
        require_second_factor: body.require_second_factor,
        invitation_hours: body.invitation_hours.map(|hours| hours.to_string()),
        publishing_takes_two: body.publishing_takes_two,
        self_approval: body.self_approval,
        argument_days: body.argument_days.map(|days| days.to_string()),
    };
    Ok(json::one(StatusCode::OK, &OrgView::from(orgs::update(&cx, change, seen).await?)))
}
