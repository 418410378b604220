//! Each kind of tampering, at every record.

use super::*;

#[test]
fn an_edited_record_is_named() {
    at_every_record(
        |world, c, at| {
            let event = &mut world.chains[c].events[at];
            event.record = edited(event);
            true
        },
        |seq| seq,
    );
}

#[test]
fn an_edited_record_with_its_hash_made_anew_is_within_the_named_stretch() {
    at_every_record(
        |world, c, at| {
            let chain = &mut world.chains[c];
            let event = &mut chain.events[at];
            event.record = edited(event);
            event.hash = link(chain.org, event.seq, event.prev_hash, &event.record);
            true
        },
        |seq| seq,
    );
}

#[test]
fn a_record_removed_from_the_middle_is_named() {
    at_every_record(
        |world, c, at| {
            let chain = &mut world.chains[c];
            chain.events.remove(at);
            at < chain.events.len()
        },
        |seq| seq,
    );
}

#[test]
fn a_record_removed_and_the_rest_computed_anew_is_within_the_named_stretch() {
    at_every_record(
        |world, c, at| {
            let chain = &mut world.chains[c];
            chain.events.remove(at);
            chain.recompute(at);
            at < chain.events.len()
        },
        |seq| seq,
    );
}

#[test]
fn a_forged_record_between_two_is_named() {
    at_every_record(
        |world, c, at| {
            let chain = &mut world.chains[c];
            let mut forged = chain.events[at].clone();
            forged.record = edited(&forged);
            forged.hash = link(chain.org, forged.seq, forged.prev_hash, &forged.record);
            chain.events.insert(at, forged);
            true
        },
        |seq| seq,
    );
}

#[test]
fn a_record_repeated_is_named() {
    at_every_record(
        |world, c, at| {
            let chain = &mut world.chains[c];
            let copy = chain.events[at].clone();
            chain.events.insert(at + 1, copy);
            true
        },
        |seq| seq,
    );
}

#[test]
fn an_inserted_record_with_the_rest_computed_anew_is_within_the_named_stretch() {
    at_every_record(
        |world, c, at| {
            let chain = &mut world.chains[c];
            let mut forged = chain.events[at].clone();
            forged.record = edited(&forged);
            chain.events.insert(at, forged);
            chain.recompute(at);
            true
        },
        |seq| seq,
    );
}

#[test]
fn two_records_in_each_others_place_are_named_by_the_first() {
    for distance in [1, 2, 7] {
        at_every_record(
            |world, c, at| {
                let events = &mut world.chains[c].events;
                let other = (at + distance) % events.len();
                events.swap(at.min(other), at.max(other));
                // The lower of the two is asked for; a swap around the end was tried from there.
                at < other
            },
            |seq| seq,
        );
    }
}

#[test]
fn two_records_in_each_others_place_and_computed_anew_are_within_the_named_stretch() {
    at_every_record(
        |world, c, at| {
            let chain = &mut world.chains[c];
            if at + 1 >= chain.events.len() {
                return false;
            }
            chain.events.swap(at, at + 1);
            chain.recompute(at);
            true
        },
        |seq| seq,
    );
}

#[test]
fn a_tail_cut_off_with_its_checkpoints_is_named() {
    at_every_record(
        |world, c, at| {
            let chain = &mut world.chains[c];
            chain.events.truncate(at);
            chain.checkpoints.retain(|(seq, _)| *seq <= at as i64);
            true
        },
        |seq| seq,
    );
}

#[test]
fn a_tail_cut_off_behind_its_checkpoint_needs_no_anchor() {
    let keys = Keyring::numbered(1);
    let honest = World::honest(LENGTHS, EVERY, &keys);
    for (c, length) in LENGTHS.into_iter().enumerate() {
        for at in 0..length {
            let mut world = honest.clone();
            world.chains[c].events.truncate(at);
            assert_caught(&world, &keys, &Anchors::none(), org(c as u128), at as i64 + 1);
        }
    }
}

#[test]
fn a_missing_chain_is_named_by_anchors_or_by_the_instances_own_checkpoints() {
    let keys = Keyring::numbered(1);
    let honest = World::honest(LENGTHS, EVERY, &keys);
    for anchors in [honest.anchors(&keys), Anchors::none()] {
        for c in 0..4 {
            let mut world = honest.clone();
            world.chains.remove(c);
            let fault = check(&world.export(&keys), &anchors).expect_err("the missing chain was missed");
            if c > 0 {
                assert_eq!((fault.org, fault.tampering), (Some(org(c as u128)), Tampering::ChainMissing));
            }
            let mut world = honest.clone();
            (world.chains[c].events, world.chains[c].checkpoints) = (Vec::new(), Vec::new());
            let known = c > 0 || !anchors.keys.is_empty();
            assert_eq!(check(&world.export(&keys), &anchors).is_err(), known, "emptied chain {c}");
        }
    }
}

