//! What was looked at link by link, as pages show it.

use crate::{
    base::trace::Fixer,
    flow::actions::findings::{Finding, Stand},
};

/// One thing that was looked at.
#[derive(Clone)]
pub(super) struct FindingRow {
    pub(super) label: &'static str,
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) word: &'static str,
    pub(super) found: String,
    pub(super) fix: String,
    /// Who can; empty where nothing is to be done.
    pub(super) who: &'static str,
    /// The page where that is done; empty where there is none.
    pub(super) href: String,
}

impl From<Finding> for FindingRow {
    fn from(finding: Finding) -> Self {
        let (tone, glyph, word) = look(finding.stand);
        Self {
            label: label(finding.name),
            tone,
            glyph,
            word,
            who: match finding.fixer {
                Some(Fixer::Person) => "its owner",
                Some(fixer) => fixer.label(),
                None => "",
            },
            found: finding.found,
            fix: finding.fix,
            href: finding.page,
        }
    }
}

/// Color, sign and word of how something stands.
pub(super) const fn look(stand: Stand) -> (&'static str, &'static str, &'static str) {
    match stand {
        Stand::Fine => ("allow", "ok", "Fine"),
        Stand::Look => ("ask", "warn", "Look at this"),
        Stand::Broken => ("deny", "deny", "Broken"),
        Stand::NotReached => ("quiet", "dash", "Not looked at"),
    }
}

fn label(name: &str) -> &'static str {
    match name {
        "account" => "Account",
        "address" => "Address",
        "callback" => "Way back",
        "catalogue" => "Tools",
        "credentials" => "Credentials",
        "ending" => "Ending",
        "membership" => "Owner",
        "provider" => "Provider",
        "renewal" => "Renewal",
        "scopes" => "Scopes",
        "secret" => "Secret",
        "session" => "You",
        "sign_in" => "Sign-in",
        "token" => "Token",
        "upstream" => "Servers",
        _ => "Value",
    }
}

/// Of each kind one, as samples.
#[cfg(test)]
pub(super) fn sample_rows(text: &str) -> Vec<FindingRow> {
    let told = |stand| Finding::of("scopes", stand, (text, text), Fixer::Person, "/me/accounts");
    let all = [
        Finding::fine("session", text),
        told(Stand::Look),
        told(Stand::Broken),
        Finding::not_reached("upstream"),
    ];
    all.into_iter().map(FindingRow::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_looked_at_has_a_name() {
        let all = [
            "account",
            "address",
            "callback",
            "catalogue",
            "credentials",
            "ending",
            "membership",
            "provider",
            "renewal",
            "scopes",
            "secret",
            "session",
            "sign_in",
            "token",
            "upstream",
        ];
        assert!(all.iter().all(|name| label(name) != "Value"));
        assert_eq!(label("value"), "Value");
    }
}
