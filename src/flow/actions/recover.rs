//! A lost password: a link by mail, and a new password by that link.
//!
//! Invariant: the link stands for the mailbox only: it signs nobody in and never skips a second factor.

use crate::{
    base::{
        crypto::token::{Token, TokenKind},
        secret::Secret,
    },
    domain::identity::{
        attempts::Key,
        devices,
        mail_tokens::{MailToken, Purpose},
        store as identity,
        strength::{Known, NewPassword},
    },
    flow::{
        actions::{limits, sign_in},
        cx::Cx,
        fault::{ActionError, ActionResult},
        jobs::{AccountLetter, AskedFor, AuthAction, AuthEvent, place},
        letters::{Letter, PasswordChanged},
    },
    io::db::Tx,
};

/// What becomes of the person's other sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They end.
    End,
    /// They stay.
    Stay,
}

/// Asks for a link; says nothing about whether there is such a person.
pub async fn ask(cx: &Cx, email: &str) -> ActionResult<()> {
    let email = sign_in::parse_email(email)?;
    limits::spend(cx, Key::recovery(cx.origin.ip), cx.ports.limits.recovery).await?;
    let tx = cx.system_tx().await?;
    Ok(AccountLetter::new(AskedFor::Reset, &email, &cx.origin).commit(tx, &cx.ports, cx.now()).await?)
}

/// The link, while it works.
pub async fn find(cx: &Cx, token: &str) -> ActionResult<Option<MailToken>> {
    let Some(token) = Token::parse(TokenKind::Mail, token) else { return Ok(None) };
    let mut tx = cx.system_tx().await?;
    let found = identity::mail_tokens::find(&mut tx, Purpose::ResetPassword, &token, cx.now()).await?;
    tx.done().await?;
    Ok(found)
}

/// Sets a new password by the link.
///
/// # Errors
/// A fault of the field `password`; `Refused` when the link has been used or has run out.
pub async fn reset(cx: &Cx, token: &str, password: Secret<String>, others: Others) -> ActionResult<()> {
    let token = Token::parse(TokenKind::Mail, token).ok_or_else(dead_link)?;
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let link = identity::mail_tokens::find(&mut tx, Purpose::ResetPassword, &token, now).await?;
    let link = link.ok_or_else(dead_link)?;
    let user = identity::users::find(&mut tx, link.user).await?.ok_or_else(dead_link)?;
    tx.done().await?;
    let known = Known::about(&user.email, user.name.as_str(), &[]);
    let parsed = NewPassword::parse(password, &known);
    let password = parsed.map_err(|weak| ActionError::field("password", weak.to_string()))?;
    let hash = cx.ports.hasher.hash(password).await.map_err(sign_in::hasher)?;

    let mut tx = cx.system_tx().await?;
    let redeemed = identity::mail_tokens::redeem(&mut tx, Purpose::ResetPassword, &token, now).await?;
    // The letter went to the address, so whoever came by its link holds the mailbox.
    if redeemed.is_none() || !identity::users::mark_verified(&mut tx, user.id, &link.email, now).await? {
        return Err(dead_link());
    }
    identity::users::set_password(&mut tx, user.id, &hash, now).await?;
    identity::ceremonies::delete_all(&mut tx, user.id).await?;
    let ended = match others {
        Others::End => identity::sessions::delete_all(&mut tx, user.id).await?,
        Others::Stay => 0,
    };
    let letter = Letter::PasswordChanged(PasswordChanged {
        name: user.name.as_str().into(),
        at: now.into(),
        device: devices::describe(cx.origin.user_agent.as_deref()).into(),
        place: place(cx.origin.ip).into(),
        reset_page: cx.ports.site.url("/forgot"),
    });
    cx.ports.post.queue(&mut tx, &user.email, &letter).await.map_err(sign_in::post)?;
    let event = AuthEvent::new(AuthAction::PasswordReset, &cx.nobody("nobody"))
        .about(Some(&user))
        .note(format!("{ended} sessions ended"));
    Ok(event.commit(tx, &cx.ports, now).await?)
}

fn dead_link() -> ActionError {
    ActionError::refused(
        "link_used",
        "This link has been used, replaced by a newer one, or is older than 30 minutes. Ask for a new one.",
    )
}
