//! The first run.

use http::StatusCode;
use portreeve::flow::{actions::set_up, fault::ActionError};

use crate::kit::{app::TestApp, people::PASSWORD};

/// The path of a fresh set-up link.
async fn link(app: &TestApp) -> String {
    let link = set_up::fresh_link(&app.ports).await.unwrap().expect("nobody has set it up");
    link.expose().strip_prefix(app.origin()).unwrap().to_owned()
}

#[tokio::test]
async fn the_first_person_sets_up_and_lands_in_their_organization() {
    let app = TestApp::start().await;
    let mut mara = app.visitor();
    assert_eq!(mara.get("/").await.location().as_deref(), Some("/setup"));
    assert!(mara.get("/setup").await.expect(StatusCode::OK).says("Portreeve prints a set-up link"));

    let link = link(&app).await;
    let page = mara.get(&link).await.expect(StatusCode::OK);
    let fields = [("email", "mara.lindqvist@acme.example"), ("password", PASSWORD)];
    let page = mara.submit(&page, &link, &fields).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(page.location().as_deref(), Some("/o/acme"));
    let cookie = page
        .headers
        .get_all("set-cookie")
        .iter()
        .find_map(|line| line.to_str().ok().filter(|line| line.starts_with("portreeve_session=prs_")));
    assert!(cookie.expect("a session").contains("; HttpOnly; SameSite=Lax; Max-Age=43200"));
    let teams = mara.get("/o/acme/teams").await.expect(StatusCode::OK);
    assert!(teams.says("Mara Lindqvist") && teams.says("Acme"));
    assert_eq!(app.instance_actions().await, ["instance.set_up", "session.started"]);

    app.run_jobs().await;
    let page = mara.get("/").await;
    assert_eq!(page.location().as_deref(), Some("/o/acme"));
    assert!(set_up::fresh_link(&app.ports).await.unwrap().is_none());
}

#[tokio::test]
async fn a_used_a_replaced_and_a_made_up_link_say_so() {
    let app = TestApp::start().await;
    let (first, second) = (link(&app).await, link(&app).await);
    let mut eve = app.visitor();
    for dead in [first.as_str(), "/setup/pru_nonsense", "/setup/x"] {
        let page = eve.get(dead).await.expect(StatusCode::NOT_FOUND);
        assert!(page.says("This set-up link does not work"));
    }
    let page = eve.get(&second).await;
    let fields = [("email", "eve@acme.example"), ("password", PASSWORD)];
    let form = page.form(&second);
    eve.submit(&page, &second, &fields).await.expect(StatusCode::SEE_OTHER);

    let mut late = app.visitor();
    let page = late.get(&second).await.expect(StatusCode::GONE);
    assert!(page.says("the set-up link no longer works"));
    // The same form once more, in a browser of its own.
    let csrf = late.get("/login").await.form("/login").pairs()[0].1.to_owned();
    let mut fields: Vec<_> = form.pairs().into_iter().filter(|(name, _)| *name != "csrf").collect();
    fields.extend([("csrf", csrf.as_str()), ("password", PASSWORD)]);
    let page =
        late.post(&second, &[("csrf", &csrf), ("email", "l@acme.example"), ("password", PASSWORD)]).await;
    assert!(page.expect(StatusCode::CONFLICT).says("This set-up link has been used or replaced"));
}

#[tokio::test]
async fn what_cannot_be_accepted_is_said_beside_the_field_and_the_organization_is_suggested() {
    let app = TestApp::start().await;
    let link = link(&app).await;
    let mut mara = app.visitor();
    let page = mara.get(&link).await;
    let fields = [("email", "mara@big-corp.example"), ("password", "short")];
    let page = mara.submit(&page, &link, &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Use at least 12 characters") && page.says("Error: Set up Portreeve"));
    let form = page.form(&link);
    assert!(form.pairs().contains(&("org", "Big Corp")) && form.pairs().contains(&("password", "")));
    assert!(!page.body.contains("short\""), "a password is never sent back");
    let page = mara.submit(&page, &link, &[("email", "nonsense"), ("password", PASSWORD)]).await;
    assert!(page.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Enter an e-mail address"));
    assert!(app.instance_actions().await.is_empty());
}

#[tokio::test]
async fn of_two_people_with_the_link_one_wins() {
    let app = TestApp::start().await;
    let link = link(&app).await;
    let (mut ada, mut eve) = (app.visitor(), app.visitor());
    let (a, e) = (ada.get(&link).await, eve.get(&link).await);
    let ada_fields = [("email", "ada@acme.example"), ("password", PASSWORD)];
    let eve_fields = [("email", "eve@evil.example"), ("password", PASSWORD)];
    let (a, e) = tokio::join!(ada.submit(&a, &link, &ada_fields), eve.submit(&e, &link, &eve_fields));
    let mut statuses = [a.status, e.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::CONFLICT]);
}

#[tokio::test]
async fn the_command_line_makes_the_first_owner_with_a_key_once() {
    let app = TestApp::start().await;
    let password = Some(PASSWORD.to_owned().into());
    let made = set_up::bootstrap(&app.ports, "acme", "mara@acme.example", password).await.unwrap();
    let json = serde_json::to_value(&made).unwrap();
    assert_eq!(json["org"]["slug"], "acme");
    assert!(json["org"]["id"].as_str().unwrap().starts_with("org_"));
    assert_eq!(json["user"]["email"], "mara@acme.example");
    let key = json["api_key"].as_str().unwrap();
    assert!(!format!("{made:?}").contains(key));
    let script = app.script(Some(key));
    script.get("/api/v1/orgs/acme/teams").await.expect(StatusCode::OK);
    super::sign_in_well(&mut app.visitor(), "mara@acme.example").await;

    let again = set_up::bootstrap(&app.ports, "other", "eve@acme.example", None).await.unwrap_err();
    assert!(matches!(again, ActionError::Refused(refused) if refused.code == "not_empty"));
    assert_eq!(app.instance_actions().await, ["instance.set_up", "session.started"]);
}
