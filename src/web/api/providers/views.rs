//! Providers and presets, as the API writes them.

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    base::ids::{ProviderId, UserId},
    domain::connections::{
        NewerPreset, Obtaining, Preset, PresetDifference, Provider, ProviderSource, Refreshing, Variable,
        VariableSource,
    },
    flow::{
        actions::providers::{callback_of, keys_of},
        cx::OrgCx,
    },
    protocol::oauth::{client::ClientAuth, document::Facts},
    web::kit::json::Versioned,
};

/// An OAuth provider.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Provider")]
pub(super) struct ProviderView {
    id: ProviderId,
    slug: String,
    name: String,
    /// `preset`, `oauth2` (described by somebody), `oidc` (described by itself), `client_credentials` (its client asks for tokens in
    /// its own name) or `api_key` (people make a key there and enter it here).
    kind: &'static str,
    preset: Option<String>,
    /// The version of its preset that it goes by; 0 where it was registered before versions were counted.
    preset_version: Option<i32>,
    /// The present version of its preset, where it goes by an older one.
    newer_preset: Option<NewerPresetView>,
    variables: Facts,
    authorize_url: Option<String>,
    token_url: Option<String>,
    revoke_url: Option<String>,
    /// The page where people make a key.
    keys_url: Option<String>,
    /// For whom tokens are asked for, in the provider's own word.
    audience: Option<String>,
    userinfo_url: Option<String>,
    issuer: Option<String>,
    /// How the client authenticates: `post`, `basic`, `private_key_jwt` or `none`; null where the preset says it.
    client_auth: Option<&'static str>,
    /// What becomes of PKCE; null where the preset says it.
    pkce: Option<&'static str>,
    /// The one resource that its tokens are asked for; null for a provider of many.
    resource: Option<String>,
    /// How the client came to be known there: `entered` by somebody, by a `document` of ours, or `registered` by itself.
    enrolment: &'static str,
    /// Another provider with the same client, both being of one authorization server, the oldest where there are several; null
    /// where its client is its own.
    shares_client_of: Option<ProviderId>,
    client_id: String,
    /// Whether a secret, or the key of a client that signs, is stored; neither is ever shown.
    has_secret: bool,
    /// The address at which the provider reads the public keys of a client that signs; null for any other.
    jwks_url: Option<String>,
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

/// The present version of a preset, for a provider that goes by an older one.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewerPreset")]
struct NewerPresetView {
    version: i32,
    checked_on: &'static str,
    /// What would differ; empty where what the provider was made from is not known any more.
    differences: Vec<PresetDifferenceView>,
    /// Whether it can be taken over with what was entered for the provider.
    fitting: bool,
}

/// One thing that two versions of a preset say otherwise.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PresetDifference")]
struct PresetDifferenceView {
    what: &'static str,
    /// As the version says that is in use; empty where it says nothing.
    now: String,
    then: String,
}

impl From<NewerPreset> for NewerPresetView {
    fn from(newer: NewerPreset) -> Self {
        let view = |PresetDifference { what, now, then }| PresetDifferenceView { what, now, then };
        Self {
            version: newer.to.version,
            checked_on: newer.to.checked_on(),
            differences: newer.differences.into_iter().map(view).collect(),
            fitting: newer.is_fitting,
        }
    }
}

impl ProviderView {
    pub(super) fn of(cx: &OrgCx, provider: Provider) -> Self {
        let callback_url = callback_of(cx, provider.callback_id());
        let kind = provider.source.kind();
        let (preset, preset_version) = provider.preset_version().unzip();
        let preset = preset.map(str::to_owned);
        let variables = match &provider.source {
            ProviderSource::Preset { variables, .. } => variables.clone(),
            _ => Facts::new(),
        };
        let newer_preset = provider.newer_preset().map(NewerPresetView::from);
        let url = |url: &url::Url| url.as_str().to_owned();
        let (parts, places) = (provider.source.parts(), provider.source.places());
        let is_key = provider.obtaining() == Obtaining::Key;
        let jwks_url = provider.signs().then(|| keys_of(cx, provider.id));
        Self {
            id: provider.id,
            slug: provider.slug.to_string(),
            name: provider.name,
            kind,
            preset,
            preset_version,
            newer_preset,
            variables,
            authorize_url: places.authorize.filter(|_| !is_key).map(url),
            token_url: places.token.map(url),
            revoke_url: places.revoke.map(url),
            keys_url: places.authorize.filter(|_| is_key).map(url),
            audience: places.audience.map(str::to_owned),
            userinfo_url: parts.and_then(|parts| parts.userinfo.as_ref()).map(url),
            issuer: parts.and_then(|parts| parts.issuer.clone()),
            client_auth: provider.source.client_auth().map(ClientAuth::as_str),
            pkce: parts.map(|parts| parts.pkce.as_str()),
            resource: provider.source.resource().map(str::to_owned),
            enrolment: provider.enrolment.as_str(),
            shares_client_of: provider.shares_with,
            client_id: provider.client_id,
            has_secret: provider.secret.is_some(),
            jwks_url,
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
    /// Rises with every change of what it says.
    version: i32,
    checked_on: &'static str,
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
    /// The page on which its people end a connection, where one is known; gaps stand for what is set up.
    settings_url: Option<String>,
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
            version: preset.version,
            checked_on: preset.checked_on(),
            name: &preset.name,
            about: &preset.about,
            variables: preset.variables.iter().filter(asked).map(variable).collect(),
            scopes: &preset.scopes,
            more_scopes: &preset.more_scopes,
            refreshing: preset.refreshing,
            lifetime: preset.lifetime,
            can_revoke: preset.revoke.is_some(),
            settings_url: preset.settings.as_ref().map(ToString::to_string),
            notes: &preset.notes,
            unconfirmed: &preset.unconfirmed,
            unverified: preset.unverified.iter().map(|fact| fact.words()).collect(),
        }
    }
}
