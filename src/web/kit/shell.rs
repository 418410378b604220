//! The frame of every page: who looks, where they are, what stands in the rail, what must be said.
//!
//! Plain values for `templates/layout/`. Invariant: nothing here decides what a person may do.

use crate::web::kit::{parts, rail::RailGroup};

/// The color scheme a person chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// The value of `data-theme`; empty when the system decides.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::System => "",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Which frame a page stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Before sign-in: a card in the middle.
    Open,
    /// An organization's pages, under `/o/{org}`.
    Organization,
    /// A person's own pages, under `/me`.
    Account,
    /// The operator's pages, under `/ops`.
    Operator,
}

/// The organization a page belongs to, or one to switch to.
#[derive(Clone, Debug)]
pub struct OrgCard {
    /// Its name.
    pub name: String,
    /// Its name in addresses.
    pub slug: String,
    /// What stands below the name: the host of this installation, or the person's role there.
    pub note: String,
}

/// The person who looks.
#[derive(Clone, Debug)]
pub struct PersonCard {
    /// Their name.
    pub name: String,
    /// Their role here, in words.
    pub role: String,
    /// Whether they may also open the operator's pages.
    pub is_operator: bool,
}

impl PersonCard {
    /// The letters on their badge.
    pub fn initials(&self) -> String {
        parts::initials(&self.name)
    }
}

/// The organization's emergency stop.
#[derive(Clone, Debug)]
pub struct GateCard {
    /// Whether calls pass.
    pub is_open: bool,
    /// While closed: by whom and why. While open: a word about the traffic, or nothing.
    pub note: String,
    /// How much was recorded in each minute of the last hour, as the points of a line; empty for nothing to draw.
    pub spark: String,
    /// Where the gate's page is; empty for people who may not see it.
    pub href: String,
    /// Whether this person may move it.
    pub can_move: bool,
}

/// How loud something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// For information.
    Plain,
    /// Went well.
    Allow,
    /// Needs attention.
    Ask,
    /// Stopped or failed.
    Deny,
}

impl Tone {
    /// The ending of the class names.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }

    /// The icon that goes with it.
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Plain => "info",
            Self::Allow => "ok",
            Self::Ask => "warn",
            Self::Deny => "deny",
        }
    }
}

/// A standing notice on every page: gate closed, organization suspended, deletion pending.
#[derive(Clone, Debug)]
pub struct Banner {
    /// How loud.
    pub tone: Tone,
    /// What is the case, as a sentence.
    pub text: String,
    /// Where something can be done about it; empty for nowhere.
    pub href: String,
    /// What can be done there.
    pub verb: String,
}

/// What the last step did, said once.
#[derive(Clone, Debug)]
pub struct Toast {
    /// What happened.
    pub text: String,
    /// Whether it stays until dismissed: faults do.
    pub stays: bool,
    /// How to take it back.
    pub undo: Option<Undo>,
}

impl Toast {
    /// A thing that happened.
    pub fn said(text: impl Into<String>) -> Self {
        Self { text: text.into(), stays: false, undo: None }
    }
}

/// The form that takes a step back.
#[derive(Clone, Debug)]
pub struct Undo {
    /// Where it is sent.
    pub action: String,
    /// Names and values that go with it.
    pub fields: Vec<(String, String)>,
}

