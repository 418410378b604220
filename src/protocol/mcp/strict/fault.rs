//! Why a text is refused.

/// A refusal: the reason, and at which byte it shows. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}, at byte {at}")]
pub struct Fault {
    /// What is wrong.
    pub reason: Reason,
    /// The offset of the byte where it shows.
    pub at: usize,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// Longer than the bound for this kind of body.
    #[error("the body is too long")]
    TooLong,
    /// Bytes that are no UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// An array of messages.
    #[error("batches are not accepted; send one message at a time")]
    Batch,
    /// Not the grammar of JSON.
    #[error("the body is not JSON")]
    Syntax,
    /// The text stops inside a value.
    #[error("the body ends too early")]
    Incomplete,
    /// Something follows the value.
    #[error("something follows the JSON value")]
    Trailing,
    /// Containers inside each other beyond the bound.
    #[error("the body is nested too deeply")]
    TooDeep,
    /// A key twice in one object.
    #[error("an object has the same key twice")]
    DuplicateKey,
    /// A key that only case tells apart from a named one, or from its neighbor.
    #[error("two keys, or a key and one that the protocol names, differ only in case")]
    CaseVariant,
    /// A key that a widespread reader of JSON takes for an order to itself.
    #[error("a key is one that some readers of JSON keep for themselves")]
    ReservedKey,
    /// Half of a surrogate pair, which no text can hold.
    #[error("a string has a lone surrogate")]
    LoneSurrogate,
    /// A key beyond the bound.
    #[error("a key is too long")]
    LongKey,
    /// A number beyond the bound.
    #[error("a number has too many digits")]
    LongNumber,
    /// A number that would become infinite.
    #[error("a number is out of range")]
    NumberRange,
}

impl Reason {
    /// A code that stays the same, for logs, tests and records.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "body_too_long",
            Self::NotUtf8 => "not_utf8",
            Self::Batch => "batch",
            Self::Syntax => "json_syntax",
            Self::Incomplete => "json_incomplete",
            Self::Trailing => "json_trailing",
            Self::TooDeep => "json_too_deep",
            Self::DuplicateKey => "duplicate_key",
            Self::CaseVariant => "case_variant_key",
            Self::ReservedKey => "reserved_key",
            Self::LoneSurrogate => "lone_surrogate",
            Self::LongKey => "key_too_long",
            Self::LongNumber => "number_too_long",
            Self::NumberRange => "number_out_of_range",
        }
    }

    /// Whether JSON-RPC calls it a parse error; else it is an invalid request.
    pub const fn is_parse_error(self) -> bool {
        matches!(self, Self::NotUtf8 | Self::Syntax | Self::Incomplete | Self::Trailing | Self::LoneSurrogate)
    }
}
