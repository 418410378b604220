//! Lists whose address asks for what they cannot do.

use http::StatusCode;
use portreeve::base::permission::Role;

use crate::kit::app::TestApp;

/// Every list of the console that goes on by a cursor, and one of its filters with a value it does not know.
const OF_AN_ORG: [(&str, &str); 7] = [
    ("/o/acme/members", "role=wizard"),
    ("/o/acme/members/invitations", "state=lost"),
    ("/o/acme/teams", "of=nobody"),
    ("/o/acme/teams/crew", ""),
    ("/o/acme/service-accounts", ""),
    ("/o/acme/providers", ""),
    ("/o/acme/api-keys", "state=lost"),
];
const OF_THE_OPERATOR: [(&str, &str); 4] = [
    ("/ops/orgs", "state=lost"),
    ("/ops/outbox", "state=lost"),
    ("/ops/jobs", "state=lost"),
    ("/ops/audit", "kind=wedding"),
];

#[tokio::test]
async fn what_a_list_cannot_use_is_named_on_the_list_itself() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    app.team(&org, "crew").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let mut olga = app.operator("Olga Operator").await.browser;
    let lists =
        OF_AN_ORG.iter().map(|list| (list, false)).chain(OF_THE_OPERATOR.iter().map(|list| (list, true)));
    for ((path, filter), is_ops) in lists {
        let browser = if is_ops { &mut olga } else { &mut ada };
        for (query, words) in [
            ("limit=x", "Limit is a number from 1 to 200; 50 rows are shown."),
            ("limit=0", "Limit is a number from 1 to 200; 50 rows are shown."),
            (
                "cursor=nonsense",
                "Cursor is not one that this list gave; start again without it. This is its start.",
            ),
            (
                "cursor=a&cursor=b",
                "“cursor” stands in the address more than once; leave one of them; the first counts.",
            ),
        ] {
            let page = browser.get(&format!("{path}?{query}")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
            assert!(page.says(words), "{path}?{query}: {}", page.body);
            assert!(page.says("<title>Error: "), "{path}?{query}");
        }
        if let Some((name, value)) = filter.split_once('=') {
            let page =
                browser.get(&format!("{path}?{filter}")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
            assert!(page.says(&format!("There is no {name} “{value}”. Choose one of: ")), "{}", page.body);
            assert!(
                page.body.contains(&format!("href=\"#f-{name}\"")),
                "{path}: the summary leads to the filter"
            );
            assert!(page.body.contains(&format!("id=\"f-{name}\"")), "{path}: the filter is there");
        }
        browser.get(&format!("{path}?limit=10&unknown=1")).await.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn what_was_typed_stays_and_what_can_be_used_is() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    app.member(&org, "Mia Member", Role::Member).await;
    let page = ada.get("/o/acme/members?q=mia&role=wizard").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Mia Member") && !page.says("ada.admin@example.com"), "the search still counts");
    assert_eq!(page.form("").pairs(), [("q", "mia"), ("role", "wizard")]);
    let long = "x".repeat(101);
    let page = ada.get(&format!("/o/acme/members?q={long}")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Search for 100 characters at the most.") && page.says(&long));
    let page = ada.get("/o/acme/api-keys?owner=ghost").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Name a member's id or a service account"));
    assert_eq!(page.form("").pairs(), [("state", ""), ("owner", "ghost")]);
    let page = ada.get("/me/activity?cursor=nonsense").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("This is its start."));
}

#[tokio::test]
async fn an_address_that_cannot_be_read_says_which_part_and_what_to_do() {
    let app = TestApp::start().await;
    let page = app.visitor().get("/login?return_to=%2F&return_to=%2Fme").await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.says("“return_to” stands in the address more than once; leave one of them"),
        "{}",
        page.body
    );
    assert!(page.body.contains("href=\"/login\""), "the way to the page without it");

    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    for (query, name) in [("limit=1&limit=2", "limit"), ("role=wizard", "role")] {
        let answer = key.get(&format!("/api/v1/orgs/acme/members?{query}")).await;
        let answer = answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.text("/code"), "invalid_query");
        assert_eq!(answer.text("/errors/0/path"), name);
    }
}
