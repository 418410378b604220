//! An authorization server of somebody else, on a loopback port, stricter than most: codes and refresh tokens are taken
//! once, and a refresh token that comes a second time ends its whole family. It may want its client to sign, and then
//! takes nothing that was signed for somebody else, is over, or comes a second time.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use portreeve::{
    base::{
        clock::Clock,
        crypto::{digest, ecdsa},
        ids::{ConnectionId, ProviderId, UserId},
        secret::Secret,
    },
    domain::{
        audit::{self, Unrecorded},
        connections::{
            AccountLabel, AccountOwner, Enrolment, NewConnection, NewTokens, Pkce, Provider, ProviderSource,
            SealedSecret, TemplateParts, store, store::accounts,
        },
        vault::Cell,
    },
    flow::tokens::Pair,
    protocol::oauth::{assertion::ASSERTION_TYPE, client::ClientAuth},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::kit::{
    app::TestApp,
    people::{Person, PlantedOrg},
};

/// What it does next at its token endpoint in place of answering as it should.
#[derive(Clone, Debug)]
pub(crate) enum Mishap {
    /// Answers so, without doing anything.
    Answer(u16, Value),
    /// Does what it was asked to, and hangs up in place of the answer.
    Lose,
    /// Asks to be left alone for so many seconds, and does nothing.
    Busy(u64),
    /// Shows a page for people, and does nothing.
    Page,
    /// Waits before it answers.
    Slow(Duration),
}

/// What it wants of a client that signs.
struct Signing {
    /// The keys that it read (RFC 7517).
    keys: Value,
    clock: Clock,
    /// Whom what is signed has to be for.
    audience: String,
    /// The names of what was taken.
    taken: HashSet<String>,
    /// What was signed, in its order.
    came: Vec<String>,
}

#[derive(Default)]
struct Inner {
    counter: u64,
    signing: Option<Signing>,
    /// Code to challenge and account.
    codes: HashMap<String, (String, String)>,
    /// Refresh token to family and account.
    refresh: HashMap<String, (u64, String)>,
    /// Those that were taken.
    used: HashMap<String, u64>,
    dead: HashSet<u64>,
    /// Access token to family and account.
    access: HashMap<String, (u64, String)>,
    mishaps: VecDeque<Mishap>,
    lives: Option<u64>,
    presented: Vec<String>,
    reused: usize,
    revoked: Vec<String>,
    down: bool,
    account: String,
    has_refresh: bool,
    is_discreet: bool,
    scope: Option<String>,
}

/// The server.
pub(crate) struct FakeProvider {
    inner: Arc<Mutex<Inner>>,
    origin: String,
    task: JoinHandle<()>,
}

type Shared = State<Arc<Mutex<Inner>>>;

