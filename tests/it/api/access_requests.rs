//! Asking for access, and what comes of it.

use http::{Method, StatusCode};
use portreeve::base::{actor::Principal, ids::ServerId, permission::Role, risk::Class};
use serde_json::{Value, json};
use time::Duration;

use crate::kit::{
    app::TestApp,
    calls::PlantedCall,
    http::{Answer, Script},
    people::{Person, PlantedOrg},
    upstream::tool,
};

const ALL: &str = "/api/v1/orgs/acme/access-requests";

/// An organization with a server, somebody who asks and somebody who decides.
struct Stage {
    app: TestApp,
    org: PlantedOrg,
    server: ServerId,
    ada: Person,
    admin: Script,
    mia: Person,
    member: Script,
}

impl Stage {
    async fn fresh() -> Self {
        let app = TestApp::start().await;
        let org = app.org("acme").await;
        let ada = app.member(&org, "Ada Admin", Role::Admin).await;
        let admin = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
        let mia = app.member(&org, "Mia Member", Role::Member).await;
        let member = app.key_of(&org, mia.id, Role::Member, &["*"]).await;
        let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
        let tools: Vec<_> = ["get_issue", "create_issue", "delete_issue"]
            .iter()
            .map(|name| tool(name, "Does it.", &["title"]))
            .collect();
        app.accept_tools(&org, server, &tools).await;
        Self { app, org, server, ada, admin, mia, member }
    }

    async fn asked(&self, tools: Value) -> Answer {
        self.member.post(ALL, asking(tools)).await.expect(StatusCode::CREATED)
    }

    async fn decided(&self, request: &Answer, decision: Value) -> Answer {
        self.admin.post(&format!("{ALL}/{}/decide", request.text("/id")), decision).await
    }
}

fn asking(tools: Value) -> Value {
    json!({ "server": "github", "tools": tools, "why": "For the release.", "hours": 48 })
}

#[tokio::test]
async fn what_is_given_is_a_grant_with_an_end_for_exactly_that_and_each_step_is_on_record() {
    let stage = Stage::fresh().await;
    let asked = stage.asked(json!(["get_issue", "create_issue"])).await;
    assert_eq!((asked.text("/state"), asked.text("/requester_name")), ("pending", "Mia Member"));
    let letters = "select count(*) from letters where kind = 'access_asked'";
    assert_eq!(stage.app.number(letters).await, 1, "the admin is told");
    let given = json!({ "decision": "approve", "tools": ["create_issue"], "hours": 2, "reason": "Go on." });
    let given = stage.decided(&asked, given).await.expect(StatusCode::OK);
    assert_eq!((given.text("/state"), &given.body["given_tools"]), ("approved", &json!(["create_issue"])));
    let letters = "select count(*) from letters where kind = 'access_decided'";
    assert_eq!(stage.app.number(letters).await, 1, "and so is who asked");

    let grant = format!("/api/v1/orgs/acme/grants/{}", given.text("/grant"));
    let grant = stage.admin.get(&grant).await.expect(StatusCode::OK);
    assert_eq!(grant.body["servers"], json!(["github"]));
    assert!(grant.body["expires_at"].is_string(), "{:?}", grant.body);
    let policy = format!("access-{}", given.text("/id").trim_start_matches("acr_"));
    let policy =
        stage.admin.get(&format!("/api/v1/orgs/acme/policies/{policy}")).await.expect(StatusCode::OK);
    assert_eq!(
        policy.body["document"],
        json!({ "version": "1", "default": "deny", "tools": { "create_issue": {} } })
    );
    let simulated = |tool: &str| {
        let call = json!({ "call": { "grant": given.text("/grant"), "server": "github", "tool": tool } });
        let path = format!("/api/v1/orgs/acme/policies/{}/simulate", policy.text("/slug"));
        let admin = &stage.admin;
        async move { admin.post(&path, call).await.expect(StatusCode::OK).text("/verdict").to_owned() }
    };
    assert_eq!(
        (simulated("create_issue").await, simulated("get_issue").await),
        ("allow".into(), "deny".into())
    );
    let recorded = stage.app.recorded(&stage.org).await;
    let wanted =
        ["access.requested", "policy.created", "policy.published", "grant.created", "access.approved"];
    assert_eq!(recorded[recorded.len() - wanted.len()..], wanted);
    // No token was made; the person makes it under their own agents.
    assert_eq!(stage.app.number("select count(*) from grant_tokens").await, 0);
    stage.app.clock.advance(Duration::hours(3));
    let over = stage.admin.get(&format!("/api/v1/orgs/acme/grants/{}", given.text("/grant"))).await;
    assert_eq!(over.text("/state"), "expired");
}

