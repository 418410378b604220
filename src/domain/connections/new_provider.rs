//! What somebody types about a provider.

use url::Url;

use crate::{
    base::{
        faults::Faults,
        reference::{SlugRefused, new_slug},
        secret::Secret,
        slug::Slug,
        wording::parse_name,
    },
    domain::connections::{Obtaining, Pkce, Preset, Provider, ProviderSource, TemplateParts, kinds, preset},
    protocol::oauth::{client::ClientAuth, document::Facts, metadata::address},
};

const LONGEST_CLIENT_ID: usize = 500;
const LONGEST_SECRET: usize = 4_000;
const LONGEST_SCOPE: usize = 300;
const MOST_SCOPES: usize = 100;

/// A provider as somebody typed it.
#[derive(Clone, Debug, Default)]
pub struct ProviderForm {
    /// The short name; made from the preset's or the name when left empty.
    pub slug: String,
    /// The name; the preset's or the host when left empty.
    pub name: String,
    /// The preset's short name; empty for a provider that has none.
    pub preset: String,
    /// What fills the preset's gaps.
    pub variables: Facts,
    /// `client_credentials` or `api_key`, where nobody signs in; empty where people do.
    pub kind: String,
    /// The issuer, for a provider that describes itself.
    pub issuer: String,
    /// Where people agree, for a provider that somebody describes.
    pub authorize_url: String,
    /// Where it gives tokens.
    pub token_url: String,
    /// Where it ends them.
    pub revoke_url: String,
    /// Where it says whose account it is.
    pub userinfo_url: String,
    /// `post`, `basic`, `private_key_jwt` or `none`; left empty, `post`, or what the provider says of itself.
    pub client_auth: String,
    /// `sent`, `required` or `off`; left empty, `sent`.
    pub pkce: String,
    /// The one resource that tokens of a client's own are asked for.
    pub resource: String,
    /// The same in a word of the provider's own.
    pub audience: String,
    /// The page where people make a key.
    pub keys_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Option<Secret<String>>,
    /// What is asked for; left out, what the preset asks for.
    pub scopes: Option<Vec<String>>,
    /// What is asked for in the person's own name.
    pub user_scopes: Vec<String>,
}

/// A provider that may be stored, once where it is is known.
#[derive(Clone, Debug)]
pub struct NewProvider {
    /// The short name.
    pub slug: Slug,
    /// The name.
    pub name: String,
    /// The client's id.
    pub client_id: String,
    /// The scopes, where any were named.
    pub scopes: Option<Vec<String>>,
    /// Those of the person.
    pub user_scopes: Vec<String>,
}

/// What somebody says about the provider of a server.
#[derive(Clone, Debug)]
pub struct OwnClient {
    /// The short name.
    pub slug: Slug,
    /// A client that they registered, with its secret where it has one.
    pub client: Option<(String, Option<Secret<String>>)>,
}

/// Where a new provider is.
#[derive(Clone, Debug)]
pub enum NewSource {
    /// It is known.
    Known(ProviderSource),
    /// It describes itself under this issuer.
    Discover {
        /// As it was typed: it is compared to the letter.
        issuer: String,
        /// The same as an address.
        url: Url,
        /// How the client authenticates, where somebody says so.
        client_auth: Option<ClientAuth>,
    },
}

