//! Calls that carry the token of an account of whoever the agent acts for.

use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use portreeve::base::{permission::Role, risk::Class};
use serde_json::{Value, json};

use crate::{
    kit::{fake_provider::FakeProvider, fake_server::Script as Answer, http::Script, people::Person},
    proxy::stage::{Stage, usual},
};

struct Hub {
    stage: Stage,
    hub: FakeProvider,
    admin: Script,
    /// Whoever the agent acts for, in a browser.
    person: Person,
}

/// The stage's server asks for an account at a provider.
async fn hub() -> Hub {
    hub_before(Stage::with_ceiling(Class::Financial).await).await
}

async fn hub_before(stage: Stage) -> Hub {
    let hub = FakeProvider::start().await;
    stage.app.hub(&stage.org, "hub", &hub).await;
    let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
    let admin = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
    let carries = json!([{ "target": "header", "name": "Authorization", "source": "oauth", "provider": "hub",
        "template": "Bearer {value}" }]);
    let path = "/api/v1/orgs/acme/servers/github/credentials";
    let shown = admin.send(Method::PUT, path, &[], Some(carries)).await.expect(StatusCode::OK);
    assert_eq!((shown.text("/items/0/source"), shown.text("/items/0/provider")), ("oauth", "hub"));
    let browser = stage.app.signed_in(stage.person).await;
    let person = Person { id: stage.person, email: String::new(), browser };
    Hub { stage, hub, admin, person }
}

impl Hub {
    async fn call(&self) -> crate::proxy::stage::Reply {
        let params = json!({ "name": "create_issue", "arguments": { "title": "a" } });
        self.stage.agent.ask("tools/call", params).await
    }

    fn carried(&self) -> Vec<String> {
        let reached = self.stage.reached();
        reached.iter().filter_map(|asked| asked.header("authorization").map(str::to_owned)).collect()
    }
}

#[tokio::test]
async fn a_call_without_an_account_says_what_to_connect_and_with_one_it_goes_through() {
    let mut hub = hub().await;
    let told = hub.call().await;
    assert!(
        told.words().starts_with("[CONNECT ACCOUNT]") && told.words().contains("Fake Hub"),
        "{}",
        told.text
    );
    let decision = told.json()["result"]["_meta"]["portreeve/decision"].clone();
    assert_eq!(decision["code"], "account_not_connected");
    let page = "/me/accounts/acme/connect/hub";
    assert!(told.words().contains(page), "{}", told.text);
    // The page says which agent asks, and is for the person of whom it asked.
    let link = told.words().split(page).nth(1).unwrap().split([';', ' ']).next().unwrap().to_owned();
    let shown = hub.person.browser.get(&format!("{page}{link}")).await.expect(StatusCode::OK);
    assert!(shown.says("Your agent Test agent"), "{}", shown.body);
    let mut eve = hub.stage.app.member(&hub.stage.org, "Eve", Role::Member).await;
    let refused = eve.browser.get(&format!("{page}{link}")).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("An agent asked this of another person") && !refused.says("Test agent"));
    assert!(hub.stage.reached().is_empty());
    hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    assert_eq!(hub.call().await.words(), "done");
    let carried = hub.carried();
    assert!(carried[0].starts_with("Bearer access-token-"), "the account's own token");
    for secret in hub.hub.secrets() {
        let query = format!("select count(*) from events where position('{secret}'::bytea in record) > 0");
        assert_eq!(hub.stage.app.number(&query).await, 0);
    }
}

#[tokio::test]
async fn each_person_calls_with_their_own_account_and_a_disconnected_one_serves_no_call() {
    let mut hub = hub().await;
    let id = hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    let mut other = hub.stage.app.member(&hub.stage.org, "Other", Role::Member).await;
    hub.hub.sign_in_as("eve");
    hub.stage.app.connected(&hub.stage.org, &mut other, "hub").await;
    assert_eq!(hub.call().await.words(), "done");
    let own = hub.carried()[0].clone();
    let second = crate::kit::app::TestApp::beside(&hub.stage.app).await;
    let end = format!("/api/v1/orgs/acme/connections/{id}/disconnect");
    hub.admin.post(&end, json!({})).await.expect(StatusCode::OK);
    let agent = hub.stage.agent.at(&format!("{}/mcp/acme/github", second.origin()));
    let params = json!({ "name": "create_issue", "arguments": { "title": "a" } });
    let told = agent.ask("tools/call", params).await;
    assert!(told.words().starts_with("[CONNECT ACCOUNT]"), "{}", told.text);
    assert!(hub.call().await.words().starts_with("[CONNECT ACCOUNT]"));
    assert_eq!(hub.carried(), [own], "nobody else's account stands in");
}

