//! API keys: list, new, page of one, rename, rotate, revoke.

mod form;
mod rotation;
mod rows;

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::{
        actor::KeyOwner,
        page::Page,
        permission::{Permission, Role},
        secret::Secret,
    },
    domain::automation::{ApiKeyEntry, KeyState, Scopes, ServiceAccountEntry},
    flow::actions::api_keys::{self, KeyListFilter, MadeKey, OwnerInput},
    web::{
        console::{
            api_keys::form::{KeyForm, ScopeGroup},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of, version},
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page, page_with},
            parts::{Choice, Crumb},
            query::Query,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) use rows::{KeyRow, key_rows};

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Org(Permission::ApiKeysRead);
    let write = Access::Org(Permission::ApiKeysWrite);
    let one = "/o/{org}/api-keys/{key}";
    let rotated = Effect::Records(&["api_key.created", "api_key.rotated"]);
    Routes::default()
        .page("/o/{org}/api-keys", read, list)
        .page("/o/{org}/api-keys/new", write, new)
        .form("/o/{org}/api-keys/new", write, Effect::Records(&["api_key.created"]), create)
        .page(one, read, show)
        .form(&format!("{one}/rename"), write, Effect::Records(&["api_key.changed"]), rename)
        .page(&format!("{one}/rotate"), write, rotation::show)
        .form(&format!("{one}/rotate"), write, rotated, rotation::rotate)
        .form(&format!("{one}/revoke"), write, Effect::Records(&["api_key.revoked"]), revoke)
}

/// The list.
#[derive(Template)]
#[template(path = "console/api_keys/list.html")]
struct KeysPage {
    shell: Shell,
    base: String,
    rows: Vec<KeyRow>,
    states: Vec<Choice>,
    owners: Vec<Choice>,
    is_filtered: bool,
    list: Listing,
    can_write: bool,
}

/// One key.
#[derive(Template)]
#[template(path = "console/api_keys/show.html")]
struct KeyPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    row: KeyRow,
    /// Each with its words; none where the key carries all of its owner's.
    scopes: Vec<(&'static str, &'static str)>,
    created_at: OffsetDateTime,
    revoked_at: Option<OffsetDateTime>,
    version: i64,
    typed_name: String,
    faults: FormFaults,
    revoke_title: String,
    revoke_action: String,
    /// It no longer works, and never will.
    is_over: bool,
    is_owner_off: bool,
    can_write: bool,
    can_rotate: bool,
}

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
struct NewQuery {
    #[serde(default)]
    owner: String,
}

#[derive(Deserialize)]
struct RenameForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
}

async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let known = [KeyState::Live, KeyState::Expired, KeyState::Revoked].map(|state| (state.as_str(), state));
    let (chosen, state) = asked.one_of("state", known);
    let owner = asked.text("owner");
    let request = asked.page();
    let mut filter = KeyListFilter { owner: Some(owner.clone()), state };
    let found = match api_keys::overview(&ask.cx, &filter, &request).await {
        Ok(found) => found,
        Err(error) => {
            asked.reject(error)?;
            filter.owner = None;
            api_keys::overview(&ask.cx, &filter, &request).await?
        }
    };
    let Page { items, next } = found.keys;
    let states = [("", "Any state"), ("live", "Works"), ("expired", "Expired"), ("revoked", "Revoked")];
    let list = asked.listing(next.as_deref());
    let page = KeysPage {
        shell: shell_of::org(&ask, "API keys").await?.with_faults(!list.faults.is_empty()),
        rows: key_rows(&ask, items),
        states: Choice::chosen_of(states.map(|(value, label)| Choice::new(value, label)), &chosen),
        owners: owner_filter(&found.accounts, &owner),
        is_filtered: !chosen.is_empty() || !owner.is_empty() || !list.first.is_empty(),
        base: list_href(&ask),
        can_write: ask.cx.may(Permission::ApiKeysWrite),
        list,
    };
    page_with(page.list.status(), &page)
}

