//! Fetching new tokens, one at a time over all replicas.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{
    base::{crypto::random, ids::ConnectionId, secret::Secret},
    domain::{
        audit::{self, Unrecorded},
        connections::{
            Aftermath, ConnectionState, Freshness, HeldAccount, MOST_PRESENTED, Obtaining,
            store::{accounts, held, leases, noted},
        },
    },
    flow::{
        fault::{ActionError, ActionResult},
        tokens::{Armed, LiveToken, NoToken, Pair, Recognized, Tokens, send, stored},
    },
    io::db::{OrgScope, OrgTx, Tx},
    protocol::oauth::{
        answer::TokenAnswer,
        failure::{FailureKind, TokenFailure},
    },
};

/// How long a lease holds: longer than a provider may take, and the storing of what it answered.
const LEASE: Duration = Duration::from_secs(40);
/// How long a new token is waited for, whoever fetches it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often is looked whether it is done.
const LOOK: Duration = Duration::from_millis(100);
/// A token that was certain to work so lately is not looked at because a server refused it.
const FRESH: time::Duration = time::Duration::seconds(60);
/// How often storing what came is tried, and how long is waited before it is tried again.
const STORE_TRIES: u32 = 20;
const STORE_PAUSE: Duration = Duration::from_millis(500);

type Fetched = Result<LiveToken, NoToken>;

/// What is needed to ask for a new token.
struct Ready {
    armed: Armed,
    pair: Pair,
    /// None where the client asks in its own name, which it may as often as it likes.
    refresh: Option<Secret<String>>,
}

impl Tokens {
    /// The token of a connection, renewed where it has to be.
    ///
    /// # Errors
    /// When the database or the vault is away; within, why there is none.
    pub async fn live(&self, scope: OrgScope, held: &HeldAccount) -> ActionResult<Fetched> {
        match held.state {
            ConnectionState::NeedsReauth => return Ok(Err(NoToken::Reauth)),
            ConnectionState::Disabled => return Ok(Err(NoToken::Off)),
            ConnectionState::Revoked => return Ok(Err(NoToken::Gone)),
            ConnectionState::Active | ConnectionState::Refreshing | ConnectionState::ErrorBackoff => {}
        }
        let now = self.parts().clock.now();
        match held.freshness(now) {
            Freshness::Fresh => self.opened(scope, held).await.map(Ok),
            Freshness::Ageing => {
                if !held.is_resting(now) {
                    self.renew_meanwhile(scope, held);
                }
                self.opened(scope, held).await.map(Ok)
            }
            Freshness::Ended => {
                self.lapsed(scope, held).await?;
                Ok(Err(NoToken::Reauth))
            }
            Freshness::Stale => self.renewed(scope, held.id, held.token_version).await,
        }
    }

