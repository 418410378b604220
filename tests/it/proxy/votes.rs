//! What several agree to together, and what becomes of it: the least that one of them agrees to, until it is taken back
//! or one of them goes.

use http::{Method, StatusCode};
use portreeve::base::{ids::UserId, permission::Role};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    kit::{app::TestApp, http::Script},
    proxy::approvals::{Asking, asking, once},
};

fn minutes(minutes: u32) -> Value {
    json!({ "decision": "approve_for", "minutes": minutes })
}

/// Another approver, with a key.
async fn bob(asking: &Asking) -> (UserId, Script) {
    let app = &asking.stage.app;
    let bob = app.member(&asking.stage.org, "Bob Approver", Role::Approver).await;
    (bob.id, app.key_of(&asking.stage.org, bob.id, Role::Approver, &["*"]).await)
}

async fn offboard(asking: &Asking, who: UserId) {
    let path = format!("/api/v1/orgs/acme/members/{who}");
    asking.admin.send(Method::DELETE, &path, &[], None).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn once_and_a_day_come_to_once_and_of_two_times_the_shorter_holds() {
    let asking = asking(json!({ "quorum": 2 })).await;
    let (_, bob) = bob(&asking).await;
    let id = asking.asked("a").await;
    asking.decide(&bob, &id, once()).await.expect(StatusCode::OK);
    let done = asking.decide(&asking.approver, &id, minutes(1440)).await.expect(StatusCode::OK);
    assert_eq!((done.text("/state"), &done.body["single"]), ("approved", &json!(true)));
    let votes = done.body["votes"].as_array().unwrap();
    for said in [Value::Null, json!(1440)] {
        assert!(votes.iter().any(|vote| vote["minutes"] == said), "{votes:?}");
    }
    assert_eq!(asking.call("a").await.words(), "done");
    let again = asking.asked("a").await;
    assert_ne!(again, id, "once is once, whoever says more last");

    asking.decide(&bob, &again, minutes(1440)).await.expect(StatusCode::OK);
    asking.decide(&asking.approver, &again, minutes(30)).await.expect(StatusCode::OK);
    for _ in 0..2 {
        assert_eq!(asking.call("a").await.words(), "done");
    }
    asking.stage.app.clock.advance(Duration::minutes(31));
    assert_ne!(asking.asked("a").await, again);
}

#[tokio::test]
async fn who_left_agreed_to_nothing_that_waits() {
    let asking = asking(json!({ "quorum": 2 })).await;
    let (gone, bob) = bob(&asking).await;
    let id = asking.asked("a").await;
    asking.decide(&bob, &id, once()).await.expect(StatusCode::OK);
    offboard(&asking, gone).await;
    let first = asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    assert_eq!(first.text("/state"), "pending", "Bob is not here any more");
    let second = asking.decide(&asking.admin, &id, once()).await.expect(StatusCode::OK);
    assert_eq!(second.text("/state"), "approved");
}

#[tokio::test]
async fn what_was_agreed_to_is_revoked_on_every_replica_and_the_agent_hears_so() {
    let asking = asking(json!({})).await;
    let second = TestApp::beside(&asking.stage.app).await;
    let elsewhere = asking.stage.agent.at(&format!("{}/mcp/acme/github", second.origin()));
    let id = asking.asked("a").await;
    let path = format!("/api/v1/orgs/acme/approvals/{id}/revoke");
    let early = asking.approver.post(&path, json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(early.text("/code"), "approval_over");
    asking.decide(&asking.approver, &id, minutes(60)).await.expect(StatusCode::OK);
    let call = json!({ "name": "create_issue", "arguments": { "title": "a" } });
    assert_eq!(asking.call("a").await.words(), "done");
    assert_eq!(elsewhere.ask("tools/call", call.clone()).await.words(), "done");

    let own = asking.stage.app.key_of(&asking.stage.org, asking.stage.person, Role::Member, &["*"]).await;
    let theirs = own.post(&path, json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(theirs.text("/code"), "approval_not_yours");
    let revoked = asking.approver.post(&path, json!({})).await.expect(StatusCode::OK);
    assert_eq!((revoked.text("/state"), revoked.text("/revoked_by_name")), ("withdrawn", "Ann Approver"));
    let twice = asking.admin.post(&path, json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(twice.text("/code"), "approval_over");
    for reply in [elsewhere.ask("tools/call", call).await, asking.call("a").await] {
        let words = reply.words();
        assert!(words.starts_with("[APPROVAL NEEDED]"), "{words}");
        assert!(words.contains("What was agreed to before was revoked."), "{words}");
    }
    assert_eq!(asking.stage.reached().len(), 2);
    let recorded = asking.stage.app.recorded(&asking.stage.org).await;
    assert!(recorded.contains(&"approval.revoked".to_owned()), "{recorded:?}");
}

#[tokio::test]
async fn an_admin_revokes_what_others_gave_with_other_arguments_and_before_it_was_used() {
    let asking = asking(json!({})).await;
    let id = asking.asked("a").await;
    let instead = json!({ "decision": "approve_once", "arguments": { "title": "b" } });
    asking.decide(&asking.approver, &id, instead).await.expect(StatusCode::OK);
    let path = format!("/api/v1/orgs/acme/approvals/{id}/revoke");
    let revoked = asking.admin.post(&path, json!({})).await.expect(StatusCode::OK);
    assert_eq!((&revoked.body["uses"], &revoked.body["revocable"]), (&json!(0), &json!(false)));
    asking.asked("b").await;
    assert!(asking.stage.reached().is_empty());
}

#[tokio::test]
async fn what_somebody_agreed_to_ends_when_they_are_suspended_or_leave() {
    let asking = asking(json!({})).await;
    let (who, bob) = bob(&asking).await;
    let id = asking.asked("a").await;
    asking.decide(&bob, &id, minutes(60)).await.expect(StatusCode::OK);
    let other = asking.asked("b").await;
    asking.decide(&asking.approver, &other, minutes(60)).await.expect(StatusCode::OK);
    let suspend = format!("/api/v1/orgs/acme/members/{who}/suspend");
    asking.admin.post(&suspend, json!({ "reason": "leave" })).await.expect(StatusCode::OK);
    let again = asking.asked("a").await;
    assert_eq!(asking.call("b").await.words(), "done", "others agreed to that");

    let resume = format!("/api/v1/orgs/acme/members/{who}/resume");
    asking.admin.post(&resume, json!({})).await.expect(StatusCode::OK);
    asking.decide(&bob, &again, once()).await.expect(StatusCode::OK);
    offboard(&asking, who).await;
    assert_ne!(asking.asked("a").await, again);
    assert_eq!(asking.stage.reached().len(), 1);
}

#[tokio::test]
async fn people_decide_about_their_own_agents_only_where_an_owner_wants_that() {
    let asking = asking(json!({ "approvers": "team:leads" })).await;
    let app = &asking.stage.app;
    let team = app.team(&asking.stage.org, "leads").await;
    let own = json!({ "person": asking.stage.person.to_string(), "role": "member" });
    asking
        .admin
        .post(&format!("/api/v1/orgs/acme/teams/{team}/members"), own)
        .await
        .expect(StatusCode::CREATED);
    let own = app.key_of(&asking.stage.org, asking.stage.person, Role::Member, &["*"]).await;
    let owner = app.member(&asking.stage.org, "Olga Owner", Role::Owner).await;
    let owner = app.key_of(&asking.stage.org, owner.id, Role::Owner, &["*"]).await;
    let id = asking.asked("a").await;
    let refused = asking.decide(&own, &id, once()).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "approval_own");
    assert!(!refused.text("/detail").contains("Settings"), "only owners can change it");

    let path = "/api/v1/orgs/acme";
    let on = || Some(json!({ "self_approval": true }));
    let admin = asking.admin.send(Method::PATCH, path, &[], on()).await;
    assert_eq!(admin.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/errors/0/path"), "self_approval");
    let org = owner.send(Method::PATCH, path, &[], on()).await.expect(StatusCode::OK);
    assert_eq!(org.body["self_approval"], true);
    let seen = own.get(&format!("/api/v1/orgs/acme/approvals/{id}")).await.expect(StatusCode::OK);
    assert_eq!((&seen.body["decidable"], &seen.body["unmet"]), (&json!(true), &json!([])));
    asking.decide(&own, &id, once()).await.expect(StatusCode::OK);
    assert_eq!(asking.call("a").await.words(), "done");
    let stranger = asking.asked("b").await;
    let refused = asking.decide(&asking.approver, &stranger, once()).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "approval_not_yours", "only who is named");
}

#[tokio::test]
async fn that_nobody_can_agree_is_said_at_publication_on_the_page_and_to_the_agent() {
    let asking = asking(json!({ "name": "crowd", "approvers": "team:nope", "quorum": 5 })).await;
    let policy = asking.admin.get("/api/v1/orgs/acme/policies/crew").await.expect(StatusCode::OK);
    let warnings = policy.body["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].as_str().unwrap().contains("any 5 of the team nope"), "{warnings:?}");
    let words = asking.call("a").await.words();
    assert!(words.contains("At present nobody can") && words.contains("any 5 of the team nope"), "{words}");
    let id = asking.asked("a").await;
    let seen = asking.admin.get(&format!("/api/v1/orgs/acme/approvals/{id}")).await.expect(StatusCode::OK);
    assert_eq!(seen.body["unmet"], json!(["any 5 of the team nope"]));
    let mut admin = asking.stage.app.member(&asking.stage.org, "Ada Admin", Role::Admin).await.browser;
    let page = admin.get(&format!("/o/acme/approvals/{id}")).await.expect(StatusCode::OK);
    assert!(page.says("Nobody can agree at present"), "{}", page.body);
    let page = admin.get("/o/acme/policies/crew/json").await.expect(StatusCode::OK);
    assert!(page.says("Nobody can agree to some of what is asked"), "{}", page.body);
}

#[tokio::test]
async fn an_agent_that_waits_hears_which_rule_asks_and_why() {
    let asking = asking(json!({ "name": "issues", "on_deny": "Issues cost time" })).await;
    let words = asking.call("a").await.words();
    assert!(words.contains("Rule issues: Issues cost time. They may decide until"), "{words}");
    let rule = json!({ "conditions": [] });
    let document = json!({ "version": "1", "default": "allow",
        "tools": { "create_issue": { "reason": "Customers read them", "require_approval_if": [rule] } } });
    asking.publish(document).await;
    let words = asking.call("a").await.words();
    assert!(words.contains("with the role approver. Customers read them. They may"), "{words}");
}

#[tokio::test]
async fn arguments_that_do_not_fit_into_the_inbox_are_read_before_they_are_decided_about() {
    let asking = asking(json!({})).await;
    let mut ann = asking.stage.app.member(&asking.stage.org, "Ina Inbox", Role::Approver).await.browser;
    asking.asked("short").await;
    let page = ann.get("/o/acme/approvals").await.expect(StatusCode::OK);
    assert!(page.says("Approve once") && !page.says("Read all and decide"), "{}", page.body);
    let mut arguments = json!({ "zz_target": "production" });
    for at in 0..20 {
        arguments[format!("a{at:02}")] = json!(0);
    }
    let asked = json!({ "name": "create_issue", "arguments": arguments });
    let reply = asking.stage.agent.ask("tools/call", asked).await;
    let id = reply.json()["result"]["_meta"]["portreeve/decision"]["approval"].as_str().unwrap().to_owned();
    let page = ann.get("/o/acme/approvals").await.expect(StatusCode::OK);
    assert!(page.says("Read all and decide") && !page.says("production"), "{}", page.body);
    assert_eq!(page.body.matches("Approve once").count(), 1, "the short one alone");
    let page = ann.get(&format!("/o/acme/approvals/{id}")).await.expect(StatusCode::OK);
    assert!(page.says("production") && page.says("Approve once"));
}
