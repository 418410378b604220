//! A person's own agents, and connecting a client.

use http::StatusCode;
use portreeve::{
    base::{
        actor::Principal,
        ids::{GrantId, GrantTokenId},
        permission::Role,
    },
    domain::{
        audit::{self, Unrecorded},
        grants::{ClientSeen, store::tokens},
    },
};

use super::{let_proofs_pass, require_second_factor};
use crate::kit::{
    app::TestApp,
    http::Page,
    people::{Person, PlantedOrg},
};

const LIST: &str = "/me/agents";
const CONNECT: &str = "/me/agents/connect";

/// An organization with an admin and a member who has one grant.
async fn acme(app: &TestApp) -> (PlantedOrg, Person, Person, GrantId, GrantTokenId) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let bob = app.member(&org, "Bob Builder", Role::Member).await;
    let (grant, token) = app.named_grant(&org, Principal::User(bob.id), "Claude of Bob").await;
    (org, ada, bob, grant, token)
}

/// An agent calls with a token.
async fn call(app: &TestApp, org: &PlantedOrg, token: GrantTokenId) {
    let client = ClientSeen::of("claude-code", Some("2.1"));
    let mut tx = app.org_tx(org.id).await;
    let ip = Some([192, 0, 2, 7].into());
    tokens::touch_token(&mut tx, token, ip, client.as_ref(), app.clock.now()).await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::LastSeen).await.unwrap();
}

fn token_on(page: &Page) -> Option<&str> {
    let start = page.body.find("prg_")?;
    let token = page.body[start..].split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
    (token.len() > 40).then_some(token)
}

#[tokio::test]
async fn a_person_sees_what_acts_in_their_name_and_nothing_else() {
    let app = TestApp::start().await;
    let (org, ada, mut bob, grant, token) = acme(&app).await;
    let (hers, her_token) = app.named_grant(&org, Principal::User(ada.id), "Claude of Ada").await;
    let team = app.team(&org, "crew").await;
    let (shared, _) = app.named_grant(&org, Principal::Team(team), "Claude of the crew").await;
    call(&app, &org, token).await;
    let page = bob.browser.get(LIST).await.expect(StatusCode::OK);
    assert!(page.says("Claude of Bob") && page.says("claude-code 2.1 from 192.0.2.7"));
    assert!(!page.says("Claude of Ada") && !page.says("Claude of the crew"));
    let page = bob.browser.get(&format!("{LIST}/acme/{grant}")).await.expect(StatusCode::OK);
    assert!(page.says("Acts for you in acme") && page.says("make or change things"));
    assert!(!page.body.contains("/edit"), "what it may do is an admin's to say");
    for foreign in [hers, shared] {
        for end in ["", "/tokens/new"] {
            let path = format!("{LIST}/acme/{foreign}{end}");
            bob.browser.get(&path).await.expect(StatusCode::NOT_FOUND);
        }
        for step in ["suspend", "resume", "revoke"] {
            let csrf = bob.browser.csrf();
            let path = format!("{LIST}/acme/{foreign}/{step}");
            bob.browser.post(&path, &[("csrf", &csrf)]).await.expect(StatusCode::NOT_FOUND);
        }
    }
    let csrf = bob.browser.csrf();
    let path = format!("{LIST}/acme/{hers}/tokens/{her_token}/revoke");
    bob.browser.post(&path, &[("csrf", &csrf)]).await.expect(StatusCode::NOT_FOUND);
    bob.browser.get(&format!("/o/acme/agents/{grant}")).await.expect(StatusCode::FORBIDDEN);
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn a_member_resumes_what_they_suspended_and_nothing_that_an_admin_did() {
    let app = TestApp::start().await;
    let (org, mut ada, mut bob, grant, _) = acme(&app).await;
    let one = format!("{LIST}/acme/{grant}");
    let (suspend, resume) = (format!("{one}/suspend"), format!("{one}/resume"));
    let page = bob.browser.get(&one).await;
    let done = bob.browser.submit(&page, &suspend, &[]).await.expect(StatusCode::SEE_OTHER);
    let page = bob.browser.follow(done).await.expect(StatusCode::OK);
    let done = bob.browser.submit(&page, &resume, &[]).await.expect(StatusCode::SEE_OTHER);
    bob.browser.follow(done).await.expect(StatusCode::OK);

    let page = bob.browser.get(&one).await;
    let done = bob.browser.submit(&page, &suspend, &[]).await.expect(StatusCode::SEE_OTHER);
    bob.browser.follow(done).await.expect(StatusCode::OK);
    let theirs = format!("/o/acme/agents/{grant}");
    let csrf = ada.browser.csrf();
    let fields = [("csrf", csrf.as_str()), ("reason", "Under review")];
    ada.browser.post(&format!("{theirs}/suspend"), &fields).await.expect(StatusCode::SEE_OTHER);
    let page = bob.browser.get(&one).await;
    assert!(page.says("By Ada Admin") && page.says("An owner or admin of acme can resume it"));
    assert!(page.forms(&resume).is_empty());
    let csrf = bob.browser.csrf();
    let refused = bob.browser.post(&resume, &[("csrf", &csrf)]).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("Somebody else suspended this grant"));
    let wanted = ["grant.suspended", "grant.resumed", "grant.suspended", "grant.suspended"];
    assert_eq!(app.recorded(&org).await, wanted);
}

