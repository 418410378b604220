//! The steps of a reading, as people read them: what was found, or why it ended and what to do.

use std::time::Duration;

use tokio::sync::watch;

use crate::{
    flow::catalogue::talk::TalkError,
    io::net::{
        error::EgressError,
        stages::{Fact, Stage, Step},
    },
};

/// One step on the way to a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepName {
    /// Whether the address may be reached.
    Address,
    /// The host's addresses.
    Dns,
    /// The connection.
    Tcp,
    /// Its protection.
    Tls,
    /// Whether the server wants to know who calls.
    Auth,
    /// Which protocol it speaks.
    Protocol,
    /// What it offers.
    Tools,
}

impl StepName {
    /// All steps in their order.
    pub const ALL: [Self; 7] =
        [Self::Address, Self::Dns, Self::Tcp, Self::Tls, Self::Auth, Self::Protocol, Self::Tools];

    /// The name in the API and in the history of health.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Protocol => "protocol",
            Self::Tools => "tools",
        }
    }

    /// The step of that name in the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// The name on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Address => "Address",
            Self::Dns => "Name lookup",
            Self::Tcp => "Connection",
            Self::Tls => "Encryption",
            Self::Auth => "Sign-in",
            Self::Protocol => "Protocol",
            Self::Tools => "Catalogue",
        }
    }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Well.
    Passed,
    /// The way ends here.
    Failed,
    /// An earlier step ended the way.
    NotReached,
}

impl StepState {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotReached => "not_reached",
        }
    }
}

/// One step and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepReport {
    /// Which.
    pub name: StepName,
    /// How it ended.
    pub state: StepState,
    /// What was found, as a sentence; empty where nothing was.
    pub fact: String,
    /// Why the way ends here.
    pub cause: Option<String>,
    /// What to do about it.
    pub fix: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Who follows a reading while it goes on; by default nobody does.
#[derive(Debug, Default)]
pub struct Onlooker(Option<watch::Sender<Vec<StepReport>>>);

impl Onlooker {
    /// Somebody who sees the steps that were taken so far.
    pub fn watching() -> (Self, watch::Receiver<Vec<StepReport>>) {
        let (teller, seen) = watch::channel(Vec::new());
        (Self(Some(teller)), seen)
    }
}

/// The steps as they are taken.
#[derive(Debug, Default)]
pub(super) struct Steps {
    taken: Vec<StepReport>,
    onlooker: Onlooker,
}

impl Steps {
    /// No step yet.
    pub(super) const fn before(onlooker: Onlooker) -> Self {
        Self { taken: Vec::new(), onlooker }
    }

    fn take(&mut self, step: StepReport) {
        self.taken.push(step);
        if let Onlooker(Some(teller)) = &self.onlooker {
            teller.send_replace(self.taken.clone());
        }
    }

    /// A step went well.
    pub(super) fn passed(&mut self, name: StepName, took: Duration, fact: impl Into<String>) {
        let (state, fact) = (StepState::Passed, fact.into());
        self.take(StepReport { name, state, fact, cause: None, fix: None, took });
    }

    /// The way ends here.
    pub(super) fn failed(&mut self, name: StepName, took: Duration, (cause, fix): (String, String)) {
        let state = StepState::Failed;
        let (cause, fix) = (Some(cause), Some(fix));
        self.take(StepReport { name, state, fact: String::new(), cause, fix, took });
    }

    /// What the way to the server tells of itself, up to the connection that is ready for a request.
    pub(super) fn walked(&mut self, step: &Step, has_credentials: bool) {
        let name = match step.stage {
            Stage::Address => StepName::Address,
            Stage::Dns => StepName::Dns,
            Stage::Tcp => StepName::Tcp,
            Stage::Tls => StepName::Tls,
            Stage::Http => StepName::Auth,
        };
        match &step.outcome {
            // What the answer means is told by whoever reads it.
            Ok(Fact::Answered { .. }) => {}
            Ok(fact) => self.passed(name, step.took, told(fact)),
            Err(error) => {
                let name = if name == StepName::Auth { StepName::Protocol } else { name };
                if name == StepName::Protocol {
                    self.passed(StepName::Auth, Duration::ZERO, unasked(has_credentials));
                }
                self.failed(name, step.took, of_egress(error));
            }
        }
    }

    /// All steps; those after the last one taken as not reached.
    pub(super) fn finish(mut self) -> Vec<StepReport> {
        let taken = self.taken.len();
        for name in StepName::ALL.into_iter().skip(taken) {
            let state = StepState::NotReached;
            let took = Duration::ZERO;
            self.taken.push(StepReport { name, state, fact: String::new(), cause: None, fix: None, took });
        }
        self.taken
    }
}

