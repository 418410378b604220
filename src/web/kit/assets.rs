//! The static files: stylesheet, scripts, fonts and icons, served from the binary.
//!
//! Every address carries a hash of the content: a file may be kept forever, a new release is seen at once.
//! The stylesheet is joined from `static/css/` here, with the fonts' hashed addresses written into it.
//!
//! Invariant: an address names its content; the same address never answers with other bytes.

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{LazyLock, OnceLock},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::RustEmbed;

use crate::base::crypto::digest;

/// Where the static files live.
pub const PREFIX: &str = "/static/";

/// The parts of the stylesheet, in the order of their layers.
const STYLES: [&str; 8] = ["tokens", "base", "shell", "parts", "forms", "overlays", "pages", "responsive"];

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/static"]
struct Files;

/// One file as it is served.
struct Asset {
    url: String,
    content_type: HeaderValue,
    hash: String,
    plain: Bytes,
    /// Packed when first asked for and kept; `None` inside when packing gains nothing.
    gzip: OnceLock<Option<Bytes>>,
    brotli: OnceLock<Option<Bytes>>,
}

/// All files, by name and by address.
struct Shelf {
    assets: Vec<Asset>,
    by_name: HashMap<String, usize>,
    by_url: HashMap<String, usize>,
}

static SHELF: LazyLock<Shelf> = LazyLock::new(Shelf::stock);

/// The address of a file by its name under `static/`; the joined stylesheet is `console.css`.
///
/// A name that does not exist gives an address that answers 404; a test reads every template for such names.
pub fn url(name: &str) -> &'static str {
    SHELF.by_name.get(name).map_or("/static/missing", |at| &SHELF.assets[*at].url)
}

/// Whether a file of that name exists.
pub fn exists(name: &str) -> bool {
    SHELF.by_name.contains_key(name)
}

/// Answers a request for `path` (with its leading `/static/`).
pub fn reply(path: &str, headers: &HeaderMap) -> Response {
    let Some(asset) = SHELF.by_url.get(path).map(|at| &SHELF.assets[*at]) else {
        return bare(StatusCode::NOT_FOUND);
    };
    let (body, coding) = asset.coded(headers);
    let etag = format!("\"{}{}\"", asset.hash, coding.map(|name| format!("-{name}")).unwrap_or_default());
    let known = header_text(headers, &header::IF_NONE_MATCH).split(',').any(|tag| tag.trim() == etag);
    let mut response = bare(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, asset.content_type.clone());
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    out.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    out.insert(header::ETAG, HeaderValue::from_str(&etag).expect("hex digits and letters make a header"));
    if let Some(name) = coding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    if !known {
        *response.body_mut() = Body::from(body);
    }
    response
}

/// The handler of `GET /static/{*path}`.
pub async fn serve(uri: http::Uri, headers: HeaderMap) -> Response {
    reply(uri.path(), &headers)
}

impl Shelf {
    fn stock() -> Self {
        let mut shelf = Self { assets: Vec::new(), by_name: HashMap::new(), by_url: HashMap::new() };
        for name in Files::iter().filter(|name| !name.starts_with("css/")) {
            shelf.put(&name, read(&name));
        }
        let mut style = String::new();
        for part in STYLES {
            let text = String::from_utf8(read(&format!("css/{part}.css")).to_vec());
            style.push_str(&lean(&text.expect("the stylesheet is written in UTF-8")));
        }
        let fonts: Vec<(String, String)> = shelf
            .by_name
            .iter()
            .filter(|(name, _)| name.starts_with("fonts/"))
            .map(|(name, at)| (format!("{PREFIX}{name}"), shelf.assets[*at].url.clone()))
            .collect();
        for (plain, hashed) in fonts {
            style = style.replace(&format!("\"{plain}\""), &format!("\"{hashed}\""));
        }
        shelf.put("console.css", Bytes::from(style));
        shelf
    }

    fn put(&mut self, name: &str, plain: Bytes) {
        let hash: String = digest::sha256(&plain).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let url = match name.rsplit_once('.') {
            Some((stem, ending)) => format!("{PREFIX}{stem}.{hash}.{ending}"),
            None => format!("{PREFIX}{name}.{hash}"),
        };
        let at = self.assets.len();
        self.by_name.insert(name.to_owned(), at);
        self.by_url.insert(url.clone(), at);
        let (gzip, brotli) = (OnceLock::new(), OnceLock::new());
        self.assets.push(Asset { url, content_type: content_type(name), hash, plain, gzip, brotli });
    }
}

impl Asset {
    /// The bytes in the best coding that the caller takes.
    fn coded(&self, headers: &HeaderMap) -> (Bytes, Option<&'static str>) {
        let accepted = header_text(headers, &header::ACCEPT_ENCODING);
        if takes(accepted, "br")
            && let Some(bytes) = self.brotli.get_or_init(|| gain(&self.plain, pack_brotli))
        {
            return (bytes.clone(), Some("br"));
        }
        if takes(accepted, "gzip")
            && let Some(bytes) = self.gzip.get_or_init(|| gain(&self.plain, pack_gzip))
        {
            return (bytes.clone(), Some("gzip"));
        }
        (self.plain.clone(), None)
    }
}

fn read(name: &str) -> Bytes {
    let file = Files::get(name).expect("the list of embedded files was just read");
    Bytes::from(file.data.into_owned())
}