fn owner_filter(accounts: &[ServiceAccountEntry], chosen: &str) -> Vec<Choice> {
    let mut choices = vec![Choice::new("", "Any owner"), Choice::new("me", "Mine")];
    choices
        .extend(accounts.iter().map(|entry| Choice::new(entry.account.slug.as_str(), &entry.account.name)));
    if !chosen.is_empty() && !choices.iter().any(|choice| choice.value == chosen) {
        choices.push(Choice::new(chosen, "The chosen owner"));
    }
    choices.into_iter().map(|choice| choice.chosen_by(chosen)).collect()
}

async fn show(ask: OrgPage, Path((_, key)): Path<(String, String)>) -> PageResult {
    let entry = api_keys::find(&ask.cx, &key).await?;
    let name = entry.key.name.clone();
    key_page(&ask, StatusCode::OK, entry, name, FormFaults::default()).await
}

async fn key_page(
    ask: &OrgPage,
    status: StatusCode,
    entry: ApiKeyEntry,
    name: String,
    faults: FormFaults,
) -> PageResult {
    let mut shell = shell_of::org(ask, entry.key.name.clone()).await?;
    shell.has_faults = !faults.is_empty();
    let scopes = match &entry.key.scopes {
        Scopes::All => Vec::new(),
        Scopes::Only(permissions) => permissions.iter().map(|p| (p.scope(), p.label())).collect(),
    };
    let (created_at, revoked_at, version) = (entry.key.created_at, entry.key.revoked_at, entry.key.version);
    let is_over = matches!(entry.state, KeyState::Revoked | KeyState::Expired);
    let is_owner_off = entry.state == KeyState::OwnerDisabled;
    let is_mine = match entry.key.owner {
        KeyOwner::User(user) => ask.cx.user() == Some(user),
        KeyOwner::ServiceAccount(_) => true,
    };
    let row = rows::key_row(ask, entry);
    page_with(
        status,
        &KeyPage {
            shell,
            crumbs: vec![crumb(ask)],
            scopes,
            created_at,
            revoked_at,
            version,
            typed_name: name,
            faults,
            revoke_title: format!("Revoke {}?", row.name),
            revoke_action: format!("{}/revoke", row.href),
            row,
            is_over,
            is_owner_off,
            can_write: ask.cx.may(Permission::ApiKeysWrite),
            can_rotate: is_mine,
        },
    )
}

async fn new(ask: OrgPage, Query(query): Query<NewQuery>) -> PageResult {
    let form = KeyForm::fresh(&query.owner);
    new_page(&ask, StatusCode::OK, form, FormFaults::default()).await
}

async fn create(ask: OrgPage, Form(pairs): Form<Vec<(String, String)>>) -> PageResult {
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

async fn rename(
    ask: OrgPage,
    Path((_, key)): Path<(String, String)>,
    Form(form): Form<RenameForm>,
) -> PageResult {
    match api_keys::rename(&ask.cx, &key, Some(&form.name), version(&form.version)).await {
        Ok(entry) => Ok(go_saying(&format!("{}/{}", list_href(&ask), entry.key.id), Toast::say("Saved."))),
        Err(error) => {
            let faults = faults_of(error)?;
            let entry = api_keys::find(&ask.cx, &key).await?;
            key_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, entry, form.name, faults).await
        }
    }
}

async fn revoke(
    ask: OrgPage,
    Path((_, key)): Path<(String, String)>,
    Form(form): Form<RenameForm>,
) -> PageResult {
    let entry = api_keys::revoke(&ask.cx, &key, version(&form.version)).await?;
    let href = format!("{}/{}", list_href(&ask), entry.key.id);
    Ok(go_saying(
        &href,
        Toast::say(format!("{} is revoked. Scripts that carry it are refused.", entry.key.name)),
    ))
}

async fn made_page(ask: &OrgPage, made: MadeKey) -> PageResult {
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

/// Whom the form's service account names; the person where it names none.
fn owner_input(service_account: &str) -> OwnerInput {
    match service_account.trim() {
        "" => OwnerInput::Me,
        name => OwnerInput::ServiceAccount(name.to_owned()),
    }
}

fn crumb(ask: &OrgPage) -> Crumb {
    Crumb::to("API keys", list_href(ask))
}

fn list_href(ask: &OrgPage) -> String {
    format!("/o/{}/api-keys", ask.cx.org.slug)
}
