//! Who a key is, over the API.

use http::StatusCode;
use portreeve::base::permission::Role;
use serde_json::json;

use crate::kit::app::TestApp;

#[tokio::test]
async fn a_key_learns_whose_it_is_and_what_it_may() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Lovelace", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["teams:read"]).await;
    let me = key.get("/api/v1/me").await.expect(StatusCode::OK);
    let principal = json!({
        "kind": "user", "id": ada.id.to_string(), "name": "Ada Lovelace", "handle": "ada.lovelace@example.com",
    });
    assert_eq!(me.body["principal"], principal);
    assert_eq!((me.text("/role"), me.text("/key/name"), me.text("/org/slug")), ("admin", "test key", "acme"));
    assert_eq!(me.body["scopes"], json!(["teams:read"]));
    let orgs = key.get("/api/v1/orgs").await.expect(StatusCode::OK);
    let expected = json!({ "items": [{ "id": org.id.to_string(), "slug": "acme", "name": "acme" }], "next_cursor": null });
    assert_eq!(orgs.body, expected);
}

#[tokio::test]
async fn without_a_good_key_nothing_is_told() {
    let app = TestApp::start().await;
    for path in ["/api/v1/me", "/api/v1/orgs"] {
        for bearer in [None, Some("prk_nonsense")] {
            let answer = app.script(bearer).get(path).await.expect(StatusCode::UNAUTHORIZED);
            assert_eq!(answer.text("/code"), "not_signed_in");
        }
    }
}
