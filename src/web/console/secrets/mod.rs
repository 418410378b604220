//! Secrets of the organization and its teams: list, add, page of one with its new value, change and delete.

pub(super) mod list;
pub(super) mod one;

use axum::{extract::Path, http::StatusCode};

use crate::{
    base::permission::Permission,
    domain::secrets::Scope,
    flow::actions::{
        led_teams::LedTeam,
        secrets::{self, Whose},
    },
    web::{
        console::{
            secrets::one::{DeleteForm, NewPage, Place, RotateForm, SecretForm, TermsForm},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            routes::{Access, Effect, Routes},
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Team(Permission::SecretsRead);
    let write = Access::Team(Permission::SecretsWrite);
    let one = "/o/{org}/secrets/{secret_id}";
    Routes::default()
        .page("/o/{org}/secrets", read, list::list)
        .page("/o/{org}/secrets/new", write, new)
        .form("/o/{org}/secrets/new", write, Effect::Records(&["secret.created"]), create)
        .page(one, read, show)
        .form(&format!("{one}/edit"), write, Effect::Records(&["secret.changed"]), change)
        .form(&format!("{one}/rotate"), write, Effect::Records(&["secret.rotated"]), rotate)
        .form(&format!("{one}/delete"), write, Effect::Records(&["secret.deleted"]), delete)
}

async fn new(ask: OrgPage) -> PageResult {
    new_page(&ask, StatusCode::OK, SecretForm::default(), FormFaults::default()).await
}

async fn create(ask: OrgPage, Form(form): Form<SecretForm>) -> PageResult {
    match secrets::create(&ask.cx, Whose::Shared, &form.input()).await {
        Ok(secret) => {
            let toast = Toast::say(format!("Secret {} was added. Servers can ask for it now.", secret.name));
            Ok(go_saying(&format!("{}/{}", list_href(&ask), secret.id), toast))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            new_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn new_page(ask: &OrgPage, status: StatusCode, form: SecretForm, faults: FormFaults) -> PageResult {
    let (is_wide, teams) = secrets::offer(&ask.cx).await?;
    let back = list_href(ask);
    let page = NewPage {
        shell: shell_of::org(ask, "New secret").await?.with_faults(!faults.is_empty()),
        crumbs: vec![crumb(ask)],
        action: format!("{back}/new"),
        back,
        lead: "A named value that requests to servers carry. It is sealed, and nobody reads it again.",
        scopes: scopes(is_wide, !teams.is_empty(), &form.scope),
        teams: choices(teams, &form.team),
        form,
        faults,
    };
    page_with(status, &page)
}

fn scopes(is_wide: bool, has_teams: bool, chosen: &str) -> Vec<Choice> {
    let org = Choice::new(Scope::Org.as_str(), "The organization")
        .hint("The same value for everybody whose agents call a server that asks for it.");
    let team = Choice::new(Scope::Team.as_str(), "A team")
        .hint("The same value for the members of the team, chosen below.");
    let mut scopes: Vec<Choice> = Vec::from_iter(is_wide.then_some(org));
    scopes.extend(has_teams.then_some(team));
    let chosen = if chosen.is_empty() { scopes.first().map(|first| first.value.clone()) } else { None }
        .unwrap_or_else(|| chosen.to_owned());
    scopes.into_iter().map(|scope| scope.chosen_by(&chosen)).collect()
}

fn choices(teams: Vec<LedTeam>, chosen: &str) -> Vec<Choice> {
    if teams.is_empty() {
        return Vec::new();
    }
    let none = Choice::new("", "No team");
    let all = teams.into_iter().map(|team| Choice::new(team.slug, team.name));
    std::iter::once(none).chain(all).map(|choice| choice.chosen_by(chosen)).collect()
}

async fn show(ask: OrgPage, Path((_, id)): Path<(String, String)>) -> PageResult {
    render(&ask, &id, StatusCode::OK, None, FormFaults::default()).await
}

async fn change(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<TermsForm>,
) -> PageResult {
    match secrets::update(&ask.cx, Whose::Shared, &id, form.change(), form::version(&form.version)).await {
        Ok(secret) => Ok(go_saying(&format!("{}/{}", list_href(&ask), secret.id), Toast::say("Saved."))),
        Err(error) => {
            let faults = form::faults_of(error)?;
            render(&ask, &id, StatusCode::UNPROCESSABLE_ENTITY, Some(form), faults).await
        }
    }
}

async fn rotate(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<RotateForm>,
) -> PageResult {
    let seen = form::version(&form.version);
    match secrets::rotate(&ask.cx, Whose::Shared, &id, &form.value, seen).await {
        Ok(secret) => {
            let toast = Toast::say(format!("{} has a new value. The next call carries it.", secret.name));
            Ok(go_saying(&format!("{}/{}", list_href(&ask), secret.id), toast))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            render(&ask, &id, StatusCode::UNPROCESSABLE_ENTITY, None, faults).await
        }
    }
}

async fn delete(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<DeleteForm>,
) -> PageResult {
    let sheet = secrets::find(&ask.cx, Whose::Shared, &id).await?;
    let confirmed = one::confirmed(&form, &sheet.secret)?;
    let seen = form::version(&form.version);
    let secret = secrets::delete(&ask.cx, Whose::Shared, &id, confirmed, seen).await?;
    Ok(go_saying(&list_href(&ask), Toast::say(format!("Secret {} was destroyed.", secret.name))))
}

async fn render(
    ask: &OrgPage,
    id: &str,
    status: StatusCode,
    typed: Option<TermsForm>,
    faults: FormFaults,
) -> PageResult {
    let sheet = secrets::find(&ask.cx, Whose::Shared, id).await?;
    let base = format!("/o/{}", ask.cx.org.slug);
    let place = Place {
        crumbs: vec![crumb(ask)],
        href: format!("{}/{}", list_href(ask), sheet.secret.id),
        servers: if ask.cx.may(Permission::ServersRead) { format!("{base}/servers") } else { String::new() },
        team: sheet
            .secret
            .team
            .as_ref()
            .map(|team| format!("{base}/teams/{}", team.slug))
            .unwrap_or_default(),
    };
    let shell = shell_of::org(ask, sheet.secret.name.clone()).await?.with_faults(!faults.is_empty());
    page_with(status, &one::page(shell, place, sheet, ask.cx.now(), (typed, faults)))
}

fn crumb(ask: &OrgPage) -> Crumb {
    Crumb::to("Secrets", list_href(ask))
}

fn list_href(ask: &OrgPage) -> String {
    format!("/o/{}/secrets", ask.cx.org.slug)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    list::samples().into_iter().chain(one::samples()).collect()
}
