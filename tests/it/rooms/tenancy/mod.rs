mod invitations;
mod orgs;
mod people;
mod teams;

use portreeve::{
    base::{
        ids::{OrgId, TeamId, UserId},
        page::PageRequest,
        permission::Role,
    },
    domain::tenancy::{
        NewOrg, NewTeam,
        store::{members, orgs as store, teams as team_store},
    },
    io::db::{PersonScope, PersonTx},
};

use crate::rooms::{NOW, World, keep};

/// An organization with two owners, Ada and bob, and Cyd, who is in none.
struct Acme {
    world: World,
    org: OrgId,
    ada: UserId,
    bob: UserId,
    cyd: UserId,
}

impl Acme {
    async fn fresh() -> Self {
        let world = World::fresh().await;
        let org = OrgId::fresh();
        let mut people = [UserId::fresh(); 3];
        for (id, name) in people.iter_mut().zip(["Ada", "bob", "Cyd"]) {
            *id = UserId::fresh();
            let (id, email) = (id.uuid(), format!("{}@x.test", name.to_lowercase()));
            let sql = format!(
                "insert into users (id, email, email_key, name, created_at, updated_at)
                values ('{id}', '{email}', '{email}', '{name}', now(), now())"
            );
            world.sql(&sql).await;
        }
        let [ada, bob, cyd] = people;
        let mut tx = world.org_tx(org).await;
        store::insert(&mut tx, &NewOrg::parse("Acme", "acme").unwrap(), NOW).await.unwrap();
        for owner in [ada, bob] {
            let _ = members::insert(&mut tx, owner, Role::Owner, None, NOW).await.unwrap();
        }
        keep(tx).await;
        Self { world, org, ada, bob, cyd }
    }

    async fn person_tx(&self, user: UserId) -> PersonTx {
        PersonTx::begin(&self.world.db, PersonScope::proven(user)).await.unwrap()
    }

    async fn team(&self, slug: &str) -> TeamId {
        let mut tx = self.world.org_tx(self.org).await;
        let team = team_store::insert(&mut tx, &NewTeam::parse(slug, slug, "").unwrap(), NOW).await.unwrap();
        keep(tx).await;
        team
    }
}

/// The first page of one.
const fn one<K>() -> PageRequest<K> {
    PageRequest { limit: 1, after: None }
}
