//! Whose secrets a call carries, and what an agent is told where one is not there.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use portreeve::{
    base::{
        actor::Principal,
        ids::{SecretId, TeamId, UserId},
        permission::{Role, TeamRole},
        risk::Class,
        trace::{Step, StepState},
    },
    domain::{
        audit::{self, Unrecorded},
        secrets::SecretOwner,
        tenancy::store::teams,
    },
};
use serde_json::{Value, json};

use crate::{
    kit::{
        app::TestApp,
        fake_server::{Act, Asked, Script as Wire},
        http::Script,
    },
    proxy::stage::{Agent, Reply, Stage, usual},
};

const MAP: &str = "/api/v1/orgs/acme/servers/github/credentials";

/// A stage whose server is sent secrets, with a script of an admin.
struct Served {
    stage: Stage,
    admin: UserId,
    key: Script,
}

impl Served {
    async fn by(map: Value) -> Self {
        let served = Self::over(Stage::with_ceiling(Class::Write).await).await;
        served.map(map).await;
        served
    }

    async fn over(stage: Stage) -> Self {
        let admin = stage.app.member(&stage.org, "Ada Admin", Role::Admin).await;
        let key = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
        Self { stage, admin: admin.id, key }
    }

    /// What requests to the server carry from now on.
    async fn map(&self, map: Value) {
        self.key.send(Method::PUT, MAP, &[], Some(map)).await.expect(StatusCode::OK);
    }

    async fn secret(&self, owner: SecretOwner, name: &str, value: &str) -> SecretId {
        self.stage.app.secret(&self.stage.org, owner, name, value).await
    }

    /// An agent of somebody else.
    async fn agent_of(&self, principal: Principal) -> Agent {
        let (_, token) = self.stage.app.grant(&self.stage.org, principal, Class::Write).await;
        self.stage.agent.carrying(&token)
    }

    /// What the last request to the server carried in a header.
    fn carried(&self, header: &str) -> Option<String> {
        self.stage.reached().last().and_then(|asked| asked.header(header).map(str::to_owned))
    }

    async fn team(&self, slug: &str, person: Option<UserId>) -> TeamId {
        let team = self.stage.app.team(&self.stage.org, slug).await;
        if let Some(person) = person {
            let mut tx = self.stage.app.org_tx(self.stage.org.id).await;
            let now = self.stage.app.clock.now();
            let _ = teams::add_member(&mut tx, team, person, TeamRole::Member, now).await.unwrap();
            audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        }
        team
    }

    async fn rotate(&self, id: SecretId, value: &str) {
        let path = format!("/api/v1/orgs/acme/secrets/{id}/rotate");
        self.key.post(&path, json!({ "value": value })).await.expect(StatusCode::OK);
    }

    async fn destroy(&self, id: SecretId) {
        let path = format!("/api/v1/orgs/acme/secrets/{id}?confirm=true");
        self.key.send(Method::DELETE, &path, &[], None).await.expect(StatusCode::NO_CONTENT);
    }
}

/// A header that is filled from a secret.
fn header(source: &str, secret: &str) -> Value {
    json!([{ "target": "header", "name": "X-Token", "source": source, "secret": secret, "template": "Bearer {value}" }])
}

/// Checks that a call was refused for want of a secret, and says what the agent reads.
fn lacking(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let result = reply.json()["result"].clone();
    assert_eq!(result["isError"], true, "{reply:?}");
    let words = reply.words();
    let decision = &result["_meta"]["portreeve/decision"];
    assert_eq!(decision["code"], "secret_missing");
    assert!(words.starts_with("[CONNECT ACCOUNT] "), "{words}");
    assert!(words.ends_with(decision["url"].as_str().unwrap()) && words.contains("/c/req_"), "{words}");
    words
}

