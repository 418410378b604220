//! Proving once more that it is you, for ten minutes of sensitive acts.

use crate::{
    base::{crypto::token::Token, secret::Secret},
    domain::{
        audit::{self, Unrecorded},
        identity::{
            attempts::Key,
            ceremonies::Purpose,
            password::Verdict,
            relying::{Options, Proof},
            sessions::Method,
            store as identity,
        },
    },
    flow::{
        actions::{
            limits,
            passkey::{not_accepted, relying},
            sign_in,
        },
        cx::PersonCx,
        fault::{ActionError, ActionResult},
        jobs::{AuthAction, AuthEvent},
    },
    io::db::{PersonTx, Tx},
};

/// The ways in which a person can prove themselves.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    /// By password.
    pub password: bool,
    /// By a code of their authenticator app.
    pub code: bool,
    /// By passkey.
    pub passkey: bool,
}

/// The ways in which this person can.
pub async fn ways(person: &PersonCx) -> ActionResult<Ways> {
    let mut tx = person.tx().await?;
    let totp = identity::totp::find(&mut tx, person.id()).await?;
    let passkeys = identity::passkeys::list(&mut tx, person.id()).await?;
    tx.done().await?;
    Ok(Ways {
        password: person.user.has_password,
        code: totp.is_some_and(|totp| totp.confirmed_at.is_some()),
        passkey: person.ports.relying.is_some() && !passkeys.is_empty(),
    })
}

/// Proves it by password; the token replaces the one in the cookie.
pub async fn with_password(person: &PersonCx, password: Secret<String>) -> ActionResult<Token> {
    limits::spend(person, Key::codes(person.id()), person.ports.limits.codes).await?;
    let mut tx = person.tx().await?;
    let hash = identity::users::find_password_hash(&mut tx, person.id()).await?;
    tx.done().await?;
    match person.ports.hasher.verify(password, hash).await.map_err(sign_in::hasher)? {
        Verdict::Right { .. } => keep(person, person.tx().await?, Method::Password).await,
        Verdict::Wrong => {
            refused(person, "wrong_password").await?;
            Err(ActionError::field(
                "password",
                "This is not your password. Check it, or prove it another way.",
            ))
        }
    }
}

/// Proves it by a code of the authenticator app.
pub async fn with_code(person: &PersonCx, code: &str) -> ActionResult<Token> {
    limits::spend(person, Key::codes(person.id()), person.ports.limits.codes).await?;
    let mut tx = person.tx().await?;
    if sign_in::spend_totp(&mut tx, person, person.id(), code).await? {
        return keep(person, tx, Method::Totp).await;
    }
    tx.done().await?;
    refused(person, "wrong_code").await?;
    Err(ActionError::field(
        "code",
        "This code is not good, or was used before. Wait for the next one in your app.",
    ))
}

/// Asks for one of the person's passkeys.
pub async fn passkey_options(person: &PersonCx) -> ActionResult<(Options, Token)> {
    limits::spend(person, Key::codes(person.id()), person.ports.limits.codes).await?;
    let mut tx = person.system_tx().await?;
    let passkeys = identity::passkeys::list(&mut tx, person.id()).await?;
    let (options, state) = relying(person)?.start_proof(&passkeys).map_err(|_| not_accepted())?;
    let user = Some(person.id());
    let token =
        identity::ceremonies::begin(&mut tx, Purpose::PasskeyProof, user, &state, person.now()).await?;
    audit::commit_unrecorded(tx, Unrecorded::Ceremony).await?;
    Ok((options, token))
}

/// Proves it by passkey.
pub async fn with_passkey(person: &PersonCx, step: Option<&Token>, answer: &str) -> ActionResult<Token> {
    let step = step.ok_or_else(not_accepted)?;
    let now = person.now();
    let mut tx = person.system_tx().await?;
    let taken = identity::ceremonies::take::<Proof>(&mut tx, Purpose::PasskeyProof, step, now).await?;
    audit::commit_unrecorded(tx, Unrecorded::Ceremony).await?;
    let ceremony = taken.filter(|taken| taken.user == Some(person.id())).ok_or_else(not_accepted)?;
    let mut tx = person.tx().await?;
    let passkeys = identity::passkeys::list(&mut tx, person.id()).await?;
    let Ok(used) = relying(person)?.finish_proof(answer, &ceremony.state, &passkeys) else {
        tx.done().await?;
        refused(person, "passkey_refused").await?;
        return Err(not_accepted());
    };
    if !identity::passkeys::mark_used(&mut tx, &used, now).await? {
        return Err(not_accepted());
    }
    keep(person, tx, Method::Passkey).await
}

/// Notes the proof, gives the session a new token and records it.
async fn keep(person: &PersonCx, mut tx: PersonTx, method: Method) -> ActionResult<Token> {
    let now = person.now();
    let proven = identity::sessions::prove(&mut tx, person.id(), person.session.id, method, now).await?;
    let token = proven.ok_or(ActionError::NotSignedIn)?;
    let event = AuthEvent::new(AuthAction::SessionProven, &person.who())
        .session(person.session.id, person.session.device())
        .note(method.as_str());
    event.commit(tx, &person.ports, now).await?;
    Ok(token)
}

async fn refused(person: &PersonCx, why: &str) -> ActionResult<()> {
    let event = AuthEvent::new(AuthAction::ProofRefused, &person.who())
        .session(person.session.id, person.session.device())
        .note(why);
    Ok(event.commit(person.tx().await?, &person.ports, person.now()).await?)
}
