mod attempts;
mod factors;
mod links;
mod passkeys;
mod sessions;
mod users;

use portreeve::{
    base::ids::UserId,
    domain::identity::{
        sessions::{Method, NewSession},
        store,
        users::{EmailStanding, NewUser, Rank},
    },
    io::db::{PersonScope, PersonTx},
};

use crate::rooms::{NOW, World, keep};

/// Someone new with an unproven address.
fn new_user(email: &str) -> NewUser {
    NewUser {
        email: email.parse().unwrap(),
        name: "Ada".parse().unwrap(),
        standing: EmailStanding::Claimed,
        rank: Rank::Ordinary,
    }
}

async fn user(world: &World, email: &str) -> UserId {
    let mut tx = world.system_tx().await;
    let id = store::users::insert(&mut tx, &new_user(email), None, NOW).await.unwrap().unwrap();
    keep(tx).await;
    id
}

async fn person_tx(world: &World, user: UserId) -> PersonTx {
    PersonTx::begin(&world.db, PersonScope::proven(user)).await.unwrap()
}

fn new_session(user: UserId) -> NewSession {
    NewSession {
        user,
        methods: vec![Method::Password],
        ip: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("Firefox/1 Linux".into()),
    }
}
