//! A call that waits, as a card shows it.

use time::OffsetDateTime;

use crate::{
    base::risk::Class,
    domain::approvals::{Approval, ApprovalState, Vote, WrittenNeed},
};

/// A call that waits, or waited.
pub(in crate::web::console) struct Card {
    pub(in crate::web::console) href: String,
    pub(in crate::web::console) tool: String,
    pub(in crate::web::console) server: String,
    /// What the tool does at worst.
    pub(in crate::web::console) class: String,
    /// The same in words.
    pub(in crate::web::console) effect: String,
    /// Whether it cannot be undone.
    pub(in crate::web::console) is_grave: bool,
    pub(in crate::web::console) agent: String,
    pub(in crate::web::console) person: String,
    pub(in crate::web::console) client: String,
    /// Why it is asked, and whom.
    pub(in crate::web::console) needs: Vec<NeedLine>,
    pub(in crate::web::console) tone: &'static str,
    pub(in crate::web::console) glyph: &'static str,
    pub(in crate::web::console) state: &'static str,
    pub(in crate::web::console) is_open: bool,
    pub(in crate::web::console) asked_at: OffsetDateTime,
    pub(in crate::web::console) expires_at: OffsetDateTime,
    pub(in crate::web::console) decided_at: Option<OffsetDateTime>,
    pub(in crate::web::console) decided_by: String,
    pub(in crate::web::console) reason: String,
    /// When it was taken back after somebody had agreed, and by whom.
    pub(in crate::web::console) revoked_at: Option<OffsetDateTime>,
    pub(in crate::web::console) revoked_by: String,
    /// Until when it may be used, where it was approved.
    pub(in crate::web::console) valid_until: Option<OffsetDateTime>,
    pub(in crate::web::console) is_single: bool,
    pub(in crate::web::console) uses: i32,
    /// The page that explains the call that asked.
    pub(in crate::web::console) call: String,
}

/// Who has to agree, and which rule says so.
pub(in crate::web::console) struct NeedLine {
    pub(in crate::web::console) who: String,
    /// The name of the rule, where it has one.
    pub(in crate::web::console) name: String,
    pub(in crate::web::console) policy: String,
    /// Where the policy has its page; empty for who may not read it.
    pub(in crate::web::console) policy_href: String,
    /// Which version of it, and where in it.
    pub(in crate::web::console) rule: String,
}

/// What somebody said.
pub(in crate::web::console) struct VoteLine {
    pub(in crate::web::console) who: String,
    pub(in crate::web::console) is_approved: bool,
    /// To how much they agreed; empty where they did not.
    pub(in crate::web::console) span: String,
    pub(in crate::web::console) reason: String,
    pub(in crate::web::console) at: OffsetDateTime,
}

impl From<Vote> for VoteLine {
    fn from(vote: Vote) -> Self {
        let who = vote.name.unwrap_or_else(|| "Somebody who has left".to_owned());
        let span = match vote.minutes {
            _ if !vote.is_approved => String::new(),
            None => "once".to_owned(),
            Some(1) => "for 1 minute".to_owned(),
            Some(minutes) => format!("for {minutes} minutes"),
        };
        Self { who, is_approved: vote.is_approved, span, reason: vote.reason, at: vote.at }
    }
}

impl Card {
    pub(in crate::web::console) fn of(
        base: &str,
        policies: &str,
        approval: Approval,
        now: OffsetDateTime,
    ) -> Self {
        let state = approval.state_at(now);
        let (tone, glyph, word) = look(state);
        let is_narrowed = approval.asked.is_some();
        let word = match approval.revoked_at {
            Some(_) => "Revoked",
            None if is_narrowed => "Approved with other arguments",
            None => word,
        };
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
            revoked_at: approval.revoked_at,
            revoked_by: approval.revoked_by_name.unwrap_or_default(),
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
            Some(("role", role)) => format!("{} with the role {role}", people(count)),
            Some(("team", team)) => format!("{} of the team {team}", people(count)),
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

fn people(count: u32) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{count} people") }
}

#[cfg(test)]
pub(in crate::web::console) fn sample_card(text: &str, state: ApprovalState) -> Card {
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
        revoked_at: Some(AT).filter(|_| state == ApprovalState::Withdrawn),
        revoked_by: text.into(),
        valid_until: Some(AT),
        is_single: true,
        uses: 1,
        call: "/c/x".into(),
    }
}

#[cfg(test)]
pub(in crate::web::console) fn sample_vote(text: &str) -> VoteLine {
    let at = crate::web::kit::samples::AT;
    VoteLine { who: text.into(), is_approved: true, span: "once".into(), reason: text.into(), at }
}