#[tokio::test]
async fn what_a_tool_needs_and_was_not_granted_is_told_with_the_way_to_grant_it() {
    let mut hub = hub().await;
    hub.hub.grant("read");
    let id = hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    let tool = "/api/v1/orgs/acme/servers/github/tools/create_issue";
    let needs = json!({ "required_scopes": ["admin"] });
    hub.admin.send(Method::PATCH, tool, &[], Some(needs)).await.expect(StatusCode::OK);
    let told = hub.call().await;
    assert!(told.words().starts_with("[CONNECT ACCOUNT]") && told.words().contains("admin"), "{}", told.text);
    assert!(told.words().contains(&format!("connection={id}")), "{}", told.text);
    let decision = told.json()["result"]["_meta"]["portreeve/decision"].clone();
    assert_eq!(decision["code"], "account_lacks_scopes");
    hub.hub.grant("read admin");
    hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    assert_eq!(hub.call().await.words(), "done");
}

#[tokio::test]
async fn what_the_provider_did_not_grant_when_it_was_asked_is_an_admins_matter() {
    let mut hub = hub().await;
    // It is asked for read and write, and calls one of them otherwise.
    hub.hub.grant("read readwrite");
    hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    let tool = "/api/v1/orgs/acme/servers/github/tools/create_issue";
    let needs = json!({ "required_scopes": ["write"] });
    hub.admin.send(Method::PATCH, tool, &[], Some(needs)).await.expect(StatusCode::OK);
    let told = hub.call().await;
    assert!(told.words().starts_with("[PORTREEVE DENIED]"), "no circle: {}", told.text);
    assert!(told.words().contains("did not grant that when it was asked"), "{}", told.text);
    assert!(told.words().contains("/o/acme/servers/github/tools/create_issue"), "{}", told.text);
    let decision = told.json()["result"]["_meta"]["portreeve/decision"].clone();
    assert_eq!(decision["code"], "account_scopes_withheld");
    let needs = json!({ "required_scopes": ["readwrite"] });
    hub.admin.send(Method::PATCH, tool, &[], Some(needs)).await.expect(StatusCode::OK);
    assert_eq!(hub.call().await.words(), "done");
}

#[tokio::test]
async fn an_ended_grant_and_an_absent_provider_are_told_apart_and_nothing_is_sent() {
    let mut hub = hub().await;
    hub.hub.live_for(Some(60));
    let id = hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    hub.hub.be_down(true);
    hub.stage.app.clock.advance(time::Duration::minutes(2));
    let told = hub.call().await;
    assert!(told.words().starts_with("[PORTREEVE DENIED]"), "connecting helps nobody: {}", told.text);
    assert!(told.words().contains("call again in a minute"), "{}", told.text);
    let decision = told.json()["result"]["_meta"]["portreeve/decision"].clone();
    assert_eq!((&decision["code"], &decision["retry_after"]), (&json!("provider_away"), &json!(60)));
    hub.hub.be_down(false);
    hub.stage.app.clock.advance(time::Duration::minutes(2));
    assert_eq!(hub.call().await.words(), "done");
    hub.hub.forget_everybody();
    hub.stage.app.clock.advance(time::Duration::minutes(2));
    let told = hub.call().await;
    let decision = told.json()["result"]["_meta"]["portreeve/decision"].clone();
    assert_eq!((&decision["code"], &decision["retry_after"]), (&json!("account_needs_reauth"), &Value::Null));
    assert!(
        told.words().contains("connected again") && told.words().contains(&id.to_string()),
        "{}",
        told.text
    );
    assert_eq!(hub.carried().len(), 1);
}

