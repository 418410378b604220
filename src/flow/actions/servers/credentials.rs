//! What requests to a server carry: replaced as a whole, never shown again.

use serde::Serialize;

use crate::{
    base::{faults::Faults, ids::CredentialId, permission::Permission},
    domain::{
        audit::{self, Entry},
        connections::{Obtaining, ProviderRef, store as providers},
        secrets::store::served,
        servers::{
            Credential, CredentialForm, CredentialSource, NamedProvider, NewCredential, SealedValue, Server,
            store,
        },
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
    /// The name of a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    named: Option<&'a str>,
    /// The short name of a provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    template: &'a str,
    /// Changes with the value: a new value is sealed under a new id.
    id: CredentialId,
}

/// The record keeps no field that is called after credentials or secrets.
#[derive(Serialize)]
struct CredentialsRecord<'a> {
    carries: Vec<CredentialRecord<'a>>,
}

impl<'a> From<&'a [Credential]> for CredentialsRecord<'a> {
    fn from(credentials: &'a [Credential]) -> Self {
        let one = |c: &'a Credential| CredentialRecord {
            target: c.target.as_str(),
            name: &c.name,
            source: c.source.as_str(),
            named: c.secret.as_deref(),
            provider: c.provider.as_ref().map(|provider| provider.slug.as_str()),
            template: &c.template,
            id: c.id,
        };
        Self { carries: credentials.iter().map(one).collect() }
    }
}

/// Puts these credentials in place of the server's. One without a value keeps the value stored under its name.
///
/// # Errors
/// The faults of each; `value` where none was ever stored under that name; `secret` and `provider` where the organization
/// has none of that name; `Changed` where someone else was faster
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
    let after = sealed(cx, &mut tx, &server.url, &new, &before).await?;
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
pub(in crate::flow::actions) fn credentials_entry(
    cx: &OrgCx,
    server: &Server,
    before: &[Credential],
    after: &[Credential],
) -> Entry {
    Entry::admin("server.credentials_changed", &cx.who())
        .target("server", server.id, &server.name)
        .changed(&CredentialsRecord::from(before), &CredentialsRecord::from(after))
}

/// A provider, by slug or id.
async fn provider(tx: &mut OrgTx, named: &str) -> ActionResult<Option<NamedProvider>> {
    let Ok(named) = named.parse::<ProviderRef>() else { return Ok(None) };
    let found = providers::find(tx, &named).await?;
    Ok(found.map(|found| NamedProvider {
        id: found.id,
        slug: found.slug.to_string(),
        resource: found.source.resource().map(str::to_owned),
        is_shared_only: found.obtaining() == Obtaining::Client,
        tells_scopes: found.obtaining() != Obtaining::Key,
        name: found.name,
    }))
}

/// Credentials with their values sealed, or those of the stored ones that they take the place of, for a server at an address.
pub(super) async fn sealed(
    cx: &OrgCx,
    tx: &mut OrgTx,
    url: &str,
    new: &[NewCredential],
    before: &[Credential],
) -> ActionResult<Vec<Credential>> {
    let mut after = placed(cx, tx, url, new, before).await?;
    for (stored, typed) in after.iter_mut().zip(new) {
        if let Some(value) = &typed.value {
            let sealed = cx.ports.vault.seal(tx, cell(stored), value.expose().as_bytes()).await?;
            stored.value = Some(SealedValue { key: sealed.key, bytes: sealed.bytes });
        }
    }
    Ok(after)
}

/// Credentials as they would stand, each checked against what there is; values that were typed are not sealed yet.
pub(super) async fn placed(
    cx: &OrgCx,
    tx: &mut OrgTx,
    url: &str,
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
            source: credential.source,
            provider: None,
            secret: credential.secret.as_ref().map(ToString::to_string),
            template: credential.template.clone(),
            value: None,
        };
        if let Some(named) = &credential.provider {
            match provider(tx, named).await? {
                Some(found) if !found.is_for(url) => faults.add(
                    "provider",
                    format!(
                        "the tokens of {} are for {} alone, and this server is elsewhere; name another provider",
                        found.name,
                        found.resource.unwrap_or_default()
                    ),
                ),
                Some(found) => stored.provider = Some(found),
                None => faults.add(
                    "provider",
                    format!(
                        "there is no provider {named}; register it first, at /o/{}/providers",
                        cx.org.slug
                    ),
                ),
            }
            let is_same = |known: &&Credential| known.provider == stored.provider;
            stored.id = known.filter(is_same).map_or(stored.id, |known| known.id);
            after.push(stored);
            continue;
        }
        if let Some(name) = &stored.secret {
            if credential.source == CredentialSource::OrgSecret && !served::is_kept_by_org(tx, name).await? {
                let place = format!("/o/{}/secrets", cx.org.slug);
                faults.add(
                    "secret",
                    format!("the organization keeps no secret {name}; add it first, at {place}"),
                );
            }
            let is_same =
                |known: &&Credential| (known.source, &known.secret) == (stored.source, &stored.secret);
            stored.id = known.filter(is_same).map_or(stored.id, |known| known.id);
            after.push(stored);
            continue;
        }
        match (&credential.value, known.filter(|known| known.value.is_some())) {
            // A value that was typed is sealed under the fresh id.
            (Some(_), _) => {}
            (None, Some(known)) => (stored.id, stored.value) = (known.id, known.value.clone()),
            (None, None) => faults.add("value", format!("enter the value of {}", credential.name)),
        }
        after.push(stored);
    }
    Ok(faults.into_result(after)?)
}
