//! Teams: list, new, page of one with its people, change, delete.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{
        page::Page,
        permission::{Permission, TeamRole},
    },
    domain::tenancy::{Team, TeamFilter, TeamMember, TeamReach},
    flow::actions::{
        team_members,
        teams::{self, TeamChange, TeamInput},
    },
    web::{
        console::shell_of,
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page_with},
            parts::{Crumb, Tab},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Team(Permission::TeamsRead);
    let write = Access::Team(Permission::TeamsWrite);
    let create_any = Access::Org(Permission::TeamsWrite);
    Routes::default()
        .page("/o/{org}/teams", read, list)
        .page("/o/{org}/teams/new", create_any, new)
        .form("/o/{org}/teams/new", create_any, Effect::Records(&["team.created"]), create)
        .page("/o/{org}/teams/{team}", read, show)
        .page("/o/{org}/teams/{team}/edit", write, edit)
        .form("/o/{org}/teams/{team}/edit", write, Effect::Records(&["team.changed"]), change)
        .form(
            "/o/{org}/teams/{team}/delete",
            write,
            Effect::Records(&["team.deleted", "grant.revoked"]),
            delete,
        )
}

/// The list.
#[derive(Template)]
#[template(path = "console/teams/list.html")]
struct TeamsPage {
    shell: Shell,
    slug: String,
    q: String,
    views: Vec<Tab>,
    teams: Vec<Team>,
    list: Listing,
    can_write: bool,
}

/// The form for a new team or a change.
#[derive(Template)]
#[template(path = "console/teams/form.html")]
struct TeamFormPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    /// Where the form posts to, and where Cancel leads.
    action: String,
    back: String,
    verb: &'static str,
    form: TeamForm,
    faults: FormFaults,
}

/// One team.
#[derive(Template)]
#[template(path = "console/teams/show.html")]
struct TeamPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
    delete_title: String,
    delete_action: String,
    team: Team,
    /// How many grants of agents act in its name, and where they are listed; empty for who may not see them.
    grants: i64,
    grants_href: String,
    /// Where its secrets are listed.
    secrets_href: String,
    can_change: bool,
    can_add: bool,
    q: String,
    rows: Vec<MemberRow>,
    list: Listing,
}

/// One person in the team.
struct MemberRow {
    member: TeamMember,
    /// Where its forms post to.
    href: String,
    menu: String,
    is_me: bool,
    /// Roles that the viewer may give this person, without the present one.
    gives: Vec<TeamRole>,
    can_remove: bool,
}

#[derive(Clone, Default, Deserialize)]
struct TeamForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    description: String,
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

async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (q, sought) = asked.search();
    let (_, mine) = asked.one_of("of", [("me", ask.cx.user())]);
    let request = asked.page();
    let filter = TeamFilter { q: sought, of: mine.flatten() };
    let Page { items, next } = teams::list(&ask.cx, &filter, &request).await?;
    let list = asked.listing(next.as_deref());
    let page = TeamsPage {
        shell: shell_of::org(&ask, "Teams").await?.with_faults(!list.faults.is_empty()),
        slug: ask.cx.org.slug.to_string(),
        q,
        views: views(&ask, filter.of.is_some()),
        teams: items,
        can_write: ask.cx.may(Permission::TeamsWrite),
        list,
    };
    page_with(page.list.status(), &page)
}

async fn new(ask: OrgPage) -> PageResult {
    ask.cx.require(Permission::TeamsWrite)?;
    new_page(&ask, StatusCode::OK, TeamForm::default(), FormFaults::default()).await
}