#[tokio::test]
async fn two_people_are_served_their_own_values_at_the_same_time() {
    let served = Served::by(header("user_secret", "github_token")).await;
    let bob = served.stage.app.member(&served.stage.org, "Bob Builder", Role::Member).await;
    let bobs = served.agent_of(Principal::User(bob.id)).await;
    served.secret(SecretOwner::User(served.stage.person), "github_token", "value-of-agent").await;
    served.secret(SecretOwner::User(bob.id), "github_token", "value-of-bob").await;
    let call = |agent: Agent, title: &'static str| async move {
        let params = json!({ "name": "get_issue", "arguments": { "title": title } });
        assert_eq!(agent.ask("tools/call", params).await.words(), "done");
    };
    let (first, second) = (&served.stage.agent, &bobs);
    join_all(
        (0..24).map(|n| if n % 2 == 0 { call(first.clone(), "agent") } else { call(second.clone(), "bob") }),
    )
    .await;
    let reached = served.stage.reached();
    assert_eq!(reached.len(), 24);
    for asked in reached {
        let whose = if String::from_utf8_lossy(&asked.body).contains("\"bob\"") { "bob" } else { "agent" };
        assert_eq!(asked.header("x-token"), Some(format!("Bearer value-of-{whose}").as_str()));
    }
}

#[tokio::test]
async fn a_rotated_value_is_sent_by_the_next_call_and_a_destroyed_one_by_none_on_any_replica() {
    let served = Served::by(header("user_secret", "own")).await;
    let (app, org, person) = (&served.stage.app, &served.stage.org, served.stage.person);
    let shared = served.secret(SecretOwner::Org, "shared", "shared-1").await;
    served
        .map(json!([
            { "target": "header", "name": "X-Token", "source": "user_secret", "secret": "own" },
            { "target": "query", "name": "all", "source": "org_secret", "secret": "shared", "template": "of-{value}" },
        ]))
        .await;
    let bobs = app.key_of(org, person, Role::Member, &["*"]).await;
    let own = served.secret(SecretOwner::User(person), "own", "own-1").await;
    let replica = TestApp::beside(app).await;
    let elsewhere = served.stage.agent.at(&format!("{}/mcp/acme/github", replica.origin()));
    let expect = |token: &str, all: &str| {
        let asked = served.stage.reached().pop().unwrap();
        assert_eq!(asked.header("x-token"), Some(token));
        assert!(asked.path.ends_with(&format!("all=of-{all}")), "{}", asked.path);
    };
    for agent in [&served.stage.agent, &elsewhere] {
        assert_eq!(agent.call("get_issue").await.words(), "done");
        expect("own-1", "shared-1");
    }
    served.rotate(shared, "shared-2").await;
    let path = format!("/api/v1/orgs/acme/secrets/{own}/rotate");
    bobs.post(&path, json!({ "value": "own-2" })).await.expect(StatusCode::OK);
    for agent in [&elsewhere, &served.stage.agent] {
        assert_eq!(agent.call("get_issue").await.words(), "done");
        expect("own-2", "shared-2");
    }
    let path = format!("/api/v1/orgs/acme/secrets/{own}?confirm=true");
    bobs.send(Method::DELETE, &path, &[], None).await.expect(StatusCode::NO_CONTENT);
    for agent in [&elsewhere, &served.stage.agent] {
        assert!(lacking(&agent.call("get_issue").await).contains("own"));
    }
    served.secret(SecretOwner::User(person), "own", "own-3").await;
    assert_eq!(elsewhere.call("get_issue").await.words(), "done");
    served.destroy(shared).await;
    for agent in [&elsewhere, &served.stage.agent] {
        assert!(lacking(&agent.call("get_issue").await).contains("the organization's secret shared"));
    }
    assert_eq!(served.stage.reached().len(), 5, "nothing left without its values");
}

