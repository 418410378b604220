//! The versions of a policy, the newest first.

use askama::Template;
use axum::extract::Path;
use time::OffsetDateTime;

use crate::{
    base::page::Page,
    domain::policy::kept::Version,
    flow::actions::policies,
    web::{
        console::{policies::Head, shell_of},
        kit::{
            ask::OrgPage,
            listing::{Asked, Listing},
            page::{PageResult, page_with},
            shell::Shell,
        },
    },
};

/// The list.
#[derive(Template)]
#[template(path = "console/policies/versions.html")]
struct VersionsPage {
    shell: Shell,
    head: Head,
    rows: Vec<VersionRow>,
    list: Listing,
}

struct VersionRow {
    href: String,
    /// What changed from the version before; empty for the first.
    changes: String,
    number: i32,
    is_live: bool,
    note: String,
    author: String,
    at: OffsetDateTime,
    restores: Option<i32>,
}

impl VersionRow {
    fn of(base: &str, live: Option<i32>, version: Version) -> Self {
        let number = version.number;
        Self {
            href: format!("{base}/{number}"),
            changes: if number > 1 { format!("{base}/{}..{number}", number - 1) } else { String::new() },
            is_live: live == Some(number),
            number,
            note: version.note,
            author: version.author_name,
            at: version.created_at,
            restores: version.restores,
        }
    }
}

pub(super) async fn list(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    mut asked: Asked,
) -> PageResult {
    let (policy, Page { items, next }) = policies::list_versions(&ask.cx, &name, &asked.page()).await?;
    let list = asked.listing(next.as_deref());
    let head = Head::of(&ask, &policy, "/versions");
    let base = format!("{}/versions", head.href);
    let page = VersionsPage {
        shell: shell_of::org(&ask, policy.name.clone()).await?.with_faults(!list.faults.is_empty()),
        head,
        rows: items.into_iter().map(|version| VersionRow::of(&base, policy.live, version)).collect(),
        list,
    };
    page_with(page.list.status(), &page)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::policies::sample_head,
        kit::{
            samples::{AT, LONG, SHARP, list, sample, shell},
            shell::Base,
        },
    };

    let row = |number: i32| VersionRow {
        href: format!("/o/acme/policies/github/versions/{number}"),
        changes: if number > 1 { "/o/acme/policies/github/versions/1..2".into() } else { String::new() },
        number,
        is_live: number == 50,
        note: if number % 2 == 0 { LONG.repeat(5) } else { String::new() },
        author: SHARP.into(),
        at: AT,
        restores: (number % 3 == 0).then_some(1),
    };
    let page = |count: i32, list| VersionsPage {
        shell: shell(Base::Organization, LONG),
        head: sample_head(LONG, count > 0, true),
        rows: (1..=count).rev().map(row).collect(),
        list,
    };
    vec![
        sample("policy, versions: none", &page(0, Listing::default())),
        sample("policy, versions: one", &page(1, Listing::default())),
        sample("policy, versions: many", &page(50, list())),
    ]
}
