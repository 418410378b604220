//! The server as the protocol sees it: which method is answered by what.
#![expect(deprecated, reason = "the older revisions have logging and sampling, and they are served here too")]

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams,
    CompleteResult, CompletionInfo, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
    GetSkillRequestParams, GetSkillResult, GetTaskParams, GetTaskResult, Implementation, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListSkillsResult, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ReadResourceDirectoryRequestParams, ReadResourceDirectoryResult,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ResourceContents,
    ServerCapabilities, ServerConfig, SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter,
    Tool, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::task_manager::TaskManager;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use crate::arguments::Era;
use crate::catalogue::Catalogue;
use crate::listeners::Listeners;
use crate::rounds::{Given, Step, Survey};
use crate::{skills, tools};

const FRESH_MS: u64 = 60_000;

type Context = RequestContext<RoleServer>;
type Page = Option<PaginatedRequestParams>;

/// The server; clones share everything.
#[derive(Clone)]
pub struct Upstream {
    /// What is on offer.
    pub catalogue: Arc<Catalogue>,
    /// The tasks of all clients.
    pub tasks: TaskManager,
    /// Who wants to hear of changes.
    pub listeners: Arc<Listeners>,
    era: Era,
}

impl Upstream {
    /// A server that speaks this era.
    pub fn new(era: Era) -> Self {
        Self {
            catalogue: Arc::new(Catalogue::load()),
            tasks: TaskManager::new(),
            listeners: Arc::default(),
            era,
        }
    }
}

macro_rules! fresh {
    ($result:expr) => {
        $result.with_ttl_ms(FRESH_MS).with_cache_scope(CacheScope::Public)
    };
}

impl ServerHandler for Upstream {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_completions()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_resources_list_changed()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_tasks()
            .enable_skills_with_directory_read()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("conformance-upstream", env!("CARGO_PKG_VERSION")))
            .with_instructions("Everything the conformance suite asks of a server.")
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.era.versions()
    }

    // The transport holds the mirrored headers against this schema.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.catalogue.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn list_tools(&self, _: Page, _: Context) -> Result<ListToolsResult, ErrorData> {
        Ok(fresh!(ListToolsResult::with_all_items(self.catalogue.tools.clone())))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        tools::call(self, call, &context).await
    }

    async fn list_resources(&self, _: Page, _: Context) -> Result<ListResourcesResult, ErrorData> {
        Ok(fresh!(ListResourcesResult::with_all_items(self.catalogue.resources.listed.clone())))
    }

    async fn list_resource_templates(
        &self,
        _: Page,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(fresh!(ListResourceTemplatesResult::with_all_items(self.catalogue.resources.templates.clone())))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.as_str();
        let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
        let contents = match id {
            Some(id) => Some(templated(uri, id)),
            None => self.catalogue.resources.contents.get(uri).cloned().or_else(|| skills::file(uri)),
        };
        let named = serde_json::json!({ "uri": uri });
        let unknown = || ErrorData::resource_not_found("there is no such resource", Some(named));
        Ok(fresh!(ReadResourceResult::new(vec![contents.ok_or_else(unknown)?])).into())
    }

    async fn list_prompts(&self, _: Page, _: Context) -> Result<ListPromptsResult, ErrorData> {
        Ok(fresh!(ListPromptsResult::with_all_items(self.catalogue.prompts.listed.clone())))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let mut arguments = request.arguments.clone().unwrap_or_default();
        if let Some(survey) = Survey::of(&request.name) {
            let given = Given {
                name: &request.name,
                arguments: &arguments,
                responses: request.input_responses.as_ref(),
                state: request.request_state.as_deref(),
                capabilities: context.client_capabilities().unwrap_or_default(),
            };
            match survey.advance(&self.catalogue, &given)? {
                Step::Ask(result) => return Ok(result.into()),
                Step::Done(answers) => arguments.extend(answers),
            }
        }
        match self.catalogue.prompts.messages(&request.name, &arguments) {
            Some(messages) => Ok(GetPromptResult::new(messages).into()),
            None => Err(ErrorData::invalid_params(format!("Unknown prompt: {}", request.name), None)),
        }
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let typed = request.argument.value;
        let words = ["paris", "park", "party", "1", "2", "3"];
        let values = words.iter().filter(|word| word.starts_with(&typed)).map(ToString::to_string).collect();
        let completion = CompletionInfo::with_all_values(values);
        completion.map(CompleteResult::new).map_err(|error| ErrorData::internal_error(error, None))
    }

    // Levels are taken and not kept: what this server logs is the point of the call that logs it.
    async fn set_level(&self, _: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(&self, request: SubscribeRequestParams, context: Context) -> Result<(), ErrorData> {
        self.listeners.watch(request.uri, &context).await;
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        self.listeners.forget(&request.uri, &context).await;
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let place = self.listeners.enter(context.sink().clone()).await;
        context.cancelled().await;
        self.listeners.leave(place).await;
        Ok(())
    }

    async fn get_task(&self, request: GetTaskParams, _: Context) -> Result<GetTaskResult, ErrorData> {
        self.tasks.get_task(&request.task_id).map(GetTaskResult::new)
    }

    async fn update_task(&self, request: UpdateTaskParams, _: Context) -> Result<(), ErrorData> {
        self.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(&self, request: CancelTaskParams, _: Context) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
    }

    async fn list_skills(&self, _: Page, _: Context) -> Result<ListSkillsResult, ErrorData> {
        Ok(fresh!(ListSkillsResult::with_all_items(vec![skills::skill()])))
    }

    async fn get_skill(
        &self,
        request: GetSkillRequestParams,
        _: Context,
    ) -> Result<GetSkillResult, ErrorData> {
        let skill = skills::skill();
        if skill.uri != request.uri {
            return Err(ErrorData::invalid_params("there is no such skill", None));
        }
        Ok(fresh!(GetSkillResult::new(skill)))
    }

    async fn read_resource_directory(
        &self,
        request: ReadResourceDirectoryRequestParams,
        _: Context,
    ) -> Result<ReadResourceDirectoryResult, ErrorData> {
        skills::folder(&request.uri).map(|found| fresh!(ListResourcesResult::with_all_items(found)))
    }
}

fn templated(uri: &str, id: &str) -> ResourceContents {
    ResourceContents::text(format!("{{\"id\":\"{id}\"}}"), uri).with_mime_type("application/json")
}
