//! The steps of a decision as a page shows them, wherever it does.

use url::Url;

use crate::{
    base::{
        ids::PolicyId,
        permission::{Permission, Role},
        trace::{Finding, Fixer, Step, StepState, Trace},
    },
    domain::audit::CallPart,
};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TraceLine {
    pub(super) class: &'static str,
    pub(super) glyph: &'static str,
    pub(super) label: &'static str,
    pub(super) state: &'static str,
    pub(super) actual: String,
    pub(super) expected: String,
    pub(super) fixer: String,
    /// Where it can be changed, for whoever looks at it; empty where that is not here.
    pub(super) href: String,
    pub(super) link: &'static str,
}

/// Who reads the steps of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    /// The organization's short name.
    pub(super) slug: &'a str,
    /// The reader's role in it.
    pub(super) role: Role,
    /// Whether it was an agent of the reader's own.
    pub(super) is_theirs: bool,
}

/// The steps of a call on record.
pub(super) fn of_call(call: &CallPart, reader: Reader<'_>) -> Vec<TraceLine> {
    lines(&call.trace, call.decided.as_ref().map(|part| part.policy), reader)
}

/// The steps, and the policy that decided where one did.
pub(super) fn lines(trace: &Trace, policy: Option<PolicyId>, reader: Reader<'_>) -> Vec<TraceLine> {
    trace
        .rows()
        .map(|row| {
            let (class, glyph) = match row.state {
                StepState::Passed => ("ok", "ok"),
                StepState::Decided => ("no hit", "deny"),
                StepState::Failed => ("no hit", "warn"),
                StepState::NotReached => ("off", "dash"),
            };
            let fix = row.finding.and_then(|finding| fix(row.step, finding, policy, reader));
            let (href, link) = fix.unwrap_or_default();
            TraceLine {
                class,
                glyph,
                label: row.step.label(),
                state: row.state.label(),
                actual: row.finding.map(|finding| sentence(&finding.actual)).unwrap_or_default(),
                expected: row.finding.map(|finding| sentence(&finding.expected)).unwrap_or_default(),
                fixer: row.finding.map(|finding| capital(finding.fixer.label())).unwrap_or_default(),
                href,
                link,
            }
        })
        .collect()
}

/// Where somebody who may can change what a step found.
fn fix(
    step: Step,
    finding: &Finding,
    policy: Option<PolicyId>,
    Reader { slug, role, is_theirs }: Reader<'_>,
) -> Option<(String, &'static str)> {
    let fixer = finding.fixer;
    let is_admin = matches!(role, Role::Owner | Role::Admin);
    if let Some(policy) = policy.filter(|_| is_of_policies(step) && role.may(Permission::PoliciesRead)) {
        return Some((format!("/o/{slug}/policies/{policy}"), "Open the policy"));
    }
    let page = match step {
        Step::Gate => ("gate", "Open the gate"),
        Step::Binding | Step::Principal | Step::Role => ("agents", "Look at the grant"),
        Step::Server | Step::Tool | Step::Connection => ("servers", "Look at the server"),
        _ => return None,
    };
    if fixer == Fixer::Admin && is_admin {
        return Some((format!("/o/{slug}/{}", page.0), page.1));
    }
    match (fixer, step) {
        _ if !is_theirs => None,
        (Fixer::Person, Step::Connection) => Some((own_page(&finding.actual)?, "Open the page for it")),
        (Fixer::Person, _) => Some(("/me/agents".to_owned(), "Look at your agents")),
        _ => None,
    }
}

const fn is_of_policies(step: Step) -> bool {
    matches!(step, Step::Listed | Step::Require | Step::Deny | Step::Limits | Step::Approval)
}

/// The page of a person's own that a finding names, where they see to it: each lack of a credential is told with its page.
pub(super) fn own_page(finding: &str) -> Option<String> {
    let start = finding.find("http://").or_else(|| finding.find("https://"))?;
    let address = finding[start..].split(char::is_whitespace).next()?;
    let url = Url::parse(address.trim_end_matches([';', '.', ','])).ok()?;
    // Wherever this installation was found then, it is here now.
    let page = url.path().starts_with("/me/").then(|| url.path())?;
    Some(url.query().map_or_else(|| page.to_owned(), |query| format!("{page}?{query}")))
}

/// Without the full stop that the template sets.
fn sentence(text: &str) -> String {
    text.trim_end_matches('.').to_owned()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The steps of a refused call, for sample pages.
#[cfg(test)]
pub(super) fn sample_lines() -> Vec<TraceLine> {
    let found = format!("{} is new", "a_tool_with_a_long_name_".repeat(8));
    let finding = crate::base::trace::Finding::new(found, "a definition that was reviewed", Fixer::Admin);
    let reader = Reader { slug: "acme", role: Role::Admin, is_theirs: false };
    lines(&Trace::decided(Step::Tool, finding), None, reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_can_mend_it_gets_the_way_there_and_nobody_else() {
        let trace = Trace::decided(Step::Tool, Finding::new("x is new.", "reviewed", Fixer::Admin));
        let of = |role| {
            let reader = Reader { slug: "acme", role, is_theirs: false };
            lines(&trace, None, reader).into_iter().find(|line| line.class == "no hit")
        };
        let admin = of(Role::Admin).expect("a step that decided");
        assert_eq!((admin.href.as_str(), admin.actual.as_str()), ("/o/acme/servers", "x is new"));
        assert_eq!(admin.fixer, "An admin");
        assert!(of(Role::Member).is_some_and(|line| line.href.is_empty()));
    }

    #[test]
    fn the_policy_that_decided_is_opened_by_who_may_read_it() {
        let policy = PolicyId::fresh();
        let trace = Trace::decided(Step::Deny, Finding::new("x", "y", Fixer::Admin));
        let of = |role| {
            let reader = Reader { slug: "acme", role, is_theirs: true };
            let all = lines(&trace, Some(policy), reader);
            all.into_iter().find(|line| line.class == "no hit").map(|line| line.href)
        };
        assert_eq!(of(Role::Auditor), Some(format!("/o/acme/policies/{policy}")));
        assert_eq!(of(Role::Member).as_deref(), Some(""));
    }

    #[test]
    fn a_lack_leads_the_person_whose_agent_it_was_to_its_own_page_and_nobody_else() {
        let found = "They can connect it at https://p.example/me/accounts/acme/connect/hub?agent=grt_1; then call again.";
        let trace =
            Trace::decided(Step::Connection, Finding::new(found, "a connected account", Fixer::Person));
        let of = |is_theirs| {
            let reader = Reader { slug: "acme", role: Role::Owner, is_theirs };
            lines(&trace, None, reader).into_iter().find(|line| line.class == "no hit").map(|line| line.href)
        };
        assert_eq!(of(true).as_deref(), Some("/me/accounts/acme/connect/hub?agent=grt_1"));
        assert_eq!(of(false).as_deref(), Some(""));
        for text in ["nothing", "at https://p.example/o/acme/x", "at http://p.example.", "https://"] {
            assert_eq!(own_page(text), None, "{text}");
        }
    }
}