impl NewProvider {
    /// Takes what somebody typed about a new provider.
    ///
    /// # Errors
    /// Every fault with its field.
    pub fn parse(form: &ProviderForm) -> Result<(Self, NewSource, Option<Secret<String>>), Faults> {
        let mut faults = Faults::default();
        let chosen = Some(form.preset.trim()).filter(|slug| !slug.is_empty());
        let known = chosen.and_then(preset);
        if chosen.is_some() && known.is_none() {
            faults.add("preset", "there is no preset of this name; choose one of the list");
        }
        let source = match (chosen, known) {
            (Some(_), Some(known)) => of_preset(form, known, &mut faults),
            (Some(_), None) => None,
            (None, _) => match form.kind.trim() {
                "client_credentials" => kinds::client(form, &mut faults),
                "api_key" => kinds::key(form, &mut faults),
                "" => own(form, &mut faults),
                _ => {
                    let reason = "write client_credentials or api_key, or leave it out where people sign in";
                    faults.add("kind", reason);
                    None
                }
            },
        };
        if chosen.is_some() && !form.kind.trim().is_empty() {
            faults.add("kind", "a preset says how its accounts are connected; leave it out");
        }
        kinds::only_for(form, &mut faults);
        let fallback = fallback_name(known, source.as_ref());
        let name = if form.name.trim().is_empty() { fallback.as_str() } else { form.name.as_str() };
        let slug = match form.slug.trim() {
            "" => Slug::suggest(known.map_or(name, |known| &known.slug), "provider"),
            slug => slug.to_owned(),
        };
        let has_client = !form.has_no_client();
        let new = parse_common(form, (&slug, name), known, has_client, &mut faults);
        let typed = form.client_secret.as_ref().filter(|secret| !secret.expose().trim().is_empty());
        let secret = faults.check("client_secret", typed.map(parse_secret).transpose()).flatten();
        if typed.is_some() && form.has_no_client() {
            faults.add("client_secret", "there is no client; people enter their own keys when they connect");
        }
        if typed.is_none() && source.as_ref().is_some_and(NewSource::needs_secret) {
            faults.add("client_secret", "enter the client's secret");
        }
        if typed.is_some() && source.as_ref().is_some_and(NewSource::signs) {
            faults.add("client_secret", "a client that signs has a key and no secret; leave it out");
        }
        match (new, source) {
            (Some(new), Some(source)) => faults.into_result((new, source, secret)),
            _ => Err(faults),
        }
    }

    /// Takes what somebody says about the provider of a server.
    ///
    /// # Errors
    /// Every fault with its field.
    pub fn parse_own_client(
        slug: &str,
        name: &str,
        client_id: &str,
        secret: Option<&Secret<String>>,
    ) -> Result<OwnClient, Faults> {
        let mut faults = Faults::default();
        let slug = faults.check("slug", parse_slug(&Slug::suggest(slug, "provider")));
        let _ = faults.check("name", parse_name(name));
        let typed = secret.filter(|secret| !secret.expose().trim().is_empty());
        let secret = faults.check("client_secret", typed.map(parse_secret).transpose()).flatten();
        let client = match client_id.trim() {
            "" => {
                if secret.is_some() {
                    faults.add("client_id", "enter the id of the client whose secret this is");
                }
                None
            }
            id => faults.check("client_id", parse_client_id(id)).map(|id| (id, secret)),
        };
        match slug {
            Some(slug) => faults.into_result(OwnClient { slug, client }),
            None => Err(faults),
        }
    }

    /// Takes what somebody changes of a provider; where it is stays.
    ///
    /// # Errors
    /// Every fault with its field.
    pub fn parse_change(form: &ProviderForm, provider: &Provider) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let has_client = provider.obtaining() != Obtaining::Key;
        let names = (form.slug.as_str(), form.name.as_str());
        let new = parse_common(form, names, provider.preset(), has_client, &mut faults);
        match new {
            Some(new) => faults.into_result(new),
            None => Err(faults),
        }
    }
}

impl NewSource {
    /// How the client authenticates, as far as somebody says so before the provider is asked; nothing where there is no
    /// client.
    fn client_auth(&self) -> Option<ClientAuth> {
        match self {
            Self::Known(ProviderSource::Preset { slug, .. }) => preset(slug).map(|known| known.client_auth),
            Self::Known(source) => source.client_auth(),
            Self::Discover { client_auth, .. } => Some(client_auth.unwrap_or_default()),
        }
    }

    fn needs_secret(&self) -> bool {
        self.client_auth().is_some_and(ClientAuth::shows_secret)
    }

    fn signs(&self) -> bool {
        self.client_auth() == Some(ClientAuth::PrivateKeyJwt)
    }
}

fn parse_common(
    form: &ProviderForm,
    (slug, name): (&str, &str),
    known: Option<&Preset>,
    has_client: bool,
    faults: &mut Faults,
) -> Option<NewProvider> {
    let slug = faults.check("slug", parse_slug(slug));
    let name = faults.check("name", parse_name(name));
    let client_id = match (has_client, form.client_id.trim()) {
        (false, "") => Some(String::new()),
        (false, _) => {
            faults.add("client_id", "there is no client; people enter their own keys when they connect");
            None
        }
        (true, id) => faults.check("client_id", parse_client_id(id)),
    };
    let scopes = form.scopes.as_deref().map(parse_scopes).transpose();
    let scopes = faults.check("scopes", scopes);
    let user_scopes = faults.check("user_scopes", parse_scopes(&form.user_scopes));
    let tells_apart = known.is_some_and(|known| known.user_scope_parameter.is_some());
    if !tells_apart && user_scopes.as_ref().is_some_and(|scopes| !scopes.is_empty()) {
        faults.add("user_scopes", "this provider asks for one kind of scopes only; name them there");
    }
    Some(NewProvider {
        slug: slug?,
        name: name?,
        client_id: client_id?,
        scopes: scopes?,
        user_scopes: user_scopes?,
    })
}

