//! Registering the provider that a server of MCP names, and asking it anew.

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
                ProviderRecord,
                enrol::{Proof, enrol, entered},
                keys, named,
                protection::{Protection, protection},
                register::insert,
                sealed,
            },
            servers::{credentials_entry, named as named_server},
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult, Refused, settled},
    },
    io::db::{OrgTx, Tx},
    protocol::oauth::{client::ClientAuth, metadata::covers},
};

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
