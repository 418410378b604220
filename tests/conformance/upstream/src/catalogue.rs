//! What the server offers, read from the JSON files beside this one.

use std::collections::HashMap;

use rmcp::model::{
    CallToolResult, ContentBlock, InputRequest, JsonObject, Prompt, PromptMessage, Resource,
    ResourceContents, ResourceTemplate, Tool,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A picture of one pixel.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg==";
/// A WAV file without a sample.
const SOUND: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

/// Everything on offer.
pub struct Catalogue {
    /// The tools, in the order they are listed.
    pub tools: Vec<Tool>,
    /// The resources, their templates and contents.
    pub resources: Resources,
    /// The prompts and their messages.
    pub prompts: Prompts,
    answers: HashMap<String, Answer>,
    asks: HashMap<String, Value>,
}

/// The file of resources.
#[derive(Deserialize)]
pub struct Resources {
    /// What `resources/list` shows.
    pub listed: Vec<Resource>,
    /// What `resources/templates/list` shows.
    pub templates: Vec<ResourceTemplate>,
    /// What can be read, by URI.
    pub contents: HashMap<String, ResourceContents>,
}

/// The file of prompts.
#[derive(Deserialize)]
pub struct Prompts {
    /// What `prompts/list` shows.
    pub listed: Vec<Prompt>,
    messages: HashMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    content: Vec<ContentBlock>,
    #[serde(default)]
    is_error: bool,
}

impl Catalogue {
    /// Reads the files.
    pub fn load() -> Self {
        Self {
            tools: read(include_str!("tools.json")),
            resources: read(include_str!("resources.json")),
            prompts: read(include_str!("prompts.json")),
            answers: read(include_str!("answers.json")),
            asks: read(include_str!("asks.json")),
        }
    }

    /// The result of a tool that always answers the same.
    pub fn answer(&self, tool: &str) -> Option<CallToolResult> {
        let answer = self.answers.get(tool)?;
        let content = answer.content.clone();
        Some(if answer.is_error { CallToolResult::error(content) } else { CallToolResult::success(content) })
    }

    /// The request by that name, with arguments in the places of their names in braces.
    pub fn ask(&self, name: &str, arguments: &JsonObject) -> InputRequest {
        let ask = self.asks.get(name).expect("every ask in use is in the file").clone();
        serde_json::from_value(filled(ask, arguments)).expect("the asks are well-formed")
    }
}

impl Prompts {
    /// The messages of a prompt, with arguments in the places of their names in braces.
    pub fn messages(&self, prompt: &str, arguments: &JsonObject) -> Option<Vec<PromptMessage>> {
        let messages = filled(self.messages.get(prompt)?.clone(), arguments);
        Some(serde_json::from_value(messages).expect("the messages are well-formed"))
    }
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    let text = text.replace("{PICTURE}", PICTURE).replace("{SOUND}", SOUND);
    serde_json::from_str(&text).expect("the data files match their types")
}

fn filled(value: Value, arguments: &JsonObject) -> Value {
    match value {
        Value::String(text) => Value::String(arguments.iter().fold(text, |text, (name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.replace(&format!("{{{name}}}"), &value)
        })),
        Value::Array(items) => items.into_iter().map(|item| filled(item, arguments)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, filled(value, arguments))).collect()
        }
        other => other,
    }
}
