//! Sign in: address, then password or passkey, then a code where one is set; and sign out.

use askama::Template;
use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;
use time::Duration;

use crate::{
    base::{
        crypto::token::{Token, TokenKind},
        secret::Secret,
    },
    domain::identity::{ceremonies, relying::Options, sessions},
    flow::{
        actions::{
            passkey, set_up,
            sign_in::{self, PasswordInput, Step},
            sign_up,
        },
        cx::Cx,
        fault::{ActionError, ActionResult},
    },
    web::{
        console::shell_of,
        kit::{
            ask::Visitor,
            carried,
            cookies::{self, CookieName},
            faults::{Fault, PageError},
            form::{self, Form, FormFaults},
            page::{PageResult, go, page_with, safe_return},
            query::Query,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let anyone = Access::Anyone;
    let starts = Effect::Records(&["session.started", "session.refused"]);
    let step = Effect::Unrecorded("a sign-in under way; its end is recorded");
    Routes::default()
        .page("/login", anyone, show)
        .form("/login", anyone, step, name)
        .form("/login/password", anyone, starts, password)
        .page("/login/code", anyone, ask_code)
        .form("/login/code", anyone, Effect::Records(&["session.started", "second_factor.refused"]), code)
        .form("/login/passkey/options", anyone, step, passkey_options)
        .form("/login/passkey", anyone, starts, passkey)
        .form("/logout", anyone, Effect::Records(&["session.ended"]), out)
        .page(carried::PATH, anyone, go_back)
}

/// The first step: the address, or a passkey at once.
#[derive(Template)]
#[template(path = "auth/sign_in.html")]
struct NamePage {
    shell: Shell,
    email: String,
    return_to: String,
    faults: FormFaults,
    has_passkeys: bool,
    is_open: bool,
    is_set_up: bool,
    is_reset: bool,
}

/// The second step: the password.
#[derive(Template)]
#[template(path = "auth/password.html")]
struct PasswordPage {
    shell: Shell,
    email: String,
    return_to: String,
    faults: FormFaults,
    has_passkeys: bool,
    back: String,
}

/// The third step: a code.
#[derive(Template)]
#[template(path = "auth/code.html")]
struct CodePage {
    shell: Shell,
    return_to: String,
    faults: FormFaults,
    back: String,
}

/// The password was right, but nobody has proven the address.
#[derive(Template)]
#[template(path = "auth/unproven.html")]
struct UnprovenPage {
    shell: Shell,
    email: String,
}

#[derive(Default, Deserialize)]
pub(super) struct ReturnQuery {
    #[serde(default)]
    pub(super) return_to: String,
    #[serde(default)]
    reset: String,
}

#[derive(Deserialize)]
struct SignInForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: Secret<String>,
    #[serde(default)]
    return_to: String,
}

#[derive(Deserialize)]
struct CodeForm {
    #[serde(default)]
    code: String,
    #[serde(default)]
    return_to: String,
}

#[derive(Deserialize)]
struct PasskeyForm {
    #[serde(default)]
    credential: String,
    #[serde(default)]
    return_to: String,
}

#[derive(Deserialize)]
struct OutForm {
    #[serde(default)]
    return_to: String,
}

/// The form of an options request; only its protection counts.
#[derive(Deserialize)]
pub(super) struct Nothing {}

async fn show(visitor: Visitor, Query(query): Query<ReturnQuery>) -> PageResult {
    if let Some(person) = &visitor.person {
        return Ok(go(&onward(&query.return_to, sign_in::home(person).await?)));
    }
    let is_reset = !query.reset.is_empty();
    name_page(&visitor, StatusCode::OK, String::new(), query.return_to, FormFaults::default(), is_reset).await
}

async fn name_page(
    visitor: &Visitor,
    status: StatusCode,
    email: String,
    return_to: String,
    faults: FormFaults,
    is_reset: bool,
) -> PageResult {
    let mut shell = shell_of::open(visitor, "Sign in");
    shell.has_faults = !faults.is_empty();
    let has_passkeys = visitor.cx.ports.relying.is_some();
    let is_open = sign_up::mode(&visitor.cx).await? == crate::domain::instance::SignUp::Open;
    let is_set_up = set_up::is_done(&visitor.cx).await?;
    let return_to = kept(&return_to);
    page_with(
        status,
        &NamePage { shell, email, return_to, faults, has_passkeys, is_open, is_set_up, is_reset },
    )
}

/// Takes the address and asks for the password, whoever it is.
async fn name(visitor: Visitor, Form(form): Form<SignInForm>) -> PageResult {
    match form.email.parse::<crate::base::email::Email>() {
        Ok(email) => {
            password_page(&visitor, StatusCode::OK, email.as_str(), &form.return_to, FormFaults::default())
        }
        Err(error) => {
            let faults = form::faults_of(ActionError::field("email", error.to_string()))?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            name_page(&visitor, status, form.email, form.return_to, faults, false).await
        }
    }
}

fn password_page(
    visitor: &Visitor,
    status: StatusCode,
    email: &str,
    return_to: &str,
    faults: FormFaults,
) -> PageResult {
    let mut shell = shell_of::open(visitor, "Sign in");
    shell.has_faults = !faults.is_empty();
    let has_passkeys = visitor.cx.ports.relying.is_some();
    let (email, back) = (email.to_owned(), with_return("/login", return_to));
    page_with(status, &PasswordPage { shell, email, return_to: kept(return_to), faults, has_passkeys, back })
}

async fn password(visitor: Visitor, Form(form): Form<SignInForm>) -> PageResult {
    let input = PasswordInput { email: form.email.clone(), password: form.password };
    match sign_in::with_password(&visitor.cx, &input, visitor.person.as_ref()).await {
        Ok(Step::SignedIn(token)) => Ok(signed_in(&visitor, &token, &form.return_to)),
        Ok(Step::SecondFactor(step)) => {
            Ok(with_step(go(&with_return("/login/code", &form.return_to)), &visitor.cx, &step))
        }
        Ok(Step::Unproven(email)) => {
            let shell = shell_of::open(&visitor, "Confirm your address first");
            page_with(StatusCode::FORBIDDEN, &UnprovenPage { shell, email: email.to_string() })
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            password_page(&visitor, status, &form.email, &form.return_to, faults)
        }
    }
}

async fn ask_code(visitor: Visitor, headers: HeaderMap, Query(query): Query<ReturnQuery>) -> PageResult {
    let step = step_of(&headers, &visitor.cx);
    if sign_in::check_pending(&visitor.cx, step.as_ref()).await.is_err() {
        return Ok(go(&with_return("/login", &query.return_to)));
    }
    code_page(&visitor, StatusCode::OK, &query.return_to, FormFaults::default())
}

fn code_page(visitor: &Visitor, status: StatusCode, return_to: &str, faults: FormFaults) -> PageResult {
    let mut shell = shell_of::open(visitor, "Enter your code");
    shell.has_faults = !faults.is_empty();
    let back = with_return("/login", return_to);
    page_with(status, &CodePage { shell, return_to: kept(return_to), faults, back })
}

async fn code(visitor: Visitor, headers: HeaderMap, Form(form): Form<CodeForm>) -> PageResult {
    let step = step_of(&headers, &visitor.cx);
    match sign_in::with_code(&visitor.cx, step.as_ref(), &form.code, visitor.person.as_ref()).await {
        Ok(token) => Ok(without_step(signed_in(&visitor, &token, &form.return_to), &visitor.cx)),
        Err(error) => {
            let faults = form::faults_of(error)?;
            code_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form.return_to, faults)
        }
    }
}

