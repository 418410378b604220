//! Every route as nobody, as a stranger, in each role, as an operator and with keys: the statuses are a checked-in table.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test --test it proof::roles` rewrites the table; read the difference before you commit it.

use std::fmt::Write as _;

use futures_util::{StreamExt, stream};
use portreeve::web::kit::routes::Route;

use crate::proof::world::{WALKERS, World, changes, routes, world};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/proof/roles.txt");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_each_role_as_the_table_says() {
    let world = world().await;
    let mut table = format!("{:<7}{:<64}", "method", "path");
    for walker in WALKERS {
        let _ = write!(table, " {walker}");
    }
    table.push('\n');
    let rows: Vec<String> = stream::iter(routes()).map(|route| row(world, route)).buffered(4).collect().await;
    for row in rows {
        table.push_str(&row);
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    let expected = std::fs::read_to_string(TABLE).unwrap_or_default();
    let unexpected: Vec<String> = differences(&expected, &table);
    assert!(unexpected.is_empty(), "{} rows differ:\n{}", unexpected.len(), unexpected.join("\n"));
}

/// One row: a route that changes something is tried on a copy of the world for each walker.
async fn row(world: &World, route: Route) -> String {
    let path = World::path(&route, &world.here);
    let mut row = format!("{:<7}{:<64}", route.method.as_str(), route.path);
    let shared = if changes(&route) { None } else { Some(world.copy().await) };
    for walker in WALKERS {
        let own;
        let app = match &shared {
            Some(app) => app,
            None => {
                own = world.copy().await;
                &own
            }
        };
        let status = world.knock(app, walker, &route, &path).await.as_u16();
        assert!(status < 500, "{} {} fails for {walker}: {status}", route.method, route.path);
        let _ = write!(row, " {:<width$}", status, width = walker.len());
    }
    format!("{}\n", row.trim_end())
}

fn differences(expected: &str, found: &str) -> Vec<String> {
    let lost = expected
        .lines()
        .filter(|line| !found.lines().any(|other| other == *line))
        .map(|line| format!("- {line}"));
    let new = found
        .lines()
        .filter(|line| !expected.lines().any(|other| other == *line))
        .map(|line| format!("+ {line}"));
    lost.chain(new).collect()
}
