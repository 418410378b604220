//! A good body for every operation that takes one, so that nothing is refused before the question that a proof asks.

use std::collections::BTreeMap;

use http::Method;
use portreeve::web::{
    self,
    kit::{openapi, routes::Route},
};
use serde_json::{Value, json};

/// Stands in a body for any words that people may write.
pub(crate) const WORDS: &str = "Fresh words";
/// Stands in a body for a secret.
pub(crate) const SECRET: &str = "fresh-secret-9";

/// The body of a route, naming things by the ids of `values`; none where it takes none.
///
/// Panics for an operation that is not listed: a body has to be written down here with it.
pub(crate) fn body_of(route: &Route, values: &BTreeMap<&'static str, String>) -> Option<Value> {
    let of = |name: &str| values[name].clone();
    let path = route.path.strip_prefix("/api/v1/orgs/{org}").filter(|_| route.method != Method::GET)?;
    let document = json!({ "version": "1", "default": "require_approval" });
    let call = json!({ "grant": of("grant"), "server": of("server"), "tool": "get_issue" });
    Some(match (route.method.as_str(), path) {
        ("PATCH", "") => json!({ "name": WORDS }),
        ("POST", "/access-requests") => {
            json!({ "server": of("server"), "tools": ["delete_repo"], "why": WORDS, "hours": 8 })
        }
        ("POST", "/access-requests/{access}/decide") => json!({ "decision": "refuse", "reason": WORDS }),
        ("POST", "/api-keys") => json!({ "name": WORDS, "scopes": ["access:ask"] }),
        ("PATCH", "/api-keys/{key}") => json!({ "name": WORDS }),
        ("POST", "/api-keys/{key}/rotate") => json!({ "overlap_hours": 1 }),
        ("POST", "/approvals/{approval}/decide") => json!({ "decision": "deny", "reason": WORDS }),
        ("POST", "/connections") => json!({ "provider": of("provider"), "owner": "me" }),
        ("PATCH", "/connections/{connection}") => json!({ "name": WORDS }),
        ("PUT", "/gate") => json!({ "open": false, "reason": WORDS }),
        ("POST", "/grants") => json!({
            "label": WORDS, "principal": { "user": of("owner") }, "servers": [of("server")],
            "policy": of("policy"), "class_ceiling": "read",
        }),
        ("PATCH", "/grants/{grant}") => json!({ "label": WORDS }),
        ("POST", "/grants/{grant}/suspend" | "/grants/{grant}/revoke") => json!({ "reason": WORDS }),
        ("POST", "/grants/{grant}/tokens") => json!({ "label": WORDS }),
        ("POST", "/grants/{grant}/tokens/{grant_token}/rotate") => json!({ "overlap_minutes": 1 }),
        ("POST", "/invitations") => {
            json!({ "emails": ["fresh@example.com"], "role": "member", "team": of("team") })
        }
        ("PUT", "/layers") => json!({ "org": of("policy"), "servers": { (of("server")): of("policy") } }),
        ("PATCH", "/members/{member}") => json!({ "role": "auditor" }),
        ("POST", "/members/{member}/suspend") => json!({ "reason": WORDS }),
        ("POST", "/policies") => json!({ "name": WORDS, "description": WORDS, "document": document }),
        ("PATCH", "/policies/{policy}") => json!({ "name": WORDS, "description": WORDS }),
        ("PUT", "/policies/{policy}/draft") => json!({ "document": document }),
        ("POST", "/policies/{policy}/publish" | "/policies/{policy}/proposal") => json!({ "note": WORDS }),
        ("POST", "/policies/{policy}/rollback") => json!({ "version": 1, "note": WORDS }),
        ("POST", "/policies/{policy}/simulate") => json!({ "document": document, "call": call }),
        ("POST", "/policies/{policy}/replay") => json!({ "document": document }),
        ("POST", "/policies/{policy}/tests") => json!({ "name": WORDS, "call": call, "expected": "deny" }),
        ("POST", "/providers") => {
            json!({ "preset": "linear", "client_id": "fresh", "client_secret": SECRET })
        }
        ("PATCH", "/providers/{provider}") => json!({ "name": WORDS }),
        ("POST", "/providers/{provider}/preset") => json!({ "version": 1 }),
        ("POST", "/providers/{provider}/rotate") => json!({ "client_secret": SECRET }),
        ("POST", "/secrets") => {
            json!({ "scope": "org", "name": "fresh_token", "description": WORDS, "value": SECRET })
        }
        ("PATCH", "/secrets/{secret_id}") => json!({ "description": WORDS }),
        ("POST", "/secrets/{secret_id}/rotate") => json!({ "value": SECRET }),
        // Addresses that may not be called, so that nothing waits for them.
        ("POST", "/servers") => {
            json!({ "name": WORDS, "description": WORDS, "url": "https://192.0.2.7/fresh" })
        }
        ("PATCH", "/servers/{server}") => json!({ "name": WORDS, "description": WORDS }),
        ("POST", "/servers/probe") => json!({
            "url": "https://192.0.2.7/fresh",
            "credentials": [{ "target": "header", "name": "X-Fresh", "value": SECRET }],
        }),
        ("PUT", "/servers/{server}/credentials") | ("POST", "/servers/{server}/credentials/preview") => {
            json!([{ "target": "header", "name": "X-Fresh", "value": SECRET }])
        }
        ("POST", "/servers/{server}/provider") => json!({ "client_id": "fresh", "client_secret": SECRET }),
        ("POST", "/servers/{server}/tools/accept" | "/servers/{server}/tools/refuse") => {
            json!({ "tools": ["delete_repo"] })
        }
        ("PATCH", "/servers/{server}/tools/{tool}") => {
            json!({ "class": "write", "reason": WORDS, "enabled": false })
        }
        ("POST", "/service-accounts") => json!({ "name": WORDS, "description": WORDS, "role": "auditor" }),
        ("PATCH", "/service-accounts/{account}") => json!({ "name": WORDS, "description": WORDS }),
        ("POST", "/teams") => json!({ "name": WORDS, "description": WORDS }),
        ("PATCH", "/teams/{team}") => json!({ "name": WORDS, "description": WORDS }),
        ("POST", "/teams/{team}/members") => json!({ "person": of("member"), "role": "member" }),
        ("PATCH", "/teams/{team}/members/{user}") => json!({ "role": "admin" }),
        (method, path) => {
            assert!(!takes_a_body(route), "{method} {path} takes a body: write a good one into bodies.rs");
            return None;
        }
    })
}

/// What a read needs in its address besides the path, without which it is refused before anything else.
pub(crate) fn query_of(route: &Route, values: &BTreeMap<&'static str, String>) -> String {
    match route.path.strip_prefix("/api/v1/orgs/{org}") {
        Some("/policies/effective") => format!("?grant={}&server={}", values["grant"], values["server"]),
        _ => String::new(),
    }
}

/// The API's document.
pub(crate) fn document() -> Value {
    openapi::document(web::routes().operations())
}

fn takes_a_body(route: &Route) -> bool {
    let method = route.method.as_str().to_ascii_lowercase();
    document()["paths"][&route.path][method].get("requestBody").is_some()
}

/// Calls `write` for each text of a body that stands for words or a secret, with whether it is a secret.
pub(crate) fn fill(body: &mut Value, write: &mut impl FnMut(bool) -> String) {
    match body {
        Value::String(text) if text == WORDS || text == SECRET => *text = write(text == SECRET),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, write)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, write)),
        _ => {}
    }
}
