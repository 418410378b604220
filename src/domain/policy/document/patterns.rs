//! Patterns and schemas of a document, each made once however often it is written, and bounded together.

use std::{collections::HashMap, sync::Arc};

use regex::{Regex, RegexBuilder};

use crate::{
    domain::policy::{
        document::weight::{MAX_COMPILED, Weight},
        literal::Literal,
    },
    protocol::mcp::raw::Raw,
};

/// How long a pattern of `regex` may be.
const MAX_LENGTH: usize = 1_000;
/// How many different patterns a document may have, those in its schemas among them: each takes time to be made and memory
/// for as long as the document is in force, far beyond the length of its text.
const MOST_PATTERNS: usize = 500;
/// How large all of them may be when they are compiled.
const MAX_TOGETHER: usize = 16 * 1024 * 1024;

/// A pattern that texts are searched for.
#[derive(Clone, Debug)]
pub struct TextPattern {
    regex: Regex,
    weight: Weight,
}

impl TextPattern {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether it is found in a text.
    pub fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// How many steps it takes at most to search a text of so many bytes.
    pub fn steps(&self, bytes: u64) -> u64 {
        steps(bytes, self.weight.for_each_byte)
    }
}

/// A JSON schema, compiled.
#[derive(Debug)]
pub struct Schema {
    /// As it was written, in canonical form.
    pub source: Literal,
    validator: jsonschema::Validator,
    /// How many values it is made of.
    parts: u64,
    /// What its patterns weigh together.
    for_each_byte: u64,
}

impl Schema {
    /// Whether a value is as it says.
    pub fn takes(&self, value: &serde_json::Value) -> bool {
        self.validator.is_valid(value)
    }

    /// How many steps that takes at most for a value that has so many values in it and is so many bytes long: without
    /// references every part of a schema looks at every part of a value at most once.
    pub fn steps(&self, values: u64, bytes: u64) -> u64 {
        let looks = self.parts.saturating_mul(values).saturating_mul(2);
        looks.saturating_add(steps(bytes, self.for_each_byte))
    }
}

fn steps(bytes: u64, for_each_byte: u64) -> u64 {
    bytes.saturating_mul(for_each_byte) / 4 + 1
}

/// Why a pattern or schema cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unmade {
    /// It is wrong.
    Wrong(String),
    /// It is beyond what a document may have, which was told at the first that was.
    Beyond,
}

/// What a reading has made so far.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    texts: HashMap<String, Result<Arc<TextPattern>, String>>,
    schemas: HashMap<String, Arc<Schema>>,
    count: usize,
    compiled: usize,
    is_full: bool,
}

impl Patterns {
    /// The pattern of `regex`.
    pub(super) fn text(&mut self, value: &Literal) -> Result<Arc<TextPattern>, Unmade> {
        let wrong = Unmade::Wrong;
        let text =
            value.text().ok_or_else(|| wrong("The value has to be a pattern, as a text.".to_owned()))?;
        if let Some(made) = self.texts.get(text) {
            return made.clone().map_err(wrong);
        }
        self.count(1)?;
        let made = regex(text).map(|regex| TextPattern { regex, weight: Weight::of(text) });
        if let Ok(pattern) = &made {
            self.hold(pattern.weight)?;
        }
        let made = made.map(Arc::new);
        self.texts.insert(text.to_owned(), made.clone());
        made.map_err(wrong)
    }

    /// The schema of `matches_schema`; `raw` is the value as it was written.
    pub(super) fn schema(&mut self, value: &Literal, raw: Raw<'_>) -> Result<Arc<Schema>, Unmade> {
        let mut written = String::new();
        value.write(&mut written);
        if let Some(schema) = self.schemas.get(&written) {
            return Ok(Arc::clone(schema));
        }
        let mut patterns = Vec::new();
        collect(value, &mut patterns);
        self.count(patterns.len())?;
        let mut for_each_byte: u64 = 0;
        for pattern in patterns {
            let weight = Weight::of(pattern);
            self.hold(weight)?;
            for_each_byte = for_each_byte.saturating_add(weight.for_each_byte);
        }
        let validator = validator(value, raw).map_err(Unmade::Wrong)?;
        let schema = Schema { source: value.clone(), validator, parts: parts(value), for_each_byte };
        let schema = Arc::new(schema);
        self.schemas.insert(written, Arc::clone(&schema));
        Ok(schema)
    }

