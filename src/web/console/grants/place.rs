//! The page of one grant, for an admin and for the person in whose name it acts.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use time::OffsetDateTime;

use crate::{
    base::{actor::Principal, risk::Class},
    domain::grants::{GrantState, Stop},
    flow::actions::grants::{GrantFound, GrantSheet, NamedServers, ServerReach},
    web::{
        console::grants::{
            TokenRow,
            rows::{self, CallRow, Last},
            token_row,
        },
        kit::{
            flash::Toast,
            listing::{Listing, with_query},
            page::go_saying,
            parts::Crumb,
            shell::Shell,
        },
    },
};

/// Where a grant's pages stand, and what the viewer may do there.
pub(in crate::web::console) struct Place {
    /// The list it belongs to.
    pub(in crate::web::console) crumb: Crumb,
    /// The address under which grants stand.
    pub(in crate::web::console) base: String,
    /// The organization's name.
    pub(in crate::web::console) org: String,
    /// Where people, teams and service accounts have their pages; empty where the viewer has none of them.
    pub(in crate::web::console) people: String,
    /// Whether the viewer may give it other terms.
    pub(in crate::web::console) can_change: bool,
    /// Whether the viewer may suspend and revoke it, and make tokens.
    pub(in crate::web::console) can_stop: bool,
    /// Whether it is the viewer's own.
    pub(in crate::web::console) is_mine: bool,
}

/// One grant.
#[derive(Template)]
#[template(path = "console/grants/show.html")]
pub(in crate::web::console) struct GrantPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
    connect: String,
    org: String,
    principal: String,
    principal_href: String,
    all_servers: bool,
    may: Vec<Class>,
    above: Vec<Class>,
    reach: Vec<ServerReach>,
    /// Where servers have their pages; empty where the viewer has none of them.
    servers: String,
    /// What it may do tool by tool, before the name of a server; empty where the viewer has no such page.
    effective: String,
    /// The policy of its own layer; empty for none.
    policy: String,
    /// Where the policy has its page; empty where the viewer has none of it.
    policy_href: String,
    calls: Vec<CallRow>,
    /// Its calls in the audit log, for whoever may read it.
    log: String,
    networks: Vec<String>,
    clients: Vec<String>,
    expires_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    created_by: String,
    last: Last,
    live_tokens: i64,
    version: i64,
    tone: &'static str,
    glyph: &'static str,
    state: &'static str,
    suspended: Option<StopWords>,
    revoked: Option<StopWords>,
    is_expired: bool,
    is_holder_off: bool,
    /// It no longer works, and its tokens cannot either.
    is_over: bool,
    tokens: Vec<TokenRow>,
    list: Listing,
    revoke_title: String,
    revoke_action: String,
    suspend_action: String,
    can_change: bool,
    can_stop: bool,
    can_resume: bool,
    is_mine: bool,
}

/// By whom, when and why something stopped.
struct StopWords {
    at: OffsetDateTime,
    by: String,
    reason: String,
}

impl StopWords {
    fn of(stop: Stop, name: Option<String>) -> Self {
        let by = name.unwrap_or_else(|| "a service account, or somebody who has left".to_owned());
        Self { at: stop.at, by, reason: stop.reason }
    }
}

impl GrantPage {
    /// The status of the page.
    pub(in crate::web::console) fn status(&self) -> StatusCode {
        self.list.status()
    }

