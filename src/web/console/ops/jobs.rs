//! Background work by kind and state; a failed job can be let run again.

use askama::Template;
use axum::extract::Path;
use serde::Deserialize;

use crate::{
    base::{ids::JobId, page::Page},
    domain::jobs::{JobCount, JobFilter, JobRow, JobState},
    flow::{actions::ops::jobs, fault::ActionError},
    web::{
        console::shell_of,
        kit::{
            ask::OperatorPage,
            flash::Toast,
            form::Form,
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Tab},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    let retries = Effect::Records(&["job.retried"]);
    Routes::default().page("/ops/jobs", Access::Operator, list).form(
        "/ops/jobs/{job}/retry",
        Access::Operator,
        retries,
        retry,
    )
}

/// The list.
#[derive(Template)]
#[template(path = "console/ops/jobs.html")]
struct JobsPage {
    shell: Shell,
    tabs: Vec<Tab>,
    kinds: Vec<Choice>,
    state: String,
    jobs: Vec<Row>,
    is_filtered: bool,
    list: Listing,
}

/// One job in the list.
struct Row {
    job: JobRow,
    tone: &'static str,
    glyph: &'static str,
    error: String,
    can_retry: bool,
}

#[derive(Deserialize)]
struct Nothing {}

async fn list(ask: OperatorPage, mut asked: Asked) -> PageResult {
    let (_, state) = asked.one_of("state", JobState::ALL.map(|state| (state.as_str(), state)));
    let kind = asked.text("kind");
    let filter = JobFilter { state, kind: Some(kind.clone()).filter(|kind| !kind.is_empty()) };
    let (Page { items, next }, counts) = jobs::list(&ask.cx, &filter, &asked.page()).await?;
    let word = state.map_or("", JobState::as_str);
    let list = asked.listing(next.as_deref());
    let page = JobsPage {
        shell: shell_of::operator(&ask, "Jobs").await?.with_faults(!list.faults.is_empty()),
        tabs: tabs(&counts, word),
        kinds: kinds(&counts, &kind),
        is_filtered: state.is_some() || filter.kind.is_some(),
        state: word.to_owned(),
        jobs: items.into_iter().map(row).collect(),
        list,
    };
    page_with(page.list.status(), &page)
}

fn row(job: JobRow) -> Row {
    let (tone, glyph) = match job.state {
        JobState::Waiting => ("quiet", "clock"),
        JobState::Running => ("rule", "pulse"),
        JobState::Failed => ("deny", "deny"),
        JobState::Finished => ("quiet", "ok"),
    };
    Row {
        tone,
        glyph,
        error: job.last_error.clone().unwrap_or_default(),
        can_retry: job.state == JobState::Failed,
        job,
    }
}

fn tabs(counts: &[JobCount], current: &str) -> Vec<Tab> {
    let sum = |state: Option<JobState>| -> i64 {
        counts.iter().filter(|c| state.is_none_or(|state| c.state == state)).map(|c| c.count).sum()
    };
    let mut tabs = vec![Tab::new("All", "/ops/jobs", current.is_empty()).with(sum(None))];
    tabs.extend(JobState::ALL.into_iter().map(|state| {
        let word = state.as_str();
        Tab::new(state.label(), format!("/ops/jobs?state={word}"), word == current).with(sum(Some(state)))
    }));
    tabs
}

fn kinds(counts: &[JobCount], current: &str) -> Vec<Choice> {
    let mut names: Vec<&str> = counts.iter().map(|count| count.kind.as_str()).collect();
    names.dedup();
    let all = std::iter::once(Choice::new("", "Every kind"));
    Choice::chosen_of(all.chain(names.into_iter().map(|name| Choice::new(name, name))), current)
}

async fn retry(ask: OperatorPage, Path(job): Path<String>, Form(_): Form<Nothing>) -> PageResult {
    let job: JobId = job.parse().map_err(|_| ActionError::NotFound)?;
    jobs::retry(&ask.cx, job).await?;
    Ok(go_saying("/ops/jobs", Toast::say("The job runs again from its first attempt.")))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::base::ids::JobId;
    use crate::web::kit::{
        samples::{AT, LONG, list, refused_list, sample, shell},
        shell::Base,
    };

    let job = |n: usize| JobRow {
        id: JobId::fresh(),
        kind: "tell_org".into(),
        state: JobState::ALL[n % 4],
        run_at: AT,
        attempts: 3,
        max_attempts: 5,
        locked_by: None,
        locked_until: None,
        last_error: Some(LONG.into()),
        created_at: AT,
        finished_at: None,
        failed_at: None,
    };
    let page = |count: usize, list| JobsPage {
        shell: shell(Base::Operator, "Jobs"),
        tabs: tabs(&[], "failed"),
        kinds: kinds(&[], ""),
        state: "failed".into(),
        jobs: (0..count).map(|n| row(job(n))).collect(),
        is_filtered: true,
        list,
    };
    vec![sample("jobs: none", &page(0, refused_list("state"))), sample("jobs: many", &page(50, list()))]
}
