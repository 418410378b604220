//! Passkeys: add, rename, remove.

use serde_json::json;

use crate::{
    base::{
        crypto::token::{Token, TokenKind},
        ids::PasskeyId,
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        identity::{
            ceremonies::Purpose,
            passkeys::{PasskeyError, PasskeyName, StoredPasskey},
            relying::{Options, Registration, Relying},
            sessions::Method,
            store as identity,
        },
    },
    flow::{
        actions::me::{self, factors, totp},
        cx::PersonCx,
        fault::{ActionError, ActionResult},
        letters::{Letter, PasskeyAdded, SecondFactorChange},
    },
    io::db::{PersonTx, Tx},
};

/// What a browser answered when it was asked for a new passkey.
#[derive(Debug)]
pub struct NewPasskey<'a> {
    /// What the person calls it.
    pub name: &'a str,
    /// The browser's answer.
    pub answer: &'a str,
    /// The ceremony's token from the cookie.
    pub ceremony: Option<&'a str>,
}

/// Asks for a new passkey: what the browser needs, and the ceremony's token for the cookie.
pub async fn start(cx: &PersonCx) -> ActionResult<(Options, Token)> {
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let existing = identity::passkeys::list(&mut tx, cx.id()).await?;
    tx.done().await?;
    let (options, state) = relying(cx)?
        .start_registration(cx.id(), &cx.user.email, &cx.user.name, &existing)
        .map_err(ActionError::defect)?;
    let mut tx = cx.system_tx().await?;
    let purpose = Purpose::PasskeyRegistration;
    let token = identity::ceremonies::begin(&mut tx, purpose, Some(cx.id()), &state, cx.now()).await?;
    audit::commit_unrecorded(tx, Unrecorded::Ceremony).await?;
    Ok((options, token))
}

/// Checks the browser's answer and keeps the passkey; gives the session's new token.
pub async fn finish(cx: &PersonCx, new: NewPasskey<'_>) -> ActionResult<Token> {
    cx.require_proof()?;
    let name: PasskeyName =
        new.name.parse().map_err(|error| ActionError::field("name", format!("{error}")))?;
    let relying = relying(cx)?;
    let ceremony = new.ceremony.and_then(|text| Token::parse(TokenKind::Ceremony, text)).ok_or_else(stale)?;
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let purpose = Purpose::PasskeyRegistration;
    let taken = identity::ceremonies::take::<Registration>(&mut tx, purpose, &ceremony, now).await?;
    let state = taken.filter(|step| step.user == Some(cx.id())).ok_or_else(stale)?.state;
    let credential = relying.finish_registration(new.answer, &state).map_err(refused)?;
    let added = identity::passkeys::insert(&mut tx, cx.id(), &name, &credential, now).await?;
    let id = added.ok_or_else(|| {
        ActionError::refused(
            "passkey_known",
            "This passkey is known here already. Use another device or key.",
        )
    })?;
    let token = identity::sessions::prove(&mut tx, cx.id(), cx.session.id, Method::Passkey, now).await?;
    let token = token.ok_or(ActionError::NotSignedIn)?;
    let letter = Letter::PasskeyAdded(PasskeyAdded {
        name: cx.user.name.as_str().into(),
        passkey: name.as_str().into(),
        at: now.into(),
        device: me::device(cx),
        place: me::place(cx),
        security_page: cx.ports.site.url("/me/security"),
    });
    me::tell(cx, &mut tx, &letter).await?;
    let entry = Entry::auth("passkey.added", &cx.who())
        .target("passkey", id, name.as_str())
        .after(&json!({ "name": name.as_str() }));
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(token)
}

/// One passkey of the person.
pub async fn find(cx: &PersonCx, id: &str) -> ActionResult<StoredPasskey> {
    let mut tx = cx.tx().await?;
    let found = own(cx, &mut tx, id).await?;
    tx.done().await?;
    Ok(found)
}

/// Renames a passkey.
pub async fn rename(cx: &PersonCx, id: &str, name: &str) -> ActionResult<()> {
    let name: PasskeyName = name.parse().map_err(|error| ActionError::field("name", format!("{error}")))?;
    let mut tx = cx.tx().await?;
    let before = own(cx, &mut tx, id).await?;
    if !identity::passkeys::rename(&mut tx, cx.id(), before.id, &name).await? {
        return Err(ActionError::NotFound);
    }
    let entry = Entry::auth("passkey.renamed", &cx.who())
        .target("passkey", before.id, name.as_str())
        .changed(&json!({ "name": before.name }), &json!({ "name": name.as_str() }));
    if entry.has_change() {
        audit::commit(tx, cx.now(), vec![entry]).await?;
    } else {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
    }
    Ok(())
}

/// Forgets a passkey; gives its name.
///
/// # Errors
/// A refusal where the person could no longer sign in, or an organization of theirs asks for a second factor and
/// none would remain.
pub async fn remove(cx: &PersonCx, id: &str) -> ActionResult<String> {
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let gone = own(cx, &mut tx, id).await?;
    let factors = factors::read(cx, &mut tx).await?;
    let others = factors.passkeys.len().saturating_sub(1);
    if others == 0 && !cx.user.has_password {
        return Err(ActionError::refused(
            "last_way_in",
            "This passkey is your only way to sign in. Set a password or add another passkey first.",
        ));
    }
    factors::keep_required(&factors, others + usize::from(factors.app_since.is_some()))?;
    if !identity::passkeys::delete(&mut tx, cx.id(), gone.id).await? {
        return Err(ActionError::NotFound);
    }
    me::tell(cx, &mut tx, &totp::letter(cx, SecondFactorChange::PasskeyRemoved)).await?;
    let entry = Entry::auth("passkey.removed", &cx.who())
        .target("passkey", gone.id, &gone.name)
        .before(&json!({ "name": gone.name }));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(gone.name)
}

async fn own(cx: &PersonCx, tx: &mut PersonTx, id: &str) -> ActionResult<StoredPasskey> {
    let id: PasskeyId = id.parse().map_err(|_| ActionError::NotFound)?;
    let all = identity::passkeys::list(tx, cx.id()).await?;
    all.into_iter().find(|passkey| passkey.id == id).ok_or(ActionError::NotFound)
}

fn relying(cx: &PersonCx) -> ActionResult<&Relying> {
    cx.ports.relying.as_ref().ok_or_else(|| {
        ActionError::refused(
            "passkeys_unavailable",
            "Passkeys need this installation to be reached by a host name over https. Ask whoever operates it.",
        )
    })
}

fn stale() -> ActionError {
    ActionError::refused(
        "ceremony_over",
        "Adding the passkey took longer than ten minutes or was done in another window. Start again under Security.",
    )
}

fn refused(error: PasskeyError) -> ActionError {
    ActionError::refused(
        "passkey_refused",
        format!("Nothing was added: {error}. Start again under Security."),
    )
}
