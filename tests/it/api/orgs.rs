//! The organization and its gate over the API, and the API's description of itself.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::json;

use crate::kit::{
    app::TestApp,
    http::Script,
    people::{Person, PlantedOrg},
};

const ORG: &str = "/api/v1/orgs/acme";
const GATE: &str = "/api/v1/orgs/acme/gate";

async fn acme(app: &TestApp) -> (PlantedOrg, Person, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    (org, ada, key)
}

#[tokio::test]
async fn settings_are_read_and_changed() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let read = key.get(ORG).await.expect(StatusCode::OK);
    assert_eq!((read.text("/id"), read.text("/slug")), (org.id.to_string().as_str(), "acme"));
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let seen = [("if-match", tag.as_str())];
    let change = json!({ "name": "Acme Europe", "invitation_hours": 24 });
    let changed = key.send(Method::PATCH, ORG, &seen, Some(change)).await.expect(StatusCode::OK);
    assert_eq!(changed.text("/name"), "Acme Europe");
    assert_eq!(changed.body["invitation_hours"], 24);
    let late = key.send(Method::PATCH, ORG, &seen, Some(json!({ "name": "Late" }))).await;
    assert_eq!(late.expect(StatusCode::PRECONDITION_FAILED).text("/code"), "changed_meanwhile");
    key.get(&format!("/api/v1/orgs/{}", org.id)).await.expect(StatusCode::OK);
    assert_eq!(app.recorded(&org).await, ["org.changed"]);
}

#[tokio::test]
async fn what_cannot_be_accepted_is_named() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    app.org("taken").await;
    for (body, path) in [
        (json!({ "name": "" }), "name"),
        (json!({ "slug": "taken" }), "slug"),
        (json!({ "invitation_hours": 0 }), "invitation_hours"),
        (json!({ "require_second_factor": true }), "require_second_factor"),
    ] {
        let answer =
            key.send(Method::PATCH, ORG, &[], Some(body)).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.text("/errors/0/path"), path);
    }
    let answer = key.send(Method::PATCH, ORG, &[], Some(json!({ "epoch": 3 }))).await;
    assert_eq!(answer.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/code"), "invalid_body");
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn the_gate_closes_with_a_reason_and_says_so_at_the_next_request() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let read = key.get(GATE).await.expect(StatusCode::OK);
    assert_eq!((read.body["open"].as_bool(), read.body["version"].as_i64()), (Some(true), Some(0)));
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let put = |body| key.send(Method::PUT, GATE, &[], Some(body));
    let refused = put(json!({ "open": false })).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.text("/errors/0/path"), "reason");
    let closed = put(json!({ "open": false, "reason": "drill" })).await.expect(StatusCode::OK);
    assert_eq!(closed.body["changed_by"], ada.id.to_string());
    // Once more is no second event.
    let again = put(json!({ "open": false, "reason": "drill" })).await.expect(StatusCode::OK);
    assert_eq!(again.body, closed.body);
    let page = ada.browser.clone().get("/o/acme").await;
    assert!(page.says("The gate was closed by Ada Admin"));
    let late = key.send(Method::PUT, GATE, &[("if-match", &tag)], Some(json!({ "open": true }))).await;
    late.expect(StatusCode::PRECONDITION_FAILED);
    put(json!({ "open": true })).await.expect(StatusCode::OK);
    assert_eq!(app.recorded(&org).await, ["gate.closed", "gate.opened"]);
}

#[tokio::test]
async fn a_key_reaches_what_its_scopes_allow_and_only_its_own_organization() {
    let app = TestApp::start().await;
    let (org, ada, _) = acme(&app).await;
    let reader = app.key_of(&org, ada.id, Role::Admin, &["org:read", "gate:read"]).await;
    reader.get(ORG).await.expect(StatusCode::OK);
    let body = Some(json!({ "name": "x" }));
    reader.send(Method::PATCH, ORG, &[], body).await.expect(StatusCode::FORBIDDEN);
    let body = Some(json!({ "open": false, "reason": "x" }));
    reader.send(Method::PUT, GATE, &[], body).await.expect(StatusCode::FORBIDDEN);
    let other = app.org("other").await;
    reader.get("/api/v1/orgs/other").await.expect(StatusCode::NOT_FOUND);
    reader.get(&format!("/api/v1/orgs/{}/gate", other.id)).await.expect(StatusCode::NOT_FOUND);
    app.script(None).get(ORG).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_description_is_open_to_anyone_and_names_every_operation() {
    let app = TestApp::start().await;
    let document = app.script(None).get("/api/v1/openapi.json").await.expect(StatusCode::OK);
    assert_eq!(document.text("/openapi"), "3.1.0");
    for operation in portreeve::web::routes().operations() {
        assert!(document.body["paths"].get(operation.full_path()).is_some(), "{}", operation.full_path());
    }
}
