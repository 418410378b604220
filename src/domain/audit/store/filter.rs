//! Which events a list shows.

use ipnet::IpNet;
use time::OffsetDateTime;

use crate::{
    base::ids::{RequestId, ServerId, UserId},
    domain::audit::entry::{Decision, EventKind},
};

/// Which events a list shows; what is not set does not narrow it.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// This kind only.
    pub kind: Option<EventKind>,
    /// Actions that start like this: `team.` or `team.created`.
    pub action: Option<String>,
    /// What this person did or what was done to them.
    pub user: Option<UserId>,
    /// What the agent or key with this outside id did, where no person is asked for.
    pub actor: Option<String>,
    /// What was done to the thing with this outside id.
    pub target: Option<String>,
    /// What concerned this server, or anything of it.
    pub server: Option<ServerId>,
    /// Calls of the tool, prompt or resource of this name.
    pub tool: Option<String>,
    /// What ended like this.
    pub decision: Option<Decision>,
    /// What happened within this request.
    pub request: Option<RequestId>,
    /// Not before.
    pub from: Option<OffsetDateTime>,
    /// Before.
    pub to: Option<OffsetDateTime>,
    /// Words within the actor's or target's name, in any case.
    pub text: Option<String>,
    /// Words within the actor's name.
    pub actor_name: Option<String>,
    /// Words within the target's name.
    pub target_name: Option<String>,
    /// From an address of this network.
    pub ip: Option<IpNet>,
    /// What none of them may be.
    pub except: Except,
}

/// What an event must not be to be shown; what is not set excludes nothing.
#[derive(Clone, Debug, Default)]
pub struct Except {
    /// An action that starts like this.
    pub action: Option<String>,
    /// Something that this person did or that was done to them.
    pub user: Option<UserId>,
    /// Something that the agent or key with this outside id did, where no person is named.
    pub actor: Option<String>,
    /// Something done to the thing with this outside id.
    pub target: Option<String>,
    /// Something that ended like this.
    pub decision: Option<Decision>,
    /// Something by an actor with these words within the name.
    pub actor_name: Option<String>,
    /// Something done to a thing with these words within the name.
    pub target_name: Option<String>,
    /// Something from an address of this network.
    pub ip: Option<IpNet>,
}

/// The actions of a call that went well, which nearly all events are of.
const USUAL: [&str; 2] = ["call.allowed", "call.answered"];

impl EventFilter {
    /// Whether it lets through what nearly all events are.
    pub(super) fn may_be_usual(&self) -> bool {
        self.action.as_deref().is_none_or(|prefix| USUAL.iter().any(|usual| usual.starts_with(prefix)))
    }
}
