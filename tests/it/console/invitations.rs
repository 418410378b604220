//! Invitations on their pages.

use http::StatusCode;
use portreeve::base::permission::Role;
use serde_json::json;
use time::Duration;

use crate::{
    console::members::{csrf_of, latest_change, undo},
    kit::{
        app::TestApp,
        http::{Page, Visitor},
        people::PlantedOrg,
    },
};

const INVITE: &str = "/o/acme/members/invite";
const LIST: &str = "/o/acme/members/invitations";

async fn acme(app: &TestApp) -> (PlantedOrg, Visitor) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    (org, ada)
}

async fn invite(ada: &mut Visitor, fields: &[(&str, &str)]) -> Page {
    let page = ada.get(INVITE).await.expect(StatusCode::OK);
    ada.submit(&page, INVITE, fields).await
}

/// The id of the newest invitation.
async fn newest(ada: &mut Visitor) -> (Page, String) {
    let page = ada.get(LIST).await.expect(StatusCode::OK);
    let id = page.body.split(&format!("{LIST}/")).nth(1).unwrap().split('/').next().unwrap().to_owned();
    (page, id)
}

/// The links in all letters so far.
async fn links(app: &TestApp) -> Vec<String> {
    app.run_jobs().await;
    let link =
        |text: &str| text.split_whitespace().find(|word| word.contains("/invite/pri_")).unwrap().to_owned();
    app.postbox.mails().iter().map(|mail| link(&mail.text)).collect()
}

#[tokio::test]
async fn several_people_are_invited_at_once_and_each_address_is_told_about() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    app.member(&org, "Mia Member", Role::Member).await;
    app.person("Known Person").await;
    let emails = "new@example.com,  known.person@example.com\r\nNEW@example.com\nmia.member@example.com";
    let page = invite(&mut ada, &[("emails", emails), ("role", "auditor")]).await.expect(StatusCode::OK);
    assert!(page.says("2 people were invited") && page.says("Already here"));
    assert!(!page.body.contains("pri_"), "the link is for the invited alone");
    assert_eq!(app.recorded(&org).await, ["invitation.created", "invitation.created"]);
    let (_, after) = latest_change(&app, &org).await;
    assert_eq!((&after["email"], &after["role"]), (&json!("known.person@example.com"), &json!("auditor")));

    assert_eq!(links(&app).await.len(), 2);
    let mails = app.postbox.mails();
    assert!(mails[0].text.contains("You need an account with this very address"));
    assert!(mails[1].text.contains("Hello Known Person,"));
    let page = ada.get(LIST).await.expect(StatusCode::OK);
    assert!(page.says("expires in 3 days") && page.says("invited by Ada Admin"));
}

#[tokio::test]
async fn the_same_form_sent_twice_invites_once() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let page = ada.get(INVITE).await;
    let fields = [("emails", "new@example.com"), ("role", "member")];
    ada.submit(&page, INVITE, &fields).await.expect(StatusCode::OK);
    let again = ada.submit(&page, INVITE, &fields).await.expect(StatusCode::OK);
    assert!(again.says("Nobody was invited") && again.says("Invited before"));
    assert_eq!(app.recorded(&org).await, ["invitation.created"]);
    assert_eq!(links(&app).await.len(), 1);
}

#[tokio::test]
async fn two_forms_for_one_address_at_once_invite_once() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let page = ada.get(INVITE).await;
    let mut too = ada.clone();
    let fields = [("emails", "new@example.com"), ("role", "member")];
    let (first, second) =
        tokio::join!(ada.submit(&page, INVITE, &fields), too.submit(&page, INVITE, &fields));
    first.expect(StatusCode::OK);
    second.expect(StatusCode::OK);
    assert_eq!(app.recorded(&org).await, ["invitation.created"]);
}

#[tokio::test]
async fn one_bad_address_is_named_and_nobody_is_invited() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let emails = "good@example.com\nnot an address";
    let page = invite(&mut ada, &[("emails", emails), ("role", "approver")]).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("This is no e-mail address: not an address"));
    assert!(page.body.contains("good@example.com") && page.body.contains("<title>Error: Invite people"));
    let kept = page.form(INVITE);
    assert!(kept.pairs().contains(&("role", "approver")));
    let page = invite(&mut ada, &[("emails", " \n"), ("role", "member")]).await;
    assert!(page.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Enter at least one e-mail address"));
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn only_an_owner_invites_owners() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let mut olga = app.member(&org, "Olga Owner", Role::Owner).await.browser;
    let csrf = csrf_of(&ada.get(INVITE).await);
    let fields = [("csrf", csrf.as_str()), ("emails", "boss@example.com"), ("role", "owner")];
    ada.post(INVITE, &fields).await.expect(StatusCode::FORBIDDEN);
    invite(&mut olga, &[("emails", "boss@example.com"), ("role", "owner")]).await.expect(StatusCode::OK);
    let (page, id) = newest(&mut ada).await;
    for step in ["resend", "revoke"] {
        let refused = ada.submit(&page, &format!("{LIST}/{id}/{step}"), &[]).await;
        refused.expect(StatusCode::FORBIDDEN);
    }
    assert_eq!(app.recorded(&org).await, ["invitation.created"]);
}

