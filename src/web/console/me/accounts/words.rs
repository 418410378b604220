//! How an account fares, in words for its owner.

use time::OffsetDateTime;

use crate::{
    domain::{
        connections::{
            AccountOwner, Blocked, Connection, ConnectionState, Obtaining, Provider, SwitchedOffBy,
        },
        policy::selector::Selector,
    },
    flow::actions::{connections::Offer, led_teams::LedTeam},
    web::kit::parts::Choice,
};

/// How an account fares.
#[derive(Clone, Debug)]
pub(super) struct Health {
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) word: &'static str,
    /// What that means, in a sentence.
    pub(super) meaning: String,
    /// What agents are answered that need it; empty where it serves them.
    pub(super) told: &'static str,
    /// Whether its owner has to do something.
    pub(super) is_broken: bool,
}

/// For which calls an account is used by its rule; empty where it has none.
pub(super) fn rule(account_if: &str) -> String {
    match account_if {
        "" => String::new(),
        // Written by a later version: no call is chosen by what cannot be read.
        rule => Selector::read(rule).map_or_else(
            |_| "a condition that this version does not know".to_owned(),
            |rule| rule.words().plain(),
        ),
    }
}

const TOLD_CONNECT: &str = "[CONNECT ACCOUNT], with a link to connect it again";

impl Health {
    pub(super) fn of(connection: &Connection, now: OffsetDateTime) -> Self {
        let provider = &connection.provider_name;
        let ended = connection.expires_at.is_some_and(|at| at <= now) && !connection.has_refresh;
        match connection.state {
            ConnectionState::Active | ConnectionState::Refreshing if ended => Self::broken(
                "Connect again",
                format!("Its token has ended, and {provider} gives no new one without you."),
            ),
            ConnectionState::Active => Self {
                tone: "allow",
                glyph: "ok",
                word: "Working",
                meaning: match connection.has_refresh {
                    true => "Its token renews itself.".to_owned(),
                    false => "Its token is used as long as it lives.".to_owned(),
                },
                told: "",
                is_broken: false,
            },
            ConnectionState::Refreshing => Self {
                tone: "allow",
                glyph: "refresh",
                word: "Renewing",
                meaning: "A new token is being fetched.".to_owned(),
                told: "",
                is_broken: false,
            },
            ConnectionState::ErrorBackoff if connection.blocked.is_some() => Self {
                tone: "ask",
                glyph: "warn",
                word: "No new tokens",
                meaning: match connection.blocked {
                    Some(Blocked::Address) => format!(
                        "The rules of this installation keep {provider} from being called. Its operator decides about addresses; \
                         you need not do anything."
                    ),
                    _ => format!(
                        "{provider} refuses the client that is registered here. An admin mends it; you need not do anything."
                    ),
                },
                told: "nothing while the token lives; then who can mend it",
                is_broken: false,
            },
            ConnectionState::ErrorBackoff => Self {
                tone: "ask",
                glyph: "warn",
                word: "Trouble at the provider",
                meaning: format!("{provider} gives no new token for now. It is tried again by itself."),
                told: "nothing while the token lives; then that it is tried again soon",
                is_broken: false,
            },
            ConnectionState::NeedsReauth => Self::broken(
                "Connect again",
                format!(
                    "{provider} gives no new token any more. Connecting again takes a moment and keeps your settings."
                ),
            ),
            ConnectionState::Revoked => Self {
                tone: "quiet",
                glyph: "dash",
                word: "Disconnected",
                meaning: "Its tokens are gone.".to_owned(),
                told: TOLD_CONNECT,
                is_broken: false,
            },
            ConnectionState::Disabled => Self {
                tone: "quiet",
                glyph: "dash",
                word: "Switched off",
                meaning: match connection.switched_off_by() {
                    Some(SwitchedOffBy::Owner) => {
                        "No call is made with it until it is switched on again.".to_owned()
                    }
                    _ => "An admin switched it off, and an admin switches it on again.".to_owned(),
                },
                told: "that it is switched off, and who can switch it on",
                is_broken: false,
            },
        }
    }

