//! How the installation is.

use time::OffsetDateTime;

use crate::{
    domain::{
        identity::store as identity,
        instance::{self, DatabaseFigures, Replica},
        jobs::{self, JobCount, JobState},
        outbox::{self, LetterState},
        tenancy::store as tenancy,
        vault::{self, RingStatus},
    },
    flow::{
        cx::{OperatorCx, Ports},
        fault::ActionResult,
    },
    io::{
        db::{SystemTx, Tx},
        disk,
    },
};

/// Counts of the whole installation.
#[derive(Clone, Debug)]
pub struct Figures {
    /// When they were taken.
    pub at: OffsetDateTime,
    /// The processes that serve.
    pub replicas: Vec<Replica>,
    /// Background work by kind and state.
    pub jobs: Vec<JobCount>,
    /// Letters by state.
    pub letters: Vec<(LetterState, i64)>,
    /// Master keys and how many data keys each wraps.
    pub ring: RingStatus,
    /// Organizations that are not deleted.
    pub orgs: i64,
    /// People.
    pub people: i64,
}

impl Figures {
    /// How many jobs are in a state.
    pub fn jobs_in(&self, state: JobState) -> i64 {
        self.jobs.iter().filter(|count| count.state == state).map(|count| count.count).sum()
    }

    /// How long the job that is due longest has been waiting.
    pub fn longest_wait(&self) -> time::Duration {
        let waiting = self.jobs.iter().filter(|count| count.state == JobState::Waiting);
        let oldest = waiting.map(|count| count.oldest_run_at).min();
        oldest.map_or(time::Duration::ZERO, |at| (self.at - at).max(time::Duration::ZERO))
    }

    /// How many letters are in a state.
    pub fn letters_in(&self, state: LetterState) -> i64 {
        self.letters.iter().filter(|(found, _)| *found == state).map(|(_, count)| *count).sum()
    }

    /// How many replicas were heard of lately.
    pub fn alive(&self) -> usize {
        self.replicas.iter().filter(|replica| replica.is_alive(self.at)).count()
    }
}

/// What the health page shows.
#[derive(Clone, Debug)]
pub struct Health {
    /// Counts.
    pub figures: Figures,
    /// The database.
    pub database: DatabaseFigures,
    /// Connections of this replica's pool: open and idle.
    pub pool: (u32, u32),
    /// Free bytes of the data directory's disk, where the database is built in.
    pub disk_free: Option<u64>,
    /// Whether letters leave by SMTP.
    pub sends_mail: bool,
}

/// Counts of the whole installation, for the metrics as well.
pub async fn figures(ports: &Ports) -> ActionResult<Figures> {
    let mut tx = SystemTx::begin(&ports.db).await?;
    let figures = Figures {
        at: ports.clock.now(),
        replicas: instance::list_replicas(&mut tx).await?,
        jobs: jobs::store::count(&mut tx).await?,
        letters: outbox::store::count(&mut tx).await?,
        ring: vault::status(&ports.vault, &mut tx).await?,
        orgs: tenancy::orgs::count(&mut tx).await?,
        people: identity::users::count(&mut tx).await?,
    };
    tx.done().await?;
    Ok(figures)
}

/// How the installation is.
pub async fn look(cx: &OperatorCx) -> ActionResult<Health> {
    let figures = figures(&cx.ports).await?;
    // As the application's role: the system's may not ask for the size.
    let mut tx = cx.tx().await?;
    let database = instance::database(&mut tx).await?;
    tx.done().await?;
    Ok(Health {
        figures,
        database,
        pool: cx.ports.db.gauge(),
        disk_free: cx.ports.data_dir.as_deref().and_then(disk::free),
        sends_mail: cx.ports.site.sends_mail,
    })
}
