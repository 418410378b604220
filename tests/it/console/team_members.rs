//! Who is in a team, on its pages.

use http::StatusCode;
use portreeve::base::permission::Role;

use crate::kit::{app::TestApp, http::Visitor, people::PlantedOrg};

const CREW: &str = "/o/acme/teams/crew";

async fn crew(app: &TestApp) -> (PlantedOrg, Visitor) {
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let page = ada.get("/o/acme/teams/new").await;
    ada.submit(&page, "/o/acme/teams/new", &[("name", "Crew")]).await.expect(StatusCode::SEE_OTHER);
    (org, ada)
}

async fn add(by: &mut Visitor, person: &str, role: &str) {
    let new = format!("{CREW}/members/new");
    let page = by.get(&new).await.expect(StatusCode::OK);
    by.submit(&page, &new, &[("person", person), ("role", role)]).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_admin_adds_promotes_and_takes_out_with_a_way_back() {
    let app = TestApp::start().await;
    let (org, mut ada) = crew(&app).await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    assert!(ada.get(CREW).await.says("Nobody is in this team yet"));
    let new = format!("{CREW}/members/new");
    let page = ada.get(&new).await.expect(StatusCode::OK);
    assert!(page.says(&mia.email), "members who may be added are suggested");
    let page = ada.submit(&page, &new, &[("person", &mia.email)]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Mia Member is now in Crew."));

    let role = format!("{CREW}/members/{}/role", mia.id);
    let page = ada.submit(&page, &role, &[("role", "admin")]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Mia Member: team admin in Crew."));

    let remove = format!("{CREW}/members/{}/remove", mia.id);
    let page = ada.submit(&page, &remove, &[]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Mia Member is no longer in Crew."));
    let page = ada.submit(&page, &new, &[]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Mia Member is now in Crew.") && page.says("Team admin"));

    let steps = ["created", "member_added", "member_changed", "member_removed", "member_added"];
    assert_eq!(app.recorded(&org).await, steps.map(|step| format!("team.{step}")));
}

#[tokio::test]
async fn a_team_admin_manages_plain_members_of_their_own_team_only() {
    let app = TestApp::start().await;
    let (org, mut ada) = crew(&app).await;
    let mut tom = app.member(&org, "Tom Teamadmin", Role::Member).await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    let olga = app.member(&org, "Olga Owner", Role::Member).await;
    add(&mut ada, &tom.email, "admin").await;
    add(&mut ada, &olga.email, "owner").await;
    let page = ada.get("/o/acme/teams/new").await;
    ada.submit(&page, "/o/acme/teams/new", &[("name", "Others")]).await;

    let tom = &mut tom.browser;
    let page = tom.get("/o/acme/teams").await.expect(StatusCode::OK);
    assert!(page.says("Crew") && !page.says("Others") && !page.says("New team"));
    tom.get("/o/acme/teams/others").await.expect(StatusCode::FORBIDDEN);
    tom.get("/o/acme/teams/nowhere").await.expect(StatusCode::FORBIDDEN);
    tom.get("/o/acme/members").await;

    let page = tom.get(&format!("{CREW}/members/new")).await.expect(StatusCode::OK);
    assert!(!page.says(&mia.email), "a team admin does not learn who is in the organization");
    assert!(!page.body.contains("value=\"owner\""));
    add(tom, &mia.email, "member").await;
    let page = tom.get(CREW).await.expect(StatusCode::OK);
    assert!(page.says("Mia Member") && !page.says("Delete team"));
    tom.get(&format!("{CREW}/edit")).await.expect(StatusCode::CONFLICT);

    let csrf = page.form(&format!("{CREW}/members/{}/remove", mia.id));
    let csrf = csrf.pairs().into_iter().find(|(name, _)| *name == "csrf").unwrap().1.to_owned();
    let promote = format!("{CREW}/members/{}/role", mia.id);
    tom.post(&promote, &[("csrf", &csrf), ("role", "owner")]).await.expect(StatusCode::CONFLICT);
    let oust = format!("{CREW}/members/{}/remove", olga.id);
    tom.post(&oust, &[("csrf", &csrf)]).await.expect(StatusCode::CONFLICT);
    tom.post(&format!("{CREW}/delete"), &[("csrf", &csrf), ("confirm", "crew")])
        .await
        .expect(StatusCode::CONFLICT);
    let page = tom.submit(&page, &format!("{CREW}/members/{}/remove", mia.id), &[]).await;
    assert!(tom.follow(page).await.says("Mia Member is no longer in Crew."));
}

#[tokio::test]
async fn a_plain_member_sees_their_team_changes_nothing_and_may_leave() {
    let app = TestApp::start().await;
    let (org, mut ada) = crew(&app).await;
    let mut mia = app.member(&org, "Mia Member", Role::Member).await;
    let bob = app.member(&org, "Bob Member", Role::Member).await;
    add(&mut ada, &mia.email, "member").await;
    add(&mut ada, &bob.email, "member").await;
    let id = mia.id;
    let mia = &mut mia.browser;
    let page = mia.get(CREW).await.expect(StatusCode::OK);
    assert!(page.says("Bob Member") && !page.says("Add member"));
    mia.get(&format!("{CREW}/members/new")).await.expect(StatusCode::FORBIDDEN);
    let leave = format!("{CREW}/members/{id}/remove");
    let form = page.form(&leave);
    let csrf = form.pairs().into_iter().find(|(name, _)| *name == "csrf").unwrap().1.to_owned();
    let oust = format!("{CREW}/members/{}/remove", bob.id);
    mia.post(&oust, &[("csrf", &csrf)]).await.expect(StatusCode::FORBIDDEN);
    mia.submit(&page, &leave, &[]).await.expect(StatusCode::SEE_OTHER);
    mia.get(CREW).await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn who_is_no_member_of_the_organization_is_not_added() {
    let app = TestApp::start().await;
    let (_, mut ada) = crew(&app).await;
    let new = format!("{CREW}/members/new");
    let page = ada.get(&new).await;
    let page = ada.submit(&page, &new, &[("person", "eve@example.com")]).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Nobody in acme has this address") && page.body.contains("eve@example.com"));
}
