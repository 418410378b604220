//! Tokens of grants: made and shown once, replaced with an overlap, revoked at once.

use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use crate::{
    base::{
        ids::GrantTokenId,
        page::{Page, PageRequest},
        permission::Permission,
        secret::Secret,
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        grants::{
            Deed, Grant, GrantRefusal, GrantToken, IssuedToken, NewToken, Overlap, Standing, TokenExpiry,
            TokenForm, TokenState, store,
        },
    },
    flow::{
        actions::grants::{GrantFound, found},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{DbError, OrgTx, Tx},
};

/// How many tokens of one grant work at the same time at the most.
const MOST_LIVE: i64 = 100;

/// What a person types about a new token.
#[derive(Clone, Debug, Default)]
pub struct TokenInput {
    /// The id that the form was given, so that sending it twice makes one token.
    pub id: Option<GrantTokenId>,
    /// Its name.
    pub label: String,
    /// When it ends.
    pub expiry: TokenExpiry,
}

/// A token that was just made, with the text that is shown once.
#[derive(Debug)]
pub struct MadeToken {
    /// Its grant.
    pub found: GrantFound,
    /// The token.
    pub token: GrantToken,
    /// What the agent carries.
    pub text: Secret<String>,
    /// The token that it replaces, as it is now.
    pub replaced: Option<GrantToken>,
}

/// What the record keeps of a token.
#[derive(Serialize)]
struct TokenRecord {
    label: String,
    grant: String,
    expires_at: Option<String>,
    revoked: bool,
}

impl From<&GrantToken> for TokenRecord {
    fn from(token: &GrantToken) -> Self {
        Self {
            label: token.label.clone(),
            grant: token.grant.to_string(),
            expires_at: token.expires_at.format(&Rfc3339).ok(),
            revoked: token.revoked_at.is_some(),
        }
    }
}

/// The tokens of a grant, the newest first.
pub async fn list(
    cx: &OrgCx,
    grant: &str,
    page: &PageRequest<GrantTokenId>,
) -> ActionResult<Page<GrantToken>> {
    cx.require(Permission::GrantsRead)?;
    let mut tx = cx.tx().await?;
    let found = found(cx, &mut tx, Standing::Admin(cx.user()), Deed::See, grant).await?;
    let tokens = store::tokens::list(&mut tx, found.entry.grant.id, page).await?;
    tx.done().await?;
    Ok(tokens)
}

/// Makes a token; its text is in the answer and never again.
///
/// # Errors
/// `NeedsProof`; field errors; refusals where the grant is over, or the same form was sent before.
pub async fn mint(cx: &OrgCx, grant: &str, input: &TokenInput) -> ActionResult<MadeToken> {
    cx.require(Permission::GrantsWrite)?;
    mint_as(cx, Standing::Admin(cx.user()), grant, input).await
}

/// Makes a token in the place of another, which ends after an overlap.
///
/// # Errors
/// `NeedsProof`; refusals where grant or token are over, or the same form was sent before.
pub async fn rotate(
    cx: &OrgCx,
    grant: &str,
    token: &str,
    new_id: Option<GrantTokenId>,
    overlap: Overlap,
) -> ActionResult<MadeToken> {
    cx.require(Permission::GrantsWrite)?;
    rotate_as(cx, Standing::Admin(cx.user()), grant, token, new_id, overlap).await
}

/// Ends a token at once; it stays in the list. Needs no proof, for in an emergency it must be quick.
pub async fn revoke(cx: &OrgCx, grant: &str, token: &str) -> ActionResult<GrantToken> {
    cx.require(Permission::GrantsWrite)?;
    revoke_as(cx, Standing::Admin(cx.user()), grant, token).await
}

/// A grant for which a token can be made, so that nobody types a form in vain.
///
/// # Errors
/// As [`mint`].
pub async fn mintable(cx: &OrgCx, grant: &str) -> ActionResult<GrantFound> {
    cx.require(Permission::GrantsWrite)?;
    mintable_as(cx, Standing::Admin(cx.user()), grant).await
}

/// A token that can be replaced, with its grant.
///
/// # Errors
/// As [`rotate`].
pub async fn rotatable(cx: &OrgCx, grant: &str, token: &str) -> ActionResult<(GrantFound, GrantToken)> {
    cx.require(Permission::GrantsWrite)?;
    rotatable_as(cx, Standing::Admin(cx.user()), grant, token).await
}

/// [`mint`] by whatever standing the caller has.
pub(in crate::flow::actions) async fn mint_as(
    cx: &OrgCx,
    standing: Standing,
    grant: &str,
    input: &TokenInput,
) -> ActionResult<MadeToken> {
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let found = found(cx, &mut tx, standing, Deed::Tokens, grant).await?;
    check_mintable(cx, &found)?;
    let form = TokenForm { label: &input.label, expiry: input.expiry };
    let new = NewToken::parse(form, &found.entry.grant, cx.now())?;
    let issued = input.id.map_or_else(IssuedToken::fresh, IssuedToken::of);
    let token = insert(cx, &mut tx, standing, &new, &issued).await?;
    let entry = about(Entry::admin("grant_token.created", &cx.who()), &found.entry.grant, &token)
        .after(&TokenRecord::from(&token));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(MadeToken { found, token, text: issued.text(), replaced: None })
}

/// [`rotate`] by whatever standing the caller has.
pub(in crate::flow::actions) async fn rotate_as(
    cx: &OrgCx,
    standing: Standing,
    grant: &str,
    token: &str,
    new_id: Option<GrantTokenId>,
    overlap: Overlap,
) -> ActionResult<MadeToken> {
    cx.require_proof()?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let (found, old) = look(cx, &mut tx, standing, grant, token).await?;
    let grant = &found.entry.grant;
    check_mintable(cx, &found)?;
    // The new one first: a form that was sent twice is told so, not that its token no longer works.
    let issued = new_id.map_or_else(IssuedToken::fresh, IssuedToken::of);
    let new = NewToken::replacing(&old, grant, now);
    let token = insert(cx, &mut tx, standing, &new, &issued).await?;
    let ended = if overlap.is_none() {
        store::tokens::revoke(&mut tx, grant.id, old.id, standing.by(), now).await?
    } else {
        store::tokens::end_by(&mut tx, grant.id, old.id, overlap.end(now)).await?
    };
    let (before, after) = ended.ok_or(ActionError::NotFound)?;
    if before.state(now) != TokenState::Live {
        return Err(GrantRefusal::TokenOver.into());
    }
    let entries = vec![
        about(Entry::admin("grant_token.created", &cx.who()), grant, &token)
            .after(&TokenRecord::from(&token))
            .note(format!("Replaces {}.", old.id)),
        about(Entry::admin("grant_token.rotated", &cx.who()), grant, &after)
            .changed(&TokenRecord::from(&before), &TokenRecord::from(&after))
            .note(format!("Replaced by {}.", token.id)),
    ];
    audit::commit(tx, now, entries).await?;
    Ok(MadeToken { found, token, text: issued.text(), replaced: Some(after) })
}

/// [`revoke`] by whatever standing the caller has. A token of a grant that is over can be revoked too.
pub(in crate::flow::actions) async fn revoke_as(
    cx: &OrgCx,
    standing: Standing,
    grant: &str,
    token: &str,
) -> ActionResult<GrantToken> {
    let mut tx = cx.tx().await?;
    let found = found(cx, &mut tx, standing, Deed::See, grant).await?;
    let grant = &found.entry.grant;
    let id: GrantTokenId = token.parse().map_err(|_| ActionError::NotFound)?;
    let revoked = store::tokens::revoke(&mut tx, grant.id, id, standing.by(), cx.now()).await?;
    let (before, after) = revoked.ok_or(ActionError::NotFound)?;
    if before == after {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
        return Ok(after);
    }
    let entry = about(Entry::admin("grant_token.revoked", &cx.who()), grant, &after)
        .changed(&TokenRecord::from(&before), &TokenRecord::from(&after));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(after)
}

/// [`mintable`] by whatever standing the caller has.
pub(in crate::flow::actions) async fn mintable_as(
    cx: &OrgCx,
    standing: Standing,
    grant: &str,
) -> ActionResult<GrantFound> {
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let found = found(cx, &mut tx, standing, Deed::Tokens, grant).await?;
    tx.done().await?;
    check_mintable(cx, &found)?;
    Ok(found)
}

/// [`rotatable`] by whatever standing the caller has.
pub(in crate::flow::actions) async fn rotatable_as(
    cx: &OrgCx,
    standing: Standing,
    grant: &str,
    token: &str,
) -> ActionResult<(GrantFound, GrantToken)> {
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let (found, old) = look(cx, &mut tx, standing, grant, token).await?;
    tx.done().await?;
    check_mintable(cx, &found)?;
    if old.state(cx.now()) != TokenState::Live {
        return Err(GrantRefusal::TokenOver.into());
    }
    Ok((found, old))
}

async fn look(
    cx: &OrgCx,
    tx: &mut OrgTx,
    standing: Standing,
    grant: &str,
    token: &str,
) -> ActionResult<(GrantFound, GrantToken)> {
    let found = found(cx, tx, standing, Deed::Tokens, grant).await?;
    let id: GrantTokenId = token.parse().map_err(|_| ActionError::NotFound)?;
    let token = store::tokens::find(tx, found.entry.grant.id, id).await?.ok_or(ActionError::NotFound)?;
    Ok((found, token))
}

fn check_mintable(cx: &OrgCx, found: &GrantFound) -> ActionResult<()> {
    if found.entry.grant.is_over(cx.now()) {
        return Err(GrantRefusal::Expired.into());
    }
    if found.entry.live_tokens >= MOST_LIVE {
        let sentence = format!("This grant has {MOST_LIVE} tokens that work. Revoke some that are not used.");
        return Err(ActionError::refused("grant_has_many_tokens", sentence));
    }
    Ok(())
}

async fn insert(
    cx: &OrgCx,
    tx: &mut OrgTx,
    standing: Standing,
    new: &NewToken,
    issued: &IssuedToken,
) -> ActionResult<GrantToken> {
    store::tokens::insert(tx, new, issued, standing.by(), cx.now()).await.map_err(sent_before)
}

fn sent_before(error: DbError) -> ActionError {
    if store::tokens::ID_IS_FREE.iter().any(|rule| error.broke(rule)) {
        ActionError::refused(
            "grant_token_was_made",
            "This form was sent before, and its token was made and shown then. It cannot be shown again; if you did \
             not copy it, revoke it and make another.",
        )
    } else {
        error.into()
    }
}

/// An entry about a token, and about the person in whose name its grant acts.
fn about(entry: Entry, grant: &Grant, token: &GrantToken) -> Entry {
    let entry = entry.target("grant_token", token.id, &token.label);
    match grant.principal.user() {
        Some(user) => entry.about(user),
        None => entry,
    }
}
