//! Approvals with other arguments than were asked, and what the tool was called for before.

use http::StatusCode;
use portreeve::base::permission::Role;
use serde_json::{Value, json};
use time::Duration;

use crate::{
    kit::{
        browser::{Browser, Scheme},
        http::Answer,
        people::Person,
    },
    proxy::approvals::{Asking, asking, once},
};

fn instead(title: &str) -> Value {
    json!({ "decision": "approve_once", "arguments": { "title": title } })
}

fn one(id: &str) -> String {
    format!("/api/v1/orgs/acme/approvals/{id}")
}

/// Tries to agree to a call with other arguments, and is refused with nothing written.
async fn refused(asking: &Asking, id: &str, decision: Value, status: StatusCode) -> Answer {
    let answer = asking.decide(&asking.approver, id, decision).await.expect(status);
    let seen = asking.approver.get(&one(id)).await.expect(StatusCode::OK);
    assert_eq!(seen.text("/state"), "pending", "{:?}", answer.body);
    assert_eq!(seen.body["approved_arguments"], Value::Null);
    answer
}

#[tokio::test]
async fn other_arguments_are_approved_told_and_used_once_and_those_asked_are_not_let_through() {
    let asking = asking(json!({})).await;
    let id = asking.asked("a").await;
    let done = asking.decide(&asking.approver, &id, instead("b")).await.expect(StatusCode::OK);
    assert_eq!((done.text("/state"), &done.body["narrowed"]), ("approved", &json!(true)));
    assert_eq!(done.body["arguments"], json!({ "title": "a" }));
    assert_eq!(done.body["approved_arguments"], json!({ "title": "b" }));
    let told = asking.call("a").await;
    assert!(told.words().starts_with("[APPROVAL NEEDED] A human approved"), "{}", told.text);
    assert!(told.words().contains(r#"exactly these arguments: {"title":"b"}"#), "{}", told.text);
    let decision = &told.json()["result"]["_meta"]["portreeve/decision"];
    assert_eq!((&decision["code"], &decision["approval"]), (&json!("approval_narrowed"), &json!(id)));
    assert_eq!(decision["arguments"], json!({ "title": "b" }));
    assert_ne!(asking.asked("B").await, id, "any changed byte is another call");
    assert!(asking.stage.reached().is_empty());
    assert_eq!(asking.call("b").await.words(), "done");
    let sent = String::from_utf8_lossy(&asking.stage.reached()[0].body).into_owned();
    assert!(sent.contains(r#""title":"b""#), "{sent}");
    assert_ne!(asking.asked("b").await, id, "once is once");
    assert_ne!(asking.asked("a").await, id, "what was asked first is a new question then");
    assert_eq!(asking.stage.reached().len(), 1);
    let used = asking.stage.calls().await.into_iter().find(|(action, _)| action == "call.allowed").unwrap();
    assert_eq!(used.1.call.unwrap().approval.unwrap().to_string(), id);
}

#[tokio::test]
async fn the_record_names_what_was_changed_and_holds_no_value_and_its_person_sees_both() {
    let asking = asking(json!({})).await;
    let id = asking.asked("a-very-secret-title").await;
    asking.decide(&asking.approver, &id, instead("a-quiet-title")).await.expect(StatusCode::OK);
    asking.call("a-very-secret-title").await;
    let events = asking.admin.get("/api/v1/orgs/acme/events?action=approval.approved").await;
    let event = format!("/api/v1/orgs/acme/events/{}", events.text("/items/0/id"));
    let event = asking.admin.get(&event).await.expect(StatusCode::OK);
    assert_eq!(event.body["after"]["narrowed"], json!(["title"]), "{:?}", event.body);
    assert_ne!(event.text("/after/arguments_digest"), event.text("/after/asked_digest"));
    let words = asking.stage.app.number(
        "select count(*) from events where position('quiet-title'::bytea in record) > 0 \
            or position('secret-title'::bytea in record) > 0",
    );
    assert_eq!(words.await, 0);
    let sealed = asking.stage.app.number(
        "select count(*) from approvals where position('title'::bytea in sealed_asked) > 0 \
            or position('title'::bytea in sealed_arguments) > 0",
    );
    assert_eq!(sealed.await, 0);
    let own = asking.stage.app.key_of(&asking.stage.org, asking.stage.person, Role::Member, &["*"]).await;
    let seen = own.get(&one(&id)).await.expect(StatusCode::OK);
    assert_eq!(seen.body["arguments"], json!({ "title": "a-very-secret-title" }));
    assert_eq!(seen.body["approved_arguments"], json!({ "title": "a-quiet-title" }));
    let listed = own.get("/api/v1/orgs/acme/approvals").await.expect(StatusCode::OK);
    assert_eq!(listed.body["items"][0]["narrowed"], json!(true));
}

#[tokio::test]
async fn what_a_policy_keeps_from_being_stored_is_masked_and_still_exactly_that_call_is_approved() {
    let asking = asking(json!({})).await;
    let rule =
        |more: &str| json!({ "require_approval_if": [{ "conditions": [] }], "redact": ["args.token", more] });
    let document = json!({ "version": "1", "default": "allow",
        "tools": { "create_issue": rule("args.**.pin"), "prompt:*": rule("args.pin") } });
    asking.publish(document).await;
    let call = |token: &str| {
        let arguments = json!({ "title": "a", "Token": token, "deep": [{ "pin": 1234 }] });
        json!({ "name": "create_issue", "arguments": arguments })
    };
    let ask = async |method: &str, params: Value| {
        let reply = asking.stage.agent.ask(method, params).await;
        let approval = asking.stage.calls().await.pop().unwrap().1.call.unwrap().approval;
        (reply, approval.map(|id| id.to_string()).unwrap_or_default())
    };
    let (_, id) = ask("tools/call", call("hush")).await;
    let seen = asking.approver.get(&one(&id)).await.expect(StatusCode::OK);
    let masked = json!({ "title": "a", "Token": "[redacted]", "deep": [{ "pin": "[redacted]" }] });
    assert_eq!((&seen.body["arguments"], &seen.body["masked"]), (&masked, &json!(true)));
    assert_eq!(seen.body["narrowable"], json!(false));
    let other = refused(&asking, &id, instead("b"), StatusCode::CONFLICT).await;
    assert_eq!(other.text("/code"), "approval_narrow_masked");
    let (_, prompt) = ask("prompts/get", json!({ "name": "brief", "arguments": { "pin": "1234" } })).await;
    let seen = asking.approver.get(&one(&prompt)).await.expect(StatusCode::OK);
    assert_eq!(seen.body["arguments"], json!({ "name": "brief", "arguments": { "pin": "[redacted]" } }));
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let (_, another) = ask("tools/call", call("loud")).await;
    assert_ne!(another, id, "any changed byte is another call, also where it is masked");
    assert_eq!(ask("tools/call", call("hush")).await.0.words(), "done");
    let sent = String::from_utf8_lossy(&asking.stage.reached()[0].body).into_owned();
    assert!(sent.contains("hush"), "what was judged is what is sent");
}

#[tokio::test]
async fn nobody_agrees_to_other_arguments_with_what_may_not_be_stored() {
    let asking = asking(json!({})).await;
    let rule = json!({ "require_approval_if": [{ "conditions": [] }], "redact": ["args.token"] });
    asking.publish(json!({ "version": "1", "default": "allow", "tools": { "create_issue": rule } })).await;
    let id = asking.asked("a").await;
    let added = json!({ "decision": "approve_once", "arguments": { "title": "b", "token": "x" } });
    let added = refused(&asking, &id, added, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert!(added.text("/errors/0/message").contains("args.token"), "{:?}", added.body);
    let seen = asking.approver.get(&one(&id)).await.expect(StatusCode::OK);
    assert_eq!((&seen.body["masked"], &seen.body["narrowable"]), (&json!(false), &json!(true)));
    asking.decide(&asking.approver, &id, instead("b")).await.expect(StatusCode::OK);
    assert_eq!(asking.call("b").await.words(), "done");
}

#[tokio::test]
async fn what_is_no_other_object_is_refused_and_nothing_is_written() {
    let asking = asking(json!({})).await;
    let id = asking.asked("a").await;
    let bad = StatusCode::UNPROCESSABLE_ENTITY;
    let same = refused(&asking, &id, instead("a"), bad).await;
    assert_eq!(same.text("/errors/0/path"), "arguments");
    assert!(same.text("/errors/0/message").contains("approve the call as it is"));
    let list = json!({ "decision": "approve_once", "arguments": ["b"] });
    assert_eq!(refused(&asking, &id, list, bad).await.text("/errors/0/path"), "arguments");
    let denial = json!({ "decision": "deny", "arguments": { "title": "b" } });
    assert_eq!(refused(&asking, &id, denial, bad).await.text("/errors/0/path"), "arguments");
    let mut deep = json!({});
    for _ in 0..62 {
        deep = json!({ "a": deep });
    }
    let deep = json!({ "decision": "approve_once", "arguments": deep });
    assert_eq!(refused(&asking, &id, deep, bad).await.text("/errors/0/path"), "arguments");
    let twice = r#"{"decision":"approve_once","arguments":{"title":"b","title":"c"}}"#;
    let twice = asking.approver.post_text(&format!("{}/decide", one(&id)), twice).await.expect(bad);
    assert_eq!(twice.text("/errors/0/path"), "arguments");
    let seen = asking.approver.get(&one(&id)).await.expect(StatusCode::OK);
    assert_eq!((&seen.body["votes"], &seen.body["narrowable"]), (&json!([]), &json!(true)));
}

#[tokio::test]
async fn the_policies_are_asked_about_other_arguments_first() {
    let asking = asking(json!({})).await;
    let is = |title: &str| json!([{ "path": "args.title", "op": "eq", "value": title }]);
    let rule = json!({
        "deny_if": [{ "name": "never", "conditions": is("bad") }],
        "require_approval_if": [
            { "conditions": [] },
            { "conditions": is("big"), "approvers": "team:leads" },
        ],
    });
    let document = json!({ "version": "1", "default": "allow", "tools": { "create_issue": rule } });
    asking.publish(document.clone()).await;
    let id = asking.asked("a").await;
    let denied = refused(&asking, &id, instead("bad"), StatusCode::UNPROCESSABLE_ENTITY).await;
    let said = denied.text("/errors/0/message");
    assert!(said.contains("/tools/create_issue/deny_if/0") && said.contains("never"), "{said}");
    let others = refused(&asking, &id, instead("big"), StatusCode::CONFLICT).await;
    assert_eq!(others.text("/code"), "approval_narrow_others");
    assert!(others.text("/detail").contains("the team leads"), "{:?}", others.body);
    let mut newer = document;
    newer["tools"]["get_issue"] = json!({ "action": "deny" });
    asking.publish(newer).await;
    let late = refused(&asking, &id, instead("b"), StatusCode::CONFLICT).await;
    assert_eq!(late.text("/code"), "approval_outdated");
}

#[tokio::test]
async fn who_does_not_settle_it_alone_changes_no_arguments() {
    let asking = asking(json!({ "quorum": 2 })).await;
    let id = asking.asked("a").await;
    let quorum = refused(&asking, &id, instead("b"), StatusCode::CONFLICT).await;
    assert_eq!(quorum.text("/code"), "approval_narrow_quorum");
    asking.decide(&asking.admin, &id, once()).await.expect(StatusCode::OK);
    let voted = refused(&asking, &id, instead("b"), StatusCode::CONFLICT).await;
    assert_eq!(voted.text("/code"), "approval_narrow_voted");
    let own = asking.stage.app.key_of(&asking.stage.org, asking.stage.person, Role::Member, &["*"]).await;
    let own = asking.decide(&own, &id, instead("b")).await.expect(StatusCode::CONFLICT);
    assert_eq!(own.text("/code"), "approval_own");
    let other = asking.stage.app.org("other").await;
    let stranger = asking.stage.app.member(&other, "Strange Owner", Role::Owner).await;
    let stranger = asking.stage.app.key_of(&other, stranger.id, Role::Owner, &["*"]).await;
    stranger.get(&format!("/api/v1/orgs/other/approvals/{id}")).await.expect(StatusCode::NOT_FOUND);
    let decide = format!("/api/v1/orgs/other/approvals/{id}/decide");
    stranger.post(&decide, instead("b")).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_arguments_of_a_tool_can_be_others() {
    let asking = asking(json!({})).await;
    let ask = json!({ "require_approval_if": [{ "conditions": [] }] });
    asking.publish(json!({ "version": "1", "default": "allow", "tools": { "resource:*": ask } })).await;
    asking.stage.agent.ask("resources/read", json!({ "uri": "file:///a" })).await;
    let waiting = asking.approver.get("/api/v1/orgs/acme/approvals?state=pending").await;
    let id = waiting.text("/items/0/id").to_owned();
    let file = json!({ "decision": "approve_once", "arguments": { "uri": "file:///b" } });
    let answer = refused(&asking, &id, file, StatusCode::CONFLICT).await;
    assert_eq!(answer.text("/code"), "approval_narrow_no_tool");
}

#[tokio::test]
async fn a_second_decision_comes_too_late_and_so_does_one_after_the_time() {
    let asking = asking(json!({ "within": "10m" })).await;
    let id = asking.asked("a").await;
    asking.decide(&asking.approver, &id, instead("b")).await.expect(StatusCode::OK);
    for again in [instead("b"), instead("c"), once()] {
        let again = asking.decide(&asking.approver, &id, again).await.expect(StatusCode::CONFLICT);
        assert_eq!(again.text("/code"), "approval_decided");
    }
    asking.stage.app.clock.advance(Duration::minutes(31));
    assert_ne!(asking.asked("b").await, id, "what was given and not used ends");
    let asked = asking.asked("a").await;
    assert_ne!(asked, id, "and what was asked is asked anew");
    asking.stage.app.clock.advance(Duration::minutes(11));
    let late = asking.decide(&asking.approver, &asked, instead("b")).await.expect(StatusCode::CONFLICT);
    assert_eq!(late.text("/code"), "approval_decided");
}

#[tokio::test]
async fn other_arguments_for_a_while_are_let_through_until_then() {
    let asking = asking(json!({})).await;
    let id = asking.asked("a").await;
    let hour =
        json!({ "decision": "approve_for", "minutes": 60, "reason": "Less.", "arguments": { "title": "b" } });
    asking.decide(&asking.approver, &id, hour).await.expect(StatusCode::OK);
    for _ in 0..3 {
        assert_eq!(asking.call("b").await.words(), "done");
        let told = asking.call("a").await;
        assert!(told.words().contains("Reason given: Less.") && told.words().contains(r#"{"title":"b"}"#));
    }
    asking.stage.app.clock.advance(Duration::minutes(61));
    assert_ne!(asking.asked("a").await, id);
    assert_ne!(asking.asked("b").await, id);
    assert_eq!(asking.stage.reached().len(), 3);
}

/// A stage on which the tool was called, and asked about, before.
async fn called_before() -> (Asking, String) {
    let asking = asking(json!({})).await;
    let is_bad = json!([{ "path": "args.title", "op": "eq", "value": "bad" }]);
    let rule =
        json!({ "deny_if": [{ "conditions": is_bad }], "require_approval_if": [{ "conditions": [] }] });
    asking.publish(json!({ "version": "1", "default": "allow", "tools": { "create_issue": rule } })).await;
    let first = asking.asked("a").await;
    asking.asked("a").await;
    asking.decide(&asking.approver, &first, once()).await.expect(StatusCode::OK);
    assert_eq!(asking.call("a").await.words(), "done");
    assert!(asking.call("bad").await.words().starts_with("[PORTREEVE DENIED]"));
    asking.asked("b").await;
    let id = asking.asked("a").await;
    asking.stage.app.until_number("select count(*) from events where action = 'call.answered'", 1).await;
    (asking, id)
}

#[tokio::test]
async fn calls_before_are_counted_and_shown_to_who_may_know_of_them() {
    let (asking, id) = called_before().await;
    let seen = asking.admin.get(&one(&id)).await.expect(StatusCode::OK);
    let similar = &seen.body["similar"];
    let counts = json!({ "calls": 3, "same_arguments": 1, "denied": 1 });
    assert_eq!((&similar["by_this_agent"], &similar["scope"]), (&counts, &json!("all")), "{similar}");
    let words = "Called 3 times in 30 days by this agent, 1 with these arguments; 1 was denied.";
    assert_eq!(similar["summary"], words);
    let calls = similar["calls"].as_array().unwrap();
    let of = |call: &Value| {
        (
            call["outcome"].as_str().unwrap().to_owned(),
            call["same_arguments"].as_bool(),
            call["person"].clone(),
        )
    };
    let ada = || json!("Ada Agent");
    let all: Vec<_> = calls.iter().map(of).collect();
    assert_eq!(
        all,
        [
            ("asked".to_owned(), Some(false), ada()),
            ("denied".to_owned(), Some(false), ada()),
            ("made".to_owned(), Some(true), ada())
        ]
    );
    let event = format!("/api/v1/orgs/acme/events/{}", calls[0]["event"].as_str().unwrap());
    asking.admin.get(&event).await.expect(StatusCode::OK);
    // Who may not read the log knows of calls in their own name.
    let approver = asking.approver.get(&one(&id)).await.expect(StatusCode::OK);
    assert_eq!(
        (&approver.body["similar"]["scope"], &approver.body["similar"]["calls"]),
        (&json!("own"), &json!([]))
    );
    let own = asking.stage.app.key_of(&asking.stage.org, asking.stage.person, Role::Member, &["*"]).await;
    let own = own.get(&one(&id)).await.expect(StatusCode::OK);
    assert_eq!(own.body["similar"]["by_this_agent"], counts);
    asking.stage.app.clock.advance(Duration::days(31));
    let later = asking.asked("a").await;
    let admin = admin_of(&asking).await;
    let admin = asking.stage.app.key_of(&asking.stage.org, admin.id, Role::Admin, &["*"]).await;
    let later = admin.get(&one(&later)).await.expect(StatusCode::OK);
    assert_eq!(later.text("/similar/summary"), "Not called by this agent in 30 days.");
}

/// An admin who decides on the page.
async fn admin_of(asking: &Asking) -> Person {
    asking.stage.app.member(&asking.stage.org, "Ann Admin", Role::Admin).await
}

#[tokio::test]
async fn an_approver_edits_the_arguments_on_the_page_without_script() {
    let (asking, id) = called_before().await;
    let mut ann = admin_of(&asking).await;
    let path = format!("/o/acme/approvals/{id}");
    let decide = format!("{path}/decide");
    let page = ann.browser.visit(&path).await;
    assert!(page.says("Called 3 times in 30 days by this agent, 1 with these arguments; 1 was denied."));
    assert!(page.body.contains("/o/acme/audit/evt_"), "{}", page.body);
    let edited = "{\r\n  \"title\": \"less\"\r\n}";
    let missed = [("decision", "approve_once"), ("arguments", edited)];
    let missed = ann.browser.submit(&page, &decide, &missed).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(missed.says("You changed these") && missed.says("less"), "{}", missed.body);
    let bad = [("decision", "narrow_once"), ("arguments", "{\"title\": \"bad\"}")];
    let bad = ann.browser.submit(&missed, &decide, &bad).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bad.says("/tools/create_issue/deny_if/0"), "{}", bad.body);
    let good = [("decision", "narrow_once"), ("arguments", edited), ("reason", "Less is enough.")];
    let done = ann.browser.submit(&bad, &decide, &good).await;
    let done = ann.browser.follow(done).await;
    assert!(done.says("Approved with other arguments."), "{}", done.body);
    let again =
        ann.browser.post(&decide, &[("csrf", &ann.browser.csrf()), ("decision", "narrow_once")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let after = ann.browser.visit(&path).await;
    for words in ["Approved with other arguments", "Approved arguments", "What differs from what was asked"] {
        assert!(after.says(words), "{words}: {}", after.body);
    }
    assert!(after.body.contains("class=\"add\"") && after.body.contains("class=\"del\""));
    let mut own = asking.stage.app.signed_in(asking.stage.person).await;
    let own = own.visit(&path).await;
    assert!(own.says("Approved arguments") && own.says("Less is enough."), "{}", own.body);
    assert_eq!(asking.call("less").await.words(), "done");
}

#[tokio::test]
async fn what_was_written_stays_where_a_proof_is_asked_for_first() {
    let asking = asking(json!({})).await;
    let rule = json!({ "require_approval_if": [{ "conditions": [] }] });
    asking
        .publish(json!({ "version": "1", "default": "allow", "tools": { "delete_repository": rule } }))
        .await;
    let call = json!({ "name": "delete_repository", "arguments": { "title": "a" } });
    asking.stage.agent.ask("tools/call", call).await;
    let waiting = asking.approver.get("/api/v1/orgs/acme/approvals?state=pending").await;
    let path = format!("/o/acme/approvals/{}", waiting.text("/items/0/id"));
    let mut ann = admin_of(&asking).await;
    asking.stage.app.clock.advance(Duration::minutes(25));
    let page = ann.browser.visit(&path).await;
    let other = [("decision", "narrow_once"), ("arguments", "{\"title\": \"less\"}")];
    let kept = ann.browser.submit(&page, &format!("{path}/decide"), &other).await;
    let kept = kept.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(kept.says("Nothing was approved yet.") && kept.says("less"), "{}", kept.body);
    assert!(kept.body.contains("href=\"/prove\""), "{}", kept.body);
}

/// What is wrong with the page as it stands, in both themes, wide and narrow.
async fn faults_of(browser: &Browser, name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (scheme, width) in
        [(Scheme::Light, 1440), (Scheme::Dark, 1440), (Scheme::Dark, 390), (Scheme::Light, 390)]
    {
        browser.resize(width, 900).await;
        browser.prefer(scheme).await;
        let found = browser.axe().await.into_iter();
        faults.extend(found.map(|fault| format!("{name} {scheme:?} {width}: {fault:?}")));
        let overflows = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        if browser.eval(overflows).await == json!(true) {
            faults.push(format!("{name} is wider than {width}"));
        }
        if let Ok(dir) = std::env::var("SHOTS") {
            let height = browser.eval("return document.documentElement.scrollHeight").await.as_u64().unwrap();
            browser.resize(width, u32::try_from(height.min(3200)).unwrap()).await;
            std::fs::write(format!("{dir}/{name}-{scheme:?}-{width}.png"), browser.screenshot().await)
                .unwrap();
        }
    }
    faults
}

#[tokio::test]
async fn the_page_of_an_approval_is_for_everybody_before_and_after() {
    let Some(browser) = Browser::open().await else {
        return;
    };
    let (asking, id) = called_before().await;
    let ann = admin_of(&asking).await;
    let app = &asking.stage.app;
    let session = ann.browser.cookie("portreeve_session").unwrap();
    let cookie = json!({ "name": "portreeve_session", "value": session, "url": app.origin() });
    browser.cdp("Network.setCookie", cookie).await;
    let path = format!("{}/o/acme/approvals/{id}", app.origin());
    browser.goto(&path).await;
    let mut faults = faults_of(&browser, "approval").await;
    browser.resize(1440, 900).await;
    browser.click("form[action$=decide] summary").await;
    browser.fill("#f-arguments", "{\"title\": \"less\", \"labels\": [\"bug\"]}").await;
    faults.extend(faults_of(&browser, "approval-edited").await);
    browser.resize(1440, 900).await;
    browser.click("button[value=narrow_once]").await;
    browser.see("body", "Approved with other arguments.").await;
    browser.goto(&path).await;
    browser.see("h3", "Approved arguments").await;
    faults.extend(faults_of(&browser, "approval-narrowed").await);
    browser.goto(&format!("{}/o/acme/approvals?state=all", app.origin())).await;
    faults.extend(faults_of(&browser, "approvals").await);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    browser.finish().await;
}
