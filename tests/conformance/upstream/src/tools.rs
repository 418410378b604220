//! The tools that answer at once, some of them after telling the client something on the way.
#![expect(deprecated, reason = "the older revisions have logging and sampling, and they are served here too")]

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock, JsonObject,
    LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

use crate::asks;
use crate::jobs::{self, Job};
use crate::rounds::{Given, Step, Survey};
use crate::server::Upstream;

/// How long a client whose stream broke off is told to wait.
pub const RECONNECT_AFTER: Duration = Duration::from_millis(200);

/// Runs a tool.
///
/// # Errors
/// There is no such tool, it needs what the client cannot do, or it fails as a protocol error.
pub async fn call(
    upstream: &Upstream,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let tool = request.name.as_ref();
    let arguments = request.arguments.clone().unwrap_or_default();
    let given = Given {
        name: tool,
        arguments: &arguments,
        responses: request.input_responses.as_ref(),
        state: request.request_state.as_deref(),
        capabilities: context.client_capabilities().unwrap_or_default(),
    };
    if let Some(job) = Job::of(tool, &arguments) {
        return job.run(&upstream.catalogue, &upstream.tasks, context).await;
    }
    if let Some(survey) = Survey::of(tool) {
        return surveyed(upstream, &survey, &given, context).await;
    }
    if tool == "test_missing_capability" && given.capabilities.sampling.is_none() {
        return Err(ErrorData::missing_required_client_capability(
            ClientCapabilities::builder().enable_sampling().build(),
        ));
    }
    if tool == "test_reconnection" {
        // What is not yet answered waits for the client to come back; what is answered is forgotten.
        tokio::time::sleep(4 * RECONNECT_AFTER).await;
    }
    if let Some(answer) = upstream.catalogue.answer(tool) {
        return Ok(answer.into());
    }
    match tool {
        "test_sampling" | "test_list_roots" => asks::put(&upstream.catalogue, tool, &given, context).await,
        _ if tool.starts_with("test_elicitation") => {
            asks::put(&upstream.catalogue, tool, &given, context).await
        }
        "test_tool_with_logging" => log(&["Started.", "Half done.", "Finished."], context).await,
        "test_logging_tool" => log(&["A level was named."], context).await,
        "test_tool_with_progress" => progress(context).await,
        "test_custom_header" => echo(&arguments, "value", "", ""),
        "greet" => echo(&arguments, "name", "Hello, ", "!"),
        "test_trigger_tool_change" | "test_trigger_prompt_change" | "test_trigger_resource_change" => {
            upstream.listeners.tell(tool, context).await;
            Ok(said("Whoever listens was told."))
        }
        _ => Err(ErrorData::invalid_params(format!("Unknown tool: {tool}"), None)),
    }
}

async fn surveyed(
    upstream: &Upstream,
    survey: &Survey,
    given: &Given<'_>,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let becomes_a_task = given.name == "test_tool_with_task";
    if becomes_a_task && !given.capabilities.supports_tasks() {
        return Err(jobs::needs_tasks());
    }
    match survey.advance(&upstream.catalogue, given)? {
        Step::Ask(result) => Ok(result.into()),
        Step::Done(answers) if becomes_a_task => {
            let name = answers.get("user_name").and_then(|answer| answer.pointer("/content/name"));
            let name = name.and_then(Value::as_str).unwrap_or("you").to_owned();
            Job::Welcome(name).run(&upstream.catalogue, &upstream.tasks, context).await
        }
        Step::Done(answers) => Ok(asks::told(&answers)),
    }
}

// In the modern era a server may only log where the request names a level.
async fn log(messages: &[&str], context: &RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
    let level = if asks::is_modern(context) { context.meta.log_level() } else { Some(LoggingLevel::Info) };
    for message in messages {
        if let Some(level) = level {
            let entry = LoggingMessageNotificationParam::new(level, json!(message)).with_logger("upstream");
            // A client that went away misses the message and nothing else.
            let _ = context.peer.notify_logging_message(entry).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(said("Logged."))
}

async fn progress(context: &RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
    for (progress, message) in [(0.0, "Started."), (50.0, "Half done."), (100.0, "Finished.")] {
        if let Some(token) = context.meta.get_progress_token() {
            let report =
                ProgressNotificationParam::new(token, progress).with_total(100.0).with_message(message);
            let _ = context.peer.notify_progress(report).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(said("All the way."))
}

fn echo(
    arguments: &JsonObject,
    name: &str,
    before: &str,
    after: &str,
) -> Result<CallToolResponse, ErrorData> {
    match arguments.get(name).and_then(Value::as_str) {
        Some(value) => Ok(said(&format!("{before}{value}{after}"))),
        None => Err(ErrorData::invalid_params(format!("{name} must be a string"), None)),
    }
}

fn said(text: &str) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}
