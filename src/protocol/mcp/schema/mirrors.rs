//! Which arguments of a tool are repeated in headers, by `x-mcp-header` in its input schema.

use crate::protocol::mcp::{
    headers::Mirror,
    raw::{Kind, Raw},
};

/// Why a schema asks for a header in a forbidden way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMirror {
    /// The name is no token of HTTP.
    #[error("x-mcp-header must be the name of a header")]
    Name,
    /// The argument is no string, integer or truth value.
    #[error("x-mcp-header may only stand at a string, an integer or a boolean")]
    Type,
    /// It stands where the argument's path is not certain.
    #[error("x-mcp-header may only stand at a property that is reached by properties alone")]
    Place,
    /// Two arguments ask for the same header.
    #[error("two properties have the same x-mcp-header")]
    Twice,
}

/// Keywords under which names lead to schemas that no path of properties reaches.
const MAPS: [&str; 4] = ["$defs", "definitions", "patternProperties", "dependentSchemas"];
/// Keywords that hold values and not schemas.
const VALUES: [&str; 4] = ["const", "default", "enum", "examples"];

/// Reads the mirrors of an input schema.
pub(super) fn read(schema: Raw<'_>) -> Result<Vec<Mirror>, BadMirror> {
    let mut mirrors = Vec::new();
    // Most schemas have none, which a look at the text tells at once; an escape could hide one.
    if schema.text().contains("mcp-header") || schema.text().contains('\\') {
        walk(schema, Some(&mut Vec::new()), &mut mirrors)?;
    }
    Ok(mirrors)
}

/// Walks a schema; `path` is that of the argument it describes, where that is certain. The depth is that of the text,
/// which the scan has bounded.
fn walk(
    schema: Raw<'_>,
    mut path: Option<&mut Vec<String>>,
    mirrors: &mut Vec<Mirror>,
) -> Result<(), BadMirror> {
    for element in schema.elements() {
        walk(element, None, mirrors)?;
    }
    for member in schema.members() {
        let key = member.key.string().unwrap_or_default();
        match &*key {
            "x-mcp-header" => {
                let path = path.as_deref().filter(|path| !path.is_empty()).ok_or(BadMirror::Place)?;
                mirrors.push(mirror(schema, member.value, path, mirrors)?);
            }
            "properties" => {
                for property in member.value.members() {
                    let Some(path) = path.as_deref_mut() else {
                        walk(property.value, None, mirrors)?;
                        continue;
                    };
                    path.push(property.key.string().unwrap_or_default().into_owned());
                    walk(property.value, Some(path), mirrors)?;
                    path.pop();
                }
            }
            key if MAPS.contains(&key) => {
                for named in member.value.members() {
                    walk(named.value, None, mirrors)?;
                }
            }
            key if VALUES.contains(&key) => {}
            _ => walk(member.value, None, mirrors)?,
        }
    }
    Ok(())
}

fn mirror(schema: Raw<'_>, name: Raw<'_>, path: &[String], before: &[Mirror]) -> Result<Mirror, BadMirror> {
    let header = name.string().filter(|name| is_token(name)).ok_or(BadMirror::Name)?.into_owned();
    let kind = schema.get("type").filter(|kind| kind.kind() == Kind::String);
    let is_plain = |kind: Raw<'_>| ["string", "integer", "boolean"].iter().any(|plain| kind.says(plain));
    if !kind.is_some_and(is_plain) {
        return Err(BadMirror::Type);
    }
    if before.iter().any(|mirror| mirror.header.eq_ignore_ascii_case(&header)) {
        return Err(BadMirror::Twice);
    }
    Ok(Mirror { header, path: path.to_vec() })
}

/// Whether it is a token (RFC 9110, section 5.6.2).
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::strict::{Limits, check};

    fn mirrors(schema: &str) -> Result<Vec<(String, String)>, BadMirror> {
        let raw = check(schema.as_bytes(), &Limits::default()).expect("good JSON");
        Ok(read(raw)?.into_iter().map(|mirror| (mirror.header, mirror.path.join("."))).collect())
    }

    #[test]
    fn properties_lead_to_mirrors_at_any_depth() {
        let schema = r#"{"type":"object","properties":{
            "region":{"type":"string","x-mcp-header":"Region"},
            "page":{"type":"object","properties":{"limit":{"x-mcp-h\u0065ader":"Limit","type":"integer"}}},
            "x-mcp-header":{"type":"string","default":{"x-mcp-header":1}},
            "properties":{"type":"boolean","x-mcp-header":"Props"}}}"#;
        let wanted = [("Region", "region"), ("Limit", "page.limit"), ("Props", "properties")];
        let wanted = wanted.map(|(header, path)| (header.to_owned(), path.to_owned()));
        assert_eq!(mirrors(schema).unwrap(), wanted);
        assert_eq!(mirrors(r#"{"type":"object"}"#), Ok(Vec::new()));
    }

    #[test]
    fn a_mirror_elsewhere_or_of_another_kind_is_forbidden() {
        let at = |schema: &str| mirrors(&schema.replace('@', r#""type":"string","x-mcp-header":"A""#)).err();
        for (schema, fault) in [
            (r#"{@}"#, BadMirror::Place),
            (r#"{"items":{@}}"#, BadMirror::Place),
            (r#"{"anyOf":[{"properties":{"a":{@}}}]}"#, BadMirror::Place),
            (r#"{"properties":{"a":{"items":{"properties":{"b":{@}}}}}}"#, BadMirror::Place),
            (r#"{"$defs":{"a":{@}}}"#, BadMirror::Place),
            (r#"{"properties":{"a":{"if":{@}}}}"#, BadMirror::Place),
            (r#"{"additionalProperties":{@}}"#, BadMirror::Place),
            (r#"{"properties":{"a":{@},"b":{"type":"integer","x-mcp-header":"a"}}}"#, BadMirror::Twice),
            (r#"{"properties":{"a":{"type":"number","x-mcp-header":"a"}}}"#, BadMirror::Type),
            (r#"{"properties":{"a":{"type":["string"],"x-mcp-header":"a"}}}"#, BadMirror::Type),
            (r#"{"properties":{"a":{"x-mcp-header":"a"}}}"#, BadMirror::Type),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":""}}}"#, BadMirror::Name),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":"a b"}}}"#, BadMirror::Name),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":"a\r\nb"}}}"#, BadMirror::Name),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":7}}}"#, BadMirror::Name),
        ] {
            assert_eq!(at(schema), Some(fault), "{schema}");
        }
        assert_eq!(at(r#"{"const":{@}}"#), None);
    }
}
