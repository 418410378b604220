//! No tenant sees, changes or guesses another's rows, whatever statement is run: row-level security alone holds.

use std::{error::Error, fmt::Write};

use portreeve::{
    base::ids::{OrgId, UserId},
    io::db::{Db, DbError, OrgScope, OrgTx, PersonScope, PersonTx, PoolSettings, SystemTx, Tx},
};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use uuid::Uuid;

use crate::{
    house::{
        no_faults,
        schema::tables_with,
        seed::{insertion, plant},
    },
    kit::database::{TestDatabase, connect, execute},
};

/// SQLSTATE of a row that a policy refuses, and of a right that was not granted.
const FORBIDDEN: &str = "42501";

/// Person tables: whose rows they are stands in this column.
const PERSON: &str = "user_id";

/// Two organizations and two people, each with one row in every table that belongs to somebody.
struct TwoOfEach {
    database: TestDatabase,
    admin: PgConnection,
    org_tables: Vec<String>,
    /// Tables of people, with the column that names the person.
    person_tables: Vec<(String, &'static str)>,
    ours: OrgId,
    theirs: OrgId,
    me: UserId,
    stranger: UserId,
}

impl TwoOfEach {
    async fn plant() -> Self {
        let database = TestDatabase::fresh().await;
        let mut admin = connect(&database.superuser()).await;
        let org_tables = tables_with(&mut admin, "org_id").await;
        let mut person_tables: Vec<_> = tables_with(&mut admin, PERSON)
            .await
            .into_iter()
            .filter(|table| !org_tables.contains(table) && table != "ceremonies")
            .map(|table| (table, PERSON))
            .collect();
        person_tables.push(("users".to_owned(), "id"));
        let (ours, theirs, me, stranger) = (OrgId::fresh(), OrgId::fresh(), UserId::fresh(), UserId::fresh());
        for (org, person) in [(ours, me), (theirs, stranger)] {
            plant(&mut admin, "orgs", &[("id", org.uuid())]).await;
            for table in &org_tables {
                plant(&mut admin, table, &[("org_id", org.uuid()), (PERSON, person.uuid())]).await;
            }
            for (table, column) in &person_tables {
                plant(&mut admin, table, &[(column, person.uuid())]).await;
            }
        }
        Self { database, admin, org_tables, person_tables, ours, theirs, me, stranger }
    }

