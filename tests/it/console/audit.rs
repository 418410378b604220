//! The audit log on its pages.

use http::StatusCode;
use portreeve::{
    base::{
        ids::{TeamId, UserId},
        permission::Role,
    },
    domain::audit::{self, Anchors, Entry, LaterAnchors, Who, verify},
};
use serde_json::json;
use time::Duration;

use crate::kit::{
    app::TestApp,
    browser::{Browser, Scheme},
    database::connect,
    http::{Page, Visitor},
    people::PlantedOrg,
};

const LOG: &str = "/o/acme/audit";

async fn acme(app: &TestApp) -> (PlantedOrg, Visitor) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    (org, ada)
}

/// Records that this many teams were created, a second apart.
async fn plant(app: &TestApp, org: &PlantedOrg, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let who = Who::system("planter");
    let mut ids = Vec::new();
    for name in names {
        app.clock.advance(Duration::seconds(1));
        let entry = Entry::admin("team.created", &who)
            .target("team", TeamId::fresh(), &name)
            .after(&json!({ "name": name }));
        let tx = app.org_tx(org.id).await;
        ids.push(audit::commit(tx, app.clock.now(), vec![entry]).await.unwrap()[0].to_string());
    }
    ids
}

/// The addresses of links that say this, entities undone.
fn links(page: &Page, says: &str) -> Vec<String> {
    let all = page.body.split("<a ").skip(1).filter_map(|link| {
        let href = link.split_once("href=\"")?.1.split_once('"')?.0;
        let words = link.split_once("</a>")?.0;
        words.contains(says).then(|| crate::kit::form::unescape(href))
    });
    all.collect()
}

fn link(page: &Page, says: &str) -> String {
    links(page, says).into_iter().next().unwrap_or_else(|| panic!("no link says {says}: {}", page.body))
}

#[tokio::test]
async fn a_change_is_read_in_words_with_before_after_and_proof() {
    let app = TestApp::start().await;
    let (_, mut ada) = acme(&app).await;
    let page = ada.get(LOG).await.expect(StatusCode::OK);
    assert!(page.says("Nothing has happened yet"));
    let page = ada.get("/o/acme/teams/new").await;
    ada.submit(&page, "/o/acme/teams/new", &[("name", "Platform"), ("slug", "platform")]).await;
    let edit = "/o/acme/teams/platform/edit";
    let page = ada.get(edit).await;
    ada.submit(&page, edit, &[("name", "Platform Crew")]).await.expect(StatusCode::SEE_OTHER);

    let page = ada.get(LOG).await.expect(StatusCode::OK);
    assert!(page.says("created the team Platform") && page.says("changed the team Platform Crew"));
    let beside = ada.get(&link(&page, "Open the event of")).await.expect(StatusCode::OK);
    for words in [
        "Ada Admin changed the team Platform Crew.",
        "<del>Platform</del>",
        "<ins>Platform Crew</ins>",
        "The hash recomputes from the record",
        "It follows the event before it",
        "No checkpoint covers it yet",
    ] {
        assert!(beside.says(words), "{words}: {}", beside.body);
    }
    app.clock.advance(Duration::minutes(2));
    app.run_jobs().await;
    let own = ada.get(&link(&beside, "Team changed")).await.expect(StatusCode::OK);
    assert!(own.path.starts_with("/o/acme/audit/evt_"));
    assert!(
        own.says("Signed checkpoint 1 covers it") && own.says("Ada Admin changed the team Platform Crew.")
    );
    let older = ada.get(&link(&own, "Older")).await.expect(StatusCode::OK);
    assert!(older.says("Ada Admin created the team Platform."));
}

