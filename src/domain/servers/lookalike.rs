//! Names that look alike: a model, or a person, may take one for the other.

use std::collections::BTreeMap;

/// Letters that look like one of ASCII.
const CONFUSABLE: [(char, char); 42] = [
    ('а', 'a'),
    ('е', 'e'),
    ('о', 'o'),
    ('р', 'p'),
    ('с', 'c'),
    ('у', 'y'),
    ('х', 'x'),
    ('і', 'l'),
    ('ї', 'l'),
    ('ј', 'j'),
    ('ѕ', 's'),
    ('ԁ', 'd'),
    ('ԛ', 'q'),
    ('ԝ', 'w'),
    ('һ', 'h'),
    ('ѵ', 'v'),
    ('к', 'k'),
    ('м', 'm'),
    ('т', 't'),
    ('в', 'b'),
    ('н', 'h'),
    ('г', 'r'),
    ('п', 'n'),
    ('ӏ', 'l'),
    ('α', 'a'),
    ('ε', 'e'),
    ('ι', 'l'),
    ('κ', 'k'),
    ('ν', 'v'),
    ('ο', 'o'),
    ('ρ', 'p'),
    ('τ', 't'),
    ('υ', 'u'),
    ('χ', 'x'),
    ('ω', 'w'),
    ('ı', 'l'),
    ('ɡ', 'g'),
    ('ⅼ', 'l'),
    ('0', 'o'),
    ('1', 'l'),
    ('i', 'l'),
    ('|', 'l'),
];

/// A name whose look another one shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookalike<S> {
    /// Where it stands.
    pub server: S,
    /// The name.
    pub name: String,
    /// The other spellings, with where they stand.
    pub others: Vec<(S, String)>,
}

/// What is left of a name once case, separators and look-alike letters are put aside.
pub fn skeleton(name: &str) -> String {
    let mut bare = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        // Full-width forms of ASCII stand in one block, in the same order.
        let c = match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            c => c,
        };
        if matches!(c, '_' | '-' | '.' | '/' | ':' | '‐' | '‑' | '–' | '·' | '․') {
            continue;
        }
        bare.push(CONFUSABLE.iter().find(|(like, _)| *like == c).map_or(c, |(_, letter)| *letter));
    }
    bare.replace("rn", "m").replace("vv", "w")
}

/// Names that share their look with a name spelled otherwise, in the order given.
///
/// Two servers that both offer `search` are no look-alikes: addresses tell them apart, and nobody misreads one.
pub fn lookalikes<S: Copy + PartialEq>(names: &[(S, &str)]) -> Vec<Lookalike<S>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, (_, name)) in names.iter().enumerate() {
        groups.entry(skeleton(name)).or_default().push(i);
    }
    let mut found: Vec<(usize, Lookalike<S>)> = Vec::new();
    for group in groups.values().filter(|group| group.len() > 1) {
        for &i in group {
            let (server, name) = names[i];
            let others: Vec<_> = group
                .iter()
                .map(|&other| names[other])
                .filter(|(_, other)| *other != name)
                .map(|(server, other)| (server, other.to_owned()))
                .collect();
            if !others.is_empty() {
                found.push((i, Lookalike { server, name: name.to_owned(), others }));
            }
        }
    }
    found.sort_by_key(|(i, _)| *i);
    found.into_iter().map(|(_, lookalike)| lookalike).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_separators_and_confusables_do_not_tell_names_apart() {
        for (one, other) in [
            ("send_email", "sendEmail"),
            ("send_email", "send-email"),
            ("send_email", "sеnd_еmail"),
            ("list_files", "1ist_fi1es"),
            ("get_post", "get_p0st"),
            ("ｌｉｓｔ", "list"),
            ("modern", "modem"),
        ] {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        assert_ne!(skeleton("send_email"), skeleton("send_emails"));
    }

    #[test]
    fn a_lookalike_names_the_other_and_the_same_name_is_none() {
        let names = [(1, "search"), (2, "search"), (1, "get_post"), (2, "get_p0st"), (3, "other")];
        let found = lookalikes(&names);
        let told: Vec<_> = found.iter().map(|l| (l.server, l.name.as_str(), l.others.clone())).collect();
        assert_eq!(
            told,
            [
                (1, "get_post", vec![(2, "get_p0st".to_owned())]),
                (2, "get_p0st", vec![(1, "get_post".to_owned())])
            ]
        );
    }
}
