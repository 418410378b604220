//! The snapshots that this replica holds, and who finds them: a token's id leads to its organization.
//!
//! A snapshot may be out of date: the record notices, and then the call is judged anew by a newer one. So nothing here
//! needs to be told of changes to be right.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use tokio::sync::Mutex;

use crate::{
    base::{
        clock::Clock,
        crypto::token::Token,
        ids::{GrantTokenId, OrgId, ServerId},
    },
    domain::{
        grants::{self, DecisionGrant},
        servers, tenancy,
    },
    flow::{
        decision::{OrgSnapshot, Programs},
        fault::ActionResult,
    },
    io::{
        db::{Db, OrgScope, OrgTx, SystemTx, Tx},
        net::address::AddressPolicy,
    },
};

/// How many organizations, and how many tokens, are kept in mind at the most; beyond, all are forgotten and read anew.
const MAX_KEPT: usize = 100_000;

/// At whose door somebody came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// An organization's.
    Org(tenancy::OrgRef),
    /// A server's, which names no organization.
    Server(ServerId),
}

/// The organization at whose door somebody came who is not known: to tell it of that, and for nothing else.
///
/// # Errors
/// When the database is away.
pub async fn org_at(db: &Db, door: &Door) -> ActionResult<Option<OrgScope>> {
    let mut tx = SystemTx::begin(db).await?;
    let org = match door {
        Door::Org(org) => Some(org.clone()),
        Door::Server(server) => {
            servers::store::servers::org_of(&mut tx, *server).await?.map(tenancy::OrgRef::Id)
        }
    };
    let org = match org {
        Some(org) => tenancy::store::orgs::find_for_operator(&mut tx, &org).await?,
        None => None,
    };
    tx.done().await?;
    Ok(org.filter(|org| org.deleted_at.is_none()).map(|org| OrgScope::proven(org.id)))
}

/// The snapshots of this replica.
#[derive(Debug)]
pub struct Snapshots {
    db: Db,
    clock: Clock,
    orgs: RwLock<HashMap<OrgId, Arc<OrgSnapshot>>>,
    programs: Programs,
    tokens: RwLock<HashMap<GrantTokenId, OrgId>>,
    /// Which organization a path means, as of the snapshots.
    names: RwLock<HashMap<String, OrgId>>,
    /// One reading at a time for each organization, whoever else waits takes what it brought.
    loads: std::sync::Mutex<HashMap<OrgId, Arc<Mutex<()>>>>,
}

impl Snapshots {
    /// None yet.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self {
            db,
            clock,
            orgs: RwLock::default(),
            programs: Programs::default(),
            tokens: RwLock::default(),
            names: RwLock::default(),
            loads: std::sync::Mutex::default(),
        }
    }

    /// The grant of a carried token, as far as it is in mind, at whatever epoch: nothing is read. A token that was never
    /// here before is found where the snapshot of the organization that the path names has it.
    pub fn kept_grant(
        &self,
        token: GrantTokenId,
        named: Option<&str>,
    ) -> Option<(Arc<OrgSnapshot>, Arc<DecisionGrant>)> {
        let org = read(&self.tokens).get(&token).copied();
        let org = org.or_else(|| named.and_then(|named| read(&self.names).get(named).copied()))?;
        let kept = self.kept(org)?;
        let grant = Arc::clone(kept.grant_of(token)?);
        Some((kept, grant))
    }

    /// The organization of a carried token; none where the token is none that we know.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn org_of(&self, token: &Token) -> ActionResult<Option<OrgScope>> {
        let id: GrantTokenId = token.row();
        if let Some(org) = read(&self.tokens).get(&id) {
            return Ok(Some(OrgScope::proven(*org)));
        }
        let mut tx = SystemTx::begin(&self.db).await?;
        let found = grants::store::tokens::find_by_token(&mut tx, token).await?;
        tx.done().await?;
        let Some((org, id)) = found else { return Ok(None) };
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MAX_KEPT {
            tokens.clear();
        }
        tokens.insert(id, org);
        Ok(Some(OrgScope::proven(org)))
    }

    /// The organization's snapshot, of this epoch or a later one where one is named; none where the organization is gone.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn get(
        &self,
        scope: OrgScope,
        newest: Option<i64>,
        policy: &AddressPolicy,
    ) -> ActionResult<Option<Arc<OrgSnapshot>>> {
        let is_fit = |snapshot: &Arc<OrgSnapshot>| newest.is_none_or(|newest| snapshot.epoch >= newest);
        if let Some(kept) = self.kept(scope.org()).filter(is_fit) {
            return Ok(Some(kept));
        }
        let turn = {
            let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(loads.entry(scope.org()).or_default())
        };
        let _turn = turn.lock().await;
        if let Some(kept) = self.kept(scope.org()).filter(is_fit) {
            return Ok(Some(kept));
        }
        let loaded =
            OrgSnapshot::load(&self.db, scope, policy, &self.programs, self.clock.now()).await?.map(Arc::new);
        let mut orgs = self.orgs.write().unwrap_or_else(PoisonError::into_inner);
        if orgs.len() >= MAX_KEPT {
            orgs.clear();
        }
        match &loaded {
            Some(snapshot) => {
                self.name(snapshot);
                drop(orgs.insert(scope.org(), Arc::clone(snapshot)));
            }
            None => drop(orgs.remove(&scope.org())),
        }
        self.loads.lock().unwrap_or_else(PoisonError::into_inner).remove(&scope.org());
        Ok(loaded)
    }

    /// The organization's epoch as it is now; none where it is gone.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn epoch_now(&self, scope: OrgScope) -> ActionResult<Option<i64>> {
        let mut tx = OrgTx::begin(&self.db, scope).await?;
        let org = tenancy::store::orgs::find(&mut tx).await?;
        tx.done().await?;
        Ok(org.map(|org| org.epoch))
    }

    fn name(&self, snapshot: &OrgSnapshot) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MAX_KEPT {
            names.clear();
        }
        names.insert(snapshot.slug.clone(), snapshot.org());
    }

    fn kept(&self, org: OrgId) -> Option<Arc<OrgSnapshot>> {
        read(&self.orgs).get(&org).cloned()
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}
