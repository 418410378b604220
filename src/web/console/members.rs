//! Members: list, page of one, role, ownership.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;

use crate::{
    base::{
        page::Page,
        permission::{Permission, Role},
    },
    domain::tenancy::{Member, MemberFilter},
    flow::{
        actions::{
            members::{self, MemberEntry, MemberFacts},
            suspension,
        },
        fault::ActionError,
    },
    web::{
        console::{audit::words, shell_of},
        kit::{
            ask::OrgPage,
            faults::PageError,
            flash::Toast,
            form::{self, Form, FormFaults},
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb, Tab},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Org(Permission::MembersRead);
    let write = Access::Org(Permission::MembersWrite);
    let owners = Access::Org(Permission::OwnersWrite);
    let transferred = Effect::Records(&["ownership.transferred", "member.role_changed"]);
    Routes::default()
        .page("/o/{org}/members", read, list)
        .page("/o/{org}/members/{member}", read, show)
        .form("/o/{org}/members/{member}/role", write, Effect::Records(&["member.role_changed"]), change_role)
        .form("/o/{org}/members/{member}/suspend", write, Effect::Records(&["member.suspended"]), suspend)
        .form("/o/{org}/members/{member}/resume", write, Effect::Records(&["member.resumed"]), resume)
        .page("/o/{org}/members/{member}/transfer", owners, heir)
        .form("/o/{org}/members/{member}/transfer", owners, transferred, transfer)
}

/// The list.
#[derive(Template)]
#[template(path = "console/members/list.html")]
struct MembersPage {
    shell: Shell,
    slug: String,
    tabs: Vec<Tab>,
    q: String,
    roles: Vec<Choice>,
    members: Vec<MemberEntry>,
    list: Listing,
    is_filtered: bool,
    can_write: bool,
}

/// One member.
#[derive(Template)]
#[template(path = "console/members/show.html")]
struct MemberPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    slug: String,
    href: String,
    facts: MemberFacts,
    events: Vec<words::Line>,
    roles: Vec<Choice>,
    /// What was typed as the reason of a suspension.
    reason: String,
    can_suspend: bool,
    faults: FormFaults,
    can_write: bool,
    can_transfer: bool,
    can_read_keys: bool,
    can_read_events: bool,
}

/// Before ownership passes to somebody.
#[derive(Template)]
#[template(path = "console/members/transfer.html")]
struct TransferPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    back: String,
    org: String,
    heir: Member,
    faults: FormFaults,
}

#[derive(Deserialize)]
struct RoleForm {
    #[serde(default)]
    role: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct SuspendForm {
    #[serde(default)]
    reason: String,
}

/// What was typed and is kept on the page.
#[derive(Clone, Copy, Default)]
struct Typed<'a> {
    role: Option<&'a str>,
    reason: &'a str,
}

/// What a step asks for that needs a name typed.
#[derive(Deserialize)]
pub(super) struct ConfirmForm {
    #[serde(default)]
    pub(super) confirm: String,
    #[serde(default)]
    pub(super) version: String,
}

async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (q, sought) = asked.search();
    let (chosen, role) = asked.one_of("role", Role::ALL.iter().map(|role| (role.as_str(), *role)));
    let request = asked.page();
    let filter = MemberFilter { q: sought, role, team: None };
    let Page { items, next } = members::list(&ask.cx, &filter, &request).await?;
    let list = asked.listing(next.as_deref());
    let mut roles = vec![Choice::new("", "Every role")];
    roles.extend(Role::ALL.iter().map(|role| Choice::new(role.as_str(), role.label())));
    let page = MembersPage {
        shell: shell_of::org(&ask, "Members").await?.with_faults(!list.faults.is_empty()),
        slug: ask.cx.org.slug.to_string(),
        tabs: tabs(&ask, false),
        roles: Choice::chosen_of(roles, &chosen),
        q,
        members: items,
        is_filtered: filter.q.is_some() || role.is_some(),
        can_write: ask.cx.may(Permission::MembersWrite),
        list,
    };
    page_with(page.list.status(), &page)
}

async fn show(ask: OrgPage, Path((_, id)): Path<(String, String)>) -> PageResult {
    member_page(&ask, &id, StatusCode::OK, Typed::default(), FormFaults::default()).await
}

