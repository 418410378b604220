//! The schema as Postgres itself describes it.

use std::{collections::BTreeSet, env, fs};

use portreeve::io::db::{Db, PoolSettings};
use sqlx::{Executor, PgConnection, Row, postgres::PgRow};

use crate::{
    house::{no_faults, source::root},
    kit::database::{TestDatabase, connect, execute},
};

/// Tables without row-level security, and what holds strangers off instead.
const OPEN_TABLES: [(&str, &str); 8] = [
    ("_sqlx_migrations", "versions of the schema; the application only reads them"),
    ("attempts", "counters under hashed keys; nobody's rows"),
    ("ceremonies", "before anybody is known; only the system reaches them"),
    ("instance", "one row about the installation; the application only reads it"),
    ("jobs", "work of all; the application may only add"),
    ("letters", "sealed; the application may only add"),
    ("replicas", "our own processes; only the system reaches them"),
    ("signing_keys", "keys of the installation; private halves are sealed"),
];

/// Unique rules on tenant tables that do not begin with `org_id`. A clash with another organization's row tells
/// that it exists, so only values that nobody can guess may stand here.
const UNIQUE_ACROSS_ORGS: [(&str, &str); 4] = [
    ("api_keys_by_id", "random ids; a carried token is looked up by its row"),
    ("grant_tokens_by_id", "random ids; a carried token is looked up by its row"),
    ("invitations_by_id", "random ids; a carried token is looked up by its row"),
    ("providers_by_id", "random ids; no two providers share the address of a callback"),
];

/// Who may do what, as granted; written by `UPDATE_SNAPSHOTS=1 cargo test --test it house::schema`.
const RIGHTS: &str = "tests/it/house/rights.txt";

#[tokio::test]
async fn every_tenant_table_is_locked_to_its_org() {
    let database = TestDatabase::fresh().await;
    let mut conn = connect(&database.superuser()).await;
    let tables = tables_with(&mut conn, "org_id").await;
    assert!(tables.len() >= 10, "{tables:?}");
    let mut faults = Vec::new();
    for table in &tables {
        let (is_on, is_forced) = security(&mut conn, table).await;
        if !(is_on && is_forced) {
            faults.push(format!("{table}: row-level security is not enabled and forced"));
        }
        let policies = rows(&mut conn, POLICIES, table).await;
        let is_of_this_org = |row: &PgRow| {
            let mut conditions = [row.get::<String, _>("using"), row.get::<String, _>("check")].into_iter();
            let rule = "(org_id = ( SELECT current_org() AS current_org))";
            row.get::<String, _>("command") == "*" && conditions.all(|condition| condition == rule)
        };
        if !policies.iter().any(|row| row.get::<String, _>("roles") == "portreeve_app" && is_of_this_org(row))
        {
            faults.push(format!("{table}: no policy `org_id = current_org()` for portreeve_app"));
        }
        let first: Option<String> = one(&mut conn, FIRST_OF_PRIMARY_KEY, table).await;
        if first.as_deref() != Some("org_id") {
            faults.push(format!("{table}: the primary key begins with {first:?}"));
        }
        if has_nullable_org(&mut conn, table).await {
            faults.push(format!("{table}: org_id may be null"));
        }
    }
    no_faults(&faults);
}

#[tokio::test]
async fn every_table_is_locked_or_listed_as_open() {
    let database = TestDatabase::fresh().await;
    let mut conn = connect(&database.superuser()).await;
    let mut faults = Vec::new();
    let tables = tables(&mut conn).await;
    for table in &tables {
        let (is_on, is_forced) = security(&mut conn, table).await;
        let is_open = OPEN_TABLES.iter().any(|(open, _)| open == table);
        if is_open == (is_on && is_forced) {
            let is = if is_open { "listed as open, but locked" } else { "neither locked nor listed as open" };
            faults.push(format!("{table}: {is}"));
        }
    }
    let gone = OPEN_TABLES.iter().filter(|(open, _)| !tables.iter().any(|table| table == open));
    faults.extend(gone.map(|(open, _)| format!("{open}: listed, but no such table")));
    no_faults(&faults);
}

#[tokio::test]
async fn references_between_tenant_tables_stay_within_the_org() {
    let database = TestDatabase::fresh().await;
    let mut conn = connect(&database.superuser()).await;
    let owned = tables_with(&mut conn, "org_id").await;
    let keys = conn.fetch_all(FOREIGN_KEYS).await.unwrap();
    assert!(!keys.is_empty());
    let mut faults = Vec::new();
    for key in keys {
        let (name, from, to): (String, String, String) = (key.get("name"), key.get("from"), key.get("to"));
        let pairs: Vec<(String, String)> = key
            .get::<Vec<String>, _>("from_columns")
            .into_iter()
            .zip(key.get::<Vec<String>, _>("to_columns"))
            .collect();
        if owned.contains(&to) && !pairs.contains(&("org_id".to_owned(), "org_id".to_owned())) {
            faults.push(format!("{name}: {from} refers to {to} without the pair of org_id"));
        }
    }
    no_faults(&faults);
}

