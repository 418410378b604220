//! Edits of a body that leave every other byte where it was.

use std::{borrow::Cow, ops::Range};

use crate::protocol::mcp::{error::write_string, raw::Raw};

/// Edits to one body. Values are named by where they stand in it, so they must come from a scan of that body.
#[derive(Clone, Debug)]
pub struct Edits<'a> {
    body: &'a [u8],
    cuts: Vec<Cut<'a>>,
    /// Where the containers begin whose members or elements have been chosen.
    reshaped: Vec<usize>,
    is_conflict: bool,
}

/// Bytes to be taken out, and what comes in their place.
#[derive(Clone, Debug)]
struct Cut<'a> {
    place: Range<usize>,
    with: Cow<'a, [u8]>,
}

/// What happens to a member of an object.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// The member gets this JSON as its value; it is added where it is not there.
    Set(&'a str, &'a [u8]),
    /// The member goes, where it is there.
    Remove(&'a str),
}

/// Two edits touch the same bytes, or one is of another body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two edits of a message touch the same place")]
pub struct Conflict;

impl<'a> Edits<'a> {
    /// No edits yet.
    pub const fn of(body: &'a [u8]) -> Self {
        Self { body, cuts: Vec::new(), reshaped: Vec::new(), is_conflict: false }
    }

    /// Puts this JSON in the place of a value.
    pub fn replace(&mut self, value: Raw<'_>, with: impl Into<Cow<'a, [u8]>>) {
        self.cuts.push(Cut { place: value.place(), with: with.into() });
    }

    /// Puts a string in the place of a value.
    pub fn replace_string(&mut self, value: Raw<'_>, text: &str) {
        let mut json = Vec::with_capacity(text.len() + 2);
        write_string(&mut json, text);
        self.replace(value, json);
    }

    /// Changes members of an object; all changes of one object come at once.
    pub fn change(&mut self, object: Raw<'_>, changes: &[Change<'_>]) {
        let mut is_done = vec![false; changes.len()];
        let (mut items, mut is_reshaped) = (Vec::new(), false);
        for member in object.members() {
            let found = changes.iter().position(|change| member.key.says(change.key()));
            let stays = match found.map(|found| (found, changes[found])) {
                Some((found, Change::Set(_, json))) => {
                    is_done[found] = true;
                    self.replace(member.value, json.to_vec());
                    true
                }
                Some((_, Change::Remove(_))) => false,
                None => true,
            };
            is_reshaped |= !stays;
            items.push((member.key.place().start..member.value.place().end, stays));
        }
        let mut added = Vec::new();
        for (change, is_done) in changes.iter().zip(is_done) {
            if let (Change::Set(key, json), false) = (change, is_done) {
                added.extend_from_slice(if added.is_empty() { b"" } else { b"," });
                write_string(&mut added, key);
                added.push(b':');
                added.extend_from_slice(json);
            }
        }
        if is_reshaped || !added.is_empty() {
            self.reshape(object, &items, added);
        }
    }

    /// Keeps the elements of an array for which this is true.
    pub fn retain(&mut self, array: Raw<'_>, mut keep: impl FnMut(Raw<'_>) -> bool) {
        let items: Vec<_> = array.elements().map(|element| (element.place(), keep(element))).collect();
        self.retain_places(array, &items);
    }

    /// Keeps the elements of an array of which it is said; all of them are named, in order.
    pub(super) fn retain_places(&mut self, array: Raw<'_>, items: &[(Range<usize>, bool)]) {
        if items.iter().any(|(_, stays)| !stays) {
            self.reshape(array, items, Vec::new());
        }
    }

    /// Takes items out of a container and adds some at its end, commas included.
    fn reshape(&mut self, container: Raw<'_>, items: &[(Range<usize>, bool)], added: Vec<u8>) {
        let start = container.place().start;
        self.is_conflict |= self.reshaped.contains(&start);
        self.reshaped.push(start);
        let Some(first) = items.iter().position(|(_, stays)| *stays) else {
            let inside = match (items.first(), items.last()) {
                (Some((first, _)), Some((last, _))) => first.start..last.end,
                _ => start + 1..start + 1,
            };
            self.cuts.push(Cut { place: inside, with: added.into() });
            return;
        };
        if first > 0 {
            self.cut(items[0].0.start..items[first].0.start);
        }
        let mut end = items[first].0.end;
        for pair in items[first..].windows(2) {
            if pair[1].1 {
                end = pair[1].0.end;
            } else {
                self.cut(pair[0].0.end..pair[1].0.end);
            }
        }
        if !added.is_empty() {
            let with = [b",", added.as_slice()].concat().into();
            self.cuts.push(Cut { place: end..end, with });
        }
    }

    fn cut(&mut self, place: Range<usize>) {
        self.cuts.push(Cut { place, with: Cow::Borrowed(b"") });
    }

    /// The edited body.
    ///
    /// # Errors
    /// When two edits touch the same bytes, or one is out of the body.
    pub fn apply(mut self) -> Result<Vec<u8>, Conflict> {
        self.cuts.sort_by_key(|cut| (cut.place.start, cut.place.end));
        let added: usize = self.cuts.iter().map(|cut| cut.with.len()).sum();
        let (mut out, mut at) = (Vec::with_capacity(self.body.len() + added), 0);
        for cut in &self.cuts {
            out.extend_from_slice(self.body.get(at..cut.place.start).ok_or(Conflict)?);
            out.extend_from_slice(&cut.with);
            at = cut.place.end;
        }
        out.extend_from_slice(self.body.get(at..).ok_or(Conflict)?);
        if self.is_conflict { Err(Conflict) } else { Ok(out) }
    }

    /// Whether nothing is to be changed, so that the body can go on as it is.
    pub const fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }
}

