//! Records of calls: numbered and linked by the database, in one chain with everything else.

use portreeve::{
    base::{
        actor::{Actor, Principal},
        ids::{EventId, GrantId, OrgId, PolicyId, ReplicaId, UserId},
        page::PageRequest,
        trace::{Finding, Fixer, Step, Trace},
    },
    domain::{
        audit::{
            self, Anchors, CallEntry, CallKeeper, CallPart, ChainHead, Decision, Entry, EventFilter,
            EventKind, Kept, Lack, LaterAnchors, Sum, Who,
        },
        limits::{self, Claim, Counted, Owner, Span},
    },
    flow::actions::export,
    io::db::{Db, OrgScope, OrgTx, Tx},
};
use time::Duration;

use super::{NOW, World};
use crate::kit::{app::TestApp, database::connect};

fn who() -> Who {
    let actor = Actor::Grant { grant: GrantId::fresh(), principal: Principal::User(UserId::fresh()) };
    Who { actor, name: "Claude of Ada".to_owned(), origin: None }
}

fn intent(epoch: i64) -> CallEntry {
    let entry = Entry::call("call.allowed", &who(), CallPart::new(Trace::passed(Step::Record)));
    let entry = entry.target("tool", "srv_1/create_issue", "github/create_issue").ended(Decision::Allowed);
    CallEntry { epoch: Some(epoch), opens: true, ..CallEntry::new(EventId::fresh(), NOW, entry) }
}

fn refusal() -> CallEntry {
    let finding = Finding::new("\"quoted\", ,\"seq\":1, and\nmore", "reviewed", Fixer::Admin);
    let entry = Entry::call("call.refused", &who(), CallPart::new(Trace::decided(Step::Tool, finding)));
    CallEntry { entry: entry.refused(), epoch: None, opens: false, ..intent(0) }
}

fn outcome(intent: EventId) -> CallEntry {
    let part = CallPart { intent: Some(intent), ..CallPart::new(Trace::passed(Step::Outcome)) };
    let entry = Entry::call("call.done", &who(), part);
    CallEntry { entry, epoch: None, opens: false, closes: Some(intent), ..self::intent(0) }
}

async fn record(db: &Db, org: OrgId, calls: Vec<CallEntry>) -> audit::Kept {
    audit::record_calls(db, OrgScope::proven(org), ReplicaId::fresh(), calls).await.unwrap()
}

/// Hands records in as a replica does that believes to know the end of the chain, and what they count.
async fn keep(db: &Db, org: OrgId, calls: Vec<CallEntry>, behind: Option<ChainHead>, sum: Sum) -> Kept {
    let mut rows: Vec<_> = calls.into_iter().map(|call| call.written(org)).collect();
    let mut keeper = CallKeeper::begin(db, OrgScope::proven(org)).await.unwrap();
    keeper.keep(ReplicaId::fresh(), &mut rows, behind, sum).await.unwrap()
}

#[tokio::test]
async fn records_stand_in_one_verifiable_chain_whether_its_end_was_guessed_right_or_wrong() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let (db, plain) = (app.db(), || Sum::Known(None));
    let first = intent(1);
    let first_id = first.id;
    let nothing = keep(db, org.id, vec![first, refusal()], None, plain()).await;
    let right = keep(db, org.id, vec![outcome(first_id), intent(1)], Some(nothing.head), plain()).await;
    assert_eq!((right.head.seq, right.stands), (nothing.head.seq + 2, vec![true, true]));
    // Somebody else wrote meanwhile.
    let entry = Entry::admin("team.created", &Who::system("test"));
    let tx = OrgTx::begin(app.db(), OrgScope::proven(org.id)).await.unwrap();
    audit::commit(tx, app.clock.now(), vec![entry]).await.unwrap();
    let wrong = keep(db, org.id, vec![intent(1), refusal()], Some(right.head), plain()).await;
    assert_eq!((wrong.head.seq, wrong.stands), (right.head.seq + 3, vec![true, true]));
    // Another chain may have come to the same number.
    let other = ChainHead { head: nothing.head.head, ..wrong.head };
    let last = keep(db, org.id, vec![refusal()], Some(other), plain()).await;
    assert_eq!((last.head.seq, last.stands), (wrong.head.seq + 1, vec![true]));
    let mut file = Vec::new();
    export::export(&app.ports, &org.slug, &mut file).await.unwrap();
    let report = audit::verify(file.as_slice(), Anchors::none(), LaterAnchors::PassOver).unwrap();
    assert_eq!(report.chains[0].records, last.head.seq + 1, "and the event of the export");
}

#[tokio::test]
async fn a_right_guess_lets_nothing_stand_that_was_judged_at_another_epoch() {
    let world = World::fresh().await;
    let org = world.org().await;
    let before = keep(&world.db, org, vec![intent(1)], None, Sum::Known(None)).await;
    let stale = keep(&world.db, org, vec![intent(2), refusal()], Some(before.head), Sum::Known(None)).await;
    assert_eq!((stale.epoch, stale.stands), (Some(1), vec![false, true]));
    assert_eq!(stale.head.seq, before.head.seq + 1);
    let mixed = vec![intent(1), intent(2)];
    let mixed = keep(&world.db, org, mixed, Some(stale.head), Sum::Known(None)).await;
    assert_eq!(mixed.stands, [true, false]);
    assert_eq!(world.number("select count(*) from open_calls").await, 2);
}

