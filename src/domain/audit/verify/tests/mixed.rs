//! Random histories, random mixtures of attacks, random bytes.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_honest_history_raises_an_alarm(
        lengths in prop::array::uniform4(0usize..40), every in 1usize..12, anchored in any::<u64>(),
    ) {
        let keys = Keyring::numbered(1);
        let world = World::honest(lengths, every, &keys);
        let file = world.anchors_file(&keys);
        let some: Vec<u8> = file
            .split_inclusive(|b| *b == b'\n')
            .enumerate()
            .filter(|(n, _)| anchored >> (n % 64) & 1 == 1)
            .flat_map(|(_, line)| line.to_vec())
            .collect();
        let anchors = Anchors::read(some.as_slice()).expect("our own anchors");
        prop_assert!(check(&world.export(&keys), &anchors).is_ok());
        prop_assert!(check(&world.export(&keys), &world.anchors(&keys)).is_ok());
        prop_assert!(check(&world.export(&keys), &Anchors::none()).is_ok());
    }

    #[test]
    fn no_mixture_of_attacks_goes_unseen(
        attacks in prop::collection::vec((0usize..6, 0usize..4, any::<prop::sample::Index>()), 1..5),
    ) {
        let keys = Keyring::numbered(1);
        let honest = World::honest(LENGTHS, EVERY, &keys);
        let mut world = honest.clone();
        for (attack, c, at) in attacks {
            let chain = &mut world.chains[c];
            if chain.events.is_empty() {
                continue;
            }
            let at = at.index(chain.events.len());
            match attack {
                0 => chain.events[at].record = edited(&chain.events[at]),
                1 => drop(chain.events.remove(at)),
                2 => chain.events.truncate(at),
                3 => chain.checkpoints.truncate(at / EVERY),
                4 => chain.events.swap(0, at),
                _ => chain.events.clear(),
            }
            if attack != 3 && chain.events.iter().all(|e| Record::from_bytes(&e.record).is_ok()) {
                chain.recompute(0);
                chain.reseal(&keys);
            }
        }
        let same = world.export(&keys) == honest.export(&keys);
        prop_assert_eq!(check(&world.export(&keys), &honest.anchors(&keys)).is_ok(), same);
    }

    #[test]
    fn no_bytes_make_the_verifier_panic(bytes: Vec<u8>, lines in prop::collection::vec("\\PC{0,60}", 0..5)) {
        let _ = check(&bytes, &Anchors::none());
        let _ = check(lines.join("\n").as_bytes(), &Anchors::none());
        let _ = Anchors::read(bytes.as_slice());
    }
}
