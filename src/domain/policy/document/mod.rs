//! A policy document, version 1: read whole, with everything that is wrong told at once, or not at all.
//!
//! Documents of PolicyLayer's version 1 are read as they are; what they write in short is kept in full. Equal documents
//! have one canonical text.
//!
//! Invariant: a document that was read decides without any further fault.
//! Invariant: what is not known is a fault, with its place and what was probably meant.

mod canonical;
mod choices;
mod fault;
pub(super) mod keys;
mod limits;
mod networks;
mod patterns;
mod read;
mod rules;
mod weight;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr, sync::Arc};

pub use choices::Choices;
pub use fault::Fault;
pub use networks::Networks;
pub use patterns::{Schema, TextPattern};
pub use read::read;

use crate::domain::policy::{
    literal::Literal, number::Number, path::Path, pattern::Pattern, redact::Redaction,
};

/// How large a document may be.
pub const MAX_BYTES: usize = 1024 * 1024;
/// How many conditions it may have.
pub const MAX_CONDITIONS: usize = 20_000;

/// What agents may do.
#[derive(Clone, Debug)]
pub struct Document {
    /// Whether it decides, or only says what it would decide.
    pub mode: Mode,
    /// What holds for tools that are not named.
    pub default: Action,
    /// What holds for tools that are new or have changed.
    pub unreviewed: Unreviewed,
    /// Tools that are not there.
    pub hide: Vec<Pattern>,
    /// What holds for every tool.
    pub all_tools: Checks,
    /// What holds for the tools of a key, in the order of the keys' text.
    pub tools: Vec<(Pattern, ToolRules)>,
}

/// Whether a document, a rule or a limit decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It does.
    #[default]
    Enforce,
    /// What it would decide is recorded, and nothing is stopped.
    Observe,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// It may be made.
    #[default]
    Allow,
    /// A human is asked.
    RequireApproval,
    /// It is not made.
    Deny,
}

impl Action {
    /// As documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::RequireApproval => "require_approval",
            Self::Deny => "deny",
        }
    }
}

/// What holds for tools that nobody has reviewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unreviewed {
    /// They may not be called.
    #[default]
    Deny,
    /// What holds for all others.
    Default,
}

/// Conditions and limits of a call.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    /// All must hold.
    pub require: Vec<Rule>,
    /// None may hold.
    pub deny_if: Vec<Rule>,
    /// Where one holds, a human is asked.
    pub ask_if: Vec<AskRule>,
    /// How much is too much.
    pub limits: Vec<Limit>,
}

/// What holds for the tools of a key.
#[derive(Clone, Debug, Default)]
pub struct ToolRules {
    /// What becomes of a call that passes all checks.
    pub action: Action,
    /// Why, for the agent, the person and the record.
    pub reason: Option<String>,
    /// What is checked.
    pub checks: Checks,
    /// How many calls may be under way at once.
    pub concurrency: Option<u32>,
    /// Places that are never stored, and masked where shown.
    pub redact: Vec<Redaction>,
}

/// Conditions that hold together or not.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: Option<String>,
    /// Whether it stops or asks, or only says what it would do.
    pub mode: Mode,
    /// All must hold; none at all always hold.
    pub conditions: Vec<Condition>,
    /// What is said where it stops a call.
    pub on_deny: Option<String>,
}

/// Conditions under which a human is asked, and who.
#[derive(Clone, Debug)]
pub struct AskRule {
    /// When.
    pub rule: Rule,
    /// Whom, and for how long.
    pub ask: Ask,
}

/// Who is asked, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Who may agree.
    pub approvers: Approvers,
    /// How many have to.
    pub quorum: u32,
    /// Within how many seconds.
    pub within: u32,
}

impl Default for Ask {
    fn default() -> Self {
        Self { approvers: Approvers::Role("approver".to_owned()), quorum: 1, within: 30 * 60 }
    }
}

/// Who may agree to a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Approvers {
    /// Whoever has this role.
    Role(String),
    /// Whoever is in the team of this slug.
    Team(String),
    /// The person of this address.
    User(String),
}

