//! Where a server's answers name its resources, prompts and tools, and what stands there on the merged endpoint.
//!
//! An address of a resource is led by the server's short name and a plus sign, so that it is still an address, and whoever
//! sends it back is understood without a table: `file:///a` of the server `files` is `files+file:///a`.

use crate::{
    flow::proxy::merged::names,
    protocol::mcp::{
        list::Listing,
        message::{Message, Outcome},
        method::{ListKind, Method},
        raw::{Kind, Raw},
        splice::{Change, Edits},
        version::Era,
    },
};

/// Leads the short name of a server that begins with a digit: the scheme of an address begins with a letter.
const DIGIT_LEAD: &str = "s.";
const JOINT: char = '+';

/// The address under which a server's resource is offered.
pub fn offered(server: &str, own: &str) -> String {
    let lead = if server.starts_with(|c: char| c.is_ascii_alphabetic()) { "" } else { DIGIT_LEAD };
    format!("{lead}{server}{JOINT}{own}")
}

/// The server that an address leads to, and the address as that server knows it.
pub fn split(address: &str) -> Option<(&str, &str)> {
    let (server, own) = address.split_once(JOINT)?;
    Some((server.strip_prefix(DIGIT_LEAD).unwrap_or(server), own))
}

/// Changes the places of an answer, or of what a server tells or asks, that name a resource.
pub fn relocate(edits: &mut Edits<'_>, server: &str, message: &Message<'_>) {
    let mut walk = Walk { edits, server };
    match message {
        Message::Response(response) => {
            if let Outcome::Result(result) = response.outcome {
                walk.result(result);
            }
        }
        Message::Notification(told) if told.method() == Method::ResourcesUpdated => {
            walk.address(told.params.get("uri"));
        }
        Message::Request(asked) => walk.messages(asked.params.get("messages")),
        Message::Notification(_) => {}
    }
}

/// Changes the items of a page to what they are called here.
pub fn rename(edits: &mut Edits<'_>, server: &str, kind: ListKind, listing: &Listing<'_>) {
    for item in &listing.items {
        let name = match kind {
            ListKind::Tools | ListKind::Prompts => names::merged(server, &item.name),
            ListKind::Resources | ListKind::Templates | ListKind::Skills => offered(server, &item.name),
        };
        edits.replace_string(item.name_raw, &name);
    }
}

/// The definition of a tool as it is offered here: under another name, and with the address of its interface led by the
/// server.
pub fn tool(edits: &mut Edits<'_>, server: &str, definition: Raw<'_>, name: &str) {
    if let Some(own) = definition.get("name") {
        edits.replace_string(own, name);
    }
    let Some(meta) = definition.get("_meta") else { return };
    let mut walk = Walk { edits, server };
    walk.address(meta.reach(&["ui", "resourceUri"]));
    walk.address(meta.get("ui/resourceUri"));
}

struct Walk<'e, 'b> {
    edits: &'e mut Edits<'b>,
    server: &'e str,
}

impl Walk<'_, '_> {
    /// Results of different methods have different members, and none has another's.
    fn result(&mut self, result: Raw<'_>) {
        for member in result.members() {
            match member.key.string().as_deref() {
                Some("content") => self.content(member.value),
                Some("contents" | "resources") => {
                    member.value.elements().for_each(|one| self.address(one.get("uri")));
                }
                Some("messages") => self.messages(Some(member.value)),
                // What a finished task came to.
                Some("result") => self.result(member.value),
                _ => {}
            }
        }
    }

    fn messages(&mut self, messages: Option<Raw<'_>>) {
        let Some(messages) = messages else { return };
        messages.elements().filter_map(|one| one.get("content")).for_each(|content| self.content(content));
    }

    fn content(&mut self, content: Raw<'_>) {
        match content.kind() {
            Kind::Array => content.elements().for_each(|block| self.block(block)),
            Kind::Object => self.block(content),
            _ => {}
        }
    }

    fn block(&mut self, block: Raw<'_>) {
        match block.get("type").and_then(|kind| kind.string()).as_deref() {
            Some("resource_link") => self.address(block.get("uri")),
            Some("resource") => self.address(block.reach(&["resource", "uri"])),
            Some("tool_result") => {
                block.get("content").into_iter().for_each(|inner| self.content(inner));
            }
            _ => {}
        }
    }

