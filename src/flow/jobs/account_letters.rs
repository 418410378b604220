//! Letters that somebody asks for by naming an address: a link to choose a password, a link to prove an address.
//!
//! The page that asks does the same whatever it is told; only this job looks whether there is such a person, so
//! neither answer nor time tells.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{actor::Origin, email::Email, ids::RequestId},
    domain::{
        audit::{self, Unrecorded, Who},
        identity::{attempts::Key, mail_tokens::Purpose, store as identity, users::User},
        jobs::{NewJob, store as jobs},
    },
    flow::{
        cx::Ports,
        jobs::{AuthAction, AuthEvent, JobError, JobRun},
        letters::{Letter, PostError, ResetPassword, VerifyEmail},
    },
    io::db::{DbResult, SystemTx, Tx},
};

/// The kind of job that writes to an address somebody named.
pub const SEND_ACCOUNT_LETTER: &str = "send_account_letter";

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedFor {
    /// To choose a new password.
    Reset,
    /// To prove the address once more.
    Verification,
}

/// The payload: who asked for what, from where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountLetter {
    asked_for: AskedFor,
    email: String,
    request: RequestId,
    ip: Option<IpAddr>,
    agent: Option<String>,
}

impl AccountLetter {
    /// A wish, before anybody knows whether it can be fulfilled.
    pub fn new(asked_for: AskedFor, email: &Email, origin: &Origin) -> Self {
        Self {
            asked_for,
            email: email.as_str().to_owned(),
            request: origin.request,
            ip: origin.ip,
            agent: origin.user_agent.clone(),
        }
    }

    /// Enqueues it and ends the transaction.
    pub async fn commit(self, mut tx: SystemTx, ports: &Ports, now: OffsetDateTime) -> DbResult<()> {
        let job = NewJob { kind: SEND_ACCOUNT_LETTER, payload: self, dedup_key: None, run_at: now };
        jobs::enqueue(&mut tx, now, job).await?;
        audit::commit_unrecorded(tx, Unrecorded::JobQueue).await?;
        ports.waker.wake();
        Ok(())
    }

    fn who(&self) -> Who {
        Who::nobody(Origin { request: self.request, ip: self.ip, user_agent: self.agent.clone() })
    }
}

/// The handler of [`SEND_ACCOUNT_LETTER`].
pub(super) async fn send(ports: Arc<Ports>, run: JobRun) -> Result<(), JobError> {
    let wish: AccountLetter = run.payload()?;
    let now = ports.clock.now();
    let email: Email = wish.email.parse().map_err(|_| JobError::give_up("the address cannot be read"))?;
    let mut tx = SystemTx::begin(&ports.db).await?;
    let user = identity::users::find_by_email(&mut tx, &email).await?.filter(|user| !user.is_disabled());
    let wanted = user.filter(|user| wish.asked_for == AskedFor::Reset || !user.is_verified());
    let Some(user) = wanted else { return Ok(tx.done().await?) };
    let key = Key::letters_to(&user.email, purpose(wish.asked_for).as_str());
    if identity::attempts::spend(&mut tx, &key, ports.limits.letters_to, now).await?.is_err() {
        return Ok(tx.done().await?);
    }
    match wish.asked_for {
        AskedFor::Reset => {
            reset(&mut tx, &ports, &user, wish.ip, now).await.map_err(JobError::again)?;
            let event = AuthEvent::new(AuthAction::PasswordResetAsked, &wish.who()).about(Some(&user));
            event.commit(tx, &ports, now).await?;
        }
        AskedFor::Verification => {
            verification(&mut tx, &ports, &user, now).await.map_err(JobError::again)?;
            audit::commit_unrecorded(tx, Unrecorded::MailQueue).await?;
        }
    }
    ports.waker.wake();
    Ok(())
}

const fn purpose(asked_for: AskedFor) -> Purpose {
    match asked_for {
        AskedFor::Reset => Purpose::ResetPassword,
        AskedFor::Verification => Purpose::VerifyEmail,
    }
}

async fn reset(
    tx: &mut SystemTx,
    ports: &Ports,
    user: &User,
    ip: Option<IpAddr>,
    now: OffsetDateTime,
) -> Result<(), PostError> {
    let token = identity::mail_tokens::issue(tx, user.id, Purpose::ResetPassword, &user.email, now).await?;
    let letter = Letter::ResetPassword(ResetPassword {
        name: user.name.as_str().into(),
        link: ports.site.url(&format!("/reset/{}", token.text().expose())).into(),
        expires_at: (now + Purpose::ResetPassword.ttl()).into(),
        place: place(ip).into(),
    });
    ports.post.queue(tx, &user.email, &letter).await.map(drop)
}

/// Makes a new link that proves the person's address, and the letter that carries it.
pub async fn verification(
    tx: &mut SystemTx,
    ports: &Ports,
    user: &User,
    now: OffsetDateTime,
) -> Result<(), PostError> {
    let token = identity::mail_tokens::issue(tx, user.id, Purpose::VerifyEmail, &user.email, now).await?;
    let letter = Letter::VerifyEmail(VerifyEmail {
        name: user.name.as_str().into(),
        link: ports.site.url(&format!("/verify/{}", token.text().expose())).into(),
        expires_at: (now + Purpose::VerifyEmail.ttl()).into(),
    });
    ports.post.queue(tx, &user.email, &letter).await.map(drop)
}

/// An address as letters tell it.
pub fn place(ip: Option<IpAddr>) -> String {
    ip.map_or_else(|| "an unknown address".to_owned(), |ip| ip.to_canonical().to_string())
}