#[tokio::test]
async fn a_credential_names_a_provider_that_is_there() {
    let hub = hub().await;
    let path = "/api/v1/orgs/acme/servers/github/credentials";
    for (provider, words) in [("", "name the provider"), ("nowhere", "there is no provider nowhere")] {
        let bad = json!([{ "target": "header", "name": "X-Key", "source": "oauth", "provider": provider }]);
        let refused = hub.admin.send(Method::PUT, path, &[], Some(bad)).await;
        let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.text("/errors/0/message").contains(words), "{:?}", refused.body);
    }
    let kept = hub.admin.send(Method::DELETE, "/api/v1/orgs/acme/providers/hub", &[], None).await;
    assert_eq!(kept.expect(StatusCode::CONFLICT).text("/code"), "provider_in_use");
}

#[tokio::test]
async fn tools_are_read_with_the_account_of_whoever_asks_and_with_nobodys_when_they_are_due() {
    let hub = hub().await;
    let app = &hub.stage.app;
    let mut curator = app.member(&hub.stage.org, "Curator", Role::Admin).await;
    let key = app.key_of(&hub.stage.org, curator.id, Role::Admin, &["*"]).await;
    app.connected(&hub.stage.org, &mut curator, "hub").await;
    let carried = || {
        let asked = hub.stage.upstream.asked();
        asked.iter().filter_map(|asked| asked.header("authorization").map(str::to_owned)).collect::<Vec<_>>()
    };
    let before = hub.stage.upstream.asked().len();
    app.clock.advance(time::Duration::minutes(12));
    app.run_jobs().await;
    assert_eq!(hub.stage.upstream.asked().len(), before, "nobody lends an account to a job");
    let server = key.get("/api/v1/orgs/acme/servers/github").await.expect(StatusCode::OK);
    assert_eq!(server.body["catalogue"]["error"], Value::Null, "and that is no failing of the server");
    key.post("/api/v1/orgs/acme/servers/github/refresh", json!({})).await.expect(StatusCode::OK);
    let carried = carried();
    assert!(!carried.is_empty() && carried.iter().all(|one| one.starts_with("Bearer access-token-")));
}

