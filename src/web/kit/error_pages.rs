//! The pages shown when a request cannot be answered as asked.
//!
//! Each says what happened, why, what to do, and the request's id.
//!
//! Invariant: none tells internals; a thing that a person may not know of looks like one that does not exist.

use askama::Template;

use crate::{base::permission::Role, web::kit::shell::Shell};

/// 404: nothing is here, or nothing this person may know of.
#[derive(Debug, Template)]
#[template(path = "errors/not_found.html")]
pub struct NotFound {
    /// The frame.
    pub shell: Shell,
    /// Where a person goes from here.
    pub home: String,
}

/// 403: the person may know of the page but not open it, or not do this.
#[derive(Debug, Template)]
#[template(path = "errors/forbidden.html")]
pub struct Forbidden {
    /// The frame.
    pub shell: Shell,
    /// What needs the permission, as a sentence without subject: "Invite, change roles, off-board".
    pub wanted: String,
    /// The roles that carry it.
    pub roles: Vec<Role>,
    /// The role the person has, in words.
    pub role: String,
    /// People who can give the role: names, or nothing when nobody is to be named.
    pub givers: Vec<String>,
    /// Where the roles are explained; empty where that is not known.
    pub matrix: String,
    /// Where a person goes from here.
    pub home: String,
}

/// 500: our fault.
#[derive(Debug, Template)]
#[template(path = "errors/failed.html")]
pub struct Failed {
    /// The frame.
    pub shell: Shell,
    /// Where a person goes from here.
    pub home: String,
}

/// 503: not now.
#[derive(Debug, Template)]
#[template(path = "errors/away.html")]
pub struct Away {
    /// The frame.
    pub shell: Shell,
    /// What is missing, as a sentence: "The database does not answer."
    pub why: String,
}

/// 422: what stands after the question mark of the address cannot be read.
#[derive(Debug, Template)]
#[template(path = "errors/bad_address.html")]
pub struct BadAddress {
    /// The frame.
    pub shell: Shell,
    /// Which parameter, why, and what to do.
    pub why: String,
    /// The address without its query.
    pub plain: String,
}

/// What was asked for was refused for a reason of its own: a rule, a change by someone else, too many attempts.
#[derive(Debug, Template)]
#[template(path = "errors/not_done.html")]
pub struct NotDone {
    /// The frame.
    pub shell: Shell,
    /// What is so, and what to do.
    pub why: String,
    /// The fields that need attention, where a form could not be shown again.
    pub faults: Vec<String>,
    /// Where a person goes from here.
    pub home: String,
}

impl Forbidden {
    /// What was wanted, as it goes on after "the right to".
    pub fn wanted_in_words(&self) -> String {
        let mut letters = self.wanted.chars();
        letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
    }

    /// The roles in words: "owner or admin".
    pub fn roles_in_words(&self) -> String {
        let names: Vec<String> = self.roles.iter().map(|role| role.label().to_lowercase()).collect();
        join(&names, "or")
    }

    /// The people in words: "Ines Duarte and Jonas Weber".
    pub fn givers_in_words(&self) -> String {
        join(&self.givers, "and")
    }
}

/// Joins words as a sentence does: "a, b and c".
fn join(words: &[String], last: &str) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [head @ .., tail] => format!("{} {last} {tail}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::kit::shell::Base;

    #[test]
    fn a_refusal_names_the_roles_and_who_can_give_them() {
        let page = Forbidden {
            shell: Shell::new(Base::Open, "Not allowed"),
            wanted: "Read the audit log".into(),
            roles: vec![Role::Owner, Role::Admin, Role::PolicyManager],
            role: "Member".into(),
            givers: vec!["Ines Duarte".into(), "Jonas Weber".into()],
            matrix: "/o/acme/roles".into(),
            home: "/me".into(),
        };
        let html = page.render().expect("renders");
        assert!(html.contains("the right to <b>read the audit log</b>"), "{html}");
        assert!(html.contains("owner, admin or policy manager"), "{html}");
        assert!(html.contains("Ines Duarte and Jonas Weber"), "{html}");
    }

    #[test]
    fn a_name_cannot_become_markup() {
        let mut shell = Shell::new(Base::Open, "<b>x</b>");
        shell.request_id = "\"><script>".into();
        let html = NotFound { shell, home: "/".into() }.render().expect("renders");
        assert!(!html.contains("<b>x") && !html.contains("<script>"), "{html}");
    }
}