    async fn as_our_org(&self, db: &Db) -> OrgTx {
        OrgTx::begin(db, OrgScope::proven(self.ours)).await.unwrap()
    }
}

#[tokio::test]
async fn an_org_sees_its_own_rows_and_no_others() {
    let world = TwoOfEach::plant().await;
    let db = world.database.db();
    let mut tx = world.as_our_org(&db).await;
    let mut faults = Vec::new();
    let tables = world.org_tables.iter().map(|table| (table.as_str(), "org_id")).chain([("orgs", "id")]);
    for (table, column) in tables {
        let seen = count(tx.conn(), &format!("{table} where {column} = '{}'", world.ours.uuid())).await;
        let all = count(tx.conn(), table).await;
        if (seen, all) != (1, 1) {
            faults.push(format!("{table}: sees {seen} of its own rows and {all} in all"));
        }
    }
    no_faults(&faults);
}

#[tokio::test]
async fn an_org_can_neither_write_nor_move_a_row_into_another() {
    let mut world = TwoOfEach::plant().await;
    let db = world.database.db();
    let (ours, theirs) = (world.ours.uuid(), world.theirs.uuid());
    let mut faults = Vec::new();
    for table in &world.org_tables {
        let insert = insertion(&mut world.admin, table, &[("org_id", theirs)]).await;
        for (what, statement) in [
            ("write", insert),
            ("move", format!("update {table} set org_id = '{theirs}' where org_id = '{ours}'")),
        ] {
            let mut tx = OrgTx::begin(&db, OrgScope::proven(world.ours)).await.unwrap();
            let refusal = tx.conn().execute(AssertSqlSafe(statement)).await.map(|done| done.rows_affected());
            if !is_forbidden(&refusal) {
                faults.push(format!("{table}: may {what} a row into another org: {refusal:?}"));
            }
        }
    }
    no_faults(&faults);
}

#[tokio::test]
async fn an_org_can_neither_change_nor_remove_anothers_rows() {
    let mut world = TwoOfEach::plant().await;
    let db = world.database.db();
    let theirs = world.theirs.uuid();
    let mut faults = Vec::new();
    for table in &world.org_tables {
        for statement in [format!("update {table} set org_id = org_id"), format!("delete from {table}")] {
            let mut tx = OrgTx::begin(&db, OrgScope::proven(world.ours)).await.unwrap();
            // Rows that refer to ours would stop the statement before it came to theirs.
            tx.conn().execute("set constraints all deferred").await.unwrap();
            let theirs_only = format!("{statement} where org_id = '{theirs}'");
            let done = tx.conn().execute(AssertSqlSafe(theirs_only)).await.map(|done| done.rows_affected());
            if !(is_forbidden(&done) || matches!(done, Ok(0))) {
                faults.push(format!("{statement}: {done:?}"));
            }
        }
        assert_eq!(
            count(&mut world.admin, &format!("{table} where org_id = '{theirs}'")).await,
            1,
            "{table}"
        );
    }
    no_faults(&faults);
}

#[tokio::test]
async fn a_person_sees_their_own_rows_and_no_others() {
    let world = TwoOfEach::plant().await;
    let db = world.database.db();
    let mut tx = PersonTx::begin(&db, PersonScope::proven(world.me)).await.unwrap();
    let mut faults = Vec::new();
    for (table, column) in &world.person_tables {
        let own = count(tx.conn(), &format!("{table} where {column} = '{}'", world.me.uuid())).await;
        let all = count(tx.conn(), table).await;
        if (own, all) != (1, 1) {
            faults.push(format!("{table}: sees {own} own rows and {all} in all"));
        }
        let stranger = world.stranger.uuid();
        let steal =
            format!("update {table} set {column} = '{stranger}' where {column} = '{}'", world.me.uuid());
        let mut other = PersonTx::begin(&db, PersonScope::proven(world.me)).await.unwrap();
        let refusal = other.conn().execute(AssertSqlSafe(steal)).await.map(|done| done.rows_affected());
        if !is_forbidden(&refusal) {
            faults.push(format!("{table}: may give a row to somebody else: {refusal:?}"));
        }
    }
    assert_eq!((count(tx.conn(), "memberships").await, count(tx.conn(), "orgs").await), (1, 1));
    no_faults(&faults);
}

#[tokio::test]
async fn without_a_scope_nothing_is_seen() {
    let world = TwoOfEach::plant().await;
    let mut conn = connect(&world.database.app()).await;
    let people = world.person_tables.iter().map(|(table, _)| table);
    let tables: Vec<_> = world.org_tables.iter().chain(people).cloned().chain(["orgs".to_owned()]).collect();
    for preparation in ["select 1", "set portreeve.org = ''", "set portreeve.person = ''"] {
        execute(&mut conn, preparation).await;
        for table in &tables {
            assert_eq!(count(&mut conn, table).await, 0, "{table} after {preparation}");
        }
    }
    // The instance's own chain is nobody's either.
    execute(&mut conn, &format!("set portreeve.org = '{}'", OrgId::fresh().uuid())).await;
    for table in &tables {
        assert_eq!(count(&mut conn, table).await, 0, "{table} for an org that does not exist");
    }
}

#[tokio::test]
async fn a_dropped_transaction_leaves_no_scope_to_the_next() {
    let world = TwoOfEach::plant().await;
    let one_connection = PoolSettings { max: 1, ..PoolSettings::default() };
    let db = Db::lazy(world.database.app(), one_connection);
    for _ in 0..50 {
        drop(world.as_our_org(&db).await);
        let mut system = SystemTx::begin(&db).await.unwrap();
        assert_eq!(scope(system.conn()).await, ("portreeve_system".to_owned(), String::new(), String::new()));
        drop(system);
        let mut tx = PersonTx::begin(&db, PersonScope::proven(world.stranger)).await.unwrap();
        let nil = Uuid::nil().to_string();
        let stranger = world.stranger.uuid().to_string();
        assert_eq!(scope(tx.conn()).await, ("portreeve_app".to_owned(), nil, stranger));
        drop(tx);
        let mut tx = OrgTx::begin(&db, OrgScope::proven(world.theirs)).await.unwrap();
        let theirs = world.theirs.uuid().to_string();
        assert_eq!(scope(tx.conn()).await, ("portreeve_app".to_owned(), theirs, String::new()));
        tx.done().await.unwrap();
    }
    let mut failing = world.as_our_org(&db).await;
    failing.conn().execute("select 1 / 0").await.unwrap_err();
    drop(failing);
    assert_eq!(scope(SystemTx::begin(&db).await.unwrap().conn()).await.1, "");
}

#[tokio::test]
async fn what_only_another_org_has_is_free_here() {
    let mut world = TwoOfEach::plant().await;
    let db = world.database.db();
    let team: (Uuid, String) = sqlx::query_as("select id, slug from teams where org_id = $1")
        .bind(world.theirs)
        .fetch_one(&mut world.admin)
        .await
        .unwrap();
    let mut tx = world.as_our_org(&db).await;
    let twin = "insert into teams (org_id, id, slug, name, created_at, updated_at) values ($1, $2, $3, 'x', now(), now())";
    sqlx::query(twin).bind(world.ours).bind(team.0).bind(&team.1).execute(tx.conn()).await.unwrap();
    // A clash within the org is told by the name of the rule alone.
    let again =
        sqlx::query(twin).bind(world.ours).bind(Uuid::new_v4()).bind(&team.1).execute(tx.conn()).await;
    let error = DbError::from(again.unwrap_err());
    assert!(error.broke("teams_slug_is_free"));
    assert!(!told(&error).contains(&team.1), "{}", told(&error));
}

#[tokio::test]
async fn the_record_refuses_to_be_changed() {
    let world = TwoOfEach::plant().await;
    let statements = |table: &str| {
        [
            format!("update {table} set hash = hash"),
            format!("delete from {table}"),
            format!("truncate {table}"),
        ]
        .map(|statement| statement.replace("hash = hash", "seq = seq"))
    };
    for table in ["events", "audit_checkpoints"] {
        for statement in statements(table) {
            let mut app = connect(&world.database.app()).await;
            execute(&mut app, &format!("set portreeve.org = '{}'", world.ours.uuid())).await;
            assert!(is_forbidden(&run(&mut app, &statement).await), "as app: {statement}");
            execute(&mut app, "set role portreeve_system").await;
            assert!(is_forbidden(&run(&mut app, &statement).await), "as system: {statement}");
            // The owner sees no row to change, and may not empty the table.
            let mut owner = connect(&world.database.owner()).await;
            let done = run(&mut owner, &statement).await;
            assert!(is_forbidden(&done) || matches!(done, Ok(0)), "as owner: {statement}: {done:?}");
            // One who lifts row-level security still meets the triggers.
            execute(&mut owner, &format!("begin; alter table {table} no force row level security")).await;
            assert!(
                is_forbidden(&run(&mut owner, &statement).await),
                "as owner without policies: {statement}"
            );
            let mut admin = connect(&world.database.superuser()).await;
            assert!(is_forbidden(&run(&mut admin, &statement).await), "as superuser: {statement}");
        }
    }
}

async fn run(conn: &mut PgConnection, statement: &str) -> Result<u64, sqlx::Error> {
    conn.execute(AssertSqlSafe(statement.to_owned())).await.map(|done| done.rows_affected())
}

fn is_forbidden(done: &Result<u64, sqlx::Error>) -> bool {
    matches!(done, Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(FORBIDDEN))
}

async fn count(conn: &mut PgConnection, rows: &str) -> i64 {
    let query = AssertSqlSafe(format!("select count(*) from {rows}"));
    sqlx::query_scalar(query).fetch_one(conn).await.unwrap_or_else(|error| panic!("{rows}: {error}"))
}

/// Role, organization and person that the transaction has.
async fn scope(conn: &mut PgConnection) -> (String, String, String) {
    let query = "select current_user::text, coalesce(current_setting('portreeve.org', true), ''),
        coalesce(current_setting('portreeve.person', true), '')";
    sqlx::query_as(query).fetch_one(conn).await.unwrap()
}

/// Everything that an error says when it is printed or logged with its causes.
fn told(error: &DbError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, " {error}").unwrap();
        cause = error.source();
    }
    text
}
