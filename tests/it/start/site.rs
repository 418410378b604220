//! Portreeve in production mode: replicas over one Postgres, and a mail server.

use std::{
    io::Write,
    net::TcpListener,
    process::{Command, Stdio},
};

use serde_json::Value;
use sqlx::Connection;

use crate::{
    kit::{
        app::MASTER_KEYS,
        database::{TestDatabase, connect},
        http::{Script, Visitor},
        people::PASSWORD,
        smtp::MailSink,
    },
    start::process::{Served, program},
};

/// What people type; a proxy that is not part of these tests leads to the replicas.
pub(super) const SITE: &str = "http://portreeve.example";
/// The tests' Postgres asks nobody for one, and lets in whoever has one.
pub(super) const DATABASE_PASSWORD: &str = "Canary-database-9K2r-never-to-be-seen";
pub(super) const OWNER: &str = "ada@example.com";

/// A database and a mail server, and how replicas over them are started.
pub(super) struct Site {
    pub(super) database: TestDatabase,
    pub(super) mail: MailSink,
    /// More settings for each replica and command.
    settings: Vec<(&'static str, String)>,
}

impl Site {
    /// Nothing is served yet, and nobody has set it up.
    pub(super) async fn prepare(settings: &[(&'static str, &str)]) -> Self {
        let (database, mail) = (TestDatabase::fresh().await, MailSink::open().await);
        let mut all = vec![
            ("DATABASE_URL", database.url("portreeve_app", DATABASE_PASSWORD)),
            ("PORTREEVE_MASTER_KEYS", MASTER_KEYS.to_owned()),
            ("PORTREEVE_BASE_URL", SITE.to_owned()),
            ("PORTREEVE_SMTP_HOST", "127.0.0.1".to_owned()),
            ("PORTREEVE_SMTP_PORT", mail.port().to_string()),
            ("PORTREEVE_SMTP_TLS", "none".to_owned()),
            ("PORTREEVE_SMTP_FROM", "portreeve@example.com".to_owned()),
        ];
        // The later of two of one name counts.
        all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self { database, mail, settings: all }
    }

    /// Makes the first owner as scripts do; returns their key.
    pub(super) fn bootstrap(&self) -> String {
        let words = ["bootstrap", "--org", "acme", "--email", OWNER, "--password-stdin", "--json"];
        let mut command = self.command(&words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        writeln!(child.stdin.take().expect("its input"), "{PASSWORD}").expect("read");
        let made = child.wait_with_output().expect("it ends");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
        made["api_key"].as_str().expect("a key").to_owned()
    }

    /// Starts a replica and waits until it is ready.
    pub(super) fn serve(&self, listen: &str) -> Served {
        self.serve_and_measure(listen, "off")
    }

    /// The same, with metrics at an address of their own.
    pub(super) fn serve_and_measure(&self, listen: &str, metrics: &str) -> Served {
        let words = ["serve", "--listen", listen, "--metrics-listen", metrics];
        Served::launch(&mut self.command(&words)).ready_at(listen)
    }

    /// The program with the settings of this site.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = program(words);
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(super) async fn number(&self, sql: &'static str) -> i64 {
        let mut conn = connect(&self.database.superuser()).await;
        let number = sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect(sql);
        conn.close().await.expect("closed");
        number
    }
}

/// An address on which nobody listens.
pub(super) fn free_address() -> String {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    taken.local_addr().expect("an address").to_string()
}

/// A script that a replica answers.
pub(super) fn script(replica: &Served, key: &str) -> Script {
    Script::new(&replica.base, Some(key))
}

/// A browser that a replica answers, past the proxy.
pub(super) fn browser(replica: &Served) -> Visitor {
    let mut browser = Visitor::new(SITE);
    browser.sent_to(&replica.base);
    browser
}
