//! Every way a start can fail: one sentence, one remedy, one exit code.
//!
//! Invariant: no fault shows a secret, a stack trace or the inside of a value.

use std::{io, net::SocketAddr, process::ExitCode};

use crate::{
    app::announce,
    base::config::ConfigError,
    domain::vault::VaultError,
    flow::fault::ActionError,
    io::db::{DbError, UnsafeRole, builtin::BuiltInError, migrate::SchemaError},
};

/// What a fault is about; scripts read it off the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Anything else.
    Other = 1,
    /// The settings or the command line are wrong.
    Settings = 2,
    /// The data directory cannot be used.
    DataDir = 3,
    /// The database cannot be used.
    Database = 4,
    /// A port cannot be had.
    Network = 5,
    /// The master keys are missing or wrong.
    Keys = 6,
    /// The disk is full.
    DiskFull = 7,
    /// What was asked for is not done here, for a reason of its own.
    Refused = 8,
    /// A file that was to be verified was altered.
    Altered = 9,
}

/// Why a command failed, for a person.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Fault {
    /// What is the matter; no capital at its start, no period at its end.
    pub sentence: String,
    /// What to do about it, as a whole sentence or several.
    pub remedy: String,
    /// What it is about.
    pub kind: FaultKind,
}

impl Fault {
    /// A fault.
    pub fn new(kind: FaultKind, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), remedy: remedy.into(), kind }
    }

    /// A full disk.
    pub fn disk_full(sentence: impl Into<String>) -> Self {
        Self::new(
            FaultKind::DiskFull,
            sentence,
            "Free some space and start again; nothing that was answered is lost.",
        )
    }

    /// Tells the person and gives the exit code.
    pub fn report(&self) -> ExitCode {
        announce::complain(&format!("portreeve: {}\n  {}", self.sentence, self.remedy));
        ExitCode::from(self.kind as u8)
    }

    /// A port that cannot be listened on.
    pub fn cannot_listen(address: SocketAddr, flag: &str, error: &io::Error) -> Self {
        let port = address.port();
        let (sentence, remedy) = match error.kind() {
            io::ErrorKind::AddrInUse => (
                format!("port {port} on {} is already in use", address.ip()),
                format!(
                    "Stop the program that uses it, or choose another port with {flag} {}:{}.",
                    address.ip(),
                    port.wrapping_add(1).max(1024)
                ),
            ),
            io::ErrorKind::PermissionDenied => (
                format!("this user may not listen on port {port}"),
                format!(
                    "Choose a port above 1023 with {flag}, and put a reverse proxy in front for the usual ports."
                ),
            ),
            io::ErrorKind::AddrNotAvailable => (
                format!("this machine has no address {}", address.ip()),
                format!("Name one of its own with {flag}, or 0.0.0.0:{port} for all of them."),
            ),
            _ => (
                format!("{address} cannot be listened on: {}", reason(error)),
                format!("Choose another with {flag}."),
            ),
        };
        Self::new(FaultKind::Network, sentence, remedy)
    }

    /// The database whose place is `label` cannot be used; an empty label is that of the only one in question.
    pub fn of_sqlx(label: &str, error: &sqlx::Error) -> Self {
        let name = database(label);
        let remedy =
            "Check that it runs and that DATABASE_URL is right; `portreeve doctor` looks at each part.";
        match error {
            sqlx::Error::Database(db) if db.code().as_deref() == Some("53100") => {
                Self::disk_full(format!("the disk of {name} is full"))
            }
            // A right that is missing: Postgres manual, appendix A.
            sqlx::Error::Database(db) if db.code().as_deref() == Some("42501") => Self::new(
                FaultKind::Database,
                format!("{name} refuses the role that is used: {}", db.message()),
                "DATABASE_URL takes portreeve_app, which `portreeve migrate` gives its rights, and \
                 PORTREEVE_OWNER_DATABASE_URL the role that owns the database.",
            ),
            sqlx::Error::Database(db) => {
                Self::new(FaultKind::Database, format!("{name} answered: {}", db.message()), remedy)
            }
            sqlx::Error::Io(error) => {
                let sentence = format!("{name} cannot be reached: {}", reason(error));
                Self::new(FaultKind::Database, sentence, remedy)
            }
            sqlx::Error::Tls(error) => {
                let sentence = format!("{name} cannot be reached over TLS: {error}");
                Self::new(FaultKind::Database, sentence, remedy)
            }
            _ => Self::new(FaultKind::Database, format!("{name} cannot be reached"), remedy),
        }
    }

    /// The schema of the database whose place is `label` cannot be used.
    pub fn of_schema(label: &str, error: &SchemaError) -> Self {
        let remedy = match error {
            SchemaError::Away(error) => return Self::of_sqlx(label, error),
            SchemaError::Newer(_) => "Start the newer version, or restore a backup made before the upgrade.",
            SchemaError::Behind(_) => {
                "Run `portreeve migrate` with PORTREEVE_OWNER_DATABASE_URL set to the role that owns the tables."
            }
            SchemaError::Differs(_) => "Start a released version of Portreeve, or restore a backup.",
            SchemaError::RolesMissing => {
                "As superuser, run: CREATE ROLE portreeve_system NOLOGIN; CREATE ROLE portreeve_app LOGIN NOINHERIT \
                 PASSWORD '…'; GRANT portreeve_system TO portreeve_app;"
            }
            SchemaError::NotTheOwner { role, .. } => {
                let sentence = format!("the role {role} may not change the schema of {}", database(label));
                let remedy = format!(
                    "Put the role that owns the database into PORTREEVE_OWNER_DATABASE_URL, or as superuser give it \
                     to this one: ALTER DATABASE … OWNER TO {role};"
                );
                return Self::new(FaultKind::Database, sentence, remedy);
            }
            SchemaError::Failed(error) => {
                let sentence = format!("a migration of {} failed: {error}", database(label));
                return Self::new(
                    FaultKind::Database,
                    sentence,
                    "Nothing of it was kept; report this as a defect.",
                );
            }
        };
        Self::new(FaultKind::Database, error.to_string(), remedy)
    }

    /// The database whose place is `label` failed a statement.
    pub fn of_db(label: &str, error: &DbError) -> Self {
        match error {
            DbError::Away(error)
            | DbError::Unsettled(error)
            | DbError::DiskFull(error)
            | DbError::Busy(error)
            | DbError::Other(error) => Self::of_sqlx(label, error),
            DbError::Rule { .. } => {
                Self::new(FaultKind::Database, error.to_string(), "Report this as a defect.")
            }
        }
    }

    /// The vault failed over the database whose place is `label`.
    pub fn of_vault(label: &str, error: &VaultError) -> Self {
        match error {
            VaultError::Db(error) => Self::of_db(label, error),
            error => {
                let remedy = error
                    .remedy()
                    .unwrap_or_else(|| "Restore keys and database from the same backup.".to_owned());
                Self::new(FaultKind::Keys, error.to_string(), remedy)
            }
        }
    }

    /// An action that a command asked for was not done.
    pub fn of_action(error: &ActionError) -> Self {
        match error {
            ActionError::Fields(faults) => {
                let told: Vec<String> =
                    faults.iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect();
                Self::new(FaultKind::Settings, told.join("; "), "Correct it and run the command again.")
            }
            ActionError::Refused(refused) => {
                let sentence = refused.sentence.trim_end_matches('.').to_owned();
                Self::new(FaultKind::Refused, sentence, "Nothing was changed.")
            }
            ActionError::Away(error) | ActionError::Unsettled(error) | ActionError::DiskFull(error) => {
                Self::of_db("", error)
            }
            ActionError::NotFound => {
                Self::new(FaultKind::Refused, "there is no such thing", "Check the name and run it again.")
            }
            error => {
                let sentence = crate::app::faults::chain(error);
                Self::new(FaultKind::Other, sentence, "Report this as a defect.")
            }
        }
    }

    /// The role in `DATABASE_URL` must not serve.
    pub fn of_role(role: &UnsafeRole) -> Self {
        let sentence = format!("{role}, so tenants would not be kept apart");
        let remedy = "Put a role into DATABASE_URL that `portreeve migrate` has set up: portreeve_app.";
        Self::new(FaultKind::Database, sentence, remedy)
    }
}

