//! Every letter as it is read, against the files in `snapshots/`; UPDATE_SNAPSHOTS=1 writes them anew.

use std::{collections::BTreeSet, fs, path::Path};

use portreeve::{
    base::{permission::Role, secret::Secret},
    flow::letters::{
        AccessAsked, AccessDecided, AccountEnds, AccountReconnect, ApiKeyCreated, ApprovalAsked,
        EmailChanged, Invitation, InvitationExistingAccount, Letter, Line, Moment, NewSignIn,
        OrgDeletionAsked, OwnershipTransferred, PasskeyAdded, PasswordChanged, PolicyProposed,
        ProviderRefused, ProviderSilent, RemovedFromOrg, ResetPassword, SecondFactorChange,
        SecondFactorChanged, SignUpExisting, TestLetter, VerifyEmail,
    },
};
use time::macros::datetime;

const SITE: &str = "https://portreeve.example";

fn page(path: &str) -> String {
    format!("{SITE}{path}")
}

fn link(path: &str) -> Secret<String> {
    Secret::new(page(path))
}

fn at() -> Moment {
    datetime!(2026-11-21 14:05 UTC).into()
}

fn later() -> Moment {
    datetime!(2026-11-24 14:05 UTC).into()
}

fn invitation(inviter: &str, org: &str, team: Option<&str>) -> Invitation {
    Invitation {
        org: org.into(),
        inviter: inviter.into(),
        inviter_email: "grace@acme.example".into(),
        role: Role::PolicyManager,
        team: team.map(Line::of),
        link: link("/invite/pri_0123456789"),
        expires_at: later(),
    }
}

/// Letters about a person's own account, called by what their name is.
fn account_letters(name: &str) -> Vec<Letter> {
    let name = Line::of(name);
    let device = Line::of("Firefox on Linux");
    let place = Line::of("203.0.113.7");
    vec![
        Letter::VerifyEmail(VerifyEmail {
            name: name.clone(),
            link: link("/verify/0123"),
            expires_at: later(),
        }),
        Letter::ResetPassword(ResetPassword {
            name: name.clone(),
            link: link("/reset/0123"),
            expires_at: later(),
            place: place.clone(),
        }),
        Letter::PasswordChanged(PasswordChanged {
            name: name.clone(),
            at: at(),
            device: device.clone(),
            place: place.clone(),
            reset_page: page("/reset"),
        }),
        Letter::SignUpExisting(SignUpExisting {
            name: name.clone(),
            sign_in_page: page("/login"),
            reset_page: page("/reset"),
        }),
        Letter::NewSignIn(NewSignIn {
            name: name.clone(),
            at: at(),
            device: device.clone(),
            place: place.clone(),
            sessions_page: page("/me/sessions"),
        }),
        Letter::SecondFactorChanged(SecondFactorChanged {
            name: name.clone(),
            change: SecondFactorChange::RecoveryCodeUsed,
            at: at(),
            device: device.clone(),
            place: place.clone(),
            security_page: page("/me/security"),
        }),
        Letter::PasskeyAdded(PasskeyAdded {
            name: name.clone(),
            passkey: "Office key".into(),
            at: at(),
            device,
            place: place.clone(),
            security_page: page("/me/security"),
        }),
        Letter::EmailChanged(EmailChanged {
            name,
            old: "ada@old.example".into(),
            new: "ada@new.example".into(),
            at: at(),
            place,
        }),
    ]
}

