//! At its most talkative the real program shows none of the secrets that it was given or that it made.

use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, StatusCode};
use nix::sys::signal::Signal;
use portreeve::{
    app::doors,
    base::{clock::Clock, config::Config},
    io::db::{Db, PoolSettings},
};
use serde_json::json;
use sqlx::Connection;
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpListener};

use crate::{
    kit::{
        app::MASTER_KEYS,
        database::connect,
        http::{Script, Visitor, client},
        people::PASSWORD,
    },
    start::{
        process::run,
        site::{DATABASE_PASSWORD, OWNER, SITE, Site, browser, free_address, script},
    },
};

const SMTP_PASSWORD: &str = "Canary-smtp-4T1x-never-to-be-seen";
const API: &str = "/api/v1/orgs/acme";
const ENROLL: &str = "/me/security/totp";

/// What was given or made, and every place where none of it may be.
#[derive(Default)]
struct Hunt {
    secrets: Vec<(&'static str, String)>,
    sinks: Vec<(String, String)>,
}

impl Hunt {
    /// The second half of a token; the first is its row's id.
    fn token(&mut self, what: &'static str, token: &str) {
        assert!(token.len() > 60, "{what} is no token: {token}");
        self.secrets.push((what, token[token.len() / 2..].to_owned()));
    }

    /// A place and its text; `proof` stands in it, so the text is what it should be.
    #[track_caller]
    fn sink(&mut self, place: &str, text: String, proof: &str) {
        assert!(text.contains(proof), "{place} lacks {proof}: {text}");
        self.sinks.push((place.to_owned(), text));
    }

