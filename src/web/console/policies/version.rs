//! One version, or what changed between two, with the ways back.

use askama::Template;
use axum::extract::Path;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::permission::Role,
    flow::{
        actions::policies::{self, PublishInput, Saved},
        fault::ActionError,
    },
    web::{
        console::{
            policies::{
                Head,
                diff::{Changes, DiffLine, numbered},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form},
            page::{PageResult, go_saying, page},
            parts::Crumb,
            pretty::pretty,
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/policies/version.html")]
struct VersionPage {
    shell: Shell,
    head: Head,
    href: String,
    number: i32,
    /// The version that it is compared with; nothing for the first.
    from: Option<i32>,
    /// Whether two versions were asked for, and not one.
    is_pair: bool,
    is_live: bool,
    note: String,
    author: String,
    at: OffsetDateTime,
    restores: Option<i32>,
    changes: Changes,
    lines: Vec<DiffLine>,
    confirm_title: String,
    confirm_verb: String,
    roll_back: String,
    /// How many tests do not hold on it, where going back would be held to them.
    failing: usize,
    /// Whether the viewer may go back in spite of that.
    may_override: bool,
}

#[derive(Deserialize)]
pub(super) struct BackForm {
    #[serde(default)]
    note: String,
    #[serde(default)]
    in_spite: String,
    #[serde(default)]
    version: String,
}

pub(super) async fn show(ask: OrgPage, Path((_, name, asked)): Path<(String, String, String)>) -> PageResult {
    let (from, number) = numbers(&asked)?;
    let (policy, version, document) = policies::version(&ask.cx, &name, number).await?;
    let before = match from.or(Some(number - 1)).filter(|before| *before > 0) {
        Some(before) => Some((before, policies::version(&ask.cx, &name, before).await?.2)),
        None => None,
    };
    let mut head = Head::of(&ask, &policy, "/versions");
    let versions = format!("{}/versions", head.href);
    head.crumbs.push(Crumb::to(policy.name.clone(), versions.clone()));
    let title = match from {
        Some(from) => format!("{}, version {from} to {number}", policy.name),
        None => format!("{}, version {number}", policy.name),
    };
    let href = format!("{versions}/{number}");
    let is_live = policy.live == Some(number);
    // Where a second person is wanted, what is gone back to is a draft, which is held to the tests later.
    let is_tried = head.can_write && !is_live && !ask.cx.org.publishing_takes_two;
    let failing = if is_tried { policies::failing_on(&ask.cx, &name, number).await? } else { 0 };
    page(&VersionPage {
        shell: shell_of::org(&ask, title).await?,
        is_live,
        failing,
        may_override: ask.cx.role == Role::Owner,
        head,
        number,
        from: before.as_ref().map(|(before, _)| *before),
        is_pair: from.is_some(),
        note: version.note,
        author: version.author_name,
        at: version.created_at,
        restores: version.restores,
        changes: Changes::of(before.as_ref().map(|(_, document)| document.as_str()), &document),
        lines: if from.is_some() { Vec::new() } else { numbered(&pretty(&document)) },
        confirm_title: format!("Put version {number} in force again?"),
        confirm_verb: format!("Roll back to version {number}"),
        roll_back: format!("{href}/rollback"),
        href,
    })
}

/// Reads `7`, or `5..7` for what changed from one to the other.
fn numbers(asked: &str) -> Result<(Option<i32>, i32), ActionError> {
    let number =
        |text: &str| text.parse::<i32>().ok().filter(|number| *number > 0).ok_or(ActionError::NotFound);
    match asked.split_once("..") {
        Some((from, to)) => Ok((Some(number(from)?), number(to)?)),
        None => Ok((None, number(asked)?)),
    }
}

pub(super) async fn restore(
    ask: OrgPage,
    Path((_, name, asked)): Path<(String, String, String)>,
    Form(form): Form<BackForm>,
) -> PageResult {
    let (_, number) = numbers(&asked)?;
    let (_, _, document) = policies::version(&ask.cx, &name, number).await?;
    let seen = form::version(&form.version);
    match policies::save_over(&ask.cx, &name, &document, "", seen).await? {
        Saved::Kept(sheet) => {
            let head = Head::of(&ask, &sheet.policy, "");
            let said = format!("The draft is as version {number} was. Nothing in force has changed.");
            Ok(go_saying(&head.href, Toast::say(said)))
        }
        Saved::Collided(_) => Err(ActionError::Changed.into()),
    }
}

pub(super) async fn rollback(
    ask: OrgPage,
    Path((_, name, asked)): Path<(String, String, String)>,
    Form(form): Form<BackForm>,
) -> PageResult {
    let (_, number) = numbers(&asked)?;
    // A version that is not there is an address that leads nowhere, not a field that somebody filled in wrongly.
    policies::version(&ask.cx, &name, number).await?;
    let input = PublishInput { note: &form.note, in_spite: &form.in_spite };
    let sheet = policies::rollback(&ask.cx, &name, number, input, form::version(&form.version)).await?;
    let head = Head::of(&ask, &sheet.policy, "");
    if sheet.policy.proposal.is_some() {
        let said =
            format!("The draft has the text of version {number}. You asked a second person to publish it.");
        return Ok(go_saying(&format!("{}/publish", head.href), Toast::say(said)));
    }
    let live = sheet.policy.live.unwrap_or_default();
    let toast = Toast::say(format!("Version {live} is in force, with the text of version {number}."));
    Ok(go_saying(&format!("{}/versions", head.href), toast))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::policies::sample_head,
        kit::{
            samples::{AT, LONG, SHARP, sample, shell},
            shell::Base,
        },
    };

    let page = |name: &str, number: i32, from: Option<i32>, before: Option<&str>, after: &str| VersionPage {
        shell: shell(Base::Organization, name),
        head: sample_head(name, number > 1, true),
        href: format!("/o/acme/policies/github/versions/{number}"),
        number,
        from,
        is_pair: from == Some(2),
        is_live: number == 1,
        note: name.into(),
        author: SHARP.into(),
        at: AT,
        restores: from,
        changes: Changes::of(before, after),
        lines: numbered(&pretty(after)),
        confirm_title: "Put version 3 in force again?".into(),
        confirm_verb: "Roll back to version 3".into(),
        roll_back: "/x".into(),
        failing: usize::from(number > 9),
        may_override: from.is_some(),
    };
    let tools: Vec<String> = (0..150).map(|n| format!(r#""tool_{n}":{{"action":"allow"}}"#)).collect();
    let long = format!(r#"{{"version":"1","default":"deny","tools":{{{}}}}}"#, tools.join(","));
    vec![
        sample("policy, version: first", &page("Locked", 1, None, None, policies::BLANK)),
        sample("policy, version", &page(LONG, 14, Some(13), Some(policies::BLANK), &long)),
        sample("policy, versions compared", &page(SHARP, 9, Some(2), Some(&long), policies::BLANK)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_version_or_two_are_asked_for() {
        let read = |text| numbers(text).ok();
        assert_eq!(read("7"), Some((None, 7)));
        assert_eq!(read("5..7"), Some((Some(5), 7)));
        for none in ["", "0", "-1", "x", "5..", "..7", "5..x"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