impl<'a> Change<'a> {
    const fn key(&self) -> &'a str {
        match self {
            Self::Set(key, _) | Self::Remove(key) => key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::strict::{Limits, check};
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    fn raw(text: &str) -> Raw<'_> {
        check(text.as_bytes(), &Limits::default()).expect("good JSON")
    }

    fn changed(text: &str, changes: &[Change<'_>]) -> String {
        let mut edits = Edits::of(text.as_bytes());
        edits.change(raw(text), changes);
        String::from_utf8(edits.apply().unwrap()).unwrap()
    }

    #[test]
    fn members_are_set_added_and_removed_with_their_commas() {
        use Change::{Remove, Set};
        let text = r#" { "a" : 1 , "b" : [ 2 ] , "c" : 3 } "#;
        for (changes, wanted) in [
            (&[Set("b", b"null")][..], r#" { "a" : 1 , "b" : null , "c" : 3 } "#),
            (&[Set("d", b"4"), Set("e", b"5")], r#" { "a" : 1 , "b" : [ 2 ] , "c" : 3,"d":4,"e":5 } "#),
            (&[Remove("a")], r#" { "b" : [ 2 ] , "c" : 3 } "#),
            (&[Remove("b")], r#" { "a" : 1 , "c" : 3 } "#),
            (&[Remove("c")], r#" { "a" : 1 , "b" : [ 2 ] } "#),
            (&[Remove("a"), Remove("b")], r#" { "c" : 3 } "#),
            (&[Remove("b"), Remove("c"), Set("d", b"4")], r#" { "a" : 1,"d":4 } "#),
            (&[Remove("a"), Remove("b"), Remove("c")], r#" {  } "#),
            (&[Remove("a"), Remove("b"), Remove("c"), Set("d", b"4")], r#" { "d":4 } "#),
            (&[Remove("x")], text),
        ] {
            assert_eq!(changed(text, changes), wanted, "{changes:?}");
        }
        assert_eq!(changed("{ }", &[Set("a\"", b"1")]), r#"{"a\"":1 }"#);
        assert_eq!(changed(r#"{"\u0061":1}"#, &[Set("a", b"2")]), r#"{"\u0061":2}"#);
    }

    #[test]
    fn edits_that_touch_each_other_are_refused() {
        let text = r#"{"a":{"b":1},"c":[1,2]}"#;
        let whole = raw(text);
        let mut edits = Edits::of(text.as_bytes());
        edits.replace(whole.reach(&["a", "b"]).unwrap(), &b"2"[..]);
        edits.change(whole, &[Change::Remove("a")]);
        assert_eq!(edits.apply(), Err(Conflict));
        let mut edits = Edits::of(text.as_bytes());
        edits.change(whole, &[Change::Remove("a")]);
        edits.change(whole, &[Change::Set("d", b"1")]);
        assert_eq!(edits.apply(), Err(Conflict));
        let mut edits = Edits::of(b"{}");
        edits.replace(whole.get("c").unwrap(), &b"2"[..]);
        assert_eq!(edits.apply(), Err(Conflict), "of another body");
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i32>().prop_map(Value::from),
            "[a-z\"\\\\,{}\\[\\]: é]{0,8}".prop_map(Value::from),
            prop::collection::vec(any::<u8>(), 0..3).prop_map(Value::from),
            Just(json!({"x": [{}], "y": null})),
        ]
    }

    fn object() -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::vec(("[a-f]{1,2}", value()), 0..6).prop_map(|members| members.into_iter().collect())
    }

    proptest! {
        #[test]
        fn changing_the_text_is_changing_the_value(
            object in object(),
            pretty in any::<bool>(),
            changes in prop::collection::vec(("[a-f]{1,2}", prop::option::of(value())), 0..5),
        ) {
            let whole = Value::from(object.clone());
            let text = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) }.unwrap();
            let changes: std::collections::BTreeMap<_, _> = changes
                .into_iter()
                .map(|(key, value)| (key, value.map(|value| serde_json::to_vec(&value).unwrap())))
                .collect();
            let list: Vec<_> = changes
                .iter()
                .map(|(key, json)| json.as_ref().map_or(Change::Remove(key), |json| Change::Set(key, json)))
                .collect();
            let out = changed(&text, &list);
            let mut wanted = object;
            for (key, json) in &changes {
                match json {
                    Some(json) => drop(wanted.insert(key.clone(), serde_json::from_slice(json).unwrap())),
                    None => drop(wanted.shift_remove(key)),
                }
            }
            prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), Value::from(wanted));
            prop_assert!(check(out.as_bytes(), &Limits::default()).is_ok());
            for member in raw(&text).members().filter(|m| !changes.contains_key(&*m.key.string().unwrap())) {
                let whole = &text[member.key.place().start..member.value.place().end];
                prop_assert!(out.contains(whole), "{} lost {}", out, whole);
            }
        }

        #[test]
        fn what_stays_of_an_array_stays_as_it_was(
            elements in prop::collection::vec((value(), any::<bool>()), 0..8),
            pretty in any::<bool>(),
        ) {
            let whole = Value::from(elements.iter().map(|(value, _)| value.clone()).collect::<Vec<_>>());
            let text = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) }.unwrap();
            let mut edits = Edits::of(text.as_bytes());
            let mut keep = elements.iter().map(|(_, keep)| *keep);
            edits.retain(raw(&text), |_| keep.next().unwrap());
            let is_untouched = edits.is_empty();
            let out = String::from_utf8(edits.apply().unwrap()).unwrap();
            let kept: Vec<_> = elements.iter().filter(|(_, keep)| *keep).map(|(value, _)| value.clone()).collect();
            prop_assert_eq!(is_untouched, kept.len() == elements.len());
            prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), Value::from(kept));
        }

        #[test]
        fn replacing_a_value_keeps_every_other_byte(object in object(), index in any::<prop::sample::Index>()) {
            prop_assume!(!object.is_empty());
            let text = serde_json::to_string(&object).unwrap();
            let member = raw(&text).members().nth(index.index(object.len())).unwrap();
            let mut edits = Edits::of(text.as_bytes());
            edits.replace_string(member.value, "new \"text\"");
            let out = edits.apply().unwrap();
            let place = member.value.place();
            let wanted = format!("{}\"new \\\"text\\\"\"{}", &text[..place.start], &text[place.end..]);
            prop_assert_eq!(out, wanted.into_bytes());
        }
    }
}
