//! An exception as its form holds it, and where its faults belong.

use crate::{
    domain::policy::{
        document::{Checks, Document, Fault as DocumentFault},
        edit::{Part, TypedLimit, TypedRule, mark, read_part},
        pattern::Pattern,
        words::ExceptionKind,
    },
    flow::fault::ActionError,
    web::{
        console::conditions::{placed_condition, take_condition},
        kit::parts::Fault,
    },
};

/// What was typed.
#[derive(Clone, Debug, Default)]
pub(super) struct ExceptionForm {
    pub(super) key: String,
    pub(super) kind: String,
    pub(super) at: String,
    pub(super) mark: String,
    /// The exception as it was seen, in its canonical form; empty for one that is new.
    pub(super) was: String,
    pub(super) act: String,
    pub(super) rule: TypedRule,
    pub(super) limit: TypedLimit,
    /// Of `concurrency` and `redact`.
    pub(super) value: String,
}

impl ExceptionForm {
    /// Reads the fields of a posted form.
    pub(super) fn read(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            let value = value.replace("\r\n", "\n");
            if !take_condition(&mut form.rule.conditions, &name, &value) {
                form.take(&name, value);
            }
        }
        form.rule.conditions.retain(|row| !row.is_blank());
        form
    }

    fn take(&mut self, name: &str, value: String) {
        let (rule, limit) = (&mut self.rule, &mut self.limit);
        match name {
            "key" => self.key = value,
            "kind" => self.kind = value,
            "at" => self.at = value,
            "mark" => self.mark = value,
            "was" => self.was = value,
            "act" => self.act = value,
            "name" => rule.name = value,
            "mode" => (rule.mode, limit.mode) = (value.clone(), value),
            "on_deny" => (rule.on_deny, limit.on_deny) = (value.clone(), value),
            "approvers" => rule.approvers = value,
            "quorum" => rule.quorum = value,
            "within" => rule.within = value,
            "counter" => limit.counter = value,
            "window" => limit.window = value,
            // The span that is typed counts before the one that is chosen.
            "seconds" if !value.trim().is_empty() => limit.window = format!("{}s", value.trim()),
            "window_kind" => limit.kind = value,
            "max" => limit.max = value,
            "scope" => limit.scope = value,
            "increment" => limit.increment = value,
            "increment_from" => limit.increment_from = value,
            "distinct" => limit.distinct = value,
            "count_errors" => limit.count_errors = value,
            "on_exceed" => limit.on_exceed = value,
            "entry" => self.value = value,
            _ => {}
        }
    }

    pub(super) fn kind(&self) -> Result<ExceptionKind, ActionError> {
        if self.kind.is_empty() {
            return Ok(ExceptionKind::DenyIf);
        }
        ExceptionKind::of(&self.kind).ok_or(ActionError::NotFound)
    }

    pub(super) fn key(&self) -> Result<Option<Pattern>, ActionError> {
        match self.key.as_str() {
            "" => Ok(None),
            key => Pattern::parse(key).map(Some).map_err(|_| ActionError::NotFound),
        }
    }

    pub(super) fn at(&self) -> Option<usize> {
        self.at.parse().ok()
    }

    /// The exception as JSON.
    pub(super) fn json(&self, kind: ExceptionKind) -> String {
        match kind {
            ExceptionKind::Require | ExceptionKind::DenyIf => self.rule.written(false),
            ExceptionKind::AskIf => self.rule.written(true),
            ExceptionKind::Limit => self.limit.written(),
            ExceptionKind::Concurrency => {
                let typed = self.value.trim();
                typed.parse::<u32>().map_or_else(|_| "0".to_owned(), |count| count.to_string())
            }
            ExceptionKind::Redact => serde_json::Value::from(self.value.trim()).to_string(),
        }
    }

    /// The exception in its canonical form; empty where it cannot be read.
    pub(super) fn canonical(&self, kind: ExceptionKind) -> String {
        match read_part(kind, &self.json(kind)) {
            Ok(Part::Require(rule) | Part::DenyIf(rule)) => rule.canonical(),
            Ok(Part::AskIf(rule)) => rule.canonical(),
            Ok(Part::Limit(limit)) => limit.canonical(),
            Ok(Part::Concurrency(count)) => count.to_string(),
            Ok(Part::Redact(place)) => serde_json::Value::from(place.to_string()).to_string(),
            Err(_) => String::new(),
        }
    }

    /// Where the exception that was seen stands now; nothing where somebody changed it or took it away.
    pub(super) fn found_in(&self, kind: ExceptionKind, document: &Document) -> Option<usize> {
        let key = self.key().ok()?;
        let is_it = |at: &usize| {
            Self::of(&self.key, kind, Some(*at), document).is_some_and(|there| there.was == self.was)
        };
        (0..=last(document, key.as_ref(), kind)).find(is_it).filter(|_| !self.was.is_empty())
    }

    /// What stands in a document, as it would be typed; nothing for one more.
    pub(super) fn of(key: &str, kind: ExceptionKind, at: Option<usize>, document: &Document) -> Option<Self> {
        let mut form = Self { key: key.to_owned(), kind: kind.key().to_owned(), ..Self::default() };
        let pattern = form.key().ok()?;
        form.mark = mark(document, pattern.as_ref());
        let Some(at) = at else { return Some(form) };
        form.at = at.to_string();
        let none = Checks::default();
        let rules = pattern.as_ref().map(|key| document.tools.iter().find(|(other, _)| other == key));
        let rules = rules.map(|found| found.map(|(_, rules)| rules));
        let checks = match rules {
            None => &document.all_tools,
            Some(rules) => rules.map_or(&none, |rules| &rules.checks),
        };
        let rules = rules.flatten();
        match kind {
            ExceptionKind::Require => form.rule = checks.require.get(at)?.into(),
            ExceptionKind::DenyIf => form.rule = checks.deny_if.get(at)?.into(),
            ExceptionKind::AskIf => form.rule = checks.ask_if.get(at)?.into(),
            ExceptionKind::Limit => form.limit = checks.limits.get(at)?.into(),
            ExceptionKind::Concurrency => form.value = rules?.concurrency?.to_string(),
            ExceptionKind::Redact => form.value = rules?.redact.get(at)?.to_string(),
        }
        form.was = form.canonical(kind);
        Some(form)
    }
}

