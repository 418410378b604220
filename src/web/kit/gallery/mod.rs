//! Example pages with every part of the console: rendered by tests, read as examples, looked at in a browser.
//!
//! The test writes them with the static files to `target/gallery`; any static file server shows them.

mod pages;

use std::{fs, path::Path};

use askama::Template;
use time::Duration;

use self::pages::{Audit, Enroll, Member, Members, Ops, Overview, Settings, SignIn};
use crate::{
    base::permission::Role,
    web::kit::{
        assets,
        error_pages::{Away, Failed, Forbidden, NotFound},
        listing::Listing,
        palette::{self, Hits, JumpPage},
        parts::{Check, Choice, Crumb, Fault, Qr, Tab},
        samples::{self, AT, LONG, Sample},
        shell::{Banner, Base, GateCard, Shell, Toast, Tone, Undo},
    },
};

/// The frame of the samples, at a place of the rail.
fn shell(base: Base, title: &str, path: &str) -> Shell {
    let mut shell = samples::shell(base, title);
    for group in &mut shell.rail {
        group.items.iter_mut().for_each(|item| item.current = item.href == path);
    }
    shell
}

fn people(count: usize) -> Vec<String> {
    let names =
        ["Mara Lindqvist", "Tomás Ferreira", "Aiko Tanaka", "Jonas Weber", "Ines Duarte", "ci-runner"];
    let mut all: Vec<String> = names.iter().cycle().take(count).map(|name| (*name).to_owned()).collect();
    if count > 10 {
        all[1] = LONG.to_owned();
    }
    all
}

fn choices() -> Vec<Choice> {
    vec![
        Choice::new("member", "Member").hint("Connects accounts and uses agents.").chosen(true),
        Choice::new("auditor", "Auditor").hint("Reads and exports the audit log, changes nothing."),
        Choice::new("owner", "Owner").closed("Only an owner can name an owner."),
    ]
}

/// A list that goes on.
fn list() -> Listing {
    Listing { next: "?cursor=x".into(), ..Listing::default() }
}

fn tabs() -> Vec<Tab> {
    vec![
        Tab::new("Members", "#a", true).with(14),
        Tab::new("Invitations", "#b", false).with(2),
        Tab::new("Off-boarded", "#c", false),
    ]
}

fn faults() -> Vec<Fault> {
    vec![
        Fault { field: "email".into(), message: "Write the address as name@example.org.".into() },
        Fault { field: "password".into(), message: "Email and password do not match.".into() },
    ]
}

fn checks() -> Vec<Check> {
    let check = |label: &str, hint: &str, done| Check {
        label: label.into(),
        hint: hint.into(),
        href: "#".into(),
        verb: "Start".into(),
        done,
    };
    vec![
        check("Create the organization", "", true),
        check("Protect your sign-in", "A passkey and ten recovery codes are set up.", true),
        check("Invite a second person", "So that somebody can act when you cannot.", false),
        check("Create an API key", "For scripts and configuration kept in a repository.", false),
        check("Add a server", "Choose one from the catalogue or give its address.", false),
    ]
}

/// A frame with something to say everywhere.
fn busy() -> Shell {
    let mut busy = shell(Base::Organization, "Members", "/o/acme/members");
    busy.toasts = vec![
        Toast {
            text: "Tomás Ferreira is an auditor now.".into(),
            stays: false,
            undo: Some(Undo { action: "/undo".into(), fields: vec![("role".into(), "member".into())] }),
        },
        Toast { text: "The letter to jonas@acme.example was not sent.".into(), stays: true, undo: None },
    ];
    busy.banners = vec![
        Banner {
            tone: Tone::Deny,
            text: "The gate is closed by Ines Duarte: “leaked laptop”. No agent can call anything.".into(),
            href: "#".into(),
            verb: "Open the gate…".into(),
        },
        Banner {
            tone: Tone::Ask,
            text: "Acme is deleted on 28 Nov 2026.".into(),
            href: String::new(),
            verb: String::new(),
        },
    ];
    busy.gate = Some(GateCard {
        is_open: false,
        note: "By Ines Duarte, 30 minutes ago: leaked laptop".into(),
        spark: String::new(),
        href: "#".into(),
        can_move: true,
    });
    busy
}

