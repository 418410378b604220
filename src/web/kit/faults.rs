//! Failures on their way out: kept as values until the outermost layer knows how to say them.
//!
//! A handler returns a failure without knowing request id, theme or format; [`answer`] renders it as a page or as a
//! problem document. Here is also where a defect is logged, once, with its chain.

use std::{error::Error, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    base::{actor::Origin, ids::RequestId},
    domain::policy::document::Fault as DocumentFault,
    flow::fault::ActionError,
    web::{
        Doors,
        kit::{
            carried,
            error_pages::{Away, BadAddress, Failed, Forbidden, NotDone, NotFound},
            form, page, problem,
            shell::{Base, Shell},
        },
    },
};

/// Why a request fails.
#[derive(Debug)]
pub enum Fault {
    /// An action said no.
    Action(ActionError),
    /// The body cannot be read: where in it, and what to do.
    Body(Vec<(String, String)>),
    /// The query of the address cannot be read.
    Query {
        /// Which parameter of it.
        name: String,
        /// Why, and what to do.
        message: String,
    },
    /// The request itself is not one that we serve.
    Protocol {
        /// The status.
        status: StatusCode,
        /// The stable code.
        code: &'static str,
        /// What to do.
        detail: &'static str,
    },
}

impl Fault {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Protocol { status, .. } => *status,
            Self::Body(_) | Self::Query { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Action(error) => match error {
                ActionError::Fields(_) | ActionError::Document(_) => StatusCode::UNPROCESSABLE_ENTITY,
                ActionError::NotFound => StatusCode::NOT_FOUND,
                ActionError::Forbidden(_) | ActionError::NeedsProof | ActionError::NeedsSecondFactor => {
                    StatusCode::FORBIDDEN
                }
                ActionError::Refused(_) => StatusCode::CONFLICT,
                ActionError::NotSignedIn => StatusCode::UNAUTHORIZED,
                ActionError::Changed => StatusCode::PRECONDITION_FAILED,
                ActionError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
                ActionError::Away(_)
                | ActionError::Unsettled(_)
                | ActionError::DiskFull(_)
                | ActionError::Busy => StatusCode::SERVICE_UNAVAILABLE,
                ActionError::Defect(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Action(error) => error.code(),
            Self::Body(_) => "invalid_body",
            Self::Query { .. } => "invalid_query",
            Self::Protocol { code, .. } => code,
        }
    }

    /// What happened and what to do, in a sentence or two.
    pub fn detail(&self) -> String {
        match self {
            Self::Protocol { detail, .. } => (*detail).to_owned(),
            Self::Body(_) => "The body cannot be read; see errors.".to_owned(),
            Self::Query { .. } => "The query of the address cannot be read; see errors.".to_owned(),
            Self::Action(error) => match error {
                ActionError::Fields(_) => "Some fields cannot be accepted; see errors.".to_owned(),
                ActionError::Document(_) => "The document cannot be accepted; see errors.".to_owned(),
                ActionError::NotFound => "There is nothing here, or nothing that you may see.".to_owned(),
                ActionError::Forbidden(permission) => {
                    let roles: Vec<&str> = permission.held_by().iter().map(|role| role.label()).collect();
                    format!("This needs the permission {permission}, held by: {}.", roles.join(", "))
                }
                ActionError::Refused(refused) => refused.sentence.clone(),
                ActionError::NotSignedIn => {
                    "Send a valid API key as `Authorization: Bearer prk_…`.".to_owned()
                }
                ActionError::NeedsProof => {
                    "Confirm in the console that it is you, then try again.".to_owned()
                }
                ActionError::NeedsSecondFactor => {
                    "This organization asks for a second factor; set one up under Security.".to_owned()
                }
                ActionError::Changed => {
                    "Someone else changed this in the meantime. Read it again and repeat your change."
                        .to_owned()
                }
                ActionError::TooMany { retry_after } => {
                    format!("Too many attempts. Try again in {}.", words(*retry_after))
                }
                ActionError::Away(_) => {
                    "The database is not available right now; nothing was changed. Try again in a moment."
                        .to_owned()
                }
                ActionError::Unsettled(_) => {
                    "The database went away while this was being saved; it may have been. Look before you repeat it."
                        .to_owned()
                }
                ActionError::DiskFull(_) => {
                    "The database's disk is full; nothing was changed. Whoever runs Portreeve has to free some space."
                        .to_owned()
                }
                ActionError::Busy => {
                    "The server is busy right now; nothing was changed. Try again.".to_owned()
                }
                ActionError::Defect(_) => "Something went wrong on our side; nothing was changed.".to_owned(),
            },
        }
    }

    /// The fields that need attention, with what to do.
    pub fn fields(&self) -> Vec<(String, String)> {
        match self {
            Self::Body(faults) => faults.clone(),
            Self::Query { name, message } => vec![(name.clone(), message.clone())],
            Self::Action(ActionError::Fields(faults)) => {
                faults.iter().map(|fault| (fault.field.to_owned(), fault.message.clone())).collect()
            }
            Self::Action(ActionError::Document(faults)) => faults.iter().map(document_fault).collect(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<i64> {
        match self {
            Self::Action(ActionError::TooMany { retry_after }) => Some(retry_after.whole_seconds().max(1)),
            // What may have been done already is not to be repeated by a program: no word of `Unsettled` here.
            Self::Action(ActionError::Away(_) | ActionError::Busy) => Some(2),
            Self::Action(ActionError::DiskFull(_)) => Some(60),
            _ => None,
        }
    }
}

impl Pending {
    /// Whether it is known what became of the request.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(*self.0, Fault::Action(ActionError::Unsettled(_)))
    }
}

/// A fault of a document, at its place in the body.
fn document_fault(fault: &DocumentFault) -> (String, String) {
    let suggestion = fault.suggestion.as_deref().map(|text| format!(" {text}")).unwrap_or_default();
    (format!("document{}", fault.path), format!("{}{suggestion}", fault.reason))
}

/// A duration as people say it.
fn words(duration: time::Duration) -> String {
    let seconds = duration.whole_seconds().max(1);
    match seconds {
        1 => "a second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        91..=5_400 => format!("{} minutes", (seconds + 59) / 60),
        _ => format!("{} hours", (seconds + 3_599) / 3_600),
    }
}

/// What a page handler returns on failure.
#[derive(Debug)]
pub struct PageError(Fault);

impl PageError {
    /// A defect.
    pub fn defect(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Fault::Action(ActionError::defect(error)))
    }

    /// What happened and what to do, for a page that is there already; logs what is our own fault.
    pub(super) fn told(&self) -> String {
        log(&self.0);
        self.0.detail()
    }

    /// A parameter of the address cannot be read.
    pub(super) fn query(name: String, message: String) -> Self {
        Self(Fault::Query { name, message })
    }
}

impl From<ActionError> for PageError {
    fn from(error: ActionError) -> Self {
        Self(Fault::Action(error))
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        Pending::response(self.0)
    }
}

/// A failure inside a response that still has to be rendered.
#[derive(Clone)]
pub(super) struct Pending(Arc<Fault>);

impl Pending {
    pub(super) fn response(fault: Fault) -> Response {
        let mut response = fault.status().into_response();
        response.extensions_mut().insert(Self(Arc::new(fault)));
        response
    }
}

/// Renders failures: as pages, or as problem documents below `/api/`.
pub async fn answer(State(doors): State<Arc<Doors>>, request: Request, next: Next) -> Response {
    let id = request.extensions().get::<Origin>().map(|origin| origin.request);
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let mut response = next.run(request).await;
    let is_api = uri.path().starts_with("/api/");
    let Some(Pending(fault)) = response.extensions_mut().remove::<Pending>() else {
        return response;
    };
    log(&fault);
    let mut answer = if is_api {
        problem::render(&fault, id)
    } else {
        page_for(&fault, &method, &uri, &headers, &doors, id)
    };
    if let Some(seconds) = fault.retry_after() {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// Logs what is our own fault; what the caller can mend is not worth a line.
fn log(fault: &Fault) {
    use ActionError as E;
    if let Fault::Action(error @ (E::Defect(_) | E::Away(_) | E::Unsettled(_) | E::DiskFull(_))) = fault {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(code = error.code(), cause = %chain, "a request failed");
    }
}

fn page_for(
    fault: &Fault,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    doors: &Doors,
    id: Option<RequestId>,
) -> Response {
    let here = back_to(method, uri, headers, doors.origin());
    let secure = doors.ports.site.is_secure();
    match fault {
        Fault::Action(ActionError::NotSignedIn) => carried::go_and_return("/login", &here, secure),
        Fault::Action(ActionError::NeedsProof) => carried::go_and_return("/prove", &here, secure),
        Fault::Action(ActionError::NeedsSecondFactor) => page::go("/me/security?needed=second-factor"),
        _ => rendered(fault, uri.path(), id),
    }
}

/// The page that says what happened, why, and what to do.
fn rendered(fault: &Fault, path: &str, id: Option<RequestId>) -> Response {
    let framed = |title: &str| {
        let mut shell = Shell::new(Base::Open, title);
        shell.request_id = id.map(|id| id.to_string()).unwrap_or_default();
        shell
    };
    let home = "/".to_owned();
    let page = match fault {
        Fault::Action(ActionError::NotFound) => {
            page::page_with(fault.status(), &NotFound { shell: framed("Nothing here"), home })
        }
        Fault::Action(ActionError::Forbidden(permission)) => page::page_with(
            fault.status(),
            &Forbidden {
                shell: framed("Your role does not include this"),
                wanted: permission.label().to_owned(),
                roles: permission.held_by().to_vec(),
                role: String::new(),
                givers: Vec::new(),
                matrix: matrix(path),
                home,
            },
        ),
        Fault::Action(ActionError::Defect(_)) => {
            page::page_with(fault.status(), &Failed { shell: framed("Something failed on our side"), home })
        }
        Fault::Action(
            ActionError::Away(_) | ActionError::Unsettled(_) | ActionError::DiskFull(_) | ActionError::Busy,
        ) => page::page_with(
            fault.status(),
            &Away { shell: framed("Not available right now"), why: fault.detail() },
        ),
        Fault::Query { message, .. } => page::page_with(
            fault.status(),
            &BadAddress {
                shell: framed("This address cannot be read"),
                why: message.clone(),
                plain: page::safe_return(path).unwrap_or("/").to_owned(),
            },
        ),
        _ => {
            let faults = fault.fields().iter().map(|(_, message)| form::sentence(message)).collect();
            page::page_with(
                fault.status(),
                &NotDone { shell: framed("This was not done"), why: fault.detail(), faults, home },
            )
        }
    };
    page.unwrap_or_else(|_| fault.status().into_response())
}

/// Where the roles of the organization in a path are explained; empty where there is none in it.
fn matrix(path: &str) -> String {
    let slug =
        path.strip_prefix("/o/").and_then(|rest| rest.split('/').next()).filter(|slug| !slug.is_empty());
    slug.map(|slug| format!("/o/{slug}/roles")).unwrap_or_default()
}

/// Below this browsers come back from providers.
const CALLBACK: &str = "/oauth/callback/";

/// The page to come back to: the one asked for, or for a posted form the one that showed it.
fn back_to(method: &Method, uri: &Uri, headers: &HeaderMap, base: &str) -> String {
    let asked = uri.path_and_query().map_or("/", |path| path.as_str());
    // What a provider sent along stays out of an address that others may read; it would be too old after signing in.
    if uri.path().starts_with(CALLBACK) {
        return uri.path().to_owned();
    }
    if method == Method::GET {
        return asked.to_owned();
    }
    let referrer = headers.get(header::REFERER).and_then(|value| value.to_str().ok());
    referrer.and_then(|url| url.strip_prefix(base)).and_then(page::safe_return).unwrap_or("/").to_owned()
}
