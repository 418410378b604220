//! Addresses with gaps: `https://{shop}.myshopify.com/admin/oauth/access_token`.
//!
//! A client's secret is sent to such an address, so what fills a gap must not lead elsewhere (RFC 9700, section 4.4 has the
//! class of attack). Invariant: the host of a filled address is letter for letter what stood there with its gaps filled, and
//! matches the address's rule.

use std::{fmt, str::FromStr};

use regex::{Regex, RegexBuilder};
use url::{Position, Url};

use crate::base::secret::Secret;

const LONGEST: usize = 8_000;
/// Values longer than this fill no gap of a host (RFC 1035, section 2.3.4).
const LONGEST_IN_HOST: usize = 253;

/// A pattern that a whole value has to match.
#[derive(Clone)]
pub struct Rule(Regex);

impl Rule {
    /// Whether the whole value matches.
    pub fn admits(&self, value: &str) -> bool {
        self.0.is_match(value)
    }
}

impl FromStr for Rule {
    type Err = BadAddress;

    fn from_str(pattern: &str) -> Result<Self, BadAddress> {
        // Anchored here, so that no pattern can forget it.
        let anchored = format!(r"\A(?:{pattern})\z");
        let built = RegexBuilder::new(&anchored).size_limit(1 << 18).build();
        built.map(Self).map_err(|_| BadAddress::Rule)
    }
}

impl<'de> serde::Deserialize<'de> for Rule {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

/// A URL, perhaps with gaps.
#[derive(Clone, Debug)]
pub struct Address {
    scheme: &'static str,
    host: Vec<Piece>,
    rest: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Gap(String),
}

/// Why a text is no address with gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// No https URL, or a brace too many.
    #[error("an address is an https URL with gaps such as {{host}}")]
    Address,
    /// No pattern.
    #[error("the rule is no pattern")]
    Rule,
}

/// Why an address or a request could not be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfilled {
    /// Nothing is known to fill this gap with.
    #[error("nothing is known for `{0}`")]
    Missing(String),
    /// The value may not stand there.
    #[error("the value for `{0}` may not stand in an address")]
    Value(String),
    /// The host is none that the rule admits.
    #[error("the address would lead to a host that the provider does not use")]
    Astray,
}

impl Address {
    /// An address without gaps.
    pub fn fixed(url: &Url) -> Self {
        let scheme = if url.scheme() == "http" { "http" } else { "https" };
        let host = url[Position::BeforeHost..Position::AfterPort].to_owned();
        let rest = url[Position::BeforePath..Position::AfterQuery].to_owned();
        Self { scheme, host: vec![Piece::Text(host)], rest: vec![Piece::Text(rest)] }
    }

    /// The names of the gaps.
    pub fn gaps(&self) -> impl Iterator<Item = &str> {
        self.host.iter().chain(&self.rest).filter_map(Piece::gap)
    }

    /// Whether a value decides which host is called.
    pub fn has_open_host(&self) -> bool {
        self.host.iter().any(|piece| piece.gap().is_some())
    }

    /// The host where no value decides it.
    pub fn host(&self) -> Option<&str> {
        match self.host.as_slice() {
            [Piece::Text(host)] => Some(host),
            _ => None,
        }
    }

    /// Fills the gaps.
    ///
    /// # Errors
    /// Every reason why nothing may be sent there; see [`Unfilled`].
    pub fn fill<'v>(
        &self,
        rule: Option<&Rule>,
        value: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<Secret<String>, Unfilled> {
        let mut host = String::new();
        for piece in &self.host {
            match piece {
                Piece::Text(text) => host.push_str(text),
                Piece::Gap(name) => {
                    let value = value(name).ok_or_else(|| Unfilled::Missing(name.clone()))?;
                    if !is_for_host(value) {
                        return Err(Unfilled::Value(name.clone()));
                    }
                    host.push_str(value);
                }
            }
        }
        if rule.is_some_and(|rule| self.has_open_host() && !rule.admits(&host)) {
            return Err(Unfilled::Astray);
        }
        let mut text = format!("{}://{host}", self.scheme);
        for piece in &self.rest {
            match piece {
                Piece::Text(rest) => text.push_str(rest),
                Piece::Gap(name) => {
                    let value = value(name).ok_or_else(|| Unfilled::Missing(name.clone()))?;
                    // Dots alone would be taken for a step up the path.
                    if value.is_empty() || value.bytes().all(|b| b == b'.') {
                        return Err(Unfilled::Value(name.clone()));
                    }
                    push_encoded(&mut text, value);
                }
            }
        }
        is_at(&text, &host).then(|| Secret::new(text)).ok_or(Unfilled::Astray)
    }
}

impl Piece {
    fn gap(&self) -> Option<&str> {
        match self {
            Self::Gap(name) => Some(name),
            Self::Text(_) => None,
        }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let inner = text.strip_prefix("https://").ok_or(BadAddress::Address)?;
        let end = inner.find(['/', '?']).unwrap_or(inner.len());
        let (host, rest) = inner.split_at(end);
        let is_host = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.{}_".contains(c);
        if host.is_empty() || !host.chars().all(is_host) || rest.contains(['#', '\\', ' ']) {
            return Err(BadAddress::Address);
        }
        Ok(Self { scheme: "https", host: pieces(host)?, rest: pieces(rest)? })
    }
}

impl<'de> serde::Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        for piece in self.host.iter().chain(&self.rest) {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Gap(name) => write!(f, "{{{name}}}")?,
            }
        }
        Ok(())
    }
}

