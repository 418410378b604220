//! How each client is connected: snippets as data, filled with an address and the name of a variable.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::json;

/// The variable that snippets read the token from.
pub(super) const VARIABLE: &str = "PORTREEVE_TOKEN";

/// All clients, in the order of the tabs.
static CLIENTS: LazyLock<Vec<Client>> = LazyLock::new(|| {
    let all: Clients = toml::from_str(include_str!("clients.toml")).expect("a test reads the same text");
    all.client
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clients {
    client: Vec<Client>,
}

/// One client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    /// Its name in addresses.
    pub(super) id: String,
    /// Its name.
    pub(super) label: String,
    /// How the names begin by which it calls itself when it calls.
    #[serde(default)]
    called: Vec<String>,
    /// When the steps were last tried.
    pub(super) checked_on: String,
    /// With what.
    pub(super) checked_with: String,
    /// Whether a link installs it.
    #[serde(default)]
    pub(super) install_link: bool,
    /// What to do, in order.
    #[serde(rename = "step")]
    pub(super) steps: Vec<Step>,
    /// How to see that it worked.
    pub(super) check: Check,
}

/// One step.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// What to do.
    pub(super) title: String,
    /// Where: in a terminal, or in which file.
    pub(super) place: String,
    /// What the snippet is.
    kind: Kind,
    /// The snippet.
    pub(super) code: String,
    /// A word beside it.
    #[serde(default)]
    pub(super) note: String,
}

/// How to see that it worked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    /// What the snippet is.
    kind: Kind,
    /// What to run, or where to look.
    pub(super) code: String,
    /// What is then to be seen.
    pub(super) expect: String,
}

/// What a snippet is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// For a terminal.
    Shell,
    /// A JSON document.
    Json,
    /// A TOML document.
    Toml,
    /// Words.
    Text,
}

/// The client that calls itself so.
pub(super) fn calling_itself(name: &str) -> Option<&'static Client> {
    let name = name.to_lowercase();
    CLIENTS.iter().find(|client| client.called.iter().any(|called| name.starts_with(called.as_str())))
}

/// All clients, in the order of the tabs.
pub(super) fn all() -> &'static [Client] {
    &CLIENTS
}

/// The client of that name, or the first.
pub(super) fn find(id: &str) -> &'static Client {
    CLIENTS.iter().find(|client| client.id == id).unwrap_or(&CLIENTS[0])
}

impl Step {
    /// Whether it is to be copied as it stands.
    pub(super) fn is_code(&self) -> bool {
        self.kind != Kind::Text
    }
}

impl Check {
    /// Whether it is to be copied as it stands.
    pub(super) fn is_code(&self) -> bool {
        self.kind != Kind::Text
    }
}

impl Client {
    /// The client with an address in its snippets.
    pub(super) fn at(&self, url: &str) -> Self {
        let mut client = self.clone();
        for step in &mut client.steps {
            step.code = fill(&step.code, url);
            step.place = fill(&step.place, url);
        }
        client.check.code = fill(&client.check.code, url);
        client
    }
}

fn fill(text: &str, url: &str) -> String {
    text.trim().replace("{variable}", VARIABLE).replace("{url}", url)
}

