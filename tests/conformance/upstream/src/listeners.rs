//! Who wants to hear of changes, in both eras: sessions that subscribed, and open `subscriptions/listen` streams.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::request::Parts;
use rmcp::RoleServer;
use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::{Peer, RequestContext, SubscriptionSink};
use tokio::sync::Mutex;

use crate::asks;

const WATCHED: &str = "test://watched-resource";

/// All listeners.
#[derive(Default)]
pub struct Listeners {
    streams: Mutex<HashMap<u64, SubscriptionSink>>,
    next: AtomicU64,
    watchers: Mutex<Vec<Watcher>>,
}

#[derive(Clone)]
struct Watcher {
    session: String,
    uri: String,
    peer: Peer<RoleServer>,
}

impl Listeners {
    /// Adds a stream and gives its place.
    pub async fn enter(&self, sink: SubscriptionSink) -> u64 {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        self.streams.lock().await.insert(place, sink);
        place
    }

    /// Removes the stream at that place.
    pub async fn leave(&self, place: u64) {
        self.streams.lock().await.remove(&place);
    }

    /// Tells the caller's session of changes of the resource from now on.
    pub async fn watch(&self, uri: String, context: &RequestContext<RoleServer>) {
        let watcher = Watcher { session: session(context), uri, peer: context.peer.clone() };
        self.watchers.lock().await.push(watcher);
    }

    /// Tells the caller's session of changes of the resource no more.
    pub async fn forget(&self, uri: &str, context: &RequestContext<RoleServer>) {
        let session = session(context);
        self.watchers.lock().await.retain(|watcher| watcher.uri != uri || watcher.session != session);
    }

    /// Tells all streams, and the caller's own session, of the change that the tool stands for.
    pub async fn tell(&self, tool: &str, context: &RequestContext<RoleServer>) {
        // Whoever went away meanwhile is not told, which is no failure.
        let streams: Vec<SubscriptionSink> = self.streams.lock().await.values().cloned().collect();
        for stream in streams {
            let _ = match tool {
                "test_trigger_tool_change" => stream.notify_tool_list_changed().await,
                "test_trigger_prompt_change" => stream.notify_prompt_list_changed().await,
                _ => stream.notify_resource_updated(WATCHED).await,
            };
        }
        let has_session = !asks::is_modern(context);
        match tool {
            "test_trigger_tool_change" if has_session => drop(context.peer.notify_tool_list_changed().await),
            "test_trigger_prompt_change" if has_session => {
                drop(context.peer.notify_prompt_list_changed().await)
            }
            "test_trigger_resource_change" => self.tell_watchers().await,
            _ => {}
        }
    }

    async fn tell_watchers(&self) {
        let watchers = self.watchers.lock().await.clone();
        for watcher in watchers.into_iter().filter(|watcher| watcher.uri == WATCHED) {
            let _ =
                watcher.peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(WATCHED)).await;
        }
    }
}

fn session(context: &RequestContext<RoleServer>) -> String {
    let parts = context.extensions.get::<Parts>();
    let id = parts.and_then(|parts| parts.headers.get("mcp-session-id"));
    id.and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned()
}
