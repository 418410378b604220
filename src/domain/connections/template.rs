//! Everything that has to be known to speak with one provider of one organization.

use url::Url;

use crate::{
    base::secret::Secret,
    domain::connections::{
        preset::{Audience, Pkce, Preset, Refreshing, Repeated},
        variables::{BadVariable, Variable, answered},
    },
    protocol::oauth::{
        address::{Address, Rule, Unfilled},
        answer::{Dialect, TokenAnswer},
        authorize::Authorize,
        call::{Call, CallAuth, Values},
        claims::{self, BadIdToken, Expected},
        client::{Client, ClientAuth},
        document::{Document, Facts, Path},
        failure::TokenFailure,
        label::{Label, Labels, Sources},
        metadata::ServerMetadata,
        proof::{State, Verifier},
        request::{BodyForm, Method, Request},
        token::{Grant, TokenEndpoint},
    },
};

/// How to speak with one provider.
#[derive(Clone, Debug)]
pub struct Template {
    authorize: Option<Url>,
    token: TokenEndpoint,
    refresh: TokenEndpoint,
    pkce: Pkce,
    separator: String,
    user_scope_parameter: Option<String>,
    authorize_parameters: Vec<(String, String)>,
    refresh_repeats: Vec<Repeated>,
    dialect: Dialect,
    keeps: Vec<Path>,
    keeps_of_callback: Vec<String>,
    account: Vec<Call>,
    labels: Option<Labels>,
    lengthen: Option<Call>,
    revoke: Option<Call>,
    settings: Option<Url>,
    refreshing: Refreshing,
    variables: Vec<Variable>,
    values: Facts,
    host_rule: Option<Rule>,
    issuer: Option<String>,
    assertions_for: Audience,
    names_itself: bool,
    is_openid: bool,
    /// Whether no preset says how it is spoken with.
    is_own: bool,
    resource: Option<String>,
}

/// What somebody who knows a provider says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateParts {
    /// Where people agree.
    pub authorize: Url,
    /// Where tokens are given.
    pub token: Url,
    /// Where a token is ended (RFC 7009).
    pub revoke: Option<Url>,
    /// Where it says who a token belongs to, in the words of OpenID Connect.
    pub userinfo: Option<Url>,
    /// What it calls itself.
    pub issuer: Option<String>,
    /// Whether each of its callbacks names it.
    pub names_itself: bool,
    /// How the client authenticates.
    pub client_auth: ClientAuth,
    /// What becomes of PKCE.
    pub pkce: Pkce,
    /// Whether it signs in with OpenID Connect.
    pub is_openid: bool,
    /// The one resource that its tokens are asked for (RFC 8707).
    pub resource: Option<String>,
}

/// What somebody who knows a provider says of it, whose client asks for tokens in its own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientParts {
    /// Where tokens are given.
    pub token: Url,
    /// Where a token is ended (RFC 7009).
    pub revoke: Option<Url>,
    /// How the client authenticates; never not at all.
    pub client_auth: ClientAuth,
    /// The one resource that its tokens are asked for (RFC 8707).
    pub resource: Option<String>,
    /// Whom they are asked for in a word of the provider's own.
    pub audience: Option<String>,
}

/// What a person is asked to agree to.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The client's id.
    pub client_id: &'a str,
    /// Where the browser comes back to.
    pub redirect_uri: &'a str,
    /// The scopes.
    pub scopes: &'a [String],
    /// Scopes that are asked for in the person's own name, where the provider tells the two apart.
    pub user_scopes: &'a [String],
    /// Ties the callback to the request.
    pub state: &'a State,
    /// Ties the id token to the request.
    pub nonce: &'a State,
    /// The PKCE pair; its challenge is sent unless it would break something.
    pub verifier: &'a Verifier,
}

/// What is known of a connection when something is asked about it.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The client.
    pub client: &'a Client,
    /// The token.
    pub access: &'a Secret<String>,
    /// The refresh token.
    pub refresh: Option<&'a Secret<String>>,
    /// What was kept of the token's answer and of the callback.
    pub facts: &'a Facts,
}

