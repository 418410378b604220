use portreeve::domain::identity::{
    ceremonies::{self, TTL},
    mail_tokens::Purpose,
    store::{ceremonies as steps, mail_tokens as links},
};
use serde_json::{Value, json};
use time::Duration;

use crate::rooms::{NOW, World, drop_it, identity::user};

#[tokio::test]
async fn a_ceremony_is_good_once_for_its_purpose_and_a_while() {
    let world = World::fresh().await;
    let ada = user(&world, "ada@x.test").await;
    let (purpose, other) = (ceremonies::Purpose::SecondFactor, ceremonies::Purpose::SetUp);
    let mut tx = world.system_tx().await;
    let token = steps::begin(&mut tx, purpose, Some(ada), &json!({"n": 1}), NOW).await.unwrap();
    assert!(steps::find::<Value>(&mut tx, other, &token, NOW).await.unwrap().is_none());
    assert!(steps::find::<Value>(&mut tx, purpose, &token, NOW + TTL).await.unwrap().is_none());
    let taken = steps::take::<Value>(&mut tx, purpose, &token, NOW).await.unwrap().unwrap();
    assert_eq!((taken.user, &taken.state["n"]), (Some(ada), &json!(1)));
    assert!(steps::take::<Value>(&mut tx, purpose, &token, NOW).await.unwrap().is_none());
    steps::begin(&mut tx, purpose, Some(ada), &json!({}), NOW).await.unwrap();
    assert_eq!(steps::sweep(&mut tx, NOW).await.unwrap(), 0);
    assert_eq!(steps::sweep(&mut tx, NOW + TTL).await.unwrap(), 1);
    drop_it(tx).await;
}

#[tokio::test]
async fn the_latest_mailed_link_is_good_once_for_its_purpose_and_a_while() {
    let world = World::fresh().await;
    let (ada, email) = (user(&world, "ada@x.test").await, "ada@x.test".parse().unwrap());
    let purpose = Purpose::ResetPassword;
    let mut tx = world.system_tx().await;
    let first = links::issue(&mut tx, ada, purpose, &email, NOW).await.unwrap();
    let link = links::issue(&mut tx, ada, purpose, &email, NOW).await.unwrap();
    assert!(links::redeem(&mut tx, purpose, &first, NOW).await.unwrap().is_none());
    assert!(links::redeem(&mut tx, Purpose::VerifyEmail, &link, NOW).await.unwrap().is_none());
    let late = NOW + Duration::minutes(30);
    assert!(links::redeem(&mut tx, purpose, &link, late).await.unwrap().is_none());
    assert_eq!(links::redeem(&mut tx, purpose, &link, NOW).await.unwrap().unwrap().user, ada);
    assert!(links::redeem(&mut tx, purpose, &link, NOW).await.unwrap().is_none());
    drop_it(tx).await;
}
