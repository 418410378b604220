//! Names of things in URLs and bodies: wherever an id is accepted, the slug is too.

use std::str::FromStr;

use crate::base::{
    ids::{Id, Kind},
    slug::{NotASlug, Slug},
};

/// A thing named by its id or its slug.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ref<I> {
    /// By id.
    Id(I),
    /// By slug.
    Slug(Slug),
}

/// The text can be neither an id of the wanted kind nor a slug, so nothing is named so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is none of that name")]
pub struct NotAReference;

/// Why a text cannot become the slug of something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlugRefused {
    /// It is none.
    #[error(transparent)]
    NotASlug(#[from] NotASlug),
    /// A page is called so.
    #[error("this name is taken by a page; choose another")]
    Reserved,
}

/// Words that stand where a slug stands in our own URLs, as in `/o/acme/teams/new`.
const RESERVED: [&str; 1] = ["new"];

/// Reads the slug of something new.
///
/// # Errors
/// Why it cannot be one.
pub fn new_slug(text: &str) -> Result<Slug, SlugRefused> {
    let slug: Slug = text.trim().parse()?;
    if RESERVED.contains(&slug.as_str()) { Err(SlugRefused::Reserved) } else { Ok(slug) }
}

impl<K: Kind> FromStr for Ref<Id<K>> {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        // A slug cannot look like an id, so the order does not matter.
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => text.parse().map(Self::Slug).map_err(|_| NotAReference),
        }
    }
}

impl<I: Copy> Ref<I> {
    /// The id, where it is named by id.
    pub const fn id(&self) -> Option<I> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Slug(_) => None,
        }
    }

    /// The slug's text, where it is named by slug.
    pub fn slug(&self) -> Option<&str> {
        match self {
            Self::Id(_) => None,
            Self::Slug(slug) => Some(slug.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{OrgId, TeamId};
    use proptest::prelude::*;

    type OrgRef = Ref<OrgId>;

    #[test]
    fn an_id_and_a_slug_are_told_apart_and_a_foreign_id_names_nothing() {
        let id = OrgId::fresh();
        assert_eq!(id.to_string().parse(), Ok(Ref::Id(id)));
        assert_eq!("acme".parse::<OrgRef>().expect("a slug").slug(), Some("acme"));
        assert_eq!(TeamId::fresh().to_string().parse::<OrgRef>(), Err(NotAReference));
    }

    #[test]
    fn a_new_slug_does_not_shadow_a_page() {
        assert_eq!(new_slug("new"), Err(SlugRefused::Reserved));
        assert_eq!(new_slug(" acme ").expect("a slug").as_str(), "acme");
        assert_eq!(new_slug("A"), Err(SlugRefused::NotASlug(NotASlug::Length)));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,60}") {
            let _ = text.parse::<OrgRef>();
        }
    }
}
