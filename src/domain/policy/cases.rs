//! Cases: calls and what becomes of them under a document, as data that people read and write. They go with a document as
//! its tests, and a large collection of them holds the engine to its word.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    base::risk::Class,
    domain::policy::{
        document::{self, Fault},
        engine::{Call, Facts, Layer, LayerName, Outcome, Program, Tool, Verdict, decide},
    },
    protocol::mcp::strict::{self, Limits},
};

/// How long the arguments of a case may be.
const MAX_ARGUMENTS: usize = 1 << 20;

/// A document, or those of several layers, and what they have to decide.
#[derive(Debug)]
pub struct Cases {
    programs: Vec<(LayerName, Program)>,
    cases: Vec<Case>,
}

/// What keeps cases from being read.
#[derive(Debug, thiserror::Error)]
pub enum CasesError {
    /// The file is none of its kind.
    #[error("the file cannot be read: {0}")]
    Form(#[from] serde_json::Error),
    /// A document in it is wrong.
    #[error("the document of {0} is wrong")]
    Document(LayerName, Vec<Fault>),
    /// There is no such layer.
    #[error("there is no layer {0}; choose org, team, server or grant")]
    Layer(String),
}

/// What is not as a case says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The case.
    pub name: String,
    /// What came of it, or why nothing could.
    pub found: String,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.found)
    }
}

/// A case with what was decided of it. What its agent is told is not the engine's to say.
#[derive(Debug)]
pub struct Decided<'c> {
    /// The case.
    pub name: &'c str,
    /// What is called.
    pub tool: Tool<'c>,
    /// When, where it says so.
    pub now: Option<OffsetDateTime>,
    /// What was decided.
    pub verdict: Verdict,
    /// What the agent is told, as the case says.
    pub told: Option<&'c str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// What the file is about, for people.
    #[serde(default, rename = "about")]
    _about: String,
    /// The grant's document.
    policy: Option<Box<RawValue>>,
    /// Those of several layers.
    #[serde(default)]
    layers: BTreeMap<String, Box<RawValue>>,
    cases: Vec<Case>,
}

/// One call and what becomes of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    tool: String,
    #[serde(default = "read_class")]
    class: Class,
    #[serde(default)]
    unreviewed: bool,
    args: Option<Box<RawValue>>,
    #[serde(default)]
    facts: CaseFacts,
    verdict: Word,
    /// The part of the document that decided.
    rule: Option<String>,
    /// Its layer.
    layer: Option<String>,
    /// What it says.
    words: Option<String>,
    /// What the agent is told; nothing where the call may be made.
    told: Option<String>,
    /// What is counted, as `counter amount/max`, with `[value]` behind the counter where values are told apart.
    counts: Option<Vec<String>>,
}

const fn read_class() -> Class {
    Class::Read
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Allow,
    Ask,
    Deny,
    Hidden,
}

/// What is known of a call beside its arguments.
#[derive(Debug, Default, Deserialize)]
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

impl Cases {
    /// Reads cases with their documents.
    ///
    /// # Errors
    /// What keeps them from being read.
    pub fn read(text: &str) -> Result<Self, CasesError> {
        let Written { policy, layers, cases, .. } = serde_json::from_str(text)?;
        let mut programs = Vec::new();
        programs.extend(policy.map(|policy| program(LayerName::Grant, &policy)).transpose()?);
        for (name, policy) in layers {
            let layer = name.parse().map_err(|_| CasesError::Layer(name))?;
            programs.push(program(layer, &policy)?);
        }
        programs.sort_by_key(|(layer, _)| *layer);
        Ok(Self { programs, cases })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.cases.len()
    }

    /// The documents.
    pub fn programs(&self) -> &[(LayerName, Program)] {
        &self.programs
    }

    /// The same cases for other documents.
    #[must_use]
    pub fn under(self, programs: Vec<(LayerName, Program)>) -> Self {
        Self { programs, ..self }
    }

