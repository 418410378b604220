//! A person's own secrets, in each of their organizations.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    domain::secrets::Wanted,
    flow::actions::me::secrets::{self, MySecrets},
    web::{
        console::{
            secrets::{
                list::SecretRow,
                one::{self, DeleteForm, NewPage, Place, RotateForm, SecretForm, TermsForm},
            },
            shell_of,
        },
        kit::{
            ask::PersonPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of, version},
            listing::with_query,
            page::{PageResult, go_saying, page, page_with},
            parts::Crumb,
            query::Query,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

const LIST: &str = "/me/secrets";

pub(super) fn routes() -> Routes {
    let me = Access::Person;
    let (new, one) = ("/me/secrets/{org}/new", "/me/secrets/{org}/{my_secret}");
    Routes::default()
        .page(LIST, me, list)
        .page(new, me, form)
        .form(new, me, Effect::Records(&["secret.created"]), create)
        .page(one, me, show)
        .form(&format!("{one}/edit"), me, Effect::Records(&["secret.changed"]), change)
        .form(&format!("{one}/rotate"), me, Effect::Records(&["secret.rotated"]), rotate)
        .form(&format!("{one}/delete"), me, Effect::Records(&["secret.deleted"]), delete)
}

/// The list, by organization.
#[derive(Template)]
#[template(path = "console/me/secrets.html")]
struct SecretsPage {
    shell: Shell,
    places: Vec<OrgPlace>,
}

/// What a person keeps in one organization.
struct OrgPlace {
    name: String,
    slug: String,
    caption: String,
    new: String,
    wanted: Vec<WantedRow>,
    rows: Vec<SecretRow>,
}

/// A secret that servers ask for and the person lacks.
struct WantedRow {
    name: String,
    servers: String,
    is_one: bool,
    href: String,
}

impl WantedRow {
    fn of(slug: &str, wanted: Wanted) -> Self {
        Self {
            href: with_query(&format!("{LIST}/{slug}/new"), [("name", wanted.name.as_str())]),
            is_one: wanted.servers.len() == 1,
            servers: wanted.servers.join(", "),
            name: wanted.name,
        }
    }
}

/// What is known of a new secret from where the person comes.
#[derive(Default, Deserialize)]
struct Known {
    #[serde(default)]
    name: String,
}

async fn list(ask: PersonPage) -> PageResult {
    let now = ask.cx.now();
    let place = |MySecrets { found, secrets, wanted }: MySecrets| {
        let slug = found.org.slug.to_string();
        let base = format!("{LIST}/{slug}");
        OrgPlace {
            caption: format!("Your secrets in {}", found.org.name),
            name: found.org.name,
            new: format!("{base}/new"),
            wanted: wanted.into_iter().map(|wanted| WantedRow::of(&slug, wanted)).collect(),
            rows: secrets.into_iter().map(|secret| SecretRow::of(&base, secret, now)).collect(),
            slug,
        }
    };
    let places = secrets::list(&ask.cx).await?.into_iter().map(place).collect();
    page(&SecretsPage { shell: shell_of::person(&ask, "My secrets").await?, places })
}

async fn form(ask: PersonPage, Path(org): Path<String>, Query(known): Query<Known>) -> PageResult {
    let form = SecretForm { name: known.name, ..SecretForm::default() };
    new_page(&ask, StatusCode::OK, &org, form, FormFaults::default()).await
}

async fn new_page(
    ask: &PersonPage,
    status: StatusCode,
    org: &str,
    form: SecretForm,
    faults: FormFaults,
) -> PageResult {
    let org = secrets::place(&ask.cx, org).await?;
    let page = NewPage {
        shell: shell_of::person(ask, format!("New secret in {}", org.name))
            .await?
            .with_faults(!faults.is_empty()),
        crumbs: vec![crumb()],
        action: format!("{LIST}/{}/new", org.slug),
        back: LIST.to_owned(),
        lead: "A value of your own. Servers that ask for it by this name are sent it when your agents call them.",
        scopes: Vec::new(),
        teams: Vec::new(),
        form,
        faults,
    };
    page_with(status, &page)
}

async fn create(ask: PersonPage, Path(org): Path<String>, Form(form): Form<SecretForm>) -> PageResult {
    match secrets::create(&ask.cx, &org, form.input()).await {
        Ok(secret) => {
            let toast = Toast::say(format!("{} was added. Ask your agent to try again.", secret.name));
            Ok(go_saying(LIST, toast))
        }
        Err(error) => {
            let faults = faults_of(error)?;
            new_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, &org, form, faults).await
        }
    }
}

