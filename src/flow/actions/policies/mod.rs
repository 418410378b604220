//! Policies: written as drafts, put in force as versions, attached to layers and grants.
//!
//! Invariant: a version is in force for the next call on every replica once its publication was answered.
//! Invariant: what is in force somewhere cannot be deleted.

mod adopt;
mod drafts;
mod effective;
mod input;
mod layers;
mod life;
mod look;
mod observed;
mod offer;
mod replay;
mod second;
mod simulate;
mod starters;
mod suggested;
mod tests;
mod unanswered;

use serde::Serialize;

use crate::{
    base::{
        ids::PolicyId,
        page::{Page, PageRequest},
        permission::Permission,
        update::Change,
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        policy::{
            document,
            kept::{Policy, PolicyFilter, PolicyRef},
            store::{
                policies::{self, SLUG_IS_FREE},
                versions,
            },
        },
        servers::{ServerRef, store as servers},
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{DbError, OrgTx, Tx},
};

pub use adopt::{Adoption, Outcome as AdoptionOutcome, adopt};
pub use drafts::{BLANK, Saved, check_document, edit_draft, save_over};
pub use effective::{Effective, EffectiveInput, EffectiveTool, effective, without_call};
pub use input::{NewPolicy, PolicyChange};
pub use layers::{LayerInput, NamedLayers, layers, set_layers};
pub use life::{
    Publication, PublishInput, drop_draft, publish, rebase, rollback, save_draft, version,
    versions as list_versions,
};
pub use look::{
    CallCount, PolicyEntry, ServerChoice, ToolLine, Workbench, argument_paths, calls_lately, overview,
    server_choices, workbench,
};
pub use observed::{Observed, ObservedCall, ObservedInput, ObservedRule, observed};
pub use offer::{LayerChoices, Offered, layer_choices, offer};
pub use replay::{
    Affected, Counts as ReplayCounts, Ended as ReplayEnded, LeftOut, LimitNote, Noticed,
    Outcome as ReplayOutcome, Place as ReplayPlace, Replay, ReplayInput, Replayed, Side, replay,
};
pub use second::{propose, withdraw};
pub use simulate::{Decided, Exception, RecordedCall, SimulatedCall, Simulation, recorded_call, simulate};
pub use starters::{FROM_CLASSES, STARTERS, Starter, starter};
pub use suggested::{Baseline, Suggested, SuggestedTool, begin, suggested};
pub use tests::{TestInput, TestRun, VERDICTS, add_test, drop_test, failing_on, run_tests};

/// The JSON Schema of documents, for editors.
pub const DOCUMENT_SCHEMA: &str = crate::domain::policy::SCHEMA;

/// A policy with its documents.
#[derive(Clone, Debug)]
pub struct PolicySheet {
    /// The policy.
    pub policy: Policy,
    /// The slug of the server whose tools it is about.
    pub server: Option<String>,
    /// The document in force, in its canonical form.
    pub document: Option<String>,
    /// What nobody here could agree to at present, of what is written, else of what is in force: a sentence each.
    pub warnings: Vec<String>,
}

/// What the record keeps of a policy.
#[derive(Serialize)]
struct PolicyRecord<'a> {
    slug: &'a str,
    name: &'a str,
    description: &'a str,
    server: Option<String>,
    live: Option<i32>,
}

impl<'a> From<&'a Policy> for PolicyRecord<'a> {
    fn from(policy: &'a Policy) -> Self {
        Self {
            slug: &policy.slug,
            name: &policy.name,
            description: &policy.description,
            server: policy.server.map(|server| server.to_string()),
            live: policy.live,
        }
    }
}

/// The organization's policies, by name.
pub async fn list(
    cx: &OrgCx,
    filter: &PolicyFilter,
    page: &PageRequest<(String, PolicyId)>,
) -> ActionResult<Page<Policy>> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let found = policies::list(&mut tx, filter, page).await?;
    tx.done().await?;
    Ok(found)
}

/// One policy with its documents, by id or slug.
pub async fn find(cx: &OrgCx, name: &str) -> ActionResult<PolicySheet> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let sheet = sheet(&mut tx, policy).await?;
    tx.done().await?;
    Ok(sheet)
}

/// Makes a policy, as a draft or in force at once as its first version.
///
/// # Errors
/// Every fault with its field, or all that is wrong with the document; a refusal where it is to be in force at once and a
/// second person is wanted.
pub async fn create(cx: &OrgCx, new: &NewPolicy) -> ActionResult<PolicySheet> {
    cx.require(Permission::PoliciesWrite)?;
    let mut tx = cx.tx().await?;
    if new.is_published && second::takes_two(&mut tx).await? {
        return Err(second::needed("Make it as a draft, and ask for its publication."));
    }
    let (policy, entries) = create_in(cx, &mut tx, new).await?;
    let sheet = sheet(&mut tx, policy).await?;
    audit::commit(tx, cx.now(), entries).await?;
    Ok(sheet)
}

