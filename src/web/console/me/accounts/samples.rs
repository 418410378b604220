//! Pages of accounts as the gallery shows them.

use time::OffsetDateTime;

use super::{
    AccountPage, AccountRow, AccountsPage, ErrorLine, FailedPage, LIST, Place, SettingsLink, Switch, Tile,
    check, connect, rule, words, words::Health,
};
use crate::domain::connections::Obtaining;
use crate::web::kit::{
    form::FormFaults,
    parts::Crumb,
    samples::{LONG, SHARP, Sample, faults, sample, shell},
    shell::Base,
};

pub(super) fn all() -> Vec<Sample> {
    let row = |text: &str, is_broken: bool| AccountRow {
        href: "/me/accounts/acme/con_1".into(),
        reconnect: "/me/accounts/acme/connect/github?connection=con_1".into(),
        provider: "GitHub".into(),
        title: text.into(),
        workspace: text.into(),
        whose: String::new(),
        is_default: !is_broken,
        rule: if is_broken { text.into() } else { String::new() },
        health: Health::sample(is_broken),
    };
    let place = |n: usize, many: usize| Place {
        name: LONG.into(),
        slug: format!("acme-{n}"),
        accounts: (0..many).map(|n| row(LONG, n % 2 == 1)).collect(),
        shared: (0..many / 2).map(|n| AccountRow { whose: LONG.into(), ..row(LONG, n % 2 == 1) }).collect(),
        tiles: (0..many)
            .map(|n| Tile { href: "/".into(), name: LONG.into(), is_further: n % 2 == 1 })
            .collect(),
    };
    let list = |places: Vec<Place>, broken| AccountsPage {
        shell: shell(Base::Account, "Connected accounts"),
        places,
        broken,
    };
    let one = |text: &str, is_broken, faults| AccountPage {
        shell: shell(Base::Account, "GitHub"),
        crumbs: vec![Crumb::to("Connected accounts", LIST)],
        row: row(text, is_broken),
        end: "/me/accounts/acme/con_1/disconnect".into(),
        org: text.into(),
        account_id: "583231".into(),
        email: text.into(),
        scopes: vec!["repo".into(), text.into()],
        missing: vec![text.into()],
        connected_at: OffsetDateTime::UNIX_EPOCH,
        last_ok_at: Some(OffsetDateTime::UNIX_EPOCH),
        renews_at: Some(OffsetDateTime::UNIX_EPOCH),
        retry_at: is_broken.then_some(OffsetDateTime::UNIX_EPOCH),
        has_refresh: true,
        error: is_broken.then(|| ErrorLine {
            at: OffsetDateTime::UNIX_EPOCH,
            code: "invalid_grant".into(),
            words: text.into(),
            meaning: text.into(),
        }),
        own_name: text.into(),
        version: 1,
        ends: words::ends(Obtaining::SignIn, !is_broken, is_broken),
        left: String::new(),
        settings: if is_broken { SettingsLink::of("https://github.com/settings/applications") } else { None },
        is_somebodys: is_broken,
        is_ended: false,
        switch: if is_broken { Switch::OnByAdmin } else { Switch::Off },
        faults,
    };
    let left = words::left("GitHub", Obtaining::SignIn, false);
    let over = AccountPage { is_ended: true, left, ..one(LONG, true, FormFaults::default()) };
    let mut all = vec![
        sample("my accounts: none", &list(vec![place(0, 0)], Vec::new())),
        sample("my accounts", &list(vec![place(0, 2)], vec![row("ada", true)])),
        sample("my accounts: many", &list((0..5).map(|n| place(n, 12)).collect(), vec![row(LONG, true); 9])),
        sample("my account", &one("ada", false, FormFaults::default())),
        sample("my account: broken", &one(SHARP, true, faults(&[("name", LONG)]))),
        sample("my account: disconnected", &over),
        sample(
            "nothing was connected",
            &FailedPage {
                shell: shell(Base::Account, "Nothing was connected"),
                crumbs: vec![Crumb::to("Connected accounts", LIST)],
                why: SHARP.into(),
            },
        ),
    ];
    all.extend(connect::samples());
    all.extend(check::samples());
    all.extend(rule::samples());
    all
}
