//! Teams: what they are, and how far somebody may change one.

use time::OffsetDateTime;

use crate::{
    base::{
        faults::Faults,
        ids::{TeamId, UserId},
        permission::{Permission, Role, TeamRole},
        reference::new_slug,
        slug::Slug,
    },
    domain::tenancy::{Description, Name},
};

/// A team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name in URLs.
    pub slug: Slug,
    /// Its name on pages.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many people are in it.
    pub members: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Rises with every change.
    pub version: i64,
}

/// Which teams a caller wants to see.
#[derive(Clone, Debug, Default)]
pub struct TeamFilter {
    /// A part of the name or slug.
    pub q: Option<String>,
    /// Only those that this person is in.
    pub of: Option<UserId>,
}

/// A team as one of its people sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonsTeam {
    /// Its id.
    pub id: TeamId,
    /// Its name in URLs.
    pub slug: Slug,
    /// Its name on pages.
    pub name: String,
    /// The person's role in it.
    pub role: TeamRole,
}

/// One of the teams that a person is in, for a list of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceInTeam {
    /// The person.
    pub user: UserId,
    /// The team's name in URLs.
    pub slug: Slug,
    /// The team's name on pages.
    pub name: String,
}

/// A person in a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamMember {
    /// The person.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Their address, as they wrote it.
    pub email: String,
    /// Their role in the team.
    pub role: TeamRole,
    /// Their role in the organization.
    pub org_role: Role,
    /// When they joined the team.
    pub created_at: OffsetDateTime,
    /// When their place in the team last changed.
    pub updated_at: OffsetDateTime,
    /// Rises with every change.
    pub version: i64,
}

/// Whether a person became part of a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum TeamAddition {
    /// They are now.
    Added,
    /// They were before; their role stays as it was.
    AlreadyThere,
    /// They are not in the organization.
    NotAMember,
    /// There is no such team.
    NoSuchTeam,
}

/// A team to be made, or what an existing one becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTeam {
    /// Its name on pages.
    pub name: Name,
    /// Its name in URLs.
    pub slug: Slug,
    /// What it is for.
    pub description: Description,
}

impl NewTeam {
    /// Reads the fields `name`, `slug` and `description`.
    ///
    /// # Errors
    /// A fault for each field that cannot be used.
    pub fn parse(name: &str, slug: &str, description: &str) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let name = faults.check("name", name.parse());
        let slug = faults.check("slug", new_slug(slug));
        let description = faults.check("description", description.parse());
        match (name, slug, description) {
            (Some(name), Some(slug), Some(description)) => Ok(Self { name, slug, description }),
            _ => Err(faults),
        }
    }
}

/// How far somebody's right over one team reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TeamReach {
    /// They may change nothing.
    Nothing,
    /// They may add and remove plain members.
    Members,
    /// They may do everything with it.
    Everything,
}

impl TeamReach {
    /// The reach of one who holds certain permissions in the organization and perhaps a role in the team.
    pub fn of(may: impl Fn(Permission) -> bool, role: Option<TeamRole>) -> Self {
        match role {
            _ if may(Permission::TeamsWrite) => Self::Everything,
            Some(TeamRole::Owner) => Self::Everything,
            Some(TeamRole::Admin) => Self::Members,
            Some(TeamRole::Member) | None => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_field_of_a_new_team_is_named_at_once() {
        let faults = NewTeam::parse("", "new", &"x".repeat(501)).expect_err("all are bad");
        let fields: Vec<_> = faults.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["name", "slug", "description"]);
        assert!(NewTeam::parse("Platform", "platform", "").is_ok());
    }

    #[test]
    fn reach_is_the_greater_of_the_org_and_the_team() {
        for org_role in Role::ALL {
            for team_role in [None, Some(TeamRole::Member), Some(TeamRole::Admin), Some(TeamRole::Owner)] {
                let reach = TeamReach::of(|permission| org_role.may(permission), team_role);
                let expected = match (org_role, team_role) {
                    (Role::Owner | Role::Admin, _) | (_, Some(TeamRole::Owner)) => TeamReach::Everything,
                    (_, Some(TeamRole::Admin)) => TeamReach::Members,
                    _ => TeamReach::Nothing,
                };
                assert_eq!(reach, expected, "{org_role} {team_role:?}");
            }
        }
    }
}
