//! Honest exports raise no alarm.

use super::*;

#[test]
fn an_honest_export_raises_no_alarm_and_tells_how_far_it_is_proven() {
    let keys = Keyring::numbered(1);
    let world = World::honest(LENGTHS, EVERY, &keys);
    let report = check(&world.export(&keys), &world.anchors(&keys)).expect("an honest export");
    assert_eq!(report.scope, Scope::Installation);
    assert_eq!(report.unvouched_keys, []);
    for (chain, length) in report.chains.iter().zip(LENGTHS) {
        let length = length as i64;
        assert_eq!((chain.records, chain.sealed_to, chain.anchored_to), (length, length, length));
    }
    let alone = check(&world.export(&keys), &Anchors::none()).expect("an honest export");
    assert_eq!(alone.unvouched_keys, [keys.id]);
    assert_eq!(alone.chains[1].anchored_to, 0);
}

#[test]
fn one_organizations_export_is_judged_by_its_own_anchors_only() {
    let keys = Keyring::numbered(1);
    let world = World::honest(LENGTHS, EVERY, &keys);
    let anchors = world.anchors(&keys);
    let export = world.export_of(Scope::Organization(org(2)), &keys);
    assert_eq!(check(&export, &anchors).expect("an honest export").chains.len(), 1);
    let mut emptied = world.clone();
    (emptied.chains[2].events, emptied.chains[2].checkpoints) = (Vec::new(), Vec::new());
    assert!(check(&emptied.export_of(Scope::Organization(org(2)), &keys), &anchors).is_err());
    let another = world.export_of(Scope::Organization(org(9)), &keys);
    assert!(check(&another, &anchors).is_err(), "no chain at all");
}

#[test]
fn a_backup_restored_raises_no_alarm_with_the_anchors_of_its_time() {
    let keys = Keyring::numbered(1);
    let whole = World::honest([30, 30, 30, 30], EVERY, &keys);
    let backed_up_at = START + Duration::seconds(50);
    let mut restored = whole.as_of(backed_up_at);
    assert!((9..20).contains(&restored.chains[1].events.len()));
    let of_that_time = whole.anchors(&keys).until(backed_up_at);
    check(&restored.export(&keys), &of_that_time).expect("honest");
    // Gone on differently: the anchors up to the backup still hold, the later ones show what was lost.
    restored.now = whole.now + Duration::days(7);
    for chain in &mut restored.chains {
        chain.append("after the restore", restored.now);
        chain.seal(&keys, restored.now, None);
    }
    restored.now += Duration::hours(1);
    check(&restored.export(&keys), &of_that_time).expect("honest");
    check(&restored.export(&keys), &whole.anchors(&keys)).expect_err("the loss is told");
}

#[test]
fn anchors_made_after_the_export_are_passed_over_unless_they_must_not_be() {
    let keys = Keyring::numbered(1);
    let mut world = World::honest(LENGTHS, EVERY, &keys);
    let export = world.export(&keys);
    for chain in &mut world.chains {
        chain.append("later", world.now);
        chain.seal(&keys, world.now, None);
    }
    let anchors = world.anchors(&keys);
    assert_eq!(check(&export, &anchors).expect("an honest export").anchors_passed_over, 4);
    assert!(verify(export.as_slice(), anchors, LaterAnchors::Apply).is_err());
}
