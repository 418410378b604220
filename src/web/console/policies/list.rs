//! All policies.

use askama::Template;

use crate::{
    base::{page::Page, permission::Permission},
    domain::policy::kept::PolicyFilter,
    flow::actions::policies::{self, PolicyEntry, STARTERS, Starter},
    web::{
        console::{
            policies::{list_href, place_words},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            listing::{Asked, Listing},
            page::{PageResult, page_with},
            parts::Tab,
            shell::Shell,
        },
    },
};

/// The list.
#[derive(Template)]
#[template(path = "console/policies/list.html")]
struct PoliciesPage {
    shell: Shell,
    base: String,
    q: String,
    views: Vec<Tab>,
    /// Whether those are listed that were given for a time which is over.
    is_over: bool,
    rows: Vec<PolicyRow>,
    list: Listing,
    /// What to begin with, for an organization that has none yet.
    starters: &'static [Starter],
    can_write: bool,
}

/// What was given with access for a time stands in nobody's way once that is over.
const VIEWS: [(&str, &str, bool); 2] =
    [("In use or kept", "kept", false), ("Given for a time, and over", "over", true)];

struct PolicyRow {
    href: String,
    name: String,
    slug: String,
    /// The server whose tools it is about; empty for any.
    server: String,
    live: Option<i32>,
    has_draft: bool,
    is_proposed: bool,
    /// Where it is in force; empty for nowhere.
    places: String,
}

impl PolicyRow {
    fn of(base: &str, entry: PolicyEntry) -> Self {
        let PolicyEntry { policy, server } = entry;
        Self {
            href: format!("{base}/{}", policy.slug),
            name: policy.name,
            slug: policy.slug,
            server: server.unwrap_or_default(),
            live: policy.live,
            has_draft: policy.draft.is_some(),
            is_proposed: policy.proposal.is_some(),
            places: place_words(policy.places),
        }
    }
}

pub(super) async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (q, sought) = asked.search();
    let (chosen, is_over) = asked.one_of("view", VIEWS.map(|(_, word, is_over)| (word, is_over)));
    let filter =
        PolicyFilter { q: sought, server: None, over: Some((ask.cx.now(), is_over.unwrap_or_default())) };
    let Page { items, next } = policies::overview(&ask.cx, &filter, &asked.page()).await?;
    let base = list_href(&ask);
    let list = asked.listing(next.as_deref());
    let current = if chosen.is_empty() { VIEWS[0].1 } else { chosen.as_str() };
    let view = |(label, word, _): &(&str, &str, bool)| {
        Tab::new(*label, format!("{base}?view={word}"), *word == current)
    };
    let page = PoliciesPage {
        shell: shell_of::org(&ask, "Policies").await?.with_faults(!list.faults.is_empty()),
        q,
        views: VIEWS.iter().map(view).collect(),
        is_over: is_over.unwrap_or_default(),
        rows: items.into_iter().map(|entry| PolicyRow::of(&base, entry)).collect(),
        base,
        list,
        starters: &STARTERS[..3],
        can_write: ask.cx.may(Permission::PoliciesWrite),
    };
    page_with(page.list.status(), &page)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, list, refused_list, sample, shell},
        shell::Base,
    };

    let row = |n: i32| PolicyRow {
        href: format!("/o/acme/policies/{n}"),
        name: if n == 0 { SHARP.into() } else { LONG.into() },
        slug: "engineering-on-github".into(),
        server: if n % 2 == 0 { LONG.into() } else { String::new() },
        live: (n % 3 > 0).then_some(n),
        has_draft: n % 3 < 2,
        is_proposed: n % 3 == 1,
        places: if n % 2 == 0 { "the organization, 2 teams, 9 grants".into() } else { String::new() },
    };
    let page = |count: i32, q: &str, list| PoliciesPage {
        shell: shell(Base::Organization, "Policies"),
        base: "/o/acme/policies".into(),
        q: q.into(),
        views: vec![Tab::new("In use or kept", "/o/acme/policies?view=kept", true)],
        is_over: false,
        rows: (0..count).map(row).collect(),
        list,
        starters: &STARTERS[..3],
        can_write: count < 50,
    };
    vec![
        sample("policies: none", &page(0, "", Listing::default())),
        sample("policies: none matches", &page(0, SHARP, Listing::default())),
        sample("policies", &page(3, "", Listing::default())),
        sample("policies: many", &page(50, "", list())),
        sample("policies: refused", &page(1, "", refused_list("q"))),
    ]
}
