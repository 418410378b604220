//! Names without regard to case and to how their letters are put together, as a server may read them.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// The one form that names share which a reader may take for the same: in compatible composed form (NFKC), without case. Case
/// is folded in full, by way of the capitals, so that `ß` is `ss`, the long s is s and the sign of the Kelvin is k.
pub(super) fn fold(name: &str) -> Cow<'_, str> {
    if !name.is_ascii() {
        return Cow::Owned(general(name));
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    Cow::Borrowed(name)
}

/// Small letters first, for the capital `ẞ` is a letter of its own until it is `ß`.
fn general(name: &str) -> String {
    let capitals = name.nfkc().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
    capitals.flat_map(char::to_lowercase).nfkc().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_reader_may_take_for_the_same_has_one_form() {
        for (one, other) in [
            ("Env", "env"),
            ("STRASSE", "straße"),
            ("STRAẞE", "strasse"),
            ("cafe\u{301}", "café"),
            ("CAFÉ", "cafe\u{301}"),
            ("ﬁle", "FILE"),
            ("ｐａｔｈ", "path"),
            ("ſtate", "State"),
            ("\u{212a}ey", "key"),
            ("ΣΑΣ", "σας"),
            ("ДА", "да"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        for (one, other) in [("é", "e"), ("clé", "cle"), ("a_b", "ab"), ("İ", "i"), ("а", "a")] {
            assert_ne!(fold(one), fold(other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn the_form_of_ascii_is_that_of_all_others(name in "[ -~]{0,12}") {
            prop_assert_eq!(fold(&name).into_owned(), general(&name));
        }

        #[test]
        fn capitals_and_small_letters_have_one_form(name in "[a-zéßſﬁΣа-я]{0,8}") {
            let capitals = name.to_uppercase();
            prop_assert_eq!(fold(&name), fold(&capitals));
        }
    }
}
