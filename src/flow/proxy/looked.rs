//! A long answer on its way: passed on as it comes, up to where something stands in it that has to be changed.
//!
//! What stands for something of the server's is a state or the id of a task, and either is named before it is told. So an
//! answer is passed on while neither name has come, and held from there: what the agent has by then needs no change.

use bytes::Bytes;

use crate::{
    flow::proxy::edit::Editor,
    io::net::error::{EgressError, Part},
};

/// Before one of these nothing has to be changed.
const NAMES: [&[u8]; 2] = [b"\"requestState\"", b"\"taskId\""];
/// A name may come in two pieces: so much is held back until the next.
const LONGEST_NAME: usize = 14;
/// What is held is kept as a whole, and not more than this.
const MOST: usize = 10 * 1024 * 1024;

/// An answer of which more is to come.
#[derive(Debug)]
pub struct Looked {
    editor: Editor,
    /// All that came; nothing any more where it is too long to be looked at.
    seen: Option<Vec<u8>>,
    passed: usize,
    is_held: bool,
}

impl Looked {
    /// At the beginning.
    pub const fn new(editor: Editor) -> Self {
        Self { editor, seen: Some(Vec::new()), passed: 0, is_held: false }
    }

    /// What may be passed on now that this has come.
    ///
    /// # Errors
    /// Where what has to be changed is too long for that.
    pub fn take(&mut self, bytes: Bytes) -> Result<Bytes, EgressError> {
        let Some(seen) = &mut self.seen else { return Ok(bytes) };
        // What is no message is nothing that its agent could read.
        let first = || bytes.trim_ascii_start().first().copied();
        if seen.trim_ascii_start().is_empty() && first().is_some_and(|byte| !matches!(byte, b'{' | b'[')) {
            return Err(EgressError::Protocol);
        }
        seen.extend_from_slice(&bytes);
        if self.is_held {
            let fits = seen.len() <= MOST;
            return if fits { Ok(Bytes::new()) } else { Err(EgressError::TooLarge(Part::Body)) };
        }
        let new = &seen[self.passed..];
        let named = NAMES.iter().filter_map(|name| memchr::memmem::find(new, name)).min();
        self.is_held = named.is_some();
        let until = named.unwrap_or_else(|| new.len().saturating_sub(LONGEST_NAME - 1));
        let passed = Bytes::copy_from_slice(&new[..until]);
        self.passed += until;
        if seen.len() > MOST && !self.is_held {
            // A handle so far behind stays the server's own, and opens nothing when it comes back.
            let rest = Bytes::copy_from_slice(&seen[self.passed..]);
            self.seen = None;
            return Ok([passed, rest].concat().into());
        }
        Ok(passed)
    }

    /// The rest, changed where it has to be.
    ///
    /// # Errors
    /// Where it would have to be changed before what was passed on.
    pub fn finish(&mut self) -> Result<Bytes, EgressError> {
        let Some(seen) = self.seen.take() else { return Ok(Bytes::new()) };
        let edited = if self.is_held { self.editor.edit(&seen).ok().flatten() } else { None };
        let whole = edited.as_ref().unwrap_or(&seen);
        if whole.get(..self.passed) != Some(&seen[..self.passed]) {
            return Err(EgressError::Protocol);
        }
        Ok(Bytes::copy_from_slice(&whole[self.passed..]))
    }
}
