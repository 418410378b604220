//! The statements of all stores, as `.sqlx` keeps them and as the source writes them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    house::{
        exactly, no_faults, schema,
        source::{NamedPath, files, read, rust},
    },
    kit::database::{TestDatabase, connect},
};

/// Where SQL may stand besides `store.rs` and `store/*.rs`.
const BELOW_THE_STORES: &str = "src/io/db/";

/// Files that run SQL which is not checked against the schema.
const UNCHECKED: [(&str, &str); 3] = [
    ("src/io/db/builtin/roles.rs", "roles and database are made before there is a schema"),
    ("src/io/db/migrate.rs", "roles are made before there is a schema, and `do` takes no parameters"),
    ("src/io/db/tx.rs", "SET LOCAL takes no parameters; what goes in is an id in hexadecimal"),
];

/// Statements on tables with `org_id` that may go without naming it: how they begin, and why.
const ACROSS_ORGS: [(&str, &str); 7] = [
    (
        "(select distinct on (master_key_id) org_id",
        "one key per master key is opened to see that the ring is whole",
    ),
    (
        "select org_id as \"org: OrgId\" from connect_requests where state_hash",
        "a person finds by the state that their browser brings back in which organization they asked",
    ),
    (
        "select org_id as \"org: OrgId\", id as \"id: ConnectionId\" from connections where state in",
        "which accounts need a new token is seen across all organizations",
    ),
    (
        "select org_id as \"org: OrgId\", id as \"id: ConnectionId\" from token_endings where next_at",
        "of which accounts a provider is still to be told is seen across all organizations",
    ),
    (
        "select current_setting('server_version')",
        "a figure of the database, which is called connections there",
    ),
    (
        "select org_id as \"org: OrgId\" from servers where id",
        "who tries unknown tokens at a server's own address is told to whose server it is",
    ),
    (
        "select org_id as \"org: OrgId\", token_hash from grant_tokens",
        "the organization of a carried token is what it asks for",
    ),
];

#[test]
fn sql_stands_in_stores() {
    let macros = ["query", "query_as", "query_scalar", "query_unchecked", "query_as_unchecked", "query_file"];
    let mut faults = Vec::new();
    for file in rust("src") {
        let is_store = file.path.ends_with("/store.rs") || file.path.contains("/store/");
        if is_store || file.path.starts_with(BELOW_THE_STORES) {
            continue;
        }
        let lines = macros.iter().flat_map(|name| file.lines_with(&[name, "!"]));
        faults.extend(lines.map(|line| format!("{}:{line}: a statement outside of a store", file.path)));
    }
    no_faults(&faults);
}

#[test]
fn unchecked_sql_stands_in_listed_files() {
    let unchecked = |path: &NamedPath| {
        let last = path.segments.last().map_or("", String::as_str);
        let names = [
            "query",
            "query_as",
            "query_scalar",
            "query_with",
            "raw_sql",
            "AssertSqlSafe",
            "QueryBuilder",
            "*",
        ];
        path.segments[0] == "sqlx" && !path.is_ours && names.contains(&last)
    };
    let mut found = Vec::new();
    for file in rust("src") {
        // A path to a macro is followed by an exclamation mark; those are checked.
        let macros: BTreeSet<_> = ["query", "query_as", "query_scalar"]
            .iter()
            .flat_map(|name| file.lines_with(&["sqlx", ":", ":", name, "!"]))
            .collect();
        let mut lines = file.paths().into_iter().filter(unchecked).map(|path| path.line);
        if lines.any(|line| !macros.contains(&line)) {
            found.push(file.path);
        }
    }
    exactly("run unchecked SQL", &found, &UNCHECKED);
}

#[test]
fn rows_are_never_read_by_derive() {
    let mut faults = Vec::new();
    for file in rust("src") {
        faults.extend(
            file.lines_with(&["FromRow"]).iter().map(|line| format!("{}:{line}: FromRow", file.path)),
        );
    }
    no_faults(&faults);
}

