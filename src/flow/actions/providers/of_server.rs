//! Registering the provider that a server of MCP names, and the client that we are there: an admin's own, else one
//! known by our document, else one that registers by itself.

use url::Url;

use crate::{
    base::{
        ids::{CredentialId, ProviderId},
        permission::Permission,
        secret::Secret,
    },
    domain::{
        audit::{self, Entry},
        connections::{
            Enrolment, NewProvider, Provider, ProviderSource, TELL_FOR, TemplateParts,
            store::{self, accounts, endings},
        },
        servers::{Credential, CredentialSource, CredentialTarget, NamedProvider, Server, store as servers},
        tenancy::store::orgs,
    },
    flow::{
        actions::{
            providers::{
                ProviderRecord, callback_of, keys, named,
                protection::{Protection, protection},
                register::insert,
                sealed,
            },
            servers::{credentials_entry, named as named_server},
        },
        cx::{Cx, OrgCx},
        fault::{ActionError, ActionResult, Refused, settled},
        tokens::{Armed, send},
    },
    io::db::{OrgTx, Tx},
    protocol::oauth::{
        client::ClientAuth,
        metadata::{ServerMetadata, covers},
        registration::{ClientMetadata, KEY_AUTH, Registered},
    },
};

/// Our name, which people see where they agree.
const NAME: &str = "Portreeve";

/// What somebody says about the provider of a server; all of it may be left out.
#[derive(Clone, Debug, Default)]
pub struct OfServerInput {
    /// The id that the form was given: its callback stood on the page before there was a provider.
    pub id: Option<ProviderId>,
    /// The short name; made from the server's when left empty.
    pub slug: String,
    /// The client's id, where somebody registered one.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Option<Secret<String>>,
    /// `private_key_jwt` for a client that signs with a key; left empty, as the authorization server takes it.
    pub client_auth: String,
}

/// A client as it is known at an authorization server.
struct Enrolled {
    enrolment: Enrolment,
    /// The id in the address of the callback that it is registered with.
    callback: ProviderId,
    /// The provider whose client it is already.
    shares_with: Option<ProviderId>,
    id: String,
    secret: Option<Secret<String>>,
    auth: ClientAuth,
}

/// Registers the provider that protects a server, and has the server's requests carry tokens of its accounts.
///
/// # Errors
/// A refusal that says what the server, or its authorization server, does not do; the faults of each field.
pub async fn register_for_server(
    cx: &OrgCx,
    server: &str,
    input: &OfServerInput,
) -> ActionResult<(Server, Provider)> {
    cx.require(Permission::ProvidersWrite)?;
    cx.require(Permission::ServersWrite)?;
    let mut tx = cx.tx().await?;
    let server = named_server(&mut tx, server).await?;
    tx.done().await?;
    let slug = if input.slug.trim().is_empty() { server.slug.as_str() } else { input.slug.as_str() };
    let own =
        NewProvider::parse_own_client(slug, &server.name, &input.client_id, input.client_secret.as_ref())?;
    let wanted = Proof::wanted(input)?;
    let address = Url::parse(&server.url).map_err(ActionError::defect)?;
    let found = protection(&cx.ports.egress, &address).await?;
    check_callable(cx, &found)?;
    let id = input.id.unwrap_or_else(ProviderId::fresh);
    let enrolled = match own.client {
        Some((client_id, secret)) => entered(id, &found.metadata, client_id, secret, wanted),
        None => enrol(cx, id, id, &found, wanted.taken_by(&found.metadata)?).await?,
    };
    let callback = enrolled.callback;
    let now = cx.now();
    let mut provider = Provider {
        id,
        slug: own.slug,
        name: server.name.to_string(),
        source: ProviderSource::Own(Box::new(parts(&found, enrolled.auth))),
        enrolment: enrolled.enrolment,
        callback: Some(callback).filter(|callback| *callback != id),
        shares_with: enrolled.shares_with,
        client_id: enrolled.id,
        secret: None,
        scopes: found.scopes,
        user_scopes: Vec::new(),
        created_by: cx.user(),
        created_at: now,
        updated_at: now,
        disabled_at: None,
        version: 1,
    };
    let mut tx = cx.tx().await?;
    let created = insert(cx, &mut tx, &mut provider, enrolled.secret).await?;
    let carried = carry(cx, &mut tx, &server, &provider).await?;
    audit::commit(tx, now, vec![created, carried]).await?;
    Ok((server, provider))
}