    const fn broken(word: &'static str, meaning: String) -> Self {
        Self { tone: "deny", glyph: "warn", word, meaning, told: TOLD_CONNECT, is_broken: true }
    }

    #[cfg(test)]
    pub(super) fn sample(is_broken: bool) -> Self {
        match is_broken {
            true => Self::broken("Connect again", "It gives no new token any more.".to_owned()),
            false => Self {
                tone: "allow",
                glyph: "ok",
                word: "Working",
                meaning: "Its token renews itself.".to_owned(),
                told: "",
                is_broken: false,
            },
        }
    }
}

/// What becomes of an account at its provider when it is disconnected.
pub(super) const fn ends(obtaining: Obtaining, can_revoke: bool, is_elsewhere: bool) -> &'static str {
    match (obtaining, can_revoke, is_elsewhere) {
        (Obtaining::Key, ..) => {
            "It is destroyed here. The key itself works at the provider until you delete it there."
        }
        (Obtaining::Client, false, _) => {
            "Its tokens are destroyed here. The provider cannot be told; those that it gave end by themselves."
        }
        (_, true, true) => {
            "Its tokens are destroyed here, and the provider is told to end them. The same account is connected here another time, \
             and the provider may end both: that one may have to be connected again."
        }
        (_, true, false) => "Its tokens are destroyed here, and the provider is told to end them.",
        (Obtaining::SignIn, false, _) => {
            "Its tokens are destroyed here. The provider lets nobody else end them: remove Portreeve under connected apps in \
             your settings there."
        }
    }
}

/// What is left for its owner to do at the provider once it was disconnected; empty where nothing is.
pub(super) fn left(provider: &str, obtaining: Obtaining, can_revoke: bool) -> String {
    match (obtaining, can_revoke) {
        (Obtaining::Client, _) => String::new(),
        (Obtaining::Key, _) => {
            format!("{provider} was told nothing: the key works there until you delete it.")
        }
        (Obtaining::SignIn, true) => format!(
            "{provider} was told to end its tokens, and is told again for a day where it does not answer. If Portreeve is still \
             listed among the apps in your settings there, remove it."
        ),
        (Obtaining::SignIn, false) => format!(
            "{provider} lets nobody else end its tokens: remove Portreeve under connected apps in your settings there."
        ),
    }
}

/// Whose a shared account is; empty for a person's.
pub(super) fn whose(owner: AccountOwner, name: &str) -> String {
    match owner {
        AccountOwner::User(_) => String::new(),
        AccountOwner::Team(_) => format!("of the team {name}"),
        AccountOwner::Org => "of everybody".to_owned(),
    }
}

/// For whom an account can be connected; nothing where there is no choice.
pub(super) fn owners(offer: &Offer, chosen: &str) -> Vec<Choice> {
    if !offer.sharing.is_any() {
        return Vec::new();
    }
    let is_shared_only = offer.provider.obtaining() == Obtaining::Client;
    let chosen = match chosen {
        "" if is_shared_only && offer.sharing.everybody => "org",
        "" if !is_shared_only => "me",
        chosen => chosen,
    };
    let everybody = offer.sharing.everybody.then(|| Choice::new("org", "Everybody here"));
    let team = |team: &LedTeam| Choice::new(format!("team:{}", team.slug), format!("The team {}", team.name));
    let oneself = (!is_shared_only).then(|| Choice::new("me", "You alone"));
    oneself
        .into_iter()
        .chain(everybody)
        .chain(offer.sharing.teams.iter().map(team))
        .map(|choice| choice.chosen_by(chosen))
        .collect()
}

/// The host where people agree.
pub(super) fn host(provider: &Provider) -> String {
    provider.host().unwrap_or_default()
}