#[tokio::test]
async fn filters_are_typed_clicked_and_taken_away() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    plant(&app, &org, ["Alpha", "Beta"].map(str::to_owned)).await;
    let page = ada.get("/o/acme/teams/new").await;
    ada.submit(&page, "/o/acme/teams/new", &[("name", "Gamma")]).await;
    let deeds = |page: &Page| {
        ["Alpha", "Beta", "Gamma"]
            .into_iter()
            .filter(|name| page.says(&format!("created the team {name}")))
            .collect::<Vec<_>>()
    };
    for (query, found) in [
        ("", vec!["Alpha", "Beta", "Gamma"]),
        ("?q=beta", vec!["Beta"]),
        ("?q=person%3A%22ada+admin%22", vec!["Gamma"]),
        ("?q=action%3Ateam.*", vec!["Alpha", "Beta", "Gamma"]),
        ("?q=action%3Amember.", vec![]),
        ("?q=decision%3Adone+target%3Aalp", vec!["Alpha"]),
        ("?q=decision%3Arefused", vec![]),
        ("?q=from%3A2026-11-21+to%3A2026-11-21", vec!["Alpha", "Beta", "Gamma"]),
        ("?q=to%3A2026-11-20", vec![]),
        ("?q=from%3A2026-11-21T12%3A00%3A02", vec!["Beta", "Gamma"]),
        ("?q=-target%3Abeta", vec!["Alpha", "Gamma"]),
        ("?q=-person%3A%22ada+admin%22+-target%3Aalp", vec!["Beta"]),
        ("?q=-action%3Ateam.", vec![]),
        ("?q=-decision%3Arefused+-action%3Amember.", vec!["Alpha", "Beta", "Gamma"]),
        ("?q=ip%3A127.0.0.0/8", vec!["Gamma"]),
        ("?q=ip%3A203.0.113.7", vec![]),
        ("?q=-ip%3A127.0.0.1", vec!["Alpha", "Beta"]),
        ("?kind=admin", vec!["Alpha", "Beta", "Gamma"]),
        ("?kind=auth", vec![]),
    ] {
        let page = ada.get(&format!("{LOG}{query}")).await.expect(StatusCode::OK);
        assert_eq!(deeds(&page), found, "{query}");
    }
    // What is typed joins the filters that are there, and each can be taken away.
    let page = ada.get(&format!("{LOG}?q=person%3Aada")).await.expect(StatusCode::OK);
    assert!(page.body.contains(r#"<input type="hidden" name="q" value="person:ada">"#));
    let page = ada.get(&format!("{LOG}?q=person%3Aada&q=target%3Anowhere&q=")).await.expect(StatusCode::OK);
    assert!(page.says("No event matches") && page.says("Drop target:nowhere"));
    assert!(!page.says("Drop person:ada"));
    let page = ada.get(&link(&page, "Drop target:nowhere")).await;
    assert_eq!(deeds(&page), ["Gamma"]);
    let page = ada.get(&link(&page, "Remove person")).await;
    assert_eq!(deeds(&page), ["Alpha", "Beta", "Gamma"]);
    // Clicking a value of the event narrows the list to it, and the chip shows the name instead of the id.
    let beside = ada.get(&link(&page, "Open the event of")).await;
    let page = ada.get(&link(&beside, "Only events with Who")).await.expect(StatusCode::OK);
    assert_eq!(deeds(&page), ["Gamma"]);
    assert!(page.body.contains("<b>person:</b>Ada Admin"));
    // What is left out is a chip like any other.
    let page = ada.get(&format!("{LOG}?q=-target%3Abeta")).await;
    assert!(page.body.contains("<b>-target:</b>beta"));
    assert_eq!(deeds(&ada.get(&link(&page, "Remove -target")).await), ["Alpha", "Beta", "Gamma"]);
}

#[tokio::test]
async fn a_bad_filter_is_pointed_at_kept_and_left_out() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    plant(&app, &org, ["Alpha".to_owned()]).await;
    let page = ada.get(&format!("{LOG}?q=decision%3Amaybe+color%3Ared+alpha")).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("2 filters were left out"));
    assert!(page.says("decision is allowed, done, refused, failed or unknown."));
    assert!(page.says("There is no filter color:. Use person:, action:"));
    assert!(page.body.contains(r#"value="color:red decision:maybe""#), "{}", page.body);
    assert!(page.says("created the team Alpha"), "the good filters still apply");
    for bad in
        ["from%3Ayesterday", "request%3Ax", "person%3A", "ip%3Ahome", "-ip%3A10.0.0.0/99", "-from%3A7d"]
    {
        ada.get(&format!("{LOG}?q={bad}")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let page = ada.get(&format!("{LOG}?cursor=nonsense&q=action:team.")).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("<code>cursor=nonsense</code> is no place that this log gave"));
    assert!(page.says("<b>action:</b>team."), "the other filters stay");
    let page = ada.get(&format!("{LOG}?kind=wedding")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("<code>kind=wedding</code> kind is admin, auth or call."));
}

#[tokio::test]
async fn days_are_those_of_the_viewers_zone() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    // 12:00 UTC is already the next day in Kiritimati (UTC+14).
    plant(&app, &org, ["Alpha".to_owned()]).await;
    let mut conn = crate::kit::database::connect(&app.database.superuser()).await;
    crate::kit::database::execute(&mut conn, "update users set time_zone = 'Pacific/Kiritimati'").await;
    let page = ada.get(&format!("{LOG}?q=from%3A2026-11-22")).await.expect(StatusCode::OK);
    assert!(page.says("created the team Alpha") && page.says("times in Pacific/Kiritimati"));
    let page = ada.get(&format!("{LOG}?q=to%3A2026-11-21")).await.expect(StatusCode::OK);
    assert!(!page.says("created the team Alpha"));
}

#[tokio::test]
async fn the_log_is_paged_both_ways_and_no_event_is_seen_twice() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    plant(&app, &org, (1..=130).map(|n| format!("T{n:03}"))).await;
    let names = |page: &Page| {
        (1..=130).rev().filter(|n| page.says(&format!(">created the team T{n:03}<"))).collect::<Vec<_>>()
    };
    let first = ada.get(LOG).await.expect(StatusCode::OK);
    assert_eq!(names(&first), (81..=130).rev().collect::<Vec<_>>());
    assert!(links(&first, "Newer").is_empty());
    let second = ada.get(&link(&first, "Older")).await;
    assert_eq!(names(&second), (31..=80).rev().collect::<Vec<_>>());
    let third = ada.get(&link(&second, "Older")).await;
    assert_eq!(names(&third), (1..=30).rev().collect::<Vec<_>>());
    assert!(links(&third, "Older").is_empty());
    let back = ada.get(&link(&third, "Newer")).await;
    assert_eq!(names(&back), names(&second));
    let top = ada.get(&link(&back, "Newer")).await;
    assert_eq!(names(&top), names(&first));
    // New events do not shift an older page.
    plant(&app, &org, ["T900".to_owned()]).await;
    assert_eq!(names(&ada.get(&second.path).await), names(&second));
}