    /// Decides every case that can be.
    pub fn decided(&self) -> Vec<Decided<'_>> {
        let layers = self.layers();
        let each = self.cases.iter().filter_map(|case| {
            let (now, verdict) = (case.now().ok()?, case.decide(&layers).ok()?);
            Some(Decided { name: &case.name, tool: case.tool(), now, verdict, told: case.told.as_deref() })
        });
        each.collect()
    }

    /// Decides every case; what is not as one says.
    pub fn deviations(&self) -> Vec<Deviation> {
        let layers = self.layers();
        let each = self.cases.iter().filter_map(|case| {
            let found = match case.decide(&layers) {
                Ok(verdict) => case.difference(&verdict)?,
                Err(reason) => reason,
            };
            Some(Deviation { name: case.name.clone(), found })
        });
        each.collect()
    }

    fn layers(&self) -> Vec<Layer<'_>> {
        self.programs.iter().map(|(name, program)| Layer { name: *name, program }).collect()
    }
}

fn program(layer: LayerName, policy: &RawValue) -> Result<(LayerName, Program), CasesError> {
    let read = document::read(policy.get().as_bytes());
    let document = read.map_err(|faults| CasesError::Document(layer, faults))?;
    Ok((layer, Program::new(Arc::new(document))))
}

impl Case {
    fn tool(&self) -> Tool<'_> {
        Tool { name: &self.tool, class: self.class, is_reviewed: !self.unreviewed }
    }

    fn now(&self) -> Result<Option<OffsetDateTime>, String> {
        let now = self.facts.time.as_deref().map(|text| OffsetDateTime::parse(text, &Rfc3339));
        now.transpose().map_err(|_| "time is no moment such as 2026-01-31T08:00:00Z".to_owned())
    }

    fn decide(&self, layers: &[Layer<'_>]) -> Result<Verdict, String> {
        let facts = &self.facts;
        let teams: Vec<&str> = facts.teams.iter().map(String::as_str).collect();
        let ip =
            facts.ip.as_deref().map(str::parse).transpose().map_err(|_| "ip is no address".to_owned())?;
        let limits = Limits::of(MAX_ARGUMENTS);
        let arguments = self.args.as_ref().map(|args| strict::check(args.get().as_bytes(), &limits));
        let arguments = arguments.transpose().map_err(|fault| format!("args are refused: {fault}"))?;
        let call = Call {
            tool: self.tool(),
            arguments,
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
                ip,
                now: self.now()?,
                ..Facts::default()
            },
        };
        Ok(decide(&call, layers))
    }

    /// What came of it, where that is not what the case says.
    fn difference(&self, verdict: &Verdict) -> Option<String> {
        let found = Found::of(verdict);
        let is = |said: &Option<String>, found: Option<&str>| {
            said.as_deref().is_none_or(|said| Some(said) == found)
        };
        let is_as_said = found.word == self.verdict
            && is(&self.rule, found.rule.as_deref())
            && is(&self.layer, found.layer.map(LayerName::as_str))
            && is(&self.words, found.words.as_deref())
            && self.counts.as_ref().is_none_or(|counts| *counts == found.counts);
        (!is_as_said).then(|| found.to_string())
    }
}

/// What came of a call, in the words of cases.
struct Found {
    word: Word,
    rule: Option<String>,
    layer: Option<LayerName>,
    words: Option<String>,
    counts: Vec<String>,
}

