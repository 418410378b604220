//! The key that a provider's client signs with in place of showing a secret: made, replaced, and read by whoever checks
//! what it signed.

use serde_json::Value;
use time::Duration;

use crate::{
    base::{
        crypto::ecdsa::{EcPublic, EcSignKey},
        ids::ProviderId,
    },
    domain::{
        audit::{self, Entry},
        connections::{
            Provider, SealedSecret,
            store::{self, keys},
        },
    },
    flow::{
        actions::providers::{ProviderRecord, sealed},
        cx::{Cx, OrgCx, Site},
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{OrgTx, Tx},
    protocol::oauth::assertion::{ClientKey, key_id, key_set},
};

/// For how long a key is shown once it signs no more: whoever has read the keys before goes on with it meanwhile
/// (OpenID Connect Core 1.0, section 10.1.1), and a provider that was left is told for a day of what it gave.
const OVERLAP: Duration = Duration::days(2);

/// The address at which the public halves of a client's keys are read. It stays the same for life, as it is registered
/// there.
pub fn keys_of(cx: &OrgCx, id: ProviderId) -> String {
    address(&cx.ports.site, id)
}

/// The same of any installation.
pub(super) fn address(site: &Site, id: ProviderId) -> String {
    site.url(&format!("/oauth/clients/{id}/jwks.json"))
}

/// The public halves of a client's keys, as others read them.
///
/// # Errors
/// `NotFound` for what is no provider's id, for a provider that is not there and for one whose client never signed:
/// which of these it is, is not told.
pub async fn client_keys(cx: &Cx, id: &str) -> ActionResult<Value> {
    let id: ProviderId = id.parse().map_err(|_| ActionError::NotFound)?;
    let mut tx = cx.system_tx().await?;
    let shown = keys::shown(&mut tx, id, cx.now()).await?;
    tx.done().await?;
    if shown.is_empty() { Err(ActionError::NotFound) } else { Ok(key_set(&shown)) }
}

/// The provider whose client has the callback of this id and signs, if any.
pub(super) async fn signing_as(cx: &Cx, callback: ProviderId) -> ActionResult<Option<ProviderId>> {
    let mut tx = cx.system_tx().await?;
    let provider = keys::signing_as(&mut tx, callback, cx.now()).await?;
    tx.done().await?;
    Ok(provider)
}

/// A new key, its private half sealed for a provider.
pub(super) async fn made(
    cx: &OrgCx,
    tx: &mut OrgTx,
    id: ProviderId,
) -> ActionResult<(SealedSecret, EcPublic)> {
    let key = ClientKey::new(EcSignKey::fresh());
    let private = sealed(cx, tx, id, &key.text(), cx.now()).await?;
    Ok((private, key.public()))
}

/// Shows a new key, and those before it for a while.
pub(super) async fn publish(
    cx: &OrgCx,
    tx: &mut OrgTx,
    provider: &Provider,
    public: &EcPublic,
) -> ActionResult<()> {
    let of = (provider.id, provider.callback_id());
    Ok(keys::publish(tx, of, public, cx.now(), cx.now() + OVERLAP).await?)
}

/// Shows the keys of a client that signs no more for a while, and then none.
pub(super) async fn retire(cx: &OrgCx, tx: &mut OrgTx, id: ProviderId) -> ActionResult<()> {
    Ok(keys::retire(tx, id, cx.now(), cx.now() + OVERLAP).await?)
}

/// Has a client sign with another key from now on.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub(super) async fn rotate_key(
    cx: &OrgCx,
    mut tx: OrgTx,
    before: &Provider,
    seen: Option<i64>,
) -> ActionResult<Provider> {
    let (private, public) = made(cx, &mut tx, before.id).await?;
    let after = settled(store::set_secret(&mut tx, before.id, &private, seen).await?)?.after;
    publish(cx, &mut tx, before, &public).await?;
    let entry = Entry::admin("provider.key_rotated", &cx.who())
        .target("provider", after.id, &after.name)
        .changed(&ProviderRecord::from(before), &ProviderRecord::from(&after))
        .note(key_id(&public));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(after)
}
