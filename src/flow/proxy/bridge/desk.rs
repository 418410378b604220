//! What waits on this replica for a word of an agent: questions of servers, and calls that are to be taken up again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    base::crypto::{digest::Digest, random},
    flow::proxy::{
        bridge::agent::{Mouth, Word},
        handles::Holder,
    },
};

/// How many things may wait at once; beyond, nothing new is put down.
const MOST: usize = 20_000;
/// How many of one grant, so that none takes the room of all.
const MOST_OF_GRANT: usize = 1_000;

/// The desk of a replica.
#[derive(Debug, Default)]
pub(super) struct Desk {
    questions: Mutex<HashMap<Uuid, Question>>,
    parked: Mutex<HashMap<Uuid, Parked>>,
    running: Mutex<HashMap<(Holder, String), CancellationToken>>,
}

/// A question that an agent was asked on its stream.
#[derive(Debug)]
struct Question {
    holder: Holder,
    answer: oneshot::Sender<Word>,
}

/// A call that its agent takes up again with the answers.
#[derive(Debug)]
struct Parked {
    holder: Holder,
    /// Of the call, which must be the same again.
    digest: Digest,
    /// The answers that it waits for.
    keys: Vec<String>,
    resume: oneshot::Sender<Resumed>,
}

/// A call taken up again.
#[derive(Debug)]
pub(super) struct Resumed {
    /// What the agent said, by the keys of the questions.
    pub(super) words: HashMap<String, Word>,
    /// Where the rest goes.
    pub(super) mouth: Mouth,
}

/// Why a call is not taken up again.
#[derive(Debug)]
pub(super) enum NotResumed {
    /// It is not here: it waits no longer, or elsewhere.
    Unknown,
    /// An answer is missing.
    Lacks(String),
}

/// Puts something down for as long as it lives, and takes it away afterwards.
pub(super) struct Running<'d> {
    desk: &'d Desk,
    key: (Holder, String),
    /// Fires when the agent calls the request off.
    pub(super) off: CancellationToken,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        lock(&self.desk.running).remove(&self.key);
    }
}

impl Desk {
    /// Puts a question down; the id under which it is asked, and where the answer comes.
    pub(super) fn ask(&self, holder: Holder) -> Option<(Uuid, oneshot::Receiver<Word>)> {
        let (id, (answer, word)) = (ticket(), oneshot::channel());
        let mut questions = lock(&self.questions);
        questions.retain(|_, question| !question.answer.is_closed());
        if is_full(questions.values().map(|question| question.holder), holder) {
            return None;
        }
        questions.insert(id, Question { holder, answer });
        Some((id, word))
    }

    /// An agent answers; whether anybody asked it that.
    pub(super) fn answer(&self, holder: Holder, id: Uuid, word: Word) -> bool {
        let mut questions = lock(&self.questions);
        if questions.get(&id).is_none_or(|question| question.holder != holder) {
            return false;
        }
        questions.remove(&id).is_some_and(|question| question.answer.send(word).is_ok())
    }

    /// Parks a call until its agent takes it up again.
    pub(super) fn park(
        &self,
        holder: Holder,
        digest: Digest,
        keys: Vec<String>,
    ) -> Option<(Uuid, oneshot::Receiver<Resumed>)> {
        let (id, (resume, resumed)) = (ticket(), oneshot::channel());
        let mut parked = lock(&self.parked);
        parked.retain(|_, call| !call.resume.is_closed());
        if is_full(parked.values().map(|call| call.holder), holder) {
            return None;
        }
        parked.insert(id, Parked { holder, digest, keys, resume });
        Some((id, resumed))
    }

    /// Takes a parked call up again; what was to take it up comes back where it cannot.
    pub(super) fn resume(
        &self,
        holder: Holder,
        digest: Digest,
        id: Uuid,
        resumed: Resumed,
    ) -> Result<(), Box<(NotResumed, Resumed)>> {
        let mut parked = lock(&self.parked);
        let call = parked.get(&id).filter(|call| call.holder == holder && call.digest == digest);
        let Some(call) = call else { return Err(Box::new((NotResumed::Unknown, resumed))) };
        if let Some(key) = call.keys.iter().find(|key| !resumed.words.contains_key(*key)) {
            return Err(Box::new((NotResumed::Lacks(key.clone()), resumed)));
        }
        match parked.remove(&id) {
            Some(call) => {
                call.resume.send(resumed).map_err(|resumed| Box::new((NotResumed::Unknown, resumed)))
            }
            None => Err(Box::new((NotResumed::Unknown, resumed))),
        }
    }

    /// A request begins that its agent may call off by its id.
    pub(super) fn run(&self, holder: Holder, id: String) -> Running<'_> {
        let (key, off) = ((holder, id), CancellationToken::new());
        lock(&self.running).insert(key.clone(), off.clone());
        Running { desk: self, key, off }
    }

    /// An agent calls a request off; whether it is under way here.
    pub(super) fn call_off(&self, holder: Holder, id: &str) -> bool {
        let running = lock(&self.running);
        let off = running.get(&(holder, id.to_owned()));
        off.inspect(|off| off.cancel()).is_some()
    }
}

/// Whether nothing more may be put down for whom it is.
fn is_full(all: impl ExactSizeIterator<Item = Holder>, of: Holder) -> bool {
    all.len() >= MOST || all.filter(|one| (one.org, one.grant) == (of.org, of.grant)).count() >= MOST_OF_GRANT
}

/// A name that nobody guesses.
fn ticket() -> Uuid {
    Uuid::from_bytes(random::bytes())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{GrantId, OrgId, ServerId};

    #[test]
    fn one_grant_does_not_take_the_room_of_all() {
        let desk = Desk::default();
        let of = |grant| Holder { org: OrgId::fresh(), grant, server: Some(ServerId::fresh()) };
        let (mine, other) = (of(GrantId::fresh()), of(GrantId::fresh()));
        let mut kept: Vec<_> = (0..MOST_OF_GRANT).map(|_| desk.park(mine, [0; 32], Vec::new())).collect();
        assert!(kept.iter().all(Option::is_some));
        let elsewhere = Holder { server: Some(ServerId::fresh()), ..mine };
        assert!(desk.park(mine, [0; 32], Vec::new()).is_none());
        assert!(desk.park(elsewhere, [0; 32], Vec::new()).is_none());
        assert!(desk.park(other, [0; 32], Vec::new()).is_some() && desk.ask(mine).is_some());
        kept.pop();
        assert!(desk.park(elsewhere, [0; 32], Vec::new()).is_some(), "what waits no longer takes no room");
    }
}
