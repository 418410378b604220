//! Agents and their grants on an organization's pages.

use http::StatusCode;
use portreeve::{
    base::{actor::Principal, permission::Role},
    domain::{
        audit::{self, Unrecorded},
        grants::{ClientSeen, store::tokens},
    },
};
use time::Duration;

use crate::kit::{
    app::TestApp,
    http::{Page, Visitor},
    people::{Person, PlantedOrg},
};

const LIST: &str = "/o/acme/agents";
const NEW: &str = "/o/acme/agents/new";

async fn acme(app: &TestApp) -> (PlantedOrg, Person) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    (org, ada)
}

/// The token that a page shows.
fn token_on(page: &Page) -> Option<String> {
    let start = page.body.find("prg_")?;
    let token: String =
        page.body[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (token.len() > 40).then_some(token)
}

/// Makes a grant by the form and opens its page.
async fn made(by: &mut Visitor, fields: &[(&str, &str)]) -> Page {
    let page = by.get(NEW).await.expect(StatusCode::OK);
    let made = by.submit(&page, NEW, fields).await.expect(StatusCode::SEE_OTHER);
    by.follow(made).await.expect(StatusCode::OK)
}

#[tokio::test]
async fn an_empty_list_leads_to_a_grant_and_to_connecting() {
    let app = TestApp::start().await;
    let (_, mut ada) = acme(&app).await;
    let page = ada.browser.get(LIST).await.expect(StatusCode::OK);
    assert!(page.says("No agent has connected"));
    assert!(page.body.contains("/me/agents/connect") && page.body.contains(NEW));
}

#[tokio::test]
async fn a_grant_is_made_by_the_form_and_its_page_says_what_it_may() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let fields = [
        ("label", "Claude Code"),
        ("principal", "ada.admin@example.com"),
        ("reach", "chosen"),
        ("servers", "github"),
        ("class_ceiling", "write"),
        ("expires_at", "never"),
        ("bindings.cidrs", "192.0.2.0/24\n2001:db8::/32"),
        ("bindings.clients", "claude-code"),
    ];
    let page = made(&mut ada.browser, &fields).await;
    assert!(page.says("Give it a token next") && page.says("On one server, it may call tools that"));
    assert!(page.says("make or change things") && page.says("not those that move money"));
    assert!(page.says("192.0.2.0/24") && page.says("claude-code") && page.says("No agent can use it yet"));
    let list = ada.browser.get(LIST).await.expect(StatusCode::OK);
    assert!(list.says("for Ada Admin") && list.says("bound to 2 networks, 1 client") && list.says("Active"));
    assert_eq!(app.recorded(&org).await, ["grant.created"]);
}

#[tokio::test]
async fn faults_stand_beside_their_fields_and_what_was_typed_stays() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let page = ada.browser.get(NEW).await;
    let fields = [
        ("label", "Claude Code"),
        ("principal", "nobody@example.com"),
        ("reach", "chosen"),
        ("bindings.cidrs", "10.0.0.1/8"),
    ];
    let page = ada.browser.submit(&page, NEW, &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body.contains("<title>Error: New grant"));
    assert!(page.says("Nobody here has this name or address"));
    assert!(page.says("write 10.0.0.0/8 or 10.0.0.1/32") && page.says("Choose at least one server"));
    let kept = page.form(NEW);
    assert!(kept.pairs().contains(&("label", "Claude Code")));
    assert!(kept.pairs().contains(&("bindings.cidrs", "10.0.0.1/8")));
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn a_team_and_a_service_account_are_named_by_what_the_list_offers() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    app.team(&org, "crew").await;
    app.service_account(&org, "robot").await;
    app.team(&org, "robot").await;
    let page = ada.browser.get(NEW).await;
    assert!(
        page.body.contains("value=\"team crew\"") && page.body.contains("value=\"service account robot\"")
    );
    for (principal, said) in
        [("team crew", "Acts for"), ("crew", "Acts for"), ("service account robot", "service account robot")]
    {
        let page = made(&mut ada.browser, &[("label", "CI"), ("principal", principal)]).await;
        assert!(page.says(said), "{principal}");
    }
    let page = ada.browser.get(NEW).await;
    let both = [("label", "CI"), ("principal", "robot")];
    let page = ada.browser.submit(&page, NEW, &both).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("A team and a service account have this name"));
}

