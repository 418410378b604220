//! The editor: what is decided about each tool, in words, beside the document that says so.

mod exception;
mod fields;
mod reason;
mod rows;
mod typed;

use askama::Template;
use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode},
};
use serde::Deserialize;

pub(super) use exception::{remove, save, show as exception};
pub(super) use reason::{save as save_reason, show as reason};

use crate::{
    base::{permission::Permission, risk::Class},
    domain::policy::{
        document::{self, Action, Document, Mode, Unreviewed},
        edit::{Decision, Edit, mark},
        pattern::Pattern,
    },
    flow::{
        actions::policies::{self, CallCount, PolicySheet, Saved, Workbench},
        fault::ActionError,
    },
    web::{
        console::{
            policies::{
                Head,
                diff::{DiffLine, numbered},
                editor::{
                    fields::{actions, modes, unreviewed},
                    rows::{Group, Row, Shown, View},
                },
                impact::grouped,
                simulator::CallForm,
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            faults::PageError,
            flash::Toast,
            form::{Form, FormFaults, faults_of},
            listing::{Asked, Listing, with_query},
            page::{PageResult, go, go_saying, page_with},
            parts::{Choice, Tab},
            pretty::pretty,
            shell::Shell,
        },
    },
};

/// How many lines of the document stand beside the rules.
const MOST_LINES: usize = 400;

/// The page.
#[derive(Template)]
#[template(path = "console/policies/editor.html")]
struct EditorPage {
    shell: Shell,
    head: Head,
    editor: Editor,
}

/// What changes with each step, for a page that is there already.
#[derive(Template)]
#[template(path = "console/policies/edited.html")]
struct EditorPiece {
    head: Head,
    editor: Editor,
}

/// The rules and the document.
struct Editor {
    csrf: String,
    /// Where the filter that is set leads.
    here: String,
    q: String,
    views: Vec<Tab>,
    view: &'static str,
    /// The mark of what holds for the policy as a whole.
    mark: String,
    modes: Vec<Choice>,
    defaults: Vec<Choice>,
    unreviewed: Vec<Choice>,
    groups: Vec<Group>,
    /// How many keys and tools there are.
    count: usize,
    list: Listing,
    lines: Vec<DiffLine>,
    /// How many lines are not shown.
    more_lines: usize,
    /// What came of the last step, for who listens.
    said: &'static str,
    faults: FormFaults,
    /// Whether the policy is about a server that has tools.
    has_tools: bool,
    has_server: bool,
    /// The simulator that stands beside the rules, with the call that the address asks for.
    simulate: String,
    /// Whether what is in force only tries some of what it says.
    observes: bool,
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct EditForm {
    /// A decision, as `allow mark class key`.
    #[serde(default)]
    set: String,
    /// A key whose own rules go, as `mark key`.
    #[serde(default)]
    forget: String,
    /// A key to begin.
    #[serde(default)]
    key: String,
    #[serde(default)]
    decision: String,
    #[serde(default)]
    mark: String,
    #[serde(default)]
    mode: String,
    #[serde(default)]
    default: String,
    #[serde(default)]
    unreviewed: String,
    /// The filter that was set.
    #[serde(default)]
    q: String,
    #[serde(default)]
    view: String,
}

pub(super) async fn show(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    mut asked: Asked,
) -> PageResult {
    let (q, sought) = asked.search();
    let (_, view) = asked.one_of("view", View::ALL.map(|view| (view.word(), view)).into_iter().skip(1));
    let after = asked.text("after");
    let shown = Shown { q: sought.unwrap_or_default(), view: view.unwrap_or_default(), after };
    let call = CallForm::ADDRESSED.map(|name| (name, asked.text(name)));
    let bench = policies::workbench(&ask.cx, &name).await?;
    let head = Head::warning(&ask, &bench.sheet, "");
    let mut editor = Editor::of(&ask, &head, &bench, &shown, asked)?.with_calls(&ask, &bench).await?;
    editor.q = q;
    editor.simulate = with_query(&editor.simulate, call.iter().map(|(name, value)| (*name, value.as_str())));
    let shell = shell_of::org(&ask, bench.sheet.policy.name.clone()).await?;
    let status = editor.list.status();
    page_with(status, &EditorPage { shell: shell.with_faults(!editor.list.faults.is_empty()), head, editor })
}

pub(super) async fn edit(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
    asked: Asked,
    Form(form): Form<EditForm>,
) -> PageResult {
    ask.cx.require(Permission::PoliciesWrite)?;
    let is_piece = headers.contains_key("hx-request");
    let (edit, seen) = match read(&form) {
        Ok(read) => read,
        Err(error) => return refused(&ask, &name, is_piece, asked, &form, error).await,
    };
    match policies::edit_draft(&ask.cx, &name, &edit, &seen).await {
        Ok(Saved::Kept(sheet)) if is_piece => piece(&ask, &sheet, asked, &form, "Saved in the draft.").await,
        Ok(Saved::Kept(sheet)) => Ok(go(&back(&ask, &sheet, &form))),
        Ok(Saved::Collided(sheet)) if is_piece => {
            piece(
                &ask,
                &sheet,
                asked,
                &form,
                "Somebody else changed this meanwhile. Look at it as it is now.",
            )
            .await
        }
        Ok(Saved::Collided(sheet)) => {
            let toast = Toast::say(
                "Somebody else changed this meanwhile. It was not replaced; look at it as it is now.",
            );
            Ok(go_saying(&back(&ask, &sheet, &form), toast))
        }
        Err(error @ ActionError::Refused(_)) => refused(&ask, &name, is_piece, asked, &form, error).await,
        Err(error) => Err(error.into()),
    }
}

/// The page again, with the rules as they are.
fn back(ask: &OrgPage, sheet: &PolicySheet, form: &EditForm) -> String {
    let href = Head::of(ask, &sheet.policy, "").href;
    let q = if form.key.is_empty() { form.q.as_str() } else { form.key.as_str() };
    with_query(&href, [("q", q), ("view", form.view.as_str())])
}

/// The rules as they are now, for a page that is there already.
async fn piece(
    ask: &OrgPage,
    sheet: &PolicySheet,
    asked: Asked,
    form: &EditForm,
    said: &'static str,
) -> PageResult {
    let (head, mut editor) = again(ask, &sheet.policy.slug, asked, form).await?;
    editor.said = said;
    let mut response = page_with(StatusCode::OK, &EditorPiece { head, editor })?;
    // What else of the page depends on the draft asks anew for what it shows.
    response.headers_mut().insert("hx-trigger", HeaderValue::from_static("edited"));
    Ok(response)
}

async fn refused(
    ask: &OrgPage,
    name: &str,
    is_piece: bool,
    asked: Asked,
    form: &EditForm,
    error: ActionError,
) -> PageResult {
    let error = match error {
        ActionError::Refused(refused) => ActionError::field("", refused.sentence),
        other => other,
    };
    let faults = faults_of(error)?;
    let (head, mut editor) = again(ask, name, asked, form).await?;
    editor.faults = faults;
    if is_piece {
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &EditorPiece { head, editor });
    }
    let shell = shell_of::org(ask, head.name.clone()).await?.with_faults(true);
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &EditorPage { shell, head, editor })
}

