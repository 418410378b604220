//! The suggested policy on its page: what it does with each tool and why, adopted with a click, or begun from.

use http::StatusCode;
use portreeve::base::permission::Role;
use serde_json::json;

use crate::kit::{
    app::TestApp,
    browser::Browser,
    http::Visitor,
    people::PlantedOrg,
    upstream::{Speaks, Upstream, tool},
};

const ONE: &str = "/o/acme/servers/fake/suggested";
const ADOPT: &str = "/o/acme/servers/fake/suggested/adopt";
const NEW: &str = "/o/acme/policies/new";

async fn acme(app: &TestApp) -> (PlantedOrg, Visitor) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    (org, ada)
}

async fn fake(app: &TestApp, org: &PlantedOrg, url: &str) {
    let server = app.server_at(org, "fake", url).await;
    let tools = ["get_issue", "create_issue", "run_job", "delete_repo", "create_refund", "execute_sql"];
    app.accept_tools(org, server, &tools.map(|name| tool(name, "", &[]))).await;
}

#[tokio::test]
async fn a_server_that_was_added_leads_to_its_policy_which_a_click_puts_in_force() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let upstream =
        Upstream::offering(Speaks::Modern, vec![tool("get_a", "", &[]), tool("drop_b", "", &[])]).await;
    let new = "/o/acme/servers/new";
    let page = ada.get(new).await.expect(StatusCode::OK);
    let page = ada.submit(&page, new, &[("url", &upstream.url()), ("name", "Fake")]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(
        page.says("This server has no policy of its own yet") && page.body.contains(&format!("\"{ONE}\""))
    );

    let page = ada.get(ONE).await.expect(StatusCode::OK);
    for words in [
        "Fake has no policy of its own today.",
        "1 Hidden",
        "1 Allowed",
        "Its name says “drop”.",
        "denied until somebody accepts it",
        "class:destructive",
    ] {
        assert!(page.says(words), "{words}: {}", page.body);
    }
    let adopted = ada.submit(&page, ADOPT, &[]).await.expect(StatusCode::SEE_OTHER);
    let policy = ada.follow(adopted).await.expect(StatusCode::OK);
    assert!(policy.says("Fake baseline is the baseline now. It holds from the next call on."));
    assert!(policy.says("Version 1") && policy.path.ends_with("/policies/fake-baseline"));
    // The same form, sent twice.
    let again = ada.submit(&page, ADOPT, &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.follow(again).await.says("Fake baseline says this already. Nothing was changed."));
    let page = ada.get(ONE).await.expect(StatusCode::OK);
    assert!(page.says("This is in force") && page.forms(ADOPT).is_empty());
    assert!(!ada.get("/o/acme/servers/fake").await.says("This server has no policy of its own yet"));
    let recorded = app.recorded(&org).await;
    assert_eq!(recorded[recorded.len() - 3..], ["policy.created", "policy.published", "layers.changed"]);
}

#[tokio::test]
async fn where_a_policy_stands_the_difference_is_told_and_a_draft_is_made() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    fake(&app, &org, "https://192.0.2.7/mcp").await;
    let page = ada.get(NEW).await.expect(StatusCode::OK);
    let page = ada.submit(&page, NEW, &[("name", "Crew"), ("starter", "read-only")]).await;
    ada.follow(page.expect(StatusCode::SEE_OTHER)).await.expect(StatusCode::OK);
    let publish = "/o/acme/policies/crew/publish";
    let page = ada.get(publish).await;
    ada.submit(&page, publish, &[]).await.expect(StatusCode::SEE_OTHER);
    let layers = "/o/acme/policies/layers";
    let page = ada.get(layers).await.expect(StatusCode::OK);
    ada.submit(&page, layers, &[("server:fake", "crew")]).await.expect(StatusCode::SEE_OTHER);

    let page = ada.get(ONE).await.expect(StatusCode::OK);
    for words in [
        "Another policy stands here",
        "is no longer hidden; its rules hold.",
        "Lets more pass",
        "Adopt as a draft",
        "Today: hidden",
    ] {
        assert!(page.says(words), "{words}: {}", page.body);
    }
    let page = ada.submit(&page, ADOPT, &[]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("It is a draft of Crew now. Nothing in force changes until it is published."));
    assert!(page.says("Version 1") && page.says("Draft"));
    let page = ada.get("/o/acme/policies/layers").await;
    assert!(page.body.contains("value=\"crew\" selected"), "{}", page.body);
}

