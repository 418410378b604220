//! Setting a password: the first one, or another one.

use serde_json::json;

use crate::{
    base::{crypto::token::Token, secret::Secret},
    domain::{
        audit::{self, Entry},
        identity::{
            mail_tokens::Purpose,
            password::HasherError,
            store as identity,
            strength::{Known, NewPassword},
        },
    },
    flow::{
        actions::{frame, me},
        cx::PersonCx,
        fault::{ActionError, ActionResult},
        letters::{Letter, PasswordChanged},
    },
};

/// A password that was set.
#[derive(Debug)]
pub struct Set {
    /// The session's new token, for the cookie.
    pub token: Token,
    /// How many other sessions ended.
    pub ended: u64,
}

/// What a person types to set a password.
#[derive(Debug)]
pub struct PasswordInput {
    /// The password.
    pub password: Secret<String>,
    /// The password once more.
    pub again: Secret<String>,
    /// Whether all other sessions end.
    pub end_others: bool,
}

/// Sets the password. Links to reset it stop working, and so does every sign-in under way.
pub async fn set(cx: &PersonCx, input: PasswordInput) -> ActionResult<Set> {
    cx.require_proof()?;
    let known = known(cx).await?;
    let is_same = input.password.expose() == input.again.expose();
    let password = NewPassword::parse(input.password, &known)
        .map_err(|error| ActionError::field("password", error.to_string()))?;
    if !is_same {
        return Err(ActionError::field("again", "this is not the same password; type it again"));
    }
    let hash = cx.ports.hasher.hash(password).await.map_err(|error| match error {
        HasherError::Busy => ActionError::Busy,
        HasherError::Unreadable => ActionError::defect(error),
    })?;
    let (now, user) = (cx.now(), cx.id());
    let mut tx = cx.system_tx().await?;
    identity::users::set_password(&mut tx, user, &hash, now).await?;
    identity::mail_tokens::void(&mut tx, user, Purpose::ResetPassword).await?;
    identity::ceremonies::delete_all(&mut tx, user).await?;
    let ended = match input.end_others {
        true => identity::sessions::delete_others(&mut tx, user, cx.session.id).await?,
        false => 0,
    };
    let token = identity::sessions::rotate(&mut tx, user, cx.session.id).await?;
    let token = token.ok_or(ActionError::NotSignedIn)?;
    let letter = Letter::PasswordChanged(PasswordChanged {
        name: cx.user.name.as_str().into(),
        at: now.into(),
        device: me::device(cx),
        place: me::place(cx),
        reset_page: cx.ports.site.url("/forgot"),
    });
    me::tell(cx, &mut tx, &letter).await?;
    let entry = Entry::auth("password.changed", &cx.who())
        .target("user", user, cx.user.name.as_str())
        .before(&json!({ "is_set": cx.user.has_password }))
        .after(&json!({ "is_set": true, "sessions_ended": ended }));
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(Set { token, ended })
}

async fn known(cx: &PersonCx) -> ActionResult<Known> {
    let orgs = frame::of_person(cx).await?;
    let names: Vec<&str> = orgs.iter().map(|found| found.org.name.as_str()).collect();
    Ok(Known::about(&cx.user.email, cx.user.name.as_str(), &names))
}
