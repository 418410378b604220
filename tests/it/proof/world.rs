//! Two organizations with one of everything, seeded once and copied for each walk.

use std::{collections::BTreeMap, sync::Arc};

use http::{Method, StatusCode};
use portreeve::{
    base::{
        actor::Principal,
        crypto::token::{Token, TokenKind},
        ids,
        permission::Role,
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
use tokio::sync::OnceCell;

use crate::kit::{
    app::TestApp,
    database::TestDatabase,
    http::{Script, Visitor},
    people::PlantedOrg,
};

/// Who walks, weakest first; the two last are keys.
pub(crate) const WALKERS: [&str; 11] = [
    "nobody",
    "stranger",
    "member",
    "approver",
    "auditor",
    "policy_manager",
    "admin",
    "owner",
    "operator",
    "key_small",
    "key_full",
];

/// What was seeded, by which later copies are entered.
pub(crate) struct World {
    database: Arc<TestDatabase>,
    /// Cookie or bearer of each walker.
    secrets: BTreeMap<&'static str, String>,
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
    let mut secrets = BTreeMap::new();
    let (acme, other) = (app.org("acme").await, app.org("other").await);
    let mut people = BTreeMap::new();
    for role in Role::ALL {
        let person = app.member(&acme, &format!("Walking {}", role.label()), role).await;
        secrets.insert(role.as_str(), person.browser.cookie("portreeve_session").unwrap().to_owned());
        people.insert(role.as_str(), person.id);
    }
    let stranger = app.member(&other, "Strange Owner", Role::Owner).await;
    secrets.insert("stranger", stranger.browser.cookie("portreeve_session").unwrap().to_owned());
    let operator = app.operator("Olive Operator").await;
    secrets.insert("operator", operator.browser.cookie("portreeve_session").unwrap().to_owned());
    secrets.insert("key_full", app.bearer_of(&acme, people["owner"], Role::Owner, &["*"]).await);
    secrets
        .insert("key_small", app.bearer_of(&acme, people["auditor"], Role::Auditor, &["audit:read"]).await);
    let here = parameters(&app, &acme, people["member"]).await;
    let there = parameters(&app, &other, stranger.id).await;
    greet(&app, &secrets).await;
    let database = app.stop().await;
    World { database, secrets, here, there }
}

/// The first use of a session or a key, and the organization last opened, are written down. Done here, it is no trace of what a walk is about.
async fn greet(app: &TestApp, secrets: &BTreeMap<&'static str, String>) {
    for (walker, secret) in secrets {
        if walker.starts_with("key") {
            app.script(Some(secret)).get("/api/v1/me").await.expect(StatusCode::OK);
        } else {
            let mut visitor = app.visitor();
            visitor.set_cookie("portreeve_session", secret);
            visitor.get("/me/profile").await.expect(StatusCode::OK);
            let home = if *walker == "stranger" { "/o/other" } else { "/o/acme" };
            visitor.visit(home).await;
        }
    }
}

/// One of everything in an organization, by the names that routes give their parameters.
async fn parameters(app: &TestApp, org: &PlantedOrg, user: ids::UserId) -> BTreeMap<&'static str, String> {
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
    all.insert("test", ids::PolicyTestId::fresh().to_string());
    all.insert("count", "07".repeat(32));
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
    all.insert("server", ids::ServerId::fresh().to_string());
    all.insert("request", ids::RequestId::fresh().to_string());
    all.insert("job", ids::JobId::fresh().to_string());
    all.insert("letter", ids::LetterId::fresh().to_string());
    all.insert("invitation", invitation.to_string());
    all.insert("server", server.to_string());
    all.insert("tool", "get_issue".to_owned());
    all.insert("provider", app.provider(org, "github").await.to_string());
    all
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

    /// The cookie or bearer of a walker.
    pub(crate) fn secret(&self, walker: &str) -> &str {
        &self.secrets[walker]
    }

    /// A walker's browser.
    pub(crate) fn browser(&self, app: &TestApp, walker: &str) -> Visitor {
        let mut visitor = app.visitor();
        if let Some(cookie) = self.secrets.get(walker) {
            visitor.set_cookie("portreeve_session", cookie);
        }
        visitor
    }

    /// A walker's script.
    pub(crate) fn script(&self, app: &TestApp, walker: &str) -> Script {
        app.script(self.secrets.get(walker).filter(|_| walker.starts_with("key")).map(String::as_str))
    }

    /// Knocks at a route as a walker; forms are empty but for their protection, and bodies are empty objects.
    pub(crate) async fn knock(&self, app: &TestApp, walker: &str, route: &Route, path: &str) -> StatusCode {
        if route.path.starts_with("/api/") {
            let body = (route.method != Method::GET && route.method != Method::DELETE)
                .then(|| serde_json::json!({}));
            return self.script(app, walker).send_raw(route.method.clone(), path, body).await;
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