async fn change_role(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<RoleForm>,
) -> Result<Response, PageError> {
    let seen = form::version(&form.version);
    let changed = match members::change_role(&ask.cx, &id, Some(&form.role), seen).await {
        Ok(changed) => changed,
        Err(error) => {
            let faults = form::faults_of(error)?;
            let typed = Typed { role: Some(&form.role), ..Typed::default() };
            return member_page(&ask, &id, StatusCode::UNPROCESSABLE_ENTITY, typed, faults).await;
        }
    };
    let member = changed.entry.member;
    let href = member_href(&ask, &member);
    let now = member.role;
    if ask.cx.user() == Some(member.user) && !now.may(Permission::MembersRead) {
        let text = format!("You are now {} of {}.", now.label().to_lowercase(), ask.cx.org.name);
        return Ok(go_saying("/", Toast::say(text)));
    }
    if now == changed.before {
        return Ok(go_saying(&href, Toast::say(format!("{} keeps the role {}.", member.name, now.label()))));
    }
    let text = format!("{} is now {} and was {}.", member.name, now.label(), changed.before.label());
    let fields = [("role", changed.before.as_str().to_owned()), ("version", member.version.to_string())];
    Ok(go_saying(&href, Toast::with_undo(text, format!("{href}/role"), fields)))
}

async fn suspend(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<SuspendForm>,
) -> Result<Response, PageError> {
    let entry = match suspension::suspend(&ask.cx, &id, &form.reason).await {
        Ok(entry) => entry,
        Err(error @ ActionError::Fields(_)) => {
            let faults = form::faults_of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return member_page(
                &ask,
                &id,
                status,
                Typed { reason: &form.reason, ..Typed::default() },
                faults,
            )
            .await;
        }
        Err(error) => return Err(error.into()),
    };
    let href = member_href(&ask, &entry.member);
    let said = format!("{} is suspended: they, their keys and their agents are refused.", entry.member.name);
    Ok(go_saying(&href, Toast::with_undo(said, format!("{href}/resume"), [])))
}

async fn resume(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(_): Form<Vec<(String, String)>>,
) -> PageResult {
    let entry = suspension::resume(&ask.cx, &id).await?;
    let said = format!("{} is let in again.", entry.member.name);
    Ok(go_saying(&member_href(&ask, &entry.member), Toast::say(said)))
}

async fn heir(ask: OrgPage, Path((_, id)): Path<(String, String)>) -> PageResult {
    let heir = members::heir(&ask.cx, &id).await?;
    transfer_page(&ask, heir, StatusCode::OK, FormFaults::default()).await
}

async fn transfer(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<ConfirmForm>,
) -> PageResult {
    let heir = members::heir(&ask.cx, &id).await?;
    if let Some(faults) = unconfirmed(&form.confirm, &heir.email) {
        return transfer_page(&ask, heir, StatusCode::UNPROCESSABLE_ENTITY, faults).await;
    }
    let heir = members::transfer(&ask.cx, &id, form::version(&form.version)).await?;
    let text = format!("{} is now an owner of {}. You are an admin.", heir.name, ask.cx.org.name);
    Ok(go_saying(&member_href(&ask, &heir), Toast::say(text)))
}

async fn member_page(
    ask: &OrgPage,
    id: &str,
    status: StatusCode,
    typed: Typed<'_>,
    faults: FormFaults,
) -> PageResult {
    let facts = members::facts(&ask.cx, id).await?;
    let member = &facts.entry.member;
    let mut shell = shell_of::org(ask, member.name.clone()).await?;
    shell.has_faults = !faults.is_empty();
    let chosen = typed.role.unwrap_or(member.role.as_str());
    let roles = facts.roles.iter().map(|role| {
        Choice::new(role.as_str(), role.label()).hint(role.meaning()).chosen(role.as_str() == chosen)
    });
    let can_transfer = ask.cx.role == Role::Owner && ask.cx.may(Permission::OwnersWrite) && !facts.is_self;
    let page = MemberPage {
        shell,
        crumbs: vec![members_crumb(ask)],
        slug: ask.cx.org.slug.to_string(),
        href: member_href(ask, member),
        roles: roles.collect(),
        reason: typed.reason.to_owned(),
        can_suspend: ask.cx.may(Permission::MembersWrite) && member.role != Role::Owner && !facts.is_self,
        faults,
        can_write: ask.cx.may(Permission::MembersWrite) && !facts.roles.is_empty(),
        can_transfer,
        can_read_keys: ask.cx.may(Permission::ApiKeysRead),
        can_read_events: ask.cx.may(Permission::AuditRead),
        events: facts.events.iter().map(words::Line::from).collect(),
        facts,
    };
    page_with(status, &page)
}

