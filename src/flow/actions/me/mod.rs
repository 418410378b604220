//! What a person does for themselves: their profile, how they prove who they are, where they are signed in.
//!
//! Invariant: every function takes the person's own context and names no other person; somebody else's session,
//! passkey or link is not found.
//! Invariant: whatever changes how an account is entered asks for a fresh proof and is told by letter.

pub mod access;
pub mod accounts;
pub mod activity;
pub mod email;
pub mod factors;
pub mod grants;
pub mod key;
pub mod leave;
pub mod passkeys;
pub mod password;
pub mod profile;
pub mod requests;
pub mod secrets;
pub mod sessions;
pub mod stop;
pub mod totp;

use crate::{
    domain::{
        audit::{self, Unrecorded},
        identity::{
            attempts::{Budget, Key},
            devices, store as identity,
        },
    },
    flow::{
        cx::PersonCx,
        fault::{ActionError, ActionResult},
        letters::{Letter, Line, PostError},
    },
    io::db::Tx,
};

impl From<PostError> for ActionError {
    fn from(error: PostError) -> Self {
        match error {
            PostError::Db(error) => error.into(),
            PostError::Vault(error) => error.into(),
        }
    }
}

/// Queues a letter to the person, with the change that it tells of.
async fn tell(cx: &PersonCx, tx: &mut impl Tx, letter: &Letter) -> ActionResult<()> {
    cx.ports.post.queue(tx, &cx.user.email, letter).await?;
    Ok(())
}

/// The device at hand, in words.
fn device(cx: &PersonCx) -> Line {
    Line::of(devices::describe(cx.origin.user_agent.as_deref()))
}

/// Where the request came from, as text.
fn place(cx: &PersonCx) -> Line {
    Line::of(cx.origin.ip.map_or_else(|| "an unknown address".to_owned(), |ip| ip.to_string()))
}

/// Takes one try out of a budget, whatever becomes of the try.
async fn spend(cx: &PersonCx, key: &Key, budget: Budget) -> ActionResult<()> {
    let mut tx = cx.system_tx().await?;
    let spent = identity::attempts::spend(&mut tx, key, budget, cx.now()).await?;
    audit::commit_unrecorded(tx, Unrecorded::AttemptCount).await?;
    spent.map_err(|soon| ActionError::TooMany { retry_after: soon.retry_after })
}
