//! The document as JSON: read, written, checked line by line.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode},
};
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
    /// How many lines it shows.
    rows: usize,
    /// For who may only read.
    lines: Vec<DiffLine>,
    kept: Kept,
}

/// What came of a save, for a page that is there already and goes on being written.
#[derive(Template)]
#[template(path = "console/policies/text_kept.html")]
struct KeptPiece {
    head: Head,
    csrf: String,
    kept: Kept,
}

/// What came of the last save.
struct Kept {
    /// The version of the policy that was seen.
    version: String,
    /// What was there to write on.
    base: String,
    /// The numbers of the lines, with what is wrong with each.
    gutter: Vec<GutterLine>,
    faults: Vec<FaultLine>,
    /// What was done; empty for nothing.
    said: &'static str,
    /// Why nothing was, where it is no fault of the text.
    trouble: &'static str,
}

/// The number of a line.
struct GutterLine {
    number: usize,
    has_fault: bool,
    /// What is wrong with it; empty for nothing.
    says: String,
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
    let version = sheet.policy.version.to_string();
    let written = Written { text: pretty(&base), base, version, faults: Vec::new() };
    render(&ask, StatusCode::OK, &sheet, written).await
}

pub(super) async fn save(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
    LongForm(form): LongForm<TextForm>,
) -> PageResult {
    let text = form.text.replace("\r\n", "\n");
    if form.act == "format" {
        let sheet = policies::find(&ask.cx, &name).await?;
        return formatted(&ask, &sheet, text, form).await;
    }
    let is_piece = headers.contains_key("hx-request");
    match policies::save_over(&ask.cx, &name, &text, &form.base, form::version(&form.version)).await {
        Ok(Saved::Kept(sheet)) if is_piece => {
            let (version, base) = (sheet.policy.version.to_string(), sheet.working().to_owned());
            let kept = Kept { said: "Saved in the draft.", ..Kept::of(&text, version, base, Vec::new()) };
            piece(&ask, StatusCode::OK, &sheet, kept)
        }
        Ok(Saved::Kept(sheet)) => {
            let href = Head::of(&ask, &sheet.policy, "").href;
            Ok(go_saying(&format!("{href}/json"), Toast::say("Draft saved. Nothing in force has changed.")))
        }
        Ok(Saved::Collided(sheet)) if is_piece => {
            let kept = Kept { trouble: COLLIDED, ..Kept::of(&text, form.version, form.base, Vec::new()) };
            piece(&ask, StatusCode::CONFLICT, &sheet, kept)
        }
        Ok(Saved::Collided(sheet)) => {
            let sides = Sides { against: Against::Draft, base: form.base, yours: text };
            merge::render(&ask, StatusCode::CONFLICT, &sheet, &sides, &HashMap::new(), Vec::new()).await
        }
        Err(ActionError::Document(faults)) => {
            let sheet = policies::find(&ask.cx, &name).await?;
            if is_piece {
                let kept = Kept::of(&text, form.version, form.base, faults);
                return piece(&ask, StatusCode::UNPROCESSABLE_ENTITY, &sheet, kept);
            }
            let written = Written { faults, text, base: form.base, version: form.version };
            render(&ask, StatusCode::UNPROCESSABLE_ENTITY, &sheet, written).await
        }
        Err(error) => Err(error.into()),
    }
}

/// What is said where somebody else wrote something else meanwhile; saving it by hand leads to the two side by side.
const COLLIDED: &str =
    "Somebody else changed the draft meanwhile. Press Save draft to bring the two together.";

/// What came of a save, alone.
fn piece(ask: &OrgPage, status: StatusCode, sheet: &PolicySheet, kept: Kept) -> PageResult {
    let head = Head::of(ask, &sheet.policy, "/json");
    page_with(status, &KeptPiece { head, csrf: ask.browser.csrf.as_str().to_owned(), kept })
}

/// The text in the usual layout, or all that is wrong with it; nothing is kept.
async fn formatted(ask: &OrgPage, sheet: &PolicySheet, text: String, form: TextForm) -> PageResult {
    let (status, text, faults) = match check_document(&ask.cx, &text) {
        Ok(canonical) => (StatusCode::OK, pretty(&canonical), Vec::new()),
        Err(ActionError::Document(faults)) => (StatusCode::UNPROCESSABLE_ENTITY, text, faults),
        Err(error) => return Err(error.into()),
    };
    let written = Written { faults, text, base: form.base, version: form.version };
    render(ask, status, sheet, written).await
}

/// What somebody wrote, and what came of it.
#[derive(Default)]
struct Written {
    text: String,
    base: String,
    /// The version of the policy that was seen when it was begun: what others did since is not seen by a page that only says
    /// what is wrong.
    version: String,
    faults: Vec<Fault>,
}

async fn render(ask: &OrgPage, status: StatusCode, sheet: &PolicySheet, written: Written) -> PageResult {
    let head = Head::warning(ask, sheet, "/json");
    let shell = shell_of::org(ask, sheet.policy.name.clone()).await?;
    page_with(status, &TextPage::of(shell, head, written))
}

impl TextPage {
    fn of(shell: Shell, head: Head, written: Written) -> Self {
        let Written { text, base, version, faults } = written;
        let kept = Kept::of(&text, version, base, faults);
        Self {
            shell: shell.with_faults(!kept.faults.is_empty()),
            lines: if head.can_write { Vec::new() } else { numbered(&text) },
            head,
            rows: kept.gutter.len(),
            text,
            kept,
        }
    }
}

impl Kept {
    fn of(text: &str, version: String, base: String, faults: Vec<Fault>) -> Self {
        let faults = placed(text, faults);
        let line = |number| {
            let here = faults.iter().filter(|fault| fault.line == number).map(FaultLine::words);
            let says = here.collect::<Vec<_>>().join(" ");
            GutterLine { number, has_fault: !says.is_empty(), says }
        };
        let gutter = (1..=text.lines().count() + SPARE_LINES).map(line).collect();
        Self { version, base, gutter, faults, said: "", trouble: "" }
    }
}

impl FaultLine {
    /// All that is said of it.
    fn words(&self) -> String {
        let words = [self.path.as_str(), self.reason.as_str(), self.suggestion.as_str()];
        words.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
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
