//! Secrets on their pages: those of the organization and its teams, and a person's own.

use http::StatusCode;
use portreeve::{
    base::permission::{Role, TeamRole},
    domain::{
        audit::{self, Unrecorded},
        secrets::SecretOwner,
        tenancy::store::teams,
    },
};

use crate::{
    console::members::latest_change,
    kit::{
        app::TestApp,
        http::{Page, Visitor},
        people::{Person, PlantedOrg},
    },
};

const SECRETS: &str = "/o/acme/secrets";
const MINE: &str = "/me/secrets";
const VALUE: &str = "v4lue-nobody-reads";

/// Somebody with a role in the team crew.
async fn in_crew(app: &TestApp, org: &PlantedOrg, name: &str, role: TeamRole) -> Person {
    let person = app.member(org, name, Role::Member).await;
    let mut tx = app.org_tx(org.id).await;
    let crew = teams::find(&mut tx, &"crew".parse().unwrap()).await.unwrap().unwrap();
    let _ = teams::add_member(&mut tx, crew.id, person.id, role, app.clock.now()).await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    person
}

#[tokio::test]
async fn an_admin_adds_rotates_changes_and_destroys_one_and_never_sees_the_value() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    assert!(ada.get(SECRETS).await.expect(StatusCode::OK).says("There are no secrets yet"));
    let new = format!("{SECRETS}/new");
    let page = ada.get(&new).await.expect(StatusCode::OK);
    let typed = [("name", "Bad Name"), ("scope", "org"), ("value", VALUE), ("rotate_after_days", "soon")];
    let page = ada.submit(&page, &new, &typed).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.says("Use only a to z")
            && page.says("Choose 1 to 3650 days")
            && page.says("2 things need a change")
    );
    assert!(page.body.contains("Bad Name") && !page.body.contains(VALUE), "the value is not sent back");
    let typed = [("name", "github_token"), ("value", VALUE), ("rotate_after_days", "30")];
    let page = ada.submit(&page, &new, &typed).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Secret github_token was added.") && page.says("every 30 days"));
    let one = page.path.clone();

    app.clock.advance(time::Duration::minutes(5));
    let rotate = format!("{one}/rotate");
    let refused =
        ada.submit(&page, &rotate, &[("value", "a b ")]).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.says("Leave out the spaces"));
    let page = ada.submit(&refused, &rotate, &[("value", VALUE)]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("github_token has a new value."));

    let edit = format!("{one}/edit");
    let stale = ada.get(&one).await.expect(StatusCode::OK);
    let page = ada.submit(&page, &edit, &[("description", "For reading")]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("For reading"));
    let late = ada.submit(&stale, &edit, &[("description", "Late")]).await;
    let late = late.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.says("Someone else changed this") && late.body.contains("Late"));

    let listed = ada.get(&format!("{SECRETS}?scope=org&q=git")).await.expect(StatusCode::OK);
    assert!(listed.says("github_token") && listed.says("Unused") && !listed.says("Overdue"));
    ada.get(&format!("{SECRETS}?scope=user")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let page = ada.submit(&page, &format!("{one}/delete"), &[]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Secret github_token was destroyed.") && !page.body.contains(VALUE));
    let steps = ["created", "rotated", "changed", "deleted"];
    assert_eq!(app.recorded(&org).await, steps.map(|step| format!("secret.{step}")));
    let page = ada.get("/o/acme/audit").await.expect(StatusCode::OK);
    assert!(page.says("the secret github_token") && !page.body.contains(VALUE));
}

#[tokio::test]
async fn who_leads_a_team_keeps_its_secrets_and_no_others() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    app.team(&org, "crew").await;
    let other = app.team(&org, "other").await;
    let shared = app.secret(&org, SecretOwner::Org, "of_all", "x").await;
    let theirs = app.secret(&org, SecretOwner::Team(other), "of_others", "x").await;
    let mut tom = in_crew(&app, &org, "Tom Teamadmin", TeamRole::Admin).await.browser;
    let mut mia = in_crew(&app, &org, "Mia Member", TeamRole::Member).await.browser;
    mia.get(SECRETS).await.expect(StatusCode::FORBIDDEN);
    mia.get(&format!("{SECRETS}/new")).await.expect(StatusCode::FORBIDDEN);

    let page = tom.get("/o/acme/teams/crew").await.expect(StatusCode::OK);
    assert!(page.body.contains("href=\"/o/acme/secrets\""), "the way there is on the team's page");
    let page = tom.get(SECRETS).await.expect(StatusCode::OK);
    assert!(!page.says("of_all") && !page.says("of_others"));
    let new = format!("{SECRETS}/new");
    let page = tom.get(&new).await.expect(StatusCode::OK);
    assert!(
        !page.says("The organization")
            && page.body.contains("value=\"crew\"")
            && !page.body.contains("value=\"other\"")
    );
    let typed = [("name", "crew_token"), ("scope", "team"), ("team", "crew"), ("value", VALUE)];
    let page = tom.submit(&page, &new, &typed).await;
    let page = tom.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Secret crew_token was added.") && page.says("Team crew"));
    assert_eq!(latest_change(&app, &org).await.1["team"], "crew");
    for id in [shared, theirs] {
        tom.get(&format!("{SECRETS}/{id}")).await.expect(StatusCode::NOT_FOUND);
        let csrf = tom.csrf();
        let rotate = format!("{SECRETS}/{id}/rotate");
        tom.post(&rotate, &[("csrf", &csrf), ("value", "x")]).await.expect(StatusCode::NOT_FOUND);
    }
    let csrf = tom.csrf();
    for (scope, team, status) in
        [("org", "", StatusCode::FORBIDDEN), ("team", "other", StatusCode::UNPROCESSABLE_ENTITY)]
    {
        let typed =
            [("csrf", csrf.as_str()), ("name", "x"), ("scope", scope), ("team", team), ("value", "x")];
        tom.post(&new, &typed).await.expect(status);
    }
}

