//! Name, time zone, colors, shortcuts and the e-mail address.

use http::StatusCode;
use serde_json::json;

use super::{actions, let_proofs_pass, letters, records};
use crate::kit::app::TestApp;

const PROFILE: &str = "/me/profile";

#[tokio::test]
async fn a_person_changes_name_zone_and_shortcuts() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let start = ada.browser.visit("/me").await.expect(StatusCode::OK);
    assert_eq!(start.path, "/me/agents");
    let page = ada.browser.visit(PROFILE).await.expect(StatusCode::OK);
    let fields = [("name", "Ada King"), ("time_zone", "Europe/Berlin"), ("shortcuts", "")];
    let page = ada.browser.submit(&page, PROFILE, &fields).await.expect(StatusCode::SEE_OTHER);
    let page = ada.browser.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Saved.") && page.body.contains("data-zone=\"Europe/Berlin\""));
    assert!(page.body.contains("data-shortcuts=\"off\""));

    let records = records(&app, ada.id).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].action, "profile.changed");
    assert_eq!(
        records[0].before,
        Some(json!({"name": "Ada Lovelace", "shortcuts": true, "time_zone": "UTC"}))
    );
    assert_eq!(
        records[0].after,
        Some(json!({"name": "Ada King", "shortcuts": false, "time_zone": "Europe/Berlin"}))
    );

    let page = ada.browser.submit(&page, PROFILE, &[]).await.expect(StatusCode::SEE_OTHER);
    ada.browser.follow(page).await.expect(StatusCode::OK);
    assert_eq!(actions(&app, ada.id).await, ["profile.changed"]);
}

#[tokio::test]
async fn what_cannot_be_accepted_is_said_beside_the_field_and_kept() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let page = ada.browser.get(PROFILE).await;
    let fields = [("name", "   "), ("time_zone", "Mars/Olympus")];
    let mut form: Vec<(&str, &str)> = Vec::new();
    let offered = page.form(PROFILE);
    form.extend(offered.pairs().into_iter().filter(|(name, _)| matches!(*name, "csrf" | "version")));
    form.extend(fields);
    let page = ada.browser.post(PROFILE, &form).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Enter a name") && page.says("Choose a time zone such as Europe/Berlin"));
    assert!(page.body.contains("<title>Error: Profile"));
    assert!(actions(&app, ada.id).await.is_empty());
}

#[tokio::test]
async fn the_second_of_two_windows_is_told() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await.browser;
    let (first, second) = (ada.get(PROFILE).await, ada.get(PROFILE).await);
    ada.submit(&first, PROFILE, &[("name", "Ada One")]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.submit(&second, PROFILE, &[("name", "Ada Two")]).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Someone else changed this while you were typing") && page.body.contains("Ada Two"));
}

#[tokio::test]
async fn a_theme_is_kept_at_once_and_on_every_page() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let page = ada.browser.get(PROFILE).await.expect(StatusCode::OK);
    assert!(!page.body.contains("<html lang=\"en\" data-theme"));
    let page = ada.browser.submit(&page, "/me/profile/theme", &[("theme", "dark")]).await;
    let page = ada.browser.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("The console is dark now."));
    let mut elsewhere = app.signed_in(ada.id).await;
    let there = elsewhere.get("/me/sessions").await.expect(StatusCode::OK);
    assert!(there.body.contains("<html lang=\"en\" data-theme=\"dark\""));
    let csrf = page.form("/logout");
    let pink: Vec<_> = csrf.pairs().into_iter().chain([("theme", "pink")]).collect();
    let refused = ada.browser.post("/me/profile/theme", &pink).await;
    assert!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Choose system, light or dark"));
    let page = ada.browser.submit(&page, "/me/profile/theme", &[("theme", "system")]).await;
    let page = ada.browser.follow(page).await;
    assert!(!page.body.contains("<html lang=\"en\" data-theme"));
}

#[tokio::test]
async fn nobody_and_no_other_site_changes_a_profile() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let page = ada.browser.get(PROFILE).await;
    let refused = ada.browser.post(PROFILE, &[("name", "Eve"), ("time_zone", "UTC")]).await;
    assert!(refused.expect(StatusCode::CONFLICT).says("This form was opened in another session"));
    let offered = page.form(PROFILE);
    let mut eve = app.person("Eve Elsewhere").await;
    eve.browser.post(PROFILE, &offered.pairs()).await.expect(StatusCode::CONFLICT);
    let answer = app.visitor().post(PROFILE, &offered.pairs()).await.expect(StatusCode::SEE_OTHER);
    assert!(answer.location().unwrap().starts_with("/login"));
    assert!(actions(&app, ada.id).await.is_empty() && actions(&app, eve.id).await.is_empty());
}

