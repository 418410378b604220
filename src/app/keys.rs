//! `portreeve keys`: how the master keys stand, and moving everything onto a new one.
//!
//! Invariant: where it stands is in the database, so a rotation that was cut short is gone on with by the next.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    app::{
        announce,
        beside::{self, Beside},
        faults::{Fault, FaultKind},
        keyring,
    },
    base::config::Config,
    domain::{
        audit::Who,
        jobs::JobState,
        vault::{MasterState, RingStatus},
    },
    flow::jobs::rewrap::{self, RewrapError},
};

/// How often a rotation that `serve` does is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// `portreeve keys status`.
///
/// # Errors
/// When the database or the keys cannot be used.
pub fn status(config: &Config, is_json: bool) -> Result<(), Fault> {
    beside::run(config, async |beside| {
        let ring = ring(&beside).await?;
        if is_json {
            announce::say(json(&ring));
        } else {
            ring.masters.iter().for_each(|master| {
                let state = word(master.state);
                let keys = master.data_keys;
                let hint = if master.is_removable() { "; may be removed" } else { "" };
                announce::say(format_args!("{:<20} {state:<8} wraps {keys} data keys{hint}", master.master));
            });
        }
        Ok(())
    })
}

/// `portreeve keys rotate`.
///
/// # Errors
/// When the database or the keys cannot be used, or some data keys cannot be opened.
pub fn rotate(config: &Config) -> Result<(), Fault> {
    beside::run(config, async |beside| {
        let before = ring(&beside).await?;
        let in_file = !config.is_production();
        match (before.remaining(), in_file) {
            (0, true) => {
                let keys = keyring::grow(config)?;
                let id = keys.first().map_or("", |key| key.id.as_str());
                announce::say(format_args!(
                    "Made the master key {id} and put it first; save the key file with your next backup."
                ));
                beside.vault().reload();
            }
            (0, false) => {
                announce::say(format_args!(
                    "Nothing to do: every data key hangs on {} already. To rotate, put a new key in front in \
                     PORTREEVE_MASTER_KEYS, restart every replica, and run this again.",
                    beside.vault().ring().active()
                ));
                return Ok(());
            }
            (left, _) => announce::say(format_args!(
                "Going on with the rotation to {}: {left} data keys are left.",
                beside.vault().ring().active()
            )),
        }
        if beside.is_served {
            ask(&beside).await?
        } else {
            walk(&beside).await?
        }
        tell(&ring(&beside).await?);
        Ok(())
    })
}

/// Moves the keys ourselves: no `serve` of ours is there, or each replica has its keys from its own settings.
async fn walk(beside: &Beside) -> Result<(), Fault> {
    let total = ring(beside).await?.remaining();
    let stop = CancellationToken::new();
    let ports = &beside.ports;
    let report = |moved: u64| announce::say(format_args!("{moved} of {total} data keys moved"));
    rewrap::rewrap(&ports.db, &ports.clock, &ports.vault, &stop, report)
        .await
        .map(|_| ())
        .map_err(|error| fault(beside, &error))
}

/// Has the running `serve` move the keys, so that it takes the new master key in before any data key needs it.
async fn ask(beside: &Beside) -> Result<(), Fault> {
    let ports = &beside.ports;
    let who = Who::system("portreeve keys rotate");
    let of_db = |error| Fault::of_db(&beside.label, &error);
    rewrap::enqueue(&ports.db, &ports.clock, &who).await.map_err(of_db)?;
    let total = ring(beside).await?.remaining();
    let mut told = None;
    loop {
        let job = rewrap::last_job(&ports.db).await.map_err(of_db)?;
        let moved = total - ring(beside).await?.remaining();
        if told != Some(moved) {
            announce::say(format_args!("{moved} of {total} data keys moved"));
            told = Some(moved);
        }
        match job {
            Some(job) if job.state == JobState::Failed => {
                let why = job.last_error.unwrap_or_default();
                let sentence = format!("the rotation stopped: {why}");
                return Err(Fault::new(FaultKind::Keys, sentence, "Once the cause is gone, run this again."));
            }
            Some(job) if job.state == JobState::Finished => return Ok(()),
            Some(_) => tokio::time::sleep(LOOK_EVERY).await,
            None => return Ok(()),
        }
    }
}

async fn ring(beside: &Beside) -> Result<RingStatus, Fault> {
    rewrap::status(&beside.ports.db, beside.vault()).await.map_err(|error| fault(beside, &error))
}

fn fault(beside: &Beside, error: &RewrapError) -> Fault {
    match error {
        RewrapError::Vault(error) => Fault::of_vault(&beside.label, error),
        unreadable @ RewrapError::Unreadable { .. } => Fault::new(
            FaultKind::Keys,
            unreadable.to_string(),
            "Put the missing master key back, after the sealing one, and run this again.",
        ),
    }
}

fn tell(ring: &RingStatus) {
    announce::say(format_args!(
        "Done: {} of {} data keys hang on the sealing master key.",
        ring.done(),
        ring.total()
    ));
    let removable: Vec<&str> = ring
        .masters
        .iter()
        .filter(|master| master.is_removable())
        .map(|master| master.master.as_str())
        .collect();
    if !removable.is_empty() {
        announce::say(format_args!(
            "No longer needed: {}. Keep it as long as you keep backups made before this.",
            removable.join(", ")
        ));
    }
}

fn json(ring: &RingStatus) -> serde_json::Value {
    let masters: Vec<_> = ring
        .masters
        .iter()
        .map(|master| {
            serde_json::json!({
                "id": master.master,
                "state": word(master.state),
                "data_keys": master.data_keys,
                "chains": master.chains,
                "removable": master.is_removable(),
            })
        })
        .collect();
    serde_json::json!({ "total": ring.total(), "remaining": ring.remaining(), "master_keys": masters })
}

const fn word(state: MasterState) -> &'static str {
    match state {
        MasterState::Active => "active",
        MasterState::Standby => "standby",
        MasterState::Missing => "MISSING",
    }
}