    fn address(&mut self, place: Option<Raw<'_>>) {
        if let Some((place, own)) = place.and_then(|place| place.string().map(|own| (place, own))) {
            self.edits.replace_string(place, &offered(self.server, &own));
        }
    }
}

/// The end of a page: where the list goes on, and that it is meant for one person only.
pub fn close(edits: &mut Edits<'_>, result: Raw<'_>, next: Option<&str>, era: Era) {
    let next = next.map(|next| serde_json::Value::from(next).to_string());
    let cursor =
        next.as_ref().map_or(Change::Remove("nextCursor"), |next| Change::Set("nextCursor", next.as_bytes()));
    let scope = Change::Set("cacheScope", b"\"private\"");
    // Only the modern era knows who may keep a page.
    let changes = [cursor, scope];
    edits.change(result, if era == Era::Modern { &changes } else { &changes[..1] });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::protocol::mcp::{message, strict::Limits};

    fn moved(body: &Value) -> Value {
        let body = body.to_string();
        let message = message::parse(body.as_bytes(), &Limits::default()).expect("a message");
        let mut edits = Edits::of(body.as_bytes());
        relocate(&mut edits, "files", &message);
        serde_json::from_slice(&edits.apply().expect("no conflict")).expect("JSON")
    }

    fn result(result: &Value) -> Value {
        moved(&json!({ "jsonrpc": "2.0", "id": 1, "result": result }))["result"].clone()
    }

    #[test]
    fn addresses_are_led_by_the_server_and_lead_back() {
        for (server, own) in [("files", "file:///a+b"), ("3d", "x:y"), ("a-b", "not an address")] {
            let address = offered(server, own);
            assert!(address.starts_with(|c: char| c.is_ascii_alphabetic()), "{address}");
            assert_eq!(split(&address), Some((server, own)));
        }
        assert_eq!(split("file:///a"), None);
    }

    #[test]
    fn every_place_that_names_a_resource_is_changed_and_nothing_else() {
        let link = |uri: &str| json!({ "type": "resource_link", "uri": uri, "name": "uri" });
        let held = |uri: &str| json!({ "type": "resource", "resource": { "uri": uri, "text": "uri" } });
        let text = json!({ "type": "text", "text": "file:///a", "uri": "file:///a" });
        assert_eq!(
            result(&json!({ "content": [link("file:///a"), held("file:///b"), text],
                            "structuredContent": { "uri": "file:///a", "content": [link("file:///a")] } })),
            json!({ "content": [link("files+file:///a"), held("files+file:///b"), text],
                    "structuredContent": { "uri": "file:///a", "content": [link("file:///a")] } })
        );
        assert_eq!(
            result(&json!({ "contents": [{ "uri": "file:///a", "text": "x" }] })),
            json!({ "contents": [{ "uri": "files+file:///a", "text": "x" }] })
        );
        assert_eq!(
            result(&json!({ "messages": [{ "role": "user", "content": held("file:///a") }] })),
            json!({ "messages": [{ "role": "user", "content": held("files+file:///a") }] })
        );
        assert_eq!(
            result(&json!({ "taskId": "t", "result": { "content": [link("file:///a")] } })),
            json!({ "taskId": "t", "result": { "content": [link("files+file:///a")] } })
        );
        let told = |uri: &str| json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": uri } });
        assert_eq!(moved(&told("file:///a")), told("files+file:///a"));
        let failed = json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -32002, "message": "uri" } });
        assert_eq!(moved(&failed), failed);
    }

    #[test]
    fn a_tool_is_renamed_with_the_address_of_its_interface() {
        let definition =
            r#"{"name" : "draw","_meta":{"ui":{"resourceUri":"ui://a"},"ui/resourceUri":"ui://b"}}"#;
        let raw =
            crate::protocol::mcp::strict::check(definition.as_bytes(), &Limits::default()).expect("JSON");
        let mut edits = Edits::of(definition.as_bytes());
        tool(&mut edits, "art", raw, "art__draw");
        let wanted = r#"{"name" : "art__draw","_meta":{"ui":{"resourceUri":"art+ui://a"},"ui/resourceUri":"art+ui://b"}}"#;
        assert_eq!(edits.apply().expect("no conflict"), wanted.as_bytes());
    }
}
