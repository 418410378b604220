//! The steps of a decision as a page shows them, wherever it does.

use crate::base::{
    permission::Role,
    trace::{Finding, Fixer, Step, StepState, Trace},
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

/// The steps, for a reader with this role in the organization.
pub(super) fn lines(trace: &Trace, slug: &str, role: Role) -> Vec<TraceLine> {
    trace
        .rows()
        .map(|row| {
            let (class, glyph) = match row.state {
                StepState::Passed => ("ok", "ok"),
                StepState::Decided => ("no hit", "deny"),
                StepState::Failed => ("no hit", "warn"),
                StepState::NotReached => ("off", "dash"),
            };
            let fix = row.finding.and_then(|finding| fix(row.step, finding, slug, role));
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
fn fix(step: Step, finding: &Finding, slug: &str, role: Role) -> Option<(String, &'static str)> {
    let fixer = finding.fixer;
    // What would have passed tells an account from a secret.
    let is_account = finding.expected.contains("account");
    let is_admin = matches!(role, Role::Owner | Role::Admin);
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
        (Fixer::Person, Step::Connection) if is_account => {
            Some(("/me/accounts".to_owned(), "Look at your accounts"))
        }
        (Fixer::Person, Step::Connection) => Some(("/me/secrets".to_owned(), "Add what is missing")),
        (Fixer::Person, _) => Some(("/me/agents".to_owned(), "Look at your agents")),
        _ => None,
    }
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
    lines(&Trace::decided(Step::Tool, finding), "acme", Role::Admin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_can_mend_it_gets_the_way_there_and_nobody_else() {
        let trace = Trace::decided(Step::Tool, Finding::new("x is new.", "reviewed", Fixer::Admin));
        let of = |role| lines(&trace, "acme", role).into_iter().find(|line| line.class == "no hit");
        let admin = of(Role::Admin).expect("a step that decided");
        assert_eq!((admin.href.as_str(), admin.actual.as_str()), ("/o/acme/servers", "x is new"));
        assert_eq!(admin.fixer, "An admin");
        assert!(of(Role::Member).is_some_and(|line| line.href.is_empty()));
    }
}
