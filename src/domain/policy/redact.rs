//! What is never stored, and masked where it is shown: `args.token`, `result.**.email`.
//!
//! Invariant: whatever stands at a place to mask is not in what comes out, in whatever case and form its keys
//! are written.
//! Invariant: masking what was masked changes nothing.

use std::fmt;

use crate::{
    domain::policy::{
        fold::fold,
        path::{MOST_STEPS, NotAPath, take_index, take_key, write_key},
    },
    protocol::mcp::raw::{Kind, Raw},
};

/// What stands where something was masked, as JSON.
pub const MASK: &str = r#""[redacted]""#;

/// Into what a place leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Into the arguments.
    Args,
    /// Into the answer.
    Result,
}

impl Side {
    /// As documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Args => "args",
            Self::Result => "result",
        }
    }
}

/// A place that is masked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Redaction {
    /// Where it begins.
    pub side: Side,
    /// How it goes on.
    steps: Vec<Step>,
}

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// The member of an object: `.key`.
    Key(String),
    /// The element of an array: `[0]`.
    At(usize),
    /// Every member or element: `.*` or `[*]`.
    Each,
    /// Any number of steps: `.**`.
    Deep,
}

impl Redaction {
    /// Reads a place as a document writes it.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, NotAPath> {
        let begins = |side: Side| text.strip_prefix(side.as_str()).map(|rest| (side, rest));
        let (side, mut rest) = begins(Side::Args).or_else(|| begins(Side::Result)).ok_or(NotAPath::Form)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, behind) = Step::take(rest)?;
            steps.push(step);
            rest = behind;
        }
        match steps.len() {
            0 => Err(NotAPath::Form),
            1..=MOST_STEPS => Ok(Self { side, steps }),
            _ => Err(NotAPath::Steps),
        }
    }
}

impl Step {
    /// The step at the beginning, and what stands behind it.
    fn take(text: &str) -> Result<(Self, &str), NotAPath> {
        if let Some(index) = text.strip_prefix('[') {
            let (at, behind) = take_index(index)?;
            return Ok((at.map_or(Self::Each, Self::At), behind));
        }
        let text = text.strip_prefix('.').ok_or(NotAPath::Form)?;
        for (word, step) in [("**", Self::Deep), ("*", Self::Each)] {
            match text.strip_prefix(word) {
                Some(behind) if behind.is_empty() || behind.starts_with(['.', '[']) => {
                    return Ok((step, behind));
                }
                _ => {}
            }
        }
        let (key, behind) = take_key(text)?;
        Ok((Self::Key(key), behind))
    }

    /// Whether it leads to the member of this key. A secret is one in whatever form its name is written.
    fn leads_to(&self, key: &str) -> bool {
        match self {
            Self::Key(wanted) => key == wanted.as_str() || fold(key) == fold(wanted),
            Self::Each => true,
            Self::At(_) | Self::Deep => false,
        }
    }

    /// Whether it leads to the element at this index.
    fn leads_into(&self, index: usize) -> bool {
        match self {
            Self::At(at) => *at == index,
            Self::Each => true,
            Self::Key(_) | Self::Deep => false,
        }
    }
}

/// As it is written in a document.
impl fmt::Display for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.side.as_str())?;
        for step in &self.steps {
            match step {
                Step::Key(key) => write_key(key, f)?,
                Step::At(index) => write!(f, "[{index}]")?,
                Step::Each => f.write_str(".*")?,
                Step::Deep => f.write_str(".**")?,
            }
        }
        Ok(())
    }
}

/// The value as JSON, with everything masked that the places of this side lead to. What is beside them stays as it was
/// written.
pub fn redact<'p>(raw: Raw<'_>, side: Side, places: impl IntoIterator<Item = &'p Redaction>) -> String {
    let places = places.into_iter().filter(|place| place.side == side);
    let mut out = String::with_capacity(raw.text().len());
    mask(raw, &deepened(places.map(|place| place.steps.as_slice()).collect()), &mut out);
    out
}