#[tokio::test]
async fn what_was_not_seen_is_not_adopted_and_only_writers_of_policies_see_the_button() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    fake(&app, &org, "https://mcp.supabase.com/mcp").await;
    let page = ada.get(ONE).await.expect(StatusCode::OK);
    assert!(page.says("It runs any SQL, which may delete data.") && page.says("This is Supabase"));
    let class = "/o/acme/servers/fake/tools/execute_sql";
    let tool = ada.get(class).await.expect(StatusCode::OK);
    let fields = [("class", "destructive"), ("reason", "It dropped a table.")];
    ada.submit(&tool, &format!("{class}/class"), &fields).await.expect(StatusCode::SEE_OTHER);
    ada.submit(&page, ADOPT, &[]).await.expect(StatusCode::PRECONDITION_FAILED);
    let mut pia = app.member(&org, "Pia Policy", Role::PolicyManager).await.browser;
    let page = pia.get(ONE).await.expect(StatusCode::OK);
    assert!(page.says("Set by a person. It dropped a table."), "{}", page.body);
    pia.submit(&page, ADOPT, &[]).await.expect(StatusCode::SEE_OTHER);
    for role in [Role::Member, Role::Approver, Role::Auditor] {
        let mut person = app.member(&org, role.label(), role).await.browser;
        person.get(ONE).await.expect(StatusCode::FORBIDDEN);
    }
    app.server_at(&org, "empty", "https://192.0.2.8/mcp").await;
    let page = ada.get("/o/acme/servers/empty/suggested").await.expect(StatusCode::OK);
    assert!(
        page.says("Nothing can be suggested yet")
            && page.forms("/o/acme/servers/empty/suggested/adopt").is_empty()
    );
}

#[tokio::test]
async fn a_new_policy_begins_from_a_servers_classes() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    fake(&app, &org, "https://mcp.supabase.com/mcp").await;
    let page = ada.get(&format!("{NEW}?server=fake&starter=from-classes")).await.expect(StatusCode::OK);
    assert!(page.says("From a server’s classes"));
    let page = ada.submit(&page, NEW, &[("name", "Mine")]).await.expect(StatusCode::SEE_OTHER);
    ada.follow(page).await.expect(StatusCode::OK);
    let text = ada.get("/o/acme/policies/mine/json").await.expect(StatusCode::OK);
    assert!(text.says("\"execute_sql\"") && text.says("\"class:financial\""), "{}", text.body);
    let page = ada.get(NEW).await.expect(StatusCode::OK);
    let page = ada.submit(&page, NEW, &[("name", "Any"), ("starter", "from-classes")]).await;
    ada.follow(page.expect(StatusCode::SEE_OTHER)).await.expect(StatusCode::OK);
    let text = ada.get("/o/acme/policies/any/json").await.expect(StatusCode::OK);
    assert!(text.says("\"class:financial\"") && !text.says("execute_sql"));
    assert_eq!(app.recorded(&org).await, ["policy.created", "policy.created"]);
}

#[tokio::test]
async fn it_is_adopted_in_a_browser_without_script() {
    let Some(browser) = Browser::open().await else {
        return;
    };
    let app = TestApp::start().await;
    let (org, ada) = acme(&app).await;
    fake(&app, &org, "https://mcp.supabase.com/mcp").await;
    let session = ada.cookie("portreeve_session").unwrap();
    let cookie = json!({ "name": "portreeve_session", "value": session, "url": app.origin() });
    browser.cdp("Network.setCookie", cookie).await;
    browser.resize(1440, 900).await;
    browser.goto(&format!("{}{ONE}", app.origin())).await;
    assert_eq!(browser.axe().await, []);
    browser.without_script().await;
    browser.goto(&format!("{}{ONE}", app.origin())).await;
    browser.click(".acts .btn-p").await;
    browser.see("h1", "fake baseline").await;
    browser.finish().await;
}
