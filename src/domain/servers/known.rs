//! Well-known servers that an organization can add with a click: a data file, with the day it was checked.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::servers::Transport;

/// The file; facts only.
const FILE: &str = include_str!("known.toml");

/// How a well-known server wants to be told who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownAuth {
    /// An account, with an OAuth client that registers by itself.
    OauthDynamic,
    /// An account, with an OAuth client that describes itself by a document.
    OauthDocument,
    /// An account, with an OAuth client that somebody registers at the provider by hand.
    OauthByHand,
    /// Nothing.
    None,
}

impl KnownAuth {
    /// What it means for the person who adds the server.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::OauthDynamic => "Signs in with an account; the client registers by itself.",
            Self::OauthDocument => "Signs in with an account; the client introduces itself by a document.",
            Self::OauthByHand => "Signs in with an account; register a client at the provider first.",
            Self::None => "Answers everybody.",
        }
    }
}

/// A well-known server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownServer {
    /// The short name it would get.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What it is for, in a few words.
    pub description: String,
    /// Where it is.
    pub url: String,
    /// How it is spoken to.
    pub transport: Transport,
    /// How it wants to be told who calls.
    pub auth: KnownAuth,
    /// The day on which this was last checked.
    #[serde(skip)]
    pub checked_on: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    checked_on: String,
    server: Vec<KnownServer>,
}

static KNOWN: LazyLock<Vec<KnownServer>> = LazyLock::new(|| {
    let file: File = toml::from_str(FILE).expect("the data file is checked by a test");
    let checked_on: &'static str = String::leak(file.checked_on);
    file.server.into_iter().map(|server| KnownServer { checked_on, ..server }).collect()
});

/// All well-known servers, by name.
pub fn known_servers() -> &'static [KnownServer] {
    &KNOWN
}

/// The well-known server of that short name.
pub fn known_server(slug: &str) -> Option<&'static KnownServer> {
    KNOWN.iter().find(|server| server.slug == slug)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::servers::{NewServer, ServerForm, ServerSlug};

    #[test]
    fn every_well_known_server_could_be_added_as_it_stands() {
        for server in known_servers() {
            let form = ServerForm {
                slug: &server.slug,
                name: &server.name,
                description: &server.description,
                transport: server.transport.as_str(),
                url: &server.url,
            };
            assert!(NewServer::parse(form).is_ok(), "{server:?}");
            assert!(server.url.starts_with("https://"), "{server:?}");
            assert!(server.description.len() <= 80 && !server.description.ends_with('.'), "{server:?}");
        }
    }

    #[test]
    fn the_list_is_in_order_and_has_no_doubles() {
        let names: Vec<_> = known_servers().iter().map(|server| server.name.to_lowercase()).collect();
        assert!(names.is_sorted(), "{names:?}");
        let slugs: HashSet<_> = known_servers().iter().map(|server| &server.slug).collect();
        assert_eq!(slugs.len(), names.len());
        assert!(known_servers().iter().all(|server| server.slug.parse::<ServerSlug>().is_ok()));
        assert!(known_server("linear").is_some() && known_server("nobody").is_none());
    }
}
