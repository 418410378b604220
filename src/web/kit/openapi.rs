//! The description of the JSON API, made from the same values that mount its routes.

use axum::http::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    base::permission::Permission,
    web::kit::{
        problem::Problem,
        routes::{Access, Effect},
    },
};

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One operation of the API.
#[derive(Clone)]
pub struct Operation {
    pub(super) method: Method,
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    pub(super) access: Access,
    pub(super) effect: Effect,
    query: Option<SchemaOf>,
    body: Option<SchemaOf>,
    body_required: bool,
    reply: Option<(StatusCode, Option<SchemaOf>)>,
    versioned: bool,
    content: &'static [&'static str],
}

impl Operation {
    fn new(method: Method, path: &'static str, id: &'static str) -> Self {
        Self {
            method,
            path,
            id,
            tag: "",
            summary: "",
            access: Access::AnyKey,
            effect: Effect::Reads,
            query: None,
            body: None,
            body_required: true,
            reply: None,
            versioned: false,
            content: &["application/json"],
        }
    }

    /// An operation that reads. Paths start after `/api/v1`.
    pub fn get(path: &'static str, id: &'static str) -> Self {
        Self::new(Method::GET, path, id)
    }

    /// An operation that creates or acts, with what it records.
    pub fn post(path: &'static str, id: &'static str, effect: Effect) -> Self {
        Self { effect, ..Self::new(Method::POST, path, id) }
    }

    /// An operation that replaces, with what it records.
    pub fn put(path: &'static str, id: &'static str, effect: Effect) -> Self {
        Self { effect, versioned: true, ..Self::new(Method::PUT, path, id) }
    }

    /// An operation that changes some fields, with what it records.
    pub fn patch(path: &'static str, id: &'static str, effect: Effect) -> Self {
        Self { effect, versioned: true, ..Self::new(Method::PATCH, path, id) }
    }

    /// An operation that removes, with what it records.
    pub fn delete(path: &'static str, id: &'static str, effect: Effect) -> Self {
        Self { effect, versioned: true, ..Self::new(Method::DELETE, path, id) }
    }

    /// Its noun and one sentence about it.
    #[must_use]
    pub fn about(self, tag: &'static str, summary: &'static str) -> Self {
        Self { tag, summary, ..self }
    }

    /// The permission it needs.
    #[must_use]
    pub fn needs(self, permission: Permission) -> Self {
        Self { access: Access::Key(permission), ..self }
    }

    /// It needs no key.
    #[must_use]
    pub fn open(self) -> Self {
        Self { access: Access::Anyone, ..self }
    }

    /// Its query parameters.
    #[must_use]
    pub fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// Its body.
    #[must_use]
    pub fn takes<T: JsonSchema>(self) -> Self {
        Self { body: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// Its body, which may be left out.
    #[must_use]
    pub fn may_take<T: JsonSchema>(self) -> Self {
        Self { body_required: false, ..self.takes::<T>() }
    }

    /// Its answer.
    #[must_use]
    pub fn gives<T: JsonSchema>(self, status: StatusCode) -> Self {
        Self { reply: Some((status, Some(SchemaGenerator::subschema_for::<T>))), ..self }
    }

    /// What it records although it only reads.
    #[must_use]
    pub fn records(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// It answers without a body.
    #[must_use]
    pub fn gives_nothing(self) -> Self {
        Self { reply: Some((StatusCode::NO_CONTENT, None)), ..self }
    }

    /// Its answer is not JSON.
    #[must_use]
    pub fn as_types(self, content: &'static [&'static str]) -> Self {
        Self { content, ..self }
    }

    /// It heeds `If-Match` although it is a POST.
    #[must_use]
    pub fn versioned(self) -> Self {
        Self { versioned: true, ..self }
    }

    /// It does not heed `If-Match`: what it removes has no version.
    #[must_use]
    pub fn unversioned(self) -> Self {
        Self { versioned: false, ..self }
    }

    /// The whole path.
    pub fn full_path(&self) -> String {
        format!("/api/v1{}", self.path)
    }

    fn describe(&self, schemas: &mut SchemaGenerator) -> Value {
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "responses": self.responses(schemas),
        });
        let parameters = self.parameters(schemas);
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = self.body {
            operation["requestBody"] = json!({ "required": self.body_required, "content": { "application/json": { "schema": body(schemas) } } });
        }
        match self.access {
            Access::Anyone => operation["security"] = json!([]),
            Access::Key(permission) => {
                operation["description"] = format!("Needs the scope `{permission}`.").into();
            }
            _ => {}
        }
        operation
    }

