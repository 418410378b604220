//! Reading a server's catalogue while somebody waits.

use std::time::Duration;

use crate::{
    base::permission::Permission,
    flow::{
        actions::servers::named,
        catalogue::{self, Onlooker, Refresh},
        cx::OrgCx,
        fault::ActionResult,
    },
    io::db::Tx,
};

/// How long somebody waits.
const WITHIN: Duration = Duration::from_secs(30);

/// Reads the catalogue of a server now. A server that cannot be read is no error: the steps say where it ended.
///
/// # Errors
/// `NotFound`; `Changed` where the server was changed meanwhile.
pub async fn refresh(cx: &OrgCx, name: &str, onlooker: Onlooker) -> ActionResult<Refresh> {
    cx.require(Permission::ServersWrite)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    tx.done().await?;
    catalogue::refresh(&cx.ports, cx.scope, server.id, &cx.who(), WITHIN, onlooker).await
}
