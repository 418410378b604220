//! A person's own agents: what each may do, suspend, revoke, tokens; connecting a client.

mod clients;
mod connect;

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::permission::Permission,
    domain::{
        grants::GrantToken,
        tenancy::{Org, OrgState},
    },
    flow::actions::{
        grants::GrantFound,
        me::grants::{self, MyGrants, MyMadeToken},
    },
    web::{
        console::{
            grants::{
                GrantPage, GrantRow, MadePage, MintFields, MintPage, Place, RotateFields, RotatePage,
                StepForm, grant_rows, resumed, revoked, suspended, token_revoked,
            },
            me::proof_then,
            shell_of,
        },
        kit::{
            ask::PersonPage,
            form::{Form, FormFaults, faults_of, version},
            listing::{Asked, with_query},
            page::{PageResult, page, page_with},
            parts::Crumb,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

const LIST: &str = "/me/agents";

pub(super) fn routes() -> Routes {
    let me = Access::Person;
    let one = "/me/agents/{org}/{grant}";
    let token = "/me/agents/{org}/{grant}/tokens/{grant_token}";
    let records = |actions: &'static [&'static str]| Effect::Records(actions);
    let rotated = records(&["grant_token.created", "grant_token.rotated"]);
    Routes::default()
        .page(LIST, me, list)
        .page(one, me, show)
        .form(&format!("{one}/suspend"), me, records(&["grant.suspended"]), suspend)
        .form(&format!("{one}/resume"), me, records(&["grant.resumed"]), resume)
        .form(&format!("{one}/revoke"), me, records(&["grant.revoked"]), revoke)
        .page(&format!("{one}/tokens/new"), me, new_token)
        .form(&format!("{one}/tokens/new"), me, records(&["grant_token.created"]), mint)
        .page(&format!("{token}/rotate"), me, rotate_page)
        .form(&format!("{token}/rotate"), me, rotated, rotate)
        .form(&format!("{token}/revoke"), me, records(&["grant_token.revoked"]), revoke_token)
        .and(connect::routes())
}

/// The list, by organization.
#[derive(Template)]
#[template(path = "console/me/agents.html")]
struct AgentsPage {
    shell: Shell,
    places: Vec<OrgAgents>,
    is_empty: bool,
}

/// What acts in the person's name in one organization.
struct OrgAgents {
    name: String,
    slug: String,
    caption: String,
    is_suspended: bool,
    rows: Vec<GrantRow>,
    /// Whether the person may make grants there themselves.
    new_grant: String,
}

#[derive(Deserialize)]
struct Nothing {}

async fn list(ask: PersonPage) -> PageResult {
    let mine = grants::list(&ask.cx).await?;
    let email = ask.cx.user.email.to_string();
    let places: Vec<OrgAgents> = mine.into_iter().map(|mine| of_org(mine, &email)).collect();
    page(&AgentsPage {
        shell: shell_of::person(&ask, "My agents").await?,
        is_empty: places.iter().all(|place| place.rows.is_empty()),
        places,
    })
}

fn of_org(mine: MyGrants, email: &str) -> OrgAgents {
    let slug = mine.found.org.slug.to_string();
    let new_grant = if mine.found.role.may(Permission::GrantsWrite) {
        with_query(&format!("/o/{slug}/agents/new"), [("principal", email)])
    } else {
        String::new()
    };
    OrgAgents {
        caption: format!("My agents in {}", mine.found.org.name),
        name: mine.found.org.name.clone(),
        is_suspended: mine.found.org.state() == OrgState::Suspended,
        rows: grant_rows(&format!("{LIST}/{slug}"), mine.grants),
        slug,
        new_grant,
    }
}

async fn show(ask: PersonPage, Path((org, id)): Path<(String, String)>, mut asked: Asked) -> PageResult {
    let found = grants::sheet(&ask.cx, &org, &id, &asked.page()).await?;
    let list = asked.listing(found.sheet.tokens.next.as_deref());
    let shell = shell_of::person(&ask, found.sheet.found.entry.grant.label.clone()).await?;
    let place = Place {
        crumb: crumb(),
        base: base(&org),
        org: found.org.name,
        people: String::new(),
        can_change: false,
        can_stop: true,
        is_mine: true,
    };
    let page = GrantPage::of(shell, found.sheet, place, list, ask.cx.now());
    page_with(page.status(), &page)
}

async fn suspend(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let found = grants::suspend(&ask.cx, &org, &id, &form.reason, version(&form.version)).await?;
    Ok(suspended(&href(&org, &found), &found))
}

async fn resume(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let found = grants::resume(&ask.cx, &org, &id, version(&form.version)).await?;
    Ok(resumed(&href(&org, &found), &found))
}

async fn revoke(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let found = grants::revoke(&ask.cx, &org, &id, &form.reason, version(&form.version)).await?;
    Ok(revoked(&href(&org, &found), &found))
}

async fn new_token(ask: PersonPage, Path((org, id)): Path<(String, String)>) -> PageResult {
    match grants::mintable(&ask.cx, &org, &id).await {
        Ok((_, found)) => {
            let form = MintFields::fresh("");
            mint_page(&ask, StatusCode::OK, &org, &found, form, FormFaults::default()).await
        }
        Err(error) => proof_then(&format!("{}/{id}/tokens/new", base(&org)), error),
    }
}

async fn mint(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(form): Form<MintFields>,
) -> PageResult {
    let made = match form.input(ask.cx.now()) {
        Ok(input) => grants::mint(&ask.cx, &org, &id, &input).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => made_page(&ask, &org, made).await,
        Err(error) => {
            let faults = faults_of(error)?;
            let (_, found) = grants::mintable(&ask.cx, &org, &id).await?;
            mint_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, &org, &found, form, faults).await
        }
    }
}