#[tokio::test]
async fn of_several_teams_the_first_by_slug_serves_and_only_its_members() {
    let served = Served::by(header("team_secret", "crew_token")).await;
    let person = served.stage.person;
    let words = lacking(&served.stage.agent.call("get_issue").await);
    assert!(words.contains("no team of Ada Agent has one"), "{words}");
    let late = served.team("zulu", Some(person)).await;
    let first = served.team("alpha", Some(person)).await;
    let others = served.team("aaa", None).await;
    for (team, value) in [(late, "of-zulu"), (first, "of-alpha"), (others, "of-others")] {
        served.secret(SecretOwner::Team(team), "crew_token", value).await;
    }
    let call = async |agent: &Agent| {
        assert_eq!(agent.call("get_issue").await.words(), "done");
        served.carried("x-token").unwrap()
    };
    assert_eq!(call(&served.stage.agent).await, "Bearer of-alpha");
    let of_team = served.agent_of(Principal::Team(others)).await;
    assert_eq!(call(&of_team).await, "Bearer of-others");
    let place = format!("/api/v1/orgs/acme/teams/alpha/members/{person}");
    served.key.send(Method::DELETE, &place, &[], None).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(call(&served.stage.agent).await, "Bearer of-zulu");
    served
        .key
        .send(Method::DELETE, "/api/v1/orgs/acme/teams/aaa", &[], None)
        .await
        .expect(StatusCode::NO_CONTENT);
    assert_eq!(of_team.call("get_issue").await.status, StatusCode::UNAUTHORIZED);
    let left = served.stage.app.number("select count(*) from secrets").await;
    assert_eq!(left, 2, "a team's secrets go with it");
}

#[tokio::test]
async fn who_acts_for_no_person_is_told_so_and_nothing_is_sent() {
    let served = Served::by(header("user_secret", "own")).await;
    let (app, org) = (&served.stage.app, &served.stage.org);
    let (account, _) = app.service_account(org, "robot").await;
    let robot = served.agent_of(Principal::ServiceAccount(account)).await;
    let crew = served.team("crew", Some(served.stage.person)).await;
    let of_team = served.agent_of(Principal::Team(crew)).await;
    for (agent, who) in [(&robot, "for the service account robot"), (&of_team, "for the team crew")] {
        let words = lacking(&agent.call("get_issue").await);
        assert!(words.contains("a person's own secret, own") && words.contains(who), "{words}");
        assert!(!words.contains("/me/secrets"), "{words}");
    }
    served.map(header("team_secret", "own")).await;
    let words = lacking(&robot.call("get_issue").await);
    assert!(words.contains("which is in no team"), "{words}");
    served.secret(SecretOwner::Team(crew), "own", "x").await;
    assert_eq!(of_team.call("get_issue").await.words(), "done");
    lacking(&robot.call("get_issue").await);
    assert_eq!(served.stage.reached().len(), 1);
}

#[tokio::test]
async fn a_missing_secret_is_on_record_and_the_person_is_led_to_where_it_is_added() {
    let served = Served::by(header("user_secret", "github_token")).await;
    let (app, stage) = (&served.stage.app, &served.stage);
    let words = lacking(&stage.agent.call("get_issue").await);
    assert!(words.contains("/me/secrets/acme/new?name=github_token"), "{words}");
    let calls = stage.calls().await;
    let (action, record) = calls.last().unwrap();
    let call = record.call.as_ref().unwrap();
    assert_eq!((action.as_str(), call.code.as_deref()), ("call.refused", Some("secret_missing")));
    assert_eq!((call.trace.reached, call.trace.state), (Step::Connection, StepState::Decided));
    assert_eq!(call.subject.as_deref(), Some("get_issue"));

    let mut browser = app.signed_in(stage.person).await;
    let page = browser.get(&format!("/c/{}", record.origin.as_ref().unwrap().request)).await;
    let page = page.expect(StatusCode::OK);
    assert!(page.says("Credential connected") && page.body.contains("href=\"/me/secrets\""));
    let page = browser.get("/me/secrets").await.expect(StatusCode::OK);
    assert!(page.says("You have no <code>github_token</code> yet") && page.says("asks for yours"));
    let new = "/me/secrets/acme/new";
    let page = browser.get(&format!("{new}?name=github_token")).await.expect(StatusCode::OK);
    browser.submit(&page, new, &[("value", "f0und")]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(stage.agent.call("get_issue").await.words(), "done");
    assert_eq!(served.carried("x-token").as_deref(), Some("Bearer f0und"));
    app.until_number("select count(*) from secrets where last_used_at is not null", 1).await;
}

#[tokio::test]
async fn tools_do_not_vanish_for_want_of_a_secret() {
    let served = Served::by(header("user_secret", "own")).await;
    let merged = served.stage.agent.at(&format!("{}/mcp/acme", served.stage.app.origin()));
    let listed = merged.ask("tools/list", json!({})).await.json();
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 2, "{listed}");
    let words = lacking(&merged.call("github__get_issue").await);
    assert!(words.contains("own"), "{words}");
    let prompts = merged.ask("prompts/list", json!({})).await.json();
    assert!(prompts["result"]["prompts"].is_array(), "{prompts}");
}

