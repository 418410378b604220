//! From a change to the mail server: queue a letter with the change, deliver what is due.

use std::fmt;

use time::Duration;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::{
    base::{
        clock::Clock,
        crypto::random,
        email::{Email, NotAnEmail},
        ids::LetterId,
    },
    domain::{
        audit::{self, Unrecorded},
        jobs::{NewJob, store as jobs},
        outbox::{ClaimedLetter, KeptLetter, NewLetter, SealedContent, rules, store as outbox},
        vault::{Cell, Sealed, Vault, VaultError},
    },
    flow::letters::{Letter, Rendered},
    io::{
        db::{Db, DbError, DbResult, SystemTx, Tx},
        mail::{Failure, Mail, MailError, Mailer},
    },
};

/// The kind of job that delivers what is due; every five minutes besides, in case one was lost.
pub const DELIVER_LETTERS: &str = "deliver_letters";
/// The kind of job that sweeps old letters; once an hour is right.
pub const SWEEP_LETTERS: &str = "sweep_letters";

/// How many are written to at once about one thing.
const MOST_COPIES: usize = 20;

/// How long letters rest when the mail server could not be spoken with.
const SERVER_PAUSE: Duration = Duration::seconds(30);

/// Why the post did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The database refused or is away.
    #[error("the outbox cannot be used")]
    Db(#[from] DbError),
    /// Sealing or opening failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Queues letters and delivers them.
#[derive(Clone)]
pub struct Post {
    /// The outbox's database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Where letters go.
    pub mailer: Mailer,
    /// Who seals what they say.
    pub vault: Vault,
    /// Where this Portreeve is found, such as `https://portreeve.example.com`.
    pub site: String,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("mailer", &self.mailer).field("site", &self.site).finish_non_exhaustive()
    }
}

/// How a letter's attempt ended, for the round.
enum Next {
    /// Take the next letter.
    Letter,
    /// Every other letter would fail the same way: leave them for later.
    Rest,
}

impl Post {
    /// Queues a letter with the change that it tells of: both are kept or neither. After the commit, wake the workers.
    ///
    /// # Errors
    /// When the letter is not sealed, or the database is away.
    pub async fn queue<T: Tx>(&self, tx: &mut T, to: &Email, letter: &Letter) -> Result<LetterId, PostError> {
        let now = self.clock.now();
        let id = LetterId::fresh();
        let rendered = letter.render(&self.site);
        let plain = serde_json::to_vec(&rendered).map(Zeroizing::new).expect("three texts serialize");
        let sealed = self.vault.seal(tx, cell(id), &plain).await?;
        let content = SealedContent { chain: tx.chain(), key: sealed.key, bytes: sealed.bytes };
        let new = NewLetter { id, recipient: to, kind: letter.kind(), content };
        outbox::insert(tx, now, new).await?;
        let job = NewJob { kind: DELIVER_LETTERS, payload: Nothing {}, dedup_key: None, run_at: now };
        jobs::enqueue(tx, now, job).await?;
        Ok(id)
    }

