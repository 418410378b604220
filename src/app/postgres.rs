//! Which Postgres a command works with: the operator's own, or the built-in one, running or not.

use std::{path::Path, str::FromStr, sync::Arc, time::Duration};

use sqlx::postgres::PgConnectOptions;
use tokio::runtime::Runtime;
use url::Url;

use crate::{
    app::{
        announce,
        faults::{Fault, FaultKind},
    },
    base::{config::Config, secret::Secret},
    io::db::{
        builtin::{Access, BuiltIn, BuiltInError, BuiltInSettings, DataDir, Surroundings},
        migrate::{self, SchemaError},
    },
};

/// How long the first connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Postgres to work with.
#[derive(Debug)]
pub struct Postgres {
    /// As the role that serves.
    pub app: PgConnectOptions,
    /// As the role that migrates, where it is known.
    pub owner: Option<PgConnectOptions>,
    /// The one we run ourselves.
    pub built_in: Option<BuiltIn>,
    /// What to call it in a sentence; no secret is in it.
    pub label: String,
}

impl Postgres {
    /// The operator's own.
    ///
    /// # Errors
    /// When an address cannot be understood.
    pub fn of_operator(config: &Config, url: &Secret<String>) -> Result<Self, Fault> {
        let owner =
            config.database.owner_url.as_ref().map(|url| options(url, "PORTREEVE_OWNER_DATABASE_URL"));
        let app = options(url, "DATABASE_URL")?;
        Ok(Self { app, owner: owner.transpose()?, built_in: None, label: label(url) })
    }

    /// The built-in one, started in a data directory that is ours alone.
    ///
    /// # Errors
    /// See [`BuiltInError`].
    pub fn start(config: &Config, data_dir: DataDir) -> Result<Self, Fault> {
        let settings =
            BuiltInSettings { surroundings: surroundings(config), progress: Arc::new(announce::complain) };
        let built_in = BuiltIn::start(data_dir, settings)?;
        let access = built_in.access().clone();
        Ok(Self { built_in: Some(built_in), ..Self::reach(&config.data_dir, &access) })
    }

    /// Whatever the settings name, for a command that may run beside `serve`: a running built-in Postgres is
    /// shared, one at rest is started for as long as the value lives.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn for_command(config: &Config) -> Result<Self, Fault> {
        if let Some(url) = &config.database.url {
            return Self::of_operator(config, url);
        }
        match DataDir::open(&config.data_dir) {
            Ok(dir) => {
                // The key must be there before the database is.
                crate::app::keyring::keys(config, Some(&dir))?;
                Self::start(config, dir)
            }
            Err(busy @ BuiltInError::InUse { .. }) => {
                let access = Access::of_running(&config.data_dir, &surroundings(config))?.ok_or(busy)?;
                Ok(Self::reach(&config.data_dir, &access))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn reach(data_dir: &Path, access: &Access) -> Self {
        Self {
            app: access.app_options(),
            owner: Some(access.owner_options()),
            built_in: None,
            label: format!("in {}", data_dir.display()),
        }
    }

    /// Migrates where that is wanted and possible, and checks that the schema is this version's.
    ///
    /// # Errors
    /// When it is not, or the database is away.
    pub async fn prepare(&self, may_migrate: bool) -> Result<(), Fault> {
        if let Some(owner) = self.owner.as_ref().filter(|_| may_migrate) {
            self.patiently(migrate::check(owner), true).await?;
            migrate::migrate(owner).await.map_err(|error| Fault::of_schema(&self.label, &error))?;
        }
        self.patiently(migrate::check(&self.app), false).await
    }

    async fn patiently(
        &self,
        check: impl Future<Output = Result<(), SchemaError>>,
        may_be_behind: bool,
    ) -> Result<(), Fault> {
        match tokio::time::timeout(PATIENCE, check).await {
            Ok(Err(SchemaError::Behind(_))) if may_be_behind => Ok(()),
            Ok(outcome) => outcome.map_err(|error| Fault::of_schema(&self.label, &error)),
            Err(_) => {
                let silence = std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer");
                Err(Fault::of_sqlx(&self.label, &sqlx::Error::Io(silence)))
            }
        }
    }

    /// Stops the Postgres we run ourselves.
    pub fn stop(self) {
        if let Some(built_in) = self.built_in {
            built_in.stop();
        }
    }
}

/// `portreeve migrate`.
///
/// # Errors
/// When the owner is not known, or the migration fails.
pub fn migrate(config: &Config) -> Result<&'static str, Fault> {
    if config.is_production() && config.database.owner_url.is_none() {
        return Err(Fault::new(
            FaultKind::Settings,
            "PORTREEVE_OWNER_DATABASE_URL is missing: only the role that owns the tables can migrate",
            "Set it to the same database as DATABASE_URL, with that role's name and password.",
        ));
    }
    let postgres = Postgres::for_command(config)?;
    let outcome = runtime()?.block_on(postgres.prepare(true));
    postgres.stop();
    outcome.map(|()| "The database is up to date.")
}

/// A runtime with as many threads as the machine has cores.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> Result<Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        let sentence = format!("the system gives no threads: {}", crate::app::faults::reason(&error));
        Fault::new(FaultKind::Other, sentence, "Raise the limit of processes for this user.")
    })
}

/// Where the built-in Postgres finds what it needs.
pub fn surroundings(config: &Config) -> Surroundings {
    let places = config.built_in.clone();
    Surroundings {
        pg_bin_dir: places.pg_bin_dir,
        search_path: places.search_path,
        runtime_dir: places.runtime_dir,
    }
}

fn options(url: &Secret<String>, name: &str) -> Result<PgConnectOptions, Fault> {
    PgConnectOptions::from_str(url.expose()).map_err(|_| {
        // What the parser says may hold the password.
        let remedy =
            "Write it as postgres://USER:PASSWORD@HOST/DATABASE, with special letters percent-encoded.";
        Fault::new(FaultKind::Settings, format!("{name} cannot be understood"), remedy)
    })
}

fn label(url: &Secret<String>) -> String {
    let Ok(url) = Url::parse(url.expose()) else {
        return String::new();
    };
    let host = url.host_str().unwrap_or("localhost");
    format!("at {host}:{}{}", url.port().unwrap_or(5432), url.path())
}
