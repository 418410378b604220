//! Taking a credential that somebody typed: which headers may be set, and with what.

use std::{collections::HashSet, str::FromStr};

use crate::{
    base::{
        faults::Faults,
        secret::Secret,
        secret_name::{BadSecretName, SecretName},
    },
    domain::servers::{
        Credential, CredentialSource, CredentialTarget,
        credentials::{NotASource, NotATarget, SLOT, fill},
    },
};

/// How many credentials a server may have.
const MOST: usize = 20;
const LONGEST_NAME: usize = 200;
const LONGEST_VALUE: usize = 8_000;
const LONGEST_TEMPLATE: usize = 500;

/// Header fields that the exchange itself needs, that concern one hop only (RFC 9110, section 7.6.1), or that say
/// who calls whom; a credential that set one would break the exchange or speak for somebody else.
const RESERVED_HEADERS: [&str; 40] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "alt-svc",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "keep-alive",
    "last-event-id",
    "max-forwards",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-http-method-override",
];

/// Families of header fields that are not to be set either.
const RESERVED_PREFIXES: [&str; 4] = ["x-forwarded-", "mcp-param-", "sec-", "access-control-"];

/// A credential as somebody typed it.
#[derive(Clone, Debug, Default)]
pub struct CredentialForm {
    /// `header` or `query`.
    pub target: String,
    /// The header's or parameter's name.
    pub name: String,
    /// Where the value comes from; `static` when left empty.
    pub source: String,
    /// The secret's name, where the value is that of one.
    pub secret: String,
    /// The provider, by slug or id, where the value is a token of an account there.
    pub provider: String,
    /// The text around the value; only the value when left empty.
    pub template: String,
    /// The value; left out, the one stored under this name stays.
    pub value: Option<Secret<String>>,
}

/// A credential that may be stored.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// Where in a request it stands.
    pub target: CredentialTarget,
    /// The header's or parameter's name.
    pub name: String,
    /// Where the value comes from.
    pub source: CredentialSource,
    /// The secret's name, where the value is that of one.
    pub secret: Option<SecretName>,
    /// The provider as it was typed, where the value is a token of an account there.
    pub provider: Option<String>,
    /// The text around the value.
    pub template: String,
    /// The value; left out, the one stored under this name stays.
    pub value: Option<Secret<String>>,
}

impl NewCredential {
    /// Takes what somebody typed.
    ///
    /// # Errors
    /// Every fault with its field: `target`, `name`, `source`, `secret`, `provider`, `template`, `value`.
    pub fn parse(form: &CredentialForm) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let target = faults.check("target", parse_target(&form.target));
        let name = target.and_then(|target| faults.check("name", parse_name(target, &form.name)));
        let source = faults.check("source", parse_source(&form.source));
        let secret = source.and_then(|source| faults.check("secret", parse_secret(source, &form.secret)));
        let provider =
            source.and_then(|source| faults.check("provider", parse_provider(source, &form.provider)));
        let template = faults.check("template", parse_template(&form.template));
        let value = form.value.as_ref().filter(|value| !value.expose().is_empty());
        if let (Some(target), Some(value)) = (target, value) {
            faults.check("value", check_value(target, value.expose()));
        }
        if value.is_some() && source.is_some_and(|source| source != CredentialSource::Static) {
            faults.add("value", BadCredential::TwoValues.to_string());
        }
        let value = value.cloned();
        match (target, name, source, secret.zip(provider), template) {
            (Some(target), Some(name), Some(source), Some((secret, provider)), Some(template)) => {
                faults.into_result(Self { target, name, source, secret, provider, template, value })
            }
            _ => Err(faults),
        }
    }

    /// Takes all credentials of a server at once.
    ///
    /// # Errors
    /// The faults of each, with its place in the list; and of `credentials` where there are too many or two of one
    /// name.
    pub fn parse_all(forms: &[CredentialForm]) -> Result<Vec<Self>, Faults> {
        let mut faults = Faults::default();
        if forms.len() > MOST {
            faults.add("credentials", format!("a server has at most {MOST} credentials"));
        }
        let mut parsed = Vec::new();
        for (position, form) in forms.iter().take(MOST).enumerate() {
            match Self::parse(form) {
                Ok(credential) => parsed.push(credential),
                Err(wrong) => {
                    for fault in &wrong {
                        faults.add(fault.field, format!("credential {}: {}", position + 1, fault.message));
                    }
                }
            }
        }
        let mut seen = HashSet::new();
        for credential in &parsed {
            if !seen.insert((credential.target, credential.name.to_lowercase())) {
                let name = &credential.name;
                faults.add("credentials", format!("{name} stands here twice; keep one of them"));
            }
        }
        faults.into_result(parsed)
    }

    /// The whole text that goes out with a value.
    pub fn filled(&self, value: &Secret<String>) -> Secret<String> {
        fill(&self.template, value)
    }

    /// Whether a stored credential is the one that this takes the place of.
    pub fn replaces(&self, stored: &Credential) -> bool {
        self.target == stored.target && self.name.eq_ignore_ascii_case(&stored.name)
    }
}

