//! Making an account where sign-up is open, and proving its address.
//!
//! Invariant: the page says the same whether the address is known here or not; the letter says the truth.
//! Invariant: an account counts for nothing until its address is proven, and whoever proves it shows the password
//! too: nobody can have somebody else's address proven for an account of their own.

use crate::{
    base::{
        crypto::token::{Token, TokenKind},
        email::Email,
        faults::Faults,
        secret::Secret,
    },
    domain::{
        identity::{
            attempts::Key,
            mail_tokens::{MailToken, Purpose},
            password::PasswordHash,
            sessions::Method,
            store as identity,
            strength::{Known, NewPassword},
            users::{EmailStanding, NewUser, PersonName, Profile, Rank, User},
        },
        instance::{self, SignUp},
    },
    flow::{
        actions::{limits, sign_in},
        cx::{Cx, PersonCx},
        fault::{ActionError, ActionResult},
        jobs::{AccountLetter, AskedFor, AuthAction, AuthEvent, verification},
        letters::{Letter, SignUpExisting},
    },
    io::db::{SystemTx, Tx},
};

/// What somebody types to make an account.
#[derive(Clone, Debug)]
pub struct SignUpInput {
    /// Their address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their password.
    pub password: Secret<String>,
}

/// Who may sign up here.
pub async fn mode(cx: &Cx) -> ActionResult<SignUp> {
    let mut tx = cx.system_tx().await?;
    let instance = instance::find(&mut tx).await?;
    tx.done().await?;
    Ok(instance.sign_up)
}

/// Makes an account whose address is still to be proven, or writes to whoever has the address already.
pub async fn ask(cx: &Cx, input: &SignUpInput) -> ActionResult<()> {
    if mode(cx).await? != SignUp::Open {
        return Err(closed());
    }
    limits::spend(cx, Key::sign_up(cx.origin.ip), cx.ports.limits.sign_up).await?;
    let (new, password) = parse(input)?;
    let hash = cx.ports.hasher.hash(password).await.map_err(sign_in::hasher)?;
    let key = Key::letters_to(&new.email, Purpose::VerifyEmail.as_str());
    match limits::spend(cx, key, cx.ports.limits.letters_to).await {
        // The letter sent within the last hour still holds; the page says where it is.
        Err(ActionError::TooMany { .. }) => return Ok(()),
        other => other?,
    }
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let (user, written) = write(&mut tx, cx, &new, &hash).await?;
    if written {
        verification(&mut tx, &cx.ports, &user, now).await.map_err(sign_in::post)?;
    } else {
        // As much work as for a new account, so that time does not tell them apart.
        identity::mail_tokens::issue(&mut tx, user.id, Purpose::VerifyEmail, &user.email, now).await?;
        let letter = Letter::SignUpExisting(SignUpExisting {
            name: user.name.as_str().into(),
            sign_in_page: cx.ports.site.url("/login"),
            reset_page: cx.ports.site.url("/forgot"),
        });
        cx.ports.post.queue(&mut tx, &user.email, &letter).await.map_err(sign_in::post)?;
    }
    let event = AuthEvent::new(AuthAction::SignUpAsked, &cx.nobody("nobody")).about(Some(&user));
    Ok(event.commit(tx, &cx.ports, now).await?)
}

/// Inserts the account, or renews one that nobody has proven; in each case three statements.
async fn write(tx: &mut SystemTx, cx: &Cx, new: &NewUser, hash: &PasswordHash) -> ActionResult<(User, bool)> {
    let Some(known) = identity::users::find_by_email(tx, &new.email).await? else {
        let id = identity::users::insert(tx, new, Some(hash), cx.now()).await?.ok_or(ActionError::Changed)?;
        let user = identity::users::find(tx, id).await?.ok_or(ActionError::NotFound)?;
        return Ok((user, true));
    };
    if known.is_verified() || known.is_disabled() {
        identity::users::find(tx, known.id).await?;
        let user = identity::users::find(tx, known.id).await?.ok_or(ActionError::NotFound)?;
        return Ok((user, false));
    }
    Ok((claim(tx, cx, known, &new.name, hash).await?, true))
}

