//! Calls that need input first: which questions in which round, and the sealed state that remembers the round.

use std::sync::LazyLock;

use rmcp::ErrorData;
use rmcp::model::{
    ClientCapabilities, InputRequest, InputRequests, InputRequiredResult, InputResponses, JsonObject,
    RequestStateCodec, SealOptions,
};
use serde_json::Value;

use crate::catalogue::Catalogue;

// Nothing is at stake here: the state only has to be refused when it was changed.
static SEAL: LazyLock<RequestStateCodec> = LazyLock::new(|| {
    RequestStateCodec::try_new(*b"a fixed key of a test fixture, never a secret")
        .expect("the key is long enough")
});

/// What a client sent along with the call.
pub struct Given<'a> {
    /// The name of the tool or prompt; a state is sealed for it alone.
    pub name: &'a str,
    /// The arguments of the call.
    pub arguments: &'a JsonObject,
    /// Its answers to earlier questions.
    pub responses: Option<&'a InputResponses>,
    /// The state it repeats.
    pub state: Option<&'a str>,
    /// What it says it can do.
    pub capabilities: ClientCapabilities,
}

/// Questions in rounds.
pub struct Survey {
    rounds: Vec<Vec<String>>,
    is_sealed: bool,
    heeds_capabilities: bool,
}

/// Where a survey stands.
pub enum Step {
    /// More is needed.
    Ask(InputRequiredResult),
    /// All answers of the last round.
    Done(JsonObject),
}

impl Survey {
    /// The survey of a tool or prompt, if it has one.
    pub fn of(name: &str) -> Option<Self> {
        let short = name.strip_prefix("test_input_required_result_").unwrap_or(name);
        Some(match short {
            "elicitation" | "test_tool_with_task" => Self::open(&["user_name"]),
            "sampling" => Self::open(&["capital_question"]),
            "list_roots" => Self::open(&["client_roots"]),
            "prompt" => Self::open(&["user_context"]),
            "test_streaming_elicitation" => Self::open(&["value"]),
            "request_state" | "tampered_state" => Self::sealed(&[&["confirm"]]),
            "multiple_inputs" => Self::sealed(&[&["user_name", "greeting", "client_roots"]]),
            "multi_round" => Self::sealed(&[&["step1"], &["step2"]]),
            "capabilities" => {
                Self { heeds_capabilities: true, ..Self::open(&["user_name", "greeting", "client_roots"]) }
            }
            _ => return None,
        })
    }

    /// A survey of one question.
    pub fn of_one(question: &str) -> Self {
        Self::open(&[question])
    }

    fn open(questions: &[&str]) -> Self {
        Self { is_sealed: false, ..Self::sealed(&[questions]) }
    }

    fn sealed(rounds: &[&[&str]]) -> Self {
        let rounds = rounds.iter().map(|round| round.iter().map(ToString::to_string).collect()).collect();
        Self { rounds, is_sealed: true, heeds_capabilities: false }
    }

    /// Takes the answers and says what is next.
    ///
    /// # Errors
    /// The state was not sealed here, or for another name.
    pub fn advance(&self, catalogue: &Catalogue, given: &Given<'_>) -> Result<Step, ErrorData> {
        let asked = match given.state {
            Some(state) if self.is_sealed => Some(opened(state, given.name)?),
            _ if self.is_sealed => None,
            _ => Some(0),
        };
        // A round counts as answered when each of its questions has an object for an answer.
        let next = match asked {
            Some(round) => match self.answers(catalogue, round, given) {
                Some(answers) if round + 1 >= self.rounds.len() => return Ok(Step::Done(answers)),
                Some(_) => round + 1,
                None => round,
            },
            None => 0,
        };
        let requests = self.questions(catalogue, next, given);
        let state = self.is_sealed.then(|| sealed(next, given.name));
        Ok(Step::Ask(InputRequiredResult::new(Some(requests), state)))
    }

    fn questions(&self, catalogue: &Catalogue, round: usize, given: &Given<'_>) -> InputRequests {
        let names = self.rounds.get(round).map(Vec::as_slice).unwrap_or_default();
        let asks = names.iter().map(|name| (name.clone(), catalogue.ask(name, given.arguments)));
        asks.filter(|(_, ask)| !self.heeds_capabilities || is_able(&given.capabilities, ask)).collect()
    }

    fn answers(&self, catalogue: &Catalogue, round: usize, given: &Given<'_>) -> Option<JsonObject> {
        let questions = self.questions(catalogue, round, given);
        let answer = |name: String| {
            let answer = given.responses?.get(&name).filter(|answer| answer.is_object())?;
            Some((name, answer.clone()))
        };
        questions.into_keys().map(answer).collect()
    }
}

fn is_able(capabilities: &ClientCapabilities, ask: &InputRequest) -> bool {
    match ask {
        InputRequest::CreateMessage(_) => capabilities.sampling.is_some(),
        InputRequest::Elicitation(_) => capabilities.elicitation.is_some(),
        InputRequest::ListRoots(_) => capabilities.roots.is_some(),
        _ => false,
    }
}

fn sealed(round: usize, name: &str) -> String {
    let options = SealOptions::new().associated_data(name.as_bytes());
    SEAL.seal_json_with(&Value::from(round), &options).expect("a number is JSON")
}

fn opened(state: &str, name: &str) -> Result<usize, ErrorData> {
    SEAL.open_json_with(state, name.as_bytes())
        .map_err(|_| ErrorData::invalid_params("the request state was not sealed by this server", None))
}
