//! Letters from the change that causes them to the mail server, through the real queue.

use portreeve::{
    base::{clock::Clock, email::Email, ids::LetterId, page::PageRequest, secret::Secret},
    domain::{
        audit::{self, Unrecorded},
        jobs::store as jobs,
        outbox::{LetterRow, LetterState, rules, store},
    },
    flow::letters::{Letter, Post, TestLetter, VerifyEmail},
    io::{
        db::{OrgScope, OrgTx, SystemTx, Tx},
        mail::{Mailer, Postbox, SmtpEncryption, SmtpSettings},
    },
};
use time::{Duration, macros::datetime};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::kit::database::TestDatabase;

struct Trial {
    database: TestDatabase,
    post: Post,
    postbox: Postbox,
}

impl Trial {
    async fn new() -> Self {
        let (mailer, postbox) = Mailer::memory();
        Self { postbox, ..Self::with(mailer).await }
    }

    async fn with(mailer: Mailer) -> Self {
        let database = TestDatabase::fresh().await;
        let clock = Clock::settable(datetime!(2026-11-21 14:05 UTC));
        let site = "https://portreeve.example".to_owned();
        let vault = crate::kit::app::vault(&clock);
        let post = Post { db: database.db(), clock, mailer, vault, site };
        Self { database, post, postbox: Postbox::default() }
    }

    /// Queues as the application does for an organization, which may insert and nothing else.
    async fn queue(&self, to: &str, letter: Letter) -> LetterId {
        let to: Email = to.parse().unwrap();
        let org = OrgScope::proven(portreeve::base::ids::OrgId::fresh());
        let mut tx = OrgTx::begin(&self.post.db, org).await.unwrap();
        let id = self.post.queue(&mut tx, &to, &letter).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::MailQueue).await.unwrap();
        id
    }

    async fn deliver(&self) {
        self.post.deliver(&CancellationToken::new()).await.unwrap();
    }

    async fn row(&self, id: LetterId) -> LetterRow {
        let mut tx = SystemTx::begin(&self.post.db).await.unwrap();
        store::find(&mut tx, id).await.unwrap().expect("the letter").row
    }

    async fn jobs(&self) -> i64 {
        let mut tx = SystemTx::begin(&self.post.db).await.unwrap();
        jobs::count(&mut tx).await.unwrap().iter().map(|count| count.count).sum()
    }
}

fn test_letter() -> Letter {
    Letter::TestLetter(TestLetter { at: datetime!(2026-11-21 14:05 UTC).into() })
}

fn verification() -> Letter {
    Letter::VerifyEmail(VerifyEmail {
        name: "Ada".into(),
        link: Secret::new("https://portreeve.example/verify/0123456789".to_owned()),
        expires_at: datetime!(2026-11-24 14:05 UTC).into(),
    })
}

async fn closed_server() -> Mailer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Mailer::smtp(SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port,
        encryption: SmtpEncryption::NoneOnLoopback,
        credentials: None,
        from_name: String::new(),
        from: "portreeve@acme.example".parse().unwrap(),
    })
    .unwrap()
}

#[tokio::test]
async fn a_letter_is_sealed_until_it_is_sent_and_wiped_after() {
    let trial = Trial::new().await;
    let id = trial.queue("ada@acme.example", verification()).await;
    assert_eq!(trial.jobs().await, 1, "somebody is asked to deliver it");
    let mut conn = crate::kit::database::connect(&trial.database.superuser()).await;
    let stored: String =
        sqlx::query_scalar("select letters::text || encode(sealed_content, 'escape') from letters")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert!(!stored.contains("0123456789"), "{stored}");

    trial.deliver().await;
    let mails = trial.postbox.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (mails[0].subject.as_str(), mails[0].reference.as_str()),
        ("Confirm your e-mail address", id.to_string().as_str())
    );
    assert!(mails[0].text.contains("/verify/0123456789") && mails[0].html.contains("/verify/0123456789"));
    let row = trial.row(id).await;
    assert_eq!((row.state, row.attempts), (LetterState::Sent, 1));
    let mut tx = SystemTx::begin(&trial.post.db).await.unwrap();
    let (_, content) = trial.post.read(&mut tx, id).await.unwrap().unwrap();
    assert!(content.is_none(), "nothing is left to read");

    trial.deliver().await;
    assert_eq!(trial.postbox.mails().len(), 1, "a sent letter is not sent again");
}

