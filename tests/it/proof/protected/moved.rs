//! A server that takes tokens of another authorization server than before: nothing of one is shown to the other.

use http::{Method, StatusCode};
use portreeve::{
    base::permission::Role,
    domain::audit::{self, Unrecorded},
};
use serde_json::{Value, json};

use super::{ONE, PROVIDER, Stands, USUAL, fake, stage};

#[tokio::test]
async fn a_server_that_moves_to_another_authorization_server_shows_it_no_token_of_the_one_before() {
    let mut stage = stage(USUAL).await;
    stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    stage.app.connected(&stage.org, &mut stage.admin, "linear").await;
    let again = format!("{ONE}/rediscover");
    let same = stage.key.post(&again, json!({})).await.expect(StatusCode::OK);
    assert_eq!((same.text("/client_id"), &same.body["version"]), ("client/as", &json!(1)));
    stage.stands.lock().unwrap().issuer = "/new";
    let moved = stage.key.post(&again, json!({})).await.expect(StatusCode::OK);
    assert_eq!(moved.text("/client_id"), "client/new");
    assert!(moved.text("/issuer").ends_with("/new"));
    let kept = "select count(*) from connections where sealed_tokens is not null or state <> 'needs_reauth'";
    assert_eq!(stage.app.number(kept).await, 0);
    let sent: Vec<_> = stage
        .asked("/new")
        .into_iter()
        .map(|asked| String::from_utf8_lossy(&asked.body).into_owned())
        .collect();
    assert!(sent.iter().all(|body| !body.contains("client/as") && !body.contains("token-there")), "{sent:?}");
    let wiring = stage.key.get("/api/v1/orgs/acme/wiring").await.expect(StatusCode::OK);
    let findings = wiring.body["servers"][0]["findings"].as_array().unwrap();
    let back = findings.iter().find(|finding| finding["name"] == "callback").unwrap();
    assert!(back["found"].as_str().unwrap().contains("Nobody has come back from there yet"), "{back:#}");
    stage.app.connected(&stage.org, &mut stage.admin, "linear").await;
    assert_eq!(stage.app.number("select count(*) from connections where state = 'active'").await, 1);
    assert!(stage.app.recorded(&stage.org).await.contains(&"provider.moved".to_owned()));
}

#[tokio::test]
async fn a_provider_that_moves_leaves_its_callback_to_the_authorization_server_that_knows_it() {
    let mut stage = stage(Stands { scope: "read", ..USUAL }).await;
    let first = stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    stage.app.server_at(&stage.org, "two", &stage.server.url("/two")).await;
    let path = "/api/v1/orgs/acme/servers/two/provider";
    let second = stage.key.post(path, json!({})).await.expect(StatusCode::CREATED);
    let shared = second.text("/callback_url").to_owned();
    assert_eq!(shared, first.text("/callback_url"));
    let known = stage.key.get(ONE).await.expect(StatusCode::OK);
    assert_eq!(known.text("/shares_client_of"), second.text("/id"), "both say so");
    stage.stands.lock().unwrap().issuer = "/new";
    let moved = stage.key.post(&format!("{ONE}/rediscover"), json!({})).await.expect(StatusCode::OK);
    let own = moved.text("/callback_url").to_owned();
    assert_ne!(own, shared, "two authorization servers send nobody to one callback");
    let told: Value = serde_json::from_slice(&stage.asked("/new/register")[0].body).unwrap();
    assert_eq!(told["redirect_uris"], json!([own]));
    let kept = stage.key.get("/api/v1/orgs/acme/providers/two").await.expect(StatusCode::OK);
    assert_eq!((kept.text("/callback_url"), &kept.body["shares_client_of"]), (&*shared, &Value::Null));

    // What the old one answers to a question that the new one was to be asked is nobody's answer.
    let connect = "/me/accounts/acme/connect/linear";
    let page = stage.admin.browser.get(connect).await.expect(StatusCode::OK);
    let page = stage.admin.browser.submit(&page, connect, &[]).await.expect(StatusCode::OK);
    let onward = page.headers["refresh"].to_str().unwrap().strip_prefix("0;url=").unwrap();
    let onward = url::Url::parse(onward).unwrap();
    let state = onward.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let back = url::Url::parse(&shared).unwrap().path().to_owned();
    let page = stage.admin.browser.get(&format!("{back}?code=c&state={state}")).await;
    assert!(page.expect(StatusCode::CONFLICT).says("Nothing was connected"));
    assert!(stage.asked("/new/token").is_empty(), "no code of the old one is sent to the new one");
    stage.app.connected(&stage.org, &mut stage.admin, "linear").await;

    // An id whose callback is known somewhere is no other provider's either.
    stage.app.change("delete from connections").await;
    stage.app.change("delete from server_credentials").await;
    stage.app.change("delete from providers where slug = 'linear'").await;
    let path = "/o/acme/servers/linear/provider";
    let page = stage.admin.browser.get(path).await.expect(StatusCode::OK);
    let again = [("id", first.text("/id")), ("client_id", "ours"), ("client_secret", "s3cret-there")];
    stage.admin.browser.submit(&page, path, &again).await.expect(StatusCode::CONFLICT);
    assert_eq!(stage.app.number("select count(*) from providers").await, 1);
}

