//! Writing to those who may agree to a call: when an agent asks, and when whoever it acts for reminds of it.

use time::OffsetDateTime;

use crate::{
    base::risk::Class,
    domain::approvals::{self, Approval, store},
    flow::{
        fault::ActionResult,
        letters::{ApprovalAsked, Letter, Line, Post},
    },
    io::db::OrgTx,
};

/// With what, from where and when is written.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    /// Puts letters into the outbox.
    pub post: &'a Post,
    /// The address people use, without a slash at the end.
    pub base_url: &'a str,
    /// The organization's short name.
    pub org: &'a str,
    /// Now.
    pub now: OffsetDateTime,
}

/// Writes to those who may decide about an approval. Nothing of its arguments stands in the letter.
///
/// # Errors
/// When the database is away.
pub async fn tell(desk: Desk<'_>, tx: &mut OrgTx, approval: &Approval) -> ActionResult<()> {
    let judges = store::judges(tx).await?;
    let may = judges.iter().filter(|judge| approvals::may_decide(approval, judge, desk.now).is_ok());
    let class = approval.class.parse::<Class>().map_or("", Class::meaning);
    let letter = Letter::ApprovalAsked(ApprovalAsked {
        org: Line::of(desk.org),
        agent: Line::of(&approval.grant_label),
        person: Line::of(&approval.requester_name),
        tool: Line::of(format!("{} on {}", approval.tool, approval.server_slug)),
        effect: Line::of(format!("Tools of its class {class}")),
        expires_at: approval.expires_at.into(),
        page: format!("{}/o/{}/approvals/{}", desk.base_url, desk.org, approval.id),
    });
    Ok(desk.post.queue_for(tx, may.map(|judge| judge.email.as_str()), &letter).await?)
}
