//! What is wrong with the shape of a body, held against the schema that the API's document gives of it.
//!
//! The reader of a body stops at its first fault and says it in its own words. Here a body that was refused already is
//! looked at again, so that a caller is told every field at once, where it is and what to send.
//!
//! It deliberately lacks what the reader does not refuse either: lengths, ranges and patterns are judged by the actions.

use serde_json::{Map, Value};

/// No more faults than these are told of one body.
const MOST: usize = 50;

/// A fault: where, and what to do.
pub(super) type Fault = (String, String);

/// Every fault in the shape of a body; `schema` holds its definitions below `$defs`.
pub(super) fn faults(schema: &Value, body: &Value) -> Vec<Fault> {
    let mut walk = Walk { root: schema, faults: Vec::new() };
    walk.look("", schema, body);
    walk.faults.truncate(MOST);
    walk.faults
}

struct Walk<'a> {
    root: &'a Value,
    faults: Vec<Fault>,
}

impl<'a> Walk<'a> {
    fn look(&mut self, path: &str, schema: &'a Value, value: &Value) {
        let schema = self.resolved(schema);
        if let Some(choices) = choices(schema) {
            self.choose(path, schema, choices, value);
            return;
        }
        if !fits(schema, value) {
            self.faults.push((path.to_owned(), format!("send {}", self.wanted(schema))));
            return;
        }
        match value {
            Value::Object(fields) => self.look_at_fields(path, schema, fields),
            Value::Array(items) => {
                let Some(of_items) = schema.get("items") else { return };
                for (at, item) in items.iter().enumerate() {
                    self.look(&format!("{path}[{at}]"), of_items, item);
                }
            }
            _ => {}
        }
    }

    fn look_at_fields(&mut self, path: &str, schema: &'a Value, fields: &Map<String, Value>) {
        let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let known = schema.get("properties").and_then(Value::as_object);
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if let Some(field) =
                known.and_then(|known| known.get(name)).filter(|_| !fields.contains_key(name))
            {
                self.faults.push((within(name), format!("is missing; send {}", self.wanted(field))));
            }
        }
        let others = schema.get("additionalProperties");
        for (name, value) in fields {
            match (known.and_then(|known| known.get(name)), others) {
                (Some(field), _) => self.look(&within(name), field, value),
                (None, Some(Value::Bool(false))) => {
                    let names: Vec<&str> =
                        known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                    let what =
                        format!("is not known here; leave it out, or use one of: {}", names.join(", "));
                    self.faults.push((within(name), what));
                }
                (None, Some(other)) => self.look(&within(name), other, value),
                (None, None) => {}
            }
        }
    }

    /// One of several shapes: where none fits, the faults of the one that was meant, or all that are possible.
    fn choose(&mut self, path: &str, schema: &'a Value, choices: &'a [Value], value: &Value) {
        let mut tries = Vec::new();
        for choice in choices {
            let mut walk = Walk { root: self.root, faults: Vec::new() };
            walk.look(path, choice, value);
            if walk.faults.is_empty() {
                return;
            }
            let resolved = self.resolved(choice);
            if fits(resolved, value) && (value.is_object() || value.is_array()) {
                tries.push(walk.faults);
            }
        }
        match <[Vec<Fault>; 1]>::try_from(tries) {
            Ok([meant]) => self.faults.extend(meant),
            Err(_) => self.faults.push((path.to_owned(), format!("send {}", self.wanted(schema)))),
        }
    }

    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    /// What has to be sent, as the rest of a sentence.
    fn wanted(&self, schema: &'a Value) -> String {
        let resolved = self.resolved(schema);
        let about = schema.get("description").or_else(|| resolved.get("description"));
        let about = about.and_then(Value::as_str).filter(|text| !text.contains('\n'));
        let kind = self.kind(resolved);
        match about {
            Some(about) => format!("{kind}: {about}"),
            None => kind,
        }
    }

    fn kind(&self, schema: &'a Value) -> String {
        if let Some(choices) = choices(schema) {
            let mut kinds: Vec<String> = Vec::new();
            for choice in choices {
                let kind = self.kind(self.resolved(choice));
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            return kinds.join(" or ");
        }
        if let Some(word) = schema.get("const") {
            return word.to_string();
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            return words.iter().map(Value::to_string).collect::<Vec<_>>().join(" or ");
        }
        let kinds: Vec<&str> = types(schema).into_iter().map(named).collect();
        if kinds.is_empty() { "a value".to_owned() } else { kinds.join(" or ") }
    }
}

