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
    let shapes = app.visitor().get("/api/docs/shapes").await.expect(StatusCode::OK);
    for part in ["id=\"createTeam\"", "href=\"/api/docs/shapes#shape-NewTeam\"", "teams:write"] {
        assert!(page.body.contains(part), "{part}");
    }
    for part in ["id=\"shape-Team\"", "id=\"shape-NewTeam\"", "1 to 100"] {
        assert!(shapes.body.contains(part), "{part}");
    }
    for said in [&page.body, &shapes.body] {
        assert!(
            !said.contains('`') && !said.contains(".:"),
            "marks of the document are shown as what they mean"
        );
        assert!(said.contains("MemberList") && !said.contains("Listed"), "a list is called by what is in it");
    }
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(!page.body.contains("<script>") && !page.body.contains("style="));
}

#[tokio::test]
async fn every_link_within_the_reference_leads_somewhere() {
    let app = TestApp::start().await;
    let page = app.visitor().get("/api/docs").await.expect(StatusCode::OK);
    let shapes = app.visitor().get("/api/docs/shapes").await.expect(StatusCode::OK);
    let leads = |from: &str, begins: &str| -> Vec<String> {
        from.split(begins).skip(1).filter_map(|rest| Some(rest.split('"').next()?.to_owned())).collect()
    };
    let within = "href=\"#";
    let all = [
        (leads(&page.body, within), &page.body),
        (leads(&shapes.body, within), &shapes.body),
        (leads(&page.body, "href=\"/api/docs/shapes#"), &shapes.body),
    ];
    for (anchors, target) in all {
        assert!(anchors.len() > 10);
        for anchor in anchors {
            assert_eq!(target.matches(&format!("id=\"{anchor}\"")).count(), 1, "{anchor}");
        }
    }
}
