//! Saving a draft that somebody else may have changed meanwhile: nobody's work is replaced unseen.

use crate::{
    base::{permission::Permission, update::Update},
    domain::{
        audit::{self, Unrecorded},
        policy::{
            document::{self, Document},
            edit::{Edit, NotEdited, mark},
            store::policies,
        },
    },
    flow::{
        actions::policies::{PolicySheet, named, read, sheet},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

/// What a policy without a draft and without a version is written from.
pub const BLANK: &str = r#"{"version":"1","default":"deny"}"#;

/// How often a save begins anew that was overtaken while it was under way.
const TRIES: usize = 3;

/// What came of saving.
#[derive(Clone, Debug)]
pub enum Saved {
    /// It is kept.
    Kept(PolicySheet),
    /// Somebody else wrote something else meanwhile, which is as the sheet says. Nothing was changed.
    Collided(PolicySheet),
}

impl PolicySheet {
    /// What there is to go on writing: the draft, else what is in force, else a blank.
    pub fn working(&self) -> &str {
        let draft = self.policy.draft.as_ref().map(|draft| draft.document.as_str());
        draft.or(self.document.as_deref()).unwrap_or(BLANK)
    }
}

/// Keeps what somebody wrote on the ground of `base`, where that is what there still is to write on.
///
/// # Errors
/// All that is wrong with the document.
pub async fn save_over(
    cx: &OrgCx,
    name: &str,
    text: &str,
    base: &str,
    seen: Option<i64>,
) -> ActionResult<Saved> {
    cx.require(Permission::PoliciesWrite)?;
    let document = read(text)?;
    let base = document::read(base.as_bytes()).ok().map(|base| base.canonical());
    write(cx, name, |found| {
        let is_as_seen = seen == Some(found.policy.version) || base.as_deref() == Some(found.working());
        let is_same = found.working() == document.canonical();
        Ok((is_as_seen || is_same).then(|| document.clone()))
    })
    .await
}

/// Makes one change to what is being written, where what it is about is still as it was `seen`: a mark of it, as
/// [`mark`] makes it. What others changed elsewhere in the document stays.
///
/// # Errors
/// A refusal where the change cannot be made.
pub async fn edit_draft(cx: &OrgCx, name: &str, edit: &Edit, seen: &str) -> ActionResult<Saved> {
    cx.require(Permission::PoliciesWrite)?;
    write(cx, name, |found| {
        let document = read(found.working())?;
        if mark(&document, edit.key()) != seen {
            return Ok(None);
        }
        edit.apply(&document).map(Some).map_err(not_edited)
    })
    .await
}

fn not_edited(why: NotEdited) -> ActionError {
    let sentence = match why {
        NotEdited::Gone => {
            "This rule is no longer there; somebody else may have removed it. Reload the page."
        }
        NotEdited::Misplaced => "This kind of exception cannot hold for every tool.",
        NotEdited::Hidden => "A class or a glob hides this tool. Change that entry first.",
        NotEdited::TooLong => "The document would be longer than 1 MiB.",
    };
    ActionError::refused("not_edited", sentence)
}

/// Keeps what comes of what there is to write on; nothing where it is not as the writer saw it.
async fn write(
    cx: &OrgCx,
    name: &str,
    new: impl Fn(&PolicySheet) -> ActionResult<Option<Document>>,
) -> ActionResult<Saved> {
    for _ in 0..TRIES {
        let mut tx = cx.tx().await?;
        let policy = named(&mut tx, name).await?;
        let found = sheet(&mut tx, policy).await?;
        let Some(document) = new(&found)? else {
            tx.done().await?;
            return Ok(Saved::Collided(found));
        };
        let (id, version) = (found.policy.id, found.policy.version);
        let outcome =
            policies::set_draft(&mut tx, id, Some(&document), cx.user(), Some(version), cx.now()).await?;
        match outcome {
            Update::Done(change) => {
                let kept = sheet(&mut tx, change.after).await?;
                // Drafts are saved with every few letters and put nothing in force: they are no events.
                audit::commit_unrecorded(tx, Unrecorded::Draft).await?;
                return Ok(Saved::Kept(kept));
            }
            Update::NotFound => return Err(ActionError::NotFound),
            Update::Conflict => tx.done().await?,
        }
    }
    Err(ActionError::Changed)
}

/// The canonical form of a document that somebody writes; nothing is kept.
///
/// # Errors
/// All that is wrong with it.
pub fn check_document(cx: &OrgCx, text: &str) -> ActionResult<String> {
    cx.require(Permission::PoliciesWrite)?;
    Ok(read(text)?.canonical())
}
