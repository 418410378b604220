//! What must hold for every route there is, walked from the list that mounts them.

mod bodies;
pub(crate) mod canary;
mod contract;
mod corpora;
mod document;
mod endings;
mod pages;
mod protected;
mod record;
mod roles;
mod signed;
mod tenants;
mod tokens;
mod trace;
mod world;
