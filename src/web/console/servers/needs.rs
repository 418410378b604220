//! The secrets and accounts that a server asks for, and whom it would lack, as pages show them.

use crate::{
    domain::secrets::Scope,
    flow::actions::servers::{ForeseenNeed, Need, Wanted},
    web::kit::listing::with_query,
};

/// A secret or an account that a server asks for.
pub(super) struct NeedRow {
    pub(super) name: String,
    pub(super) whose: &'static str,
    /// What is so for whoever looks.
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) word: &'static str,
    /// Who lacks it; empty where nobody does.
    pub(super) lacking: String,
    /// What is done about it, and where; empty where it is there.
    pub(super) verb: &'static str,
    pub(super) href: String,
    pub(super) is_met: bool,
    /// Whether requests would ask for it only once a change is saved.
    pub(super) is_new: bool,
}

impl NeedRow {
    fn of(slug: &str, need: Need) -> Self {
        let is_for_all = match &need.what {
            Wanted::Secret(scope) => *scope == Scope::Org,
            Wanted::Account { is_shared_only, .. } => *is_shared_only,
        };
        let (tone, glyph, word) = match (need.is_met, is_for_all) {
            (true, true) => ("allow", "ok", "There for everybody"),
            (true, false) => ("allow", "ok", "There for you"),
            (false, true) => ("deny", "deny", "Missing for everybody"),
            (false, false) => ("ask", "warn", "Missing for you"),
        };
        let (whose, verb, href) = match &need.what {
            Wanted::Secret(Scope::Org) => {
                ("secret of the organization", "Add it", format!("/o/{slug}/secrets/new"))
            }
            Wanted::Secret(Scope::Team) => {
                ("secret of a team of whoever calls", "Add it", format!("/o/{slug}/secrets/new"))
            }
            Wanted::Secret(Scope::User) => {
                let new = format!("/me/secrets/{slug}/new");
                ("secret of whoever calls", "Add it", with_query(&new, [("name", need.name.as_str())]))
            }
            Wanted::Account { provider, is_shared_only } => {
                let whose = match is_shared_only {
                    true => "account of the registered client",
                    false => "account of whoever calls, or one that is shared with them",
                };
                (whose, "Connect it", format!("/me/accounts/{slug}/connect/{provider}"))
            }
        };
        Self {
            whose,
            tone,
            glyph,
            word,
            lacking: lacking(need.lacking.count, &need.lacking.first),
            verb,
            href: if need.is_met { String::new() } else { href },
            is_met: need.is_met,
            is_new: false,
            name: need.name,
        }
    }

    #[cfg(test)]
    pub(super) fn sample(n: usize) -> Self {
        use crate::{domain::secrets::Lacking, web::kit::samples::LONG};
        let lacking = Lacking { count: 4_711, first: vec![LONG.to_owned(); 20] };
        let account = |is_shared_only| Wanted::Account { provider: "github".into(), is_shared_only };
        let secrets = Scope::ALL.map(Wanted::Secret).into_iter();
        let what = secrets.chain([account(true), account(false)]).nth(n % 5).expect("one of five");
        let is_met = n.is_multiple_of(2);
        Self {
            is_new: !is_met,
            ..Self::of("acme", Need { name: format!("token_{n}"), what, is_met, lacking })
        }
    }
}

/// The rows of a server's page.
pub(super) fn rows(slug: &str, needs: Vec<Need>) -> Vec<NeedRow> {
    needs.into_iter().map(|need| NeedRow::of(slug, need)).collect()
}

/// The rows of a preview.
pub(super) fn foreseen(slug: &str, needs: Vec<ForeseenNeed>) -> Vec<NeedRow> {
    let row = |one: ForeseenNeed| NeedRow { is_new: one.is_new, ..NeedRow::of(slug, one.need) };
    needs.into_iter().map(row).collect()
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
