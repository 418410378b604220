//! What every door shares: who asks, forms and their protection, the frame and its parts, answers, the list of routes.

pub mod ask;
pub mod assets;
pub mod browser;
pub mod carried;
pub mod cookies;
pub mod csrf;
pub mod download;
pub mod error_pages;
pub mod faults;
pub mod flash;
pub mod form;
#[cfg(test)]
mod gallery;
pub mod handoff;
pub mod headers;
pub mod home;
pub mod hosts;
pub mod idempotency;
pub mod json;
pub mod listing;
pub mod live;
pub mod moment;
pub mod openapi;
pub mod origin;
pub mod page;
pub mod palette;
pub mod parts;
pub mod pretty;
pub mod problem;
pub mod query;
pub mod rail;
pub mod routes;
#[cfg(test)]
pub mod samples;
mod shape;
pub mod shell;
#[cfg(test)]
mod stylesheet;
