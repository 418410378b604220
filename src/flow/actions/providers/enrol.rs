//! The client that we are at an authorization server: one that an admin registered, one that is known there already, one
//! known by our document, or one that registers by itself.

use crate::{
    base::{ids::ProviderId, secret::Secret},
    domain::connections::{Enrolment, store},
    flow::{
        actions::providers::{callback_of, keys, of_server::OfServerInput, protection::Protection},
        cx::{Cx, OrgCx},
        fault::{ActionError, ActionResult},
        tokens::{Armed, send},
    },
    io::db::Tx,
    protocol::oauth::{
        client::ClientAuth,
        metadata::ServerMetadata,
        registration::{ClientMetadata, KEY_AUTH, Registered},
    },
};

/// Our name, which people see where they agree.
const NAME: &str = "Portreeve";

/// A client as it is known at an authorization server.
pub(super) struct Enrolled {
    /// How it became known there.
    pub(super) enrolment: Enrolment,
    /// The id in the address of the callback that it is registered with.
    pub(super) callback: ProviderId,
    /// The provider whose client it is already.
    pub(super) shares_with: Option<ProviderId>,
    /// Its id there.
    pub(super) id: String,
    /// Its secret, where it has one.
    pub(super) secret: Option<Secret<String>>,
    /// How it shows that it is the one.
    pub(super) auth: ClientAuth,
}

/// By what a client shows that it is the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// By a key that we make.
    Key,
    /// By whatever the authorization server gives.
    Theirs,
}

impl Proof {
    /// What somebody wants.
    ///
    /// # Errors
    /// The fault of a field.
    pub(super) fn wanted(input: &OfServerInput) -> ActionResult<Self> {
        let secret = input.client_secret.as_ref().map(|secret| secret.expose().trim());
        let has_secret = secret.is_some_and(|secret| !secret.is_empty());
        match input.client_auth.trim() {
            "" => Ok(Self::Theirs),
            KEY_AUTH if has_secret => {
                let fault = "a client that signs has a key and no secret; leave it out";
                Err(ActionError::field("client_secret", fault))
            }
            KEY_AUTH => Ok(Self::Key),
            _ => Err(ActionError::field("client_auth", "write private_key_jwt, or leave it out")),
        }
    }

    /// What an authorization server takes of a client that nobody registered there.
    ///
    /// # Errors
    /// A refusal where a key is wanted that it does not take.
    pub(super) fn taken_by(self, metadata: &ServerMetadata) -> ActionResult<Self> {
        match self {
            Self::Key if !metadata.takes_keys() => Err(ActionError::refused(
                "provider_takes_no_keys",
                format!(
                    "{} does not say that clients may sign with a key (private_key_jwt, ES256). Leave it the choice.",
                    metadata.issuer
                ),
            )),
            Self::Theirs if metadata.takes_keys_only() => Ok(Self::Key),
            proof => Ok(proof),
        }
    }
}

/// The client that an admin registered.
pub(super) fn entered(
    callback: ProviderId,
    metadata: &ServerMetadata,
    id: String,
    secret: Option<Secret<String>>,
    proof: Proof,
) -> Enrolled {
    let auth = match (proof, &secret) {
        (Proof::Key, _) => ClientAuth::PrivateKeyJwt,
        (Proof::Theirs, Some(_)) => metadata.client_auth(),
        (Proof::Theirs, None) => ClientAuth::None,
    };
    Enrolled { enrolment: Enrolment::Entered, callback, shares_with: None, id, secret, auth }
}

/// The client by which the organization is known at an authorization server already, where one was made known without
/// an admin and may be asked for all that is needed now: a second server of the same one needs no second client.
async fn shared(cx: &OrgCx, found: &Protection) -> ActionResult<Option<Enrolled>> {
    let mut tx = cx.tx().await?;
    let mut known = None;
    for id in store::enrolled_at(&mut tx, &found.metadata.issuer).await? {
        let Some(armed) = Armed::find(&cx.ports.vault, &mut tx, id).await? else { continue };
        let provider = &armed.provider;
        let Some(parts) = provider.source.parts() else { continue };
        // A key is one provider's, so that replacing it there is replacing it everywhere.
        if parts.client_auth == ClientAuth::PrivateKeyJwt {
            continue;
        }
        // A client is registered with scopes, and its secret goes to no other address than before.
        let is_enough = provider.enrolment == Enrolment::Document
            || found.scopes.iter().all(|scope| provider.scopes.contains(scope));
        if is_enough && parts.resource.is_some() && parts.token == found.metadata.token {
            known = Some(Enrolled {
                enrolment: provider.enrolment,
                callback: provider.callback_id(),
                shares_with: Some(provider.id),
                auth: parts.client_auth,
                id: armed.client.id,
                secret: armed.client.secret,
            });
            break;
        }
    }
    tx.done().await?;
    Ok(known)
}

