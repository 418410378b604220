//! How the installation is, at a glance, and what somebody should look at.

use askama::Template;
use time::OffsetDateTime;

use crate::{
    domain::{
        instance::{DatabaseFigures, Replica},
        jobs::JobState,
        outbox::LetterState,
        vault::MasterState,
    },
    flow::actions::ops::health::{self, Figures, Health},
    web::{
        console::{ops::words, shell_of},
        kit::{
            ask::OperatorPage,
            page::{PageResult, page},
            routes::{Access, Routes},
            shell::Shell,
        },
    },
};

/// Less free space than this is worth a word.
const LITTLE_SPACE: u64 = 512 * 1024 * 1024;

pub(super) fn routes() -> Routes {
    Routes::default().page("/ops", Access::Operator, show)
}

/// The page.
#[derive(Template)]
#[template(path = "console/ops/health.html")]
struct HealthPage {
    shell: Shell,
    attention: Vec<Attention>,
    at: OffsetDateTime,
    jobs: i64,
    jobs_hint: String,
    letters: i64,
    letters_hint: String,
    master: String,
    master_hint: String,
    size: String,
    pool: String,
    disk: String,
    database: DatabaseFigures,
    replicas: Vec<Replica>,
    orgs: i64,
    people: String,
    sends_mail: bool,
}

/// One thing that somebody should look at.
struct Attention {
    title: String,
    text: &'static str,
    href: &'static str,
    verb: &'static str,
}

async fn show(ask: OperatorPage) -> PageResult {
    let health = health::look(&ask.cx).await?;
    page(&of(shell_of::operator(&ask, "Health").await?, health))
}

fn of(shell: Shell, health: Health) -> HealthPage {
    let attention = attention(&health);
    let Health { figures, database, pool: (open, idle), disk_free, sends_mail } = health;
    let waiting = figures.jobs_in(JobState::Waiting);
    let active = figures.ring.masters.iter().find(|master| master.state == MasterState::Active);
    HealthPage {
        shell,
        attention,
        at: figures.at,
        jobs: waiting + figures.jobs_in(JobState::Running),
        jobs_hint: format!("longest wait {}", words::span(figures.longest_wait())),
        letters: figures.letters_in(LetterState::Queued) + figures.letters_in(LetterState::Held),
        letters_hint: if sends_mail { "sent by SMTP".to_owned() } else { "outbox; no SMTP set".to_owned() },
        master: active.map(|master| master.master.clone()).unwrap_or_default(),
        master_hint: master_hint(&figures, active.and_then(|master| master.since)),
        size: words::size(database.bytes.unsigned_abs()),
        pool: format!("{} of this replica, {idle} idle", words::count(i64::from(open), "connection")),
        disk: disk_free.map(words::size).unwrap_or_default(),
        database,
        orgs: figures.orgs,
        people: if figures.people == 1 {
            "1 person".to_owned()
        } else {
            format!("{} people", figures.people)
        },
        replicas: figures.replicas,
        sends_mail,
    }
}

/// How old the sealing master key is, and what hangs on it.
fn master_hint(figures: &Figures, since: Option<OffsetDateTime>) -> String {
    let age = since.map(|since| format!("{} in use; ", words::span(figures.at - since))).unwrap_or_default();
    let all = words::count(figures.ring.total(), "data key");
    format!("{age}wraps {} of {all}", figures.ring.done())
}

fn attention(health: &Health) -> Vec<Attention> {
    let figures = &health.figures;
    let mut list = Vec::new();
    let mut add = |when: bool, title: String, text, href, verb| {
        if when {
            list.push(Attention { title, text, href, verb });
        }
    };
    let missing = figures.ring.masters.iter().filter(|master| master.state == MasterState::Missing).count();
    let text =
        "Values are sealed under keys that this replica does not have. Put them back into its settings.";
    add(
        missing > 0,
        words::count(missing as i64, "missing master key"),
        text,
        "/ops/keys",
        "Look at the keys",
    );
    let failed = figures.jobs_in(JobState::Failed);
    let text = "Every attempt failed; they wait for you.";
    add(failed > 0, words::count(failed, "failed job"), text, "/ops/jobs?state=failed", "Look at them");
    let failed = figures.letters_in(LetterState::Failed);
    let text = "The mail server did not take them.";
    add(
        failed > 0,
        words::count(failed, "letter") + " not sent",
        text,
        "/ops/outbox?state=failed",
        "Look at them",
    );
    let little = health.disk_free.is_some_and(|free| free < LITTLE_SPACE);
    let text = "When the disk is full nothing can be recorded, and so nothing is done. Free some space.";
    add(little, "The disk is almost full".to_owned(), text, "", "");
    let left = figures.ring.remaining();
    let text = "A new master key is in front, and some data keys still hang on an older one.";
    add(
        missing == 0 && left > 0,
        "A rotation is not finished".to_owned(),
        text,
        "/ops/keys",
        "Look at the keys",
    );
    list
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::base::ids::ReplicaId;
    use crate::web::kit::{
        samples::{AT, LONG, sample, shell},
        shell::Base,
    };

    let replica = || Replica {
        id: ReplicaId::fresh(),
        version: "0.1.0".into(),
        listen: "127.0.0.1:8080".into(),
        started_at: AT,
        seen_at: AT,
    };
    let attention = || Attention { title: LONG.into(), text: "Look at it.", href: "/ops/keys", verb: "Look" };
    let page = |count: usize| HealthPage {
        shell: shell(Base::Operator, "Health"),
        attention: (0..count).map(|_| attention()).collect(),
        at: AT,
        jobs: 3,
        jobs_hint: LONG.into(),
        letters: 0,
        letters_hint: String::new(),
        master: "k1".into(),
        master_hint: String::new(),
        size: "12.3 MB".into(),
        pool: "2 of 20".into(),
        disk: String::new(),
        database: DatabaseFigures {
            version: "17.2".into(),
            bytes: 12,
            connections: 2,
            max_connections: 20,
            migrations: 6,
            newest_migration: 1,
        },
        replicas: (0..=count).map(|_| replica()).collect(),
        orgs: 1,
        people: "2".into(),
        sends_mail: count > 0,
    };
    vec![sample("health", &page(0)), sample("health: much", &page(12))]
}
