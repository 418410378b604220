//! Pure decisions: who may change whom, when an organization goes, and who may accept an invitation.

pub mod acceptance;
pub mod deletion;
pub mod people;
pub mod teams;
