//! Values of people and agents that are kept and compared, but stand in no log.

use std::{fmt, ops::Deref};

use serde::{Deserialize, Serialize};

/// A value that prints as `***`: an argument of a call, which may be anything. Unlike a secret it may be kept.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unprinted<T>(pub T);

impl<T> fmt::Debug for Unprinted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T> Deref for Unprinted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Unprinted<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_prints_as_stars_and_is_kept_as_it_is() {
        let value = Unprinted("mara@example.com".to_owned());
        assert_eq!(format!("{:?}", Some(&value)), "Some(***)");
        assert_eq!(serde_json::to_string(&value).expect("JSON"), r#""mara@example.com""#);
    }
}