#[tokio::test]
async fn what_an_off_boarded_person_kept_is_gone_for_good() {
    let served = Served::by(header("user_secret", "own")).await;
    let (app, stage) = (&served.stage.app, &served.stage);
    served.secret(SecretOwner::User(stage.person), "own", "x").await;
    assert_eq!(stage.agent.call("get_issue").await.words(), "done");
    let member = format!("/api/v1/orgs/acme/members/{}", stage.person);
    let left = served.key.send(Method::DELETE, &member, &[], None).await.expect(StatusCode::OK);
    let ended = left.body["endings"].as_array().unwrap().iter().find(|kind| kind["kind"] == "kept_values");
    assert_eq!(ended.unwrap()["count"], 1, "{:#}", left.body);
    let status = stage.agent.call("get_issue").await.status;
    assert!(status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN, "{status}");
    app.join(&stage.org, stage.person, Role::Member).await;
    let again = served.agent_of(Principal::User(stage.person)).await;
    lacking(&again.call("get_issue").await);
    assert_eq!(stage.reached().len(), 1);
}

#[tokio::test]
async fn whoever_reads_the_catalogue_lends_their_own_secret_and_a_job_lends_nobodys() {
    let served = Served::by(header("user_secret", "own")).await;
    let (app, stage) = (&served.stage.app, &served.stage);
    app.run_jobs().await;
    assert_eq!(stage.upstream.asked().len(), 0, "a job does not ask where it lacks something");
    let sql = "select count(*) from servers where refresh_error is not null or refresh_failures > 0";
    assert_eq!(app.number(sql).await, 0, "and that says nothing of the server");
    served.secret(SecretOwner::User(served.admin), "own", "of-ada").await;
    let refresh = "/api/v1/orgs/acme/servers/github/refresh";
    served.key.post(refresh, json!({})).await.expect(StatusCode::OK);
    let asked = stage.upstream.asked();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.header("x-token") == Some("Bearer of-ada")));
}

#[tokio::test]
async fn at_a_servers_own_address_it_can_be_opened_and_listed_without_the_secret() {
    let served = Served::by(header("user_secret", "own")).await;
    let stage = &served.stage;
    let listed = stage.agent.ask("tools/list", json!({})).await.json();
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["create_issue", "get_issue"], "within the ceiling, as at other times");
    let found = stage.agent.ask("server/discover", json!({})).await.json();
    assert_eq!(found["result"]["supportedVersions"], json!(["2026-07-28"]));

    // An agent of the old era opens a session that goes on when nothing is missing any more.
    let opening = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "old", "version": "1" } } });
    let opened = stage.agent.post(opening.to_string(), &[]).await;
    assert_eq!(opened.status, StatusCode::OK, "{opened:?}");
    let session = opened.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let carried = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-11-25")];
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(stage.agent.post(told, &carried).await.status, StatusCode::ACCEPTED);
    let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let listed = stage.agent.post(list, &carried).await.json();
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 2, "{listed}");
    let call =
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"get_issue","arguments":{}}}"#;
    lacking(&stage.agent.post(call, &carried).await);
    assert_eq!(stage.upstream.asked().len(), 0, "the server is not asked for anything without it");
    // Whatever else needs the server says what is missing.
    let prompts = stage.agent.ask("prompts/list", json!({})).await.json();
    assert!(prompts["error"]["message"].as_str().unwrap().starts_with("[CONNECT ACCOUNT]"), "{prompts}");

    let (actions, codes): (Vec<_>, Vec<_>) = stage
        .calls()
        .await
        .into_iter()
        .map(|(action, record)| (action, record.call.and_then(|call| call.code)))
        .unzip();
    assert!(
        actions.iter().any(|action| action == "call.allowed"),
        "what was answered is on record: {actions:?}"
    );
    assert_eq!(codes.iter().flatten().filter(|code| *code == "secret_missing").count(), 2);
}

