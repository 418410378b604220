//! Servers of MCP that protect themselves with OAuth: found out, registered with, and called with the account of whoever asks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::{Value, json};

use crate::kit::{
    app::TestApp,
    fake_server::{Asked, FakeServer, Script},
    http::Script as Key,
    people::{Person, PlantedOrg},
};

mod moved;
mod signing;

const PROVIDER: &str = "/api/v1/orgs/acme/servers/linear/provider";
const ONE: &str = "/api/v1/orgs/acme/providers/linear";

/// How the fake stands.
#[derive(Clone)]
struct Stands {
    /// What it calls itself; nothing where it publishes nothing.
    resource: Option<&'static str>,
    /// The path of the authorization server whose tokens it takes.
    issuer: &'static str,
    /// Whether that one describes itself.
    describes: bool,
    pkce: bool,
    registers: bool,
    scope: &'static str,
    /// Whether it asks who calls.
    asks: bool,
    /// Whether what it publishes cannot be read for now.
    away: bool,
    /// Where tokens are given.
    token: &'static str,
    /// Whether it says where a token is ended.
    revokes: bool,
    /// Whether nothing is ended there for now.
    deaf: bool,
    /// Whether its clients sign.
    signs: bool,
}

const USUAL: Stands = Stands {
    resource: Some("/mcp"),
    issuer: "/as",
    describes: true,
    pkce: true,
    registers: true,
    scope: "",
    asks: true,
    away: false,
    token: "/token",
    revokes: false,
    deaf: false,
    signs: false,
};

/// A server, and the authorization server beside it.
async fn fake(stands: Stands) -> (FakeServer, Arc<Mutex<Stands>>) {
    let stands = Arc::new(Mutex::new(stands));
    let told = Arc::clone(&stands);
    let server = FakeServer::answering(move |asked| answer(asked, &told.lock().unwrap().clone()));
    (server.await, stands)
}

