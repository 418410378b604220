//! Find or jump: pages and things of an organization by a part of their name.

use axum::http::HeaderMap;
use serde::Deserialize;

use crate::{
    base::permission::Permission,
    domain::tenancy::PersonsOrg,
    flow::actions::{
        frame,
        jump::{self, Found},
    },
    web::{
        console::shell_of,
        kit::{
            ask::{OrgPage, PersonPage},
            page::{PageResult, page},
            palette::{self, Hit, Hits, JumpPage},
            query::Query,
            rail,
            routes::{Access, Routes},
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    Routes::default().page("/o/{org}/jump", Access::Member, find).page("/me/jump", Access::Person, find_own)
}

#[derive(Deserialize)]
struct JumpQuery {
    #[serde(default)]
    q: String,
}

async fn find(ask: OrgPage, headers: HeaderMap, Query(query): Query<JumpQuery>) -> PageResult {
    let found = jump::find(&ask.cx, &query.q).await?;
    let mut hits = places(&ask, &query.q);
    hits.extend(things(&ask, found));
    hits.truncate(palette::MOST);
    if headers.contains_key("hx-request") {
        return page(&Hits { query: query.q, hits });
    }
    page(&JumpPage { shell: shell_of::org(&ask, "Find or jump to").await?, query: query.q, hits })
}

/// From a person's own pages, and an operator's.
async fn find_own(ask: PersonPage, headers: HeaderMap, Query(query): Query<JumpQuery>) -> PageResult {
    let orgs = frame::of_person(&ask.cx).await?;
    let mut hits = own_places(&query.q);
    hits.extend(organizations(orgs, &query.q));
    if ask.cx.user.is_operator {
        hits.extend(operators_places(&query.q));
    }
    hits.truncate(palette::MOST);
    if headers.contains_key("hx-request") {
        return page(&Hits { query: query.q, hits });
    }
    page(&JumpPage { shell: shell_of::person(&ask, "Find or jump to").await?, query: query.q, hits })
}

/// The person's own pages, and what needs no organization.
fn own_places(words: &str) -> Vec<Hit> {
    let mut hits = palette::pages(&rail::account(""), words);
    let wanted = words.trim().to_lowercase();
    let also = [
        ("Connect an agent", "/me/agents/connect", "plug"),
        ("Stop everything of mine", "/me/stop", "shield"),
        ("API reference", "/api/docs", "code"),
    ];
    let also = also.into_iter().filter(|(label, ..)| label.to_lowercase().contains(&wanted));
    hits.extend(also.map(|(label, href, icon)| Hit {
        kind: "Pages".to_owned(),
        label: label.to_owned(),
        hint: String::new(),
        href: href.to_owned(),
        icon,
    }));
    hits
}

fn organizations(orgs: Vec<PersonsOrg>, words: &str) -> impl Iterator<Item = Hit> {
    let wanted = words.trim().to_lowercase();
    let is_sought = move |name: &str| name.to_lowercase().contains(&wanted);
    orgs.into_iter()
        .filter(move |found| is_sought(&found.org.name) || is_sought(found.org.slug.as_str()))
        .map(|found| Hit {
            kind: "Organizations".to_owned(),
            hint: found.role.label().to_owned(),
            href: format!("/o/{}", found.org.slug),
            label: found.org.name,
            icon: "org",
        })
}

fn operators_places(words: &str) -> impl Iterator<Item = Hit> {
    palette::pages(&rail::operator(""), words)
        .into_iter()
        .map(|hit| Hit { hint: "Operator".to_owned(), ..hit })
}

/// Pages that this person may open.
fn places(ask: &OrgPage, words: &str) -> Vec<Hit> {
    let cx = &ask.cx;
    let slug = cx.org.slug.as_str();
    let holds: Vec<Permission> = Permission::ALL.iter().copied().filter(|p| cx.may(*p)).collect();
    let mut hits = palette::pages(&rail::organization(slug, &holds, ""), words);
    let wanted = words.trim().to_lowercase();
    let mut also = |needs: Option<Permission>, label: &str, href: String, icon| {
        let may = needs.is_none_or(|permission| cx.may(permission));
        if may && label.to_lowercase().contains(&wanted) {
            hits.push(Hit {
                kind: "Pages".to_owned(),
                label: label.to_owned(),
                hint: String::new(),
                href,
                icon,
            });
        }
    };
    also(Some(Permission::GateRead), "Gate", format!("/o/{slug}/gate"), "gate");
    also(Some(Permission::MembersRead), "Roles", format!("/o/{slug}/roles"), "shield");
    also(Some(Permission::TeamsWrite), "New team", format!("/o/{slug}/teams/new"), "plus");
    also(Some(Permission::PoliciesWrite), "New policy", format!("/o/{slug}/policies/new"), "plus");
    also(Some(Permission::PoliciesRead), "Layers", format!("/o/{slug}/policies/layers"), "stack");
    also(Some(Permission::PoliciesRead), "Effective policy", format!("/o/{slug}/policies/effective"), "eye");
    also(Some(Permission::ServersWrite), "Add a server", format!("/o/{slug}/servers/new"), "plus");
    also(Some(Permission::ConnectionsRead), "Before rolling out", format!("/o/{slug}/wiring"), "link");
    also(Some(Permission::ProvidersWrite), "Add a provider", format!("/o/{slug}/providers/new"), "plus");
    also(Some(Permission::SecretsWrite), "New secret", format!("/o/{slug}/secrets/new"), "plus");
    also(Some(Permission::GrantsWrite), "New grant", format!("/o/{slug}/agents/new"), "plus");
    also(None, "Connect an agent", "/me/agents/connect".to_owned(), "plug");
    also(Some(Permission::ApiKeysWrite), "New API key", format!("/o/{slug}/api-keys/new"), "plus");
    also(None, "API reference", "/api/docs".to_owned(), "code");
    hits.extend(
        palette::pages(&rail::account(""), words)
            .into_iter()
            .map(|hit| Hit { hint: "You".to_owned(), ..hit }),
    );
    if cx.person.as_ref().is_some_and(|person| person.user.is_operator) {
        hits.extend(operators_places(words));
    }
    hits
}

fn things(ask: &OrgPage, found: Found) -> Vec<Hit> {
    let base = format!("/o/{}", ask.cx.org.slug);
    let hit = |kind: &str, label: String, hint: String, path: String, icon| Hit {
        kind: kind.to_owned(),
        label,
        hint,
        href: format!("{base}{path}"),
        icon,
    };
    let members = found
        .members
        .into_iter()
        .map(|m| hit("Members", m.name, m.email, format!("/members/{}", m.user), "user"));
    let teams = found
        .teams
        .into_iter()
        .map(|t| hit("Teams", t.name, t.slug.to_string(), format!("/teams/{}", t.slug), "team"));
    let accounts = found.accounts.into_iter().map(|a| {
        hit("Service accounts", a.name, a.slug.to_string(), format!("/service-accounts/{}", a.slug), "bot")
    });
    let keys = found
        .keys
        .into_iter()
        .map(|k| hit("API keys", k.name, format!("…{}", k.tail), format!("/api-keys/{}", k.id), "key"));
    let grants = found.grants.into_iter().map(|entry| {
        let path = format!("/agents/{}", entry.grant.id);
        hit("Agents", entry.grant.label, entry.principal_name, path, "plug")
    });
    let policies = found.policies.into_iter().map(|policy| {
        let path = format!("/policies/{}", policy.slug);
        hit("Policies", policy.name, policy.slug, path, "shield")
    });
    let servers = found.servers.into_iter().map(|server| {
        let path = format!("/servers/{}", server.slug);
        hit("Servers", server.name.to_string(), server.slug.to_string(), path, "server")
    });
    let providers = found.providers.into_iter().map(|provider| {
        let path = format!("/providers/{}", provider.slug);
        hit("Providers", provider.name, provider.slug.to_string(), path, "plug")
    });
    let secrets = found.secrets.into_iter().map(|secret| {
        hit("Secrets", secret.name.to_string(), String::new(), format!("/secrets/{}", secret.id), "lock")
    });
    let reached = servers.chain(providers).chain(secrets);
    members.chain(teams).chain(accounts).chain(grants).chain(policies).chain(reached).chain(keys).collect()
}