#[tokio::test]
async fn calls_that_are_counted_in_one_sum_stand_as_far_as_there_is_room() {
    let world = World::fresh().await;
    let org = world.org().await;
    let counted = Counted::Amount {
        span: Span::Calendar("month"),
        slides: false,
        amount: "2".to_owned(),
        value: None,
        gives_back: false,
        is_observed: false,
    };
    let owner = Owner { scope: "org", id: org.to_string() };
    let (policy, counter, most) = (PolicyId::fresh(), "calls".to_owned(), "9".to_owned());
    let taking = limits::write(vec![Claim { policy, counter, owner, most, counted }], None).unwrap();
    let call = || CallEntry { limits: Some(taking.text.clone()), ..intent(1) };
    let sum = |calls| Sum::Known(limits::sum(vec![&taking; calls]).unwrap());
    let first = keep(&world.db, org, vec![call(), refusal(), call()], None, sum(2)).await;
    assert_eq!((first.stands, first.lacks), (vec![true; 3], vec![None; 3]));
    assert_eq!(world.number("select used::bigint from limit_counts").await, 4);
    let batch = vec![call(), intent(1), call(), call()];
    let beyond = keep(&world.db, org, batch, Some(first.head), sum(3)).await;
    assert_eq!(beyond.stands, [true, true, true, false]);
    assert!(matches!(&beyond.lacks[3], Some(Lack::Limit { at: 0, used, .. }) if used == "8"), "{beyond:?}");
    assert_eq!(world.number("select used::bigint from limit_counts").await, 8);
    assert_eq!(world.number("select count(*) from events").await, 6);
}

#[tokio::test]
async fn a_moment_is_found_in_a_chain_by_halving_it() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut conn = connect(&app.database.superuser()).await;
    // One event an hour, and a gap in the numbers.
    let planted = format!(
        "insert into events (org_id, seq, id, at, kind, action, actor_kind, actor_name, decision, record, prev_hash, hash)
        select '{}', 1000 + n + n / 700, gen_random_uuid(), timestamptz '2030-01-01' + make_interval(hours => n), 'call',
            'call.allowed', 'grant', 'Agent', 'allowed', '{{}}', '', ''
        from generate_series(0, 999) n",
        org.id.uuid()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(planted)).execute(&mut conn).await.unwrap();
    let agrees = format!(
        "select bool_and(events_before(e.org_id, e.at) = (select coalesce(max(b.seq), 0) from events b
            where b.org_id = e.org_id and b.at < e.at)) from events e where e.org_id = '{0}' and e.seq >= 1000",
        org.id.uuid()
    );
    let agrees: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(agrees)).fetch_one(&mut conn).await.unwrap();
    assert!(agrees);
    let none: i64 = sqlx::query_scalar("select events_before(gen_random_uuid(), now())")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(none, 0);
}

#[tokio::test]
async fn calls_stand_in_one_verifiable_chain_with_every_other_event() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let first = intent(1);
    let first_id = first.id;
    // The very first records of a chain are calls, and more follow behind an administrative event.
    assert_eq!(record(app.db(), org.id, vec![first, refusal()]).await.stands, [true, true]);
    let entry = Entry::admin("team.created", &Who::system("test"));
    let tx = OrgTx::begin(app.db(), OrgScope::proven(org.id)).await.unwrap();
    audit::commit(tx, app.clock.now(), vec![entry]).await.unwrap();
    record(app.db(), org.id, vec![outcome(first_id), intent(1)]).await;
    let mut file = Vec::new();
    export::export(&app.ports, &org.slug, &mut file).await.unwrap();
    let report = audit::verify(file.as_slice(), Anchors::none(), LaterAnchors::PassOver).unwrap();
    assert_eq!(report.chains[0].records, 6, "five events and that of the export");
    let mut tx = app.org_tx(org.id).await;
    let filter = EventFilter { kind: Some(EventKind::Call), ..EventFilter::default() };
    let calls = audit::list(&mut tx, &filter, &PageRequest::first()).await.unwrap();
    let detail = audit::find(&mut tx, first_id).await.unwrap().unwrap();
    let proof = audit::proof(&mut tx, first_id).await.unwrap();
    tx.done().await.unwrap();
    assert_eq!(calls.items.len(), 4);
    assert_eq!(detail.record.unwrap().call.unwrap().trace.reached, Step::Record);
    assert!(proof.is_some());
}

#[tokio::test]
async fn what_was_judged_at_another_epoch_does_not_stand() {
    let world = World::fresh().await;
    let org = world.org().await;
    let kept = record(&world.db, org, vec![intent(1), intent(2), refusal()]).await;
    assert_eq!((kept.epoch, kept.stands), (Some(1), vec![true, false, true]));
    assert_eq!(world.number("select count(*) from events").await, 2);
    assert_eq!(world.number("select count(*) from open_calls").await, 1);
    let nobody = record(&world.db, OrgId::fresh(), vec![intent(1)]).await;
    assert_eq!(
        (nobody.epoch, nobody.stands),
        (None, vec![false]),
        "an organization that is gone allows nothing"
    );
}