fn answer(asked: &Asked, stands: &Stands) -> Script {
    let origin = format!("http://{}", asked.header("host").unwrap());
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let fields = |text: &str| serde_urlencoded::from_str::<HashMap<String, String>>(text).unwrap();
    let nothing = || Script::answer("404 Not Found", &[], "");
    let issuer = format!("{origin}{}", stands.issuer);
    if stands.away && path.contains("/.well-known/") {
        return Script::answer("503 Service Unavailable", &[], "");
    }
    match path {
        "/mcp" | "/two" => mcp(asked, stands, &origin),
        "/.well-known/oauth-protected-resource/two" => Script::json(
            &json!({ "resource": format!("{origin}/two"), "authorization_servers": [issuer] }).to_string(),
        ),
        "/.well-known/oauth-protected-resource/mcp" => match stands.resource {
            Some(resource) => Script::json(
                &json!({ "resource": format!("{origin}{resource}"), "authorization_servers": [issuer],
                    "scopes_supported": ["read", "write"] })
                .to_string(),
            ),
            None => nothing(),
        },
        path if path == format!("/.well-known/oauth-authorization-server{}", stands.issuer)
            && stands.describes =>
        {
            let mut described = json!({ "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}{}", stands.token), "scopes_supported": ["read", "offline_access"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "authorization_response_iss_parameter_supported": true });
            if stands.signs {
                described["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]);
                described["token_endpoint_auth_signing_alg_values_supported"] = json!(["RS256", "ES256"]);
            }
            if stands.pkce {
                described["code_challenge_methods_supported"] = json!(["S256"]);
            }
            if stands.revokes {
                described["revocation_endpoint"] = json!(format!("{issuer}/revoke"));
            }
            if stands.registers {
                described["registration_endpoint"] = json!(format!("{issuer}/register"));
            }
            Script::json(&described.to_string())
        }
        path if path.ends_with("/register") => {
            let told: Value = serde_json::from_slice(&asked.body).unwrap();
            assert_eq!(told["application_type"], "web");
            if stands.signs {
                assert_eq!(told["token_endpoint_auth_method"], "private_key_jwt");
                assert!(
                    told["jwks_uri"].as_str().unwrap().ends_with("/jwks.json") && told.get("jwks").is_none()
                );
                let client = json!({ "client_id": format!("client{}", stands.issuer) });
                return Script::answer(
                    "201 Created",
                    &[("content-type", "application/json")],
                    client.to_string(),
                );
            }
            let client =
                json!({ "client_id": format!("client{}", stands.issuer), "client_secret": "s3cret-there" });
            Script::answer("201 Created", &[("content-type", "application/json")], client.to_string())
        }
        path if path.ends_with("/revoke") => match stands.deaf {
            true => Script::answer("503 Service Unavailable", &[], ""),
            false => Script::answer("200 OK", &[], ""),
        },
        path if path.ends_with("/authorize") => {
            let asked = fields(query);
            let back = format!("{}?code=c&state={}&iss={issuer}", asked["redirect_uri"], asked["state"]);
            Script::redirect(&back)
        }
        path if path.ends_with("/token") || path.ends_with("/new-token") => {
            let asked = fields(std::str::from_utf8(&asked.body).unwrap());
            let is_known = asked.get("client_secret").is_none_or(|secret| secret == "s3cret-there");
            assert!(is_known && asked["resource"].starts_with(&origin), "{asked:?}");
            assert_eq!(asked.contains_key("client_assertion"), stands.signs, "{asked:?}");
            Script::json(
                &json!({ "access_token": "token-there", "refresh_token": "r", "expires_in": 3600 })
                    .to_string(),
            )
        }
        _ => nothing(),
    }
}

fn mcp(asked: &Asked, stands: &Stands, origin: &str) -> Script {
    if stands.asks && asked.header("authorization") != Some("Bearer token-there") {
        let place = format!("{origin}/.well-known/oauth-protected-resource{}", asked.path);
        let scope = stands.scope;
        let challenge = match stands.resource {
            Some(_) => format!("Bearer resource_metadata=\"{place}\", scope=\"{scope}\""),
            None => "Bearer".to_owned(),
        };
        return Script::answer("401 Unauthorized", &[("www-authenticate", &challenge)], "");
    }
    let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let result = match message["method"].as_str().unwrap_or_default() {
        "tools/list" => json!({ "tools": [{ "name": "list_issues", "inputSchema": { "type": "object" } }],
            "resultType": "complete", "ttlMs": 0, "cacheScope": "public" }),
        "server/discover" => json!({ "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} },
            "resultType": "complete", "ttlMs": 0, "cacheScope": "public" }),
        _ => json!({ "resultType": "complete" }),
    };
    Script::json(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string())
}

struct Stage {
    app: TestApp,
    org: PlantedOrg,
    admin: Person,
    key: Key,
    server: FakeServer,
    stands: Arc<Mutex<Stands>>,
}

async fn stage(stands: Stands) -> Stage {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let (server, stands) = fake(stands).await;
    app.server_at(&org, "linear", &server.url("/mcp")).await;
    let admin = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, admin.id, Role::Admin, &["*"]).await;
    Stage { app, org, admin, key, server, stands }
}

impl Stage {
    async fn refused(&self, code: &str) -> String {
        let refused = self.key.post(PROVIDER, json!({})).await.expect(StatusCode::CONFLICT);
        assert_eq!(refused.text("/code"), code, "{:?}", refused.body);
        assert_eq!(self.app.number("select count(*) from providers").await, 0, "nothing is half registered");
        refused.text("/detail").to_owned()
    }

    fn asked(&self, path: &str) -> Vec<Asked> {
        self.server.asked().into_iter().filter(|asked| asked.path.starts_with(path)).collect()
    }
}

#[tokio::test]
async fn a_server_names_its_provider_and_one_step_later_its_tools_are_read() {
    let mut stage = stage(USUAL).await;
    let made = stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    assert_eq!((made.text("/slug"), made.text("/enrolment")), ("linear", "registered"));
    assert_eq!(made.text("/client_id"), "client/as");
    assert_eq!(made.body["scopes"], json!(["read", "write", "offline_access"]));
    let resource = stage.server.url("/mcp");
    assert_eq!(made.text("/resource"), resource);
    // Who saw the server before that does not change it unseen.
    let server = stage.key.get("/api/v1/orgs/acme/servers/linear").await.expect(StatusCode::OK);
    assert_eq!(server.body["version"], 2);
    let carries = stage.key.get("/api/v1/orgs/acme/servers/linear/credentials").await.expect(StatusCode::OK);
    assert_eq!((carries.text("/items/0/source"), carries.text("/items/0/provider")), ("oauth", "linear"));
    stage.app.connected(&stage.org, &mut stage.admin, "linear").await;
    let asked = stage.asked("/as/authorize");
    let named =
        format!("resource={}", url::form_urlencoded::byte_serialize(resource.as_bytes()).collect::<String>());
    assert!(asked[0].path.contains(&named), "{}", asked[0].path);
    stage.key.post("/api/v1/orgs/acme/servers/linear/refresh", json!({})).await.expect(StatusCode::OK);
    let tools = stage.key.get("/api/v1/orgs/acme/servers/linear/tools").await.expect(StatusCode::OK);
    assert_eq!(tools.text("/items/0/name"), "list_issues");
    let actions = stage.app.recorded(&stage.org).await;
    assert_eq!(actions[..2], ["provider.created", "server.credentials_changed"], "{actions:?}");
}

