//! A database per test, copied from a migrated template.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use portreeve::io::db::{Db, PoolSettings, migrate};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

use crate::kit::{
    cluster::{Cluster, SUPER, cluster},
    keeper::is_alive,
};

/// One test's own database; it is dropped with this value.
pub(crate) struct TestDatabase {
    name: String,
    cluster: &'static Cluster,
}

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
static NEXT: AtomicU32 = AtomicU32::new(0);

impl TestDatabase {
    /// A copy of the template, with the whole schema and no rows.
    pub(crate) async fn fresh() -> Self {
        let cluster = cluster();
        let template = TEMPLATE.get_or_init(|| template(cluster)).await;
        let database = Self { name: copy_name(std::process::id()), cluster };
        let mut conn = connect(&cluster.options(SUPER, "postgres")).await;
        let name = &database.name;
        // Ownership of a database is not copied with it.
        let copy =
            format!("create database {name} owner portreeve_owner template {template} strategy wal_log");
        execute(&mut conn, &copy).await;
        conn.close().await.unwrap();
        database
    }

    /// A database in which nothing was migrated; the roles are there.
    pub(crate) async fn empty() -> Self {
        let cluster = cluster();
        TEMPLATE.get_or_init(|| template(cluster)).await;
        let database = Self { name: copy_name(std::process::id()), cluster };
        let mut conn = connect(&cluster.options(SUPER, "postgres")).await;
        execute(&mut conn, &format!("create database {} owner portreeve_owner", database.name)).await;
        conn.close().await.unwrap();
        database
    }

    /// A copy of another test's database with its rows; nobody may be connected to that one.
    pub(crate) async fn copy_of(&self) -> Self {
        let copy = Self { name: copy_name(std::process::id()), cluster: self.cluster };
        let mut conn = connect(&self.cluster.options(SUPER, "postgres")).await;
        let (name, seeded) = (&copy.name, &self.name);
        let sql = format!("create database {name} owner portreeve_owner template {seeded} strategy wal_log");
        execute(&mut conn, &sql).await;
        conn.close().await.unwrap();
        copy
    }

    /// How the application serves: as `portreeve_app`.
    pub(crate) fn app(&self) -> PgConnectOptions {
        self.cluster.options("portreeve_app", &self.name)
    }

    /// How migrations run: as the owner of the schema.
    pub(crate) fn owner(&self) -> PgConnectOptions {
        self.cluster.options("portreeve_owner", &self.name)
    }

    /// How the program's settings name it.
    pub(crate) fn url(&self, role: &str, password: &str) -> String {
        let socket = self.cluster.socket().display();
        format!("postgres://{role}:{password}@localhost/{}?host={socket}", self.name)
    }

    /// Past every lock, to plant rows and to look at them.
    pub(crate) fn superuser(&self) -> PgConnectOptions {
        self.cluster.options(SUPER, &self.name)
    }

    /// The application's pool.
    pub(crate) fn db(&self) -> Db {
        Db::lazy(self.app(), PoolSettings { max: 4, ..PoolSettings::default() })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // The cluster's end takes along what the undertaker has not come to.
        UNDERTAKER.send(std::mem::take(&mut self.name)).ok();
    }
}

/// Opens a connection.
pub(crate) async fn connect(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap_or_else(|error| panic!("cannot connect: {error}"))
}

/// Runs SQL that the test itself wrote.
pub(crate) async fn execute(conn: &mut PgConnection, sql: &str) -> u64 {
    let done = conn.execute(AssertSqlSafe(sql.to_owned())).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}")).rows_affected()
}

/// Makes the template unless an earlier run of the same migrations left one. It is migrated under another name
/// first, so a crash never leaves half a template.
async fn template(cluster: &'static Cluster) -> String {
    let name = format!("tpl_{}", fingerprint());
    let mut conn = connect(&cluster.options(SUPER, "postgres")).await;
    execute(&mut conn, "select pg_advisory_lock(42)").await;
    let made: bool = sqlx::query_scalar("select exists(select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    if !made {
        execute(&mut conn, OWNER_ROLE).await;
        execute(&mut conn, &format!("drop database if exists {name}_new")).await;
        execute(&mut conn, &format!("create database {name}_new owner portreeve_owner")).await;
        let owner = cluster.options("portreeve_owner", &format!("{name}_new"));
        migrate::migrate(&owner).await.unwrap_or_else(|error| panic!("{:?}", anyhow::Error::new(error)));
        execute(&mut conn, &format!("alter database {name}_new rename to {name}")).await;
    }
    bury_the_forgotten(&mut conn).await;
    conn.close().await.unwrap();
    name
}

/// What an operator makes by hand; the two serving roles are made by the migration.
const OWNER_ROLE: &str = "do $$ begin
    if not exists (select from pg_roles where rolname = 'portreeve_owner') then
        create role portreeve_owner login createrole;
    end if;
end $$";

/// Of the migrations in this binary, which may be older than those on the disk.
fn fingerprint() -> String {
    let mut hash = Sha256::new();
    for migration in MIGRATIONS.iter() {
        hash.update(migration.version.to_be_bytes());
        hash.update(&migration.checksum);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize()[..8])
}

fn copy_name(pid: u32) -> String {
    format!("t_{pid}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// On a cluster that outlives us: drops the copies of test processes that are gone.
async fn bury_the_forgotten(conn: &mut PgConnection) {
    let names: Vec<String> =
        sqlx::query_scalar(r"select datname::text from pg_database where datname like 't\_%'")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    for name in names {
        let pid = name.split('_').nth(1).and_then(|pid| pid.parse().ok());
        if pid.is_some_and(|pid| !is_alive(pid) || pid == std::process::id()) {
            execute(conn, &format!("drop database if exists {name} with (force)")).await;
        }
    }
}

/// Drops databases one after the other in a thread of its own, so that no test waits for it.
static UNDERTAKER: LazyLock<mpsc::Sender<String>> = LazyLock::new(|| {
    let (sender, names) = mpsc::channel::<String>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread::spawn(move || {
        runtime.block_on(async {
            let mut conn = connect(&cluster().options(SUPER, "postgres")).await;
            while let Ok(name) = names.recv() {
                execute(&mut conn, &format!("drop database if exists {name} with (force)")).await;
            }
        });
    });
    sender
});
