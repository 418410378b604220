//! A grant as somebody asks for it, and what a change makes of one.

use time::OffsetDateTime;

use crate::{
    base::{actor::Principal, faults::Faults, ids::PolicyId, risk::Class},
    domain::grants::{Bindings, Grant, ServersOf, rules},
};

/// The terms of a grant as somebody typed them, with its servers already found.
#[derive(Clone, Debug)]
pub struct GrantForm<'a> {
    /// The name on pages.
    pub label: &'a str,
    /// On which servers.
    pub servers: ServersOf,
    /// The name of the strongest class of tools.
    pub class_ceiling: &'a str,
    /// The policy of its own layer.
    pub policy: Option<PolicyId>,
    /// When it ends; never, where nobody says.
    pub expires_at: Option<OffsetDateTime>,
    /// Networks.
    pub cidrs: &'a [String],
    /// Names of clients.
    pub clients: &'a [String],
}

/// Terms that may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) label: String,
    pub(super) servers: ServersOf,
    pub(super) ceiling: Class,
    pub(super) policy: Option<PolicyId>,
    pub(super) expires_at: Option<OffsetDateTime>,
    pub(super) bindings: Bindings,
}

/// A grant that may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    pub(super) principal: Principal,
    pub(super) terms: Terms,
}

impl NewGrant {
    /// Takes what somebody asked for.
    ///
    /// # Errors
    /// Every fault with its field: `label`, `servers`, `class_ceiling`, `expires_at`, `bindings.cidrs`,
    /// `bindings.clients`.
    pub fn parse(principal: Principal, form: GrantForm<'_>, now: OffsetDateTime) -> Result<Self, Faults> {
        Ok(Self { principal, terms: Terms::parse(form, None, now)? })
    }

    /// What is wrong with a form, where its principal is not known either.
    pub fn faults(form: GrantForm<'_>, now: OffsetDateTime) -> Faults {
        Terms::parse(form, None, now).err().unwrap_or_default()
    }
}

/// New terms in place of a grant's; its principal stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantChange {
    pub(super) terms: Terms,
}

impl GrantChange {
    /// Takes what somebody asked for; an end or a set of servers that stays as it is need not be good anew.
    ///
    /// # Errors
    /// As [`NewGrant::parse`].
    pub fn parse(before: &Grant, form: GrantForm<'_>, now: OffsetDateTime) -> Result<Self, Faults> {
        Ok(Self { terms: Terms::parse(form, Some(before), now)? })
    }
}

impl Terms {
    fn parse(form: GrantForm<'_>, before: Option<&Grant>, now: OffsetDateTime) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let label = faults.check("label", rules::parse_label(form.label));
        let stays = before.is_some_and(|before| before.servers == form.servers);
        if !stays && matches!(&form.servers, ServersOf::Some(servers) if servers.is_empty()) {
            faults.add("servers", "choose at least one server, or all of them");
        }
        let ceiling = faults.check("class_ceiling", form.class_ceiling.trim().parse::<Class>());
        let stays = before.is_some_and(|before| before.expires_at == form.expires_at);
        if !stays && form.expires_at.is_some_and(|at| at <= now) {
            faults.add("expires_at", "choose a time in the future; to end a grant now, revoke it");
        }
        let bindings = Bindings::parse(form.cidrs, form.clients).unwrap_or_else(|bad| {
            bad.iter().for_each(|fault| faults.add(fault.field, &fault.message));
            Bindings::default()
        });
        match (label, ceiling) {
            (Some(label), Some(ceiling)) => {
                let (servers, policy, expires_at) = (form.servers, form.policy, form.expires_at);
                faults.into_result(Self { label, servers, ceiling, policy, expires_at, bindings })
            }
            _ => Err(faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::{Duration, macros::datetime};

    use super::*;
    use crate::base::ids::{GrantId, ServerId, UserId};

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn form() -> GrantForm<'static> {
        GrantForm {
            label: " Claude Code ",
            servers: ServersOf::All,
            class_ceiling: "write",
            policy: None,
            expires_at: None,
            cidrs: &[],
            clients: &[],
        }
    }

    fn fields(form: GrantForm<'_>) -> Vec<&'static str> {
        let principal = Principal::User(UserId::fresh());
        NewGrant::parse(principal, form, NOW).expect_err("faults").iter().map(|f| f.field).collect()
    }

    #[test]
    fn a_grant_may_be_without_end() {
        let new = NewGrant::parse(Principal::User(UserId::fresh()), form(), NOW).expect("good");
        assert_eq!((new.terms.label.as_str(), new.terms.ceiling), ("Claude Code", Class::Write));
        assert_eq!(new.terms.expires_at, None);
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let bad = ["x".to_owned()];
        let all = GrantForm {
            label: "",
            servers: ServersOf::Some(BTreeSet::new()),
            class_ceiling: "everything",
            policy: None,
            expires_at: Some(NOW),
            cidrs: &bad,
            clients: &["\0".to_owned()],
        };
        let wanted =
            ["label", "servers", "class_ceiling", "expires_at", "bindings.cidrs", "bindings.clients"];
        assert_eq!(fields(all), wanted);
    }

    #[test]
    fn what_stays_as_it_is_need_not_be_good_anew() {
        let before = Grant {
            id: GrantId::fresh(),
            label: "x".to_owned(),
            principal: Principal::User(UserId::fresh()),
            servers: ServersOf::Some(BTreeSet::new()),
            ceiling: Class::Read,
            policy: None,
            expires_at: Some(NOW - Duration::DAY),
            bindings: Bindings::default(),
            created_by: None,
            created_at: NOW,
            updated_at: NOW,
            suspension: None,
            revocation: None,
            version: 1,
        };
        let same = GrantForm { servers: before.servers.clone(), expires_at: before.expires_at, ..form() };
        assert!(GrantChange::parse(&before, same.clone(), NOW).is_ok());
        let moved = GrantForm { expires_at: Some(NOW - Duration::HOUR), ..same.clone() };
        assert!(GrantChange::parse(&before, moved, NOW).is_err());
        let some = ServersOf::Some(BTreeSet::from([ServerId::fresh()]));
        assert!(GrantChange::parse(&before, GrantForm { servers: some, ..same }, NOW).is_ok());
    }
}
