//! Policies on their pages: begun, written as JSON, published, compared, taken back, renamed and deleted.

use http::StatusCode;
use portreeve::base::permission::Role;
use serde_json::json;

use crate::kit::{
    app::TestApp,
    http::{Page, Visitor},
    people::PlantedOrg,
};

const LIST: &str = "/o/acme/policies";
const NEW: &str = "/o/acme/policies/new";
const ONE: &str = "/o/acme/policies/crew";
const TEXT: &str = "/o/acme/policies/crew/json";
const PUBLISH: &str = "/o/acme/policies/crew/publish";

async fn acme(app: &TestApp) -> (PlantedOrg, Visitor) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    (org, ada)
}

/// Begins a policy named Crew.
async fn begin(by: &mut Visitor, starter: &str) -> Page {
    let page = by.get(NEW).await.expect(StatusCode::OK);
    let page = by.submit(&page, NEW, &[("name", "Crew"), ("starter", starter)]).await;
    by.follow(page.expect(StatusCode::SEE_OTHER)).await.expect(StatusCode::OK)
}

/// Saves a document by the page of the JSON.
async fn write(by: &mut Visitor, document: &str) -> Page {
    let page = by.get(TEXT).await.expect(StatusCode::OK);
    by.submit(&page, TEXT, &[("text", document)]).await
}

/// Publishes the draft.
async fn publish(by: &mut Visitor, note: &str) -> Page {
    let page = by.get(PUBLISH).await.expect(StatusCode::OK);
    let page = by.submit(&page, PUBLISH, &[("note", note)]).await.expect(StatusCode::SEE_OTHER);
    by.follow(page).await.expect(StatusCode::OK)
}