/// Letters about an organization.
fn org_letters(name: &str, org: &str) -> Vec<Letter> {
    let (name, org) = (Line::of(name), Line::of(org));
    vec![
        Letter::OwnershipTransferred(OwnershipTransferred {
            org: org.clone(),
            from: "Grace Hopper".into(),
            to: name.clone(),
            at: at(),
            members_page: page("/o/acme/members"),
        }),
        Letter::RemovedFromOrg(RemovedFromOrg {
            name: name.clone(),
            org: org.clone(),
            by: "Grace Hopper".into(),
            at: at(),
        }),
        Letter::ApiKeyCreated(api_key(name.clone(), org.clone(), Some(later()))),
        Letter::ApprovalAsked(ApprovalAsked {
            org: org.clone(),
            agent: name.clone(),
            person: name.clone(),
            tool: name.clone(),
            effect: "Tools of its class make or change things".into(),
            expires_at: at(),
            page: page("/o/acme/approvals/apr_1"),
        }),
        Letter::PolicyProposed(PolicyProposed {
            org: org.clone(),
            policy: "GitHub".into(),
            person: name.clone(),
            note: Some("Issues may be closed again".into()),
            page: page("/o/acme/policies/github/publish"),
        }),
        Letter::AccessAsked(AccessAsked {
            org: org.clone(),
            person: name.clone(),
            what: "create_issue on github".into(),
            span: "3 days".into(),
            expires_at: at(),
            page: page("/o/acme/access/acr_1"),
        }),
        Letter::AccessDecided(access(
            name.clone(),
            org.clone(),
            Some("create_issue for 1 day".into()),
            "Go on.",
        )),
        Letter::AccountReconnect(AccountReconnect {
            provider: "GitHub".into(),
            account: "ada@example.com".into(),
            org: org.clone(),
            page: page("/me/accounts"),
            is_admin: false,
        }),
        Letter::AccountEnds(AccountEnds {
            provider: "GitHub".into(),
            account: "robot@example.com".into(),
            ends: later(),
            org: org.clone(),
            page: page("/me/accounts"),
            is_admin: true,
        }),
        Letter::ProviderRefused(ProviderRefused {
            org: org.clone(),
            provider: "GitHub".into(),
            code: "invalid_client".into(),
            page: page("/o/acme/providers/github"),
        }),
        Letter::ProviderSilent(ProviderSilent {
            org: org.clone(),
            provider: "GitHub".into(),
            since: at(),
            page: page("/o/acme/providers/github"),
        }),
        Letter::OrgDeletionAsked(deletion(name, org, None)),
        Letter::TestLetter(TestLetter { at: at() }),
    ]
}

fn api_key(name: Line, org: Line, expires_at: Option<Moment>) -> ApiKeyCreated {
    ApiKeyCreated {
        name,
        org,
        key: "deploy".into(),
        tail: "x7q2".into(),
        scopes: vec!["members:read", "audit:read"],
        at: at(),
        expires_at,
        keys_page: page("/o/acme/api-keys"),
    }
}

fn access(name: Line, org: Line, given: Option<Line>, reason: &str) -> AccessDecided {
    AccessDecided {
        name,
        org,
        what: "create_issue on github".into(),
        given,
        by: "Grace Hopper".into(),
        reason: reason.into(),
        page: page("/me/access"),
    }
}

fn deletion(by: Line, org: Line, deletes_at: Option<Moment>) -> OrgDeletionAsked {
    OrgDeletionAsked { org, by, at: at(), deletes_at, settings_page: page("/o/acme/settings") }
}

/// One of each kind, then the other turns that a letter can take.
fn samples(name: &str, org: &str) -> Vec<(String, Letter)> {
    let mut letters = account_letters(name);
    letters.extend(org_letters(name, org));
    letters.push(Letter::Invitation(invitation(name, org, Some("Platform"))));
    letters.push(Letter::InvitationExistingAccount(InvitationExistingAccount {
        name: "Alan Turing".into(),
        invitation: invitation(name, org, None),
    }));
    let mut samples: Vec<_> = letters.into_iter().map(|l| (l.kind().to_owned(), l)).collect();
    let turns = [
        ("access_decided_refused", Letter::AccessDecided(access(name.into(), org.into(), None, "Ask Ops."))),
        ("invitation_without_team", Letter::Invitation(invitation(name, org, None))),
        ("api_key_created_for_good", Letter::ApiKeyCreated(api_key(name.into(), org.into(), None))),
        (
            "org_deletion_asked_by_the_only_owner",
            Letter::OrgDeletionAsked(deletion(name.into(), org.into(), Some(later()))),
        ),
    ];
    samples.extend(turns.map(|(turn, letter)| (turn.to_owned(), letter)));
    samples
}

