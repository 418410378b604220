//! The transport of 2024: messages go to one address, answers come on a stream from another.

use url::Url;

use crate::{
    flow::catalogue::{
        events::Events,
        talk::{Heard, TalkError, from_stream_of, more},
    },
    io::net::{body::ReplyBody, client::Egress, target::Target},
};

/// How much of the stream is read in search of the address for messages.
const OPENING_CAP: usize = 64 * 1024;

/// The stream on which answers come.
pub(super) struct OldStream {
    body: ReplyBody,
    events: Events,
    /// Where messages go.
    pub(super) endpoint: Target,
}

impl OldStream {
    /// Waits for the server to say where messages go.
    pub(super) async fn open(
        egress: &Egress,
        url: &str,
        mut body: ReplyBody,
        left: &mut usize,
    ) -> Result<Self, TalkError> {
        let mut events = Events::of_at_most(*left);
        let enough = left.saturating_sub(OPENING_CAP);
        loop {
            while let Some(event) = events.next() {
                if event.name == "endpoint" {
                    let said = String::from_utf8_lossy(&event.data).into_owned();
                    let endpoint = endpoint(egress, url, said.trim())?;
                    return Ok(Self { body, events, endpoint });
                }
            }
            if *left < enough || !more(&mut body, &mut events, left).await? {
                return Err(TalkError::NotMcp);
            }
        }
    }

    /// Waits for the answer to the request of this id.
    pub(super) async fn answer(&mut self, id: u64, left: &mut usize) -> Heard {
        from_stream_of(&mut self.body, &mut self.events, id, left).await
    }
}

/// The address for messages: on the same origin, or our credentials would go to somebody else.
fn endpoint(egress: &Egress, url: &str, said: &str) -> Result<Target, TalkError> {
    let base = Url::parse(url).map_err(|_| TalkError::NotMcp)?;
    let endpoint = base.join(said).map_err(|_| TalkError::NotMcp)?;
    if endpoint.origin() != base.origin() {
        return Err(TalkError::ForeignEndpoint);
    }
    egress.target(endpoint.as_str()).map_err(|_| TalkError::ForeignEndpoint)
}
