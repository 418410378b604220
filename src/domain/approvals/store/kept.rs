//! Arguments that are kept with approvals: what was asked, what was agreed to, and for whoever judges such a call anew.

use crate::{
    base::{
        crypto::digest::Digest,
        ids::{ApprovalId, DataKeyId, GrantId, ServerId},
    },
    domain::approvals::Kept,
    io::db::{DbResult, OrgTx, Tx},
};

/// The column of the arguments that an approval is for.
pub const SEALED_ARGUMENTS: &str = "sealed_arguments";
/// The column of those that were asked, where others were agreed to.
pub const SEALED_ASKED: &str = "sealed_asked";

/// A call whose arguments somebody wants to know.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// The one that waited for this approval, as it was asked.
    Approval(ApprovalId),
    /// One like this, with arguments of this digest.
    Call {
        /// The grant.
        grant: GrantId,
        /// The server.
        server: Option<ServerId>,
        /// The tool.
        tool: &'a str,
        /// The digest of the arguments' canonical form.
        arguments: Digest,
    },
    /// None.
    Nothing,
}

/// Arguments that are kept with an approval.
#[derive(Clone, Debug)]
pub struct SealedArguments {
    /// Which of the calls that were asked for.
    pub at: usize,
    /// The approval.
    pub approval: ApprovalId,
    /// The column they are sealed for.
    pub column: &'static str,
    /// The key that sealed them.
    pub key: DataKeyId,
    /// The arguments, sealed; masked where a policy says that they are not kept.
    pub bytes: Vec<u8>,
    /// The digest of what the agent sent.
    pub digest: Vec<u8>,
}

/// The arguments of calls, as far as an approval of exactly such a call keeps them.
///
/// # Errors
/// When the database refuses.
pub async fn sealed_arguments(tx: &mut OrgTx, wanted: &[Wanted<'_>]) -> DbResult<Vec<SealedArguments>> {
    let (mut approvals, mut grants, mut servers, mut tools, mut digests) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for one in wanted {
        let (approval, grant, server, tool, digest) = match one {
            Wanted::Approval(approval) => (Some(approval.uuid()), None, None, "", Vec::new()),
            Wanted::Call { grant, server, tool, arguments } => {
                (None, Some(grant.uuid()), server.map(ServerId::uuid), *tool, arguments.to_vec())
            }
            Wanted::Nothing => (None, None, None, "", Vec::new()),
        };
        approvals.push(approval);
        grants.push(grant);
        servers.push(server);
        tools.push(tool.to_owned());
        digests.push(digest);
    }
    let rows = sqlx::query!(
        r#"select w.at as "at!", coalesce(x.id, y.id) as "id!: ApprovalId",
            case when x.id is null then y.is_asked else x.asked_digest is not null end as "is_asked!",
            coalesce(x.asked_key_id, x.data_key_id, y.data_key_id) as "key!: DataKeyId",
            coalesce(x.sealed_asked, x.sealed_arguments, y.sealed_arguments) as "bytes!",
            case when x.id is null then w.digest else coalesce(x.asked_digest, x.arguments_digest) end as "digest!"
        from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bytea[])
            with ordinality as w (approval, grant_id, server_id, tool, digest, at)
        left join approvals x on x.org_id = $1 and x.id = w.approval
        left join lateral (
            select a.id, a.data_key_id, a.sealed_arguments, false as is_asked from approvals a
            where a.org_id = $1 and a.grant_id = w.grant_id and a.server_id = w.server_id and a.tool = w.tool
                and a.arguments_digest = w.digest
            union all
            select b.id, b.asked_key_id, b.sealed_asked, true from approvals b
            where b.org_id = $1 and b.grant_id = w.grant_id and b.server_id = w.server_id and b.tool = w.tool
                and b.asked_digest = w.digest
            limit 1) y on true
        where x.id is not null or y.id is not null"#,
        tx.org().uuid(),
        &approvals as &[Option<uuid::Uuid>],
        &grants as &[Option<uuid::Uuid>],
        &servers as &[Option<uuid::Uuid>],
        &tools,
        &digests
    )
    .fetch_all(tx.conn())
    .await?;
    let found = rows.into_iter().filter_map(|row| {
        let at = usize::try_from(row.at - 1).ok()?;
        let column = if row.is_asked { SEALED_ASKED } else { SEALED_ARGUMENTS };
        let (key, bytes, digest) = (row.key, row.bytes, row.digest);
        Some(SealedArguments { at, approval: row.id, column, key, bytes, digest })
    });
    Ok(found.collect())
}

/// Arguments that are agreed to in place of those that were asked; both sealed for their columns.
#[derive(Clone, Copy, Debug)]
pub struct Narrowed<'a> {
    /// What is agreed to.
    pub instead: &'a Kept,
    /// What was asked.
    pub asked: &'a Kept,
}

/// Binds an approval that was just given to other arguments than were asked.
///
/// # Errors
/// When the database refuses.
pub async fn narrow(tx: &mut OrgTx, id: ApprovalId, to: Narrowed<'_>) -> DbResult<bool> {
    let Narrowed { instead, asked } = to;
    let done = sqlx::query!(
        "update approvals set arguments_digest = $3, sealed_arguments = $4, data_key_id = $5, asked_digest = $6,
            sealed_asked = $7, asked_key_id = $8
        where org_id = $1 and id = $2 and state = 'approved' and uses = 0 and asked_digest is null",
        tx.org().uuid(),
        id.uuid(),
        instead.digest,
        instead.sealed,
        instead.key.uuid(),
        asked.digest,
        asked.sealed,
        asked.key.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}
