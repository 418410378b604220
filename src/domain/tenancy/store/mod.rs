//! All SQL of the room.
//!
//! Invariant: every statement names `org_id` (in `orgs`: `id`) besides what row-level security adds.

pub mod glance;
pub mod invitations;
pub mod members;
pub mod orgs;
pub mod places;
pub mod suspensions;
pub mod teams;

use std::str::FromStr;

use sqlx::{Decode, Postgres, Type, error::BoxDynError, postgres};

use crate::{
    base::{
        email::Email,
        permission::{Role, TeamRole},
        slug::Slug,
        update::Update,
    },
    domain::tenancy::{StepMark, invitations::InviterKind},
};

/// A value kept as text; reading what the type does not parse is an error, not a panic.
#[derive(Debug)]
pub(super) struct Stored<T>(T);

impl<T> Type<Postgres> for Stored<T> {
    fn type_info() -> postgres::PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }
    fn compatible(ty: &postgres::PgTypeInfo) -> bool {
        <str as Type<Postgres>>::compatible(ty)
    }
}

impl<'r, T: FromStr<Err: Into<BoxDynError>>> Decode<'r, Postgres> for Stored<T> {
    fn decode(value: postgres::PgValueRef<'r>) -> Result<Self, BoxDynError> {
        <&str as Decode<'r, Postgres>>::decode(value)?.parse().map(Self).map_err(Into::into)
    }
}

macro_rules! stored {
    ($($kind:ty),*) => {$(
        impl From<Stored<$kind>> for $kind {
            fn from(stored: Stored<Self>) -> Self {
                stored.0
            }
        }
    )*};
}
stored!(Role, TeamRole, Slug, Email, InviterKind, StepMark);

/// Sorts out why a change found no row with the expected version.
const fn outcome<T>(changed: Option<T>, is_there: bool) -> Update<T>
where
    T: Copy,
{
    match changed {
        Some(value) => Update::Done(value),
        None if is_there => Update::Conflict,
        None => Update::NotFound,
    }
}

/// What is searched for, or `None` where nothing is; without NUL, which Postgres refuses in a text.
fn sought(q: Option<&str>) -> Option<String> {
    let q: String = q?.trim().chars().filter(|c| *c != '\0').take(100).collect();
    (!q.is_empty()).then_some(q)
}

/// Takes a cursor of a list ordered by name apart; cursors come from outside and may hold anything.
fn by_name<K: Copy>(after: Option<&(String, K)>) -> (Option<String>, Option<K>) {
    after.map_or((None, None), |(name, id)| (Some(name.replace('\0', "")), Some(*id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_sought_is_no_filter_and_nul_never_reaches_postgres() {
        assert_eq!(sought(None), None);
        assert_eq!(sought(Some("  ")), None);
        assert_eq!(sought(Some("\0")), None);
        assert_eq!(sought(Some(" a\0b ")).as_deref(), Some("ab"));
        assert_eq!(by_name(Some(&("a\0b".to_owned(), 1))), (Some("ab".to_owned()), Some(1)));
    }
}
