//! Two ways to knock at the doors: a visitor with cookies and forms, a script with a bearer token.

use std::collections::BTreeMap;

use http::{HeaderMap, Method, StatusCode, header};
use portreeve::{
    base::crypto::token::{Token, TokenKind},
    web::kit::csrf::CsrfToken,
};
use serde_json::Value;

use crate::kit::form::Form;

/// A browser without a screen: keeps cookies, follows nothing by itself.
#[derive(Clone)]
pub(crate) struct Visitor {
    base: String,
    /// Where requests go: to the origin itself, or past a proxy to one of the replicas behind it.
    at: String,
    client: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

/// A page that was answered.
#[derive(Debug)]
pub(crate) struct Page {
    /// The path that was asked for.
    pub(crate) path: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Visitor {
    /// Somebody who has never been here. `base` is the origin, without a slash at its end.
    pub(crate) fn new(base: &str) -> Self {
        Self { base: base.to_owned(), at: base.to_owned(), client: client(), cookies: BTreeMap::new() }
    }

    /// From now on the proxy sends this browser to the replica at `address`.
    pub(crate) fn sent_to(&mut self, address: &str) {
        address.clone_into(&mut self.at);
    }

    /// Opens a page.
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let request = self.client.get(self.url(path));
        self.send(path, request).await
    }

    /// Opens a page and follows where it sends us, on our own origin.
    pub(crate) async fn visit(&mut self, path: &str) -> Page {
        let page = self.get(path).await;
        self.follow(page).await
    }

    /// Sends the form of `page` that goes to `action`, with `fields` filled in. Hidden fields go along.
    pub(crate) async fn submit(&mut self, page: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = page.form(action);
        for (name, value) in fields {
            form.set(name, value);
        }
        let target = if form.action.is_empty() { page.path.clone() } else { form.action.clone() };
        if form.method == "get" {
            let query = serde_urlencoded::to_string(form.pairs()).unwrap();
            return self.get(&format!("{}?{query}", target.split('?').next().unwrap_or_default())).await;
        }
        self.post(&target, &form.pairs()).await
    }

    /// The token of this browser's forms, derived as the server derives it.
    pub(crate) fn csrf(&self) -> String {
        let kinds = [("portreeve_session", TokenKind::Session), ("portreeve_visitor", TokenKind::Ceremony)];
        let token = kinds.into_iter().find_map(|(name, kind)| Token::parse(kind, self.cookie(name)?));
        token.map(|token| CsrfToken::derive(&token).as_str().to_owned()).unwrap_or_default()
    }

    /// Sends a form that no page offered.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = self
            .client
            .post(self.url(path))
            .header(header::ORIGIN, &self.base)
            .header("sec-fetch-site", "same-origin")
            .form(fields);
        self.send(path, request).await
    }

    /// Sends a form as the page's own script does that wants to be told piece by piece; the answer is still on its way.
    pub(crate) async fn begin(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self
            .client
            .post(self.url(path))
            .header(header::ORIGIN, &self.base)
            .header("sec-fetch-site", "same-origin")
            .header("hx-request", "true")
            .header(header::ACCEPT, "text/html, text/event-stream")
            .header("cookie", cookies.join("; "));
        request.form(fields).send().await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Follows redirects within our own origin, ten at the most.
    pub(crate) async fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..10 {
            let Some(location) = page.location() else {
                return page;
            };
            let path = location.strip_prefix(&self.base).unwrap_or(&location).to_owned();
            assert!(path.starts_with('/'), "{} leads away from us, to {path}", page.path);
            page = self.get(&path).await;
        }
        panic!("{} is one redirect too many", page.path)
    }

