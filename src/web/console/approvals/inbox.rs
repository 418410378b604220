//! The inbox: calls that wait, each decided with one press, and for who gives access what people ask for.

use askama::Template;
use time::Duration;

use super::{base_of, cards::Card, past::Past};
use crate::{
    base::{page::Page, permission::Permission},
    flow::actions::{
        access_requests,
        approvals::{self, ApprovalSheet},
    },
    web::{
        console::{access::WaitingAccess, shell_of},
        kit::{
            ask::OrgPage,
            listing::{Asked, Listing},
            page::{PageResult, page_with},
            parts::Tab,
            pretty::pretty,
            shell::Shell,
        },
    },
};

/// More lines of arguments than these, and longer ones, stand on the call's own page. Names are sorted, so what an agent
/// sends could push what matters out of sight: where something is cut, nothing is decided here.
const MOST_LINES: usize = 12;
const LONGEST_LINE: usize = 300;

/// The page.
#[derive(Template)]
#[template(path = "console/approvals/inbox.html")]
struct InboxPage {
    shell: Shell,
    views: Vec<Tab>,
    calls: Vec<Waiting>,
    /// Requests for access, on the first page.
    access: Vec<WaitingAccess>,
    /// Where the rest of them is; empty where these are all.
    more_access: String,
    /// What is said where nothing waits.
    nothing: String,
    list: Listing,
}

/// A call that waits.
struct Waiting {
    card: Card,
    arguments: String,
    /// Whether there are more than stand here, so that they are read, and decided about, on their own page.
    is_cut: bool,
    /// What the tool was called for before; empty where it is none.
    before: String,
    /// How long is left.
    left: String,
    /// Whether the viewer decides it.
    may_decide: bool,
    /// Whether it is about an agent of their own then.
    is_own: bool,
    /// Why not.
    refusal: String,
}

/// What waits.
pub(super) async fn page_of(ask: &OrgPage, views: Vec<Tab>, mut asked: Asked) -> PageResult {
    let request = asked.page();
    let Page { items, next } = approvals::inbox(&ask.cx, &request).await?;
    let asking = match request.after {
        None => access_requests::inbox(&ask.cx).await?,
        Some(_) => Page { items: Vec::new(), next: None },
    };
    let list = asked.listing(next.as_deref());
    let base = format!("/o/{}/access", ask.cx.org.slug);
    let now = ask.cx.now();
    let usual = match items.is_empty() {
        true => approvals::usual_wait(&ask.cx).await?,
        false => None,
    };
    let page = InboxPage {
        shell: shell_of::org(ask, "Approvals").await?.with_faults(!list.faults.is_empty()),
        views,
        calls: items.into_iter().map(|sheet| Waiting::of(ask, sheet)).collect(),
        access: asking.items.into_iter().map(|sheet| WaitingAccess::of(&base, sheet, now)).collect(),
        more_access: asking.next.map(|_| base).unwrap_or_default(),
        nothing: nothing(usual),
        list,
    };
    page_with(page.list.status(), &page)
}

impl Waiting {
    fn of(ask: &OrgPage, sheet: ApprovalSheet) -> Self {
        let policies = match ask.cx.may(Permission::PoliciesRead) {
            true => format!("/o/{}/policies", ask.cx.org.slug),
            false => String::new(),
        };
        let arguments = pretty(sheet.arguments.expose());
        let (arguments, is_cut) = cut(&arguments);
        Self {
            is_cut,
            arguments,
            before: sheet.similar.map(|similar| Past::of("", similar).summary).unwrap_or_default(),
            left: span(sheet.approval.expires_at - ask.cx.now()),
            may_decide: sheet.refusal.is_none(),
            is_own: sheet.is_own && sheet.refusal.is_none(),
            refusal: sheet
                .refusal
                .map(|refusal| approvals::refusal_words(&ask.cx, refusal))
                .unwrap_or_default(),
            card: Card::of(&base_of(ask), &policies, sheet.approval, ask.cx.now()),
        }
    }
}