/// The same within one member of an object, for arguments that stand among other things.
pub fn redact_within<'p>(
    raw: Raw<'_>,
    member: &str,
    places: impl IntoIterator<Item = &'p Redaction> + Copy,
) -> String {
    let mut out = String::with_capacity(raw.text().len());
    out.push('{');
    for (at, one) in raw.members().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(one.key.text());
        out.push(':');
        match one.key.string().is_some_and(|key| key == member) {
            true => out.push_str(&redact(one.value, Side::Args, places)),
            false => out.push_str(one.value.text()),
        }
    }
    out.push('}');
    out
}

/// The ways that are open at a value: what is left of each place. A way that is at its end masks.
fn mask(raw: Raw<'_>, ways: &[&[Step]], out: &mut String) {
    if ways.iter().any(|way| way.is_empty()) {
        return out.push_str(MASK);
    }
    if ways.is_empty() || !matches!(raw.kind(), Kind::Object | Kind::Array) {
        return out.push_str(raw.text());
    }
    let is_object = raw.kind() == Kind::Object;
    out.push(if is_object { '{' } else { '[' });
    for (at, member) in raw.members().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(member.key.text());
        out.push(':');
        let key = member.key.string().unwrap_or_default();
        mask(member.value, &onward(ways, |step| step.leads_to(&key)), out);
    }
    for (at, element) in raw.elements().enumerate() {
        if at > 0 {
            out.push(',');
        }
        mask(element, &onward(ways, |step| step.leads_into(at)), out);
    }
    out.push(if is_object { '}' } else { ']' });
}

/// The ways that go on by one step.
fn onward<'s>(ways: &[&'s [Step]], leads: impl Fn(&Step) -> bool) -> Vec<&'s [Step]> {
    let next = ways.iter().filter_map(|way| match way.split_first()? {
        (Step::Deep, _) => Some(*way),
        (step, rest) => leads(step).then_some(rest),
    });
    deepened(next.collect())
}

