use portreeve::{
    base::{ids::OrgId, secret::Secret},
    domain::identity::{
        password::{Cost, Hasher, PasswordHash},
        store::users,
        strength::{Known, NewPassword},
        users::{Profile, Rank, Shortcuts, Theme},
    },
};

use crate::rooms::{
    NOW, World, drop_it,
    identity::{new_user, person_tx, user},
};

async fn hash() -> PasswordHash {
    let hasher = Hasher::new(Cost { memory: 16, passes: 1, lanes: 1 }, 1);
    let words = Secret::new("tangled orbit mulberry".into());
    hasher.hash(NewPassword::parse(words, &Known::default()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn an_address_is_one_persons_whatever_its_case() {
    let world = World::fresh().await;
    let hash = hash().await;
    let mut tx = world.system_tx().await;
    let new = new_user("Ada@x.test");
    let id = users::insert(&mut tx, &new, Some(&hash), NOW).await.unwrap().unwrap();
    assert!(users::insert(&mut tx, &new_user("aDA@x.test"), None, NOW).await.unwrap().is_none());
    let found = users::find_by_email(&mut tx, &"ADA@X.TEST".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((found.id, found.has_password, found.password_changed_at), (id, true, Some(NOW)));
    let other = users::insert(&mut tx, &new_user("bob@x.test"), None, NOW).await.unwrap().unwrap();
    assert!(!users::change_email(&mut tx, other, &new.email, NOW).await.unwrap());
    assert!(users::change_email(&mut tx, other, &"rob@x.test".parse().unwrap(), NOW).await.unwrap());
    assert_eq!(users::count(&mut tx).await.unwrap(), 2);
    drop_it(tx).await;
}

#[tokio::test]
async fn only_the_address_that_a_person_has_is_verified() {
    let world = World::fresh().await;
    let ada = user(&world, "ada@x.test").await;
    let mut tx = world.system_tx().await;
    for (email, verified) in [("eve@x.test", false), ("ada@x.test", true)] {
        let email = email.parse().unwrap();
        assert_eq!(users::mark_verified(&mut tx, ada, &email, NOW).await.unwrap(), verified);
        assert_eq!(users::find(&mut tx, ada).await.unwrap().unwrap().is_verified(), verified);
    }
    drop_it(tx).await;
}

#[tokio::test]
async fn a_stronger_hash_replaces_only_the_one_it_was_made_from() {
    let world = World::fresh().await;
    let (ada, hash) = (user(&world, "ada@x.test").await, hash().await);
    let mut tx = world.system_tx().await;
    assert!(users::set_password(&mut tx, ada, &hash, NOW).await.unwrap());
    let new = PasswordHash::stored("new".into());
    for replaced in [true, false] {
        assert_eq!(users::replace_hash(&mut tx, ada, &hash, &new).await.unwrap(), replaced);
    }
    assert_eq!(users::find_password_hash(&mut tx, ada).await.unwrap().unwrap().expose(), "new");
    drop_it(tx).await;
}

#[tokio::test]
async fn a_rank_that_one_has_is_not_given_again() {
    let world = World::fresh().await;
    let ada = user(&world, "ada@x.test").await;
    let mut tx = world.system_tx().await;
    for changed in [true, false] {
        assert_eq!(users::set_rank(&mut tx, ada, Rank::Operator, NOW).await.unwrap(), changed);
    }
    drop_it(tx).await;
}

#[tokio::test]
async fn a_person_changes_their_own_profile_and_sees_nobody_else() {
    let world = World::fresh().await;
    let (ada, bob) = (user(&world, "ada@x.test").await, user(&world, "bob@x.test").await);
    let mut tx = person_tx(&world, ada).await;
    assert!(users::find(&mut tx, bob).await.unwrap().is_none());
    let seen = users::find(&mut tx, ada).await.unwrap().unwrap().version;
    let profile = Profile {
        name: "Ada L".parse().unwrap(),
        theme: Theme::Dark,
        time_zone: "Europe/Berlin".parse().unwrap(),
        shortcuts: Shortcuts::Off,
    };
    let ada_now = users::update_profile(&mut tx, ada, &profile, seen, NOW).await.unwrap().unwrap();
    let expected = (Theme::Dark, "Europe/Berlin", Shortcuts::Off);
    assert_eq!((ada_now.theme, ada_now.time_zone.as_str(), ada_now.shortcuts), expected);
    assert!(users::update_profile(&mut tx, ada, &profile, seen, NOW).await.unwrap().is_none());
    assert!(users::update_profile(&mut tx, bob, &profile, 1, NOW).await.unwrap().is_none());
    let org = OrgId::fresh();
    users::remember_org(&mut tx, ada, org).await.unwrap();
    assert_eq!(users::find(&mut tx, ada).await.unwrap().unwrap().last_org, Some(org));
    drop_it(tx).await;
}