#[tokio::test]
async fn no_unique_rule_tells_of_another_orgs_rows() {
    let database = TestDatabase::fresh().await;
    let mut conn = connect(&database.superuser()).await;
    let mut loose = BTreeSet::new();
    for table in tables_with(&mut conn, "org_id").await {
        for row in rows(&mut conn, UNIQUE_INDEXES, &table).await {
            if row.get::<Option<String>, _>("first").as_deref() != Some("org_id") {
                loose.insert(row.get::<String, _>("name"));
            }
        }
    }
    crate::house::exactly(
        "be unique across orgs",
        &loose.into_iter().collect::<Vec<_>>(),
        &UNIQUE_ACROSS_ORGS,
    );
}

#[tokio::test]
async fn serving_roles_own_nothing_and_cannot_pass_row_level_security() {
    let database = TestDatabase::fresh().await;
    let mut conn = connect(&database.superuser()).await;
    let roles = conn
        .fetch_all(
            "select rolname::text as name, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication
                as is_mighty, rolcanlogin as may_log_in, rolinherit as inherits,
                exists(select from pg_shdepend d where d.refobjid = r.oid and d.deptype = 'o') as owns
            from pg_roles r where rolname in ('portreeve_app', 'portreeve_system') order by rolname",
        )
        .await
        .unwrap();
    let facts: Vec<(String, [bool; 4])> = roles
        .iter()
        .map(|row| {
            (row.get("name"), ["is_mighty", "owns", "may_log_in", "inherits"].map(|fact| row.get(fact)))
        })
        .collect();
    let app = ("portreeve_app".to_owned(), [false, false, true, false]);
    let [found_app, (system, [is_mighty, owns, may_log_in, _])] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((found_app, system.as_str()), (&app, "portreeve_system"));
    assert!(!is_mighty && !owns && !may_log_in);
}

#[tokio::test]
async fn only_the_app_role_may_serve() {
    let database = TestDatabase::fresh().await;
    for (options, is_safe) in
        [(database.app(), true), (database.owner(), false), (database.superuser(), false)]
    {
        let db = Db::lazy(options, PoolSettings::default());
        let verdict = db.check_role().await.unwrap();
        assert_eq!(verdict.is_ok(), is_safe, "{verdict:?}");
    }
}

