//! Switching an account off and on again: nothing of it is lost, and no call is made with it meanwhile.

use crate::{
    base::permission::Permission,
    domain::{
        audit::{self, Entry},
        connections::{Connection, ConnectionState, SwitchedOffBy, store::accounts},
    },
    flow::{
        actions::connections::{about, ended, seen},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

/// Switches an account off: no call is made with it from the next on. Its tokens stay, and are not renewed.
///
/// # Errors
/// `NotFound` for who is neither its owner nor may end those of others; a refusal where there is nothing to switch off.
pub async fn switch_off(cx: &OrgCx, id: &str) -> ActionResult<Connection> {
    cx.require(Permission::ConnectionsOwn)?;
    let mut tx = cx.tx().await?;
    let sheet = seen(cx, &mut tx, id).await?;
    let by = if sheet.may_change {
        SwitchedOffBy::Owner
    } else {
        cx.require(Permission::ConnectionsWrite)?;
        SwitchedOffBy::Admin
    };
    let before = sheet.connection;
    match before.state {
        ConnectionState::Revoked => return Err(ended()),
        ConnectionState::NeedsReauth => return Err(unused()),
        ConnectionState::Disabled => {
            tx.done().await?;
            return Ok(before);
        }
        ConnectionState::Active | ConnectionState::Refreshing | ConnectionState::ErrorBackoff => {}
    }
    if !accounts::switch_off(&mut tx, before.id, by, cx.now()).await? {
        return Err(ActionError::Changed);
    }
    let connection = accounts::find(&mut tx, before.id).await?.ok_or(ActionError::Changed)?;
    let entry = about(Entry::admin("connection.switched_off", &cx.who()), &connection).note(by.as_str());
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(connection)
}

/// Switches it on again.
///
/// # Errors
/// As [`switch_off`]; a refusal for an owner whose account an admin switched off.
pub async fn switch_on(cx: &OrgCx, id: &str) -> ActionResult<Connection> {
    cx.require(Permission::ConnectionsOwn)?;
    let mut tx = cx.tx().await?;
    let sheet = seen(cx, &mut tx, id).await?;
    let before = sheet.connection;
    if !cx.may(Permission::ConnectionsWrite) {
        if !sheet.may_change {
            return Err(ActionError::Forbidden(Permission::ConnectionsWrite));
        }
        if before.switched_off_by() == Some(SwitchedOffBy::Admin) {
            return Err(by_admin());
        }
    }
    match before.state {
        ConnectionState::Revoked => return Err(ended()),
        ConnectionState::Disabled => {}
        _ => {
            tx.done().await?;
            return Ok(before);
        }
    }
    if !accounts::switch_on(&mut tx, before.id, cx.now()).await? {
        return Err(ActionError::Changed);
    }
    let connection = accounts::find(&mut tx, before.id).await?.ok_or(ActionError::Changed)?;
    let entry = about(Entry::admin("connection.switched_on", &cx.who()), &connection);
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(connection)
}

fn unused() -> ActionError {
    ActionError::refused(
        "connection_unused",
        "This account has to be connected again before agents can use it, so there is nothing to switch off. Disconnect it to \
         keep it from being used.",
    )
}

fn by_admin() -> ActionError {
    ActionError::refused(
        "connection_switched_off",
        "An admin switched this account off, so an admin switches it on. Ask one of them.",
    )
}
