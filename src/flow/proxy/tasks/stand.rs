//! Where a task of ours stands, and whose it is to make its call when that is due.

use std::sync::Arc;

use crate::{
    domain::{
        approvals::{
            Approval, ApprovalState, CallTask, SealedPart, TaskOf, TaskState,
            store::{
                self,
                tasks::{self, Claimed, SEALED_CALL, SEALED_OUTCOME, TABLE},
            },
        },
        audit::{self, Unrecorded},
        vault::{Cell, Sealed},
    },
    flow::{
        fault::{ActionError, ActionResult},
        proxy::{
            ask::Ask,
            gateway::Gateway,
            tasks::{
                kept::{Again, KEPT, Kept},
                made::{self, Errand},
                poll::Poll,
                shown::Questions,
            },
        },
    },
    io::db::{OrgTx, Tx},
    protocol::mcp::{
        message::{self, Message},
        strict::Limits,
    },
};

/// How often a call that asks for nothing but to be made again is, while somebody asks about it.
const AT_ONCE: usize = 3;

/// Where a task stands.
pub(super) enum Stand {
    /// Nobody here knows it any more.
    Gone,
    /// It waits for a human.
    Waits(CallTask, Box<Approval>),
    /// Its call is being made.
    Runs(CallTask),
    /// Its server asks for something first.
    Asks(CallTask, Questions),
    /// It came to this.
    Over(CallTask, Vec<u8>),
    /// It was called off.
    Canceled(CallTask),
}

/// What is found when it is looked after.
pub(super) enum Found {
    /// That.
    Stands(Stand),
    /// Its call is for this replica to make.
    Due(Box<(CallTask, Errand, Ask)>),
}

impl Poll {
    pub(super) fn of(&self) -> TaskOf {
        TaskOf { id: self.task, grant: self.admitted.grant.id, server: self.server.server.id }
    }

    pub(super) async fn begin(&self, gateway: &Gateway) -> ActionResult<OrgTx> {
        Ok(OrgTx::begin(&gateway.db, self.admitted.snapshot.scope).await?)
    }

    /// Where the task stands, after what is due was done.
    pub(super) async fn stand(&self, gateway: &Arc<Gateway>) -> ActionResult<Stand> {
        let mut last = Stand::Gone;
        for _ in 0..AT_ONCE {
            match self.find(gateway).await? {
                Found::Stands(stand) => return Ok(stand),
                Found::Due(due) => {
                    let (task, errand, ask) = *due;
                    last = Stand::Runs(task);
                    if !made::make(gateway, errand, ask).await {
                        break;
                    }
                }
            }
        }
        Ok(last)
    }

    async fn find(&self, gateway: &Gateway) -> ActionResult<Found> {
        let now = gateway.clock.now();
        let mut tx = self.begin(gateway).await?;
        let Some(task) = tasks::find(&mut tx, self.of(), now).await? else {
            tx.done().await?;
            return Ok(Found::Stands(Stand::Gone));
        };
        let stand = match task.state {
            TaskState::Waiting => return self.decided(gateway, tx, task).await,
            TaskState::Asking => {
                let text = self.open(gateway, &mut tx, &task).await?;
                let questions = Questions::of(&text, task.round);
                if questions.are_none() {
                    return self.claim(gateway, tx, task, Some(&questions.answered(None))).await;
                }
                Stand::Asks(task, questions)
            }
            TaskState::Calling if task.is_silent => {
                tx.done().await?;
                self.lose(gateway, &task).await?;
                return Box::pin(self.find(gateway)).await;
            }
            TaskState::Calling => Stand::Runs(task),
            TaskState::Over => {
                let text = self.open(gateway, &mut tx, &task).await?;
                Stand::Over(task, text)
            }
            TaskState::Canceled => Stand::Canceled(task),
        };
        tx.done().await?;
        Ok(Found::Stands(stand))
    }

    /// What is found where a task waits: as its approval stands.
    async fn decided(&self, gateway: &Gateway, mut tx: OrgTx, task: CallTask) -> ActionResult<Found> {
        let now = gateway.clock.now();
        let approval = store::find(&mut tx, task.approval).await?.ok_or(ActionError::NotFound)?;
        match approval.state_at(now) {
            ApprovalState::Pending => {
                tx.done().await?;
                Ok(Found::Stands(Stand::Waits(task, Box::new(approval))))
            }
            ApprovalState::Withdrawn if approval.revoked_at.is_none() => {
                tasks::cancel(&mut tx, task.id, now).await?;
                audit::commit_unrecorded(tx, Unrecorded::Task).await?;
                Ok(Found::Stands(Stand::Canceled(task)))
            }
            // What nobody agreed to is told by the same way, and put on record there.
            ApprovalState::Approved
            | ApprovalState::Denied
            | ApprovalState::Expired
            | ApprovalState::Withdrawn => self.claim(gateway, tx, task, None).await,
        }
    }

    /// Takes the call for this replica to make; of many that try, one.
    pub(super) async fn claim(
        &self,
        gateway: &Gateway,
        mut tx: OrgTx,
        task: CallTask,
        again: Option<&Again>,
    ) -> ActionResult<Found> {
        let now = gateway.clock.now();
        let Some(claimed) = tasks::claim(&mut tx, &task, now, now + KEPT).await? else {
            tx.done().await?;
            return Ok(Found::Stands(Stand::Runs(task)));
        };
        let Claimed { round, call } = claimed;
        let sealed = Sealed { key: call.key, bytes: call.bytes };
        let plain = gateway.vault.open(&mut tx, Cell::new(TABLE, SEALED_CALL, task.id), &sealed).await?;
        let kept: Option<Kept> = serde_json::from_slice(plain.expose()).ok();
        let ask = kept.and_then(|kept| kept.ask(&self.ask, task.approval, again));
        let ask = ask.ok_or(ActionError::Changed)?;
        audit::commit_unrecorded(tx, Unrecorded::Task).await?;
        let errand = self.errand(&task, round, &ask);
        Ok(Found::Due(Box::new((task, errand, ask))))
    }

    fn errand(&self, task: &CallTask, round: i32, ask: &Ask) -> Errand {
        let request = match message::parse(&ask.body, &Limits::of(ask.body.len())) {
            Ok(Message::Request(request)) => request.id.raw().text().to_owned(),
            _ => self.id.clone(),
        };
        Errand {
            scope: self.admitted.snapshot.scope,
            id: task.id,
            round,
            request,
            era: self.era,
            server: Arc::clone(&self.server.server.name),
        }
    }

    /// Gives up a call whose replica is gone.
    async fn lose(&self, gateway: &Gateway, task: &CallTask) -> ActionResult<()> {
        let errand = self.errand(task, task.round, &self.ask);
        let sentence = "the process that made the call ended, and nobody knows whether it was carried out; look \
            before it is made again";
        let link = gateway.explanation(self.ask.origin.request);
        let text = errand.failed(&link, "outcome_unknown", sentence);
        errand.keep(gateway, &text, TaskState::Over).await
    }

    pub(super) async fn open(
        &self,
        gateway: &Gateway,
        tx: &mut OrgTx,
        task: &CallTask,
    ) -> ActionResult<Vec<u8>> {
        let SealedPart { key, bytes } = task.outcome.clone().ok_or(ActionError::NotFound)?;
        let cell = Cell::new(TABLE, SEALED_OUTCOME, task.id);
        let plain = gateway.vault.open(tx, cell, &Sealed { key, bytes }).await?;
        Ok(plain.expose().clone())
    }
}