fn of_preset(form: &ProviderForm, known: &Preset, faults: &mut Faults) -> Option<NewSource> {
    for field in form.typed_places() {
        faults.add(field, "the preset says this; leave it out, or register a custom provider");
    }
    match known.check_variables(&form.variables) {
        Ok(variables) => {
            let (slug, version) = (known.slug.clone(), known.version);
            Some(NewSource::Known(ProviderSource::Preset { slug, version, variables }))
        }
        Err(wrong) => {
            for (_, error) in wrong {
                faults.add("variables", error.to_string());
            }
            None
        }
    }
}

fn own(form: &ProviderForm, faults: &mut Faults) -> Option<NewSource> {
    if !form.variables.is_empty() {
        faults.add("variables", "only a preset has variables; write whole addresses");
    }
    let auth = Some(form.client_auth.trim()).filter(|text| !text.is_empty());
    let auth = faults.check("client_auth", auth.map(str::parse::<ClientAuth>).transpose());
    let addresses = [&form.authorize_url, &form.token_url, &form.revoke_url, &form.userinfo_url];
    let is_described = addresses.iter().any(|text| !text.trim().is_empty());
    let issuer = form.issuer.trim();
    if !issuer.is_empty() && !is_described {
        let url = faults.check("issuer", parse_issuer(issuer));
        return Some(NewSource::Discover { issuer: issuer.to_owned(), url: url?, client_auth: auth? });
    }
    let authorize = faults.check("authorize_url", needed(&form.authorize_url, "where people agree"));
    let token = faults.check("token_url", needed(&form.token_url, "where it gives tokens"));
    let revoke = faults.check("revoke_url", optional(&form.revoke_url));
    let userinfo = faults.check("userinfo_url", optional(&form.userinfo_url));
    let issuer = Some(issuer).filter(|issuer| !issuer.is_empty());
    let issuer =
        faults.check("issuer", issuer.map(|text| parse_issuer(text).map(|_| text.to_owned())).transpose());
    let pkce = match form.pkce.trim() {
        "" => Some(Pkce::Sent),
        text => faults.check("pkce", text.parse()),
    };
    Some(NewSource::Known(ProviderSource::Own(Box::new(TemplateParts {
        authorize: authorize?,
        token: token?,
        revoke: revoke?,
        userinfo: userinfo?,
        issuer: issuer?,
        names_itself: false,
        client_auth: auth?.unwrap_or_default(),
        pkce: pkce?,
        is_openid: false,
        resource: None,
    }))))
}

impl ProviderForm {
    /// The fields in which somebody typed where it is, or how it is spoken with.
    pub(super) fn typed_places(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("issuer", &self.issuer),
            ("authorize_url", &self.authorize_url),
            ("token_url", &self.token_url),
            ("revoke_url", &self.revoke_url),
            ("userinfo_url", &self.userinfo_url),
            ("client_auth", &self.client_auth),
            ("pkce", &self.pkce),
        ];
        let typed = all.map(|(field, text)| (field, !text.trim().is_empty()));
        typed.into_iter().filter_map(|(field, is_typed)| is_typed.then_some(field))
    }

    fn has_no_client(&self) -> bool {
        self.preset.trim().is_empty() && self.kind.trim() == "api_key"
    }
}

fn fallback_name(known: Option<&Preset>, source: Option<&NewSource>) -> String {
    let host = |url: &Url| url.host_str().unwrap_or_default().to_owned();
    match (known, source) {
        (Some(known), _) => known.name.clone(),
        (None, Some(NewSource::Known(ProviderSource::Own(parts)))) => host(&parts.authorize),
        (None, Some(NewSource::Known(ProviderSource::Client(parts)))) => host(&parts.token),
        (None, Some(NewSource::Discover { url, .. })) => host(url),
        _ => String::new(),
    }
}