impl FakeProvider {
    /// One whose access tokens live for an hour.
    pub(crate) async fn start() -> Self {
        let inner = Arc::new(Mutex::new(Inner {
            lives: Some(3600),
            account: "ada".to_owned(),
            has_refresh: true,
            ..Inner::default()
        }));
        let router = Router::new()
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/me", get(me))
            .route("/revoke", post(revoke))
            .with_state(Arc::clone(&inner));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Self { inner, origin, task }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.inner.lock().unwrap())
    }

    /// For how many seconds access tokens live; forever without one.
    pub(crate) fn live_for(&self, seconds: Option<u64>) {
        self.with(|inner| inner.lives = seconds);
    }

    /// Who signs in from now on.
    pub(crate) fn sign_in_as(&self, account: &str) {
        self.with(|inner| inner.account = account.to_owned());
    }

    /// Gives no refresh tokens from now on.
    pub(crate) fn without_refresh(&self) {
        self.with(|inner| inner.has_refresh = false);
    }

    /// Whether it keeps to itself whose account a token is of.
    pub(crate) fn be_discreet(&self, is_discreet: bool) {
        self.with(|inner| inner.is_discreet = is_discreet);
    }

    /// What it says it granted.
    pub(crate) fn grant(&self, scope: &str) {
        self.with(|inner| inner.scope = Some(scope.to_owned()));
    }

    /// What goes wrong next at the token endpoint.
    pub(crate) fn next(&self, mishap: Mishap) {
        self.with(|inner| inner.mishaps.push_back(mishap));
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm(&self) {
        self.with(|inner| inner.mishaps.clear());
    }

    /// Whether it answers with 503 to everything about tokens.
    pub(crate) fn be_down(&self, is_down: bool) {
        self.with(|inner| inner.down = is_down);
    }

    /// The refresh tokens that came, in their order.
    pub(crate) fn presented(&self) -> Vec<String> {
        self.with(|inner| inner.presented.clone())
    }

    /// How often one came a second time.
    pub(crate) fn reused(&self) -> usize {
        self.with(|inner| inner.reused)
    }

    /// The tokens that were ended.
    pub(crate) fn revoked(&self) -> Vec<String> {
        self.with(|inner| inner.revoked.clone())
    }

    /// From now on takes only a client that signs with one of these keys.
    pub(crate) fn demand_signatures(&self, keys: &Value, clock: &Clock) {
        let (audience, _) = self.endpoints();
        self.with(|inner| {
            let before = inner.signing.take();
            let (taken, came) = before.map(|before| (before.taken, before.came)).unwrap_or_default();
            let (keys, clock) = (keys.clone(), clock.clone());
            inner.signing = Some(Signing { keys, clock, audience, taken, came });
        });
    }

    /// What its client signed, in its order.
    pub(crate) fn signed(&self) -> Vec<String> {
        self.with(|inner| inner.signing.as_ref().map(|signing| signing.came.clone()).unwrap_or_default())
    }

    /// The address of one of its places.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Where it gives tokens, and where it ends them.
    pub(crate) fn endpoints(&self) -> (String, String) {
        (format!("{}/token", self.origin), format!("{}/revoke", self.origin))
    }

    /// Whose an access token is.
    pub(crate) fn owner(&self, access: &str) -> Option<String> {
        self.with(|inner| inner.access.get(access).map(|(_, account)| account.clone()))
    }

    /// Whether it takes this access token now.
    pub(crate) fn takes(&self, access: &str) -> bool {
        self.with(|inner| inner.access.get(access).is_some_and(|(family, _)| !inner.dead.contains(family)))
    }

    /// Every token and secret that it gave or was sent.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.with(|inner| {
            let all = inner.access.keys().chain(inner.refresh.keys()).chain(inner.used.keys());
            all.cloned().chain(["s3cret-of-the-client".to_owned()]).collect()
        })
    }

    /// Ends every grant, as a person may on the provider's own pages.
    pub(crate) fn forget_everybody(&self) {
        self.with(|inner| {
            let all = inner.refresh.values().chain(inner.access.values()).map(|(family, _)| *family);
            let all: Vec<u64> = all.collect();
            inner.dead.extend(all);
        });
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn authorize(State(inner): Shared, Query(asked): Query<HashMap<String, String>>) -> Response {
    let mut inner = inner.lock().unwrap();
    inner.counter += 1;
    let code = format!("code-{}", inner.counter);
    let account = inner.account.clone();
    inner.codes.insert(code.clone(), (asked["code_challenge"].clone(), account));
    assert_eq!(asked["code_challenge_method"], "S256");
    let back = format!("{}?code={code}&state={}", asked["redirect_uri"], asked["state"]);
    (StatusCode::FOUND, [(header::LOCATION, back)]).into_response()
}

async fn token(State(shared): Shared, body: String) -> Response {
    let asked: HashMap<String, String> = serde_urlencoded::from_str(&body).unwrap();
    let mishap = {
        let mut inner = shared.lock().unwrap();
        if inner.down {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        inner.mishaps.pop_front()
    };
    match mishap {
        Some(Mishap::Answer(status, body)) => {
            if let Some(refresh) = asked.get("refresh_token") {
                shared.lock().unwrap().presented.push(refresh.clone());
            }
            return (StatusCode::from_u16(status).unwrap(), Json(body)).into_response();
        }
        Some(Mishap::Busy(seconds)) => {
            shared.lock().unwrap().presented.extend(asked.get("refresh_token").cloned());
            let wait = [(header::RETRY_AFTER, seconds.to_string())];
            return (StatusCode::TOO_MANY_REQUESTS, wait).into_response();
        }
        Some(Mishap::Page) => {
            shared.lock().unwrap().presented.extend(asked.get("refresh_token").cloned());
            return (StatusCode::OK, "\n <!doctype html><title>Back soon</title>").into_response();
        }
        Some(Mishap::Slow(pause)) => tokio::time::sleep(pause).await,
        Some(Mishap::Lose) => {
            answer(&mut shared.lock().unwrap(), &asked);
            // An answer that is cut off in the middle.
            return (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], "{\"access_token\":")
                .into_response();
        }
        None => {}
    }
    answer(&mut shared.lock().unwrap(), &asked)
}

fn answer(inner: &mut Inner, asked: &HashMap<String, String>) -> Response {
    let refused = |code: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": code }))).into_response();
    let is_known = match &mut inner.signing {
        Some(signing) => signing.takes(asked),
        None => asked.get("client_secret").map(String::as_str) == Some("s3cret-of-the-client"),
    };
    if !is_known {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
    }
    let (family, account) = match asked["grant_type"].as_str() {
        "authorization_code" => {
            let Some((challenge, account)) = inner.codes.remove(&asked["code"]) else {
                return refused("invalid_grant");
            };
            let proven = URL_SAFE_NO_PAD.encode(digest::sha256(asked["code_verifier"].as_bytes()));
            if proven != challenge {
                return refused("invalid_grant");
            }
            inner.counter += 1;
            (inner.counter, account)
        }
        "refresh_token" => {
            let carried = asked["refresh_token"].clone();
            inner.presented.push(carried.clone());
            if let Some(family) = inner.used.get(&carried).copied() {
                inner.reused += 1;
                inner.dead.insert(family);
                return refused("invalid_grant");
            }
            match inner.refresh.remove(&carried) {
                Some((family, account)) if !inner.dead.contains(&family) => {
                    inner.used.insert(carried, family);
                    (family, account)
                }
                _ => return refused("invalid_grant"),
            }
        }
        // In its own name: nobody signed in, and there is a new token each time.
        "client_credentials" => {
            inner.counter += 1;
            (inner.counter, format!("client for {}", asked.get("audience").map_or("anybody", String::as_str)))
        }
        _ => return refused("unsupported_grant_type"),
    };
    let has_refresh = inner.has_refresh && asked["grant_type"] != "client_credentials";
    inner.counter += 1;
    let (access, refresh) =
        (format!("access-token-{}", inner.counter), format!("refresh-token-{}", inner.counter));
    inner.access.insert(access.clone(), (family, account.clone()));
    let mut given = json!({ "access_token": access, "token_type": "bearer" });
    if has_refresh {
        inner.refresh.insert(refresh.clone(), (family, account));
        given["refresh_token"] = refresh.into();
    }
    if let Some(lives) = inner.lives {
        given["expires_in"] = lives.into();
    }
    if let Some(scope) = &inner.scope {
        given["scope"] = scope.clone().into();
    }
    Json(given).into_response()
}

impl Signing {
    /// Whether a request carries what its client signed for it, and nothing else that would show who asks.
    fn takes(&mut self, asked: &HashMap<String, String>) -> bool {
        let Some(said) = asked.get("client_assertion") else { return false };
        self.came.push(said.clone());
        let is_alone = asked.get("client_assertion_type").is_some_and(|kind| kind == ASSERTION_TYPE)
            && !asked.contains_key("client_secret");
        let Some(claims) = self.verified(said).filter(|_| is_alone) else { return false };
        let now = self.clock.now().unix_timestamp();
        let lives = claims["exp"].as_i64().map(|ends| ends - now);
        let is_ours = [&claims["iss"], &claims["sub"]].iter().all(|who| *who == &asked["client_id"])
            && claims["aud"] == self.audience.as_str()
            && lives.is_some_and(|lives| (1..=60).contains(&lives));
        is_ours && claims["jti"].as_str().is_some_and(|name| self.taken.insert(name.to_owned()))
    }

    /// The claims, where one of the keys signed them.
    fn verified(&self, said: &str) -> Option<Value> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let read = |text: &str| serde_json::from_slice::<Value>(&bytes(text)?).ok();
        let (signed, signature) = said.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = read(header).filter(|header| header["alg"] == "ES256")?;
        let key = self.keys["keys"].as_array()?.iter().find(|key| key["kid"] == header["kid"])?;
        let half = |name: &str| bytes(key[name].as_str()?);
        let public: ecdsa::EcPublic = [half("x")?, half("y")?].concat().try_into().ok()?;
        let signature: [u8; 64] = bytes(signature)?.try_into().ok()?;
        ecdsa::verify(&public, signed.as_bytes(), &signature).then(|| read(claims))?
    }
}