fn pieces(mut text: &str) -> Result<Vec<Piece>, BadAddress> {
    let mut pieces = Vec::new();
    while !text.is_empty() {
        let start = text.find('{').unwrap_or(text.len());
        let (before, after) = text.split_at(start);
        if before.contains('}') {
            return Err(BadAddress::Address);
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let Some(after) = after.strip_prefix('{') else { break };
        let (name, behind) = after.split_once('}').ok_or(BadAddress::Address)?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return Err(BadAddress::Address);
        }
        pieces.push(Piece::Gap(name.to_owned()));
        text = behind;
    }
    Ok(pieces)
}

fn is_for_host(value: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    !value.is_empty() && value.len() <= LONGEST_IN_HOST && value.bytes().all(is_plain)
}

/// Everything but the unreserved characters of RFC 3986, section 2.3.
fn push_encoded(text: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
}

/// Whether readers of URLs agree that it leads to exactly this host.
fn is_at(text: &str, host: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    is_bare && text.len() <= LONGEST && &url[Position::BeforeHost..Position::AfterPort] == host
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    fn filled(text: &str, rule: &str, value: &str) -> Result<String, Unfilled> {
        let rule: Rule = rule.parse().expect("a rule");
        address(text).fill(Some(&rule), |_| Some(value)).map(|url| url.expose().clone())
    }

    #[test]
    fn gaps_are_filled_in_host_path_and_query() {
        let shop = "https://{shop}.example.com/admin/token";
        assert_eq!(
            filled(shop, r".*\.example\.com", "acme"),
            Ok("https://acme.example.com/admin/token".into())
        );
        let app = "https://api.example.com/apps/{id}/token?of={id}";
        let url = filled(app, "never", "a/b?c=d&e#f@g").expect("encoded");
        assert_eq!(
            url,
            "https://api.example.com/apps/a%2Fb%3Fc%3Dd%26e%23f%40g/token?of=a%2Fb%3Fc%3Dd%26e%23f%40g"
        );
        assert_eq!(address(app).to_string(), app);
        assert_eq!(address(app).gaps().collect::<Vec<_>>(), ["id", "id"]);
    }

    #[test]
    fn values_that_would_lead_elsewhere_are_refused() {
        let shop = "https://{shop}.example.com/token";
        for value in [
            "",
            "evil.example/",
            "evil.example#",
            "evil.example?",
            "a@evil.example",
            "a:b@evil.example",
            "a\\b",
            "A",
            "ａ",
            "a b",
            "a\n",
            "a\t",
            "a%2e",
            "a:443",
            "[::1]",
            "..",
            "evil.com/.",
            "é",
            "\u{202e}",
        ] {
            let refused = filled(shop, r"[a-z0-9-]+\.example\.com", value);
            assert!(refused.is_err(), "{value:?} gave {refused:?}");
        }
        // A rule that forgot its anchors is anchored.
        assert!(
            filled("https://{host}/token", r"login\.example\.com", "login.example.com.evil.example").is_err()
        );
        assert!(filled("https://{host}/token", "a|b", "ab").is_err());
        // Readers of URLs turn these into an address.
        for number in ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"] {
            assert_eq!(filled("https://{host}/", ".*", number), Err(Unfilled::Astray), "{number}");
        }
        for dots in [".", ".."] {
            assert!(filled("https://a.example/{x}/b", ".*", dots).is_err());
        }
    }

    #[test]
    fn an_unknown_gap_is_named_and_no_value_is() {
        let missing = address("https://a.example/{x}").fill(None, |_| None);
        assert_eq!(missing.expect_err("missing"), Unfilled::Missing("x".to_owned()));
        let bad = address("https://{x}.example/").fill(None, |_| Some("s3cret!")).expect_err("bad");
        assert!(!format!("{bad} {bad:?}").contains("s3cret"));
    }

    #[test]
    fn texts_that_are_no_addresses_are_refused() {
        for text in [
            "http://a.example/",
            "https://",
            "https:///x",
            "https://a@b.example/",
            "https://a.example/{",
            "https://}/",
            "https://a.example/{}",
            "https://a.example/{A}",
            "https://a.example/#x",
            "https://a.example:8080/",
            "https://A.example/",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        assert!("(".parse::<Rule>().is_err());
    }

    #[test]
    fn a_fixed_address_stays_as_it_is() {
        for text in ["http://127.0.0.1:9999/token?x=%7Ba%7D", "https://a.example/t/{not}"] {
            let url = Url::parse(text).expect("a URL");
            let address = Address::fixed(&url);
            assert_eq!(address.gaps().count(), 0);
            assert_eq!(address.fill(None, |_| None).expect("no gap").expose(), url.as_str());
        }
    }

    proptest! {
        #[test]
        fn no_value_changes_the_host(value in "\\PC{0,40}", odd in "[a-z./@:#?%\\\\ -]{0,20}") {
            for value in [&value, &odd] {
                for text in ["https://{x}.example.com/t", "https://fixed.example.com/{x}/t?a={x}"] {
                    if let Ok(url) = filled(text, r"[a-z0-9-]+(\.eu)?\.example\.com", value) {
                        let url = Url::parse(&url).expect("filled");
                        prop_assert!(url.host_str().is_some_and(|host| host.ends_with(".example.com")));
                        prop_assert!(url.username().is_empty() && url.fragment().is_none());
                        prop_assert_eq!(url.port_or_known_default(), Some(443));
                    }
                }
            }
        }
    }
}
