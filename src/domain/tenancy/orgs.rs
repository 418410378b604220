//! Organizations: what they are, and reading new ones and their settings from text.

use std::{fmt, str::FromStr};

use time::OffsetDateTime;

use crate::{
    base::{
        faults::Faults,
        ids::{OrgId, UserId},
        permission::Role,
        reference::new_slug,
        slug::Slug,
    },
    domain::tenancy::Name,
};

/// The kind of job that tells an organization's own record what the operator did to it.
pub const TELL_ORG: &str = "tell_org";

/// An organization that is not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    /// Its id.
    pub id: OrgId,
    /// Its name in URLs.
    pub slug: Slug,
    /// Its name on pages.
    pub name: String,
    /// Rises with every change that a decision depends on.
    pub epoch: i64,
    /// Whether its people must prove themselves with a second factor.
    pub require_second_factor: bool,
    /// How long an invitation is good.
    pub invitation_hours: i32,
    /// Whether a policy comes into force only when a second person says so.
    pub publishing_takes_two: bool,
    /// Whether people may decide what agents in their own name ask.
    pub self_approval: bool,
    /// For how many days the arguments of calls are kept; 0 where they are not.
    pub argument_days: i32,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Since when the operator has suspended it.
    pub suspended_at: Option<OffsetDateTime>,
    /// Why, in the operator's words.
    pub suspended_reason: Option<String>,
    /// When an owner asked for its deletion.
    pub deletion_asked_at: Option<OffsetDateTime>,
    /// Which owner asked.
    pub deletion_asked_by: Option<UserId>,
    /// Rises with every change.
    pub version: i64,
}

/// Whether an organization can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrgState {
    /// In use.
    Active,
    /// Stopped by the operator.
    Suspended,
    /// Gone; its row is a tombstone.
    Deleted,
}

impl OrgState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Deleted];

    /// The name in the API and in filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    /// Judges by the two times that a row holds.
    pub(super) const fn of(suspended_at: Option<OffsetDateTime>, deleted_at: Option<OffsetDateTime>) -> Self {
        match (suspended_at, deleted_at) {
            (_, Some(_)) => Self::Deleted,
            (Some(_), None) => Self::Suspended,
            (None, None) => Self::Active,
        }
    }
}

impl Org {
    /// Whether it can be used; a row of this type is never deleted.
    pub const fn state(&self) -> OrgState {
        OrgState::of(self.suspended_at, None)
    }
}

/// An organization as one of its people sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonsOrg {
    /// The organization.
    pub org: Org,
    /// The person's role there.
    pub role: Role,
    /// When the person was last seen there, to about five minutes.
    pub last_seen_at: Option<OffsetDateTime>,
    /// Why an admin keeps them out; empty where no reason was given, none where nobody does.
    pub suspended: Option<String>,
}

/// An organization as the operator of the installation sees it: its size, and nothing of what is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorOrg {
    /// Its id.
    pub id: OrgId,
    /// Its name in URLs; a tombstone's is made from its id.
    pub slug: Slug,
    /// Its name on pages.
    pub name: String,
    /// How many people are in it.
    pub members: i64,
    /// How many of them own it.
    pub owners: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Since when it is suspended.
    pub suspended_at: Option<OffsetDateTime>,
    /// Why.
    pub suspended_reason: Option<String>,
    /// When an owner asked for its deletion.
    pub deletion_asked_at: Option<OffsetDateTime>,
    /// When it was deleted.
    pub deleted_at: Option<OffsetDateTime>,
    /// Rises with every change.
    pub version: i64,
}

impl OperatorOrg {
    /// Whether it can be used.
    pub const fn state(&self) -> OrgState {
        OrgState::of(self.suspended_at, self.deleted_at)
    }
}

/// Which organizations the operator wants to see.
#[derive(Clone, Debug, Default)]
pub struct OrgFilter {
    /// A part of the name or slug.
    pub q: Option<String>,
    /// Only those in this state.
    pub state: Option<OrgState>,
}

/// An organization to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrg {
    /// Its name on pages.
    pub name: Name,
    /// Its name in URLs.
    pub slug: Slug,
}

impl NewOrg {
    /// Reads the fields `name` and `slug`.
    ///
    /// # Errors
    /// A fault for each field that cannot be used.
    pub fn parse(name: &str, slug: &str) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        match (faults.check("name", name.parse()), faults.check("slug", new_slug(slug))) {
            (Some(name), Some(slug)) => Ok(Self { name, slug }),
            _ => Err(faults),
        }
    }
}

/// What owners and admins set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgSettings {
    /// The name on pages.
    pub name: Name,
    /// The name in URLs.
    pub slug: Slug,
    /// Whether people must prove themselves with a second factor.
    pub require_second_factor: bool,
    /// How long an invitation is good, 1 to 720.
    pub invitation_hours: i32,
    /// Whether a policy comes into force only when a second person says so.
    pub publishing_takes_two: bool,
    /// Whether people may decide what agents in their own name ask.
    pub self_approval: bool,
    /// For how many days the arguments of calls are kept, 0 to 365.
    pub argument_days: i32,
}

