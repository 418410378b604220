use portreeve::{
    base::{
        ids::{CredentialId, DataKeyId, OrgId, ServerId},
        page::PageRequest,
        risk::Class,
        update::{Change, Update},
    },
    domain::servers::{
        CatalogueChange, Check, Checked, ClassBy, Credential, CredentialSource, CredentialTarget, Declared,
        Era, Fingerprint, ItemKind, NewServer, SealedValue, SeenItem, SeenTool, Server, ServerFilter,
        ServerForm, ServerRef, Snapshot, Tool, ToolChange, ToolFilter, ToolName, ToolState,
        store::{catalogue, checks, credentials, decisions, servers, tools, tools::Which},
    },
};
use time::{Duration, OffsetDateTime};

use crate::rooms::{NOW, World, drop_it, keep, quoted};

fn new_server(slug: &str) -> NewServer {
    let url = format!("https://{slug}.example/mcp");
    NewServer::parse(ServerForm { slug, name: "GitHub", description: "", transport: "http", url: &url })
        .expect("a good form")
}

async fn server(world: &World, org: OrgId, slug: &str) -> Server {
    let mut tx = world.org_tx(org).await;
    let server = servers::insert(&mut tx, &new_server(slug), true, None, NOW).await.expect("inserted");
    keep(tx).await;
    server
}

fn tool(name: &str, description: &str) -> SeenTool {
    let definition =
        serde_json::json!({"name": name, "description": description, "inputSchema": {"type": "object"}});
    SeenTool::read(&definition.to_string()).expect("a tool")
}

fn snapshot(tools: &[(&str, &str)]) -> Snapshot {
    Snapshot { tools: tools.iter().map(|(name, text)| tool(name, text)).collect(), ..Snapshot::default() }
}

async fn apply(
    world: &World,
    org: OrgId,
    server: ServerId,
    snapshot: &Snapshot,
    now: OffsetDateTime,
) -> CatalogueChange {
    let mut tx = world.org_tx(org).await;
    let due = now + Duration::minutes(10);
    let change =
        catalogue::apply(&mut tx, server, snapshot, due, now).await.expect("applied").expect("a server");
    keep(tx).await;
    change
}

async fn offered(world: &World, org: OrgId, server: ServerId, name: &str) -> Tool {
    let mut tx = world.org_tx(org).await;
    let found = tools::find(&mut tx, server, &named(name)).await.expect("an answer").expect("a tool");
    drop_it(tx).await;
    found
}

fn named(name: &str) -> ToolName {
    name.parse().expect("a name")
}

async fn accept(world: &World, org: OrgId, server: ServerId, which: Which<'_>) -> usize {
    let mut tx = world.org_tx(org).await;
    let accepted = tools::accept(&mut tx, server, which, None, NOW).await.expect("accepted");
    keep(tx).await;
    accepted.len()
}

#[tokio::test]
async fn a_server_is_found_changed_switched_and_deleted_and_a_late_writer_is_told() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    let made = server(&world, org, "github").await;
    let mut tx = world.org_tx(org).await;
    for which in [ServerRef::Id(made.id), ServerRef::parse("github").expect("a slug")] {
        assert_eq!(servers::find(&mut tx, &which).await.expect("an answer"), Some(made.clone()));
    }
    let later = NOW + Duration::HOUR;
    let change = new_server("github-2");
    let done = servers::update(&mut tx, made.id, &change, Some(1), later).await.expect("an answer");
    let Update::Done(Change { before, after }) = done else { panic!("{done:?}") };
    assert_eq!((before, after.slug.as_str(), after.version), (made.clone(), "github-2", 2));
    let late = servers::update(&mut tx, made.id, &change, Some(1), later).await.expect("an answer");
    assert_eq!(late, Update::Conflict);
    let again = servers::update(&mut tx, made.id, &change, Some(2), later).await.expect("an answer");
    assert!(matches!(again, Update::Done(Change { before, after }) if before == after));
    let off = servers::set_enabled(&mut tx, made.id, false, None, later).await.expect("an answer");
    assert!(matches!(off, Update::Done(Change { after, .. }) if !after.is_enabled && after.version == 3));
    assert_eq!(servers::count(&mut tx).await.expect("numbers").servers, 1);
    let late = servers::delete(&mut tx, made.id, Some(1)).await.expect("an answer");
    assert_eq!(late, Update::Conflict);
    assert!(matches!(servers::delete(&mut tx, made.id, Some(3)).await, Ok(Update::Done(_))));
    assert_eq!(servers::delete(&mut tx, made.id, None).await.expect("an answer"), Update::NotFound);
    keep(tx).await;

    let elsewhere = server(&world, other, "github").await;
    server(&world, org, "github").await;
    let mut tx = world.org_tx(org).await;
    assert_eq!(servers::find(&mut tx, &elsewhere.id.into()).await.expect("an answer"), None);
    let taken = servers::insert(&mut tx, &new_server("github"), true, None, NOW).await;
    assert!(taken.expect_err("taken").broke(servers::SLUG_IS_FREE));
    drop_it(tx).await;
}

