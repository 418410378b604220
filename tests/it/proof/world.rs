//! Two organizations with one of everything, seeded once and copied for each walk.

use std::{collections::BTreeMap, sync::Arc};

use http::{Method, StatusCode};
use portreeve::{
    base::{
        actor::Principal,
        crypto::{
            digest,
            token::{Token, TokenKind},
        },
        ids,
        permission::Role,
        risk::Class,
    },
    domain::{
        audit::{self, Entry, Who},
        secrets::SecretOwner,
    },
    web::{
        self,
        kit::routes::{Effect, Route},
    },
};
use serde_json::{Value, json};
use time::Duration;
use tokio::sync::OnceCell;

use crate::{
    kit::{app::TestApp, calls::PlantedCall, database::TestDatabase, http::Visitor, people::PlantedOrg},
    proof::bodies::{body_of, query_of},
};

/// Who walks, weakest first: on pages with the cookie of a session, in the API with a key that may all that its owner
/// may. An operator has no key, so in the API it is their cookie that is refused.
pub(crate) const WALKERS: [&str; 10] = [
    "nobody",
    "stranger",
    "member",
    "approver",
    "auditor",
    "policy_manager",
    "admin",
    "owner",
    "operator",
    NARROW,
];

/// The owner again, with a key that may only read the record; on pages nobody.
pub(crate) const NARROW: &str = "narrow_key";

/// What was seeded, by which later copies are entered.
pub(crate) struct World {
    database: Arc<TestDatabase>,
    /// The cookie of each walker that has one.
    cookies: BTreeMap<&'static str, String>,
    /// The key of each walker that has one.
    keys: BTreeMap<&'static str, String>,
    /// The token of an agent of the organization that the walkers are in.
    pub(crate) agent: String,
    /// The path parameters of the organization that the walkers are in, and of the other.
    pub(crate) here: BTreeMap<&'static str, String>,
    pub(crate) there: BTreeMap<&'static str, String>,
}

static WORLD: OnceCell<World> = OnceCell::const_new();

/// The world, seeded at the first call.
pub(crate) async fn world() -> &'static World {
    WORLD.get_or_init(seed).await
}

async fn seed() -> World {
    let app = TestApp::start().await;
    let (acme, other) = (app.org("acme").await, app.org("other").await);
    let (mut cookies, mut keys) = (BTreeMap::new(), BTreeMap::new());
    let mut people = BTreeMap::new();
    for role in Role::ALL {
        let person = app.member(&acme, &format!("Walking {}", role.label()), role).await;
        cookies.insert(role.as_str(), person.browser.cookie("portreeve_session").unwrap().to_owned());
        keys.insert(role.as_str(), app.bearer_of(&acme, person.id, role, &["*"]).await);
        people.insert(role.as_str(), person.id);
    }
    let stranger = app.member(&other, "Strange Owner", Role::Owner).await;
    cookies.insert("stranger", stranger.browser.cookie("portreeve_session").unwrap().to_owned());
    keys.insert("stranger", app.bearer_of(&other, stranger.id, Role::Owner, &["*"]).await);
    let operator = app.operator("Olive Operator").await;
    cookies.insert("operator", operator.browser.cookie("portreeve_session").unwrap().to_owned());
    keys.insert(NARROW, app.bearer_of(&acme, people["owner"], Role::Owner, &["audit:read"]).await);
    let here = parameters(&app, &acme, people["member"], &keys["owner"]).await;
    let mut there = parameters(&app, &other, stranger.id, &keys["stranger"]).await;
    there.extend(only_there(&app, &other, &there, &keys["stranger"]).await);
    let (_, agent) = app.grant(&acme, Principal::User(people["member"]), Class::Write).await;
    greet(&app, &cookies, &keys).await;
    let database = app.stop().await;
    World { database, cookies, keys, agent, here, there }
}

/// The first use of a session or a key, and the organization last opened, are written down. Done here, it is no trace of what a walk is about.
async fn greet(
    app: &TestApp,
    cookies: &BTreeMap<&'static str, String>,
    keys: &BTreeMap<&'static str, String>,
) {
    for key in keys.values() {
        app.script(Some(key)).get("/api/v1/me").await.expect(StatusCode::OK);
    }
    for (walker, cookie) in cookies {
        let mut visitor = app.visitor();
        visitor.set_cookie("portreeve_session", cookie);
        visitor.get("/me/profile").await.expect(StatusCode::OK);
        let home = if *walker == "stranger" { "/o/other" } else { "/o/acme" };
        visitor.visit(home).await;
    }
}