/// Everything the frame shows.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The page's name: its heading and the start of the window's title.
    pub title: String,
    /// Which frame.
    pub base: Base,
    /// Whether a form on the page has faults; the window's title then says so.
    pub has_faults: bool,
    /// The color scheme.
    pub theme: Theme,
    /// The person's time zone by its name in the tz database; empty for the browser's.
    pub zone: String,
    /// Whether single keys do something.
    pub shortcuts: bool,
    /// The organization the page belongs to.
    pub org: Option<OrgCard>,
    /// The person's organizations, for the switcher.
    pub orgs: Vec<OrgCard>,
    /// The person who looks; none before sign-in.
    pub person: Option<PersonCard>,
    /// The id of who looks, so that a tab forgets what it kept of somebody else: empty for nobody, nothing where it is not known.
    pub viewer: Option<String>,
    /// The rail.
    pub rail: Vec<RailGroup>,
    /// The emergency stop, on an organization's pages.
    pub gate: Option<GateCard>,
    /// Standing notices.
    pub banners: Vec<Banner>,
    /// What the last step did.
    pub toasts: Vec<Toast>,
    /// Where find-or-jump asks; empty where there is none.
    pub find: String,
    /// The token that every form carries.
    pub csrf: String,
    /// The id of this request, for error pages and support.
    pub request_id: String,
}

impl Shell {
    /// A frame with nothing in it but a title; the caller fills in what it knows.
    pub fn new(base: Base, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            base,
            has_faults: false,
            theme: Theme::System,
            zone: String::new(),
            shortcuts: true,
            org: None,
            orgs: Vec::new(),
            person: None,
            viewer: None,
            rail: Vec::new(),
            gate: None,
            banners: Vec::new(),
            toasts: Vec::new(),
            find: String::new(),
            csrf: String::new(),
            request_id: String::new(),
        }
    }

    /// The same frame under another title.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// The same frame, whose window title says whether something on the page needs a change.
    #[must_use]
    pub fn with_faults(self, has_faults: bool) -> Self {
        Self { has_faults, ..self }
    }

    /// Whether the page stands before sign-in.
    pub fn is_open(&self) -> bool {
        self.base == Base::Open
    }

    /// The class of the outermost box.
    pub fn frame(&self) -> &'static str {
        match self.base {
            Base::Open => "open",
            Base::Account => "shell",
            Base::Organization | Base::Operator => "shell dense",
        }
    }

    /// Whether an organization of the switcher is the one that is shown.
    pub fn is_here(&self, other: &OrgCard) -> bool {
        self.org.as_ref().is_some_and(|org| org.slug == other.slug)
    }

    /// What find-or-jump finds here.
    pub fn find_hint(&self) -> &'static str {
        match self.base {
            Base::Organization => "A page, a person, a team, a key",
            _ => "A page or an organization",
        }
    }

    /// What the rail is about: the organization, the person's own account, the operator's pages.
    pub fn place(&self) -> &str {
        match (self.base, &self.org) {
            (Base::Organization, Some(org)) => &org.name,
            (Base::Account, _) => "Your account",
            (Base::Operator, _) => "Operator",
            _ => "Portreeve",
        }
    }

    /// What stands in the switcher on pages that belong to no organization.
    pub fn card_name(&self) -> &str {
        match (self.base, &self.person) {
            (Base::Account, Some(person)) => &person.name,
            _ => self.place(),
        }
    }

    /// What stands below that name.
    pub fn card_note(&self) -> &'static str {
        match self.base {
            Base::Account => "Your account",
            Base::Operator => "This installation",
            Base::Open | Base::Organization => "",
        }
    }

    /// The window's title. It starts with "Error:" when the form was refused (WCAG technique G199).
    pub fn document_title(&self) -> String {
        let fault = if self.has_faults { "Error: " } else { "" };
        match self.place() {
            "Portreeve" => format!("{fault}{} · Portreeve", self.title),
            place => format!("{fault}{} · {place} · Portreeve", self.title),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_title_names_the_place_and_says_when_a_form_was_refused() {
        let mut shell = Shell::new(Base::Organization, "Members");
        shell.org = Some(OrgCard { name: "Acme".into(), slug: "acme".into(), note: String::new() });
        assert_eq!(shell.document_title(), "Members · Acme · Portreeve");
        shell.has_faults = true;
        assert_eq!(shell.document_title(), "Error: Members · Acme · Portreeve");
        assert_eq!(Shell::new(Base::Open, "Sign in").document_title(), "Sign in · Portreeve");
    }
}
