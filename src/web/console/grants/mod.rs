//! Agents and their grants: list, new, page of one, change, suspend, resume, revoke; tokens.

mod form;
mod place;
mod rows;
mod tokens;

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{page::Page, permission::Permission},
    domain::grants::{GrantState, NamedServer},
    flow::actions::grants::{self, GrantForms, GrantFound, GrantListFilter},
    web::{
        console::{grants::form::GrantFields, shell_of},
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of, version},
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            query::Query,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) use place::{GrantPage, Place, resumed, revoked, suspended, token_revoked};
pub(super) use rows::{GrantRow, Last, grant_rows, last};
use rows::{TokenRow, state_choices, token_row};
pub(super) use tokens::{MadePage, MintFields, MintPage, RotateFields, RotatePage};

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Org(Permission::GrantsRead);
    let write = Access::Org(Permission::GrantsWrite);
    let one = "/o/{org}/agents/{grant}";
    let records = |actions: &'static [&'static str]| Effect::Records(actions);
    Routes::default()
        .page("/o/{org}/agents", read, list)
        .page("/o/{org}/agents/new", write, new)
        .form("/o/{org}/agents/new", write, records(&["grant.created"]), create)
        .page(one, read, show)
        .page(&format!("{one}/edit"), write, edit)
        .form(&format!("{one}/edit"), write, records(&["grant.changed"]), change)
        .form(&format!("{one}/suspend"), write, records(&["grant.suspended"]), suspend)
        .form(&format!("{one}/resume"), write, records(&["grant.resumed"]), resume)
        .form(&format!("{one}/revoke"), write, records(&["grant.revoked"]), revoke)
        .and(tokens::routes())
}

/// The list.
#[derive(Template)]
#[template(path = "console/grants/list.html")]
struct GrantsPage {
    shell: Shell,
    base: String,
    q: String,
    principal: String,
    rows: Vec<GrantRow>,
    states: Vec<Choice>,
    servers: Vec<Choice>,
    is_filtered: bool,
    list: Listing,
    can_write: bool,
}

/// The form for a new grant, or for a change.
#[derive(Template)]
#[template(path = "console/grants/form.html")]
struct GrantFormPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    back: String,
    verb: &'static str,
    /// In whose name, where that is settled.
    principal: String,
    principals: Vec<(String, String)>,
    reaches: Vec<Choice>,
    servers: Vec<Choice>,
    new_server: String,
    ceilings: Vec<Choice>,
    policies: Vec<Choice>,
    expiries: Vec<Choice>,
    form: GrantFields,
    faults: FormFaults,
}

#[derive(Deserialize)]
struct NewQuery {
    #[serde(default)]
    principal: String,
}

/// A step with a grant.
#[derive(Clone, Default, Deserialize)]
pub(super) struct StepForm {
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) version: String,
}

async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (q, words) = asked.search();
    let (chosen, state) = asked.one_of("state", GrantState::ALL.map(|state| (state.as_str(), state)));
    let (server, principal) = (asked.text("server"), asked.text("principal"));
    let request = asked.page();
    let named = |text: &str| Some(text.to_owned());
    let filter = GrantListFilter { principal: named(&principal), server: named(&server), state, q: words };
    let found = match grants::overview(&ask.cx, &filter, &request).await {
        Ok(found) => found,
        Err(error) => {
            asked.reject(error)?;
            let filter = GrantListFilter { principal: None, server: None, ..filter };
            grants::overview(&ask.cx, &filter, &request).await?
        }
    };
    let Page { items, next } = found.grants;
    let list = asked.listing(next.as_deref());
    let base = list_href(&ask);
    let typed = [&q, &chosen, &server, &principal];
    let page = GrantsPage {
        shell: shell_of::org(&ask, "Agents").await?.with_faults(!list.faults.is_empty()),
        rows: grant_rows(&base, items),
        states: state_choices(&chosen),
        servers: server_filter(&found.servers, &server),
        is_filtered: typed.iter().any(|text| !text.is_empty()) || !list.first.is_empty(),
        q,
        principal,
        base,
        list,
        can_write: ask.cx.may(Permission::GrantsWrite),
    };
    page_with(page.list.status(), &page)
}

