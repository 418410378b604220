//! What providers and servers answer about sign-ins: nothing is read that could lead anywhere else, and nothing secret is told.

use portreeve::protocol::oauth::{
    answer::{Dialect, TokenAnswer},
    callback::Callback,
    challenge::Challenge,
    failure::TokenFailure,
    metadata::{ResourceMetadata, ServerMetadata},
    registration::Registered,
};
use url::Url;

use super::Dice;

const ISSUER: &str = "https://id.example.com/realms/acme";
/// So long a text is a secret that would be noticed; a shorter one may stand in any text by chance.
const NOTICED: usize = 12;

pub(crate) fn oauth(input: &[u8]) {
    let (mut dice, body) = Dice::take(input);
    match dice.below(5) {
        0 => token(&mut dice, body),
        1 => callback(&String::from_utf8_lossy(body)),
        2 => challenge(&String::from_utf8_lossy(body)),
        3 => metadata(body),
        _ => registration(&mut dice, body),
    }
}

fn token(dice: &mut Dice, body: &[u8]) {
    let status = [200, 201, 302, 400, 401, 429, 500, 503][dice.below(8)];
    match TokenAnswer::read(status, body, &Dialect::default()) {
        Ok(answer) => {
            assert!((200..300).contains(&status), "tokens of status {status}");
            let access = answer.tokens.access.expose().clone();
            assert!(!access.is_empty() && access.bytes().all(|b| b.is_ascii_graphic()), "no header takes it");
            let refresh = answer.tokens.refresh.as_ref().map(|refresh| refresh.expose().clone());
            let told = format!("{answer:?}");
            for secret in [Some(access), refresh].into_iter().flatten().filter(|one| one.len() >= NOTICED) {
                assert!(!told.contains(&secret), "told: {told}");
            }
        }
        Err(failure) => said(&failure),
    }
}

/// What is kept of a refusal can be shown as it is.
fn said(failure: &TokenFailure) {
    for text in [&failure.code, &failure.words].into_iter().flatten() {
        assert!(!text.contains(char::is_control) && text.chars().count() <= 400, "{text:?}");
    }
}

fn callback(query: &str) {
    let Ok(read) = Callback::read(query) else { return };
    let told = format!("{read:?}");
    if let Ok(code) = &read.result {
        assert!(code.expose().len() < NOTICED || !told.contains(code.expose().as_str()), "told: {told}");
    }
    if let Err(refused) = &read.result {
        assert!(!refused.words.as_deref().unwrap_or_default().contains(char::is_control));
    }
    assert!(
        read.state.expose().len() < NOTICED || !told.contains(read.state.expose().as_str()),
        "told: {told}"
    );
}

fn challenge(text: &str) {
    let Some(read) = Challenge::read(text.lines()) else { return };
    assert!(read.scopes.iter().all(|scope| !scope.is_empty() && !scope.contains(' ')));
    assert!(!read.words.as_deref().unwrap_or_default().contains(char::is_control));
}

fn metadata(body: &[u8]) {
    let leads_on =
        |url: &Url| matches!(url.scheme(), "https" | "http") && url.has_host() && url.username().is_empty();
    if let Ok(read) = ServerMetadata::read(body, ISSUER) {
        assert_eq!(read.issuer, ISSUER, "somebody else's");
        let more = [&read.register, &read.revoke, &read.userinfo].into_iter().flatten();
        assert!([&read.authorize, &read.token].into_iter().chain(more).all(leads_on), "{read:?}");
    }
    let place = Url::parse("https://mcp.example.com/mcp").expect("a URL");
    if let Ok(read) = ResourceMetadata::read(body, &place) {
        assert!(read.authorization_servers.iter().all(|issuer| leads_on(&issuer.url)), "{read:?}");
    }
}

fn registration(dice: &mut Dice, body: &[u8]) {
    let status = [200, 201, 400, 403][dice.below(4)];
    let Ok(read) = Registered::read(status, body) else { return };
    assert!(!read.id.is_empty() && !read.id.contains(char::is_control), "{:?}", read.id);
    if let Some(secret) = read.secret.as_ref().filter(|secret| secret.expose().len() >= NOTICED) {
        assert!(!format!("{read:?}").contains(secret.expose().as_str()));
    }
}
