//! Imports only go down, and rooms of one floor do not know each other.

use std::collections::BTreeSet;

use crate::house::{
    no_faults,
    source::{NamedPath, SourceFile, read, root, rust},
};

/// The floors, lowest first; a floor may import those with a lower number.
const FLOORS: [(&str, u8); 7] =
    [("base", 0), ("protocol", 1), ("io", 1), ("domain", 2), ("flow", 3), ("web", 4), ("app", 5)];

/// Floors that are one room: the words everybody shares, and the roof that builds everything.
const UNDIVIDED: [&str; 2] = ["base", "app"];

/// Rooms that the other rooms of their floor may import.
const SHARED: &[(&str, &str, &str)] = &[
    ("flow", "approvers", "they are written to when an agent asks, and when a person reminds of it"),
    ("flow", "catalogue", "actions and jobs read what a server offers, and a caller's list may ask for it"),
    ("flow", "cx", "who asks is the first argument of whatever happens"),
    ("flow", "decision", "a simulated call is decided as a real one"),
    ("flow", "enter", "somebody who has just signed in or signed up becomes known there"),
    ("flow", "fault", "how an action fails is one type for all of them"),
    ("flow", "jobs", "actions leave work behind and wake the workers"),
    ("flow", "leaver", "what ends with a person is one list for leaving, off-boarding and stopping"),
    ("flow", "letters", "actions put letters into the outbox that a job sends"),
    (
        "flow",
        "tokens",
        "accounts are connected and tried by actions, kept fresh by a job, and carried by calls",
    ),
    ("flow", "sealing", "a job and the export seal chains, with one key"),
    ("web", "kit", "what console and API doors share has its place here"),
];

/// Crates that a floor must not know.
const FOREIGN: [(&str, &[&str], &str); 5] = [
    ("base", &["tokio", "axum", "hyper", "lettre", "askama"], "base does no input or output"),
    ("protocol", &["tokio", "sqlx", "axum"], "formats are bytes in, values out"),
    ("domain", &["axum", "hyper", "tower", "tower_http", "lettre", "askama", "http"], "rooms know no door"),
    (
        "flow",
        &["axum", "hyper", "tower", "tower_http"],
        "what happens does not depend on who rendered the button",
    ),
    ("web", &["sqlx"], "doors ask flow"),
];

/// What a door must not name, because a floor below does it.
const NOT_AT_THE_DOOR: [&str; 4] = ["OrgTx", "PersonTx", "SystemTx", "store"];

#[test]
fn imports_only_go_down_and_rooms_of_one_floor_do_not_meet() {
    no_faults(&faults_of(&rust("src"), "imports", |file, path| {
        let (Some(here), Some(there)) = (Place::of(&file.module()), Place::of(&path.segments)) else {
            return None;
        };
        let target = path.segments.join("::");
        if path.segments.len() == 1 && here.floor != there.floor {
            return Some(format!("imports the whole floor {target}: name the room"));
        }
        if path.is_relative && (here.floor, &here.room) != (there.floor, &there.room) && here.room.is_some() {
            return Some(format!("leaves its room by super:: for {target}"));
        }
        if path.is_reexport && here.room.is_some() && here.room != there.room {
            return Some(format!("re-exports {target} of another room"));
        }
        here.refusal(&there).map(|why| format!("imports {target}: {why}"))
    }));
}

#[test]
fn no_floor_knows_a_crate_that_belongs_elsewhere() {
    no_faults(&faults_of(&rust("src"), "crates", |file, path| {
        let module = file.module();
        let (_, crates, why) =
            FOREIGN.iter().find(|(floor, ..)| module.first().is_some_and(|first| first == floor))?;
        let foreign =
            path.segments.first().filter(|first| !path.is_ours && crates.contains(&first.as_str()))?;
        Some(format!("names the crate {foreign}: {why}"))
    }));
}

#[test]
fn doors_touch_no_store_and_begin_no_transaction() {
    let files = rust("src/web");
    let mut faults = faults_of(&files, "doors", |_, path| {
        let named = path.segments.iter().find(|segment| NOT_AT_THE_DOOR.contains(&segment.as_str()))?;
        Some(format!("names {named} ({}): call one function of flow", path.segments.join("::")))
    });
    for file in &files {
        let words = ["OrgTx", "PersonTx", "SystemTx"].iter().flat_map(|word| file.lines_with(&[word]));
        faults.extend(words.map(|line| format!("{}:{line}: a door names a transaction", file.path)));
    }
    no_faults(&faults);
}

