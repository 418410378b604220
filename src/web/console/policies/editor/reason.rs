//! Why a key decides as it does, in the words that agents are told.

use std::sync::Arc;

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{permission::Permission, risk::Class},
    domain::policy::{
        document::{Document, ToolRules},
        edit::{Edit, NotAPart, mark, read_reason},
        engine::Program,
        pattern::Pattern,
    },
    flow::{
        actions::policies::{self, PolicySheet, Saved},
        fault::ActionError,
    },
    web::{
        console::{
            policies::{
                Head,
                editor::{exception::class_of, kept},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{Form, FormFaults},
            listing::with_query,
            page::{PageResult, go_saying, page_with},
            parts::{Crumb, Fault},
            query::Query,
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/policies/reason.html")]
struct ReasonPage {
    shell: Shell,
    head: Head,
    key: String,
    mark: String,
    reason: String,
    back: String,
    can_write: bool,
    faults: FormFaults,
}

/// A reason, as it is typed.
#[derive(Clone, Default, Deserialize)]
pub(in crate::web::console::policies) struct ReasonForm {
    #[serde(default)]
    key: String,
    #[serde(default)]
    mark: String,
    #[serde(default)]
    reason: String,
}

impl ReasonForm {
    fn key(&self) -> Result<Pattern, ActionError> {
        Pattern::parse(&self.key).map_err(|_| ActionError::NotFound)
    }
}

pub(in crate::web::console::policies) async fn show(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Query(form): Query<ReasonForm>,
) -> PageResult {
    let sheet = policies::find(&ask.cx, &name).await?;
    let key = form.key()?;
    let document = kept(sheet.working())?;
    let class = class(&ask, &name, &key).await?;
    let reason = said(&document, &key, class).unwrap_or_default();
    let form = ReasonForm { key: form.key, mark: mark(&document, Some(&key)), reason };
    render(&ask, StatusCode::OK, &sheet, form, FormFaults::default()).await
}

pub(in crate::web::console::policies) async fn save(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<ReasonForm>,
) -> PageResult {
    ask.cx.require(Permission::PoliciesWrite)?;
    let key = form.key()?;
    let fault = |field: &str, message: String| {
        FormFaults::from_list(vec![Fault { field: field.to_owned(), message }])
    };
    let reason = match read_reason(&form.reason) {
        Ok(reason) => reason,
        Err(NotAPart(faults)) => {
            let message = faults.into_iter().next().map(|fault| fault.reason).unwrap_or_default();
            return again(&ask, &name, form, fault("reason", message)).await;
        }
    };
    let class = class(&ask, &name, &key).await?;
    let edit = Edit::Reason { key: key.clone(), class, reason };
    match policies::edit_draft(&ask.cx, &name, &edit, &form.mark).await {
        Ok(Saved::Kept(sheet)) => {
            let href = Head::of(&ask, &sheet.policy, "").href;
            let said = "Saved in the draft. Nothing in force has changed.";
            Ok(go_saying(&with_query(&href, [("q", form.key.as_str())]), Toast::say(said)))
        }
        Ok(Saved::Collided(sheet)) => {
            let document = kept(sheet.working())?;
            let message = format!(
                "Somebody else changed the rules of {} meanwhile. What you typed replaced nothing; saved again, it does.",
                form.key
            );
            let form = ReasonForm { mark: mark(&document, Some(&key)), ..form };
            render(&ask, StatusCode::CONFLICT, &sheet, form, fault("", message)).await
        }
        Err(ActionError::Refused(refused)) => again(&ask, &name, form, fault("", refused.sentence)).await,
        Err(error) => Err(error.into()),
    }
}

/// The class of a tool that is known by its name.
async fn class(ask: &OrgPage, name: &str, key: &Pattern) -> Result<Option<Class>, ActionError> {
    match key {
        Pattern::Exact(tool) => class_of(ask, name, tool).await,
        _ => Ok(None),
    }
}

/// The reason of a key; of a tool without rules of its own that of the rules it is under.
fn said(document: &Document, key: &Pattern, class: Option<Class>) -> Option<String> {
    let reason = |rules: &ToolRules| rules.reason.clone();
    match (document.tools.iter().find(|(pattern, _)| pattern == key), key, class) {
        (Some((_, own)), _, _) => reason(own),
        (None, Pattern::Exact(name), Some(class)) => {
            let program = Program::new(Arc::new(document.clone()));
            program.governing(name, class).and_then(|(_, rules)| reason(rules))
        }
        _ => None,
    }
}

async fn again(ask: &OrgPage, name: &str, form: ReasonForm, faults: FormFaults) -> PageResult {
    let sheet = policies::find(&ask.cx, name).await?;
    render(ask, StatusCode::UNPROCESSABLE_ENTITY, &sheet, form, faults).await
}

async fn render(
    ask: &OrgPage,
    status: StatusCode,
    sheet: &PolicySheet,
    form: ReasonForm,
    faults: FormFaults,
) -> PageResult {
    let mut head = Head::of(ask, &sheet.policy, "");
    head.crumbs.push(Crumb::to(sheet.policy.name.clone(), head.href.clone()));
    let shell = shell_of::org(ask, format!("Reason for {}", form.key)).await?;
    page_with(status, &ReasonPage::of(shell, head, form, faults))
}

impl ReasonPage {
    fn of(shell: Shell, head: Head, form: ReasonForm, faults: FormFaults) -> Self {
        Self {
            shell: shell.with_faults(!faults.is_empty()),
            back: with_query(&head.href, [("q", form.key.as_str())]),
            can_write: head.can_write,
            head,
            key: form.key,
            mark: form.mark,
            reason: form.reason,
            faults,
        }
    }
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

    let page = |text: &str, can_write: bool, faults| {
        let form = ReasonForm { key: text.into(), mark: "0123456789ab".into(), reason: text.into() };
        let shell = shell(Base::Organization, "Reason for merge");
        ReasonPage::of(shell, sample_head("GitHub", true, can_write), form, faults)
    };
    vec![
        sample("reason: none", &page("", true, FormFaults::default())),
        sample("reason", &page(SHARP, true, FormFaults::default())),
        sample("reason: read", &page(LONG, false, FormFaults::default())),
        sample("reason: refused", &page(LONG, true, faults(&[("reason", "no"), ("", "no")]))),
    ]
}
