//! What the sample pages of providers are filled with, and all of them.

use url::Url;

use crate::{
    base::ids::{DataKeyId, ProviderId},
    domain::connections::{
        ClientParts, Enrolment, Pkce, Provider, ProviderSource, SealedSecret, TemplateParts, preset,
    },
    protocol::oauth::client::ClientAuth,
    web::{
        console::providers::{accounts, change, list, of_server, register, show, trial},
        kit::{
            form::FormFaults,
            samples::{AT, Sample, faults},
        },
    },
};

/// The samples of every file of these pages.
pub(in crate::web::console) fn samples() -> Vec<Sample> {
    let files = [
        accounts::samples,
        list::samples,
        register::samples,
        of_server::samples,
        show::samples,
        trial::samples,
        change::samples,
    ];
    files.iter().flat_map(|samples| samples()).collect()
}

/// Something wrong with every field of the forms.
pub(super) fn all_wrong() -> FormFaults {
    let fields = ["", "name", "slug", "client_id", "client_secret", "scopes", "user_scopes", "variables"];
    let own = [
        "issuer",
        "authorize_url",
        "token_url",
        "revoke_url",
        "userinfo_url",
        "client_auth",
        "pkce",
        "resource",
        "audience",
        "keys_url",
    ];
    let pairs: Vec<_> = fields.into_iter().chain(own).map(|field| (field, "no")).collect();
    faults(&pairs)
}

/// A provider of a preset, with what most people enter.
pub(super) fn of_preset(slug: &str) -> ProviderSource {
    let variables = preset(slug).into_iter().flat_map(|preset| &preset.variables);
    let variables = variables.filter_map(|one| Some((one.name.clone(), one.default.clone()?)));
    ProviderSource::Preset { slug: slug.to_owned(), version: 1, variables: variables.collect() }
}

/// A provider whose client acts in its own name.
pub(super) fn client() -> ProviderSource {
    ProviderSource::Client(Box::new(ClientParts {
        token: at("https://id.example.com/oauth/token"),
        revoke: Some(at("https://id.example.com/oauth/revoke")),
        client_auth: ClientAuth::Basic,
        resource: Some("https://mcp.example.com".to_owned()),
        audience: Some("https://api.example.com".to_owned()),
    }))
}

/// The same where it signs with a key.
pub(super) fn signing() -> ProviderSource {
    let ProviderSource::Client(parts) = client() else { return client() };
    ProviderSource::Client(Box::new(ClientParts { client_auth: ClientAuth::PrivateKeyJwt, ..*parts }))
}

/// People make keys there.
pub(super) fn key() -> ProviderSource {
    ProviderSource::Key { page: Some(at("https://example.com/settings/keys")) }
}

fn at(text: &str) -> Url {
    text.parse().expect("a URL")
}

/// A provider that described itself.
pub(super) fn own() -> ProviderSource {
    ProviderSource::Own(Box::new(TemplateParts {
        authorize: at("https://id.example.com/authorize"),
        token: at("https://id.example.com/token"),
        revoke: Some(at("https://id.example.com/revoke")),
        userinfo: None,
        issuer: Some("https://id.example.com".to_owned()),
        names_itself: true,
        client_auth: ClientAuth::Basic,
        pkce: Pkce::Required,
        is_openid: true,
        resource: None,
    }))
}

/// A provider of this name.
pub(super) fn provider(source: ProviderSource, name: &str, is_off: bool) -> Provider {
    let sealed = SealedSecret { key: DataKeyId::fresh(), bytes: Vec::new(), changed_at: AT };
    Provider {
        id: ProviderId::fresh(),
        slug: "gitlab".parse().expect("a slug"),
        name: name.to_owned(),
        source,
        enrolment: Enrolment::Entered,
        callback: None,
        shares_with: None,
        client_id: name.to_owned(),
        secret: Some(sealed).filter(|_| !is_off),
        scopes: vec![name.to_owned()],
        user_scopes: Vec::new(),
        created_by: None,
        created_at: AT,
        updated_at: AT,
        disabled_at: Some(AT).filter(|_| is_off),
        version: 3,
    }
}
