//! The policy that is suggested for a server, over the API: what it does and why, and what adopting it comes to.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::{Value, json};

use crate::kit::{
    app::TestApp,
    http::{Answer, Script},
    people::PlantedOrg,
    upstream::tool,
};

const ONE: &str = "/api/v1/orgs/acme/servers/fake/suggested-policy";
const ADOPT: &str = "/api/v1/orgs/acme/servers/fake/suggested-policy/adopt";
const POLICIES: &str = "/api/v1/orgs/acme/policies";
const LAYERS: &str = "/api/v1/orgs/acme/layers";

async fn acme(app: &TestApp) -> (PlantedOrg, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    (org, key)
}

/// A server called `fake` with a tool of each class.
async fn fake(app: &TestApp, org: &PlantedOrg) {
    let server = app.server_at(org, "fake", "https://192.0.2.7/mcp").await;
    let tools = ["get_issue", "create_issue", "run_job", "delete_repo", "create_refund"];
    app.accept_tools(org, server, &tools.map(|name| tool(name, "", &[]))).await;
}

fn told(answer: &Answer, field: &str) -> Vec<(String, String)> {
    let tools = answer.body["tools"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or("null").to_owned();
    tools.iter().map(|tool| (text(&tool["tool"]), text(&tool[field]))).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn a_policy_is_suggested_by_class_with_the_reason_and_adopted_once() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    fake(&app, &org).await;
    let found = key.get(ONE).await.expect(StatusCode::OK);
    assert_eq!((&found.body["known"], &found.body["baseline"]), (&Value::Null, &Value::Null));
    assert_eq!(
        told(&found, "handling"),
        pairs(&[
            ("create_issue", "limit_writes"),
            ("create_refund", "ask"),
            ("delete_repo", "hide"),
            ("get_issue", "allow"),
            ("run_job", "limit_executions"),
        ])
    );
    assert_eq!(found.text("/tools/2/class_reason"), "Its name says `delete`.");
    assert_eq!(found.body["document"]["hide"], json!(["class:destructive"]));

    let made = key.post(ADOPT, json!({})).await.expect(StatusCode::OK);
    assert_eq!((made.text("/outcome"), made.text("/policy/slug")), ("in_force", "fake-baseline"));
    assert_eq!((&made.body["policy"]["live_version"], made.text("/policy/server")), (&json!(1), "fake"));
    assert_eq!(made.body["policy"]["document"], found.body["document"]);
    assert_eq!(key.get(LAYERS).await.body["servers"], json!({ "fake": "fake-baseline" }));
    let again = key.post(ADOPT, json!({})).await.expect(StatusCode::OK);
    assert_eq!((again.text("/outcome"), again.text("/policy/slug")), ("already_in_force", "fake-baseline"));
    let found = key.get(ONE).await.expect(StatusCode::OK);
    assert_eq!(found.body["baseline"], json!({ "policy": "fake-baseline", "version": 1, "same": true }));
    assert_eq!(found.text("/tools/2/today"), "hide");
    assert_eq!(app.recorded(&org).await, ["policy.created", "policy.published", "layers.changed"]);
}

#[tokio::test]
async fn two_who_adopt_at_once_make_one_policy() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    fake(&app, &org).await;
    let adopt = || key.post(ADOPT, json!({}));
    let (a, b, c) = tokio::join!(adopt(), adopt(), adopt());
    let mut outcomes = [a, b, c].map(|answer| answer.expect(StatusCode::OK).text("/outcome").to_owned());
    outcomes.sort();
    assert_eq!(outcomes, ["already_in_force", "already_in_force", "in_force"]);
    assert_eq!(key.get(POLICIES).await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn where_another_policy_stands_it_becomes_a_draft_and_nothing_in_force_changes() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    fake(&app, &org).await;
    let open = json!({ "version": "1", "default": "allow" });
    let new = json!({ "name": "Crew", "document": open, "publish": true });
    key.post(POLICIES, new).await.expect(StatusCode::CREATED);
    let layers = json!({ "servers": { "fake": "crew" } });
    key.send(Method::PUT, LAYERS, &[], Some(layers.clone())).await.expect(StatusCode::OK);
    let found = key.get(ONE).await.expect(StatusCode::OK);
    assert_eq!(found.body["baseline"], json!({ "policy": "crew", "version": 1, "same": false }));
    assert_eq!(found.text("/tools/2/today"), "allow");

    for _ in 0..2 {
        let made = key.post(ADOPT, json!({})).await.expect(StatusCode::OK);
        assert_eq!((made.text("/outcome"), made.text("/policy/slug")), ("draft", "crew"));
        assert_eq!(made.body["policy"]["draft"]["document"], found.body["document"]);
        assert_eq!(made.body["policy"]["document"], open);
    }
    // Nobody's draft is replaced, and no policy that holds elsewhere is written for one server.
    let draft = json!({ "document": { "version": "1", "default": "deny" } });
    key.send(Method::PUT, &format!("{POLICIES}/crew/draft"), &[], Some(draft.clone()))
        .await
        .expect(StatusCode::OK);
    for _ in 0..2 {
        let made = key.post(ADOPT, json!({})).await.expect(StatusCode::OK);
        assert_eq!((made.text("/outcome"), made.text("/policy/slug")), ("draft_beside", "fake-baseline"));
        assert_eq!(made.body["policy"]["live_version"], Value::Null);
    }
    let crew = key.get(&format!("{POLICIES}/crew")).await;
    assert_eq!(crew.body["draft"]["document"], draft["document"]);
    key.send(Method::DELETE, &format!("{POLICIES}/crew/draft"), &[], None).await.expect(StatusCode::OK);
    key.send(Method::DELETE, &format!("{POLICIES}/fake-baseline"), &[], None)
        .await
        .expect(StatusCode::NO_CONTENT);
    let everywhere = json!({ "org": "crew", "servers": { "fake": "crew" } });
    key.send(Method::PUT, LAYERS, &[], Some(everywhere)).await.expect(StatusCode::OK);
    let made = key.post(ADOPT, json!({})).await.expect(StatusCode::OK);
    assert_eq!(made.text("/outcome"), "draft_beside");
    assert_eq!(key.get(LAYERS).await.body["servers"], layers["servers"]);
}

#[tokio::test]
async fn a_name_that_is_taken_gets_a_number() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    fake(&app, &org).await;
    let new = json!({ "name": "Fake baseline", "document": { "version": "1", "default": "deny" } });
    key.post(POLICIES, new).await.expect(StatusCode::CREATED);
    let made = key.post(ADOPT, json!({})).await.expect(StatusCode::OK);
    assert_eq!((made.text("/outcome"), made.text("/policy/slug")), ("in_force", "fake-baseline-2"));
}

