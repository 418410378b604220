//! Rotation: a new key with the same facts in place of an old one.

use time::Duration;

use crate::{
    base::{
        actor::KeyOwner,
        ids::ApiKeyId,
        permission::{Permission, Role},
        update::Change,
    },
    domain::{
        audit::Entry,
        automation::{
            ApiKeyEntry, ApiKeyForm, DEFAULT_KEY_TTL, Expiry, IssuedKey, KeyState, NewApiKey, store,
        },
        tenancy,
    },
    flow::{
        actions::{
            api_keys::{KeyRecord, MadeKey, check_reach, entry_of, finish, own, sent_before},
            service_accounts::named,
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{OrgTx, Tx},
};

/// How long the replaced key may live on at the most.
pub const LONGEST_OVERLAP: Duration = Duration::days(7);

/// What the page to rotate a key shows.
///
/// # Errors
/// As [`rotate`], so that nobody types a form in vain.
pub async fn rotatable(cx: &OrgCx, id: &str) -> ActionResult<ApiKeyEntry> {
    cx.require(Permission::ApiKeysWrite)?;
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let entry = entry_of(cx, &mut tx, id).await?;
    tx.done().await?;
    check_rotatable(cx, &entry)?;
    Ok(entry)
}

/// Makes a new key with the same facts; the old one ends after an overlap, at once where that is none.
///
/// # Errors
/// `NeedsProof`; refusals where the key no longer works or acts in another person's name.
pub async fn rotate(
    cx: &OrgCx,
    id: &str,
    new_id: Option<ApiKeyId>,
    overlap: Duration,
    seen: Option<i64>,
) -> ActionResult<MadeKey> {
    cx.require(Permission::ApiKeysWrite)?;
    cx.require_proof()?;
    if overlap.is_negative() || overlap > LONGEST_OVERLAP {
        return Err(ActionError::field("overlap_hours", "choose at most 168 hours, which is 7 days"));
    }
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let entry = entry_of(cx, &mut tx, id).await?;
    check_rotatable(cx, &entry)?;
    let old = entry.key;
    let role = owner_role(cx, &mut tx, old.owner).await?;
    let scopes = old.scopes.within(role).texts();
    let expiry = Expiry::At(now + old.expires_at.map_or(DEFAULT_KEY_TTL, |at| at - old.created_at));
    let new =
        NewApiKey::parse(ApiKeyForm { name: &old.name, scopes: &scopes, expiry }, old.owner, role, now)?;
    check_reach(cx, new.scopes(), role)?;
    // The new key first: a form that was sent twice is told so, not that somebody else was faster.
    let issued = new_id.map_or_else(IssuedKey::fresh, IssuedKey::of);
    let key = store::keys::insert(&mut tx, &new, &issued, cx.user(), now).await.map_err(sent_before)?;
    let outcome = if overlap.is_zero() {
        store::keys::revoke(&mut tx, old.id, cx.user(), seen, now).await?
    } else {
        store::keys::end_by(&mut tx, old.id, now + overlap, seen).await?
    };
    let Change { before, after } = settled(outcome)?;
    let entries = vec![
        Entry::admin("api_key.created", &cx.who())
            .target("api_key", key.id, &key.name)
            .after(&KeyRecord::from(&key))
            .note(format!("Replaces {}.", old.id)),
        Entry::admin("api_key.rotated", &cx.who())
            .target("api_key", old.id, &old.name)
            .changed(&KeyRecord::from(&before), &KeyRecord::from(&after))
            .note(format!("Replaced by {}.", key.id)),
    ];
    finish(cx, tx, &key, issued, entries, Some(after)).await
}

async fn owner_role(cx: &OrgCx, tx: &mut OrgTx, owner: KeyOwner) -> ActionResult<Role> {
    if owner == own(cx)? {
        return Ok(cx.role);
    }
    match owner {
        KeyOwner::ServiceAccount(account) => Ok(named(tx, &account.to_string()).await?.role),
        KeyOwner::User(user) => {
            Ok(tenancy::store::members::find(tx, user).await?.ok_or(ActionError::NotFound)?.role)
        }
    }
}

fn check_rotatable(cx: &OrgCx, entry: &ApiKeyEntry) -> ActionResult<()> {
    if matches!(entry.key.owner, KeyOwner::User(_)) && entry.key.owner != own(cx)? {
        let sentence = format!(
            "Only {name} can rotate this key, because the new one acts in their name. Ask them, or revoke it.",
            name = entry.owner_name
        );
        return Err(ActionError::refused("not_your_key", sentence));
    }
    if matches!(entry.state, KeyState::Revoked | KeyState::Expired) {
        return Err(ActionError::refused(
            "key_is_over",
            "This key no longer works, so it cannot be rotated. Make a new one.",
        ));
    }
    Ok(())
}