/// Has a server's requests carry tokens of accounts at a provider, in place of what stood in that header.
///
/// # Errors
/// `Changed` where the server was changed since it was asked: what it said may be another's, and tokens would go there.
async fn carry(cx: &OrgCx, tx: &mut OrgTx, server: &Server, provider: &Provider) -> ActionResult<Entry> {
    settled(servers::servers::touch(tx, server.id, Some(server.version), cx.now()).await?)?;
    let before = servers::credentials::list(tx, server.id).await?;
    let is_other = |one: &&Credential| {
        one.target != CredentialTarget::Header || !one.name.eq_ignore_ascii_case("authorization")
    };
    let mut after: Vec<Credential> = before.iter().filter(is_other).cloned().collect();
    after.push(Credential {
        id: CredentialId::fresh(),
        target: CredentialTarget::Header,
        name: "Authorization".to_owned(),
        source: CredentialSource::Oauth,
        provider: Some(NamedProvider {
            id: provider.id,
            slug: provider.slug.to_string(),
            name: provider.name.clone(),
            resource: provider.source.resource().map(str::to_owned),
            is_shared_only: false,
            tells_scopes: true,
        }),
        secret: None,
        template: "Bearer {value}".to_owned(),
        value: None,
    });
    servers::credentials::replace(tx, server.id, &after).await?;
    orgs::bump_epoch(tx).await?;
    Ok(credentials_entry(cx, server, &before, &after))
}

/// Asks the server of a provider anew what protects it. What its authorization server says otherwise now is taken over.
/// Where it is another authorization server, we are registered there anew, and every account has to be connected again:
/// what one gave is never shown to the other, and is ended where it came from.
///
/// # Errors
/// As [`register_for_server`]; a refusal where no server named the provider.
pub async fn rediscover(cx: &OrgCx, name: &str) -> ActionResult<(Provider, Found)> {
    cx.require(Permission::ProvidersWrite)?;
    let mut tx = cx.tx().await?;
    let before = named(&mut tx, name).await?;
    let carrying = servers::credentials::servers_of(&mut tx, before.id).await?;
    tx.done().await?;
    let known = before.source.parts().filter(|parts| parts.resource.is_some());
    let Some((known, resource)) = known.and_then(|known| Some((known, known.resource.as_deref()?))) else {
        return Err(ActionError::refused(
            "provider_of_no_server",
            "No server named this provider, so there is nobody to ask. What it says of itself stays as it was entered.",
        ));
    };
    let resource = Url::parse(resource).map_err(ActionError::defect)?;
    // A server of somebody else's that carries the same accounts is not asked whose they are.
    let named = carrying.iter().filter_map(|url| Url::parse(url).ok()).find(|url| covers(&resource, url));
    let address = named.unwrap_or(resource);
    let found = protection(&cx.ports.egress, &address).await?;
    check_callable(cx, &found)?;
    let is_same = known.issuer.as_deref() == Some(found.metadata.issuer.as_str());
    let mut after = before.clone();
    let mut secret = None;
    if is_same {
        let now = parts(&found, known.client_auth);
        if now == *known {
            return Ok((before, Found::Same));
        }
        after.source = ProviderSource::Own(Box::new(now));
    } else {
        if before.enrolment == Enrolment::Entered {
            return Err(ActionError::refused(
                "provider_moved",
                format!(
                    "The server takes tokens of {} now, where the client that was entered is not known. Register a client \
                     there, and add its provider from the server's page.",
                    found.metadata.issuer
                ),
            ));
        }
        let signed = known.client_auth == ClientAuth::PrivateKeyJwt && found.metadata.takes_keys();
        let as_before = if signed { Proof::Key } else { Proof::Theirs };
        let proof = as_before.taken_by(&found.metadata)?;
        // Each authorization server sends browsers back to a callback of its own, also where it follows another: else what
        // one answers could be taken for an answer of the other (RFC 9700, section 4.4).
        let enrolled = enrol(cx, before.id, ProviderId::fresh(), &found, proof).await;
        let enrolled = enrolled.map_err(|error| not_registered(error, &found.metadata.issuer))?;
        after.source = ProviderSource::Own(Box::new(parts(&found, enrolled.auth)));
        (after.enrolment, after.client_id, after.scopes) = (enrolled.enrolment, enrolled.id, found.scopes);
        (after.callback, after.shares_with) = (Some(enrolled.callback), enrolled.shares_with);
        (after.secret, secret) = (None, enrolled.secret);
    }
    let mut tx = cx.tx().await?;
    if let Some(secret) = &secret {
        after.secret = Some(sealed(cx, &mut tx, after.id, secret, cx.now()).await?);
    }
    let mut public = None;
    if !is_same && after.signs() {
        let (private, half) = keys::made(cx, &mut tx, after.id).await?;
        (after.secret, public) = (Some(private), Some(half));
    }
    if !store::relocate(&mut tx, &after, before.version, cx.now()).await? {
        return Err(ActionError::Changed);
    }
    if !is_same {
        endings::keep_former(&mut tx, &before, cx.now(), cx.now() + TELL_FOR).await?;
        accounts::forget_tokens_at(&mut tx, after.id, cx.now()).await?;
        match &public {
            Some(public) => keys::publish(cx, &mut tx, &after, public).await?,
            None => keys::retire(cx, &mut tx, after.id).await?,
        }
    }
    let entry = Entry::admin("provider.moved", &cx.who())
        .target("provider", after.id, &after.name)
        .changed(&ProviderRecord::from(&before), &ProviderRecord::from(&after));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    after.version = before.version + 1;
    Ok((after, if is_same { Found::Otherwise } else { Found::Another }))
}

