//! The kit proven on pages of its own, so that a red test speaks of Portreeve.

use axum::{
    Router,
    extract::RawForm,
    response::{Html, Redirect},
    routing::get,
};
use http::StatusCode;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde_json::json;

use crate::kit::{
    browser::{Browser, Scheme},
    database::connect,
    form::Form,
    smtp::MailSink,
    stage::Stage,
};

const PAGE: &str = r#"<!doctype html><html lang="en"><head><title>Trial</title></head><body><main><h1>Trial</h1>
    <!-- <form action="/hidden"> -->
    <form method="post" action="/greet?a=1&amp;b=2">
      <input type="hidden" name="csrf" value="t&quot;k">
      <label>Name <input name="name" value="Ada"></label>
      <label>Note <textarea name="note">
a &lt; b</textarea></label>
      <label>Role <select name="role"><option value="member">M</option><option value="owner">O</option></select></label>
      <label><input type="checkbox" name="scope" value="read" checked> r</label>
      <label><input type=checkbox name=scope value=write> w</label>
      <button name="do" value="greet">Greet</button>
    </form><p id="script">off</p></main>
    <script>document.querySelector('#script').innerText = 'on'</script></body></html>"#;

async fn app() -> Stage {
    let mut app = Stage::prepare().await;
    app.serve(|_| {
        let greet = async |RawForm(form): RawForm| {
            let name = serde_urlencoded::from_bytes::<Vec<(String, String)>>(&form).unwrap();
            let name = name.into_iter().find(|(field, _)| field == "name").unwrap().1;
            ([("set-cookie", format!("name={name}; Path=/"))], Redirect::to("/hello"))
        };
        let hello = async |headers: http::HeaderMap| {
            let cookie = headers.get("cookie").map_or("nobody", |cookie| cookie.to_str().unwrap());
            Html(format!("<!doctype html><title>Hello</title><h1>{cookie}</h1>"))
        };
        let broken =
            async || Html("<!doctype html><title>B</title><img src=/none><script>nonsense()</script>");
        Router::new()
            .route("/", get(async || Html(PAGE)).post(async || StatusCode::NO_CONTENT))
            .route("/greet", axum::routing::post(greet))
            .route("/hello", get(hello))
            .route("/broken", get(broken))
            .route("/json", get(async || axum::Json(json!({"a": {"b": "c"}}))))
            .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
    })
    .await;
    app
}

#[test]
fn a_form_sends_what_a_browser_would() {
    let mut form = Form::all(PAGE).remove(0);
    assert_eq!((form.action.as_str(), form.method.as_str()), ("/greet?a=1&b=2", "post"));
    let untouched =
        [("csrf", "t\"k"), ("name", "Ada"), ("note", "a < b"), ("role", "member"), ("scope", "read")];
    assert_eq!(form.pairs(), untouched);
    for (name, value) in [("role", "owner"), ("scope", ""), ("scope", "write"), ("do", "greet")] {
        form.set(name, value);
    }
    let touched = ["t\"k", "Ada", "a < b", "owner", "write", "greet"];
    assert_eq!(form.pairs().iter().map(|(_, value)| *value).collect::<Vec<_>>(), touched);
}

