//! Signing in by password and second factor, and signing out.
//!
//! Invariant: whether an address is known here shows neither in the answer nor in the work done for it.
//! Invariant: every sign-in makes a new session; a session the browser had before ends with it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        actor::Actor, crypto::token::Token, email::Email, ids::UserId, page::PageRequest, secret::Secret,
    },
    domain::{
        audit::{self, EventFilter, EventRow, Unrecorded, Who},
        identity::{
            attempts::Key,
            ceremonies::{Ceremony, Purpose},
            devices,
            password::{HasherError, PasswordHash, Verdict},
            recovery::RecoveryCode,
            sessions::{Method, NewSession, Session},
            store as identity,
            totp::{self, TotpSecret},
            users::User,
        },
        vault::{Cell, Sealed},
    },
    flow::{
        actions::limits,
        cx::{Cx, PersonCx},
        fault::{ActionError, ActionResult},
        jobs::{AuthAction, AuthEvent, place},
        letters::{Letter, NewSignIn, PostError, SecondFactorChange, SecondFactorChanged},
    },
    io::db::{SystemTx, Tx},
};

/// What a sign-in came to.
#[derive(Debug)]
pub enum Step {
    /// The person is in; the token goes into the session's cookie.
    SignedIn(Token),
    /// A code is asked for; the token goes into the cookie between the steps.
    SecondFactor(Token),
    /// The address has to be proven first.
    Unproven(Email),
}

/// What is remembered between password and code.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    email: String,
}

/// What was sent with a sign-in.
#[derive(Clone, Debug)]
pub struct PasswordInput {
    /// The address.
    pub email: String,
    /// The password.
    pub password: Secret<String>,
}

/// Checks address and password.
///
/// # Errors
/// A fault of the field `password`, the same for a wrong password and an unknown address.
pub async fn with_password(cx: &Cx, input: &PasswordInput, before: Option<&PersonCx>) -> ActionResult<Step> {
    let email = parse_email(&input.email)?;
    let (user, rehash) = check_password(cx, &email, input.password.clone()).await?;
    enter(cx, user, rehash, before).await
}

/// Lets a person whose password was right go on: to the code, to the proof of the address, or in.
async fn enter(
    cx: &Cx,
    user: User,
    rehash: Option<(PasswordHash, PasswordHash)>,
    before: Option<&PersonCx>,
) -> ActionResult<Step> {
    if !user.is_verified() {
        return Ok(Step::Unproven(user.email));
    }
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    if let Some((old, new)) = &rehash {
        identity::users::replace_hash(&mut tx, user.id, old, new).await?;
    }
    let totp = identity::totp::find(&mut tx, user.id).await?;
    if totp.is_some_and(|totp| totp.confirmed_at.is_some()) {
        let state = Pending { email: user.email.as_str().to_owned() };
        let token =
            identity::ceremonies::begin(&mut tx, Purpose::SecondFactor, Some(user.id), &state, now).await?;
        audit::commit_unrecorded(tx, Unrecorded::Ceremony).await?;
        return Ok(Step::SecondFactor(token));
    }
    start(cx, tx, &user, vec![Method::Password], before).await.map(Step::SignedIn)
}

/// Finds the person by address and password, at the same cost whether there is one or not.
pub(super) async fn check_password(
    cx: &Cx,
    email: &Email,
    password: Secret<String>,
) -> ActionResult<(User, Option<(PasswordHash, PasswordHash)>)> {
    limits::sign_in(cx, email).await?;
    let mut tx = cx.system_tx().await?;
    let user = identity::users::find_by_email(&mut tx, email).await?;
    let id = user.as_ref().map_or_else(UserId::fresh, |user| user.id);
    let hash = identity::users::find_password_hash(&mut tx, id).await?;
    tx.done().await?;
    let verdict = cx.ports.hasher.verify(password, hash.clone()).await.map_err(hasher)?;
    let (Some(user), Some(hash), Verdict::Right { rehashed }) = (&user, hash, verdict) else {
        refuse(cx, AuthAction::SessionRefused, user.as_ref().map(|user| user.id), "wrong_password").await?;
        return Err(wrong_password());
    };
    if user.is_disabled() {
        refuse(cx, AuthAction::SessionRefused, Some(user.id), "account_disabled").await?;
        return Err(disabled());
    }
    Ok((user.clone(), rehashed.map(|new| (hash, new))))
}

