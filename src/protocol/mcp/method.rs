//! Every method that either era knows: what it acts on, who sends it, and when it exists.

use std::fmt;

use crate::protocol::mcp::version::Era;

/// What a message asks for or tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each variant is the method of the same name; the table below spells it")]
pub enum Method<'a> {
    ToolsCall,
    ToolsList,
    PromptsGet,
    PromptsList,
    ResourcesRead,
    ResourcesList,
    ResourcesTemplatesList,
    ResourcesSubscribe,
    ResourcesUnsubscribe,
    ResourcesDirectoryRead,
    SkillsList,
    SkillsGet,
    CompletionComplete,
    Initialize,
    Ping,
    LoggingSetLevel,
    ServerDiscover,
    SubscriptionsListen,
    TasksGet,
    TasksResult,
    TasksUpdate,
    TasksCancel,
    TasksList,
    SamplingCreateMessage,
    ElicitationCreate,
    RootsList,
    Initialized,
    Cancelled,
    Progress,
    LogMessage,
    ToolsListChanged,
    PromptsListChanged,
    ResourcesListChanged,
    ResourcesUpdated,
    RootsListChanged,
    ElicitationComplete,
    TasksStatus,
    TaskChanged,
    SubscriptionsAcknowledged,
    /// A method that neither era names: an extension, or a mistake.
    Other(&'a str),
}

/// What a message acts on, and so what has to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The tool that `params.name` names.
    Tool,
    /// The prompt that `params.name` names.
    Prompt,
    /// The resource that `params.uri` names.
    Resource,
    /// The prompt or template that `params.ref` names.
    Reference,
    /// A list of one kind, page by page.
    List(ListKind),
    /// The task that `params.taskId` names.
    Task,
    /// The caller's own tasks.
    Tasks,
    /// The changes that `params.notifications` asks for.
    Changes,
    /// Nothing of the server's own.
    Nothing,
    /// Not known.
    Unknown,
}

/// What a list lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// `tools/list`
    Tools,
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
    /// `skills/list`
    Skills,
}

/// Who sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// Clients only.
    Client,
    /// Servers only.
    Server,
    /// Both, or nobody knows.
    Either,
}

/// In which eras something exists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Eras {
    Both,
    Legacy,
    Modern,
}

struct Row(Method<'static>, &'static str, Target, Sender, Eras);

/// The most frequent methods come first.
const TABLE: [Row; 39] = {
    use Eras::{Both, Legacy, Modern};
    use Method as M;
    use Sender::{Client, Either, Server};
    use Target::{Changes, List, Nothing, Prompt, Reference, Resource, Task, Tasks, Tool};
    [
        Row(M::ToolsCall, "tools/call", Tool, Client, Both),
        Row(M::ToolsList, "tools/list", List(ListKind::Tools), Client, Both),
        Row(M::Progress, "notifications/progress", Nothing, Either, Both),
        Row(M::ResourcesRead, "resources/read", Resource, Client, Both),
        Row(M::PromptsGet, "prompts/get", Prompt, Client, Both),
        Row(M::Ping, "ping", Nothing, Either, Legacy),
        Row(M::Initialize, "initialize", Nothing, Client, Legacy),
        Row(M::Initialized, "notifications/initialized", Nothing, Client, Legacy),
        Row(M::Cancelled, "notifications/cancelled", Nothing, Either, Both),
        Row(M::LogMessage, "notifications/message", Nothing, Server, Both),
        Row(M::PromptsList, "prompts/list", List(ListKind::Prompts), Client, Both),
        Row(M::ResourcesList, "resources/list", List(ListKind::Resources), Client, Both),
        Row(M::ResourcesTemplatesList, "resources/templates/list", List(ListKind::Templates), Client, Both),
        Row(M::ServerDiscover, "server/discover", Nothing, Client, Modern),
        Row(M::SubscriptionsListen, "subscriptions/listen", Changes, Client, Modern),
        Row(M::TasksGet, "tasks/get", Task, Either, Both),
        Row(M::TasksResult, "tasks/result", Task, Either, Legacy),
        Row(M::TasksUpdate, "tasks/update", Task, Client, Modern),
        Row(M::TasksCancel, "tasks/cancel", Task, Either, Both),
        Row(M::TasksList, "tasks/list", Tasks, Either, Legacy),
        Row(M::CompletionComplete, "completion/complete", Reference, Client, Both),
        Row(M::ResourcesSubscribe, "resources/subscribe", Resource, Client, Legacy),
        Row(M::ResourcesUnsubscribe, "resources/unsubscribe", Resource, Client, Legacy),
        Row(M::LoggingSetLevel, "logging/setLevel", Nothing, Client, Legacy),
        Row(M::ResourcesDirectoryRead, "resources/directory/read", Resource, Client, Both),
        Row(M::SkillsList, "skills/list", List(ListKind::Skills), Client, Both),
        Row(M::SkillsGet, "skills/get", Resource, Client, Both),
        Row(M::SamplingCreateMessage, "sampling/createMessage", Nothing, Server, Legacy),
        Row(M::ElicitationCreate, "elicitation/create", Nothing, Server, Legacy),
        Row(M::RootsList, "roots/list", Nothing, Server, Legacy),
        Row(M::ToolsListChanged, "notifications/tools/list_changed", Nothing, Server, Both),
        Row(M::PromptsListChanged, "notifications/prompts/list_changed", Nothing, Server, Both),
        Row(M::ResourcesListChanged, "notifications/resources/list_changed", Nothing, Server, Both),
        Row(M::ResourcesUpdated, "notifications/resources/updated", Resource, Server, Both),
        Row(M::RootsListChanged, "notifications/roots/list_changed", Nothing, Client, Legacy),
        Row(M::ElicitationComplete, "notifications/elicitation/complete", Nothing, Server, Legacy),
        Row(M::TasksStatus, "notifications/tasks/status", Task, Either, Legacy),
        Row(M::TaskChanged, "notifications/tasks", Task, Server, Modern),
        Row(
            M::SubscriptionsAcknowledged,
            "notifications/subscriptions/acknowledged",
            Changes,
            Server,
            Modern,
        ),
    ]
};