    fn count(&mut self, more: usize) -> Result<(), Unmade> {
        self.count += more;
        let is_beyond = more > 0 && self.count > MOST_PATTERNS;
        self.bound(is_beyond, || format!("A policy has at most {MOST_PATTERNS} different patterns."))
    }

    fn hold(&mut self, weight: Weight) -> Result<(), Unmade> {
        self.compiled = self.compiled.saturating_add(weight.compiled);
        let is_beyond = self.compiled > MAX_TOGETHER;
        self.bound(is_beyond, || {
            let most = MAX_TOGETHER / (1024 * 1024);
            format!("The patterns of a policy take at most {most} MiB together; make them simpler or fewer.")
        })
    }

    fn bound(&mut self, is_beyond: bool, reason: impl FnOnce() -> String) -> Result<(), Unmade> {
        match (is_beyond, self.is_full) {
            (false, _) => Ok(()),
            (true, true) => Err(Unmade::Beyond),
            (true, false) => {
                self.is_full = true;
                Err(Unmade::Wrong(reason()))
            }
        }
    }
}

fn regex(text: &str) -> Result<Regex, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("A pattern has at most {MAX_LENGTH} characters."));
    }
    let built = RegexBuilder::new(text).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "The pattern is too large; make it simpler.".to_owned(),
        _ => "The pattern cannot be read. Look-around and back-references are not known, so that every pattern takes \
              time by the length of the text only."
            .to_owned(),
    })
}

/// The patterns of a schema, and what is named like them.
fn collect<'s>(schema: &'s Literal, patterns: &mut Vec<&'s str>) {
    let Literal::Map(members) = schema else {
        return schema.elements().iter().for_each(|one| collect(one, patterns));
    };
    for (keyword, value) in members {
        match (keyword.as_str(), value) {
            ("pattern", Literal::Text(text)) => patterns.push(text),
            ("patternProperties", Literal::Map(each)) => {
                patterns.extend(each.iter().map(|(pattern, _)| pattern.as_str()));
                collect(value, patterns);
            }
            _ => collect(value, patterns),
        }
    }
}

/// Of how many values a schema is made, itself among them.
fn parts(schema: &Literal) -> u64 {
    1 + match schema {
        Literal::List(all) => all.iter().map(parts).sum::<u64>(),
        Literal::Map(members) => members.iter().map(|(_, value)| parts(value)).sum::<u64>(),
        Literal::Null | Literal::Bool(_) | Literal::Number(_) | Literal::Text(_) => 0,
    }
}

/// The first keyword by which a schema refers to another part, or to what other parts have left over: so few lines make
/// checking take longer than anybody waits, for each level may double it.
fn unbounded(schema: &Literal) -> Option<&str> {
    let Literal::Map(members) = schema else {
        return schema.elements().iter().find_map(unbounded);
    };
    members.iter().find_map(|(keyword, value)| match (keyword.as_str(), value) {
        ("$ref" | "$dynamicRef" | "$recursiveRef" | "unevaluatedProperties" | "unevaluatedItems", _) => {
            Some(keyword.as_str())
        }
        // Values, not schemas.
        ("const" | "enum" | "default" | "examples", _) => None,
        // Names, and a schema for each.
        (
            "properties" | "patternProperties" | "dependentSchemas" | "$defs" | "definitions",
            Literal::Map(each),
        ) => each.iter().find_map(|(_, schema)| unbounded(schema)),
        (_, value) => unbounded(value),
    })
}

fn validator(value: &Literal, raw: Raw<'_>) -> Result<jsonschema::Validator, String> {
    if let Some(keyword) = unbounded(value) {
        return Err(format!(
            "The schema cannot be used: with {keyword} it could take forever. Write out what is meant."
        ));
    }
    let unreadable = || "The schema cannot be read.".to_owned();
    let source: serde_json::Value = serde_json::from_str(raw.text()).map_err(|_| unreadable())?;
    let built = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .with_pattern_options(jsonschema::PatternOptions::regex().size_limit(MAX_COMPILED))
        .should_validate_formats(false)
        .build(&source);
    built.map_err(|error| format!("The schema cannot be used: {error}."))
}
