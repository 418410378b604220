use portreeve::{
    base::crypto::token::{Token, TokenKind},
    domain::identity::{
        sessions::{IDLE_TTL, Method},
        store::{sessions, users},
    },
};
use time::Duration;

use crate::rooms::{
    NOW, World, drop_it,
    identity::{new_session, person_tx, user},
    keep,
};

#[tokio::test]
async fn a_session_is_recognized_by_its_token_until_it_was_idle_too_long() {
    let world = World::fresh().await;
    let ada = user(&world, "ada@x.test").await;
    let mut tx = world.system_tx().await;
    let (token, session) = sessions::insert(&mut tx, &new_session(ada), NOW).await.unwrap();
    let (found, person) = sessions::recognize(&mut tx, &token, NOW).await.unwrap().unwrap();
    assert_eq!((found.id, person.id), (session.id, ada));
    assert_eq!((found.ip, found.device().as_str()), (new_session(ada).ip, "Firefox on Linux"));
    let guess = Token::issue(TokenKind::Session, session.id);
    assert!(sessions::recognize(&mut tx, &guess, NOW).await.unwrap().is_none());
    assert!(sessions::recognize(&mut tx, &token, NOW + IDLE_TTL).await.unwrap().is_none());
    let (elsewhere, later) = ("192.0.2.1".parse().ok(), NOW + Duration::minutes(2));
    sessions::touch(&mut tx, &session, elsewhere, later).await.unwrap();
    let (found, _) = sessions::recognize(&mut tx, &token, NOW + IDLE_TTL).await.unwrap().unwrap();
    assert_eq!((found.ip, found.last_seen_at), (elsewhere, later));
    assert_eq!(sessions::sweep(&mut tx, NOW + IDLE_TTL).await.unwrap(), 0);
    assert_eq!(sessions::sweep(&mut tx, NOW + IDLE_TTL * 2).await.unwrap(), 1);
    drop_it(tx).await;
}

#[tokio::test]
async fn a_proof_changes_the_token_and_is_remembered() {
    let world = World::fresh().await;
    let ada = user(&world, "ada@x.test").await;
    let mut tx = world.system_tx().await;
    let (old, session) = sessions::insert(&mut tx, &new_session(ada), NOW).await.unwrap();
    let later = NOW + Duration::HOUR;
    let token = sessions::prove(&mut tx, ada, session.id, Method::Totp, later).await.unwrap().unwrap();
    assert!(sessions::recognize(&mut tx, &old, NOW).await.unwrap().is_none());
    let (found, _) = sessions::recognize(&mut tx, &token, NOW).await.unwrap().unwrap();
    assert_eq!((found.methods, found.proven_at), (vec![Method::Password, Method::Totp], later));
    sessions::prove(&mut tx, ada, session.id, Method::Totp, later).await.unwrap().unwrap();
    let token = sessions::rotate(&mut tx, ada, session.id).await.unwrap().unwrap();
    let (found, _) = sessions::recognize(&mut tx, &token, NOW).await.unwrap().unwrap();
    assert_eq!(found.methods.len(), 2, "the same proof counts once");
    drop_it(tx).await;
}

#[tokio::test]
async fn one_signs_out_elsewhere_and_nobody_else() {
    let world = World::fresh().await;
    let (ada, bob) = (user(&world, "ada@x.test").await, user(&world, "bob@x.test").await);
    let mut tx = world.system_tx().await;
    let (_, here) = sessions::insert(&mut tx, &new_session(ada), NOW).await.unwrap();
    sessions::insert(&mut tx, &new_session(ada), NOW).await.unwrap();
    keep(tx).await;
    let mut tx = person_tx(&world, bob).await;
    assert!(sessions::list(&mut tx, ada, NOW).await.unwrap().is_empty());
    assert!(sessions::rotate(&mut tx, bob, here.id).await.unwrap().is_none());
    assert_eq!(sessions::delete_all(&mut tx, ada).await.unwrap(), 0);
    drop_it(tx).await;
    let mut tx = person_tx(&world, ada).await;
    assert_eq!(sessions::list(&mut tx, ada, NOW).await.unwrap().len(), 2);
    assert_eq!(sessions::delete_others(&mut tx, ada, here.id).await.unwrap(), 1);
    let left = sessions::list(&mut tx, ada, NOW).await.unwrap();
    assert_eq!((left.len(), left[0].id), (1, here.id));
    drop_it(tx).await;
}

#[tokio::test]
async fn a_disabled_person_is_not_recognized() {
    let world = World::fresh().await;
    let ada = user(&world, "ada@x.test").await;
    let mut tx = world.system_tx().await;
    let (token, _) = sessions::insert(&mut tx, &new_session(ada), NOW).await.unwrap();
    assert!(users::disable(&mut tx, ada, NOW).await.unwrap());
    assert!(sessions::recognize(&mut tx, &token, NOW).await.unwrap().is_none());
    assert!(users::enable(&mut tx, ada, NOW).await.unwrap());
    assert!(sessions::recognize(&mut tx, &token, NOW).await.unwrap().is_some());
    drop_it(tx).await;
}
