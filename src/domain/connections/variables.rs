//! What an organization fills into a preset's addresses: its shop, its tenant, its own host.

use crate::protocol::oauth::{
    address::Rule,
    document::{Document, Facts, Path},
};

/// One gap in a preset's addresses.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The gap's name.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// What to enter, in a sentence.
    #[serde(default)]
    pub help: String,
    /// What most people enter.
    #[serde(default)]
    pub default: Option<String>,
    /// What the whole value has to match.
    pub rule: Rule,
    /// Who says it.
    #[serde(default)]
    pub source: VariableSource,
}

/// Who says what fills a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableSource {
    /// Whoever registers the provider.
    #[default]
    Asked,
    /// The provider, with the token.
    Answered,
}

/// Why a value fills no gap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadVariable {
    /// Nothing was entered.
    #[error("enter {0}")]
    Missing(String),
    /// It leaves the rule.
    #[error("this is not a value for {0} that the provider uses")]
    Refused(String),
    /// There is no such gap.
    #[error("the provider has no variable `{0}`")]
    Unknown(String),
}

impl Variable {
    /// The value as it fills the gap.
    ///
    /// # Errors
    /// [`BadVariable`].
    pub fn check(&self, value: Option<&str>) -> Result<String, BadVariable> {
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        let value = value.or(self.default.as_deref());
        let value = value.ok_or_else(|| BadVariable::Missing(self.label.clone()))?.to_ascii_lowercase();
        if self.rule.admits(&value) { Ok(value) } else { Err(BadVariable::Refused(self.label.clone())) }
    }
}

/// Checks what was entered for a preset's variables; defaults stand where nothing was.
///
/// # Errors
/// The first thing wrong with each, with the variable's name.
pub(super) fn check_all(
    variables: &[Variable],
    entered: &Facts,
) -> Result<Facts, Vec<(String, BadVariable)>> {
    let asked = || variables.iter().filter(|variable| variable.source == VariableSource::Asked);
    let (mut good, mut bad) = (Facts::new(), Vec::new());
    for variable in asked() {
        match variable.check(entered.get(&variable.name).map(String::as_str)) {
            Ok(value) => drop(good.insert(variable.name.clone(), value)),
            Err(error) => bad.push((variable.name.clone(), error)),
        }
    }
    let unknown = entered.keys().filter(|name| !asked().any(|variable| variable.name == **name));
    bad.extend(unknown.map(|name| (name.clone(), BadVariable::Unknown(name.clone()))));
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

/// What came with a token for the gaps that are filled by it; what leaves its rule is left out.
pub(super) fn answered(variables: &[Variable], answer: &Document) -> Facts {
    let said = variables.iter().filter(|variable| variable.source == VariableSource::Answered);
    said.filter_map(|variable| {
        let path: Path = variable.name.parse().ok()?;
        let text = answer.text(&path)?;
        // Some give a whole address, of which the host fills the gap.
        let host = text.strip_prefix("https://").unwrap_or(&text).trim_end_matches('/');
        variable.rule.admits(host).then(|| (variable.name.clone(), host.to_owned()))
    })
    .collect()
}
