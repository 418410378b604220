//! Invitations over the API.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::json;
use time::Duration;

use crate::kit::{app::TestApp, http::Script, people::PlantedOrg};

const ALL: &str = "/api/v1/orgs/acme/invitations";

async fn acme(app: &TestApp) -> (PlantedOrg, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    (org, key)
}

#[tokio::test]
async fn people_are_invited_reminded_and_uninvited() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    let body = json!({ "emails": ["new@example.com", "ada.admin@example.com"], "role": "member" });
    let made = key.post(ALL, body.clone()).await.expect(StatusCode::CREATED);
    assert_eq!(
        (made.text("/results/0/outcome"), made.text("/results/1/outcome")),
        ("invited", "already_member")
    );
    assert!(!made.body.to_string().contains("pri_"), "no answer carries a link");
    let again = key.post(ALL, body).await.expect(StatusCode::CREATED);
    assert_eq!(again.text("/results/0/outcome"), "already_invited");
    let id = made.text("/results/0/invitation_id");
    assert_eq!(again.text("/results/0/invitation_id"), id);

    let one = format!("{ALL}/{id}");
    let read = key.get(&one).await.expect(StatusCode::OK);
    assert_eq!(read.text("/state"), "open");
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let resend = format!("{one}/resend");
    let soon = key.send(Method::POST, &resend, &[], None).await.expect(StatusCode::CONFLICT);
    assert_eq!(soon.text("/code"), "sent_just_now");
    app.clock.advance(Duration::minutes(2));
    let sent = key.send(Method::POST, &resend, &[("if-match", &tag)], None).await.expect(StatusCode::OK);
    assert_ne!(sent.text("/sent_at"), read.text("/sent_at"));
    app.clock.advance(Duration::minutes(2));
    let late = key.send(Method::POST, &resend, &[("if-match", &tag)], None).await;
    late.expect(StatusCode::PRECONDITION_FAILED);

    key.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::NO_CONTENT);
    let again = key.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::CONFLICT);
    assert_eq!(again.text("/code"), "invitation_revoked");
    let listed = key.get(&format!("{ALL}?state=revoked")).await.expect(StatusCode::OK);
    assert_eq!(listed.text("/items/0/id"), id);
    let open = key.get(&format!("{ALL}?state=open")).await.expect(StatusCode::OK);
    assert_eq!(open.body["items"], json!([]));
    let expected = ["invitation.created", "invitation.resent", "invitation.revoked"];
    assert_eq!(app.recorded(&org).await, expected);
    app.run_jobs().await;
    assert_eq!(app.postbox.mails().len(), 2);
}

#[tokio::test]
async fn bad_bodies_and_missing_rights_are_refused() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    let refused = key.post(ALL, json!({ "emails": ["x"], "role": "member" })).await;
    assert_eq!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/errors/0/path"), "emails");
    let many: Vec<String> = (0..51).map(|n| format!("p{n}@example.com")).collect();
    let refused = key.post(ALL, json!({ "emails": many, "role": "member" })).await;
    refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let refused =
        key.post(ALL, json!({ "emails": ["a@example.com"], "role": "member", "team": "none" })).await;
    assert_eq!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/errors/0/path"), "team");
    let refused = key.post(ALL, json!({ "emails": ["a@example.com"], "role": "owner" })).await;
    refused.expect(StatusCode::FORBIDDEN);
    let ada = app.member(&org, "Al Admin", Role::Admin).await;
    let narrow = app.key_of(&org, ada.id, Role::Admin, &["members:write"]).await;
    let refused =
        narrow.post(ALL, json!({ "emails": ["a@example.com"], "role": "member", "team": "none" })).await;
    assert!(refused.expect(StatusCode::FORBIDDEN).text("/detail").contains("teams:write"));
    narrow.get(ALL).await.expect(StatusCode::FORBIDDEN);
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn another_organizations_invitation_is_unknown() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    let made = key.post(ALL, json!({ "emails": ["new@example.com"], "role": "member" })).await;
    let id = made.expect(StatusCode::CREATED).text("/results/0/invitation_id").to_owned();
    let other = app.org("other").await;
    let eve = app.member(&other, "Eve Elsewhere", Role::Owner).await;
    let foreign = app.key_of(&other, eve.id, Role::Owner, &["*"]).await;
    for base in [ALL, "/api/v1/orgs/other/invitations"] {
        foreign.get(&format!("{base}/{id}")).await.expect(StatusCode::NOT_FOUND);
        foreign.send(Method::DELETE, &format!("{base}/{id}"), &[], None).await.expect(StatusCode::NOT_FOUND);
        let resend = foreign.send(Method::POST, &format!("{base}/{id}/resend"), &[], None).await;
        resend.expect(StatusCode::NOT_FOUND);
    }
    assert_eq!(app.recorded(&org).await, ["invitation.created"]);
}
