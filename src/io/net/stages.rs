//! The way to a server, step by step, for whoever wants to know where it ends.
//!
//! It is the way that every request goes, over a connection of its own.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use http::StatusCode;

use crate::io::net::{
    address::Protection,
    client::{Egress, Reply, Request},
    error::EgressError,
    pool::Link,
    target::Target,
    tls::{Certificate, Witness},
    wire::Wire,
};

/// A part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Whether the URL may be called at all.
    Address,
    /// The name and its addresses.
    Dns,
    /// The connection.
    Tcp,
    /// Its protection.
    Tls,
    /// The answer.
    Http,
}

/// What a step that went well found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The URL may be called.
    Fit,
    /// Addresses that may be called, and how many more were found that may not.
    Found {
        /// In the order in which they are tried.
        addresses: Vec<IpAddr>,
        /// How many were left out.
        refused: usize,
    },
    /// A connection.
    Connected {
        /// To which of the addresses.
        peer: SocketAddr,
    },
    /// A protected connection.
    Secured {
        /// The version of TLS, such as `TLS 1.3`.
        version: &'static str,
        /// The certificate; none where it cannot be read.
        certificate: Option<Certificate>,
    },
    /// http, which the operator allowed to this address.
    Unprotected,
    /// An answer.
    Answered {
        /// Its status.
        status: StatusCode,
    },
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub stage: Stage,
    /// How long it took.
    pub took: Duration,
    /// What was found out, or why the way ends here.
    pub outcome: Result<Fact, EgressError>,
}

/// The way as far as it went.
#[derive(Debug, Default)]
pub struct Walk {
    /// The steps in their order; only the last may have failed.
    pub steps: Vec<Step>,
    /// The URL, where it may be called.
    pub target: Option<Target>,
    /// The certificate that the server showed, even where it was not accepted.
    pub certificate: Option<Certificate>,
    /// The answer, where there is one.
    pub reply: Option<Reply>,
}

impl Walk {
    /// Why the way ended before an answer.
    pub fn failure(&self) -> Option<&EgressError> {
        self.steps.last()?.outcome.as_ref().err()
    }
}

/// Goes to a URL with the request that is made for it, and tells about every step, to `told` as soon as it was taken.
pub async fn walk(
    egress: &Egress,
    url: &str,
    request: impl FnOnce(Target) -> Request + Send,
    mut told: impl FnMut(&Step) + Send,
) -> Walk {
    let mut notes = Notes { walk: Walk::default(), told: &mut told };
    // The steps have noted why it ended.
    let _: Option<()> = go(egress, url, request, &mut notes).await;
    notes.walk
}

/// A walk that is under way.
struct Notes<'a> {
    walk: Walk,
    told: &'a mut (dyn FnMut(&Step) + Send),
}

async fn go(
    egress: &Egress,
    url: &str,
    request: impl FnOnce(Target) -> Request + Send,
    notes: &mut Notes<'_>,
) -> Option<()> {
    let began = Instant::now();
    let target =
        notes.note(Stage::Address, began, egress.target(url).map_err(EgressError::from), |_| Fact::Fit)?;
    notes.walk.target = Some(target.clone());

    let began = Instant::now();
    let cleared = notes.note(Stage::Dns, began, egress.resolve(&target).await, |cleared| Fact::Found {
        addresses: cleared.addresses().iter().map(SocketAddr::ip).collect(),
        refused: cleared.dropped(),
    })?;

    let began = Instant::now();
    let connected = egress.connect(&cleared).await.and_then(|stream| {
        let peer = stream.peer_addr().map_err(|error| EgressError::of_connect(&error))?;
        Ok((stream, peer))
    });
    let (stream, _) =
        notes.note(Stage::Tcp, began, connected, |(_, peer)| Fact::Connected { peer: *peer })?;

    let began = Instant::now();
    let wire = match target.protection() {
        Protection::Plain => notes.note(Stage::Tls, began, Ok(Wire::Plain(stream)), |_| Fact::Unprotected)?,
        Protection::Tls => {
            let witness = Witness::default();
            let secured = egress.secure(stream, &target, egress.tls().witnessed(&witness)).await;
            notes.walk.certificate = witness.seen();
            let certificate = notes.walk.certificate.clone();
            notes.note(Stage::Tls, began, secured, |wire| Fact::Secured {
                version: wire.version(),
                certificate,
            })?
        }
    };

    let began = Instant::now();
    let answered = match Link::open(wire).await {
        Ok(link) => egress.ask_over(link, request(target)).await,
        Err(error) => Err(error),
    };
    let reply = notes.note(Stage::Http, began, answered, |reply| Fact::Answered { status: reply.status })?;
    notes.walk.reply = Some(reply);
    Some(())
}

impl Notes<'_> {
    fn note<T>(
        &mut self,
        stage: Stage,
        began: Instant,
        outcome: Result<T, EgressError>,
        fact: impl FnOnce(&T) -> Fact,
    ) -> Option<T> {
        let took = began.elapsed();
        let (outcome, value) = match outcome {
            Ok(value) => (Ok(fact(&value)), Some(value)),
            Err(error) => (Err(error), None),
        };
        let step = Step { stage, took, outcome };
        (self.told)(&step);
        self.walk.steps.push(step);
        value
    }
}