#[tokio::test]
async fn servers_are_listed_in_pages_with_what_waits_and_found_by_part_of_an_address() {
    let world = World::fresh().await;
    let org = world.org().await;
    let mut ids = Vec::new();
    for slug in ["cc", "bb", "dd"] {
        ids.push(server(&world, org, slug).await.id);
    }
    apply(&world, org, ids[1], &snapshot(&[("get_a", ""), ("get_b", "")]), NOW).await;
    accept(&world, org, ids[1], Which::Named(&[named("get_a")])).await;
    let mut tx = world.org_tx(org).await;
    servers::note_failure(&mut tx, ids[0], "away", NOW, NOW).await.expect("noted");
    let _ = servers::set_enabled(&mut tx, ids[2], false, None, NOW).await.expect("switched");
    let all = ServerFilter::default();
    let page = PageRequest { limit: 2, after: None };
    let page = servers::list(&mut tx, &all, &page).await.expect("a page");
    let seen: Vec<_> = page.items.iter().map(|e| (e.server.slug.as_str(), e.tools, e.unreviewed)).collect();
    assert_eq!(seen, [("bb", 2, 1), ("cc", 0, 0)]);
    let next = PageRequest::parse(Some(2), page.next.as_deref()).expect("our own cursor");
    assert_eq!(servers::list(&mut tx, &all, &next).await.expect("a page").items.len(), 1);
    let by_url = ServerFilter { search: Some("CC.example".to_owned()), ..ServerFilter::default() };
    for (filter, slug) in [
        (by_url, "cc"),
        (ServerFilter { enabled: Some(false), ..ServerFilter::default() }, "dd"),
        (ServerFilter { failing: Some(true), ..ServerFilter::default() }, "cc"),
        (ServerFilter { unreviewed: true, ..ServerFilter::default() }, "bb"),
    ] {
        let page = servers::list(&mut tx, &filter, &PageRequest::first()).await.expect("a page");
        let slugs: Vec<_> = page.items.iter().map(|e| e.server.slug.as_str()).collect();
        assert_eq!(slugs, [slug], "{filter:?}");
    }
    drop_it(tx).await;
}

#[tokio::test]
async fn a_tool_is_new_then_reviewed_then_changed_and_keeps_what_was_accepted() {
    let world = World::fresh().await;
    let org = world.org().await;
    let id = server(&world, org, "github").await.id;
    let first = apply(&world, org, id, &snapshot(&[("get_a", "one"), ("delete_b", "")]), NOW).await;
    assert_eq!(first.new, [named("get_a"), named("delete_b")]);
    assert!(first.is_decisive);
    assert_eq!(accept(&world, org, id, Which::Waiting).await, 2);
    let again =
        apply(&world, org, id, &snapshot(&[("get_a", "one"), ("delete_b", "")]), NOW + Duration::HOUR).await;
    assert_eq!(again, CatalogueChange::default());
    let seen = offered(&world, org, id, "get_a").await;
    assert_eq!(
        (seen.state, seen.class, seen.seen_at),
        (ToolState::Reviewed, Class::Read, NOW + Duration::HOUR)
    );

    let drifted = apply(&world, org, id, &snapshot(&[("get_a", "two")]), NOW).await;
    assert_eq!(
        (drifted.changed.clone(), drifted.gone.clone()),
        (vec![named("get_a")], vec![named("delete_b")])
    );
    let changed = offered(&world, org, id, "get_a").await;
    assert_eq!(changed.state, ToolState::Changed);
    assert!(changed.accepted_definition.is_some_and(|was| was.contains("one")));
    assert!(changed.definition.contains("two"));

    let back = apply(&world, org, id, &snapshot(&[("get_a", "one"), ("delete_b", "")]), NOW).await;
    assert_eq!(back.restored, [named("get_a"), named("delete_b")]);
    assert!(back.is_decisive);
    assert_eq!(offered(&world, org, id, "delete_b").await.state, ToolState::Reviewed);
}

