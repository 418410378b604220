//! Leaving the console for another program or site.
//!
//! A browser refuses a redirect to another origin that follows a posted form, and asks before it opens another program
//! (`form-action 'self'`; see the console's content security policy). So the way out is a page of ours that goes on by
//! itself and offers the same address as a link.
//!
//! Invariant: the address is made here or by the caller, never taken from a request.

use askama::Template;

use crate::web::kit::{parts::Crumb, shell::Shell};

/// The page that hands the person over.
#[derive(Debug, Template)]
#[template(path = "parts/handoff.html")]
pub struct Handoff {
    /// The frame; its title says where to.
    pub shell: Shell,
    /// The way back.
    pub crumbs: Vec<Crumb>,
    /// What opens: "Cursor".
    pub name: &'static str,
    /// The address.
    pub url: String,
    /// What to do where nothing opens.
    pub otherwise: &'static str,
}
