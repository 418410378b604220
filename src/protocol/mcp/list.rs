//! One page of a list as raw items, and a page with fewer of them.

use std::borrow::Cow;

use crate::protocol::mcp::{
    method::ListKind,
    raw::{Kind, Raw},
    splice::{Change, Conflict, Edits},
    strict::folds_to,
    version::Era,
};

/// The result of a list method.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// What was listed, in the order written.
    pub items: Vec<Item<'a>>,
    result: Raw<'a>,
    array: Raw<'a>,
    next: Option<Raw<'a>>,
    ttl: Option<Raw<'a>>,
    scope: Option<Raw<'a>>,
}

/// One thing listed.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// The name of a tool or a prompt, the address of a resource.
    pub name: Cow<'a, str>,
    /// The whole item.
    pub raw: Raw<'a>,
    /// The name as it stands in the item.
    pub name_raw: Raw<'a>,
}

/// Why a result is not a list of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    /// There is no array where the items should be.
    #[error("the result has no array named {0}")]
    NoArray(&'static str),
    /// An item is no object or has no name, or has two that differ only in case.
    #[error("an item of the list has no single {0}")]
    Unnamed(&'static str),
}

impl<'a> Listing<'a> {
    /// Reads the result of a list method.
    ///
    /// # Errors
    /// When it has no items, or one that cannot be told by its name.
    pub fn read(kind: ListKind, result: Raw<'a>) -> Result<Self, BadList> {
        let (mut array, mut next, mut ttl, mut scope) = (None, None, None, None);
        for member in result.members() {
            match member.key.string().as_deref() {
                Some(key) if key == kind.member() => array = Some(member.value),
                Some("nextCursor") => next = Some(member.value),
                Some("ttlMs") => ttl = Some(member.value),
                Some("cacheScope") => scope = Some(member.value),
                _ => {}
            }
        }
        let no_array = BadList::NoArray(kind.member());
        let array = array.filter(|array| array.kind() == Kind::Array).ok_or(no_array)?;
        let key = kind.item_key();
        let items = array.elements().map(|raw| Item::read(raw, key).ok_or(BadList::Unnamed(key)));
        Ok(Self { items: items.collect::<Result<_, _>>()?, result, array, next, ttl, scope })
    }

    /// Where the next page starts; the last page has none.
    pub fn next_cursor(&self) -> Option<Cow<'a, str>> {
        self.next.as_ref().and_then(Raw::string)
    }

    /// The cursor as it stands in the result.
    pub const fn next_cursor_raw(&self) -> Option<Raw<'a>> {
        self.next
    }

    /// How many milliseconds the page may be kept.
    pub fn ttl_ms(&self) -> Option<u64> {
        self.ttl.and_then(|ttl| u64::try_from(ttl.integer()?).ok())
    }

    /// Who may share a kept page: `public` or `private`.
    pub fn cache_scope(&self) -> Option<Cow<'a, str>> {
        self.scope.as_ref().and_then(Raw::string)
    }

    /// Keeps the items for which this is true.
    pub fn retain(&self, edits: &mut Edits<'_>, mut keep: impl FnMut(&Item<'a>) -> bool) {
        let items: Vec<_> = self.items.iter().map(|item| (item.raw.place(), keep(item))).collect();
        edits.retain_places(self.array, &items);
    }

    /// Marks the page as meant for one person only, as a filtered one is. A modern page must say so; a legacy one is
    /// changed only where it says otherwise.
    pub fn make_private(&self, edits: &mut Edits<'_>, era: Era) {
        match self.scope {
            Some(scope) if scope.says("private") => {}
            Some(scope) => edits.replace_string(scope, "private"),
            None if era == Era::Modern => {
                edits.change(self.result, &[Change::Set("cacheScope", b"\"private\"")])
            }
            None => {}
        }
    }

    /// The body with only the items for which this is true, marked as private.
    ///
    /// # Errors
    /// When the listing was not read from this body.
    pub fn filter(
        &self,
        body: &[u8],
        era: Era,
        keep: impl FnMut(&Item<'a>) -> bool,
    ) -> Result<Vec<u8>, Conflict> {
        let mut edits = Edits::of(body);
        self.retain(&mut edits, keep);
        self.make_private(&mut edits, era);
        edits.apply()
    }
}

