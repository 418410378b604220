//! The document as JSON: read, written, checked line by line.

use std::collections::HashMap;

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    domain::policy::{document::Fault, lines::Lines},
    flow::{
        actions::policies::{self, PolicySheet, Saved, check_document},
        fault::ActionError,
    },
    web::{
        console::{
            policies::{
                Head,
                diff::{DiffLine, numbered},
                merge::{self, Against, Sides},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, LongForm},
            page::{PageResult, go_saying, page_with},
            pretty::pretty,
            shell::Shell,
        },
    },
};

/// How many lines more than there are stand beside the text, for whoever writes without script.
const SPARE_LINES: usize = 20;

/// The page.
#[derive(Template)]
#[template(path = "console/policies/text.html")]
struct TextPage {
    shell: Shell,
    head: Head,
    /// What is written, by who may write.
    text: String,
    /// How many lines it shows, with the numbers and those that have a fault.
    rows: usize,
    gutter: Vec<GutterLine>,
    /// For who may only read.
    lines: Vec<DiffLine>,
    /// What was there to write on.
    base: String,
    faults: Vec<FaultLine>,
}

/// The number of a line.
struct GutterLine {
    number: usize,
    has_fault: bool,
}

/// A fault at its line.
struct FaultLine {
    line: usize,
    path: String,
    reason: String,
    suggestion: String,
}

#[derive(Deserialize)]
pub(super) struct TextForm {
    #[serde(default)]
    text: String,
    #[serde(default)]
    base: String,
    #[serde(default)]
    version: String,
    /// What is to be done: `format`, or else it is saved.
    #[serde(default)]
    act: String,
}

pub(super) async fn show(ask: OrgPage, Path((_, name)): Path<(String, String)>) -> PageResult {
    let sheet = policies::find(&ask.cx, &name).await?;
    let base = sheet.working().to_owned();
    render(&ask, StatusCode::OK, &sheet, Written { text: pretty(&base), base, ..Written::default() }).await
}

pub(super) async fn save(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    LongForm(form): LongForm<TextForm>,
) -> PageResult {
    let text = form.text.replace("\r\n", "\n");
    if form.act == "format" {
        let sheet = policies::find(&ask.cx, &name).await?;
        return formatted(&ask, &sheet, text, form).await;
    }
    match policies::save_over(&ask.cx, &name, &text, &form.base, form::version(&form.version)).await {
        Ok(Saved::Kept(sheet)) => {
            let href = Head::of(&ask, &sheet.policy, "").href;
            Ok(go_saying(&format!("{href}/json"), Toast::say("Draft saved. Nothing in force has changed.")))
        }
        Ok(Saved::Collided(sheet)) => {
            let sides = Sides { against: Against::Draft, base: form.base, yours: text };
            merge::render(&ask, StatusCode::CONFLICT, &sheet, &sides, &HashMap::new(), Vec::new()).await
        }
        Err(ActionError::Document(faults)) => {
            let sheet = policies::find(&ask.cx, &name).await?;
            let written = Written { faults, text, base: form.base };
            render(&ask, StatusCode::UNPROCESSABLE_ENTITY, &sheet, written).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The text in the usual layout, or all that is wrong with it; nothing is kept.
async fn formatted(ask: &OrgPage, sheet: &PolicySheet, text: String, form: TextForm) -> PageResult {
    let (status, text, faults) = match check_document(&ask.cx, &text) {
        Ok(canonical) => (StatusCode::OK, pretty(&canonical), Vec::new()),
        Err(ActionError::Document(faults)) => (StatusCode::UNPROCESSABLE_ENTITY, text, faults),
        Err(error) => return Err(error.into()),
    };
    let written = Written { faults, text, base: form.base };
    render(ask, status, sheet, written).await
}

/// What somebody wrote, and what came of it.
#[derive(Default)]
struct Written {
    text: String,
    base: String,
    faults: Vec<Fault>,
}

async fn render(ask: &OrgPage, status: StatusCode, sheet: &PolicySheet, written: Written) -> PageResult {
    let head = Head::warning(ask, sheet, "/json");
    let shell = shell_of::org(ask, sheet.policy.name.clone()).await?;
    page_with(status, &TextPage::of(shell, head, written))
}

impl TextPage {
    fn of(shell: Shell, head: Head, written: Written) -> Self {
        let Written { text, base, faults } = written;
        let faults = placed(&text, faults);
        let rows = text.lines().count() + SPARE_LINES;
        let gutter = (1..=rows)
            .map(|number| GutterLine { number, has_fault: faults.iter().any(|fault| fault.line == number) })
            .collect();
        Self {
            shell: shell.with_faults(!faults.is_empty()),
            lines: if head.can_write { Vec::new() } else { numbered(&text) },
            head,
            text,
            rows,
            gutter,
            base,
            faults,
        }
    }
}

/// Faults with the lines where they stand.
fn placed(text: &str, faults: Vec<Fault>) -> Vec<FaultLine> {
    let lines = Lines::of(text);
    let mut placed: Vec<FaultLine> = faults
        .into_iter()
        .map(|fault| FaultLine {
            line: lines.line(&fault.path),
            path: fault.path,
            reason: fault.reason,
            suggestion: fault.suggestion.unwrap_or_default(),
        })
        .collect();
    placed.sort_by_key(|fault| fault.line);
    placed
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::policies::sample_head,
        kit::{
            samples::{LONG, SHARP, sample, shell},
            shell::Base,
        },
    };

    let page = |name: &str, can_write: bool, written| {
        TextPage::of(shell(Base::Organization, name), sample_head(name, true, can_write), written)
    };
    let tools: Vec<String> = (0..300).map(|n| format!(r#""tool_{n}":{{"action":"deny"}}"#)).collect();
    let long = pretty(&format!(r#"{{"version":"1","default":"deny","tools":{{{}}}}}"#, tools.join(",")));
    let fault = |path: &str| Fault { path: path.into(), reason: SHARP.into(), suggestion: Some(LONG.into()) };
    let text = || pretty(policies::BLANK);
    let written = |text: String| Written { text, base: policies::BLANK.into(), ..Written::default() };
    vec![
        sample("policy, JSON: blank", &page("Locked", true, written(text()))),
        sample("policy, JSON: read", &page(SHARP, false, written(text()))),
        sample("policy, JSON: long", &page(LONG, true, written(long.clone()))),
        sample(
            "policy, JSON: refused",
            &page(
                LONG,
                true,
                Written { faults: vec![fault("/tools/tool_9/action"), fault("")], ..written(long.clone()) },
            ),
        ),
    ]
}