fn parse_slug(text: &str) -> Result<Slug, SlugRefused> {
    let slug = new_slug(text)?;
    // The list of presets stands there in the API.
    if slug.as_str() == "presets" { Err(SlugRefused::Reserved) } else { Ok(slug) }
}

fn parse_client_id(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let is_good = text.len() <= LONGEST_CLIENT_ID && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    match (text.is_empty(), is_good) {
        (true, _) => Err("enter the client's id"),
        (false, true) => Ok(text.to_owned()),
        (false, false) => Err("use at most 500 letters, digits and signs"),
    }
}

/// Takes a client's secret.
///
/// # Errors
/// What to do about it; never the secret.
pub fn parse_secret(secret: &Secret<String>) -> Result<Secret<String>, &'static str> {
    let text = secret.expose().trim();
    if text.is_empty() {
        return Err("enter the client's secret");
    }
    if text.len() > LONGEST_SECRET || !text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err("use at most 4000 letters, digits and signs on one line");
    }
    Ok(Secret::new(text.to_owned()))
}

/// Takes a key that somebody made at a provider.
///
/// # Errors
/// What to do about it; never the key.
pub fn parse_key(key: &Secret<String>) -> Result<Secret<String>, &'static str> {
    if key.expose().trim().is_empty() {
        return Err("enter the key");
    }
    parse_secret(key)
}

fn parse_scopes(scopes: &[String]) -> Result<Vec<String>, String> {
    let mut parsed: Vec<String> = Vec::new();
    for scope in scopes.iter().map(|scope| scope.trim()).filter(|scope| !scope.is_empty()) {
        // RFC 6749, section 3.3; a comma would be taken for two scopes by those who split there.
        let is_scope = |b: u8| b.is_ascii_graphic() && !b"\"\\,".contains(&b);
        if scope.len() > LONGEST_SCOPE || !scope.bytes().all(is_scope) {
            return Err(
                "a scope has at most 300 letters, digits and signs, and no comma, space or quotation mark"
                    .to_owned(),
            );
        }
        if !parsed.iter().any(|known| known == scope) {
            parsed.push(scope.to_owned());
        }
    }
    if parsed.len() > MOST_SCOPES { Err(format!("name at most {MOST_SCOPES} scopes")) } else { Ok(parsed) }
}

fn parse_issuer(text: &str) -> Result<Url, &'static str> {
    let url = parse_address(text)?;
    if url.query().is_some() { Err("an issuer has no part after ?") } else { Ok(url) }
}

pub(super) fn needed(text: &str, what: &str) -> Result<Url, String> {
    match text.trim() {
        "" => Err(format!("enter the address {what}")),
        text => parse_address(text).map_err(str::to_owned),
    }
}

pub(super) fn optional(text: &str) -> Result<Option<Url>, &'static str> {
    match text.trim() {
        "" => Ok(None),
        text => parse_address(text).map(Some),
    }
}

