//! What can go wrong between us and Postgres, in the variants that callers act on.

/// A failed statement or connection.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A named rule of the schema refused the row.
    #[error("the database rule {rule} refused the change")]
    Rule {
        /// The constraint's name.
        rule: String,
    },
    /// Another transaction got there first; the same request may succeed when repeated.
    #[error("another change got there first")]
    Busy(#[source] sqlx::Error),
    /// Postgres cannot be reached or has no room for us.
    #[error("the database cannot be reached")]
    Away(#[source] sqlx::Error),
    /// The connection broke while a transaction was being kept: whether it was is not known.
    #[error("the database went away before it said whether the change was kept")]
    Unsettled(#[source] sqlx::Error),
    /// Postgres cannot write.
    #[error("the database's disk is full")]
    DiskFull(#[source] sqlx::Error),
    /// Anything else: a defect.
    #[error("a statement failed")]
    Other(#[source] sqlx::Error),
}

/// What a store function returns.
pub type DbResult<T> = Result<T, DbError>;

impl DbError {
    /// Whether the named rule refused the row.
    pub fn broke(&self, rule: &str) -> bool {
        matches!(self, Self::Rule { rule: broken } if broken == rule)
    }

    /// The failure of a `COMMIT`: one that Postgres did not answer may have been carried out.
    pub(super) fn of_commit(error: sqlx::Error) -> Self {
        match error.into() {
            Self::Away(error) => Self::Unsettled(error),
            other => other,
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Away(error),
            sqlx::Error::Database(db) => match db.code().as_deref() {
                // SQLSTATE classes of the Postgres manual, appendix A.
                Some("23505" | "23503" | "23514") if db.constraint().is_some() => {
                    Self::Rule { rule: db.constraint().unwrap_or_default().to_owned() }
                }
                Some("40001" | "40P01" | "55P03") => Self::Busy(error),
                Some("53100") => Self::DiskFull(error),
                Some(code) if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") => {
                    Self::Away(error)
                }
                _ => Self::Other(error),
            },
            _ => Self::Other(error),
        }
    }
}
