//! What stands in an address after the question mark, where it must be readable as a whole.
//!
//! Lists are read by `listing.rs`, which shows the list all the same.

use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};
use serde::de::DeserializeOwned;

use crate::web::kit::faults::PageError;

/// The query of a page that is no list.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageError> {
        read(&parts.uri).map(Self).map_err(|bad| PageError::query(bad.name, bad.message))
    }
}

/// A parameter that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadParameter {
    pub(super) name: String,
    /// Why, and what to do.
    pub(super) message: String,
}

/// The names and values in an address, in their order.
pub(super) fn pairs(uri: &Uri) -> Vec<(String, String)> {
    serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default()
}

/// What to say of a parameter that stands in the address more than once.
pub(super) fn repeated(name: &str) -> String {
    format!("“{name}” stands in the address more than once; leave one of them")
}

/// Reads the query of an address.
pub(super) fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, BadParameter> {
    let pairs = pairs(uri);
    if let Some((name, _)) = pairs
        .iter()
        .enumerate()
        .find(|(at, pair)| pairs[..*at].iter().any(|seen| seen.0 == pair.0))
        .map(|(_, pair)| pair)
    {
        return Err(BadParameter { name: name.clone(), message: repeated(name) });
    }
    of_pairs(pairs.iter()).map_err(|error| {
        // The error does not say which parameter it is about: it is the one without which there is none.
        let without = |name: &str| of_pairs::<T>(pairs.iter().filter(|pair| pair.0 != name)).is_ok();
        let culprit = pairs.iter().find(|pair| without(&pair.0)).map(|pair| pair.0.clone());
        BadParameter { name: culprit.unwrap_or_else(|| "query".to_owned()), message: error.to_string() }
    })
}

fn of_pairs<'a, T: DeserializeOwned>(
    pairs: impl Iterator<Item = &'a (String, String)>,
) -> Result<T, serde_urlencoded::de::Error> {
    let text = serde_urlencoded::to_string(pairs.collect::<Vec<_>>()).unwrap_or_default();
    serde_urlencoded::from_str(&text)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        #[default]
        Red,
    }

    #[derive(Debug, Deserialize)]
    struct Asked {
        #[serde(default)]
        q: String,
        #[serde(default)]
        color: Color,
    }

    fn read(query: &str) -> Result<Asked, BadParameter> {
        super::read(&format!("/list?{query}").parse().expect("an address"))
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(read("q=a+b&x=1").expect("readable").q, "a b");
        assert_eq!(read("").expect("readable").color, Color::Red);
        assert_eq!(
            read("q=a&q=b").expect_err("twice"),
            BadParameter { name: "q".into(), message: repeated("q") }
        );
        let bad = read("q=a&color=blue").expect_err("no such color");
        assert_eq!(bad.name, "color");
        assert!(bad.message.contains("`red`"), "{}", bad.message);
    }
}
