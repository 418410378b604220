//! The operator's pages.

use http::StatusCode;
use portreeve::{
    base::{ids::ReplicaId, permission::Role},
    domain::{
        audit::{self, EventFilter, Unrecorded},
        instance::{self, Replica},
        jobs::{NewJob, store as jobs},
    },
    io::db::{SystemTx, Tx},
};
use serde_json::json;
use time::Duration;

use crate::kit::{
    app::TestApp,
    http::{Page, Visitor},
    people::Person,
};

const PAGES: [&str; 7] =
    ["/ops", "/ops/orgs", "/ops/keys", "/ops/jobs", "/ops/outbox", "/ops/audit", "/ops/settings"];

/// The actions in the instance's record, oldest first, sign-ins left out.
async fn recorded(app: &TestApp) -> Vec<String> {
    let mut tx = SystemTx::begin(app.db()).await.unwrap();
    let page = portreeve::base::page::PageRequest { limit: 200, after: None };
    let events = audit::list(&mut tx, &EventFilter::default(), &page).await.unwrap();
    tx.done().await.unwrap();
    events.items.into_iter().rev().map(|event| event.action).collect()
}

async fn olga(app: &TestApp) -> Person {
    app.operator("Olga Operator").await
}

/// Sends the one form of a page that goes to `action`, without filling anything in.
async fn press(visitor: &mut Visitor, page: &Page, action: &str) -> Page {
    visitor.submit(page, action, &[]).await
}

/// The hidden token of a page's form.
fn csrf(page: &Page, action: &str) -> String {
    let form = page.form(action);
    let found = form.pairs().into_iter().find(|(name, _)| *name == "csrf").map(|(_, value)| value.to_owned());
    found.expect("a form carries its token")
}

