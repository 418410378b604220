//! The JSON Schema of documents, for editors: what shape alone can tell of a document's faults.

/// The schema (2020-12), as text.
pub const SCHEMA: &str = include_str!("schema.json");

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use serde_json::{Value, json};

    use super::SCHEMA;
    use crate::domain::policy::{
        document::{self, ValueType, keys},
        path::Field,
    };

    fn schema() -> Value {
        serde_json::from_str(SCHEMA).expect("JSON")
    }

    fn validator() -> jsonschema::Validator {
        jsonschema::options().with_draft(jsonschema::Draft::Draft202012).build(&schema()).expect("a schema")
    }

    fn json(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    /// The documents of the corpus of cases.
    fn documents() -> Vec<Value> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/policy");
        let files = fs::read_dir(folder).expect("the folder is there");
        let all = files.flat_map(|file| {
            let text = fs::read_to_string(file.expect("an entry").path()).expect("a readable file");
            let mut cases = json(&text);
            let layers = cases["layers"].take();
            let layers = layers.as_object().into_iter().flat_map(|layers| layers.values().cloned());
            let own = cases["policy"].take();
            own.is_object().then_some(own).into_iter().chain(layers).collect::<Vec<_>>()
        });
        all.collect()
    }

    #[test]
    fn every_document_of_the_corpus_is_as_the_schema_says_also_in_canonical_form() {
        let (validator, documents) = (validator(), documents());
        assert!(documents.len() >= 25, "{}", documents.len());
        for written in documents {
            let read = document::read(written.to_string().as_bytes()).expect("a document");
            for document in [json(&read.canonical()), written] {
                let faults: Vec<String> =
                    validator.iter_errors(&document).map(|fault| fault.to_string()).collect();
                assert!(faults.is_empty(), "{document}: {faults:?}");
            }
        }
    }

    #[test]
    fn the_schema_knows_the_keys_that_the_reader_knows_and_no_others() {
        let schema = schema();
        let parts: [(&str, &[&str]); 8] = [
            ("", &keys::DOCUMENT),
            ("/$defs/all_tools", &keys::ALL_TOOLS),
            ("/$defs/tool", &keys::TOOL),
            ("/$defs/rule", &keys::RULE),
            ("/$defs/ask_rule", &keys::ASK_RULE),
            ("/$defs/condition", &keys::CONDITION),
            ("/$defs/limit", &keys::LIMIT),
            ("/$defs/rate_limit", &keys::RATE_LIMIT),
        ];
        for (place, keys) in parts {
            let part = schema.pointer(place).expect("a part");
            let properties = part["properties"].as_object().expect("properties");
            let (mut theirs, mut ours): (Vec<&str>, _) =
                (properties.keys().map(String::as_str).collect(), keys.to_vec());
            theirs.sort_unstable();
            ours.sort_unstable();
            assert_eq!(theirs, ours, "{place}");
            assert_eq!(part["additionalProperties"], json!(false), "{place}");
        }
        let condition = &schema["$defs"]["condition"]["properties"];
        assert_eq!(condition["op"]["enum"], json!(keys::OPERATORS));
        assert_eq!(condition["path"]["anyOf"][0]["enum"], json!(Field::ALL.map(|(path, _)| path)));
        let types = &schema["$defs"]["condition"]["allOf"][7]["then"]["properties"]["value"]["anyOf"];
        assert_eq!(types[0]["enum"], json!(ValueType::ALL.map(ValueType::as_str)));
    }

    #[test]
    fn what_shape_alone_tells_to_be_wrong_is_wrong_by_the_schema_and_to_the_reader() {
        let validator = validator();
        let whole = |key: &str, value: Value| json!({"version": "1", "default": "deny", key: value});
        let tool = |key: &str, value: Value| whole("tools", json!({"get": {key: value}}));
        let condition = |condition: Value| tool("require", json!([{"conditions": [condition]}]));
        let test = |op: &str, value: Value| condition(json!({"path": "args.a", "op": op, "value": value}));
        let limit = |key: &str, value: Value| {
            let mut limit = json!({"counter": "n", "window": "hour", "max": 1, "scope": "grant"});
            limit[key] = value;
            tool("limits", json!([limit]))
        };
        let wrong = [
            json!([]),
            json!({"version": "1"}),
            json!({"default": "deny"}),
            json!({"version": "2", "default": "deny"}),
            whole("strange", json!(1)),
            whole("mode", json!("watch")),
            whole("hide", json!(["class:writes"])),
            whole("hide", json!([""])),
            whole("tools", json!({"class:writes": {}})),
            whole("tools", json!([])),
            whole("all_tools", json!({"action": "deny"})),
            tool("action", json!("denny")),
            tool("concurrency", json!(0)),
            tool("redact", json!(["token"])),
            tool("rate_limit", json!({"max": 10})),
            tool("rate_limit", json!({"max": 10, "window": "hour"})),
            tool("deny_if", json!([{}])),
            tool("deny_if", json!([{"conditions": [], "approvers": "team:a"}])),
            tool("require_approval_if", json!([{"conditions": [], "approvers": "a"}])),
            tool("require_approval_if", json!([{"conditions": [], "quorum": 0}])),
            tool("require_approval_if", json!([{"conditions": [], "within": "soon"}])),
            condition(json!({"op": "exists"})),
            condition(json!({"path": "args.a"})),
            condition(json!({"path": "user.mail", "op": "exists"})),
            condition(json!({"path": "args.a", "op": "eq"})),
            condition(json!({"path": "args.a", "op": "exists", "quantifier": "some"})),
            test("equals", json!(1)),
            test("in", json!("a")),
            test("exists", json!("yes")),
            test("lt", json!(true)),
            test("between", json!([1])),
            test("regex", json!(1)),
            test("glob", json!(1)),
            test("length", json!(-1)),
            test("type", json!("text")),
            test("cidr", json!([])),
            limit("counter", json!("")),
            limit("window", json!("hours")),
            limit("max", json!(-1)),
            limit("scope", json!("persn")),
            limit("increment_from", json!("user.id")),
            limit("distinct", json!(1)),
            limit("count_errors", json!("no")),
        ];
        for document in wrong {
            assert!(!validator.is_valid(&document), "{document}");
            assert!(document::read(document.to_string().as_bytes()).is_err(), "{document}");
        }
        let right =
            [whole("mode", json!("observe")), test("exists", json!(false)), limit("kind", json!("sliding"))];
        for document in right {
            assert!(validator.is_valid(&document), "{document}");
            assert!(document::read(document.to_string().as_bytes()).is_ok(), "{document}");
        }
    }
}
