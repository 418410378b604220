//! Members on their pages.

use http::StatusCode;
use portreeve::{
    base::{actor::Principal, permission::Role, risk::Class},
    domain::audit,
};
use serde_json::{Value, json};
use time::Duration;

use crate::kit::{
    app::TestApp,
    form::Form,
    http::{Page, Visitor},
    people::PlantedOrg,
};

/// Before and after of the latest event.
pub(super) async fn latest_change(app: &TestApp, org: &PlantedOrg) -> (Value, Value) {
    let mut tx = app.org_tx(org.id).await;
    let page = portreeve::base::page::PageRequest { limit: 1, after: None };
    let events = audit::list(&mut tx, &audit::EventFilter::default(), &page).await.unwrap();
    let detail = audit::find(&mut tx, events.items[0].id).await.unwrap().unwrap();
    let record = detail.record.unwrap();
    (record.before.unwrap_or_default(), record.after.unwrap_or_default())
}

/// Presses Undo on the message of a page.
pub(super) async fn undo(browser: &mut Visitor, page: &Page) -> Page {
    let form = Form::all(&page.body).into_iter().rfind(|form| form.method == "post");
    let form = form.expect("the message is the last form of a page that is posted");
    let pairs = form.pairs();
    browser.post(&form.action, &pairs).await
}

#[tokio::test]
async fn an_admin_sees_who_is_here_and_filters() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    app.member(&org, "Olga Owner", Role::Owner).await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    app.grant(&org, Principal::User(mia.id), Class::Read).await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let page = ada.get("/o/acme/members").await.expect(StatusCode::OK);
    assert_eq!(page.body.matches("data-label=\"Agents\">1<").count(), 1, "{}", page.body);
    assert_eq!(page.body.matches("data-label=\"Accounts\">0<").count(), 3, "{}", page.body);
    for words in ["Olga Owner", "mia.member@example.com", "None", "never"] {
        assert!(page.says(words), "{words}");
    }
    let page = ada.get("/o/acme/members?q=mia").await.expect(StatusCode::OK);
    assert!(page.says("Mia Member") && !page.says("Olga Owner"));
    let page = ada.get("/o/acme/members?role=owner").await.expect(StatusCode::OK);
    assert!(page.says("Olga Owner") && !page.says("Mia Member"));
    let page = ada.get("/o/acme/members?q=zz").await.expect(StatusCode::OK);
    assert!(page.says("Nobody matches"));
}

