//! Founding another organization.

use http::StatusCode;
use portreeve::{base::permission::Role, domain::instance::SignUp};

use crate::kit::app::TestApp;

#[tokio::test]
async fn an_owner_founds_another_organization_and_owns_it() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Owner", Role::Owner).await.browser;
    let page = ada.get("/orgs/new").await.expect(StatusCode::OK);
    let taken = ada.submit(&page, "/orgs/new", &[("name", "Acme")]).await;
    assert!(taken.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Another organization has this short name"));
    let bad = ada.submit(&page, "/orgs/new", &[("name", " "), ("slug", "No!")]).await;
    assert!(bad.expect(StatusCode::UNPROCESSABLE_ENTITY).says("2 things need a change"));
    let page = ada.submit(&page, "/orgs/new", &[("name", "Acme Labs")]).await;
    assert_eq!(page.location().as_deref(), Some("/o/acme-labs"));
    assert!(ada.get("/o/acme-labs/teams").await.expect(StatusCode::OK).says("Acme Labs was created"));
}

#[tokio::test]
async fn who_may_found_depends_on_the_installation() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    let page = mia.get("/orgs/new").await.expect(StatusCode::CONFLICT);
    assert!(page.says("New organizations are founded by the operator"));
    let mut olga = app.operator("Olga Operator").await.browser;
    olga.get("/orgs/new").await.expect(StatusCode::OK);
    app.sign_up_is(SignUp::Open).await;
    mia.get("/orgs/new").await.expect(StatusCode::OK);
    app.visitor().get("/orgs/new").await.expect(StatusCode::SEE_OTHER);
}
