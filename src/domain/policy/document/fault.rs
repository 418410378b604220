//! What is wrong with a document, at which place, and what was probably meant.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PolicyFault")]
pub struct Fault {
    /// Where, as a JSON pointer (RFC 6901).
    pub path: String,
    /// What is wrong, as a sentence.
    pub reason: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() { "/" } else { &self.path };
        write!(f, "{place}: {}", self.reason)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " {suggestion}"),
            None => Ok(()),
        }
    }
}

/// How many faults are told; whoever mends so many reads the rest then.
pub(super) const MOST: usize = 100;

/// A place in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(String);

impl Place {
    /// The member of this key.
    pub(super) fn key(&self, key: &str) -> Self {
        Self(format!("{}/{}", self.0, key.replace('~', "~0").replace('/', "~1")))
    }

    /// The element at this index.
    pub(super) fn at(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }
}

/// The faults that were found so far.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// One more.
    pub(super) fn add(&mut self, place: &Place, reason: impl Into<String>) {
        self.add_with(place, reason, None);
    }

    /// One more, with what to write instead.
    pub(super) fn add_with(&mut self, place: &Place, reason: impl Into<String>, suggestion: Option<String>) {
        if self.0.len() < MOST {
            self.0.push(Fault { path: place.0.clone(), reason: reason.into(), suggestion });
        }
    }

    pub(super) fn into_result<T>(self, value: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// The one of these that a text is most like, where one is much like it.
pub(super) fn meant<'a>(said: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let said: String = said.chars().take(80).collect();
    let near = known.into_iter().map(|one| (strsim::damerau_levenshtein(&said, one), one));
    let (distance, one) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + one.chars().count() / 4).then(|| format!("Did you mean {one}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_json_pointers() {
        let place = Place::default().key("tools").key("a/b~c").at(2);
        assert_eq!(place.0, "/tools/a~1b~0c/2");
    }

    #[test]
    fn what_is_near_is_suggested_and_what_is_not_is_not() {
        let known = ["require", "deny_if", "limits"];
        assert_eq!(meant("denyif", known).as_deref(), Some("Did you mean deny_if?"));
        assert_eq!(meant("reqiure", known).as_deref(), Some("Did you mean require?"));
        assert_eq!(meant("whatever", known), None);
        // One letter may be wrong, and one more for every four that there are.
        assert_eq!(meant("limi", ["limit"]).as_deref(), Some("Did you mean limit?"));
        assert_eq!(meant("lim", ["limit"]).as_deref(), Some("Did you mean limit?"));
        assert_eq!(meant("li", ["limit"]), None);
        assert_eq!((meant("gr", ["get"]), meant("gr", ["gr"])), (None, Some("Did you mean gr?".to_owned())));
    }
}