#[tokio::test]
async fn a_person_keeps_secrets_of_their_own_that_go_with_them() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let mut bob = app.member(&org, "Bob Builder", Role::Member).await;
    assert!(bob.browser.get(MINE).await.expect(StatusCode::OK).says("You keep no secrets here"));
    let new = format!("{MINE}/acme/new");
    let page = bob.browser.get(&format!("{new}?name=github_token")).await.expect(StatusCode::OK);
    assert!(page.body.contains("value=\"github_token\""), "what is asked for is filled in");
    let page = bob.browser.submit(&page, &new, &[("value", VALUE)]).await;
    let page = bob.browser.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("github_token was added.") && !page.body.contains(VALUE));
    let id = app.number("select count(*) from secrets where scope = 'user'").await;
    assert_eq!(id, 1);

    let href = page.body.split("href=\"/me/secrets/acme/sec_").nth(1).unwrap().split('"').next().unwrap();
    let one = format!("{MINE}/acme/sec_{href}");
    let page = bob.browser.get(&one).await.expect(StatusCode::OK);
    let page = bob.browser.submit(&page, &format!("{one}/rotate"), &[("value", "n3w")]).await;
    assert!(bob.browser.follow(page).await.says("github_token has a new value."));
    for path in [one.clone(), format!("{SECRETS}/sec_{href}")] {
        ada.get(&path).await.expect(StatusCode::NOT_FOUND);
    }
    assert!(!ada.get(SECRETS).await.says("github_token"));
    assert!(!ada.get("/o/acme/audit").await.says("github_token"), "what they call it is theirs");

    let action = format!("/o/acme/members/{}/offboard", bob.id);
    let page = ada.get(&action).await.expect(StatusCode::OK);
    assert!(page.says("Personal secrets are destroyed"));
    let confirm = [("confirm", "bob.builder@example.com")];
    ada.submit(&page, &action, &confirm).await.expect(StatusCode::OK);
    assert_eq!(latest_change(&app, &org).await.1["ended"]["kept_values"], 1);
    assert_eq!(app.number("select count(*) from secrets").await, 0);
}

