//! What a pattern may cost: memory once, and time for every byte of a text.
//!
//! Matching takes at most so many steps for each byte as there are places in the pattern at which it may stand at once. Where
//! the automaton of all places is small it is built once, and each byte is one look, whatever the text is.

use regex_automata::{
    dfa::{StartKind, dense},
    nfa::thompson::{self, NFA, WhichCaptures},
};
use regex_syntax::hir::{Class, Hir, HirKind};

/// How large a pattern's compiled form may be.
pub(super) const MAX_COMPILED: usize = 256 * 1024;
/// How large the automaton of all places may be; beyond it is not relied on.
const MAX_AUTOMATON: usize = 64 * 1024;
/// What places weigh beside a look.
const PLACE: u64 = 2;
/// What a pattern weighs of which nothing can be told: as much as the largest that may be.
const UNKNOWN: Weight = Weight { compiled: MAX_COMPILED, for_each_byte: 20_000 };

/// What a pattern may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    /// Bytes of its compiled form, read in both directions.
    pub(super) compiled: usize,
    /// Steps for each byte of a text, in quarters.
    pub(super) for_each_byte: u64,
}

impl Weight {
    /// Of the pattern of this text.
    pub(super) fn of(pattern: &str) -> Self {
        let Ok(hir) = regex_syntax::parse(pattern) else { return UNKNOWN };
        let (Some(forward), Some(backward)) = (automaton(&hir, false), automaton(&hir, true)) else {
            return UNKNOWN;
        };
        let compiled = forward.memory_usage().saturating_add(backward.memory_usage());
        let is_light = is_small(&forward, StartKind::Unanchored) && is_small(&backward, StartKind::Anchored);
        let for_each_byte = if is_light { 1 } else { places(&hir).saturating_mul(PLACE).max(1) };
        Self { compiled, for_each_byte }
    }
}

fn automaton(hir: &Hir, is_backward: bool) -> Option<NFA> {
    let config = thompson::Config::new()
        .reverse(is_backward)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(MAX_COMPILED));
    thompson::Compiler::new().configure(config).build_from_hir(hir).ok()
}

fn is_small(automaton: &NFA, start: StartKind) -> bool {
    let limit = Some(MAX_AUTOMATON);
    let config = dense::Config::new().start_kind(start).dfa_size_limit(limit).determinize_size_limit(limit);
    dense::Builder::new().configure(config).build_from_nfa(automaton).is_ok()
}

/// At how many places of the pattern a match may stand at once, at most.
fn places(hir: &Hir) -> u64 {
    let sum = |all: &[Hir]| all.iter().map(places).fold(all.len() as u64, u64::saturating_add);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        // A letter beyond ASCII is found by several bytes, each among several others.
        HirKind::Class(class) => {
            let is_ascii = match class {
                Class::Unicode(class) => class.is_ascii(),
                Class::Bytes(class) => class.is_ascii(),
            };
            if is_ascii { 1 } else { 4 }
        }
        HirKind::Repetition(repetition) => {
            let copies = repetition.max.unwrap_or(repetition.min).max(1);
            places(&repetition.sub).saturating_add(1).saturating_mul(u64::from(copies))
        }
        HirKind::Capture(capture) => places(&capture.sub).saturating_add(1),
        HirKind::Concat(all) | HirKind::Alternation(all) => sum(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn for_each_byte(pattern: &str) -> u64 {
        Weight::of(pattern).for_each_byte
    }

    #[test]
    fn what_is_decided_by_one_look_is_light() {
        for pattern in ["^[a-z-]+$", "(?i-u)password|secret|api[_-]?key", "a.*b", "[ab]{20}c", "^$", ""] {
            assert_eq!(for_each_byte(pattern), 1, "{pattern}");
        }
    }

    #[test]
    fn what_remembers_much_weighs_as_much_as_it_has_places() {
        let heavy = for_each_byte("[ab]*a[ab]{1000}c1");
        assert!((2_000..10_000).contains(&heavy), "{heavy}");
        // Written out, and read from its end.
        let long = format!("[ab]*a{}c", "[ab]".repeat(200));
        assert!(for_each_byte(&long) >= 400);
        assert!(for_each_byte("c[ab]{1000}a[ab]*$") >= 2_000);
        assert!(for_each_byte("[ab]*a([ab]?){1000}") >= 2_000);
    }

    #[test]
    fn patterns_of_all_letters_weigh_little() {
        let weight = for_each_byte(r"^[\w.-]+@[\w.-]+$");
        assert!(weight <= 40, "{weight}");
    }

    #[test]
    fn what_cannot_be_read_weighs_most() {
        assert_eq!(Weight::of("("), UNKNOWN);
    }

    #[test]
    fn larger_patterns_are_larger_when_compiled() {
        let compiled = |pattern| Weight::of(pattern).compiled;
        assert!(compiled("a") < compiled("a{100}") && compiled("a{100}") < compiled(r"\w{20}"));
        assert!(compiled(r"\w{20}") > 20_000);
    }
}
