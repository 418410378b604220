//! The policy that is suggested for a server: made from the classes of its tools and from what is known of a well-known
//! server's tools, with the reason for each.

use std::sync::Arc;

use crate::{
    base::{
        crypto::digest,
        permission::Permission,
        risk::{Class, Handling},
    },
    domain::{
        audit,
        policy::{
            document::{self, Document},
            edit::{Decision, standing},
            engine::Program,
            kept::{Policy, PolicyRef},
            pattern::Pattern,
            store::{layers, policies, versions},
            suggest::{Care, Offered, suggest},
        },
        servers::{
            ClassBy, KnownServer, Server, ServerRef, Severity, Tool, ToolName, ToolState, known_at,
            store as servers,
        },
    },
    flow::{
        actions::policies::{
            FROM_CLASSES, NewPolicy, PolicySheet, Starter, create_in, look::tools_of, sheet,
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
};

/// What is suggested for a server, and what stands there today.
#[derive(Clone, Debug)]
pub struct Suggested {
    /// The server.
    pub server: Server,
    /// The well-known server that it is.
    pub known: Option<&'static KnownServer>,
    /// The suggested document, in its canonical form.
    pub document: String,
    /// The tools that the server offers, by name.
    pub tools: Vec<SuggestedTool>,
    /// The server's baseline.
    pub baseline: Option<Baseline>,
}

/// A tool, and what is suggested for it.
#[derive(Clone, Debug)]
pub struct SuggestedTool {
    /// Its name.
    pub name: ToolName,
    /// Its name for people; empty for none.
    pub title: String,
    /// Where it stands.
    pub state: ToolState,
    /// What it does at worst.
    pub class: Class,
    /// How much that matters.
    pub severity: Severity,
    /// Why it has that class.
    pub class_reason: String,
    /// Who or what chose the class.
    pub class_by: ClassBy,
    /// What is done with its calls.
    pub handling: Handling,
    /// Why it is something else than its class says; `None` where its class decides.
    pub care: Option<String>,
    /// What the baseline decides about it, before its exceptions.
    pub today: Option<Decision>,
}

/// The policy that stands for all grants of a server.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// The policy.
    pub policy: Policy,
    /// Its document in force.
    pub document: String,
}

impl Suggested {
    /// Another for another document, so that whoever adopts it can say which they saw.
    pub fn version(&self) -> i64 {
        let [a, b, c, d, e, f, ..] = digest::sha256(self.document.as_bytes());
        i64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// Whether the server's baseline says exactly this.
    pub fn is_in_force(&self) -> bool {
        self.baseline.as_ref().is_some_and(|baseline| baseline.document == self.document)
    }
}

/// What is suggested for a server.
pub async fn suggested(cx: &OrgCx, server: &str) -> ActionResult<Suggested> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let found = find(&mut tx, server).await?;
    tx.done().await?;
    Ok(found)
}

/// Makes a draft from a starter. That of the classes looks at the tools of the server that the policy is about.
///
/// # Errors
/// Every fault with its field.
pub async fn begin(cx: &OrgCx, starter: &Starter, new: NewPolicy) -> ActionResult<PolicySheet> {
    cx.require(Permission::PoliciesWrite)?;
    let mut tx = cx.tx().await?;
    let named = new.server.as_deref().filter(|_| starter.word == FROM_CLASSES).and_then(ServerRef::parse);
    let server = match named {
        Some(named) => servers::servers::find(&mut tx, &named).await?,
        None => None,
    };
    let document = match server {
        Some(server) => Made::of(&mut tx, &server).await?.document.canonical(),
        // A server that is none is a fault of its field, which is found with the others.
        None => starter.document.to_owned(),
    };
    let new = NewPolicy { document, is_published: false, ..new };
    let (policy, entries) = create_in(cx, &mut tx, &new).await?;
    let sheet = sheet(&mut tx, policy).await?;
    audit::commit(tx, cx.now(), entries).await?;
    Ok(sheet)
}

/// [`suggested`] within a transaction.
pub(super) async fn find(tx: &mut OrgTx, server: &str) -> ActionResult<Suggested> {
    let named = ServerRef::parse(server).ok_or(ActionError::NotFound)?;
    let server = servers::servers::find(tx, &named).await?.ok_or(ActionError::NotFound)?;
    let made = Made::of(tx, &server).await?;
    let baseline = baseline(tx, &server).await?;
    // What is stored was read before it was stored.
    let today = baseline.as_ref().and_then(|baseline| document::read(baseline.document.as_bytes()).ok());
    let today = today.map(|document| Program::new(Arc::new(document)));
    let tools = made.tools.into_iter().map(|(tool, handling, care)| SuggestedTool {
        today: today.as_ref().map(|today| standing(today, tool.name.as_str(), tool.class).decision),
        name: tool.name,
        title: tool.title.unwrap_or_default(),
        state: tool.state,
        class: tool.class,
        severity: tool.severity,
        class_reason: tool.class_reason,
        class_by: tool.class_by,
        handling,
        care,
    });
    Ok(Suggested {
        known: made.known,
        document: made.document.canonical(),
        tools: tools.collect(),
        baseline,
        server,
    })
}

/// What the classes and facts of a server come to.
struct Made {
    known: Option<&'static KnownServer>,
    document: Document,
    tools: Vec<(Tool, Handling, Option<String>)>,
}

impl Made {
    async fn of(tx: &mut OrgTx, server: &Server) -> ActionResult<Self> {
        let tools = tools_of(tx, server.id).await?;
        let known = known_at(&server.url, &server.slug);
        let cares = known.map(cares).unwrap_or_default();
        let offered: Vec<_> = tools
            .iter()
            .map(|tool| Offered {
                name: tool.name.as_str(),
                class: tool.class,
                is_chosen: tool.class_by == ClassBy::Admin,
            })
            .collect();
        let suggestion = suggest(&offered, &cares);
        let handled: Vec<_> =
            suggestion.tools.iter().map(|one| (one.handling, one.care.map(str::to_owned))).collect();
        let document = suggestion.document;
        let tools = tools.into_iter().zip(handled);
        Ok(Self {
            known,
            document,
            tools: tools.map(|(tool, (handling, care))| (tool, handling, care)).collect(),
        })
    }
}

/// What is known of a server's tools, as suggestions are made from it.
fn cares(known: &KnownServer) -> Vec<Care> {
    let care = |tool: &crate::domain::servers::KnownTool| {
        let tools = Pattern::parse(&tool.name).ok()?;
        Some(Care { tools, handling: tool.wanted(), reason: tool.reason.clone() })
    };
    known.tools.iter().filter_map(care).collect()
}

async fn baseline(tx: &mut OrgTx, server: &Server) -> ActionResult<Option<Baseline>> {
    let Some(policy) = layers::find(tx).await?.servers.get(&server.id).copied() else { return Ok(None) };
    let Some(policy) = policies::find(tx, &PolicyRef::Id(policy)).await? else { return Ok(None) };
    let document = match policy.live {
        Some(number) => versions::find(tx, policy.id, number).await?,
        None => None,
    };
    Ok(document.map(|(_, document)| Baseline { policy, document }))
}

#[cfg(test)]
mod tests {
    use crate::domain::{policy::pattern::Pattern, servers::known_servers};

    #[test]
    fn every_fact_about_a_tool_is_a_key_of_documents() {
        for server in known_servers() {
            assert_eq!(super::cares(server).len(), server.tools.len(), "{}", server.slug);
            assert!(super::cares(server).iter().all(|care| !matches!(care.tools, Pattern::Class(_))));
        }
    }
}
