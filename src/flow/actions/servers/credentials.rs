//! What requests to a server carry: replaced as a whole, never shown again.

use serde::Serialize;

use crate::{
    base::{faults::Faults, ids::CredentialId, permission::Permission},
    domain::{
        audit::{self, Entry},
        servers::{Credential, CredentialForm, CredentialSource, NewCredential, SealedValue, Server, store},
        tenancy::store::orgs,
    },
    flow::{
        actions::servers::named,
        catalogue::{self, cell},
        cx::OrgCx,
        fault::{ActionResult, settled},
    },
    io::db::OrgTx,
};

/// A credential as somebody typed it.
pub type CredentialInput = CredentialForm;

/// What the record keeps of a credential: everything but the value.
#[derive(Serialize)]
struct CredentialRecord<'a> {
    target: &'static str,
    name: &'a str,
    source: &'static str,
    template: &'a str,
    /// Changes with the value: a new value is sealed under a new id.
    id: CredentialId,
}

#[derive(Serialize)]
struct CredentialsRecord<'a> {
    credentials: Vec<CredentialRecord<'a>>,
}

impl<'a> From<&'a [Credential]> for CredentialsRecord<'a> {
    fn from(credentials: &'a [Credential]) -> Self {
        let one = |c: &'a Credential| CredentialRecord {
            target: c.target.as_str(),
            name: &c.name,
            source: c.source.as_str(),
            template: &c.template,
            id: c.id,
        };
        Self { credentials: credentials.iter().map(one).collect() }
    }
}

/// Puts these credentials in place of the server's. One without a value keeps the value stored under its name.
///
/// # Errors
/// The faults of each; `value` where none was ever stored under that name; `Changed` where someone else was faster
/// than the version seen.
pub async fn replace_credentials(
    cx: &OrgCx,
    name: &str,
    inputs: &[CredentialInput],
    seen: Option<i64>,
) -> ActionResult<(Server, Vec<Credential>)> {
    cx.require(Permission::ServersWrite)?;
    let new = NewCredential::parse_all(inputs)?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    let server = settled(store::servers::touch(&mut tx, server.id, seen, now).await?)?.after;
    let before = store::credentials::list(&mut tx, server.id).await?;
    let after = sealed(cx, &mut tx, &new, &before).await?;
    store::credentials::replace(&mut tx, server.id, &after).await?;
    orgs::bump_epoch(&mut tx).await?;
    if server.is_enabled {
        catalogue::enqueue(&mut tx, server.id, now).await?;
    }
    let entry = credentials_entry(cx, &server, &before, &after);
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok((server, after))
}

/// The record of other credentials.
pub(super) fn credentials_entry(
    cx: &OrgCx,
    server: &Server,
    before: &[Credential],
    after: &[Credential],
) -> Entry {
    Entry::admin("server.credentials_changed", &cx.who())
        .target("server", server.id, &server.name)
        .changed(&CredentialsRecord::from(before), &CredentialsRecord::from(after))
}

/// Credentials with their values sealed, or those of the stored ones that they take the place of.
pub(super) async fn sealed(
    cx: &OrgCx,
    tx: &mut OrgTx,
    new: &[NewCredential],
    before: &[Credential],
) -> ActionResult<Vec<Credential>> {
    let mut faults = Faults::default();
    let mut after = Vec::with_capacity(new.len());
    for credential in new {
        let known = before.iter().find(|stored| credential.replaces(stored));
        let mut stored = Credential {
            id: CredentialId::fresh(),
            target: credential.target,
            name: credential.name.clone(),
            source: CredentialSource::Static,
            provider: None,
            secret: None,
            template: credential.template.clone(),
            value: None,
        };
        match (&credential.value, known) {
            (Some(value), _) => {
                let sealed = cx.ports.vault.seal(tx, cell(&stored), value.expose().as_bytes()).await?;
                stored.value = Some(SealedValue { key: sealed.key, bytes: sealed.bytes });
            }
            (None, Some(known)) => (stored.id, stored.value) = (known.id, known.value.clone()),
            (None, None) => faults.add("value", format!("enter the value of {}", credential.name)),
        }
        after.push(stored);
    }
    Ok(faults.into_result(after)?)
}
