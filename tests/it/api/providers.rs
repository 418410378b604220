//! OAuth providers over the API; those that describe themselves are played on loopback.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::{Value, json};

use crate::kit::{
    app::TestApp,
    fake_server::{FakeServer, Script as Says, closed_port},
    http::{Answer, Script},
    people::PlantedOrg,
};

const PROVIDERS: &str = "/api/v1/orgs/acme/providers";
const SECRET: &str = "s3cret-of-the-client";

async fn acme(app: &TestApp) -> (PlantedOrg, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    (org, key)
}

fn github() -> Value {
    json!({ "preset": "github", "client_id": "Iv1.abc", "client_secret": SECRET })
}

fn paths(answer: &Answer) -> Vec<&str> {
    let errors = answer.body["errors"].as_array().expect("errors");
    errors.iter().map(|error| error["path"].as_str().unwrap()).collect()
}

/// A provider that says this of itself at every place that is asked for.
async fn describing(description: impl Fn(&str) -> Value + Send + Sync + 'static) -> FakeServer {
    FakeServer::answering(move |asked| {
        let issuer = format!("http://{}", asked.header("host").unwrap());
        Says::json(&description(&issuer).to_string())
    })
    .await
}

fn whole(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "email", "offline_access"],
    })
}

#[tokio::test]
async fn a_provider_goes_by_the_version_of_its_preset_that_somebody_took_over() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    let made = key.post(PROVIDERS, github()).await.expect(StatusCode::CREATED);
    assert_eq!((&made.body["preset_version"], &made.body["newer_preset"]), (&json!(1), &Value::Null));
    let take = format!("{PROVIDERS}/github/preset");
    let refused = key.post(&take, json!({ "version": 1 })).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "preset_is_current");

    app.change("update providers set preset_version = 0").await;
    let aged = key.get(&format!("{PROVIDERS}/github")).await.expect(StatusCode::OK);
    let newer = &aged.body["newer_preset"];
    assert_eq!((&newer["version"], &newer["fitting"]), (&json!(1), &json!(true)), "{:#}", aged.body);
    assert_eq!(newer["differences"], json!([]), "what it was made from is not known");
    let other = key.post(&take, json!({ "version": 2 })).await;
    other.expect(StatusCode::PRECONDITION_FAILED);
    let taken = key.post(&take, json!({ "version": 1 })).await.expect(StatusCode::OK);
    assert_eq!((&taken.body["preset_version"], &taken.body["newer_preset"]), (&json!(1), &Value::Null));
    assert_eq!(app.recorded(&org).await, ["provider.created", "provider.preset_taken"]);
    let path = "/api/v1/orgs/acme/events?action=provider.preset_taken";
    let record = key.text_of(Method::GET, path, None).await;
    assert!(record.contains("provider.preset_taken") && !record.contains(SECRET), "{record}");

    // What was registered by a later version is spoken with as this one says, and is not taken back.
    app.change("update providers set preset_version = 9").await;
    let later = key.get(&format!("{PROVIDERS}/github")).await.expect(StatusCode::OK);
    assert_eq!((&later.body["preset_version"], &later.body["newer_preset"]), (&json!(9), &Value::Null));
}

