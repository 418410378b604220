//! Where a merged list goes on: sealed, for this grant and this kind of list alone.

use serde::{Deserialize, Serialize};

use crate::{
    base::ids::ServerId,
    flow::proxy::{
        admit::Admitted,
        gateway::Gateway,
        handles::{HandleKind, Handles, Holder},
        refusal::Refusal,
    },
    protocol::mcp::{message::Request, method::ListKind},
};

/// A place in a list.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cursor {
    #[serde(rename = "k")]
    kind: String,
    /// In whose list; none in a list that is no single server's.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerId>,
    /// The server's own cursor, or behind which name to go on; none at the beginning of the server's list.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
}

impl Cursor {
    /// A place in a list of this kind.
    pub fn new(kind: ListKind, server: Option<ServerId>, behind: Option<String>) -> Self {
        Self { kind: kind.member().to_owned(), server, behind }
    }

    /// What an agent is given for it.
    pub fn seal(&self, handles: &Handles, holder: Holder) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        handles.seal(HandleKind::Cursor, Holder { server: None, ..holder }, &text)
    }

    /// The place that a request names; none where it begins the list.
    ///
    /// # Errors
    /// Where the cursor is of another grant or list.
    pub(super) fn of(
        gateway: &Gateway,
        admitted: &Admitted,
        request: &Request<'_>,
        kind: ListKind,
    ) -> Result<Option<Self>, Refusal> {
        let bad = |what: String| Refusal::BadParams { what };
        let Some(handle) = request.params.cursor().map_err(|fault| bad(fault.to_string()))? else {
            return Ok(None);
        };
        let text = gateway.handles.open(HandleKind::Cursor, admitted.holder_of_all(), &handle);
        let cursor: Option<Self> = text.ok().and_then(|text| serde_json::from_slice(&text).ok());
        cursor.filter(|cursor| cursor.kind == kind.member()).map(Some).ok_or_else(unknown)
    }
}

/// The cursor leads nowhere here.
pub(super) fn unknown() -> Refusal {
    Refusal::BadParams { what: "params.cursor is none of this list's. Begin the list again".to_owned() }
}