#[tokio::test]
async fn an_account_of_everybody_serves_who_has_none_and_ones_own_comes_first() {
    let mut hub = hub().await;
    let app = &hub.stage.app;
    let mut curator = app.member(&hub.stage.org, "Curator", Role::Admin).await;
    hub.hub.sign_in_as("robot");
    app.connected_for(&hub.stage.org, &mut curator, "hub", "org").await;
    assert_eq!(hub.call().await.words(), "done");
    // A job reads its tools with it, too.
    let before = hub.stage.upstream.asked().len();
    app.clock.advance(time::Duration::minutes(12));
    app.run_jobs().await;
    assert!(hub.stage.upstream.asked().len() > before);
    hub.hub.sign_in_as("ada");
    hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    assert_eq!(hub.call().await.words(), "done");
    let carried = hub.carried();
    assert_eq!(carried.len(), 2);
    assert_ne!(carried[0], carried[1], "one's own comes first");
    // Whoever looks after the shared one follows the link of anybody's agent.
    let app = &hub.stage.app;
    app.change("delete from connections where user_id is not null").await;
    app.change("update connections set state = 'needs_reauth'").await;
    app.change("update orgs set epoch = epoch + 1").await;
    let told = hub.call().await;
    let link =
        told.words().split("/me/accounts").nth(1).unwrap().split([';', ' ']).next().unwrap().to_owned();
    let link = format!("/me/accounts{}", link.trim_end_matches('.'));
    assert!(link.contains("connection=con_") && !link.contains("agent="), "{}", told.text);
    curator.browser = app.signed_in(curator.id).await;
    curator.browser.get(&link).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_rule_chooses_among_somebodys_accounts_by_what_is_called_on_every_replica() {
    let mut hub = hub().await;
    let app = &hub.stage.app;
    let first = app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    hub.hub.sign_in_as("work");
    let work = app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    let beside = crate::kit::app::TestApp::beside(app).await;
    let agents =
        [hub.stage.agent.clone(), hub.stage.agent.at(&format!("{}/mcp/acme/github", beside.origin()))];
    let own = app.key_of(&hub.stage.org, hub.person.id, Role::Member, &["*"]).await;
    let one = format!("/api/v1/orgs/acme/connections/{work}");
    // Which account each call was made with: the first that was seen, or another.
    let carried_by = async |title: &str| {
        let before = hub.carried().len();
        for agent in &agents {
            let params = json!({ "name": "create_issue", "arguments": { "title": title } });
            assert_eq!(agent.ask("tools/call", params).await.words(), "done");
        }
        let carried = hub.carried();
        assert_eq!(carried[before], carried[before + 1], "the same on both");
        carried[before].clone()
    };
    let usual = carried_by("mine").await;
    assert_eq!(carried_by("work: fix it").await, usual);
    let rule = |conditions: Value| json!({ "account_if": conditions });
    let fits = json!([{ "path": "args.title", "op": "starts_with", "value": "work:" },
        { "path": "tool.name", "op": "eq", "value": "create_issue" },
        { "path": "server.slug", "op": "eq", "value": "github" }]);
    let done = own.send(Method::PATCH, &one, &[], Some(rule(fits.clone()))).await.expect(StatusCode::OK);
    assert_eq!(done.body["account_if"], fits);
    assert_ne!(carried_by("work: fix it").await, usual, "in force at the next call");
    assert_eq!(carried_by("mine").await, usual);
    // What it chooses does not stand in for what it lacks: the other account is not lent instead.
    app.change(&format!("update connections set state = 'needs_reauth' where id = '{}'", work.uuid())).await;
    app.change("update orgs set epoch = epoch + 1").await;
    let params = json!({ "name": "create_issue", "arguments": { "title": "work: fix it" } });
    let told = hub.stage.agent.ask("tools/call", params).await;
    assert!(told.words().starts_with("[CONNECT ACCOUNT]") && told.words().contains(&work.to_string()));
    assert_eq!(carried_by("mine").await, usual);
    // Where the usual one is ended, one that is for some calls does not become the one for all.
    app.change("update connections set state = 'active' where state = 'needs_reauth'").await;
    app.change("update orgs set epoch = epoch + 1").await;
    own.send(Method::PATCH, &one, &[], Some(rule(json!([])))).await.expect(StatusCode::OK);
    assert_eq!(carried_by("work: fix it").await, usual);
    own.send(Method::PATCH, &one, &[], Some(rule(fits))).await.expect(StatusCode::OK);
    own.post(&format!("/api/v1/orgs/acme/connections/{first}/disconnect"), json!({}))
        .await
        .expect(StatusCode::OK);
    assert_ne!(carried_by("work: fix it").await, usual);
    let params = json!({ "name": "create_issue", "arguments": { "title": "mine" } });
    let before = hub.carried().len();
    let told = hub.stage.agent.ask("tools/call", params).await;
    assert!(told.words().starts_with("[CONNECT ACCOUNT]"), "{}", told.text);
    assert_eq!(hub.carried().len(), before);
    let recorded = app.recorded(&hub.stage.org).await;
    assert_eq!(recorded.iter().filter(|action| *action == "connection.rule_changed").count(), 3);
}

#[tokio::test]
async fn a_rule_that_cannot_be_read_is_refused_with_what_is_wrong_and_changes_nothing() {
    let mut hub = hub().await;
    let app = &hub.stage.app;
    let id = app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    let own = app.key_of(&hub.stage.org, hub.person.id, Role::Member, &["*"]).await;
    let one = format!("/api/v1/orgs/acme/connections/{id}");
    for (conditions, words) in [
        (json!([{ "path": "args.a", "op": "is", "value": 1 }]), "/0/op: There is no such comparison."),
        (json!([{ "path": "user.email", "op": "exists" }]), "/0/path: Look at an argument"),
        (json!([{ "path": "args.a" }]), "A condition says by op how it compares."),
        (json!([5]), "This has to be an object."),
        (json!({}), "This has to be a list."),
    ] {
        let body = json!({ "name": "Work", "account_if": conditions });
        let refused = own.send(Method::PATCH, &one, &[], Some(body)).await;
        let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.text("/errors/0/path"), "account_if");
        assert!(refused.text("/errors/0/message").contains(words), "{:?}", refused.body);
    }
    assert_eq!(app.number("select count(*) from connections where name <> '' or account_if <> ''").await, 0);
}

