//! The pages of providers and accounts with as much on them as busy organizations have, in a browser.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::{Value, json};

use crate::{
    console::crowded::{look, sign_in},
    kit::{app::TestApp, browser::Browser, fake_provider::FakeProvider, http::Script, people::PlantedOrg},
};

const LONG: &str =
    "The workspace of the subsidiary that keeps the books of all others, in the time zone of nobody";

async fn plant_providers(app: &TestApp, org: &PlantedOrg, hub: &FakeProvider, key: &Script) {
    for preset in ["google", "github-app", "notion"] {
        app.provider(org, preset).await;
    }
    app.hub(org, "hub", hub).await;
    let (token_url, _) = hub.endpoints();
    for provider in [
        json!({ "kind": "client_credentials", "slug": "robots", "name": "Robots of the warehouse", "token_url": token_url,
            "audience": "https://api.robots.example", "resource": "https://robots.example/mcp", "client_id": "robot-1",
            "client_secret": "s3cret-of-the-client", "scopes": ["pick", "place"] }),
        json!({ "kind": "api_key", "slug": "keys", "name": "Keys", "keys_url": "https://keys.example/settings/tokens" }),
    ] {
        key.post("/api/v1/orgs/acme/providers", provider).await.expect(StatusCode::CREATED);
    }
    let server = app.server_at(org, "issues", "https://issues.example/mcp").await;
    let schema = json!({ "type": "object", "properties": { "owner": {}, "repository": {} } });
    let tool = |name: &str| json!({ "name": name, "inputSchema": schema });
    let tools: Vec<Value> = ["close_issue", "merge_pull_request_of_an_organization"].map(tool).into();
    app.accept_tools(org, server, &tools).await;
    let path = "/api/v1/orgs/acme/servers/issues";
    let carries = json!([{ "target": "header", "name": "Authorization", "source": "oauth", "provider": "hub",
        "template": "Bearer {value}" }]);
    key.send(Method::PUT, &format!("{path}/credentials"), &[], Some(carries)).await.expect(StatusCode::OK);
    for (tool, scopes) in [
        ("close_issue", json!(["write", "admin:org"])),
        (
            "merge_pull_request_of_an_organization",
            json!(["https://hub.example/auth/repositories.of.all.organizations"]),
        ),
    ] {
        let needs = json!({ "required_scopes": scopes });
        key.send(Method::PATCH, &format!("{path}/tools/{tool}"), &[], Some(needs))
            .await
            .expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn busy_pages_of_providers_and_accounts_are_for_everybody() {
    let Some(browser) = Browser::open().await else {
        return;
    };
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Owner).await;
    let key = app.key_of(&org, ada.id, Role::Owner, &["*"]).await;
    let hub = FakeProvider::start().await;
    plant_providers(&app, &org, &hub, &key).await;
    hub.grant("read");
    app.connected(&org, &mut ada, "hub").await;
    hub.sign_in_as("work");
    let work = app.connected(&org, &mut ada, "hub").await;
    let rule = json!({ "name": LONG, "account_if": [
        { "path": "args.owner", "op": "in", "value": ["acme", "umbrella-corporation-international"] },
        { "path": "tool.name", "op": "glob", "value": "merge_*" }] });
    let one = format!("/api/v1/orgs/acme/connections/{work}");
    key.send(Method::PATCH, &one, &[], Some(rule)).await.expect(StatusCode::OK);
    for account in ["robot", "eve", "mallory"] {
        hub.sign_in_as(account);
        app.connected_for(&org, &mut ada, "hub", "org").await;
    }
    app.change(&format!(
        "update connections set workspace = '{LONG}', state = 'needs_reauth', last_error = 'invalid_grant',
            last_error_at = '2026-11-21 9:00Z', last_error_words = 'The token was revoked because the password was changed.'
        where account_name in ('eve', 'work')"
    ))
    .await;
    sign_in(&browser, &app, &ada).await;
    let paths = [
        ("providers", "/o/acme/providers".to_owned()),
        ("provider", "/o/acme/providers/google".to_owned()),
        ("provider-busy", "/o/acme/providers/hub".to_owned()),
        ("provider-client", "/o/acme/providers/robots".to_owned()),
        ("provider-key", "/o/acme/providers/keys".to_owned()),
        ("provider-accounts", "/o/acme/providers/hub/accounts".to_owned()),
        ("provider-account", format!("/o/acme/providers/hub/accounts/{work}")),
        ("provider-edit", "/o/acme/providers/google/edit".to_owned()),
        ("provider-choose", "/o/acme/providers/new".to_owned()),
        ("provider-new", "/o/acme/providers/new?of=gitlab".to_owned()),
        ("provider-custom", "/o/acme/providers/new?of=custom".to_owned()),
        ("provider-new-client", "/o/acme/providers/new?of=client_credentials".to_owned()),
        ("provider-new-key", "/o/acme/providers/new?of=api_key".to_owned()),
        ("wiring", "/o/acme/wiring".to_owned()),
        ("my-accounts", "/me/accounts".to_owned()),
        ("my-account", format!("/me/accounts/acme/{work}")),
        ("my-account-rule", format!("/me/accounts/acme/{work}/rule")),
        ("my-account-check", format!("/me/accounts/acme/{work}/check")),
        ("connect-client", "/me/accounts/acme/connect/robots".to_owned()),
        ("connect-key", "/me/accounts/acme/connect/keys".to_owned()),
    ];
    look(&browser, &app, &paths).await;
    browser.finish().await;
}
