//! No secret is found where it does not belong: not in the log at its most talkative, not in the database, not in an
//! answer to whoever typed it or to anybody else.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use http::{Method, StatusCode};
use serde_json::Value;
use sqlx::Connection;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::{
    kit::{
        app::TestApp,
        database::{connect, execute},
        form::Form,
        http::Page,
        people::PASSWORD,
    },
    proof::{
        bodies::{body_of, document, fill},
        world::{NARROW, World, routes, world},
    },
};

/// Typed into every field that could be a secret's.
const CANARY: &str = "Canary-7Q2f-never-to-be-seen";
/// The ways a secret can go: parts of the names of fields and of path parameters.
const SECRET_NAMES: [&str; 6] = ["password", "code", "token", "secret", "link", "value"];
/// How what the program issues begins.
const ISSUED: [&str; 7] = ["prk_", "prg_", "pri_", "prs_", "prm_", "prc_", "pru_"];
/// The length of a token after its prefix; its second half tells nothing but the secret.
const ISSUED_LENGTH: usize = 84;

/// Everything that is logged on this thread, at the most talkative level.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn listen(&self) -> DefaultGuard {
        // The test's own client runs in this process too, and is told every path.
        let filter = EnvFilter::new("trace,hyper=off,hyper_util=off,reqwest=off");
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(self.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Where secrets were looked for, and the secrets themselves.
#[derive(Default)]
struct Hunt {
    /// What nobody is told, not even its owner.
    secrets: BTreeSet<String>,
    /// What people write and others may read, which is nobody's business who reads the log.
    words: BTreeSet<String>,
    /// What was issued on the way: shown to its owner once, and kept nowhere.
    issued: BTreeSet<String>,
    answers: Vec<(String, String)>,
}

impl Hunt {
    fn heard(&mut self, who: &str, page: &Page) {
        for cookie in page.headers.get_all("set-cookie") {
            self.secrets.extend(tokens(cookie.to_str().unwrap()));
        }
        self.issued.extend(tokens(&page.body));
        self.answers.push((format!("{} to {who}", page.path), page.body.clone()));
    }

    /// The places where a secret is found.
    fn finds(&self, log: &str, dump: &str) -> Vec<String> {
        let mut found = Vec::new();
        for secret in self.secrets.iter().chain(&self.issued) {
            let hex = data_encoding::HEXLOWER.encode(secret.as_bytes());
            let places = [("the log", log), ("the database", dump)];
            let hits = places.iter().filter(|(_, text)| text.contains(secret) || text.contains(&hex));
            found.extend(hits.map(|(place, _)| format!("{secret} in {place}")));
        }
        found.extend(
            self.words.iter().filter(|words| log.contains(*words)).map(|words| format!("{words} in the log")),
        );
        for secret in &self.secrets {
            let hits = self.answers.iter().filter(|(_, body)| body.contains(secret));
            found.extend(hits.map(|(place, _)| format!("{secret} in {place}")));
        }
        found
    }
}

/// The secret halves of the tokens in a text.
fn tokens(text: &str) -> BTreeSet<String> {
    let starts = ISSUED.iter().flat_map(|prefix| text.match_indices(prefix).map(|(at, _)| at + prefix.len()));
    let secret = |start: usize| {
        let token: String = text[start..].chars().take_while(char::is_ascii_alphanumeric).collect();
        (token.len() >= ISSUED_LENGTH).then(|| token[ISSUED_LENGTH / 2..ISSUED_LENGTH].to_owned())
    };
    starts.filter_map(secret).collect()
}

#[tokio::test]
async fn no_secret_is_found_where_it_does_not_belong() {
    let world = world().await;
    let app = world.copy().await;
    let log = Log::default();
    let guard = log.listen();
    let mut hunt = Hunt::default();
    hunt.secrets.extend([CANARY.to_owned(), PASSWORD.to_owned()]);
    for (walker, text) in world.carried() {
        let held = tokens(text);
        assert_eq!(held.len(), 1, "the token of {walker} is read as one");
        hunt.secrets.extend(held);
    }
    write_everywhere(world, &app, &mut hunt).await;
    for who in ["nobody", "stranger", "member", "auditor", "owner", "operator"] {
        type_everywhere(world, &app, who, &mut hunt).await;
    }
    call_everything(world, &app, &mut hunt).await;
    app.run_jobs().await;
    let dump = dump(&app).await;
    provoke_a_failure(world, &app, &mut hunt).await;
    drop(guard);
    let log = log.text();
    assert!(log.contains("orgs"), "the log is talkative: {log}");
    assert!(dump.contains("acme"), "the dump holds the rows");
    let found = hunt.finds(&log, &dump);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Opens every page and sends its forms with the canary in each field that could be a secret's.
async fn type_everywhere(world: &World, app: &TestApp, who: &str, hunt: &mut Hunt) {
    let mut values = world.here.clone();
    for name in SECRET_NAMES {
        values.insert(name, CANARY.to_owned());
    }
    let pages = routes().into_iter().filter(|route| route.method == Method::GET);
    for route in pages.filter(|route| !route.path.starts_with("/api/")) {
        let path = World::path(&route, &values);
        // A browser of its own for each page: a form may sign it out.
        let mut browser = world.browser(app, who);
        let page = browser.get(&path).await;
        hunt.heard(who, &page);
        for mut form in Form::all(&page.body) {
            let is_secret = |name: &&str| SECRET_NAMES.iter().any(|part| name.contains(part));
            let names: Vec<String> =
                form.pairs().iter().map(|(name, _)| *name).filter(is_secret).map(str::to_owned).collect();
            if form.method != "post" || names.is_empty() {
                continue;
            }
            for name in &names {
                form.set(name, CANARY);
            }
            let action = if form.action.is_empty() { &path } else { &form.action };
            let answer = browser.post(action, &form.pairs()).await;
            hunt.heard(who, &answer);
        }
    }
}

/// Calls every operation that takes a body with a good one, in which every text is a canary of its own.
async fn write_everywhere(world: &World, app: &TestApp, hunt: &mut Hunt) {
    /// Their servers are asked first, and nobody answers there.
    const ASKED_FIRST: [&str; 2] =
        ["/api/v1/orgs/{org}/servers/probe", "/api/v1/orgs/{org}/servers/{server}/provider"];
    let mut number = 1_000;
    let mut refused = Vec::new();
    for route in routes() {
        let Some(mut body) = body_of(&route, &world.here) else {
            continue;
        };
        let mut has_secret = false;
        fill(&mut body, &mut |is_secret| {
            number += 1;
            has_secret |= is_secret;
            let (canary, kind) = if is_secret {
                (format!("Canary-{number}-secret"), &mut hunt.secrets)
            } else {
                (format!("Canary {number} words"), &mut hunt.words)
            };
            kind.insert(canary.clone());
            canary
        });
        let path = World::path(&route, &world.here);
        let script = app.script(Some(world.key("owner")));
        let answer = script.send(route.method.clone(), &path, &[], Some(body)).await;
        let name = format!("{} {path}", route.method);
        if has_secret && !answer.status.is_success() && !ASKED_FIRST.contains(&route.path.as_str()) {
            refused.push(format!("{name}: {:#}", answer.body));
        }
        let answer = answer.body.to_string();
        hunt.issued.extend(tokens(&answer));
        hunt.answers.push((name, answer));
    }
    assert!(refused.is_empty(), "secrets that were not taken say nothing:\n{}", refused.join("\n"));
    assert!(hunt.words.len() > 20, "texts are written");
    let document = document();
    let mut missing = Vec::new();
    secret_fields("", &document["components"]["schemas"], &mut missing);
    missing.retain(|field| !SECRET_FIELDS.contains(&field.as_str()));
    assert!(missing.is_empty(), "secrets that no body in bodies.rs holds: {missing:?}");
}

/// The places of the API's document at which a secret is taken, all of which the bodies of `bodies.rs` fill.
const SECRET_FIELDS: [&str; 6] = [
    "/NewProvider/client_secret",
    "/NewSecret/value",
    "/NewServerCredential/value",
    "/ProviderSecret/client_secret",
    "/SecretValue/value",
    "/ServerProvider/client_secret",
];

fn secret_fields(name: &str, schema: &Value, found: &mut Vec<String>) {
    let Some(fields) = schema.as_object() else { return };
    if schema["writeOnly"] == true {
        found.push(name.replace("/properties", ""));
    }
    for (field, inner) in fields {
        secret_fields(&format!("{name}/{field}"), inner, found);
    }
}

/// Calls every operation with a good key and a canary in the body, and with a canary for a key.
async fn call_everything(world: &World, app: &TestApp, hunt: &mut Hunt) {
    let canary = format!("prk_{CANARY}");
    let mut browser = app.visitor();
    for route in routes().into_iter().filter(|route| route.path.starts_with("/api/")) {
        let path = World::path(&route, &world.here);
        let body = (route.method != Method::GET).then(|| serde_json::json!({ "secret": CANARY }));
        for bearer in [world.key(NARROW), world.key("owner"), &canary] {
            let answer = app.script(Some(bearer)).text_of(route.method.clone(), &path, body.as_ref()).await;
            hunt.issued.extend(tokens(&answer));
            hunt.answers.push((format!("{} {path}", route.method), answer));
        }
    }
    browser.set_cookie("portreeve_session", CANARY);
    hunt.heard("a guesser", &browser.get("/o/acme/teams").await);
}

/// A statement that fails is logged with its cause, but without what it was given.
async fn provoke_a_failure(world: &World, app: &TestApp, hunt: &mut Hunt) {
    let mut conn = connect(&app.database.superuser()).await;
    execute(&mut conn, "alter table teams rename to teams_gone").await;
    conn.close().await.unwrap();
    let page = world.browser(app, "owner").get(&format!("/o/acme/teams?q={CANARY}")).await;
    let page = page.expect(StatusCode::INTERNAL_SERVER_ERROR);
    hunt.heard("owner", &page);
}

/// Every row of every table as text.
async fn dump(app: &TestApp) -> String {
    let mut conn = connect(&app.database.superuser()).await;
    let tables =
        "select relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut conn).await.unwrap();
    let mut dump = String::new();
    for table in tables {
        let sql = format!("select coalesce(string_agg(t::text, ' '), '') from {table} t");
        let rows: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut conn).await.unwrap();
        dump.push_str(&rows);
    }
    conn.close().await.unwrap();
    dump
}

#[test]
fn a_leak_is_found() {
    let (log, token) = (Log::default(), format!("prs_{}", "a1".repeat(ISSUED_LENGTH / 2)));
    let guard = log.listen();
    tracing::trace!(token, "carried");
    drop(guard);
    let hunt = Hunt { secrets: tokens(&token), ..Hunt::default() };
    assert_eq!(hunt.finds(&log.text(), "").len(), 1);
    let hex = data_encoding::HEXLOWER.encode(token.as_bytes());
    assert_eq!(hunt.finds("", &format!("(1,\\x{hex})")).len(), 1);
    assert_eq!(hunt.finds("", "").len(), 0);
}