async fn transfer_page(ask: &OrgPage, heir: Member, status: StatusCode, faults: FormFaults) -> PageResult {
    let back = member_href(ask, &heir);
    let mut shell = shell_of::org(ask, "Transfer ownership").await?;
    shell.has_faults = !faults.is_empty();
    let page = TransferPage {
        shell,
        crumbs: vec![members_crumb(ask), Crumb::to(heir.name.clone(), back.clone())],
        action: format!("{back}/transfer"),
        back,
        org: ask.cx.org.name.clone(),
        heir,
        faults,
    };
    page_with(status, &page)
}

/// What to say where a name was to be typed and was not.
pub(super) fn unconfirmed(typed: &str, name: &str) -> Option<FormFaults> {
    if typed.trim() == name {
        return None;
    }
    let mut faults = crate::base::faults::Faults::default();
    faults.add("confirm", format!("type {name} exactly to confirm; nothing was changed"));
    Some(faults.into())
}

/// The two lists of people.
pub(super) fn tabs(ask: &OrgPage, invitations: bool) -> Vec<Tab> {
    let base = format!("/o/{}/members", ask.cx.org.slug);
    vec![
        Tab::new("Members", base.clone(), !invitations),
        Tab::new("Invitations", format!("{base}/invitations"), invitations),
    ]
}

/// The way back to the list.
pub(super) fn members_crumb(ask: &OrgPage) -> Crumb {
    Crumb::to("Members", format!("/o/{}/members", ask.cx.org.slug))
}

/// Where a member's page is.
pub(super) fn member_href(ask: &OrgPage, member: &Member) -> String {
    format!("/o/{}/members/{}", ask.cx.org.slug, member.user)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::base::ids::UserId;
    use crate::domain::tenancy::{PlaceInTeam, Suspension};
    use crate::web::console::samples::{event, member};
    use crate::web::kit::{
        samples::{AT, LONG, SHARP, faults, list, refused_list, sample, shell},
        shell::Base,
    };

    let place =
        || PlaceInTeam { user: UserId::fresh(), slug: "crew".parse().expect("a slug"), name: LONG.into() };
    let entry = |name: &str, teams: usize| MemberEntry {
        member: member(name),
        teams: (0..teams).map(|_| place()).collect(),
        agents: 12,
        accounts: 3,
        has_second_factor: teams == 0,
        suspension: (teams == 0).then(|| Suspension { at: AT, by: Some(LONG.into()), reason: name.into() }),
    };
    let page = |members: Vec<MemberEntry>, list| MembersPage {
        shell: shell(Base::Organization, "Members"),
        slug: "acme".into(),
        tabs: vec![Tab::new("Members", "/a", true)],
        q: SHARP.into(),
        roles: Choice::chosen_of([Choice::new("", "Every role")], "wizard"),
        members,
        list,
        is_filtered: false,
        can_write: true,
    };
    let one = |name: &str, is_last_owner: bool, faults| MemberPage {
        shell: shell(Base::Organization, name),
        crumbs: vec![Crumb::to("Members", "/x")],
        slug: "acme".into(),
        href: "/y".into(),
        facts: MemberFacts {
            entry: entry(name, 0),
            teams: Vec::new(),
            sessions: 3,
            keys: Vec::new(),
            events: Vec::new(),
            is_self: is_last_owner,
            is_last_owner,
            roles: Vec::new(),
        },
        events: vec![words::Line::from(&event(LONG, crate::domain::audit::Decision::Refused))],
        roles: vec![Choice::new("member", "Member").chosen(true)],
        reason: name.into(),
        can_suspend: !is_last_owner,
        faults,
        can_write: true,
        can_transfer: !is_last_owner,
        can_read_keys: true,
        can_read_events: true,
    };
    let transfer = TransferPage {
        shell: shell(Base::Organization, "Transfer ownership"),
        crumbs: Vec::new(),
        action: "/x".into(),
        back: "/y".into(),
        org: "Acme".into(),
        heir: member(LONG),
        faults: faults(&[("confirm", "type the address")]),
    };
    vec![
        sample("members: only you", &page(vec![entry("Mara", 0)], Listing::default())),
        sample("members: nobody matches", &page(Vec::new(), refused_list("role"))),
        sample("members: many", &page((0..50).map(|n| entry(LONG, n % 6)).collect(), list())),
        sample("member", &one("Tomás Ferreira", false, FormFaults::default())),
        sample("member: only owner", &one("Mara Lindqvist", true, FormFaults::default())),
        sample("member: refused", &one(LONG, false, faults(&[("role", "choose a role")]))),
        sample("transfer", &transfer),
    ]
}
