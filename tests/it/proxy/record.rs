//! What the record keeps of a call, and that nothing leaves without it.

use futures_util::future::join_all;
use portreeve::{
    base::{
        crypto::token::{Token, TokenKind},
        ids::GrantTokenId,
        risk::Class,
        trace::{Step, StepState},
    },
    domain::audit::{Anchors, Decision, LaterAnchors, verify},
    flow::actions::export,
};

use crate::{kit::app::TestApp, proxy::stage::Stage};

#[tokio::test]
async fn a_call_has_an_intent_and_an_outcome_and_its_arguments_stay_out() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let answer = stage.agent.call("create_issue").await;
    assert_eq!(answer.words(), "done");
    let calls = stage.calls_once(2).await;
    let (intent, outcome) = (&calls[0].1, &calls[1].1);
    assert_eq!((calls[0].0.as_str(), calls[1].0.as_str()), ("call.allowed", "call.answered"));
    assert_eq!((intent.decision, outcome.decision), (Decision::Allowed, Decision::Done));
    let call = intent.call.as_ref().unwrap();
    assert_eq!(call.subject.as_deref(), Some("create_issue"));
    assert_eq!(call.class, Some(Class::Write));
    assert_eq!(call.grant, Some(stage.grant));
    assert_eq!(call.server, Some(stage.server));
    assert_eq!(call.client.as_ref().unwrap().name, "test-agent");
    assert_eq!(call.arguments.as_ref().unwrap().keys, ["title"]);
    assert!(call.fingerprint.is_some() && call.token.is_some());
    assert_eq!(intent.user, Some(stage.person));
    let ended = outcome.call.as_ref().unwrap();
    assert_eq!(ended.intent, Some(intent.id));
    assert_eq!(ended.upstream.unwrap().status, Some(200));
    let mut file = Vec::new();
    export::export(&stage.app.ports, "acme", &mut file).await.unwrap();
    assert!(verify(file.as_slice(), Anchors::none(), LaterAnchors::PassOver).is_ok());
    assert!(!String::from_utf8(file).unwrap().contains("hello"), "no argument's value is in the record");
}

#[tokio::test]
async fn a_refusal_is_recorded_with_the_step_that_decided_it() {
    let stage = Stage::with_ceiling(Class::Read).await;
    stage.agent.call("delete_repository").await;
    let (action, record) = stage.calls_once(1).await.remove(0);
    let call = record.call.unwrap();
    assert_eq!((action.as_str(), record.decision), ("call.refused", Decision::Refused));
    assert_eq!(call.code.as_deref(), Some("class_above_ceiling"));
    assert_eq!((call.trace.reached, call.trace.state), (Step::Role, StepState::Decided));
    assert!(stage.reached().is_empty());
}

#[tokio::test]
async fn who_comes_with_an_unknown_token_is_on_record_once_and_then_counted() {
    let stage = Stage::with_ceiling(Class::Read).await;
    let stranger = stage.agent.carrying("ptg_0000000000000000000000000000000000000000000");
    assert_eq!(stranger.call("get_issue").await.status, http::StatusCode::UNAUTHORIZED);
    let (action, record) = stage.calls_once(1).await.remove(0);
    assert_eq!((action.as_str(), record.decision), ("call.refused", Decision::Refused));
    assert_eq!(record.user, None);
    let origin = record.origin.unwrap();
    assert_eq!(origin.ip, Some("127.0.0.1".parse().unwrap()));
    let call = record.call.unwrap();
    assert_eq!((call.code.as_deref(), call.trace.reached), (Some("token_unknown"), Step::Credential));
    for _ in 0..3 {
        stranger.call("get_issue").await;
    }
    stage.app.wind_down();
    let calls = stage.calls_once(2).await;
    let (_, summary) = &calls[1];
    let told = format!("{:?}", summary.call.as_ref().unwrap().trace);
    assert!(told.contains("3 requests within a minute"), "{told}");
    assert!(stage.reached().is_empty());
}

