//! Service accounts: whom a script runs as.

use time::OffsetDateTime;

use crate::base::{
    faults::Faults,
    ids::{ServiceAccountId, UserId},
    permission::{NotARole, Role},
    slug::{NotASlug, Slug},
    wording,
};

/// A principal that is no person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// Its short name.
    pub slug: Slug,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What its keys may at the most; never owner.
    pub role: Role,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Since when its keys are refused.
    pub disabled_at: Option<OffsetDateTime>,
    /// Rises with every change.
    pub version: i64,
}

/// A service account in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccountEntry {
    /// The account.
    pub account: ServiceAccount,
    /// How many of its keys are neither revoked nor expired.
    pub live_keys: i64,
    /// When one of its keys was last used.
    pub last_used_at: Option<OffsetDateTime>,
}

/// How a path names a service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceAccountRef {
    /// By its id.
    Id(ServiceAccountId),
    /// By its slug.
    Slug(Slug),
}

impl ServiceAccountRef {
    /// Reads a part of a path; `None` for what can name no account.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self::Id).ok().or_else(|| text.parse().map(Self::Slug).ok())
    }
}

impl From<ServiceAccountId> for ServiceAccountRef {
    fn from(id: ServiceAccountId) -> Self {
        Self::Id(id)
    }
}

/// A service account as somebody typed it.
#[derive(Clone, Copy, Debug)]
pub struct ServiceAccountForm<'a> {
    /// The short name.
    pub slug: &'a str,
    /// The name.
    pub name: &'a str,
    /// What it is for.
    pub description: &'a str,
    /// The role's name.
    pub role: &'a str,
}

/// A service account that may be stored, new or in place of an old state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewServiceAccount {
    pub(super) slug: Slug,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) role: Role,
}

impl NewServiceAccount {
    /// Takes what somebody typed.
    ///
    /// # Errors
    /// Every fault with its field: `slug`, `name`, `description`, `role`.
    pub fn parse(form: ServiceAccountForm<'_>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let slug = faults.check("slug", parse_slug(form.slug));
        let name = faults.check("name", wording::parse_name(form.name));
        let description = faults.check("description", wording::parse_description(form.description));
        let role = faults.check("role", parse_role(form.role));
        match (slug, name, description, role) {
            (Some(slug), Some(name), Some(description), Some(role)) => {
                Ok(Self { slug, name, description, role })
            }
            _ => Err(faults),
        }
    }

    /// The role it asks for, so that nobody hands out more than they have.
    pub const fn role(&self) -> Role {
        self.role
    }
}

/// Why a text cannot name a service account in addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum BadSlug {
    #[error(transparent)]
    NotASlug(#[from] NotASlug),
    #[error("this name is taken by a page; choose another")]
    Reserved,
}

/// Takes a slug that does not shadow the page of a new account.
fn parse_slug(text: &str) -> Result<Slug, BadSlug> {
    let slug: Slug = text.trim().parse()?;
    if slug.as_str() == "new" { Err(BadSlug::Reserved) } else { Ok(slug) }
}

/// Why a text is no role of a service account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum BadRole {
    #[error(transparent)]
    Unknown(#[from] NotARole),
    #[error("a service account cannot own the organization; choose admin or a smaller role")]
    Owner,
}

fn parse_role(text: &str) -> Result<Role, BadRole> {
    match text.trim().parse()? {
        Role::Owner => Err(BadRole::Owner),
        role => Ok(role),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: ServiceAccountForm<'static> =
        ServiceAccountForm { slug: "nightly", name: "Nightly build", description: "", role: "auditor" };

    fn fields(form: ServiceAccountForm<'_>) -> Vec<&'static str> {
        NewServiceAccount::parse(form).expect_err("faults").iter().map(|f| f.field).collect()
    }

    #[test]
    fn every_fault_is_told_at_once() {
        assert_eq!(NewServiceAccount::parse(FORM).expect("good").role(), Role::Auditor);
        let all = ServiceAccountForm { slug: "N", name: "", description: "\0", role: "king" };
        assert_eq!(fields(all), ["slug", "name", "description", "role"]);
    }

    #[test]
    fn a_service_account_never_owns() {
        assert_eq!(fields(ServiceAccountForm { role: "owner", ..FORM }), ["role"]);
    }

    #[test]
    fn a_path_names_an_account_by_id_or_slug() {
        let id = ServiceAccountId::fresh();
        assert_eq!(ServiceAccountRef::parse(&id.to_string()), Some(ServiceAccountRef::Id(id)));
        assert!(matches!(ServiceAccountRef::parse("nightly"), Some(ServiceAccountRef::Slug(_))));
        assert_eq!(ServiceAccountRef::parse(&UserId::fresh().to_string()), None);
    }
}
