use portreeve::{
    base::{
        ids::OrgId,
        update::{Change, Update},
    },
    domain::gate::{self, Gate, GateChange, GateState},
};
use time::Duration;

use crate::rooms::{NOW, World, drop_it, keep, quoted};

async fn gate_of(world: &World, org: OrgId) -> Gate {
    let mut tx = world.org_tx(org).await;
    let gate = gate::find(&mut tx).await.expect("a gate");
    drop_it(tx).await;
    gate
}

async fn epoch(world: &World, org: OrgId) -> i64 {
    world.number(&format!("select epoch from orgs where id = {}", quoted(org.uuid()))).await
}

#[tokio::test]
async fn a_gate_is_open_until_somebody_closes_it_and_every_change_raises_the_epoch() {
    let world = World::fresh().await;
    let (org, other) = (world.org().await, world.org().await);
    let ada = world.member(org, "Ada", "admin").await;
    assert_eq!(gate_of(&world, org).await, Gate::untouched());
    let close = GateChange::parse(GateState::Closed, "Leaked token").expect("a reason");
    let mut tx = world.org_tx(org).await;
    let set = gate::set(&mut tx, &close, Some(ada), Some(0), NOW).await.expect("set");
    keep(tx).await;
    let Update::Done(Change { before, after }) = set else { panic!("{set:?}") };
    assert_eq!(before, Gate::untouched());
    assert_eq!((after.is_open(), after.version, after.changed_by_name.as_deref()), (false, 1, Some("Ada")));
    assert_eq!(gate_of(&world, org).await, after);
    assert!(gate_of(&world, other).await.is_open());
    assert_eq!((epoch(&world, org).await, epoch(&world, other).await), (2, 1));

    let open = GateChange::parse(GateState::Open, "").expect("no reason needed");
    let mut tx = world.org_tx(org).await;
    let set = gate::set(&mut tx, &open, None, None, NOW + Duration::HOUR).await.expect("set");
    keep(tx).await;
    assert!(matches!(set, Update::Done(Change { after, .. }) if after.is_open() && after.version == 2));
    assert_eq!(epoch(&world, org).await, 3);
}

#[tokio::test]
async fn of_two_changes_at_once_the_second_is_told_the_first_time_and_later() {
    let world = World::fresh().await;
    let org = world.org().await;
    let close = GateChange::parse(GateState::Closed, "Now").expect("a reason");
    let change = async |expected| {
        let mut tx = world.org_tx(org).await;
        let set = gate::set(&mut tx, &close, None, Some(expected), NOW).await.expect("an answer");
        keep(tx).await;
        matches!(set, Update::Done(_))
    };
    for seen in 0..3 {
        let (a, b) = tokio::join!(change(seen), change(seen));
        assert!(a != b);
        assert_eq!(gate_of(&world, org).await.version, seen + 1);
        assert_eq!(epoch(&world, org).await, seen + 2);
    }
}

#[tokio::test]
async fn a_conflict_shows_the_gate_as_it_is_and_changes_nothing() {
    let world = World::fresh().await;
    let org = world.org().await;
    let close = GateChange::parse(GateState::Closed, "Now").expect("a reason");
    let mut tx = world.org_tx(org).await;
    let set = gate::set(&mut tx, &close, None, Some(7), NOW).await.expect("an answer");
    keep(tx).await;
    assert_eq!(set, Update::Conflict);
    assert_eq!((gate_of(&world, org).await, epoch(&world, org).await), (Gate::untouched(), 1));
}