async fn create(ask: OrgPage, Form(form): Form<TeamForm>) -> PageResult {
    let input =
        TeamInput { name: form.name.clone(), slug: form.slug.clone(), description: form.description.clone() };
    match teams::create(&ask.cx, &input).await {
        Ok(team) => {
            let toast = Toast::say(format!("Team {} was created. Add its members next.", team.name));
            Ok(go_saying(&team_href(&ask, &team), toast))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            new_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

/// All teams or one's own; nothing to choose for who sees only their own.
fn views(ask: &OrgPage, is_mine: bool) -> Vec<Tab> {
    if !ask.cx.may(Permission::TeamsRead) {
        return Vec::new();
    }
    let base = format!("/o/{}/teams", ask.cx.org.slug);
    vec![Tab::new("All", base.clone(), !is_mine), Tab::new("Mine", format!("{base}?of=me"), is_mine)]
}

async fn show(ask: OrgPage, Path((_, name)): Path<(String, String)>, mut asked: Asked) -> PageResult {
    let (q, sought) = asked.search();
    let found = team_members::overview(&ask.cx, &name, sought.as_deref(), &asked.page()).await?;
    let team = found.team;
    let href = team_href(&ask, &team);
    let Page { items, next } = found.members;
    let list = asked.listing(next.as_deref());
    let rows = items.into_iter().map(|member| row(&ask, &href, member, found.reach)).collect();
    let page = TeamPage {
        shell: shell_of::org(&ask, team.name.clone()).await?.with_faults(!list.faults.is_empty()),
        crumbs: vec![teams_crumb(&ask)],
        delete_title: format!("Delete {}?", team.name),
        delete_action: format!("{href}/delete"),
        can_change: found.reach == TeamReach::Everything,
        can_add: found.reach != TeamReach::Nothing,
        grants: found.grants,
        secrets_href: format!("/o/{}/secrets", ask.cx.org.slug),
        grants_href: if ask.cx.may(Permission::GrantsRead) {
            format!("/o/{}/agents?principal={}", ask.cx.org.slug, team.id)
        } else {
            String::new()
        },
        href,
        team,
        q,
        rows,
        list,
    };
    page_with(page.list.status(), &page)
}

fn row(ask: &OrgPage, team: &str, member: TeamMember, reach: TeamReach) -> MemberRow {
    let roles = team_members::roles_to_give(reach);
    let reaches = roles.contains(&member.role);
    let is_me = ask.cx.user() == Some(member.user);
    MemberRow {
        href: format!("{team}/members/{}", member.user),
        menu: format!("more-{}", member.user),
        is_me,
        gives: roles.into_iter().filter(|role| reaches && *role != member.role).collect(),
        can_remove: reaches || is_me,
        member,
    }
}

async fn edit(ask: OrgPage, Path((_, name)): Path<(String, String)>) -> PageResult {
    let team = teams::changeable(&ask.cx, &name).await?;
    let form = TeamForm {
        name: team.name.clone(),
        slug: team.slug.to_string(),
        description: team.description.clone(),
        version: team.version.to_string(),
    };
    edit_page(&ask, &team, StatusCode::OK, form, FormFaults::default()).await
}

async fn change(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(mut form): Form<TeamForm>,
) -> PageResult {
    let change = TeamChange {
        name: Some(form.name.clone()),
        slug: Some(form.slug.clone()),
        description: Some(form.description.clone()),
    };
    match teams::update(&ask.cx, &name, change, form::version(&form.version)).await {
        Ok(team) => Ok(go_saying(&team_href(&ask, &team), Toast::say("Saved."))),
        Err(error) => {
            let faults = form::faults_of(error)?;
            let team = teams::find(&ask.cx, &name).await?;
            // Saving again now replaces what the other person wrote, as the message says.
            form.version = team.version.to_string();
            edit_page(&ask, &team, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn delete(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<DeleteForm>,
) -> PageResult {
    let team = teams::changeable(&ask.cx, &name).await?;
    form::confirmed(&form.confirm, team.slug.as_str())?;
    let team = teams::delete(&ask.cx, &name, form::version(&form.version)).await?;
    let toast =
        Toast::say(format!("Team {} was deleted. Its members stay in {}.", team.name, ask.cx.org.name));
    Ok(go_saying(&format!("/o/{}/teams", ask.cx.org.slug), toast))
}

async fn new_page(ask: &OrgPage, status: StatusCode, form: TeamForm, faults: FormFaults) -> PageResult {
    let back = format!("/o/{}/teams", ask.cx.org.slug);
    let mut shell = shell_of::org(ask, "New team").await?;
    shell.has_faults = !faults.is_empty();
    let action = format!("{back}/new");
    page_with(
        status,
        &TeamFormPage {
            shell,
            crumbs: vec![teams_crumb(ask)],
            action,
            back,
            verb: "Create team",
            form,
            faults,
        },
    )
}

async fn edit_page(
    ask: &OrgPage,
    team: &Team,
    status: StatusCode,
    form: TeamForm,
    faults: FormFaults,
) -> PageResult {
    let back = team_href(ask, team);
    let mut shell = shell_of::org(ask, format!("Change {}", team.name)).await?;
    shell.has_faults = !faults.is_empty();
    let crumbs = vec![teams_crumb(ask), Crumb::to(team.name.clone(), back.clone())];
    let action = format!("{back}/edit");
    page_with(status, &TeamFormPage { shell, crumbs, action, back, verb: "Save", form, faults })
}

/// The first step of the way to a team's pages.
pub(super) fn teams_crumb(ask: &OrgPage) -> Crumb {
    Crumb::to("Teams", format!("/o/{}/teams", ask.cx.org.slug))
}

/// Where a team's page is.
pub(super) fn team_href(ask: &OrgPage, team: &Team) -> String {
    format!("/o/{}/teams/{}", ask.cx.org.slug, team.slug)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::console::samples::{team, team_member};
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, list, refused_list, sample, shell},
        shell::Base,
    };

    let page = |count: usize, q: &str, list| TeamsPage {
        shell: shell(Base::Organization, "Teams"),
        slug: "acme".into(),
        q: q.into(),
        views: vec![Tab::new("All", "/a", true), Tab::new("Mine", "/b", false)],
        teams: (0..count).map(|n| team(if n > 0 { LONG } else { "Crew" }, 3)).collect(),
        list,
        can_write: true,
    };
    let form = |name: &str, faults| TeamFormPage {
        shell: shell(Base::Organization, "New team"),
        crumbs: Vec::new(),
        action: "/x".into(),
        back: "/y".into(),
        verb: "Create team",
        form: TeamForm { name: name.into(), ..TeamForm::default() },
        faults,
    };
    let row = |n: usize| MemberRow {
        member: team_member(LONG),
        href: format!("/m/{n}"),
        menu: format!("more-{n}"),
        is_me: n == 0,
        gives: vec![TeamRole::Owner, TeamRole::Admin],
        can_remove: true,
    };
    let one = |count: usize| TeamPage {
        shell: shell(Base::Organization, "Platform"),
        crumbs: Vec::new(),
        href: "/x".into(),
        delete_title: "Delete Platform?".into(),
        delete_action: "/x/delete".into(),
        team: team("Platform", i64::try_from(count).expect("few")),
        can_change: true,
        can_add: true,
        q: SHARP.into(),
        rows: (0..count).map(row).collect(),
        grants: 3,
        grants_href: "/a".into(),
        secrets_href: "/o/acme/secrets".into(),
        list: list(),
    };
    vec![
        sample("teams: none", &page(0, "", Listing::default())),
        sample("teams: none matches", &page(0, SHARP, refused_list("of"))),
        sample("teams: many", &page(50, "", list())),
        sample("team: form", &form("", FormFaults::default())),
        sample("team: form, refused", &form(LONG, faults(&[("name", "too long"), ("slug", "taken")]))),
        sample("team: nobody", &one(0)),
        sample("team: many", &one(50)),
    ]
}
