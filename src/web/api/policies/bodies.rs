//! What the API is sent about policies.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    flow::actions::policies::{NewPolicy, PolicyChange},
    web::kit::json,
};

/// A new policy.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPolicy")]
pub(super) struct PolicyBody {
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// Made from the name when left out.
    #[serde(default)]
    #[schemars(length(max = 40))]
    slug: String,
    #[serde(default)]
    #[schemars(length(max = 500))]
    description: String,
    /// The server whose tools it is about, by slug or id; it decides nothing by that.
    #[serde(default)]
    #[schemars(length(max = 100))]
    server: Option<String>,
    /// A document of the policy language, version 1.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    document: Box<RawValue>,
    /// Whether it is in force at once, as version 1; otherwise it is a draft.
    #[serde(default)]
    publish: bool,
    /// What is said of version 1.
    #[serde(default)]
    #[schemars(length(max = 500))]
    note: String,
}

impl PolicyBody {
    pub(super) fn input(self) -> NewPolicy {
        NewPolicy {
            name: self.name,
            slug: self.slug,
            description: self.description,
            server: self.server,
            document: self.document.get().to_owned(),
            is_published: self.publish,
            note: self.note,
        }
    }
}

/// Changes to how a policy is called.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PolicyChange")]
pub(super) struct PolicyChangeBody {
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    #[schemars(length(min = 2, max = 40))]
    slug: Option<String>,
    #[schemars(length(max = 500))]
    description: Option<String>,
    /// Null for no server in particular.
    #[serde(default, deserialize_with = "json::maybe_null")]
    #[schemars(with = "Option<String>", length(max = 100))]
    server: Option<Option<String>>,
}

impl PolicyChangeBody {
    pub(super) fn change(self) -> PolicyChange {
        PolicyChange { name: self.name, slug: self.slug, description: self.description, server: self.server }
    }
}

/// What is being written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PolicyDraft")]
pub(super) struct DraftBody {
    /// A document of the policy language, version 1.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub(super) document: Box<RawValue>,
}

/// What is said of a version.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PolicyPublication")]
pub(super) struct PublishBody {
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub(super) note: String,
    /// Why it comes into force although a test does not hold; for owners.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub(super) in_spite: String,
}

/// What is said of a draft that is to be published, or why it is not.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PolicyProposalNote")]
pub(super) struct ProposalBody {
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub(super) note: String,
}

/// The version to take up again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PolicyRollback")]
pub(super) struct RollbackBody {
    #[schemars(range(min = 1))]
    pub(super) version: i32,
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub(super) note: String,
    /// Why it comes into force although a test does not hold; for owners.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub(super) in_spite: String,
}