#[tokio::test]
async fn a_role_is_changed_and_the_change_is_taken_back() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let href = format!("/o/acme/members/{}", mia.id);
    let page = ada.get(&href).await.expect(StatusCode::OK);
    assert!(!page.body.contains(r#"value="owner""#), "an admin is not offered the role owner");
    let page = ada.submit(&page, &format!("{href}/role"), &[("role", "auditor")]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Mia Member is now Auditor and was Member."));
    assert_eq!(latest_change(&app, &org).await, (json!({ "role": "member" }), json!({ "role": "auditor" })));
    let page = undo(&mut ada, &page).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Mia Member is now Member and was Auditor."));
    assert_eq!(app.recorded(&org).await, ["member.role_changed", "member.role_changed"]);
}

#[tokio::test]
async fn the_second_of_two_who_change_a_role_is_told() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let href = format!("/o/acme/members/{}", mia.id);
    let role = format!("{href}/role");
    let (first, second) = (ada.get(&href).await, ada.get(&href).await);
    ada.submit(&first, &role, &[("role", "auditor")]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.submit(&second, &role, &[("role", "approver")]).await;
    assert!(page.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Someone else changed this"));
    let page = ada.post(&role, &first.form(&role).pairs()).await;
    assert_ne!(page.status, StatusCode::SEE_OTHER, "the version that was seen is gone");
    assert_eq!(app.recorded(&org).await, ["member.role_changed"]);
}

#[tokio::test]
async fn only_an_owner_touches_owners() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let olga = app.member(&org, "Olga Owner", Role::Owner).await;
    app.member(&org, "Otto Owner", Role::Owner).await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let page = ada.get(&format!("/o/acme/members/{}", mia.id)).await;
    let role = format!("/o/acme/members/{}/role", mia.id);
    let csrf = csrf_of(&page);
    let refused = ada.post(&role, &[("csrf", &csrf), ("role", "owner")]).await;
    assert!(refused.expect(StatusCode::FORBIDDEN).says("comes with the role owner"));
    let hers = format!("/o/acme/members/{}", olga.id);
    let refused = ada.post(&format!("{hers}/role"), &[("csrf", &csrf), ("role", "member")]).await;
    refused.expect(StatusCode::FORBIDDEN);
    ada.get(&format!("{hers}/offboard")).await.expect(StatusCode::FORBIDDEN);
    ada.get(&format!("{hers}/transfer")).await.expect(StatusCode::FORBIDDEN);
    let confirm = [("csrf", csrf.as_str()), ("confirm", "olga.owner@example.com")];
    ada.post(&format!("{hers}/offboard"), &confirm).await.expect(StatusCode::FORBIDDEN);
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn the_last_owner_stays_an_owner_and_stays() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut olga = app.member(&org, "Olga Owner", Role::Owner).await;
    let href = format!("/o/acme/members/{}", olga.id);
    let page = olga.browser.get(&href).await.expect(StatusCode::OK);
    assert!(page.says("The only owner"));
    let csrf = csrf_of(&page);
    let refused = olga.browser.post(&format!("{href}/role"), &[("csrf", &csrf), ("role", "admin")]).await;
    assert!(refused.expect(StatusCode::CONFLICT).says("This is the last owner. Name another owner first."));
    olga.browser.post("/me/orgs/acme/leave", &[("csrf", &csrf)]).await.expect(StatusCode::CONFLICT);
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn of_two_owners_who_remove_each_other_at_once_one_remains() {
    for leaving in [true, false] {
        let app = TestApp::start().await;
        let org = app.org("acme").await;
        let mut olga = app.member(&org, "Olga Owner", Role::Owner).await;
        let mut otto = app.member(&org, "Otto Owner", Role::Owner).await;
        let (one, two) = if leaving {
            ("/me/orgs/acme/leave".to_owned(), "/me/orgs/acme/leave".to_owned())
        } else {
            (format!("/o/acme/members/{}/role", otto.id), format!("/o/acme/members/{}/role", olga.id))
        };
        let csrf = csrf_of(&olga.browser.get("/o/acme/roles").await);
        let csrf_too = csrf_of(&otto.browser.get("/o/acme/roles").await);
        let (hers, his) = (
            [("csrf", csrf.as_str()), ("role", "member")],
            [("csrf", csrf_too.as_str()), ("role", "member")],
        );
        let (first, second) = tokio::join!(olga.browser.post(&one, &hers), otto.browser.post(&two, &his));
        let done = [&first, &second].into_iter().filter(|page| page.status == StatusCode::SEE_OTHER).count();
        assert_eq!(done, 1, "{} and {}", first.status, second.status);
        assert_eq!(app.recorded(&org).await.len(), 1);
    }
}

#[tokio::test]
async fn ownership_passes_on_with_a_typed_name_and_a_proof() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    let mut olga = app.member(&org, "Olga Owner", Role::Owner).await.browser;
    let action = format!("/o/acme/members/{}/transfer", mia.id);
    let page = olga.get(&action).await.expect(StatusCode::OK);
    let refused = olga.submit(&page, &action, &[("confirm", "mia")]).await;
    let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.says("Type mia.member@example.com exactly"));
    let page = olga.submit(&refused, &action, &[("confirm", "mia.member@example.com")]).await;
    let page = olga.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Mia Member is now an owner of acme. You are an admin."));
    assert_eq!(app.recorded(&org).await, ["ownership.transferred", "member.role_changed"]);
    app.run_jobs().await;
    let mails = app.postbox.mails();
    assert_eq!((mails.len(), mails[0].subject.as_str()), (1, "You are now an owner of acme"));

    app.clock.advance(Duration::minutes(11));
    let mut mia = app.signed_in(mia.id).await;
    app.clock.advance(Duration::minutes(11));
    let page = mia.get("/o/acme/members").await.expect(StatusCode::OK);
    let olga =
        page.body.split("/o/acme/members/usr_").nth(2).and_then(|rest| rest.split('"').next()).unwrap();
    let page = mia.get(&format!("/o/acme/members/usr_{olga}/transfer")).await.expect(StatusCode::SEE_OTHER);
    assert!(page.location().unwrap().starts_with("/prove?return_to="));
}

#[tokio::test]
async fn nobody_but_owners_and_admins_opens_the_list_and_everybody_reads_the_roles() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    for role in Role::ALL {
        let mut browser = app.member(&org, &format!("P {role}"), role).await.browser;
        let may = matches!(role, Role::Owner | Role::Admin);
        let page = browser.get("/o/acme/members").await;
        let page = page.expect(if may { StatusCode::OK } else { StatusCode::FORBIDDEN });
        assert!(page.body.contains(r#"href="/o/acme/roles""#), "{role}");
        for path in ["/o/acme/members/invitations", "/o/acme/members/invite"] {
            browser.get(path).await.expect(if may { StatusCode::OK } else { StatusCode::FORBIDDEN });
        }
        let page = browser.get("/o/acme/roles").await.expect(StatusCode::OK);
        assert!(page.says(&format!("Your role is {}.", role.label().to_lowercase())));
        assert!(page.says("Invite, change roles, off-board"));
    }
}

/// The whole matrix, as the page shows it: a change of what a role carries has to be meant.
#[tokio::test]
async fn what_each_role_may_do_is_this_table() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    let page = mia.get("/o/acme/roles").await.expect(StatusCode::OK);
    let body = page.body.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap();
    let row = |row: &str| {
        let label = row.split("scope=\"row\">").nth(1).unwrap().split('<').next().unwrap();
        let cells: String =
            row.split("<td").skip(1).map(|cell| if cell.contains(">yes<") { 'x' } else { '.' }).collect();
        format!("{cells} {label}")
    };
    let table: Vec<String> = body.split("<tr>").skip(1).map(row).collect();
    let expected = [
        "xx.... See the overview and the settings",
        "xx.... Change the settings",
        "x..... Delete the organization",
        "x..... Name owners and take ownership away",
        "xx.... See who is here",
        "xx.... Invite, change roles, off-board",
        "xx.... See teams",
        "xx.... Create and change teams",
        "xx.... See service accounts",
        "xx.... Create and change service accounts",
        "xx.... See API keys",
        "xx.... Create and revoke API keys",
        "xxx... See servers and their tools",
        "xx.... Add, change, review and delete servers",
        "xx.... See OAuth providers",
        "xx.... Register, change and delete OAuth providers",
        "xxxxxx Connect accounts of one&#39;s own",
        "xx.... See the connected accounts of everybody, never their tokens",
        "xx.... End the connected accounts of others",
        "xx.... See the grants of everybody",
        "xx.... Create, suspend and revoke grants",
        "xx.... See the secrets of the organization and its teams, never their values",
        "xx.... Add, change, rotate and delete those secrets",
        "xxxxxx Keep secrets of one&#39;s own, which nobody else sees",
        "xxxxxx Ask for access in one&#39;s own name",
        "xxx.x. See policies, their versions and what they decide",
        "xxx... Write, publish and attach policies",
        "xxxxx. See every call that waits for a human",
        "xxxxxx Decide calls that wait for a human, where a rule names them",
        "xx.... See the gate and who it affects",
        "xx.... Close and open the gate",
        "xxx.x. Read the audit log",
        "xx..x. Export the audit log",
    ];
    assert_eq!(table, expected);
}

#[tokio::test]
async fn a_suspended_member_is_kept_out_with_the_reason_and_comes_back_with_everything() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let mut bob = app.member(&org, "Bob Builder", Role::Approver).await;
    let olga = app.member(&org, "Olga Owner", Role::Owner).await;
    let key = app.key_of(&org, bob.id, Role::Approver, &["*"]).await;
    key.get("/api/v1/orgs/acme/approvals").await.expect(StatusCode::OK);
    let his = format!("/o/acme/members/{}", bob.id);
    let page = ada.browser.get(&his).await.expect(StatusCode::OK);
    let long = "x".repeat(501);
    let refused = ada.browser.submit(&page, &format!("{his}/suspend"), &[("reason", long.as_str())]).await;
    assert!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).says(&long), "what was typed is kept");
    let done =
        ada.browser.submit(&page, &format!("{his}/suspend"), &[("reason", "On leave until May")]).await;
    let page = ada.browser.follow(done.expect(StatusCode::SEE_OTHER)).await;
    assert!(page.says("Ada Admin suspended Bob Builder") && page.says("On leave until May"), "{}", page.body);
    let out = bob.browser.get("/o/acme/approvals").await.expect(StatusCode::CONFLICT);
    assert!(out.says("suspended your membership") && out.says("On leave until May"), "{}", out.body);
    key.get("/api/v1/orgs/acme/approvals").await.expect(StatusCode::UNAUTHORIZED);
    bob.browser.get("/me/agents").await.expect(StatusCode::OK);
    let csrf = ada.browser.csrf();
    for (who, code) in [(bob.id, "suspended already"), (ada.id, "cannot suspend yourself")] {
        let path = format!("/o/acme/members/{who}/suspend");
        let refused = ada.browser.post(&path, &[("csrf", csrf.as_str())]).await;
        assert!(refused.expect(StatusCode::CONFLICT).says(code), "{code}");
    }
    let owner = format!("/o/acme/members/{}/suspend", olga.id);
    ada.browser.post(&owner, &[("csrf", csrf.as_str())]).await.expect(StatusCode::FORBIDDEN);
    let back = ada.browser.submit(&page, &format!("{his}/resume"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.browser.follow(back).await.says("Bob Builder is let in again."));
    bob.browser.get("/o/acme/approvals").await.expect(StatusCode::OK);
    key.get("/api/v1/orgs/acme/approvals").await.expect(StatusCode::OK);
    assert_eq!(app.recorded(&org).await, ["member.suspended", "member.resumed"]);
}

