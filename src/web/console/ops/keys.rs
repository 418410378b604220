//! Master keys: which there are, what hangs on each, and moving everything onto the first.

use askama::Template;

use crate::{
    domain::{
        audit::SigningKeyRow,
        jobs::{JobRow, JobState},
        vault::{MasterState, MasterStatus},
    },
    flow::actions::ops::keys::{self, Keys},
    web::{
        console::shell_of,
        kit::{
            ask::OperatorPage,
            flash::Toast,
            form::Form,
            page::{PageResult, go_saying, page},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    let rotates = Effect::Records(&["keys.rotation_started"]);
    Routes::default().page("/ops/keys", Access::Operator, show).form(
        "/ops/keys/rotate",
        Access::Operator,
        rotates,
        rotate,
    )
}

/// The page.
#[derive(Template)]
#[template(path = "console/ops/keys.html")]
struct KeysPage {
    shell: Shell,
    masters: Vec<Master>,
    done: i64,
    total: i64,
    percent: i64,
    is_running: bool,
    is_left: bool,
    can_rotate: bool,
    job: Option<JobRow>,
    failed: String,
    signing: Vec<SigningKeyRow>,
    in_file: bool,
}

/// One master key in the table.
struct Master {
    status: MasterStatus,
    is_active: bool,
    is_missing: bool,
    is_removable: bool,
}

#[derive(serde::Deserialize)]
struct Nothing {}

async fn show(ask: OperatorPage) -> PageResult {
    let Keys { ring, job, signing, in_file } = keys::look(&ask.cx).await?;
    let (done, total, left) = (ring.done(), ring.total(), ring.remaining());
    let is_in = |state| job.as_ref().is_some_and(|job| job.state == state);
    let is_running = is_in(JobState::Waiting) || is_in(JobState::Running);
    let failed =
        job.as_ref().filter(|job| job.state == JobState::Failed).and_then(|job| job.last_error.clone());
    let masters = ring.masters.into_iter().map(|status| Master {
        is_active: status.state == MasterState::Active,
        is_missing: status.state == MasterState::Missing,
        is_removable: status.is_removable(),
        status,
    });
    page(&KeysPage {
        shell: shell_of::operator(&ask, "Keys").await?,
        masters: masters.collect(),
        done,
        total,
        percent: if total == 0 { 100 } else { done * 100 / total },
        is_running,
        is_left: left > 0,
        can_rotate: left > 0 && !is_running,
        job,
        failed: failed.unwrap_or_default(),
        signing,
        in_file,
    })
}

async fn rotate(ask: OperatorPage, Form(_): Form<Nothing>) -> PageResult {
    keys::rotate(&ask.cx).await?;
    Ok(go_saying("/ops/keys", Toast::say("The rotation has begun. Everything stays usable while it runs.")))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::base::ids::SigningKeyId;
    use crate::domain::vault::MasterState;
    use crate::web::kit::{
        samples::{AT, LONG, sample, shell},
        shell::Base,
    };

    let master = |n: usize| Master {
        status: MasterStatus {
            master: format!("k{n}"),
            state: MasterState::Standby,
            data_keys: 1_200,
            chains: 14,
            orgs: 13,
            since: Some(AT).filter(|_| n < 2),
        },
        is_active: n == 0,
        is_missing: n == 1,
        is_removable: n > 1,
    };
    let signing = |n: usize| SigningKeyRow {
        id: SigningKeyId::fresh(),
        created_at: AT,
        retired_at: Some(AT).filter(|_| n > 0),
    };
    let page = |count: usize, is_running| KeysPage {
        shell: shell(Base::Operator, "Keys"),
        masters: (0..count).map(master).collect(),
        done: 3,
        total: 12,
        percent: 25,
        is_running,
        is_left: !is_running && count > 1,
        can_rotate: !is_running,
        job: None,
        failed: LONG.into(),
        signing: (0..count).map(signing).collect(),
        in_file: is_running,
    };
    vec![sample("keys", &page(1, false)), sample("keys: much", &page(12, true))]
}
