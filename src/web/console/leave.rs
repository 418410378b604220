//! The page from which a browser goes on to somebody else's. Forms cannot, for they may lead to our own pages only.

use askama::Template;
use axum::http::{HeaderValue, header::HeaderName};

use crate::web::kit::{
    page::{PageResult, page},
    shell::Shell,
};

/// Sends a browser on after a page was shown.
const REFRESH: HeaderName = HeaderName::from_static("refresh");

/// The browser is on its way.
#[derive(Template)]
#[template(path = "console/leave.html")]
struct LeavePage {
    shell: Shell,
    provider: String,
    host: String,
    url: String,
    /// Where whoever would rather not goes.
    cancel: String,
}

/// Shows the page and has the browser go on; `cancel` is where whoever would rather not goes.
pub(super) fn leave(shell: Shell, provider: &str, host: &str, url: &str, cancel: &str) -> PageResult {
    let onward = HeaderValue::from_str(&format!("0;url={url}"));
    let own = str::to_owned;
    let shown =
        LeavePage { shell, provider: own(provider), host: own(host), url: own(url), cancel: own(cancel) };
    let mut response = page(&shown)?;
    if let Ok(onward) = onward {
        response.headers_mut().insert(REFRESH, onward);
    }
    Ok(response)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, sample, shell},
        shell::Base,
    };

    let shown = LeavePage {
        shell: shell(Base::Account, "On to GitHub"),
        provider: LONG.into(),
        host: "github.com".into(),
        url: "https://github.com/login/oauth/authorize?state=x".into(),
        cancel: "/me/accounts".into(),
    };
    vec![sample("on to a provider", &shown)]
}
