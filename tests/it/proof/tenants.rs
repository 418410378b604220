//! Every route with every id of another organization: not found, and nothing of the other organization touched.

use futures_util::future::join_all;
use http::StatusCode;
use portreeve::web::kit::routes::Route;

use crate::proof::{
    trace::Ground,
    world::{World, routes, world},
};

/// How many walks go on at once.
const WALKS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_organizations_ids_are_unknown_on_every_route() {
    let world = world().await;
    let tries: Vec<(Route, &'static str)> = routes()
        .into_iter()
        .flat_map(|route| {
            let names = parameters(&route);
            names
                .into_iter()
                .filter(|name| world.there.contains_key(name))
                .map(move |name| (route.clone(), name))
        })
        .collect();
    assert!(tries.len() > 10, "there are routes with ids");
    let walks = join_all((0..WALKS).map(|first| walk(world, tries.iter().skip(first).step_by(WALKS)))).await;
    let faults: Vec<String> = walks.into_iter().flatten().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is wrong with some of the tries.
async fn walk(world: &'static World, tries: impl Iterator<Item = &(Route, &'static str)>) -> Vec<String> {
    let mut ground = Ground::of(world).await;
    let mut faults = Vec::new();
    for (route, name) in tries {
        faults.extend(try_one(world, &mut ground, route, name).await);
        ground.renew().await;
    }
    faults
}

/// The strongest member of one organization names one thing of the other.
async fn try_one(world: &World, ground: &mut Ground, route: &Route, name: &'static str) -> Option<String> {
    let mut values = world.here.clone();
    values.insert(name, world.there[name].clone());
    let path = World::path(route, &values);
    let walker = if route.path.starts_with("/api/") { "key_full" } else { "owner" };
    let status = world.knock(ground.app(), walker, route, &path).await;
    if ground.look().await.of_other() != ground.untouched().of_other() {
        return Some(format!(
            "{} {} touched the other organization with its {name}",
            route.method, route.path
        ));
    }
    (status != StatusCode::NOT_FOUND)
        .then(|| format!("{} {} answers {status} for a foreign {name}", route.method, route.path))
}

fn parameters(route: &Route) -> Vec<&'static str> {
    const KNOWN: [&str; 20] = [
        "secret_id",
        "my_secret",
        "connection",
        "grant",
        "grant_token",
        "org",
        "team",
        "provider",
        "user",
        "member",
        "invitation",
        "key",
        "account",
        "event",
        "id",
        "person",
        "session",
        "passkey",
        "letter",
        "job",
    ];
    KNOWN.into_iter().filter(|name| route.path.contains(&format!("{{{name}}}"))).collect()
}
