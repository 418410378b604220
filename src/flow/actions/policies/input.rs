//! What callers type about policies, and what becomes of it.

use crate::{
    base::{ids::ServerId, wording},
    domain::{
        policy::{
            document::Document,
            kept::{Policy, PolicyForm, PolicyTerms},
        },
        servers::{ServerRef, store as servers},
    },
    flow::{
        actions::policies::read,
        fault::{ActionError, ActionResult},
    },
    io::db::OrgTx,
};

/// What a person types about a new policy.
#[derive(Clone, Debug, Default)]
pub struct NewPolicy {
    /// Its name.
    pub name: String,
    /// Its short name; made from the name where it is empty.
    pub slug: String,
    /// What it is for.
    pub description: String,
    /// The server whose tools it is about, by id or slug.
    pub server: Option<String>,
    /// The document.
    pub document: String,
    /// Whether it is in force at once.
    pub is_published: bool,
    /// What is said of the first version.
    pub note: String,
}

/// Changes to a policy; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct PolicyChange {
    /// Its name.
    pub name: Option<String>,
    /// Its short name.
    pub slug: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The server whose tools it is about; `Some(None)` for none.
    pub server: Option<Option<String>>,
}

/// The policy that somebody asks for.
pub(super) async fn parse(tx: &mut OrgTx, new: &NewPolicy) -> ActionResult<(PolicyTerms, Document)> {
    let server = server(tx, new.server.as_deref()).await?;
    let form = PolicyForm { name: &new.name, slug: &new.slug, description: &new.description, server };
    let terms = PolicyTerms::parse(form)?;
    checked_note(&new.note)?;
    Ok((terms, read(&new.document)?))
}

/// What a change makes of a policy's names.
pub(super) async fn change(
    tx: &mut OrgTx,
    policy: &Policy,
    change: PolicyChange,
) -> ActionResult<PolicyTerms> {
    let server = match change.server {
        Some(named) => server(tx, named.as_deref()).await?,
        None => policy.server,
    };
    Ok(PolicyTerms::parse(PolicyForm {
        name: change.name.as_deref().unwrap_or(&policy.name),
        slug: change.slug.as_deref().unwrap_or(&policy.slug),
        description: change.description.as_deref().unwrap_or(&policy.description),
        server,
    })?)
}

/// A note that can be kept.
///
/// # Errors
/// A fault of `note`.
pub(super) fn checked_note(note: &str) -> ActionResult<String> {
    wording::parse_description(note).map_err(|bad| ActionError::field("note", bad.to_string()))
}

async fn server(tx: &mut OrgTx, named: Option<&str>) -> ActionResult<Option<ServerId>> {
    let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) else { return Ok(None) };
    let found = match ServerRef::parse(named) {
        Some(named) => servers::servers::find(tx, &named).await?,
        None => None,
    };
    let found = found.ok_or_else(|| {
        ActionError::field("server", "there is no server of this name; use its slug or its id")
    })?;
    Ok(Some(found.id))
}