async fn again(
    ask: &OrgPage,
    name: &str,
    asked: Asked,
    form: &EditForm,
) -> Result<(Head, Editor), PageError> {
    let bench = policies::workbench(&ask.cx, name).await?;
    let head = Head::warning(ask, &bench.sheet, "");
    let shown = Shown { q: form.q.clone(), view: View::of(&form.view), after: String::new() };
    let editor = Editor::of(ask, &head, &bench, &shown, asked)?.with_calls(ask, &bench).await?;
    Ok((head, editor))
}

/// The change that a form asks for, and the mark of what it is about.
fn read(form: &EditForm) -> Result<(Edit, String), ActionError> {
    if !form.set.is_empty() {
        let mut words = form.set.splitn(4, ' ');
        let mut next = || words.next().unwrap_or_default();
        let (decision, mark, class, key) = (next(), next(), next(), next());
        let edit = Edit::Decide {
            key: pattern(key)?,
            class: class.parse::<Class>().ok(),
            decision: decided(decision)?,
        };
        return Ok((edit, mark.to_owned()));
    }
    if !form.forget.is_empty() {
        let (mark, key) = form.forget.split_once(' ').unwrap_or_default();
        return Ok((Edit::Forget(pattern(key)?), mark.to_owned()));
    }
    if !form.decision.is_empty() || !form.key.is_empty() {
        let key = pattern(form.key.trim())?;
        let nothing = Document {
            mode: Mode::Enforce,
            default: Action::Deny,
            unreviewed: Unreviewed::Deny,
            hide: Vec::new(),
            all_tools: document::Checks::default(),
            tools: Vec::new(),
        };
        // Begun only where there is nothing yet: what is there already is changed in its row.
        let mark = mark(&nothing, Some(&key));
        return Ok((Edit::Decide { key, class: None, decision: decided(&form.decision)? }, mark));
    }
    let edit = Edit::Whole {
        mode: fields::mode_of(&form.mode)?,
        default: fields::action_of(&form.default)?,
        unreviewed: fields::unreviewed_of(&form.unreviewed)?,
    };
    Ok((edit, form.mark.clone()))
}

fn pattern(text: &str) -> Result<Pattern, ActionError> {
    Pattern::parse(text).map_err(|bad| ActionError::field("key", bad.to_string()))
}

fn decided(word: &str) -> Result<Decision, ActionError> {
    let found = Decision::ALL.into_iter().find(|decision| decision.as_str() == word);
    found.ok_or_else(|| ActionError::field("decision", "choose allow, ask, deny or hide"))
}

/// A document that is kept, which can always be read.
pub(super) fn kept(text: &str) -> Result<Document, ActionError> {
    document::read(text.as_bytes()).map_err(ActionError::Document)
}

