//! SQL of the promises that a policy is held to.

use crate::{
    base::ids::{PolicyId, PolicyTestId, UserId},
    domain::policy::kept::PolicyTest,
    io::db::{DbResult, OrgTx, Tx},
};

/// The rule that a second test of the same name breaks.
pub const NAME_IS_FREE: &str = "policy_tests_name_is_free";

/// The tests of a policy, by name.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut OrgTx, policy: PolicyId) -> DbResult<Vec<PolicyTest>> {
    Ok(sqlx::query_as!(
        PolicyTest,
        r#"select id as "id: PolicyTestId", name, call, expected, created_at
        from policy_tests where org_id = $1 and policy_id = $2 order by lower(name), id"#,
        tx.org().uuid(),
        policy.uuid()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Keeps a test.
///
/// # Errors
/// [`NAME_IS_FREE`] when the name is taken; or when the database refuses.
pub async fn insert(tx: &mut OrgTx, policy: PolicyId, test: &PolicyTest, by: Option<UserId>) -> DbResult<()> {
    sqlx::query!(
        "insert into policy_tests (org_id, id, policy_id, name, call, expected, created_by, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)",
        tx.org().uuid(),
        test.id.uuid(),
        policy.uuid(),
        test.name,
        test.call.as_str(),
        test.expected,
        by.map(UserId::uuid),
        test.created_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Drops a test; the one that is gone.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut OrgTx, policy: PolicyId, id: PolicyTestId) -> DbResult<Option<String>> {
    Ok(sqlx::query_scalar!(
        "delete from policy_tests where org_id = $1 and policy_id = $2 and id = $3 returning name",
        tx.org().uuid(),
        policy.uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// How many tests a policy has.
///
/// # Errors
/// When the database refuses.
pub async fn count(tx: &mut OrgTx, policy: PolicyId) -> DbResult<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from policy_tests where org_id = $1 and policy_id = $2"#,
        tx.org().uuid(),
        policy.uuid()
    )
    .fetch_one(tx.conn())
    .await?)
}
