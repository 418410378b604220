//! A client of the era before 2026 asks for what came of a task, and waits until something did.

use std::sync::Arc;

use tokio::{
    sync::mpsc,
    time::{Duration, Instant, MissedTickBehavior, interval},
};

use crate::{
    flow::proxy::{
        ask::Answer,
        gateway::Gateway,
        hold,
        pieces::{self, Piece},
        tasks::poll::Poll,
    },
    protocol::mcp::error::Code,
};

/// How long whoever asks for a result waits for it.
const WHILE: Duration = Duration::from_secs(5 * 60);
/// How often is looked whether there is one.
const LOOK: Duration = Duration::from_secs(1);
/// How often somebody who waits hears that the stream is still there.
const HUM: u64 = 20;

/// Waits until something came of a task, while its agent listens.
pub(super) async fn wait(gateway: &Arc<Gateway>, poll: Poll) -> Answer {
    match poll.outcome(gateway).await {
        Ok(None) => {}
        Ok(Some(answer)) => return answer,
        Err(error) => return poll.away(gateway, &error),
    }
    let room = Arc::clone(&gateway.held).try_acquire_owned().ok().filter(|_| poll.ask.takes_events());
    let Some(room) = room else { return unready(&poll) };
    let (outlet, inlet) = pieces::channel();
    let gateway = Arc::clone(gateway);
    let tracker = gateway.tasks.clone();
    tracker.spawn(async move {
        let _room = room;
        if let Some(answer) = came(&gateway, &poll, &outlet).await {
            hold::pass_on(answer, &outlet).await;
        }
    });
    pieces::stream(None, inlet)
}

fn unready(poll: &Poll) -> Answer {
    poll.error(Code::InternalError, "The task is not over yet. Ask by tasks/get where it stands.")
}

/// What came of a task, as soon as something did; none where nobody listens any more.
async fn came(gateway: &Arc<Gateway>, poll: &Poll, outlet: &mpsc::Sender<Piece>) -> Option<Answer> {
    let until = Instant::now() + WHILE;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looked = 0;
    while Instant::now() < until {
        tokio::select! {
            _ = looks.tick() => {}
            () = outlet.closed() => return None,
            () = gateway.stop.cancelled() => break,
        }
        match poll.outcome(gateway).await {
            Ok(Some(answer)) => return Some(answer),
            Ok(None) => {}
            // The database may be there again at the next look.
            Err(error) => tracing::warn!(%error, "a task cannot be looked after"),
        }
        looked += 1;
        if looked % HUM == 0 {
            outlet.send(Piece::Quiet).await.ok()?;
        }
    }
    Some(unready(poll))
}
