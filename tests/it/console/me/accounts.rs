//! Connecting accounts in a browser, and what comes back from a provider.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::json;
use time::Duration;

use crate::kit::{
    app::TestApp,
    browser::{Browser, Scheme},
    fake_provider::{FakeProvider, Mishap, agree},
    http::{Page, Visitor},
    people::{Person, PlantedOrg},
};

const LIST: &str = "/me/accounts";
const CONNECT: &str = "/me/accounts/acme/connect/hub";

struct Stage {
    app: TestApp,
    org: PlantedOrg,
    hub: FakeProvider,
    bob: Person,
}

async fn stage() -> Stage {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let hub = FakeProvider::start().await;
    app.hub(&org, "hub", &hub).await;
    let bob = app.member(&org, "Bob Builder", Role::Member).await;
    Stage { app, org, hub, bob }
}

/// Sets out for the provider, and gives the address that it sends the browser back to.
async fn way_back(visitor: &mut Visitor, connect: &str) -> String {
    let page = visitor.get(connect).await.expect(StatusCode::OK);
    let action = connect.split('?').next().unwrap();
    let page = visitor.submit(&page, action, &[]).await.expect(StatusCode::OK);
    let onward = page.headers["refresh"].to_str().unwrap().strip_prefix("0;url=").unwrap().to_owned();
    agree(&onward).await
}

fn nothing(page: &Page, words: &str) {
    assert!(page.says("Nothing was connected") && page.says(words), "{}", page.body);
}

#[tokio::test]
async fn a_member_connects_an_account_in_two_steps_and_no_token_is_anywhere() {
    let Stage { app, org, hub, mut bob } = stage().await;
    let page = bob.browser.get(LIST).await.expect(StatusCode::OK);
    assert!(page.says("Connect Fake Hub"));
    let page = bob.browser.get(CONNECT).await.expect(StatusCode::OK);
    assert!(page.says("127.0.0.1") && page.says(&bob.email) && page.says("write"), "{}", page.body);
    hub.grant("read");
    let id = app.connected(&org, &mut bob, "hub").await;
    let page = bob.browser.get(&format!("{LIST}/acme/{id}")).await.expect(StatusCode::OK);
    assert!(page.says("Working") && page.says("ada@hub.example") && page.says("id-of-ada"));
    assert!(page.says("Not granted"), "less was granted than was asked for");
    let list = bob.browser.get(LIST).await.expect(StatusCode::OK);
    assert!(list.says("Fake Hub: ada") && list.says("Another Fake Hub account"));
    assert_eq!(app.recorded(&org).await, ["connection.connected"]);
    for secret in hub.secrets() {
        assert!(!page.body.contains(&secret) && !list.body.contains(&secret));
        let query = format!(
            "select (select count(*) from events where position('{secret}'::bytea in record) > 0) \
                + (select count(*) from connections c where position('{secret}' in c::text) > 0)"
        );
        assert_eq!(app.number(&query).await, 0);
    }
}