#[tokio::test]
async fn a_token_goes_nowhere_but_to_the_resource_that_it_is_for() {
    let mut hub = hub().await;
    let app = &hub.stage.app;
    app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    assert_eq!(hub.call().await.words(), "done");
    // It would be refused when it is stored; this is what holds if it stood there all the same.
    app.change("update providers set resource = 'https://elsewhere.example/mcp'").await;
    app.change("update orgs set epoch = epoch + 1").await;
    let told = hub.call().await;
    let decision = told.json()["result"]["_meta"]["portreeve/decision"].clone();
    assert_eq!(decision["code"], "credential_for_elsewhere");
    assert!(told.words().contains("are for https://elsewhere.example/mcp alone"), "{}", told.text);
    assert_eq!(hub.carried().len(), 1);
    let wiring = hub.admin.get("/api/v1/orgs/acme/wiring").await.expect(StatusCode::OK);
    assert!(
        wiring.body.to_string().contains("so none is sent and every call is refused"),
        "{:?}",
        wiring.body
    );
    let carries = json!([{ "target": "header", "name": "X-Key", "source": "oauth", "provider": "hub" }]);
    let path = "/api/v1/orgs/acme/servers/github/credentials";
    let refused = hub.admin.send(Method::PUT, path, &[], Some(carries)).await;
    let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.text("/errors/0/path"), "provider");
    let words = "the tokens of Fake Hub are for https://elsewhere.example/mcp alone";
    assert!(refused.text("/errors/0/message").contains(words), "{:?}", refused.body);
}

#[tokio::test]
async fn a_server_that_asks_for_more_has_its_person_asked_and_is_called_with_it_then() {
    let granted = Arc::new(Mutex::new("read".to_owned()));
    let told = Arc::clone(&granted);
    let stage = Stage::over(Class::Financial, move |asked| {
        let is_call = String::from_utf8_lossy(&asked.body).contains("tools/call");
        if is_call && !told.lock().unwrap().contains("admin") {
            let challenge = "Bearer error=\"insufficient_scope\", scope=\"read admin\"";
            return Answer::answer("403 Forbidden", &[("www-authenticate", challenge)], "");
        }
        usual(asked)
    });
    let mut hub = hub_before(stage.await).await;
    hub.hub.grant("read");
    let id = hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    let told = hub.call().await;
    assert!(told.words().starts_with("[CONNECT ACCOUNT]") && told.words().contains("admin"), "{}", told.text);
    let link = format!("/me/accounts/acme/connect/hub?connection={id}&scopes=admin");
    assert!(told.words().contains(&link), "{}", told.text);
    let decision = told.json()["result"]["_meta"]["portreeve/decision"].clone();
    assert_eq!(decision["code"], "account_lacks_scopes");
    let (action, record) = hub.stage.calls_once(2).await.pop().unwrap();
    assert_eq!(
        (action.as_str(), record.call.unwrap().code.as_deref()),
        ("call.failed", Some("upstream_insufficient_scope"))
    );
    // What no server asked for is not asked of the person either.
    let other = link.replace("scopes=admin", "scopes=everything");
    hub.person.browser.get(&other).await.expect(StatusCode::CONFLICT);
    let page = hub.person.browser.get(&link).await.expect(StatusCode::OK);
    assert!(page.says("admin"), "{}", page.body);
    let account = hub.person.browser.get(&format!("/me/accounts/acme/{id}")).await.expect(StatusCode::OK);
    assert!(account.says("Not granted") && account.body.contains("scopes=admin"), "{}", account.body);
    hub.hub.grant("read admin");
    *granted.lock().unwrap() = "read admin".to_owned();
    hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    assert_eq!(hub.call().await.words(), "done");
    assert_eq!(hub.stage.app.number("select count(*) from connections where wanted_scopes <> '{}'").await, 0);
    // One that asks for what was granted has nobody sign in again and again.
    *granted.lock().unwrap() = String::new();
    let told = hub.call().await;
    assert!(!told.words().starts_with("[CONNECT ACCOUNT]"), "{}", told.text);
}