/// What is said where the server did not ask who calls.
pub(super) const fn unasked(has_credentials: bool) -> &'static str {
    if has_credentials {
        "The server did not refuse the credentials."
    } else {
        "The server answers without sign-in."
    }
}

fn told(fact: &Fact) -> String {
    match fact {
        Fact::Fit => "The address may be reached.".to_owned(),
        Fact::Found { addresses, refused } => {
            let many = if addresses.len() == 1 { "address" } else { "addresses" };
            let dropped =
                if *refused == 0 { String::new() } else { format!(", {refused} left out by policy") };
            format!("{} {many} found{dropped}.", addresses.len())
        }
        Fact::Connected { .. } => "The server takes connections.".to_owned(),
        Fact::Secured { version, .. } => format!("{version}, with a certificate that was accepted."),
        Fact::Unprotected => "Unencrypted, as the operator allowed for this address.".to_owned(),
        Fact::Answered { status } => format!("It answered {}.", status.as_u16()),
    }
}

/// Why the way ended, and what to do.
pub(super) fn of_egress(error: &EgressError) -> (String, String) {
    let fix = match error {
        EgressError::Target(_) => "Correct the address.",
        EgressError::Refused(_) => {
            "Use a public address. For a server on a network of your own, the operator of this installation has to \
             list it in PORTREEVE_EGRESS_ALLOW."
        }
        EgressError::Lookup => {
            "Check the host name for typing errors, and that it is known outside your network."
        }
        EgressError::Connect(_) => {
            "Check that the server runs, and that the port and the firewall let us in."
        }
        EgressError::Timeout(_) => "Check that the server is not overloaded, then run the check again.",
        EgressError::Tls(_) => {
            "Have the server's certificate renewed or completed; Portreeve does not skip this check."
        }
        EgressError::Protocol => "Check that the port speaks HTTP, and that https:// is right for it.",
        EgressError::TooLarge(_) => "Have the server answer with less at once; lists can be sent in pages.",
        EgressError::Closed(_) => "Look into the server's log, then run the check again.",
    };
    (sentence(&error.to_string()), fix.to_owned())
}

/// Why the conversation ended, and what to do.
pub(super) fn of_talk(error: &TalkError) -> (String, String) {
    match error {
        TalkError::Egress(error) => of_egress(error),
        other => (sentence(&other.to_string()), other.fix().to_owned()),
    }
}

/// The words as a sentence of their own.
fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first: String = chars.next().map(char::to_uppercase).into_iter().flatten().collect();
    let end = if words.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::net::error::{ConnectFault, Phase};

    #[test]
    fn what_was_not_reached_is_told_too() {
        let mut steps = Steps::default();
        let walked = [
            Step { stage: Stage::Address, took: Duration::ZERO, outcome: Ok(Fact::Fit) },
            Step { stage: Stage::Dns, took: Duration::ZERO, outcome: Err(EgressError::Lookup) },
        ];
        for step in &walked {
            steps.walked(step, false);
        }
        let steps = steps.finish();
        assert_eq!(steps.iter().map(|step| step.name).collect::<Vec<_>>(), StepName::ALL);
        assert_eq!((steps[0].state, steps[1].state), (StepState::Passed, StepState::Failed));
        assert!(steps[2..].iter().all(|step| step.state == StepState::NotReached));
    }

    #[test]
    fn a_server_that_hangs_up_on_the_first_request_fails_at_the_protocol() {
        let mut steps = Steps::default();
        let outcome = Err(EgressError::Timeout(Phase::FirstByte));
        steps.walked(&Step { stage: Stage::Http, took: Duration::ZERO, outcome }, true);
        let last = steps.taken.last().expect("a step");
        assert_eq!((last.name, last.state), (StepName::Protocol, StepState::Failed));
    }

    #[test]
    fn an_onlooker_sees_each_step_when_it_is_taken() {
        let (onlooker, seen) = Onlooker::watching();
        let mut steps = Steps::before(onlooker);
        assert!(seen.borrow().is_empty());
        steps.passed(StepName::Address, Duration::ZERO, "");
        assert_eq!(seen.borrow().len(), 1);
        steps.failed(StepName::Dns, Duration::ZERO, of_egress(&EgressError::Lookup));
        assert_eq!(
            seen.borrow().iter().map(|step| step.state).collect::<Vec<_>>(),
            [StepState::Passed, StepState::Failed]
        );
    }

    #[test]
    fn causes_are_sentences_and_have_a_fix() {
        let (cause, fix) = of_egress(&EgressError::Connect(ConnectFault::Refused));
        assert_eq!(cause, "The server refuses connections: nothing listens on that port.");
        assert!(fix.ends_with('.'));
    }
}
