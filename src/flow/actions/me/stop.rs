//! Everything of the person's at once, for the day a laptop is gone.
//!
//! One transaction for each organization and one for the sessions: what has ended stays ended if a later part
//! fails, and asking again ends the rest.

use serde_json::json;

use crate::{
    domain::{
        audit::{self, Entry, Unrecorded},
        identity::store as identity,
        tenancy::PersonsOrg,
    },
    flow::{
        actions::frame,
        cx::PersonCx,
        fault::ActionResult,
        leaver::{self, Ending, Leaver, Occasion},
    },
    io::db::{OrgScope, Tx},
};

/// What ends in one organization.
#[derive(Debug)]
pub struct OrgEndings {
    /// The organization's name.
    pub org: String,
    /// What, in the order of the registry.
    pub endings: Vec<Ending>,
}

/// Everything that ends.
#[derive(Debug)]
pub struct Stopping {
    /// Sessions other than this one.
    pub other_sessions: u64,
    /// By organization.
    pub orgs: Vec<OrgEndings>,
}

/// Which sessions end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// All but this one.
    Others,
    /// This one too.
    All,
}

/// What would end.
pub async fn preview(cx: &PersonCx) -> ActionResult<Stopping> {
    let (mut orgs, leaver) = (Vec::new(), leaver(cx));
    for found in frame::of_person(cx).await? {
        let mut tx = cx.tx_of(OrgScope::proven(found.org.id)).await?;
        let endings = leaver::preview(&mut tx, &leaver, Occasion::Stop).await?;
        tx.done().await?;
        orgs.push(OrgEndings { org: found.org.name, endings });
    }
    let mut tx = cx.tx().await?;
    let sessions = identity::sessions::list(&mut tx, cx.id(), cx.now()).await?;
    tx.done().await?;
    let others = sessions.iter().filter(|session| session.id != cx.session.id).count();
    Ok(Stopping { other_sessions: u64::try_from(others).unwrap_or(u64::MAX), orgs })
}

/// Ends everything. Needs no proof: whoever holds the session may always do less harm than is being done.
pub async fn stop(cx: &PersonCx, which: Sessions) -> ActionResult<Stopping> {
    let (mut orgs, leaver) = (Vec::new(), leaver(cx));
    for found in frame::of_person(cx).await? {
        orgs.push(stop_in(cx, &leaver, found).await?);
    }
    let mut tx = cx.tx().await?;
    let ended = match which {
        Sessions::Others => identity::sessions::delete_others(&mut tx, cx.id(), cx.session.id).await?,
        Sessions::All => identity::sessions::delete_all(&mut tx, cx.id()).await?.saturating_sub(1),
    };
    let entry = Entry::auth("person.stopped", &cx.who())
        .target("user", cx.id(), cx.user.name.as_str())
        .before(&json!({ "other_sessions": ended, "this_session": true }))
        .after(&json!({ "other_sessions": 0, "this_session": which == Sessions::Others }));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(Stopping { other_sessions: ended, orgs })
}

async fn stop_in(cx: &PersonCx, leaver: &Leaver, found: PersonsOrg) -> ActionResult<OrgEndings> {
    let mut tx = cx.tx_of(OrgScope::proven(found.org.id)).await?;
    let endings = leaver::end(&mut tx, leaver, Occasion::Stop).await?;
    if endings.iter().any(|ending| ending.count > 0) {
        let entry = Entry::admin("member.stopped", &cx.who())
            .target("user", cx.id(), cx.user.name.as_str())
            .before(&leaver::counts(&endings));
        audit::commit(tx, cx.now(), vec![entry]).await?;
    } else {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
    }
    Ok(OrgEndings { org: found.org.name, endings })
}

fn leaver(cx: &PersonCx) -> Leaver {
    Leaver { user: cx.id(), by: Some(cx.id()), now: cx.now() }
}
