//! `me` and `orgs` of the JSON API: who a key is, and where it belongs.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    base::{
        actor::KeyOwner,
        ids::{ApiKeyId, OrgId},
        page::Page,
    },
    domain::tenancy::Org,
    flow::{
        actions::me::key::{self, Principal},
        cx::OrgCx,
    },
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Listed},
        openapi::Operation,
        routes::Routes,
    },
};

/// The operations.
pub fn routes() -> Routes {
    Routes::default()
        .api(
            Operation::get("/me", "getMe")
                .about("Me", "Tell who the key belongs to and what it may do")
                .gives::<MeView>(StatusCode::OK),
            me,
        )
        .api(
            Operation::get("/orgs", "listOrgs")
                .about("Me", "List the key's organization; a key belongs to exactly one")
                .gives::<Listed<OwnOrgView>>(StatusCode::OK),
            orgs,
        )
}

/// Who carries the key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Me")]
struct MeView {
    /// The person or service account that the key belongs to.
    principal: PrincipalView,
    /// The role that the key's rights come from.
    role: &'static str,
    /// What the key may do now: its scopes, as far as the role carries them.
    scopes: Vec<String>,
    key: KeyView,
    org: OwnOrgView,
}

/// A person or a service account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Principal")]
struct PrincipalView {
    kind: PrincipalKind,
    id: String,
    name: String,
    /// A person's e-mail address, or a service account's slug.
    handle: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PrincipalKind {
    User,
    ServiceAccount,
}

/// The key that was sent.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OwnKey")]
struct KeyView {
    id: ApiKeyId,
    name: String,
}

/// The organization of the key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OwnOrg")]
struct OwnOrgView {
    id: OrgId,
    slug: String,
    name: String,
}

impl From<Org> for OwnOrgView {
    fn from(org: Org) -> Self {
        Self { id: org.id, slug: org.slug.to_string(), name: org.name }
    }
}

impl MeView {
    fn of(cx: &OrgCx, me: Principal) -> Self {
        let (kind, id) = match me.owner {
            KeyOwner::User(user) => (PrincipalKind::User, user.to_string()),
            KeyOwner::ServiceAccount(account) => (PrincipalKind::ServiceAccount, account.to_string()),
        };
        Self {
            principal: PrincipalView { kind, id, name: me.name, handle: me.handle },
            role: cx.role.as_str(),
            scopes: me.scopes,
            key: KeyView { id: me.key, name: me.key_name },
            org: cx.org.clone().into(),
        }
    }
}

async fn me(cx: KeyAsk) -> ApiResult {
    let principal = key::describe(&cx).await?;
    Ok(json::plain(StatusCode::OK, &MeView::of(&cx, principal)))
}

async fn orgs(cx: KeyAsk) -> ApiResult {
    Ok(json::listed::<Org, OwnOrgView>(Page { items: vec![cx.org.clone()], next: None }))
}
