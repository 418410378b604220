//! Signing in and out.

use http::{StatusCode, header};
use portreeve::{base::permission::Role, domain::identity::attempts::Limits};
use time::Duration;

use super::{sign_in, sign_in_well};
use crate::kit::{app::TestApp, people::PASSWORD};

#[tokio::test]
async fn address_and_password_open_the_door_and_the_way_back_is_kept() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let mut browser = app.visitor();
    let page = browser.visit("/o/acme/teams").await.expect(StatusCode::OK);
    let page = browser.submit(&page, "/login", &[("email", &ada.email)]).await.expect(StatusCode::OK);
    assert!(page.says(&ada.email));
    let page = browser.submit(&page, "/login/password", &[("password", PASSWORD)]).await;
    assert_eq!(page.location().as_deref(), Some("/o/acme/teams"));
    browser.follow(page).await.expect(StatusCode::OK);
    assert_eq!(browser.get("/").await.location().as_deref(), Some("/o/acme"));
    assert_eq!(browser.get("/login").await.location().as_deref(), Some("/o/acme"));

    assert_eq!(app.instance_actions().await, ["session.started"]);
    app.run_jobs().await;
    app.run_jobs().await;
    assert_eq!(app.recorded(&org).await, ["session.started"], "told to the organization, once");
}

#[tokio::test]
async fn a_wrong_password_is_refused_recorded_and_told_to_the_organization() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let mut browser = app.visitor();
    let page = sign_in(&mut browser, &ada.email, "not her password").await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("E-mail address and password do not belong together"));
    assert!(browser.cookie("portreeve_session").is_none());
    let events = app.instance_events().await;
    assert_eq!((events[0].action.as_str(), events[0].user), ("session.refused", Some(ada.id)));
    assert_eq!(events[0].decision.name(), "refused");
    assert_eq!(events[0].target_name.as_deref(), Some("Ada Admin"), "whose account it was");
    app.run_jobs().await;
    assert_eq!(app.recorded(&org).await, ["session.refused"]);
    let mut ada = ada.browser;
    let log = ada.get("/o/acme/audit").await.expect(StatusCode::OK);
    assert!(log.says("tried to sign in to the account of Ada Admin; this was refused"), "{}", log.body);
    assert!(!log.body.contains("<em>not signed in</em>"), "{}", log.body);
}

#[tokio::test]
async fn a_text_that_is_no_address_is_said_at_once() {
    let app = TestApp::start().await;
    let mut browser = app.visitor();
    let page = browser.get("/login").await;
    let page = browser.submit(&page, "/login", &[("email", "nonsense")]).await;
    assert!(page.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Enter an e-mail address such as"));
}

#[tokio::test]
async fn a_foreign_place_is_never_gone_to() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    for evil in ["//evil.example", "https://evil.example", "/\\evil.example", "/login", "/logout"] {
        let mut browser = app.visitor();
        let query = serde_urlencoded::to_string([("return_to", evil)]).unwrap();
        let page = browser.get(&format!("/login?{query}")).await.expect(StatusCode::OK);
        let mut pairs: Vec<(String, String)> =
            page.form("/login").pairs().iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        pairs.retain(|(name, _)| name == "csrf");
        let csrf = pairs[0].1.clone();
        let fields =
            [("csrf", csrf.as_str()), ("email", &ada.email), ("password", PASSWORD), ("return_to", evil)];
        let page = browser.post("/login/password", &fields).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(page.location().as_deref(), Some("/"), "{evil}");
    }
}

#[tokio::test]
async fn a_form_without_our_token_or_with_a_foreign_one_signs_nobody_in() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    let mut other = app.visitor();
    let foreign = other.get("/login").await.form("/login").pairs()[0].1.to_owned();
    let mut browser = app.visitor();
    browser.get("/login").await;
    for csrf in ["", foreign.as_str()] {
        let fields = [("csrf", csrf), ("email", ada.email.as_str()), ("password", PASSWORD)];
        browser.post("/login/password", &fields).await.expect(StatusCode::CONFLICT);
    }
    assert!(browser.cookie("portreeve_session").is_none());
    assert!(app.instance_actions().await.is_empty());
}

