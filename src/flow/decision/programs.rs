//! Policies made ready to decide, kept from one snapshot to the next: a version never changes, so it is compiled once.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, Weak},
};

use crate::{
    base::ids::PolicyId,
    domain::policy::{
        document,
        engine::Program,
        store::decisions::{self, LivePolicy},
    },
    flow::fault::{ActionError, ActionResult},
    io::db::OrgTx,
};

/// A version that is in force, made ready.
#[derive(Debug)]
pub struct InForce {
    /// The policy.
    pub id: PolicyId,
    /// Its short name.
    pub slug: String,
    /// The version.
    pub number: i32,
    /// The document, made ready.
    pub program: Arc<Program>,
}

/// A stored document that cannot be read: a defect, for only what was read is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("version {number} of policy {policy} cannot be read")]
struct Unreadable {
    policy: PolicyId,
    number: i32,
}

/// Programs that some snapshot of this replica still uses.
#[derive(Debug, Default)]
pub struct Programs(RwLock<HashMap<(PolicyId, i32), Weak<Program>>>);

impl Programs {
    /// All policies of the organization that are in force, each made ready.
    ///
    /// # Errors
    /// When the database is away, or a stored document cannot be read: then nothing is decided.
    pub async fn load(&self, tx: &mut OrgTx) -> ActionResult<HashMap<PolicyId, Arc<InForce>>> {
        let live = decisions::live(tx).await?;
        let kept: Vec<_> = live.iter().map(|one| self.kept(one)).collect();
        let missing: Vec<_> = live
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| kept.is_none())
            .map(|(one, _)| (one.id, one.number))
            .collect();
        let documents =
            if missing.is_empty() { HashMap::new() } else { decisions::documents(tx, &missing).await? };
        let mut found = HashMap::with_capacity(live.len());
        for (one, kept) in live.into_iter().zip(kept) {
            let program = match kept {
                Some(program) => program,
                None => self.compile(&one, documents.get(&(one.id, one.number)))?,
            };
            let LivePolicy { id, slug, number } = one;
            found.insert(id, Arc::new(InForce { id, slug, number, program }));
        }
        Ok(found)
    }

    fn kept(&self, one: &LivePolicy) -> Option<Arc<Program>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(one.id, one.number)).and_then(Weak::upgrade)
    }

    fn compile(&self, one: &LivePolicy, document: Option<&String>) -> ActionResult<Arc<Program>> {
        let unreadable = || ActionError::defect(Unreadable { policy: one.id, number: one.number });
        let text = document.ok_or_else(unreadable)?;
        let document = document::read(text.as_bytes()).map_err(|_| unreadable())?;
        let program = Arc::new(Program::new(Arc::new(document)));
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // What no snapshot uses any more is forgotten when something new comes.
        kept.retain(|_, program| program.strong_count() > 0);
        kept.insert((one.id, one.number), Arc::downgrade(&program));
        Ok(program)
    }
}
