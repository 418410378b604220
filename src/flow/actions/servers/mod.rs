//! Servers: adding, changing, switching, deleting; their credentials; looking at them; reviewing their tools.

mod change;
mod credentials;
mod draft;
mod look;
mod needs;
mod preview;
mod probe;
mod refresh;
mod review;

use serde::Serialize;

use crate::{
    base::update::Change,
    domain::{
        audit::{self, Entry, Unrecorded},
        servers::{Server, ServerRef, store},
        tenancy::store::orgs,
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::OrgTx,
};

pub use change::{ServerChange, ServerInput, delete, disable, enable, register, register_tried, update};
pub(super) use credentials::credentials_entry;
pub use credentials::{CredentialInput, replace_credentials};
pub use draft::TriedCredential;
pub use look::{
    Alike, ServerSheet, ToolSheet, credentials_of, find, health, items, known, list, overview, sheet, tool,
    tools,
};
pub use needs::{Need, Wanted, nameable_secrets, needs};
pub use preview::{
    CredentialEdit, CredentialFate, CredentialsPreview, ForeseenNeed, preview_credential,
    preview_credentials, remove_credential, save_credential,
};
pub use probe::{Probe, ProbeInput, probe, probe_tried};
pub use refresh::refresh;
pub use review::{ToolInput, accept, change_tool, refuse, review_tag};

/// What the record keeps of a server.
#[derive(Serialize)]
struct ServerRecord<'a> {
    slug: &'a str,
    name: &'a str,
    description: &'a str,
    transport: &'static str,
    url: &'a str,
    enabled: bool,
}

impl<'a> From<&'a Server> for ServerRecord<'a> {
    fn from(server: &'a Server) -> Self {
        Self {
            slug: server.slug.as_str(),
            name: &server.name,
            description: &server.description,
            transport: server.transport.as_str(),
            url: &server.url,
            enabled: server.is_enabled,
        }
    }
}

/// The server that a path or a body names.
pub(super) async fn named(tx: &mut OrgTx, name: &str) -> ActionResult<Server> {
    let name = ServerRef::parse(name).ok_or(ActionError::NotFound)?;
    store::servers::find(tx, &name).await?.ok_or(ActionError::NotFound)
}

/// Keeps a change of a server with its record; decisions rest on every part of it but the words.
async fn record(
    cx: &OrgCx,
    mut tx: OrgTx,
    action: &'static str,
    Change { before, after }: Change<Server>,
) -> ActionResult<Server> {
    let entry = Entry::admin(action, &cx.who())
        .target("server", after.id, &after.name)
        .changed(&ServerRecord::from(&before), &ServerRecord::from(&after));
    if entry.has_change() {
        orgs::bump_epoch(&mut tx).await?;
        audit::commit(tx, cx.now(), vec![entry]).await?;
    } else {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
    }
    Ok(after)
}