/// The link that has Cursor add the server; the token stays in the environment.
pub(super) fn cursor_link(url: &str) -> String {
    let config = json!({
        "url": url,
        "headers": { "Authorization": format!("Bearer ${{env:{VARIABLE}}}") },
    });
    let config = STANDARD.encode(config.to_string());
    let query = serde_urlencoded::to_string([("name", "portreeve"), ("config", &config)]).unwrap_or_default();
    format!("cursor://anysphere.cursor-deeplink/mcp/install?{query}")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use time::{Date, macros::format_description};

    use super::*;

    const URL: &str = "https://portreeve.example.com/mcp/acme";

    fn snippets() -> Vec<(String, Kind, String)> {
        let of = |client: &Client| {
            let client = client.at(URL);
            let steps = client.steps.into_iter().map(|step| (step.kind, step.code));
            let check = std::iter::once((client.check.kind, client.check.code));
            let id = client.id;
            steps.chain(check).map(move |(kind, code)| (id.clone(), kind, code)).collect::<Vec<_>>()
        };
        all().iter().flat_map(of).collect()
    }

    #[test]
    fn a_client_is_known_by_the_name_that_it_gives_itself() {
        for (name, id) in [
            ("claude-code", Some("claude-code")),
            ("cursor-vscode", Some("cursor")),
            ("Visual Studio Code", Some("vs-code")),
            ("codex-mcp-client", Some("codex")),
            ("curl", None),
        ] {
            assert_eq!(calling_itself(name).map(|client| client.id.as_str()), id, "{name}");
        }
    }

    #[test]
    fn every_snippet_is_what_it_says_it_is() {
        for (client, kind, code) in snippets() {
            assert!(!code.contains("{url}") && !code.contains("{variable}"), "{client}: {code}");
            match kind {
                Kind::Json => {
                    serde_json::from_str::<serde_json::Value>(&code)
                        .unwrap_or_else(|bad| panic!("{client}: {bad}"));
                }
                Kind::Toml => {
                    toml::from_str::<toml::Table>(&code).unwrap_or_else(|bad| panic!("{client}: {bad}"));
                }
                Kind::Shell => {
                    let read =
                        Command::new("bash").args(["-n", "-c", &code]).output().expect("bash is there");
                    assert!(
                        read.status.success(),
                        "{client}: {code}: {}",
                        String::from_utf8_lossy(&read.stderr)
                    );
                }
                Kind::Text => {}
            }
        }
    }

    #[test]
    fn no_snippet_holds_a_token_and_each_client_names_address_and_variable() {
        for client in all() {
            let client = client.at(URL);
            let text: String = client.steps.iter().map(|step| format!("{}\n", step.code)).collect();
            assert!(!text.contains("prg_"), "{}", client.id);
            assert!(text.contains(URL), "{}", client.id);
            assert!(
                text.contains(VARIABLE) || text.contains("${input:") || client.id == "generic",
                "{}",
                client.id
            );
            let day = Date::parse(&client.checked_on, format_description!("[year]-[month]-[day]"));
            assert!(day.is_ok(), "{} was checked on no day", client.id);
            assert!(!client.checked_with.is_empty() && !client.check.expect.is_empty());
        }
    }

    #[test]
    fn the_promised_commands_stand_there() {
        let code = |id: &str, at: usize| find(id).at(URL).steps[at].code.clone();
        assert_eq!(
            code("claude-code", 1),
            format!(
                "claude mcp add --transport http portreeve {URL} --header 'Authorization: Bearer ${{PORTREEVE_TOKEN}}'"
            )
        );
        assert!(code("codex", 1).starts_with(&format!("codex mcp add portreeve --url {URL}")));
        let cursor: serde_json::Value = serde_json::from_str(&code("cursor", 1)).expect("JSON");
        assert_eq!(cursor["mcpServers"]["portreeve"]["url"], URL);
        assert_eq!(
            cursor["mcpServers"]["portreeve"]["headers"]["Authorization"],
            "Bearer ${env:PORTREEVE_TOKEN}"
        );
        let code: serde_json::Value = serde_json::from_str(&code("vs-code", 0)).expect("JSON");
        assert_eq!(code["servers"]["portreeve"]["type"], "http");
        assert_eq!(find("unheard-of").id, all()[0].id);
    }

    #[test]
    fn the_install_link_carries_the_same_configuration() {
        let link = cursor_link(URL);
        let (start, query) = link.split_once('?').expect("a query");
        assert_eq!(start, "cursor://anysphere.cursor-deeplink/mcp/install");
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).expect("a query");
        assert_eq!(pairs[0], ("name".to_owned(), "portreeve".to_owned()));
        let config = STANDARD.decode(&pairs[1].1).expect("base64");
        let config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
        assert_eq!(config["url"], URL);
        assert_eq!(config["headers"]["Authorization"], "Bearer ${env:PORTREEVE_TOKEN}");
    }
}
