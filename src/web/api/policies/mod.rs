//! `policies` of the JSON API.

mod bodies;
mod effective;
mod layers;
mod observed;
mod replay;
mod simulation;
mod suggested;
mod tests;
mod views;

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    base::permission::Permission,
    domain::policy::kept::{Policy, PolicyFilter, Version},
    flow::{
        actions::policies::{self, PublishInput},
        fault::ActionError,
    },
    web::{
        api::policies::{
            bodies::{DraftBody, PolicyBody, PolicyChangeBody, ProposalBody, PublishBody, RollbackBody},
            views::{PolicyEntryView, PolicyView, VersionEntryView, VersionView},
        },
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Body, IfMatch, Listed, MaybeBody, Params},
            listing::{PageQuery, search},
            openapi::Operation,
            routes::{Effect, Routes},
        },
    },
};

const ALL: &str = "/orgs/{org}/policies";
const ONE: &str = "/orgs/{org}/policies/{policy}";
const TAG: &str = "Policies";
/// What a publication records.
const PUBLISHED: &[&str] = &["policy.published"];

/// The operations.
pub fn routes() -> Routes {
    let (read, write) = (Permission::PoliciesRead, Permission::PoliciesWrite);
    Routes::default()
        .api(
            Operation::get(ALL, "listPolicies")
                .about(TAG, "List policies by name")
                .needs(read)
                .query::<PolicyQuery>()
                .gives::<Listed<PolicyEntryView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(ALL, "createPolicy", Effect::Records(&["policy.created", "policy.published"]))
                .about(TAG, "Create a policy as a draft, or in force at once")
                .needs(write)
                .takes::<PolicyBody>()
                .gives::<PolicyView>(StatusCode::CREATED),
            create,
        )
        .api(
            Operation::get(ONE, "getPolicy")
                .about(TAG, "Read a policy with what is in force and what is being written")
                .needs(read)
                .gives::<PolicyView>(StatusCode::OK),
            show,
        )
        .api(
            Operation::patch(ONE, "changePolicy", Effect::Records(&["policy.changed"]))
                .about(TAG, "Change how a policy is called; what is left out stays")
                .needs(write)
                .takes::<PolicyChangeBody>()
                .gives::<PolicyView>(StatusCode::OK),
            change,
        )
        .api(
            Operation::delete(ONE, "deletePolicy", Effect::Records(&["policy.deleted"]))
                .about(TAG, "Delete a policy that is in force nowhere")
                .needs(write)
                .gives_nothing(),
            remove,
        )
        .api(
            Operation::put(
                "/orgs/{org}/policies/{policy}/draft",
                "savePolicyDraft",
                Effect::Unrecorded(DRAFT),
            )
            .about(TAG, "Keep what is being written; nothing in force changes")
            .needs(write)
            .takes::<DraftBody>()
            .gives::<PolicyView>(StatusCode::OK),
            save_draft,
        )
        .api(
            Operation::delete(
                "/orgs/{org}/policies/{policy}/draft",
                "dropPolicyDraft",
                Effect::Unrecorded(DRAFT),
            )
            .about(TAG, "Drop what is being written")
            .needs(write)
            .gives::<PolicyView>(StatusCode::OK),
            drop_draft,
        )
        .api(
            Operation::post(
                "/orgs/{org}/policies/{policy}/draft/rebase",
                "rebasePolicyDraft",
                Effect::Unrecorded(DRAFT),
            )
            .about(TAG, "Say that the draft takes into account what was published since it was begun")
            .needs(write)
            .versioned()
            .gives::<PolicyView>(StatusCode::OK),
            rebase_draft,
        )
        .api(
            Operation::post(
                "/orgs/{org}/policies/{policy}/publish",
                "publishPolicy",
                Effect::Records(PUBLISHED),
            )
            .about(TAG, "Put the draft in force as the next version")
            .needs(write)
            .versioned()
            .may_take::<PublishBody>()
            .gives::<PolicyView>(StatusCode::OK),
            publish,
        )
        .api(
            Operation::post(
                "/orgs/{org}/policies/{policy}/proposal",
                "proposePolicy",
                Effect::Records(&["policy.proposed"]),
            )
            .about(TAG, "Ask that the draft be published as it stands, by a second person")
            .needs(write)
            .versioned()
            .may_take::<ProposalBody>()
            .gives::<PolicyView>(StatusCode::OK),
            propose,
        )
        .api(
            Operation::delete(
                "/orgs/{org}/policies/{policy}/proposal",
                "withdrawPolicyProposal",
                Effect::Records(&["policy.proposal_withdrawn"]),
            )
            .about(TAG, "Take that question back, or say no to it; the draft stays")
            .needs(write)
            .gives::<PolicyView>(StatusCode::OK),
            withdraw,
        )
        .api(
            Operation::post(
                "/orgs/{org}/policies/{policy}/rollback",
                "rollbackPolicy",
                Effect::Records(PUBLISHED),
            )
            .about(TAG, "Put an earlier version in force again, as the next one")
            .needs(write)
            .versioned()
            .takes::<RollbackBody>()
            .gives::<PolicyView>(StatusCode::OK),
            rollback,
        )
        .api(
            Operation::get("/orgs/{org}/policies/{policy}/versions", "listPolicyVersions")
                .about(TAG, "List the versions of a policy, the newest first")
                .needs(read)
                .query::<VersionQuery>()
                .gives::<Listed<VersionEntryView>>(StatusCode::OK),
            versions,
        )
        .api(
            Operation::get("/orgs/{org}/policies/{policy}/versions/{number}", "getPolicyVersion")
                .about(TAG, "Read a version with its document")
                .needs(read)
                .gives::<VersionView>(StatusCode::OK),
            version,
        )
        .and(effective::routes())
        .and(simulation::routes())
        .and(replay::routes())
        .and(observed::routes())
        .and(tests::routes())
        .and(layers::routes())
        .and(suggested::routes())
}

