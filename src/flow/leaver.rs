//! What ends when a person leaves an organization: one table that every part joins by adding a row.
//!
//! Off-boarding, leaving, suspension and "stop everything of mine" count and end by this table alone, so whatever joins it
//! is on their pages, in their records and in the API.
//!
//! Invariant: [`end`] runs inside the transaction of its caller, before the membership is removed: all of it
//! happens or nothing.

use std::{future::Future, pin::Pin};

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    base::{
        actor::{KeyOwner, Principal},
        ids::UserId,
        page::{MAX_LIMIT, PageRequest},
    },
    domain::{
        access::store as access,
        approvals::store::{self as approvals, Of, revoked},
        automation::{KeyFilter, KeyState, store as automation},
        connections::store::{accounts, reach},
        grants::{Stop as Ended, store as grants},
        identity::store as identity,
        secrets::{SecretOwner, store::secrets},
        tenancy::store as tenancy,
    },
    io::db::{DbResult, OrgTx},
};

/// Why a person's things end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Somebody removes them from the organization.
    Offboarding,
    /// They leave by themselves, and stay signed in where else they belong.
    Leaving,
    /// They stop everything of theirs and remain a member; sessions are their own page's matter.
    Stop,
    /// Somebody keeps them out for a while: what they own is kept for them, what they said to the calls of others is not.
    Suspension,
}

/// Whose things end, by whom and when.
#[derive(Clone, Copy, Debug)]
pub struct Leaver {
    /// The person.
    pub user: UserId,
    /// Who ends it; nobody where a service account or Portreeve itself does.
    pub by: Option<UserId>,
    /// When.
    pub now: OffsetDateTime,
}

type Counting<'a> = Pin<Box<dyn Future<Output = DbResult<i64>> + Send + 'a>>;
type Step = for<'a> fn(&'a mut OrgTx, &'a Leaver) -> Counting<'a>;

/// One kind of thing that a person has in an organization.
pub struct Leaves {
    /// Its name in the API and in the record.
    pub key: &'static str,
    /// Several of them, as a page names them beside their count.
    pub noun: &'static str,
    /// What happens to them, as the end of a sentence: "are revoked".
    pub what_happens: &'static str,
    /// When they end.
    pub occasions: &'static [Occasion],
    /// How many there are.
    pub count: Step,
    /// Ends them and says how many there were.
    pub end: Step,
}

/// How many of one kind end, or have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// The kind's name in the API and in the record.
    pub key: &'static str,
    /// The kind on a page, in the plural.
    pub noun: &'static str,
    /// How many.
    pub count: i64,
    /// What happens to them.
    pub what_happens: &'static str,
}

use Occasion::{Leaving, Offboarding, Stop, Suspension};

/// Everything that ends. A part that gives people something of their own adds a row.
pub const TABLE: &[Leaves] = &[
    Leaves {
        key: "sessions",
        noun: "sessions",
        what_happens: "end; the person is signed out everywhere",
        occasions: &[Offboarding],
        count: |tx, leaver| {
            Box::pin(async move {
                let sessions = identity::sessions::list(tx, leaver.user, leaver.now).await?;
                Ok(counted(sessions.len()))
            })
        },
        end: |tx, leaver| {
            Box::pin(async move {
                let live = identity::sessions::list(tx, leaver.user, leaver.now).await?.len();
                identity::sessions::delete_all(tx, leaver.user).await?;
                Ok(counted(live))
            })
        },
    },
    Leaves {
        key: "api_keys",
        noun: "API keys",
        what_happens: "stop working at once",
        occasions: &[Offboarding, Leaving, Stop],
        count: |tx, leaver| Box::pin(count_keys(tx, leaver)),
        end: |tx, leaver| {
            Box::pin(async move {
                let live = count_keys(tx, leaver).await?;
                let owner = KeyOwner::User(leaver.user);
                automation::keys::revoke_all_of(tx, owner, leaver.by, leaver.now).await?;
                Ok(live)
            })
        },
    },
    Leaves {
        key: "approvals",
        noun: "calls that wait for an approval",
        what_happens: "are taken back",
        occasions: &[Offboarding, Leaving, Stop],
        count: |tx, leaver| {
            Box::pin(async move { approvals::count_of(tx, Of::User(leaver.user), leaver.now).await })
        },
        end: |tx, leaver| {
            Box::pin(async move {
                let waiting = approvals::count_of(tx, Of::User(leaver.user), leaver.now).await?;
                approvals::withdraw_all_of(tx, Of::User(leaver.user), leaver.now).await?;
                Ok(waiting)
            })
        },
    },
    Leaves {
        key: "given_approvals",
        noun: "approvals they gave that are not used up",
        what_happens: "are revoked; the agents have to ask anew",
        occasions: &[Offboarding, Leaving, Suspension],
        count: |tx, leaver| {
            Box::pin(async move { revoked::count_given_by(tx, leaver.user, leaver.now).await })
        },
        end: |tx, leaver| {
            Box::pin(async move {
                let ended = revoked::revoke_all_given_by(tx, leaver.user, leaver.by, leaver.now).await?;
                Ok(i64::try_from(ended).unwrap_or(i64::MAX))
            })
        },
    },
    Leaves {
        key: "access_requests",
        noun: "requests for access",
        what_happens: "are taken back",
        occasions: &[Offboarding, Leaving, Stop],
        count: |tx, leaver| {
            Box::pin(async move { access::count_waiting(tx, Some(leaver.user), leaver.now).await })
        },
        end: |tx, leaver| {
            Box::pin(async move {
                let waiting = access::count_waiting(tx, Some(leaver.user), leaver.now).await?;
                access::withdraw_all_of(tx, leaver.user, leaver.now).await?;
                Ok(waiting)
            })
        },
    },
    Leaves {
        key: "connections",
        noun: "connected accounts",
        what_happens: "are disconnected, here and at their providers",
        occasions: &[Offboarding, Leaving, Stop],
        count: |tx, leaver| Box::pin(async move { reach::count_of(tx, leaver.user).await }),
        end: |tx, leaver| Box::pin(async move { accounts::end_all_of(tx, leaver.user, leaver.now).await }),
    },
    Leaves {
        key: "grants",
        noun: "grants of agents",
        what_happens: "are revoked; the agents that act in their name are refused",
        occasions: &[Offboarding, Leaving, Stop],
        count: |tx, leaver| {
            Box::pin(
                async move { grants::grants::count_of(tx, Principal::User(leaver.user), leaver.now).await },
            )
        },
        end: |tx, leaver| {
            Box::pin(async move {
                let principal = Principal::User(leaver.user);
                let live = grants::grants::count_of(tx, principal, leaver.now).await?;
                let reason = "Everything of this person was ended.".to_owned();
                let ended = Ended { at: leaver.now, by: leaver.by, reason };
                grants::stops::revoke_all_of(tx, principal, &ended).await?;
                Ok(live)
            })
        },
    },
    Leaves {
        // The record keeps no field that is called after secrets.
        key: "kept_values",
        noun: "personal secrets",
        what_happens: "are destroyed; no server is sent them again",
        occasions: &[Offboarding, Leaving],
        count: |tx, leaver| {
            Box::pin(async move { secrets::count_of(tx, SecretOwner::User(leaver.user)).await })
        },
        end: |tx, leaver| {
            Box::pin(async move {
                let destroyed = secrets::delete_all_of(tx, leaver.user).await?;
                Ok(i64::try_from(destroyed).unwrap_or(i64::MAX))
            })
        },
    },
    Leaves {
        key: "team_places",
        noun: "places in teams",
        what_happens: "are given up",
        occasions: &[Offboarding, Leaving],
        // They end with the membership itself.
        count: |tx, leaver| Box::pin(count_of_tenancy(tx, leaver, 0)),
        end: |tx, leaver| Box::pin(count_of_tenancy(tx, leaver, 0)),
    },
    Leaves {
        key: "invitations",
        noun: "open invitations they sent",
        what_happens: "are withdrawn",
        occasions: &[Offboarding, Leaving],
        count: |tx, leaver| Box::pin(count_of_tenancy(tx, leaver, 1)),
        end: |tx, leaver| {
            Box::pin(async move {
                let open = count_of_tenancy(tx, leaver, 1).await?;
                let inviter = KeyOwner::User(leaver.user);
                tenancy::invitations::revoke_all_of(tx, inviter, leaver.now).await?;
                Ok(open)
            })
        },
    },
];

