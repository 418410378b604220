//! Teams on their pages.

use http::StatusCode;
use portreeve::base::permission::Role;

use crate::kit::app::TestApp;

#[tokio::test]
async fn an_admin_creates_changes_and_deletes_a_team() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;

    let page = ada.get("/o/acme/teams").await.expect(StatusCode::OK);
    assert!(page.says("There are no teams yet"));

    let page = ada.get("/o/acme/teams/new").await.expect(StatusCode::OK);
    let page = ada.submit(&page, "/o/acme/teams/new", &[("name", "Platform Crew")]).await;
    assert_eq!(page.location().as_deref(), Some("/o/acme/teams/platform-crew"));
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Team Platform Crew was created."));

    let edit = "/o/acme/teams/platform-crew/edit";
    let page = ada.get(edit).await.expect(StatusCode::OK);
    let page = ada.submit(&page, edit, &[("slug", "platform"), ("description", "Keeps it running")]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Keeps it running"));

    let delete = "/o/acme/teams/platform/delete";
    let refused = ada.submit(&page, delete, &[("confirm", "something else")]).await;
    assert!(refused.expect(StatusCode::CONFLICT).says("type platform exactly"));
    let page = ada.submit(&page, delete, &[("confirm", "platform")]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Team Platform Crew was deleted."));

    assert_eq!(app.recorded(&org).await, ["team.created", "team.changed", "team.deleted"]);
}

#[tokio::test]
async fn what_cannot_be_accepted_is_said_beside_the_field_and_kept() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let page = ada.get("/o/acme/teams/new").await;
    let fields = [("name", "Crew"), ("slug", "Not a slug!"), ("description", "kept words")];
    let page = ada.submit(&page, "/o/acme/teams/new", &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Use only a to z, 0 to 9 and hyphens"));
    assert!(page.body.contains("<title>Error: New team"));
    assert!(page.body.contains("kept words") && page.body.contains("Not a slug!"));
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn the_second_of_two_editors_is_told() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let page = ada.get("/o/acme/teams/new").await;
    ada.submit(&page, "/o/acme/teams/new", &[("name", "Crew")]).await;
    let edit = "/o/acme/teams/crew/edit";
    let (first, second) = (ada.get(edit).await, ada.get(edit).await);
    ada.submit(&first, edit, &[("description", "hers")]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.submit(&second, edit, &[("description", "his")]).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Someone else changed this while you were typing"));
    assert!(page.body.contains("his"));
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_beside_its_field() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    for expected in [StatusCode::SEE_OTHER, StatusCode::UNPROCESSABLE_ENTITY] {
        let page = ada.get("/o/acme/teams/new").await;
        ada.submit(&page, "/o/acme/teams/new", &[("name", "Crew")]).await.expect(expected);
    }
    assert_eq!(app.recorded(&org).await, ["team.created"]);
}

#[tokio::test]
async fn a_form_without_our_token_or_from_another_site_changes_nothing() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let page = ada.post("/o/acme/teams/new", &[("name", "Crew")]).await.expect(StatusCode::CONFLICT);
    assert!(page.says("This form was opened in another session or on another site"));
    let page = ada.get("/o/acme/teams/new").await;
    let form = page.form("/o/acme/teams/new");
    let mut stranger = app.visitor();
    let page = stranger.post("/o/acme/teams/new", &form.pairs()).await;
    assert!(page.status != StatusCode::OK);
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn a_member_is_told_which_roles_may_and_a_stranger_learns_nothing() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    let page = mia.get("/o/acme/teams").await.expect(StatusCode::FORBIDDEN);
    assert!(page.says("owner or admin"));
    let mut eve = app.person("Eve Elsewhere").await.browser;
    eve.get("/o/acme/teams").await.expect(StatusCode::NOT_FOUND);
    let page = app.visitor().get("/o/acme/teams?q=x").await.expect(StatusCode::SEE_OTHER);
    assert_eq!(page.location().as_deref(), Some("/login?return_to=%2Fo%2Facme%2Fteams%3Fq%3Dx"));
}
