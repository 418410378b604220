//! The way to a provider: what a person is about to allow, and the address their browser goes to.

use time::Duration;

use crate::{
    base::{
        actor::Principal,
        crypto::random,
        ids::{ConnectRequestId, ConnectionId},
        permission::Permission,
    },
    domain::{
        audit::{self, Unrecorded},
        connections::{
            AccountOwner, Ask, ConnectRequest, Connection, ConnectionState, Obtaining, Provider, ProviderRef,
            SealedTokens,
            store::{self as providers, requests},
        },
        grants::store::grants,
        servers::store::tools,
        vault::Cell,
    },
    flow::{
        actions::connections::{Sharing, changeable, ended},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
        tokens::Armed,
    },
    io::db::{OrgTx, Tx},
    protocol::oauth::proof::{State, Verifier},
};

/// How long a person has at the provider.
const WITHIN: Duration = Duration::minutes(10);

/// What somebody wants to connect.
#[derive(Clone, Debug, Default)]
pub struct BeginInput {
    /// The provider, by slug or id.
    pub provider: String,
    /// The connection that is to be renewed; none for a new one.
    pub connection: Option<String>,
    /// For whom a new one is: `me` or empty, `org` for everybody, or `team:` with a team's short name.
    pub owner: String,
    /// Scopes that tools need beyond those that the provider is registered with.
    pub scopes: Vec<String>,
    /// The page to go on to.
    pub return_to: String,
    /// The grant whose agent led there, by id; empty where none did.
    pub agent: String,
}

/// What a person is about to allow.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The agent that asked for it, by the label of its grant; none where nobody did, or it is none of the person's.
    pub asked_by: Option<String>,
    /// The provider.
    pub provider: Provider,
    /// The connection that is renewed.
    pub connection: Option<Connection>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Whose the account is to be.
    pub owner: AccountOwner,
    /// For whom else the caller could connect one.
    pub sharing: Sharing,
}

/// The browser may go.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The provider.
    pub provider: Provider,
    /// Where to.
    pub url: url::Url,
}

/// What a person is about to allow.
///
/// # Errors
/// `NotFound` where there is no such provider or connection; a refusal where nobody can connect through it.
pub async fn offer(cx: &OrgCx, input: &BeginInput) -> ActionResult<Offer> {
    cx.require(Permission::ConnectionsOwn)?;
    let mut tx = cx.tx().await?;
    let offer = offered(cx, &mut tx, input).await?;
    tx.done().await?;
    Ok(offer)
}

async fn offered(cx: &OrgCx, tx: &mut OrgTx, input: &BeginInput) -> ActionResult<Offer> {
    let named = input.provider.parse::<ProviderRef>().map_err(|_| ActionError::NotFound)?;
    let provider = providers::find(tx, &named).await?.ok_or(ActionError::NotFound)?;
    if provider.disabled_at.is_some() {
        return Err(ActionError::refused(
            "provider_disabled",
            format!("{} is switched off here. An admin switches it on again.", provider.name),
        ));
    }
    let connection = match &input.connection {
        Some(id) => Some(changeable(cx, tx, id).await?.connection),
        None => None,
    };
    if let Some(connection) = &connection {
        match connection.state {
            ConnectionState::Revoked => return Err(ended()),
            _ if connection.provider != provider.id => return Err(ActionError::NotFound),
            _ => {}
        }
    }
    let asked_by = asked_by(cx, tx, &input.agent).await?;
    let mut scopes = provider.scopes.clone();
    let held = connection.iter().flat_map(|connection| &connection.scopes);
    let mut add = |scope: &String| {
        if !scopes.contains(scope) && !scope.is_empty() {
            scopes.push(scope.clone());
        }
    };
    held.for_each(&mut add);
    if !input.scopes.is_empty() {
        // Whoever made the address that a person follows does not decide what they are asked for.
        let mut needed = tools::required_scopes(tx).await?;
        needed.extend(connection.iter().flat_map(|connection| connection.wanted.clone()));
        if let Some(other) = input.scopes.iter().find(|scope| !scope.is_empty() && !needed.contains(scope)) {
            return Err(ActionError::refused(
                "connect_scope_unneeded",
                format!(
                    "No tool here needs {other:?}, and no server asked for it, so nobody else is. An admin says on a tool's page \
                     what it needs."
                ),
            ));
        }
        input.scopes.iter().for_each(&mut add);
    }
    let sharing = Sharing::of(cx, tx).await?;
    let owner = match (&connection, input.owner.as_str()) {
        (Some(connection), _) => connection.owner,
        (None, named @ ("" | "me")) if provider.obtaining() == Obtaining::Client => {
            // A client acts in nobody's name but its own, so what it is given is shared.
            match (named, sharing.everybody, sharing.teams.first()) {
                ("", true, _) => AccountOwner::Org,
                ("", false, Some(team)) => AccountOwner::Team(team.id),
                _ => return Err(shared_only(&provider)),
            }
        }
        (None, "" | "me") => {
            AccountOwner::User(cx.user().ok_or(ActionError::Forbidden(Permission::ConnectionsWrite))?)
        }
        (None, named) => sharing.owner(named).map_err(|why| ActionError::field("owner", why))?,
    };
    Ok(Offer { asked_by, provider, connection, scopes, owner, sharing })
}

