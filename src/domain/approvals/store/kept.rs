//! Arguments that are kept with approvals, for whoever judges such a call anew.

use crate::{
    base::{
        crypto::digest::Digest,
        ids::{ApprovalId, DataKeyId, GrantId, ServerId},
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// A call whose arguments somebody wants to know.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// The one that waited for this approval.
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
    /// The key that sealed them.
    pub key: DataKeyId,
    /// The arguments, sealed.
    pub bytes: Vec<u8>,
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
            coalesce(x.data_key_id, y.data_key_id) as "key!: DataKeyId",
            coalesce(x.sealed_arguments, y.sealed_arguments) as "bytes!"
        from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bytea[])
            with ordinality as w (approval, grant_id, server_id, tool, digest, at)
        left join approvals x on x.org_id = $1 and x.id = w.approval
        left join lateral (select a.id, a.data_key_id, a.sealed_arguments from approvals a
            where a.org_id = $1 and a.grant_id = w.grant_id and a.server_id = w.server_id and a.tool = w.tool
                and a.arguments_digest = w.digest limit 1) y on true
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
        Some(SealedArguments { at, approval: row.id, key: row.key, bytes: row.bytes })
    });
    Ok(found.collect())
}
