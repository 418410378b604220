//! What every list shares: what its address asks for, and the way from one page of it to the next.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use crate::{
    base::{
        faults::{Fault, Faults},
        page::{BadPage, PageRequest},
    },
    flow::fault::ActionError,
    web::kit::{faults::PageError, form::FormFaults, query},
};

/// The longest text that a list is searched for.
const MAX_SEARCH: usize = 100;
/// Parameters for which a page has no control.
const PAGING: [&str; 2] = ["limit", "cursor"];

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
    if q.as_ref().is_some_and(|q| q.chars().count() > MAX_SEARCH) {
        return Err(ActionError::field("q", TOO_LONG));
    }
    Ok(q)
}

const TOO_LONG: &str = "Search for 100 characters at the most.";

/// What the address of a list in the console asks for.
///
/// Reading it never fails: what cannot be used becomes a fault that the page shows beside the filter, with what was
/// typed, and the list goes without it.
#[derive(Debug)]
pub struct Asked {
    path: String,
    pairs: Vec<(String, String)>,
    /// What was asked for and can be used, for the links at the foot.
    kept: Vec<(&'static str, String)>,
    faults: Faults,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new(parts.uri.path(), query::pairs(&parts.uri)))
    }
}

impl Asked {
    fn new(path: &str, pairs: Vec<(String, String)>) -> Self {
        Self { path: path.to_owned(), pairs, kept: Vec::new(), faults: Faults::default() }
    }

    /// The value of a parameter; empty where there is none.
    pub fn text(&mut self, name: &'static str) -> String {
        let mut values = self.pairs.iter().filter(|pair| pair.0 == name).map(|pair| pair.1.replace('\0', ""));
        let value = values.next().unwrap_or_default();
        if values.next().is_some() {
            self.faults.add(name, format!("{}; the first counts.", query::repeated(name)));
        }
        if !value.is_empty() {
            self.kept.push((name, value.clone()));
        }
        value
    }

    /// What was typed into the search, and what of it is to be searched for.
    pub fn search(&mut self) -> (String, Option<String>) {
        let typed = self.text("q");
        if typed.chars().count() > MAX_SEARCH {
            self.refuse("q", TOO_LONG);
            return (typed, None);
        }
        (typed.clone(), Some(typed).filter(|q| !q.trim().is_empty()))
    }

    /// What was chosen by a parameter, as typed and as one of the values there are.
    pub fn one_of<T>(
        &mut self,
        name: &'static str,
        all: impl IntoIterator<Item = (&'static str, T)>,
    ) -> (String, Option<T>) {
        let typed = self.text(name);
        if typed.is_empty() {
            return (typed, None);
        }
        let mut words = Vec::new();
        for (word, value) in all {
            if word == typed {
                return (typed, Some(value));
            }
            words.push(word);
        }
        let short: String = typed.chars().take(60).collect();
        self.refuse(name, format!("There is no {name} “{short}”. Choose one of: {}.", words.join(", ")));
        (typed, None)
    }

    /// Where the list goes on, and how many rows it shows.
    pub fn page<K: DeserializeOwned>(&mut self) -> PageRequest<K> {
        let (limit, cursor) = (self.text("limit"), self.text("cursor"));
        let number =
            Some(limit.as_str()).filter(|text| !text.is_empty()).map(|text| text.parse().unwrap_or(u16::MAX));
        match PageRequest::parse(number, Some(&cursor)) {
            Ok(request) => request,
            Err(BadPage::Limit) => {
                self.refuse("limit", format!("{}; 50 rows are shown.", BadPage::Limit));
                PageRequest::parse(None, Some(&cursor)).unwrap_or_else(|bad| self.start_over(bad))
            }
            Err(bad) => self.start_over(bad),
        }
    }

    fn start_over<K>(&mut self, bad: BadPage) -> PageRequest<K> {
        self.refuse("cursor", format!("{bad}. This is its start."));
        PageRequest::first()
    }

    /// Notes that a parameter cannot be used, and why.
    pub fn refuse(&mut self, name: &'static str, why: impl Into<String>) {
        self.faults.add(name, why);
        self.kept.retain(|kept| kept.0 != name);
    }

    /// Notes what an action could not use.
    ///
    /// # Errors
    /// Every other failure of the action.
    pub fn reject(&mut self, error: ActionError) -> Result<(), PageError> {
        let ActionError::Fields(faults) = error else { return Err(error.into()) };
        for fault in &faults {
            self.refuse(fault.field, fault.message.clone());
        }
        Ok(())
    }

    /// What the page shows around its rows; `next` is the cursor of the page after it.
    pub fn listing(self, next: Option<&str>) -> Listing {
        let filter: Vec<_> = self
            .kept
            .iter()
            .filter(|kept| kept.0 != "cursor")
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let cursor = self.kept.iter().find(|kept| kept.0 == "cursor").map(|kept| kept.1.as_str());
        let (first, next) = next_href(&self.path, &filter, cursor, next);
        Listing {
            first,
            next,
            faults: FormFaults::shown(&self.faults, |fault: &Fault| !PAGING.contains(&fault.field)),
        }
    }
}

/// What a page shows around the rows of a list.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// What of the address cannot be used.
    pub faults: FormFaults,
    /// The way back to the start; empty on the first page.
    pub first: String,
    /// The way to the next page; empty on the last.
    pub next: String,
}

