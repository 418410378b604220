//! One bridged request, with all that carrying it out takes.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use http::StatusCode;

use crate::{
    base::crypto::digest::Digest,
    flow::{
        decision::ServerFacts,
        proxy::{
            again,
            bridge::{
                agent::{Agent, Gone},
                dress::Sender,
                talk::{Line, Silent},
            },
            credential::UsedAccount,
        },
        tokens::Tokens,
    },
    io::db::OrgScope,
    protocol::mcp::{
        message::{self, Message, Request},
        strict::Limits,
    },
};

/// A bridged request.
pub(super) struct Job {
    /// The message that was judged, with its handles opened.
    pub(super) body: Bytes,
    /// Where it goes.
    pub(super) line: Line,
    pub(super) server: Arc<ServerFacts>,
    /// The account whose token goes along.
    pub(super) account: Option<UsedAccount>,
    /// Where a token is renewed that the server refuses.
    pub(super) tokens: Tokens,
    pub(super) scope: OrgScope,
    /// Who sends it.
    pub(super) sender: Sender,
    /// The session of the agent's own that it belongs to.
    pub(super) agents: Option<Digest>,
    pub(super) agent: Agent,
}

/// Why a request ended without an answer.
#[derive(Debug)]
pub(super) enum Cut {
    /// The agent is gone.
    Gone,
    /// The server gave none.
    Silent(Silent),
}

impl From<Gone> for Cut {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Silent> for Cut {
    fn from(silent: Silent) -> Self {
        Self::Silent(silent)
    }
}

impl Job {
    /// Waits for the server, but no longer than the agent does.
    pub(super) async fn wait<T, E: Into<Silent>>(
        &self,
        server: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Cut> {
        tokio::select! {
            biased;
            () = self.agent.off.cancelled() => Err(Cut::Gone),
            () = self.agent.mouth.pieces.closed() => Err(Cut::Gone),
            said = server => said.map_err(|error| Cut::Silent(error.into())),
        }
    }

    /// Puts an end to it where it did not come to one.
    pub(super) async fn settle(&mut self, came: Result<(), Cut>) {
        match came {
            Ok(()) => {}
            Err(Cut::Gone) => self.agent.abandon(),
            Err(Cut::Silent(Silent { code, mut sentence, status, wanted })) => {
                if status == Some(StatusCode::UNAUTHORIZED)
                    && let Some(used) = self.account
                    && self.tokens.refused(self.scope, used.id, used.version).await
                {
                    sentence = again::in_a_moment(&sentence);
                }
                match (status, wanted) {
                    (Some(StatusCode::FORBIDDEN), Some(wanted)) => {
                        self.agent.challenged((code, sentence), StatusCode::FORBIDDEN, *wanted).await;
                    }
                    (status, _) => {
                        self.agent.fail(code, &sentence, status.map(|status| status.as_u16())).await;
                    }
                }
            }
        }
    }
}

/// The request in a body that was judged.
pub(super) fn request(body: &[u8]) -> Option<Request<'_>> {
    match message::parse(body, &Limits::of(body.len())) {
        Ok(Message::Request(request)) => Some(request),
        _ => None,
    }
}
