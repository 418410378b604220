//! Providers and presets, as the API writes them.

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    base::ids::{ProviderId, UserId},
    domain::connections::{Preset, Provider, ProviderSource, Refreshing, Variable, VariableSource},
    flow::{actions::providers::callback_of, cx::OrgCx},
    protocol::oauth::document::Facts,
    web::kit::json::Versioned,
};

/// An OAuth provider.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Provider")]
pub(super) struct ProviderView {
    id: ProviderId,
    slug: String,
    name: String,
    /// `preset`, `oauth2` (described by somebody) or `oidc` (described by itself).
    kind: &'static str,
    preset: Option<String>,
    variables: Facts,
    authorize_url: Option<String>,
    token_url: Option<String>,
    revoke_url: Option<String>,
    userinfo_url: Option<String>,
    issuer: Option<String>,
    /// How the client authenticates; null where the preset says it.
    client_auth: Option<&'static str>,
    /// What becomes of PKCE; null where the preset says it.
    pkce: Option<&'static str>,
    /// The one resource that its tokens are asked for; null for a provider of many.
    resource: Option<String>,
    /// How the client came to be known there: `entered` by somebody, by a `document` of ours, or `registered` by itself.
    enrolment: &'static str,
    client_id: String,
    /// Whether a secret is stored; it is never shown.
    has_secret: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    secret_changed_at: Option<OffsetDateTime>,
    scopes: Vec<String>,
    user_scopes: Vec<String>,
    /// The address to register at the provider.
    callback_url: String,
    /// Whether nobody can connect through it.
    disabled: bool,
    /// The person who registered it; null where a service account did.
    created_by: Option<UserId>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: OffsetDateTime,
    version: i64,
}

impl ProviderView {
    pub(super) fn of(cx: &OrgCx, provider: Provider) -> Self {
        let callback_url = callback_of(cx, provider.id);
        let kind = provider.source.kind();
        let (preset, variables, parts) = match provider.source {
            ProviderSource::Preset { slug, variables } => (Some(slug), variables, None),
            ProviderSource::Own(parts) => (None, Facts::new(), Some(parts)),
        };
        let url = |url: &url::Url| url.as_str().to_owned();
        let parts = parts.as_ref();
        Self {
            id: provider.id,
            slug: provider.slug.to_string(),
            name: provider.name,
            kind,
            preset,
            variables,
            authorize_url: parts.map(|parts| url(&parts.authorize)),
            token_url: parts.map(|parts| url(&parts.token)),
            revoke_url: parts.and_then(|parts| parts.revoke.as_ref()).map(url),
            userinfo_url: parts.and_then(|parts| parts.userinfo.as_ref()).map(url),
            issuer: parts.and_then(|parts| parts.issuer.clone()),
            client_auth: parts.map(|parts| parts.client_auth.as_str()),
            pkce: parts.map(|parts| parts.pkce.as_str()),
            resource: parts.and_then(|parts| parts.resource.clone()),
            enrolment: provider.enrolment.as_str(),
            client_id: provider.client_id,
            has_secret: provider.secret.is_some(),
            secret_changed_at: provider.secret.map(|secret| secret.changed_at),
            scopes: provider.scopes,
            user_scopes: provider.user_scopes,
            callback_url,
            disabled: provider.disabled_at.is_some(),
            created_by: provider.created_by,
            created_at: provider.created_at,
            updated_at: provider.updated_at,
            version: provider.version,
        }
    }
}

impl Versioned for ProviderView {
    fn version(&self) -> i64 {
        self.version
    }
}

/// A provider that can be registered by filling in a client.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProviderPreset")]
pub(super) struct PresetView {
    slug: &'static str,
    name: &'static str,
    /// What its accounts are for.
    about: &'static str,
    variables: Vec<VariableView>,
    /// What is asked for unless somebody says otherwise.
    scopes: &'static [String],
    /// Others that people often want.
    more_scopes: &'static [String],
    /// What happens when a token is refreshed.
    refreshing: Refreshing,
    /// For how many seconds its tokens are valid, as far as is known.
    lifetime: Option<u64>,
    /// Whether a connection can be ended at the provider.
    can_revoke: bool,
    notes: &'static [String],
    /// The same, not confirmed by the provider's own documents.
    unconfirmed: &'static [String],
    /// Which facts are not confirmed by the provider's own documents.
    unverified: Vec<&'static str>,
}

/// What is filled into a preset's addresses.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProviderVariable")]
struct VariableView {
    name: &'static str,
    label: &'static str,
    help: &'static str,
    default: Option<&'static str>,
}

impl From<&'static Preset> for PresetView {
    fn from(preset: &'static Preset) -> Self {
        let asked = |variable: &&Variable| variable.source == VariableSource::Asked;
        let variable = |variable: &'static Variable| VariableView {
            name: &variable.name,
            label: &variable.label,
            help: &variable.help,
            default: variable.default.as_deref(),
        };
        Self {
            slug: &preset.slug,
            name: &preset.name,
            about: &preset.about,
            variables: preset.variables.iter().filter(asked).map(variable).collect(),
            scopes: &preset.scopes,
            more_scopes: &preset.more_scopes,
            refreshing: preset.refreshing,
            lifetime: preset.lifetime,
            can_revoke: preset.revoke.is_some(),
            notes: &preset.notes,
            unconfirmed: &preset.unconfirmed,
            unverified: preset.unverified.iter().map(|fact| fact.words()).collect(),
        }
    }
}