#[tokio::test]
async fn a_client_that_can_leads_its_person_to_the_page_and_calls_again() {
    let served = Served::by(header("user_secret", "own")).await;
    let stage = &served.stage;
    let call = async |more: Value| {
        let mut params = json!({ "name": "get_issue", "arguments": {}, "_meta": {
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {}, "url": {} } } } });
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        stage.agent.ask("tools/call", params).await
    };
    let asked = call(json!({})).await.json()["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let question = &asked["inputRequests"]["connect"];
    assert_eq!(
        (&question["method"], &question["params"]["mode"]),
        (&json!("elicitation/create"), &json!("url"))
    );
    let page = question["params"]["url"].as_str().unwrap();
    assert!(page.ends_with("/me/secrets/acme/new?name=own"), "{page}");
    assert_eq!(asked["_meta"]["portreeve/decision"]["code"], "secret_missing");
    let back = json!({ "requestState": asked["requestState"], "inputResponses": { "connect": { "action": "accept" } } });
    lacking(&call(back.clone()).await);
    served.secret(SecretOwner::User(stage.person), "own", "x").await;
    assert_eq!(call(back).await.words(), "done");
    let sent = String::from_utf8(stage.reached().pop().unwrap().body).unwrap();
    assert!(
        !sent.contains("requestState") && !sent.contains("inputResponses"),
        "the question was ours: {sent}"
    );
    // What an admin has to see to is said in words.
    served.map(header("team_secret", "crew")).await;
    lacking(&call(json!({})).await);
}

#[tokio::test]
async fn a_value_is_in_no_log_record_answer_or_export_of_a_call() {
    const VALUE: &str = "Canary-9Zk4-of-a-secret";
    let log = crate::proof::canary::Log::default();
    let guard = log.listen();
    // A server that hangs up on one of its tools.
    let answering = |asked: &Asked| match String::from_utf8_lossy(&asked.body).contains("create_issue") {
        true => Wire::acts([Act::Close]),
        false => usual(asked),
    };
    let served = Served::over(Stage::over(Class::Write, answering).await).await;
    let stage = &served.stage;
    served.secret(SecretOwner::Org, "shared", VALUE).await;
    served.secret(SecretOwner::User(stage.person), "own", VALUE).await;
    served
        .map(json!([
            { "target": "header", "name": "X-Token", "source": "user_secret", "secret": "own" },
            { "target": "query", "name": "key", "source": "org_secret", "secret": "shared" },
        ]))
        .await;
    let mut heard = vec![stage.agent.call("get_issue").await.text];
    assert_eq!(served.carried("x-token").as_deref(), Some(VALUE));
    heard.push(stage.agent.call("create_issue").await.text);
    let refresh = "/api/v1/orgs/acme/servers/github/refresh";
    heard.push(served.key.text_of(Method::POST, refresh, Some(&json!({}))).await);
    let away = Some(json!({ "url": "https://192.0.2.7/mcp" }));
    served
        .key
        .send(Method::PATCH, "/api/v1/orgs/acme/servers/github", &[], away)
        .await
        .expect(StatusCode::OK);
    heard.push(stage.agent.call("get_issue").await.text);
    heard.push(served.key.text_of(Method::POST, refresh, Some(&json!({}))).await);
    for path in ["secrets", "servers/github", "servers/github/credentials", "events", "events/export"] {
        heard.push(served.key.text_of(Method::GET, &format!("/api/v1/orgs/acme/{path}"), None).await);
    }
    stage.app.run_jobs().await;
    drop(guard);
    assert!(heard.iter().any(|text| text.contains("PORTREEVE FAILED")), "{heard:?}");
    for text in heard.iter().chain([&log.text()]) {
        assert!(!text.contains(VALUE), "{text}");
    }
}
