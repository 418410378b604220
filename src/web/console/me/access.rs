//! What a person asked for, and asking for more.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::risk::Class,
    domain::grants::NamedServer,
    flow::{
        actions::{
            access_requests::AccessInput,
            me::access::{self, MyAccess},
        },
        fault::ActionError,
    },
    web::{
        console::{
            access::{Card, spans},
            shell_of,
        },
        kit::{
            ask::PersonPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of},
            listing::with_query,
            page::{PageResult, go_saying, page, page_with},
            parts::{Choice, Crumb},
            query::Query,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

const LIST: &str = "/me/access";
/// The longest time that is offered, in hours: 30 days.
const MOST: i32 = 720;

pub(super) fn routes() -> Routes {
    let me = Access::Person;
    let new = "/me/access/{org}/new";
    Routes::default()
        .page(LIST, me, list)
        .page(new, me, form)
        .form(new, me, Effect::Records(&["access.requested"]), ask)
        .form("/me/access/{org}/{access}/withdraw", me, Effect::Records(&["access.withdrawn"]), withdraw)
}

/// Where the form for a request is, filled with what is known.
pub(in crate::web::console) fn address(org: &str, server: &str, tool: &str, request: &str) -> String {
    with_query(&format!("{LIST}/{org}/new"), [("server", server), ("tools", tool), ("request", request)])
}

/// The list, by organization.
#[derive(Template)]
#[template(path = "console/me/access.html")]
struct AccessPage {
    shell: Shell,
    places: Vec<Place>,
}

/// What a person asked for in one organization.
struct Place {
    name: String,
    slug: String,
    ask: String,
    cards: Vec<Card>,
}

/// The form.
#[derive(Template)]
#[template(path = "console/me/access_new.html")]
struct AskPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    org: String,
    servers: Vec<Choice>,
    classes: Vec<Choice>,
    spans: Vec<Choice>,
    form: AskForm,
    faults: FormFaults,
}

/// What was typed, or is known from where the person comes.
#[derive(Clone, Default, Deserialize)]
struct AskForm {
    #[serde(default)]
    server: String,
    #[serde(default)]
    tools: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    hours: String,
    #[serde(default)]
    request: String,
}

/// A button and nothing else.
#[derive(Deserialize)]
struct Press {}

async fn list(ask: PersonPage) -> PageResult {
    let now = ask.cx.now();
    let mine = access::list(&ask.cx).await?;
    let place = |MyAccess { found, requests }: MyAccess| {
        let slug = found.org.slug.to_string();
        Place {
            name: found.org.name,
            ask: format!("{LIST}/{slug}/new"),
            cards: requests
                .into_iter()
                .map(|request| {
                    let href = request.grant.map(|grant| format!("/me/agents/{slug}/{grant}"));
                    Card::of(href.unwrap_or_default(), request, now)
                })
                .collect(),
            slug,
        }
    };
    page(&AccessPage {
        shell: shell_of::person(&ask, "Access requests").await?,
        places: mine.into_iter().map(place).collect(),
    })
}

async fn form(ask: PersonPage, Path(org): Path<String>, Query(form): Query<AskForm>) -> PageResult {
    ask_page(&ask, StatusCode::OK, &org, form, FormFaults::default()).await
}

async fn ask_page(
    ask: &PersonPage,
    status: StatusCode,
    org: &str,
    form: AskForm,
    faults: FormFaults,
) -> PageResult {
    let found = access::askable(&ask.cx, org).await?;
    let slug = found.org.slug.to_string();
    // A call that was denied names its server by id.
    let is_chosen = |server: &NamedServer| form.server == server.slug || form.server == server.id.to_string();
    let choice = |server: &NamedServer| Choice::new(&server.slug, &server.name).chosen(is_chosen(server));
    let mut servers = vec![Choice::new("", "Choose a server")];
    servers.extend(found.servers.iter().map(choice));
    let mut classes = vec![Choice::new("", "Only the tools named above")];
    classes.extend(Class::ALL.map(|class| {
        Choice::new(class.as_str(), format!("All tools that {}", class.meaning())).chosen_by(&form.class)
    }));
    let page = AskPage {
        shell: shell_of::person(ask, "Ask for access").await?.with_faults(!faults.is_empty()),
        crumbs: vec![Crumb::to("Access requests", LIST)],
        action: format!("{LIST}/{slug}/new"),
        org: found.org.name,
        servers,
        classes,
        spans: spans(MOST, if form.hours.is_empty() { "24" } else { &form.hours }),
        form,
        faults,
    };
    page_with(status, &page)
}

async fn ask(ask: PersonPage, Path(org): Path<String>, Form(form): Form<AskForm>) -> PageResult {
    let input = AccessInput {
        server: form.server.clone(),
        tools: form.tools.split([',', '\n']).map(|tool| tool.trim().to_owned()).collect(),
        class: form.class.clone(),
        why: form.why.clone(),
        hours: form.hours.parse().unwrap_or_default(),
        request: Some(form.request.clone()).filter(|request| !request.is_empty()),
    };
    match access::ask(&ask.cx, &org, &input).await {
        Ok(_) => Ok(go_saying(LIST, Toast::say("Asked. You get a letter when somebody has decided."))),
        Err(error @ ActionError::Fields(_)) => {
            let faults = faults_of(error)?;
            ask_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, &org, form, faults).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn withdraw(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    access::withdraw(&ask.cx, &org, &id).await?;
    Ok(go_saying(LIST, Toast::say("Taken back. You may ask again.")))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::{
        domain::access::AccessState,
        web::kit::{
            samples::{LONG, SHARP, faults, sample, shell},
            shell::Base,
        },
    };

    let place = |n: usize, cards: Vec<Card>| Place {
        name: LONG.into(),
        slug: format!("acme-{n}"),
        ask: "/me/access/acme/new".into(),
        cards,
    };
    let page = |places: Vec<Place>| AccessPage { shell: shell(Base::Account, "Access requests"), places };
    let asking = |text: &str, faults| AskPage {
        shell: shell(Base::Account, "Ask for access"),
        crumbs: vec![Crumb::to("Access requests", LIST)],
        action: "/me/access/acme/new".into(),
        org: text.into(),
        servers: vec![Choice::new("github", text)],
        classes: vec![Choice::new("read", "Read")],
        spans: spans(MOST, "24"),
        form: AskForm { why: text.into(), tools: text.into(), ..AskForm::default() },
        faults,
    };
    let card = |state| Card::sample(LONG, state);
    vec![
        sample("my access: none", &page(vec![place(0, Vec::new())])),
        sample(
            "my access",
            &page(vec![place(0, vec![card(AccessState::Pending), card(AccessState::Approved)])]),
        ),
        sample(
            "my access: many",
            &page((0..5).map(|n| place(n, AccessState::ALL.map(card).into())).collect()),
        ),
        sample("ask for access", &asking("create_issue", FormFaults::default())),
        sample("ask for access: faults", &asking(SHARP, faults(&[("why", "say what it is for")]))),
    ]
}