/// Whether an `Accept-Encoding` names a coding without forbidding it (RFC 9110, section 12.5.3).
fn takes(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        named && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// The packed bytes, when they are smaller by more than a tenth; fonts are packed already.
fn gain(plain: &Bytes, pack: fn(&[u8]) -> std::io::Result<Vec<u8>>) -> Option<Bytes> {
    let packed = pack(plain).ok()?;
    (packed.len() * 10 < plain.len() * 9).then(|| Bytes::from(packed))
}

fn pack_gzip(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(plain)?;
    out.finish()
}

fn pack_brotli(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    {
        let mut out = brotli::CompressorWriter::new(&mut packed, 4096, 9, 22);
        out.write_all(plain)?;
    }
    Ok(packed)
}

/// The stylesheet without its comments and indentation; readers of the source keep both.
fn lean(style: &str) -> String {
    let mut rest = style;
    let mut bare = String::with_capacity(style.len());
    while let Some((before, after)) = rest.split_once("/*") {
        bare.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    bare.push_str(rest);
    let lines = bare.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.fold(String::new(), |mut out, line| {
        out.push_str(line);
        out.push('\n');
        out
    })
}

fn content_type(name: &str) -> HeaderValue {
    let guess = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    match guess {
        "text/css" => HeaderValue::from_static("text/css; charset=utf-8"),
        "text/javascript" | "application/javascript" => {
            HeaderValue::from_static("text/javascript; charset=utf-8")
        }
        "text/plain" => HeaderValue::from_static("text/plain; charset=utf-8"),
        other => HeaderValue::from_static(other),
    }
}

fn header_text<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// How many bytes travel under gzip, for the tests of the budgets.
#[cfg(test)]
pub(crate) fn packed(plain: &[u8]) -> usize {
    pack_gzip(plain).expect("packing into memory").len()
}

/// Writes all files under their addresses, so that example pages can be looked at from any file server.
#[cfg(test)]
pub(crate) fn write_to(folder: &std::path::Path) {
    for asset in &SHELF.assets {
        let path = folder.join(asset.url.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("makes the folder");
        std::fs::write(path, &asset.plain).expect("writes the file");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str, pairs: &[(header::HeaderName, &str)]) -> Response {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(name, HeaderValue::from_str(value).expect("a header"));
        }
        reply(path, &headers)
    }

    #[test]
    fn a_file_may_be_kept_forever_and_is_not_sent_twice() {
        let first = ask(url("console.css"), &[(header::ACCEPT_ENCODING, "gzip, br")]);
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CONTENT_ENCODING], "br");
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        assert_eq!(first.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(first.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let etag = first.headers()[header::ETAG].to_str().expect("text").to_owned();
        let pairs = [(header::ACCEPT_ENCODING, "br"), (header::IF_NONE_MATCH, etag.as_str())];
        assert_eq!(ask(url("console.css"), &pairs).status(), StatusCode::NOT_MODIFIED);
        let other = [(header::ACCEPT_ENCODING, "gzip"), (header::IF_NONE_MATCH, etag.as_str())];
        assert_eq!(ask(url("console.css"), &other).status(), StatusCode::OK);
    }

    #[test]
    fn an_address_without_the_right_hash_is_not_found() {
        for path in ["/static/console.css", "/static/console.000000000000.css", "/static/../Cargo.toml"] {
            assert_eq!(ask(path, &[]).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn a_coding_with_weight_zero_is_not_used() {
        assert!(takes("gzip;q=0.5, br", "gzip"));
        assert!(!takes("br;q=0, gzip", "br"));
        assert!(!takes("brotli", "br"));
        let plain = ask(url("app.js"), &[(header::ACCEPT_ENCODING, "br;q=0")]);
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
    }

    #[test]
    fn fonts_are_not_packed_again() {
        let font = ask(url("fonts/geist-mono.woff2"), &[(header::ACCEPT_ENCODING, "gzip, br")]);
        assert!(!font.headers().contains_key(header::CONTENT_ENCODING));
        assert_eq!(font.headers()[header::CONTENT_TYPE], "font/woff2");
    }

    #[test]
    fn the_stylesheet_names_the_fonts_by_their_hashed_addresses() {
        let style = std::str::from_utf8(&SHELF.assets[SHELF.by_name["console.css"]].plain).expect("UTF-8");
        let named: Vec<&str> =
            style.split("url(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(named.len(), 2);
        for address in named {
            assert!(SHELF.by_url.contains_key(address), "{address}");
        }
    }

    #[test]
    fn the_weights_stay_within_the_budget() {
        let weight = |name: &str| packed(&SHELF.assets[SHELF.by_name[name]].plain);
        let style = weight("console.css");
        assert!(style <= 12_000, "stylesheet {style}");
        let own = weight("app.js");
        assert!(own <= 8_000, "app.js {own}");
        let scripts: usize =
            ["app.js", "passkey.js", "vendor/htmx-4.0.1.min.js", "vendor/hx-sse-4.0.1.min.js"]
                .map(weight)
                .iter()
                .sum();
        assert!(scripts <= 30_000, "scripts {scripts}");
        let icons = weight("icons.svg");
        assert!(icons <= 4_000, "icons {icons}");
        let fonts: usize = ["fonts/hanken-grotesk.woff2", "fonts/geist-mono.woff2"].map(weight).iter().sum();
        assert!(fonts <= 34_000, "fonts {fonts}");
    }
}
