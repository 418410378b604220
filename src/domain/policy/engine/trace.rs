//! Why a call was decided as it was: enough to tell the verdict again without documents and arguments.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::domain::policy::{document::Mode, engine::judge::LayerName};

/// Why a call was decided as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// What each layer found, in the order of the layers.
    pub layers: Vec<LayerTrace>,
}

/// What a layer found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerTrace {
    /// Which layer.
    pub layer: LayerName,
    /// Whether what it found is only recorded.
    pub is_observed: bool,
    /// The key of the document that the tool falls under.
    pub key: Option<String>,
    /// Everything that did not simply pass, in the order of the steps.
    pub reasons: Vec<Reason>,
}

/// Something that stops a call, or has a human asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Which part of the document.
    pub part: Part,
    /// What it asks for.
    pub effect: Effect,
    /// The name of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The words of the document for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// Whether this part only observes: what it asks for is recorded, and is not done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_observed: bool,
}

/// What a part of a document asks for, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing.
    Allow,
    /// A human is asked.
    RequireApproval,
    /// The call is not made.
    Deny,
    /// The tool is not there.
    Hide,
}

/// A part of a document, or the lack of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// There is no document in any layer.
    NoPolicy,
    /// What holds for tools that nobody reviewed.
    Unreviewed,
    /// The pattern at this place of `hide`.
    Hide(usize),
    /// What holds for tools that are not named.
    Default,
    /// The action of a key.
    Action(String),
    /// A rule or limit: the key, none for all tools; the list; the place in it.
    Check(Option<String>, List, usize),
    /// A rule or limit that was not judged, for the arguments are too large for it: the key, the list and the place.
    Beyond(Option<String>, List, usize),
    /// How many calls of a key may be under way.
    Concurrency(String),
}

/// A list of rules or limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum List {
    /// `require`
    Require,
    /// `deny_if`
    DenyIf,
    /// `require_approval_if`
    AskIf,
    /// `limits`
    Limits,
}

impl List {
    const fn key(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::DenyIf => "deny_if",
            Self::AskIf => "require_approval_if",
            Self::Limits => "limits",
        }
    }
}

/// As a JSON pointer into the document (RFC 6901).
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
        match self {
            Self::NoPolicy => Ok(()),
            Self::Unreviewed => f.write_str("/unreviewed_tools"),
            Self::Hide(at) => write!(f, "/hide/{at}"),
            Self::Default => f.write_str("/default"),
            Self::Action(key) => write!(f, "/tools/{}/action", escaped(key)),
            Self::Check(None, list, at) | Self::Beyond(None, list, at) => {
                write!(f, "/all_tools/{}/{at}", list.key())
            }
            Self::Check(Some(key), list, at) | Self::Beyond(Some(key), list, at) => {
                write!(f, "/tools/{}/{}/{at}", escaped(key), list.key())
            }
            Self::Concurrency(key) => write!(f, "/tools/{}/concurrency", escaped(key)),
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl LayerTrace {
    pub(super) const fn new(layer: LayerName, mode: Mode) -> Self {
        let is_observed = matches!(mode, Mode::Observe);
        Self { layer, is_observed, key: None, reasons: Vec::new() }
    }

    /// What the layer asks for, whether or not it counts; what only observes within it asks for nothing.
    pub fn effect(&self) -> Effect {
        self.enforced().map(|reason| reason.effect).max().unwrap_or(Effect::Allow)
    }

    fn enforced(&self) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().filter(|reason| !reason.is_observed)
    }
}

impl Trace {
    /// What all layers ask for together: the strictest counts, and what is only observed does not.
    pub fn outcome(&self) -> Effect {
        let counting = self.layers.iter().filter(|layer| !layer.is_observed);
        counting.map(LayerTrace::effect).max().unwrap_or(Effect::Allow)
    }

    /// The first reason that the outcome rests on, and its layer.
    pub fn decisive(&self) -> Option<(LayerName, &Reason)> {
        let (seat, reason) = self.decisive_at()?;
        Some((self.layers.get(seat)?.layer, reason))
    }

    /// The same with the place of its layer among them.
    pub fn decisive_at(&self) -> Option<(usize, &Reason)> {
        let outcome = self.outcome();
        let counting = self.layers.iter().enumerate().filter(|(_, layer)| !layer.is_observed);
        let mut all = counting.flat_map(|(seat, layer)| layer.enforced().map(move |reason| (seat, reason)));
        all.find(|(_, reason)| reason.effect == outcome)
    }
}
