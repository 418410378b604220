//! Codes of an authenticator app, and the recovery codes that go with them.

use serde_json::json;

use crate::{
    base::{crypto::token::Token, secret::Secret},
    domain::{
        audit::{self, Entry, Unrecorded},
        identity::{
            attempts::Key,
            recovery::{self, RecoveryCode},
            sessions::Method,
            store as identity,
            totp::{Enrollment, SealedTotp, TotpSecret},
        },
        vault::{Cell, Sealed},
    },
    flow::{
        actions::me::{self, factors},
        cx::PersonCx,
        fault::{ActionError, ActionResult},
        letters::{Letter, SecondFactorChange, SecondFactorChanged},
    },
    io::db::{PersonTx, Tx},
};

/// An app that was added.
#[derive(Debug)]
pub struct Added {
    /// The recovery codes, to be shown once.
    pub codes: Vec<Secret<String>>,
    /// The session's new token, for the cookie.
    pub token: Token,
}

/// Makes a secret for an app. It opens no door until a first code of the app proves that it is there.
pub async fn start(cx: &PersonCx) -> ActionResult<()> {
    cx.require_proof()?;
    let secret = TotpSecret::fresh();
    let mut tx = cx.tx().await?;
    let sealed = cx.ports.vault.seal(&mut tx, cell(cx), secret.expose()).await?;
    if !identity::totp::insert(&mut tx, cx.id(), &sealed.bytes, sealed.key, cx.now()).await? {
        return Err(is_on());
    }
    audit::commit_unrecorded(tx, Unrecorded::Ceremony).await?;
    Ok(())
}

/// The secret that waits for its first code, as the person takes it into their app.
pub async fn enrollment(cx: &PersonCx) -> ActionResult<Option<Enrollment>> {
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let waiting = identity::totp::find(&mut tx, cx.id()).await?;
    let enrollment = match waiting {
        Some(app) if app.confirmed_at.is_some() => return Err(is_on()),
        Some(app) => Some(open(cx, &mut tx, app).await?.enrollment(&cx.user.email)),
        None => None,
    };
    tx.done().await?;
    Ok(enrollment)
}

/// Turns the app on by its first code, and makes recovery codes.
pub async fn confirm(cx: &PersonCx, code: &str) -> ActionResult<Added> {
    cx.require_proof()?;
    me::spend(cx, &Key::codes(cx.id()), cx.ports.limits.codes).await?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let app = identity::totp::find(&mut tx, cx.id()).await?.ok_or(ActionError::NotFound)?;
    if app.confirmed_at.is_some() {
        return Err(is_on());
    }
    let step = open(cx, &mut tx, app).await?.check(code, now).ok_or_else(wrong_code)?;
    if !identity::totp::confirm(&mut tx, cx.id(), step, now).await? {
        return Err(is_on());
    }
    let codes = renew(cx, &mut tx).await?;
    let token = identity::sessions::prove(&mut tx, cx.id(), cx.session.id, Method::Totp, now).await?;
    let token = token.ok_or(ActionError::NotSignedIn)?;
    me::tell(cx, &mut tx, &letter(cx, SecondFactorChange::AppAdded)).await?;
    let entry = Entry::auth("totp.enabled", &cx.who())
        .target("user", cx.id(), cx.user.name.as_str())
        .before(&json!({ "authenticator_app": false }))
        .after(&json!({ "authenticator_app": true, "recovery_left": recovery::COUNT }));
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(Added { codes, token })
}

/// Makes new recovery codes; the earlier ones are void.
pub async fn regenerate(cx: &PersonCx) -> ActionResult<Vec<Secret<String>>> {
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let factors = factors::read(cx, &mut tx).await?;
    if factors.app_since.is_none() {
        return Err(ActionError::refused(
            "no_authenticator_app",
            "Recovery codes stand in for an authenticator app, and you have none. Set one up first.",
        ));
    }
    let codes = renew(cx, &mut tx).await?;
    me::tell(cx, &mut tx, &letter(cx, SecondFactorChange::RecoveryCodesMade)).await?;
    let entry = Entry::auth("recovery_codes.made", &cx.who())
        .target("user", cx.id(), cx.user.name.as_str())
        .before(&json!({ "recovery_left": factors.codes_left }))
        .after(&json!({ "recovery_left": recovery::COUNT }));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(codes)
}

/// Forgets the app and the recovery codes.
///
/// # Errors
/// A refusal where an organization of the person asks for a second factor and none would remain.
pub async fn turn_off(cx: &PersonCx) -> ActionResult<()> {
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let factors = factors::read(cx, &mut tx).await?;
    if factors.app_since.is_none() {
        return Err(ActionError::NotFound);
    }
    factors::keep_required(&factors, factors.passkeys.len())?;
    identity::totp::delete(&mut tx, cx.id()).await?;
    identity::recovery::delete(&mut tx, cx.id()).await?;
    me::tell(cx, &mut tx, &letter(cx, SecondFactorChange::AppRemoved)).await?;
    let entry = Entry::auth("totp.disabled", &cx.who())
        .target("user", cx.id(), cx.user.name.as_str())
        .before(&json!({ "authenticator_app": true, "recovery_left": factors.codes_left }))
        .after(&json!({ "authenticator_app": false, "recovery_left": 0 }));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(())
}

async fn renew(cx: &PersonCx, tx: &mut PersonTx) -> ActionResult<Vec<Secret<String>>> {
    let codes = RecoveryCode::fresh_set();
    identity::recovery::replace(tx, cx.id(), &codes, cx.now()).await?;
    Ok(codes.iter().map(RecoveryCode::text).collect())
}

async fn open(cx: &PersonCx, tx: &mut PersonTx, app: SealedTotp) -> ActionResult<TotpSecret> {
    let sealed = Sealed { key: app.data_key, bytes: app.sealed_secret };
    let bytes = cx.ports.vault.open(tx, cell(cx), &sealed).await?;
    TotpSecret::from_bytes(&bytes).ok_or_else(|| ActionError::defect(Damaged))
}

fn cell(cx: &PersonCx) -> Cell {
    Cell::new("totp_secrets", "sealed_secret", cx.id())
}

pub(super) fn letter(cx: &PersonCx, change: SecondFactorChange) -> Letter {
    Letter::SecondFactorChanged(SecondFactorChanged {
        name: cx.user.name.as_str().into(),
        change,
        at: cx.now().into(),
        device: me::device(cx),
        place: me::place(cx),
        security_page: cx.ports.site.url("/me/security"),
    })
}

fn wrong_code() -> ActionError {
    ActionError::field(
        "code",
        "this is not the code of this moment; wait for the next one in the app, and check that the device's clock is \
         right",
    )
}

fn is_on() -> ActionError {
    ActionError::refused(
        "totp_on",
        "An authenticator app is on already. To move to another one, turn it off under Security first.",
    )
}

/// A sealed secret opened, but is none.
#[derive(Debug, thiserror::Error)]
#[error("a sealed TOTP secret has the wrong length")]
struct Damaged;
