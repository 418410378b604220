//! The API reference as a page.

use http::StatusCode;

use crate::kit::app::TestApp;

#[tokio::test]
async fn the_reference_shows_every_operation_to_anyone_and_needs_no_script() {
    let app = TestApp::start().await;
    let page = app.visitor().get("/api/docs").await.expect(StatusCode::OK);
    for operation in portreeve::web::routes().operations() {
        assert!(
            page.body.contains(&format!("<code>{}</code>", operation.full_path())),
            "{}",
            operation.full_path()
        );
    }
    for part in
        ["id=\"createTeam\"", "id=\"shape-Team\"", "href=\"#shape-NewTeam\"", "teams:write", "1 to 100"]
    {
        assert!(page.body.contains(part), "{part}");
    }
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(!page.body.contains("<script>") && !page.body.contains("style="));
}

#[tokio::test]
async fn every_link_within_the_reference_leads_somewhere() {
    let app = TestApp::start().await;
    let page = app.visitor().get("/api/docs").await.expect(StatusCode::OK);
    let anchors: Vec<&str> =
        page.body.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(anchors.len() > 10);
    for anchor in anchors {
        assert_eq!(page.body.matches(&format!("id=\"{anchor}\"")).count(), 1, "{anchor}");
    }
}
