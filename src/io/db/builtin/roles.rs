//! How to connect to the private cluster, and the roles and database it must have.

use std::path::{Path, PathBuf};

use sqlx::{
    AssertSqlSafe, Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

use crate::{
    base::secret::Secret,
    io::db::builtin::{BuiltInError, Surroundings, cluster, folder, passwords::Passwords},
};

/// The superuser that `initdb` makes; it sets the other roles up and does nothing else.
pub(super) const KEEPER: &str = "portreeve_keeper";
const DATABASE: &str = "portreeve";

/// How to connect to the private Postgres.
#[derive(Clone, Debug)]
pub struct Access {
    socket_dir: PathBuf,
    passwords: Passwords,
}

impl Access {
    pub(super) fn new(socket_dir: PathBuf, passwords: Passwords) -> Self {
        Self { socket_dir, passwords }
    }

    /// How to connect to a Postgres that another process of ours runs; `None` where none was ever made.
    ///
    /// # Errors
    /// When the passwords cannot be read.
    pub fn of_running(data_dir: &Path, surroundings: &Surroundings) -> Result<Option<Self>, BuiltInError> {
        let Ok(root) = std::fs::canonicalize(data_dir) else {
            return Ok(None);
        };
        if !folder::cluster(&root).is_dir() {
            return Ok(None);
        }
        let socket_dir = cluster::socket_dir_of(&root, surroundings);
        Ok(Passwords::kept(&root)?.map(|passwords| Self { socket_dir, passwords }))
    }

    /// As the role that owns the schema and migrates it.
    pub fn owner_options(&self) -> PgConnectOptions {
        self.options("portreeve_owner", &self.passwords.owner, DATABASE)
    }

    /// As the role that serves requests.
    pub fn app_options(&self) -> PgConnectOptions {
        self.options("portreeve_app", &self.passwords.app, DATABASE)
    }

    pub(super) fn keeper_password(&self) -> &Secret<String> {
        &self.passwords.keeper
    }

    fn options(&self, role: &str, password: &Secret<String>, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(5432)
            .username(role)
            .password(password.expose())
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .application_name("portreeve")
    }

    /// Makes whatever is missing of the three roles and the database; harmless to repeat.
    pub(super) async fn set_up(&self) -> Result<(), sqlx::Error> {
        let keeper = self.options(KEEPER, &self.passwords.keeper, "postgres");
        let mut conn = PgConnection::connect_with(&keeper).await?;
        // A password is hexadecimal digits: nothing in it can end the quotation.
        let roles = format!(
            "do $$ begin
                if not exists (select from pg_roles where rolname = 'portreeve_owner') then
                    create role portreeve_owner login password '{owner}';
                end if;
                if not exists (select from pg_roles where rolname = 'portreeve_system') then
                    create role portreeve_system nologin;
                end if;
                if not exists (select from pg_roles where rolname = 'portreeve_app') then
                    create role portreeve_app login noinherit password '{app}';
                    grant portreeve_system to portreeve_app;
                end if;
            end $$",
            owner = self.passwords.owner.expose(),
            app = self.passwords.app.expose(),
        );
        sqlx::raw_sql(AssertSqlSafe(roles)).execute(&mut conn).await?;
        let exists = sqlx::raw_sql("select from pg_database where datname = 'portreeve'")
            .fetch_optional(&mut conn)
            .await?
            .is_some();
        if !exists {
            sqlx::raw_sql("create database portreeve owner portreeve_owner").execute(&mut conn).await?;
        }
        sqlx::raw_sql(
            "revoke connect, temporary on database portreeve from public;
             grant connect on database portreeve to portreeve_app",
        )
        .execute(&mut conn)
        .await?;
        conn.close().await
    }
}
