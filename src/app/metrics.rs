//! Counters for Prometheus: plain atomics, rendered as text when somebody asks.
//!
//! Invariant: labels come from fixed sets (route templates, methods, status classes, job kinds), never from what
//! a caller sent, so the number of series is bounded.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{Method, StatusCode};

use crate::{
    domain::{jobs::JobState, outbox::LetterState, vault::MasterState},
    flow::{actions::ops::health::Figures, jobs::JobGauges, proxy::throttle::StrangerGauges},
};

/// Upper bounds of the latency histogram, in milliseconds.
const BOUNDS: [u64; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000];

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: RwLock<BTreeMap<RequestLabels, Arc<Latency>>>,
    in_flight: AtomicI64,
    jobs: OnceLock<Arc<JobGauges>>,
    strangers: OnceLock<Arc<StrangerGauges>>,
    figures: RwLock<Option<Figures>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RequestLabels {
    route: String,
    method: &'static str,
    class: &'static str,
}

#[derive(Debug, Default)]
struct Latency {
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    total_micros: AtomicU64,
}

/// Counts a request as running for as long as it lives, however it ends.
#[derive(Debug)]
pub struct InFlight(Arc<Metrics>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Metrics {
    /// A request has begun.
    pub fn request_began(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// A request to a route template was answered.
    pub fn request_answered(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let labels = RequestLabels {
            route: route.to_owned(),
            method: method_label(method),
            class: class_label(status),
        };
        let latency = cell(&self.requests, labels);
        let micros = took.as_micros() as u64;
        if let Some(at) = BOUNDS.iter().position(|bound| micros <= bound * 1_000) {
            latency.buckets[at].fetch_add(1, Relaxed);
        }
        latency.count.fetch_add(1, Relaxed);
        latency.total_micros.fetch_add(micros, Relaxed);
    }

    /// Shows what this replica's workers do from now on.
    pub fn watch_jobs(&self, gauges: Arc<JobGauges>) {
        let _ = self.jobs.set(gauges);
    }

    /// Shows who comes with unknown tokens from now on.
    pub fn watch_strangers(&self, gauges: Arc<StrangerGauges>) {
        let _ = self.strangers.set(gauges);
    }

    /// Shows these counts of the installation until newer ones come.
    pub fn set_figures(&self, figures: Figures) {
        *self.figures.write().unwrap_or_else(PoisonError::into_inner) = Some(figures);
    }

    /// Everything in the text format of Prometheus (version 0.0.4); `pool` is open and idle connections.
    pub fn render(&self, pool: (u32, u32)) -> String {
        let mut out = String::new();
        let version = env!("CARGO_PKG_VERSION");
        head(&mut out, "portreeve_build_info", "gauge", "Always 1; the version is in the label.");
        line(&mut out, format_args!("portreeve_build_info{{version=\"{version}\"}} 1"));
        head(&mut out, "portreeve_http_requests_in_flight", "gauge", "Requests being answered.");
        line(&mut out, format_args!("portreeve_http_requests_in_flight {}", self.in_flight.load(Relaxed)));
        self.render_requests(&mut out);
        head(&mut out, "portreeve_db_connections", "gauge", "Connections of the pool, by state.");
        let (open, idle) = pool;
        line(&mut out, format_args!("portreeve_db_connections{{state=\"idle\"}} {idle}"));
        line(
            &mut out,
            format_args!("portreeve_db_connections{{state=\"used\"}} {}", open.saturating_sub(idle)),
        );
        if let Some(gauges) = self.jobs.get() {
            render_workers(&mut out, gauges);
        }
        if let Some(gauges) = self.strangers.get() {
            render_strangers(&mut out, gauges);
        }
        if let Some(figures) = read(&self.figures).as_ref() {
            render_figures(&mut out, figures);
        }
        out
    }

    fn render_requests(&self, out: &mut String) {
        let name = "portreeve_http_request_duration_seconds";
        head(out, name, "histogram", "Time to the head of the answer, by route, method and status class.");
        for (labels, latency) in read(&self.requests).iter() {
            let RequestLabels { route, method, class } = labels;
            let labels = format!("route=\"{}\",method=\"{method}\",status=\"{class}\"", escape(route));
            let mut below = 0;
            for (bound, bucket) in BOUNDS.iter().zip(&latency.buckets) {
                below += bucket.load(Relaxed);
                let bound = *bound as f64 / 1_000.0;
                line(out, format_args!("{name}_bucket{{{labels},le=\"{bound}\"}} {below}"));
            }
            let count = latency.count.load(Relaxed).max(below);
            line(out, format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {count}"));
            let sum = latency.total_micros.load(Relaxed) as f64 / 1e6;
            line(out, format_args!("{name}_sum{{{labels}}} {sum}"));
            line(out, format_args!("{name}_count{{{labels}}} {count}"));
        }
    }
}

fn render_workers(out: &mut String, gauges: &JobGauges) {
    let name = "portreeve_jobs_running";
    head(out, name, "gauge", "Background jobs that this replica is at.");
    line(out, format_args!("{name} {}", gauges.running.load(Relaxed)));
    let name = "portreeve_job_attempts_total";
    head(out, name, "counter", "Attempts at background jobs on this replica, by outcome.");
    for (outcome, count) in [
        ("done", &gauges.finished),
        ("retried", &gauges.retried),
        ("failed", &gauges.failed),
        ("panicked", &gauges.panicked),
        ("lost", &gauges.lost),
    ] {
        line(out, format_args!("{name}{{outcome=\"{outcome}\"}} {}", count.load(Relaxed)));
    }
    let name = "portreeve_job_queue_errors_total";
    head(out, name, "counter", "Times that the queue could not be read or written.");
    line(out, format_args!("{name} {}", gauges.queue_errors.load(Relaxed)));
}

fn render_strangers(out: &mut String, gauges: &StrangerGauges) {
    let name = "portreeve_unknown_tokens_total";
    head(out, name, "counter", "Requests of agents with unknown tokens on this replica, by answer.");
    for (answer, count) in [("refused", &gauges.refused), ("limited", &gauges.limited)] {
        line(out, format_args!("{name}{{answer=\"{answer}\"}} {}", count.load(Relaxed)));
    }
}

/// Counts of the whole installation: every replica tells the same.
fn render_figures(out: &mut String, figures: &Figures) {
    let name = "portreeve_jobs";
    head(out, name, "gauge", "Background jobs in the queue, by state.");
    for state in JobState::ALL {
        line(out, format_args!("{name}{{state=\"{}\"}} {}", state.as_str(), figures.jobs_in(state)));
    }
    let name = "portreeve_jobs_longest_wait_seconds";
    head(out, name, "gauge", "How long the background job that is due longest has been waiting.");
    line(out, format_args!("{name} {}", figures.longest_wait().as_seconds_f64()));
    let name = "portreeve_letters";
    head(out, name, "gauge", "Letters in the outbox, by state.");
    for state in LetterState::ALL {
        line(out, format_args!("{name}{{state=\"{}\"}} {}", state.as_str(), figures.letters_in(state)));
    }
    let name = "portreeve_data_keys";
    head(out, name, "gauge", "Data keys that each master key wraps; of a missing one none can be opened.");
    for master in &figures.ring.masters {
        let state = match master.state {
            MasterState::Active => "active",
            MasterState::Standby => "standby",
            MasterState::Missing => "missing",
        };
        let id = escape(&master.master);
        line(out, format_args!("{name}{{master=\"{id}\",state=\"{state}\"}} {}", master.data_keys));
    }
    for (name, help, count) in [
        ("portreeve_replicas", "Replicas heard of lately.", figures.alive() as i64),
        ("portreeve_orgs", "Organizations that are not deleted.", figures.orgs),
        ("portreeve_people", "People with an account.", figures.people),
    ] {
        head(out, name, "gauge", help);
        line(out, format_args!("{name} {count}"));
    }
}

/// The cell of some labels, made when it is first needed.
fn cell<K: Ord, V: Default>(cells: &RwLock<BTreeMap<K, Arc<V>>>, key: K) -> Arc<V> {
    if let Some(found) = read(cells).get(&key) {
        return Arc::clone(found);
    }
    let mut cells = cells.write().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(cells.entry(key).or_default())
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    line(out, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("text grows as long as there is memory");
}

/// Route templates are our own; quotation marks would break the format all the same.
fn escape(route: &str) -> String {
    route.replace('\\', "\\\\").replace('"', "\\\"")
}

fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn class_label(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_method_and_class() {
        let metrics = Arc::new(Metrics::default());
        let running = metrics.request_began();
        for (millis, status) in [(3, 200), (30, 204), (60_000, 404)] {
            let status = StatusCode::from_u16(status).expect("a status");
            metrics.request_answered("/o/{org}", &Method::GET, status, Duration::from_millis(millis));
        }
        let text = metrics.render((5, 2));
        let name = "portreeve_http_request_duration_seconds";
        let ok = "route=\"/o/{org}\",method=\"GET\",status=\"2xx\"";
        for expected in [
            format!("{name}_bucket{{{ok},le=\"0.002\"}} 0\n"),
            format!("{name}_bucket{{{ok},le=\"0.005\"}} 1\n"),
            format!("{name}_bucket{{{ok},le=\"0.05\"}} 2\n"),
            format!("{name}_count{{{ok}}} 2\n"),
            format!("{name}_sum{{{ok}}} 0.033\n"),
            format!("{name}_bucket{{route=\"/o/{{org}}\",method=\"GET\",status=\"4xx\",le=\"10\"}} 0\n"),
            "portreeve_http_requests_in_flight 1\n".to_owned(),
            "portreeve_db_connections{state=\"used\"} 3\n".to_owned(),
        ] {
            assert!(text.contains(&expected), "{expected} is not in\n{text}");
        }
        drop(running);
        assert!(metrics.render((0, 0)).contains("portreeve_http_requests_in_flight 0\n"));
    }

    #[test]
    fn a_method_that_somebody_made_up_makes_no_series_of_its_own() {
        let metrics = Metrics::default();
        let method = Method::from_bytes(b"BREW").expect("a method");
        metrics.request_answered("/", &method, StatusCode::OK, Duration::ZERO);
        assert!(metrics.render((0, 0)).contains("method=\"other\""));
    }

    #[test]
    fn what_the_workers_do_is_shown_once_there_are_workers() {
        let metrics = Metrics::default();
        assert!(!metrics.render((0, 0)).contains("portreeve_job_attempts_total"));
        let gauges = Arc::new(JobGauges::default());
        gauges.finished.fetch_add(2, Relaxed);
        metrics.watch_jobs(gauges);
        assert!(metrics.render((0, 0)).contains("portreeve_job_attempts_total{outcome=\"done\"} 2\n"));
    }

    #[test]
    fn who_comes_with_unknown_tokens_is_shown_by_how_they_were_answered() {
        let metrics = Metrics::default();
        let gauges = Arc::new(StrangerGauges::default());
        gauges.limited.fetch_add(3, Relaxed);
        metrics.watch_strangers(gauges);
        let text = metrics.render((0, 0));
        assert!(text.contains("portreeve_unknown_tokens_total{answer=\"refused\"} 0\n"), "{text}");
        assert!(text.contains("portreeve_unknown_tokens_total{answer=\"limited\"} 3\n"), "{text}");
    }
}