#[tokio::test]
async fn downloads_need_their_permission_and_are_recorded() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    plant(&app, &org, ["=Alpha".to_owned(), "Beta".to_owned()]).await;
    let export = format!("{LOG}/export");
    let mut pat = app.member(&org, "Pat Policy", Role::PolicyManager).await.browser;
    let page = pat.get(LOG).await.expect(StatusCode::OK);
    assert!(links(&page, "Whole record").is_empty());
    pat.get(&format!("{export}?format=jsonl")).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(app.recorded(&org).await.len(), 2, "a refused download leaves nothing");

    let page = ada.get(&format!("{LOG}?q=beta")).await;
    let csv = ada.get(&link(&page, "These events")).await.expect(StatusCode::OK);
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(csv.headers["content-disposition"], "attachment; filename=\"acme-audit-2026-11-21.csv\"");
    assert_eq!(csv.body.lines().count(), 2);
    assert!(csv.body.contains("\"Beta\"") && !csv.body.contains("Alpha"));

    let jsonl = ada.get(&link(&page, "Whole record")).await.expect(StatusCode::OK);
    let report = verify(jsonl.body.as_bytes(), Anchors::none(), LaterAnchors::PassOver).unwrap();
    assert_eq!((report.chains[0].org, report.chains[0].records, report.chains[0].sealed_to), (org.id, 4, 4));
    assert_eq!(app.recorded(&org).await[2..], ["audit.exported", "audit.exported"]);
    ada.get(&format!("{export}?format=xml")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    ada.get(&format!("{export}?format=jsonl&q=beta")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn whoever_may_not_read_the_log_is_told_or_learns_nothing() {
    let app = TestApp::start().await;
    let (org, _) = acme(&app).await;
    let ids = plant(&app, &org, ["Alpha".to_owned()]).await;
    let own = format!("{LOG}/{}", ids[0]);
    let mut aud = app.member(&org, "Aud Itor", Role::Auditor).await.browser;
    aud.get(LOG).await.expect(StatusCode::OK);
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    for path in [LOG, own.as_str()] {
        assert!(mia.get(path).await.expect(StatusCode::FORBIDDEN).says("auditor"));
    }
    let other = app.org("other").await;
    let mut eve = app.member(&other, "Eve Elsewhere", Role::Owner).await.browser;
    for path in [LOG, own.as_str(), &own.replace("acme", "other"), "/o/other/audit/evt_nonsense"] {
        eve.get(path).await.expect(StatusCode::NOT_FOUND);
    }
    let page = eve.get(&format!("/o/other/audit?event={}", ids[0])).await.expect(StatusCode::OK);
    assert!(!page.says("Alpha"));
}

#[tokio::test]
async fn an_altered_record_says_so_on_its_page() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let ids = plant(&app, &org, ["Alpha".to_owned()]).await;
    let mut conn = crate::kit::database::connect(&app.database.superuser()).await;
    let sql = "set session_replication_role = replica; update events set target_name = 'Omega'";
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    let page = ada.get(&format!("{LOG}/{}", ids[0])).await.expect(StatusCode::OK);
    assert!(page.says("What you read here is not what was recorded"));
    assert!(page.says("The hash recomputes from the record"));
}

#[tokio::test]
async fn the_log_is_read_with_the_keyboard_alone_and_axe_finds_nothing() {
    let Some(browser) = Browser::open().await else {
        return;
    };
    let app = TestApp::start().await;
    let (org, ada) = acme(&app).await;
    plant(&app, &org, ["Alpha", "Beta", "Gamma"].map(str::to_owned)).await;
    let who = Who::system("planter");
    let entry = Entry::admin("member.role_changed", &who)
        .target("user", UserId::fresh(), "Tomás Ferreira")
        .changed(&json!({ "role": "member" }), &json!({ "role": "admin" }))
        .note("Covers for Mara in December");
    let refused =
        Entry::auth("gate.closed", &who).target("user", UserId::fresh(), "Mara Lindqvist").refused();
    audit::commit(app.org_tx(org.id).await, app.clock.now(), vec![refused, entry]).await.unwrap();
    let session = ada.cookie("portreeve_session").unwrap();
    browser.goto(&format!("{}/login", app.origin())).await;
    browser.console().await;
    let cookie = json!({ "name": "portreeve_session", "value": session, "url": app.origin() });
    browser.cdp("Network.setCookie", cookie).await;
    browser.resize(1440, 900).await;
    browser.goto(&format!("{}{LOG}", app.origin())).await;
    browser.press(&["j", "j", "k", "Enter"]).await;
    browser.see(".ev", "Portreeve changed the role of Tomás Ferreira from Member to Admin.").await;
    browser.press(&["j", "Enter"]).await;
    browser.see(".ev", "Portreeve tried to close the gate for all agents; this was refused.").await;
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.prefer(scheme).await;
        for width in [1440, 390] {
            browser.resize(width, 900).await;
            assert_eq!(browser.axe().await, [], "{scheme:?} at {width}");
            let overflows = "return document.documentElement.scrollWidth > innerWidth";
            assert_eq!(browser.eval(overflows).await, json!(false), "the page is wider than {width}");
            shot(&browser, &format!("list-{scheme:?}-{width}")).await;
        }
    }
    browser.resize(1440, 900).await;
    browser.press(&["Escape"]).await;
    browser.wait_for("!document.querySelector('.ev')").await;
    browser.click("[popovertarget=export]").await;
    browser.see("#export", "Whole record, with proof").await;
    shot(&browser, "menu").await;
    let own = browser.attribute(".row-link", "href").await.unwrap();
    let id = own.split_once("event=").unwrap().1.to_owned();
    browser.goto(&format!("{}{LOG}/{id}", app.origin())).await;
    for width in [1440, 390] {
        browser.resize(width, 900).await;
        assert_eq!(browser.axe().await, [], "one event at {width}");
        shot(&browser, &format!("own-{width}")).await;
    }
    browser.finish().await;
}

