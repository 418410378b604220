//! Plain values that the parts under `templates/parts/` are filled with.
//!
//! Invariant: nothing here decides; a page has decided before it fills one of these.

use qrcode::{Color, QrCode};

/// One step of the way to a page.
#[derive(Clone, Debug)]
pub struct Crumb {
    /// What the page is called.
    pub label: String,
    /// Where it is; empty for a step that is no page.
    pub href: String,
}

impl Crumb {
    /// A step that leads somewhere.
    pub fn to(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into() }
    }
}

/// One of several views of a page: a tab or a segment.
#[derive(Clone, Debug)]
pub struct Tab {
    /// Its name.
    pub label: String,
    /// Where it is.
    pub href: String,
    /// A figure beside the name; empty for none.
    pub figure: String,
    /// Whether this is the view that is shown.
    pub current: bool,
}

impl Tab {
    /// A view without a figure.
    pub fn new(label: impl Into<String>, href: impl Into<String>, current: bool) -> Self {
        Self { label: label.into(), href: href.into(), figure: String::new(), current }
    }

    /// The same view with a figure.
    pub fn with(self, figure: impl ToString) -> Self {
        Self { figure: figure.to_string(), ..self }
    }
}

/// One thing to choose in a select, a radio group or a group of check boxes.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What the page says.
    pub label: String,
    /// A sentence that helps to choose; empty for none.
    pub hint: String,
    /// Why it cannot be chosen; empty when it can.
    pub closed: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

impl Choice {
    /// Something to choose.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            label: label.into(),
            hint: String::new(),
            closed: String::new(),
            chosen: false,
        }
    }

    /// With a sentence that helps to choose.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// Not to be chosen, and why.
    pub fn closed(self, why: impl Into<String>) -> Self {
        Self { closed: why.into(), ..self }
    }

    /// Chosen when `value` is its value.
    pub fn chosen_by(self, value: &str) -> Self {
        Self { chosen: self.value == value, ..self }
    }

    /// Choices of which one was chosen by what was typed; what is none of them stands at the end, as typed.
    pub fn chosen_of(choices: impl IntoIterator<Item = Self>, typed: &str) -> Vec<Self> {
        let mut choices: Vec<Self> = choices.into_iter().map(|choice| choice.chosen_by(typed)).collect();
        if !choices.iter().any(|choice| choice.chosen) {
            choices.push(Self::new(typed, typed).chosen(true));
        }
        choices
    }

    /// Chosen or not, for groups where several may be.
    pub fn chosen(self, chosen: bool) -> Self {
        Self { chosen, ..self }
    }
}

/// One line of an error summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The name of the field; empty for a fault of the form as a whole.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// One thing to do on the way to a set-up installation.
#[derive(Clone, Debug)]
pub struct Check {
    /// What to do.
    pub label: String,
    /// Why, or what came of it.
    pub hint: String,
    /// Where it is done.
    pub href: String,
    /// The words on the button.
    pub verb: String,
    /// Whether it is done.
    pub done: bool,
}

/// A run of dark squares in one row of a QR code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first column.
    pub x: usize,
    /// The row.
    pub y: usize,
    /// How many columns.
    pub width: usize,
}

/// A QR code as runs of squares; the template draws it.
#[derive(Clone, Debug)]
pub struct Qr {
    /// Squares on each side, without the quiet zone.
    pub size: usize,
    /// The dark squares.
    pub runs: Vec<Run>,
}

impl Qr {
    /// Draws a text; `None` when it is longer than a QR code can hold.
    pub fn new(text: &str) -> Option<Self> {
        let code = QrCode::new(text.as_bytes()).ok()?;
        let size = code.width();
        let squares = code.into_colors();
        let mut runs = Vec::new();
        for (y, row) in squares.chunks(size).enumerate() {
            let mut x = 0;
            while x < size {
                let width = row[x..].iter().take_while(|square| **square == Color::Dark).count();
                if width > 0 {
                    runs.push(Run { x, y, width });
                }
                x += width.max(1);
            }
        }
        Some(Self { size, runs })
    }
}

/// The letters that stand for a person or an organization: two at the most, upper case.
pub fn initials(name: &str) -> String {
    let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next().and_then(|word| word.chars().next());
    let last = words.next_back().and_then(|word| word.chars().next());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_come_from_the_first_and_the_last_word() {
        assert_eq!(initials("Mara Lindqvist"), "ML");
        assert_eq!(initials("maria de la cruz"), "MC");
        assert_eq!(initials("ci-runner"), "CR");
        assert_eq!(initials("Émile"), "É");
        assert_eq!(initials(" … "), "");
    }

    #[test]
    fn a_qr_code_is_drawn_with_its_three_corners() {
        let qr = Qr::new("otpauth://totp/Portreeve:mara@example.org?secret=JBSWY3DPEHPK3PXP").expect("fits");
        for corner in [Run { x: 0, y: 0, width: 7 }, Run { x: qr.size - 7, y: 0, width: 7 }] {
            assert!(qr.runs.contains(&corner));
        }
        assert!(qr.runs.contains(&Run { x: 0, y: qr.size - 1, width: 7 }));
        assert!(Qr::new(&"x".repeat(4000)).is_none());
    }
}
