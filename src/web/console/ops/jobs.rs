//! Background work by kind and state; a failed job can be let run again.

use askama::Template;
use axum::extract::{Path, Query};
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
            listing::{PageQuery, next_href},
            page::{PageResult, go_saying, page},
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
    first: String,
    next: String,
}

/// One job in the list.
struct Row {
    job: JobRow,
    tone: &'static str,
    glyph: &'static str,
    error: String,
    can_retry: bool,
}

#[derive(Default, Deserialize)]
struct ListQuery {
    #[serde(default)]
    state: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Nothing {}

async fn list(ask: OperatorPage, Query(query): Query<ListQuery>) -> PageResult {
    let request = PageQuery { limit: None, cursor: query.cursor.clone() }.parse()?;
    let state: Option<JobState> = query.state.parse().ok();
    let kind = Some(query.kind.clone()).filter(|kind| !kind.is_empty() && !kind.contains('\0'));
    let filter = JobFilter { state, kind };
    let (Page { items, next }, counts) = jobs::list(&ask.cx, &filter, &request).await?;
    let word = state.map_or("", JobState::as_str);
    let filters = [("state", word), ("kind", query.kind.as_str())];
    let (first, next) = next_href("/ops/jobs", &filters, query.cursor.as_deref(), next.as_deref());
    page(&JobsPage {
        shell: shell_of::operator(&ask, "Jobs").await?,
        tabs: tabs(&counts, word),
        kinds: kinds(&counts, &query.kind),
        is_filtered: state.is_some() || filter.kind.is_some(),
        state: word.to_owned(),
        jobs: items.into_iter().map(row).collect(),
        first,
        next,
    })
}

fn row(job: JobRow) -> Row {
    let (tone, glyph) = match job.state {
        JobState::Waiting => ("quiet", "clock"),
        JobState::Running => ("rule", "pulse"),
        JobState::Failed => ("deny", "deny"),
        JobState::Finished => ("allow", "ok"),
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
    let all = Choice::new("", "Every kind").chosen_by(current);
    std::iter::once(all)
        .chain(names.into_iter().map(|name| Choice::new(name, name).chosen_by(current)))
        .collect()
}

async fn retry(ask: OperatorPage, Path(job): Path<String>, Form(_): Form<Nothing>) -> PageResult {
    let job: JobId = job.parse().map_err(|_| ActionError::NotFound)?;
    jobs::retry(&ask.cx, job).await?;
    Ok(go_saying("/ops/jobs", Toast::say("The job runs again from its first attempt.")))
}
