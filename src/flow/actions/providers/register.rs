//! Registering a provider.

use crate::{
    base::{ids::ProviderId, permission::Permission, secret::Secret},
    domain::{
        audit::{self, Entry},
        connections::{
            Enrolment, NewProvider, NewSource, Obtaining, Provider, ProviderForm, ProviderSource, preset,
            store,
        },
    },
    flow::{
        actions::providers::{ProviderRecord, discover, keys, registered, sealed, taken},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::OrgTx,
};

/// What is asked for where neither somebody nor a preset says it.
const OF_OPENID: [&str; 3] = ["openid", "profile", "email"];

/// What somebody types about a provider.
#[derive(Clone, Debug, Default)]
pub struct ProviderInput {
    /// The id that the form was given: its callback stood on the page before there was a provider, and sending the form
    /// twice makes one.
    pub id: Option<ProviderId>,
    /// The rest.
    pub form: ProviderForm,
}

/// Registers a provider. One that describes itself is asked first, before anything is stored.
///
/// # Errors
/// The faults of each field; a refusal where the same form was sent before.
pub async fn register(cx: &OrgCx, input: &ProviderInput) -> ActionResult<Provider> {
    cx.require(Permission::ProvidersWrite)?;
    let (new, source, secret) = NewProvider::parse(&input.form)?;
    let (source, offered) = match source {
        NewSource::Known(source) => (source, None),
        NewSource::Discover { issuer, url, client_auth } => {
            let found = discover::discover(&cx.ports.egress, &issuer, &url).await?;
            let mut parts = found.parts;
            if let Some(auth) = client_auth {
                parts.client_auth = auth;
            }
            (ProviderSource::Own(Box::new(parts)), found.scopes)
        }
    };
    match &source {
        ProviderSource::Own(parts) => discover::check_addresses(&cx.ports.egress, parts)?,
        ProviderSource::Client(parts) => discover::check_client_addresses(&cx.ports.egress, parts)?,
        ProviderSource::Preset { .. } | ProviderSource::Key { .. } => {}
    }
    let now = cx.now();
    let mut provider = Provider {
        id: input.id.unwrap_or_else(ProviderId::fresh),
        slug: new.slug,
        name: new.name,
        scopes: new.scopes.unwrap_or_else(|| usual_scopes(&source, offered.as_deref())),
        source,
        enrolment: Enrolment::Entered,
        callback: None,
        shares_with: None,
        client_id: new.client_id,
        secret: None,
        user_scopes: new.user_scopes,
        created_by: cx.user(),
        created_at: now,
        updated_at: now,
        disabled_at: None,
        version: 1,
    };
    match provider.template() {
        None if provider.obtaining() != Obtaining::Key => {
            return Err(ActionError::field(
                "preset",
                "the preset's addresses cannot be filled with these variables",
            ));
        }
        Some(template) if provider.preset().is_some() => {
            discover::check_preset_addresses(&cx.ports.egress, &template)?;
        }
        _ => {}
    }
    let mut tx = cx.tx().await?;
    let entry = insert(cx, &mut tx, &mut provider, secret).await?;
    audit::commit(tx, now, vec![entry]).await?;
    Ok(provider)
}

/// Stores a new provider with its client's secret, or with the key that is made for one that signs, and gives what the
/// record says of it.
pub(super) async fn insert(
    cx: &OrgCx,
    tx: &mut OrgTx,
    provider: &mut Provider,
    secret: Option<Secret<String>>,
) -> ActionResult<Entry> {
    // A client of another authorization server may be sent back there (RFC 9700, section 4.4).
    if store::is_callback_known(tx, provider.id).await? {
        return Err(registered());
    }
    if let Some(secret) = secret {
        provider.secret = Some(sealed(cx, tx, provider.id, &secret, provider.created_at).await?);
    }
    let mut public = None;
    if provider.signs() {
        let (private, half) = keys::made(cx, tx, provider.id).await?;
        (provider.secret, public) = (Some(private), Some(half));
    }
    store::insert(tx, provider).await.map_err(taken)?;
    if let Some(public) = &public {
        keys::publish(cx, tx, provider, public).await?;
    }
    Ok(Entry::admin("provider.created", &cx.who())
        .target("provider", provider.id, &provider.name)
        .after(&ProviderRecord::from(&*provider)))
}

fn usual_scopes(source: &ProviderSource, offered: Option<&[String]>) -> Vec<String> {
    match source {
        ProviderSource::Preset { slug, .. } => {
            preset(slug).map(|preset| preset.scopes.clone()).unwrap_or_default()
        }
        ProviderSource::Own(parts) if parts.is_openid => {
            let is_offered =
                |scope: &str| offered.is_none_or(|offered| offered.iter().any(|one| one == scope));
            // Without it a provider gives no refresh token (OpenID Connect Core 1.0, section 11).
            let offline = offered.filter(|_| is_offered("offline_access")).map(|_| "offline_access");
            let usual = OF_OPENID.into_iter().filter(|scope| *scope == "openid" || is_offered(scope));
            usual.chain(offline).map(str::to_owned).collect()
        }
        ProviderSource::Own(_) | ProviderSource::Client(_) | ProviderSource::Key { .. } => Vec::new(),
    }
}
