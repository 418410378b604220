//! Who a carried key is.

use crate::{
    base::{
        actor::{Actor, KeyOwner},
        ids::ApiKeyId,
    },
    domain::{
        automation::{self, ServiceAccountRef},
        tenancy,
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

/// The principal behind a key, and the key.
#[derive(Debug)]
pub struct Principal {
    /// Whose key it is.
    pub owner: KeyOwner,
    /// The owner's name.
    pub name: String,
    /// The owner's address or slug.
    pub handle: String,
    /// The key.
    pub key: ApiKeyId,
    /// The key's name.
    pub key_name: String,
    /// What the key may do now: its scopes, as far as the owner's role carries them.
    pub scopes: Vec<String>,
}

/// Who this key is; every good key may ask.
pub async fn describe(cx: &OrgCx) -> ActionResult<Principal> {
    let who = cx.who();
    let Actor::ApiKey { key, owner } = who.actor else { return Err(ActionError::NotSignedIn) };
    let mut tx = cx.tx().await?;
    let named = match owner {
        KeyOwner::User(user) => {
            let member = tenancy::store::members::find(&mut tx, user).await?;
            member.map(|member| (member.name, member.email))
        }
        KeyOwner::ServiceAccount(account) => {
            let which = ServiceAccountRef::Id(account);
            let found = automation::store::accounts::find(&mut tx, &which).await?;
            found.map(|found| (found.name, found.slug.to_string()))
        }
    };
    tx.done().await?;
    let (name, handle) = named.ok_or(ActionError::NotSignedIn)?;
    let may = crate::base::permission::Permission::ALL.iter().filter(|permission| cx.may(**permission));
    Ok(Principal {
        owner,
        name,
        handle,
        key,
        key_name: who.name,
        scopes: may.map(ToString::to_string).collect(),
    })
}
