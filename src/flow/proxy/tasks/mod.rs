//! Calls that wait for a human as a task of Portreeve's own: the agent asks now and then what became of it, on any replica.
//!
//! A task is given to an agent that says it knows them: in the modern era by the extension among its capabilities, before
//! by `params.task`, where the server promises tasks. The request is kept sealed with the task and destroyed as soon as it
//! cannot be made any more. Where a policy keeps anything of it from being stored, or anything of answers, there is no task:
//! such a call waits in another way.
//!
//! The call is made when its agent asks and the human has agreed, by the replica that is asked. Then the agent's token,
//! address and client are looked at afresh, nothing has to be woken when somebody decides, and what an agent asks no more
//! about is not made. It is made as any other: admitted, judged by what is in force then, counted, recorded before it
//! leaves, the approval used by the statement that records it. Beyond a moment the agent is told that it is under way.
//!
//! What it comes to is kept, sealed, for an hour, so that an agent that lost the answer asks again. Where the server makes a
//! task of its own of it, that one is asked about from then on; where it asks for something first, so does the task.
//!
//! Lacks on purpose: a list of tasks, which is refused for those of servers too, and telling unasked.
//!
//! Invariant: of many that ask at once, one claims the call, by a statement; a claim is never given back. Where the replica
//! that claimed it dies, the task says that nobody knows what became of the call, and it is not made again.
//! Invariant: a task that is over or called off stays so, whatever comes later.

mod kept;
mod made;
mod poll;
mod shown;
mod stand;
mod wait;

use serde_json::{Map, Value, json};

use crate::{
    base::ids::CallTaskId,
    flow::proxy::handles::{HandleKind, Handles, Holder, Unknown},
    protocol::mcp::{
        params::Params,
        raw::{Kind, Raw},
        version::Era,
    },
};

pub use kept::{Begun, begin};
pub use poll::{Poll, answer, polled};
pub use shown::begun;

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// Whether a request of the modern era says that its client knows tasks.
pub fn are_declared(params: &Params<'_>) -> bool {
    params.meta(CAPABILITIES).and_then(|said| said.reach(&["extensions", EXTENSION])).is_some()
}

/// Adds tasks to what a server of the modern era can do.
pub fn declare(capabilities: &mut Map<String, Value>) {
    let extensions = capabilities.entry("extensions").or_insert_with(|| json!({}));
    if let Value::Object(extensions) = extensions {
        extensions.entry(EXTENSION).or_insert_with(|| json!({}));
    }
}

/// The extensions of a server with tasks among them, as JSON; none where they are, or where it cannot be told.
pub fn declared_in(extensions: Option<Raw<'_>>) -> Option<String> {
    match extensions {
        None => Some(json!({ EXTENSION: {} }).to_string()),
        Some(raw) if raw.kind() != Kind::Object || raw.get(EXTENSION).is_some() => None,
        Some(raw) => {
            let text = raw.text().trim_end().strip_suffix('}')?;
            let joint = if raw.members().next().is_some() { "," } else { "" };
            Some(format!("{text}{joint}{}:{{}}}}", json!(EXTENSION)))
        }
    }
}

const fn era_name(era: Era) -> &'static str {
    match era {
        Era::Legacy => "legacy",
        Era::Modern => "modern",
    }
}

/// The id of a task as its agent knows it. It is sealed as another kind than the ids of servers' tasks, so none is ever
/// taken for the other, and says its era, for the answers are of that.
fn seal(handles: &Handles, holder: Holder, id: CallTaskId, era: Era) -> String {
    let text = [id.uuid().as_bytes().as_slice(), era_name(era).as_bytes()].concat();
    handles.seal(HandleKind::Waiting, holder, &text)
}

/// The task of ours that an id stands for.
///
/// # Errors
/// Where it is none of ours, somebody else's, or of another era.
pub fn open(handles: &Handles, holder: Holder, handle: &str, era: Era) -> Result<CallTaskId, Unknown> {
    let text = handles.open(HandleKind::Waiting, holder, handle)?;
    let (id, said) = text.split_first_chunk::<16>().ok_or(Unknown)?;
    if said == era_name(era).as_bytes() {
        Ok(CallTaskId::from_uuid(uuid::Uuid::from_bytes(*id)))
    } else {
        Err(Unknown)
    }
}

/// Whether an id is of a task of ours for this holder.
pub fn is_of(handles: &Handles, holder: Holder, handle: &str) -> bool {
    handles.open(HandleKind::Waiting, holder, handle).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::strict::{self, Limits};

    #[test]
    fn tasks_stand_among_the_extensions_of_a_server_once() {
        let added = |text: &str| {
            let raw = strict::check(text.as_bytes(), &Limits::default()).expect("JSON");
            declared_in(Some(raw))
        };
        let tasks = r#""io.modelcontextprotocol/tasks":{}"#;
        assert_eq!(declared_in(None), Some(format!("{{{tasks}}}")));
        assert_eq!(added("{}"), Some(format!("{{{tasks}}}")));
        assert_eq!(added(r#"{ "x":{"n":1.0} }"#), Some(format!(r#"{{ "x":{{"n":1.0}} ,{tasks}}}"#)));
        assert_eq!(added(&format!("{{{tasks}}}")), None);
        assert_eq!(added("[]"), None);
        let mut all = Map::new();
        declare(&mut all);
        declare(&mut all);
        assert_eq!(Value::Object(all), json!({ "extensions": { EXTENSION: {} } }));
    }
}