/// As much of arguments as is seen at one glance, and whether that is not all.
fn cut(arguments: &str) -> (String, bool) {
    let mut lines = arguments.lines();
    let mut is_cut = false;
    let shown: Vec<_> = lines
        .by_ref()
        .take(MOST_LINES)
        .map(|line| match line.char_indices().nth(LONGEST_LINE) {
            Some((at, _)) => {
                is_cut = true;
                format!("{}…", &line[..at])
            }
            None => line.to_owned(),
        })
        .collect();
    (shown.join("\n"), is_cut || lines.next().is_some())
}

fn nothing(usual: Option<Duration>) -> String {
    let what = "When an agent makes a call that a policy asks about, it appears here with its arguments.";
    match usual {
        Some(usual) => format!("{what} In the last weeks half of them were decided within {}.", span(usual)),
        None => what.to_owned(),
    }
}

/// A span in the largest unit that it fills, as people say it.
fn span(span: Duration) -> String {
    let (count, unit) = match span {
        span if span.whole_days() > 1 => (span.whole_days(), "day"),
        span if span.whole_hours() > 1 => (span.whole_hours(), "hour"),
        span if span.whole_minutes() > 0 => (span.whole_minutes(), "minute"),
        span => (span.whole_seconds().max(0), "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use super::cards::sample_card;
    use crate::{
        domain::approvals::ApprovalState,
        web::kit::{
            samples::{LONG, SHARP, list, sample, shell},
            shell::Base,
        },
    };

    let call = |text: &str, may_decide: bool| Waiting {
        card: sample_card(text, ApprovalState::Pending),
        arguments: format!("{{\n  \"title\": \"{text}\"\n}}"),
        is_cut: !may_decide || text == LONG,
        is_own: text == LONG,
        before: text.into(),
        left: "4 minutes".into(),
        may_decide,
        refusal: if may_decide { String::new() } else { text.into() },
    };
    let access =
        |text: &str| -> Vec<WaitingAccess> { (0..10).map(|n| WaitingAccess::sample(text, n)).collect() };
    let page = |calls: Vec<Waiting>, access: Vec<WaitingAccess>, usual: Option<Duration>| InboxPage {
        shell: shell(Base::Organization, "Approvals"),
        views: vec![Tab::new("Waiting", "/o/acme/approvals?state=pending", true)],
        calls,
        more_access: if access.len() > 2 { "/o/acme/access".into() } else { String::new() },
        access,
        nothing: nothing(usual),
        list: list(),
    };
    vec![
        sample("inbox: nothing waits", &page(Vec::new(), Vec::new(), None)),
        sample("inbox: nothing waits any more", &page(Vec::new(), Vec::new(), Some(Duration::minutes(4)))),
        sample("inbox: access", &page(Vec::new(), vec![WaitingAccess::sample(SHARP, 0)], None)),
        sample("inbox", &page(vec![call("create_issue", true), call(SHARP, false)], Vec::new(), None)),
        sample("inbox: many", &page((0..20).map(|n| call(LONG, n % 2 == 0)).collect(), access(LONG), None)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_whole_is_cut() {
        let lines = |count: usize| vec!["a"; count].join("\n");
        assert_eq!(cut(&lines(MOST_LINES)), (lines(MOST_LINES), false));
        assert_eq!(cut(&lines(MOST_LINES + 1)), (lines(MOST_LINES), true));
        let long = "é".repeat(LONGEST_LINE);
        assert_eq!(cut(&long), (long.clone(), false));
        assert_eq!(cut(&format!("{long}x")), (format!("{long}…"), true));
    }

    #[test]
    fn a_span_is_said_in_the_largest_unit_that_it_fills() {
        for (seconds, said) in [
            (-5, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (3_600, "60 minutes"),
            (7_200, "2 hours"),
            (86_400, "24 hours"),
            (200_000, "2 days"),
        ] {
            assert_eq!(span(Duration::seconds(seconds)), said);
        }
    }
}
