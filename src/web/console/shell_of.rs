//! The frame around a page, for whoever looks at it.

use time::OffsetDateTime;

use crate::{
    base::permission::Permission,
    domain::{
        audit::Traffic,
        gate::Gate,
        identity::users,
        tenancy::{OrgState, PersonsOrg},
    },
    flow::{
        actions::frame::{self, OrgFrame},
        cx::{OrgCx, PersonCx, Site},
    },
    web::kit::{
        ask::{OperatorPage, OrgPage, PersonPage, Visitor},
        browser::Browser,
        faults::PageError,
        flash, moment, rail,
        shell::{Banner, Base, GateCard, OrgCard, PersonCard, Shell, Theme, Toast, Tone, Undo},
    },
};

/// Where find-or-jump asks outside of organizations.
const FIND_OWN: &str = "/me/jump";

/// Around a page before sign-in.
pub fn open(visitor: &Visitor, title: &str) -> Shell {
    let mut shell = Shell::new(Base::Open, title);
    shell.viewer = Some(visitor.person.as_ref().map(|person| person.id().to_string()).unwrap_or_default());
    with_browser(shell, &visitor.browser, &visitor.cx.origin.request.to_string())
}

/// Around a page of an organization.
pub async fn org(page: &OrgPage, title: impl Into<String>) -> Result<Shell, PageError> {
    let cx = &page.cx;
    let frame = frame::of_org(cx).await?;
    let slug = cx.org.slug.as_str();
    let may_see = |p: Permission| cx.may(p) || (p == Permission::TeamsRead && frame.is_in_team);
    let holds: Vec<Permission> = Permission::ALL.iter().copied().filter(|p| may_see(*p)).collect();
    let mut shell = Shell::new(Base::Organization, title);
    if let Some(person) = &cx.person {
        shell = with_person(shell, person, cx.role.label());
    }
    shell.org = Some(card(&cx.org.name, slug, cx.ports.site.host()));
    shell.orgs = cards(&frame.orgs);
    shell.rail = rail::organization(slug, &holds, &page.path);
    for (place, waiting) in [("access", frame.waiting_access), ("approvals", frame.waiting_approvals)] {
        let href = format!("/o/{slug}/{place}");
        for item in shell.rail.iter_mut().flat_map(|group| &mut group.items).filter(|item| item.href == href)
        {
            item.waiting = u32::try_from(waiting).unwrap_or_default();
        }
    }
    shell.gate = Some(gate_card(cx, &frame));
    shell.banners = banners(cx, &frame);
    shell.find = format!("/o/{slug}/jump");
    Ok(with_browser(shell, &page.browser, &cx.origin.request.to_string()))
}

/// Around a page of the person's own.
pub async fn person(page: &PersonPage, title: impl Into<String>) -> Result<Shell, PageError> {
    let cx = &page.cx;
    let mut shell = with_person(Shell::new(Base::Account, title), cx, "");
    shell.orgs = cards(&frame::of_person(cx).await?);
    shell.rail = rail::account(&page.path);
    shell.find = FIND_OWN.to_owned();
    Ok(with_browser(shell, &page.browser, &cx.origin.request.to_string()))
}

/// Around a page of the operator's.
pub async fn operator(page: &OperatorPage, title: impl Into<String>) -> Result<Shell, PageError> {
    let cx = &page.cx;
    let mut shell = with_person(Shell::new(Base::Operator, title), cx, "Operator");
    shell.orgs = cards(&frame::of_person(cx).await?);
    shell.rail = rail::operator(&page.path);
    shell.find = FIND_OWN.to_owned();
    shell.banners = mail_banner(&cx.ports.site);
    Ok(with_browser(shell, &page.browser, &cx.origin.request.to_string()))
}

fn with_person(mut shell: Shell, person: &PersonCx, role: &str) -> Shell {
    shell.theme = match person.user.theme {
        users::Theme::System => Theme::System,
        users::Theme::Light => Theme::Light,
        users::Theme::Dark => Theme::Dark,
    };
    shell.zone = person.user.time_zone.as_str().to_owned();
    shell.shortcuts = person.user.shortcuts.is_on();
    shell.viewer = Some(person.id().to_string());
    shell.person = Some(PersonCard {
        name: person.user.name.as_str().to_owned(),
        role: role.to_owned(),
        is_operator: person.user.is_operator,
    });
    shell
}

fn with_browser(mut shell: Shell, browser: &Browser, request: &str) -> Shell {
    shell.csrf = browser.csrf.as_str().to_owned();
    shell.request_id = request.to_owned();
    shell.toasts = browser.toast.iter().map(toast).collect();
    shell
}

fn toast(toast: &flash::Toast) -> Toast {
    let undo =
        toast.undo.as_ref().map(|undo| Undo { action: undo.action.clone(), fields: undo.fields.clone() });
    Toast { text: toast.text.clone(), stays: false, undo }
}

