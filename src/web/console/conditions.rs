//! Conditions as forms show and read them: a row for each, with a place, a comparison, a value, and how many have to fit.

use crate::{
    domain::policy::{document::Fault as DocumentFault, edit::TypedCondition, words::OPERATOR_WORDS},
    web::kit::{
        form::FormFaults,
        parts::{Choice, Fault},
    },
};

/// How many conditions a form takes.
const MOST: usize = 100;

/// One condition.
pub(super) struct ConditionRow {
    pub(super) number: usize,
    pub(super) typed: TypedCondition,
    pub(super) operators: Vec<Choice>,
    pub(super) quantifiers: Vec<Choice>,
    pub(super) error: String,
}

/// The rows of conditions, with an empty one where there is none yet or one more is wanted.
pub(super) fn condition_rows(typed: &[TypedCondition], more: bool, faults: &FormFaults) -> Vec<ConditionRow> {
    let mut typed = typed.to_vec();
    if more || typed.is_empty() {
        typed.push(TypedCondition::default());
    }
    let row = |(number, typed): (usize, TypedCondition)| ConditionRow {
        number,
        operators: choices(&OPERATOR_WORDS, if typed.op.is_empty() { "eq" } else { &typed.op }),
        quantifiers: choices(&[("any", "one is enough"), ("all", "all have to")], &typed.quantifier),
        error: faults.of(&format!("path-{number}")).to_owned(),
        typed,
    };
    typed.into_iter().enumerate().map(row).collect()
}

fn choices(all: &[(&str, &str)], chosen: &str) -> Vec<Choice> {
    all.iter().map(|(value, label)| Choice::new(*value, *label).chosen_by(chosen)).collect()
}

/// Takes a field of a posted form that belongs to a condition; tells whether it did. Rows that stay blank are the form's to
/// leave out.
pub(super) fn take_condition(rows: &mut Vec<TypedCondition>, name: &str, value: &str) -> bool {
    let Some((field, number)) = name.rsplit_once('-') else { return false };
    let Some(number) = number.parse::<usize>().ok().filter(|number| *number < MOST) else { return false };
    rows.resize_with(rows.len().max(number + 1), TypedCondition::default);
    let value = value.to_owned();
    match field {
        "path" => rows[number].path = value,
        "op" => rows[number].op = value,
        "operand" => rows[number].value = value,
        "quantifier" => rows[number].quantifier = value,
        _ => {}
    }
    true
}

/// A fault of a list of conditions, beside the row that it is about.
pub(super) fn placed_condition(fault: DocumentFault) -> Fault {
    let mut steps = fault.path.split('/').skip(1);
    let number = steps.next().unwrap_or_default();
    let suggestion = fault.suggestion.map(|text| format!(" {text}")).unwrap_or_default();
    let (field, which) = match number.parse::<usize>() {
        Ok(at) => {
            let part = steps.next().map(|part| format!(", {part}")).unwrap_or_default();
            (format!("path-{number}"), format!("Condition {}{part}: ", at + 1))
        }
        Err(_) => (String::new(), String::new()),
    };
    Fault { field, message: format!("{which}{}{suggestion}", fault.reason) }
}
