//! Clients that sign in place of showing a secret (RFC 7523), at an authorization server that takes nothing twice.

use http::StatusCode;
use portreeve::{
    base::{crypto::ecdsa::EcSignKey, ids::ProviderId, permission::Role},
    protocol::oauth::assertion::{ASSERTION_TYPE, ClientKey, key_set},
};
use serde_json::{Value, json};
use time::Duration;

use crate::kit::{
    app::TestApp,
    fake_provider::FakeProvider,
    http::{Answer, Page, Script},
    people::{Person, PlantedOrg},
};

const PROVIDERS: &str = "/api/v1/orgs/acme/providers";
const HUB: &str = "/api/v1/orgs/acme/providers/hub";

struct Stage {
    app: TestApp,
    org: PlantedOrg,
    admin: Person,
    key: Script,
    hub: FakeProvider,
}

/// A provider that takes only what its client signs, registered here.
async fn stage(more: Value) -> (Stage, Answer) {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let admin = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, admin.id, Role::Admin, &["*"]).await;
    let hub = FakeProvider::start().await;
    let mut body = json!({ "slug": "hub", "name": "Hub", "token_url": hub.at("/token"), "revoke_url": hub.at("/revoke"),
        "client_id": "client-1", "client_auth": "private_key_jwt", "scopes": ["read"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    for field in ["authorize_url", "userinfo_url"] {
        if let Some(path) = body[field].as_str().map(str::to_owned) {
            body[field] = hub.at(&path).into();
        }
    }
    let made = key.post(PROVIDERS, body).await.expect(StatusCode::CREATED);
    let stage = Stage { app, org, admin, key, hub };
    stage.hub.demand_signatures(&stage.shown(&made).await, &stage.app.clock);
    (stage, made)
}

/// People sign in there.
fn for_people() -> Value {
    json!({ "authorize_url": "/authorize", "userinfo_url": "/me" })
}

impl Stage {
    async fn keys(&self, made: &Answer) -> Page {
        let path = made.text("/jwks_url").strip_prefix(self.app.origin()).expect("an address of ours");
        self.app.visitor().get(path).await
    }

    async fn shown(&self, made: &Answer) -> Value {
        serde_json::from_str(&self.keys(made).await.expect(StatusCode::OK).body).unwrap()
    }
}

fn names(keys: &Value) -> Vec<&str> {
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_client_that_signs_connects_renews_and_ends_and_no_secret_is_sent() {
    let (mut stage, made) = stage(for_people()).await;
    assert_eq!((made.text("/client_auth"), &made.body["has_secret"]), ("private_key_jwt", &json!(true)));
    let id = stage.app.connected(&stage.org, &mut stage.admin, "hub").await;
    stage.app.clock.advance(Duration::hours(2));
    let one = format!("/api/v1/orgs/acme/connections/{id}");
    let tried = stage.key.post(&format!("{one}/test"), json!({})).await.expect(StatusCode::OK);
    assert_eq!((&tried.body["ok"], &tried.body["taken"]), (&json!(true), &json!(true)), "{:#}", tried.body);
    assert_eq!(stage.hub.presented().len(), 1, "renewed once");
    let ended = stage.key.post(&format!("{one}/disconnect"), json!({})).await.expect(StatusCode::OK);
    assert_eq!((ended.text("/upstream"), stage.hub.revoked().len()), ("ended", 1));
    // For the code, the renewal and the end: each was signed for itself.
    let signed = stage.hub.signed();
    assert_eq!(signed.len(), 3);
    // What was signed is in no event, and the private half in no answer.
    for said in &signed {
        let query = format!("select count(*) from events where position('{said}'::bytea in record) > 0");
        assert_eq!(stage.app.number(&query).await, 0);
    }
    for key in stage.shown(&made).await["keys"].as_array().unwrap() {
        assert_eq!(key.get("d"), None);
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_another_signature() {
    let (mut stage, _) = stage(for_people()).await;
    let id = stage.app.connected(&stage.org, &mut stage.admin, "hub").await;
    stage.app.clock.advance(Duration::hours(2));
    stage.hub.next(crate::kit::fake_provider::Mishap::Lose);
    stage.key.post(&format!("/api/v1/orgs/acme/connections/{id}/test"), json!({})).await;
    let signed = stage.hub.signed();
    let (before, again) = (&signed[signed.len() - 2], &signed[signed.len() - 1]);
    assert_eq!((stage.hub.presented().len(), before == again), (2, false));
}

#[tokio::test]
async fn a_client_in_its_own_name_signs_as_well() {
    let (mut stage, _) = stage(json!({ "kind": "client_credentials" })).await;
    let connect = "/me/accounts/acme/connect/hub";
    let page = stage.admin.browser.get(connect).await.expect(StatusCode::OK);
    let done = stage.admin.browser.submit(&page, &format!("{connect}/client"), &[]).await;
    done.expect(StatusCode::SEE_OTHER);
    let page = stage.admin.browser.get("/o/acme/providers/hub").await.expect(StatusCode::OK);
    let tried = stage.admin.browser.submit(&page, "/o/acme/providers/hub/try/client", &[]).await;
    assert!(tried.says("Hub knows the client and takes what it signs."), "{}", tried.body);
    assert!(stage.hub.signed().len() >= 2);
}

#[tokio::test]
async fn another_key_signs_at_once_and_the_one_before_is_shown_for_two_days() {
    let (mut stage, made) = stage(for_people()).await;
    let first = stage.shown(&made).await;
    let id = stage.app.connected(&stage.org, &mut stage.admin, "hub").await;
    let rotate = format!("{HUB}/rotate");
    let secret = stage.key.post(&rotate, json!({ "client_secret": "s3cret" })).await;
    let secret = secret.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(secret.text("/errors/0/path"), "client_secret");
    let rotated = stage.key.post(&rotate, json!({})).await.expect(StatusCode::OK);
    assert_eq!((rotated.text("/jwks_url"), &rotated.body["version"]), (made.text("/jwks_url"), &json!(2)));
    let both = stage.shown(&made).await;
    assert_eq!((names(&both).len(), names(&both)[1]), (2, names(&first)[0]));
    // Whoever reads the keys anew when it sees one that it does not know goes on.
    stage.hub.demand_signatures(&both, &stage.app.clock);
    stage.app.clock.advance(Duration::hours(2));
    let test = format!("/api/v1/orgs/acme/connections/{id}/test");
    let tried = stage.key.post(&test, json!({})).await.expect(StatusCode::OK);
    assert_eq!(tried.body["ok"], json!(true), "{:#}", tried.body);
    stage.app.clock.advance(Duration::hours(46));
    let last = stage.shown(&made).await;
    assert_eq!(names(&last), [names(&both)[0]]);
    // On its page it is one button, and the record says who pressed it.
    stage.admin.browser = stage.app.signed_in(stage.admin.id).await;
    let page = stage.admin.browser.get("/o/acme/providers/hub").await.expect(StatusCode::OK);
    assert!(page.says("Signing key") && page.says(made.text("/jwks_url")), "{}", page.body);
    let done = stage.admin.browser.submit(&page, "/o/acme/providers/hub/rotate", &[]).await;
    assert!(stage.admin.browser.follow(done).await.says("signs from now on"));
    let recorded = stage.app.recorded(&stage.org).await;
    let rotations = recorded.iter().filter(|action| *action == "provider.key_rotated").count();
    assert_eq!(rotations, 2, "{recorded:?}");
    assert_eq!(stage.app.number("select count(*) from provider_keys").await, 2, "what is over is forgotten");
}

#[tokio::test]
async fn in_the_console_a_key_is_chosen_and_the_form_has_its_address() {
    let (app, hub) = (TestApp::start().await, FakeProvider::start().await);
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let page = ada.get("/o/acme/providers/new?of=client_credentials").await.expect(StatusCode::OK);
    let address = |page: &Page| {
        let start = page.body.find("/oauth/clients/prv_").expect("the address of a key");
        page.body[start..].split_once(".json").expect("the address of a key").0.to_owned()
    };
    let (token_url, before) = (hub.at("/token"), address(&page));
    let both = [
        ("name", "Robots"),
        ("token_url", token_url.as_str()),
        ("client_id", "client-1"),
        ("client_auth", "private_key_jwt"),
        ("client_secret", "s3cret"),
    ];
    let new = "/o/acme/providers/new";
    let refused = ada.submit(&page, new, &both).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.says("has a key and no secret"), "{}", refused.body);
    let done = ada.submit(&refused, new, &both[..4]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.follow(done).await.expect(StatusCode::OK);
    assert!(page.says("Signing key") && !page.says("Client secret"), "{}", page.body);
    assert_eq!(address(&page), before);
    assert_eq!(app.recorded(&org).await, ["provider.created"]);
}

#[tokio::test]
async fn keys_are_read_by_anybody_and_tell_of_nothing_else() {
    let (stage, made) = stage(for_people()).await;
    let keys = stage.keys(&made).await.expect(StatusCode::OK);
    assert_eq!(keys.headers["cache-control"], "public, max-age=300");
    assert!(!keys.headers.contains_key("set-cookie"), "whoever keeps it for others keeps nobody's cookie");
    assert_eq!(keys.headers["content-type"], "application/json");
    let said: Value = serde_json::from_str(&keys.body).unwrap();
    let mut members: Vec<_> = said["keys"][0].as_object().unwrap().keys().collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    // A provider that is not there, and one whose client shows a secret, answer as what is no id.
    let plain = stage.app.hub(&stage.org, "plain", &stage.hub).await.to_string();
    for id in [plain, ProviderId::fresh().to_string(), "nobody".to_owned()] {
        let path = format!("/oauth/clients/{id}/jwks.json");
        let page = stage.app.visitor().get(&path).await.expect(StatusCode::NOT_FOUND);
        assert_eq!(page.headers["cache-control"], "no-store");
    }
    // With the provider its keys go.
    stage.key.send(http::Method::DELETE, HUB, &[], None).await.expect(StatusCode::NO_CONTENT);
    stage.keys(&made).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_server_of_these_tests_takes_nothing_twice_and_nothing_for_somebody_else() {
    let (app, hub) = (TestApp::start().await, FakeProvider::start().await);
    let key = ClientKey::new(EcSignKey::fresh());
    hub.demand_signatures(&key_set(&[key.public()]), &app.clock);
    let now = app.clock.now().unix_timestamp();
    let (token, other) = (hub.at("/token"), ClientKey::new(EcSignKey::fresh()));
    let ask = async |said: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", "client-1"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", said),
        ];
        crate::kit::http::client().post(&token).form(&fields).send().await.unwrap().status()
    };
    let good = key.assertion("client-1", &token, [1; 16], now);
    assert_eq!(ask(good.expose()).await, StatusCode::OK);
    for (what, said) in [
        ("a second time", good),
        ("for another", key.assertion("client-1", &hub.at("/"), [2; 16], now)),
        ("of another client", key.assertion("client-2", &token, [3; 16], now)),
        ("over", key.assertion("client-1", &token, [4; 16], now - 61)),
        ("with a key that it does not know", other.assertion("client-1", &token, [5; 16], now)),
    ] {
        assert_eq!(ask(said.expose()).await, StatusCode::UNAUTHORIZED, "{what}");
    }
}
