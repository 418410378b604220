//! What is known of one provider.

use std::{collections::BTreeMap, str::FromStr};

use crate::{
    domain::connections::variables::{BadVariable, Variable, check_all},
    protocol::oauth::{
        address::{Address, Rule},
        call::Call,
        client::ClientAuth,
        document::{Facts, Path},
        label::Labels,
        request::BodyForm,
    },
};

/// A provider that can be registered by filling in a client.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Its short name here.
    pub slug: String,
    /// Rises with every change of what it says; providers that were made from an older one go by that.
    #[serde(default = "first")]
    pub version: i32,
    /// The day on which this version was checked, where it is not that of all.
    #[serde(default)]
    pub checked_on: Option<String>,
    /// Its name.
    pub name: String,
    /// What its accounts are for, in a few words; also what a search finds.
    pub about: String,
    /// Where people agree.
    pub authorize: Address,
    /// Where tokens are given.
    pub token: Address,
    /// Where they are refreshed, if elsewhere.
    #[serde(default)]
    pub refresh: Option<Address>,
    /// The gaps in the addresses.
    #[serde(default, rename = "variable")]
    pub variables: Vec<Variable>,
    /// What every host that is called has to match, where a gap decides it.
    #[serde(default)]
    pub host_rule: Option<Rule>,
    /// What it calls itself in callbacks and id tokens, where that is known.
    #[serde(default)]
    pub issuer: Option<String>,
    /// How a client authenticates.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Whom what a client signs is for.
    #[serde(default)]
    pub assertions_for: Audience,
    /// How a request for a token is written.
    #[serde(default)]
    pub body: BodyForm,
    /// What becomes of PKCE.
    #[serde(default)]
    pub pkce: Pkce,
    /// The scopes that are asked for unless somebody says otherwise.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Others that people often want.
    #[serde(default)]
    pub more_scopes: Vec<String>,
    /// What stands between two scopes.
    #[serde(default = "space")]
    pub separator: String,
    /// The parameter that asks for a person's scopes where `scope` asks for an app's.
    #[serde(default)]
    pub user_scope_parameter: Option<String>,
    /// Further parameters of the page where people agree.
    #[serde(default)]
    pub authorize_parameters: BTreeMap<String, String>,
    /// Further headers of requests for tokens.
    #[serde(default)]
    pub token_headers: BTreeMap<String, String>,
    /// Further fields of the first request.
    #[serde(default)]
    pub token_parameters: BTreeMap<String, String>,
    /// Further fields of a refresh.
    #[serde(default)]
    pub refresh_parameters: BTreeMap<String, String>,
    /// What a refresh repeats.
    #[serde(default)]
    pub refresh_repeats: Vec<Repeated>,
    /// Where the second pair of tokens stands.
    #[serde(default)]
    pub nested: Option<Path>,
    /// What of a token's answer is kept with the connection.
    #[serde(default)]
    pub keeps: Vec<Path>,
    /// What of a callback is kept with the connection.
    #[serde(default)]
    pub keeps_of_callback: Vec<String>,
    /// How whose account it is is asked.
    #[serde(default)]
    pub account: Vec<Call>,
    /// Where the label is read.
    pub labels: Labels,
    /// How a short token is traded for a long one.
    #[serde(default)]
    pub lengthen: Option<Call>,
    /// How a connection is ended at the provider.
    #[serde(default)]
    pub revoke: Option<Call>,
    /// The page on which its people end what they agreed to.
    #[serde(default)]
    pub settings: Option<Address>,
    /// What happens on a refresh.
    pub refreshing: Refreshing,
    /// For how many seconds a token is valid, as far as is known.
    #[serde(default)]
    pub lifetime: Option<u64>,
    /// What to know before using it.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The same, not confirmed by the provider's own documents.
    #[serde(default)]
    pub unconfirmed: Vec<String>,
    /// Which facts are not confirmed by the provider's own documents.
    #[serde(default)]
    pub unverified: Vec<Unverified>,
}

const fn first() -> i32 {
    1
}

fn space() -> String {
    " ".to_owned()
}

/// Whom what a client signs is for (RFC 7523, section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The place where tokens are given.
    #[default]
    Token,
    /// The provider, by what it calls itself.
    Issuer,
}

/// What becomes of PKCE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// It is sent; a provider that does not know it passes it over.
    #[default]
    Sent,
    /// The provider does not do without.
    Required,
    /// It would break something.
    Off,
}

impl Pkce {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sent, Self::Required, Self::Off];

    /// Its name in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Required => "required",
            Self::Off => "off",
        }
    }
}

/// A text says nothing about PKCE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose sent, required or off")]
pub struct NotAPkce;

impl FromStr for Pkce {
    type Err = NotAPkce;

    fn from_str(text: &str) -> Result<Self, NotAPkce> {
        Self::ALL.into_iter().find(|pkce| pkce.as_str() == text).ok_or(NotAPkce)
    }
}

/// What happens on a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Refreshing {
    /// There is none: a dead token means connecting again.
    None,
    /// The refresh token stays.
    Stable,
    /// Each refresh gives a new refresh token, and the old one dies.
    Rotating,
    /// It depends on how the app is set up at the provider.
    Varying,
}

impl Refreshing {
    /// What it means, in a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::None => "Tokens are not refreshed; when one dies, its owner connects again.",
            Self::Stable => "Tokens are refreshed, and the refresh token stays the same.",
            Self::Rotating => "Tokens are refreshed, and each refresh replaces the refresh token.",
            Self::Varying => {
                "Whether tokens are refreshed, and how, is a setting of the app at the provider."
            }
        }
    }
}

/// What a refresh repeats of the first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// The scopes.
    Scope,
    /// The address of the callback.
    RedirectUri,
}

/// A fact that rests on hearsay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unverified {
    /// Whether PKCE is known there.
    Pkce,
    /// How long a token is valid.
    Lifetime,
    /// What happens on a refresh.
    Refreshing,
    /// How a connection is ended there.
    Revoke,
    /// How whose account it is is asked and read.
    Account,
    /// How a client authenticates.
    ClientAuth,
    /// On which page its people end what they agreed to.
    Settings,
}

impl Unverified {
    /// Which fact, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Pkce => "whether it knows PKCE",
            Self::Lifetime => "how long its tokens live",
            Self::Refreshing => "whether a refresh replaces the refresh token",
            Self::Revoke => "how it is told to end a connection",
            Self::Account => "how it says whose account it is",
            Self::ClientAuth => "how it wants the client to authenticate",
            Self::Settings => "on which page its people end a connection",
        }
    }
}

impl Preset {
    /// Checks what was entered for the gaps; defaults stand where nothing was.
    ///
    /// # Errors
    /// What is wrong with each, with the variable's name.
    pub fn check_variables(&self, entered: &Facts) -> Result<Facts, Vec<(String, BadVariable)>> {
        check_all(&self.variables, entered)
    }

    /// Whether a search for these words finds it.
    pub fn is_found_by(&self, words: &str) -> bool {
        let text = format!("{} {} {}", self.slug, self.name, self.about).to_lowercase();
        words.split_whitespace().all(|word| text.contains(&word.to_lowercase()))
    }
}

/// A provider that people look for and that cannot be a preset.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Why not, and what to do.
    pub reason: String,
}