/// What is told apart by a name or a number, which both organizations could have: one that only this one has.
async fn only_there(
    app: &TestApp,
    org: &PlantedOrg,
    values: &BTreeMap<&'static str, String>,
    key: &str,
) -> BTreeMap<&'static str, String> {
    let policy = format!("/api/v1/orgs/{}/policies/{}", org.slug, values["policy"]);
    let document = json!({ "version": "1", "default": "require_approval" });
    let script = app.script(Some(key));
    let body = Some(json!({ "document": document }));
    script.send(Method::PUT, &format!("{policy}/draft"), &[], body).await.expect(StatusCode::OK);
    script
        .post(&format!("{policy}/publish"), json!({ "in_spite": "It is meant so." }))
        .await
        .expect(StatusCode::OK);
    let server = values["server"].parse().unwrap();
    app.see_tools(org, server, &[json!({ "name": "only_there", "description": "Is elsewhere." })]).await;
    BTreeMap::from([("number", "2".to_owned()), ("tool", "only_there".to_owned())])
}

/// One of everything in an organization, by the names that routes give their parameters.
async fn parameters(
    app: &TestApp,
    org: &PlantedOrg,
    user: ids::UserId,
    key_text: &str,
) -> BTreeMap<&'static str, String> {
    let member = app.member(org, &format!("Spare Member {}", org.slug), Role::Member).await;
    let team = app.team(org, "crew").await;
    let (account, key) = app.service_account(org, "robot").await;
    let entry = Entry::admin("team.created", &Who::system("world")).target("team", team, "crew");
    let events = audit::commit(app.org_tx(org.id).await, app.clock.now(), vec![entry]).await.unwrap();
    let invitation = app.invitation(org, user).await;
    let server = app.server(org, "upstream").await;
    let (grant, grant_token) = app.named_grant(org, Principal::User(user), "Claude Code").await;
    let policy = app.policy(org, &serde_json::json!({ "version": "1", "default": "deny" })).await;
    let approval = app.approval(org, grant, server).await;
    let mut all = BTreeMap::new();
    all.insert("policy", policy.to_string());
    all.insert("number", "1".to_owned());
    all.insert("approval", approval.to_string());
    let hub = app.hub_at(org, &format!("hub-{}", org.slug), "https://hub.example.com").await;
    all.insert("returning", hub.to_string());
    // The document of a client says nothing but its own address, whoever's the id is.
    all.insert("known", hub.to_string());
    all.insert("connection", app.account(org, user, hub).await.to_string());
    all.insert("access", app.access_request(org, user, server).await.to_string());
    all.insert("test", kept_test(app, org, policy, key_text).await);
    all.insert("count", counted(app, org, policy).await);
    let secret = app.secret(org, SecretOwner::Org, "upstream_token", "s3cret-of-all").await;
    let own = app.secret(org, SecretOwner::User(user), "upstream_token", "s3cret-of-mine").await;
    all.insert("secret_id", secret.to_string());
    all.insert("my_secret", own.to_string());
    all.insert("grant", grant.to_string());
    all.insert("grant_token", grant_token.to_string());
    all.insert("event", events[0].to_string());
    all.insert("org", org.slug.clone());
    all.insert("org_id", org.id.to_string());
    all.insert("team", team.to_string());
    all.insert("account", account.to_string());
    all.insert("key", key.to_string());
    all.insert("user", member.id.to_string());
    all.insert("member", member.id.to_string());
    all.insert("owner", user.to_string());
    all.insert("session", session_of(app, user).await);
    all.insert("passkey", ids::PasskeyId::fresh().to_string());
    all.insert("link", Token::issue(TokenKind::Mail, ids::MailTokenId::fresh()).text().expose().clone());
    // Links of letters: what a made-up one is answered; good ones are tried at the door.
    all.insert("token", "made-up".to_owned());
    all.insert("endpoint", org.slug.clone());
    let call = PlantedCall::of(user, grant, server, "get_issue");
    all.insert("request", app.recorded_call_in(org, &call).await.to_string());
    all.insert("job", ids::JobId::fresh().to_string());
    all.insert("letter", ids::LetterId::fresh().to_string());
    all.insert("invitation", invitation.to_string());
    all.insert("server", server.to_string());
    all.insert("tool", "get_issue".to_owned());
    all.insert("provider", app.provider(org, "github").await.to_string());
    all
}