fn account_of(inner: &Inner, headers: &HeaderMap) -> Option<String> {
    let carried = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    let (family, account) = inner.access.get(carried)?;
    (!inner.dead.contains(family)).then(|| account.clone())
}

async fn me(State(inner): Shared, headers: HeaderMap) -> Response {
    if inner.lock().unwrap().is_discreet {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    match account_of(&inner.lock().unwrap(), &headers) {
        Some(account) => Json(json!({ "id": format!("id-of-{account}"), "name": account, "email": format!("{account}@hub.example") }))
            .into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn revoke(State(inner): Shared, body: String) -> Response {
    let asked: HashMap<String, String> = serde_urlencoded::from_str(&body).unwrap();
    let mut inner = inner.lock().unwrap();
    if inner.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if inner.signing.as_mut().is_some_and(|signing| !signing.takes(&asked)) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
    }
    let carried = asked["token"].clone();
    let family =
        inner.refresh.get(&carried).or_else(|| inner.access.get(&carried)).map(|(family, _)| *family);
    inner.dead.extend(family);
    inner.revoked.push(carried);
    StatusCode::OK.into_response()
}

/// Trades by the way of a browser: what the provider's page sends it back to.
pub(crate) async fn agree(onward: &str) -> String {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.get(onward).send().await.unwrap();
    let back = answer.headers().get(header::LOCATION).unwrap().to_str().unwrap().to_owned();
    let path = back.find("/oauth/callback/").unwrap();
    back[path..].to_owned()
}

impl TestApp {
    /// A registered provider.
    pub(crate) async fn hub(&self, org: &PlantedOrg, slug: &str, fake: &FakeProvider) -> ProviderId {
        self.hub_at(org, slug, &fake.origin).await
    }

    /// An account of a person, as if they had connected it.
    pub(crate) async fn account(&self, org: &PlantedOrg, user: UserId, provider: ProviderId) -> ConnectionId {
        let (id, now) = (ConnectionId::fresh(), self.clock.now());
        let pair = Pair {
            access: Secret::new("planted-access".into()),
            refresh: Some(Secret::new("planted-refresh".into())),
        };
        let mut tx = self.org_tx(org.id).await;
        let tokens = NewTokens {
            sealed: pair.seal(&self.ports.vault, &mut tx, id).await.unwrap(),
            has_refresh: true,
            scopes: vec!["read".to_owned()],
            expires_at: None,
            refresh_expires_at: None,
            facts: Default::default(),
        };
        let label =
            AccountLabel { id: "42".to_owned(), name: format!("account-{}", org.slug), ..Default::default() };
        let new = NewConnection { id, provider, owner: AccountOwner::User(user), label, tokens, by: user };
        accounts::insert(&mut tx, &new, now).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        id
    }

    /// A registered provider that is found there.
    pub(crate) async fn hub_at(&self, org: &PlantedOrg, slug: &str, origin: &str) -> ProviderId {
        let id = ProviderId::fresh();
        let now = self.clock.now();
        let at = |path: &str| format!("{origin}{path}").parse().unwrap();
        let mut tx = self.org_tx(org.id).await;
        let cell = Cell::new(store::SEALED_IN.0, store::SEALED_IN.1, id);
        let sealed = self.ports.vault.seal(&mut tx, cell, b"s3cret-of-the-client").await.unwrap();
        let provider = Provider {
            id,
            slug: slug.parse().unwrap(),
            name: "Fake Hub".to_owned(),
            source: ProviderSource::Own(Box::new(TemplateParts {
                authorize: at("/authorize"),
                token: at("/token"),
                revoke: Some(at("/revoke")),
                userinfo: Some(at("/me")),
                issuer: None,
                names_itself: false,
                client_auth: ClientAuth::Post,
                pkce: Pkce::Sent,
                is_openid: false,
                resource: None,
            })),
            enrolment: Enrolment::Entered,
            callback: None,
            shares_with: None,
            client_id: "client-1".to_owned(),
            secret: Some(SealedSecret { key: sealed.key, bytes: sealed.bytes, changed_at: now }),
            scopes: vec!["read".to_owned(), "write".to_owned()],
            user_scopes: Vec::new(),
            created_by: None,
            created_at: now,
            updated_at: now,
            disabled_at: None,
            version: 1,
        };
        store::insert(&mut tx, &provider).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        id
    }

    /// An account of a person, connected in their browser.
    pub(crate) async fn connected(&self, org: &PlantedOrg, person: &mut Person, slug: &str) -> ConnectionId {
        self.connected_for(org, person, slug, "me").await
    }

    /// The same for others: `org`, or `team:` with a short name.
    pub(crate) async fn connected_for(
        &self,
        org: &PlantedOrg,
        person: &mut Person,
        slug: &str,
        owner: &str,
    ) -> ConnectionId {
        let connect = format!("/me/accounts/{}/connect/{slug}", org.slug);
        let page = person.browser.get(&format!("{connect}?for={owner}")).await.expect(StatusCode::OK);
        let page = person.browser.submit(&page, &connect, &[]).await.expect(StatusCode::OK);
        let onward = page.headers["refresh"].to_str().unwrap().strip_prefix("0;url=").unwrap().to_owned();
        let done = person.browser.get(&agree(&onward).await).await.expect(StatusCode::SEE_OTHER);
        let location = done.location().unwrap();
        location.rsplit('/').next().unwrap().parse().unwrap()
    }
}
