//! From flags, environment and file to one text per setting, with where it came from.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::base::config::{
    settings::{SETTINGS, Setting},
    values::quote,
};

/// The text of one setting, and the name under which it was given.
pub(super) struct Given {
    pub(super) text: Zeroizing<String>,
    pub(super) origin: String,
}

/// What was given, by key.
pub(super) type AllGiven = BTreeMap<&'static str, Given>;

/// Lays flags over environment over file; names every key that does not exist.
pub(super) fn gather(
    flags: &[(String, String)],
    env: &[(String, String)],
    file: Option<(&str, &str)>,
    faults: &mut Vec<String>,
) -> AllGiven {
    let mut given = AllGiven::new();
    if let Some((name, text)) = file {
        from_file(name, text, &mut given, faults);
    }
    from_env(env, &mut given, faults);
    for (key, text) in flags {
        if let Some(setting) = by_key(key) {
            let origin = format!("--{}", setting.flag().unwrap_or_default());
            given.insert(setting.key, Given { text: Zeroizing::new(text.clone()), origin });
        }
    }
    given
}

fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

fn from_env(env: &[(String, String)], given: &mut AllGiven, faults: &mut Vec<String>) {
    for (name, text) in env {
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.env == name) {
            // Compose files pass variables on as empty text when they are not set.
            if !text.is_empty() {
                let text = Zeroizing::new(text.clone());
                given.insert(setting.key, Given { text, origin: setting.env.to_owned() });
            }
        } else if name.starts_with("PORTREEVE_") && !is_from_kubernetes(name, text) {
            let known = SETTINGS.iter().map(|setting| setting.env);
            faults
                .push(format!("the environment has {name}, which is no setting{}", suggestion(name, known)));
        }
    }
}

/// Kubernetes describes every service to every pod: a service called portreeve gives `PORTREEVE_PORT` and more.
fn is_from_kubernetes(name: &str, text: &str) -> bool {
    let address = |text: &str| text.starts_with("tcp://") || text.starts_with("udp://");
    let port_part =
        name.split("_PORT_").nth(1).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || port_part
        || (name.ends_with("_PORT") && address(text))
}

fn from_file(name: &str, text: &str, given: &mut AllGiven, faults: &mut Vec<String>) {
    let table = match text.parse::<toml::Table>() {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            // The parser's own words may quote the line, and with it a secret.
            faults.push(format!("{name}, line {line}: {}", error.message()));
            return;
        }
    };
    for (key, value) in &table {
        match value {
            toml::Value::Table(section) => {
                for (inner, value) in section {
                    file_value(name, &format!("{key}.{inner}"), value, given, faults);
                }
            }
            value => file_value(name, key, value, given, faults),
        }
    }
}

fn file_value(file: &str, key: &str, value: &toml::Value, given: &mut AllGiven, faults: &mut Vec<String>) {
    let Some(setting) = by_key(key) else {
        let known = SETTINGS.iter().map(|setting| setting.key);
        faults.push(format!("{file} has {}, which is no setting{}", quote(key), suggestion(key, known)));
        return;
    };
    match as_text(value) {
        Some(text) => {
            let origin = format!("{key} in {file}");
            given.insert(setting.key, Given { text: Zeroizing::new(text), origin });
        }
        None => faults.push(format!("{key} in {file}: write it as text, such as {key} = \"…\"")),
    }
}

fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            Some(items?.join(","))
        }
        _ => None,
    }
}

/// `; did you mean …?`, when some known name is close.
fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let best = known.map(|known| (distance(name, known), known)).min();
    // A name that was forgotten to be prefixed counts as close, too.
    match best {
        Some((far, known)) if far <= 3 || known.ends_with(name.trim_start_matches("PORTREEVE")) => {
            format!("; did you mean {known}?")
        }
        _ => String::new(),
    }
}

/// Levenshtein's distance, ignoring case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
