//! Drafts and versions: what is being written, what is in force, and what was.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    base::{
        ids::PolicyId,
        page::{Page, PageRequest},
        permission::{Permission, Role},
        update::{Change, Update},
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        policy::{
            document::Document,
            kept::{NewVersion, Policy, Version},
            store::{policies, versions as store},
        },
    },
    flow::{
        actions::policies::{PolicySheet, about, input, keep, named, read, second, sheet, tests},
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{OrgTx, Tx},
};

/// What is said of a version that comes into force.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// What its author says of it.
    pub note: &'a str,
    /// The version whose text it takes up again.
    pub restores: Option<i32>,
}

/// What the record keeps of what is in force.
#[derive(Serialize)]
struct InForceRecord<'a> {
    version: Option<i32>,
    document: Option<&'a RawValue>,
}

/// Keeps what is being written. Nothing that is in force changes.
///
/// # Errors
/// All that is wrong with the document; `Changed` where someone else was faster than the version seen.
pub async fn save_draft(
    cx: &OrgCx,
    name: &str,
    document: &str,
    seen: Option<i64>,
) -> ActionResult<PolicySheet> {
    cx.require(Permission::PoliciesWrite)?;
    let document = read(document)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let outcome = policies::set_draft(&mut tx, policy.id, Some(&document), cx.user(), seen, cx.now()).await?;
    drafted(tx, outcome).await
}

/// Drops what is being written.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn drop_draft(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<PolicySheet> {
    cx.require(Permission::PoliciesWrite)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let outcome = policies::set_draft(&mut tx, policy.id, None, cx.user(), seen, cx.now()).await?;
    drafted(tx, outcome).await
}

/// Says that the draft takes into account what was published since it was begun.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn rebase(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<PolicySheet> {
    cx.require(Permission::PoliciesWrite)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let outcome = policies::rebase_draft(&mut tx, policy.id, seen, cx.now()).await?;
    drafted(tx, outcome).await
}

/// Drafts are saved with every few letters and put nothing in force: they are no events.
async fn drafted(mut tx: OrgTx, outcome: Update<Change<Policy>>) -> ActionResult<PolicySheet> {
    let Change { after, .. } = settled(outcome)?;
    let sheet = sheet(&mut tx, after).await?;
    audit::commit_unrecorded(tx, Unrecorded::Draft).await?;
    Ok(sheet)
}

/// What is said with a publication.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublishInput<'a> {
    /// What its author says of the version.
    pub note: &'a str,
    /// Why it comes into force although a test does not hold; owners only.
    pub in_spite: &'a str,
}

/// Puts the draft in force as the next version.
///
/// # Errors
/// A refusal where there is no draft, where another version came into force since it was begun, where a second person is
/// wanted, or where a test does not hold and no owner says why it should come into force in spite of that; `Changed` where someone else was faster than the
/// version seen.
pub async fn publish(
    cx: &OrgCx,
    name: &str,
    input: PublishInput<'_>,
    seen: Option<i64>,
) -> ActionResult<PolicySheet> {
    cx.require(Permission::PoliciesWrite)?;
    let note = input::checked_note(input.note)?;
    let in_spite = input::checked_note(input.in_spite)?;
    let (tested, runs) = tests::run_tests(cx, name).await?;
    let failing = runs.iter().filter(|run| !run.holds()).count();
    if failing > 0 {
        check_override(cx, (failing, "this draft"), &in_spite)?;
    }
    // What was tried is what is published.
    let seen = seen.or(Some(tested.version));
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    second::check_draft(&policy)?;
    second::check(cx, &mut tx, &policy).await?;
    let document = read(policy.draft.as_ref().map_or("", |draft| &draft.document))?;
    let publication = Publication { note: &note, restores: None };
    let Change { before, after } = put_in_force(cx, &mut tx, policy.id, &document, publication, seen).await?;
    let entry = published(cx, &before, &after, &note, &document);
    keep(cx, tx, overridden(entry, failing, &in_spite), after).await
}

/// The event with why it came into force although tests do not hold.
fn overridden(entry: Entry, failing: usize, in_spite: &str) -> Entry {
    match failing {
        0 => entry,
        failing => entry.note(format!("In spite of {failing} failing tests: {in_spite}")),
    }
}

