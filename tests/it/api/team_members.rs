//! Who is in a team, over the API.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::json;

use crate::kit::{
    app::TestApp,
    http::Script,
    people::{Person, PlantedOrg},
};

const MEMBERS: &str = "/api/v1/orgs/acme/teams/crew/members";

async fn crew(app: &TestApp) -> (PlantedOrg, Person, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    key.post("/api/v1/orgs/acme/teams", json!({ "name": "Crew" })).await.expect(StatusCode::CREATED);
    (org, ada, key)
}

#[tokio::test]
async fn somebody_is_added_promoted_and_taken_out() {
    let app = TestApp::start().await;
    let (org, _, key) = crew(&app).await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    let made = key.post(MEMBERS, json!({ "person": mia.email })).await.expect(StatusCode::CREATED);
    assert_eq!((made.text("/user"), made.text("/role")), (mia.id.to_string().as_str(), "member"));
    let one = format!("{MEMBERS}/{}", mia.id);
    assert_eq!(key.get(&one).await.expect(StatusCode::OK).body, made.body);

    let tag = made.headers["etag"].to_str().unwrap().to_owned();
    let seen = [("if-match", tag.as_str())];
    let admin = Some(json!({ "role": "admin" }));
    let changed = key.send(Method::PATCH, &one, &seen, admin.clone()).await.expect(StatusCode::OK);
    assert_eq!(changed.text("/role"), "admin");
    key.send(Method::PATCH, &one, &seen, admin).await.expect(StatusCode::PRECONDITION_FAILED);
    let found = key.get(&format!("{MEMBERS}?q=mia")).await.expect(StatusCode::OK);
    assert_eq!(found.text("/items/0/email"), mia.email);
    assert!(key.get(&format!("{MEMBERS}?q=zoe")).await.body["items"].as_array().unwrap().is_empty());

    key.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::NO_CONTENT);
    key.get(&one).await.expect(StatusCode::NOT_FOUND);
    let steps = ["team.created", "team.member_added", "team.member_changed", "team.member_removed"];
    assert_eq!(app.recorded(&org).await, steps);
}

#[tokio::test]
async fn only_members_of_the_organization_come_in_and_only_once() {
    let app = TestApp::start().await;
    let (org, _, key) = crew(&app).await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    let eve = app.person("Eve Elsewhere").await;
    key.post(MEMBERS, json!({ "person": mia.id })).await.expect(StatusCode::CREATED);
    for person in [mia.email, eve.email, eve.id.to_string(), "not an address".to_owned()] {
        let refused =
            key.post(MEMBERS, json!({ "person": person })).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.text("/errors/0/path"), "person");
    }
    key.post(MEMBERS, json!({ "person": "x", "role": "king" }))
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_key_carries_nothing_of_its_owners_place_in_a_team() {
    let app = TestApp::start().await;
    let (org, ada, key) = crew(&app).await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    key.post(MEMBERS, json!({ "person": mia.id, "role": "owner" })).await.expect(StatusCode::CREATED);
    let hers = app.key_of(&org, mia.id, Role::Member, &["*"]).await;
    hers.get(MEMBERS).await.expect(StatusCode::FORBIDDEN);
    hers.get("/api/v1/orgs/acme/teams").await.expect(StatusCode::FORBIDDEN);
    let reader = app.key_of(&org, ada.id, Role::Admin, &["teams:read"]).await;
    reader.get(MEMBERS).await.expect(StatusCode::OK);
    reader.post(MEMBERS, json!({ "person": ada.id })).await.expect(StatusCode::FORBIDDEN);
}