/// The agent that led somebody there. What an agent asks of one person is for nobody else: whoever follows another's link would
/// connect an account that does not help.
async fn asked_by(cx: &OrgCx, tx: &mut OrgTx, agent: &str) -> ActionResult<Option<String>> {
    let Ok(id) = agent.parse() else { return Ok(None) };
    let Some(grant) = grants::find(tx, id).await? else { return Ok(None) };
    match grant.principal {
        Principal::User(user) if cx.user() == Some(user) => Ok(Some(grant.label)),
        Principal::User(_) => Err(ActionError::refused(
            "connect_for_another",
            "An agent asked this of another person, and only they can do it, signed in as themselves. To connect an account of your \
             own, begin from your accounts.",
        )),
        Principal::Team(_) | Principal::ServiceAccount(_) => {
            Ok(cx.may(Permission::GrantsRead).then_some(grant.label))
        }
    }
}

fn shared_only(provider: &Provider) -> ActionError {
    ActionError::refused(
        "connect_shared_only",
        format!(
            "{} gives tokens to its registered client, not to people: an owner or admin connects it for everybody, or whoever \
             leads a team for the team.",
            provider.name
        ),
    )
}

/// Sends a person's browser to the provider.
///
/// # Errors
/// As [`offer`]; `NotFound` where nobody signs in at the provider; `NotSignedIn` for whoever is no person in a browser.
pub async fn begin(cx: &OrgCx, input: &BeginInput) -> ActionResult<Begun> {
    cx.require(Permission::ConnectionsOwn)?;
    let mut tx = cx.tx().await?;
    let Offer { provider, connection, scopes, owner, .. } = offered(cx, &mut tx, input).await?;
    let connection = connection.map(|connection| connection.id);
    let return_to = input.return_to.clone();
    set_out(cx, tx, provider, SetOut { owner, connection, scopes, return_to, is_trial: false }).await
}

/// What a browser sets out for.
pub(super) struct SetOut {
    /// For whom.
    pub(super) owner: AccountOwner,
    /// The connection that is renewed.
    pub(super) connection: Option<ConnectionId>,
    /// What is asked for.
    pub(super) scopes: Vec<String>,
    /// The page to go on to.
    pub(super) return_to: String,
    /// Whether what comes of it is only looked at.
    pub(super) is_trial: bool,
}

/// Keeps what the way back is known by, and gives the address that the browser goes to.
pub(super) async fn set_out(
    cx: &OrgCx,
    mut tx: OrgTx,
    provider: Provider,
    out: SetOut,
) -> ActionResult<Begun> {
    let person = cx.person.as_ref().ok_or(ActionError::NotSignedIn)?;
    if provider.obtaining() != Obtaining::SignIn {
        return Err(ActionError::NotFound);
    }
    let (state, nonce, verifier) = (
        State::of_random(random::bytes()),
        State::of_random(random::bytes()),
        Verifier::of_random(random::bytes()),
    );
    let armed = Armed::of(&cx.ports.vault, &mut tx, provider).await?;
    let Armed { provider, template, client, .. } = armed.ok_or_else(|| {
        ActionError::refused(
            "provider_unusable",
            "The provider's preset is not known to this version. An admin registers it anew.",
        )
    })?;
    let id = ConnectRequestId::fresh();
    let proof = format!("{} {}", verifier.text().expose(), nonce.text().expose());
    let sealed = cx.ports.vault.seal(&mut tx, cell(id), proof.as_bytes()).await?;
    let redirect_uri = cx.ports.tokens.redirect_uri(provider.callback_id());
    let url = template.authorize_url(&Ask {
        client_id: &client.id,
        redirect_uri: &redirect_uri,
        scopes: &out.scopes,
        user_scopes: &provider.user_scopes,
        state: &state,
        nonce: &nonce,
        verifier: &verifier,
    });
    let request = ConnectRequest {
        id,
        user: person.id(),
        session: person.session.id,
        provider: provider.id,
        provider_version: provider.version,
        owner: out.owner,
        connection: out.connection,
        scopes: out.scopes,
        proof: SealedTokens { key: sealed.key, bytes: sealed.bytes },
        return_to: out.return_to,
        is_trial: out.is_trial,
        expires_at: cx.now() + WITHIN,
    };
    requests::insert(&mut tx, &request, &state.hash(), cx.now()).await?;
    audit::commit_unrecorded(tx, Unrecorded::Ceremony).await?;
    Ok(Begun { provider, url: url.ok_or(ActionError::NotFound)? })
}

/// Where a request keeps verifier and nonce.
pub(super) fn cell(id: ConnectRequestId) -> Cell {
    Cell::new("connect_requests", requests::SEALED_PROOF, id)
}
