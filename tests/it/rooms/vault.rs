use futures_util::future::join_all;
use portreeve::{
    base::{
        clock::Clock,
        ids::{OrgId, SealedId},
    },
    domain::vault::{
        Cell, MasterRing, MasterState, Rewrap, Sealed, Vault, VaultError, VaultResult, self_test, status,
    },
    io::db::{PersonScope, PersonTx},
};
use time::Duration;

use crate::rooms::{NOW, World, drop_it, keep, quoted};

fn ring() -> MasterRing {
    MasterRing::generate("k1".parse().expect("a name"))
}

fn vault(ring: &MasterRing, clock: &Clock) -> Vault {
    Vault::new(ring.clone(), clock.clone())
}

fn cell() -> Cell {
    Cell::new("secrets", "value", SealedId::fresh())
}

async fn seal(world: &World, vault: &Vault, org: OrgId, cell: Cell, plain: &[u8]) -> VaultResult<Sealed> {
    let mut tx = world.org_tx(org).await;
    let sealed = vault.seal(&mut tx, cell, plain).await?;
    keep(tx).await;
    Ok(sealed)
}

async fn open(world: &World, vault: &Vault, org: OrgId, cell: Cell, sealed: &Sealed) -> VaultResult<Vec<u8>> {
    let mut tx = world.org_tx(org).await;
    let plain = vault.open(&mut tx, cell, sealed).await;
    drop_it(tx).await;
    plain.map(|plain| plain.expose().clone())
}

async fn keys_of(world: &World, org: OrgId) -> i64 {
    world.number(&format!("select count(*) from data_keys where org_id = {}", quoted(org.uuid()))).await
}

#[tokio::test]
async fn many_first_seals_at_once_make_one_key() {
    let (world, clock, ring) = (World::fresh().await, Clock::settable(NOW), ring());
    let org = world.org().await;
    let replicas: Vec<_> = (0..12).map(|_| (vault(&ring, &clock), cell())).collect();
    let sealed = join_all(replicas.iter().map(|(vault, cell)| seal(&world, vault, org, *cell, b"x"))).await;
    assert_eq!(keys_of(&world, org).await, 1);
    let reader = vault(&ring, &clock);
    for ((_, cell), sealed) in replicas.iter().zip(sealed) {
        assert_eq!(open(&world, &reader, org, *cell, &sealed.expect("sealed")).await.expect("opens"), b"x");
    }
}

#[tokio::test]
async fn a_key_whose_transaction_was_dropped_seals_nothing_more() {
    let (world, clock, ring) = (World::fresh().await, Clock::settable(NOW), ring());
    let (org, vault_a, cell) = (world.org().await, vault(&ring, &clock), cell());
    let mut tx = world.org_tx(org).await;
    let lost = vault_a.seal(&mut tx, cell, b"lost").await.expect("sealed");
    let again = vault_a.seal(&mut tx, cell, b"again").await.expect("sealed");
    assert_eq!(lost.key, again.key);
    drop_it(tx).await;
    let kept = seal(&world, &vault_a, org, cell, b"kept").await.expect("sealed");
    assert_ne!(kept.key, lost.key);
    assert_eq!(open(&world, &vault(&ring, &clock), org, cell, &kept).await.expect("opens"), b"kept");
    assert!(matches!(open(&world, &vault_a, org, cell, &lost).await, Err(VaultError::KeyUnknown(_))));
}

#[tokio::test]
async fn a_value_opens_only_in_its_cell_and_organization() {
    let (world, clock, ring) = (World::fresh().await, Clock::settable(NOW), ring());
    let (org, other) = (world.org().await, world.org().await);
    let (vault, cell) = (vault(&ring, &clock), cell());
    let sealed = seal(&world, &vault, org, cell, b"x").await.expect("sealed");
    seal(&world, &vault, other, cell, b"y").await.expect("sealed");
    let elsewhere = Cell::new("secrets", "value", SealedId::fresh());
    assert!(matches!(
        open(&world, &vault, org, elsewhere, &sealed).await,
        Err(VaultError::DoesNotOpen { table: "secrets", column: "value" })
    ));
    assert!(matches!(open(&world, &vault, other, cell, &sealed).await, Err(VaultError::KeyUnknown(_))));
    assert_eq!(open(&world, &vault, org, cell, &sealed).await.expect("opens"), b"x");
}

#[tokio::test]
async fn a_person_and_the_system_share_the_instances_key() {
    let (world, clock, ring) = (World::fresh().await, Clock::settable(NOW), ring());
    let org = world.org().await;
    let user = world.member(org, "Ada", "owner").await;
    let (vault, cell) = (vault(&ring, &clock), cell());
    let mut tx = PersonTx::begin(&world.db, PersonScope::proven(user)).await.expect("a connection");
    let sealed = vault.seal(&mut tx, cell, b"x").await.expect("sealed");
    keep(tx).await;
    let mut tx = world.system_tx().await;
    assert_eq!(vault.open(&mut tx, cell, &sealed).await.expect("opens").expose(), b"x");
    drop_it(tx).await;
    assert!(matches!(open(&world, &vault, org, cell, &sealed).await, Err(VaultError::KeyUnknown(_))));
}

