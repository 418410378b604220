//! Secrets that people carry: prefix, row id, 256 random bits and a checksum.
//!
//! The row id makes lookup one indexed read; the checksum lets scanners and typing errors be told apart from
//! guesses; only the SHA-256 of the random part is stored.

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::base::{
    crypto::{
        digest::{self, Digest},
        random,
    },
    ids::{Id, Kind},
    secret::Secret,
};

/// The prefixes of carried secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `prk_`: API key.
    ApiKey,
    /// `prg_`: token of a grant, which an agent carries.
    Grant,
    /// `pri_`: invitation.
    Invitation,
    /// `prs_`: browser session, in the cookie.
    Session,
    /// `prm_`: link in a letter.
    Mail,
    /// `prc_`: half-finished sign-in, in a cookie.
    Ceremony,
    /// `pru_`: first-run set-up link.
    SetUp,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::ApiKey, Self::Grant, Self::Invitation, Self::Session, Self::Mail, Self::Ceremony, Self::SetUp];

    /// The letters before the token proper.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "prk_",
            Self::Grant => "prg_",
            Self::Invitation => "pri_",
            Self::Session => "prs_",
            Self::Mail => "prm_",
            Self::Ceremony => "prc_",
            Self::SetUp => "pru_",
        }
    }
}

/// A carried secret, taken apart.
#[derive(Debug)]
pub struct Token {
    kind: TokenKind,
    row: Uuid,
    secret: Secret<[u8; 32]>,
}

impl Token {
    /// A new token for a row.
    pub fn issue<K: Kind>(kind: TokenKind, row: Id<K>) -> Self {
        Self { kind, row: row.uuid(), secret: Secret::new(random::bytes()) }
    }

    /// What is stored of it.
    pub fn hash(&self) -> Digest {
        digest::sha256(self.secret.expose())
    }

    /// Whether it is the token whose hash was stored.
    pub fn matches(&self, stored: &[u8]) -> bool {
        digest::same(&self.hash(), stored)
    }

    /// The row it belongs to.
    pub fn row<K>(&self) -> Id<K> {
        Id::from_uuid(self.row)
    }

    /// A key derived from the secret part, for one named purpose.
    pub fn derive(&self, purpose: &str) -> Digest {
        digest::hmac(self.secret.expose(), purpose.as_bytes())
    }

    /// The form that is handed out, once.
    pub fn text(&self) -> Secret<String> {
        let mut bytes = Zeroizing::new([0u8; 52]);
        bytes[..16].copy_from_slice(self.row.as_bytes());
        bytes[16..48].copy_from_slice(self.secret.expose());
        let checksum = crc32fast::hash(&bytes[..48]);
        bytes[48..].copy_from_slice(&checksum.to_be_bytes());
        let mut text = String::with_capacity(4 + 84);
        text.push_str(self.kind.prefix());
        data_encoding::BASE32_DNSCURVE.encode_append(&*bytes, &mut text);
        Secret::new(text)
    }

    /// The last letters of the text: part of its checksum, nothing of its secret.
    pub fn tail(&self) -> String {
        let text = self.text();
        let text = text.expose();
        text[text.len() - 4..].to_owned()
    }

    /// Reads a token of the wanted kind; `None` for anything else.
    pub fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        let body = text.strip_prefix(kind.prefix())?;
        if body.len() != 84 {
            return None;
        }
        let bytes = Zeroizing::new(data_encoding::BASE32_DNSCURVE.decode(body.as_bytes()).ok()?);
        let (signed, checksum) = bytes.split_at_checked(48)?;
        if crc32fast::hash(signed).to_be_bytes() != *checksum {
            return None;
        }
        let row = Uuid::from_slice(&signed[..16]).ok()?;
        let secret: [u8; 32] = signed[16..].try_into().ok()?;
        Some(Self { kind, row, secret: Secret::new(secret) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::ApiKeyId;
    use proptest::prelude::*;

    #[test]
    fn a_token_reads_back_and_a_typing_error_does_not() {
        let row = ApiKeyId::fresh();
        let token = Token::issue(TokenKind::ApiKey, row);
        let text = token.text();
        let again = Token::parse(TokenKind::ApiKey, text.expose()).expect("our own token");
        assert!(again.matches(&token.hash()));
        assert_eq!(again.row::<crate::base::ids::ApiKey>(), row);
        let mut typo = text.expose().clone();
        let last = typo.pop().expect("not empty");
        typo.push(if last == '1' { '2' } else { '1' });
        assert!(Token::parse(TokenKind::ApiKey, &typo).is_none());
        assert!(Token::parse(TokenKind::Session, text.expose()).is_none());
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let token = Token::issue(TokenKind::ApiKey, ApiKeyId::fresh());
        assert!(format!("{token:?}").contains("***"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,100}") {
            let _ = Token::parse(TokenKind::ApiKey, &text);
            let _ = Token::parse(TokenKind::ApiKey, &format!("prk_{text}"));
        }
    }
}
