//! What is used of limits, and taking it back.

use serde::Serialize;

use crate::{
    base::{
        crypto::digest::Digest,
        page::{Page, PageRequest},
        permission::Permission,
    },
    domain::{
        audit::{self, Entry},
        limits::{Usage, UsageFilter, store},
        policy::{kept::PolicyRef, store::policies},
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
};

/// Which counts a list shows.
#[derive(Clone, Debug, Default)]
pub struct UsageInput {
    /// Only those of this policy, by id or slug.
    pub policy: Option<String>,
    /// Only those of this grant, person, team, client or server.
    pub scope_id: Option<String>,
}

/// What is used, with the policy that counts.
#[derive(Clone, Debug)]
pub struct UsageFound {
    /// What is used.
    pub usage: Usage,
    /// The policy's short name; its id where it is gone.
    pub policy: String,
}

/// What the record keeps of a count that was taken back.
#[derive(Serialize)]
struct UsageRecord<'a> {
    scope: &'a str,
    scope_id: &'a str,
    span: &'a str,
    used: &'a str,
}

/// What is used of limits whose span is not over, by counter.
///
/// # Errors
/// A fault of `policy` where there is none of that name.
pub async fn list(
    cx: &OrgCx,
    input: &UsageInput,
    page: &PageRequest<(String, String)>,
) -> ActionResult<Page<UsageFound>> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let policy = match given(input.policy.as_deref()) {
        Some(name) => Some(policy_of(&mut tx, name).await?),
        None => None,
    };
    let filter = UsageFilter { policy, scope_id: given(input.scope_id.as_deref()).map(str::to_owned) };
    let Page { items, next } = store::list(&mut tx, &filter, page, cx.now()).await?;
    let mut found = Vec::with_capacity(items.len());
    for usage in items {
        let policy = policies::find(&mut tx, &PolicyRef::Id(usage.policy)).await?;
        let policy = policy.map_or_else(|| usage.policy.to_string(), |policy| policy.slug);
        found.push(UsageFound { usage, policy });
    }
    tx.done().await?;
    Ok(Page { items: found, next })
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

async fn policy_of(tx: &mut OrgTx, name: &str) -> ActionResult<crate::base::ids::PolicyId> {
    let found = match name.parse::<PolicyRef>() {
        Ok(name) => policies::find(tx, &name).await?,
        Err(_) => None,
    };
    let found = found.ok_or_else(|| {
        ActionError::field("policy", "there is no policy of this name; use its slug or its id")
    })?;
    Ok(found.id)
}

/// Forgets what was counted; the next call finds all the room there is.
///
/// # Errors
/// `NotFound` where nothing is counted under this key.
pub async fn reset(cx: &OrgCx, key: &str) -> ActionResult<Usage> {
    cx.require(Permission::PoliciesWrite)?;
    let key = read_key(key).ok_or(ActionError::NotFound)?;
    let mut tx = cx.tx().await?;
    let usage = store::reset(&mut tx, &key).await?.ok_or(ActionError::NotFound)?;
    let record =
        UsageRecord { scope: &usage.scope, scope_id: &usage.scope_id, span: &usage.span, used: &usage.used };
    let entry =
        Entry::admin("limit.reset", &cx.who()).target("policy", usage.policy, &usage.counter).before(&record);
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(usage)
}

/// A key as pages and the API write it.
pub fn key_text(key: &Digest) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_key(text: &str) -> Option<Digest> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut key = [0; 32];
    for (at, byte) in key.iter_mut().enumerate() {
        let pair = text.get(at * 2..at * 2 + 2).filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_nothing_else_is_one() {
        let key = [7; 32];
        assert_eq!(read_key(&key_text(&key)), Some(key));
        for bad in ["", "07", &"+7".repeat(32), &"é".repeat(32), &"z".repeat(64)] {
            assert_eq!(read_key(bad), None, "{bad}");
        }
    }
}
