//! The gate: who is affected, why it closed, close and open.

use askama::Template;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::{
    base::permission::Permission,
    domain::gate::GateState,
    flow::actions::gate::{self, GateSheet},
    web::{
        console::shell_of,
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let write = Access::Org(Permission::GateWrite);
    Routes::default()
        .page("/o/{org}/gate", Access::Org(Permission::GateRead), show)
        .form("/o/{org}/gate/close", write, Effect::Records(&["gate.closed"]), close)
        .form("/o/{org}/gate/open", write, Effect::Records(&["gate.opened"]), open)
}

/// The page.
#[derive(Template)]
#[template(path = "console/gate/show.html")]
struct GatePage {
    shell: Shell,
    /// The gate's own address.
    href: String,
    org: String,
    sheet: GateSheet,
    can_move: bool,
    form: GateForm,
    faults: FormFaults,
}

#[derive(Clone, Default, Deserialize)]
struct GateForm {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    version: String,
}

async fn show(ask: OrgPage) -> PageResult {
    shown(&ask, StatusCode::OK, GateForm::default(), FormFaults::default()).await
}

async fn close(ask: OrgPage, Form(form): Form<GateForm>) -> PageResult {
    let said = "The gate is closed. No agent's call passes from now on.";
    moved(&ask, GateState::Closed, form, said).await
}

async fn open(ask: OrgPage, Form(form): Form<GateForm>) -> PageResult {
    moved(&ask, GateState::Open, form, "The gate is open. Policies decide again.").await
}

async fn moved(ask: &OrgPage, state: GateState, form: GateForm, said: &str) -> PageResult {
    match gate::set(&ask.cx, state, &form.reason, form::version(&form.version)).await {
        Ok(_) => Ok(go_saying(&href(ask), Toast::say(said))),
        Err(error) => {
            let faults = form::faults_of(error)?;
            shown(ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn shown(ask: &OrgPage, status: StatusCode, mut form: GateForm, faults: FormFaults) -> PageResult {
    let sheet = gate::sheet(&ask.cx).await?;
    form.version = sheet.gate.version.to_string();
    let mut shell = shell_of::org(ask, "Gate").await?;
    shell.has_faults = !faults.is_empty();
    page_with(
        status,
        &GatePage {
            shell,
            href: href(ask),
            org: ask.cx.org.name.clone(),
            sheet,
            can_move: ask.cx.may(Permission::GateWrite),
            form,
            faults,
        },
    )
}

fn href(ask: &OrgPage) -> String {
    format!("/o/{}/gate", ask.cx.org.slug)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::domain::{
        automation::AutomationCount,
        gate::{Gate, GateState},
        tenancy::PeopleCount,
    };
    use crate::web::kit::{
        samples::{AT, LONG, faults, sample, shell},
        shell::Base,
    };

    let page = |gate: Gate, reason: &str, faults| GatePage {
        shell: shell(Base::Organization, "Gate"),
        href: "/o/acme/gate".into(),
        org: "Acme".into(),
        sheet: GateSheet { gate, people: PeopleCount::default(), automation: AutomationCount::default() },
        can_move: true,
        form: GateForm { reason: reason.into(), version: "3".into() },
        faults,
    };
    let closed = |by: Option<&str>| Gate {
        state: GateState::Closed,
        reason: LONG.into(),
        changed_at: Some(AT),
        changed_by: None,
        changed_by_name: by.map(str::to_owned),
        version: 3,
    };
    vec![
        sample("gate", &page(Gate::untouched(), "", FormFaults::default())),
        sample("gate: closed", &page(closed(Some(LONG)), "", FormFaults::default())),
        sample("gate: closed by a script", &page(closed(None), "", FormFaults::default())),
        sample("gate: refused", &page(Gate::untouched(), LONG, faults(&[("reason", "say why")]))),
    ]
}