#[tokio::test]
async fn who_comes_without_a_token_is_on_record_apart_once_and_then_counted() {
    let stage = Stage::with_ceiling(Class::Read).await;
    let bare = stage.agent.carrying("");
    assert_eq!(bare.call("get_issue").await.status, http::StatusCode::UNAUTHORIZED);
    let (action, record) = stage.calls_once(1).await.remove(0);
    assert_eq!((action.as_str(), record.decision), ("call.refused", Decision::Refused));
    assert_eq!((record.user, record.origin.unwrap().ip), (None, Some("127.0.0.1".parse().unwrap())));
    let call = record.call.unwrap();
    assert_eq!((call.code.as_deref(), call.trace.reached), (Some("token_missing"), Step::Credential));
    for path in ["/mcp/acme/nowhere", "/mcp/acme", "/mcp/elsewhere"] {
        let there = bare.at(&format!("{}{path}", stage.app.origin()));
        assert_eq!(there.call("get_issue").await.status, http::StatusCode::UNAUTHORIZED);
    }
    let unknown = stage.agent.carrying("prg_made-up").call("get_issue").await;
    assert_eq!(unknown.status, http::StatusCode::UNAUTHORIZED);
    assert_eq!(stage.calls_once(2).await[1].1.call.as_ref().unwrap().code.as_deref(), Some("token_unknown"));
    stage.app.wind_down();
    let calls = stage.calls_once(3).await;
    let told = format!("{:?}", calls[2].1.call.as_ref().unwrap().trace);
    assert!(told.contains("2 requests within a minute, without a token"), "{told}");
    assert!(stage.reached().is_empty());
}

#[tokio::test]
async fn who_comes_to_a_servers_own_address_with_an_unknown_token_is_told_to_its_organization() {
    let stage = Stage::with_ceiling(Class::Read).await;
    let stranger = stage.agent.carrying("ptg_0000000000000000000000000000000000000000000");
    let stranger = stranger.at(&format!("{}/mcp/{}", stage.app.origin(), stage.server));
    assert_eq!(stranger.call("get_issue").await.status, http::StatusCode::UNAUTHORIZED);
    let (action, record) = stage.calls_once(1).await.remove(0);
    assert_eq!((action.as_str(), record.decision), ("call.refused", Decision::Refused));
    assert_eq!(record.call.unwrap().code.as_deref(), Some("token_unknown"));
}

