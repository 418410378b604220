//! The pool, which nobody outside this room sees.

use std::time::Duration;

use sqlx::{
    Connection,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};

use crate::io::db::{DbError, DbResult};

/// How long a connection may have been idle to be taken without a look whether it still leads anywhere.
const RESTED: Duration = Duration::from_secs(1);

/// How many connections, and how long to wait for one.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Connections at the most.
    pub max: u32,
    /// How long a request waits for a connection before it is answered with 503.
    pub patience: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { max: 16, patience: Duration::from_secs(5) }
    }
}

/// The database; clones share its connections.
///
/// A quarter of them is kept for single statements, which calls of agents wait for: no page or report can take those
/// away, and the few stay warm.
#[derive(Clone, Debug)]
pub struct Db {
    pub(super) pool: PgPool,
    pub(super) statements: PgPool,
}

/// Why a role must not serve requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeRole {
    /// Row-level security does not hold superusers.
    #[error("the database role {0} is a superuser")]
    Superuser(String),
    /// Row-level security does not hold this role.
    #[error("the database role {0} has BYPASSRLS")]
    BypassesRls(String),
    /// An owner can switch row-level security off.
    #[error("the database role {0} owns Portreeve's tables")]
    Owner(String),
    /// The role lacks what `portreeve migrate` grants.
    #[error("the database role {0} is not portreeve_app, nor set up like it")]
    NotTheApp(String),
}

impl Db {
    /// A pool that opens connections when they are needed.
    pub fn lazy(options: PgConnectOptions, settings: PoolSettings) -> Self {
        let options = options.application_name("portreeve").options([
            ("statement_timeout", "30s"),
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "60s"),
        ]);
        let statements = (settings.max / 4).max(1);
        let pool = |max: u32| {
            PgPoolOptions::new()
                .max_connections(max.max(1))
                .acquire_timeout(settings.patience)
                .max_lifetime(Duration::from_secs(30 * 60))
        };
        // Whether a connection still leads anywhere costs a round trip to ask. Where agents wait for a single statement
        // it is asked only of one that rested.
        let warm = pool(statements).test_before_acquire(false).before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > RESTED {
                    conn.ping().await?;
                }
                Ok(true)
            })
        });
        let main = pool(settings.max.saturating_sub(statements));
        Self { pool: main.connect_lazy_with(options.clone()), statements: warm.connect_lazy_with(options) }
    }

    /// Proves that the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> DbResult<()> {
        sqlx::query_scalar!(r#"select 1 as "one!""#).fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Checks that the connecting role is held by row-level security.
    ///
    /// # Errors
    /// When the database is away. The inner result says why the role must not serve.
    pub async fn check_role(&self) -> DbResult<Result<(), UnsafeRole>> {
        let role = sqlx::query!(
            r#"select current_user::text as "name!", r.rolsuper as "superuser!", r.rolbypassrls as "bypasses!",
                exists(select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                    where n.nspname = current_schema() and c.relkind = 'r' and pg_has_role(current_user, c.relowner, 'member')) as "owns!",
                exists(select from pg_roles s where s.rolname = 'portreeve_system'
                    and pg_has_role(current_user, s.oid, 'member') and not pg_has_role(current_user, s.oid, 'usage'))
                and exists(select from pg_roles a where a.rolname = 'portreeve_app'
                    and pg_has_role(current_user, a.oid, 'usage')) as "set_up!"
            from pg_roles r where r.rolname = current_user"#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(match role {
            r if r.superuser => Err(UnsafeRole::Superuser(r.name)),
            r if r.bypasses => Err(UnsafeRole::BypassesRls(r.name)),
            r if r.owns => Err(UnsafeRole::Owner(r.name)),
            r if !r.set_up => Err(UnsafeRole::NotTheApp(r.name)),
            _ => Ok(()),
        })
    }

    /// How many connections are open, and how many of them idle.
    pub fn gauge(&self) -> (u32, u32) {
        let pools = [&self.pool, &self.statements];
        (pools.iter().map(|pool| pool.size()).sum(), pools.iter().map(|pool| pool.num_idle() as u32).sum())
    }

    /// Waits for running transactions and closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
        self.statements.close().await;
    }
}

/// Tells an unreachable database from one that answers.
pub(super) fn away(error: sqlx::Error) -> DbError {
    match error {
        sqlx::Error::Database(_) => error.into(),
        other => DbError::Away(other),
    }
}
