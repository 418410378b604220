//! Connecting a client: choose the grant, make a token, add Portreeve to the client, see the first call arrive.

use askama::Template;
use axum::{http::StatusCode, response::IntoResponse};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::{permission::Permission, secret::Secret},
    domain::grants::{GrantState, TokenState},
    flow::{
        actions::me::grants::{self, Chosen, Connecting},
        fault::ActionError,
    },
    web::{
        console::{
            grants::{Last, MintFields, last},
            me::{
                grants::{
                    LIST,
                    clients::{self, Client, VARIABLE},
                    crumb,
                },
                proof_then,
            },
            shell_of,
        },
        kit::{
            ask::PersonPage,
            faults::PageError,
            form::{Form, FormFaults, faults_of},
            handoff::Handoff,
            listing::with_query,
            page::{PageResult, go, page, page_with},
            parts::{Choice, Crumb, Tab},
            query::Query,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

const HERE: &str = "/me/agents/connect";

pub(super) fn routes() -> Routes {
    Routes::default()
        .page(HERE, Access::Person, show)
        .form(HERE, Access::Person, Effect::Records(&["grant_token.created"]), mint)
        .page("/me/agents/cursor", Access::Person, cursor)
}

/// The page.
#[derive(Template)]
#[template(path = "console/me/connect.html")]
struct ConnectPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    here: &'static str,
    grants: Vec<Choice>,
    /// Organizations in which the person may make a grant themselves, with the address to do so.
    makers: Vec<(String, String)>,
    /// Organizations in which an admin has to.
    askers: Vec<String>,
    chosen: Option<ChosenGrant>,
    tabs: Vec<Tab>,
    client: Client,
    install: String,
    variable: &'static str,
    /// The token that was just made, this once.
    made: Option<Secret<String>>,
    wait: Wait,
    /// Where the page asks whether the first call has come.
    asks: String,
    /// This page again, without the token.
    again: String,
    prove: String,
    form: MintFields,
    expiries: Vec<Choice>,
    faults: FormFaults,
}

/// The grant that the client is connected with.
struct ChosenGrant {
    id: String,
    label: String,
    org: String,
    href: String,
    url: String,
    is_active: bool,
    live_tokens: i64,
}

/// Whether the first call has come.
enum Wait {
    /// Nothing could call yet.
    Idle,
    /// It has not.
    Waiting(String),
    /// It has.
    Arrived(OffsetDateTime, String),
    /// It never will: the token is over.
    Over,
}

#[derive(Clone, Default, Deserialize)]
struct ConnectQuery {
    #[serde(default)]
    grant: String,
    /// The token whose first call is waited for.
    #[serde(default)]
    made: String,
    #[serde(default)]
    client: String,
    /// Set by the page itself while it waits.
    #[serde(default)]
    wait: String,
}

#[derive(Deserialize)]
struct MintForm {
    #[serde(default)]
    grant: String,
    #[serde(default)]
    client: String,
    #[serde(flatten)]
    fields: MintFields,
}

/// The address of this page with what was chosen.
pub(super) fn address(grant: &str, made: &str, client: &str) -> String {
    with_query(HERE, [("grant", grant), ("made", made), ("client", client)])
}

/// The client that was asked for; else the one that last called by the grant, for whoever connects again does so with that.
fn client_of(connecting: &Connecting, typed: &str) -> &'static Client {
    let last = || connecting.chosen.as_ref()?.found.entry.last_use.as_ref()?.client.as_ref();
    match typed {
        "" => {
            last().and_then(|seen| clients::calling_itself(&seen.name)).unwrap_or_else(|| clients::find(""))
        }
        typed => clients::find(typed),
    }
}

async fn show(ask: PersonPage, Query(query): Query<ConnectQuery>) -> PageResult {
    let connecting = grants::connecting(&ask.cx, &query.grant, &query.made).await?;
    let wait = wait(connecting.chosen.as_ref(), ask.cx.now());
    if !query.wait.is_empty() && matches!(wait, Wait::Waiting(_)) {
        // Nothing new: the page stays as it is, and nobody hears the same words again.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let client = client_of(&connecting, &query.client);
    let form = MintFields::fresh(&client.label);
    let built = build(&ask, connecting, &query, form, FormFaults::default(), None).await?;
    page(&built)
}

async fn mint(ask: PersonPage, Form(form): Form<MintForm>) -> PageResult {
    let MintForm { grant, client, fields } = form;
    let chosen = grants::connecting(&ask.cx, &grant, "").await?;
    let org = chosen.chosen.as_ref().map(|chosen| chosen.org.slug.to_string()).unwrap_or_default();
    let made = match fields.input(ask.cx.now()) {
        Ok(input) => grants::mint(&ask.cx, &org, &grant, &input).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => {
            let made = made.made;
            let query = ConnectQuery { grant, made: made.token.id.to_string(), client, wait: String::new() };
            let connecting = grants::connecting(&ask.cx, &query.grant, &query.made).await?;
            let (fresh, faults) = (MintFields::default(), FormFaults::default());
            page(&build(&ask, connecting, &query, fresh, faults, Some(made.text)).await?)
        }
        Err(error @ ActionError::NeedsProof) => proof_then(&address(&grant, "", &client), error),
        Err(error) => {
            let faults = faults_of(error)?;
            let query = ConnectQuery { grant, client, ..ConnectQuery::default() };
            let built = build(&ask, chosen, &query, fields, faults, None).await?;
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &built)
        }
    }
}

