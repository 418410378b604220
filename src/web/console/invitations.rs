//! Invitations: list, invite, send again, withdraw and take that back.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::{page::Page, permission::Permission},
    domain::tenancy::{Invitation, InvitationFilter, InvitationState},
    flow::actions::invitations::{self, InviteChoices, InviteInput, InviteOutcome, InviteResult},
    web::{
        console::{
            members::{members_crumb, tabs},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            faults::PageError,
            flash::Toast,
            form::{self, Form, FormFaults},
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page, page_with},
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
    let one = "/o/{org}/members/invitations/{invitation}";
    Routes::default()
        .page("/o/{org}/members/invitations", read, list)
        .page("/o/{org}/members/invite", write, new)
        .form("/o/{org}/members/invite", write, Effect::Records(&["invitation.created"]), invite)
        .form(&format!("{one}/resend"), write, Effect::Records(&["invitation.resent"]), resend)
        .form(&format!("{one}/revoke"), write, Effect::Records(&["invitation.revoked"]), revoke)
        .form(&format!("{one}/restore"), write, Effect::Records(&["invitation.restored"]), restore)
}

/// The list.
#[derive(Template)]
#[template(path = "console/members/invitations.html")]
struct InvitationsPage {
    shell: Shell,
    slug: String,
    tabs: Vec<Tab>,
    q: String,
    states: Vec<Choice>,
    rows: Vec<Row>,
    list: Listing,
    is_filtered: bool,
    can_write: bool,
}

/// One invitation with what the page says about it.
struct Row {
    invitation: Invitation,
    state: InvitationState,
    expiry: String,
}

/// The form.
#[derive(Template)]
#[template(path = "console/members/invite.html")]
struct InvitePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    back: String,
    roles: Vec<Choice>,
    teams: Vec<Choice>,
    hours: String,
    form: InviteForm,
    faults: FormFaults,
    mail: MailNote,
}

/// What became of each address.
#[derive(Template)]
#[template(path = "console/members/invited.html")]
struct InvitedPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    back: String,
    members: String,
    results: Vec<InviteResult>,
    sent: usize,
    hours: String,
    mail: MailNote,
}

/// Where a letter goes when there is no mail server.
struct MailNote {
    is_missing: bool,
    /// Whether the reader keeps the installation and can open the outbox.
    is_operator: bool,
}

#[derive(Clone, Default, Deserialize)]
struct InviteForm {
    #[serde(default)]
    emails: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    team: String,
}

#[derive(Deserialize)]
struct VersionForm {
    #[serde(default)]
    version: String,
}

async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (q, sought) = asked.search();
    let (chosen, state) = asked.one_of("state", InvitationState::ALL.map(|state| (state.as_str(), state)));
    let request = asked.page();
    let filter = InvitationFilter { q: sought, state };
    let Page { items, next } = invitations::list(&ask.cx, &filter, &request).await?;
    let list = asked.listing(next.as_deref());
    let mut states = vec![Choice::new("", "Every state")];
    states.extend(InvitationState::ALL.iter().map(|state| Choice::new(state.as_str(), word(*state))));
    let now = ask.cx.now();
    let row = |invitation: Invitation| Row {
        state: invitation.state(now),
        expiry: until(invitation.expires_at, now),
        invitation,
    };
    let page = InvitationsPage {
        shell: shell_of::org(&ask, "Invitations").await?.with_faults(!list.faults.is_empty()),
        slug: ask.cx.org.slug.to_string(),
        tabs: tabs(&ask, true),
        states: Choice::chosen_of(states, &chosen),
        q,
        rows: items.into_iter().map(row).collect(),
        is_filtered: filter.q.is_some() || state.is_some(),
        can_write: ask.cx.may(Permission::MembersWrite),
        list,
    };
    page_with(page.list.status(), &page)
}

async fn new(ask: OrgPage) -> PageResult {
    let form = InviteForm { role: "member".to_owned(), ..InviteForm::default() };
    invite_page(&ask, StatusCode::OK, form, FormFaults::default()).await
}