#[tokio::test]
async fn every_statement_on_an_org_owned_table_names_the_org() {
    let database = TestDatabase::fresh().await;
    let mut conn = connect(&database.superuser()).await;
    let tables = schema::tables_with(&mut conn, "org_id").await;
    assert!(
        !tables.is_empty() && !statements().is_empty(),
        "without tables or without .sqlx this proves nothing"
    );
    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    for statement in statements() {
        let words = words(&statement);
        let Some(table) = tables.iter().find(|table| words.contains(table)) else {
            continue;
        };
        if names_org(&words) {
            continue;
        }
        match ACROSS_ORGS.iter().position(|(beginning, _)| statement.starts_with(beginning)) {
            Some(row) => drop(used.insert(row)),
            None => faults.push(format!("on {table}, without org_id to choose or to fill: {statement}")),
        }
    }
    let unused = ACROSS_ORGS.iter().enumerate().filter(|(row, _)| !used.contains(row));
    faults.extend(unused.map(|(_, (beginning, _))| format!("listed, but no such statement: {beginning}")));
    no_faults(&faults);
}

#[test]
fn naming_the_org_means_choosing_or_filling_it() {
    let names = |sql: &str| names_org(&words(sql));
    assert!(names("select name from teams where org_id = $1"));
    assert!(names("select 1 from teams t join gates g on g.org_id = t.org_id"));
    assert!(names("insert into teams (id, org_id) values ($1, $2)"));
    assert!(names("select 1 from teams where (org_id, id) > ($1, $2)"));
    assert!(names("delete from teams using x where x.org_id = any($1)"));
    assert!(!names("select org_id from api_keys where id = $1"));
    assert!(!names("select id from api_keys -- org_id = 1\n where name = 'org_id = 1' order by org_id"));
}

/// The one statement of ours that holds these words.
pub(crate) fn statement_of(words: &str) -> String {
    let mut holding: Vec<_> =
        statements().into_iter().filter(|statement| statement.contains(words)).collect();
    assert_eq!(holding.len(), 1, "statements with {words}: {holding:#?}");
    holding.remove(0)
}

/// Every statement that the macros checked, on one line.
fn statements() -> Vec<String> {
    let texts = files(".sqlx", &[".json"]).into_iter().map(|path| read(&path).unwrap_or_default());
    let texts = texts.map(|text| serde_json::from_str::<Value>(&text).expect("sqlx writes JSON"));
    texts
        .map(|statement| {
            statement["query"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// Names, numbers and marks of a statement in lower case, without texts and comments.
fn words(sql: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut rest = sql.to_ascii_lowercase();
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            _ => c.len_utf8(),
        };
        if length == 1 && (c.is_alphanumeric() || c == '_') {
            words.last_mut().expect("there is always a last word").push(c);
        } else {
            let mark = if length > 1 || c.is_whitespace() { String::new() } else { c.to_string() };
            words.extend([mark, String::new()]);
        }
        rest.drain(..length);
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether `org_id` is compared, joined by, or given a value.
fn names_org(words: &[String]) -> bool {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let is_insert = words.windows(2).any(|pair| pair == ["insert", "into"]);
    words.iter().enumerate().filter(|(_, word)| *word == "org_id").any(|(at, _)| {
        let is_left = matches!(word(at + 1), "=" | "in" | "is" | "<" | ">");
        // The name may be qualified: = t.org_id.
        let before = if at >= 2 && word(at - 1) == "." { at - 2 } else { at };
        let is_right = before > 0 && word(before - 1) == "=";
        let open = words[..at].iter().rposition(|word| word == "(");
        let close = words[at..].iter().position(|word| word == ")").map(|length| at + length);
        let is_in_brackets = open.zip(close).is_some_and(|(open, close)| {
            let before = if open > 0 { word(open - 1) } else { "" };
            let is_column_list = is_insert
                && words[..open].iter().rposition(|word| word == "into").is_some_and(|into| into + 2 == open);
            is_column_list || before == "using" || matches!(word(close + 1), "=" | "in" | "<" | ">")
        });
        is_left || is_right || is_in_brackets
    })
}