/// Why saving a draft is no event.
const DRAFT: &str = "a draft puts nothing in force; its publication is recorded";

#[derive(Deserialize, JsonSchema)]
struct PolicyQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only policies whose name or slug contains this.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct VersionQuery {
    #[serde(flatten)]
    page: PageQuery,
}

async fn list(cx: KeyAsk, Params(query): Params<PolicyQuery>) -> ApiResult {
    let filter = PolicyFilter { q: search(query.q)?, ..PolicyFilter::default() };
    let page = policies::list(&cx, &filter, &query.page.parse()?).await?;
    Ok(json::listed::<Policy, PolicyEntryView>(page))
}

async fn create(cx: KeyAsk, Body(body): Body<PolicyBody>) -> ApiResult {
    let sheet = policies::create(&cx, &body.input()).await?;
    Ok(json::one(StatusCode::CREATED, &PolicyView::from(sheet)))
}

async fn show(cx: KeyAsk, Path((_, policy)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &PolicyView::from(policies::find(&cx, &policy).await?)))
}

async fn change(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<PolicyChangeBody>,
) -> ApiResult {
    let sheet = policies::update(&cx, &policy, body.change(), seen).await?;
    Ok(json::one(StatusCode::OK, &PolicyView::from(sheet)))
}

async fn remove(cx: KeyAsk, Path((_, policy)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    policies::delete(&cx, &policy, seen).await?;
    Ok(json::nothing())
}

async fn save_draft(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<DraftBody>,
) -> ApiResult {
    let sheet = policies::save_draft(&cx, &policy, body.document.get(), seen).await?;
    Ok(json::one(StatusCode::OK, &PolicyView::from(sheet)))
}

async fn drop_draft(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
) -> ApiResult {
    Ok(json::one(StatusCode::OK, &PolicyView::from(policies::drop_draft(&cx, &policy, seen).await?)))
}

async fn rebase_draft(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
) -> ApiResult {
    Ok(json::one(StatusCode::OK, &PolicyView::from(policies::rebase(&cx, &policy, seen).await?)))
}

async fn publish(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    MaybeBody(body): MaybeBody<PublishBody>,
) -> ApiResult {
    let sheet =
        policies::publish(&cx, &policy, PublishInput { note: &body.note, in_spite: &body.in_spite }, seen)
            .await?;
    Ok(json::one(StatusCode::OK, &PolicyView::from(sheet)))
}

async fn propose(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    MaybeBody(body): MaybeBody<ProposalBody>,
) -> ApiResult {
    let sheet = policies::propose(&cx, &policy, &body.note, seen).await?;
    Ok(json::one(StatusCode::OK, &PolicyView::from(sheet)))
}

async fn withdraw(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
) -> ApiResult {
    Ok(json::one(StatusCode::OK, &PolicyView::from(policies::withdraw(&cx, &policy, "", seen).await?)))
}

async fn rollback(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<RollbackBody>,
) -> ApiResult {
    let input = PublishInput { note: &body.note, in_spite: &body.in_spite };
    let sheet = policies::rollback(&cx, &policy, body.version, input, seen).await?;
    Ok(json::one(StatusCode::OK, &PolicyView::from(sheet)))
}

async fn versions(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    Params(query): Params<VersionQuery>,
) -> ApiResult {
    let (_, page) = policies::list_versions(&cx, &policy, &query.page.parse()?).await?;
    Ok(json::listed::<Version, VersionEntryView>(page))
}

async fn version(cx: KeyAsk, Path((_, policy, number)): Path<(String, String, String)>) -> ApiResult {
    let number = number.parse().map_err(|_| ActionError::NotFound)?;
    let (_, version, document) = policies::version(&cx, &policy, number).await?;
    Ok(json::plain(StatusCode::OK, &VersionView::of(version, document)))
}
