//! Who may decide, and what several decisions come to.

use crate::{
    base::{ids::UserId, permission::Role},
    domain::approvals::{Approval, ApprovalState, WrittenNeed},
};
use time::OffsetDateTime;

/// The longest time for which an approval may be given, in minutes.
pub const LONGEST_FOR: u32 = 24 * 60;
const LONGEST_REASON: usize = 500;

/// Somebody who wants to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judge {
    /// Who.
    pub user: UserId,
    /// Their address, in lower case.
    pub email: String,
    /// Their role.
    pub role: Role,
    /// The slugs of their teams.
    pub teams: Vec<String>,
}

impl Judge {
    /// Whether they are one of those who may agree.
    fn is_among(&self, approvers: &str) -> bool {
        match approvers.split_once(':') {
            Some(("team", slug)) => self.teams.iter().any(|team| team == slug),
            Some(("user", email)) => self.email == email.to_lowercase(),
            // Owners and admins could give the role to themselves.
            Some(("role", role)) => {
                self.role.as_str() == role || matches!(self.role, Role::Owner | Role::Admin)
            }
            _ => false,
        }
    }
}

/// Why somebody may not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalRefusal {
    /// The agent acts in their name.
    #[error("An agent that acts in your name asks for this, so somebody else has to decide.")]
    Own,
    /// No rule names them.
    #[error("No rule that asks for this approval names you, your role or a team of yours.")]
    NotAmongApprovers,
    /// Somebody else was faster, or it is too late.
    #[error("This was decided already, or its time is over.")]
    Decided,
}

impl ApprovalRefusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Own => "approval_own",
            Self::NotAmongApprovers => "approval_not_yours",
            Self::Decided => "approval_decided",
        }
    }
}

/// Whether somebody may decide about an approval.
///
/// # Errors
/// Why they may not.
pub fn may_decide(approval: &Approval, judge: &Judge, now: OffsetDateTime) -> Result<(), ApprovalRefusal> {
    if approval.user == Some(judge.user) {
        return Err(ApprovalRefusal::Own);
    }
    if !approval.needs.iter().any(|need| judge.is_among(&need.approvers)) {
        return Err(ApprovalRefusal::NotAmongApprovers);
    }
    if approval.state_at(now) != ApprovalState::Pending {
        return Err(ApprovalRefusal::Decided);
    }
    Ok(())
}

/// What somebody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This one call.
    ApproveOnce,
    /// All calls with these arguments, for so many minutes.
    ApproveFor(u32),
    /// Not at all.
    Deny,
}

/// What several decisions come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Enough agreed.
    Approved,
    /// Somebody did not.
    Denied,
    /// More have to agree.
    Open,
}

/// What votes come to: one denial denies; each need wants its quorum of those that it names.
pub fn outcome(needs: &[WrittenNeed], votes: &[(Judge, bool)]) -> Outcome {
    if votes.iter().any(|(_, is_approved)| !is_approved) {
        return Outcome::Denied;
    }
    let is_met = |need: &WrittenNeed| {
        let agreed = votes.iter().filter(|(judge, _)| judge.is_among(&need.approvers)).count();
        agreed >= usize::try_from(need.quorum.max(1)).unwrap_or(usize::MAX)
    };
    if !needs.is_empty() && needs.iter().all(is_met) { Outcome::Approved } else { Outcome::Open }
}

/// What is wrong with a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use at most 500 characters, without control characters")]
pub struct BadReason;

/// Reads what somebody says with a decision.
///
/// # Errors
/// Where it is too long or cannot be shown.
pub fn parse_reason(text: &str) -> Result<String, BadReason> {
    let text = text.trim().replace("\r\n", "\n");
    let is_shown = |c: char| !c.is_control() || c == '\n';
    if text.chars().count() > LONGEST_REASON || !text.chars().all(is_shown) {
        return Err(BadReason);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(role: Role, email: &str, teams: &[&str]) -> Judge {
        Judge {
            user: UserId::fresh(),
            email: email.to_owned(),
            role,
            teams: teams.iter().map(|team| (*team).to_owned()).collect(),
        }
    }

    fn need(approvers: &str, quorum: u32) -> WrittenNeed {
        WrittenNeed {
            layer: "grant".to_owned(),
            policy: "crew".to_owned(),
            version: 1,
            rule: "/default".to_owned(),
            name: None,
            approvers: approvers.to_owned(),
            quorum,
        }
    }

    #[test]
    fn each_need_wants_its_quorum_of_those_it_names_and_one_denial_denies() {
        let lead = judge(Role::Member, "lead@example.com", &["leads"]);
        let other = judge(Role::Member, "other@example.com", &["leads"]);
        let approver = judge(Role::Approver, "a@example.com", &[]);
        let needs = [need("team:leads", 2), need("role:approver", 1)];
        let votes = |all: &[(&Judge, bool)]| all.iter().map(|(j, a)| ((*j).clone(), *a)).collect::<Vec<_>>();
        assert_eq!(outcome(&needs, &votes(&[(&lead, true), (&approver, true)])), Outcome::Open);
        assert_eq!(outcome(&needs, &votes(&[(&lead, true), (&other, true)])), Outcome::Open);
        let all = votes(&[(&lead, true), (&other, true), (&approver, true)]);
        assert_eq!(outcome(&needs, &all), Outcome::Approved);
        assert_eq!(outcome(&needs, &votes(&[(&lead, true), (&other, false)])), Outcome::Denied);
        assert_eq!(outcome(&[], &all), Outcome::Open, "what nobody asks for is not agreed to");
    }

    #[test]
    fn a_role_is_met_by_it_and_by_those_who_could_give_it() {
        for (role, is_met) in [
            (Role::Owner, true),
            (Role::Admin, true),
            (Role::Approver, true),
            (Role::PolicyManager, false),
            (Role::Auditor, false),
            (Role::Member, false),
        ] {
            assert_eq!(judge(role, "x@example.com", &[]).is_among("role:approver"), is_met, "{role}");
        }
        assert!(judge(Role::Member, "x@example.com", &[]).is_among("user:X@Example.com"));
        assert!(!judge(Role::Owner, "x@example.com", &[]).is_among("anything"));
    }
}
