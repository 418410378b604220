//! Asking the client while a call runs: as a request in a session, as a result that wants input without one.

use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, InputRequest, JsonObject, ProtocolVersion,
};
use rmcp::service::{RequestContext, ServiceError};
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;

use crate::catalogue::Catalogue;
use crate::rounds::{Given, Step, Survey};

/// Whether the request comes from the era without sessions.
pub fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// Puts the ask of the tool's own name to the client and tells what came back.
///
/// # Errors
/// A state came back that was not sealed here.
pub async fn put(
    catalogue: &Catalogue,
    tool: &str,
    given: &Given<'_>,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    if is_modern(context) {
        return match Survey::of_one(tool).advance(catalogue, given)? {
            Step::Ask(result) => Ok(result.into()),
            Step::Done(answers) => Ok(told(&answers)),
        };
    }
    match send(catalogue.ask(tool, given.arguments), context).await {
        Ok(answer) => Ok(told(&JsonObject::from_iter([(tool.to_owned(), answer)]))),
        Err(error) => Ok(CallToolResult::error(vec![ContentBlock::text(error.to_string())]).into()),
    }
}

/// A result that repeats the answers.
pub fn told(answers: &JsonObject) -> CallToolResponse {
    let lines: Vec<String> = answers.iter().map(|(name, answer)| format!("{name}: {answer}")).collect();
    CallToolResult::success(vec![ContentBlock::text(lines.join("\n"))]).into()
}

// Sampling and roots are deprecated in the newest revision; servers of the others still ask for them.
#[expect(deprecated, reason = "the older revisions have these requests")]
async fn send(ask: InputRequest, context: &RequestContext<RoleServer>) -> Result<Value, ServiceError> {
    let answer = match ask {
        InputRequest::CreateMessage(request) => {
            serde_json::to_value(context.peer.create_message(request.params).await?)
        }
        InputRequest::Elicitation(request) => {
            serde_json::to_value(context.peer.create_elicitation(request.params).await?)
        }
        InputRequest::ListRoots(_) => serde_json::to_value(context.peer.list_roots().await?),
        _ => return Err(ServiceError::UnexpectedResponse),
    };
    Ok(answer.expect("results are JSON"))
}