/// [`create`] within a transaction that does more, and the events to record with it.
pub(super) async fn create_in(
    cx: &OrgCx,
    tx: &mut OrgTx,
    new: &NewPolicy,
) -> ActionResult<(Policy, Vec<Entry>)> {
    cx.require(Permission::PoliciesWrite)?;
    let (terms, document) = input::parse(tx, new).await?;
    let draft = (!new.is_published).then_some(&document);
    let id = policies::insert(tx, &terms, draft, cx.user(), cx.now()).await.map_err(slug_taken)?;
    let made = policies::find(tx, &PolicyRef::Id(id)).await?.ok_or(ActionError::NotFound)?;
    let mut entries =
        vec![about(Entry::admin("policy.created", &cx.who()), &made).after(&PolicyRecord::from(&made))];
    if new.is_published {
        let publication = Publication { note: &new.note, restores: None };
        let Change { before, after } = life::put_in_force(cx, tx, id, &document, publication, None).await?;
        entries.push(life::published(cx, &before, &after, &new.note, &document));
    }
    let policy = policies::find(tx, &PolicyRef::Id(id)).await?.ok_or(ActionError::NotFound)?;
    Ok((policy, entries))
}

/// Gives a policy another name, short name, description or server; what is left out stays.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn update(
    cx: &OrgCx,
    name: &str,
    change: PolicyChange,
    seen: Option<i64>,
) -> ActionResult<PolicySheet> {
    cx.require(Permission::PoliciesWrite)?;
    let mut tx = cx.tx().await?;
    let before = named(&mut tx, name).await?;
    let terms = input::change(&mut tx, &before, change).await?;
    let outcome = policies::update(&mut tx, before.id, &terms, seen, cx.now()).await.map_err(slug_taken)?;
    let Change { before, after } = settled(outcome)?;
    let entry = about(Entry::admin("policy.changed", &cx.who()), &after)
        .changed(&PolicyRecord::from(&before), &PolicyRecord::from(&after));
    keep(cx, tx, entry, after).await
}

/// Deletes a policy that is in force nowhere, with its versions.
///
/// # Errors
/// A refusal that says where it is in force; `NeedsProof`; `Changed` where someone else was faster.
pub async fn delete(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<Policy> {
    cx.require(Permission::PoliciesWrite)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    if !policy.places.is_none() {
        return Err(ActionError::refused("policy_in_force", in_force(&policy)));
    }
    let policy = settled(policies::delete(&mut tx, policy.id, seen).await?)?;
    let entry =
        about(Entry::admin("policy.deleted", &cx.who()), &policy).before(&PolicyRecord::from(&policy));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(policy)
}

fn in_force(policy: &Policy) -> String {
    let places = policy.places;
    let counted = |count: i64, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {one}s")),
    };
    let org = places.is_org.then(|| "the organization".to_owned());
    let all = org.into_iter().chain(counted(places.teams, "team"));
    let all = all.chain(counted(places.servers, "server")).chain(counted(places.grants, "grant"));
    format!(
        "{} is in force for {}. Put another policy there first.",
        policy.name,
        all.collect::<Vec<_>>().join(", ")
    )
}

/// The policy that a path names.
async fn named(tx: &mut OrgTx, name: &str) -> ActionResult<Policy> {
    let name: PolicyRef = name.parse().map_err(|_| ActionError::NotFound)?;
    policies::find(tx, &name).await?.ok_or(ActionError::NotFound)
}

async fn sheet(tx: &mut OrgTx, policy: Policy) -> ActionResult<PolicySheet> {
    let document = match policy.live {
        Some(number) => versions::find(tx, policy.id, number).await?.map(|(_, document)| document),
        None => None,
    };
    let server = match policy.server {
        Some(server) => servers::servers::find(tx, &ServerRef::from(server)).await?,
        None => None,
    };
    let draft = policy.draft.as_ref().map(|draft| draft.document.as_str());
    let warnings = match draft.or(document.as_deref()) {
        Some(working) => unanswered::unanswered(tx, working).await?,
        None => Vec::new(),
    };
    Ok(PolicySheet { server: server.map(|server| server.slug.to_string()), document, warnings, policy })
}

/// Records a change and keeps it, or drops what changed nothing.
async fn keep(cx: &OrgCx, mut tx: OrgTx, entry: Entry, after: Policy) -> ActionResult<PolicySheet> {
    let sheet = sheet(&mut tx, after).await?;
    if entry.has_change() {
        audit::commit(tx, cx.now(), vec![entry]).await?;
    } else {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
    }
    Ok(sheet)
}

fn about(entry: Entry, policy: &Policy) -> Entry {
    entry.target("policy", policy.id, &policy.name)
}

/// Reads a document.
///
/// # Errors
/// All that is wrong with it.
fn read(document: &str) -> ActionResult<document::Document> {
    document::read(document.as_bytes()).map_err(ActionError::Document)
}

fn slug_taken(error: DbError) -> ActionError {
    if error.broke(SLUG_IS_FREE) {
        ActionError::field("slug", "another policy has this short name; choose another")
    } else {
        error.into()
    }
}
