//! A message for the caller's next page, carried in a signed cookie.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::base::crypto::digest::{self, Digest};

/// What the next page says once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toast {
    /// One sentence.
    pub text: String,
    /// A form that takes the step back.
    pub undo: Option<Undo>,
}

/// A form that takes a step back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Where it posts to.
    pub action: String,
    /// Its hidden fields.
    pub fields: Vec<(String, String)>,
}

impl Toast {
    /// A message without a way back.
    pub fn say(text: impl Into<String>) -> Self {
        Self { text: text.into(), undo: None }
    }

    /// A message with an Undo button.
    pub fn with_undo(
        text: impl Into<String>,
        action: impl Into<String>,
        fields: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { text: text.into(), undo: Some(Undo { action: action.into(), fields }) }
    }

    /// The cookie's value.
    pub fn pack(&self, key: &Digest) -> String {
        let body = serde_json::to_vec(self).expect("texts serialize");
        let tag = digest::hmac(key, &body);
        format!("{}.{}", URL_SAFE_NO_PAD.encode(body), URL_SAFE_NO_PAD.encode(&tag[..16]))
    }

    /// Reads a cookie that was packed with the same key.
    pub fn unpack(key: &Digest, text: &str) -> Option<Self> {
        let (body, tag) = text.split_once('.')?;
        let body = URL_SAFE_NO_PAD.decode(body).ok()?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        if !digest::same(&digest::hmac(key, &body)[..16], &tag) {
            return None;
        }
        serde_json::from_slice(&body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back_only_with_its_key() {
        let toast =
            Toast::with_undo("Role changed", "/o/acme/members/x/role", [("role", "member".to_owned())]);
        let packed = toast.pack(&[1; 32]);
        assert_eq!(Toast::unpack(&[1; 32], &packed), Some(toast));
        assert_eq!(Toast::unpack(&[2; 32], &packed), None);
        assert_eq!(Toast::unpack(&[1; 32], &packed.replace('.', "A.")), None);
        assert_eq!(Toast::unpack(&[1; 32], "x"), None);
    }
}