fn console_pages() -> Vec<(&'static str, String)> {
    use Base::{Account, Organization};
    let at = AT;
    let members =
        |shell, people| Members { shell, people, tabs: tabs(), choices: choices(), list: list(), at };
    let usual = shell(Organization, "Members", "/o/acme/members");
    let hits = palette::pages(&usual.rail, "");
    let mut refused = shell(Organization, "Settings", "/o/acme/settings");
    refused.has_faults = true;
    let name =
        Fault { field: "name".into(), message: "Give the organization a name of 1 to 80 characters.".into() };
    let codes = (0..10).map(|n| format!("k7d{n}-9x2m-4fq{n}-c8wt")).collect();
    let crumbs = vec![Crumb::to("Members", "/o/acme/members"), Crumb::to("Tomás Ferreira", "")];
    let security = shell(Account, "Password and passkeys", "/me/security");
    let settings = Settings { shell: refused, faults: vec![name], choices: choices(), codes, tabs: tabs() };
    let audit = shell(Organization, "Audit log", "/o/acme/audit");
    vec![
        ("members", render(members(usual.clone(), people(5)))),
        ("members-empty", render(members(usual.clone(), Vec::new()))),
        ("members-full", render(members(busy(), people(40)))),
        (
            "member",
            render(Member {
                shell: usual.clone().titled("Tomás Ferreira"),
                crumbs: crumbs.clone(),
                at,
                never: None,
            }),
        ),
        (
            "overview",
            render(Overview { shell: shell(Organization, "Overview", "/o/acme"), checks: checks(), at }),
        ),
        ("settings", render(settings)),
        ("audit", render(Audit { shell: audit, list: list(), people: people(20), tabs: tabs(), at })),
        ("account", render(Member { shell: security, crumbs, at, never: Some(at - Duration::days(2)) })),
        ("ops", render(Ops { shell: shell(Base::Operator, "Health", "/ops"), at })),
        ("jump", render(JumpPage { shell: usual, query: String::new(), hits })),
    ]
}

fn other_pages() -> Vec<(&'static str, String)> {
    let mut refused = shell(Base::Open, "Sign in", "/login");
    refused.has_faults = true;
    let code = Qr::new("otpauth://totp/Portreeve:mara@acme.example?secret=JBSWY3DPEHPK3PXP&issuer=Portreeve");
    let forbidden = Forbidden {
        shell: shell(Base::Organization, "Not allowed", "/o/acme/x"),
        wanted: "Read the audit log".into(),
        roles: vec![Role::Owner, Role::Admin],
        role: "Member".into(),
        givers: vec!["Ines Duarte".into(), "Jonas Weber".into()],
        matrix: "/o/acme/roles".into(),
        home: "/me".into(),
    };
    let open = |title| shell(Base::Open, title, "");
    vec![
        ("signin", render(SignIn { shell: open("Sign in"), faults: Vec::new() })),
        ("signin-refused", render(SignIn { shell: refused, faults: faults() })),
        (
            "enroll",
            render(Enroll { shell: open("Add a second factor"), code: code.expect("fits a QR code") }),
        ),
        ("404", render(NotFound { shell: open("Not found"), home: "/".into() })),
        ("403", render(forbidden)),
        ("500", render(Failed { shell: shell(Base::Operator, "Failed", "/ops/x"), home: "/ops".into() })),
        ("503", render(Away { shell: open("Not now"), why: "The database does not answer.".into() })),
    ]
}

fn render(page: impl Template) -> String {
    page.render().expect("an example page renders")
}

#[test]
fn every_example_page_is_whole() {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/gallery");
    fs::create_dir_all(&out).expect("a folder for the pages");
    for (name, html) in console_pages().into_iter().chain(other_pages()) {
        let page = Sample { name, html };
        assert_eq!(samples::faults_of(&page), Vec::<String>::new());
        fs::write(out.join(format!("{name}.html")), page.html).expect("writes a page");
    }
    let hits = Hits { query: "zebra".into(), hits: Vec::new() };
    assert!(render(hits).contains("Nothing here is called “zebra”"));
    assets::write_to(&out);
}