impl Editor {
    fn of(
        ask: &OrgPage,
        head: &Head,
        bench: &Workbench,
        shown: &Shown,
        asked: Asked,
    ) -> Result<Self, ActionError> {
        let document = kept(bench.sheet.working())?;
        let live = bench.sheet.document.as_deref().map(kept).transpose()?;
        let found = rows::rows(&head.href, &document, live.as_ref(), &bench.tools, shown);
        let mut list = asked.listing(None);
        if let Some(after) = &found.next {
            let query = [("q", shown.q.as_str()), ("view", shown.view.word()), ("after", after.as_str())];
            list.next = with_query(&head.href, query);
        }
        if !shown.after.is_empty() {
            list.first = with_query(&head.href, [("q", shown.q.as_str()), ("view", shown.view.word())]);
        }
        let mut lines = numbered(&pretty(bench.sheet.working()));
        let more_lines = lines.len().saturating_sub(MOST_LINES);
        lines.truncate(MOST_LINES);
        let view = |view: View| {
            let query = [("q", shown.q.as_str()), ("view", view.word())];
            Tab::new(view.label(), with_query(&head.href, query), view == shown.view)
        };
        Ok(Self {
            csrf: ask.browser.csrf.as_str().to_owned(),
            here: head.href.clone(),
            q: shown.q.clone(),
            views: View::ALL.map(view).into(),
            view: shown.view.word(),
            mark: mark(&document, None),
            modes: modes(document.mode),
            defaults: actions(document.default),
            unreviewed: unreviewed(document.unreviewed),
            groups: found.groups,
            count: found.count,
            list,
            lines,
            more_lines,
            said: "",
            faults: FormFaults::default(),
            has_tools: !bench.tools.is_empty(),
            has_server: bench.sheet.server.is_some(),
            simulate: format!("{}/simulate", head.href),
            observes: live.as_ref().is_some_and(Document::observes),
        })
    }

    /// With how often each tool that is shown was called lately.
    async fn with_calls(mut self, ask: &OrgPage, bench: &Workbench) -> Result<Self, ActionError> {
        let rows = self.groups.iter_mut().flat_map(|group| &mut group.rows);
        // Only tools that are known have a class.
        let mut rows: Vec<&mut Row> = rows.filter(|row| !row.class.is_empty()).collect();
        let names: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
        let counted = policies::calls_lately(&ask.cx, &bench.sheet.policy, &names).await?;
        let server = bench.sheet.server.as_deref().filter(|_| ask.cx.may(Permission::AuditRead));
        for row in &mut rows {
            let CallCount { calls, is_more } = counted.get(&row.key).copied().unwrap_or_default();
            let beyond = if is_more { "+" } else { "" };
            row.calls = format!("{}{beyond}", grouped(u32::try_from(calls).unwrap_or(u32::MAX)));
            if let Some(server) = server.filter(|_| calls > 0) {
                let q = format!("tool:\"{}\" server:{server} from:7d", row.key.replace('"', ""));
                let audit = format!("/o/{}/audit", ask.cx.org.slug);
                row.log = with_query(&audit, [("kind", "call"), ("q", q.as_str())]);
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::policies::sample_head,
        kit::{
            samples::{LONG, SHARP, faults, list, sample, shell},
            shell::Base,
        },
    };

    let editor = |count: usize, text: &str, faults| Editor {
        csrf: "c5rf".into(),
        here: "/o/acme/policies/github".into(),
        q: if count == 0 { SHARP.into() } else { String::new() },
        views: View::ALL.map(|view| Tab::new(view.label(), "?", view == View::All)).into(),
        view: "",
        mark: "abc".into(),
        modes: modes(Mode::Enforce),
        defaults: actions(Action::Deny),
        unreviewed: unreviewed(Unreviewed::Deny),
        groups: rows::sample_groups(count, text),
        count,
        list: list(),
        lines: numbered(&pretty(policies::BLANK)),
        more_lines: count,
        said: "Saved in the draft.",
        faults,
        has_tools: count > 0,
        has_server: true,
        simulate: "/o/acme/policies/github/simulate".into(),
        observes: count > 4,
    };
    let page = |name: &str, count, can_write, faults| EditorPage {
        shell: shell(Base::Organization, name),
        head: sample_head(name, count > 0, can_write),
        editor: editor(count, name, faults),
    };
    let mut all = vec![
        sample("policy, editor: nothing found", &page(SHARP, 0, true, FormFaults::default())),
        sample("policy, editor", &page("merge_pull_request", 4, true, FormFaults::default())),
        sample("policy, editor: read", &page("merge_pull_request", 4, false, FormFaults::default())),
        sample(
            "policy, editor: many",
            &page(LONG, 60, true, faults(&[("key", "no"), ("decision", "no"), ("", "no")])),
        ),
    ];
    all.extend(exception::samples());
    all.extend(reason::samples());
    all
}
