//! Approvals: exactly one call is asked about, agreed to, and made once.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use portreeve::base::{permission::Role, risk::Class};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    kit::{app::TestApp, http::Script},
    proxy::stage::{Reply, Stage, tools},
};

pub(super) struct Asking {
    pub(super) stage: Stage,
    pub(super) admin: Script,
    pub(super) approver: Script,
}

/// The stage with its grant under a policy that asks about `create_issue`.
pub(super) async fn asking(ask: Value) -> Asking {
    asking_on(Stage::with_ceiling(Class::Financial).await, ask, json!([])).await
}

/// The same on a stage of the test's own, with limits.
pub(super) async fn asking_on(mut stage: Stage, ask: Value, limits: Value) -> Asking {
    stage.agent = stage.agent.without_tasks();
    let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
    let admin = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
    let person = stage.app.member(&stage.org, "Ann Approver", Role::Approver).await;
    let key = stage.app.key_of(&stage.org, person.id, Role::Approver, &["*"]).await;
    let mut rule = json!({ "conditions": [] });
    for (key, value) in ask.as_object().unwrap() {
        rule[key] = value.clone();
    }
    let document = json!({ "version": "1", "default": "allow",
        "tools": { "create_issue": { "require_approval_if": [rule], "limits": limits } } });
    let new = json!({ "name": "Crew", "slug": "crew", "document": document, "publish": true });
    admin.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
    let grant = format!("/api/v1/orgs/acme/grants/{}", stage.grant);
    admin.send(Method::PATCH, &grant, &[], Some(json!({ "policy": "crew" }))).await.expect(StatusCode::OK);
    Asking { stage, admin, approver: key }
}

impl Asking {
    pub(super) async fn call(&self, title: &str) -> Reply {
        let params = json!({ "name": "create_issue", "arguments": { "title": title } });
        self.stage.agent.ask("tools/call", params).await
    }

    /// Calls, and gives the approval that is waited for.
    pub(super) async fn asked(&self, title: &str) -> String {
        let reply = self.call(title).await;
        assert!(reply.words().starts_with("[APPROVAL NEEDED]"), "{}", reply.text);
        reply.json()["result"]["_meta"]["portreeve/decision"]["approval"].as_str().unwrap().to_owned()
    }

    /// How many were written to about an approval.
    async fn letters_about(&self, id: &str) -> usize {
        self.stage.app.run_jobs().await;
        let page = format!("/o/acme/approvals/{id}");
        self.stage.app.postbox.mails().iter().filter(|letter| letter.text.contains(&page)).count()
    }

    /// Puts another document in force.
    pub(super) async fn publish(&self, document: Value) {
        let path = "/api/v1/orgs/acme/policies/crew";
        let draft = Some(json!({ "document": document }));
        self.admin.send(Method::PUT, &format!("{path}/draft"), &[], draft).await.expect(StatusCode::OK);
        self.admin.post(&format!("{path}/publish"), json!({})).await.expect(StatusCode::OK);
    }

    pub(super) async fn decide(&self, key: &Script, id: &str, decision: Value) -> crate::kit::http::Answer {
        key.post(&format!("/api/v1/orgs/acme/approvals/{id}/decide"), decision).await
    }
}

pub(super) fn once() -> Value {
    json!({ "decision": "approve_once" })
}

