//! What a command works with, beside a `serve` on the same data directory or alone.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::{
    app::{
        doors,
        faults::Fault,
        keyring,
        postgres::{self, Postgres},
    },
    base::{clock::Clock, config::Config},
    domain::vault::Vault,
    flow::cx::Ports,
    io::db::{Db, PoolSettings},
};

/// A database with an up-to-date schema, its keys, and what flows work with.
#[derive(Debug)]
pub struct Beside {
    /// What flows work with.
    pub ports: Arc<Ports>,
    /// Whether a `serve` of ours holds the data directory.
    pub is_served: bool,
    /// What to call the database in a sentence.
    pub label: String,
}

impl Beside {
    /// The vault.
    pub fn vault(&self) -> &Vault {
        &self.ports.vault
    }
}

/// Runs one command over whatever database the settings name.
///
/// # Errors
/// When that cannot be had, or the command fails.
pub fn run<T, F>(config: &Config, command: impl FnOnce(Beside) -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let postgres = Postgres::for_command(config)?;
    let outcome = postgres::runtime().and_then(|runtime| {
        runtime.block_on(async {
            let db = Db::lazy(postgres.app.clone(), PoolSettings { max: 4, ..PoolSettings::default() });
            let outcome = match prepare(config, &postgres, &db).await {
                Ok(beside) => command(beside).await,
                Err(fault) => Err(fault),
            };
            db.close().await;
            outcome
        })
    });
    postgres.stop();
    outcome
}

async fn prepare(config: &Config, postgres: &Postgres, db: &Db) -> Result<Beside, Fault> {
    // A database that we have just started ourselves is brought up to date; one that others serve from is only read.
    postgres.prepare(postgres.built_in.is_some()).await?;
    let clock = Clock::system();
    let vault = doors::vault(config, &keyring::existing(config)?, &clock)?;
    doors::self_test(db, &vault).await?;
    let base_url = config.web.url_when_bound(config.web.listen);
    let ports = doors::ports(config, &base_url, config.web.listen, db, (&clock, &TaskTracker::new()), vault)?;
    let is_served = !config.is_production() && postgres.built_in.is_none();
    Ok(Beside { ports: Arc::new(ports), is_served, label: postgres.label.clone() })
}