    fn parameters(&self, schemas: &mut SchemaGenerator) -> Vec<Value> {
        let in_path = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let mut all: Vec<Value> = in_path
            .map(|name| {
                let about = if name == "org" {
                    "Slug or id of the organization."
                } else {
                    "Id, or slug where the thing has one."
                };
                json!({ "name": name, "in": "path", "required": true, "description": about,
                        "schema": { "type": "string", "minLength": 1, "maxLength": 100 } })
            })
            .collect();
        if let Some(query) = self.query {
            all.extend(query_parameters(query(schemas), schemas));
        }
        if self.method == Method::POST {
            all.push(json!({ "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "A repeated POST with the same key and body happens once; kept for 24 hours.",
                "schema": { "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$" } }));
        }
        if self.versioned {
            all.push(json!({ "name": "If-Match", "in": "header", "required": false,
                "description": "The ETag last seen; the change is refused if the thing was changed since.",
                "schema": { "type": "string", "maxLength": 40 } }));
        }
        all
    }

    fn responses(&self, schemas: &mut SchemaGenerator) -> Value {
        let mut responses = Map::new();
        if let Some((status, reply)) = self.reply {
            let mut answer = json!({ "description": status.canonical_reason().unwrap_or("Done") });
            if let Some(reply) = reply {
                let schema = reply(schemas);
                let types = self.content.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": schema })));
                answer["content"] = Value::Object(types.collect());
            }
            responses.insert(status.as_str().to_owned(), answer);
        }
        let problem = schemas.subschema_for::<Problem>();
        responses.insert(
            "default".to_owned(),
            json!({ "description": "A problem document.",
                    "content": { "application/problem+json": { "schema": problem } } }),
        );
        responses.into()
    }
}

/// Turns an object schema into one query parameter per property.
fn query_parameters(schema: Schema, schemas: &SchemaGenerator) -> Vec<Value> {
    let resolved = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|path| path.rsplit('/').next())
        .and_then(|name| schemas.definitions().get(name))
        .cloned()
        .unwrap_or_else(|| schema.to_value());
    let required: Vec<&str> =
        resolved["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = resolved["properties"].as_object().cloned().unwrap_or_default();
    properties
        .into_iter()
        .map(|(name, mut property)| {
            let about = property.as_object_mut().and_then(|p| p.remove("description")).unwrap_or_default();
            json!({ "name": name, "in": "query", "required": required.contains(&name.as_str()),
                    "description": about, "schema": property })
        })
        .collect()
}

/// The OpenAPI 3.1 document of a list of operations.
pub fn document(operations: &[Operation]) -> Value {
    let mut schemas = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let mut paths = Map::new();
    for operation in operations {
        let described = operation.describe(&mut schemas);
        let path = paths.entry(operation.full_path()).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = described;
    }
    let scopes: Vec<String> =
        Permission::ALL.iter().map(|permission| format!("`{permission}`: {}", permission.label())).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portreeve",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "What the console does in an organization. Creating, leaving and deleting one, its first steps, a person's \
                 own account and the operator's pages stay in the console. Errors are problem documents with a stable `code`; lists are paged by \
                 `limit` and `cursor`.\n\nScopes of a key:\n- {}", scopes.join("\n- ")),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer", "bearerFormat": "prk_…" } },
            "schemas": schemas.take_definitions(true),
        },
    })
}
