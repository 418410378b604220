//! What somebody types about a provider at which nobody signs in.

use crate::{
    base::faults::Faults,
    domain::connections::{
        ClientParts, ProviderForm, ProviderSource,
        new_provider::{NewSource, needed, optional},
    },
    protocol::oauth::client::ClientAuth,
};

/// Refuses what only one kind of provider has for another.
pub(super) fn only_for(form: &ProviderForm, faults: &mut Faults) {
    let kind = form.kind.trim();
    for (field, text, of) in [
        ("resource", &form.resource, "client_credentials"),
        ("audience", &form.audience, "client_credentials"),
        ("keys_url", &form.keys_url, "api_key"),
    ] {
        if kind != of && !text.trim().is_empty() {
            faults.add(field, format!("only a provider of the kind {of} has this"));
        }
    }
}

/// Refuses what somebody typed in fields that this kind has no use for.
fn unused(form: &ProviderForm, fields: &[&'static str], faults: &mut Faults) {
    for field in form.typed_places().filter(|field| fields.contains(field)) {
        faults.add(field, "a provider of this kind has no use for this; leave it out");
    }
    if !form.variables.is_empty() {
        faults.add("variables", "only a preset has variables; write whole addresses");
    }
}

/// One whose client asks for tokens in its own name.
pub(super) fn client(form: &ProviderForm, faults: &mut Faults) -> Option<NewSource> {
    unused(form, &["issuer", "authorize_url", "userinfo_url", "pkce"], faults);
    let auth = Some(form.client_auth.trim()).filter(|text| !text.is_empty());
    let auth = faults.check("client_auth", auth.map(str::parse::<ClientAuth>).transpose());
    if auth == Some(Some(ClientAuth::None)) {
        faults.add(
            "client_auth",
            "a client that asks in its own name proves itself: write post, basic or private_key_jwt",
        );
    }
    let token = faults.check("token_url", needed(&form.token_url, "where it gives tokens"));
    let revoke = faults.check("revoke_url", optional(&form.revoke_url));
    let resource = faults.check("resource", optional(&form.resource));
    let audience = faults.check("audience", parse_audience(&form.audience));
    Some(NewSource::Known(ProviderSource::Client(Box::new(ClientParts {
        token: token?,
        revoke: revoke?,
        client_auth: auth?.unwrap_or_default(),
        // It is sent as it was typed.
        resource: resource?.map(|_| form.resource.trim().to_owned()),
        audience: audience?,
    }))))
}

/// One where people make a key.
pub(super) fn key(form: &ProviderForm, faults: &mut Faults) -> Option<NewSource> {
    let all = ["issuer", "authorize_url", "token_url", "revoke_url", "userinfo_url", "client_auth", "pkce"];
    unused(form, &all, faults);
    if form.scopes.as_ref().is_some_and(|scopes| !scopes.is_empty()) {
        faults.add("scopes", "a key is made with all that it may do; there is nobody to ask for scopes");
    }
    let page = faults.check("keys_url", optional(&form.keys_url));
    Some(NewSource::Known(ProviderSource::Key { page: page? }))
}

fn parse_audience(text: &str) -> Result<Option<String>, &'static str> {
    let text = text.trim();
    match text {
        "" => Ok(None),
        text if text.len() <= 2_000 && text.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(text.to_owned()))
        }
        _ => Err("use at most 2000 letters, digits and signs without spaces"),
    }
}
