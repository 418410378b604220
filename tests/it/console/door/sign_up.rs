//! Making an account.

use http::StatusCode;
use portreeve::domain::{identity::attempts::Limits, instance::SignUp};

use super::sign_in;
use crate::kit::{app::TestApp, http::Page, people::PASSWORD};

const OTHER: &str = "four quite unrelated nouns 9";

async fn sign_up(app: &TestApp, email: &str, password: &str) -> Page {
    let mut browser = app.visitor();
    let page = browser.get("/signup").await.expect(StatusCode::OK);
    let fields = [("email", email), ("name", "Bea Newcomer"), ("password", password)];
    browser.submit(&page, "/signup", &fields).await
}

#[tokio::test]
async fn an_account_is_made_proven_by_the_letter_and_its_password_and_signed_in() {
    let app = TestApp::start().await;
    app.sign_up_is(SignUp::Open).await;
    sign_up(&app, "bea@new.example", PASSWORD).await.expect(StatusCode::OK);
    let mut browser = app.visitor();
    let page = sign_in(&mut browser, "bea@new.example", PASSWORD).await.expect(StatusCode::FORBIDDEN);
    assert!(page.says("nobody has confirmed yet"));
    assert!(browser.cookie("portreeve_session").is_none());

    let link = app.link("bea@new.example", "/verify/").await.expect("a letter");
    let page = browser.get(&link).await.expect(StatusCode::OK);
    let page = browser.get(&page.path).await.expect(StatusCode::OK);
    let wrong = browser.submit(&page, &link, &[("password", "wrong")]).await;
    wrong.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let done = browser.submit(&page, &link, &[("password", PASSWORD)]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(done.location().as_deref(), Some("/"));
    assert!(browser.cookie("portreeve_session").is_some());

    let again = app.visitor().get(&link).await.expect(StatusCode::GONE);
    assert!(again.says("This link does not work"));
    let actions = app.instance_actions().await;
    let wanted = ["account.sign_up_asked", "session.refused", "account.verified", "session.started"];
    assert_eq!(actions, wanted);
}

#[tokio::test]
async fn an_address_that_is_taken_gets_the_same_page_and_another_letter() {
    let app = TestApp::start().await;
    app.sign_up_is(SignUp::Open).await;
    let ada = app.person("Ada Admin").await;
    let taken = sign_up(&app, &ada.email, OTHER).await.expect(StatusCode::OK);
    let fresh = sign_up(&app, "bea@new.example", OTHER).await.expect(StatusCode::OK);
    assert_eq!(
        super::quiet::without_tokens(&taken.body.replace(&ada.email, "X")),
        super::quiet::without_tokens(&fresh.body.replace("bea@new.example", "X"))
    );
    assert_eq!(app.subjects(&ada.email).await, ["You already have an account"]);
    assert_eq!(app.subjects("bea@new.example").await, ["Confirm your e-mail address"]);
    sign_in(&mut app.visitor(), &ada.email, OTHER).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn nobody_has_somebody_else_prove_an_address_for_them() {
    let app = TestApp::start().await;
    app.sign_up_is(SignUp::Open).await;
    sign_up(&app, "bea@new.example", "the attackers own words 3").await;
    let first = app.link("bea@new.example", "/verify/").await.expect("a letter");
    // Bea signs up herself: the attacker's password is gone, and so is the link that belonged to it.
    sign_up(&app, "bea@new.example", PASSWORD).await.expect(StatusCode::OK);
    let second = app.link("bea@new.example", "/verify/").await.expect("a letter");
    assert_ne!(first, second);
    app.visitor().get(&first).await.expect(StatusCode::GONE);
    let mut eve = app.visitor();
    let page = eve.get(&second).await;
    let page = eve.submit(&page, &second, &[("password", "the attackers own words 3")]).await;
    page.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn where_sign_up_is_not_open_the_page_says_how_people_come_in() {
    let app = TestApp::start().await;
    for (mode, words) in [
        (SignUp::Invitation, "Accounts are made by invitation here"),
        (SignUp::Closed, "No accounts are made here"),
    ] {
        app.sign_up_is(mode).await;
        let mut browser = app.visitor();
        assert!(browser.get("/signup").await.expect(StatusCode::OK).says(words));
        let csrf = browser.get("/login").await.form("/login").pairs()[0].1.to_owned();
        let fields =
            [("csrf", csrf.as_str()), ("email", "b@new.example"), ("name", "B"), ("password", PASSWORD)];
        browser.post("/signup", &fields).await.expect(StatusCode::CONFLICT);
    }
    assert!(app.instance_actions().await.is_empty());
}

#[tokio::test]
async fn bad_fields_are_all_named_and_kept_but_for_the_password() {
    let app = TestApp::start().await;
    app.sign_up_is(SignUp::Open).await;
    let mut browser = app.visitor();
    let page = browser.get("/signup").await;
    let fields = [("email", "nonsense"), ("name", " "), ("password", "password1234")];
    let page = browser.submit(&page, "/signup", &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("3 things need a change") && page.says("Enter a name"));
    assert!(page.body.contains("nonsense") && !page.body.contains("password1234"));
}

#[tokio::test]
async fn sign_ups_and_their_letters_are_limited() {
    let app = TestApp::with(|ports| {
        ports.limits.sign_up = Limits::default().sign_up;
        ports.limits.letters_to = Limits::default().letters_to;
    })
    .await;
    app.sign_up_is(SignUp::Open).await;
    for _ in 0..3 {
        sign_up(&app, "bea@new.example", PASSWORD).await.expect(StatusCode::OK);
    }
    let late = sign_up(&app, "bea@new.example", PASSWORD).await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert!(late.headers.contains_key("retry-after"));
    assert_eq!(app.subjects("bea@new.example").await.len(), 1);
}

#[tokio::test]
async fn the_letter_comes_again_on_wish_and_only_where_there_is_something_to_prove() {
    let app = TestApp::start().await;
    app.sign_up_is(SignUp::Open).await;
    let ada = app.person("Ada Admin").await;
    let mut browser = app.visitor();
    let page = browser.get("/signup").await;
    let fields = [("email", "bea@new.example"), ("name", "Bea"), ("password", PASSWORD)];
    let page = browser.submit(&page, "/signup", &fields).await;
    browser.submit(&page, "/signup/resend", &[]).await.expect(StatusCode::OK);
    for email in [ada.email.as_str(), "nobody@new.example"] {
        browser.submit(&page, "/signup/resend", &[("email", email)]).await.expect(StatusCode::OK);
    }
    assert_eq!(app.subjects("bea@new.example").await.len(), 2);
    assert!(app.subjects(&ada.email).await.is_empty());
}
