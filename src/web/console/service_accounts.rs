//! Service accounts: list, new, page of one with its keys, change, disable, enable, delete.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{
        page::Page,
        permission::{Permission, Role},
    },
    domain::automation::{ServiceAccount, ServiceAccountEntry},
    flow::actions::service_accounts::{self, AccountChange, AccountInput},
    web::{
        console::{
            api_keys::{KeyRow, key_rows},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Org(Permission::ServiceAccountsRead);
    let write = Access::Org(Permission::ServiceAccountsWrite);
    let one = "/o/{org}/service-accounts/{account}";
    let records = |action: &'static [&'static str]| Effect::Records(action);
    Routes::default()
        .page("/o/{org}/service-accounts", read, list)
        .page("/o/{org}/service-accounts/new", write, new)
        .form("/o/{org}/service-accounts/new", write, records(&["service_account.created"]), create)
        .page(one, read, show)
        .page(&format!("{one}/edit"), write, edit)
        .form(&format!("{one}/edit"), write, records(&["service_account.changed"]), change)
        .form(&format!("{one}/disable"), write, records(&["service_account.disabled"]), disable)
        .form(&format!("{one}/enable"), write, records(&["service_account.enabled"]), enable)
        .form(
            &format!("{one}/delete"),
            write,
            records(&["service_account.deleted", "api_key.revoked", "grant.revoked"]),
            delete,
        )
}

/// The list.
#[derive(Template)]
#[template(path = "console/service_accounts/list.html")]
struct AccountsPage {
    shell: Shell,
    base: String,
    q: String,
    accounts: Vec<ServiceAccountEntry>,
    list: Listing,
    can_write: bool,
}

/// The form for a new account or a change.
#[derive(Template)]
#[template(path = "console/service_accounts/form.html")]
struct AccountFormPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    back: String,
    verb: &'static str,
    roles: Vec<Choice>,
    form: AccountForm,
    faults: FormFaults,
}

/// One account.
#[derive(Template)]
#[template(path = "console/service_accounts/show.html")]
struct AccountPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
    new_key: String,
    delete_title: String,
    delete_action: String,
    account: ServiceAccount,
    created_by: String,
    rows: Vec<KeyRow>,
    list: Listing,
    live: Vec<KeyRow>,
    grants: i64,
    grants_href: String,
    can_write: bool,
    can_see_keys: bool,
    can_make_keys: bool,
}

#[derive(Clone, Default, Deserialize)]
struct AccountForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct StepForm {
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    version: String,
}

async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (q, sought) = asked.search();
    let Page { items, next } = service_accounts::list(&ask.cx, sought.as_deref(), &asked.page()).await?;
    let list = asked.listing(next.as_deref());
    let page = AccountsPage {
        shell: shell_of::org(&ask, "Service accounts").await?.with_faults(!list.faults.is_empty()),
        base: list_href(&ask),
        q,
        accounts: items,
        can_write: ask.cx.may(Permission::ServiceAccountsWrite),
        list,
    };
    page_with(page.list.status(), &page)
}

async fn new(ask: OrgPage) -> PageResult {
    ask.cx.require(Permission::ServiceAccountsWrite)?;
    let form = AccountForm { role: Role::Member.as_str().to_owned(), ..AccountForm::default() };
    new_page(&ask, StatusCode::OK, form, FormFaults::default()).await
}

