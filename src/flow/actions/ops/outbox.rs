//! Letters: those that wait, those that could not be sent, and what they say while they are kept.

use time::Duration;

use crate::{
    base::{
        ids::LetterId,
        page::{Page, PageRequest},
    },
    domain::{
        audit::{self, Entry, EventFilter},
        outbox::{KeptLetter, LetterRow, LetterState, store},
    },
    flow::{
        cx::OperatorCx,
        fault::{ActionError, ActionResult},
        letters::{Letter, Moment, PostError, Rendered, TestLetter},
    },
    io::db::Tx,
};

/// For how long an opened letter can be looked at.
const OPEN_FOR: Duration = Duration::minutes(10);

/// Letters, newest first, and how many are in each state.
pub async fn list(
    cx: &OperatorCx,
    state: Option<LetterState>,
    page: &PageRequest<LetterId>,
) -> ActionResult<(Page<LetterRow>, Vec<(LetterState, i64)>)> {
    let mut tx = cx.system_tx().await?;
    let letters = store::list(&mut tx, state, page).await?;
    let counts = store::count(&mut tx).await?;
    tx.done().await?;
    Ok((letters, counts))
}

/// One letter without what it says.
pub async fn find(cx: &OperatorCx, letter: LetterId) -> ActionResult<KeptLetter> {
    let mut tx = cx.system_tx().await?;
    let found = store::find(&mut tx, letter).await?;
    tx.done().await?;
    found.ok_or(ActionError::NotFound)
}

/// Opens a letter. That is recorded, because the links in it may open an account.
///
/// # Errors
/// A refusal where nothing is left of it.
pub async fn open(cx: &OperatorCx, letter: LetterId) -> ActionResult<(LetterRow, Rendered)> {
    let mut tx = cx.system_tx().await?;
    let (kept, said) =
        cx.ports.post.read(&mut tx, letter).await.map_err(post)?.ok_or(ActionError::NotFound)?;
    let Some(said) = said else {
        tx.done().await?;
        return Err(ActionError::refused(
            "letter_gone",
            "This letter was sent, and what it said was wiped. Only its facts are left.",
        ));
    };
    let entry = Entry::admin("letter.opened", &cx.who()).target("letter", letter, &kept.row.kind);
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok((kept.row, said))
}

/// How the letter looks, for a person who has just opened it: that was recorded, and looking again is no second event.
///
/// # Errors
/// `NotFound` unless this operator opened the letter within the last minutes.
pub async fn look(cx: &OperatorCx, letter: LetterId) -> ActionResult<Rendered> {
    let opened = EventFilter {
        user: Some(cx.id()),
        action: Some("letter.opened".to_owned()),
        target: Some(letter.to_string()),
        from: Some(cx.now() - OPEN_FOR),
        ..EventFilter::default()
    };
    let mut tx = cx.system_tx().await?;
    let opened = audit::list(&mut tx, &opened, &PageRequest { limit: 1, after: None }).await?;
    if opened.items.is_empty() {
        tx.done().await?;
        return Err(ActionError::NotFound);
    }
    let kept = cx.ports.post.read(&mut tx, letter).await.map_err(post)?;
    tx.done().await?;
    kept.and_then(|(_, said)| said).ok_or(ActionError::NotFound)
}

/// Sends a held or failed letter again.
///
/// # Errors
/// A refusal where it is neither.
pub async fn resend(cx: &OperatorCx, letter: LetterId) -> ActionResult<LetterRow> {
    let mut tx = cx.system_tx().await?;
    let kept = store::find(&mut tx, letter).await?.ok_or(ActionError::NotFound)?;
    if !cx.ports.post.resend(&mut tx, letter).await? {
        tx.done().await?;
        return Err(ActionError::refused(
            "letter_not_kept",
            "This letter is on its way or was sent already; nothing was changed.",
        ));
    }
    let entry = Entry::admin("letter.resent", &cx.who()).target("letter", letter, &kept.row.kind);
    audit::commit(tx, cx.now(), vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(kept.row)
}

/// Sends the operator a letter that shows whether mail arrives.
pub async fn send_test(cx: &OperatorCx) -> ActionResult<()> {
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let letter = Letter::TestLetter(TestLetter { at: Moment::from(now) });
    let id = cx.ports.post.queue(&mut tx, &cx.user.email, &letter).await.map_err(post)?;
    let entry = Entry::admin("letter.test_sent", &cx.who()).target("letter", id, letter.kind());
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(())
}

fn post(error: PostError) -> ActionError {
    match error {
        PostError::Db(error) => error.into(),
        PostError::Vault(error) => error.into(),
    }
}
