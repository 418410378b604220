//! Grants and tokens as the lists of several pages show them.

use time::{Duration, OffsetDateTime};

use crate::{
    base::{actor::Principal, risk::Class},
    domain::audit::{Decision, EventRow},
    domain::grants::{Bindings, GrantEntry, GrantState, GrantToken, LastUse, TokenState},
    flow::actions::grants::{GrantFound, NamedServers, ServerReach},
    web::{console::audit::outcome, kit::parts::Choice},
};

/// How many servers a row names before it counts.
const NAMED_SERVERS: usize = 2;
/// From when on the end of a token is pointed out.
const SOON: Duration = Duration::days(7);

/// One grant in a list.
pub(in crate::web::console) struct GrantRow {
    pub(in crate::web::console) label: String,
    pub(in crate::web::console) href: String,
    pub(in crate::web::console) principal: String,
    pub(in crate::web::console) servers: String,
    pub(in crate::web::console) ceiling: &'static str,
    pub(in crate::web::console) last: Last,
    pub(in crate::web::console) expires_at: Option<OffsetDateTime>,
    pub(in crate::web::console) bindings: String,
    pub(in crate::web::console) tone: &'static str,
    pub(in crate::web::console) glyph: &'static str,
    pub(in crate::web::console) state: &'static str,
}

/// The last call: when, by which client, from where.
pub(in crate::web::console) struct Last {
    pub(in crate::web::console) at: Option<OffsetDateTime>,
    pub(in crate::web::console) by: String,
}

/// One call in a list.
pub(in crate::web::console) struct CallRow {
    pub(in crate::web::console) href: String,
    pub(in crate::web::console) at: OffsetDateTime,
    pub(in crate::web::console) what: String,
    pub(in crate::web::console) tone: &'static str,
    pub(in crate::web::console) glyph: &'static str,
    pub(in crate::web::console) outcome: &'static str,
}

/// One token in a list.
pub(in crate::web::console) struct TokenRow {
    pub(in crate::web::console) label: String,
    pub(in crate::web::console) tail: String,
    pub(in crate::web::console) created_by: String,
    pub(in crate::web::console) expires_at: OffsetDateTime,
    pub(in crate::web::console) last: Last,
    pub(in crate::web::console) is_live: bool,
    pub(in crate::web::console) tone: &'static str,
    pub(in crate::web::console) glyph: &'static str,
    pub(in crate::web::console) state: &'static str,
    pub(in crate::web::console) href: String,
    pub(in crate::web::console) dialog: String,
    pub(in crate::web::console) dialog_title: String,
    pub(in crate::web::console) dialog_action: String,
}

impl TokenRow {
    /// The same token where its grant was revoked: nothing is left to be done with it.
    pub(in crate::web::console) fn ended_with_its_grant(self) -> Self {
        Self { is_live: false, tone: "quiet", glyph: "x", state: "Ended with its grant", ..self }
    }
}

/// The rows of a list of grants whose pages stand below `base`.
pub(in crate::web::console) fn grant_rows(base: &str, found: Vec<GrantFound>) -> Vec<GrantRow> {
    found.into_iter().map(|found| grant_row(base, found)).collect()
}

/// One grant as a row.
pub(in crate::web::console) fn grant_row(base: &str, found: GrantFound) -> GrantRow {
    let principal = principal_words(&found.entry);
    let (tone, glyph, state) = standing(found.entry.state);
    let grant = found.entry.grant;
    GrantRow {
        href: format!("{base}/{}", grant.id),
        principal,
        servers: servers_words(&found.servers),
        ceiling: grant.ceiling.label(),
        last: last(found.entry.last_use),
        expires_at: grant.expires_at,
        bindings: bindings_words(&grant.bindings),
        label: grant.label,
        tone,
        glyph,
        state,
    }
}

/// One call as a row of a grant's page, with the server where the grant reaches it.
pub(in crate::web::console) fn call_row(event: &EventRow, reach: &[ServerReach]) -> CallRow {
    let (tone, glyph, outcome) = match event.decision {
        // Beside the other ends of calls, Done alone would not say what was.
        Decision::Done => ("allow", "ok", "Answered"),
        decision => outcome(decision),
    };
    CallRow {
        href: event.request.map(|request| format!("/c/{request}")).unwrap_or_default(),
        at: event.at,
        what: called(event, reach),
        tone,
        glyph,
        outcome,
    }
}

