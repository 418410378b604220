//! The list of the secrets of the organization and its teams.

use askama::Template;
use time::OffsetDateTime;

use crate::{
    base::{page::Page, permission::Permission},
    domain::secrets::{Scope, SecretFilter, StoredSecret},
    flow::actions::secrets::{self, Whose},
    web::{
        console::{secrets::list_href, shell_of},
        kit::{
            ask::OrgPage,
            listing::{Asked, Listing},
            page::{PageResult, page_with},
            parts::Choice,
            shell::Shell,
        },
    },
};

/// The list.
#[derive(Template)]
#[template(path = "console/secrets/list.html")]
struct SecretsPage {
    shell: Shell,
    base: String,
    q: String,
    scopes: Vec<Choice>,
    is_filtered: bool,
    rows: Vec<SecretRow>,
    list: Listing,
    can_add: bool,
}

/// One secret, wherever a list shows it.
pub(in crate::web::console) struct SecretRow {
    pub(in crate::web::console) href: String,
    pub(in crate::web::console) name: String,
    pub(in crate::web::console) description: String,
    pub(in crate::web::console) scope: String,
    pub(in crate::web::console) used_by: String,
    pub(in crate::web::console) rotated_at: OffsetDateTime,
    pub(in crate::web::console) last_used_at: Option<OffsetDateTime>,
    pub(in crate::web::console) is_overdue: bool,
    pub(in crate::web::console) is_unused: bool,
}

impl SecretRow {
    /// A secret whose page is below `base`.
    pub(in crate::web::console) fn of(base: &str, secret: StoredSecret, now: OffsetDateTime) -> Self {
        Self {
            href: format!("{base}/{}", secret.id),
            is_overdue: secret.is_overdue(now),
            is_unused: secret.is_unused(now),
            scope: secret.team.map_or_else(
                || secret.owner.scope().label().to_owned(),
                |team| format!("Team {}", team.name),
            ),
            used_by: used_by(&secret.used_by),
            name: secret.name,
            description: secret.description,
            rotated_at: secret.rotated_at,
            last_used_at: secret.last_used_at,
        }
    }

    #[cfg(test)]
    pub(in crate::web::console) fn sample(text: &str, n: usize) -> Self {
        use crate::web::kit::samples::AT;
        Self {
            href: format!("/o/acme/secrets/{n}"),
            name: format!("github_token_{n}"),
            description: text.to_owned(),
            scope: format!("Team {text}"),
            used_by: text.to_owned(),
            rotated_at: AT,
            last_used_at: Some(AT).filter(|_| n.is_multiple_of(2)),
            is_overdue: n.is_multiple_of(3),
            is_unused: n.is_multiple_of(2),
        }
    }
}

/// The servers that ask, in a few words; empty where none does.
fn used_by(servers: &[String]) -> String {
    const NAMED: usize = 2;
    let named = servers.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match servers.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

pub(super) async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (q, sought) = asked.search();
    let shared = [Scope::Org, Scope::Team].map(|scope| (scope.as_str(), scope));
    let (scope, chosen) = asked.one_of("scope", shared);
    let filter = SecretFilter { q: sought, scope: chosen, team: None };
    let found = secrets::list(&ask.cx, Whose::Shared, &filter, None, &asked.page()).await?;
    let Page { items, next } = found;
    let base = list_href(&ask);
    let now = ask.cx.now();
    let list = asked.listing(next.as_deref());
    // Whoever sees the list without the right to read all of it leads a team.
    let can_add = ask.cx.may(Permission::SecretsWrite) || !ask.cx.may(Permission::SecretsRead);
    let page = SecretsPage {
        shell: shell_of::org(&ask, "Secrets").await?.with_faults(!list.faults.is_empty()),
        is_filtered: !(q.is_empty() && scope.is_empty() && list.faults.is_empty()),
        q,
        scopes: scopes(&scope),
        rows: items.into_iter().map(|secret| SecretRow::of(&base, secret, now)).collect(),
        base,
        list,
        can_add,
    };
    page_with(page.list.status(), &page)
}

fn scopes(chosen: &str) -> Vec<Choice> {
    let all = [
        Choice::new("", "Organization and teams"),
        Choice::new(Scope::Org.as_str(), Scope::Org.label()),
        Choice::new(Scope::Team.as_str(), "Teams"),
    ];
    Choice::chosen_of(all, chosen)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, list, refused_list, sample, shell},
        shell::Base,
    };

    let page = |count: usize, q: &str, list: Listing| SecretsPage {
        shell: shell(Base::Organization, "Secrets"),
        base: "/o/acme/secrets".into(),
        q: q.into(),
        scopes: scopes(""),
        is_filtered: !q.is_empty() || !list.faults.is_empty(),
        rows: (0..count).map(|n| SecretRow::sample(if n == 0 { SHARP } else { LONG }, n)).collect(),
        list,
        can_add: true,
    };
    vec![
        sample("secrets: none", &page(0, "", Listing::default())),
        sample("secrets: none matches", &page(0, SHARP, refused_list("scope"))),
        sample("secrets: many", &page(50, "", list())),
    ]
}
