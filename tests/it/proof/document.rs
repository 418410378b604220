//! The list of routes and the API's document hold together.

use std::collections::BTreeSet;

use http::Method;
use portreeve::web::{
    self,
    kit::{
        openapi,
        routes::{Access, Effect},
    },
};
use serde_json::Value;

#[test]
fn a_route_that_changes_something_says_what_it_records() {
    for route in web::routes().list() {
        let name = format!("{} {}", route.method, route.path);
        match route.effect {
            Effect::Reads => assert_eq!(route.method, Method::GET, "{name} changes something"),
            Effect::Records(actions) => {
                assert!(!actions.is_empty(), "{name} names no action");
                for action in actions {
                    let is_named = action
                        .split_once('.')
                        .is_some_and(|(noun, verb)| !noun.is_empty() && !verb.is_empty());
                    let is_plain = action.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '_');
                    assert!(is_named && is_plain, "{name}: {action} is no noun.verb");
                }
            }
            Effect::Unrecorded(why) => assert!(why.len() > 10, "{name} gives no reason"),
        }
    }
}

#[test]
fn no_route_is_listed_twice() {
    let routes = web::routes();
    let names: BTreeSet<_> =
        routes.list().iter().map(|route| (route.path.clone(), route.method.to_string())).collect();
    assert_eq!(names.len(), routes.list().len());
}

#[test]
fn only_keys_open_the_api_and_only_sessions_the_console() {
    for route in web::routes().list() {
        let is_api = route.path.starts_with("/api/v1/");
        let is_right = match route.access {
            Access::Key(_) | Access::AnyKey => is_api,
            Access::Anyone => true,
            Access::Agent
            | Access::Person
            | Access::Member
            | Access::Org(_)
            | Access::Team(_)
            | Access::Operator => !is_api,
        };
        assert!(is_right, "{} {}: {:?}", route.method, route.path, route.access);
    }
}

#[test]
fn the_document_names_each_operation_once_and_every_reference_leads_somewhere() {
    let document = openapi::document(web::routes().operations());
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path} has no summary");
            assert!(!operation["tags"][0].as_str().unwrap().is_empty(), "{method} {path} has no tag");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.len() >= 2, "{method} {path} does not say what it answers");
        }
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| collect(value, references));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