/// Whoever registers a client by hand adds another provider for it, which has another callback.
fn not_registered(error: ActionError, issuer: &str) -> ActionError {
    match error {
        ActionError::Refused(Refused {
            code: "provider_registers_nobody" | "provider_registered_nothing",
            ..
        }) => ActionError::refused(
            "provider_moved",
            format!(
                "The server takes tokens of {issuer} now, which does not register us by itself. Register a client there, and \
                 add its provider from the server's page."
            ),
        ),
        error => error,
    }
}

/// What was found of a provider that was asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Everything as before.
    Same,
    /// The same authorization server, which says something otherwise.
    Otherwise,
    /// Another authorization server.
    Another,
}

/// Refuses an authorization server whose addresses could never be called.
fn check_callable(cx: &OrgCx, found: &Protection) -> ActionResult<()> {
    let metadata = &found.metadata;
    let all = [
        Some(&metadata.authorize),
        Some(&metadata.token),
        metadata.revoke.as_ref(),
        metadata.register.as_ref(),
    ];
    for url in all.into_iter().flatten() {
        cx.ports.egress.target(url.as_str()).map_err(|error| {
            ActionError::refused(
                "provider_address_refused",
                format!(
                    "{} names the address {url}, which cannot be called: {error}. Tell its operator.",
                    metadata.issuer
                ),
            )
        })?;
    }
    Ok(())
}

fn parts(found: &Protection, client_auth: ClientAuth) -> TemplateParts {
    let resource = Some(found.resource.clone());
    TemplateParts {
        client_auth,
        resource,
        userinfo: None,
        ..TemplateParts::of_metadata(&found.metadata, false)
    }
}

/// By what a client shows that it is the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
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
    fn wanted(input: &OfServerInput) -> ActionResult<Self> {
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
    fn taken_by(self, metadata: &ServerMetadata) -> ActionResult<Self> {
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
fn entered(
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
async fn enrol(
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
