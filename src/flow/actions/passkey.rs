//! Signing in by passkey alone.

use crate::{
    base::crypto::token::Token,
    domain::{
        audit::{self, Unrecorded},
        identity::{
            attempts::Key,
            ceremonies::Purpose,
            passkeys::PasskeyError,
            relying::{Options, Relying, SignIn},
            sessions::Method,
            store as identity,
        },
    },
    flow::{
        actions::{limits, sign_in},
        cx::{Cx, PersonCx},
        fault::{ActionError, ActionResult},
        jobs::AuthAction,
    },
    io::db::Tx,
};

/// Asks whoever is there for a passkey; the options are alike for everybody.
pub async fn options(cx: &Cx) -> ActionResult<(Options, Token)> {
    limits::spend(cx, Key::passkey_question(cx.origin.ip), cx.ports.limits.passkey_questions).await?;
    let (options, state) = relying(cx)?.start_sign_in().map_err(ActionError::defect)?;
    let mut tx = cx.system_tx().await?;
    let token = identity::ceremonies::begin(&mut tx, Purpose::PasskeySignIn, None, &state, cx.now()).await?;
    audit::commit_unrecorded(tx, Unrecorded::Ceremony).await?;
    Ok((options, token))
}

/// Signs in whoever holds the passkey.
///
/// # Errors
/// `Refused` where the passkey does not prove it, or the question is too old.
pub async fn sign_in(
    cx: &Cx,
    step: Option<&Token>,
    answer: &str,
    before: Option<&PersonCx>,
) -> ActionResult<Token> {
    let step = step.ok_or_else(not_accepted)?;
    limits::spend(cx, Key::sign_in(cx.origin.ip), cx.ports.limits.sign_in).await?;
    let now = cx.now();
    // Taken for good before anything is believed: a question is answered once.
    let mut tx = cx.system_tx().await?;
    let taken = identity::ceremonies::take::<SignIn>(&mut tx, Purpose::PasskeySignIn, step, now).await?;
    audit::commit_unrecorded(tx, Unrecorded::Ceremony).await?;
    let ceremony = taken.ok_or_else(not_accepted)?;

    let Ok(claim) = relying(cx)?.identify(answer) else { return refuse(cx, None).await };
    let mut tx = cx.system_tx().await?;
    let Some(found) = identity::passkeys::find_by_credential(&mut tx, &claim.credential_id).await? else {
        tx.done().await?;
        return refuse(cx, None).await;
    };
    let owner = found.user;
    let used = match relying(cx)?.finish_sign_in(&claim, ceremony.state, found) {
        Ok(used) => used,
        Err(PasskeyError::Unreadable | PasskeyError::NoPasskeys | PasskeyError::Refused(_)) => {
            tx.done().await?;
            return refuse(cx, Some(owner)).await;
        }
    };
    if !identity::passkeys::mark_used(&mut tx, &used, now).await? {
        return Err(not_accepted());
    }
    let user = identity::users::find(&mut tx, owner).await?.ok_or_else(not_accepted)?;
    if user.is_disabled() {
        tx.done().await?;
        sign_in::refuse(cx, AuthAction::SessionRefused, Some(owner), "account_disabled").await?;
        return Err(sign_in::disabled());
    }
    sign_in::start(cx, tx, &user, vec![Method::Passkey], before).await
}

async fn refuse(cx: &Cx, user: Option<crate::base::ids::UserId>) -> ActionResult<Token> {
    sign_in::refuse(cx, AuthAction::SessionRefused, user, "passkey_refused").await?;
    Err(not_accepted())
}

/// Who speaks with passkeys, where the installation's address allows any.
pub(super) fn relying(cx: &Cx) -> ActionResult<&Relying> {
    cx.ports.relying.as_ref().ok_or_else(|| {
        ActionError::refused(
            "passkeys_unavailable",
            "Passkeys need an https address, or the name localhost; this installation is reached by another.",
        )
    })
}

pub(super) fn not_accepted() -> ActionError {
    ActionError::refused(
        "passkey_refused",
        "The passkey was not accepted: it is not known here, or the question was older than ten minutes. Try again, \
         or sign in by password.",
    )
}
