//! Settings of an organization, one form for each section; and its deletion.

use askama::Template;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::{
    base::permission::Permission,
    flow::actions::{
        org_deletion::{self, DeletionSheet},
        orgs::{self, OrgChange, OrgSheet},
    },
    web::{
        console::shell_of,
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page, page_with},
            parts::Crumb,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let write = Access::Org(Permission::OrgWrite);
    let remove = Access::Org(Permission::OrgDelete);
    let changes = Effect::Records(&["org.changed"]);
    Routes::default()
        .page("/o/{org}/settings", Access::Org(Permission::OrgRead), show)
        .form("/o/{org}/settings/general", write, changes, general)
        .form("/o/{org}/settings/sign-in", write, changes, sign_in)
        .form("/o/{org}/settings/invitations", write, changes, invitations)
        .form("/o/{org}/settings/policies", write, changes, publishing)
        .form("/o/{org}/settings/record", write, changes, record)
        .page("/o/{org}/settings/delete", remove, deletion)
        .form("/o/{org}/settings/delete/ask", remove, Effect::Records(&["org.deletion_asked"]), ask_deletion)
        .form("/o/{org}/settings/delete/confirm", remove, Effect::Records(&["org.deleted"]), confirm_deletion)
        .form(
            "/o/{org}/settings/delete/cancel",
            remove,
            Effect::Records(&["org.deletion_canceled"]),
            cancel_deletion,
        )
}

/// The settings.
#[derive(Template)]
#[template(path = "console/settings/show.html")]
struct SettingsPage {
    shell: Shell,
    base: String,
    host: String,
    sheet: OrgSheet,
    /// The first of those who would be locked out, and how many more there are.
    first_names: String,
    more: usize,
    /// Whether the person who looks would be locked out by the second factor.
    is_blocked: bool,
    can_write: bool,
    can_delete: bool,
    form: SettingsForm,
    /// Of which section they are.
    section: Section,
    faults: FormFaults,
}

/// The page of the deletion.
#[derive(Template)]
#[template(path = "console/settings/delete.html")]
struct DeletePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    base: String,
    sheet: DeletionSheet,
    is_sole_owner: bool,
    /// The owners who did not ask, by name.
    others: String,
}

/// Which form was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    General,
    SignIn,
    Invitations,
    Policies,
    Record,
}

impl SettingsPage {
    /// The faults of a section; those of others are not its own.
    fn of(&self, section: Section, field: &str) -> &str {
        if self.section == section { self.faults.of(field) } else { "" }
    }
}

#[derive(Clone, Default, Deserialize)]
struct SettingsForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    require_second_factor: String,
    #[serde(default)]
    invitation_hours: String,
    #[serde(default)]
    publishing_takes_two: String,
    #[serde(default)]
    self_approval: String,
    #[serde(default)]
    argument_days: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct DeleteForm {
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    version: String,
}

async fn show(ask: OrgPage) -> PageResult {
    shown(&ask, Section::General, None, FormFaults::default()).await
}

async fn general(ask: OrgPage, Form(form): Form<SettingsForm>) -> PageResult {
    let change =
        OrgChange { name: Some(form.name.clone()), slug: Some(form.slug.clone()), ..OrgChange::default() };
    save(&ask, Section::General, change, form).await
}

async fn sign_in(ask: OrgPage, Form(form): Form<SettingsForm>) -> PageResult {
    let change =
        OrgChange { require_second_factor: Some(form.require_second_factor == "on"), ..OrgChange::default() };
    save(&ask, Section::SignIn, change, form).await
}

async fn invitations(ask: OrgPage, Form(form): Form<SettingsForm>) -> PageResult {
    let change = OrgChange { invitation_hours: Some(form.invitation_hours.clone()), ..OrgChange::default() };
    save(&ask, Section::Invitations, change, form).await
}

async fn publishing(ask: OrgPage, Form(form): Form<SettingsForm>) -> PageResult {
    let change = OrgChange {
        publishing_takes_two: Some(form.publishing_takes_two == "on"),
        self_approval: Some(form.self_approval == "on"),
        ..OrgChange::default()
    };
    save(&ask, Section::Policies, change, form).await
}

async fn record(ask: OrgPage, Form(form): Form<SettingsForm>) -> PageResult {
    let change = OrgChange { argument_days: Some(form.argument_days.clone()), ..OrgChange::default() };
    save(&ask, Section::Record, change, form).await
}

async fn save(ask: &OrgPage, section: Section, change: OrgChange, form: SettingsForm) -> PageResult {
    match orgs::update(&ask.cx, change, form::version(&form.version)).await {
        Ok(org) => {
            let said = if org.slug == ask.cx.org.slug {
                "Saved.".to_owned()
            } else {
                format!("Saved. From now on the pages and the API are found under {}.", org.slug)
            };
            Ok(go_saying(&format!("/o/{}/settings", org.slug), Toast::say(said)))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            shown(ask, section, Some(form), faults).await
        }
    }
}