#[tokio::test]
async fn what_the_provider_does_not_grant_is_not_asked_for_again_by_itself() {
    let stage = Stage::over(Class::Financial, move |asked| {
        if String::from_utf8_lossy(&asked.body).contains("tools/call") {
            let challenge = "Bearer error=\"insufficient_scope\", scope=\"admin\"";
            return Answer::answer("403 Forbidden", &[("www-authenticate", challenge)], "");
        }
        usual(asked)
    });
    let mut hub = hub_before(stage.await).await;
    hub.hub.grant("read write");
    let id = hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    assert!(hub.call().await.words().starts_with("[CONNECT ACCOUNT]"));
    let link = "/me/accounts/acme/connect/hub";
    let page = hub.person.browser.get(&format!("{link}?connection={id}&scopes=admin")).await;
    let page =
        hub.person.browser.submit(&page.expect(StatusCode::OK), link, &[]).await.expect(StatusCode::OK);
    let onward = page.headers["refresh"].to_str().unwrap().strip_prefix("0;url=").unwrap().to_owned();
    let back = crate::kit::fake_provider::agree(&onward).await;
    hub.person.browser.get(&back).await.expect(StatusCode::SEE_OTHER);
    let told = hub.call().await;
    assert!(!told.words().starts_with("[CONNECT ACCOUNT]"), "no circle: {}", told.text);
}

#[tokio::test]
async fn a_token_that_is_replaced_early_is_the_one_of_the_next_call_on_every_replica() {
    let mut hub = hub().await;
    let id = hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    let second = crate::kit::app::TestApp::beside(&hub.stage.app).await;
    let agent = hub.stage.agent.at(&format!("{}/mcp/acme/github", second.origin()));
    let params = json!({ "name": "create_issue", "arguments": { "title": "a" } });
    for _ in 0..2 {
        assert_eq!(hub.call().await.words(), "done");
        assert_eq!(agent.ask("tools/call", params.clone()).await.words(), "done");
    }
    assert_eq!(hub.carried().iter().collect::<std::collections::HashSet<_>>().len(), 1);
    // A provider that knows only the newest: whoever holds the one before would be refused.
    let refresh = format!("/me/accounts/acme/{id}/test");
    hub.stage.app.change("update connections set issued_at = issued_at - interval '8 days'").await;
    let mut browser = hub.stage.app.signed_in(hub.person.id).await;
    let csrf = browser.csrf();
    browser.post(&refresh, &[("csrf", csrf.as_str())]).await.expect(StatusCode::SEE_OTHER);
    let key = hub.stage.app.key_of(&hub.stage.org, hub.person.id, Role::Member, &["*"]).await;
    let forced = key.post(&format!("/api/v1/orgs/acme/connections/{id}/refresh"), json!({})).await;
    forced.expect(StatusCode::OK);
    assert_eq!(agent.ask("tools/call", params.clone()).await.words(), "done");
    assert_eq!(hub.call().await.words(), "done");
    let carried = hub.carried();
    assert_eq!(carried[4], carried[5]);
    assert_ne!(carried[3], carried[4], "the new one, on both");
}