/// Checks the code of a sign-in whose password was right.
///
/// # Errors
/// A fault of the field `code`; `Refused` when the sign-in has run out.
pub async fn with_code(
    cx: &Cx,
    step: Option<&Token>,
    code: &str,
    before: Option<&PersonCx>,
) -> ActionResult<Token> {
    let now = cx.now();
    let pending = find_pending(cx, step).await?;
    let user = pending.user.ok_or_else(sign_in_again)?;
    limits::spend(cx, Key::codes(user), cx.ports.limits.codes).await?;
    let mut tx = cx.system_tx().await?;
    let Some(method) = spend_code(&mut tx, cx, user, code).await? else {
        tx.done().await?;
        refuse(cx, AuthAction::SecondFactorRefused, Some(user), "wrong_code").await?;
        return Err(wrong_code());
    };
    if !identity::ceremonies::finish(&mut tx, pending.id).await? {
        return Err(sign_in_again());
    }
    let found = identity::users::find(&mut tx, user).await?;
    let user = found.filter(|user| !user.is_disabled()).ok_or_else(disabled)?;
    if method == Method::RecoveryCode {
        let letter = Letter::SecondFactorChanged(SecondFactorChanged {
            name: user.name.as_str().into(),
            change: SecondFactorChange::RecoveryCodeUsed,
            at: now.into(),
            device: devices::describe(cx.origin.user_agent.as_deref()).into(),
            place: place(cx.origin.ip).into(),
            security_page: cx.ports.site.url("/me/security"),
        });
        cx.ports.post.queue(&mut tx, &user.email, &letter).await.map_err(post)?;
    }
    start(cx, tx, &user, vec![Method::Password, method], before).await
}

/// Whether a sign-in waits for its code; the page asks.
///
/// # Errors
/// `Refused` when it has run out.
pub async fn check_pending(cx: &Cx, step: Option<&Token>) -> ActionResult<()> {
    find_pending(cx, step).await.map(drop)
}

async fn find_pending(cx: &Cx, step: Option<&Token>) -> ActionResult<Ceremony<Pending>> {
    let Some(token) = step else { return Err(sign_in_again()) };
    let mut tx = cx.system_tx().await?;
    let pending = identity::ceremonies::find(&mut tx, Purpose::SecondFactor, token, cx.now()).await?;
    tx.done().await?;
    pending.ok_or_else(sign_in_again)
}

/// Spends a code of the app or a recovery code, whichever it is.
pub(super) async fn spend_code<T: Tx>(
    tx: &mut T,
    cx: &Cx,
    user: UserId,
    code: &str,
) -> ActionResult<Option<Method>> {
    if let Some(code) = RecoveryCode::parse(code) {
        let left = identity::recovery::spend(tx, user, &code, cx.now()).await?;
        return Ok(left.map(|_| Method::RecoveryCode));
    }
    Ok(spend_totp(tx, cx, user, code).await?.then_some(Method::Totp))
}

/// Spends a code of the person's authenticator app; `false` where it is not good or not good again.
pub(super) async fn spend_totp<T: Tx>(tx: &mut T, cx: &Cx, user: UserId, code: &str) -> ActionResult<bool> {
    let Some(sealed) = identity::totp::find(tx, user).await?.filter(|totp| totp.confirmed_at.is_some())
    else {
        return Ok(false);
    };
    let place = totp::place_of(user);
    let cell = Cell::new(place.table, place.column, user);
    let sealed = Sealed { key: sealed.data_key, bytes: sealed.sealed_secret };
    let secret = TotpSecret::from_bytes(&cx.ports.vault.open(tx, cell, &sealed).await?);
    match secret.and_then(|secret| secret.check(code, cx.now())) {
        Some(step) => Ok(identity::totp::spend(tx, user, step).await?),
        None => Ok(false),
    }
}

/// Starts a session, records it, tells the person where device or place are new, and keeps all of it.
pub(super) async fn start(
    cx: &Cx,
    mut tx: SystemTx,
    user: &User,
    methods: Vec<Method>,
    before: Option<&PersonCx>,
) -> ActionResult<Token> {
    let now = cx.now();
    if let Some(before) = before {
        identity::sessions::delete(&mut tx, before.user.id, before.session.id).await?;
    }
    identity::attempts::forget(&mut tx, &Key::sign_in_to_account(&user.email, cx.origin.ip)).await?;
    let (token, session) = insert(cx, &mut tx, user, methods).await?;
    if is_new_place(&mut tx, user.id, &session).await? {
        let letter = Letter::NewSignIn(NewSignIn {
            name: user.name.as_str().into(),
            at: now.into(),
            device: session.device().into(),
            place: place(session.ip).into(),
            sessions_page: cx.ports.site.url("/me/sessions"),
        });
        cx.ports.post.queue(&mut tx, &user.email, &letter).await.map_err(post)?;
    }
    started(cx, user, &session).commit(tx, &cx.ports, now).await?;
    Ok(token)
}

/// Inserts a session of this request's browser.
pub(super) async fn insert(
    cx: &Cx,
    tx: &mut SystemTx,
    user: &User,
    methods: Vec<Method>,
) -> ActionResult<(Token, Session)> {
    let new =
        NewSession { user: user.id, methods, ip: cx.origin.ip, user_agent: cx.origin.user_agent.clone() };
    Ok(identity::sessions::insert(tx, &new, cx.now()).await?)
}

