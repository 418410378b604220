//! What a publication would change, whether the tests hold, and the publication itself.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::permission::{Permission, Role},
    flow::{
        actions::policies::{self, PolicySheet, PublishInput, TestRun},
        fault::ActionError,
    },
    web::{
        console::{
            policies::{Head, diff::Changes, place_words, second::Second},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults, faults_of},
            page::{PageResult, go_saying, page_with},
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/policies/publish.html")]
struct PublishPage {
    shell: Shell,
    head: Head,
    changes: Changes,
    /// Where the new version is in force at once; empty for nowhere.
    places: String,
    tests: Vec<TestLine>,
    failing: usize,
    /// How far it is on its way to a second person.
    second: Second,
    /// Whether the viewer may publish in spite of a failing test.
    may_override: bool,
    form: PublishForm,
    faults: FormFaults,
}

/// A test, and what came of it.
struct TestLine {
    name: String,
    holds: bool,
    expected: &'static str,
    /// The verdict, or why there is none.
    found: String,
}

impl From<TestRun> for TestLine {
    fn from(run: TestRun) -> Self {
        Self {
            holds: run.holds(),
            expected: verdict(&run.test.expected),
            found: match run.found {
                Ok(found) => verdict(found).to_owned(),
                Err(why) => why,
            },
            name: run.test.name,
        }
    }
}

fn verdict(word: &str) -> &'static str {
    match word {
        "allow" => "allowed",
        "require_approval" => "asked",
        "hide" => "hidden",
        _ => "denied",
    }
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct PublishForm {
    #[serde(default)]
    pub(super) note: String,
    #[serde(default)]
    in_spite: String,
    #[serde(default)]
    pub(super) version: String,
}

pub(super) async fn show(ask: OrgPage, Path((_, name)): Path<(String, String)>) -> PageResult {
    ask.cx.require(Permission::PoliciesWrite)?;
    let sheet = policies::find(&ask.cx, &name).await?;
    // Whoever publishes starts from what was said by whoever asks for it.
    let note = sheet.policy.proposal.as_ref().map(|proposal| proposal.note.clone()).unwrap_or_default();
    let form = PublishForm { note, ..PublishForm::default() };
    render(&ask, StatusCode::OK, sheet, form, FormFaults::default()).await
}

pub(super) async fn publish(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<PublishForm>,
) -> PageResult {
    let input = PublishInput { note: &form.note, in_spite: &form.in_spite };
    match policies::publish(&ask.cx, &name, input, form::version(&form.version)).await {
        Ok(sheet) => {
            let head = Head::of(&ask, &sheet.policy, "");
            let live = sheet.policy.live.unwrap_or_default();
            let mut said = format!("Version {live} is in force from the next call on.");
            if !sheet.warnings.is_empty() {
                said.push_str(" Nobody here can agree to some of what it asks.");
            }
            let toast = Toast::say(said);
            Ok(go_saying(&format!("{}/versions", head.href), toast))
        }
        Err(error) => {
            let faults = faults_of(told(error))?;
            let sheet = policies::find(&ask.cx, &name).await?;
            render(&ask, StatusCode::UNPROCESSABLE_ENTITY, sheet, form, faults).await
        }
    }
}

/// What stands in the way, beside the field that it is about.
pub(super) fn told(error: ActionError) -> ActionError {
    match error {
        ActionError::Refused(refused) if refused.code == "tests_fail" => {
            ActionError::field("in_spite", refused.sentence)
        }
        ActionError::Refused(refused) => ActionError::field("", refused.sentence),
        ActionError::Changed => ActionError::field(
            "",
            "The draft was changed after you opened this page. Look at it as it is now, then publish.",
        ),
        other => other,
    }
}

pub(super) async fn render(
    ask: &OrgPage,
    status: StatusCode,
    sheet: PolicySheet,
    form: PublishForm,
    faults: FormFaults,
) -> PageResult {
    let (_, runs) = policies::run_tests(&ask.cx, &sheet.policy.slug).await?;
    let page = PublishPage {
        shell: shell_of::org(ask, format!("Publish {}", sheet.policy.name))
            .await?
            .with_faults(!faults.is_empty()),
        head: Head::warning(ask, &sheet, "/publish"),
        changes: Changes::of(sheet.document.as_deref(), sheet.working()),
        places: place_words(sheet.policy.places),
        failing: runs.iter().filter(|run| !run.holds()).count(),
        tests: runs.into_iter().map(TestLine::from).collect(),
        second: Second::of(ask.cx.org.publishing_takes_two, sheet.policy.proposal.as_ref(), ask.cx.user()),
        may_override: ask.cx.role == Role::Owner,
        form: PublishForm { version: sheet.policy.version.to_string(), ..form },
        faults,
    };
    page_with(status, &page)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::policies::sample_head,
        kit::{
            samples::{LONG, SHARP, faults, sample, shell},
            shell::Base,
        },
    };

    let page =
        |name: &str, tests: usize, failing: usize, before: Option<&str>, after: &str, faults| PublishPage {
            shell: shell(Base::Organization, name),
            head: Head { is_stale: failing > 3, ..sample_head(name, before.is_some(), true) },
            changes: Changes::of(before, after),
            places: if tests > 0 { "the organization, 9 grants".into() } else { String::new() },
            tests: (0..tests)
                .map(|n| TestLine {
                    name: LONG.into(),
                    holds: n >= failing,
                    expected: "allowed",
                    found: SHARP.into(),
                })
                .collect(),
            failing,
            second: match failing {
                0 if tests > 0 => Second::Ask,
                2 => Second::Others { by: LONG.into(), note: SHARP.into() },
                9 => Second::Own,
                _ => Second::Unwanted,
            },
            may_override: failing > 1,
            form: PublishForm { note: SHARP.into(), ..PublishForm::default() },
            faults,
        };
    let tools: Vec<String> = (0..200).map(|n| format!(r#""tool_{n}":{{"action":"allow"}}"#)).collect();
    let long = format!(r#"{{"version":"1","default":"deny","tools":{{{}}}}}"#, tools.join(","));
    let blank = policies::BLANK;
    vec![
        sample("policy, publish: first", &page("Locked", 0, 0, None, blank, FormFaults::default())),
        sample("policy, publish: same", &page("Locked", 3, 0, Some(blank), blank, FormFaults::default())),
        sample(
            "policy, publish: fails",
            &page(LONG, 20, 2, Some(blank), &long, faults(&[("in_spite", "no"), ("note", "no")])),
        ),
        sample("policy, publish: stale", &page(SHARP, 9, 9, Some(&long), blank, faults(&[("", "no")]))),
    ]
}
