//! Who asks: extractors that turn a request into a flow's context.

use std::{collections::HashMap, ops::Deref, sync::Arc};

use axum::{
    extract::{FromRequestParts, Path},
    http::{header, request::Parts},
};

use crate::{
    base::actor::Origin,
    flow::{
        cx::{Cx, OperatorCx, OrgCx, PersonCx},
        enter,
        fault::{ActionError, ActionResult},
    },
    web::{
        Doors,
        kit::{
            browser::{self, Browser},
            faults::PageError,
            problem::ApiError,
        },
    },
};

/// Anyone with a browser; perhaps signed in.
pub struct Visitor {
    /// The context.
    pub cx: Cx,
    /// The person, where signed in.
    pub person: Option<PersonCx>,
    /// The browser's own secrets.
    pub browser: Browser,
}

/// A signed-in person on a page of their own.
pub struct PersonPage {
    /// The person.
    pub cx: PersonCx,
    /// The browser's own secrets.
    pub browser: Browser,
    /// The path asked for, for the rail.
    pub path: String,
}

/// A member on a page of an organization.
pub struct OrgPage {
    /// The member.
    pub cx: OrgCx,
    /// The browser's own secrets.
    pub browser: Browser,
    /// The path asked for, for the rail.
    pub path: String,
}

/// An operator on an operator's page.
pub struct OperatorPage {
    /// The operator.
    pub cx: OperatorCx,
    /// The browser's own secrets.
    pub browser: Browser,
    /// The path asked for, for the rail.
    pub path: String,
}

/// A key on a path of the API.
pub struct KeyAsk(pub OrgCx);

impl Deref for KeyAsk {
    type Target = OrgCx;

    fn deref(&self) -> &OrgCx {
        &self.0
    }
}

fn cx(parts: &Parts, doors: &Arc<Doors>) -> ActionResult<Cx> {
    let origin =
        parts.extensions.get::<Origin>().cloned().ok_or(Missing("origin")).map_err(ActionError::defect)?;
    Ok(Cx { ports: doors.ports.clone(), origin })
}

fn browser(parts: &Parts) -> ActionResult<Browser> {
    parts.extensions.get::<Browser>().cloned().ok_or(Missing("browser")).map_err(ActionError::defect)
}

/// A route was mounted without the middleware it needs.
#[derive(Debug, thiserror::Error)]
#[error("the {0} middleware did not run")]
struct Missing(&'static str);

async fn person(parts: &Parts, doors: &Arc<Doors>) -> ActionResult<(Cx, Option<PersonCx>)> {
    let cx = cx(parts, doors)?;
    let person = match browser::session_token(&parts.headers, doors.ports.site.is_secure()) {
        Some(token) => enter::person(&cx, &token).await?,
        None => None,
    };
    Ok((cx, person))
}

async fn org_in_path(parts: &mut Parts) -> ActionResult<String> {
    let Path(mut params) = Path::<HashMap<String, String>>::from_request_parts(parts, &())
        .await
        .map_err(|_| ActionError::NotFound)?;
    params.remove("org").ok_or(ActionError::NotFound)
}

impl FromRequestParts<Arc<Doors>> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, PageError> {
        let (cx, person) = person(parts, doors).await?;
        Ok(Self { cx, person, browser: browser(parts)? })
    }
}

impl FromRequestParts<Arc<Doors>> for PersonPage {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, PageError> {
        let (_, person) = person(parts, doors).await?;
        let cx = person.ok_or(ActionError::NotSignedIn)?;
        Ok(Self { cx, browser: browser(parts)?, path: parts.uri.path().to_owned() })
    }
}

impl FromRequestParts<Arc<Doors>> for OrgPage {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, PageError> {
        let (_, person) = person(parts, doors).await?;
        let person = person.ok_or(ActionError::NotSignedIn)?;
        let org = org_in_path(parts).await?;
        let cx = enter::org(person, &org).await?;
        Ok(Self { cx, browser: browser(parts)?, path: parts.uri.path().to_owned() })
    }
}

impl FromRequestParts<Arc<Doors>> for OperatorPage {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, PageError> {
        let (_, person) = person(parts, doors).await?;
        let cx = enter::operator(person.ok_or(ActionError::NotSignedIn)?)?;
        Ok(Self { cx, browser: browser(parts)?, path: parts.uri.path().to_owned() })
    }
}

impl FromRequestParts<Arc<Doors>> for KeyAsk {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, ApiError> {
        let cx = cx(parts, doors)?;
        let bearer = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(ActionError::NotSignedIn)?;
        let cx = enter::key(&cx, bearer).await?;
        // Another organization's path is as unknown to this key as one that does not exist.
        if let Ok(org) = org_in_path(parts).await
            && org != cx.org.slug.as_str()
            && org != cx.id().to_string()
        {
            return Err(ActionError::NotFound.into());
        }
        Ok(Self(cx))
    }
}