fn parse_address(text: &str) -> Result<Url, &'static str> {
    let has_space = text.chars().any(|c| c.is_control() || c.is_whitespace());
    let url = address(text).filter(|_| !has_space);
    url.ok_or(
        "write a full address such as https://id.example.com/oauth/token, without a name, a password or a #",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_github() -> ProviderForm {
        ProviderForm {
            preset: "github".to_owned(),
            client_id: "Iv1.x".to_owned(),
            client_secret: Some("s3cret".to_owned().into()),
            ..ProviderForm::default()
        }
    }

    fn of_custom() -> ProviderForm {
        ProviderForm {
            name: "Ours".to_owned(),
            authorize_url: "https://id.example/authorize".to_owned(),
            token_url: "https://id.example/token".to_owned(),
            client_id: "c".to_owned(),
            client_auth: "none".to_owned(),
            ..ProviderForm::default()
        }
    }

    fn fields(form: &ProviderForm) -> Vec<&'static str> {
        NewProvider::parse(form).expect_err("faults").iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn a_preset_needs_a_client_and_nothing_else() {
        let (new, source, secret) = NewProvider::parse(&of_github()).expect("a provider");
        assert_eq!(
            (new.slug.as_str(), new.name.as_str(), new.scopes),
            ("github", "GitHub (OAuth app)", None)
        );
        assert!(matches!(source, NewSource::Known(ProviderSource::Preset { .. })) && secret.is_some());
        assert_eq!(
            fields(&ProviderForm { preset: "github".to_owned(), ..ProviderForm::default() }),
            ["client_id", "client_secret"]
        );
        assert_eq!(
            fields(&ProviderForm { preset: "nobody".to_owned(), name: "x".to_owned(), ..of_github() }),
            ["preset"]
        );
        assert_eq!(
            fields(&ProviderForm { token_url: "https://evil.example".to_owned(), ..of_github() }),
            ["token_url"]
        );
        let host = Facts::from([("host".to_owned(), "evil.example".to_owned())]);
        assert_eq!(fields(&ProviderForm { variables: host, ..of_github() }), ["variables"]);
        assert_eq!(
            fields(&ProviderForm { user_scopes: vec!["a".to_owned()], ..of_github() }),
            ["user_scopes"]
        );
        let slack = ProviderForm {
            preset: "slack".to_owned(),
            user_scopes: vec!["search:read".to_owned()],
            ..of_github()
        };
        assert!(NewProvider::parse(&slack).is_ok());
    }

    #[test]
    fn addresses_of_ones_own_are_read_as_such() {
        assert!(NewProvider::parse(&of_custom()).is_ok());
        assert_eq!(
            fields(&ProviderForm { client_auth: "basic".to_owned(), ..of_custom() }),
            ["client_secret"]
        );
        assert_eq!(fields(&ProviderForm { client_auth: "smoke".to_owned(), ..of_custom() }), ["client_auth"]);
        let signing = ProviderForm { client_auth: "private_key_jwt".to_owned(), ..of_custom() };
        let (_, source, secret) = NewProvider::parse(&signing).expect("a client that signs");
        assert!(source.signs() && secret.is_none());
        let both = ProviderForm { client_secret: Some("s".to_owned().into()), ..signing };
        assert_eq!(fields(&both), ["client_secret"]);
        for bad in [
            "id.example",
            "ftp://id.example/",
            "https://a:b@id.example/",
            "https://id.example/#x",
            "https://id example/",
        ] {
            assert_eq!(
                fields(&ProviderForm { token_url: bad.to_owned(), ..of_custom() }),
                ["token_url"],
                "{bad}"
            );
        }
        assert_eq!(
            fields(&ProviderForm { revoke_url: "x".to_owned(), pkce: "y".to_owned(), ..of_custom() }),
            ["revoke_url", "pkce"]
        );
    }

    #[test]
    fn an_issuer_alone_is_to_be_asked() {
        let form = ProviderForm {
            issuer: " https://id.example/t ".to_owned(),
            client_id: "c".to_owned(),
            client_secret: Some("s".to_owned().into()),
            ..ProviderForm::default()
        };
        let (new, source, _) = NewProvider::parse(&form).expect("a provider");
        assert_eq!((new.name.as_str(), new.slug.as_str()), ("id.example", "id-example"));
        assert!(matches!(source, NewSource::Discover { issuer, .. } if issuer == "https://id.example/t"));
        assert_eq!(
            fields(&ProviderForm {
                issuer: "https://id.example/?a".to_owned(),
                name: "x".to_owned(),
                ..form
            }),
            ["issuer"]
        );
    }

    #[test]
    fn scopes_are_bounded_and_named_once() {
        let scopes =
            |list: &[&str]| parse_scopes(&list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(scopes(&[" a ", "b", "a", ""]), Ok(vec!["a".to_owned(), "b".to_owned()]));
        for bad in ["a b", "a,b", "a\"b", "é", &"a".repeat(301)] {
            assert!(scopes(&[bad]).is_err(), "{bad}");
        }
        let many: Vec<_> = (0..=MOST_SCOPES).map(|n| format!("s{n}")).collect();
        assert!(parse_scopes(&many).is_err());
    }

    #[test]
    fn no_fault_repeats_a_secret_and_no_page_is_shadowed() {
        let secret = Secret::new("s3cret\n7".to_owned());
        assert!(parse_secret(&secret).is_err_and(|fault| !fault.contains("s3cret")));
        assert!(!format!("{:?}", of_github()).contains("s3cret"));
        for page in ["new", "presets"] {
            assert_eq!(fields(&ProviderForm { slug: page.to_owned(), ..of_github() }), ["slug"]);
        }
    }
}
