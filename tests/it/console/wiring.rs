//! Whether everything is in place, and what is wrong with one account.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::{Value, json};

use crate::kit::{
    app::TestApp,
    fake_provider::FakeProvider,
    fake_server::{FakeServer, Script as Answer},
    http::Script,
    people::{Person, PlantedOrg},
};

struct Stage {
    app: TestApp,
    org: PlantedOrg,
    hub: FakeProvider,
    ada: Person,
    bob: Person,
    key: Script,
    _server: FakeServer,
}

/// A server that asks for accounts at a provider, an admin and a member.
async fn stage() -> Stage {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let hub = FakeProvider::start().await;
    app.hub(&org, "hub", &hub).await;
    let server = FakeServer::answering(|_| Answer::answer("503 Service Unavailable", &[], "")).await;
    app.server_at(&org, "github", &server.url("/mcp")).await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let bob = app.member(&org, "Bob Builder", Role::Member).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let carries = json!([{ "target": "header", "name": "Authorization", "source": "oauth", "provider": "hub",
        "template": "Bearer {value}" }]);
    let path = "/api/v1/orgs/acme/servers/github/credentials";
    key.send(Method::PUT, path, &[], Some(carries)).await.expect(StatusCode::OK);
    Stage { app, org, hub, ada, bob, key, _server: server }
}

impl Stage {
    async fn wiring(&self) -> Value {
        self.key.get("/api/v1/orgs/acme/wiring").await.expect(StatusCode::OK).body
    }

    async fn link(&self, id: impl std::fmt::Display, name: &str) -> Value {
        let path = format!("/api/v1/orgs/acme/connections/{id}/diagnosis");
        let found = self.key.get(&path).await.expect(StatusCode::OK).body;
        let links = found["links"].as_array().unwrap().clone();
        links.into_iter().find(|link| link["name"] == name).unwrap()
    }
}

fn finding<'w>(wiring: &'w Value, name: &str) -> &'w Value {
    let all = wiring["servers"][0]["findings"].as_array().unwrap();
    all.iter().find(|finding| finding["name"] == name).unwrap()
}

