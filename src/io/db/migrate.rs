//! Brings the schema up to date, as the owner role.

use std::error::Error;

use sqlx::{Connection, PgConnection, migrate::MigrateError, postgres::PgConnectOptions};

/// The SQLSTATE of a right that is missing (Postgres manual, appendix A).
const INSUFFICIENT_PRIVILEGE: &str = "42501";

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Why the schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The database was written by a later version of Portreeve.
    #[error("the database was written by a newer version of Portreeve (migration {0})")]
    Newer(i64),
    /// Migrations are missing.
    #[error("the database lacks {0} migrations")]
    Behind(usize),
    /// An applied migration differs from ours.
    #[error("migration {0} in the database differs from this version's")]
    Differs(i64),
    /// The owner role may not create the two roles that Portreeve serves with.
    #[error("the roles portreeve_app and portreeve_system do not exist and this role may not create them")]
    RolesMissing,
    /// The database cannot be reached.
    #[error("the database cannot be reached")]
    Away(#[source] sqlx::Error),
    /// The role that was to migrate does not own the database.
    #[error("the role {role} may not change the schema")]
    NotTheOwner {
        /// The role.
        role: String,
        /// What it may not do.
        source: Box<MigrateError>,
    },
    /// A migration failed.
    #[error("a migration failed")]
    Failed(#[source] Box<MigrateError>),
}

impl SchemaError {
    /// What stopped a migration that `role` was running.
    fn of_migration(role: &str, error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) => Self::Newer(version),
            MigrateError::VersionMismatch(version) => Self::Differs(version),
            other if lacks_right(&other) => {
                Self::NotTheOwner { role: role.to_owned(), source: Box::new(other) }
            }
            other => Self::Failed(Box::new(other)),
        }
    }
}

/// Whether Postgres refused a migration for want of a right.
fn lacks_right(error: &MigrateError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(sqlx::Error::Database(db)) = error.downcast_ref() {
            return db.code().as_deref() == Some(INSUFFICIENT_PRIVILEGE);
        }
        cause = error.source();
    }
    false
}

/// Creates the serving roles where they are missing and applies every missing migration.
///
/// Replicas may call it at once: one migrates, the others wait.
///
/// # Errors
/// See [`SchemaError`].
pub async fn migrate(owner: &PgConnectOptions) -> Result<(), SchemaError> {
    let mut conn = PgConnection::connect_with(owner).await.map_err(SchemaError::Away)?;
    create_roles(&mut conn).await?;
    let done = MIGRATIONS.run(&mut conn).await;
    done.map_err(|error| SchemaError::of_migration(owner.get_username(), error))?;
    conn.close().await.map_err(SchemaError::Away)
}

async fn create_roles(conn: &mut PgConnection) -> Result<(), SchemaError> {
    let made = sqlx::raw_sql(
        "do $$ begin
            if not exists (select from pg_roles where rolname = 'portreeve_system') then
                create role portreeve_system nologin;
            end if;
            if not exists (select from pg_roles where rolname = 'portreeve_app') then
                create role portreeve_app noinherit login;
                grant portreeve_system to portreeve_app;
            end if;
        exception when unique_violation or duplicate_object then null;
        end $$",
    )
    .execute(&mut *conn)
    .await;
    match made {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(db)) if db.code().as_deref() == Some(INSUFFICIENT_PRIVILEGE) => {
            Err(SchemaError::RolesMissing)
        }
        Err(error) => Err(SchemaError::Away(error)),
    }
}

/// Whether the database has exactly this version's migrations.
///
/// # Errors
/// When it has fewer or more, or cannot be asked.
pub async fn check(options: &PgConnectOptions) -> Result<(), SchemaError> {
    let mut conn = PgConnection::connect_with(options).await.map_err(SchemaError::Away)?;
    let exists = sqlx::query_scalar!(r#"select to_regclass('_sqlx_migrations') is not null as "exists!""#)
        .fetch_one(&mut conn)
        .await
        .map_err(SchemaError::Away)?;
    let applied: Vec<i64> = if exists {
        sqlx::query_scalar!("select version from _sqlx_migrations where success order by version")
            .fetch_all(&mut conn)
            .await
            .map_err(SchemaError::Away)?
    } else {
        Vec::new()
    };
    let known: Vec<i64> = MIGRATIONS.iter().map(|m| m.version).collect();
    if let Some(newer) = applied.iter().find(|version| !known.contains(version)) {
        return Err(SchemaError::Newer(*newer));
    }
    let missing = known.iter().filter(|version| !applied.contains(version)).count();
    if missing > 0 { Err(SchemaError::Behind(missing)) } else { Ok(()) }
}
