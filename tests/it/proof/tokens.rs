//! No refresh token is presented twice, whoever asks on however many replicas, and nobody's account is given up because a
//! provider is in trouble.

use std::time::Duration as Span;

use futures_util::future::join_all;
use http::StatusCode;
use portreeve::{
    base::{ids::ConnectionId, permission::Role},
    domain::{
        audit::{self, Unrecorded},
        connections::{
            HeldAccount,
            store::{accounts, held},
        },
    },
    flow::tokens::{LiveToken, NoToken},
    io::db::{OrgScope, Tx},
};
use serde_json::json;
use time::Duration;

use crate::kit::{
    app::TestApp,
    fake_provider::{FakeProvider, Mishap},
    http::Script,
    people::{Person, PlantedOrg},
};

struct Stage {
    app: TestApp,
    org: PlantedOrg,
    hub: FakeProvider,
    bob: Person,
    id: ConnectionId,
}

/// Bob has an account whose token lives for so many seconds.
async fn stage(lives: u64) -> Stage {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let hub = FakeProvider::start().await;
    hub.live_for(Some(lives));
    app.hub(&org, "hub", &hub).await;
    let mut bob = app.member(&org, "Bob Builder", Role::Member).await;
    let id = app.connected(&org, &mut bob, "hub").await;
    Stage { app, org, hub, bob, id }
}

impl Stage {
    async fn held(&self) -> HeldAccount {
        let mut tx = self.app.org_tx(self.org.id).await;
        let held = held::one(&mut tx, self.id).await.unwrap().unwrap();
        tx.done().await.unwrap();
        held
    }

    async fn live_on(&self, app: &TestApp) -> Result<LiveToken, NoToken> {
        app.ports.tokens.live(OrgScope::proven(self.org.id), &self.held().await).await.unwrap()
    }

    async fn live(&self) -> Result<LiveToken, NoToken> {
        self.live_on(&self.app).await
    }

    async fn script(&self) -> Script {
        self.app.key_of(&self.org, self.bob.id, Role::Member, &["*"]).await
    }

    async fn state(&self) -> String {
        let path = format!("/api/v1/orgs/acme/connections/{}", self.id);
        self.script().await.get(&path).await.expect(StatusCode::OK).text("/state").to_owned()
    }

    /// Waits until so many refresh tokens were sent, for what is fetched while nobody waits for it.
    async fn until_presented(&self, wanted: usize) {
        for _ in 0..200 {
            if self.hub.presented().len() >= wanted {
                break;
            }
            // Meanwhile what goes on beside has its turn.
            self.app.number("select 1::bigint").await;
        }
        assert_eq!(self.hub.presented().len(), wanted);
    }

    async fn letters(&self) -> usize {
        self.letters_about("gives no new token").await
    }

