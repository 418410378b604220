//! Servers and grants that tests begin with, planted through the rooms' own stores.

use portreeve::{
    base::{
        actor::Principal,
        crypto::digest::{self, Digest},
        ids::{AccessRequestId, ApprovalId, GrantId, GrantTokenId, PolicyId, RequestId, ServerId, UserId},
        risk::Class,
        update::Update,
    },
    domain::{
        access::{Asked, NewAccess, store as access},
        approvals::{Exact, NewApproval, WrittenNeed, store as approvals},
        audit::{self, Unrecorded},
        grants::{
            GrantForm, IssuedToken, NewGrant, NewToken, ServersOf, TokenExpiry, TokenForm, store as grants,
        },
        policy::{
            document,
            kept::{NewVersion, PolicyForm, PolicyTerms},
            store::policies,
        },
        servers::{Declared, NewServer, SeenTool, ServerForm, Snapshot, store as servers},
        tenancy::store as tenancy,
        vault::Cell,
    },
};
use serde_json::{Value, json};
use time::Duration;

use crate::kit::{app::TestApp, people::PlantedOrg};

/// The arguments of a planted approval.
pub(crate) const ASKED: &[u8] = b"{\"title\":\"hello\"}";

impl TestApp {
    /// A policy that allows everything.
    pub(crate) async fn open_policy(&self, org: &PlantedOrg) -> PolicyId {
        self.policy(org, &json!({ "version": "1", "default": "allow" })).await
    }

    /// A published policy with this document.
    pub(crate) async fn policy(&self, org: &PlantedOrg, document: &Value) -> PolicyId {
        let document = document::read(document.to_string().as_bytes()).unwrap();
        let slug = format!("policy-{}", PolicyId::fresh().to_string().split_at(20).1);
        let form = PolicyForm { name: &slug, slug: &slug, description: "", server: None };
        let terms = PolicyTerms::parse(form).unwrap();
        let now = self.clock.now();
        let mut tx = self.org_tx(org.id).await;
        let id = policies::insert(&mut tx, &terms, None, None, now).await.unwrap();
        let new =
            NewVersion { document: &document, note: "", author: None, author_name: "Test", restores: None };
        assert!(matches!(policies::publish(&mut tx, id, &new, None, now).await.unwrap(), Update::Done(_)));
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        id
    }

    /// A call of a grant that waits for an approver.
    pub(crate) async fn approval(&self, org: &PlantedOrg, grant: GrantId, server: ServerId) -> ApprovalId {
        self.approval_of(org, grant, server, digest::sha256(ASKED)).await
    }

    /// The same for arguments of this digest, whatever is kept of them.
    pub(crate) async fn approval_of(
        &self,
        org: &PlantedOrg,
        grant: GrantId,
        server: ServerId,
        arguments: Digest,
    ) -> ApprovalId {
        let id = ApprovalId::fresh();
        let mut tx = self.org_tx(org.id).await;
        let cell = Cell::new("approvals", "sealed_arguments", id);
        let sealed = self.ports.vault.seal(&mut tx, cell, ASKED).await.unwrap();
        let need = WrittenNeed {
            layer: "grant".to_owned(),
            policy: "crew".to_owned(),
            version: 1,
            rule: "/default".to_owned(),
            name: None,
            approvers: "role:approver".to_owned(),
            quorum: 1,
        };
        let tool = format!("tool-{}", org.slug);
        let new = NewApproval {
            id,
            exact: Exact { grant, server, tool: &tool, fingerprint: [1; 32], arguments, policies: [3; 32] },
            grant_label: "Test agent",
            user: None,
            requester_name: "Robot",
            client_name: None,
            server_slug: "upstream",
            class: "write",
            sealed_arguments: &sealed.bytes,
            key: sealed.key,
            needs: &[need],
            request: RequestId::fresh(),
            expires_at: self.clock.now() + Duration::HOUR,
        };
        assert!(approvals::insert(&mut tx, &new, self.clock.now()).await.unwrap());
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        id
    }

    /// A request of a person for access to a tool, which waits.
    pub(crate) async fn access_request(
        &self,
        org: &PlantedOrg,
        user: UserId,
        server: ServerId,
    ) -> AccessRequestId {
        let new = NewAccess {
            id: AccessRequestId::fresh(),
            user,
            requester_name: format!("asker-{}", org.slug),
            server,
            server_slug: format!("server-{}", org.slug),
            asked: Asked::Tools(vec![format!("tool-{}", org.slug)]),
            why: "For the release.".to_owned(),
            hours: 24,
            request: None,
            expires_at: self.clock.now() + Duration::days(7),
        };
        let mut tx = self.org_tx(org.id).await;
        access::insert(&mut tx, &new, self.clock.now()).await.unwrap().unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        new.id
    }