async fn build(
    ask: &PersonPage,
    connecting: Connecting,
    query: &ConnectQuery,
    form: MintFields,
    faults: FormFaults,
    made: Option<Secret<String>>,
) -> Result<ConnectPage, PageError> {
    let mut shell = shell_of::person(ask, "Connect an agent").await?;
    shell.has_faults = !faults.is_empty();
    let now = ask.cx.now();
    let chosen = connecting.chosen.as_ref().map(|chosen| chosen_grant(ask, chosen));
    let grant = chosen.as_ref().map(|chosen| chosen.id.clone()).unwrap_or_default();
    let url = chosen.as_ref().map_or_else(|| example(ask, &connecting), |chosen| chosen.url.clone());
    let client = client_of(&connecting, &query.client);
    let again = address(&grant, &query.made, &query.client);
    let tab = |one: &Client| Tab::new(&one.label, address(&grant, &query.made, &one.id), one.id == client.id);
    let (makers, askers) = who_makes(ask, &connecting);
    let install = if client.install_link && chosen.is_some() {
        format!("/me/agents/cursor?grant={grant}")
    } else {
        String::new()
    };
    let is_fresh = ask.cx.require_proof().is_ok();
    Ok(ConnectPage {
        shell,
        crumbs: vec![crumb()],
        here: HERE,
        grants: choices(&connecting, &grant),
        makers,
        askers,
        tabs: clients::all().iter().map(tab).collect(),
        install,
        client: client.at(&url),
        variable: VARIABLE,
        made,
        wait: wait(connecting.chosen.as_ref(), now),
        asks: format!("{again}{}wait=1", if again.contains('?') { '&' } else { '?' }),
        prove: if is_fresh { String::new() } else { with_query("/prove", [("return_to", again.as_str())]) },
        again,
        expiries: form.expiries(),
        form,
        faults,
        chosen,
    })
}

fn chosen_grant(ask: &PersonPage, chosen: &Chosen) -> ChosenGrant {
    let grant = &chosen.found.entry.grant;
    let slug = &chosen.org.slug;
    ChosenGrant {
        id: grant.id.to_string(),
        label: grant.label.clone(),
        org: chosen.org.name.clone(),
        href: format!("{LIST}/{slug}/{}", grant.id),
        url: ask.cx.ports.site.url(&format!("/mcp/{slug}")),
        is_active: chosen.found.entry.state == GrantState::Active,
        live_tokens: chosen.found.entry.live_tokens,
    }
}

/// The address in snippets before a grant was chosen.
fn example(ask: &PersonPage, connecting: &Connecting) -> String {
    let slug = connecting.mine.first().map_or("your-organization", |mine| mine.found.org.slug.as_str());
    ask.cx.ports.site.url(&format!("/mcp/{slug}"))
}

/// The grants to choose from; one alone needs no choice.
fn choices(connecting: &Connecting, chosen: &str) -> Vec<Choice> {
    let open: Vec<Choice> = connecting
        .open()
        .map(|(org, found)| {
            let grant = &found.entry.grant;
            Choice::new(grant.id.to_string(), format!("{} · {}", grant.label, org.org.name)).chosen_by(chosen)
        })
        .collect();
    if open.len() == 1 && open.iter().any(|choice| choice.chosen) { Vec::new() } else { open }
}

/// Where the person may make a grant themselves, and where somebody else has to.
fn who_makes(ask: &PersonPage, connecting: &Connecting) -> (Vec<(String, String)>, Vec<String>) {
    let (mut makers, mut askers) = (Vec::new(), Vec::new());
    let email = ask.cx.user.email.to_string();
    for mine in &connecting.mine {
        let org = &mine.found.org;
        if mine.found.role.may(Permission::GrantsWrite) {
            let new = with_query(&format!("/o/{}/agents/new", org.slug), [("principal", email.as_str())]);
            makers.push((org.name.clone(), new));
        } else {
            askers.push(org.name.clone());
        }
    }
    (makers, askers)
}