#[test]
fn every_floor_and_every_room_says_what_it_is() {
    let mut faults = Vec::new();
    for file in rust("src") {
        let is_entrance =
            file.path.ends_with("/mod.rs") || file.path == "src/lib.rs" || file.module().len() == 2;
        if is_entrance && !file.text.starts_with("//! ") {
            faults.push(format!("{}: does not begin with `//!` and what the room owns", file.path));
        }
    }
    no_faults(&faults);
}

#[test]
fn every_folder_of_the_crate_is_a_floor() {
    let folders: BTreeSet<_> = rust("src").iter().filter_map(|file| file.module().first().cloned()).collect();
    let unknown: Vec<_> =
        folders.into_iter().filter(|folder| !FLOORS.iter().any(|(floor, _)| floor == folder)).collect();
    no_faults(&unknown);
}

#[test]
fn the_rules_notice_what_they_forbid() {
    let cases = [
        ("src/base/x.rs", "use crate::io::db::Db;"),
        ("src/domain/audit/mod.rs", "fn f(_: crate::domain::vault::Vault) {}"),
        ("src/flow/actions/teams.rs", "use crate::web::kit::Form;"),
        ("src/io/mail.rs", "use super::db::Db;"),
        ("src/web/api/mod.rs", "use crate::web::console::Page;"),
        ("src/web/api/mod.rs", "use crate::domain;"),
        ("src/io/net/mod.rs", "use crate::protocol::mcp::Frame;"),
    ];
    let allowed = [
        ("src/web/api/teams.rs", "use crate::{web::kit::Form, flow::actions::teams, domain::tenancy::Team};"),
        ("src/web/mod.rs", "pub use crate::web::console::router;"),
        ("src/domain/audit/store.rs", "use super::Entry; use crate::io::db::OrgTx;"),
        ("src/app/serve.rs", "use crate::app::ports::Ports;"),
    ];
    for (is_fault, (path, text)) in
        cases.map(|case| (true, case)).into_iter().chain(allowed.map(|c| (false, c)))
    {
        let file = SourceFile::from_text(path, text.to_owned());
        let here = Place::with_rooms(&file.module(), true).unwrap();
        let refused = file.paths().iter().any(|named| {
            let there = Place::with_rooms(&named.segments, true);
            named.segments.len() == 1 || there.is_some_and(|there| here.refusal(&there).is_some())
        });
        assert_eq!(refused, is_fault, "{path}: {text}");
    }
}

/// A floor, and a room on it unless the floor's own root is meant.
struct Place {
    floor: &'static str,
    height: u8,
    room: Option<String>,
}

impl Place {
    fn of(segments: &[String]) -> Option<Self> {
        let is_room = segments.get(1).is_some_and(|room| {
            let place = root().join("src").join(&segments[0]).join(room);
            place.is_dir() || read(&format!("src/{}/{room}.rs", segments[0])).is_some()
        });
        Self::with_rooms(segments, is_room)
    }

    fn with_rooms(segments: &[String], is_room: bool) -> Option<Self> {
        let (floor, height) =
            *FLOORS.iter().find(|(floor, _)| segments.first().is_some_and(|first| first == floor))?;
        let room = segments.get(1).filter(|_| is_room && !UNDIVIDED.contains(&floor)).cloned();
        Some(Self { floor, height, room })
    }

    /// Why a file here must not import from there.
    fn refusal(&self, there: &Self) -> Option<&'static str> {
        if there.height > self.height {
            return Some("imports only go down");
        }
        if there.height < self.height {
            return None;
        }
        if self.floor != there.floor {
            return Some("the two floors stand side by side");
        }
        // A floor's root may know its rooms, and the rooms what the root holds for all of them.
        let (Some(here), Some(there)) = (&self.room, &there.room) else {
            return None;
        };
        let is_shared = SHARED.iter().any(|(floor, room, _)| *floor == self.floor && room == there);
        (here != there && !is_shared).then_some("rooms of one floor never import each other")
    }
}

fn faults_of(
    files: &[SourceFile],
    rule: &str,
    fault: impl Fn(&SourceFile, &NamedPath) -> Option<String>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        for path in file.paths() {
            faults.extend(
                fault(file, &path).map(|fault| format!("{}:{}: {rule}: {fault}", file.path, path.line)),
            );
        }
    }
    faults
}