/// Looks at what a credential would change, and saves it.
async fn look_and_save(browser: &mut Visitor, page: &Page, typed: &[(&str, &str)]) -> Page {
    let place = "/o/acme/servers/github/credentials";
    let shown = browser.submit(page, &format!("{place}/preview"), typed).await.expect(StatusCode::OK);
    let saved = browser.submit(&shown, place, &[]).await;
    browser.follow(saved).await.expect(StatusCode::OK)
}

#[tokio::test]
async fn the_credentials_of_a_server_name_secrets_and_say_whom_they_would_lack() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let bob = app.member(&org, "Bob Builder", Role::Member).await;
    let page = "/o/acme/servers/github/credentials";
    let shown = ada.browser.get(page).await.expect(StatusCode::OK);
    let typed = [("source", "org_secret"), ("which", "shared"), ("name", "X-Shared"), ("template", "")];
    let refused = ada.browser.submit(&shown, &format!("{page}/preview"), &typed).await;
    let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.says("The organization keeps no secret shared") && refused.body.contains("href=\"#f-which\"")
    );
    app.secret(&org, SecretOwner::Org, "shared", VALUE).await;
    let saved = look_and_save(&mut ada.browser, &refused, &[]).await;
    assert!(saved.says("shared of the organization") && saved.says("There for everybody"));

    app.secret(&org, SecretOwner::User(bob.id), "own", VALUE).await;
    let typed = [("source", "user_secret"), ("which", "own"), ("name", "X-Own"), ("template", "")];
    let saved = look_and_save(&mut ada.browser, &saved, &typed).await;
    assert!(saved.says("own of the person") && saved.says("Missing for you") && saved.says("Ada Admin"));
    assert!(!saved.says("Bob Builder"), "who has one is not named");
    let typed = [("source", "team_secret"), ("which", "crew"), ("name", "X-Crew"), ("template", "")];
    let saved = look_and_save(&mut ada.browser, &saved, &typed).await;
    assert!(saved.says("Ada Admin, Bob Builder"));
    for place in ["/o/acme/servers/github", "/o/acme/servers/github/check"] {
        let shown = ada.browser.get(place).await.expect(StatusCode::OK);
        assert!(
            shown.says("Missing for you") && shown.body.contains("/me/secrets/acme/new?name=own"),
            "{place}"
        );
    }
    let asked = ada.browser.get(MINE).await.expect(StatusCode::OK);
    assert!(asked.says("You have no <code>own</code> yet"));

    let one = format!("{SECRETS}?q=shared");
    assert!(ada.browser.get(&one).await.says("github"));
    let remove = ada.browser.submit(&saved, &format!("{page}/remove"), &[("name", "X-Own")]).await;
    let left = ada.browser.follow(remove).await.expect(StatusCode::OK);
    assert!(
        !left.says("own of the person")
            && left.says("shared of the organization")
            && !left.body.contains(VALUE)
    );
}

#[tokio::test]
async fn a_secret_that_is_asked_for_is_destroyed_only_by_its_name() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let mut browser = app.signed_in(ada.id).await;
    let id = app.secret(&org, SecretOwner::Org, "shared", VALUE).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let map =
        serde_json::json!([{ "target": "query", "name": "k", "source": "org_secret", "secret": "shared" }]);
    let path = "/api/v1/orgs/acme/servers/github/credentials";
    key.send(http::Method::PUT, path, &[], Some(map)).await.expect(StatusCode::OK);
    let one = format!("{SECRETS}/{id}");
    let page = browser.get(&one).await.expect(StatusCode::OK);
    assert!(page.says("are refused by this server") && page.says("so it stays while they do"));
    let delete = format!("{one}/delete");
    browser.submit(&page, &delete, &[("confirm", "shred")]).await.expect(StatusCode::CONFLICT);
    browser.submit(&page, &delete, &[("confirm", "shared")]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(app.number("select count(*) from secrets").await, 0);
    let page = browser.get("/o/acme/servers/github").await.expect(StatusCode::OK);
    assert!(page.says("Missing for everybody"));
}