#[tokio::test]
async fn a_call_waits_is_approved_once_and_is_made_once() {
    let asking = asking(json!({ "name": "issues" })).await;
    let id = asking.asked("a").await;
    assert_eq!(asking.asked("a").await, id, "the same call is the same question");
    assert!(asking.stage.reached().is_empty());
    let listed =
        asking.approver.get("/api/v1/orgs/acme/approvals?state=pending").await.expect(StatusCode::OK);
    assert_eq!((listed.text("/items/0/id"), listed.text("/items/0/tool")), (id.as_str(), "create_issue"));
    let seen = asking.approver.get(&format!("/api/v1/orgs/acme/approvals/{id}")).await.expect(StatusCode::OK);
    assert_eq!((&seen.body["arguments"], &seen.body["decidable"]), (&json!({ "title": "a" }), &json!(true)));
    let done = asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    assert_eq!(done.text("/state"), "approved");
    assert_ne!(asking.asked("b").await, id, "other arguments are another call");
    assert_eq!(asking.call("a").await.words(), "done");
    assert_ne!(asking.asked("a").await, id, "once is once");
    assert_eq!(asking.stage.reached().len(), 1);
    let recorded = asking.stage.app.recorded(&asking.stage.org).await;
    assert!(recorded.contains(&"approval.approved".to_owned()), "{recorded:?}");
    let used = asking.stage.calls().await.into_iter().find(|(action, _)| action == "call.allowed").unwrap();
    assert_eq!(used.1.call.unwrap().approval.unwrap().to_string(), id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_retries_at_once_on_three_replicas_use_an_approval_once() {
    let asking = asking(json!({})).await;
    let id = asking.asked("a").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let (second, third) =
        (TestApp::beside(&asking.stage.app).await, TestApp::beside(&asking.stage.app).await);
    let agents = [
        asking.stage.agent.clone(),
        asking.stage.agent.at(&format!("{}/mcp/acme/github", second.origin())),
        asking.stage.agent.at(&format!("{}/mcp/acme/github", third.origin())),
    ];
    let params = json!({ "name": "create_issue", "arguments": { "title": "a" } });
    let calls = (0..50).map(|at| agents[at % 3].ask("tools/call", params.clone()));
    let made = join_all(calls).await.iter().filter(|reply| reply.words() == "done").count();
    assert_eq!((made, asking.stage.reached().len()), (1, 1));
}

#[tokio::test]
async fn an_approval_for_a_while_is_for_these_arguments_only_and_ends() {
    let asking = asking(json!({})).await;
    let id = asking.asked("a").await;
    let wrong = json!({ "decision": "approve_for" });
    let refused = asking.decide(&asking.approver, &id, wrong).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.text("/errors/0/path"), "minutes");
    let hour = json!({ "decision": "approve_for", "minutes": 60 });
    asking.decide(&asking.approver, &id, hour).await.expect(StatusCode::OK);
    for _ in 0..3 {
        assert_eq!(asking.call("a").await.words(), "done");
    }
    asking.asked("b").await;
    asking.stage.app.clock.advance(Duration::minutes(61));
    assert_ne!(asking.asked("a").await, id);
}

#[tokio::test]
async fn a_denial_is_told_with_its_reason_and_nobody_is_asked_again_for_a_while() {
    let asking = asking(json!({ "within": "10m" })).await;
    let id = asking.asked("a").await;
    let deny = json!({ "decision": "deny", "reason": "Not today." });
    let denied = asking.decide(&asking.approver, &id, deny).await.expect(StatusCode::OK);
    assert_eq!(denied.text("/state"), "denied");
    let reply = asking.call("a").await;
    assert!(reply.words().starts_with("[PORTREEVE DENIED]") && reply.words().contains("Not today."));
    let again = asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::CONFLICT);
    assert_eq!(again.text("/code"), "approval_decided");
    asking.stage.app.clock.advance(Duration::minutes(11));
    assert_ne!(asking.asked("a").await, id);
}

#[tokio::test]
async fn whatever_changes_of_policy_or_definition_makes_an_approval_worth_nothing() {
    let asking = asking(json!({})).await;
    let id = asking.asked("a").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let document = json!({ "version": "1", "default": "allow",
        "tools": { "create_issue": { "action": "require_approval", "reason": "New rules" } } });
    asking.publish(document).await;
    assert_ne!(asking.asked("a").await, id);
    assert!(asking.stage.reached().is_empty());
}

