//! OAuth providers on their pages.

use http::StatusCode;
use portreeve::base::permission::Role;

use crate::kit::{app::TestApp, http::Visitor};

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
    assert!(ada.follow(page).await.expect(StatusCode::OK).says("no scopes"));
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
    assert!(page.says("this is not a value for account that the provider uses"));
    assert!(page.says("use only a to z, 0 to 9 and hyphens"));
    assert!(page.body.contains("kept-id") && page.body.contains("evil.example/x"));
    assert!(!page.body.contains("s3cret"));
    assert!(app.recorded(&org).await.is_empty());

    let page = ada.get(&format!("{NEW}?of=custom")).await.expect(StatusCode::OK);
    let fields = [("authorize_url", "ftp://x"), ("token_url", "https://10.1.2.3/token"), ("client_id", "c")];
    let page = ada.submit(&page, NEW, &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("write a full address such as"));
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
