//! A draft, tried on the calls of the last week.

use http::{Method, StatusCode};
use portreeve::base::{
    actor::Principal,
    crypto::digest,
    ids::{GrantId, ServerId},
    permission::Role,
    risk::Class,
};
use serde_json::{Value, json};
use time::Duration;

use crate::kit::{
    agents::ASKED,
    app::TestApp,
    calls::PlantedCall,
    http::{Answer, Script},
    people::{Person, PlantedOrg},
    upstream::tool,
};

const CREW: &str = "/api/v1/orgs/acme/policies/crew";
const REPLAY: &str = "/api/v1/orgs/acme/policies/crew/replay";

/// An organization whose guardrail is being rewritten, with an agent that calls things.
struct Stage {
    app: TestApp,
    org: PlantedOrg,
    key: Script,
    ada: Person,
    grant: GrantId,
    server: ServerId,
}

impl Stage {
    async fn with(live: Value, draft: Value) -> Self {
        let app = TestApp::start().await;
        let org = app.org("acme").await;
        let ada = app.member(&org, "Ada Admin", Role::Admin).await;
        let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
        let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
        let names = ["get_issue", "create_issue", "delete_issue", "tool-acme"];
        let tools: Vec<_> = names.iter().map(|name| tool(name, "Does it.", &["title"])).collect();
        app.accept_tools(&org, server, &tools).await;
        let (grant, _) = app.grant(&org, Principal::User(ada.id), Class::Financial).await;
        let new = json!({ "name": "Crew", "document": live, "publish": true });
        key.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
        let layers = json!({ "org": "crew" });
        key.send(Method::PUT, "/api/v1/orgs/acme/layers", &[], Some(layers)).await.expect(StatusCode::OK);
        let stage = Self { app, org, key, ada, grant, server };
        stage.draft(draft).await;
        stage
    }

    async fn draft(&self, document: Value) {
        let draft = json!({ "document": document });
        let path = format!("{CREW}/draft");
        self.key.send(Method::PUT, &path, &[], Some(draft)).await.expect(StatusCode::OK);
    }

    fn call(&self, tool: &str) -> PlantedCall {
        PlantedCall::of(self.ada.id, self.grant, self.server, tool)
    }

    async fn called(&self, call: PlantedCall) -> String {
        self.app.recorded_call(&self.org, &call).await.to_string()
    }

    async fn replay(&self, query: &str) -> Answer {
        self.key.post(&format!("{REPLAY}{query}"), json!({})).await.expect(StatusCode::OK)
    }
}

fn document(tools: Value) -> Value {
    json!({ "version": "1", "default": "allow", "tools": tools })
}

fn counts(answer: &Answer) -> [u64; 6] {
    ["newly_denied", "newly_asked", "newly_allowed", "unchanged", "unknown", "left_out"]
        .map(|name| answer.body["counts"][name].as_u64().unwrap())
}

