//! Grants: what agents may do, in whose name.
//!
//! Owners and admins make, change and end every grant of their organization. A member narrows what acts in their own
//! name: suspends it, ends it, and gives it tokens; that is `me/grants.rs`, by the same functions with less standing.
//!
//! Invariant: a member never widens a grant, and never learns of one in another's name.

mod input;
mod principals;
mod reach;
mod sheet;
mod stops;
pub mod tokens;

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    base::{
        ids::GrantId,
        page::{Page, PageRequest},
        permission::Permission,
        update::{Change, Update},
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        grants::{Deed, Grant, GrantEntry, GrantFilter, Standing, store},
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{DbError, OrgTx, Tx},
};

pub use input::{GrantInput, GrantListFilter, GrantPatch, PrincipalInput, ServersInput};
pub use principals::{PrincipalChoice, PrincipalOffer};
pub use reach::{NamedServers, ServerReach};
pub use sheet::{GrantForms, GrantSheet, GrantsOverview, NamedPolicy, changeable, offer, overview, sheet};
pub use stops::{resume, revoke, suspend};

use principals::refusal_of;
pub(super) use reach::offer as offered_servers;
pub(super) use sheet::sheet_as;
pub(super) use stops::{end_all, resume_as, revoke_as, suspend_as};

/// A grant with the names of its servers.
#[derive(Clone, Debug)]
pub struct GrantFound {
    /// The grant.
    pub entry: GrantEntry,
    /// Its servers.
    pub servers: NamedServers,
}

/// What the record keeps of a grant.
#[derive(Serialize)]
pub(super) struct GrantRecord {
    label: String,
    principal: String,
    servers: Vec<String>,
    class_ceiling: &'static str,
    policy: Option<String>,
    expires_at: Option<String>,
    cidrs: Vec<String>,
    clients: Vec<String>,
    suspended: bool,
    revoked: bool,
}

impl GrantRecord {
    fn of(grant: &Grant, names: &NamedServers) -> Self {
        Self {
            label: grant.label.clone(),
            principal: grant.principal.id_text(),
            servers: names.texts(),
            class_ceiling: grant.ceiling.as_str(),
            policy: grant.policy.map(|policy| policy.to_string()),
            expires_at: grant.expires_at.and_then(|at| at.format(&Rfc3339).ok()),
            cidrs: grant.bindings.cidr_texts(),
            clients: grant.bindings.clients().to_vec(),
            suspended: grant.suspension.is_some(),
            revoked: grant.revocation.is_some(),
        }
    }
}

/// The organization's grants, the newest first.
pub async fn list(
    cx: &OrgCx,
    filter: &GrantListFilter,
    page: &PageRequest<GrantId>,
) -> ActionResult<Page<GrantFound>> {
    cx.require(Permission::GrantsRead)?;
    let mut tx = cx.tx().await?;
    let filter = input::filter(cx, &mut tx, filter).await?;
    let found = listed(&mut tx, &filter, page, cx.now()).await?;
    tx.done().await?;
    Ok(found)
}

/// Grants with the names of their servers.
pub(super) async fn listed(
    tx: &mut OrgTx,
    filter: &GrantFilter,
    page: &PageRequest<GrantId>,
    now: OffsetDateTime,
) -> ActionResult<Page<GrantFound>> {
    let entries = store::grants::list(tx, filter, page, now).await?;
    let named = reach::named(tx, entries.items.iter().map(|entry| &entry.grant.servers)).await?;
    Ok(entries.map(|entry| GrantFound { servers: named.of(&entry.grant.servers), entry }))
}

/// One grant.
pub async fn find(cx: &OrgCx, id: &str) -> ActionResult<GrantFound> {
    cx.require(Permission::GrantsRead)?;
    let mut tx = cx.tx().await?;
    let found = found(cx, &mut tx, Standing::Admin(cx.user()), Deed::See, id).await?;
    tx.done().await?;
    Ok(found)
}

/// Makes a grant. It has no token yet.
///
/// # Errors
/// Every fault with its field; a refusal where the same form was sent before.
pub async fn create(cx: &OrgCx, input: &GrantInput) -> ActionResult<GrantFound> {
    cx.require(Permission::GrantsWrite)?;
    let mut tx = cx.tx().await?;
    let (found, entry) = create_in(cx, &mut tx, input).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(found)
}

