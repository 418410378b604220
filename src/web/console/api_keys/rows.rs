//! Keys as the lists of several pages show them.

use time::{Duration, OffsetDateTime};

use crate::{
    base::actor::KeyOwner,
    domain::automation::{ApiKeyEntry, KeyState, Scopes},
    web::kit::ask::OrgPage,
};

/// How many scopes a row names before it counts.
const NAMED_SCOPES: usize = 2;
/// From when on the end of a key is pointed out.
const SOON: Duration = Duration::days(7);

/// One key in a list.
pub(in crate::web::console) struct KeyRow {
    pub(in crate::web::console) name: String,
    pub(in crate::web::console) href: String,
    pub(in crate::web::console) tail: String,
    pub(in crate::web::console) owner: String,
    pub(in crate::web::console) owner_kind: String,
    pub(in crate::web::console) owner_href: String,
    pub(in crate::web::console) scopes: String,
    pub(in crate::web::console) created_by: String,
    pub(in crate::web::console) last_used_at: Option<OffsetDateTime>,
    pub(in crate::web::console) last_used_ip: String,
    pub(in crate::web::console) expires_at: Option<OffsetDateTime>,
    pub(in crate::web::console) tone: &'static str,
    pub(in crate::web::console) glyph: &'static str,
    pub(in crate::web::console) state: &'static str,
}

/// The rows of a list of keys.
pub(in crate::web::console) fn key_rows(ask: &OrgPage, entries: Vec<ApiKeyEntry>) -> Vec<KeyRow> {
    entries.into_iter().map(|entry| key_row(ask, entry)).collect()
}

/// One key as a row.
pub(super) fn key_row(ask: &OrgPage, entry: ApiKeyEntry) -> KeyRow {
    let base = format!("/o/{}", ask.cx.org.slug);
    let (owner_kind, owner_href) = match entry.key.owner {
        KeyOwner::User(user) => (entry.owner_handle, format!("{base}/members/{user}")),
        KeyOwner::ServiceAccount(_) => {
            let href = format!("{base}/service-accounts/{}", entry.owner_handle);
            ("service account".to_owned(), href)
        }
    };
    let is_ending = entry.key.expires_at.is_some_and(|at| at - ask.cx.now() <= SOON);
    let (tone, glyph, state) = standing(entry.state, is_ending);
    KeyRow {
        href: format!("{base}/api-keys/{}", entry.key.id),
        scopes: scopes_in_words(&entry.key.scopes),
        name: entry.key.name,
        tail: entry.key.tail,
        owner: entry.owner_name,
        owner_kind,
        owner_href,
        created_by: entry.created_by_name.unwrap_or_default(),
        last_used_at: entry.key.last_used_at,
        last_used_ip: entry.key.last_used_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        expires_at: entry.key.expires_at,
        tone,
        glyph,
        state,
    }
}

/// Tone, icon and word of a key's state.
const fn standing(state: KeyState, is_ending: bool) -> (&'static str, &'static str, &'static str) {
    match (state, is_ending) {
        (KeyState::Live, false) => ("allow", "ok", "Works"),
        (KeyState::Live, true) => ("ask", "clock", "Ends soon"),
        (KeyState::Revoked, _) => ("quiet", "x", "Revoked"),
        (KeyState::Expired, _) => ("quiet", "clock", "Expired"),
        (KeyState::OwnerDisabled, _) => ("ask", "warn", "Owner disabled"),
        (KeyState::OrgClosed, _) => ("deny", "deny", "Organization closed"),
    }
}

/// What a key may, in one line.
fn scopes_in_words(scopes: &Scopes) -> String {
    let Scopes::Only(permissions) = scopes else {
        return "Everything its owner may".to_owned();
    };
    let named: Vec<&str> = permissions.iter().take(NAMED_SCOPES).map(|p| p.label()).collect();
    match permissions.len() {
        0 => "Nothing".to_owned(),
        count if count <= NAMED_SCOPES => named.join("; "),
        count => format!("{}; {} more", named.join("; "), count - NAMED_SCOPES),
    }
}

#[cfg(test)]
impl KeyRow {
    /// A row for pages that show one.
    pub(in crate::web::console) fn sample(name: &str) -> Self {
        let at = crate::web::kit::samples::AT;
        Self {
            name: name.into(),
            href: "/o/acme/api-keys/x".into(),
            tail: "9x2m".into(),
            owner: name.into(),
            owner_kind: "service account".into(),
            owner_href: "/o/acme/service-accounts/x".into(),
            scopes: "See members; See teams; 11 more".into(),
            created_by: name.into(),
            last_used_at: Some(at),
            last_used_ip: "203.0.113.7".into(),
            expires_at: Some(at),
            tone: "ask",
            glyph: "clock",
            state: "Ends soon",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_words_and_many_are_counted() {
        let words = |texts: &[&str]| scopes_in_words(&Scopes::parse(texts).expect("good"));
        assert_eq!(words(&["*"]), "Everything its owner may");
        assert_eq!(words(&["teams:read"]), "See teams");
        assert_eq!(
            words(&["teams:read", "gate:write", "audit:read"]),
            "See teams; Close and open the gate; 1 more"
        );
    }
}