fn card(name: &str, slug: &str, note: &str) -> OrgCard {
    OrgCard { name: name.to_owned(), slug: slug.to_owned(), note: note.to_owned() }
}

fn cards(orgs: &[PersonsOrg]) -> Vec<OrgCard> {
    let note = |found: &PersonsOrg| match found.org.state() {
        OrgState::Suspended => "Suspended by the operator",
        _ => found.role.label(),
    };
    orgs.iter().map(|found| card(&found.org.name, found.org.slug.as_str(), note(found))).collect()
}

fn gate_card(cx: &OrgCx, frame: &OrgFrame) -> GateCard {
    let can_see = cx.may(Permission::GateRead);
    let gate = &frame.gate;
    let passing = frame.traffic.as_ref().map(traffic_words).unwrap_or_default();
    GateCard {
        is_open: gate.is_open(),
        note: if gate.is_open() { passing } else { closed_words(gate) },
        spark: frame.traffic.as_ref().map(spark).unwrap_or_default(),
        href: if can_see { format!("/o/{}/gate", cx.org.slug) } else { String::new() },
        can_move: cx.may(Permission::GateWrite),
    }
}

/// How much passes the gate.
fn traffic_words(traffic: &Traffic) -> String {
    match traffic.calls {
        0 if !traffic.has_calls => "No calls in the last hour".to_owned(),
        0 => "No calls in the last minute".to_owned(),
        1 => "1 call in the last minute".to_owned(),
        most if traffic.is_more => format!("Over {most} calls in the last minute"),
        calls => format!("{calls} calls in the last minute"),
    }
}

/// What was recorded in each minute of the last hour, as a line in a box of 177 by 22; none for an hour without calls.
fn spark(traffic: &Traffic) -> String {
    if !traffic.has_calls {
        return String::new();
    }
    let most = traffic.minutes.iter().copied().max().unwrap_or_default().max(1);
    let point = |(at, count): (usize, &i64)| format!("{},{}", at * 3, 21 - count * 20 / most);
    traffic.minutes.iter().enumerate().map(point).collect::<Vec<_>>().join(" ")
}

/// By whom the gate was closed, and why.
fn closed_words(gate: &Gate) -> String {
    match &gate.changed_by_name {
        Some(name) => format!("Closed by {name}: {}", gate.reason),
        None => gate.reason.clone(),
    }
}

fn banners(cx: &OrgCx, frame: &OrgFrame) -> Vec<Banner> {
    let slug = &cx.org.slug;
    let mut banners = Vec::new();
    if !frame.gate.is_open() {
        let can_move = cx.may(Permission::GateWrite);
        let by = frame.gate.changed_by_name.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
        banners.push(Banner {
            tone: Tone::Deny,
            text: format!("The gate was closed{by}; no agent's call passes. Reason: {}", frame.gate.reason),
            href: if can_move { format!("/o/{slug}/gate") } else { String::new() },
            verb: "Open the gate…".to_owned(),
        });
    }
    if cx.org.deletion_asked_at.is_some() {
        let can_decide = cx.may(Permission::OrgDelete);
        banners.push(Banner {
            tone: Tone::Ask,
            text: deletion_words(&cx.org.name, frame.deletes_at),
            href: if can_decide { format!("/o/{slug}/settings/delete") } else { String::new() },
            verb: "Confirm or call off…".to_owned(),
        });
    }
    banners
}

fn deletion_words(org: &str, deletes_at: Option<OffsetDateTime>) -> String {
    match deletes_at {
        Some(at) => format!("{org} will be deleted on {}, unless an owner calls it off.", moment::words(&at)),
        None => format!("An owner asked to delete {org}. It goes when another owner confirms."),
    }
}

fn mail_banner(site: &Site) -> Vec<Banner> {
    if site.sends_mail {
        return Vec::new();
    }
    vec![Banner {
        tone: Tone::Plain,
        text: "No mail server is set, so letters wait in the outbox.".to_owned(),
        href: "/ops/outbox".to_owned(),
        verb: "Open the outbox".to_owned(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gates_card_tells_the_traffic() {
        let traffic = |calls, minutes: &[i64]| Traffic {
            calls,
            is_more: calls == 1_000,
            has_calls: true,
            minutes: minutes.to_vec(),
        };
        let quiet = Traffic { minutes: vec![0, 3], ..Traffic::default() };
        assert_eq!(
            (traffic_words(&quiet).as_str(), spark(&quiet).as_str()),
            ("No calls in the last hour", "")
        );
        let said = |calls| traffic_words(&traffic(calls, &[]));
        assert_eq!(said(0), "No calls in the last minute");
        assert_eq!(said(1), "1 call in the last minute");
        assert_eq!(said(41), "41 calls in the last minute");
        assert_eq!(said(1_000), "Over 1000 calls in the last minute");
        assert_eq!(spark(&traffic(4, &[0, 5, 10])), "0,21 3,11 6,1");
        assert_eq!(spark(&traffic(4, &[0, 0])), "0,21 3,21");
    }
}