/// [`create`] within a transaction that does more, and the event to record with it.
pub(super) async fn create_in(
    cx: &OrgCx,
    tx: &mut OrgTx,
    input: &GrantInput,
) -> ActionResult<(GrantFound, Entry)> {
    cx.require(Permission::GrantsWrite)?;
    let new = input::new_grant(cx, tx, input).await?;
    let id = input.id.unwrap_or_else(GrantId::fresh);
    let grant = store::grants::insert(tx, id, &new, cx.user(), cx.now()).await.map_err(not_inserted)?;
    let found = entry_of(cx, tx, &grant.id.to_string()).await?;
    let entry = about(Entry::admin("grant.created", &cx.who()), &found.entry.grant)
        .after(&GrantRecord::of(&found.entry.grant, &found.servers));
    Ok((found, entry))
}

/// Gives a grant other terms; what is left out stays.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen; a refusal where it is revoked.
pub async fn update(cx: &OrgCx, id: &str, patch: GrantPatch, seen: Option<i64>) -> ActionResult<GrantFound> {
    cx.require(Permission::GrantsWrite)?;
    let mut tx = cx.tx().await?;
    let before = found(cx, &mut tx, Standing::Admin(cx.user()), Deed::Change, id).await?;
    let change = input::change(cx, &mut tx, &before.entry.grant, patch).await?;
    let outcome = store::grants::update(&mut tx, before.entry.grant.id, &change, seen, cx.now()).await?;
    keep(cx, tx, "grant.changed", before, outcome, None).await
}

/// A grant that a path names, for one who may do this with it.
pub(super) async fn found(
    cx: &OrgCx,
    tx: &mut OrgTx,
    standing: Standing,
    deed: Deed,
    id: &str,
) -> ActionResult<GrantFound> {
    let found = entry_of(cx, tx, id).await?;
    standing.check(deed, &found.entry.grant)?;
    Ok(found)
}

async fn entry_of(cx: &OrgCx, tx: &mut OrgTx, id: &str) -> ActionResult<GrantFound> {
    let id: GrantId = id.parse().map_err(|_| ActionError::NotFound)?;
    let entry = store::grants::find_entry(tx, id, cx.now()).await?.ok_or(ActionError::NotFound)?;
    let named = reach::named(tx, [&entry.grant.servers]).await?;
    Ok(GrantFound { servers: named.of(&entry.grant.servers), entry })
}

/// Records a change and keeps it, or drops what changed nothing.
async fn keep(
    cx: &OrgCx,
    mut tx: OrgTx,
    action: &'static str,
    before: GrantFound,
    outcome: Update<Change<Grant>>,
    note: Option<&str>,
) -> ActionResult<GrantFound> {
    let id = before.entry.grant.id.to_string();
    // The store locked the row; what was read before the lock may be older than what it found.
    let Change { before: was, after: is } = settled(outcome)?;
    let names = reach::named(&mut tx, [&was.servers, &is.servers]).await?;
    let mut entry = about(Entry::admin(action, &cx.who()), &is).changed(
        &GrantRecord::of(&was, &names.of(&was.servers)),
        &GrantRecord::of(&is, &names.of(&is.servers)),
    );
    if let Some(note) = note.filter(|note| !note.is_empty()) {
        entry = entry.note(note);
    }
    let after = entry_of(cx, &mut tx, &id).await?;
    if was.version == is.version {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
    } else {
        audit::commit(tx, cx.now(), vec![entry]).await?;
    }
    Ok(after)
}

/// An entry about a grant, and about the person in whose name it acts.
fn about(entry: Entry, grant: &Grant) -> Entry {
    let entry = entry.target("grant", grant.id, &grant.label);
    match grant.principal.user() {
        Some(user) => entry.about(user),
        None => entry,
    }
}

fn not_inserted(error: DbError) -> ActionError {
    if error.broke(store::grants::ID_IS_FREE) {
        let sentence = "This form was sent before, and its grant was made then. It is in the list.";
        return ActionError::refused("grant_was_made", sentence);
    }
    refusal_of(error)
}
