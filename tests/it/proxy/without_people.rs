//! Calls that carry what nobody signed in for: the token of a client in its own name, and a key that somebody entered.

use http::{Method, StatusCode};
use portreeve::base::{permission::Role, risk::Class};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    kit::{
        fake_provider::FakeProvider,
        http::{Page, Script},
        people::Person,
    },
    proxy::stage::{Reply, Stage},
};

const SECRET: &str = "s3cret-of-the-client";
const CONNECT: &str = "/me/accounts/acme/connect/hub";

struct Scene {
    stage: Stage,
    hub: FakeProvider,
    admin: Person,
    key: Script,
    /// Whoever the agent acts for, in a browser.
    person: Person,
}

/// The stage's server asks for an account at a provider of this kind.
async fn scene(provider: impl FnOnce(&FakeProvider) -> Value) -> Scene {
    let stage = Stage::with_ceiling(Class::Financial).await;
    let hub = FakeProvider::start().await;
    let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
    let key = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
    key.post("/api/v1/orgs/acme/providers", provider(&hub)).await.expect(StatusCode::CREATED);
    let carries = json!([{ "target": "header", "name": "Authorization", "source": "oauth", "provider": "hub",
        "template": "Bearer {value}" }]);
    let path = "/api/v1/orgs/acme/servers/github/credentials";
    key.send(Method::PUT, path, &[], Some(carries)).await.expect(StatusCode::OK);
    let browser = stage.app.signed_in(stage.person).await;
    let person = Person { id: stage.person, email: String::new(), browser };
    Scene { stage, hub, admin, key, person }
}

async fn of_client() -> Scene {
    scene(|hub| {
        let (token_url, revoke_url) = hub.endpoints();
        json!({ "kind": "client_credentials", "slug": "hub", "name": "Hub", "token_url": token_url, "revoke_url": revoke_url,
            "audience": "https://api.hub.example", "client_id": "robot-1", "client_secret": SECRET, "scopes": ["read"] })
    })
    .await
}

async fn of_keys() -> Scene {
    let body = json!({ "kind": "api_key", "slug": "hub", "name": "Hub", "keys_url": "https://hub.example/settings/keys" });
    scene(|_| body).await
}

impl Scene {
    async fn call(&self) -> Reply {
        let params = json!({ "name": "create_issue", "arguments": { "title": "a" } });
        self.stage.agent.ask("tools/call", params).await
    }

    async fn code(&self) -> String {
        let decision = self.call().await.json()["result"]["_meta"]["portreeve/decision"].clone();
        decision["code"].as_str().unwrap_or_default().to_owned()
    }

    /// What the calls that arrived carried.
    fn carried(&self) -> Vec<String> {
        let reached = self.stage.reached();
        let carried = reached.iter().filter_map(|asked| asked.header("authorization"));
        carried.map(|one| one.strip_prefix("Bearer ").unwrap().to_owned()).collect()
    }
}