#[tokio::test]
async fn what_the_one_before_gave_is_ended_there_and_nowhere_else() {
    let mut stage = stage(Stands { revokes: true, ..USUAL }).await;
    stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    let mut bob = stage.app.member(&stage.org, "Bob", Role::Member).await;
    let id = stage.app.connected(&stage.org, &mut bob, "linear").await;
    stage.app.connected(&stage.org, &mut stage.admin, "linear").await;
    // One account was ended here before, and the one before has not heard of it yet.
    stage.stands.lock().unwrap().deaf = true;
    let end = format!("/api/v1/orgs/acme/connections/{id}/disconnect");
    let ended = stage.key.post(&end, json!({})).await.expect(StatusCode::OK);
    assert_eq!(ended.text("/upstream"), "failed");
    stage.stands.lock().unwrap().issuer = "/new";
    stage.key.post(&format!("{ONE}/rediscover"), json!({})).await.expect(StatusCode::OK);
    let kept = "select count(*) from token_endings where former > 0";
    assert_eq!(stage.app.number(kept).await, 2);
    stage.stands.lock().unwrap().deaf = false;
    let before = stage.asked("/as/revoke").len();
    stage.app.clock.advance(time::Duration::minutes(2));
    stage.app.run_jobs().await;
    let told: Vec<_> = stage.asked("/as/revoke").split_off(before);
    let bodies: Vec<_> = told.iter().map(|asked| String::from_utf8_lossy(&asked.body).into_owned()).collect();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(
        bodies.iter().all(|body| body.contains("client%2Fas") && body.contains("s3cret-there")),
        "{bodies:?}"
    );
    assert!(stage.asked("/new/revoke").is_empty(), "nothing is shown to the new one");
    assert_eq!(stage.app.number("select count(*) from token_endings").await, 0);
    let recorded = stage.app.recorded(&stage.org).await;
    let ended = recorded.iter().filter(|action| *action == "connection.ended_upstream").count();
    assert_eq!(ended, 3, "one that failed at once, and two that did not: {recorded:?}");
}

#[tokio::test]
async fn what_the_one_before_gave_is_ended_there_too_when_the_organization_goes() {
    let mut stage = stage(Stands { revokes: true, ..USUAL }).await;
    stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    stage.app.connected(&stage.org, &mut stage.admin, "linear").await;
    stage.stands.lock().unwrap().issuer = "/new";
    stage.key.post(&format!("{ONE}/rediscover"), json!({})).await.expect(StatusCode::OK);
    let kept = "select count(*) from token_endings where former > 0";
    assert_eq!(stage.app.number(kept).await, 1);
    let mut tx = stage.app.org_tx(stage.org.id).await;
    let farewell = stage.app.ports.tokens.farewell(&mut tx).await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await.unwrap();
    stage.app.ports.tokens.say(farewell);
    let mut tries = 0;
    while stage.asked("/as/revoke").is_empty() && tries < 200 {
        stage.app.number(kept).await;
        tries += 1;
    }
    assert_eq!((stage.asked("/as/revoke").len(), stage.asked("/new/revoke").len()), (1, 0));
}

#[tokio::test]
async fn a_server_that_is_put_elsewhere_is_not_sent_the_tokens_of_where_it_was() {
    let stage = stage(USUAL).await;
    stage.key.post(PROVIDER, json!({})).await.expect(StatusCode::CREATED);
    let (other, _) = fake(USUAL).await;
    let one = "/api/v1/orgs/acme/servers/linear";
    let elsewhere = json!({ "url": other.url("/mcp") });
    let refused = stage.key.send(Method::PATCH, one, &[], Some(elsewhere.clone())).await;
    let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.text("/errors/0/path"), "url");
    let kept = stage.key.get(one).await.expect(StatusCode::OK);
    assert_eq!(kept.text("/url"), stage.server.url("/mcp"), "nothing is half changed");
    stage
        .key
        .send(Method::PUT, &format!("{one}/credentials"), &[], Some(json!([])))
        .await
        .expect(StatusCode::OK);
    stage.key.send(Method::PATCH, one, &[], Some(elsewhere)).await.expect(StatusCode::OK);
}
