//! Which handler does which kind of job, and which kinds come round by the clock.

use std::{collections::BTreeMap, fmt, pin::Pin, sync::Arc, time::Duration};

use crate::flow::jobs::{JobError, JobRun};

pub(super) type Running = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;
type Handler<C> = Arc<dyn Fn(C, JobRun) -> Running + Send + Sync>;

/// A kind of job that comes round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Periodic {
    pub(super) kind: &'static str,
    pub(super) every: Duration,
}

/// The table of kinds; handlers get a context of type `C` and the run.
pub struct Registry<C> {
    handlers: BTreeMap<&'static str, Handler<C>>,
    timetable: Vec<Periodic>,
}

impl<C> Default for Registry<C> {
    fn default() -> Self {
        Self { handlers: BTreeMap::new(), timetable: Vec::new() }
    }
}

impl<C> fmt::Debug for Registry<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("kinds", &self.handlers.keys())
            .field("timetable", &self.timetable)
            .finish()
    }
}

impl<C: 'static> Registry<C> {
    /// Adds a kind of job that others enqueue.
    ///
    /// # Panics
    /// When the kind is already there: a defect that the first start shows.
    #[must_use]
    pub fn on<F, R>(mut self, kind: &'static str, handler: F) -> Self
    where
        F: Fn(C, JobRun) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        let handler: Handler<C> = Arc::new(move |cx, run| Box::pin(handler(cx, run)));
        assert!(self.handlers.insert(kind, handler).is_none(), "two handlers for the job kind {kind}");
        self
    }

    /// Adds a kind of job that comes round: once in every such span of time, whatever the number of replicas.
    ///
    /// Others may enqueue it too, in between. Spans are counted from 1970, in whole seconds.
    ///
    /// # Panics
    /// When the kind is already there, or the span is shorter than a second.
    #[must_use]
    pub fn every<F, R>(self, every: Duration, kind: &'static str, handler: F) -> Self
    where
        F: Fn(C, JobRun) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        assert!(every.as_secs() > 0, "the job kind {kind} comes round too fast");
        let mut registry = self.on(kind, handler);
        registry.timetable.push(Periodic { kind, every });
        registry
    }

    /// Every kind that has a handler.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.handlers.keys().copied()
    }

    pub(super) fn timetable(&self) -> &[Periodic] {
        &self.timetable
    }

    pub(super) fn run(&self, kind: &str, cx: C, run: JobRun) -> Option<Running> {
        self.handlers.get(kind).map(|handler| handler(cx, run))
    }
}