#[tokio::test]
async fn signing_in_makes_a_new_session_and_ends_the_one_before() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    let mut browser = app.visitor();
    sign_in_well(&mut browser, &ada.email).await;
    let first = browser.cookie("portreeve_session").unwrap().to_owned();
    // A second sign-in in the same browser, by a form that was open.
    let csrf = browser.get("/prove").await.form("/prove").pairs()[0].1.to_owned();
    let fields = [("csrf", csrf.as_str()), ("email", ada.email.as_str()), ("password", PASSWORD)];
    browser.post("/login/password", &fields).await.expect(StatusCode::SEE_OTHER);
    let second = browser.cookie("portreeve_session").unwrap().to_owned();
    assert_ne!(first, second);
    let mut thief = app.visitor();
    thief.set_cookie("portreeve_session", &first);
    assert_eq!(thief.get("/prove").await.location().as_deref(), Some("/login?return_to=%2Fprove"));
}

#[tokio::test]
async fn a_session_that_somebody_planted_is_not_taken_over() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    let mut browser = app.visitor();
    browser.get("/login").await;
    let visitor = browser.cookie("portreeve_visitor").unwrap().to_owned();
    sign_in_well(&mut browser, &ada.email).await;
    assert_ne!(browser.cookie("portreeve_session"), Some(visitor.as_str()));
    let mut eve = app.visitor();
    eve.set_cookie("portreeve_visitor", &visitor);
    assert_eq!(eve.get("/").await.location().as_deref(), Some("/setup"));
}

#[tokio::test]
async fn over_https_every_cookie_is_bound_to_the_host() {
    let app = TestApp::with(|ports| ports.site.base_url = "https://portreeve.example".to_owned()).await;
    let ada = app.person("Ada Admin").await;
    let page = app.visitor().get("/login").await;
    let visitor = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(visitor.starts_with("__Host-portreeve_visitor=") && visitor.ends_with("; Secure"), "{visitor}");
    let csrf = page.form("/login").pairs()[0].1.to_owned();
    let answer = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
        .post(format!("{}/login/password", app.origin()))
        .header(header::ORIGIN, "https://portreeve.example")
        .header(header::COOKIE, visitor.split(';').next().unwrap())
        .form(&[("csrf", csrf.as_str()), ("email", &ada.email), ("password", PASSWORD)])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let session = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(session.starts_with("__Host-portreeve_session=prs_"), "{session}");
    assert!(session.contains("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{session}");
    assert!(answer.headers().contains_key(header::STRICT_TRANSPORT_SECURITY));
}

#[tokio::test]
async fn with_an_app_the_password_alone_does_not_open() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    app.second_factor(ada.id).await;
    let mut browser = app.visitor();
    let page = sign_in(&mut browser, &ada.email, PASSWORD).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(page.location().as_deref(), Some("/login/code"));
    assert!(browser.cookie("portreeve_session").is_none());
    let page = browser.follow(page).await.expect(StatusCode::OK);
    let wrong = browser.submit(&page, "/login/code", &[("code", "000000")]).await;
    assert!(wrong.expect(StatusCode::UNPROCESSABLE_ENTITY).says("This code is not good"));
    let code = app.code();
    let page = browser.submit(&page, "/login/code", &[("code", &code)]).await.expect(StatusCode::SEE_OTHER);
    assert!(browser.cookie("portreeve_session").is_some() && browser.cookie("portreeve_step").is_none());
    drop(page);
    assert_eq!(app.instance_actions().await, ["second_factor.refused", "session.started"]);

    // Neither code nor step serves twice.
    let mut thief = app.visitor();
    let page = sign_in(&mut thief, &ada.email, PASSWORD).await;
    let page = thief.follow(page).await;
    thief.submit(&page, "/login/code", &[("code", &code)]).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_recovery_code_opens_once_and_its_person_is_told() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    let recovery = app.second_factor(ada.id).await;
    for expected in [StatusCode::SEE_OTHER, StatusCode::UNPROCESSABLE_ENTITY] {
        let mut browser = app.visitor();
        let page = sign_in(&mut browser, &ada.email, PASSWORD).await;
        let page = browser.follow(page).await;
        browser.submit(&page, "/login/code", &[("code", &recovery)]).await.expect(expected);
    }
    let subjects = app.subjects(&ada.email).await;
    assert!(subjects.iter().any(|subject| subject.contains("recovery code")), "{subjects:?}");
}

