//! The accounts that are connected at a provider, and each of them link by link, for who may see all.

use askama::Template;
use axum::extract::Path;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::{
        page::{Page, PageRequest},
        permission::Permission,
        trace::Fixer,
    },
    domain::connections::{Connection, ConnectionFilter, ConnectionState},
    flow::{
        actions::{
            connections::{self, diagnose},
            findings::{Finding, Stand},
            providers,
        },
        fault::ActionError,
        tokens::UpstreamEnd,
    },
    web::{
        console::{
            findings::{FindingRow, look},
            providers::{crumb, href},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            faults::PageError,
            flash::Toast,
            form::Form,
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page, page_with},
            parts::Crumb,
            shell::Shell,
        },
    },
};

/// The list.
#[derive(Template)]
#[template(path = "console/providers/accounts.html")]
struct AccountsPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    provider: String,
    rows: Vec<AccountRow>,
    list: Listing,
}

struct AccountRow {
    href: String,
    title: String,
    whose: String,
    tone: &'static str,
    glyph: &'static str,
    word: &'static str,
    /// What last went wrong; empty where nothing did.
    trouble: String,
    last_ok_at: Option<OffsetDateTime>,
}

/// One account.
#[derive(Template)]
#[template(path = "console/providers/account.html")]
struct AccountPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    provider: String,
    whose: String,
    rows: Vec<FindingRow>,
    /// Where its end is posted; empty where the one who looks may not, or it has ended.
    end: String,
    /// Whether ending it may end another one here along with it.
    is_elsewhere: bool,
    /// Where it is switched, and to what; empty where nothing can be.
    switch: String,
    switch_to: &'static str,
}

#[derive(Deserialize)]
pub(super) struct SwitchForm {
    #[serde(default)]
    to: String,
}

impl AccountRow {
    fn of(base: &str, connection: &Connection) -> Self {
        let stand = stand(connection);
        let (tone, glyph, word) = look(stand);
        Self {
            href: format!("{base}/{}", connection.id),
            title: connection.title().to_owned(),
            whose: whose(connection),
            tone,
            glyph,
            word: match connection.state {
                ConnectionState::Disabled => "Switched off",
                _ if stand == Stand::Fine => "Working",
                _ => word,
            },
            trouble: connection.last_error.as_ref().map(|error| error.code.clone()).unwrap_or_default(),
            last_ok_at: connection.last_ok_at,
        }
    }
}

fn stand(connection: &Connection) -> Stand {
    use crate::domain::connections::ConnectionState as State;

    match connection.state {
        State::Active | State::Refreshing => Stand::Fine,
        State::ErrorBackoff => Stand::Look,
        State::NeedsReauth | State::Disabled | State::Revoked => Stand::Broken,
    }
}

fn whose(connection: &Connection) -> String {
    match (connection.owner.user(), connection.owner.team()) {
        (Some(_), _) => connection.owner_name.clone(),
        (None, Some(_)) => format!("the team {}", connection.owner_name),
        (None, None) => "everybody".to_owned(),
    }
}

pub(super) async fn list(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    mut asked: Asked,
) -> PageResult {
    let provider = providers::find(&ask.cx, &name).await?;
    let filter = ConnectionFilter { provider: Some(provider.id), ..ConnectionFilter::default() };
    let request: PageRequest<_> = asked.page();
    let Page { items, next } = connections::list(&ask.cx, &filter, &request).await?;
    let list = asked.listing(next.as_deref());
    let base = format!("{}/accounts", href(&ask, &provider));
    let page = AccountsPage {
        shell: shell_of::org(&ask, format!("Accounts at {}", provider.name)).await?,
        crumbs: vec![crumb(&ask), Crumb::to(provider.name.clone(), href(&ask, &provider))],
        rows: items.iter().map(|connection| AccountRow::of(&base, connection)).collect(),
        provider: provider.name,
        list,
    };
    page_with(page.list.status(), &page)
}

pub(super) async fn show(ask: OrgPage, Path((_, name, id)): Path<(String, String, String)>) -> PageResult {
    let provider = providers::find(&ask.cx, &name).await?;
    let found = diagnose(&ask.cx, &id).await?;
    if found.sheet.connection.provider != provider.id {
        return Err(PageError::from(ActionError::NotFound));
    }
    let is_elsewhere = found.sheet.is_elsewhere;
    let connection = found.sheet.connection;
    let own = href(&ask, &provider);
    let rows = found.links.into_iter().map(|link| FindingRow::from(for_admins(link)));
    let may_end = ask.cx.may(Permission::ConnectionsWrite) && connection.state != ConnectionState::Revoked;
    let one = format!("{own}/accounts/{}", connection.id);
    let switch_to = match connection.state {
        ConnectionState::Active | ConnectionState::Refreshing | ConnectionState::ErrorBackoff => "off",
        ConnectionState::Disabled => "on",
        ConnectionState::NeedsReauth | ConnectionState::Revoked => "",
    };
    let only_if = |may: bool, href: String| if may { href } else { String::new() };
    page(&AccountPage {
        shell: shell_of::org(&ask, connection.title().to_owned()).await?,
        crumbs: vec![
            crumb(&ask),
            Crumb::to(provider.name.clone(), own.clone()),
            Crumb::to("Accounts", format!("{own}/accounts")),
        ],
        whose: whose(&connection),
        provider: provider.name,
        rows: rows.collect(),
        end: only_if(may_end, format!("{one}/disconnect")),
        is_elsewhere,
        switch: only_if(may_end && !switch_to.is_empty(), format!("{one}/switch")),
        switch_to,
    })
}

