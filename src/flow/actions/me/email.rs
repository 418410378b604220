//! The address that a person signs in with.
//!
//! The new address gets a link; only using it, signed in as the person, moves them. The old address is told.

use crate::{
    base::{
        crypto::token::{Token, TokenKind},
        email::Email,
        secret::Secret,
    },
    domain::{
        audit::{self, Entry},
        identity::{
            attempts::Key,
            mail_tokens::{MailToken, Purpose},
            store as identity,
        },
    },
    flow::{
        actions::me,
        cx::PersonCx,
        fault::{ActionError, ActionResult},
        letters::{EmailChanged, Letter, VerifyEmail},
    },
    io::db::{DbError, SystemTx, Tx},
};

/// The rule that a second person with one address breaks.
const EMAIL_IS_FREE: &str = "users_email_is_free";

/// Sends a link to a new address. Whether another account has it is not said here, but to who opens the link.
pub async fn ask(cx: &PersonCx, email: &str) -> ActionResult<Email> {
    cx.require_proof()?;
    let email: Email =
        email.trim().parse().map_err(|error| ActionError::field("email", format!("{error}")))?;
    if email.key() == cx.user.email.key() {
        return Err(ActionError::field("email", "this is your address already; enter another one"));
    }
    me::spend(cx, &Key::codes(cx.id()), cx.ports.limits.codes).await?;
    me::spend(cx, &Key::letters_to(&email, Purpose::ChangeEmail.as_str()), cx.ports.limits.letters_to)
        .await?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let token = identity::mail_tokens::issue(&mut tx, cx.id(), Purpose::ChangeEmail, &email, now).await?;
    let letter = Letter::VerifyEmail(VerifyEmail {
        name: cx.user.name.as_str().into(),
        link: Secret::new(cx.ports.site.url(&format!("/me/email/{}", token.text().expose()))),
        expires_at: (now + Purpose::ChangeEmail.ttl()).into(),
    });
    cx.ports.post.queue(&mut tx, &email, &letter).await?;
    let entry = Entry::auth("email.change_asked", &cx.who())
        .target("user", cx.id(), cx.user.name.as_str())
        .changed(&shown(&cx.user.email), &shown(&email));
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(email)
}

/// The address that a link moves the person to.
///
/// # Errors
/// A refusal where the link is used, too old, replaced by a newer one, or another person's.
pub async fn look(cx: &PersonCx, link: &str) -> ActionResult<Email> {
    let token = read(link)?;
    let mut tx = cx.system_tx().await?;
    let found = find(cx, &mut tx, &token).await?;
    tx.done().await?;
    Ok(found.email)
}

/// Moves the person to the address that the link was sent to, and tells the old one.
pub async fn confirm(cx: &PersonCx, link: &str) -> ActionResult<Email> {
    let token = read(link)?;
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    find(cx, &mut tx, &token).await?;
    let redeemed = identity::mail_tokens::redeem(&mut tx, Purpose::ChangeEmail, &token, now).await?;
    let email = redeemed.ok_or_else(dead)?.email;
    if !identity::users::change_email(&mut tx, cx.id(), &email, now).await.map_err(taken_meanwhile)? {
        return Err(taken());
    }
    // What was sent to the old address opens nothing any more.
    for purpose in [Purpose::ResetPassword, Purpose::VerifyEmail] {
        identity::mail_tokens::void(&mut tx, cx.id(), purpose).await?;
    }
    let letter = Letter::EmailChanged(EmailChanged {
        name: cx.user.name.as_str().into(),
        old: cx.user.email.as_str().into(),
        new: email.as_str().into(),
        at: now.into(),
        place: me::place(cx),
    });
    me::tell(cx, &mut tx, &letter).await?;
    let entry = Entry::auth("email.changed", &cx.who())
        .target("user", cx.id(), cx.user.name.as_str())
        .changed(&shown(&cx.user.email), &shown(&email));
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(email)
}

async fn find(cx: &PersonCx, tx: &mut SystemTx, token: &Token) -> ActionResult<MailToken> {
    let found = identity::mail_tokens::find(tx, Purpose::ChangeEmail, token, cx.now()).await?;
    found.filter(|link| link.user == cx.id()).ok_or_else(dead)
}

fn shown(email: &Email) -> serde_json::Value {
    serde_json::json!({ "email": email.as_str() })
}

fn read(link: &str) -> ActionResult<Token> {
    Token::parse(TokenKind::Mail, link).ok_or_else(dead)
}

fn dead() -> ActionError {
    ActionError::refused(
        "link_dead",
        "This link does not work for the account you are signed in with: it was used, is older than 24 hours, was \
         replaced by a newer one, or belongs to another account. Ask for a new one under Profile.",
    )
}

fn taken() -> ActionError {
    ActionError::refused(
        "email_taken",
        "Another account here uses this address. Sign in with that account, or choose another address under Profile.",
    )
}

fn taken_meanwhile(error: DbError) -> ActionError {
    if error.broke(EMAIL_IS_FREE) { taken() } else { error.into() }
}