fn server_filter(servers: &[NamedServer], chosen: &str) -> Vec<Choice> {
    if servers.is_empty() {
        return Vec::new();
    }
    let any = Choice::new("", "Any server");
    let named = servers.iter().map(|server| Choice::new(&server.slug, &server.name));
    Choice::chosen_of(std::iter::once(any).chain(named), chosen)
}

async fn new(ask: OrgPage, Query(query): Query<NewQuery>) -> PageResult {
    let form = GrantFields::fresh(&query.principal);
    form_page(&ask, StatusCode::OK, None, form, FormFaults::default()).await
}

async fn create(ask: OrgPage, Form(pairs): Form<Vec<(String, String)>>) -> PageResult {
    let form = GrantFields::of(pairs);
    let made = match form.input(ask.cx.now()) {
        Ok(input) => grants::create(&ask.cx, &input).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(found) => {
            let said = format!("{} was created. Give it a token next.", found.entry.grant.label);
            Ok(go_saying(&href(&ask, &found), Toast::say(said)))
        }
        Err(error) => {
            let faults = faults_of(error)?;
            form_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, None, form, faults).await
        }
    }
}

async fn edit(ask: OrgPage, Path((_, id)): Path<(String, String)>) -> PageResult {
    let found = grants::changeable(&ask.cx, &id).await?;
    let form = GrantFields::about(&found);
    form_page(&ask, StatusCode::OK, Some(&found), form, FormFaults::default()).await
}

async fn change(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let mut form = GrantFields::of(pairs);
    let changed = match form.patch(ask.cx.now()) {
        Ok(patch) => grants::update(&ask.cx, &id, patch, version(&form.version)).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(found) => Ok(go_saying(&href(&ask, &found), Toast::say("Saved. It holds from the next call on."))),
        Err(error) => {
            let faults = faults_of(error)?;
            let found = grants::changeable(&ask.cx, &id).await?;
            // Saving again now replaces what the other person wrote, as the message says.
            form.version = found.entry.grant.version.to_string();
            form_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, Some(&found), form, faults).await
        }
    }
}

async fn form_page(
    ask: &OrgPage,
    status: StatusCode,
    found: Option<&GrantFound>,
    form: GrantFields,
    faults: FormFaults,
) -> PageResult {
    let GrantForms { principals, servers, policies } = grants::offer(&ask.cx).await?;
    let title =
        found.map_or_else(|| "New grant".to_owned(), |found| format!("Change {}", found.entry.grant.label));
    let mut shell = shell_of::org(ask, title).await?;
    shell.has_faults = !faults.is_empty();
    let list = list_href(ask);
    let (crumbs, back, action, verb) = match found {
        None => (vec![crumb(ask)], list.clone(), format!("{list}/new"), "Create grant"),
        Some(found) => {
            let href = href(ask, found);
            let crumbs = vec![crumb(ask), Crumb::to(&found.entry.grant.label, &href)];
            (crumbs, href.clone(), format!("{href}/edit"), "Save")
        }
    };
    page_with(
        status,
        &GrantFormPage {
            shell,
            crumbs,
            action,
            back,
            verb,
            principal: found.map(|found| rows::principal_words(&found.entry)).unwrap_or_default(),
            principals: principals.choices.into_iter().map(|choice| (choice.value, choice.name)).collect(),
            reaches: form.reaches(),
            servers: form.server_choices(&servers),
            new_server: format!("/o/{}/servers/new", ask.cx.org.slug),
            ceilings: form.ceilings(),
            policies: form.policies(&policies),
            expiries: form.expiries(),
            form,
            faults,
        },
    )
}

async fn show(ask: OrgPage, Path((_, id)): Path<(String, String)>, mut asked: Asked) -> PageResult {
    let sheet = grants::sheet(&ask.cx, &id, &asked.page()).await?;
    let list = asked.listing(sheet.tokens.next.as_deref());
    let shell = shell_of::org(&ask, sheet.found.entry.grant.label.clone()).await?;
    let page = GrantPage::of(shell, sheet, place(&ask), list, ask.cx.now());
    page_with(page.status(), &page)
}