#[tokio::test]
async fn a_letter_whose_change_is_not_kept_is_not_sent() {
    let trial = Trial::new().await;
    let mut tx = SystemTx::begin(&trial.post.db).await.unwrap();
    trial.post.queue(&mut tx, &"ada@acme.example".parse().unwrap(), &test_letter()).await.unwrap();
    tx.done().await.unwrap();
    trial.deliver().await;
    assert!(trial.postbox.mails().is_empty());
    assert_eq!(trial.jobs().await, 0);
}

#[tokio::test]
async fn without_a_mail_server_the_operator_reads_the_letter_and_can_send_it_later() {
    let mut trial = Trial::with(Mailer::none()).await;
    let id = trial.queue("ada@acme.example", verification()).await;
    trial.deliver().await;
    assert_eq!(trial.row(id).await.state, LetterState::Held);
    let mut tx = SystemTx::begin(&trial.post.db).await.unwrap();
    let (_, content) = trial.post.read(&mut tx, id).await.unwrap().unwrap();
    assert!(content.expect("it is kept").text.contains("/verify/0123456789"));
    tx.done().await.unwrap();

    (trial.post.mailer, trial.postbox) = Mailer::memory();
    trial.deliver().await;
    assert!(trial.postbox.mails().is_empty(), "a held letter goes only when the operator says so");
    let mut tx = SystemTx::begin(&trial.post.db).await.unwrap();
    assert!(trial.post.resend(&mut tx, id).await.unwrap());
    assert!(!trial.post.resend(&mut tx, id).await.unwrap(), "it is queued already");
    audit::commit_unrecorded(tx, Unrecorded::MailQueue).await.unwrap();
    trial.deliver().await;
    assert_eq!(trial.postbox.mails().len(), 1);
}

#[tokio::test]
async fn while_the_server_is_down_one_letter_tries_and_all_go_when_it_is_back() {
    let mut trial = Trial::with(closed_server().await).await;
    let first = trial.queue("ada@acme.example", test_letter()).await;
    trial.post.clock.advance(Duration::seconds(1));
    let second = trial.queue("grace@acme.example", test_letter()).await;
    let before = trial.jobs().await;
    trial.deliver().await;
    let (tried, waiting) = (trial.row(first).await, trial.row(second).await);
    assert_eq!((tried.state, tried.attempts), (LetterState::Queued, 1));
    assert!(tried.last_error.unwrap().contains("mail server"));
    assert_eq!((waiting.state, waiting.attempts), (LetterState::Queued, 0), "its attempts are spared");
    assert_eq!(trial.jobs().await, before + 1, "a later delivery is planned");
    trial.deliver().await;
    assert_eq!(trial.jobs().await, before + 1, "and planned once");

    (trial.post.mailer, trial.postbox) = Mailer::memory();
    trial.post.clock.advance(Duration::minutes(5));
    trial.deliver().await;
    assert_eq!(trial.postbox.mails().len(), 2);
}

#[tokio::test]
async fn a_letter_that_never_gets_through_is_kept_for_the_operator() {
    let trial = Trial::with(closed_server().await).await;
    let id = trial.queue("ada@acme.example", test_letter()).await;
    for _ in 0..rules::MAX_ATTEMPTS {
        assert_eq!(trial.row(id).await.state, LetterState::Queued);
        trial.deliver().await;
        trial.post.clock.advance(Duration::hours(8));
    }
    let row = trial.row(id).await;
    assert_eq!((row.state, row.attempts), (LetterState::Failed, rules::MAX_ATTEMPTS));
}