#[tokio::test]
async fn a_provider_is_registered_changed_switched_and_deleted() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    let made = key.post(PROVIDERS, github()).await.expect(StatusCode::CREATED);
    assert_eq!(
        (made.text("/slug"), made.text("/kind"), made.text("/preset")),
        ("github", "preset", "github")
    );
    assert_eq!(made.body["scopes"], json!(["read:user", "user:email"]));
    let callback = format!("{}/oauth/callback/{}", app.origin(), made.text("/id"));
    assert_eq!(made.text("/callback_url"), callback);
    assert_eq!((&made.body["has_secret"], &made.body["version"]), (&json!(true), &json!(1)));
    let one = format!("{PROVIDERS}/github");
    assert_eq!(key.get(&format!("{PROVIDERS}/{}", made.text("/id"))).await.body, made.body);

    let tag = made.headers["etag"].to_str().unwrap().to_owned();
    let seen = [("if-match", tag.as_str())];
    let change = json!({ "name": "Code", "scopes": ["repo"] });
    let changed = key.send(Method::PATCH, &one, &seen, Some(change.clone())).await.expect(StatusCode::OK);
    assert_eq!((changed.text("/name"), changed.text("/client_id")), ("Code", "Iv1.abc"));
    assert_eq!((&changed.body["scopes"], &changed.body["version"]), (&json!(["repo"]), &json!(2)));
    key.send(Method::PATCH, &one, &seen, Some(change.clone())).await.expect(StatusCode::PRECONDITION_FAILED);
    key.send(Method::PATCH, &one, &[], Some(change)).await.expect(StatusCode::OK);

    app.clock.advance(time::Duration::days(3));
    let body = json!({ "client_secret": "another" });
    key.send(Method::POST, &format!("{one}/rotate"), &seen, Some(body.clone()))
        .await
        .expect(StatusCode::PRECONDITION_FAILED);
    let rotated = key.post(&format!("{one}/rotate"), body).await.expect(StatusCode::OK);
    assert_eq!(rotated.body["version"], 3);
    assert_ne!(rotated.text("/secret_changed_at"), made.text("/secret_changed_at"));

    let off = key.send(Method::POST, &format!("{one}/disable"), &[], None).await.expect(StatusCode::OK);
    assert_eq!(off.body["disabled"], true);
    let on = key.send(Method::POST, &format!("{one}/enable"), &[], None).await.expect(StatusCode::OK);
    assert_eq!((&on.body["disabled"], &on.body["version"]), (&json!(false), &json!(5)));
    key.send(Method::DELETE, &one, &seen, None).await.expect(StatusCode::PRECONDITION_FAILED);
    key.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::NO_CONTENT);
    key.get(&one).await.expect(StatusCode::NOT_FOUND);
    let steps = ["created", "changed", "secret_rotated", "disabled", "enabled", "deleted"];
    assert_eq!(app.recorded(&org).await, steps.map(|step| format!("provider.{step}")));
}