    /// A cookie we hold.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// Takes a cookie from elsewhere.
    pub(crate) fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.at)
    }

    async fn send(&mut self, path: &str, request: reqwest::RequestBuilder) -> Page {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) };
        let answer = request.send().await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let (status, headers) = (answer.status(), answer.headers().clone());
        for cookie in headers.get_all(header::SET_COOKIE) {
            self.keep(cookie.to_str().unwrap());
        }
        Page { path: path.to_owned(), status, headers, body: answer.text().await.unwrap() }
    }

    fn keep(&mut self, cookie: &str) {
        let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair.split_once('=').expect("a cookie has a name and a value");
        let is_over =
            attributes.to_ascii_lowercase().split(';').any(|attribute| attribute.trim() == "max-age=0");
        if is_over {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

impl Page {
    /// Fails the test, showing the page, when the status is another.
    #[track_caller]
    pub(crate) fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.path, self.body);
        self
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> Option<String> {
        let location = self.headers.get(header::LOCATION).filter(|_| self.status.is_redirection())?;
        Some(location.to_str().unwrap().to_owned())
    }

    /// All forms that go to `action`.
    pub(crate) fn forms(&self, action: &str) -> Vec<Form> {
        Form::all(&self.body).into_iter().filter(|form| form.action == action).collect()
    }

    /// The form that goes to `action`.
    pub(crate) fn form(&self, action: &str) -> Form {
        let forms = Form::all(&self.body);
        let known: Vec<_> = forms.iter().map(|form| form.action.clone()).collect();
        let form = forms.into_iter().find(|form| form.action == action);
        form.unwrap_or_else(|| panic!("{} has no form to {action:?}; it has {known:?}", self.path))
    }

    /// Whether the page says this, entities aside.
    pub(crate) fn says(&self, words: &str) -> bool {
        crate::kit::form::unescape(&self.body).contains(words)
    }
}

/// A script with a key.
#[derive(Clone)]
pub(crate) struct Script {
    base: String,
    client: reqwest::Client,
    bearer: Option<String>,
}

/// What a script was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// `null` when there was no body.
    pub(crate) body: Value,
}

impl Script {
    /// A script; without a `bearer` it is nobody. `base` is the origin, without a slash at its end.
    pub(crate) fn new(base: &str, bearer: Option<&str>) -> Self {
        Self { base: base.to_owned(), client: client(), bearer: bearer.map(str::to_owned) }
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// Reads a file that is no JSON document.
    pub(crate) async fn file(&self, path: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.base));
        let request = match &self.bearer {
            Some(bearer) => request.bearer_auth(bearer),
            None => request,
        };
        let answer = request.send().await.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// Sends JSON by POST.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// Sends a text as JSON by POST, as it is.
    pub(crate) async fn post_text(&self, path: &str, text: &str) -> Answer {
        let request =
            self.client.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        let request = match &self.bearer {
            Some(bearer) => request.bearer_auth(bearer),
            None => request,
        };
        let answer =
            request.body(text.to_owned()).send().await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, body: answer.json().await.unwrap() }
    }

    /// Only the status, whatever the body is.
    pub(crate) async fn send_raw(&self, method: Method, path: &str, body: Option<Value>) -> StatusCode {
        self.ask(method, path, body.as_ref()).await.status()
    }

    /// Only the body, whatever it is.
    pub(crate) async fn text_of(&self, method: Method, path: &str, body: Option<&Value>) -> String {
        self.ask(method, path, body).await.text().await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Response {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Any request, with headers such as `Idempotency-Key` and `If-Match`.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text) };
        Answer { status, headers, body: body.unwrap_or_else(|error| panic!("{path}: {error}: {text}")) }
    }
}

impl Answer {
    /// Fails the test, showing the body, when the status is another.
    #[track_caller]
    pub(crate) fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }

    /// A text within the body, by JSON pointer.
    #[track_caller]
    pub(crate) fn text(&self, pointer: &str) -> &str {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer} in {:#}", self.body))
    }
}

/// A client that goes where it is told and nowhere else.
pub(crate) fn client() -> reqwest::Client {
    // The first test installs the provider; for the others it is there.
    rustls::crypto::ring::default_provider().install_default().ok();
    // No test speaks TLS, and to read the system's certificates for every visitor takes longer than most requests.
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let client = client.redirect(reqwest::redirect::Policy::none()).build();
    client.expect("a client without special wishes can always be built")
}