#[tokio::test]
async fn what_is_known_of_a_servers_tools_is_heeded_where_it_is_that_server() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    let tools = [
        tool("execute_sql", "", &["query"]),
        tool("create_project", "", &["name"]),
        tool("query_logs", "", &["sql"]),
        tool("list_tables", "", &[]),
    ];
    for (slug, url) in [("data", "https://mcp.supabase.com/mcp"), ("supabase", "https://192.0.2.7/mcp")] {
        let server = app.server_at(&org, slug, url).await;
        app.accept_tools(&org, server, &tools).await;
    }
    let one = |slug: &str| format!("/api/v1/orgs/acme/servers/{slug}/suggested-policy");
    let found = key.get(&one("data")).await.expect(StatusCode::OK);
    assert_eq!((found.text("/known/slug"), found.text("/known/name")), ("supabase", "Supabase"));
    let wanted = [
        ("create_project", "ask"),
        ("execute_sql", "ask"),
        ("list_tables", "allow"),
        ("query_logs", "allow"),
    ];
    assert_eq!(told(&found, "handling"), pairs(&wanted));
    assert_eq!(found.text("/tools/1/reason"), "It runs any SQL, which may delete data.");
    assert_eq!((found.text("/tools/3/class"), &found.body["tools"][2]["reason"]), ("execute", &Value::Null));
    assert_eq!(found.body["document"]["tools"]["query_logs"]["limits"], Value::Null);

    let other = key.get(&one("supabase")).await.expect(StatusCode::OK);
    assert_eq!(other.body["known"], Value::Null, "it only calls itself so");
    assert_eq!(told(&other, "handling")[1].1, "limit_executions");

    // What a person says of a tool is not made milder by what is known of it.
    let class = json!({ "class": "execute", "reason": "It is slow." });
    let logs = "/api/v1/orgs/acme/servers/data/tools/query_logs";
    key.send(Method::PATCH, logs, &[], Some(class)).await.expect(StatusCode::OK);
    assert_eq!(told(&key.get(&one("data")).await, "handling")[3].1, "limit_executions");
}

