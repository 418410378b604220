//! Whether a knock left a trace in the database: a digest of every row of every table.
//!
//! It lets many walkers share one copy of the world: whoever left no trace cannot have been in anybody's way.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    kit::{
        app::TestApp,
        database::{connect, execute},
    },
    proof::world::{World, world},
};

/// A table, and digests of all its rows and of those of the organization `other`.
type Rows = (String, String, Option<String>);

/// What the tables held at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace(Vec<Rows>);

impl Trace {
    /// The part of it that belongs to the organization `other`.
    pub(crate) fn of_other(&self) -> Vec<(&str, &str)> {
        self.0.iter().filter_map(|(table, _, other)| Some((table.as_str(), other.as_deref()?))).collect()
    }
}

/// A copy of the world that is exchanged for a fresh one as soon as somebody left a trace in it.
pub(crate) struct Ground {
    world: &'static World,
    app: TestApp,
    conn: PgConnection,
    /// One statement for all tables; prepared once per copy, it takes a millisecond.
    digests: String,
    untouched: Trace,
}

impl Ground {
    /// The first copy.
    pub(crate) async fn of(world: &'static World) -> Self {
        let app = world.copy().await;
        let mut conn = connect(&app.database.superuser()).await;
        let digests: String = sqlx::query_scalar(DIGESTS).fetch_one(&mut conn).await.unwrap();
        let untouched = look(&mut conn, &digests).await;
        let tenants = untouched.of_other().len();
        assert!(tenants > 10 && untouched.0.len() > tenants, "tables are found in the catalogue");
        Self { world, app, conn, digests, untouched }
    }

    /// The app over the copy.
    pub(crate) const fn app(&self) -> &TestApp {
        &self.app
    }

    /// How every copy begins.
    pub(crate) const fn untouched(&self) -> &Trace {
        &self.untouched
    }

    /// What the copy holds now.
    pub(crate) async fn look(&mut self) -> Trace {
        look(&mut self.conn, &self.digests).await
    }

    /// Gives a fresh copy for one that is no longer as it began; returns whether it was not.
    pub(crate) async fn renew(&mut self) -> bool {
        let is_touched = self.look().await != self.untouched;
        if is_touched {
            self.app = self.world.copy().await;
            let conn = connect(&self.app.database.superuser()).await;
            // The undertaker may have closed the other end already.
            std::mem::replace(&mut self.conn, conn).close().await.ok();
        }
        is_touched
    }
}

/// Writes the statement that digests every table.
const DIGESTS: &str = "select string_agg(format(
        'select %L as name, coalesce(md5(string_agg(t::text, ''|'' order by t::text)), '''') as rows, %s as other
         from %I t', c.relname,
        case when c.relname = 'orgs' then 'md5(min(t::text) filter (where slug = ''other''))'
            when a.attname is null then 'null'
            else 'coalesce(md5(string_agg(t::text, ''|'' order by t::text)
                filter (where org_id = (select id from orgs where slug = ''other''))), '''')' end,
        c.relname), ' union all ') || ' order by 1'
     from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
     where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace";

async fn look(conn: &mut PgConnection, digests: &str) -> Trace {
    Trace(sqlx::query_as(AssertSqlSafe(digests.to_owned())).fetch_all(conn).await.unwrap())
}

#[tokio::test]
async fn a_touched_row_is_a_trace_and_brings_a_fresh_copy() {
    let mut ground = Ground::of(world().await).await;
    assert!(!ground.renew().await, "nothing happened");
    let other =
        "update teams set name = name || '!' where org_id = (select id from orgs where slug = 'other')";
    for (sql, is_the_others) in [
        (other, true),
        ("update orgs set name = 'Otherwise' where slug = 'other'", true),
        ("update teams set name = 'x' where org_id = (select id from orgs where slug = 'acme')", false),
        ("delete from sessions where id = (select min(id::text)::uuid from sessions)", false),
    ] {
        assert_eq!(execute(&mut ground.conn, sql).await, 1, "{sql}");
        let now = ground.look().await;
        assert_eq!(now.of_other() != ground.untouched().of_other(), is_the_others, "{sql}");
        assert!(ground.renew().await, "{sql}");
        assert_eq!(&ground.look().await, ground.untouched(), "{sql}");
    }
}
