//! Connected accounts as calls need them, kept beside a snapshot, sealed as they are stored.
//!
//! A call takes one from here only while nobody is about to fetch a new token for it. Whatever changes it earlier than that
//! raises the organization's epoch, and no call that was served by an older snapshot is put on record: so an account that was
//! ended, or a token that was replaced, serves no call on any replica after whoever did it was answered.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    base::{
        actor::Principal,
        ids::{ConnectionId, ProviderId},
    },
    domain::{
        connections::HeldAccount,
        policy::{
            engine::{Facts, Tool},
            selector::Selector,
        },
    },
    protocol::mcp::raw::Raw,
};

/// How many accounts are kept beside one snapshot; beyond, all are forgotten and read anew.
const MOST: usize = 10_000;

/// Which accounts serve whom at which provider, as of one epoch.
#[derive(Debug, Default)]
pub struct Accounts(RwLock<HashMap<(Principal, ProviderId), Arc<Holding>>>);

/// The accounts at one provider among which a call's is chosen: of one kind of owner, for what a person connected themselves
/// goes before what is shared with them.
#[derive(Debug)]
pub struct Holding {
    /// The one that serves where no rule chooses another: what its owner chose, else what was connected for no calls in
    /// particular.
    usual: Option<Arc<HeldAccount>>,
    /// Those with a rule, in the order in which they were connected.
    ruled: Vec<(Selector, Arc<HeldAccount>)>,
}

/// What an account is chosen for.
#[derive(Clone, Copy, Debug)]
pub struct ChosenFor<'a> {
    /// The tool that is called; none where something else is asked for, which no rule looks at.
    pub tool: Option<Tool<'a>>,
    /// Its arguments.
    pub arguments: Option<Raw<'a>>,
    /// The server.
    pub server: Facts<'a>,
}

impl Holding {
    /// Of accounts in the order in which they go before each other; none where there is no account. An account whose rule
    /// cannot be read is chosen by none.
    pub fn of(accounts: Vec<HeldAccount>) -> Option<Self> {
        let accounts: Vec<_> = accounts.into_iter().map(Arc::new).collect();
        let kind = accounts.first()?.owner.kind();
        let beside = |one: &&Arc<HeldAccount>| one.owner.kind() == kind;
        let is_usual = |one: &&Arc<HeldAccount>| one.is_default || one.account_if.is_empty();
        let usual = accounts.iter().filter(beside).find(is_usual).map(Arc::clone);
        let ruled = |one: &Arc<HeldAccount>| Some((Selector::read(&one.account_if).ok()?, Arc::clone(one)));
        let with_rules = accounts.iter().filter(|one| !one.account_if.is_empty());
        let mut ruled: Vec<_> = with_rules.filter(beside).filter_map(ruled).collect();
        ruled.sort_by_key(|(_, one)| one.id);
        Some(Self { usual, ruled })
    }

    /// The account for a call: the first whose rule chooses it, else the usual one; none where there are only accounts for
    /// other calls.
    pub fn chosen(&self, call: ChosenFor<'_>) -> Option<&Arc<HeldAccount>> {
        let chooses = |selector: &Selector| {
            call.tool.is_some_and(|tool| selector.chooses(tool, call.arguments, call.server))
        };
        let ruled = self.ruled.iter().find(|(selector, _)| chooses(selector));
        ruled.map(|(_, account)| account).or(self.usual.as_ref())
    }

    /// The account with this id, where it is among them.
    pub fn one(&self, id: ConnectionId) -> Option<&Arc<HeldAccount>> {
        let all = self.usual.iter().chain(self.ruled.iter().map(|(_, account)| account));
        all.into_iter().find(|account| account.id == id)
    }

    /// The account that serves where no rule chooses another.
    pub fn usual(&self) -> Option<ConnectionId> {
        self.usual.as_ref().map(|usual| usual.id)
    }
}

impl Accounts {
    /// The accounts that serve somebody, where they were read before.
    pub fn kept(&self, principal: Principal, provider: ProviderId) -> Option<Arc<Holding>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&(principal, provider)).cloned()
    }

    /// Keeps what was read.
    pub fn keep(&self, principal: Principal, provider: ProviderId, holding: Arc<Holding>) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert((principal, provider), holding);
    }
}
