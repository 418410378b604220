//! SQL of the teams that many people are in, for lists of people.

use crate::{
    base::{ids::UserId, slug::Slug},
    domain::tenancy::{PlaceInTeam, store::Stored},
    io::db::{DbResult, OrgTx, Tx},
};

/// The teams of these people, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(tx: &mut OrgTx, users: &[UserId]) -> DbResult<Vec<PlaceInTeam>> {
    let users: Vec<_> = users.iter().map(|user| user.uuid()).collect();
    let places = sqlx::query_as!(
        PlaceInTeam,
        r#"select m.user_id as "user: UserId", t.slug as "slug: Stored<Slug>", t.name
        from team_members m join teams t on t.org_id = m.org_id and t.id = m.team_id
        where m.org_id = $1 and m.user_id = any($2) order by lower(t.name), t.id"#,
        tx.org().uuid(),
        &users
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(places)
}
