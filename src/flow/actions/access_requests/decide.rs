//! A decision about a request for access, and what it makes: a policy, a grant, a letter.

use time::Duration;

use crate::{
    base::{
        email::Email,
        ids::{GrantId, ServerId},
        permission::Permission,
        risk::Class,
        wording,
    },
    domain::{
        access::{self, AccessRefusal, AccessRequest, AccessState, Asked, Given, store},
        audit::{self, Entry},
        servers::{ToolName, ToolState, store as servers},
        tenancy::{Member, store as tenancy},
    },
    flow::{
        actions::{
            access_requests::{AccessRecord, AccessSheet, about, deciders, hours_words, refused, sheet},
            grants::{self, GrantInput, PrincipalInput, ServersInput},
            policies::{self, NewPolicy},
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult},
        letters::{AccessDecided, Letter, Line},
    },
    io::db::OrgTx,
};

/// What somebody decides.
#[derive(Clone, Debug, Default)]
pub struct AccessDecision {
    /// `approve` or `refuse`.
    pub decision: String,
    /// The tools that are given, where they are fewer.
    pub tools: Option<Vec<String>>,
    /// For how many hours, where they are fewer.
    pub hours: Option<i32>,
    /// What they say with it.
    pub reason: String,
}

/// Decides about a request: gives what was asked for, or less of it, or nothing.
///
/// # Errors
/// A fault of `decision`, `tools`, `hours` or `reason`; `NeedsProof` to give what cannot be undone; a refusal where the caller may
/// not decide, somebody was faster, or whoever asked has left.
pub async fn decide(cx: &OrgCx, id: &str, input: &AccessDecision) -> ActionResult<AccessSheet> {
    cx.require(Permission::GrantsWrite)?;
    cx.require(Permission::PoliciesWrite)?;
    let is_approved = match input.decision.as_str() {
        "approve" => true,
        "refuse" => false,
        _ => return Err(ActionError::field("decision", "choose approve or refuse")),
    };
    let reason = wording::parse_description(&input.reason)
        .map_err(|bad| ActionError::field("reason", bad.to_string()))?;
    if !is_approved && reason.is_empty() {
        return Err(ActionError::field("reason", "say why; whoever asked reads it"));
    }
    let mut tx = cx.tx().await?;
    let id = id.parse().map_err(|_| ActionError::NotFound)?;
    let request = store::lock(&mut tx, id).await?.ok_or(ActionError::NotFound)?;
    let deciders = deciders(&mut tx).await?;
    let ids: Vec<_> = deciders.iter().map(|decider| decider.user).collect();
    access::may_decide(&request, cx.user(), &ids, cx.now()).map_err(refused)?;
    let member = tenancy::members::find(&mut tx, request.user).await?;
    let member = member.ok_or_else(|| refused(AccessRefusal::Left))?;
    let (given, mut entries) = if is_approved {
        let given = access::narrow(&request, input.tools.as_deref(), input.hours)?;
        let (grant, entries) = give(cx, &mut tx, &request, &member, &given).await?;
        (Some((given, grant)), entries)
    } else {
        (None, Vec::new())
    };
    let state = if is_approved { AccessState::Approved } else { AccessState::Refused };
    let settled = store::Settled {
        state,
        given: given.as_ref().map(|(given, grant)| (given, *grant)),
        reason: &reason,
        by: cx.user(),
    };
    if !store::settle(&mut tx, request.id, &settled, cx.now()).await? {
        return Err(refused(AccessRefusal::Decided));
    }
    let after = store::find(&mut tx, request.id).await?.ok_or(ActionError::NotFound)?;
    tell(cx, &mut tx, &after, &member, given.as_ref().map(|(given, _)| given)).await?;
    entries.push(entry(cx, &request, &after, given.as_ref().map(|(given, _)| given)));
    audit::commit(tx, cx.now(), entries).await?;
    cx.ports.waker.wake();
    sheet(cx, after, &deciders).await
}

fn entry(cx: &OrgCx, before: &AccessRequest, after: &AccessRequest, given: Option<&Given>) -> Entry {
    let action = if given.is_some() { "access.approved" } else { "access.refused" };
    let entry = about(Entry::admin(action, &cx.who()), after)
        .changed(&AccessRecord::from(before), &AccessRecord::from(after));
    let said = match given {
        Some(given) => format!(
            "Gives {} on {} for {}. {}",
            given.asked.tools().join(", "),
            after.server_slug,
            hours_words(given.hours),
            after.reason
        ),
        None => after.reason.clone(),
    };
    entry.note(said.trim_end())
}

