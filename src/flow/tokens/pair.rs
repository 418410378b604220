//! A pair of tokens as it is sealed: access and refresh token as one value.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::{
    base::{
        ids::{ConnectionId, OrgId},
        secret::Secret,
    },
    domain::{
        connections::{NewTokens, SealedTokens, store::accounts::SEALED_TOKENS},
        vault::{Cell, Sealed, Vault},
    },
    flow::fault::{ActionError, ActionResult},
    io::db::Tx,
    protocol::oauth::{answer::Tokens as Answered, document::Facts},
};

/// A pair of tokens.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The token that is sent to the resource.
    pub access: Secret<String>,
    /// The token that the next pair is fetched with.
    pub refresh: Option<Secret<String>>,
}

/// As it is sealed.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    access: std::borrow::Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    refresh: Option<std::borrow::Cow<'a, str>>,
}

/// What a sealed pair is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is sealed as tokens is none")]
struct NotAPair;

impl Pair {
    /// Of an answer; a refresh token that was not given anew stays.
    pub fn of(answered: &Answered, before: Option<&Self>) -> Self {
        let kept = || before.and_then(|before| before.refresh.clone());
        Self { access: answered.access.clone(), refresh: answered.refresh.clone().or_else(kept) }
    }

    /// Seals it for its connection.
    ///
    /// # Errors
    /// When the vault cannot.
    pub async fn seal(
        &self,
        vault: &Vault,
        tx: &mut impl Tx,
        id: ConnectionId,
    ) -> ActionResult<SealedTokens> {
        let written = Written {
            access: self.access.expose().as_str().into(),
            refresh: self.refresh.as_ref().map(|refresh| refresh.expose().as_str().into()),
        };
        let plain = Zeroizing::new(serde_json::to_vec(&written).map_err(ActionError::defect)?);
        let sealed = vault.seal(tx, cell(id), &plain).await?;
        Ok(SealedTokens { key: sealed.key, bytes: sealed.bytes })
    }

    /// Opens it.
    ///
    /// # Errors
    /// When the vault cannot.
    pub async fn open(
        vault: &Vault,
        tx: &mut impl Tx,
        id: ConnectionId,
        sealed: &SealedTokens,
    ) -> ActionResult<Self> {
        let sealed = Sealed { key: sealed.key, bytes: sealed.bytes.clone() };
        Self::read(&vault.open(tx, cell(id), &sealed).await?)
    }

    /// The same without the database, where the key is at hand; none where it is not.
    pub fn open_held(
        vault: &Vault,
        org: OrgId,
        id: ConnectionId,
        sealed: &SealedTokens,
    ) -> Option<ActionResult<Self>> {
        let sealed = Sealed { key: sealed.key, bytes: sealed.bytes.clone() };
        let plain = vault.open_held(org, cell(id), &sealed)?;
        Some(plain.map_err(ActionError::from).and_then(|plain| Self::read(&plain)))
    }

    fn read(plain: &Secret<Vec<u8>>) -> ActionResult<Self> {
        let written: Written<'_> =
            serde_json::from_slice(plain.expose()).map_err(|_| ActionError::defect(NotAPair))?;
        Ok(Self {
            access: Secret::new(written.access.into_owned()),
            refresh: written.refresh.map(|refresh| Secret::new(refresh.into_owned())),
        })
    }
}

fn cell(id: ConnectionId) -> Cell {
    Cell::new("connections", SEALED_TOKENS, id)
}

/// What is stored of an answer that was sealed, beside what was known before.
pub fn stored(
    sealed: SealedTokens,
    pair: &Pair,
    answered: &Answered,
    (scopes, facts): (Vec<String>, Facts),
    now: OffsetDateTime,
) -> NewTokens {
    let ends = |seconds: Option<u64>| {
        let seconds = i64::try_from(seconds?).ok()?;
        now.checked_add(Duration::seconds(seconds))
    };
    NewTokens {
        sealed,
        has_refresh: pair.refresh.is_some(),
        scopes,
        expires_at: ends(answered.expires_in),
        refresh_expires_at: ends(answered.refresh_expires_in),
        facts,
    }
}