/// Whether the first call has come: of the token that is waited for, else of any token of the grant.
fn wait(chosen: Option<&Chosen>, now: OffsetDateTime) -> Wait {
    let Some(chosen) = chosen else {
        return Wait::Idle;
    };
    let (last_use, words) = match &chosen.awaited {
        Some(token) => (token.last_use.clone(), format!("the token {}", token.label)),
        None => {
            (chosen.found.entry.last_use.clone(), format!("any token of {}", chosen.found.entry.grant.label))
        }
    };
    if let Last { at: Some(at), by } = last(last_use) {
        return Wait::Arrived(at, by);
    }
    let is_token_over = chosen.awaited.as_ref().is_some_and(|token| token.state(now) != TokenState::Live);
    if is_token_over || chosen.found.entry.state != GrantState::Active {
        Wait::Over
    } else if chosen.found.entry.live_tokens == 0 {
        Wait::Idle
    } else {
        Wait::Waiting(words)
    }
}

async fn cursor(ask: PersonPage, Query(query): Query<ConnectQuery>) -> PageResult {
    let here = address(&query.grant, &query.made, "cursor");
    if query.grant.is_empty() {
        return Ok(go(&here));
    }
    let connecting = grants::connecting(&ask.cx, &query.grant, "").await?;
    let Some(chosen) = connecting.chosen else {
        return Ok(go(&here));
    };
    page(&Handoff {
        shell: shell_of::person(&ask, "Opening Cursor").await?,
        crumbs: vec![crumb(), Crumb::to("Connect an agent", here)],
        name: "Cursor",
        url: clients::cursor_link(&ask.cx.ports.site.url(&format!("/mcp/{}", chosen.org.slug))),
        otherwise: "If nothing happens, Cursor is not installed here; add the file by hand instead.",
    })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{AT, LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let chosen = |is_active: bool| ChosenGrant {
        id: "grt_x".into(),
        label: LONG.into(),
        org: LONG.into(),
        href: "/me/agents/acme/grt_x".into(),
        url: "https://portreeve.example/mcp/acme".into(),
        is_active,
        live_tokens: i64::from(is_active),
    };
    let page = |chosen: Option<ChosenGrant>, many: usize, wait: Wait, client: &str| ConnectPage {
        shell: shell(Base::Account, "Connect an agent"),
        crumbs: vec![crumb()],
        here: HERE,
        grants: (0..many).map(|n| Choice::new(n.to_string(), LONG)).collect(),
        makers: vec![(LONG.to_owned(), "/o/acme/agents/new".to_owned()); many],
        askers: vec![LONG.to_owned(); many],
        chosen,
        tabs: clients::all().iter().map(|one| Tab::new(&one.label, "/x", one.id == client)).collect(),
        client: clients::find(client).at("https://portreeve.example/mcp/acme"),
        install: if client == "cursor" { "/me/agents/cursor".into() } else { String::new() },
        variable: VARIABLE,
        made: None,
        wait,
        asks: "/me/agents/connect?wait=1".into(),
        again: HERE.into(),
        prove: String::new(),
        form: MintFields::fresh(SHARP),
        expiries: MintFields::fresh("").expiries(),
        faults: FormFaults::default(),
    };
    let waiting = || Wait::Waiting(format!("the token {SHARP}"));
    let fresh = page(Some(chosen(true)), 0, Wait::Idle, "cursor");
    let made = ConnectPage {
        made: Some(Secret::new("prg_sample".to_owned())),
        ..page(Some(chosen(true)), 0, waiting(), "codex")
    };
    let arrived = page(Some(chosen(true)), 12, Wait::Arrived(AT, SHARP.into()), "vscode");
    let prove = ConnectPage { prove: "/prove".into(), ..page(Some(chosen(true)), 1, waiting(), "") };
    let all = faults(&[("label", "no"), ("expires_at", "no"), ("expires_on", "no")]);
    let refused = ConnectPage { faults: all, ..page(Some(chosen(true)), 0, Wait::Idle, "") };
    vec![
        sample("connect: no grant", &page(None, 0, Wait::Idle, "")),
        sample("connect: many to choose from", &page(None, 12, Wait::Idle, "")),
        sample("connect: no token yet", &fresh),
        sample("connect: made", &made),
        sample("connect: connected", &arrived),
        sample("connect: to be proven", &prove),
        sample("connect: refused", &refused),
        sample("connect: over", &page(Some(chosen(false)), 0, Wait::Over, "")),
    ]
}
