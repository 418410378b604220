//! What the door does not tell: whether an address is known.

use http::StatusCode;

use super::sign_in;
use crate::kit::{app::TestApp, database::connect, http::Page};

/// A page without what differs from one request to the next: tokens of forms and the request's id.
pub(super) fn without_tokens(body: &str) -> String {
    let mut words = String::new();
    let mut rest = body;
    while let Some(at) = ["name=\"csrf\" value=\"", "X-CSRF-Token\":\""]
        .iter()
        .filter_map(|m| rest.find(m).map(|at| at + m.len()))
        .min()
    {
        words.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[rest.find('"').unwrap_or(0)..];
    }
    words.push_str(rest);
    words
}

fn headers(page: &Page) -> Vec<(String, String)> {
    let mut headers: Vec<_> = page
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "set-cookie"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    headers
}

/// How many rows each request left behind: of jobs, events and limits.
async fn rows(app: &TestApp) -> (i64, i64, i64) {
    let mut conn = connect(&app.database.superuser()).await;
    let count =
        "select (select count(*) from jobs), (select count(*) from events), (select count(*) from attempts)";
    sqlx::query_as(count).fetch_one(&mut conn).await.unwrap()
}

#[tokio::test]
async fn a_known_and_an_unknown_address_are_refused_alike_with_the_same_rows() {
    let app = TestApp::start().await;
    app.person("Ada Admin").await;
    let mut answers = Vec::new();
    for email in ["ada.admin@example.com", "not.there@example.com"] {
        let before = rows(&app).await;
        let page = sign_in(&mut app.visitor(), email, "not the password").await;
        let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
        let after = rows(&app).await;
        let left = (after.0 - before.0, after.1 - before.1, after.2 - before.2);
        let headers =
            headers(&page).into_iter().filter(|(name, _)| name != "content-length").collect::<Vec<_>>();
        answers.push((without_tokens(&page.body.replace(email, "X")), headers, left.0, left.1));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!((answers[0].2, answers[0].3), (1, 1));
}

#[tokio::test]
async fn the_passkey_question_is_alike_for_everybody() {
    let app = TestApp::start().await;
    let mut browser = app.visitor();
    let csrf = browser.get("/login").await.form("/login").pairs()[0].1.to_owned();
    let mut questions = Vec::new();
    for email in ["ada.admin@example.com", "not.there@example.com"] {
        let page = browser.post("/login/passkey/options", &[("csrf", &csrf), ("email", email)]).await;
        let page = page.expect(StatusCode::OK);
        let mut question: serde_json::Value = serde_json::from_str(&page.body).unwrap();
        assert!(question["publicKey"]["challenge"].take().is_string());
        questions.push(question);
    }
    assert_eq!(questions[0], questions[1]);
    assert!(questions[0]["publicKey"]["allowCredentials"].as_array().is_none_or(Vec::is_empty));
}
