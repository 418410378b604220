//! The secrets that a server asks for, and whom it would lack, as pages show them.

use crate::{domain::secrets::Scope, flow::actions::servers::Need, web::kit::listing::with_query};

/// A secret that a server asks for.
pub(super) struct NeedRow {
    pub(super) name: String,
    pub(super) whose: &'static str,
    /// What is so for whoever looks.
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) word: &'static str,
    /// Who lacks it; empty where nobody does.
    pub(super) lacking: String,
    /// Where it can be added; empty where it is there.
    pub(super) href: String,
    pub(super) is_met: bool,
}

impl NeedRow {
    fn of(slug: &str, need: Need) -> Self {
        let (tone, glyph, word) = match (need.is_met, need.scope) {
            (true, Scope::Org) => ("allow", "ok", "There for everybody"),
            (true, Scope::Team | Scope::User) => ("allow", "ok", "There for you"),
            (false, Scope::Org) => ("deny", "deny", "Missing for everybody"),
            (false, Scope::Team | Scope::User) => ("ask", "warn", "Missing for you"),
        };
        let new = match need.scope {
            Scope::User => with_query(&format!("/me/secrets/{slug}/new"), [("name", need.name.as_str())]),
            Scope::Org | Scope::Team => format!("/o/{slug}/secrets/new"),
        };
        Self {
            whose: match need.scope {
                Scope::Org => "of the organization",
                Scope::Team => "of a team of whoever calls",
                Scope::User => "of whoever calls",
            },
            tone,
            glyph,
            word,
            lacking: lacking(need.lacking.count, &need.lacking.first),
            href: if need.is_met { String::new() } else { new },
            is_met: need.is_met,
            name: need.name,
        }
    }

    #[cfg(test)]
    pub(super) fn sample(n: usize) -> Self {
        use crate::{domain::secrets::Lacking, web::kit::samples::LONG};
        let lacking = Lacking { count: 4_711, first: vec![LONG.to_owned(); 20] };
        let scope = Scope::ALL[n % 3];
        Self::of("acme", Need { name: format!("token_{n}"), scope, is_met: n.is_multiple_of(2), lacking })
    }
}

/// The rows of a server's page.
pub(super) fn rows(slug: &str, needs: Vec<Need>) -> Vec<NeedRow> {
    needs.into_iter().map(|need| NeedRow::of(slug, need)).collect()
}

/// So many members by name, and how many more.
fn lacking(count: i64, first: &[String]) -> String {
    let named = first.join(", ");
    let more = count.saturating_sub(i64::try_from(first.len()).unwrap_or(i64::MAX));
    match (count, more) {
        (0, _) => String::new(),
        (_, ..=0) => named,
        _ => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_lack_it_are_named_and_the_rest_is_counted() {
        let names = |count: usize| (0..count).map(|n| format!("P{n}")).collect::<Vec<_>>();
        assert_eq!(lacking(0, &[]), "");
        assert_eq!(lacking(2, &names(2)), "P0, P1");
        assert_eq!(lacking(7, &names(2)), "P0, P1 and 5 more");
    }
}