#[tokio::test]
async fn a_policy_is_begun_written_published_compared_taken_back_and_deleted() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let page = ada.get(LIST).await.expect(StatusCode::OK);
    assert!(page.says("There are no policies yet") && page.says("Read and ask for writes"));
    let page = begin(&mut ada, "locked").await;
    assert!(page.says("Crew is a draft now. Nothing is in force yet.") && page.says("Not published"));

    let page = write(&mut ada, r#"{"version":"1","default":"allow"}"#).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.follow(page).await.says("Draft saved. Nothing in force has changed."));
    let page = ada.get(PUBLISH).await.expect(StatusCode::OK);
    for words in ["Tools that no rule names are allowed instead of denied.", "Lets more pass", "no tests"] {
        assert!(page.says(words), "{words}: {}", page.body);
    }
    let page = publish(&mut ada, "All may pass").await;
    assert!(page.says("Version 1 is in force from the next call on.") && page.says("All may pass"));

    write(&mut ada, r#"{"version":"1","default":"deny","tools":{"get_*":{}}}"#).await;
    let page = ada.get(LIST).await;
    assert!(page.says("Version 1") && page.says("Draft") && page.says("nowhere"));
    publish(&mut ada, "").await;
    let page = ada.get(&format!("{ONE}/versions/2")).await.expect(StatusCode::OK);
    assert!(page.says("Tools that no rule names are denied instead of allowed.") && page.says("get_*"));
    let page = ada.get(&format!("{ONE}/versions/2..1")).await.expect(StatusCode::OK);
    assert!(page.says("The rule is gone"));

    let first = format!("{ONE}/versions/1");
    let page = ada.get(&first).await.expect(StatusCode::OK);
    let page = ada.submit(&page, &format!("{first}/restore"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.follow(page).await.says("The draft is as version 1 was."));
    let page = ada.get(TEXT).await;
    let page = ada.submit(&page, &format!("{ONE}/discard"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.follow(page).await.says("The draft is gone. Version 2 stays in force."));
    let page = ada.get(&first).await;
    let back = format!("{first}/rollback");
    let page = ada.submit(&page, &back, &[("note", "Too strict")]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.follow(page).await;
    assert!(page.says("Version 3 is in force, with the text of version 1.") && page.says("Too strict"));

    let page = ada.get(&format!("{ONE}/settings")).await.expect(StatusCode::OK);
    let delete = format!("{ONE}/delete");
    ada.submit(&page, &delete, &[("confirm", "cre")]).await.expect(StatusCode::CONFLICT);
    let page = ada.submit(&page, &delete, &[("confirm", "crew")]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.follow(page).await.says("Crew and its versions were deleted."));
    let steps = ["created", "published", "published", "published", "deleted"];
    assert_eq!(app.recorded(&org).await, steps.map(|step| format!("policy.{step}")));
}

#[tokio::test]
async fn a_document_is_saved_while_it_is_written_and_what_is_wrong_stands_beside_its_line() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    begin(&mut ada, "locked").await;
    let page = ada.get(TEXT).await.expect(StatusCode::OK);
    assert!(page.body.contains("/api/v1/policy-schema.json"), "{}", page.body);
    let mut form = page.form(TEXT);
    form.set("text", "{\n\"version\": \"1\",\n\"default\": \"deni\"}");
    let wrong = ada.begin(TEXT, &form.pairs()).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let wrong = wrong.text().await.unwrap();
    for words in ["Not saved yet", "data-line=\"3\"", "<li>/default ", "Did you mean deny?", "id=\"kept\""] {
        assert!(wrong.contains(words), "{words}: {wrong}");
    }
    assert!(!wrong.contains("<textarea") && !wrong.contains("<!doctype"), "{wrong}");
    form.set("text", "{\"version\": \"1\", \"default\": \"allow\"}");
    let kept = ada.begin(TEXT, &form.pairs()).await;
    assert_eq!(kept.status(), StatusCode::OK);
    assert!(kept.text().await.unwrap().contains("Saved in the draft."));
    assert!(ada.get(TEXT).await.says("\"allow\""));
    form.set("text", "{\"version\": \"1\", \"default\": \"require_approval\"}");
    let second = ada.begin(TEXT, &form.pairs()).await;
    assert_eq!(second.status(), StatusCode::CONFLICT, "it stands on what was there before");
    assert!(second.text().await.unwrap().contains("Somebody else changed the draft meanwhile."));
    assert!(ada.get(TEXT).await.says("\"allow\""));
    assert_eq!(app.recorded(&org).await, ["policy.created"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_document_is_told_by_line_and_the_text_stays() {
    let app = TestApp::start().await;
    let (_, mut ada) = acme(&app).await;
    begin(&mut ada, "locked").await;
    let text = "{\n  \"version\": \"1\",\n  \"default\": \"deni\",\n  \"tools\": {\n    \"a\": {\"denyif\": []}\n  }\n}";
    let page = write(&mut ada, text).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body.contains("href=\"#L3\"") && page.body.contains("href=\"#L5\""), "{}", page.body);
    for words in [
        "2 things need a change",
        "/default",
        "Did you mean deny?",
        "/tools/a/denyif",
        "deny_if?",
        "\"deni\"",
    ] {
        assert!(page.says(words), "{words}: {}", page.body);
    }
    assert!(page.says("<title>Error:"));
    let page = write(&mut ada, "{\n\"version\": \"1\",\n").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("One thing needs a change") && page.says("{\n\"version\": \"1\",\n"));

    let page = ada.get(TEXT).await;
    let mut form = page.form(TEXT);
    form.set("text", r#"{"default":"deny","version":"1"}"#);
    let pairs = [form.pairs(), vec![("act", "format")]].concat();
    let page = ada.post(TEXT, &pairs).await.expect(StatusCode::OK);
    assert!(page.says("{\n  \"version\": \"1\",\n  \"default\": \"deny\"\n}"), "{}", page.body);
}

#[tokio::test]
async fn a_page_that_says_what_is_wrong_does_not_hide_what_others_wrote() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let mut bea = app.member(&org, "Bea Builder", Role::PolicyManager).await.browser;
    begin(&mut ada, "locked").await;
    let hers = bea.get(TEXT).await.expect(StatusCode::OK);
    write(&mut ada, r#"{"version":"1","default":"deny","hide":["a"]}"#).await.expect(StatusCode::SEE_OTHER);
    let wrong = bea.submit(&hers, TEXT, &[("text", "{")]).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let mut form = wrong.form(TEXT);
    form.set("text", r#"{"version":"1","default":"allow"}"#);
    let formatted = bea.post(TEXT, &[form.pairs(), vec![("act", "format")]].concat()).await;
    let formatted = formatted.expect(StatusCode::OK);
    bea.submit(&formatted, TEXT, &[]).await.expect(StatusCode::CONFLICT);
    assert!(ada.get(TEXT).await.says("\"hide\""), "hers did not replace it unseen");
}

#[tokio::test]
async fn nobody_replaces_what_somebody_else_wrote_without_seeing_it() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let mut bea = app.member(&org, "Bea Builder", Role::PolicyManager).await.browser;
    begin(&mut ada, "locked").await;
    let hers = bea.get(TEXT).await.expect(StatusCode::OK);
    write(&mut ada, r#"{"version":"1","default":"deny","hide":["a"]}"#).await.expect(StatusCode::SEE_OTHER);
    let fields = [("text", r#"{"version":"1","default":"deny","hide":["b"]}"#)];
    let page = bea.submit(&hers, TEXT, &fields).await.expect(StatusCode::CONFLICT);
    assert!(page.says("Ada Admin changed the draft while you wrote.") && page.says("Both changed it"));
    assert!(ada.get(TEXT).await.says("\"a\""), "nothing was replaced");
    // A change of the name is no change of the draft.
    let hers = bea.get(TEXT).await;
    let page = ada.get(&format!("{ONE}/settings")).await;
    ada.submit(&page, &format!("{ONE}/settings"), &[("name", "The crew")])
        .await
        .expect(StatusCode::SEE_OTHER);
    bea.submit(&hers, TEXT, &fields).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_failing_test_blocks_and_an_owner_may_say_why_not() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let owner = app.member(&org, "Olga Owner", Role::Owner).await;
    let (_, member) = (app.server(&org, "upstream").await, app.member(&org, "Mia", Role::Member).await);
    begin(&mut ada, "locked").await;
    let key = app.key_of(&org, owner.id, Role::Owner, &["*"]).await;
    let call =
        json!({"user": member.id.to_string(), "server": "upstream", "tool": "get_issue", "arguments": {}});
    let test = json!({"name": "Reading", "call": call, "expected": "allow"});
    key.post("/api/v1/orgs/acme/policies/crew/tests", test).await.expect(StatusCode::CREATED);
    let page = ada.get(PUBLISH).await.expect(StatusCode::OK);
    assert!(page.says("1 of 1 do not hold") && page.says("expected: allowed"), "{}", page.body);
    assert!(!page.says("Publish v1"));
    let csrf = ada.csrf();
    let refused = ada.post(PUBLISH, &[("csrf", &csrf), ("in_spite", "Because")]).await;
    assert!(
        refused.expect(StatusCode::UNPROCESSABLE_ENTITY).says("only an owner may publish in spite of that")
    );

    let mut olga = owner.browser;
    let page = olga.get(PUBLISH).await;
    let page = olga.submit(&page, PUBLISH, &[]).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("1 test does not hold"));
    olga.submit(&page, PUBLISH, &[("in_spite", "The test is old")]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(app.recorded(&org).await.last().map(String::as_str), Some("policy.published"));
}

#[tokio::test]
async fn what_is_in_force_is_not_deleted_and_says_where() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    begin(&mut ada, "read-only").await;
    publish(&mut ada, "").await;
    let owner = app.member(&org, "Olga Owner", Role::Owner).await;
    let key = app.key_of(&org, owner.id, Role::Owner, &["*"]).await;
    let layers = json!({"org": "crew", "teams": {}, "servers": {}});
    let put = key.send(http::Method::PUT, "/api/v1/orgs/acme/layers", &[], Some(layers)).await;
    put.expect(StatusCode::OK);
    let page = ada.get(&format!("{ONE}/settings")).await.expect(StatusCode::OK);
    assert!(page.says("It is in force for the organization."));
    let (csrf, delete) = (ada.csrf(), format!("{ONE}/delete"));
    let refused =
        ada.post(&delete, &[("csrf", &csrf), ("confirm", "crew")]).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("Crew is in force for the organization. Put another policy there first."));
    assert!(ada.get(LIST).await.says("the organization"));
}

#[tokio::test]
async fn auditors_read_everything_without_controls_and_members_nothing() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    begin(&mut ada, "read-only").await;
    publish(&mut ada, "").await;
    write(&mut ada, r#"{"version":"1","default":"allow"}"#).await;
    let mut eve = app.member(&org, "Eve Auditor", Role::Auditor).await.browser;
    for path in [
        LIST,
        ONE,
        TEXT,
        &format!("{ONE}/versions"),
        &format!("{ONE}/versions/1"),
        &format!("{ONE}/exception"),
        &format!("{ONE}/settings"),
    ] {
        let page = eve.get(path).await.expect(StatusCode::OK);
        let main = page.body.split("<main").nth(1).unwrap_or_default();
        assert!(!main.contains("method=\"post\""), "{path} has a form for who may only read");
    }
    eve.get(PUBLISH).await.expect(StatusCode::FORBIDDEN);
    eve.get(NEW).await.expect(StatusCode::FORBIDDEN);
    let mut max = app.member(&org, "Max Member", Role::Member).await.browser;
    assert!(!max.visit("/me/agents").await.says("Policies"));
    max.get(LIST).await.expect(StatusCode::FORBIDDEN);
    let mut nina = app.person("Nina").await.browser;
    nina.get(LIST).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_new_policy_says_what_is_missing_and_keeps_what_was_typed() {
    let app = TestApp::start().await;
    let (_, mut ada) = acme(&app).await;
    let page = ada.get(&format!("{NEW}?starter=read-only")).await.expect(StatusCode::OK);
    let fields = [("name", ""), ("slug", "A B"), ("description", "For the crew")];
    let page = ada.submit(&page, NEW, &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.says("For the crew") && page.says("A B") && page.says("2 things need a change"),
        "{}",
        page.body
    );
    let form = page.form(NEW);
    assert!(form.pairs().contains(&("starter", "read-only")));
    begin(&mut ada, "locked").await;
    let again = ada.get(NEW).await;
    let again = ada.submit(&again, NEW, &[("name", "Crew")]).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.says("Another policy has this short name"));
}

#[tokio::test]
async fn two_who_wrote_at_once_bring_their_parts_together() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let mut bea = app.member(&org, "Bea Builder", Role::PolicyManager).await.browser;
    begin(&mut ada, "locked").await;
    let hers = bea.get(TEXT).await.expect(StatusCode::OK);
    let ours = r#"{"version":"1","default":"deny","tools":{"a":{},"both":{"concurrency":1}}}"#;
    write(&mut ada, ours).await.expect(StatusCode::SEE_OTHER);
    let text = r#"{"version":"1","default":"deny","tools":{"b":{},"both":{"concurrency":2}}}"#;
    let page = bea.submit(&hers, TEXT, &[("text", text)]).await.expect(StatusCode::CONFLICT);
    assert!(
        page.says("Ada Admin changed the draft while you wrote.") && page.says("Both changed it"),
        "{}",
        page.body
    );
    let merge = format!("{ONE}/merge");
    let page = bea.submit(&page, &merge, &[]).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Choose what becomes of both."));
    let broken = [("pick-2", "edit"), ("text-2", "{")];
    let page = bea.submit(&page, &merge, &broken).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("what was written for both is not JSON."), "{}", page.body);
    let page = bea.submit(&page, &merge, &[("pick-2", "edit"), ("text-2", "{\"concurrency\": 3}")]).await;
    let page = bea.follow(page.expect(StatusCode::SEE_OTHER)).await;
    assert!(page.says("The draft has both now."));
    let page = bea.get(TEXT).await;
    let form = page.form(TEXT);
    let base = form.pairs().into_iter().find(|(name, _)| *name == "base").unwrap().1;
    assert_eq!(base, r#"{"version":"1","default":"deny","tools":{"a":{},"b":{},"both":{"concurrency":3}}}"#);
}

#[tokio::test]
async fn a_draft_that_another_version_overtook_is_brought_up_to_it_before_it_is_published() {
    let app = TestApp::start().await;
    let (_, mut ada) = acme(&app).await;
    begin(&mut ada, "locked").await;
    publish(&mut ada, "").await;
    write(&mut ada, r#"{"version":"1","default":"deny","hide":["x"]}"#).await.expect(StatusCode::SEE_OTHER);
    publish(&mut ada, "").await;
    write(&mut ada, r#"{"version":"1","default":"deny","hide":["x"],"tools":{"mine":{}}}"#).await;
    let first = format!("{ONE}/versions/1");
    let page = ada.get(&first).await;
    ada.submit(&page, &format!("{first}/rollback"), &[]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.get(PUBLISH).await.expect(StatusCode::OK);
    assert!(
        page.says("Another version came into force since this draft was begun") && !page.says("Publish v4")
    );
    let merge = format!("{ONE}/merge");
    let page = ada.get(&merge).await.expect(StatusCode::OK);
    assert!(page.says("Version 3 came into force since your draft was begun."), "{}", page.body);
    let page = ada.submit(&page, &merge, &[]).await.expect(StatusCode::SEE_OTHER);
    ada.follow(page).await.expect(StatusCode::OK);
    let page = ada.get(PUBLISH).await;
    assert!(page.says("mine") && page.says("Publish v4") && !page.says("x is hidden"), "{}", page.body);
    assert!(
        ada.get(&merge).await.location().is_some_and(|to| to == ONE),
        "there is nothing to bring together any more"
    );
}

#[tokio::test]
async fn where_two_are_wanted_one_asks_and_the_other_publishes_or_says_no() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let mut ben = app.member(&org, "Ben Manager", Role::PolicyManager).await.browser;
    let settings = ada.get("/o/acme/settings").await.expect(StatusCode::OK);
    let switch = [("publishing_takes_two", "on")];
    let page = ada.submit(&settings, "/o/acme/settings/policies", &switch).await;
    assert!(ada.follow(page).await.says("Saved."));
    begin(&mut ada, "locked").await;
    let page = ada.get(PUBLISH).await.expect(StatusCode::OK);
    assert!(page.says("This organization wants a second person") && !page.says("Publish v1"));
    let propose = "/o/acme/policies/crew/propose";
    let page = ada.submit(&page, propose, &[("note", "Lock it up")]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.follow(page).await;
    assert!(page.says("You asked for its publication.") && page.says("Take the question back"));
    assert!(page.says("Waits for a second person") && !page.says("Publish v1"));

    let page = ben.get(PUBLISH).await.expect(StatusCode::OK);
    assert!(page.says("Ada Admin asks you to publish this draft.") && page.says("Lock it up"));
    let no = ben.submit(&page, "/o/acme/policies/crew/propose/withdraw", &[("why", "Not yet")]).await;
    assert!(ben.follow(no.expect(StatusCode::SEE_OTHER)).await.says("Ask for publication"));
    let page = ada.get(PUBLISH).await.expect(StatusCode::OK);
    ada.submit(&page, propose, &[("note", "Now")]).await.expect(StatusCode::SEE_OTHER);
    publish(&mut ben, "Agreed").await;
    let page = ada.get(&format!("{ONE}/versions")).await.expect(StatusCode::OK);
    assert!(page.says("Ben Manager") && page.says("Agreed"));
}