/// Switches somebody's account off, or on again.
pub(super) async fn switch(
    ask: OrgPage,
    Path((_, name, id)): Path<(String, String, String)>,
    Form(form): Form<SwitchForm>,
) -> PageResult {
    let provider = providers::find(&ask.cx, &name).await?;
    let sheet = connections::find(&ask.cx, &id).await?;
    if sheet.connection.provider != provider.id {
        return Err(PageError::from(ActionError::NotFound));
    }
    let one = format!("{}/accounts/{id}", href(&ask, &provider));
    let (said, back) = if form.to == "on" {
        connections::switch_on(&ask.cx, &id).await?;
        ("Switched on: agents can use it from now on.", "off")
    } else {
        connections::switch_off(&ask.cx, &id).await?;
        ("Switched off: no call is made with it until an admin switches it on.", "on")
    };
    let toast = Toast::with_undo(said, format!("{one}/switch"), [("to", back.to_owned())]);
    Ok(go_saying(&one, toast))
}

/// Ends somebody's account: no call is made with it any more, and the provider is told.
pub(super) async fn disconnect(
    ask: OrgPage,
    Path((_, name, id)): Path<(String, String, String)>,
    Form(_): Form<Vec<(String, String)>>,
) -> PageResult {
    let provider = providers::find(&ask.cx, &name).await?;
    let sheet = connections::find(&ask.cx, &id).await?;
    if sheet.connection.provider != provider.id {
        return Err(PageError::from(ActionError::NotFound));
    }
    let ended = connections::disconnect(&ask.cx, &id).await?;
    let name = &provider.name;
    let at = ended.provider.settings_page().map(|page| format!(", at {page}")).unwrap_or_default();
    let said = match ended.upstream {
        UpstreamEnd::Ended => format!("Disconnected, and ended at {name}."),
        UpstreamEnd::ByHand => format!(
            "Disconnected here. {name} lets nobody else end it: its owner removes Portreeve under connected apps in their settings \
             there{at}."
        ),
        UpstreamEnd::Failed => format!(
            "Disconnected here. {name} has not confirmed it and is told again for a day; to be sure, its owner looks into their \
             settings there{at}."
        ),
    };
    Ok(go_saying(&format!("{}/accounts", href(&ask, &provider)), Toast::say(said)))
}

/// Nobody connects the account of another person, so there is no way to where they do.
fn for_admins(link: Finding) -> Finding {
    match link.fixer {
        Some(Fixer::Person) => Finding { page: String::new(), ..link },
        _ => link,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::findings::sample_rows,
        kit::{
            samples::{LONG, SHARP, sample, shell},
            shell::Base,
        },
    };

    let row = |text: &str, is_broken: bool| AccountRow {
        href: "/o/acme/providers/github/accounts/con_1".into(),
        title: text.into(),
        whose: text.into(),
        tone: if is_broken { "deny" } else { "allow" },
        glyph: if is_broken { "deny" } else { "ok" },
        word: if is_broken { "Broken" } else { "Working" },
        trouble: if is_broken { "invalid_grant".into() } else { String::new() },
        last_ok_at: (!is_broken).then_some(OffsetDateTime::UNIX_EPOCH),
    };
    let list = |rows: Vec<AccountRow>, list| AccountsPage {
        shell: shell(Base::Organization, "Accounts at GitHub"),
        crumbs: vec![Crumb::to("Providers", "/o/acme/providers")],
        provider: "GitHub".into(),
        rows,
        list,
    };
    let one = |text: &str| AccountPage {
        shell: shell(Base::Organization, "ada"),
        crumbs: vec![Crumb::to("Providers", "/o/acme/providers")],
        provider: text.into(),
        whose: text.into(),
        end: "/o/acme/providers/github/accounts/con_1/disconnect".into(),
        is_elsewhere: true,
        switch: "/o/acme/providers/github/accounts/con_1/switch".into(),
        switch_to: "off",
        rows: sample_rows(text),
    };
    vec![
        sample("accounts at a provider: none", &list(Vec::new(), Listing::default())),
        sample(
            "accounts at a provider",
            &list(vec![row("ada", false), row("bob", true)], Listing::default()),
        ),
        sample(
            "accounts at a provider: many",
            &list((0..50).map(|n| row(LONG, n % 3 == 0)).collect(), Listing::default()),
        ),
        sample("an account at a provider", &one("Ada")),
        sample("an account at a provider: sharp", &one(SHARP)),
    ]
}