#[tokio::test]
async fn a_tool_that_says_in_one_era_only_whether_it_may_be_a_task_has_not_changed() {
    let world = World::fresh().await;
    let org = world.org().await;
    let id = server(&world, org, "github").await.id;
    let read = |execution: serde_json::Value, description: &str| {
        let mut definition = serde_json::json!({"name": "get_a", "description": description});
        if !execution.is_null() {
            definition["execution"] = execution;
        }
        let tools = vec![SeenTool::read(&definition.to_string()).expect("a tool")];
        Snapshot { tools, ..Snapshot::default() }
    };
    let (bare, optional) = (serde_json::Value::Null, serde_json::json!({"taskSupport": "optional"}));
    // Accepted as one era tells it, and read in the other; both ways round.
    for (accepted, other) in [(&bare, &optional), (&optional, &bare)] {
        apply(&world, org, id, &read(accepted.clone(), "one"), NOW).await;
        accept(&world, org, id, Which::Named(&[named("get_a")])).await;
        let again = apply(&world, org, id, &read(other.clone(), "one"), NOW + Duration::HOUR).await;
        assert_eq!(again, CatalogueChange::default(), "{other}");
        let kept = offered(&world, org, id, "get_a").await;
        assert_eq!((kept.state, kept.seen_at), (ToolState::Reviewed, NOW + Duration::HOUR));
        assert_eq!(Some(kept.definition.as_ref()), kept.accepted_definition.as_deref());
    }
    // What a model could read is another matter, and so is a change beside it.
    let telling = serde_json::json!({"taskSupport": "optional", "hint": "Call me first."});
    for (execution, description) in [(telling, "one"), (bare, "two")] {
        apply(&world, org, id, &read(execution, description), NOW).await;
        assert_eq!(offered(&world, org, id, "get_a").await.state, ToolState::Changed);
    }
}

#[tokio::test]
async fn a_refused_tool_stays_refused_until_it_changes_or_is_accepted() {
    let world = World::fresh().await;
    let org = world.org().await;
    let id = server(&world, org, "github").await.id;
    let (one, two) = (snapshot(&[("get_a", "one")]), snapshot(&[("get_a", "two")]));
    apply(&world, org, id, &one, NOW).await;
    let mut tx = world.org_tx(org).await;
    let refused = tools::refuse(&mut tx, id, Which::Waiting, None, NOW).await.expect("refused");
    assert_eq!(refused.len(), 1);
    assert_eq!(tools::refuse(&mut tx, id, Which::Waiting, None, NOW).await.expect("nothing"), []);
    keep(tx).await;
    apply(&world, org, id, &Snapshot::default(), NOW).await;
    assert_eq!(offered(&world, org, id, "get_a").await.state, ToolState::Gone);
    assert_eq!(accept(&world, org, id, Which::Named(&[named("get_a")])).await, 0);
    apply(&world, org, id, &one, NOW).await;
    assert_eq!(offered(&world, org, id, "get_a").await.state, ToolState::Refused);
    apply(&world, org, id, &two, NOW).await;
    assert_eq!(offered(&world, org, id, "get_a").await.state, ToolState::New);
    apply(&world, org, id, &one, NOW).await;
    assert_eq!(accept(&world, org, id, Which::Waiting).await, 0);
    assert_eq!(accept(&world, org, id, Which::Named(&[named("get_a")])).await, 1);
    apply(&world, org, id, &one, NOW).await;
    assert_eq!(offered(&world, org, id, "get_a").await.state, ToolState::Reviewed);
}

