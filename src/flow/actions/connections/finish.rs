//! The way back from a provider: a code becomes tokens, and tokens an account of whoever asked.

use time::OffsetDateTime;

use crate::{
    base::{ids::ProviderId, permission::Permission, secret::Secret},
    domain::{
        audit::{self, Unrecorded},
        connections::{Account, AccountLabel, ConnectRequest, Connection, Provider, store::requests},
        vault::Sealed,
    },
    flow::{
        actions::connections::{
            arrived::{Arrived, Kept, changed},
            begin,
            trial::{self, Trial},
            unkept::Unkept,
            words,
        },
        cx::{OrgCx, PersonCx},
        enter,
        fault::{ActionError, ActionResult},
        tokens::{Armed, send},
    },
    io::db::Tx,
    protocol::oauth::{
        answer::TokenAnswer,
        callback::Callback,
        document::{Document, Facts},
        proof::{State, Verifier},
    },
};

/// An account was connected.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The organization's short name.
    pub org: String,
    /// The connection.
    pub connection: Connection,
    /// Whether it was there before.
    pub is_renewed: bool,
    /// Whether it is shared, and yet the account of one person.
    pub is_somebodys: bool,
    /// The page to go on to; empty for the connection's own.
    pub return_to: String,
}

/// What came of somebody's way to a provider and back.
#[derive(Debug)]
pub enum Returned {
    /// An account was connected.
    Connected(Finished),
    /// An admin tried how it goes.
    Tried(Trial),
}

/// Takes what a browser brings back from a provider.
///
/// # Errors
/// A refusal that says what happened, who can help and how, for every way in which a provider refuses; nothing is connected
/// then. Whatever it is, the request cannot be finished a second time.
pub async fn finish(person: &PersonCx, provider: &str, query: &str) -> ActionResult<Returned> {
    let id: ProviderId = provider.parse().map_err(|_| ActionError::NotFound)?;
    // Whoever had to sign in on the way back comes without what the provider sent along.
    if query.is_empty() {
        return Err(unknown());
    }
    let callback = Callback::read(query).map_err(|bad| words::bad("the provider", bad))?;
    let state = State::hash_of(callback.state.expose()).ok_or_else(unknown)?;
    let mut tx = person.tx().await?;
    let org = requests::org_of(&mut tx, &state).await?;
    tx.done().await?;
    let cx = enter::org(person.clone(), &org.ok_or_else(unknown)?.to_string()).await?;
    let mut tx = cx.tx().await?;
    let request = requests::take(&mut tx, &state).await?;
    let (armed, proof) = match &request {
        Some(request) => {
            let armed = Armed::find(&cx.ports.vault, &mut tx, request.provider).await?;
            let sealed = Sealed { key: request.proof.key, bytes: request.proof.bytes.clone() };
            (armed, Some(cx.ports.vault.open(&mut tx, begin::cell(request.id), &sealed).await?))
        }
        None => (None, None),
    };
    // From here on the request is gone: what is brought back once is not looked at twice.
    audit::commit_unrecorded(tx, Unrecorded::Ceremony).await?;
    let (Some(request), Some(proof), Some(armed)) = (request, proof, armed) else { return Err(unknown()) };
    check(person, id, &request, &armed.provider, cx.now())?;
    if request.is_trial {
        // Looked at before anything is asked for that would have to be ended again.
        cx.require(Permission::ProvidersWrite)?;
    }
    let came = traded(&cx, &armed, &callback, &proof).await;
    if request.is_trial {
        return trial::told(&cx, armed, &request.scopes, came).await.map(Returned::Tried);
    }
    keep(&cx, &armed, request, came?).await.map(Returned::Connected)
}

/// What came for a code.
pub(super) struct Came {
    pub(super) answer: TokenAnswer,
    pub(super) label: AccountLabel,
    pub(super) facts: Facts,
}

/// Trades what a callback brought.
async fn traded(
    cx: &OrgCx,
    armed: &Armed,
    callback: &Callback,
    proof: &Secret<Vec<u8>>,
) -> ActionResult<Came> {
    let name = &armed.provider.name;
    callback
        .check_issuer(armed.template.issuer(), armed.template.names_itself())
        .map_err(|bad| words::bad(name, bad))?;
    let code = match &callback.result {
        Ok(code) => code,
        Err(refused) => return Err(words::refused(name, refused)),
    };
    let (verifier, nonce) = proof_of(proof)?;
    let redirect_uri = cx.ports.tokens.redirect_uri(armed.provider.callback_id());
    let exchange = armed.template.exchange(&armed.proven(cx.now()), code, &redirect_uri, &verifier);
    let answer = armed.ask(&cx.ports.egress, &exchange).await;
    let answer = answer.map_err(|failure| words::failed(name, &failure))?;
    let answer = lengthened(cx, armed, answer).await;
    let claims = match &answer.id_token {
        Some(token) => {
            let now = cx.now().unix_timestamp();
            let claims = armed.template.claims(token, &armed.client, &nonce, now);
            Some(claims.map_err(|bad| words::bad_claims(name, bad))?)
        }
        None => None,
    };
    let facts = armed.template.facts(&answer.rest, &callback.facts);
    let label = label(cx, armed, &answer, claims.as_ref(), (&facts, &callback.facts)).await?;
    Ok(Came { answer, label, facts })
}