#[tokio::test]
async fn an_account_that_is_switched_off_serves_no_call_and_says_who_switches_it_on() {
    let mut hub = hub().await;
    let id = hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    let second = crate::kit::app::TestApp::beside(&hub.stage.app).await;
    let far = hub.stage.agent.at(&format!("{}/mcp/acme/github", second.origin()));
    let call = json!({ "name": "create_issue", "arguments": { "title": "a" } });
    assert_eq!(far.ask("tools/call", call.clone()).await.words(), "done");
    // By its owner, in the console.
    let one = format!("/me/accounts/acme/{id}");
    let page = hub.person.browser.get(&one).await.expect(StatusCode::OK);
    let off = hub.person.browser.submit(&page, &format!("{one}/switch"), &[("to", "off")]).await;
    let page = hub.person.browser.follow(off.expect(StatusCode::SEE_OTHER)).await;
    assert!(page.says("No call is made with it until it is switched on again."), "{}", page.body);
    let told = far.ask("tools/call", call.clone()).await;
    let decision = told.json()["result"]["_meta"]["portreeve/decision"].clone();
    assert_eq!(decision["code"], "account_switched_off");
    assert!(told.words().contains("They can switch it on at http"), "{}", told.words());
    assert!(told.words().contains(&one), "{}", told.words());
    let on = hub.person.browser.submit(&page, &format!("{one}/switch"), &[("to", "on")]).await;
    on.expect(StatusCode::SEE_OTHER);
    assert_eq!(far.ask("tools/call", call.clone()).await.words(), "done");
    // By an admin: its owner does not switch it on, nor by connecting it again.
    let path = format!("/api/v1/orgs/acme/connections/{id}");
    let off = hub.admin.post(&format!("{path}/disable"), json!({})).await.expect(StatusCode::OK);
    assert_eq!((off.text("/state"), off.text("/reason")), ("disabled", "by_admin"));
    let told = far.ask("tools/call", call.clone()).await.words();
    assert!(
        told.contains("An admin can switch it on at") && told.contains("/o/acme/providers/hub/accounts/"),
        "{told}"
    );
    let csrf = hub.person.browser.csrf();
    let on =
        hub.person.browser.post(&format!("{one}/switch"), &[("csrf", csrf.as_str()), ("to", "on")]).await;
    assert!(on.expect(StatusCode::CONFLICT).says("An admin switched this account off"));
    assert_eq!(hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await, id);
    let again = far.ask("tools/call", call.clone()).await.words();
    assert!(again.contains("An admin can switch it on at"), "connecting again does not lift it: {again}");
    let page = hub.person.browser.get(&one).await.expect(StatusCode::OK);
    assert!(page.says("Ask them to switch it on"), "{}", page.body);
    hub.admin.post(&format!("{path}/enable"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(far.ask("tools/call", call).await.words(), "done");
    let recorded = hub.stage.app.recorded(&hub.stage.org).await;
    let switched: Vec<_> = recorded.iter().filter(|one| one.starts_with("connection.switched")).collect();
    let (off, on) = ("connection.switched_off", "connection.switched_on");
    assert_eq!(switched, [off, on, off, on]);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_only_what_changes_nothing_is_called_again() {
    let refused = Arc::new(Mutex::new(String::new()));
    let now_refused = Arc::clone(&refused);
    let stage = Stage::over(Class::Financial, move |asked| {
        let carried = asked.header("authorization").unwrap_or_default();
        let refused = now_refused.lock().unwrap();
        if !refused.is_empty() && carried.starts_with(refused.as_str()) {
            return Answer::answer("401 Unauthorized", &[("www-authenticate", "Bearer")], "");
        }
        usual(asked)
    });
    let mut hub = hub_before(stage.await).await;
    hub.stage.app.connected(&hub.stage.org, &mut hub.person, "hub").await;
    let read = async || {
        let params = json!({ "name": "get_issue", "arguments": { "title": "a" } });
        hub.stage.agent.ask("tools/call", params).await
    };
    let refuse_last = || hub.carried().last().unwrap().clone_into(&mut refused.lock().unwrap());
    assert_eq!(read().await.words(), "done");
    // What is certainly fresh is not renewed because a server refuses it.
    refuse_last();
    let told = read().await.words();
    assert!(told.contains("HTTP 401") && !told.contains("call again"), "{told}");
    assert_eq!((hub.carried().len(), hub.hub.presented().len()), (2, 0));
    hub.stage.app.clock.advance(time::Duration::minutes(2));
    assert_eq!(read().await.words(), "done", "with the new one");
    let carried = hub.carried();
    assert_eq!((carried.len(), hub.hub.presented().len()), (4, 1));
    assert_eq!(carried[1], carried[2]);
    assert_ne!(carried[2], carried[3]);
    // What changes something is left to whoever calls.
    refuse_last();
    hub.stage.app.clock.advance(time::Duration::minutes(2));
    let told = hub.call().await.words();
    assert!(told.contains("A new token is being fetched; call again in a moment."), "{told}");
    assert_eq!(hub.carried().len(), 5);
    let renewed = "select count(*) from connections where token_version = 3";
    hub.stage.app.until_number(renewed, 1).await;
    assert_eq!(hub.call().await.words(), "done");
    // A server that takes none is asked twice, and no oftener.
    "Bearer ".clone_into(&mut refused.lock().unwrap());
    hub.stage.app.clock.advance(time::Duration::minutes(2));
    let before = hub.carried().len();
    let told = read().await.words();
    assert!(told.contains("HTTP 401") && !told.contains("call again"), "{told}");
    assert_eq!((hub.carried().len(), hub.hub.presented().len()), (before + 2, 3));
    assert_eq!(hub.hub.reused(), 0);
}