#[tokio::test]
async fn a_persons_class_outlives_readings_and_can_be_given_back() {
    let world = World::fresh().await;
    let org = world.org().await;
    let id = server(&world, org, "github").await.id;
    apply(&world, org, id, &snapshot(&[("get_a", "one")]), NOW).await;
    let name = named("get_a");
    let update = async |change: &ToolChange, seen| {
        let mut tx = world.org_tx(org).await;
        let outcome = tools::update(&mut tx, id, &name, change, seen).await.expect("an answer");
        keep(tx).await;
        outcome
    };
    let worse = ToolChange {
        class: Some((Class::Financial, "It costs money.".to_owned())),
        enabled: Some(false),
        required_scopes: Some(vec!["repo".to_owned()]),
        ..ToolChange::default()
    };
    let done = update(&worse, Some(1)).await;
    assert!(
        matches!(done, Update::Done(Change { after, .. }) if after.version == 2 && after.class == Class::Financial)
    );
    assert!(matches!(update(&worse, Some(1)).await, Update::Conflict));
    apply(&world, org, id, &snapshot(&[("get_a", "two")]), NOW).await;
    let kept = offered(&world, org, id, "get_a").await;
    assert_eq!((kept.class, kept.class_by, kept.is_enabled), (Class::Financial, ClassBy::Admin, false));
    assert_eq!(kept.required_scopes, ["repo"]);
    let _ = update(&ToolChange { resets_class: true, ..ToolChange::default() }, None).await;
    let back = offered(&world, org, id, "get_a").await;
    assert_eq!((back.class, back.class_by), (Class::Read, ClassBy::Rule));
}

#[tokio::test]
async fn another_definition_shown_to_a_caller_is_news_once() {
    let world = World::fresh().await;
    let org = world.org().await;
    let id = server(&world, org, "github").await.id;
    apply(&world, org, id, &snapshot(&[("get_a", "one")]), NOW).await;
    let shown = tool("get_a", "for you only").fingerprint;
    let same = tool("get_a", "one").fingerprint;
    let mut tx = world.org_tx(org).await;
    let mut note =
        async |shown| tools::note_variant(&mut tx, id, &named("get_a"), shown, NOW).await.expect("noted");
    assert!(!note(same).await);
    assert!(note(shown).await);
    assert!(!note(shown).await);
    keep(tx).await;
    assert_eq!(offered(&world, org, id, "get_a").await.variant, Some((shown, NOW)));
}

#[tokio::test]
async fn prompts_and_resources_come_change_and_go() {
    let world = World::fresh().await;
    let org = world.org().await;
    let id = server(&world, org, "github").await.id;
    let item = |key: &str, text: &str| {
        let definition = serde_json::json!({"uri": key, "name": text}).to_string();
        SeenItem::read(ItemKind::Resource, &definition).expect("an item")
    };
    let of = |items: Vec<SeenItem>| Snapshot { items, ..Snapshot::default() };
    let both = of(vec![item("file:///a", "A"), item("file:///b", "B")]);
    assert!(apply(&world, org, id, &both, NOW).await.items_changed);
    assert!(!apply(&world, org, id, &both, NOW).await.items_changed);
    assert!(
        apply(&world, org, id, &of(vec![item("file:///a", "A2"), item("file:///b", "B")]), NOW)
            .await
            .items_changed
    );
    assert!(apply(&world, org, id, &of(vec![item("file:///b", "B")]), NOW).await.items_changed);
    let mut tx = world.org_tx(org).await;
    let page =
        catalogue::list_items(&mut tx, id, ItemKind::Resource, &PageRequest::first()).await.expect("a page");
    assert_eq!(page.items.iter().map(|i| i.key.as_str()).collect::<Vec<_>>(), ["file:///b"]);
    let none =
        catalogue::list_items(&mut tx, id, ItemKind::Prompt, &PageRequest::first()).await.expect("a page");
    assert_eq!(none.items, []);
    drop_it(tx).await;
}