#[tokio::test]
async fn a_key_makes_room_by_age_and_by_seals_and_still_opens() {
    let (world, clock, ring) = (World::fresh().await, Clock::settable(NOW), ring());
    let (org, vault, cell) = (world.org().await, vault(&ring, &clock), cell());
    let first = seal(&world, &vault, org, cell, b"1").await.expect("sealed");
    clock.advance(Duration::days(89));
    assert_eq!(seal(&world, &vault, org, cell, b"1").await.expect("sealed").key, first.key);
    clock.advance(Duration::days(1));
    let second = seal(&world, &vault, org, cell, b"2").await.expect("sealed");
    assert_ne!(first.key, second.key);
    let worn = format!("update data_keys set seals = 1 << 28 where id = {}", quoted(second.key.uuid()));
    world.sql(&worn).await;
    clock.advance(Duration::minutes(1));
    let third = seal(&world, &vault, org, cell, b"3").await.expect("sealed");
    assert_ne!(second.key, third.key);
    for (sealed, plain) in [(first, b"1"), (second, b"2"), (third, b"3")] {
        assert_eq!(open(&world, &vault, org, cell, &sealed).await.expect("opens"), plain);
    }
    assert_eq!(keys_of(&world, org).await, 3);
}

#[tokio::test]
async fn seals_are_counted_in_the_keys_row() {
    let (world, clock, ring) = (World::fresh().await, Clock::settable(NOW), ring());
    let (org, vault, cell) = (world.org().await, vault(&ring, &clock), cell());
    for _ in 0..200 {
        let mut tx = world.org_tx(org).await;
        for _ in 0..500 {
            vault.seal(&mut tx, cell, b"").await.expect("sealed");
        }
        keep(tx).await;
    }
    let counted = world.number("select seals from data_keys").await;
    // 24 lots are expected; fewer than 4 or more than 60 come up less than once in a million runs.
    assert!((4 * 4096..60 * 4096).contains(&counted), "{counted}");
}

#[tokio::test]
async fn destroyed_keys_open_nothing_here_at_once_and_nowhere_after_a_minute() {
    let (world, clock, ring) = (World::fresh().await, Clock::settable(NOW), ring());
    let (org, other, cell) = (world.org().await, world.org().await, cell());
    let (here, there) = (vault(&ring, &clock), vault(&ring, &clock));
    let sealed = seal(&world, &here, org, cell, b"x").await.expect("sealed");
    let spared = seal(&world, &here, other, cell, b"y").await.expect("sealed");
    for vault in [&here, &there] {
        assert_eq!(open(&world, vault, org, cell, &sealed).await.expect("opens"), b"x");
    }
    let mut tx = world.org_tx(org).await;
    assert_eq!(here.destroy(&mut tx).await.expect("destroyed"), 1);
    keep(tx).await;
    assert!(matches!(open(&world, &here, org, cell, &sealed).await, Err(VaultError::Destroyed)));
    clock.advance(Duration::seconds(60));
    assert!(matches!(open(&world, &there, org, cell, &sealed).await, Err(VaultError::Destroyed)));
    assert!(matches!(seal(&world, &there, org, cell, b"x").await, Err(VaultError::Destroyed)));
    assert_eq!(open(&world, &here, other, cell, &spared).await.expect("opens"), b"y");
    assert_eq!(world.number("select count(*) from data_keys where wrapped is not null").await, 1);
}

#[tokio::test]
async fn an_organization_that_never_sealed_can_be_destroyed_too() {
    let (world, clock, ring) = (World::fresh().await, Clock::settable(NOW), ring());
    let (org, vault) = (world.org().await, vault(&ring, &clock));
    for _ in 0..2 {
        let mut tx = world.org_tx(org).await;
        assert_eq!(vault.destroy(&mut tx).await.expect("destroyed"), 0);
        keep(tx).await;
    }
    assert!(matches!(seal(&world, &vault, org, cell(), b"x").await, Err(VaultError::Destroyed)));
    assert_eq!(keys_of(&world, org).await, 1);
}

#[tokio::test]
async fn a_first_seal_and_a_destruction_at_once_leave_no_key() {
    let (world, clock, ring) = (World::fresh().await, Clock::settable(NOW), ring());
    let (org, vault) = (world.org().await, vault(&ring, &clock));
    let mut sealing = world.org_tx(org).await;
    vault.seal(&mut sealing, cell(), b"x").await.expect("sealed");
    let destroying = async {
        let mut tx = world.org_tx(org).await;
        let emptied = vault.destroy(&mut tx).await.expect("destroyed");
        keep(tx).await;
        emptied
    };
    let sealing = async {
        let waiting = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
            where d.datname = current_database() and l.locktype = 'advisory' and not l.granted";
        let mut tries = 0;
        while world.number(waiting).await == 0 && tries < 100 {
            tries += 1;
        }
        keep(sealing).await;
    };
    let (emptied, ()) = tokio::join!(destroying, sealing);
    assert_eq!(emptied, 1);
    assert_eq!(world.number("select count(*) from data_keys where wrapped is not null").await, 0);
}