#[tokio::test]
async fn a_way_back_is_for_the_browser_that_set_out_and_once_and_in_time() {
    let Stage { app, org, hub, mut bob } = stage().await;
    let mut eve = app.member(&org, "Eve", Role::Admin).await;
    // Another person follows the link, the same person in another browser does, and it is followed twice.
    let back = way_back(&mut bob.browser, CONNECT).await;
    nothing(&eve.browser.get(&back).await.expect(StatusCode::CONFLICT), "belongs to somebody else");
    let mut elsewhere = app.signed_in(bob.id).await;
    nothing(&elsewhere.get(&back).await.expect(StatusCode::CONFLICT), "belongs to somebody else");
    nothing(&bob.browser.get(&back).await.expect(StatusCode::CONFLICT), "was used before");
    // Nobody is signed in.
    let back = way_back(&mut bob.browser, CONNECT).await;
    let sign_in = app.visitor().get(&back).await.expect(StatusCode::SEE_OTHER);
    let (path, _) = back.split_once('?').unwrap();
    let returning = serde_urlencoded::to_string([("return_to", path)]).unwrap();
    assert_eq!(
        sign_in.location().unwrap(),
        format!("/login?{returning}"),
        "neither code nor state goes along"
    );
    let returned = bob.browser.get(path).await.expect(StatusCode::CONFLICT);
    assert!(returned.says("Start again from your accounts"), "{}", returned.body);
    app.clock.advance(Duration::minutes(10));
    nothing(&bob.browser.get(&back).await.expect(StatusCode::CONFLICT), "older than ten minutes");
    // The provider was changed meanwhile, or it is another provider's callback.
    let back = way_back(&mut bob.browser, CONNECT).await;
    app.change("update providers set version = version + 1").await;
    nothing(&bob.browser.get(&back).await.expect(StatusCode::CONFLICT), "was changed while you were there");
    let other = app.hub(&org, "other", &hub).await;
    let back = way_back(&mut bob.browser, CONNECT).await;
    let (_, query) = back.split_once('?').unwrap();
    let astray = format!("/oauth/callback/{other}?{query}");
    nothing(&bob.browser.get(&astray).await.expect(StatusCode::CONFLICT), "belongs to somebody else");
    for query in ["", "?state=x&code=y", "?state=x&code=y&code=z"] {
        let (path, _) = back.split_once('?').unwrap();
        bob.browser.get(&format!("{path}{query}")).await.expect(StatusCode::CONFLICT);
    }
    assert_eq!(app.number("select count(*) from connections").await, 0);
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn what_a_provider_refuses_is_told_with_its_words_and_who_can_help() {
    let Stage { app, hub, mut bob, .. } = stage().await;
    for (error, words) in [
        ("error=access_denied&error_description=No+thanks.", "was not given leave"),
        ("error=invalid_scope", "An admin corrects them"),
        ("error=redirect_uri_mismatch", "another callback address"),
        ("error=unauthorized_client", "does not accept the registered client"),
        ("error=consent_required", "an administrator there has to give it"),
        ("error=temporarily_unavailable", "Try again in a few minutes"),
    ] {
        let back = way_back(&mut bob.browser, CONNECT).await;
        let (path, query) = back.split_once('?').unwrap();
        let state = query.split('&').find(|pair| pair.starts_with("state=")).unwrap();
        let page = bob.browser.get(&format!("{path}?{error}&{state}")).await.expect(StatusCode::CONFLICT);
        nothing(&page, words);
    }
    for (mishap, words) in [
        (Mishap::Answer(401, json!({ "error": "invalid_client" })), "id or secret"),
        (
            Mishap::Answer(400, json!({ "error": "invalid_grant", "error_description": "Too old." })),
            "Too old.",
        ),
        (Mishap::Answer(200, json!({ "error": "bad_verification_code" })), "used before, was too old"),
        (Mishap::Answer(400, json!({ "error": "invalid_scope" })), "An admin corrects them"),
        (Mishap::Answer(400, json!({ "error": "access_denied" })), "was not given leave"),
        (Mishap::Answer(503, json!({})), "cannot be reached right now"),
        (Mishap::Lose, "no answer that can be read"),
    ] {
        let back = way_back(&mut bob.browser, CONNECT).await;
        hub.next(mishap);
        nothing(&bob.browser.get(&back).await.expect(StatusCode::CONFLICT), words);
    }
    assert_eq!(app.number("select count(*) from connections").await, 0);
}

#[tokio::test]
async fn an_address_that_somebody_made_asks_for_nothing_that_no_tool_needs() {
    let Stage { app, org, hub: _hub, mut bob } = stage().await;
    let wide = format!("{CONNECT}?scopes=read+delete:everything");
    nothing(&bob.browser.get(&wide).await.expect(StatusCode::CONFLICT), "No tool here needs");
    let own = app.key_of(&org, bob.id, Role::Member, &["*"]).await;
    let asked = json!({ "provider": "hub", "scopes": ["delete:everything"] });
    let refused = own.post("/api/v1/orgs/acme/connections", asked).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "connect_scope_unneeded");
    let good = own.post("/api/v1/orgs/acme/connections", json!({ "provider": "hub" })).await;
    let address = good.expect(StatusCode::OK).text("/authorize_url").to_owned();
    assert!(address.ends_with(CONNECT), "{address}");
}

