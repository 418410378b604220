//! Organizations, who is in them, teams and invitations.
//!
//! Owns the tables `orgs`, `memberships`, `teams`, `team_members`, `invitations` and `first_steps`. Knows nothing of how a
//! person proves who they are: that is `identity`.
//!
//! Invariant: an organization that is not deleted has an owner. Every change that could end that takes
//! [`Owners`], which only `store::members::lock_owners` makes, from rows it has locked.
//! Invariant: an invitation is accepted at most once, only with its latest link, and only while whoever sent
//! it may still invite; nothing but an acceptance makes an invited person a member.
//! Invariant: a change to who is in what raises the organization's epoch in the same transaction.
//!
//! A team may be without an owner: owners and admins of the organization manage every team, and an
//! organization always has an owner.

mod glance;
mod invitations;
mod members;
mod name;
mod orgs;
mod reference;
mod refusal;
pub mod rules;
pub mod store;
mod suspensions;
mod teams;

pub use glance::{MemberName, NotAStepMark, PeopleCount, StepMark};
pub use invitations::{Accepted, CarriedInvitation, Invitation, InvitationFilter, InvitationState};
pub use invitations::{Invited, Issue, NewInvitation, Visitor};
pub use members::{Joined, Member, MemberFilter, Owners, Reach, is_touch_due};
pub use name::{Description, Name, NotADescription, NotAName};
pub use orgs::TELL_ORG;
pub use orgs::{NewOrg, NotAReason, OperatorOrg, Org, OrgFilter, OrgSettings, OrgState, PersonsOrg, Reason};
pub use reference::{OrgRef, TeamRef};
pub use refusal::TenancyRefusal;
pub use suspensions::Suspension;
pub use teams::{NewTeam, PersonsTeam, PlaceInTeam, Team, TeamAddition, TeamFilter, TeamMember, TeamReach};
