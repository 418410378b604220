//! Accounts that were ended here are ended at their providers, also where those do not listen at once.

use http::{Method, StatusCode};
use portreeve::{
    base::permission::Role,
    domain::{
        audit::{self, Unrecorded},
        connections::{
            ProviderRef,
            store::{
                self, accounts,
                endings::{self, Ending},
            },
        },
    },
};
use serde_json::json;
use time::Duration;

use crate::kit::{
    app::TestApp,
    fake_provider::FakeProvider,
    http::Script,
    people::{Person, PlantedOrg},
};

const KEPT: &str = "select count(*) from token_endings";

struct Stage {
    app: TestApp,
    org: PlantedOrg,
    hub: FakeProvider,
    /// Whose account is ended.
    bob: Person,
    admin: Script,
}

async fn stage() -> Stage {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let hub = FakeProvider::start().await;
    app.hub(&org, "hub", &hub).await;
    let mut bob = app.member(&org, "Bob Builder", Role::Member).await;
    app.connected(&org, &mut bob, "hub").await;
    let owner = app.member(&org, "Olga Owner", Role::Owner).await;
    let admin = app.key_of(&org, owner.id, Role::Owner, &["*"]).await;
    Stage { app, org, hub, bob, admin }
}

impl Stage {
    async fn offboard(&self) {
        let path = format!("/api/v1/orgs/acme/members/{}", self.bob.id);
        self.admin.send(Method::DELETE, &path, &[], None).await.expect(StatusCode::OK);
    }

    async fn later(&self, minutes: i64) {
        self.app.clock.advance(Duration::minutes(minutes));
        self.app.run_jobs().await;
    }

    async fn told(&self) -> Vec<String> {
        let actions = self.app.recorded(&self.org).await;
        actions.into_iter().filter(|action| action == "connection.ended_upstream").collect()
    }
}

#[tokio::test]
async fn who_leaves_is_signed_out_at_the_provider_as_well() {
    let stage = stage().await;
    stage.offboard().await;
    assert_eq!(stage.app.number("select count(*) from connections where sealed_tokens is not null").await, 0);
    stage.later(1).await;
    assert_eq!(stage.hub.revoked().len(), 1);
    assert_eq!((stage.app.number(KEPT).await, stage.told().await.len()), (0, 1));
    stage.later(1).await;
    assert_eq!(stage.hub.revoked().len(), 1, "once is enough");
}

#[tokio::test]
async fn a_provider_that_does_not_listen_is_told_again_and_after_a_day_the_tokens_are_gone() {
    let stage = stage().await;
    stage.hub.be_down(true);
    stage.offboard().await;
    stage.later(1).await;
    assert_eq!((stage.app.number(KEPT).await, stage.told().await.len()), (1, 0));
    stage.hub.be_down(false);
    stage.later(2).await;
    assert_eq!((stage.hub.revoked().len(), stage.app.number(KEPT).await), (1, 0));
    // Another, whose provider never listens again.
    let mut eve = stage.app.member(&stage.org, "Eve", Role::Member).await;
    stage.hub.sign_in_as("eve");
    let id = stage.app.connected(&stage.org, &mut eve, "hub").await;
    stage.hub.be_down(true);
    let end = format!("/api/v1/orgs/acme/connections/{id}/disconnect");
    let ended = stage.admin.post(&end, json!({})).await.expect(StatusCode::OK);
    assert_eq!(ended.text("/upstream"), "failed");
    assert_eq!(stage.app.number(KEPT).await, 1);
    for _ in 0..30 {
        stage.later(60).await;
    }
    assert_eq!(stage.app.number(KEPT).await, 0, "no token is kept for longer than a day");
    assert_eq!(stage.hub.revoked().len(), 1);
}

#[tokio::test]
async fn what_ends_while_its_provider_moves_is_kept_for_where_it_came_from_and_for_no_other_place() {
    let stage = stage().await;
    let (app, org, now) = (&stage.app, stage.org.id, stage.app.clock.now());
    let until = now + Duration::days(1);
    let mut moving = app.org_tx(org).await;
    let hub: ProviderRef = "hub".parse().unwrap();
    let before = store::find(&mut moving, &hub).await.unwrap().unwrap();
    assert!(store::relocate(&mut moving, &before, before.version, now).await.unwrap());
    endings::keep_former(&mut moving, &before, now, until).await.unwrap();
    accounts::forget_tokens_at(&mut moving, before.id, now).await.unwrap();
    let ending = async {
        let mut tx = app.org_tx(org).await;
        endings::keep(&mut tx, Ending::Person(stage.bob.id), now, until).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    };
    let moved = async {
        let waiting = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        let mut tries = 0;
        while app.number(waiting).await == 0 && tries < 100 {
            tries += 1;
        }
        audit::commit_unrecorded(moving, Unrecorded::Housekeeping).await.unwrap();
    };
    tokio::join!(ending, moved);
    assert_eq!(app.number("select count(*) from token_endings where former = 0").await, 0);
    assert_eq!(app.number("select count(*) from token_endings where former > 0").await, 1);
}

#[tokio::test]
async fn the_accounts_of_a_team_go_with_it() {
    let mut stage = stage().await;
    let crew = json!({ "name": "Crew", "slug": "crew" });
    stage.admin.post("/api/v1/orgs/acme/teams", crew).await.expect(StatusCode::CREATED);
    let place = json!({ "person": stage.bob.email, "role": "admin" });
    stage.admin.post("/api/v1/orgs/acme/teams/crew/members", place).await.expect(StatusCode::CREATED);
    stage.hub.sign_in_as("crew");
    stage.app.connected_for(&stage.org, &mut stage.bob, "hub", "team:crew").await;
    let gone = stage.admin.send(Method::DELETE, "/api/v1/orgs/acme/teams/crew", &[], None).await;
    gone.expect(StatusCode::NO_CONTENT);
    assert_eq!(stage.app.number("select count(*) from connections where team_id is not null").await, 0);
    stage.later(1).await;
    assert_eq!((stage.hub.revoked().len(), stage.app.number(KEPT).await), (1, 0));
}
