//! Which tools an agent may not know of, whatever policies say.

use std::borrow::Cow;

use crate::{
    base::risk::Class,
    domain::servers::{DecisionTool, ToolState},
    flow::decision::{ServerFacts, names},
};

/// Why a tool is unknown to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// There is none of that name.
    Nowhere,
    /// It is new and was not reviewed.
    New,
    /// An admin refused it.
    Refused,
    /// The server no longer has it.
    Gone,
    /// An admin switched it off.
    Disabled,
    /// Its name is one that policies use for something else.
    Reserved,
    /// Its class is above the grant's ceiling.
    AboveCeiling(Class, Class),
}

impl Absence {
    /// The stable code, in reply, record and console.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Nowhere => "tool_unknown",
            Self::New => "tool_unreviewed",
            Self::Refused => "tool_refused",
            Self::Gone => "tool_gone",
            Self::Disabled => "tool_disabled",
            Self::Reserved => "tool_name_reserved",
            Self::AboveCeiling(..) => "class_above_ceiling",
        }
    }

    /// What was found.
    pub fn fact(self, tool: &str) -> Cow<'static, str> {
        match self {
            Self::Nowhere => format!("the server has no tool {tool}").into(),
            Self::New => format!("{tool} is new and was not reviewed").into(),
            Self::Refused => format!("an admin refused {tool}").into(),
            Self::Gone => format!("the server no longer has {tool}").into(),
            Self::Disabled => format!("{tool} is switched off").into(),
            Self::Reserved => {
                format!("{tool} is a name that policies use for something other than tools").into()
            }
            Self::AboveCeiling(class, ceiling) => {
                format!("{tool} is of the class {class}, the grant's ceiling is {ceiling}").into()
            }
        }
    }
}

impl ServerFacts {
    /// The tool, where its state and class let an agent with this ceiling call it; what the policies say of it, also where
    /// nobody reviewed it, is asked next.
    ///
    /// # Errors
    /// Why it may not.
    pub fn callable(&self, name: &str, ceiling: Class) -> Result<&DecisionTool, Absence> {
        let tool = self.tool(name).ok_or(Absence::Nowhere)?;
        if names::is_reserved(name) {
            return Err(Absence::Reserved);
        }
        if !tool.class.is_within(ceiling) {
            return Err(Absence::AboveCeiling(tool.class, ceiling));
        }
        match tool.state {
            ToolState::Refused => Err(Absence::Refused),
            ToolState::Gone => Err(Absence::Gone),
            ToolState::Reviewed | ToolState::New | ToolState::Changed if tool.is_enabled => Ok(tool),
            ToolState::Reviewed | ToolState::New | ToolState::Changed => Err(Absence::Disabled),
        }
    }
}