/// The name of a header field that a credential may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(String);

/// Why a text is no credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredential {
    /// No place.
    #[error(transparent)]
    Target(#[from] NotATarget),
    /// There is no process to give a variable to.
    #[error("env goes with stdio servers; choose header or query")]
    Env,
    /// No name.
    #[error("enter a name")]
    NoName,
    /// The name is too long.
    #[error("use at most {LONGEST_NAME} characters")]
    LongName,
    /// No field name by RFC 9110, section 5.1.
    #[error("a header's name has only letters, digits and the marks ! # $ % & ' * + - . ^ _ ` | ~")]
    NotAToken,
    /// A field that is not ours to set.
    #[error("`{0}` belongs to the exchange itself; choose another header")]
    Reserved(String),
    /// Something that cannot be shown.
    #[error("leave out spaces and control characters")]
    Control,
    /// No source.
    #[error(transparent)]
    Source(#[from] NotASource),
    /// An account is asked for, and at which provider is not said.
    #[error("name the provider at which whoever calls has an account")]
    NoProvider,
    /// A provider is named, and no account is asked for.
    #[error("name a provider only where the value comes from a connected account")]
    ProviderUnasked,
    /// No name of a secret.
    #[error(transparent)]
    Secret(#[from] BadSecretName),
    /// A secret is named, and its value is not asked for.
    #[error("name a secret only where the value comes from one")]
    SecretUnasked,
    /// A value beside that of a secret.
    #[error("leave it empty; the value is that of the secret or of the account")]
    TwoValues,
    /// The template is too long.
    #[error("use at most {LONGEST_TEMPLATE} characters")]
    LongTemplate,
    /// The template has not exactly one slot.
    #[error("write {{value}} exactly once, where the value goes, as in Bearer {{value}}")]
    Slot,
    /// Something that no request can carry.
    #[error("use only printable characters of ASCII")]
    Unprintable,
    /// The value is too long.
    #[error("use at most {LONGEST_VALUE} characters")]
    LongValue,
    /// White space that would be lost on the way.
    #[error("leave out the spaces at the beginning and the end")]
    Padded,
}

impl FromStr for HeaderName {
    type Err = BadCredential;

    fn from_str(text: &str) -> Result<Self, BadCredential> {
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if !text.bytes().all(is_token) {
            return Err(BadCredential::NotAToken);
        }
        let lower = text.to_ascii_lowercase();
        let is_reserved = RESERVED_HEADERS.contains(&lower.as_str())
            || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
        if is_reserved { Err(BadCredential::Reserved(text.to_owned())) } else { Ok(Self(text.to_owned())) }
    }
}

fn parse_target(text: &str) -> Result<CredentialTarget, BadCredential> {
    match text.trim().parse()? {
        CredentialTarget::Env => Err(BadCredential::Env),
        target => Ok(target),
    }
}

fn parse_name(target: CredentialTarget, text: &str) -> Result<String, BadCredential> {
    let text = text.trim();
    if text.is_empty() {
        return Err(BadCredential::NoName);
    }
    if text.chars().count() > LONGEST_NAME {
        return Err(BadCredential::LongName);
    }
    match target {
        CredentialTarget::Header => text.parse::<HeaderName>().map(|name| name.0),
        CredentialTarget::Query | CredentialTarget::Env => {
            let is_bad = |c: char| c.is_control() || c.is_whitespace();
            if text.chars().any(is_bad) { Err(BadCredential::Control) } else { Ok(text.to_owned()) }
        }
    }
}

fn parse_source(text: &str) -> Result<CredentialSource, BadCredential> {
    match text.trim() {
        "" => Ok(CredentialSource::Static),
        text => Ok(text.parse()?),
    }
}

fn parse_secret(source: CredentialSource, text: &str) -> Result<Option<SecretName>, BadCredential> {
    match (source.is_secret(), text.trim()) {
        (true, text) => Ok(Some(text.parse::<SecretName>()?)),
        (false, "") => Ok(None),
        (false, _) => Err(BadCredential::SecretUnasked),
    }
}

fn parse_provider(source: CredentialSource, text: &str) -> Result<Option<String>, BadCredential> {
    match (source, text.trim()) {
        (CredentialSource::Oauth, "") => Err(BadCredential::NoProvider),
        (CredentialSource::Oauth, text) => Ok(Some(text.to_owned())),
        (_, "") => Ok(None),
        (_, _) => Err(BadCredential::ProviderUnasked),
    }
}

fn parse_template(text: &str) -> Result<String, BadCredential> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(SLOT.to_owned());
    }
    if text.len() > LONGEST_TEMPLATE {
        return Err(BadCredential::LongTemplate);
    }
    if !is_printable(text) {
        return Err(BadCredential::Unprintable);
    }
    if text.matches(SLOT).count() == 1 { Ok(text.to_owned()) } else { Err(BadCredential::Slot) }
}

