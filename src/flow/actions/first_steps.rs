//! The first steps of an organization, as data: a later part adds a row.

use crate::{
    base::permission::Permission,
    domain::{
        audit::{self, Unrecorded},
        tenancy::{StepMark, store},
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
};

/// The name under which the whole list is put away.
pub const ALL: &str = "all";

/// What steps judge by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Whether the person who looks can show a second factor.
    pub has_second_factor: bool,
    /// Members.
    pub members: i64,
    /// Invitations ever sent.
    pub invited: i64,
    /// Keys ever made.
    pub keys: i64,
    /// Servers.
    pub servers: i64,
    /// Whether the gate was ever moved.
    pub moved_gate: bool,
    /// Grants ever made.
    pub grants: i64,
    /// Tokens that an agent has called with.
    pub used_tokens: i64,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Its stable name, at most 40 characters.
    pub id: &'static str,
    /// What to do.
    pub label: &'static str,
    /// Why.
    pub hint: &'static str,
    /// The words on its button.
    pub verb: &'static str,
    /// Where it is done; `{org}` stands for the organization's short name.
    pub path: &'static str,
    /// Who can do it.
    pub needs: Permission,
    /// How its end is seen.
    pub ends: Ends,
}

/// How the end of a step is seen.
#[derive(Clone, Copy, Debug)]
pub enum Ends {
    /// By what is there.
    When(fn(&Facts) -> bool),
    /// By going there: reading leaves no other trace.
    Opened,
}

/// All steps, in the order in which they help most.
pub const STEPS: &[Step] = &[
    Step {
        id: "second-factor",
        label: "Secure your account",
        hint: "A passkey or an authenticator app: a stolen password alone then opens nothing.",
        verb: "Set up",
        path: "/me/security",
        needs: Permission::OrgRead,
        ends: Ends::When(|facts| facts.has_second_factor),
    },
    Step {
        id: "invite",
        label: "Invite a colleague",
        hint: "A second owner can help when you are away, and confirms what one person alone must not do.",
        verb: "Invite",
        path: "/o/{org}/members",
        needs: Permission::MembersWrite,
        ends: Ends::When(|facts| facts.members > 1 || facts.invited > 0),
    },
    Step {
        id: "server",
        label: "Add a server",
        hint: "What agents are to reach: choose a well-known MCP server, or enter the address of your own.",
        verb: "Add a server",
        path: "/o/{org}/servers/new",
        needs: Permission::ServersWrite,
        ends: Ends::When(|facts| facts.servers > 0),
    },
    Step {
        id: "grant",
        label: "Create a grant",
        hint: "What one agent may do, in whose name: servers, the strongest class of tools, an end.",
        verb: "Create a grant",
        path: "/o/{org}/agents/new",
        needs: Permission::GrantsWrite,
        ends: Ends::When(|facts| facts.grants > 0),
    },
    Step {
        id: "agent",
        label: "Connect an agent",
        hint: "Give your client the address and a token. The page notices its first call.",
        verb: "Connect",
        path: "/me/agents/connect",
        needs: Permission::OrgRead,
        ends: Ends::When(|facts| facts.used_tokens > 0),
    },
    Step {
        id: "api-key",
        label: "Create an API key",
        hint: "Scripts do everything the console can do. The reference is at /api/docs.",
        verb: "Create a key",
        path: "/o/{org}/api-keys/new",
        needs: Permission::ApiKeysWrite,
        ends: Ends::When(|facts| facts.keys > 0),
    },
    Step {
        id: "gate",
        label: "Try the gate",
        hint: "The emergency stop for all agents. Close and open it once, so that you know the way.",
        verb: "Go to the gate",
        path: "/o/{org}/gate",
        needs: Permission::GateWrite,
        ends: Ends::When(|facts| facts.moved_gate),
    },
    Step {
        id: "audit",
        label: "Read the audit log",
        hint: "Every change is there, with who, when and from where, in a chain that shows tampering.",
        verb: "Open the log",
        path: "/o/{org}/audit",
        needs: Permission::AuditRead,
        ends: Ends::Opened,
    },
];

/// A step as it stands for one organization and one person.
#[derive(Clone, Copy, Debug)]
pub struct StepState {
    /// The step.
    pub step: &'static Step,
    /// Whether it is done.
    pub is_done: bool,
    /// Whether somebody decided to go without it.
    pub is_skipped: bool,
}

/// The steps that this person can do, as they stand; nothing where the list was put away or nothing is left to do.
pub(super) fn judge(cx: &OrgCx, facts: &Facts, marks: &[(String, StepMark)]) -> Vec<StepState> {
    let marked = |id: &str, wanted: StepMark| marks.iter().any(|(step, mark)| step == id && *mark == wanted);
    if marked(ALL, StepMark::Skipped) {
        return Vec::new();
    }
    let steps: Vec<StepState> = STEPS
        .iter()
        .filter(|step| cx.may(step.needs))
        .map(|step| {
            let is_done = match step.ends {
                Ends::When(is_done) => is_done(facts),
                Ends::Opened => marked(step.id, StepMark::Done),
            };
            StepState { step, is_done, is_skipped: !is_done && marked(step.id, StepMark::Skipped) }
        })
        .collect();
    if steps.iter().all(|state| state.is_done || state.is_skipped) { Vec::new() } else { steps }
}

/// Skips a step, or the whole list under the name [`ALL`].
pub async fn skip(cx: &OrgCx, id: &str) -> ActionResult<()> {
    cx.require(Permission::OrgWrite)?;
    if id != ALL {
        named(id)?;
    }
    mark(cx, id, StepMark::Skipped).await
}

/// Notes that a step was opened that leaves no other trace, and tells where it leads.
pub async fn open(cx: &OrgCx, id: &str) -> ActionResult<String> {
    cx.require(Permission::OrgRead)?;
    let step = named(id)?;
    cx.require(step.needs)?;
    if matches!(step.ends, Ends::Opened) {
        mark(cx, id, StepMark::Done).await?;
    }
    Ok(place(cx, step))
}

/// Brings back what was skipped.
pub async fn resume(cx: &OrgCx) -> ActionResult<()> {
    cx.require(Permission::OrgWrite)?;
    let mut tx = cx.tx().await?;
    store::glance::resume_steps(&mut tx).await?;
    audit::commit_unrecorded(tx, Unrecorded::Preference).await?;
    Ok(())
}

/// Where a step is done.
pub fn place(cx: &OrgCx, step: &Step) -> String {
    step.path.replace("{org}", cx.org.slug.as_str())
}

fn named(id: &str) -> ActionResult<&'static Step> {
    STEPS.iter().find(|step| step.id == id).ok_or(ActionError::NotFound)
}

async fn mark(cx: &OrgCx, id: &str, mark: StepMark) -> ActionResult<()> {
    let mut tx = cx.tx().await?;
    store::glance::mark_step(&mut tx, id, mark, cx.now()).await?;
    audit::commit_unrecorded(tx, Unrecorded::Preference).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_step_has_a_name_of_its_own_that_the_table_can_keep() {
        let names: BTreeSet<&str> = STEPS.iter().map(|step| step.id).collect();
        assert_eq!(names.len(), STEPS.len());
        assert!(names.iter().all(|name| name.len() <= 40 && *name != ALL));
    }

    #[test]
    fn a_new_organization_has_everything_before_it() {
        let facts = Facts { members: 1, ..Facts::default() };
        assert!(STEPS.iter().all(|step| match step.ends {
            Ends::When(is_done) => !is_done(&facts),
            Ends::Opened => true,
        }));
    }
}
