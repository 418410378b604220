//! Well-known servers that an organization can add with a click: a data file, with the day it was checked.
//!
//! Some entries say what an account has to have been granted for tools; that stands with a tool when it is first seen, and people
//! change it there. Some entries hold facts about tools too, where what a tool's name says of it is wrong or is not all there is to say. They
//! change no class; they are what a suggested policy rests on beside the classes.
//!
//! Invariant: a server is taken for a well-known one by where it is, never by what it or anybody calls it.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::{
    base::risk::{Class, Handling},
    domain::servers::{ServerSlug, ToolName, Transport, parse_url},
};

/// The file; facts only.
const FILE: &str = include_str!("known.toml");

/// How a well-known server wants to be told who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
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
    /// What is known of some of its tools.
    #[serde(default, rename = "tool")]
    pub tools: Vec<KnownTool>,
    /// What an account has to have been granted for some of its tools: a scope, and the tools.
    #[serde(default)]
    pub scopes: BTreeMap<String, Vec<String>>,
    /// The day on which that was last checked; there wherever there are any.
    #[serde(default)]
    pub tools_checked_on: Option<String>,
    /// The day on which the rest was last checked.
    #[serde(skip)]
    pub checked_on: &'static str,
}

/// What is known of tools of a well-known server beside what their names say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownTool {
    /// The tool's name, or a text with `*` for anything.
    pub name: String,
    /// What such tools do at worst, where their names say something else.
    #[serde(default)]
    pub class: Option<Class>,
    /// What a careful policy does with them, where that does not follow from the class.
    #[serde(default)]
    pub handling: Option<Handling>,
    /// Why, as a sentence for a person.
    pub reason: String,
}

impl KnownServer {
    /// Whether all of these words are about it.
    pub fn is_found_by(&self, words: &str) -> bool {
        let text = format!("{} {} {}", self.slug, self.name, self.description).to_lowercase();
        words.split_whitespace().all(|word| text.contains(&word.to_lowercase()))
    }

    /// What an account has to have been granted for a tool, as far as it is known.
    pub fn scopes_of(&self, tool: &ToolName) -> Vec<&str> {
        let is_for = |tools: &Vec<String>| tools.iter().any(|name| name == tool.as_str());
        self.scopes.iter().filter(|(_, tools)| is_for(tools)).map(|(scope, _)| scope.as_str()).collect()
    }
}

impl KnownTool {
    /// What a careful policy does with such tools.
    pub fn wanted(&self) -> Handling {
        let by_class = self.class.map(Class::handling);
        // The file is checked to say one of the two; a fact without either would hide.
        self.handling.or(by_class).unwrap_or(Handling::Hide)
    }
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

/// The well-known server that one at this address is: the same host, and there the same path, or the short name that it was
/// added from where the path has moved since.
pub fn known_at(url: &str, slug: &ServerSlug) -> Option<&'static KnownServer> {
    let here = parse_url(url).ok()?;
    let path = |url: &str| url.trim_end_matches('/').to_owned();
    KNOWN.iter().find(|server| {
        let Ok(there) = parse_url(&server.url) else { return false };
        let is_there = here.url().scheme() == there.url().scheme()
            && here.host() == there.host()
            && here.url().port() == there.url().port();
        is_there && (path(here.url().path()) == path(there.url().path()) || server.slug == slug.as_str())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::servers::{NewServer, ServerForm, classify};

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

    #[test]
    fn facts_about_tools_are_dated_and_say_one_thing_each_and_why() {
        let is_date = |text: &str| {
            let format = time::macros::format_description!("[year]-[month]-[day]");
            time::Date::parse(text, format).is_ok()
        };
        assert!(known_servers().iter().any(|server| !server.tools.is_empty()));
        for server in known_servers() {
            let dated = server.tools_checked_on.as_deref().is_some_and(is_date);
            let has_facts = !server.tools.is_empty() || !server.scopes.is_empty();
            assert_eq!(dated, has_facts, "{}", server.slug);
            let names: Vec<_> = server.tools.iter().map(|tool| tool.name.as_str()).collect();
            assert!(names.is_sorted_by(|a, b| a < b), "{}: {names:?} in order, once each", server.slug);
            for tool in &server.tools {
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.*".contains(c);
                assert!(!tool.name.is_empty() && tool.name.chars().all(is_plain), "{tool:?}");
                assert_ne!(tool.class.is_some(), tool.handling.is_some(), "{tool:?}");
                assert!(tool.reason.ends_with('.') && tool.reason.len() <= 200, "{tool:?}");
                let starts = tool.reason.chars().next().is_some_and(char::is_uppercase);
                assert!(starts && !tool.reason.contains(char::is_control), "{tool:?}");
            }
        }
    }

    #[test]
    fn scopes_of_tools_are_in_order_and_of_names_that_tools_have() {
        let of =
            |tool: &str| known_server("github").expect("known").scopes_of(&tool.parse().expect("a name"));
        assert_eq!(
            (of("create_gist"), of("merge_pull_request"), of("get_me")),
            (vec!["gist"], vec!["repo"], vec![])
        );
        for (scope, tools) in known_servers().iter().flat_map(|server| &server.scopes) {
            assert!(!scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic()), "{scope}");
            assert!(tools.is_sorted_by(|a, b| a < b), "{scope}: {tools:?} in order, once each");
            assert!(
                !tools.is_empty() && tools.iter().all(|name| name.parse::<ToolName>().is_ok()),
                "{scope}"
            );
        }
    }

    #[test]
    fn a_fact_says_what_the_name_does_not_and_only_one_of_a_whole_name_makes_milder() {
        for (server, tool) in
            known_servers().iter().flat_map(|one| one.tools.iter().map(move |tool| (one, tool)))
        {
            let name: ToolName = tool.name.replace('*', "x").parse().expect("a name");
            let by_name = classify(&name, &serde_json::json!({})).class.handling();
            // What its arguments say may be stricter than what its name does; a fact may stand against that.
            let is_told = tool.wanted() == by_name && tool.class != Some(Class::Read);
            assert!(!is_told, "{}: {} is told by its name", server.slug, tool.name);
            let is_milder = tool.wanted() < by_name;
            assert!(!is_milder || !tool.name.contains('*'), "{}: {}", server.slug, tool.name);
            assert!(by_name != Handling::Hide, "{}: {} is hidden by its class", server.slug, tool.name);
        }
    }

    #[test]
    fn a_server_is_known_by_where_it_is() {
        let at = |url: &str, slug: &str| {
            let slug: ServerSlug = slug.parse().expect("a slug");
            known_at(url, &slug).map(|server| server.slug.as_str())
        };
        assert_eq!(at("https://mcp.linear.app/mcp", "tickets"), Some("linear"));
        assert_eq!(at("https://mcp.linear.app/mcp/?team=a", "tickets"), Some("linear"));
        assert_eq!(at("https://mcp.vercel.com", "deploys"), Some("vercel"));
        assert_eq!(at("https://mcp.linear.app/sse", "linear"), Some("linear"), "the path has moved");
        assert_eq!(at("https://mcp.linear.app/sse", "tickets"), None);
        for url in
            ["https://linear.example/mcp", "http://mcp.linear.app/mcp", "https://mcp.linear.app:8443/mcp"]
        {
            assert_eq!(at(url, "linear"), None, "{url}");
        }
    }
}
