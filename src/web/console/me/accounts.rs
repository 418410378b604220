//! A person's connected accounts: what agents do as them, and where; connecting one, and the way back from a provider.

mod check;
mod connect;
mod rule;
#[cfg(test)]
mod samples;
mod switch;
mod words;

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;
use time::OffsetDateTime;
use url::Url;

use crate::{
    domain::connections::{Connection, ConnectionState, Obtaining},
    flow::{
        actions::{
            connections::{Connectable, ConnectionChange, meaning},
            me::accounts::{self, MyAccounts},
        },
        fault::{ActionError, Refused},
        tokens::UpstreamEnd,
    },
    web::{
        console::shell_of,
        kit::{
            ask::PersonPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of, version},
            listing::with_query,
            page::{PageResult, go_saying, page, page_with},
            parts::Crumb,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

use switch::Switch;
use words::Health;

const LIST: &str = "/me/accounts";
pub(super) fn routes() -> Routes {
    let me = Access::Person;
    let one = "/me/accounts/{org}/{connection}";
    let place = "/me/accounts/{org}/connect/{provider}";
    let begun = Effect::Unrecorded("the browser goes to the provider; what it brings back is recorded");
    let tried =
        Effect::Unrecorded("nothing of the account is changed; a token that is renewed is the same account");
    let connected = Effect::Records(&["connection.connected", "connection.renewed"]);
    let returned = Effect::Records(&["connection.connected", "connection.renewed", "provider.tried"]);
    let switched = Effect::Records(&["connection.switched_off", "connection.switched_on"]);
    let ended = Effect::Records(&["connection.ended", "connection.ended_upstream"]);
    Routes::default()
        .page(LIST, me, list)
        .page(one, me, show)
        .form(&format!("{one}/rename"), me, Effect::Records(&["connection.renamed"]), rename)
        .form(&format!("{one}/prefer"), me, Effect::Records(&["connection.preferred"]), prefer)
        .page(&format!("{one}/rule"), me, rule::show)
        .form(&format!("{one}/rule"), me, Effect::Records(&["connection.rule_changed"]), rule::save)
        .page(&format!("{one}/check"), me, check::show)
        .form(&format!("{one}/test"), me, tried, probe)
        .form(&format!("{one}/switch"), me, switched, switch::save)
        .form(&format!("{one}/disconnect"), me, ended, disconnect)
        .page(place, me, connect::offer)
        .form(place, me, begun, connect::begin)
        .form(&format!("{place}/client"), me, connected, connect::client)
        .form(&format!("{place}/key"), me, connected, connect::key)
        .download("/oauth/callback/{returning}", me, returned, connect::back)
}

/// All accounts, by organization.
#[derive(Template)]
#[template(path = "console/me/accounts.html")]
struct AccountsPage {
    shell: Shell,
    places: Vec<Place>,
    /// Accounts that have to be connected again.
    broken: Vec<AccountRow>,
}

/// One organization.
struct Place {
    name: String,
    slug: String,
    accounts: Vec<AccountRow>,
    /// Shared ones that the person looks after.
    shared: Vec<AccountRow>,
    tiles: Vec<Tile>,
}

/// An account in a list.
#[derive(Clone)]
struct AccountRow {
    href: String,
    reconnect: String,
    provider: String,
    title: String,
    workspace: String,
    /// Whose it is, where it is shared; empty for the person's own.
    whose: String,
    is_default: bool,
    /// For which calls it is used by a rule, in words; empty where it has none.
    rule: String,
    health: Health,
}

/// A provider that an account can be connected at.
struct Tile {
    href: String,
    name: String,
    /// Whether there is an account there already.
    is_further: bool,
}

/// One account.
#[derive(Template)]
#[template(path = "console/me/account.html")]
struct AccountPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    row: AccountRow,
    /// Where its end is posted.
    end: String,
    org: String,
    account_id: String,
    email: String,
    scopes: Vec<String>,
    missing: Vec<String>,
    connected_at: OffsetDateTime,
    last_ok_at: Option<OffsetDateTime>,
    renews_at: Option<OffsetDateTime>,
    retry_at: Option<OffsetDateTime>,
    has_refresh: bool,
    error: Option<ErrorLine>,
    /// What its owner calls it, or typed.
    own_name: String,
    version: i64,
    /// What becomes of it at the provider when it is disconnected.
    ends: &'static str,
    /// What is left to do at the provider once it is disconnected; empty where nothing is.
    left: String,
    /// Where that is done.
    settings: Option<SettingsLink>,
    /// Whether it is shared, and yet the account of one person.
    is_somebodys: bool,
    is_ended: bool,
    switch: Switch,
    faults: FormFaults,
}

/// The page of a provider on which its people end what they agreed to.
struct SettingsLink {
    href: String,
    host: String,
}

impl SettingsLink {
    fn of(page: &str) -> Option<Self> {
        let host = Url::parse(page).ok()?.host_str()?.to_owned();
        Some(Self { href: page.to_owned(), host })
    }
}

/// What last went wrong.
struct ErrorLine {
    at: OffsetDateTime,
    code: String,
    words: String,
    /// What it means, who can help and how; empty where only the provider's words tell.
    meaning: String,
}

/// Nothing was connected.
#[derive(Template)]
#[template(path = "console/me/account_failed.html")]
struct FailedPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    why: String,
}