#[tokio::test]
async fn a_stranger_and_a_foreign_id_are_answered_alike() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let other = app.org("other").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let eve = app.member(&other, "Eve Elsewhere", Role::Owner).await;
    for page in ["", "/offboard"] {
        ada.get(&format!("/o/acme/members/{}{page}", eve.id)).await.expect(StatusCode::NOT_FOUND);
    }
    ada.get("/o/acme/members/nonsense").await.expect(StatusCode::NOT_FOUND);
    ada.get("/o/other/members").await.expect(StatusCode::NOT_FOUND);
    ada.get("/o/other/roles").await.expect(StatusCode::NOT_FOUND);
    let csrf = csrf_of(&ada.get("/o/acme/roles").await);
    let role = format!("/o/acme/members/{}/role", eve.id);
    ada.post(&role, &[("csrf", &csrf), ("role", "member")]).await.expect(StatusCode::NOT_FOUND);
    assert!(app.recorded(&other).await.is_empty());
}

/// The token of the forms of a page; every page has the one that signs out.
pub(super) fn csrf_of(page: &Page) -> String {
    let form = page.form("/logout");
    let token = form.pairs().into_iter().find(|(name, _)| *name == "csrf").map(|(_, token)| token.to_owned());
    token.expect("a form is protected")
}
