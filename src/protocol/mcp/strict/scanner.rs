//! The scanner: one pass over the bytes, by the grammar of RFC 8259.

use std::ops::Range;

use crate::protocol::mcp::strict::{
    Limits,
    chars::{is_high, is_low, plain_end, unit},
    fault::{Fault, Reason},
    keys::{Entry, Frame, said},
    role::Role,
};

/// How many digits a number may have before it could exceed a double without an exponent.
const SAFE_DIGITS: usize = 300;

/// Room for the members of a usual message, so that they are kept by one allocation.
const USUAL_ENTRIES: usize = 40;

/// What the keys begin with by which serde_json orders itself to read a text inside a string in place of an object: a
/// part of Portreeve that uses it would see another value than the server or the agent.
const RESERVED: &str = "$serde_json::private::";

pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) entries: Vec<Entry>,
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    limits: Limits,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, Fault> {
        if bytes.len() > limits.bytes {
            return Err(Fault { reason: Reason::TooLong, at: limits.bytes });
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|fault| Fault { reason: Reason::NotUtf8, at: fault.valid_up_to() })?;
        let entries = Vec::with_capacity(USUAL_ENTRIES);
        Ok(Self { text, entries, bytes, at: 0, depth: 0, limits: *limits })
    }

    /// Reads exactly one value and answers where it stands.
    pub(super) fn whole(&mut self, role: Role) -> Result<Range<usize>, Fault> {
        self.space();
        let start = self.at;
        if role == Role::Envelope && self.peek() == Some(b'[') {
            return Err(self.fault(Reason::Batch));
        }
        self.value(role)?;
        let end = self.at;
        self.space();
        if self.at < self.bytes.len() { Err(self.fault(Reason::Trailing)) } else { Ok(start..end) }
    }

    fn value(&mut self, role: Role) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(role),
            Some(b'[') => self.array(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => Err(self.syntax()),
        }
    }

    fn object(&mut self, role: Role) -> Result<(), Fault> {
        self.enter()?;
        let mut frame = Frame::new(role, self.entries.len());
        if !self.takes(b'}') {
            loop {
                self.member(&mut frame)?;
                self.space();
                if self.takes(b'}') {
                    break;
                }
                self.expect(b',')?;
                self.space();
            }
        }
        if !role.is_kept() {
            self.entries.truncate(frame.base);
        }
        self.depth -= 1;
        Ok(())
    }

    fn member(&mut self, frame: &mut Frame<'a>) -> Result<(), Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax());
        }
        let start = self.at;
        let has_escape = self.string()?;
        let key = start + 1..self.at - 1;
        if key.len() > self.limits.key {
            return Err(Fault { reason: Reason::LongKey, at: start });
        }
        self.space();
        self.expect(b':')?;
        self.space();
        let said = said(&self.text[key.clone()], has_escape);
        if said.starts_with(RESERVED) {
            return Err(Fault { reason: Reason::ReservedKey, at: start });
        }
        let role = frame.role.under(&said);
        let entry = frame
            .admit(&mut self.entries, self.text, key, said)
            .map_err(|reason| Fault { reason, at: start })?;
        let value = self.at;
        self.value(role)?;
        if let Some(entry) = entry {
            self.entries[entry].set_value(value..self.at);
        }
        Ok(())
    }

    fn array(&mut self) -> Result<(), Fault> {
        self.enter()?;
        if !self.takes(b']') {
            loop {
                self.value(Role::Other)?;
                self.space();
                if self.takes(b']') {
                    break;
                }
                self.expect(b',')?;
                self.space();
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Steps behind an opening bracket and the spaces that follow.
    fn enter(&mut self) -> Result<(), Fault> {
        if self.depth == self.limits.depth {
            return Err(self.fault(Reason::TooDeep));
        }
        self.depth += 1;
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Reads a string and answers whether it has escapes.
    fn string(&mut self) -> Result<bool, Fault> {
        self.at = plain_end(self.bytes, self.at + 1);
        if self.takes(b'"') {
            return Ok(false);
        }
        while self.takes(b'\\') {
            self.escape()?;
            self.at = plain_end(self.bytes, self.at);
        }
        self.expect(b'"').map(|()| true)
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let lone = Fault { reason: Reason::LoneSurrogate, at: self.at - 1 };
                let first = self.unit()?;
                if is_low(first) {
                    return Err(lone);
                }
                if is_high(first) {
                    let is_pair = self.takes(b'\\') && self.peek() == Some(b'u') && is_low(self.unit()?);
                    return if is_pair { Ok(()) } else { Err(lone) };
                }
                Ok(())
            }
            _ => Err(self.syntax()),
        }
    }

    /// Reads `uXXXX`.
    fn unit(&mut self) -> Result<u16, Fault> {
        let unit = unit(self.bytes, self.at + 1).ok_or_else(|| self.syntax())?;
        self.at += 5;
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        let has_exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if has_exponent {
            self.at += 1;
            if !self.takes(b'+') {
                self.takes(b'-');
            }
            self.digits()?;
        }
        let number = &self.text[start..self.at];
        if number.len() > self.limits.number {
            return Err(Fault { reason: Reason::LongNumber, at: start });
        }
        let may_overflow = has_exponent || number.len() > SAFE_DIGITS;
        if may_overflow && !number.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(Fault { reason: Reason::NumberRange, at: start });
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.syntax()) } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        for letter in word {
            self.expect(*letter)?;
        }
        Ok(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Steps over this byte where it comes next, and says whether it did.
    fn takes(&mut self, byte: u8) -> bool {
        let comes = self.peek() == Some(byte);
        self.at += usize::from(comes);
        comes
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.takes(byte) { Ok(()) } else { Err(self.syntax()) }
    }

    fn syntax(&self) -> Fault {
        let is_end = self.at >= self.bytes.len();
        self.fault(if is_end { Reason::Incomplete } else { Reason::Syntax })
    }

    const fn fault(&self, reason: Reason) -> Fault {
        Fault { reason, at: self.at }
    }
}
