//! Protective limits, counted before the outcome of an attempt is known.
//!
//! Each count is a short transaction of its own: a refused attempt must not take its count along.

use crate::{
    base::email::Email,
    domain::{
        audit::{self, Unrecorded},
        identity::{
            attempts::{Budget, Key, TooSoon},
            store::attempts,
        },
    },
    flow::{
        cx::Cx,
        fault::{ActionError, ActionResult},
    },
};

/// Takes one try out of a budget.
pub(super) async fn spend(cx: &Cx, key: Key, budget: Budget) -> ActionResult<()> {
    let mut tx = cx.system_tx().await?;
    let answer = attempts::spend(&mut tx, &key, budget, cx.now()).await?;
    audit::commit_unrecorded(tx, Unrecorded::AttemptCount).await?;
    answer.map_err(too_many)
}

/// Takes one try to sign in: of the address it comes from, and of the account from that address.
pub(super) async fn sign_in(cx: &Cx, email: &Email) -> ActionResult<()> {
    let (ip, now, limits) = (cx.origin.ip, cx.now(), cx.ports.limits);
    let mut tx = cx.system_tx().await?;
    let here = attempts::spend(&mut tx, &Key::sign_in(ip), limits.sign_in, now).await?;
    let key = Key::sign_in_to_account(email, ip);
    let account = attempts::try_once(&mut tx, &key, limits.sign_in_to_account, now).await?;
    audit::commit_unrecorded(tx, Unrecorded::AttemptCount).await?;
    here.and(account).map_err(too_many)
}

fn too_many(soon: TooSoon) -> ActionError {
    ActionError::TooMany { retry_after: soon.retry_after }
}
