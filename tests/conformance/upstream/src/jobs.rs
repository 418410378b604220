//! The tools that can run as tasks of the extension `io.modelcontextprotocol/tasks`.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock, CreateTaskResult, InputRequest,
    JsonObject,
};
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskContext, TaskExit, TaskManager, TaskOptions};
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;

use crate::catalogue::Catalogue;

/// Work that takes a while.
pub enum Job {
    /// Done after so many seconds.
    Wait { seconds: f64, label: String },
    /// Ends with a tool error; runs only as a task.
    Fail,
    /// Ends with a protocol error.
    Break,
    /// Waits for these answers; runs only as a task.
    Ask(Vec<&'static str>),
    /// Greets by name; runs only as a task.
    Welcome(String),
}

impl Job {
    /// The job behind a tool, if there is one.
    pub fn of(tool: &str, arguments: &JsonObject) -> Option<Self> {
        Some(match tool {
            "slow_compute" => Self::Wait {
                seconds: arguments.get("seconds").and_then(Value::as_f64).unwrap_or(1.0).clamp(0.0, 60.0),
                label: arguments.get("label").and_then(Value::as_str).unwrap_or("work").to_owned(),
            },
            "failing_job" => Self::Fail,
            "protocol_error_job" => Self::Break,
            "confirm_delete" => Self::Ask(vec!["deletion"]),
            "multi_input" => Self::Ask(vec!["input-a", "input-b"]),
            _ => return None,
        })
    }

    /// Starts the job as a task where the client knows tasks, and runs it to its end where not.
    ///
    /// # Errors
    /// The job needs a task and the client knows none; or the job ends with a protocol error.
    pub async fn run(
        self,
        catalogue: &Arc<Catalogue>,
        tasks: &TaskManager,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if context.client_capabilities().is_some_and(|can| can.supports_tasks()) {
            let catalogue = catalogue.clone();
            let task = tasks.spawn(TaskOptions::default(), |task| {
                Box::pin(async move { self.work(&catalogue, &task).await })
            });
            return Ok(CreateTaskResult::new(task).into());
        }
        match self {
            Self::Wait { .. } | Self::Break => self.finish().await.map(Into::into),
            Self::Fail | Self::Ask(_) | Self::Welcome(_) => Err(needs_tasks()),
        }
    }

    async fn work(self, catalogue: &Catalogue, task: &TaskContext) -> Result<CallToolResult, TaskExit> {
        match self {
            Self::Ask(names) => ask_all(catalogue, names, task).await,
            other => tokio::select! {
                () = task.cancelled() => Err(TaskExit::Cancelled),
                result = other.finish() => result.map_err(TaskExit::Error),
            },
        }
    }

    async fn finish(self) -> Result<CallToolResult, ErrorData> {
        let pause = match self {
            Self::Wait { seconds, .. } => Duration::from_secs_f64(seconds),
            _ => Duration::from_millis(200),
        };
        tokio::time::sleep(pause).await;
        match self {
            Self::Wait { seconds, label } => Ok(said(format!("{label}: done after {seconds} s"))),
            Self::Welcome(name) => Ok(said(format!("Hello, {name}, from a task!"))),
            Self::Break => Err(ErrorData::internal_error("this job breaks on purpose", None)),
            Self::Fail | Self::Ask(_) => {
                Ok(CallToolResult::error(vec![ContentBlock::text("This job fails on purpose.")]))
            }
        }
    }
}

/// The refusal of a client that does not know tasks.
pub fn needs_tasks() -> ErrorData {
    ErrorData::missing_required_client_capability(ClientCapabilities::builder().enable_tasks().build())
}

// All at once, so that a client can answer them one by one.
async fn ask_all(
    catalogue: &Catalogue,
    names: Vec<&'static str>,
    task: &TaskContext,
) -> Result<CallToolResult, TaskExit> {
    let ask = |name: &'static str| {
        let request: InputRequest = catalogue.ask(name, &JsonObject::new());
        async move { task.request_input(name, request).await.map(|answer| format!("{name}: {answer}")) }
    };
    let answers = futures_util::future::try_join_all(names.into_iter().map(ask)).await?;
    Ok(said(answers.join("\n")))
}

fn said(text: String) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}