async fn shot(browser: &Browser, name: &str) {
    if let Ok(dir) = std::env::var("SHOTS") {
        std::fs::write(format!("{dir}/{name}.png"), browser.screenshot().await).unwrap();
    }
}

#[tokio::test]
async fn a_search_for_words_ends_after_a_stretch_says_how_far_it_came_and_goes_on() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let ids = plant(&app, &org, ["Needle", "Alpha", "Beta", "Gamma"].map(str::to_owned)).await;
    // As if very many events stood between the first and the others.
    let mut conn = connect(&app.database.superuser()).await;
    for statement in [
        "set session_replication_role = replica",
        "update events set seq = seq + 250000 where target_name <> 'Needle'",
        "update events set at = at - interval '90 days' where target_name = 'Needle'",
    ] {
        sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
    }
    let page = ada.get(&format!("{LOG}?q=needle")).await.expect(StatusCode::OK);
    assert!(page.says("No event matches so far") && page.body.contains("2026-11-21"), "{}", page.body);
    assert!(!page.says("Drop needle"), "nothing is to blame yet");
    let page = ada.get(&link(&page, "Search further back")).await.expect(StatusCode::OK);
    assert!(page.says("No event matches so far"), "{}", page.body);
    let back = link(&page, "Newer");
    let page = ada.get(&link(&page, "Search further back")).await.expect(StatusCode::OK);
    assert!(page.body.contains(&ids[0]) && !page.says("further back"), "{}", page.body);
    let page = ada.get(&link(&page, "Newer")).await.expect(StatusCode::OK);
    assert!(page.says("No event matches here"), "{}", page.body);
    let page = ada.get(&back).await.expect(StatusCode::OK);
    assert!(
        page.says("No event matches so far"),
        "whatever is newer stands on the first page: {}",
        page.body
    );

    // What is found is shown with how far the search came; nothing is shown twice, and nothing is left out.
    let page = ada.get(&format!("{LOG}?q=a")).await.expect(StatusCode::OK);
    assert!(page.says("searched back to") && page.body.contains(&ids[3]), "{}", page.body);
    assert!(!page.body.contains(&ids[0]));
    // That a filter is to blame is said only of a log that was looked through as a whole.
    let mut page = ada.get(&format!("{LOG}?q=nowhere")).await.expect(StatusCode::OK);
    for _ in 0..2 {
        assert!(!page.says("Drop nowhere"), "{}", page.body);
        page = ada.get(&link(&page, "Search further back")).await.expect(StatusCode::OK);
    }
    assert!(page.says("No event matches further back") && !page.says("Drop nowhere"), "{}", page.body);
    let page = ada.get(&format!("{LOG}?q=nowhere+from%3A7d")).await.expect(StatusCode::OK);
    assert!(page.says("No event matches so far"), "{}", page.body);

    let key = app.key_of(&org, ada_of(&app).await, Role::Admin, &["*"]).await;
    let (mut cursor, mut found, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let path = format!("/api/v1/orgs/acme/events?q=needle{cursor}");
        let answer = key.send(http::Method::GET, &path, &[], None).await.expect(StatusCode::OK);
        found.extend(answer.body["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
        pages += 1;
        match answer.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((found, pages), (vec![json!(ids[0])], 3));
}

async fn ada_of(app: &TestApp) -> UserId {
    let mut conn = connect(&app.database.superuser()).await;
    let sql = "select id from users where email = 'ada.admin@example.com'";
    UserId::from_uuid(sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap())
}
