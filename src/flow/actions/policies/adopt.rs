//! Adopting the policy that is suggested for a server: in force at once where nothing stands there, else as a draft.

use crate::{
    base::{
        page::{MAX_LIMIT, PageRequest},
        permission::Permission,
        slug::Slug,
        update::{Update, is_current},
    },
    domain::{
        audit::{self, Unrecorded},
        policy::{
            kept::{Places, Policy, PolicyFilter, PolicyRef},
            store::policies,
        },
        servers::Server,
    },
    flow::{
        actions::policies::{
            NewPolicy, PolicySheet, create_in,
            layers::put_baseline,
            read, second, sheet,
            suggested::{self, Baseline, Suggested},
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
};

/// How often it begins anew that somebody else was faster.
const TRIES: usize = 3;
/// How many short names are tried before somebody has to choose one.
const MOST_NAMES: usize = 50;
/// How much of a server's name a policy's name takes up.
const LONGEST_NAME: usize = 80;

/// What came of adopting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new policy with it is the server's baseline.
    InForce,
    /// The server's baseline says exactly this already; nothing was changed.
    AlreadyInForce,
    /// It is what is being written of the policy that is the server's baseline; nothing in force changes.
    Draft,
    /// The baseline is being written or holds elsewhere too, or a second person has to publish it, so it is a draft of a
    /// policy of its own.
    DraftBeside,
}

impl Outcome {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::AlreadyInForce => "already_in_force",
            Self::Draft => "draft",
            Self::DraftBeside => "draft_beside",
        }
    }
}

/// What came of adopting, with the policy that holds it.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// What came of it.
    pub outcome: Outcome,
    /// The policy.
    pub sheet: PolicySheet,
}

/// Adopts what is suggested for a server. Adopting it twice comes to the same as adopting it once.
///
/// # Errors
/// A refusal where the server has no tools yet; `Changed` where something else is suggested than was seen.
pub async fn adopt(cx: &OrgCx, server: &str, seen: Option<i64>) -> ActionResult<Adoption> {
    cx.require(Permission::PoliciesWrite)?;
    for _ in 0..TRIES {
        if let Some(adoption) = try_once(cx, server, seen).await? {
            return Ok(adoption);
        }
    }
    Err(ActionError::Changed)
}

/// Nothing where somebody else was faster.
async fn try_once(cx: &OrgCx, server: &str, seen: Option<i64>) -> ActionResult<Option<Adoption>> {
    let mut tx = cx.tx().await?;
    let found = suggested::find(&mut tx, server).await?;
    if found.tools.is_empty() {
        let sentence =
            "No tools of this server are known yet. Read its tools first, then adopt what is suggested.";
        return Err(ActionError::refused("no_tools", sentence));
    }
    if !is_current(seen, found.version()) {
        return Err(ActionError::Changed);
    }
    match &found.baseline {
        // What is made as a draft is put in force by two, and made the baseline then.
        None if second::takes_two(&mut tx).await? => draft_beside(cx, tx, &found).await,
        None => put_in_force(cx, tx, &found).await,
        Some(baseline) if found.is_in_force() => {
            let sheet = sheet(&mut tx, baseline.policy.clone()).await?;
            tx.done().await?;
            Ok(Some(Adoption { outcome: Outcome::AlreadyInForce, sheet }))
        }
        Some(baseline) if may_be_written(baseline, &found) => draft(cx, tx, baseline, &found).await,
        Some(_) => draft_beside(cx, tx, &found).await,
    }
}

/// Whether the baseline is about this server alone and nobody writes something else of it.
fn may_be_written(baseline: &Baseline, found: &Suggested) -> bool {
    let only_here = Places { servers: 1, ..Places::default() };
    let draft = baseline.policy.draft.as_ref();
    baseline.policy.places == only_here && draft.is_none_or(|draft| draft.document == found.document)
}

async fn put_in_force(cx: &OrgCx, mut tx: OrgTx, found: &Suggested) -> ActionResult<Option<Adoption>> {
    let Some((policy, mut entries)) = made(cx, &mut tx, found, Begins::InForce).await? else {
        return Ok(None);
    };
    let Some(entry) = put_baseline(cx, &mut tx, found.server.id, policy.id).await? else { return Ok(None) };
    entries.push(entry);
    let policy = policies::find(&mut tx, &PolicyRef::Id(policy.id)).await?.ok_or(ActionError::NotFound)?;
    let sheet = sheet(&mut tx, policy).await?;
    audit::commit(tx, cx.now(), entries).await?;
    Ok(Some(Adoption { outcome: Outcome::InForce, sheet }))
}

