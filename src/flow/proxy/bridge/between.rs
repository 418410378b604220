//! Between replicas: a question is noted where all of them see it, so that its answer may come to any, and what a call comes
//! to then finds the way to the replica at which its agent waits.
//!
//! Whatever was said lies in the database sealed under the organization's key, for as long as somebody waits for it.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_util::task::TaskTracker;

use crate::{
    base::{
        crypto::digest::Digest,
        ids::{CallQuestionId, GrantId, OrgId, ServerId},
        unprinted::Unprinted,
    },
    domain::{
        approvals::store::waiting::{self, MadeCall},
        audit::{self, Unrecorded},
        questions::{
            NewQuestion, Open, SealedWords, Stand,
            store::{self, PIECES, SEALED_PIECE, SEALED_WORDS, TABLE},
        },
        vault::{Cell, Sealed, Vault},
    },
    flow::{
        fault::ActionResult,
        proxy::{
            admit::Admitted,
            bridge::{
                agent::PATIENCE,
                answers::{Answers, Words},
            },
            gateway::Gateway,
            handles::Holder,
        },
    },
    io::db::{Db, OrgScope, OrgTx, Tx},
};

/// How often is looked whether something came.
const LOOK: Duration = Duration::from_millis(500);
/// How often is looked whether there is room for one more piece of an answer.
const ROOM: Duration = Duration::from_millis(100);
/// For how long it is tried to leave one while the database is away; after that its reader takes it for lost.
const BLIND: Duration = Duration::from_secs(30);
/// For how long a call goes on whose agent's replica does not say that it waits.
const AWAITED: Duration = Duration::from_secs(120);
/// How often that says so.
const BEAT: Duration = Duration::from_secs(10);

/// The way between the replicas, for one organization.
#[derive(Clone, Debug)]
pub(super) struct Between {
    db: Db,
    vault: Vault,
    scope: OrgScope,
    answers: Arc<Answers>,
    /// Where background work belongs.
    pub(super) tasks: TaskTracker,
}

/// One piece of what a call comes to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Passed {
    /// A message on the way.
    Told(Said),
    /// Nothing but that the stream is still there.
    Quiet,
    /// The end.
    Ended(Ended),
    /// There is none: the call was given up on the way.
    Lost,
}

/// The end of a call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ended {
    /// The status of the answer.
    pub(super) status: u16,
    /// The message.
    pub(super) message: Said,
    /// Why it failed, by code and sentence; none where the server answered.
    pub(super) failed: Option<(String, String)>,
    /// The server's own status.
    pub(super) upstream: Option<u16>,
}

/// What somebody said; it may be anything, so it is never printed.
pub(super) type Said = Unprinted<String>;

/// When is looked whether something came.
pub(super) fn looks() -> Interval {
    every(LOOK)
}

/// When is said that a call is still waited for.
pub(super) fn waits() -> Interval {
    every(BEAT)
}

fn every(so_often: Duration) -> Interval {
    let mut turns = interval(so_often);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}

impl Between {
    /// For the organization of an agent.
    pub(super) fn of(gateway: &Gateway, admitted: &Admitted) -> Self {
        Self {
            db: gateway.db.clone(),
            vault: gateway.vault.clone(),
            scope: admitted.snapshot.scope,
            answers: Arc::clone(&gateway.bridge.answers),
            tasks: gateway.bridge.tasks.clone(),
        }
    }

    /// The organization.
    pub(super) const fn org(&self) -> OrgId {
        self.scope.org()
    }

    /// Notes that somebody is asked something. Where that cannot be noted, the answer has to come to this replica.
    pub(super) async fn note(
        &self,
        holder: Holder,
        id: CallQuestionId,
        call: Option<&Digest>,
        wanted: &[String],
    ) {
        let Some(server) = holder.server else { return };
        let new = NewQuestion { id, grant: holder.grant, server, call, wanted };
        let noted: ActionResult<()> = async {
            let mut tx = OrgTx::begin(&self.db, self.scope).await?;
            store::insert(&mut tx, &new, PATIENCE).await?;
            audit::commit_unrecorded(tx, Unrecorded::Question).await?;
            Ok(())
        }
        .await;
        if let Err(error) = noted {
            tracing::warn!(%error, "a question is not noted: its answer has to come to the replica that asked");
        }
    }