#[tokio::test]
async fn an_invitation_is_sent_again_with_another_link_but_not_at_once() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    invite(&mut ada, &[("emails", "new@example.com"), ("role", "member")]).await.expect(StatusCode::OK);
    let (page, id) = newest(&mut ada).await;
    let resend = format!("{LIST}/{id}/resend");
    let refused = ada.submit(&page, &resend, &[]).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("sent less than a minute ago"));
    // Expired by now: sending it again opens it.
    app.clock.advance(Duration::hours(73));
    let mut ada = app.member(&org, "Al Admin", Role::Admin).await.browser;
    let (page, _) = newest(&mut ada).await;
    assert!(page.says("Expired"));
    let sent = ada.submit(&page, &resend, &[]).await;
    let sent = ada.follow(sent).await.expect(StatusCode::OK);
    assert!(sent.says("A new letter is on its way to new@example.com") && sent.says("expires in 3 days"));
    let links = links(&app).await;
    assert_eq!(links.len(), 2);
    assert_ne!(links[0], links[1]);
    app.clock.advance(Duration::minutes(2));
    ada.submit(&page, &resend, &[]).await.expect(StatusCode::PRECONDITION_FAILED);
    assert_eq!(app.recorded(&org).await, ["invitation.created", "invitation.resent"]);
}

#[tokio::test]
async fn a_withdrawn_invitation_is_restored_as_long_as_nothing_took_its_place() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    invite(&mut ada, &[("emails", "new@example.com"), ("role", "member")]).await.expect(StatusCode::OK);
    for _ in 0..2 {
        let (page, id) = newest(&mut ada).await;
        let revoked = ada.submit(&page, &format!("{LIST}/{id}/revoke"), &[]).await;
        let revoked = ada.follow(revoked).await.expect(StatusCode::OK);
        assert!(revoked.says("Withdrawn") && revoked.says("its link no longer works"));
        let restored = undo(&mut ada, &revoked).await;
        let restored = ada.follow(restored).await.expect(StatusCode::OK);
        assert!(restored.says("stands again") && restored.says("expires in 3 days"));
    }
    let (page, id) = newest(&mut ada).await;
    let action = format!("{LIST}/{id}/revoke");
    let revoked = ada.submit(&page, &action, &[]).await;
    let revoked = ada.follow(revoked).await;
    ada.submit(&page, &action, &[]).await.expect(StatusCode::CONFLICT);
    invite(&mut ada, &[("emails", "new@example.com"), ("role", "auditor")]).await.expect(StatusCode::OK);
    let refused = undo(&mut ada, &revoked).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("has been invited again"));
    let expected = ["created", "revoked", "restored", "revoked", "restored", "revoked", "created"];
    assert_eq!(app.recorded(&org).await, expected.map(|done| format!("invitation.{done}")));
}

#[tokio::test]
async fn an_invitation_may_lead_into_a_team() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let page = ada.get("/o/acme/teams/new").await;
    ada.submit(&page, "/o/acme/teams/new", &[("name", "Platform")]).await;
    let fields = [("emails", "new@example.com"), ("role", "member"), ("team", "platform")];
    let page = invite(&mut ada, &fields).await.expect(StatusCode::OK);
    assert!(page.says("into Platform"));
    let (_, after) = latest_change(&app, &org).await;
    assert_eq!(after["team"], "Platform");
    let csrf = csrf_of(&page);
    let gone =
        [("csrf", csrf.as_str()), ("emails", "b@example.com"), ("role", "member"), ("team", "nowhere")];
    let page = ada.post(INVITE, &gone).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Choose one of the teams"));
}

#[tokio::test]
async fn without_a_mail_server_the_page_says_where_the_letter_waits() {
    let app = TestApp::with(|ports| ports.site.sends_mail = false).await;
    let (_, mut ada) = acme(&app).await;
    let page = ada.get(INVITE).await.expect(StatusCode::OK);
    assert!(page.says("waits in the operator's outbox"));
}

#[tokio::test]
async fn another_organizations_invitation_is_unknown() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    invite(&mut ada, &[("emails", "new@example.com"), ("role", "member")]).await.expect(StatusCode::OK);
    let (_, id) = newest(&mut ada).await;
    let other = app.org("other").await;
    let mut eve = app.member(&other, "Eve Elsewhere", Role::Owner).await.browser;
    let csrf = csrf_of(&eve.get("/o/other/roles").await);
    for step in ["resend", "revoke", "restore"] {
        let path = format!("/o/other/members/invitations/{id}/{step}");
        eve.post(&path, &[("csrf", &csrf)]).await.expect(StatusCode::NOT_FOUND);
        let path = format!("{LIST}/{id}/{step}");
        eve.post(&path, &[("csrf", &csrf)]).await.expect(StatusCode::NOT_FOUND);
    }
    assert_eq!(app.recorded(&org).await, ["invitation.created"]);
}
