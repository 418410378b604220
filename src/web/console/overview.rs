//! The overview of an organization, with its first steps.

use askama::Template;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::permission::Permission,
    flow::actions::{
        first_steps::{self, StepState},
        overview::{self, Attention, Overview},
    },
    web::{
        console::{audit::words, shell_of},
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::Form,
            page::{PageResult, go, go_saying, page},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// Why first steps leave no event.
const HINTS: Effect = Effect::Unrecorded("hints that were followed or put away are a view, not a change");

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Org(Permission::OrgRead);
    let write = Access::Org(Permission::OrgWrite);
    Routes::default()
        .page("/o/{org}", Access::Member, show)
        .page("/o/{org}/", Access::Member, show)
        .form("/o/{org}/steps/open", read, HINTS, open)
        .form("/o/{org}/steps/skip", write, HINTS, skip)
        .form("/o/{org}/steps/resume", write, HINTS, resume)
}

/// The page.
#[derive(Template)]
#[template(path = "console/overview/show.html")]
struct OverviewPage {
    shell: Shell,
    /// The start of this organization's addresses.
    base: String,
    steps: Vec<StepState>,
    done: usize,
    has_skipped: bool,
    can_write: bool,
    waiting: Vec<Waiting>,
    figures: Vec<Figure>,
    events: Vec<words::Line>,
    can_read_log: bool,
    now: OffsetDateTime,
}

/// One line of what needs somebody.
struct Waiting {
    icon: &'static str,
    title: String,
    hint: String,
    href: String,
}

/// One figure.
struct Figure {
    label: &'static str,
    value: String,
    hint: String,
    href: String,
}

/// A form that names a step, or none.
#[derive(Deserialize)]
struct StepForm {
    #[serde(default)]
    step: String,
}

async fn show(ask: OrgPage) -> PageResult {
    if let Some(place) = overview::first_place(&ask.cx) {
        return Ok(go(&place));
    }
    let overview = overview::read(&ask.cx).await?;
    let base = base(&ask);
    page(&OverviewPage {
        shell: shell_of::org(&ask, "Overview").await?,
        done: overview.steps.iter().filter(|state| state.is_done).count(),
        has_skipped: overview.has_skipped,
        can_write: ask.cx.may(Permission::OrgWrite),
        waiting: overview.attention.iter().map(|attention| waiting(&base, *attention)).collect(),
        figures: figures(&base, &overview),
        steps: overview.steps,
        events: overview.events.iter().map(words::Line::from).collect(),
        can_read_log: ask.cx.may(Permission::AuditRead),
        now: ask.cx.now(),
        base,
    })
}

async fn open(ask: OrgPage, Form(form): Form<StepForm>) -> PageResult {
    Ok(go(&first_steps::open(&ask.cx, &form.step).await?))
}

async fn skip(ask: OrgPage, Form(form): Form<StepForm>) -> PageResult {
    first_steps::skip(&ask.cx, &form.step).await?;
    let said = if form.step == first_steps::ALL {
        "The first steps were put away."
    } else {
        "The step was skipped."
    };
    let undo = Toast::with_undo(said, format!("{}/steps/resume", base(&ask)), []);
    Ok(go_saying(&base(&ask), undo))
}

async fn resume(ask: OrgPage, Form(_): Form<StepForm>) -> PageResult {
    first_steps::resume(&ask.cx).await?;
    Ok(go_saying(&base(&ask), Toast::say("The first steps are back.")))
}

fn base(ask: &OrgPage) -> String {
    format!("/o/{}", ask.cx.org.slug)
}

