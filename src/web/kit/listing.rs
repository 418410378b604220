//! Query parameters that every list shares.

use serde::{Deserialize, Deserializer};

use crate::{
    base::{
        faults::Faults,
        page::{BadPage, PageRequest},
    },
    flow::fault::ActionError,
};

/// `limit` and `cursor`.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
pub struct PageQuery {
    /// How many items at the most, 1 to 200; 50 when left out.
    #[serde(default, deserialize_with = "number")]
    #[schemars(with = "Option<u16>", range(min = 1, max = 200))]
    pub limit: Option<u16>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// Reads a number from the text of a query. A flattened struct gets its values as texts, and what is no number is
/// out of every range.
fn number<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u16>, D::Error> {
    let text = String::deserialize(value)?;
    Ok(Some(text.parse().unwrap_or(u16::MAX)))
}

impl PageQuery {
    /// Reads both.
    ///
    /// # Errors
    /// A field error that names the parameter.
    pub fn parse<K: serde::de::DeserializeOwned>(&self) -> Result<PageRequest<K>, ActionError> {
        PageRequest::parse(self.limit, self.cursor.as_deref()).map_err(|bad| {
            let mut faults = Faults::default();
            faults.add(if bad == BadPage::Limit { "limit" } else { "cursor" }, bad.to_string());
            ActionError::Fields(faults)
        })
    }
}

/// What a list is searched for, 100 characters at the most.
///
/// # Errors
/// A field error that names the parameter `q`.
pub fn search(q: Option<String>) -> Result<Option<String>, ActionError> {
    if q.as_ref().is_some_and(|q| q.chars().count() > 100) {
        let mut faults = Faults::default();
        faults.add("q", "Search for 100 characters at the most.");
        return Err(ActionError::Fields(faults));
    }
    Ok(q)
}

/// Addresses for the foot of a list: back to the start, and the next page; empty where there is none.
pub fn next_href(
    base: &str,
    filter: &[(&str, &str)],
    cursor: Option<&str>,
    next: Option<&str>,
) -> (String, String) {
    let kept: Vec<(&str, &str)> = filter.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
    let href = |cursor: Option<&str>| {
        let all: Vec<(&str, &str)> = kept.iter().copied().chain(cursor.map(|c| ("cursor", c))).collect();
        match serde_urlencoded::to_string(&all).unwrap_or_default() {
            query if query.is_empty() => base.to_owned(),
            query => format!("{base}?{query}"),
        }
    };
    let first = cursor.filter(|c| !c.is_empty()).map(|_| href(None)).unwrap_or_default();
    let next = next.map(|next| href(Some(next))).unwrap_or_default();
    (first, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pager_keeps_the_filter() {
        let see = |cursor, next| next_href("/o/a/teams", &[("q", "x y"), ("role", "")], cursor, next);
        assert_eq!(see(None, None), (String::new(), String::new()));
        assert_eq!(see(None, Some("c")), (String::new(), "/o/a/teams?q=x+y&cursor=c".to_owned()));
        assert_eq!(see(Some("b"), None), ("/o/a/teams?q=x+y".to_owned(), String::new()));
    }
}
