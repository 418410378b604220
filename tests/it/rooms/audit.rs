//! The audit record in a real database: no gaps, no way back, exports that verify and tamperings that are caught.

use std::{collections::BTreeSet, path::PathBuf};

use portreeve::{
    base::{
        ids::{OrgId, TeamId},
        page::PageRequest,
    },
    domain::audit::{
        self, Anchors, Entry, EventFilter, LaterAnchors, Report, Tampering, VerifyError, Who, verify,
    },
    flow::actions::export,
    io::{
        anchors::AnchorFile,
        db::{Db, OrgScope, OrgTx, Tx},
    },
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::Executor;
use time::Duration;

use super::{NOW, World};
use crate::kit::{app::TestApp, database::connect, people::PlantedOrg};

async fn record(db: &Db, org: OrgId, name: &str) -> audit::StoredEvent {
    let entry =
        Entry::admin("team.created", &Who::system("test")).target("team", TeamId::fresh(), name).note(name);
    let tx = OrgTx::begin(db, OrgScope::proven(org)).await.unwrap();
    audit::commit(tx, NOW, vec![entry]).await.unwrap();
    let mut tx = OrgTx::begin(db, OrgScope::proven(org)).await.unwrap();
    let head = audit::head(&mut tx).await.unwrap();
    let last = audit::read_batch(&mut tx, Some(head.seq - 1), &head, NOW).await.unwrap().events.pop();
    tx.done().await.unwrap();
    last.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commits_at_the_same_time_leave_no_gap_and_one_chain() {
    let world = World::fresh().await;
    let org = world.org().await;
    let writers = (0..8).map(|writer| {
        let db = world.db.clone();
        tokio::spawn(async move {
            for n in 0..15 {
                record(&db, org, &format!("{writer}-{n}")).await;
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
    let seqs: Vec<_> = batch.events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=120).collect::<Vec<_>>());
    assert!(batch.events.windows(2).all(|pair| pair[1].prev_hash == pair[0].hash));
    let notes: BTreeSet<_> = batch.events.iter().map(|event| note(&event.record)).collect();
    assert_eq!(notes.len(), 120, "no record is there twice");
}

fn note(record: &[u8]) -> String {
    serde_json::from_slice::<Value>(record).unwrap()["note"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_change_and_its_record_stand_or_fall_together() {
    let world = World::fresh().await;
    let org = world.org().await;
    let entry = || Entry::admin("team.created", &Who::system("test"));
    let mut tx = world.org_tx(org).await;
    let appended = audit::append(&mut tx, NOW, vec![entry(), entry()]).await.unwrap();
    assert_eq!(appended.events().len(), 2);
    drop(tx);
    assert_eq!(world.number("select count(*) from events").await, 0);
    record(&world.db, org, "after").await;
    assert_eq!(world.number("select seq from events").await, 1, "what was rolled back leaves no gap");
}

#[tokio::test]
async fn nobody_who_serves_can_change_or_remove_what_was_recorded() {
    let world = World::fresh().await;
    let org = world.org().await;
    record(&world.db, org, "kept").await;
    let attempts = [
        "update events set actor_name = 'x'",
        "delete from events",
        "truncate events",
        "update audit_checkpoints set seq = 0",
        "delete from audit_checkpoints",
        "truncate audit_checkpoints",
        "delete from audit_heads",
        "truncate audit_heads",
        "update audit_heads set seq = 0",
    ];
    let whose = [
        (world.database.app(), "portreeve_app"),
        (world.database.app(), "portreeve_system"),
        (world.database.owner(), "portreeve_owner"),
    ];
    for (options, role) in whose {
        let mut conn = connect(&options).await;
        conn.execute(sqlx::AssertSqlSafe(format!("set role {role}"))).await.unwrap();
        conn.execute(sqlx::AssertSqlSafe(format!("set portreeve.org = '{}'", org.uuid()))).await.ok();
        for sql in attempts {
            match conn.execute(sql).await {
                Err(error) => {
                    let code = error.as_database_error().and_then(|e| e.code()).map(|code| code.to_string());
                    assert_eq!(code.as_deref(), Some("42501"), "{role}: {sql}: {error}");
                }
                // Row-level security may leave nothing to touch.
                Ok(done) => assert_eq!(done.rows_affected(), 0, "{role}: {sql}"),
            }
        }
    }
    assert_eq!(world.number("select count(*) from events where target_name = 'kept'").await, 1);
    // Even past row-level security the triggers stand.
    let mut conn = connect(&world.database.superuser()).await;
    for sql in attempts
        .iter()
        .filter(|sql| !sql.contains("checkpoints set") && !sql.contains("from audit_checkpoints"))
    {
        assert!(conn.execute(*sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn every_filter_finds_what_it_names_and_no_other_organization() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    record(&world.db, org, "Platform").await;
    record(&world.db, other, "Elsewhere").await;
    let found = async |filter: EventFilter| {
        let mut tx = world.org_tx(org).await;
        let page = audit::list(&mut tx, &filter, &PageRequest::first()).await.unwrap();
        let newer = audit::search_newer(&mut tx, &filter, 0, 1, 100).await.unwrap();
        tx.done().await.unwrap();
        assert!(newer.is_none(), "one event is no more than a page of one");
        page.items.len()
    };
    assert_eq!(found(EventFilter::default()).await, 1);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(found(EventFilter { text: some("FORM"), ..EventFilter::default() }).await, 1);
    assert_eq!(found(EventFilter { text: some("elsewhere"), ..EventFilter::default() }).await, 0);
    assert_eq!(found(EventFilter { target_name: some("plat"), ..EventFilter::default() }).await, 1);
    assert_eq!(found(EventFilter { actor_name: some("plat"), ..EventFilter::default() }).await, 0);
    assert_eq!(found(EventFilter { action: some("team."), ..EventFilter::default() }).await, 1);
    assert_eq!(found(EventFilter { action: some("team%"), ..EventFilter::default() }).await, 0);
    assert_eq!(found(EventFilter { from: Some(NOW), ..EventFilter::default() }).await, 1);
    assert_eq!(found(EventFilter { to: Some(NOW), ..EventFilter::default() }).await, 0);
}

#[tokio::test]
async fn a_search_in_stretches_finds_each_event_once_in_whichever_direction_it_goes() {
    let world = World::fresh().await;
    let org = world.org().await;
    for n in 0..13 {
        record(&world.db, org, if n % 3 == 0 { "Needle" } else { "Hay" }).await;
    }
    let filter = EventFilter { target_name: Some("needle".to_owned()), ..EventFilter::default() };
    let place = |cursor: Option<String>| {
        cursor.map(|cursor| PageRequest::<i64>::parse(None, Some(&cursor)).unwrap().after.unwrap())
    };
    let mut tx = world.org_tx(org).await;
    for (stretch, limit) in (1..=7).flat_map(|stretch| (1..=3).map(move |limit| (stretch, limit))) {
        let (mut after, mut back, mut last) = (None, Vec::new(), None);
        loop {
            let page = PageRequest { limit, after };
            let found = audit::search(&mut tx, &filter, &page, stretch).await.unwrap();
            assert!(found.reaches.is_none() || found.page.next.is_some(), "the log goes on");
            back.extend(found.page.items.iter().map(|row| row.seq));
            last = place(found.newer).or(last);
            after = place(found.page.next);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(back, [13, 10, 7, 4, 1], "{stretch}, {limit}");
        // From the oldest page on, all that is newer, until the first page shows the rest.
        let (mut after, mut forth) = (last.map(|_| 0), Vec::new());
        while let Some(place_of) = after {
            let found = audit::search_newer(&mut tx, &filter, place_of, limit, stretch).await.unwrap();
            let Some(found) = found else { break };
            let rows: Vec<i64> = found.page.items.iter().map(|row| row.seq).collect();
            assert!(rows.len() <= usize::from(limit) && rows.is_sorted_by(|a, b| a > b));
            forth.splice(0..0, rows);
            after = place(found.newer).filter(|next| *next > place_of);
        }
        assert!(back.ends_with(&forth), "{stretch}, {limit}: {forth:?}");
        assert!(back.len() - forth.len() <= usize::from(limit), "the first page shows the rest: {forth:?}");
    }
    tx.done().await.unwrap();
}

#[tokio::test]
async fn an_event_of_a_clock_that_was_set_back_is_found_in_its_span_of_time() {
    let world = World::fresh().await;
    let org = world.org().await;
    for hours in [-72, 10, 0, 12, 96] {
        let entry = Entry::admin("team.created", &Who::system("test"));
        let tx = world.org_tx(org).await;
        audit::commit(tx, NOW + time::Duration::hours(hours), vec![entry]).await.unwrap();
    }
    let places = async |from: Option<i64>, to: Option<i64>| {
        let at = |hours: Option<i64>| hours.map(|hours| NOW + time::Duration::hours(hours));
        let filter = EventFilter { from: at(from), to: at(to), ..EventFilter::default() };
        let mut tx = world.org_tx(org).await;
        let page = audit::list(&mut tx, &filter, &PageRequest::first()).await.unwrap();
        tx.done().await.unwrap();
        page.items.iter().map(|event| event.seq).collect::<Vec<_>>()
    };
    assert_eq!(places(None, Some(1)).await, [3, 1]);
    assert_eq!(places(Some(9), None).await, [5, 4, 2]);
    assert_eq!(places(Some(0), Some(11)).await, [3, 2]);
    assert_eq!(places(Some(-72), Some(96)).await, [4, 3, 2, 1]);
    assert!(places(Some(200), None).await.is_empty());
    assert!(places(None, Some(-100)).await.is_empty());
}

/// An installation with two organizations, sealed several times, and anchors kept outside.
struct Sealed {
    app: TestApp,
    acme: PlantedOrg,
    other: PlantedOrg,
    anchors: PathBuf,
}

impl Sealed {
    async fn world() -> Self {
        let anchors = std::env::temp_dir().join(format!("portreeve-test-{}", uuid::Uuid::now_v7()));
        let file = AnchorFile::at(anchors.clone());
        let app = TestApp::with(|ports| ports.site.anchor_file = Some(file)).await;
        let (acme, other) = (app.org("acme").await, app.org("other").await);
        for round in 0..3 {
            for n in 0..4 {
                record(app.db(), acme.id, &format!("{round}-{n}")).await;
            }
            record(app.db(), other.id, "other").await;
            app.clock.advance(Duration::minutes(2));
            app.run_jobs().await;
        }
        app.clock.advance(Duration::minutes(5));
        Self { app, acme, other, anchors }
    }

    async fn export(&self, org: &PlantedOrg) -> Vec<String> {
        let mut file = Vec::new();
        export::export(&self.app.ports, &org.slug, &mut file).await.unwrap();
        String::from_utf8(file).unwrap().lines().map(str::to_owned).collect()
    }

    fn check(&self, lines: &[String], with_anchors: bool) -> Result<Report, Tampering> {
        let anchors = if with_anchors {
            Anchors::read(std::fs::read(&self.anchors).unwrap().as_slice()).unwrap()
        } else {
            Anchors::none()
        };
        let file = lines.join("\n") + "\n";
        verify(file.as_bytes(), anchors, LaterAnchors::PassOver).map_err(|error| match error {
            VerifyError::Altered(fault) => fault.tampering,
            VerifyError::Io(error) => panic!("{error}"),
        })
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        std::fs::remove_file(&self.anchors).ok();
    }
}

#[tokio::test]
async fn the_job_seals_every_chain_and_keeps_the_seals_outside() {
    let sealed = Sealed::world().await;
    let report = sealed.check(&sealed.export(&sealed.acme).await, true).unwrap();
    let chain = report.chains[0];
    // Twelve records and that of the export itself, which only the newest checkpoint covers.
    assert_eq!((chain.org, chain.records, chain.sealed_to, chain.anchored_to), (sealed.acme.id, 13, 13, 12));
    assert_eq!(chain.checkpoints, 4);
    assert!(report.unvouched_keys.is_empty());
    let count = async || std::fs::read_to_string(&sealed.anchors).unwrap().lines().count();
    let before = count().await;
    sealed.app.clock.advance(Duration::minutes(2));
    sealed.app.run_jobs().await;
    assert_eq!(count().await, before, "where nothing new stands, nothing is sealed");
    let text = std::fs::read_to_string(&sealed.anchors).unwrap();
    assert!(text.starts_with(r#"{"type":"key","#));
}

#[tokio::test]
async fn the_nine_tamperings_of_a_real_export_are_caught() {
    let sealed = Sealed::world().await;
    let (honest, foreign) = (sealed.export(&sealed.acme).await, sealed.export(&sealed.other).await);
    assert!(sealed.check(&honest, true).is_ok() && sealed.check(&honest, false).is_ok());
    let events: Vec<usize> = places(&honest, "event");
    let seals: Vec<usize> = places(&honest, "checkpoint");
    let org = sealed.acme.id;
    let altered = |change: &dyn Fn(&mut Vec<String>)| {
        let mut file = honest.clone();
        change(&mut file);
        assert_ne!(file, honest);
        file
    };
    let nine = [
        ("edited", altered(&|f| f[events[4]] = f[events[4]].replace("1-0", "9-9"))),
        ("removed", altered(&|f| drop(f.remove(events[4])))),
        ("inserted", altered(&|f| f.insert(events[4], f[events[5]].clone()))),
        ("reordered", altered(&|f| f.swap(events[4], events[5]))),
        ("tail cut", altered(&|f| drop(f.drain(events[8]..f.len() - 1)))),
        ("chain deleted", altered(&|f| drop(f.drain(1..f.len() - 1)))),
        (
            "computed anew",
            altered(&|f| {
                f[events[4]] = f[events[4]].replace("1-0", "9-9");
                compute_anew(f, org);
            }),
        ),
        (
            "moved between organizations",
            altered(&|f| f[events[1]] = foreign[places(&foreign, "event")[1]].clone()),
        ),
        ("seal rolled back", altered(&|f| drop(f.remove(seals[1])))),
    ];
    for (what, file) in nine {
        for with_anchors in [false, true] {
            assert!(sealed.check(&file, with_anchors).is_err(), "{what} was missed, anchors: {with_anchors}");
        }
    }
    // A break anywhere in the stream is noticed too.
    for cut in 1..honest.len() {
        assert!(sealed.check(&honest[..cut], false).is_err(), "cut behind line {cut}");
    }
}

fn places(lines: &[String], kind: &str) -> Vec<usize> {
    let mark = format!(r#"{{"type":"{kind}","#);
    (0..lines.len()).filter(|at| lines[*at].starts_with(&mark)).collect()
}

/// Gives every event the hash that its record and place call for, as someone with the formula would.
fn compute_anew(lines: &mut [String], org: OrgId) {
    let mut prev: Vec<u8> = Vec::new();
    for (at, seq) in places(lines, "event").into_iter().zip(1u64..) {
        let line = lines[at].clone();
        let (head, record) = line.split_once(r#","record":"#).unwrap();
        let record = record.strip_suffix('}').unwrap();
        let stated: Value = serde_json::from_str(&format!("{head}}}")).unwrap();
        if seq == 1 {
            prev = data_encoding::HEXLOWER.decode(stated["prev"].as_str().unwrap().as_bytes()).unwrap();
        }
        let mut hash = Sha256::new();
        hash.update(b"portreeve/audit/1");
        hash.update(org.uuid().as_bytes());
        hash.update(seq.to_be_bytes());
        hash.update(&prev);
        hash.update((record.len() as u64).to_be_bytes());
        hash.update(record.as_bytes());
        let hash = hash.finalize().to_vec();
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        lines[at] = format!(
            r#"{{"type":"event","hash":"{}","prev":"{}","record":{record}}}"#,
            hex(&hash),
            hex(&prev)
        );
        prev = hash;
    }
}