#[tokio::test]
async fn the_same_asked_twice_is_one_request_and_there_are_only_so_many() {
    let stage = Stage::fresh().await;
    let first = stage.asked(json!(["create_issue", "get_issue"])).await;
    let again = stage.asked(json!(["get_issue", "create_issue", "get_issue"])).await;
    assert_eq!(first.text("/id"), again.text("/id"));
    let same = asking(json!(["delete_issue"]));
    let both = tokio::join!(stage.member.post(ALL, same.clone()), stage.member.post(ALL, same));
    let (one, two) = (both.0.expect(StatusCode::CREATED), both.1.expect(StatusCode::CREATED));
    assert_eq!(one.text("/id"), two.text("/id"));
    for n in 0..8 {
        stage.asked(json!([format!("tool_{n}")])).await;
    }
    let many = stage.member.post(ALL, asking(json!(["tool_9"]))).await.expect(StatusCode::CONFLICT);
    assert_eq!(many.text("/code"), "access_many");
    let path = format!("{ALL}/{}/withdraw", first.text("/id"));
    stage.member.post(&path, json!({})).await.expect(StatusCode::OK);
    stage.asked(json!(["tool_9"])).await;
    let twice = stage.member.post(&path, json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(twice.text("/code"), "access_decided");
    for wrong in [
        json!({ "server": "github", "tools": ["*"], "why": "x", "hours": 1 }),
        json!({ "server": "github", "tools": ["class:write"], "why": "x", "hours": 1 }),
        json!({ "server": "nowhere", "tools": ["a"], "why": "x", "hours": 1 }),
        json!({ "server": "github", "tools": ["a"], "why": "", "hours": 721 }),
        json!({ "server": "github", "tools": [], "why": "x", "hours": 1 }),
    ] {
        stage.member.post(ALL, wrong).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn of_two_decisions_one_counts_and_no_more_is_given_than_was_asked_for() {
    let stage = Stage::fresh().await;
    let asked = stage.asked(json!(["get_issue"])).await;
    for wrong in [
        json!({ "decision": "approve", "tools": ["get_issue", "delete_issue"] }),
        json!({ "decision": "approve", "tools": [] }),
        json!({ "decision": "approve", "hours": 49 }),
        json!({ "decision": "refuse" }),
        json!({ "decision": "maybe" }),
    ] {
        stage.decided(&asked, wrong).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let refuse = json!({ "decision": "refuse", "reason": "Ask Ops." });
    let both =
        tokio::join!(stage.decided(&asked, json!({ "decision": "approve" })), stage.decided(&asked, refuse));
    let mut statuses = [both.0.status, both.1.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT]);
    let state = stage.member.get(&format!("{ALL}/{}", asked.text("/id"))).await.expect(StatusCode::OK);
    let grants = stage.app.number("select count(*) from grants").await;
    assert_eq!(grants, i64::from(state.text("/state") == "approved"), "a grant only where it was given");
    let unknown = stage.asked(json!(["no_such_tool"])).await;
    let refused = stage.decided(&unknown, json!({ "decision": "approve" })).await;
    refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let class = json!({ "server": "github", "class": "write", "why": "x", "hours": 1 });
    let class = stage.member.post(ALL, class).await.expect(StatusCode::CREATED);
    let given = stage.decided(&class, json!({ "decision": "approve" })).await.expect(StatusCode::OK);
    assert_eq!((&given.body["class"], &given.body["given_hours"]), (&json!("write"), &json!(1)));
}

#[tokio::test]
async fn nobody_decides_about_their_own_and_what_is_too_late_is_too_late() {
    let stage = Stage::fresh().await;
    let own = stage.admin.post(ALL, asking(json!(["get_issue"]))).await.expect(StatusCode::CREATED);
    let approve = json!({ "decision": "approve" });
    let alone = stage.decided(&own, approve.clone()).await.expect(StatusCode::OK);
    assert_eq!(alone.text("/state"), "approved", "nobody else could decide");
    let owner = stage.app.member(&stage.org, "Olga Owner", Role::Owner).await;
    let own = stage.admin.post(ALL, asking(json!(["create_issue"]))).await.expect(StatusCode::CREATED);
    let refused = stage.decided(&own, approve.clone()).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "access_own");
    let key = stage.app.key_of(&stage.org, owner.id, Role::Owner, &["*"]).await;
    key.post(&format!("{ALL}/{}/decide", own.text("/id")), approve.clone()).await.expect(StatusCode::OK);
    let late = stage.asked(json!(["get_issue"])).await;
    stage.app.clock.advance(Duration::days(7));
    let refused = stage.decided(&late, approve).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "access_decided");
    let seen = stage.member.get(&format!("{ALL}/{}", late.text("/id"))).await.expect(StatusCode::OK);
    assert_eq!(seen.text("/state"), "expired");
    let again = stage.asked(json!(["get_issue"])).await;
    assert_ne!(again.text("/id"), late.text("/id"));
}

#[tokio::test]
async fn what_somebody_asked_for_goes_with_them_and_is_for_nobody_elses_eyes() {
    let stage = Stage::fresh().await;
    let asked = stage.asked(json!(["get_issue"])).await;
    let other = stage.app.member(&stage.org, "Otto Other", Role::Member).await;
    let key = stage.app.key_of(&stage.org, other.id, Role::Member, &["*"]).await;
    let one = format!("{ALL}/{}", asked.text("/id"));
    key.get(&one).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(key.get(ALL).await.expect(StatusCode::OK).body["items"], json!([]));
    key.post(&format!("{one}/withdraw"), json!({})).await.expect(StatusCode::NOT_FOUND);
    let decide = format!("{one}/decide");
    key.post(&decide, json!({ "decision": "approve" })).await.expect(StatusCode::FORBIDDEN);
    let (robot, _) = stage.app.service_account(&stage.org, "robot").await;
    assert!(robot.to_string().starts_with("svc_"));
    let left = format!("/api/v1/orgs/acme/members/{}", stage.mia.id);
    let left = stage.admin.send(Method::DELETE, &left, &[], None).await;
    assert!(left.status.is_success(), "{:?}", left.body);
    let gone = stage.decided(&asked, json!({ "decision": "approve" })).await.expect(StatusCode::CONFLICT);
    assert_eq!(gone.text("/code"), "access_decided");
    let seen = stage.admin.get(&one).await.expect(StatusCode::OK);
    assert_eq!(seen.text("/state"), "withdrawn");
    assert_eq!(stage.app.number("select count(*) from grants").await, 0);
}

#[tokio::test]
async fn a_denied_call_leads_to_the_form_and_the_decision_to_a_token_of_ones_own() {
    let mut stage = Stage::fresh().await;
    let (grant, _) = stage.app.grant(&stage.org, Principal::User(stage.mia.id), Class::Read).await;
    let call = PlantedCall {
        is_allowed: false,
        code: Some("policy_denied"),
        ..PlantedCall::of(stage.mia.id, grant, stage.server, "create_issue")
    };
    let request = stage.app.recorded_call_in(&stage.org, &call).await;
    let page = stage.mia.browser.visit(&format!("/c/{request}")).await;
    assert!(page.body.contains("Ask for access"), "{}", page.body);
    let new = format!("/me/access/acme/new?server={}&tools=create_issue&request={request}", stage.server);
    let form = stage.mia.browser.visit(&new).await;
    assert!(form.body.contains("create_issue"));
    let wrong = [("why", ""), ("hours", "24")];
    let wrong = stage.mia.browser.submit(&form, "/me/access/acme/new", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let right = [("why", "For the release."), ("hours", "24")];
    let asked = stage.mia.browser.submit(&form, "/me/access/acme/new", &right).await;
    let mine = stage.mia.browser.follow(asked).await;
    assert!(mine.body.contains("Waits") && mine.body.contains("create_issue"));

    // A guardrail would still deny it, and the page says so.
    let locked =
        json!({ "version": "1", "default": "allow", "tools": { "create_issue": { "action": "deny" } } });
    let new = json!({ "name": "Locked", "document": locked, "publish": true });
    stage.admin.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
    let layers = json!({ "org": "locked" });
    stage.admin.send(Method::PUT, "/api/v1/orgs/acme/layers", &[], Some(layers)).await.expect(StatusCode::OK);
    let list = stage.ada.browser.visit("/o/acme/access").await;
    assert!(list.body.contains("Mia Member"));
    let id = stage.admin.get(ALL).await.text("/items/0/id").to_owned();
    let one = stage.ada.browser.visit(&format!("/o/acme/access/{id}")).await;
    assert!(one.body.contains("Stays denied") && one.body.contains(&format!("/c/{request}")), "{}", one.body);
    let decide = format!("/o/acme/access/{id}/decide");
    let given = stage.ada.browser.submit(&one, &decide, &[("decision", "approve")]).await;
    let list = stage.ada.browser.follow(given).await;
    assert!(
        list.body.contains("make the token themselves") && list.body.contains("Nobody waits"),
        "{}",
        list.body
    );
    let mine = stage.mia.browser.visit("/me/access").await;
    let made = stage.admin.get(ALL).await.text("/items/0/grant").to_owned();
    let token = format!("/me/agents/acme/{made}");
    assert!(mine.body.contains(&token) && mine.body.contains("Make a token"), "{}", mine.body);
    stage.mia.browser.visit(&token).await;
}