#[tokio::test]
async fn what_a_server_asks_for_counts_before_what_it_knows() {
    let stage = stage(Stands { scope: "issues", ..USUAL }).await;
    let made = stage.key.post(PROVIDER, json!({ "slug": "tracker" })).await.expect(StatusCode::CREATED);
    assert_eq!(made.body["scopes"], json!(["issues", "offline_access"]));
    assert_eq!(made.text("/slug"), "tracker");
    // A second one of that name is refused at its field, and nothing is changed.
    let again = stage.key.post(PROVIDER, json!({ "slug": "tracker" })).await;
    assert_eq!(again.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/errors/0/path"), "slug");
}

#[tokio::test]
async fn what_stands_in_the_way_is_said_and_nothing_is_registered() {
    let open = stage(Stands { asks: false, ..USUAL }).await;
    assert!(open.refused("server_asks_nobody").await.contains("without asking who calls"));
    let other = stage(Stands { resource: Some("/other"), ..USUAL }).await;
    assert!(other.refused("server_is_another").await.contains("describes another server"));
    let weak = stage(Stands { pkce: false, ..USUAL }).await;
    assert!(weak.refused("server_without_pkce").await.contains("PKCE"));
    let silent = stage(Stands { describes: false, ..USUAL }).await;
    assert!(silent.refused("server_issuer_silent").await.contains("does not describe itself"));
    let closed = stage(Stands { registers: false, ..USUAL }).await;
    assert!(closed.refused("provider_registers_nobody").await.contains("/oauth/callback/prv_"));
    // With a client that somebody registered there it goes on.
    let own = json!({ "client_id": "ours", "client_secret": "s3cret-there" });
    let made = closed.key.post(PROVIDER, own).await.expect(StatusCode::CREATED);
    assert_eq!((made.text("/enrolment"), made.text("/client_id")), ("entered", "ours"));
    assert_eq!((&made.body["has_secret"], made.text("/client_auth")), (&json!(true), "post"));
}

#[tokio::test]
async fn servers_of_the_first_revision_give_their_tokens_themselves() {
    let stage = stage(Stands { resource: None, issuer: "", describes: false, ..USUAL }).await;
    let mut admin = stage.admin;
    let made = stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    assert_eq!(made.text("/token_url"), stage.server.url("/token"));
    assert_eq!(made.text("/resource"), stage.server.url("/mcp"));
    // Where it does describe itself, that counts.
    stage.app.change("delete from server_credentials").await;
    stage.app.change("delete from providers").await;
    *stage.stands.lock().unwrap() = Stands { resource: None, issuer: "", ..USUAL };
    stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    stage.app.connected(&stage.org, &mut admin, "linear").await;
    assert_eq!(stage.app.number("select count(*) from connections where state = 'active'").await, 1);
}

#[tokio::test]
async fn two_servers_of_one_authorization_server_share_one_client() {
    let mut stage = stage(Stands { scope: "read", ..USUAL }).await;
    let first = stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    stage.app.server_at(&stage.org, "two", &stage.server.url("/two")).await;
    let path = "/api/v1/orgs/acme/servers/two/provider";
    let second = stage.key.post(path, json!({})).await.expect(StatusCode::CREATED);
    assert_eq!(stage.asked("/as/register").len(), 1, "known there already");
    assert_eq!(second.text("/client_id"), first.text("/client_id"));
    assert_eq!(second.text("/shares_client_of"), first.text("/id"));
    assert_eq!(second.text("/callback_url"), first.text("/callback_url"), "the one that is registered there");
    assert_eq!(second.text("/resource"), stage.server.url("/two"), "its tokens are for its own server");
    for slug in ["linear", "two"] {
        stage.app.connected(&stage.org, &mut stage.admin, slug).await;
    }
    assert_eq!(stage.app.number("select count(*) from connections where state = 'active'").await, 2);
    assert_eq!(stage.app.number("select count(distinct provider_id) from connections").await, 2);
    let page = stage.admin.browser.get("/o/acme/providers/two").await.expect(StatusCode::OK);
    assert!(page.says("It shares the client, and its callback address"), "{}", page.body);
    for slug in ["linear", "two"] {
        let page = stage.admin.browser.get(&format!("/o/acme/providers/{slug}")).await.expect(StatusCode::OK);
        assert!(page.says("enter a new one there too"), "{}", page.body);
        assert!(page.says("leave it as it is at the authorization server"), "what the other one still uses");
    }

    // A client is registered with scopes: one that needs more is another.
    stage.stands.lock().unwrap().scope = "read issues";
    stage.app.server_at(&stage.org, "three", &stage.server.url("/two")).await;
    let third = stage.key.post("/api/v1/orgs/acme/servers/three/provider", json!({})).await;
    let third = third.expect(StatusCode::CREATED);
    assert_eq!((stage.asked("/as/register").len(), &third.body["shares_client_of"]), (2, &Value::Null));
    assert!(third.text("/callback_url").ends_with(third.text("/id")));
    // What one of them is sent back with is nothing at the callback of another.
    let own = format!("/oauth/callback/{}?code=c&state=unknown", third.text("/id"));
    let page = stage.admin.browser.get(&own).await.expect(StatusCode::CONFLICT);
    assert!(page.says("Nothing was connected"), "{}", page.body);
}

#[tokio::test]
async fn a_provider_that_is_switched_off_lends_its_client_to_nobody() {
    let stage = stage(Stands { scope: "read", ..USUAL }).await;
    stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    stage.key.post(&format!("{ONE}/disable"), json!({})).await.expect(StatusCode::OK);
    stage.app.server_at(&stage.org, "two", &stage.server.url("/two")).await;
    let path = "/api/v1/orgs/acme/servers/two/provider";
    let second = stage.key.post(path, json!({})).await.expect(StatusCode::CREATED);
    assert_eq!((stage.asked("/as/register").len(), &second.body["shares_client_of"]), (2, &Value::Null));
    assert!(second.text("/callback_url").ends_with(second.text("/id")));
}

#[tokio::test]
async fn a_client_that_somebody_entered_in_place_of_a_registered_one_is_theirs_alone() {
    let stage = stage(Stands { scope: "read", ..USUAL }).await;
    stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    let own = Some(json!({ "client_id": "ours" }));
    let changed = stage.key.send(Method::PATCH, ONE, &[], own).await.expect(StatusCode::OK);
    assert_eq!((changed.text("/client_id"), changed.text("/enrolment")), ("ours", "entered"));
    stage.app.server_at(&stage.org, "two", &stage.server.url("/two")).await;
    let path = "/api/v1/orgs/acme/servers/two/provider";
    let second = stage.key.post(path, json!({})).await.expect(StatusCode::CREATED);
    assert_eq!(second.text("/client_id"), "client/as");
    stage.stands.lock().unwrap().issuer = "/new";
    let refused = stage.key.post(&format!("{ONE}/rediscover"), json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "provider_moved");
}

#[tokio::test]
async fn in_the_console_it_is_one_page_that_keeps_what_was_typed() {
    let mut stage = stage(Stands { registers: false, ..USUAL }).await;
    let credentials = "/o/acme/servers/linear/credentials";
    let page = stage.admin.browser.get(credentials).await.expect(StatusCode::OK);
    assert!(page.says("Sign in with OAuth"), "{}", page.body);
    let path = "/o/acme/servers/linear/provider";
    let page = stage.admin.browser.get(path).await.expect(StatusCode::OK);
    assert!(page.says("Find and register") && page.says("/oauth/callback/prv_"), "{}", page.body);
    let refused = stage.admin.browser.submit(&page, path, &[]).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("registers nobody by itself"), "{}", refused.body);
    // The callback that was to be registered there is still the one.
    let callback = |text: &str| text[text.find("/oauth/callback/prv_").unwrap()..][..46].to_owned();
    assert_eq!(callback(&refused.body), callback(&page.body));
    let own = [("client_id", "ours"), ("client_secret", "s3cret-there")];
    let done = stage.admin.browser.submit(&refused, path, &own).await.expect(StatusCode::SEE_OTHER);
    assert!(done.location().unwrap().starts_with("/me/accounts/acme/connect/linear?return_to="));
    let page = stage.admin.browser.get(credentials).await.expect(StatusCode::OK);
    assert!(!page.says("Sign in with OAuth") && page.says("Account at"), "{}", page.body);
    let page = stage.admin.browser.get("/o/acme/providers/linear").await.expect(StatusCode::OK);
    assert!(page.says("Named by the server") && page.says("Ask again"), "{}", page.body);
}