/// What was called, as `server/tool`; a refused call is on record under the tool's name alone, and one that was refused before
/// it was read under none.
fn called(event: &EventRow, reach: &[ServerReach]) -> String {
    let Some(name) = event.target_name.clone().filter(|name| !name.is_empty()) else {
        return "a call".to_owned();
    };
    let server = event.target_id.as_deref().and_then(|id| id.split('/').next());
    match reach.iter().find(|one| Some(one.server.id.to_string().as_str()) == server) {
        Some(one) if !name.starts_with(&format!("{}/", one.server.slug)) => {
            format!("{}/{name}", one.server.slug)
        }
        _ => name,
    }
}

/// One token as a row of a grant's page.
pub(in crate::web::console) fn token_row(grant: &str, token: GrantToken, now: OffsetDateTime) -> TokenRow {
    let state = token.state(now);
    let (tone, glyph, word) = match state {
        TokenState::Live if token.expires_at - now <= SOON => ("ask", "clock", "Ends soon"),
        TokenState::Live => ("allow", "ok", "Works"),
        TokenState::Expired => ("quiet", "clock", "Expired"),
        TokenState::Revoked => ("quiet", "x", "Revoked"),
    };
    TokenRow {
        href: format!("{grant}/tokens/{}", token.id),
        dialog: format!("revoke-{}", token.id),
        dialog_title: format!("Revoke the token {}?", token.label),
        dialog_action: format!("{grant}/tokens/{}/revoke", token.id),
        label: token.label,
        tail: token.tail,
        created_by: token.created_by_name.unwrap_or_default(),
        expires_at: token.expires_at,
        last: last(token.last_use),
        is_live: state == TokenState::Live,
        tone,
        glyph,
        state: word,
    }
}

/// The states that a list can be filtered by.
pub(in crate::web::console) fn state_choices(chosen: &str) -> Vec<Choice> {
    let any = Choice::new("", "Any state");
    let states = GrantState::ALL.into_iter().map(|state| Choice::new(state.as_str(), standing(state).2));
    Choice::chosen_of(std::iter::once(any).chain(states), chosen)
}

/// Tone, icon and word of a grant's state.
pub(super) const fn standing(state: GrantState) -> (&'static str, &'static str, &'static str) {
    match state {
        GrantState::Active => ("allow", "ok", "Active"),
        GrantState::Suspended => ("ask", "hide", "Suspended"),
        GrantState::Expired => ("quiet", "clock", "Expired"),
        GrantState::Revoked => ("quiet", "x", "Revoked"),
        GrantState::PrincipalGone => ("ask", "warn", "Holder disabled"),
    }
}

/// In whose name it acts: "Mara Lindqvist", "team Platform".
pub(super) fn principal_words(entry: &GrantEntry) -> String {
    match entry.grant.principal {
        Principal::User(_) => entry.principal_name.clone(),
        Principal::Team(_) => format!("team {}", entry.principal_name),
        Principal::ServiceAccount(_) => format!("service account {}", entry.principal_name),
    }
}

fn servers_words(servers: &NamedServers) -> String {
    let NamedServers::Some(servers) = servers else {
        return "All servers".to_owned();
    };
    let named: Vec<&str> = servers.iter().take(NAMED_SERVERS).map(|server| server.name.as_str()).collect();
    match servers.len() {
        0 => "None".to_owned(),
        count if count <= NAMED_SERVERS => named.join(", "),
        count => format!("{} and {} more", named.join(", "), count - NAMED_SERVERS),
    }
}

