//! Asking for an API key, and the one time its secret is there.

use std::str::FromStr;

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        actor::KeyOwner,
        crypto::token::{Token, TokenKind},
        faults::Faults,
        ids::ApiKeyId,
        permission::Role,
        secret::Secret,
        wording::{self, BadName},
    },
    domain::automation::Scopes,
};

/// How long a key lives when nobody says.
pub const DEFAULT_KEY_TTL: Duration = Duration::days(90);
/// How long a key lives at the most.
pub const LONGEST_KEY_TTL: Duration = Duration::days(365);

/// When a key is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// Nobody said.
    #[default]
    Default,
    /// After so many days.
    Days(u16),
    /// At a moment.
    At(OffsetDateTime),
}

/// Why a key cannot end then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum BadExpiry {
    #[error("choose a time in the future")]
    Past,
    #[error("choose at most 365 days from now; a script that runs longer gets a new key")]
    TooFar,
}

fn parse_expiry(expiry: Expiry, now: OffsetDateTime) -> Result<OffsetDateTime, BadExpiry> {
    let at = match expiry {
        Expiry::Default => now + DEFAULT_KEY_TTL,
        Expiry::Days(days) => now + Duration::days(i64::from(days)),
        Expiry::At(at) => at,
    };
    if at <= now {
        Err(BadExpiry::Past)
    } else if at - now > LONGEST_KEY_TTL {
        Err(BadExpiry::TooFar)
    } else {
        Ok(at)
    }
}

/// What a key is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName(String);

impl KeyName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        wording::parse_name(text).map(Self)
    }
}

/// A key as somebody asked for it.
#[derive(Clone, Copy, Debug)]
pub struct ApiKeyForm<'a> {
    /// The name.
    pub name: &'a str,
    /// The scopes' texts.
    pub scopes: &'a [String],
    /// When it is to end.
    pub expiry: Expiry,
}

/// A key that may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    pub(super) name: String,
    pub(super) owner: KeyOwner,
    pub(super) scopes: Scopes,
    pub(super) expires_at: OffsetDateTime,
}

impl NewApiKey {
    /// Takes what somebody asked for, on behalf of an owner with a role.
    ///
    /// # Errors
    /// Every fault with its field: `name`, `scopes`, `expires_at`.
    pub fn parse(
        form: ApiKeyForm<'_>,
        owner: KeyOwner,
        owner_role: Role,
        now: OffsetDateTime,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let name = faults.check("name", wording::parse_name(form.name));
        let scopes = faults.check("scopes", Scopes::parse(form.scopes));
        let expires_at = faults.check("expires_at", parse_expiry(form.expiry, now));
        let beyond = scopes.as_ref().map(|scopes| scopes.beyond(owner_role)).unwrap_or_default();
        if !beyond.is_empty() {
            let beyond: Vec<_> = beyond.iter().map(|p| p.scope()).collect();
            let beyond = beyond.join(", ");
            faults.add(
                "scopes",
                format!("the owner's role {owner_role} does not carry {beyond}; leave it out"),
            );
        }
        match (name, scopes, expires_at) {
            (Some(name), Some(scopes), Some(expires_at)) => {
                faults.into_result(Self { name, owner, scopes, expires_at })
            }
            _ => Err(faults),
        }
    }
}

impl NewApiKey {
    /// What it asks for, so that nobody hands out more than they have.
    pub const fn scopes(&self) -> &Scopes {
        &self.scopes
    }
}

/// A key's id and secret, between its making and the one time it is shown.
#[derive(Debug)]
pub struct IssuedKey {
    pub(super) id: ApiKeyId,
    pub(super) token: Token,
}

impl IssuedKey {
    /// A new one.
    pub fn fresh() -> Self {
        Self::of(ApiKeyId::fresh())
    }

    /// One whose id a form was given before it was sent, so that sending it twice makes one key.
    pub fn of(id: ApiKeyId) -> Self {
        Self { id, token: Token::issue(TokenKind::ApiKey, id) }
    }

    /// The key's id.
    pub const fn id(&self) -> ApiKeyId {
        self.id
    }

    /// The text that the script carries.
    pub fn text(&self) -> Secret<String> {
        self.token.text()
    }

    /// What a list shows of it.
    pub(super) fn tail(&self) -> String {
        self.token.tail()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::base::ids::UserId;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn parse(
        name: &str,
        scopes: &[&str],
        expiry: Expiry,
        role: Role,
    ) -> Result<NewApiKey, Vec<&'static str>> {
        let scopes: Vec<_> = scopes.iter().map(|s| (*s).to_owned()).collect();
        let form = ApiKeyForm { name, scopes: &scopes, expiry };
        NewApiKey::parse(form, KeyOwner::User(UserId::fresh()), role, NOW)
            .map_err(|faults| faults.iter().map(|f| f.field).collect())
    }

    #[test]
    fn a_key_lives_ninety_days_by_default_and_a_year_at_most() {
        let ends = |expiry| parse("k", &["*"], expiry, Role::Admin).map(|new| new.expires_at - NOW);
        assert_eq!(ends(Expiry::Default), Ok(Duration::days(90)));
        assert_eq!(ends(Expiry::Days(365)), Ok(Duration::days(365)));
        assert_eq!(ends(Expiry::Days(366)), Err(vec!["expires_at"]));
        assert_eq!(ends(Expiry::Days(0)), Err(vec!["expires_at"]));
        assert_eq!(ends(Expiry::At(NOW)), Err(vec!["expires_at"]));
        assert_eq!(ends(Expiry::At(NOW + Duration::SECOND)), Ok(Duration::SECOND));
    }

    #[test]
    fn every_fault_is_told_at_once() {
        assert_eq!(
            parse("", &["nope"], Expiry::Days(0), Role::Owner),
            Err(vec!["name", "scopes", "expires_at"])
        );
    }

    #[test]
    fn a_key_cannot_promise_more_than_its_owner_has() {
        assert_eq!(parse("k", &["gate:write"], Expiry::Default, Role::Auditor), Err(vec!["scopes"]));
        assert!(parse("k", &["audit:read"], Expiry::Default, Role::Auditor).is_ok());
        assert!(parse("k", &["*"], Expiry::Default, Role::Member).is_ok());
    }

    #[test]
    fn the_tail_is_the_end_of_the_token() {
        let issued = IssuedKey::fresh();
        assert!(issued.text().expose().ends_with(&issued.tail()));
        assert!(!format!("{issued:?}").contains(&issued.tail()));
    }
}
