//! Alterations of the files alone, and a long file.

use super::*;

#[test]
fn a_file_cut_off_or_altered_in_any_byte_is_caught_without_anchors() {
    let keys = Keyring::numbered(1);
    let world = World::honest([0, 2, 0, 0], 2, &keys);
    let export = world.export_of(Scope::Organization(org(1)), &keys);
    for at in 0..export.len() - 1 {
        assert!(check(&export[..at], &Anchors::none()).is_err(), "cut after {at} bytes");
        let mut other = export.clone();
        other[at] ^= if at % 2 == 0 { 1 } else { 0x20 };
        assert!(check(&other, &Anchors::none()).is_err(), "byte {at}");
    }
}

#[test]
fn lines_moved_doubled_or_removed_are_caught_without_anchors() {
    let keys = Keyring::numbered(1);
    let export = World::honest([3, 4, 2, 1], 2, &keys).export(&keys);
    let lines: Vec<&[u8]> = export.split_inclusive(|b| *b == b'\n').collect();
    for at in 0..lines.len() {
        let mut other = lines.clone();
        other.remove(at);
        assert!(check(&other.concat(), &Anchors::none()).is_err(), "line {at} removed");
        for to in 0..=lines.len() {
            let mut other = lines.clone();
            other.insert(to, lines[at]);
            assert!(check(&other.concat(), &Anchors::none()).is_err(), "line {at} doubled at {to}");
        }
        for to in at + 1..lines.len() {
            let mut other = lines.clone();
            other.swap(at, to);
            assert!(check(&other.concat(), &Anchors::none()).is_err(), "lines {at} and {to} swapped");
        }
    }
}

#[test]
fn a_torn_last_anchor_is_passed_over_and_a_forged_one_refused() {
    let keys = Keyring::numbered(1);
    let world = World::honest(LENGTHS, EVERY, &keys);
    let file = world.anchors_file(&keys);
    let torn = Anchors::read(&file[..file.len() - 40]).expect("torn, but ours");
    check(&world.export(&keys), &torn).expect("an honest export");
    let forged = String::from_utf8(file).expect("UTF-8").replace(r#""count":4"#, r#""count":5"#);
    assert!(matches!(Anchors::read(forged.as_bytes()), Err(BadAnchors::Signature(_))));
}

#[test]
fn a_long_chain_is_proven_to_its_end() {
    let keys = Keyring::numbered(1);
    let mut chain = Chain { org: org(1), events: Vec::new(), checkpoints: Vec::new() };
    for n in 1..=20_000 {
        chain.append("a record of usual length, as an administrator leaves it behind", START);
        if n % 1000 == 0 {
            chain.seal(&keys, START, None);
        }
    }
    let world = World { chains: vec![chain], now: START + Duration::hours(1) };
    let export = world.export_of(Scope::Organization(org(1)), &keys);
    assert_eq!(check(&export, &world.anchors(&keys)).expect("honest").chains[0].sealed_to, 20_000);
}
