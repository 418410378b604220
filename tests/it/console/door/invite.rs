//! Accepting an invitation; the rules (a) to (g) of the trust document, each with its sentence.

use http::StatusCode;
use portreeve::{
    base::permission::Role,
    domain::{
        audit::{self, Unrecorded},
        instance::SignUp,
        tenancy::{Issue, store as tenancy},
    },
};
use time::Duration;

use super::sign_in;
use crate::kit::{
    app::TestApp,
    people::{PASSWORD, Person, PlantedOrg},
};

struct Scene {
    app: TestApp,
    org: PlantedOrg,
    ada: Person,
}

async fn scene() -> Scene {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Owner", Role::Owner).await;
    Scene { app, org, ada }
}

impl Scene {
    async fn invite(&self, email: &str) -> (Issue, String) {
        let issue = self.app.invite(&self.org, self.ada.id, email, Role::Member).await;
        let path = format!("/invite/{}", issue.token.text().expose());
        (issue, path)
    }
}

#[tokio::test]
async fn the_person_invited_sees_who_invites_where_as_what_and_joins() {
    let scene = scene().await;
    let mut bea = scene.app.person("Bea Guest").await;
    let (_, path) = scene.invite("BEA.guest@example.com").await;
    let page = bea.browser.get(&path).await.expect(StatusCode::OK);
    assert!(page.says("Ada Owner invites") && page.says("as member") && page.says("24 Nov 2026"));
    assert!(scene.app.recorded(&scene.org).await.is_empty(), "looking accepts nothing");
    let page = bea.browser.submit(&page, &path, &[]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(page.location().as_deref(), Some("/o/acme"));
    assert_eq!(scene.app.recorded(&scene.org).await, ["invitation.accepted", "member.added"]);
    assert_eq!(bea.browser.get("/").await.location().as_deref(), Some("/o/acme"));
}

#[tokio::test]
async fn a_newcomer_makes_an_account_for_exactly_the_invited_address() {
    let scene = scene().await;
    let (_, path) = scene.invite("new@guest.example").await;
    let mut new = scene.app.visitor();
    let page = new.get(&path).await.expect(StatusCode::OK);
    let join = format!("{path}/join");
    let bad = new.submit(&page, &join, &[("name", ""), ("password", "short")]).await;
    assert!(bad.expect(StatusCode::UNPROCESSABLE_ENTITY).says("2 things need a change"));
    let fields = [("name", "Nia New"), ("password", PASSWORD)];
    let page = new.submit(&page, &join, &fields).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(page.location().as_deref(), Some("/o/acme"));
    assert!(new.cookie("portreeve_session").is_some());
    sign_in(&mut scene.app.visitor(), "new@guest.example", PASSWORD).await.expect(StatusCode::SEE_OTHER);
    let actions = scene.app.instance_actions().await;
    assert_eq!(actions[..2], ["account.created", "session.started"]);
    let used = scene.app.visitor().get(&path).await.expect(StatusCode::GONE);
    assert!(used.says("This invitation has been used."));
}

#[tokio::test]
async fn a_nobody_accepts_only_after_signing_in() {
    let scene = scene().await;
    let bea = scene.app.person("Bea Guest").await;
    let (issue, path) = scene.invite(&bea.email).await;
    let mut nobody = scene.app.visitor();
    let page = nobody.get(&path).await.expect(StatusCode::OK);
    assert!(page.says("Sign in as bea.guest@example.com"));
    let token = issue.token.text().expose().clone();
    let sign_in = "/login?return_to=%2Freturn";
    assert!(page.body.contains(&format!("href=\"{sign_in}\"")), "{}", page.body);
    let csrf = nobody.get("/login").await.form("/login").pairs()[0].1.to_owned();
    let id = issue.id.to_string();
    let page = nobody.post(&path, &[("csrf", &csrf), ("invitation", &id)]).await;
    assert_eq!(page.location().as_deref(), Some(sign_in));
    let kept = page.headers["set-cookie"].to_str().unwrap();
    assert!(kept.starts_with("portreeve_return=") && !kept.contains(&token), "{kept}");
    let fields = [("csrf", csrf.as_str()), ("invitation", &id), ("name", "B"), ("password", PASSWORD)];
    let page = nobody.post(&format!("{path}/join"), &fields).await.expect(StatusCode::CONFLICT);
    assert!(page.says("Sign in, or sign up with the invited address"));
    assert!(scene.app.recorded(&scene.org).await.is_empty());

    // Signed in, the person is back at the link, once.
    let name = nobody.get(sign_in).await.expect(StatusCode::OK);
    let asked = nobody.submit(&name, "/login", &[("email", &bea.email)]).await.expect(StatusCode::OK);
    let signed_in = nobody.submit(&asked, "/login/password", &[("password", PASSWORD)]).await;
    assert_eq!(signed_in.location().as_deref(), Some("/return"));
    let back = nobody.get("/return").await;
    assert_eq!(back.location().as_deref(), Some(path.as_str()));
    assert_eq!(nobody.get("/return").await.location().as_deref(), Some("/"));
    let page = nobody.get(&path).await.expect(StatusCode::OK);
    nobody.submit(&page, &path, &[]).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn b_another_address_is_told_and_may_switch() {
    let scene = scene().await;
    let mut eve = scene.app.person("Eve Elsewhere").await.browser;
    let (issue, path) = scene.invite("bea@guest.example").await;
    let page = eve.get(&path).await.expect(StatusCode::OK);
    assert!(page.says("You are signed in as") && page.says("eve.elsewhere@example.com"));
    let csrf = page.form("/logout").pairs()[0].1.to_owned();
    let fields = [("csrf", csrf.as_str()), ("invitation", &issue.id.to_string())];
    let refused = eve.post(&path, &fields).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("This invitation is for another e-mail address."));
    assert_eq!(scene.app.recorded(&scene.org).await, ["invitation.refused"]);
    let page = eve.submit(&page, "/logout", &[]).await;
    assert_eq!(page.location().as_deref(), Some(path.as_str()));
}

#[tokio::test]
async fn c_an_expired_and_a_withdrawn_invitation_say_so() {
    let scene = scene().await;
    let (_, expired) = scene.invite("one@guest.example").await;
    scene.app.clock.advance(Duration::hours(73));
    let page = scene.app.visitor().get(&expired).await.expect(StatusCode::GONE);
    assert!(page.says("This invitation has expired. Ask for a new one."));
    let (issue, revoked) = scene.invite("two@guest.example").await;
    let mut tx = scene.app.org_tx(scene.org.id).await;
    let now = scene.app.clock.now();
    let _ = tenancy::invitations::revoke(&mut tx, issue.id, None, now).await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    let page = scene.app.visitor().get(&revoked).await.expect(StatusCode::GONE);
    assert!(page.says("This invitation has been withdrawn.") && !page.says("two@guest.example"));
}

#[tokio::test]
async fn d_the_page_and_the_link_belong_to_one_invitation() {
    let scene = scene().await;
    let mut bea = scene.app.person("Bea Guest").await;
    let evil = scene.app.org("evil").await;
    let eve = scene.app.member(&evil, "Eve Evil", Role::Owner).await;
    let (shown, _) = scene.invite(&bea.email).await;
    let other = scene.app.invite(&evil, eve.id, &bea.email, Role::Member).await;
    let path = format!("/invite/{}", other.token.text().expose());
    let page = bea.browser.get(&path).await;
    let id = shown.id.to_string();
    let refused = bea.browser.submit(&page, &path, &[("invitation", &id)]).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("The page and the link belong to different invitations."));
    assert_eq!(scene.app.recorded(&evil).await, ["invitation.refused"]);
}

