//! A real call as one to be tried, as far as the record keeps it.

use crate::{
    base::permission::Permission,
    flow::{
        actions::{approvals, events, policies::simulate::SimulatedCall},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
};

/// A real call, as far as it is known.
#[derive(Clone, Debug)]
pub struct RecordedCall {
    /// The call; with arguments only where they are kept and the viewer may see them.
    pub call: SimulatedCall,
    /// The names of its arguments, which the record always keeps.
    pub keys: Vec<String>,
}

/// The call that an event of the record is about.
///
/// # Errors
/// The field `event` where it is about no call of a tool.
pub async fn recorded_call(cx: &OrgCx, event: &str) -> ActionResult<RecordedCall> {
    cx.require(Permission::PoliciesRead)?;
    let nothing = || ActionError::field("event", "no call of a tool is on record under this id");
    let seen = match events::find(cx, event).await {
        Err(ActionError::NotFound) => return Err(nothing()),
        found => found?,
    };
    let row = seen.detail.row;
    let call = seen.detail.record.and_then(|record| record.call);
    let is_of_a_tool = |method: &Option<String>| method.as_deref() == Some("tools/call");
    let call = call.filter(|call| is_of_a_tool(&call.method)).ok_or_else(nothing)?;
    let tool = call.subject.ok_or_else(nothing)?;
    // Values are kept only where a human was asked, sealed, for those who may see the approval.
    let arguments = match call.approval {
        Some(approval) => match approvals::find(cx, &approval.to_string()).await {
            Ok(sheet) => Some(sheet.arguments.expose().clone()),
            Err(ActionError::NotFound) => None,
            Err(other) => return Err(other),
        },
        None => None,
    };
    let call_then = SimulatedCall {
        grant: call.grant.map(|grant| grant.to_string()),
        user: None,
        client: call.client.map(|client| client.name),
        server: call.server.map(|server| server.to_string()),
        tool,
        arguments: arguments.map(Into::into),
        ip: row.ip.map(|ip| ip.to_string()),
        at: Some(row.at),
    };
    Ok(RecordedCall { call: call_then, keys: call.arguments.map(|kept| kept.keys).unwrap_or_default() })
}