fn choices(schema: &Value) -> Option<&[Value]> {
    let list = schema.get("anyOf").or_else(|| schema.get("oneOf"))?;
    list.as_array().map(Vec::as_slice)
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn named(kind: &str) -> &'static str {
    match kind {
        "object" => "an object",
        "array" => "a list",
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "null",
    }
}

/// Whether a value is of the kind that a schema asks for, whatever is in it.
fn fits(schema: &Value, value: &Value) -> bool {
    if let Some(word) = schema.get("const") {
        return word == value;
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.contains(value);
    }
    let kinds = types(schema);
    kinds.is_empty()
        || kinds.into_iter().any(|kind| match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            _ => value.is_null(),
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["name", "role", "whose"],
            "properties": {
                "name": { "type": "string", "description": "What people call it." },
                "role": { "oneOf": [{ "const": "admin" }, { "const": "member" }] },
                "hours": { "type": ["integer", "null"] },
                "tools": { "type": "array", "items": { "type": "string" } },
                "whose": { "$ref": "#/$defs/Whose" },
                "maybe": { "anyOf": [{ "$ref": "#/$defs/Inner" }, { "type": "null" }] },
                "map": { "type": "object", "additionalProperties": { "type": "string" } },
            },
            "$defs": {
                "Whose": {
                    "description": "In whose name.",
                    "oneOf": [
                        { "type": "object", "required": ["user"], "properties": { "user": { "type": "string" } },
                          "additionalProperties": false },
                        { "type": "object", "required": ["team"], "properties": { "team": { "type": "string" } },
                          "additionalProperties": false },
                    ],
                },
                "Inner": { "type": "object", "required": ["id"], "properties": { "id": { "type": "string" } } },
            },
        })
    }

    fn told(body: Value) -> Vec<String> {
        faults(&schema(), &body).into_iter().map(|(path, what)| format!("{path}: {what}")).collect()
    }

    #[test]
    fn every_field_that_is_missing_is_named_with_what_to_send() {
        assert_eq!(
            told(json!({})),
            [
                "name: is missing; send a text: What people call it.",
                "role: is missing; send \"admin\" or \"member\"",
                "whose: is missing; send an object: In whose name.",
            ]
        );
    }

    #[test]
    fn wrong_kinds_are_told_where_they_are() {
        let body = json!({
            "name": 7, "role": "king", "whose": { "user": "x" }, "hours": "2", "tools": ["a", 1],
            "maybe": {}, "map": { "a": 1 }, "color": "red",
        });
        assert_eq!(
            told(body),
            [
                "name: send a text: What people call it.",
                "role: send \"admin\" or \"member\"",
                "hours: send a whole number or null",
                "tools[1]: send a text",
                "maybe.id: is missing; send a text",
                "map.a: send a text",
                "color: is not known here; leave it out, or use one of: name, role, hours, tools, whose, maybe, map",
            ]
        );
    }

    #[test]
    fn what_could_have_been_meant_in_several_ways_is_told_as_a_whole() {
        let body = json!({ "name": "x", "role": "admin", "whose": { "service": "x" } });
        assert_eq!(told(body), ["whose: send an object: In whose name."]);
        assert_eq!(told(json!([])), [": send an object"]);
    }

    #[test]
    fn what_is_right_has_no_fault() {
        let body =
            json!({ "name": "x", "role": "admin", "whose": { "team": "x" }, "maybe": null, "hours": 3 });
        assert!(told(body).is_empty());
    }
}
