//! A bare stage for the kit's own trials: a database, a clock, and any router on a loopback address.

use std::future::IntoFuture;

use portreeve::{base::clock::Clock, io::db::Db};
use time::macros::datetime;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::kit::{
    database::TestDatabase,
    http::{Script, Visitor},
};

/// What a test of the doors stands on.
pub(crate) struct Stage {
    /// Dropped with the app.
    pub(crate) database: TestDatabase,
    /// The pool that the app serves from.
    pub(crate) db: Db,
    /// Stands still until the test moves it.
    pub(crate) clock: Clock,
    served: Option<Served>,
}

struct Served {
    origin: String,
    task: JoinHandle<()>,
}

impl Stage {
    /// Database and clock, with nothing served yet.
    pub(crate) async fn prepare() -> Self {
        let database = TestDatabase::fresh().await;
        let db = database.db();
        let clock = Clock::settable(datetime!(2026-11-21 12:00 UTC));
        Self { database, db, clock, served: None }
    }

    /// Serves `router`, which is given the origin it will be reached at.
    pub(crate) async fn serve(&mut self, router: impl FnOnce(&str) -> axum::Router) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // A browser takes `localhost`, and no address, for the name of a passkey's keeper.
        let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let router = router(&origin);
        let task = tokio::spawn(async move {
            axum::serve(listener, router).into_future().await.ok();
        });
        self.served = Some(Served { origin, task });
    }

    /// Where the app is reached, without a slash at the end.
    pub(crate) fn origin(&self) -> &str {
        &self.served.as_ref().expect("serve comes before origin").origin
    }

    /// Somebody at the console who has not signed in.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::new(self.origin())
    }

    /// A script with a key, or without one.
    pub(crate) fn script(&self, bearer: Option<&str>) -> Script {
        Script::new(self.origin(), bearer)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(served) = &self.served {
            served.task.abort();
        }
    }
}