async fn suspend(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let found = grants::suspend(&ask.cx, &id, &form.reason, version(&form.version)).await?;
    Ok(suspended(&href(&ask, &found), &found))
}

async fn resume(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let found = grants::resume(&ask.cx, &id, version(&form.version)).await?;
    Ok(resumed(&href(&ask, &found), &found))
}

async fn revoke(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let found = grants::revoke(&ask.cx, &id, &form.reason, version(&form.version)).await?;
    Ok(revoked(&href(&ask, &found), &found))
}

/// Where the pages of an organization's grants stand.
fn place(ask: &OrgPage) -> Place {
    Place {
        crumb: crumb(ask),
        base: list_href(ask),
        org: ask.cx.org.name.clone(),
        people: format!("/o/{}", ask.cx.org.slug),
        can_change: ask.cx.may(Permission::GrantsWrite),
        can_stop: ask.cx.may(Permission::GrantsWrite),
        is_mine: false,
    }
}

fn crumb(ask: &OrgPage) -> Crumb {
    Crumb::to("Agents", list_href(ask))
}

fn list_href(ask: &OrgPage) -> String {
    format!("/o/{}/agents", ask.cx.org.slug)
}

fn href(ask: &OrgPage, found: &GrantFound) -> String {
    format!("{}/{}", list_href(ask), found.entry.grant.id)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::base::ids::ServerId;
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, list, refused_list, sample, shell},
        shell::Base,
    };

    let page = |count: usize, list| GrantsPage {
        shell: shell(Base::Organization, "Agents"),
        base: "/o/acme/agents".into(),
        q: if count == 1 { SHARP.into() } else { String::new() },
        principal: String::new(),
        rows: (0..count).map(GrantRow::sample).collect(),
        states: state_choices(""),
        servers: vec![Choice::new("", "Any server"), Choice::new("x", LONG)],
        is_filtered: count == 1,
        list,
        can_write: count < 50,
    };
    let servers: Vec<NamedServer> = (0..40)
        .map(|n| NamedServer {
            id: ServerId::fresh(),
            slug: format!("server-{n}"),
            name: LONG.into(),
            is_enabled: n % 2 == 0,
        })
        .collect();
    let form = |form: GrantFields, servers: &[NamedServer], faults| GrantFormPage {
        shell: shell(Base::Organization, "New grant"),
        crumbs: vec![Crumb::to("Agents", "/o/acme/agents")],
        action: "/o/acme/agents/new".into(),
        back: "/o/acme/agents".into(),
        verb: "Create grant",
        principal: if servers.is_empty() { String::new() } else { SHARP.into() },
        principals: vec![(SHARP.to_owned(), LONG.to_owned())],
        reaches: form.reaches(),
        servers: form.server_choices(servers),
        new_server: "/o/acme/servers/new".into(),
        ceilings: form.ceilings(),
        policies: form.policies(&[]),
        expiries: form.expiries(),
        form,
        faults,
    };
    let all = faults(&[
        ("", "no"),
        ("label", "no"),
        ("principal", "no"),
        ("servers", "no"),
        ("class_ceiling", "no"),
        ("expires_at", "no"),
        ("bindings.cidrs", "no"),
        ("bindings.clients", "no"),
    ]);
    let mut samples = vec![
        sample("grants: none", &page(0, Listing::default())),
        sample("grants: some", &page(6, Listing::default())),
        sample("grants: many", &page(50, list())),
        sample("grants: refused", &page(1, refused_list("state"))),
        sample("grant, new: empty", &form(GrantFields::fresh(""), &[], FormFaults::default())),
        sample("grant, new: much", &form(GrantFields::fresh(SHARP), &servers, FormFaults::default())),
        sample("grant, new: refused", &form(GrantFields::fresh(SHARP), &servers[..3], all)),
    ];
    samples.extend(place::samples());
    samples.extend(tokens::samples());
    samples
}