#[tokio::test]
async fn sending_the_form_twice_makes_one_grant() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let page = ada.browser.get(NEW).await;
    let mut form = page.form(NEW);
    form.set("label", "Claude Code");
    form.set("principal", "ada.admin@example.com");
    ada.browser.post(NEW, &form.pairs()).await.expect(StatusCode::SEE_OTHER);
    let again = ada.browser.post(NEW, &form.pairs()).await.expect(StatusCode::CONFLICT);
    assert!(again.says("its grant was made then"));
    assert_eq!(app.recorded(&org).await, ["grant.created"]);
}

#[tokio::test]
async fn a_token_is_shown_once_replaced_with_an_overlap_and_revoked() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let bob = app.member(&org, "Bob Builder", Role::Member).await;
    let (grant, _) = app.named_grant(&org, Principal::User(bob.id), "Cursor").await;
    let one = format!("{LIST}/{grant}");
    let new = format!("{one}/tokens/new");
    let page = ada.browser.get(&new).await.expect(StatusCode::OK);
    let mut form = page.form(&new);
    form.set("label", "build box");
    let made = ada.browser.post(&new, &form.pairs()).await.expect(StatusCode::OK);
    let first = token_on(&made).expect("the token is on the page");
    assert_eq!(made.headers["cache-control"], "no-store");
    let again = ada.browser.post(&new, &form.pairs()).await.expect(StatusCode::CONFLICT);
    assert!(again.says("its token was made and shown then"));

    let page = ada.browser.get(&one).await.expect(StatusCode::OK);
    assert!(page.says("build box") && page.says("by Ada Admin") && token_on(&page).is_none());
    let start = page.body.rfind("/rotate\"").expect("a token can be replaced");
    let rotate = page.body[..start].rsplit('"').next().unwrap().to_owned() + "/rotate";
    let page = ada.browser.get(&rotate).await.expect(StatusCode::OK);
    let made = ada.browser.submit(&page, &rotate, &[("overlap_minutes", "60")]).await.expect(StatusCode::OK);
    assert!(made.says("works until") && token_on(&made).is_some_and(|second| second != first));
    let revoke = rotate.replace("/rotate", "/revoke");
    let page = ada.browser.get(&one).await;
    let gone = ada.browser.submit(&page, &revoke, &[]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.browser.follow(gone).await.expect(StatusCode::OK);
    assert!(page.says("is revoked. Agents that carry it are refused."));
    let recorded = app.recorded(&org).await;
    let wanted = ["grant_token.created", "grant_token.created", "grant_token.rotated", "grant_token.revoked"];
    assert_eq!(recorded, wanted);
}

#[tokio::test]
async fn a_suspension_says_who_and_why_and_can_be_undone() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let (grant, _) = app.named_grant(&org, Principal::User(ada.id), "Cursor").await;
    let one = format!("{LIST}/{grant}");
    let page = ada.browser.get(&one).await.expect(StatusCode::OK);
    let suspend = format!("{one}/suspend");
    let done = ada.browser.submit(&page, &suspend, &[("reason", "Odd calls at night")]).await;
    let page = ada.browser.follow(done).await.expect(StatusCode::OK);
    assert!(
        page.says("This grant is suspended") && page.says("By Ada Admin") && page.says("Odd calls at night")
    );
    let resume = format!("{one}/resume");
    assert!(page.forms(&resume).len() >= 2, "an undo beside the message, and a button");
    let done = ada.browser.submit(&page, &resume, &[]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.browser.follow(done).await.expect(StatusCode::OK);
    assert!(!page.says("This grant is suspended") && page.says("is in force again"));
    assert_eq!(app.recorded(&org).await, ["grant.suspended", "grant.resumed"]);
}

#[tokio::test]
async fn a_revoked_grant_stays_to_be_read_and_offers_nothing_more() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let (grant, token) = app.named_grant(&org, Principal::User(ada.id), "Cursor").await;
    let one = format!("{LIST}/{grant}");
    let page = ada.browser.get(&one).await;
    assert!(page.says("Its token stops at once") && page.says("It was never used"));
    let done = ada.browser.submit(&page, &format!("{one}/revoke"), &[]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.browser.follow(done).await.expect(StatusCode::OK);
    assert!(page.says("This grant is revoked") && !page.body.contains("/tokens/new"));
    assert!(
        page.says("Ended with its grant") && !page.body.contains("commandfor=\"revoke-"),
        "{}",
        page.body
    );
    for path in [format!("{one}/tokens/new"), format!("{one}/tokens/{token}/rotate"), format!("{one}/edit")] {
        ada.browser.get(&path).await.expect(StatusCode::CONFLICT);
    }
    assert_eq!(app.recorded(&org).await, ["grant.revoked"]);
}