    fn finds(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (what, secret) in &self.secrets {
            let hex = data_encoding::HEXLOWER.encode(secret.as_bytes());
            let hits = self.sinks.iter().filter(|(_, text)| text.contains(secret) || text.contains(&hex));
            found.extend(hits.map(|(place, _)| format!("the {what} in {place}")));
        }
        found
    }
}

/// Takes traces as a collector does, and keeps the bytes.
struct Collector {
    address: String,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let bytes: Arc<Mutex<Vec<u8>>> = Arc::default();
        let kept = Arc::clone(&bytes);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let mut part = vec![0; 1 << 16];
                    while let Ok(length @ 1..) = stream.read(&mut part).await {
                        kept.lock().unwrap_or_else(PoisonError::into_inner).extend(&part[..length]);
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                        if stream.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, bytes }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_leaves_by_log_traces_metrics_answers_exports_or_commands() {
    let collector = Collector::open().await;
    let site = Site::prepare(&[
        ("PORTREEVE_SMTP_USERNAME", "portreeve"),
        ("PORTREEVE_SMTP_PASSWORD", SMTP_PASSWORD),
        ("PORTREEVE_LOG", "trace"),
        ("PORTREEVE_LOG_FORMAT", "json"),
        ("PORTREEVE_OTLP_ENDPOINT", &collector.address),
    ])
    .await;
    let mut hunt = Hunt::default();
    hunt.secrets.push(("database's password", DATABASE_PASSWORD.to_owned()));
    hunt.secrets.push(("mail server's password", SMTP_PASSWORD.to_owned()));
    hunt.secrets.push(("master key", MASTER_KEYS.split_once(':').expect("a name and a key").1.to_owned()));
    hunt.secrets.push(("person's password", PASSWORD.to_owned()));

    let (listen, metrics) = (free_address(), free_address());
    let mut served = site.serve_and_measure(&listen, &metrics);
    let link = served.line("Set it up at").rsplit_once(SITE).expect("a link").1.to_owned();
    hunt.token("set-up link", &link);
    let mut ada = browser(&served);
    ada.get(&link).await.expect(StatusCode::OK);
    let key = site.bootstrap();
    hunt.token("first API key", &key);
    ada.get(&link).await.expect(StatusCode::GONE);

    enroll(&mut ada, &mut hunt).await;
    let owner = script(&served, &key);
    make_a_key_twice(&owner, &mut hunt).await;
    provoke(&served.base, &owner, &mut ada, &mut hunt).await;

    let page = client().get(format!("http://{metrics}/metrics")).send().await.expect("an answer");
    hunt.sink("the metrics", page.text().await.expect("a text"), "portreeve_http_request_duration_seconds");
    let csv = owner.file(&format!("{API}/events/export?format=csv")).await;
    hunt.sink("the record as CSV", csv, "api_key.created");
    for (words, proof) in [
        (&["audit", "export", "--org", "acme"][..], "api_key.created"),
        (&["doctor", "--json"], "\"database role\""),
        (&["doctor"], "database role"),
        (&["keys", "status", "--json"], "\"total\""),
        (&["keys", "rotate"], "Nothing to do"),
    ] {
        hunt.sink(&words.join(" "), run(&mut site.command(words)).said, proof);
    }
    served.signal(Signal::SIGTERM);
    assert!(served.wait().success());
    // The terminal is told the link once, on a line of its own, and nothing else is.
    let said = served.said();
    let (announced, log): (Vec<&str>, Vec<&str>) = said.lines().partition(|line| line.ends_with(&link));
    assert_eq!(announced.len(), 1, "{announced:?}");
    hunt.sink("the log", log.join("\n"), "\"level\":\"TRACE\"");
    hunt.sink("the traces", collector.text(), "/api/v1/orgs/{org}/api-keys");
    hunt.sink("the database", dump(&site).await, "acme");
    let found = hunt.finds();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Signs in and turns the authenticator app on.
async fn enroll(ada: &mut Visitor, hunt: &mut Hunt) {
    let page = ada.get("/login").await;
    let page = ada.submit(&page, "/login", &[("email", OWNER)]).await;
    ada.submit(&page, "/login/password", &[("password", PASSWORD)]).await.expect(StatusCode::SEE_OTHER);
    hunt.token("first session cookie", ada.cookie("portreeve_session").expect("signed in"));
    let page = ada.get("/me/security").await.expect(StatusCode::OK);
    let page = ada.submit(&page, &format!("{ENROLL}/start"), &[]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    let shown = page.body.split("id=\"totp-text\">").nth(1).expect("a secret").split('<').next();
    let shown = shown.expect("its text").to_owned();
    let compact = shown.replace(' ', "");
    let secret = data_encoding::BASE32_NOPAD.decode(compact.as_bytes()).expect("base32");
    let totp = totp_rs::Builder::new().with_secret(<[u8; 20]>::try_from(secret).expect("160 bits")).build();
    let now = Clock::system().now().unix_timestamp().try_into().expect("after 1970");
    let code = totp.expect("a generator").generate(now).to_string();
    let page = ada.submit(&page, ENROLL, &[("code", &code)]).await.expect(StatusCode::OK);
    let codes = page.body.split("<code>").skip(1).filter_map(|rest| rest.split('<').next());
    hunt.secrets.extend(codes.map(|code| ("recovery code", code.to_owned())));
    hunt.secrets.extend([("authenticator secret", shown), ("authenticator secret", compact)]);
    hunt.token("session cookie", ada.cookie("portreeve_session").expect("signed in"));
}

/// Makes a key; the repetition is answered from what was kept.
async fn make_a_key_twice(owner: &Script, hunt: &mut Hunt) {
    let again = [("idempotency-key", "the-same-request")];
    let body = json!({"name": "deploy", "scopes": ["teams:read"]});
    let path = format!("{API}/api-keys");
    let first = owner.send(Method::POST, &path, &again, Some(body.clone())).await.expect(StatusCode::CREATED);
    let second = owner.send(Method::POST, &path, &again, Some(body)).await.expect(StatusCode::CREATED);
    assert_eq!(first.body, second.body);
    hunt.token("kept answer's API key", first.text("/token"));
}

/// Everything that is refused, with a secret in hand.
async fn provoke(base: &str, owner: &Script, ada: &mut Visitor, hunt: &mut Hunt) {
    // The mail server offers no way to sign in, so the letter's job fails and says why.
    let body = json!({"emails": ["mel@example.com"], "role": "member"});
    owner.post(&format!("{API}/invitations"), body).await.expect(StatusCode::CREATED);
    let secrets: Vec<String> = hunt.secrets.iter().map(|(_, secret)| secret.clone()).collect();
    for secret in secrets {
        let body = json!({"slug": secret, "name": secret, "secret": secret});
        let answer = owner.text_of(Method::POST, &format!("{API}/teams"), Some(&body)).await;
        // What a caller typed into a name's field may come back to that caller, here and nowhere else.
        assert!(answer.contains("\"code\""), "{answer}");
        let stranger = Script::new(base, Some(&format!("prk_{secret}").replace(' ', "-")));
        let answer = stranger.text_of(Method::GET, &format!("{API}/teams"), None).await;
        hunt.sink("a problem document", answer, "not_signed_in");
        let path = serde_urlencoded::to_string([("q", &secret)]).expect("a query");
        let page = ada.get(&format!("/nowhere?{path}")).await.expect(StatusCode::NOT_FOUND);
        hunt.sink("a page that is not there", page.body, "req_");
        let word = path.trim_start_matches("q=").to_owned();
        let page = ada.get(&format!("/invite/{word}")).await.expect(StatusCode::NOT_FOUND);
        hunt.sink("a dead invitation", page.body, "</html>");
    }
}

/// Every row of every table as text.
async fn dump(site: &Site) -> String {
    let mut conn = connect(&site.database.superuser()).await;
    let tables =
        "select relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut conn).await.expect("tables");
    let mut dump = String::new();
    for table in tables {
        let sql = format!("select coalesce(string_agg(t::text, ' '), '') from {table} t");
        let rows: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut conn).await.expect("rows");
        dump.push_str(&rows);
    }
    conn.close().await.expect("closed");
    dump
}

#[tokio::test]
async fn settings_and_what_is_built_of_them_print_no_secret() {
    let url = format!("postgres://portreeve_app:{DATABASE_PASSWORD}@db.example.com/portreeve");
    let master = MASTER_KEYS.split_once(':').expect("a name and a key").1;
    let given = [
        ("database_url", url.as_str()),
        ("owner_database_url", &url),
        ("master_keys", MASTER_KEYS),
        ("base_url", SITE),
        ("smtp.host", "mail.example.com"),
        ("smtp.username", "portreeve"),
        ("smtp.password", SMTP_PASSWORD),
        ("smtp.from", "portreeve@example.com"),
    ];
    let given = given.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let config = Config::load(&given, None).expect("good settings");
    let clock = Clock::system();
    let vault = doors::vault(&config, &config.master_keys, &clock).expect("a vault");
    let db = Db::lazy(url.parse().expect("options"), PoolSettings::default());
    let ports = doors::ports(
        &config,
        &SITE.parse().expect("a URL"),
        ([127, 0, 0, 1], 8080).into(),
        &db,
        (&clock, &tokio_util::task::TaskTracker::new()),
        vault,
    )
    .expect("ports");
    let printed = format!("{config:?} {config:#?} {ports:?} {ports:#?}");
    assert!(printed.contains("mail.example.com") && printed.contains("***"), "{printed}");
    for secret in [DATABASE_PASSWORD, SMTP_PASSWORD, master] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    let bytes = data_encoding::BASE64.decode(master.as_bytes()).expect("base64");
    let listed: Vec<String> = bytes.iter().take(8).map(u8::to_string).collect();
    assert!(!printed.contains(&listed.join(", ")), "the key's bytes in {printed}");

    // A wrong setting is named without its value.
    let wrong =
        [("master_keys", format!("k1:{SMTP_PASSWORD}")), ("database_url", DATABASE_PASSWORD.to_owned())];
    let wrong = wrong.map(|(key, value)| (key.to_owned(), value));
    let fault = Config::load(&wrong, None).expect_err("bad settings").to_string();
    assert!(fault.contains("--") || fault.contains("master"), "{fault}");
    assert!(!fault.contains(SMTP_PASSWORD) && !fault.contains(DATABASE_PASSWORD), "{fault}");
}