async fn create(ask: OrgPage, Form(form): Form<AccountForm>) -> PageResult {
    let input = AccountInput {
        name: form.name.clone(),
        slug: form.slug.clone(),
        description: form.description.clone(),
        role: form.role.clone(),
    };
    match service_accounts::create(&ask.cx, &input).await {
        Ok(account) => {
            let toast =
                Toast::say(format!("Service account {} was created. Give it a key next.", account.name));
            Ok(go_saying(&href(&ask, &account), toast))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            new_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn show(ask: OrgPage, Path((_, name)): Path<(String, String)>, mut asked: Asked) -> PageResult {
    let found = service_accounts::overview(&ask.cx, &name, &asked.page()).await?;
    let account = found.account;
    let href = href(&ask, &account);
    let grants_href = format!("/o/{}/agents?principal={}", ask.cx.org.slug, account.id);
    let list = asked.listing(found.keys.next.as_deref());
    let page = AccountPage {
        shell: shell_of::org(&ask, account.name.clone()).await?.with_faults(!list.faults.is_empty()),
        crumbs: vec![crumb(&ask)],
        new_key: format!("/o/{}/api-keys/new?owner={}", ask.cx.org.slug, account.slug),
        delete_title: format!("Delete {}?", account.name),
        delete_action: format!("{href}/delete"),
        href,
        account,
        created_by: found.created_by.unwrap_or_default(),
        rows: key_rows(&ask, found.keys.items),
        list,
        live: key_rows(&ask, found.live),
        grants: found.grants,
        grants_href,
        can_write: ask.cx.may(Permission::ServiceAccountsWrite),
        can_see_keys: ask.cx.may(Permission::ApiKeysRead),
        can_make_keys: ask.cx.may(Permission::ApiKeysWrite),
    };
    page_with(page.list.status(), &page)
}

async fn edit(ask: OrgPage, Path((_, name)): Path<(String, String)>) -> PageResult {
    ask.cx.require(Permission::ServiceAccountsWrite)?;
    let account = service_accounts::find(&ask.cx, &name).await?;
    let form = AccountForm {
        name: account.name.clone(),
        slug: account.slug.to_string(),
        description: account.description.clone(),
        role: account.role.to_string(),
        version: account.version.to_string(),
    };
    edit_page(&ask, &account, StatusCode::OK, form, FormFaults::default()).await
}

async fn change(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(mut form): Form<AccountForm>,
) -> PageResult {
    let change = AccountChange {
        name: Some(form.name.clone()),
        slug: Some(form.slug.clone()),
        description: Some(form.description.clone()),
        role: Some(form.role.clone()),
    };
    match service_accounts::update(&ask.cx, &name, change, form::version(&form.version)).await {
        Ok(account) => Ok(go_saying(&href(&ask, &account), Toast::say("Saved."))),
        Err(error) => {
            let faults = form::faults_of(error)?;
            let account = service_accounts::find(&ask.cx, &name).await?;
            // Saving again now replaces what the other person wrote, as the message says.
            form.version = account.version.to_string();
            edit_page(&ask, &account, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn disable(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let account = service_accounts::disable(&ask.cx, &name, form::version(&form.version)).await?;
    let href = href(&ask, &account);
    let text = format!("{} is disabled. Its keys are refused from now on.", account.name);
    let undo = Toast::with_undo(text, format!("{href}/enable"), [("version", account.version.to_string())]);
    Ok(go_saying(&href, undo))
}

async fn enable(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    let account = service_accounts::enable(&ask.cx, &name, form::version(&form.version)).await?;
    let href = href(&ask, &account);
    let text = format!("{} is enabled. Its keys work again.", account.name);
    let undo = Toast::with_undo(text, format!("{href}/disable"), [("version", account.version.to_string())]);
    Ok(go_saying(&href, undo))
}

async fn delete(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<StepForm>,
) -> PageResult {
    ask.cx.require(Permission::ServiceAccountsWrite)?;
    let account = service_accounts::find(&ask.cx, &name).await?;
    form::confirmed(&form.confirm, account.slug.as_str())?;
    let account = service_accounts::delete(&ask.cx, &name, form::version(&form.version)).await?;
    let toast = Toast::say(format!("Service account {} and its keys were deleted.", account.name));
    Ok(go_saying(&list_href(&ask), toast))
}

async fn new_page(ask: &OrgPage, status: StatusCode, form: AccountForm, faults: FormFaults) -> PageResult {
    let back = list_href(ask);
    let mut shell = shell_of::org(ask, "New service account").await?;
    shell.has_faults = !faults.is_empty();
    let (crumbs, action, roles) = (vec![crumb(ask)], format!("{back}/new"), roles(&form.role));
    let verb = "Create service account";
    page_with(status, &AccountFormPage { shell, crumbs, action, back, verb, roles, form, faults })
}

async fn edit_page(
    ask: &OrgPage,
    account: &ServiceAccount,
    status: StatusCode,
    form: AccountForm,
    faults: FormFaults,
) -> PageResult {
    let back = href(ask, account);
    let mut shell = shell_of::org(ask, format!("Change {}", account.name)).await?;
    shell.has_faults = !faults.is_empty();
    let crumbs = vec![crumb(ask), Crumb::to(account.name.clone(), back.clone())];
    let (action, roles) = (format!("{back}/edit"), roles(&form.role));
    page_with(status, &AccountFormPage { shell, crumbs, action, back, verb: "Save", roles, form, faults })
}

/// The roles that a service account can have; none owns the organization.
fn roles(chosen: &str) -> Vec<Choice> {
    let all = Role::ALL.into_iter().filter(|role| *role != Role::Owner);
    all.map(|role| Choice::new(role.as_str(), role.label()).hint(role.meaning()).chosen_by(chosen)).collect()
}

fn crumb(ask: &OrgPage) -> Crumb {
    Crumb::to("Service accounts", list_href(ask))
}

fn list_href(ask: &OrgPage) -> String {
    format!("/o/{}/service-accounts", ask.cx.org.slug)
}

fn href(ask: &OrgPage, account: &ServiceAccount) -> String {
    format!("{}/{}", list_href(ask), account.slug)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::base::ids::ServiceAccountId;
    use crate::web::kit::{
        samples::{AT, LONG, SHARP, faults, list, refused_list, sample, shell},
        shell::Base,
    };

    let account = |name: &str, is_off: bool| ServiceAccount {
        id: ServiceAccountId::fresh(),
        slug: "robot".parse().expect("a slug"),
        name: name.into(),
        description: name.repeat(2),
        role: Role::Auditor,
        created_by: None,
        created_at: AT,
        updated_at: AT,
        disabled_at: Some(AT).filter(|_| is_off),
        version: 1,
    };
    let entry =
        |n: usize| ServiceAccountEntry { account: account(LONG, n > 2), live_keys: 12, last_used_at: None };
    let page = |count: usize, q: &str, list| AccountsPage {
        shell: shell(Base::Organization, "Service accounts"),
        base: "/o/acme/service-accounts".into(),
        q: q.into(),
        accounts: (0..count).map(entry).collect(),
        list,
        can_write: true,
    };
    let rows = |count: usize| (0..count).map(|_| KeyRow::sample(LONG)).collect::<Vec<_>>();
    let one = |count: usize, is_off| AccountPage {
        shell: shell(Base::Organization, "robot"),
        crumbs: Vec::new(),
        href: "/x".into(),
        new_key: "/y".into(),
        delete_title: "Delete robot?".into(),
        delete_action: "/x/delete".into(),
        account: account("robot", is_off),
        created_by: LONG.into(),
        rows: rows(count),
        list: list(),
        live: rows(count),
        grants: 3,
        grants_href: "/a".into(),
        can_write: true,
        can_see_keys: true,
        can_make_keys: true,
    };
    let form = |name: &str, faults| AccountFormPage {
        shell: shell(Base::Organization, "New service account"),
        crumbs: Vec::new(),
        action: "/x".into(),
        back: "/y".into(),
        verb: "Create",
        roles: vec![Choice::new("member", "Member").chosen(true)],
        form: AccountForm { name: name.into(), ..AccountForm::default() },
        faults,
    };
    vec![
        sample("service accounts: none", &page(0, "", Listing::default())),
        sample("service accounts: none matches", &page(0, SHARP, refused_list("q"))),
        sample("service accounts: many", &page(50, "", list())),
        sample("service account: no key", &one(0, true)),
        sample("service account: many keys", &one(50, false)),
        sample("service account: form", &form("", FormFaults::default())),
        sample("service account: form, refused", &form(SHARP, faults(&[("name", "no"), ("slug", "no")]))),
    ]
}