#[tokio::test]
async fn a_visitor_fills_in_a_form_and_keeps_the_cookie() {
    let app = app().await;
    let mut visitor = app.visitor();
    let page = visitor.visit("/").await.expect(StatusCode::OK);
    let answer =
        visitor.submit(&page, "/greet?a=1&b=2", &[("name", "Grace")]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(visitor.cookie("name"), Some("Grace"));
    assert!(visitor.follow(answer).await.says("name=Grace"));
    visitor.set_cookie("name", "Mary");
    assert!(visitor.get("/hello").await.says("name=Mary"));
}

#[tokio::test]
async fn a_script_reads_json() {
    let app = app().await;
    let answer = app.script(Some("prk_x")).get("/json").await.expect(StatusCode::OK);
    assert_eq!(answer.text("/a/b"), "c");
    assert_eq!(answer.headers["content-type"], "application/json");
    app.script(None).post("/", json!({})).await.expect(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn every_test_has_its_own_database_and_clock() {
    let (one, two) = tokio::join!(Stage::prepare(), Stage::prepare());
    let mut conn = connect(&one.database.owner()).await;
    crate::kit::database::execute(&mut conn, "create table only_here ()").await;
    let mut conn = connect(&two.database.superuser()).await;
    let exists: bool =
        sqlx::query_scalar("select to_regclass('only_here') is not null").fetch_one(&mut conn).await.unwrap();
    assert!(!exists);
    one.db.ping().await.unwrap();
    one.clock.advance(time::Duration::HOUR);
    assert_eq!(one.clock.now() - two.clock.now(), time::Duration::HOUR);
}

#[tokio::test]
async fn the_mail_sink_keeps_what_it_is_given() {
    let mut sink = MailSink::open().await;
    let sender =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(sink.port()).build();
    let letter = Message::builder()
        .from("gate@example.test".parse().unwrap())
        .to("Ada <ada@example.test>".parse().unwrap())
        .subject("Welcome")
        .body(".a dot at the start\n".to_owned())
        .unwrap();
    sender.send(letter).await.unwrap();
    let kept = sink.next().await;
    assert_eq!(kept.recipients, ["ada@example.test"]);
    assert!(kept.content.contains("Subject: Welcome"));
    assert!(kept.content.contains("\n\n.a dot at the start\n"), "{:?}", kept.content);
}

#[tokio::test]
async fn a_person_clicks_types_and_looks() {
    let Some(browser) = Browser::open().await else {
        return;
    };
    let app = app().await;
    browser.goto(app.origin()).await;
    assert_eq!(browser.title().await, "Trial");
    browser.see("#script", "on").await;
    assert_eq!(browser.attribute("form", "method").await.as_deref(), Some("post"));
    assert!(!browser.has("nav").await);
    browser.fill("input[name=name]", "Grace").await;
    browser.press(&["Tab", "x"]).await;
    assert_eq!(browser.eval("return document.querySelector('textarea').value.length").await, json!(6));
    browser.click("button").await;
    browser.see("h1", "name=Grace").await;
    assert_eq!(browser.url().await, format!("{}/hello", app.origin()));
    browser.finish().await;
}

#[tokio::test]
async fn a_browser_is_bent_to_the_question() {
    let Some(browser) = Browser::open().await else {
        return;
    };
    let app = app().await;
    browser.resize(390, 844).await;
    browser.prefer(Scheme::Dark).await;
    browser.without_script().await;
    browser.goto(app.origin()).await;
    assert_eq!(browser.text("#script").await, "off");
    assert_eq!(browser.eval("return [innerWidth, innerHeight]").await, json!([390, 844]));
    let is_dark = "return matchMedia('(prefers-color-scheme: dark)').matches";
    assert_eq!(browser.eval(is_dark).await, json!(true));
    browser.prefer(Scheme::Light).await;
    assert_eq!(browser.eval(is_dark).await, json!(false));
    assert!(browser.screenshot().await.starts_with(b"\x89PNG"));
    browser.finish().await;
}

#[tokio::test]
async fn axe_and_the_console_tell_what_is_wrong() {
    let Some(browser) = Browser::open().await else {
        return;
    };
    let app = app().await;
    browser.goto(app.origin()).await;
    assert_eq!(browser.axe().await, []);
    browser.goto(&format!("{}/broken", app.origin())).await;
    let rules: Vec<_> = browser.axe().await.into_iter().map(|violation| violation.rule).collect();
    assert!(rules.contains(&"image-alt".to_owned()), "{rules:?}");
    let console = browser.console().await;
    assert!(
        console.iter().any(|(level, text)| level == "SEVERE" && text.contains("nonsense")),
        "{console:?}"
    );
    browser.finish().await;
}

#[tokio::test]
async fn a_passkey_can_be_made_and_used() {
    let Some(browser) = Browser::open().await else {
        return;
    };
    let app = app().await;
    browser.plug_in_passkey().await;
    browser.goto(app.origin()).await;
    browser
        .eval(
            "const bytes = new Uint8Array(16);
            navigator.credentials.create({publicKey: {challenge: bytes, rp: {name: 'Trial'},
                user: {id: bytes, name: 'ada', displayName: 'Ada'}, pubKeyCredParams: [{type: 'public-key', alg: -7}],
                authenticatorSelection: {residentKey: 'required'}}})
            .then(() => navigator.credentials.get({publicKey: {challenge: bytes}}))
            .then(used => { document.title = used.type }, error => { document.title = String(error) })",
        )
        .await;
    browser.wait_for("document.title !== 'Trial'").await;
    assert_eq!(browser.title().await, "public-key");
    browser.finish().await;
}
