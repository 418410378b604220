//! Sealed handles: what was sealed opens for its holder, and nothing else opens.

use std::sync::LazyLock;

use portreeve::{
    base::{clock::Clock, ids::Id},
    domain::vault::{MasterRing, Vault},
    flow::proxy::handles::{HandleKind, Handles, Holder, Unknown},
};

use super::Dice;

/// A ring that every run has, so that an input means the same in all of them.
const RING: &str = "t1:q0pLx3Vd9m2sYb7TfKcWz5RhJ8nGuE1aQ4oI6tXvSgM=";
const KINDS: [HandleKind; 4] = [HandleKind::Session, HandleKind::Task, HandleKind::State, HandleKind::Cursor];

static HANDLES: LazyLock<Handles> =
    LazyLock::new(|| Handles::new(Vault::new(MasterRing::parse(RING).expect("a ring"), Clock::system())));
static HOLDER: LazyLock<Holder> = LazyLock::new(fresh);

pub(super) fn handles() -> &'static Handles {
    &HANDLES
}

pub(super) fn holder() -> Holder {
    *HOLDER
}

fn fresh() -> Holder {
    Holder { org: Id::fresh(), grant: Id::fresh(), server: Some(Id::fresh()) }
}

pub(crate) fn handle(input: &[u8]) {
    let (mut dice, text) = Dice::take(input);
    let holder = fresh();
    let kind = KINDS[dice.below(KINDS.len())];
    // Made up. The holder is another at every input: a fuzzer sees what is compared, and learns handles that are good.
    let made_up = String::from_utf8_lossy(text);
    assert_eq!(handles().open(kind, holder, &made_up), Err(Unknown));
    assert!(handles().open_session(holder, &made_up).is_err());
    // Sealed, and tried by others.
    let sealed = handles().seal(kind, holder, text);
    assert_eq!(handles().open(kind, holder, &sealed).as_deref(), Ok(text));
    let other = KINDS[(KINDS.iter().position(|known| *known == kind).unwrap_or(0) + 1) % KINDS.len()];
    assert_eq!(handles().open(other, holder, &sealed), Err(Unknown));
    let stranger = Holder { grant: Id::fresh(), ..holder };
    assert_eq!(handles().open(kind, stranger, &sealed), Err(Unknown));
    // Not every text is a session, and that is no reason to fail.
    let _ = handles().open_session(holder, &handles().seal(HandleKind::Session, holder, text));
    // Sealed and changed: another letter, cut short, or longer.
    let changed = change(&sealed, &mut dice);
    if changed != sealed {
        assert_eq!(handles().open(kind, holder, &changed), Err(Unknown), "{changed} of {sealed}");
    }
}

fn change(sealed: &str, dice: &mut Dice) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ .\n";
    let mut letters = sealed.as_bytes().to_vec();
    let letter = LETTERS[dice.below(LETTERS.len())];
    // The last letters are the ones whose bits may not all count.
    let at = if dice.below(2) == 0 { letters.len() - 1 } else { dice.below(letters.len()) };
    match dice.below(4) {
        0 => letters.truncate(at),
        1 => letters.push(letter),
        _ => letters[at] = letter,
    }
    String::from_utf8_lossy(&letters).into_owned()
}
