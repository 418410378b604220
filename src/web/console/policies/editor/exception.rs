//! One exception in a form: a rule with its conditions, a limit, how many at once, or a place to mask.

use askama::Template;
use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;

use crate::{
    base::{permission::Permission, risk::Class},
    domain::policy::{
        document::Document,
        edit::{Edit, NotAPart, mark, read_part},
        path::Field,
        pattern::Pattern,
        words::ExceptionKind,
    },
    flow::{
        actions::policies::{self, PolicySheet, Saved},
        fault::ActionError,
    },
    web::{
        console::{
            conditions::{ConditionRow, condition_rows},
            policies::{
                Head,
                editor::{
                    fields, kept,
                    typed::{ExceptionForm, last, placed},
                },
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{Form, FormFaults},
            listing::with_query,
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb, Fault},
            pretty::pretty,
            query::Query,
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/policies/exception.html")]
struct ExceptionPage {
    shell: Shell,
    head: Head,
    /// The key in words.
    about: String,
    kinds: Vec<Choice>,
    kind: ExceptionKind,
    form: ExceptionForm,
    rows: Vec<ConditionRow>,
    choices: Choices,
    /// Places that a condition may look at.
    paths: Vec<String>,
    back: String,
    can_write: bool,
    saved: SavedPiece,
}

/// What came of the last save; comes alone while somebody types.
#[derive(Template)]
#[template(path = "console/policies/saved.html")]
struct SavedPiece {
    mark: String,
    at: String,
    was: String,
    faults: FormFaults,
    /// What was said of it; empty while nothing was saved.
    said: String,
    /// The exception as JSON; empty where it cannot be read.
    json: String,
}

/// What the selects of the form offer.
struct Choices {
    modes: Vec<Choice>,
    windows: Vec<Choice>,
    window_kinds: Vec<Choice>,
    scopes: Vec<Choice>,
    exceeding: Vec<Choice>,
    counting: Vec<Choice>,
}

#[derive(Deserialize)]
pub(in crate::web::console::policies) struct ExceptionQuery {
    #[serde(default)]
    key: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    at: String,
}

pub(in crate::web::console::policies) async fn show(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<ExceptionQuery>,
) -> PageResult {
    let sheet = policies::find(&ask.cx, &name).await?;
    let asked = ExceptionForm { key: query.key, kind: query.kind, at: query.at, ..ExceptionForm::default() };
    let (kind, key, at) = (asked.kind()?, asked.key()?, asked.at());
    let document = kept(sheet.working())?;
    let own = ExceptionForm::of(&asked.key, kind, at, &document);
    // A tool without rules of its own shows those it is under; changing one makes them its own.
    let form = match (own, &key) {
        (Some(form), _) => form,
        (None, Some(Pattern::Exact(tool))) => {
            inherited(&ask, &name, tool, kind, at, &document).await?.ok_or(ActionError::NotFound)?
        }
        (None, _) => return Err(ActionError::NotFound.into()),
    };
    let saved = SavedPiece::of(&form, kind, FormFaults::default(), String::new());
    render(&ask, StatusCode::OK, &sheet, kind, form, saved).await
}

/// An exception that a tool is under by a broader key.
async fn inherited(
    ask: &OrgPage,
    name: &str,
    tool: &str,
    kind: ExceptionKind,
    at: Option<usize>,
    document: &Document,
) -> Result<Option<ExceptionForm>, ActionError> {
    let Some(class) = class_of(ask, name, tool).await? else { return Ok(None) };
    let program = crate::domain::policy::engine::Program::new(std::sync::Arc::new(document.clone()));
    let governing = program.governing(tool, class).map(|(pattern, _)| pattern.to_string());
    let form = governing.and_then(|key| ExceptionForm::of(&key, kind, at, document));
    let key = Pattern::Exact(tool.to_owned());
    Ok(form.map(|form| ExceptionForm { key: tool.to_owned(), mark: mark(document, Some(&key)), ..form }))
}

/// The class of a tool of the policy's server.
pub(super) async fn class_of(ask: &OrgPage, name: &str, tool: &str) -> Result<Option<Class>, ActionError> {
    let bench = policies::workbench(&ask.cx, name).await?;
    Ok(bench.tools.iter().find(|line| line.name == tool).map(|line| line.class))
}

pub(in crate::web::console::policies) async fn save(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    ask.cx.require(Permission::PoliciesWrite)?;
    let form = ExceptionForm::read(pairs);
    let (kind, key) = (form.kind()?, form.key()?);
    let is_piece = headers.contains_key("hx-request");
    if form.act == "more" {
        let sheet = policies::find(&ask.cx, &name).await?;
        let saved = SavedPiece::of(&form, kind, FormFaults::default(), String::new());
        return render(&ask, StatusCode::OK, &sheet, kind, form, saved).await;
    }
    let part = match read_part(kind, &form.json(kind)) {
        Ok(part) => part,
        Err(NotAPart(faults)) => {
            let faults = faults.into_iter().map(|fault| placed(kind, fault)).collect();
            return again(&ask, &name, is_piece, kind, form, FormFaults::from_list(faults)).await;
        }
    };
    let class = match &key {
        Some(Pattern::Exact(tool)) => class_of(&ask, &name, tool).await?,
        _ => None,
    };
    let at = form.at();
    let edit = Edit::Put { key: key.clone(), class, at, part };
    match policies::edit_draft(&ask.cx, &name, &edit, &form.mark).await {
        Ok(Saved::Kept(sheet)) if is_piece => {
            let document = kept(sheet.working())?;
            let at = at.unwrap_or_else(|| last(&document, key.as_ref(), kind));
            let was = form.canonical(kind);
            let form = ExceptionForm { at: at.to_string(), mark: mark(&document, key.as_ref()), was, ..form };
            let said = "Saved in the draft.".to_owned();
            page_with(StatusCode::OK, &SavedPiece::of(&form, kind, FormFaults::default(), said))
        }
        Ok(Saved::Kept(sheet)) => Ok(go_saying(
            &back(&ask, &sheet, &form.key),
            Toast::say("Saved in the draft. Nothing in force has changed."),
        )),
        Ok(Saved::Collided(sheet)) => collided(&ask, &sheet, is_piece, kind, form).await,
        Err(ActionError::Refused(refused)) => {
            let fault = Fault { field: String::new(), message: refused.sentence };
            again(&ask, &name, is_piece, kind, form, FormFaults::from_list(vec![fault])).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Somebody else changed the rules of this key: what was typed stays, and is added beside theirs when it is saved again.
async fn collided(
    ask: &OrgPage,
    sheet: &PolicySheet,
    is_piece: bool,
    kind: ExceptionKind,
    form: ExceptionForm,
) -> PageResult {
    let document = kept(sheet.working())?;
    let who = sheet.policy.draft.as_ref().and_then(|draft| draft.by_name.clone());
    let at = form.found_in(kind, &document).map(|at| at.to_string()).unwrap_or_default();
    let then = if at.is_empty() { "it is added beside theirs" } else { "it changes this exception alone" };
    let message = format!(
        "{} changed the rules of {} meanwhile. What you typed is still here and replaced nothing: saved again, {then}.",
        who.unwrap_or_else(|| "Somebody else".to_owned()),
        about(&form.key)
    );
    let form = ExceptionForm { at, mark: mark(&document, form.key()?.as_ref()), ..form };
    let faults = FormFaults::from_list(vec![Fault { field: String::new(), message }]);
    let saved = SavedPiece::of(&form, kind, faults, String::new());
    if is_piece {
        return page_with(StatusCode::CONFLICT, &saved);
    }
    render(ask, StatusCode::CONFLICT, sheet, kind, form, saved).await
}

async fn again(
    ask: &OrgPage,
    name: &str,
    is_piece: bool,
    kind: ExceptionKind,
    form: ExceptionForm,
    faults: FormFaults,
) -> PageResult {
    let saved = SavedPiece::of(&form, kind, faults, String::new());
    if is_piece {
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &saved);
    }
    let sheet = policies::find(&ask.cx, name).await?;
    render(ask, StatusCode::UNPROCESSABLE_ENTITY, &sheet, kind, form, saved).await
}

pub(in crate::web::console::policies) async fn remove(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    ask.cx.require(Permission::PoliciesWrite)?;
    let form = ExceptionForm::read(pairs);
    let at = form.at().ok_or(ActionError::NotFound)?;
    let key = form.key()?;
    let class = match &key {
        Some(Pattern::Exact(tool)) => class_of(&ask, &name, tool).await?,
        _ => None,
    };
    let edit = Edit::Remove { key, class, kind: form.kind()?, at };
    match policies::edit_draft(&ask.cx, &name, &edit, &form.mark).await? {
        Saved::Kept(sheet) => {
            let said = "The exception is gone from the draft. Nothing in force has changed.";
            Ok(go_saying(&back(&ask, &sheet, &form.key), Toast::say(said)))
        }
        Saved::Collided(sheet) => {
            let said = "Somebody else changed these rules meanwhile. Nothing was removed; look at them as they are now.";
            Ok(go_saying(&back(&ask, &sheet, &form.key), Toast::say(said)))
        }
    }
}

fn back(ask: &OrgPage, sheet: &PolicySheet, key: &str) -> String {
    with_query(&Head::of(ask, &sheet.policy, "").href, [("q", key)])
}

impl SavedPiece {
    fn of(form: &ExceptionForm, kind: ExceptionKind, faults: FormFaults, said: String) -> Self {
        let json = pretty(&form.canonical(kind));
        let (mark, at, was) = (form.mark.clone(), form.at.clone(), form.was.clone());
        Self { mark, at, was, faults, said, json }
    }
}

fn about(key: &str) -> String {
    if key.is_empty() { "every tool".to_owned() } else { key.to_owned() }
}

async fn render(
    ask: &OrgPage,
    status: StatusCode,
    sheet: &PolicySheet,
    kind: ExceptionKind,
    form: ExceptionForm,
    saved: SavedPiece,
) -> PageResult {
    let mut paths = policies::argument_paths(&ask.cx, &sheet.policy, &form.key).await?;
    paths.extend(Field::ALL.iter().map(|(path, _)| (*path).to_owned()));
    let mut head = Head::of(ask, &sheet.policy, "");
    head.crumbs.push(Crumb::to(sheet.policy.name.clone(), head.href.clone()));
    let title = format!("Exception for {}", about(&form.key));
    let shell = shell_of::org(ask, title).await?.with_faults(!saved.faults.is_empty());
    page_with(status, &ExceptionPage::of(shell, head, kind, form, paths, saved))
}

impl ExceptionPage {
    fn of(
        shell: Shell,
        head: Head,
        kind: ExceptionKind,
        form: ExceptionForm,
        paths: Vec<String>,
        saved: SavedPiece,
    ) -> Self {
        let rows = condition_rows(&form.rule.conditions, form.act == "more", &saved.faults);
        Self {
            about: about(&form.key),
            kinds: kinds(&form.key, kind),
            rows,
            choices: Choices {
                modes: fields::rule_modes(if kind == ExceptionKind::Limit {
                    &form.limit.mode
                } else {
                    &form.rule.mode
                }),
                windows: fields::windows(&form.limit.window),
                window_kinds: fields::window_kinds(&form.limit.kind),
                scopes: fields::scopes(&form.limit.scope),
                exceeding: fields::exceeding(&form.limit.on_exceed),
                counting: fields::counting(&form.limit.count_errors),
            },
            back: with_query(&head.href, [("q", form.key.as_str())]),
            can_write: head.can_write,
            shell,
            head,
            kind,
            form,
            paths,
            saved,
        }
    }

    /// What stands before the first condition.
    const fn first_words(&self) -> &'static str {
        match self.kind {
            ExceptionKind::Require => "Deny unless",
            ExceptionKind::AskIf => "Ask if",
            _ => "Deny if",
        }
    }

    /// Whether it is a rule with conditions.
    fn is_rule(&self) -> bool {
        matches!(self.kind, ExceptionKind::Require | ExceptionKind::DenyIf | ExceptionKind::AskIf)
    }
}

/// The kinds to choose from, for one that is new.
fn kinds(key: &str, chosen: ExceptionKind) -> Vec<Choice> {
    let label = |kind: ExceptionKind| match kind {
        ExceptionKind::Require => ("Deny unless", "All its conditions have to hold, or the call is denied."),
        ExceptionKind::DenyIf => ("Deny if", "Where all its conditions hold, the call is denied."),
        ExceptionKind::AskIf => ("Ask if", "Where all its conditions hold, a human is asked."),
        ExceptionKind::Limit => ("Limit", "So many calls, or so much, in a span of time."),
        ExceptionKind::Concurrency => ("At once", "So many calls may be under way at the same time."),
        ExceptionKind::Redact => ("Mask", "A place in arguments or results that is never stored."),
    };
    let fits = |kind: &ExceptionKind| !key.is_empty() || kind.is_for_all();
    let choice = |kind: ExceptionKind| {
        let (name, hint) = label(kind);
        Choice::new(kind.key(), name).hint(hint).chosen(kind == chosen)
    };
    ExceptionKind::ALL.into_iter().filter(fits).map(choice).collect()
}

#[cfg(test)]
pub(in crate::web::console::policies) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::{
        domain::policy::edit::{TypedCondition, TypedRule},
        web::{
            console::policies::sample_head,
            kit::{
                samples::{LONG, SHARP, faults, sample, shell},
                shell::Base,
            },
        },
    };

    let condition = |text: &str| TypedCondition {
        path: text.into(),
        op: "in".into(),
        value: text.into(),
        ..TypedCondition::default()
    };
    let page = |text: &str, kind: ExceptionKind, count: usize, can_write, faults| {
        let form = ExceptionForm {
            key: text.into(),
            at: if count > 0 { "0".into() } else { String::new() },
            value: text.into(),
            rule: TypedRule {
                name: text.into(),
                conditions: vec![condition(text); count],
                ..TypedRule::default()
            },
            ..ExceptionForm::default()
        };
        let saved = SavedPiece::of(&form, kind, faults, "Saved in the draft.".into());
        let head = sample_head(text, true, can_write);
        let paths = vec![text.to_owned()];
        ExceptionPage::of(shell(Base::Organization, "Exception"), head, kind, form, paths, saved)
    };
    let none = FormFaults::default;
    let all = faults(&[
        ("path-0", "no"),
        ("name", "no"),
        ("approvers", "no"),
        ("quorum", "no"),
        ("within", "no"),
        ("", "no"),
    ]);
    let limit = faults(&[
        ("counter", "no"),
        ("window", "no"),
        ("max", "no"),
        ("scope", "no"),
        ("distinct", "no"),
        ("increment", "no"),
    ]);
    vec![
        sample("policy, exception: new", &page("", ExceptionKind::DenyIf, 0, true, none())),
        sample("policy, exception: many", &page(LONG, ExceptionKind::Require, 20, true, none())),
        sample("policy, exception: read", &page(SHARP, ExceptionKind::AskIf, 2, false, none())),
        sample("policy, exception: refused", &page(SHARP, ExceptionKind::AskIf, 1, true, all)),
        sample("policy, exception: limit", &page(LONG, ExceptionKind::Limit, 1, true, limit)),
        sample(
            "policy, exception: at once",
            &page(LONG, ExceptionKind::Concurrency, 1, true, faults(&[("entry", "no")])),
        ),
        sample("policy, exception: mask", &page(SHARP, ExceptionKind::Redact, 1, true, none())),
    ]
}