impl<'a> Item<'a> {
    fn read(raw: Raw<'a>, key: &str) -> Option<Self> {
        let mut found = None;
        for member in raw.members() {
            let said = member.key.string()?;
            if said == key {
                found = Some(member.value);
            } else if said.len() >= key.len() && folds_to(&said, key) {
                return None;
            }
        }
        let name_raw = found?;
        Some(Self { name: name_raw.string()?, raw, name_raw })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::{
        message::{Message, Outcome, parse},
        strict::Limits,
    };
    use serde_json::{Value, json};

    fn listing(kind: ListKind, body: &str) -> Result<Listing<'_>, BadList> {
        let Ok(Message::Response(response)) = parse(body.as_bytes(), &Limits::default()) else {
            unreachable!("a response: {body}")
        };
        let Outcome::Result(result) = response.outcome else { unreachable!("a result: {body}") };
        Listing::read(kind, result)
    }

    const PAGE: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"x":1.50, "tools": [
        {"name":"a", "execution":{"taskSupport":"optional"}},
        {"title":"B","name":"b\u0062"},
        {"name":"c"}
    ],"nextCursor":"n","ttlMs":300,"cacheScope":"public"}}"#;

    #[test]
    fn a_page_is_read_item_by_item() {
        let page = listing(ListKind::Tools, PAGE).unwrap();
        let names: Vec<_> = page.items.iter().map(|item| &*item.name).collect();
        assert_eq!(names, ["a", "bb", "c"]);
        assert_eq!(page.items[1].raw.text(), r#"{"title":"B","name":"b\u0062"}"#);
        assert_eq!((page.next_cursor().as_deref(), page.ttl_ms()), (Some("n"), Some(300)));
        assert_eq!(page.cache_scope().as_deref(), Some("public"));
    }

    #[test]
    fn a_filtered_page_is_the_page_without_the_rest() {
        let page = listing(ListKind::Tools, PAGE).unwrap();
        let out = page.filter(PAGE.as_bytes(), Era::Modern, |item| item.name != "bb").unwrap();
        let wanted = PAGE
            .replace(",\n        {\"title\":\"B\",\"name\":\"b\\u0062\"}", "")
            .replace("\"public\"", "\"private\"");
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
        let out = page.filter(PAGE.as_bytes(), Era::Modern, |_| false).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap()["result"]["tools"], json!([]));
        let mut edits = Edits::of(PAGE.as_bytes());
        page.retain(&mut edits, |item| item.name != "a");
        for item in &page.items[1..] {
            edits.replace_string(item.name_raw, &format!("server__{}", item.name));
        }
        let out: Value = serde_json::from_slice(&edits.apply().unwrap()).unwrap();
        assert_eq!(
            out["result"]["tools"],
            json!([{"title": "B", "name": "server__bb"}, {"name": "server__c"}])
        );
    }

    #[test]
    fn a_page_becomes_private_as_its_era_wants() {
        let body = r#"{"jsonrpc":"2.0","id":1,"result":{"prompts":[]}}"#;
        let page = listing(ListKind::Prompts, body).unwrap();
        assert_eq!(page.filter(body.as_bytes(), Era::Legacy, |_| true).unwrap(), body.as_bytes());
        let out = String::from_utf8(page.filter(body.as_bytes(), Era::Modern, |_| true).unwrap()).unwrap();
        assert_eq!(out, body.replace("[]", "[],\"cacheScope\":\"private\""));
        let body = r#"{"jsonrpc":"2.0","id":1,"result":{"prompts":[],"cacheScope":7}}"#;
        let page = listing(ListKind::Prompts, body).unwrap();
        let out = String::from_utf8(page.filter(body.as_bytes(), Era::Legacy, |_| true).unwrap()).unwrap();
        assert_eq!(out, body.replace('7', "\"private\""));
    }

    #[test]
    fn an_item_that_cannot_be_told_by_its_name_spoils_the_page() {
        for (kind, items) in [
            (ListKind::Tools, "[{}]"),
            (ListKind::Tools, "[3]"),
            (ListKind::Tools, r#"[{"name":1}]"#),
            (ListKind::Tools, r#"[{"name":"a","Name":"b"}]"#),
            (ListKind::Resources, r#"[{"name":"a"}]"#),
            (ListKind::Templates, r#"[{"uri":"a"}]"#),
        ] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"{}":{items}}}}}"#, kind.member());
            assert_eq!(listing(kind, &body).err(), Some(BadList::Unnamed(kind.item_key())), "{body}");
        }
        let body = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":{}}}"#;
        assert_eq!(listing(ListKind::Tools, body).err(), Some(BadList::NoArray("tools")));
    }
}
