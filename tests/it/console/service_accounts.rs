//! Service accounts on their pages.

use http::StatusCode;
use portreeve::base::permission::Role;

use crate::kit::{app::TestApp, http::Visitor};

const ACCOUNTS: &str = "/o/acme/service-accounts";

async fn create(by: &mut Visitor, name: &str, role: &str) {
    let new = format!("{ACCOUNTS}/new");
    let page = by.get(&new).await.expect(StatusCode::OK);
    by.submit(&page, &new, &[("name", name), ("role", role)]).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_admin_creates_changes_disables_and_deletes_one() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    assert!(ada.get(ACCOUNTS).await.expect(StatusCode::OK).says("There are no service accounts yet"));
    create(&mut ada, "Nightly Build", "auditor").await;
    let one = format!("{ACCOUNTS}/nightly-build");
    let page = ada.get(&one).await.expect(StatusCode::OK);
    assert!(page.says("It has no API key yet") && page.says("Auditor"));

    let edit = format!("{one}/edit");
    let page = ada.get(&edit).await.expect(StatusCode::OK);
    let page = ada.submit(&page, &edit, &[("description", "Runs at night")]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Runs at night"));

    let page = ada.submit(&page, &format!("{one}/disable"), &[]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Nightly Build is disabled.") && page.says("This service account is disabled"));
    let page = ada.submit(&page, &format!("{one}/enable"), &[]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Nightly Build is enabled."));

    let delete = format!("{one}/delete");
    ada.submit(&page, &delete, &[("confirm", "nightly")]).await.expect(StatusCode::CONFLICT);
    let page = ada.submit(&page, &delete, &[("confirm", "nightly-build")]).await;
    assert!(ada.follow(page).await.says("Service account Nightly Build and its keys were deleted."));
    let steps = ["created", "changed", "disabled", "enabled", "deleted"];
    assert_eq!(app.recorded(&org).await, steps.map(|step| format!("service_account.{step}")));
}

#[tokio::test]
async fn deleting_names_the_live_keys_that_stop() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    create(&mut ada, "Deploy", "admin").await;
    let new = "/o/acme/api-keys/new";
    let page = ada.get(&format!("{new}?owner=deploy")).await.expect(StatusCode::OK);
    let form = page.forms(new).into_iter().find(|form| form.method == "post").unwrap();
    let mut form = form;
    form.set("name", "Rollout script");
    ada.post(new, &form.pairs()).await.expect(StatusCode::OK);
    let page = ada.get(&format!("{ACCOUNTS}/deploy")).await.expect(StatusCode::OK);
    assert!(page.says("One live key stops at once") && page.says("Rollout script, last used"));
}

#[tokio::test]
async fn what_cannot_be_accepted_is_said_beside_the_field_and_kept() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let new = format!("{ACCOUNTS}/new");
    let page = ada.get(&new).await;
    let fields = [("name", "Robot"), ("slug", "Not a slug!"), ("role", "approver")];
    let page = ada.submit(&page, &new, &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Use only a to z, 0 to 9 and hyphens") && page.body.contains("Not a slug!"));
    assert!(page.body.contains("value=\"approver\" checked"));
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn the_second_of_two_editors_is_told() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    create(&mut ada, "Deploy", "member").await;
    let edit = format!("{ACCOUNTS}/deploy/edit");
    let (first, second) = (ada.get(&edit).await, ada.get(&edit).await);
    ada.submit(&first, &edit, &[("description", "hers")]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.submit(&second, &edit, &[("description", "his")]).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Someone else changed this while you were typing") && page.body.contains("his"));
}