#[tokio::test]
async fn every_page_opens_for_an_operator_and_is_unknown_to_everybody_else() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut owner = app.member(&org, "Ada Owner", Role::Owner).await.browser;
    let mut olga = olga(&app).await.browser;
    let mut nobody = app.visitor();
    for path in PAGES {
        let page = olga.get(path).await.expect(StatusCode::OK);
        assert!(page.body.contains("aria-current=\"page\""), "{path} is not in the rail");
        owner.get(path).await.expect(StatusCode::NOT_FOUND);
        nobody.get(path).await.expect(StatusCode::SEE_OTHER);
    }
    for path in ["/ops/orgs/acme", &format!("/ops/orgs/{}", org.id)] {
        olga.get(path).await.expect(StatusCode::OK);
        owner.get(path).await.expect(StatusCode::NOT_FOUND);
    }
    for path in ["/ops/orgs/nobody", "/ops/outbox/ltr_0", "/ops/audit/evt_0", "/ops/jobs/x"] {
        olga.get(path).await.expect(StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn an_operator_who_signed_in_a_while_ago_proves_themselves_again() {
    let app = TestApp::start().await;
    let mut olga = olga(&app).await.browser;
    app.clock.advance(Duration::minutes(29));
    olga.get("/ops").await.expect(StatusCode::OK);
    app.clock.advance(Duration::minutes(2));
    let page = olga.get("/ops/keys").await.expect(StatusCode::SEE_OTHER);
    assert_eq!(page.location().as_deref(), Some("/prove?return_to=%2Fops%2Fkeys"));
}

#[tokio::test]
async fn health_tells_of_replicas_and_of_what_waits() {
    let app = TestApp::start().await;
    let now = app.clock.now();
    let replica = |listen: &str, seen_at| Replica {
        id: ReplicaId::fresh(),
        version: "9.9.9".to_owned(),
        listen: listen.to_owned(),
        started_at: now - Duration::hours(1),
        seen_at,
    };
    let mut tx = SystemTx::begin(app.db()).await.unwrap();
    instance::insert_replica(&mut tx, &replica("10.0.0.1:8080", now)).await.unwrap();
    instance::insert_replica(&mut tx, &replica("10.0.0.2:8080", now - Duration::minutes(5))).await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::Replica).await.unwrap();
    let page = olga(&app).await.browser.get("/ops").await.expect(StatusCode::OK);
    for words in ["10.0.0.1:8080", "10.0.0.2:8080", "9.9.9", "Serving", "Silent", "Postgres", "applied"] {
        assert!(page.says(words), "{words}");
    }
}

#[tokio::test]
async fn an_organization_is_suspended_with_a_reason_and_resumed_and_both_records_know() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Owner", Role::Owner).await.browser;
    let key = app.member(&org, "Kim Keys", Role::Admin).await;
    let script = app.key_of(&org, key.id, Role::Admin, &["*"]).await;
    let mut olga = olga(&app).await.browser;
    let href = format!("/ops/orgs/{}", org.id);
    let suspend = format!("{href}/suspend");

    let page = olga.get(&href).await.expect(StatusCode::OK);
    let refused = olga.submit(&page, &suspend, &[("reason", " ")]).await;
    assert!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Give a reason in 1 to 500"));
    let done = olga.submit(&page, &suspend, &[("reason", "The bill is open")]).await;
    let done = olga.follow(done).await.expect(StatusCode::OK);
    assert!(done.says("acme is suspended."));
    let told = ada.get("/o/acme/teams").await.expect(StatusCode::CONFLICT);
    assert!(told.says("The bill is open"));
    script.get("/api/v1/orgs/acme/teams").await.expect(StatusCode::UNAUTHORIZED);

    // The page of a while ago cannot undo what happened since.
    let late = olga.submit(&page, &suspend, &[("reason", "again")]).await;
    assert!(late.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Someone else changed this"));

    let resume = format!("{href}/resume");
    let resumed = press(&mut olga, &done, &resume).await;
    assert!(olga.follow(resumed).await.says("acme is in use again."));
    press(&mut olga, &done, &resume).await.expect(StatusCode::CONFLICT);
    ada.get("/o/acme/teams").await.expect(StatusCode::OK);
    script.get("/api/v1/orgs/acme/teams").await.expect(StatusCode::OK);

    assert_eq!(recorded(&app).await, ["org.suspended", "org.resumed"]);
    app.run_jobs().await;
    assert_eq!(app.recorded(&org).await, ["org.suspended", "org.resumed"]);
}

#[tokio::test]
async fn organizations_are_found_by_name_and_state() {
    let app = TestApp::start().await;
    for slug in ["acme", "beta", "gamma"] {
        app.org(slug).await;
    }
    let mut olga = olga(&app).await.browser;
    let all = olga.get("/ops/orgs").await.expect(StatusCode::OK);
    assert!(["acme", "beta", "gamma"].iter().all(|slug| all.says(slug)));
    let some = olga.get("/ops/orgs?q=bet").await.expect(StatusCode::OK);
    assert!(some.says("beta") && !some.says("gamma"));
    let none = olga.get("/ops/orgs?state=suspended").await.expect(StatusCode::OK);
    assert!(none.says("No organization matches"));
    olga.get("/ops/orgs?cursor=nonsense").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_failed_job_runs_again_once_and_that_is_recorded() {
    let app = TestApp::start().await;
    let mut tx = SystemTx::begin(app.db()).await.unwrap();
    // A payload that its handler cannot read fails at once and for good.
    let payload = serde_json::json!({"secret": "canary-4711"});
    let job = NewJob { kind: "tell_org", payload, dedup_key: None, run_at: app.clock.now() };
    let id = jobs::enqueue(&mut tx, app.clock.now(), job).await.unwrap().unwrap();
    audit::commit_unrecorded(tx, Unrecorded::JobQueue).await.unwrap();
    app.run_jobs().await;
    let mut olga = olga(&app).await.browser;
    let page = olga.get("/ops/jobs?state=failed").await.expect(StatusCode::OK);
    assert!(page.says("the payload has an unexpected shape") && !page.says("canary-4711"));
    let retry = format!("/ops/jobs/{id}/retry");
    let done = press(&mut olga, &page, &retry).await;
    assert!(olga.follow(done).await.says("runs again"));
    press(&mut olga, &page, &retry).await.expect(StatusCode::CONFLICT);
    assert_eq!(recorded(&app).await, ["job.retried"]);
}

#[tokio::test]
async fn a_held_letter_is_opened_under_record_and_sent_again() {
    let app = TestApp::with(|ports| {
        ports.post.mailer = portreeve::io::mail::Mailer::none();
        ports.site.sends_mail = false;
    })
    .await;
    let mut olga = olga(&app).await.browser;
    let page = olga.get("/ops/outbox").await.expect(StatusCode::OK);
    assert!(page.says("No letter is here"));
    press(&mut olga, &page, "/ops/outbox/test").await.expect(StatusCode::SEE_OTHER);
    app.run_jobs().await;

    let list = olga.get("/ops/outbox?state=held").await.expect(StatusCode::OK);
    assert!(list.says("olga.operator@example.com") && !list.says("Mail from Portreeve arrives"));
    assert!(list.says(">Test letter<") && !list.says("test_letter"), "{}", list.body);
    let at = list.body.find("/ops/outbox/ltr_").expect("a link to the letter");
    let href: String = list.body[at..].chars().take_while(|c| *c != '"').collect();
    let letter = olga.get(&href).await.expect(StatusCode::OK);
    assert!(!letter.says("Mail from Portreeve arrives"));
    olga.get(&format!("{href}/look")).await.expect(StatusCode::NOT_FOUND);
    let open = format!("{href}/open");
    let opened = press(&mut olga, &letter, &open).await.expect(StatusCode::OK);
    assert!(opened.says("Mail from Portreeve arrives"));
    assert_eq!(opened.headers["cache-control"], "no-store");
    let look = format!("{href}/look");
    assert!(opened.body.contains(&format!(r#"<iframe class="letter-look" src="{look}" sandbox "#)));
    assert!(opened.headers["content-security-policy"].to_str().unwrap().contains("frame-src 'self'"));
    let looks = olga.get(&look).await.expect(StatusCode::OK);
    assert!(looks.body.contains("<style>") && looks.says("Mail from Portreeve arrives"));
    let policy = looks.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'unsafe-inline';") && policy.ends_with("sandbox")
    );
    assert!(!policy.contains("script-src") && !policy.contains("img-src"), "{policy}");
    assert_eq!(looks.headers["x-frame-options"], "SAMEORIGIN");
    let resend = format!("{href}/resend");
    press(&mut olga, &letter, &resend).await.expect(StatusCode::SEE_OTHER);
    press(&mut olga, &letter, &resend).await.expect(StatusCode::CONFLICT);
    assert_eq!(recorded(&app).await, ["letter.test_sent", "letter.opened", "letter.resent"]);
    // Looking again takes opening again, which is recorded.
    app.clock.advance(time::Duration::minutes(11));
    olga.get(&look).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_a_sent_letter_said_is_gone() {
    let app = TestApp::start().await;
    let mut olga = olga(&app).await.browser;
    let page = olga.get("/ops/outbox").await;
    press(&mut olga, &page, "/ops/outbox/test").await.expect(StatusCode::SEE_OTHER);
    app.run_jobs().await;
    assert_eq!(app.postbox.mails().len(), 1);
    let list = olga.get("/ops/outbox").await;
    let at = list.body.find("/ops/outbox/ltr_").expect("a link to the letter");
    let href: String = list.body[at..].chars().take_while(|c| *c != '"').collect();
    let letter = olga.get(&href).await.expect(StatusCode::OK);
    assert!(letter.says("Nothing is left of what it said"));
}

#[tokio::test]
async fn sign_up_is_changed_and_the_second_of_two_operators_is_told() {
    let app = TestApp::start().await;
    let mut olga = olga(&app).await.browser;
    let action = "/ops/settings/sign-up";
    let (first, second) = (olga.get("/ops/settings").await, olga.get("/ops/settings").await);
    let done = olga.submit(&first, action, &[("sign_up", "open")]).await;
    assert!(olga.follow(done).await.says("Saved."));
    let late = olga.submit(&second, action, &[("sign_up", "closed")]).await;
    assert!(late.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Someone else changed this"));
    let page = olga.get("/ops/settings").await;
    let csrf = csrf(&page, action);
    let wrong = olga.post(action, &[("csrf", &csrf), ("sign_up", "sometimes")]).await;
    assert!(wrong.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Choose closed, invitation or open"));
    assert_eq!(recorded(&app).await, ["instance.sign_up_changed"]);
}

#[tokio::test]
async fn operators_are_named_and_removed_but_never_the_last() {
    let app = TestApp::start().await;
    let mut olga = olga(&app).await;
    let mut paul = app.person("Paul Plain").await;
    let action = "/ops/settings/operators";
    let page = olga.browser.get("/ops/settings").await.expect(StatusCode::OK);
    assert!(page.says("The last operator stays"));
    let unknown = olga.browser.submit(&page, action, &[("email", "nobody@example.com")]).await;
    assert!(unknown.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Nobody here has confirmed this address"));
    let remove_self = format!("{action}/{}/remove", olga.id);
    let csrf = csrf(&page, action);
    let last = olga.browser.post(&remove_self, &[("csrf", &csrf)]).await;
    assert!(last.expect(StatusCode::CONFLICT).says("This is the last operator"));

    paul.browser.get("/ops").await.expect(StatusCode::NOT_FOUND);
    let named = olga.browser.submit(&page, action, &[("email", &paul.email)]).await;
    let named = olga.browser.follow(named).await.expect(StatusCode::OK);
    assert!(named.says("Paul Plain is an operator now"));
    let again = olga.browser.submit(&page, action, &[("email", &paul.email)]).await;
    assert!(again.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Paul Plain is an operator already"));
    paul.browser.get("/ops").await.expect(StatusCode::OK);

    let removed = olga.browser.submit(&named, &remove_self, &[]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(removed.location().as_deref(), Some("/me/profile"));
    olga.browser.get("/ops").await.expect(StatusCode::NOT_FOUND);
    assert_eq!(recorded(&app).await, ["operator.named", "operator.removed"]);
}

#[tokio::test]
async fn two_operators_who_leave_at_once_leave_one_behind() {
    let app = TestApp::start().await;
    let (mut olga, mut oskar) = (olga(&app).await, app.operator("Oskar Other").await);
    let page = olga.browser.get("/ops/settings").await;
    let action = |person: &Person| format!("/ops/settings/operators/{}/remove", person.id);
    let (hers, his) = (action(&olga), action(&oskar));
    let other = oskar.browser.get("/ops/settings").await;
    let (first, second) =
        tokio::join!(olga.browser.submit(&page, &hers, &[]), oskar.browser.submit(&other, &his, &[]));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409]);
    assert_eq!(recorded(&app).await, ["operator.removed"]);
}

#[tokio::test]
async fn nothing_to_rotate_is_said_and_the_audit_pages_show_the_events() {
    let app = TestApp::start().await;
    let mut olga = olga(&app).await.browser;
    let page = olga.get("/ops/settings").await;
    olga.submit(&page, "/ops/settings/sign-up", &[("sign_up", "open")]).await.expect(StatusCode::SEE_OTHER);
    let csrf = csrf(&page, "/ops/settings/sign-up");
    let refused = olga.post("/ops/keys/rotate", &[("csrf", &csrf)]).await;
    assert!(
        refused.expect(StatusCode::CONFLICT).says("Every data key already hangs on the sealing master key")
    );

    let list = olga.get("/ops/audit?q=instance.sign_up").await.expect(StatusCode::OK);
    let at = list.body.find("/ops/audit/evt_").expect("a link to the event");
    let href: String = list.body[at..].chars().take_while(|c| *c != '"').collect();
    let event = olga.get(&href).await.expect(StatusCode::OK);
    assert!(event.says("The record is as it was written") && event.says("\"sign_up\": \"open\""));
    assert!(olga.get("/ops/audit?q=nobody.at_all").await.says("No event matches"));
}

#[tokio::test]
async fn a_refused_sign_in_names_the_account_on_the_record() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    let mut browser = app.visitor();
    let page = browser.get("/login").await.expect(StatusCode::OK);
    let page = browser.submit(&page, "/login", &[("email", ada.email.as_str())]).await;
    let refused = browser.submit(&page, "/login/password", &[("password", "not her password")]).await;
    refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let mut olga = olga(&app).await.browser;
    let list = olga.get("/ops/audit?kind=auth").await.expect(StatusCode::OK);
    assert!(list.says("Somebody not signed in") && list.says(">Ada Admin<"), "{}", list.body);
    assert!(!list.says(">nobody<") && !list.body.contains("st-allow"), "{}", list.body);
}

#[tokio::test]
async fn master_keys_tell_the_organizations_they_serve_and_since_when() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    app.org("without-secrets").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let secret = json!({ "name": "weather-key", "scope": "org", "value": "s3cret" });
    key.post("/api/v1/orgs/acme/secrets", secret).await.expect(StatusCode::CREATED);
    let mut olga = olga(&app).await.browser;
    let page = olga.get("/ops/outbox").await;
    press(&mut olga, &page, "/ops/outbox/test").await.expect(StatusCode::SEE_OTHER);
    let page = olga.get("/ops/keys").await.expect(StatusCode::OK);
    assert!(page.says("data-label=\"Data keys\">2<"), "one of acme, one of the installation: {}", page.body);
    assert!(page.says("data-label=\"Organizations\">1<") && !page.says("not yet"), "{}", page.body);
    app.clock.advance(Duration::minutes(5));
    let page = olga.get("/ops").await.expect(StatusCode::OK);
    assert!(page.says("5 min in use; wraps 2 of 2 data keys"), "{}", page.body);
}
