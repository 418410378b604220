//! Events as CSV for a spreadsheet (RFC 4180); made for reading, it proves nothing.

use crate::domain::audit::{canon::micros, store::EventRow};

const COLUMNS: [&str; 15] = [
    "seq",
    "time",
    "event",
    "kind",
    "action",
    "decision",
    "actor_kind",
    "actor_id",
    "actor",
    "user",
    "target_kind",
    "target_id",
    "target",
    "request",
    "ip",
];

/// The first line.
pub fn csv_head() -> String {
    line(COLUMNS.map(str::to_owned))
}

/// The line of one event.
pub fn csv_row(row: &EventRow) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    line([
        row.seq.to_string(),
        micros::text(row.at),
        row.id.to_string(),
        row.kind.name().to_owned(),
        row.action.clone(),
        row.decision.name().to_owned(),
        row.actor_kind.clone(),
        text(&row.actor_id),
        row.actor_name.clone(),
        row.user.map(|user| user.to_string()).unwrap_or_default(),
        text(&row.target_kind),
        text(&row.target_id),
        text(&row.target_name),
        row.request.map(|request| request.to_string()).unwrap_or_default(),
        row.ip.map(|ip| ip.to_string()).unwrap_or_default(),
    ])
}

fn line(cells: [String; COLUMNS.len()]) -> String {
    cells.map(|text| cell(&text)).join(",") + "\r\n"
}

/// Always quoted; what a spreadsheet would take for a formula is led by an apostrophe (OWASP, CSV
/// injection).
fn cell(text: &str) -> String {
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        || text.starts_with(['\t', '\r', '\n']);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::ids::EventId,
        domain::audit::entry::{Decision, EventKind},
    };
    use time::macros::datetime;
    use uuid::Uuid;

    #[test]
    fn a_row_has_one_cell_for_each_column() {
        let row = EventRow {
            seq: 3,
            id: EventId::from_uuid(Uuid::nil()),
            at: datetime!(2026-11-21 8:30 UTC),
            kind: EventKind::Admin,
            action: "team.created".to_owned(),
            actor_kind: "user".to_owned(),
            actor_id: None,
            actor_name: "=HYPERLINK(\"http://x\",\"y\")".to_owned(),
            user: None,
            target_kind: Some("team".to_owned()),
            target_id: Some("tem_1".to_owned()),
            target_name: Some("A, \"B\"\r\nC".to_owned()),
            decision: Decision::Done,
            request: None,
            ip: None,
        };
        assert_eq!(
            csv_row(&row),
            concat!(
                r#""3","2026-11-21T08:30:00.000000Z","evt_00000000000000000000000000","#,
                r#""admin","team.created","done","#,
                r#""user","","'=HYPERLINK(""http://x"",""y"")","","team","tem_1","A, ""B"""#,
                "\r\nC\",\"\",\"\"\r\n"
            )
        );
        assert_eq!(csv_head().split(',').count(), COLUMNS.len());
    }

    #[test]
    fn nothing_reads_as_a_formula() {
        for text in ["=1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "＝1"] {
            assert!(cell(text).starts_with("\"'"), "{text:?}");
        }
        assert_eq!(cell("Ada-Marie"), "\"Ada-Marie\"");
    }
}
