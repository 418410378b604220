//! What the API answers about policies.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::{
    base::ids::{PolicyId, UserId},
    domain::policy::kept::{Places, Policy, Proposal, Version},
    flow::actions::policies::PolicySheet,
    web::kit::json::Versioned,
};

/// Where a policy is in force.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PolicyPlaces")]
struct PlacesView {
    /// Whether it is the organization's guardrail.
    org: bool,
    /// Of how many teams.
    teams: i64,
    /// The baseline of how many servers.
    servers: i64,
    /// Of how many grants.
    grants: i64,
}

impl From<Places> for PlacesView {
    fn from(places: Places) -> Self {
        Self { org: places.is_org, teams: places.teams, servers: places.servers, grants: places.grants }
    }
}

/// A policy in a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PolicyEntry")]
pub(super) struct PolicyEntryView {
    id: PolicyId,
    slug: String,
    name: String,
    description: String,
    /// The number of the version in force; null until it is published.
    live_version: Option<i32>,
    /// Whether something is being written.
    has_draft: bool,
    /// Where it is in force.
    places: PlacesView,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: OffsetDateTime,
    version: i64,
}

impl From<Policy> for PolicyEntryView {
    fn from(policy: Policy) -> Self {
        Self {
            id: policy.id,
            slug: policy.slug,
            name: policy.name,
            description: policy.description,
            live_version: policy.live,
            has_draft: policy.draft.is_some(),
            places: policy.places.into(),
            created_at: policy.created_at,
            updated_at: policy.updated_at,
            version: policy.version,
        }
    }
}

/// What is being written.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PolicyDraftNow")]
struct DraftView {
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    document: Box<RawValue>,
    /// The version it was begun from.
    from_version: Option<i32>,
    /// Whether another version came into force since.
    stale: bool,
    saved_by: Option<UserId>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    saved_at: OffsetDateTime,
}

/// That somebody asks for the draft to be published, by somebody else.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PolicyProposal")]
struct ProposalView {
    /// Who asks; null for a service account.
    by: Option<UserId>,
    by_name: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    note: String,
}

impl From<Proposal> for ProposalView {
    fn from(proposal: Proposal) -> Self {
        let Proposal { by, by_name, at, note } = proposal;
        Self { by, by_name, at, note }
    }
}

/// A policy with its documents.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Policy")]
pub(super) struct PolicyView {
    #[serde(flatten)]
    entry: PolicyEntryView,
    /// The slug of the server whose tools it is about.
    server: Option<String>,
    /// The document in force; null until it is published.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    document: Option<Box<RawValue>>,
    /// What is being written; null where nothing is.
    draft: Option<DraftView>,
    /// Who asks that the draft be published; null where nobody does.
    proposal: Option<ProposalView>,
    /// What nobody here could agree to at present, of the draft, else of what is in force: a sentence each.
    warnings: Vec<String>,
}

impl From<PolicySheet> for PolicyView {
    fn from(sheet: PolicySheet) -> Self {
        let PolicySheet { policy, server, document, warnings } = sheet;
        let stale = policy.is_draft_stale();
        let draft = policy.draft.as_ref().and_then(|draft| {
            Some(DraftView {
                document: raw(draft.document.clone())?,
                from_version: draft.from,
                stale,
                saved_by: draft.by,
                saved_at: draft.at,
            })
        });
        let proposal = policy.proposal.clone().map(ProposalView::from);
        Self { draft, proposal, warnings, server, document: document.and_then(raw), entry: policy.into() }
    }
}

impl Versioned for PolicyView {
    fn version(&self) -> i64 {
        self.entry.version
    }
}

/// A stored document, which is always JSON.
pub(super) fn raw(document: String) -> Option<Box<RawValue>> {
    RawValue::from_string(document).ok()
}

/// A version in a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PolicyVersionEntry")]
pub(super) struct VersionEntryView {
    number: i32,
    note: String,
    /// Null where a service account published it.
    author: Option<UserId>,
    author_name: String,
    /// The version whose text it took up again.
    restores: Option<i32>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
}

impl From<Version> for VersionEntryView {
    fn from(version: Version) -> Self {
        Self {
            number: version.number,
            note: version.note,
            author: version.author,
            author_name: version.author_name,
            restores: version.restores,
            created_at: version.created_at,
        }
    }
}

/// A version with its document.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PolicyVersion")]
pub(super) struct VersionView {
    #[serde(flatten)]
    entry: VersionEntryView,
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    document: Option<Box<RawValue>>,
}

impl VersionView {
    pub(super) fn of(version: Version, document: String) -> Self {
        Self { entry: version.into(), document: raw(document) }
    }
}
