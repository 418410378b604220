//! Where the person is signed in.

use serde_json::json;

use crate::{
    base::ids::SessionId,
    domain::{
        audit::{self, Entry, Unrecorded},
        identity::{sessions::Session, store as identity},
    },
    flow::{
        cx::PersonCx,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

/// The person's live sessions, the latest used first.
pub async fn list(cx: &PersonCx) -> ActionResult<Vec<Session>> {
    let mut tx = cx.tx().await?;
    let sessions = identity::sessions::list(&mut tx, cx.id(), cx.now()).await?;
    tx.done().await?;
    Ok(sessions)
}

/// Ends one session; says which it was.
pub async fn end(cx: &PersonCx, id: &str) -> ActionResult<Session> {
    let id: SessionId = id.parse().map_err(|_| ActionError::NotFound)?;
    let mut tx = cx.tx().await?;
    let all = identity::sessions::list(&mut tx, cx.id(), cx.now()).await?;
    let session = all.into_iter().find(|session| session.id == id).ok_or(ActionError::NotFound)?;
    if !identity::sessions::delete(&mut tx, cx.id(), id).await? {
        return Err(ActionError::NotFound);
    }
    let entry = Entry::auth("session.ended", &cx.who())
        .target("session", session.id, session.device())
        .before(&json!({ "device": session.device(), "ip": session.ip }));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(session)
}

/// Ends every session but this one; says how many.
pub async fn end_others(cx: &PersonCx) -> ActionResult<u64> {
    let mut tx = cx.tx().await?;
    let ended = identity::sessions::delete_others(&mut tx, cx.id(), cx.session.id).await?;
    if ended == 0 {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
        return Ok(0);
    }
    let entry = Entry::auth("sessions.ended", &cx.who())
        .target("user", cx.id(), cx.user.name.as_str())
        .before(&json!({ "other_sessions": ended }))
        .after(&json!({ "other_sessions": 0 }));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(ended)
}