fn bindings_words(bindings: &Bindings) -> String {
    let several = |count: usize, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let parts = [
        several(bindings.cidrs().len(), "network", "networks"),
        several(bindings.clients().len(), "client", "clients"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("bound to {}", parts.join(", ")) }
}

/// The last call as a page says it.
pub(in crate::web::console) fn last(last: Option<LastUse>) -> Last {
    let Some(last) = last else {
        return Last { at: None, by: String::new() };
    };
    let client = last.client.map(|client| match client.version {
        Some(version) => format!("{} {version}", client.name),
        None => client.name,
    });
    let from = last.ip.map(|ip| format!("from {ip}"));
    Last { at: Some(last.at), by: client.into_iter().chain(from).collect::<Vec<_>>().join(" ") }
}

/// The classes that a ceiling lets pass, and those above, each with its meaning.
pub(super) fn classes(ceiling: Class) -> (Vec<Class>, Vec<Class>) {
    Class::ALL.into_iter().partition(|class| class.is_within(ceiling))
}

#[cfg(test)]
impl Last {
    fn sample() -> Self {
        let by = format!("{} 2.1.14 from 2001:db8:85a3::8a2e:370:7334", crate::web::kit::samples::SHARP);
        Self { at: Some(crate::web::kit::samples::AT), by }
    }
}

#[cfg(test)]
impl GrantRow {
    /// A row for pages that show one, in each state by turns.
    pub(in crate::web::console) fn sample(n: usize) -> Self {
        use crate::web::kit::samples::{AT, LONG, SHARP};

        let (tone, glyph, state) = standing(GrantState::ALL[n % GrantState::ALL.len()]);
        Self {
            label: LONG.into(),
            href: "/o/acme/agents/x".into(),
            principal: format!("team {SHARP}"),
            servers: "GitHub, Linear and 7 more".into(),
            ceiling: Class::Destructive.label(),
            last: Last::sample(),
            expires_at: Some(AT).filter(|_| n.is_multiple_of(2)),
            bindings: "bound to 3 networks, 2 clients".into(),
            tone,
            glyph,
            state,
        }
    }
}

#[cfg(test)]
impl CallRow {
    /// A row for pages that show one.
    pub(in crate::web::console) fn sample() -> Self {
        let (tone, glyph, outcome) = outcome(Decision::Refused);
        Self {
            href: "/c/req_x".into(),
            at: crate::web::kit::samples::AT,
            what: format!("github/{}", "of_an_organization_".repeat(5)),
            tone,
            glyph,
            outcome,
        }
    }
}

#[cfg(test)]
impl TokenRow {
    /// A row for pages that show one; every second no longer works.
    pub(in crate::web::console) fn sample(n: usize) -> Self {
        use crate::web::kit::samples::{AT, LONG, SHARP};

        Self {
            label: LONG.into(),
            tail: "gcy1".into(),
            created_by: SHARP.into(),
            expires_at: AT,
            last: Last::sample(),
            is_live: n.is_multiple_of(2),
            tone: "ask",
            glyph: "clock",
            state: "Ends soon",
            href: "/o/acme/agents/x/tokens/y".into(),
            dialog: format!("revoke-{n}"),
            dialog_title: format!("Revoke the token {SHARP}?"),
            dialog_action: "/o/acme/agents/x/tokens/y/revoke".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::ids::ServerId,
        domain::grants::{ClientSeen, NamedServer},
    };

    #[test]
    fn many_servers_are_counted_and_bindings_are_summed_up() {
        let server = |name: &str| NamedServer {
            id: ServerId::fresh(),
            slug: name.to_lowercase(),
            name: name.to_owned(),
            is_enabled: true,
        };
        let words =
            |names: &[&str]| servers_words(&NamedServers::Some(names.iter().copied().map(server).collect()));
        assert_eq!(words(&[]), "None");
        assert_eq!(words(&["GitHub", "Slack"]), "GitHub, Slack");
        assert_eq!(words(&["GitHub", "Jira", "Slack", "X"]), "GitHub, Jira and 2 more");
        assert_eq!(servers_words(&NamedServers::All), "All servers");
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let bound = Bindings::parse(&owned(&["192.0.2.0/24"]), &owned(&["a", "b"])).expect("good");
        assert_eq!(bindings_words(&bound), "bound to 1 network, 2 clients");
        assert_eq!(bindings_words(&Bindings::default()), "");
    }

    #[test]
    fn the_last_call_names_client_and_place_as_far_as_known() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let ip = Some([192, 0, 2, 1].into());
        let client = ClientSeen::of("claude-code", Some("2.1"));
        let said = |ip, client| last(Some(LastUse { at, ip, client })).by;
        assert_eq!(said(ip, client), "claude-code 2.1 from 192.0.2.1");
        assert_eq!(said(ip, None), "from 192.0.2.1");
        assert_eq!(said(None, ClientSeen::of("codex", None)), "codex");
        assert_eq!(last(None).at, None);
    }
}
