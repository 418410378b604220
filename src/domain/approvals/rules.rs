//! Who may decide, and what several decisions come to.

use crate::{
    base::{ids::UserId, permission::Role},
    domain::approvals::{Approval, ApprovalState, Vote, WrittenNeed},
};
use time::OffsetDateTime;

/// The longest time for which an approval may be given, in minutes.
pub const LONGEST_FOR: u32 = 24 * 60;

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
    /// Whether the organization lets people decide what agents in their own name ask.
    pub decides_own: bool,
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

    /// Whether one of these needs names them.
    pub fn is_asked(&self, needs: &[WrittenNeed]) -> bool {
        needs.iter().any(|need| self.is_among(&need.approvers))
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
    if approval.user == Some(judge.user) && !judge.decides_own {
        return Err(ApprovalRefusal::Own);
    }
    if !judge.is_asked(&approval.needs) {
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

impl Verdict {
    /// For how many minutes; none where it is not for a while.
    pub const fn minutes(self) -> Option<u32> {
        match self {
            Self::ApproveFor(minutes) => Some(minutes),
            Self::ApproveOnce | Self::Deny => None,
        }
    }
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

/// To what several agree together, each to one call or for so many minutes: to one call where any of them does, else for
/// the shortest time. Only those count whom a need names.
pub fn narrowest(needs: &[WrittenNeed], agreed: &[(Judge, Option<u32>)]) -> Option<u32> {
    // None is the least.
    agreed.iter().filter(|(judge, _)| judge.is_asked(needs)).map(|(_, minutes)| *minutes).min().flatten()
}

/// Of these needs those that too few people could meet, whoever of them agrees. Who asks counts only where they may decide
/// about agents of their own.
pub fn unmet<'a>(needs: &'a [WrittenNeed], judges: &[Judge], asker: Option<UserId>) -> Vec<&'a WrittenNeed> {
    let counts = |judge: &&Judge| judge.decides_own || Some(judge.user) != asker;
    let is_unmet = |need: &&WrittenNeed| {
        let able = judges.iter().filter(counts).filter(|judge| judge.is_among(&need.approvers)).count();
        able < usize::try_from(need.quorum.max(1)).unwrap_or(usize::MAX)
    };
    needs.iter().filter(is_unmet).collect()
}

/// Why what was agreed to is not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeRefusal {
    /// Somebody else gave it, and they could not have.
    #[error("Only who agreed to this, who could have, and those who may revoke the grant can revoke it.")]
    NotYours,
    /// There is nothing to take back.
    #[error("This is not approved, or it is used up or over, so there is nothing to revoke.")]
    Over,
}

impl RevokeRefusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotYours => "approval_not_yours",
            Self::Over => "approval_over",
        }
    }
}

/// Why somebody may decide, but not agree to other arguments than were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NarrowRefusal {
    /// Somebody agreed to what was asked.
    #[error(
        "Somebody agreed to this call as it was asked, so its arguments stay as they are: approve it as it is, or deny it and say what you would agree to."
    )]
    Voted,
    /// One vote does not settle it.
    #[error(
        "More people have to agree to this call, so one alone cannot change its arguments: approve it as it is, or deny it and say what you would agree to."
    )]
    Quorum,
    /// What is read, and what an extension does, has no arguments of its own.
    #[error("Only the arguments of a tool can be changed: approve this as it is, or deny it.")]
    NoTool,
    /// Not all that was asked is kept, so nobody can say what would stay of it.
    #[error(
        "A policy keeps some of these arguments from being stored, so they cannot be changed here: approve the call as it is, or deny it and say what you would agree to."
    )]
    Masked,
}

impl NarrowRefusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Voted => "approval_narrow_voted",
            Self::Quorum => "approval_narrow_quorum",
            Self::NoTool => "approval_narrow_no_tool",
            Self::Masked => "approval_narrow_masked",
        }
    }
}