/// Gives an account that nobody has proven to whoever comes now: another name, another password, nobody signed in.
pub(super) async fn claim(
    tx: &mut SystemTx,
    cx: &Cx,
    known: User,
    name: &PersonName,
    hash: &PasswordHash,
) -> ActionResult<User> {
    let profile = Profile {
        name: name.clone(),
        theme: known.theme,
        time_zone: known.time_zone,
        shortcuts: known.shortcuts,
    };
    let renamed = identity::users::update_profile(tx, known.id, &profile, known.version, cx.now()).await?;
    identity::users::set_password(tx, known.id, hash, cx.now()).await?;
    renamed.ok_or(ActionError::Changed)
}

/// Sends the letter once more, where there is an account to be proven; says nothing either way.
pub async fn resend(cx: &Cx, email: &str) -> ActionResult<()> {
    let email = sign_in::parse_email(email)?;
    limits::spend(cx, Key::sign_up(cx.origin.ip), cx.ports.limits.sign_up).await?;
    let tx = cx.system_tx().await?;
    Ok(AccountLetter::new(AskedFor::Verification, &email, &cx.origin).commit(tx, &cx.ports, cx.now()).await?)
}

/// The link, while it works.
pub async fn find(cx: &Cx, token: &str) -> ActionResult<Option<MailToken>> {
    let Some(token) = Token::parse(TokenKind::Mail, token) else { return Ok(None) };
    let mut tx = cx.system_tx().await?;
    let found = identity::mail_tokens::find(&mut tx, Purpose::VerifyEmail, &token, cx.now()).await?;
    tx.done().await?;
    Ok(found)
}

/// Proves the address by the link and the password, and signs in.
pub async fn verify(
    cx: &Cx,
    token: &str,
    password: Secret<String>,
    before: Option<&PersonCx>,
) -> ActionResult<Token> {
    let found = find(cx, token).await?.ok_or_else(dead_link)?;
    let token = Token::parse(TokenKind::Mail, token).ok_or_else(dead_link)?;
    let (user, _) = sign_in::check_password(cx, &found.email, password).await?;
    if user.id != found.user {
        return Err(dead_link());
    }
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let redeemed = identity::mail_tokens::redeem(&mut tx, Purpose::VerifyEmail, &token, now).await?;
    if redeemed.is_none() || !identity::users::mark_verified(&mut tx, user.id, &found.email, now).await? {
        return Err(dead_link());
    }
    let event = AuthEvent::new(AuthAction::AccountVerified, &cx.nobody("nobody")).about(Some(&user));
    event.commit(tx, &cx.ports, now).await?;
    let tx = cx.system_tx().await?;
    sign_in::start(cx, tx, &user, vec![Method::Password], before).await
}

fn parse(input: &SignUpInput) -> ActionResult<(NewUser, NewPassword)> {
    let mut faults = Faults::default();
    let email = faults.check("email", input.email.parse::<Email>());
    let name = faults.check("name", input.name.parse::<PersonName>());
    let known = email.as_ref().map(|email| Known::about(email, &input.name, &[])).unwrap_or_default();
    let password = faults.check("password", NewPassword::parse(input.password.clone(), &known));
    match (email, name, password) {
        (Some(email), Some(name), Some(password)) => {
            Ok((new_user(email, name, EmailStanding::Claimed), password))
        }
        _ => Err(faults.into()),
    }
}

pub(super) const fn new_user(email: Email, name: PersonName, standing: EmailStanding) -> NewUser {
    NewUser { email, name, standing, rank: Rank::Ordinary }
}

fn closed() -> ActionError {
    ActionError::refused(
        "sign_up_closed",
        "Accounts are made by invitation here. Ask an owner or admin of the organization you belong to for one.",
    )
}

fn dead_link() -> ActionError {
    ActionError::refused(
        "link_used",
        "This link has been used, replaced by a newer one, or is older than 24 hours. Sign in to have a new one sent.",
    )
}