fn check_value(target: CredentialTarget, value: &str) -> Result<(), BadCredential> {
    if value.len() > LONGEST_VALUE {
        return Err(BadCredential::LongValue);
    }
    if value.trim() != value {
        return Err(BadCredential::Padded);
    }
    let is_fine = match target {
        CredentialTarget::Header => is_printable(value),
        CredentialTarget::Query | CredentialTarget::Env => !value.chars().any(char::is_control),
    };
    if is_fine { Ok(()) } else { Err(BadCredential::Unprintable) }
}

/// What a header field may hold by RFC 9110, section 5.5, without the bytes that only old senders use.
fn is_printable(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::CredentialId;

    fn form(target: &str, name: &str, value: &str) -> CredentialForm {
        CredentialForm {
            target: target.to_owned(),
            name: name.to_owned(),
            value: Some(Secret::new(value.to_owned())),
            ..CredentialForm::default()
        }
    }

    fn fault(form: &CredentialForm) -> String {
        NewCredential::parse(form).expect_err("faults").to_string()
    }

    #[test]
    fn a_header_is_taken_as_typed_and_its_template_is_filled() {
        let typed = CredentialForm {
            template: "Bearer {value}".to_owned(),
            ..form("header", "Authorization", "x$&y")
        };
        let new = NewCredential::parse(&typed).expect("a credential");
        assert_eq!((new.name.as_str(), new.template.as_str()), ("Authorization", "Bearer {value}"));
        let stored = Credential {
            id: CredentialId::fresh(),
            target: new.target,
            name: "authorization".to_owned(),
            source: CredentialSource::Static,
            provider: None,
            secret: None,
            template: new.template.clone(),
            value: None,
        };
        assert!(new.replaces(&stored));
        assert_eq!(stored.filled(&Secret::new("{value}".to_owned())).expose(), "Bearer {value}");
        assert!(!format!("{new:?}").contains("x$&y"));
    }

    #[test]
    fn headers_of_the_exchange_are_refused_in_any_case() {
        for name in
            ["Host", "content-LENGTH", "Mcp-Session-Id", "X-Forwarded-For", "Sec-Fetch-Site", "TE", "Cookie"]
        {
            assert!(fault(&form("header", name, "x")).contains("belongs to the exchange"), "{name}");
        }
        for name in ["X Y", "Naïve", "A:B", "A\r\nB", "(x)"] {
            assert!(fault(&form("header", name, "x")).contains("only letters"), "{name}");
        }
    }

    #[test]
    fn values_cannot_break_out_of_their_line() {
        for value in ["a\r\nX-Evil: 1", "a\0", "schön", " a", "a\t", &"x".repeat(8_001)] {
            assert!(NewCredential::parse(&form("header", "X-Key", value)).is_err(), "{value:?}");
        }
        assert!(NewCredential::parse(&form("query", "key", "schön & gut")).is_ok());
        assert!(NewCredential::parse(&form("query", "key", "a\nb")).is_err());
    }

    #[test]
    fn what_cannot_work_yet_is_told_apart_from_what_is_wrong() {
        let asking = |source: &str, provider: &str, value: &str| CredentialForm {
            source: source.to_owned(),
            provider: provider.to_owned(),
            ..form("header", "X-Key", value)
        };
        assert!(fault(&asking("oauth", "", "")).starts_with("provider: name the provider"));
        assert!(fault(&asking("oauth", "github", "x")).starts_with("value: leave it empty"));
        assert!(fault(&asking("static", "github", "x")).starts_with("provider: name a provider only"));
        let good = NewCredential::parse(&asking("oauth", " github ", "")).expect("a credential");
        assert_eq!(good.provider.as_deref(), Some("github"));
        assert!(fault(&form("env", "TOKEN", "x")).contains("stdio"));
        assert!(fault(&form("cookie", "a", "x")).contains("choose header or query"));
    }

    #[test]
    fn a_secret_is_named_and_brings_its_own_value() {
        let asking = |source: &str, secret: &str, value: &str| CredentialForm {
            source: source.to_owned(),
            secret: secret.to_owned(),
            ..form("header", "X-Key", value)
        };
        for source in ["org_secret", "team_secret", "user_secret"] {
            let new = NewCredential::parse(&asking(source, " github_token ", "")).expect("a credential");
            assert_eq!(new.secret.map(|name| name.to_string()).as_deref(), Some("github_token"));
            assert_eq!((new.source.as_str(), new.value.is_none()), (source, true));
            assert!(fault(&asking(source, "", "")).starts_with("secret: enter a name"));
            assert!(fault(&asking(source, "No Name", "")).starts_with("secret: use only"));
            assert!(fault(&asking(source, "x", "y")).starts_with("value: leave it empty"));
        }
        assert!(fault(&asking("static", "x", "y")).starts_with("secret: name a secret only"));
        assert!(NewCredential::parse(&asking("", "", "y")).is_ok());
    }

    #[test]
    fn a_template_has_one_slot() {
        for template in ["Bearer", "{value}{value}", "{value}\r\nX: 1", &format!("{SLOT}{}", "x".repeat(500))]
        {
            let typed = CredentialForm { template: template.to_owned(), ..form("header", "X-Key", "x") };
            assert!(fault(&typed).starts_with("template:"), "{template}");
        }
    }

    #[test]
    fn a_list_names_the_place_of_each_fault_and_refuses_doubles() {
        let forms = [form("header", "X-Key", "a"), form("header", "Host", "b"), form("header", "x-key", "c")];
        let told = NewCredential::parse_all(&forms).expect_err("faults").to_string();
        assert!(told.contains("credential 2: `Host`"), "{told}");
        assert!(told.contains("x-key stands here twice"), "{told}");
        let many = vec![form("query", "a", "b"); 21];
        assert!(NewCredential::parse_all(&many).is_err());
    }
}
