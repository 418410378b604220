//! What stands for an upstream's session, task or state towards an agent: sealed, and bound to grant and server, or to the
//! grant alone where it is of the merged endpoint.
//!
//! Any replica opens what another sealed, so nothing needs to be stored, and a handle that somebody else presents, or that
//! was made for another server, does not open.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    base::{
        crypto::seal::{self, Place, SealKey},
        ids::{ConnectionId, GrantId, OrgId, ServerId},
    },
    domain::{audit::ClientPart, vault::Vault},
    flow::proxy::bridge::Bridged,
};

/// For what a handle stands; a handle of one kind does not open as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleKind {
    /// A session.
    Session,
    /// A task.
    Task,
    /// The state of a call that waits for input.
    State,
    /// Where a merged list goes on.
    Cursor,
    /// A task of Portreeve's own: a call that waits for a human.
    Waiting,
}

impl HandleKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Task => "task",
            Self::State => "state",
            Self::Cursor => "cursor",
            Self::Waiting => "waiting",
        }
    }
}

/// To whom a handle belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The organization.
    pub org: OrgId,
    /// The grant.
    pub grant: GrantId,
    /// The server; none where it is of all of them.
    pub server: Option<ServerId>,
}

/// A session of an upstream, with what is known of the agent that began it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The upstream's own id.
    #[serde(rename = "u")]
    pub upstream: String,
    /// The software that began it, as it names itself.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientPart>,
    /// What is known of the client, where the session is Portreeve's own and none of the upstream's.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub bridged: Option<Bridged>,
    /// The account whose token it was opened with.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub account: Option<ConnectionId>,
    /// Whether the client leads its person to an address where it is asked to.
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_links: bool,
}

impl Session {
    /// The session of an agent that opened none, and so said nothing of itself.
    pub fn of_nobody() -> Self {
        Self {
            upstream: String::new(),
            client: None,
            bridged: Some(Bridged::unsaid()),
            account: None,
            takes_links: false,
        }
    }
}

/// A task of an upstream, which its server knows by the account that it was begun with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task<'a> {
    /// The upstream's own id.
    pub upstream: Cow<'a, str>,
    /// The account, where a rule chose it in place of the one that serves else.
    pub account: Option<ConnectionId>,
}

impl Task<'_> {
    /// In no id of a server's that is plain text.
    const MARK: char = '\u{1}';

    /// As it is sealed: the id alone where nothing has to be said besides, as handles always were.
    fn text(&self) -> Cow<'_, str> {
        match self.account {
            None if !self.upstream.starts_with(Self::MARK) => Cow::Borrowed(&self.upstream),
            account => {
                let account = account.map(|account| account.to_string()).unwrap_or_default();
                Cow::Owned(format!("{}{account}{}{}", Self::MARK, Self::MARK, self.upstream))
            }
        }
    }

    fn read(text: String) -> Option<Task<'static>> {
        let Some(marked) = text.strip_prefix(Self::MARK) else {
            return Some(Task { upstream: Cow::Owned(text), account: None });
        };
        let (account, upstream) = marked.split_once(Self::MARK)?;
        let account = if account.is_empty() { None } else { Some(account.parse().ok()?) };
        Some(Task { upstream: Cow::Owned(upstream.to_owned()), account })
    }
}

/// The handle is none of ours, or somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handle is unknown here")]
pub struct Unknown;

/// Seals and opens handles.
#[derive(Clone, Debug)]
pub struct Handles {
    vault: Vault,
}

const PURPOSE: &str = "portreeve/handles/1";
/// Longer texts are none of ours; upstreams' own ids and states are shorter.
const MAX_HANDLE: usize = 64 * 1024;

impl Handles {
    /// Handles under the keys of a vault.
    pub const fn new(vault: Vault) -> Self {
        Self { vault }
    }

