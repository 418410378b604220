//! Agreeing to other arguments than were asked.
//!
//! Nothing that an agent sends is ever changed: it is told what was agreed to, and calls again with that. So what is agreed
//! to is judged twice: here, by the policies in force, so that nobody agrees to what could not be called; and when it is
//! called.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use crate::{
    base::{
        crypto::digest::{self, Digest},
        ids::RequestId,
        page::PageRequest,
        secret::Secret,
    },
    domain::{
        approvals::{self, Approval, Judge, Kept, NarrowRefusal, Outcome, Vote, WrittenNeed, store},
        audit::{self, ClientPart, EventFilter, EventKind},
        grants::GrantState,
        policy::redact::{Side, redact},
        vault::Cell,
    },
    flow::{
        actions::approvals::ApprovalSheet,
        cx::OrgCx,
        decision::{Asked, Caller, OrgSnapshot, Programs, Ruling, Stopped, as_policies_see, names},
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
    protocol::mcp::{
        canonical::canonical,
        raw::{Kind, Raw},
        strict::{self, Limits},
    },
};

/// The bounds of what an agent sends, less the two objects that its arguments stand in.
const LIMITS: Limits = {
    let whole = Limits::of(4 << 20);
    Limits { depth: whole.depth - 2, ..whole }
};
/// How many names of arguments the record of a decision takes, and how long each may be.
const MOST_NAMES: usize = 64;
const LONGEST_NAME: usize = 100;

/// Arguments that were judged and may be agreed to.
pub(super) struct Narrowed {
    /// Their canonical form.
    canonical: Secret<Vec<u8>>,
    /// Its digest.
    pub(super) digest: Digest,
    /// The names of the arguments that differ from what was asked.
    pub(super) changed: Vec<String>,
    /// Who has to agree to a call with them.
    needs: Vec<WrittenNeed>,
}

impl Narrowed {
    /// Holds them to what is so now, behind the lock: nobody voted, and the one who decides suffices for what was asked and
    /// for these.
    pub(super) fn check(&self, approval: &Approval, me: &Judge, votes: &[Vote]) -> ActionResult<()> {
        if let Some(refusal) = refusal(approval, false, me, votes) {
            return Err(refused(refusal));
        }
        let alone = [(me.clone(), true)];
        // Where nobody has to be asked about them, the call is made without an approval.
        if self.needs.is_empty() || approvals::outcome(&self.needs, &alone) == Outcome::Approved {
            return Ok(());
        }
        let others: Vec<_> = self.needs.iter().map(WrittenNeed::in_words).collect();
        let sentence = format!(
            "With these arguments the policies want others to agree as well: {}. Change less, or deny it and say what \
             should be asked.",
            others.join(" and ")
        );
        Err(ActionError::refused("approval_narrow_others", sentence))
    }
}

/// Why somebody who decides about an approval could not agree to other arguments.
pub(super) fn refusal(
    approval: &Approval,
    is_masked: bool,
    judge: &Judge,
    votes: &[Vote],
) -> Option<NarrowRefusal> {
    if names::is_reserved(&approval.tool) {
        return Some(NarrowRefusal::NoTool);
    }
    if is_masked {
        return Some(NarrowRefusal::Masked);
    }
    approvals::may_narrow(approval, judge, votes).err()
}

fn refused(refusal: NarrowRefusal) -> ActionError {
    ActionError::refused(refusal.code(), refusal.to_string())
}

/// Judges arguments that somebody wants to agree to in place of those that were asked.
///
/// # Errors
/// A fault of `arguments`, such as the rule that denies them; a refusal where none may be agreed to, or where the call could
/// not be made any more.
pub(super) async fn weigh(cx: &OrgCx, seen: &ApprovalSheet, text: &str) -> ActionResult<Narrowed> {
    if let Some(bound) = seen.bound {
        return Err(refused(bound));
    }
    let fault = |message: String| ActionError::field("arguments", message);
    let raw = strict::check(text.as_bytes(), &LIMITS).map_err(|bad| fault(bad.to_string()))?;
    if raw.kind() != Kind::Object {
        return Err(fault("enter a JSON object, such as {\"title\": \"hello\"}".to_owned()));
    }
    let asked =
        strict::check(seen.arguments.expose().as_bytes(), &Limits::default()).map_err(ActionError::defect)?;
    let written = canonical(raw);
    if written == canonical(asked) {
        return Err(fault("these are the arguments that were asked: approve the call as it is".to_owned()));
    }
    let ruling = ruling(cx, &seen.approval, raw).await?;
    // The agent is told them word for word, so they are kept; and that is what the policy forbids of these.
    if let Some(mask) = ruling.masks.iter().find(|mask| redact(raw, Side::Args, [*mask]) != raw.text()) {
        let message =
            format!("leave out {mask}: a policy keeps it from being stored, so it cannot be agreed to");
        return Err(fault(message));
    }
    Ok(Narrowed {
        digest: digest::sha256(&written),
        canonical: Secret::new(written),
        changed: changed(asked, raw),
        needs: ruling.needs.iter().map(Asked::written).collect(),
    })
}

/// Holds somebody to what they had before them: who changed the arguments does not mean those that were asked.
///
/// # Errors
/// A fault of `arguments` where they are others.
pub(super) fn unchanged(seen: &ApprovalSheet, text: &str) -> ActionResult<()> {
    let written = |text: &str| strict::check(text.as_bytes(), &Limits::default()).map(canonical).ok();
    let shown = written(text);
    if shown.is_some() && shown == written(seen.arguments.expose()) {
        return Ok(());
    }
    let message = "you changed these: approve with them instead, or put back what was asked";
    Err(ActionError::field("arguments", message))
}

