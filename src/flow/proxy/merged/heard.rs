//! What is known of a message to the merged endpoint before it is told what it asks for.

use crate::{
    domain::audit::ClientPart,
    flow::proxy::{
        admit::Admitted,
        ask::Ask,
        gateway::Gateway,
        handles::Session,
        judge,
        refusal::{Refusal, Refused},
        route,
    },
    protocol::mcp::{
        message::Message,
        version::{self, Era},
    },
};

const SESSION: &str = "mcp-session-id";

/// What is known of a message.
pub(super) struct Heard {
    /// The era that it speaks.
    pub(super) era: Era,
    /// The session it belongs to.
    pub(super) session: Option<Session>,
    /// The software that calls, as it names itself.
    pub(super) client: Option<ClientPart>,
}

impl Heard {
    /// Looks at a message and checks what holds for all of them.
    pub(super) fn of(
        gateway: &Gateway,
        admitted: &Admitted,
        ask: &Ask,
        message: &Message<'_>,
    ) -> Result<Self, Box<Refused>> {
        let spoken = version::spoken(message, ask.header("mcp-protocol-version").map(str::as_bytes));
        let mut heard = Self { era: spoken.era, session: None, client: route::client_of(message) };
        let checked = heard.open_session(gateway, admitted, ask).and_then(|()| {
            admitted.check_client(heard.client.as_ref())?;
            route::unserved(message, &spoken).map_or(Ok(()), Err)?;
            match message {
                Message::Request(request) if heard.era == Era::Modern => {
                    judge::check_modern(ask, request, &[])
                }
                _ => Ok(()),
            }
        });
        match checked {
            Ok(()) => Ok(heard),
            Err(refusal) => Err(heard.refused(admitted, message, refusal)),
        }
    }

    /// Looks at the opening of a stream or the end of a session.
    pub(super) fn of_session(
        gateway: &Gateway,
        admitted: &Admitted,
        ask: &Ask,
    ) -> Result<Self, Box<Refused>> {
        let mut heard = Self { era: Era::Legacy, session: None, client: None };
        let opened = heard.open_session(gateway, admitted, ask);
        let checked = opened
            .and_then(|()| admitted.check_client(heard.client.as_ref()))
            .and_then(|()| route::unserved_header(ask).map_or(Ok(()), Err));
        checked.map_err(|refusal| admitted.refused(refusal))?;
        Ok(heard)
    }

    fn open_session(&mut self, gateway: &Gateway, admitted: &Admitted, ask: &Ask) -> Result<(), Refusal> {
        // The modern era has no sessions; a header left over from the other means nothing there.
        if self.era == Era::Modern || !ask.headers.contains_key(SESSION) {
            return Ok(());
        }
        let handle = ask.header(SESSION).ok_or(Refusal::HandleUnknown)?;
        let session = gateway.handles.open_session(admitted.holder_of_all(), handle);
        let session = session.map_err(|_| Refusal::HandleUnknown)?;
        self.client = self.client.take().or_else(|| session.client.clone());
        self.session = Some(session);
        Ok(())
    }

    /// A refusal with all that is known of the message.
    pub(super) fn refused(
        &self,
        admitted: &Admitted,
        message: &Message<'_>,
        refusal: Refusal,
    ) -> Box<Refused> {
        let mut refused = route::refused(admitted, message, self.era, refusal);
        refused.part.client.clone_from(&self.client);
        refused
    }
}
