//! API keys: list, new, page of one, rename, rotate, revoke.

mod form;
mod new;
mod rotation;
mod rows;

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::{actor::KeyOwner, page::Page, permission::Permission},
    domain::automation::{ApiKeyEntry, KeyState, Scopes, ServiceAccountEntry},
    flow::actions::api_keys::{self, KeyListFilter, OwnerInput},
    web::{
        console::shell_of,
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of, version},
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

#[cfg(test)]
pub(super) use new::samples as new_samples;
#[cfg(test)]
pub(super) use rotation::samples as rotation_samples;
pub(super) use rows::{KeyRow, key_rows};

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Org(Permission::ApiKeysRead);
    let write = Access::Org(Permission::ApiKeysWrite);
    let one = "/o/{org}/api-keys/{key}";
    let rotated = Effect::Records(&["api_key.created", "api_key.rotated"]);
    Routes::default()
        .page("/o/{org}/api-keys", read, list)
        .page("/o/{org}/api-keys/new", write, new::new)
        .form("/o/{org}/api-keys/new", write, Effect::Records(&["api_key.created"]), new::create)
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

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{AT, LONG, SHARP, faults, list, refused_list, sample, shell},
        shell::Base,
    };

    let page = |count: usize, list| KeysPage {
        shell: shell(Base::Organization, "API keys"),
        base: "/o/acme/api-keys".into(),
        rows: (0..count).map(|_| KeyRow::sample(LONG)).collect(),
        states: vec![Choice::new("", "Any state")],
        owners: Choice::chosen_of([Choice::new("", "Any owner")], SHARP),
        is_filtered: count == 1,
        list,
        can_write: true,
    };
    let one = |is_over: bool, faults| KeyPage {
        shell: shell(Base::Organization, LONG),
        crumbs: Vec::new(),
        row: KeyRow::sample(LONG),
        scopes: Permission::ALL.iter().map(|p| (p.scope(), p.label())).filter(|_| is_over).collect(),
        created_at: AT,
        revoked_at: Some(AT).filter(|_| is_over),
        version: 1,
        typed_name: SHARP.into(),
        faults,
        revoke_title: "Revoke it?".into(),
        revoke_action: "/x/revoke".into(),
        is_over,
        is_owner_off: !is_over,
        can_write: true,
        can_rotate: !is_over,
    };
    vec![
        sample("API keys: none", &page(0, Listing::default())),
        sample("API keys: many", &page(50, list())),
        sample("API keys: refused", &page(1, refused_list("owner"))),
        sample("API key", &one(false, FormFaults::default())),
        sample("API key: over", &one(true, FormFaults::default())),
        sample("API key: refused", &one(false, faults(&[("name", "too long")]))),
    ]
}
