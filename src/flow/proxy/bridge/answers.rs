//! What agents say at other replicas to questions that this one asked: one task for each organization looks for it, however
//! many questions wait.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::{
    base::{
        ids::{CallQuestionId, OrgId},
        secret::Secret,
    },
    flow::{
        fault::ActionError,
        proxy::bridge::between::{Between, looks},
    },
};

/// What somebody said, as it was written.
pub(super) type Words = Secret<Vec<u8>>;

type Waiting = HashMap<CallQuestionId, oneshot::Sender<Words>>;

/// The questions of each organization for whose answers somebody waits.
#[derive(Debug, Default)]
pub(super) struct Answers {
    by_org: Mutex<HashMap<OrgId, Waiting>>,
}

impl Answers {
    /// Listens for the answer to a question, for as long as what is returned is kept.
    pub(super) fn listen(
        self: &Arc<Self>,
        between: &Between,
        id: CallQuestionId,
    ) -> oneshot::Receiver<Words> {
        let (said, words) = oneshot::channel();
        let is_first = {
            let mut by_org = self.lock();
            let is_first = !by_org.contains_key(&between.org());
            by_org.entry(between.org()).or_default().insert(id, said);
            is_first
        };
        if is_first {
            let (answers, between) = (Arc::clone(self), between.clone());
            let tasks = between.tasks.clone();
            tasks.spawn(async move { answers.hear(&between).await });
        }
        words
    }

    /// Looks for as long as somebody waits.
    async fn hear(&self, between: &Between) {
        let mut looks = looks();
        loop {
            looks.tick().await;
            let ids = self.waiting(between.org());
            if ids.is_empty() {
                return;
            }
            match between.take(&ids).await {
                Ok(said) => self.hand_out(between.org(), said),
                // The database may be there again at the next look.
                Err(error @ (ActionError::Away(_) | ActionError::Unsettled(_))) => {
                    tracing::warn!(%error, "what agents say at other replicas is not heard");
                }
                Err(_) => self.hear_each(between, ids).await,
            }
        }
    }

    /// What cannot be opened must not keep the rest from being heard.
    async fn hear_each(&self, between: &Between, ids: Vec<CallQuestionId>) {
        for id in ids {
            match between.take(&[id]).await {
                Ok(said) => self.hand_out(between.org(), said),
                Err(error) => tracing::warn!(%error, "what an agent says at another replica is not heard"),
            }
        }
    }

    fn hand_out(&self, org: OrgId, said: Vec<(CallQuestionId, Words)>) {
        let mut by_org = self.lock();
        let Some(waiting) = by_org.get_mut(&org) else { return };
        for (id, words) in said {
            // Whoever waited may be gone by now.
            let _ = waiting.remove(&id).map(|answer| answer.send(words));
        }
    }

    /// The questions for whose answers somebody waits still; where there are none, nobody looks any longer.
    fn waiting(&self, org: OrgId) -> Vec<CallQuestionId> {
        let mut by_org = self.lock();
        let Some(waiting) = by_org.get_mut(&org) else { return Vec::new() };
        waiting.retain(|_, answer| !answer.is_closed());
        let ids: Vec<_> = waiting.keys().copied().collect();
        if ids.is_empty() {
            by_org.remove(&org);
        }
        ids
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrgId, Waiting>> {
        self.by_org.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
