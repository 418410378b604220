//! Calls of a person's agents that waited, or wait, for a human, in every organization of theirs.

use crate::{
    base::page::PageRequest,
    domain::{
        approvals::{Approval, ApprovalFilter},
        tenancy::PersonsOrg,
    },
    flow::{
        actions::{
            approvals::{self, ApprovalSheet},
            frame,
        },
        cx::PersonCx,
        enter,
        fault::ActionResult,
    },
};

/// How many of each organization are shown, the newest first; its inbox has all.
const MOST: u16 = 30;

/// What agents asked in the person's name in one organization.
#[derive(Debug)]
pub struct MyRequests {
    /// The organization.
    pub found: PersonsOrg,
    /// What they asked.
    pub approvals: Vec<Approval>,
}

/// Everything that agents asked in the person's name.
pub async fn list(cx: &PersonCx) -> ActionResult<Vec<MyRequests>> {
    let mut mine = Vec::new();
    for found in frame::of_person(cx).await? {
        let Some(org) = enter::if_let_in(cx, &found).await? else { continue };
        let filter = ApprovalFilter { user: Some(cx.id()), ..ApprovalFilter::default() };
        let page = PageRequest { limit: MOST, after: None };
        let approvals = approvals::list(&org, &filter, &page).await?.items;
        mine.push(MyRequests { found, approvals });
    }
    Ok(mine)
}

/// Reminds those who may decide; see [`approvals::nudge`].
pub async fn nudge(cx: &PersonCx, org: &str, id: &str) -> ActionResult<ApprovalSheet> {
    approvals::nudge(&enter::org(cx.clone(), org).await?, id).await
}

/// Takes a request back; see [`approvals::withdraw`].
pub async fn withdraw(cx: &PersonCx, org: &str, id: &str) -> ActionResult<ApprovalSheet> {
    approvals::withdraw(&enter::org(cx.clone(), org).await?, id).await
}