/// A letter on one sheet; the style is the same in all of them and left out.
fn sheet(letter: &Letter) -> String {
    let rendered = letter.render(SITE);
    let (head, rest) = rendered.html.split_once("<style>").expect("a style");
    let (_, body) = rest.split_once("</style>").expect("its end");
    format!("Subject: {}\n\n{}\n====\n\n{head}<style></style>{body}\n", rendered.subject, rendered.text)
}

#[test]
fn every_letter_reads_as_agreed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mail/snapshots");
    let mut agreed = BTreeSet::new();
    for (name, letter) in samples("Ada Lovelace", "Acme & Sons") {
        let (file, sheet) = (folder.join(format!("{name}.txt")), sheet(&letter));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&file, &sheet).expect("the snapshot is written");
        }
        assert_eq!(fs::read_to_string(&file).unwrap_or_default(), sheet, "{}", file.display());
        agreed.insert(format!("{name}.txt"));
    }
    assert_eq!(names_in(&folder), agreed, "a snapshot that no letter uses");
}

#[test]
fn every_folder_of_templates_belongs_to_a_letter() {
    let kinds: BTreeSet<String> =
        samples("Ada", "Acme").iter().map(|(_, letter)| letter.kind().to_owned()).collect();
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/mail");
    let folders = names_in(&templates).into_iter().filter(|name| !name.contains('.')).collect();
    assert_eq!(kinds, folders);
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn no_letter_loads_anything_or_leads_elsewhere() {
    for (name, letter) in samples("Ada", "Acme") {
        let rendered = letter.render(SITE);
        for forbidden in ["<img", "src=", "url(", "@import", "<link", "<script", "style=", "utm_"] {
            assert!(!rendered.html.contains(forbidden), "{name} has {forbidden}");
        }
        let both = format!("{}{}", rendered.text, rendered.html);
        let foreign: Vec<&str> = both.split("http").skip(1).filter(|l| !l.starts_with(&SITE[4..])).collect();
        assert!(foreign.is_empty(), "{name} leads to {foreign:?}");
    }
}

#[test]
fn names_can_add_neither_a_header_nor_markup_nor_a_paragraph() {
    let name = "Eve\r\nBcc: all@victim.example\r\n\r\n<script>alert(1)</script>\u{202e}";
    for (kind, letter) in samples(name, "\"><h1>Bank</h1>\n\nPay now") {
        let rendered = letter.render(SITE);
        assert!(!rendered.subject.chars().any(char::is_control), "{kind}: {}", rendered.subject);
        assert!(!rendered.html.contains("<script") && !rendered.html.contains("<h1>Bank"), "{kind}");
        assert!(!rendered.text.lines().any(|l| l.starts_with("Bcc") || l.starts_with("Pay")), "{kind}");
        assert!(!rendered.text.contains('\u{202e}') && !rendered.html.contains('\u{202e}'), "{kind}");
    }
}

#[test]
fn text_letters_fit_a_narrow_window() {
    for (name, letter) in samples("Ada Lovelace", "Acme") {
        let rendered = letter.render(SITE);
        assert!(rendered.text.ends_with(&format!("Portreeve at {SITE}\n")), "{name}");
        assert!(!rendered.text.contains("\n\n\n") && !rendered.text.contains(" \n"), "{name}");
        let wide: Vec<&str> = rendered.text.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(wide.is_empty(), "{name}: {wide:?}");
    }
}

#[test]
fn debug_text_holds_no_link() {
    for (name, letter) in samples("Ada", "Acme") {
        let printed = format!("{letter:?} {:?}", letter.render(SITE));
        assert!(!printed.contains("0123"), "{name}: {printed}");
    }
}