#[tokio::test]
async fn e_whoever_invited_must_still_be_allowed_to() {
    let scene = scene().await;
    let mut bea = scene.app.person("Bea Guest").await;
    let adam = scene.app.member(&scene.org, "Adam Admin", Role::Admin).await;
    let issue = scene.app.invite(&scene.org, adam.id, &bea.email, Role::Member).await;
    let path = format!("/invite/{}", issue.token.text().expose());
    let mut tx = scene.app.org_tx(scene.org.id).await;
    let owners = tenancy::members::lock_owners(&mut tx).await.unwrap();
    let now = scene.app.clock.now();
    let _ = tenancy::members::change_role(&mut tx, &owners, adam.id, Role::Auditor, None, now).await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    let page = bea.browser.get(&path).await;
    let refused = bea.browser.submit(&page, &path, &[]).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("Whoever sent this invitation may no longer invite people."));
}

#[tokio::test]
async fn f_an_invited_address_cannot_be_claimed_by_signing_up() {
    let scene = scene().await;
    scene.app.sign_up_is(SignUp::Open).await;
    let (_, path) = scene.invite("bea@guest.example").await;
    let mut eve = scene.app.visitor();
    let page = eve.get("/signup").await;
    let fields = [("email", "bea@guest.example"), ("name", "Eve"), ("password", "the attackers own words 3")];
    eve.submit(&page, "/signup", &fields).await.expect(StatusCode::OK);
    let page = sign_in(&mut eve, "bea@guest.example", "the attackers own words 3").await;
    page.expect(StatusCode::FORBIDDEN);

    // The one to whom the letter went takes the account over; the other password is gone.
    let mut bea = scene.app.visitor();
    let page = bea.get(&path).await.expect(StatusCode::OK);
    let fields = [("name", "Bea Guest"), ("password", PASSWORD)];
    bea.submit(&page, &format!("{path}/join"), &fields).await.expect(StatusCode::SEE_OTHER);
    let page = sign_in(&mut eve, "bea@guest.example", "the attackers own words 3").await;
    page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let link = scene.app.link("bea@guest.example", "/verify/").await.expect("a letter");
    eve.get(&link).await.expect(StatusCode::GONE);
}