#[tokio::test]
async fn a_change_that_comes_second_is_shown_with_what_was_typed() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let (grant, _) = app.named_grant(&org, Principal::User(ada.id), "Cursor").await;
    let edit = format!("{LIST}/{grant}/edit");
    let page = ada.browser.get(&edit).await.expect(StatusCode::OK);
    let first = ada.browser.submit(&page, &edit, &[("label", "First")]).await;
    first.expect(StatusCode::SEE_OTHER);
    let second = ada.browser.submit(&page, &edit, &[("label", "Second")]).await;
    let second = second.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        second.says("Someone else changed this") && second.form(&edit).pairs().contains(&("label", "Second"))
    );
    let done = ada.browser.submit(&second, &edit, &[("class_ceiling", "read")]).await;
    let page = ada.browser.follow(done).await.expect(StatusCode::OK);
    assert!(page.says("Second") && page.says("not those that make or change things"));
    assert_eq!(app.recorded(&org).await, ["grant.changed", "grant.changed"]);
}

#[tokio::test]
async fn a_list_is_filtered_by_state_server_holder_and_words() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let team = app.team(&org, "crew").await;
    app.named_grant(&org, Principal::User(ada.id), "Cursor of Ada").await;
    let (shared, _) = app.named_grant(&org, Principal::Team(team), "Shared Claude").await;
    let page = ada.browser.get(&format!("{LIST}/{shared}")).await;
    ada.browser.submit(&page, &format!("{LIST}/{shared}/suspend"), &[]).await;
    for (query, cursor, claude) in [
        ("state=suspended".to_owned(), false, true),
        ("state=active".to_owned(), true, false),
        ("q=claude".to_owned(), false, true),
        (format!("principal={team}"), false, true),
        ("principal=me".to_owned(), true, false),
        (format!("server={server}"), true, true),
        ("state=revoked".to_owned(), false, false),
    ] {
        let page = ada.browser.get(&format!("{LIST}?{query}")).await.expect(StatusCode::OK);
        assert_eq!(page.says("Cursor of Ada"), cursor, "{query}");
        assert_eq!(page.says("Shared Claude"), claude, "{query}");
    }
    assert!(ada.browser.get(&format!("{LIST}?state=revoked")).await.says("No grant matches"));
    ada.browser.get(&format!("{LIST}?server=nowhere")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn pages_of_holders_say_what_ends_with_them() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let team = app.team(&org, "crew").await;
    let (account, _) = app.service_account(&org, "robot").await;
    let bob = app.member(&org, "Bob Builder", Role::Member).await;
    for principal in [Principal::Team(team), Principal::ServiceAccount(account), Principal::User(bob.id)] {
        app.named_grant(&org, principal, "Agent").await;
    }
    let page = ada.browser.get("/o/acme/teams/crew").await.expect(StatusCode::OK);
    assert!(page.says("1 in its name") && page.says("One grant of an agent ends"));
    let page = ada.browser.get("/o/acme/service-accounts/robot").await.expect(StatusCode::OK);
    assert!(page.says("one acts in its name") && page.says("One grant of an agent ends with it"));
    let page = ada.browser.get(&format!("/o/acme/members/{}/offboard", bob.id)).await.expect(StatusCode::OK);
    assert!(page.says("Grants of agents are revoked"));
}

#[tokio::test]
async fn the_first_steps_tick_off_when_a_grant_is_made_and_an_agent_calls() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ola = app.member(&org, "Ola Owner", Role::Owner).await;
    let page = ola.browser.get("/o/acme").await.expect(StatusCode::OK);
    assert!(page.says("0 of 8 done") && page.says("Connect an agent"));
    let step = ola.browser.submit(&page, "/o/acme/steps/open", &[("step", "agent")]).await;
    assert_eq!(step.location().as_deref(), Some("/me/agents/connect"));
    let (_, token) = app.named_grant(&org, Principal::User(ola.id), "Cursor").await;
    assert!(ola.browser.get("/o/acme").await.says("1 of 8 done"));
    let client = ClientSeen::of("cursor", None);
    let mut tx = app.org_tx(org.id).await;
    tokens::touch_token(&mut tx, token, None, client.as_ref(), app.clock.now()).await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::LastSeen).await.unwrap();
    assert!(ola.browser.get("/o/acme").await.says("2 of 8 done"));
    app.clock.advance(Duration::days(20));
    let mut ola = app.signed_in(ola.id).await;
    assert!(ola.get("/o/acme").await.says("1 agent's token expires within two weeks"));
}