#[tokio::test]
async fn a_change_over_the_api_is_made_as_a_whole_or_not_at_all() {
    let Stage { app, org, hub, mut bob } = stage().await;
    app.connected(&org, &mut bob, "hub").await;
    hub.sign_in_as("eve");
    let second = app.connected(&org, &mut bob, "hub").await;
    let own = app.key_of(&org, bob.id, Role::Member, &["*"]).await;
    let one = format!("/api/v1/orgs/acme/connections/{second}");
    let both = json!({ "name": "Work", "is_default": true });
    let stale = own.send(Method::PATCH, &one, &[("if-match", "\"v9\"")], Some(both.clone())).await;
    stale.expect(StatusCode::PRECONDITION_FAILED);
    let wrong = json!({ "name": "Work", "is_default": false });
    let refused = own.send(Method::PATCH, &one, &[], Some(wrong)).await;
    assert_eq!(refused.expect(StatusCode::UNPROCESSABLE_ENTITY).text("/errors/0/path"), "is_default");
    assert_eq!(app.number("select count(*) from connections where name <> ''").await, 0);
    let done = own.send(Method::PATCH, &one, &[], Some(both)).await.expect(StatusCode::OK);
    assert_eq!((done.text("/name"), &done.body["is_default"]), ("Work", &json!(true)));
    let listed = own.get("/api/v1/orgs/acme/connections?state=needs_reauth").await.expect(StatusCode::OK);
    assert_eq!(listed.body["items"], json!([]));
}

