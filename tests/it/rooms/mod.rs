//! Rooms whose rules live in the database, each test on a database of its own.

mod audit;
mod automation;
mod calls;
mod gate;
mod grants;
mod identity;
mod instance;
mod servers;
mod tenancy;
mod vault;

use portreeve::{
    base::ids::{OrgId, UserId},
    io::db::{Audited, Db, OrgScope, OrgTx, SystemTx, Tx},
};
use sqlx::AssertSqlSafe;
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

use crate::kit::database::{TestDatabase, connect};

const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

/// A migrated database, and a superuser's look behind row-level security.
struct World {
    db: Db,
    database: TestDatabase,
}

impl World {
    async fn fresh() -> Self {
        let database = TestDatabase::fresh().await;
        Self { db: database.db(), database }
    }

    async fn org_tx(&self, org: OrgId) -> OrgTx {
        OrgTx::begin(&self.db, OrgScope::proven(org)).await.expect("a connection")
    }

    async fn system_tx(&self) -> SystemTx {
        SystemTx::begin(&self.db).await.expect("a connection")
    }

    /// Runs statements as superuser.
    async fn sql(&self, text: &str) {
        let mut conn = connect(&self.database.superuser()).await;
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut conn).await.expect("a statement");
    }

    /// One number, as superuser.
    async fn number(&self, query: &str) -> i64 {
        let mut conn = connect(&self.database.superuser()).await;
        sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut conn).await.expect("a number")
    }

    async fn org(&self) -> OrgId {
        let org = OrgId::fresh();
        let id = org.uuid();
        self.sql(&format!(
            "insert into orgs (id, slug, name, created_at, updated_at)
            values ('{id}', '{}', 'Acme', now(), now())",
            &id.simple().to_string()[12..]
        ))
        .await;
        org
    }

    async fn member(&self, org: OrgId, name: &str, role: &str) -> UserId {
        let user = UserId::fresh();
        let (org, id) = (org.uuid(), user.uuid());
        self.sql(&format!(
            "insert into users (id, email, email_key, name, created_at, updated_at)
                values ('{id}', '{id}@x.test', '{id}@x.test', '{name}', now(), now());
            insert into memberships (org_id, user_id, role, created_at, updated_at)
                values ('{org}', '{id}', '{role}', now(), now())"
        ))
        .await;
        user
    }
}

async fn keep(tx: impl Tx) {
    tx.commit(Audited::decided_by_the_audit_room()).await.expect("kept");
}

async fn drop_it(tx: impl Tx) {
    tx.done().await.expect("dropped");
}

fn quoted(id: Uuid) -> String {
    format!("'{id}'")
}
