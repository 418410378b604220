//! `/healthz`: the process lives. `/readyz`: it can serve now.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::{sync::Mutex, time::timeout};
use tokio_util::sync::CancellationToken;

/// Tells whether one thing is ready; the error is a word for the operator, without internals.
pub type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), &'static str>> + Send + Sync>;

/// A probe may come every second; the database is asked no more often than this.
const FRESH: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(2);

/// What must hold before requests may come.
#[derive(Clone)]
pub struct Readiness(Arc<Inner>);

struct Inner {
    checks: Vec<(&'static str, Check)>,
    stopping: CancellationToken,
    last: Mutex<Option<(Instant, StatusCode, Value)>>,
}

impl std::fmt::Debug for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.checks.iter().map(|(name, _)| name)).finish()
    }
}

impl Readiness {
    /// Ready while all checks hold and nobody has asked us to stop.
    pub fn new(checks: Vec<(&'static str, Check)>, stopping: CancellationToken) -> Self {
        Self(Arc::new(Inner { checks, stopping, last: Mutex::new(None) }))
    }

    /// The status and each check's outcome.
    pub async fn look(&self) -> (StatusCode, Value) {
        if self.0.stopping.is_cancelled() {
            return (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "stopping" }));
        }
        // Whoever comes while the checks run waits for their outcome.
        let mut last = self.0.last.lock().await;
        if let Some((at, status, body)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return (*status, body.clone());
        }
        let mut outcomes = Map::new();
        for (name, check) in &self.0.checks {
            let outcome = timeout(PATIENCE, check()).await.unwrap_or(Err("no answer"));
            outcomes.insert((*name).to_owned(), Value::from(outcome.err().unwrap_or("ok")));
        }
        let is_ready = outcomes.values().all(|outcome| outcome == "ok");
        let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = json!({ "status": if is_ready { "ready" } else { "not ready" }, "checks": outcomes });
        *last = Some((Instant::now(), status, body.clone()));
        (status, body)
    }
}

/// The two doors for probes.
pub fn router(readiness: Readiness) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> impl IntoResponse {
    let (status, body) = readiness.look().await;
    (status, Json(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outcome: Result<(), &'static str>) -> Check {
        Arc::new(move || Box::pin(async move { outcome }))
    }

    #[tokio::test]
    async fn one_failed_check_makes_the_replica_not_ready() {
        let checks = vec![("database", check(Ok(()))), ("keys", check(Err("do not open")))];
        let (status, body) = Readiness::new(checks, CancellationToken::new()).look().await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let expected = json!({"status": "not ready", "checks": {"database": "ok", "keys": "do not open"}});
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn a_stopping_replica_is_not_ready() {
        let stopping = CancellationToken::new();
        let readiness = Readiness::new(vec![("database", check(Ok(())))], stopping.clone());
        assert_eq!(readiness.look().await.0, StatusCode::OK);
        stopping.cancel();
        assert_eq!(readiness.look().await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