    /// What a server shows at another look; nobody reviews it.
    pub(crate) async fn see_tools(&self, org: &PlantedOrg, server: ServerId, tools: &[Value]) {
        let tools = tools.iter().map(|tool| SeenTool::read(&tool.to_string()).unwrap()).collect();
        let seen = Snapshot { declared: Declared::default(), tools, items: Vec::new() };
        let now = self.clock.now();
        let mut tx = self.org_tx(org.id).await;
        servers::catalogue::apply(&mut tx, server, &seen, now, now).await.unwrap();
        tenancy::orgs::bump_epoch(&mut tx).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    }

    /// A server at this address, switched on.
    pub(crate) async fn server_at(&self, org: &PlantedOrg, slug: &str, url: &str) -> ServerId {
        self.server_over(org, slug, "http", url).await
    }

    /// The same over a transport.
    pub(crate) async fn server_over(
        &self,
        org: &PlantedOrg,
        slug: &str,
        transport: &str,
        url: &str,
    ) -> ServerId {
        let form = ServerForm { slug, name: slug, description: "", transport, url };
        let new = NewServer::parse(form).unwrap();
        let mut tx = self.org_tx(org.id).await;
        let server = servers::servers::insert(&mut tx, &new, true, None, self.clock.now()).await.unwrap();
        tenancy::orgs::bump_epoch(&mut tx).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        server.id
    }

    /// Puts these tools into the server's catalogue and accepts them all.
    pub(crate) async fn accept_tools(&self, org: &PlantedOrg, server: ServerId, tools: &[Value]) {
        let definitions: Vec<String> = tools.iter().map(Value::to_string).collect();
        self.accept_definitions(org, server, &definitions).await;
    }

    /// The same for the exact texts of definitions.
    pub(crate) async fn accept_definitions(
        &self,
        org: &PlantedOrg,
        server: ServerId,
        definitions: &[String],
    ) {
        let tools = definitions.iter().map(|definition| SeenTool::read(definition).unwrap()).collect();
        let seen = Snapshot { declared: Declared::default(), tools, items: Vec::new() };
        self.accept_catalogue(org, server, &seen).await;
    }

    /// The same for all that a server offers.
    pub(crate) async fn accept_catalogue(&self, org: &PlantedOrg, server: ServerId, seen: &Snapshot) {
        let now = self.clock.now();
        let mut tx = self.org_tx(org.id).await;
        servers::catalogue::apply(&mut tx, server, seen, now, now).await.unwrap();
        servers::tools::accept(&mut tx, server, servers::tools::Which::Waiting, None, now).await.unwrap();
        tenancy::orgs::bump_epoch(&mut tx).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    }

    /// A grant on every server up to a class, and the text of a token of it.
    pub(crate) async fn grant(
        &self,
        org: &PlantedOrg,
        principal: Principal,
        ceiling: Class,
    ) -> (GrantId, String) {
        let form = GrantForm {
            label: "Test agent",
            servers: ServersOf::All,
            class_ceiling: ceiling.as_str(),
            policy: Some(self.open_policy(org).await),
            expires_at: None,
            cidrs: &[],
            clients: &[],
        };
        let now = self.clock.now();
        let new = NewGrant::parse(principal, form, now).unwrap();
        let mut tx = self.org_tx(org.id).await;
        let grant = grants::grants::insert(&mut tx, GrantId::fresh(), &new, None, now).await.unwrap();
        let token = NewToken::parse(TokenForm { label: "laptop", expiry: TokenExpiry::Default }, &grant, now)
            .unwrap();
        let issued = IssuedToken::fresh();
        grants::tokens::insert(&mut tx, &token, &issued, None, now).await.unwrap();
        tenancy::orgs::bump_epoch(&mut tx).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        (grant.id, issued.text().expose().clone())
    }

    /// A grant over all servers up to writing, with a token that works for a month.
    pub(crate) async fn named_grant(
        &self,
        org: &PlantedOrg,
        principal: Principal,
        label: &str,
    ) -> (GrantId, GrantTokenId) {
        let form = GrantForm {
            label,
            servers: ServersOf::All,
            class_ceiling: "write",
            policy: Some(self.open_policy(org).await),
            expires_at: None,
            cidrs: &[],
            clients: &[],
        };
        let now = self.clock.now();
        let new = NewGrant::parse(principal, form, now).unwrap();
        let mut tx = self.org_tx(org.id).await;
        let grant = grants::grants::insert(&mut tx, GrantId::fresh(), &new, None, now).await.unwrap();
        let form = TokenForm { label: "laptop", expiry: TokenExpiry::Days(30) };
        let issued = IssuedToken::fresh();
        let new = NewToken::parse(form, &grant, now).unwrap();
        let token = grants::tokens::insert(&mut tx, &new, &issued, None, now).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        (grant.id, token.id)
    }
}
