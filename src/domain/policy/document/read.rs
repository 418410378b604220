//! From the text of a document to the document, or to all that is wrong with it.

use crate::{
    domain::policy::{
        document::{
            Action, Checks, Document, Fault, MAX_BYTES, Mode, ToolRules, Unreviewed,
            fault::{Faults, Place, meant},
            keys, limits,
            patterns::Patterns,
            rules,
        },
        pattern::Pattern,
    },
    protocol::mcp::{
        raw::{Kind, Raw},
        strict::{self, Limits},
    },
};

/// How many keys `tools` may have.
const MAX_TOOLS: usize = 5_000;
/// How many patterns `hide` may have.
const MAX_HIDDEN: usize = 1_000;
/// How long a sentence may be that is shown to somebody.
const MAX_SENTENCE: usize = 500;

/// Reads a document.
///
/// # Errors
/// Everything that is wrong with it, up to a hundred faults.
pub fn read(text: &[u8]) -> Result<Document, Vec<Fault>> {
    let whole = |reason: String| vec![Fault { path: String::new(), reason, suggestion: None }];
    let raw = strict::check(text, &Limits::of(MAX_BYTES))
        .map_err(|fault| whole(format!("The document is refused: {fault}.")))?;
    if raw.kind() != Kind::Object {
        return Err(whole(
            "A policy is an object: {\"version\": \"1\", \"default\": …, \"tools\": {…}}.".to_owned(),
        ));
    }
    let mut reader = Reader::default();
    let document = reader.document(raw);
    reader.faults.into_result(document)
}

/// What a reading has found so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) faults: Faults,
    pub(super) conditions: usize,
    pub(super) patterns: Patterns,
}

impl Reader {
    fn document(&mut self, raw: Raw<'_>) -> Document {
        let root = Place::default();
        self.known(raw, &root, &keys::DOCUMENT);
        self.version(raw, &root);
        Document {
            mode: self.choice(raw, &root, "mode", &MODES),
            default: self.unnamed(raw, &root),
            unreviewed: self.choice(
                raw,
                &root,
                "unreviewed_tools",
                &[("deny", Unreviewed::Deny), ("default", Unreviewed::Default)],
            ),
            hide: self.hide(raw, &root),
            all_tools: match raw.get("all_tools") {
                Some(all) => self.all_tools(all, &root.key("all_tools")),
                None => Checks::default(),
            },
            tools: match raw.get("tools") {
                Some(tools) => self.tools(tools, &root.key("tools")),
                None => Vec::new(),
            },
        }
    }

    fn version(&mut self, raw: Raw<'_>, root: &Place) {
        match raw.get("version") {
            Some(version) if version.says("1") => {}
            Some(_) => self.faults.add(&root.key("version"), "The version is \"1\"."),
            None => self.faults.add(root, "The version is missing: write \"version\": \"1\"."),
        }
    }

    fn unnamed(&mut self, raw: Raw<'_>, root: &Place) -> Action {
        if raw.get("default").is_none() {
            let reason =
                "It has to say what holds for tools that it does not name: write \"default\": \"deny\".";
            self.faults.add(root, reason);
        }
        self.choice(raw, root, "default", &ACTIONS)
    }

    fn hide(&mut self, raw: Raw<'_>, root: &Place) -> Vec<Pattern> {
        let place = root.key("hide");
        let all = self.list(raw, root, "hide", MAX_HIDDEN);
        let all = all.into_iter().enumerate().filter_map(|(at, one)| {
            let text = self.text_of(one, &place.at(at))?;
            self.pattern(&text, &place.at(at))
        });
        all.collect()
    }

    fn tools(&mut self, raw: Raw<'_>, place: &Place) -> Vec<(Pattern, ToolRules)> {
        if raw.kind() != Kind::Object {
            self.faults
                .add(place, "Tools are an object: a tool's name, a glob or class:… and what holds for it.");
            return Vec::new();
        }
        if raw.members().count() > MAX_TOOLS {
            self.faults.add(place, format!("A policy names at most {MAX_TOOLS} tools."));
            return Vec::new();
        }
        let mut tools = Vec::new();
        for member in raw.members() {
            let Some(key) = member.key.string() else { continue };
            let place = place.key(&key);
            let pattern = self.pattern(&key, &place);
            let rules = self.tool(member.value, &place);
            tools.extend(pattern.map(|pattern| (pattern, rules)));
        }
        tools.sort_by_cached_key(|(pattern, _)| pattern.to_string());
        tools
    }

    fn tool(&mut self, raw: Raw<'_>, place: &Place) -> ToolRules {
        if !self.object(raw, place) {
            return ToolRules::default();
        }
        self.known(raw, place, &keys::TOOL);
        let mut checks = self.checks(raw, place);
        checks.limits.extend(
            raw.get("rate_limit").and_then(|raw| limits::rate_limit(self, raw, &place.key("rate_limit"))),
        );
        ToolRules {
            action: self.choice(raw, place, "action", &ACTIONS),
            reason: self.sentence(raw, place, "reason"),
            checks,
            concurrency: self.count(raw, place, "concurrency", 1, 100_000),
            redact: limits::redact(self, raw, place),
        }
    }