/// With the ways that go on behind a `**` that stands for no step at all; each way once, so that there are never more than
/// the places have steps.
fn deepened(mut ways: Vec<&[Step]>) -> Vec<&[Step]> {
    let mut at = 0;
    while let Some(way) = ways.get(at) {
        if let Some((Step::Deep, rest)) = way.split_first() {
            ways.push(rest);
        }
        at += 1;
    }
    ways.sort_unstable_by_key(|way| (way.as_ptr(), way.len()));
    ways.dedup_by_key(|way| (way.as_ptr(), way.len()));
    ways
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::protocol::mcp::strict::{self, Limits};

    fn place(text: &str) -> Redaction {
        Redaction::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn masked(text: &str, places: &[Redaction]) -> String {
        redact(strict::check(text.as_bytes(), &Limits::of(text.len())).expect("JSON"), Side::Args, places)
    }

    #[test]
    fn what_stands_at_a_place_is_masked_and_nothing_else() {
        for (places, before, after) in [
            (vec!["args.token"], r#"{ "token" : "x", "a" : [ 1 ] }"#, r#"{"token":"[redacted]","a":[ 1 ]}"#),
            (
                vec!["args.token"],
                r#"{"TOKEN":{"a":1},"tok\u0065n":2}"#,
                r#"{"TOKEN":"[redacted]","tok\u0065n":"[redacted]"}"#,
            ),
            (vec!["args.token"], r#"{"a":{"token":1}}"#, r#"{"a":{"token":1}}"#),
            (
                vec!["args.**.email"],
                r#"{"email":1,"a":[{"b":{"email":2}}]}"#,
                r#"{"email":"[redacted]","a":[{"b":{"email":"[redacted]"}}]}"#,
            ),
            (vec!["args.a[1]"], r#"{"a":[1,2,3]}"#, r#"{"a":[1,"[redacted]",3]}"#),
            (
                vec!["args.a[*].b", "args.a.*.c"],
                r#"{"a":[{"b":1,"c":2,"d":3}]}"#,
                r#"{"a":[{"b":"[redacted]","c":"[redacted]","d":3}]}"#,
            ),
            (vec!["args.*"], r#"{"a":1,"b":{}}"#, r#"{"a":"[redacted]","b":"[redacted]"}"#),
            (vec!["args.a.**"], r#"{"a":{"b":1},"c":2}"#, r#"{"a":"[redacted]","c":2}"#),
            (vec!["args.a\\.b"], r#"{"a.b":1,"a":{"b":2}}"#, r#"{"a.b":"[redacted]","a":{"b":2}}"#),
            (vec!["args.a", "args.a.b"], r#"{"a":{"b":1}}"#, r#"{"a":"[redacted]"}"#),
            (vec!["result.a"], r#"{"a":1}"#, r#"{"a":1}"#),
            (vec!["args.a"], r#"[{"a":1}]"#, r#"[{"a":1}]"#),
            (vec!["args.**.a"], "3", "3"),
            (vec![], r#"{ "a": 1 }"#, r#"{ "a": 1 }"#),
        ] {
            let places: Vec<Redaction> = places.into_iter().map(place).collect();
            assert_eq!(masked(before, &places), after, "{places:?}");
        }
    }

    #[test]
    fn arguments_among_other_things_are_masked_and_what_stands_beside_them_is_not() {
        let text = r#"{"arguments":{"token":"x","q":1},"token":"a"}"#;
        let raw = strict::check(text.as_bytes(), &Limits::of(text.len())).expect("JSON");
        let after = r#"{"arguments":{"token":"[redacted]","q":1},"token":"a"}"#;
        assert_eq!(redact_within(raw, "arguments", &[place("args.token")]), after);
    }

    #[test]
    fn places_are_read_as_they_are_written_and_others_are_none() {
        for text in
            ["args.token", "result.**.email", "args.a[0].*.b\\.c", "args.**", "result[2].x", "args.*x.**y"]
        {
            assert_eq!(place(text).to_string(), text);
        }
        assert_eq!(place("args.a[*]"), place("args.a.*"));
        let deep = format!("args{}", ".a".repeat(33));
        for text in [
            "",
            "args",
            "token",
            "argsa",
            "user.id",
            "args.",
            "args..a",
            "args.a[",
            "args.a[-1]",
            "args[0]a",
            "args.[0]",
            deep.as_str(),
        ] {
            assert!(Redaction::parse(text).is_err(), "{text}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Into::into),
            "[a-z\"\\\\é]{0,4}".prop_map(Into::into)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn places() -> impl Strategy<Value = Vec<Redaction>> {
        let step = prop::sample::select(vec![".a", ".B", ".c", "[0]", "[1]", ".*", ".**"]);
        let one =
            prop::collection::vec(step, 1..5).prop_map(|steps| place(&format!("args{}", steps.concat())));
        prop::collection::vec(one, 0..4)
    }

    /// Masks the plain way: every place of the value is tried by itself.
    fn plainly(value: &Value, at: &mut Vec<String>, places: &[Redaction]) -> Value {
        if places.iter().any(|place| reaches(&place.steps, at)) {
            return json!("[redacted]");
        }
        let mut below = |key: String, value: &Value| {
            at.push(key);
            let value = plainly(value, at, places);
            at.pop();
            value
        };
        match value {
            Value::Object(members) => Value::Object(
                members.iter().map(|(key, value)| (key.clone(), below(key.clone(), value))).collect(),
            ),
            Value::Array(elements) => {
                elements.iter().enumerate().map(|(index, value)| below(index.to_string(), value)).collect()
            }
            other => other.clone(),
        }
    }

    fn reaches(steps: &[Step], at: &[String]) -> bool {
        match steps.split_first() {
            None => at.is_empty(),
            Some((Step::Deep, rest)) => reaches(rest, at) || !at.is_empty() && reaches(steps, &at[1..]),
            Some((step, rest)) => at.split_first().is_some_and(|(key, below)| {
                let fits = match step {
                    Step::Key(wanted) => wanted.eq_ignore_ascii_case(key),
                    Step::At(index) => *key == index.to_string(),
                    Step::Each | Step::Deep => true,
                };
                fits && reaches(rest, below)
            }),
        }
    }

    proptest! {
        #[test]
        fn masking_leaves_json_without_what_was_masked_and_is_done_once(value in json(), places in places()) {
            let once = masked(&value.to_string(), &places);
            let read: Value = serde_json::from_str(&once).expect("JSON");
            prop_assert_eq!(&read, &plainly(&value, &mut Vec::new(), &places));
            prop_assert_eq!(masked(&once, &places), once);
        }
    }
}
