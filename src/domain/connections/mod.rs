//! Connections: the OAuth providers of an organization, and what is known of providers before anybody registered one.
//!
//! Owns the presets, which are data, and templates: everything that has to be known to speak with one provider of one
//! organization.
//!
//! Lacks on purpose: talking to providers, which happens in `flow`.
//!
//! Invariant: a value that an organization sets never leads a request of a preset to a host outside the preset's rule.
//! Invariant: what a preset says of lifetimes is told to people and never relied on; what a provider answers counts.

mod preset;
mod presets;
mod template;
#[cfg(test)]
mod tests;
mod variables;

pub use preset::{Elsewhere, Pkce, Preset, Refreshing, Unverified};
pub use presets::{elsewhere, preset, presets, presets_checked_on};
pub use template::{Account, Ask, Template, TemplateParts};
pub use variables::{BadVariable, Variable, VariableSource};