async fn invite(ask: OrgPage, Form(form): Form<InviteForm>) -> PageResult {
    let input = InviteInput {
        emails: form.emails.split(['\n', ',', ';']).map(str::to_owned).collect(),
        role: form.role.clone(),
        team: form.team.clone(),
    };
    match invitations::invite(&ask.cx, &input).await {
        Ok(results) => {
            let sent =
                results.iter().filter(|result| matches!(result.outcome, InviteOutcome::Sent(_))).count();
            let title = match sent {
                0 => "Nobody was invited".to_owned(),
                1 => "One person was invited".to_owned(),
                _ => format!("{sent} people were invited"),
            };
            page(&InvitedPage {
                shell: shell_of::org(&ask, title).await?,
                crumbs: vec![members_crumb(&ask)],
                back: list_href(&ask),
                members: format!("/o/{}/members", ask.cx.org.slug),
                results,
                sent,
                hours: lifetime(ask.cx.org.invitation_hours),
                mail: mail_note(&ask),
            })
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            invite_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn resend(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<VersionForm>,
) -> Result<Response, PageError> {
    let sent = invitations::resend(&ask.cx, &id, form::version(&form.version)).await?;
    let text = format!("A new letter is on its way to {}. The earlier link no longer works.", sent.email);
    Ok(go_saying(&list_href(&ask), Toast::say(text)))
}

async fn revoke(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<VersionForm>,
) -> Result<Response, PageError> {
    let revoked = invitations::revoke(&ask.cx, &id, form::version(&form.version)).await?;
    let text = format!("The invitation of {} was withdrawn; its link no longer works.", revoked.email);
    let toast = if revoked.expires_at > ask.cx.now() {
        let action = format!("{}/{}/restore", list_href(&ask), revoked.id);
        Toast::with_undo(text, action, [("version", revoked.version.to_string())])
    } else {
        Toast::say(text)
    };
    Ok(go_saying(&list_href(&ask), toast))
}

async fn restore(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<VersionForm>,
) -> Result<Response, PageError> {
    let restored = invitations::restore(&ask.cx, &id, form::version(&form.version)).await?;
    let text = format!("The invitation of {} stands again; its link works.", restored.email);
    Ok(go_saying(&list_href(&ask), Toast::say(text)))
}

async fn invite_page(ask: &OrgPage, status: StatusCode, form: InviteForm, faults: FormFaults) -> PageResult {
    let InviteChoices { roles, teams, hours } = invitations::choices(&ask.cx).await?;
    let mut shell = shell_of::org(ask, "Invite people").await?;
    shell.has_faults = !faults.is_empty();
    let role = |role: &crate::base::permission::Role| {
        Choice::new(role.as_str(), role.label()).hint(role.meaning()).chosen_by(&form.role)
    };
    let mut choices = Vec::new();
    if !teams.is_empty() {
        choices.push(Choice::new("", "No team"));
        choices.extend(teams.iter().map(|team| Choice::new(team.slug.as_str(), team.name.as_str())));
    }
    let page = InvitePage {
        shell,
        crumbs: vec![members_crumb(ask)],
        action: format!("/o/{}/members/invite", ask.cx.org.slug),
        back: format!("/o/{}/members", ask.cx.org.slug),
        roles: roles.iter().map(role).collect(),
        teams: choices.into_iter().map(|choice| choice.chosen_by(&form.team)).collect(),
        hours: lifetime(hours),
        form,
        faults,
        mail: mail_note(ask),
    };
    page_with(status, &page)
}

fn mail_note(ask: &OrgPage) -> MailNote {
    MailNote {
        is_missing: !ask.cx.ports.site.sends_mail,
        is_operator: ask.cx.person.as_ref().is_some_and(|person| person.user.is_operator),
    }
}

fn list_href(ask: &OrgPage) -> String {
    format!("/o/{}/members/invitations", ask.cx.org.slug)
}

const fn word(state: InvitationState) -> &'static str {
    match state {
        InvitationState::Open => "Open",
        InvitationState::Expired => "Expired",
        InvitationState::Accepted => "Accepted",
        InvitationState::Revoked => "Withdrawn",
    }
}

/// How long a link works, in words.
fn lifetime(hours: i32) -> String {
    match hours {
        1 => "one hour".to_owned(),
        hours if hours % 24 == 0 && hours > 24 => format!("{} days", hours / 24),
        hours => format!("{hours} hours"),
    }
}

/// How long from now, in words.
fn until(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let minutes = (at - now).whole_minutes();
    match minutes {
        ..=1 => "in a minute".to_owned(),
        2..=90 => format!("in {minutes} minutes"),
        91..=2_879 => format!("in {} hours", (minutes + 30) / 60),
        _ => format!("in {} days", (minutes + 720) / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::{Duration, macros::datetime};

    #[test]
    fn an_expiry_is_said_in_words() {
        let now = datetime!(2026-11-21 12:00 UTC);
        let said = |left: Duration| until(now + left, now);
        assert_eq!(said(Duration::seconds(20)), "in a minute");
        assert_eq!(said(Duration::minutes(90)), "in 90 minutes");
        assert_eq!(said(Duration::hours(47)), "in 47 hours");
        assert_eq!(said(Duration::hours(72)), "in 3 days");
        assert_eq!(
            (lifetime(1), lifetime(24), lifetime(72)),
            ("one hour".into(), "24 hours".into(), "3 days".into())
        );
    }
}
