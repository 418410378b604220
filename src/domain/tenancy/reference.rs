//! Organizations and teams named in URLs and bodies.

use crate::base::{
    ids::{OrgId, TeamId},
    reference::Ref,
};

/// An organization named by id or slug.
pub type OrgRef = Ref<OrgId>;
/// A team named by id or slug.
pub type TeamRef = Ref<TeamId>;
