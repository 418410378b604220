//! Every route with every id of another organization: not found, and nothing of the other organization touched.

use futures_util::{StreamExt, stream};
use http::StatusCode;
use portreeve::web::kit::routes::Route;
use sqlx::Connection;

use crate::{
    kit::{
        app::TestApp,
        database::{connect, execute},
    },
    proof::world::{World, routes, world},
};

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
    let faults: Vec<String> = stream::iter(tries)
        .map(|(route, name)| try_one(world, route, name))
        .buffered(4)
        .filter_map(async |f| f)
        .collect()
        .await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The strongest member of one organization names one thing of the other.
async fn try_one(world: &World, route: Route, name: &'static str) -> Option<String> {
    let mut values = world.here.clone();
    values.insert(name, world.there[name].clone());
    let path = World::path(&route, &values);
    let app = world.copy().await;
    let before = digest(&app).await;
    let walker = if route.path.starts_with("/api/") { "key_full" } else { "owner" };
    let status = world.knock(&app, walker, &route, &path).await;
    let after = digest(&app).await;
    if before != after {
        return Some(format!(
            "{} {} touched the other organization with its {name}",
            route.method, route.path
        ));
    }
    (status != StatusCode::NOT_FOUND)
        .then(|| format!("{} {} answers {status} for a foreign {name}", route.method, route.path))
}

fn parameters(route: &Route) -> Vec<&'static str> {
    const KNOWN: [&str; 14] = [
        "org",
        "team",
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

/// A digest of every row of the other organization in every table that has an `org_id`, and of its own row.
async fn digest(app: &TestApp) -> Vec<(String, String)> {
    let mut conn = connect(&app.database.superuser()).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_attribute a join pg_class c on c.oid = a.attrelid
         join pg_namespace n on n.oid = c.relnamespace
         where a.attname = 'org_id' and c.relkind = 'r' and n.nspname = 'public' order by 1",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(tables.len() >= 10, "tenant tables are found in the catalogue");
    let mut digests = Vec::new();
    for table in tables {
        let sql = format!(
            "select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {table} t
             where org_id = (select id from orgs where slug = 'other')"
        );
        let digest: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut conn).await.unwrap();
        digests.push((table, digest));
    }
    let org: String = sqlx::query_scalar("select md5(o::text) from orgs o where slug = 'other'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    digests.push(("orgs".to_owned(), org));
    conn.close().await.unwrap();
    digests
}

#[tokio::test]
async fn a_touched_row_changes_the_digest() {
    let app = world().await.copy().await;
    let before = digest(&app).await;
    let mut conn = connect(&app.database.superuser()).await;
    execute(
        &mut conn,
        "update teams set name = name || '!' where org_id = (select id from orgs where slug = 'other')",
    )
    .await;
    assert_ne!(before, digest(&app).await);
}
