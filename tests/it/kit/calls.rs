//! Calls of agents that stand on record, planted without anybody making them.

use portreeve::{
    base::{
        actor::{Actor, Origin, Principal},
        crypto::digest::Digest,
        ids::{EventId, GrantId, RequestId, ServerId, UserId},
        trace::{Step, Trace},
    },
    domain::audit::{self, ArgumentsPart, CallPart, ClientPart, Decision, Entry, Hex, Who},
};

use crate::kit::{app::TestApp, people::PlantedOrg};

/// A call on record.
#[derive(Clone)]
pub(crate) struct PlantedCall {
    pub(crate) user: UserId,
    pub(crate) grant: GrantId,
    pub(crate) server: ServerId,
    pub(crate) method: &'static str,
    pub(crate) subject: String,
    /// The digest of its arguments; none where it had none.
    pub(crate) arguments: Option<Digest>,
    pub(crate) client: &'static str,
    pub(crate) ip: &'static str,
    pub(crate) is_allowed: bool,
    /// The code of a refusal.
    pub(crate) code: Option<&'static str>,
}

impl PlantedCall {
    /// A call of a tool without arguments, let through.
    pub(crate) fn of(user: UserId, grant: GrantId, server: ServerId, tool: &str) -> Self {
        Self {
            user,
            grant,
            server,
            method: "tools/call",
            subject: tool.to_owned(),
            arguments: None,
            client: "claude-code",
            ip: "192.0.2.7",
            is_allowed: true,
            code: None,
        }
    }
}

impl TestApp {
    /// Puts a call on record, now.
    pub(crate) async fn recorded_call(&self, org: &PlantedOrg, call: &PlantedCall) -> EventId {
        self.put_on_record(org, call, RequestId::fresh()).await
    }

    /// The same; the answer is the request that made it.
    pub(crate) async fn recorded_call_in(&self, org: &PlantedOrg, call: &PlantedCall) -> RequestId {
        let request = RequestId::fresh();
        self.put_on_record(org, call, request).await;
        request
    }

    async fn put_on_record(&self, org: &PlantedOrg, call: &PlantedCall, request: RequestId) -> EventId {
        let actor = Actor::Grant { grant: call.grant, principal: Principal::User(call.user) };
        let origin = Origin { ip: call.ip.parse().ok(), request, user_agent: None };
        let who = Who::asking(actor, "Planted agent", origin);
        let keys = vec!["title".to_owned()];
        let part = CallPart {
            arguments: call.arguments.map(|digest| ArgumentsPart { digest: Hex(digest), keys }),
            code: call.code.map(str::to_owned),
            client: Some(ClientPart { name: call.client.to_owned(), version: None }),
            grant: Some(call.grant),
            method: Some(call.method.to_owned()),
            server: Some(call.server),
            subject: Some(call.subject.clone()),
            ..CallPart::new(Trace::passed(Step::Record))
        };
        let (action, decision) = if call.is_allowed {
            ("call.allowed", Decision::Allowed)
        } else {
            ("call.refused", Decision::Refused)
        };
        let entry = Entry::call(action, &who, part).ended(decision);
        let tx = self.org_tx(org.id).await;
        audit::commit(tx, self.clock.now(), vec![entry]).await.unwrap()[0]
    }
}