#[tokio::test]
async fn nothing_reaches_rows_around_the_policies() {
    let database = TestDatabase::fresh().await;
    let mut conn = connect(&database.superuser()).await;
    let around = conn
        .fetch_all(
            "select format('view %s', c.relname) as what from pg_class c
                where c.relnamespace = 'public'::regnamespace and (c.relkind in ('m', 'f')
                    or c.relkind = 'v' and not coalesce(c.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on'])
            union all select format('function %s', p.proname) from pg_proc p
                where p.pronamespace = 'public'::regnamespace and p.prosecdef
            union all select format('%s may create in schema public', r) from unnest(array['portreeve_app', 'portreeve_system']) r
                where has_schema_privilege(r, 'public', 'create')
            union all select format('%s may call %s', r, p.oid::regprocedure) from pg_proc p, unnest(array['portreeve_app', 'portreeve_system']) r
                where p.pronamespace = 'public'::regnamespace and p.prokind = 'p' and has_function_privilege(r, p.oid, 'execute')",
        )
        .await
        .unwrap();
    no_faults(&around.iter().map(|row| row.get("what")).collect::<Vec<String>>());
}

#[tokio::test]
async fn rights_and_policies_are_those_that_were_reviewed() {
    let database = TestDatabase::fresh().await;
    let mut conn = connect(&database.superuser()).await;
    let mut lines: Vec<String> = Vec::new();
    for query in [GRANTS, ALL_POLICIES] {
        lines.extend(conn.fetch_all(query).await.unwrap().iter().map(|row| row.get::<String, _>("line")));
        lines.push(String::new());
    }
    let found = format!("{}\n", lines.join("\n").trim_end());
    let file = root().join(RIGHTS);
    if env::var_os("UPDATE_SNAPSHOTS").is_some() && env::var_os("CI").is_none() {
        fs::write(&file, &found).unwrap();
    }
    let reviewed = fs::read_to_string(&file).unwrap_or_default();
    let missing = reviewed.lines().filter(|line| !found.lines().any(|found| found == *line));
    let added = found.lines().filter(|line| !reviewed.lines().any(|reviewed| reviewed == *line));
    no_faults(
        &missing
            .map(|line| format!("gone: {line}"))
            .chain(added.map(|line| format!("new: {line}")))
            .collect::<Vec<_>>(),
    );
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let database = TestDatabase::fresh().await;
    portreeve::io::db::migrate::migrate(&database.owner()).await.unwrap();
    portreeve::io::db::migrate::check(&database.app()).await.unwrap();
    let mut conn = connect(&database.superuser()).await;
    assert_eq!(
        execute(
            &mut conn,
            "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)"
        )
        .await,
        1
    );
    let verdict = portreeve::io::db::migrate::check(&database.app()).await;
    assert!(matches!(verdict, Err(portreeve::io::db::migrate::SchemaError::Behind(1))), "{verdict:?}");
}

/// All tables of ours.
pub(crate) async fn tables(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        order by relname",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

/// The tables that have this column.
pub(crate) async fn tables_with(conn: &mut PgConnection, column: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attname = $1 order by 1",
    )
    .bind(column)
    .fetch_all(conn)
    .await
    .unwrap()
}

/// Whether row-level security is enabled, and whether it holds the owner too.
async fn security(conn: &mut PgConnection, table: &str) -> (bool, bool) {
    let query = "select relrowsecurity as is_on, relforcerowsecurity as is_forced from pg_class where oid = $1::regclass";
    let row = rows(conn, query, table).await.remove(0);
    (row.get("is_on"), row.get("is_forced"))
}

async fn has_nullable_org(conn: &mut PgConnection, table: &str) -> bool {
    let query =
        "select not attnotnull from pg_attribute where attrelid = $1::regclass and attname = 'org_id'";
    one(conn, query, table).await.expect("the table was chosen for its org_id")
}

async fn rows(conn: &mut PgConnection, query: &'static str, table: &str) -> Vec<PgRow> {
    sqlx::query(query).bind(table).fetch_all(conn).await.unwrap()
}

async fn one<T>(conn: &mut PgConnection, query: &'static str, table: &str) -> Option<T>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(query).bind(table).fetch_optional(conn).await.unwrap()
}

const POLICIES: &str = r#"select polcmd::text as command, polpermissive as is_permissive,
        array_to_string(array(select rolname from pg_roles where oid = any(polroles) order by 1), ',') as roles,
        coalesce(pg_get_expr(polqual, polrelid), '') as "using",
        coalesce(pg_get_expr(polwithcheck, polrelid), '') as "check"
    from pg_policy where polrelid = $1::regclass and polpermissive"#;

const FIRST_OF_PRIMARY_KEY: &str = "select a.attname::text from pg_constraint c
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.conrelid = $1::regclass and c.contype = 'p'";

const UNIQUE_INDEXES: &str =
    "select i.indexrelid::regclass::text as name, a.attname::text as first from pg_index i
    left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = $1::regclass and i.indisunique";

const FOREIGN_KEYS: &str = r#"select conname::text as name, conrelid::regclass::text as "from",
        confrelid::regclass::text as "to",
        array(select attname::text from unnest(conkey) with ordinality k(n, i)
            join pg_attribute on attrelid = conrelid and attnum = k.n order by k.i) as from_columns,
        array(select attname::text from unnest(confkey) with ordinality k(n, i)
            join pg_attribute on attrelid = confrelid and attnum = k.n order by k.i) as to_columns
    from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace"#;

const GRANTS: &str = "with grants as (
        select c.relname, null as columns, a.privilege_type, a.grantee from pg_class c, aclexplode(c.relacl) a
            where c.relnamespace = 'public'::regnamespace and a.grantee <> c.relowner
        union all
        select c.relname, string_agg(t.attname, ', ' order by t.attnum), a.privilege_type, a.grantee
            from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a
            where c.relnamespace = 'public'::regnamespace group by c.relname, a.privilege_type, a.grantee)
    select format('grant %s%s: %s to %s', g.relname, ' (' || g.columns || ')',
        string_agg(lower(g.privilege_type), ', ' order by g.privilege_type), coalesce(r.rolname, 'public')) as line
    from grants g left join pg_roles r on r.oid = g.grantee
    group by g.relname, g.columns, r.rolname order by 1";

const ALL_POLICIES: &str = "select format('policy %s %s: %s for %s to %s using %s check %s', c.relname, p.polname,
        case when p.polpermissive then 'permit' else 'restrict' end,
        case p.polcmd when '*' then 'all' when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
            else 'delete' end,
        coalesce(nullif(array_to_string(array(select rolname from pg_roles where oid = any(p.polroles) order by 1), ', '), ''), 'public'),
        regexp_replace(coalesce(pg_get_expr(p.polqual, p.polrelid), 'nothing'), '\\s+', ' ', 'g'),
        regexp_replace(coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'nothing'), '\\s+', ' ', 'g')) as line
    from pg_policy p join pg_class c on c.oid = p.polrelid order by 1";
