//! An OpenAPI document as a page shows it: operations by noun, and the shapes they speak in.

use serde_json::{Map, Value};

/// The whole reference.
pub(super) struct Outline {
    /// The version of the program.
    pub(super) version: String,
    /// Operations by noun.
    pub(super) groups: Vec<Group>,
    /// Bodies and answers by name.
    pub(super) shapes: Vec<Shape>,
}

/// The operations of one noun.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) anchor: String,
    pub(super) calls: Vec<Call>,
}

/// One operation.
pub(super) struct Call {
    /// Its id, which is its anchor too.
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) summary: String,
    /// The scope it needs; empty where any key, or none, will do.
    pub(super) scope: String,
    /// Whether it needs no key.
    pub(super) is_open: bool,
    pub(super) parameters: Vec<Field>,
    pub(super) body: Option<Kind>,
    pub(super) answers: Vec<Answer>,
    pub(super) curl: String,
}

/// One answer of an operation.
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) about: Prose,
    pub(super) kind: Option<Kind>,
}

/// A shape of a body or an answer.
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) about: Prose,
    pub(super) fields: Vec<Field>,
}

/// A parameter, or a field of a shape.
pub(super) struct Field {
    pub(super) name: String,
    /// `path`, `query`, `header`; empty for a field of a shape.
    pub(super) place: String,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    pub(super) about: Prose,
}

/// A sentence in which backticks set off what is typed, as in the document.
pub(super) struct Prose(pub(super) Vec<Piece>);

/// A stretch of a sentence.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) is_code: bool,
}

impl Prose {
    fn of(value: &Value) -> Self {
        let pieces = value.as_str().unwrap_or_default().split('`').enumerate();
        let piece = |(at, text): (usize, &str)| Piece { text: text.to_owned(), is_code: at % 2 == 1 };
        Self(pieces.map(piece).filter(|piece| !piece.text.is_empty()).collect())
    }

    /// The same as the beginning of something longer: without its full stop.
    fn open(mut self) -> Self {
        if let Some(last) = self.0.last_mut() {
            last.text.truncate(last.text.trim_end_matches('.').len());
        }
        self
    }

    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A type in words, with the shape it names, if any.
pub(super) struct Kind {
    pub(super) words: String,
    pub(super) shape: String,
}

impl Outline {
    /// Reads a document; what is missing in it is left out.
    pub(super) fn of(document: &Value, site: &str) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (path, methods) in object(&document["paths"]) {
            for (method, operation) in object(methods) {
                let call = Call::of(path, method, operation, document, site);
                let name = text(&operation["tags"][0]);
                match groups.iter_mut().find(|group| group.name == name) {
                    Some(group) => group.calls.push(call),
                    None => groups.push(Group { anchor: anchor(&name), name, calls: vec![call] }),
                }
            }
        }
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        for group in &mut groups {
            group.calls.sort_by_key(|call| (call.path.clone(), order(&call.method)));
        }
        let shapes = object(&document["components"]["schemas"])
            .map(|(name, schema)| Shape::of(name, schema))
            .collect();
        Self { version: text(&document["info"]["version"]), groups, shapes }
    }
}

impl Call {
    fn of(path: &str, method: &str, operation: &Value, document: &Value, site: &str) -> Self {
        let method = method.to_ascii_uppercase();
        let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
        let scope =
            operation["description"].as_str().and_then(|text| text.split('`').nth(1)).unwrap_or_default();
        let parameters = list(&operation["parameters"]).map(|parameter| Field {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            kind: Kind::of(&parameter["schema"]),
            is_required: parameter["required"] == true,
            about: Prose::of(&parameter["description"]),
        });
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let answers = object(&operation["responses"]).map(|(status, answer)| Answer {
            status: status.clone(),
            about: Prose::of(&answer["description"]).open(),
            kind: object(&answer["content"]).next().map(|(_, content)| Kind::of(&content["schema"])),
        });
        Self {
            id: text(&operation["operationId"]),
            summary: text(&operation["summary"]),
            scope: scope.to_owned(),
            is_open,
            parameters: parameters.collect(),
            body: (!schema.is_null()).then(|| Kind::of(schema)),
            answers: answers.collect(),
            curl: curl(
                &method,
                path,
                is_open,
                (!schema.is_null()).then(|| example(schema, document, 0)),
                site,
            ),
            method,
            path: path.to_owned(),
        }
    }
}

impl Shape {
    fn of(name: &str, schema: &Value) -> Self {
        let required: Vec<&str> = list(&schema["required"]).filter_map(Value::as_str).collect();
        let fields = object(&schema["properties"]).map(|(name, property)| Field {
            name: name.clone(),
            place: String::new(),
            kind: Kind::of(property),
            is_required: required.contains(&name.as_str()),
            about: Prose::of(&property["description"]),
        });
        Self { name: name.to_owned(), about: Prose::of(&schema["description"]), fields: fields.collect() }
    }
}

impl Kind {
    fn of(schema: &Value) -> Self {
        if let Some(shape) = named(schema) {
            return Self { words: shape.to_owned(), shape: shape.to_owned() };
        }
        for several in ["anyOf", "oneOf"] {
            let all: Vec<Self> = list(&schema[several]).map(Self::of).collect();
            if !all.is_empty() {
                let shape = all.iter().map(|kind| kind.shape.clone()).find(|shape| !shape.is_empty());
                let words: Vec<String> = all.into_iter().map(|kind| kind.words).collect();
                return Self { words: words.join(" or "), shape: shape.unwrap_or_default() };
            }
        }
        if schema["type"] == "array" {
            let inner = Self::of(&schema["items"]);
            return Self { words: format!("list of {}", inner.words), shape: inner.shape };
        }
        Self { words: words(schema), shape: String::new() }
    }
}