#[tokio::test]
async fn an_approval_of_an_unreviewed_tool_is_for_the_definition_that_was_there() {
    let asking = asking(json!({})).await;
    let rule = json!({ "require_approval_if": [{ "conditions": [] }] });
    let document = json!({ "version": "1", "default": "allow", "unreviewed_tools": "default",
        "tools": { "create_issue": rule } });
    asking.publish(document).await;
    let mut changed = tools();
    changed[1]["description"] = json!("Does something else.");
    asking.stage.app.see_tools(&asking.stage.org, asking.stage.server, &changed).await;
    let id = asking.asked("a").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    changed[1]["description"] = json!("Does something else again.");
    asking.stage.app.see_tools(&asking.stage.org, asking.stage.server, &changed).await;
    assert_ne!(asking.asked("a").await, id);
    assert!(asking.stage.reached().is_empty());
}

#[tokio::test]
async fn an_approval_of_what_is_no_tool_is_for_that_and_nothing_else() {
    let asking = asking(json!({})).await;
    let ask = json!({ "require_approval_if": [{ "conditions": [] }] });
    let document = json!({ "version": "1", "default": "allow", "tools": {
        "resource:*": ask, "prompt:*": ask, "method:*": ask, "create_issue": ask } });
    asking.publish(document).await;
    let waits = async |method: &str, params: Value| {
        let reply = asking.stage.agent.ask(method, params).await;
        let record = asking.stage.calls().await.pop().unwrap().1.call.unwrap();
        assert_eq!(record.code.as_deref(), Some("approval_needed"), "{method}: {}", reply.text);
        record.approval.unwrap().to_string()
    };
    let named = json!({ "name": "create_issue", "arguments": { "title": "a" } });
    let mut all = vec![
        waits("resources/read", json!({ "uri": "file:///a" })).await,
        waits("resources/read", json!({ "uri": "file:///b" })).await,
        waits("prompts/get", named.clone()).await,
        waits("tools/call", named).await,
        waits("x/erase", json!({ "name": "a", "depth": 1 })).await,
        waits("x/erase", json!({ "name": "a", "depth": 2 })).await,
        waits("x/drop", json!({ "name": "a", "depth": 2 })).await,
    ];
    let again = json!({ "name": "a", "depth": 2, "_meta": { "own": 7 } });
    assert_eq!(waits("x/drop", again).await, all[6], "what is about the exchange is not what is asked");
    let one = format!("/api/v1/orgs/acme/approvals/{}", all[5]);
    let seen = asking.approver.get(&one).await.expect(StatusCode::OK);
    assert_eq!(
        (seen.text("/tool"), &seen.body["arguments"]),
        ("method:x/erase", &json!({ "name": "a", "depth": 2 }))
    );
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 7, "each is another question");
}

#[tokio::test]
async fn an_approval_that_is_found_again_and_again_but_cannot_be_used_ends_the_call() {
    let asking = asking(json!({})).await;
    let id = asking.asked("a").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let app = &asking.stage.app;
    app.change("create function stay() returns trigger language plpgsql as 'begin return null; end'").await;
    app.change("create trigger stays before update on approvals for each row execute function stay()").await;
    let reply = asking.call("a").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.text);
    assert!(asking.stage.reached().is_empty());
}