#[test]
fn a_chain_computed_anew_is_caught_by_the_old_seals() {
    at_every_record(
        |world, c, at| {
            let chain = &mut world.chains[c];
            chain.events[at].record = edited(&chain.events[at]);
            chain.recompute(at);
            true
        },
        |seq| seq,
    );
}

#[test]
fn a_chain_computed_and_sealed_anew_with_the_stolen_key_is_caught_by_anchors() {
    let keys = Keyring::numbered(1);
    at_every_record(
        |world, c, at| {
            let chain = &mut world.chains[c];
            chain.events[at].record = edited(&chain.events[at]);
            chain.recompute(at);
            chain.reseal(&keys);
            true
        },
        |seq| seq,
    );
}

#[test]
fn an_export_sealed_anew_with_a_foreign_key_is_caught_by_anchors() {
    let (keys, foreign) = (Keyring::numbered(1), Keyring::numbered(2));
    let posing = Keyring { key: SignKey::from_bytes(&Secret::new([2; 32])), id: keys.id };
    let honest = World::honest(LENGTHS, EVERY, &keys);
    let anchors = honest.anchors(&keys);
    for thief in [&foreign, &posing] {
        let mut world = honest.clone();
        for chain in &mut world.chains {
            chain.reseal(thief);
        }
        assert!(check(&world.export(thief), &anchors).is_err());
        assert!(check(&world.export(thief), &Anchors::none()).is_ok(), "without anchors nobody can tell");
    }
}

#[test]
fn a_record_of_another_chain_is_named() {
    at_every_record(
        |world, c, at| {
            let other = (c + 1) % 4;
            let Some(foreign) = world.chains[other].events.get(at).cloned() else {
                return false;
            };
            world.chains[c].events[at] = foreign;
            true
        },
        |seq| seq,
    );
}

#[test]
fn a_record_of_another_chain_made_to_fit_is_within_the_named_stretch() {
    at_every_record(
        |world, c, at| {
            let other = if c == 1 { 2 } else { 1 };
            let Some(foreign) = world.chains[other].events.get(at).cloned() else {
                return false;
            };
            let mut record = Record::from_bytes(&foreign.record).expect("a record");
            record.note = Some("from elsewhere".to_owned());
            world.chains[c].events[at].record = record.to_bytes();
            world.chains[c].recompute(at);
            true
        },
        |seq| seq,
    );
}

#[test]
fn a_whole_chain_in_the_place_of_another_is_caught() {
    let keys = Keyring::numbered(1);
    let honest = World::honest(LENGTHS, EVERY, &keys);
    let mut world = honest.clone();
    let foreign = Chain { org: org(2), ..honest.chains[1].clone() };
    world.chains[2] = foreign;
    assert_caught(&world, &keys, &Anchors::none(), org(2), 1);
}

#[test]
fn checkpoints_rolled_back_are_caught_by_anchors() {
    let keys = Keyring::numbered(1);
    let honest = World::honest(LENGTHS, EVERY, &keys);
    let anchors = honest.anchors(&keys);
    for c in 0..4 {
        for keep in 0..honest.chains[c].checkpoints.len() {
            let mut world = honest.clone();
            world.chains[c].checkpoints.truncate(keep);
            let fault = check(&world.export(&keys), &anchors).expect_err("the rollback was missed");
            assert!(
                matches!(fault.tampering, Tampering::CheckpointMissing | Tampering::ChainMissing),
                "{fault}"
            );
            // The whole chain brought back to that checkpoint, so that nothing disagrees with anything.
            let sealed = world.chains[c].checkpoints.last().map_or(0, |(seq, _)| *seq);
            world.chains[c].events.truncate(sealed as usize);
            check(&world.export(&keys), &anchors).expect_err("the rollback was missed");
        }
    }
}

#[test]
fn a_checkpoint_taken_from_between_others_is_caught_without_anchors() {
    let keys = Keyring::numbered(1);
    let honest = World::honest(LENGTHS, EVERY, &keys);
    for c in 0..4 {
        for at in 0..honest.chains[c].checkpoints.len() - 1 {
            let mut world = honest.clone();
            world.chains[c].checkpoints.remove(at);
            let fault = check(&world.export(&keys), &Anchors::none()).expect_err("the gap was missed");
            assert_eq!(fault.tampering, Tampering::CheckpointMissing);
        }
    }
}