impl OrgSettings {
    /// Reads the fields `name`, `slug`, `invitation_hours` and `argument_days` over the organization's present settings; what
    /// is `None` stays as it is, and the switches are the caller's to set on the result.
    ///
    /// # Errors
    /// A fault for each field that cannot be used.
    pub fn parse(
        present: &Org,
        name: Option<&str>,
        slug: Option<&str>,
        invitation_hours: Option<&str>,
        argument_days: Option<&str>,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let name = faults.check("name", name.unwrap_or(&present.name).parse());
        let slug = match slug {
            // What it has, it may keep, even if the rules for new slugs have become stricter.
            None => Some(present.slug.clone()),
            Some(text) if text == present.slug.as_str() => Some(present.slug.clone()),
            Some(text) => faults.check("slug", new_slug(text)),
        };
        let hours = match invitation_hours {
            None => Some(present.invitation_hours),
            Some(text) => {
                let hours = text.trim().parse().ok().filter(|hours| (1..=720).contains(hours));
                faults.check("invitation_hours", hours.ok_or("enter a whole number of hours from 1 to 720"))
            }
        };
        let days = match argument_days {
            None => Some(present.argument_days),
            Some(text) => {
                let days = text.trim().parse().ok().filter(|days| (0..=365).contains(days));
                faults.check("argument_days", days.ok_or("enter a whole number of days from 0 to 365"))
            }
        };
        let Org { require_second_factor, publishing_takes_two, self_approval, .. } = *present;
        match (name, slug, hours, days) {
            (Some(name), Some(slug), Some(invitation_hours), Some(argument_days)) => Ok(Self {
                name,
                slug,
                require_second_factor,
                invitation_hours,
                publishing_takes_two,
                self_approval,
                argument_days,
            }),
            _ => Err(faults),
        }
    }
}

/// Why the operator suspends an organization, in 1 to 500 characters; its people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

/// The text is no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a reason in 1 to 500 printable characters")]
pub struct NotAReason;

impl Reason {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = NotAReason;

    fn from_str(text: &str) -> Result<Self, NotAReason> {
        let text = text.trim();
        let is_good = (1..=500).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if is_good { Ok(Self(text.to_owned())) } else { Err(NotAReason) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The slug of a deleted organization, which frees the old one; nobody can have taken it, for it holds the
/// id.
pub(super) fn tombstone(org: OrgId) -> String {
    let id = org.to_string();
    format!("deleted-{}", id.trim_start_matches("org_"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;
    use uuid::Uuid;

    pub(in crate::domain::tenancy) fn acme() -> Org {
        Org {
            id: OrgId::from_uuid(Uuid::from_u128(7)),
            slug: "acme".parse().expect("a slug"),
            name: "Acme".to_owned(),
            epoch: 1,
            require_second_factor: true,
            invitation_hours: 72,
            publishing_takes_two: false,
            self_approval: false,
            argument_days: 0,
            created_at: datetime!(2026-11-01 12:00 UTC),
            updated_at: datetime!(2026-11-01 12:00 UTC),
            suspended_at: None,
            suspended_reason: None,
            deletion_asked_at: None,
            deletion_asked_by: None,
            version: 1,
        }
    }

    #[test]
    fn every_bad_field_of_a_new_org_is_named_at_once() {
        let faults = NewOrg::parse(" ", "Acme!").expect_err("both are bad");
        let fields: Vec<_> = faults.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["name", "slug"]);
        assert_eq!(NewOrg::parse(" Acme ", "acme").expect("good").name.as_str(), "Acme");
        assert!(NewOrg::parse("Acme", "new").is_err());
    }

    #[test]
    fn settings_that_are_left_out_stay() {
        let settings = OrgSettings::parse(&acme(), None, None, None, None).expect("nothing changes");
        assert_eq!((settings.slug.as_str(), settings.invitation_hours), ("acme", 72));
        assert!(settings.require_second_factor);
        for bad in ["0", "721", "-1", "1.5", "", "a lot", "99999999999"] {
            assert!(OrgSettings::parse(&acme(), None, None, Some(bad), None).is_err(), "{bad}");
        }
        for bad in ["366", "-1", "1.5", "", "a lot"] {
            assert!(OrgSettings::parse(&acme(), None, None, None, Some(bad)).is_err(), "{bad}");
        }
        let settings = OrgSettings::parse(&acme(), Some("A"), Some("ab"), Some(" 720 "), Some("30"));
        let settings = settings.expect("all good");
        assert_eq!(
            (settings.name.as_str(), settings.invitation_hours, settings.argument_days),
            ("A", 720, 30)
        );
    }

    #[test]
    fn a_reason_is_given_and_bounded() {
        assert!("unpaid".parse::<Reason>().is_ok());
        for bad in ["", "  ", "a\0b", &"x".repeat(501)] {
            assert!(bad.parse::<Reason>().is_err());
        }
    }

    proptest! {
        #[test]
        fn a_tombstone_is_a_slug_and_differs_between_orgs(a: u128, b: u128) {
            let [x, y] = [a, b].map(|n| tombstone(OrgId::from_uuid(Uuid::from_u128(n))));
            prop_assert_eq!(x.parse::<Slug>().map(|s| s.to_string()), Ok(x.clone()));
            prop_assert_eq!(a == b, x == y);
        }
    }
}
