//! What the API answers about grants.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        actor::Principal,
        ids::{GrantId, ServiceAccountId, TeamId, UserId},
        risk::Class,
    },
    domain::grants::{ClientSeen, GrantState, LastUse, Stop},
    flow::actions::grants::{GrantFound, NamedServers},
    web::kit::json::Versioned,
};

/// Whether a grant is in force, and if not, why.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "GrantState")]
pub(super) enum State {
    /// It is in force.
    Active,
    /// It rests until it is resumed.
    Suspended,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// The person or service account in whose name it acts is disabled.
    PrincipalGone,
}

impl From<State> for GrantState {
    fn from(state: State) -> Self {
        match state {
            State::Active => Self::Active,
            State::Suspended => Self::Suspended,
            State::Expired => Self::Expired,
            State::Revoked => Self::Revoked,
            State::PrincipalGone => Self::PrincipalGone,
        }
    }
}

impl From<GrantState> for State {
    fn from(state: GrantState) -> Self {
        match state {
            GrantState::Active => Self::Active,
            GrantState::Suspended => Self::Suspended,
            GrantState::Expired => Self::Expired,
            GrantState::Revoked => Self::Revoked,
            GrantState::PrincipalGone => Self::PrincipalGone,
        }
    }
}

/// In whose name the agent acts: one of the three ids, and the name.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Principal")]
struct PrincipalView {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<TeamId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<ServiceAccountId>,
    name: String,
}

impl PrincipalView {
    fn of(principal: Principal, name: String) -> Self {
        let (mut user, mut team, mut service_account) = (None, None, None);
        match principal {
            Principal::User(id) => user = Some(id),
            Principal::Team(id) => team = Some(id),
            Principal::ServiceAccount(id) => service_account = Some(id),
        }
        Self { user, team, service_account, name }
    }
}

/// `"all"`, or the slugs of servers.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "GrantServerNames")]
enum ServersView {
    All(&'static str),
    Some(Vec<String>),
}

impl From<NamedServers> for ServersView {
    fn from(servers: NamedServers) -> Self {
        match servers {
            NamedServers::All => Self::All("all"),
            NamedServers::Some(servers) => {
                Self::Some(servers.into_iter().map(|server| server.slug).collect())
            }
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GrantBindingsNow")]
struct BindingsView {
    cidrs: Vec<String>,
    clients: Vec<String>,
}

/// When, by whom and why something stopped.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GrantStopped")]
struct StopView {
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    /// Null where a service account or Portreeve itself did.
    by: Option<UserId>,
    reason: String,
}

impl From<Stop> for StopView {
    fn from(stop: Stop) -> Self {
        Self { at: stop.at, by: stop.by, reason: stop.reason }
    }
}

/// The software that made a call, as it names itself.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeclaredClient")]
struct ClientView {
    name: String,
    version: Option<String>,
}

/// The last call: when, from where, by which client.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GrantLastUse")]
pub(super) struct LastUseView {
    /// To the minute.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    ip: Option<IpAddr>,
    client: Option<ClientView>,
}

impl From<LastUse> for LastUseView {
    fn from(last: LastUse) -> Self {
        let client = last.client.map(|ClientSeen { name, version }| ClientView { name, version });
        Self { at: last.at, ip: last.ip, client }
    }
}

/// A grant.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Grant")]
pub(super) struct GrantView {
    id: GrantId,
    label: String,
    principal: PrincipalView,
    servers: ServersView,
    /// The slug of its policy; null where it has none of its own.
    policy: Option<String>,
    class_ceiling: Class,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<OffsetDateTime>,
    bindings: BindingsView,
    state: State,
    suspended: Option<StopView>,
    revoked: Option<StopView>,
    /// How many of its tokens are neither revoked nor expired.
    live_tokens: i64,
    last_use: Option<LastUseView>,
    created_by: Option<UserId>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: OffsetDateTime,
    version: i64,
}

impl From<GrantFound> for GrantView {
    fn from(found: GrantFound) -> Self {
        let (entry, servers) = (found.entry, found.servers);
        let grant = entry.grant;
        Self {
            id: grant.id,
            label: grant.label,
            principal: PrincipalView::of(grant.principal, entry.principal_name),
            servers: servers.into(),
            policy: entry.policy_slug,
            class_ceiling: grant.ceiling,
            expires_at: grant.expires_at,
            bindings: BindingsView {
                cidrs: grant.bindings.cidr_texts(),
                clients: grant.bindings.clients().to_vec(),
            },
            state: entry.state.into(),
            suspended: grant.suspension.map(Into::into),
            revoked: grant.revocation.map(Into::into),
            live_tokens: entry.live_tokens,
            last_use: entry.last_use.map(Into::into),
            created_by: grant.created_by,
            created_at: grant.created_at,
            updated_at: grant.updated_at,
            version: grant.version,
        }
    }
}

impl Versioned for GrantView {
    fn version(&self) -> i64 {
        self.version
    }
}