#[tokio::test]
async fn who_still_has_to_connect_is_counted_and_told_in_a_text_to_paste() {
    let mut stage = stage().await;
    let wiring = stage.wiring().await;
    assert_eq!((&wiring["ready"], &wiring["servers"][0]["ready"]), (&json!(1), &json!(true)));
    assert_eq!(wiring["lacks"][0]["what"], "an account at Fake Hub");
    assert_eq!(
        (&wiring["lacks"][0]["people"], &wiring["lacks"][0]["first"]),
        (&json!(2), &json!(["Ada Admin", "Bob Builder"]))
    );
    let text = wiring["announcement"].as_str().unwrap();
    for words in ["/me/accounts/acme/connect/hub", "linked account", "connected account"] {
        assert!(text.contains(words), "{text}");
    }
    stage.app.connected(&stage.org, &mut stage.bob, "hub").await;
    assert_eq!(stage.wiring().await["lacks"][0]["first"], json!(["Ada Admin"]));
    stage.hub.sign_in_as("robot");
    stage.app.connected_for(&stage.org, &mut stage.ada, "hub", "org").await;
    assert_eq!(stage.wiring().await["lacks"][0]["people"], 0, "one of everybody serves all");
    let page = stage.ada.browser.get("/o/acme/wiring").await.expect(StatusCode::OK);
    assert!(page.says("1 of 1 server is ready") && page.says("Nobody lacks it"), "{}", page.body);
    stage.bob.browser.get("/o/acme/wiring").await.expect(StatusCode::FORBIDDEN);
    // What a server asks for that is switched off, nobody has to do.
    stage.app.change("delete from connections").await;
    assert_eq!(stage.wiring().await["lacks"][0]["people"], 2);
    stage.key.post("/api/v1/orgs/acme/servers/github/disable", json!({})).await.expect(StatusCode::OK);
    let wiring = stage.wiring().await;
    assert_eq!((&wiring["servers"], &wiring["lacks"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn what_is_not_in_place_is_told_with_where_it_is_mended() {
    let stage = stage().await;
    let off = stage.key.post("/api/v1/orgs/acme/providers/hub/disable", json!({})).await;
    off.expect(StatusCode::OK);
    let wiring = stage.wiring().await;
    let provider = finding(&wiring, "provider");
    assert_eq!((&provider["state"], &provider["page"]), (&json!("broken"), &json!("/o/acme/providers/hub")));
    assert_eq!(wiring["ready"], 0);
    stage.key.post("/api/v1/orgs/acme/providers/hub/enable", json!({})).await.expect(StatusCode::OK);
    let carries = json!([{ "target": "header", "name": "X-Key", "source": "org_secret", "secret": "token" }]);
    stage
        .key
        .post(
            "/api/v1/orgs/acme/secrets",
            json!({ "scope": "org", "name": "token", "value": "s3cret-value" }),
        )
        .await;
    let path = "/api/v1/orgs/acme/servers/github/credentials";
    stage.key.send(Method::PUT, path, &[], Some(carries)).await.expect(StatusCode::OK);
    assert_eq!(finding(&stage.wiring().await, "secret")["state"], "fine");
    stage.app.change("delete from secrets").await;
    assert_eq!(finding(&stage.wiring().await, "secret")["state"], "broken");
}

#[tokio::test]
async fn whether_somebody_came_back_and_how_accounts_fare_is_told_of_each_provider() {
    let mut stage = stage().await;
    let said = |wiring: &Value, name: &str| finding(wiring, name)["found"].as_str().unwrap().to_owned();
    let wiring = stage.wiring().await;
    assert!(said(&wiring, "callback").contains("Nobody has come back from there yet"), "{wiring:#}");
    assert!(said(&wiring, "token").contains("No account is connected"), "{wiring:#}");
    let id = stage.app.connected(&stage.org, &mut stage.bob, "hub").await;
    let wiring = stage.wiring().await;
    assert!(said(&wiring, "callback").contains("Somebody came back from there on"), "{wiring:#}");
    assert_eq!(finding(&wiring, "token")["state"], "fine");
    stage.app.change("update connections set state = 'needs_reauth', state_reason = 'invalid_grant'").await;
    let wiring = stage.wiring().await;
    let token = finding(&wiring, "token");
    assert_eq!((&token["state"], &token["fixer"]), (&json!("look"), &json!("person")));
    assert!(
        said(&wiring, "token").contains("of 1 connected, one account has to be connected again"),
        "{wiring:#}"
    );
    assert_eq!(token["page"], "/o/acme/providers/hub/accounts");
    // Where a provider moved, nobody was written to.
    assert!(token["fix"].as_str().unwrap().contains("from their accounts"), "{token:#}");

    let link = stage.link(id, "membership").await;
    assert_eq!(link["state"], "fine");
    let path = format!("/api/v1/orgs/acme/members/{}/suspend", stage.bob.id);
    stage.key.post(&path, json!({ "reason": "On leave." })).await.expect(StatusCode::OK);
    let link = stage.link(id, "membership").await;
    assert_eq!((&link["state"], &link["fixer"]), (&json!("broken"), &json!("admin")));
    assert!(link["found"].as_str().unwrap().contains("is suspended"), "{link:#}");
}

#[tokio::test]
async fn each_link_of_an_account_says_what_is_wrong_and_who_mends_it() {
    let mut stage = stage().await;
    stage.hub.grant("read");
    let id = stage.app.connected(&stage.org, &mut stage.bob, "hub").await;
    assert_eq!(stage.link(id, "token").await["state"], "fine");
    let scopes = stage.link(id, "scopes").await;
    assert_eq!((&scopes["state"], &scopes["fixer"]), (&json!("look"), &json!("person")));
    assert!(scopes["page"].as_str().unwrap().contains("scopes=write"), "{scopes}");
    stage.key.post("/api/v1/orgs/acme/providers/hub/disable", json!({})).await.expect(StatusCode::OK);
    assert_eq!(stage.link(id, "provider").await["state"], "look");
    stage.app.change("update connections set state = 'needs_reauth', state_reason = 'invalid_grant'").await;
    let token = stage.link(id, "token").await;
    assert_eq!((&token["state"], &token["fixer"]), (&json!("broken"), &json!("person")));
    assert_eq!(stage.link(id, "upstream").await["state"], "not_reached");
    // The same for its owner and for an admin, who is not sent to connect what is another's.
    let page = stage.bob.browser.get(&format!("/me/accounts/acme/{id}/check")).await.expect(StatusCode::OK);
    assert!(
        page.says("gives no new token any more")
            && page.body.contains("/me/accounts/acme/connect/hub?connection"),
        "{}",
        page.body
    );
    let list = stage.ada.browser.get("/o/acme/providers/hub/accounts").await.expect(StatusCode::OK);
    assert!(list.says("Bob Builder") && list.says("Broken"), "{}", list.body);
    let page =
        stage.ada.browser.get(&format!("/o/acme/providers/hub/accounts/{id}")).await.expect(StatusCode::OK);
    assert!(
        page.says("gives no new token any more") && !page.body.contains("/me/accounts/acme/connect"),
        "{}",
        page.body
    );
    stage.ada.browser.get(&format!("/me/accounts/acme/{id}/check")).await.expect(StatusCode::NOT_FOUND);
    stage
        .bob
        .browser
        .get(&format!("/o/acme/providers/hub/accounts/{id}"))
        .await
        .expect(StatusCode::FORBIDDEN);
}
