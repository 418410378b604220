//! Every page of the console, empty, usual and overfull, rendered without a database; and rows to fill them with.

use std::{fs, path::Path};

use time::Duration;

use crate::{
    base::{
        ids::{EventId, OrgId, TeamId, UserId},
        permission::{Role, TeamRole},
    },
    domain::{
        audit::{Decision, EventKind, EventRow},
        identity::users::{Shortcuts, Theme, User},
        tenancy::{Member, MemberName, Org, PersonsOrg, Team, TeamMember},
    },
    flow::leaver::Ending,
    web::{
        console,
        kit::samples::{AT, Sample, faults_of},
    },
};

/// A member of this name.
pub(super) fn member(name: &str) -> Member {
    Member {
        user: UserId::fresh(),
        name: name.into(),
        email: "someone.with.a.long.address@subsidiary.acme.example".into(),
        role: Role::Member,
        teams: 2,
        created_at: AT,
        updated_at: AT,
        last_seen_at: None,
        version: 1,
    }
}

/// The names of so many members.
pub(super) fn names(count: usize) -> Vec<MemberName> {
    let name = |n| MemberName { user: UserId::fresh(), name: format!("Person {n}"), role: Role::Owner };
    (0..count).map(name).collect()
}

/// A team of this name.
pub(super) fn team(name: &str, members: i64) -> Team {
    Team {
        id: TeamId::fresh(),
        slug: "platform".parse().expect("a slug"),
        name: name.into(),
        description: name.repeat(3),
        members,
        created_at: AT,
        updated_at: AT,
        version: 1,
    }
}

/// A person of this name in a team.
pub(super) fn team_member(name: &str) -> TeamMember {
    TeamMember {
        user: UserId::fresh(),
        name: name.into(),
        email: "someone@acme.example".into(),
        role: TeamRole::Member,
        org_role: Role::Member,
        created_at: AT,
        updated_at: AT,
        version: 1,
    }
}

/// An organization of this name.
pub(super) fn org(name: &str) -> Org {
    Org {
        id: OrgId::fresh(),
        slug: "acme".parse().expect("a slug"),
        name: name.into(),
        epoch: 1,
        require_second_factor: false,
        invitation_hours: 72,
        publishing_takes_two: false,
        self_approval: false,
        argument_days: 0,
        created_at: AT,
        updated_at: AT,
        suspended_at: None,
        suspended_reason: None,
        deletion_asked_at: None,
        deletion_asked_by: None,
        version: 1,
    }
}

/// A person's place in an organization of this name.
pub(super) fn persons_org(name: &str) -> PersonsOrg {
    PersonsOrg { org: org(name), role: Role::Admin, last_seen_at: Some(AT), suspended: None }
}

/// The person who looks.
pub(super) fn user() -> User {
    User {
        id: UserId::fresh(),
        email: "mara@acme.example".parse().expect("an address"),
        name: "Mara Lindqvist".parse().expect("a name"),
        email_verified_at: Some(AT),
        has_password: true,
        password_changed_at: Some(AT),
        is_operator: true,
        theme: Theme::System,
        time_zone: "Europe/Lisbon".parse().expect("a zone"),
        shortcuts: Shortcuts::On,
        last_org: None,
        disabled_at: None,
        created_at: AT,
        updated_at: AT,
        version: 1,
    }
}

/// What ends with a person, so many of each.
pub(super) fn endings(count: i64) -> Vec<Ending> {
    let ending = |key, noun| Ending { key, noun, count, what_happens: "end at once" };
    vec![
        ending("sessions", "sessions"),
        ending("api_keys", "API keys"),
        ending("team_places", "places in teams"),
    ]
}

/// An event by somebody of this name.
pub(super) fn event(name: &str, decision: Decision) -> EventRow {
    EventRow {
        seq: 7,
        id: EventId::fresh(),
        at: AT - Duration::HOUR,
        kind: EventKind::Admin,
        action: "member.role_changed".into(),
        actor_kind: "user".into(),
        actor_id: None,
        actor_name: name.into(),
        user: None,
        target_kind: Some("member".into()),
        target_id: Some("usr_x".into()),
        target_name: Some(name.into()),
        decision,
        request: None,
        ip: Some([203, 0, 113, 7].into()),
    }
}

/// The samples of every file that has a page.
fn samples() -> Vec<Sample> {
    let files = [
        console::access::samples,
        console::api_docs::samples,
        console::api_keys::samples,
        console::api_keys::new_samples,
        console::api_keys::rotation_samples,
        console::approvals::samples,
        console::audit::samples,
        console::calls::samples,
        console::found::samples,
        console::gate::samples,
        console::grants::samples,
        console::invitations::samples,
        console::leave::samples,
        console::invite::samples,
        console::me::samples,
        console::members::samples,
        console::offboarding::samples,
        console::ops::samples,
        console::overview::samples,
        console::policies::samples,
        console::prove::samples,
        console::providers::samples,
        console::recover::samples,
        console::roles::samples,
        console::secrets::samples,
        console::servers::samples,
        console::service_accounts::samples,
        console::set_up::samples,
        console::settings::samples,
        console::sign_in::samples,
        console::sign_up::samples,
        console::team_members::samples,
        console::teams::samples,
        console::usage::samples,
        console::wiring::samples,
    ];
    files.iter().flat_map(|samples| samples()).collect()
}

#[test]
fn every_page_is_whole_when_empty_usual_and_overfull() {
    let pages = samples();
    let faults: Vec<String> = pages.iter().flat_map(faults_of).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let mut names: Vec<_> = pages.iter().map(|page| page.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), pages.len(), "each sample has a name of its own");
}

#[test]
fn every_file_with_a_page_ends_with_samples() {
    let mut without = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/console")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("source is text");
            if text.contains("#[derive(Template)]\n#[template") && !text.contains(" fn samples() -> ") {
                without.push(path);
            }
        }
    }
    assert!(without.is_empty(), "add samples() to {without:?}");
}
