//! One reading, from an address to a catalogue, with every step told.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::Map;

use crate::{
    domain::servers::{Snapshot, Transport},
    flow::catalogue::{
        carried::Carried,
        era::{self, FIRST, Opened},
        lists::{self, Catalogue},
        steps::{Onlooker, StepName, StepReport, StepState, Steps, of_talk, unasked},
        talk::{Heard, TalkError, Talker},
    },
    io::net::{
        client::{Egress, Reply},
        stages,
    },
};

/// How many bytes one reading may take.
const MOST_BYTES: usize = 50 * 1024 * 1024;

/// What came of a reading.
#[derive(Debug)]
pub struct Reading {
    /// Every step, also those that were not reached.
    pub steps: Vec<StepReport>,
    /// How long the first answer took, or the step that failed.
    pub latency: Duration,
    /// What was found, where the way was gone to the end.
    pub found: Option<Spoken>,
}

/// What a server was found to speak and to offer.
#[derive(Debug)]
pub struct Spoken {
    /// Which of the two HTTP transports it speaks.
    pub transport: Transport,
    /// What it offers.
    pub snapshot: Snapshot,
    /// How many entries could not be kept.
    pub left_out: usize,
}

impl Reading {
    /// The step at which the way ended before its goal.
    pub fn failure(&self) -> Option<&StepReport> {
        self.steps.iter().find(|step| step.state == StepState::Failed)
    }
}

/// Goes to a server and reads its catalogue, within the given time.
///
/// `wanted` is the transport that the server is said to speak; where nobody said, both are tried.
pub async fn read(
    egress: &Egress,
    carried: &Carried,
    wanted: Option<Transport>,
    within: Duration,
    onlooker: Onlooker,
) -> Reading {
    let mut steps = Steps::before(onlooker);
    let mut latency = Duration::ZERO;
    let found = go(egress, carried, wanted, within, &mut steps, &mut latency).await;
    Reading { steps: steps.finish(), latency, found }
}

async fn go(
    egress: &Egress,
    carried: &Carried,
    wanted: Option<Transport>,
    within: Duration,
    steps: &mut Steps,
    latency: &mut Duration,
) -> Option<Spoken> {
    let is_old = wanted == Some(Transport::Sse);
    let mut first_id = 0;
    let request = |target| {
        let mut talker = Talker::new(egress, carried, target, MOST_BYTES);
        if is_old {
            return talker.stream_request();
        }
        let (id, request) = talker.request(FIRST, Map::new());
        first_id = id;
        request
    };
    let walk =
        stages::walk(egress, carried.url(), request, |step| steps.walked(step, carried.has_any())).await;
    *latency = walk.steps.last().map_or(Duration::ZERO, |step| step.took);
    let (Some(target), Some(reply)) = (walk.target, walk.reply) else { return None };
    let mut talker = Talker::new(egress, carried, target, MOST_BYTES);
    let ends = Instant::now() + within;
    let too_long = || TalkError::TooLong(within.as_secs());

    let began = Instant::now();
    let status = reply.status;
    let opening = open(&mut talker, reply, first_id, wanted);
    let opened = tokio::time::timeout_at(ends.into(), opening).await.unwrap_or_else(|_| Err(too_long()));
    let opened = note_opening(steps, opened, status, began, carried)?;

    let began = Instant::now();
    let reading = lists::read(&mut talker, &opened);
    let read = tokio::time::timeout_at(ends.into(), reading).await.unwrap_or_else(|_| Err(too_long()));
    let ended = tokio::time::timeout(Duration::from_secs(3), talker.end()).await;
    if ended.is_err() {
        tracing::debug!("a server took too long to end its session");
    }
    match read {
        Ok(catalogue) => {
            steps.passed(StepName::Tools, began.elapsed(), offered(&catalogue));
            let Catalogue { snapshot, left_out } = catalogue;
            Some(Spoken { transport: opened.transport, snapshot, left_out })
        }
        Err(error) => {
            steps.failed(StepName::Tools, began.elapsed(), of_talk(&error));
            None
        }
    }
}

async fn open(
    talker: &mut Talker<'_>,
    reply: Reply,
    id: u64,
    wanted: Option<Transport>,
) -> Result<Opened, TalkError> {
    if wanted == Some(Transport::Sse) {
        let stream = talker.open_stream(reply).await?;
        talker.stream = Some(stream);
        return era::open_old(talker).await;
    }
    let discovered: Heard = talker.hear(reply, id).await;
    talker.skip_first();
    era::open(talker, discovered, wanted).await
}

/// Tells whether the server asked who calls, and what it speaks.
fn note_opening(
    steps: &mut Steps,
    opened: Result<Opened, TalkError>,
    first: StatusCode,
    began: Instant,
    carried: &Carried,
) -> Option<Opened> {
    let refused = match &opened {
        Err(TalkError::AuthNeeded(_) | TalkError::Forbidden) => true,
        _ => matches!(first, StatusCode::UNAUTHORIZED),
    };
    match opened {
        Err(error) if refused => {
            steps.failed(StepName::Auth, began.elapsed(), of_talk(&error));
            None
        }
        Err(error) => {
            steps.passed(StepName::Auth, Duration::ZERO, unasked(carried.has_any()));
            steps.failed(StepName::Protocol, began.elapsed(), of_talk(&error));
            None
        }
        Ok(opened) => {
            steps.passed(StepName::Auth, Duration::ZERO, unasked(carried.has_any()));
            steps.passed(StepName::Protocol, began.elapsed(), spoken(&opened));
            Some(opened)
        }
    }
}

fn spoken(opened: &Opened) -> String {
    let version = opened.declared.protocol_version.as_deref().unwrap_or_default();
    match opened.transport {
        Transport::Sse => format!("Revision {version} by HTTP with SSE, the transport of 2024."),
        _ => format!("Revision {version} by streamable HTTP."),
    }
}

fn offered(catalogue: &Catalogue) -> String {
    let (tools, items) = (catalogue.snapshot.tools.len(), catalogue.snapshot.items.len());
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut told = count(tools, "tool", "tools");
    if items > 0 {
        told = format!("{told}, {}", count(items, "prompt or resource", "prompts and resources"));
    }
    match catalogue.left_out {
        0 => format!("{told} found."),
        n => {
            format!("{told} found; {} left out, for want of a name of its own.", count(n, "entry", "entries"))
        }
    }
}