/// Whether somebody who may decide may agree to other arguments than were asked: only where their vote settles it, for
/// others would have to agree to what they never saw.
///
/// # Errors
/// Why they may not.
pub fn may_narrow(approval: &Approval, judge: &Judge, votes: &[Vote]) -> Result<(), NarrowRefusal> {
    if !votes.is_empty() {
        return Err(NarrowRefusal::Voted);
    }
    if outcome(&approval.needs, &[(judge.clone(), true)]) != Outcome::Approved {
        return Err(NarrowRefusal::Quorum);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::ids::{ApprovalId, DataKeyId, GrantId, RequestId, ServerId},
        domain::approvals::Kept,
    };

    fn judge(role: Role, email: &str, teams: &[&str]) -> Judge {
        Judge {
            user: UserId::fresh(),
            email: email.to_owned(),
            role,
            teams: teams.iter().map(|team| (*team).to_owned()).collect(),
            decides_own: false,
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

    fn asked(needs: Vec<WrittenNeed>) -> Approval {
        let at = OffsetDateTime::UNIX_EPOCH;
        Approval {
            id: ApprovalId::fresh(),
            state: ApprovalState::Pending,
            grant: GrantId::fresh(),
            grant_label: "Agent".to_owned(),
            user: None,
            requester_name: "Ada".to_owned(),
            client_name: None,
            server: ServerId::fresh(),
            server_slug: "github".to_owned(),
            tool: "create_issue".to_owned(),
            class: "write".to_owned(),
            fingerprint: vec![1],
            policies_digest: vec![2],
            arguments: Kept { digest: vec![3], sealed: vec![4], key: DataKeyId::fresh() },
            asked: None,
            needs,
            request: RequestId::fresh(),
            asked_at: at,
            expires_at: at,
            nudged_at: None,
            is_single: true,
            valid_until: None,
            reason: String::new(),
            decided_at: None,
            decided_by_name: None,
            revoked_at: None,
            revoked_by_name: None,
            uses: 0,
            version: 1,
        }
    }

    #[test]
    fn several_agree_to_the_least_that_one_of_them_does() {
        let needs = [need("role:approver", 2)];
        let approver = || judge(Role::Approver, "a@example.com", &[]);
        let member = judge(Role::Member, "m@example.com", &[]);
        let agreed = |all: &[Option<u32>]| {
            let all: Vec<_> = all.iter().map(|minutes| (approver(), *minutes)).collect();
            narrowest(&needs, &all)
        };
        assert_eq!(agreed(&[None, Some(1440)]), None);
        assert_eq!(agreed(&[Some(60), None]), None);
        assert_eq!(agreed(&[Some(60), Some(1440), Some(15)]), Some(15));
        let with_other = [(approver(), Some(60)), (member, None)];
        assert_eq!(narrowest(&needs, &with_other), Some(60), "who is not asked narrows nothing");
    }

    #[test]
    fn what_too_few_could_agree_to_is_found() {
        let lead = judge(Role::Member, "lead@example.com", &["leads"]);
        let owner = judge(Role::Owner, "owner@example.com", &[]);
        let (lead_id, judges) = (lead.user, [lead, owner]);
        let needs =
            [need("team:leads", 1), need("team:leads", 2), need("team:nope", 1), need("role:approver", 1)];
        let quorums = |asker| {
            unmet(&needs, &judges, asker)
                .into_iter()
                .map(|need| (need.approvers.as_str(), need.quorum))
                .collect::<Vec<_>>()
        };
        assert_eq!(quorums(None), [("team:leads", 2), ("team:nope", 1)]);
        assert_eq!(quorums(Some(lead_id)), [("team:leads", 1), ("team:leads", 2), ("team:nope", 1)]);
    }

    #[test]
    fn who_asks_decides_only_where_the_organization_lets_them() {
        let mut own = judge(Role::Approver, "a@example.com", &[]);
        let mut approval = asked(vec![need("role:approver", 1)]);
        (approval.user, approval.expires_at) =
            (Some(own.user), OffsetDateTime::UNIX_EPOCH + time::Duration::HOUR);
        let now = OffsetDateTime::UNIX_EPOCH;
        assert_eq!(may_decide(&approval, &own, now), Err(ApprovalRefusal::Own));
        own.decides_own = true;
        assert_eq!(may_decide(&approval, &own, now), Ok(()));
        own.role = Role::Member;
        assert_eq!(may_decide(&approval, &own, now), Err(ApprovalRefusal::NotAmongApprovers));
    }

    #[test]
    fn only_whose_one_vote_settles_it_may_agree_to_other_arguments() {
        let approver = judge(Role::Approver, "a@example.com", &["leads"]);
        let one = asked(vec![need("role:approver", 1), need("team:leads", 1)]);
        assert_eq!(may_narrow(&one, &approver, &[]), Ok(()));
        let vote = |is_approved| Vote {
            user: UserId::fresh(),
            name: None,
            is_approved,
            minutes: None,
            reason: String::new(),
            at: OffsetDateTime::UNIX_EPOCH,
        };
        assert_eq!(may_narrow(&one, &approver, &[vote(true)]), Err(NarrowRefusal::Voted));
        for needs in [
            vec![need("role:approver", 2)],
            vec![need("role:approver", 1), need("team:others", 1)],
            Vec::new(),
        ] {
            assert_eq!(may_narrow(&asked(needs), &approver, &[]), Err(NarrowRefusal::Quorum));
        }
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