fn events(answer: &Answer) -> Vec<&str> {
    answer.body["items"].as_array().unwrap().iter().map(|item| item["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_call_of_the_week_comes_to_one_thing_and_each_number_opens_its_calls() {
    let live = document(json!({ "delete_issue": { "action": "deny" } }));
    let draft = document(json!({
        "get_issue": { "action": "deny" }, "create_issue": { "action": "require_approval" },
        "class:destructive": { "action": "deny" }, "delete_issue": {},
    }));
    let stage = Stage::with(live, draft).await;
    stage.called(stage.call("get_issue")).await;
    stage.app.clock.advance(Duration::days(8));
    let first = stage.called(stage.call("get_issue")).await;
    stage.app.clock.advance(Duration::HOUR);
    let asked = stage.called(stage.call("create_issue")).await;
    let allowed = stage.called(PlantedCall { is_allowed: false, ..stage.call("delete_issue") }).await;
    let same = stage.called(stage.call("tool-acme")).await;
    let second = stage.called(stage.call("get_issue")).await;
    let gone = stage.called(stage.call("no_such_tool")).await;
    stage.called(PlantedCall { method: "tools/list", ..stage.call("x") }).await;

    let all = stage.replay("").await;
    assert_eq!(counts(&all), [2, 1, 1, 1, 0, 1], "{:?}", all.body);
    assert_eq!((&all.body["calls"], &all.body["ended"]), (&json!(6), &Value::Null));
    assert_eq!(all.body["counts"]["flagged"], json!(1), "a tool that deletes is newly allowed");
    assert_eq!(events(&all), [&second, &allowed, &asked, &first]);
    let item = &all.body["items"][1];
    assert_eq!((&item["before"]["verdict"], &item["after"]["verdict"]), (&json!("deny"), &json!("allow")));
    assert_eq!(
        (&item["before"]["rule"], &item["flagged"]),
        (&json!("/tools/delete_issue/action"), &json!(true))
    );
    assert_eq!(
        (&item["person"], &item["agent"], &item["tool"]),
        (&json!("Ada Admin"), &json!("Test agent"), &json!("delete_issue"))
    );
    let affected = &all.body["affected"];
    assert_eq!((&affected["people"], &affected["agents"]), (&json!(1), &json!(1)));
    let agent = &affected["named"][0];
    assert_eq!(
        (&agent["newly_denied"], &agent["newly_asked"], &agent["newly_allowed"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(
        all.body["left_out"],
        json!([{ "reason": "tool_unknown", "message": "The server has no such tool.", "calls": 1 }])
    );

    for (outcome, wanted) in [
        ("newly_denied", vec![&second, &first]),
        ("newly_asked", vec![&asked]),
        ("newly_allowed", vec![&allowed]),
        ("unchanged", vec![&same]),
        ("unknown", vec![]),
        ("left_out", vec![&gone]),
    ] {
        assert_eq!(events(&stage.replay(&format!("?outcome={outcome}")).await), wanted, "{outcome}");
    }
    let page = stage.replay("?limit=1").await;
    let cursor = page.text("/next_cursor").to_owned();
    stage.called(stage.call("get_issue")).await;
    let next = stage.replay(&format!("?limit=2&cursor={cursor}")).await;
    assert_eq!(events(&next), [&allowed, &asked], "what was called since moves nothing");
    assert_eq!(counts(&next), counts(&page));
    let last = stage.replay(&format!("?limit=2&cursor={}", next.text("/next_cursor"))).await;
    assert_eq!((events(&last), &last.body["next_cursor"]), (vec![first.as_str()], &Value::Null));
}

#[tokio::test]
async fn what_depends_on_arguments_is_told_only_where_an_approval_kept_them() {
    let rule = |words: &str| json!({ "deny_if": [{ "conditions": [{ "path": "args.title", "op": "eq", "value": words }] }] });
    let live = document(json!({ "get_issue": rule("secret") }));
    let draft = document(
        json!({ "get_issue": rule("secret"), "tool-acme": rule("hello"), "create_issue": rule("x") }),
    );
    let stage = Stage::with(live, draft).await;
    stage.app.approval(&stage.org, stage.grant, stage.server).await;
    stage.app.approval_of(&stage.org, stage.grant, stage.server, [8; 32]).await;
    let given = |digest| PlantedCall { arguments: Some(digest), ..stage.call("tool-acme") };
    let kept = stage.called(given(digest::sha256(ASKED))).await;
    let masked = stage.called(given([8; 32])).await;
    let lost = stage.called(PlantedCall { arguments: Some([9; 32]), ..stage.call("create_issue") }).await;
    let refused = stage.called(PlantedCall { is_allowed: false, ..stage.call("create_issue") }).await;
    stage.called(stage.call("create_issue")).await;
    stage.called(PlantedCall { arguments: Some([9; 32]), ..stage.call("get_issue") }).await;
    let all = stage.replay("").await;
    assert_eq!(counts(&all), [1, 0, 0, 2, 3, 0], "{:?}", all.body);
    assert_eq!(events(&all), [&kept]);
    assert_eq!(all.text("/items/0/after/rule"), "/tools/tool-acme/deny_if/0");
    assert_eq!(events(&stage.replay("?outcome=unknown").await), [&refused, &lost, &masked]);
    // Who may not read what waits for a human does not learn of its arguments by trying.
    let scopes = ["policies:read", "audit:read"];
    let other = stage.app.key_of(&stage.org, stage.ada.id, Role::Admin, &scopes).await;
    let less = other.post(REPLAY, json!({})).await.expect(StatusCode::OK);
    assert_eq!(counts(&less), [0, 0, 0, 2, 4, 0]);
}

#[tokio::test]
async fn a_call_is_judged_as_it_was_made() {
    let at = stage_clock_rule();
    let draft = document(json!({
        "get_issue": { "deny_if": [
            { "conditions": [{ "path": "ip", "op": "cidr", "value": "198.51.100.0/24" }] },
            { "conditions": [{ "path": "client.name", "op": "eq", "value": "cursor" }] },
            at,
        ] },
    }));
    let stage = Stage::with(document(json!({})), draft).await;
    // It is noon.
    stage.called(stage.call("get_issue")).await;
    let far = stage.called(PlantedCall { ip: "198.51.100.9", ..stage.call("get_issue") }).await;
    let cursor = stage.called(PlantedCall { client: "cursor", ..stage.call("get_issue") }).await;
    stage.app.clock.advance(Duration::hours(8));
    let late = stage.called(stage.call("get_issue")).await;
    stage.app.clock.advance(Duration::hours(15));
    let all = stage.replay("").await;
    assert_eq!(events(&all), [&late, &cursor, &far], "{:?}", all.body);
    assert_eq!(counts(&all), [3, 0, 0, 1, 0, 0]);
}

/// Nothing after seven in the evening.
fn stage_clock_rule() -> Value {
    json!({ "conditions": [{ "path": "time", "op": "gte", "value": "19:00" }] })
}

#[tokio::test]
async fn calls_that_nobody_could_make_now_are_left_out_with_the_reason() {
    let draft = document(json!({ "get_issue": { "action": "deny" } }));
    let stage = Stage::with(document(json!({})), draft).await;
    let (other, _) = stage.app.grant(&stage.org, Principal::User(stage.ada.id), Class::Read).await;
    let leaver = stage.app.member(&stage.org, "Lea Leaver", Role::Member).await;
    let (theirs, _) = stage.app.grant(&stage.org, Principal::User(leaver.id), Class::Read).await;
    stage.called(stage.call("get_issue")).await;
    stage.called(PlantedCall { grant: other, ..stage.call("get_issue") }).await;
    stage.called(PlantedCall { grant: theirs, user: leaver.id, ..stage.call("get_issue") }).await;
    stage.called(PlantedCall { grant: GrantId::fresh(), ..stage.call("get_issue") }).await;
    stage.called(PlantedCall { server: ServerId::fresh(), ..stage.call("get_issue") }).await;
    let revoke = format!("/api/v1/orgs/acme/grants/{other}/revoke");
    stage.key.post(&revoke, json!({})).await.expect(StatusCode::OK);
    let member = format!("/api/v1/orgs/acme/members/{}", leaver.id);
    stage.key.send(Method::DELETE, &member, &[], None).await;
    let all = stage.replay("").await;
    assert_eq!(counts(&all), [1, 0, 0, 0, 0, 4], "{:?}", all.body);
    let reasons: Vec<_> =
        all.body["left_out"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert!(reasons.contains(&"grant_gone") && reasons.contains(&"server_gone"), "{reasons:?}");
    let left = stage.replay("?outcome=left_out").await;
    assert_eq!(left.body["items"][0]["left_out"], json!("server_gone"));
}

#[tokio::test]
async fn other_layers_and_policies_that_have_no_say_are_respected() {
    let stage = Stage::with(document(json!({})), document(json!({ "get_issue": {} }))).await;
    stage.called(stage.call("get_issue")).await;
    // A server's baseline denies it, whatever the guardrail says.
    let locked = json!({ "version": "1", "default": "deny" });
    let new = json!({ "name": "Locked", "document": locked, "publish": true });
    stage.key.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
    let layers = json!({ "org": "crew", "servers": { "github": "locked" } });
    let put = |layers| stage.key.send(Method::PUT, "/api/v1/orgs/acme/layers", &[], Some(layers));
    put(layers).await.expect(StatusCode::OK);
    stage.draft(json!({ "version": "1", "default": "require_approval" })).await;
    assert_eq!(counts(&stage.replay("").await), [0, 0, 0, 1, 0, 0], "it is denied all the same");
    put(json!({})).await.expect(StatusCode::OK);
    let nowhere = stage.replay("").await;
    assert_eq!((&nowhere.body["in_force"], &nowhere.body["counts"]["outside"]), (&json!(false), &json!(1)));
    assert_eq!(counts(&nowhere), [0, 0, 0, 1, 0, 0]);
}

#[tokio::test]
async fn names_and_calls_are_for_readers_of_the_log_and_limits_are_only_named() {
    let limit = json!({ "counter": "n", "window": "hour", "max": 1, "scope": "grant" });
    let draft = document(json!({ "get_issue": { "action": "deny" }, "create_issue": { "limits": [limit] } }));
    let stage = Stage::with(document(json!({})), draft).await;
    stage.called(stage.call("get_issue")).await;
    let few = stage.app.key_of(&stage.org, stage.ada.id, Role::Admin, &["policies:read"]).await;
    let counted = few.post(REPLAY, json!({})).await.expect(StatusCode::OK);
    assert_eq!(counts(&counted), [1, 0, 0, 0, 0, 0]);
    assert_eq!((&counted.body["affected"], &counted.body["items"]), (&Value::Null, &json!([])));
    assert_eq!(counted.body["limits"], json!({ "all": 1, "new": 1 }));
    let sent = json!({ "document": document(json!({})) });
    few.post(REPLAY, sent.clone()).await.expect(StatusCode::FORBIDDEN);
    let tried = stage.key.post(REPLAY, sent).await.expect(StatusCode::OK);
    assert_eq!((tried.text("/tried"), counts(&tried)), ("document", [0, 0, 0, 1, 0, 0]));
    let wrong = json!({ "document": { "version": "2" } });
    let wrong = stage.key.post(REPLAY, wrong).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.text("/code"), "invalid_document");
    stage.key.send(Method::DELETE, &format!("{CREW}/draft"), &[], None).await.expect(StatusCode::OK);
    let none = stage.key.post(REPLAY, json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(none.text("/code"), "no_draft");
}

#[tokio::test]
async fn a_replay_of_very_many_calls_stops_and_says_so() {
    let draft = document(json!({ "get_issue": { "action": "deny" } }));
    let stage = Stage::with(document(json!({})), draft).await;
    stage.called(stage.call("get_issue")).await;
    let more = "insert into events (org_id, seq, id, at, kind, action, actor_kind, actor_id, actor_name, user_id,
            decision, request_id, ip, record, prev_hash, hash)
        select org_id, seq + n, gen_random_uuid(), at, kind, action, actor_kind, actor_id, actor_name, user_id,
            decision, request_id, ip, record, prev_hash, hash
        from (select * from events where kind = 'call' order by seq desc limit 1) e, generate_series(1, 50100) n";
    stage.app.change(more).await;
    let all = stage.replay("").await;
    assert!(all.body["ended"].is_string() && all.body["reaches"].is_string(), "{:?}", all.body["ended"]);
    assert!(all.body["calls"].as_u64().unwrap() <= 50_000);
    assert_eq!(all.body["counts"]["newly_denied"], all.body["calls"]);
}

#[tokio::test]
async fn the_page_shows_the_figures_and_their_calls_and_the_strip_alone_where_script_asks() {
    let draft = document(json!({ "get_issue": { "action": "deny" } }));
    let mut stage = Stage::with(document(json!({})), draft).await;
    let event = stage.called(stage.call("get_issue")).await;
    let page = stage.ada.browser.visit("/o/acme/policies/crew/replay").await;
    assert!(page.body.contains("newly denied") && page.body.contains("1 person and 1 agent would notice."));
    assert!(page.body.contains(&format!("/o/acme/audit/{event}")), "{}", page.body);
    let other = stage.ada.browser.visit("/o/acme/policies/crew/replay?outcome=newly_allowed").await;
    assert!(other.body.contains("No call of the last week comes to this."));
    let wrong = stage.ada.browser.get("/o/acme/policies/crew/replay?outcome=all").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}
