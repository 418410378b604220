//! The steps of a check while it goes on, for the page of a server's check and for the page that adds one.

use askama::Template;

use crate::{
    flow::catalogue::StepReport,
    web::console::servers::words::{StepRow, rows_under_way},
};

#[derive(Template)]
#[template(path = "console/servers/under_way.html")]
struct UnderWay {
    steps: Vec<StepRow>,
    said: String,
}

/// The piece that shows how far a check has come.
pub(super) fn under_way(taken: &[StepReport]) -> String {
    let steps = rows_under_way(taken);
    let last = taken.len().checked_sub(1).and_then(|at| steps.get(at));
    let said = last.map(|step| format!("{}: {}", step.label, step.text));
    UnderWay { said: said.unwrap_or_default(), steps }.render().unwrap_or_default()
}