async fn passkey_options(visitor: Visitor, Form(Nothing {}): Form<Nothing>) -> Response {
    options(&visitor.cx, passkey::options(&visitor.cx).await)
}

async fn passkey(visitor: Visitor, headers: HeaderMap, Form(form): Form<PasskeyForm>) -> PageResult {
    let step = step_of(&headers, &visitor.cx);
    let before = visitor.person.as_ref();
    match passkey::sign_in(&visitor.cx, step.as_ref(), &form.credential, before).await {
        Ok(token) => Ok(without_step(signed_in(&visitor, &token, &form.return_to), &visitor.cx)),
        Err(ActionError::Refused(refused)) => {
            let faults = form::faults_of(ActionError::field("", refused.sentence))?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            name_page(&visitor, status, String::new(), form.return_to, faults, false).await
        }
        Err(other) => Err(other.into()),
    }
}

/// Ends the session and has the browser forget what it kept of us.
async fn out(visitor: Visitor, Form(form): Form<OutForm>) -> Result<Response, PageError> {
    if let Some(person) = &visitor.person {
        sign_in::out(person).await?;
    }
    let mut response = go(safe_return(&form.return_to).unwrap_or("/login"));
    let headers = response.headers_mut();
    headers
        .append(header::SET_COOKIE, cookies::clear(CookieName::Session, visitor.cx.ports.site.is_secure()));
    headers.insert("clear-site-data", HeaderValue::from_static("\"cache\", \"cookies\", \"storage\""));
    Ok(response)
}

