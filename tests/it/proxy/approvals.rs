//! Approvals: exactly one call is asked about, agreed to, and made once.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use portreeve::base::{permission::Role, risk::Class};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    kit::{app::TestApp, http::Script},
    proxy::stage::{Reply, Stage},
};

struct Asking {
    stage: Stage,
    admin: Script,
    approver: Script,
}

/// The stage with its grant under a policy that asks about `create_issue`.
async fn asking(ask: Value) -> Asking {
    let stage = Stage::with_ceiling(Class::Financial).await;
    let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
    let admin = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
    let person = stage.app.member(&stage.org, "Ann Approver", Role::Approver).await;
    let key = stage.app.key_of(&stage.org, person.id, Role::Approver, &["*"]).await;
    let mut rule = json!({ "conditions": [] });
    for (key, value) in ask.as_object().unwrap() {
        rule[key] = value.clone();
    }
    let document = json!({ "version": "1", "default": "allow",
        "tools": { "create_issue": { "require_approval_if": [rule] } } });
    let new = json!({ "name": "Crew", "slug": "crew", "document": document, "publish": true });
    admin.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
    let grant = format!("/api/v1/orgs/acme/grants/{}", stage.grant);
    admin.send(Method::PATCH, &grant, &[], Some(json!({ "policy": "crew" }))).await.expect(StatusCode::OK);
    Asking { stage, admin, approver: key }
}

impl Asking {
    async fn call(&self, title: &str) -> Reply {
        let params = json!({ "name": "create_issue", "arguments": { "title": title } });
        self.stage.agent.ask("tools/call", params).await
    }

    /// Calls, and gives the approval that is waited for.
    async fn asked(&self, title: &str) -> String {
        let reply = self.call(title).await;
        assert!(reply.words().starts_with("[APPROVAL NEEDED]"), "{}", reply.text);
        reply.json()["result"]["_meta"]["portreeve/decision"]["approval"].as_str().unwrap().to_owned()
    }

    async fn decide(&self, key: &Script, id: &str, decision: Value) -> crate::kit::http::Answer {
        key.post(&format!("/api/v1/orgs/acme/approvals/{id}/decide"), decision).await
    }
}

fn once() -> Value {
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
    let path = "/api/v1/orgs/acme/policies/crew";
    asking
        .admin
        .send(Method::PUT, &format!("{path}/draft"), &[], Some(json!({ "document": document })))
        .await
        .expect(StatusCode::OK);
    asking.admin.post(&format!("{path}/publish"), json!({})).await.expect(StatusCode::OK);
    assert_ne!(asking.asked("a").await, id);
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
    own.post(&format!("{one}/nudge"), json!({})).await.expect(StatusCode::OK);
    own.post(&format!("{one}/nudge"), json!({})).await.expect(StatusCode::TOO_MANY_REQUESTS);
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
