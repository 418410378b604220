//! Who is in a team: add, change the role, take out.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::permission::{Permission, TeamRole},
    domain::tenancy::Member,
    flow::{
        actions::team_members::{self, TeamOffer, TeamStep},
        fault::{ActionError, ActionResult},
    },
    web::{
        console::{
            shell_of,
            teams::{team_href, teams_crumb},
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let write = Access::Team(Permission::TeamsWrite);
    let member = "/o/{org}/teams/{team}/members/{user}";
    Routes::default()
        .page("/o/{org}/teams/{team}/members/new", write, new)
        .form("/o/{org}/teams/{team}/members/new", write, Effect::Records(&["team.member_added"]), add)
        .form(&format!("{member}/role"), write, Effect::Records(&["team.member_changed"]), change_role)
        .form(&format!("{member}/remove"), write, Effect::Records(&["team.member_removed"]), remove)
}

/// The form to add somebody.
#[derive(Template)]
#[template(path = "console/teams/add.html")]
struct AddPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    back: String,
    org_name: String,
    people: Vec<Member>,
    roles: Vec<Choice>,
    form: AddForm,
    faults: FormFaults,
}

#[derive(Clone, Default, Deserialize)]
struct AddForm {
    #[serde(default)]
    person: String,
    #[serde(default)]
    role: String,
}

#[derive(Deserialize)]
struct PlaceForm {
    #[serde(default)]
    role: String,
    #[serde(default)]
    version: String,
}

async fn new(ask: OrgPage, Path((_, team)): Path<(String, String)>) -> PageResult {
    let form = AddForm { role: TeamRole::Member.as_str().to_owned(), ..AddForm::default() };
    let offer = team_members::offer(&ask.cx, &team).await?;
    add_page(&ask, StatusCode::OK, offer, form, FormFaults::default()).await
}

async fn add(ask: OrgPage, Path((_, team)): Path<(String, String)>, Form(form): Form<AddForm>) -> PageResult {
    let added = match role(&form.role) {
        Ok(role) => team_members::add(&ask.cx, &team, &form.person, role).await,
        Err(error) => Err(error),
    };
    match added {
        Ok(TeamStep { team, member, .. }) => {
            let href = team_href(&ask, &team);
            let undo = format!("{href}/members/{}/remove", member.user);
            let text = format!("{} is now in {}.", member.name, team.name);
            Ok(go_saying(&href, Toast::with_undo(text, undo, [("version", member.version.to_string())])))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            let offer = team_members::offer(&ask.cx, &team).await?;
            add_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, offer, form, faults).await
        }
    }
}

async fn change_role(
    ask: OrgPage,
    Path((_, team, user)): Path<(String, String, String)>,
    Form(form): Form<PlaceForm>,
) -> PageResult {
    let role = match role(&form.role) {
        Ok(role) => role,
        Err(error) => {
            // Whom the caller may not know of is not found, whatever was sent along.
            team_members::find(&ask.cx, &team, &user).await?;
            return Err(error.into());
        }
    };
    let step =
        team_members::change_role(&ask.cx, &team, &user, Some(role), form::version(&form.version)).await?;
    let href = team_href(&ask, &step.team);
    let text = format!("{}: {} in {}.", step.member.name, role.label().to_lowercase(), step.team.name);
    let toast = match step.before.filter(|before| *before != role) {
        Some(before) => Toast::with_undo(
            text,
            format!("{href}/members/{}/role", step.member.user),
            [("role", before.as_str().to_owned()), ("version", step.member.version.to_string())],
        ),
        None => Toast::say(text),
    };
    Ok(go_saying(&href, toast))
}

async fn remove(
    ask: OrgPage,
    Path((_, team, user)): Path<(String, String, String)>,
    Form(form): Form<PlaceForm>,
) -> PageResult {
    let step = team_members::remove(&ask.cx, &team, &user, form::version(&form.version)).await?;
    let TeamStep { team, member, .. } = step;
    let has_left = ask.cx.user() == Some(member.user);
    let sees_team = !has_left || ask.cx.may(Permission::TeamsRead);
    if !sees_team {
        // Who leaves their only team may no longer see any.
        return Ok(go_saying(
            &format!("/o/{}", ask.cx.org.slug),
            Toast::say(format!("You left {}.", team.name)),
        ));
    }
    let href = team_href(&ask, &team);
    let fields = [("person", member.user.to_string()), ("role", member.role.as_str().to_owned())];
    let text = format!("{} is no longer in {}.", member.name, team.name);
    Ok(go_saying(&href, Toast::with_undo(text, format!("{href}/members/new"), fields)))
}

fn role(text: &str) -> ActionResult<TeamRole> {
    text.parse().map_err(|_| ActionError::field("role", "choose owner, admin or member"))
}

async fn add_page(
    ask: &OrgPage,
    status: StatusCode,
    offer: TeamOffer,
    form: AddForm,
    faults: FormFaults,
) -> PageResult {
    let TeamOffer { team, roles, people } = offer;
    let back = team_href(ask, &team);
    let mut shell = shell_of::org(ask, format!("Add to {}", team.name)).await?;
    shell.has_faults = !faults.is_empty();
    let choice =
        |role: TeamRole| Choice::new(role.as_str(), role.label()).hint(meaning(role)).chosen_by(&form.role);
    page_with(
        status,
        &AddPage {
            shell,
            crumbs: vec![teams_crumb(ask), Crumb::to(team.name, back.clone())],
            action: format!("{back}/members/new"),
            back,
            org_name: ask.cx.org.name.clone(),
            people,
            roles: roles.into_iter().map(choice).collect(),
            form,
            faults,
        },
    )
}

/// One sentence for the person who chooses a team role.
const fn meaning(role: TeamRole) -> &'static str {
    match role {
        TeamRole::Owner => "Renames and deletes the team, names its admins.",
        TeamRole::Admin => "Adds and takes out the team's members.",
        TeamRole::Member => "Belongs to the team.",
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::console::samples::member;
    use crate::web::kit::{
        samples::{LONG, faults, sample, shell},
        shell::Base,
    };

    let page = |people: usize, faults| AddPage {
        shell: shell(Base::Organization, "Add a member"),
        crumbs: Vec::new(),
        action: "/x".into(),
        back: "/y".into(),
        org_name: "Acme".into(),
        people: (0..people).map(|_| member(LONG)).collect(),
        roles: vec![Choice::new("member", "Member").chosen(true)],
        form: AddForm::default(),
        faults,
    };
    vec![
        sample("team: nobody to add", &page(0, FormFaults::default())),
        sample("team: add", &page(60, FormFaults::default())),
        sample("team: add, refused", &page(3, faults(&[("person", "choose somebody")]))),
    ]
}