    /// Forgets questions that nobody waits for any longer.
    pub(super) async fn forget(&self, ids: &[CallQuestionId]) {
        if ids.is_empty() {
            return;
        }
        let forgotten: ActionResult<()> = async {
            let mut tx = OrgTx::begin(&self.db, self.scope).await?;
            store::delete(&mut tx, ids).await?;
            audit::commit_unrecorded(tx, Unrecorded::Question).await?;
            Ok(())
        }
        .await;
        if let Err(error) = forgotten {
            tracing::warn!(%error, "an answered question stays noted until it is swept");
        }
    }

    /// A question that this grant may answer still.
    ///
    /// # Errors
    /// When the database refuses.
    pub(super) async fn find_open(
        &self,
        id: CallQuestionId,
        grant: GrantId,
        server: Option<ServerId>,
    ) -> ActionResult<Option<Open>> {
        let mut tx = OrgTx::begin(&self.db, self.scope).await?;
        let open = store::find_open(&mut tx, id, grant, server).await?;
        tx.done().await?;
        Ok(open)
    }

    /// Leaves what an agent said for the replica that asked; whether that waits for it.
    ///
    /// # Errors
    /// When the database or the vault refuses.
    pub(super) async fn answer(&self, id: CallQuestionId, said: &impl Serialize) -> ActionResult<bool> {
        let mut tx = OrgTx::begin(&self.db, self.scope).await?;
        let words = self.seal(&mut tx, Cell::new(TABLE, SEALED_WORDS, id), said).await?;
        let is_left = store::answer(&mut tx, id, &words, AWAITED).await?;
        audit::commit_unrecorded(tx, Unrecorded::Question).await?;
        Ok(is_left)
    }

    /// Waits for what an agent says at another replica; for ever, where it says nothing there.
    pub(super) async fn said<T: DeserializeOwned>(&self, id: CallQuestionId) -> T {
        if let Ok(words) = self.answers.listen(self, id).await
            && let Ok(said) = serde_json::from_slice(words.expose())
        {
            return said;
        }
        // Another version of this software said it in words of its own.
        std::future::pending().await
    }

    /// Takes what agents said at other replicas to any of these questions.
    ///
    /// # Errors
    /// When the database or the vault refuses; then nothing is taken.
    pub(super) async fn take(&self, ids: &[CallQuestionId]) -> ActionResult<Vec<(CallQuestionId, Words)>> {
        let mut tx = OrgTx::begin(&self.db, self.scope).await?;
        let taken = store::take(&mut tx, ids).await?;
        if taken.is_empty() {
            tx.done().await?;
            return Ok(Vec::new());
        }
        let mut said = Vec::with_capacity(taken.len());
        for (id, SealedWords { key, bytes }) in taken {
            let cell = Cell::new(TABLE, SEALED_WORDS, id);
            said.push((id, self.vault.open(&mut tx, cell, &Sealed { key, bytes }).await?));
        }
        audit::commit_unrecorded(tx, Unrecorded::Question).await?;
        Ok(said)
    }

    /// Says that this replica goes on with a call; whether anybody still waits for it.
    pub(super) async fn beat(&self, id: CallQuestionId) -> bool {
        let beat: ActionResult<bool> = async {
            let mut tx = OrgTx::begin(&self.db, self.scope).await?;
            let is_waited_for = store::beat(&mut tx, id).await?;
            audit::commit_unrecorded(tx, Unrecorded::Question).await?;
            Ok(is_waited_for)
        }
        .await;
        beat.unwrap_or_else(|error| {
            tracing::warn!(%error, "a call goes on of which its agent's replica does not hear that it does");
            true
        })
    }

    /// Says that an agent still waits here for what a call comes to.
    pub(super) async fn wait(&self, id: CallQuestionId) {
        let said: ActionResult<()> = async {
            let mut tx = OrgTx::begin(&self.db, self.scope).await?;
            store::wait(&mut tx, id, AWAITED).await?;
            audit::commit_unrecorded(tx, Unrecorded::Question).await?;
            Ok(())
        }
        .await;
        if let Err(error) = said {
            tracing::warn!(%error, "the replica that makes a call does not hear that its agent waits");
        }
    }

    /// Waits no longer for a replica to go on with a call; whether none does. What was given up, nobody takes.
    ///
    /// # Errors
    /// When the database refuses.
    pub(super) async fn give_up(&self, id: CallQuestionId) -> ActionResult<bool> {
        let mut tx = OrgTx::begin(&self.db, self.scope).await?;
        let is_given_up = store::delete_untaken(&mut tx, id).await?;
        audit::commit_unrecorded(tx, Unrecorded::Question).await?;
        Ok(is_given_up)
    }

