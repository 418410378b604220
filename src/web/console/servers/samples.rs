//! What the sample pages of servers are filled with, and all of them.

use std::{sync::Arc, time::Duration};

use crate::{
    base::ids::ServerId,
    domain::servers::{
        DayHealth, Declared, Refreshed, SeenTool, Server, Tool, ToolState, Transport, days, drift,
    },
    flow::catalogue::{StepName, StepReport, StepState},
    web::{
        console::servers::{
            add, change, check, credentials, list, show, tool, words::DriftRow, words::drift_rows,
        },
        kit::samples::{AT, LONG, SHARP, Sample},
    },
};

/// The samples of every file of these pages.
pub(in crate::web::console) fn samples() -> Vec<Sample> {
    let files = [
        add::samples,
        change::samples,
        check::samples,
        credentials::samples,
        list::samples,
        show::samples,
        tool::samples,
    ];
    files.iter().flat_map(|samples| samples()).collect()
}

/// A server of this name that cannot be read.
pub(super) fn server(name: &str) -> Server {
    let declared = Declared {
        protocol_version: Some("2026-07-28".into()),
        name: Some(SHARP.into()),
        version: Some("1.9.2".into()),
        ..Declared::default()
    };
    let refreshed = Refreshed {
        at: Some(AT),
        tried_at: Some(AT),
        error: Some("The server refuses connections: nothing listens on that port.".into()),
        error_since: Some(AT),
        failures: 3,
    };
    Server {
        id: ServerId::fresh(),
        slug: "github".parse().expect("a slug"),
        name: name.into(),
        description: name.repeat(4),
        transport: Transport::Http,
        url: format!("https://mcp.example.com/{}", "a-long-path/".repeat(8)),
        is_enabled: true,
        created_by: None,
        created_at: AT,
        updated_at: AT,
        version: 7,
        declared,
        refreshed,
    }
}

/// A tool in this state, with a description as long as some are; one that changed was accepted without a description.
pub(super) fn tool(n: usize, state: ToolState) -> Tool {
    let name = format!("tool_{n}_{}", "of_an_organization_".repeat(3));
    let text = |description: &str| {
        serde_json::json!({ "name": name, "title": SHARP, "description": description }).to_string()
    };
    let read = |text: String| SeenTool::read(&text).expect("a tool");
    let (seen, was) = (read(text(&LONG.repeat(3))), read(text("")));
    let accepted = match state {
        ToolState::Reviewed => Some(&seen),
        ToolState::Changed => Some(&was),
        _ => None,
    };
    Tool {
        title: seen.title.clone(),
        accepted_definition: accepted.map(|tool| Arc::clone(&tool.definition)),
        accepted_fingerprint: accepted.map(|tool| tool.fingerprint),
        variant: None,
        state,
        class: seen.classified.class,
        severity: seen.classified.severity,
        class_reason: seen.classified.reason.clone(),
        class_by: seen.classified.by,
        is_enabled: !n.is_multiple_of(3),
        required_scopes: vec!["repo".into(), "read:org".into()],
        first_seen_at: AT,
        seen_at: AT,
        reviewed_at: Some(AT),
        reviewed_by: None,
        version: 3,
        name: seen.name,
        definition: seen.definition,
        fingerprint: seen.fingerprint,
    }
}

/// How a tool differs from what was accepted.
pub(super) fn differences(tool: &Tool) -> Vec<DriftRow> {
    let accepted = tool.accepted_definition.as_deref().unwrap_or("{}");
    drift_rows(&drift(accepted, &tool.definition))
}

/// Two weeks of which nothing is known.
pub(super) fn health() -> Vec<DayHealth> {
    days(Vec::new(), AT)
}

/// The steps of a check that ended at one of them, or at none.
pub(super) fn steps(failed: Option<StepName>) -> Vec<StepReport> {
    let mut is_over = false;
    let step = |name| {
        let state = if is_over {
            StepState::NotReached
        } else if failed == Some(name) {
            is_over = true;
            StepState::Failed
        } else {
            StepState::Passed
        };
        StepReport {
            name,
            state,
            fact: SHARP.into(),
            cause: (state == StepState::Failed).then(|| LONG.into()),
            fix: (state == StepState::Failed).then(|| SHARP.into()),
            took: Duration::from_millis(12),
        }
    };
    StepName::ALL.into_iter().map(step).collect()
}