    /// The page as it stands for a viewer, with the list of its tokens.
    pub(in crate::web::console) fn of(
        shell: Shell,
        sheet: GrantSheet,
        place: Place,
        list: Listing,
        now: OffsetDateTime,
    ) -> Self {
        let GrantFound { entry, servers } = sheet.found;
        let principal = rows::principal_words(&entry);
        let (tone, glyph, state) = rows::standing(entry.state);
        let grant = entry.grant;
        let href = format!("{}/{}", place.base, grant.id);
        let (may, above) = rows::classes(grant.ceiling);
        let principal_href = principal_href(&place.people, grant.principal, &entry.principal_handle);
        let is_revoked = grant.revocation.is_some();
        let token = |token| match token_row(&href, token, now) {
            row if row.is_live && is_revoked => row.ended_with_its_grant(),
            row => row,
        };
        Self {
            shell: shell.with_faults(!list.faults.is_empty()),
            crumbs: vec![place.crumb],
            connect: format!("/me/agents/connect?grant={}", grant.id),
            org: place.org,
            principal,
            principal_href,
            all_servers: servers == NamedServers::All,
            may,
            above,
            calls: sheet.calls.iter().map(|call| rows::call_row(call, &sheet.reach)).collect(),
            reach: sheet.reach,
            servers: if place.people.is_empty() {
                String::new()
            } else {
                format!("{}/servers", place.people)
            },
            effective: if place.people.is_empty() {
                String::new()
            } else {
                format!("{}/policies/effective?grant={}&server=", place.people, grant.id)
            },
            policy_href: match &entry.policy_slug {
                Some(slug) if !place.people.is_empty() => format!("{}/policies/{slug}", place.people),
                _ => String::new(),
            },
            policy: entry.policy_name.unwrap_or_default(),
            log: log_href(&place.people, sheet.may_read_log, &grant.id.to_string()),
            networks: grant.bindings.cidr_texts(),
            clients: grant.bindings.clients().to_vec(),
            expires_at: grant.expires_at,
            created_at: grant.created_at,
            updated_at: grant.updated_at,
            created_by: entry.created_by_name.unwrap_or_default(),
            last: rows::last(entry.last_use),
            live_tokens: entry.live_tokens,
            version: grant.version,
            tone,
            glyph,
            state,
            is_expired: entry.state == GrantState::Expired,
            is_holder_off: entry.state == GrantState::PrincipalGone,
            is_over: grant.is_over(now),
            suspended: grant.suspension.map(|stop| StopWords::of(stop, entry.suspended_by_name)),
            revoked: grant.revocation.map(|stop| StopWords::of(stop, entry.revoked_by_name)),
            tokens: sheet.tokens.items.into_iter().map(token).collect(),
            list,
            revoke_title: format!("Revoke {}?", grant.label),
            revoke_action: format!("{href}/revoke"),
            suspend_action: format!("{href}/suspend"),
            href,
            can_change: place.can_change,
            can_stop: place.can_stop,
            can_resume: sheet.can_resume,
            is_mine: place.is_mine,
        }
    }
}

/// The audit log narrowed to the calls of a grant; empty for a viewer who may not read it, or not from here.
fn log_href(org: &str, may_read_log: bool, grant: &str) -> String {
    if org.is_empty() || !may_read_log {
        return String::new();
    }
    with_query(&format!("{org}/audit"), [("kind", "call"), ("q", format!("person:{grant}").as_str())])
}

/// Where the one in whose name it acts has a page; empty for a viewer of their own grants.
fn principal_href(people: &str, principal: Principal, handle: &str) -> String {
    match principal {
        _ if people.is_empty() => String::new(),
        Principal::User(user) => format!("{people}/members/{user}"),
        Principal::Team(_) => format!("{people}/teams/{handle}"),
        Principal::ServiceAccount(_) => format!("{people}/service-accounts/{handle}"),
    }
}

/// After a grant was suspended: on to its page, with a way back.
pub(in crate::web::console) fn suspended(href: &str, found: &GrantFound) -> Response {
    let grant = &found.entry.grant;
    let text = format!("{} is suspended. Its tokens are refused from now on.", grant.label);
    let undo = [("version", grant.version.to_string())];
    go_saying(href, Toast::with_undo(text, format!("{href}/resume"), undo))
}

/// After a grant was resumed: on to its page, with a way back.
pub(in crate::web::console) fn resumed(href: &str, found: &GrantFound) -> Response {
    let grant = &found.entry.grant;
    let text = format!("{} is in force again.", grant.label);
    let undo = [("version", grant.version.to_string())];
    go_saying(href, Toast::with_undo(text, format!("{href}/suspend"), undo))
}