/// Makes a client of a provider known without an admin, with the callback of another id or the same.
pub(super) async fn enrol(
    cx: &OrgCx,
    provider: ProviderId,
    id: ProviderId,
    found: &Protection,
    proof: Proof,
) -> ActionResult<Enrolled> {
    if proof == Proof::Theirs
        && let Some(known) = shared(cx, found).await?
    {
        return Ok(known);
    }
    let metadata = &found.metadata;
    // Only an address that is protected can be somebody's name.
    if metadata.reads_client_documents && cx.ports.site.is_secure() {
        return Ok(Enrolled {
            enrolment: Enrolment::Document,
            callback: id,
            shares_with: None,
            id: cx.ports.site.url(&document_path(id)),
            secret: None,
            auth: match proof {
                Proof::Key => ClientAuth::PrivateKeyJwt,
                Proof::Theirs => ClientAuth::None,
            },
        });
    }
    let callback = callback_of(cx, id);
    let Some(endpoint) = &metadata.register else {
        return Err(ActionError::refused(
            "provider_registers_nobody",
            format!(
                "{} registers nobody by itself. Register an application there with the callback address {callback}, and enter \
                 its client id and secret.",
                metadata.issuer
            ),
        ));
    };
    let (asked, keys) = match proof {
        Proof::Key => (ClientAuth::PrivateKeyJwt, Some(keys::keys_of(cx, provider))),
        Proof::Theirs => (metadata.client_auth(), None),
    };
    let client = ClientMetadata {
        name: NAME,
        home: &cx.ports.site.base_url,
        redirect_uri: &callback,
        auth: asked,
        keys: keys.as_deref(),
    };
    let answer = send(&cx.ports.egress, &client.request(endpoint, &found.scopes.join(" "))).await;
    let away = || {
        ActionError::refused(
            "provider_away",
            format!(
                "{} cannot be asked to register us right now. Try again in a few minutes.",
                metadata.issuer
            ),
        )
    };
    let reply = answer.map_err(|_| away())?;
    let registered = Registered::read(reply.status, &reply.body).map_err(|error| {
        ActionError::refused(
            "provider_registered_nothing",
            format!(
                "{}: {error}. Register an application there with the callback address {callback}, and enter its client id \
                 and secret.",
                metadata.issuer
            ),
        )
    })?;
    // One that was told of no key cannot be held to sign.
    let told = registered.auth.filter(|auth| proof == Proof::Key || *auth != ClientAuth::PrivateKeyJwt);
    let auth = match (&registered.secret, told.unwrap_or(asked)) {
        (_, ClientAuth::PrivateKeyJwt) => ClientAuth::PrivateKeyJwt,
        (Some(_), auth) => auth,
        (None, _) => ClientAuth::None,
    };
    Ok(Enrolled {
        enrolment: Enrolment::Registered,
        callback: id,
        shares_with: None,
        id: registered.id,
        secret: registered.secret.filter(|_| auth != ClientAuth::PrivateKeyJwt),
        auth,
    })
}

/// Where the document stands by which we are known as the client with the callback of this id.
fn document_path(id: ProviderId) -> String {
    format!("/oauth/clients/{id}")
}

/// The document by which we are known as the client with this callback. It says what the address of the callback is, and
/// of a client that signs where its keys are; all else is in its own address. Whether there is a provider whose client
/// does not sign is not told.
///
/// # Errors
/// `NotFound` for what is no provider's id.
pub async fn client_document(cx: &Cx, id: &str) -> ActionResult<serde_json::Value> {
    let id: ProviderId = id.parse().map_err(|_| ActionError::NotFound)?;
    let site = &cx.ports.site;
    let callback = site.url(&format!("/oauth/callback/{id}"));
    let keys = keys::signing_as(cx, id).await?.map(|provider| keys::address(site, provider));
    let client = ClientMetadata {
        name: NAME,
        home: &site.base_url,
        redirect_uri: &callback,
        auth: if keys.is_some() { ClientAuth::PrivateKeyJwt } else { ClientAuth::None },
        keys: keys.as_deref(),
    };
    Ok(client.document(&site.url(&document_path(id))))
}