impl Template {
    /// That of a preset and of what an organization entered for its gaps.
    ///
    /// # Errors
    /// What is wrong with each value, with the variable's name.
    pub fn of_preset(preset: &Preset, entered: &Facts) -> Result<Self, Vec<(String, BadVariable)>> {
        let values = preset.check_variables(entered)?;
        let astray = |address: &Address| {
            let name = address.gaps().next().unwrap_or_default().to_owned();
            vec![(name.clone(), BadVariable::Refused(name))]
        };
        let rule = preset.host_rule.as_ref();
        let filled = |address: &Address| {
            let text = address.fill(rule, |name| values.get(name).map(String::as_str));
            text.ok().and_then(|text| Url::parse(text.expose()).ok()).ok_or_else(|| astray(address))
        };
        let pairs = |map: &std::collections::BTreeMap<String, String>| {
            map.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        let token = TokenEndpoint {
            url: filled(&preset.token)?,
            auth: preset.client_auth,
            body: preset.body,
            headers: pairs(&preset.token_headers),
            parameters: pairs(&preset.token_parameters),
        };
        let refresh = TokenEndpoint {
            url: preset.refresh.as_ref().map_or_else(|| Ok(token.url.clone()), filled)?,
            parameters: pairs(&preset.refresh_parameters),
            ..token.clone()
        };
        Ok(Self {
            authorize: Some(filled(&preset.authorize)?),
            token,
            refresh,
            pkce: preset.pkce,
            separator: preset.separator.clone(),
            user_scope_parameter: preset.user_scope_parameter.clone(),
            authorize_parameters: pairs(&preset.authorize_parameters),
            refresh_repeats: preset.refresh_repeats.clone(),
            dialect: Dialect { nested: preset.nested.clone() },
            keeps: preset.keeps.clone(),
            keeps_of_callback: preset.keeps_of_callback.clone(),
            account: preset.account.clone(),
            labels: Some(preset.labels.clone()),
            lengthen: preset.lengthen.clone(),
            revoke: preset.revoke.clone(),
            settings: preset.settings.as_ref().map(filled).transpose()?,
            refreshing: preset.refreshing,
            variables: preset.variables.clone(),
            values,
            host_rule: preset.host_rule.clone(),
            issuer: preset.issuer.clone(),
            assertions_for: preset.assertions_for,
            names_itself: false,
            is_openid: false,
            is_own: false,
            resource: None,
        })
    }

    /// That of a provider which somebody described, or which described itself.
    pub fn of_parts(parts: &TemplateParts) -> Self {
        let token = TokenEndpoint {
            url: parts.token.clone(),
            auth: parts.client_auth,
            body: BodyForm::Form,
            headers: Vec::new(),
            parameters: Vec::new(),
        };
        let account = parts.userinfo.as_ref().map(|url| fixed(url, Method::Get, Default::default(), None));
        let revoke = parts.revoke.as_ref().map(|url| revocation(url, parts.client_auth));
        // An id token comes without another request.
        let labels = match (parts.is_openid, account.is_some()) {
            (true, has_account) => Some(Labels::of_openid(!has_account)),
            (false, true) => Some(Labels::usual()),
            (false, false) => None,
        };
        Self {
            authorize: Some(parts.authorize.clone()),
            refresh: token.clone(),
            token,
            pkce: parts.pkce,
            separator: " ".to_owned(),
            user_scope_parameter: None,
            authorize_parameters: Vec::new(),
            refresh_repeats: Vec::new(),
            dialect: Dialect::default(),
            keeps: Vec::new(),
            keeps_of_callback: Vec::new(),
            account: account.into_iter().collect(),
            labels,
            lengthen: None,
            revoke,
            settings: None,
            refreshing: Refreshing::Varying,
            variables: Vec::new(),
            values: Facts::new(),
            host_rule: None,
            issuer: parts.issuer.clone(),
            assertions_for: Audience::Token,
            names_itself: parts.names_itself,
            is_openid: parts.is_openid,
            is_own: true,
            resource: parts.resource.clone(),
        }
    }

    /// That of a provider whose client asks for tokens in its own name.
    pub fn of_client(parts: &ClientParts) -> Self {
        let audience = parts.audience.iter().map(|audience| ("audience".to_owned(), audience.clone()));
        let token = TokenEndpoint {
            url: parts.token.clone(),
            auth: parts.client_auth,
            body: BodyForm::Form,
            headers: Vec::new(),
            parameters: audience.collect(),
        };
        Self {
            authorize: None,
            refresh: token.clone(),
            token,
            pkce: Pkce::Off,
            separator: " ".to_owned(),
            user_scope_parameter: None,
            authorize_parameters: Vec::new(),
            refresh_repeats: Vec::new(),
            dialect: Dialect::default(),
            keeps: Vec::new(),
            keeps_of_callback: Vec::new(),
            account: Vec::new(),
            labels: None,
            lengthen: None,
            revoke: parts.revoke.as_ref().map(|url| revocation(url, parts.client_auth)),
            settings: None,
            refreshing: Refreshing::Varying,
            variables: Vec::new(),
            values: Facts::new(),
            host_rule: None,
            issuer: None,
            assertions_for: Audience::Token,
            names_itself: false,
            is_openid: false,
            is_own: true,
            resource: parts.resource.clone(),
        }
    }

    /// What it calls itself, where that is known.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Whether each of its callbacks names it.
    pub const fn names_itself(&self) -> bool {
        self.names_itself
    }

    /// What happens on a refresh.
    pub const fn refreshing(&self) -> Refreshing {
        self.refreshing
    }

    /// Whether a connection can be ended at the provider.
    pub const fn can_revoke(&self) -> bool {
        self.revoke.is_some()
    }

    /// The page on which its people end what they agreed to, where one is known.
    pub const fn settings(&self) -> Option<&Url> {
        self.settings.as_ref()
    }

    /// Where people agree, if anybody is asked, and where tokens are given.
    pub const fn endpoints(&self) -> (Option<&Url>, &Url) {
        (self.authorize.as_ref(), &self.token.url)
    }

    /// How the client authenticates.
    pub const fn client_auth(&self) -> ClientAuth {
        self.token.auth
    }

    /// Whom what the client signs is for.
    pub fn audience(&self) -> &str {
        let issuer = self.issuer.as_deref().filter(|_| self.assertions_for == Audience::Issuer);
        issuer.unwrap_or(self.token.url.as_str())
    }

    /// The address that a person's browser is sent to; none where nobody is asked.
    pub fn authorize_url(&self, ask: &Ask<'_>) -> Option<Url> {
        let scope = ask.scopes.join(&self.separator);
        // Without it a provider may give no refresh token (OpenID Connect Core 1.0, section 11). What a preset says of its
        // provider's ways counts before.
        let wants_consent = self.is_own && ask.scopes.iter().any(|scope| scope == "offline_access");
        let consent = [("prompt".to_owned(), "consent".to_owned())];
        let user_scope = ask.user_scopes.join(&self.separator);
        let authorize = Authorize {
            endpoint: self.authorize.as_ref()?,
            client_id: ask.client_id,
            redirect_uri: ask.redirect_uri,
            scope: &scope,
            second_scope: self.user_scope_parameter.as_deref().map(|name| (name, user_scope.as_str())),
            state: ask.state,
            nonce: self.is_openid.then_some(ask.nonce),
            verifier: self.sends_pkce().then_some(ask.verifier),
            resource: self.resource.as_deref(),
            parameters: if wants_consent { &consent } else { &self.authorize_parameters },
        };
        Some(authorize.url())
    }

    fn sends_pkce(&self) -> bool {
        self.pkce != Pkce::Off
    }

    /// The request that trades a code for a token.
    pub fn exchange(
        &self,
        client: &Client,
        code: &Secret<String>,
        redirect_uri: &str,
        verifier: &Verifier,
    ) -> Request {
        let verifier = self.sends_pkce().then_some(verifier);
        self.token.request(client, Grant::Code { code, redirect_uri, verifier }, self.resource.as_deref())
    }

    /// The request that trades a refresh token for a new token; `scopes` are those that were granted.
    pub fn refresh(
        &self,
        client: &Client,
        token: &Secret<String>,
        scopes: &[String],
        redirect_uri: &str,
    ) -> Request {
        let scope = scopes.join(&self.separator);
        let repeats = |what| self.refresh_repeats.contains(&what);
        let grant = Grant::Refresh {
            token,
            scope: repeats(Repeated::Scope).then_some(scope.as_str()),
            redirect_uri: repeats(Repeated::RedirectUri).then_some(redirect_uri),
        };
        self.refresh.request(client, grant, self.resource.as_deref())
    }

    /// The request for a token in the client's own name.
    pub fn client_credentials(&self, client: &Client, scopes: &[String]) -> Request {
        let scope = scopes.join(&self.separator);
        self.token.request(client, Grant::Client { scope: &scope }, self.resource.as_deref())
    }

    /// Reads what came back for any of these requests.
    ///
    /// # Errors
    /// Why no token came, sorted.
    pub fn read(&self, status: u16, body: &[u8]) -> Result<TokenAnswer, TokenFailure> {
        TokenAnswer::read(status, body, &self.dialect)
    }

    /// What is kept with a connection beside its tokens.
    pub fn facts(&self, answer: &Document, callback: &Facts) -> Facts {
        let mut facts = answer.facts(&self.keeps);
        facts.extend(answered(&self.variables, answer));
        let kept = self.keeps_of_callback.iter();
        facts.extend(kept.filter_map(|name| Some((name.clone(), callback.get(name)?.clone()))));
        facts
    }

    /// What an id token says of who signed in, where there is one to be believed.
    ///
    /// # Errors
    /// See [`BadIdToken`].
    pub fn claims(
        &self,
        token: &Secret<String>,
        client: &Client,
        nonce: &State,
        now: i64,
    ) -> Result<Document, BadIdToken> {
        let nonce = self.is_openid.then_some(nonce);
        claims::read(token, &Expected { issuer: self.issuer(), client_id: &client.id, nonce, now })
    }

    /// The requests that ask whose account it is; none where the token's answer says it.
    ///
    /// # Errors
    /// See [`Unfilled`].
    pub fn account(&self, account: &Account<'_>) -> Result<Vec<Request>, Unfilled> {
        self.account.iter().map(|call| self.call(call, account)).collect()
    }

    /// Whether the provider says whose account it is.
    pub const fn names_accounts(&self) -> bool {
        self.labels.is_some()
    }

    /// Whose account it is; nothing where the provider does not say.
    pub fn label(
        &self,
        documents: &[Document],
        answer: &Document,
        claims: Option<&Document>,
        callback: &Facts,
    ) -> Option<Label> {
        let sources = Sources { documents, answer, claims, callback, variables: &self.values };
        self.labels.as_ref()?.read(&sources)
    }

    /// The request that trades a short token for a long one, where the provider has that.
    ///
    /// # Errors
    /// See [`Unfilled`].
    pub fn lengthen(&self, account: &Account<'_>) -> Result<Option<Request>, Unfilled> {
        self.lengthen.as_ref().map(|call| self.call(call, account)).transpose()
    }

    /// The request that ends a connection at the provider, where it has one.
    ///
    /// # Errors
    /// See [`Unfilled`].
    pub fn revoke(&self, account: &Account<'_>) -> Result<Option<Request>, Unfilled> {
        self.revoke.as_ref().map(|call| self.call(call, account)).transpose()
    }

    fn call(&self, call: &Call, account: &Account<'_>) -> Result<Request, Unfilled> {
        let mut facts = account.facts.clone();
        // What was set up counts before what somebody answered.
        facts.extend(self.values.clone());
        for variable in self.variables.iter().filter(|variable| !self.values.contains_key(&variable.name)) {
            if facts.get(&variable.name).is_some_and(|value| !variable.rule.admits(value)) {
                return Err(Unfilled::Value(variable.name.clone()));
            }
        }
        let values = Values {
            client: account.client,
            access: Some(account.access),
            refresh: account.refresh,
            facts: &facts,
        };
        call.request(self.host_rule.as_ref(), &values)
    }
}

impl TemplateParts {
    /// What a server's metadata says.
    pub fn of_metadata(metadata: &ServerMetadata, is_openid: bool) -> Self {
        Self {
            authorize: metadata.authorize.clone(),
            token: metadata.token.clone(),
            revoke: metadata.revoke.clone(),
            userinfo: metadata.userinfo.clone(),
            issuer: Some(metadata.issuer.clone()),
            names_itself: metadata.names_itself,
            client_auth: metadata.client_auth(),
            pkce: if metadata.has_pkce() { Pkce::Required } else { Pkce::Sent },
            is_openid,
            resource: None,
        }
    }
}

/// A call at an address of its own.
fn fixed(
    url: &Url,
    method: Method,
    auth: CallAuth,
    form: Option<std::collections::BTreeMap<String, String>>,
) -> Call {
    let (headers, query) = (Default::default(), Default::default());
    Call { method, url: Address::fixed(url), auth, headers, query, form, json: None }
}

/// The call that ends a token as RFC 7009 says.
fn revocation(url: &Url, auth: ClientAuth) -> Call {
    let form = [("token".to_owned(), "{token}".to_owned())].into();
    fixed(url, Method::Post, auth.into(), Some(form))
}
