//! Plants one row per tenant into every table that belongs to somebody, knowing only the catalogue.

use std::collections::HashMap;

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::kit::database::execute;

/// Columns that a check of several columns wants filled although they may be null.
const ALSO_FILLED: [(&str, &str); 6] = [
    ("api_keys", "user_id"),
    ("data_keys", "wrapped"),
    ("grants", "user_id"),
    ("providers", "preset"),
    ("server_credentials", "sealed_value"),
    ("server_credentials", "data_key_id"),
];

/// A column that has to be given a value.
struct Column {
    name: String,
    kind: String,
    /// The first text that a check of this column allows.
    allowed: Option<String>,
}

/// Writes a row into `table` with these values in the named columns, and others made up. Rules between tables are
/// off meanwhile, rules within the row are not.
pub(crate) async fn plant(conn: &mut PgConnection, table: &str, given: &[(&str, Uuid)]) {
    let statement = insertion(conn, table, given).await;
    execute(conn, "set session_replication_role = replica").await;
    execute(conn, &statement).await;
    execute(conn, "set session_replication_role = origin").await;
}

/// The statement that would write such a row.
pub(crate) async fn insertion(conn: &mut PgConnection, table: &str, given: &[(&str, Uuid)]) -> String {
    let given: HashMap<_, _> = given.iter().copied().collect();
    let mut names = Vec::new();
    let mut values = Vec::new();
    for column in columns(conn, table).await {
        let given = given.get(column.name.as_str());
        values.push(given.map_or_else(|| made_up(&column), |id| format!("'{id}'")));
        names.push(column.name);
    }
    format!("insert into {table} ({}) values ({})", names.join(", "), values.join(", "))
}

fn made_up(column: &Column) -> String {
    match column.kind.as_str() {
        "uuid" => format!("'{}'", Uuid::new_v4()),
        "text" => {
            let text = column.allowed.clone().unwrap_or_else(|| format!("x{}", Uuid::new_v4().simple()));
            format!("'{text}'")
        }
        "text[]" => "'{}'".to_owned(),
        // As long as the digests that many columns hold.
        "bytea" => format!("'\\x{0}{0}'", Uuid::new_v4().simple()),
        "timestamp with time zone" => "'2026-11-21'".to_owned(),
        "boolean" => "true".to_owned(),
        "jsonb" => "'{}'".to_owned(),
        "inet" => "'192.0.2.1'".to_owned(),
        "smallint" | "integer" | "bigint" | "numeric" => "1".to_owned(),
        other => panic!("teach seed.rs a value of type {other}, for {}", column.name),
    }
}

async fn columns(conn: &mut PgConnection, table: &str) -> Vec<Column> {
    let also: Vec<_> = ALSO_FILLED.iter().filter(|(of, _)| *of == table).map(|(_, column)| *column).collect();
    let rows = sqlx::query(
        r"select a.attname::text as name, format_type(a.atttypid, null) as kind,
            (select (regexp_match(pg_get_constraintdef(k.oid), '''([^'']*)''::text'))[1] from pg_constraint k
                where k.conrelid = a.attrelid and k.contype = 'c' and k.conkey = array[a.attnum] limit 1) as allowed
        from pg_attribute a
        where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
            and (a.attnotnull and not a.atthasdef or a.attname = any($2))
        order by a.attnum",
    )
    .bind(table)
    .bind(also)
    .fetch_all(conn)
    .await
    .unwrap();
    rows.iter()
        .map(|row| Column { name: row.get("name"), kind: row.get("kind"), allowed: row.get("allowed") })
        .collect()
}
