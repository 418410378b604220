//! A server that asks for more than the account was granted whose token it was sent (RFC 6750, section 3.1): the agent is told
//! where its person can grant it, and the account's page says it too.

use http::{HeaderMap, header};

use crate::{
    domain::{
        audit::{self, Unrecorded},
        connections::store::{held, noted},
    },
    flow::{
        fault::ActionResult,
        proxy::{
            accounts::AccountLack,
            admit::Admitted,
            credential::{UsedAccount, unconnected},
            gateway::Gateway,
            judge::Permit,
            record::Ending,
            refusal::Refusal,
            unconnected::Places,
        },
    },
    io::db::OrgTx,
    protocol::oauth::challenge::{Challenge, ChallengeError},
};

/// How many scopes a server may ask for at once; what it asks for beyond is looked at when the first were granted.
const MOST: usize = 50;

/// What the agent is told of such an answer; nothing where it is none, or asks for what was granted already, or was not granted when
/// it was asked for, so that another sign-in would not help.
pub async fn told(
    gateway: &Gateway,
    admitted: &Admitted,
    permit: &Permit<'_>,
    account: UsedAccount,
    headers: &HeaderMap,
) -> Option<Refusal> {
    let values = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let challenge = Challenge::read(values)?;
    if challenge.error != Some(ChallengeError::InsufficientScope) {
        return None;
    }
    let lack = lack(gateway, admitted, permit, account, challenge.scopes).await;
    let lack =
        lack.inspect_err(|error| tracing::warn!(%error, "what a server asks for cannot be kept")).ok()??;
    let server = &permit.call().server.server.name;
    let at = Places { base_url: &gateway.base_url, org: &admitted.snapshot.slug };
    let told = lack.told(server, &admitted.grant, at);
    let unconnected = unconnected(gateway, admitted, permit.call(), server.to_string(), vec![told]);
    Some(Refusal::Unconnected(Box::new(unconnected)))
}

/// How a call ends on record whose server asks for more.
pub fn ending(refusal: &Refusal) -> Ending {
    Ending::Failed("upstream_insufficient_scope".into(), refusal.sentence().into_owned())
}

async fn lack(
    gateway: &Gateway,
    admitted: &Admitted,
    permit: &Permit<'_>,
    account: UsedAccount,
    mut scopes: Vec<String>,
) -> ActionResult<Option<AccountLack>> {
    let mut tx = OrgTx::begin(&gateway.db, admitted.snapshot.scope).await?;
    let Some(held) = held::one(&mut tx, account.id).await? else { return Ok(None) };
    scopes.retain(|scope| !held.scopes.contains(scope));
    scopes.truncate(MOST);
    // What the provider did not grant when it was asked is not asked for again by itself.
    if scopes.iter().all(|scope| held.withheld.contains(scope)) {
        return Ok(None);
    }
    let stored = &permit.call().server.server.credentials;
    let provider = stored.iter().filter_map(|one| one.provider.as_ref()).find(|one| one.id == held.provider);
    // A key is made with all that it may do: entering it again would change nothing.
    let provider = provider.filter(|provider| provider.tells_scopes);
    let (Some(provider), false) = (provider, scopes.is_empty()) else { return Ok(None) };
    noted::want(&mut tx, account.id, &scopes).await?;
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await?;
    Ok(Some(AccountLack::of_scopes(provider.clone(), held, scopes)))
}