fn unknown() -> ActionError {
    ActionError::refused(
        "connect_unknown",
        "This way back was used before, is older than ten minutes, or belongs to somebody else. Start again from your accounts.",
    )
}

/// The same person, in the same browser session, about the provider as it was, in time.
fn check(
    person: &PersonCx,
    id: ProviderId,
    request: &ConnectRequest,
    provider: &Provider,
    now: OffsetDateTime,
) -> ActionResult<()> {
    // Providers that share a client have one callback, at one authorization server; all others have one of their own
    // (RFC 9700, section 4.4).
    let is_same =
        request.user == person.id() && request.session == person.session.id && provider.callback_id() == id;
    if !is_same || now >= request.expires_at {
        return Err(unknown());
    }
    let is_off = provider.disabled_at.is_some() && !request.is_trial;
    if request.provider_version != provider.version || is_off {
        return Err(changed(provider));
    }
    Ok(())
}

/// The proof does not read as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is sealed with a connect request is none of it")]
struct NoProof;

fn proof_of(proof: &Secret<Vec<u8>>) -> ActionResult<(Verifier, State)> {
    let text = std::str::from_utf8(proof.expose()).map_err(ActionError::defect)?;
    let (verifier, nonce) = text.split_once(' ').ok_or_else(|| ActionError::defect(NoProof))?;
    Ok((Verifier::of_kept(Secret::new(verifier.to_owned())), State::of_kept(Secret::new(nonce.to_owned()))))
}

/// The same with the long-lived token that the provider gives for a short one, where it has such.
async fn lengthened(cx: &OrgCx, armed: &Armed, answer: TokenAnswer) -> TokenAnswer {
    let tokens = armed.tokens_of(&answer);
    let facts = armed.template.facts(&answer.rest, &Facts::new());
    let client = armed.proven(cx.now());
    let account = Account { client: &client, access: &tokens.access, refresh: None, facts: &facts };
    let Ok(Some(request)) = armed.template.lengthen(&account) else { return answer };
    match send(&cx.ports.egress, &request).await {
        // The short one works as well, for as long as it lives.
        Ok(reply) => match armed.template.read(reply.status, &reply.body) {
            Ok(long) => TokenAnswer { tokens: long.tokens, second: None, ..answer },
            Err(_) => answer,
        },
        Err(_) => answer,
    }
}

/// Whose account it is. A provider that never says keeps nobody from connecting; one that should have said, and did not, does:
/// the same account could not be told from another afterwards.
async fn label(
    cx: &OrgCx,
    armed: &Armed,
    answer: &TokenAnswer,
    claims: Option<&Document>,
    (facts, callback): (&Facts, &Facts),
) -> ActionResult<AccountLabel> {
    if !armed.template.names_accounts() {
        return Ok(AccountLabel::default());
    }
    let tokens = armed.tokens_of(answer);
    let account =
        Account { client: &armed.client, access: &tokens.access, refresh: tokens.refresh.as_ref(), facts };
    let mut documents = Vec::new();
    for request in armed.template.account(&account).unwrap_or_default() {
        let Ok(reply) = send(&cx.ports.egress, &request).await else { continue };
        documents.extend(Document::read(&reply.body).ok().filter(|_| reply.is_success()));
    }
    let label = armed.template.label(&documents, &answer.rest, claims, callback);
    let label = label.ok_or_else(|| words::nameless(&armed.provider.name))?;
    Ok(AccountLabel {
        id: label.id,
        name: label.name.unwrap_or_default(),
        email: label.email.unwrap_or_default(),
        workspace: label.workspace.unwrap_or_default(),
    })
}

async fn keep(
    cx: &OrgCx,
    armed: &Armed,
    request: ConnectRequest,
    Came { answer, label, facts }: Came,
) -> ActionResult<Finished> {
    let unkept = Unkept::of(armed, &label, armed.tokens_of(&answer), &facts);
    let arrived = Arrived {
        provider: &armed.provider,
        provider_version: request.provider_version,
        owner: request.owner,
        renewed: request.connection,
        asked: &request.scopes,
        label,
        tokens: armed.tokens_of(&answer),
        facts,
        by: request.user,
    };
    let kept = unkept.unless_kept(cx, arrived.keep(cx).await).await;
    let Kept { connection, is_renewed, is_somebodys } = kept?;
    Ok(Finished {
        org: cx.org.slug.to_string(),
        connection,
        is_renewed,
        is_somebodys,
        return_to: request.return_to,
    })
}
