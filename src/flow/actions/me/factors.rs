//! How the person can prove who they are, all on one page.

use time::OffsetDateTime;

use crate::{
    domain::{
        identity::{passkeys::StoredPasskey, store as identity},
        tenancy,
    },
    flow::{
        cx::PersonCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{PersonTx, Tx},
};

/// What a person can prove themselves with.
#[derive(Debug)]
pub struct Factors {
    /// Since when codes of an authenticator app are asked for.
    pub app_since: Option<OffsetDateTime>,
    /// How many recovery codes are left.
    pub codes_left: i64,
    /// Their passkeys, the oldest first.
    pub passkeys: Vec<StoredPasskey>,
    /// Names of their organizations that ask for a second factor.
    pub required_by: Vec<String>,
    /// Whether this installation's address allows passkeys.
    pub can_have_passkeys: bool,
}

impl Factors {
    /// Whether anything beyond a password is there.
    pub fn has_second(&self) -> bool {
        self.app_since.is_some() || !self.passkeys.is_empty()
    }
}

/// What the person can prove themselves with.
pub async fn overview(cx: &PersonCx) -> ActionResult<Factors> {
    let mut tx = cx.tx().await?;
    let factors = read(cx, &mut tx).await?;
    tx.done().await?;
    Ok(factors)
}

pub(super) async fn read(cx: &PersonCx, tx: &mut PersonTx) -> ActionResult<Factors> {
    let app = identity::totp::find(tx, cx.id()).await?;
    let codes_left = identity::recovery::count_left(tx, cx.id()).await?;
    let passkeys = identity::passkeys::list(tx, cx.id()).await?;
    let orgs = tenancy::store::orgs::list_of_person(tx).await?;
    let required_by = orgs.into_iter().filter(|found| found.org.require_second_factor);
    Ok(Factors {
        app_since: app.and_then(|app| app.confirmed_at),
        codes_left,
        passkeys,
        required_by: required_by.map(|found| found.org.name).collect(),
        can_have_passkeys: cx.ports.relying.is_some(),
    })
}

/// Refuses to take the last second factor away while an organization asks for one.
pub(super) fn keep_required(factors: &Factors, remaining: usize) -> ActionResult<()> {
    if remaining > 0 || factors.required_by.is_empty() {
        return Ok(());
    }
    Err(ActionError::refused(
        "second_factor_required",
        format!(
            "{} asks its people for a second factor, and this is your last one. Add a passkey or an authenticator \
             app first, or leave the organization.",
            factors.required_by.join(", ")
        ),
    ))
}
