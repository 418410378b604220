//! What a change of the gate must say.

use crate::{base::faults::Faults, domain::gate::GateState};

const LONGEST_REASON: usize = 500;

/// A change of the gate that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateChange {
    state: GateState,
    reason: String,
}

impl GateChange {
    /// Takes a form or a request body.
    ///
    /// # Errors
    /// When it closes without a reason, or the reason is too long or holds control characters.
    pub fn parse(state: GateState, reason: &str) -> Result<Self, Faults> {
        let reason = reason.trim().replace("\r\n", "\n");
        let mut faults = Faults::default();
        if state == GateState::Closed && reason.is_empty() {
            faults.add("reason", "say why the gate closes; everybody whose agents stop will read it");
        }
        if reason.chars().count() > LONGEST_REASON {
            faults.add("reason", format!("use at most {LONGEST_REASON} characters"));
        }
        if reason.chars().any(|c| c.is_control() && c != '\n') {
            faults.add("reason", "leave out control characters");
        }
        faults.into_result(Self { state, reason })
    }

    /// Open or closed from now on.
    pub const fn state(&self) -> GateState {
        self.state
    }

    /// Why.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_needs_a_reason_and_opening_does_not() {
        assert!(GateChange::parse(GateState::Closed, "  ").is_err());
        assert!(GateChange::parse(GateState::Open, "").is_ok());
        let change = GateChange::parse(GateState::Closed, " Leaked token\r\nsee #ops ").expect("a reason");
        assert_eq!(change.reason(), "Leaked token\nsee #ops");
    }

    #[test]
    fn a_reason_has_bounds() {
        assert!(GateChange::parse(GateState::Closed, &"ü".repeat(500)).is_ok());
        for bad in ["ü".repeat(501), "a\0b".to_owned(), "a\u{1b}[31m".to_owned()] {
            let faults = GateChange::parse(GateState::Closed, &bad).expect_err("too much");
            assert!(faults.iter().all(|f| f.field == "reason"));
        }
    }
}