#[tokio::test]
async fn only_who_is_named_decides_and_never_for_an_agent_of_their_own() {
    let asking = asking(json!({ "approvers": "team:leads", "quorum": 2 })).await;
    let app = &asking.stage.app;
    let team = app.team(&asking.stage.org, "leads").await;
    let members = format!("/api/v1/orgs/acme/teams/{team}/members");
    let mut leads = Vec::new();
    for name in ["Lea Lead", "Leo Lead"] {
        let lead = app.member(&asking.stage.org, name, Role::Member).await;
        let new = json!({ "person": lead.id.to_string(), "role": "member" });
        asking.admin.post(&members, new).await.expect(StatusCode::CREATED);
        leads.push(app.key_of(&asking.stage.org, lead.id, Role::Member, &["*"]).await);
    }
    let own = json!({ "person": asking.stage.person.to_string(), "role": "member" });
    asking.admin.post(&members, own).await.expect(StatusCode::CREATED);
    let own = app.key_of(&asking.stage.org, asking.stage.person, Role::Member, &["*"]).await;
    let id = asking.asked("a").await;
    let stranger = asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::CONFLICT);
    assert_eq!(stranger.text("/code"), "approval_not_yours");
    let refused = asking.decide(&own, &id, once()).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "approval_own");
    let first = asking.decide(&leads[0], &id, once()).await.expect(StatusCode::OK);
    assert_eq!(first.text("/state"), "pending", "two have to agree");
    let twice = asking.decide(&leads[0], &id, once()).await.expect(StatusCode::OK);
    assert_eq!(twice.text("/state"), "pending", "one person is one, however often they agree");
    let second = asking.decide(&leads[1], &id, once()).await.expect(StatusCode::OK);
    assert_eq!(second.text("/state"), "approved");
    assert_eq!(asking.call("a").await.words(), "done");
    let nobody = app.member(&asking.stage.org, "Nobody Here", Role::Member).await;
    let nobody = app.key_of(&asking.stage.org, nobody.id, Role::Member, &["*"]).await;
    nobody.get(&format!("/api/v1/orgs/acme/approvals/{id}")).await.expect(StatusCode::NOT_FOUND);
    let theirs = nobody.get("/api/v1/orgs/acme/approvals").await.expect(StatusCode::OK);
    assert!(theirs.body["items"].as_array().unwrap().is_empty());
    let mine = own.get("/api/v1/orgs/acme/approvals").await.expect(StatusCode::OK);
    assert_eq!(mine.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_asks_can_remind_and_take_back() {
    let asking = asking(json!({})).await;
    let own = asking.stage.app.key_of(&asking.stage.org, asking.stage.person, Role::Member, &["*"]).await;
    let id = asking.asked("a").await;
    let one = format!("/api/v1/orgs/acme/approvals/{id}");
    assert_eq!(asking.letters_about(&id).await, 2);
    own.post(&format!("{one}/nudge"), json!({})).await.expect(StatusCode::OK);
    own.post(&format!("{one}/nudge"), json!({})).await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(asking.letters_about(&id).await, 4, "a reminder is a letter to each");
    asking.approver.post(&format!("{one}/withdraw"), json!({})).await.expect(StatusCode::NOT_FOUND);
    let back = own.post(&format!("{one}/withdraw"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(back.text("/state"), "withdrawn");
    let late = asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::CONFLICT);
    assert_eq!(late.text("/code"), "approval_decided");
    assert_ne!(asking.asked("a").await, id);
}

#[tokio::test]
async fn who_may_agree_is_written_to_and_the_letter_holds_no_argument() {
    let asking = asking(json!({})).await;
    let id = asking.asked("a-very-secret-title").await;
    asking.asked("a-very-secret-title").await;
    asking.stage.app.run_jobs().await;
    let letters = asking.stage.app.postbox.mails();
    let asked: Vec<_> = letters.iter().filter(|letter| letter.subject.contains("asks to call")).collect();
    // The admin and the approver, once each however often the agent asks.
    assert_eq!(asked.len(), 2, "{:?}", letters.iter().map(|letter| &letter.subject).collect::<Vec<_>>());
    for letter in asked {
        assert!(letter.text.contains(&format!("/o/acme/approvals/{id}")));
        assert!(!letter.text.contains("secret") && !letter.html.contains("secret"));
    }
}

#[tokio::test]
async fn what_a_revoked_grant_asked_waits_no_longer() {
    let asking = asking(json!({})).await;
    let id = asking.asked("a").await;
    let revoke = format!("/api/v1/orgs/acme/grants/{}/revoke", asking.stage.grant);
    asking.admin.post(&revoke, json!({ "reason": "over" })).await.expect(StatusCode::OK);
    let seen = asking.approver.get(&format!("/api/v1/orgs/acme/approvals/{id}")).await.expect(StatusCode::OK);
    assert_eq!(seen.text("/state"), "withdrawn");
}