#[derive(Deserialize)]
struct RenameForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
}

/// A button and nothing else.
#[derive(Deserialize)]
struct Press {}

async fn list(ask: PersonPage) -> PageResult {
    let now = ask.cx.now();
    let mine = accounts::list(&ask.cx).await?;
    let places: Vec<Place> = mine.into_iter().map(|mine| Place::of(mine, now)).collect();
    let all = places.iter().flat_map(|place| place.accounts.iter().chain(&place.shared));
    let broken = all.filter(|row| row.health.is_broken).cloned().collect();
    page(&AccountsPage { shell: shell_of::person(&ask, "Connected accounts").await?, broken, places })
}

impl Place {
    fn of(mine: MyAccounts, now: OffsetDateTime) -> Self {
        let slug = mine.found.org.slug.to_string();
        let mut place = Self {
            name: mine.found.org.name,
            slug,
            accounts: Vec::new(),
            shared: Vec::new(),
            tiles: Vec::new(),
        };
        for Connectable { provider, accounts, shared } in mine.providers {
            if provider.disabled_at.is_none() {
                place.tiles.push(Tile {
                    href: connect_href(&place.slug, provider.slug.as_str()),
                    name: provider.name,
                    is_further: !accounts.is_empty(),
                });
            }
            let row = |account: &Connection| AccountRow::of(&place.slug, account, now);
            let (accounts, shared): (Vec<_>, Vec<_>) =
                (accounts.iter().map(row).collect(), shared.iter().map(row).collect());
            place.accounts.extend(accounts);
            place.shared.extend(shared);
        }
        place
    }
}

impl AccountRow {
    fn of(org: &str, connection: &Connection, now: OffsetDateTime) -> Self {
        let id = connection.id.to_string();
        let connect = connect_href(org, &connection.provider_slug);
        Self {
            href: format!("{LIST}/{org}/{id}"),
            reconnect: with_query(
                &connect,
                [("connection", id.as_str()), ("scopes", &connection.wanted.join(" "))]
                    .into_iter()
                    .filter(|(_, value)| !value.is_empty()),
            ),
            provider: connection.provider_name.clone(),
            title: connection.title().to_owned(),
            workspace: connection.label.workspace.clone(),
            whose: words::whose(connection.owner, &connection.owner_name),
            is_default: connection.is_default,
            rule: words::rule(&connection.account_if),
            health: Health::of(connection, now),
        }
    }
}

fn connect_href(org: &str, provider: &str) -> String {
    format!("{LIST}/{org}/connect/{provider}")
}

async fn show(ask: PersonPage, Path((org, id)): Path<(String, String)>) -> PageResult {
    account_page(&ask, StatusCode::OK, (&org, &id), None, FormFaults::default()).await
}