impl Listing {
    /// The status of the page.
    pub fn status(&self) -> StatusCode {
        if self.faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
    }
}

/// Addresses for the foot of a list: back to the start, and the next page; empty where there is none.
fn next_href(
    base: &str,
    filter: &[(&str, &str)],
    cursor: Option<&str>,
    next: Option<&str>,
) -> (String, String) {
    let kept: Vec<(&str, &str)> = filter.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
    let href =
        |cursor: Option<&str>| with_query(base, kept.iter().copied().chain(cursor.map(|c| ("cursor", c))));
    let first = cursor.filter(|c| !c.is_empty()).map(|_| href(None)).unwrap_or_default();
    let next = next.map(|next| href(Some(next))).unwrap_or_default();
    (first, next)
}

/// An address with a query of those parameters that have a value.
pub fn with_query<'a>(base: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    match serde_urlencoded::to_string(pairs).unwrap_or_default() {
        query if query.is_empty() => base.to_owned(),
        query => format!("{base}?{query}"),
    }
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

    fn asked(query: &str) -> Asked {
        Asked::new("/o/a/teams", serde_urlencoded::from_str(query).expect("pairs"))
    }

    #[test]
    fn what_a_list_can_use_goes_along_to_the_next_page() {
        let mut asked = asked("q=ops&role=admin&limit=20");
        assert_eq!(asked.search().1.as_deref(), Some("ops"));
        assert_eq!(asked.one_of("role", [("member", 1), ("admin", 2)]).1, Some(2));
        assert_eq!(asked.page::<u32>().limit, 20);
        let list = asked.listing(Some("c"));
        assert_eq!(list.status(), StatusCode::OK);
        assert_eq!(list.next, "/o/a/teams?q=ops&role=admin&limit=20&cursor=c");
    }

    #[test]
    fn what_a_list_cannot_use_is_named_and_left_out() {
        let mut asked = asked("q=a&q=b&role=wizard&limit=x&cursor=y");
        assert_eq!(asked.search().0, "a");
        assert_eq!(asked.one_of("role", [("member", 1), ("admin", 2)]), ("wizard".to_owned(), None));
        let page = asked.page::<u32>();
        assert_eq!((page.limit, page.after), (50, None));
        let list = asked.listing(Some("c"));
        assert_eq!(list.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(list.next, "/o/a/teams?q=a&cursor=c");
        assert_eq!(list.faults.of("role"), "There is no role “wizard”. Choose one of: member, admin.");
        assert!(list.faults.of("q").starts_with("“q” stands in the address more than once"));
        let fields: Vec<_> = list.faults.list().iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["q", "role", "", ""], "no control of the page is for paging");
    }
}