#[tokio::test]
async fn the_document_of_a_client_says_what_its_address_says_and_tells_nothing_of_who_is_here() {
    let stage = stage(USUAL).await;
    let made = stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    let shown = async |id: &str| stage.app.visitor().get(&format!("/oauth/clients/{id}")).await;
    let known = shown(made.text("/id")).await.expect(StatusCode::OK);
    let document: Value = serde_json::from_str(&known.body).unwrap();
    assert_eq!(document["redirect_uris"], json!([made.text("/callback_url")]));
    assert!(
        document["client_id"].as_str().unwrap().ends_with(&format!("/oauth/clients/{}", made.text("/id")))
    );
    assert_eq!(document["token_endpoint_auth_method"], "none");
    let stranger = portreeve::base::ids::ProviderId::fresh().to_string();
    shown(&stranger).await.expect(StatusCode::OK);
    shown("nobody").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_cannot_be_read_for_now_moves_nobody_and_registers_nothing() {
    let mut stage = stage(USUAL).await;
    stage.stands.lock().unwrap().away = true;
    assert!(stage.refused("server_description_away").await.contains("right now"));
    stage.stands.lock().unwrap().away = false;
    stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    stage.app.connected(&stage.org, &mut stage.admin, "linear").await;
    let registered = stage.asked("/as/register").len();
    stage.stands.lock().unwrap().away = true;
    let again = stage.key.post(&format!("{ONE}/rediscover"), json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(again.text("/code"), "server_description_away");
    assert_eq!(stage.app.number("select count(*) from connections where sealed_tokens is not null").await, 1);
    assert_eq!((stage.asked("/as/register").len(), stage.asked("/register").len()), (registered, 0));
}

#[tokio::test]
async fn a_server_that_stands_for_more_than_its_address_is_asked_at_its_address() {
    let stage = stage(Stands { resource: Some(""), ..USUAL }).await;
    let made = stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    assert_eq!(made.text("/resource"), stage.server.url("").trim_end_matches('/'));
    let same = stage.key.post(&format!("{ONE}/rediscover"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(same.body["version"], 1);
    // Another server cannot be given the same accounts, and does not say whose they are.
    let (other, _) = fake(Stands { issuer: "/other", ..USUAL }).await;
    stage.app.server_at(&stage.org, "another", &other.url("/mcp")).await;
    let carries = json!([{ "target": "header", "name": "Authorization", "source": "oauth", "provider": "linear",
        "template": "Bearer {value}" }]);
    let path = "/api/v1/orgs/acme/servers/another/credentials";
    let refused = stage.key.send(Method::PUT, path, &[], Some(carries)).await;
    assert_eq!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/errors/0/path"), "provider");
    let same = stage.key.post(&format!("{ONE}/rediscover"), json!({})).await.expect(StatusCode::OK);
    assert_eq!((&same.body["version"], other.asked().len()), (&json!(1), 0));
}

#[tokio::test]
async fn what_the_same_authorization_server_says_otherwise_is_taken_over_and_nobody_is_disconnected() {
    let mut stage = stage(USUAL).await;
    stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    stage.app.connected(&stage.org, &mut stage.admin, "linear").await;
    stage.stands.lock().unwrap().token = "/new-token";
    let after = stage.key.post(&format!("{ONE}/rediscover"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(
        (after.text("/token_url"), after.text("/client_id")),
        (stage.server.url("/as/new-token").as_str(), "client/as")
    );
    assert_eq!(stage.app.number("select count(*) from connections where state = 'active'").await, 1);
}