async fn account_page(
    ask: &PersonPage,
    status: StatusCode,
    (org, id): (&str, &str),
    name: Option<String>,
    faults: FormFaults,
) -> PageResult {
    let (found, sheet) = accounts::find(&ask.cx, org, id).await?;
    let connection = sheet.connection;
    let can_revoke = sheet.provider.template().is_some_and(|template| template.can_revoke());
    let obtaining = sheet.provider.obtaining();
    let row = AccountRow::of(found.slug.as_str(), &connection, ask.cx.now());
    let asked_for: Vec<String> = sheet.provider.scopes.iter().chain(&connection.wanted).cloned().collect();
    let missing = connection.missing(&asked_for).into_iter().map(str::to_owned).collect();
    // One that has to be connected again is renewed by nobody else.
    let renews = connection.has_refresh && !row.health.is_broken;
    let page = AccountPage {
        shell: shell_of::person(ask, row.title.clone()).await?.with_faults(!faults.is_empty()),
        crumbs: vec![Crumb::to("Connected accounts", LIST)],
        end: format!("{}/disconnect", row.href),
        org: found.name,
        account_id: connection.label.id.clone(),
        email: connection.label.email.clone(),
        missing,
        connected_at: connection.created_at,
        last_ok_at: connection.last_ok_at,
        renews_at: connection.expires_at.filter(|_| renews),
        retry_at: connection.retry_at.filter(|at| *at > ask.cx.now()),
        has_refresh: renews,
        error: connection.last_error.as_ref().map(|error| ErrorLine {
            at: error.at,
            code: error.code.clone(),
            words: error.words.clone(),
            meaning: meaning(&connection.provider_name, &error.code).unwrap_or_default(),
        }),
        own_name: name.unwrap_or_else(|| connection.name.clone()),
        version: connection.version,
        ends: words::ends(obtaining, can_revoke, sheet.is_elsewhere),
        left: words::left(&sheet.provider.name, obtaining, can_revoke),
        settings: sheet.provider.settings_page().and_then(|page| SettingsLink::of(&page)),
        is_somebodys: sheet.is_somebodys,
        is_ended: connection.state == ConnectionState::Revoked,
        switch: Switch::of(&connection),
        scopes: connection.scopes,
        row,
        faults,
    };
    page_with(status, &page)
}

async fn rename(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(form): Form<RenameForm>,
) -> PageResult {
    let change = ConnectionChange { name: Some(form.name.clone()), ..ConnectionChange::default() };
    match accounts::change(&ask.cx, &org, &id, &change, version(&form.version)).await {
        Ok(_) => Ok(go_saying(&format!("{LIST}/{org}/{id}"), Toast::say("Saved."))),
        Err(error @ ActionError::Fields(_)) => {
            let faults = faults_of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            account_page(&ask, status, (&org, &id), Some(form.name), faults).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn prefer(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    let change = ConnectionChange { is_default: Some(true), ..ConnectionChange::default() };
    let sheet = accounts::change(&ask.cx, &org, &id, &change, None).await?;
    let said = format!("Agents use {} from now on.", sheet.connection.title());
    Ok(go_saying(&format!("{LIST}/{org}/{id}"), Toast::say(said)))
}

async fn probe(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    let probed = accounts::probe(&ask.cx, &org, &id).await?;
    let said = probed.fault.unwrap_or_else(|| match probed.is_taken {
        true => "It works: the provider takes the token.".to_owned(),
        false => "There is a token; this provider has no place to try it at.".to_owned(),
    });
    Ok(go_saying(&format!("{LIST}/{org}/{id}"), Toast::say(said)))
}

async fn disconnect(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    let ended = accounts::disconnect(&ask.cx, &org, &id).await?;
    let provider = &ended.connection.provider_name;
    // Where something is left to do, the account's own page says what, and where.
    let own = format!("{LIST}/{org}/{id}");
    let (to, said) = match (ended.upstream, ended.provider.obtaining()) {
        (UpstreamEnd::Ended, _) => (LIST, format!("Disconnected, and ended at {provider}.")),
        (UpstreamEnd::ByHand, Obtaining::Client) => (LIST, "Disconnected.".to_owned()),
        (UpstreamEnd::ByHand, _) => {
            (own.as_str(), format!("Disconnected here. One step is left at {provider}."))
        }
        (UpstreamEnd::Failed, _) => {
            (own.as_str(), format!("Disconnected here. {provider} has not confirmed it yet."))
        }
    };
    Ok(go_saying(to, Toast::say(said)))
}

/// A refusal has a page of its own; every other failure is said as everywhere.
async fn failed(ask: &PersonPage, error: ActionError) -> PageResult {
    match error {
        ActionError::Refused(Refused { sentence, .. }) => {
            let page = FailedPage {
                shell: shell_of::person(ask, "Nothing was connected").await?,
                crumbs: vec![Crumb::to("Connected accounts", LIST)],
                why: sentence,
            };
            page_with(StatusCode::CONFLICT, &page)
        }
        other => Err(other.into()),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    samples::all()
}
