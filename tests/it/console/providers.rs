//! OAuth providers on their pages.

use http::StatusCode;
use portreeve::base::permission::Role;

use serde_json::json;

use crate::kit::{
    app::TestApp,
    fake_provider::{FakeProvider, Mishap, agree},
    http::{Page, Visitor},
};

const PROVIDERS: &str = "/o/acme/providers";
const NEW: &str = "/o/acme/providers/new";
const ONE: &str = "/o/acme/providers/github";

async fn admin(app: &TestApp) -> (crate::kit::people::PlantedOrg, Visitor) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    (org, ada)
}

async fn add_github(by: &mut Visitor) {
    let page = by.get(&format!("{NEW}?of=github")).await.expect(StatusCode::OK);
    let fields = [("client_id", "Iv1.abc"), ("client_secret", "s3cret")];
    by.submit(&page, NEW, &fields).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_newer_version_of_a_preset_is_shown_and_taken_over_by_whoever_may() {
    let app = TestApp::start().await;
    let (org, mut ada) = admin(&app).await;
    add_github(&mut ada).await;
    let page = ada.get(ONE).await.expect(StatusCode::OK);
    assert!(page.says("Version 1, checked on") && !page.says("of its preset is there"), "{}", page.body);
    app.change("update providers set preset_version = 0").await;
    let page = ada.get(ONE).await.expect(StatusCode::OK);
    assert!(page.says("Version 1 of its preset is there") && page.says("what differs cannot be told"));
    let take = format!("{ONE}/preset");
    let stale = ada.submit(&page, &take, &[("to", "2")]).await;
    stale.expect(StatusCode::PRECONDITION_FAILED);
    let done = ada.submit(&page, &take, &[]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.follow(done).await.expect(StatusCode::OK);
    assert!(
        page.says("goes by version 1 of GitHub") && !page.says("of its preset is there"),
        "{}",
        page.body
    );
    assert_eq!(app.recorded(&org).await, ["provider.created", "provider.preset_taken"]);
}

#[tokio::test]
async fn a_provider_is_chosen_registered_changed_and_deleted() {
    let app = TestApp::start().await;
    let (org, mut ada) = admin(&app).await;
    assert!(ada.get(PROVIDERS).await.expect(StatusCode::OK).says("There are no providers yet"));
    let page = ada.get(&format!("{NEW}?q=pull+requests")).await.expect(StatusCode::OK);
    assert!(page.body.contains("?of=github\"") && !page.body.contains("?of=google\""));
    let page = ada.get(&format!("{NEW}?of=github")).await.expect(StatusCode::OK);
    assert!(page.says("A GitHub app reaches less") && page.says("No document of the provider confirms"));
    let shown = page.body.split("/oauth/callback/").nth(1).unwrap()[..30].to_owned();
    assert!(shown.starts_with("prv_"));
    let fields = [("client_id", "Iv1.abc"), ("client_secret", "s3cret"), ("scopes", "repo, read:org\ngist")];
    let sent = ada.submit(&page, NEW, &fields).await;
    let again = ada.submit(&page, NEW, &[&fields[..], &[("slug", "twice")]].concat()).await;
    assert!(again.expect(StatusCode::CONFLICT).says("This form was sent before"));
    let page = ada.follow(sent).await.expect(StatusCode::OK);
    assert!(page.says("GitHub (OAuth app) was registered."));
    assert!(page.body.contains(&format!("/oauth/callback/{shown}")), "the address that stood on the form");
    assert!(page.says("read:org") && page.says("The same since today") && !page.body.contains("s3cret"));

    let edit = format!("{ONE}/edit");
    let page = ada.get(&edit).await.expect(StatusCode::OK);
    let page = ada.submit(&page, &edit, &[("name", "Code"), ("scopes", "")]).await;
    assert!(ada.follow(page).await.expect(StatusCode::OK).says("No scopes: a token may do"));
    app.change("update providers set secret_changed_at = secret_changed_at - interval '9 days'").await;
    let page = ada.get(ONE).await.expect(StatusCode::OK);
    assert!(page.says("The same for 9 days"));
    let page = ada.submit(&page, &format!("{ONE}/rotate"), &[("client_secret", "n3w")]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("The new secret of Code is in use. Nobody was disconnected."));
    let page = ada.submit(&page, &format!("{ONE}/disable"), &[]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("This provider is disabled"));
    let page = ada.submit(&page, &format!("{ONE}/enable"), &[]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);

    let delete = format!("{ONE}/delete");
    ada.submit(&page, &delete, &[("confirm", "git")]).await.expect(StatusCode::CONFLICT);
    let page = ada.submit(&page, &delete, &[("confirm", "github")]).await;
    assert!(ada.follow(page).await.says("Code and its secret were deleted."));
    let steps = ["created", "changed", "secret_rotated", "disabled", "enabled", "deleted"];
    assert_eq!(app.recorded(&org).await, steps.map(|step| format!("provider.{step}")));
}

#[tokio::test]
async fn what_cannot_be_accepted_is_said_beside_the_field_and_kept_but_for_the_secret() {
    let app = TestApp::start().await;
    let (org, mut ada) = admin(&app).await;
    let page = ada.get(&format!("{NEW}?of=zendesk")).await.expect(StatusCode::OK);
    let fields = [
        ("client_id", "kept-id"),
        ("client_secret", "s3cret"),
        ("variable-subdomain", "evil.example/x"),
        ("slug", "Not a slug!"),
    ];
    let page = ada.submit(&page, NEW, &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("This is not a value for account that the provider uses"));
    assert!(page.says("Use only a to z, 0 to 9 and hyphens"));
    assert!(page.body.contains("kept-id") && page.body.contains("evil.example/x"));
    assert!(!page.body.contains("s3cret"));
    assert!(app.recorded(&org).await.is_empty());

    let page = ada.get(&format!("{NEW}?of=custom")).await.expect(StatusCode::OK);
    let fields = [("authorize_url", "ftp://x"), ("token_url", "https://10.1.2.3/token"), ("client_id", "c")];
    let page = ada.submit(&page, NEW, &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Write a full address such as"));
    // What could never be called, and what would stand in an address twice.
    let typed = |authorize: &'static str, token: &'static str| {
        [
            ("name", "Own"),
            ("authorize_url", authorize),
            ("token_url", token),
            ("client_id", "c"),
            ("client_secret", "s"),
        ]
    };
    for (authorize, token, words) in [
        ("https://a.example/authorize", "http://192.0.2.7/token", "The address may not be called"),
        ("https://a.example/authorize?scope=all", "https://a.example/token", "Leave scope out of its query"),
    ] {
        let refused = ada.submit(&page, NEW, &typed(authorize, token)).await;
        let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.says(words), "{}", refused.body);
    }
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn who_looks_for_a_provider_that_cannot_be_one_is_told_why() {
    let app = TestApp::start().await;
    let (_, mut ada) = admin(&app).await;
    let page = ada.get(&format!("{NEW}?q=trello")).await.expect(StatusCode::OK);
    assert!(page.says("Trello signs requests with OAuth 1.0a") && page.says("No prepared provider matches"));
    assert!(ada.get(NEW).await.says("Add by issuer"));
}

#[tokio::test]
async fn the_second_of_two_editors_is_told_and_a_stale_rotation_too() {
    let app = TestApp::start().await;
    let (_, mut ada) = admin(&app).await;
    add_github(&mut ada).await;
    let edit = format!("{ONE}/edit");
    let (first, second, sheet) = (ada.get(&edit).await, ada.get(&edit).await, ada.get(ONE).await);
    ada.submit(&first, &edit, &[("name", "hers")]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.submit(&second, &edit, &[("name", "his")]).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Someone else changed this while you were typing") && page.body.contains("his"));
    let page = ada.submit(&sheet, &format!("{ONE}/rotate"), &[("client_secret", "n3w")]).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Someone else changed this") && !page.body.contains("n3w"));
}

#[tokio::test]
async fn whoever_may_only_use_agents_sees_no_provider() {
    let app = TestApp::start().await;
    let (org, mut ada) = admin(&app).await;
    add_github(&mut ada).await;
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    for path in [PROVIDERS, NEW, ONE] {
        mia.get(path).await.expect(StatusCode::FORBIDDEN);
    }
}

/// Signs in at the provider for a test of it, and shows what came of it.
async fn tested(by: &mut Visitor, one: &str) -> Page {
    let page = by.get(one).await.expect(StatusCode::OK);
    let page = by.submit(&page, &format!("{one}/try"), &[]).await.expect(StatusCode::OK);
    let onward = page.headers["refresh"].to_str().unwrap().strip_prefix("0;url=").unwrap().to_owned();
    by.get(&agree(&onward).await).await
}

#[tokio::test]
async fn an_admin_tests_the_sign_in_and_nothing_is_kept_of_it() {
    let app = TestApp::start().await;
    let (org, mut ada) = admin(&app).await;
    let hub = FakeProvider::start().await;
    app.hub(&org, "hub", &hub).await;
    let one = "/o/acme/providers/hub";
    hub.grant("read");
    let page = tested(&mut ada, one).await.expect(StatusCode::OK);
    for words in [
        "You signed in at Fake Hub, came back, and it took its own code.",
        "It gave a token for 60 minutes.",
        "It gave a refresh token",
        "It did not grant: write.",
        "It says whose account it is: ada, ada@hub.example, id-of-ada.",
        "It ended the tokens of this trial when it was told.",
    ] {
        assert!(page.says(words), "{words}: {}", page.body);
    }
    assert_eq!(hub.revoked().len(), 1);
    assert_eq!(app.number("select count(*) from connections").await, 0);
    assert_eq!(app.number("select count(*) from connect_requests").await, 0);
    for secret in hub.secrets() {
        assert!(!page.body.contains(&secret));
    }
    // A provider that is switched off is tried before it is switched on; one that refuses says why, in its own words.
    let shown = ada.get(one).await.expect(StatusCode::OK);
    ada.submit(&shown, &format!("{one}/disable"), &[]).await.expect(StatusCode::SEE_OTHER);
    hub.next(Mishap::Answer(
        401,
        json!({ "error": "invalid_client", "error_description": "Secret expired on Friday." }),
    ));
    let page = tested(&mut ada, one).await.expect(StatusCode::OK);
    assert!(page.says("does not accept the client's id or secret") && page.says("Secret expired on Friday"));
    assert!(page.says("Not looked at") && page.says("Nothing was connected, and no token was kept."));
    let recorded = app.recorded(&org).await;
    assert_eq!(recorded, ["provider.tried", "provider.disabled", "provider.tried"]);
    // Without a refresh token people would have to come back every hour.
    hub.without_refresh();
    let page = tested(&mut ada, one).await.expect(StatusCode::OK);
    assert!(page.says("people have to connect again whenever a token ends"));
}

#[tokio::test]
async fn a_test_ends_nobodys_account_and_is_for_who_may_change_providers_all_the_way() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let hub = FakeProvider::start().await;
    app.hub(&org, "hub", &hub).await;
    let one = "/o/acme/providers/hub";
    let id = app.connected(&org, &mut ada, "hub").await;
    let page = tested(&mut ada.browser, one).await.expect(StatusCode::OK);
    assert!(page.says("some providers end all its tokens at once"), "{}", page.body);
    assert!(hub.revoked().is_empty());
    assert_eq!(
        app.number("select count(*) from connections where state = 'active' and token_version = 1").await,
        1
    );
    let account = ada.browser.get(&format!("/me/accounts/acme/{id}")).await.expect(StatusCode::OK);
    assert!(account.says("Working"));
    // Who may no longer change providers when they come back learns nothing of it.
    let page = ada.browser.get(one).await.expect(StatusCode::OK);
    let page = ada.browser.submit(&page, &format!("{one}/try"), &[]).await.expect(StatusCode::OK);
    let onward = page.headers["refresh"].to_str().unwrap().strip_prefix("0;url=").unwrap().to_owned();
    let back = agree(&onward).await;
    app.change(&format!("update memberships set role = 'member' where user_id = '{}'", ada.id.uuid())).await;
    ada.browser.get(&back).await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_client_of_its_own_is_tested_without_anybody_signing_in() {
    let app = TestApp::start().await;
    let (org, mut ada) = admin(&app).await;
    let hub = FakeProvider::start().await;
    let (token_url, revoke_url) = hub.endpoints();
    let page = ada.get(&format!("{NEW}?of=client_credentials")).await.expect(StatusCode::OK);
    assert!(!page.says("callback address"));
    let fields = [
        ("name", "Robots"),
        ("token_url", token_url.as_str()),
        ("revoke_url", revoke_url.as_str()),
        ("client_id", "robot-1"),
        ("client_secret", "s3cret-of-the-client"),
    ];
    let done = ada.submit(&page, NEW, &fields).await;
    let page = ada.follow(done).await.expect(StatusCode::OK);
    assert!(page.says("Connect it now, for everybody or for a team.") && !page.says("Callback address"));
    assert!(page.body.contains("href=\"/me/accounts/acme/connect/robots\""), "{}", page.body);
    let test = "/o/acme/providers/robots/try/client";
    let page = ada.submit(&page, test, &[]).await.expect(StatusCode::OK);
    assert!(
        page.says("Robots knows the client and takes its secret.")
            && page.says("Agents act as the client robot-1.")
    );
    assert_eq!((hub.revoked().len(), app.number("select count(*) from connections").await), (1, 0));
    assert_eq!(app.recorded(&org).await, ["provider.created", "provider.tried"]);
    let page = ada.get(&format!("{NEW}?of=api_key")).await.expect(StatusCode::OK);
    let fields = [("name", "Keys"), ("keys_url", "https://keys.example/settings")];
    let done = ada.submit(&page, NEW, &fields).await;
    let page = ada.follow(done).await.expect(StatusCode::OK);
    assert!(
        page.says("https://keys.example/settings")
            && !page.says("Client secret")
            && !page.says("Test sign-in")
    );
}

#[tokio::test]
async fn a_providers_page_tells_scopes_that_tools_need_and_what_went_wrong_with_its_accounts() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let hub = FakeProvider::start().await;
    app.hub(&org, "hub", &hub).await;
    let one = "/o/acme/providers/hub";
    let empty = ada.browser.get(one).await.expect(StatusCode::OK);
    assert!(empty.says("Nobody has connected one yet.") && empty.says("no tool that says so"));
    let server = app.server_at(&org, "issues", "https://issues.example/mcp").await;
    app.accept_tools(&org, server, &[json!({ "name": "close_issue", "inputSchema": { "type": "object" } })])
        .await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let carries = json!([{ "target": "header", "name": "X-Key", "source": "oauth", "provider": "hub" }]);
    let path = "/api/v1/orgs/acme/servers/issues";
    key.send(http::Method::PUT, &format!("{path}/credentials"), &[], Some(carries))
        .await
        .expect(StatusCode::OK);
    let needs = json!({ "required_scopes": ["write", "admin"] });
    key.send(http::Method::PATCH, &format!("{path}/tools/close_issue"), &[], Some(needs))
        .await
        .expect(StatusCode::OK);
    // The server's pages say who would lack an account.
    let shown = ada.browser.get("/o/acme/servers/issues/credentials").await.expect(StatusCode::OK);
    assert!(shown.says("account of whoever calls, or one that is shared with them"), "{}", shown.body);
    assert!(shown.says("Missing for you") && shown.says("Ada Admin"));
    assert!(shown.body.contains("href=\"/me/accounts/acme/connect/hub\""), "{}", shown.body);
    app.connected(&org, &mut ada, "hub").await;
    let shown = ada.browser.get("/o/acme/servers/issues/credentials").await.expect(StatusCode::OK);
    assert!(shown.says("There for you") && shown.says("nobody is listed"), "{}", shown.body);
    app.change(
        "update connections set state = 'needs_reauth', last_error = 'invalid_grant', last_error_at = now(),
            last_error_words = 'Token was revoked by its owner.'",
    )
    .await;
    let page = ada.browser.get(one).await.expect(StatusCode::OK);
    for words in [
        "1 connected",
        "1 to be connected again",
        "Token was revoked by its owner.",
        "close_issue",
        "Not yet",
    ] {
        assert!(page.says(words), "{words}: {}", page.body);
    }
    // An admin ends somebody's account where they find it; who may not look there ends none.
    let list = ada.browser.get(&format!("{one}/accounts")).await.expect(StatusCode::OK);
    let mut links = list.body.split("href=\"").map(|rest| rest.split('"').next().unwrap());
    let account = links.find(|href| href.starts_with(&format!("{one}/accounts/con_"))).unwrap().to_owned();
    let mut eve = app.member(&org, "Eve Auditor", Role::Auditor).await.browser;
    let csrf = eve.csrf();
    let refused = eve.post(&format!("{account}/disconnect"), &[("csrf", csrf.as_str())]).await;
    refused.expect(StatusCode::FORBIDDEN);
    let refused = eve.post(&format!("{account}/switch"), &[("csrf", csrf.as_str()), ("to", "off")]).await;
    refused.expect(StatusCode::FORBIDDEN);
    let shown = ada.browser.get(&account).await.expect(StatusCode::OK);
    assert!(shown.says("Agents cannot use the account of Ada Admin"), "{}", shown.body);
    let done = ada.browser.submit(&shown, &format!("{account}/disconnect"), &[]).await;
    let done = ada.browser.follow(done).await.expect(StatusCode::OK);
    assert!(done.says("Disconnected, and ended at Fake Hub."), "{}", done.body);
    assert_eq!(app.number("select count(*) from connections where state = 'revoked'").await, 1);
}