/// A count with its noun: "1 key", "3 keys".
fn several(count: i64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn waiting(base: &str, attention: Attention) -> Waiting {
    let line = |icon, title: String, hint: &str, href: &str| Waiting {
        icon,
        title,
        hint: hint.to_owned(),
        href: if href.starts_with("/ops") { href.to_owned() } else { format!("{base}{href}") },
    };
    match attention {
        Attention::GateClosed(_) => line(
            "deny",
            "The gate is closed".to_owned(),
            "No agent's call passes until somebody opens it",
            "/gate",
        ),
        Attention::DeletionAsked(_) => line(
            "trash",
            "The deletion of this organization was asked for".to_owned(),
            "An owner confirms it or calls it off",
            "/settings/delete",
        ),
        Attention::LockedOut(count) => {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let people = several(count, "person has", "people have");
            let title = format!("{people} no second factor");
            line("shield", title, "They cannot come in here before they set one up", "/settings#sign-in")
        }
        Attention::KeysExpire(count) => {
            let title = format!("{} within two weeks", several(count, "API key expires", "API keys expire"));
            line("key", title, "Rotate them, so that no script stops", "/api-keys")
        }
        Attention::TokensExpire(count) => {
            let tokens = several(count, "agent's token expires", "agents' tokens expire");
            line(
                "plug",
                format!("{tokens} within two weeks"),
                "Replace them, so that no agent stops",
                "/agents",
            )
        }
        Attention::InvitationsEnd(count) => {
            let title = format!("{} within a day", several(count, "invitation ends", "invitations end"));
            line("mail", title, "Remind the person, or send it again", "/members")
        }
        Attention::InvitationsExpired(count) => {
            let title = format!("{} run out", several(count, "invitation has", "invitations have"));
            line("mail", title, "Send it again or withdraw it", "/members")
        }
        Attention::ToolsUnreviewed(count) => {
            let title = format!("{} for review", several(count, "tool waits", "tools wait"));
            line(
                "server",
                title,
                "Agents can call them once somebody has accepted them",
                "/servers?state=unreviewed",
            )
        }
        Attention::ServersFail(count) => {
            let title = format!("{} be read", several(count, "server cannot", "servers cannot"));
            line(
                "server",
                title,
                "Each one's check says at which step, and what to do",
                "/servers?state=failing",
            )
        }
        Attention::OneOwner => line(
            "users",
            "There is only one owner".to_owned(),
            "Name a second one, so that the organization is never without",
            "/members",
        ),
        Attention::LettersFailed(count) => {
            let title = format!("{} could not be sent", several(count, "letter", "letters"));
            line("mail", title, "The outbox of this installation says why", "/ops/outbox?state=failed")
        }
    }
}

fn figures(base: &str, overview: &Overview) -> Vec<Figure> {
    let (people, automation) = (&overview.people, &overview.automation);
    let invited = if people.open == 0 { String::new() } else { format!("{} invited", people.open) };
    let expiring = match automation.expiring_keys {
        0 => String::new(),
        count => several(count, "expires soon", "expire soon"),
    };
    let figure = |label, value: i64, hint, path: &str| Figure {
        label,
        value: value.to_string(),
        hint,
        href: format!("{base}{path}"),
    };
    vec![
        figure("Members", people.members, invited, "/members"),
        figure("Teams", people.teams, String::new(), "/teams"),
        figure("Servers", overview.servers.servers, String::new(), "/servers"),
        figure("Agents", overview.grants.active, String::new(), "/agents"),
        figure("Service accounts", automation.accounts, String::new(), "/service-accounts"),
        figure("API keys", automation.live_keys, expiring, "/api-keys"),
    ]
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::domain::audit::Decision;
    use crate::web::console::samples::event;
    use crate::web::kit::{
        samples::{AT, LONG, sample, shell},
        shell::Base,
    };

    let page = |count: usize| OverviewPage {
        shell: shell(Base::Organization, "Overview"),
        base: "/o/acme".into(),
        steps: first_steps::STEPS
            .iter()
            .map(|step| StepState { step, is_done: count > 1, is_skipped: count == 1 })
            .filter(|_| count < 20)
            .collect(),
        done: count,
        has_skipped: count == 1,
        can_write: true,
        waiting: (0..count).map(|_| waiting("/o/acme", Attention::KeysExpire(count as i64))).collect(),
        figures: vec![Figure { label: "Members", value: "14".into(), hint: LONG.into(), href: "/x".into() }],
        events: (0..count).map(|_| words::Line::from(&event(LONG, Decision::Failed))).collect(),
        can_read_log: true,
        now: AT,
    };
    vec![sample("overview: new", &page(0)), sample("overview", &page(1)), sample("overview: much", &page(20))]
}
