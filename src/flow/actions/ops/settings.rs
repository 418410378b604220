//! Who may sign up, and who runs the installation.

use serde::Serialize;

use crate::{
    base::{email::Email, ids::UserId, update::Change},
    domain::{
        audit::{self, Entry},
        identity::{
            store as identity,
            users::{Rank, User},
        },
        instance::{self, Instance, NotASignUp, SignUp},
    },
    flow::{
        cx::OperatorCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::Tx,
};

/// The installation's row, and its operators by name.
pub async fn look(cx: &OperatorCx) -> ActionResult<(Instance, Vec<User>)> {
    let mut tx = cx.system_tx().await?;
    let instance = instance::find(&mut tx).await?;
    let operators = identity::users::list_operators(&mut tx).await?;
    tx.done().await?;
    Ok((instance, operators))
}

#[derive(Serialize)]
struct Mode {
    sign_up: &'static str,
}

/// Sets who may make an account.
///
/// # Errors
/// `Changed` where another operator was faster than the version seen.
pub async fn set_sign_up(cx: &OperatorCx, mode: &str, seen: Option<i64>) -> ActionResult<SignUp> {
    cx.require_proof()?;
    let mode: SignUp =
        mode.parse().map_err(|wrong: NotASignUp| ActionError::field("sign_up", wrong.to_string()))?;
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    match settled(instance::update_sign_up(&mut tx, mode, seen, now).await?)? {
        Change { before, after } if before.sign_up != after.sign_up => {
            let entry = Entry::admin("instance.sign_up_changed", &cx.who()).changed(
                &Mode { sign_up: before.sign_up.as_str() },
                &Mode { sign_up: after.sign_up.as_str() },
            );
            audit::commit(tx, now, vec![entry]).await?;
        }
        Change { .. } => tx.done().await?,
    }
    Ok(mode)
}

/// Makes a person an operator as well.
///
/// # Errors
/// A field fault where nobody with that confirmed address is here, or they are an operator already.
pub async fn name_operator(cx: &OperatorCx, email: &str) -> ActionResult<User> {
    cx.require_proof()?;
    let email: Email = email.parse().map_err(|_| ActionError::field("email", "enter an e-mail address"))?;
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let user = identity::users::find_by_email(&mut tx, &email)
        .await?
        .filter(|user| user.is_verified() && !user.is_disabled())
        .ok_or_else(|| {
            let message = "nobody here has confirmed this address; they sign up first, then name them again";
            ActionError::field("email", message)
        })?;
    if !identity::users::set_rank(&mut tx, user.id, Rank::Operator, now).await? {
        tx.done().await?;
        return Err(ActionError::field("email", format!("{} is an operator already", user.name.as_str())));
    }
    let entry =
        Entry::admin("operator.named", &cx.who()).target("user", user.id, user.name.as_str()).about(user.id);
    audit::commit(tx, now, vec![entry]).await?;
    Ok(user)
}

/// Takes the operator's rank from a person, the one who asks included.
///
/// # Errors
/// A refusal where nobody else would be left.
pub async fn remove_operator(cx: &OperatorCx, person: UserId) -> ActionResult<User> {
    cx.require_proof()?;
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let operators = identity::users::lock_operators(&mut tx).await?;
    let Some(user) = operators.iter().find(|user| user.id == person) else {
        tx.done().await?;
        return Err(ActionError::NotFound);
    };
    if operators.iter().filter(|other| other.id != person && !other.is_disabled()).count() == 0 {
        tx.done().await?;
        return Err(ActionError::refused(
            "last_operator",
            "This is the last operator. Name another one first; somebody has to keep the installation.",
        ));
    }
    identity::users::set_rank(&mut tx, person, Rank::Ordinary, now).await?;
    let entry = Entry::admin("operator.removed", &cx.who())
        .target("user", user.id, user.name.as_str())
        .about(user.id);
    audit::commit(tx, now, vec![entry]).await?;
    Ok(user.clone())
}
