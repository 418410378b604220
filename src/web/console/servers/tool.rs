//! One tool: what it is, what changed, and what people decide about it.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{permission::Permission, risk::Class},
    domain::servers::{ClassBy, Tool},
    flow::{
        actions::servers::{self, ToolInput, ToolSheet, review_tag},
        fault::ActionError,
    },
    web::{
        console::{
            servers::{
                crumb, href,
                words::{
                    DriftRow, Word, class_tone, drift_rows, path_segment, pretty, said, severity_word, shown,
                    state_word, warnings,
                },
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/servers/tool.html")]
struct ToolPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    server_href: String,
    href: String,
    title: String,
    description: Vec<String>,
    tool: Tool,
    state: Word,
    class_tone: &'static str,
    severity: Word,
    reason: String,
    by: &'static str,
    classes: Vec<Choice>,
    fingerprint: String,
    accepted_fingerprint: String,
    tag: String,
    drift: Vec<DriftRow>,
    warnings: Vec<String>,
    lookalikes: Vec<String>,
    reviewed_by: String,
    lines: Vec<String>,
    accepted_lines: Vec<String>,
    /// What a connected account needs for it, as it is or as it was typed.
    scopes: String,
    scopes_hint: String,
    can_write: bool,
    faults: FormFaults,
}

#[derive(Deserialize)]
pub(super) struct ScopesForm {
    #[serde(default)]
    required_scopes: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
pub(super) struct ClassForm {
    #[serde(default)]
    class: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
pub(super) struct SwitchForm {
    #[serde(default)]
    enabled: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
pub(super) struct ReviewForm {
    #[serde(default)]
    tool: String,
    #[serde(default)]
    tag: String,
}

pub(super) async fn show(
    ask: OrgPage,
    Path((_, server, tool)): Path<(String, String, String)>,
) -> PageResult {
    tool_page(&ask, StatusCode::OK, (&server, &tool), None, FormFaults::default()).await
}

async fn tool_page(
    ask: &OrgPage,
    status: StatusCode,
    (server, tool): (&str, &str),
    typed: Option<String>,
    faults: FormFaults,
) -> PageResult {
    let sheet = servers::tool(&ask.cx, server, tool).await?;
    let server_href = href(ask, sheet.server.slug.as_str());
    let shell = shell_of::org(ask, shown(sheet.tool.name.as_str())).await?.with_faults(!faults.is_empty());
    let crumbs = vec![crumb(ask), Crumb::to(sheet.server.name.clone(), server_href.clone())];
    let view = of(sheet, shell, crumbs, server_href, ask.cx.may(Permission::ServersWrite));
    let scopes = typed.unwrap_or_else(|| view.scopes.clone());
    page_with(status, &ToolPage { scopes, faults, ..view })
}

fn of(sheet: ToolSheet, shell: Shell, crumbs: Vec<Crumb>, server_href: String, can_write: bool) -> ToolPage {
    let scopes_hint = scopes_hint(&sheet.offered);
    let tool = sheet.tool;
    let definition: serde_json::Value = serde_json::from_str(&tool.definition).unwrap_or_default();
    let has_changed = tool.accepted_fingerprint.is_some_and(|accepted| accepted != tool.fingerprint);
    ToolPage {
        shell,
        crumbs,
        href: format!("{server_href}/tools/{}", path_segment(tool.name.as_str())),
        server_href,
        title: tool.title.as_deref().map(shown).unwrap_or_default(),
        description: definition["description"].as_str().unwrap_or_default().lines().map(shown).collect(),
        state: state_word(tool.state),
        class_tone: class_tone(tool.class),
        severity: severity_word(tool.severity),
        reason: said(&tool.class_reason),
        by: match tool.class_by {
            ClassBy::Rule => "by rules",
            ClassBy::Annotation => "by its own hints",
            ClassBy::Admin => "by a person",
        },
        classes: classes(&tool),
        fingerprint: tool.fingerprint.to_string(),
        accepted_fingerprint: tool.accepted_fingerprint.map(|digest| digest.to_string()).unwrap_or_default(),
        tag: review_tag(std::iter::once((&tool.name, tool.fingerprint))),
        drift: drift_rows(&sheet.drift),
        warnings: warnings(&tool),
        lookalikes: sheet
            .lookalikes
            .iter()
            .map(|(server, name)| format!("{} of {server}", shown(name)))
            .collect(),
        reviewed_by: sheet.reviewed_by.unwrap_or_default(),
        lines: pretty(&tool.definition),
        accepted_lines: tool
            .accepted_definition
            .as_deref()
            .filter(|_| has_changed)
            .map(pretty)
            .unwrap_or_default(),
        scopes: tool.required_scopes.join(" "),
        scopes_hint,
        tool,
        can_write,
        faults: FormFaults::default(),
    }
}

fn scopes_hint(offered: &[(String, Vec<String>)]) -> String {
    let usual = "Scopes that a connected account has to have been granted, between spaces.";
    let of = |(provider, scopes): &(String, Vec<String>)| {
        format!(" {provider} is asked for: {}.", scopes.join(" "))
    };
    std::iter::once(usual.to_owned()).chain(offered.iter().map(of)).collect()
}

fn classes(tool: &Tool) -> Vec<Choice> {
    let chosen = if tool.class_by == ClassBy::Admin { tool.class.as_str() } else { "" };
    let all = Class::ALL.into_iter().map(|class| {
        Choice::new(class.as_str(), format!("{}: they {}", class.label(), class.meaning())).chosen_by(chosen)
    });
    std::iter::once(Choice::new("", "As rules and hints say").chosen_by(chosen)).chain(all).collect()
}

pub(super) async fn class(
    ask: OrgPage,
    Path((_, server, tool)): Path<(String, String, String)>,
    Form(form): Form<ClassForm>,
) -> PageResult {
    let input = ToolInput { class: Some(form.class), reason: Some(form.reason), ..ToolInput::default() };
    let seen = form::version(&form.version);
    let sheet = servers::change_tool(&ask.cx, &server, &tool, &input, seen).await?;
    let text = format!("{} now counts as {}.", shown(sheet.tool.name.as_str()), sheet.tool.class.label());
    Ok(go_saying(&tool_href(&ask, &sheet), Toast::say(text)))
}

pub(super) async fn scopes(
    ask: OrgPage,
    Path((_, server, tool)): Path<(String, String, String)>,
    Form(form): Form<ScopesForm>,
) -> PageResult {
    let scopes = form.required_scopes.split_whitespace().map(str::to_owned).collect();
    let input = ToolInput { required_scopes: Some(scopes), ..ToolInput::default() };
    match servers::change_tool(&ask.cx, &server, &tool, &input, form::version(&form.version)).await {
        Ok(sheet) => {
            let name = shown(sheet.tool.name.as_str());
            let text = match sheet.tool.required_scopes.as_slice() {
                [] => format!("{name} needs no scopes."),
                scopes => format!("{name} needs an account that was granted {}.", scopes.join(", ")),
            };
            Ok(go_saying(&tool_href(&ask, &sheet), Toast::say(text)))
        }
        Err(error @ ActionError::Fields(_)) => {
            let (faults, status) = (form::faults_of(error)?, StatusCode::UNPROCESSABLE_ENTITY);
            tool_page(&ask, status, (&server, &tool), Some(form.required_scopes), faults).await
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn switch(
    ask: OrgPage,
    Path((_, server, tool)): Path<(String, String, String)>,
    Form(form): Form<SwitchForm>,
) -> PageResult {
    let enabled = form.enabled == "on";
    let input = ToolInput { enabled: Some(enabled), ..ToolInput::default() };
    let seen = form::version(&form.version);
    let sheet = servers::change_tool(&ask.cx, &server, &tool, &input, seen).await?;
    let href = tool_href(&ask, &sheet);
    let name = shown(sheet.tool.name.as_str());
    let (text, back) = if enabled {
        (format!("{name} is on. Agents may see it again."), "off")
    } else {
        (format!("{name} is off. Agents no longer see it."), "on")
    };
    let fields = [("enabled", back.to_owned()), ("version", sheet.tool.version.to_string())];
    Ok(go_saying(&href, Toast::with_undo(text, format!("{href}/switch"), fields)))
}

pub(super) async fn accept(
    ask: OrgPage,
    Path((_, server)): Path<(String, String)>,
    Form(form): Form<ReviewForm>,
) -> PageResult {
    let seen = Some(form.tag.as_str()).filter(|tag| !tag.is_empty());
    let count = servers::accept(&ask.cx, &server, std::slice::from_ref(&form.tool), seen).await?;
    let text = match (count, form.tool.as_str()) {
        (0, _) => "Nothing was waiting.".to_owned(),
        (1, name) if name != "*" => format!("{} was accepted. Agents may call it.", shown(name)),
        (1, _) => "One tool was accepted. Agents may call it.".to_owned(),
        (count, _) => format!("{count} tools were accepted. Agents may call them."),
    };
    Ok(go_saying(&href(&ask, &path_segment(&server)), Toast::say(text)))
}

pub(super) async fn refuse(
    ask: OrgPage,
    Path((_, server)): Path<(String, String)>,
    Form(form): Form<ReviewForm>,
) -> PageResult {
    let seen = Some(form.tag.as_str()).filter(|tag| !tag.is_empty());
    let count = servers::refuse(&ask.cx, &server, std::slice::from_ref(&form.tool), seen).await?;
    let href = href(&ask, &path_segment(&server));
    let toast = match (count, form.tool.as_str()) {
        (0, _) => Toast::say("Nothing was waiting."),
        (1, name) if name != "*" => {
            let text = format!("{} was refused. Agents cannot call it.", shown(name));
            Toast::with_undo(
                text,
                format!("{href}/accept"),
                [("tool", name.to_owned()), ("tag", form.tag.clone())],
            )
        }
        (count, _) => Toast::say(format!("{count} tools were refused. Agents cannot call them.")),
    };
    Ok(go_saying(&href, toast))
}

fn tool_href(ask: &OrgPage, sheet: &ToolSheet) -> String {
    let server = href(ask, sheet.server.slug.as_str());
    format!("{server}/tools/{}", path_segment(sheet.tool.name.as_str()))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::domain::servers::{ToolState, drift};
    use crate::web::console::servers::samples::{server, tool};
    use crate::web::kit::{
        samples::{LONG, SHARP, sample, shell},
        shell::Base,
    };

    let page = |n: usize, state: ToolState, alike: usize, can_write: bool| {
        let tool = tool(n, state);
        let accepted = tool.accepted_definition.as_deref();
        let sheet = ToolSheet {
            server: server(LONG),
            drift: accepted.map(|accepted| drift(accepted, &tool.definition)).unwrap_or_default(),
            lookalikes: vec![(SHARP.to_owned(), LONG.to_owned()); alike],
            reviewed_by: Some(LONG.into()).filter(|_| alike > 0),
            offered: vec![(LONG.to_owned(), vec![SHARP.to_owned(), "repo".to_owned()]); alike],
            tool,
        };
        let crumbs = vec![Crumb::to("Servers", "/o/acme/servers"), Crumb::to(LONG, "/o/acme/servers/github")];
        of(sheet, shell(Base::Organization, LONG), crumbs, "/o/acme/servers/github".into(), can_write)
    };
    vec![
        sample("tool: new", &page(1, ToolState::New, 0, true)),
        sample("tool: reviewed", &page(2, ToolState::Reviewed, 0, false)),
        sample("tool: changed", &page(3, ToolState::Changed, 9, true)),
        sample("tool: refused", &page(4, ToolState::Refused, 0, true)),
        sample("tool: gone", &page(5, ToolState::Gone, 1, true)),
    ]
}