#[tokio::test]
async fn a_failed_reading_keeps_the_last_good_catalogue_and_says_since_when() {
    let world = World::fresh().await;
    let org = world.org().await;
    let made = server(&world, org, "github").await;
    let declared = Declared {
        era: Some(Era::Modern),
        protocol_version: Some("2026-07-28".to_owned()),
        capabilities: Some(r#"{"tools":{}}"#.into()),
        ..Declared::default()
    };
    let good = Snapshot { declared: declared.clone(), ..snapshot(&[("get_a", "")]) };
    apply(&world, org, made.id, &good, NOW).await;
    let mut tx = world.org_tx(org).await;
    for hours in [1, 2] {
        let at = NOW + Duration::hours(hours);
        servers::note_failure(&mut tx, made.id, "it\0 is away", at + Duration::HOUR, at)
            .await
            .expect("noted");
    }
    let failing = servers::find(&mut tx, &made.id.into()).await.expect("an answer").expect("a server");
    assert_eq!(failing.declared, declared);
    assert_eq!((failing.version, failing.refreshed.at, failing.refreshed.failures), (1, Some(NOW), 2));
    assert_eq!(failing.refreshed.error.as_deref(), Some("it  is away"));
    assert_eq!(failing.refreshed.error_since, Some(NOW + Duration::HOUR));
    keep(tx).await;
    let at = NOW + Duration::hours(3);
    assert!(!apply(&world, org, made.id, &good, at).await.is_decisive);
    let mut tx = world.org_tx(org).await;
    let well = servers::find(&mut tx, &made.id.into()).await.expect("an answer").expect("a server");
    assert_eq!((well.refreshed.error, well.refreshed.failures, well.refreshed.at), (None, 0, Some(at)));
    drop_it(tx).await;
}

#[tokio::test]
async fn what_is_due_is_told_across_organizations_and_a_disabled_server_is_not() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    let (a, b, c) =
        (server(&world, org, "aa").await, server(&world, other, "bb").await, server(&world, org, "cc").await);
    let mut tx = world.org_tx(org).await;
    let _ = servers::set_enabled(&mut tx, c.id, false, None, NOW).await.expect("switched");
    keep(tx).await;
    let due = async |now| {
        let mut tx = world.system_tx().await;
        let mut due = servers::list_due(&mut tx, now, 10).await.expect("a list");
        drop_it(tx).await;
        due.sort();
        due
    };
    let mut both = vec![(org, a.id), (other, b.id)];
    both.sort();
    assert_eq!(due(NOW).await, both);
    apply(&world, org, a.id, &Snapshot::default(), NOW).await;
    assert_eq!(due(NOW).await, [(other, b.id)]);
    assert_eq!(due(NOW + Duration::minutes(10)).await, both);
    world
        .sql(&format!(
            "update orgs set suspended_at = now(), suspended_reason = 'x' where id = {}",
            quoted(other.uuid())
        ))
        .await;
    assert_eq!(due(NOW).await, []);
}

#[tokio::test]
async fn credentials_are_kept_in_order_and_replaced_as_a_whole() {
    let world = World::fresh().await;
    let org = world.org().await;
    let id = server(&world, org, "github").await.id;
    let credential = |name: &str| Credential {
        id: CredentialId::fresh(),
        target: CredentialTarget::Header,
        name: name.to_owned(),
        source: CredentialSource::Static,
        provider: None,
        secret: None,
        template: "Bearer {value}".to_owned(),
        value: Some(SealedValue { key: DataKeyId::fresh(), bytes: vec![1, 2, 3] }),
    };
    let (b, a) = (credential("X-B"), credential("X-A"));
    let mut tx = world.org_tx(org).await;
    credentials::replace(&mut tx, id, &[b.clone(), a.clone()]).await.expect("replaced");
    assert_eq!(credentials::list(&mut tx, id).await.expect("a list"), [b, a.clone()]);
    credentials::replace(&mut tx, id, std::slice::from_ref(&a)).await.expect("replaced");
    assert_eq!(credentials::list(&mut tx, id).await.expect("a list"), [a]);
    keep(tx).await;
}

