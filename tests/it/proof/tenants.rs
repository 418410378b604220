//! Every route with every id of another organization: not found, and nothing of the other organization touched.

use futures_util::future::join_all;
use http::StatusCode;
use portreeve::web::kit::routes::{Access, Route};

use crate::proof::{
    bodies::body_of,
    trace::Ground,
    world::{World, parameters_of, routes, world},
};

/// How many walks go on at once.
const WALKS: usize = 4;

/// What is in a path and names nothing of an organization, so that another's is answered as one's own is.
const NO_IDS: [(&str, &str); 4] = [
    ("token", "the secret of a link; whoever has it may"),
    ("link", "the secret of a link; whoever has it may"),
    ("known", "what anybody may read of a client: its document and its keys"),
    ("returning", "a provider sends the browser there, which has nothing under way"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_organizations_ids_are_unknown_on_every_route() {
    let world = world().await;
    // An agent's endpoints are walked with its token, in `an_agents_token_opens_no_endpoint_of_another_organization`.
    let routes = routes().into_iter().filter(|route| route.access != Access::Agent);
    let tries: Vec<(Route, String)> = routes
        .flat_map(|route| {
            let names = parameters_of(&route);
            names.into_iter().map(move |name| (route.clone(), name))
        })
        .collect();
    for (route, name) in &tries {
        let (here, there) = (world.here.get(name.as_str()), world.there.get(name.as_str()));
        let known = |seeded: bool| assert!(seeded, "{}: seed {name} in tests/it/proof/world.rs", route.path);
        known(here.is_some() && there.is_some());
        let is_exempt = NO_IDS.iter().any(|(exempt, _)| exempt == name);
        assert!(is_exempt || here != there, "{name} is the same in both organizations");
    }
    let walks = join_all((0..WALKS).map(|first| walk(world, tries.iter().skip(first).step_by(WALKS)))).await;
    let faults: Vec<String> = walks.into_iter().flatten().collect();
    assert!(faults.is_empty(), "of {} tries:\n{}", tries.len(), faults.join("\n"));
}

/// What is wrong with some of the tries.
async fn walk(world: &'static World, tries: impl Iterator<Item = &(Route, String)>) -> Vec<String> {
    let mut ground = Ground::of(world).await;
    let mut faults = Vec::new();
    for (route, name) in tries {
        faults.extend(try_one(world, &mut ground, route, name).await);
        ground.renew().await;
    }
    faults
}

/// The strongest member of one organization names one thing of the other.
async fn try_one(world: &World, ground: &mut Ground, route: &Route, name: &str) -> Option<String> {
    let mut values = world.here.clone();
    let (name, foreign) = world.there.get_key_value(name)?;
    values.insert(*name, foreign.clone());
    let path = World::path(route, &values);
    let status = world.knock(ground.app(), "owner", route, &path).await;
    if ground.look().await.of_other() != ground.untouched().of_other() {
        return Some(format!(
            "{} {} touched the other organization with its {name}",
            route.method, route.path
        ));
    }
    let wanted = match NO_IDS.iter().find(|(exempt, _)| exempt == name) {
        None => StatusCode::NOT_FOUND,
        Some(_) => world.knock(ground.app(), "owner", route, &World::path(route, &world.here)).await,
    };
    (status != wanted)
        .then(|| format!("{} {} answers {status} for a foreign {name}", route.method, route.path))
}

/// Keeps the call of a test as it was written; its names are looked up when the test is tried, by whoever tries it.
const KEEPS_NAMES: &str = "/api/v1/orgs/{org}/policies/{policy}/tests";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_organizations_ids_in_a_body_name_nothing() {
    let world = world().await;
    let mut ground = Ground::of(world).await;
    let mut faults = Vec::new();
    let mut tried = 0;
    for route in routes() {
        let (ours, theirs) = (body_of(&route, &world.here), body_of(&route, &world.there));
        if ours == theirs || route.path == KEEPS_NAMES {
            continue;
        }
        tried += 1;
        let path = World::path(&route, &world.here);
        let status = world.call(ground.app(), "owner", &route, &path, theirs).await;
        if !matches!(status.as_u16(), 404 | 409 | 422) {
            faults.push(format!(
                "{} {} answers {status} for foreign ids in its body",
                route.method, route.path
            ));
        }
        if ground.renew().await {
            faults.push(format!("{} {} left a trace of foreign ids", route.method, route.path));
        }
    }
    assert!(tried > 5, "there are bodies that name things");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn an_agents_token_opens_no_endpoint_of_another_organization() {
    let world = world().await;
    let app = world.copy().await;
    let message = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} });
    let headers = [("accept", "application/json, text/event-stream"), ("mcp-protocol-version", "2025-06-18")];
    for route in routes().into_iter().filter(|route| route.access == Access::Agent) {
        for names in [vec!["endpoint"], vec!["server"], vec!["endpoint", "server"]] {
            let mut values = world.here.clone();
            for name in names.into_iter().filter(|name| route.path.contains(&format!("{{{name}}}"))) {
                values.insert(name, world.there[name].clone());
            }
            let path = World::path(&route, &values);
            if path == World::path(&route, &world.here) {
                continue;
            }
            let agent = app.script(Some(&world.agent));
            let answer = agent.send(route.method.clone(), &path, &headers, Some(message.clone())).await;
            let is_refused = matches!(answer.status.as_u16(), 401 | 403 | 404);
            assert!(is_refused, "{path} answers {} to another's agent: {:#}", answer.status, answer.body);
        }
    }
}