/// After a grant was revoked: on to its page; there is no way back.
pub(in crate::web::console) fn revoked(href: &str, found: &GrantFound) -> Response {
    let text = format!("{} is revoked. Agents that carry its tokens are refused.", found.entry.grant.label);
    go_saying(href, Toast::say(text))
}

/// After a token was revoked: on to the grant's page.
pub(in crate::web::console) fn token_revoked(href: &str, label: &str) -> Response {
    go_saying(href, Toast::say(format!("The token {label} is revoked. Agents that carry it are refused.")))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::base::ids::ServerId;
    use crate::domain::grants::NamedServer;
    use crate::web::kit::{
        samples::{AT, LONG, SHARP, list, refused_list, sample, shell},
        shell::Base,
    };

    let reach = |n: i64| {
        let server = NamedServer {
            id: ServerId::fresh(),
            slug: SHARP.into(),
            name: LONG.into(),
            is_enabled: n % 3 > 0,
        };
        ServerReach { server, may: Class::ALL.map(|class| (class, n)).to_vec(), above: n, held: n % 2 }
    };
    let stop = || Some(StopWords { at: AT, by: LONG.into(), reason: SHARP.into() });
    let page = |count: usize, list| GrantPage {
        shell: shell(Base::Organization, LONG),
        crumbs: vec![Crumb::to("Agents", "/o/acme/agents")],
        href: "/o/acme/agents/x".into(),
        connect: "/me/agents/connect?grant=x".into(),
        org: LONG.into(),
        principal: SHARP.into(),
        principal_href: if count > 1 { "/o/acme/members/x".into() } else { String::new() },
        all_servers: count > 1,
        may: Class::ALL[..2].to_vec(),
        above: Class::ALL[2..].to_vec(),
        reach: (0..3 * i64::try_from(count).unwrap_or_default()).map(reach).collect(),
        servers: if count > 1 { "/o/acme/servers".into() } else { String::new() },
        effective: if count > 1 { "/o/acme/policies/effective?server=".into() } else { String::new() },
        policy: if count > 0 { LONG.into() } else { String::new() },
        policy_href: if count > 1 { "/o/acme/policies/x".into() } else { String::new() },
        calls: (0..count).map(|_| CallRow::sample()).collect(),
        log: if count > 1 { "/o/acme/audit?q=x".into() } else { String::new() },
        networks: vec!["2001:db8::/32".into(); count],
        clients: vec![SHARP.into(); count],
        expires_at: Some(AT).filter(|_| count > 1),
        created_at: AT,
        updated_at: AT,
        created_by: LONG.into(),
        last: Last { at: None, by: String::new() },
        live_tokens: i64::try_from(count).unwrap_or_default(),
        version: 3,
        tone: "allow",
        glyph: "ok",
        state: "Active",
        suspended: None,
        revoked: None,
        is_expired: false,
        is_holder_off: false,
        is_over: false,
        tokens: (0..count).map(TokenRow::sample).collect(),
        list,
        revoke_title: format!("Revoke {SHARP}?"),
        revoke_action: "/o/acme/agents/x/revoke".into(),
        suspend_action: "/o/acme/agents/x/suspend".into(),
        can_change: count > 1,
        can_stop: true,
        can_resume: count > 1,
        is_mine: count == 0,
    };
    let none = Listing::default;
    vec![
        sample("grant: fresh", &page(0, none())),
        sample("grant: in use", &page(2, none())),
        sample("grant: much", &page(20, list())),
        sample("grant: suspended", &GrantPage { suspended: stop(), ..page(2, none()) }),
        sample("grant: suspended by somebody else", &GrantPage { suspended: stop(), ..page(1, none()) }),
        sample(
            "grant: revoked",
            &GrantPage {
                revoked: stop(),
                is_over: true,
                tokens: vec![TokenRow::sample(0).ended_with_its_grant(), TokenRow::sample(1)],
                ..page(2, none())
            },
        ),
        sample("grant: expired", &GrantPage { is_expired: true, is_over: true, ..page(2, none()) }),
        sample("grant: holder disabled", &GrantPage { is_holder_off: true, ..page(1, none()) }),
        sample("grant: refused", &page(2, refused_list("cursor"))),
    ]
}