#[tokio::test]
async fn an_outcome_closes_its_intent_and_what_a_dead_replica_left_is_found() {
    let world = World::fresh().await;
    let org = world.org().await;
    let (first, second) = (intent(1), intent(1));
    let (first_id, second_id) = (first.id, second.id);
    record(&world.db, org, vec![first, second]).await;
    record(&world.db, org, vec![outcome(first_id)]).await;
    let mut tx = world.system_tx().await;
    let before = NOW + Duration::minutes(1);
    assert_eq!(audit::orgs_with_abandoned_calls(&mut tx, before).await.unwrap(), [org]);
    assert!(audit::orgs_with_abandoned_calls(&mut tx, NOW).await.unwrap().is_empty());
    tx.done().await.unwrap();
    let mut tx = world.org_tx(org).await;
    assert_eq!(audit::list_abandoned_calls(&mut tx, before, &[]).await.unwrap(), [second_id]);
    let open = [first_id, second_id, EventId::fresh()].map(|id| (id, id == second_id));
    for (id, is_open) in open {
        assert_eq!(audit::is_open(&mut tx, id).await.unwrap(), is_open);
    }
    tx.done().await.unwrap();
}

/// The connection may break behind the commit; whoever was not told hands in the same once more, with what came since.
#[tokio::test]
async fn what_is_handed_in_again_stands_once_and_holds_up_nothing() {
    let world = World::fresh().await;
    let org = world.org().await;
    let first = intent(1);
    let closing = outcome(first.id);
    record(&world.db, org, vec![first]).await;
    record(&world.db, org, vec![closing.clone()]).await;
    let again = CallEntry { again: true, ..closing };
    let kept = record(&world.db, org, vec![again, intent(1), refusal()]).await;
    assert_eq!(kept.stands, [true, true, true]);
    assert_eq!(world.number("select count(*) from events").await, 4);
    assert_eq!(world.number("select max(seq) from events").await, 4);
    assert_eq!(world.number("select seq from audit_heads").await, 4);
    assert_eq!(world.number("select count(*) from open_calls").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_record_at_the_same_time_leave_no_gap() {
    let world = World::fresh().await;
    let org = world.org().await;
    let writers = (0..6).map(|_| {
        let db = world.db.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                record(&db, org, vec![intent(1), refusal(), intent(9)]).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut tx = world.org_tx(org).await;
    let head = audit::head(&mut tx).await.unwrap();
    let batch = audit::read_batch(&mut tx, None, &head, NOW).await.unwrap();
    tx.done().await.unwrap();
    assert_eq!(batch.events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=120).collect::<Vec<_>>());
    assert!(batch.events.windows(2).all(|pair| pair[1].prev_hash == pair[0].hash));
}

#[tokio::test]
async fn the_statement_sees_no_other_organization_and_leaves_nothing_behind_on_its_connection() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    record(&world.db, other, vec![intent(1)]).await;
    record(&world.db, org, vec![intent(1)]).await;
    let mut conn = connect(&world.database.app()).await;
    let seen: i64 = sqlx::query_scalar("select count(*) from events").fetch_one(&mut conn).await.unwrap();
    assert_eq!(seen, 0, "a connection that named nobody sees nobody's rows");
    assert_eq!(world.number("select count(distinct org_id) from events").await, 2);
}

#[tokio::test]
async fn the_latest_calls_of_a_tool_are_found_by_an_index_and_no_more_are_read() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut conn = connect(&app.database.superuser()).await;
    // As many calls of other tools, and many of this one.
    let planted = format!(
        "insert into events (org_id, seq, id, at, kind, action, actor_kind, actor_name, target_kind, target_id, target_name,
            decision, record, prev_hash, hash)
        select '{}', 1000 + n, gen_random_uuid(), now() - make_interval(mins => n), 'call', 'call.allowed', 'grant', 'Agent',
            'tool', 'srv/' || (n % 10), 'tool', 'allowed', '{{}}', '', ''
        from generate_series(1, 60000) n",
        org.id.uuid()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(planted)).execute(&mut conn).await.unwrap();
    sqlx::raw_sql("analyze events").execute(&mut conn).await.unwrap();
    let statement = crate::house::statement_of("l.target_id = $2 order by l.seq desc limit $4");
    let values = [
        format!("'{}'", org.id.uuid()),
        "'srv/7'".into(),
        "now() - interval '30 days'".into(),
        "1000".into(),
    ];
    let statement = (1..=4).rev().fold(statement, |all, at| all.replace(&format!("${at}"), &values[at - 1]));
    let explained = format!("explain (analyze, costs off, timing off) {statement}");
    let plan: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(explained)).fetch_all(&mut conn).await.unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("events_by_target") && !plan.contains("Seq Scan on events"), "{plan}");
    assert!(plan.contains("rows=1000"), "{plan}");
}
