//! `connections` of the JSON API: connected accounts, never their tokens.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::{
    base::{
        ids::{ConnectionId, ProviderId, TeamId, UserId},
        permission::Permission,
    },
    domain::connections::{Connection, ConnectionFilter, ConnectionState},
    flow::actions::connections::{self, BeginInput, ConnectionChange, Ended, Probed, meaning},
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Body, IfMatch, Listed, Params, Versioned},
        listing::{PageQuery, with_query},
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

const ALL: &str = "/orgs/{org}/connections";
const ONE: &str = "/orgs/{org}/connections/{connection}";
const TAG: &str = "Connections";

/// The operations.
pub fn routes() -> Routes {
    let own = Permission::ConnectionsOwn;
    let asked = Effect::Unrecorded("a person goes on in a browser; what comes of it is recorded");
    let tried =
        Effect::Unrecorded("nothing of the account is changed; a token that is renewed is the same account");
    let ended = Effect::Records(&["connection.ended", "connection.ended_upstream"]);
    let (off, on) =
        (Effect::Records(&["connection.switched_off"]), Effect::Records(&["connection.switched_on"]));
    Routes::default()
        .api(
            Operation::get(ALL, "listConnections")
                .about(TAG, "List connected accounts, the newest first; without connections:read your own")
                .needs(own)
                .query::<ConnectionQuery>()
                .gives::<Listed<ConnectionView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(ALL, "connectAccount", asked)
                .about(TAG, "Get the address at which a person connects an account; only they can, signed in")
                .needs(own)
                .takes::<ConnectBody>()
                .gives::<ConnectView>(StatusCode::OK),
            connect,
        )
        .api(
            Operation::get(ONE, "getConnection")
                .about(TAG, "Read a connected account")
                .needs(own)
                .gives::<ConnectionView>(StatusCode::OK),
            show,
        )
        .api(
            Operation::patch(
                ONE,
                "changeConnection",
                Effect::Records(&["connection.renamed", "connection.preferred", "connection.rule_changed"]),
            )
            .about(TAG, "Call it otherwise, or say when agents use it")
            .needs(own)
            .takes::<ChangeBody>()
            .gives::<ConnectionView>(StatusCode::OK),
            change,
        )
        .api(
            Operation::post("/orgs/{org}/connections/{connection}/test", "testConnection", tried)
                .about(TAG, "Try it: is there a token, and does the provider take it?")
                .needs(own)
                .gives::<ProbeView>(StatusCode::OK),
            test,
        )
        .api(
            Operation::post("/orgs/{org}/connections/{connection}/refresh", "refreshConnection", tried)
                .about(TAG, "Fetch a new token now")
                .needs(own)
                .gives::<ProbeView>(StatusCode::OK),
            refresh,
        )
        .api(
            Operation::post("/orgs/{org}/connections/{connection}/disable", "disableConnection", off)
                .about(TAG, "Switch it off: no call is made with it until it is switched on; its tokens stay")
                .needs(own)
                .gives::<ConnectionView>(StatusCode::OK),
            disable,
        )
        .api(
            Operation::post("/orgs/{org}/connections/{connection}/enable", "enableConnection", on)
                .about(TAG, "Switch it on again; what an admin switched off, an admin switches on")
                .needs(own)
                .gives::<ConnectionView>(StatusCode::OK),
            enable,
        )
        .api(
            Operation::post("/orgs/{org}/connections/{connection}/disconnect", "disconnectAccount", ended)
                .about(TAG, "End it: its tokens are destroyed, and the provider is told where it can be")
                .needs(own)
                .gives::<EndedView>(StatusCode::OK),
            disconnect,
        )
}

#[derive(Deserialize, JsonSchema)]
struct ConnectionQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only those of this person, by id.
    #[serde(default)]
    user: Option<UserId>,
    /// True for those of teams and of everybody alone.
    #[serde(default)]
    shared: Option<bool>,
    /// Only those at this provider, by id.
    #[serde(default)]
    provider: Option<ProviderId>,
    /// Only those in this state; those that were ended are listed only where they are asked for.
    #[serde(default)]
    state: Option<State>,
}

/// How a connection fares.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum State {
    Active,
    ErrorBackoff,
    NeedsReauth,
    Revoked,
    Disabled,
}

impl From<State> for ConnectionState {
    fn from(state: State) -> Self {
        match state {
            State::Active => Self::Active,
            State::ErrorBackoff => Self::ErrorBackoff,
            State::NeedsReauth => Self::NeedsReauth,
            State::Revoked => Self::Revoked,
            State::Disabled => Self::Disabled,
        }
    }
}

