//! The address that a person's browser is sent to.

use url::Url;

use crate::protocol::oauth::proof::{State, Verifier};

/// Parameters that are written here and therefore never given as extra ones.
pub const RESERVED: [&str; 14] = [
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "refresh_token",
    "resource",
];

/// What a person is asked to agree to.
#[derive(Clone, Copy, Debug)]
pub struct Authorize<'a> {
    /// The provider's page.
    pub endpoint: &'a Url,
    /// The client's id.
    pub client_id: &'a str,
    /// Where the browser comes back to.
    pub redirect_uri: &'a str,
    /// The scopes, as one text; left out where it is empty.
    pub scope: &'a str,
    /// Scopes of a second parameter, with its name, for providers that ask for two kinds.
    pub second_scope: Option<(&'a str, &'a str)>,
    /// Ties the callback to the request.
    pub state: &'a State,
    /// Ties the id token to the request.
    pub nonce: Option<&'a State>,
    /// The PKCE pair, of which the challenge is sent.
    pub verifier: Option<&'a Verifier>,
    /// Which resource the token is for (RFC 8707).
    pub resource: Option<&'a str>,
    /// Whatever else the provider wants.
    pub parameters: &'a [(String, String)],
}

impl Authorize<'_> {
    /// The address.
    pub fn url(&self) -> Url {
        let challenge = self.verifier.map(Verifier::challenge);
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", self.client_id),
            ("redirect_uri", self.redirect_uri),
        ];
        if !self.scope.is_empty() {
            pairs.push(("scope", self.scope));
        }
        pairs.extend(self.second_scope.filter(|(_, scope)| !scope.is_empty()));
        pairs.push(("state", self.state.text().expose()));
        if let Some(challenge) = &challenge {
            pairs.extend([("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")]);
        }
        pairs.extend(self.nonce.map(|nonce| ("nonce", nonce.text().expose().as_str())));
        pairs.extend(self.resource.map(|resource| ("resource", resource)));
        let extra = self.parameters.iter().filter(|(name, _)| !is_reserved(name));
        pairs.extend(extra.map(|(name, value)| (name.as_str(), value.as_str())));
        let mut url = self.endpoint.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        // A plus sign stands for a space only in forms; `%20` does for every reader of a query.
        let query = url.query().unwrap_or_default().replace('+', "%20");
        url.set_query(Some(&query));
        url
    }
}

/// Whether a parameter of this name is written here.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_was_asked_is_there_once_and_nothing_can_be_put_over_it() {
        let endpoint = Url::parse("https://a.example/authorize?tenant=x").expect("a URL");
        let (state, verifier) = (State::of_random([1; 32]), Verifier::of_random([2; 32]));
        let parameters =
            [("prompt".to_owned(), "consent".to_owned()), ("State".to_owned(), "forged".to_owned())];
        let ask = Authorize {
            endpoint: &endpoint,
            client_id: "id&x",
            redirect_uri: "https://p.example/oauth/callback/prv_1",
            scope: "read write+more",
            second_scope: Some(("user_scope", "a,b")),
            state: &state,
            nonce: Some(&State::of_random([3; 32])),
            verifier: Some(&verifier),
            resource: Some("https://mcp.example/mcp"),
            parameters: &parameters,
        };
        let url = ask.url();
        assert!(!url.as_str().contains('+') && url.as_str().contains("scope=read%20write%2Bmore"));
        let pairs: Vec<_> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(pairs[..4], ["tenant=x", "response_type=code", "client_id=id&x", pairs[3].as_str()]);
        assert!(
            pairs.contains(&"scope=read write+more".to_owned())
                && pairs.contains(&"user_scope=a,b".to_owned())
        );
        assert!(pairs.contains(&format!("code_challenge={}", verifier.challenge())));
        assert!(pairs.contains(&"resource=https://mcp.example/mcp".to_owned()));
        assert_eq!(pairs.iter().filter(|pair| pair.to_lowercase().starts_with("state=")).count(), 1);
        let bare =
            Authorize { scope: "", second_scope: None, nonce: None, verifier: None, resource: None, ..ask };
        assert!(!bare.url().as_str().contains("scope") && !bare.url().as_str().contains("challenge"));
    }
}