#[tokio::test]
async fn a_secret_is_sealed_and_shown_nowhere() {
    let app = TestApp::start().await;
    let (_, key) = acme(&app).await;
    let made = key.post(PROVIDERS, github()).await.expect(StatusCode::CREATED);
    let rotate = format!("{PROVIDERS}/github/rotate");
    let rotated = key.post(&rotate, json!({ "client_secret": SECRET })).await.expect(StatusCode::OK);
    let listed = key.get(PROVIDERS).await.expect(StatusCode::OK);
    let events = key.get("/api/v1/orgs/acme/events").await.expect(StatusCode::OK);
    for answer in [&made, &rotated, &listed, &events] {
        assert!(!answer.body.to_string().contains("s3cret"), "{}", answer.body);
    }
    let sealed =
        "select count(*) from providers where octet_length(sealed_secret) > 0 and data_key_id is not null";
    assert_eq!(app.number(sealed).await, 1);
    let plain =
        "select count(*) from providers where position('s3cret' in encode(sealed_secret, 'escape')) > 0";
    assert_eq!(app.number(plain).await, 0);
    // Faults do not repeat it either.
    for secret in ["s3cret\nof two lines", &"s3cret".repeat(1_000)] {
        let body = json!({ "preset": "github", "slug": "x y", "client_id": "", "client_secret": secret });
        let answer = key.post(PROVIDERS, body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(paths(&answer), ["slug", "client_id", "client_secret"]);
        assert!(!answer.body.to_string().contains("s3cret"), "{}", answer.body);
    }
}

#[tokio::test]
async fn the_record_holds_what_was_before_and_after() {
    let app = TestApp::start().await;
    let (_, key) = acme(&app).await;
    key.post(PROVIDERS, github()).await.expect(StatusCode::CREATED);
    let change = json!({ "scopes": ["repo"] });
    key.send(Method::PATCH, &format!("{PROVIDERS}/github"), &[], Some(change)).await.expect(StatusCode::OK);
    let events = key.get("/api/v1/orgs/acme/events?action=provider.changed").await.expect(StatusCode::OK);
    let id = events.text("/items/0/id").to_owned();
    let event = key.get(&format!("/api/v1/orgs/acme/events/{id}")).await.expect(StatusCode::OK);
    let text = event.body.to_string();
    assert!(text.contains("user:email") && text.contains("[\"repo\"]"), "{text}");
}

#[tokio::test]
async fn a_preset_with_variables_is_held_to_its_rule() {
    let app = TestApp::start().await;
    let (_, key) = acme(&app).await;
    let body = |variables: Value| json!({ "preset": "shopify", "variables": variables, "client_id": "c", "client_secret": "s" });
    for variables in [
        json!({}),
        json!({ "shop": "evil.example/" }),
        json!({ "shop": "a.evil" }),
        json!({ "shop": "acme", "host": "evil.example" }),
    ] {
        let answer = key.post(PROVIDERS, body(variables)).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(paths(&answer), ["variables"]);
    }
    let made = key.post(PROVIDERS, body(json!({ "shop": "acme" }))).await.expect(StatusCode::CREATED);
    assert_eq!(made.body["variables"], json!({ "shop": "acme" }));
    let change = json!({ "variables": { "shop": "evil" } });
    let one = format!("{PROVIDERS}/shopify");
    let answer = key.send(Method::PATCH, &one, &[], Some(change)).await;
    assert!(answer.status.is_client_error(), "addresses stay for life");
    assert_eq!(key.get(&one).await.body["variables"], json!({ "shop": "acme" }));
}

#[tokio::test]
async fn a_provider_that_describes_itself_is_asked_before_it_is_stored() {
    let app = TestApp::start().await;
    let (_, key) = acme(&app).await;
    let fake = describing(whole).await;
    let issuer = fake.url("");
    let body = json!({ "name": "Ours", "issuer": issuer, "client_id": "c", "client_secret": "s" });
    let made = key.post(PROVIDERS, body).await.expect(StatusCode::CREATED);
    assert_eq!((made.text("/kind"), made.text("/issuer")), ("oidc", issuer.as_str()));
    assert_eq!(made.text("/token_url"), format!("{issuer}/token"));
    assert_eq!((made.text("/client_auth"), made.text("/pkce")), ("basic", "required"));
    assert_eq!(made.body["scopes"], json!(["openid", "email", "offline_access"]));
    let asked: Vec<_> = fake.asked().iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(asked, ["/.well-known/openid-configuration"]);
    assert!(
        fake.asked().iter().all(|asked| asked.header("authorization").is_none() && asked.body.is_empty())
    );
}

#[tokio::test]
async fn a_description_that_cannot_be_used_is_refused_beside_the_issuer() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    let theirs = describing(|_| whole("https://evil.example")).await;
    let bare =
        describing(|issuer| json!({ "issuer": issuer, "authorization_endpoint": "https://a.example" })).await;
    let inside = describing(|issuer| {
        let mut all = whole(issuer);
        all["token_endpoint"] = json!("https://10.0.0.7/token");
        all
    })
    .await;
    let page = FakeServer::answering(|_| Says::text("<html>")).await;
    let moved = FakeServer::answering(|_| Says::redirect("https://elsewhere.example/?t=s3cret")).await;
    let long = FakeServer::answering(|_| Says::json(&format!("\"{}\"", "x".repeat(300_000)))).await;
    let closed = format!("http://127.0.0.1:{}", closed_port().await);
    let issuers =
        [theirs.url(""), bare.url(""), inside.url(""), page.url(""), moved.url(""), long.url(""), closed];
    let outside = ["https://10.0.0.7", "https://169.254.169.254/latest", "http://id.example.com"];
    for issuer in issuers.iter().map(String::as_str).chain(outside) {
        let body = json!({ "name": "Ours", "issuer": issuer, "client_id": "c", "client_secret": "s" });
        let answer = key.post(PROVIDERS, body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(paths(&answer), ["issuer"], "{issuer}: {}", answer.body);
        assert!(!answer.body.to_string().contains("s3cret"));
    }
    assert_eq!(app.number("select count(*) from providers").await, 0);
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn addresses_of_ones_own_are_taken_where_they_could_be_called() {
    let app = TestApp::start().await;
    let (_, key) = acme(&app).await;
    let body = json!({
        "name": "Ours", "client_id": "c", "client_auth": "none",
        "authorize_url": "https://id.example.com/authorize", "token_url": "https://id.example.com/token",
    });
    let made = key.post(PROVIDERS, body.clone()).await.expect(StatusCode::CREATED);
    assert_eq!((made.text("/kind"), &made.body["has_secret"]), ("oauth2", &json!(false)));
    assert_eq!(made.body["secret_changed_at"], Value::Null);
    let mut inside = body.clone();
    inside["token_url"] = json!("https://192.168.0.1/token");
    inside["userinfo_url"] = json!("https://[fd00::1]/me");
    let answer = key.post(PROVIDERS, inside).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(paths(&answer), ["token_url", "userinfo_url"]);
    let mut half = body;
    half["token_url"] = json!("");
    half["client_auth"] = json!("basic");
    let answer = key.post(PROVIDERS, half).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(paths(&answer), ["token_url"]);
    let nothing = key.post(PROVIDERS, json!({ "client_id": "c" })).await;
    assert!(paths(&nothing.expect(StatusCode::UNPROCESSABLE_ENTITY)).contains(&"authorize_url"));
}

#[tokio::test]
async fn presets_and_providers_are_searched_and_paged() {
    let app = TestApp::start().await;
    let (_, key) = acme(&app).await;
    let all = key.get(&format!("{PROVIDERS}/presets")).await.expect(StatusCode::OK);
    assert_eq!(all.body["items"].as_array().unwrap().len(), 53);
    let found = key.get(&format!("{PROVIDERS}/presets?q=calendar")).await.expect(StatusCode::OK);
    assert_eq!(found.text("/items/0/slug"), "google");
    let shopify = key.get(&format!("{PROVIDERS}/presets?q=shopify")).await.expect(StatusCode::OK);
    assert_eq!(shopify.text("/items/0/variables/0/name"), "shop");
    assert_eq!(shopify.body["items"][0]["unverified"].as_array().unwrap().len(), 3);
    for slug in ["notion", "github", "linear"] {
        let body = json!({ "preset": slug, "client_id": "c", "client_secret": "s" });
        key.post(PROVIDERS, body).await.expect(StatusCode::CREATED);
    }
    let first = key.get(&format!("{PROVIDERS}?limit=2")).await.expect(StatusCode::OK);
    assert_eq!((first.text("/items/0/slug"), first.text("/items/1/slug")), ("github", "linear"));
    let second = key.get(&format!("{PROVIDERS}?limit=2&cursor={}", first.text("/next_cursor"))).await;
    assert_eq!(second.text("/items/0/slug"), "notion");
    let found = key.get(&format!("{PROVIDERS}?q=LIN")).await.expect(StatusCode::OK);
    assert_eq!(found.body["items"].as_array().unwrap().len(), 1);
    let again = key.post(PROVIDERS, github()).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(paths(&again), ["slug"]);
}

#[tokio::test]
async fn scopes_and_organizations_bound_what_a_key_does_here() {
    let app = TestApp::start().await;
    let (org, key) = acme(&app).await;
    let made = key.post(PROVIDERS, github()).await.expect(StatusCode::CREATED);
    let one = format!("{PROVIDERS}/github");
    let bea = app.member(&org, "Bea", Role::Admin).await;
    let reader = app.key_of(&org, bea.id, Role::Admin, &["providers:read"]).await;
    reader.get(&one).await.expect(StatusCode::OK);
    reader.post(PROVIDERS, github()).await.expect(StatusCode::FORBIDDEN);
    reader
        .post(&format!("{one}/rotate"), json!({ "client_secret": "x" }))
        .await
        .expect(StatusCode::FORBIDDEN);
    reader.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::FORBIDDEN);
    let other = app.org("other").await;
    let eve = app.member(&other, "Eve Elsewhere", Role::Owner).await;
    let foreign = app.key_of(&other, eve.id, Role::Owner, &["*"]).await;
    foreign.get(&one).await.expect(StatusCode::NOT_FOUND);
    let theirs = format!("/api/v1/orgs/other/providers/{}", made.text("/id"));
    foreign.get(&theirs).await.expect(StatusCode::NOT_FOUND);
    foreign
        .post(&format!("{theirs}/rotate"), json!({ "client_secret": "x" }))
        .await
        .expect(StatusCode::NOT_FOUND);
    foreign.send(Method::DELETE, &theirs, &[], None).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(key.get(&one).await.body, made.body);
    // The same short name is free there.
    foreign.post("/api/v1/orgs/other/providers", github()).await.expect(StatusCode::CREATED);
}

/// Inside addresses that the operator did not open, as attackers spell them.
const INSIDE: [&str; 18] = [
    "10.0.0.2",
    "10.2",
    "10.0.2",
    "0x0a000002",
    "0xA.0x0.0x0.0x2",
    "167772162",
    "01200000002",
    "012.0.0.02",
    "10.0.0.2.",
    "１０.０.０.２",
    "10。0。0。2",
    "%31%30.0.0.2",
    "[::ffff:10.0.0.2]",
    "[::ffff:a00:2]",
    "[64:ff9b::a00:2]",
    "169.254.169.254",
    "0xa9fea9fe",
    "[fd00:ec2::254]",
];

#[tokio::test]
async fn no_spelling_of_an_inside_address_becomes_a_providers() {
    let app = TestApp::start().await;
    let (_, key) = acme(&app).await;
    for host in INSIDE {
        let inside = format!("http://{host}/");
        let own = json!({ "name": "Ours", "authorize_url": "https://id.example.com/a", "client_id": "c", "client_secret": "s",
            "token_url": "https://id.example.com/t" });
        for field in ["authorize_url", "token_url", "revoke_url", "userinfo_url"] {
            let mut body = own.clone();
            body[field] = inside.clone().into();
            let refused = key.post(PROVIDERS, body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(paths(&refused), [field], "{inside}");
        }
        let body = json!({ "name": "Ours", "issuer": inside, "client_id": "c", "client_secret": "s" });
        let refused = key.post(PROVIDERS, body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(paths(&refused), ["issuer"], "{inside}");
        let body = json!({ "kind": "client_credentials", "name": "Ours", "token_url": inside, "client_id": "c",
            "client_secret": "s" });
        let refused = key.post(PROVIDERS, body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(paths(&refused), ["token_url"], "{inside}");
    }
    // One that describes itself and names somewhere inside is not believed either.
    let liar = describing(|issuer| {
        let mut said = whole(issuer);
        said["token_endpoint"] = "http://169.254.169.254/latest".into();
        said
    })
    .await;
    let issuer = liar.url("").trim_end_matches('/').to_owned();
    let body = json!({ "name": "Ours", "issuer": issuer, "client_id": "c", "client_secret": "s" });
    let refused = key.post(PROVIDERS, body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(paths(&refused), ["issuer"]);
    assert_eq!(app.number("select count(*) from providers").await, 0);
}