    fn all_tools(&mut self, raw: Raw<'_>, place: &Place) -> Checks {
        if !self.object(raw, place) {
            return Checks::default();
        }
        self.known(raw, place, &keys::ALL_TOOLS);
        self.checks(raw, place)
    }

    fn checks(&mut self, raw: Raw<'_>, place: &Place) -> Checks {
        Checks {
            require: rules::rules(self, raw, place, "require"),
            deny_if: rules::rules(self, raw, place, "deny_if"),
            ask_if: rules::ask_rules(self, raw, place),
            limits: limits::limits(self, raw, place),
        }
    }

    fn pattern(&mut self, text: &str, place: &Place) -> Option<Pattern> {
        match Pattern::parse(text) {
            Ok(pattern) => Some(pattern),
            Err(bad) => {
                let classes = crate::base::risk::Class::ALL.map(|class| format!("class:{class}"));
                let suggestion = meant(text, classes.iter().map(String::as_str));
                self.faults.add_with(place, format!("{}.", capital(&bad.to_string())), suggestion);
                None
            }
        }
    }

    // What every part is read by

    /// Tells of keys that are not known here.
    pub(super) fn known(&mut self, raw: Raw<'_>, place: &Place, known: &[&str]) {
        for member in raw.members() {
            let Some(key) = member.key.string() else { continue };
            if !known.contains(&&*key) {
                let suggestion = meant(&key, known.iter().copied());
                self.faults.add_with(&place.key(&key), "There is no such key here.", suggestion);
            }
        }
    }

    /// Whether it is an object; tells where it is none.
    pub(super) fn object(&mut self, raw: Raw<'_>, place: &Place) -> bool {
        let is_object = raw.kind() == Kind::Object;
        if !is_object {
            self.faults.add(place, "This has to be an object.");
        }
        is_object
    }

    /// The elements of a list that may be left out.
    pub(super) fn list<'a>(&mut self, raw: Raw<'a>, place: &Place, key: &str, most: usize) -> Vec<Raw<'a>> {
        let Some(list) = raw.get(key) else { return Vec::new() };
        if list.kind() != Kind::Array {
            self.faults.add(&place.key(key), "This has to be a list.");
            return Vec::new();
        }
        let all: Vec<Raw<'a>> = list.elements().take(most + 1).collect();
        if all.len() > most {
            self.faults.add(&place.key(key), format!("This list has at most {most} entries."));
            return Vec::new();
        }
        all
    }

    /// A text; tells where it is none.
    pub(super) fn text_of(&mut self, raw: Raw<'_>, place: &Place) -> Option<String> {
        let text = raw.string().map(std::borrow::Cow::into_owned);
        if text.is_none() {
            self.faults.add(place, "This has to be a text.");
        }
        text
    }

    /// A text that may be left out.
    pub(super) fn text(&mut self, raw: Raw<'_>, place: &Place, key: &str) -> Option<String> {
        let said = raw.get(key)?;
        self.text_of(said, &place.key(key))
    }

    /// A sentence that may be left out.
    pub(super) fn sentence(&mut self, raw: Raw<'_>, place: &Place, key: &str) -> Option<String> {
        let text = self.text(raw, place, key)?;
        if text.chars().count() > MAX_SENTENCE {
            self.faults.add(&place.key(key), format!("This has at most {MAX_SENTENCE} characters."));
        }
        Some(text)
    }

    /// A count within bounds that may be left out.
    pub(super) fn count(
        &mut self,
        raw: Raw<'_>,
        place: &Place,
        key: &str,
        least: u32,
        most: u32,
    ) -> Option<u32> {
        let said = raw.get(key)?;
        let count = said.integer().and_then(|count| u32::try_from(count).ok());
        let count = count.filter(|count| (least..=most).contains(count));
        if count.is_none() {
            self.faults
                .add(&place.key(key), format!("This has to be a whole number from {least} to {most}."));
        }
        count
    }

    /// One of several words; the usual one where it is left out.
    pub(super) fn choice<T: Copy + Default>(
        &mut self,
        raw: Raw<'_>,
        place: &Place,
        key: &str,
        words: &[(&str, T)],
    ) -> T {
        let Some(said) = raw.get(key) else { return T::default() };
        let text = said.string().unwrap_or_default();
        if let Some((_, chosen)) = words.iter().find(|(word, _)| *word == text) {
            return *chosen;
        }
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let suggestion = meant(&text, all.iter().copied());
        self.faults.add_with(&place.key(key), format!("This is one of: {}.", all.join(", ")), suggestion);
        T::default()
    }
}

pub(super) const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("observe", Mode::Observe)];

pub(super) const ACTIONS: [(&str, Action); 3] =
    [("allow", Action::Allow), ("deny", Action::Deny), ("require_approval", Action::RequireApproval)];

/// With a capital letter, as a sentence begins.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