#[tokio::test]
async fn a_letter_that_does_not_open_is_kept_and_holds_up_no_other() {
    let trial = Trial::new().await;
    let broken = trial.queue("ada@acme.example", test_letter()).await;
    let mut conn = crate::kit::database::connect(&trial.database.superuser()).await;
    crate::kit::database::execute(&mut conn, "update letters set sealed_content = 'x'").await;
    trial.post.clock.advance(Duration::seconds(1));
    trial.queue("grace@acme.example", test_letter()).await;
    trial.deliver().await;
    let row = trial.row(broken).await;
    assert_eq!(
        (row.state, row.last_error.as_deref()),
        (
            LetterState::Failed,
            Some("the sealed value in letters.sealed_content was changed or moved and does not open")
        )
    );
    assert_eq!(trial.postbox.mails().len(), 1);
}

#[tokio::test]
async fn a_claimed_letter_comes_back_when_its_sender_vanished_and_the_late_word_does_not_count() {
    let trial = Trial::new().await;
    let id = trial.queue("ada@acme.example", test_letter()).await;
    let now = trial.post.clock.now();
    let mut tx = SystemTx::begin(&trial.post.db).await.unwrap();
    let lost = store::claim(&mut tx, now).await.unwrap().unwrap();
    assert!(store::claim(&mut tx, now).await.unwrap().is_none(), "it is taken");
    let later = now + rules::LEASE_TTL;
    let again = store::claim(&mut tx, later).await.unwrap().unwrap();
    assert_eq!((again.id, again.attempt), (id, 2));
    assert!(!store::mark_failed(&mut tx, &lost, "late", None).await.unwrap());
    assert!(store::mark_sent(&mut tx, later, &again).await.unwrap());
    assert!(!store::mark_sent(&mut tx, later, &lost).await.unwrap());
}

#[tokio::test]
async fn two_replicas_never_take_the_same_letter() {
    let trial = Trial::new().await;
    for _ in 0..2 {
        trial.queue("ada@acme.example", test_letter()).await;
    }
    let now = trial.post.clock.now();
    let mut one = SystemTx::begin(&trial.post.db).await.unwrap();
    let mut two = SystemTx::begin(&trial.post.db).await.unwrap();
    let first = store::claim(&mut one, now).await.unwrap().unwrap();
    let second = store::claim(&mut two, now).await.unwrap().unwrap();
    assert_ne!(first.id, second.id);
    assert!(store::claim(&mut two, now).await.unwrap().is_none());
}

#[tokio::test]
async fn the_list_pages_newest_first_and_sweeping_takes_only_what_is_old() {
    let trial = Trial::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(trial.queue("ada@acme.example", test_letter()).await);
    }
    ids.reverse();
    let mut tx = SystemTx::begin(&trial.post.db).await.unwrap();
    let first = store::list(&mut tx, None, &PageRequest { limit: 2, after: None }).await.unwrap();
    let next = PageRequest::parse(Some(2), first.next.as_deref()).unwrap();
    let second = store::list(&mut tx, Some(LetterState::Queued), &next).await.unwrap();
    let listed: Vec<LetterId> = first.items.iter().chain(&second.items).map(|row| row.id).collect();
    assert_eq!((listed, second.next), (ids, None));
    assert!(
        store::list(&mut tx, Some(LetterState::Sent), &PageRequest::first()).await.unwrap().items.is_empty()
    );
    tx.done().await.unwrap();

    trial.deliver().await;
    trial.post.clock.advance(Duration::days(6));
    trial.queue("grace@acme.example", test_letter()).await;
    trial.post.clock.advance(Duration::days(1) + Duration::SECOND);
    trial.post.sweep().await.unwrap();
    let mut tx = SystemTx::begin(&trial.post.db).await.unwrap();
    assert_eq!(store::count(&mut tx).await.unwrap(), [(LetterState::Queued, 1)]);
}