/// What a policy is held to.
async fn kept_test(app: &TestApp, org: &PlantedOrg, policy: ids::PolicyId, key: &str) -> String {
    let path = format!("/api/v1/orgs/{}/policies/{policy}/tests", org.slug);
    let call = json!({ "server": "upstream", "tool": "get_issue" });
    let body = json!({ "name": "nothing is open", "call": call, "expected": "deny" });
    app.script(Some(key)).post(&path, body).await.expect(StatusCode::CREATED).text("/id").to_owned()
}

/// What was used of a limit.
async fn counted(app: &TestApp, org: &PlantedOrg, policy: ids::PolicyId) -> String {
    let (id, policy) = (org.id.uuid(), policy.uuid());
    let key = data_encoding::HEXLOWER.encode(&digest::sha256(org.slug.as_bytes()));
    let now = app.clock.now();
    let (began, ends) = (now.unix_timestamp(), (now + Duration::days(30)).unix_timestamp());
    app.change(&format!(
        "insert into limit_counts (org_id, key, began_at, ends_at, used, policy_id, counter, scope, scope_id, span, most)
         values ('{id}', decode('{key}', 'hex'), to_timestamp({began}), to_timestamp({ends}), 1, '{policy}', 'calls',
            'org', '{id}', 'month', 9)"
    ))
    .await;
    key
}

/// Another session of a person.
async fn session_of(app: &TestApp, user: ids::UserId) -> String {
    let browser = app.signed_in(user).await;
    let token = Token::parse(TokenKind::Session, browser.cookie("portreeve_session").unwrap()).unwrap();
    let session: ids::SessionId = token.row();
    session.to_string()
}

impl World {
    /// An app over a copy.
    pub(crate) async fn copy(&self) -> TestApp {
        TestApp::over(self.database.copy_of().await, |_| ()).await
    }

    /// A path with the parameters of one side; panics for a parameter that the seed does not know.
    pub(crate) fn path(route: &Route, values: &BTreeMap<&'static str, String>) -> String {
        let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            None => part.to_owned(),
            Some(name) => {
                let name = name.trim_start_matches('*');
                values.get(name).cloned().unwrap_or_else(|| {
                    panic!("{} has the parameter {name}: seed one in tests/it/proof/world.rs", route.path)
                })
            }
        };
        route.path.split('/').map(part).collect::<Vec<_>>().join("/")
    }

    /// The key of a walker.
    pub(crate) fn key(&self, walker: &str) -> &str {
        &self.keys[walker]
    }

    /// Everything that the walkers carry.
    pub(crate) fn carried(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.cookies.iter().chain(&self.keys).map(|(walker, text)| (*walker, text.as_str()))
    }

    /// A walker's browser.
    pub(crate) fn browser(&self, app: &TestApp, walker: &str) -> Visitor {
        let mut visitor = app.visitor();
        if let Some(cookie) = self.cookies.get(walker) {
            visitor.set_cookie("portreeve_session", cookie);
        }
        visitor
    }

    /// Calls an operation as a walker, with their key or, where they have none, with their cookie.
    pub(crate) async fn call(
        &self,
        app: &TestApp,
        walker: &str,
        route: &Route,
        path: &str,
        body: Option<Value>,
    ) -> StatusCode {
        let path = format!("{path}{}", query_of(route, &self.here));
        match (self.keys.get(walker), self.cookies.get(walker)) {
            (None, Some(cookie)) => {
                let cookie = format!("portreeve_session={cookie}");
                app.script(None).send(route.method.clone(), &path, &[("cookie", &cookie)], body).await.status
            }
            (key, _) => app.script(key.map(String::as_str)).send_raw(route.method.clone(), &path, body).await,
        }
    }

    /// Knocks at a route as a walker; forms are empty but for their protection, and bodies are good ones of our own.
    pub(crate) async fn knock(&self, app: &TestApp, walker: &str, route: &Route, path: &str) -> StatusCode {
        if route.path.starts_with("/api/v1/") {
            return self.call(app, walker, route, path, body_of(route, &self.here)).await;
        }
        let mut browser = self.browser(app, walker);
        if route.method == Method::GET {
            return browser.get(path).await.status;
        }
        browser.get("/login").await;
        let csrf = browser.csrf();
        browser.post(path, &[("csrf", &csrf)]).await.status
    }
}

/// The names of a route's parameters.
pub(crate) fn parameters_of(route: &Route) -> Vec<String> {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| name.trim_start_matches('*').to_owned()).collect()
}

/// Whether a route changes something.
pub(crate) fn changes(route: &Route) -> bool {
    route.effect != Effect::Reads
}

/// Every route, in a steady order.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = web::routes().list().to_vec();
    routes.sort_by(|a, b| (&a.path, a.method.as_str()).cmp(&(&b.path, b.method.as_str())));
    routes
}