#[tokio::test]
async fn decisions_see_every_server_with_its_tools_in_three_statements() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    server(&world, other, "theirs").await;
    let (a, b) = (server(&world, org, "aa").await, server(&world, org, "bb").await);
    apply(&world, org, b.id, &snapshot(&[("get_b", ""), ("Get_a", ""), ("get_c", "")]), NOW).await;
    accept(&world, org, b.id, Which::Named(&[named("get_b")])).await;
    apply(&world, org, b.id, &snapshot(&[("get_b", ""), ("Get_a", "")]), NOW).await;
    let mut tx = world.org_tx(org).await;
    let found = decisions::load_for_decisions(&mut tx).await.expect("servers");
    drop_it(tx).await;
    assert_eq!(found.iter().map(|s| s.id).collect::<Vec<_>>(), [a.id, b.id]);
    assert!(found[0].tools.is_empty());
    let get_b = found[1].tool("get_b").expect("a tool");
    assert!(get_b.is_callable() && get_b.accepted_definition.is_some());
    assert_eq!(get_b.fingerprint, tool("get_b", "").fingerprint);
    let get_a = found[1].tool("Get_a").expect("a tool");
    assert!(!get_a.is_callable() && get_a.accepted_definition.is_none());
    assert!(found[1].tool("get_c").is_none());
}

#[tokio::test]
async fn looks_at_health_are_listed_counted_by_day_and_swept_after_two_weeks() {
    let world = World::fresh().await;
    let org = world.org().await;
    let id = server(&world, org, "github").await.id;
    let check = |at, latency_ms| Check { at, latency_ms, outcome: Checked::Well };
    let failed = |at, cause: &str| Check {
        at,
        latency_ms: 5,
        outcome: Checked::Failed { step: "dns".to_owned(), cause: cause.to_owned() },
    };
    let mut tx = world.org_tx(org).await;
    for look in [
        check(NOW - Duration::days(15), 1),
        check(NOW - Duration::days(1), 10),
        failed(NOW - Duration::days(1) + Duration::HOUR, "one"),
        failed(NOW - Duration::days(1) + Duration::hours(2), "two"),
        check(NOW, 30),
    ] {
        checks::record(&mut tx, id, &look).await.expect("recorded");
    }
    let page = checks::list(&mut tx, id, &PageRequest { limit: 2, after: None }).await.expect("a page");
    assert_eq!(page.items[0], check(NOW, 30));
    assert!(matches!(&page.items[1].outcome, Checked::Failed { cause, .. } if cause == "two"));
    assert!(page.next.is_some());
    let days = checks::by_day(&mut tx, &[id], NOW).await.expect("days");
    let told: Vec<_> =
        days.iter().map(|(_, d)| (d.well, d.failed, d.latency_ms, d.cause.as_deref())).collect();
    assert_eq!(told, [(1, 2, Some(10), Some("two")), (1, 0, Some(30), None)]);
    keep(tx).await;
    let mut tx = world.system_tx().await;
    assert_eq!(checks::sweep(&mut tx, NOW, 100).await.expect("swept"), 1);
    keep(tx).await;
}

#[tokio::test]
async fn tools_are_filtered_by_state_class_and_part_of_a_name() {
    let world = World::fresh().await;
    let org = world.org().await;
    let id = server(&world, org, "github").await.id;
    apply(&world, org, id, &snapshot(&[("get_a", ""), ("delete_a", ""), ("get_b", "")]), NOW).await;
    accept(&world, org, id, Which::Named(&[named("get_b")])).await;
    let mut tx = world.org_tx(org).await;
    for (filter, wanted) in [
        (ToolFilter { state: Some(ToolState::Reviewed), ..ToolFilter::default() }, vec!["get_b"]),
        (ToolFilter { class: Some(Class::Destructive), ..ToolFilter::default() }, vec!["delete_a"]),
        (ToolFilter { search: Some("_A".to_owned()), ..ToolFilter::default() }, vec!["delete_a", "get_a"]),
    ] {
        let page = tools::list(&mut tx, id, &filter, &PageRequest::first()).await.expect("a page");
        assert_eq!(page.items.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), wanted);
    }
    assert_eq!(tools::names(&mut tx).await.expect("names").len(), 3);
    drop_it(tx).await;
    assert_ne!(Fingerprint::of("{}"), Fingerprint::of("[]"));
}