#[tokio::test]
async fn a_rule_is_typed_mended_changed_and_removed_without_script() {
    let Stage { app, org, hub, mut bob } = stage().await;
    app.connected(&org, &mut bob, "hub").await;
    hub.sign_in_as("work");
    let work = app.connected(&org, &mut bob, "hub").await;
    let one = format!("{LIST}/acme/{work}");
    let rule = format!("{one}/rule");
    let account = bob.browser.get(&one).await.expect(StatusCode::OK);
    assert!(
        account.says("Use it for some calls") && account.says("For every call agents use another account")
    );
    let page = bob.browser.get(&rule).await.expect(StatusCode::OK);
    let more = bob.browser.submit(&page, &rule, &[("act", "more"), ("path-0", "args.owner")]).await;
    assert!(more.expect(StatusCode::OK).body.contains("name=\"path-1\""));
    let typed = [("act", "save"), ("path-0", "args.owner"), ("op-0", "in"), ("operand-0", "")];
    let refused = bob.browser.submit(&page, &rule, &typed).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.says("Condition 1, value: This key is missing: in needs a value."), "{}", refused.body);
    assert!(refused.body.contains("value=\"args.owner\""), "what was typed is still there");
    let nothing = bob.browser.submit(&page, &rule, &[("act", "save")]).await;
    assert!(nothing.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Say by at least one condition"));
    let typed =
        [("act", "save"), ("path-0", "args.owner"), ("op-0", "in"), ("operand-0", "acme\r\numbrella")];
    bob.browser.submit(&page, &rule, &typed).await.expect(StatusCode::SEE_OTHER);
    let account = bob.browser.get(&one).await.expect(StatusCode::OK);
    assert!(account.says("By its rule, when owner is one of acme, umbrella."), "{}", account.body);
    assert!(bob.browser.get(LIST).await.expect(StatusCode::OK).says("used when owner is one of acme"));
    // The page that was open all the while is out of date.
    let stale = bob.browser.submit(&page, &rule, &typed[..3]).await;
    stale.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let page = bob.browser.get(&rule).await.expect(StatusCode::OK);
    assert!(page.body.contains("acme\numbrella"), "{}", page.body);
    bob.browser.submit(&page, &rule, &[("act", "none")]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(app.number("select count(*) from connections where account_if <> ''").await, 0);
    let eve = app.member(&org, "Eve", Role::Owner).await;
    let mut eve = eve.browser;
    eve.get(&rule).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_provider_that_does_not_say_whose_account_it_is_connects_nothing_when_it_should_have() {
    let Stage { app, org, hub, mut bob } = stage().await;
    let id = app.connected(&org, &mut bob, "hub").await;
    hub.be_discreet(true);
    for connect in [CONNECT.to_owned(), format!("{CONNECT}?connection={id}")] {
        let back = way_back(&mut bob.browser, &connect).await;
        nothing(&bob.browser.get(&back).await.expect(StatusCode::CONFLICT), "did not say whose account");
    }
    hub.be_discreet(false);
    assert_eq!(app.connected(&org, &mut bob, "hub").await, id);
    // One that never says it has nothing to tell accounts by, so each sign-in is an account of its own.
    app.change("update providers set userinfo_url = null").await;
    let first = app.connected(&org, &mut bob, "hub").await;
    let second = app.connected(&org, &mut bob, "hub").await;
    assert!(first != id && second != first);
    let back = way_back(&mut bob.browser, &format!("{CONNECT}?connection={second}")).await;
    let done = bob.browser.get(&back).await.expect(StatusCode::SEE_OTHER);
    assert!(done.location().unwrap().ends_with(&second.to_string()));
}

#[tokio::test]
async fn connecting_again_keeps_the_account_and_another_account_changes_nothing() {
    let Stage { app, org, hub, mut bob } = stage().await;
    let id = app.connected(&org, &mut bob, "hub").await;
    let again = format!("{CONNECT}?connection={id}");
    hub.sign_in_as("eve");
    let back = way_back(&mut bob.browser, &again).await;
    nothing(&bob.browser.get(&back).await.expect(StatusCode::CONFLICT), "another account (eve@hub.example)");
    assert_eq!(hub.revoked().len(), 1, "what was not kept is ended where it came from");
    hub.sign_in_as("ada");
    let back = way_back(&mut bob.browser, &again).await;
    let done = bob.browser.get(&back).await.expect(StatusCode::SEE_OTHER);
    assert!(done.location().unwrap().ends_with(&id.to_string()));
    // The same account by the way for a new one is the same connection, another account is another.
    assert_eq!(app.connected(&org, &mut bob, "hub").await, id);
    hub.sign_in_as("eve");
    let second = app.connected(&org, &mut bob, "hub").await;
    assert_ne!(second, id);
    let one = format!("{LIST}/acme/{second}");
    let page = bob.browser.get(&one).await.expect(StatusCode::OK);
    bob.browser.submit(&page, &format!("{one}/prefer"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(
        app.number(&format!("select count(*) from connections where is_default and id <> '{}'", id.uuid()))
            .await,
        1
    );
    let page = bob.browser.get(&one).await.expect(StatusCode::OK);
    let page = bob.browser.submit(&page, &format!("{one}/rename"), &[("name", "Eve's")]).await;
    let page = bob.browser.follow(page.expect(StatusCode::SEE_OTHER)).await;
    assert!(page.says("Eve's"));
    let stale = bob.browser.submit(&page, &format!("{one}/rename"), &[("name", "x"), ("version", "1")]).await;
    stale.expect(StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn a_disconnected_account_is_ended_at_the_provider_and_its_tokens_are_gone() {
    let Stage { app, org, hub, mut bob } = stage().await;
    let mut eve = app.member(&org, "Eve", Role::Member).await;
    let id = app.connected(&org, &mut bob, "hub").await;
    let one = format!("{LIST}/acme/{id}");
    eve.browser.get(&one).await.expect(StatusCode::NOT_FOUND);
    for step in ["rename", "prefer", "test", "switch", "disconnect"] {
        let csrf = eve.browser.csrf();
        eve.browser.post(&format!("{one}/{step}"), &[("csrf", &csrf)]).await.expect(StatusCode::NOT_FOUND);
    }
    let page = bob.browser.get(&one).await.expect(StatusCode::OK);
    let tested = bob.browser.submit(&page, &format!("{one}/test"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(bob.browser.follow(tested).await.says("It works"));
    let done =
        bob.browser.submit(&page, &format!("{one}/disconnect"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(bob.browser.follow(done).await.says("ended at Fake Hub"));
    assert_eq!(hub.revoked().len(), 1);
    assert_eq!(app.number("select count(*) from connections where sealed_tokens is not null").await, 0);
    let page = bob.browser.get(&one).await.expect(StatusCode::OK);
    assert!(page.says("Disconnected") && !page.says("Which account agents use"));
    assert_eq!(app.recorded(&org).await[1..], ["connection.ended", "connection.ended_upstream"]);
}

#[tokio::test]
async fn where_the_provider_cannot_be_told_the_person_hears_what_is_left_to_do_there() {
    let Stage { app, org, hub, mut bob } = stage().await;
    let id = app.connected(&org, &mut bob, "hub").await;
    app.change("update providers set revoke_url = null").await;
    let one = format!("{LIST}/acme/{id}");
    let page = bob.browser.get(&one).await.expect(StatusCode::OK);
    assert!(page.says("The provider lets nobody else end them"), "{}", page.body);
    let done = bob.browser.submit(&page, &format!("{one}/disconnect"), &[]).await;
    let done = done.expect(StatusCode::SEE_OTHER);
    assert_eq!(done.location().as_deref(), Some(one.as_str()), "the page says what is left");
    let page = bob.browser.follow(done).await.expect(StatusCode::OK);
    assert!(page.says("One step is left at Fake Hub"), "{}", page.body);
    assert!(page.says("Fake Hub lets nobody else end its tokens: remove Portreeve under connected apps"));
    assert!(hub.revoked().is_empty());
}

#[tokio::test]
async fn a_provider_stays_while_an_account_is_connected_through_it() {
    let Stage { app, org, mut bob, hub: _hub } = stage().await;
    let id = app.connected(&org, &mut bob, "hub").await;
    let admin = app.member(&org, "Admin", Role::Owner).await;
    let key = app.key_of(&org, admin.id, Role::Owner, &["*"]).await;
    let hub = "/api/v1/orgs/acme/providers/hub";
    let refused = key.send(Method::DELETE, hub, &[], None).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "provider_in_use");
    let own = app.key_of(&org, bob.id, Role::Member, &["*"]).await;
    let end = format!("/api/v1/orgs/acme/connections/{id}/disconnect");
    let ended = own.post(&end, json!({})).await.expect(StatusCode::OK);
    assert_eq!((ended.text("/upstream"), ended.text("/connection/state")), ("ended", "revoked"));
    own.post(&end, json!({})).await.expect(StatusCode::CONFLICT);
    key.send(Method::DELETE, hub, &[], None).await.expect(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn who_leaves_has_no_accounts_any_more() {
    let Stage { app, org, mut bob, hub: _hub } = stage().await;
    app.connected(&org, &mut bob, "hub").await;
    let admin = app.member(&org, "Admin", Role::Owner).await;
    let key = app.key_of(&org, admin.id, Role::Owner, &["*"]).await;
    let listed = key.get("/api/v1/orgs/acme/connections").await.expect(StatusCode::OK);
    assert_eq!((listed.text("/items/0/account_name"), listed.text("/items/0/state")), ("ada", "active"));
    let mut tx = app.org_tx(org.id).await;
    let leaver = portreeve::flow::leaver::Leaver { user: bob.id, by: None, now: app.clock.now() };
    let endings =
        portreeve::flow::leaver::end(&mut tx, &leaver, portreeve::flow::leaver::Occasion::Offboarding).await;
    let ended = endings.unwrap().into_iter().find(|ending| ending.key == "connections").unwrap();
    assert_eq!(ended.count, 1);
    portreeve::domain::audit::commit_unrecorded(tx, portreeve::domain::audit::Unrecorded::Housekeeping)
        .await
        .unwrap();
    assert_eq!(app.number("select count(*) from connections where sealed_tokens is not null").await, 0);
}

#[tokio::test]
async fn the_pages_of_accounts_are_for_everybody_in_both_schemes_and_on_a_phone() {
    let Stage { app, org, hub, mut bob } = stage().await;
    let id = app.connected(&org, &mut bob, "hub").await;
    hub.sign_in_as("eve");
    app.connected(&org, &mut bob, "hub").await;
    app.change(
        "update connections set state = 'needs_reauth', state_reason = 'invalid_grant' where not is_default",
    )
    .await;
    let Some(browser) = Browser::open().await else {
        return;
    };
    let session = bob.browser.cookie("portreeve_session").unwrap();
    let cookie = json!({ "name": "portreeve_session", "value": session, "url": app.origin() });
    browser.cdp("Network.setCookie", cookie).await;
    let rule = format!("{LIST}/acme/{id}/rule");
    for (width, scheme) in [(1440, Scheme::Light), (1440, Scheme::Dark), (390, Scheme::Light)] {
        browser.prefer(scheme).await;
        browser.resize(width, 900).await;
        for path in [LIST.to_owned(), format!("{LIST}/acme/{id}"), rule.clone(), CONNECT.to_owned()] {
            browser.goto(&format!("{}{path}", app.origin())).await;
            assert_eq!(browser.axe().await, [], "{path} {width}");
            let overflow = browser
                .eval("return document.documentElement.scrollWidth > document.documentElement.clientWidth")
                .await;
            assert_eq!(overflow, json!(false), "{path} {width}");
        }
    }
    // The whole way: on to the provider, and back by itself.
    browser.click("form .btn-p").await;
    browser.see("h1", "eve").await;
    browser.finish().await;
}

#[tokio::test]
async fn a_shared_account_is_connected_by_who_may_and_serves_whom_it_is_for() {
    let Stage { app, org, hub, mut bob } = stage().await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await;
    // A member connects for themselves alone; the choice is not even shown, and naming it does not help.
    let page = bob.browser.get(CONNECT).await.expect(StatusCode::OK);
    assert!(!page.says("Whose agents") && page.says("for nobody else"), "{}", page.body);
    for owner in ["org", "team:crew", "nobody"] {
        bob.browser.get(&format!("{CONNECT}?for={owner}")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        let csrf = bob.browser.csrf();
        let form = [("csrf", csrf.as_str()), ("for", owner)];
        bob.browser.post(CONNECT, &form).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let page = ada.browser.get(CONNECT).await.expect(StatusCode::OK);
    assert!(page.says("Everybody here") && page.says("belongs to no person"), "{}", page.body);
    let back = way_back(&mut ada.browser, &format!("{CONNECT}?for=org")).await;
    let done = ada.browser.get(&back).await.expect(StatusCode::SEE_OTHER);
    let id = done.location().unwrap().rsplit('/').next().unwrap().to_owned();
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let shown = key.get(&format!("/api/v1/orgs/acme/connections/{id}")).await.expect(StatusCode::OK);
    assert_eq!((shown.text("/owner"), &shown.body["user"]), ("org", &json!(null)));
    let shared = key.get("/api/v1/orgs/acme/connections?shared=true").await.expect(StatusCode::OK);
    assert_eq!(shared.text("/items/0/id"), id);
    // Who looks after it has its page, and nobody else.
    let list = ada.browser.get(LIST).await.expect(StatusCode::OK);
    assert!(list.says("Shared accounts that you look after") && list.says("of everybody"), "{}", list.body);
    let page = ada.browser.get(&format!("{LIST}/acme/{id}")).await.expect(StatusCode::OK);
    assert!(page.says("You look after it") && !page.says("one person's account"), "{}", page.body);
    bob.browser.get(&format!("{LIST}/acme/{id}")).await.expect(StatusCode::NOT_FOUND);
    let csrf = bob.browser.csrf();
    for act in ["test", "prefer", "disconnect"] {
        let path = format!("{LIST}/acme/{id}/{act}");
        bob.browser.post(&path, &[("csrf", csrf.as_str())]).await.expect(StatusCode::NOT_FOUND);
    }
    // Once somebody connects the same account for themselves, it is one person's.
    app.connected(&org, &mut bob, "hub").await;
    let page = ada.browser.get(&format!("{LIST}/acme/{id}")).await.expect(StatusCode::OK);
    assert!(page.says("one person's account"), "{}", page.body);
    drop(hub);
}

#[tokio::test]
async fn who_lost_the_right_on_the_way_shares_nothing() {
    let Stage { app, org, hub, .. } = stage().await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let back = way_back(&mut ada.browser, &format!("{CONNECT}?for=org")).await;
    let demote = format!("update memberships set role = 'member' where user_id = '{}'", ada.id.uuid());
    app.change(&demote).await;
    ada.browser.get(&back).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(app.number("select count(*) from connections").await, 0);
    drop(hub);
}

#[tokio::test]
async fn a_teams_account_is_looked_after_by_those_who_lead_the_team() {
    let Stage { app, org, hub, mut bob } = stage().await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let team = key.post("/api/v1/orgs/acme/teams", json!({ "name": "Crew", "slug": "crew" })).await;
    team.expect(StatusCode::CREATED);
    let member = json!({ "person": bob.email, "role": "admin" });
    key.post("/api/v1/orgs/acme/teams/crew/members", member).await.expect(StatusCode::CREATED);
    let page = bob.browser.get(CONNECT).await.expect(StatusCode::OK);
    assert!(page.says("The team Crew") && !page.says("Everybody here"), "{}", page.body);
    let back = way_back(&mut bob.browser, &format!("{CONNECT}?for=team:crew")).await;
    bob.browser.get(&back).await.expect(StatusCode::SEE_OTHER);
    let list = bob.browser.get(LIST).await.expect(StatusCode::OK);
    assert!(list.says("of the team Crew"), "{}", list.body);
    let shared = key.get("/api/v1/orgs/acme/connections?shared=true").await.expect(StatusCode::OK);
    assert_eq!(shared.text("/items/0/owner"), "team");
    drop(hub);
}

#[tokio::test]
async fn a_provider_that_becomes_another_while_a_code_is_traded_keeps_nothing() {
    let Stage { app, hub, mut bob, .. } = stage().await;
    let back = way_back(&mut bob.browser, CONNECT).await;
    hub.next(Mishap::Slow(std::time::Duration::from_secs(2)));
    let moved = async {
        while app.number("select count(*) from connect_requests").await > 0 {
            tokio::task::yield_now().await;
        }
        app.change("update providers set version = version + 1").await;
    };
    let (page, ()) = tokio::join!(bob.browser.get(&back), moved);
    nothing(&page.expect(StatusCode::CONFLICT), "was changed while you were there");
    assert_eq!(app.number("select count(*) from connections").await, 0);
}

#[tokio::test]
async fn who_is_removed_while_a_code_is_traded_is_told_so_and_nothing_stays_at_the_provider() {
    let Stage { app, hub, mut bob, .. } = stage().await;
    let back = way_back(&mut bob.browser, CONNECT).await;
    hub.next(Mishap::Slow(std::time::Duration::from_secs(2)));
    let removed = async {
        while app.number("select count(*) from connect_requests").await > 0 {
            tokio::task::yield_now().await;
        }
        app.change(&format!("delete from memberships where user_id = '{}'", bob.id.uuid())).await;
    };
    let (page, ()) = tokio::join!(bob.browser.get(&back), removed);
    nothing(&page.expect(StatusCode::CONFLICT), "You ceased to be a member");
    assert_eq!(app.number("select count(*) from connections").await, 0);
    assert_eq!(hub.revoked().len(), 1);
}

#[tokio::test]
async fn who_disconnects_an_account_that_is_connected_twice_is_told_that_both_may_end() {
    let Stage { app, org, hub, mut bob } = stage().await;
    let mut eve = app.member(&org, "Eve", Role::Member).await;
    let id = app.connected(&org, &mut bob, "hub").await;
    let one = format!("{LIST}/acme/{id}");
    let both = "the provider may end both";
    assert!(!bob.browser.get(&one).await.expect(StatusCode::OK).says(both));
    app.connected(&org, &mut eve, "hub").await;
    assert!(bob.browser.get(&one).await.expect(StatusCode::OK).says(both));
    drop(hub);
}

#[tokio::test]
async fn a_refused_client_is_an_admins_matter_on_the_page_and_in_the_check() {
    let Stage { app, org, hub, mut bob } = stage().await;
    hub.live_for(Some(60));
    let id = app.connected(&org, &mut bob, "hub").await;
    app.clock.advance(Duration::minutes(2));
    hub.next(Mishap::Answer(401, json!({ "error": "invalid_client" })));
    let one = format!("{LIST}/acme/{id}");
    let page = bob.browser.get(&one).await.expect(StatusCode::OK);
    bob.browser.submit(&page, &format!("{one}/test"), &[]).await.expect(StatusCode::SEE_OTHER);
    let page = bob.browser.get(&one).await.expect(StatusCode::OK);
    assert!(page.says("An admin mends it") && !page.says("tried again by itself"), "{}", page.body);
    assert!(page.says("An admin enters them anew on the provider's page"), "{}", page.body);
    let check = bob.browser.get(&format!("{one}/check")).await.expect(StatusCode::OK);
    assert!(check.says("refuses the client that is registered here"), "{}", check.body);
    assert!(!check.says("registered with its client and switched on"), "{}", check.body);
}

#[tokio::test]
async fn the_letter_about_an_account_leads_to_its_page() {
    let Stage { app, org, hub, mut bob } = stage().await;
    hub.live_for(Some(60));
    let id = app.connected(&org, &mut bob, "hub").await;
    hub.forget_everybody();
    app.clock.advance(Duration::minutes(2));
    let csrf = bob.browser.csrf();
    bob.browser
        .post(&format!("{LIST}/acme/{id}/test"), &[("csrf", csrf.as_str())])
        .await
        .expect(StatusCode::SEE_OTHER);
    app.run_jobs().await;
    let letter = app.postbox.mails().pop().expect("a letter").text;
    let at = letter.find(&format!("{LIST}/")).expect("an address");
    let path: String =
        letter[at..].chars().take_while(|c| !c.is_whitespace() && *c != '"' && *c != '<').collect();
    assert!(path.ends_with(&id.to_string()), "{path}");
    bob.browser.get(&path).await.expect(StatusCode::OK);
}