/// The id at the end of the address that a browser is sent on to.
fn id_of(page: &Page) -> String {
    page.location().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_that_acts_in_its_own_name_is_connected_once_for_everybody_and_renewed_without_anybody() {
    let mut at = of_client().await;
    assert_eq!(at.code().await, "account_not_connected");
    let told = at.call().await;
    assert!(told.words().contains("An admin can connect one for everybody"), "{}", told.text);
    // Nobody who cannot share accounts is led to a page that would refuse them.
    let refused = at.person.browser.get(CONNECT).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("an owner or admin connects it for everybody"), "{}", refused.body);
    let page = at.admin.browser.get(CONNECT).await.expect(StatusCode::OK);
    assert!(page.says("nobody signs in") && !page.says("You alone"), "{}", page.body);
    let done = at.admin.browser.submit(&page, &format!("{CONNECT}/client"), &[]).await;
    let id = id_of(&done.expect(StatusCode::SEE_OTHER));
    assert_eq!(at.call().await.words(), "done");
    let first = at.carried()[0].clone();
    assert_eq!(at.hub.owner(&first).as_deref(), Some("client for https://api.hub.example"));
    let path = format!("/api/v1/orgs/acme/connections/{id}");
    let shown = at.key.get(&path).await.expect(StatusCode::OK);
    assert_eq!((shown.text("/owner"), shown.text("/account_id")), ("org", "robot-1"));
    assert_eq!(shown.body["renews_itself"], json!(true));
    at.stage.app.clock.advance(Duration::hours(2));
    assert_eq!(at.call().await.words(), "done");
    assert_ne!(at.carried()[1], first, "a new one");
    assert!(at.hub.presented().is_empty(), "no refresh token was sent");
    // Connecting it again is the same account. The browser was idle for too long meanwhile.
    at.admin.browser = at.stage.app.signed_in(at.admin.id).await;
    let page = at.admin.browser.get(CONNECT).await.expect(StatusCode::OK);
    let again = at.admin.browser.submit(&page, &format!("{CONNECT}/client"), &[]).await;
    assert_eq!(id_of(&again.expect(StatusCode::SEE_OTHER)), id);
    assert_eq!(at.call().await.words(), "done");
    let last = at.carried()[2].clone();
    at.key.post(&format!("{path}/disconnect"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(at.hub.revoked(), [last]);
    assert_eq!(at.code().await, "account_not_connected");
}

#[tokio::test]
async fn another_client_is_not_acted_as_before_somebody_connects_it() {
    let mut at = of_client().await;
    let page = at.admin.browser.get(CONNECT).await.expect(StatusCode::OK);
    let connect = format!("{CONNECT}/client");
    let done = at.admin.browser.submit(&page, &connect, &[]).await;
    let id = id_of(&done.expect(StatusCode::SEE_OTHER));
    assert_eq!(at.call().await.words(), "done");
    let change = json!({ "client_id": "robot-2" });
    at.key
        .send(Method::PATCH, "/api/v1/orgs/acme/providers/hub", &[], Some(change))
        .await
        .expect(StatusCode::OK);
    assert_eq!(at.code().await, "account_needs_reauth");
    let page = at.admin.browser.get(&format!("{CONNECT}?connection={id}")).await.expect(StatusCode::OK);
    at.admin.browser.submit(&page, &connect, &[]).await.expect(StatusCode::SEE_OTHER);
    let shown = at.key.get(&format!("/api/v1/orgs/acme/connections/{id}")).await.expect(StatusCode::OK);
    assert_eq!(shown.text("/account_id"), "robot-2");
    assert_eq!(at.call().await.words(), "done");
}

#[tokio::test]
async fn who_leads_a_team_connects_a_client_for_it_and_nobody_else_is_shown_a_dead_end() {
    let at = of_client().await;
    let app = &at.stage.app;
    let mut mia = app.member(&at.stage.org, "Mia Member", Role::Member).await;
    let list = mia.browser.get("/me/accounts").await.expect(StatusCode::OK);
    assert!(!list.says("Connect Hub"), "{}", list.body);
    app.team(&at.stage.org, "crew").await;
    let member = json!({ "person": mia.email, "role": "admin" });
    at.key.post("/api/v1/orgs/acme/teams/crew/members", member).await.expect(StatusCode::CREATED);
    let list = mia.browser.get("/me/accounts").await.expect(StatusCode::OK);
    assert!(list.says("Connect Hub"), "{}", list.body);
    let page = mia.browser.get(CONNECT).await.expect(StatusCode::OK);
    let done = mia.browser.submit(&page, &format!("{CONNECT}/client"), &[]).await;
    let id = id_of(&done.expect(StatusCode::SEE_OTHER));
    let shown = at.key.get(&format!("/api/v1/orgs/acme/connections/{id}")).await.expect(StatusCode::OK);
    assert_eq!((shown.text("/owner"), shown.text("/owner_name")), ("team", "crew"));
}

#[tokio::test]
async fn a_client_that_gets_no_token_says_why_and_goes_on_by_itself_when_it_does() {
    let mut at = of_client().await;
    at.hub.be_down(true);
    let page = at.admin.browser.get(CONNECT).await.expect(StatusCode::OK);
    let connect = format!("{CONNECT}/client");
    let refused = at.admin.browser.submit(&page, &connect, &[]).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("Nothing was connected") && refused.says("cannot be reached right now"));
    assert_eq!(at.stage.app.number("select count(*) from connections").await, 0);
    at.hub.be_down(false);
    at.admin.browser.submit(&page, &connect, &[]).await.expect(StatusCode::SEE_OTHER);
    // However often an answer is lost, asking anew is no harm, and nobody has to connect anything.
    at.stage.app.clock.advance(Duration::hours(2));
    for _ in 0..5 {
        at.hub.next(crate::kit::fake_provider::Mishap::Lose);
        assert_eq!(at.code().await, "provider_away");
        at.stage.app.clock.advance(Duration::minutes(3));
    }
    assert_eq!(at.call().await.words(), "done");
    // Replicas that died in between leave no account behind that only a person could mend.
    at.stage.app.change("update connections set presented = 7, lease_until = null").await;
    at.stage.app.clock.advance(Duration::hours(2));
    assert_eq!(at.call().await.words(), "done");
    let secret = json!({ "client_secret": "another-one" });
    at.key.post("/api/v1/orgs/acme/providers/hub/rotate", secret).await.expect(StatusCode::OK);
    at.stage.app.clock.advance(Duration::hours(2));
    assert_eq!(at.code().await, "provider_refuses_client");
}

#[tokio::test]
async fn a_key_is_entered_by_each_person_carried_as_it_is_and_shown_to_nobody() {
    let mut at = of_keys().await;
    let told = at.call().await;
    assert!(told.words().starts_with("[CONNECT ACCOUNT]") && told.words().contains(CONNECT), "{}", told.text);
    let page = at.person.browser.get(CONNECT).await.expect(StatusCode::OK);
    assert!(page.body.contains("https://hub.example/settings/keys"), "{}", page.body);
    let connect = format!("{CONNECT}/key");
    let empty = at.person.browser.submit(&page, &connect, &[("key", " ")]).await;
    assert!(empty.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Enter the key"));
    let typed = [("key", "hub_live_0123456789"), ("name", "Mine")];
    let done = at.person.browser.submit(&page, &connect, &typed).await.expect(StatusCode::SEE_OTHER);
    let id = id_of(&done);
    let account = at.person.browser.get(&format!("/me/accounts/acme/{id}")).await.expect(StatusCode::OK);
    assert!(account.says("Mine") && !account.body.contains("hub_live"), "{}", account.body);
    // What tools need of scopes is nothing that a key could tell.
    let tool = "/api/v1/orgs/acme/servers/github/tools/create_issue";
    let needs = json!({ "required_scopes": ["write"] });
    at.key.send(Method::PATCH, tool, &[], Some(needs)).await.expect(StatusCode::OK);
    assert_eq!(at.call().await.words(), "done");
    assert_eq!(at.carried(), ["hub_live_0123456789"]);
    let check = at.person.browser.get(&format!("/me/accounts/acme/{id}/check")).await.expect(StatusCode::OK);
    assert!(check.says("A key does not say what it may be used for"), "{}", check.body);
    // Another key in its place: the same account.
    let page = at.person.browser.get(&format!("{CONNECT}?connection={id}")).await.expect(StatusCode::OK);
    let done = at.person.browser.submit(&page, &connect, &[("key", "hub_live_second")]).await;
    assert_eq!(id_of(&done.expect(StatusCode::SEE_OTHER)), id);
    assert_eq!(at.call().await.words(), "done");
    assert_eq!(at.carried()[1], "hub_live_second");
    let own = at.stage.app.key_of(&at.stage.org, at.person.id, Role::Member, &["*"]).await;
    let tried = own.post(&format!("/api/v1/orgs/acme/connections/{id}/test"), json!({})).await;
    let tried = tried.expect(StatusCode::OK);
    assert_eq!((&tried.body["ok"], &tried.body["taken"]), (&json!(true), &json!(false)));
    let ended = own.post(&format!("/api/v1/orgs/acme/connections/{id}/disconnect"), json!({})).await;
    let ended = ended.expect(StatusCode::OK);
    assert_eq!(ended.text("/upstream"), "by_hand");
    assert_eq!(ended.text("/settings_url"), "https://hub.example/settings/keys");
    let page = at.person.browser.get(&format!("/me/accounts/acme/{id}")).await.expect(StatusCode::OK);
    assert!(page.says("the key works there until you delete it"), "{}", page.body);
    assert!(page.body.contains("href=\"https://hub.example/settings/keys\""), "{}", page.body);
    assert_eq!(at.code().await, "account_not_connected");
    for secret in ["hub_live_0123456789", "hub_live_second"] {
        let query = format!(
            "select (select count(*) from events where position('{secret}'::bytea in record) > 0)
                + (select count(*) from connections c where position('{secret}' in c::text) > 0)"
        );
        assert_eq!(at.stage.app.number(&query).await, 0);
    }
}

#[tokio::test]
async fn two_keys_of_one_person_are_two_accounts_and_one_of_everybody_serves_the_others() {
    let mut at = of_keys().await;
    let connect = format!("{CONNECT}/key");
    let page = at.admin.browser.get(CONNECT).await.expect(StatusCode::OK);
    let shared = [("key", "of-everybody"), ("for", "org")];
    at.admin.browser.submit(&page, &connect, &shared).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(at.call().await.words(), "done");
    let page = at.person.browser.get(CONNECT).await.expect(StatusCode::OK);
    for key in ["first", "second"] {
        at.person.browser.submit(&page, &connect, &[("key", key)]).await.expect(StatusCode::SEE_OTHER);
    }
    assert_eq!(at.call().await.words(), "done");
    assert_eq!(at.carried(), ["of-everybody", "first"]);
    // A person who may not share puts nothing in for others.
    let csrf = at.person.browser.csrf();
    let theirs = [("csrf", csrf.as_str()), ("key", "third"), ("for", "org")];
    let refused = at.person.browser.post(&connect, &theirs).await;
    refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(at.stage.app.number("select count(*) from connections").await, 3);
}

#[tokio::test]
async fn what_only_one_kind_has_is_refused_for_another_at_its_field() {
    let at = of_keys().await;
    let client = json!({ "kind": "client_credentials", "name": "C", "token_url": "https://id.example/token", "client_id": "c",
        "client_secret": "s" });
    let with = |base: &Value, more: Value| {
        let mut body = base.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let key = json!({ "kind": "api_key", "name": "K" });
    for (body, paths) in [
        (json!({ "kind": "saml", "name": "X", "client_id": "c" }), vec!["kind"]),
        (
            json!({ "kind": "api_key", "preset": "github", "client_id": "c", "client_secret": "s" }),
            vec!["kind"],
        ),
        (json!({ "kind": "api_key" }), vec!["name"]),
        (with(&key, json!({ "client_id": "c", "client_secret": "s" })), vec!["client_id", "client_secret"]),
        (
            with(&key, json!({ "token_url": "https://x.example/t", "scopes": ["a"] })),
            vec!["scopes", "token_url"],
        ),
        (with(&key, json!({ "keys_url": "hub", "audience": "a" })), vec!["audience", "keys_url"]),
        (with(&client, json!({ "client_secret": "" })), vec!["client_secret"]),
        (with(&client, json!({ "client_auth": "none" })), vec!["client_auth"]),
        (with(&client, json!({ "issuer": "https://x.example", "pkce": "sent" })), vec!["issuer", "pkce"]),
        (with(&client, json!({ "audience": "a b", "resource": "x" })), vec!["audience", "resource"]),
        (with(&client, json!({ "token_url": "" })), vec!["token_url"]),
        (
            with(&client, json!({ "token_url": "http://127.0.0.1:1/", "keys_url": "https://a.example" })),
            vec!["keys_url"],
        ),
    ] {
        let refused = at.key.post("/api/v1/orgs/acme/providers", body.clone()).await;
        let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        let errors = refused.body["errors"].as_array().expect("errors");
        let mut found: Vec<_> = errors.iter().map(|error| error["path"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, paths, "{body}");
    }
    // There is no secret to replace, and no browser to send anywhere.
    let rotate = json!({ "client_secret": "s" });
    let refused = at.key.post("/api/v1/orgs/acme/providers/hub/rotate", rotate).await;
    assert_eq!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/errors/0/path"), "client_secret");
    assert_eq!(at.stage.app.number("select count(*) from providers").await, 1);
}