/// The page; of a form that was refused, the fields of its own section keep what was typed.
async fn shown(
    ask: &OrgPage,
    section: Section,
    typed: Option<SettingsForm>,
    faults: FormFaults,
) -> PageResult {
    let sheet = orgs::sheet(&ask.cx).await?;
    let org = &sheet.org;
    let mut form = SettingsForm {
        name: org.name.clone(),
        slug: org.slug.to_string(),
        require_second_factor: if org.require_second_factor { "on".to_owned() } else { String::new() },
        invitation_hours: org.invitation_hours.to_string(),
        publishing_takes_two: if org.publishing_takes_two { "on".to_owned() } else { String::new() },
        self_approval: if org.self_approval { "on".to_owned() } else { String::new() },
        argument_days: org.argument_days.to_string(),
        version: org.version.to_string(),
    };
    let status = if typed.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    if let Some(typed) = typed {
        match section {
            Section::General => (form.name, form.slug) = (typed.name, typed.slug),
            Section::SignIn => form.require_second_factor = typed.require_second_factor,
            Section::Invitations => form.invitation_hours = typed.invitation_hours,
            Section::Policies => {
                (form.publishing_takes_two, form.self_approval) =
                    (typed.publishing_takes_two, typed.self_approval);
            }
            Section::Record => form.argument_days = typed.argument_days,
        }
    }
    let names: Vec<&str> = sheet.without_factor.iter().take(5).map(|member| member.name.as_str()).collect();
    let mut shell = shell_of::org(ask, "Settings").await?;
    shell.has_faults = !faults.is_empty();
    let page = SettingsPage {
        shell,
        base: format!("/o/{}/settings", ask.cx.org.slug),
        host: ask.cx.ports.site.host().to_owned(),
        first_names: names.join(", "),
        more: sheet.without_factor.len() - names.len(),
        is_blocked: !org.require_second_factor && !sheet.is_two_factor,
        can_write: ask.cx.may(Permission::OrgWrite),
        can_delete: ask.cx.may(Permission::OrgDelete),
        sheet,
        form,
        section,
        faults,
    };
    page_with(status, &page)
}

async fn deletion(ask: OrgPage) -> PageResult {
    let sheet = org_deletion::sheet(&ask.cx).await?;
    let base = format!("/o/{}/settings", ask.cx.org.slug);
    let others: Vec<&str> = sheet
        .owners
        .iter()
        .filter(|owner| sheet.org.deletion_asked_by != Some(owner.user))
        .map(|owner| owner.name.as_str())
        .collect();
    page(&DeletePage {
        others: others.join(" or "),
        shell: shell_of::org(&ask, format!("Delete {}", sheet.org.name)).await?,
        crumbs: vec![Crumb::to("Settings", base.clone())],
        is_sole_owner: sheet.owners.len() == 1,
        base,
        sheet,
    })
}

async fn ask_deletion(ask: OrgPage, Form(form): Form<DeleteForm>) -> PageResult {
    ask.cx.require(Permission::OrgDelete)?;
    form::confirmed(&form.confirm, ask.cx.org.slug.as_str())?;
    let deletes_at = org_deletion::ask(&ask.cx, form::version(&form.version)).await?;
    let said = match deletes_at {
        Some(_) => "The deletion was asked for. It happens in 72 hours unless you call it off.",
        None => "The deletion was asked for. Another owner has to confirm it; all owners got a letter.",
    };
    Ok(go_saying(&format!("/o/{}/settings/delete", ask.cx.org.slug), Toast::say(said)))
}

async fn confirm_deletion(ask: OrgPage, Form(form): Form<DeleteForm>) -> PageResult {
    ask.cx.require(Permission::OrgDelete)?;
    form::confirmed(&form.confirm, ask.cx.org.slug.as_str())?;
    org_deletion::confirm(&ask.cx, form::version(&form.version)).await?;
    Ok(go_saying("/me", Toast::say(format!("{} was deleted.", ask.cx.org.name))))
}

async fn cancel_deletion(ask: OrgPage, Form(form): Form<DeleteForm>) -> PageResult {
    org_deletion::cancel(&ask.cx, form::version(&form.version)).await?;
    let said = Toast::say(format!("The deletion was called off. {} stays.", ask.cx.org.name));
    Ok(go_saying(&format!("/o/{}/settings", ask.cx.org.slug), said))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::domain::{automation::AutomationCount, tenancy::PeopleCount};
    use crate::web::console::samples::{names, org};
    use crate::web::kit::{
        samples::{AT, LONG, faults, sample, shell},
        shell::Base,
    };

    let sheet = |count| OrgSheet { org: org("Acme"), without_factor: names(count), is_two_factor: false };
    let page = |count: usize, name: &str, faults| SettingsPage {
        shell: shell(Base::Organization, "Settings"),
        base: "/o/acme".into(),
        host: "portreeve.acme.example".into(),
        sheet: sheet(count),
        first_names: LONG.into(),
        more: count.saturating_sub(1),
        is_blocked: count > 0,
        can_write: true,
        can_delete: true,
        form: SettingsForm {
            name: name.into(),
            slug: "acme".into(),
            require_second_factor: String::new(),
            invitation_hours: "72".into(),
            publishing_takes_two: String::new(),
            self_approval: String::new(),
            argument_days: "0".into(),
            version: "4".into(),
        },
        section: Section::General,
        faults,
    };
    let delete = |asked: bool| DeletePage {
        shell: shell(Base::Organization, "Delete Acme"),
        crumbs: vec![Crumb::to("Settings", "/o/acme/settings")],
        base: "/o/acme".into(),
        sheet: DeletionSheet {
            org: org("Acme"),
            owners: names(2),
            asked_by: names(1).pop().filter(|_| asked),
            due_at: Some(AT).filter(|_| asked),
            may_confirm: asked,
            people: PeopleCount::default(),
            automation: AutomationCount::default(),
        },
        is_sole_owner: !asked,
        others: LONG.into(),
    };
    vec![
        sample("settings", &page(0, "Acme", FormFaults::default())),
        sample("settings: refused", &page(40, LONG, faults(&[("name", "too long"), ("slug", "taken")]))),
        sample("delete", &delete(false)),
        sample("delete: asked", &delete(true)),
    ]
}