    /// A newer token than the one of this version, which a server refused; what is newer already is taken as it is.
    ///
    /// # Errors
    /// As [`Tokens::live`].
    pub async fn renewed(&self, scope: OrgScope, id: ConnectionId, seen: i64) -> ActionResult<Fetched> {
        let this = self.clone();
        // It goes on where whoever asked goes away: what a provider answers has to be stored.
        let work = self.parts().tasks.spawn(async move { this.take_turn(scope, id, seen).await });
        // Whoever asks for it by themselves waits no longer than those who wait for somebody else.
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(done) => done.map_err(ActionError::defect)?,
            Err(_) => Ok(Err(NoToken::Away)),
        }
    }

    /// A token in place of the one of this version, which a server refused, for a request that may be sent once more: fetched at
    /// most once, and waited for. Nothing where a server would refuse another as well, and where none comes.
    ///
    /// # Errors
    /// As [`Tokens::live`].
    pub async fn replaced(
        &self,
        scope: OrgScope,
        id: ConnectionId,
        version: i64,
    ) -> ActionResult<Option<LiveToken>> {
        let Some(held) = self.read(scope, id).await? else { return Ok(None) };
        let is_newer = held.token_version > version;
        if !is_newer && self.is_certain(&held) {
            return Ok(None);
        }
        if !is_newer && !held.has_refresh {
            self.look_meanwhile(scope, held);
            return Ok(None);
        }
        Ok(self.renewed(scope, id, version).await?.ok())
    }

    /// A server refused the token of this version although it should live: a new one is fetched meanwhile, once; where even a
    /// fresh one is refused, another would be as well. Where none can be fetched, the provider is asked whether it still takes
    /// the one there is: a server alone makes nobody connect again. Whether another call may pass in a moment.
    pub async fn refused(&self, scope: OrgScope, id: ConnectionId, version: i64) -> bool {
        let held = match self.read(scope, id).await {
            Ok(Some(held)) => held,
            Ok(None) => return false,
            Err(error) => {
                tracing::warn!(%error, connection = %id, "a refused token cannot be renewed");
                return false;
            }
        };
        let now = self.parts().clock.now();
        if held.token_version > version {
            return true;
        }
        if self.is_certain(&held) {
            return false;
        }
        let is_renewed = held.has_refresh && !held.is_resting(now);
        self.look_meanwhile(scope, held);
        is_renewed
    }

    /// Whether its token was certain to work so lately that another would fare no better. One that is past its end is none.
    fn is_certain(&self, held: &HeldAccount) -> bool {
        let now = self.parts().clock.now();
        let has_ended = held.expires_at.is_some_and(|ends| ends <= now);
        !has_ended && now - held.last_ok_at.unwrap_or(held.issued_at) < FRESH
    }

    /// Fetches a new token for one that a server refused, or asks the provider about it, while nobody waits.
    fn look_meanwhile(&self, scope: OrgScope, held: HeldAccount) {
        if held.has_refresh {
            return self.renew_meanwhile(scope, &held);
        }
        let this = self.clone();
        self.parts().tasks.spawn(async move {
            if let Err(error) = this.ask(scope, &held).await {
                tracing::warn!(%error, connection = %held.id, "a provider cannot be asked about a refused token");
            }
        });
    }

    /// Asks the provider whether it takes a token that cannot be renewed, where it says whose account it is.
    async fn ask(&self, scope: OrgScope, held: &HeldAccount) -> ActionResult<()> {
        let turn = self.turn(held.id);
        let Ok(_turn) = turn.try_lock() else { return Ok(()) };
        let mut tx = OrgTx::begin(&self.parts().db, scope).await?;
        let armed = Armed::find(&self.parts().vault, &mut tx, held.provider).await?;
        tx.done().await?;
        let token = self.opened(scope, held).await?;
        let Some(armed) = armed else { return Ok(()) };
        match armed.recognizes(&self.parts().egress, &token, &held.facts).await {
            Recognized::Refused(status @ 401) => {
                let code = Some("token_refused".to_owned());
                let failure = TokenFailure {
                    kind: FailureKind::DeadGrant,
                    status: Some(status),
                    code,
                    ..TokenFailure::lost()
                };
                self.fail(scope, held, Aftermath::Reauth, &failure).await?;
            }
            Recognized::Taken => {
                let mut tx = OrgTx::begin(&self.parts().db, scope).await?;
                noted::note_ok(&mut tx, held.id, self.parts().clock.now()).await?;
                audit::commit_unrecorded(tx, Unrecorded::LastSeen).await?;
            }
            Recognized::Refused(_) | Recognized::Silent | Recognized::Unasked => {}
        }
        Ok(())
    }

    fn renew_meanwhile(&self, scope: OrgScope, held: &HeldAccount) {
        let (this, id, seen) = (self.clone(), held.id, held.token_version);
        self.parts().tasks.spawn(async move {
            if let Err(error) = this.take_turn(scope, id, seen).await {
                tracing::warn!(%error, connection = %id, "a token cannot be renewed");
            }
        });
    }

    async fn opened(&self, scope: OrgScope, held: &HeldAccount) -> ActionResult<LiveToken> {
        let sealed = held.tokens.as_ref().ok_or(ActionError::Changed)?;
        let vault = &self.parts().vault;
        let pair = match Pair::open_held(vault, scope.org(), held.id, sealed) {
            Some(pair) => pair?,
            None => {
                let mut tx = OrgTx::begin(&self.parts().db, scope).await?;
                let pair = Pair::open(vault, &mut tx, held.id, sealed).await?;
                tx.done().await?;
                pair
            }
        };
        Ok(LiveToken { connection: held.id, access: pair.access, version: held.token_version })
    }

    async fn take_turn(&self, scope: OrgScope, id: ConnectionId, seen: i64) -> ActionResult<Fetched> {
        // Waiting for the turn counts: whoever queues behind others waits no longer than they do.
        let patience = Instant::now() + PATIENCE;
        let turn = self.turn(id);
        let Ok(_turn) = tokio::time::timeout_at(patience, turn.lock()).await else {
            return Ok(Err(NoToken::Away));
        };
        let mut ready = None;
        loop {
            let Some(held) = self.read(scope, id).await? else { return Ok(Err(NoToken::Gone)) };
            match held.state {
                ConnectionState::NeedsReauth => return Ok(Err(NoToken::Reauth)),
                ConnectionState::Disabled => return Ok(Err(NoToken::Off)),
                ConnectionState::Revoked => return Ok(Err(NoToken::Gone)),
                ConnectionState::Active | ConnectionState::Refreshing | ConnectionState::ErrorBackoff => {}
            }
            if held.token_version > seen {
                return self.opened(scope, &held).await.map(Ok);
            }
            if !held.has_refresh {
                return Ok(Err(NoToken::Reauth));
            }
            if held.is_resting(self.parts().clock.now()) {
                return Ok(Err(NoToken::resting(held.blocked)));
            }
            // All that is needed is at hand before the sending is counted: what counts was sent, or was about to be.
            if ready.is_none() {
                ready = self.ready(scope, &held).await?;
            }
            let Some(ready) = &ready else { return Ok(Err(NoToken::Broken)) };
            let leased_at = Instant::now();
            let is_repeatable = ready.refresh.is_none();
            if self.lease(scope, &held, is_repeatable).await? {
                return self.fetch(scope, &held, ready, leased_at).await;
            }
            // Somebody sent it and died before the answer was stored, twice: nobody knows what became of it until it is sent
            // again.
            if !is_repeatable && held.presented >= MOST_PRESENTED && !self.is_leased(scope, id).await? {
                let doubt = Aftermath::doubt(held.failures, self.parts().clock.now(), chance());
                return self.fail(scope, &held, doubt, &TokenFailure::lost()).await.map(Err);
            }
            if Instant::now() >= patience {
                return Ok(Err(NoToken::Away));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn read(&self, scope: OrgScope, id: ConnectionId) -> ActionResult<Option<HeldAccount>> {
        let mut tx = OrgTx::begin(&self.parts().db, scope).await?;
        let held = held::one(&mut tx, id).await?;
        tx.done().await?;
        Ok(held)
    }

    async fn is_leased(&self, scope: OrgScope, id: ConnectionId) -> ActionResult<bool> {
        let mut tx = OrgTx::begin(&self.parts().db, scope).await?;
        let found = accounts::find(&mut tx, id).await?;
        tx.done().await?;
        Ok(found.is_some_and(|one| one.state == ConnectionState::Refreshing))
    }

    async fn lease(&self, scope: OrgScope, held: &HeldAccount, is_repeatable: bool) -> ActionResult<bool> {
        let mut tx = OrgTx::begin(&self.parts().db, scope).await?;
        let taken = leases::take(&mut tx, held, self.0.process, seconds(LEASE), is_repeatable).await?;
        audit::commit_unrecorded(tx, Unrecorded::TokenRefresh).await?;
        Ok(taken)
    }

    /// What is needed to ask for a new token; nothing where the provider's preset has gone.
    async fn ready(&self, scope: OrgScope, held: &HeldAccount) -> ActionResult<Option<Ready>> {
        let mut tx = OrgTx::begin(&self.parts().db, scope).await?;
        let armed = Armed::find(&self.parts().vault, &mut tx, held.provider).await?;
        let sealed = held.tokens.as_ref().ok_or(ActionError::Changed)?;
        let pair = Pair::open(&self.parts().vault, &mut tx, held.id, sealed).await?;
        tx.done().await?;
        let Some(armed) = armed else { return Ok(None) };
        let refresh = match armed.provider.obtaining() {
            Obtaining::Client => None,
            Obtaining::SignIn | Obtaining::Key => Some(pair.refresh.clone().ok_or(ActionError::Changed)?),
        };
        Ok(Some(Ready { armed, pair, refresh }))
    }

    /// Sends the refresh token, or has the client ask anew; this process holds the lease.
    async fn fetch(
        &self,
        scope: OrgScope,
        held: &HeldAccount,
        Ready { armed, pair, refresh }: &Ready,
        leased_at: Instant,
    ) -> ActionResult<Fetched> {
        let mut sent_at = leased_at;
        let redirect_uri = self.redirect_uri(armed.provider.callback_id());
        let mut presented = held.presented + 1;
        loop {
            // A process that was stopped for long must not send what another one sends by now.
            if sent_at.elapsed() + send::WITHIN > LEASE {
                return Ok(Err(NoToken::Away));
            }
            // What a token lives is counted from here: the provider counts from no later than its answer.
            let asked_at = self.parts().clock.now();
            let (client, template) = (armed.proven(asked_at), &armed.template);
            let request = match refresh {
                Some(refresh) => template.refresh(&client, refresh, &held.scopes, &redirect_uri),
                None => template.client_credentials(&client, &held.scopes),
            };
            let answer = armed.ask(&self.parts().egress, &request).await;
            let failure = match answer {
                Ok(answer) => return self.keep(scope, held, (pair, asked_at), armed, &answer).await,
                Err(failure) => failure,
            };
            let now = self.parts().clock.now();
            // What may be asked for again and again leaves no doubt: nothing is lost where an answer is.
            let failure = match (failure.kind, refresh) {
                (FailureKind::Unknown, None) => TokenFailure { kind: FailureKind::Transient, ..failure },
                (_, _) => failure,
            };
            let aftermath = Aftermath::of(&failure, held.failures, presented, now, chance());
            if aftermath == Aftermath::Again {
                let mut tx = OrgTx::begin(&self.parts().db, scope).await?;
                let may = leases::again(&mut tx, held, self.0.process, seconds(LEASE)).await?;
                audit::commit_unrecorded(tx, Unrecorded::TokenRefresh).await?;
                if may {
                    (presented, sent_at) = (presented + 1, Instant::now());
                    continue;
                }
            }
            return self.fail(scope, held, aftermath, &failure).await.map(Err);
        }
    }

    /// Stores what came before anybody gets it, with patience: what is lost here is lost for good.
    async fn keep(
        &self,
        scope: OrgScope,
        held: &HeldAccount,
        (before, asked_at): (&Pair, OffsetDateTime),
        armed: &Armed,
        answer: &TokenAnswer,
    ) -> ActionResult<Fetched> {
        let tokens = armed.tokens_of(answer);
        let pair = Pair::of(tokens, Some(before));
        let scopes = tokens.scopes.clone().unwrap_or_else(|| held.scopes.clone());
        let mut facts = held.facts.clone();
        facts.extend(armed.template.facts(&answer.rest, &Default::default()));
        let mut tried = 0;
        loop {
            let stored = async {
                let now = self.parts().clock.now();
                let mut tx = OrgTx::begin(&self.parts().db, scope).await?;
                let sealed = pair.seal(&self.parts().vault, &mut tx, held.id).await?;
                let mut new = stored(sealed, &pair, tokens, (scopes.clone(), facts.clone()), asked_at);
                new.has_refresh |= armed.provider.obtaining() == Obtaining::Client;
                let is_kept = leases::store(&mut tx, held, &new, now).await?;
                audit::commit_unrecorded(tx, Unrecorded::TokenRefresh).await?;
                Ok::<_, ActionError>(is_kept)
            }
            .await;
            tried += 1;
            match stored {
                Ok(true) => break,
                // It was ended, or connected again, while the provider answered; or an earlier try did store it after all.
                Ok(false) => {
                    let now = self.read(scope, held.id).await?;
                    let Some(now) = now.filter(|now| now.token_version > held.token_version) else {
                        return Ok(Err(NoToken::Gone));
                    };
                    return self.opened(scope, &now).await.map(Ok);
                }
                Err(error) if tried >= STORE_TRIES => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, connection = %held.id, "new tokens cannot be stored yet");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
        Ok(Ok(LiveToken {
            connection: held.id,
            access: Secret::clone(&pair.access),
            version: held.token_version + 1,
        }))
    }
}

/// By how much a pause is longer than it has to be, in thousandths.
fn chance() -> u16 {
    u16::from_be_bytes(random::bytes()) % 1001
}

fn seconds(span: Duration) -> i32 {
    i32::try_from(span.as_secs()).unwrap_or(i32::MAX)
}