#[tokio::test]
async fn whoever_tries_too_many_tokens_is_turned_away_without_the_database_and_the_others_are_served() {
    let stage = Stage::with_ceiling(Class::Read).await;
    assert_eq!(stage.agent.call("get_issue").await.words(), "done");
    let made_up = || Token::issue(TokenKind::Grant, GrantTokenId::fresh()).text().expose().clone();
    for _ in 0..60 {
        let answer = stage.agent.carrying(&made_up()).call("get_issue").await;
        assert_eq!(answer.status, http::StatusCode::UNAUTHORIZED);
    }
    // Known, though none carried it to this replica before: the organization's snapshot has it.
    let principal = portreeve::base::actor::Principal::User(stage.person);
    let (_, second) = stage.app.grant(&stage.org, principal, Class::Read).await;
    assert_eq!(stage.agent.call("get_issue").await.words(), "done", "the snapshot is read anew");
    assert_eq!(stage.agent.carrying(&second).call("get_issue").await.words(), "done");
    stage.app.clock.advance(time::Duration::seconds(2));
    for _ in 0..2 {
        let answer = stage.agent.carrying(&made_up()).call("get_issue").await;
        assert_eq!(answer.status, http::StatusCode::UNAUTHORIZED, "an attempt comes back each second");
    }
    stage.app.ports.db.close().await;
    let guess = stage.agent.carrying(&made_up());
    for agent in [&guess, &guess.at(&format!("{}/mcp/elsewhere", stage.app.origin()))] {
        let answer = agent.call("get_issue").await;
        assert_eq!(answer.status, http::StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
        assert_eq!(answer.headers.get("retry-after").unwrap(), "1");
    }
    let broken = stage.agent.carrying("prg_broken").call("get_issue").await;
    assert_eq!(broken.status, http::StatusCode::TOO_MANY_REQUESTS);
    let known = stage.agent.call("get_issue").await;
    assert_eq!(known.status, http::StatusCode::SERVICE_UNAVAILABLE, "known, and told what is really wrong");
}

#[tokio::test]
async fn tokens_that_have_to_be_looked_up_and_are_ours_use_nothing_up() {
    let stage = Stage::with_ceiling(Class::Read).await;
    let principal = portreeve::base::actor::Principal::User(stage.person);
    for _ in 0..70 {
        let (_, token) = stage.app.grant(&stage.org, principal, Class::Read).await;
        assert_eq!(stage.agent.carrying(&token).call("get_issue").await.words(), "done");
    }
    let guess = Token::issue(TokenKind::Grant, GrantTokenId::fresh()).text().expose().clone();
    let answer = stage.agent.carrying(&guess).call("get_issue").await;
    assert_eq!(answer.status, http::StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_of_one_network_that_come_to_a_new_replica_all_at_once_are_all_let_in() {
    let stage = Stage::with_ceiling(Class::Read).await;
    let principal = portreeve::base::actor::Principal::User(stage.person);
    let mut tokens = Vec::new();
    for _ in 0..150 {
        tokens.push(stage.app.grant(&stage.org, principal, Class::Read).await.1);
    }
    let fresh = TestApp::beside(&stage.app).await;
    let agent = stage.agent.at(&format!("{}/mcp/acme/github", fresh.origin()));
    let agents: Vec<_> = tokens.iter().map(|token| agent.carrying(token)).collect();
    let answers = join_all(agents.iter().map(|agent| agent.call("get_issue"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.words() == "done").count(), 150);
}

#[tokio::test]
async fn a_token_of_another_organization_is_on_record_where_it_was_tried() {
    let stage = Stage::with_ceiling(Class::Read).await;
    let other = stage.app.org("other").await;
    let foreign = stage.app.member(&other, "Olga Other", portreeve::base::permission::Role::Member).await.id;
    let principal = portreeve::base::actor::Principal::User(foreign);
    let (_, token) = stage.app.grant(&other, principal, Class::Write).await;
    let answer = stage.agent.carrying(&token).call("get_issue").await;
    assert_eq!(answer.status, http::StatusCode::UNAUTHORIZED);
    let (action, record) = stage.calls_once(1).await.remove(0);
    assert_eq!((action.as_str(), record.user), ("call.refused", None), "a stranger's name is not told");
    assert_eq!(record.call.unwrap().grant, None);
}

#[tokio::test]
async fn the_judged_bytes_go_out_and_no_credential_of_the_caller_does() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let body = br#"{ "jsonrpc":"2.0","id" : "a\u0062c", "method":"tools/call",
        "params":{"arguments":{"n":1.50,"big":12345678901234567890},"name":"get_issue"}}"#;
    let headers =
        [("cookie", "a=b"), ("x-api-key", "k"), ("x-forwarded-for", "1.2.3.4"), ("traceparent", "00-1-2-01")];
    stage.agent.post(body.as_slice(), &headers).await;
    let asked = stage.reached().pop().unwrap();
    assert_eq!(asked.body, body);
    for name in ["authorization", "cookie", "x-api-key", "x-forwarded-for", "forwarded"] {
        assert_eq!(asked.header(name), None, "{name}");
    }
    assert_eq!(asked.header("traceparent"), Some("00-1-2-01"));
    assert_eq!(asked.header("host"), Some(format!("127.0.0.1:{}", stage.upstream.port()).as_str()));
}

#[tokio::test]
async fn a_call_explains_itself_to_its_person_and_to_nobody_else() {
    let stage = Stage::with_ceiling(Class::Read).await;
    stage.agent.call("delete_repository").await;
    let (_, record) = stage.calls_once(1).await.remove(0);
    let path = format!("/c/{}", record.origin.unwrap().request);
    let mut owner = stage.app.signed_in(stage.person).await;
    let page = owner.get(&path).await.expect(http::StatusCode::OK);
    assert!(page.says("the call was denied") && page.says("the grant's ceiling is read"), "{}", page.body);
    let stranger =
        stage.app.member(&stage.org, "Other Member", portreeve::base::permission::Role::Member).await;
    let mut stranger = stranger.browser;
    stranger.get(&path).await.expect(http::StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_grants_page_shows_its_latest_calls_with_their_server_and_leads_to_all_of_them() {
    let stage = Stage::with_ceiling(Class::Read).await;
    for _ in 0..22 {
        stage.agent.call("delete_repository").await;
    }
    let role = portreeve::base::permission::Role::Admin;
    let mut admin = stage.app.member(&stage.org, "Ada Admin", role).await.browser;
    let page = admin.get(&format!("/o/acme/agents/{}", stage.grant)).await.expect(http::StatusCode::OK);
    assert_eq!(page.body.matches("href=\"/c/req_").count(), 20, "{}", page.body);
    assert!(page.says("github/delete_repository"), "{}", page.body);
    let log = format!("/o/acme/audit?kind=call&q=person%3A{}", stage.grant);
    assert!(page.body.contains(&log.replace('&', "&#38;")), "{log}: {}", page.body);
    let page = admin.get(&log).await.expect(http::StatusCode::OK);
    assert!(page.body.matches("delete_repository").count() >= 22, "{}", page.body);
    // To the person it belongs to, the same page says the same.
    let mut owner = stage.app.signed_in(stage.person).await;
    let page = owner.get(&format!("/me/agents/acme/{}", stage.grant)).await.expect(http::StatusCode::OK);
    assert_eq!(page.body.matches("href=\"/c/req_").count(), 20);
}

#[tokio::test]
async fn the_first_call_is_noticed_with_its_client() {
    let stage = Stage::with_ceiling(Class::Read).await;
    stage.agent.call("get_issue").await;
    let sql = "select count(*) from grant_tokens where last_client_name = 'test-agent' and last_used_at is not null";
    for _ in 0..2000 {
        if stage.app.number(sql).await == 1 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("nobody noticed the call");
}
