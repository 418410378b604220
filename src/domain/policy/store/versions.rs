//! SQL of versions, which are only ever read and added.

use crate::{
    base::{
        ids::{PolicyId, UserId},
        page::{Page, PageRequest},
    },
    domain::policy::kept::Version,
    io::db::{DbResult, OrgTx, Tx},
};

/// The versions of a policy, the newest first. The page's key is the number.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut OrgTx, policy: PolicyId, page: &PageRequest<i32>) -> DbResult<Page<Version>> {
    let versions = sqlx::query_as!(
        Version,
        r#"select number, note, author_id as "author: UserId", author_name, created_at, restores
        from policy_versions
        where org_id = $1 and policy_id = $2 and ($3::integer is null or number < $3)
        order by number desc limit $4"#,
        tx.org().uuid(),
        policy.uuid(),
        page.after,
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::cut(versions, page.limit, |version| version.number))
}

/// One version with its document.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, policy: PolicyId, number: i32) -> DbResult<Option<(Version, String)>> {
    let row = sqlx::query!(
        r#"select number, note, author_id as "author: UserId", author_name, created_at, restores, document
        from policy_versions where org_id = $1 and policy_id = $2 and number = $3"#,
        tx.org().uuid(),
        policy.uuid(),
        number
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|r| {
        let version = Version {
            number: r.number,
            note: r.note,
            author: r.author,
            author_name: r.author_name,
            created_at: r.created_at,
            restores: r.restores,
        };
        (version, r.document)
    }))
}
