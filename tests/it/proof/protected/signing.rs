//! Authorization servers whose clients sign with a key in place of showing a secret.

use std::collections::HashMap;

use http::StatusCode;
use serde_json::{Value, json};

use super::{ONE, PROVIDER, Stands, USUAL, stage};

#[tokio::test]
async fn where_clients_sign_one_is_registered_with_the_address_of_its_key() {
    let mut stage = stage(Stands { signs: true, revokes: true, ..USUAL }).await;
    let made = stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    assert_eq!((made.text("/client_auth"), made.text("/enrolment")), ("private_key_jwt", "registered"));
    let shown = async |path: &str| stage.app.visitor().get(path).await;
    let keys = made.text("/jwks_url").strip_prefix(stage.app.origin()).unwrap();
    let first = shown(keys).await.expect(StatusCode::OK).body;
    let document = format!("/oauth/clients/{}", made.text("/id"));
    let document: Value = serde_json::from_str(&shown(&document).await.body).unwrap();
    assert_eq!(document["token_endpoint_auth_method"], "private_key_jwt");
    assert_eq!(document["jwks_uri"], made.text("/jwks_url"));
    stage.app.connected(&stage.org, &mut stage.admin, "linear").await;

    // Elsewhere it signs with another key, and ends with the one of before what was given before.
    stage.stands.lock().unwrap().issuer = "/new";
    let moved = stage.key.post(&format!("{ONE}/rediscover"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(moved.text("/client_auth"), "private_key_jwt");
    let both: Value = serde_json::from_str(&stage.app.visitor().get(keys).await.body).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((both["keys"].as_array().unwrap().len(), &both["keys"][1]), (2, &first["keys"][0]));
    stage.app.clock.advance(time::Duration::minutes(2));
    stage.app.run_jobs().await;
    let ended = String::from_utf8_lossy(&stage.asked("/as/revoke")[0].body).into_owned();
    let asked: HashMap<String, String> = serde_urlencoded::from_str(&ended).unwrap();
    let claims = asked["client_assertion"].split('.').nth(1).unwrap();
    let claims = data_encoding::BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!("client/as"), &json!(stage.server.url("/as/token")))
    );
    // Another server of the same authorization server has a client and a key of its own.
    stage.app.server_at(&stage.org, "two", &stage.server.url("/two")).await;
    let second = stage.key.post("/api/v1/orgs/acme/servers/two/provider", json!({})).await;
    let second = second.expect(StatusCode::CREATED);
    assert_eq!(second.body["shares_client_of"], Value::Null);
    assert_ne!(second.text("/jwks_url"), made.text("/jwks_url"));
}

#[tokio::test]
async fn a_key_is_not_forced_on_an_authorization_server_that_takes_none() {
    let stage = stage(USUAL).await;
    let wanted = json!({ "client_auth": "private_key_jwt" });
    let refused = stage.key.post(PROVIDER, wanted).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "provider_takes_no_keys");
    let other = stage.key.post(PROVIDER, json!({ "client_auth": "basic" })).await;
    assert_eq!(other.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/errors/0/path"), "client_auth");
    let both =
        json!({ "client_auth": "private_key_jwt", "client_id": "ours", "client_secret": "s3cret-there" });
    let both = stage.key.post(PROVIDER, both).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(both.text("/errors/0/path"), "client_secret");
    assert!(stage.asked("/as/register").is_empty());
}
