//! Members and roles over the API.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::json;

use crate::kit::app::TestApp;

const MEMBERS: &str = "/api/v1/orgs/acme/members";

#[tokio::test]
async fn members_are_listed_read_and_given_another_role() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let all = key.get(&format!("{MEMBERS}?limit=1")).await.expect(StatusCode::OK);
    assert_eq!(all.text("/items/0/name"), "Ada Admin");
    let next = all.text("/next_cursor");
    let rest = key.get(&format!("{MEMBERS}?limit=1&cursor={next}")).await.expect(StatusCode::OK);
    assert_eq!(rest.text("/items/0/email"), "mia.member@example.com");
    let some = key.get(&format!("{MEMBERS}?role=admin")).await.expect(StatusCode::OK);
    assert_eq!(some.body["items"].as_array().unwrap().len(), 1);

    let path = format!("{MEMBERS}/{}", mia.id);
    let one = key.get(&path).await.expect(StatusCode::OK);
    assert_eq!(one.body["has_second_factor"], json!(false));
    let tag = one.headers["etag"].to_str().unwrap().to_owned();
    let seen = [("if-match", tag.as_str())];
    let change = Some(json!({ "role": "auditor" }));
    let changed = key.send(Method::PATCH, &path, &seen, change.clone()).await.expect(StatusCode::OK);
    assert_eq!(changed.text("/role"), "auditor");
    let late = key.send(Method::PATCH, &path, &seen, Some(json!({ "role": "member" }))).await;
    assert_eq!(late.expect(StatusCode::PRECONDITION_FAILED).text("/code"), "changed_meanwhile");
    key.send(Method::PATCH, &path, &[], change).await.expect(StatusCode::OK);
    let refused = key.send(Method::PATCH, &path, &[], Some(json!({ "role": "king" }))).await;
    assert_eq!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/errors/0/path"), "role");
    assert_eq!(app.recorded(&org).await, ["member.role_changed"], "the same role again is no change");
}

#[tokio::test]
async fn off_boarding_tells_what_would_end_and_what_has() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let bob = app.member(&org, "Bob Leaver", Role::Member).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["members:read", "members:write"]).await;
    let his = app.key_of(&org, bob.id, Role::Admin, &["teams:read"]).await;
    let path = format!("{MEMBERS}/{}", bob.id);
    let preview = key.get(&format!("{path}/offboard")).await.expect(StatusCode::OK);
    let done = key.send(Method::DELETE, &path, &[], None).await.expect(StatusCode::OK);
    assert_eq!(preview.body, done.body);
    let count = |kind: &str| {
        let endings = done.body["endings"].as_array().unwrap();
        endings.iter().find(|ending| ending["kind"] == kind).unwrap()["count"].clone()
    };
    assert_eq!((count("sessions"), count("api_keys"), count("team_places")), (json!(1), json!(1), json!(0)));
    his.get("/api/v1/orgs/acme/roles").await.expect(StatusCode::UNAUTHORIZED);
    key.get(&path).await.expect(StatusCode::NOT_FOUND);
    key.send(Method::DELETE, &path, &[], None).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(app.recorded(&org).await, ["member.offboarded"]);
}

#[tokio::test]
async fn owners_need_the_scope_of_owners_and_the_last_one_stays() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let olga = app.member(&org, "Olga Owner", Role::Owner).await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let admin = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let some = app.key_of(&org, olga.id, Role::Owner, &["members:read", "members:write"]).await;
    let all = app.key_of(&org, olga.id, Role::Owner, &["*"]).await;
    let path = format!("{MEMBERS}/{}", olga.id);
    let hers = format!("{MEMBERS}/{}", ada.id);
    for key in [&admin, &some] {
        let refused = key.send(Method::PATCH, &path, &[], Some(json!({ "role": "member" }))).await;
        assert!(refused.expect(StatusCode::FORBIDDEN).text("/detail").contains("owners:write"));
        let refused = key.send(Method::PATCH, &hers, &[], Some(json!({ "role": "owner" }))).await;
        refused.expect(StatusCode::FORBIDDEN);
    }
    admin.send(Method::DELETE, &path, &[], None).await.expect(StatusCode::FORBIDDEN);
    let refused = all.send(Method::PATCH, &path, &[], Some(json!({ "role": "member" }))).await;
    assert_eq!(refused.expect(StatusCode::CONFLICT).text("/code"), "last_owner");
    let refused = all.send(Method::DELETE, &path, &[], None).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "leave_instead");
    let reader = app.key_of(&org, ada.id, Role::Admin, &["members:read"]).await;
    reader.send(Method::DELETE, &hers, &[], None).await.expect(StatusCode::FORBIDDEN);
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn another_organizations_people_are_unknown() {
    let app = TestApp::start().await;
    let (org, other) = (app.org("acme").await, app.org("other").await);
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let eve = app.member(&other, "Eve Elsewhere", Role::Owner).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let path = format!("{MEMBERS}/{}", eve.id);
    key.get(&path).await.expect(StatusCode::NOT_FOUND);
    key.get(&format!("{path}/offboard")).await.expect(StatusCode::NOT_FOUND);
    key.send(Method::DELETE, &path, &[], None).await.expect(StatusCode::NOT_FOUND);
    key.send(Method::PATCH, &path, &[], Some(json!({ "role": "member" })))
        .await
        .expect(StatusCode::NOT_FOUND);
    key.get("/api/v1/orgs/other/members").await.expect(StatusCode::NOT_FOUND);
    key.get("/api/v1/orgs/other/roles").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn any_key_reads_what_the_roles_carry() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["gate:read"]).await;
    let roles = key.get("/api/v1/orgs/acme/roles").await.expect(StatusCode::OK);
    assert_eq!((roles.text("/items/0/role"), roles.text("/items/5/role")), ("owner", "member"));
    assert_eq!(
        roles.body["items"][4]["permissions"],
        json!([
            "connections:own",
            "secrets:own",
            "access:ask",
            "policies:read",
            "approvals:read",
            "approvals:decide",
            "audit:read",
            "audit:export"
        ])
    );
}
