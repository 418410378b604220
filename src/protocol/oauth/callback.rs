//! What a browser brings back from a provider.

use std::collections::BTreeMap;

use crate::{
    base::secret::Secret,
    protocol::oauth::document::{Facts, clean},
};

const LONGEST_CODE: usize = 8_000;
const MOST_PAIRS: usize = 40;

/// What came back.
#[derive(Debug)]
pub struct Callback {
    /// Ties it to the request.
    pub state: Secret<String>,
    /// Who says to have sent it (RFC 9207).
    pub issuer: Option<String>,
    /// A code, or why there is none.
    pub result: Result<Secret<String>, Refused>,
    /// Everything else by name, such as the company that was chosen.
    pub facts: Facts,
}

/// The provider, or the person, refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The standard's name for it, or the provider's own (RFC 6749, section 4.1.2.1).
    pub code: String,
    /// The provider's words.
    pub words: Option<String>,
}

/// Why a callback is not looked at any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCallback {
    /// No state, or neither code nor error.
    #[error("the provider's answer is not complete")]
    Incomplete,
    /// A parameter stands there twice, and readers differ in which one they take (RFC 6749, section 3.1).
    #[error("the provider's answer says something twice")]
    Repeated,
    /// Another issuer than the one that was asked.
    #[error("the answer comes from another issuer than the one that was asked")]
    Issuer,
}

impl Callback {
    /// Reads the query of a callback.
    ///
    /// # Errors
    /// `Incomplete` and `Repeated`; see [`BadCallback`].
    pub fn read(query: &str) -> Result<Self, BadCallback> {
        let mut pairs = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).take(MOST_PAIRS) {
            if pairs.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(BadCallback::Repeated);
            }
        }
        let filled = |text: &String| !text.is_empty() && text.len() <= LONGEST_CODE;
        let state = pairs.remove("state").filter(filled).ok_or(BadCallback::Incomplete)?;
        let code = pairs.remove("code").filter(filled).map(Secret::new);
        let error = pairs.remove("error").filter(filled);
        let words = pairs.remove("error_description").map(|words| clean(&words, 300));
        let words = words.filter(|words| !words.is_empty());
        let result = match (error, code) {
            (Some(error), _) => Err(Refused { code: clean(&error, 60), words }),
            (None, Some(code)) => Ok(code),
            (None, None) => return Err(BadCallback::Incomplete),
        };
        let issuer = pairs.remove("iss");
        let facts = pairs.into_iter().map(|(name, value)| (name, clean(&value, 1_000))).collect();
        Ok(Self { state: Secret::new(state), issuer, result, facts })
    }

    /// Compares who sent it with who was asked, to the letter (RFC 9207, section 2.4). To be done before anything else of
    /// the answer is shown. `recorded` is nothing where nobody knows what the provider calls itself.
    ///
    /// # Errors
    /// `Issuer`.
    pub fn check_issuer(&self, recorded: Option<&str>, is_promised: bool) -> Result<(), BadCallback> {
        match (recorded, &self.issuer) {
            (Some(recorded), Some(issuer)) if recorded != issuer => Err(BadCallback::Issuer),
            (_, None) if is_promised => Err(BadCallback::Issuer),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_brings_a_code_or_says_why_not() {
        let good =
            Callback::read("code=c%2Fd&state=s&realmId=42&iss=https%3A%2F%2Fi.example").expect("a callback");
        assert_eq!(good.result.as_ref().map(|code| code.expose().as_str()), Ok("c/d"));
        assert_eq!(good.facts, Facts::from([("realmId".to_owned(), "42".to_owned())]));
        assert!(!format!("{good:?}").contains("c/d"));
        let bad =
            Callback::read("error=access_denied&error_description=no%0Athanks&state=s&code=x").expect("read");
        let refused = bad.result.expect_err("refused");
        assert_eq!((refused.code.as_str(), refused.words.as_deref()), ("access_denied", Some("no thanks")));
    }

    #[test]
    fn half_callbacks_and_doubled_ones_are_refused() {
        for query in ["", "code=c", "state=s", "state=&code=c", "state=s&code=", "state=s&error="] {
            assert_eq!(Callback::read(query).expect_err(query), BadCallback::Incomplete);
        }
        for query in ["state=s&code=a&code=b", "state=s&state=t&code=a", "state=s&code=a&iss=x&iss=y"] {
            assert_eq!(Callback::read(query).expect_err(query), BadCallback::Repeated);
        }
    }

    #[test]
    fn the_issuer_is_compared_to_the_letter() {
        let check = |query: &str, recorded: Option<&str>, is_promised| {
            Callback::read(query).expect("read").check_issuer(recorded, is_promised)
        };
        let (ours, theirs) = (Some("https://i.example"), "state=s&error=x&iss=https://i.example/");
        assert_eq!(check("state=s&code=c&iss=https://i.example", ours, true), Ok(()));
        assert_eq!(check(theirs, ours, false), Err(BadCallback::Issuer));
        assert_eq!(check("state=s&code=c", ours, true), Err(BadCallback::Issuer));
        assert_eq!(check("state=s&code=c", ours, false), Ok(()));
        assert_eq!(check(theirs, None, false), Ok(()));
    }
}