/// A plain type with its bounds: "string, 1 to 100 characters".
fn words(schema: &Value) -> String {
    let mut words = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            kinds.join(" or ")
        }
        _ => "any".to_owned(),
    };
    if let Some(format) =
        schema["format"].as_str().filter(|format| !matches!(*format, "int32" | "int64" | "uint16"))
    {
        words = format!("{words}, {format}");
    }
    let values: Vec<&str> = list(&schema["enum"]).filter_map(Value::as_str).collect();
    if !values.is_empty() {
        words = format!("one of {}", values.join(", "));
    }
    for (low, high, unit) in [
        ("minLength", "maxLength", " characters"),
        ("minimum", "maximum", ""),
        ("minItems", "maxItems", " items"),
    ] {
        match (&schema[low], &schema[high]) {
            (Value::Number(low), Value::Number(high)) => words = format!("{words}, {low} to {high}{unit}"),
            (_, Value::Number(high)) => words = format!("{words}, at most {high}{unit}"),
            _ => {}
        }
    }
    words
}

/// A body that has the right form, for the example.
fn example(schema: &Value, document: &Value, depth: u8) -> Value {
    if depth > 4 {
        return Value::Null;
    }
    if let Some(name) = named(schema) {
        return example(&document["components"]["schemas"][name], document, depth + 1);
    }
    if let Some(first) =
        schema["enum"].get(0).or_else(|| schema.get("const")).or_else(|| schema["examples"].get(0))
    {
        return first.clone();
    }
    if let Some(first) = schema["anyOf"].get(0).or_else(|| schema["oneOf"].get(0)) {
        return example(first, document, depth + 1);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"].get(0).and_then(Value::as_str));
    match kind {
        Some("object") => {
            let fields = object(&schema["properties"]);
            Value::Object(
                fields.map(|(name, field)| (name.clone(), example(field, document, depth + 1))).collect(),
            )
        }
        Some("array") => Value::Array(vec![example(&schema["items"], document, depth + 1)]),
        Some("boolean") => Value::Bool(true),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| 1.into()),
        Some("string") if schema["format"] == "date-time" => "2027-01-31T12:00:00Z".into(),
        Some("string") => "…".into(),
        _ => Value::Null,
    }
}

fn curl(method: &str, path: &str, is_open: bool, body: Option<Value>, site: &str) -> String {
    let path = path.replace("{org}", "acme");
    let verb = if method == "GET" { String::new() } else { format!(" -X {method}") };
    let mut text = format!("curl{verb} '{site}{path}'");
    if !is_open {
        text.push_str(" \\\n  -H \"Authorization: Bearer $PORTREEVE_KEY\"");
    }
    if let Some(body) = body {
        text.push_str(&format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"));
    }
    text
}

fn named(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str().and_then(|path| path.rsplit('/').next())
}

fn anchor(name: &str) -> String {
    name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn order(method: &str) -> usize {
    ["GET", "POST", "PUT", "PATCH", "DELETE"].iter().position(|known| *known == method).unwrap_or(9)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_type_says_its_bounds_and_names_its_shape() {
        let kind = |schema: Value| Kind::of(&schema).words;
        assert_eq!(
            kind(json!({ "type": "string", "minLength": 1, "maxLength": 100 })),
            "string, 1 to 100 characters"
        );
        assert_eq!(kind(json!({ "type": ["integer", "null"], "format": "int32" })), "integer or null");
        assert_eq!(kind(json!({ "type": "string", "enum": ["a", "b"] })), "one of a, b");
        let list = Kind::of(&json!({ "type": "array", "items": { "$ref": "#/components/schemas/Team" } }));
        assert_eq!((list.words.as_str(), list.shape.as_str()), ("list of Team", "Team"));
        let maybe =
            Kind::of(&json!({ "anyOf": [{ "$ref": "#/components/schemas/Team" }, { "type": "null" }] }));
        assert_eq!((maybe.words.as_str(), maybe.shape.as_str()), ("Team or null", "Team"));
    }

    #[test]
    fn backticks_set_off_what_is_typed() {
        let prose = Prose::of(&json!("What to send as `cursor` for the next page."));
        let read: Vec<_> = prose.0.iter().map(|piece| (piece.text.as_str(), piece.is_code)).collect();
        assert_eq!(read, [("What to send as ", false), ("cursor", true), (" for the next page.", false)]);
        assert_eq!(Prose::of(&json!("A problem document.")).open().0[0].text, "A problem document");
        assert!(Prose::of(&Value::Null).is_empty());
    }

    #[test]
    fn an_example_is_a_call_that_can_be_sent() {
        let document = json!({ "paths": { "/api/v1/orgs/{org}/teams": { "post": {
            "operationId": "createTeam", "tags": ["Teams"], "description": "Needs the scope `teams:write`.",
            "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/New" } } } },
        } } }, "components": { "schemas": { "New": { "type": "object", "properties": {
            "name": { "type": "string" }, "color": { "enum": ["red"] } } } } } });
        let outline = Outline::of(&document, "https://port.example");
        let call = &outline.groups[0].calls[0];
        assert_eq!(call.scope, "teams:write");
        assert!(call.curl.starts_with("curl -X POST 'https://port.example/api/v1/orgs/acme/teams'"));
        assert!(call.curl.ends_with(r#"-d '{"name":"…","color":"red"}'"#), "{}", call.curl);
    }
}