async fn mint_page(
    ask: &PersonPage,
    status: StatusCode,
    org: &str,
    found: &GrantFound,
    form: MintFields,
    faults: FormFaults,
) -> PageResult {
    let shell = shell_of::person(ask, "New token").await?;
    page_with(status, &MintPage::of(shell, crumb(), &base(org), found, form, faults))
}

async fn made_page(ask: &PersonPage, org: &str, MyMadeToken { made, .. }: MyMadeToken) -> PageResult {
    let shell = shell_of::person(ask, format!("Copy {}", made.token.label)).await?;
    let connect = connect::address(&made.found.entry.grant.id.to_string(), &made.token.id.to_string(), "");
    page(&MadePage::of(shell, crumb(), &base(org), connect, made))
}

async fn rotate_page(ask: PersonPage, Path((org, id, token)): Path<(String, String, String)>) -> PageResult {
    match grants::rotatable(&ask.cx, &org, &id, &token).await {
        Ok((place, found, token)) => {
            let about = (found, token);
            rotating(&ask, StatusCode::OK, &place, &about, RotateFields::fresh(), FormFaults::default()).await
        }
        Err(error) => proof_then(&format!("{}/{id}/tokens/{token}/rotate", base(&org)), error),
    }
}

async fn rotate(
    ask: PersonPage,
    Path((org, id, token)): Path<(String, String, String)>,
    Form(form): Form<RotateFields>,
) -> PageResult {
    let made = match form.overlap() {
        Ok(overlap) => grants::rotate(&ask.cx, &org, &id, &token, form.id.parse().ok(), overlap).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => made_page(&ask, &org, made).await,
        Err(error) => {
            let faults = faults_of(error)?;
            let (place, found, token) = grants::rotatable(&ask.cx, &org, &id, &token).await?;
            let about = (found, token);
            rotating(&ask, StatusCode::UNPROCESSABLE_ENTITY, &place, &about, form, faults).await
        }
    }
}

async fn rotating(
    ask: &PersonPage,
    status: StatusCode,
    org: &Org,
    about: &(GrantFound, GrantToken),
    form: RotateFields,
    faults: FormFaults,
) -> PageResult {
    let shell = shell_of::person(ask, format!("Replace {}", about.1.label)).await?;
    page_with(status, &RotatePage::of(shell, crumb(), &base(org.slug.as_str()), about, form, faults))
}

async fn revoke_token(
    ask: PersonPage,
    Path((org, id, token)): Path<(String, String, String)>,
    Form(_): Form<Nothing>,
) -> PageResult {
    let token = grants::revoke_token(&ask.cx, &org, &id, &token).await?;
    Ok(token_revoked(&format!("{}/{}", base(&org), token.grant), &token.label))
}

fn crumb() -> Crumb {
    Crumb::to("My agents", LIST)
}

fn base(org: &str) -> String {
    format!("{LIST}/{org}")
}

fn href(org: &str, found: &GrantFound) -> String {
    format!("{}/{}", base(org), found.entry.grant.id)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, sample, shell},
        shell::Base,
    };

    let place = |n: usize, rows: usize| OrgAgents {
        name: LONG.into(),
        slug: format!("acme-{n}"),
        caption: format!("My agents in {LONG}"),
        is_suspended: !n.is_multiple_of(2),
        rows: (0..rows).map(GrantRow::sample).collect(),
        new_grant: if n.is_multiple_of(3) { "/o/acme/agents/new".into() } else { String::new() },
    };
    let page = |places: Vec<OrgAgents>| AgentsPage {
        shell: shell(Base::Account, "My agents"),
        is_empty: places.iter().all(|place| place.rows.is_empty()),
        places,
    };
    let mut samples = vec![
        sample("my agents: none", &page(vec![place(0, 0)])),
        sample("my agents: some", &page(vec![place(0, 2), place(1, 0)])),
        sample("my agents: many", &page((0..6).map(|n| place(n, 12)).collect())),
    ];
    samples.extend(connect::samples());
    samples
}
