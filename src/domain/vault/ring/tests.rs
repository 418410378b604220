use proptest::prelude::*;

use super::*;

fn id(text: &str) -> MasterId {
    text.parse().expect("a good name")
}

fn ring_of(names: &[&str]) -> MasterRing {
    MasterRing { keys: names.iter().map(|name| (id(name), fresh_key())).collect() }
}

#[test]
fn the_first_key_wraps_and_every_key_unwraps() {
    let old = ring_of(&["k1"]);
    let (org, key_id, key) = (Uuid::from_u128(1), DataKeyId::fresh(), seal::new_key());
    let before = old.wrap(org, key_id, &key);
    let new = old.grown();
    assert_eq!(new.active().as_str(), "k2");
    assert_eq!(new.unwrap(org, key_id, &before).expect("k1 is still here").expose(), key.expose());
    let after = new.wrap(org, key_id, &key);
    assert_eq!(after.master, "k2");
    assert!(
        matches!(old.unwrap(org, key_id, &after), Err(VaultError::MasterMissing { master }) if master == "k2")
    );
    assert_eq!(new.trimmed().unwrap(org, key_id, &after).expect("k2 is here").expose(), key.expose());
}

#[test]
fn a_wrapped_key_unwraps_only_for_its_organization_and_id() {
    let ring = ring_of(&["k1"]);
    let (org, key_id) = (Uuid::from_u128(1), DataKeyId::fresh());
    let wrapped = ring.wrap(org, key_id, &seal::new_key());
    let is_wrong =
        |r: VaultResult<SealKey>| matches!(r, Err(VaultError::MasterWrong { master }) if master == "k1");
    assert!(is_wrong(ring.unwrap(Uuid::nil(), key_id, &wrapped)));
    assert!(is_wrong(ring.unwrap(org, DataKeyId::fresh(), &wrapped)));
    assert!(is_wrong(ring_of(&["k1"]).unwrap(org, key_id, &wrapped)));
}

#[test]
fn a_ring_reads_back_from_its_text_in_order() {
    let ring = ring_of(&["k2", "k1", "blue-3"]);
    let text = ring.text();
    let again = MasterRing::from_file(format!(" {} \n", text.expose().replace(',', ",\n")).as_bytes());
    let again = again.expect("our own text");
    assert_eq!(again.text().expose(), text.expose());
    assert_eq!(again.ids().map(MasterId::as_str).collect::<Vec<_>>(), ["k2", "k1", "blue-3"]);
}

#[test]
fn a_grown_ring_never_repeats_a_name() {
    let mut ring = ring_of(&["k3"]);
    for _ in 0..4 {
        ring = ring.grown();
    }
    let names: HashSet<_> = ring.ids().cloned().collect();
    assert_eq!(names.len(), 5);
}

#[test]
fn bad_rings_say_what_is_wrong_without_the_key() {
    let good = ring_of(&["k1"]).text();
    let good = good.expose().strip_prefix("k1:").expect("its name").to_owned();
    let same = |what: [u8; 32]| STANDARD.encode(what);
    let ramp: [u8; 32] = std::array::from_fn(|i| i as u8);
    let twice: [u8; 32] = std::array::from_fn(|i| (i as u8 % 16).wrapping_mul(37));
    let cases = [
        (String::new(), BadRing::Empty),
        (good.clone(), BadRing::NoColon(1)),
        (format!("k1:{good},{good}"), BadRing::NoColon(2)),
        (format!("k1:{good},"), BadRing::NoColon(2)),
        (format!("{good}:k1"), BadRing::BadId(1)),
        (format!("K1:{good}"), BadRing::BadId(1)),
        (format!(":{good}"), BadRing::BadId(1)),
        (format!("{}:{good}", "k".repeat(21)), BadRing::BadId(1)),
        (format!("k1:{good},k1:{good}"), BadRing::SameId(id("k1"))),
        (format!("k1:{good},k2:{good}"), BadRing::SameKey(id("k1"), id("k2"))),
        ("k1:changeme!".to_owned(), BadRing::NotBase64(id("k1"))),
        (format!("k1:{}", &good[..20]), BadRing::Length { id: id("k1"), bytes: 15 }),
        (format!("k1:{}", same([0; 32])), BadRing::Guessable(id("k1"))),
        (format!("k1:{}", same([0xff; 32])), BadRing::Guessable(id("k1"))),
        (format!("k1:{}", same(ramp)), BadRing::Guessable(id("k1"))),
        (format!("k1:{}", same(twice)), BadRing::Guessable(id("k1"))),
        (format!("k1:{}", same(*b"0123456789abcdef0123456789abcdef")), BadRing::Guessable(id("k1"))),
        (format!("k1:{}", same(*b"the quick brown fox jumps over t")), BadRing::Guessable(id("k1"))),
    ];
    for (text, why) in cases {
        let fault = MasterRing::parse(&text).expect_err("a bad ring");
        assert!(!fault.to_string().contains(&good) && !format!("{fault:?}").contains(&good[..20]), "{fault}");
        assert_eq!(fault, why);
    }
    assert_eq!(MasterRing::from_file(&[0xff, 0xfe]).expect_err("no text"), BadRing::NotText);
}

#[test]
fn debug_output_holds_no_key() {
    let ring = ring_of(&["k1"]);
    assert_eq!(format!("{ring:?}"), r#"MasterRing { keys: [(MasterId("k1"), ***)] }"#);
}

proptest! {
    #[test]
    fn any_random_key_makes_a_ring_and_parsing_never_panics(key: [u8; 32], text in "\\PC{0,120}") {
        let _ = MasterRing::parse(&text);
        let parsed = MasterRing::parse(&format!("k1:{}", STANDARD.encode(key)));
        prop_assert_eq!(parsed.is_err(), is_guessable(&key));
    }
}