#[tokio::test]
async fn two_walks_move_every_key_once_and_the_old_master_becomes_removable() {
    let (world, clock, old) = (World::fresh().await, Clock::settable(NOW), ring());
    let (before, cell) = (vault(&old, &clock), cell());
    let mut sealed = Vec::new();
    for _ in 0..3 {
        let org = world.org().await;
        sealed.push((org, seal(&world, &before, org, cell, b"x").await.expect("sealed")));
    }
    // 297 retired keys more: copies that no value needs, wrapped for their own ids.
    let org = sealed[0].0;
    for _ in 0..297 {
        clock.advance(Duration::days(90));
        seal(&world, &before, org, cell, b"x").await.expect("sealed");
    }
    let new = old.grown();
    let after = vault(&new, &clock);
    let mut tx = world.system_tx().await;
    let at_first = status(&after, &mut tx).await.expect("counts");
    drop_it(tx).await;
    assert_eq!((at_first.total(), at_first.done(), at_first.remaining()), (300, 0, 300));
    assert_eq!(at_first.masters[1].state, MasterState::Standby);
    assert!(!at_first.masters[1].is_removable());

    // A step that is not kept moves nothing.
    let mut tx = world.system_tx().await;
    Rewrap::default().step(&after, &mut tx).await.expect("a step");
    drop_it(tx).await;

    let walk = || async {
        let mut walk = Rewrap::default();
        loop {
            let mut tx = world.system_tx().await;
            let has_more = walk.step(&after, &mut tx).await.expect("a step");
            keep(tx).await;
            if !has_more {
                return walk.moved;
            }
        }
    };
    let (a, b) = tokio::join!(walk(), walk());
    // A walk may end while the other still holds the last rows; whatever is left is for the next one.
    assert_eq!(a + b + walk().await, 300);
    let mut tx = world.system_tx().await;
    let at_last = status(&after, &mut tx).await.expect("counts");
    drop_it(tx).await;
    assert_eq!((at_last.total(), at_last.remaining()), (300, 0));
    assert!(at_last.masters[1].is_removable());
    let alone = vault(&new.trimmed(), &clock);
    for (org, sealed) in &sealed {
        assert_eq!(open(&world, &alone, *org, cell, sealed).await.expect("opens"), b"x");
        assert_eq!(
            open(&world, &before, *org, cell, sealed).await.err().and_then(|e| e.remedy()),
            Some(
                "Put `k2:…` back into PORTREEVE_MASTER_KEYS (or into the key file), after the sealing key."
                    .to_owned()
            )
        );
    }
}

#[tokio::test]
async fn a_walk_passes_over_what_it_cannot_unwrap() {
    let (world, clock, old) = (World::fresh().await, Clock::settable(NOW), ring());
    let vault_old = vault(&old, &clock);
    let (good, bad) = (world.org().await, world.org().await);
    for org in [good, bad] {
        seal(&world, &vault_old, org, cell(), b"x").await.expect("sealed");
    }
    let lost = format!("update data_keys set wrapped = '\\x00' where org_id = {}", quoted(bad.uuid()));
    world.sql(&lost).await;
    let (after, mut walk) = (vault(&old.grown(), &clock), Rewrap::default());
    let mut tx = world.system_tx().await;
    assert!(!walk.step(&after, &mut tx).await.expect("a step"));
    keep(tx).await;
    assert_eq!((walk.moved, walk.unreadable.len()), (1, 1));
    assert!(matches!(&walk.unreadable[0].why, VaultError::MasterWrong { master } if master == "k1"));
}

#[tokio::test]
async fn the_self_test_knows_its_ring_and_leaves_nothing() {
    let (world, clock, right) = (World::fresh().await, Clock::settable(NOW), ring());
    let test = async |ring: &MasterRing| {
        let mut tx = world.system_tx().await;
        let result = self_test(&vault(ring, &clock), &mut tx).await;
        drop_it(tx).await;
        result
    };
    test(&right).await.expect("a new database takes any ring");
    assert_eq!(world.number("select count(*) from data_keys").await, 0);
    let org = world.org().await;
    seal(&world, &vault(&right, &clock), org, cell(), b"x").await.expect("sealed");
    test(&right).await.expect("its own ring");
    test(&right.grown()).await.expect("a ring with a new key in front");
    let missing = test(&right.grown().trimmed()).await.expect_err("k1 is gone");
    assert!(matches!(&missing, VaultError::MasterMissing { master } if master == "k1"));
    assert!(missing.remedy().expect("a remedy").contains("k1:"));
    let wrong = test(&ring()).await.expect_err("another k1");
    assert!(matches!(&wrong, VaultError::MasterWrong { master } if master == "k1"));
    assert!(wrong.remedy().is_some());
    assert_eq!(world.number("select count(*) from data_keys").await, 1);
}
