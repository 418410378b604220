//! Find or jump.

use http::StatusCode;
use portreeve::base::permission::Role;
use serde_json::json;

use crate::kit::app::TestApp;

#[tokio::test]
async fn pages_people_teams_and_keys_are_found_by_a_part_of_their_name() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    app.member(&org, "Teatime Tess", Role::Member).await;
    app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let mut browser = ada.browser.clone();
    let page = browser.get("/o/acme/teams/new").await;
    browser.submit(&page, "/o/acme/teams/new", &[("name", "Tea Makers")]).await.expect(StatusCode::SEE_OTHER);

    let page = browser.get("/o/acme/jump?q=TEA").await.expect(StatusCode::OK);
    for href in ["/o/acme/teams", "/o/acme/teams/tea-makers", "/o/acme/members/usr_"] {
        assert!(page.body.contains(&format!("href=\"{href}")), "{href}");
    }
    let page = browser.get("/o/acme/jump?q=test+key").await;
    assert!(page.body.contains("href=\"/o/acme/api-keys/key_"), "{}", page.body);
    let page = browser.get("/o/acme/jump?q=%25zz").await.expect(StatusCode::OK);
    assert!(page.says("Nothing here is called"));
    let page = browser.get("/o/acme/jump").await.expect(StatusCode::OK);
    assert!(page.body.contains("href=\"/o/acme/gate\"") && page.body.contains("<h1>"));
}

#[tokio::test]
async fn servers_providers_secrets_and_their_pages_are_found() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    app.server_at(&org, "weather-maps", "https://weather.example/mcp").await;
    app.provider(&org, "gitlab").await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let secret = json!({ "name": "weather-key", "scope": "org", "value": "s3cret" });
    key.post("/api/v1/orgs/acme/secrets", secret).await.expect(StatusCode::CREATED);
    let mut browser = ada.browser;
    let page = browser.get("/o/acme/jump?q=weather").await.expect(StatusCode::OK);
    for href in ["/o/acme/servers/weather-maps", "/o/acme/secrets/sec_"] {
        assert!(page.body.contains(&format!("href=\"{href}")), "{href}: {}", page.body);
    }
    let page = browser.get("/o/acme/jump?q=GitLab").await.expect(StatusCode::OK);
    assert!(page.body.contains("href=\"/o/acme/providers/gitlab\""), "{}", page.body);
    let page = browser.get("/o/acme/jump?q=rolling").await.expect(StatusCode::OK);
    assert!(page.body.contains("href=\"/o/acme/wiring\""), "{}", page.body);
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    let page = mia.get("/o/acme/jump?q=weather").await.expect(StatusCode::OK);
    assert!(!page.body.contains("/o/acme/secrets/"), "{}", page.body);
}

#[tokio::test]
async fn what_a_person_may_not_open_is_not_found() {
    let app = TestApp::start().await;
    let (org, other) = (app.org("acme").await, app.org("other").await);
    app.member(&other, "Tess Elsewhere", Role::Member).await;
    let mut owner = app.member(&org, "Ada Owner", Role::Owner).await.browser;
    assert!(!owner.get("/o/acme/jump?q=Tess").await.says("Tess Elsewhere"));
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    let page = mia.get("/o/acme/jump?q=a").await.expect(StatusCode::OK);
    assert!(!page.says("Ada Owner") && !page.body.contains("/o/acme/settings"));
    assert!(page.body.contains("href=\"/me/security\""));
    mia.get("/o/other/jump?q=a").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_persons_own_pages_find_their_places_and_organizations_and_an_operators_find_those_too() {
    let app = TestApp::start().await;
    let (org, other) = (app.org("acme").await, app.org("other").await);
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    app.member(&other, "Tess Elsewhere", Role::Owner).await;
    let page = mia.get("/me/profile").await.expect(StatusCode::OK);
    assert!(page.body.contains("class=\"find\" href=\"/me/jump\""), "{}", page.body);
    let page = mia.get("/me/jump?q=s").await.expect(StatusCode::OK);
    assert!(page.body.contains("href=\"/me/sessions\"") && !page.body.contains("href=\"/ops"));
    let page = mia.get("/me/jump?q=ACM").await.expect(StatusCode::OK);
    assert!(page.body.contains("href=\"/o/acme\"") && page.says("1 found"), "{}", page.body);
    assert!(mia.get("/me/jump?q=other").await.says("Nothing here is called"));

    let mut olga = app.operator("Olga Operator").await.browser;
    assert!(olga.get("/ops").await.body.contains("class=\"find\" href=\"/me/jump\""));
    let page = olga.get("/me/jump?q=outbox").await.expect(StatusCode::OK);
    assert!(page.body.contains("href=\"/ops/outbox\""), "{}", page.body);
}

#[tokio::test]
async fn the_palette_gets_the_list_alone() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let cookie = format!("portreeve_session={}", ada.browser.cookie("portreeve_session").unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/o/acme/jump?q=mem", app.origin());
    let answer = client.get(url).header("cookie", cookie).header("hx-request", "true").send().await.unwrap();
    let body = answer.text().await.unwrap();
    assert!(body.contains("href=\"/o/acme/members\"") && !body.contains("<html"), "{body}");
}
