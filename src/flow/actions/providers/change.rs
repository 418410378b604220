//! Changing, switching and deleting a provider, and giving its client another secret or another key.

use crate::{
    base::{permission::Permission, secret::Secret},
    domain::{
        audit::{self, Entry},
        connections::{
            NewProvider, Obtaining, Provider, ProviderForm, TELL_FOR, parse_secret, store,
            store::{accounts, endings, reach},
        },
    },
    flow::{
        actions::providers::{ProviderRecord, keys::rotate_key, named, record, sealed, taken},
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
};

/// Changes to a provider; what is left out stays. Its addresses cannot be changed: what was given for one place must not be
/// sent to another.
#[derive(Clone, Debug, Default)]
pub struct ProviderChange {
    /// The short name.
    pub slug: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The client's id.
    pub client_id: Option<String>,
    /// What is asked for.
    pub scopes: Option<Vec<String>>,
    /// What is asked for in the person's own name.
    pub user_scopes: Option<Vec<String>>,
}

impl ProviderChange {
    fn onto(self, provider: &Provider) -> ProviderForm {
        ProviderForm {
            slug: self.slug.unwrap_or_else(|| provider.slug.to_string()),
            name: self.name.unwrap_or_else(|| provider.name.clone()),
            client_id: self.client_id.unwrap_or_else(|| provider.client_id.clone()),
            scopes: Some(self.scopes.unwrap_or_else(|| provider.scopes.clone())),
            user_scopes: self.user_scopes.unwrap_or_else(|| provider.user_scopes.clone()),
            ..ProviderForm::default()
        }
    }
}

/// Changes a provider.
///
/// # Errors
/// The faults of each field; `Changed` where someone else was faster than the version seen.
pub async fn update(
    cx: &OrgCx,
    name: &str,
    change: ProviderChange,
    seen: Option<i64>,
) -> ActionResult<Provider> {
    cx.require(Permission::ProvidersWrite)?;
    let mut tx = cx.tx().await?;
    let before = named(&mut tx, name).await?;
    let new = NewProvider::parse_change(&change.onto(&before), &before)?;
    let outcome = store::update(&mut tx, before.id, &new, seen, cx.now()).await.map_err(taken)?;
    if before.obtaining() == Obtaining::Client && new.client_id != before.client_id {
        // Agents would act as another one that nobody connected.
        endings::keep_former(&mut tx, &before, cx.now(), cx.now() + TELL_FOR).await?;
        accounts::forget_tokens_at(&mut tx, before.id, cx.now()).await?;
    }
    record(cx, tx, "provider.changed", settled(outcome)?).await
}

/// Puts another secret in place of the client's, or has a client that signs do so with another key, which is made here.
/// Connections stay; they use it from their next refresh on.
///
/// # Errors
/// A fault of `client_secret`; `Changed` where someone else was faster than the version seen.
pub async fn rotate(
    cx: &OrgCx,
    name: &str,
    secret: &Secret<String>,
    seen: Option<i64>,
) -> ActionResult<Provider> {
    cx.require(Permission::ProvidersWrite)?;
    let mut tx = cx.tx().await?;
    let before = named(&mut tx, name).await?;
    if before.obtaining() == Obtaining::Key {
        return Err(ActionError::field("client_secret", "there is no client; people renew their own keys"));
    }
    if before.signs() {
        if !secret.expose().trim().is_empty() {
            let fault = "this client signs with a key; leave this out, and another key is made";
            return Err(ActionError::field("client_secret", fault));
        }
        return rotate_key(cx, tx, &before, seen).await;
    }
    let secret = parse_secret(secret).map_err(|fault| ActionError::field("client_secret", fault))?;
    let secret = sealed(cx, &mut tx, before.id, &secret, cx.now()).await?;
    let outcome = store::set_secret(&mut tx, before.id, &secret, seen).await?;
    let after = settled(outcome)?.after;
    // Always an event, even where two secrets follow each other within one reading of the clock.
    let entry = Entry::admin("provider.secret_rotated", &cx.who())
        .target("provider", after.id, &after.name)
        .changed(&ProviderRecord::from(&before), &ProviderRecord::from(&after));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(after)
}

/// Lets nobody connect through the provider until it is enabled again.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn disable(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<Provider> {
    cx.require(Permission::ProvidersWrite)?;
    let mut tx = cx.tx().await?;
    let provider = named(&mut tx, name).await?;
    let now = cx.now();
    let outcome = store::set_disabled_at(&mut tx, provider.id, Some(now), seen, now).await?;
    record(cx, tx, "provider.disabled", settled(outcome)?).await
}

/// Lets people connect through the provider again.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn enable(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<Provider> {
    cx.require(Permission::ProvidersWrite)?;
    let mut tx = cx.tx().await?;
    let provider = named(&mut tx, name).await?;
    let outcome = store::set_disabled_at(&mut tx, provider.id, None, seen, cx.now()).await?;
    record(cx, tx, "provider.enabled", settled(outcome)?).await
}

/// Deletes a provider with its secret.
///
/// # Errors
/// `NeedsProof`; a refusal while an account is connected through it, or a server asks for one; `Changed` where someone else was faster than the
/// version seen.
pub async fn delete(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<Provider> {
    cx.require(Permission::ProvidersWrite)?;
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let provider = named(&mut tx, name).await?;
    let connected = reach::count_at(&mut tx, provider.id).await?;
    if connected > 0 {
        let them =
            if connected == 1 { "1 account is".to_owned() } else { format!("{connected} accounts are") };
        let sentence = format!(
            "{them} connected through it. Disconnect first, or disable it so that nobody connects anew."
        );
        return Err(ActionError::refused("provider_in_use", sentence));
    }
    accounts::forget_ended(&mut tx, provider.id).await?;
    let deleted = store::delete(&mut tx, provider.id, seen).await;
    if deleted.as_ref().is_err_and(|error| error.broke("server_credentials_provider_is_here")) {
        let sentence =
            "A server asks for accounts at it. Let the server's requests carry something else first.";
        return Err(ActionError::refused("provider_in_use", sentence));
    }
    settled(deleted?)?;
    let entry = Entry::admin("provider.deleted", &cx.who())
        .target("provider", provider.id, &provider.name)
        .before(&ProviderRecord::from(&provider));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(provider)
}
