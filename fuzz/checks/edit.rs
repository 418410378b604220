//! Edits of a body: it stays valid, and nothing changes but what was to change.

use portreeve::{
    flow::proxy::{edit, handles::HandleKind},
    protocol::mcp::{
        message::{self, Message},
        raw::Raw,
        splice::{Change, Edits},
        strict::{self, Limits},
        version::Era,
    },
};
use serde_json::Value;

use super::{
    Dice,
    handle::{handles, holder},
};

/// Deep enough for what an edit puts inside.
const LIMITS: Limits = Limits { bytes: 1 << 17, depth: 70, key: 1024, number: 128 };

pub(crate) fn edit(input: &[u8]) {
    let (mut dice, body) = Dice::take(input);
    if let Ok(whole) = strict::check(body, &Limits::of(1 << 16)) {
        let mut found = vec![(whole, String::new())];
        collect(whole, "", &mut found);
        let (chosen, pointer) = found.swap_remove(dice.below(found.len()));
        let value: Value = serde_json::from_slice(body).expect("what passes is JSON");
        replace(body, chosen, &pointer, &value);
        change(body, chosen, &pointer, &value, &mut dice);
        retain(body, chosen, &pointer, &value, &mut dice);
    }
    if let Ok(Message::Request(request)) = message::parse(body, &Limits::of(1 << 16)) {
        open_task(body, &request);
    }
}

/// Every value inside another, with the pointer to it.
fn collect<'a>(raw: Raw<'a>, at: &str, found: &mut Vec<(Raw<'a>, String)>) {
    for member in raw.members() {
        let key = member.key.string().unwrap_or_default().replace('~', "~0").replace('/', "~1");
        let pointer = format!("{at}/{key}");
        collect(member.value, &pointer, found);
        found.push((member.value, pointer));
    }
    for (index, element) in raw.elements().enumerate() {
        let pointer = format!("{at}/{index}");
        collect(element, &pointer, found);
        found.push((element, pointer));
    }
}

fn holds(out: &[u8], wanted: &Value) {
    strict::check(out, &LIMITS).expect("an edited body is a text");
    assert_eq!(&serde_json::from_slice::<Value>(out).expect("and JSON"), wanted);
}

fn replace(body: &[u8], chosen: Raw<'_>, pointer: &str, value: &Value) {
    let text = "new \"text\"\u{0}\u{7f}\u{2028}é";
    let mut edits = Edits::of(body);
    edits.replace_string(chosen, text);
    let out = edits.apply().expect("one edit");
    let place = chosen.place();
    assert!(out.starts_with(&body[..place.start]) && out.ends_with(&body[place.end..]));
    let mut wanted = value.clone();
    *wanted.pointer_mut(pointer).expect("the value is there") = Value::from(text);
    holds(&out, &wanted);
}

fn change(body: &[u8], chosen: Raw<'_>, pointer: &str, value: &Value, dice: &mut Dice) {
    let mut wanted = value.clone();
    let Some(object) = wanted.pointer_mut(pointer).and_then(Value::as_object_mut) else { return };
    let keys: Vec<String> = object.keys().cloned().collect();
    let mut changes = Vec::new();
    for key in &keys {
        match dice.below(4) {
            0 => {
                changes.push(Change::Remove(key));
                object.shift_remove(key);
            }
            1 => {
                changes.push(Change::Set(key, b"[1]"));
                object.insert(key.clone(), serde_json::json!([1]));
            }
            _ => {}
        }
    }
    if dice.below(2) == 0 && !keys.iter().any(|key| key == "added \"é") {
        changes.push(Change::Set("added \"é", b"{}"));
        object.insert("added \"é".to_owned(), serde_json::json!({}));
    }
    let mut edits = Edits::of(body);
    edits.change(chosen, &changes);
    let out = edits.apply().expect("changes of one object");
    assert!(!changes.is_empty() || out == body, "no change changes nothing");
    holds(&out, &wanted);
}

fn retain(body: &[u8], chosen: Raw<'_>, pointer: &str, value: &Value, dice: &mut Dice) {
    let mut wanted = value.clone();
    let Some(array) = wanted.pointer_mut(pointer).and_then(Value::as_array_mut) else { return };
    let keep: Vec<bool> = array.iter().map(|_| dice.below(2) == 0).collect();
    let mut next = keep.iter();
    array.retain(|_| *next.next().expect("one for each"));
    let mut next = keep.iter();
    let mut edits = Edits::of(body);
    edits.retain(chosen, |_| *next.next().expect("one for each"));
    let out = edits.apply().expect("an edit of one array");
    assert!(keep.contains(&false) || out == body, "no change changes nothing");
    holds(&out, &wanted);
}

/// A task's handle is opened to the very id that was sealed, and every other byte stays.
fn open_task(body: &[u8], request: &message::Request<'_>) {
    let open = |body: &[u8], request: &message::Request<'_>| {
        edit::open(body, request, Era::Legacy, handles(), holder())
    };
    if let Ok(opened) = open(body, request) {
        assert!(opened.body.is_none(), "nothing that is not ours opens");
    }
    let Ok(Some(task)) = request.params.task_id() else { return };
    let (Some(raw), None) = (request.params.get("taskId"), request.params.get("requestState")) else {
        return;
    };
    let sent = |text: &str| {
        let mut edits = Edits::of(body);
        edits.replace_string(raw, text);
        edits.apply().expect("one edit")
    };
    let sealed = sent(&handles().seal(HandleKind::Task, holder(), task.as_bytes()));
    let Ok(Message::Request(again)) = message::parse(&sealed, &LIMITS) else {
        panic!("a sealed request is a request")
    };
    let opened = open(&sealed, &again).expect("ours opens");
    assert_eq!(opened.body.as_deref(), Some(sent(&task).as_slice()));
}
