//! Reading lists in pages, and making a catalogue of them.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, value::RawValue};

use crate::{
    domain::servers::{Declared, ItemKind, SeenItem, SeenTool, Snapshot},
    flow::catalogue::{
        era::Opened,
        talk::{TalkError, Talker},
    },
};

/// How many entries one list may have.
const MOST: usize = 10_000;

/// What was read, and how much of it could not be kept.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) snapshot: Snapshot,
    /// Entries without a usable name, with two readings, or with the name of another.
    pub(super) left_out: usize,
}

/// Reads everything that the server says it has.
pub(super) async fn read(talker: &mut Talker<'_>, opened: &Opened) -> Result<Catalogue, TalkError> {
    let mut catalogue = Catalogue::default();
    let tools = list(talker, "tools/list", "tools").await?;
    let (tools, left_out) = once_each(tools.iter().map(|raw| SeenTool::read(raw.get()).ok()), |tool| {
        tool.name.as_str().to_owned()
    });
    catalogue.snapshot.tools = tools;
    catalogue.left_out += left_out;
    let mut lists = Vec::new();
    if opened.has_prompts {
        lists.push(("prompts/list", "prompts", ItemKind::Prompt));
    }
    if opened.has_resources {
        lists.push(("resources/list", "resources", ItemKind::Resource));
        lists.push(("resources/templates/list", "resourceTemplates", ItemKind::Template));
    }
    for (method, member, kind) in lists {
        let found = list(talker, method, member).await?;
        let read = found.iter().map(|raw| SeenItem::read(kind, raw.get()).ok());
        let (items, left_out) = once_each(read, |item| item.key.clone());
        catalogue.snapshot.items.extend(items);
        catalogue.left_out += left_out;
    }
    catalogue.snapshot.declared = Declared::clone(&opened.declared);
    Ok(catalogue)
}

/// All pages of a list; nothing where the server has no such list.
async fn list(talker: &mut Talker<'_>, method: &str, member: &str) -> Result<Vec<Box<RawValue>>, TalkError> {
    let mut found = Vec::new();
    let mut cursors = HashSet::new();
    let mut params = Map::new();
    loop {
        let result = match talker.ask(method, params).await {
            Ok(result) => result,
            Err(TalkError::Rpc { code: -32601, .. }) if cursors.is_empty() => return Ok(found),
            Err(error) => return Err(error),
        };
        let (entries, next) = page(&result, member)?;
        found.extend(entries);
        if found.len() > MOST {
            return Err(TalkError::TooMuch("10,000 entries in one list"));
        }
        let Some(next) = next else { return Ok(found) };
        if !cursors.insert(next.clone()) || cursors.len() > MOST {
            return Err(TalkError::Circle);
        }
        params = Map::from_iter([("cursor".to_owned(), Value::String(next))]);
    }
}

/// The entries of a page, letter for letter, and the cursor of the next.
fn page(result: &RawValue, member: &str) -> Result<(Vec<Box<RawValue>>, Option<String>), TalkError> {
    let mut members: HashMap<String, Box<RawValue>> =
        serde_json::from_str(result.get()).map_err(|_| TalkError::NotMcp)?;
    let read = |raw: Box<RawValue>| serde_json::from_str(raw.get()).map_err(|_| TalkError::NotMcp);
    let entries = members.remove(member).map(read).transpose()?.ok_or(TalkError::NotMcp)?;
    let next = members.remove("nextCursor").map(|raw| serde_json::from_str::<Option<String>>(raw.get()));
    let next = next.transpose().map_err(|_| TalkError::NotMcp)?.flatten();
    Ok((entries, next.filter(|next| !next.is_empty())))
}

/// Leaves out what could not be read, and everything whose name stands there twice: whoever calls such a name cannot
/// know which of them answers.
fn once_each<T>(found: impl Iterator<Item = Option<T>>, key: impl Fn(&T) -> String) -> (Vec<T>, usize) {
    let mut all = 0;
    let read: Vec<T> = found.inspect(|_| all += 1).flatten().collect();
    let mut times: HashMap<String, usize> = HashMap::new();
    for item in &read {
        *times.entry(key(item)).or_default() += 1;
    }
    let kept: Vec<T> = read.into_iter().filter(|item| times.get(&key(item)) == Some(&1)).collect();
    let left_out = all - kept.len();
    (kept, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("JSON")
    }

    #[test]
    fn a_page_keeps_the_letters_of_its_entries() {
        let (entries, next) =
            page(&raw(r#"{"tools":[{"a":1.0, "b" : 2}],"nextCursor":"x"}"#), "tools").expect("a page");
        assert_eq!((entries[0].get(), next.as_deref()), (r#"{"a":1.0, "b" : 2}"#, Some("x")));
        for last in
            [r#"{"tools":[]}"#, r#"{"tools":[],"nextCursor":null}"#, r#"{"tools":[],"nextCursor":""}"#]
        {
            assert_eq!(page(&raw(last), "tools").expect("a page").1, None);
        }
        for bad in ["[]", "{}", r#"{"tools":{}}"#, r#"{"tools":[],"nextCursor":1}"#] {
            assert!(page(&raw(bad), "tools").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_that_stands_there_twice_counts_for_none() {
        let names = [Some("a"), None, Some("b"), Some("a"), Some("c")];
        let (kept, left_out) = once_each(names.into_iter(), |name| (*name).to_owned());
        assert_eq!((kept, left_out), (vec!["b", "c"], 3));
    }
}
