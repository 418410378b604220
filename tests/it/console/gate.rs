//! The gate on its page and around every other.

use http::StatusCode;
use portreeve::{
    base::{
        permission::Role,
        trace::{Step, Trace},
    },
    domain::audit::{self, CallPart, Decision, Entry, Who},
};
use time::Duration;

use crate::kit::app::TestApp;

const GATE: &str = "/o/acme/gate";

#[tokio::test]
async fn a_closed_gate_is_seen_by_everybody_at_the_next_request() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let mut bob = app.member(&org, "Bob Boss", Role::Owner).await.browser;
    let epoch = epoch(&app, &org).await;

    let page = ada.get(GATE).await.expect(StatusCode::OK);
    assert!(page.says("The gate is open") && page.says("agents of 2 people and 0 service accounts"));
    let page = ada.submit(&page, "/o/acme/gate/close", &[("reason", "Leaked token, see #ops")]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("The gate is closed") && page.says("Gate closed"));
    let page = bob.get("/o/acme/teams").await.expect(StatusCode::OK);
    assert!(page.says("The gate was closed by Ada Admin") && page.says("Leaked token, see #ops"));
    assert!(self::epoch(&app, &org).await > epoch);

    let page = bob.get(GATE).await;
    let page = bob.submit(&page, "/o/acme/gate/open", &[]).await;
    let page = bob.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("The gate is open. Policies decide again."));
    assert!(!ada.get("/o/acme/teams").await.says("The gate was closed"));
    assert_eq!(app.recorded(&org).await, ["gate.closed", "gate.opened"]);
}

#[tokio::test]
async fn the_rail_tells_the_traffic_to_who_may_see_the_gate() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    let quiet = ada.get("/o/acme/teams").await.expect(StatusCode::OK);
    assert!(
        quiet.says("No calls in the last hour") && !quiet.body.contains("class=\"spark\""),
        "{}",
        quiet.body
    );
    let call = |action| {
        let part = CallPart::new(Trace::passed(Step::Record));
        Entry::call(action, &Who::system("test"), part)
    };
    let calls = vec![
        call("call.allowed").ended(Decision::Allowed),
        call("call.answered"),
        call("call.refused").refused(),
    ];
    audit::commit(app.org_tx(org.id).await, app.clock.now(), calls).await.unwrap();
    let busy = ada.get("/o/acme/teams").await;
    assert!(busy.says("2 calls in the last minute"), "an answer is no call of its own: {}", busy.body);
    assert!(busy.body.contains("points=\"0,21 3,21 ") && busy.body.contains(" 177,1\""), "{}", busy.body);
    assert!(!mia.get("/o/acme/roles").await.says("calls in the last"));
    app.clock.advance(Duration::minutes(2));
    assert!(ada.get("/o/acme/teams").await.says("No calls in the last minute"));
    app.clock.advance(Duration::hours(1));
    assert!(ada.get("/o/acme/teams").await.says("No calls in the last hour"));
}

async fn epoch(app: &TestApp, org: &crate::kit::people::PlantedOrg) -> i64 {
    use portreeve::io::db::Tx;
    let mut tx = app.org_tx(org.id).await;
    let org = portreeve::domain::tenancy::store::orgs::find(&mut tx).await.unwrap().unwrap();
    tx.done().await.unwrap();
    org.epoch
}

#[tokio::test]
async fn it_closes_only_with_a_reason_that_fits() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    for reason in ["  ", &"x".repeat(501)] {
        let page = ada.get(GATE).await;
        let page = ada.submit(&page, "/o/acme/gate/close", &[("reason", reason)]).await;
        assert!(page.expect(StatusCode::UNPROCESSABLE_ENTITY).body.contains("<title>Error: Gate"));
    }
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn of_two_who_move_it_at_once_the_second_is_told() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let mut bob = app.member(&org, "Bob Boss", Role::Owner).await.browser;
    let (hers, his) = (ada.get(GATE).await, bob.get(GATE).await);
    let close = "/o/acme/gate/close";
    let fields = [("reason", "stop")];
    let (one, two) = tokio::join!(ada.submit(&hers, close, &fields), bob.submit(&his, close, &fields));
    let mut statuses = [one.status, two.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::UNPROCESSABLE_ENTITY]);
    // Whoever was told may send it again, now knowing; what stands so already is no second event.
    let told = if one.status == StatusCode::UNPROCESSABLE_ENTITY { one } else { two };
    assert!(told.says("Someone else changed this while you were typing"));
    assert_eq!(app.recorded(&org).await, ["gate.closed"]);
}

#[tokio::test]
async fn those_who_may_not_move_it_still_see_that_it_is_closed() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let page = ada.get(GATE).await;
    ada.submit(&page, "/o/acme/gate/close", &[("reason", "stop")]).await.expect(StatusCode::SEE_OTHER);
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    mia.get(GATE).await.expect(StatusCode::FORBIDDEN);
    let page = mia.get("/o/acme/jump").await.expect(StatusCode::OK);
    assert!(page.says("The gate was closed by Ada Admin"));
    assert!(!page.body.contains("href=\"/o/acme/gate\"") && !page.body.contains("href=\"\""));
    let mut eve = app.person("Eve Elsewhere").await.browser;
    eve.get(GATE).await.expect(StatusCode::NOT_FOUND);
}
