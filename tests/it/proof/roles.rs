//! Every route as nobody, as a stranger, in each role, as an operator and with keys: the statuses are a checked-in table.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test --test it proof::roles` rewrites the table; read the difference before you commit it.

use std::fmt::Write as _;

use futures_util::future::join_all;
use portreeve::web::kit::routes::Route;

use crate::proof::{
    trace::Ground,
    world::{WALKERS, World, changes, routes, world},
};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/proof/roles.txt");
/// How many walks go on at once.
const WALKS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_each_role_as_the_table_says() {
    let world = world().await;
    let mut table = format!("{:<7}{:<64}", "method", "path");
    for walker in WALKERS {
        let _ = write!(table, " {walker}");
    }
    table.push('\n');
    let routes = routes();
    let walks = join_all((0..WALKS).map(|first| walk(world, routes.iter().skip(first).step_by(WALKS)))).await;
    for at in 0..routes.len() {
        table.push_str(&walks[at % WALKS][at / WALKS]);
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    let expected = std::fs::read_to_string(TABLE).unwrap_or_default();
    let unexpected: Vec<String> = differences(&expected, &table);
    assert!(unexpected.is_empty(), "{} rows differ:\n{}", unexpected.len(), unexpected.join("\n"));
}

/// The rows of some routes. Each walker finds the world untouched: whoever left a trace leaves a used-up copy behind.
async fn walk(world: &'static World, routes: impl Iterator<Item = &Route>) -> Vec<String> {
    let mut ground = Ground::of(world).await;
    let mut rows = Vec::new();
    for route in routes {
        let path = World::path(route, &world.here);
        let mut row = format!("{:<7}{:<64}", route.method.as_str(), route.path);
        for walker in WALKERS {
            let status = world.knock(ground.app(), walker, route, &path).await.as_u16();
            assert!(status < 500, "{} {} fails for {walker}: {status}", route.method, route.path);
            let _ = write!(row, " {:<width$}", status, width = walker.len());
            if changes(route) {
                ground.renew().await;
            }
        }
        ground.renew().await;
        rows.push(format!("{}\n", row.trim_end()));
    }
    rows
}

/// The lines that only one of two tables has.
pub(super) fn differences(expected: &str, found: &str) -> Vec<String> {
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
