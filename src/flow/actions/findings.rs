//! What is found when something is looked at link by link: how each stands, why, what to do and who can.

use crate::base::trace::Fixer;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stand {
    /// As it should.
    Fine,
    /// Somebody should look at it.
    Look,
    /// It does not work.
    Broken,
    /// Not looked at, because of what was found before.
    NotReached,
}

impl Stand {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Look => "look",
            Self::Broken => "broken",
            Self::NotReached => "not_reached",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, as a code.
    pub name: &'static str,
    /// How it stands.
    pub stand: Stand,
    /// What was found, as a sentence.
    pub found: String,
    /// What to do, as a sentence; empty where nothing is to be done.
    pub fix: String,
    /// Who can.
    pub fixer: Option<Fixer>,
    /// The page where that is done; empty where there is none.
    pub page: String,
}

impl Finding {
    /// Something as it should be.
    pub fn fine(name: &'static str, found: impl Into<String>) -> Self {
        let (found, stand) = (found.into(), Stand::Fine);
        Self { name, stand, found, fix: String::new(), fixer: None, page: String::new() }
    }

    /// Something that is not as it should be.
    pub fn of(
        name: &'static str,
        stand: Stand,
        (found, fix): (impl Into<String>, impl Into<String>),
        fixer: Fixer,
        page: impl Into<String>,
    ) -> Self {
        Self { name, stand, found: found.into(), fix: fix.into(), fixer: Some(fixer), page: page.into() }
    }

    /// Something that was not looked at.
    pub fn not_reached(name: &'static str) -> Self {
        Self {
            stand: Stand::NotReached,
            ..Self::fine(name, "Not looked at, because of what was found above.")
        }
    }
}

/// The worst of these.
pub fn worst<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Stand {
    let stands =
        findings.into_iter().map(|finding| finding.stand).filter(|stand| *stand != Stand::NotReached);
    stands.max().unwrap_or(Stand::Fine)
}
