//! Questions of servers whose answers may come to another replica than the one that asked.
//!
//! Owns the tables `call_questions` and `call_pieces`: a question while it waits, what its agent said where that came
//! elsewhere, and what the call came to then, on its way to the agent.
//!
//! Lacks on purpose: the questions themselves, which reach the agent on its own stream; and sealing, which is the vault's.
//!
//! Invariant: a question is answered once, and its words are taken once.
//! Invariant: nothing that a server or an agent said stands here unsealed.
//! Invariant: of what a call comes to only so many pieces lie here at once.

pub mod store;

use crate::base::{
    crypto::digest::Digest,
    ids::{CallQuestionId, DataKeyId, GrantId, ServerId},
};

/// A question that an agent is asked.
#[derive(Clone, Copy, Debug)]
pub struct NewQuestion<'a> {
    /// Under which id.
    pub id: CallQuestionId,
    /// The grant that may answer.
    pub grant: GrantId,
    /// The server that asks.
    pub server: ServerId,
    /// Of the call that is to be made again with the answers; none where the answer comes by itself.
    pub call: Option<&'a Digest>,
    /// By what names the answers have to come.
    pub wanted: &'a [String],
}

/// A question that nobody has answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Of the call that is to be made again with the answers.
    pub call: Option<Vec<u8>>,
    /// By what names the answers have to come.
    pub wanted: Vec<String>,
}

/// What was said, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedWords {
    /// By which key.
    pub key: DataKeyId,
    /// The words.
    pub bytes: Vec<u8>,
}

/// Where a question stands that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Nobody took the words yet.
    Left,
    /// The replica that asked goes on with the call.
    Taken,
    /// It took the words, and has not been heard of since.
    Silent,
}
