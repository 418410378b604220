//! What an API key may at the most.

use std::collections::BTreeSet;

use crate::base::permission::{Permission, Role};

const ALL: &str = "*";

/// The scopes of a key. The owner's role bounds them again, whenever the key is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// `*`: whatever the owner may.
    All,
    /// These permissions, as far as the owner has them.
    Only(BTreeSet<Permission>),
}

/// Why texts are no scopes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadScopes {
    /// None is given.
    #[error("choose at least one scope, or * for everything the owner may do")]
    Empty,
    /// One is not known.
    #[error("{0} is not a scope; scopes are {list}, or * for everything the owner may do", list = known())]
    Unknown(String),
    /// The star stands beside others.
    #[error("* already means everything the owner may do; leave out the other scopes")]
    AllAndMore,
}

impl Scopes {
    /// Takes the scopes of a form or a request body; repetition does not count.
    ///
    /// # Errors
    /// See [`BadScopes`].
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self, BadScopes> {
        let texts: BTreeSet<&str> = texts.iter().map(|text| text.as_ref().trim()).collect();
        if texts.is_empty() {
            return Err(BadScopes::Empty);
        }
        if texts.contains(ALL) {
            return if texts.len() == 1 { Ok(Self::All) } else { Err(BadScopes::AllAndMore) };
        }
        let unknown =
            |text: &str| BadScopes::Unknown(text.chars().filter(|c| !c.is_control()).take(60).collect());
        let parse = |text: &&str| text.parse().map_err(|_| unknown(text));
        Ok(Self::Only(texts.iter().map(parse).collect::<Result<_, _>>()?))
    }

    /// Reads what the database holds. A scope that this version does not know allows nothing.
    pub(super) fn read(texts: &[String]) -> Self {
        if texts.iter().any(|text| text == ALL) {
            return Self::All;
        }
        Self::Only(texts.iter().filter_map(|text| text.parse().ok()).collect())
    }

    /// The texts, in the order of the role matrix.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::All => vec![ALL.to_owned()],
            Self::Only(permissions) => permissions.iter().map(|p| p.scope().to_owned()).collect(),
        }
    }

    /// Whether a permission is among them.
    pub fn cover(&self, permission: Permission) -> bool {
        match self {
            Self::All => true,
            Self::Only(permissions) => permissions.contains(&permission),
        }
    }

    /// As far as an owner of this role has them; what is left may be nothing.
    pub fn within(&self, role: Role) -> Self {
        match self {
            Self::All => Self::All,
            Self::Only(permissions) => {
                Self::Only(permissions.iter().copied().filter(|p| role.may(*p)).collect())
            }
        }
    }

    /// The named permissions that an owner of this role does not have: promises the key could not keep.
    pub fn beyond(&self, role: Role) -> Vec<Permission> {
        match self {
            Self::All => Vec::new(),
            Self::Only(permissions) => permissions.iter().copied().filter(|p| !role.may(*p)).collect(),
        }
    }
}

fn known() -> String {
    Permission::ALL.iter().map(|p| p.scope()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bad_scopes_say_why() {
        let none: [&str; 0] = [];
        assert_eq!(Scopes::parse(&none), Err(BadScopes::Empty));
        assert_eq!(Scopes::parse(&["*", "org:read"]), Err(BadScopes::AllAndMore));
        assert_eq!(Scopes::parse(&["org:read", "org:*"]), Err(BadScopes::Unknown("org:*".to_owned())));
        let told = Scopes::parse(&["x"]).expect_err("unknown").to_string();
        assert!(told.starts_with("x is not a scope") && told.contains("gate:write"), "{told}");
    }

    #[test]
    fn the_star_covers_everything_and_promises_nothing_beyond() {
        let all = Scopes::parse(&["*", "*"]).expect("the star");
        assert_eq!(all, Scopes::All);
        assert!(Permission::ALL.iter().all(|p| all.cover(*p)));
        assert_eq!(all.beyond(Role::Member), []);
    }

    #[test]
    fn scopes_beyond_the_role_are_named() {
        let scopes = Scopes::parse(&["audit:read", "gate:write"]).expect("good");
        assert_eq!(scopes.beyond(Role::Auditor), [Permission::GateWrite]);
    }

    #[test]
    fn a_scope_of_a_later_version_allows_nothing() {
        assert_eq!(Scopes::read(&["rockets:launch".to_owned()]), Scopes::Only(BTreeSet::new()));
    }

    proptest! {
        #[test]
        fn scopes_read_back_and_cover_only_themselves(
            chosen in prop::collection::btree_set(prop::sample::select(Permission::ALL), 1..8),
        ) {
            let texts: Vec<_> = chosen.iter().map(|p| p.scope()).collect();
            let scopes = Scopes::parse(&texts).expect("known scopes");
            prop_assert_eq!(&Scopes::read(&scopes.texts()), &scopes);
            for permission in Permission::ALL {
                prop_assert_eq!(scopes.cover(*permission), chosen.contains(permission));
            }
        }
    }
}