#[tokio::test]
async fn what_was_not_seen_is_not_adopted_and_without_tools_nothing_is() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    let server = app.server_at(&org, "fake", "https://mcp.attio.com/mcp").await;
    let refused = key.post(ADOPT, json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "no_tools");
    app.accept_tools(&org, server, &[tool("list-objects", "", &[])]).await;
    let found = key.get(ONE).await.expect(StatusCode::OK);
    let tag = found.headers["etag"].to_str().unwrap().to_owned();
    app.accept_tools(&org, server, &[tool("list-objects", "", &[]), tool("merge-records", "", &[])]).await;
    let seen = [("if-match", tag.as_str())];
    let adopt = |seen| key.send(Method::POST, ADOPT, seen, Some(json!({})));
    adopt(&seen).await.expect(StatusCode::PRECONDITION_FAILED);
    assert!(app.recorded(&org).await.is_empty());
    let found = key.get(ONE).await.expect(StatusCode::OK);
    assert_eq!(found.body["document"]["hide"], json!(["class:destructive", "merge-records"]));
    let tag = found.headers["etag"].to_str().unwrap().to_owned();
    adopt(&[("if-match", tag.as_str())]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn who_reads_policies_reads_it_who_writes_them_adopts_it_and_nobody_of_another_organization() {
    let app = TestApp::start().await;
    let (org, _) = acme(&app).await;
    fake(&app, &org).await;
    for (role, read, adopt) in [
        (Role::Member, StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
        (Role::Approver, StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
        (Role::Auditor, StatusCode::OK, StatusCode::FORBIDDEN),
        (Role::PolicyManager, StatusCode::OK, StatusCode::OK),
        (Role::Owner, StatusCode::OK, StatusCode::OK),
    ] {
        let person = app.member(&org, role.label(), role).await;
        let key = app.key_of(&org, person.id, role, &["*"]).await;
        key.get(ONE).await.expect(read);
        key.post(ADOPT, json!({})).await.expect(adopt);
    }
    let other = app.org("other").await;
    let stranger = app.member(&other, "Strange Owner", Role::Owner).await;
    let key = app.key_of(&other, stranger.id, Role::Owner, &["*"]).await;
    let id = app.server(&org, "theirs").await;
    for path in [ONE.to_owned(), format!("/api/v1/orgs/other/servers/{id}/suggested-policy")] {
        key.get(&path).await.expect(StatusCode::NOT_FOUND);
        key.post(&format!("{path}/adopt"), json!({})).await.expect(StatusCode::NOT_FOUND);
    }
    assert!(app.recorded(&other).await.is_empty());
}

#[tokio::test]
async fn where_two_have_to_publish_nothing_is_in_force_by_adopting_alone() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    fake(&app, &org).await;
    app.member(&org, "Ben Manager", Role::PolicyManager).await;
    let wanted = json!({ "publishing_takes_two": true });
    key.send(Method::PATCH, "/api/v1/orgs/acme", &[], Some(wanted)).await.expect(StatusCode::OK);
    let made = key.post(ADOPT, json!({})).await.expect(StatusCode::OK);
    assert_eq!((made.text("/outcome"), &made.body["policy"]["live_version"]), ("draft_beside", &Value::Null));
    let layers = key.get(LAYERS).await.expect(StatusCode::OK);
    assert_eq!(layers.body["servers"], json!({}));
}