/// What to call the database whose place is `label`.
fn database(label: &str) -> String {
    if label.is_empty() { "the database".to_owned() } else { format!("the database {label}") }
}

/// An error with its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        line = format!("{line}: {next}");
        cause = next.source();
    }
    line
}

/// An input or output error without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        let remedy = "Correct what is named above; .env.example tells what each setting means.";
        Self::new(FaultKind::Settings, error.to_string(), remedy)
    }
}

impl From<BuiltInError> for Fault {
    fn from(error: BuiltInError) -> Self {
        use BuiltInError as E;
        let (kind, remedy): (FaultKind, String) = match &error {
            E::InUse { .. } => {
                (FaultKind::DataDir, "Stop it, or choose another folder with --data-dir.".into())
            }
            E::Foreign { .. } => {
                (FaultKind::DataDir, "Name an empty or a new folder with --data-dir.".into())
            }
            E::NewerFormat { .. } => (
                FaultKind::DataDir,
                "Start the newer version, or choose another folder with --data-dir.".into(),
            ),
            E::UnreadableFormat(_) => {
                (FaultKind::DataDir, "Restore the data directory from a backup.".into())
            }
            E::BelongsToOther { owner, .. } => (
                FaultKind::DataDir,
                format!("Start Portreeve as {owner}, or choose another folder with --data-dir."),
            ),
            E::NotEnterable { folder, user } => (
                FaultKind::DataDir,
                format!(
                    "Choose a folder such as /var/lib/portreeve with --data-dir, or let {user} in: chmod o+x {}",
                    folder.display()
                ),
            ),
            E::NoAccount => (FaultKind::Database, "Start Portreeve as an ordinary user.".into()),
            E::Exposed(path) => (FaultKind::Keys, format!("Close it: chmod 600 {}", path.display())),
            E::PasswordsMissing(_) => (FaultKind::Database, "Restore that file from a backup.".into()),
            E::NoBinaries { wanted, .. } => (FaultKind::Database, install_postgres(*wanted)),
            E::DiskFull(_) => return Self::disk_full(error.to_string()),
            E::SocketFolder { path, .. } => {
                (FaultKind::Database, format!("Remove {}, or choose a shorter --data-dir.", path.display()))
            }
            E::Create { .. } => (FaultKind::Database, "Once the cause is gone, start again.".into()),
            E::Start { log, .. } | E::Slow { log, .. } | E::KeepsStopping { log, .. } => {
                (FaultKind::Database, format!("The end of {} says more.", log.display()))
            }
            E::StillRunning { .. } => (FaultKind::Database, "End these processes and start again.".into()),
            E::Roles(error) => return Self::of_sqlx("in the data directory", error),
            E::File { path, source } => {
                let sentence = format!("{} cannot be used: {}", path.display(), reason(source));
                let remedy = "Choose another folder with --data-dir, or make this one writable for the user that \
                              starts Portreeve.";
                return Self::new(FaultKind::DataDir, sentence, remedy);
            }
        };
        Self::new(kind, error.to_string(), remedy)
    }
}

fn install_postgres(wanted: Option<u32>) -> String {
    let package = wanted.map_or("postgresql".to_owned(), |major| format!("postgresql-{major}"));
    format!(
        "Install it with `apt-get install -y --no-install-recommends {package}` (or your system's own way), run \
         `scripts/get-postgres` where you are not root, name its folder with --pg-bin-dir, or set DATABASE_URL."
    )
}