#[tokio::test]
async fn g_an_older_link_is_dead_once_a_newer_was_sent() {
    let scene = scene().await;
    let (issue, old) = scene.invite("bea@guest.example").await;
    let newer = scene.app.reinvite(&scene.org, scene.ada.id, issue.id).await;
    for dead in [old.as_str(), "/invite/pri_nonsense"] {
        let page = scene.app.visitor().get(dead).await.expect(StatusCode::NOT_FOUND);
        assert!(page.says("This invitation link does not work."));
    }
    let path = format!("/invite/{}", newer.token.text().expose());
    scene.app.visitor().get(&path).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn where_sign_up_is_closed_an_invitation_makes_no_account() {
    let scene = scene().await;
    scene.app.sign_up_is(SignUp::Closed).await;
    let (issue, path) = scene.invite("bea@guest.example").await;
    let mut bea = scene.app.visitor();
    assert!(bea.get(&path).await.expect(StatusCode::OK).says("none are made here"));
    let csrf = bea.get("/login").await.form("/login").pairs()[0].1.to_owned();
    let id = issue.id.to_string();
    let fields = [("csrf", csrf.as_str()), ("invitation", &id), ("name", "Bea"), ("password", PASSWORD)];
    bea.post(&format!("{path}/join"), &fields).await.expect(StatusCode::CONFLICT);
}

#[tokio::test]
async fn of_two_acceptances_one_counts() {
    let scene = scene().await;
    let bea = scene.app.person("Bea Guest").await;
    let (_, path) = scene.invite(&bea.email).await;
    let (mut one, mut two) = (scene.app.signed_in(bea.id).await, scene.app.signed_in(bea.id).await);
    let (a, b) = (one.get(&path).await, two.get(&path).await);
    let (a, b) = tokio::join!(one.submit(&a, &path, &[]), two.submit(&b, &path, &[]));
    let mut statuses = [a.status, b.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::GONE]);
    let recorded = scene.app.recorded(&scene.org).await;
    assert_eq!(recorded.iter().filter(|action| *action == "member.added").count(), 1);
}
