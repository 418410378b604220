//! Requests for tokens.

use url::Url;

use crate::{
    base::secret::Secret,
    protocol::oauth::{
        authorize::is_reserved,
        client::{Client, ClientAuth, sign},
        proof::Verifier,
        request::{BodyForm, Method, Request},
    },
};

/// Where tokens are asked for, and in which manner.
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    /// The address.
    pub url: Url,
    /// How the client authenticates.
    pub auth: ClientAuth,
    /// How the body is written.
    pub body: BodyForm,
    /// Headers beside the usual ones.
    pub headers: Vec<(String, String)>,
    /// Fields beside the usual ones.
    pub parameters: Vec<(String, String)>,
}

/// What a token is asked for with.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'a> {
    /// The code that a callback brought (RFC 6749, section 4.1.3).
    Code {
        /// The code.
        code: &'a Secret<String>,
        /// The address that the code was sent to.
        redirect_uri: &'a str,
        /// The PKCE pair, of which the verifier is sent.
        verifier: Option<&'a Verifier>,
    },
    /// A refresh token (section 6).
    Refresh {
        /// The token.
        token: &'a Secret<String>,
        /// The scopes as one text, where the provider wants them again.
        scope: Option<&'a str>,
        /// The address of the first request, where the provider wants it again.
        redirect_uri: Option<&'a str>,
    },
    /// The client's own credentials (section 4.4).
    Client {
        /// The scopes as one text; left out where it is empty.
        scope: &'a str,
    },
}

impl TokenEndpoint {
    /// The request for a token; `resource` is whom the token is for (RFC 8707).
    pub fn request(&self, client: &Client, grant: Grant<'_>, resource: Option<&str>) -> Request {
        let mut request = Request::new(Method::Post, Secret::new(self.url.to_string()));
        for (name, value) in &self.headers {
            request.set_header(name, Secret::new(value.clone()));
        }
        let mut fields = grant.fields();
        fields.extend(resource.map(|resource| ("resource", resource)));
        let extra = self.parameters.iter().filter(|(name, _)| !is_reserved(name));
        fields.extend(extra.map(|(name, value)| (name.as_str(), value.as_str())));
        sign(&mut request, client, self.auth, self.body, fields);
        request
    }
}

impl<'a> Grant<'a> {
    fn fields(self) -> Vec<(&'a str, &'a str)> {
        match self {
            Self::Code { code, redirect_uri, verifier } => {
                let mut fields = vec![
                    ("grant_type", "authorization_code"),
                    ("code", code.expose().as_str()),
                    ("redirect_uri", redirect_uri),
                ];
                fields.extend(verifier.map(|verifier| ("code_verifier", verifier.text().expose().as_str())));
                fields
            }
            Self::Refresh { token, scope, redirect_uri } => {
                let mut fields =
                    vec![("grant_type", "refresh_token"), ("refresh_token", token.expose().as_str())];
                fields.extend(scope.filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope)));
                fields.extend(redirect_uri.map(|uri| ("redirect_uri", uri)));
                fields
            }
            Self::Client { scope } => {
                let mut fields = vec![("grant_type", "client_credentials")];
                fields.extend(Some(scope).filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope)));
                fields
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(auth: ClientAuth, body: BodyForm) -> TokenEndpoint {
        let url = Url::parse("https://a.example/token").expect("a URL");
        let parameters =
            vec![("expiring".to_owned(), "1".to_owned()), ("code".to_owned(), "forged".to_owned())];
        TokenEndpoint {
            url,
            auth,
            body,
            headers: vec![("Notion-Version".into(), "2025-09-03".into())],
            parameters,
        }
    }

    fn body(request: &Request) -> &str {
        std::str::from_utf8(request.body.expose()).expect("text")
    }

    fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
        request.headers.iter().find(|(there, _)| there == name).map(|(_, value)| value.expose().as_str())
    }

    fn client() -> Client {
        Client { id: "id 1".to_owned(), secret: Some("s&cret".to_owned().into()) }
    }

    #[test]
    fn a_code_is_redeemed_in_each_manner() {
        let code = Secret::new("c0de".to_owned());
        let verifier = Verifier::of_kept("verifier".to_owned().into());
        let grant =
            Grant::Code { code: &code, redirect_uri: "https://p.example/cb", verifier: Some(&verifier) };
        let post = endpoint(ClientAuth::Post, BodyForm::Form).request(&client(), grant, None);
        assert_eq!(
            body(&post),
            "grant_type=authorization_code&code=c0de&redirect_uri=https%3A%2F%2Fp.example%2Fcb\
             &code_verifier=verifier&expiring=1&client_id=id+1&client_secret=s%26cret"
        );
        assert_eq!(header(&post, "content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(header(&post, "notion-version"), Some("2025-09-03"));
        let basic =
            endpoint(ClientAuth::Basic, BodyForm::Json).request(&client(), grant, Some("https://r.example"));
        assert_eq!(
            body(&basic),
            r#"{"grant_type":"authorization_code","code":"c0de","redirect_uri":"https://p.example/cb","code_verifier":"verifier","resource":"https://r.example","expiring":"1"}"#
        );
        assert!(header(&basic, "authorization").is_some_and(|value| value.starts_with("Basic ")));
        let signed = endpoint(ClientAuth::PrivateKeyJwt, BodyForm::Form).request(&client(), grant, None);
        assert!(
            body(&signed).ends_with(
                "&client_id=id+1&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
                 &client_assertion=s%26cret"
            ) && header(&signed, "authorization").is_none(),
            "{}",
            body(&signed)
        );
        let public = Client { secret: None, ..client() };
        for auth in ClientAuth::ALL {
            let request = endpoint(auth, BodyForm::Form).request(&public, grant, None);
            assert!(
                body(&request).ends_with("client_id=id+1") && header(&request, "authorization").is_none()
            );
        }
        assert!(!format!("{post:?} {grant:?}").contains("c0de"));
    }

    #[test]
    fn a_refresh_says_only_what_the_provider_wants_again() {
        let token = Secret::new("old".to_owned());
        let bare = Grant::Refresh { token: &token, scope: None, redirect_uri: None };
        let request = endpoint(ClientAuth::None, BodyForm::Form).request(&client(), bare, None);
        assert_eq!(body(&request), "grant_type=refresh_token&refresh_token=old&expiring=1&client_id=id+1");
        let full =
            Grant::Refresh { token: &token, scope: Some("a b"), redirect_uri: Some("https://p.example/cb") };
        let request = endpoint(ClientAuth::None, BodyForm::Form).request(&client(), full, None);
        assert!(body(&request).contains("&scope=a+b&redirect_uri=https%3A%2F%2Fp.example%2Fcb&"));
    }

    #[test]
    fn a_client_asks_for_itself() {
        let request =
            endpoint(ClientAuth::Post, BodyForm::Form).request(&client(), Grant::Client { scope: "" }, None);
        assert!(body(&request).starts_with("grant_type=client_credentials&expiring=1"));
    }
}