impl Found {
    fn of(verdict: &Verdict) -> Self {
        let (word, rule, layer, words) = match &verdict.outcome {
            Outcome::Allow => (Word::Allow, None, None, None),
            Outcome::Ask(needs) => {
                let first = needs.first();
                (Word::Ask, first.map(|need| need.part.to_string()), first.map(|need| need.layer), None)
            }
            Outcome::Deny(by) => (Word::Deny, Some(by.part.to_string()), by.layer, by.words.clone()),
            Outcome::Hidden(by) => (Word::Hidden, Some(by.part.to_string()), by.layer, by.words.clone()),
        };
        let counts = verdict.reservations.iter().map(|one| {
            let value =
                one.distinct.as_ref().map(|value| format!("[{}]", value.as_str())).unwrap_or_default();
            format!("{}{value} {}/{}", one.counter, one.amount, one.max)
        });
        Self { word, rule, layer, words, counts: counts.collect() }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.word {
            Word::Allow => "allow",
            Word::Ask => "ask",
            Word::Deny => "deny",
            Word::Hidden => "hidden",
        })?;
        if let Some(rule) = &self.rule {
            write!(f, " by {}", if rule.is_empty() { "there being no policy" } else { rule })?;
        }
        if let Some(layer) = self.layer {
            write!(f, " of the layer {}", layer.as_str())?;
        }
        if let Some(words) = &self.words {
            write!(f, ", saying {words:?}")?;
        }
        if !self.counts.is_empty() {
            write!(f, ", counting {}", self.counts.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_said_is_told() {
        let cases = Cases::read(
            r#"{"policy":{"version":"1","default":"deny","tools":{"a":{"action":"deny","reason":"No."}}},"cases":[
                {"name":"right","tool":"a","verdict":"deny","rule":"/tools/a/action","layer":"grant","words":"No."},
                {"name":"wrong","tool":"b","verdict":"allow"},
                {"name":"odd","tool":"b","facts":{"ip":"x"},"verdict":"deny"}]}"#,
        )
        .expect("cases");
        let told: Vec<String> = cases.deviations().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["wrong: deny by /default of the layer grant", "odd: ip is no address"]);
        assert_eq!(cases.count(), 3);
        let decided = cases.decided();
        assert_eq!(decided.iter().map(|case| case.name).collect::<Vec<_>>(), ["right", "wrong"]);
    }

    #[test]
    fn whatever_is_not_as_said_is_told() {
        let read = |said: &str| {
            Cases::read(&format!(
                r#"{{"layers":{{"team":{{"version":"1","default":"deny","tools":{{"a":{{"action":"deny","reason":"No."}},
                    "b":{{"rate_limit":{{"max":5,"window":60}}}}}}}}}},"cases":[{{"name":"one",{said}}}]}}"#
            ))
            .expect("cases")
        };
        let told = |said: &str| read(said).deviations().iter().map(ToString::to_string).collect::<Vec<_>>();
        let a = r#""tool":"a","verdict":"deny""#;
        let b = r#""tool":"b","verdict":"allow""#;
        for right in [
            a.to_owned(),
            format!(r#"{a},"rule":"/tools/a/action","layer":"team","words":"No.","counts":[]"#),
            b.to_owned(),
            format!(r#"{b},"counts":["rate_limit 1/5"]"#),
        ] {
            assert_eq!(told(&right), [""; 0], "{right}");
        }
        let found = "one: deny by /tools/a/action of the layer team, saying \"No.\"";
        for wrong in [
            format!(r#"{a},"rule":"/default""#),
            format!(r#"{a},"layer":"org""#),
            format!(r#"{a},"words":"Yes.""#),
            format!(r#"{a},"counts":["n 1/1"]"#),
        ] {
            assert_eq!(told(&wrong), [found], "{wrong}");
        }
        for wrong in [format!(r#"{b},"counts":[]"#), format!(r#"{b},"rule":"/default""#)] {
            assert_eq!(told(&wrong), ["one: allow, counting rate_limit 1/5"], "{wrong}");
        }
        let nothing = read(a).under(Vec::new());
        assert_eq!(nothing.deviations(), []);
        let nothing = read(b).under(Vec::new()).deviations();
        assert_eq!(nothing[0].to_string(), "one: deny by there being no policy");
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let error = |text: &str| Cases::read(text).map(|_| ()).expect_err("no cases");
        assert!(matches!(error("{}"), CasesError::Form(_)));
        assert!(matches!(error(r#"{"layers":{"x":{}},"cases":[]}"#), CasesError::Layer(_)));
        let wrong = error(r#"{"layers":{"team":{}},"cases":[]}"#);
        assert_eq!(wrong.to_string(), "the document of team is wrong");
        assert!(matches!(error(r#"{"policy":{},"cases":[]}"#), CasesError::Document(LayerName::Grant, _)));
    }
}
