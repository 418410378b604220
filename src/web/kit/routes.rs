//! The list of routes: each says who may come in and what it leaves in the record.
//!
//! Invariant: a route that changes something cannot be added without an [`Effect`]. Tests walk this list: as nobody,
//! as a stranger and in every role, and with another organization's ids.

use std::sync::Arc;

use axum::{
    Router,
    handler::Handler,
    http::Method,
    routing::{self, MethodRouter},
};

use crate::{
    base::permission::Permission,
    web::{Doors, kit::openapi::Operation},
};

/// Who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Anyone,
    /// A signed-in person, for themselves.
    Person,
    /// Any member of the organization in the path.
    Member,
    /// A member of the organization in the path with a permission.
    Org(Permission),
    /// A member of the organization in the path with a permission, or one whose place in the team of the path carries
    /// it; on the list of teams one who is in any, on that of secrets one who owns or administers any.
    Team(Permission),
    /// An operator.
    Operator,
    /// Any good API key.
    AnyKey,
    /// An API key with a permission.
    Key(Permission),
    /// An agent with a grant's token; nobody else, whatever they carry.
    Agent,
}

/// What a route leaves in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it only reads.
    Reads,
    /// Events of these actions.
    Records(&'static [&'static str]),
    /// Nothing, for a stated reason.
    Unrecorded(&'static str),
}

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path with its parameters.
    pub path: String,
    /// Who may come in.
    pub access: Access,
    /// What it leaves in the record.
    pub effect: Effect,
}

/// Routes with their handlers.
#[derive(Default)]
pub struct Routes {
    router: Router<Arc<Doors>>,
    list: Vec<Route>,
    operations: Vec<Operation>,
}

impl Routes {
    /// A page, which only reads.
    pub fn page<H, T>(self, path: &str, access: Access, handler: H) -> Self
    where
        H: Handler<T, Arc<Doors>>,
        T: 'static,
    {
        self.add(Method::GET, path, access, Effect::Reads, routing::get(handler))
    }

    /// A file to download, which leaves its mark in the record.
    pub fn download<H, T>(self, path: &str, access: Access, effect: Effect, handler: H) -> Self
    where
        H: Handler<T, Arc<Doors>>,
        T: 'static,
    {
        self.add(Method::GET, path, access, effect, routing::get(handler))
    }

    /// A posted form, which changes something.
    pub fn form<H, T>(self, path: &str, access: Access, effect: Effect, handler: H) -> Self
    where
        H: Handler<T, Arc<Doors>>,
        T: 'static,
    {
        self.add(Method::POST, path, access, effect, routing::post(handler))
    }

    /// An operation of the JSON API; method, path, access and effect are the operation's.
    pub fn api<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, Arc<Doors>>,
        T: 'static,
    {
        let method = operation.method.clone();
        let router = match method {
            Method::GET => routing::get(handler),
            Method::POST => routing::post(handler),
            Method::PUT => routing::put(handler),
            Method::PATCH => routing::patch(handler),
            _ => routing::delete(handler),
        };
        let path = operation.full_path();
        let (access, effect) = (operation.access, operation.effect);
        self.operations.push(operation);
        self.add(method, &path, access, effect, router)
    }

    /// An endpoint for agents, which takes every method and answers by the protocol's own rules.
    pub fn agent<H, T>(self, path: &str, effect: Effect, handler: H) -> Self
    where
        H: Handler<T, Arc<Doors>>,
        T: 'static,
    {
        self.add(Method::POST, path, Access::Agent, effect, routing::any(handler))
    }

    /// All routes of another list too.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.list.extend(other.list);
        self.operations.extend(other.operations);
        self
    }

    /// The list.
    pub fn list(&self) -> &[Route] {
        &self.list
    }

    /// The operations of the API, for its document.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The router.
    pub fn into_router(self) -> Router<Arc<Doors>> {
        self.router
    }

    fn add(
        mut self,
        method: Method,
        path: &str,
        access: Access,
        effect: Effect,
        handler: MethodRouter<Arc<Doors>>,
    ) -> Self {
        self.router = self.router.route(path, handler);
        self.list.push(Route { method, path: path.to_owned(), access, effect });
        self
    }
}
