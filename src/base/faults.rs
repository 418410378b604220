//! Everything that is wrong with a form or a request body, gathered before it is refused.

use std::fmt::{self, Display};

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field, as forms and the API name it.
    pub field: &'static str,
    /// What is wrong and what to do, for the person who filled it in.
    pub message: String,
}

/// All faults of one input; empty where there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault.
    pub fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.push(Fault { field, message: message.into() });
    }

    /// Keeps the good value, or notes why there is none.
    pub fn check<T, E: Display>(&mut self, field: &'static str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(field, error.to_string())).ok()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value, where nothing is wrong.
    ///
    /// # Errors
    /// The faults, where there are any.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The faults in the order they were noted.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.iter().enumerate() {
            let between = if i == 0 { "" } else { "; " };
            write!(f, "{between}{}: {}", fault.field, fault.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_in_order() {
        let mut faults = Faults::default();
        assert_eq!(faults.check("slug", Ok::<_, String>(7)), Some(7));
        assert!(faults.is_empty());
        assert_eq!(faults.check("name", Err::<u8, _>("enter a name")), None);
        faults.add("role", "choose a role");
        assert_eq!(faults.to_string(), "name: enter a name; role: choose a role");
        assert_eq!(faults.into_result(()).expect_err("two faults").iter().count(), 2);
    }

    #[test]
    fn a_faultless_input_gives_its_value() {
        assert_eq!(Faults::default().into_result(1), Ok(1));
    }
}
