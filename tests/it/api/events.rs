//! The audit log over the API.

use http::StatusCode;
use portreeve::{
    base::permission::Role,
    domain::audit::{Anchors, LaterAnchors, verify},
};
use serde_json::json;

use crate::kit::{
    app::TestApp,
    http::Script,
    people::{Person, PlantedOrg},
};

const EVENTS: &str = "/api/v1/orgs/acme/events";

async fn acme(app: &TestApp) -> (PlantedOrg, Person, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    for name in ["Alpha", "Beta", "Gamma"] {
        key.post("/api/v1/orgs/acme/teams", json!({ "name": name })).await.expect(StatusCode::CREATED);
    }
    (org, ada, key)
}

#[tokio::test]
async fn events_are_listed_newest_first_and_paged() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    let first = key.get(&format!("{EVENTS}?limit=2")).await.expect(StatusCode::OK);
    assert_eq!((first.text("/items/0/target/name"), first.text("/items/1/target/name")), ("Gamma", "Beta"));
    assert_eq!(first.text("/items/0/actor/kind"), "api_key");
    let next = first.text("/next_cursor");
    let second = key.get(&format!("{EVENTS}?limit=2&cursor={next}")).await.expect(StatusCode::OK);
    assert_eq!(second.text("/items/0/target/name"), "Alpha");
    assert!(second.body["next_cursor"].is_null());
}

#[tokio::test]
async fn filters_narrow_the_list_and_wrong_ones_are_named_at_once() {
    let app = TestApp::start().await;
    let (_, ada, key) = acme(&app).await;
    let request = key.get(EVENTS).await.text("/items/1/request").to_owned();
    for (query, count) in [
        ("kind=admin".to_owned(), 3),
        ("kind=auth".to_owned(), 0),
        ("decision=done".to_owned(), 3),
        ("decision=refused".to_owned(), 0),
        (format!("person={}", ada.id), 3),
        ("person=nobody".to_owned(), 0),
        ("action=team.".to_owned(), 3),
        ("target=alpha".to_owned(), 1),
        (format!("request={request}"), 1),
        ("from=2026-11-21T12:00:00Z".to_owned(), 3),
        ("to=2026-11-21T12:00:00Z".to_owned(), 0),
        ("from=1h&to=2026-11-21".to_owned(), 3),
        ("q=gam".to_owned(), 1),
        ("not_target=alpha".to_owned(), 2),
        (format!("not_person={}", ada.id), 0),
        ("not_action=member.".to_owned(), 3),
        ("not_decision=done".to_owned(), 0),
        ("ip=127.0.0.1".to_owned(), 3),
        ("not_ip=127.0.0.0/8".to_owned(), 0),
    ] {
        let answer = key.get(&format!("{EVENTS}?{query}")).await.expect(StatusCode::OK);
        assert_eq!(answer.body["items"].as_array().unwrap().len(), count, "{query}");
    }
    let wrong = key.get(&format!("{EVENTS}?kind=x&decision=y&from=z&request=r")).await;
    let wrong = wrong.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let named: Vec<_> = wrong.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["path"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["kind", "decision", "request", "from"]);
    let wrong = key.get(&format!("{EVENTS}?ip=home&not_ip=10.0.0.0/99")).await;
    let wrong = wrong.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!((wrong.text("/errors/0/path"), wrong.text("/errors/1/path")), ("ip", "not_ip"));
}

#[tokio::test]
async fn one_event_carries_before_after_and_proof() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    let id = key.get(&format!("{EVENTS}?q=alpha")).await.text("/items/0/id").to_owned();
    let event = key.get(&format!("{EVENTS}/{id}")).await.expect(StatusCode::OK);
    assert_eq!(event.text("/after/name"), "Alpha");
    assert_eq!(
        (event.body["before"].clone(), event.body["proof"]["checkpoint"].clone()),
        (json!(null), json!(null))
    );
    for check in ["recomputes", "follows", "columns_agree"] {
        assert_eq!(event.body["proof"][check], true, "{check}");
    }
    app.clock.advance(time::Duration::minutes(2));
    app.run_jobs().await;
    let event = key.get(&format!("{EVENTS}/{id}")).await.expect(StatusCode::OK);
    assert_eq!(event.body["proof"]["checkpoint"]["holds"], true);
    key.get(&format!("{EVENTS}/evt_nonsense")).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_export_streams_verifies_and_is_recorded() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let mut visitor = app.visitor();
    visitor.get("/api/v1/orgs/acme/events/export?format=jsonl").await.expect(StatusCode::UNAUTHORIZED);
    let file = key.file(&format!("{EVENTS}/export?format=jsonl")).await;
    let report = verify(file.as_bytes(), Anchors::none(), LaterAnchors::PassOver).unwrap();
    assert_eq!((report.chains[0].org, report.chains[0].records), (org.id, 4));
    let table = key.file(&format!("{EVENTS}/export?format=csv&target=beta")).await;
    assert_eq!(table.lines().count(), 2);
    assert_eq!(app.recorded(&org).await[3..], ["audit.exported", "audit.exported"]);
    let refused = key.get(&format!("{EVENTS}/export?format=jsonl&q=x")).await;
    assert_eq!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/errors/0/path"), "format");
}

#[tokio::test]
async fn scopes_and_organizations_keep_keys_apart() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let id = key.get(EVENTS).await.text("/items/0/id").to_owned();
    let reader = app.key_of(&org, ada.id, Role::Admin, &["audit:read"]).await;
    reader.get(EVENTS).await.expect(StatusCode::OK);
    reader.get(&format!("{EVENTS}/export?format=csv")).await.expect(StatusCode::FORBIDDEN);
    let other = app.org("other").await;
    let eve = app.member(&other, "Eve Elsewhere", Role::Owner).await;
    let foreign = app.key_of(&other, eve.id, Role::Owner, &["*"]).await;
    foreign.get(EVENTS).await.expect(StatusCode::NOT_FOUND);
    foreign.get(&format!("/api/v1/orgs/other/events/{id}")).await.expect(StatusCode::NOT_FOUND);
    let own = foreign.get("/api/v1/orgs/other/events").await.expect(StatusCode::OK);
    assert_eq!(own.body["items"], json!([]));
}
