//! The three transaction types: of an organization, of a person, of the system.
//!
//! Each names at its very start whose rows it may see, folded into `BEGIN` so that it costs no round trip. Beside them,
//! one statement that is an organization's transaction by itself, for the path on which a round trip is too much.

use sqlx::{AssertSqlSafe, PgConnection, Postgres, Transaction, pool::PoolConnection};
use uuid::Uuid;

use crate::{
    base::ids::{OrgId, UserId},
    io::db::{Db, DbError, DbResult, pool::away},
};

/// The right to act inside one organization; made only where a cookie, a token or a job was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrgScope(OrgId);

impl OrgScope {
    /// Call only where it has just been proven that the caller may act in this organization.
    pub const fn proven(org: OrgId) -> Self {
        Self(org)
    }

    /// The organization.
    pub const fn org(self) -> OrgId {
        self.0
    }
}

/// The right to act on one person's own rows; made only where their session was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonScope(UserId);

impl PersonScope {
    /// Call only where the person has just been recognized.
    pub const fn proven(user: UserId) -> Self {
        Self(user)
    }

    /// The person.
    pub const fn user(self) -> UserId {
        self.0
    }
}

/// The audit room's word that a change was recorded, or needs no record.
///
/// Every `commit` takes one, so a change without a decision about its record does not compile.
#[derive(Debug)]
pub struct Audited(());

impl Audited {
    /// Only `domain/audit` calls this.
    pub const fn decided_by_the_audit_room() -> Self {
        Self(())
    }
}

/// A running transaction.
pub trait Tx: Send + Sized {
    /// The connection, for the statements of a store.
    fn conn(&mut self) -> &mut PgConnection;

    /// Whose audit chain the transaction writes: an organization's, or the instance's (nil).
    fn chain(&self) -> Uuid;

    /// Keeps what was written.
    ///
    /// # Errors
    /// When the database refuses or is away; then nothing was kept.
    fn commit(self, word: Audited) -> impl Future<Output = DbResult<()>> + Send;

    /// Ends a transaction that only read; anything written is dropped.
    ///
    /// # Errors
    /// When the database is away.
    fn done(self) -> impl Future<Output = DbResult<()>> + Send;
}

macro_rules! transaction {
    ($name:ident, $chain:expr) => {
        impl Tx for $name {
            fn conn(&mut self) -> &mut PgConnection {
                &mut self.tx
            }
            fn chain(&self) -> Uuid {
                let chain: fn(&$name) -> Uuid = $chain;
                chain(self)
            }
            async fn commit(self, _word: Audited) -> DbResult<()> {
                self.tx.commit().await.map_err(DbError::of_commit)
            }
            async fn done(self) -> DbResult<()> {
                Ok(self.tx.rollback().await?)
            }
        }
    };
}

/// A transaction that sees one organization.
#[derive(Debug)]
pub struct OrgTx {
    tx: Transaction<'static, Postgres>,
    scope: OrgScope,
}
transaction!(OrgTx, |tx| tx.scope.0.uuid());

impl OrgTx {
    /// Begins.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(db: &Db, scope: OrgScope) -> DbResult<Self> {
        // An id prints as hexadecimal digits and hyphens: nothing in it can end the quotation.
        let begin = format!("BEGIN; SET LOCAL portreeve.org = '{}'", scope.0.uuid());
        let tx = db.pool.begin_with(AssertSqlSafe(begin)).await.map_err(away)?;
        Ok(Self { tx, scope })
    }

    /// The organization.
    pub const fn org(&self) -> OrgId {
        self.scope.0
    }
}

/// A connection for one statement that is a transaction by itself: it calls a function of the schema that names the
/// organization in its first step, so that no row of another can be seen.
#[derive(Debug)]
pub struct OrgStatement {
    conn: PoolConnection<Postgres>,
    scope: OrgScope,
}

impl OrgStatement {
    /// Takes a connection. A test lists the files that may call this.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(db: &Db, scope: OrgScope) -> DbResult<Self> {
        Ok(Self { conn: db.statements.acquire().await.map_err(away)?, scope })
    }

    /// The connection. Outside of a transaction that names somebody it sees no row of any tenant.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.conn
    }

    /// The organization.
    pub const fn org(&self) -> OrgId {
        self.scope.0
    }
}

/// A transaction that sees one person's own rows and the organizations they are in.
#[derive(Debug)]
pub struct PersonTx {
    tx: Transaction<'static, Postgres>,
    scope: PersonScope,
}
transaction!(PersonTx, |_| Uuid::nil());

impl PersonTx {
    /// Begins.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(db: &Db, scope: PersonScope) -> DbResult<Self> {
        let begin = format!(
            "BEGIN; SET LOCAL portreeve.person = '{}'; SET LOCAL portreeve.org = '{}'",
            scope.0.uuid(),
            Uuid::nil()
        );
        let tx = db.pool.begin_with(AssertSqlSafe(begin)).await.map_err(away)?;
        Ok(Self { tx, scope })
    }

    /// The person.
    pub const fn user(&self) -> UserId {
        self.scope.0
    }
}

/// A transaction before anybody is known: sign-in, token look-up, jobs, the operator's pages.
///
/// It holds only the grants that the migrations list for `portreeve_system`.
#[derive(Debug)]
pub struct SystemTx {
    tx: Transaction<'static, Postgres>,
}
transaction!(SystemTx, |_| Uuid::nil());

impl SystemTx {
    /// Begins. A test lists the files that may call this.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(db: &Db) -> DbResult<Self> {
        let tx = db.pool.begin_with("BEGIN; SET LOCAL ROLE portreeve_system").await.map_err(away)?;
        Ok(Self { tx })
    }
}