/// Makes the policy and the grant.
async fn give(
    cx: &OrgCx,
    tx: &mut OrgTx,
    request: &AccessRequest,
    member: &Member,
    given: &Given,
) -> ActionResult<(GrantId, Vec<Entry>)> {
    let ceiling = ceiling(tx, request.server, &given.asked).await?;
    // What cannot be undone is given by whoever proves that it is them.
    if matches!(ceiling, Class::Destructive | Class::Financial) {
        cx.require_proof()?;
    }
    let short: String = member.name.chars().take(40).collect();
    let what = format!("{} on {}", given.asked.words(), request.server_slug);
    let new = NewPolicy {
        name: format!("Access of {short} to {}", request.server_slug),
        slug: slug(request),
        description: format!("Made for the access request {}.", request.id),
        server: Some(request.server.to_string()),
        document: document(&given.asked),
        is_published: true,
        note: format!("Access request {}", request.id),
    };
    let (policy, mut entries) = policies::create_in(cx, tx, &new).await?;
    let input = GrantInput {
        id: None,
        label: format!("Access to {}", what.chars().take(80).collect::<String>()),
        principal: PrincipalInput::User(request.user.to_string()),
        servers: ServersInput::Some(vec![request.server.to_string()]),
        class_ceiling: ceiling.as_str().to_owned(),
        policy: Some(policy.id.to_string()),
        expires_at: Some(cx.now() + Duration::hours(given.hours.into())),
        cidrs: Vec::new(),
        clients: Vec::new(),
    };
    let (grant, entry) = grants::create_in(cx, tx, &input).await?;
    entries.push(entry);
    Ok((grant.entry.grant.id, entries))
}

/// The short name of the policy: no other request has it.
fn slug(request: &AccessRequest) -> String {
    let id = request.id.to_string();
    format!("access-{}", id.trim_start_matches("acr_"))
}

/// The strongest class among what is given. A tool that nobody reviewed has none that could be relied on.
async fn ceiling(tx: &mut OrgTx, server: ServerId, asked: &Asked) -> ActionResult<Class> {
    let tools = match asked {
        Asked::Class(class) => return Ok(*class),
        Asked::Tools(tools) => tools,
    };
    let mut strongest = Class::Read;
    let mut missing = Vec::new();
    for name in tools {
        let found = match name.parse::<ToolName>() {
            Ok(name) => servers::tools::find(tx, server, &name).await?,
            Err(_) => None,
        };
        match found.filter(|tool| tool.state == ToolState::Reviewed && tool.is_enabled) {
            Some(tool) => strongest = strongest.max(tool.class),
            None => missing.push(name.as_str()),
        }
    }
    if missing.is_empty() {
        return Ok(strongest);
    }
    let message = format!("leave out what is no reviewed tool of this server: {}", missing.join(", "));
    Err(ActionError::field("tools", message))
}

/// A policy that allows exactly this, and denies everything else.
fn document(asked: &Asked) -> String {
    let keys: Vec<String> = match asked {
        Asked::Tools(tools) => tools.clone(),
        Asked::Class(class) => vec![format!("class:{}", class.as_str())],
    };
    let tools: serde_json::Map<_, _> =
        keys.into_iter().map(|key| (key, serde_json::Value::Object(serde_json::Map::new()))).collect();
    serde_json::json!({ "version": "1", "default": "deny", "tools": tools }).to_string()
}

/// Writes to whoever asked.
async fn tell(
    cx: &OrgCx,
    tx: &mut OrgTx,
    request: &AccessRequest,
    member: &Member,
    given: Option<&Given>,
) -> ActionResult<()> {
    let Ok(email) = member.email.parse::<Email>() else { return Ok(()) };
    let page = match request.grant {
        Some(grant) => format!("/me/agents/{}/{grant}", cx.org.slug),
        None => "/me/access".to_owned(),
    };
    let letter = Letter::AccessDecided(AccessDecided {
        name: Line::of(&member.name),
        org: Line::of(&cx.org.name),
        what: Line::of(format!("{} on {}", request.asked.words(), request.server_slug)),
        given: given
            .map(|given| Line::of(format!("{} for {}", given.asked.words(), hours_words(given.hours)))),
        by: Line::of(&cx.who().name),
        reason: Line::of(&request.reason),
        page: cx.ports.site.url(&page),
    });
    cx.ports.post.queue(tx, &email, &letter).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::policy::{
        document,
        engine::{Call, Effect, Facts, Layer, LayerName, Program, Tool, decide},
    };

    #[test]
    fn the_policy_allows_what_is_given_and_nothing_else() {
        let effect = |asked: &Asked, name: &str, class| {
            let text = super::document(asked);
            let document = document::read(text.as_bytes()).expect("a document");
            let program = Program::new(Arc::new(document));
            let tool = Tool { name, class, is_reviewed: true };
            let layer = Layer { name: LayerName::Grant, program: &program };
            decide(&Call { tool, arguments: None, facts: Facts::default() }, &[layer]).trace.outcome()
        };
        let two = Asked::Tools(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(effect(&two, "a", Class::Destructive), Effect::Allow);
        assert_eq!(effect(&two, "c", Class::Read), Effect::Deny);
        let class = Asked::Class(Class::Write);
        assert_eq!(effect(&class, "any", Class::Write), Effect::Allow);
        assert_eq!(effect(&class, "any", Class::Read), Effect::Deny);
    }
}
