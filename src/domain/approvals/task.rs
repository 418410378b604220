//! A call that waits as a task: its agent asks now and then what became of it.

use time::OffsetDateTime;

use crate::base::ids::{ApprovalId, CallTaskId, DataKeyId, GrantId, ServerId};

/// A value that is kept sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedPart {
    /// By which key.
    pub key: DataKeyId,
    /// The value, sealed.
    pub bytes: Vec<u8>,
}

/// Where such a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It waits for a human.
    Waiting,
    /// A replica makes it.
    Calling,
    /// Its server wants to know something first.
    Asking,
    /// It came to something.
    Over,
    /// Its agent does not want it any more.
    Canceled,
}

impl TaskState {
    /// The name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Calling => "calling",
            Self::Asking => "asking",
            Self::Over => "over",
            Self::Canceled => "canceled",
        }
    }
}

/// Whose task is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskOf {
    /// The task.
    pub id: CallTaskId,
    /// The grant.
    pub grant: GrantId,
    /// The server.
    pub server: ServerId,
}

/// A call that waits as a task, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTask {
    /// Its id.
    pub id: CallTaskId,
    /// For what it waits.
    pub approval: ApprovalId,
    /// Where it stands.
    pub state: TaskState,
    /// Whether its agent has led its person to the page.
    pub is_led: bool,
    /// How often the call was made.
    pub round: i32,
    /// What came of it, or what its server asks.
    pub outcome: Option<SealedPart>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When that last changed.
    pub updated_at: OffsetDateTime,
    /// Until when its agent may ask.
    pub expires_at: OffsetDateTime,
    /// Whether the replica that makes it has said nothing for longer than one that lives.
    pub is_silent: bool,
}

/// A call that is to wait as a task.
#[derive(Clone, Copy, Debug)]
pub struct NewCallTask<'a> {
    /// Whose it is; its id was made before, for the call is sealed for it.
    pub of: TaskOf,
    /// For what it waits.
    pub approval: ApprovalId,
    /// In which generation of the protocol it was asked for.
    pub era: &'static str,
    /// The request, sealed.
    pub call: &'a SealedPart,
    /// Until when its agent may ask.
    pub expires_at: OffsetDateTime,
}