/// The event of a session that was started.
pub(super) fn started(cx: &Cx, user: &User, session: &Session) -> AuthEvent {
    let methods: Vec<&str> = session.methods.iter().map(|method| method.as_str()).collect();
    AuthEvent::new(AuthAction::SessionStarted, &who(cx, user, session))
        .session(session.id, session.device())
        .note(methods.join(" and "))
}

/// A person whose session is so new that no context has been made of it.
pub(super) fn who(cx: &Cx, user: &User, session: &Session) -> Who {
    let actor = Actor::User { user: user.id, session: session.id };
    Who { actor, name: user.name.as_str().to_owned(), origin: Some(cx.origin.clone()) }
}

/// Whether the person has signed in before, but not with such a device or not from such a place.
async fn is_new_place(tx: &mut SystemTx, user: UserId, session: &Session) -> ActionResult<bool> {
    let filter = EventFilter {
        user: Some(user),
        action: Some(AuthAction::SessionStarted.name().to_owned()),
        ..EventFilter::default()
    };
    let seen = audit::list(tx, &filter, &PageRequest { limit: 100, after: None }).await?.items;
    let device = session.device();
    let same_device = |event: &EventRow| event.target_name.as_deref() == Some(device.as_str());
    let same_place = |event: &EventRow| neighborhood(event.ip) == neighborhood(session.ip);
    let is_known = seen.iter().any(same_device) && seen.iter().any(same_place);
    Ok(!seen.is_empty() && !is_known)
}

/// The part of an address that stays while a router is given new ones: 24 bits of IPv4, 48 of IPv6.
fn neighborhood(ip: Option<IpAddr>) -> Vec<u8> {
    match ip.map(|ip| ip.to_canonical()) {
        None => Vec::new(),
        Some(IpAddr::V4(v4)) => v4.octets()[..3].to_vec(),
        Some(IpAddr::V6(v6)) => v6.octets()[..6].to_vec(),
    }
}

/// Ends the session.
pub async fn out(person: &PersonCx) -> ActionResult<()> {
    let mut tx = person.tx().await?;
    identity::sessions::delete(&mut tx, person.user.id, person.session.id).await?;
    let event = AuthEvent::new(AuthAction::SessionEnded, &person.who())
        .session(person.session.id, person.session.device());
    event.commit(tx, &person.ports, person.now()).await?;
    Ok(())
}

/// Records that somebody was not let in; the same work whether the person exists or not.
pub(super) async fn refuse(cx: &Cx, action: AuthAction, user: Option<UserId>, why: &str) -> ActionResult<()> {
    let mut tx = cx.system_tx().await?;
    let user = identity::users::find(&mut tx, user.unwrap_or_else(UserId::fresh)).await?;
    let event = AuthEvent::new(action, &cx.nobody("nobody")).about(user.as_ref()).note(why);
    Ok(event.commit(tx, &cx.ports, cx.now()).await?)
}

pub(super) fn parse_email(text: &str) -> ActionResult<Email> {
    text.parse::<Email>().map_err(|error| ActionError::field("email", error.to_string()))
}

pub(super) fn hasher(error: HasherError) -> ActionError {
    match error {
        HasherError::Busy => ActionError::Busy,
        HasherError::Unreadable => ActionError::defect(error),
    }
}

pub(super) fn post(error: PostError) -> ActionError {
    match error {
        PostError::Db(error) => error.into(),
        PostError::Vault(error) => error.into(),
    }
}

pub(super) fn disabled() -> ActionError {
    ActionError::refused(
        "account_disabled",
        "This account was disabled by the operator of this installation. Ask them to enable it.",
    )
}

fn wrong_password() -> ActionError {
    let message = "E-mail address and password do not belong together. Check both, or choose a new password.";
    ActionError::field("password", message)
}

fn wrong_code() -> ActionError {
    let message = "This code is not good, or was used before. Wait for the next code in your app, or use a recovery code.";
    ActionError::field("code", message)
}

fn sign_in_again() -> ActionError {
    ActionError::refused("sign_in_again", "This sign-in took longer than ten minutes. Sign in again.")
}

/// The path where a signed-in person goes on: the organization seen last, another of theirs, or their own pages.
pub async fn home(person: &PersonCx) -> ActionResult<String> {
    let orgs = super::frame::of_person(person).await?;
    let last = orgs.iter().find(|found| Some(found.org.id) == person.user.last_org);
    let found = last.or_else(|| orgs.first());
    Ok(found.map_or_else(|| "/me/orgs".to_owned(), |found| format!("/o/{}", found.org.slug)))
}