    async fn letters_about(&self, words: &str) -> usize {
        self.app.run_jobs().await;
        self.app.postbox.mails().iter().filter(|letter| letter.text.contains(words)).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_replicas_present_each_refresh_token_once() {
    let stage = stage(2).await;
    let (second, third) = (TestApp::beside(&stage.app).await, TestApp::beside(&stage.app).await);
    for _ in 0..8 {
        stage.app.clock.advance(Duration::seconds(3));
        let apps = [&stage.app, &second, &third];
        let calls = (0..150).map(|at| stage.live_on(apps[at % 3]));
        for token in join_all(calls).await {
            let token = token.unwrap();
            assert!(stage.hub.takes(token.access.expose()));
        }
    }
    let mut presented = stage.hub.presented();
    let all = presented.len();
    presented.sort_unstable();
    presented.dedup();
    assert_eq!((presented.len(), stage.hub.reused()), (all, 0));
    assert!(all >= 8);
    assert_eq!(stage.state().await, "active");
}

#[tokio::test]
async fn a_token_near_its_end_is_used_and_renewed_meanwhile() {
    let stage = stage(3600).await;
    let first = stage.live().await.unwrap();
    stage.app.clock.advance(Duration::seconds(3_400));
    let still = stage.live().await.unwrap();
    assert_eq!(still.access.expose(), first.access.expose());
    let renewed = format!("select token_version from connections where id = '{}'", stage.id.uuid());
    stage.app.until_number(&renewed, first.version + 1).await;
    assert_ne!(stage.live().await.unwrap().access.expose(), first.access.expose());
    assert_eq!(stage.hub.presented().len(), 1);
}

#[tokio::test]
async fn a_grant_that_is_gone_is_told_once_and_connecting_again_mends_it() {
    let mut stage = stage(60).await;
    stage.hub.forget_everybody();
    stage.app.clock.advance(Duration::minutes(2));
    assert_eq!(stage.live().await.unwrap_err(), NoToken::Reauth);
    assert_eq!(stage.live().await.unwrap_err(), NoToken::Reauth);
    assert_eq!((stage.state().await.as_str(), stage.hub.presented().len()), ("needs_reauth", 1));
    assert_eq!(stage.letters().await, 1);
    assert_eq!(stage.app.recorded(&stage.org).await, ["connection.connected", "connection.needs_reauth"]);
    let again = stage.app.connected(&stage.org, &mut stage.bob, "hub").await;
    assert_eq!(again, stage.id);
    assert!(stage.live().await.is_ok());
}

#[tokio::test]
async fn half_an_hour_without_the_provider_gives_nobody_up() {
    let stage = stage(60).await;
    stage.hub.be_down(true);
    let mut tried = 0;
    for _ in 0..30 {
        stage.app.clock.advance(Duration::minutes(1));
        assert_eq!(stage.live().await.unwrap_err(), NoToken::Away);
        // Whoever asks again at once does not go to the provider again.
        assert_eq!(stage.live().await.unwrap_err(), NoToken::Away);
        tried += 1;
    }
    assert_eq!((stage.state().await.as_str(), stage.letters().await, tried), ("error_backoff", 0, 30));
    stage.hub.be_down(false);
    stage.app.clock.advance(Duration::minutes(2));
    let token = stage.live().await.unwrap();
    assert!(stage.hub.takes(token.access.expose()));
    assert_eq!((stage.state().await.as_str(), stage.hub.reused()), ("active", 0));
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_once_more_and_never_in_a_loop() {
    let stage = stage(60).await;
    // It answers nonsense without having done anything: the second time brings the token.
    stage.hub.next(Mishap::Answer(200, json!({ "hello": true })));
    stage.app.clock.advance(Duration::minutes(2));
    assert!(stage.live().await.is_ok());
    // It did what it was asked, and the answer is lost: the second time is a reuse, and only the owner can help.
    stage.hub.next(Mishap::Lose);
    stage.app.clock.advance(Duration::minutes(2));
    assert_eq!(stage.live().await.unwrap_err(), NoToken::Reauth);
    let presented = stage.hub.presented().len();
    assert_eq!(stage.live().await.unwrap_err(), NoToken::Reauth);
    assert_eq!((stage.hub.presented().len(), stage.state().await.as_str()), (presented, "needs_reauth"));
}

#[tokio::test]
async fn a_replica_that_died_after_sending_is_followed_once() {
    let stage = stage(60).await;
    stage.app.clock.advance(Duration::minutes(2));
    // It took the lease and was gone.
    let leased = "update connections set lease_by = gen_random_uuid(), presented = 1,
        lease_until = clock_timestamp() + interval '700 milliseconds'";
    stage.app.change(leased).await;
    assert!(stage.live().await.is_ok(), "the lease is waited for, and then it is tried once more");
    // Twice gone: nobody knows what became of it. It rests, and then the provider says so itself.
    stage.app.clock.advance(Duration::minutes(2));
    let before = stage.hub.presented().len();
    stage
        .app
        .change("update connections set presented = 2, lease_until = clock_timestamp() - interval '1 second'")
        .await;
    assert_eq!(stage.live().await.unwrap_err(), NoToken::Away);
    assert_eq!((stage.hub.presented().len(), stage.state().await.as_str()), (before, "error_backoff"));
    stage.app.clock.advance(Duration::minutes(2));
    assert!(stage.live().await.is_ok(), "it had not arrived");
    assert_eq!((stage.hub.presented().len(), stage.hub.reused()), (before + 1, 0));
}

#[tokio::test]
async fn half_an_hour_of_lost_answers_gives_nobody_up_and_a_token_that_lives_is_used_meanwhile() {
    let stage = stage(3600).await;
    // The token is in its last minutes: each call has a new one fetched meanwhile.
    stage.app.clock.advance(Duration::minutes(57));
    let nonsense = || Mishap::Answer(200, json!({ "hello": true }));
    stage.hub.next(nonsense());
    stage.hub.next(nonsense());
    assert!(stage.live().await.is_ok());
    let away = "select count(*) from connections where state = 'error_backoff'";
    stage.app.until_number(away, 1).await;
    assert!(stage.live().await.is_ok(), "what lives is used");
    let before = stage.hub.presented().len();
    for minute in 0..30 {
        stage.app.clock.advance(Duration::minutes(1) + Duration::seconds(20));
        stage.hub.next(nonsense());
        let _ = stage.live().await;
        let sent = usize::try_from(minute).unwrap() + 1;
        stage.until_presented(before + sent).await;
    }
    assert_eq!((stage.state().await.as_str(), stage.letters().await), ("error_backoff", 0));
    stage.app.clock.advance(Duration::minutes(2));
    assert!(stage.live().await.is_ok(), "it goes on by itself");
    assert_eq!((stage.state().await.as_str(), stage.hub.reused()), ("active", 0));
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_leaves_nothing_in_doubt() {
    let stage = stage(60).await;
    stage.app.clock.advance(Duration::minutes(2));
    for _ in 0..3 {
        stage.hub.next(Mishap::Page);
        let before = stage.hub.presented().len();
        assert_eq!(stage.live().await.unwrap_err(), NoToken::Away);
        assert_eq!(stage.hub.presented().len(), before + 1, "not sent again at once");
        stage.app.clock.advance(Duration::minutes(2));
    }
    assert!(stage.live().await.is_ok());
}

#[tokio::test]
async fn a_client_that_is_refused_is_an_admins_matter_and_keeps_the_account() {
    let stage = stage(60).await;
    stage.app.member(&stage.org, "Olga Owner", Role::Owner).await;
    for _ in 0..2 {
        stage.app.clock.advance(Duration::minutes(2));
        stage.hub.next(Mishap::Answer(401, json!({ "error": "invalid_client" })));
        assert_eq!(stage.live().await.unwrap_err(), NoToken::Broken);
        // Whoever calls while it rests is told the same, and the provider is not asked again.
        assert_eq!(stage.live().await.unwrap_err(), NoToken::Broken);
        assert_eq!((stage.state().await.as_str(), stage.letters().await), ("error_backoff", 0));
        assert_eq!(stage.letters_about("refuses the client").await, 1, "to the owner");
        let told = stage.app.recorded(&stage.org).await.into_iter().filter(|one| one == "provider.refused");
        assert_eq!(told.count(), 1, "told once a day, however many accounts there are");
        stage.app.clock.advance(Duration::minutes(2));
        assert!(stage.live().await.is_ok());
    }
}

#[tokio::test]
async fn a_token_without_a_successor_is_used_to_its_end() {
    let mut stage = stage(60).await;
    stage.hub.without_refresh();
    stage.app.connected(&stage.org, &mut stage.bob, "hub").await;
    assert!(stage.live().await.is_ok());
    stage.app.clock.advance(Duration::seconds(58));
    assert!(stage.live().await.is_ok());
    stage.app.clock.advance(Duration::seconds(3));
    assert_eq!(stage.live().await.unwrap_err(), NoToken::Reauth);
    assert!(stage.hub.presented().is_empty());
}

#[tokio::test]
async fn a_token_that_ends_for_good_is_told_before_and_given_up_once_it_has() {
    let mut stage = stage(3600).await;
    stage.hub.without_refresh();
    stage.hub.live_for(Some(30 * 86_400));
    stage.app.connected(&stage.org, &mut stage.bob, "hub").await;
    let after = async |span: Duration| {
        stage.app.clock.advance(span);
        stage.app.run_jobs().await;
        // What was written meanwhile is sent.
        stage.app.clock.advance(Duration::minutes(6));
        let soon = stage.letters_about("gives no more of it by").await;
        (soon, stage.letters().await)
    };
    assert_eq!(after(Duration::days(26)).await, (0, 0));
    assert_eq!(after(Duration::days(1)).await, (1, 0));
    assert_eq!(after(Duration::days(1)).await, (1, 0), "once");
    assert_eq!(stage.app.number("select count(*) from connections where state = 'active'").await, 1);
    assert_eq!(after(Duration::days(2)).await, (1, 1));
    let ended =
        "select count(*) from connections where state = 'needs_reauth' and state_reason = 'token_ended'";
    assert_eq!(stage.app.number(ended).await, 1);
    assert_eq!(after(Duration::days(2)).await, (1, 1));
    let recorded = stage.app.recorded(&stage.org).await;
    assert_eq!(recorded.iter().filter(|one| *one == "connection.needs_reauth").count(), 1);
}

#[tokio::test]
async fn whoever_administers_hears_of_a_shared_account_whose_connector_has_left() {
    let stage = stage(60).await;
    stage.app.member(&stage.org, "Olga Owner", Role::Owner).await;
    let mut curator = stage.app.member(&stage.org, "Curator", Role::Admin).await;
    let id = stage.app.connected_for(&stage.org, &mut curator, "hub", "org").await;
    stage.app.change("update connections set connected_by = gen_random_uuid() where user_id is null").await;
    stage.hub.forget_everybody();
    stage.app.clock.advance(Duration::minutes(2));
    let scope = OrgScope::proven(stage.org.id);
    let first = stage.app.number("select token_version from connections where user_id is null").await;
    let none = stage.app.ports.tokens.renewed(scope, id, first).await.unwrap().unwrap_err();
    assert_eq!(none, NoToken::Reauth);
    // To the owner and to the admin.
    assert_eq!(stage.letters_about("because you administer").await, 2);
}

#[tokio::test]
async fn a_provider_whose_address_is_not_allowed_is_the_operators_matter() {
    let stage = stage(60).await;
    stage.app.change("update providers set token_url = 'http://192.0.2.7/token'").await;
    stage.app.clock.advance(Duration::minutes(2));
    for _ in 0..2 {
        assert_eq!(stage.live().await.unwrap_err(), NoToken::Barred);
    }
    let held = stage.held().await;
    assert_eq!((held.reason.as_str(), held.presented), ("address_refused", 0));
    assert!(stage.hub.presented().is_empty());
    assert_eq!(stage.state().await, "error_backoff");
}

#[tokio::test]
async fn a_refresh_that_is_asked_for_happens_once_and_goes_on_when_nobody_waits() {
    let stage = stage(3600).await;
    let script = stage.script().await;
    let path = format!("/api/v1/orgs/acme/connections/{}/refresh", stage.id);
    let done = script.post(&path, json!({})).await.expect(StatusCode::OK);
    assert_eq!((done.body["ok"].clone(), stage.hub.presented().len()), (json!(true), 1));
    stage.hub.next(Mishap::Slow(Span::from_millis(400)));
    let held = stage.held().await;
    let asking = stage.app.ports.tokens.renewed(OrgScope::proven(stage.org.id), stage.id, held.token_version);
    assert!(tokio::time::timeout(Span::from_millis(50), asking).await.is_err(), "whoever asked is gone");
    let renewed = format!("select token_version from connections where id = '{}'", stage.id.uuid());
    stage.app.until_number(&renewed, held.token_version + 1).await;
    assert_eq!(stage.held().await.token_version, held.token_version + 1);
    let mut tx = stage.app.org_tx(stage.org.id).await;
    assert!(accounts::find(&mut tx, stage.id).await.unwrap().is_some());
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
}

#[tokio::test]
async fn a_server_that_refuses_a_lasting_token_makes_nobody_connect_again_where_the_provider_takes_it() {
    let mut stage = stage(3600).await;
    stage.hub.without_refresh();
    stage.hub.live_for(None);
    stage.app.connected(&stage.org, &mut stage.bob, "hub").await;
    let scope = OrgScope::proven(stage.org.id);
    let state = |state: &str| format!("select count(*) from connections where state = '{state}'");
    let token = stage.live().await.unwrap();
    stage.app.clock.advance(Duration::minutes(2));
    assert!(!stage.app.ports.tokens.refused(scope, stage.id, token.version).await);
    let asked = "select count(*) from connections where last_ok_at > issued_at";
    stage.app.until_number(asked, 1).await;
    assert_eq!(stage.app.number(&state("active")).await, 1);
    stage.hub.forget_everybody();
    stage.app.clock.advance(Duration::minutes(2));
    assert!(!stage.app.ports.tokens.refused(scope, stage.id, token.version).await);
    stage.app.until_number(&state("needs_reauth"), 1).await;
    assert_eq!(stage.live().await.unwrap_err(), NoToken::Reauth);
}

#[tokio::test]
async fn a_replica_that_cannot_read_its_database_counts_nothing_as_sent() {
    let stage = stage(60).await;
    stage.app.clock.advance(Duration::minutes(2));
    // The provider's secret cannot be opened: nothing was sent, however often it is tried.
    let broken = "update providers set sealed_secret = decode(repeat('00', 60), 'hex')";
    stage.app.change(broken).await;
    for _ in 0..3 {
        let held = stage.held().await;
        let tried = stage.app.ports.tokens.live(OrgScope::proven(stage.org.id), &held).await;
        assert!(tried.is_err());
    }
    assert_eq!((stage.held().await.presented, stage.state().await.as_str()), (0, "active"));
}

#[tokio::test]
async fn admins_hear_once_a_day_of_a_provider_that_gives_nothing_for_an_hour() {
    let stage = stage(60).await;
    stage.app.member(&stage.org, "Olga Owner", Role::Owner).await;
    let told = async |minutes| {
        stage.app.clock.advance(Duration::minutes(minutes));
        // Where it is not known whether what was sent arrived, it is sent once more at once.
        for _ in 0..2 {
            stage.hub.next(Mishap::Answer(200, json!({})));
        }
        assert_eq!(stage.live().await.unwrap_err(), NoToken::Away);
        stage.hub.calm();
        stage.letters_about("Portreeve asks again by itself").await
    };
    assert_eq!((told(2).await, told(30).await, told(29).await), (0, 0, 0));
    assert_eq!((told(2).await, told(90).await, told(23 * 60).await), (1, 1, 2));
    let recorded = stage.app.recorded(&stage.org).await;
    assert_eq!(recorded.iter().filter(|one| *one == "provider.silent").count(), 2);
    assert_eq!(stage.state().await, "error_backoff");
    stage.app.clock.advance(Duration::minutes(2));
    assert!(stage.live().await.is_ok(), "it goes on by itself");
}

#[tokio::test]
async fn a_provider_is_left_alone_for_as_long_as_it_asks() {
    let stage = stage(60).await;
    stage.app.clock.advance(Duration::minutes(2));
    stage.hub.next(Mishap::Busy(300));
    assert_eq!(stage.live().await.unwrap_err(), NoToken::Away);
    let sent = stage.hub.presented().len();
    stage.app.clock.advance(Duration::seconds(299));
    assert_eq!(stage.live().await.unwrap_err(), NoToken::Away);
    assert_eq!(stage.hub.presented().len(), sent, "not asked before");
    stage.app.clock.advance(Duration::seconds(77));
    assert!(stage.live().await.is_ok());
}

#[tokio::test]
async fn what_a_provider_gives_while_an_account_is_switched_off_is_kept_for_when_it_is_on() {
    let stage = stage(60).await;
    let script = stage.script().await;
    let path = format!("/api/v1/orgs/acme/connections/{}", stage.id);
    stage.app.clock.advance(Duration::minutes(2));
    let before = stage.held().await;
    stage.hub.next(Mishap::Slow(Span::from_millis(600)));
    let scope = OrgScope::proven(stage.org.id);
    let renewing = stage.app.ports.tokens.renewed(scope, stage.id, before.token_version);
    let off = async {
        let leased = "select count(*) from connections where lease_until is not null";
        stage.app.until_number(leased, 1).await;
        script.post(&format!("{path}/disable"), json!({})).await.expect(StatusCode::OK)
    };
    let (_, off) = tokio::join!(renewing, off);
    assert_eq!((off.text("/state"), off.text("/reason")), ("disabled", "by_owner"));
    let after = stage.held().await;
    assert_eq!((after.token_version, stage.state().await.as_str()), (before.token_version + 1, "disabled"));
    assert_eq!(stage.live().await.unwrap_err(), NoToken::Off);
    let renewed = stage.app.ports.tokens.renewed(scope, stage.id, after.token_version).await.unwrap();
    assert_eq!(renewed.unwrap_err(), NoToken::Off);
    script.post(&format!("{path}/enable"), json!({})).await.expect(StatusCode::OK);
    stage.app.clock.advance(Duration::minutes(2));
    assert!(stage.live().await.is_ok(), "with what the provider still knows");
    assert_eq!(stage.hub.reused(), 0);
}
