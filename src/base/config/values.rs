//! From the text of a setting to a value that cannot be wrong.
//!
//! Invariant: what a parser complains about never repeats the text of a secret.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ipnet::IpNet;
use url::Url;
use zeroize::Zeroizing;

use crate::base::{
    config::{EgressRule, LogFormat, MasterKey, SmtpTls},
    email::Email,
    secret::Secret,
};

/// A value of the setting, or what is wrong with the text.
pub(super) type Parsed<T> = Result<T, String>;

/// Puts quotation marks around what somebody wrote.
pub(super) fn quote(text: &str) -> String {
    format!("“{}”", text.escape_debug())
}

pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    std::path::absolute(Path::new(text)).map_err(|_| "name a folder or file".to_owned())
}

pub(super) fn address(text: &str) -> Parsed<SocketAddr> {
    let text = text.strip_prefix("localhost:").map_or(text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| format!("{} is no address and port such as 127.0.0.1:8080", quote(&text)))
}

pub(super) fn address_or_off(text: &str) -> Parsed<Option<SocketAddr>> {
    if text == "off" { Ok(None) } else { address(text).map(Some) }
}

pub(super) fn base_url(text: &str) -> Parsed<Url> {
    let wrong = || format!("{} is no address such as https://portreeve.example.com", quote(text));
    let url = Url::parse(text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("leave out everything after the host and port".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("leave out user name and password".to_owned());
    }
    Ok(url)
}

pub(super) fn database_url(text: &str) -> Parsed<Secret<String>> {
    let fits = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql"));
    if fits {
        Ok(Secret::new(text.to_owned()))
    } else {
        Err("write it as postgres://USER:PASSWORD@HOST/DATABASE".to_owned())
    }
}

pub(super) fn collector_url(text: &str) -> Parsed<Url> {
    let fits = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    Url::parse(text).ok().filter(fits).ok_or_else(|| format!("{} is no http or https address", quote(text)))
}

pub(super) fn connections(text: &str) -> Parsed<u32> {
    let number = text.parse().ok().filter(|number| (2..=1000).contains(number));
    number.ok_or_else(|| format!("{} is no number from 2 to 1000", quote(text)))
}

pub(super) fn port(text: &str) -> Parsed<u16> {
    text.parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("{} is no port from 1 to 65535", quote(text)))
}

pub(super) fn truth(text: &str) -> Parsed<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{} is neither true nor false", quote(text))),
    }
}

pub(super) fn text(text: &str) -> Parsed<String> {
    Ok(text.to_owned())
}

pub(super) fn secret(text: &str) -> Parsed<Secret<String>> {
    Ok(Secret::new(text.to_owned()))
}

pub(super) fn smtp_tls(text: &str) -> Parsed<SmtpTls> {
    match text {
        "tls" => Ok(SmtpTls::Tls),
        "starttls" => Ok(SmtpTls::StartTls),
        "none" => Ok(SmtpTls::None),
        "none-anywhere" => Ok(SmtpTls::NoneAnywhere),
        _ => Err(format!("{} is none of tls, starttls, none and none-anywhere", quote(text))),
    }
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{} is neither text nor json", quote(text))),
    }
}

pub(super) fn log_filter(text: &str) -> Parsed<String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("{} is no filter such as info or portreeve=debug,sqlx=warn", quote(text))),
    }
}

/// `Portreeve <portreeve@example.com>`, or the bare address.
pub(super) fn sender(text: &str) -> Parsed<String> {
    let bare = text.strip_suffix('>').and_then(|text| text.rsplit_once('<')).map_or(text, |(_, bare)| bare);
    match bare.parse::<Email>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("{} is no sender such as Portreeve <portreeve@example.com>", quote(text))),
    }
}

/// The items of a list, which commas separate.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

pub(super) fn networks(text: &str) -> Parsed<Vec<IpNet>> {
    let one = |item| network(item).ok_or_else(|| format!("{} is no network such as 10.0.0.0/8", quote(item)));
    items(text).map(one).collect()
}

pub(super) fn egress(text: &str) -> Parsed<Vec<EgressRule>> {
    items(text).map(egress_rule).collect()
}

/// `10.0.0.0/8`, `10.0.0.0/8:443`, `fd00::/8`, `[fd00::/8]:443`; without a length, one address.
fn egress_rule(item: &str) -> Parsed<EgressRule> {
    let wrong = || format!("{} is no network such as 10.0.0.0/8 or 10.0.0.0/8:443", quote(item));
    if let Some(network) = network(item) {
        return Ok(EgressRule { network, port: None });
    }
    let (left, right) = item.rsplit_once(':').ok_or_else(wrong)?;
    let left = left.strip_prefix('[').and_then(|left| left.strip_suffix(']')).unwrap_or(left);
    let network = network(left).ok_or_else(wrong)?;
    let port = right.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    Ok(EgressRule { network, port: Some(port) })
}

/// `k2:BASE64,k1:BASE64`: the first seals, all open.
///
/// # Errors
/// What is wrong, without a word of the key itself.
pub fn master_keys(text: &str) -> Parsed<Vec<MasterKey>> {
    let mut keys: Vec<MasterKey> = Vec::new();
    for (number, item) in (1..).zip(items(text)) {
        let (id, encoded) =
            item.split_once(':').ok_or_else(|| format!("key number {number} is not written as ID:BASE64"))?;
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if id.is_empty() || id.len() > 32 || !id.chars().all(letter) {
            return Err(format!(
                "the id of key number {number} needs 1 to 32 lower-case letters, digits or hyphens"
            ));
        }
        if keys.iter().any(|key| key.id == id) {
            return Err(format!("two keys have the id {id}"));
        }
        let bytes = STANDARD.decode(encoded).map(Zeroizing::new).ok();
        let bytes: [u8; 32] = bytes.and_then(|bytes| bytes.as_slice().try_into().ok()).ok_or_else(|| {
            format!("the key {id} is not 32 bytes in base64; make one with: openssl rand -base64 32")
        })?;
        keys.push(MasterKey { id: id.to_owned(), key: Secret::new(bytes) });
    }
    if keys.is_empty() { Err("name at least one key".to_owned()) } else { Ok(keys) }
}