impl<'a> Method<'a> {
    /// Reads a method; case matters.
    pub fn parse(text: &'a str) -> Self {
        TABLE.iter().find(|row| row.1 == text).map_or(Self::Other(text), |row| row.0)
    }

    /// The method as it is written.
    pub fn name(self) -> &'a str {
        match self {
            Self::Other(text) => text,
            known => known.row().map_or("", |row| row.1),
        }
    }

    /// What it acts on.
    pub fn target(self) -> Target {
        self.row().map_or(Target::Unknown, |row| row.2)
    }

    /// Who sends it.
    pub fn sender(self) -> Sender {
        self.row().map_or(Sender::Either, |row| row.3)
    }

    /// Whether it may be sent in this era; nobody can say it of a method that is not known, so those may.
    pub fn exists_in(self, era: Era) -> bool {
        self.row().is_none_or(|row| match row.4 {
            Eras::Both => true,
            Eras::Legacy => era == Era::Legacy,
            Eras::Modern => era == Era::Modern,
        })
    }

    /// Whether it came with the modern era.
    pub fn is_modern_only(self) -> bool {
        !self.exists_in(Era::Legacy)
    }

    /// Whether the modern era answers it with `input_required` when it needs something first.
    pub const fn may_require_input(self) -> bool {
        matches!(self, Self::ToolsCall | Self::PromptsGet | Self::ResourcesRead)
    }

    /// The member of params that the header `Mcp-Name` repeats.
    pub const fn header_name_source(self) -> Option<&'static str> {
        match self {
            Self::ToolsCall | Self::PromptsGet => Some("name"),
            Self::ResourcesRead => Some("uri"),
            Self::TasksGet | Self::TasksUpdate | Self::TasksCancel => Some("taskId"),
            _ => None,
        }
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.0 == self)
    }
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ListKind {
    /// The member of the result that holds the items.
    pub const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Skills => "skills",
        }
    }

    /// The member of an item that it is known by.
    pub const fn item_key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources | Self::Skills => "uri",
            Self::Templates => "uriTemplate",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_reads_back_as_itself_and_stands_once_in_the_table() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(Method::parse(row.1), row.0);
            assert_eq!(row.0.name(), row.1);
            assert!(TABLE[..at].iter().all(|before| before.0 != row.0 && before.1 != row.1), "{}", row.1);
        }
    }

    #[test]
    fn an_unknown_method_keeps_its_name_and_acts_on_what_nobody_knows() {
        let method = Method::parse("Tools/call");
        assert_eq!(method, Method::Other("Tools/call"));
        assert_eq!((method.name(), method.target()), ("Tools/call", Target::Unknown));
        assert!(method.exists_in(Era::Legacy) && method.exists_in(Era::Modern));
    }

    #[test]
    fn the_eras_differ_in_what_they_know() {
        for name in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/result"] {
            assert!(
                Method::parse(name).exists_in(Era::Legacy) && !Method::parse(name).exists_in(Era::Modern)
            );
        }
        for name in ["server/discover", "subscriptions/listen", "tasks/update"] {
            assert!(Method::parse(name).is_modern_only(), "{name}");
        }
        assert!(!Method::parse("tools/call").is_modern_only());
    }
}
