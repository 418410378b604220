//! A new key: the form, and the one page that shows it.

use askama::Template;
use axum::http::StatusCode;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::{permission::Role, secret::Secret},
    domain::automation::ServiceAccountEntry,
    flow::actions::api_keys::{self, MadeKey},
    web::{
        console::{
            api_keys::{
                crumb,
                form::{KeyForm, ScopeGroup},
                list_href,
                rows::{self, KeyRow},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            form::{Form, FormFaults, faults_of},
            page::{PageResult, page, page_with},
            parts::{Choice, Crumb},
            query::Query,
            shell::Shell,
        },
    },
};

/// The form for a new key.
#[derive(Template)]
#[template(path = "console/api_keys/new.html")]
struct NewKeyPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    back: String,
    owner_name: String,
    role: Role,
    owners: Vec<Choice>,
    reaches: Vec<Choice>,
    groups: Vec<ScopeGroup>,
    expiries: Vec<Choice>,
    form: KeyForm,
    faults: FormFaults,
}

/// The one time that a key is shown.
#[derive(Template)]
#[template(path = "console/api_keys/made.html")]
struct MadePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    back: String,
    title: String,
    token: Secret<String>,
    example: String,
    row: KeyRow,
    is_rotation: bool,
    old_ends_at: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
pub(super) struct NewQuery {
    #[serde(default)]
    owner: String,
}

pub(super) async fn new(ask: OrgPage, Query(query): Query<NewQuery>) -> PageResult {
    let form = KeyForm::fresh(&query.owner);
    new_page(&ask, StatusCode::OK, form, FormFaults::default()).await
}

pub(super) async fn create(ask: OrgPage, Form(pairs): Form<Vec<(String, String)>>) -> PageResult {
    let form = KeyForm::of(pairs);
    let made = match form.input(ask.cx.now()) {
        Ok(input) => api_keys::create(&ask.cx, &input).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => made_page(&ask, made).await,
        Err(error) => {
            let faults = faults_of(error)?;
            new_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn new_page(ask: &OrgPage, status: StatusCode, form: KeyForm, faults: FormFaults) -> PageResult {
    let offer = api_keys::offer(&ask.cx, &form.owner()).await?;
    let mut shell = shell_of::org(ask, "New API key").await?;
    shell.has_faults = !faults.is_empty();
    let back = list_href(ask);
    let mut owners = Vec::new();
    if !offer.accounts.is_empty() {
        owners.push(Choice::new("", "Mine"));
        let choice =
            |entry: &ServiceAccountEntry| Choice::new(entry.account.slug.as_str(), &entry.account.name);
        owners.extend(offer.accounts.iter().map(choice));
    }
    let chosen = offer.account.as_ref().map_or("", |(slug, _)| slug);
    let owners = owners.into_iter().map(|choice| choice.chosen_by(chosen)).collect();
    page_with(
        status,
        &NewKeyPage {
            shell,
            crumbs: vec![crumb(ask)],
            action: format!("{back}/new"),
            back,
            owner_name: offer.account.map_or_else(|| "you".to_owned(), |(_, name)| name),
            role: offer.role,
            owners,
            reaches: form.reaches(),
            groups: form.groups(&offer.permissions),
            expiries: form.expiries(),
            form,
            faults,
        },
    )
}

pub(super) async fn made_page(ask: &OrgPage, made: MadeKey) -> PageResult {
    let shell = shell_of::org(ask, format!("Copy {}", made.entry.key.name)).await?;
    let old = made.replaced;
    let site = &ask.cx.ports.site;
    page(&MadePage {
        shell,
        crumbs: vec![crumb(ask)],
        back: format!("{}/{}", list_href(ask), made.entry.key.id),
        title: made.entry.key.name.clone(),
        token: made.token,
        example: format!("curl -H \"Authorization: Bearer $PORTREEVE_KEY\" {}", site.url("/api/v1/me")),
        row: rows::key_row(ask, made.entry),
        is_rotation: old.is_some(),
        old_ends_at: old.filter(|key| key.revoked_at.is_none()).and_then(|key| key.expires_at),
    })
}

#[cfg(test)]
pub(in crate::web::console) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::{
        base::permission::Permission,
        web::kit::{
            samples::{AT, LONG, faults, sample, shell},
            shell::Base,
        },
    };

    let form = |faults| {
        let form = KeyForm::fresh("");
        NewKeyPage {
            shell: shell(Base::Organization, "New API key"),
            crumbs: Vec::new(),
            action: "/x".into(),
            back: "/y".into(),
            owner_name: LONG.into(),
            role: Role::Owner,
            owners: Vec::new(),
            reaches: form.reaches(),
            groups: form.groups(Permission::ALL),
            expiries: form.expiries(),
            form,
            faults,
        }
    };
    let made = |is_rotation| MadePage {
        shell: shell(Base::Organization, "Copy it"),
        crumbs: Vec::new(),
        back: "/x".into(),
        title: LONG.into(),
        token: Secret::new("prk_sample".to_owned()),
        example: "curl -H \"Authorization: Bearer $PORTREEVE_KEY\" https://portreeve.example/api/v1/me"
            .into(),
        row: KeyRow::sample(LONG),
        is_rotation,
        old_ends_at: Some(AT).filter(|_| is_rotation),
    };
    vec![
        sample("API key: new", &form(FormFaults::default())),
        sample(
            "API key: new, refused",
            &form(faults(&[("name", "no"), ("scopes", "no"), ("expires_at", "no")])),
        ),
        sample("API key: made", &made(false)),
        sample("API key: rotated", &made(true)),
    ]
}