async fn draft(
    cx: &OrgCx,
    mut tx: OrgTx,
    baseline: &Baseline,
    found: &Suggested,
) -> ActionResult<Option<Adoption>> {
    let (id, version) = (baseline.policy.id, baseline.policy.version);
    let document = read(&found.document)?;
    let outcome =
        policies::set_draft(&mut tx, id, Some(&document), cx.user(), Some(version), cx.now()).await?;
    let Update::Done(change) = outcome else { return Ok(None) };
    let sheet = sheet(&mut tx, change.after).await?;
    // A draft puts nothing in force; its publication is recorded.
    audit::commit_unrecorded(tx, Unrecorded::Draft).await?;
    Ok(Some(Adoption { outcome: Outcome::Draft, sheet }))
}

async fn draft_beside(cx: &OrgCx, mut tx: OrgTx, found: &Suggested) -> ActionResult<Option<Adoption>> {
    let outcome = Outcome::DraftBeside;
    if let Some(policy) = same_draft(&mut tx, found).await? {
        let sheet = sheet(&mut tx, policy).await?;
        tx.done().await?;
        return Ok(Some(Adoption { outcome, sheet }));
    }
    let Some((policy, entries)) = made(cx, &mut tx, found, Begins::Draft).await? else { return Ok(None) };
    let sheet = sheet(&mut tx, policy).await?;
    audit::commit(tx, cx.now(), entries).await?;
    Ok(Some(Adoption { outcome, sheet }))
}

/// A policy about this server that was never published and would say exactly this.
async fn same_draft(tx: &mut OrgTx, found: &Suggested) -> ActionResult<Option<Policy>> {
    let filter = PolicyFilter { server: Some(found.server.id), ..PolicyFilter::default() };
    let all = policies::list(tx, &filter, &PageRequest { limit: MAX_LIMIT, after: None }).await?;
    let is_same = |policy: &Policy| {
        let draft = policy.draft.as_ref().map(|draft| draft.document.as_str());
        policy.live.is_none() && draft == Some(found.document.as_str())
    };
    Ok(all.items.into_iter().find(is_same))
}

/// How a policy begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begins {
    InForce,
    Draft,
}

/// A new policy with what is suggested; nothing where somebody else took its short name meanwhile.
async fn made(
    cx: &OrgCx,
    tx: &mut OrgTx,
    found: &Suggested,
    begins: Begins,
) -> ActionResult<Option<(Policy, Vec<audit::Entry>)>> {
    let Some(slug) = free_slug(tx, &found.server).await? else {
        let sentence =
            "Too many policies have the name that this one would get. Rename or delete some of them.";
        return Err(ActionError::refused("no_free_name", sentence));
    };
    let new = NewPolicy {
        name: name(&found.server),
        slug,
        description: format!("Suggested from the classes of the tools of {}.", clipped(&found.server.name)),
        server: Some(found.server.id.to_string()),
        document: found.document.clone(),
        is_published: begins == Begins::InForce,
        note: "As suggested".to_owned(),
    };
    match create_in(cx, tx, &new).await {
        Ok(made) => Ok(Some(made)),
        // Nobody typed anything: what is at fault is what somebody else did in between.
        Err(ActionError::Fields(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn name(server: &Server) -> String {
    format!("{} baseline", clipped(&server.name))
}

fn clipped(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect::<String>().trim_end().to_owned()
}

/// A short name that no policy has: the server's with `-baseline`, and a number where that is taken.
async fn free_slug(tx: &mut OrgTx, server: &Server) -> ActionResult<Option<String>> {
    for at in 1..=MOST_NAMES {
        let slug = slug(server.slug.as_str(), at);
        // What looks like an id or a page's name is refused later, with the other faults.
        let Ok(named) = slug.parse::<PolicyRef>() else { continue };
        if policies::find(tx, &named).await?.is_none() {
            return Ok(Some(slug));
        }
    }
    Ok(None)
}

fn slug(server: &str, at: usize) -> String {
    let end = if at == 1 { "-baseline".to_owned() } else { format!("-baseline-{at}") };
    let start: String = server.chars().take(40 - end.len()).collect();
    Slug::suggest(&format!("{}{end}", start.trim_end_matches('-')), "baseline")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_slugs_however_long_the_servers_is() {
        assert_eq!(slug("github", 1), "github-baseline");
        assert_eq!(slug("github", 2), "github-baseline-2");
        for length in 2..=40 {
            for at in [1, 9, MOST_NAMES] {
                let server = format!("a{}", "-b".repeat(20));
                let slug = slug(server[..length].trim_end_matches('-'), at);
                assert!(slug.parse::<Slug>().is_ok() && slug.contains("-baseline"), "{slug}");
            }
        }
    }
}
