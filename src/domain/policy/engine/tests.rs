//! The corpus of decisions in `tests/policy`: documents, calls, and what becomes of them.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Call, Facts, Layer, LayerName, Outcome, Program, Tool, Verdict, decide};
use crate::{
    base::risk::Class,
    domain::policy::document,
    protocol::mcp::strict::{self, Limits},
};

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    /// What the file is about.
    about: String,
    /// The grant's document, or those of several layers.
    policy: Option<Box<RawValue>>,
    #[serde(default)]
    layers: BTreeMap<String, Box<RawValue>>,
    cases: Vec<Case>,
}

/// One call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    tool: String,
    class: Option<Class>,
    #[serde(default)]
    unreviewed: bool,
    args: Option<Box<RawValue>>,
    #[serde(default)]
    facts: CaseFacts,
    verdict: String,
    /// The part of the document that decided, and the layer where there are several.
    rule: Option<String>,
    layer: Option<String>,
    words: Option<String>,
    /// What is counted, as `counter amount/max`, or `counter[value] amount/max`.
    #[serde(default)]
    counts: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CaseFacts {
    email: Option<String>,
    role: Option<String>,
    teams: Vec<String>,
    team: Option<String>,
    client: Option<String>,
    version: Option<String>,
    grant: Option<String>,
    ceiling: Option<Class>,
    server: Option<String>,
    ip: Option<String>,
    time: Option<String>,
}

fn files() -> Vec<(PathBuf, Corpus)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/policy");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a readable file");
        let corpus =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, corpus)
    };
    paths.into_iter().map(read).collect()
}

fn program(text: &str) -> Program {
    let read = document::read(text.as_bytes());
    Program::new(Arc::new(read.unwrap_or_else(|faults| panic!("{faults:?} in {text}"))))
}

fn layer_name(name: &str) -> LayerName {
    match name {
        "org" => LayerName::Org,
        "team" => LayerName::Team,
        "server" => LayerName::Server,
        "grant" => LayerName::Grant,
        other => panic!("there is no layer {other}"),
    }
}

impl Corpus {
    fn programs(&self) -> Vec<(LayerName, Program)> {
        let own = self.policy.iter().map(|text| (LayerName::Grant, program(text.get())));
        let others = self.layers.iter().map(|(name, text)| (layer_name(name), program(text.get())));
        let mut all: Vec<_> = own.chain(others).collect();
        all.sort_by_key(|(name, _)| *name);
        all
    }
}

impl Case {
    fn decide(&self, programs: &[(LayerName, Program)]) -> Verdict {
        let facts = &self.facts;
        let teams: Vec<&str> = facts.teams.iter().map(String::as_str).collect();
        let now = facts.time.as_deref().map(|text| OffsetDateTime::parse(text, &Rfc3339).expect("a moment"));
        let args = self.args.as_ref().map(|args| {
            strict::check(args.get().as_bytes(), &Limits::of(1 << 20)).expect("arguments are JSON")
        });
        let call = Call {
            tool: Tool {
                name: &self.tool,
                class: self.class.unwrap_or(Class::Read),
                is_reviewed: !self.unreviewed,
            },
            arguments: args,
            facts: Facts {
                user_email: facts.email.as_deref(),
                user_role: facts.role.as_deref(),
                user_teams: &teams,
                team_slug: facts.team.as_deref(),
                client_name: facts.client.as_deref(),
                client_version: facts.version.as_deref(),
                grant_label: facts.grant.as_deref(),
                grant_ceiling: facts.ceiling,
                server_slug: facts.server.as_deref(),
                ip: facts.ip.as_deref().map(|ip| ip.parse().expect("an address")),
                now,
                ..Facts::default()
            },
        };
        let layers: Vec<Layer<'_>> =
            programs.iter().map(|(name, program)| Layer { name: *name, program }).collect();
        decide(&call, &layers)
    }

    /// What is not as the case says.
    fn fault(&self, verdict: &Verdict) -> Option<String> {
        let (word, part, layer, words) = match &verdict.outcome {
            Outcome::Allow => ("allow", None, None, None),
            Outcome::Ask(needs) => (
                "ask",
                needs.first().map(|need| need.part.to_string()),
                needs.first().map(|need| need.layer),
                None,
            ),
            Outcome::Deny(blocked) => {
                ("deny", Some(blocked.part.to_string()), blocked.layer, blocked.words.clone())
            }
            Outcome::Hidden(blocked) => ("hidden", Some(blocked.part.to_string()), blocked.layer, None),
        };
        let counts: Vec<String> = verdict
            .reservations
            .iter()
            .map(|one| {
                let value = one.distinct.as_ref().map(|value| format!("[{value}]")).unwrap_or_default();
                format!("{}{value} {}/{}", one.counter, one.amount, one.max)
            })
            .collect();
        let is_as_said = word == self.verdict
            && part == self.rule
            && (self.layer.is_none() || self.layer.as_deref().map(layer_name) == layer)
            && (self.words.is_none() || self.words == words)
            && counts == self.counts;
        (!is_as_said).then(|| {
            format!("{}: {word} by {part:?} of {layer:?}, {words:?}, counting {counts:?}", self.name)
        })
    }
}

#[test]
fn every_case_of_the_corpus_is_decided_as_it_says() {
    let (mut faults, mut count) = (Vec::new(), 0);
    for (path, corpus) in files() {
        assert!(!corpus.about.is_empty());
        let programs = corpus.programs();
        for case in &corpus.cases {
            count += 1;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            faults.extend(case.fault(&case.decide(&programs)).map(|fault| format!("{name}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count >= 300, "the corpus has {count} cases");
}

#[test]
fn documents_of_the_corpus_decide_the_same_in_canonical_form() {
    for (path, corpus) in files() {
        let programs = corpus.programs();
        let again: Vec<(LayerName, Program)> = programs
            .iter()
            .map(|(name, one)| {
                let text = one.document().canonical();
                let again = program(&text);
                assert_eq!(again.document().canonical(), text, "{}", path.display());
                (*name, again)
            })
            .collect();
        for case in &corpus.cases {
            let (one, other) = (case.decide(&programs), case.decide(&again));
            assert_eq!((one.outcome, one.reservations), (other.outcome, other.reservations), "{}", case.name);
        }
    }
}