/// Tests stand in the way, unless an owner says why they should not.
fn check_override(cx: &OrgCx, (failing, what): (usize, &str), in_spite: &str) -> ActionResult<()> {
    let tests = if failing == 1 { "1 test does".to_owned() } else { format!("{failing} tests do") };
    if in_spite.is_empty() {
        let sentence = format!(
            "{tests} not hold on {what}. Change it or the tests; an owner may publish it in spite of them."
        );
        return Err(ActionError::refused("tests_fail", sentence));
    }
    if cx.role != Role::Owner {
        let sentence = format!("{tests} not hold on {what}, and only an owner may publish in spite of that.");
        return Err(ActionError::refused("tests_fail", sentence));
    }
    Ok(())
}

/// Puts the text of an earlier version in force again, as the next version; where a second person is wanted, asks one to.
/// A draft that is being written stays.
///
/// # Errors
/// A fault of `version` where there is none; a refusal where it is in force already, where a second person is wanted and
/// something else is being written, or where a test does not hold and no owner says why it should come into force in spite of
/// that.
pub async fn rollback(
    cx: &OrgCx,
    name: &str,
    number: i32,
    input: PublishInput<'_>,
    seen: Option<i64>,
) -> ActionResult<PolicySheet> {
    cx.require(Permission::PoliciesWrite)?;
    let note = input::checked_note(input.note)?;
    let in_spite = input::checked_note(input.in_spite)?;
    let failing = tests::failing_on(cx, name, number).await?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let Some((_, text)) = store::find(&mut tx, policy.id, number).await? else {
        return Err(ActionError::field("version", "there is no such version of this policy"));
    };
    if policy.live == Some(number) {
        return Err(ActionError::refused("version_in_force", "This version is in force already."));
    }
    let document = read(&text)?;
    if second::takes_two(&mut tx).await? {
        // As a draft it is held to the tests when somebody publishes it.
        return take_up(cx, tx, &policy, &document, note, seen).await;
    }
    if failing > 0 {
        check_override(cx, (failing, "this version"), &in_spite)?;
    }
    let publication = Publication { note: &note, restores: Some(number) };
    let Change { before, after } = put_in_force(cx, &mut tx, policy.id, &document, publication, seen).await?;
    let entry = published(cx, &before, &after, &note, &document);
    keep(cx, tx, overridden(entry, failing, &in_spite), after).await
}

/// Where a second person is wanted, going back is a draft that waits for one.
async fn take_up(
    cx: &OrgCx,
    mut tx: OrgTx,
    policy: &Policy,
    document: &Document,
    note: String,
    seen: Option<i64>,
) -> ActionResult<PolicySheet> {
    if policy.draft.is_some() {
        let sentence = "Something is being written, and going back takes a second person, who has to see the earlier \
                        text as the draft. Discard the draft first.";
        return Err(ActionError::refused("draft_stands", sentence));
    }
    let outcome = policies::set_draft(&mut tx, policy.id, Some(document), cx.user(), seen, cx.now()).await?;
    let drafted = settled(outcome)?.after;
    let (after, entry) = second::propose_in(cx, &mut tx, &drafted, note, None).await?;
    let sheet = sheet(&mut tx, after).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(sheet)
}

/// The versions of a policy, the newest first.
pub async fn versions(
    cx: &OrgCx,
    name: &str,
    page: &PageRequest<i32>,
) -> ActionResult<(Policy, Page<Version>)> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let found = store::list(&mut tx, policy.id, page).await?;
    tx.done().await?;
    Ok((policy, found))
}

/// One version with its document.
pub async fn version(cx: &OrgCx, name: &str, number: i32) -> ActionResult<(Policy, Version, String)> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let (version, document) = store::find(&mut tx, policy.id, number).await?.ok_or(ActionError::NotFound)?;
    tx.done().await?;
    Ok((policy, version, document))
}

/// Puts a document in force.
pub(super) async fn put_in_force(
    cx: &OrgCx,
    tx: &mut OrgTx,
    id: PolicyId,
    document: &Document,
    publication: Publication<'_>,
    seen: Option<i64>,
) -> ActionResult<Change<Policy>> {
    let who = cx.who();
    let new = NewVersion {
        document,
        note: publication.note,
        author: cx.user(),
        author_name: &who.name,
        restores: publication.restores,
    };
    settled(policies::publish(tx, id, &new, seen, cx.now()).await?)
}

/// The event of a publication, with the document that came into force.
pub(super) fn published(
    cx: &OrgCx,
    before: &Policy,
    after: &Policy,
    note: &str,
    document: &Document,
) -> Entry {
    let text = RawValue::from_string(document.canonical()).ok();
    let was = InForceRecord { version: before.live, document: None };
    let is = InForceRecord { version: after.live, document: text.as_deref() };
    let entry = about(Entry::admin("policy.published", &cx.who()), after).changed(&was, &is);
    if note.is_empty() { entry } else { entry.note(note) }
}
