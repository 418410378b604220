//! Connections: the OAuth providers of an organization, and what is known of providers before anybody registered one.
//!
//! Owns the tables `providers` and `provider_keys`; the presets, which are data; and templates: everything that has to
//! be known to speak with one provider of one organization.
//!
//! Lacks on purpose: talking to providers and sealing secrets; both happen in `flow`.
//!
//! Invariant: the addresses of a registered provider never change, so that neither its secret nor anybody's token can be sent
//! where it was not meant for.
//! Invariant: a value that an organization sets never leads a request of a preset to a host outside the preset's rule.
//! Invariant: the private half of a client's key is in `providers` alone, sealed; `provider_keys` holds what is open.
//! Invariant: what a preset says of lifetimes is told to people and never relied on; what a provider answers counts.

mod connection;
mod former_place;
mod kinds;
mod new_provider;
mod preset;
mod preset_versions;
mod presets;
mod provider;
mod schedule;
pub mod store;
mod template;
#[cfg(test)]
mod tests;
mod variables;

pub use connection::{
    ADDRESS_REFUSED, AccountLabel, AccountOwner, Blocked, ConnectRequest, Connection, ConnectionFilter,
    ConnectionState, HeldAccount, LastError, NewConnection, NewTokens, NotAState, SealedTokens,
    SwitchedOffBy, TokenEnding, Trouble,
};
pub use former_place::FormerPlace;
pub use new_provider::{NewProvider, NewSource, OwnClient, ProviderForm, parse_key, parse_secret};
pub use preset::{Audience, Elsewhere, Pkce, Preset, Refreshing, Unverified};
pub use preset_versions::{NewerPreset, PresetDifference};
pub use presets::{elsewhere, preset, presets};
pub use provider::{Enrolment, Obtaining, Places, Provider, ProviderRef, ProviderSource, SealedSecret};
pub use schedule::{
    Aftermath, Freshness, KEEP_ALIVE, LONG_LIFE, MOST_PRESENTED, TELL_AHEAD, TELL_FOR, margin,
    until_told_again,
};
pub use template::{Account, Ask, ClientParts, Template, TemplateParts};
pub use variables::{BadVariable, Variable, VariableSource};