#[tokio::test]
async fn a_sign_in_that_took_too_long_begins_again() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    app.second_factor(ada.id).await;
    let mut browser = app.visitor();
    let page = sign_in(&mut browser, &ada.email, PASSWORD).await;
    let page = browser.follow(page).await;
    app.clock.advance(Duration::minutes(11));
    let late = browser.submit(&page, "/login/code", &[("code", &app.code())]).await;
    assert!(late.expect(StatusCode::CONFLICT).says("Sign in again"));
    assert_eq!(browser.get("/login/code").await.location().as_deref(), Some("/login"));
}

#[tokio::test]
async fn guessing_is_slowed_down_where_it_comes_from_and_nobody_is_locked_out() {
    let app = TestApp::with(|ports| ports.limits = Limits::default()).await;
    let ada = app.person("Ada Admin").await;
    let mut browser = app.visitor();
    let page = browser.get("/login").await;
    let page = browser.submit(&page, "/login", &[("email", &ada.email)]).await;
    for _ in 0..3 {
        let wrong = browser.submit(&page, "/login/password", &[("password", "wrong")]).await;
        wrong.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let late = browser.submit(&page, "/login/password", &[("password", PASSWORD)]).await;
    let late = late.expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(late.headers["retry-after"], "20");
    assert!(late.says("Too many attempts. Try again in 20 seconds."));
    app.clock.advance(Duration::seconds(21));
    browser.submit(&page, "/login/password", &[("password", PASSWORD)]).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn codes_cannot_be_guessed_by_trying() {
    let app = TestApp::with(|ports| {
        ports.limits.codes = Limits::default().codes;
    })
    .await;
    let ada = app.person("Ada Admin").await;
    app.second_factor(ada.id).await;
    let mut browser = app.visitor();
    let page = sign_in(&mut browser, &ada.email, PASSWORD).await;
    let page = browser.follow(page).await;
    for _ in 0..10 {
        browser
            .submit(&page, "/login/code", &[("code", "000000")])
            .await
            .expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let late = browser.submit(&page, "/login/code", &[("code", &app.code())]).await;
    assert!(late.expect(StatusCode::TOO_MANY_REQUESTS).headers.contains_key("retry-after"));
}

#[tokio::test]
async fn signing_out_ends_the_session_and_clears_the_browser() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    let mut browser = app.visitor();
    sign_in_well(&mut browser, &ada.email).await;
    let session = browser.cookie("portreeve_session").unwrap().to_owned();
    let csrf = browser.get("/prove").await.form("/prove").pairs()[0].1.to_owned();
    browser.post("/logout", &[]).await.expect(StatusCode::CONFLICT);
    let page = browser.post("/logout", &[("csrf", &csrf)]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(page.location().as_deref(), Some("/login"));
    assert_eq!(page.headers["clear-site-data"], "\"cache\", \"cookies\", \"storage\"");
    assert!(browser.cookie("portreeve_session").is_none());
    let mut thief = app.visitor();
    thief.set_cookie("portreeve_session", &session);
    thief.get("/prove").await.expect(StatusCode::SEE_OTHER);
    assert_eq!(app.instance_actions().await, ["session.started", "session.ended"]);
}

#[tokio::test]
async fn a_new_device_is_told_by_letter_and_a_known_one_is_not() {
    let app = TestApp::start().await;
    let ada = app.person("Ada Admin").await;
    sign_in_well(&mut app.visitor(), &ada.email).await;
    sign_in_well(&mut app.visitor(), &ada.email).await;
    assert!(app.subjects(&ada.email).await.is_empty());
    let page = app.visitor().get("/login").await;
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let csrf = page.form("/login").pairs()[0].1.to_owned();
    let answer = reqwest::Client::new()
        .post(format!("{}/login/password", app.origin()))
        .header(header::ORIGIN, app.origin())
        .header(header::COOKIE, cookie)
        .header(header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .form(&[("csrf", csrf.as_str()), ("email", &ada.email), ("password", PASSWORD)])
        .send()
        .await;
    assert!(answer.is_ok());
    assert_eq!(app.subjects(&ada.email).await, ["New sign-in from Firefox on Linux"]);
}