/// What is to be connected.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewConnection")]
struct ConnectBody {
    /// The provider, by slug or id.
    #[schemars(length(min = 1, max = 100))]
    provider: String,
    /// The connection that is to be renewed, by id.
    #[serde(default)]
    connection: Option<String>,
    /// For whom a new one is: `me`, `org` for everybody, or `team:` with a team's short name.
    #[serde(default)]
    #[schemars(length(max = 100))]
    owner: String,
    /// Scopes that tools need beyond those that the provider is registered with.
    #[serde(default)]
    #[schemars(length(max = 100))]
    scopes: Vec<String>,
}

/// Where a person goes on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConnectAddress")]
struct ConnectView {
    /// Opened in a browser in which the person is signed in, or signs in first.
    authorize_url: String,
}

/// What is changed; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ConnectionChange")]
struct ChangeBody {
    /// What its owner calls it; empty for what the account calls itself.
    #[serde(default)]
    #[schemars(length(max = 100))]
    name: Option<String>,
    /// True to have agents use it in place of another of its owner's at its provider.
    #[serde(default)]
    is_default: Option<bool>,
    /// For which calls it is used all the same: conditions as policies write them, `{"path", "op", "value"}`, on `args.…`,
    /// `tool.name`, `tool.class`, `server.slug` and `server.name`; all have to hold. An empty list for none.
    #[serde(default)]
    #[schemars(with = "Option<Vec<serde_json::Map<String, serde_json::Value>>>", length(max = 20))]
    account_if: Option<Box<RawValue>>,
}

/// What last went wrong.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConnectionError")]
struct ErrorView {
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    code: String,
    /// What it means, who can help and how; null where only the provider's words tell.
    meaning: Option<String>,
    /// The provider's own words.
    words: String,
}

/// A connected account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Connection")]
struct ConnectionView {
    id: ConnectionId,
    provider: ProviderId,
    provider_slug: String,
    /// `user`, `team` or `org`.
    owner: &'static str,
    user: Option<UserId>,
    team: Option<TeamId>,
    owner_name: String,
    /// What its owner calls it.
    name: String,
    /// The provider's id of the account.
    account_id: String,
    account_name: String,
    account_email: String,
    workspace: String,
    is_default: bool,
    /// The conditions under which a call uses it although another is the default; none where it has no rule.
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    account_if: Box<RawValue>,
    /// `active`, `refreshing`, `error_backoff`, `needs_reauth`, `revoked` or `disabled`.
    state: &'static str,
    /// Why, as a code; empty while all is well.
    reason: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    since: OffsetDateTime,
    /// What was granted.
    scopes: Vec<String>,
    /// Whether new tokens are fetched without its owner.
    renews_itself: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    last_ok_at: Option<OffsetDateTime>,
    last_error: Option<ErrorView>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: OffsetDateTime,
    version: i64,
}

impl From<Connection> for ConnectionView {
    fn from(one: Connection) -> Self {
        Self {
            id: one.id,
            provider: one.provider,
            provider_slug: one.provider_slug,
            owner: one.owner.kind(),
            user: one.owner.user(),
            team: one.owner.team(),
            owner_name: one.owner_name,
            name: one.name,
            account_id: one.label.id,
            account_name: one.label.name,
            account_email: one.label.email,
            workspace: one.label.workspace,
            is_default: one.is_default,
            account_if: conditions(one.account_if),
            state: one.state.as_str(),
            reason: one.reason,
            since: one.since,
            scopes: one.scopes,
            renews_itself: one.has_refresh,
            expires_at: one.expires_at,
            last_ok_at: one.last_ok_at,
            last_error: one.last_error.map(|error| ErrorView {
                at: error.at,
                meaning: meaning(&one.provider_name, &error.code),
                code: error.code,
                words: error.words,
            }),
            created_at: one.created_at,
            updated_at: one.updated_at,
            version: one.version,
        }
    }
}

/// Conditions as they are stored, as JSON.
fn conditions(stored: String) -> Box<RawValue> {
    let text = if stored.is_empty() { "[]".to_owned() } else { stored };
    RawValue::from_string(text).unwrap_or_default()
}

impl Versioned for ConnectionView {
    fn version(&self) -> i64 {
        self.version
    }
}