impl fmt::Display for Approvers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Team(team) => write!(f, "team:{team}"),
            Self::User(user) => write!(f, "user:{user}"),
        }
    }
}

/// One condition.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What it looks at.
    pub path: Path,
    /// What has to be so.
    pub test: Test,
    /// Whether one value is enough, where there are several.
    pub quantifier: Quantifier,
}

/// How many of several values have to fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// One.
    #[default]
    Any,
    /// All of them, and there is one.
    All,
}

/// What has to be so of a value.
#[derive(Clone, Debug)]
pub enum Test {
    /// It is this.
    Eq(Literal),
    /// It is something else.
    Neq(Literal),
    /// It is one of these.
    In(Arc<Choices>),
    /// It is none of these.
    NotIn(Arc<Choices>),
    /// It stands to this in an order.
    Order(Order, Bound),
    /// It lies between these, which belong to it.
    Between(Bound, Bound),
    /// A text that the pattern is found in.
    Regex(Arc<TextPattern>),
    /// A text that has this text in it, or an array that has this element.
    Contains(Literal),
    /// It is there, or is not.
    Exists(bool),
    /// A text that begins so.
    StartsWith(String),
    /// A text that ends so.
    EndsWith(String),
    /// A text that fits a glob.
    Glob(String),
    /// A text, array or object of this length.
    Length(Number, Number),
    /// It is of one of these kinds.
    Type(Vec<ValueType>),
    /// An address within one of these networks.
    Cidr(Arc<Networks>),
    /// It is as a schema says.
    Schema(Arc<Schema>),
}

/// An order between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Smaller.
    Lt,
    /// Not larger.
    Lte,
    /// Larger.
    Gt,
    /// Not smaller.
    Gte,
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A number.
    Number(Number),
    /// A moment.
    Moment(time::OffsetDateTime),
    /// A time of the day, in UTC.
    TimeOfDay(time::Time),
}

/// A kind of JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// A text.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// How much is too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What counts; limits of one name share it.
    pub counter: String,
    /// For how many seconds, or until which calendar boundary.
    pub window: Window,
    /// How windows follow one another.
    pub kind: WindowKind,
    /// How much is allowed.
    pub max: Number,
    /// Who shares it.
    pub scope: Scope,
    /// What one call counts.
    pub increment: Increment,
    /// Where only different values count: which.
    pub distinct: Option<Path>,
    /// Whether calls count that ended in an error.
    pub count_errors: bool,
    /// What becomes of a call beyond it.
    pub on_exceed: OnExceed,
    /// Whether it stops or asks, or only counts.
    pub mode: Mode,
    /// What is said then.
    pub on_deny: Option<String>,
}

/// A span in which is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
    /// A month, in UTC.
    Month,
    /// So many seconds.
    Seconds(u32),
}

/// How windows follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WindowKind {
    /// One ends and the next begins.
    #[default]
    Fixed,
    /// It ends now and begins so long ago.
    Sliding,
}

/// Who shares a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The grant's calls.
    Grant,
    /// The person's.
    User,
    /// The team's.
    Team,
    /// Those of one client software.
    Client,
    /// Those of one server.
    Server,
    /// Everybody's.
    Org,
}

/// What one call counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Increment {
    /// Always so much.
    By(Number),
    /// What stands in the arguments.
    From(Path),
}

/// What becomes of a call beyond a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnExceed {
    /// It is not made.
    #[default]
    Deny,
    /// A human is asked.
    RequireApproval,
}

impl Document {
    /// The one text that equal documents share.
    pub fn canonical(&self) -> String {
        canonical::write(self)
    }

    /// Whether any of it only says what it would decide. Limits do not: they count, and say nothing of a call.
    pub fn observes(&self) -> bool {
        let own = self.tools.iter().map(|(_, rules)| &rules.checks);
        self.mode == Mode::Observe || own.chain([&self.all_tools]).any(Checks::observes)
    }
}

impl Checks {
    fn observes(&self) -> bool {
        let asking = self.ask_if.iter().map(|one| &one.rule);
        self.require.iter().chain(&self.deny_if).chain(asking).any(|rule| rule.mode == Mode::Observe)
    }
}

/// An address as arguments and facts write it.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}
