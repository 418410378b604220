//! What is used of limits, with a way to take it back.

use askama::Template;
use axum::extract::Path;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::{page::Page, permission::Permission},
    flow::actions::usage::{self, UsageFound, UsageInput},
    web::{
        console::shell_of,
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::Form,
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page_with},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    Routes::default().page("/o/{org}/usage", Access::Org(Permission::PoliciesRead), list).form(
        "/o/{org}/usage/{count}/reset",
        Access::Org(Permission::PoliciesWrite),
        Effect::Records(&["limit.reset"]),
        reset,
    )
}

/// The page.
#[derive(Template)]
#[template(path = "console/usage/list.html")]
struct UsagePage {
    shell: Shell,
    rows: Vec<UsageRow>,
    list: Listing,
    can_reset: bool,
}

struct UsageRow {
    /// Where the reset is posted.
    reset: String,
    dialog: String,
    title: String,
    policy: String,
    policy_href: String,
    counter: String,
    whose: String,
    span: String,
    used: String,
    most: String,
    /// How full it is, in hundredths.
    share: u8,
    tone: &'static str,
    ends_at: OffsetDateTime,
}

#[derive(Deserialize)]
struct Press {}

async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let input = UsageInput::default();
    let Page { items, next } = usage::list(&ask.cx, &input, &asked.page()).await?;
    let list = asked.listing(next.as_deref());
    let base = base_of(&ask);
    let page = UsagePage {
        shell: shell_of::org(&ask, "Usage").await?.with_faults(!list.faults.is_empty()),
        rows: items.into_iter().enumerate().map(|(at, found)| UsageRow::of(&base, at, found)).collect(),
        list,
        can_reset: ask.cx.may(Permission::PoliciesWrite),
    };
    page_with(page.list.status(), &page)
}

async fn reset(
    ask: OrgPage,
    Path((_, count)): Path<(String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    let usage = usage::reset(&ask.cx, &count).await?;
    let said = format!(
        "What was counted of {} is forgotten. The next call finds all the room there is.",
        usage.counter
    );
    Ok(go_saying(&base_of(&ask), Toast::say(said)))
}

fn base_of(ask: &OrgPage) -> String {
    format!("/o/{}/usage", ask.cx.org.slug)
}

impl UsageRow {
    fn of(base: &str, at: usize, found: UsageFound) -> Self {
        let UsageFound { usage, policy } = found;
        let share = share(&usage.used, &usage.most);
        Self {
            reset: format!("{base}/{}/reset", usage::key_text(&usage.key)),
            dialog: format!("reset-{at}"),
            title: format!("Forget what was counted of {}?", usage.counter),
            policy_href: format!("{}/policies/{policy}", base.trim_end_matches("/usage")),
            policy,
            counter: usage.counter,
            whose: match usage.scope.as_str() {
                "org" => "the organization".to_owned(),
                scope => format!("{scope} {}", usage.scope_id),
            },
            span: usage.span,
            used: usage.used,
            most: usage.most,
            share,
            tone: if share >= 100 { "rule" } else { "quiet" },
            ends_at: usage.ends_at,
        }
    }
}

/// How full a limit is; a limit of nothing is always full.
fn share(used: &str, most: &str) -> u8 {
    let number = |text: &str| text.parse::<f64>().unwrap_or_default();
    let (used, most) = (number(used), number(most));
    let share = if most > 0.0 { (used / most * 100.0).clamp(0.0, 100.0) } else { 100.0 };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
    let share = share as u8;
    share
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{AT, LONG, list, sample, shell},
        shell::Base,
    };

    let row = |at: usize, text: &str, share| UsageRow {
        reset: "/o/acme/usage/x/reset".into(),
        dialog: format!("reset-{at}"),
        title: text.into(),
        policy: text.into(),
        policy_href: "/o/acme/policies/x".into(),
        counter: text.into(),
        whose: text.into(),
        span: "hour".into(),
        used: "20".into(),
        most: "20".into(),
        share,
        tone: "rule",
        ends_at: AT,
    };
    let page =
        |rows| UsagePage { shell: shell(Base::Organization, "Usage"), rows, list: list(), can_reset: true };
    vec![
        sample("usage: none", &page(Vec::new())),
        sample("usage", &page(vec![row(0, "merges", 35)])),
        sample("usage: many", &page((0..50).map(|at| row(at, LONG, 100)).collect())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_within_its_hundred() {
        assert_eq!(
            [share("3", "20"), share("20", "20"), share("30", "20"), share("0", "0")],
            [15, 100, 100, 100]
        );
    }
}