/// The place of an exception that was just added.
pub(super) fn last(document: &Document, key: Option<&Pattern>, kind: ExceptionKind) -> usize {
    let rules = key.and_then(|key| document.tools.iter().find(|(other, _)| other == key));
    let checks = rules.map_or(&document.all_tools, |(_, rules)| &rules.checks);
    let count = match kind {
        ExceptionKind::Require => checks.require.len(),
        ExceptionKind::DenyIf => checks.deny_if.len(),
        ExceptionKind::AskIf => checks.ask_if.len(),
        ExceptionKind::Limit => checks.limits.len(),
        ExceptionKind::Concurrency => 1,
        ExceptionKind::Redact => rules.map_or(0, |(_, rules)| rules.redact.len()),
    };
    count.saturating_sub(1)
}

/// A fault beside the field that it is about.
pub(super) fn placed(kind: ExceptionKind, fault: DocumentFault) -> Fault {
    if let Some(below) = fault.path.strip_prefix("/conditions") {
        let path = below.to_owned();
        return placed_condition(DocumentFault { path, ..fault });
    }
    let field = match fault.path.split('/').nth(1) {
        Some("kind") => "window_kind".to_owned(),
        Some(field) => field.to_owned(),
        None if matches!(kind, ExceptionKind::Concurrency | ExceptionKind::Redact) => "entry".to_owned(),
        None => String::new(),
    };
    let suggestion = fault.suggestion.map(|text| format!(" {text}")).unwrap_or_default();
    Fault { field, message: format!("{}{suggestion}", fault.reason) }
}