/// Asks for the change and gives the path of the link in the letter.
async fn link_to(app: &TestApp, browser: &mut crate::kit::http::Visitor, email: &str) -> String {
    let page = browser.get("/me/email").await.expect(StatusCode::OK);
    let page = browser.submit(&page, "/me/email", &[("email", email)]).await.expect(StatusCode::SEE_OTHER);
    let page = browser.follow(page).await;
    assert!(page.says(&format!("A letter is on its way to {email}.")));
    app.run_jobs().await;
    let mail = app.postbox.mails().into_iter().rfind(|mail| mail.to.as_str() == email).unwrap();
    let at = mail.text.find("/me/email/").unwrap();
    mail.text[at..].split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_address_counts_once_its_link_was_used_and_the_old_one_is_told() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let link = link_to(&app, &mut ada.browser, "ada@engine.example").await;
    assert!(ada.browser.get(PROFILE).await.says("ada.lovelace@example.com"));

    let page = ada.browser.get(&link).await.expect(StatusCode::OK);
    assert!(page.says("ada.lovelace@example.com") && page.says("Move to ada@engine.example"));
    let done = ada.browser.submit(&page, &link, &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.browser.follow(done).await.says("You sign in with ada@engine.example from now on."));
    let told = ("ada.lovelace@example.com".to_owned(), "Your e-mail address was changed".to_owned());
    assert!(letters(&app).await.contains(&told));

    let again = ada.browser.submit(&page, &link, &[]).await.expect(StatusCode::CONFLICT);
    assert!(again.says("This link does not work"));
    let records = records(&app, ada.id).await;
    let seen: Vec<_> = records.iter().map(|record| record.action.as_str()).collect();
    assert_eq!(seen, ["email.change_asked", "email.changed"]);
    assert_eq!(records[1].after, Some(json!({"email": "ada@engine.example"})));
    assert!(!format!("{records:?}").contains("prm_"));
}

#[tokio::test]
async fn a_link_serves_only_its_own_person_for_a_day_and_only_the_newest() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let mut eve = app.person("Eve Elsewhere").await;
    let old = link_to(&app, &mut ada.browser, "ada@engine.example").await;
    let new = link_to(&app, &mut ada.browser, "ada@mill.example").await;
    ada.browser.get(&old).await.expect(StatusCode::CONFLICT);
    eve.browser.get(&new).await.expect(StatusCode::CONFLICT);
    ada.browser.get("/me/email/prm_nonsense").await.expect(StatusCode::CONFLICT);
    ada.browser.get(&new).await.expect(StatusCode::OK);
    app.clock.advance(time::Duration::hours(24));
    let mut later = app.signed_in(ada.id).await;
    later.get(&new).await.expect(StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_address_of_another_account_is_refused_only_to_who_holds_its_mailbox() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    app.person("Eve Elsewhere").await;
    let link = link_to(&app, &mut ada.browser, "eve.elsewhere@example.com").await;
    let page = ada.browser.get(&link).await.expect(StatusCode::OK);
    let page = ada.browser.submit(&page, &link, &[]).await.expect(StatusCode::CONFLICT);
    assert!(page.says("Another account here uses this address."));
    assert_eq!(actions(&app, ada.id).await, ["email.change_asked"]);
}

#[tokio::test]
async fn an_address_is_changed_only_with_a_fresh_proof_and_to_another_one() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await.browser;
    let page = ada.get("/me/email").await.expect(StatusCode::OK);
    for (typed, said) in
        [("ADA.lovelace@example.com", "This is your address already"), ("nonsense", "address")]
    {
        let refused = ada.submit(&page, "/me/email", &[("email", typed)]).await;
        assert!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).says(said));
    }
    let_proofs_pass(&app);
    let asked = ada.get("/me/email").await.expect(StatusCode::SEE_OTHER);
    assert_eq!(asked.location().as_deref(), Some("/prove?return_to=%2Fme%2Femail"));
    let asked = ada.submit(&page, "/me/email", &[("email", "ada@engine.example")]).await;
    assert!(asked.expect(StatusCode::SEE_OTHER).location().unwrap().starts_with("/prove"));
    assert!(letters(&app).await.is_empty());
}
