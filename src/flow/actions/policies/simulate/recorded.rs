//! A real call as one to be tried, as far as the record keeps it.

use crate::{
    base::permission::Permission,
    domain::audit::ArgumentsPart,
    flow::{
        actions::{
            approvals::{self, ApprovalSheet},
            events,
            policies::simulate::SimulatedCall,
        },
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

/// The arguments of the call: those that were asked, or those that were agreed to in their place.
fn meant(sheet: &ApprovalSheet, recorded: Option<&ArgumentsPart>) -> String {
    let is_for = |arguments: &ArgumentsPart| sheet.approval.is_for(&arguments.digest.0);
    let instead = sheet.instead.as_ref().filter(|_| recorded.is_some_and(is_for));
    instead.unwrap_or(&sheet.arguments).expose().clone()
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
            Ok(sheet) => Some(meant(&sheet, call.arguments.as_ref())),
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