    /// Seals a text.
    pub fn seal(&self, kind: HandleKind, holder: Holder, text: &[u8]) -> String {
        let keys = self.keys();
        // Agents compare the ids of tasks; sessions and states are compared by nobody.
        let seal = match kind {
            HandleKind::Task | HandleKind::Waiting => seal::seal_alike,
            HandleKind::Session | HandleKind::State | HandleKind::Cursor => seal::seal,
        };
        let sealed = keys.first().map(|key| seal(key, place(kind, holder), text)).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens what [`Handles::seal`] made for the same holder.
    ///
    /// # Errors
    /// Where it was made for somebody else, for something else, or by nobody.
    pub fn open(&self, kind: HandleKind, holder: Holder, handle: &str) -> Result<Vec<u8>, Unknown> {
        if handle.len() > MAX_HANDLE {
            return Err(Unknown);
        }
        let sealed = URL_SAFE_NO_PAD.decode(handle).map_err(|_| Unknown)?;
        let opened = self.keys().iter().find_map(|key| seal::open(key, place(kind, holder), &sealed).ok());
        opened.map(|plain| plain.expose().clone()).ok_or(Unknown)
    }

    /// Seals a session.
    pub fn seal_session(&self, holder: Holder, session: &Session) -> String {
        let text = serde_json::to_vec(session).unwrap_or_default();
        self.seal(HandleKind::Session, holder, &text)
    }

    /// Opens a session.
    ///
    /// # Errors
    /// As [`Handles::open`].
    pub fn open_session(&self, holder: Holder, handle: &str) -> Result<Session, Unknown> {
        let text = self.open(HandleKind::Session, holder, handle)?;
        serde_json::from_slice(&text).map_err(|_| Unknown)
    }

    /// Seals a task of a server's.
    pub fn seal_task(&self, holder: Holder, task: &Task<'_>) -> String {
        self.seal(HandleKind::Task, holder, task.text().as_bytes())
    }

    /// Opens a task of a server's.
    ///
    /// # Errors
    /// As [`Handles::open`].
    pub fn open_task(&self, holder: Holder, handle: &str) -> Result<Task<'static>, Unknown> {
        let text = String::from_utf8(self.open(HandleKind::Task, holder, handle)?).map_err(|_| Unknown)?;
        Task::read(text).ok_or(Unknown)
    }

    /// The sealing key first; after a rotation of the master keys older handles still open.
    fn keys(&self) -> Vec<SealKey> {
        self.vault.ring().derived(PURPOSE)
    }
}

fn place(kind: HandleKind, holder: Holder) -> Place<'static> {
    // Grant and server together take the place of the row: a digest of both, for a place has one id.
    let server = holder.server.map(|server| server.uuid()).unwrap_or_default();
    let both = [holder.grant.uuid().into_bytes(), server.into_bytes()].concat();
    let digest = crate::base::crypto::digest::sha256(&both);
    let mut row = [0u8; 16];
    row.copy_from_slice(&digest[..16]);
    Place { org: holder.org.uuid(), table: "handles", column: kind.name(), row: Uuid::from_bytes(row) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        base::clock::Clock,
        domain::vault::{MasterId, MasterRing},
    };

    fn handles() -> Handles {
        let id: MasterId = "t1".parse().expect("a name");
        Handles::new(Vault::new(MasterRing::generate(id), Clock::system()))
    }

    fn holder() -> Holder {
        Holder { org: OrgId::fresh(), grant: GrantId::fresh(), server: Some(ServerId::fresh()) }
    }

    #[test]
    fn a_handle_opens_for_its_holder_and_kind_alone() {
        let (handles, mine) = (handles(), holder());
        let handle = handles.seal(HandleKind::Task, mine, b"task-7");
        assert_eq!(handles.open(HandleKind::Task, mine, &handle).as_deref(), Ok(b"task-7".as_slice()));
        assert_eq!(handles.open(HandleKind::State, mine, &handle), Err(Unknown));
        assert_eq!(
            handles.open(HandleKind::Waiting, mine, &handle),
            Err(Unknown),
            "a server's is none of ours"
        );
        assert_eq!(handles.seal(HandleKind::Task, mine, b"task-7"), handle, "a task keeps its name");
        assert_ne!(handles.seal(HandleKind::Task, mine, b"task-8"), handle);
        for other in [
            Holder { org: OrgId::fresh(), ..mine },
            Holder { grant: GrantId::fresh(), ..mine },
            Holder { server: Some(ServerId::fresh()), ..mine },
            Holder { server: None, ..mine },
        ] {
            assert_eq!(handles.open(HandleKind::Task, other, &handle), Err(Unknown));
        }
        assert_eq!(
            self::handles().open(HandleKind::Task, mine, &handle),
            Err(Unknown),
            "another installation"
        );
    }

    #[test]
    fn a_session_keeps_who_began_it_and_fits_into_a_header() {
        let (handles, mine) = (handles(), holder());
        let client = ClientPart { name: "claude-code".to_owned(), version: Some("2".to_owned()) };
        let session = Session {
            upstream: "f81d4fae".to_owned(),
            client: Some(client),
            bridged: None,
            account: Some(ConnectionId::fresh()),
            takes_links: true,
        };
        let handle = handles.seal_session(mine, &session);
        assert!(handle.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));
        assert_eq!(handles.open_session(mine, &handle), Ok(session));
    }

    proptest! {
        #[test]
        fn nothing_made_up_opens_and_nothing_panics(handle in ".{0,200}") {
            prop_assert_eq!(handles().open(HandleKind::Session, holder(), &handle), Err(Unknown));
        }
    }
}