/// What the policies in force say of the call with these arguments.
async fn ruling(cx: &OrgCx, approval: &Approval, arguments: Raw<'_>) -> ActionResult<Ruling> {
    let mut tx = cx.tx().await?;
    let ip = ip_of(&mut tx, approval.request).await?;
    tx.done().await?;
    let address = cx.ports.egress.policy();
    let programs = Programs::default();
    let snapshot = OrgSnapshot::load(&cx.ports.db, cx.scope, address, &programs, cx.now()).await?;
    let snapshot = snapshot.ok_or(ActionError::NotFound)?;
    let grant = snapshot.grants().find(|grant| grant.id == approval.grant).cloned();
    let grant = grant.filter(|grant| grant.state(cx.now()) == GrantState::Active);
    let grant = grant.filter(|grant| grant.covers(approval.server));
    let grant = grant.ok_or_else(|| outdated("the grant no longer allows it"))?;
    let server = snapshot.server_by_id(approval.server).ok_or_else(|| outdated("the server is gone"))?;
    let tool =
        server.callable(&approval.tool, grant.ceiling).map_err(|why| outdated(&why.fact(&approval.tool)))?;
    if approval.fingerprint != tool.fingerprint.0 {
        return Err(outdated("the tool's definition changed"));
    }
    let client = approval.client_name.clone().map(|name| ClientPart { name, version: None });
    let caller = Caller { snapshot: &snapshot, grant: &grant, client: client.as_ref(), ip, now: cx.now() };
    let ruling =
        caller.rule(server, as_policies_see(tool), Some(arguments)).map_err(|stopped| match stopped {
            Stopped::Unreviewed => outdated("nobody reviewed the tool as it is"),
            Stopped::Denied(denial) | Stopped::Hidden(denial) => {
                let words = denial.words.as_deref().map(|words| format!(": {words}")).unwrap_or_default();
                let message = format!("with these arguments the call is denied{words} ({})", denial.fact());
                ActionError::field("arguments", message)
            }
        })?;
    if approval.policies_digest != ruling.policies {
        return Err(outdated("the policies changed"));
    }
    Ok(ruling)
}

/// From where the agent asked.
async fn ip_of(tx: &mut OrgTx, request: RequestId) -> ActionResult<Option<IpAddr>> {
    let filter =
        EventFilter { kind: Some(EventKind::Call), request: Some(request), ..EventFilter::default() };
    let first = PageRequest { limit: 1, after: None };
    Ok(audit::list(tx, &filter, &first).await?.items.first().and_then(|event| event.ip))
}

fn outdated(what: &str) -> ActionError {
    let sentence = format!(
        "Since this was asked, {what}, so an approval of it could not be used. Deny it; the agent asks anew when it calls again."
    );
    ActionError::refused("approval_outdated", sentence)
}

/// The names at the top whose values differ, are new or are gone.
fn changed(asked: Raw<'_>, instead: Raw<'_>) -> Vec<String> {
    let read = |raw: Raw<'_>| -> BTreeMap<String, Vec<u8>> {
        let named = raw.members().map(|member| {
            let name = member.key.string().map(Cow::into_owned).unwrap_or_default();
            (name, canonical(member.value))
        });
        named.collect()
    };
    let (asked, instead) = (read(asked), read(instead));
    let gone = asked.keys().filter(|name| !instead.contains_key(*name));
    let differing =
        instead.iter().filter(|(name, value)| asked.get(*name) != Some(value)).map(|(name, _)| name);
    let mut names: Vec<String> = gone.chain(differing).cloned().collect();
    names.sort_unstable();
    names.truncate(MOST_NAMES);
    names.iter().map(|name| name.chars().take(LONGEST_NAME).collect()).collect()
}

/// Binds an approval that was just given to these arguments.
pub(super) async fn keep(
    cx: &OrgCx,
    tx: &mut OrgTx,
    seen: &ApprovalSheet,
    narrowed: &Narrowed,
) -> ActionResult<()> {
    let id = seen.approval.id;
    let instead = Cell::new("approvals", store::SEALED_ARGUMENTS, id);
    let instead = cx.ports.vault.seal(tx, instead, narrowed.canonical.expose()).await?;
    let asked = Cell::new("approvals", store::SEALED_ASKED, id);
    let asked = cx.ports.vault.seal(tx, asked, seen.arguments.expose().as_bytes()).await?;
    let instead = Kept { digest: narrowed.digest.to_vec(), sealed: instead.bytes, key: instead.key };
    let digest = seen.approval.arguments.digest.clone();
    let asked = Kept { digest, sealed: asked.bytes, key: asked.key };
    let to = store::Narrowed { instead: &instead, asked: &asked };
    if store::narrow(tx, id, to).await? { Ok(()) } else { Err(ActionError::Changed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_what_differs_are_told_and_spaces_and_order_differ_nothing() {
        let raw = |text: &'static str| strict::check(text.as_bytes(), &Limits::default()).expect("good JSON");
        let asked = raw(r#"{"amount":100,"to":"ada","note":{"a":1,"b":2},"old":true}"#);
        let instead = raw(r#"{"to":"ada","note":{ "b":2, "a":1 },"amount":50,"new":null}"#);
        assert_eq!(changed(asked, instead), ["amount", "new", "old"]);
        assert!(changed(asked, asked).is_empty());
    }
}
