//! `.env.example` lists exactly what the configuration reads.

use std::collections::BTreeSet;

use crate::house::{
    no_faults,
    source::{TokenKind, read, rust},
};

#[test]
fn the_example_lists_exactly_what_is_read() {
    let mut read_by_us = BTreeSet::new();
    let of_config = |module: &[String]| {
        module.get(1).is_some_and(|room| room == "config")
            && module.last().is_some_and(|last| last != "tests")
    };
    for file in rust("src/base").iter().filter(|file| of_config(&file.module())) {
        read_by_us.extend(file.tokens.iter().filter_map(|token| match &token.kind {
            TokenKind::Text(text) if is_setting(text) => Some(text.clone()),
            _ => None,
        }));
    }
    let example = read(".env.example").unwrap_or_default();
    let listed: BTreeSet<_> = example
        .lines()
        .filter_map(|line| Some(line.trim_start_matches(['#', ' ']).split_once('=')?.0.to_owned()))
        .filter(|name| is_setting(name))
        .collect();
    let unlisted =
        read_by_us.difference(&listed).map(|name| format!("{name}: read, but not in .env.example"));
    let unread = listed.difference(&read_by_us).map(|name| format!("{name}: in .env.example, but not read"));
    no_faults(&unlisted.chain(unread).collect::<Vec<_>>());
}

fn is_setting(text: &str) -> bool {
    let is_name = text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    is_name
        && (text == "DATABASE_URL" || text.strip_prefix("PORTREEVE_").is_some_and(|rest| !rest.is_empty()))
}