/// What a trial came to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConnectionTrial")]
struct ProbeView {
    /// Whether there is a token, and nothing is known to be wrong with it.
    ok: bool,
    /// Whether the provider was asked, and takes the token; not every one can be asked.
    taken: bool,
    /// What went wrong; null where all is well.
    fault: Option<String>,
    connection: ConnectionView,
}

impl From<Probed> for ProbeView {
    fn from(probed: Probed) -> Self {
        Self {
            ok: probed.fault.is_none(),
            taken: probed.is_taken,
            fault: probed.fault,
            connection: probed.connection.into(),
        }
    }
}

/// An account that was disconnected.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EndedConnection")]
struct EndedView {
    /// What became of it at the provider: `ended`, `failed`, or `by_hand` where only its owner can end it there.
    upstream: &'static str,
    /// The provider's own page on which its owner ends it there, where one is known.
    settings_url: Option<String>,
    connection: ConnectionView,
}

impl From<Ended> for EndedView {
    fn from(ended: Ended) -> Self {
        Self {
            upstream: ended.upstream.as_str(),
            settings_url: ended.provider.settings_page(),
            connection: ended.connection.into(),
        }
    }
}

async fn list(cx: KeyAsk, Params(query): Params<ConnectionQuery>) -> ApiResult {
    let filter = ConnectionFilter {
        user: query.user,
        is_shared: query.shared.unwrap_or_default(),
        provider: query.provider,
        state: query.state.map(ConnectionState::from),
    };
    let page = connections::list(&cx, &filter, &query.page.parse()?).await?;
    Ok(json::plain(StatusCode::OK, &Listed::from(page.map(ConnectionView::from))))
}

async fn connect(cx: KeyAsk, Body(body): Body<ConnectBody>) -> ApiResult {
    let input = BeginInput {
        provider: body.provider,
        connection: body.connection,
        owner: body.owner,
        scopes: body.scopes,
        return_to: String::new(),
        agent: String::new(),
    };
    let offer = connections::offer(&cx, &input).await?;
    // Only a browser in which the person is signed in goes to the provider, so the address is one of our own pages.
    let page = cx.ports.site.url(&format!("/me/accounts/{}/connect/{}", cx.org.slug, offer.provider.slug));
    let scopes = input.scopes.join(" ");
    let more = [
        ("connection", input.connection.as_deref().unwrap_or_default()),
        ("for", input.owner.as_str()),
        ("scopes", scopes.as_str()),
    ];
    let more = more.into_iter().filter(|(_, value)| !value.is_empty());
    Ok(json::plain(StatusCode::OK, &ConnectView { authorize_url: with_query(&page, more) }))
}

async fn show(cx: KeyAsk, Path((_, id)): Path<(String, String)>) -> ApiResult {
    let sheet = connections::find(&cx, &id).await?;
    Ok(json::one(StatusCode::OK, &ConnectionView::from(sheet.connection)))
}

async fn change(
    cx: KeyAsk,
    Path((_, id)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<ChangeBody>,
) -> ApiResult {
    let account_if = body.account_if.map(|conditions| conditions.get().to_owned());
    let change = ConnectionChange { name: body.name, is_default: body.is_default, account_if };
    let sheet = connections::change(&cx, &id, &change, seen).await?;
    Ok(json::one(StatusCode::OK, &ConnectionView::from(sheet.connection)))
}

async fn test(cx: KeyAsk, Path((_, id)): Path<(String, String)>) -> ApiResult {
    Ok(json::plain(StatusCode::OK, &ProbeView::from(connections::probe(&cx, &id, false).await?)))
}

async fn refresh(cx: KeyAsk, Path((_, id)): Path<(String, String)>) -> ApiResult {
    Ok(json::plain(StatusCode::OK, &ProbeView::from(connections::probe(&cx, &id, true).await?)))
}

async fn disable(cx: KeyAsk, Path((_, id)): Path<(String, String)>) -> ApiResult {
    let connection = connections::switch_off(&cx, &id).await?;
    Ok(json::one(StatusCode::OK, &ConnectionView::from(connection)))
}

async fn enable(cx: KeyAsk, Path((_, id)): Path<(String, String)>) -> ApiResult {
    let connection = connections::switch_on(&cx, &id).await?;
    Ok(json::one(StatusCode::OK, &ConnectionView::from(connection)))
}

async fn disconnect(cx: KeyAsk, Path((_, id)): Path<(String, String)>) -> ApiResult {
    Ok(json::plain(StatusCode::OK, &EndedView::from(connections::disconnect(&cx, &id).await?)))
}