    /// Queues the same letter for several people: for the first of them where they are many, since what it tells of stands on
    /// a page as well. Who has no address that can be written to is left out.
    ///
    /// # Errors
    /// As [`Post::queue`].
    pub async fn queue_for<'a, T: Tx>(
        &self,
        tx: &mut T,
        to: impl Iterator<Item = &'a str>,
        letter: &Letter,
    ) -> Result<(), PostError> {
        for email in to.take(MOST_COPIES).filter_map(|address| address.parse::<Email>().ok()) {
            self.queue(tx, &email, letter).await?;
        }
        Ok(())
    }

    /// Finds a letter with what it says, for the operator's outbox page; nothing is left of a letter that was sent.
    ///
    /// # Errors
    /// When the letter does not open, or the database is away.
    pub async fn read(
        &self,
        tx: &mut SystemTx,
        id: LetterId,
    ) -> Result<Option<(KeptLetter, Option<Rendered>)>, PostError> {
        let Some(letter) = outbox::find(tx, id).await? else {
            return Ok(None);
        };
        let rendered = match &letter.content {
            Some(content) => Some(self.open(tx, id, content).await?),
            None => None,
        };
        Ok(Some((letter, rendered)))
    }

    /// Queues a held or failed letter again; false where it is neither. After the commit, wake the workers.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn resend(&self, tx: &mut SystemTx, id: LetterId) -> DbResult<bool> {
        let now = self.clock.now();
        let queued = outbox::resend(tx, now, id).await?;
        if queued {
            let job = NewJob { kind: DELIVER_LETTERS, payload: Nothing {}, dedup_key: None, run_at: now };
            jobs::enqueue(tx, now, job).await?;
        }
        Ok(queued)
    }

    /// The handler of [`DELIVER_LETTERS`]: sends every letter that is due, one after another, or keeps them for the
    /// operator where no mail server is set.
    ///
    /// # Errors
    /// When the outbox cannot be used. That a letter was not sent is no failure of the job: it is tried again.
    pub async fn deliver(&self, stop: &CancellationToken) -> Result<(), PostError> {
        if !self.mailer.is_configured() {
            return self.hold().await;
        }
        while !stop.is_cancelled() {
            let mut tx = SystemTx::begin(&self.db).await?;
            let Some(letter) = outbox::claim(&mut tx, self.clock.now()).await? else {
                tx.done().await?;
                return self.plan(Duration::ZERO).await;
            };
            audit::commit_unrecorded(tx, Unrecorded::MailQueue).await?;
            if let Next::Rest = self.attempt(&letter).await? {
                break;
            }
        }
        self.plan(SERVER_PAUSE).await
    }

    /// The handler of [`SWEEP_LETTERS`]: sent letters leave the outbox after a week, others after a month.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn sweep(&self) -> Result<(), PostError> {
        let now = self.clock.now();
        let mut tx = SystemTx::begin(&self.db).await?;
        let swept = outbox::sweep(&mut tx, now - rules::SENT_TTL, now - rules::KEPT_TTL).await?;
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await?;
        tracing::debug!(swept, "swept old letters");
        Ok(())
    }

    async fn hold(&self) -> Result<(), PostError> {
        let mut tx = SystemTx::begin(&self.db).await?;
        outbox::hold_due(&mut tx, self.clock.now()).await?;
        Ok(audit::commit_unrecorded(tx, Unrecorded::MailQueue).await?)
    }

    async fn open(
        &self,
        tx: &mut SystemTx,
        id: LetterId,
        sealed: &SealedContent,
    ) -> Result<Rendered, VaultError> {
        let content = Sealed { key: sealed.key, bytes: sealed.bytes.clone() };
        let plain = self.vault.open_of(tx, sealed.chain, cell(id), &content).await?;
        // The parser's own words may quote the letter.
        serde_json::from_slice(plain.expose())
            .map_err(|_| VaultError::DoesNotOpen { table: "letters", column: "sealed_content" })
    }

    async fn attempt(&self, letter: &ClaimedLetter) -> Result<Next, PostError> {
        let mut tx = SystemTx::begin(&self.db).await?;
        let opened = self.open(&mut tx, letter.id, &letter.content).await;
        tx.done().await?;
        let content = match opened {
            Ok(content) => content,
            Err(error @ VaultError::Db(_)) => {
                self.mark_failed(letter, &error.to_string(), Failure::Transient).await?;
                return Ok(Next::Rest);
            }
            Err(error) => {
                self.mark_failed(letter, &error.to_string(), Failure::Permanent).await?;
                return Ok(Next::Letter);
            }
        };
        let sent = match compose(letter, &content) {
            Ok(mail) => self.mailer.send(&mail).await,
            Err(NotAnEmail) => Err(MailError::Address),
        };
        match sent {
            Ok(()) => {
                let mut tx = SystemTx::begin(&self.db).await?;
                outbox::mark_sent(&mut tx, self.clock.now(), letter).await?;
                audit::commit_unrecorded(tx, Unrecorded::MailQueue).await?;
                Ok(Next::Letter)
            }
            Err(error) => {
                self.mark_failed(letter, &error.to_string(), error.failure()).await?;
                Ok(if error.concerns_every_mail() { Next::Rest } else { Next::Letter })
            }
        }
    }

    async fn mark_failed(
        &self,
        letter: &ClaimedLetter,
        error: &str,
        failure: Failure,
    ) -> Result<(), PostError> {
        let now = self.clock.now();
        let dice = u16::from_be_bytes(random::bytes());
        let again_at =
            rules::next_attempt(letter.attempt, now, dice).filter(|_| failure == Failure::Transient);
        tracing::warn!(
            letter = %letter.id, kind = letter.kind, attempt = letter.attempt, kept = again_at.is_none(), error,
            "a letter was not sent"
        );
        let mut tx = SystemTx::begin(&self.db).await?;
        outbox::mark_failed(&mut tx, letter, error, again_at).await?;
        Ok(audit::commit_unrecorded(tx, Unrecorded::MailQueue).await?)
    }

    /// Enqueues the next delivery for when the next letter is due, after a pause at the earliest.
    async fn plan(&self, pause: Duration) -> Result<(), PostError> {
        let now = self.clock.now();
        let mut tx = SystemTx::begin(&self.db).await?;
        let Some(due) = outbox::next_due(&mut tx).await? else {
            return Ok(tx.done().await?);
        };
        // Rounded up to ten seconds, so that letters due at about the same time share a delivery.
        let tick = due.max(now + pause).unix_timestamp().div_euclid(10) + 1;
        let run_at = time::OffsetDateTime::from_unix_timestamp(tick * 10).unwrap_or(now + SERVER_PAUSE);
        let job = NewJob {
            kind: DELIVER_LETTERS,
            payload: Nothing {},
            dedup_key: Some(format!("due {tick}")),
            run_at,
        };
        jobs::enqueue(&mut tx, now, job).await?;
        Ok(audit::commit_unrecorded(tx, Unrecorded::MailQueue).await?)
    }
}

fn cell(letter: LetterId) -> Cell {
    Cell::new("letters", "sealed_content", letter)
}

/// The payload of a delivery: the outbox itself says what is due.
#[derive(serde::Serialize)]
struct Nothing {}

fn compose(letter: &ClaimedLetter, content: &Rendered) -> Result<Mail, NotAnEmail> {
    Ok(Mail {
        to: letter.recipient.parse()?,
        subject: content.subject.clone(),
        text: content.text.clone(),
        html: content.html.clone(),
        reference: letter.id.to_string(),
        date: letter.created_at,
    })
}
