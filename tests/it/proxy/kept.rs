//! The arguments of calls, where an organization keeps them.

use http::{Method, StatusCode};
use portreeve::{
    base::{
        ids::{DataKeyId, EventId},
        permission::Role,
    },
    domain::audit::{self, SealedArguments, Unrecorded},
    flow::actions::export,
    io::db::Tx,
};
use serde_json::{Value, json};
use sqlx::Executor;

use crate::{
    kit::http::Script,
    proxy::{policies::under, stage::Stage},
};

async fn key(stage: &Stage, name: &str, role: Role) -> Script {
    let person = stage.app.member(&stage.org, name, role).await;
    stage.app.key_of(&stage.org, person.id, role, &["*"]).await
}

async fn shown(key: &Script, event: &str) -> Value {
    let path = format!("/api/v1/orgs/acme/events/{event}");
    key.get(&path).await.expect(StatusCode::OK).body["arguments"].clone()
}

#[tokio::test]
async fn arguments_are_kept_sealed_and_redacted_where_an_owner_wants_that_and_for_so_long() {
    let redact = json!({ "get_issue": { "redact": ["args.token"] } });
    let (stage, _) = under(json!({ "version": "1", "default": "allow", "tools": redact })).await;
    let owner = key(&stage, "Olga Owner", Role::Owner).await;
    let admin = key(&stage, "Adam Admin", Role::Admin).await;
    let manager = key(&stage, "Mo Manager", Role::PolicyManager).await;
    let call = async || {
        let arguments = json!({ "title": "hello", "token": "s3cr3t" });
        let answer =
            stage.agent.ask("tools/call", json!({ "name": "get_issue", "arguments": arguments })).await;
        assert_eq!(answer.words(), "done");
    };
    let days = |days: i32| Some(json!({ "argument_days": days }));
    let path = "/api/v1/orgs/acme";

    call().await;
    let first = stage.calls_once(2).await;
    assert_eq!(shown(&owner, &first[0].1.id.to_string()).await, Value::Null, "none are kept by default");
    let refused = admin.send(Method::PATCH, path, &[], days(30)).await;
    assert_eq!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/errors/0/path"), "argument_days");
    let org = owner.send(Method::PATCH, path, &[], days(30)).await.expect(StatusCode::OK);
    assert_eq!(org.body["argument_days"], 30);

    call().await;
    let calls = stage.calls_once(4).await;
    let kept = json!({ "title": "hello", "token": "[redacted]" });
    for (_, record) in &calls[2..] {
        let event = record.id.to_string();
        assert_eq!(shown(&owner, &event).await, kept);
        assert_eq!(
            shown(&manager, &event).await,
            Value::Null,
            "who may not export the log does not see them"
        );
    }
    let plain = "select count(*) from call_arguments where position('hello'::bytea in sealed_arguments) > 0";
    assert_eq!(stage.app.number(plain).await, 0);
    let mut file = Vec::new();
    export::export(&stage.app.ports, "acme", &mut file).await.unwrap();
    assert!(!String::from_utf8(file).unwrap().contains("hello"), "they are no part of the record");

    assert_eq!(stage.app.number("select count(*) from call_arguments").await, 1);
    admin.send(Method::PATCH, path, &[], days(0)).await.expect(StatusCode::OK);
    assert_eq!(stage.app.number("select count(*) from call_arguments").await, 0, "forgotten at once");
    call().await;
    assert_eq!(stage.app.number("select count(*) from call_arguments").await, 0);
}

#[tokio::test]
async fn what_is_being_kept_while_the_days_are_shortened_is_forgotten_too() {
    let (stage, _) = under(json!({ "version": "1", "default": "allow" })).await;
    let owner = key(&stage, "Olga Owner", Role::Owner).await;
    let keep_for = |days: i32| {
        owner.send(Method::PATCH, "/api/v1/orgs/acme", &[], Some(json!({ "argument_days": days })))
    };
    keep_for(30).await.expect(StatusCode::OK);
    let mut tx = stage.app.org_tx(stage.org.id).await;
    let sealed = SealedArguments { key: DataKeyId::fresh(), bytes: vec![1] };
    audit::keep_arguments(&mut tx, EventId::fresh(), &sealed, stage.app.clock.now()).await.unwrap();
    let kept = async {
        stage.app.until_a_lock_is_waited_for().await;
        audit::commit_unrecorded(tx, Unrecorded::Arguments).await.unwrap();
    };
    let (shortened, ()) = tokio::join!(keep_for(0), kept);
    shortened.expect(StatusCode::OK);
    assert_eq!(stage.app.number("select count(*) from call_arguments").await, 0);
}

#[tokio::test]
async fn a_change_of_something_else_brings_back_no_days_that_were_taken_away_meanwhile() {
    let (stage, _) = under(json!({ "version": "1", "default": "allow" })).await;
    let owner = key(&stage, "Olga Owner", Role::Owner).await;
    let change = |change: Value| owner.send(Method::PATCH, "/api/v1/orgs/acme", &[], Some(change));
    change(json!({ "argument_days": 30 })).await.expect(StatusCode::OK);
    let mut tx = stage.app.org_tx(stage.org.id).await;
    tx.conn().execute("update orgs set argument_days = 0, version = version + 1").await.unwrap();
    let taken_away = async {
        stage.app.until_a_lock_is_waited_for().await;
        audit::commit_unrecorded(tx, Unrecorded::Arguments).await.unwrap();
    };
    let (renamed, ()) = tokio::join!(change(json!({ "name": "Acme and Sons" })), taken_away);
    renamed.expect(StatusCode::PRECONDITION_FAILED);
    assert_eq!(stage.app.number("select argument_days::bigint from orgs where slug = 'acme'").await, 0);
}
