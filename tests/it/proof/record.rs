//! What the list of routes says of the record is so: a change leaves an event of an action it names, and no other.

use futures_util::future::join_all;
use http::StatusCode;
use portreeve::web::kit::routes::{Access, Effect, Route};
use sqlx::Connection;

use crate::{
    kit::{app::TestApp, database::connect, form::Form, people::PASSWORD},
    proof::{
        bodies::body_of,
        roles::differences,
        trace::Ground,
        world::{World, routes, world},
    },
};

/// What came of a route that was driven with plausible input.
enum Came {
    /// The change was made and left these actions.
    Done(Vec<String>),
    /// It was refused, so nothing is known of it here; its noun's tests drive it.
    Refused,
}

/// What the seeded world already is, so that asking for it again rightly records nothing.
const ALREADY_SO: [&str; 5] = [
    "POST /api/v1/orgs/{org}/servers/{server}/enable",
    "POST /api/v1/orgs/{org}/grants/{grant}/resume",
    "POST /api/v1/orgs/{org}/service-accounts/{account}/enable",
    "POST /api/v1/orgs/{org}/providers/{provider}/enable",
    "POST /api/v1/orgs/{org}/connections/{connection}/enable",
];

/// The routes that plausible input drives to their end; `UPDATE_SNAPSHOTS=1 cargo test --test it proof::record` rewrites
/// the list, which may only grow: what falls off it is no longer proven here.
const DRIVEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/proof/driven.txt");

/// How many walks go on at once.
const WALKS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_leaves_the_events_that_its_route_names() {
    let world = world().await;
    let routes = routes();
    let walks = (0..WALKS).map(|first| walk(world, routes.iter().skip(first).step_by(WALKS)));
    let (mut faults, mut driven, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (name, named, came) in join_all(walks).await.into_iter().flatten() {
        match came {
            Came::Refused => refused.push(name),
            Came::Done(actions) if actions.is_empty() && ALREADY_SO.contains(&name.as_str()) => {
                refused.push(name)
            }
            Came::Done(actions) => {
                driven.push(name.clone());
                if actions.is_empty() || !actions.iter().all(|action| named.contains(&action.as_str())) {
                    faults.push(format!("{name} names {named:?} and left {actions:?}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    driven.sort();
    let driven = driven.join("\n") + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(DRIVEN, &driven).unwrap();
    }
    let expected = std::fs::read_to_string(DRIVEN).unwrap_or_default();
    let faults = differences(&expected, &driven);
    assert!(faults.is_empty(), "other routes were driven than are written down:\n{}", faults.join("\n"));
    eprintln!("left to their nouns' tests:\n{}", refused.join("\n"));
}

/// Drives those of the routes that record something, each in an untouched world.
async fn walk(
    world: &'static World,
    routes: impl Iterator<Item = &Route>,
) -> Vec<(String, &'static [&'static str], Came)> {
    let mut ground = Ground::of(world).await;
    let mut walked = Vec::new();
    for route in routes {
        let Effect::Records(named) = route.effect else {
            continue;
        };
        let came = if route.path.starts_with("/api/") {
            call(world, ground.app(), route).await
        } else {
            send(world, ground.app(), route).await
        };
        ground.renew().await;
        walked.push((format!("{} {}", route.method, route.path), named, came));
    }
    walked
}

/// The events in the record, of all organizations, as id and action.
async fn actions(app: &TestApp) -> Vec<(String, String)> {
    let mut conn = connect(&app.database.superuser()).await;
    let sql = "select id::text, action from events order by at, seq";
    let rows = sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    rows
}

async fn new_actions(app: &TestApp, before: &[(String, String)]) -> Vec<String> {
    let now = actions(app).await.into_iter();
    now.filter(|event| !before.contains(event)).map(|(_, action)| action).collect()
}

/// Sends the form that some page offers to this route.
async fn send(world: &World, app: &TestApp, route: &Route) -> Came {
    let who = match route.access {
        Access::Anyone => "nobody",
        Access::Person => "member",
        Access::Operator => "operator",
        _ => "owner",
    };
    let target = World::path(route, &world.here);
    let mut browser = world.browser(app, who);
    // Forms stand on the page of the same address, or on one above it.
    for (end, _) in format!("{target}/").match_indices('/').rev().filter(|(end, _)| *end > 0) {
        let page = browser.get(&target[..end]).await;
        let offered = Form::all(&page.body).into_iter().find(|form| {
            form.method == "post"
                && leads_to(if form.action.is_empty() { &page.path } else { &form.action }, route)
        });
        let Some(form) = offered else {
            continue;
        };
        let filled: Vec<(String, String)> = form
            .pairs()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), plausible(name, value, &target)))
            .collect();
        let filled: Vec<(&str, &str)> = filled.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let before = actions(app).await;
        let action = if form.action.is_empty() { &page.path } else { &form.action };
        let answer = browser.post(action, &filled).await;
        let left = new_actions(app, &before).await;
        let is_done = answer.status.is_redirection() || answer.status == StatusCode::OK;
        return if is_done && !left.is_empty() { Came::Done(left) } else { Came::Refused };
    }
    Came::Refused
}

/// Whether an address is one of the route's; ids and slugs stand for each other.
fn leads_to(action: &str, route: &Route) -> bool {
    let (action, path) = (action.split('/'), route.path.split('/'));
    action.clone().count() == path.clone().count()
        && action.zip(path).all(|(part, pattern)| pattern.starts_with('{') || part == pattern)
}

/// What a person could type into a field.
fn plausible(name: &str, value: &str, target: &str) -> String {
    let typed = match name {
        "name" | "label" => "A fresh name",
        "principal" => "team crew",
        "slug" => "fresh-slug",
        "email" => "fresh@example.com",
        "password" | "current_password" => PASSWORD,
        "description" | "reason" => "Because it is so",
        "confirm" if target.contains("/teams/") => "crew",
        "confirm" if target.contains("/servers/") => "upstream",
        "confirm" => "acme",
        _ => value,
    };
    typed.to_owned()
}

/// Calls an operation with a good body.
async fn call(world: &World, app: &TestApp, route: &Route) -> Came {
    let path = World::path(route, &world.here);
    let before = actions(app).await;
    let status = world.call(app, "owner", route, &path, body_of(route, &world.here)).await;
    if status.is_success() { Came::Done(new_actions(app, &before).await) } else { Came::Refused }
}