    /// Leaves a piece of what a call comes to, as soon as there is room; whether anybody still waits for it.
    pub(super) async fn leave(&self, id: CallQuestionId, number: i32, piece: &Passed) -> bool {
        let (mut turns, mut left_at) = (every(ROOM), Instant::now());
        loop {
            turns.tick().await;
            let is_away = match self.try_leave(id, number, piece).await {
                Ok(true) => return true,
                Ok(false) => false,
                Err(error) => {
                    tracing::warn!(%error, "what a call comes to does not reach its agent's replica");
                    true
                }
            };
            if is_away {
                if left_at.elapsed() > BLIND {
                    return false;
                }
                turns.reset_after(LOOK);
            } else if self.beat(id).await {
                // Whoever waits has much to read.
                left_at = Instant::now();
            } else {
                return false;
            }
        }
    }

    async fn try_leave(&self, id: CallQuestionId, number: i32, piece: &Passed) -> ActionResult<bool> {
        let mut tx = OrgTx::begin(&self.db, self.scope).await?;
        // The number is sealed with the piece, so that no two can change places.
        let sealed = self.seal(&mut tx, Cell::new(PIECES, SEALED_PIECE, id), &(number, piece)).await?;
        let is_waited_for = store::leave(&mut tx, id, number, &sealed).await?;
        audit::commit_unrecorded(tx, Unrecorded::Question).await?;
        Ok(is_waited_for)
    }

    /// The next pieces, from this number on, and where the question stands; the pieces before are forgotten.
    ///
    /// # Errors
    /// When the database or the vault refuses.
    pub(super) async fn pieces(
        &self,
        id: CallQuestionId,
        from: i32,
    ) -> ActionResult<(Vec<Passed>, Option<Stand>)> {
        let mut tx = OrgTx::begin(&self.db, self.scope).await?;
        if from > 0 {
            // The agent has them, and what follows needs their room.
            store::delete_pieces(&mut tx, id, from).await?;
        }
        let stand = store::stand(&mut tx, id).await?;
        let mut pieces = Vec::new();
        for sealed in store::list_pieces(&mut tx, id, from).await? {
            let cell = Cell::new(PIECES, SEALED_PIECE, id);
            let opened: Option<(i32, Passed)> = self.open(&mut tx, cell, sealed).await?;
            let wanted = from + i32::try_from(pieces.len()).unwrap_or(i32::MAX);
            // What comes out of its order waits for what is missing.
            let Some((_, piece)) = opened.filter(|(number, _)| *number == wanted) else { break };
            pieces.push(piece);
        }
        audit::commit_unrecorded(tx, Unrecorded::Question).await?;
        Ok((pieces, stand))
    }

    /// Notes that an agent called a call off, for whichever replica makes it.
    pub(super) async fn call_off(&self, grant: GrantId, call: Digest) {
        let noted: ActionResult<bool> = async {
            let mut tx = OrgTx::begin(&self.db, self.scope).await?;
            let is_noted = waiting::call_off_made(&mut tx, grant, call).await?;
            audit::commit_unrecorded(tx, Unrecorded::CalledOff).await?;
            Ok(is_noted)
        }
        .await;
        match noted {
            Ok(true) => {}
            Ok(false) => tracing::debug!(%grant, "a grant calls off more than is noted"),
            Err(error) => {
                tracing::warn!(%error, "the replica that makes a call does not hear that it is off")
            }
        }
    }

    /// Which of these calls their agents called off, at whatever replica: their places.
    ///
    /// # Errors
    /// When the database refuses.
    pub(super) async fn called_off(&self, made: &[MadeCall]) -> ActionResult<Vec<usize>> {
        let mut tx = OrgTx::begin(&self.db, self.scope).await?;
        let places = waiting::called_off(&mut tx, made).await?;
        tx.done().await?;
        Ok(places)
    }

    async fn seal(&self, tx: &mut OrgTx, cell: Cell, said: &impl Serialize) -> ActionResult<SealedWords> {
        let plain = serde_json::to_vec(said).unwrap_or_default();
        let Sealed { key, bytes } = self.vault.seal(tx, cell, &plain).await?;
        Ok(SealedWords { key, bytes })
    }

    /// What was sealed; none where another version of this software said it in words of its own.
    async fn open<T: DeserializeOwned>(
        &self,
        tx: &mut OrgTx,
        cell: Cell,
        words: SealedWords,
    ) -> ActionResult<Option<T>> {
        let sealed = Sealed { key: words.key, bytes: words.bytes };
        let plain = self.vault.open(tx, cell, &sealed).await?;
        Ok(serde_json::from_slice(plain.expose()).ok())
    }
}
