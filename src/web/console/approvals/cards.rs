//! A call that waits, as a card shows it.

use time::OffsetDateTime;

use crate::{
    base::risk::Class,
    domain::approvals::{Approval, ApprovalState, Vote, WrittenNeed},
};

/// A call that waits, or waited.
pub(super) struct Card {
    pub(super) href: String,
    pub(super) tool: String,
    pub(super) server: String,
    /// What the tool does at worst.
    pub(super) class: String,
    /// The same in words.
    pub(super) effect: String,
    /// Whether it cannot be undone.
    pub(super) is_grave: bool,
    pub(super) agent: String,
    pub(super) person: String,
    pub(super) client: String,
    /// Why it is asked, and whom.
    pub(super) needs: Vec<NeedLine>,
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) state: &'static str,
    pub(super) is_open: bool,
    pub(super) asked_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
    pub(super) decided_at: Option<OffsetDateTime>,
    pub(super) decided_by: String,
    pub(super) reason: String,
    /// Until when it may be used, where it was approved.
    pub(super) valid_until: Option<OffsetDateTime>,
    pub(super) is_single: bool,
    pub(super) uses: i32,
    /// The page that explains the call that asked.
    pub(super) call: String,
}

/// Who has to agree, and which rule says so.
pub(super) struct NeedLine {
    pub(super) who: String,
    /// The name of the rule, where it has one.
    pub(super) name: String,
    pub(super) policy: String,
    /// Where the policy has its page; empty for who may not read it.
    pub(super) policy_href: String,
    /// Which version of it, and where in it.
    pub(super) rule: String,
}

/// What somebody said.
pub(super) struct VoteLine {
    pub(super) who: String,
    pub(super) is_approved: bool,
    pub(super) reason: String,
    pub(super) at: OffsetDateTime,
}

impl From<Vote> for VoteLine {
    fn from(vote: Vote) -> Self {
        let who = vote.name.unwrap_or_else(|| "Somebody who has left".to_owned());
        Self { who, is_approved: vote.is_approved, reason: vote.reason, at: vote.at }
    }
}

impl Card {
    pub(super) fn of(base: &str, policies: &str, approval: Approval, now: OffsetDateTime) -> Self {
        let state = approval.state_at(now);
        let (tone, glyph, word) = look(state);
        let is_narrowed = approval.asked.is_some();
        let word = if is_narrowed { "Approved with other arguments" } else { word };
        let class = approval.class.parse::<Class>().ok();
        Self {
            href: format!("{base}/{}", approval.id),
            tool: approval.tool,
            server: approval.server_slug,
            class: class.map_or("", Class::label).to_owned(),
            effect: class
                .map_or_else(String::new, |class| format!("Tools of this class {}.", class.meaning())),
            is_grave: matches!(class, Some(Class::Destructive | Class::Financial)),
            agent: approval.grant_label,
            person: approval.requester_name,
            client: approval.client_name.unwrap_or_default(),
            needs: approval.needs.into_iter().map(|need| NeedLine::of(policies, need)).collect(),
            tone,
            glyph,
            state: word,
            is_open: state == ApprovalState::Pending,
            asked_at: approval.asked_at,
            expires_at: approval.expires_at,
            decided_at: approval.decided_at,
            decided_by: approval.decided_by_name.unwrap_or_default(),
            reason: approval.reason,
            valid_until: approval.valid_until,
            is_single: approval.is_single,
            uses: approval.uses,
            call: format!("/c/{}", approval.request),
        }
    }
}

const fn look(state: ApprovalState) -> (&'static str, &'static str, &'static str) {
    match state {
        ApprovalState::Pending => ("ask", "ask", "Waits"),
        ApprovalState::Approved => ("allow", "ok", "Approved"),
        ApprovalState::Denied => ("deny", "deny", "Denied"),
        ApprovalState::Expired => ("quiet", "clock", "Nobody decided in time"),
        ApprovalState::Withdrawn => ("quiet", "x", "Taken back"),
    }
}

impl NeedLine {
    /// `policies` is where policies have their pages; empty for who may not read them.
    fn of(policies: &str, need: WrittenNeed) -> Self {
        let count = need.quorum.max(1);
        let who = match need.approvers.split_once(':') {
            Some(("role", role)) => format!("{count} with the role {role}"),
            Some(("team", team)) => format!("{count} of the team {team}"),
            Some(("user", user)) => user.to_owned(),
            _ => "an admin".to_owned(),
        };
        let href = |policy: &str| format!("{policies}/{policy}");
        Self {
            who,
            name: need.name.map(|name| format!("{name}, ")).unwrap_or_default(),
            policy_href: if policies.is_empty() { String::new() } else { href(&need.policy) },
            rule: format!(" version {} at {}", need.version, need.rule),
            policy: need.policy,
        }
    }
}

#[cfg(test)]
pub(super) fn sample_card(text: &str, state: ApprovalState) -> Card {
    use crate::web::kit::samples::AT;
    let (tone, glyph, word) = look(state);
    Card {
        href: "/o/acme/approvals/x".into(),
        tool: text.into(),
        server: text.into(),
        class: "Write".into(),
        effect: text.into(),
        is_grave: true,
        agent: text.into(),
        person: text.into(),
        client: text.into(),
        needs: vec![NeedLine {
            who: text.into(),
            name: text.into(),
            policy: text.into(),
            policy_href: "/o/acme/policies/x".into(),
            rule: " version 3 at /default".into(),
        }],
        tone,
        glyph,
        state: word,
        is_open: state == ApprovalState::Pending,
        asked_at: AT,
        expires_at: AT,
        decided_at: Some(AT),
        decided_by: text.into(),
        reason: text.into(),
        valid_until: Some(AT),
        is_single: true,
        uses: 1,
        call: "/c/x".into(),
    }
}

#[cfg(test)]
pub(super) fn sample_vote(text: &str) -> VoteLine {
    VoteLine { who: text.into(), is_approved: true, reason: text.into(), at: crate::web::kit::samples::AT }
}
