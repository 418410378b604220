//! For which calls agents use an account in place of the one that they usually use.

use askama::Template;
use axum::{extract::Path, http::StatusCode};

use crate::{
    domain::policy::{edit::TypedCondition, selector::Selector},
    flow::{
        actions::{connections::ConnectionChange, me::accounts},
        fault::ActionError,
    },
    web::{
        console::{
            conditions::{ConditionRow, condition_rows, placed_condition, take_condition},
            me::accounts::LIST,
            shell_of,
        },
        kit::{
            ask::PersonPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of, version},
            page::{PageResult, go_saying, page_with},
            parts::Crumb,
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/me/account_rule.html")]
struct RulePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
    back: String,
    provider: String,
    is_default: bool,
    has_rule: bool,
    rows: Vec<ConditionRow>,
    /// Places that a condition may look at.
    paths: Vec<String>,
    version: i64,
    faults: FormFaults,
}

/// What was typed.
#[derive(Default)]
struct RuleForm {
    act: String,
    version: String,
    conditions: Vec<TypedCondition>,
}

impl RuleForm {
    fn read(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            let value = value.replace("\r\n", "\n");
            if !take_condition(&mut form.conditions, &name, &value) {
                match name.as_str() {
                    "act" => form.act = value,
                    "version" => form.version = value,
                    _ => {}
                }
            }
        }
        form.conditions.retain(|row| !row.is_blank());
        form
    }

    /// The conditions as JSON; an empty list where the rule is taken away.
    fn json(&self) -> Result<String, FormFaults> {
        if self.act == "none" {
            return Ok("[]".to_owned());
        }
        match Selector::typed(&self.conditions) {
            Ok(selector) => Ok(selector.canonical()),
            Err(faults) => Err(FormFaults::from_list(faults.into_iter().map(placed_condition).collect())),
        }
    }
}

pub(super) async fn show(ask: PersonPage, Path(place): Path<(String, String)>) -> PageResult {
    render(&ask, StatusCode::OK, place, None, FormFaults::default()).await
}

pub(super) async fn save(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let form = RuleForm::read(pairs);
    if form.act == "more" {
        return render(&ask, StatusCode::OK, (org, id), Some(form), FormFaults::default()).await;
    }
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let account_if = match form.json() {
        Ok(json) => Some(json),
        Err(faults) => return render(&ask, refused, (org, id), Some(form), faults).await,
    };
    let change = ConnectionChange { account_if, ..ConnectionChange::default() };
    match accounts::change(&ask.cx, &org, &id, &change, version(&form.version)).await {
        Ok(sheet) => {
            let title = sheet.connection.title();
            let said = match sheet.connection.account_if.is_empty() {
                true => format!("No rule chooses {title} any more."),
                false => format!("Calls that fit use {title} from now on."),
            };
            Ok(go_saying(&format!("{LIST}/{org}/{id}"), Toast::say(said)))
        }
        Err(error @ (ActionError::Fields(_) | ActionError::Changed)) => {
            let faults = faults_of(error)?;
            render(&ask, refused, (org, id), Some(form), faults).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn render(
    ask: &PersonPage,
    status: StatusCode,
    (org, id): (String, String),
    form: Option<RuleForm>,
    faults: FormFaults,
) -> PageResult {
    let (found, sheet, mut paths) = accounts::argument_places(&ask.cx, &org, &id).await?;
    let connection = sheet.connection;
    paths.extend(["tool.name", "tool.class", "server.slug", "server.name"].map(str::to_owned));
    let has_more = form.as_ref().is_some_and(|form| form.act == "more");
    let typed = match form {
        Some(form) => form.conditions,
        None => Selector::read(&connection.account_if).map(|rule| rule.as_typed()).unwrap_or_default(),
    };
    let back = format!("{LIST}/{}/{}", found.slug, connection.id);
    let title = connection.title().to_owned();
    let page = RulePage {
        shell: shell_of::person(ask, format!("When agents use {title}"))
            .await?
            .with_faults(!faults.is_empty()),
        crumbs: vec![Crumb::to("Connected accounts", LIST), Crumb::to(title.clone(), back.clone())],
        href: format!("{back}/rule"),
        back,
        provider: connection.provider_name,
        is_default: connection.is_default,
        has_rule: !connection.account_if.is_empty(),
        rows: condition_rows(&typed, has_more, &faults),
        paths,
        version: connection.version,
        faults,
    };
    page_with(status, &page)
}

#[cfg(test)]
pub(in crate::web::console::me) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let page = |text: &str, count: usize, faults: FormFaults| {
        let typed = TypedCondition {
            path: text.into(),
            op: "in".into(),
            value: text.into(),
            ..TypedCondition::default()
        };
        RulePage {
            shell: shell(Base::Account, "When agents use ada"),
            crumbs: vec![Crumb::to("Connected accounts", LIST), Crumb::to(text, "/me/accounts/acme/con_1")],
            href: "/me/accounts/acme/con_1/rule".into(),
            back: "/me/accounts/acme/con_1".into(),
            provider: text.into(),
            is_default: count == 1,
            has_rule: count > 0,
            rows: condition_rows(&vec![typed; count], false, &faults),
            paths: vec![text.into()],
            version: 1,
            faults,
        }
    };
    vec![
        sample("account rule: none", &page("ada", 0, FormFaults::default())),
        sample("account rule: many", &page(LONG, 20, FormFaults::default())),
        sample("account rule: refused", &page(SHARP, 1, faults(&[("path-0", "no"), ("", "no")]))),
    ]
}