/// Goes on to what the browser kept while its person signed in.
async fn go_back(visitor: Visitor, headers: HeaderMap) -> Response {
    let secure = visitor.cx.ports.site.is_secure();
    let path = carried::read(&headers, secure).unwrap_or_else(|| "/".to_owned());
    carried::forgotten(go(&path), secure)
}

/// What the page's script is answered: the options with the cookie that belongs to them, or why there are none.
pub(super) fn options(cx: &Cx, asked: ActionResult<(Options, Token)>) -> Response {
    match asked {
        Ok((options, step)) => with_step(Json(options).into_response(), cx, &step),
        Err(error) => {
            let fault = Fault::Action(error);
            (fault.status(), Json(json!({"detail": fault.detail()}))).into_response()
        }
    }
}

/// The page after a sign-in, with the new session's cookie.
fn signed_in(visitor: &Visitor, token: &Token, return_to: &str) -> Response {
    // The start knows where the person was last; it is asked by the new session.
    with_session(go(&onward(return_to, "/".to_owned())), visitor, token)
}

/// Gives the browser its session.
pub(super) fn with_session(response: Response, visitor: &Visitor, token: &Token) -> Response {
    with_cookie(response, &visitor.cx, CookieName::Session, token, sessions::ABSOLUTE_TTL)
}

/// Gives the browser what it needs for the next step.
pub(super) fn with_step(response: Response, cx: &Cx, token: &Token) -> Response {
    with_cookie(response, cx, CookieName::Ceremony, token, ceremonies::TTL)
}

fn with_cookie(mut response: Response, cx: &Cx, name: CookieName, token: &Token, ttl: Duration) -> Response {
    let line = cookies::set(name, token.text().expose(), Some(ttl), cx.ports.site.is_secure());
    response.headers_mut().append(header::SET_COOKIE, line);
    response
}

/// Takes back what was needed between two steps.
pub(super) fn without_step(mut response: Response, cx: &Cx) -> Response {
    let line = cookies::clear(CookieName::Ceremony, cx.ports.site.is_secure());
    response.headers_mut().append(header::SET_COOKIE, line);
    response
}

/// What the browser kept between two steps.
pub(super) fn step_of(headers: &HeaderMap, cx: &Cx) -> Option<Token> {
    let text = cookies::read(headers, CookieName::Ceremony, cx.ports.site.is_secure())?;
    Token::parse(TokenKind::Ceremony, text)
}

/// The path to go on to, where it is ours; never back to sign-in itself.
pub(super) fn onward(return_to: &str, otherwise: String) -> String {
    let path =
        safe_return(return_to).filter(|path| !path.starts_with("/login") && !path.starts_with("/logout"));
    path.map_or(otherwise, str::to_owned)
}

pub(super) fn kept(return_to: &str) -> String {
    onward(return_to, String::new())
}

pub(super) fn with_return(path: &str, return_to: &str) -> String {
    carried::with_return(path, &kept(return_to))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{SHARP, faults, sample, shell},
        shell::Base,
    };

    let name = |email: &str, faults, is_set_up| NamePage {
        shell: shell(Base::Open, "Sign in"),
        email: email.into(),
        return_to: "/o/acme?q=a&b=c".into(),
        faults,
        has_passkeys: is_set_up,
        is_open: is_set_up,
        is_set_up,
        is_reset: !is_set_up,
    };
    let password = |faults| PasswordPage {
        shell: shell(Base::Open, "Enter your password"),
        email: SHARP.into(),
        return_to: String::new(),
        faults,
        has_passkeys: true,
        back: "/login".into(),
    };
    let code = |faults| CodePage {
        shell: shell(Base::Open, "Enter your code"),
        return_to: String::new(),
        faults,
        back: "/login".into(),
    };
    vec![
        sample("sign-in", &name("", FormFaults::default(), true)),
        sample("sign-in: not set up", &name("", FormFaults::default(), false)),
        sample("sign-in: refused", &name(SHARP, faults(&[("email", "this is no address")]), true)),
        sample("sign-in: password", &password(FormFaults::default())),
        sample("sign-in: wrong password", &password(faults(&[("password", "they do not match")]))),
        sample(
            "sign-in: unproven",
            &UnprovenPage { shell: shell(Base::Open, "Confirm your address"), email: SHARP.into() },
        ),
        sample("sign-in: code", &code(FormFaults::default())),
        sample("sign-in: wrong code", &code(faults(&[("code", "this is no code")]))),
    ]
}
