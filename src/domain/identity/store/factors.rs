//! Who has a second factor, asked about many people at once.

use crate::{
    base::ids::UserId,
    io::db::{DbResult, SystemTx, Tx},
};

/// Those of these people who have a passkey or confirmed an authenticator app.
///
/// An organization asks only about its own people; what the factors are stays with the person.
///
/// # Errors
/// When the database fails.
pub async fn holders(tx: &mut SystemTx, people: &[UserId]) -> DbResult<Vec<UserId>> {
    let people: Vec<_> = people.iter().map(|user| user.uuid()).collect();
    let found = sqlx::query_scalar!(
        r#"select user_id as "user!: UserId" from totp_secrets where user_id = any($1) and confirmed_at is not null
        union select user_id from passkeys where user_id = any($1)"#,
        &people
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(found)
}