async fn show(ask: PersonPage, Path((org, id)): Path<(String, String)>) -> PageResult {
    render(&ask, (&org, &id), StatusCode::OK, None, FormFaults::default()).await
}

async fn render(
    ask: &PersonPage,
    (org, id): (&str, &str),
    status: StatusCode,
    typed: Option<TermsForm>,
    faults: FormFaults,
) -> PageResult {
    let (org, sheet) = secrets::find(&ask.cx, org, id).await?;
    let place = Place {
        crumbs: vec![crumb(), Crumb { label: org.name.clone(), href: String::new() }],
        href: format!("{LIST}/{}/{}", org.slug, sheet.secret.id),
        servers: String::new(),
        team: String::new(),
    };
    let shell = shell_of::person(ask, sheet.secret.name.clone()).await?.with_faults(!faults.is_empty());
    page_with(status, &one::page(shell, place, sheet, ask.cx.now(), (typed, faults)))
}

async fn change(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(form): Form<TermsForm>,
) -> PageResult {
    match secrets::update(&ask.cx, &org, &id, form.change(), version(&form.version)).await {
        Ok(secret) => Ok(go_saying(&format!("{LIST}/{org}/{}", secret.id), Toast::say("Saved."))),
        Err(error) => {
            let faults = faults_of(error)?;
            render(&ask, (&org, &id), StatusCode::UNPROCESSABLE_ENTITY, Some(form), faults).await
        }
    }
}

async fn rotate(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(form): Form<RotateForm>,
) -> PageResult {
    match secrets::rotate(&ask.cx, &org, &id, &form.value, version(&form.version)).await {
        Ok(secret) => {
            let toast = Toast::say(format!("{} has a new value. The next call carries it.", secret.name));
            Ok(go_saying(&format!("{LIST}/{org}/{}", secret.id), toast))
        }
        Err(error) => {
            let faults = faults_of(error)?;
            render(&ask, (&org, &id), StatusCode::UNPROCESSABLE_ENTITY, None, faults).await
        }
    }
}

async fn delete(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(form): Form<DeleteForm>,
) -> PageResult {
    let (_, sheet) = secrets::find(&ask.cx, &org, &id).await?;
    let confirmed = one::confirmed(&form, &sheet.secret)?;
    let secret = secrets::delete(&ask.cx, &org, &id, confirmed, version(&form.version)).await?;
    Ok(go_saying(LIST, Toast::say(format!("{} was destroyed.", secret.name))))
}

fn crumb() -> Crumb {
    Crumb::to("My secrets", LIST)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, sample, shell},
        shell::Base,
    };

    let place = |n: usize, rows: usize, wanted: usize| OrgPlace {
        name: LONG.into(),
        slug: format!("acme-{n}"),
        caption: SHARP.into(),
        new: "/me/secrets/acme/new".into(),
        wanted: (0..wanted)
            .map(|n| {
                WantedRow::of(
                    "acme",
                    Wanted { name: format!("token_{n}"), servers: vec![LONG.into(); n + 1] },
                )
            })
            .collect(),
        rows: (0..rows).map(|n| SecretRow::sample(LONG, n)).collect(),
    };
    let page = |places: Vec<OrgPlace>| SecretsPage { shell: shell(Base::Account, "My secrets"), places };
    vec![
        sample("my secrets: in no organization", &page(Vec::new())),
        sample("my secrets: none", &page(vec![place(0, 0, 0)])),
        sample("my secrets: one is asked for", &page(vec![place(0, 0, 1), place(1, 2, 0)])),
        sample("my secrets: many", &page((0..4).map(|n| place(n, 30, 3)).collect())),
    ]
}
