//! Policies as they are kept: a name, a draft, versions, and the places where they are in force.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::{
    base::{
        faults::Faults,
        ids::{PolicyId, PolicyTestId, ServerId, TeamId, UserId},
        reference::{Ref, SlugRefused, new_slug},
        slug::Slug,
        unprinted::Unprinted,
        wording,
    },
    domain::policy::document::Document,
};

/// A policy named by id or slug.
pub type PolicyRef = Ref<PolicyId>;

/// Pages that stand where a policy's short name stands.
const PAGES: [&str; 2] = ["effective", "layers"];

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its id.
    pub id: PolicyId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The server whose tools it is about.
    pub server: Option<ServerId>,
    /// The number of the version in force; none until it is published.
    pub live: Option<i32>,
    /// What is being written.
    pub draft: Option<Draft>,
    /// Who asks that the draft be published as it stands.
    pub proposal: Option<Proposal>,
    /// Where it is in force.
    pub places: Places,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Rises with every change, also of the draft.
    pub version: i64,
}

impl Policy {
    /// Whether the draft was begun from a version that is no longer in force.
    pub fn is_draft_stale(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| draft.from != self.live)
    }
}

/// What is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The document, in its canonical form.
    pub document: String,
    /// The version it was begun from.
    pub from: Option<i32>,
    /// Who saved it last.
    pub by: Option<UserId>,
    /// Their name, while they are a member.
    pub by_name: Option<String>,
    /// When.
    pub at: OffsetDateTime,
}

/// That somebody asks for a draft to be published, by somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Who asks; none for a service account.
    pub by: Option<UserId>,
    /// Their name then.
    pub by_name: String,
    /// When.
    pub at: OffsetDateTime,
    /// What they say of it.
    pub note: String,
}

/// Where a policy is in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Whether it is the organization's guardrail.
    pub is_org: bool,
    /// Of how many teams.
    pub teams: i64,
    /// Of how many servers.
    pub servers: i64,
    /// Of how many grants.
    pub grants: i64,
}

impl Places {
    /// Whether it is in force nowhere.
    pub const fn is_none(self) -> bool {
        !self.is_org && self.teams == 0 && self.servers == 0 && self.grants == 0
    }
}

/// A version of a policy, without its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Counted from one.
    pub number: i32,
    /// What its author says of it.
    pub note: String,
    /// Who published it.
    pub author: Option<UserId>,
    /// Their name then.
    pub author_name: String,
    /// When.
    pub created_at: OffsetDateTime,
    /// The version whose text it took up again.
    pub restores: Option<i32>,
}

/// A promise that a policy is held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTest {
    /// Its id.
    pub id: PolicyTestId,
    /// Its name.
    pub name: String,
    /// The call, as JSON.
    pub call: Unprinted<String>,
    /// `allow`, `require_approval`, `deny` or `hide`.
    pub expected: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// What becomes a version.
#[derive(Clone, Copy, Debug)]
pub struct NewVersion<'a> {
    /// The document.
    pub document: &'a Document,
    /// What its author says of it.
    pub note: &'a str,
    /// Who publishes it.
    pub author: Option<UserId>,
    /// Their name.
    pub author_name: &'a str,
    /// The version whose text it takes up again.
    pub restores: Option<i32>,
}

/// What people type about a policy.
#[derive(Clone, Copy, Debug)]
pub struct PolicyForm<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its short name; made from the name where it is empty.
    pub slug: &'a str,
    /// What it is for.
    pub description: &'a str,
    /// The server whose tools it is about.
    pub server: Option<ServerId>,
}

/// What a policy is called and about, in a form that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTerms {
    pub(super) name: String,
    pub(super) slug: Slug,
    pub(super) description: String,
    pub(super) server: Option<ServerId>,
}

impl PolicyTerms {
    /// Takes what somebody typed.
    ///
    /// # Errors
    /// Every fault with its field: `name`, `slug`, `description`.
    pub fn parse(form: PolicyForm<'_>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let name = faults.check("name", wording::parse_name(form.name));
        let slug = match form.slug.trim() {
            "" => Slug::suggest(form.name, "policy"),
            slug => slug.to_owned(),
        };
        let slug = faults.check("slug", new_slug(&slug)).filter(|slug| {
            let is_free = !PAGES.contains(&slug.as_str());
            if !is_free {
                faults.add("slug", SlugRefused::Reserved.to_string());
            }
            is_free
        });
        let description = faults.check("description", wording::parse_description(form.description));
        match (name, slug, description) {
            (Some(name), Some(slug), Some(description)) => {
                faults.into_result(Self { name, slug, description, server: form.server })
            }
            _ => Err(faults),
        }
    }
}

/// Which policies a list shows.
#[derive(Clone, Debug, Default)]
pub struct PolicyFilter {
    /// A part of the name or the slug.
    pub q: Option<String>,
    /// Only those about this server.
    pub server: Option<ServerId>,
    /// Only those that were given with access for a time which is over by this moment; or all but those.
    pub over: Option<(OffsetDateTime, bool)>,
}

/// Which policy stands in which layer above the grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// The organization's guardrail.
    pub org: Option<PolicyId>,
    /// Those of teams.
    pub teams: BTreeMap<TeamId, PolicyId>,
    /// The baselines of servers.
    pub servers: BTreeMap<ServerId, PolicyId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_made_where_none_is_given_and_every_fault_is_told() {
        let form = PolicyForm { name: " Engineering on GitHub ", slug: "", description: "", server: None };
        let terms = PolicyTerms::parse(form).expect("good");
        assert_eq!(
            (terms.name.as_str(), terms.slug.as_str()),
            ("Engineering on GitHub", "engineering-on-github")
        );
        let bad = PolicyForm { name: "", slug: "A B", description: "\u{7}", server: None };
        let faults = PolicyTerms::parse(bad).expect_err("faults");
        assert_eq!(
            faults.iter().map(|fault| fault.field).collect::<Vec<_>>(),
            ["name", "slug", "description"]
        );
    }

    #[test]
    fn no_policy_is_called_like_a_page_beside_it() {
        for name in ["Layers", "effective", "New"] {
            let form = PolicyForm { name, slug: "", description: "", server: None };
            let faults = PolicyTerms::parse(form).expect_err("a fault");
            assert_eq!(faults.iter().map(|fault| fault.field).collect::<Vec<_>>(), ["slug"], "{name}");
        }
    }

    #[test]
    fn a_policy_is_in_force_nowhere_where_no_place_has_it() {
        assert!(Places::default().is_none());
        for places in [
            Places { is_org: true, ..Places::default() },
            Places { teams: 1, ..Places::default() },
            Places { servers: 1, ..Places::default() },
            Places { grants: 1, ..Places::default() },
        ] {
            assert!(!places.is_none(), "{places:?}");
        }
    }

    #[test]
    fn a_draft_is_stale_where_another_version_is_in_force() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let policy = |live, from: Option<Option<i32>>| Policy {
            id: PolicyId::fresh(),
            slug: "p".to_owned(),
            name: "P".to_owned(),
            description: String::new(),
            server: None,
            live,
            draft: from.map(|from| Draft { document: String::new(), from, by: None, by_name: None, at }),
            proposal: None,
            places: Places::default(),
            created_at: at,
            updated_at: at,
            version: 1,
        };
        for (live, from, is_stale) in [
            (Some(2), Some(Some(1)), true),
            (Some(2), Some(Some(2)), false),
            (Some(1), Some(None), true),
            (None, Some(None), false),
            (Some(1), None, false),
        ] {
            assert_eq!(policy(live, from).is_draft_stale(), is_stale, "{live:?} {from:?}");
        }
    }
}