#[tokio::test]
async fn a_member_makes_replaces_and_revokes_tokens_of_their_own_grant() {
    let app = TestApp::start().await;
    let (org, _, mut bob, grant, token) = acme(&app).await;
    let one = format!("{LIST}/acme/{grant}");
    let new = format!("{one}/tokens/new");
    let page = bob.browser.get(&new).await.expect(StatusCode::OK);
    let made = bob.browser.submit(&page, &new, &[("label", "desk")]).await.expect(StatusCode::OK);
    assert!(token_on(&made).is_some() && made.says("connect a client"));
    let rotate = format!("{one}/tokens/{token}/rotate");
    let page = bob.browser.get(&rotate).await.expect(StatusCode::OK);
    let made = bob.browser.submit(&page, &rotate, &[("overlap_minutes", "0")]).await.expect(StatusCode::OK);
    assert!(made.says("no longer works"));
    let page = bob.browser.get(&one).await;
    let tokens = format!("{one}/tokens/gtk_");
    let start = page.body.rfind(&tokens).expect("a token can be ended");
    let revoke = page.body[start..].split('"').next().unwrap().replace("/rotate", "/revoke");
    let done = bob.browser.submit(&page, &revoke, &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(bob.browser.follow(done).await.says("is revoked"));
    let wanted = ["grant_token.created", "grant_token.created", "grant_token.rotated", "grant_token.revoked"];
    assert_eq!(app.recorded(&org).await, wanted);
}

#[tokio::test]
async fn a_token_asks_for_a_fresh_proof_and_ending_one_does_not() {
    let app = TestApp::start().await;
    let (_, _, mut bob, grant, token) = acme(&app).await;
    let_proofs_pass(&app);
    let one = format!("{LIST}/acme/{grant}");
    for path in [format!("{one}/tokens/new"), format!("{one}/tokens/{token}/rotate")] {
        let sent = bob.browser.get(&path).await;
        assert!(sent.location().unwrap().starts_with("/prove?return_to="), "{path}");
    }
    let page = bob.browser.get(&format!("{CONNECT}?grant={grant}")).await.expect(StatusCode::OK);
    assert!(
        page.says("confirm that it is you") && page.forms(CONNECT).iter().all(|form| form.method == "get")
    );
    let csrf = bob.browser.csrf();
    let fields =
        [("csrf", csrf.as_str()), ("grant", &grant.to_string()), ("label", "x"), ("expires_at", "90")];
    let sent = bob.browser.post(CONNECT, &fields).await;
    assert!(sent.location().unwrap().starts_with("/prove?return_to="));
    let page = bob.browser.get(&one).await;
    let revoke = format!("{one}/tokens/{token}/revoke");
    bob.browser.submit(&page, &revoke, &[]).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_client_is_connected_step_by_step_and_the_first_call_is_noticed() {
    let app = TestApp::start().await;
    let (org, _, mut bob, grant, planted) = acme(&app).await;
    // His only grant is chosen by itself.
    let page = bob.browser.get(CONNECT).await.expect(StatusCode::OK);
    assert!(page.says("Claude of Bob") && page.says("claude mcp add --transport http portreeve"));
    assert!(page.body.contains(&format!("{}/mcp/acme", app.origin())) && page.says("PORTREEVE_TOKEN"));
    let cursor = bob.browser.get(&format!("{CONNECT}?grant={grant}&client=cursor")).await;
    assert!(cursor.says("\"mcpServers\"") && cursor.says("${env:PORTREEVE_TOKEN}"));

    let mint = page.forms(CONNECT).into_iter().find(|form| form.method == "post").unwrap();
    let made = bob.browser.post(CONNECT, &mint.pairs()).await.expect(StatusCode::OK);
    assert!(token_on(&made).is_some() && made.says("Waiting for the first call"));
    assert!(made.says("with the token Claude Code"));
    let again = bob.browser.post(CONNECT, &mint.pairs()).await.expect(StatusCode::CONFLICT);
    assert!(again.says("its token was made and shown then"));

    let start = made.body.find("made=gtk_").unwrap() + "made=".len();
    let id: GrantTokenId = made.body[start..start + 30].parse().unwrap();
    let page_again = format!("{CONNECT}?grant={grant}&made={id}");
    let asks = format!("{page_again}&wait=1");
    bob.browser.get(&asks).await.expect(StatusCode::NO_CONTENT);
    // Another token's call is not the one that is waited for.
    call(&app, &org, planted).await;
    bob.browser.get(&asks).await.expect(StatusCode::NO_CONTENT);
    let page = bob.browser.get(&page_again).await.expect(StatusCode::OK);
    assert!(page.says("Waiting for the first call") && token_on(&page).is_none());
    call(&app, &org, id).await;
    let page = bob.browser.get(&asks).await.expect(StatusCode::OK);
    assert!(page.says("Connected") && page.says("claude-code 2.1 from 192.0.2.7"));
    assert!(!page.body.contains("every 3s"), "the page stops asking");
    assert_eq!(app.recorded(&org).await, ["grant_token.created"]);
}

#[tokio::test]
async fn a_foreign_grant_or_token_cannot_be_connected_or_waited_for() {
    let app = TestApp::start().await;
    let (org, ada, mut bob, grant, _) = acme(&app).await;
    let (hers, her_token) = app.named_grant(&org, Principal::User(ada.id), "Claude of Ada").await;
    for query in [
        format!("grant={hers}"),
        format!("grant={grant}&made={her_token}"),
        "grant=nonsense".to_owned(),
        format!("grant={grant}&made=nonsense"),
    ] {
        bob.browser.get(&format!("{CONNECT}?{query}")).await.expect(StatusCode::NOT_FOUND);
    }
    let csrf = bob.browser.csrf();
    let fields =
        [("csrf", csrf.as_str()), ("grant", &hers.to_string()), ("label", "x"), ("expires_at", "90")];
    bob.browser.post(CONNECT, &fields).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_has_no_grant_is_told_how_to_come_by_one() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let mut bob = app.member(&org, "Bob Builder", Role::Member).await;
    let page = bob.browser.get(CONNECT).await.expect(StatusCode::OK);
    assert!(page.says("In acme, an owner or admin makes it"));
    assert!(page.says("claude mcp add"), "the snippets are the empty state");
    assert!(bob.browser.get(LIST).await.says("No agent acts in your name"));
    let page = ada.browser.get(CONNECT).await.expect(StatusCode::OK);
    assert!(page.body.contains("/o/acme/agents/new?principal=ada.admin%40example.com"));
    let mut alone = app.person("Al Alone").await;
    assert!(alone.browser.get(CONNECT).await.says("You are in no organization yet"));
}

#[tokio::test]
async fn cursor_is_opened_by_a_page_that_goes_on_by_itself() {
    let app = TestApp::start().await;
    let (_, _, mut bob, grant, _) = acme(&app).await;
    let page = bob.browser.get(&format!("/me/agents/cursor?grant={grant}")).await.expect(StatusCode::OK);
    let link = "cursor://anysphere.cursor-deeplink/mcp/install?name=portreeve";
    assert_eq!(page.body.matches(link).count(), 2, "by itself, and as a link");
    assert!(page.body.contains("http-equiv=\"refresh\""));
    bob.browser.get("/me/agents/cursor?grant=nonsense").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn stopping_everything_and_leaving_end_the_agents_too() {
    let app = TestApp::start().await;
    let (org, _, mut bob, grant, _) = acme(&app).await;
    let page = bob.browser.get("/me/stop").await.expect(StatusCode::OK);
    assert!(page.says("Grants of agents in acme"));
    bob.browser.submit(&page, "/me/stop", &[]).await.expect(StatusCode::OK);
    let page = bob.browser.get(&format!("{LIST}/acme/{grant}")).await.expect(StatusCode::OK);
    assert!(page.says("This grant is revoked") && page.says("Everything of this person was ended"));
    let page = bob.browser.get("/me/orgs/acme/leave").await.expect(StatusCode::OK);
    assert!(page.says("Your agents here are refused"));
    bob.browser.submit(&page, "/me/orgs/acme/leave", &[]).await.expect(StatusCode::SEE_OTHER);
    bob.browser.get(&format!("{LIST}/acme/{grant}")).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(app.recorded(&org).await, ["member.stopped", "member.left"]);
}

#[tokio::test]
async fn where_a_second_factor_is_asked_for_no_token_is_made_without_one() {
    let app = TestApp::start().await;
    let (_, _, mut bob, grant, _) = acme(&app).await;
    require_second_factor(&app, "acme").await;
    bob.browser.get(LIST).await.expect(StatusCode::OK);
    let sent = bob.browser.get(&format!("{LIST}/acme/{grant}/tokens/new")).await;
    assert_eq!(sent.location().as_deref(), Some("/me/security?needed=second-factor"));
    let csrf = bob.browser.csrf();
    let fields =
        [("csrf", csrf.as_str()), ("grant", &grant.to_string()), ("label", "x"), ("expires_at", "90")];
    let sent = bob.browser.post(CONNECT, &fields).await;
    assert_eq!(sent.location().as_deref(), Some("/me/security?needed=second-factor"));
}