/// What would end, in the order of the table.
///
/// # Errors
/// When the database fails.
pub async fn preview(tx: &mut OrgTx, leaver: &Leaver, occasion: Occasion) -> DbResult<Vec<Ending>> {
    let mut endings = Vec::new();
    for kind in of(occasion) {
        let count = (kind.count)(tx, leaver).await?;
        endings.push(kind.ending(count));
    }
    Ok(endings)
}

/// Ends everything and tells how much it was, in the order of the table.
///
/// # Errors
/// When the database fails; then nothing may be kept.
pub async fn end(tx: &mut OrgTx, leaver: &Leaver, occasion: Occasion) -> DbResult<Vec<Ending>> {
    let mut endings = Vec::new();
    for kind in of(occasion) {
        let count = (kind.end)(tx, leaver).await?;
        endings.push(kind.ending(count));
    }
    Ok(endings)
}

/// The counts by name, for the record.
pub fn counts(endings: &[Ending]) -> serde_json::Value {
    endings
        .iter()
        .map(|ending| (ending.key.to_owned(), ending.count.into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn of(occasion: Occasion) -> impl Iterator<Item = &'static Leaves> {
    TABLE.iter().filter(move |kind| kind.occasions.contains(&occasion))
}

impl Leaves {
    fn ending(&self, count: i64) -> Ending {
        Ending { key: self.key, noun: self.noun, count, what_happens: self.what_happens }
    }
}

async fn count_keys(tx: &mut OrgTx, leaver: &Leaver) -> DbResult<i64> {
    let filter = KeyFilter { owner: Some(KeyOwner::User(leaver.user)), state: Some(KeyState::Live) };
    let mut page = PageRequest { limit: MAX_LIMIT, after: None };
    let mut count = 0;
    loop {
        let keys = automation::keys::list(tx, filter, &page, leaver.now).await?;
        count += counted(keys.items.len());
        page.after = keys.items.last().map(|entry| entry.key.id);
        if keys.next.is_none() {
            return Ok(count);
        }
    }
}

async fn count_of_tenancy(tx: &mut OrgTx, leaver: &Leaver, which: usize) -> DbResult<i64> {
    let items = tenancy::members::leaver_items(tx, leaver.user, leaver.now).await?;
    Ok(items.get(which).map_or(0, |item| item.count))
}

fn counted(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_named_once_and_ends_at_an_off_boarding() {
        let mut keys: Vec<_> = TABLE.iter().map(|kind| kind.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), TABLE.len());
        assert!(TABLE.iter().all(|kind| kind.occasions.contains(&Offboarding)));
    }

    #[test]
    fn the_record_keeps_counts_by_name() {
        let key = TABLE.iter().find(|kind| kind.key == "api_keys").expect("keys end");
        assert_eq!(counts(&[key.ending(3)]), serde_json::json!({ "api_keys": 3 }));
    }
}
