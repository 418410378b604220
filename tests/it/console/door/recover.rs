//! A lost password.

use http::StatusCode;
use portreeve::domain::identity::attempts::Limits;
use time::Duration;

use super::{sign_in, sign_in_well};
use crate::kit::{app::TestApp, http::Page, people::PASSWORD};

const NEW: &str = "four quite unrelated nouns 9";

async fn ask(app: &TestApp, email: &str) -> Page {
    let mut browser = app.visitor();
    let page = browser.get("/forgot").await.expect(StatusCode::OK);
    browser.submit(&page, "/forgot", &[("email", email)]).await
}

#[tokio::test]
async fn a_new_password_is_set_by_the_letter_ends_other_sessions_and_is_told() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Admin").await;
    ask(&app, &ada.email).await.expect(StatusCode::OK);
    let link = app.link(&ada.email, "/reset/").await.expect("a letter");
    let mut browser = app.visitor();
    let page = browser.get(&link).await.expect(StatusCode::OK);
    let weak = browser.submit(&page, &link, &[("password", "ada.admin.ada.admin")]).await;
    assert!(weak.expect(StatusCode::UNPROCESSABLE_ENTITY).says("names and addresses are tried first"));
    let page = browser.submit(&page, &link, &[("password", NEW)]).await.expect(StatusCode::SEE_OTHER);
    assert!(browser.cookie("portreeve_session").is_none(), "the link signs nobody in");
    assert!(browser.follow(page).await.says("Your new password is set"));

    assert!(ada.browser.get("/prove").await.location().is_some(), "the old session has ended");
    app.visitor().get(&link).await.expect(StatusCode::GONE);
    sign_in(&mut app.visitor(), &ada.email, PASSWORD).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    sign_in(&mut app.visitor(), &ada.email, NEW).await.expect(StatusCode::SEE_OTHER);
    assert!(app.subjects(&ada.email).await.contains(&"Your password was changed".to_owned()));
    assert_eq!(app.instance_actions().await[..2], ["password.reset_asked", "password.reset"]);
}

#[tokio::test]
async fn other_sessions_stay_where_the_person_wants_it() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Admin").await;
    ask(&app, &ada.email).await;
    let link = app.link(&ada.email, "/reset/").await.expect("a letter");
    let mut browser = app.visitor();
    let page = browser.get(&link).await;
    browser
        .submit(&page, &link, &[("password", NEW), ("end_others", "")])
        .await
        .expect(StatusCode::SEE_OTHER);
    ada.browser.get("/prove").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_new_password_does_not_skip_the_second_factor() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    app.second_factor(ada.id).await;
    ask(&app, &ada.email).await;
    let link = app.link(&ada.email, "/reset/").await.expect("a letter");
    let mut browser = app.visitor();
    let page = browser.get(&link).await;
    browser.submit(&page, &link, &[("password", NEW)]).await.expect(StatusCode::SEE_OTHER);
    let page = sign_in(&mut browser, &ada.email, NEW).await;
    assert_eq!(page.location().as_deref(), Some("/login/code"));
}

#[tokio::test]
async fn an_unknown_address_is_answered_alike_and_gets_no_letter() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    let known = ask(&app, &ada.email).await.expect(StatusCode::OK);
    let unknown = ask(&app, "nobody@example.com").await.expect(StatusCode::OK);
    assert_eq!(
        super::quiet::without_tokens(&known.body.replace(&ada.email, "X")),
        super::quiet::without_tokens(&unknown.body.replace("nobody@example.com", "X"))
    );
    assert!(app.subjects("nobody@example.com").await.is_empty());
    assert_eq!(app.subjects(&ada.email).await, ["Choose a new password"]);
}

#[tokio::test]
async fn a_link_dies_of_age_and_of_a_newer_one() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    ask(&app, &ada.email).await;
    let first = app.link(&ada.email, "/reset/").await.expect("a letter");
    app.clock.advance(Duration::minutes(1));
    ask(&app, &ada.email).await;
    let second = app.link(&ada.email, "/reset/").await.expect("a letter");
    let mut browser = app.visitor();
    browser.get(&first).await.expect(StatusCode::GONE);
    let page = browser.get(&second).await.expect(StatusCode::OK);
    app.clock.advance(Duration::minutes(31));
    let late = browser.submit(&page, &second, &[("password", NEW)]).await.expect(StatusCode::CONFLICT);
    assert!(late.says("Ask for a new one"));
    browser.get("/reset/prm_nonsense").await.expect(StatusCode::GONE);
    sign_in_well(&mut app.visitor(), &ada.email).await;
}

#[tokio::test]
async fn asking_is_limited_by_place_and_by_mailbox() {
    let app = TestApp::with(|ports| {
        ports.limits.recovery = Limits::default().recovery;
        ports.limits.letters_to = Limits::default().letters_to;
    })
    .await;
    let ada = app.person("Ada Admin").await;
    for _ in 0..3 {
        ask(&app, &ada.email).await.expect(StatusCode::OK);
    }
    let late = ask(&app, &ada.email).await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(late.headers["retry-after"], "1200");
    assert_eq!(app.subjects(&ada.email).await.len(), 1);
}
